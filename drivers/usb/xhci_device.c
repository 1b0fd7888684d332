/* xHCI devices: slots, contexts, addresses, endpoints (4.3, 4.6, 6.2).
 *
 *   address: Enable Slot -> Address Device      open: Configure Endpoint
 *   update:  Evaluate Context                   close: Disable Slot
 *
 * Contexts are 32 or 64 bytes apart, as the controller says. The input context
 * is ours and tells the controller what to do; the output context is the
 * controller's, and is only read. A slot that cannot be disabled may still be
 * written by the controller: its memory is never used again. */
#include "drivers/usb/xhci.h"
#include "core/check.h"
#include "core/log.h"
#include <string.h>

#define SLOT_HUB        (1U << 26)
#define EP_TYPE_CONTROL 4
#define EP_TYPE_IN      4 /* added to the transfer type */
#define EP_ERRORS       3 /* tries on the wire before it is an error */

uint32_t *xhci_input_context(struct xhci_device *device, unsigned index)
{
    return (uint32_t *)(void *)(device->input +
                                (size_t)(index + 1) *
                                    device->xhci->context_bytes);
}

const uint32_t *xhci_output_context(const struct xhci_device *device,
                                    unsigned index)
{
    return (const uint32_t *)(const void *)(device->output +
                                            (size_t)index *
                                                device->xhci->context_bytes);
}

/* 6.2.5.1: word 0 drops contexts, word 1 adds them; the slot always goes
 * along. */
void xhci_input_flags(struct xhci_device *device, uint32_t drop, uint32_t add)
{
    uint32_t *flags = (uint32_t *)(void *)device->input;

    memset(device->input, 0, 33 * (size_t)device->xhci->context_bytes);
    flags[0] = drop;
    flags[1] = add | 1;
}

/* Highest context in use, which the slot context has to say (6.2.2). */
static unsigned highest_index(const struct xhci_device *device)
{
    unsigned i, highest = 1;

    for (i = 0; i < XHCI_ENDPOINTS; i++) {
        const struct xhci_endpoint *endpoint = &device->endpoints[i];

        if (endpoint->usb != NULL && endpoint->index > highest) {
            highest = endpoint->index;
        }
    }
    return highest;
}

/* A root port knows better, if the controller numbers speeds in its own way. */
static uint32_t speed_id(const struct usb_device *usb)
{
    static const uint8_t ids[] = {2, 1, 3, 4};
    const struct xhci *xhci = usb->bus->host;
    uint32_t id = 0;

    if (usb->depth == 0) {
        id = PORTSC_SPEED(
            xhci_read(xhci, XHCI_PORTSC + 16U * (usb->root_port - 1U)));
    }
    return id != 0 ? id : ids[usb->speed];
}

/* 6.2.2: where it is plugged in, what it is as a hub, and which hub translates
 * for it. */
static void input_slot(struct xhci_device *device)
{
    const struct usb_device *usb = device->usb;
    uint32_t *slot = xhci_input_context(device, 0);

    slot[0] = usb->route | speed_id(usb) << 20 | highest_index(device) << 27;
    slot[1] = (uint32_t)usb->root_port << 16;
    if (usb->hub_ports != 0) {
        slot[0] |= SLOT_HUB;
        slot[1] |= (uint32_t)usb->hub_ports << 24;
        if (usb->speed == USB_HIGH) {
            slot[2] |= (usb->hub_characteristics >> 5 & 3U) << 16;
        }
    }
    if (usb->tt != NULL && usb->tt->host != NULL) {
        const struct xhci_device *hub = usb->tt->host;

        slot[2] |= hub->slot | (uint32_t)usb->tt_port << 8;
    }
}

/* Interval as an exponent of 125 us (6.2.3.6); bInterval is whatever the
 * device says. */
static uint32_t interval_exponent(const struct usb_endpoint *usb)
{
    uint32_t exponent = 3;

    if ((usb->attributes & USB_TRANSFER_MASK) != USB_TRANSFER_INTR) {
        return 0;
    }
    if (usb->device->speed >= USB_HIGH) {
        uint32_t interval = usb->interval == 0 ? 1 : usb->interval;

        return interval > 16 ? 15 : interval - 1;
    }
    while (exponent < 10 && (16U << (exponent - 3)) <= usb->interval * 8U) {
        exponent++;
    }
    return exponent;
}

void xhci_input_endpoint(struct xhci_device *device,
                         const struct xhci_endpoint *endpoint)
{
    uint32_t *context = xhci_input_context(device, endpoint->index);
    const struct usb_endpoint *usb = endpoint->usb;
    uint32_t type = usb->attributes & USB_TRANSFER_MASK;
    uint32_t average = 3072;
    uint64_t dequeue = endpoint->ring.address +
                       endpoint->ring.enqueue * sizeof(struct xhci_trb);

    if (endpoint->index == 1) {
        type = EP_TYPE_CONTROL;
        average = 8;
    } else if ((usb->address & USB_ENDPOINT_IN) != 0) {
        type += EP_TYPE_IN;
    }
    context[0] = interval_exponent(usb) << 16;
    context[1] = EP_ERRORS << 1 | type << 3 | (uint32_t)usb->burst << 8 |
                 (uint32_t)usb->max_packet << 16;
    context[2] = (uint32_t)dequeue | endpoint->ring.cycle;
    context[3] = (uint32_t)(dequeue >> 32);
    context[4] = average;
    if ((usb->attributes & USB_TRANSFER_MASK) == USB_TRANSFER_INTR) {
        context[4] = usb->max_packet |
                     (uint32_t)usb->max_packet * (usb->burst + 1U) << 16;
    }
}

/* ---- Taking and giving back ------------------------------------------ */

static enum err endpoint_take(struct xhci_device *device,
                              struct usb_endpoint *usb, unsigned place)
{
    struct xhci_endpoint *endpoint = &device->endpoints[place];
    unsigned number = usb->address & 0x0fU;

    if (xhci_ring_take(&endpoint->ring) != OK) {
        return ERR_MEMORY;
    }
    endpoint->device = device;
    endpoint->usb = usb;
    endpoint->index =
        (uint8_t)(place == 0
                      ? 1
                      : 2 * number + ((usb->address & USB_ENDPOINT_IN) != 0));
    endpoint->tries = 0;
    endpoint->is_short = false;
    list_init(&endpoint->transfers);
    list_init(&endpoint->command.link);
    endpoint->command.device = device;
    endpoint->command.endpoint = endpoint;
    usb->host = endpoint;
    return OK;
}

static enum err contexts_take(struct xhci_device *device)
{
    if (device->input == NULL) {
        device->input = io_dma_take(33 * 64, 64, 4096);
    }
    if (device->output == NULL) {
        device->output = io_dma_take(32 * 64, 64, 4096);
    }
    if (device->input == NULL || device->output == NULL) {
        return ERR_MEMORY;
    }
    memset(device->output, 0, 32 * 64);
    return OK;
}

static struct xhci_device *device_take(struct xhci *xhci,
                                       struct usb_device *usb)
{
    unsigned i;

    for (i = 0; i < XHCI_SLOTS; i++) {
        struct xhci_device *device = &xhci->devices[i];

        if (device->usb != NULL || device->leaked) {
            continue;
        }
        if (contexts_take(device) != OK ||
            endpoint_take(device, &usb->control, 0) != OK) {
            return NULL;
        }
        device->xhci = xhci;
        device->usb = usb;
        device->slot = 0;
        device->closing = false;
        device->command.device = device;
        list_init(&device->command.link);
        usb->host = device;
        return device;
    }
    return NULL;
}

/* The controller holds nothing of it any more: ends its transfers. */
static void device_give_back(struct xhci_device *device)
{
    struct usb_device *usb = device->usb;
    unsigned i;

    device->closing = true;
    for (i = 0; i < XHCI_ENDPOINTS; i++) {
        struct xhci_endpoint *endpoint = &device->endpoints[i];

        if (endpoint->usb != NULL) {
            list_remove(&endpoint->command.link);
            xhci_endpoint_end(endpoint, USB_GONE);
            endpoint->usb->host = NULL;
            endpoint->usb = NULL;
        }
    }
    list_remove(&device->command.link);
    device->slot = 0;
    device->usb = NULL;
    usb->host = NULL;
}

/* ---- Commands -------------------------------------------------------- */

static void submit(struct xhci_device *device, enum xhci_trb_type type,
                   void (*done)(struct xhci *, struct xhci_command *,
                                enum xhci_code, uint8_t))
{
    struct xhci_command *command = &device->command;

    command->parameter = io_dma_address(device->input);
    command->status = 0;
    command->control = TRB_TYPE(type) | (uint32_t)device->slot << 24;
    command->done = done;
    if (type == TRB_ENABLE_SLOT || type == TRB_DISABLE_SLOT) {
        command->parameter = 0;
    }
    xhci_command_submit(device->xhci, command);
}

static void operation_done(struct xhci *xhci, struct xhci_command *command,
                           enum xhci_code code, uint8_t slot)
{
    (void)slot;
    if (code != CC_SUCCESS) {
        log_warn("xhci", "%s: command %u code=%u", xhci->bus.name,
                 (unsigned)TRB_TYPE_OF(command->control), (unsigned)code);
    }
    usb_operation_done(command->device->usb, code == CC_SUCCESS ? OK : ERR_IO);
}

static void address_done(struct xhci *xhci, struct xhci_command *command,
                         enum xhci_code code, uint8_t slot)
{
    const struct xhci_device *device = command->device;

    device->usb->address = (uint8_t)xhci_output_context(device, 0)[3];
    operation_done(xhci, command, code, slot);
}

static void slot_enabled(struct xhci *xhci, struct xhci_command *command,
                         enum xhci_code code, uint8_t slot)
{
    struct xhci_device *device = command->device;

    if (code != CC_SUCCESS || slot == 0 || slot > xhci->slots) {
        log_warn("xhci", "%s: no slot, code=%u", xhci->bus.name,
                 (unsigned)code);
        usb_operation_done(device->usb, ERR_FULL);
        return;
    }
    device->slot = slot;
    xhci->contexts[slot] = io_dma_address(device->output);
    xhci_input_flags(device, 0, 1U << 1);
    input_slot(device);
    xhci_input_endpoint(device, &device->endpoints[0]);
    submit(device, TRB_ADDRESS_DEVICE, address_done);
}

void xhci_device_address(struct usb_device *usb)
{
    struct xhci *xhci = usb->bus->host;
    struct xhci_device *device = device_take(xhci, usb);

    if (device == NULL) {
        usb->host = NULL;
        usb->operating = false;
        usb->deadline_us = 0; /* this try ends with the next poll */
        return;
    }
    submit(device, TRB_ENABLE_SLOT, slot_enabled);
}

void xhci_control_update(struct usb_device *usb)
{
    struct xhci_device *device = usb->host;

    xhci_input_flags(device, 0, 1U << 1);
    xhci_input_endpoint(device, &device->endpoints[0]);
    submit(device, TRB_EVALUATE_CONTEXT, operation_done);
}

void xhci_endpoints_open(struct usb_device *usb)
{
    struct xhci_device *device = usb->host;
    unsigned i, k, place = 1;
    uint32_t add = 0;

    for (i = 0; i < usb->interface_count; i++) {
        struct usb_interface *interface = &usb->interfaces[i];

        for (k = 0; k < interface->endpoint_count && place < XHCI_ENDPOINTS;
             k++) {
            if (endpoint_take(device, &interface->endpoints[k], place) != OK) {
                log_err("xhci", "%s: no memory for rings", usb->bus->name);
                break;
            }
            add |= 1U << device->endpoints[place].index;
            place++;
        }
    }
    xhci_input_flags(device, 0, add);
    input_slot(device);
    for (i = 1; i < place; i++) {
        xhci_input_endpoint(device, &device->endpoints[i]);
    }
    submit(device, TRB_CONFIGURE_ENDPOINT, operation_done);
}

static void slot_disabled(struct xhci *xhci, struct xhci_command *command,
                          enum xhci_code code, uint8_t slot)
{
    struct xhci_device *device = command->device;
    struct usb_device *usb = device->usb;

    (void)slot;
    if (code == CC_SUCCESS || code == CC_SLOT_NOT_ENABLED) {
        if (device->slot != 0) { /* place 0 is the scratchpads' */
            xhci->contexts[device->slot] = 0;
        }
    } else {
        log_err("xhci", "%s: slot %u is lost, code=%u", xhci->bus.name,
                (unsigned)device->slot, (unsigned)code);
        device->leaked = true;
    }
    device_give_back(device);
    usb_operation_done(usb, OK);
}

static void never_opened(struct xhci *xhci, struct xhci_command *command,
                         enum xhci_code code, uint8_t slot)
{
    (void)code;
    slot_disabled(xhci, command, CC_SUCCESS, slot);
}

void xhci_device_close(struct usb_device *usb)
{
    struct xhci_device *device = usb->host;

    if (device == NULL) {
        usb->deadline_us = 0;
        return;
    }
    device->closing = true;
    if (device->slot == 0) {
        submit(device, TRB_NO_OP, never_opened);
        return;
    }
    submit(device, TRB_DISABLE_SLOT, slot_disabled);
}

void xhci_devices_drop(struct xhci *xhci)
{
    unsigned i;

    list_init(&xhci->commands);
    xhci->command_us = 0;
    for (i = 0; i < XHCI_SLOTS; i++) {
        struct xhci_device *device = &xhci->devices[i];

        if (device->usb != NULL) {
            device_give_back(device);
        }
        device->leaked = false; /* the reset took it out of its hands */
    }
}
