/* Time for drivers, on top of the machine's clock. */
#include "core/machine.h"
#include "drivers/io.h"

uint64_t io_now_us(void)
{
    return machine_monotonic_ns() / 1000;
}

void io_delay_us(unsigned us)
{
    const uint64_t end_ns = machine_monotonic_ns() + (uint64_t)us * 1000;

    while (machine_monotonic_ns() < end_ns)
        __asm__ volatile("pause");
}
