/* What the files of the UHCI driver share. Sections named are those of the
 * Universal Host Controller Interface Design Guide 1.1. */
#ifndef DRIVERS_USB_UHCI_H
#define DRIVERS_USB_UHCI_H

#include "drivers/io.h"
#include "drivers/pci.h"
#include "drivers/usb/usb.h"

#define UHCI_CONTROLLERS 8
#define UHCI_PORTS       8
#define UHCI_ENDPOINTS   64   /* open at all controllers together */
#define UHCI_TDS         1024 /* of all controllers together */
#define UHCI_CHAIN_TDS   256  /* the controller has of one endpoint at once */
#define UHCI_FRAMES      1024
/* Interrupt endpoints are asked every 8 ms, none slower devices mind. */
#define UHCI_PERIOD 8

/* I/O registers (2.1). */
#define UHCI_USBCMD      0x00
#define UHCI_USBSTS      0x02
#define UHCI_USBINTR     0x04
#define UHCI_FRNUM       0x06
#define UHCI_FRBASEADD   0x08
#define UHCI_PORTSC      0x10
#define UHCI_CMD_RS      0x0001
#define UHCI_CMD_HCRESET 0x0002
#define UHCI_CMD_CF      0x0040
#define UHCI_CMD_MAXP    0x0080
#define UHCI_STS_HCPE    0x0010
#define UHCI_STS_HSE     0x0008
#define UHCI_STS_HCH     0x0020
#define UHCI_STS_ALL     0x003f
#define UHCI_INTR_ALL    0x000f

#define UHCI_PORT_CCS   0x0001
#define UHCI_PORT_CSC   0x0002
#define UHCI_PORT_PED   0x0004
#define UHCI_PORT_PEDC  0x0008
#define UHCI_PORT_ONE   0x0080 /* reads as 1 in every port register */
#define UHCI_PORT_LS    0x0100
#define UHCI_PORT_PR    0x0200
#define UHCI_PORT_KEEP  0x1244 /* what is carried over when it is written */
#define UHCI_PORT_CHECK 50000  /* us: ports raise no interrupt */

/* Links (3.1 - 3.3). */
#define UHCI_LINK_END   0x1
#define UHCI_LINK_QH    0x2
#define UHCI_LINK_DEPTH 0x4

/* TD status and token (3.2.2, 3.2.3). */
#define UHCI_TD_ACTUAL(v) (((v) + 1) & 0x7ff)
#define UHCI_TD_BITSTUFF  0x00020000
#define UHCI_TD_TIMEOUT   0x00040000
#define UHCI_TD_BABBLE    0x00100000
#define UHCI_TD_BUFFER    0x00200000
#define UHCI_TD_STALLED   0x00400000
#define UHCI_TD_ACTIVE    0x00800000
#define UHCI_TD_IOC       0x01000000
#define UHCI_TD_LOW       0x04000000
#define UHCI_TD_ERRORS    0x18000000 /* three tries on the wire */
#define UHCI_TD_SHORT     0x20000000 /* a short packet holds the queue */
#define UHCI_PID_IN       0x69
#define UHCI_PID_OUT      0xe1
#define UHCI_PID_SETUP    0x2d

/* One packet. The first four words are the controller's. */
struct uhci_td {
    volatile uint32_t link;
    volatile uint32_t status;
    volatile uint32_t token;
    volatile uint32_t buffer;
    struct uhci_td *next; /* of the chain, or of the free ones */
    uint32_t address;     /* its own, as the controller sees it */
    uint32_t is_data;
};

struct uhci_qh {
    volatile uint32_t link;
    volatile uint32_t element;
    uint32_t unused[2]; /* aligned to 16 bytes */
};

/* What the control endpoint's next chain begins with. */
enum uhci_stage { UHCI_SETUP, UHCI_DATA, UHCI_STATUS, UHCI_ALL };

/* Taking a queue out of the schedule takes time: until two frames have begun,
 * the controller may still be at work in it. */
enum uhci_leaving { UHCI_STAYS, UHCI_RESETTING, UHCI_CLOSING };

struct uhci_endpoint {
    struct list link; /* uhci->endpoints; order of the schedule */
    struct uhci *uhci;
    struct usb_endpoint *usb; /* NULL: free */
    struct uhci_qh *qh;
    uint32_t qh_address;
    struct list transfers; /* the first one is with the controller */
    /* The chain that the controller has; `at` is where it was last seen. */
    struct uhci_td *first, *at, *last;
    enum uhci_stage stage;
    uint32_t queued, done; /* bytes of the first transfer */
    uint8_t toggle;        /* of the next data packet */
    bool halted;
    enum uhci_leaving leaving;
    uint64_t left_us;
};

enum uhci_state {
    UHCI_WAIT, /* until the BIOS has given all controllers up */
    UHCI_HALT,
    UHCI_RESET,
    UHCI_ROUTE, /* until EHCI has taken the ports it takes */
    UHCI_RUN,
    UHCI_DEAD,
};

/* A port's reset: 50 ms the signal, 10 ms rest, enabled, 10 ms rest. */
enum uhci_port_step { UHCI_PORT_IDLE, UHCI_PORT_SIGNAL, UHCI_PORT_ENABLE };

struct uhci {
    struct usb_bus bus;
    struct pci_device *pci;
    uint16_t io;
    enum uhci_state state;
    uint64_t state_us;
    uint64_t check_us;
    uint64_t probe_us;
    uint32_t interrupts; /* pci_interrupt_count() at the last look */
    unsigned ports;
    unsigned restarts;
    enum uhci_port_step port_step[UHCI_PORTS + 1];
    uint64_t port_us[UHCI_PORTS + 1];

    volatile uint32_t *frames;
    struct uhci_qh *periodic, *bulk; /* heads of the two lists of queues */
    struct list endpoints;
    unsigned busy; /* chains of control and bulk endpoints */
};

/* uhci.c */
/* uhci_fail - the controller does not do its work: all its devices are dropped
 * and it is started anew. */
void uhci_fail(struct uhci *uhci, const char *reason);

static inline uint16_t uhci_read(const struct uhci *uhci, unsigned offset)
{
    return io_in16((uint16_t)(uhci->io + offset));
}

static inline void uhci_write(const struct uhci *uhci, unsigned offset,
                              uint16_t value)
{
    io_out16((uint16_t)(uhci->io + offset), value);
}

/* uhci_schedule.c: memory; the order in which the controller finds queues */
enum err uhci_take_memory(struct uhci *uhci) MUST_CHECK;
/* uhci_schedule - writes all links anew. */
void uhci_schedule(struct uhci *uhci);
/* uhci_endpoint_take - a free one, with its queue empty; NULL: none is left. */
struct uhci_endpoint *uhci_endpoint_take(struct uhci *uhci,
                                         struct usb_endpoint *usb);
void uhci_endpoint_free(struct uhci_endpoint *endpoint);
/* uhci_endpoint_leave - takes its queue out of the schedule. */
void uhci_endpoint_leave(struct uhci_endpoint *endpoint,
                         enum uhci_leaving leaving);
/* uhci_td_take, uhci_tds_retire - packets; what was given back is used again
 * when the controller cannot look at it any more. */
struct uhci_td *uhci_td_take(void);
void uhci_tds_retire(struct uhci_td *first, struct uhci_td *last);

/* uhci_transfer.c */
enum err uhci_transfer(struct usb_transfer *transfer);
/* uhci_endpoint_poll - looks at what the controller has done; true: there was
 * something. */
bool uhci_endpoint_poll(struct uhci_endpoint *endpoint);
/* uhci_endpoint_drop - takes its chain from it and ends all its transfers; the
 * controller does not see it any more. */
void uhci_endpoint_drop(struct uhci_endpoint *endpoint, enum usb_status status);

/* uhci_device.c */
void uhci_device_address(struct usb_device *device);
void uhci_control_update(struct usb_device *device);
void uhci_endpoints_open(struct usb_device *device);
void uhci_device_close(struct usb_device *device);
void uhci_endpoint_reset(struct usb_endpoint *endpoint);
/* uhci_leaving_poll - goes on with the endpoints that have left; true: there
 * was one. */
bool uhci_leaving_poll(struct uhci *uhci, uint64_t now_us);
void uhci_devices_drop(struct uhci *uhci);

/* uhci_port.c */
unsigned uhci_count_ports(const struct uhci *uhci, unsigned bytes);
void uhci_port_status(struct usb_bus *bus, unsigned port,
                      struct usb_port_status *status);
void uhci_port_reset(struct usb_bus *bus, unsigned port);
void uhci_port_disable(struct usb_bus *bus, unsigned port);
/* uhci_ports_poll - goes on with resets. */
void uhci_ports_poll(struct uhci *uhci, uint64_t now_us);
/* uhci_ports_look - marks the ports at which something has changed. */
void uhci_ports_look(struct uhci *uhci);

#endif
