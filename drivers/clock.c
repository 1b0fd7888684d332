/* Time: the processor's time stamp counter, its rate taken from CPUID where
 * that is exact, else measured once against the 8254 or the ACPI timer.
 *
 * The counter is taken to run at one rate while the processor sleeps in hlt,
 * as it does since about 2006; nothing here changes the processor's speed.
 * Wall clock: battery clock at start, plus monotonic time. */
#include "drivers/clock.h"
#include "core/machine.h"
#include "drivers/acpi.h"
#include "drivers/io.h"

#define PIT_CHANNEL2 0x42u
#define PIT_CONTROL  0x43u
#define PIT_GATE     0x61u
#define PIT_HZ       1193182ull
#define PIT_TICKS    11932u /* 10 ms */

#define PM_HZ    3579545ull
#define PM_TICKS 35795u /* 10 ms */

/* A port read takes at least about 100 ns; on a machine where it is faster the
 * wait still ends, with no result. */
#define POLLS_MAX 2000000u

/* What is assumed when nothing can be measured. */
#define FALLBACK_HZ 2000000000ull

static struct clock_state {
    uint64_t hz;
    uint64_t start;      /* counter at start */
    uint64_t multiplier; /* ns = ticks * multiplier >> 32 */
    uint64_t last_ns;
    int64_t wall_offset_ms; /* wall clock at monotonic 0 */
    const char *source;
} state;

static uint64_t read_counter(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]),
                       "=c"(registers[2]), "=d"(registers[3])
                     : "a"(leaf), "c"(0));
}

/* CPUID 15h: crystal in Hz and the counter's ratio to it. */
static uint64_t rate_of_crystal(void)
{
    uint32_t registers[4];

    cpuid(0, registers);
    if (registers[0] < 0x15)
        return 0;
    cpuid(0x15, registers);
    if (registers[0] == 0 || registers[1] == 0 || registers[2] == 0)
        return 0;
    return (uint64_t)registers[2] * registers[1] / registers[0];
}

/* CPUID 16h: the base speed in MHz, to about one in a thousand. */
static uint64_t rate_of_name(void)
{
    uint32_t registers[4];

    cpuid(0, registers);
    if (registers[0] < 0x16)
        return 0;
    cpuid(0x16, registers);
    return (uint64_t)(registers[0] & 0xffff) * 1000000u;
}

/* Channel 2 of the 8254 counts down once, its output is bit 5 of port 61h. */
static uint64_t rate_by_pit(void)
{
    const uint8_t gate = (uint8_t)(io_in8(PIT_GATE) & 0xfc);
    uint64_t start, passed;
    unsigned polls = 0;

    io_out8(PIT_GATE, gate); /* gate off, speaker off */
    io_out8(PIT_CONTROL, 0xb0);
    io_out8(PIT_CHANNEL2, (uint8_t)(PIT_TICKS & 0xff));
    io_out8(PIT_CHANNEL2, (uint8_t)(PIT_TICKS >> 8));
    if (io_in8(PIT_GATE) & 0x20)
        return 0; /* no counter behind the port: all ones */
    start = read_counter();
    io_out8(PIT_GATE, (uint8_t)(gate | 1));
    while (!(io_in8(PIT_GATE) & 0x20) && polls < POLLS_MAX)
        polls++;
    passed = read_counter() - start;
    io_out8(PIT_GATE, gate);
    /* Over at once, or never: it does not count. */
    if (polls < 10 || polls == POLLS_MAX)
        return 0;
    return passed * PIT_HZ / PIT_TICKS;
}

static uint64_t rate_by_acpi(void)
{
    const uint16_t port = acpi_timer_port();
    uint32_t first, ticks = 0;
    uint64_t start;
    unsigned polls = 0;

    if (port == 0)
        return 0;
    first = io_in32(port);
    start = read_counter();
    while (ticks < PM_TICKS && polls < POLLS_MAX) {
        ticks = (io_in32(port) - first) & 0xffffff;
        polls++;
    }
    if (ticks < PM_TICKS)
        return 0;
    return (read_counter() - start) * PM_HZ / ticks;
}

void clock_init(void)
{
    static const struct {
        uint64_t (*rate)(void);
        const char *name;
    } sources[] = {
        {rate_of_crystal, "CPUID 15h"},
        {rate_by_pit, "8254"},
        {rate_by_acpi, "ACPI timer"},
        {rate_of_name, "CPUID 16h"},
    };
    int64_t wall_ms;

    state.hz = 0;
    for (unsigned i = 0; i < 4 && state.hz < 1000000; i++) {
        state.hz = sources[i].rate();
        state.source = sources[i].name;
    }
    if (state.hz < 1000000) {
        state.hz = FALLBACK_HZ;
        state.source = "nothing: assumed";
    }
    state.multiplier = (1000000000ull << 32) / state.hz;
    state.start = read_counter();
    wall_ms = rtc_read_ms();
    state.wall_offset_ms = wall_ms == INT64_MIN ? 0 : wall_ms;
}

const char *clock_source(void)
{
    return state.source;
}

uint64_t clock_hz(void)
{
    return state.hz;
}

uint64_t machine_monotonic_ns(void)
{
    const uint64_t ticks = read_counter() - state.start;
    const uint64_t ns =
        (uint64_t)((unsigned __int128)ticks * state.multiplier >> 32);

    if (ns > state.last_ns && (int64_t)ticks > 0)
        state.last_ns = ns;
    return state.last_ns;
}

int64_t machine_wall_clock_ms(void)
{
    return state.wall_offset_ms + (int64_t)(machine_monotonic_ns() / 1000000);
}

void machine_wall_clock_set(int64_t unix_ms)
{
    state.wall_offset_ms =
        unix_ms - (int64_t)(machine_monotonic_ns() / 1000000);
    rtc_write_ms(unix_ms);
}
