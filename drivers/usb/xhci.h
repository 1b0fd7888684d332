/* What the files of the xHCI driver share. Sections named are those of the
 * eXtensible Host Controller Interface specification 1.2. */
#ifndef DRIVERS_USB_XHCI_H
#define DRIVERS_USB_XHCI_H

#include "drivers/io.h"
#include "drivers/pci.h"
#include "drivers/usb/usb.h"

#define XHCI_CONTROLLERS 4
#define XHCI_SLOTS       24 /* devices on one controller */
#define XHCI_ENDPOINTS   6  /* open at one device, endpoint 0 included */
#define XHCI_RING_TRBS   64
#define XHCI_EVENT_TRBS  256
#define XHCI_SCRATCHPADS 1023

/* Capability registers (5.3). */
#define XHCI_CAPLENGTH  0x00 /* and HCIVERSION in bits 31:16 */
#define XHCI_HCSPARAMS1 0x04
#define XHCI_HCSPARAMS2 0x08
#define XHCI_HCCPARAMS1 0x10
#define XHCI_DBOFF      0x14
#define XHCI_RTSOFF     0x18
#define HCCPARAMS1_AC64 0x1
#define HCCPARAMS1_CSZ  0x4
#define HCCPARAMS1_PPC  0x8

/* Operational registers (5.4). */
#define XHCI_USBCMD   0x00
#define XHCI_USBSTS   0x04
#define XHCI_PAGESIZE 0x08
#define XHCI_DNCTRL   0x14
#define XHCI_CRCR     0x18
#define XHCI_DCBAAP   0x30
#define XHCI_CONFIG   0x38
#define XHCI_PORTSC   0x400
#define USBCMD_RS     0x1
#define USBCMD_HCRST  0x2
#define USBCMD_INTE   0x4
#define USBCMD_HSEE   0x8
#define USBSTS_HCH    0x1
#define USBSTS_HSE    0x4
#define USBSTS_EINT   0x8
#define USBSTS_PCD    0x10
#define USBSTS_CNR    0x800
#define USBSTS_HCE    0x1000
#define CRCR_RCS      0x1
#define CRCR_CA       0x4
#define CRCR_CRR      0x8

#define PORTSC_CCS       0x1
#define PORTSC_PED       0x2
#define PORTSC_PR        0x10
#define PORTSC_PLS_SHIFT 5
#define PORTSC_PLS_MASK  0x1e0
#define PORTSC_PP        0x200
#define PORTSC_SPEED(v)  (((v) >> 10) & 0xf)
#define PORTSC_KEEP      0xc200 /* PP and PIC: all that may be written back */
#define PORTSC_LWS       0x10000
#define PORTSC_CSC       0x20000
#define PORTSC_CHANGES   0xfe0000
#define PORTSC_WPR       0x80000000
#define PLS_DISABLED     4
#define PLS_RXDETECT     5
#define PLS_INACTIVE     6
#define PLS_COMPLIANCE   10

/* Runtime registers of interrupter 0 (5.5.2). */
#define XHCI_IMAN   0x20
#define XHCI_IMOD   0x24
#define XHCI_ERSTSZ 0x28
#define XHCI_ERSTBA 0x30
#define XHCI_ERDP   0x38
#define IMAN_IP     0x1
#define IMAN_IE     0x2
#define ERDP_EHB    0x8

/* Transfer request blocks (6.4). */
#define TRB_CYCLE         0x1
#define TRB_TOGGLE        0x2
#define TRB_ISP           0x4
#define TRB_CHAIN         0x10
#define TRB_IOC           0x20
#define TRB_IDT           0x40
#define TRB_DIR_IN        0x10000
#define TRB_TYPE(type)    ((uint32_t)(type) << 10)
#define TRB_TYPE_OF(word) (((word) >> 10) & 0x3f)
enum xhci_trb_type {
    TRB_NORMAL = 1,
    TRB_SETUP = 2,
    TRB_DATA = 3,
    TRB_STATUS = 4,
    TRB_LINK = 6,
    TRB_ENABLE_SLOT = 9,
    TRB_DISABLE_SLOT = 10,
    TRB_ADDRESS_DEVICE = 11,
    TRB_CONFIGURE_ENDPOINT = 12,
    TRB_EVALUATE_CONTEXT = 13,
    TRB_RESET_ENDPOINT = 14,
    TRB_STOP_ENDPOINT = 15,
    TRB_SET_DEQUEUE = 16,
    TRB_NO_OP = 23,
    TRB_EVENT_TRANSFER = 32,
    TRB_EVENT_COMMAND = 33,
    TRB_EVENT_PORT = 34,
};

/* Completion codes (6.4.5). CC_NONE: the command never came to an end. */
enum xhci_code {
    CC_NONE = 0,
    CC_SUCCESS = 1,
    CC_STALL = 6,
    CC_NO_SLOTS = 9,
    CC_SLOT_NOT_ENABLED = 11,
    CC_SHORT_PACKET = 13,
    CC_RING_UNDERRUN = 14,
    CC_RING_OVERRUN = 15,
    CC_CONTEXT_STATE = 19,
    CC_RING_STOPPED = 24,
    CC_ABORTED = 25,
    CC_STOPPED = 26,
    CC_STOPPED_LENGTH = 27,
    CC_STOPPED_SHORT = 28,
};

struct xhci_trb {
    uint64_t parameter;
    uint32_t status;
    uint32_t control;
};

struct xhci_ring {
    struct xhci_trb *trbs; /* XHCI_RING_TRBS, the last one is the link */
    uint64_t address;
    uint16_t enqueue;
    uint16_t cycle;
};

struct xhci;
struct xhci_device;
struct xhci_endpoint;

/* One command; lies in the structure that it is for, so that there is always
 * room. Commands go to the controller one at a time, in order. */
struct xhci_command {
    struct list link;
    struct xhci_device *device;
    struct xhci_endpoint *endpoint;
    uint64_t parameter;
    uint32_t status;
    uint32_t control;
    /* When its turn comes: fills the input context. NULL: filled already. */
    void (*prepare)(struct xhci_command *command);
    void (*done)(struct xhci *xhci, struct xhci_command *command,
                 enum xhci_code code, uint8_t slot);
};

struct xhci_endpoint {
    struct xhci_device *device;
    struct usb_endpoint *usb; /* NULL: not open */
    uint8_t index;            /* device context index, 1 .. 31 (4.5.1) */
    uint8_t tries;            /* of the reset that goes on */
    uint32_t short_actual;    /* control: what the data stage brought */
    bool is_short;
    struct xhci_ring ring;
    struct list transfers;
    struct xhci_command command;
};

struct xhci_device {
    struct xhci *xhci;
    struct usb_device *usb; /* NULL: free */
    bool leaked;            /* its slot could not be disabled: never reused */
    bool closing;
    uint8_t slot; /* 0: none yet */
    uint8_t *input;
    uint8_t *output;
    struct xhci_command command;
    struct xhci_endpoint endpoints[XHCI_ENDPOINTS];
};

enum xhci_state {
    XHCI_HANDOFF, /* the BIOS has been asked for the controller */
    XHCI_WAIT,    /* for the other controllers to be given up by it */
    XHCI_HALT,
    XHCI_RESET, /* settling 1 ms after HCRST, then until it is over */
    XHCI_POWER, /* ports have power, 20 ms until it is good */
    XHCI_RUN,
    XHCI_DEAD,
};

struct xhci {
    struct usb_bus bus;
    struct pci_device *pci;
    struct io_region io;
    uint32_t quirks;
    enum xhci_state state;
    uint64_t state_us; /* when the state was entered */
    uint64_t check_us; /* when the status is looked at again */
    uint64_t probe_us;
    uint64_t handoff; /* offset of USBLEGSUP, or 0 */
    uint32_t operational, runtime, doorbells;
    uint32_t structure1, capability1; /* HCSPARAMS1, HCCPARAMS1 */
    unsigned ports, slots;
    unsigned context_bytes; /* 32 or 64 */
    unsigned restarts;
    uint8_t port_major[USB_ROOT_PORTS]; /* USB 2 or 3; 0: not described */

    uint64_t *contexts; /* DCBAA */
    uint64_t *scratchpads;
    unsigned scratchpad_count;
    struct xhci_ring command_ring;
    struct list commands; /* the first one is with the controller */
    uint64_t command_us;  /* when it was given to it; 0: none is */
    bool command_aborted;

    struct xhci_trb *events;
    uint64_t *event_segment;
    uint16_t event_index;
    uint16_t event_cycle;
    struct xhci_device devices[XHCI_SLOTS];
};

/* xhci.c */
/* xhci_fail - the controller does not do its work: all its devices are
 * dropped and it is started anew. */
void xhci_fail(struct xhci *xhci, const char *reason);

static inline uint32_t xhci_read(const struct xhci *xhci, uint32_t offset)
{
    return io_read32(&xhci->io, xhci->operational + offset);
}

static inline void xhci_write(const struct xhci *xhci, uint32_t offset,
                              uint32_t value)
{
    io_write32(&xhci->io, xhci->operational + offset, value);
}

void xhci_write64(const struct xhci *xhci, uint32_t offset, uint64_t value);

/* xhci_setup.c: memory, register set-up */
enum err xhci_take_memory(struct xhci *xhci) MUST_CHECK;
void xhci_program(struct xhci *xhci);
void xhci_read_protocols(struct xhci *xhci);

/* xhci_ring.c */
enum err xhci_ring_take(struct xhci_ring *ring) MUST_CHECK;
/* xhci_ring_clear - empty, from its beginning, cycle 1. */
void xhci_ring_clear(struct xhci_ring *ring);
/* xhci_ring_put - writes one TRB; with `hold` the controller does not see it,
 * nor what follows, before xhci_ring_release(). Returns its index. */
uint16_t xhci_ring_put(struct xhci_ring *ring, const struct xhci_trb *trb,
                       bool hold);
void xhci_ring_release(struct xhci_ring *ring, uint16_t index);
void xhci_doorbell(const struct xhci *xhci, unsigned slot, uint32_t target);
/* xhci_command_submit - queues it; done() follows, unless the controller fails
 * first. */
void xhci_command_submit(struct xhci *xhci, struct xhci_command *command);
void xhci_command_event(struct xhci *xhci, const struct xhci_trb *event);
/* xhci_command_poll - aborts a command that takes too long (4.6.1.2). */
void xhci_command_poll(struct xhci *xhci, uint64_t now_us);

/* xhci_transfer.c */
enum err xhci_transfer(struct usb_transfer *transfer);
void xhci_transfer_event(struct xhci *xhci, const struct xhci_trb *event);
void xhci_endpoint_reset(struct usb_endpoint *endpoint);
/* xhci_endpoint_end - ends all its transfers. */
void xhci_endpoint_end(struct xhci_endpoint *endpoint, enum usb_status status);

/* xhci_device.c */
void xhci_device_address(struct usb_device *device);
void xhci_control_update(struct usb_device *device);
void xhci_endpoints_open(struct usb_device *device);
void xhci_device_close(struct usb_device *device);
/* xhci_devices_drop - after a reset of the controller: no device is left. */
void xhci_devices_drop(struct xhci *xhci);
/* xhci_input_flags - empties the input context and sets its flags. */
void xhci_input_flags(struct xhci_device *device, uint32_t drop, uint32_t add);
/* Context `index` in the input, resp. output context (0: slot). */
uint32_t *xhci_input_context(struct xhci_device *device, unsigned index);
const uint32_t *xhci_output_context(const struct xhci_device *device,
                                    unsigned index);
void xhci_input_endpoint(struct xhci_device *device,
                         const struct xhci_endpoint *endpoint);

/* xhci_port.c */
void xhci_port_power(struct xhci *xhci);
void xhci_port_status(struct usb_bus *bus, unsigned port,
                      struct usb_port_status *status);
void xhci_port_reset(struct usb_bus *bus, unsigned port);
void xhci_port_disable(struct usb_bus *bus, unsigned port);

#endif
