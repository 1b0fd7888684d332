/* UHCI host controller: binding, start, poll.
 *
 * Start is a row of timed states, moved on by poll():
 *   WAIT   until the BIOS has given up all host controllers
 *   HALT   until it stands still
 *   RESET  until that is over
 *   ROUTE  until all EHCI controllers have taken the ports that are theirs
 *   RUN    the USB core looks after the ports
 * Completion is seen in memory, without touching a register; the interrupt only
 * ends the processor's sleep. A controller that fails is started anew, and all
 * its devices are dropped.
 *
 * Not supported: isochronous transfers, bandwidth reckoning, suspend. */
#include "drivers/usb/uhci.h"
#include "core/log.h"
#include "drivers/usb/host.h"
#include <string.h>

#define HALT_US      10000
#define RESET_US     50000
#define CHECK_US     100000
#define RESTARTS_MAX 8
#define ROUNDS_MAX   8

/* USBLEGSUP, in configuration space (5.2.1): first what the BIOS has trapped is
 * forgotten and its SMIs are off, then interrupts are ours. */
#define LEGSUP          0xc0
#define LEGSUP_CLEAR    0x8f00
#define LEGSUP_OURS     0x2000
#define INTEL_RESUME    0xc4
#define INTEL_VENDOR    0x8086
#define REGISTERS_LEAST 0x14

static struct {
    unsigned count;
    struct uhci controllers[UHCI_CONTROLLERS];
} state;

static const struct usb_host_operations operations = {
    .port_status = uhci_port_status,
    .port_reset = uhci_port_reset,
    .port_disable = uhci_port_disable,
    .device_address = uhci_device_address,
    .control_update = uhci_control_update,
    .endpoints_open = uhci_endpoints_open,
    .device_close = uhci_device_close,
    .transfer = uhci_transfer,
    .endpoint_reset = uhci_endpoint_reset,
};

static void enter_state(struct uhci *uhci, enum uhci_state next)
{
    uhci->state = next;
    uhci->state_us = io_now_us();
    usb_bus_wake(&uhci->bus, uhci->state_us, uhci->state_us);
}

/* ---- Start and failure ----------------------------------------------- */

static void drop_devices(struct uhci *uhci)
{
    uhci_devices_drop(uhci);
    usb_bus_drop(&uhci->bus);
    memset(uhci->port_step, 0, sizeof uhci->port_step);
}

static void die(struct uhci *uhci, const char *reason)
{
    uint16_t command = pci_read16(uhci->pci, PCI_COMMAND);

    log_err("uhci", "%s: given up: %s", uhci->bus.name, reason);
    pci_write16(uhci->pci, PCI_COMMAND,
                (uint16_t)(command & ~PCI_COMMAND_MASTER));
    uhci->state = UHCI_DEAD;
    drop_devices(uhci);
}

static void begin_halt(struct uhci *uhci)
{
    uhci_write(uhci, UHCI_USBINTR, 0);
    uhci_write(uhci, UHCI_USBCMD, 0);
    enter_state(uhci, UHCI_HALT);
}

void uhci_fail(struct uhci *uhci, const char *reason)
{
    if (uhci->state != UHCI_RUN) {
        return;
    }
    log_err("uhci", "%s: %s: started anew", uhci->bus.name, reason);
    uhci->restarts = usb_host_failures(uhci->restarts, uhci->state_us);
    begin_halt(uhci);
}

static void poll_halt(struct uhci *uhci, bool late)
{
    if (!late && (uhci_read(uhci, UHCI_USBSTS) & UHCI_STS_HCH) == 0) {
        return;
    }
    uhci_write(uhci, UHCI_USBCMD, UHCI_CMD_HCRESET);
    enter_state(uhci, UHCI_RESET);
}

static void poll_reset(struct uhci *uhci, bool late)
{
    if ((uhci_read(uhci, UHCI_USBCMD) & UHCI_CMD_HCRESET) != 0) {
        if (late) {
            die(uhci, "reset does not end");
        }
        return;
    }
    drop_devices(uhci);
    if (uhci->restarts > RESTARTS_MAX) {
        die(uhci, "it fails again and again");
    } else if (uhci_take_memory(uhci) != OK) {
        die(uhci, "no memory");
    } else {
        enter_state(uhci, UHCI_ROUTE);
    }
}

static void program(struct uhci *uhci)
{
    uint32_t periodic = (uint32_t)io_dma_address(uhci->periodic);
    uint32_t bulk = (uint32_t)io_dma_address(uhci->bulk);
    unsigned i;

    uhci->periodic->element = uhci->bulk->element = UHCI_LINK_END;
    uhci_schedule(uhci);
    for (i = 0; i < UHCI_FRAMES; i++) {
        uhci->frames[i] =
            (i % UHCI_PERIOD == 0 ? periodic : bulk) | UHCI_LINK_QH;
    }
    io_barrier();
    pci_enable(uhci->pci);
    pci_write16(uhci->pci, LEGSUP, LEGSUP_OURS);
    if (uhci->pci->vendor_id == INTEL_VENDOR) {
        pci_write8(uhci->pci, INTEL_RESUME, 0);
    }
    uhci_write(uhci, UHCI_USBSTS, UHCI_STS_ALL);
    uhci_write(uhci, UHCI_FRNUM, 0);
    io_out32((uint16_t)(uhci->io + UHCI_FRBASEADD),
             (uint32_t)io_dma_address((const void *)(uintptr_t)uhci->frames));
    uhci_write(uhci, UHCI_USBINTR, UHCI_INTR_ALL);
    uhci_write(uhci, UHCI_USBCMD, UHCI_CMD_RS | UHCI_CMD_CF | UHCI_CMD_MAXP);
}

static void poll_route(struct uhci *uhci, uint64_t now_us)
{
    if (!usb_gate_is_open(USB_GATE_ROUTED)) {
        return;
    }
    program(uhci);
    enter_state(uhci, UHCI_RUN);
    uhci->check_us = now_us + UHCI_PORT_CHECK;
    usb_bus_add(&uhci->bus);
    log_info("uhci", "%s: runs, ports=%u after_ms=%u", uhci->bus.name,
             uhci->ports, (unsigned)((now_us - uhci->probe_us) / 1000));
}

/* ---- Service --------------------------------------------------------- */

static void check_status(struct uhci *uhci)
{
    uint16_t status = uhci_read(uhci, UHCI_USBSTS);

    if (status == UINT16_MAX) {
        die(uhci, "it is gone");
        return;
    }
    if ((status & UHCI_STS_ALL) != 0) {
        uhci_write(uhci, UHCI_USBSTS, status & UHCI_STS_ALL);
    }
    if ((status & (UHCI_STS_HSE | UHCI_STS_HCPE | UHCI_STS_HCH)) != 0) {
        uhci_fail(uhci, "host error");
    }
}

/* Registers are slow: looked at when the interrupt has come, and now and then.
 */
static void look_at_registers(struct uhci *uhci, uint64_t now_us)
{
    uint32_t interrupts = pci_interrupt_count(uhci->pci);

    if (interrupts != uhci->interrupts) {
        uhci->interrupts = interrupts;
        check_status(uhci);
    }
    if (uhci->state == UHCI_RUN && now_us >= uhci->check_us) {
        uhci->check_us = now_us + UHCI_PORT_CHECK;
        check_status(uhci);
        uhci_ports_look(uhci);
    }
    usb_bus_wake(&uhci->bus, now_us, uhci->check_us);
}

static bool endpoints_poll(struct uhci *uhci)
{
    bool any = false;
    struct list *node;

    /* Endpoints that are opened meanwhile come at the ends of the list; none
     * is freed here. */
    for (node = uhci->endpoints.next; node != &uhci->endpoints;
         node = node->next) {
        any |=
            uhci_endpoint_poll(LIST_ELEMENT(node, struct uhci_endpoint, link));
    }
    return any;
}

static bool poll_run(struct uhci *uhci, uint64_t now_us)
{
    bool busy = false;
    unsigned rounds;

    look_at_registers(uhci, now_us);
    for (rounds = 0; rounds < ROUNDS_MAX && uhci->state == UHCI_RUN; rounds++) {
        bool again = endpoints_poll(uhci);

        again |= uhci_leaving_poll(uhci, now_us);
        uhci_ports_poll(uhci, now_us);
        again |= usb_bus_poll(&uhci->bus);
        busy |= again;
        if (!again) {
            break;
        }
    }
    return busy;
}

static bool poll(struct pci_device *device)
{
    struct uhci *uhci = device->driver_data;
    enum uhci_state before = uhci->state;
    uint64_t now_us = io_now_us();
    uint64_t age_us = now_us - uhci->state_us;

    switch (before) {
    case UHCI_WAIT:
        if (usb_gate_is_open(USB_GATE_HANDOFF)) {
            begin_halt(uhci);
        }
        break;
    case UHCI_HALT:
        poll_halt(uhci, age_us >= HALT_US);
        break;
    case UHCI_RESET:
        poll_reset(uhci, age_us >= RESET_US);
        break;
    case UHCI_ROUTE:
        poll_route(uhci, now_us);
        break;
    case UHCI_RUN:
        return poll_run(uhci, now_us);
    case UHCI_DEAD:
    default:
        return false;
    }
    if (uhci->state == before) {
        usb_bus_wake(&uhci->bus, now_us, now_us + 1000);
    }
    return uhci->state != before;
}

/* ---- Binding --------------------------------------------------------- */

static enum err probe(struct pci_device *device, const struct pci_id *id)
{
    struct uhci *uhci;
    unsigned bytes = 0;
    enum err result;

    if (state.count == UHCI_CONTROLLERS) {
        return ERR_FULL;
    }
    uhci = &state.controllers[state.count];
    memset(uhci, 0, sizeof *uhci);
    uhci->pci = device;
    result = usb_host_ports(device, 4, &uhci->io, &bytes);
    if (result != OK) {
        return result;
    }
    uhci->ports = uhci_count_ports(uhci, bytes);
    if (bytes < REGISTERS_LEAST || uhci->ports == 0) {
        return ERR_INVALID;
    }
    state.count++;
    device->driver_data = uhci;
    uhci->bus.operations = &operations;
    uhci->bus.host = uhci;
    uhci->bus.name = usb_host_name(id->name);
    uhci->bus.ports = uhci->ports;
    uhci->bus.software_address = true;
    uhci->probe_us = io_now_us();
    list_init(&uhci->endpoints);
    usb_bus_prepare(&uhci->bus);
    pci_write16(device, LEGSUP, LEGSUP_CLEAR);
    pci_route_interrupt(device);
    enter_state(uhci, UHCI_WAIT);
    return OK;
}

static const struct pci_id ids[] = {
    {PCI_ANY, PCI_ANY, 0x0c0300, 0xffffff, "UHCI", 0},
};

static const struct pci_driver uhci_driver = {
    .name = "uhci",
    .ids = ids,
    .id_count = sizeof ids / sizeof ids[0],
    .probe = probe,
    .poll = poll,
};
PCI_DRIVER(uhci_driver);
