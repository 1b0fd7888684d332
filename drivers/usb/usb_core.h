/* What the files of the USB core share among themselves. */
#ifndef DRIVERS_USB_USB_CORE_H
#define DRIVERS_USB_USB_CORE_H

#include "drivers/usb/usb.h"

/* usb_enumerate_start - a device was seen at a port: READY, or FAILED. */
void usb_enumerate_start(struct usb_device *device, uint64_t debounce_us);
/* usb_enumerate_enter - goes into a state of the table and does its action. */
void usb_enumerate_enter(struct usb_device *device, enum usb_state next);
/* usb_enumerate_fail - this try has failed: closes, then tries again. */
void usb_enumerate_fail(struct usb_device *device, const char *reason);
/* usb_enumerate_poll - timed states; returns true when anything happened. */
bool usb_enumerate_poll(struct usb_device *device, uint64_t now_us);
void usb_enumerate_operation_done(struct usb_device *device, enum err result);
/* usb_enumerate_port - its port has a new state: the reset may be over. */
void usb_enumerate_port(struct usb_device *device,
                        const struct usb_port_status *status);

/* usb_device_take - a free one for what was plugged in; NULL: there is none. */
struct usb_device *usb_device_take(struct usb_hub *hub, unsigned port);
/* usb_device_next - all that are not free, in turn; NULL begins and ends. */
struct usb_device *usb_device_next(const struct usb_device *device);
/* usb_ports_prepare, usb_ports_start - the root ports of a bus; usb_ports_poll
 * - looks at marked ports of all hubs of the bus. */
void usb_ports_prepare(struct usb_bus *bus);
void usb_ports_start(struct usb_bus *bus);
bool usb_ports_poll(struct usb_bus *bus);
/* usb_port_begin_reset, usb_port_quiet - reset, and disable, the port that the
 * device is plugged into. */
void usb_port_begin_reset(const struct usb_device *device);
void usb_port_quiet(const struct usb_device *device);
/* usb_port_clear_translator - after an endpoint's transfers were ended. */
void usb_port_clear_translator(const struct usb_endpoint *endpoint);

/* usb_address_take, usb_address_give_back - device->new_address, where
 * addresses are the core's work. */
void usb_address_take(struct usb_device *device);
void usb_address_give_back(struct usb_device *device);

/* usb_device_close - begins to close it; `after` says what follows. */
void usb_device_close(struct usb_device *device, enum usb_after_close after);
/* usb_device_free - detaches drivers and gives the place back. */
void usb_device_free(struct usb_device *device);
void usb_device_detach_drivers(struct usb_device *device);

/* usb_descriptor_next - walks descriptors. bytes: of all of them; *offset: 0 at
 * first. Returns the next one, which lies wholly inside, or NULL at the end or
 * at the first malformed one (bLength below 2 or past the end). */
const uint8_t *usb_descriptor_next(const uint8_t *all, uint32_t bytes,
                                   uint32_t *offset);

/* usb_config_interfaces - the interfaces of a configuration, alternate setting
 * 0 only, with their endpoints. Returns how many it wrote, at most `limit`.
 * Ones without a driver are skipped. */
unsigned usb_config_interfaces(struct usb_device *device, const uint8_t *config,
                               uint32_t bytes, struct usb_interface *interfaces,
                               unsigned limit);

/* usb_string_ascii - a string descriptor as ASCII, others become '?'. */
void usb_string_ascii(const uint8_t *descriptor, uint32_t bytes, char *text,
                      uint32_t text_bytes);

/* usb_driver_find - the class driver for an interface, or NULL. */
const struct usb_driver *usb_driver_find(const struct usb_interface *interface);

#endif
