/* See host.h. */
#include "drivers/usb/host.h"
#include "core/check.h"
#include <stdio.h>
#include <string.h>

#define MAPPED_MAX 0x100000u
#define NAMES      24
#define NAME_BYTES 32
/* A controller that runs for so long was in order. */
#define IN_ORDER_US 600000000

static struct {
    unsigned held[USB_GATES];
    unsigned named;
    const char *kinds[NAMES];
    char names[NAMES][NAME_BYTES];
} state;

void usb_gate_hold(enum usb_gate gate)
{
    state.held[gate]++;
}

void usb_gate_release(enum usb_gate gate)
{
    ASSERT(state.held[gate] > 0);
    state.held[gate]--;
}

bool usb_gate_is_open(enum usb_gate gate)
{
    return state.held[gate] == 0;
}

static void decode(const struct pci_device *device, uint16_t what)
{
    pci_write16(device, PCI_COMMAND,
                (uint16_t)(pci_read16(device, PCI_COMMAND) | what));
}

enum err usb_host_map(const struct pci_device *device, unsigned bar,
                      uint64_t needed, struct io_region *region)
{
    uint64_t base = 0, bytes = 0;
    bool is_io = false;
    enum err result = pci_bar(device, bar, &base, &bytes, &is_io);

    if (result != OK) {
        return result;
    }
    if (is_io || bytes < needed) {
        return ERR_INVALID;
    }
    decode(device, PCI_COMMAND_MEMORY);
    *region = io_map(base, bytes < MAPPED_MAX ? (size_t)bytes : MAPPED_MAX);
    return region->base != 0 ? OK : ERR_MEMORY;
}

enum err usb_host_ports(const struct pci_device *device, unsigned bar,
                        uint16_t *base, unsigned *bytes)
{
    uint64_t at = 0, size = 0;
    bool is_io = false;
    enum err result = pci_bar(device, bar, &at, &size, &is_io);

    if (result != OK) {
        return result;
    }
    if (!is_io || at > UINT16_MAX || size > 0x100 || at + size > 0x10000) {
        return ERR_INVALID;
    }
    decode(device, PCI_COMMAND_IO);
    *base = (uint16_t)at;
    *bytes = (unsigned)size;
    return OK;
}

unsigned usb_host_failures(unsigned before, uint64_t since_us)
{
    return io_now_us() - since_us >= IN_ORDER_US ? 1 : before + 1;
}

const char *usb_host_name(const char *kind)
{
    unsigned i, number = 1;

    if (state.named == NAMES) {
        return kind;
    }
    for (i = 0; i < state.named; i++) {
        number += strcmp(state.kinds[i], kind) == 0;
    }
    state.kinds[i] = kind;
    (void)snprintf(state.names[i], NAME_BYTES, "%s", kind);
    if (number > 1) {
        (void)snprintf(state.names[i], NAME_BYTES, "%s %u", kind, number);
    }
    return state.names[state.named++];
}
