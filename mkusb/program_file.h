/* The server's program on its way onto a stick (mailstore/slots.h). */
#ifndef MKUSB_PROGRAM_FILE_H
#define MKUSB_PROGRAM_FILE_H

#include "core/err.h"
#include "core/program.h"
#include "mkusb/media_file.h"
#include <stdbool.h>

struct program_file {
    struct program_label label;
    uint8_t *bytes; /* label.bytes, and zeros up to the next whole sector */
};

/* program_file_load - the AO: packed, where barepost.update beside it was made
 * of it, because a BIOS reads a stick slowly; else as it is.
 * Returns OK, or ERR_REFUSED after having said why. It stays as long as mkusb
 * runs. */
enum err program_file_load(struct program_file *program,
                           const char *ao) MUST_CHECK;

/* program_file_slot_bytes - how large each slot is made for it: with as much
 * again for later and larger ones, or, tight, a quarter. */
uint64_t program_file_slot_bytes(const struct program_file *program,
                                 bool tight);

/* program_file_put - onto a volume whose folder for it is there: into the spare
 * slot, and into use; a volume without slots gets them, with this program as
 * the previous one, too. Returns OK, ERR_FULL (no room for slots; what there is
 * of them now counts for nothing), or ERR_REFUSED after having said why. */
enum err program_file_put(const struct program_file *program,
                          struct media *media, bool tight) MUST_CHECK;

/* program_file_alone - the whole file that ao is without slots; *bytes: its
 * length. To be freed; NULL: out of memory. */
uint8_t *program_file_alone(const struct program_file *program, size_t *bytes);

#endif
