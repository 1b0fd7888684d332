/* The target, open. */
#ifndef MKUSB_TARGET_FILE_H
#define MKUSB_TARGET_FILE_H

#include "core/err.h"
#include "mkusb/target.h"
#include <stdint.h>

struct target_file {
    const struct target *target;
    int fd;
    uint64_t bytes;
    char *path;      /* the target's real path */
    char *temporary; /* a new image file is made under this name */
};

/* target_file_open_device - exclusively: from here on nobody can mount it.
 * target_file_open_new - an image file of `bytes` under a temporary name in the
 * target's folder; target_file_commit() gives it its name.
 * target_file_open_update - an existing image, in place.
 * target_file_open_read - whatever can be read. Fills bytes.
 * OK, or ERR_REFUSED after having said why. */
enum err target_file_open_device(struct target_file *file,
                                 const struct target *target) MUST_CHECK;
enum err target_file_open_new(struct target_file *file,
                              const struct target *target,
                              uint64_t bytes) MUST_CHECK;
enum err target_file_open_update(struct target_file *file,
                                 const struct target *target) MUST_CHECK;
enum err target_file_open_read(struct target_file *file,
                               const struct target *target) MUST_CHECK;

/* target_file_wipe_end - zeroes where a GPT would keep its copy (UEFI 2.10,
 * 5.3.2), so that no tool finds the former one. For devices. */
enum err target_file_wipe_end(struct target_file *file) MUST_CHECK;

/* target_file_commit - all is written: makes it durable, gives a new image its
 * name, has the kernel read a device's new partition table. */
enum err target_file_commit(struct target_file *file) MUST_CHECK;

/* target_file_close - also removes what was not committed. */
void target_file_close(struct target_file *file);

#endif
