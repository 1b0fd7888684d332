/* Interrupt descriptors and the task state that holds the vectors' stacks
 * (Intel SDM 3A, 6.14, 7.7). Interrupts are let in only while the AO sleeps, so
 * everything that comes at another time is a fault of ours or of the machine.
 *
 * Stacks: IST1 interrupts, IST2 faults, IST3 double fault, IST4 non-maskable
 * interrupt, IST5 machine check: none can spoil the one below it. */
#include "boot/boot.h"
#include "drivers/interrupt.h"

#define CODE_SELECTOR 0x08u
#define TASK_SELECTOR 0x18u
#define GATE          0x8e00u /* present, interrupt gate */
#define EXCEPTIONS    32u

struct gate {
    uint16_t offset_low, selector, flags, offset_middle;
    uint32_t offset_high, reserved;
};

struct task_segment {
    uint32_t reserved0;
    uint32_t stacks[6]; /* privilege levels: not used */
    uint32_t reserved1[2];
    uint32_t vector_stacks[14]; /* IST1 .. IST7, low and high halves */
    uint32_t reserved2[2];
    uint16_t reserved3, io_map;
};

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct vectors_state {
    struct gate gates[256] __attribute__((aligned(16)));
    struct task_segment task;
} state;

static unsigned stack_of(unsigned vector)
{
    switch (vector) {
    case 2:
        return 4;
    case 8:
        return 3;
    case 18:
        return 5;
    default:
        return vector < EXCEPTIONS ? 2 : 1;
    }
}

static void init_task(void)
{
    const uint64_t base = (uint64_t)(uintptr_t)&state.task;
    const uint64_t limit = sizeof(state.task) - 1;

    for (unsigned i = 0; i < 5; i++) {
        state.task.vector_stacks[2 * i] = (uint32_t)vector_stack_tops[i];
        state.task.vector_stacks[2 * i + 1] =
            (uint32_t)(vector_stack_tops[i] >> 32);
    }
    state.task.io_map = sizeof(state.task);
    gdt[3] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 |
             (base >> 24 & 0xff) << 56;
    gdt[4] = base >> 32;
    __asm__ volatile("ltr %w0" ::"r"(TASK_SELECTOR) : "memory");
}

void vectors_init(void)
{
    struct pointer pointer;

    for (unsigned i = 0; i < 256; i++) {
        struct gate *gate = &state.gates[i];
        const uint64_t stub = vector_stubs[i];

        gate->offset_low = (uint16_t)stub;
        gate->offset_middle = (uint16_t)(stub >> 16);
        gate->offset_high = (uint32_t)(stub >> 32);
        gate->selector = CODE_SELECTOR;
        gate->flags = (uint16_t)(GATE | stack_of(i));
    }
    init_task();
    pointer.limit = sizeof(state.gates) - 1;
    pointer.base = (uint64_t)(uintptr_t)state.gates;
    __asm__ volatile("lidt %0" ::"m"(pointer) : "memory");
}

void boot_vector(struct vector_frame *frame)
{
    if (frame->vector < EXCEPTIONS)
        boot_fault(frame);
    interrupt_arrived((unsigned)frame->vector);
}
