/* A program file: the AO as it comes over the network and lies on a stick, with
 * a label that says what it is. boot/update.py makes them, mkusb and the AO put
 * them on sticks, the UEFI loader reads them there.
 *
 *   update file   label, program
 *   on a stick    program, anything, label in the last 512 bytes of the file
 *
 * The program is build/ao, an ELF file, as it is or packed by gzip; a boot
 * loader of BIOS PCs reads it from the file's start and needs no label. */
#ifndef CORE_PROGRAM_H
#define CORE_PROGRAM_H

#include "core/err.h"
#include "core/sha256.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRAM_LABEL_BYTES   512
#define PROGRAM_VERSION_BYTES 96
#define PROGRAM_BYTES_MAX     (64u * 1024 * 1024)

/* So much of an unpacked program has to be there for program_find_image(). */
#define PROGRAM_HEAD_BYTES 8192

struct program_label {
    uint32_t bytes;               /* of the program, as it is in the file */
    uint32_t unpacked_bytes;      /* the same as bytes when it is not packed */
    uint32_t store;               /* version of the store that it works on */
    uint8_t sha256[SHA256_BYTES]; /* of those bytes */
    char version[PROGRAM_VERSION_BYTES]; /* printable; may be "" */
};

/* program_label_read - OK, ERR_INVALID (that is no label), ERR_VERSION (one of
 * a later kind), ERR_CORRUPT (damaged). program_label_write - the other way. */
enum err program_label_read(const uint8_t block[PROGRAM_LABEL_BYTES],
                            struct program_label *label) MUST_CHECK;
void program_label_write(const struct program_label *label,
                         uint8_t block[PROGRAM_LABEL_BYTES]);

/* Where the AO's image lies in an unpacked program, and what it needs. */
struct program_image {
    uint32_t offset, file_bytes;
    uint32_t image_bytes; /* with what the file does not hold: zeros */
    uint32_t entry;       /* 64-bit entry, from the start of the image */
};

/* program_find_image - head: the beginning of a program of `total` bytes.
 * Returns OK, or ERR_INVALID: it is no AO for x86-64 that this loader and its
 * successors can start. */
enum err program_find_image(const uint8_t *head, size_t head_bytes,
                            size_t total,
                            struct program_image *image) MUST_CHECK;

#endif
