/* The fault screen: what happened, registers, where from, the last log lines,
 * on screen and serial line, then a restart. Runs on the vector's own stack and
 * trusts nothing: an address is read only when the page tables show it, and a
 * fault in here leads straight to the restart. */
#include "boot/boot.h"
#include "core/log.h"
#include "core/machine.h"
#include "drivers/io.h"

#define FRAMES_MAX      24
#define LOG_LINES_SHOWN 12
#define SECONDS         10

static struct fault_state {
    bool active;
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

static void write_hex(uint64_t value, unsigned digits)
{
    char text[17];

    for (unsigned i = 0; i < digits; i++)
        text[i] = "0123456789abcdef"[value >> 4 * (digits - 1 - i) & 15];
    text[digits] = '\0';
    machine_emergency_write(text);
}

static void write_register(const char *name, uint64_t value, const char *after)
{
    machine_emergency_write(name);
    machine_emergency_write("=");
    write_hex(value, 16);
    machine_emergency_write(after);
}

/* before: 1 for a return address, so that a call that is the last instruction
 * of its function is not taken for the function behind it. */
static void write_address(uint64_t address, unsigned before)
{
    uint32_t offset = 0;
    const char *name = symbol_find(address - before, &offset);

    machine_emergency_write("  ");
    write_hex(address, 16);
    if (name != NULL) {
        machine_emergency_write(" ");
        machine_emergency_write(name);
        machine_emergency_write("+0x");
        write_hex(offset + before, offset >= 0xfff ? 8 : 3);
    }
    machine_emergency_write("\n");
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

void machine_backtrace_write(void)
{
    write_backtrace((uint64_t)(uintptr_t)__builtin_frame_address(0));
}

_Noreturn void machine_panic_restart(void)
{
    machine_emergency_write("restart in 10 seconds\n");
    for (unsigned i = 0; i < SECONDS; i++)
        io_delay_us(1000000);
    machine_restart();
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

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    write_register("rip", frame->rip, " ");
    write_register("rsp", frame->rsp, " ");
    write_register("cr2", cr2, "\n");
    write_register("rax", frame->rax, " ");
    write_register("rbx", frame->rbx, " ");
    write_register("rcx", frame->rcx, "\n");
    write_register("rdx", frame->rdx, " ");
    write_register("rsi", frame->rsi, " ");
    write_register("rdi", frame->rdi, "\n");
    write_register("rbp", frame->rbp, " ");
    write_register("r8 ", frame->r8, " ");
    write_register("r9 ", frame->r9, "\n");
    write_register("r10", frame->r10, " ");
    write_register("r11", frame->r11, " ");
    write_register("r12", frame->r12, "\n");
    write_register("r13", frame->r13, " ");
    write_register("r14", frame->r14, " ");
    write_register("r15", frame->r15, "\n");
    write_register("flags", frame->rflags, " ");
    write_register("error", frame->error, "\n");
}

static void write_log(void)
{
    machine_emergency_write("last log lines:\n");
    for (unsigned back = LOG_LINES_SHOWN; back-- > 0;) {
        const char *line = log_line(back);

        if (line == NULL)
            continue;
        machine_emergency_write(line);
        machine_emergency_write("\n");
    }
}

_Noreturn void boot_fault(const struct vector_frame *frame)
{
    if (state.active) {
        machine_emergency_write("fault in the fault screen\n");
        machine_restart();
    }
    state.active = true;
    write_log();
    machine_emergency_write("\nBarepost has failed: ");
    machine_emergency_write(names[frame->vector & 31]);
    if (frame->vector == 14 && guard_was_hit())
        machine_emergency_write(": a stack was used up");
    machine_emergency_write("\n");
    write_registers(frame);
    machine_emergency_write("called from:\n");
    write_address(frame->rip, 0);
    write_backtrace(frame->rbp);
    machine_panic_restart();
}
