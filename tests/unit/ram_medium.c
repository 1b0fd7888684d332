#include "ram_medium.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t ram_random(struct ram_medium *medium)
{
    medium->random ^= medium->random << 13;
    medium->random ^= medium->random >> 7;
    medium->random ^= medium->random << 17;
    return (uint32_t)(medium->random >> 16);
}

static struct ram_medium *ram_of(struct media *media)
{
    return (struct ram_medium *)media;
}

/* One call more; the last one before the cut does not return. */
static void tick(struct ram_medium *medium)
{
    if (medium->countdown && --medium->countdown == 0)
        longjmp(*medium->power_off, 1);
}

static bool inside(const struct media *media, uint64_t sector, uint32_t count)
{
    return count && sector < media->sectors && count <= media->sectors - sector;
}

static enum err ram_read(struct media *media, uint64_t sector, uint32_t count,
                         void *buffer)
{
    struct ram_medium *medium = ram_of(media);

    if (medium->fail)
        return medium->fail;
    if (!inside(media, sector, count))
        return ERR_INVALID;
    medium->reads++;
    medium->bytes_read += count * MEDIA_SECTOR_BYTES;
    memcpy(buffer, medium->content + sector * MEDIA_SECTOR_BYTES,
           (size_t)count * MEDIA_SECTOR_BYTES);
    return OK;
}

static void keep_pending(struct ram_medium *medium, uint64_t sector,
                         const uint8_t *bytes)
{
    struct ram_pending *pending;

    if (medium->pending_count == medium->pending_room) {
        medium->pending_room = medium->pending_room * 2 + 1024;
        medium->pending = realloc(medium->pending, medium->pending_room *
                                                       sizeof *medium->pending);
    }
    pending = &medium->pending[medium->pending_count++];
    pending->sector = sector;
    memcpy(pending->bytes, bytes, MEDIA_SECTOR_BYTES);
}

static void count_write(struct ram_medium *medium, uint64_t sector,
                        uint32_t count)
{
    bool allowed = medium->allowed[0][1] == 0;

    for (int i = 0; i < 2; i++) {
        allowed |= sector >= medium->allowed[i][0] &&
                   sector + count <= medium->allowed[i][1];
        if (sector >= medium->allowed[i][0] && sector < medium->allowed[i][1] &&
            ((sector - medium->allowed[i][0]) % 8 || count % 8))
            medium->unaligned++;
    }
    medium->outside += !allowed;
    medium->writes++;
    medium->bytes_written += (uint64_t)count * MEDIA_SECTOR_BYTES;
}

static enum err ram_write(struct media *media, uint64_t sector, uint32_t count,
                          const void *buffer)
{
    struct ram_medium *medium = ram_of(media);
    const uint8_t *bytes = buffer;

    if (medium->fail)
        return medium->fail;
    if (!inside(media, sector, count))
        return ERR_INVALID;
    count_write(medium, sector, count);
    for (uint32_t i = 0; i < count; i++) {
        if (medium->durable) {
            keep_pending(medium, sector + i, bytes + i * MEDIA_SECTOR_BYTES);
            tick(medium);
        }
        memcpy(medium->content + (sector + i) * MEDIA_SECTOR_BYTES,
               bytes + i * MEDIA_SECTOR_BYTES, MEDIA_SECTOR_BYTES);
    }
    return OK;
}

static enum err ram_flush(struct media *media)
{
    struct ram_medium *medium = ram_of(media);

    if (medium->fail)
        return medium->fail;
    medium->flushes++;
    if (!medium->durable)
        return OK;
    tick(medium);
    if (medium->lying && ram_random(medium) % 10 < medium->lying)
        return OK;
    for (size_t i = 0; i < medium->pending_count; i++)
        memcpy(medium->durable + medium->pending[i].sector * MEDIA_SECTOR_BYTES,
               medium->pending[i].bytes, MEDIA_SECTOR_BYTES);
    medium->pending_count = 0;
    return OK;
}

void ram_medium_init(struct ram_medium *medium, uint64_t sectors, bool durable)
{
    size_t bytes = (size_t)sectors * MEDIA_SECTOR_BYTES;

    memset(medium, 0, sizeof *medium);
    medium->media.read = ram_read;
    medium->media.write = ram_write;
    medium->media.flush = ram_flush;
    medium->media.sectors = sectors;
    medium->content = malloc(bytes);
    /* What an old stick holds where nothing was written yet. */
    memset(medium->content, 0xa5, bytes);
    if (durable) {
        medium->durable = malloc(bytes);
        memset(medium->durable, 0xa5, bytes);
    }
    medium->random = 88172645463325252u;
}

void ram_medium_free(struct ram_medium *medium)
{
    free(medium->content);
    free(medium->durable);
    free(medium->pending);
}

void ram_medium_cut(struct ram_medium *medium)
{
    uint32_t kept_of_ten = ram_random(medium) % 11;
    uint8_t *stopped = calloc(1, medium->media.sectors);

    /* Sectors get there independently of each other, as a device that reorders
     * between flushes may have it; of one sector never a later version without
     * the earlier. */
    for (size_t i = 0; i < medium->pending_count; i++) {
        struct ram_pending *pending = &medium->pending[i];

        if (stopped[pending->sector])
            continue;
        if (ram_random(medium) % 10 < kept_of_ten)
            memcpy(medium->durable + pending->sector * MEDIA_SECTOR_BYTES,
                   pending->bytes, MEDIA_SECTOR_BYTES);
        else
            stopped[pending->sector] = 1;
    }
    free(stopped);
    medium->pending_count = 0;
    medium->countdown = 0;
    memcpy(medium->content, medium->durable,
           (size_t)medium->media.sectors * MEDIA_SECTOR_BYTES);
}
