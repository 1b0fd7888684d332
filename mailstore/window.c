/* See window.h. */
#include "mailstore/window.h"
#include "mailstore/ahead.h"
#include <sqlite3.h>
#include <string.h>

static uint64_t block_of(uint64_t offset)
{
    return offset & ~(uint64_t)(BLOCK_BYTES - 1);
}

static bool holds(const struct window *window, uint64_t block)
{
    return block >= window->start && block < window->start + window->len;
}

void window_forget(struct window *window)
{
    window->len = 0;
    window->dirty_from = 0;
    window->dirty_to = 0;
}

enum err window_write_out(struct window *window)
{
    struct media *media = window->media;
    uint64_t from = window->start + window->dirty_from;
    size_t bytes = window->dirty_to - window->dirty_from;
    enum err err;

    if (bytes == 0)
        return OK;
    *window->unflushed = true;
    ahead_forget(window, from, bytes);
    err = media->write(media, window->sector + from / MEDIA_SECTOR_BYTES,
                       (uint32_t)(bytes / MEDIA_SECTOR_BYTES),
                       window->buffer + window->dirty_from);
    ahead_forget(window, from, bytes);
    if (!err) {
        window->dirty_from = 0;
        window->dirty_to = 0;
    }
    return err;
}

static enum err read_blocks(struct window *window, uint64_t block,
                            uint8_t *buffer, size_t bytes)
{
    struct media *media = window->media;

    return media->read(media, window->sector + block / MEDIA_SECTOR_BYTES,
                       (uint32_t)(bytes / MEDIA_SECTOR_BYTES), buffer);
}

/* Brings a block into the window. whole: the caller overwrites all of it. */
static enum err bring(struct window *window, uint64_t block, bool whole)
{
    bool append = block == window->start + window->len &&
                  window->len < window->capacity && window->len > 0;
    uint8_t *place;
    enum err err;

    if (holds(window, block))
        return OK;
    if (!append) {
        err = window_write_out(window);
        if (err)
            return err;
        window_forget(window);
        window->start = block;
    }
    place = window->buffer + window->len;
    if (whole || block >= window->high) {
        memset(place, 0, BLOCK_BYTES);
    } else {
        err = read_blocks(window, block, place, BLOCK_BYTES);
        if (err)
            return err;
    }
    window->len += BLOCK_BYTES;
    return OK;
}

static void mark_dirty(struct window *window, size_t at)
{
    if (window->dirty_to == 0) {
        window->dirty_from = at;
        window->dirty_to = at + BLOCK_BYTES;
        return;
    }
    if (at < window->dirty_from)
        window->dirty_from = at;
    if (at + BLOCK_BYTES > window->dirty_to)
        window->dirty_to = at + BLOCK_BYTES;
}

enum err window_write(struct window *window, uint64_t offset, const void *data,
                      size_t bytes)
{
    const uint8_t *from = data;

    if (offset > window->bytes || bytes > window->bytes - offset)
        return ERR_FULL;
    while (bytes) {
        uint64_t block = block_of(offset);
        size_t skip = (size_t)(offset - block);
        size_t part = BLOCK_BYTES - skip;
        enum err err;

        if (part > bytes)
            part = bytes;
        err = bring(window, block, part == BLOCK_BYTES);
        if (err)
            return err;
        memcpy(window->buffer + (block - window->start) + skip, from, part);
        mark_dirty(window, (size_t)(block - window->start));
        offset += part;
        from += part;
        bytes -= part;
        if (offset > window->high)
            window->high = offset;
    }
    return OK;
}

/* What the window holds of a range, over what the medium said. */
static void overlay(const struct window *window, uint64_t offset,
                    uint8_t *buffer, size_t bytes)
{
    uint64_t from = offset > window->start ? offset : window->start;
    uint64_t end = window->start + window->len;
    uint64_t to = offset + bytes < end ? offset + bytes : end;

    if (from < to)
        memcpy(buffer + (from - offset),
               window->buffer + (from - window->start), (size_t)(to - from));
}

enum err window_read(struct window *window, uint64_t offset, void *buffer,
                     size_t bytes, bool heap_buffer)
{
    uint64_t mask = MEDIA_SECTOR_BYTES - 1;
    uint64_t from = offset & ~mask;
    uint64_t to = (offset + bytes + mask) & ~mask;
    uint8_t *bounce;
    enum err err;

    if (window->len && offset >= window->start &&
        offset + bytes <= window->start + window->len) {
        overlay(window, offset, buffer, bytes);
        return OK;
    }
    if (heap_buffer && from == offset && to == offset + bytes) {
        err = ahead_read(window, from, buffer, bytes);
    } else {
        /* From the heap, and not one for all: several connections may be
         * waiting here at the same time. */
        bounce = sqlite3_malloc64(to - from);
        if (!bounce)
            return ERR_MEMORY;
        err = ahead_read(window, from, bounce, (size_t)(to - from));
        if (!err)
            memcpy(buffer, bounce + (offset - from), bytes);
        sqlite3_free(bounce);
    }
    if (!err)
        overlay(window, offset, buffer, bytes);
    return err;
}

void window_load(struct window *window, uint64_t offset)
{
    uint64_t block = block_of(offset);
    size_t bytes = window->capacity;

    if (window->dirty_to || block >= window->bytes)
        return;
    if (bytes > window->bytes - block)
        bytes = (size_t)(window->bytes - block);
    window_forget(window);
    if (read_blocks(window, block, window->buffer, bytes))
        return;
    window->start = block;
    window->len = bytes;
}
