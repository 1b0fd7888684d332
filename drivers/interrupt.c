/* 8259 interrupt controllers, and the timer that ends a sleep: the local APIC's
 * where there is one (Intel SDM 3A, 10.5.4), else channel 0 of the 8254.
 *
 * No wake-up is lost: interrupts are off outside interrupt_idle(). A device
 * that spoke since it was polled last holds its line (or the controller holds
 * the edge), and `sti` lets it in only after `hlt` has begun.
 *
 * Not supported: I/O APIC routing, message signalled interrupts, x2APIC mode
 * left on by the firmware (the 8254 serves then). */
#include "drivers/interrupt.h"
#include "core/machine.h"
#include "drivers/clock.h"
#include "drivers/io.h"

#define MASTER_COMMAND 0x20u
#define MASTER_DATA    0x21u
#define SLAVE_COMMAND  0xa0u
#define SLAVE_DATA     0xa1u
#define EDGE_LEVEL     0x4d0u
#define END            0x20u
#define READ_SERVICE   0x0bu
#define CASCADE_LINE   2u
#define FIRST_VECTOR   32u
#define TIMER_VECTOR   48u
#define SPURIOUS       255u

#define PIT_CHANNEL0 0x40u
#define PIT_CONTROL  0x43u
#define PIT_HZ       1193182ull

#define APIC_MSR       0x1bu
#define APIC_ENABLED   0x800u
#define APIC_X2        0x400u
#define APIC_END       0x0b0u
#define APIC_SPURIOUS  0x0f0u
#define APIC_TIMER     0x320u
#define APIC_LINT0     0x350u
#define APIC_LINT1     0x360u
#define APIC_INITIAL   0x380u
#define APIC_CURRENT   0x390u
#define APIC_DIVIDE    0x3e0u
#define APIC_MASKED    0x10000u
#define APIC_DIVIDE_16 0x3u

#define SLEEP_MAX_NS 1000000000ull
/* While interrupts are not to be trusted: a frame waits 0.5 ms on average. */
#define SLEEP_SHORT_NS 1000000ull
/* A shorter sleep costs more than it saves. */
#define SLEEP_MIN_NS 2000ull

static struct interrupt_state {
    uint16_t enabled; /* lines that may end a sleep */
    uint16_t masked;  /* as the controllers have it now */
    volatile uint32_t counts[INTERRUPT_LINES];
    struct io_region apic;
    uint64_t apic_hz;    /* 0: the 8254 serves */
    bool distrusted;     /* some device has no line that is heard */
    volatile bool heard; /* a line other than the timer's spoke in this sleep */
} state;

static void write_masks(void)
{
    io_out8(MASTER_DATA, (uint8_t)state.masked);
    io_out8(SLAVE_DATA, (uint8_t)(state.masked >> 8));
}

void interrupt_init(void)
{
    io_out8(MASTER_COMMAND, 0x11); /* ICW1: edge, cascade, ICW4 follows */
    io_out8(SLAVE_COMMAND, 0x11);
    io_out8(MASTER_DATA, FIRST_VECTOR);
    io_out8(SLAVE_DATA, FIRST_VECTOR + 8);
    io_out8(MASTER_DATA, 1u << CASCADE_LINE);
    io_out8(SLAVE_DATA, CASCADE_LINE);
    io_out8(MASTER_DATA, 0x01); /* ICW4: 8086 mode */
    io_out8(SLAVE_DATA, 0x01);
    state.enabled = 0;
    state.masked = (uint16_t) ~(1u << CASCADE_LINE);
    write_masks();
}

static bool has_apic(void)
{
    uint32_t a = 1, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (d & 1u << 9) != 0;
}

/* How fast the APIC's timer counts, measured for 2 ms; 0 when it stands. */
static uint64_t measure_apic(void)
{
    uint64_t start_ns, passed_ns;
    uint32_t counted;

    io_write32(&state.apic, APIC_DIVIDE, APIC_DIVIDE_16);
    io_write32(&state.apic, APIC_TIMER, APIC_MASKED | TIMER_VECTOR);
    start_ns = machine_monotonic_ns();
    io_write32(&state.apic, APIC_INITIAL, UINT32_MAX);
    io_delay_us(2000);
    counted = UINT32_MAX - io_read32(&state.apic, APIC_CURRENT);
    passed_ns = machine_monotonic_ns() - start_ns;
    io_write32(&state.apic, APIC_INITIAL, 0);
    if (passed_ns == 0)
        return 0;
    return (uint64_t)counted * 1000000000u / passed_ns;
}

static bool start_apic(void)
{
    uint32_t low, high;

    if (!has_apic())
        return false;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(APIC_MSR));
    if (!(low & APIC_ENABLED) || (low & APIC_X2))
        return false;
    state.apic =
        io_map((uint64_t)(high & 0xfffff) << 32 | (low & 0xfffff000), 0x1000);
    if (state.apic.base == 0)
        return false;
    /* Virtual wire: the 8259 speaks through LINT0. */
    io_write32(&state.apic, APIC_SPURIOUS, 0x100 | SPURIOUS);
    io_write32(&state.apic, APIC_LINT0, 0x700);
    io_write32(&state.apic, APIC_LINT1, 0x400);
    state.apic_hz = measure_apic();
    /* Below 10 kHz it is not a clock that a sleep could be built on. */
    if (state.apic_hz < 10000)
        return false;
    io_write32(&state.apic, APIC_TIMER, TIMER_VECTOR);
    return true;
}

void interrupt_timer_init(void)
{
    if (start_apic())
        return;
    state.apic_hz = 0;
    interrupt_enable(0);
}

void interrupt_enable(unsigned line)
{
    if (line < INTERRUPT_LINES && line != CASCADE_LINE)
        state.enabled = (uint16_t)(state.enabled | 1u << line);
}

void interrupt_enable_pci(unsigned line)
{
    const uint16_t port = (uint16_t)(EDGE_LEVEL + line / 8);

    /* 0, 1, 2, 8 and 13 belong to the board itself. */
    if (line >= INTERRUPT_LINES || (1u << line & 0x2107u)) {
        interrupt_distrust();
        return;
    }
    io_out8(port, (uint8_t)(io_in8(port) | 1u << line % 8));
    interrupt_enable(line);
}

void interrupt_distrust(void)
{
    state.distrusted = true;
}

uint32_t interrupt_count(unsigned line)
{
    return line < INTERRUPT_LINES ? state.counts[line] : 0;
}

/* Lines 7 and 15 also speak when the real line fell silent again: the service
 * register tells. */
static bool line_is_spurious(unsigned line)
{
    const uint16_t port = line < 8 ? MASTER_COMMAND : SLAVE_COMMAND;

    if (line % 8 != 7)
        return false;
    io_out8(port, READ_SERVICE);
    if (io_in8(port) & 0x80)
        return false;
    if (line == 15)
        io_out8(MASTER_COMMAND, END);
    return true;
}

void interrupt_arrived(unsigned vector)
{
    const unsigned line = vector - FIRST_VECTOR;

    if (vector == TIMER_VECTOR && state.apic_hz != 0) {
        io_write32(&state.apic, APIC_END, 0);
        return;
    }
    if (vector < FIRST_VECTOR || line >= INTERRUPT_LINES ||
        line_is_spurious(line))
        return;
    state.counts[line]++;
    if (line != 0)
        state.heard = true;
    state.masked = (uint16_t)(state.masked | 1u << line);
    write_masks();
    if (line >= 8)
        io_out8(SLAVE_COMMAND, END);
    io_out8(MASTER_COMMAND, END);
}

static void start_timer(uint64_t sleep_ns)
{
    uint64_t ticks;

    if (state.apic_hz != 0) {
        ticks = sleep_ns * (state.apic_hz / 1000) / 1000000;
        if (ticks > UINT32_MAX)
            ticks = UINT32_MAX;
        io_write32(&state.apic, APIC_INITIAL, (uint32_t)ticks + 1);
        return;
    }
    ticks = sleep_ns * PIT_HZ / 1000000000u + 1;
    if (ticks > 0xffff)
        ticks = 0xffff;
    io_out8(PIT_CONTROL, 0x30); /* channel 0, both bytes, mode 0 */
    io_out8(PIT_CHANNEL0, (uint8_t)ticks);
    io_out8(PIT_CHANNEL0, (uint8_t)(ticks >> 8));
}

static void stop_timer(void)
{
    if (state.apic_hz != 0)
        io_write32(&state.apic, APIC_INITIAL, 0);
}

bool interrupt_idle(uint64_t deadline_ns)
{
    const uint64_t now_ns = machine_monotonic_ns();
    const uint16_t masked = (uint16_t) ~(state.enabled | 1u << CASCADE_LINE);
    uint64_t sleep_ns = state.distrusted ? SLEEP_SHORT_NS : SLEEP_MAX_NS;

    state.heard = false;
    if (deadline_ns <= now_ns || deadline_ns - now_ns < SLEEP_MIN_NS)
        return true;
    if (deadline_ns - now_ns < sleep_ns)
        sleep_ns = deadline_ns - now_ns;
    start_timer(sleep_ns);
    if (state.masked != masked) {
        state.masked = masked;
        write_masks();
    }
    __asm__ volatile("sti; hlt; cli" ::: "memory");
    stop_timer();
    return state.heard;
}
