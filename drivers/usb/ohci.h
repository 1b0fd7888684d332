/* What the files of the OHCI driver share. Sections named are those of the Open
 * Host Controller Interface specification 1.0a. */
#ifndef DRIVERS_USB_OHCI_H
#define DRIVERS_USB_OHCI_H

#include "drivers/io.h"
#include "drivers/pci.h"
#include "drivers/usb/usb.h"

#define OHCI_CONTROLLERS 6
#define OHCI_PORTS       15
#define OHCI_ENDPOINTS   48  /* open at all controllers together */
#define OHCI_TDS         512 /* of all controllers together */
#define OHCI_PERIODS     32  /* frames that the table of interrupts is for */
/* Interrupt endpoints are asked every 8 ms, none slower devices mind. */
#define OHCI_PERIOD 8

/* Registers (7). */
#define OHCI_REVISION        0x00
#define OHCI_CONTROL         0x04
#define OHCI_COMMAND         0x08
#define OHCI_INTERRUPT       0x0c
#define OHCI_INTERRUPT_ON    0x10
#define OHCI_INTERRUPT_OFF   0x14
#define OHCI_HCCA            0x18
#define OHCI_CONTROL_HEAD    0x20
#define OHCI_CONTROL_CURRENT 0x24
#define OHCI_BULK_HEAD       0x28
#define OHCI_BULK_CURRENT    0x2c
#define OHCI_FM_INTERVAL     0x34
#define OHCI_PERIODIC_START  0x40
#define OHCI_RH_A            0x48
#define OHCI_RH_STATUS       0x50
#define OHCI_RH_PORT         0x54

#define OHCI_CONTROL_RATIO 0x3 /* four control to one bulk transfer */
#define OHCI_CONTROL_PLE   0x4
#define OHCI_CONTROL_CLE   0x10
#define OHCI_CONTROL_BLE   0x20
#define OHCI_CONTROL_RUNS  0x80
#define OHCI_CONTROL_STATE 0xc0
#define OHCI_CONTROL_SMM   0x100 /* the BIOS has it */
#define OHCI_CONTROL_RWC   0x200

#define OHCI_COMMAND_RESET   0x1
#define OHCI_COMMAND_CONTROL 0x2 /* there is work in that list */
#define OHCI_COMMAND_BULK    0x4
#define OHCI_COMMAND_CHANGE  0x8 /* asks the BIOS for it */

#define OHCI_INT_DONE   0x2
#define OHCI_INT_ERROR  0x10
#define OHCI_INT_PORTS  0x40
#define OHCI_INT_ALL    0x4000007f
#define OHCI_INT_MASTER 0x80000000U

#define OHCI_PORT_CCS     0x1
#define OHCI_PORT_PES     0x2
#define OHCI_PORT_PRS     0x10
#define OHCI_PORT_PPS     0x100
#define OHCI_PORT_LOW     0x200
#define OHCI_PORT_CSC     0x10000
#define OHCI_PORT_CHANGES 0x1f0000
#define OHCI_PORT_DISABLE 0x1 /* when written */

/* Endpoint descriptor (4.2): the first word, and what is in `head`. */
#define OHCI_ED_OUT     0x800
#define OHCI_ED_IN      0x1000
#define OHCI_ED_LOW     0x2000
#define OHCI_ED_SKIP    0x4000
#define OHCI_HEAD_HALT  0x1
#define OHCI_HEAD_CARRY 0x2 /* the data toggle */

/* Transfer descriptor (4.3.1). */
#define OHCI_TD_ROUND    0x40000 /* a short packet is no error */
#define OHCI_TD_SETUP    0x000000
#define OHCI_TD_OUT      0x080000
#define OHCI_TD_IN       0x100000
#define OHCI_TD_QUIET    0xe00000
#define OHCI_TD_TOGGLE0  0x2000000
#define OHCI_TD_TOGGLE1  0x3000000
#define OHCI_TD_NEW      0xf0000000U
#define OHCI_TD_CODE(v)  ((v) >> 28)
#define OHCI_CC_OK       0
#define OHCI_CC_STALL    4
#define OHCI_CC_UNDERRUN 9

struct ohci_ed {
    volatile uint32_t info;
    volatile uint32_t tail;
    volatile uint32_t head;
    volatile uint32_t link;
};

/* A piece of a transfer, within two pages. The first four words are the
 * controller's; it uses `link` for its own purposes when it is done. */
struct ohci_td {
    volatile uint32_t control;
    volatile uint32_t buffer; /* 0: all was carried over */
    volatile uint32_t link;
    volatile uint32_t end; /* last byte */
    struct ohci_td *next;
    uint32_t data_bytes; /* 0: setup or status */
    uint32_t unused;
};

/* What the controller reads and writes by itself (4.4). */
struct ohci_area {
    volatile uint32_t interrupts[OHCI_PERIODS];
    volatile uint32_t frame;
    volatile uint32_t done;
    uint32_t reserved[30];
};

/* An endpoint that is to go is skipped at once, and is ours when two frames
 * have begun. */
enum ohci_leaving { OHCI_STAYS, OHCI_RESETTING, OHCI_CLOSING };
enum ohci_list { OHCI_CONTROL_LIST, OHCI_BULK_LIST, OHCI_PERIODIC_LIST };

struct ohci_endpoint {
    struct list link; /* ohci->endpoints */
    struct ohci *ohci;
    struct usb_endpoint *usb; /* NULL: free */
    struct ohci_ed *ed;
    uint32_t ed_address;
    struct list transfers; /* all are with the controller, in order */
    /* Pieces, from the first one that is not over to the empty one at the end
     * of the queue. */
    struct ohci_td *at, *dummy;
    uint32_t done; /* bytes of the first transfer */
    bool halted;
    enum ohci_leaving leaving;
    uint64_t left_us;
};

enum ohci_state {
    OHCI_HANDOFF, /* the BIOS has been asked for the controller */
    OHCI_WAIT,    /* until it has given all controllers up */
    OHCI_RESET,
    OHCI_ROUTE, /* until EHCI has taken the ports it takes */
    OHCI_POWER, /* ports have power; until that is good */
    OHCI_RUN,
    OHCI_DEAD,
};

struct ohci {
    struct usb_bus bus;
    struct pci_device *pci;
    struct io_region io;
    enum ohci_state state;
    uint64_t state_us;
    uint64_t check_us;
    uint64_t probe_us;
    uint32_t interrupts; /* pci_interrupt_count() at the last look */
    uint32_t control;    /* HcControl as written */
    unsigned ports;
    unsigned restarts;
    bool lists_stand;                 /* while endpoints leave */
    uint64_t port_us[OHCI_PORTS + 1]; /* until when it is reset; 0: it is not */

    struct ohci_area *area;
    struct list endpoints;
};

static inline uint32_t ohci_read(const struct ohci *ohci, uint32_t offset)
{
    return io_read32(&ohci->io, offset);
}

static inline void ohci_write(const struct ohci *ohci, uint32_t offset,
                              uint32_t value)
{
    io_write32(&ohci->io, offset, value);
}

/* ohci_schedule.c: memory, lists */
enum err ohci_take_memory(struct ohci *ohci) MUST_CHECK;
enum ohci_list ohci_list_of(const struct ohci_endpoint *endpoint);
/* ohci_endpoint_take - a free one, with its queue empty; NULL: none is left. */
struct ohci_endpoint *ohci_endpoint_take(struct ohci *ohci,
                                         struct usb_endpoint *usb);
void ohci_endpoint_free(struct ohci_endpoint *endpoint);
/* ohci_endpoint_leave - takes it out of its list, and stops the lists. */
void ohci_endpoint_leave(struct ohci_endpoint *endpoint,
                         enum ohci_leaving leaving);
/* ohci_write_links - of those that stay; ohci_start_lists - when none leaves
 * any more. */
void ohci_write_links(struct ohci *ohci);
void ohci_start_lists(struct ohci *ohci);
struct ohci_td *ohci_td_take(void);
void ohci_td_give_back(struct ohci_td *td);
unsigned ohci_tds_free(void);
uint32_t ohci_td_address(const struct ohci_td *td);

/* ohci_device.c */
/* The operations of the same names. */
void ohci_device_address(struct usb_device *device);
void ohci_control_update(struct usb_device *device);
void ohci_endpoints_open(struct usb_device *device);
void ohci_device_close(struct usb_device *device);
void ohci_endpoint_reset(struct usb_endpoint *endpoint);
/* ohci_leaving_poll - goes on with the endpoints that have left; true: there
 * was one. */
bool ohci_leaving_poll(struct ohci *ohci, uint64_t now_us);
void ohci_devices_drop(struct ohci *ohci);

/* ohci_transfer.c */
/* ohci_describe - writes which endpoint of which device it is. */
void ohci_describe(const struct ohci_endpoint *endpoint);
enum err ohci_transfer(struct usb_transfer *transfer);
/* ohci_endpoint_poll - looks at what the controller has done; true: there was
 * something. */
bool ohci_endpoint_poll(struct ohci_endpoint *endpoint);
/* ohci_endpoint_drop - empties its queue, toggle 0, and ends its transfers; the
 * controller does not see it any more. */
void ohci_endpoint_drop(struct ohci_endpoint *endpoint, enum usb_status status);

/* ohci_port.c */
void ohci_port_status(struct usb_bus *bus, unsigned port,
                      struct usb_port_status *status);
void ohci_port_reset(struct usb_bus *bus, unsigned port);
void ohci_port_disable(struct usb_bus *bus, unsigned port);
/* ohci_ports_poll - goes on with resets. */
void ohci_ports_poll(struct ohci *ohci, uint64_t now_us);
/* ohci_ports_look - marks the ports at which something has changed. */
void ohci_ports_look(struct ohci *ohci);

#endif
