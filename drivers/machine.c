/* The loop's side of a real PC: devices are found at the first turn, when the
 * pools they draw on exist; then each turn moves them on. */
#include "core/log.h"
#include "core/machine.h"
#include "drivers/clock.h"
#include "drivers/console/console.h"
#include "drivers/interrupt.h"
#include "drivers/machine_parts.h"
#include "drivers/pci.h"
#include "drivers/watchdog.h"

/* Sleeps in a row that ended by time alone and yet found a device with work,
 * before interrupts are taken not to arrive. */
#define UNHEARD_MAX 16u

static struct machine_state {
    bool started;
    bool slept_unheard; /* the last sleep ended without a device's line */
    unsigned unheard;
} state;

static void judge_interrupts(bool work)
{
    if (!state.slept_unheard)
        return;
    if (work && ++state.unheard == UNHEARD_MAX) {
        log_warn("machine", "interrupts do not arrive: polling");
        interrupt_distrust();
    }
    state.slept_unheard = false;
}

bool machine_poll(void)
{
    bool any;

    if (!state.started) {
        state.started = true;
        pci_module_init();
        watchdog_start();
    }
    clock_poll();
    any = pci_poll();
    judge_interrupts(any);
    any |= nic_poll();
    any |= disk_poll();
    any |= console_poll();
    return any;
}

void machine_idle(uint64_t deadline_ns)
{
    state.slept_unheard = !interrupt_idle(deadline_ns);
    if (!state.slept_unheard)
        state.unheard = 0;
}
