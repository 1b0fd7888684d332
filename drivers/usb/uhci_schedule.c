/* UHCI schedule (1.2, 3.4) and its memory.
 *
 *   frame list --every 8th--> periodic -> interrupt queues --.
 *        '------ others ------------------------------------>+-> bulk -> low
 *   speed control queues -> other control and bulk queues -.
 *                             ^----- while there is work --'
 *
 * The ring lets the controller use what is left of a frame: a device that was
 * not ready is asked again in the same frame. Low speed ones stand outside of
 * it; some do not bear it.
 *
 * Packets given back rest for two frames before they are used again: the
 * controller may have read a link to them just before. */
#include "drivers/usb/uhci.h"
#include "core/check.h"
#include <string.h>

#define REST_US 3000 /* more than two frames */

static struct {
    bool ready;
    struct uhci_qh *queues; /* one of each endpoint */
    struct uhci_endpoint endpoints[UHCI_ENDPOINTS];
    struct uhci_td *free;
    /* Two generations of packets that rest. */
    struct uhci_td *younger, *older;
    uint64_t older_us;
} state;

/* ---- Memory ---------------------------------------------------------- */

static enum err take_pools(void)
{
    struct uhci_td *tds;
    unsigned i;

    if (state.ready) {
        return OK;
    }
    state.queues =
        io_dma_take(UHCI_ENDPOINTS * sizeof(struct uhci_qh), 4096, 0);
    tds = io_dma_take(UHCI_TDS * sizeof(struct uhci_td), 4096, 0);
    if (state.queues == NULL || tds == NULL) {
        return ERR_MEMORY;
    }
    for (i = 0; i < UHCI_TDS; i++) {
        tds[i].address = (uint32_t)io_dma_address(&tds[i]);
        tds[i].next = state.free;
        state.free = &tds[i];
    }
    for (i = 0; i < UHCI_ENDPOINTS; i++) {
        state.endpoints[i].qh = &state.queues[i];
        state.endpoints[i].qh_address =
            (uint32_t)io_dma_address(&state.queues[i]);
    }
    state.ready = true;
    return OK;
}

enum err uhci_take_memory(struct uhci *uhci)
{
    enum err result = take_pools();
    struct uhci_qh *heads;

    if (result != OK || uhci->frames != NULL) {
        return result;
    }
    heads = io_dma_take(2 * sizeof(struct uhci_qh), 64, 4096);
    if (heads == NULL) {
        return ERR_MEMORY;
    }
    uhci->periodic = &heads[0];
    uhci->bulk = &heads[1];
    uhci->frames = io_dma_take(UHCI_FRAMES * sizeof(uint32_t), 4096, 4096);
    return uhci->frames != NULL ? OK : ERR_MEMORY;
}

struct uhci_td *uhci_td_take(void)
{
    struct uhci_td *td;

    if (state.free == NULL && state.older != NULL &&
        io_now_us() - state.older_us >= REST_US) {
        state.free = state.older;
        state.older = state.younger;
        state.older_us = io_now_us();
        state.younger = NULL;
    }
    td = state.free;
    if (td != NULL) {
        state.free = td->next;
    }
    return td;
}

void uhci_tds_retire(struct uhci_td *first, struct uhci_td *last)
{
    if (state.older == NULL) {
        last->next = NULL;
        state.older = first;
        state.older_us = io_now_us();
        return;
    }
    last->next = state.younger;
    state.younger = first;
}

/* ---- Links ----------------------------------------------------------- */

static bool is_periodic(const struct uhci_endpoint *endpoint)
{
    return (endpoint->usb->attributes & USB_TRANSFER_MASK) ==
               USB_TRANSFER_INTR &&
           endpoint->usb->address != 0;
}

static bool is_low(const struct uhci_endpoint *endpoint)
{
    return endpoint->usb->device->speed == USB_LOW;
}

static void link_to(struct uhci_qh *qh, uint32_t link)
{
    if (qh->link != link) {
        qh->link = link;
    }
    io_barrier();
}

/* From the last queue to the first, so that a queue leads on before anything
 * leads to it. */
void uhci_schedule(struct uhci *uhci)
{
    uint32_t bulk = (uint32_t)io_dma_address(uhci->bulk) | UHCI_LINK_QH;
    uint32_t next_bulk = UHCI_LINK_END, next_periodic = bulk;
    const struct uhci_endpoint *ring = NULL;
    struct list *node;

    for (node = uhci->endpoints.next; node != &uhci->endpoints && ring == NULL;
         node = node->next) {
        const struct uhci_endpoint *endpoint =
            LIST_ELEMENT(node, struct uhci_endpoint, link);

        if (uhci->busy > 0 && endpoint->leaving == UHCI_STAYS &&
            !is_periodic(endpoint) && !is_low(endpoint)) {
            ring = endpoint;
            next_bulk = ring->qh_address | UHCI_LINK_QH;
        }
    }
    for (node = uhci->endpoints.previous; node != &uhci->endpoints;
         node = node->previous) {
        const struct uhci_endpoint *endpoint =
            LIST_ELEMENT(node, struct uhci_endpoint, link);
        uint32_t *next = is_periodic(endpoint) ? &next_periodic : &next_bulk;

        if (endpoint->leaving == UHCI_STAYS) {
            link_to(endpoint->qh, *next);
            *next = endpoint->qh_address | UHCI_LINK_QH;
        }
    }
    link_to(uhci->bulk, next_bulk);
    link_to(uhci->periodic, next_periodic);
}

/* ---- Endpoints ------------------------------------------------------- */

struct uhci_endpoint *uhci_endpoint_take(struct uhci *uhci,
                                         struct usb_endpoint *usb)
{
    unsigned i;

    for (i = 0; i < UHCI_ENDPOINTS; i++) {
        struct uhci_endpoint *endpoint = &state.endpoints[i];
        struct uhci_qh *qh = endpoint->qh;
        uint32_t address = endpoint->qh_address;

        if (endpoint->usb != NULL) {
            continue;
        }
        memset(endpoint, 0, sizeof *endpoint);
        endpoint->qh = qh;
        endpoint->qh_address = address;
        qh->element = UHCI_LINK_END;
        endpoint->uhci = uhci;
        endpoint->usb = usb;
        list_init(&endpoint->transfers);
        /* Low speed first: see above. */
        if (is_low(endpoint)) {
            list_insert(uhci->endpoints.next, &endpoint->link);
        } else {
            list_append(&uhci->endpoints, &endpoint->link);
        }
        usb->host = endpoint;
        uhci_schedule(uhci);
        return endpoint;
    }
    return NULL;
}

void uhci_endpoint_free(struct uhci_endpoint *endpoint)
{
    ASSERT(endpoint->first == NULL && list_empty(&endpoint->transfers));
    list_remove(&endpoint->link);
    endpoint->usb->host = NULL;
    endpoint->usb = NULL;
}

void uhci_endpoint_leave(struct uhci_endpoint *endpoint,
                         enum uhci_leaving leaving)
{
    if (endpoint->leaving == UHCI_STAYS) {
        endpoint->left_us = io_now_us();
    }
    endpoint->leaving = leaving;
    uhci_schedule(endpoint->uhci);
    usb_bus_wake(&endpoint->uhci->bus, io_now_us(),
                 endpoint->left_us + REST_US);
}
