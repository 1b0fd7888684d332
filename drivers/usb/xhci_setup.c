/* xHCI set-up: memory, the registers that lead to it (4.2, 4.20, 6.1, 6.5), and
 * the table of protocols (7.2). */
#include "drivers/usb/xhci.h"
#include "core/log.h"
#include <string.h>

#define EXT_CAP_PROTOCOL 2
#define EXT_CAPS_MAX     64
/* 40 periods of 250 ns between interrupts: soon, and not a storm. */
#define MODERATION 40

void xhci_write64(const struct xhci *xhci, uint32_t offset, uint64_t value)
{
    xhci_write(xhci, offset, (uint32_t)value);
    xhci_write(xhci, offset + 4, (uint32_t)(value >> 32));
}

/* 4.20: pages of its own that the controller asks for. */
static enum err take_scratchpads(struct xhci *xhci)
{
    uint32_t params = io_read32(&xhci->io, XHCI_HCSPARAMS2);
    unsigned count = ((params >> 21) & 0x1f) << 5 | ((params >> 27) & 0x1f);
    uint32_t sizes = xhci_read(xhci, XHCI_PAGESIZE) & 0xffff;
    size_t page = 4096;
    unsigned i;

    if (count == 0) {
        return OK;
    }
    while (sizes > 1 && (sizes & 1) == 0) {
        sizes >>= 1;
        page <<= 1;
    }
    xhci->scratchpads = io_dma_take(count * sizeof(uint64_t), 64, 0);
    if (xhci->scratchpads == NULL) {
        return ERR_MEMORY;
    }
    for (i = 0; i < count; i++) {
        void *memory = io_dma_take(page, page < 4096 ? page : 4096, 0);

        if (memory == NULL || io_dma_address(memory) % page != 0) {
            return ERR_MEMORY;
        }
        xhci->scratchpads[i] = io_dma_address(memory);
    }
    xhci->scratchpad_count = count;
    return OK;
}

enum err xhci_take_memory(struct xhci *xhci)
{
    enum err result;

    if (xhci->contexts != NULL) {
        return OK; /* from the start before */
    }
    result = xhci_ring_take(&xhci->command_ring);
    if (result == OK) {
        result = take_scratchpads(xhci);
    }
    if (result != OK) {
        return result;
    }
    xhci->events =
        io_dma_take(XHCI_EVENT_TRBS * sizeof(struct xhci_trb), 64, 65536);
    xhci->event_segment = io_dma_take(64, 64, 4096);
    if (xhci->events == NULL || xhci->event_segment == NULL) {
        return ERR_MEMORY;
    }
    xhci->contexts = io_dma_take((XHCI_SLOTS + 1) * sizeof(uint64_t), 64, 4096);
    return xhci->contexts != NULL ? OK : ERR_MEMORY;
}

static void program_events(struct xhci *xhci)
{
    uint64_t events = io_dma_address(xhci->events);
    uint64_t segment = io_dma_address(xhci->event_segment);
    uint32_t offset = xhci->runtime - xhci->operational;

    memset(xhci->events, 0, XHCI_EVENT_TRBS * sizeof(struct xhci_trb));
    xhci->event_index = 0;
    xhci->event_cycle = TRB_CYCLE;
    xhci->event_segment[0] = events;
    xhci->event_segment[1] = XHCI_EVENT_TRBS;
    io_barrier();
    xhci_write(xhci, offset + XHCI_ERSTSZ, 1);
    xhci_write64(xhci, offset + XHCI_ERDP, events);
    xhci_write64(xhci, offset + XHCI_ERSTBA, segment);
    xhci_write(xhci, offset + XHCI_IMOD, MODERATION);
    xhci_write(xhci, offset + XHCI_IMAN, IMAN_IP | IMAN_IE);
}

void xhci_program(struct xhci *xhci)
{
    memset(xhci->contexts, 0, (XHCI_SLOTS + 1) * sizeof(uint64_t));
    if (xhci->scratchpad_count > 0) {
        xhci->contexts[0] = io_dma_address(xhci->scratchpads);
    }
    xhci_ring_clear(&xhci->command_ring);
    list_init(&xhci->commands);
    xhci->command_us = 0;
    io_barrier();
    xhci_write(xhci, XHCI_CONFIG, xhci->slots);
    xhci_write(xhci, XHCI_DNCTRL, 0);
    xhci_write64(xhci, XHCI_DCBAAP, io_dma_address(xhci->contexts));
    xhci_write64(xhci, XHCI_CRCR, xhci->command_ring.address | CRCR_RCS);
    program_events(xhci);
    xhci_write(xhci, XHCI_USBCMD, USBCMD_RS | USBCMD_INTE | USBCMD_HSEE);
}

static void take_protocol(struct xhci *xhci, uint32_t offset)
{
    uint8_t major = (uint8_t)(io_read32(&xhci->io, offset) >> 24);
    uint32_t range = io_read32(&xhci->io, offset + 8);
    unsigned first = range & 0xff;
    unsigned count = (range >> 8) & 0xff;
    unsigned port;

    for (port = first; port < first + count; port++) {
        if (port >= 1 && port <= xhci->ports) {
            xhci->port_major[port] = major;
        }
    }
}

/* Walks the extended capabilities (7): dword offsets, 0 ends. */
void xhci_read_protocols(struct xhci *xhci)
{
    uint32_t offset = (xhci->capability1 >> 16) << 2;
    uint32_t step = offset;
    unsigned i;

    for (i = 0; i < EXT_CAPS_MAX && step != 0; i++) {
        uint32_t value;

        if (offset + 12 > xhci->io.bytes) {
            return;
        }
        value = io_read32(&xhci->io, offset);
        if ((value & 0xff) == EXT_CAP_PROTOCOL) {
            take_protocol(xhci, offset);
        } else if ((value & 0xff) == 1) {
            xhci->handoff = offset;
        }
        step = ((value >> 8) & 0xff) << 2;
        offset += step;
    }
}
