/* USB core and hubs against a tree of devices (model_usb.h). The clock is
 * virtual: it moves only when nothing happens, and then to the next running
 * timer, so a wait that nobody set an alarm for never ends. */
#include "tests/unit/check.h"
#include "tests/unit/model_usb.h"
#include "core/machine.h"
#include "core/timer.h"
#include "drivers/console/console.h"
#include "drivers/io.h"
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 200000u

static struct {
    uint64_t now_us;
    struct model_usb model;
    unsigned leaves; /* attached now */
    unsigned keys;   /* that keyboards have given */
    struct usb_device *last;
} state;

/* ---- What lies under the driver --------------------------------------- */

void keys_put(int key)
{
    state.keys += key == 'a';
}

/* ---- A driver of leaves ------------------------------------------------ */

static bool leaf_match(const struct usb_interface *interface)
{
    return interface->class == MODEL_LEAF;
}

static enum err leaf_attach(struct usb_interface *interface)
{
    state.leaves++;
    state.last = interface->device;
    return OK;
}

static void leaf_detach(struct usb_interface *interface)
{
    (void)interface;
    state.leaves--;
}

static uint64_t leaf_poll(struct usb_interface *interface, uint64_t now_us)
{
    (void)interface;
    (void)now_us;
    return UINT64_MAX;
}

static const struct usb_driver leaf_driver = {
    .name = "leaf",
    .match = leaf_match,
    .attach = leaf_attach,
    .detach = leaf_detach,
    .poll = leaf_poll,
};
USB_DRIVER(leaf_driver);

/* ---- Driving ----------------------------------------------------------- */

static bool poll_all(void)
{
    bool busy = model_usb_poll(&state.model);

    busy |= usb_bus_poll(&state.model.bus);
    return busy;
}

#define BUSY_FOR_EVER() CHECK(!"busy for ever")
#include "tests/unit/usb_time.h"

static void begin(void)
{
    static bool made;

    if (!made) {
        made = true;
        state.now_us = 5000000;
        timer_module_init();
        /* Named: so they are taken out of the archive. */
        CHECK(usb_hub_driver.attach != NULL);
        CHECK(usb_keyboard_driver.attach != NULL);
    } else {
        usb_bus_drop(&state.model.bus);
        timer_stop(&state.model.bus.wake);
    }
    CHECK(state.leaves == 0);
    model_usb_init(&state.model);
}

static struct model_device *plug(struct model_device *parent, unsigned port,
                                 enum usb_speed speed, unsigned ports)
{
    return model_usb_plug(&state.model, parent, port, speed, ports);
}

static void settle(void)
{
    run_us(3000000);
    CHECK(state.model.violations == 0);
}

/* ---- Tests --------------------------------------------------------------- */

/* A slow leaf below two hubs: who translates, and the way to it. */
static void test_translator(void)
{
    struct model_device *high, *full;

    begin();
    high = plug(NULL, 2, USB_HIGH, 4);
    full = plug(high, 3, USB_FULL, 4);
    (void)plug(full, 1, USB_LOW, 0);
    settle();
    CHECK(state.leaves == 1);
    CHECK(state.last->tt == high->usb && state.last->tt_port == 3);
    CHECK(state.last->depth == 2 && state.last->root_port == 2);
    CHECK(state.last->route == 0x13);
    CHECK(strcmp(state.last->path, "2.3.1") == 0);
    CHECK(state.last->speed == USB_LOW);
    (void)plug(high, 1, USB_HIGH, 0);
    settle();
    CHECK(state.leaves == 2);
    CHECK(state.last->tt == NULL && state.last->speed == USB_HIGH);
    CHECK(state.last->route == 0x1);
}

/* Hubs in a row: five serve, the sixth is left alone. */
static void test_cascade(void)
{
    struct model_device *hubs[6];
    unsigned i;

    begin();
    hubs[0] = plug(NULL, 1, USB_HIGH, 4);
    for (i = 1; i < 6; i++) {
        hubs[i] = plug(hubs[i - 1], 4, USB_HIGH, 4);
    }
    (void)plug(hubs[4], 2, USB_FULL, 0);
    (void)plug(hubs[5], 2, USB_FULL, 0);
    settle();
    CHECK(state.leaves == 1);
    CHECK(state.last->depth == 5 && state.last->route == 0x24444);
    CHECK(hubs[5]->configured == 1 && hubs[5]->status[2] == 0);
    /* With the second hub go all below it. */
    model_usb_pull(&state.model, hubs[1]);
    settle();
    CHECK(state.leaves == 0);
    for (i = 1; i < 6; i++) {
        CHECK(hubs[i]->usb == NULL);
    }
    CHECK(hubs[0]->usb != NULL);
    /* And others come in their place. */
    (void)plug(hubs[0], 4, USB_FULL, 0);
    settle();
    CHECK(state.leaves == 1 && state.last->depth == 1);
    CHECK(state.last->tt == hubs[0]->usb);
}

static void test_super(void)
{
    struct model_device *outer, *inner;

    begin();
    outer = plug(NULL, 1, USB_SUPER, 4);
    inner = plug(outer, 2, USB_SUPER, 4);
    (void)plug(inner, 3, USB_SUPER, 0);
    settle();
    CHECK(state.leaves == 1 && state.last->speed == USB_SUPER);
    CHECK(outer->depth_told == 0 && inner->depth_told == 1);
    CHECK(state.last->route == 0x32);
}

/* All at once: never two at address 0 (the model watches). */
static void test_many(void)
{
    struct model_device *hubs[3];
    unsigned i, k;

    begin();
    for (i = 0; i < 3; i++) {
        hubs[i] = plug(NULL, i + 1, USB_HIGH, 4);
        for (k = 1; k <= 4; k++) {
            (void)plug(hubs[i], k, USB_FULL, 0);
        }
    }
    settle();
    CHECK(state.leaves == 12);
    for (i = 0; i < 3; i++) {
        model_usb_pull(&state.model, hubs[i]);
    }
    settle();
    CHECK(state.leaves == 0);
}

/* One that never takes an address is silenced; its neighbours come up. */
static void test_deaf(void)
{
    struct model_device *hub, *deaf;

    begin();
    hub = plug(NULL, 1, USB_HIGH, 4);
    deaf = plug(hub, 1, USB_FULL, 0);
    deaf->deaf_at_address = true;
    (void)plug(hub, 2, USB_FULL, 0);
    (void)plug(NULL, 2, USB_HIGH, 0);
    settle();
    CHECK(state.leaves == 2);
    CHECK(!deaf->enabled && state.model.port_disables >= 3);
    CHECK(hub->tt_clears > 0);
    model_usb_pull(&state.model, deaf);
    settle();
    (void)plug(hub, 1, USB_FULL, 0);
    settle();
    CHECK(state.leaves == 3);
}

static void test_failing_hub(void)
{
    struct model_device *hub;

    begin();
    hub = plug(NULL, 1, USB_HIGH, 4);
    (void)plug(hub, 1, USB_FULL, 0);
    settle();
    CHECK(state.leaves == 1);
    /* The status change endpoint stalls, and is cleared. */
    hub->stalls_once = true;
    settle();
    (void)plug(hub, 2, USB_FULL, 0);
    settle();
    CHECK(state.leaves == 2);
    /* Nothing works any more: started anew a few times, then given up. */
    hub->stalls = true;
    (void)plug(hub, 3, USB_FULL, 0);
    settle();
    settle();
    CHECK(state.leaves == 0);
    model_usb_pull(&state.model, hub);
    settle();
    hub = plug(NULL, 1, USB_HIGH, 4);
    (void)plug(hub, 1, USB_FULL, 0);
    settle();
    CHECK(state.leaves == 1);
}

/* Pulled and put back in the same moment, again and again. */
static void test_pulls(void)
{
    struct model_device *hub, *leaf;
    unsigned i;

    begin();
    hub = plug(NULL, 1, USB_HIGH, 4);
    for (i = 0; i < 200; i++) {
        leaf = plug(hub, 1 + i % 4, USB_FULL, 0);
        run_us(i * 3000);
        if (i % 5 == 4) {
            model_usb_pull(&state.model, hub);
            run_us(i % 7 * 1000);
            hub = plug(NULL, 1 + i % 3, USB_HIGH, 4);
        } else if (leaf != NULL) {
            model_usb_pull(&state.model, leaf);
        }
    }
    settle();
    CHECK(state.leaves == 0);
    (void)plug(hub, 1, USB_FULL, 0);
    settle();
    CHECK(state.leaves == 1);
}

/* One that was given up keeps its place until it is pulled, so that nothing
 * happens to the one that came after it. */
static void test_keyboards(void)
{
    struct model_device *broken, *good;

    begin();
    broken = plug(NULL, 1, USB_LOW, 0);
    broken->keyboard = broken->broken = true;
    settle();
    good = plug(NULL, 2, USB_LOW, 0);
    good->keyboard = true;
    good->key = 4; /* A */
    settle();
    good->reports = 4;
    settle();
    CHECK(state.keys == 2);
    model_usb_pull(&state.model, broken);
    settle();
    good->reports = 4;
    settle();
    CHECK(state.keys == 4);
}

int main(void)
{
    test_translator();
    test_cascade();
    test_super();
    test_many();
    test_deaf();
    test_failing_hub();
    test_pulls();
    test_keyboards();
    return check_report();
}
