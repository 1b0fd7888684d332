/* Many transfers at several endpoints of two devices that are busy, send less
 * than they were asked for, stall and break off, and of which one is pulled at
 * times, all by one seed: every byte must arrive once and in its order.
 * Included by the test of a host controller behind usb_answers.h; where these
 * are defined:
 *
 *   HOST                 the controller that is tested, with its bus
 *   HOST_ADDRESS, HOST_ENDPOINTS_OPEN, HOST_CLOSE, HOST_TRANSFER,
 *   HOST_ENDPOINT_RESET
 *                        the driver's functions
 *   HOST_CARRIED         the number of the endpoint that a packet is for
 *   HOST_IS_OPEN(device) whether that went well; may be left out
 *   STRESS_BYTES         of a transfer at most; may be left out
 *   HOST_SPEED           of the device
 *   HOST_EP_IS_RESET(n)  what the model forgets of an endpoint */
#ifndef TESTS_UNIT_USB_STRESS_H
#define TESTS_UNIT_USB_STRESS_H

#ifndef HOST_IS_OPEN
#define HOST_IS_OPEN(device) ((device)->over && (device)->over_result == OK)
#endif

#define STRESS_ENDPOINTS 4u /* of each of two devices */
#define STRESS_QUEUED    2u
#ifndef STRESS_BYTES
#define STRESS_BYTES 20000u
#endif
#define STRESS_FEW      600u
#define STRESS_MS       6000u
#define STRESS_STILL_MS 1500u

struct stressed {
    struct usb_endpoint *usb;
    bool is_in, failed, resetting;
    uint32_t device_at, host_at; /* bytes of the stream */
    uint32_t out_at;             /* behind what is queued */
    struct usb_transfer transfers[STRESS_QUEUED];
    bool busy[STRESS_QUEUED];
    uint8_t data[STRESS_QUEUED][STRESS_BYTES];
    uint64_t due_ms; /* of the reset */
};

static struct {
    uint32_t seed;
    struct stressed endpoints[2 * STRESS_ENDPOINTS];
    struct usb_device devices[2];
    bool closing[2], closed[2];
    uint64_t now_ms, progress_ms;
    unsigned ended;
} stress;

static uint32_t stress_chance(uint32_t limit)
{
    stress.seed = stress.seed * 1664525 + 1013904223;
    return (stress.seed >> 8) % limit;
}

static uint8_t stress_byte(unsigned endpoint, uint32_t at)
{
    return (uint8_t)(at * 7 + at / 251 + endpoint * 31);
}

static void stress_fill(uint8_t *data, uint32_t bytes, unsigned endpoint,
                        uint32_t at)
{
    for (uint32_t i = 0; i < bytes; i++)
        data[i] = stress_byte(endpoint, at + i);
}

/* Whether these are the bytes of the stream from there on. */
static bool stress_is(const uint8_t *data, uint32_t bytes, unsigned endpoint,
                      uint32_t at)
{
    uint32_t i = 0;

    while (i < bytes && data[i] == stress_byte(endpoint, at + i))
        i++;
    return i == bytes;
}

static int stress_answer(uint32_t direction, uint8_t *data, uint32_t bytes)
{
    const unsigned number = HOST_CARRIED;
    struct stressed *endpoint = &stress.endpoints[number - 1];
    const uint32_t luck = stress_chance(1000);

    CHECK(number >= 1 && number <= 2 * STRESS_ENDPOINTS);
    CHECK(!stress.closed[(number - 1) / STRESS_ENDPOINTS]);
    CHECK((direction == TOKEN_IN) == endpoint->is_in);
    if (luck < 300)
        return NOT_NOW;
    if (luck < 302)
        return STALLED;
    if (luck < 304)
        return BROKEN;
    if (endpoint->is_in && luck < 320)
        bytes = stress_chance(bytes + 1);
    if (endpoint->is_in)
        stress_fill(data, bytes, number, endpoint->device_at);
    else
        CHECK(stress_is(data, bytes, number, endpoint->device_at));
    endpoint->device_at += bytes;
    return (int)bytes;
}

static void stress_done(struct usb_transfer *transfer)
{
    struct stressed *endpoint = transfer->context;
    const unsigned number = (unsigned)(endpoint - stress.endpoints) + 1;
    const unsigned place = (unsigned)(transfer - endpoint->transfers);

    stress.progress_ms = stress.now_ms;
    stress.ended++;
    endpoint->busy[place] = false;
    if (stress.closing[(number - 1) / STRESS_ENDPOINTS])
        return;
    if (transfer->status != USB_OK) {
        CHECK(transfer->status != USB_GONE);
        if (!endpoint->resetting && !endpoint->failed) {
            endpoint->failed = true;
            endpoint->due_ms = stress.now_ms + stress_chance(60);
        }
        return;
    }
    CHECK(!endpoint->failed);
    CHECK(endpoint->is_in || transfer->actual == transfer->bytes);
    if (endpoint->is_in)
        CHECK(stress_is(endpoint->data[place], transfer->actual, number,
                        endpoint->host_at));
    endpoint->host_at += transfer->actual;
}

static void stress_reset_done(struct usb_endpoint *usb, enum err result)
{
    struct stressed *endpoint = stress.endpoints;

    while (endpoint->usb != usb)
        endpoint++;
    CHECK(result == OK);
    HOST_EP_IS_RESET((unsigned)(endpoint - stress.endpoints) + 1);
    endpoint->failed = endpoint->resetting = false;
    endpoint->device_at = endpoint->host_at = endpoint->out_at = 0;
    stress.progress_ms = stress.now_ms;
}

/* most: bytes. quiet: another one follows at once. */
static void stress_submit(struct stressed *endpoint, unsigned place,
                          uint32_t most, bool quiet)
{
    const unsigned number = (unsigned)(endpoint - stress.endpoints) + 1;
    struct usb_transfer *transfer = &endpoint->transfers[place];

    transfer->endpoint = endpoint->usb;
    transfer->buffer = endpoint->data[place];
    transfer->bytes = stress_chance(most);
    transfer->quiet = quiet;
    transfer->done = stress_done;
    transfer->context = endpoint;
    if (!endpoint->is_in)
        stress_fill(endpoint->data[place], transfer->bytes, number,
                    endpoint->out_at);
    if (HOST_TRANSFER(transfer) != OK)
        return; /* no room: later */
    endpoint->out_at += transfer->bytes;
    endpoint->busy[place] = true;
}

static void stress_drive(struct stressed *endpoint, bool more)
{
    if (endpoint->failed && stress.now_ms >= endpoint->due_ms &&
        !endpoint->resetting) {
        endpoint->resetting = true;
        endpoint->usb->resetting = true;
        endpoint->usb->reset_done = stress_reset_done;
        HOST_ENDPOINT_RESET(endpoint->usb);
        return;
    }
    if (endpoint->failed || !more || stress_chance(8))
        return;
    /* In their order: a place is taken only when the other one is free, or
     * was given before it. */
    if (!endpoint->busy[0] && !endpoint->busy[1]) {
        const bool pair = stress_chance(2), few = !stress_chance(3);

        stress_submit(endpoint, 0, few ? STRESS_FEW : STRESS_BYTES,
                      few && pair);
        if (!endpoint->failed && endpoint->busy[0] && pair)
            stress_submit(endpoint, 1, few ? STRESS_FEW : STRESS_BYTES, false);
    }
}

static bool stress_is_idle(void)
{
    for (unsigned i = 0; i < 2 * STRESS_ENDPOINTS; i++) {
        const struct stressed *endpoint = &stress.endpoints[i];

        if (stress.closing[i / STRESS_ENDPOINTS])
            return false;
        if (endpoint->busy[0] || endpoint->busy[1] || endpoint->failed)
            return false;
    }
    return true;
}

/* The second device is pulled and put back now and then. */
static void stress_open(unsigned number)
{
    struct usb_device *usb = &stress.devices[number];
    struct usb_interface *interface = &usb->interfaces[0];

    memset(usb, 0, sizeof *usb);
    usb->bus = &HOST->bus;
    usb->speed = HOST_SPEED;
    usb->address = (uint8_t)(9 + number);
    usb->open = true;
    usb->state = USB_READY;
    usb->interface_count = 1;
    usb->root_port = (uint8_t)(1 + number);
    usb->control.device = usb;
    usb->control.max_packet = 64;
    interface->endpoint_count = STRESS_ENDPOINTS;
    for (unsigned i = 0; i < STRESS_ENDPOINTS; i++) {
        const unsigned at = number * STRESS_ENDPOINTS + i;
        struct usb_endpoint *pipe = &interface->endpoints[i];

        memset(&stress.endpoints[at], 0, sizeof stress.endpoints[at]);
        stress.endpoints[at].usb = pipe;
        stress.endpoints[at].is_in = i % 2 == 0;
        HOST_EP_IS_RESET(at + 1);
        pipe->device = usb;
        pipe->address =
            (uint8_t)((i % 2 == 0 ? USB_ENDPOINT_IN : 0) | (at + 1));
        pipe->attributes = i == 2 ? USB_TRANSFER_INTR : USB_TRANSFER_BULK;
        pipe->max_packet = HOST_SPEED == USB_HIGH ? 512 : 64;
    }
    stress.closing[number] = stress.closed[number] = false;
    HOST_ADDRESS(usb);
    HOST_ENDPOINTS_OPEN(usb);
    CHECK(HOST_IS_OPEN(usb));
}

static void stress_close(unsigned number)
{
    stress.closing[number] = true;
    stress.devices[number].state = USB_CLOSE;
    HOST_CLOSE(&stress.devices[number]);
}

static bool stress_has_gone(unsigned number)
{
    const struct usb_device *usb = &stress.devices[number];
    bool gone = usb->control.host == NULL;

    for (unsigned i = 0; i < STRESS_ENDPOINTS; i++)
        gone = gone && usb->interfaces[0].endpoints[i].host == NULL;
    return gone;
}

static void stress_plug(void)
{
    if (!stress.closing[1]) {
        if (!stress_chance(200))
            stress_close(1);
    } else if (!stress.closed[1]) {
        stress.closed[1] = stress_has_gone(1);
        stress.progress_ms = stress.now_ms;
    } else if (!stress_chance(20)) {
        stress_open(1);
    }
}

static void stress_begin(uint32_t seed)
{
    memset(&stress, 0, sizeof stress);
    stress.seed = seed * 7919 + 5;
    model.answer = stress_answer;
    stress_open(0);
    stress_open(1);
}

static void stress_run(uint32_t seed)
{
    const unsigned failed = check_failed_count;

    stress_begin(seed);
    while ((stress.now_ms < STRESS_MS || !stress_is_idle()) &&
           stress.now_ms - stress.progress_ms < STRESS_STILL_MS &&
           check_failed_count < failed + 20) {
        if (stress.now_ms < STRESS_MS || stress.closing[1])
            stress_plug();
        for (unsigned i = 0; i < 2 * STRESS_ENDPOINTS; i++) {
            if (!stress.closing[i / STRESS_ENDPOINTS])
                stress_drive(&stress.endpoints[i], stress.now_ms < STRESS_MS);
        }
        run_ms(1);
        stress.now_ms++;
    }
    CHECK(stress_is_idle() && stress.ended > 100);
    if (failed != check_failed_count)
        printf("seed %u: at %u ms\n", seed, (unsigned)stress.now_ms);
}

#endif
