/* A window of whole 4 KiB blocks onto one of the store's two files, through
 * which all its writes pass.
 *
 *   file    |....|....|####|####|####|....|
 *                     ^ start        ^ start + len
 *
 * SQLite writes a WAL frame as 24 + 4096 unaligned bytes, and a checkpoint page
 * by page; the stick wants few, long and aligned writes. So bytes gather here
 * and leave in one write per run of blocks, at the latest when SQLite asks for
 * a sync. The window's content is always what the file holds or is about to
 * hold: reads look here first. Only the connection that writes moves it. */
#ifndef MAILSTORE_WINDOW_H
#define MAILSTORE_WINDOW_H

#include "core/err.h"
#include "mailstore/media.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_BYTES 4096

struct window {
    struct media *media;
    uint64_t sector; /* the file's first */
    uint64_t bytes;  /* the file's extent, whole blocks */
    uint64_t high;   /* blocks from here on hold nothing that matters */
    uint8_t *buffer;
    size_t capacity; /* of buffer, whole blocks */
    uint64_t start;
    size_t len;
    size_t dirty_from, dirty_to; /* within the buffer, whole blocks */
    bool *unflushed;             /* set when the medium was written to */
};

/* window_write - puts bytes into the file. Returns OK, ERR_FULL (outside the
 * extent; nothing was changed) or the medium's error. */
enum err window_write(struct window *window, uint64_t offset, const void *data,
                      size_t bytes) MUST_CHECK;

/* window_read - gets bytes, which must lie in the extent. heap_buffer: whether
 * the medium may read into buffer directly. */
enum err window_read(struct window *window, uint64_t offset, void *buffer,
                     size_t bytes, bool heap_buffer) MUST_CHECK;

/* window_load - moves a clean window to the block of offset and fills it from
 * the medium, for sequential reading. Does nothing when it is dirty; it is
 * empty when one of the sectors cannot be read. */
void window_load(struct window *window, uint64_t offset);

/* window_write_out - what gathered goes to the medium; not yet a flush. */
enum err window_write_out(struct window *window) MUST_CHECK;

/* window_forget - drops the content, dirty or not. */
void window_forget(struct window *window);

#endif
