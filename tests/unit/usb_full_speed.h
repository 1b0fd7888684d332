/* A device of full speed on a host controller of USB 1.1, as their tests drive
 * it. Included by a test once, behind its model (model.now_us, run_frame(),
 * results STALLED, BROKEN, NOT_NOW) and usb_host_pc.h, where these are defined:
 *
 *   HOST                 the controller that is tested, with its bus
 *   HOST_ADDRESS, HOST_ENDPOINTS_OPEN, HOST_TRANSFER, HOST_ENDPOINT_RESET
 *                        the driver's functions
 *   HOST_FORGET(), HOST_IS_RESET()
 *                        what the model forgets for a new device, and of an
 *                        endpoint that begins again
 * and what usb_answers.h wants. */
#ifndef TESTS_UNIT_USB_FULL_SPEED_H
#define TESTS_UNIT_USB_FULL_SPEED_H

#include "tests/unit/usb_run.h"

static struct usb_device device;
static struct usb_endpoint *in, *out;
static unsigned finished;

static void done(struct usb_transfer *transfer)
{
    (void)transfer;
    finished++;
}

static void set_endpoint(struct usb_endpoint *endpoint, uint8_t address,
                         uint8_t type)
{
    endpoint->device = &device;
    endpoint->address = address;
    endpoint->attributes = type;
    endpoint->max_packet = 512; /* as a liar says: 64 is what is used */
}

static void open_device(void)
{
    struct usb_interface *interface = &device.interfaces[0];

    memset(&device, 0, sizeof device);
    device.bus = &HOST->bus;
    device.speed = USB_FULL;
    device.address = 9;
    device.open = true;
    device.state = USB_READY;
    device.interface_count = 1;
    interface->endpoint_count = 2;
    in = &interface->endpoints[0];
    out = &interface->endpoints[1];
    set_endpoint(&device.control, 0, 0);
    set_endpoint(in, 0x81, USB_TRANSFER_BULK);
    set_endpoint(out, 0x02, USB_TRANSFER_BULK);
    HOST_ADDRESS(&device);
    HOST_ENDPOINTS_OPEN(&device);
    CHECK(device.over && device.over_result == OK);
    finished = 0;
    HOST_FORGET();
}

static void submit(struct usb_transfer *transfer, struct usb_endpoint *endpoint,
                   void *buffer, uint32_t bytes)
{
    transfer->endpoint = endpoint;
    transfer->buffer = buffer;
    transfer->bytes = bytes;
    transfer->done = done;
    CHECK(HOST_TRANSFER(transfer) == OK);
}

static bool was_reset;

static void reset_is_done(struct usb_endpoint *endpoint, enum err result)
{
    (void)endpoint;
    was_reset = result == OK;
}

static void reset_endpoint(struct usb_endpoint *endpoint)
{
    was_reset = false;
    endpoint->resetting = true;
    endpoint->reset_done = reset_is_done;
    HOST_ENDPOINT_RESET(endpoint);
    run_ms(5);
    CHECK(was_reset);
    HOST_IS_RESET();
}

#include "tests/unit/usb_answers.h"

#endif
