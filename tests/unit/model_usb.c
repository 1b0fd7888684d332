/* See model_usb.h. Sources: USB 2.0 chapters 9 and 11, USB 3.2 chapter 10. */
#include "tests/unit/model_usb.h"
#include "core/bytes.h"
#include <string.h>

#define STATUS_CONNECTION 0x0001
#define STATUS_ENABLE     0x0002
#define STATUS_POWER      0x0100
#define STATUS_POWER_3    0x0200
#define STATUS_LOW        0x0200
#define STATUS_HIGH       0x0400
#define CHANGE_CONNECTION 0x0001
#define CHANGE_RESET      0x0010

/* ---- Wiring ---------------------------------------------------------- */

static bool has_power(const struct model_device *device)
{
    const struct model_device *hub = device->parent;

    if (hub == NULL) {
        return true;
    }
    return (hub->status[device->port] &
            (hub->speed == USB_SUPER ? STATUS_POWER_3 : STATUS_POWER)) != 0;
}

static struct model_device *
at_port(struct model_usb *model, const struct model_device *hub, unsigned port)
{
    unsigned i;

    for (i = 0; i < MODEL_DEVICES; i++) {
        struct model_device *device = &model->devices[i];

        if (device->plugged && device->parent == hub && device->port == port) {
            return device;
        }
    }
    return NULL;
}

static void forget(struct model_device *device)
{
    device->enabled = false;
    device->address = 0;
    device->configured = 0;
    memset(device->status, 0, sizeof device->status);
    memset(device->change, 0, sizeof device->change);
}

/* A connection is seen only where there is power. */
static void show(const struct model_device *device)
{
    struct model_device *hub = device->parent;

    if (hub == NULL || !has_power(device)) {
        return;
    }
    hub->status[device->port] |= STATUS_CONNECTION;
    if (hub->speed != USB_SUPER && device->speed == USB_LOW) {
        hub->status[device->port] |= STATUS_LOW;
    }
    hub->change[device->port] |= CHANGE_CONNECTION;
}

struct model_device *model_usb_plug(struct model_usb *model,
                                    struct model_device *parent, unsigned port,
                                    enum usb_speed speed, unsigned ports)
{
    unsigned i;

    for (i = 0; i < MODEL_DEVICES; i++) {
        struct model_device *device = &model->devices[i];

        if (device->plugged || device->usb != NULL ||
            at_port(model, parent, port) != NULL) {
            continue;
        }
        memset(device, 0, sizeof *device);
        device->plugged = true;
        device->parent = parent;
        device->port = port;
        device->speed = speed;
        device->ports = ports;
        device->depth_told = 0xff;
        if (parent == NULL) {
            model->root[port] = device;
            model->root_changed[port] = true;
            usb_port_changed(&model->bus, port);
        }
        show(device);
        return device;
    }
    return NULL;
}

void model_usb_pull(struct model_usb *model, struct model_device *device)
{
    unsigned i;

    device->plugged = false;
    for (i = 0; i < MODEL_DEVICES; i++) {
        if (model->devices[i].plugged && model->devices[i].parent == device) {
            model_usb_pull(model, &model->devices[i]);
        }
    }
    forget(device);
    if (device->parent != NULL) {
        struct model_device *hub = device->parent;

        hub->status[device->port] &= STATUS_POWER | STATUS_POWER_3;
        if (hub->speed != USB_SUPER) {
            hub->status[device->port] &= STATUS_POWER;
        }
        hub->change[device->port] |= CHANGE_CONNECTION;
    } else if (model->root[device->port] == device) {
        model->root[device->port] = NULL;
        model->root_changed[device->port] = true;
        usb_port_changed(&model->bus, device->port);
    }
}

/* After a reset it answers at address 0, and everything below it lost power. */
static void reset_device(struct model_usb *model, struct model_device *device)
{
    unsigned i;

    forget(device);
    device->enabled = true;
    for (i = 0; i < MODEL_DEVICES; i++) {
        if (model->devices[i].plugged && model->devices[i].parent == device) {
            forget(&model->devices[i]);
        }
    }
    for (i = 0; i < MODEL_DEVICES; i++) {
        const struct model_device *other = &model->devices[i];

        if (other != device && other->plugged && other->enabled &&
            other->address == 0) {
            model->violations++;
        }
    }
}

/* ---- Host side ------------------------------------------------------- */

static void port_status(struct usb_bus *bus, unsigned port,
                        struct usb_port_status *status)
{
    struct model_usb *model = bus->host;
    const struct model_device *device = model->root[port];

    status->connected = device != NULL;
    status->connect_changed = model->root_changed[port];
    status->enabled = device != NULL && device->enabled;
    status->speed = device != NULL ? device->speed : USB_FULL;
    model->root_changed[port] = false;
}

static void port_reset(struct usb_bus *bus, unsigned port)
{
    struct model_usb *model = bus->host;

    if (model->root[port] != NULL) {
        reset_device(model, model->root[port]);
    }
    usb_port_changed(bus, port);
}

static void port_disable(struct usb_bus *bus, unsigned port)
{
    struct model_usb *model = bus->host;

    model->port_disables++;
    if (model->root[port] != NULL) {
        model->root[port]->enabled = false;
    }
}

static struct model_device *find(struct model_usb *model, uint8_t address)
{
    unsigned i;

    for (i = 0; i < MODEL_DEVICES; i++) {
        struct model_device *device = &model->devices[i];

        if (device->plugged && device->enabled && device->address == address) {
            return device;
        }
    }
    return NULL;
}

static void device_address(struct usb_device *usb)
{
    struct model_usb *model = usb->bus->host;

    usb->host = find(model, 0);
    if (usb->host != NULL) {
        ((struct model_device *)usb->host)->usb = usb;
    }
    usb_operation_over(usb, usb->host != NULL ? OK : ERR_IO);
}

static void operate(struct usb_device *usb)
{
    usb_operation_over(usb, OK);
}

static void end_of(struct model_usb *model, const struct usb_device *usb,
                   const struct usb_endpoint *endpoint, enum usb_status status)
{
    unsigned i = 0;

    while (i < model->queued) {
        struct usb_transfer *transfer = model->queue[i];

        if (transfer->endpoint->device != usb ||
            (endpoint != NULL && transfer->endpoint != endpoint)) {
            i++;
            continue;
        }
        model->queue[i] = model->queue[--model->queued];
        usb_transfer_finish(transfer, status, 0);
        i = 0;
    }
}

static void device_close(struct usb_device *usb)
{
    struct model_device *device = usb->host;

    if (device != NULL) {
        device->usb = NULL;
    }
    end_of(usb->bus->host, usb, NULL, USB_GONE);
    usb->host = NULL;
    usb_operation_over(usb, OK);
}

static enum err transfer_start(struct usb_transfer *transfer)
{
    struct model_usb *model = transfer->endpoint->device->bus->host;

    if (transfer->endpoint->device->host == NULL) {
        return ERR_GONE;
    }
    if (model->queued == MODEL_QUEUE) {
        return ERR_BUSY;
    }
    model->queue[model->queued++] = transfer;
    return OK;
}

static void endpoint_reset(struct usb_endpoint *endpoint)
{
    ((struct model_usb *)endpoint->device->bus->host)->resetting = endpoint;
}

static const struct usb_host_operations operations = {
    .port_status = port_status,
    .port_reset = port_reset,
    .port_disable = port_disable,
    .device_address = device_address,
    .control_update = operate,
    .endpoints_open = operate,
    .device_close = device_close,
    .transfer = transfer_start,
    .endpoint_reset = endpoint_reset,
};

/* ---- Device side ----------------------------------------------------- */

static uint32_t reply(struct usb_transfer *transfer, const uint8_t *bytes,
                      uint32_t count)
{
    if (count > transfer->bytes) {
        count = transfer->bytes;
    }
    memcpy(transfer->buffer, bytes, count);
    return count;
}

static uint32_t get_descriptor(const struct model_device *device,
                               struct usb_transfer *transfer)
{
    bool super = device->speed == USB_SUPER, hub = device->ports != 0;
    const uint8_t whole[] = {
        18,          1,    0,    2,
        hub ? 9 : 0, 0,    0,    super ? 9 : device->speed == USB_LOW ? 8 : 64,
        0x34,        0x12, 0x78, 0x56,
        0,           1,    0,    0,
        0,           1};
    const uint8_t class = hub ? 9 : device->keyboard ? 3 : MODEL_LEAF;
    const uint8_t boot = device->keyboard ? 1 : 0;
    const uint8_t config[] = {9, 2, 25,   0, 1, 1,     0,    0x80, 50,
                              9, 4, 0,    0, 1, class, boot, boot, 0,
                              7, 5, 0x81, 3, 8, 0,     8};
    const uint8_t ports[] = {super ? 12 : 9,
                             super ? USB_DT_SS_HUB : USB_DT_HUB,
                             (uint8_t)device->ports,
                             0x20,
                             0,
                             10,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0};

    switch (transfer->setup[3]) {
    case USB_DT_DEVICE:
        return reply(transfer, whole, sizeof whole);
    case USB_DT_CONFIG:
        return reply(transfer, config, sizeof config);
    default:
        return reply(transfer, ports, ports[0]);
    }
}

static void set_port_feature(struct model_usb *model, struct model_device *hub,
                             unsigned port, unsigned feature)
{
    struct model_device *device = at_port(model, hub, port);

    if (feature == 8) {
        hub->status[port] |=
            hub->speed == USB_SUPER ? STATUS_POWER_3 : STATUS_POWER;
        if (device != NULL) {
            show(device);
        }
    } else if ((feature == 4 || feature == 28) && device != NULL &&
               has_power(device)) {
        reset_device(model, device);
        hub->status[port] |= STATUS_ENABLE;
        if (device->speed == USB_HIGH && hub->speed == USB_HIGH) {
            hub->status[port] |= STATUS_HIGH;
        }
        hub->change[port] |= CHANGE_RESET;
    }
}

static void clear_port_feature(struct model_usb *model,
                               struct model_device *hub, unsigned port,
                               unsigned feature)
{
    struct model_device *device = at_port(model, hub, port);

    if (feature == 1) {
        model->violations += hub->speed == USB_SUPER;
        model->port_disables++;
        hub->status[port] &= (uint16_t)~STATUS_ENABLE;
        if (device != NULL) {
            device->enabled = false;
        }
    } else if (feature >= 16 && feature < 32) {
        hub->change[port] &= (uint16_t) ~(1U << (feature - 16));
    }
}

/* Requests of hubs; returns false for a stall. */
static bool hub_request(struct model_usb *model, struct model_device *hub,
                        struct usb_transfer *transfer, uint32_t *actual)
{
    const uint8_t *setup = transfer->setup;
    unsigned value = get_le16(setup + 2), port = get_le16(setup + 4);
    uint8_t answer[4] = {0};

    if (hub->stalls) {
        return false;
    }
    if (setup[1] == 12) {
        hub->depth_told = (uint8_t)value;
        return hub->speed == USB_SUPER;
    }
    if (setup[1] == 8) {
        hub->tt_clears++;
        return hub->speed == USB_HIGH;
    }
    if ((setup[0] & 0x1f) == 3 && (port == 0 || port > hub->ports)) {
        return false;
    }
    if (setup[1] == 0) {
        if ((setup[0] & 0x1f) == 3) {
            put_le16(answer, hub->status[port]);
            put_le16(answer + 2, hub->change[port]);
        }
        *actual = reply(transfer, answer, 4);
    } else if ((setup[0] & 0x1f) == 3 && setup[1] == 3) {
        set_port_feature(model, hub, port, value);
    } else if ((setup[0] & 0x1f) == 3 && setup[1] == 1) {
        clear_port_feature(model, hub, port, value);
    }
    return true;
}

static void control(struct model_usb *model, struct model_device *device,
                    struct usb_transfer *transfer)
{
    const uint8_t *setup = transfer->setup;
    enum usb_status status = USB_OK;
    uint32_t actual = 0;

    if ((setup[0] & 0x60) == USB_REQUEST_CLASS && setup[1] != 6) {
        if (!device->keyboard &&
            (device->ports == 0 ||
             !hub_request(model, device, transfer, &actual))) {
            status = USB_STALL;
        }
    } else if (setup[1] == USB_SET_ADDRESS) {
        if (device->deaf_at_address) {
            status = USB_ERROR;
        } else {
            device->address = setup[2];
        }
    } else if (setup[1] == USB_GET_DESCRIPTOR && setup[3] != USB_DT_STRING) {
        actual = get_descriptor(device, transfer);
    } else if (setup[1] == USB_SET_CONFIGURATION) {
        device->configured = setup[2];
    } else if (setup[1] != USB_CLEAR_FEATURE) {
        status = USB_STALL;
    }
    transfer->status = status;
    transfer->actual = actual;
}

/* The status change endpoint: false while there is nothing to say. */
static bool tell_changes(struct model_device *hub,
                         struct usb_transfer *transfer)
{
    uint8_t bits = 0;
    unsigned port;

    if (hub->stalls_once) {
        hub->stalls_once = false;
        transfer->status = USB_STALL;
        transfer->actual = 0;
        return true;
    }
    for (port = 1; port <= hub->ports; port++) {
        bits |= (uint8_t)((hub->change[port] != 0) << port);
    }
    if (bits == 0) {
        return false;
    }
    transfer->status = USB_OK;
    transfer->actual = reply(transfer, &bits, 1);
    return true;
}

/* One transfer, if it ends now. */
static bool carry(struct model_usb *model, struct usb_transfer *transfer)
{
    const struct usb_endpoint *endpoint = transfer->endpoint;
    struct model_device *device = endpoint->device->host;

    if (device == NULL || !device->plugged || !device->enabled ||
        device->address != endpoint->device->address) {
        transfer->status = USB_ERROR;
        transfer->actual = 0;
        return true;
    }
    if (endpoint->address == 0) {
        control(model, device, transfer);
        return true;
    }
    if (device->broken) {
        transfer->status = USB_ERROR;
        transfer->actual = 0;
        return true;
    }
    if (device->reports > 0) {
        device->reports--;
        memset(transfer->buffer, 0, transfer->bytes);
        if (device->reports % 2 != 0) {
            ((uint8_t *)transfer->buffer)[2] = device->key;
        }
        transfer->status = USB_OK;
        transfer->actual = transfer->bytes;
        return true;
    }
    return device->ports != 0 && tell_changes(device, transfer);
}

bool model_usb_poll(struct model_usb *model)
{
    struct usb_endpoint *endpoint = model->resetting;
    unsigned i;

    if (endpoint != NULL) {
        model->resetting = NULL;
        end_of(model, endpoint->device, endpoint, USB_CANCELLED);
        usb_endpoint_reset_done(endpoint, OK);
        return true;
    }
    for (i = 0; i < model->queued; i++) {
        struct usb_transfer *transfer = model->queue[i];

        if (carry(model, transfer)) {
            model->queue[i] = model->queue[--model->queued];
            if (model->spoil != NULL) {
                model->spoil(transfer);
            }
            usb_transfer_finish(transfer, transfer->status, transfer->actual);
            return true;
        }
    }
    return false;
}

void model_usb_init(struct model_usb *model)
{
    memset(model, 0, sizeof *model);
    model->bus.operations = &operations;
    model->bus.host = model;
    model->bus.name = "model";
    model->bus.ports = MODEL_PORTS;
    model->bus.software_address = true;
    usb_bus_prepare(&model->bus);
    usb_bus_add(&model->bus);
}
