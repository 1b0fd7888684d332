/* USB enumeration: from a connected port to a configured device with drivers.
 *
 * One row of the table for each state: what is done on entering it, how long
 * it may last, and what follows then. Everything the device says is checked; a
 * try that fails closes the device and starts again with a port reset, three
 * times in all; then the device is left alone until it is pulled.
 *
 * The same states lead a device back after usb_device_reset(): it must then
 * show the same descriptors and serial number as before, else its drivers lose
 * it. Source: USB 2.0 9.1.2, 9.4; USB 3.2 9.6. */
#include "drivers/usb/usb_core.h"
#include "core/bytes.h"
#include "core/log.h"
#include "drivers/io.h"
#include <string.h>

#define ENUMERATE_TRIES 3
#define CONFIGS_TRIED   4
#define NO_TIMEOUT      0
#define STRING_BYTES    255
#define CONFIG_HEADER   9

struct state_row {
    const char *name;
    void (*enter)(struct usb_device *device);
    /* The time is over: NULL means that this try has failed. */
    void (*expired)(struct usb_device *device);
    uint32_t limit_us;
};

static const struct state_row rows[USB_STATES];

void usb_enumerate_enter(struct usb_device *device, enum usb_state next)
{
    const struct state_row *row = &rows[next];

    log_debug("usb", "%s port %s: %s", device->bus->name, device->path,
              row->name);
    device->state = next;
    device->deadline_us =
        row->limit_us == NO_TIMEOUT ? UINT64_MAX : io_now_us() + row->limit_us;
    if (row->enter != NULL) {
        row->enter(device);
    }
}

void usb_enumerate_fail(struct usb_device *device, const char *reason)
{
    log_warn("usb", "%s port %s: %s failed in state %s", device->bus->name,
             device->path, reason, rows[device->state].name);
    usb_device_close(device, USB_AFTER_RETRY);
}

void usb_enumerate_start(struct usb_device *device, uint64_t debounce_us)
{
    usb_enumerate_enter(device, USB_DEBOUNCE);
    device->deadline_us = io_now_us() + debounce_us;
}

/* ---- Port ------------------------------------------------------------ */

static void go_wait_bus(struct usb_device *device)
{
    usb_enumerate_enter(device, USB_WAIT_BUS);
}

static void try_bus(struct usb_device *device)
{
    if (device->bus->addressing == NULL) {
        device->bus->addressing = device;
        usb_enumerate_enter(device, USB_RESET);
    }
}

static void enter_reset(struct usb_device *device)
{
    usb_port_begin_reset(device);
}

/* Which hub speaks for a device slower than itself (USB 2.0 11.14): the first
 * high speed one on the way up. */
static void find_translator(struct usb_device *device)
{
    struct usb_device *parent = device->hub->device;

    device->tt = NULL;
    if (parent == NULL || device->speed >= USB_HIGH) {
        return;
    }
    if (parent->speed == USB_HIGH) {
        device->tt = parent;
        device->tt_port = device->port;
    } else {
        device->tt = parent->tt;
        device->tt_port = parent->tt_port;
    }
}

void usb_enumerate_port(struct usb_device *device,
                        const struct usb_port_status *status)
{
    if (device->state == USB_RESET && status->enabled && !status->resetting) {
        device->speed = status->speed;
        find_translator(device);
        usb_enumerate_enter(device, USB_RECOVER);
    } else if (device->state == USB_QUIET &&
               (!status->enabled || device->speed == USB_SUPER)) {
        device->deadline_us = 0;
    }
}

static void go_address(struct usb_device *device)
{
    usb_enumerate_enter(device, USB_ADDRESS);
}

/* Packet size of endpoint 0 before the device has told it (USB 2.0 5.5.3). */
static uint16_t first_packet_size(enum usb_speed speed)
{
    if (speed == USB_SUPER) {
        return 512;
    }
    return speed == USB_LOW ? 8 : 64;
}

static void enter_address(struct usb_device *device)
{
    device->control.address = 0;
    device->control.max_packet = first_packet_size(device->speed);
    device->open = true;
    device->operating = true;
    device->bus->operations->device_address(device);
}

/* ---- Descriptors ----------------------------------------------------- */

static void control_arrived(struct usb_device *device, void *context,
                            enum usb_status status, uint32_t actual);

static void ask(struct usb_device *device, const struct usb_setup *setup)
{
    if (usb_control(device, setup, device->buffer, USB_ENUMERATE_TIMEOUT_US,
                    control_arrived, NULL) != OK) {
        usb_enumerate_fail(device, "request");
    }
}

static void ask_descriptor(struct usb_device *device, uint8_t type,
                           uint8_t number, uint16_t language, uint16_t bytes)
{
    const struct usb_setup setup = {USB_REQUEST_IN, USB_GET_DESCRIPTOR,
                                    (uint16_t)(type << 8 | number), language,
                                    bytes};

    memset(device->buffer, 0, bytes);
    ask(device, &setup);
}

static void go_descriptor(struct usb_device *device)
{
    usb_enumerate_enter(device, device->speed >= USB_HIGH ? USB_DESCRIPTOR
                                                          : USB_DESCRIPTOR8);
}

static void enter_descriptor8(struct usb_device *device)
{
    ask_descriptor(device, USB_DT_DEVICE, 0, 0, 8);
}

static void enter_descriptor(struct usb_device *device)
{
    ask_descriptor(device, USB_DT_DEVICE, 0, 0, USB_DEVICE_BYTES);
}

static void enter_config9(struct usb_device *device)
{
    ask_descriptor(device, USB_DT_CONFIG, device->config_index, 0,
                   CONFIG_HEADER);
}

static void enter_config(struct usb_device *device)
{
    uint16_t bytes = get_le16(device->buffer + 2);

    if (bytes > USB_CONFIG_BYTES) {
        bytes = USB_CONFIG_BYTES;
    }
    ask_descriptor(device, USB_DT_CONFIG, device->config_index, 0, bytes);
}

static void enter_language(struct usb_device *device)
{
    ask_descriptor(device, USB_DT_STRING, 0, 0, STRING_BYTES);
}

static void enter_serial(struct usb_device *device)
{
    uint16_t language = get_le16(device->buffer + 2);

    ask_descriptor(device, USB_DT_STRING, device->descriptor[16], language,
                   STRING_BYTES);
}

static void enter_set_address(struct usb_device *device)
{
    struct usb_setup setup = {0, USB_SET_ADDRESS, 0, 0, 0};

    usb_address_take(device);
    setup.value = device->new_address;
    ask(device, &setup);
}

static void addressed(struct usb_device *device)
{
    device->address = device->new_address;
    device->bus->addressing = NULL;
    usb_enumerate_enter(device, USB_SETTLE);
}

static void enter_control_update(struct usb_device *device)
{
    device->operating = true;
    device->bus->operations->control_update(device);
}

/* USB 2.0 9.6.1: low speed 8, full speed 8 to 64. */
static void descriptor8_arrived(struct usb_device *device, uint32_t actual)
{
    uint8_t size = device->buffer[7];

    if (actual < 8 || device->buffer[1] != USB_DT_DEVICE ||
        (size != 8 && (device->speed == USB_LOW ||
                       (size != 16 && size != 32 && size != 64)))) {
        usb_enumerate_fail(device, "device descriptor");
        return;
    }
    if (size == device->control.max_packet) {
        usb_enumerate_enter(device, USB_DESCRIPTOR);
        return;
    }
    device->control.max_packet = size;
    usb_enumerate_enter(device, USB_CONTROL_UPDATE);
}

/* Another device answers at this port after a reset: the drivers lose theirs
 * (no transfer runs), and what is there now is enumerated as new. */
static void other_device(struct usb_device *device)
{
    usb_device_detach_drivers(device);
    usb_enumerate_fail(device, "return of the same device");
}

static void descriptor_arrived(struct usb_device *device, uint32_t actual)
{
    const uint8_t *d = device->buffer;

    if (actual < USB_DEVICE_BYTES || d[0] < USB_DEVICE_BYTES ||
        d[1] != USB_DT_DEVICE || d[17] == 0) {
        usb_enumerate_fail(device, "device descriptor");
        return;
    }
    if (device->known && memcmp(d, device->descriptor, USB_DEVICE_BYTES) != 0) {
        other_device(device);
        return;
    }
    memcpy(device->descriptor, d, USB_DEVICE_BYTES);
    if (!device->known) {
        device->config_index = 0;
    }
    usb_enumerate_enter(device, USB_CONFIG9);
}

static void config9_arrived(struct usb_device *device, uint32_t actual)
{
    const uint8_t *d = device->buffer;

    if (actual < CONFIG_HEADER || d[0] < CONFIG_HEADER ||
        d[1] != USB_DT_CONFIG || get_le16(d + 2) < CONFIG_HEADER) {
        usb_enumerate_fail(device, "configuration descriptor");
        return;
    }
    usb_enumerate_enter(device, USB_CONFIG);
}

static void go_serial(struct usb_device *device)
{
    bool has_serial = device->descriptor[16] != 0;

    usb_enumerate_enter(device, has_serial ? USB_LANGUAGE : USB_SET_CONFIG);
}

static void no_driver(struct usb_device *device)
{
    if (device->config_index + 1 < device->descriptor[17] &&
        device->config_index + 1 < CONFIGS_TRIED) {
        device->config_index++;
        usb_enumerate_enter(device, USB_CONFIG9);
        return;
    }
    log_info("usb", "%s port %s: %04x:%04x has no driver", device->bus->name,
             device->path, (unsigned)get_le16(device->descriptor + 8),
             (unsigned)get_le16(device->descriptor + 10));
    usb_enumerate_enter(device, USB_FAILED);
}

static void config_arrived(struct usb_device *device, uint32_t actual)
{
    const uint8_t *d = device->buffer;

    if (actual < CONFIG_HEADER || d[1] != USB_DT_CONFIG ||
        actual > USB_CONFIG_BYTES) {
        usb_enumerate_fail(device, "configuration descriptor");
        return;
    }
    if (device->known) {
        if (actual != device->config_bytes ||
            memcmp(d, device->config, actual) != 0) {
            other_device(device);
            return;
        }
        go_serial(device);
        return;
    }
    device->config_bytes = (uint16_t)actual;
    memcpy(device->config, d, actual);
    device->interface_count = (uint8_t)usb_config_interfaces(
        device, device->config, actual, device->interfaces, USB_INTERFACES);
    if (device->interface_count == 0) {
        no_driver(device);
        return;
    }
    go_serial(device);
}

static void serial_arrived(struct usb_device *device, uint32_t actual)
{
    char text[USB_SERIAL_BYTES];

    usb_string_ascii(device->buffer, actual, text, sizeof text);
    if (device->known && strcmp(text, device->serial) != 0) {
        other_device(device);
        return;
    }
    memcpy(device->serial, text, sizeof text);
    usb_enumerate_enter(device, USB_SET_CONFIG);
}

/* ---- Configuration --------------------------------------------------- */

static void enter_set_config(struct usb_device *device)
{
    const struct usb_setup setup = {0, USB_SET_CONFIGURATION, device->config[5],
                                    0, 0};

    ask(device, &setup);
}

/* ---- Hubs ------------------------------------------------------------ */

#define HUB_DESCRIPTOR_BYTES    7  /* as far as it is used */
#define HUB_DESCRIPTOR_MOST     39 /* 255 ports */
#define SS_HUB_DESCRIPTOR_BYTES 12

static bool is_hub(const struct usb_device *device)
{
    return device->interfaces[0].class == USB_CLASS_HUB;
}

static void enter_hub_descriptor(struct usb_device *device)
{
    bool super = device->speed == USB_SUPER;
    const struct usb_setup setup = {
        USB_REQUEST_IN | USB_REQUEST_CLASS, USB_GET_DESCRIPTOR,
        (uint16_t)((super ? USB_DT_SS_HUB : USB_DT_HUB) << 8), 0,
        super ? SS_HUB_DESCRIPTOR_BYTES : HUB_DESCRIPTOR_MOST};

    memset(device->buffer, 0, setup.length);
    ask(device, &setup);
}

/* USB 2.0 11.23.2.1, USB 3.2 10.15.2.1. The controller has to know these when
 * it opens the endpoints. */
static void hub_descriptor_arrived(struct usb_device *device, uint32_t actual)
{
    const uint8_t *d = device->buffer;

    if (actual < HUB_DESCRIPTOR_BYTES || d[2] == 0) {
        usb_enumerate_fail(device, "hub descriptor");
        return;
    }
    device->hub_ports = d[2] <= USB_HUB_PORTS ? d[2] : USB_HUB_PORTS;
    device->hub_characteristics = get_le16(d + 3);
    device->hub_power = d[5];
    usb_enumerate_enter(device, USB_OPEN);
}

static void go_open(struct usb_device *device)
{
    usb_enumerate_enter(device, is_hub(device) ? USB_HUB_DESCRIPTOR : USB_OPEN);
}

static void enter_open(struct usb_device *device)
{
    device->operating = true;
    device->bus->operations->endpoints_open(device);
}

static void enter_ready(struct usb_device *device)
{
    bool back = device->known;
    unsigned i;

    device->known = true;
    for (i = 0; i < device->interface_count; i++) {
        struct usb_interface *interface = &device->interfaces[i];

        if (interface->driver == NULL) {
            continue;
        }
        if (back) {
            interface->driver->reset_done(interface);
        } else if (interface->driver->attach(interface) != OK) {
            interface->driver = NULL;
        }
    }
}

/* ---- Ends ------------------------------------------------------------ */

static void enter_close(struct usb_device *device)
{
    device->operating = true;
    if (device->open) {
        device->bus->operations->device_close(device);
    } else {
        device->deadline_us = 0; /* nothing to close: goes on with next poll */
    }
}

static void close_done(struct usb_device *device)
{
    unsigned i, k;

    device->operating = false;
    device->over = false;
    device->open = false;
    device->control_busy = false;
    usb_address_give_back(device);
    device->control_deadline_us = UINT64_MAX;
    device->control.resetting = false;
    for (i = 0; i < device->interface_count; i++) {
        for (k = 0; k < USB_ENDPOINTS; k++) {
            device->interfaces[i].endpoints[k].resetting = false;
        }
    }
    if (device->after_close == USB_AFTER_FREE) {
        usb_device_free(device);
        return;
    }
    device->gone = false;
    device->tries++;
    usb_enumerate_enter(device, USB_QUIET);
}

static void enter_quiet(struct usb_device *device)
{
    usb_port_quiet(device);
}

/* Now another device may be at address 0. */
static void go_again(struct usb_device *device)
{
    if (device->bus->addressing == device) {
        device->bus->addressing = NULL;
    }
    if (device->after_close == USB_AFTER_FAIL ||
        device->tries >= ENUMERATE_TRIES) {
        usb_enumerate_enter(device, USB_FAILED);
        return;
    }
    /* One that was never ready lets others go first. */
    usb_enumerate_enter(device, device->known ? USB_WAIT_BUS : USB_DEBOUNCE);
}

static void enter_failed(struct usb_device *device)
{
    usb_device_detach_drivers(device);
}

/* ---- The table ------------------------------------------------------- */

static const struct state_row rows[USB_STATES] = {
    [USB_FREE] = {"free", NULL, NULL, NO_TIMEOUT},
    [USB_DEBOUNCE] = {"debounce", NULL, go_wait_bus, 100000},
    [USB_WAIT_BUS] = {"wait for bus", try_bus, NULL, NO_TIMEOUT},
    [USB_RESET] = {"reset", enter_reset, NULL, 800000},
    [USB_RECOVER] = {"recover", NULL, go_address, 10000},
    [USB_ADDRESS] = {"address", enter_address, NULL, NO_TIMEOUT},
    [USB_GIVE_ADDRESS] = {"set address", enter_set_address, NULL, NO_TIMEOUT},
    [USB_SETTLE] = {"settle", NULL, go_descriptor, 2000},
    [USB_DESCRIPTOR8] = {"descriptor 8", enter_descriptor8, NULL, NO_TIMEOUT},
    [USB_CONTROL_UPDATE] = {"packet size", enter_control_update, NULL,
                            NO_TIMEOUT},
    [USB_DESCRIPTOR] = {"descriptor", enter_descriptor, NULL, NO_TIMEOUT},
    [USB_CONFIG9] = {"configuration 9", enter_config9, NULL, NO_TIMEOUT},
    [USB_CONFIG] = {"configuration", enter_config, NULL, NO_TIMEOUT},
    [USB_LANGUAGE] = {"language", enter_language, NULL, NO_TIMEOUT},
    [USB_SERIAL] = {"serial number", enter_serial, NULL, NO_TIMEOUT},
    [USB_SET_CONFIG] = {"set configuration", enter_set_config, NULL,
                        NO_TIMEOUT},
    [USB_HUB_DESCRIPTOR] = {"hub descriptor", enter_hub_descriptor, NULL,
                            NO_TIMEOUT},
    [USB_OPEN] = {"open endpoints", enter_open, NULL, NO_TIMEOUT},
    [USB_READY] = {"ready", enter_ready, NULL, NO_TIMEOUT},
    [USB_CLOSE] = {"close", enter_close, close_done, NO_TIMEOUT},
    [USB_QUIET] = {"quiet", enter_quiet, go_again, 100000},
    [USB_FAILED] = {"failed", enter_failed, NULL, NO_TIMEOUT},
};

static void control_arrived(struct usb_device *device, void *context,
                            enum usb_status status, uint32_t actual)
{
    static void (*const arrived[USB_STATES])(struct usb_device *, uint32_t) = {
        [USB_DESCRIPTOR8] = descriptor8_arrived,
        [USB_DESCRIPTOR] = descriptor_arrived,
        [USB_CONFIG9] = config9_arrived,
        [USB_CONFIG] = config_arrived,
        [USB_SERIAL] = serial_arrived,
        [USB_HUB_DESCRIPTOR] = hub_descriptor_arrived,
    };

    (void)context;
    if (status != USB_OK) {
        /* A device may live without strings: it has no serial number then. */
        if (device->state == USB_LANGUAGE || device->state == USB_SERIAL) {
            usb_enumerate_enter(device, USB_SET_CONFIG);
        } else {
            usb_enumerate_fail(device, "request");
        }
    } else if (device->state == USB_LANGUAGE) {
        usb_enumerate_enter(device, actual >= 4 ? USB_SERIAL : USB_SET_CONFIG);
    } else if (device->state == USB_GIVE_ADDRESS) {
        addressed(device);
    } else if (device->state == USB_SET_CONFIG) {
        go_open(device);
    } else if (arrived[device->state] != NULL) {
        arrived[device->state](device, actual);
    }
}

void usb_enumerate_operation_done(struct usb_device *device, enum err result)
{
    if (device->state == USB_CLOSE) {
        close_done(device);
        return;
    }
    if (result != OK) {
        usb_enumerate_fail(device, err_text(result));
        return;
    }
    if (device->state == USB_ADDRESS && device->bus->software_address) {
        usb_enumerate_enter(device, USB_GIVE_ADDRESS);
    } else if (device->state == USB_ADDRESS) {
        device->bus->addressing = NULL;
        usb_enumerate_enter(device, USB_SETTLE);
    } else if (device->state == USB_CONTROL_UPDATE) {
        usb_enumerate_enter(device, USB_DESCRIPTOR);
    } else if (device->state == USB_OPEN) {
        usb_enumerate_enter(device, USB_READY);
    }
}

bool usb_enumerate_poll(struct usb_device *device, uint64_t now_us)
{
    const struct state_row *row = &rows[device->state];

    if (device->state == USB_WAIT_BUS) {
        try_bus(device);
        return device->state != USB_WAIT_BUS;
    }
    if (now_us < device->deadline_us) {
        return false;
    }
    device->deadline_us = UINT64_MAX;
    if (row->expired != NULL) {
        row->expired(device);
    } else {
        usb_enumerate_fail(device, "time limit");
    }
    return true;
}
