/* UHCI devices: endpoints are opened and closed here. The controller knows of
 * no devices, only of queues; a queue that is to go is taken out of the
 * schedule, and is ours again two frames later. */
#include "drivers/usb/uhci.h"
#include "core/log.h"

#define LEFT_US 3000 /* more than two frames */

void uhci_device_address(struct usb_device *device)
{
    bool taken = uhci_endpoint_take(device->bus->host, &device->control);

    usb_operation_over(device, taken ? OK : ERR_FULL);
}

/* Packets are made with the size that holds when they are made. */
void uhci_control_update(struct usb_device *device)
{
    usb_operation_over(device, OK);
}

void uhci_endpoints_open(struct usb_device *device)
{
    unsigned i, k;

    for (i = 0; i < device->interface_count; i++) {
        struct usb_interface *interface = &device->interfaces[i];

        for (k = 0; k < interface->endpoint_count; k++) {
            if (uhci_endpoint_take(device->bus->host,
                                   &interface->endpoints[k]) == NULL) {
                log_err("uhci", "%s: too many endpoints", device->bus->name);
                usb_operation_over(device, ERR_FULL);
                return;
            }
        }
    }
    usb_operation_over(device, OK);
}

static bool belongs_to(const struct uhci_endpoint *endpoint,
                       const struct usb_device *device)
{
    return endpoint->usb->device == device;
}

static bool device_is_open(const struct uhci *uhci,
                           const struct usb_device *device)
{
    struct list *node;

    for (node = uhci->endpoints.next; node != &uhci->endpoints;
         node = node->next) {
        if (belongs_to(LIST_ELEMENT(node, struct uhci_endpoint, link),
                       device)) {
            return true;
        }
    }
    return false;
}

void uhci_device_close(struct usb_device *device)
{
    struct uhci *uhci = device->bus->host;
    struct list *node;

    for (node = uhci->endpoints.next; node != &uhci->endpoints;
         node = node->next) {
        struct uhci_endpoint *endpoint =
            LIST_ELEMENT(node, struct uhci_endpoint, link);

        if (belongs_to(endpoint, device)) {
            uhci_endpoint_leave(endpoint, UHCI_CLOSING);
        }
    }
    if (!device_is_open(uhci, device)) {
        usb_operation_over(device, OK);
    }
}

void uhci_endpoint_reset(struct usb_endpoint *usb)
{
    struct uhci_endpoint *endpoint = usb->host;

    if (endpoint != NULL && endpoint->leaving == UHCI_STAYS) {
        uhci_endpoint_leave(endpoint, UHCI_RESETTING);
    }
}

static void endpoint_left(struct uhci_endpoint *endpoint)
{
    struct uhci *uhci = endpoint->uhci;
    struct usb_endpoint *usb = endpoint->usb;
    struct usb_device *device = usb->device;

    if (endpoint->leaving == UHCI_RESETTING) {
        uhci_endpoint_drop(endpoint, USB_CANCELLED);
        endpoint->leaving = UHCI_STAYS;
        uhci_schedule(uhci);
        usb_endpoint_reset_done(usb, OK);
        return;
    }
    uhci_endpoint_drop(endpoint, USB_GONE);
    uhci_endpoint_free(endpoint);
    if (!device_is_open(uhci, device)) {
        usb_operation_done(device, OK);
    }
}

/* Whatever is told of an end may open and close endpoints: looks at the list
 * from its beginning each time. */
static bool leaving_next(struct uhci *uhci, uint64_t now_us)
{
    struct list *node;

    for (node = uhci->endpoints.next; node != &uhci->endpoints;
         node = node->next) {
        struct uhci_endpoint *endpoint =
            LIST_ELEMENT(node, struct uhci_endpoint, link);

        if (endpoint->leaving == UHCI_STAYS) {
            continue;
        }
        if (now_us - endpoint->left_us >= LEFT_US) {
            endpoint_left(endpoint);
            return true;
        }
        usb_bus_wake(&uhci->bus, now_us, endpoint->left_us + LEFT_US);
    }
    return false;
}

bool uhci_leaving_poll(struct uhci *uhci, uint64_t now_us)
{
    bool any = false;

    while (leaving_next(uhci, now_us)) {
        any = true;
    }
    return any;
}

void uhci_devices_drop(struct uhci *uhci)
{
    struct list *node;

    while ((node = uhci->endpoints.next) != &uhci->endpoints) {
        struct uhci_endpoint *endpoint =
            LIST_ELEMENT(node, struct uhci_endpoint, link);

        endpoint->leaving = UHCI_CLOSING;
        uhci_endpoint_drop(endpoint, USB_GONE);
        uhci_endpoint_free(endpoint);
    }
    uhci->busy = 0;
}
