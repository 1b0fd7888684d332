/* What makes the stick bootable: FAT32 file system, syslinux with its menu,
 * the AO for BIOS and for UEFI, and a README for whoever plugs the stick into a
 * PC. */
#ifndef MKUSB_BOOT_FILES_H
#define MKUSB_BOOT_FILES_H

#include "core/err.h"
#include "mkusb/layout.h"
#include "mkusb/program_file.h"
#include <stdint.h>

#define BOOT_FILES_LABEL "BAREPOST"

struct boot_files {
    const char *ao;              /* path of the AO on the workstation */
    char uefi[4096];             /* of BOOTX64.EFI, which stands beside it */
    struct program_file program; /* what is made of the AO */
    uint64_t uefi_bytes;
    const char *modules; /* folder of syslinux's menu.c32 and others */
    uint8_t boot_code[LAYOUT_BOOT_CODE_BYTES];
};

/* boot_files_find - all that is needed is there: programs, syslinux's files,
 * an AO that can be booted (Multiboot 1 header), and BOOTX64.EFI beside it.
 * Returns OK, or ERR_REFUSED after having said what is missing. */
enum err boot_files_find(struct boot_files *files, const char *ao) MUST_CHECK;

/* boot_files_bytes - room that they take in the data area, at most. */
uint64_t boot_files_bytes(const struct boot_files *files);

/* boot_files_format - an empty FAT32 volume in the image's partition.
 * image: path that mtools and syslinux can open. */
enum err boot_files_format(const char *image,
                           const struct layout *layout) MUST_CHECK;

/* boot_files_write - folders, boot loader, menu, AO and README into a FAT32
 * volume that begins at partition_sector; what is there of them is replaced.
 * store_id: of the store that the AO is to take; "": the first one it finds. */
enum err boot_files_write(const struct boot_files *files, const char *image,
                          uint64_t partition_sector,
                          const char *store_id) MUST_CHECK;

#endif
