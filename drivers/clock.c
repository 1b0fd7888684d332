/* Time: the processor's time stamp counter, its rate taken from CPUID where
 * that is exact, else measured once against the 8254 or the ACPI timer.
 *
 * The counter is taken to run at one rate while the processor sleeps in hlt,
 * as it does since about 2006; nothing here changes the processor's speed.
 * The first measurement is good to about one in a thousand; where there is an
 * ACPI timer a second one, a second later, replaces it.
 * Wall clock: battery clock at start, plus monotonic time. */
#include "drivers/clock.h"
#include "core/log.h"
#include "core/machine.h"
#include "drivers/acpi.h"
#include "drivers/io.h"

#define PIT_CHANNEL2 0x42u
#define PIT_CONTROL  0x43u
#define PIT_GATE     0x61u
#define PIT_HZ       1193182ull
#define PIT_TICKS    11932u /* 10 ms */

#define ACPI_HZ    3579545ull
#define ACPI_TICKS 35795u    /* 10 ms */
#define ACPI_MASK  0xffffffu /* goes round in 4.7 s */

#define READINGS 8u
#define TRIES    3u
/* A port read takes at least about 100 ns; a counter that stands still ends
 * the wait. */
#define POLLS_MAX 400000u
/* The second reading of the ACPI timer, to a few parts in a million. */
#define REFINE_FROM_NS 1000000000ull

#define RATE_MIN 100000000ull
#define RATE_MAX 20000000000ull
/* What is assumed when nothing can be measured. */
#define FALLBACK_HZ 2000000000ull

/* A hardware counter and the time stamp counter, read together. */
struct reading {
    uint64_t stamp;
    uint32_t count;
};

static struct clock_state {
    uint64_t hz;   /* 0 until the rate is known */
    uint64_t base; /* counter at base_ns */
    uint64_t base_ns;
    uint64_t multiplier; /* ns = ticks * multiplier >> 32 */
    uint64_t last_ns;
    int64_t wall_offset_ms; /* wall clock at monotonic 0 */
    const char *source;
    bool refining;        /* the ACPI timer is to be read again */
    struct reading first; /* of the ACPI timer */
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

/* The tightest of some readings: a machine that was called away in between
 * (by its firmware, by a hypervisor) shows a wide one. */
static struct reading take_reading(uint32_t (*read_count)(void))
{
    struct reading best = {0, 0};
    uint64_t narrowest = UINT64_MAX;

    for (unsigned i = 0; i < READINGS; i++) {
        const uint64_t before = read_counter();
        const uint32_t count = read_count();
        const uint64_t width = read_counter() - before;

        if (width < narrowest) {
            narrowest = width;
            best.stamp = before + width / 2;
            best.count = count;
        }
    }
    return best;
}

/* Channel 2 of the 8254, as a count that rises. */
static uint32_t read_pit(void)
{
    uint32_t low;

    io_out8(PIT_CONTROL, 0x80); /* latch channel 2 */
    low = io_in8(PIT_CHANNEL2);
    return 0xffff - (low | (uint32_t)io_in8(PIT_CHANNEL2) << 8);
}

static uint32_t read_acpi(void)
{
    return io_in32(acpi_timer_port()) & ACPI_MASK;
}

/* Stamps a second over `ticks` of a counter; 0 when it does not count. */
static uint64_t measure(uint32_t (*read_count)(void), uint32_t mask,
                        uint64_t count_hz, uint32_t ticks)
{
    const struct reading first = take_reading(read_count);
    struct reading last;
    uint32_t passed;
    unsigned polls = 0;

    while (((read_count() - first.count) & mask) < ticks) {
        if (++polls == POLLS_MAX)
            return 0;
    }
    last = take_reading(read_count);
    passed = (last.count - first.count) & mask;
    /* Less than was waited for: it has gone round meanwhile. */
    if (passed < ticks)
        return 0;
    return (last.stamp - first.stamp) * count_hz / passed;
}

/* The 8254 counts down from FFFFh once, for 55 ms; its output, bit 5 of port
 * 61h, tells when that time was overrun. */
static uint64_t rate_by_pit(void)
{
    const uint8_t gate = (uint8_t)(io_in8(PIT_GATE) & 0xfc);
    uint64_t hz = 0;

    for (unsigned i = 0; i < TRIES && hz == 0; i++) {
        io_out8(PIT_GATE, gate); /* gate off, speaker off */
        io_out8(PIT_CONTROL, 0xb0);
        io_out8(PIT_CHANNEL2, 0xff);
        io_out8(PIT_CHANNEL2, 0xff);
        if (io_in8(PIT_GATE) & 0x20)
            return 0; /* no counter behind the port: all ones */
        io_out8(PIT_GATE, (uint8_t)(gate | 1));
        hz = measure(read_pit, 0xffff, PIT_HZ, PIT_TICKS);
        if (io_in8(PIT_GATE) & 0x20)
            hz = 0;
        io_out8(PIT_GATE, gate);
    }
    return hz;
}

static uint64_t rate_by_acpi(void)
{
    if (acpi_timer_port() == 0)
        return 0;
    return measure(read_acpi, ACPI_MASK, ACPI_HZ, ACPI_TICKS);
}

/* From here on time runs at this rate; what has passed stays. */
static void set_rate(uint64_t hz)
{
    const uint64_t now = read_counter();

    state.base_ns = state.hz == 0 ? 0 : machine_monotonic_ns();
    state.base = now;
    state.hz = hz;
    state.multiplier = (1000000000ull << 32) / hz;
}

static bool rate_is_possible(uint64_t hz)
{
    return hz >= RATE_MIN && hz <= RATE_MAX;
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
    uint64_t hz = 0;
    unsigned i = 0;
    int64_t wall_ms;

    for (; i < 4 && !rate_is_possible(hz); i++) {
        hz = sources[i].rate();
        state.source = sources[i].name;
    }
    if (!rate_is_possible(hz)) {
        hz = FALLBACK_HZ;
        state.source = "nothing: assumed";
    }
    set_rate(hz);
    state.refining = i > 1 && acpi_timer_port() != 0;
    if (state.refining)
        state.first = take_reading(read_acpi);
    wall_ms = rtc_read_ms();
    state.wall_offset_ms = wall_ms == INT64_MIN ? 0 : wall_ms;
}

void clock_poll(void)
{
    struct reading last;
    uint64_t hz;

    if (!state.refining || machine_monotonic_ns() < REFINE_FROM_NS)
        return;
    state.refining = false;
    last = take_reading(read_acpi);
    hz = (last.stamp - state.first.stamp) * ACPI_HZ /
         (((last.count - state.first.count) & ACPI_MASK) + 1);
    /* Further off than a bad first measurement could be: the timer has gone
     * round meanwhile. */
    if (!rate_is_possible(hz) || hz < state.hz / 2 || hz > state.hz * 2)
        return;
    set_rate(hz);
    log_info("clock", "rate refined hz=%llu", (unsigned long long)hz);
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
    const uint64_t ticks = read_counter() - state.base;
    const uint64_t ns =
        state.base_ns +
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
