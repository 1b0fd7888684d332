/* What the drivers of USB host controllers share: who waits for whom at the
 * start, and how registers are found. */
#ifndef DRIVERS_USB_HOST_H
#define DRIVERS_USB_HOST_H

#include "drivers/pci.h"

/* Steps of the start that one controller must not take before all others are
 * through an earlier one. */
enum usb_gate {
    /* The BIOS has given all controllers up: some set up all of them anew
     * whenever one is taken away. */
    USB_GATE_HANDOFF,
    /* All EHCI controllers have drawn their ports to themselves: what their
     * companions see at a port before is taken from them again. */
    USB_GATE_ROUTED,
    USB_GATES
};

/* usb_gate_hold - closes it until usb_gate_release() was called as often. */
void usb_gate_hold(enum usb_gate gate);
void usb_gate_release(enum usb_gate gate);
bool usb_gate_is_open(enum usb_gate gate);

/* usb_host_map - registers in memory behind a BAR, of `needed` bytes at least;
 * at most 1 MiB of them is mapped. Bus mastering is left as it is: the
 * controller may still be running for the BIOS. */
enum err usb_host_map(const struct pci_device *device, unsigned bar,
                      uint64_t needed, struct io_region *region) MUST_CHECK;

/* usb_host_ports - the same for I/O ports; *bytes: how many there are. */
enum err usb_host_ports(const struct pci_device *device, unsigned bar,
                        uint16_t *base, unsigned *bytes) MUST_CHECK;

/* usb_host_failures - how often a controller has failed one after the other,
 * now that it has failed again: so often before, and it ran since that time.
 * One that has run for long begins anew, else some years would use it up. */
unsigned usb_host_failures(unsigned before, uint64_t since_us);

/* usb_host_name - a name for one more controller of this kind, told apart from
 * others of it by a number; kept for ever. */
const char *usb_host_name(const char *kind);

#endif
