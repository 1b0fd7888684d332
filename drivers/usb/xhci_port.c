/* xHCI root ports (4.19, 5.4.8).
 *
 * PORTSC punishes reading and writing back: PED and all change bits are cleared
 * by writing 1 to them. Only PORTSC_KEEP is ever carried over. */
#include "drivers/usb/xhci.h"

static uint32_t port_offset(unsigned port)
{
    return XHCI_PORTSC + 16 * (port - 1);
}

static bool is_usb3(const struct xhci *xhci, unsigned port)
{
    return xhci->port_major[port] == 3;
}

void xhci_port_power(struct xhci *xhci)
{
    unsigned port;

    for (port = 1; port <= xhci->ports; port++) {
        uint32_t value = xhci_read(xhci, port_offset(port));
        uint32_t link = (value & PORTSC_PLS_MASK) >> PORTSC_PLS_SHIFT;

        xhci_write(xhci, port_offset(port), (value & PORTSC_KEEP) | PORTSC_PP);
        /* A USB 3 port that was switched off looks for nobody (4.19.1.2.1). */
        if (is_usb3(xhci, port) && link == PLS_DISABLED) {
            xhci_write(xhci, port_offset(port),
                       (value & PORTSC_KEEP) | PORTSC_PP | PORTSC_LWS |
                           PLS_RXDETECT << PORTSC_PLS_SHIFT);
        }
    }
}

/* The default speed ids (7.2.2.1.1); controllers whose table of speeds says
 * otherwise also put these into PORTSC. */
static enum usb_speed port_speed(const struct xhci *xhci, unsigned port,
                                 uint32_t value)
{
    switch (PORTSC_SPEED(value)) {
    case 1:
        return USB_FULL;
    case 2:
        return USB_LOW;
    case 3:
        return USB_HIGH;
    default:
        return is_usb3(xhci, port) || PORTSC_SPEED(value) >= 4 ? USB_SUPER
                                                               : USB_HIGH;
    }
}

void xhci_port_status(struct usb_bus *bus, unsigned port,
                      struct usb_port_status *status)
{
    const struct xhci *xhci = bus->host;
    uint32_t value = xhci_read(xhci, port_offset(port));

    if (value == UINT32_MAX) {
        return; /* the controller itself is gone: nothing is connected */
    }
    if ((value & PORTSC_CHANGES) != 0) {
        xhci_write(xhci, port_offset(port),
                   value & (PORTSC_KEEP | PORTSC_CHANGES));
    }
    status->connected = (value & PORTSC_CCS) != 0;
    status->connect_changed = (value & PORTSC_CSC) != 0;
    status->enabled = (value & PORTSC_PED) != 0;
    status->resetting = (value & (PORTSC_PR | PORTSC_WPR)) != 0;
    status->speed = port_speed(xhci, port, value);
}

void xhci_port_reset(struct usb_bus *bus, unsigned port)
{
    const struct xhci *xhci = bus->host;
    uint32_t value = xhci_read(xhci, port_offset(port));
    uint32_t link = (value & PORTSC_PLS_MASK) >> PORTSC_PLS_SHIFT;
    uint32_t reset = PORTSC_PR;

    /* From these two states only a warm reset leads out (4.19.1.2.4). */
    if (is_usb3(xhci, port) &&
        (link == PLS_INACTIVE || link == PLS_COMPLIANCE)) {
        reset = PORTSC_WPR;
    }
    xhci_write(xhci, port_offset(port), (value & PORTSC_KEEP) | reset);
}

/* A USB 3 port is left as it is: disabled, it would look for nobody any more.
 */
void xhci_port_disable(struct usb_bus *bus, unsigned port)
{
    const struct xhci *xhci = bus->host;
    uint32_t value = xhci_read(xhci, port_offset(port));

    if (!is_usb3(xhci, port) && (value & PORTSC_PED) != 0) {
        xhci_write(xhci, port_offset(port), (value & PORTSC_KEEP) | PORTSC_PED);
    }
}
