/* The loop's side of a real PC: devices are found at the first turn, when the
 * pools they draw on exist; then each turn moves them on. */
#include "core/machine.h"
#include "drivers/console/console.h"
#include "drivers/interrupt.h"
#include "drivers/machine_parts.h"
#include "drivers/pci.h"

static struct machine_state {
    bool started;
} state;

bool machine_poll(void)
{
    bool any = false;

    if (!state.started) {
        state.started = true;
        pci_module_init();
    }
    any |= pci_poll();
    any |= nic_poll();
    any |= disk_poll();
    any |= console_poll();
    return any;
}

void machine_idle(uint64_t deadline_ns)
{
    interrupt_idle(deadline_ns);
}
