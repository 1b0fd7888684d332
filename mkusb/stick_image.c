/* Image in memory <-> target.
 *
 * What was written to the image is found by SEEK_DATA, page by page. In the
 * data area it is widened to whole clusters: a cluster that is in use is always
 * written completely, so that nothing of the target's former content can show
 * through in a directory. Clusters that only mail.db and its WAL own stay as
 * they are on the target, except for the pages that the store has written. */
#include "mkusb/stick_image.h"
#include "mkusb/say.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES  4096
#define CHUNK_BYTES (1024u * 1024)
#define ENTRY_FREE  0u
#define ENTRY_BAD   0x0FFFFFF7u

struct extents {
    struct stick_range *list;
    size_t count, room;
    uint64_t bytes;
};

enum err stick_image_make(struct stick_image *image, uint64_t bytes)
{
    image->fd = memfd_create("barepost-stick", MFD_CLOEXEC);
    image->bytes = bytes;
    if (image->fd < 0 || ftruncate(image->fd, (off_t)bytes) != 0)
        return say_refused("no memory for the stick's image: %s",
                           strerror(errno));
    snprintf(image->path, sizeof(image->path), "/proc/%ld/fd/%d",
             (long)getpid(), image->fd);
    media_file_init(&image->media, image->fd, bytes, true);
    return OK;
}

void stick_image_free(struct stick_image *image)
{
    if (image->fd >= 0)
        close(image->fd);
    image->fd = -1;
}

/* ---- Ranges
 * ------------------------------------------------------------------ */

static uint64_t data_start(const struct fat32 *fat)
{
    return fat->data_sector * MEDIA_SECTOR_BYTES;
}

static uint64_t cluster_bytes(const struct fat32 *fat)
{
    return (uint64_t)fat->cluster_sectors * MEDIA_SECTOR_BYTES;
}

static bool overlaps(struct stick_range range, const struct stick_range *keep,
                     unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (range.start < keep[i].end && keep[i].start < range.end)
            return true;
    return false;
}

static enum err add_extent(struct extents *extents, uint64_t start,
                           uint64_t end)
{
    struct stick_range *last =
        extents->count == 0 ? NULL : &extents->list[extents->count - 1];

    if (last != NULL && start <= last->end) {
        if (end > last->end) {
            extents->bytes += end - last->end;
            last->end = end;
        }
        return OK;
    }
    if (extents->count == extents->room) {
        size_t room = extents->room == 0 ? 64 : extents->room * 2;
        struct stick_range *list =
            reallocarray(extents->list, room, sizeof(*list));

        if (list == NULL)
            return say_refused("out of memory");
        extents->list = list;
        extents->room = room;
    }
    extents->list[extents->count].start = start;
    extents->list[extents->count++].end = end;
    extents->bytes += end - start;
    return OK;
}

/* Widens to whole clusters in the data area, to pages before it. */
static struct stick_range widen(const struct fat32 *fat, uint64_t bytes,
                                uint64_t start, uint64_t end)
{
    uint64_t data = data_start(fat), unit = cluster_bytes(fat);
    struct stick_range range = {start / PAGE_BYTES * PAGE_BYTES, end};

    if (start >= data)
        range.start = data + (start - data) / unit * unit;
    if (end > data)
        range.end = data + (end - data + unit - 1) / unit * unit;
    if (range.end > bytes)
        range.end = bytes;
    return range;
}

/* Adds the range but for what is to be kept. keep: in rising order. */
static enum err add_outside(struct extents *extents, struct stick_range range,
                            const struct stick_range *keep, unsigned count)
{
    enum err err = OK;

    for (unsigned i = 0; err == OK && i < count; i++) {
        if (keep[i].end <= range.start || keep[i].start >= range.end)
            continue;
        if (keep[i].start > range.start)
            err = add_extent(extents, range.start, keep[i].start);
        range.start = keep[i].end;
    }
    if (err == OK && range.start < range.end)
        err = add_extent(extents, range.start, range.end);
    return err;
}

static enum err find_extents(const struct stick_image *image,
                             const struct fat32 *fat, bool fresh,
                             const struct stick_range *keep, unsigned count,
                             struct extents *extents)
{
    off_t at = 0;
    enum err err = fresh ? add_extent(extents, 0, data_start(fat)) : OK;

    while (err == OK && (uint64_t)at < image->bytes) {
        off_t data = lseek(image->fd, at, SEEK_DATA);
        struct stick_range range;

        if (data < 0)
            return errno == ENXIO ? OK
                                  : say_refused("image: %s", strerror(errno));
        at = lseek(image->fd, data, SEEK_HOLE);
        if (at < 0)
            return say_refused("image: %s", strerror(errno));
        range = widen(fat, image->bytes, (uint64_t)data, (uint64_t)at);
        err = add_outside(extents, range, keep, count);
    }
    return err;
}

/* ---- Loading
 * -------------------------------------------------------------------- */

static enum err copy_in(struct stick_image *image, struct media *from,
                        uint64_t start, uint64_t end)
{
    static uint8_t chunk[CHUNK_BYTES];

    while (start < end) {
        size_t bytes =
            end - start < CHUNK_BYTES ? (size_t)(end - start) : CHUNK_BYTES;
        enum err err =
            from->read(from, start / MEDIA_SECTOR_BYTES,
                       (uint32_t)(bytes / MEDIA_SECTOR_BYTES), chunk);

        if (err == OK)
            err = file_write_at(image->fd, chunk, bytes, start);
        if (err != OK)
            return say_refused("the stick cannot be read at byte %llu: %s",
                               (unsigned long long)start, err_text(err));
        start += bytes;
    }
    return OK;
}

static uint32_t entry_at(const uint8_t *bytes)
{
    return ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
            (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24) &
           0x0FFFFFFF;
}

enum err stick_image_load(struct stick_image *image, const struct fat32 *fat,
                          const struct stick_range *keep, unsigned count)
{
    uint64_t fat_start = fat->fat_sector * MEDIA_SECTOR_BYTES;
    uint64_t unit = cluster_bytes(fat);
    uint8_t entry[4];
    enum err err = copy_in(image, fat->media, 0, data_start(fat));

    for (uint32_t i = 0; err == OK && i < fat->cluster_count; i++) {
        struct stick_range range = {data_start(fat) + i * unit,
                                    data_start(fat) + (i + 1) * unit};

        err = file_read_at(image->fd, entry, sizeof(entry),
                           fat_start + ((uint64_t)i + 2) * sizeof(entry));
        if (err != OK)
            return say_refused("image: %s", err_text(err));
        if (entry_at(entry) != ENTRY_FREE && entry_at(entry) != ENTRY_BAD &&
            !overlaps(range, keep, count))
            err = copy_in(image, fat->media, range.start, range.end);
    }
    return err;
}

/* ---- Writing
 * ---------------------------------------------------------------------- */

struct writing {
    const struct stick_image *image;
    int fd;
    bool fresh;
    uint64_t done, total;
    uint8_t *mine, *there; /* CHUNK_BYTES each */
};

static enum err write_chunk(struct writing *writing, uint64_t at, size_t bytes)
{
    enum err err = file_read_at(writing->image->fd, writing->mine, bytes, at);

    if (err != OK)
        return say_refused("image: %s", err_text(err));
    if (!writing->fresh) {
        err = file_read_at(writing->fd, writing->there, bytes, at);
        if (err != OK)
            return say_refused("the target cannot be read at byte %llu: %s",
                               (unsigned long long)at, err_text(err));
        if (memcmp(writing->mine, writing->there, bytes) == 0)
            return OK;
    }
    err = file_write_at(writing->fd, writing->mine, bytes, at);
    if (err != OK)
        return say_refused("the target cannot be written at byte %llu: %s",
                           (unsigned long long)at, err_text(err));
    return OK;
}

/* Backwards, chunk by chunk. */
static enum err write_extent(struct writing *writing, struct stick_range range)
{
    enum err err = OK;

    while (err == OK && range.end > range.start) {
        uint64_t left = range.end - range.start;
        size_t bytes = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;

        err = write_chunk(writing, range.end - bytes, bytes);
        range.end -= bytes;
        writing->done += bytes;
        say_percent(writing->done, writing->total);
    }
    return err;
}

static enum err write_extents(struct writing *writing,
                              const struct extents *extents)
{
    struct stick_range first;
    enum err err = OK;

    if (extents->count == 0)
        return OK;
    for (size_t i = extents->count - 1; err == OK && i > 0; i--)
        err = write_extent(writing, extents->list[i]);
    first = extents->list[0];
    /* The partition table comes when everything else is safe. */
    if (err == OK && first.start == 0 && first.end > PAGE_BYTES) {
        err =
            write_extent(writing, (struct stick_range){PAGE_BYTES, first.end});
        first.end = PAGE_BYTES;
    }
    if (err == OK && fdatasync(writing->fd) != 0)
        err = say_refused("the target cannot be written: %s", strerror(errno));
    if (err == OK)
        err = write_extent(writing, first);
    if (err == OK && fsync(writing->fd) != 0)
        err = say_refused("the target cannot be written: %s", strerror(errno));
    return err;
}

enum err stick_image_write(const struct stick_image *image, int target_fd,
                           const struct fat32 *fat, bool fresh,
                           const struct stick_range *keep, unsigned count)
{
    struct extents extents = {0};
    struct writing writing = {.image = image, .fd = target_fd, .fresh = fresh};
    enum err err = find_extents(image, fat, fresh, keep, count, &extents);

    writing.total = extents.bytes;
    writing.mine = malloc(CHUNK_BYTES);
    writing.there = malloc(CHUNK_BYTES);
    if (writing.mine == NULL || writing.there == NULL)
        err = say_refused("out of memory");
    else if (err == OK)
        err = write_extents(&writing, &extents);
    free(writing.mine);
    free(writing.there);
    free(extents.list);
    return err;
}
