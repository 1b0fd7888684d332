/* The medium under the store: sectors of the stick, or of an image file.
 *
 * Calls block their caller until they are done. In the AO the caller is an ST
 * coroutine which is suspended meanwhile; in mkusb it is the process. */
#ifndef MAILSTORE_MEDIA_H
#define MAILSTORE_MEDIA_H

#include "core/err.h"
#include <stdbool.h>
#include <stdint.h>

#define MEDIA_SECTOR_BYTES 512

struct media {
    /* sector, count: in MEDIA_SECTOR_BYTES. OK, ERR_IO, ERR_GONE,
     * ERR_REFUSED (write-protected), ERR_INVALID (outside). */
    enum err (*read)(struct media *media, uint64_t sector, uint32_t count,
                     void *buffer);
    enum err (*write)(struct media *media, uint64_t sector, uint32_t count,
                      const void *buffer);
    /* What was written before is durable afterwards. */
    enum err (*flush)(struct media *media);
    uint64_t sectors;
};

#endif
