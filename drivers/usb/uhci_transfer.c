/* UHCI transfers (3.2, 3.3).
 *
 * The controller has at most one chain of packets of each endpoint: all, or a
 * part, of the first transfer. When the chain is done the next part follows,
 * or the next transfer. A short packet holds the queue: what remains of the
 * chain is taken back, and a control transfer goes on with its status stage.
 * Data toggles are kept here. After an error the endpoint is halted until it is
 * reset. */
#include "drivers/usb/uhci.h"
#include "core/check.h"

#define PACKET_MAX     64 /* full speed, USB 2.0 5.8.3 */
#define PACKET_MAX_LOW 8

static bool is_control(const struct uhci_endpoint *endpoint)
{
    return endpoint->usb->address == 0;
}

static bool counts_as_busy(const struct uhci_endpoint *endpoint)
{
    return is_control(endpoint) ||
           (endpoint->usb->attributes & USB_TRANSFER_MASK) == USB_TRANSFER_BULK;
}

/* What a device says of itself does not make the controller stop. */
static uint32_t packet_bytes(const struct usb_endpoint *usb)
{
    uint32_t most = usb->device->speed == USB_LOW ? PACKET_MAX_LOW : PACKET_MAX;

    return usb->max_packet < most ? usb->max_packet : most;
}

static struct usb_transfer *first_transfer(const struct uhci_endpoint *endpoint)
{
    return LIST_ELEMENT(endpoint->transfers.next, struct usb_transfer, link);
}

/* ---- Building a chain ------------------------------------------------ */

/* One packet behind the others; false: there is no room for it now. */
static bool put(struct uhci_endpoint *endpoint, uint32_t pid, uint64_t buffer,
                uint32_t bytes, uint32_t toggle)
{
    const struct usb_endpoint *usb = endpoint->usb;
    struct uhci_td *td = uhci_td_take();

    if (td == NULL) {
        return false;
    }
    td->link = UHCI_LINK_END;
    td->status = UHCI_TD_ACTIVE | UHCI_TD_ERRORS |
                 (usb->device->speed == USB_LOW ? UHCI_TD_LOW : 0) |
                 (pid == UHCI_PID_IN ? UHCI_TD_SHORT : 0);
    td->token = ((bytes - 1) & 0x7ff) << 21 | toggle << 19 |
                (usb->address & 0x0fU) << 15 |
                (uint32_t)usb->device->address << 8 | pid;
    td->buffer = (uint32_t)buffer;
    td->is_data = 0;
    td->next = NULL;
    if (endpoint->last != NULL) {
        endpoint->last->next = td;
        endpoint->last->link = td->address | UHCI_LINK_DEPTH;
    } else {
        endpoint->first = td;
    }
    endpoint->last = td;
    return true;
}

static bool put_setup(struct uhci_endpoint *endpoint,
                      const struct usb_transfer *transfer)
{
    if (!put(endpoint, UHCI_PID_SETUP, io_dma_address(transfer->setup), 8, 0)) {
        return false;
    }
    endpoint->toggle = 1;
    return true;
}

static bool put_data(struct uhci_endpoint *endpoint,
                     const struct usb_transfer *transfer, bool in)
{
    uint32_t left = transfer->bytes - endpoint->queued;
    uint32_t most = packet_bytes(endpoint->usb);
    uint32_t piece = left < most ? left : most;
    uint64_t address = 0;

    if (piece > 0) {
        address = io_dma_address(transfer->buffer) + endpoint->queued;
    }
    if (!put(endpoint, in ? UHCI_PID_IN : UHCI_PID_OUT, address, piece,
             endpoint->toggle)) {
        return false;
    }
    endpoint->last->is_data = 1;
    endpoint->toggle ^= 1;
    endpoint->queued += piece;
    return true;
}

static bool put_status(struct uhci_endpoint *endpoint,
                       const struct usb_transfer *transfer)
{
    bool in = (transfer->setup[0] & USB_REQUEST_IN) != 0;

    return put(endpoint, in && transfer->bytes > 0 ? UHCI_PID_OUT : UHCI_PID_IN,
               0, 0, 1);
}

/* The next packet of the transfer and what follows it; false: no room. */
static bool put_next(struct uhci_endpoint *endpoint,
                     const struct usb_transfer *transfer)
{
    bool control = is_control(endpoint);
    bool in = ((control ? transfer->setup[0] : endpoint->usb->address) &
               USB_ENDPOINT_IN) != 0;

    switch (endpoint->stage) {
    case UHCI_SETUP:
        if (!put_setup(endpoint, transfer)) {
            return false;
        }
        endpoint->stage = transfer->bytes > 0 ? UHCI_DATA : UHCI_STATUS;
        return true;
    case UHCI_DATA:
        if (!put_data(endpoint, transfer, in)) {
            return false;
        }
        if (endpoint->queued == transfer->bytes) {
            endpoint->stage = control ? UHCI_STATUS : UHCI_ALL;
        }
        return true;
    case UHCI_STATUS:
        if (!put_status(endpoint, transfer)) {
            return false;
        }
        endpoint->stage = UHCI_ALL;
        return true;
    case UHCI_ALL:
    default:
        return false;
    }
}

static void change_busy(struct uhci_endpoint *endpoint, bool more)
{
    struct uhci *uhci = endpoint->uhci;

    if (!counts_as_busy(endpoint)) {
        return;
    }
    uhci->busy = more ? uhci->busy + 1 : uhci->busy - 1;
    if (uhci->busy == (more ? 1U : 0U)) {
        uhci_schedule(uhci);
    }
}

/* Gives the controller as much as may be; when there is no packet free, poll
 * tries again. */
static void chain_start(struct uhci_endpoint *endpoint)
{
    const struct usb_transfer *transfer = first_transfer(endpoint);
    unsigned count = 0;

    ASSERT(endpoint->first == NULL);
    while (count < UHCI_CHAIN_TDS && put_next(endpoint, transfer)) {
        count++;
    }
    if (endpoint->first == NULL) {
        usb_bus_wake(&endpoint->uhci->bus, io_now_us(), io_now_us() + 1000);
        return;
    }
    endpoint->last->status |= UHCI_TD_IOC;
    endpoint->at = endpoint->first;
    io_barrier();
    endpoint->qh->element = endpoint->first->address;
    change_busy(endpoint, true);
}

/* A queue that stopped at a short packet or an error leads to it still: it must
 * not lead there when somebody else has the packet. */
static void chain_end(struct uhci_endpoint *endpoint)
{
    endpoint->qh->element = UHCI_LINK_END;
    io_barrier();
    if (endpoint->first != NULL) {
        uhci_tds_retire(endpoint->first, endpoint->last);
        endpoint->first = endpoint->at = endpoint->last = NULL;
        change_busy(endpoint, false);
    }
}

static void transfer_start(struct uhci_endpoint *endpoint)
{
    endpoint->queued = endpoint->done = 0;
    endpoint->stage = is_control(endpoint) ? UHCI_SETUP : UHCI_DATA;
    chain_start(endpoint);
}

enum err uhci_transfer(struct usb_transfer *transfer)
{
    struct uhci_endpoint *endpoint = transfer->endpoint->host;
    bool idle;

    if (endpoint == NULL || endpoint->leaving != UHCI_STAYS ||
        endpoint->uhci->state != UHCI_RUN) {
        return ERR_GONE;
    }
    idle = list_empty(&endpoint->transfers);
    list_append(&endpoint->transfers, &transfer->link);
    if (idle && !endpoint->halted) {
        transfer_start(endpoint);
    }
    return OK;
}

/* ---- What the controller has done ------------------------------------ */

static void transfer_end(struct uhci_endpoint *endpoint, enum usb_status status)
{
    struct usb_transfer *transfer = first_transfer(endpoint);
    uint32_t actual = endpoint->done;

    chain_end(endpoint);
    list_remove(&transfer->link);
    if (status != USB_OK) {
        endpoint->halted = true;
    } else if (!list_empty(&endpoint->transfers)) {
        transfer_start(endpoint);
    }
    usb_transfer_finish(transfer, status, actual);
}

static enum usb_status error_of(uint32_t status)
{
    const uint32_t wire =
        UHCI_TD_BITSTUFF | UHCI_TD_TIMEOUT | UHCI_TD_BABBLE | UHCI_TD_BUFFER;

    if ((status & UHCI_TD_STALLED) == 0) {
        return USB_OK; /* what went wrong went well at the next try */
    }
    return (status & wire) != 0 ? USB_ERROR : USB_STALL;
}

/* Less data came than was asked for: the queue stands. */
static void data_short(struct uhci_endpoint *endpoint,
                       const struct uhci_td *last)
{
    if (!is_control(endpoint)) {
        endpoint->toggle = (last->token >> 19 & 1) ^ 1;
        transfer_end(endpoint, USB_OK);
        return;
    }
    chain_end(endpoint);
    endpoint->stage = UHCI_STATUS;
    chain_start(endpoint);
}

static void chain_done(struct uhci_endpoint *endpoint)
{
    if (endpoint->stage == UHCI_ALL) {
        transfer_end(endpoint, USB_OK);
        return;
    }
    chain_end(endpoint);
    chain_start(endpoint);
}

bool uhci_endpoint_poll(struct uhci_endpoint *endpoint)
{
    bool any = false;

    if (endpoint->leaving != UHCI_STAYS || list_empty(&endpoint->transfers) ||
        endpoint->halted) {
        return false;
    }
    if (endpoint->first == NULL) {
        chain_start(endpoint);
    }
    while (endpoint->at != NULL) {
        struct uhci_td *td = endpoint->at;
        uint32_t status = td->status;
        uint32_t asked = UHCI_TD_ACTUAL(td->token >> 21);
        uint32_t actual = UHCI_TD_ACTUAL(status);

        if ((status & UHCI_TD_ACTIVE) != 0) {
            return any;
        }
        any = true;
        if (error_of(status) != USB_OK || actual > asked) {
            transfer_end(endpoint,
                         actual > asked ? USB_ERROR : error_of(status));
            return true;
        }
        if (td->is_data != 0 && actual < asked) {
            endpoint->done += actual;
            data_short(endpoint, td);
            return true;
        }
        /* It has told of the last packet before it moves the queue on: that
         * would undo what is written there now. */
        if (td == endpoint->last &&
            (endpoint->qh->element & UHCI_LINK_END) == 0) {
            return any;
        }
        endpoint->done += td->is_data != 0 ? actual : 0;
        endpoint->at = td->next;
        if (endpoint->at == NULL) {
            chain_done(endpoint);
            return true;
        }
    }
    return any;
}

void uhci_endpoint_drop(struct uhci_endpoint *endpoint, enum usb_status status)
{
    struct list *node;

    chain_end(endpoint);
    endpoint->halted = false;
    endpoint->toggle = 0;
    while ((node = list_take_first(&endpoint->transfers)) != NULL) {
        usb_transfer_finish(LIST_ELEMENT(node, struct usb_transfer, link),
                            status, 0);
    }
}
