/* The UHCI driver against a model of the controller: registers, and an engine
 * that carries out one frame at a time (Design Guide 3.4), 19 packets at most.
 * The model of the devices watches the data toggles. DMA addresses are this
 * program's pointers, which lie below 4 GiB. Devices are made here and driven
 * by the host operations, without the USB core. */
/* The driver whole: its probe and poll are static. */
#include "drivers/usb/uhci.c" /* NOLINT(bugprone-suspicious-include) */
#include "tests/unit/check.h"
#include "core/machine.h"
#include "core/timer.h"

#define BASE     0xc000u
#define STALLED  (-1)
#define NOT_NOW  (-2)
#define BROKEN   (-3)
#define TOO_MUCH (-4)
#define PACKETS  19
#define VISITS   64

static struct model_state {
    uint16_t registers[0x20 / 2];
    uint32_t frames;
    uint64_t now_us;
    unsigned frame;
    /* What the device makes of a packet: bytes taken or given, or an error. */
    int (*answer)(uint32_t pid, uint8_t *data, uint32_t bytes);
    uint8_t toggles[32]; /* expected next: number, +16: IN */
    unsigned carried;    /* the endpoint of the packet */
    unsigned packets, wrong_toggles;
    /* The chip's last write is still on its way while we look: where a queue
     * goes on. */
    bool late;
    struct uhci_qh *late_qh;
    uint32_t late_element;
} model;

static struct pci_device pci;

/* ---- The chip ------------------------------------------------------------ */

static uint16_t *reg(unsigned offset)
{
    return &model.registers[offset / 2];
}

static void *pointer(uint32_t address)
{
    return (void *)(uintptr_t)(address & ~0xfU);
}

static void watch_toggle(uint32_t token, uint32_t pid)
{
    uint32_t number = token >> 15 & 0xf, toggle = token >> 19 & 1;
    uint8_t *next = &model.toggles[number + (pid == UHCI_PID_IN ? 16 : 0)];

    if (pid == UHCI_PID_SETUP) {
        model.wrong_toggles += toggle != 0;
        model.toggles[0] = model.toggles[16] = 1;
        return;
    }
    if (number == 0 && (token >> 21 & 0x7ff) == 0x7ff) {
        model.wrong_toggles += toggle != 1; /* status stage */
        return;
    }
    model.wrong_toggles += toggle != *next;
    *next ^= 1;
}

/* One packet; returns whether the queue goes on behind it. */
static bool carry(struct uhci_td *td)
{
    uint32_t pid = td->token & 0xff;
    uint32_t bytes = UHCI_TD_ACTUAL(td->token >> 21);
    int result;

    model.carried = td->token >> 15 & 0xf;
    result = model.answer(pid, (uint8_t *)(uintptr_t)td->buffer, bytes);
    if (result == NOT_NOW) {
        return false;
    }
    model.packets++;
    td->status &= ~(uint32_t)(UHCI_TD_ACTIVE | 0x7ff);
    if (result == TOO_MUCH) {
        td->status |= bytes; /* one more than was asked for */
        return false;
    }
    if (result < 0) {
        td->status |=
            UHCI_TD_STALLED | (result == BROKEN ? UHCI_TD_TIMEOUT : 0) | 0x7ff;
        return false;
    }
    watch_toggle(td->token, pid);
    td->status |= ((uint32_t)result - 1) & 0x7ff;
    return (uint32_t)result == bytes || (td->status & UHCI_TD_SHORT) == 0;
}

static void go_on(struct uhci_qh *qh, uint32_t link)
{
    if (model.late && (link & UHCI_LINK_END) != 0 && model.late_qh == NULL) {
        model.late_qh = qh;
        model.late_element = link;
        return;
    }
    qh->element = link;
}

static void run_frame(void)
{
    const uint32_t *frames = pointer(model.frames);
    unsigned packets = 0, visits;
    uint32_t link;

    if ((*reg(UHCI_USBCMD) & UHCI_CMD_RS) == 0) {
        return;
    }
    if (model.late_qh != NULL) {
        model.late_qh->element = model.late_element;
        model.late_qh = NULL;
    }
    link = frames[model.frame++ % UHCI_FRAMES];
    for (visits = 0; visits < VISITS && (link & UHCI_LINK_END) == 0; visits++) {
        struct uhci_qh *qh = pointer(link);

        while ((qh->element & UHCI_LINK_END) == 0 && packets < PACKETS) {
            struct uhci_td *td = pointer(qh->element);

            if ((td->status & UHCI_TD_ACTIVE) == 0 || !carry(td)) {
                break;
            }
            packets++;
            go_on(qh, td->link);
        }
        link = qh->link;
    }
}

uint16_t io_in16(uint16_t port)
{
    return *reg(port - BASE);
}

void io_out16(uint16_t port, uint16_t value)
{
    unsigned offset = port - BASE;

    if (offset == UHCI_USBSTS) {
        *reg(offset) = (uint16_t)(*reg(offset) & ~value);
    } else if (offset >= UHCI_PORTSC) {
        uint16_t changes = UHCI_PORT_CSC | UHCI_PORT_PEDC;
        uint16_t fixed = UHCI_PORT_CCS | UHCI_PORT_LS | UHCI_PORT_ONE;

        *reg(offset) =
            (uint16_t)((value & ~(changes | fixed)) | (*reg(offset) & fixed) |
                       (*reg(offset) & changes & ~value));
    } else {
        *reg(offset) = offset == UHCI_USBCMD
                           ? (uint16_t)(value & ~UHCI_CMD_HCRESET)
                           : value;
    }
    if (offset == UHCI_USBCMD) {
        *reg(UHCI_USBSTS) = (value & UHCI_CMD_RS) != 0 ? 0 : UHCI_STS_HCH;
    }
}

void io_out32(uint16_t port, uint32_t value)
{
    CHECK(port == BASE + UHCI_FRBASEADD && value % 4096 == 0);
    model.frames = value;
}

/* ---- The rest of the PC -------------------------------------------------- */

void pci_write8(const struct pci_device *device, unsigned offset, uint8_t value)
{
    (void)device;
    (void)offset;
    (void)value;
}

#define HOST_BASE       BASE
#define HOST_BYTES      0x20
#define HOST_IS_IO      true
#define HOST_INTERRUPTS 0
#include "tests/unit/usb_host_pc.h"

/* ---- Driving ------------------------------------------------------------- */

static struct uhci *uhci;

#define HOST                uhci
#define HOST_ADDRESS        uhci_device_address
#define HOST_ENDPOINTS_OPEN uhci_endpoints_open
#define HOST_TRANSFER       uhci_transfer
#define HOST_ENDPOINT_RESET uhci_endpoint_reset
#define HOST_FORGET()       (model.packets = 0)
#define HOST_IS_RESET()     (model.toggles[2] = model.toggles[17] = 0)
#define TOKEN_IN            UHCI_PID_IN
#define TOKEN_SETUP         UHCI_PID_SETUP
#include "tests/unit/usb_full_speed.h"

#define HOST_SPEED   USB_FULL
#define HOST_CLOSE   uhci_device_close
#define HOST_CARRIED model.carried
#define HOST_EP_IS_RESET(number)                                               \
    (model.toggles[number] = model.toggles[(number) + 16] = 0)
#include "tests/unit/usb_stress.h"

static void begin(void)
{
    static const struct pci_id id = {PCI_ANY, PCI_ANY, 0, 0, "UHCI", 0};

    if (uhci != NULL) {
        CHECK(model.wrong_toggles == 0);
        die(uhci, "end of the test");
        timer_stop(&uhci->bus.wake);
    }
    memset(&state, 0, sizeof state);
    memset(&model, 0, sizeof model);
    model.now_us = 5000000;
    *reg(UHCI_PORTSC) = *reg(UHCI_PORTSC + 2) = UHCI_PORT_ONE;
    *reg(UHCI_USBSTS) = UHCI_STS_HCH;
    CHECK(probe(&pci, &id) == OK);
    uhci = pci.driver_data;
    CHECK(uhci->ports == 2);
    run_ms(100);
    CHECK(uhci->state == UHCI_RUN);
}

/* ---- What devices answer ------------------------------------------------- */

/* 100 bytes in all, in packets of 64. */
static int answer_short(uint32_t pid, uint8_t *data, uint32_t bytes)
{
    uint32_t left = stream_at < 100 ? 100 - stream_at : 0;

    (void)data;
    if (pid != UHCI_PID_IN || bytes == 0) {
        return (int)bytes;
    }
    left = left < bytes ? left : bytes;
    stream_at += left;
    return (int)left;
}

static int answer_too_much(uint32_t pid, uint8_t *data, uint32_t bytes)
{
    (void)pid;
    (void)data;
    (void)bytes;
    return TOO_MUCH;
}

/* ---- Tests --------------------------------------------------------------- */

/* Longer than a chain, and again, so that packets are used anew. */
static void test_large(void)
{
    static uint8_t buffer[122880 + 77];
    static struct usb_transfer transfer;
    unsigned i;

    begin();
    open_device();
    model.answer = answer_stream;
    for (i = 0; i < 6; i++) {
        stream_at = 0;
        submit(&transfer, i % 2 == 0 ? in : out, buffer + 77, 122880);
        run_ms(140); /* 102 frames, and a pause after each chain */
        CHECK(finished == i + 1 && transfer.status == USB_OK);
        CHECK(transfer.actual == 122880);
    }
    CHECK(model.packets == 6 * 122880 / 64 && uhci->busy == 0);
}

static void test_short(void)
{
    static uint8_t buffer[65536];
    static struct usb_transfer first, second;

    begin();
    open_device();
    model.answer = answer_short;
    stream_at = 0;
    submit(&first, in, buffer, 60000);
    submit(&second, in, buffer, 13);
    run_ms(5);
    CHECK(finished == 2 && first.status == USB_OK && first.actual == 100);
    CHECK(second.status == USB_OK && second.actual == 0);
    /* A control transfer goes on with its status stage. */
    model.packets = stream_at = 0;
    memset(first.setup, 0, 8);
    first.setup[0] = USB_REQUEST_IN;
    submit(&first, &device.control, buffer, 512);
    run_ms(5);
    CHECK(finished == 3 && first.actual == 100 && model.packets == 4);
    /* One of its own length ends with a packet of no bytes. */
    submit(&second, out, NULL, 0);
    run_ms(2);
    CHECK(finished == 4 && second.status == USB_OK);
}

/* The chip has told of the last packet, but not yet moved the queue on. */
static void test_late(void)
{
    static uint8_t buffer[40000];
    static struct usb_transfer first, second;

    begin();
    open_device();
    model.late = true;
    model.answer = answer_stream;
    stream_at = 0;
    submit(&first, in, buffer, sizeof buffer);
    submit(&second, in, buffer, 512);
    run_ms(100);
    CHECK(finished == 2 && first.status == USB_OK && second.status == USB_OK);
}

/* A queue that stopped at a short packet, or at an error, and has nothing more
 * to do: others use its packets anew, and are alone with them. */
static void test_used_anew(int (*answer)(uint32_t, uint8_t *, uint32_t),
                           enum usb_status status)
{
    static uint8_t buffer[122880], small[4096];
    static struct usb_transfer stopped, transfer;

    begin();
    open_device();
    model.answer = answer;
    stream_at = 0;
    submit(&stopped, in, small, sizeof small);
    run_ms(5);
    CHECK(finished == 1 && stopped.status == status);
    model.answer = answer_stream;
    for (unsigned i = 0; i < sizeof buffer; i++)
        buffer[i] = (uint8_t)(i * 7 + i / 251);
    for (unsigned i = 0; i < 3; i++) {
        stream_at = 0;
        submit(&transfer, out, buffer, sizeof buffer);
        run_ms(140);
        CHECK(finished == i + 2 && transfer.status == USB_OK);
        CHECK(transfer.actual == sizeof buffer && stream_at == sizeof buffer);
    }
    CHECK(model.wrong_toggles == 0);
}

static void test_stress(void)
{
    for (uint32_t seed = 1; seed <= 6; seed++) {
        begin();
        model.late = seed % 2 != 0;
        stress_run(seed);
    }
}

static void test_errors(void)
{
    static uint8_t buffer[65536];
    static struct usb_transfer first, second;

    begin();
    open_device();
    model.answer = answer_stall;
    submit(&first, in, buffer, 40000);
    submit(&second, in, buffer, 13);
    run_ms(3);
    CHECK(finished == 1 && first.status == USB_STALL && first.actual == 0);
    reset_endpoint(in);
    CHECK(finished == 2 && second.status == USB_CANCELLED);
    model.answer = answer_broken;
    submit(&first, in, buffer, 13);
    run_ms(3);
    CHECK(first.status == USB_ERROR);
    reset_endpoint(in);
    model.answer = answer_too_much;
    submit(&first, in, buffer, 13);
    run_ms(3);
    CHECK(first.status == USB_ERROR && first.actual == 0);
    reset_endpoint(in);
    /* Ended while it is at work. */
    model.answer = answer_never;
    submit(&first, in, buffer, 40000);
    run_ms(3);
    reset_endpoint(in);
    CHECK(first.status == USB_CANCELLED);
    model.answer = answer_stream;
    stream_at = 0;
    submit(&first, in, buffer, 40000);
    run_ms(60);
    CHECK(first.status == USB_OK && first.actual == 40000);
}

static void test_close(void)
{
    static uint8_t buffer[65536];
    static struct usb_transfer first, second;
    unsigned i, packets;

    begin();
    open_device();
    model.answer = answer_stream;
    stream_at = 0;
    submit(&first, in, buffer, 60000);
    submit(&second, &device.control, NULL, 0);
    run_ms(2);
    device.state = USB_CLOSE;
    device.operating = true;
    device.over = false;
    uhci_device_close(&device);
    packets = model.packets;
    run_ms(1);
    CHECK(model.packets == packets && finished == 1);
    run_ms(5);
    CHECK(finished == 2 && first.status == USB_GONE && in->host == NULL);
    CHECK(list_empty(&uhci->endpoints) && uhci->busy == 0);
    CHECK(uhci->bulk->link == UHCI_LINK_END);
    /* A controller that has gone takes all along. */
    open_device();
    model.answer = answer_never;
    submit(&first, in, buffer, 4096);
    for (i = 0; i < 0x20 / 2; i++) {
        model.registers[i] = UINT16_MAX;
    }
    run_ms(200);
    CHECK(uhci->state == UHCI_DEAD && first.status == USB_GONE);
}

int main(void)
{
    timer_module_init();
    test_large();
    test_short();
    test_late();
    test_used_anew(answer_short, USB_OK);
    test_used_anew(answer_broken, USB_ERROR);
    test_stress();
    test_errors();
    test_close();
    CHECK(model.wrong_toggles == 0);
    return check_report();
}
