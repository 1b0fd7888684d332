/* The ACPI tables of a PC, and the ports that they name. */
#include "drivers/acpi.h"
#include "core/bytes.h"
#include "drivers/io.h"
#include "tests/unit/check.h"
#include <string.h>

#define MEMORY    0x1000000u /* where the tables lie */
#define RSDT_AT   0x40u
#define FADT_AT   0x80u
#define EVENT_A   0x600u
#define EVENT_B   0x610u
#define CONTROL_A 0x604u
#define BUTTON    0x0100u
#define ABSENT    0xffffu

static struct {
    uint8_t memory[1024];
    uint16_t event_a, event_b, enabled_a;
} pc;

struct io_region io_map(uint64_t physical, size_t bytes)
{
    struct io_region region = {(uintptr_t)(physical - MEMORY) + 1, bytes};

    if (physical < MEMORY || physical + bytes > MEMORY + sizeof(pc.memory))
        region.base = 0;
    return region;
}

uint8_t io_read8(const struct io_region *region, size_t offset)
{
    return pc.memory[region->base - 1 + offset];
}

uint16_t io_in16(uint16_t port)
{
    return port == EVENT_A     ? pc.event_a
           : port == EVENT_B   ? pc.event_b
           : port == CONTROL_A ? 1
                               : ABSENT;
}

void io_out16(uint16_t port, uint16_t value)
{
    if (port == EVENT_A && pc.event_a != ABSENT)
        pc.event_a &= (uint16_t)~value;
    if (port == EVENT_A + 2)
        pc.enabled_a = value;
}

/* Not come to here. */
void io_out8(uint16_t port, uint8_t value)
{
    (void)port;
    (void)value;
}

void io_out32(uint16_t port, uint32_t value)
{
    (void)port;
    (void)value;
}

void io_write8(const struct io_region *region, size_t offset, uint8_t value)
{
    (void)region;
    (void)offset;
    (void)value;
}

void io_delay_us(unsigned us)
{
    (void)us;
}

static void finish_table(size_t at, const char *signature, size_t bytes,
                         size_t sum_at)
{
    uint8_t sum = 0;

    memcpy(pc.memory + at, signature, strlen(signature));
    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + pc.memory[at + i]);
    pc.memory[at + sum_at] = (uint8_t)-sum;
}

static void lay_tables(void)
{
    uint8_t *fadt = pc.memory + FADT_AT;

    put_le32(fadt + 4, 116);
    put_le32(fadt + 56, EVENT_A);
    put_le32(fadt + 60, EVENT_B);
    put_le32(fadt + 64, CONTROL_A);
    fadt[88] = 4;
    finish_table(FADT_AT, "FACP", 116, 9);
    put_le32(pc.memory + RSDT_AT + 4, 40);
    put_le32(pc.memory + RSDT_AT + 36, MEMORY + FADT_AT);
    finish_table(RSDT_AT, "RSDT", 40, 9);
    put_le32(pc.memory + 16, MEMORY + RSDT_AT);
    finish_table(0, "RSD PTR ", 20, 8);
    acpi_offer(MEMORY);
}

static void test_power_button(void)
{
    pc.event_b = ABSENT;
    lay_tables();
    CHECK(!acpi_power_button());
    CHECK(pc.enabled_a == BUTTON);
    CHECK(!acpi_power_button());
    pc.event_a = BUTTON | 1;
    CHECK(acpi_power_button());
    CHECK(pc.event_a == 1);
    CHECK(!acpi_power_button());
    /* Nothing answers at a port: that is no button. */
    pc.event_a = ABSENT;
    CHECK(!acpi_power_button());
}

int main(void)
{
    test_power_button();
    return check_report();
}
