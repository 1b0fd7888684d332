/* Walking descriptors (USB 2.0 9.5, 9.6). They come from the device: lengths
 * are checked at each step, and a step is never shorter than two bytes, so that
 * every walk ends. */
#include "drivers/usb/usb_core.h"
#include "core/bytes.h"
#include <string.h>

#define INTERFACE_BYTES    9
#define ENDPOINT_BYTES     7
#define SS_COMPANION_BYTES 6
#define MAX_PACKET_MASK    0x7ff

const uint8_t *usb_descriptor_next(const uint8_t *all, uint32_t bytes,
                                   uint32_t *offset)
{
    const uint8_t *found = all + *offset;

    if (*offset > bytes || bytes - *offset < 2) {
        return NULL;
    }
    if (found[0] < 2 || found[0] > bytes - *offset) {
        return NULL;
    }
    *offset += found[0];
    return found;
}

static void take_endpoint(struct usb_interface *interface, const uint8_t *d)
{
    struct usb_endpoint *endpoint;

    if (d[0] < ENDPOINT_BYTES || (d[2] & 0x0f) == 0 ||
        (d[3] & USB_TRANSFER_MASK) == USB_TRANSFER_CONTROL ||
        (get_le16(d + 4) & MAX_PACKET_MASK) == 0 ||
        interface->endpoint_count == USB_ENDPOINTS) {
        return;
    }
    endpoint = &interface->endpoints[interface->endpoint_count++];
    endpoint->device = interface->device;
    endpoint->address = d[2] & 0x8f;
    endpoint->attributes = d[3];
    endpoint->max_packet = get_le16(d + 4) & MAX_PACKET_MASK;
    endpoint->interval = d[6];
}

/* The companion belongs to the endpoint just before it (USB 3.2 9.6.7). */
static void take_companion(struct usb_interface *interface, const uint8_t *d)
{
    if (d[0] >= SS_COMPANION_BYTES && interface->endpoint_count > 0) {
        interface->endpoints[interface->endpoint_count - 1].burst =
            d[2] <= 15 ? d[2] : 15;
    }
}

static bool take_interface(struct usb_interface *interface,
                           struct usb_device *device, const uint8_t *d)
{
    if (d[0] < INTERFACE_BYTES || d[3] != 0) {
        return false;
    }
    memset(interface, 0, sizeof *interface);
    interface->device = device;
    interface->number = d[2];
    interface->class = d[5];
    interface->subclass = d[6];
    interface->protocol = d[7];
    return true;
}

static bool address_used(const struct usb_interface *interfaces, unsigned count,
                         uint8_t address)
{
    unsigned i, k;

    for (i = 0; i < count; i++) {
        for (k = 0; k < interfaces[i].endpoint_count; k++) {
            if (interfaces[i].endpoints[k].address == address) {
                return true;
            }
        }
    }
    return false;
}

/* Keeps the interface when a driver wants it and none of its endpoints stands
 * twice in what is kept. */
static bool interface_kept(struct usb_interface *interfaces, unsigned count)
{
    struct usb_interface *interface = &interfaces[count];
    unsigned i, k;

    for (i = 0; i < interface->endpoint_count; i++) {
        uint8_t address = interface->endpoints[i].address;

        if (address_used(interfaces, count, address)) {
            return false;
        }
        for (k = 0; k < i; k++) {
            if (interface->endpoints[k].address == address) {
                return false;
            }
        }
    }
    interface->driver = usb_driver_find(interface);
    return interface->driver != NULL;
}

unsigned usb_config_interfaces(struct usb_device *device, const uint8_t *config,
                               uint32_t bytes, struct usb_interface *interfaces,
                               unsigned limit)
{
    struct usb_interface *open = NULL;
    const uint8_t *d;
    uint32_t offset = 0;
    unsigned count = 0;

    while ((d = usb_descriptor_next(config, bytes, &offset)) != NULL) {
        if (d[1] == USB_DT_INTERFACE) {
            if (open != NULL && interface_kept(interfaces, count)) {
                count++;
            }
            open = NULL;
            if (count < limit &&
                take_interface(&interfaces[count], device, d)) {
                open = &interfaces[count];
            }
        } else if (d[1] == USB_DT_ENDPOINT && open != NULL) {
            take_endpoint(open, d);
        } else if (d[1] == USB_DT_SS_COMPANION && open != NULL) {
            take_companion(open, d);
        }
    }
    if (open != NULL && interface_kept(interfaces, count)) {
        count++;
    }
    return count;
}

void usb_string_ascii(const uint8_t *descriptor, uint32_t bytes, char *text,
                      uint32_t text_bytes)
{
    uint32_t i, out = 0;

    if (bytes >= 2 && descriptor[1] == USB_DT_STRING) {
        if (bytes > descriptor[0]) {
            bytes = descriptor[0];
        }
        for (i = 2; i + 2 <= bytes && out + 1 < text_bytes; i += 2) {
            uint16_t unit = get_le16(descriptor + i);

            if (unit == 0) {
                break;
            }
            text[out++] = unit >= 0x20 && unit < 0x7f ? (char)unit : '?';
        }
    }
    text[out] = '\0';
}
