/* ACPI tables, read only: RSDP -> RSDT or XSDT -> FADT -> DSDT. AML is not
 * run; the one package that is needed, \_S5, is looked for by its bytes and
 * taken only when it parses whole. Reads go byte by byte through mapped
 * registers, which also works for tables in plain memory. */
#include "drivers/acpi.h"
#include "drivers/io.h"
#include <stddef.h>

#define BIOS_START     0xe0000u
#define BIOS_BYTES     0x20000u
#define EBDA_POINTER   0x40eu
#define TABLE_MAX      0x200000u /* no table is longer than this */
#define HEADER_BYTES   36u
#define ENTRIES_MAX    256u
#define SLEEP_ENABLE   0x2000u
#define SPACE_MEMORY   0u
#define SPACE_IO       1u
#define SPACE_PCI      2u
#define FLAG_RESET     (1u << 10)
#define FLAG_BUTTON    (1u << 4) /* the button is not a fixed one */
#define STATUS_BUTTON  0x0100u
#define SCI_ENABLED    0x0001u
#define FADT_MIN_BYTES 116u
#define IBM_CENTURY    0x32u

static struct acpi_state {
    bool searched;
    bool found; /* the FADT is there */
    uint16_t timer_port;
    uint8_t century;
    uint16_t boot_flags;
    bool boot_flags_valid;
    uint16_t control_a, control_b; /* PM1a, PM1b control ports */
    uint32_t command_port;         /* SMI command, to switch ACPI on */
    uint8_t enable_command;
    uint16_t event_a, event_b; /* PM1a, PM1b event ports: status, enable */
    uint8_t enable_offset;     /* from status to enable */
    bool has_button;
    bool asked;     /* the firmware was told to switch ACPI on */
    bool listening; /* the button is ours */
    bool has_sleep;
    uint8_t sleep_a, sleep_b; /* SLP_TYP of S5 */
    uint8_t reset_space, reset_value;
    uint64_t reset_address; /* 0: no reset register */
    uint64_t offered;       /* the RSDP's address, 0: to be searched */
} state;

static uint16_t table16(const struct io_region *table, size_t offset)
{
    return (uint16_t)(io_read8(table, offset) | io_read8(table, offset + 1)
                                                    << 8);
}

static uint32_t table32(const struct io_region *table, size_t offset)
{
    return table16(table, offset) | (uint32_t)table16(table, offset + 2) << 16;
}

static uint64_t table64(const struct io_region *table, size_t offset)
{
    return table32(table, offset) | (uint64_t)table32(table, offset + 4) << 32;
}

static bool signature_is(const struct io_region *table, size_t offset,
                         const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (io_read8(table, offset + i) != (uint8_t)text[i])
            return false;
    }
    return true;
}

static bool sum_is_zero(const struct io_region *table, size_t offset,
                        size_t bytes)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + io_read8(table, offset + i));
    return sum == 0;
}

/* A whole table that calls itself `signature`; base 0 when it is not one. */
static struct io_region open_table(uint64_t address, const char *signature)
{
    const struct io_region none = {0, 0};
    struct io_region table;
    uint32_t bytes;

    if (address == 0)
        return none;
    table = io_map(address, HEADER_BYTES);
    if (table.base == 0 || !signature_is(&table, 0, signature, 4))
        return none;
    bytes = table32(&table, 4);
    if (bytes < HEADER_BYTES || bytes > TABLE_MAX)
        return none;
    table = io_map(address, bytes);
    if (table.base == 0 || !sum_is_zero(&table, 0, bytes))
        return none;
    return table;
}

/* The address of the RSDP within a range, or 0 (5.2.5.1). */
static uint64_t search_rsdp(uint64_t start, size_t bytes)
{
    const struct io_region area = io_map(start, bytes);

    if (area.base == 0)
        return 0;
    for (size_t at = 0; at + 20 <= bytes; at += 16) {
        if (signature_is(&area, at, "RSD PTR ", 8) &&
            sum_is_zero(&area, at, 20))
            return start + at;
    }
    return 0;
}

void acpi_offer(uint64_t rsdp)
{
    state.offered = rsdp;
}

static uint64_t find_rsdp(void)
{
    struct io_region low;
    uint64_t ebda, found = 0;

    if (state.offered != 0)
        return search_rsdp(state.offered, 20);
    low = io_map(0x400, 0x100);
    if (low.base == 0)
        return 0;
    ebda = (uint64_t)table16(&low, EBDA_POINTER - 0x400) << 4;
    if (ebda >= 0x80000 && ebda < 0xa0000)
        found = search_rsdp(ebda, 1024);
    return found != 0 ? found : search_rsdp(BIOS_START, BIOS_BYTES);
}

/* The first table of a signature that the root table lists. */
static struct io_region find_table(const struct io_region *root,
                                   size_t entry_bytes, const char *signature)
{
    struct io_region table = {0, 0};
    const size_t count = (root->bytes - HEADER_BYTES) / entry_bytes;

    for (size_t i = 0; i < count && i < ENTRIES_MAX; i++) {
        const size_t at = HEADER_BYTES + i * entry_bytes;

        table =
            open_table(entry_bytes == 8 ? table64(root, at) : table32(root, at),
                       signature);
        if (table.base != 0)
            break;
    }
    return table;
}

static struct io_region find_fadt(void)
{
    const struct io_region none = {0, 0};
    const uint64_t address = find_rsdp();
    struct io_region rsdp, root;

    if (address == 0)
        return none;
    rsdp = io_map(address, 36);
    if (rsdp.base == 0)
        return none;
    if (io_read8(&rsdp, 15) >= 2 && sum_is_zero(&rsdp, 0, 36)) {
        root = open_table(table64(&rsdp, 24), "XSDT");
        if (root.base != 0)
            return find_table(&root, 8, "FACP");
    }
    root = open_table(table32(&rsdp, 16), "RSDT");
    return root.base == 0 ? none : find_table(&root, 4, "FACP");
}

/* One integer of a package (20.2.3): its value, or -1. Moves *at behind it. */
static int package_byte(const struct io_region *table, size_t *at)
{
    uint8_t code;

    if (*at + 2 > table->bytes)
        return -1;
    code = io_read8(table, (*at)++);
    if (code == 0x00 || code == 0x01) /* ZeroOp, OneOp */
        return code;
    if (code == 0x0a) /* BytePrefix */
        return io_read8(table, (*at)++);
    return -1;
}

/* \_S5 at this place: NameOp [root] "_S5_" PackageOp length count a b */
static bool parse_sleep(const struct io_region *dsdt, size_t at)
{
    const size_t name = at;
    int a, b;

    if (!signature_is(dsdt, at, "_S5_", 4))
        return false;
    if (io_read8(dsdt, name - 1) != 0x08 &&
        !(io_read8(dsdt, name - 1) == '\\' && io_read8(dsdt, name - 2) == 0x08))
        return false;
    at += 4;
    if (io_read8(dsdt, at++) != 0x12)
        return false;
    at += (size_t)(io_read8(dsdt, at) >> 6) + 1; /* PkgLength */
    if (at + 1 >= dsdt->bytes || io_read8(dsdt, at++) < 2)
        return false;
    a = package_byte(dsdt, &at);
    b = package_byte(dsdt, &at);
    if (a < 0 || b < 0 || a > 7 || b > 7)
        return false;
    state.sleep_a = (uint8_t)a;
    state.sleep_b = (uint8_t)b;
    return true;
}

static void find_sleep(uint64_t address)
{
    const struct io_region dsdt = open_table(address, "DSDT");

    if (dsdt.base == 0)
        return;
    for (size_t at = HEADER_BYTES + 2;
         at + 16 <= dsdt.bytes && !state.has_sleep; at++)
        state.has_sleep = parse_sleep(&dsdt, at);
}

static void read_fadt(const struct io_region *fadt)
{
    uint64_t dsdt = table32(fadt, 40);
    const uint32_t timer = table32(fadt, 76);

    state.found = true;
    state.command_port = table32(fadt, 48);
    state.enable_command = io_read8(fadt, 52);
    state.control_a = (uint16_t)table32(fadt, 64);
    state.control_b = (uint16_t)table32(fadt, 68);
    state.event_a = (uint16_t)table32(fadt, 56);
    state.event_b = (uint16_t)table32(fadt, 60);
    state.enable_offset = io_read8(fadt, 88) / 2;
    state.has_button = !(table32(fadt, 112) & FLAG_BUTTON) &&
                       state.event_a != 0 && state.enable_offset >= 2 &&
                       state.control_a != 0;
    if (timer <= 0xffff && io_read8(fadt, 91) == 4)
        state.timer_port = (uint16_t)timer;
    state.century = io_read8(fadt, 108) & 0x7f;
    if (io_read8(fadt, 8) >= 3) {
        state.boot_flags = table16(fadt, 109);
        state.boot_flags_valid = true;
    }
    if (fadt->bytes >= 129 && (table32(fadt, 112) & FLAG_RESET)) {
        state.reset_space = io_read8(fadt, 116);
        state.reset_address = table64(fadt, 120);
        state.reset_value = io_read8(fadt, 128);
    }
    if (fadt->bytes >= 148 && table64(fadt, 140) != 0)
        dsdt = table64(fadt, 140);
    find_sleep(dsdt);
}

static void search(void)
{
    struct io_region fadt;

    if (state.searched)
        return;
    state.searched = true;
    fadt = find_fadt();
    if (fadt.base != 0 && fadt.bytes >= FADT_MIN_BYTES)
        read_fadt(&fadt);
}

uint16_t acpi_timer_port(void)
{
    search();
    return state.timer_port;
}

uint8_t acpi_century_register(void)
{
    search();
    return state.found ? state.century : IBM_CENTURY;
}

bool acpi_has_keyboard_controller(void)
{
    search();
    return !state.boot_flags_valid || (state.boot_flags & 2) != 0;
}

void acpi_reset(void)
{
    struct io_region region;

    search();
    if (state.reset_address == 0)
        return;
    if (state.reset_space == SPACE_IO && state.reset_address <= 0xffff) {
        io_out8((uint16_t)state.reset_address, state.reset_value);
    } else if (state.reset_space == SPACE_MEMORY) {
        region = io_map(state.reset_address, 1);
        if (region.base != 0)
            io_write8(&region, 0, state.reset_value);
    } else if (state.reset_space == SPACE_PCI) {
        /* Device and function on bus 0, and an offset below 256 (5.2.3.2). */
        const uint32_t device = (uint32_t)(state.reset_address >> 32) & 31;
        const uint32_t function = (uint32_t)(state.reset_address >> 16) & 7;
        const uint32_t offset = (uint32_t)state.reset_address & 0xff;

        io_out32(0xcf8,
                 0x80000000u | device << 11 | function << 8 | (offset & 0xfc));
        io_out8((uint16_t)(0xcfc + (offset & 3)), state.reset_value);
    }
}

/* 4.8.3.2.1: SCI_EN tells whether the tables' ports are alive. */
static bool acpi_is_on(void)
{
    return (io_in16(state.control_a) & SCI_ENABLED) != 0;
}

/* Returns whether there is anything to wait for. */
static bool ask_for_acpi(void)
{
    if (state.command_port == 0 || state.command_port > 0xffff ||
        state.enable_command == 0)
        return false;
    io_out8((uint16_t)state.command_port, state.enable_command);
    return true;
}

static void switch_acpi_on(void)
{
    if (acpi_is_on() || !ask_for_acpi())
        return;
    for (unsigned i = 0; i < 300 && !acpi_is_on(); i++)
        io_delay_us(10000);
}

/* Of all fixed events only the button is let through (4.8.3.1). The line that
 * it raises is not listened to. */
static void listen(uint16_t event)
{
    if (event == 0)
        return;
    io_out16(event, STATUS_BUTTON);
    io_out16((uint16_t)(event + state.enable_offset), STATUS_BUTTON);
}

/* All ones is what a port reads at which nothing answers. */
static bool take_press(uint16_t event)
{
    const uint16_t status = event != 0 ? io_in16(event) : 0;

    if (status == 0xffff || !(status & STATUS_BUTTON))
        return false;
    io_out16(event, STATUS_BUTTON);
    return true;
}

bool acpi_power_button(void)
{
    bool pressed;

    search();
    if (!state.has_button)
        return false;
    if (state.listening) {
        pressed = take_press(state.event_a);
        return take_press(state.event_b) || pressed;
    }
    if (acpi_is_on() || (!state.asked && !ask_for_acpi())) {
        listen(state.event_a);
        listen(state.event_b);
        state.listening = true;
    }
    state.asked = true;
    return false;
}

void acpi_power_off(void)
{
    search();
    if (!state.found || !state.has_sleep || state.control_a == 0)
        return;
    switch_acpi_on();
    io_out16(state.control_a,
             (uint16_t)((io_in16(state.control_a) & 0xc3ff) |
                        (unsigned)state.sleep_a << 10 | SLEEP_ENABLE));
    if (state.control_b != 0)
        io_out16(state.control_b,
                 (uint16_t)((io_in16(state.control_b) & 0xc3ff) |
                            (unsigned)state.sleep_b << 10 | SLEEP_ENABLE));
    io_delay_us(1000000);
}
