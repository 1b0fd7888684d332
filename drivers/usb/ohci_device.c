/* OHCI devices: endpoints are opened and closed here. The controller knows of
 * no devices, only of endpoints; see ohci_schedule.c for how one leaves it. */
#include "core/log.h"
#include "drivers/usb/ohci.h"

#define LEFT_US 3000 /* more than two frames */

void ohci_device_address(struct usb_device *device)
{
    bool taken = ohci_endpoint_take(device->bus->host, &device->control);

    usb_operation_over(device, taken ? OK : ERR_FULL);
}

/* A control endpoint is described anew with each transfer that finds it empty.
 */
void ohci_control_update(struct usb_device *device)
{
    usb_operation_over(device, OK);
}

void ohci_endpoints_open(struct usb_device *device)
{
    unsigned i, k;

    for (i = 0; i < device->interface_count; i++) {
        struct usb_interface *interface = &device->interfaces[i];

        for (k = 0; k < interface->endpoint_count; k++) {
            if (ohci_endpoint_take(device->bus->host,
                                   &interface->endpoints[k]) == NULL) {
                log_err("ohci", "%s: too many endpoints", device->bus->name);
                usb_operation_over(device, ERR_FULL);
                return;
            }
        }
    }
    usb_operation_over(device, OK);
}

static bool device_is_open(const struct ohci *ohci,
                           const struct usb_device *device)
{
    struct list *node;

    for (node = ohci->endpoints.next; node != &ohci->endpoints;
         node = node->next) {
        const struct usb_endpoint *usb =
            LIST_ELEMENT(node, struct ohci_endpoint, link)->usb;

        if (usb != NULL && usb->device == device) {
            return true;
        }
    }
    return false;
}

void ohci_device_close(struct usb_device *device)
{
    struct ohci *ohci = device->bus->host;
    struct list *node;

    for (node = ohci->endpoints.next; node != &ohci->endpoints;
         node = node->next) {
        struct ohci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ohci_endpoint, link);

        if (endpoint->usb->device == device) {
            ohci_endpoint_leave(endpoint, OHCI_CLOSING);
        }
    }
    if (!device_is_open(ohci, device)) {
        usb_operation_over(device, OK);
    }
}

void ohci_endpoint_reset(struct usb_endpoint *usb)
{
    struct ohci_endpoint *endpoint = usb->host;

    if (endpoint != NULL && endpoint->leaving == OHCI_STAYS) {
        ohci_endpoint_leave(endpoint, OHCI_RESETTING);
    }
}

static void endpoint_left(struct ohci_endpoint *endpoint)
{
    struct ohci *ohci = endpoint->ohci;
    struct usb_endpoint *usb = endpoint->usb;
    struct usb_device *device = usb->device;

    if (endpoint->leaving == OHCI_RESETTING) {
        ohci_endpoint_drop(endpoint, USB_CANCELLED);
        endpoint->leaving = OHCI_STAYS;
        ohci_describe(endpoint);
        ohci_write_links(ohci);
        ohci_start_lists(ohci);
        usb_endpoint_reset_done(usb, OK);
        return;
    }
    ohci_endpoint_drop(endpoint, USB_GONE);
    ohci_endpoint_free(endpoint);
    ohci_start_lists(ohci);
    if (!device_is_open(ohci, device)) {
        usb_operation_done(device, OK);
    }
}

/* Whatever is told of an end may open and close endpoints: looks at the list
 * from its beginning each time. */
static bool leaving_next(struct ohci *ohci, uint64_t now_us)
{
    struct list *node;

    for (node = ohci->endpoints.next; node != &ohci->endpoints;
         node = node->next) {
        struct ohci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ohci_endpoint, link);

        if (endpoint->leaving == OHCI_STAYS) {
            continue;
        }
        if (now_us - endpoint->left_us >= LEFT_US) {
            endpoint_left(endpoint);
            return true;
        }
        usb_bus_wake(&ohci->bus, now_us, endpoint->left_us + LEFT_US);
    }
    return false;
}

bool ohci_leaving_poll(struct ohci *ohci, uint64_t now_us)
{
    bool any = false;

    while (leaving_next(ohci, now_us)) {
        any = true;
    }
    return any;
}

void ohci_devices_drop(struct ohci *ohci)
{
    struct list *node;

    while ((node = ohci->endpoints.next) != &ohci->endpoints) {
        struct ohci_endpoint *endpoint =
            LIST_ELEMENT(node, struct ohci_endpoint, link);

        endpoint->leaving = OHCI_CLOSING;
        ohci_endpoint_drop(endpoint, USB_GONE);
        ohci_endpoint_free(endpoint);
    }
}
