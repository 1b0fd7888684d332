/* What devices answer in tests of host controllers: bytes in their order, or an
 * error. Included by a test once, behind its model, where these are defined:
 *
 *   STALLED, BROKEN, NOT_NOW   the model's results
 *   TOKEN_IN, TOKEN_SETUP      what it calls a packet's direction */
#ifndef TESTS_UNIT_USB_ANSWERS_H
#define TESTS_UNIT_USB_ANSWERS_H

static uint32_t stream_at;

static int answer_stream(uint32_t direction, uint8_t *data, uint32_t bytes)
{
    uint32_t i;

    for (i = 0; direction != TOKEN_SETUP && i < bytes; i++, stream_at++) {
        if (direction == TOKEN_IN) {
            data[i] = (uint8_t)(stream_at * 7 + stream_at / 251);
        } else {
            CHECK(data[i] == (uint8_t)(stream_at * 7 + stream_at / 251));
        }
    }
    return (int)bytes;
}

static int answer_stall(uint32_t direction, uint8_t *data, uint32_t bytes)
{
    (void)direction;
    (void)data;
    (void)bytes;
    return STALLED;
}

static int answer_broken(uint32_t direction, uint8_t *data, uint32_t bytes)
{
    (void)direction;
    (void)data;
    (void)bytes;
    return BROKEN;
}

static int answer_never(uint32_t direction, uint8_t *data, uint32_t bytes)
{
    (void)direction;
    (void)data;
    (void)bytes;
    return NOT_NOW;
}

#endif
