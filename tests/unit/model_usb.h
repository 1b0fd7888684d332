/* A USB bus for unit tests and fuzzing: a host controller at the level of
 * struct usb_host_operations, and devices plugged into each other: hubs of USB
 * 1.1, 2 and 3, and leaves that want no more than a driver.
 *
 * It answers one step each time model_usb_poll() is called, and watches what
 * must never be: two devices that answer at address 0, a transfer to a port
 * without power or to a device that is closed. */
#ifndef TESTS_UNIT_MODEL_USB_H
#define TESTS_UNIT_MODEL_USB_H

#include "drivers/usb/usb.h"

#define MODEL_DEVICES 24
#define MODEL_PORTS   4
#define MODEL_LEAF    0xff /* interface class of a leaf */
#define MODEL_QUEUE   64

struct model_device {
    bool plugged;
    enum usb_speed speed;
    struct model_device *parent; /* NULL: root port */
    unsigned port;
    /* As the hub above it, or the root port, has it. */
    bool enabled;
    uint8_t address;
    uint8_t configured;
    struct usb_device *usb; /* open for the host */
    struct usb_transfer *status_transfer;

    unsigned ports; /* of a hub; 0: a leaf */
    uint16_t status[MODEL_PORTS + 1], change[MODEL_PORTS + 1];
    uint8_t depth_told;   /* SET_HUB_DEPTH */
    unsigned tt_clears;   /* CLEAR_TT_BUFFER */
    bool stalls;          /* all class requests */
    bool deaf_at_address; /* SET_ADDRESS gets no answer */
    bool stalls_once;     /* the status change endpoint */
    /* Of a leaf: a keyboard, which has so many reports left. At every second
     * one, the last one not, `key` is down. */
    bool keyboard;
    unsigned reports;
    uint8_t key;
    bool broken; /* its reports fail */
};

struct model_usb {
    struct usb_bus bus;
    struct model_device devices[MODEL_DEVICES];
    struct model_device *root[MODEL_PORTS + 1];
    bool root_changed[MODEL_PORTS + 1];
    struct usb_transfer *queue[MODEL_QUEUE];
    unsigned queued;
    struct usb_endpoint *resetting;
    unsigned violations; /* of what must never be */
    unsigned port_disables;
    /* Changes an answer on its way to the host (fuzzing); may be NULL. */
    void (*spoil)(struct usb_transfer *transfer);
};

/* model_usb_init - empty bus, added to the core. */
void model_usb_init(struct model_usb *model);
/* model_usb_plug - a new device; parent NULL: into a root port. ports 0: a
 * leaf. NULL when that port is taken. */
struct model_device *model_usb_plug(struct model_usb *model,
                                    struct model_device *parent, unsigned port,
                                    enum usb_speed speed, unsigned ports);
/* model_usb_pull - with everything that hangs on it. */
void model_usb_pull(struct model_usb *model, struct model_device *device);
/* model_usb_poll - one step of the host and of all devices; true: something
 * happened. */
bool model_usb_poll(struct model_usb *model);

#endif
