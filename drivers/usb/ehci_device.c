/* EHCI devices: endpoints are opened and closed here. The controller knows of
 * no devices, only of queues; a queue that is to go is taken out of its
 * schedule first, see ehci_schedule.c. */
#include "drivers/usb/ehci.h"
#include "core/log.h"

void ehci_device_address(struct usb_device *device)
{
    bool taken = ehci_endpoint_take(device->bus->host, &device->control);

    usb_operation_over(device, taken ? OK : ERR_FULL);
}

/* A control queue is described anew with each transfer that finds it empty. */
void ehci_control_update(struct usb_device *device)
{
    usb_operation_over(device, OK);
}

void ehci_endpoints_open(struct usb_device *device)
{
    unsigned i, k;

    for (i = 0; i < device->interface_count; i++) {
        struct usb_interface *interface = &device->interfaces[i];

        for (k = 0; k < interface->endpoint_count; k++) {
            if (ehci_endpoint_take(device->bus->host,
                                   &interface->endpoints[k]) == NULL) {
                log_err("ehci", "%s: too many endpoints", device->bus->name);
                usb_operation_over(device, ERR_FULL);
                return;
            }
        }
    }
    usb_operation_over(device, OK);
}

static bool device_is_open(const struct ehci *ehci,
                           const struct usb_device *device)
{
    struct list *node;

    for (node = ehci->endpoints.next; node != &ehci->endpoints;
         node = node->next) {
        if (LIST_ELEMENT(node, struct ehci_endpoint, link)->usb->device ==
            device) {
            return true;
        }
    }
    return false;
}

void ehci_device_close(struct usb_device *device)
{
    struct ehci *ehci = device->bus->host;
    struct list *node;

    for (node = ehci->endpoints.next; node != &ehci->endpoints;
         node = node->next) {
        struct ehci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ehci_endpoint, link);

        if (endpoint->usb->device == device) {
            ehci_endpoint_leave(endpoint, EHCI_CLOSING);
        }
    }
    if (!device_is_open(ehci, device)) {
        usb_operation_over(device, OK);
    }
}

void ehci_endpoint_reset(struct usb_endpoint *usb)
{
    struct ehci_endpoint *endpoint = usb->host;

    if (endpoint != NULL && endpoint->leaving == EHCI_STAYS) {
        ehci_endpoint_leave(endpoint, EHCI_RESETTING);
    }
}

static void endpoint_left(struct ehci_endpoint *endpoint)
{
    struct ehci *ehci = endpoint->ehci;
    struct usb_endpoint *usb = endpoint->usb;
    struct usb_device *device = usb->device;

    if (endpoint->leaving == EHCI_RESETTING) {
        ehci_endpoint_drop(endpoint, USB_CANCELLED);
        ehci_endpoint_stay(endpoint);
        usb_endpoint_reset_done(usb, OK);
        return;
    }
    ehci_endpoint_drop(endpoint, USB_GONE);
    ehci_endpoint_free(endpoint);
    if (!device_is_open(ehci, device)) {
        usb_operation_done(device, OK);
    }
}

/* Whatever is told of an end may open and close endpoints: looks at the list
 * from its beginning each time. */
static bool leaving_next(struct ehci *ehci)
{
    struct list *node;

    for (node = ehci->endpoints.next; node != &ehci->endpoints;
         node = node->next) {
        struct ehci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ehci_endpoint, link);

        if (endpoint->leaving != EHCI_STAYS && endpoint->ours) {
            endpoint_left(endpoint);
            return true;
        }
    }
    return false;
}

bool ehci_leaving_poll(struct ehci *ehci)
{
    bool any = false;

    while (leaving_next(ehci)) {
        any = true;
    }
    return any;
}

void ehci_devices_drop(struct ehci *ehci)
{
    struct list *node;

    while ((node = ehci->endpoints.next) != &ehci->endpoints) {
        struct ehci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ehci_endpoint, link);

        endpoint->leaving = EHCI_CLOSING;
        ehci_endpoint_drop(endpoint, USB_GONE);
        ehci_endpoint_free(endpoint);
    }
}
