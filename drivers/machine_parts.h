/* What drivers/machine.c moves on each turn, besides PCI and console. */
#ifndef DRIVERS_MACHINE_PARTS_H
#define DRIVERS_MACHINE_PARTS_H

#include <stdbool.h>

/* disk_poll - answers the requests that were refused; true if there were any.
 */
bool disk_poll(void);

/* nic_poll - chooses the card that serves; true when it changed. */
bool nic_poll(void);

#endif
