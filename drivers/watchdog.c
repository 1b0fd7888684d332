/* The watchdogs that run, and their feeding. */
#include "drivers/watchdog.h"
#include "core/log.h"
#include "core/machine.h"
#include <stddef.h>

static const struct watchdog *const kinds[] = {&watchdog_i6300esb,
                                               &watchdog_itco};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct watchdog_state {
    const struct watchdog *running[KINDS];
    unsigned count;
} state;

static void try_kind(const struct watchdog *kind)
{
    const struct pci_device *device;
    bool fired = false;

    for (unsigned i = 0; (device = pci_device_at(i)) != NULL; i++) {
        if (!kind->start(device, &fired))
            continue;
        state.running[state.count++] = kind;
        log_info("watchdog", "%s runs, limit_s=%u", kind->name,
                 2 * WATCHDOG_STAGE_S);
        if (fired)
            log_err("watchdog", "Barepost hung: %s has restarted the PC",
                    kind->name);
        return;
    }
}

void watchdog_start(void)
{
    for (unsigned i = 0; i < KINDS; i++)
        try_kind(kinds[i]);
}

void watchdog_stop(void)
{
    for (unsigned i = 0; i < state.count; i++)
        state.running[i]->stop();
    state.count = 0;
}

const char *watchdog_name(unsigned index)
{
    return index < state.count ? state.running[index]->name : NULL;
}

void machine_watchdog_feed(void)
{
    for (unsigned i = 0; i < state.count; i++)
        state.running[i]->feed();
}
