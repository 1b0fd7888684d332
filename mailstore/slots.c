/* The program on the stick: see slots.h. */
#include "mailstore/slots.h"
#include <string.h>

#define SECTOR_BYTES MEDIA_SECTOR_BYTES

static struct {
    uint8_t label[PROGRAM_LABEL_BYTES]; /* on its way */
} state;

static const char *const names[SLOTS] = {"ao", "ao.old", "ao.new"};

const char *slots_name(enum slot slot)
{
    return names[slot];
}

static enum err enter(struct media *media, struct fat32 *folder)
{
    struct fat32 fat;
    enum err err = fat32_mount(&fat, media);

    return err ? err : fat32_enter(&fat, SLOTS_FOLDER, folder);
}

static enum err find_all(struct slots *slots, struct fat32 *folder)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct fat32_file file;
        enum err err = fat32_find(folder, names[i], &file);

        if (err)
            return err;
        if (i == 0)
            slots->bytes = file.bytes;
        if (file.bytes != slots->bytes || file.bytes < 2 * SECTOR_BYTES ||
            file.bytes != file.sectors * SECTOR_BYTES)
            return ERR_UNSUPPORTED;
        slots->sector[i] = file.sector;
    }
    return fat32_rotate(folder, names, SLOTS, true);
}

enum err slots_find(struct slots *slots, struct media *media)
{
    struct fat32 folder;
    enum err err = enter(media, &folder);

    memset(slots, 0, sizeof *slots);
    slots->media = media;
    if (!err)
        err = find_all(slots, &folder);
    /* Not there, or in pieces, as on sticks that others have written on. */
    return err == ERR_NOT_FOUND || err == ERR_CORRUPT ? ERR_UNSUPPORTED : err;
}

uint64_t slots_room(const struct slots *slots)
{
    return slots->bytes - PROGRAM_LABEL_BYTES;
}

static uint64_t label_sector(const struct slots *slots, enum slot slot)
{
    return slots->sector[slot] + slots->bytes / SECTOR_BYTES - 1;
}

enum err slots_put_label(const struct slots *slots, enum slot slot,
                         const struct program_label *label)
{
    program_label_write(label, state.label);
    return slots->media->write(slots->media, label_sector(slots, slot), 1,
                               state.label);
}

enum err slots_get_label(const struct slots *slots, enum slot slot,
                         struct program_label *label)
{
    enum err err = slots->media->read(slots->media, label_sector(slots, slot),
                                      1, state.label);

    if (!err)
        err = program_label_read(state.label, label);
    return !err && label->bytes > slots_room(slots) ? ERR_CORRUPT : err;
}

enum err slots_check(const struct slots *slots, enum slot slot, void *buffer,
                     size_t bytes, struct program_label *label)
{
    uint8_t hash[SHA256_BYTES];
    struct sha256 sha;
    uint64_t sector = slots->sector[slot];
    enum err err = slots_get_label(slots, slot, label);
    uint32_t left = err ? 0 : label->bytes;

    sha256_begin(&sha);
    while (!err && left > 0) {
        uint32_t part = left < bytes ? left : (uint32_t)bytes;
        uint32_t count = (part + SECTOR_BYTES - 1) / SECTOR_BYTES;

        err = slots->media->read(slots->media, sector, count, buffer);
        if (!err)
            sha256_add(&sha, buffer, part);
        sector += count;
        left -= part;
    }
    if (err)
        return err;
    sha256_end(&sha, hash);
    return memcmp(hash, label->sha256, sizeof hash) == 0 ? OK : ERR_CORRUPT;
}

enum err slots_use(struct media *media, enum slots_change change)
{
    static const struct {
        unsigned count;
        const char *names[SLOTS];
    } rotations[] = {
        [SLOTS_INSTALL] = {3, {"ao", "ao.new", "ao.old"}},
        [SLOTS_REPLACE] = {2, {"ao", "ao.new"}},
        [SLOTS_BACK] = {2, {"ao", "ao.old"}},
    };
    struct fat32 folder;
    enum err err = enter(media, &folder);

    return err ? err
               : fat32_rotate(&folder, rotations[change].names,
                              rotations[change].count, false);
}
