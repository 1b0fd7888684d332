/* EHCI host controller: binding, start, poll.
 *
 * Start is a row of timed states, moved on by poll():
 *   HANDOFF  the BIOS gives the controller up, within 1 s, else it is taken
 *   WAIT     until it has given up all others, too
 *   HALT     until it stands still
 *   RESET    until that is over
 *   POWER    schedules are set up, it runs, all ports are its own, have power
 *   RUN      the USB core looks after the ports
 * Its companions begin when all EHCI controllers have come to RUN (host.h).
 * Completion is seen in memory, without touching a register; the interrupt only
 * ends the processor's sleep. A controller that fails is started anew, and all
 * its devices are dropped.
 *
 * Not supported: isochronous transfers, bandwidth reckoning, several
 * transaction translators of one hub, suspend. */
#include "drivers/usb/ehci.h"
#include "core/log.h"
#include "drivers/usb/host.h"
#include <string.h>

#define HANDOFF_US   1000000
#define HALT_US      20000
#define RESET_US     500000
#define POWER_US     20000
#define ATTACH_US    100000 /* USB 2.0 7.1.7.3, when power comes only now */
#define CHECK_US     100000
#define RESTARTS_MAX 8
#define ROUNDS_MAX   8

/* USBLEGSUP and USBLEGCTLSTS (5.1, 2.1.7, 2.1.8). */
#define EXT_CAPS_MAX     16
#define EXT_CAP_LEGACY   1
#define LEGSUP_BIOS      2
#define LEGSUP_OS        3
#define LEGCTLSTS        4
#define LEGCTLSTS_STATUS 0xe0000000U

static struct {
    unsigned count;
    struct ehci controllers[EHCI_CONTROLLERS];
} state;

static const struct usb_host_operations operations = {
    .port_status = ehci_port_status,
    .port_reset = ehci_port_reset,
    .port_disable = ehci_port_disable,
    .device_address = ehci_device_address,
    .control_update = ehci_control_update,
    .endpoints_open = ehci_endpoints_open,
    .device_close = ehci_device_close,
    .transfer = ehci_transfer,
    .endpoint_reset = ehci_endpoint_reset,
};

static void enter_state(struct ehci *ehci, enum ehci_state next)
{
    ehci->state = next;
    ehci->state_us = io_now_us();
    usb_bus_wake(&ehci->bus, ehci->state_us, ehci->state_us);
}

/* ---- Start and failure ----------------------------------------------- */

static void drop_devices(struct ehci *ehci)
{
    ehci_devices_drop(ehci);
    usb_bus_drop(&ehci->bus);
    memset(ehci->port_step, 0, sizeof ehci->port_step);
}

static void routed(struct ehci *ehci)
{
    if (ehci->routing) {
        ehci->routing = false;
        usb_gate_release(USB_GATE_ROUTED);
    }
}

static void die(struct ehci *ehci, const char *reason)
{
    uint16_t command = pci_read16(ehci->pci, PCI_COMMAND);

    log_err("ehci", "%s: given up: %s", ehci->bus.name, reason);
    pci_write16(ehci->pci, PCI_COMMAND,
                (uint16_t)(command & ~PCI_COMMAND_MASTER));
    ehci->state = EHCI_DEAD;
    drop_devices(ehci);
    routed(ehci);
}

static void poll_handoff(struct ehci *ehci, bool late)
{
    unsigned offset = ehci->legacy;

    if (offset != 0) {
        if ((pci_read8(ehci->pci, offset + LEGSUP_BIOS) & 1) != 0) {
            if (!late) {
                return;
            }
            log_warn("ehci", "%s: taken from the BIOS by force",
                     ehci->bus.name);
            pci_write8(ehci->pci, offset + LEGSUP_BIOS, 0);
        }
        /* No SMI for us, whatever the BIOS left enabled. */
        pci_write32(ehci->pci, offset + LEGCTLSTS, LEGCTLSTS_STATUS);
    }
    usb_gate_release(USB_GATE_HANDOFF);
    enter_state(ehci, EHCI_WAIT);
}

static void begin_halt(struct ehci *ehci)
{
    ehci_write(ehci, EHCI_USBINTR, 0);
    ehci_write(ehci, EHCI_USBCMD, 0);
    enter_state(ehci, EHCI_HALT);
}

static void fail(struct ehci *ehci, const char *reason)
{
    log_err("ehci", "%s: %s: started anew", ehci->bus.name, reason);
    ehci->restarts = usb_host_failures(ehci->restarts, ehci->state_us);
    begin_halt(ehci);
}

static void poll_halt(struct ehci *ehci, bool late)
{
    if (!late && (ehci_read(ehci, EHCI_USBSTS) & EHCI_STS_HALTED) == 0) {
        return;
    }
    ehci_write(ehci, EHCI_USBCMD, EHCI_CMD_HCRESET);
    enter_state(ehci, EHCI_RESET);
}

static void program(struct ehci *ehci)
{
    ehci_schedule_clear(ehci);
    pci_enable(ehci->pci);
    if ((ehci->capability & EHCI_HCC_64) != 0) {
        ehci_write(ehci, EHCI_SEGMENT, 0);
    }
    ehci_write(ehci, EHCI_PERIODICBASE,
               (uint32_t)io_dma_address((const void *)(uintptr_t)ehci->frames));
    ehci_write(ehci, EHCI_ASYNCBASE, (uint32_t)io_dma_address(ehci->head));
    ehci_write(ehci, EHCI_USBSTS, EHCI_STS_EVENTS);
    ehci_write(ehci, EHCI_USBINTR, EHCI_INTR_OURS);
    ehci->command = EHCI_CMD_RS | EHCI_CMD_ITC_1;
    ehci_write(ehci, EHCI_USBCMD, ehci->command);
    ehci_write(ehci, EHCI_CONFIGFLAG, 1);
    ehci_ports_power(ehci);
}

static void poll_reset(struct ehci *ehci, bool late)
{
    if ((ehci_read(ehci, EHCI_USBCMD) & EHCI_CMD_HCRESET) != 0) {
        if (late) {
            die(ehci, "reset does not end");
        }
        return;
    }
    drop_devices(ehci);
    if (ehci->restarts > RESTARTS_MAX) {
        die(ehci, "it fails again and again");
    } else if (ehci_take_memory(ehci) != OK) {
        die(ehci, "no memory");
    } else {
        program(ehci);
        enter_state(ehci, EHCI_POWER);
    }
}

static void poll_power(struct ehci *ehci, uint64_t now_us)
{
    bool powered = (ehci->structure & EHCI_HCS_PPC) != 0;

    if (now_us - ehci->state_us < POWER_US + (powered ? ATTACH_US : 0U)) {
        return;
    }
    enter_state(ehci, EHCI_RUN);
    ehci->check_us = now_us + CHECK_US;
    usb_bus_add(&ehci->bus);
    routed(ehci);
    log_info("ehci", "%s: runs, ports=%u companions=%u after_ms=%u",
             ehci->bus.name, ehci->ports,
             (unsigned)EHCI_HCS_N_CC(ehci->structure),
             (unsigned)((now_us - ehci->probe_us) / 1000));
}

/* ---- Service --------------------------------------------------------- */

static void check_status(struct ehci *ehci)
{
    uint32_t status = ehci_read(ehci, EHCI_USBSTS);

    if (status == UINT32_MAX) {
        die(ehci, "it is gone");
        return;
    }
    if ((status & EHCI_STS_EVENTS) != 0) {
        ehci_write(ehci, EHCI_USBSTS, status & EHCI_STS_EVENTS);
    }
    if ((status & EHCI_STS_IAA) != 0 && ehci->advance_us != 0) {
        ehci_advanced(ehci);
    }
    if ((status & (EHCI_STS_HSE | EHCI_STS_HALTED)) != 0) {
        fail(ehci, "host error");
    } else if ((status & EHCI_STS_PCD) != 0) {
        ehci_ports_look(ehci);
    }
}

/* Registers are slow: looked at when the interrupt has come, and now and then.
 */
static void look_at_registers(struct ehci *ehci, uint64_t now_us)
{
    uint32_t interrupts = pci_interrupt_count(ehci->pci);

    if (interrupts != ehci->interrupts || now_us >= ehci->check_us) {
        ehci->interrupts = interrupts;
        ehci->check_us = now_us + CHECK_US;
        check_status(ehci);
    }
}

static bool endpoints_poll(struct ehci *ehci)
{
    bool any = false;
    struct list *node;

    /* Endpoints that are opened meanwhile come at the end of the list; none is
     * freed here. */
    for (node = ehci->endpoints.next; node != &ehci->endpoints;
         node = node->next) {
        any |=
            ehci_endpoint_poll(LIST_ELEMENT(node, struct ehci_endpoint, link));
    }
    return any;
}

static bool poll_run(struct ehci *ehci, uint64_t now_us)
{
    bool busy = false;
    unsigned rounds;

    look_at_registers(ehci, now_us);
    for (rounds = 0; rounds < ROUNDS_MAX && ehci->state == EHCI_RUN; rounds++) {
        bool again = endpoints_poll(ehci);

        if (ehci_schedule_poll(ehci, now_us)) {
            again |= ehci_leaving_poll(ehci);
        }
        ehci_ports_poll(ehci, now_us);
        again |= usb_bus_poll(&ehci->bus);
        busy |= again;
        if (!again) {
            break;
        }
    }
    return busy;
}

static bool poll(struct pci_device *device)
{
    struct ehci *ehci = device->driver_data;
    enum ehci_state before = ehci->state;
    uint64_t now_us = io_now_us();
    uint64_t age_us = now_us - ehci->state_us;

    switch (before) {
    case EHCI_HANDOFF:
        poll_handoff(ehci, age_us >= HANDOFF_US);
        break;
    case EHCI_WAIT:
        if (usb_gate_is_open(USB_GATE_HANDOFF)) {
            begin_halt(ehci);
        }
        break;
    case EHCI_HALT:
        poll_halt(ehci, age_us >= HALT_US);
        break;
    case EHCI_RESET:
        poll_reset(ehci, age_us >= RESET_US);
        break;
    case EHCI_POWER:
        poll_power(ehci, now_us);
        break;
    case EHCI_RUN:
        return poll_run(ehci, now_us);
    case EHCI_DEAD:
    default:
        return false;
    }
    if (ehci->state == before) {
        usb_bus_wake(&ehci->bus, now_us, now_us + 1000);
    }
    return ehci->state != before;
}

/* ---- Binding --------------------------------------------------------- */

static unsigned find_legacy(const struct ehci *ehci)
{
    unsigned offset = EHCI_HCC_LEGACY(ehci->capability);
    unsigned i;

    for (i = 0; i < EXT_CAPS_MAX && offset >= 0x40; i++) {
        uint32_t value = pci_read32(ehci->pci, offset);

        if ((value & 0xff) == EXT_CAP_LEGACY) {
            return offset;
        }
        offset = (value >> 8) & 0xfc;
    }
    return 0;
}

/* All registers that are used must lie within the BAR. */
static enum err read_capabilities(struct ehci *ehci)
{
    ehci->structure = io_read32(&ehci->io, EHCI_HCSPARAMS);
    ehci->capability = io_read32(&ehci->io, EHCI_HCCPARAMS);
    ehci->operational = io_read8(&ehci->io, EHCI_CAPLENGTH);
    ehci->ports = EHCI_HCS_PORTS(ehci->structure);
    if (ehci->structure == UINT32_MAX || ehci->ports == 0 ||
        ehci->operational < 0x0c ||
        ehci->operational + EHCI_PORTSC + 4 * ehci->ports > ehci->io.bytes) {
        return ERR_INVALID;
    }
    ehci->legacy = find_legacy(ehci);
    return OK;
}

static enum err probe(struct pci_device *device, const struct pci_id *id)
{
    struct ehci *ehci;
    enum err result;

    if (state.count == EHCI_CONTROLLERS) {
        return ERR_FULL;
    }
    ehci = &state.controllers[state.count];
    memset(ehci, 0, sizeof *ehci);
    ehci->pci = device;
    result = usb_host_map(device, 0, 0x100, &ehci->io);
    if (result == OK) {
        result = read_capabilities(ehci);
    }
    if (result != OK) {
        return result;
    }
    state.count++;
    device->driver_data = ehci;
    ehci->bus.operations = &operations;
    ehci->bus.host = ehci;
    ehci->bus.name = usb_host_name(id->name);
    ehci->bus.ports = ehci->ports;
    ehci->bus.software_address = true;
    ehci->probe_us = io_now_us();
    list_init(&ehci->endpoints);
    usb_bus_prepare(&ehci->bus);
    if (ehci->legacy != 0) {
        pci_write8(device, ehci->legacy + LEGSUP_OS, 1);
    }
    pci_route_interrupt(device);
    usb_gate_hold(USB_GATE_HANDOFF);
    usb_gate_hold(USB_GATE_ROUTED);
    ehci->routing = true;
    enter_state(ehci, EHCI_HANDOFF);
    return OK;
}

static const struct pci_id ids[] = {
    {PCI_ANY, PCI_ANY, 0x0c0320, 0xffffff, "EHCI", 0},
};

static const struct pci_driver ehci_driver = {
    .name = "ehci",
    .ids = ids,
    .id_count = sizeof ids / sizeof ids[0],
    .probe = probe,
    .poll = poll,
};
PCI_DRIVER(ehci_driver);
