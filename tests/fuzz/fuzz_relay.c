/* libFuzzer: any bytes as what a mail server says to the relay, whatever it is
 * told; the first one says what is queued. A connection that is left open is
 * reset in the end. Nothing may be left over, and nobody may get an outcome
 * that no reply has said. */
#include "tests/unit/relay_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *said;
static size_t said_len;

/* A server that listens to nothing: all it has to say, at once. */
static void talk(void)
{
    struct list *node = fake_streams.next;

    while (node != &fake_streams) {
        struct fake_stream *fake = LIST_ELEMENT(node, struct fake_stream, link);

        node = node->next;
        fake->talk.over = true; /* takes nothing */
        if (said_len > 0)
            fake_say(fake, said, said_len);
        fake_hang_up(fake, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned wishes;

    if (size == 0)
        return 0;
    wishes = data[0];
    said = data + 1;
    said_len = size - 1;
    frame_memory = 1;
    reset();
    fake_piece = wishes & 1 ? 1 : SIZE_MAX;
    fake_space_max = wishes & 2 ? 7 : 65536;
    fake_no_cancel = wishes & 4;
    sink_rule(&far->sink, "CONNECT", "!silent", 0);
    if (wishes & 8) {
        strcpy(fake_route.host, "192.0.2.9");
        strcpy(fake_route.login, "anna");
        strcpy(fake_route.password, "secret");
    }
    (void)queue(1, "a@far.example");
    (void)queue(1, "b@far.example");
    (void)queue(2, "c@far.example");
    fake_rows[2].smtputf8 = wishes & 16;
    relay_start();
    for (unsigned i = 0; i < 100; i++) {
        fake_sleep(1);
        if (relay_idle() && fake_open_streams == 0)
            break;
        talk();
    }
    if (!relay_idle() || fake_open_streams != 0)
        abort();
    for (unsigned i = 0; i < 3; i++) {
        if (fake_rows[i].queue_id == 0 &&
            strchr(fake_rows[i].reply, '2') == NULL &&
            strchr(fake_rows[i].reply, '5') == NULL)
            abort();
    }
    return 0;
}
