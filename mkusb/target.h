/* What stands behind TARGET on the command line, and whether mkusb may write
 * to it. */
#ifndef MKUSB_TARGET_H
#define MKUSB_TARGET_H

#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_MESSAGE_BYTES 512

/* Where the system's own knowledge is read from. */
struct target_roots {
    const char *sys;       /* "/sys" */
    const char *mountinfo; /* "/proc/self/mountinfo" */
    const char *swaps;     /* "/proc/swaps" */
};
extern const struct target_roots target_roots_system;

enum target_kind { TARGET_NEW_FILE, TARGET_FILE, TARGET_DEVICE };

struct target {
    const char *path;
    enum target_kind kind;
    unsigned major, minor; /* of a device */
    uint64_t bytes;        /* 0 for a new file */
    bool has_content;      /* a file that is not just a hole */
    char description[200]; /* of a device: vendor, product, serial */
};

/* target_examine - finds out what `path` is.
 * Returns OK, or ERR_REFUSED with a sentence in message: neither file nor block
 * device, nothing of that name where a device is meant, no access. */
enum err target_examine(const char *path, struct target *target,
                        char message[TARGET_MESSAGE_BYTES]) MUST_CHECK;

/* target_check_device - whether a block device is a whole USB stick that
 * nobody uses; fills bytes and description.
 * allow_fixed: also a USB disk that does not call itself removable.
 * Returns OK or ERR_REFUSED with a sentence. */
enum err target_check_device(const struct target_roots *roots,
                             struct target *target, bool allow_fixed,
                             char message[TARGET_MESSAGE_BYTES]) MUST_CHECK;

#endif
