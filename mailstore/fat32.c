/* FAT32: names in one directory, and making contiguous files.
 *
 * The order of writes when a file is made or re-made: its chain of clusters
 * (nobody's until then), flush, the beginning of its content, flush, the
 * directory entry that names it, flush, and only then the old chain is freed.
 * A power cut in between leaves at worst clusters that belong to nothing, which
 * any file system check gives back. A file that grows gets its new clusters
 * linked among themselves first, then to its end, then its new length.
 * The directory is the root, or what fat32_enter() has made of it.
 * Not supported: names that are not ASCII. */
#include "mailstore/fat32.h"
#include "mailstore/fat32_table.h"
#include "core/bytes.h"
#include <string.h>

#define ENTRY_BYTES FAT32_ENTRY_BYTES
#define ENTRIES     (MEDIA_SECTOR_BYTES / ENTRY_BYTES)
#define NAME_MAX    64
#define LONG_CHARS  13
#define SLOTS_MAX   (NAME_MAX / LONG_CHARS + 2)
/* A directory has at most 65,536 entries (section 6). */
#define DIRECTORY_SECTORS_MAX (65536 / ENTRIES)
#define COPY_SECTORS          64
#define FILE_BYTES_MAX        0xffffffffu

#define ATTRIBUTE_VOLUME  0x08
#define ATTRIBUTE_ARCHIVE 0x20
#define ATTRIBUTE_LONG    0x0f
#define DATE_1980         0x0021
#define LOWER_BASE        0x08
#define LOWER_EXTENSION   0x10

/* A run of unused entries for a new name. */
struct gap {
    uint64_t sectors[2];
    unsigned index; /* in the first of them */
    unsigned count;
};

/* A walk over the directory, sector by sector. */
struct walk {
    uint32_t cluster;
    uint32_t in_cluster;
    uint32_t seen;
    uint64_t sector;
};

static struct {
    uint8_t sector[MEDIA_SECTOR_BYTES];
    uint8_t copy[COPY_SECTORS * MEDIA_SECTOR_BYTES];
    char long_name[NAME_MAX + 1];
    uint8_t long_sum;
    unsigned long_next; /* ordinal that must come next; 0: none is open */
    bool long_complete;
} state;

static char upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

static bool same_name(const char *a, const char *b)
{
    while (*a && upper(*a) == upper(*b)) {
        a++;
        b++;
    }
    return upper(*a) == upper(*b);
}

/* ---- Walking the directory ---------------------------------------------- */

static void walk_start(const struct fat32 *fat, struct walk *walk)
{
    walk->cluster = fat->root_cluster;
    walk->in_cluster = 0;
    walk->seen = 0;
}

/* Reads the next sector. ERR_NOT_FOUND: that was the last. */
static enum err walk_next(struct fat32 *fat, struct walk *walk)
{
    enum err err;

    if (walk->seen++ == DIRECTORY_SECTORS_MAX)
        return ERR_CORRUPT;
    if (walk->in_cluster == fat->cluster_sectors) {
        uint32_t next;

        err = fat32_next(fat, walk->cluster, &next);
        if (err)
            return err;
        if (!fat32_cluster_valid(fat, next))
            return ERR_NOT_FOUND;
        walk->cluster = next;
        walk->in_cluster = 0;
    }
    walk->sector = fat32_sector_of(fat, walk->cluster) + walk->in_cluster++;
    return fat->media->read(fat->media, walk->sector, 1, state.sector);
}

/* ---- Names -------------------------------------------------------------- */

static uint8_t name_sum(const uint8_t *name)
{
    uint8_t sum = 0;

    for (int i = 0; i < 11; i++)
        sum = (uint8_t)((sum << 7 | sum >> 1) + name[i]);
    return sum;
}

static unsigned long_offset(unsigned i)
{
    return i < 5 ? 1 + 2 * i : i < 11 ? 14 + 2 * (i - 5) : 28 + 2 * (i - 11);
}

/* One entry of a long name: they come last part first. */
static void take_long(const uint8_t *entry)
{
    unsigned ordinal = entry[0] & 0x3f;
    unsigned at;

    if (entry[0] & 0x40) {
        memset(state.long_name, 0, sizeof state.long_name);
        state.long_sum = entry[13];
        state.long_next = ordinal;
    }
    if (ordinal == 0 || ordinal != state.long_next ||
        entry[13] != state.long_sum) {
        state.long_next = 0;
        state.long_complete = false;
        return;
    }
    at = (ordinal - 1) * LONG_CHARS;
    for (unsigned i = 0; i < LONG_CHARS && at + i < NAME_MAX; i++) {
        uint16_t c = get_le16(entry + long_offset(i));

        if (c == 0)
            break;
        state.long_name[at + i] = (char)(c < 128 ? c : '?');
    }
    state.long_next = ordinal - 1;
    state.long_complete = ordinal == 1;
}

/* "MAIL    DB " as "MAIL.DB" */
static void short_text(const uint8_t *name, char *text)
{
    unsigned len = 0;

    for (unsigned i = 0; i < 11; i++) {
        if (i == 8 && name[8] != ' ')
            text[len++] = '.';
        if (name[i] != ' ')
            text[len++] = (char)name[i];
    }
    text[len] = '\0';
}

static bool entry_is(const uint8_t *entry, const char *name)
{
    char text[13];
    bool long_fits = state.long_complete && state.long_sum == name_sum(entry) &&
                     same_name(state.long_name, name);

    short_text(entry, text);
    return long_fits || same_name(text, name);
}

enum err fat32_find_entry(struct fat32 *fat, const char *name, bool folder,
                          struct fat32_place *place)
{
    const uint8_t kind = folder ? FAT32_ATTRIBUTE_FOLDER : 0;
    struct walk walk;

    walk_start(fat, &walk);
    state.long_next = 0;
    state.long_complete = false;
    for (;;) {
        enum err err = walk_next(fat, &walk);

        if (err)
            return err;
        for (unsigned i = 0; i < ENTRIES; i++) {
            const uint8_t *entry = state.sector + i * ENTRY_BYTES;

            if (entry[0] == 0)
                return ERR_NOT_FOUND;
            if ((entry[11] & 0x3f) == ATTRIBUTE_LONG && entry[0] != 0xe5) {
                take_long(entry);
                continue;
            }
            if (entry[0] != 0xe5 &&
                (entry[11] & (ATTRIBUTE_VOLUME | FAT32_ATTRIBUTE_FOLDER)) ==
                    kind &&
                entry_is(entry, name)) {
                place->sector = walk.sector;
                place->index = i;
                place->first =
                    (uint32_t)get_le16(entry + 20) << 16 | get_le16(entry + 26);
                place->bytes = get_le32(entry + 28);
                return OK;
            }
            state.long_complete = false;
            state.long_next = 0;
        }
    }
}

static enum err find_place(struct fat32 *fat, const char *name,
                           struct fat32_place *place)
{
    return fat32_find_entry(fat, name, false, place);
}

/* ---- Finding ------------------------------------------------------------ */

static uint32_t clusters_for(const struct fat32 *fat, uint64_t bytes)
{
    uint64_t each = fat32_cluster_bytes(fat);

    return (uint32_t)((bytes + each - 1) / each);
}

static enum err fill_file(struct fat32 *fat, const struct fat32_place *place,
                          struct fat32_file *file)
{
    uint32_t wanted = clusters_for(fat, place->bytes);
    uint32_t length, next;
    enum err err;

    memset(file, 0, sizeof *file);
    file->bytes = place->bytes;
    if (wanted == 0)
        return OK;
    if (!fat32_cluster_valid(fat, place->first))
        return ERR_CORRUPT;
    err = fat32_run_length(fat, place->first, wanted, &length, &next);
    if (err)
        return err;
    if (length != wanted)
        return ERR_CORRUPT;
    file->sector = fat32_sector_of(fat, place->first);
    file->sectors = (uint64_t)wanted * fat->cluster_sectors;
    return OK;
}

enum err fat32_find(struct fat32 *fat, const char *name,
                    struct fat32_file *file)
{
    struct fat32_place place;
    enum err err;

    memset(file, 0, sizeof *file);
    err = find_place(fat, name, &place);
    return err ? err : fill_file(fat, &place, file);
}

enum err fat32_free_run(struct fat32 *fat, uint64_t *bytes)
{
    uint32_t first, length;
    enum err err = fat32_find_free(fat, 0, &first, &length);

    *bytes = err ? 0 : length * fat32_cluster_bytes(fat);
    return err;
}

/* ---- Making a name ------------------------------------------------------ */

static bool short_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("$%'-_@~`!(){}^#&", c));
}

/* The short form of a name; *exact: it says all, but for *lower's bits of
 * lower case. */
static void make_short(const char *name, uint8_t *out, bool *exact,
                       uint8_t *lower)
{
    const char *dot = strrchr(name, '.');
    unsigned used = 0;
    bool has_lower[2] = {false, false}, has_upper[2] = {false, false};

    memset(out, ' ', 11);
    *exact = true;
    for (const char *at = name; *at; at++) {
        bool extension = dot && at > dot;
        unsigned limit = extension ? 11 : 8;

        if (at == dot) {
            used = 8;
            continue;
        }
        has_lower[extension] |= *at >= 'a' && *at <= 'z';
        has_upper[extension] |= *at >= 'A' && *at <= 'Z';
        if (!short_char(upper(*at)) || used == limit) {
            *exact = false;
            continue;
        }
        out[used++] = (uint8_t)upper(*at);
    }
    for (int i = 0; i < 2; i++)
        *exact &= !(has_lower[i] && has_upper[i]);
    *lower = (uint8_t)((has_lower[0] ? LOWER_BASE : 0) |
                       (has_lower[1] ? LOWER_EXTENSION : 0));
}

/* "MAIL    DB-" -> "MAIL~1  DB-", with the first number that is not taken. */
static enum err make_unique(struct fat32 *fat, uint8_t *name)
{
    unsigned base = 0;
    struct fat32_place place;
    char text[13];

    while (base < 6 && name[base] != ' ')
        base++;
    memset(name + base, ' ', 8 - base);
    name[base] = '~';
    for (int digit = '1'; digit <= '9'; digit++) {
        enum err err;

        name[base + 1] = (uint8_t)digit;
        short_text(name, text);
        err = find_place(fat, text, &place);
        if (err)
            return err == ERR_NOT_FOUND ? OK : err;
    }
    return ERR_FULL;
}

/* A new cluster at the end of the root directory. */
static enum err grow_root(struct fat32 *fat)
{
    struct media *media = fat->media;
    uint32_t last = fat->root_cluster, cluster, length, next;
    enum err err = fat32_find_free(fat, 1, &cluster, &length);

    memset(state.sector, 0, sizeof state.sector);
    for (uint32_t i = 0; !err && i < fat->cluster_sectors; i++)
        err = media->write(media, fat32_sector_of(fat, cluster) + i, 1,
                           state.sector);
    if (!err)
        err = fat32_link(fat, cluster, 1, FAT32_MASK);
    if (!err)
        err = media->flush(media);
    for (uint32_t i = 0; !err && i < DIRECTORY_SECTORS_MAX; i++) {
        err = fat32_next(fat, last, &next);
        if (err || !fat32_cluster_valid(fat, next))
            break;
        last = next;
    }
    if (!err)
        err = fat32_link(fat, last, 1, cluster);
    return err ? err : media->flush(media);
}

/* `count` unused entries in a row, within two sectors. */
static enum err find_gap(struct fat32 *fat, unsigned count, struct gap *gap)
{
    struct walk walk;
    unsigned run = 0;
    uint64_t run_sector = 0;
    bool end = false;

    walk_start(fat, &walk);
    for (;;) {
        enum err err = walk_next(fat, &walk);

        if (err)
            return err;
        for (unsigned i = 0; i < ENTRIES; i++) {
            uint8_t first = state.sector[i * ENTRY_BYTES];

            end |= first == 0;
            if (!end && first != 0xe5) {
                run = 0;
                continue;
            }
            if (run++ == 0) {
                run_sector = walk.sector;
                gap->index = i;
            }
            if (run == count) {
                gap->sectors[0] = run_sector;
                gap->sectors[1] = walk.sector;
                gap->count = count;
                return OK;
            }
        }
    }
}

static void fill_long(uint8_t *entry, const char *name, unsigned ordinal,
                      bool last, uint8_t sum)
{
    size_t len = strlen(name);
    size_t at = (ordinal - 1) * LONG_CHARS;

    memset(entry, 0, ENTRY_BYTES);
    entry[0] = (uint8_t)(ordinal | (last ? 0x40 : 0));
    entry[11] = ATTRIBUTE_LONG;
    entry[13] = sum;
    for (unsigned i = 0; i < LONG_CHARS; i++, at++)
        put_le16(entry + long_offset(i), at < len    ? (uint8_t)name[at]
                                         : at == len ? 0
                                                     : 0xffff);
}

static void fill_short(uint8_t *entry, const uint8_t *name, uint8_t lower,
                       uint32_t first, uint32_t bytes)
{
    memset(entry, 0, ENTRY_BYTES);
    memcpy(entry, name, 11);
    entry[11] = ATTRIBUTE_ARCHIVE;
    entry[12] = lower;
    put_le16(entry + 16, DATE_1980);
    put_le16(entry + 18, DATE_1980);
    put_le16(entry + 20, (uint16_t)(first >> 16));
    put_le16(entry + 24, DATE_1980);
    put_le16(entry + 26, (uint16_t)first);
    put_le32(entry + 28, bytes);
}

/* Writes the entries; where they lie in two sectors, the one with the short
 * entry, which alone makes the file, last. */
static enum err write_entries(struct fat32 *fat, const struct gap *gap,
                              const uint8_t *entries)
{
    struct media *media = fat->media;
    unsigned done = 0;

    for (int half = 0; half < 2; half++) {
        unsigned index = half ? 0 : gap->index;
        unsigned part = gap->count - done;
        enum err err;

        if (part > ENTRIES - index)
            part = ENTRIES - index;
        if (part == 0)
            break;
        err = media->read(media, gap->sectors[half], 1, state.sector);
        if (err)
            return err;
        memcpy(state.sector + index * ENTRY_BYTES, entries + done * ENTRY_BYTES,
               part * ENTRY_BYTES);
        err = media->write(media, gap->sectors[half], 1, state.sector);
        if (!err)
            err = media->flush(media);
        if (err)
            return err;
        done += part;
    }
    return OK;
}

static enum err add_name(struct fat32 *fat, const char *name, uint32_t first,
                         uint32_t bytes)
{
    uint8_t entries[SLOTS_MAX * ENTRY_BYTES];
    uint8_t short_name[11], lower;
    unsigned longs = 0;
    bool exact;
    struct gap gap;
    enum err err = OK;

    make_short(name, short_name, &exact, &lower);
    if (!exact) {
        longs = (unsigned)((strlen(name) + LONG_CHARS - 1) / LONG_CHARS);
        lower = 0;
        err = make_unique(fat, short_name);
        if (err)
            return err;
    }
    for (unsigned i = 0; i < longs; i++)
        fill_long(entries + i * ENTRY_BYTES, name, longs - i, i == 0,
                  name_sum(short_name));
    fill_short(entries + longs * ENTRY_BYTES, short_name, lower, first, bytes);
    err = find_gap(fat, longs + 1, &gap);
    if (err == ERR_NOT_FOUND) {
        err = grow_root(fat);
        if (!err)
            err = find_gap(fat, longs + 1, &gap);
    }
    return err ? err : write_entries(fat, &gap, entries);
}

/* Lets an existing name mean another chain and length, in one sector. */
static enum err change_name(struct fat32 *fat, const struct fat32_place *place,
                            uint32_t first, uint32_t bytes)
{
    struct media *media = fat->media;
    enum err err = media->read(media, place->sector, 1, state.sector);

    if (err)
        return err;
    fat32_set_entry(state.sector, place->index, first, bytes);
    err = media->write(media, place->sector, 1, state.sector);
    return err ? err : media->flush(media);
}

/* ---- Making a file ------------------------------------------------------ */

static enum err clear_start(struct fat32 *fat, uint32_t first)
{
    struct media *media = fat->media;

    memset(state.copy, 0, 4096);
    return media->write(media, fat32_sector_of(fat, first),
                        4096 / MEDIA_SECTOR_BYTES, state.copy);
}

static enum err copy_sectors(struct fat32 *fat, uint64_t from, uint64_t to,
                             uint64_t count)
{
    struct media *media = fat->media;

    while (count) {
        uint32_t part = count < COPY_SECTORS ? (uint32_t)count : COPY_SECTORS;
        enum err err = media->read(media, from, part, state.copy);

        if (!err)
            err = media->write(media, to, part, state.copy);
        if (err)
            return err;
        from += part;
        to += part;
        count -= part;
    }
    return OK;
}

/* The content of an old chain to the beginning of a new run. */
static enum err copy_chain(struct fat32 *fat, const struct fat32_place *place,
                           uint32_t to)
{
    uint32_t left = clusters_for(fat, place->bytes);
    uint32_t from = place->first;

    while (left) {
        uint32_t length, next;
        enum err err = fat32_run_length(fat, from, left, &length, &next);

        if (!err)
            err = copy_sectors(fat, fat32_sector_of(fat, from),
                               fat32_sector_of(fat, to),
                               (uint64_t)length * fat->cluster_sectors);
        if (err)
            return err;
        from = next;
        to += length;
        left -= length;
    }
    return OK;
}

/* old: the file as it is now, or NULL; copy: keep its content. */
static enum err make_file(struct fat32 *fat, const char *name, uint64_t bytes,
                          const struct fat32_place *old, bool copy)
{
    uint32_t count = clusters_for(fat, bytes);
    uint32_t first, length;
    enum err err = fat32_find_free(fat, count, &first, &length);

    if (!err)
        err = fat32_link(fat, first, count, FAT32_MASK);
    if (!err)
        err = copy ? copy_chain(fat, old, first) : clear_start(fat, first);
    /* The old chain is not whole: the new one is nobody's again. */
    if (err == ERR_CORRUPT && fat32_release(fat, first))
        return ERR_IO;
    if (!err)
        err = fat32_forget_info(fat);
    if (!err)
        err = fat->media->flush(fat->media);
    if (err)
        return err;
    if (!old) {
        err = add_name(fat, name, first, (uint32_t)bytes);
        /* No name to be had: the clusters are nobody's again. */
        if (err == ERR_FULL && fat32_release(fat, first))
            return ERR_IO;
        return err;
    }
    err = change_name(fat, old, first, (uint32_t)bytes);
    if (!err && fat32_cluster_valid(fat, old->first))
        err = fat32_release(fat, old->first);
    return err ? err : fat->media->flush(fat->media);
}

enum err fat32_create(struct fat32 *fat, const char *name, uint64_t bytes,
                      struct fat32_file *file)
{
    struct fat32_place place;
    enum err err;

    if (bytes == 0 || bytes > FILE_BYTES_MAX || strlen(name) > NAME_MAX)
        return ERR_INVALID;
    err = find_place(fat, name, &place);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (!err && fill_file(fat, &place, file) == OK && file->bytes == bytes) {
        err = clear_start(fat, place.first);
        return err ? err : fat->media->flush(fat->media);
    }
    err = make_file(fat, name, bytes, err ? NULL : &place, false);
    return err ? err : fat32_find(fat, name, file);
}

enum err fat32_relocate(struct fat32 *fat, const char *name, uint64_t bytes,
                        struct fat32_file *file)
{
    struct fat32_place place;
    enum err err = find_place(fat, name, &place);

    if (err)
        return err;
    if (bytes < place.bytes)
        bytes = place.bytes;
    if (bytes == 0 || bytes > FILE_BYTES_MAX)
        return ERR_INVALID;
    err = make_file(fat, name, bytes, &place, true);
    return err ? err : fat32_find(fat, name, file);
}

enum err fat32_grow(struct fat32 *fat, const char *name, uint64_t bytes,
                    struct fat32_file *file)
{
    uint32_t have, wanted, more = 0;
    struct fat32_place place;
    enum err err = find_place(fat, name, &place);

    if (!err)
        err = fill_file(fat, &place, file);
    if (err)
        return err;
    have = clusters_for(fat, place.bytes);
    wanted = clusters_for(fat, bytes);
    if (bytes > FILE_BYTES_MAX || have == 0)
        return ERR_INVALID;
    if (wanted <= have)
        return OK;
    err = fat32_free_from(fat, place.first + have, wanted - have, &more);
    if (err || more == 0)
        return err;
    if (have + more < wanted)
        bytes = (have + more) * fat32_cluster_bytes(fat);
    err = fat32_link(fat, place.first + have, more, FAT32_MASK);
    if (!err)
        err = fat32_forget_info(fat);
    if (!err)
        err = fat->media->flush(fat->media);
    if (!err)
        err = fat32_link(fat, place.first + have - 1, 1, place.first + have);
    if (!err)
        err = fat->media->flush(fat->media);
    if (!err)
        err = change_name(fat, &place, place.first, (uint32_t)bytes);
    return err ? err : fat32_find(fat, name, file);
}
