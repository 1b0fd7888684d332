/* libFuzzer: hubs and keyboards whose every answer may be changed on the wire.
 *
 * A tree of devices (tests/unit/model_usb.h) is plugged in; what the first
 * bytes of the input say. Each transfer that ends takes a byte then: below 128
 * it is left alone, else its data, length or status is changed, or something is
 * plugged in or pulled. When everything is out in the end, no device is left,
 * and a hub with a keyboard that are plugged in then are served. */
#include "core/machine.h"
#include "core/timer.h"
#include "drivers/console/console.h"
#include "drivers/io.h"
#include "drivers/usb/usb_core.h"
#include "tests/unit/model_usb.h"
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 400000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    uint64_t now_us;
    struct model_usb model;
    const uint8_t *input;
    size_t left;
    unsigned keys;
} state;

/* ---- What lies under the drivers ----------------------------------------- */

void keys_put(int key)
{
    (void)key;
    state.keys++;
}

/* ---- The wire ------------------------------------------------------------ */

static unsigned take(void)
{
    if (state.left == 0)
        return 0;
    state.left--;
    return *state.input++;
}

static bool carries_data_in(const struct usb_transfer *transfer)
{
    uint8_t direction = transfer->endpoint->address == 0
                            ? transfer->setup[0]
                            : transfer->endpoint->address;

    return (direction & USB_ENDPOINT_IN) != 0 && transfer->bytes > 0;
}

static void overwrite(const struct usb_transfer *transfer, unsigned at,
                      unsigned count)
{
    uint8_t *bytes = transfer->buffer;

    for (; carries_data_in(transfer) && count > 0 && at < transfer->bytes &&
           state.left > 0;
         count--)
        bytes[at++] = (uint8_t)take();
}

static void plug(void)
{
    unsigned what = take(), where = take();
    struct model_device *parent = &state.model.devices[where % MODEL_DEVICES];
    struct model_device *made;

    if (!parent->plugged || parent->ports == 0)
        parent = NULL;
    made = model_usb_plug(&state.model, parent, 1 + where / 32 % MODEL_PORTS,
                          (enum usb_speed)(what % 4),
                          what & 4 ? 1 + what / 64 : 0);
    if (made != NULL && made->ports == 0) {
        made->keyboard = true;
        made->reports = what / 8;
    }
}

static void pull(void)
{
    struct model_device *device = &state.model.devices[take() % MODEL_DEVICES];

    if (device->plugged)
        model_usb_pull(&state.model, device);
}

static void spoil(struct usb_transfer *transfer)
{
    const unsigned how = take();

    if (how < 128)
        return;
    switch (how % 8) {
    case 0:
        overwrite(transfer, take(), 1);
        break;
    case 1:
        overwrite(transfer, 0, take());
        break;
    case 2:
        transfer->status = USB_STALL;
        break;
    case 3:
        transfer->status = USB_ERROR;
        break;
    case 4:
        transfer->actual = take() % (transfer->bytes + 1);
        break;
    case 5:
        plug();
        break;
    case 6:
        pull();
        break;
    default:
        transfer->actual = transfer->bytes;
        overwrite(transfer, 0, take());
        break;
    }
}

/* ---- Driving ------------------------------------------------------------- */

static bool poll_all(void)
{
    bool busy = model_usb_poll(&state.model);

    busy |= usb_bus_poll(&state.model.bus);
    return busy;
}

#define BUSY_FOR_EVER() abort()
#include "tests/unit/usb_time.h"

static void prepare(void)
{
    static bool made;

    if (!made) {
        static const struct usb_driver *const wanted[] = {&usb_hub_driver,
                                                          &usb_keyboard_driver};

        if (wanted[0]->attach == NULL || wanted[1]->attach == NULL)
            abort(); /* named: so they are taken out of the archive */
        state.now_us = 5000000;
        timer_module_init();
        made = true;
    } else {
        usb_bus_drop(&state.model.bus);
        timer_stop(&state.model.bus.wake);
    }
    model_usb_init(&state.model);
    state.model.spoil = spoil;
}

static void pull_all(void)
{
    for (unsigned i = 0; i < MODEL_DEVICES; i++) {
        if (state.model.devices[i].plugged)
            model_usb_pull(&state.model, &state.model.devices[i]);
    }
}

/* What the core and the drivers must still be able to do. */
static void still_serves(void)
{
    struct model_device *hub, *leaf;

    state.model.spoil = NULL;
    hub = model_usb_plug(&state.model, NULL, 1, USB_HIGH, 2);
    leaf =
        hub == NULL ? NULL : model_usb_plug(&state.model, hub, 1, USB_LOW, 0);
    if (leaf == NULL)
        abort();
    leaf->keyboard = true;
    run_us(3000000);
    if (leaf->usb == NULL || leaf->usb->state != USB_READY)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    state.input = data;
    state.left = size;
    for (unsigned i = take() % 8; i > 0; i--)
        plug();
    run_us(20000000);
    state.left = 0;
    pull_all();
    run_us(10000000);
    if (usb_device_next(NULL) != NULL)
        abort();
    still_serves();
    return 0;
}
