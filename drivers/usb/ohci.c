/* OHCI host controller: binding, start, poll.
 *
 * Start is a row of timed states, moved on by poll():
 *   HANDOFF  the BIOS gives the controller up, within 1 s, else it is taken
 *   WAIT     until it has given up all others, too
 *   RESET    until that is over
 *   ROUTE    until all EHCI controllers have taken the ports that are theirs
 *   POWER    lists are set up, it runs, ports have power, until that is good
 *   RUN      the USB core looks after the ports
 * Completion is seen in memory, without touching a register; the interrupt only
 * ends the processor's sleep. A controller that fails is started anew, and all
 * its devices are dropped.
 *
 * Not supported: isochronous transfers, bandwidth reckoning, suspend. */
#include "drivers/usb/ohci.h"
#include "core/log.h"
#include "drivers/usb/host.h"
#include <string.h>

#define HANDOFF_US    1000000
#define RESET_US      1000 /* it takes 10 us (7.1.3) */
#define POWER_US      20000
#define ATTACH_US     100000 /* USB 2.0 7.1.7.3, power may come only now */
#define CHECK_US      100000
#define RESTARTS_MAX  8
#define ROUNDS_MAX    8
#define FRAME_BITS    0x2edf /* 1 ms in bit times (7.3.1) */
#define FRAME_TOGGLE  0x80000000U
#define LARGEST(bits) ((((bits)-210) * 6 / 7) << 16)
#define GLOBAL_POWER  0x10000
#define PORTS(v)      ((v)&0xff)
#define POWER_WAIT(v) (((v) >> 24) * 2000U)

static struct {
    unsigned count;
    struct ohci controllers[OHCI_CONTROLLERS];
} state;

static const struct usb_host_operations operations = {
    .port_status = ohci_port_status,
    .port_reset = ohci_port_reset,
    .port_disable = ohci_port_disable,
    .device_address = ohci_device_address,
    .control_update = ohci_control_update,
    .endpoints_open = ohci_endpoints_open,
    .device_close = ohci_device_close,
    .transfer = ohci_transfer,
    .endpoint_reset = ohci_endpoint_reset,
};

static void enter_state(struct ohci *ohci, enum ohci_state next)
{
    ohci->state = next;
    ohci->state_us = io_now_us();
    usb_bus_wake(&ohci->bus, ohci->state_us, ohci->state_us);
}

/* ---- Start and failure ----------------------------------------------- */

static void drop_devices(struct ohci *ohci)
{
    ohci_devices_drop(ohci);
    usb_bus_drop(&ohci->bus);
    memset(ohci->port_us, 0, sizeof ohci->port_us);
}

static void die(struct ohci *ohci, const char *reason)
{
    uint16_t command = pci_read16(ohci->pci, PCI_COMMAND);

    log_err("ohci", "%s: given up: %s", ohci->bus.name, reason);
    pci_write16(ohci->pci, PCI_COMMAND,
                (uint16_t)(command & ~PCI_COMMAND_MASTER));
    ohci->state = OHCI_DEAD;
    drop_devices(ohci);
}

static void poll_handoff(struct ohci *ohci, bool late)
{
    if ((ohci_read(ohci, OHCI_CONTROL) & OHCI_CONTROL_SMM) != 0) {
        if (!late) {
            return;
        }
        log_warn("ohci", "%s: taken from the BIOS by force", ohci->bus.name);
    }
    usb_gate_release(USB_GATE_HANDOFF);
    enter_state(ohci, OHCI_WAIT);
}

static void begin_reset(struct ohci *ohci)
{
    ohci_write(ohci, OHCI_INTERRUPT_OFF, OHCI_INT_ALL | OHCI_INT_MASTER);
    ohci_write(ohci, OHCI_CONTROL, 0);
    ohci_write(ohci, OHCI_COMMAND, OHCI_COMMAND_RESET);
    enter_state(ohci, OHCI_RESET);
}

static void fail(struct ohci *ohci, const char *reason)
{
    log_err("ohci", "%s: %s: started anew", ohci->bus.name, reason);
    ohci->restarts = usb_host_failures(ohci->restarts, ohci->state_us);
    begin_reset(ohci);
}

static void poll_reset(struct ohci *ohci)
{
    if ((ohci_read(ohci, OHCI_COMMAND) & OHCI_COMMAND_RESET) != 0) {
        die(ohci, "reset does not end");
        return;
    }
    drop_devices(ohci);
    if (ohci->restarts > RESTARTS_MAX) {
        die(ohci, "it fails again and again");
    } else if (ohci_take_memory(ohci) != OK) {
        die(ohci, "no memory");
    } else {
        enter_state(ohci, OHCI_ROUTE);
    }
}

static void program(struct ohci *ohci)
{
    uint32_t toggle =
        (ohci_read(ohci, OHCI_FM_INTERVAL) & FRAME_TOGGLE) ^ FRAME_TOGGLE;

    memset(ohci->area, 0, sizeof *ohci->area);
    io_barrier();
    pci_enable(ohci->pci);
    ohci_write(ohci, OHCI_HCCA, (uint32_t)io_dma_address(ohci->area));
    ohci_write(ohci, OHCI_CONTROL_HEAD, 0);
    ohci_write(ohci, OHCI_CONTROL_CURRENT, 0);
    ohci_write(ohci, OHCI_BULK_HEAD, 0);
    ohci_write(ohci, OHCI_BULK_CURRENT, 0);
    ohci_write(ohci, OHCI_FM_INTERVAL,
               FRAME_BITS | LARGEST(FRAME_BITS) | toggle);
    ohci_write(ohci, OHCI_PERIODIC_START, FRAME_BITS * 9 / 10);
    ohci_write(ohci, OHCI_INTERRUPT, OHCI_INT_ALL);
    ohci->lists_stand = false;
    ohci->control = OHCI_CONTROL_RATIO | OHCI_CONTROL_PLE | OHCI_CONTROL_CLE |
                    OHCI_CONTROL_BLE | OHCI_CONTROL_RUNS;
    ohci_write(ohci, OHCI_CONTROL, ohci->control);
    ohci_write(ohci, OHCI_INTERRUPT_ON,
               OHCI_INT_MASTER | OHCI_INT_DONE | OHCI_INT_ERROR |
                   OHCI_INT_PORTS);
    ohci_write(ohci, OHCI_RH_STATUS, GLOBAL_POWER);
}

static void poll_route(struct ohci *ohci)
{
    unsigned port;

    if (!usb_gate_is_open(USB_GATE_ROUTED)) {
        return;
    }
    program(ohci);
    for (port = 1; port <= ohci->ports; port++) {
        ohci_write(ohci, OHCI_RH_PORT + 4 * (port - 1), OHCI_PORT_PPS);
    }
    enter_state(ohci, OHCI_POWER);
}

static void poll_power(struct ohci *ohci, uint64_t now_us)
{
    uint32_t wait_us = POWER_WAIT(ohci_read(ohci, OHCI_RH_A));

    if (now_us - ohci->state_us < POWER_US + ATTACH_US + wait_us) {
        return;
    }
    enter_state(ohci, OHCI_RUN);
    ohci->check_us = now_us + CHECK_US;
    usb_bus_add(&ohci->bus);
    log_info("ohci", "%s: runs, ports=%u after_ms=%u", ohci->bus.name,
             ohci->ports, (unsigned)((now_us - ohci->probe_us) / 1000));
}

/* ---- Service --------------------------------------------------------- */

static void check_status(struct ohci *ohci)
{
    uint32_t status = ohci_read(ohci, OHCI_INTERRUPT);

    if (status == UINT32_MAX) {
        die(ohci, "it is gone");
        return;
    }
    if ((status & OHCI_INT_ALL) != 0) {
        ohci_write(ohci, OHCI_INTERRUPT, status & OHCI_INT_ALL);
    }
    if ((status & OHCI_INT_ERROR) != 0) {
        fail(ohci, "host error");
    } else if ((status & OHCI_INT_PORTS) != 0) {
        ohci_ports_look(ohci);
    }
}

/* Registers are slow: looked at when the interrupt has come, and now and then.
 */
static void look_at_registers(struct ohci *ohci, uint64_t now_us)
{
    uint32_t interrupts = pci_interrupt_count(ohci->pci);

    if (interrupts != ohci->interrupts || now_us >= ohci->check_us) {
        ohci->interrupts = interrupts;
        ohci->check_us = now_us + CHECK_US;
        check_status(ohci);
    }
}

static bool endpoints_poll(struct ohci *ohci)
{
    bool any = false;
    struct list *node;

    /* Endpoints that are opened meanwhile come at the end of the list; none is
     * freed here. */
    for (node = ohci->endpoints.next; node != &ohci->endpoints;
         node = node->next) {
        any |=
            ohci_endpoint_poll(LIST_ELEMENT(node, struct ohci_endpoint, link));
    }
    return any;
}

static bool poll_run(struct ohci *ohci, uint64_t now_us)
{
    bool busy = false;
    unsigned rounds;

    look_at_registers(ohci, now_us);
    for (rounds = 0; rounds < ROUNDS_MAX && ohci->state == OHCI_RUN; rounds++) {
        bool again = endpoints_poll(ohci);

        again |= ohci_leaving_poll(ohci, now_us);
        ohci_ports_poll(ohci, now_us);
        again |= usb_bus_poll(&ohci->bus);
        busy |= again;
        if (!again) {
            break;
        }
    }
    return busy;
}

static bool poll(struct pci_device *device)
{
    struct ohci *ohci = device->driver_data;
    enum ohci_state before = ohci->state;
    uint64_t now_us = io_now_us();
    uint64_t age_us = now_us - ohci->state_us;

    switch (before) {
    case OHCI_HANDOFF:
        poll_handoff(ohci, age_us >= HANDOFF_US);
        break;
    case OHCI_WAIT:
        if (usb_gate_is_open(USB_GATE_HANDOFF)) {
            begin_reset(ohci);
        }
        break;
    case OHCI_RESET:
        if (age_us >= RESET_US) {
            poll_reset(ohci);
        }
        break;
    case OHCI_ROUTE:
        poll_route(ohci);
        break;
    case OHCI_POWER:
        poll_power(ohci, now_us);
        break;
    case OHCI_RUN:
        return poll_run(ohci, now_us);
    case OHCI_DEAD:
    default:
        return false;
    }
    if (ohci->state == before) {
        usb_bus_wake(&ohci->bus, now_us, now_us + 1000);
    }
    return ohci->state != before;
}

/* ---- Binding --------------------------------------------------------- */

static enum err read_capabilities(struct ohci *ohci)
{
    uint32_t revision = ohci_read(ohci, OHCI_REVISION);

    ohci->ports = PORTS(ohci_read(ohci, OHCI_RH_A));
    if ((revision & 0xff) != 0x10 || ohci->ports == 0 ||
        ohci->ports > OHCI_PORTS) {
        return ERR_INVALID;
    }
    return OK;
}

static enum err probe(struct pci_device *device, const struct pci_id *id)
{
    struct ohci *ohci;
    enum err result;

    if (state.count == OHCI_CONTROLLERS) {
        return ERR_FULL;
    }
    ohci = &state.controllers[state.count];
    memset(ohci, 0, sizeof *ohci);
    ohci->pci = device;
    result = usb_host_map(device, 0, 0x100, &ohci->io);
    if (result == OK) {
        result = read_capabilities(ohci);
    }
    if (result != OK) {
        return result;
    }
    state.count++;
    device->driver_data = ohci;
    ohci->bus.operations = &operations;
    ohci->bus.host = ohci;
    ohci->bus.name = usb_host_name(id->name);
    ohci->bus.ports = ohci->ports;
    ohci->bus.software_address = true;
    ohci->probe_us = io_now_us();
    list_init(&ohci->endpoints);
    usb_bus_prepare(&ohci->bus);
    if ((ohci_read(ohci, OHCI_CONTROL) & OHCI_CONTROL_SMM) != 0) {
        ohci_write(ohci, OHCI_COMMAND, OHCI_COMMAND_CHANGE);
    }
    pci_route_interrupt(device);
    usb_gate_hold(USB_GATE_HANDOFF);
    enter_state(ohci, OHCI_HANDOFF);
    return OK;
}

static const struct pci_id ids[] = {
    {PCI_ANY, PCI_ANY, 0x0c0310, 0xffffff, "OHCI", 0},
};

static const struct pci_driver ohci_driver = {
    .name = "ohci",
    .ids = ids,
    .id_count = sizeof ids / sizeof ids[0],
    .probe = probe,
    .poll = poll,
};
PCI_DRIVER(ohci_driver);
