/* USB keyboards by the boot protocol (HID 1.11, appendix B.1 and F): eight
 * bytes with the keys that are down now, at each change.
 *
 *   attach -> SET_PROTOCOL -> SET_IDLE -> a transfer is always waiting -> keys
 *
 * Keyboards that refuse the two requests are read all the same: most speak the
 * boot protocol until they are asked for another. The keys of a US layout, as
 * ps2.c has them; a key that is held down is repeated here.
 * Not supported: lights, Ctrl and Alt, other layouts. */
#include "core/log.h"
#include "core/machine.h"
#include "drivers/console/console.h"
#include "drivers/io.h"
#include "drivers/usb/usb.h"
#include <string.h>

#define KEYBOARDS     4u
#define REPORT_BYTES  8u
#define REPORT_KEYS   6u
#define CLASS_HID     3u
#define SUBCLASS_BOOT 1u
#define PROTOCOL_KEYS 1u

#define HID_SET_IDLE     0x0au
#define HID_SET_PROTOCOL 0x0bu
#define PROTOCOL_BOOT    0u

#define SHIFT      0x22u /* modifiers, left and right */
#define NOT_SHIFT  0xddu
#define ROLL_OVER  0x01u /* more keys than can be told */
#define CAPS_LOCK  0x39u
#define LAST_USAGE 0x63u

#define ERRORS_MAX      16u /* one after the other */
#define BUSY_US         10000u
#define REPEAT_FIRST_US 500000u
#define REPEAT_US       33000u
#define NEVER_US        UINT64_MAX

enum keyboard_state {
    KEYS_FREE,
    KEYS_PROTOCOL,
    KEYS_IDLE,
    KEYS_READING,
    KEYS_DEAD, /* left alone until it is pulled */
};

struct keyboard {
    enum keyboard_state state;
    struct usb_interface *interface;
    struct usb_endpoint *endpoint;
    struct usb_transfer transfer;
    uint8_t *report; /* DMA memory */
    uint8_t last[REPORT_BYTES];
    bool caps_lock;
    unsigned errors;
    uint64_t try_us;    /* a request that found the device busy */
    uint64_t repeat_us; /* of the key that is held down */
    uint8_t repeated;   /* its usage, 0: none */
};

static struct keyboard_module {
    struct keyboard keyboards[KEYBOARDS];
} state;

/* What usages 04h to 63h mean (HID Usage Tables 10), plain and with Shift. */
static const struct {
    uint16_t plain, shifted;
} keys[LAST_USAGE + 1] = {
    [0x04] = {'a', 'A'},
    [0x05] = {'b', 'B'},
    [0x06] = {'c', 'C'},
    [0x07] = {'d', 'D'},
    [0x08] = {'e', 'E'},
    [0x09] = {'f', 'F'},
    [0x0a] = {'g', 'G'},
    [0x0b] = {'h', 'H'},
    [0x0c] = {'i', 'I'},
    [0x0d] = {'j', 'J'},
    [0x0e] = {'k', 'K'},
    [0x0f] = {'l', 'L'},
    [0x10] = {'m', 'M'},
    [0x11] = {'n', 'N'},
    [0x12] = {'o', 'O'},
    [0x13] = {'p', 'P'},
    [0x14] = {'q', 'Q'},
    [0x15] = {'r', 'R'},
    [0x16] = {'s', 'S'},
    [0x17] = {'t', 'T'},
    [0x18] = {'u', 'U'},
    [0x19] = {'v', 'V'},
    [0x1a] = {'w', 'W'},
    [0x1b] = {'x', 'X'},
    [0x1c] = {'y', 'Y'},
    [0x1d] = {'z', 'Z'},
    [0x1e] = {'1', '!'},
    [0x1f] = {'2', '@'},
    [0x20] = {'3', '#'},
    [0x21] = {'4', '$'},
    [0x22] = {'5', '%'},
    [0x23] = {'6', '^'},
    [0x24] = {'7', '&'},
    [0x25] = {'8', '*'},
    [0x26] = {'9', '('},
    [0x27] = {'0', ')'},
    [0x28] = {13, 13},
    [0x29] = {27, 27},
    [0x2a] = {8, 8},
    [0x2b] = {9, 9},
    [0x2c] = {' ', ' '},
    [0x2d] = {'-', '_'},
    [0x2e] = {'=', '+'},
    [0x2f] = {'[', '{'},
    [0x30] = {']', '}'},
    [0x31] = {'\\', '|'},
    [0x32] = {'\\', '|'},
    [0x33] = {';', ':'},
    [0x34] = {'\'', '"'},
    [0x35] = {'`', '~'},
    [0x36] = {',', '<'},
    [0x37] = {'.', '>'},
    [0x38] = {'/', '?'},
    [0x3a] = {KEY_F1, KEY_F1},
    [0x3b] = {KEY_F2, KEY_F2},
    [0x3c] = {KEY_F3, KEY_F3},
    [0x3d] = {KEY_F4, KEY_F4},
    [0x3e] = {KEY_F5, KEY_F5},
    [0x3f] = {KEY_F6, KEY_F6},
    [0x40] = {KEY_F7, KEY_F7},
    [0x41] = {KEY_F8, KEY_F8},
    [0x42] = {KEY_F9, KEY_F9},
    [0x43] = {KEY_F10, KEY_F10},
    [0x44] = {KEY_F11, KEY_F11},
    [0x45] = {KEY_F12, KEY_F12},
    [0x49] = {KEY_INSERT, KEY_INSERT},
    [0x4a] = {KEY_HOME, KEY_HOME},
    [0x4b] = {KEY_PAGE_UP, KEY_PAGE_UP},
    [0x4c] = {KEY_DELETE, KEY_DELETE},
    [0x4d] = {KEY_END, KEY_END},
    [0x4e] = {KEY_PAGE_DOWN, KEY_PAGE_DOWN},
    [0x4f] = {KEY_RIGHT, KEY_RIGHT},
    [0x50] = {KEY_LEFT, KEY_LEFT},
    [0x51] = {KEY_DOWN, KEY_DOWN},
    [0x52] = {KEY_UP, KEY_UP},
    [0x54] = {'/', '/'},
    [0x55] = {'*', '*'},
    [0x56] = {'-', '-'},
    [0x57] = {'+', '+'},
    [0x58] = {13, 13},
    [0x59] = {'1', '1'},
    [0x5a] = {'2', '2'},
    [0x5b] = {'3', '3'},
    [0x5c] = {'4', '4'},
    [0x5d] = {'5', '5'},
    [0x5e] = {'6', '6'},
    [0x5f] = {'7', '7'},
    [0x60] = {'8', '8'},
    [0x61] = {'9', '9'},
    [0x62] = {'0', '0'},
    [0x63] = {'.', '.'},
};

/* ---- Keys -----------------------------------------------------------------
 */

static void press(struct keyboard *keyboard, uint8_t usage, uint8_t modifiers)
{
    bool shift = modifiers & SHIFT;
    int key;

    if (usage > LAST_USAGE || (modifiers & NOT_SHIFT))
        return;
    if (keys[usage].plain >= 'a' && keys[usage].plain <= 'z' &&
        keyboard->caps_lock)
        shift = !shift;
    key = shift ? keys[usage].shifted : keys[usage].plain;
    if (key != 0)
        keys_put(key);
}

static bool holds(const uint8_t report[REPORT_BYTES], uint8_t usage)
{
    return memchr(report + 2, usage, REPORT_KEYS) != NULL;
}

static void take_report(struct keyboard *keyboard, uint64_t now_us)
{
    const uint8_t *report = keyboard->report;

    if (report[2] == ROLL_OVER)
        return;
    for (unsigned i = 0; i < REPORT_KEYS; i++) {
        const uint8_t usage = report[2 + i];

        if (usage == 0 || holds(keyboard->last, usage))
            continue;
        if (usage == CAPS_LOCK) {
            keyboard->caps_lock = !keyboard->caps_lock;
            continue;
        }
        press(keyboard, usage, report[0]);
        keyboard->repeated = usage;
        keyboard->repeat_us = now_us + REPEAT_FIRST_US;
    }
    if (!holds(report, keyboard->repeated))
        keyboard->repeated = 0;
    memcpy(keyboard->last, report, REPORT_BYTES);
}

/* ---- Reading --------------------------------------------------------------
 */

static void read_next(struct keyboard *keyboard);

static void give_up(struct keyboard *keyboard, const char *why)
{
    log_warn("keyboard", "not used any more: %s", why);
    keyboard->state = KEYS_DEAD;
}

static struct keyboard *keyboard_of(const struct usb_endpoint *endpoint)
{
    for (unsigned i = 0; i < KEYBOARDS; i++) {
        if (state.keyboards[i].state != KEYS_FREE &&
            state.keyboards[i].endpoint == endpoint)
            return &state.keyboards[i];
    }
    return NULL;
}

static void halt_cleared(struct usb_device *device, void *context,
                         enum usb_status status, uint32_t actual)
{
    struct keyboard *keyboard = context;

    (void)device;
    (void)status;
    (void)actual;
    if (keyboard->state == KEYS_READING)
        read_next(keyboard);
}

static void endpoint_is_reset(struct usb_endpoint *endpoint, enum err result)
{
    struct keyboard *keyboard = keyboard_of(endpoint);
    const struct usb_setup clear = {
        .type = USB_REQUEST_ENDPOINT,
        .request = USB_CLEAR_FEATURE,
        .value = USB_FEATURE_HALT,
        .index = endpoint->address,
    };

    if (keyboard == NULL)
        return;
    if (result != OK ||
        usb_control(endpoint->device, &clear, NULL, USB_CONTROL_TIMEOUT_US,
                    halt_cleared, keyboard) != OK)
        give_up(keyboard, "its endpoint stays halted");
}

static void report_came(struct usb_transfer *transfer)
{
    struct keyboard *keyboard = transfer->context;

    if (keyboard->state != KEYS_READING || transfer->status == USB_GONE)
        return;
    if (transfer->status == USB_OK) {
        keyboard->errors = 0;
        if (transfer->actual == REPORT_BYTES)
            take_report(keyboard, io_now_us());
        read_next(keyboard);
    } else if (++keyboard->errors > ERRORS_MAX) {
        give_up(keyboard, "too many errors");
    } else {
        usb_endpoint_reset(keyboard->endpoint, endpoint_is_reset);
    }
}

static void read_next(struct keyboard *keyboard)
{
    keyboard->transfer.endpoint = keyboard->endpoint;
    keyboard->transfer.buffer = keyboard->report;
    keyboard->transfer.bytes = REPORT_BYTES;
    keyboard->transfer.done = report_came;
    keyboard->transfer.context = keyboard;
    if (usb_transfer_submit(&keyboard->transfer) == ERR_BUSY)
        give_up(keyboard, "no transfer is free");
}

/* ---- Start ----------------------------------------------------------------
 */

static void request_step(struct keyboard *keyboard);

static void request_done(struct usb_device *device, void *context,
                         enum usb_status status, uint32_t actual)
{
    struct keyboard *keyboard = context;

    (void)device;
    (void)actual;
    if (status == USB_GONE ||
        (keyboard->state != KEYS_PROTOCOL && keyboard->state != KEYS_IDLE))
        return;
    if (keyboard->state == KEYS_PROTOCOL) {
        keyboard->state = KEYS_IDLE;
        request_step(keyboard);
        return;
    }
    keyboard->state = KEYS_READING;
    log_info("keyboard", "USB keyboard");
    read_next(keyboard);
}

/* The next of the two requests. */
static void request_step(struct keyboard *keyboard)
{
    const struct usb_setup setup = {
        .type = USB_REQUEST_CLASS | USB_REQUEST_INTERFACE,
        .request =
            keyboard->state == KEYS_PROTOCOL ? HID_SET_PROTOCOL : HID_SET_IDLE,
        .value = keyboard->state == KEYS_PROTOCOL ? PROTOCOL_BOOT : 0,
        .index = keyboard->interface->number,
    };
    enum err err = usb_control(keyboard->interface->device, &setup, NULL,
                               USB_CONTROL_TIMEOUT_US, request_done, keyboard);

    keyboard->try_us = err == ERR_BUSY ? io_now_us() + BUSY_US : NEVER_US;
}

static bool keyboard_match(const struct usb_interface *interface)
{
    return interface->class == CLASS_HID &&
           interface->subclass == SUBCLASS_BOOT &&
           interface->protocol == PROTOCOL_KEYS;
}

static struct usb_endpoint *find_endpoint(struct usb_interface *interface)
{
    for (unsigned i = 0; i < interface->endpoint_count; i++) {
        struct usb_endpoint *endpoint = &interface->endpoints[i];

        if ((endpoint->attributes & USB_TRANSFER_MASK) == USB_TRANSFER_INTR &&
            (endpoint->address & USB_ENDPOINT_IN) &&
            endpoint->max_packet >= REPORT_BYTES)
            return endpoint;
    }
    return NULL;
}

static void start(struct keyboard *keyboard)
{
    memset(keyboard->last, 0, sizeof(keyboard->last));
    keyboard->repeated = 0;
    keyboard->errors = 0;
    keyboard->state = KEYS_PROTOCOL;
    request_step(keyboard);
}

static enum err keyboard_attach(struct usb_interface *interface)
{
    struct usb_endpoint *endpoint = find_endpoint(interface);

    if (endpoint == NULL)
        return ERR_UNSUPPORTED;
    for (unsigned i = 0; i < KEYBOARDS; i++) {
        struct keyboard *keyboard = &state.keyboards[i];
        uint8_t *report = keyboard->report;

        if (keyboard->state != KEYS_FREE)
            continue;
        if (report == NULL)
            report = io_dma_take(REPORT_BYTES, 64, 64);
        if (report == NULL)
            return ERR_MEMORY;
        memset(keyboard, 0, sizeof(*keyboard));
        keyboard->report = report;
        keyboard->interface = interface;
        keyboard->endpoint = endpoint;
        interface->driver_data = keyboard;
        start(keyboard);
        return OK;
    }
    return ERR_FULL;
}

static void keyboard_detach(struct usb_interface *interface)
{
    struct keyboard *keyboard = interface->driver_data;

    keyboard->state = KEYS_FREE;
    log_info("keyboard", "USB keyboard removed");
}

static void keyboard_reset_done(struct usb_interface *interface)
{
    start(interface->driver_data);
}

static uint64_t keyboard_poll(struct usb_interface *interface, uint64_t now_us)
{
    struct keyboard *keyboard = interface->driver_data;

    if (keyboard->state == KEYS_PROTOCOL || keyboard->state == KEYS_IDLE) {
        if (keyboard->try_us <= now_us)
            request_step(keyboard);
        return keyboard->try_us;
    }
    if (keyboard->state != KEYS_READING || keyboard->repeated == 0)
        return NEVER_US;
    if (keyboard->repeat_us <= now_us) {
        press(keyboard, keyboard->repeated, keyboard->last[0]);
        keyboard->repeat_us = now_us + REPEAT_US;
    }
    return keyboard->repeat_us;
}

const struct usb_driver usb_keyboard_driver = {
    .name = "keyboard",
    .match = keyboard_match,
    .attach = keyboard_attach,
    .detach = keyboard_detach,
    .reset_done = keyboard_reset_done,
    .poll = keyboard_poll,
};

USB_DRIVER(usb_keyboard_driver);
