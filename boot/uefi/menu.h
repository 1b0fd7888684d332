/* The boot menu under UEFI: the same choices as from BIOS. */
#ifndef BOOT_UEFI_MENU_H
#define BOOT_UEFI_MENU_H

#include "boot/uefi/efi.h"

struct choice {
    const char *command_line; /* of the AO */
    bool previous;            /* the version before */
};

/* menu_choose - shows the menu on the firmware's consoles and waits for a
 * choice, five seconds at the most. */
void menu_choose(struct efi_system_table *system, struct choice *choice);

#endif
