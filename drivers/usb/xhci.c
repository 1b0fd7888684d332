/* xHCI host controller: binding, start, events.
 *
 * Start is a row of timed states, moved on by xhci_poll():
 *   HANDOFF  the BIOS gives the controller up, within 1 s, else it is taken
 *   WAIT     until the BIOS has given up all others, too
 *   HALT     until it stands still
 *   RESET    1 ms without touching it, then until reset and ready
 *   POWER    rings are set up, it runs, ports get power
 *   RUN      the USB core looks after the ports
 * A controller that fails later goes through HALT and RESET again, after which
 * it does no DMA, and all its devices are dropped. Events are taken off their
 * ring one by one, each before it is acted upon, because acting may lead back
 * here.
 *
 * Not supported: MSI, streams, isochronous transfers, more than one
 * interrupter, speed tables other than the default one. */
#include "drivers/usb/xhci.h"
#include "core/log.h"
#include "drivers/usb/host.h"
#include <string.h>

#define QUIRK_PCH_SWITCH 0x1 /* ports are routed between EHCI and xHCI */

#define HANDOFF_US     1000000
#define HALT_US        100000
#define SETTLE_US      1000
#define RESET_US       2000000
#define POWER_US       20000
#define CHECK_US       100000
#define RESTARTS_MAX   8
#define EVENTS_AT_ONCE 512

/* USBLEGSUP and USBLEGCTLSTS (7.1). */
#define LEGSUP_BIOS        2
#define LEGSUP_OS          3
#define LEGCTLSTS          4
#define LEGCTLSTS_STATUS   0xe0000000U
#define LEGCTLSTS_PRESERVE 0x000e1feeU

/* Intel PCH port routing, in configuration space. */
#define PCH_XUSB2PR    0xd0
#define PCH_XUSB2PRM   0xd4
#define PCH_USB3_PSSEN 0xd8
#define PCH_USB3PRM    0xdc

static struct {
    unsigned count;
    struct xhci controllers[XHCI_CONTROLLERS];
} state;

static const struct usb_host_operations operations = {
    .port_status = xhci_port_status,
    .port_reset = xhci_port_reset,
    .port_disable = xhci_port_disable,
    .device_address = xhci_device_address,
    .control_update = xhci_control_update,
    .endpoints_open = xhci_endpoints_open,
    .device_close = xhci_device_close,
    .transfer = xhci_transfer,
    .endpoint_reset = xhci_endpoint_reset,
};

static void enter_state(struct xhci *xhci, enum xhci_state next,
                        uint64_t limit_us)
{
    xhci->state = next;
    xhci->state_us = io_now_us();
    usb_bus_wake(&xhci->bus, xhci->state_us, xhci->state_us + limit_us);
}

static bool older_than(const struct xhci *xhci, uint64_t now_us,
                       uint64_t limit_us)
{
    return now_us - xhci->state_us >= limit_us;
}

/* ---- Start ----------------------------------------------------------- */

static void die(struct xhci *xhci, const char *reason)
{
    uint16_t command = pci_read16(xhci->pci, PCI_COMMAND);

    log_err("xhci", "%s: given up: %s", xhci->bus.name, reason);
    pci_write16(xhci->pci, PCI_COMMAND,
                (uint16_t)(command & ~PCI_COMMAND_MASTER));
    xhci->state = XHCI_DEAD;
    xhci_devices_drop(xhci);
    usb_bus_drop(&xhci->bus);
}

static void begin_halt(struct xhci *xhci)
{
    uint32_t command = xhci_read(xhci, XHCI_USBCMD);

    xhci_write(xhci, XHCI_USBCMD,
               command & ~(uint32_t)(USBCMD_RS | USBCMD_INTE));
    enter_state(xhci, XHCI_HALT, 1000);
}

void xhci_fail(struct xhci *xhci, const char *reason)
{
    if (xhci->state != XHCI_RUN && xhci->state != XHCI_POWER) {
        return;
    }
    log_err("xhci", "%s: %s: started anew", xhci->bus.name, reason);
    xhci->restarts = usb_host_failures(xhci->restarts, xhci->state_us);
    begin_halt(xhci);
}

static void poll_handoff(struct xhci *xhci, uint64_t now_us)
{
    uint32_t offset = (uint32_t)xhci->handoff;
    uint32_t control;

    if (offset != 0) {
        if (io_read8(&xhci->io, offset + LEGSUP_BIOS) & 1) {
            if (!older_than(xhci, now_us, HANDOFF_US)) {
                usb_bus_wake(&xhci->bus, now_us, now_us + 1000);
                return;
            }
            log_warn("xhci", "%s: taken from the BIOS by force",
                     xhci->bus.name);
            io_write8(&xhci->io, offset + LEGSUP_BIOS, 0);
        }
        /* No SMI for us, whatever the BIOS left enabled. */
        control = io_read32(&xhci->io, offset + LEGCTLSTS);
        io_write32(&xhci->io, offset + LEGCTLSTS,
                   (control & LEGCTLSTS_PRESERVE) | LEGCTLSTS_STATUS);
    }
    usb_gate_release(USB_GATE_HANDOFF);
    enter_state(xhci, XHCI_WAIT, 0);
}

static void poll_wait(struct xhci *xhci, uint64_t now_us)
{
    if (usb_gate_is_open(USB_GATE_HANDOFF)) {
        begin_halt(xhci);
    } else {
        usb_bus_wake(&xhci->bus, now_us, now_us + 1000);
    }
}

static void poll_halt(struct xhci *xhci, uint64_t now_us)
{
    if ((xhci_read(xhci, XHCI_USBSTS) & USBSTS_HCH) == 0 &&
        !older_than(xhci, now_us, HALT_US)) {
        usb_bus_wake(&xhci->bus, now_us, now_us + 1000);
        return;
    }
    xhci_write(xhci, XHCI_USBCMD, USBCMD_HCRST);
    enter_state(xhci, XHCI_RESET, SETTLE_US);
}

static void begin_power(struct xhci *xhci)
{
    xhci_devices_drop(xhci);
    usb_bus_drop(&xhci->bus);
    if (xhci_take_memory(xhci) != OK) {
        die(xhci, "no memory");
        return;
    }
    pci_enable(xhci->pci);
    xhci_program(xhci);
    xhci_port_power(xhci);
    enter_state(xhci, XHCI_POWER, POWER_US);
}

static void poll_reset(struct xhci *xhci, uint64_t now_us)
{
    /* Some Intel chips hang the machine when they are read too soon. */
    if (!older_than(xhci, now_us, SETTLE_US)) {
        usb_bus_wake(&xhci->bus, now_us, xhci->state_us + SETTLE_US);
        return;
    }
    if ((xhci_read(xhci, XHCI_USBCMD) & USBCMD_HCRST) != 0 ||
        (xhci_read(xhci, XHCI_USBSTS) & USBSTS_CNR) != 0) {
        if (older_than(xhci, now_us, RESET_US)) {
            die(xhci, "reset does not end");
        } else {
            usb_bus_wake(&xhci->bus, now_us, now_us + 1000);
        }
        return;
    }
    if (xhci->restarts > RESTARTS_MAX) {
        die(xhci, "it fails again and again");
        return;
    }
    begin_power(xhci);
}

static void poll_power(struct xhci *xhci, uint64_t now_us)
{
    if (!older_than(xhci, now_us, POWER_US)) {
        usb_bus_wake(&xhci->bus, now_us, xhci->state_us + POWER_US);
        return;
    }
    xhci->state = XHCI_RUN;
    xhci->check_us = now_us + CHECK_US;
    usb_bus_add(&xhci->bus);
    log_info("xhci", "%s: runs, ports=%u after_ms=%u", xhci->bus.name,
             xhci->ports, (unsigned)((now_us - xhci->probe_us) / 1000));
}

/* ---- Events ---------------------------------------------------------- */

static bool next_event(struct xhci *xhci, struct xhci_trb *event)
{
    const volatile struct xhci_trb *place = &xhci->events[xhci->event_index];
    uint32_t control = place->control;

    if ((control & TRB_CYCLE) != xhci->event_cycle) {
        return false;
    }
    io_barrier();
    event->parameter = place->parameter;
    event->status = place->status;
    event->control = control;
    xhci->event_index++;
    if (xhci->event_index == XHCI_EVENT_TRBS) {
        xhci->event_index = 0;
        xhci->event_cycle ^= TRB_CYCLE;
    }
    return true;
}

static void handle_event(struct xhci *xhci, const struct xhci_trb *event)
{
    switch (TRB_TYPE_OF(event->control)) {
    case TRB_EVENT_TRANSFER:
        xhci_transfer_event(xhci, event);
        break;
    case TRB_EVENT_COMMAND:
        xhci_command_event(xhci, event);
        break;
    case TRB_EVENT_PORT:
        usb_port_changed(&xhci->bus, (unsigned)(event->parameter >> 24) & 0xff);
        break;
    default:
        break; /* others are of no use to us */
    }
}

/* Tells the controller how far its events were taken, and ends its interrupt.
 * The line is level-triggered: acknowledged before the pointer moves, so that
 * a later event raises it again (4.17.5). */
static void acknowledge(struct xhci *xhci)
{
    uint64_t address = io_dma_address(&xhci->events[xhci->event_index]);
    uint32_t offset = xhci->runtime - xhci->operational;

    xhci_write(xhci, XHCI_USBSTS, USBSTS_EINT);
    xhci_write(xhci, offset + XHCI_IMAN, IMAN_IP | IMAN_IE);
    xhci_write64(xhci, offset + XHCI_ERDP, address | ERDP_EHB);
}

/* Each event is acknowledged before it is acted on: the controller that QEMU
 * models is not done with a transfer when its event can be seen, and hangs when
 * the next one is on the ring too early; its registers cannot be reached before
 * it is. */
static bool poll_events(struct xhci *xhci)
{
    struct xhci_trb event;
    unsigned count = 0;

    while (count < EVENTS_AT_ONCE && next_event(xhci, &event)) {
        count++;
        acknowledge(xhci);
        handle_event(xhci, &event);
        if (xhci->state == XHCI_HALT) {
            return true; /* failed meanwhile */
        }
    }
    return count > 0;
}

/* The controller's own state: errors that raise no event. Reads registers,
 * which is slow, so not each time. */
static void check_status(struct xhci *xhci, uint64_t now_us)
{
    uint32_t status = xhci_read(xhci, XHCI_USBSTS);

    xhci->check_us = now_us + CHECK_US;
    if (status == UINT32_MAX) {
        die(xhci, "it is gone");
    } else if ((status & (USBSTS_HSE | USBSTS_HCE | USBSTS_HCH)) != 0) {
        xhci_fail(xhci, "host error");
    } else if ((status & (USBSTS_EINT | USBSTS_PCD)) != 0) {
        xhci_write(xhci, XHCI_USBSTS, status & (USBSTS_EINT | USBSTS_PCD));
        acknowledge(xhci);
    }
}

static bool poll_run(struct xhci *xhci, uint64_t now_us)
{
    bool busy = false;
    unsigned rounds;

    /* What an event sets going may be through at once: looks again, so that a
     * short command takes one turn of MT. */
    for (rounds = 0; rounds < 8; rounds++) {
        bool again = poll_events(xhci);

        again |= usb_bus_poll(&xhci->bus);
        busy |= again;
        if (!again || xhci->state != XHCI_RUN) {
            break;
        }
    }
    if (xhci->state != XHCI_RUN) {
        return true;
    }
    xhci_command_poll(xhci, now_us);
    if (now_us >= xhci->check_us) {
        check_status(xhci, now_us);
    }
    if (xhci->command_us != 0) {
        usb_bus_wake(&xhci->bus, now_us, now_us + CHECK_US);
    }
    return busy;
}

static bool poll(struct pci_device *device)
{
    struct xhci *xhci = device->driver_data;
    enum xhci_state before = xhci->state;
    uint64_t now_us;

    if (before == XHCI_DEAD) {
        return false;
    }
    now_us = io_now_us();
    switch (before) {
    case XHCI_HANDOFF:
        poll_handoff(xhci, now_us);
        break;
    case XHCI_WAIT:
        poll_wait(xhci, now_us);
        break;
    case XHCI_HALT:
        poll_halt(xhci, now_us);
        break;
    case XHCI_RESET:
        poll_reset(xhci, now_us);
        break;
    case XHCI_POWER:
        poll_power(xhci, now_us);
        break;
    case XHCI_RUN:
        return poll_run(xhci, now_us);
    case XHCI_DEAD:
    default:
        break;
    }
    return xhci->state != before;
}

/* ---- Binding --------------------------------------------------------- */

/* All registers that are used must lie within the BAR. */
static enum err read_capabilities(struct xhci *xhci)
{
    uint32_t structure1 = io_read32(&xhci->io, XHCI_HCSPARAMS1);
    size_t bytes = xhci->io.bytes;

    if (structure1 == UINT32_MAX) {
        return ERR_IO;
    }
    xhci->structure1 = structure1;
    xhci->capability1 = io_read32(&xhci->io, XHCI_HCCPARAMS1);
    xhci->operational = io_read8(&xhci->io, XHCI_CAPLENGTH);
    xhci->doorbells = io_read32(&xhci->io, XHCI_DBOFF) & ~3U;
    xhci->runtime = io_read32(&xhci->io, XHCI_RTSOFF) & ~0x1fU;
    xhci->ports = structure1 >> 24;
    xhci->slots = structure1 & 0xff;
    if (xhci->slots > XHCI_SLOTS) {
        xhci->slots = XHCI_SLOTS;
    }
    if (xhci->ports > USB_ROOT_PORTS - 1) {
        xhci->ports = USB_ROOT_PORTS - 1;
    }
    xhci->context_bytes = (xhci->capability1 & HCCPARAMS1_CSZ) != 0 ? 64 : 32;
    if (xhci->ports == 0 || xhci->slots == 0 ||
        xhci->operational + XHCI_PORTSC + 16 * xhci->ports > bytes ||
        xhci->doorbells > bytes || bytes - xhci->doorbells < 4 * 33 ||
        xhci->runtime > bytes || bytes - xhci->runtime < 0x40 ||
        xhci->runtime < xhci->operational) {
        return ERR_INVALID;
    }
    return OK;
}

static void route_ports(const struct pci_device *device)
{
    pci_write32(device, PCH_USB3_PSSEN,
                pci_read32(device, PCH_USB3_PSSEN) |
                    pci_read32(device, PCH_USB3PRM));
    pci_write32(device, PCH_XUSB2PR,
                pci_read32(device, PCH_XUSB2PR) |
                    pci_read32(device, PCH_XUSB2PRM));
}

static enum err probe(struct pci_device *device, const struct pci_id *id)
{
    struct xhci *xhci;
    enum err result;

    if (state.count == XHCI_CONTROLLERS) {
        return ERR_FULL;
    }
    xhci = &state.controllers[state.count];
    memset(xhci, 0, sizeof *xhci);
    xhci->pci = device;
    xhci->quirks = id->quirks;
    result = usb_host_map(device, 0, 0x1000, &xhci->io);
    if (result == OK) {
        result = read_capabilities(xhci);
    }
    if (result != OK) {
        log_err("xhci", "%s: not usable: %s", id->name, err_text(result));
        return result;
    }
    state.count++;
    device->driver_data = xhci;
    xhci->bus.operations = &operations;
    xhci->bus.host = xhci;
    xhci->bus.name = usb_host_name(id->name);
    xhci->bus.ports = xhci->ports;
    xhci->probe_us = io_now_us();
    list_init(&xhci->commands);
    usb_bus_prepare(&xhci->bus);
    xhci_read_protocols(xhci);
    if ((xhci->quirks & QUIRK_PCH_SWITCH) != 0) {
        route_ports(device);
    }
    if (xhci->handoff != 0) {
        io_write8(&xhci->io, (uint32_t)xhci->handoff + LEGSUP_OS, 1);
    }
    pci_route_interrupt(device);
    usb_gate_hold(USB_GATE_HANDOFF);
    enter_state(xhci, XHCI_HANDOFF, 0);
    return OK;
}

#define INTEL_PCH(device, name)                                                \
    {                                                                          \
        0x8086, device, 0, 0, name, QUIRK_PCH_SWITCH                           \
    }

static const struct pci_id ids[] = {
    INTEL_PCH(0x1e31, "Intel Panther Point xHCI"),
    INTEL_PCH(0x8c31, "Intel Lynx Point xHCI"),
    INTEL_PCH(0x9c31, "Intel Lynx Point-LP xHCI"),
    INTEL_PCH(0x8cb1, "Intel Wildcat Point xHCI"),
    INTEL_PCH(0x9cb1, "Intel Wildcat Point-LP xHCI"),
    {PCI_ANY, PCI_ANY, 0x0c0330, 0xffffff, "xHCI", 0},
};

static const struct pci_driver xhci_driver = {
    .name = "xhci",
    .ids = ids,
    .id_count = sizeof ids / sizeof ids[0],
    .probe = probe,
    .poll = poll,
};
PCI_DRIVER(xhci_driver);
