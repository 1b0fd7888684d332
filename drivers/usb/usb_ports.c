/* USB ports: what is plugged in and pulled out.
 *
 * Ports belong to hubs; the root ports of a bus are one, too. Whoever sees that
 * something has happened at a port marks it; usb_bus_poll() then looks at it
 * here. With a hub all goes that is plugged into it: those devices are closed
 * like pulled ones, and no longer know where they were. */
#include "drivers/usb/usb_core.h"
#include "core/log.h"
#include "drivers/io.h"
#include <string.h>

#define DEBOUNCE_US 100000 /* USB 2.0 7.1.7.3 */
/* What shows up this soon after the controller's start was in all the time. */
#define START_US 1000000

/* ---- Ways to a port -------------------------------------------------- */

static void port_status(struct usb_hub *hub, unsigned port,
                        struct usb_port_status *status)
{
    memset(status, 0, sizeof *status);
    if (hub->device != NULL) {
        hub->port_status(hub, port, status);
    } else {
        hub->bus->operations->port_status(hub->bus, port, status);
    }
}

void usb_port_begin_reset(const struct usb_device *device)
{
    struct usb_hub *hub = device->hub;

    if (hub == NULL) {
        return; /* it is being closed */
    }
    if (hub->device != NULL) {
        hub->port_reset(hub, device->port);
    } else {
        hub->bus->operations->port_reset(hub->bus, device->port);
    }
    usb_hub_port_changed(hub, device->port);
}

void usb_port_quiet(const struct usb_device *device)
{
    struct usb_hub *hub = device->hub;

    if (hub == NULL) {
        return;
    }
    if (hub->device != NULL) {
        hub->port_disable(hub, device->port);
    } else if (hub->bus->operations->port_disable != NULL) {
        hub->bus->operations->port_disable(hub->bus, device->port);
    }
    usb_hub_port_changed(hub, device->port);
}

void usb_port_clear_translator(const struct usb_endpoint *endpoint)
{
    const struct usb_device *device = endpoint->device;
    uint8_t type =
        endpoint->address == 0 ? 0 : endpoint->attributes & USB_TRANSFER_MASK;
    uint16_t value = (uint16_t)((endpoint->address & 0x0f) |
                                (device->address & 0x7f) << 4 | type << 11);
    struct list *node;

    if (type == USB_TRANSFER_INTR) {
        return; /* is not buffered */
    }
    for (node = device->bus->hubs.next; node != &device->bus->hubs;
         node = node->next) {
        struct usb_hub *hub = LIST_ELEMENT(node, struct usb_hub, link);

        if (hub->device != device->tt) {
            continue;
        }
        if (type == USB_TRANSFER_CONTROL ||
            (endpoint->address & USB_ENDPOINT_IN) != 0) {
            hub->clear_translator(hub, value | 0x8000);
        }
        if ((endpoint->address & USB_ENDPOINT_IN) == 0) {
            hub->clear_translator(hub, value);
        }
    }
}

/* ---- Devices that come and go ---------------------------------------- */

static void device_lost(struct usb_device *device);

/* Everything that is plugged into this hub, and what that has below it. */
static void children_lost(const struct usb_device *hub)
{
    struct usb_device *device;

    for (device = usb_device_next(NULL); device != NULL;
         device = usb_device_next(device)) {
        if (device->hub != NULL && device->hub->device == hub) {
            device_lost(device);
        }
    }
}

static void device_lost(struct usb_device *device)
{
    if (device->state == USB_CLOSE) {
        device->after_close = USB_AFTER_FREE;
        device->gone = true;
        return;
    }
    if (device->gone) {
        return;
    }
    if (device->known) {
        log_info("usb", "%s port %s: removed", device->bus->name, device->path);
    }
    device->gone = true;
    usb_device_close(device, USB_AFTER_FREE);
    if (device->hub_ports != 0) {
        children_lost(device);
    }
}

/* A port whose device fell off by itself (disabled after an error on the wire)
 * counts as pulled and put back. */
static bool device_still_there(const struct usb_device *device,
                               const struct usb_port_status *status)
{
    if (!status->connected || status->connect_changed) {
        return false;
    }
    return status->enabled || status->resetting || device->state <= USB_RESET ||
           device->state >= USB_CLOSE;
}

static struct usb_device *device_at(const struct usb_hub *hub, unsigned port)
{
    struct usb_device *device;

    for (device = usb_device_next(NULL); device != NULL;
         device = usb_device_next(device)) {
        if (device->hub == hub && device->port == port) {
            return device;
        }
    }
    return NULL;
}

static void port_look(struct usb_hub *hub, unsigned port)
{
    struct usb_device *device = device_at(hub, port);
    struct usb_port_status status;
    uint64_t age_us = io_now_us() - hub->started_us;

    port_status(hub, port, &status);
    if (device != NULL) {
        if (!device_still_there(device, &status)) {
            device_lost(device);
        } else {
            usb_enumerate_port(device, &status);
        }
        return;
    }
    if (!status.connected) {
        return;
    }
    device = usb_device_take(hub, port);
    if (device == NULL) {
        log_warn("usb", "%s port %u: too many devices", hub->bus->name, port);
        return;
    }
    usb_enumerate_start(device, age_us < START_US ? 0 : DEBOUNCE_US);
}

/* ---- Hubs ------------------------------------------------------------ */

void usb_hub_add(struct usb_hub *hub)
{
    hub->started_us = io_now_us();
    memset(hub->changed, 0, sizeof hub->changed);
    list_init(&hub->link);
    list_append(&hub->bus->hubs, &hub->link);
}

void usb_hub_drop(struct usb_hub *hub)
{
    struct usb_device *device;

    if (hub->link.next != NULL) {
        list_remove(&hub->link);
    }
    for (device = usb_device_next(NULL); device != NULL;
         device = usb_device_next(device)) {
        if (device->tt == hub->device) {
            device->tt = NULL;
        }
        if (device->hub == hub) {
            device_lost(device);
            device->hub = NULL;
        }
    }
}

void usb_hub_port_changed(struct usb_hub *hub, unsigned port)
{
    if (port >= 1 && port <= hub->ports) {
        hub->changed[port / 32] |= 1U << (port % 32);
    }
}

void usb_port_changed(struct usb_bus *bus, unsigned port)
{
    usb_hub_port_changed(&bus->root, port);
}

static bool hub_poll(struct usb_hub *hub)
{
    bool busy = false;
    unsigned port;

    for (port = 1; port <= hub->ports; port++) {
        uint32_t bit = 1U << (port % 32);

        if ((hub->changed[port / 32] & bit) != 0) {
            hub->changed[port / 32] &= ~bit;
            port_look(hub, port);
            busy = true;
        }
    }
    return busy;
}

/* No hub comes or goes while ports are looked at. */
bool usb_ports_poll(struct usb_bus *bus)
{
    bool busy = false;
    struct list *node;

    for (node = bus->hubs.next; node != &bus->hubs; node = node->next) {
        busy |= hub_poll(LIST_ELEMENT(node, struct usb_hub, link));
    }
    return busy;
}

void usb_ports_prepare(struct usb_bus *bus)
{
    list_init(&bus->hubs);
    memset(&bus->root, 0, sizeof bus->root);
    bus->root.bus = bus;
}

void usb_ports_start(struct usb_bus *bus)
{
    unsigned port;

    list_init(&bus->hubs);
    bus->root.ports = bus->ports;
    usb_hub_add(&bus->root);
    for (port = 1; port <= bus->ports; port++) {
        usb_hub_port_changed(&bus->root, port);
    }
}
