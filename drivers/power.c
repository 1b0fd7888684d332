/* Restart and power off: every way there is, one after the other; and the
 * button that asks for it. */
#include "core/machine.h"
#include "drivers/acpi.h"
#include "drivers/io.h"
#include "drivers/watchdog.h"

#define KEYBOARD_STATUS 0x64u
#define RESET_CONTROL   0xcf9u

static struct power_state {
    bool restarting;
} state;

bool machine_power_button(void)
{
    return acpi_power_button();
}

_Noreturn void machine_restart(void)
{
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) nothing = {0, 0};

    /* A fault on the way must not begin at the start again. */
    if (!state.restarting) {
        state.restarting = true;
        /* It must not run out while the firmware starts. */
        watchdog_stop();
        acpi_reset();
        io_delay_us(50000);
        for (unsigned i = 0; i < 1000; i++) {
            if (!(io_in8(KEYBOARD_STATUS) & 2))
                break;
            io_delay_us(10);
        }
        io_out8(KEYBOARD_STATUS, 0xfe);
        io_delay_us(50000);
        io_out8(RESET_CONTROL, 0x02);
        io_delay_us(10);
        io_out8(RESET_CONTROL, 0x06);
        io_delay_us(50000);
    }
    __asm__ volatile("lidt %0; int3" ::"m"(nothing));
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void machine_power_off(void)
{
    watchdog_stop();
    acpi_power_off();
    machine_emergency_write("\nThis PC cannot switch itself off: it is safe to "
                            "switch it off now.\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}
