/* UHCI root ports (2.1.7). They raise no interrupt: whoever wants to know looks
 * at them. A reset is carried out by software, step by step. */
#include "drivers/usb/uhci.h"

#define SIGNAL_US 50000 /* USB 2.0 7.1.7.5 */
#define REST_US   10000

static unsigned port_offset(unsigned port)
{
    return UHCI_PORTSC + 2 * (port - 1);
}

/* Nothing says how many ports there are but bit 7 of their registers. */
unsigned uhci_count_ports(const struct uhci *uhci, unsigned bytes)
{
    unsigned limit = bytes > UHCI_PORTSC ? (bytes - UHCI_PORTSC) / 2 : 0;
    unsigned count = 0;

    if (limit > UHCI_PORTS) {
        limit = UHCI_PORTS;
    }
    while (count < limit) {
        uint16_t value = uhci_read(uhci, port_offset(count + 1));

        if (value == UINT16_MAX || (value & UHCI_PORT_ONE) == 0) {
            break;
        }
        count++;
    }
    return count;
}

static void port_write(const struct uhci *uhci, unsigned port, uint16_t clear,
                       uint16_t set)
{
    uint16_t value = uhci_read(uhci, port_offset(port)) & UHCI_PORT_KEEP;

    uhci_write(uhci, port_offset(port), (uint16_t)((value & ~clear) | set));
}

void uhci_port_status(struct usb_bus *bus, unsigned port,
                      struct usb_port_status *status)
{
    const struct uhci *uhci = bus->host;
    uint16_t value = uhci_read(uhci, port_offset(port));

    if (value == UINT16_MAX) {
        return; /* the controller itself is gone */
    }
    if ((value & (UHCI_PORT_CSC | UHCI_PORT_PEDC)) != 0) {
        port_write(uhci, port, 0, value & (UHCI_PORT_CSC | UHCI_PORT_PEDC));
    }
    status->connected = (value & UHCI_PORT_CCS) != 0;
    status->connect_changed = (value & UHCI_PORT_CSC) != 0;
    status->enabled = (value & UHCI_PORT_PED) != 0;
    status->resetting = uhci->port_step[port] != UHCI_PORT_IDLE;
    status->speed = (value & UHCI_PORT_LS) != 0 ? USB_LOW : USB_FULL;
}

static void enter_step(struct uhci *uhci, unsigned port,
                       enum uhci_port_step step, uint64_t wait_us)
{
    uint64_t now_us = io_now_us();

    uhci->port_step[port] = step;
    uhci->port_us[port] = now_us + wait_us;
    usb_bus_wake(&uhci->bus, now_us, uhci->port_us[port]);
}

void uhci_port_reset(struct usb_bus *bus, unsigned port)
{
    struct uhci *uhci = bus->host;

    port_write(uhci, port, UHCI_PORT_PED, UHCI_PORT_PR);
    enter_step(uhci, port, UHCI_PORT_SIGNAL, SIGNAL_US);
}

static void port_step(struct uhci *uhci, unsigned port)
{
    if (uhci->port_step[port] == UHCI_PORT_SIGNAL) {
        port_write(uhci, port, UHCI_PORT_PR, 0);
        enter_step(uhci, port, UHCI_PORT_ENABLE, REST_US);
        return;
    }
    /* The reset itself looks like a change of the connection. */
    port_write(uhci, port, 0, UHCI_PORT_PED | UHCI_PORT_CSC | UHCI_PORT_PEDC);
    uhci->port_step[port] = UHCI_PORT_IDLE;
    usb_port_changed(&uhci->bus, port);
}

void uhci_ports_poll(struct uhci *uhci, uint64_t now_us)
{
    unsigned port;

    for (port = 1; port <= uhci->ports; port++) {
        if (uhci->port_step[port] == UHCI_PORT_IDLE) {
            continue;
        }
        if (now_us >= uhci->port_us[port]) {
            port_step(uhci, port);
        } else {
            usb_bus_wake(&uhci->bus, now_us, uhci->port_us[port]);
        }
    }
}

void uhci_ports_look(struct uhci *uhci)
{
    unsigned port;

    for (port = 1; port <= uhci->ports; port++) {
        uint16_t value = uhci_read(uhci, port_offset(port));

        if (uhci->port_step[port] == UHCI_PORT_IDLE &&
            (value & (UHCI_PORT_CSC | UHCI_PORT_PEDC)) != 0) {
            usb_port_changed(&uhci->bus, port);
        }
    }
}

void uhci_port_disable(struct usb_bus *bus, unsigned port)
{
    struct uhci *uhci = bus->host;

    if (uhci->port_step[port] == UHCI_PORT_IDLE) {
        port_write(uhci, port, UHCI_PORT_PED, 0);
    }
}
