/* USB hubs (USB 2.0 chapter 11, USB 3.2 chapter 10): the class driver, and the
 * hub's ports as the core sees them.
 *
 *   attach -> SET_HUB_DEPTH (USB 3 only) -> power to all ports -> settling
 *   -> service
 *
 * In service one request is under way at a time. What is to be done is noted at
 * the ports, by the core (reset, disable) or by the status change endpoint
 * (look), and is taken from there one by one; only when nothing is left is that
 * endpoint asked again, so a hub that reports without end cannot flood us. The
 * status read last is what the core gets to see.
 *
 * A hub that does not do what it is asked loses all its devices, is reset and
 * started anew; after a few times it is left alone.
 * Not supported: several translators, port indicators, over-current beyond a
 * line in the log. */
#include "drivers/usb/hub.h"
#include "core/log.h"
#include <string.h>

#define HUBS      12
#define DMA_BYTES 64

/* Port status (USB 2.0 11.24.2.7.1). */
#define STATUS_CONNECTION 0x0001
#define STATUS_ENABLE     0x0002
#define STATUS_LOW        0x0200
#define STATUS_HIGH       0x0400

static struct {
    struct hub hubs[HUBS];
} state;

/* ---- As the core sees it --------------------------------------------- */

static void hub_port_status(struct usb_hub *ports, unsigned number,
                            struct usb_port_status *status)
{
    struct hub *hub = (struct hub *)ports;
    struct hub_port *port = &hub->port[number];

    status->connected = (port->status & STATUS_CONNECTION) != 0;
    status->connect_changed = port->connect_changed;
    status->enabled = (port->status & STATUS_ENABLE) != 0;
    status->resetting = port->resetting;
    status->speed = USB_FULL;
    if (hub_is_super(hub)) {
        status->speed = USB_SUPER;
    } else if ((port->status & STATUS_LOW) != 0) {
        status->speed = USB_LOW;
    } else if ((port->status & STATUS_HIGH) != 0 &&
               ports->device->speed == USB_HIGH) {
        status->speed = USB_HIGH;
    }
    port->connect_changed = false;
}

static void hub_port_reset(struct usb_hub *ports, unsigned number)
{
    struct hub *hub = (struct hub *)ports;

    hub->port[number].reset = true;
    hub->port[number].disable = false;
    hub->port[number].resetting = true;
    hub_due_in(hub, 0);
}

/* Of USB 2 hubs only: others have no such feature (USB 3.2 10.16.2.2). */
static void hub_port_disable(struct usb_hub *ports, unsigned number)
{
    struct hub *hub = (struct hub *)ports;

    if (!hub_is_super(hub)) {
        hub->port[number].disable = true;
        hub_due_in(hub, 0);
    }
}

static void hub_clear_translator(struct usb_hub *ports, uint16_t value)
{
    struct hub *hub = (struct hub *)ports;

    if (hub->tt_count < HUB_TT_CLEARS) {
        hub->tt_clears[hub->tt_count] = value;
        hub->tt_count++;
        hub_due_in(hub, 0);
    }
}

/* ---- The driver ------------------------------------------------------ */

static bool hub_match(const struct usb_interface *interface)
{
    return interface->class == USB_CLASS_HUB;
}

static void start(struct hub *hub)
{
    memset(hub->port, 0, sizeof hub->port);
    hub->asking = hub->listening = hub->look = false;
    hub->hub_changes = 0;
    hub->tt_count = 0;
    hub->errors = 0;
    hub->at = 0;
    hub->state = hub_is_super(hub) ? HUB_DEPTH : HUB_POWER;
    hub->due_us = UINT64_MAX;
    hub_work(hub);
}

struct hub *hub_of_endpoint(const struct usb_endpoint *endpoint)
{
    unsigned i;

    for (i = 0; i < HUBS; i++) {
        if (state.hubs[i].state != HUB_FREE &&
            state.hubs[i].endpoint == endpoint) {
            return &state.hubs[i];
        }
    }
    return NULL;
}

static struct usb_endpoint *find_endpoint(struct usb_interface *interface)
{
    unsigned i;

    for (i = 0; i < interface->endpoint_count; i++) {
        struct usb_endpoint *endpoint = &interface->endpoints[i];

        if ((endpoint->attributes & USB_TRANSFER_MASK) == USB_TRANSFER_INTR &&
            (endpoint->address & USB_ENDPOINT_IN) != 0) {
            return endpoint;
        }
    }
    return NULL;
}

static struct hub *take_free(void)
{
    unsigned i;

    for (i = 0; i < HUBS; i++) {
        struct hub *hub = &state.hubs[i];
        uint8_t *memory = hub->bitmap;

        if (hub->state != HUB_FREE) {
            continue;
        }
        if (memory == NULL) {
            memory = io_dma_take(DMA_BYTES, 64, 64);
        }
        if (memory == NULL) {
            return NULL;
        }
        memset(hub, 0, sizeof *hub);
        hub->bitmap = memory;
        hub->answer = memory + HUB_BITMAP_BYTES;
        return hub;
    }
    return NULL;
}

static enum err hub_attach(struct usb_interface *interface)
{
    struct usb_device *device = interface->device;
    struct usb_endpoint *endpoint = find_endpoint(interface);
    struct hub *hub;

    if (endpoint == NULL || device->hub_ports == 0) {
        return ERR_UNSUPPORTED;
    }
    if (device->depth >= USB_DEPTH) {
        log_warn("hub", "%s port %s: too many hubs in a row", device->bus->name,
                 device->path);
        return ERR_UNSUPPORTED;
    }
    hub = take_free();
    if (hub == NULL) {
        return ERR_FULL;
    }
    hub->ports.bus = device->bus;
    hub->ports.device = device;
    hub->ports.ports = device->hub_ports;
    hub->ports.port_status = hub_port_status;
    hub->ports.port_reset = hub_port_reset;
    hub->ports.port_disable = hub_port_disable;
    hub->ports.clear_translator = hub_clear_translator;
    hub->endpoint = endpoint;
    interface->driver_data = hub;
    start(hub);
    return OK;
}

static void hub_detach(struct usb_interface *interface)
{
    struct hub *hub = interface->driver_data;

    usb_hub_drop(&hub->ports);
    hub->state = HUB_FREE;
}

static void hub_reset_done(struct usb_interface *interface)
{
    start(interface->driver_data);
}

static uint64_t hub_poll(struct usb_interface *interface, uint64_t now_us)
{
    struct hub *hub = interface->driver_data;
    unsigned i;

    if (now_us < hub->due_us) {
        return hub->due_us;
    }
    hub->due_us = UINT64_MAX;
    if (hub->state == HUB_SETTLE) {
        hub_begin_service(hub);
        return hub->due_us;
    }
    for (i = 1; hub->state == HUB_SERVICE && i <= hub->ports.ports; i++) {
        hub->port[i].look |= hub->port[i].resetting;
    }
    hub_work(hub);
    return hub->due_us;
}

const struct usb_driver usb_hub_driver = {
    .name = "hub",
    .match = hub_match,
    .attach = hub_attach,
    .detach = hub_detach,
    .reset_done = hub_reset_done,
    .poll = hub_poll,
};
USB_DRIVER(usb_hub_driver);
