/* The processor side of the simulated PC: loop, clock, memory, entropy, power.
 *
 * Memory is one anonymous mapping below which AddressSanitizer knows the gaps:
 * behind every piece that the AO takes lies poisoned memory, so that writing
 * over the end of a pool is seen at once. */
#include "core/log.h"
#include "core/machine.h"
#include "tests/sim/sim.h"
#include "tests/sim/stick.h"
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes)
#endif

#define REDZONE 128
/* Last words of an AO that has failed. */
#define LOG_LINES_SHOWN 8
#define PAGE            4096
/* What a look at the clock, and a turn of the loop, cost the processor. */
#define CLOCK_READ_NS 40
#define POLL_NS       400
/* The wall clock at power-on: 2026-01-01 00:00:00 UTC; each boot comes later.
 */
#define EPOCH_MS       1767225600000ll
#define BOOT_PERIOD_MS 600000ll

static struct {
    uint8_t *memory;
    size_t taken; /* redzones included */
    size_t used;  /* what the AO asked for */
    int64_t wall_offset_ms;
    struct sim_random entropy;
    void (*watch)(void);
} state;

void sim_machine_start(void)
{
    size_t room = sim_options.memory_bytes * 2;

    state.memory = mmap(NULL, room, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (state.memory == MAP_FAILED)
        sim_fail("the simulation has no memory");
    ASAN_POISON_MEMORY_REGION(state.memory, room);
    state.wall_offset_ms = EPOCH_MS + BOOT_PERIOD_MS * sim_shared->boot;
    sim_random_init(&state.entropy, sim_options.seed, "entropy",
                    sim_shared->boot);
}

void sim_machine_watch(void (*turn)(void))
{
    state.watch = turn;
}

void sim_machine_entropy(uint64_t index)
{
    sim_random_init(&state.entropy, 0, "host entropy", index);
}

bool machine_poll(void)
{
    bool any;

    if (state.watch != NULL)
        state.watch();
    sim_clock_spend(POLL_NS);
    any = sim_clock_run();
    if (sim_stick_finish())
        any = true;
    return any;
}

void machine_idle(uint64_t deadline_ns)
{
    sim_clock_sleep(deadline_ns);
}

const char *machine_command_line(void)
{
    return sim_options.command_line;
}

void *machine_memory_take(size_t bytes, size_t alignment)
{
    size_t start = (state.taken + alignment - 1) & ~(alignment - 1);
    uint8_t *memory = state.memory + start;

    if (alignment == 0 || (alignment & (alignment - 1)) != 0 ||
        alignment > PAGE)
        sim_fail("memory: alignment %zu", alignment);
    if (bytes > sim_options.memory_bytes - state.used)
        return NULL;
    state.used += bytes;
    state.taken = start + bytes + REDZONE;
    if (state.taken > sim_options.memory_bytes * 2)
        return NULL;
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
    return memory;
}

size_t machine_memory_left(void)
{
    return sim_options.memory_bytes - state.used;
}

/* Sanitizers want stacks of a size that no PC has to give. */
#ifdef __SANITIZE_ADDRESS__
#define STACK_PART 8
#else
#define STACK_PART 1
#endif

void *machine_stack_take(size_t bytes)
{
    uint8_t *memory;

    if (bytes == 0 || bytes % PAGE != 0 ||
        bytes / STACK_PART > sim_options.memory_bytes - state.used)
        return NULL;
    memory = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, PAGE, PROT_NONE) != 0)
        return NULL;
    state.used += bytes / STACK_PART;
    return memory + PAGE;
}

uint64_t machine_monotonic_ns(void)
{
    sim_clock_spend(CLOCK_READ_NS);
    return sim_now();
}

int64_t machine_wall_clock_ms(void)
{
    return state.wall_offset_ms + (int64_t)(sim_now() / SIM_MS);
}

void machine_wall_clock_set(int64_t unix_ms)
{
    state.wall_offset_ms = unix_ms - (int64_t)(sim_now() / SIM_MS);
}

void machine_entropy(void *buffer, size_t bytes)
{
    sim_random_fill(&state.entropy, buffer, bytes);
}

_Noreturn void machine_restart(void)
{
    if (sim_options.restart_expected)
        sim_finish();
    sim_fail("the AO restarted");
}

_Noreturn void machine_power_off(void)
{
    if (sim_options.restart_expected)
        sim_finish();
    sim_fail("the AO powered off");
}

const char *machine_last_failure(void)
{
    return NULL;
}

_Noreturn void machine_fail(const char *what)
{
    machine_emergency_write(what);
    for (unsigned back = LOG_LINES_SHOWN; back-- > 0;) {
        const char *line = log_line(back);

        machine_emergency_write("\n");
        machine_emergency_write(line != NULL ? line : "");
    }
    sim_fail("panic: %.1200s", sim_serial_text() + sim_serial_mark());
}

bool machine_power_button(void)
{
    return false;
}

void machine_watchdog_feed(void)
{
}

size_t machine_memory_total(void)
{
    return sim_options.memory_bytes;
}

bool machine_memory_read(uint64_t address, void *buffer, size_t bytes)
{
    (void)address;
    (void)buffer;
    (void)bytes;
    return false;
}

bool machine_part(unsigned index, struct machine_part *part)
{
    (void)index;
    (void)part;
    return false;
}
