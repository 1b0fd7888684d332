/* The fault screen: what happened, registers, where from, the last log lines,
 * laid out for the 25 rows of a photograph; in full on the serial line and in
 * memory that outlives the restart. Then a restart. Runs on the vector's own
 * stack and trusts nothing: an address is read only when the page tables show
 * it, and a fault in here leads straight to the restart. */
#include "boot/boot.h"
#include "boot/report.h"
#include "core/date.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/version.h"
#include "core/zone.h"
#include "drivers/io.h"

#define FRAMES_MAX      24
#define LOG_LINES_SHOWN 16
#define SECONDS         10
/* Of them on the screen, which leaves at least five of its rows for the log. */
#define FRAMES_SCREEN 8

static struct fault_state {
    bool active;
    unsigned frames; /* calls that were written */
} state;

static const char *const names[32] = {
    "divide error",
    "debug",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack-segment fault",
    "general protection",
    "page fault",
    "reserved 15",
    "x87 floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point error",
    "virtualization exception",
    "control protection",
    "reserved 22",
    "reserved 23",
    "reserved 24",
    "reserved 25",
    "reserved 26",
    "reserved 27",
    "hypervisor injection",
    "VMM communication",
    "security exception",
    "reserved 31",
};

static void write_register(const char *name, uint64_t value)
{
    report_text(name);
    report_text("=");
    report_hex(value, 16);
    report_text(" ");
}

/* before: 1 for a return address, so that a call that is the last instruction
 * of its function is not taken for the function behind it. */
static void write_address(uint64_t address, unsigned before)
{
    uint32_t offset = 0;
    const char *name = symbol_find(address - before, &offset);

    report_text("  ");
    report_hex(address, 16);
    if (name != NULL) {
        report_text(" ");
        report_text(name);
        report_text("+0x");
        report_hex(offset + before, offset >= 0xfff ? 8 : 3);
    }
    report_line(state.frames++ < FRAMES_SCREEN);
}

/* Follows the chain of frame pointers: each names the caller's and, above it,
 * the return address. It must rise, or end. */
static void write_backtrace(uint64_t frame)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        const uint64_t *pair = (const uint64_t *)(uintptr_t)frame;

        if (frame % 8 != 0 || !paging_is_mapped(frame) ||
            !paging_is_mapped(frame + 8))
            return;
        if (pair[1] == 0)
            return;
        write_address(pair[1], 1);
        if (pair[0] <= frame)
            return;
        frame = pair[0];
    }
}

/* Whether the address that could not be reached lies in a guard page. */
static bool guard_was_hit(void)
{
    uint64_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    for (uint64_t i = 1; i <= guard_pages[0]; i++) {
        if (cr2 - guard_pages[i] < MEMORY_PAGE_BYTES)
            return true;
    }
    return boot_stack_guarded(cr2);
}

static void write_registers(const struct vector_frame *frame)
{
    uint64_t cr2;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"rip", frame->rip},   {"rsp", frame->rsp}, {"rbp", frame->rbp},
        {"rax", frame->rax},   {"rbx", frame->rbx}, {"rcx", frame->rcx},
        {"rdx", frame->rdx},   {"rsi", frame->rsi}, {"rdi", frame->rdi},
        {"r8 ", frame->r8},    {"r9 ", frame->r9},  {"r10", frame->r10},
        {"r11", frame->r11},   {"r12", frame->r12}, {"r13", frame->r13},
        {"r14", frame->r14},   {"r15", frame->r15}, {"flg", frame->rflags},
        {"err", frame->error},
    };
    const unsigned count = sizeof(rows) / sizeof(rows[0]);

    for (unsigned i = 0; i < count; i++) {
        write_register(rows[i].name, rows[i].value);
        if (i % 3 == 2)
            report_line(true);
    }
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    write_register("cr2", cr2);
    report_line(true);
}

static void write_head(void)
{
    const int64_t now_ms = machine_wall_clock_ms();
    char date[DATE_TEXT_BYTES];

    report_text(date_format(zone_local_ms(now_ms), date));
    report_text(" ");
    report_text(zone_name(now_ms));
    report_text(", up ");
    report_number(machine_monotonic_ns() / 1000000000);
    report_text(" s, build ");
    report_text(version_build());
    report_line(true);
}

static void write_log(void)
{
    unsigned on_screen;

    report_text("Last log lines:");
    report_line(true);
    /* The last row is restart()'s. */
    on_screen = report_rows_left() - 1;
    for (unsigned back = LOG_LINES_SHOWN; back-- > 0;) {
        const char *line = log_line(back);

        if (line == NULL)
            continue;
        report_text(line);
        report_line(back < on_screen);
    }
}

/* Leaves a person some seconds to photograph it. */
static _Noreturn void restart(void)
{
    report_text("Restart in 10 seconds.");
    report_line(true);
    for (unsigned i = 0; i < SECONDS; i++)
        io_delay_us(1000000);
    machine_restart();
}

static void begin(void)
{
    if (state.active)
        machine_restart();
    state.active = true;
}

_Noreturn void boot_fault(const struct vector_frame *frame)
{
    begin();
    report_text("BAREPOST HAS FAILED: ");
    report_text(names[frame->vector & 31]);
    if (frame->vector == 14 && guard_was_hit())
        report_text(": a stack was used up");
    report_line(true);
    write_head();
    write_registers(frame);
    report_text("Called from:");
    report_line(true);
    write_address(frame->rip, 0);
    write_backtrace(frame->rbp);
    write_log();
    restart();
}

_Noreturn void machine_fail(const char *what)
{
    begin();
    report_text("BAREPOST HAS STOPPED: ");
    report_text(what);
    report_line(true);
    write_head();
    report_text("Called from:");
    report_line(true);
    write_backtrace((uint64_t)(uintptr_t)__builtin_frame_address(0));
    write_log();
    restart();
}
