/* Watchdogs: timers of the board that restart the PC when nobody feeds them.
 *
 * Both kinds count down twice and restart at the second time, so each count is
 * half of what MT has before it is taken to hang. */
#ifndef DRIVERS_WATCHDOG_H
#define DRIVERS_WATCHDOG_H

#include "drivers/pci.h"
#include <stdbool.h>

/* No turn of MT takes nearly as long: not on a slow PC, not at start. */
#define WATCHDOG_STAGE_S 10u

/* One kind of watchdog; a PC has at most one of each. */
struct watchdog {
    const char *name; /* for people */
    /* Takes the function if it is one, and starts it; *fired: whether it was
     * what restarted the PC last. */
    bool (*start)(const struct pci_device *device, bool *fired);
    void (*feed)(void);
    void (*stop)(void);
};

extern const struct watchdog watchdog_i6300esb, watchdog_itco;

/* watchdog_start - starts all that the PC has; after PCI is known. */
void watchdog_start(void);

/* watchdog_stop - before the PC goes off. */
void watchdog_stop(void);

/* watchdog_name - the index-th one that runs, NULL behind the last. */
const char *watchdog_name(unsigned index);

#endif
