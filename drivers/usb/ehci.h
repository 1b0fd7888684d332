/* What the files of the EHCI driver share. Sections named are those of the
 * Enhanced Host Controller Interface specification 1.0. */
#ifndef DRIVERS_USB_EHCI_H
#define DRIVERS_USB_EHCI_H

#include "drivers/io.h"
#include "drivers/pci.h"
#include "drivers/usb/usb.h"

#define EHCI_CONTROLLERS 4
#define EHCI_PORTS       15
#define EHCI_ENDPOINTS   64  /* open at all controllers together */
#define EHCI_QTDS        512 /* of all controllers together */
#define EHCI_FRAMES      1024
/* Interrupt endpoints are asked every 8 ms, none slower devices mind. */
#define EHCI_PERIOD 8

/* Capability registers (2.2). */
#define EHCI_CAPLENGTH     0x00
#define EHCI_HCSPARAMS     0x04
#define EHCI_HCCPARAMS     0x08
#define EHCI_HCS_PORTS(v)  ((v)&0xf)
#define EHCI_HCS_PPC       0x10
#define EHCI_HCS_N_CC(v)   (((v) >> 12) & 0xf)
#define EHCI_HCC_64        0x1
#define EHCI_HCC_LEGACY(v) (((v) >> 8) & 0xff)

/* Operational registers (2.3). */
#define EHCI_USBCMD       0x00
#define EHCI_USBSTS       0x04
#define EHCI_USBINTR      0x08
#define EHCI_FRINDEX      0x0c
#define EHCI_SEGMENT      0x10
#define EHCI_PERIODICBASE 0x14
#define EHCI_ASYNCBASE    0x18
#define EHCI_CONFIGFLAG   0x40
#define EHCI_PORTSC       0x44

#define EHCI_CMD_RS      0x1
#define EHCI_CMD_HCRESET 0x2
#define EHCI_CMD_PSE     0x10
#define EHCI_CMD_ASE     0x20
#define EHCI_CMD_IAAD    0x40
#define EHCI_CMD_ITC_1   0x10000 /* interrupts after 1 microframe */

#define EHCI_STS_INT    0x1
#define EHCI_STS_ERR    0x2
#define EHCI_STS_PCD    0x4
#define EHCI_STS_HSE    0x10
#define EHCI_STS_IAA    0x20
#define EHCI_STS_HALTED 0x1000
#define EHCI_STS_ASS    0x8000
#define EHCI_STS_EVENTS 0x3f
#define EHCI_INTR_OURS  0x37

#define EHCI_PORT_CCS     0x1
#define EHCI_PORT_CSC     0x2
#define EHCI_PORT_PED     0x4
#define EHCI_PORT_CHANGES 0x2a
#define EHCI_PORT_PR      0x100
#define EHCI_PORT_LINE    0xc00
#define EHCI_PORT_LINE_K  0x400 /* a low speed device */
#define EHCI_PORT_PP      0x1000
#define EHCI_PORT_OWNER   0x2000 /* the port is its companion's */

/* Links and tokens (3.5, 3.6). */
#define EHCI_LINK_END    0x1
#define EHCI_LINK_QH     0x2
#define EHCI_QTD_ACTIVE  0x80
#define EHCI_QTD_HALTED  0x40
#define EHCI_QTD_BUFFER  0x20
#define EHCI_QTD_BABBLE  0x10
#define EHCI_QTD_XACT    0x08
#define EHCI_QTD_OUT     0x000
#define EHCI_QTD_IN      0x100
#define EHCI_QTD_SETUP   0x200
#define EHCI_QTD_ERRORS  0xc00 /* three tries on the wire */
#define EHCI_QTD_IOC     0x8000
#define EHCI_QTD_LEFT(v) (((v) >> 16) & 0x7fff)
#define EHCI_QTD_TOGGLE  0x80000000U
#define EHCI_QTD_PAGES   5

/* A piece of a transfer: up to five pages of memory. The words up to and with
 * high[] are the controller's. */
struct ehci_qtd {
    volatile uint32_t link;
    volatile uint32_t alternate; /* where a short packet leads */
    volatile uint32_t token;
    volatile uint32_t buffer[EHCI_QTD_PAGES];
    volatile uint32_t high[EHCI_QTD_PAGES]; /* of 64-bit controllers; 0 */
    uint32_t data_bytes;                    /* 0: setup or status */
    struct ehci_qtd *next;
};

/* A queue: which endpoint, and the piece that is at work ("overlay"). Takes 128
 * bytes, so that none crosses a page. */
struct ehci_qh {
    volatile uint32_t link;
    volatile uint32_t endpoint;
    volatile uint32_t split;
    volatile uint32_t current;
    volatile uint32_t next;
    volatile uint32_t alternate;
    volatile uint32_t token;
    volatile uint32_t buffer[EHCI_QTD_PAGES];
    volatile uint32_t high[EHCI_QTD_PAGES];
    uint32_t unused[15];
};

/* Taking a queue out of the schedule takes time: until the controller has told
 * that it has forgotten it (asynchronous), or two frames have begun. */
enum ehci_leaving { EHCI_STAYS, EHCI_RESETTING, EHCI_CLOSING };

struct ehci_endpoint {
    struct list link; /* ehci->endpoints */
    struct ehci *ehci;
    struct usb_endpoint *usb; /* NULL: free */
    struct ehci_qh *qh;
    uint32_t qh_address;
    struct list transfers; /* all are with the controller, in order */
    /* Pieces, from the first one that is not over to the empty one at the end
     * of the queue. */
    struct ehci_qtd *at, *dummy;
    uint32_t done; /* bytes of the first transfer */
    bool halted;
    enum ehci_leaving leaving;
    uint64_t left_us;
    bool asked; /* the doorbell that goes on covers it */
    bool ours;  /* the controller has forgotten it */
};

enum ehci_state {
    EHCI_HANDOFF, /* the BIOS has been asked for the controller */
    EHCI_WAIT,    /* until it has given all controllers up */
    EHCI_HALT,
    EHCI_RESET,
    EHCI_POWER, /* ports have power; until that is good */
    EHCI_RUN,
    EHCI_DEAD,
};

/* A port's reset: 50 ms the signal, then until the controller has ended it. */
enum ehci_port_step { EHCI_PORT_IDLE, EHCI_PORT_SIGNAL, EHCI_PORT_END };

struct ehci {
    struct usb_bus bus;
    struct pci_device *pci;
    struct io_region io;
    enum ehci_state state;
    uint64_t state_us;
    uint64_t check_us;
    uint64_t probe_us;
    uint32_t operational;
    uint32_t structure, capability; /* HCSPARAMS, HCCPARAMS */
    unsigned legacy;                /* USBLEGSUP in configuration space, or 0 */
    uint32_t interrupts;            /* pci_interrupt_count() at the last look */
    uint32_t command;               /* USBCMD as written */
    unsigned ports;
    unsigned restarts;
    bool routing; /* holds USB_GATE_ROUTED */
    enum ehci_port_step port_step[EHCI_PORTS + 1];
    uint64_t port_us[EHCI_PORTS + 1];

    volatile uint32_t *frames;
    struct ehci_qh *head; /* of the asynchronous ring */
    struct list endpoints;
    unsigned busy;       /* transfers of control and bulk endpoints */
    uint64_t idle_us;    /* since when there are none */
    uint64_t advance_us; /* when the doorbell was rung; 0: it was not */
};

static inline uint32_t ehci_read(const struct ehci *ehci, uint32_t offset)
{
    return io_read32(&ehci->io, ehci->operational + offset);
}

static inline void ehci_write(const struct ehci *ehci, uint32_t offset,
                              uint32_t value)
{
    io_write32(&ehci->io, ehci->operational + offset, value);
}

/* ehci_schedule.c: memory; both schedules */
enum err ehci_take_memory(struct ehci *ehci) MUST_CHECK;
/* ehci_schedule_clear - empty schedules, before the controller runs. */
void ehci_schedule_clear(struct ehci *ehci);
/* ehci_schedule_poll - the asynchronous schedule runs while there is work;
 * doorbells are rung and answered. true: endpoints have left. */
bool ehci_schedule_poll(struct ehci *ehci, uint64_t now_us);
/* ehci_advanced - the controller has answered the doorbell. */
void ehci_advanced(struct ehci *ehci);
bool ehci_is_periodic(const struct ehci_endpoint *endpoint);
/* ehci_endpoint_take - a free one, with its queue empty; NULL: none is left. */
struct ehci_endpoint *ehci_endpoint_take(struct ehci *ehci,
                                         struct usb_endpoint *usb);
void ehci_endpoint_free(struct ehci_endpoint *endpoint);
/* ehci_endpoint_leave - takes its queue out of the schedule; ehci_endpoint_stay
 * - puts it back. */
void ehci_endpoint_leave(struct ehci_endpoint *endpoint,
                         enum ehci_leaving leaving);
void ehci_endpoint_stay(struct ehci_endpoint *endpoint);
struct ehci_qtd *ehci_qtd_take(void);
void ehci_qtd_give_back(struct ehci_qtd *qtd);
unsigned ehci_qtds_free(void);
uint32_t ehci_qtd_address(const struct ehci_qtd *qtd);

/* ehci_transfer.c */
/* ehci_queue_describe - writes which endpoint of which device it is. */
void ehci_queue_describe(struct ehci_endpoint *endpoint);
enum err ehci_transfer(struct usb_transfer *transfer);
/* ehci_endpoint_poll - looks at what the controller has done; true: there was
 * something. */
bool ehci_endpoint_poll(struct ehci_endpoint *endpoint);
/* ehci_endpoint_drop - empties its queue, toggle 0, and ends its transfers; the
 * controller does not see it any more. */
void ehci_endpoint_drop(struct ehci_endpoint *endpoint, enum usb_status status);

/* ehci_device.c */
void ehci_device_address(struct usb_device *device);
void ehci_control_update(struct usb_device *device);
void ehci_endpoints_open(struct usb_device *device);
void ehci_device_close(struct usb_device *device);
void ehci_endpoint_reset(struct usb_endpoint *endpoint);
/* ehci_leaving_poll - goes on with the endpoints that have left; true: there
 * was one. */
bool ehci_leaving_poll(struct ehci *ehci);
void ehci_devices_drop(struct ehci *ehci);

/* ehci_port.c */
void ehci_ports_power(struct ehci *ehci);
void ehci_port_status(struct usb_bus *bus, unsigned port,
                      struct usb_port_status *status);
void ehci_port_reset(struct usb_bus *bus, unsigned port);
void ehci_port_disable(struct usb_bus *bus, unsigned port);
/* ehci_ports_poll - goes on with resets. */
void ehci_ports_poll(struct ehci *ehci, uint64_t now_us);
/* ehci_ports_look - marks the ports at which something has changed. */
void ehci_ports_look(struct ehci *ehci);

#endif
