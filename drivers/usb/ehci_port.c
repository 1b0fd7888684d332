/* EHCI root ports (2.3.9, 4.2). EHCI itself speaks high speed only: a port with
 * a slower device is handed to its companion, a controller of USB 1.1, and
 * comes back by itself when the device is pulled. Where there is no companion,
 * the chipset has a hub of its own before the ports. */
#include "core/log.h"
#include "drivers/usb/ehci.h"

#define SIGNAL_US 50000 /* USB 2.0 7.1.7.5 */
#define END_US    20000 /* 2 ms by the specification (2.3.9) */
#define LOOK_US   1000

static uint32_t port_offset(unsigned port)
{
    return EHCI_PORTSC + 4 * (port - 1);
}

static uint32_t port_read(const struct ehci *ehci, unsigned port)
{
    return ehci_read(ehci, port_offset(port));
}

/* Without taking back change bits, which are cleared by writing 1. */
static void port_write(const struct ehci *ehci, unsigned port, uint32_t clear,
                       uint32_t set)
{
    uint32_t value = port_read(ehci, port) & ~(uint32_t)EHCI_PORT_CHANGES;

    ehci_write(ehci, port_offset(port), (value & ~clear) | set);
}

void ehci_ports_power(struct ehci *ehci)
{
    unsigned port;

    if ((ehci->structure & EHCI_HCS_PPC) == 0) {
        return;
    }
    for (port = 1; port <= ehci->ports; port++) {
        port_write(ehci, port, 0, EHCI_PORT_PP);
    }
}

static bool has_companion(const struct ehci *ehci)
{
    return EHCI_HCS_N_CC(ehci->structure) != 0;
}

static void hand_over(const struct ehci *ehci, unsigned port, const char *speed)
{
    log_info("ehci", "%s port %u: %s speed, handed to the companion",
             ehci->bus.name, port, speed);
    port_write(ehci, port, 0, EHCI_PORT_OWNER);
}

void ehci_port_status(struct usb_bus *bus, unsigned port,
                      struct usb_port_status *status)
{
    struct ehci *ehci = bus->host;
    uint32_t value = port_read(ehci, port);

    if (value == UINT32_MAX) {
        return; /* the controller itself is gone */
    }
    if ((value & EHCI_PORT_CHANGES) != 0) {
        port_write(ehci, port, 0, value & EHCI_PORT_CHANGES);
    }
    if ((value & EHCI_PORT_OWNER) != 0) {
        return;
    }
    status->resetting = ehci->port_step[port] != EHCI_PORT_IDLE;
    if ((value & EHCI_PORT_CCS) != 0 && (value & EHCI_PORT_PED) == 0 &&
        (value & EHCI_PORT_LINE) == EHCI_PORT_LINE_K && !status->resetting &&
        has_companion(ehci)) {
        hand_over(ehci, port, "low");
        return;
    }
    status->connected = (value & EHCI_PORT_CCS) != 0;
    status->connect_changed = (value & EHCI_PORT_CSC) != 0;
    status->enabled = (value & EHCI_PORT_PED) != 0;
    status->speed = USB_HIGH;
}

static void enter_step(struct ehci *ehci, unsigned port,
                       enum ehci_port_step step, uint64_t limit_us,
                       uint64_t look_us)
{
    uint64_t now_us = io_now_us();

    ehci->port_step[port] = step;
    ehci->port_us[port] = now_us + limit_us;
    usb_bus_wake(&ehci->bus, now_us, now_us + look_us);
}

void ehci_port_reset(struct usb_bus *bus, unsigned port)
{
    struct ehci *ehci = bus->host;

    port_write(ehci, port, EHCI_PORT_PED, EHCI_PORT_PR);
    enter_step(ehci, port, EHCI_PORT_SIGNAL, SIGNAL_US, SIGNAL_US);
}

static void port_end(struct ehci *ehci, unsigned port)
{
    uint32_t value = port_read(ehci, port);

    ehci->port_step[port] = EHCI_PORT_IDLE;
    if (value != UINT32_MAX && (value & EHCI_PORT_CCS) != 0 &&
        (value & EHCI_PORT_PED) == 0 && has_companion(ehci)) {
        hand_over(ehci, port, "full");
    }
    usb_port_changed(&ehci->bus, port);
}

static void port_step(struct ehci *ehci, unsigned port, uint64_t now_us)
{
    bool late = now_us >= ehci->port_us[port];

    if (ehci->port_step[port] == EHCI_PORT_SIGNAL) {
        if (late) {
            port_write(ehci, port, EHCI_PORT_PR, 0);
            enter_step(ehci, port, EHCI_PORT_END, END_US, LOOK_US);
        } else {
            usb_bus_wake(&ehci->bus, now_us, ehci->port_us[port]);
        }
        return;
    }
    if (late || (port_read(ehci, port) & EHCI_PORT_PR) == 0) {
        port_end(ehci, port);
    } else {
        usb_bus_wake(&ehci->bus, now_us, now_us + LOOK_US);
    }
}

void ehci_ports_poll(struct ehci *ehci, uint64_t now_us)
{
    unsigned port;

    for (port = 1; port <= ehci->ports; port++) {
        if (ehci->port_step[port] != EHCI_PORT_IDLE) {
            port_step(ehci, port, now_us);
        }
    }
}

void ehci_ports_look(struct ehci *ehci)
{
    unsigned port;

    for (port = 1; port <= ehci->ports; port++) {
        if (ehci->port_step[port] == EHCI_PORT_IDLE &&
            (port_read(ehci, port) & EHCI_PORT_CHANGES) != 0) {
            usb_port_changed(&ehci->bus, port);
        }
    }
}

void ehci_port_disable(struct usb_bus *bus, unsigned port)
{
    struct ehci *ehci = bus->host;

    if (ehci->port_step[port] == EHCI_PORT_IDLE) {
        port_write(ehci, port, EHCI_PORT_PED, 0);
    }
}
