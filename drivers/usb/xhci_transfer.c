/* xHCI transfers (3.2, 4.6.8 - 4.6.10, 4.10, 4.11.2).
 *
 * A transfer is one chain of blocks: for the control endpoint setup, data and
 * status; for others one block for each piece that lies within a 64 KiB page.
 * Events name a block; the transfer it belongs to is found by the place it
 * remembers. A block of a transfer that is over already is ignored: some
 * controllers report the end of a short one a second time.
 *
 * Resetting an endpoint, from whatever state it is in:
 *   running:  Stop Endpoint -> Configure Endpoint (drop and add: toggle 0)
 *   halted:   Reset Endpoint (toggle 0) -> Set TR Dequeue Pointer
 * and endpoint 0, whose toggle each SETUP sets, always Set TR Dequeue Pointer.
 * All its transfers end with USB_CANCELLED then. */
#include "drivers/usb/xhci.h"
#include "core/bytes.h"
#include "core/check.h"
#include "core/log.h"
#include "drivers/usb/usb_cut.h"

#define TRB_BYTES_MAX     65536U
#define TRB_TRT_OUT       (2U << 16)
#define TRB_TRT_IN        (3U << 16)
#define RESET_TRIES       4
#define EVENTS_SHORT_MASK 0xffffffU

enum endpoint_state { /* 6.2.3 */
                      EP_DISABLED = 0,
                      EP_RUNNING = 1,
                      EP_HALTED = 2,
                      EP_STOPPED = 3,
                      EP_ERROR = 4,
};

/* ---- Submitting ------------------------------------------------------ */

static unsigned blocks_free(const struct xhci_endpoint *endpoint)
{
    const unsigned usable = XHCI_RING_TRBS - 1;
    const struct usb_transfer *oldest;
    unsigned used;

    if (list_empty(&endpoint->transfers)) {
        return usable - 1;
    }
    oldest = LIST_ELEMENT(endpoint->transfers.next, struct usb_transfer, link);
    used = (endpoint->ring.enqueue + usable - oldest->first) % usable;
    return usable - 1 - used;
}

/* A block lies within a page of 64 KiB. */
static const struct usb_cut cut = {TRB_BYTES_MAX, 1, 1};

/* TD size: packets that follow this block, 31 at most (4.11.2.4). */
static uint32_t packets_after(const struct usb_transfer *transfer,
                              uint32_t left)
{
    uint32_t size = transfer->endpoint->max_packet;
    uint32_t packets = (left + size - 1) / size;

    return packets > 31 ? 31 : packets;
}

static uint16_t put_data(struct xhci_endpoint *endpoint,
                         struct usb_transfer *transfer, uint64_t address)
{
    uint32_t left = transfer->bytes;
    bool first = true;

    do {
        uint32_t piece = usb_piece(&cut, address, left);
        struct xhci_trb trb;

        left -= piece;
        trb.parameter = address;
        trb.status = piece | packets_after(transfer, left) << 17;
        trb.control = TRB_TYPE(TRB_NORMAL) | TRB_ISP;
        if (left > 0) {
            trb.control |= TRB_CHAIN;
        } else if (!transfer->quiet) {
            trb.control |= TRB_IOC;
        }
        transfer->last = xhci_ring_put(&endpoint->ring, &trb, first);
        if (first) {
            transfer->first = transfer->last;
        }
        first = false;
        address += piece;
    } while (left > 0);
    return transfer->first;
}

static uint16_t put_control(struct xhci_endpoint *endpoint,
                            struct usb_transfer *transfer, uint64_t address)
{
    bool in = (transfer->setup[0] & USB_REQUEST_IN) != 0;
    struct xhci_trb trb;

    trb.parameter = get_le64(transfer->setup);
    trb.status = 8;
    trb.control = TRB_TYPE(TRB_SETUP) | TRB_IDT;
    if (transfer->bytes > 0) {
        trb.control |= in ? TRB_TRT_IN : TRB_TRT_OUT;
    }
    transfer->first = xhci_ring_put(&endpoint->ring, &trb, true);
    if (transfer->bytes > 0) {
        trb.parameter = address;
        trb.status = transfer->bytes;
        trb.control = TRB_TYPE(TRB_DATA) | TRB_ISP | (in ? TRB_DIR_IN : 0);
        xhci_ring_put(&endpoint->ring, &trb, false);
    }
    trb.parameter = 0;
    trb.status = 0;
    trb.control = TRB_TYPE(TRB_STATUS) | TRB_IOC;
    if (transfer->bytes == 0 || !in) {
        trb.control |= TRB_DIR_IN;
    }
    transfer->last = xhci_ring_put(&endpoint->ring, &trb, false);
    endpoint->is_short = false;
    return transfer->first;
}

enum err xhci_transfer(struct usb_transfer *transfer)
{
    struct xhci_endpoint *endpoint = transfer->endpoint->host;
    uint64_t address = 0;
    uint16_t first;

    if (endpoint == NULL || endpoint->device->closing ||
        endpoint->device->xhci->state != XHCI_RUN) {
        return ERR_GONE;
    }
    if (transfer->bytes > 0) {
        address = io_dma_address(transfer->buffer);
    }
    if (endpoint->index == 1) {
        /* The data stage is one block: our buffers lie within a page. */
        if (usb_piece(&cut, address, transfer->bytes) != transfer->bytes) {
            return ERR_INVALID;
        }
        if (blocks_free(endpoint) < 3) {
            return ERR_BUSY;
        }
        first = put_control(endpoint, transfer, address);
    } else {
        if (blocks_free(endpoint) <
            usb_pieces(&cut, address, transfer->bytes)) {
            return ERR_BUSY;
        }
        first = put_data(endpoint, transfer, address);
    }
    list_append(&endpoint->transfers, &transfer->link);
    xhci_ring_release(&endpoint->ring, first);
    if (!transfer->quiet) {
        xhci_doorbell(endpoint->device->xhci, endpoint->device->slot,
                      endpoint->index);
    }
    return OK;
}

/* ---- Events ---------------------------------------------------------- */

static enum usb_status status_of(enum xhci_code code)
{
    if (code == CC_SUCCESS || code == CC_SHORT_PACKET) {
        return USB_OK;
    }
    return code == CC_STALL ? USB_STALL : USB_ERROR;
}

static bool block_within(const struct usb_transfer *transfer, unsigned index)
{
    const unsigned usable = XHCI_RING_TRBS - 1;
    unsigned length = (transfer->last + usable - transfer->first) % usable;

    return (index + usable - transfer->first) % usable <= length;
}

/* Bytes carried over when the event names block `index` and says that
 * `residual` of its bytes were not. */
static uint32_t bytes_until(const struct xhci_endpoint *endpoint,
                            const struct usb_transfer *transfer, unsigned index,
                            uint32_t residual)
{
    uint32_t sum = 0;
    unsigned at = transfer->first;

    while (at != index) {
        sum += endpoint->ring.trbs[at].status & 0x1ffff;
        at = at + 1 == XHCI_RING_TRBS - 1 ? 0 : at + 1;
    }
    at = endpoint->ring.trbs[index].status & 0x1ffff;
    return sum + (residual < at ? at - residual : 0);
}

/* Those before it on the ring were quiet, and are over as well. */
static void finish_earlier(struct xhci_endpoint *endpoint,
                           const struct usb_transfer *found)
{
    while (endpoint->transfers.next != &found->link) {
        struct usb_transfer *transfer = LIST_ELEMENT(
            list_take_first(&endpoint->transfers), struct usb_transfer, link);

        usb_transfer_finish(transfer, USB_OK, transfer->bytes);
    }
}

static void control_event(struct xhci_endpoint *endpoint,
                          struct usb_transfer *transfer, unsigned index,
                          enum xhci_code code, uint32_t residual)
{
    uint32_t actual = transfer->bytes;

    if (code == CC_SHORT_PACKET && index != transfer->last) {
        endpoint->is_short = true;
        endpoint->short_actual =
            residual < transfer->bytes ? transfer->bytes - residual : 0;
        return; /* the status stage follows */
    }
    if (status_of(code) == USB_OK && index != transfer->last) {
        return;
    }
    if (endpoint->is_short) {
        actual = endpoint->short_actual;
    }
    list_remove(&transfer->link);
    usb_transfer_finish(transfer, status_of(code),
                        status_of(code) == USB_OK ? actual : 0);
}

static void endpoint_event(struct xhci_endpoint *endpoint,
                           const struct xhci_trb *event)
{
    uint64_t offset = event->parameter - endpoint->ring.address;
    enum xhci_code code = (enum xhci_code)(event->status >> 24);
    uint32_t residual = event->status & EVENTS_SHORT_MASK;
    unsigned index = (unsigned)(offset / sizeof(struct xhci_trb));
    struct list *node;

    if (code == CC_STOPPED || code == CC_STOPPED_LENGTH ||
        code == CC_STOPPED_SHORT || code == CC_RING_UNDERRUN ||
        code == CC_RING_OVERRUN) {
        return; /* the reset that stopped it ends the transfers */
    }
    if (offset >= (XHCI_RING_TRBS - 1) * sizeof(struct xhci_trb)) {
        return;
    }
    for (node = endpoint->transfers.next; node != &endpoint->transfers;
         node = node->next) {
        struct usb_transfer *transfer =
            LIST_ELEMENT(node, struct usb_transfer, link);

        if (!block_within(transfer, index)) {
            continue;
        }
        finish_earlier(endpoint, transfer);
        if (endpoint->index == 1) {
            control_event(endpoint, transfer, index, code, residual);
            return;
        }
        list_remove(&transfer->link);
        usb_transfer_finish(transfer, status_of(code),
                            bytes_until(endpoint, transfer, index, residual));
        return;
    }
}

void xhci_transfer_event(struct xhci *xhci, const struct xhci_trb *event)
{
    unsigned slot = event->control >> 24;
    unsigned index = (event->control >> 16) & 0x1f;
    unsigned i, k;

    for (i = 0; i < XHCI_SLOTS; i++) {
        struct xhci_device *device = &xhci->devices[i];

        if (device->usb == NULL || device->slot != slot || slot == 0) {
            continue;
        }
        for (k = 0; k < XHCI_ENDPOINTS; k++) {
            struct xhci_endpoint *endpoint = &device->endpoints[k];

            if (endpoint->usb != NULL && endpoint->index == index) {
                endpoint_event(endpoint, event);
                return;
            }
        }
    }
}

void xhci_endpoint_end(struct xhci_endpoint *endpoint, enum usb_status status)
{
    struct list *node;

    while ((node = list_take_first(&endpoint->transfers)) != NULL) {
        usb_transfer_finish(LIST_ELEMENT(node, struct usb_transfer, link),
                            status, 0);
    }
}

/* ---- Resetting an endpoint ------------------------------------------- */

static void reset_step(struct xhci *xhci, struct xhci_command *command,
                       enum xhci_code code, uint8_t slot);

static void reset_end(struct xhci_endpoint *endpoint, enum err result)
{
    struct usb_endpoint *usb = endpoint->usb;

    xhci_endpoint_end(endpoint, USB_CANCELLED);
    usb_endpoint_reset_done(usb, result);
}

static void reset_rings_done(struct xhci *xhci, struct xhci_command *command,
                             enum xhci_code code, uint8_t slot)
{
    (void)slot;
    if (command->device->closing) {
        return;
    }
    if (code != CC_SUCCESS) {
        log_warn("xhci", "%s: endpoint %u is not reset, code=%u",
                 xhci->bus.name, (unsigned)command->endpoint->index,
                 (unsigned)code);
    }
    reset_end(command->endpoint, code == CC_SUCCESS ? OK : ERR_IO);
}

static void submit(struct xhci_endpoint *endpoint, enum xhci_trb_type type,
                   uint64_t parameter,
                   void (*done)(struct xhci *, struct xhci_command *,
                                enum xhci_code, uint8_t))
{
    struct xhci_command *command = &endpoint->command;

    command->parameter = parameter;
    command->status = 0;
    command->control = TRB_TYPE(type) | (uint32_t)endpoint->device->slot << 24 |
                       (uint32_t)endpoint->index << 16;
    command->prepare = NULL;
    command->done = done;
    xhci_command_submit(endpoint->device->xhci, command);
}

static void submit_dequeue(struct xhci_endpoint *endpoint)
{
    uint64_t dequeue;

    xhci_ring_clear(&endpoint->ring);
    dequeue = endpoint->ring.address | endpoint->ring.cycle;
    submit(endpoint, TRB_SET_DEQUEUE, dequeue, reset_rings_done);
}

static void prepare_drop_add(struct xhci_command *command)
{
    struct xhci_device *device = command->device;
    const uint32_t *slot = xhci_output_context(device, 0);
    uint32_t bit = 1U << command->endpoint->index;
    uint32_t *input;
    unsigned i;

    xhci_ring_clear(&command->endpoint->ring);
    xhci_input_flags(device, bit, bit);
    input = xhci_input_context(device, 0);
    for (i = 0; i < 3; i++) {
        input[i] = slot[i];
    }
    xhci_input_endpoint(device, command->endpoint);
}

static void submit_drop_add(struct xhci_endpoint *endpoint)
{
    struct xhci_command *command = &endpoint->command;

    command->parameter = io_dma_address(endpoint->device->input);
    command->status = 0;
    command->control = TRB_TYPE(TRB_CONFIGURE_ENDPOINT) |
                       (uint32_t)endpoint->device->slot << 24;
    command->prepare = prepare_drop_add;
    command->done = reset_rings_done;
    xhci_command_submit(endpoint->device->xhci, command);
}

static void reset_halt_gone(struct xhci *xhci, struct xhci_command *command,
                            enum xhci_code code, uint8_t slot)
{
    if (code == CC_SUCCESS && !command->device->closing) {
        submit_dequeue(command->endpoint);
        return;
    }
    reset_step(xhci, command, code, slot);
}

/* Does what the state asks for that the controller has the endpoint in; the
 * state may change while a command waits, so it is read anew each time. */
static void reset_step(struct xhci *xhci, struct xhci_command *command,
                       enum xhci_code code, uint8_t slot)
{
    struct xhci_endpoint *endpoint = command->endpoint;
    struct xhci_device *device = command->device;
    uint32_t is;

    (void)code;
    (void)slot;
    if (device->closing) {
        return;
    }
    if (endpoint->tries++ >= RESET_TRIES) {
        log_warn("xhci", "%s: endpoint %u does not stop", xhci->bus.name,
                 (unsigned)endpoint->index);
        xhci_fail(xhci, "endpoint cannot be reset");
        return;
    }
    is = *(volatile const uint32_t *)xhci_output_context(device,
                                                         endpoint->index) &
         7;
    if (is == EP_RUNNING) {
        submit(endpoint, TRB_STOP_ENDPOINT, 0, reset_step);
    } else if (is == EP_HALTED) {
        submit(endpoint, TRB_RESET_ENDPOINT, 0, reset_halt_gone);
    } else if (endpoint->index == 1) {
        submit_dequeue(endpoint);
    } else {
        submit_drop_add(endpoint);
    }
}

void xhci_endpoint_reset(struct usb_endpoint *usb)
{
    struct xhci_endpoint *endpoint = usb->host;

    if (endpoint == NULL || endpoint->device->closing) {
        return; /* the device goes: so does the endpoint */
    }
    endpoint->tries = 0;
    reset_step(endpoint->device->xhci, &endpoint->command, CC_SUCCESS, 0);
}
