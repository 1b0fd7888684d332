/* struct media over a file descriptor, and a copy-on-write cover over any
 * struct media, which keeps what is written in RAM. */
#ifndef MKUSB_MEDIA_FILE_H
#define MKUSB_MEDIA_FILE_H

#include "mailstore/media.h"
#include <stddef.h>

struct media_file {
    struct media media; /* first: a struct media * is a struct media_file * */
    int fd;
    bool writable;
};

/* media_file_init - the medium is the first `bytes` of the open file `fd`,
 * which stays the caller's. */
void media_file_init(struct media_file *file, int fd, uint64_t bytes,
                     bool writable);

#define MEDIA_OVERLAY_BLOCK 4096

struct media_overlay_block {
    uint64_t number; /* of MEDIA_OVERLAY_BLOCK bytes */
    uint8_t *bytes;  /* NULL: this place of the table is free */
};

/* Invariant: at most half of the table is in use, so that a search ends. */
struct media_overlay {
    struct media media;
    struct media *base;
    struct media_overlay_block *table;
    size_t places, used;
};

/* media_overlay_init - base is only ever read. media_overlay_free forgets what
 * was written. */
enum err media_overlay_init(struct media_overlay *overlay,
                            struct media *base) MUST_CHECK;
void media_overlay_free(struct media_overlay *overlay);

/* Whole transfers at a byte offset, with EINTR and short counts handled.
 * OK, ERR_IO, ERR_FULL, ERR_GONE, ERR_REFUSED. Behind the end: ERR_IO. */
enum err file_read_at(int fd, void *buffer, size_t bytes,
                      uint64_t offset) MUST_CHECK;
enum err file_write_at(int fd, const void *buffer, size_t bytes,
                       uint64_t offset) MUST_CHECK;

#endif
