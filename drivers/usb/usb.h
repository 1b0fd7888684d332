/* USB, seen from its three sides: host controllers (xHCI; EHCI and UHCI fit the
 * same operations), the core that enumerates devices, and class drivers.
 *
 *   class driver --usb_transfer_submit()--> core --operations->transfer--> host
 *        ^--------- transfer->done() <------------ usb_transfer_finish() <--'
 *
 * Nothing waits. What takes time is a state with a deadline; every completion
 * comes later, from the bus's poll, never from inside the call that asked for
 * it. All memory is taken once. Every value that a device reports is checked
 * before it is used. */
#ifndef DRIVERS_USB_USB_H
#define DRIVERS_USB_USB_H

#include "core/err.h"
#include "core/list.h"
#include "core/timer.h"
#include <stdbool.h>
#include <stdint.h>

#define USB_DEVICES      32 /* on all buses together */
#define USB_INTERFACES   4  /* of one device, that a driver was found for */
#define USB_ENDPOINTS    4  /* of one interface */
#define USB_ROOT_PORTS   128
#define USB_CONFIG_BYTES 1024 /* longer configurations are read this far */
#define USB_SERIAL_BYTES 33
#define USB_HUB_PORTS    15 /* of one hub that are used: a route has 4 bits */
#define USB_DEPTH        5  /* hubs in a row (USB 2.0 4.1.1) */
#define USB_PATH_BYTES   20

enum usb_speed { USB_LOW, USB_FULL, USB_HIGH, USB_SUPER };

enum usb_status {
    USB_OK,        /* also when short: see actual */
    USB_STALL,     /* the endpoint is halted, at both ends */
    USB_ERROR,     /* no or broken answer on the wire, or more than asked */
    USB_TIMEOUT,   /* given by usb_control() only */
    USB_CANCELLED, /* by usb_endpoint_reset() */
    USB_GONE,      /* the device was removed, or is being reset */
};

/* Descriptor types and sizes (USB 2.0 9.6, USB 3.2 9.6). */
#define USB_DT_DEVICE        1
#define USB_DT_CONFIG        2
#define USB_DT_STRING        3
#define USB_DT_INTERFACE     4
#define USB_DT_ENDPOINT      5
#define USB_DT_SS_COMPANION  48
#define USB_DT_HUB           0x29
#define USB_DT_SS_HUB        0x2a
#define USB_CLASS_HUB        9
#define USB_DEVICE_BYTES     18
#define USB_ENDPOINT_IN      0x80
#define USB_TRANSFER_MASK    3
#define USB_TRANSFER_CONTROL 0
#define USB_TRANSFER_BULK    2
#define USB_TRANSFER_INTR    3

/* bmRequestType, bRequest (USB 2.0 9.3, 9.4). */
#define USB_REQUEST_IN           0x80
#define USB_REQUEST_CLASS        0x20
#define USB_REQUEST_INTERFACE    0x01
#define USB_REQUEST_ENDPOINT     0x02
#define USB_CLEAR_FEATURE        1
#define USB_SET_FEATURE          3
#define USB_SET_ADDRESS          5
#define USB_GET_DESCRIPTOR       6
#define USB_SET_CONFIGURATION    9
#define USB_FEATURE_HALT         0
#define USB_CONTROL_TIMEOUT_US   5000000 /* USB 2.0 9.2.6.1 */
#define USB_ENUMERATE_TIMEOUT_US 1000000

struct usb_bus;
struct usb_device;
struct usb_interface;

struct usb_endpoint {
    struct usb_device *device;
    uint8_t address;    /* bEndpointAddress; 0: the control endpoint */
    uint8_t attributes; /* bmAttributes */
    uint8_t interval;   /* bInterval */
    uint8_t burst;      /* SuperSpeed bMaxBurst: packets - 1 */
    uint16_t max_packet;
    void *host; /* the controller's own while it is open */
    bool resetting;
    void (*reset_done)(struct usb_endpoint *endpoint, enum err result);
};

/* One transfer. Belongs to the submitter again when done() is called. buffer is
 * memory that io_dma_address() takes. */
struct usb_transfer {
    struct list link; /* the controller's, in order of submission */
    struct usb_endpoint *endpoint;
    void *buffer;
    uint32_t bytes;
    bool quiet;       /* need not be told of at once when it goes well: another
                         one follows on this endpoint at once, they end together */
    uint8_t setup[8]; /* control endpoint only */
    enum usb_status status;
    uint32_t actual; /* bytes carried over */
    void (*done)(struct usb_transfer *transfer);
    void *context;
    uint16_t first, last; /* the controller's: its place in a ring */
    void *host;           /* the controller's, too */
};

struct usb_interface {
    struct usb_device *device;
    uint8_t number, class, subclass, protocol;
    uint8_t endpoint_count;
    struct usb_endpoint endpoints[USB_ENDPOINTS];
    const struct usb_driver *driver;
    void *driver_data;
};

/* ---- Class drivers --------------------------------------------------- */

struct usb_driver {
    const char *name;
    bool (*match)(const struct usb_interface *interface);
    /* The device is configured, the endpoints are open. On an error the
     * interface is left alone. */
    enum err (*attach)(struct usb_interface *interface);
    /* It is gone: no transfer of it runs any more, none may be started. */
    void (*detach)(struct usb_interface *interface);
    /* usb_device_reset() is through, the device is configured as before. When
     * that fails, detach comes instead. */
    void (*reset_done)(struct usb_interface *interface);
    /* Each poll of the bus: looks at deadlines. Returns when (us) it must be
     * called at the latest, UINT64_MAX: no deadline. */
    uint64_t (*poll)(struct usb_interface *interface, uint64_t now_us);
};

#define USB_DRIVER(name)                                                       \
    static const struct usb_driver *const name##_row                           \
        __attribute__((used, section("tbl_usb_driver"))) = &(name)

/* Of this folder; named by programs that take drivers out of an archive. */
extern const struct usb_driver usb_hub_driver, usb_keyboard_driver;

/* usb_transfer_submit - starts a transfer. done() follows exactly once when it
 * returns OK. ERR_GONE: the device is gone or being reset; ERR_BUSY: too many
 * at once. */
enum err usb_transfer_submit(struct usb_transfer *transfer) MUST_CHECK;

/* usb_endpoint_reset - ends all transfers of the endpoint with USB_CANCELLED,
 * clears a halt at the host's end and sets the data toggle to 0; reset_done()
 * follows, and until then nothing may be submitted to it. The halt at the
 * device's end is cleared by CLEAR_FEATURE(ENDPOINT_HALT). Not for endpoint 0,
 * which usb_control() looks after. */
void usb_endpoint_reset(struct usb_endpoint *endpoint,
                        void (*reset_done)(struct usb_endpoint *endpoint,
                                           enum err result));

struct usb_setup {
    uint8_t type, request;
    uint16_t value, index, length;
};

typedef void usb_control_done(struct usb_device *device, void *context,
                              enum usb_status status, uint32_t actual);

/* usb_control - a request on endpoint 0 with timeout; one at a time for each
 * device. buffer: setup->length bytes. done() follows, unless the device goes
 * first. Returns OK, ERR_BUSY, ERR_GONE. */
enum err usb_control(struct usb_device *device, const struct usb_setup *setup,
                     void *buffer, uint32_t timeout_us, usb_control_done *done,
                     void *context) MUST_CHECK;

/* usb_device_reset - ends all transfers with USB_GONE, resets the port and
 * enumerates anew; then drivers get reset_done(), or detach() if the device
 * does not come back, or comes back as another. */
void usb_device_reset(struct usb_device *device);

/* ---- Hubs and buses -------------------------------------------------- */

struct usb_port_status {
    bool connected;
    bool connect_changed; /* since it was asked last: count it as removed */
    bool enabled;
    bool resetting;
    enum usb_speed speed; /* valid while enabled */
};

/* A hub, or the root ports of a bus: what devices are plugged into. The driver
 * of hubs keeps one of each; the core has that of the bus. */
struct usb_hub {
    struct list link; /* the bus's */
    struct usb_bus *bus;
    struct usb_device *device; /* NULL: root ports */
    unsigned ports;
    uint64_t started_us;
    uint32_t changed[USB_ROOT_PORTS / 32]; /* ports to look at */
    /* As those of the controller, see there; NULL for root ports. */
    void (*port_status)(struct usb_hub *hub, unsigned port,
                        struct usb_port_status *status);
    void (*port_reset)(struct usb_hub *hub, unsigned port);
    void (*port_disable)(struct usb_hub *hub, unsigned port);
    /* The translator is to forget what it holds of an endpoint (USB 2.0
     * 11.24.2.3). */
    void (*clear_translator)(struct usb_hub *hub, uint16_t value);
};

/* usb_hub_add - its ports are looked at as soon as they are marked. bus,
 * device, ports and functions are set. usb_hub_drop - it is gone, and with it
 * what is plugged into it; also when it was not added. */
void usb_hub_add(struct usb_hub *hub);
void usb_hub_drop(struct usb_hub *hub);
void usb_hub_port_changed(struct usb_hub *hub, unsigned port);

struct usb_host_operations {
    /* State of a root port, 1 .. bus->ports; takes back its change bits. */
    void (*port_status)(struct usb_bus *bus, unsigned port,
                        struct usb_port_status *status);
    /* Starts a reset; port_status tells when it is over. */
    void (*port_reset)(struct usb_bus *bus, unsigned port);
    /* Nothing is to answer at this port any more until its next reset. */
    void (*port_disable)(struct usb_bus *bus, unsigned port);
    /* The next four work on a device, one at a time, and end with
     * usb_operation_done() or usb_operation_over(). */
    /* Makes the control endpoint usable and gives an address to the device that
     * answers at address 0; where the bus says software_address, the core does
     * the latter. */
    void (*device_address)(struct usb_device *device);
    /* control.max_packet was corrected. */
    void (*control_update)(struct usb_device *device);
    /* Opens all endpoints of all interfaces that have a driver. */
    void (*endpoints_open)(struct usb_device *device);
    /* Gives back everything device_address and the others took; no DMA for
     * the device happens afterwards. All transfers end with USB_GONE before
     * usb_operation_done(). Cannot fail. */
    void (*device_close)(struct usb_device *device);
    /* See usb_transfer_submit(). */
    enum err (*transfer)(struct usb_transfer *transfer);
    /* See usb_endpoint_reset(); also for endpoint 0. Ends with
     * usb_endpoint_reset_done(). */
    void (*endpoint_reset)(struct usb_endpoint *endpoint);
};

struct usb_bus {
    const struct usb_host_operations *operations;
    void *host;
    const char *name;
    unsigned ports;
    bool software_address; /* SET_ADDRESS is the core's work */
    uint32_t addresses[4]; /* given away, one bit each (software_address) */
    struct usb_hub root;
    struct list hubs;              /* root first */
    struct usb_device *addressing; /* the one that is at address 0 */
    struct timer wake;             /* so that MT does not sleep past a state */
};

enum usb_state {
    USB_FREE,
    USB_DEBOUNCE,     /* until the contact is firm */
    USB_WAIT_BUS,     /* another device is at address 0 */
    USB_RESET,        /* the port is being reset */
    USB_RECOVER,      /* after the reset (USB 2.0 9.2.6.2) */
    USB_ADDRESS,      /* the controller gives it an address */
    USB_GIVE_ADDRESS, /* or the core does */
    USB_SETTLE,       /* after the address (9.2.6.3) */
    USB_DESCRIPTOR8,  /* first 8 bytes: the size of endpoint 0's packets */
    USB_CONTROL_UPDATE,
    USB_DESCRIPTOR,
    USB_CONFIG9,
    USB_CONFIG,
    USB_LANGUAGE,
    USB_SERIAL,
    USB_SET_CONFIG,
    USB_HUB_DESCRIPTOR, /* of a hub */
    USB_OPEN,
    USB_READY,
    USB_CLOSE,  /* the controller gives up what it holds */
    USB_QUIET,  /* its port is being disabled: it may answer at address 0 */
    USB_FAILED, /* left alone until it is removed */
    USB_STATES
};

/* What follows when the controller has closed it. */
enum usb_after_close { USB_AFTER_FREE, USB_AFTER_RETRY, USB_AFTER_FAIL };

struct usb_device {
    struct usb_bus *bus;
    struct usb_hub *hub; /* that it is plugged into; NULL: that is gone */
    uint8_t port;        /* ... there */
    uint8_t root_port;
    uint8_t depth;             /* hubs between it and the root port */
    uint32_t route;            /* their ports, 4 bits each (USB 3.2 8.9) */
    char path[USB_PATH_BYTES]; /* all its ports, for people */
    uint8_t address;           /* that it answers at */
    uint8_t new_address;       /* taken for it */
    enum usb_speed speed;
    /* The high speed hub that translates for a slower device, and its port
     * that leads there; NULL: none has to. */
    struct usb_device *tt;
    uint8_t tt_port;
    enum usb_state state;
    enum usb_after_close after_close;
    bool gone;      /* removed: close it when the running operation is over */
    bool operating; /* the controller works on it */
    bool over;      /* ... and has ended */
    enum err over_result;
    bool open;  /* the controller holds something for it */
    bool known; /* was READY once: drivers are attached */
    uint8_t tries;
    uint8_t config_index; /* the one that is read */
    uint64_t deadline_us; /* of the state */
    void *host;           /* the controller's own */

    struct usb_endpoint control;
    struct usb_transfer control_transfer;
    bool control_busy;
    enum usb_status control_status; /* kept while endpoint 0 is reset */
    uint64_t control_deadline_us;
    usb_control_done *control_done;
    void *control_context;

    uint8_t descriptor[USB_DEVICE_BYTES];
    uint16_t config_bytes;
    uint8_t config[USB_CONFIG_BYTES];
    char serial[USB_SERIAL_BYTES];
    uint8_t *buffer; /* USB_CONFIG_BYTES of DMA memory */

    uint8_t interface_count;
    struct usb_interface interfaces[USB_INTERFACES];

    /* Of a hub, as its descriptor says; 0: it is none. */
    uint8_t hub_ports;
    uint8_t hub_power; /* until power is good, in units of 2 ms */
    uint16_t hub_characteristics;
};

/* usb_device_at - the index-th device that is in use and has told who it is,
 * NULL behind the last. */
const struct usb_device *usb_device_at(unsigned index);

/* usb_bus_prepare - once, before any other call with this bus. */
void usb_bus_prepare(struct usb_bus *bus);

/* usb_bus_add - a host controller runs: its root ports are looked at from the
 * next poll on. bus: operations, host, name, ports are set. */
void usb_bus_add(struct usb_bus *bus);

/* usb_bus_drop - the controller has failed and does no DMA any more: all its
 * devices are detached at once; no operation of them will be reported. */
void usb_bus_drop(struct usb_bus *bus);

/* usb_bus_poll - moves on all devices of the bus; the controller calls it after
 * it has handled its events. Returns true when anything happened. */
bool usb_bus_poll(struct usb_bus *bus);

/* usb_bus_wake - poll wants to be called at this time at the latest. */
void usb_bus_wake(struct usb_bus *bus, uint64_t now_us, uint64_t when_us);

/* usb_port_changed - the controller saw an event at a root port. */
void usb_port_changed(struct usb_bus *bus, unsigned port);

/* What a controller reports. */
void usb_operation_done(struct usb_device *device, enum err result);
/* usb_operation_over - the same from within the operation itself: it is done by
 * the next poll. */
void usb_operation_over(struct usb_device *device, enum err result);
void usb_transfer_finish(struct usb_transfer *transfer, enum usb_status status,
                         uint32_t actual);
void usb_endpoint_reset_done(struct usb_endpoint *endpoint, enum err result);

#endif
