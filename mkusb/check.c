/* mkusb --check: partition table, FAT, the program, the store's two files, the
 * store.
 *
 * One line on stdout for each part that is in order; the first finding ends
 * the check with a sentence. The FAT is read once from end to end: each entry
 * is free, bad, an end or a cluster of this volume, no cluster has two
 * predecessors, and the second copy equals the first. */
#include "mailstore/fat32.h"
#include "mailstore/slots.h"
#include "mkusb/read_stick.h"
#include "mkusb/say.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SECTORS 256
#define CHUNK_ENTRIES (CHUNK_SECTORS * MEDIA_SECTOR_BYTES / 4)
#define ENTRY_MASK    0x0FFFFFFFu
#define ENTRY_BAD     0x0FFFFFF7u

struct checking {
    struct read_stick *stick;
    struct fat32 fat;
    uint8_t *reached; /* a bit for each cluster that another one names */
    uint32_t used;
};

static enum err damaged(const struct checking *checking, const char *what)
{
    return say_refused("%s is damaged: %s", checking->stick->target.path, what);
}

/* ---- Partition table
 * --------------------------------------------------------- */

static enum err check_table(const struct checking *checking)
{
    struct media *media = &checking->stick->media.media;
    uint8_t sector[MEDIA_SECTOR_BYTES];
    enum err err = media->read(media, 0, 1, sector);

    if (err != OK)
        return say_refused("%s cannot be read: %s",
                           checking->stick->target.path, err_text(err));
    if (sector[446] != 0x80 || sector[0] == 0)
        return damaged(checking, "no PC can boot it, its first partition is "
                                 "not active or the boot code is gone "
                                 "(mkusb --update restores the code)");
    if (checking->fat.partition_sector + checking->fat.partition_sectors >
        media->sectors)
        return damaged(checking, "the partition ends behind the stick's end");
    printf("partition: %" PRIu64 " sectors from %" PRIu64 ", active\n",
           checking->fat.partition_sectors, checking->fat.partition_sector);
    return OK;
}

/* ---- FAT
 * ------------------------------------------------------------------------ */

static enum err check_entry(struct checking *checking, uint32_t cluster,
                            uint32_t entry)
{
    uint32_t last = checking->fat.cluster_count + 1;
    char text[128];

    if (entry == 0)
        return OK;
    checking->used++;
    if (entry >= ENTRY_BAD)
        return OK;
    if (entry < 2 || entry > last) {
        snprintf(text, sizeof(text),
                 "the FAT's entry %" PRIu32 " leads out of the file system",
                 cluster);
        return damaged(checking, text);
    }
    if ((checking->reached[entry / 8] >> entry % 8 & 1) != 0) {
        snprintf(text, sizeof(text), "cluster %" PRIu32 " belongs to two files",
                 entry);
        return damaged(checking, text);
    }
    checking->reached[entry / 8] =
        (uint8_t)(checking->reached[entry / 8] | 1u << entry % 8);
    return OK;
}

static enum err check_chunk(struct checking *checking, uint32_t first,
                            const uint32_t *entry, uint32_t count)
{
    enum err err = OK;

    for (uint32_t i = 0; i < count && err == OK; i++)
        if (first + i >= 2 && first + i < checking->fat.cluster_count + 2)
            err = check_entry(checking, first + i, entry[i] & ENTRY_MASK);
    return err;
}

static enum err compare_copies(struct checking *checking, uint32_t sector,
                               uint32_t count, const uint32_t *entry)
{
    static uint32_t copy[CHUNK_ENTRIES];
    const struct fat32 *fat = &checking->fat;
    struct media *media = fat->media;

    for (uint32_t i = 1; i < fat->fat_count; i++) {
        enum err err = media->read(
            media, fat->fat_sector + (uint64_t)i * fat->fat_sectors + sector,
            count, copy);

        if (err != OK)
            return damaged(checking, "a copy of the FAT cannot be read");
        if (memcmp(copy, entry, (size_t)count * MEDIA_SECTOR_BYTES) != 0)
            return damaged(checking, "the copies of the FAT differ (fsck.fat "
                                     "-a repairs that)");
    }
    return OK;
}

static enum err check_fat(struct checking *checking)
{
    static uint32_t entry[CHUNK_ENTRIES];
    const struct fat32 *fat = &checking->fat;
    enum err err = OK;

    for (uint32_t at = 0; at < fat->fat_sectors && err == OK;
         at += CHUNK_SECTORS) {
        uint32_t left = fat->fat_sectors - at;
        uint32_t count = left < CHUNK_SECTORS ? left : CHUNK_SECTORS;
        uint32_t entries = count * (MEDIA_SECTOR_BYTES / 4);

        if (fat->media->read(fat->media, fat->fat_sector + at, count, entry) !=
            OK)
            return damaged(checking, "the FAT cannot be read");
        err = compare_copies(checking, at, count, entry);
        if (err == OK)
            err = check_chunk(checking, at * (MEDIA_SECTOR_BYTES / 4), entry,
                              entries);
    }
    if (err == OK)
        printf("file system: FAT32, %" PRIu32 " clusters of %" PRIu32
               " bytes, %" PRIu32 " in use\n",
               fat->cluster_count, fat->cluster_sectors * MEDIA_SECTOR_BYTES,
               checking->used);
    return err;
}

/* ---- The program
 * ------------------------------------------------------------------- */

static enum err check_slot(struct checking *checking, const struct slots *slots,
                           enum slot slot, const char *what)
{
    static uint8_t buffer[CHUNK_SECTORS * MEDIA_SECTOR_BYTES];
    struct program_label label;
    char text[128];
    enum err err = slots_check(slots, slot, buffer, sizeof(buffer), &label);

    if (err != OK) {
        snprintf(text, sizeof(text),
                 "the %s, " SLOTS_FOLDER "/%s, is not whole (mkusb --update "
                 "restores the program)",
                 what, slots_name(slot));
        return damaged(checking, text);
    }
    printf("%s: %s, whole\n", what,
           label.version[0] ? label.version : "without a version's name");
    return OK;
}

static enum err check_program(struct checking *checking)
{
    struct slots slots;
    enum err err = slots_find(&slots, checking->fat.media);

    if (err == ERR_UNSUPPORTED) {
        printf("program: no room for a second version beside it\n");
        return OK;
    }
    if (err != OK)
        return damaged(checking, "the program's folder cannot be read");
    err = check_slot(checking, &slots, SLOT_NOW, "program");
    return err == OK
               ? check_slot(checking, &slots, SLOT_PREVIOUS, "previous program")
               : err;
}

/* ---- The store's files
 * ---------------------------------------------------------------- */

static enum err check_file(struct checking *checking, const char *name,
                           bool required)
{
    struct fat32_file file;
    char text[128];
    enum err err = fat32_find(&checking->fat, name, &file);

    if (err == ERR_NOT_FOUND && !required) {
        printf("%s: not there; the server makes it when it starts\n", name);
        return OK;
    }
    if (err == OK) {
        printf("%s: %" PRIu64 " bytes in one piece from sector %" PRIu64 "\n",
               name, file.bytes, file.sector);
        return OK;
    }
    snprintf(text, sizeof(text), "%s: %s", name,
             err == ERR_CORRUPT ? "it is not in one piece" : err_text(err));
    return damaged(checking, text);
}

/* A database beside the store; older sticks have none. */
static enum err check_data(struct checking *checking)
{
    struct fat32_file file;

    if (fat32_find(&checking->fat, "data.db", &file) == ERR_NOT_FOUND) {
        printf("data.db: none on this stick\n");
        return OK;
    }
    return check_file(checking, "data.db", true);
}

static enum err check_store(struct checking *checking)
{
    struct read_stick *stick = checking->stick;
    struct store_figures figures;
    char message[256] = "";
    enum err err = read_stick_open_store(stick, false);

    if (err != OK)
        return err;
    err = store_check(stick->store, message, sizeof(message));
    if (err == ERR_CORRUPT)
        return damaged(checking, message);
    if (err == OK)
        err = store_figures(stick->store, &figures);
    if (err != OK)
        return say_refused("the store cannot be checked: %s", err_text(err));
    printf("store: in order, %" PRIu64 " users, %" PRIu64 " messages\n",
           figures.users, figures.messages);
    return OK;
}

static enum err mount(struct checking *checking)
{
    enum err err = fat32_mount(&checking->fat, &checking->stick->media.media);

    if (err == ERR_CORRUPT)
        return damaged(checking, "the boot sector of its file system "
                                 "contradicts itself");
    if (err != OK)
        return say_refused("%s is not a Barepost stick: no FAT32 file system "
                           "(%s)",
                           checking->stick->target.path, err_text(err));
    checking->reached = calloc(1, checking->fat.cluster_count / 8 + 2);
    return checking->reached == NULL ? say_refused("out of memory") : OK;
}

enum err check_stick(const struct options *options)
{
    static struct read_stick stick;
    struct checking checking = {.stick = &stick};
    enum err err = read_stick_open(&stick, options->target);

    if (err == OK)
        err = mount(&checking);
    if (err == OK)
        err = check_table(&checking);
    if (err == OK)
        err = check_fat(&checking);
    if (err == OK)
        err = check_program(&checking);
    if (err == OK)
        err = check_file(&checking, STORE_FILE, true);
    if (err == OK)
        err = check_file(&checking, STORE_WAL_FILE, false);
    if (err == OK)
        err = check_data(&checking);
    if (err == OK)
        err = check_store(&checking);
    if (err == OK)
        printf("%s is in order\n", options->target);
    free(checking.reached);
    read_stick_close(&stick);
    return err;
}
