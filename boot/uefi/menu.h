/* The boot menu under UEFI: the same two choices as from BIOS. */
#ifndef BOOT_UEFI_MENU_H
#define BOOT_UEFI_MENU_H

#include "boot/uefi/efi.h"

/* menu_choose - shows the menu on the firmware's consoles and waits for a
 * choice, five seconds at the most. Returns the AO's command line. */
const char *menu_choose(struct efi_system_table *system);

#endif
