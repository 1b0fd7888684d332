/* Where the store lies on a stick: its two files in the FAT32 volume; and those
 * of the databases beside it.
 *
 * The WAL file comes first on the medium and mail.db behind it. A workstation's
 * sqlite3 deletes the WAL when it closes the database and cuts mail.db off at
 * its last used page; then the WAL's room is where it was, and what followed
 * mail.db is free again, so that both can be had back. */
#include "mailstore/store_internal.h"
#include "mailstore/fat32.h"
#include "mailstore/sql.h"
#include "mailstore/sql_internal.h"
#include <stdio.h>
#include <string.h>

#define WAL_BYTES_MAX (32u << 20)
#define WAL_BYTES_MIN (4u << 20)
/* What is good enough to be left as it is. */
#define WAL_BYTES_USABLE (1u << 20)
#define WAL_SHARE        16
#define FILE_BYTES_MAX   0xfffff000u
#define DATA_WAL_MIN     (512u << 10)
#define DATA_WAL_MAX     (16u << 20)
#define DATA_WAL_SHARE   4

static uint64_t whole_blocks(uint64_t bytes)
{
    return bytes & ~(uint64_t)(BLOCK_BYTES - 1);
}

uint64_t store_wal_bytes(uint64_t volume_bytes)
{
    uint64_t bytes = whole_blocks(volume_bytes / WAL_SHARE);

    if (bytes > WAL_BYTES_MAX)
        return WAL_BYTES_MAX;
    return bytes < WAL_BYTES_MIN ? WAL_BYTES_MIN : bytes;
}

static uint64_t wal_bytes_for(const struct fat32 *fat)
{
    return store_wal_bytes((uint64_t)fat->cluster_count * fat->cluster_sectors *
                           MEDIA_SECTOR_BYTES);
}

/* bytes: how large it is to be, when there is nothing usable. */
static enum err find_wal(struct fat32 *fat, const char *name, uint64_t bytes,
                         struct fat32_file *wal)
{
    uint64_t usable = bytes < WAL_BYTES_USABLE ? bytes : WAL_BYTES_USABLE;
    enum err err = fat32_find(fat, name, wal);

    if (err == ERR_NOT_FOUND || (!err && wal->bytes == 0))
        return fat32_create(fat, name, bytes, wal);
    /* What a workstation left in it may be committed. */
    if ((!err && wal->bytes < usable) || (err == ERR_CORRUPT && wal->bytes))
        return fat32_relocate(fat, name, bytes, wal);
    return err;
}

static enum err find_database(struct fat32 *fat, const char *name,
                              struct fat32_file *database)
{
    enum err err = fat32_find(fat, name, database);

    if (err == ERR_CORRUPT && database->bytes)
        return fat32_relocate(fat, name, database->bytes, database);
    if (!err && database->bytes == 0)
        return ERR_NOT_FOUND;
    return err;
}

/* The rest of the last cluster is the file's as well, but sqlite3 would not see
 * what lies behind the file's length. */
static void set_place(struct store_place *place,
                      const struct fat32_file *database,
                      const struct fat32_file *wal)
{
    place->wal_sector = wal->sector;
    place->wal_bytes = whole_blocks(wal->bytes);
    place->database_sector = database->sector;
    place->database_bytes = whole_blocks(database->bytes);
}

enum err store_locate(struct media *media, uint64_t create_bytes,
                      struct store_place *place)
{
    struct fat32_file wal, database;
    struct fat32 fat;
    enum err err = fat32_mount(&fat, media);

    memset(place, 0, sizeof *place);
    place->media = media;
    if (!err && create_bytes) {
        if (create_bytes > FILE_BYTES_MAX)
            create_bytes = FILE_BYTES_MAX;
        err = fat32_create(&fat, STORE_WAL_FILE, wal_bytes_for(&fat), &wal);
        if (!err)
            err = fat32_create(&fat, STORE_FILE, whole_blocks(create_bytes),
                               &database);
    } else if (!err) {
        /* The database first: a stick without a store is not written to. */
        err = find_database(&fat, STORE_FILE, &database);
        if (!err)
            err = find_wal(&fat, STORE_WAL_FILE, wal_bytes_for(&fat), &wal);
    }
    if (err)
        return err;
    set_place(place, &database, &wal);
    return place->database_bytes ? OK : ERR_NOT_FOUND;
}

enum err store_restore_size(struct store *store)
{
    struct volume *volume = store->volume;
    struct fat32_file file;
    struct fat32 fat;
    int64_t wanted;
    enum err err = store_setting_number(store, "database_bytes", 0, &wanted);

    if (err || (uint64_t)wanted <= volume->database.bytes)
        return err;
    /* A place that is not a file of a FAT32 volume has the size it has. */
    if (fat32_mount(&fat, volume->place.media) ||
        fat32_find(&fat, STORE_FILE, &file) ||
        file.sector != volume->place.database_sector)
        return OK;
    err = fat32_grow(&fat, STORE_FILE, (uint64_t)wanted, &file);
    if (err == ERR_REFUSED)
        return OK;
    if (!err) {
        volume->place.database_bytes = whole_blocks(file.bytes);
        volume->database.bytes = volume->place.database_bytes;
    }
    return err;
}

/* ---- Databases beside it ------------------------------------------------- */

uint64_t sql_data_wal_bytes(uint64_t bytes)
{
    bytes = whole_blocks(bytes / DATA_WAL_SHARE);
    if (bytes > DATA_WAL_MAX)
        return DATA_WAL_MAX;
    return bytes < DATA_WAL_MIN ? DATA_WAL_MIN : bytes;
}

void sql_data_name(int64_t user_id, char name[SQL_NAME_BYTES])
{
    if (user_id == 0)
        (void)snprintf(name, SQL_NAME_BYTES, "data.db");
    else
        (void)snprintf(name, SQL_NAME_BYTES, "data-%lld.db",
                       (long long)user_id);
}

/* Found: as long as it is to be, if what lies behind it is free. */
static enum err find_data(struct fat32 *fat, const char *name, uint64_t bytes,
                          struct fat32_file *database)
{
    enum err err = find_database(fat, name, database);

    if (!err && database->bytes < bytes) {
        err = fat32_grow(fat, name, bytes, database);
        if (err == ERR_REFUSED)
            err = fat32_find(fat, name, database);
    }
    return err;
}

enum err sql_data_locate(struct media *media, int64_t user_id, uint64_t bytes,
                         struct store_place *place)
{
    char name[SQL_NAME_BYTES], wal_name[SQL_NAME_BYTES + 4];
    struct fat32_file wal, database;
    struct fat32 fat;
    enum err err = fat32_mount(&fat, media);
    bool fresh = false;

    sql_data_name(user_id, name);
    (void)snprintf(wal_name, sizeof wal_name, "%s-wal", name);
    memset(place, 0, sizeof *place);
    place->media = media;
    place->data = true;
    bytes = whole_blocks(bytes < FILE_BYTES_MAX ? bytes : FILE_BYTES_MAX);
    if (!err)
        err = find_data(&fat, name, bytes, &database);
    if (err == ERR_NOT_FOUND && bytes != 0) {
        fresh = true;
        /* The WAL before it, as with mail.db. */
        err = fat32_create(&fat, wal_name, sql_data_wal_bytes(bytes), &wal);
        if (!err)
            err = fat32_create(&fat, name, bytes, &database);
    } else if (!err) {
        err =
            find_wal(&fat, wal_name, sql_data_wal_bytes(database.bytes), &wal);
    }
    if (err)
        return err;
    set_place(place, &database, &wal);
    return fresh ? sql_data_create(place) : OK;
}
