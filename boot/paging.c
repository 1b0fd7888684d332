/* Page tables of the AO (Intel SDM 3A, chapter 4).
 *
 * Rights: code readable and executable, constants readable, everything else
 * writable and not executable; CR0.WP makes them hold for the AO itself. The
 * image is not shown a second time at DIRECT, so no writable alias of code
 * exists. Page 0 and everything that is neither image, free memory nor asked
 * for by io_map() are not mapped. Guard pages under the stacks are taken out.
 *
 * Not supported: memory above 4 GiB as free memory; large pages for registers.
 */
#include "boot/boot.h"

#define PRESENT   0x001ull
#define WRITABLE  0x002ull
#define THROUGH   0x008ull
#define UNCACHED  0x010ull
#define LARGE     0x080ull
#define GLOBAL    0x100ull
#define FORBIDDEN (1ull << 63) /* execution */
#define ADDRESS   0x000ffffffffff000ull

#define PAGE       4096ull
#define LARGE_PAGE 0x200000ull
#define EFER       0xc0000080u
#define PAT        0x277u
#define EFER_NXE   0x800u
#define CR4_MCE    0x40ull
#define CR4_PGE    0x80ull
#define CR4_UMIP   0x800ull

static struct paging_state {
    uint64_t *root;
    struct memory_map *map;
    uint64_t forbidden;    /* FORBIDDEN, or 0 on a processor without it */
    uint64_t physical_end; /* first address the processor cannot reach */
    uint64_t combining;    /* memory type of displays: THROUGH, see below */
} state;

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]),
                       "=c"(registers[2]), "=d"(registers[3])
                     : "a"(leaf), "c"(0));
}

static uint64_t *new_table(void)
{
    const uint64_t page = memory_map_take_page(state.map);
    uint64_t *table;

    if (page == 0)
        return NULL;
    table = direct_pointer(page);
    for (unsigned i = 0; i < 512; i++)
        table[i] = 0;
    return table;
}

/* The table below an entry; made when there is none. */
static uint64_t *next_table(uint64_t *entry)
{
    uint64_t *table;

    if (*entry & PRESENT)
        return direct_pointer(*entry & ADDRESS);
    table = new_table();
    if (table != NULL)
        *entry =
            ((uint64_t)(uintptr_t)table - DIRECT_BASE) | PRESENT | WRITABLE;
    return table;
}

/* The entry of the page directory for an address, or NULL without memory. */
static uint64_t *directory_entry(uint64_t address)
{
    uint64_t *table = next_table(&state.root[address >> 39 & 511]);

    if (table == NULL)
        return NULL;
    table = next_table(&table[address >> 30 & 511]);
    return table == NULL ? NULL : &table[address >> 21 & 511];
}

/* Both ends are multiples of a page. */
static bool map_range(uint64_t address, uint64_t physical, uint64_t bytes,
                      uint64_t rights)
{
    uint64_t *table;

    while (bytes > 0) {
        uint64_t *entry = directory_entry(address);
        uint64_t step = PAGE;

        if (entry == NULL)
            return false;
        if (((address | physical) & (LARGE_PAGE - 1)) == 0 &&
            bytes >= LARGE_PAGE && *entry == 0 && !(rights & UNCACHED)) {
            *entry = physical | rights | PRESENT | LARGE;
            step = LARGE_PAGE;
        } else {
            table = next_table(entry);
            if (table == NULL)
                return false;
            table[address >> 12 & 511] = physical | rights | PRESENT;
        }
        address += step;
        physical += step;
        bytes -= step;
    }
    return true;
}

static bool map_image_part(const uint8_t *start, const uint8_t *end,
                           uint64_t rights)
{
    const uint64_t address = (uint64_t)(uintptr_t)start;

    return map_range(address, address - IMAGE_START + image_physical,
                     (uint64_t)(end - start), rights | GLOBAL);
}

static bool map_image(void)
{
    if (!map_image_part(image_start, image_text_end, 0) ||
        !map_image_part(image_text_end, image_rodata_end, state.forbidden) ||
        !map_image_part(image_rodata_end, image_end,
                        WRITABLE | state.forbidden))
        return false;
    for (uint64_t i = 1; i <= guard_pages[0]; i++) {
        if (!paging_unmap_page(guard_pages[i]))
            return false;
    }
    return true;
}

/* Memory type 1, which a page with THROUGH alone has, becomes write combining
 * (Intel SDM 3A, 11.12); nothing else here uses it. */
static void enable_combining(void)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(PAT));
    low = (low & 0xffff00ffu) | 0x0100u;
    __asm__ volatile("wrmsr" ::"a"(low), "d"(high), "c"(PAT) : "memory");
    state.combining = THROUGH;
}

/* NX, machine checks as exceptions, and the ban on sgdt and the like, each on
 * processors that have it. */
static void enable_features(void)
{
    uint32_t registers[4];
    uint32_t low, high;
    uint64_t cr4;

    cpuid(0x80000000u, registers);
    if (registers[0] >= 0x80000008u) {
        cpuid(0x80000008u, registers);
        state.physical_end = 1ull << (registers[0] & 0x3f);
    }
    if (state.physical_end == 0 || state.physical_end > DEVICES_BYTES)
        state.physical_end = DEVICES_BYTES;
    cpuid(0x80000001u, registers);
    if (registers[3] & 1u << 20) {
        state.forbidden = FORBIDDEN;
        __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(EFER));
        __asm__ volatile("wrmsr" ::"a"(low | EFER_NXE), "d"(high), "c"(EFER));
    }
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    cr4 |= CR4_PGE;
    cpuid(1, registers);
    if (registers[3] & 1u << 7)
        cr4 |= CR4_MCE;
    state.combining = UNCACHED | THROUGH;
    if (registers[3] & 1u << 16)
        enable_combining();
    cpuid(0, registers);
    if (registers[0] >= 7) {
        cpuid(7, registers);
        if (registers[2] & 1u << 2)
            cr4 |= CR4_UMIP;
    }
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4) : "memory");
}

bool paging_init(struct memory_map *map)
{
    /* The ranges as they are now: tables are taken from them meanwhile, and
     * must be shown as well. */
    static struct memory_map whole;

    state.map = map;
    whole = *map;
    enable_features();
    state.root = new_table();
    if (state.root == NULL || !map_image())
        return false;
    for (unsigned i = 0; i < whole.count; i++) {
        const struct memory_range *range = &whole.range[i];

        if (!map_range(DIRECT_BASE + range->start, range->start,
                       range->end - range->start,
                       WRITABLE | GLOBAL | state.forbidden))
            return false;
    }
    __asm__ volatile(
        "mov %0, %%cr3" ::"r"((uint64_t)(uintptr_t)state.root - DIRECT_BASE)
        : "memory");
    return true;
}

bool paging_map_device(uint64_t physical, uint64_t bytes, bool combining)
{
    const uint64_t start = physical & ~(PAGE - 1);
    uint64_t end = physical + bytes;

    if (bytes == 0 || end < physical || end > state.physical_end)
        return false;
    end = (end + PAGE - 1) & ~(PAGE - 1);
    return map_range(DEVICES_BASE + start, start, end - start,
                     WRITABLE | state.forbidden |
                         (combining ? state.combining : UNCACHED | THROUGH));
}

/* A large page in 512 small ones of the same rights. */
static bool split_large(uint64_t *entry)
{
    const uint64_t physical = *entry & ADDRESS;
    const uint64_t rights = *entry & ~(ADDRESS | LARGE);
    uint64_t *table = new_table();

    if (table == NULL)
        return false;
    for (uint64_t i = 0; i < 512; i++)
        table[i] = (physical + i * PAGE) | rights;
    *entry = ((uint64_t)(uintptr_t)table - DIRECT_BASE) | PRESENT | WRITABLE;
    return true;
}

bool paging_unmap_page(uint64_t address)
{
    uint64_t *entry = directory_entry(address);
    uint64_t *table;

    if (entry == NULL)
        return false;
    if ((*entry & LARGE) && !split_large(entry))
        return false;
    table = next_table(entry);
    if (table == NULL)
        return false;
    table[address >> 12 & 511] = 0;
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
    return true;
}

static bool page_is_mapped(uint64_t address)
{
    const uint64_t *table = state.root;

    if (table == NULL)
        return false;
    for (unsigned shift = 39; shift >= 12; shift -= 9) {
        const uint64_t entry = table[address >> shift & 511];

        if (!(entry & PRESENT))
            return false;
        if (shift == 12 || (entry & LARGE))
            return !(entry & UNCACHED);
        table = direct_pointer(entry & ADDRESS);
    }
    return false;
}

bool paging_is_mapped(uint64_t address)
{
    return address >= DIRECT_BASE && address <= UINT64_MAX - 8 &&
           page_is_mapped(address) && page_is_mapped(address + 7);
}
