/* xHCI rings and commands (4.6, 4.9, 4.11).
 *
 * A ring is XHCI_RING_TRBS blocks; the last one leads back to the first and
 * toggles the cycle bit. A block belongs to the controller as soon as its cycle
 * bit has the ring's value, so a chain of blocks is written with the first one
 * held back, and handed over by flipping that one. */
#include "drivers/usb/xhci.h"
#include "core/log.h"
#include <string.h>

#define COMMAND_LIMIT_US 5000000 /* an address command may take this long */
#define ABORT_LIMIT_US   500000

enum err xhci_ring_take(struct xhci_ring *ring)
{
    const size_t bytes = XHCI_RING_TRBS * sizeof(struct xhci_trb);

    if (ring->trbs == NULL) {
        ring->trbs = io_dma_take(bytes, 64, 4096);
        if (ring->trbs == NULL) {
            return ERR_MEMORY;
        }
        ring->address = io_dma_address(ring->trbs);
    }
    xhci_ring_clear(ring);
    return OK;
}

void xhci_ring_clear(struct xhci_ring *ring)
{
    memset(ring->trbs, 0, XHCI_RING_TRBS * sizeof(struct xhci_trb));
    ring->enqueue = 0;
    ring->cycle = TRB_CYCLE;
}

uint16_t xhci_ring_put(struct xhci_ring *ring, const struct xhci_trb *trb,
                       bool hold)
{
    uint16_t index = ring->enqueue;
    volatile struct xhci_trb *place = &ring->trbs[index];
    uint32_t cycle = hold ? ring->cycle ^ TRB_CYCLE : ring->cycle;

    place->parameter = trb->parameter;
    place->status = trb->status;
    io_barrier();
    place->control = trb->control | cycle;
    ring->enqueue++;
    if (ring->enqueue == XHCI_RING_TRBS - 1) {
        place = &ring->trbs[ring->enqueue];
        place->parameter = ring->address;
        place->status = 0;
        io_barrier();
        place->control = TRB_TYPE(TRB_LINK) | TRB_TOGGLE |
                         (trb->control & TRB_CHAIN) | ring->cycle;
        ring->enqueue = 0;
        ring->cycle ^= TRB_CYCLE;
    }
    return index;
}

void xhci_ring_release(struct xhci_ring *ring, uint16_t index)
{
    volatile struct xhci_trb *place = &ring->trbs[index];

    io_barrier();
    place->control = place->control ^ TRB_CYCLE;
    io_barrier();
}

void xhci_doorbell(const struct xhci *xhci, unsigned slot, uint32_t target)
{
    io_barrier();
    io_write32(&xhci->io, xhci->doorbells + 4 * slot, target);
}

/* ---- Commands -------------------------------------------------------- */

static void command_start(struct xhci *xhci)
{
    struct xhci_command *command;
    struct xhci_trb trb;

    if (xhci->command_us != 0 || list_empty(&xhci->commands)) {
        return;
    }
    command = LIST_ELEMENT(xhci->commands.next, struct xhci_command, link);
    if (command->prepare != NULL) {
        command->prepare(command);
    }
    trb.parameter = command->parameter;
    trb.status = command->status;
    trb.control = command->control;
    xhci_ring_put(&xhci->command_ring, &trb, false);
    xhci->command_us = io_now_us();
    xhci->command_aborted = false;
    xhci_doorbell(xhci, 0, 0);
    usb_bus_wake(&xhci->bus, xhci->command_us,
                 xhci->command_us + COMMAND_LIMIT_US);
}

void xhci_command_submit(struct xhci *xhci, struct xhci_command *command)
{
    if (xhci->state != XHCI_RUN) {
        return; /* xhci_devices_drop() ends whatever waits for it */
    }
    list_append(&xhci->commands, &command->link);
    command_start(xhci);
}

static void command_finish(struct xhci *xhci, enum xhci_code code, uint8_t slot)
{
    struct list *node = list_take_first(&xhci->commands);
    struct xhci_command *command;

    xhci->command_us = 0;
    if (node == NULL) {
        return;
    }
    command = LIST_ELEMENT(node, struct xhci_command, link);
    command->done(xhci, command, code, slot);
    command_start(xhci);
}

/* After an abort the ring stands still; it starts again from its beginning, so
 * that a block that was never executed is not met again. */
static void ring_restart(struct xhci *xhci)
{
    xhci_ring_clear(&xhci->command_ring);
    xhci_write64(xhci, XHCI_CRCR, xhci->command_ring.address | CRCR_RCS);
    command_finish(xhci, CC_NONE, 0);
}

void xhci_command_event(struct xhci *xhci, const struct xhci_trb *event)
{
    enum xhci_code code = (enum xhci_code)(event->status >> 24);
    uint64_t address;

    if (xhci->command_us == 0) {
        return;
    }
    if (code == CC_RING_STOPPED) {
        if (xhci->command_aborted) {
            ring_restart(xhci);
        }
        return;
    }
    if (code == CC_ABORTED) {
        return; /* "ring stopped" follows */
    }
    address =
        xhci->command_ring.address + (xhci->command_ring.enqueue == 0
                                          ? XHCI_RING_TRBS - 2
                                          : xhci->command_ring.enqueue - 1U) *
                                         sizeof(struct xhci_trb);
    if (event->parameter != address || xhci->command_aborted) {
        return;
    }
    command_finish(xhci, code, (uint8_t)(event->control >> 24));
}

void xhci_command_poll(struct xhci *xhci, uint64_t now_us)
{
    uint64_t age_us;

    if (xhci->command_us == 0 || now_us < xhci->command_us) {
        return; /* none, or given after the clock was read */
    }
    age_us = now_us - xhci->command_us;
    if (!xhci->command_aborted) {
        if (age_us >= COMMAND_LIMIT_US) {
            log_warn("xhci", "%s: command aborted", xhci->bus.name);
            xhci->command_aborted = true;
            xhci_write64(xhci, XHCI_CRCR, CRCR_CA);
        }
        return;
    }
    if ((xhci_read(xhci, XHCI_CRCR) & CRCR_CRR) == 0) {
        ring_restart(xhci);
    } else if (age_us >= COMMAND_LIMIT_US + ABORT_LIMIT_US) {
        xhci_fail(xhci, "command ring does not stop");
    }
}
