/* The first C lines: memory, final page tables, vectors, clock, console, then
 * ao_main(). Nothing here may take long: mail waits for it after each power
 * cut. And the part of the machine seam that rests on page tables: memory,
 * stacks, registers. */
#include "boot/boot.h"
#include "boot/handoff.h"
#include "boot/report.h"
#include "core/check.h"
#include "core/machine.h"
#include "drivers/console/console.h"
#include "drivers/clock.h"
#include "drivers/interrupt.h"
#include "drivers/io.h"

#define MULTIBOOT_MAGIC 0x2badb002u
/* For page tables and the fault screen's way there. */
#define MEMORY_LEAST (1u << 20)
/* Guard pages that the fault screen knows by address; further ones work too. */
#define STACKS_NAMED 16u

void ao_main(void);
uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

static struct start_state {
    struct memory_map map;
    size_t total; /* bytes of it at first */
    char command_line[512];
    uint64_t guards[STACKS_NAMED]; /* for the fault screen */
    unsigned guard_count;
} state;

/* Nothing can be done about it, and the console does not run yet: in plain
 * words on the first row of the screen, which the provisional tables show at
 * DIRECT, and on the serial line. */
static _Noreturn void stop(const char *text)
{
    volatile uint16_t *cell = direct_pointer(0xb8000);

    serial_init();
    for (; *text != '\0'; text++) {
        serial_emergency_write(*text);
        *cell++ = (uint16_t)(0x4f00 | (uint8_t)*text);
    }
    serial_emergency_write('\n');
    for (;;)
        __asm__ volatile("cli; hlt");
}

static bool read_loader(uint32_t magic, uint32_t information)
{
    if (magic == MULTIBOOT_MAGIC)
        return multiboot_read(information, &state.map, state.command_line,
                              sizeof(state.command_line));
    return magic == HANDOFF_MAGIC &&
           handoff_read(information, &state.map, state.command_line,
                        sizeof(state.command_line));
}

/* Without a stack protector of its own, because it changes the guard; it does
 * not return, so no other function's check is open. */
__attribute__((no_stack_protector)) _Noreturn void
boot_start(uint32_t magic, uint32_t information)
{
    uintptr_t guard;

    if (!read_loader(magic, information))
        stop("Barepost was not started by a loader that it knows.");
    state.total = memory_map_left(&state.map);
    if (state.total < MEMORY_LEAST || !paging_init(&state.map))
        stop("There is too little memory for Barepost.");
    report_init(&state.map);
    vectors_init();
    interrupt_init();
    clock_init();
    interrupt_timer_init();
    machine_entropy(&guard, sizeof(guard));
    /* A zero byte stops overruns by text functions at the guard. */
    __stack_chk_guard = guard & ~(uintptr_t)0xff;
    console_init();
    ao_main();
    PANIC("the main task has ended");
}

_Noreturn void __stack_chk_fail(void)
{
    __asm__ volatile("ud2");
    __builtin_unreachable();
}

const char *machine_command_line(void)
{
    return state.command_line;
}

void *machine_memory_take(size_t bytes, size_t alignment)
{
    const uint64_t physical = memory_map_take(&state.map, bytes, alignment);

    if (physical == 0)
        return NULL;
    return __builtin_memset(direct_pointer(physical), 0, bytes);
}

size_t machine_memory_total(void)
{
    return state.total + (size_t)(image_end - image_start);
}

bool machine_memory_read(uint64_t address, void *buffer, size_t bytes)
{
    volatile const uint8_t *from = (volatile const uint8_t *)(uintptr_t)address;
    uint8_t *to = buffer;

    if (bytes > 16 || !paging_is_mapped(address) ||
        !paging_is_mapped(address + 8))
        return false;
    for (size_t i = 0; i < bytes; i++)
        to[i] = from[i];
    return true;
}

size_t machine_memory_left(void)
{
    return memory_map_left(&state.map);
}

void *machine_stack_take(size_t bytes)
{
    uint8_t *guard;

    if (bytes == 0 || bytes % MEMORY_PAGE_BYTES != 0 ||
        bytes > SIZE_MAX - MEMORY_PAGE_BYTES)
        return NULL;
    guard = machine_memory_take(bytes + MEMORY_PAGE_BYTES, MEMORY_PAGE_BYTES);
    if (guard == NULL || !paging_unmap_page((uint64_t)(uintptr_t)guard))
        return NULL;
    if (state.guard_count < STACKS_NAMED)
        state.guards[state.guard_count++] = (uint64_t)(uintptr_t)guard;
    return guard + MEMORY_PAGE_BYTES;
}

bool boot_stack_guarded(uint64_t address)
{
    for (unsigned i = 0; i < state.guard_count; i++) {
        if (address - state.guards[i] < MEMORY_PAGE_BYTES)
            return true;
    }
    return false;
}

static struct io_region map_device(uint64_t physical, size_t bytes,
                                   bool combining)
{
    struct io_region region = {0, 0};

    if (!paging_map_device(physical, bytes, combining))
        return region;
    region.base = (uintptr_t)(DEVICES_BASE + physical);
    region.bytes = bytes;
    return region;
}

struct io_region io_map(uint64_t physical, size_t bytes)
{
    return map_device(physical, bytes, false);
}

struct io_region io_map_combining(uint64_t physical, size_t bytes)
{
    return map_device(physical, bytes, true);
}

uint64_t io_dma_address(const void *memory)
{
    const uint64_t address = (uint64_t)(uintptr_t)memory;

    if (address >= IMAGE_START)
        return address - IMAGE_START + image_physical;
    return address - DIRECT_BASE;
}
