/* OHCI transfers (4.2, 4.3.1, 6.4).
 *
 * The queue of an endpoint ends in an empty piece ("dummy") that its tail
 * points to. A transfer is written into it and into further pieces, and the
 * tail moved to a new dummy: only then does the controller see it. A piece is
 * over when the head has moved past it and its own result is there; the
 * controller's own list of what is done is not used. A short packet in any but
 * the last piece stops the queue: it is started again behind the transfer. Data
 * toggles are the controller's. After an error the endpoint is halted until it
 * is reset. */
#include "drivers/usb/ohci.h"
#include "core/check.h"
#include "drivers/usb/usb_cut.h"

#define PAGE           4096U
#define PIECE_PAGES    2U
#define CONTROL_MAX    PAGE /* lies within two pages wherever it begins */
#define PACKET_MAX     64   /* full speed, USB 2.0 5.8.3 */
#define PACKET_MAX_LOW 8

static bool is_control(const struct ohci_endpoint *endpoint)
{
    return endpoint->usb->address == 0;
}

static bool is_in(const struct usb_endpoint *usb)
{
    return (usb->address & USB_ENDPOINT_IN) != 0;
}

/* What a device says of itself does not confuse the controller. */
static uint32_t packet_bytes(const struct usb_endpoint *usb)
{
    uint32_t most = usb->device->speed == USB_LOW ? PACKET_MAX_LOW : PACKET_MAX;

    return usb->max_packet < most ? usb->max_packet : most;
}

void ohci_describe(const struct ohci_endpoint *endpoint)
{
    const struct usb_endpoint *usb = endpoint->usb;
    uint32_t info = usb->device->address | (usb->address & 0x0fU) << 7 |
                    packet_bytes(usb) << 16;

    if (usb->device->speed == USB_LOW) {
        info |= OHCI_ED_LOW;
    }
    if (!is_control(endpoint)) {
        info |= is_in(usb) ? OHCI_ED_IN : OHCI_ED_OUT;
    }
    endpoint->ed->info = info;
    io_barrier();
}

/* ---- Submitting ------------------------------------------------------ */

static struct usb_cut cut_of(const struct usb_endpoint *usb)
{
    return (struct usb_cut){PAGE, PIECE_PAGES, packet_bytes(usb)};
}

static struct ohci_td *put(struct ohci_endpoint *endpoint, uint32_t control,
                           uint64_t address, uint32_t bytes, bool is_data)
{
    struct ohci_td *td = endpoint->dummy;

    endpoint->dummy = ohci_td_take();
    ASSERT(endpoint->dummy != NULL); /* counted before */
    td->next = endpoint->dummy;
    td->link = ohci_td_address(endpoint->dummy);
    td->control = control | OHCI_TD_NEW | OHCI_TD_QUIET;
    td->buffer = bytes > 0 ? (uint32_t)address : 0;
    td->end = bytes > 0 ? (uint32_t)address + bytes - 1 : 0;
    td->data_bytes = is_data ? bytes : 0;
    return td;
}

static struct ohci_td *put_control(struct ohci_endpoint *endpoint,
                                   const struct usb_transfer *transfer,
                                   uint64_t address)
{
    bool in = (transfer->setup[0] & USB_REQUEST_IN) != 0;

    (void)put(endpoint, OHCI_TD_SETUP | OHCI_TD_TOGGLE0,
              io_dma_address(transfer->setup), 8, false);
    if (transfer->bytes > 0) {
        (void)put(endpoint,
                  (in ? OHCI_TD_IN : OHCI_TD_OUT) | OHCI_TD_ROUND |
                      OHCI_TD_TOGGLE1,
                  address, transfer->bytes, true);
    }
    return put(endpoint,
               (in && transfer->bytes > 0 ? OHCI_TD_OUT : OHCI_TD_IN) |
                   OHCI_TD_TOGGLE1,
               0, 0, false);
}

static struct ohci_td *put_data(struct ohci_endpoint *endpoint,
                                const struct usb_transfer *transfer,
                                uint64_t address)
{
    uint32_t direction = is_in(transfer->endpoint) ? OHCI_TD_IN : OHCI_TD_OUT;
    const struct usb_cut cut = cut_of(transfer->endpoint);
    uint32_t left = transfer->bytes;
    struct ohci_td *td;

    do {
        uint32_t piece = usb_piece(&cut, address, left);

        td = put(endpoint, direction, address, piece, true);
        address += piece;
        left -= piece;
    } while (left > 0);
    td->control |= OHCI_TD_ROUND;
    return td;
}

static void release(const struct ohci_endpoint *endpoint)
{
    enum ohci_list list = ohci_list_of(endpoint);

    io_barrier();
    endpoint->ed->tail = ohci_td_address(endpoint->dummy);
    io_barrier();
    if (list != OHCI_PERIODIC_LIST) {
        ohci_write(endpoint->ohci, OHCI_COMMAND,
                   list == OHCI_BULK_LIST ? OHCI_COMMAND_BULK
                                          : OHCI_COMMAND_CONTROL);
    }
}

enum err ohci_transfer(struct usb_transfer *transfer)
{
    struct ohci_endpoint *endpoint = transfer->endpoint->host;
    uint64_t address = 0;
    struct ohci_td *last;

    if (endpoint == NULL || endpoint->leaving != OHCI_STAYS ||
        endpoint->ohci->state != OHCI_RUN) {
        return ERR_GONE;
    }
    if (transfer->bytes > 0) {
        address = io_dma_address(transfer->buffer);
    }
    if (is_control(endpoint)) {
        if (transfer->bytes > CONTROL_MAX) {
            return ERR_INVALID;
        }
        if (ohci_tds_free() < 3) {
            return ERR_BUSY;
        }
        if (list_empty(&endpoint->transfers)) {
            ohci_describe(endpoint); /* address, size of packets */
        }
        last = put_control(endpoint, transfer, address);
    } else {
        const struct usb_cut cut = cut_of(transfer->endpoint);

        if (ohci_tds_free() < usb_pieces(&cut, address, transfer->bytes)) {
            return ERR_BUSY;
        }
        last = put_data(endpoint, transfer, address);
    }
    if (!transfer->quiet) {
        last->control &= ~(uint32_t)OHCI_TD_QUIET;
    }
    transfer->host = last;
    list_append(&endpoint->transfers, &transfer->link);
    release(endpoint);
    return OK;
}

/* ---- What the controller has done ------------------------------------ */

/* Gives back the pieces up to `end`, which comes first then. */
static void give_back_until(struct ohci_endpoint *endpoint,
                            const struct ohci_td *end)
{
    while (endpoint->at != end) {
        struct ohci_td *td = endpoint->at;

        endpoint->at = td->next;
        ohci_td_give_back(td);
    }
}

static void transfer_end(struct ohci_endpoint *endpoint,
                         struct usb_transfer *transfer, enum usb_status status)
{
    const struct ohci_td *last = transfer->host;
    uint32_t actual = endpoint->done;

    list_remove(&transfer->link);
    endpoint->done = 0;
    if (status == USB_OK) {
        give_back_until(endpoint, last->next);
    } else {
        endpoint->halted = true;
    }
    usb_transfer_finish(transfer, status, actual);
}

/* Bytes of a piece that were carried over. Its pages lie one after the other,
 * so what is left can be reckoned through. */
static uint32_t piece_carried(const struct ohci_td *td)
{
    uint32_t buffer = td->buffer;
    uint32_t left = buffer == 0 ? 0 : td->end - buffer + 1;

    return left <= td->data_bytes ? td->data_bytes - left : 0;
}

/* Only pieces of bulk transfers end in an underrun: see OHCI_TD_ROUND. */
static enum usb_status status_of(const struct ohci_endpoint *endpoint,
                                 uint32_t code)
{
    if (code == OHCI_CC_OK ||
        (code == OHCI_CC_UNDERRUN && !is_control(endpoint))) {
        return USB_OK;
    }
    return code == OHCI_CC_STALL ? USB_STALL : USB_ERROR;
}

/* The queue has stopped at a short packet: it goes on behind the transfer, and
 * keeps its toggle. */
static void start_again(const struct ohci_endpoint *endpoint,
                        const struct ohci_td *td)
{
    uint32_t carry = endpoint->ed->head & OHCI_HEAD_CARRY;

    endpoint->ed->head = ohci_td_address(td) | carry;
    release(endpoint);
}

bool ohci_endpoint_poll(struct ohci_endpoint *endpoint)
{
    bool any = false;

    while (!list_empty(&endpoint->transfers) && !endpoint->halted &&
           endpoint->leaving == OHCI_STAYS) {
        struct usb_transfer *transfer =
            LIST_ELEMENT(endpoint->transfers.next, struct usb_transfer, link);
        struct ohci_td *td = endpoint->at, *last = transfer->host;
        uint32_t head = endpoint->ed->head, code;
        enum usb_status status;

        if ((head & ~0xfU) == ohci_td_address(td)) {
            break; /* not over yet */
        }
        any = true;
        io_barrier();
        code = OHCI_TD_CODE(td->control);
        if (code == OHCI_TD_CODE(OHCI_TD_NEW)) {
            break; /* passed, but how it went is still to be written */
        }
        endpoint->done += td->data_bytes > 0 ? piece_carried(td) : 0;
        status = status_of(endpoint, code);
        /* A queue that stands may have been stopped by a later piece. */
        if (status == USB_OK && code == OHCI_CC_UNDERRUN) {
            start_again(endpoint, last->next);
            td = last;
        }
        if (status != USB_OK || td == last) {
            transfer_end(endpoint, transfer, status);
            break; /* done() may have changed anything: looked at anew */
        }
        endpoint->at = td->next;
        ohci_td_give_back(td);
    }
    return any;
}

void ohci_endpoint_drop(struct ohci_endpoint *endpoint, enum usb_status status)
{
    struct list ended;
    struct list *node;

    list_init(&ended);
    while ((node = list_take_first(&endpoint->transfers)) != NULL) {
        list_append(&ended, node);
    }
    give_back_until(endpoint, endpoint->dummy);
    endpoint->done = 0;
    endpoint->halted = false;
    endpoint->ed->head = endpoint->ed->tail = ohci_td_address(endpoint->dummy);
    io_barrier();
    while ((node = list_take_first(&ended)) != NULL) {
        usb_transfer_finish(LIST_ELEMENT(node, struct usb_transfer, link),
                            status, 0);
    }
}
