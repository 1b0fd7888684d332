/* A hub in service: requests to it, and what its status change endpoint says.
 * See hub.c. */
#include "drivers/usb/hub.h"
#include "core/bytes.h"
#include "core/log.h"

/* Requests and features (USB 2.0 11.24, USB 3.2 10.16). */
#define CLEAR_TT_BUFFER     8
#define SET_HUB_DEPTH       12
#define TO_HUB              (USB_REQUEST_CLASS)
#define TO_PORT             (USB_REQUEST_CLASS | 3)
#define C_HUB_LOCAL_POWER   0
#define C_HUB_OVER_CURRENT  1
#define PORT_ENABLE         1
#define PORT_RESET          4
#define PORT_POWER          8
#define C_PORT_CONNECTION   16
#define C_PORT_ENABLE       17
#define C_PORT_SUSPEND      18
#define C_PORT_OVER_CURRENT 19
#define C_PORT_RESET        20
#define C_PORT_LINK_STATE   25
#define C_PORT_CONFIG_ERROR 26
#define BH_PORT_RESET       28
#define C_BH_PORT_RESET     29

/* Port status and changes (11.24.2.7, 10.16.2.6). */
#define STATUS_CONNECTION  0x0001
#define STATUS_ENABLE      0x0002
#define STATUS_RESET       0x0010
#define STATUS_LOW         0x0200
#define STATUS_HIGH        0x0400
#define STATUS_LINK(v)     ((v) >> 5 & 0xf)
#define LINK_INACTIVE      6
#define LINK_COMPLIANCE    10
#define CHANGE_CONNECTION  0x0001
#define CHANGE_OVERCURRENT 0x0008
#define CHANGE_RESET       0x0010
#define CHANGE_BH_RESET    0x0020

#define REQUEST_LIMIT_US 1000000
#define SETTLE_US        100000 /* USB 2.0 7.1.7.3: attach */
#define RESET_LOOK_US    20000  /* hubs tell late that a reset is over */
#define BUSY_US          2000
#define ERRORS_MAX       8 /* in a row */
#define RESTARTS_MAX     3
#define OVER_CURRENTS    8 /* then its power is not switched on any more */

static void listen(struct hub *hub);

/* ---- Requests -------------------------------------------------------- */

static void give_up(struct hub *hub, const char *reason)
{
    log_err("hub", "%s port %s: given up: %s", hub->ports.bus->name,
            hub->ports.device->path, reason);
    hub->state = HUB_DEAD;
    hub->due_us = UINT64_MAX;
    usb_hub_drop(&hub->ports);
}

/* All that is plugged into it has to go: after its reset nothing has power. */
static void restart(struct hub *hub, const char *reason)
{
    if (++hub->restarts > RESTARTS_MAX) {
        give_up(hub, reason);
        return;
    }
    log_warn("hub", "%s port %s: %s: started anew", hub->ports.bus->name,
             hub->ports.device->path, reason);
    hub->state = HUB_RESTART;
    hub->due_us = UINT64_MAX;
    usb_hub_drop(&hub->ports);
    usb_device_reset(hub->ports.device);
}

static void ask(struct hub *hub, uint8_t type, uint8_t request, uint16_t value,
                uint16_t index, usb_control_done *done)
{
    bool in = (type & USB_REQUEST_IN) != 0;
    const struct usb_setup setup = {type, request, value, index, in ? 4U : 0U};
    enum err result =
        usb_control(hub->ports.device, &setup, in ? hub->answer : NULL,
                    REQUEST_LIMIT_US, done, hub);

    hub->asking = result == OK;
    if (result == ERR_BUSY) {
        hub_due_in(hub, BUSY_US);
    }
}

static bool request_failed(struct hub *hub, enum usb_status status)
{
    hub->asking = false;
    if (status == USB_OK) {
        hub->errors = 0;
        return false;
    }
    if (++hub->errors >= ERRORS_MAX) {
        restart(hub, "requests fail");
    } else {
        hub_due_in(hub, BUSY_US);
    }
    return true;
}

/* Of a request that needs no more than to be carried out. */
static void request_done(struct usb_device *device, void *context,
                         enum usb_status status, uint32_t actual)
{
    struct hub *hub = context;

    (void)device;
    (void)actual;
    if (hub->state >= HUB_DEPTH && hub->state <= HUB_SERVICE) {
        if (!request_failed(hub, status)) {
            hub_work(hub);
        }
    }
}

static void port_feature(struct hub *hub, uint8_t request, uint16_t feature)
{
    ask(hub, TO_PORT, request, feature, (uint16_t)hub->at, request_done);
}

/* ---- Looking --------------------------------------------------------- */

static void take_port_status(struct hub *hub, uint16_t status, uint16_t changes)
{
    struct hub_port *port = &hub->port[hub->at];

    port->status = status;
    port->changes |= changes;
    if ((changes & CHANGE_CONNECTION) != 0) {
        port->connect_changed = true;
    }
    if ((changes & CHANGE_OVERCURRENT) != 0 && !hub_is_super(hub) &&
        port->over_currents < OVER_CURRENTS) {
        port->over_currents++;
        log_warn("hub", "%s port %s.%u: over-current", hub->ports.bus->name,
                 hub->ports.device->path, hub->at);
        port->power = true;
    }
    if (port->resetting && !port->reset && (status & STATUS_RESET) == 0) {
        if ((changes & (CHANGE_RESET | CHANGE_BH_RESET)) != 0 ||
            (status & STATUS_ENABLE) != 0 ||
            (status & STATUS_CONNECTION) == 0) {
            port->resetting = false;
        }
    }
    if (port->resetting) {
        hub_due_in(hub, RESET_LOOK_US);
    }
    usb_hub_port_changed(&hub->ports, hub->at);
}

static void port_status_arrived(struct usb_device *device, void *context,
                                enum usb_status status, uint32_t actual)
{
    struct hub *hub = context;

    (void)device;
    if (hub->state != HUB_SERVICE || request_failed(hub, status)) {
        return;
    }
    hub->port[hub->at].look = false;
    if (actual == 4) {
        take_port_status(hub, get_le16(hub->answer), get_le16(hub->answer + 2));
    }
    hub_work(hub);
}

static void hub_status_arrived(struct usb_device *device, void *context,
                               enum usb_status status, uint32_t actual)
{
    struct hub *hub = context;

    (void)device;
    if (hub->state != HUB_SERVICE || request_failed(hub, status)) {
        return;
    }
    hub->look = false;
    if (actual == 4) {
        hub->hub_changes = hub->answer[2] & 3;
    }
    hub_work(hub);
}

/* ---- Service --------------------------------------------------------- */

static void clear_change(struct hub *hub, struct hub_port *port)
{
    static const uint8_t plain[8] = {C_PORT_CONNECTION, C_PORT_ENABLE,
                                     C_PORT_SUSPEND, C_PORT_OVER_CURRENT,
                                     C_PORT_RESET};
    static const uint8_t super[8] = {C_PORT_CONNECTION,
                                     0,
                                     0,
                                     C_PORT_OVER_CURRENT,
                                     C_PORT_RESET,
                                     C_BH_PORT_RESET,
                                     C_PORT_LINK_STATE,
                                     C_PORT_CONFIG_ERROR};
    const uint8_t *features = hub_is_super(hub) ? super : plain;
    unsigned bit;

    for (bit = 0; bit < 8; bit++) {
        if ((port->changes & 1U << bit) == 0) {
            continue;
        }
        port->changes &= (uint16_t) ~(1U << bit);
        if (features[bit] != 0) {
            port_feature(hub, USB_CLEAR_FEATURE, features[bit]);
            return;
        }
    }
    port->changes = 0;
}

/* From these two states only a warm reset leads out (USB 3.2 10.14.2.6). */
static void begin_reset(struct hub *hub, struct hub_port *port)
{
    unsigned link = STATUS_LINK(port->status);
    bool warm =
        hub_is_super(hub) && (link == LINK_INACTIVE || link == LINK_COMPLIANCE);

    port->reset = false;
    port_feature(hub, USB_SET_FEATURE, warm ? BH_PORT_RESET : PORT_RESET);
    hub_due_in(hub, RESET_LOOK_US);
}

/* One thing at this port, if there is any. */
static bool port_work(struct hub *hub, struct hub_port *port)
{
    if (port->changes != 0) {
        clear_change(hub, port);
    } else if (port->disable) {
        port->disable = false;
        port->look = true;
        port_feature(hub, USB_CLEAR_FEATURE, PORT_ENABLE);
    } else if (port->power) {
        port->power = false;
        port_feature(hub, USB_SET_FEATURE, PORT_POWER);
    } else if (port->reset) {
        begin_reset(hub, port);
    } else if (port->look) {
        ask(hub, USB_REQUEST_IN | TO_PORT, 0 /* GET_STATUS */, 0,
            (uint16_t)hub->at, port_status_arrived);
    } else {
        return false;
    }
    return true;
}

static bool own_work(struct hub *hub)
{
    if (hub->tt_count > 0) {
        hub->tt_count--;
        ask(hub, TO_PORT, CLEAR_TT_BUFFER, hub->tt_clears[hub->tt_count], 1,
            request_done);
    } else if (hub->hub_changes != 0) {
        uint16_t feature = (hub->hub_changes & 1) != 0 ? C_HUB_LOCAL_POWER
                                                       : C_HUB_OVER_CURRENT;

        hub->hub_changes &= (uint8_t)(hub->hub_changes - 1);
        ask(hub, TO_HUB, USB_CLEAR_FEATURE, feature, 0, request_done);
    } else if (hub->look) {
        ask(hub, USB_REQUEST_IN | TO_HUB, 0 /* GET_STATUS */, 0, 0,
            hub_status_arrived);
    } else {
        return false;
    }
    return true;
}

static void service(struct hub *hub)
{
    unsigned tries;

    if (own_work(hub)) {
        return;
    }
    /* The next port after the one before, so that none waits for ever. */
    for (tries = 0; tries < hub->ports.ports; tries++) {
        hub->at = hub->at % hub->ports.ports + 1;
        if (port_work(hub, &hub->port[hub->at])) {
            return;
        }
    }
    if (!hub->listening) {
        listen(hub);
    }
}

static void power_next(struct hub *hub)
{
    if (hub->at < hub->ports.ports) {
        hub->at++;
        port_feature(hub, USB_SET_FEATURE, PORT_POWER);
        if (!hub->asking) {
            hub->at--; /* again */
        }
        return;
    }
    hub->state = HUB_SETTLE;
    hub_due_in(hub, SETTLE_US + hub->ports.device->hub_power * 2000U);
}

void hub_begin_service(struct hub *hub)
{
    unsigned i;

    hub->state = HUB_SERVICE;
    usb_hub_add(&hub->ports);
    for (i = 1; i <= hub->ports.ports; i++) {
        hub->port[i].look = true;
    }
    log_info("hub", "%s port %s: hub with %u ports", hub->ports.bus->name,
             hub->ports.device->path, hub->ports.ports);
    service(hub);
}

/* Does the next thing, unless a request is under way. */
void hub_work(struct hub *hub)
{
    if (hub->asking) {
        return;
    }
    switch (hub->state) {
    case HUB_DEPTH:
        ask(hub, TO_HUB, SET_HUB_DEPTH, hub->ports.device->depth, 0,
            request_done);
        if (hub->asking) {
            hub->state = HUB_POWER;
        }
        break;
    case HUB_POWER:
        power_next(hub);
        break;
    case HUB_SETTLE:
        break; /* poll goes on */
    case HUB_SERVICE:
        service(hub);
        break;
    case HUB_FREE:
    case HUB_RESTART:
    case HUB_DEAD:
    default:
        break;
    }
}

/* ---- Status changes -------------------------------------------------- */

static void halt_cleared(struct usb_device *device, void *context,
                         enum usb_status status, uint32_t actual)
{
    struct hub *hub = context;

    (void)device;
    (void)actual;
    hub->listening = false;
    if (hub->state == HUB_SERVICE && !request_failed(hub, status)) {
        hub_work(hub);
    }
}

/* Cleared at the device, too, as soon as no other request is under way; that
 * fails at worst as if the endpoint had failed again. */
static void endpoint_is_reset(struct usb_endpoint *endpoint, enum err result)
{
    struct hub *hub = hub_of_endpoint(endpoint);

    if (hub == NULL || hub->state != HUB_SERVICE) {
        return;
    }
    if (result != OK) {
        restart(hub, "endpoint stays halted");
        return;
    }
    if (!hub->asking) {
        ask(hub, USB_REQUEST_ENDPOINT, USB_CLEAR_FEATURE, USB_FEATURE_HALT,
            endpoint->address, halt_cleared);
    }
    if (!hub->asking) {
        hub->listening = false;
        hub_due_in(hub, BUSY_US);
    }
}

static void take_changes(struct hub *hub, uint32_t bytes)
{
    unsigned i;

    hub->look |= bytes > 0 && (hub->bitmap[0] & 1) != 0;
    for (i = 1; i <= hub->ports.ports && i / 8 < bytes; i++) {
        hub->port[i].look |= (hub->bitmap[i / 8] & 1U << i % 8) != 0;
    }
}

static void changes_came(struct usb_transfer *transfer)
{
    struct hub *hub = transfer->context;

    if (hub->state != HUB_SERVICE || transfer->status == USB_GONE ||
        transfer->status == USB_CANCELLED) {
        return;
    }
    if (transfer->status == USB_OK) {
        hub->listening = false;
        hub->restarts = 0;
        take_changes(hub, transfer->actual);
        hub_work(hub);
    } else if (++hub->errors >= ERRORS_MAX) {
        restart(hub, "no word of changes");
    } else {
        usb_endpoint_reset(hub->endpoint, endpoint_is_reset);
    }
}

static void listen(struct hub *hub)
{
    struct usb_transfer *transfer = &hub->transfer;

    transfer->endpoint = hub->endpoint;
    transfer->buffer = hub->bitmap;
    transfer->bytes = hub->endpoint->max_packet < HUB_BITMAP_BYTES
                          ? hub->endpoint->max_packet
                          : HUB_BITMAP_BYTES;
    transfer->done = changes_came;
    transfer->context = hub;
    hub->listening = usb_transfer_submit(transfer) == OK;
    if (!hub->listening) {
        hub_due_in(hub, BUSY_US);
    }
}
