/* EHCI schedules (4.6, 4.8) and their memory.
 *
 * Asynchronous: a ring of queues, of control and bulk endpoints, with a head
 * that never has work. It runs only while there is some: an idle ring costs
 * memory bandwidth. Periodic: a list of the queues of interrupt endpoints, to
 * which every 8th frame leads.
 *
 * A queue that was taken out of the ring is ours when the controller has
 * answered the doorbell (4.8.2), or after 100 ms: some chips forget to answer.
 * One taken out of the list is ours after two frames. */
#include "drivers/usb/ehci.h"
#include "core/check.h"
#include "core/log.h"
#include <string.h>

#define FRAMES_US  3000 /* more than two frames */
#define ADVANCE_US 100000
#define IDLE_US    2000
#define LOOK_US    1000
#define HEAD_FLAG  0x8000

static struct {
    bool ready;
    struct ehci_qh *queues; /* one of each endpoint */
    struct ehci_endpoint endpoints[EHCI_ENDPOINTS];
    struct ehci_qtd *qtds, *free;
    uint32_t qtds_address;
    unsigned free_count;
} state;

/* ---- Memory ---------------------------------------------------------- */

static enum err take_pools(void)
{
    unsigned i;

    if (state.ready) {
        return OK;
    }
    state.queues =
        io_dma_take(EHCI_ENDPOINTS * sizeof(struct ehci_qh), 4096, 0);
    state.qtds = io_dma_take(EHCI_QTDS * sizeof(struct ehci_qtd), 4096, 0);
    if (state.queues == NULL || state.qtds == NULL) {
        return ERR_MEMORY;
    }
    state.qtds_address = (uint32_t)io_dma_address(state.qtds);
    for (i = 0; i < EHCI_QTDS; i++) {
        ehci_qtd_give_back(&state.qtds[i]);
    }
    for (i = 0; i < EHCI_ENDPOINTS; i++) {
        state.endpoints[i].qh = &state.queues[i];
        state.endpoints[i].qh_address =
            (uint32_t)io_dma_address(&state.queues[i]);
    }
    state.ready = true;
    return OK;
}

enum err ehci_take_memory(struct ehci *ehci)
{
    enum err result = take_pools();

    if (result != OK || ehci->frames != NULL) {
        return result;
    }
    ehci->head = io_dma_take(sizeof(struct ehci_qh), 128, 4096);
    if (ehci->head == NULL) {
        return ERR_MEMORY;
    }
    ehci->frames = io_dma_take(EHCI_FRAMES * sizeof(uint32_t), 4096, 4096);
    return ehci->frames != NULL ? OK : ERR_MEMORY;
}

struct ehci_qtd *ehci_qtd_take(void)
{
    struct ehci_qtd *qtd = state.free;

    if (qtd != NULL) {
        state.free = qtd->next;
        state.free_count--;
        memset(qtd, 0, sizeof *qtd);
        qtd->link = qtd->alternate = EHCI_LINK_END;
    }
    return qtd;
}

void ehci_qtd_give_back(struct ehci_qtd *qtd)
{
    qtd->next = state.free;
    state.free = qtd;
    state.free_count++;
}

unsigned ehci_qtds_free(void)
{
    return state.free_count;
}

uint32_t ehci_qtd_address(const struct ehci_qtd *qtd)
{
    return state.qtds_address +
           (uint32_t)((size_t)(qtd - state.qtds) * sizeof *qtd);
}

/* ---- Links ----------------------------------------------------------- */

bool ehci_is_periodic(const struct ehci_endpoint *endpoint)
{
    return endpoint->usb->address != 0 &&
           (endpoint->usb->attributes & USB_TRANSFER_MASK) == USB_TRANSFER_INTR;
}

static void link_to(struct ehci_qh *qh, uint32_t link)
{
    if (qh->link != link) {
        qh->link = link;
    }
    io_barrier();
}

static uint32_t head_link(const struct ehci *ehci)
{
    return (uint32_t)io_dma_address(ehci->head) | EHCI_LINK_QH;
}

/* From the last queue to the first, so that a queue leads on before anything
 * leads to it. */
static void write_links(struct ehci *ehci)
{
    uint32_t next_async = head_link(ehci), next_periodic = EHCI_LINK_END;
    struct list *node;
    unsigned i;

    for (node = ehci->endpoints.previous; node != &ehci->endpoints;
         node = node->previous) {
        const struct ehci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ehci_endpoint, link);
        uint32_t *next =
            ehci_is_periodic(endpoint) ? &next_periodic : &next_async;

        if (endpoint->leaving == EHCI_STAYS) {
            link_to(endpoint->qh, *next);
            *next = endpoint->qh_address | EHCI_LINK_QH;
        }
    }
    link_to(ehci->head, next_async);
    if (ehci->frames[0] != next_periodic) {
        for (i = 0; i < EHCI_FRAMES; i += EHCI_PERIOD) {
            ehci->frames[i] = next_periodic;
        }
    }
    io_barrier();
}

void ehci_schedule_clear(struct ehci *ehci)
{
    unsigned i;

    ASSERT(list_empty(&ehci->endpoints));
    for (i = 0; i < EHCI_FRAMES; i++) {
        ehci->frames[i] = EHCI_LINK_END;
    }
    memset(ehci->head, 0, sizeof *ehci->head);
    ehci->head->endpoint = HEAD_FLAG;
    ehci->head->next = ehci->head->alternate = EHCI_LINK_END;
    ehci->head->token = EHCI_QTD_HALTED;
    ehci->busy = 0;
    ehci->advance_us = 0;
    write_links(ehci);
}

/* ---- Running --------------------------------------------------------- */

static void command(struct ehci *ehci, uint32_t clear, uint32_t set)
{
    ehci->command = (ehci->command & ~clear) | set;
    ehci_write(ehci, EHCI_USBCMD, ehci->command);
}

/* The bit may be changed only when the controller has followed it (2.3.1). */
static void switch_async(struct ehci *ehci, bool on, uint64_t now_us)
{
    bool is_on = (ehci_read(ehci, EHCI_USBSTS) & EHCI_STS_ASS) != 0;

    if (is_on == on) {
        return; /* it has not even followed the change before */
    }
    if (on) {
        command(ehci, 0, EHCI_CMD_ASE);
    } else {
        command(ehci, EHCI_CMD_ASE, 0);
    }
    (void)now_us;
}

static void ring(struct ehci *ehci, uint64_t now_us)
{
    ehci->advance_us = now_us;
    ehci_write(ehci, EHCI_USBCMD, ehci->command | EHCI_CMD_IAAD);
    usb_bus_wake(&ehci->bus, now_us, now_us + ADVANCE_US);
}

void ehci_advanced(struct ehci *ehci)
{
    struct list *node;

    ehci->advance_us = 0;
    for (node = ehci->endpoints.next; node != &ehci->endpoints;
         node = node->next) {
        struct ehci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ehci_endpoint, link);

        endpoint->ours |= endpoint->asked;
        endpoint->asked = false;
    }
}

/* Which endpoints that have left are ours by now; returns whether the doorbell
 * has to be rung for others. */
static bool judge_leaving(struct ehci *ehci, uint64_t now_us, bool *any_ours)
{
    bool stands = (ehci->command & EHCI_CMD_ASE) == 0;
    bool must_ring = false;
    struct list *node;

    for (node = ehci->endpoints.next; node != &ehci->endpoints;
         node = node->next) {
        struct ehci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ehci_endpoint, link);

        if (endpoint->leaving == EHCI_STAYS) {
            continue;
        }
        if (ehci_is_periodic(endpoint) || stands) {
            endpoint->ours |= now_us - endpoint->left_us >= FRAMES_US;
        } else if (!endpoint->ours && !endpoint->asked) {
            must_ring = true;
        }
        *any_ours |= endpoint->ours;
    }
    return must_ring;
}

static void cover_all(struct ehci *ehci)
{
    struct list *node;

    for (node = ehci->endpoints.next; node != &ehci->endpoints;
         node = node->next) {
        struct ehci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ehci_endpoint, link);

        endpoint->asked =
            endpoint->leaving != EHCI_STAYS && !ehci_is_periodic(endpoint);
    }
}

bool ehci_schedule_poll(struct ehci *ehci, uint64_t now_us)
{
    bool on = (ehci->command & EHCI_CMD_ASE) != 0;
    bool any_ours = false, must_ring;

    if (ehci->advance_us != 0) {
        if ((ehci_read(ehci, EHCI_USBSTS) & EHCI_STS_IAA) != 0) {
            ehci_write(ehci, EHCI_USBSTS, EHCI_STS_IAA);
            ehci_advanced(ehci);
        } else if (now_us - ehci->advance_us >= ADVANCE_US) {
            log_warn("ehci", "%s: doorbell not answered", ehci->bus.name);
            ehci_advanced(ehci);
        }
    }
    must_ring = judge_leaving(ehci, now_us, &any_ours);
    if (must_ring && ehci->advance_us == 0) {
        cover_all(ehci);
        ring(ehci, now_us);
    }
    if (ehci->busy > 0) {
        ehci->idle_us = now_us;
        if (!on) {
            switch_async(ehci, true, now_us);
            usb_bus_wake(&ehci->bus, now_us, now_us + LOOK_US);
        }
    } else if (on && ehci->advance_us == 0 && !must_ring) {
        if (now_us - ehci->idle_us >= IDLE_US) {
            switch_async(ehci, false, now_us);
        }
        usb_bus_wake(&ehci->bus, now_us, now_us + IDLE_US);
    }
    return any_ours;
}

/* ---- Endpoints ------------------------------------------------------- */

struct ehci_endpoint *ehci_endpoint_take(struct ehci *ehci,
                                         struct usb_endpoint *usb)
{
    struct ehci_qtd *dummy;
    unsigned i;

    for (i = 0; i < EHCI_ENDPOINTS; i++) {
        struct ehci_endpoint *endpoint = &state.endpoints[i];
        struct ehci_qh *qh = endpoint->qh;
        uint32_t address = endpoint->qh_address;

        if (endpoint->usb != NULL) {
            continue;
        }
        dummy = ehci_qtd_take();
        if (dummy == NULL) {
            return NULL;
        }
        memset(endpoint, 0, sizeof *endpoint);
        endpoint->qh = qh;
        endpoint->qh_address = address;
        endpoint->ehci = ehci;
        endpoint->usb = usb;
        endpoint->at = endpoint->dummy = dummy;
        list_init(&endpoint->transfers);
        memset(qh, 0, sizeof *qh);
        qh->alternate = EHCI_LINK_END;
        qh->next = ehci_qtd_address(dummy);
        ehci_queue_describe(endpoint);
        list_append(&ehci->endpoints, &endpoint->link);
        usb->host = endpoint;
        write_links(ehci);
        if (ehci_is_periodic(endpoint) && (ehci->command & EHCI_CMD_PSE) == 0) {
            command(ehci, 0, EHCI_CMD_PSE);
        }
        return endpoint;
    }
    return NULL;
}

void ehci_endpoint_free(struct ehci_endpoint *endpoint)
{
    ASSERT(endpoint->at == endpoint->dummy && list_empty(&endpoint->transfers));
    ehci_qtd_give_back(endpoint->dummy);
    list_remove(&endpoint->link);
    endpoint->usb->host = NULL;
    endpoint->usb = NULL;
}

void ehci_endpoint_leave(struct ehci_endpoint *endpoint,
                         enum ehci_leaving leaving)
{
    uint64_t now_us = io_now_us();

    if (endpoint->leaving == EHCI_STAYS) {
        endpoint->left_us = now_us;
        endpoint->asked = endpoint->ours = false;
    }
    endpoint->leaving = leaving;
    write_links(endpoint->ehci);
    usb_bus_wake(&endpoint->ehci->bus, now_us, endpoint->left_us + FRAMES_US);
}

void ehci_endpoint_stay(struct ehci_endpoint *endpoint)
{
    endpoint->leaving = EHCI_STAYS;
    write_links(endpoint->ehci);
}
