/* USB core: buses, root ports, devices, control transfers.
 *
 * usb_ports.c makes a device where something was plugged in and closes the one
 * that was pulled. Between the two, usb_enumerate.c leads the device to READY.
 *
 * A device that goes: first the controller closes it (no DMA afterwards), then
 * its transfers end with USB_GONE, then its drivers are detached. So no memory
 * of a driver is in a controller's hands when the driver gives it away.
 *
 * Not supported: isochronous transfers, suspend. */
#include "drivers/usb/usb_core.h"
#include "core/bytes.h"
#include "core/check.h"
#include "core/log.h"
#include "drivers/io.h"
#include <stdio.h>
#include <string.h>

static struct {
    bool ready;
    struct usb_device devices[USB_DEVICES];
    uint8_t *buffers;
} state;

extern const struct usb_driver *const __start_tbl_usb_driver[]
    __attribute__((weak));
extern const struct usb_driver *const __stop_tbl_usb_driver[]
    __attribute__((weak));

const struct usb_driver *usb_driver_find(const struct usb_interface *interface)
{
    const struct usb_driver *const *row;

    for (row = __start_tbl_usb_driver; row < __stop_tbl_usb_driver; row++) {
        if ((*row)->match(interface)) {
            return *row;
        }
    }
    return NULL;
}

/* ---- Transfers ------------------------------------------------------- */

enum err usb_transfer_submit(struct usb_transfer *transfer)
{
    struct usb_device *device = transfer->endpoint->device;

    ASSERT(!transfer->endpoint->resetting);
    if (!device->open || device->gone || device->state == USB_CLOSE) {
        return ERR_GONE;
    }
    transfer->actual = 0;
    return device->bus->operations->transfer(transfer);
}

void usb_transfer_finish(struct usb_transfer *transfer, enum usb_status status,
                         uint32_t actual)
{
    transfer->status = status;
    transfer->actual = actual <= transfer->bytes ? actual : transfer->bytes;
    transfer->done(transfer);
}

void usb_endpoint_reset(struct usb_endpoint *endpoint,
                        void (*reset_done)(struct usb_endpoint *endpoint,
                                           enum err result))
{
    struct usb_device *device = endpoint->device;

    ASSERT(!endpoint->resetting);
    endpoint->resetting = true;
    endpoint->reset_done = reset_done;
    if (device->open && !device->gone && device->state != USB_CLOSE) {
        device->bus->operations->endpoint_reset(endpoint);
    }
}

void usb_endpoint_reset_done(struct usb_endpoint *endpoint, enum err result)
{
    struct usb_device *device = endpoint->device;

    endpoint->resetting = false;
    if (device->gone || device->state == USB_CLOSE) {
        return;
    }
    if (device->tt != NULL) {
        usb_port_clear_translator(endpoint);
    }
    endpoint->reset_done(endpoint, result);
}

/* ---- Control transfers ----------------------------------------------- */

static void control_finish(struct usb_device *device, enum usb_status status,
                           uint32_t actual)
{
    usb_control_done *done = device->control_done;

    device->control_busy = false;
    done(device, device->control_context, status, actual);
}

static void control_reset_done(struct usb_endpoint *endpoint, enum err result)
{
    (void)result;
    control_finish(endpoint->device, endpoint->device->control_status, 0);
}

/* Endpoint 0 halts at the host's end upon any error; at the device's end the
 * next SETUP clears it (USB 2.0 8.5.3.4). */
static void control_transfer_done(struct usb_transfer *transfer)
{
    struct usb_device *device = transfer->context;

    device->control_deadline_us = UINT64_MAX;
    if (transfer->status == USB_GONE || device->control.resetting) {
        return;
    }
    if (transfer->status == USB_OK) {
        control_finish(device, USB_OK, transfer->actual);
        return;
    }
    device->control_status = transfer->status;
    usb_endpoint_reset(&device->control, control_reset_done);
}

enum err usb_control(struct usb_device *device, const struct usb_setup *setup,
                     void *buffer, uint32_t timeout_us, usb_control_done *done,
                     void *context)
{
    struct usb_transfer *transfer = &device->control_transfer;
    enum err result;

    if (device->control_busy) {
        return ERR_BUSY;
    }
    transfer->endpoint = &device->control;
    transfer->buffer = buffer;
    transfer->bytes = setup->length;
    transfer->quiet = false;
    transfer->setup[0] = setup->type;
    transfer->setup[1] = setup->request;
    put_le16(transfer->setup + 2, setup->value);
    put_le16(transfer->setup + 4, setup->index);
    put_le16(transfer->setup + 6, setup->length);
    transfer->done = control_transfer_done;
    transfer->context = device;
    result = usb_transfer_submit(transfer);
    if (result != OK) {
        return result;
    }
    device->control_busy = true;
    device->control_done = done;
    device->control_context = context;
    device->control_deadline_us = io_now_us() + timeout_us;
    return OK;
}

static bool control_poll(struct usb_device *device, uint64_t now_us)
{
    if (!device->control_busy || device->control.resetting ||
        now_us < device->control_deadline_us) {
        return false;
    }
    device->control_deadline_us = UINT64_MAX;
    device->control_status = USB_TIMEOUT;
    usb_endpoint_reset(&device->control, control_reset_done);
    return true;
}

/* ---- Devices --------------------------------------------------------- */

static void device_clear(struct usb_device *device)
{
    uint8_t *buffer = device->buffer;

    memset(device, 0, sizeof *device);
    device->buffer = buffer;
    device->control_deadline_us = UINT64_MAX;
    device->deadline_us = UINT64_MAX;
}

static void note_path(struct usb_device *device)
{
    const struct usb_device *parent = device->hub->device;

    if (parent == NULL) {
        (void)snprintf(device->path, sizeof device->path, "%u",
                       (unsigned)device->port);
        device->root_port = device->port;
        return;
    }
    (void)snprintf(device->path, sizeof device->path, "%.15s.%u", parent->path,
                   (unsigned)device->port);
    device->root_port = parent->root_port;
    device->depth = (uint8_t)(parent->depth + 1);
    device->route = parent->route | (uint32_t)device->port << 4 * parent->depth;
}

struct usb_device *usb_device_take(struct usb_hub *hub, unsigned port)
{
    unsigned i;

    for (i = 0; i < USB_DEVICES; i++) {
        struct usb_device *device = &state.devices[i];

        if (device->state != USB_FREE) {
            continue;
        }
        device_clear(device);
        device->bus = hub->bus;
        device->hub = hub;
        device->port = (uint8_t)port;
        device->control.device = device;
        note_path(device);
        return device;
    }
    return NULL;
}

struct usb_device *usb_device_next(const struct usb_device *device)
{
    size_t i = device == NULL ? 0 : (size_t)(device - state.devices) + 1;

    while (i < USB_DEVICES && state.devices[i].state == USB_FREE) {
        i++;
    }
    return i < USB_DEVICES ? &state.devices[i] : NULL;
}

void usb_device_detach_drivers(struct usb_device *device)
{
    unsigned i;

    for (i = 0; i < device->interface_count; i++) {
        struct usb_interface *interface = &device->interfaces[i];
        const struct usb_driver *driver = interface->driver;

        interface->driver = NULL;
        if (device->known && driver != NULL) {
            driver->detach(interface);
        }
    }
    device->interface_count = 0;
    device->known = false;
}

void usb_device_free(struct usb_device *device)
{
    usb_device_detach_drivers(device);
    if (device->bus->addressing == device) {
        device->bus->addressing = NULL;
    }
    device->state = USB_FREE;
    if (device->hub != NULL) { /* the next one may be in already */
        usb_hub_port_changed(device->hub, device->port);
    }
}

/* Addresses 1 to 127; there are more than devices. */
void usb_address_take(struct usb_device *device)
{
    uint32_t *taken = device->bus->addresses;
    uint8_t address = 1;

    while ((taken[address / 32] & 1U << address % 32) != 0) {
        address++;
    }
    taken[address / 32] |= 1U << address % 32;
    device->new_address = address;
}

void usb_address_give_back(struct usb_device *device)
{
    uint8_t address = device->new_address;

    if (address != 0) {
        device->bus->addresses[address / 32] &= ~(1U << address % 32);
    }
    device->address = device->new_address = 0;
}

void usb_device_close(struct usb_device *device, enum usb_after_close after)
{
    device->after_close = after;
    if (device->operating) {
        device->gone = true; /* goes on when that has ended */
        return;
    }
    usb_enumerate_enter(device, USB_CLOSE);
}

void usb_device_reset(struct usb_device *device)
{
    if (device->state != USB_READY || device->gone) {
        return;
    }
    log_warn("usb", "%s port %s: reset", device->bus->name, device->path);
    device->tries = 0;
    usb_device_close(device, USB_AFTER_RETRY);
}

void usb_operation_done(struct usb_device *device, enum err result)
{
    if (!device->operating) {
        return;
    }
    device->operating = false;
    device->over = false;
    if (device->gone && device->state != USB_CLOSE) {
        usb_enumerate_enter(device, USB_CLOSE);
        return;
    }
    usb_enumerate_operation_done(device, result);
}

void usb_operation_over(struct usb_device *device, enum err result)
{
    device->over = true;
    device->over_result = result;
}

/* ---- Buses ----------------------------------------------------------- */

static void wake_expired(struct timer *timer)
{
    (void)timer; /* MT runs again, and polls */
}

static void core_init(void)
{
    unsigned i;

    if (state.ready) {
        return;
    }
    state.ready = true;
    state.buffers = io_dma_take(USB_DEVICES * USB_CONFIG_BYTES, 4096, 0);
    for (i = 0; i < USB_DEVICES && state.buffers != NULL; i++) {
        state.devices[i].buffer = state.buffers + i * USB_CONFIG_BYTES;
    }
}

void usb_bus_prepare(struct usb_bus *bus)
{
    timer_init(&bus->wake, wake_expired);
    usb_ports_prepare(bus);
}

void usb_bus_add(struct usb_bus *bus)
{
    core_init();
    if (state.buffers == NULL) {
        log_err("usb", "%s: no memory", bus->name);
        bus->ports = 0;
    }
    if (bus->ports > USB_ROOT_PORTS - 1) {
        bus->ports = USB_ROOT_PORTS - 1;
    }
    bus->addressing = NULL;
    memset(bus->addresses, 0, sizeof bus->addresses);
    usb_ports_start(bus);
}

void usb_bus_drop(struct usb_bus *bus)
{
    struct usb_device *device;

    /* All are dead before the first one is freed: a hub takes others along. */
    for (device = usb_device_next(NULL); device != NULL;
         device = usb_device_next(device)) {
        if (device->bus == bus) {
            device->gone = true;
            device->open = false;
            device->operating = device->over = false;
            device->state = USB_CLOSE;
        }
    }
    for (device = usb_device_next(NULL); device != NULL;
         device = usb_device_next(device)) {
        if (device->bus == bus) {
            usb_device_free(device);
        }
    }
    bus->addressing = NULL;
}

void usb_bus_wake(struct usb_bus *bus, uint64_t now_us, uint64_t when_us)
{
    uint64_t delay_ms;

    if (when_us == UINT64_MAX) {
        return;
    }
    delay_ms = when_us > now_us ? (when_us - now_us + 999) / 1000 : 1;
    if (!timer_running(&bus->wake) ||
        bus->wake.expires_ms > timer_now_ms() + delay_ms) {
        timer_start(&bus->wake, delay_ms);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Returns when the device must be polled again. */
static uint64_t device_poll(struct usb_device *device, uint64_t now_us,
                            bool *busy)
{
    uint64_t next_us;
    unsigned i;

    if (device->over) {
        *busy = true;
        usb_operation_done(device, device->over_result);
    }
    *busy |= control_poll(device, now_us);
    *busy |= usb_enumerate_poll(device, now_us);
    next_us = earlier(device->deadline_us, device->control_deadline_us);
    for (i = 0; device->state == USB_READY && i < device->interface_count;
         i++) {
        struct usb_interface *interface = &device->interfaces[i];

        if (interface->driver != NULL) {
            next_us =
                earlier(next_us, interface->driver->poll(interface, now_us));
        }
    }
    return next_us;
}

bool usb_bus_poll(struct usb_bus *bus)
{
    uint64_t now_us = io_now_us();
    uint64_t next_us = UINT64_MAX;
    bool busy;
    unsigned i;

    busy = usb_ports_poll(bus);
    for (i = 0; i < USB_DEVICES; i++) {
        struct usb_device *device = &state.devices[i];

        if (device->state != USB_FREE && device->bus == bus) {
            next_us = earlier(next_us, device_poll(device, now_us, &busy));
        }
    }
    usb_bus_wake(bus, now_us, next_us);
    return busy;
}

const struct usb_device *usb_device_at(unsigned index)
{
    for (unsigned i = 0; i < USB_DEVICES; i++) {
        const struct usb_device *device = &state.devices[i];

        if (device->state == USB_READY && index-- == 0) {
            return device;
        }
    }
    return NULL;
}
