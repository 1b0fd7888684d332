/* The AO in the UEFI loader's hands: read from the stick. */
#ifndef BOOT_UEFI_PROGRAM_H
#define BOOT_UEFI_PROGRAM_H

#include "boot/uefi/efi.h"
#include "core/program.h"

/* A program in memory, unpacked. */
struct program {
    const uint8_t *bytes;
    struct program_image image;
};

/* program_load - reads ao, or ao.old, of the stick that the loader came from,
 * checks it and unpacks it. Returns NULL, or a sentence that says why not. */
const char16_t *program_load(struct efi_system_table *system, void *loader,
                             bool previous, struct program *program);

#endif
