/* OHCI schedules (3.3, 5.2) and their memory.
 *
 * Three lists of endpoint descriptors: control and bulk, whose heads are in
 * registers, and one of interrupt endpoints, to which every 8th place of the
 * table leads. An endpoint that is to go is marked as skipped and taken out;
 * the control and bulk lists stand meanwhile, as the controller also has a
 * place of its own in them (5.2.7.1). Two frames later it is ours. */
#include "drivers/usb/ohci.h"
#include "core/check.h"
#include "core/log.h"
#include <string.h>

#define LEFT_US 3000 /* more than two frames */

static struct {
    bool ready;
    struct ohci_ed *eds; /* one of each endpoint */
    struct ohci_endpoint endpoints[OHCI_ENDPOINTS];
    struct ohci_td *tds, *free;
    uint32_t tds_address;
    unsigned free_count;
} state;

/* ---- Memory ---------------------------------------------------------- */

static enum err take_pools(void)
{
    unsigned i;

    if (state.ready) {
        return OK;
    }
    state.eds = io_dma_take(OHCI_ENDPOINTS * sizeof(struct ohci_ed), 4096, 0);
    state.tds = io_dma_take(OHCI_TDS * sizeof(struct ohci_td), 4096, 0);
    if (state.eds == NULL || state.tds == NULL) {
        return ERR_MEMORY;
    }
    state.tds_address = (uint32_t)io_dma_address(state.tds);
    for (i = 0; i < OHCI_TDS; i++) {
        ohci_td_give_back(&state.tds[i]);
    }
    for (i = 0; i < OHCI_ENDPOINTS; i++) {
        state.endpoints[i].ed = &state.eds[i];
        state.endpoints[i].ed_address = (uint32_t)io_dma_address(&state.eds[i]);
    }
    state.ready = true;
    return OK;
}

enum err ohci_take_memory(struct ohci *ohci)
{
    enum err result = take_pools();

    if (result != OK || ohci->area != NULL) {
        return result;
    }
    ohci->area = io_dma_take(sizeof(struct ohci_area), 256, 4096);
    return ohci->area != NULL ? OK : ERR_MEMORY;
}

struct ohci_td *ohci_td_take(void)
{
    struct ohci_td *td = state.free;

    if (td != NULL) {
        state.free = td->next;
        state.free_count--;
        memset(td, 0, sizeof *td);
    }
    return td;
}

void ohci_td_give_back(struct ohci_td *td)
{
    td->next = state.free;
    state.free = td;
    state.free_count++;
}

unsigned ohci_tds_free(void)
{
    return state.free_count;
}

uint32_t ohci_td_address(const struct ohci_td *td)
{
    return state.tds_address +
           (uint32_t)((size_t)(td - state.tds) * sizeof *td);
}

/* ---- Lists ----------------------------------------------------------- */

enum ohci_list ohci_list_of(const struct ohci_endpoint *endpoint)
{
    if (endpoint->usb->address == 0) {
        return OHCI_CONTROL_LIST;
    }
    return (endpoint->usb->attributes & USB_TRANSFER_MASK) == USB_TRANSFER_INTR
               ? OHCI_PERIODIC_LIST
               : OHCI_BULK_LIST;
}

/* From the last endpoint to the first, so that each leads on before anything
 * leads to it. */
void ohci_write_links(struct ohci *ohci)
{
    uint32_t next[3] = {0, 0, 0};
    struct list *node;
    unsigned i;

    for (node = ohci->endpoints.previous; node != &ohci->endpoints;
         node = node->previous) {
        struct ohci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ohci_endpoint, link);
        enum ohci_list list = ohci_list_of(endpoint);

        if (endpoint->leaving == OHCI_STAYS) {
            endpoint->ed->link = next[list];
            next[list] = endpoint->ed_address;
            io_barrier();
        }
    }
    ohci_write(ohci, OHCI_CONTROL_HEAD, next[OHCI_CONTROL_LIST]);
    ohci_write(ohci, OHCI_BULK_HEAD, next[OHCI_BULK_LIST]);
    for (i = 0; i < OHCI_PERIODS; i += OHCI_PERIOD) {
        ohci->area->interrupts[i] = next[OHCI_PERIODIC_LIST];
    }
    io_barrier();
}

static bool any_leaving(const struct ohci *ohci)
{
    struct list *node;

    for (node = ohci->endpoints.next; node != &ohci->endpoints;
         node = node->next) {
        if (LIST_ELEMENT(node, struct ohci_endpoint, link)->leaving !=
            OHCI_STAYS) {
            return true;
        }
    }
    return false;
}

static void stop_lists(struct ohci *ohci)
{
    if (!ohci->lists_stand) {
        ohci->lists_stand = true;
        ohci->control &= ~(uint32_t)(OHCI_CONTROL_CLE | OHCI_CONTROL_BLE);
        ohci_write(ohci, OHCI_CONTROL, ohci->control);
    }
}

void ohci_start_lists(struct ohci *ohci)
{
    if (ohci->lists_stand && !any_leaving(ohci)) {
        ohci->lists_stand = false;
        ohci_write(ohci, OHCI_CONTROL_CURRENT, 0);
        ohci_write(ohci, OHCI_BULK_CURRENT, 0);
        ohci->control |= OHCI_CONTROL_CLE | OHCI_CONTROL_BLE;
        ohci_write(ohci, OHCI_CONTROL, ohci->control);
        ohci_write(ohci, OHCI_COMMAND,
                   OHCI_COMMAND_CONTROL | OHCI_COMMAND_BULK);
    }
}

/* ---- Endpoints ------------------------------------------------------- */

struct ohci_endpoint *ohci_endpoint_take(struct ohci *ohci,
                                         struct usb_endpoint *usb)
{
    struct ohci_td *dummy;
    unsigned i;

    for (i = 0; i < OHCI_ENDPOINTS; i++) {
        struct ohci_endpoint *endpoint = &state.endpoints[i];
        struct ohci_ed *ed = endpoint->ed;
        uint32_t address = endpoint->ed_address;

        if (endpoint->usb != NULL) {
            continue;
        }
        dummy = ohci_td_take();
        if (dummy == NULL) {
            return NULL;
        }
        memset(endpoint, 0, sizeof *endpoint);
        endpoint->ed = ed;
        endpoint->ed_address = address;
        endpoint->ohci = ohci;
        endpoint->usb = usb;
        endpoint->at = endpoint->dummy = dummy;
        list_init(&endpoint->transfers);
        ed->head = ed->tail = ohci_td_address(dummy);
        ohci_describe(endpoint);
        list_append(&ohci->endpoints, &endpoint->link);
        usb->host = endpoint;
        ohci_write_links(ohci);
        return endpoint;
    }
    return NULL;
}

void ohci_endpoint_free(struct ohci_endpoint *endpoint)
{
    ASSERT(endpoint->at == endpoint->dummy && list_empty(&endpoint->transfers));
    ohci_td_give_back(endpoint->dummy);
    list_remove(&endpoint->link);
    endpoint->usb->host = NULL;
    endpoint->usb = NULL;
}

void ohci_endpoint_leave(struct ohci_endpoint *endpoint,
                         enum ohci_leaving leaving)
{
    struct ohci *ohci = endpoint->ohci;
    uint64_t now_us = io_now_us();

    if (endpoint->leaving == OHCI_STAYS) {
        endpoint->left_us = now_us;
    }
    endpoint->leaving = leaving;
    endpoint->ed->info |= OHCI_ED_SKIP;
    stop_lists(ohci);
    ohci_write_links(ohci);
    usb_bus_wake(&ohci->bus, now_us, endpoint->left_us + LEFT_US);
}
