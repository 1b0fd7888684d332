/* The EHCI driver against a model of the controller (model_ehci.h). Devices are
 * made here and driven by the host operations, without the USB core. */
/* The driver whole: its probe and poll are static. */
#include "drivers/usb/ehci.c" /* NOLINT(bugprone-suspicious-include) */
#include "tests/unit/check.h"
#include "tests/unit/model_ehci.h"
#include "core/machine.h"
#include "core/timer.h"
#include <stdlib.h>

static struct pci_device pci;

/* ---- The rest of the PC -------------------------------------------------- */

uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
    (void)device;
    if (offset == MODEL_LEGACY + 2 && !model.bios_stays &&
        (model.config[MODEL_LEGACY + 3] & 1) != 0) {
        model.config[offset] = 0;
    }
    return model.config[offset];
}

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
    uint32_t value;

    (void)device;
    memcpy(&value, model.config + offset, 4);
    return value;
}

void pci_write8(const struct pci_device *device, unsigned offset, uint8_t value)
{
    (void)device;
    model.config[offset] = value;
}

void pci_write32(const struct pci_device *device, unsigned offset,
                 uint32_t value)
{
    (void)device;
    memcpy(model.config + offset, &value, 4);
}

#define HOST_BASE       0xfebc0000
#define HOST_BYTES      0x1000
#define HOST_IS_IO      false
#define HOST_INTERRUPTS model.interrupts
#include "tests/unit/usb_host_pc.h"

/* ---- Driving ------------------------------------------------------------- */

static struct ehci *ehci;

/* Steps of 0.5 ms; the chip works between the polls. */
static void run_ms(unsigned ms)
{
    unsigned i;

    for (i = 0; i < 2 * ms; i++) {
        model_run();
        (void)poll(&pci);
        model.now_us += 500;
        (void)timer_run();
    }
}

/* A controller that was just found; the BIOS has it. */
static void begin(uint32_t more_capability)
{
    static const struct pci_id id = {PCI_ANY, PCI_ANY, 0, 0, "EHCI", 0};

    if (ehci != NULL) {
        die(ehci, "end of the test");
        timer_stop(&ehci->bus.wake);
    }
    CHECK(model.violations == 0);
    memset(&state, 0, sizeof state);
    memset(&model, 0, sizeof model);
    model.now_us = 5000000;
    model.structure = 0x1200 | MODEL_PORTS;
    model.capability = MODEL_LEGACY << 8 | more_capability;
    model.config[MODEL_LEGACY] = EXT_CAP_LEGACY;
    model.config[MODEL_LEGACY + 2] = 1;
    model.config[MODEL_LEGACY + 4] = 0xff;
    CHECK(probe(&pci, &id) == OK);
    ehci = pci.driver_data;
}

static void begin_running(void)
{
    begin(0);
    run_ms(200);
    CHECK(ehci->state == EHCI_RUN);
}

static struct usb_device device;
static struct usb_endpoint *in, *out, *keys;
static unsigned finished;
static enum usb_status last_status;
static uint32_t last_actual;

static void done(struct usb_transfer *transfer)
{
    finished++;
    last_status = transfer->status;
    last_actual = transfer->actual;
}

static void set_endpoint(struct usb_endpoint *endpoint, uint8_t address,
                         uint8_t type, uint16_t packet)
{
    endpoint->device = &device;
    endpoint->address = address;
    endpoint->attributes = type;
    endpoint->max_packet = packet;
}

/* A device with two bulk endpoints and one of interrupts. */
static void open_device(enum usb_speed speed, struct usb_device *tt)
{
    struct usb_interface *interface = &device.interfaces[0];
    uint16_t packet = speed == USB_HIGH ? 512 : 64;

    memset(&device, 0, sizeof device);
    device.bus = &ehci->bus;
    device.speed = speed;
    device.address = 9;
    device.tt = tt;
    device.tt_port = 3;
    device.open = true;
    device.state = USB_READY;
    device.interface_count = 1;
    interface->endpoint_count = 3;
    in = &interface->endpoints[0];
    out = &interface->endpoints[1];
    keys = &interface->endpoints[2];
    set_endpoint(&device.control, 0, 0, 64);
    set_endpoint(in, 0x81, USB_TRANSFER_BULK, packet);
    set_endpoint(out, 0x02, USB_TRANSFER_BULK, packet);
    set_endpoint(keys, 0x83, USB_TRANSFER_INTR, 8);
    ehci_device_address(&device);
    ehci_endpoints_open(&device);
    CHECK(device.over && device.over_result == OK);
    finished = model.pieces = 0;
}

static void submit(struct usb_transfer *transfer, struct usb_endpoint *endpoint,
                   void *buffer, uint32_t bytes)
{
    transfer->endpoint = endpoint;
    transfer->buffer = buffer;
    transfer->bytes = bytes;
    transfer->done = done;
    CHECK(ehci_transfer(transfer) == OK);
}

static const struct ehci_qh *queue_of(const struct usb_endpoint *endpoint)
{
    return ((const struct ehci_endpoint *)endpoint->host)->qh;
}

/* ---- What devices answer ------------------------------------------------- */

#define STALLED     MODEL_STALLED
#define BROKEN      MODEL_BROKEN
#define NOT_NOW     MODEL_NOT_NOW
#define TOKEN_IN    EHCI_QTD_IN
#define TOKEN_SETUP EHCI_QTD_SETUP
#include "tests/unit/usb_answers.h"

#define HOST                ehci
#define HOST_SPEED          USB_HIGH
#define HOST_ADDRESS        ehci_device_address
#define HOST_ENDPOINTS_OPEN ehci_endpoints_open
#define HOST_CLOSE          ehci_device_close
#define HOST_TRANSFER       ehci_transfer
#define HOST_ENDPOINT_RESET ehci_endpoint_reset
#define HOST_CARRIED        model.carried
#define HOST_EP_IS_RESET(number)
#define STRESS_BYTES 60000u
#include "tests/unit/usb_stress.h"

static int answer_short(uint32_t pid, uint8_t *data, uint32_t bytes)
{
    (void)pid;
    memset(data, 0x5a, bytes);
    return bytes > 100 ? 100 : (int)bytes;
}

/* ---- Tests --------------------------------------------------------------- */

static void test_handoff(void)
{
    begin(0);
    run_ms(200);
    CHECK(ehci->state == EHCI_RUN);
    CHECK(model.config[MODEL_LEGACY + 2] == 0 &&
          model.config[MODEL_LEGACY + 3] == 1);
    CHECK(pci_read32(&pci, MODEL_LEGACY + 4) == LEGCTLSTS_STATUS);
    CHECK(*model_op(EHCI_CONFIGFLAG) == 1 &&
          *model_op(EHCI_USBINTR) == EHCI_INTR_OURS);
    CHECK(usb_gate_is_open(USB_GATE_HANDOFF));
    CHECK(usb_gate_is_open(USB_GATE_ROUTED));
    begin(EHCI_HCC_64);
    model.bios_stays = true;
    *model_op(EHCI_SEGMENT) = 7;
    run_ms(900);
    CHECK(ehci->state == EHCI_HANDOFF);
    CHECK(!usb_gate_is_open(USB_GATE_ROUTED));
    run_ms(400);
    CHECK(ehci->state == EHCI_RUN && model.config[MODEL_LEGACY + 2] == 0);
    CHECK(*model_op(EHCI_SEGMENT) == 0);
}

static void connect_port(unsigned port, uint32_t line)
{
    *model_op(EHCI_PORTSC + 4 * (port - 1)) |=
        EHCI_PORT_CCS | EHCI_PORT_CSC | EHCI_PORT_PP | line;
    *model_op(EHCI_USBSTS) |= EHCI_STS_PCD;
    model.interrupts++;
}

static void test_ports(void)
{
    begin_running();
    connect_port(1, EHCI_PORT_LINE_K);
    model.full_speed[1] = true;
    connect_port(2, 0);
    run_ms(10);
    CHECK((*model_op(EHCI_PORTSC) & EHCI_PORT_OWNER) != 0);
    CHECK((*model_op(EHCI_PORTSC) & EHCI_PORT_PR) == 0);
    run_ms(300);
    CHECK((*model_op(EHCI_PORTSC + 4) & EHCI_PORT_OWNER) != 0);
    begin_running();
    connect_port(1, 0);
    model.answer = answer_never;
    run_ms(200);
    CHECK((*model_op(EHCI_PORTSC) & (EHCI_PORT_PED | EHCI_PORT_OWNER)) ==
          EHCI_PORT_PED);
    CHECK(ehci->bus.addressing != NULL); /* is asked for its address */
}

static void test_large(void)
{
    static uint8_t buffer[130000];
    static struct usb_transfer transfer;
    unsigned i;

    begin_running();
    open_device(USB_HIGH, NULL);
    model.answer = answer_stream;
    stream_at = 0;
    submit(&transfer, in, buffer + 333, 122880);
    run_ms(2);
    CHECK(finished == 1 && last_status == USB_OK && last_actual == 122880);
    for (i = 0; i < model.pieces; i++) {
        CHECK(i + 1 == model.pieces || model.last_bytes[i] % 512 == 0);
    }
    stream_at = 0;
    submit(&transfer, out, buffer + 333, 122880);
    run_ms(2);
    CHECK(finished == 2 && last_status == USB_OK && last_actual == 122880);
    /* Without work the ring stands. */
    run_ms(10);
    CHECK((*model_op(EHCI_USBCMD) & EHCI_CMD_ASE) == 0);
}

static void test_short(void)
{
    static uint8_t buffer[65536];
    static struct usb_transfer first, second;

    begin_running();
    open_device(USB_HIGH, NULL);
    model.answer = answer_short;
    submit(&first, in, buffer, 60000);
    submit(&second, in, buffer, 13);
    run_ms(2);
    CHECK(finished == 2 && first.status == USB_OK && first.actual == 100);
    CHECK(second.status == USB_OK && second.actual == 13);
    CHECK(model.pieces == 2);
    /* A control transfer goes on with its status stage. */
    model.pieces = finished = 0;
    memset(first.setup, 0, 8);
    first.setup[0] = USB_REQUEST_IN;
    submit(&first, &device.control, buffer, 512);
    run_ms(2);
    CHECK(finished == 1 && last_actual == 100 && model.pieces == 3);
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
    ehci_endpoint_reset(endpoint);
}

static void test_errors(void)
{
    static uint8_t buffer[65536];
    static struct usb_transfer first, second;

    begin_running();
    open_device(USB_HIGH, NULL);
    model.answer = answer_stall;
    submit(&first, in, buffer, 40000);
    submit(&second, in, buffer, 13);
    run_ms(2);
    CHECK(finished == 1 && first.status == USB_STALL && first.actual == 0);
    reset_endpoint(in);
    CHECK(!model_in_ring(queue_of(in)));
    run_ms(5);
    CHECK(was_reset && finished == 2 && second.status == USB_CANCELLED);
    CHECK(model_in_ring(queue_of(in)) && queue_of(in)->token == 0);
    model.answer = answer_broken;
    submit(&first, in, buffer, 13);
    run_ms(2);
    CHECK(first.status == USB_ERROR);
    /* A doorbell that is not answered: on it goes after 100 ms. */
    model.answer = answer_never;
    submit(&second, out, buffer, 31);
    run_ms(2);
    model.deaf = true;
    reset_endpoint(out);
    run_ms(50);
    CHECK(!was_reset && finished == 3);
    run_ms(100);
    CHECK(was_reset && finished == 4 && second.status == USB_CANCELLED);
    model.deaf = false;
    model.answer = answer_stream;
    stream_at = 0;
    memset(buffer, 0, 1);
    submit(&second, out, buffer, 1);
    run_ms(2);
    CHECK(second.status == USB_OK);
}

/* How a slower device behind a hub is described (3.6, 4.12). */
static void test_split(void)
{
    static uint8_t report[8];
    static struct usb_transfer transfer;
    static struct usb_device hub = {.address = 5};
    const struct ehci_qh *qh;

    begin_running();
    open_device(USB_FULL, &hub);
    qh = queue_of(in);
    CHECK(qh->endpoint == (9U | 1U << 8 | 64U << 16));
    CHECK(qh->split == (1U << 30 | 3U << 23 | 5U << 16));
    qh = queue_of(&device.control);
    CHECK(qh->endpoint == (9U | 1U << 14 | 64U << 16 | 1U << 27));
    qh = queue_of(keys);
    CHECK(qh->split == (1U << 30 | 3U << 23 | 5U << 16 | 0xfcU << 8 | 1));
    CHECK(!model_in_ring(qh) && ehci->frames[8] == ehci->frames[0]);
    CHECK(ehci->frames[1] == EHCI_LINK_END);
    model.answer = answer_stream;
    stream_at = 0;
    submit(&transfer, keys, report, 8);
    run_ms(2);
    CHECK(finished == 1 && last_actual == 8 && report[2] == 14);
    open_device(USB_LOW, &hub);
    CHECK((queue_of(keys)->endpoint >> 12 & 3) == 1);
}

static void test_close(void)
{
    static uint8_t buffer[4096];
    static struct usb_transfer first, second;
    const struct ehci_qh *queues[3];

    begin_running();
    open_device(USB_HIGH, NULL);
    model.answer = answer_never;
    submit(&first, in, buffer, 4096);
    submit(&second, keys, buffer, 8);
    run_ms(2);
    queues[0] = queue_of(in);
    queues[1] = queue_of(out);
    queues[2] = queue_of(keys);
    device.state = USB_CLOSE;
    device.operating = true;
    device.over = false;
    ehci_device_close(&device);
    CHECK(finished == 0);
    run_ms(10);
    CHECK(finished == 2 && first.status == USB_GONE);
    CHECK(second.status == USB_GONE && in->host == NULL);
    CHECK(!model_in_ring(queues[0]) && !model_in_ring(queues[1]));
    CHECK(ehci->frames[0] == EHCI_LINK_END && queues[2] != NULL);
    CHECK(ehci->busy == 0 && list_empty(&ehci->endpoints));
    /* A controller that has gone takes all along. */
    open_device(USB_HIGH, NULL);
    submit(&first, in, buffer, 4096);
    model.gone = true;
    run_ms(200);
    CHECK(ehci->state == EHCI_DEAD && first.status == USB_GONE);
}

static void test_stress(void)
{
    for (uint32_t seed = 1; seed <= 3; seed++) {
        begin_running();
        stress_run(seed);
    }
}

static void fail_once(void)
{
    *model_op(EHCI_USBSTS) |= EHCI_STS_HSE;
    model.interrupts++;
    run_ms(1);
    CHECK(ehci->state != EHCI_RUN);
    *model_op(EHCI_USBSTS) &= ~(uint32_t)EHCI_STS_HSE;
    run_ms(300);
}

/* One that fails now and then is started anew each time, for ever; one that
 * fails again at once, a few times. */
static void test_failures(void)
{
    unsigned i;

    begin_running();
    for (i = 0; i < 20; i++) {
        fail_once();
        CHECK(ehci->state == EHCI_RUN);
        model.now_us += 3600000000;
        run_ms(1);
    }
    for (i = 0; i < 8; i++) {
        fail_once();
        CHECK(ehci->state == EHCI_RUN);
    }
    fail_once();
    CHECK(ehci->state == EHCI_DEAD);
}

int main(void)
{
    timer_module_init();
    test_handoff();
    test_ports();
    test_large();
    test_short();
    test_errors();
    test_split();
    test_close();
    test_stress();
    test_failures();
    CHECK(model.violations == 0);
    return check_report();
}
