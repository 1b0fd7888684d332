/* The stick as it shall be, in memory: a sparse file without a name, as large
 * as the target. mtools, syslinux and the store work on it; the target is
 * written only when all of that has succeeded, and only where there is
 * something to write. */
#ifndef MKUSB_STICK_IMAGE_H
#define MKUSB_STICK_IMAGE_H

#include "core/err.h"
#include "mailstore/fat32.h"
#include "mkusb/media_file.h"
#include <stdint.h>

struct stick_image {
    int fd;
    char path[48]; /* by which other programs can open it */
    uint64_t bytes;
    struct media_file media;
};

/* Bytes of the target that must stay as they are. */
struct stick_range {
    uint64_t start, end;
};

/* stick_image_make - all zero. OK, or ERR_REFUSED after having said why. */
enum err stick_image_make(struct stick_image *image, uint64_t bytes) MUST_CHECK;
void stick_image_free(struct stick_image *image);

/* stick_image_load - copies all that is in use on the stick `from`, but for
 * the clusters in the ranges `keep`. */
enum err stick_image_load(struct stick_image *image, const struct fat32 *fat,
                          const struct stick_range *keep,
                          unsigned count) MUST_CHECK;

/* stick_image_write - writes what the image holds to the target, from the end
 * to the start, so that a stick that was cut off half-way has no partition
 * table yet.
 * fat: the volume in the image. fresh: the target's content counts for nothing,
 * everything before the data area is written; else only what differs.
 * keep: these ranges, in rising order, are never written. */
enum err stick_image_write(const struct stick_image *image, int target_fd,
                           const struct fat32 *fat, bool fresh,
                           const struct stick_range *keep,
                           unsigned count) MUST_CHECK;

#endif
