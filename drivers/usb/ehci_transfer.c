/* EHCI transfers (3.5, 3.6, 4.10).
 *
 * The queue of an endpoint always ends in an empty piece ("dummy") that the
 * controller stops at. A transfer is written into it and into further pieces,
 * a new dummy behind them, and the old dummy is activated last: so transfers
 * are added while the controller works. A short packet leads to the dummy, that
 * is, to the next transfer; in a control transfer to the status stage.
 *
 * Data toggles are the controller's own (but those of control transfers, which
 * each piece says). After an error the queue is halted until the endpoint is
 * reset: taken out of the schedule, emptied, put back with toggle 0. */
#include "drivers/usb/ehci.h"
#include "core/check.h"
#include "drivers/usb/usb_cut.h"

#define PAGE             4096U
#define CONTROL_MAX      16384U
#define PACKET_MAX       1024
#define PACKET_MAX_FULL  64 /* USB 2.0 5.7.3, 5.8.3 */
#define SPLIT_START      0x01U
#define SPLIT_COMPLETE   0xfcU
#define QH_TOGGLE_IN_QTD 0x4000U
#define QH_CONTROL       0x08000000U /* a slower device's control endpoint */
#define QH_MULTIPLE_1    0x40000000U

static bool is_control(const struct ehci_endpoint *endpoint)
{
    return endpoint->usb->address == 0;
}

/* What a device says of itself does not confuse the controller. */
static uint32_t packet_bytes(const struct usb_endpoint *usb)
{
    uint32_t most =
        usb->device->speed >= USB_HIGH ? PACKET_MAX : PACKET_MAX_FULL;

    return usb->max_packet < most ? usb->max_packet : most;
}

void ehci_queue_describe(struct ehci_endpoint *endpoint)
{
    static const uint8_t speeds[] = {1, 0, 2, 2}; /* low, full, high */
    const struct usb_endpoint *usb = endpoint->usb;
    const struct usb_device *device = usb->device;
    bool split = device->speed < USB_HIGH;
    uint32_t words[2];

    words[0] = device->address | (usb->address & 0x0fU) << 8 |
               (uint32_t)speeds[device->speed] << 12 | packet_bytes(usb) << 16;
    words[1] = QH_MULTIPLE_1;
    if (is_control(endpoint)) {
        words[0] |= QH_TOGGLE_IN_QTD | (split ? QH_CONTROL : 0);
    }
    if (split && device->tt != NULL) {
        words[1] |= (uint32_t)device->tt->address << 16 |
                    (uint32_t)(device->tt_port & 0x7f) << 23;
    }
    if (ehci_is_periodic(endpoint)) {
        words[1] |= SPLIT_START | (split ? SPLIT_COMPLETE << 8 : 0);
    }
    endpoint->qh->endpoint = words[0];
    endpoint->qh->split = words[1];
    io_barrier();
}

/* ---- Submitting ------------------------------------------------------ */

static struct usb_cut cut_of(const struct usb_endpoint *usb)
{
    return (struct usb_cut){PAGE, EHCI_QTD_PAGES, packet_bytes(usb)};
}

static void fill(struct ehci_qtd *qtd, uint64_t address, uint32_t bytes)
{
    unsigned i;

    qtd->buffer[0] = (uint32_t)address;
    for (i = 1; i < EHCI_QTD_PAGES && i * PAGE < bytes + address % PAGE; i++) {
        qtd->buffer[i] = ((uint32_t)address & ~(uint32_t)(PAGE - 1)) + i * PAGE;
    }
}

/* Pieces are appended one after the other; the token of the first one is kept
 * back until all are written. */
struct writer {
    struct ehci_endpoint *endpoint;
    struct ehci_qtd *first, *last;
    uint32_t first_token;
};

static void put(struct writer *writer, uint32_t token, uint64_t address,
                uint32_t bytes, bool is_data)
{
    struct ehci_endpoint *endpoint = writer->endpoint;
    struct ehci_qtd *qtd = endpoint->dummy;

    endpoint->dummy = ehci_qtd_take();
    ASSERT(endpoint->dummy != NULL); /* counted before */
    qtd->next = endpoint->dummy;
    qtd->link = ehci_qtd_address(endpoint->dummy);
    qtd->alternate = EHCI_LINK_END;
    qtd->data_bytes = is_data ? bytes : 0;
    fill(qtd, address, bytes);
    token |= EHCI_QTD_ACTIVE | EHCI_QTD_ERRORS | bytes << 16;
    writer->last = qtd;
    if (writer->first == NULL) {
        writer->first = qtd;
        writer->first_token = token;
    } else {
        qtd->token = token;
    }
}

static void put_control(struct writer *writer,
                        const struct usb_transfer *transfer, uint64_t address)
{
    bool in = (transfer->setup[0] & USB_REQUEST_IN) != 0;

    put(writer, EHCI_QTD_SETUP, io_dma_address(transfer->setup), 8, false);
    if (transfer->bytes > 0) {
        put(writer, (in ? EHCI_QTD_IN : EHCI_QTD_OUT) | EHCI_QTD_TOGGLE,
            address, transfer->bytes, true);
    }
    put(writer,
        (in && transfer->bytes > 0 ? EHCI_QTD_OUT : EHCI_QTD_IN) |
            EHCI_QTD_TOGGLE,
        0, 0, false);
}

static void put_data(struct writer *writer, const struct usb_transfer *transfer,
                     uint64_t address)
{
    bool in = (transfer->endpoint->address & USB_ENDPOINT_IN) != 0;
    const struct usb_cut cut = cut_of(transfer->endpoint);
    uint32_t left = transfer->bytes, end;
    struct ehci_qtd *qtd;

    do {
        uint32_t piece = usb_piece(&cut, address, left);

        put(writer, in ? EHCI_QTD_IN : EHCI_QTD_OUT, address, piece, true);
        address += piece;
        left -= piece;
    } while (left > 0);
    if (!in) {
        return;
    }
    end = ehci_qtd_address(writer->endpoint->dummy);
    for (qtd = writer->first; qtd != writer->endpoint->dummy; qtd = qtd->next) {
        qtd->alternate = end;
    }
}

/* The last piece raises the interrupt, and the transfer remembers it. */
static void release(struct writer *writer, struct usb_transfer *transfer)
{
    uint32_t interrupt = transfer->quiet ? 0 : EHCI_QTD_IOC;

    transfer->host = writer->last;
    if (writer->last == writer->first) {
        writer->first_token |= interrupt;
    } else {
        writer->last->token |= interrupt;
    }
    io_barrier();
    writer->first->token = writer->first_token;
}

enum err ehci_transfer(struct usb_transfer *transfer)
{
    struct ehci_endpoint *endpoint = transfer->endpoint->host;
    struct writer writer = {endpoint, NULL, NULL, 0};
    uint64_t address = 0;

    if (endpoint == NULL || endpoint->leaving != EHCI_STAYS ||
        endpoint->ehci->state != EHCI_RUN) {
        return ERR_GONE;
    }
    if (transfer->bytes > 0) {
        address = io_dma_address(transfer->buffer);
    }
    if (is_control(endpoint)) {
        if (transfer->bytes > CONTROL_MAX) {
            return ERR_INVALID;
        }
        if (ehci_qtds_free() < 3) {
            return ERR_BUSY;
        }
        if (list_empty(&endpoint->transfers)) {
            ehci_queue_describe(endpoint); /* address, size of packets */
        }
        put_control(&writer, transfer, address);
    } else {
        const struct usb_cut cut = cut_of(transfer->endpoint);

        if (ehci_qtds_free() < usb_pieces(&cut, address, transfer->bytes)) {
            return ERR_BUSY;
        }
        put_data(&writer, transfer, address);
    }
    list_append(&endpoint->transfers, &transfer->link);
    if (!ehci_is_periodic(endpoint)) {
        endpoint->ehci->busy++;
    }
    release(&writer, transfer);
    (void)ehci_schedule_poll(endpoint->ehci, io_now_us());
    return OK;
}

/* ---- What the controller has done ------------------------------------ */

static enum usb_status error_of(uint32_t token)
{
    if ((token & EHCI_QTD_HALTED) == 0) {
        return USB_OK; /* what went wrong went well at the next try */
    }
    if ((token & (EHCI_QTD_BABBLE | EHCI_QTD_BUFFER)) != 0 ||
        (token & EHCI_QTD_ERRORS) == 0) {
        return USB_ERROR;
    }
    return USB_STALL;
}

static void take_off(struct ehci_endpoint *endpoint,
                     struct usb_transfer *transfer)
{
    list_remove(&transfer->link);
    if (!ehci_is_periodic(endpoint)) {
        endpoint->ehci->busy--;
    }
}

/* Gives back the pieces up to `end`, which comes first then. */
static void give_back_until(struct ehci_endpoint *endpoint,
                            const struct ehci_qtd *end)
{
    while (endpoint->at != end) {
        struct ehci_qtd *qtd = endpoint->at;

        endpoint->at = qtd->next;
        ehci_qtd_give_back(qtd);
    }
}

static void transfer_end(struct ehci_endpoint *endpoint,
                         struct usb_transfer *transfer, enum usb_status status)
{
    const struct ehci_qtd *last = transfer->host;
    uint32_t actual = endpoint->done;

    take_off(endpoint, transfer);
    endpoint->done = 0;
    if (status == USB_OK) {
        give_back_until(endpoint, last->next);
    } else {
        endpoint->halted = true;
    }
    usb_transfer_finish(transfer, status, actual);
}

/* One piece that is over. Returns whether the transfer goes on. */
static bool piece_done(struct ehci_endpoint *endpoint,
                       struct usb_transfer *transfer, uint32_t token)
{
    struct ehci_qtd *qtd = endpoint->at;
    struct ehci_qtd *last = transfer->host;
    uint32_t left = EHCI_QTD_LEFT(token);
    enum usb_status status = error_of(token);
    bool is_short = qtd->data_bytes > 0 && left > 0;

    if (qtd->data_bytes > 0) {
        endpoint->done += left <= qtd->data_bytes ? qtd->data_bytes - left : 0;
        if (left > qtd->data_bytes) {
            status = USB_ERROR;
        }
    }
    if (status != USB_OK || qtd == last) {
        transfer_end(endpoint, transfer, status);
        return false;
    }
    if (is_short && !is_control(endpoint)) {
        transfer_end(endpoint, transfer, USB_OK);
        return false;
    }
    endpoint->at = qtd->next;
    ehci_qtd_give_back(qtd);
    return true;
}

bool ehci_endpoint_poll(struct ehci_endpoint *endpoint)
{
    bool any = false;

    while (!list_empty(&endpoint->transfers) && !endpoint->halted &&
           endpoint->leaving == EHCI_STAYS) {
        struct usb_transfer *transfer =
            LIST_ELEMENT(endpoint->transfers.next, struct usb_transfer, link);
        uint32_t token = endpoint->at->token;

        if ((token & EHCI_QTD_ACTIVE) != 0) {
            break;
        }
        any = true;
        if (!piece_done(endpoint, transfer, token)) {
            break; /* done() may have changed anything: looked at anew */
        }
    }
    return any;
}

void ehci_endpoint_drop(struct ehci_endpoint *endpoint, enum usb_status status)
{
    struct ehci_qh *qh = endpoint->qh;
    struct list ended;
    struct list *node;

    list_init(&ended);
    while (!list_empty(&endpoint->transfers)) {
        struct usb_transfer *transfer =
            LIST_ELEMENT(endpoint->transfers.next, struct usb_transfer, link);

        take_off(endpoint, transfer);
        list_append(&ended, &transfer->link);
    }
    give_back_until(endpoint, endpoint->dummy);
    endpoint->done = 0;
    endpoint->halted = false;
    qh->current = 0;
    qh->next = ehci_qtd_address(endpoint->dummy);
    qh->alternate = EHCI_LINK_END;
    qh->token = 0;
    io_barrier();
    while ((node = list_take_first(&ended)) != NULL) {
        usb_transfer_finish(LIST_ELEMENT(node, struct usb_transfer, link),
                            status, 0);
    }
}
