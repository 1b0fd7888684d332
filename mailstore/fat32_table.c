/* FAT32: finding the volume, and its table of clusters.
 *
 * The table is looked at through one window of WINDOW_SECTORS; changes are
 * written through it into every copy of the table, a window at a time. */
#include "mailstore/fat32_table.h"
#include "core/bytes.h"
#include <string.h>

#define WINDOW_SECTORS     64
#define ENTRIES_PER_SECTOR (MEDIA_SECTOR_BYTES / 4)
#define WINDOW_ENTRIES     (WINDOW_SECTORS * ENTRIES_PER_SECTOR)
/* Below this a volume is FAT16 by definition (section 3.5). */
#define CLUSTERS_MIN 65525

static struct {
    uint8_t window[WINDOW_SECTORS * MEDIA_SECTOR_BYTES];
    const struct fat32 *fat; /* whose table is in the window */
    uint32_t sector;         /* its first sector of the table */
    uint32_t sectors;        /* how many; 0: nothing */
    bool dirty;
    uint8_t block[MEDIA_SECTOR_BYTES];
} state;

/* ---- The volume --------------------------------------------------------- */

static bool power_of_two(uint32_t n)
{
    return n && (n & (n - 1)) == 0;
}

static enum err read_volume(struct fat32 *fat, uint64_t sector)
{
    const uint8_t *boot = state.block;
    uint32_t reserved, total, data;
    enum err err = fat->media->read(fat->media, sector, 1, state.block);

    if (err)
        return err;
    if (get_le16(boot + 510) != 0xaa55 || get_le16(boot + 11) != 512 ||
        memcmp(boot + 82, "FAT32   ", 8) != 0)
        return ERR_NOT_FOUND;
    reserved = get_le16(boot + 14);
    total = get_le32(boot + 32);
    fat->fat_count = boot[16];
    fat->fat_sectors = get_le32(boot + 36);
    fat->cluster_sectors = boot[13];
    fat->root_cluster = get_le32(boot + 44);
    fat->volume_id = get_le32(boot + 67);
    fat->partition_sector = sector;
    fat->partition_sectors = total;
    fat->fat_sector = sector + reserved;
    if (!power_of_two(fat->cluster_sectors) || fat->fat_count == 0 ||
        fat->fat_count > 4 || reserved == 0 || fat->fat_sectors == 0 ||
        fat->fat_sectors > (total - reserved) / fat->fat_count ||
        reserved >= total || sector + total > fat->media->sectors)
        return ERR_CORRUPT;
    data = reserved + fat->fat_count * fat->fat_sectors;
    fat->data_sector = sector + data;
    fat->cluster_count = (total - data) / fat->cluster_sectors;
    if (fat->cluster_count < CLUSTERS_MIN ||
        fat->cluster_count > FAT32_END - 16 ||
        (uint64_t)fat->fat_sectors * ENTRIES_PER_SECTOR <
            (uint64_t)fat->cluster_count + 2 ||
        !fat32_cluster_valid(fat, fat->root_cluster))
        return ERR_CORRUPT;
    return OK;
}

enum err fat32_mount(struct fat32 *fat, struct media *media)
{
    uint8_t table[64];
    enum err err;

    memset(fat, 0, sizeof *fat);
    fat->media = media;
    state.sectors = 0;
    state.dirty = false;
    err = read_volume(fat, 0);
    if (err != ERR_NOT_FOUND)
        return err;
    if (get_le16(state.block + 510) != 0xaa55)
        return ERR_NOT_FOUND;
    memcpy(table, state.block + 446, sizeof table);
    for (int i = 0; i < 4; i++) {
        const uint8_t *entry = table + i * 16;
        uint8_t type = entry[4] & 0xef; /* hidden ones, too */

        if (type == 0x0b || type == 0x0c)
            return read_volume(fat, get_le32(entry + 8));
    }
    return ERR_NOT_FOUND;
}

bool fat32_cluster_valid(const struct fat32 *fat, uint32_t cluster)
{
    return cluster >= 2 && cluster - 2 < fat->cluster_count;
}

/* ---- The window onto the table ------------------------------------------ */

static enum err write_window(struct fat32 *fat)
{
    if (!state.dirty)
        return OK;
    for (uint32_t copy = 0; copy < fat->fat_count; copy++) {
        uint64_t sector =
            fat->fat_sector + (uint64_t)copy * fat->fat_sectors + state.sector;
        enum err err =
            fat->media->write(fat->media, sector, state.sectors, state.window);

        if (err)
            return err;
    }
    state.dirty = false;
    return OK;
}

/* The entry of a cluster in the window. */
static enum err find_entry(struct fat32 *fat, uint32_t cluster, uint8_t **entry)
{
    uint32_t sector = cluster / ENTRIES_PER_SECTOR;
    uint32_t first = sector / WINDOW_SECTORS * WINDOW_SECTORS;
    uint32_t count = WINDOW_SECTORS;
    enum err err;

    if (!fat32_cluster_valid(fat, cluster))
        return ERR_CORRUPT;
    if (state.fat != fat || state.sectors == 0 || first != state.sector) {
        err = write_window(fat);
        if (err)
            return err;
        if (count > fat->fat_sectors - first)
            count = fat->fat_sectors - first;
        state.sectors = 0;
        err = fat->media->read(fat->media, fat->fat_sector + first, count,
                               state.window);
        if (err)
            return err;
        state.fat = fat;
        state.sector = first;
        state.sectors = count;
    }
    *entry = state.window + cluster % WINDOW_ENTRIES * 4;
    return OK;
}

enum err fat32_next(struct fat32 *fat, uint32_t cluster, uint32_t *value)
{
    uint8_t *entry;
    enum err err = find_entry(fat, cluster, &entry);

    if (!err)
        *value = get_le32(entry) & FAT32_MASK;
    return err;
}

/* The upper four bits of an entry are not ours (section 4). */
static enum err set_entry(struct fat32 *fat, uint32_t cluster, uint32_t value)
{
    uint8_t *entry;
    enum err err = find_entry(fat, cluster, &entry);

    if (err)
        return err;
    put_le32(entry, (get_le32(entry) & ~FAT32_MASK) | (value & FAT32_MASK));
    state.dirty = true;
    return OK;
}

/* ---- Chains and runs ---------------------------------------------------- */

enum err fat32_run_length(struct fat32 *fat, uint32_t first, uint32_t limit,
                          uint32_t *length, uint32_t *next)
{
    *length = 0;
    *next = first;
    while (*length < limit && *next == first + *length) {
        enum err err = fat32_next(fat, *next, next);

        if (err)
            return err;
        ++*length;
    }
    return OK;
}

enum err fat32_free_from(struct fat32 *fat, uint32_t first, uint32_t limit,
                         uint32_t *length)
{
    *length = 0;
    while (*length < limit && fat32_cluster_valid(fat, first + *length)) {
        uint32_t value;
        enum err err = fat32_next(fat, first + *length, &value);

        if (err)
            return err;
        if (value != FAT32_FREE)
            break;
        ++*length;
    }
    return OK;
}

enum err fat32_find_free(struct fat32 *fat, uint32_t wanted, uint32_t *first,
                         uint32_t *length)
{
    uint32_t cluster = 2;

    *length = 0;
    while (fat32_cluster_valid(fat, cluster)) {
        uint32_t limit = wanted ? wanted : fat->cluster_count;
        uint32_t run;
        enum err err = fat32_free_from(fat, cluster, limit, &run);

        if (err)
            return err;
        if (run > *length) {
            *first = cluster;
            *length = run;
        }
        if (wanted && run >= wanted)
            return OK;
        cluster += run + 1; /* the one behind a run is in use */
    }
    return wanted ? ERR_FULL : OK;
}

enum err fat32_link(struct fat32 *fat, uint32_t first, uint32_t count,
                    uint32_t end)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value = i + 1 < count ? first + i + 1 : end;
        enum err err = set_entry(fat, first + i, value);

        if (err)
            return err;
    }
    return write_window(fat);
}

enum err fat32_release(struct fat32 *fat, uint32_t first)
{
    uint32_t cluster = first;

    for (uint32_t i = 0; i < fat->cluster_count; i++) {
        uint32_t next;
        enum err err = fat32_next(fat, cluster, &next);

        if (!err)
            err = set_entry(fat, cluster, FAT32_FREE);
        if (err)
            return err;
        if (!fat32_cluster_valid(fat, next))
            break;
        cluster = next;
    }
    return write_window(fat);
}

enum err fat32_forget_info(struct fat32 *fat)
{
    struct media *media = fat->media;
    uint64_t sector = fat->partition_sector;
    uint32_t info;
    enum err err = media->read(media, sector, 1, state.block);

    if (err)
        return err;
    info = get_le16(state.block + 48);
    if (info == 0 || sector + info >= fat->fat_sector)
        return OK;
    err = media->read(media, sector + info, 1, state.block);
    if (err || get_le32(state.block) != 0x41615252 ||
        get_le32(state.block + 484) != 0x61417272)
        return err;
    put_le32(state.block + 488, 0xffffffff);
    put_le32(state.block + 492, 0xffffffff);
    return media->write(media, sector + info, 1, state.block);
}
