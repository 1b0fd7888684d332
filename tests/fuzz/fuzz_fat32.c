/* libFuzzer: a FAT32 volume with damage, and files asked for, made, moved,
 * grown and exchanged in it.
 *
 * The volume is sound at first and held sparsely: what was not written is what
 * base_sector() says. Input: records of a byte that says what to do, then
 * CHANGE: place, offset (two bytes), count, bytes; else name and a size of
 * three bytes. Whatever the volume says, nothing may be written outside it, and
 * a file that is given back must lie inside its data. */
#include "core/bytes.h"
#include "mailstore/fat32.h"
#include "mailstore/slots.h"
#include <stdlib.h>
#include <string.h>

#define PARTITION   64u
#define RESERVED    32u
#define FAT_SECTORS 516u
#define CLUSTERS    66000u
#define TOTAL       (RESERVED + 2 * FAT_SECTORS + CLUSTERS)
#define FAT_AT      (PARTITION + RESERVED)
#define DATA_AT     (FAT_AT + 2 * FAT_SECTORS)
#define FOLDER      60u /* cluster of "ao" */
#define FOLDER_AT   (DATA_AT + FOLDER - 2)
#define KEPT_MAX    4096u /* sectors written; more fail */

enum action {
    CHANGE,
    CHANGE_ENTRY,
    FIND,
    CREATE,
    RELOCATE,
    GROW,
    FREE_RUN,
    MOUNT,
    FIND_SLOTS,
    USE_SLOTS,
    ACTIONS
};

struct input {
    const uint8_t *at;
    size_t left;
};

static struct {
    struct media media;
    uint64_t sectors[KEPT_MAX];
    uint8_t bytes[KEPT_MAX][MEDIA_SECTOR_BYTES];
    uint16_t index[2 * KEPT_MAX]; /* by hash: kept sector + 1 */
    unsigned kept;
    struct fat32 fat;
    bool mounted;
} state;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* ---- The medium ---------------------------------------------------------- */

static void base_boot(uint8_t *sector)
{
    put_le16(sector + 11, 512);
    sector[13] = 1;
    put_le16(sector + 14, RESERVED);
    sector[16] = 2;
    put_le32(sector + 32, TOTAL);
    put_le32(sector + 36, FAT_SECTORS);
    put_le32(sector + 44, 2);
    put_le16(sector + 48, 1);
    memcpy(sector + 82, "FAT32   ", 8);
    put_le16(sector + 510, 0xaa55);
}

/* Cluster 2: root; 10 to 29: MAIL.DB; 40, 50: SPLIT; the folder ao, and its
 * three files of two clusters each. */
static void base_fat(uint8_t *sector)
{
    put_le32(sector, 0x0ffffff8);
    put_le32(sector + 4, 0x0fffffff);
    put_le32(sector + 8, 0x0fffffff);
    for (unsigned i = 10; i < 30; i++)
        put_le32(sector + i * 4, i < 29 ? i + 1 : 0x0fffffff);
    put_le32(sector + 160, 50);
    put_le32(sector + 200, 0x0fffffff);
    put_le32(sector + FOLDER * 4, 0x0fffffff);
    for (unsigned i = 70; i < 76; i++)
        put_le32(sector + i * 4, i % 2 == 0 ? i + 1 : 0x0fffffff);
}

static void base_name(uint8_t *entry, const char *name, uint16_t cluster,
                      uint32_t bytes)
{
    memcpy(entry, name, 11);
    entry[11] = 0x20;
    put_le16(entry + 26, cluster);
    put_le32(entry + 28, bytes);
}

static void base_sector(uint64_t sector, uint8_t *out)
{
    memset(out, 0, MEDIA_SECTOR_BYTES);
    if (sector == 0) {
        out[450] = 0x0c;
        put_le32(out + 454, PARTITION);
        put_le32(out + 458, TOTAL);
        put_le16(out + 510, 0xaa55);
    } else if (sector == PARTITION) {
        base_boot(out);
    } else if (sector == PARTITION + 1) {
        put_le32(out, 0x41615252);
        put_le32(out + 484, 0x61417272);
    } else if (sector == FAT_AT || sector == FAT_AT + FAT_SECTORS) {
        base_fat(out);
    } else if (sector == DATA_AT) {
        base_name(out, "MAIL    DB ", 10, 20 * 512);
        base_name(out + 32, "SPLIT      ", 40, 700);
        base_name(out + 64, "AO         ", FOLDER, 0);
        out[64 + 11] = 0x10;
    } else if (sector == FOLDER_AT) {
        base_name(out, "AO         ", 70, 1024);
        base_name(out + 32, "AO      OLD", 72, 1024);
        base_name(out + 64, "AO      NEW", 74, 1024);
    }
}

/* The place of a written sector in the index, or that of a new one. */
static unsigned slot_of(uint64_t sector)
{
    unsigned slot = (unsigned)(sector * 2654435761u >> 7) % (2 * KEPT_MAX);

    while (state.index[slot] != 0 &&
           state.sectors[state.index[slot] - 1] != sector)
        slot = (slot + 1) % (2 * KEPT_MAX);
    return slot;
}

static void read_one(uint64_t sector, uint8_t *out)
{
    unsigned kept = state.index[slot_of(sector)];

    if (kept != 0)
        memcpy(out, state.bytes[kept - 1], MEDIA_SECTOR_BYTES);
    else
        base_sector(sector, out);
}

/* Zeroes where nothing is written yet need no place. */
static enum err write_one(uint64_t sector, const uint8_t *bytes)
{
    unsigned slot = slot_of(sector);
    uint8_t now[MEDIA_SECTOR_BYTES];

    read_one(sector, now);
    if (memcmp(now, bytes, sizeof now) == 0)
        return OK;
    if (state.index[slot] == 0) {
        if (state.kept == KEPT_MAX)
            return ERR_IO;
        state.sectors[state.kept++] = sector;
        state.index[slot] = (uint16_t)state.kept;
    }
    memcpy(state.bytes[state.index[slot] - 1], bytes, MEDIA_SECTOR_BYTES);
    return OK;
}

static enum err media_read(struct media *media, uint64_t sector, uint32_t count,
                           void *buffer)
{
    if (sector > media->sectors || count > media->sectors - sector)
        return ERR_INVALID;
    for (uint32_t i = 0; i < count; i++)
        read_one(sector + i, (uint8_t *)buffer + i * MEDIA_SECTOR_BYTES);
    return OK;
}

static enum err media_write(struct media *media, uint64_t sector,
                            uint32_t count, const void *buffer)
{
    const struct fat32 *fat = &state.fat;
    enum err err = OK;

    (void)media;
    require(sector > fat->partition_sector);
    require(sector - fat->partition_sector + count <= fat->partition_sectors);
    for (uint32_t i = 0; !err && i < count; i++)
        err = write_one(sector + i,
                        (const uint8_t *)buffer + i * MEDIA_SECTOR_BYTES);
    return err;
}

static enum err media_flush(struct media *media)
{
    (void)media;
    return OK;
}

/* ---- What is done to it -------------------------------------------------- */

static unsigned take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static void change(struct input *input)
{
    static const uint32_t places[] = {0,           PARTITION,  PARTITION + 1,
                                      FAT_AT,      FAT_AT + 1, DATA_AT,
                                      DATA_AT + 1, FOLDER_AT};
    uint64_t sector = places[take(input) % (sizeof places / sizeof *places)];
    unsigned at = take(input) | (take(input) & 1) << 8;
    unsigned count = take(input) % 64;
    uint8_t bytes[MEDIA_SECTOR_BYTES];

    read_one(sector, bytes);
    for (; count > 0 && input->left > 0 && at < sizeof bytes; count--)
        bytes[at++] = (uint8_t)take(input);
    require(write_one(sector, bytes) == OK || state.kept == KEPT_MAX);
    state.mounted = false;
}

/* One entry of the table: cluster and value, both small. */
static void change_entry(struct input *input)
{
    uint32_t cluster = take(input) % 128;
    uint8_t bytes[MEDIA_SECTOR_BYTES];

    read_one(FAT_AT, bytes);
    put_le32(bytes + cluster * 4, take(input) | take(input) << 8);
    require(write_one(FAT_AT, bytes) == OK || state.kept == KEPT_MAX);
    state.mounted = false;
}

static void check_file(const struct fat32_file *file)
{
    const struct fat32 *fat = &state.fat;
    uint64_t end = fat->partition_sector + fat->partition_sectors;

    require(end <= state.media.sectors);
    if (file->bytes == 0)
        return;
    require(file->sector >= fat->data_sector && file->sector < end);
    require(file->sectors <= end - file->sector);
    require(file->bytes <= file->sectors * MEDIA_SECTOR_BYTES);
}

static void find_slots(void)
{
    struct program_label label;
    struct fat32_file file;
    struct slots slots;

    if (slots_find(&slots, &state.media) != OK)
        return;
    for (unsigned i = 0; i < SLOTS; i++) {
        file.sector = slots.sector[i];
        file.bytes = slots.bytes;
        file.sectors = slots.bytes / MEDIA_SECTOR_BYTES;
        check_file(&file);
        (void)!slots_get_label(&slots, i, &label);
    }
}

static void act(enum action action, struct input *input)
{
    static const char *const names[] = {"mail.db", "SPLIT", "mail.db-wal",
                                        "Long name of a file.text"};
    const char *name = names[take(input) % 4];
    uint64_t bytes = take(input) | take(input) << 8 | take(input) << 16;
    struct fat32_file file;
    uint64_t run;
    enum err err = ERR_INVALID;

    memset(&file, 0, sizeof file);
    switch (action) {
    case FIND:
        err = fat32_find(&state.fat, name, &file);
        break;
    case CREATE:
        err = fat32_create(&state.fat, name, bytes, &file);
        require(err != OK || file.bytes == bytes);
        break;
    case RELOCATE:
        err = fat32_relocate(&state.fat, name, bytes, &file);
        require(err != OK || file.bytes >= bytes);
        break;
    case GROW:
        err = fat32_grow(&state.fat, name, bytes, &file);
        break;
    case FREE_RUN:
        err = fat32_free_run(&state.fat, &run);
        require(err != OK || run <= TOTAL * (uint64_t)MEDIA_SECTOR_BYTES);
        break;
    case FIND_SLOTS:
        find_slots();
        break;
    case USE_SLOTS:
        (void)!slots_use(&state.media, (enum slots_change)(bytes % 3));
        break;
    case CHANGE:
    case CHANGE_ENTRY:
    case MOUNT:
    case ACTIONS:
        break;
    }
    if (err == OK)
        check_file(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    state.media =
        (struct media){media_read, media_write, media_flush, PARTITION + TOTAL};
    state.kept = 0;
    state.mounted = false;
    memset(state.index, 0, sizeof state.index);
    for (unsigned actions = 0; input.left > 0 && actions < 32; actions++) {
        enum action action = (enum action)(take(&input) % ACTIONS);

        if (action == CHANGE) {
            change(&input);
        } else if (action == CHANGE_ENTRY) {
            change_entry(&input);
        } else {
            if (!state.mounted || action == MOUNT)
                state.mounted = fat32_mount(&state.fat, &state.media) == OK;
            if (state.mounted)
                act(action, &input);
        }
    }
    return 0;
}
