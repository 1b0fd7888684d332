/* The OHCI driver against a model of the controller: registers, and an engine
 * that works through the lists of endpoints, a piece at a time (4.2, 4.3, 6.4).
 * What it is done with it puts on a list of its own, as the chip does. DMA
 * addresses are this program's pointers, which lie below 4 GiB. Devices are
 * made here and driven by the host operations, without the USB core. */
/* The driver whole: its probe and poll are static. */
#include "drivers/usb/ohci.c" /* NOLINT(bugprone-suspicious-include) */
#include "tests/unit/check.h"
#include "core/machine.h"
#include "core/timer.h"

#define STALLED    (-1)
#define NOT_NOW    (-2)
#define BROKEN     (-3)
#define CC_SILENT  5u
#define PORTS_USED 2u

static struct model_state {
    uint32_t registers[0x100 / 4];
    bool bios_stays; /* does not give up */
    uint64_t now_us;
    /* What the device makes of a piece: bytes taken or given, or an error. */
    int (*answer)(uint32_t direction, uint8_t *data, uint32_t bytes);
    unsigned carried; /* the endpoint of the piece */
    /* The chip moves the endpoint on before it writes how a piece went. */
    bool late;
    struct ohci_td *late_td, late_copy;
    unsigned pieces;
} model;

static struct pci_device pci;

/* ---- The chip ------------------------------------------------------------ */

static uint32_t *reg(size_t offset)
{
    return &model.registers[offset / 4];
}

static void *pointer(uint32_t address)
{
    return (void *)(uintptr_t)(address & ~0xfU);
}

static void write_back(struct ohci_td *td, const struct ohci_td *copy)
{
    td->control = copy->control;
    td->buffer = copy->buffer;
    td->link = copy->link;
}

static void write_late(void)
{
    if (model.late_td != NULL)
        write_back(model.late_td, &model.late_copy);
    model.late_td = NULL;
}

/* One piece; returns whether the endpoint goes on behind it. */
static bool carry(struct ohci_ed *ed, struct ohci_td *td)
{
    uint32_t bytes = td->buffer == 0 ? 0 : td->end - td->buffer + 1;
    uint32_t direction = ed->info & (OHCI_ED_IN | OHCI_ED_OUT);
    uint32_t code = OHCI_CC_OK, next = td->link & ~0xfU;
    struct ohci_td after = *td;
    int result;

    direction = direction == OHCI_ED_IN    ? OHCI_TD_IN
                : direction == OHCI_ED_OUT ? OHCI_TD_OUT
                                           : td->control & 0x180000;
    model.carried = ed->info >> 7 & 0xf;
    result = model.answer(direction, (uint8_t *)(uintptr_t)td->buffer, bytes);
    if (result == NOT_NOW) {
        return false;
    }
    model.pieces++;
    if (result == STALLED || result == BROKEN) {
        code = result == STALLED ? OHCI_CC_STALL : CC_SILENT;
    } else if ((uint32_t)result == bytes) {
        after.buffer = 0;
    } else {
        after.buffer += (uint32_t)result;
        code =
            (td->control & OHCI_TD_ROUND) != 0 ? OHCI_CC_OK : OHCI_CC_UNDERRUN;
    }
    after.control = (td->control & 0x0fffffff) | code << 28;
    after.link = 0xdeadbee0; /* its list of what is done */
    if (model.late && model.late_td == NULL) {
        model.late_td = td;
        model.late_copy = after;
    } else {
        write_back(td, &after);
    }
    ed->head = next | (ed->head & OHCI_HEAD_CARRY) |
               (code != OHCI_CC_OK ? OHCI_HEAD_HALT : 0);
    return code == OHCI_CC_OK;
}

static void run_list(uint32_t address)
{
    while (address != 0) {
        struct ohci_ed *ed = pointer(address);

        while ((ed->info & OHCI_ED_SKIP) == 0 &&
               (ed->head & OHCI_HEAD_HALT) == 0 &&
               (ed->head & ~0xfU) != ed->tail && carry(ed, pointer(ed->head))) {
        }
        address = ed->link;
    }
}

static void run_frame(void)
{
    uint32_t control = *reg(OHCI_CONTROL);

    write_late();
    if ((control & OHCI_CONTROL_STATE) != OHCI_CONTROL_RUNS) {
        return;
    }
    if ((control & OHCI_CONTROL_PLE) != 0) {
        run_list(((const struct ohci_area *)pointer(*reg(OHCI_HCCA)))
                     ->interrupts[8]);
    }
    if ((control & OHCI_CONTROL_CLE) != 0) {
        run_list(*reg(OHCI_CONTROL_HEAD));
    }
    if ((control & OHCI_CONTROL_BLE) != 0) {
        run_list(*reg(OHCI_BULK_HEAD));
    }
}

uint32_t io_read32(const struct io_region *region, size_t offset)
{
    (void)region;
    return *reg(offset);
}

void io_write32(const struct io_region *region, size_t offset, uint32_t value)
{
    (void)region;
    if (offset == OHCI_COMMAND) {
        if ((value & OHCI_COMMAND_CHANGE) != 0 && !model.bios_stays) {
            *reg(OHCI_CONTROL) &= ~(uint32_t)OHCI_CONTROL_SMM;
        }
        return;
    }
    if (offset == OHCI_INTERRUPT) {
        *reg(offset) &= ~value;
        return;
    }
    if (offset < OHCI_RH_PORT) {
        *reg(offset) = value;
        return;
    }
    *reg(offset) &= ~(value & OHCI_PORT_CHANGES);
    if ((value & OHCI_PORT_PRS) != 0) { /* over at once */
        *reg(offset) |= OHCI_PORT_PES | 0x100000;
    }
    if ((value & OHCI_PORT_DISABLE) != 0) {
        *reg(offset) &= ~(uint32_t)OHCI_PORT_PES;
    }
}

/* ---- The rest of the PC -------------------------------------------------- */

#define HOST_BASE       0xfebc0000
#define HOST_BYTES      0x1000
#define HOST_IS_IO      false
#define HOST_INTERRUPTS 0
#include "tests/unit/usb_host_pc.h"

/* ---- Driving ------------------------------------------------------------- */

static struct ohci *ohci;

#define HOST                ohci
#define HOST_ADDRESS        ohci_device_address
#define HOST_ENDPOINTS_OPEN ohci_endpoints_open
#define HOST_TRANSFER       ohci_transfer
#define HOST_ENDPOINT_RESET ohci_endpoint_reset
#define HOST_FORGET()       (model.pieces = 0)
#define HOST_IS_RESET()
#define TOKEN_IN    OHCI_TD_IN
#define TOKEN_SETUP OHCI_TD_SETUP
#include "tests/unit/usb_full_speed.h"

#define HOST_SPEED   USB_FULL
#define HOST_CLOSE   ohci_device_close
#define HOST_CARRIED model.carried
#define HOST_EP_IS_RESET(number)
#include "tests/unit/usb_stress.h"

static void begin(bool bios_stays)
{
    static const struct pci_id id = {PCI_ANY, PCI_ANY, 0, 0, "OHCI", 0};

    if (ohci != NULL) {
        die(ohci, "end of the test");
        timer_stop(&ohci->bus.wake);
    }
    memset(&state, 0, sizeof state);
    memset(&model, 0, sizeof model);
    model.now_us = 5000000;
    model.bios_stays = bios_stays;
    *reg(OHCI_REVISION) = 0x10;
    *reg(OHCI_RH_A) = PORTS_USED;
    *reg(OHCI_CONTROL) = OHCI_CONTROL_SMM;
    CHECK(probe(&pci, &id) == OK);
    ohci = pci.driver_data;
    run_ms(bios_stays ? 1500 : 300);
    CHECK(ohci->state == OHCI_RUN);
    CHECK(usb_gate_is_open(USB_GATE_HANDOFF));
}

/* ---- What devices answer ------------------------------------------------- */

/* 100 bytes at most. */
static int answer_short(uint32_t direction, uint8_t *data, uint32_t bytes)
{
    (void)data;
    return direction == OHCI_TD_IN && bytes > 100 ? 100 : (int)bytes;
}

/* ---- Tests --------------------------------------------------------------- */

static void test_start(void)
{
    begin(false);
    CHECK(*reg(OHCI_HCCA) % 256 == 0 && *reg(OHCI_HCCA) != 0);
    begin(true); /* taken by force */
    CHECK(*reg(OHCI_INTERRUPT_ON) != 0);
}

/* Pieces that are given back are used anew. */
static void test_large(void)
{
    static uint8_t buffer[122880 + 77];
    static struct usb_transfer transfer;
    unsigned i;

    begin(false);
    open_device();
    model.answer = answer_stream;
    for (i = 0; i < 60; i++) {
        stream_at = 0;
        submit(&transfer, i % 2 == 0 ? in : out, buffer + 77, 122880);
        run_ms(2);
        CHECK(finished == i + 1 && transfer.status == USB_OK);
        CHECK(transfer.actual == 122880);
    }
}

static void test_short(void)
{
    static uint8_t buffer[65536];
    static struct usb_transfer first, second;
    const struct ohci_ed *ed;

    begin(false);
    open_device();
    ed = ((const struct ohci_endpoint *)in->host)->ed;
    model.answer = answer_short;
    submit(&first, in, buffer, 60000);
    submit(&second, in, buffer, 13);
    run_ms(1);
    CHECK(finished == 1 && first.status == USB_OK && first.actual == 100);
    CHECK((ed->head & OHCI_HEAD_HALT) == 0);
    run_ms(2);
    CHECK(finished == 2 && second.status == USB_OK && second.actual == 13);
    CHECK(model.pieces == 2);
    /* Short within the last piece, which does not stop the queue. */
    submit(&first, in, buffer, 4000);
    submit(&second, in, buffer, 13);
    run_ms(2);
    CHECK(finished == 4 && first.actual == 100 && second.actual == 13);
    /* A control transfer goes on with its status stage. */
    model.pieces = 0;
    memset(first.setup, 0, 8);
    first.setup[0] = USB_REQUEST_IN;
    submit(&first, &device.control, buffer, 512);
    run_ms(2);
    CHECK(finished == 5 && first.actual == 100 && model.pieces == 3);
    submit(&second, out, NULL, 0);
    run_ms(2);
    CHECK(finished == 6 && second.status == USB_OK);
}

/* What the chip has passed counts when it has said how that went. */
static void test_late(void)
{
    static uint8_t buffer[60000];
    static struct usb_transfer first, second;

    begin(false);
    open_device();
    model.late = true;
    model.answer = answer_stream;
    stream_at = 0;
    submit(&first, in, buffer, sizeof buffer);
    submit(&second, in, buffer, 512);
    run_ms(100);
    CHECK(finished == 2 && first.status == USB_OK && second.status == USB_OK);
    CHECK(first.actual == sizeof buffer && second.actual == 512);
}

static void test_stress(void)
{
    for (uint32_t seed = 1; seed <= 6; seed++) {
        begin(false);
        model.late = seed % 2 != 0;
        stress_run(seed);
    }
}

static void test_errors(void)
{
    static uint8_t buffer[65536];
    static struct usb_transfer first, second;

    begin(false);
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
    /* Ended while it is at work; the lists go on afterwards. */
    model.answer = answer_never;
    submit(&first, in, buffer, 40000);
    run_ms(3);
    reset_endpoint(in);
    CHECK(first.status == USB_CANCELLED && !ohci->lists_stand);
    model.answer = answer_stream;
    stream_at = 0;
    submit(&first, in, buffer, 40000);
    run_ms(3);
    CHECK(first.status == USB_OK && first.actual == 40000);
}

static void test_close(void)
{
    static uint8_t buffer[65536];
    static struct usb_transfer first, second;
    unsigned i;

    begin(false);
    open_device();
    model.answer = answer_never;
    submit(&first, in, buffer, 60000);
    submit(&second, &device.control, NULL, 0);
    run_ms(2);
    device.state = USB_CLOSE;
    device.operating = true;
    device.over = false;
    ohci_device_close(&device);
    model.answer = answer_stream;
    run_ms(1);
    CHECK(model.pieces == 0 && finished == 0);
    run_ms(5);
    CHECK(finished == 2 && first.status == USB_GONE && in->host == NULL);
    CHECK(list_empty(&ohci->endpoints) && *reg(OHCI_BULK_HEAD) == 0);
    /* A controller that has gone takes all along. */
    open_device();
    model.answer = answer_never;
    submit(&first, in, buffer, 4096);
    for (i = 0; i < 0x100 / 4; i++) {
        model.registers[i] = UINT32_MAX;
    }
    run_ms(200);
    CHECK(ohci->state == OHCI_DEAD && first.status == USB_GONE);
}

int main(void)
{
    timer_module_init();
    test_start();
    test_large();
    test_short();
    test_late();
    test_stress();
    test_errors();
    test_close();
    return check_report();
}
