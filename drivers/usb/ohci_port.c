/* OHCI root ports (7.4.4). Bits of the port register are commands when written:
 * nothing is ever written back. The controller resets for 10 ms at a time; a
 * root port is to be reset for 50. */
#include "drivers/usb/ohci.h"

#define SIGNAL_US 50000 /* USB 2.0 7.1.7.5 */
#define LOOK_US   5000

static uint32_t port_offset(unsigned port)
{
    return OHCI_RH_PORT + 4 * (port - 1);
}

void ohci_port_status(struct usb_bus *bus, unsigned port,
                      struct usb_port_status *status)
{
    const struct ohci *ohci = bus->host;
    uint32_t value = ohci_read(ohci, port_offset(port));

    if (value == UINT32_MAX) {
        return; /* the controller itself is gone */
    }
    if ((value & OHCI_PORT_CHANGES) != 0) {
        ohci_write(ohci, port_offset(port), value & OHCI_PORT_CHANGES);
    }
    status->connected = (value & OHCI_PORT_CCS) != 0;
    status->connect_changed = (value & OHCI_PORT_CSC) != 0;
    status->enabled = (value & OHCI_PORT_PES) != 0;
    status->resetting = ohci->port_us[port] != 0;
    status->speed = (value & OHCI_PORT_LOW) != 0 ? USB_LOW : USB_FULL;
}

void ohci_port_reset(struct usb_bus *bus, unsigned port)
{
    struct ohci *ohci = bus->host;
    uint64_t now_us = io_now_us();

    ohci_write(ohci, port_offset(port), OHCI_PORT_PRS);
    ohci->port_us[port] = now_us + SIGNAL_US;
    usb_bus_wake(bus, now_us, now_us + LOOK_US);
}

void ohci_port_disable(struct usb_bus *bus, unsigned port)
{
    const struct ohci *ohci = bus->host;

    ohci_write(ohci, port_offset(port), OHCI_PORT_DISABLE);
}

static void port_step(struct ohci *ohci, unsigned port, uint64_t now_us)
{
    uint32_t value = ohci_read(ohci, port_offset(port));

    if ((value & OHCI_PORT_PRS) != 0 && value != UINT32_MAX &&
        now_us < ohci->port_us[port] + SIGNAL_US) {
        usb_bus_wake(&ohci->bus, now_us, now_us + LOOK_US);
    } else if (now_us < ohci->port_us[port] && (value & OHCI_PORT_CCS) != 0) {
        ohci_write(ohci, port_offset(port), OHCI_PORT_PRS);
        usb_bus_wake(&ohci->bus, now_us, now_us + LOOK_US);
    } else {
        ohci->port_us[port] = 0;
        usb_port_changed(&ohci->bus, port);
    }
}

void ohci_ports_poll(struct ohci *ohci, uint64_t now_us)
{
    unsigned port;

    for (port = 1; port <= ohci->ports; port++) {
        if (ohci->port_us[port] != 0) {
            port_step(ohci, port, now_us);
        }
    }
}

void ohci_ports_look(struct ohci *ohci)
{
    unsigned port;

    for (port = 1; port <= ohci->ports; port++) {
        if (ohci->port_us[port] == 0 &&
            (ohci_read(ohci, port_offset(port)) & OHCI_PORT_CHANGES) != 0) {
            usb_port_changed(&ohci->bus, port);
        }
    }
}
