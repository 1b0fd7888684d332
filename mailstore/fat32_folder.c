/* FAT32: folders, and exchanging files by their directory entries. */
#include "mailstore/fat32.h"
#include "mailstore/fat32_table.h"

#define ROTATED_MAX 4

static struct {
    uint8_t sector[MEDIA_SECTOR_BYTES];
} state;

enum err fat32_enter(struct fat32 *fat, const char *name, struct fat32 *folder)
{
    struct fat32_place place;
    enum err err = fat32_find_entry(fat, name, true, &place);

    if (err)
        return err;
    if (!fat32_cluster_valid(fat, place.first))
        return ERR_CORRUPT;
    *folder = *fat;
    folder->root_cluster = place.first;
    return OK;
}

enum err fat32_rotate(struct fat32 *fat, const char *const names[],
                      unsigned count, bool dry)
{
    struct fat32_place places[ROTATED_MAX];
    struct media *media = fat->media;
    enum err err = count < 2 || count > ROTATED_MAX ? ERR_INVALID : OK;

    for (unsigned i = 0; !err && i < count; i++) {
        err = fat32_find_entry(fat, names[i], false, &places[i]);
        if (!err && places[i].sector != places[0].sector)
            err = ERR_UNSUPPORTED;
    }
    if (!err && !dry)
        err = media->read(media, places[0].sector, 1, state.sector);
    if (err || dry)
        return err;
    for (unsigned i = 0; i < count; i++) {
        const struct fat32_place *next = &places[(i + 1) % count];

        fat32_set_entry(state.sector, places[i].index, next->first,
                        next->bytes);
    }
    err = media->write(media, places[0].sector, 1, state.sector);
    return err ? err : media->flush(media);
}
