/* The parts of the real PC that can be run on a workstation: memory ranges,
 * battery clock, keyboard, PCI, disk places; against models of their ports. */
#include "core/machine.h"
#include "core/timer.h"
#include "drivers/acpi.h"
#include "drivers/clock.h"
#include "drivers/console/console.h"
#include "drivers/disk.h"
#include "drivers/interrupt.h"
#include "drivers/machine_parts.h"
#include "drivers/memory_map.h"
#include "drivers/pci.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS 6u

/* A PCI function of the model: 256 bytes and what sizing its BARs answers. */
struct function {
    uint8_t bus, device, number;
    uint8_t bytes[256];
    uint32_t bar_masks[6];
};

static struct model_state {
    uint8_t cmos[128];
    uint8_t cmos_index;
    uint8_t century_register;
    unsigned updating; /* status reads that still say so */
    uint8_t scan_codes[64];
    unsigned scan_head, scan_tail;
    uint8_t controller_command, configuration;
    uint16_t keys[64];
    unsigned key_count;
    uint64_t now_us;
    struct function functions[FUNCTIONS];
    unsigned function_count;
    uint32_t pci_address;
    unsigned lines;
} model;

/* ---- Ports --------------------------------------------------------------- */

static struct function *selected(void)
{
    for (unsigned i = 0; i < model.function_count; i++) {
        struct function *f = &model.functions[i];

        if ((model.pci_address >> 16 & 0xff) == f->bus &&
            (model.pci_address >> 11 & 31) == f->device &&
            (model.pci_address >> 8 & 7) == f->number)
            return f;
    }
    return NULL;
}

static uint32_t config_read(uint16_t port, unsigned bytes)
{
    const struct function *f = selected();
    uint32_t value = UINT32_MAX;

    if (f != NULL)
        memcpy(&value, &f->bytes[(model.pci_address & 0xfc) + (port & 3)],
               bytes);
    return value;
}

static void config_write(uint16_t port, uint32_t value, unsigned bytes)
{
    const unsigned offset = (model.pci_address & 0xfc) + (port & 3);
    struct function *f = selected();

    if (f == NULL)
        return;
    if (offset >= PCI_BAR0 && offset < PCI_BAR0 + 24 && value == UINT32_MAX)
        value = f->bar_masks[(offset - PCI_BAR0) / 4];
    memcpy(&f->bytes[offset], &value, bytes);
}

uint8_t io_in8(uint16_t port)
{
    if (port >= 0xcfc)
        return (uint8_t)config_read(port, 1);
    if (port == 0x71 && model.cmos_index == 0x0a && model.updating > 0) {
        model.updating--;
        return 0x80;
    }
    if (port == 0x71)
        return model.cmos[model.cmos_index];
    if (port == 0x64)
        return model.scan_head != model.scan_tail;
    if (port == 0x60 && model.scan_head != model.scan_tail)
        return model.scan_codes[model.scan_head++ % 64];
    return 0xff;
}

void io_out8(uint16_t port, uint8_t value)
{
    if (port >= 0xcfc)
        config_write(port, value, 1);
    else if (port == 0x70)
        model.cmos_index = value & 0x7f;
    else if (port == 0x71)
        model.cmos[model.cmos_index] = value;
    else if (port == 0x64 && value == 0x20)
        model.scan_codes[model.scan_tail++ % 64] = model.configuration;
    else if (port == 0x64)
        model.controller_command = value;
    else if (port == 0x60 && model.controller_command == 0x60)
        model.configuration = value;
    if (port == 0x60)
        model.controller_command = 0;
}

uint16_t io_in16(uint16_t port)
{
    return (uint16_t)config_read(port, 2);
}

uint32_t io_in32(uint16_t port)
{
    return config_read(port, 4);
}

void io_out16(uint16_t port, uint16_t value)
{
    config_write(port, value, 2);
}

void io_out32(uint16_t port, uint32_t value)
{
    if (port == 0xcf8)
        model.pci_address = value;
    else
        config_write(port, value, 4);
}

/* ---- The rest of the PC -------------------------------------------------- */

uint64_t io_now_us(void)
{
    return model.now_us += 10;
}

uint64_t machine_monotonic_ns(void)
{
    return model.now_us * 1000;
}

uint8_t acpi_century_register(void)
{
    return model.century_register;
}

bool acpi_has_keyboard_controller(void)
{
    return true;
}

void interrupt_enable(unsigned line)
{
    model.lines |= 1u << line;
}

void interrupt_enable_pci(unsigned line)
{
    model.lines |= 1u << line;
}

uint32_t interrupt_count(unsigned line)
{
    return line;
}

void keys_put(int key)
{
    if (key != KEY_NONE)
        model.keys[model.key_count++ % 64] = (uint16_t)key;
}

void machine_emergency_write(const char *text)
{
    fputs(text, stderr);
}

_Noreturn void machine_fail(const char *what)
{
    fputs(what, stderr);
    abort();
}

_Noreturn void machine_restart(void)
{
    abort();
}

/* ---- Memory ranges ------------------------------------------------------- */

static void test_memory_map(void)
{
    struct memory_map map = {.count = 0};

    memory_map_add(&map, 0, 0xa0000);             /* below 1 MiB: not kept */
    memory_map_add(&map, 0x2000000, 0x1000000);   /* out of order */
    memory_map_add(&map, 0x100800, 0x1eff800);    /* not on a page */
    memory_map_add(&map, 0x100000000, 0x1000000); /* above 4 GiB */
    CHECK(map.count == 1);
    CHECK(map.range[0].start == 0x101000 && map.range[0].end == 0x3000000);
    memory_map_remove(&map, 0x200800, 0x100);
    CHECK(map.count == 2 && map.range[0].end == 0x200000);
    CHECK(map.range[1].start == 0x201000);
    memory_map_remove(&map, 0, 0x150000);
    CHECK(map.range[0].start == 0x150000);
    memory_map_remove(&map, 0x2f00000, UINT64_MAX);
    CHECK(map.range[1].end == 0x2f00000);
    CHECK(memory_map_left(&map) == 0xb0000 + 0x2cff000);
    CHECK(memory_map_take(&map, 0x100000, 0x100000) == 0x300000);
    CHECK(memory_map_take(&map, 100, 64) == 0x150000);
    CHECK(memory_map_take(&map, 1, 64) == 0x150080);
    CHECK(memory_map_take_page(&map) == 0x2eff000);
    CHECK(memory_map_take(&map, 0x8000000, 16) == 0);
    CHECK(memory_map_take(&map, SIZE_MAX, 16) == 0);
    CHECK(memory_map_take(&map, 0, 16) == 0);
    /* Small things come out of small pieces. */
    memory_map_add(&map, 0x4000000, 0x3000);
    CHECK(memory_map_take(&map, 0x1000, 0x1000) == 0x4000000);
    CHECK(memory_map_take(&map, 0x2000, 0x2000) == 0x150000 + 0x2000);
    CHECK(memory_map_take(&map, 0x2000, 0x1000) == 0x4001000);
    memory_map_remove(&map, 0, UINT64_MAX);
    CHECK(map.count == 0 && memory_map_left(&map) == 0);
    CHECK(memory_map_take_page(&map) == 0);
}

/* The same numbers in every run. */
static unsigned next_number(unsigned below)
{
    static uint32_t number = 1;

    number = number * 1664525 + 1013904223;
    return (number >> 8) % below;
}

/* Ranges by chance against a bitmap of pages. */
static void test_memory_map_random(void)
{
    static uint8_t pages[4096];
    struct memory_map map = {.count = 0};

    memset(pages, 0, sizeof(pages));
    for (unsigned round = 0; round < 4000; round++) {
        const unsigned first = next_number(4000);
        const unsigned count = next_number(90) + 1;
        const bool add = round % 2 == 0;
        unsigned total = 0, bad = 0;

        if (add)
            memory_map_add(&map, 0x100000 + first * 4096ull, count * 4096ull);
        else
            memory_map_remove(&map, 0x100000 + first * 4096ull,
                              count * 4096ull);
        memset(pages + first, add, count);
        for (unsigned i = 0; i < sizeof(pages); i++)
            total += pages[i];
        for (unsigned i = 0; i < map.count; i++) {
            bad += map.range[i].start >= map.range[i].end;
            bad += i > 0 && map.range[i].start <= map.range[i - 1].end;
        }
        if (map.count < MEMORY_RANGES / 2)
            bad += memory_map_left(&map) != total * 4096ull;
        if (bad != 0 || map.count >= MEMORY_RANGES / 2) {
            CHECK(bad == 0);
            memory_map_remove(&map, 0, UINT64_MAX);
            memset(pages, 0, sizeof(pages));
        }
    }
    CHECK(map.count < MEMORY_RANGES);
}

/* ---- Battery clock ------------------------------------------------------- */

static void set_cmos(const uint8_t raw[7], uint8_t mode)
{
    static const uint8_t index[7] = {0, 2, 4, 7, 8, 9, 0x32};

    for (unsigned i = 0; i < 7; i++)
        model.cmos[index[i]] = raw[i];
    model.cmos[0x0a] = 0x26;
    model.cmos[0x0b] = mode;
}

static void test_rtc(void)
{
    const int64_t moment = 1709251199000; /* 2024-02-29 23:59:59 */
    const uint8_t bcd_24[7] = {0x59, 0x59, 0x23, 0x29, 0x02, 0x24, 0x20};
    const uint8_t bcd_12[7] = {0x59, 0x59, 0x91, 0x29, 0x02, 0x24, 0x20};
    const uint8_t binary_12[7] = {59, 59, 0x8b, 29, 2, 24, 20};
    const uint8_t midnight_12[7] = {0, 0, 0x12, 0x01, 0x03, 0x24, 0x20};
    const uint8_t no_century[7] = {0x59, 0x59, 0x23, 0x29, 0x02, 0x24, 0xff};
    const uint8_t bad[7] = {0x59, 0x59, 0x23, 0x29, 0x13, 0x24, 0x20};

    memset(&model, 0, sizeof(model));
    model.century_register = 0x32;
    set_cmos(bcd_24, 0x02);
    model.updating = 7;
    CHECK(rtc_read_ms() == moment);
    set_cmos(bcd_12, 0x00);
    CHECK(rtc_read_ms() == moment);
    set_cmos(binary_12, 0x04);
    CHECK(rtc_read_ms() == moment);
    set_cmos(midnight_12, 0x00);
    CHECK(rtc_read_ms() == moment + 1000);
    set_cmos(no_century, 0x02);
    CHECK(rtc_read_ms() == moment);
    set_cmos(bad, 0x02);
    CHECK(rtc_read_ms() == INT64_MIN);
    memset(model.cmos, 0xff, sizeof(model.cmos));
    CHECK(rtc_read_ms() == INT64_MIN); /* no clock at all; must end */
}

static void test_rtc_write(void)
{
    static const uint8_t modes[4] = {0x00, 0x02, 0x04, 0x06};

    for (unsigned i = 0; i < 4; i++) {
        for (int64_t day = 0; day < 80000; day += 37) {
            const int64_t moment = (day * 86400 + (day * 7919) % 86400) * 1000;

            model.cmos[0x0a] = 0x26;
            model.cmos[0x0b] = modes[i];
            rtc_write_ms(moment);
            if (rtc_read_ms() != moment) {
                CHECK(rtc_read_ms() == moment);
                return;
            }
        }
        CHECK(model.cmos[0x0b] == modes[i]);
    }
    model.century_register = 0x37;
    rtc_write_ms(1709251199000);
    CHECK(model.cmos[0x37] == 20 && rtc_read_ms() == 1709251199000);
    rtc_write_ms(-1);
    CHECK(rtc_read_ms() == 1709251199000);
    /* Without such a register nothing else is written, nor believed. */
    model.century_register = 0;
    memset(model.cmos + 14, 0x19, sizeof(model.cmos) - 14);
    rtc_write_ms(1709251199000);
    for (unsigned i = 14; i < sizeof(model.cmos); i++)
        CHECK(model.cmos[i] == 0x19);
    CHECK(rtc_read_ms() == 1709251199000);
}

/* ---- Keyboard ------------------------------------------------------------ */

static void type(const uint8_t *codes, unsigned count)
{
    model.key_count = 0;
    for (unsigned i = 0; i < count; i++)
        model.scan_codes[model.scan_tail++ % 64] = codes[i];
    (void)ps2_poll();
}

static void test_keyboard(void)
{
    static const uint8_t shift_a[] = {0x2a, 0x1e, 0x9e, 0xaa, 0x1e, 0x9e};
    static const uint8_t caps[] = {0x3a, 0xba, 0x1e, 0x2a, 0x1e,
                                   0xaa, 0x02, 0x3a, 0xba};
    static const uint8_t control[] = {0xe0, 0x1d, 0x2e, 0xe0, 0x9d, 0x2e};
    static const uint8_t arrows[] = {0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0x2a, 0xe0,
                                     0x53, 0xe0, 0xd3, 0xe0, 0xaa, 0x1e, 0x48};
    static const uint8_t pause[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d,
                                    0xc5, 0x58, 0x1c, 0xfa, 0x01};

    memset(&model, 0, sizeof(model));
    model.configuration = 0x30;
    CHECK(!ps2_poll());
    ps2_init();
    CHECK(model.configuration == 0x61);
    CHECK(model.lines == 1u << 1);
    type(shift_a, sizeof(shift_a));
    CHECK(model.key_count == 2 && model.keys[0] == 'A' && model.keys[1] == 'a');
    type(caps, sizeof(caps));
    CHECK(model.key_count == 3 && model.keys[0] == 'A' &&
          model.keys[1] == 'a' && model.keys[2] == '1');
    type(control, sizeof(control));
    CHECK(model.key_count == 2 && model.keys[0] == 3 && model.keys[1] == 'c');
    type(arrows, sizeof(arrows));
    CHECK(model.key_count == 4 && model.keys[0] == KEY_UP &&
          model.keys[1] == KEY_DELETE && model.keys[2] == 'a' &&
          model.keys[3] == KEY_UP);
    type(pause, sizeof(pause));
    CHECK(model.key_count == 3 && model.keys[0] == KEY_F12 &&
          model.keys[1] == '\r' && model.keys[2] == 27);
}

/* ---- PCI ----------------------------------------------------------------- */

static unsigned probed, polled;

static enum err probe(struct pci_device *device, const struct pci_id *id)
{
    CHECK(id->quirks == 7);
    device->driver_data = &probed;
    probed++;
    return device->device == 9 ? ERR_UNSUPPORTED : OK;
}

static bool poll(struct pci_device *device)
{
    CHECK(device->driver_data == &probed);
    polled++;
    return true;
}

static const struct pci_id rows[] = {
    {0x1234, 0x0001, 0, 0, "one", 7},
    {PCI_ANY, PCI_ANY, 0x0c0330, 0xffffff, "any xHCI", 7},
};

static const struct pci_driver test_driver = {"test", rows, 2, probe, poll};

PCI_DRIVER(test_driver);

static struct function *add(uint8_t bus, uint8_t device, uint8_t number,
                            uint32_t id, uint32_t class_code)
{
    struct function *f = &model.functions[model.function_count++];
    const uint32_t class_revision = class_code << 8 | 5;

    f->bus = bus;
    f->device = device;
    f->number = number;
    memcpy(f->bytes, &id, 4);
    memcpy(f->bytes + PCI_CLASS_REVISION, &class_revision, 4);
    f->bytes[PCI_COMMAND] = 7;
    f->bytes[PCI_INTERRUPT_LINE] = 11;
    return f;
}

static void put32(struct function *f, unsigned offset, uint32_t value)
{
    memcpy(f->bytes + offset, &value, 4);
}

static void test_pci(void)
{
    struct function *bridge, *card, *usb, *refused;
    const struct pci_device *device;
    uint64_t base, bytes;
    bool is_io;

    memset(&model, 0, sizeof(model));
    bridge = add(0, 1, 0, 0x00021234, 0x060400);
    bridge->bytes[PCI_HEADER_TYPE] = 0x81;
    bridge->bytes[0x19] = 3; /* secondary bus */
    (void)add(0, 1, 1, 0x00031234, 0x060400);
    model.functions[1].bytes[PCI_HEADER_TYPE] = 0x01;
    model.functions[1].bytes[0x19] = 0; /* not set up: leads back */
    card = add(3, 31, 0, 0x00011234, 0x020000);
    put32(card, PCI_BAR0, 0xfebc0004);
    put32(card, PCI_BAR0 + 4, 0x00000008);
    card->bar_masks[0] = 0xfffe0004;
    card->bar_masks[1] = 0xffffffff;
    put32(card, PCI_BAR0 + 8, 0x0000c001);
    card->bar_masks[2] = 0xffffffc1;
    card->bytes[PCI_STATUS] = 0x10;
    card->bytes[PCI_CAPABILITIES] = 0x40;
    card->bytes[0x40] = 1;
    card->bytes[0x41] = 0x50;
    card->bytes[0x50] = 5;
    card->bytes[0x51] = 0x40; /* a ring */
    usb = add(0, 2, 0, 0x99991234, 0x0c0330);
    refused = add(0, 9, 0, 0x00011234, 0x020000);

    pci_module_init();
    CHECK(probed == 3);
    CHECK(pci_device_at(4) != NULL && pci_device_at(5) == NULL);
    CHECK(pci_poll() && polled == 2);
    CHECK(card->bytes[PCI_COMMAND] == 3 && usb->bytes[PCI_COMMAND] == 3);
    CHECK(refused->bytes[PCI_COMMAND] == 3);
    CHECK(bridge->bytes[PCI_COMMAND] == 7);

    device = pci_device_at(4);
    if (device == NULL)
        return;
    CHECK(device->bus == 3 && device->revision == 5);
    CHECK(device->driver == &test_driver);
    CHECK(pci_bar(device, 0, &base, &bytes, &is_io) == OK);
    CHECK(base == 0x8febc0000 && bytes == 0x20000 && !is_io);
    CHECK(pci_bar(device, 2, &base, &bytes, &is_io) == OK);
    CHECK(base == 0xc000 && bytes == 0x40 && is_io);
    CHECK(pci_bar(device, 4, &base, &bytes, &is_io) == ERR_NOT_FOUND);
    CHECK(pci_bar(device, 6, &base, &bytes, &is_io) == ERR_NOT_FOUND);
    CHECK(pci_read32(device, PCI_BAR0) == 0xfebc0004);
    CHECK(pci_find_capability(device, 5) == 0x50);
    CHECK(pci_find_capability(device, 9) == 0);
    pci_enable(device);
    CHECK(card->bytes[PCI_COMMAND] == 7);
    pci_route_interrupt(device);
    CHECK(model.lines == 1u << 11);
    CHECK(pci_interrupt_count(device) == 11);
}

/* ---- Disk places --------------------------------------------------------- */

static struct machine_disk_request *submitted;
static unsigned done_count;
static enum err done_result;

static void submit(void *disk, struct machine_disk_request *request)
{
    CHECK(disk == &submitted);
    submitted = request;
}

static void done(struct machine_disk_request *request)
{
    done_count++;
    done_result = request->result;
}

static enum err refused_with(struct machine_disk_request *request)
{
    const unsigned before = done_count;

    machine_disk_submit(request);
    CHECK(done_count == before); /* never inside submit */
    CHECK(disk_poll());
    CHECK(done_count == before + 1);
    return done_result;
}

static void test_disks(void)
{
    static const struct disk_operations operations = {submit};
    struct machine_disk_info info = {.sectors = 1000, .read_only = true};
    struct machine_disk_request request = {
        .operation = MACHINE_DISK_READ, .sectors = 8, .done = done};

    CHECK(refused_with(&request) == ERR_GONE);
    request.disk = MACHINE_DISKS;
    CHECK(refused_with(&request) == ERR_INVALID);
    request.disk = 0;
    CHECK(disk_attach(&operations, &submitted, &info) == 0);
    machine_disk_info(0, &info);
    CHECK(info.present && info.generation == 1 && info.errors == 0);

    request.sector = 993;
    CHECK(refused_with(&request) == ERR_INVALID);
    request.sector = UINT64_MAX;
    CHECK(refused_with(&request) == ERR_INVALID);
    request.sector = 0;
    request.sectors = 0;
    CHECK(refused_with(&request) == ERR_INVALID);
    request.sectors = MACHINE_DISK_SECTORS_MAX + 1;
    CHECK(refused_with(&request) == ERR_INVALID);
    request.sectors = 8;
    request.operation = MACHINE_DISK_WRITE;
    CHECK(refused_with(&request) == ERR_REFUSED);

    request.operation = MACHINE_DISK_READ;
    request.sector = 992;
    machine_disk_submit(&request);
    CHECK(submitted == &request && !disk_poll());
    disk_done(&request, OK);
    CHECK(done_result == OK);
    machine_disk_info(0, &info);
    CHECK(info.reads == 1 && info.bytes_read == 4096 && info.errors == 5);
    disk_detach(0);
    CHECK(refused_with(&request) == ERR_GONE);
    CHECK(disk_attach(&operations, &submitted, &info) == 0);
    machine_disk_info(0, &info);
    CHECK(info.generation == 2 && info.reads == 0);
    for (int i = 1; i < MACHINE_DISKS; i++)
        CHECK(disk_attach(&operations, &submitted, &info) == i);
    CHECK(disk_attach(&operations, &submitted, &info) == ERR_FULL);
    machine_disk_info(MACHINE_DISKS, &info);
    CHECK(!info.present);
}

int main(void)
{
    test_memory_map();
    test_memory_map_random();
    test_rtc();
    test_rtc_write();
    test_keyboard();
    test_pci();
    test_disks();
    return check_report();
}
