/* The xHCI driver against a model of the controller: registers, command ring,
 * event ring, contexts, and an engine that works through transfer rings a block
 * at a time (4.6, 4.9 - 4.11). DMA addresses are this program's pointers, which
 * lie below 4 GiB. A device is made here and driven by the host operations,
 * without the USB core. */
/* The driver whole: its probe and poll are static. */
#include "drivers/usb/xhci.c" /* NOLINT(bugprone-suspicious-include) */
#include "core/bytes.h"
#include "core/machine.h"
#include "core/timer.h"
#include "tests/unit/check.h"

#define OPERATIONAL 0x20u
#define RUNTIME     0x600u
#define DOORBELLS   0x800u
#define PORTS_USED  2u
#define SLOTS       4u
#define CONTEXTS    32u
#define STALLED     (-1)
#define NOT_NOW     (-2)
#define BROKEN      (-3)
#define CC_WIRE     4u
#define CC_NO_ROOM  21u
#define EP_RUNS     1u
#define EP_HALTS    2u
#define EP_STANDS   3u
#define TOKEN_IN    1u
#define TOKEN_SETUP 2u

struct model_ring {
    uint64_t at;
    uint32_t cycle;
};

static struct model_state {
    uint32_t registers[0x1000 / 4];
    uint64_t now_us;
    uint32_t interrupts;
    bool command_rung, slot_used[SLOTS + 1];
    bool rung[SLOTS + 1][CONTEXTS];
    struct model_ring commands, rings[SLOTS + 1][CONTEXTS];
    unsigned event_at;
    uint32_t event_cycle;
    /* What the device makes of a block: bytes taken or given, or an error. */
    int (*answer)(uint32_t direction, uint8_t *data, uint32_t bytes);
    unsigned carried; /* the endpoint of the block */
    bool tells_twice; /* of a short one at its last block, too */
    unsigned violations;
} model;

static struct pci_device pci;

/* ---- Registers ----------------------------------------------------------- */

static uint32_t *reg(size_t offset)
{
    return &model.registers[offset / 4];
}

static uint64_t reg64(size_t offset)
{
    return *reg(offset) | (uint64_t)*reg(offset + 4) << 32;
}

static void *pointer(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static void write_operational(size_t offset, uint32_t value)
{
    uint32_t *usbsts = reg(OPERATIONAL + XHCI_USBSTS);

    *reg(OPERATIONAL + offset) = value;
    if (offset == XHCI_USBSTS) {
        *usbsts = 0;
    } else if (offset == XHCI_USBCMD && (value & USBCMD_HCRST) != 0) {
        *reg(OPERATIONAL + offset) = 0;
        memset(model.slot_used, 0, sizeof model.slot_used);
        memset(model.rung, 0, sizeof model.rung);
        model.event_at = 0;
        model.event_cycle = 1;
    } else if (offset == XHCI_CRCR + 4) {
        model.commands.at = reg64(OPERATIONAL + XHCI_CRCR) & ~UINT64_C(0x3f);
        model.commands.cycle = *reg(OPERATIONAL + XHCI_CRCR) & 1;
        *reg(OPERATIONAL + XHCI_CRCR) = *reg(OPERATIONAL + offset) = 0;
    }
    if (offset == XHCI_USBCMD || offset == XHCI_USBSTS)
        *usbsts = *reg(OPERATIONAL + XHCI_USBCMD) & USBCMD_RS ? 0 : USBSTS_HCH;
}

uint32_t io_read32(const struct io_region *region, size_t offset)
{
    (void)region;
    return *reg(offset);
}

uint8_t io_read8(const struct io_region *region, size_t offset)
{
    (void)region;
    return (uint8_t)(*reg(offset & ~(size_t)3) >> 8 * (offset & 3));
}

void io_write8(const struct io_region *region, size_t offset, uint8_t value)
{
    (void)region;
    (void)offset;
    (void)value;
    model.violations++;
}

static uint32_t *output_of(unsigned slot, unsigned context)
{
    const uint64_t *contexts = pointer(reg64(OPERATIONAL + XHCI_DCBAAP));

    return (uint32_t *)pointer(contexts[slot]) + context * 8;
}

static unsigned state_of(unsigned slot, unsigned context)
{
    return output_of(slot, context)[0] & 7;
}

static void set_state(unsigned slot, unsigned context, unsigned is)
{
    uint32_t *output = output_of(slot, context);

    output[0] = (output[0] & ~7U) | is;
}

/* An endpoint that stands runs again; one that has halted does not hear. */
static void ring_bell(size_t slot, uint32_t context)
{
    if (context > 1 && state_of((unsigned)slot, context) == EP_STANDS)
        set_state((unsigned)slot, context, EP_RUNS);
    model.rung[slot][context] = true;
}

void io_write32(const struct io_region *region, size_t offset, uint32_t value)
{
    (void)region;
    if (offset >= DOORBELLS) {
        const size_t slot = (offset - DOORBELLS) / 4;

        CHECK(slot <= SLOTS && value < CONTEXTS);
        if (slot == 0)
            model.command_rung = true;
        else
            ring_bell(slot, value);
    } else if (offset >= OPERATIONAL && offset < RUNTIME) {
        write_operational(offset - OPERATIONAL, value);
    } else {
        *reg(offset) = value;
    }
}

/* ---- Rings --------------------------------------------------------------- */

static void put_event(uint64_t parameter, uint32_t status, uint32_t control)
{
    const uint64_t *segment = pointer(reg64(RUNTIME + XHCI_ERSTBA));
    struct xhci_trb *event = pointer(segment[0]);

    event += model.event_at;
    event->parameter = parameter;
    event->status = status;
    event->control = control | model.event_cycle;
    model.interrupts++;
    if (++model.event_at == (uint32_t)segment[1]) {
        model.event_at = 0;
        model.event_cycle ^= 1;
    }
}

/* The next block that is the controller's; NULL: there is none. */
static struct xhci_trb *next_block(struct model_ring *ring)
{
    struct xhci_trb *trb = pointer(ring->at);

    if ((trb->control & TRB_CYCLE) != ring->cycle)
        return NULL;
    if (TRB_TYPE_OF(trb->control) != TRB_LINK)
        return trb;
    ring->at = trb->parameter;
    ring->cycle ^= (trb->control & TRB_TOGGLE) != 0;
    trb = pointer(ring->at);
    return (trb->control & TRB_CYCLE) == ring->cycle ? trb : NULL;
}

/* ---- Commands ------------------------------------------------------------ */

static void take_context(unsigned slot, unsigned context, const uint32_t *input)
{
    uint32_t *output = output_of(slot, context);

    memcpy(output, input + (context + 1) * 8, 32);
    if (context == 0)
        return;
    output[0] = (output[0] & ~7U) | EP_RUNS;
    model.rings[slot][context].at =
        ((uint64_t)output[3] << 32 | output[2]) & ~UINT64_C(0xf);
    model.rings[slot][context].cycle = output[2] & 1;
}

static void take_input(unsigned slot, uint64_t parameter)
{
    const uint32_t *input = pointer(parameter);

    for (unsigned i = 1; i < CONTEXTS; i++) {
        if (input[0] >> i & 1)
            set_state(slot, i, 0);
    }
    for (unsigned i = 0; i < CONTEXTS; i++) {
        if (input[1] >> i & 1)
            take_context(slot, i, input);
    }
}

static unsigned enable_slot(void)
{
    for (unsigned i = 1; i <= SLOTS; i++) {
        if (!model.slot_used[i]) {
            model.slot_used[i] = true;
            return i;
        }
    }
    return 0;
}

static uint32_t end_if(unsigned slot, unsigned context, unsigned is)
{
    if (state_of(slot, context) != is)
        return CC_CONTEXT_STATE;
    set_state(slot, context, EP_STANDS);
    return CC_SUCCESS;
}

static uint32_t set_dequeue(unsigned slot, unsigned context, uint64_t parameter)
{
    if (state_of(slot, context) != EP_STANDS)
        return CC_CONTEXT_STATE;
    model.rings[slot][context].at = parameter & ~UINT64_C(0xf);
    model.rings[slot][context].cycle = parameter & 1;
    return CC_SUCCESS;
}

static uint32_t stop(unsigned slot, unsigned context)
{
    const uint32_t code = end_if(slot, context, EP_RUNS);

    model.rung[slot][context] = false;
    if (code == CC_SUCCESS)
        put_event(model.rings[slot][context].at, (uint32_t)CC_STOPPED << 24,
                  TRB_TYPE(TRB_EVENT_TRANSFER) | slot << 24 | context << 16);
    return code;
}

static uint32_t carry_out(const struct xhci_trb *trb, unsigned *slot)
{
    const unsigned context = trb->control >> 16 & 0x1f;

    switch (TRB_TYPE_OF(trb->control)) {
    case TRB_ENABLE_SLOT:
        *slot = enable_slot();
        return *slot != 0 ? CC_SUCCESS : CC_NO_SLOTS;
    case TRB_DISABLE_SLOT:
        memset(model.rung[*slot], 0, sizeof model.rung[*slot]);
        model.slot_used[*slot] = false;
        return CC_SUCCESS;
    case TRB_ADDRESS_DEVICE:
    case TRB_CONFIGURE_ENDPOINT:
        take_input(*slot, trb->parameter);
        return CC_SUCCESS;
    case TRB_RESET_ENDPOINT:
        return end_if(*slot, context, EP_HALTS);
    case TRB_STOP_ENDPOINT:
        return stop(*slot, context);
    case TRB_SET_DEQUEUE:
        return set_dequeue(*slot, context, trb->parameter);
    default:
        return CC_SUCCESS;
    }
}

static void run_commands(void)
{
    struct xhci_trb *trb;

    while (model.command_rung && (trb = next_block(&model.commands)) != NULL) {
        unsigned slot = trb->control >> 24;
        const uint32_t code = carry_out(trb, &slot);

        put_event(model.commands.at, code << 24,
                  TRB_TYPE(TRB_EVENT_COMMAND) | slot << 24);
        model.commands.at += sizeof *trb;
    }
    model.command_rung = false;
}

/* ---- Transfers ----------------------------------------------------------- */

static void tell(unsigned slot, unsigned context, uint32_t code, uint32_t left)
{
    put_event(model.rings[slot][context].at, code << 24 | left,
              TRB_TYPE(TRB_EVENT_TRANSFER) | slot << 24 | context << 16);
}

/* Passes over what is left of a transfer that was short. */
static void skip_rest(unsigned slot, unsigned context, struct xhci_trb *trb)
{
    struct model_ring *ring = &model.rings[slot][context];

    while ((trb->control & TRB_CHAIN) != 0) {
        ring->at += sizeof *trb;
        trb = next_block(ring);
        if (trb == NULL) {
            model.violations++;
            return;
        }
        if ((trb->control & TRB_IOC) != 0 && model.tells_twice)
            tell(slot, context, CC_SHORT_PACKET, trb->status & 0x1ffff);
    }
    ring->at += sizeof *trb;
}

/* One block; returns whether the endpoint goes on behind it. */
static bool carry(unsigned slot, unsigned context, struct xhci_trb *trb)
{
    const uint32_t bytes = trb->status & 0x1ffff;
    const bool in = context % 2 != 0;
    int result;

    model.carried = context / 2;
    result = model.answer(in ? TOKEN_IN : 0, pointer(trb->parameter), bytes);
    if (result == NOT_NOW)
        return false;
    if (result < 0) {
        set_state(slot, context, EP_HALTS);
        tell(slot, context, result == STALLED ? CC_STALL : CC_WIRE, bytes);
        return false;
    }
    if ((uint32_t)result < bytes) {
        if (trb->control & (TRB_ISP | TRB_IOC))
            tell(slot, context, CC_SHORT_PACKET, bytes - (uint32_t)result);
        skip_rest(slot, context, trb);
        return true;
    }
    if ((trb->control & TRB_IOC) != 0)
        tell(slot, context, CC_SUCCESS, 0);
    model.rings[slot][context].at += sizeof *trb;
    return true;
}

static void run_endpoint(unsigned slot, unsigned context)
{
    struct model_ring *ring = &model.rings[slot][context];
    struct xhci_trb *trb;

    while (state_of(slot, context) == EP_RUNS &&
           (trb = next_block(ring)) != NULL) {
        if (!carry(slot, context, trb))
            return; /* is asked again, or halted */
    }
    model.rung[slot][context] = false;
}

static void run_frame(void)
{
    if ((*reg(OPERATIONAL + XHCI_USBCMD) & USBCMD_RS) == 0)
        return;
    run_commands();
    for (unsigned slot = 1; slot <= SLOTS; slot++) {
        for (unsigned i = 2; i < CONTEXTS && model.slot_used[slot]; i++) {
            if (model.rung[slot][i])
                run_endpoint(slot, i);
        }
    }
}

/* ---- The rest of the PC -------------------------------------------------- */

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
    (void)device;
    (void)offset;
    return 0;
}

void pci_write32(const struct pci_device *device, unsigned offset,
                 uint32_t value)
{
    (void)device;
    (void)offset;
    (void)value;
}

#define HOST_BASE       0xfebc0000
#define HOST_BYTES      0x1000
#define HOST_IS_IO      false
#define HOST_INTERRUPTS model.interrupts
#include "tests/unit/usb_host_pc.h"

/* ---- Driving ------------------------------------------------------------- */

static struct xhci *xhci;

#include "tests/unit/usb_run.h"

/* As the USB core does: what is to be done with a device goes on when the
 * command before is over. Those of others may come first. */
static void end_commands(void)
{
    for (unsigned i = 0; i < 100 && !list_empty(&xhci->commands); i++)
        run_ms(1);
    CHECK(list_empty(&xhci->commands));
}

static void address(struct usb_device *device)
{
    xhci_device_address(device);
    end_commands();
}

static void open_endpoints(struct usb_device *device)
{
    xhci_endpoints_open(device);
    end_commands();
}

#define HOST                 xhci
#define HOST_SPEED           USB_HIGH
#define HOST_ADDRESS         address
#define HOST_ENDPOINTS_OPEN  open_endpoints
#define HOST_IS_OPEN(device) ((device)->interfaces[0].endpoints[3].host != NULL)
#define HOST_CLOSE           xhci_device_close
#define HOST_TRANSFER        xhci_transfer
#define HOST_ENDPOINT_RESET  xhci_endpoint_reset
#define HOST_CARRIED         model.carried
#define HOST_EP_IS_RESET(number)
#define STRESS_BYTES 150000u
#include "tests/unit/usb_stress.h"

static void begin(void)
{
    static const struct pci_id id = {PCI_ANY, PCI_ANY, 0, 0, "xHCI", 0};

    if (xhci != NULL) {
        die(xhci, "end of the test");
        timer_stop(&xhci->bus.wake);
    }
    memset(&state, 0, sizeof state);
    memset(&model, 0, sizeof model);
    model.now_us = 5000000;
    model.event_cycle = 1;
    *reg(XHCI_CAPLENGTH) = OPERATIONAL | 0x100 << 16;
    *reg(XHCI_HCSPARAMS1) = PORTS_USED << 24 | 1 << 8 | SLOTS;
    *reg(XHCI_DBOFF) = DOORBELLS;
    *reg(XHCI_RTSOFF) = RUNTIME;
    *reg(OPERATIONAL + XHCI_PAGESIZE) = 1;
    *reg(OPERATIONAL + XHCI_USBSTS) = USBSTS_HCH;
    CHECK(probe(&pci, &id) == OK);
    xhci = pci.driver_data;
    run_ms(100);
    CHECK(xhci->state == XHCI_RUN);
}

/* ---- Tests --------------------------------------------------------------- */

static void test_stress(void)
{
    for (uint32_t seed = 1; seed <= 3; seed++) {
        begin();
        model.tells_twice = seed % 2 != 0;
        stress_run(seed);
        CHECK(model.violations == 0 && xhci->restarts == 0);
    }
}

int main(void)
{
    timer_module_init();
    test_stress();
    return check_report();
}
