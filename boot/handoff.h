/* What the UEFI loader (boot/uefi/) hands to the AO. What it finds in the AO's
 * image is told in core/program.h. The loader on a stick may be older than the
 * AO and younger: what is changed here wants another HANDOFF_MAGIC. */
#ifndef BOOT_HANDOFF_H
#define BOOT_HANDOFF_H

#include <stdint.h>

/* At the start of the image, as entry.asm lays it out, stands the multiboot
 * header, and behind that this number, where the 64-bit entry is, and how long
 * the image is in memory. Also in EAX at that entry. */
#define HANDOFF_MAGIC 0x50425545u /* "EUBP" */

/* The image lies 1 MiB behind a multiple of 2 MiB, below 4 GiB. */
#define HANDOFF_ALIGNMENT 0x200000u
#define HANDOFF_OFFSET    0x100000u

/* One row of UEFI's memory map, as far as the AO reads it (UEFI 2.10, 7.2.3);
 * rows are map_row_bytes apart. */
struct handoff_memory {
    uint32_t type;
    uint32_t padding;
    uint64_t physical, virtual_address, pages;
};

/* In RDI at the entry: below 4 GiB, in memory that UEFI calls loader data. */
struct handoff {
    uint64_t map;
    uint64_t map_bytes, map_row_bytes;
    uint64_t rsdp;        /* 0: none */
    uint64_t framebuffer; /* 0: none */
    uint32_t width, height, stride;
    uint8_t red_shift, green_shift, blue_shift, padding;
    char command_line[64];
};

#endif
