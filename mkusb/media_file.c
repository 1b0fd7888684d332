/* The medium as a workstation has it: a block device or an image file.
 *
 * --inspect and --check lay a cover over it: the store's recovery after a
 * power cut wants to write, and a look at a stick must not change it. What is
 * written goes into blocks of 4 KiB in RAM, found by hash. */
#include "mkusb/media_file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SECTORS (MEDIA_OVERLAY_BLOCK / MEDIA_SECTOR_BYTES)
#define FIRST_PLACES  1024

static enum err error_of_errno(void)
{
    switch (errno) {
    case ENODEV:
    case ENXIO:
    case ENOMEDIUM:
        return ERR_GONE;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case EROFS:
    case EPERM:
    case EACCES:
    case EBADF:
        return ERR_REFUSED;
    default:
        return ERR_IO;
    }
}

enum err file_read_at(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t got = pread(fd, (uint8_t *)buffer + done, bytes - done,
                            (off_t)(offset + done));

        if (got > 0)
            done += (size_t)got;
        else if (got == 0)
            return ERR_IO;
        else if (errno != EINTR)
            return error_of_errno();
    }
    return OK;
}

enum err file_write_at(int fd, const void *buffer, size_t bytes,
                       uint64_t offset)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t put = pwrite(fd, (const uint8_t *)buffer + done, bytes - done,
                             (off_t)(offset + done));

        if (put >= 0)
            done += (size_t)put;
        else if (errno != EINTR)
            return error_of_errno();
    }
    return OK;
}

static bool inside(const struct media *media, uint64_t sector, uint32_t count)
{
    return sector <= media->sectors && count <= media->sectors - sector;
}

static enum err file_read(struct media *media, uint64_t sector, uint32_t count,
                          void *buffer)
{
    struct media_file *file = (struct media_file *)media;

    if (!inside(media, sector, count))
        return ERR_INVALID;
    return file_read_at(file->fd, buffer, (size_t)count * MEDIA_SECTOR_BYTES,
                        sector * MEDIA_SECTOR_BYTES);
}

static enum err file_write(struct media *media, uint64_t sector, uint32_t count,
                           const void *buffer)
{
    struct media_file *file = (struct media_file *)media;

    if (!inside(media, sector, count))
        return ERR_INVALID;
    if (!file->writable)
        return ERR_REFUSED;
    return file_write_at(file->fd, buffer, (size_t)count * MEDIA_SECTOR_BYTES,
                         sector * MEDIA_SECTOR_BYTES);
}

static enum err file_flush(struct media *media)
{
    struct media_file *file = (struct media_file *)media;

    if (!file->writable)
        return OK;
    return fdatasync(file->fd) == 0 ? OK : error_of_errno();
}

void media_file_init(struct media_file *file, int fd, uint64_t bytes,
                     bool writable)
{
    file->media.read = file_read;
    file->media.write = file_write;
    file->media.flush = file_flush;
    file->media.sectors = bytes / MEDIA_SECTOR_BYTES;
    file->fd = fd;
    file->writable = writable;
}

/* ---- Copy-on-write cover ------------------------------------------------ */

static struct media_overlay_block *find_place(struct media_overlay_block *table,
                                              size_t places, uint64_t number)
{
    size_t at = (size_t)((number * 0x9E3779B97F4A7C15u) >> 32) & (places - 1);

    while (table[at].bytes != NULL && table[at].number != number)
        at = (at + 1) & (places - 1);
    return &table[at];
}

static enum err grow(struct media_overlay *overlay)
{
    size_t places = overlay->places * 2;
    struct media_overlay_block *table = calloc(places, sizeof(*table));

    if (table == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < overlay->places; i++)
        if (overlay->table[i].bytes != NULL)
            *find_place(table, places, overlay->table[i].number) =
                overlay->table[i];
    free(overlay->table);
    overlay->table = table;
    overlay->places = places;
    return OK;
}

static enum err base_read_block(struct media_overlay *overlay, uint64_t number,
                                uint8_t *bytes)
{
    uint64_t first = number * BLOCK_SECTORS;
    uint64_t left = overlay->base->sectors - first;
    uint32_t count = left < BLOCK_SECTORS ? (uint32_t)left : BLOCK_SECTORS;

    memset(bytes, 0, MEDIA_OVERLAY_BLOCK);
    return overlay->base->read(overlay->base, first, count, bytes);
}

/* The block's copy in RAM, made when there is none. */
static enum err copy_of(struct media_overlay *overlay, uint64_t number,
                        uint8_t **bytes)
{
    struct media_overlay_block *place =
        find_place(overlay->table, overlay->places, number);
    enum err err;

    if (place->bytes == NULL) {
        if (overlay->used * 2 >= overlay->places) {
            err = grow(overlay);
            if (err != OK)
                return err;
            place = find_place(overlay->table, overlay->places, number);
        }
        *bytes = malloc(MEDIA_OVERLAY_BLOCK);
        if (*bytes == NULL)
            return ERR_MEMORY;
        err = base_read_block(overlay, number, *bytes);
        if (err != OK) {
            free(*bytes);
            return err;
        }
        place->number = number;
        place->bytes = *bytes;
        overlay->used++;
    }
    *bytes = place->bytes;
    return OK;
}

static enum err overlay_read(struct media *media, uint64_t sector,
                             uint32_t count, void *buffer)
{
    struct media_overlay *overlay = (struct media_overlay *)media;
    uint8_t *to = buffer;
    enum err err;

    if (!inside(media, sector, count))
        return ERR_INVALID;
    err = overlay->base->read(overlay->base, sector, count, buffer);
    if (err != OK)
        return err;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = sector + i;
        const struct media_overlay_block *place =
            find_place(overlay->table, overlay->places, at / BLOCK_SECTORS);

        if (place->bytes != NULL)
            memcpy(to + (size_t)i * MEDIA_SECTOR_BYTES,
                   place->bytes + at % BLOCK_SECTORS * MEDIA_SECTOR_BYTES,
                   MEDIA_SECTOR_BYTES);
    }
    return OK;
}

static enum err overlay_write(struct media *media, uint64_t sector,
                              uint32_t count, const void *buffer)
{
    struct media_overlay *overlay = (struct media_overlay *)media;
    const uint8_t *from = buffer;

    if (!inside(media, sector, count))
        return ERR_INVALID;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = sector + i;
        uint8_t *bytes = NULL;
        enum err err = copy_of(overlay, at / BLOCK_SECTORS, &bytes);

        if (err != OK)
            return err;
        memcpy(bytes + at % BLOCK_SECTORS * MEDIA_SECTOR_BYTES,
               from + (size_t)i * MEDIA_SECTOR_BYTES, MEDIA_SECTOR_BYTES);
    }
    return OK;
}

static enum err overlay_flush(struct media *media)
{
    (void)media;
    return OK;
}

enum err media_overlay_init(struct media_overlay *overlay, struct media *base)
{
    overlay->media.read = overlay_read;
    overlay->media.write = overlay_write;
    overlay->media.flush = overlay_flush;
    overlay->media.sectors = base->sectors;
    overlay->base = base;
    overlay->places = FIRST_PLACES;
    overlay->used = 0;
    overlay->table = calloc(overlay->places, sizeof(*overlay->table));
    return overlay->table == NULL ? ERR_MEMORY : OK;
}

void media_overlay_free(struct media_overlay *overlay)
{
    for (size_t i = 0; i < overlay->places; i++)
        free(overlay->table[i].bytes);
    free(overlay->table);
    overlay->table = NULL;
    overlay->places = overlay->used = 0;
}
