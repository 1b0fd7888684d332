/* What the two files of the hub driver share. */
#ifndef DRIVERS_USB_HUB_H
#define DRIVERS_USB_HUB_H

#include "drivers/io.h"
#include "drivers/usb/usb.h"

#define HUB_TT_CLEARS    4
#define HUB_BITMAP_BYTES 32 /* at most: 255 ports */

enum hub_state {
    HUB_FREE,
    HUB_DEPTH,
    HUB_POWER,
    HUB_SETTLE,
    HUB_SERVICE,
    HUB_RESTART, /* the hub itself is being reset */
    HUB_DEAD,    /* left alone until it is pulled */
};

struct hub_port {
    uint16_t status;  /* as read last */
    uint16_t changes; /* to be cleared at the hub */
    bool connect_changed;
    bool look, reset, disable, power; /* to be done */
    bool resetting;
    uint8_t over_currents;
};

struct hub {
    struct usb_hub ports; /* must be first */
    enum hub_state state;
    struct usb_endpoint *endpoint; /* status change */
    struct usb_transfer transfer;
    bool listening; /* the transfer is under way, or its endpoint is reset */
    bool asking;    /* a request is under way */
    bool look;      /* at the hub itself */
    uint8_t hub_changes;
    uint8_t *bitmap, *answer; /* DMA memory */
    unsigned at;              /* the port that the request is about */
    uint64_t due_us;          /* poll has to do something */
    unsigned errors, restarts;
    struct hub_port port[USB_HUB_PORTS + 1];
    unsigned tt_count;
    uint16_t tt_clears[HUB_TT_CLEARS]; /* of a single translator */
};

/* hub_due_in - poll has something to do after so long. */
static inline void hub_due_in(struct hub *hub, uint64_t us)
{
    uint64_t when_us = io_now_us() + us;

    if (when_us < hub->due_us) {
        hub->due_us = when_us;
    }
}

static inline bool hub_is_super(const struct hub *hub)
{
    return hub->ports.device->speed == USB_SUPER;
}

/* hub.c */
/* hub_of_endpoint - whose status change endpoint it is. */
struct hub *hub_of_endpoint(const struct usb_endpoint *endpoint);

/* hub_service.c */
/* hub_work - does the next thing there is to do, unless a request is under way.
 */
void hub_work(struct hub *hub);
/* hub_begin_service - power is good: the core gets to see the ports. */
void hub_begin_service(struct hub *hub);

#endif
