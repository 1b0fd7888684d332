/* Where the program lies on a stick: three files of one size in the folder ao.
 *
 *   ao       the one that the boot menu starts
 *   ao.old   the version before: "Previous version" in the boot menu
 *   ao.new   room for the next one; what it holds counts for nothing
 *
 * A new version is written into ao.new, flushed, read back and compared with
 * the hash in its label; then one write of one sector exchanges what the names
 * mean. At every power cut the stick has a whole ao, the old or the new one,
 * and a whole ao.old. All three are as long as their chains of clusters, so
 * that the table of clusters is never written. Each holds a program, what was
 * there before, and the program's label in the last sector (core/program.h).
 * One at a time, as with fat32.c. */
#ifndef MAILSTORE_SLOTS_H
#define MAILSTORE_SLOTS_H

#include "core/err.h"
#include "core/program.h"
#include "mailstore/fat32.h"
#include <stdbool.h>

enum slot { SLOT_NOW, SLOT_PREVIOUS, SLOT_SPARE, SLOTS };

#define SLOTS_FOLDER "ao"

struct slots {
    struct media *media;
    uint64_t bytes; /* of each file */
    uint64_t sector[SLOTS];
};

/* slots_name - of the file, in the folder. */
const char *slots_name(enum slot slot);

/* slots_find - OK, ERR_UNSUPPORTED: the stick has not all three of them, as
 * they are wanted; or the medium's error. */
enum err slots_find(struct slots *slots, struct media *media) MUST_CHECK;

/* slots_room - bytes of the largest program that fits. */
uint64_t slots_room(const struct slots *slots);

/* slots_put_label - behind the program that stands in the slot.
 * slots_get_label - what it says; errors as of program_label_read(), and the
 * medium's. */
enum err slots_put_label(const struct slots *slots, enum slot slot,
                         const struct program_label *label) MUST_CHECK;
enum err slots_get_label(const struct slots *slots, enum slot slot,
                         struct program_label *label) MUST_CHECK;

/* slots_check - reads the program of a slot and compares it with its label,
 * which is handed out. buffer: of `bytes`, whole sectors.
 * OK, ERR_CORRUPT (it is not what its label says), or as slots_get_label(). */
enum err slots_check(const struct slots *slots, enum slot slot, void *buffer,
                     size_t bytes, struct program_label *label) MUST_CHECK;

enum slots_change {
    SLOTS_INSTALL, /* the spare one starts; what started before is kept */
    SLOTS_REPLACE, /* the spare one starts; what started before is given up */
    SLOTS_BACK,    /* the previous one starts; what started before is kept */
};

/* slots_use - lets another slot be the one that starts. What was written into
 * it was flushed before. Returns OK once that is durable, or an error: then
 * nothing has changed, but for the medium's: then it may have. */
enum err slots_use(struct media *media, enum slots_change change) MUST_CHECK;

#endif
