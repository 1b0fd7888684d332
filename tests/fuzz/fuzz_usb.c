/* libFuzzer: a stick whose every answer may be changed on the wire, from the
 * first descriptor to the last status.
 *
 * Between the USB core and the model of a stick (tests/unit/model_stick.h)
 * stands this: each transfer goes on to the model as a shadow of itself, and
 * when that one ends, the input says what becomes of its data, length and
 * status. Input: one byte for each transfer that ends, below 128: untouched.
 * Whatever happens, every disk request is answered, and when the stick is out,
 * nothing of it is left. */
#include "core/timer.h"
#include "drivers/disk.h"
#include "drivers/io.h"
#include "drivers/machine_parts.h"
#include "drivers/usb/storage.h"
#include "drivers/usb/usb_core.h"
#include "tests/unit/model_stick.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHADOWS   64
#define STEPS_MAX 200000u
#define REQUESTS  6u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct shadow {
    struct usb_transfer transfer; /* must be first */
    struct usb_transfer *original;
};

static struct {
    uint64_t now_us;
    struct model_stick model;
    struct usb_host_operations through, model_operations;
    struct shadow shadows[SHADOWS];
    const uint8_t *input;
    size_t left;
    struct machine_disk_request requests[REQUESTS];
    unsigned pending;
    uint8_t buffer[600 * 512];
} state;

/* ---- What lies under the driver ------------------------------------------ */

/* ---- The wire ------------------------------------------------------------ */

static unsigned take(void)
{
    if (state.left == 0)
        return 0;
    state.left--;
    return *state.input++;
}

static void overwrite(const struct usb_transfer *transfer, uint32_t at,
                      uint32_t count)
{
    uint8_t *bytes = transfer->buffer;

    for (; count > 0 && at < transfer->bytes && state.left > 0; count--)
        bytes[at++] = (uint8_t)take();
}

static bool carries_data_in(const struct usb_transfer *transfer)
{
    const struct usb_endpoint *endpoint = transfer->endpoint;
    uint8_t direction =
        endpoint->address == 0 ? transfer->setup[0] : endpoint->address;

    return (direction & USB_ENDPOINT_IN) != 0 && transfer->bytes > 0;
}

static void spoil_data(struct usb_transfer *transfer, unsigned how)
{
    unsigned at;

    if (!carries_data_in(transfer))
        return;
    switch (how) {
    case 0:
        at = take();
        overwrite(transfer, at, 1);
        break;
    case 1:
        at = take();
        overwrite(transfer, at, take() % 16);
        break;
    case 2:
        overwrite(transfer, 0, take());
        break;
    default:
        transfer->actual = (take() | take() << 8) % (transfer->bytes + 1);
        overwrite(transfer, 0, take());
        break;
    }
}

static void spoil(struct usb_transfer *transfer)
{
    unsigned how = take();

    if (how < 128)
        return;
    switch (how % 11) {
    case 4:
        transfer->status = USB_STALL;
        break;
    case 5:
        transfer->status = USB_ERROR;
        break;
    case 6:
        transfer->actual = take() % (transfer->bytes + 1);
        break;
    case 7:
        state.model.silent = true;
        break;
    case 8:
        state.model.dumb = state.model.silent = true;
        break;
    case 9:
        model_pull(&state.model);
        break;
    case 10:
        state.model.no_medium = !state.model.no_medium;
        break;
    default:
        spoil_data(transfer, how % 11);
        break;
    }
}

static void shadow_done(struct usb_transfer *transfer)
{
    struct shadow *shadow = (struct shadow *)transfer;
    struct usb_transfer *original = shadow->original;

    shadow->original = NULL;
    if (transfer->status != USB_GONE && transfer->status != USB_CANCELLED)
        spoil(transfer);
    usb_transfer_finish(original, transfer->status, transfer->actual);
}

static enum err transfer_through(struct usb_transfer *transfer)
{
    for (unsigned i = 0; i < SHADOWS; i++) {
        struct shadow *shadow = &state.shadows[i];

        if (shadow->original != NULL)
            continue;
        shadow->original = transfer;
        shadow->transfer = *transfer;
        shadow->transfer.done = shadow_done;
        return state.model_operations.transfer(&shadow->transfer);
    }
    return ERR_BUSY;
}

/* ---- Driving ------------------------------------------------------------- */

static bool poll_all(void)
{
    bool busy = model_poll(&state.model);

    busy |= usb_bus_poll(&state.model.bus);
    busy |= disk_poll();
    return busy;
}

#define BUSY_FOR_EVER() abort()
#include "tests/unit/usb_time.h"

static bool attached(void)
{
    struct machine_disk_info info;

    machine_disk_info(0, &info);
    return info.present;
}

static void done(struct machine_disk_request *request)
{
    if (request->result == ERR_BUSY)
        abort();
    state.pending--;
}

static void use_disk(void)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        struct machine_disk_request *request = &state.requests[i];

        memset(request, 0, sizeof *request);
        request->operation = i % 3 == 0   ? MACHINE_DISK_READ
                             : i % 3 == 1 ? MACHINE_DISK_WRITE
                                          : MACHINE_DISK_FLUSH;
        request->sector = i * 100;
        request->sectors = i % 3 == 2 ? 0 : i % 2 == 0 ? 8 : 500;
        request->buffer = state.buffer;
        request->done = done;
        request->result = ERR_BUSY;
        state.pending++;
        machine_disk_submit(request);
    }
}

static void prepare(void)
{
    static bool made;

    if (!made) {
        static const struct usb_driver *const wanted = &usb_storage_driver;

        if (wanted->attach == NULL) /* takes it out of the archive */
            abort();
        state.now_us = 5000000;
        timer_module_init();
        made = true;
    } else {
        timer_stop(&state.model.bus.wake);
    }
    model_init(&state.model);
    state.model_operations = *state.model.bus.operations;
    state.through = state.model_operations;
    state.through.transfer = transfer_through;
    state.model.bus.operations = &state.through;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    state.input = data;
    state.left = size;
    state.model.low_packet = take() & 1;
    model_plug(&state.model);
    run_us(3000000);
    use_disk();
    run_us(600000000);
    if (state.pending != 0)
        abort();
    model_pull(&state.model);
    run_us(20000000);
    if (attached())
        abort();
    for (unsigned i = 0; i < SHADOWS; i++) {
        if (state.shadows[i].original != NULL)
            abort();
    }
    return 0;
}
