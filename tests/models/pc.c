/* The PC around the models: see pc.h. */
#include "tests/models/pc.h"
#include "core/iobuf.h"
#include "core/machine.h"
#include "core/timer.h"
#include "drivers/interrupt.h"
#include "drivers/io.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS          4u
#define CONFIG_BYTES   256u
#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu
#define MASTER_ON      4u
#define ARENA_BYTES    (8u << 20)
/* Where devices see the memory: not where the program does. */
#define ARENA_PHYSICAL 0x10000000u
#define ACCESS_NS      300u /* what an access to a register takes */
#define STEP_NS        1000000u
#define FIRST_LINE     9u
#define READ_BYTES     0x6000u /* of a BAR, whose reads are remembered */

struct slot {
    const struct chip *chip;
    uint8_t address[6];
    uint8_t config[CONFIG_BYTES];
    uint32_t base[CHIP_BARS];
    uint8_t was_read[CHIP_BARS][READ_BYTES];
};

struct pc_faults pc_faults;

static struct {
    struct slot slots[SLOTS];
    unsigned count;
    struct slot *working; /* the one whose chip does DMA */
    uint32_t config_address;
    uint32_t next_io, next_memory;
    uint64_t now_ns, turn_ns, random;
    uint32_t interrupts[INTERRUPT_LINES];
    uint16_t lines_enabled;
    size_t taken;
    unsigned failures;
    bool spoilt;
} pc;

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));

/* ---- Chance, time, rules ------------------------------------------------- */

static uint64_t random64(void)
{
    uint64_t z = pc.random += 0x9e3779b97f4a7c15ull; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

uint32_t chip_random(uint32_t limit)
{
    return limit == 0 ? 0 : (uint32_t)(random64() % limit);
}

static bool hits(unsigned of_1000)
{
    return of_1000 != 0 && chip_random(1000) < of_1000;
}

bool chip_rule(bool kept, const char *rule)
{
    if (kept)
        return true;
    pc.failures++;
    printf("rule broken: %s\n", rule);
    return false;
}

unsigned pc_failures(void)
{
    return pc.failures;
}

uint64_t machine_monotonic_ns(void)
{
    pc.now_ns += 20;
    return pc.now_ns;
}

uint64_t pc_now_us(void)
{
    return pc.now_ns / 1000;
}

uint64_t chip_now_us(void)
{
    return pc.now_ns / 1000;
}

void pc_turn_begins(void)
{
    pc.turn_ns = pc.now_ns;
}

uint64_t pc_turn_ends(void)
{
    return (pc.now_ns - pc.turn_ns) / 1000;
}

/* ---- Faults of chips ----------------------------------------------------- */

uint32_t chip_length(uint32_t length, uint32_t largest)
{
    static const uint32_t odd[] = {0, 1, 4, 13, 17, 18, 1519, 2047, 2048, 2049};

    if (!hits(pc_faults.bad_length))
        return length;
    if (chip_random(2))
        return chip_random(largest + 1);
    length = odd[chip_random(sizeof(odd) / sizeof(odd[0]))];
    return length < largest ? length : largest;
}

uint32_t chip_status(uint32_t status, uint32_t mask)
{
    return hits(pc_faults.bad_status) ? status ^ ((uint32_t)random64() & mask)
                                      : status;
}

void chip_descriptor(void *descriptor, size_t bytes)
{
    if (!hits(pc_faults.garbage))
        return;
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)descriptor)[i] = (uint8_t)random64();
}

bool chip_was_spoilt(void)
{
    return pc.spoilt;
}

bool chip_resets_endlessly(void)
{
    return pc_faults.endless_reset;
}

bool chip_holds_frames(void)
{
    return pc_faults.hold;
}

/* ---- Memory -------------------------------------------------------------- */

void *machine_memory_take(size_t bytes, size_t alignment)
{
    const size_t start = (pc.taken + alignment - 1) & ~(alignment - 1);

    if (start > ARENA_BYTES || bytes > ARENA_BYTES - start)
        return NULL;
    pc.taken = start + bytes;
    return arena + start;
}

size_t machine_memory_left(void)
{
    return ARENA_BYTES - pc.taken;
}

uint64_t io_dma_address(const void *memory)
{
    const uint8_t *byte = memory;

    if (!chip_rule(byte >= arena && byte < arena + ARENA_BYTES,
                   "DMA addresses are of DMA memory"))
        return 0;
    return ARENA_PHYSICAL + (uint64_t)(byte - arena);
}

static uint8_t *dma(uint64_t address, size_t count)
{
    const struct slot *slot = pc.working;

    if (pc_faults.gone)
        return NULL;
    if (slot != NULL)
        (void)chip_rule(slot->config[4] & MASTER_ON,
                        "DMA begins after bus mastering is on");
    if (address < ARENA_PHYSICAL ||
        address - ARENA_PHYSICAL > ARENA_BYTES - count) {
        /* A descriptor that the chip itself has spoilt. */
        (void)chip_rule(pc_faults.garbage != 0, "DMA stays within the memory");
        return NULL;
    }
    return arena + (address - ARENA_PHYSICAL);
}

bool chip_fetch(uint64_t address, void *bytes, size_t count)
{
    const uint8_t *memory = dma(address, count);

    if (memory == NULL)
        return false;
    memcpy(bytes, memory, count);
    return true;
}

bool chip_store(uint64_t address, const void *bytes, size_t count)
{
    uint8_t *memory = dma(address, count);

    if (memory == NULL)
        return false;
    memcpy(memory, bytes, count);
    return true;
}

/* ---- PCI configuration space --------------------------------------------- */

static uint8_t *config_byte(uint16_t port)
{
    const uint32_t address = pc.config_address;
    const unsigned number = address >> 11 & 31;

    if (!(address & 0x80000000u) || (address >> 16 & 0xff) != 0 ||
        (address >> 8 & 7) != 0 || number == 0 || number > pc.count)
        return NULL;
    return &pc.slots[number - 1].config[(address & 0xfc) | (port & 3)];
}

/* The bits of a BAR that can be written. */
static uint32_t bar_mask(const struct slot *slot, unsigned bar)
{
    const uint32_t bytes = slot->chip->bars[bar].bytes;

    return bytes == 0 ? 0 : ~(bytes - 1);
}

static void config_write(uint16_t port, unsigned bytes, uint32_t value)
{
    uint8_t *config = config_byte(port);
    const unsigned offset = (pc.config_address & 0xfc) | (port & 3);
    const struct slot *slot;

    if (config == NULL)
        return;
    slot = &pc.slots[(pc.config_address >> 11 & 31) - 1];
    if (offset >= 0x10 && offset < 0x28) {
        const unsigned bar = (offset - 0x10) / 4;

        value &= bar_mask(slot, bar);
        value |= slot->chip->bars[bar].is_io && value ? 1 : 0;
        memcpy(config, &value, 4);
    } else if (offset == 4) {
        memcpy(config, &value, bytes > 2 ? 2 : bytes);
    } else if (offset >= 0x3c) {
        memcpy(config, &value, bytes);
    }
}

static uint32_t config_read(uint16_t port, unsigned bytes)
{
    const uint8_t *config = config_byte(port);
    uint32_t value = UINT32_MAX;

    if (config != NULL)
        memcpy(&value, config, bytes);
    return value;
}

/* ---- Registers ----------------------------------------------------------- */

static struct slot *find(uint64_t address, unsigned bytes, bool is_io,
                         unsigned *bar, uint32_t *offset)
{
    for (unsigned i = 0; i < pc.count; i++) {
        struct slot *slot = &pc.slots[i];

        for (*bar = 0; *bar < CHIP_BARS; (*bar)++) {
            const uint32_t size = slot->chip->bars[*bar].bytes;

            if (size == 0 || slot->chip->bars[*bar].is_io != is_io ||
                address < slot->base[*bar] ||
                address + bytes > slot->base[*bar] + size)
                continue;
            *offset = (uint32_t)(address - slot->base[*bar]);
            return slot;
        }
    }
    (void)chip_rule(false, "registers are accessed within their BAR");
    return NULL;
}

static uint32_t stuck_bit(const struct slot *slot, unsigned bar,
                          uint32_t offset, unsigned bytes, uint32_t value)
{
    const uint32_t at = pc_faults.stuck.offset;
    uint32_t bit;

    if (!pc_faults.stuck.active || slot != &pc.slots[pc_faults.stuck.slot] ||
        bar != pc_faults.stuck.bar || at < offset || at >= offset + bytes)
        return value;
    pc.spoilt = true;
    bit = 1u << (8 * (at - offset) + pc_faults.stuck.bit);
    return pc_faults.stuck.value ? value | bit : value & ~bit;
}

/* Now and then the chip gets further while the driver is about to do
 * something. */
static void access_takes_time(struct slot *slot)
{
    pc.now_ns += ACCESS_NS;
    pc.spoilt |= pc_faults.gone;
    if (slot == NULL || pc_faults.gone || chip_random(8) != 0)
        return;
    pc.working = slot;
    slot->chip->work();
    pc.working = NULL;
}

static uint32_t register_read(uint64_t address, unsigned bytes, bool is_io)
{
    unsigned bar;
    uint32_t offset, value;
    struct slot *slot = find(address, bytes, is_io, &bar, &offset);

    access_takes_time(slot);
    if (slot == NULL || pc_faults.gone)
        return UINT32_MAX;
    for (unsigned i = 0; i < bytes && offset + i < READ_BYTES; i++)
        slot->was_read[bar][offset + i] = 1;
    pc.working = slot;
    value = slot->chip->read(bar, offset, bytes);
    pc.working = NULL;
    return stuck_bit(slot, bar, offset, bytes, value);
}

static void register_write(uint64_t address, unsigned bytes, bool is_io,
                           uint32_t value)
{
    unsigned bar;
    uint32_t offset;
    struct slot *slot = find(address, bytes, is_io, &bar, &offset);

    access_takes_time(slot);
    if (slot == NULL || pc_faults.gone)
        return;
    pc.working = slot;
    slot->chip->write(bar, offset, bytes, value);
    pc.working = NULL;
}

void pc_stick_a_bit(void)
{
    for (unsigned tries = 0; tries < 1000000; tries++) {
        const unsigned slot = chip_random(pc.count);
        const unsigned bar = chip_random(CHIP_BARS);
        const uint32_t offset = chip_random(READ_BYTES);

        if (!pc.slots[slot].was_read[bar][offset])
            continue;
        pc_faults.stuck.active = true;
        pc_faults.stuck.value = chip_random(2);
        pc_faults.stuck.slot = slot;
        pc_faults.stuck.bar = bar;
        pc_faults.stuck.offset = offset;
        pc_faults.stuck.bit = (uint8_t)chip_random(8);
        return;
    }
}

static uint32_t port_read(uint16_t port, unsigned bytes)
{
    if (port == CONFIG_ADDRESS)
        return pc.config_address;
    if (port >= CONFIG_DATA && port < CONFIG_DATA + 4)
        return config_read(port, bytes);
    return register_read(port, bytes, true);
}

static void port_write(uint16_t port, unsigned bytes, uint32_t value)
{
    if (port == CONFIG_ADDRESS)
        pc.config_address = value;
    else if (port >= CONFIG_DATA && port < CONFIG_DATA + 4)
        config_write(port, bytes, value);
    else
        register_write(port, bytes, true, value);
}

uint8_t io_in8(uint16_t port)
{
    return (uint8_t)port_read(port, 1);
}

uint16_t io_in16(uint16_t port)
{
    return (uint16_t)port_read(port, 2);
}

uint32_t io_in32(uint16_t port)
{
    return port_read(port, 4);
}

void io_out8(uint16_t port, uint8_t value)
{
    port_write(port, 1, value);
}

void io_out16(uint16_t port, uint16_t value)
{
    port_write(port, 2, value);
}

void io_out32(uint16_t port, uint32_t value)
{
    port_write(port, 4, value);
}

struct io_region io_map(uint64_t physical, size_t bytes)
{
    const struct io_region region = {physical, bytes};

    return region;
}

static uint32_t region_read(const struct io_region *region, size_t offset,
                            unsigned bytes)
{
    (void)chip_rule(offset + bytes <= region->bytes,
                    "registers are accessed within what was mapped");
    return register_read(region->base + offset, bytes, false);
}

static void region_write(const struct io_region *region, size_t offset,
                         unsigned bytes, uint32_t value)
{
    (void)chip_rule(offset + bytes <= region->bytes,
                    "registers are accessed within what was mapped");
    register_write(region->base + offset, bytes, false, value);
}

uint8_t io_read8(const struct io_region *region, size_t offset)
{
    return (uint8_t)region_read(region, offset, 1);
}

uint16_t io_read16(const struct io_region *region, size_t offset)
{
    return (uint16_t)region_read(region, offset, 2);
}

uint32_t io_read32(const struct io_region *region, size_t offset)
{
    return region_read(region, offset, 4);
}

void io_write8(const struct io_region *region, size_t offset, uint8_t value)
{
    region_write(region, offset, 1, value);
}

void io_write16(const struct io_region *region, size_t offset, uint16_t value)
{
    region_write(region, offset, 2, value);
}

void io_write32(const struct io_region *region, size_t offset, uint32_t value)
{
    region_write(region, offset, 4, value);
}

/* ---- Interrupts ---------------------------------------------------------- */

void interrupt_enable_pci(unsigned line)
{
    pc.lines_enabled = (uint16_t)(pc.lines_enabled | 1u << line);
}

uint32_t interrupt_count(unsigned line)
{
    return pc.interrupts[line % INTERRUPT_LINES];
}

/* As the controller does it: a held line speaks once in each sleep. */
static bool lines_speak(void)
{
    bool any = false;

    if (pc_faults.deaf || pc_faults.gone)
        return false;
    for (unsigned i = 0; i < pc.count; i++) {
        const unsigned line = pc.slots[i].config[0x3c];

        if (!(pc.lines_enabled & 1u << line) || !pc.slots[i].chip->interrupt())
            continue;
        pc.interrupts[line]++;
        any = true;
    }
    return any;
}

void pc_sleep(uint64_t until_us)
{
    /* Interrupts that never come are noticed, and sleeps become short. */
    const uint64_t limit_us =
        pc_now_us() + (pc_faults.deaf || pc_faults.gone ? 1000 : 1000000);

    if (until_us > limit_us)
        until_us = limit_us;
    if (until_us <= pc_now_us())
        until_us = pc_now_us() + 1;
    do {
        if (lines_speak()) {
            pc.now_ns += 2000;
            return;
        }
        /* Chips go on meanwhile, and may want to wake it up. */
        pc.now_ns += until_us * 1000 > pc.now_ns + STEP_NS
                         ? STEP_NS
                         : until_us * 1000 - pc.now_ns;
    } while (pc.now_ns < until_us * 1000);
}

void pc_work(void)
{
    pc.now_ns += 500;
    if (pc_faults.gone)
        return;
    for (unsigned i = 0; i < pc.count; i++) {
        pc.working = &pc.slots[i];
        pc.working->chip->work();
    }
    pc.working = NULL;
}

/* ---- Slots --------------------------------------------------------------- */

void pc_power_on(uint64_t seed, size_t buffers)
{
    memset(&pc, 0, sizeof(pc));
    memset(&pc_faults, 0, sizeof(pc_faults));
    pc.random = seed;
    pc.next_io = 0xc000;
    pc.next_memory = 0xfe000000;
    timer_module_init();
    if (iobuf_pool_init(buffers) != OK)
        abort();
}

void pc_plug(const struct chip *chip)
{
    struct slot *slot = &pc.slots[pc.count];
    const uint16_t ids[2] = {chip->vendor_id, chip->device_id};
    const uint8_t address[6] = {0x52, 0x54, 0,
                                0x12, 0x34, (uint8_t)(0x56 + pc.count)};

    slot->chip = chip;
    memcpy(slot->address, address, 6);
    memcpy(slot->config, ids, 4);
    slot->config[0x0b] = 2; /* network controller */
    slot->config[0x3c] = (uint8_t)(FIRST_LINE + pc.count);
    for (unsigned bar = 0; bar < CHIP_BARS; bar++) {
        const uint32_t bytes = chip->bars[bar].bytes;
        uint32_t *next = chip->bars[bar].is_io ? &pc.next_io : &pc.next_memory;
        uint32_t value;

        if (bytes == 0)
            continue;
        *next = (*next + bytes - 1) & ~(bytes - 1);
        slot->base[bar] = *next;
        *next += bytes;
        value = slot->base[bar] | (chip->bars[bar].is_io ? 1 : 0);
        memcpy(&slot->config[0x10 + 4 * bar], &value, 4);
    }
    pc.count++;
    chip->power_on(address);
}

const uint8_t *pc_address(unsigned slot)
{
    return pc.slots[slot].address;
}
