/* Makes a new stick.
 *
 *   options, users.csv, AO, target -> checked
 *   -> target opened (a device exclusively), user asked
 *   -> image in memory: MBR, FAT32, boot files, data.db, mail.db with users,
 *      settings
 *   -> target
 *
 * Room in the partition: boot files, with three times the AO
 * (mailstore/slots.h), data.db (setting data_bytes, else a small share),
 * mail.db, their WALs, and a spare for much larger AOs (--update). mail.db gets
 * all that the others leave, up to the 4 GiB of a FAT32 file. */
#include "mkusb/make_stick.h"
#include "mailstore/fat32.h"
#include "mailstore/sql.h"
#include "mailstore/store.h"
#include "mkusb/boot_files.h"
#include "mkusb/host_services.h"
#include "mkusb/layout.h"
#include "mkusb/say.h"
#include "mkusb/stick_image.h"
#include "mkusb/target.h"
#include "mkusb/target_file.h"
#include "mkusb/users.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>

#define MIB 1048576ull

#define NEW_FILE_BYTES     (1024 * MIB)
#define DATABASE_BYTES_MIN (8 * MIB)
#define FILE_BYTES_MAX     0xFFFFFFFFull
/* data.db, where nothing is said; smaller sticks have none. */
#define DATA_SHARE      32
#define DATA_BYTES_MIN  (2 * MIB)
#define DATA_BYTES_MAX  (256 * MIB)
#define SPARE_BYTES_MIN (4 * MIB)
#define SPARE_BYTES_MAX (64 * MIB)
/* Of which nothing need be said. */
#define PC_MB 64

struct making {
    const struct options *options;
    struct user_list users;
    struct boot_files boot;
    struct target target;
    struct target_file file;
    struct layout layout;
    struct stick_image image;
    uint64_t bytes;
    uint64_t data_bytes; /* of data.db */
    unsigned pc_mb;      /* memory that a PC must have */
    char store_id[20];
};

/* ---- Before anything is written
 * ------------------------------------------------ */

static enum err choose_size(struct making *making)
{
    const struct options *options = making->options;
    const struct target *target = &making->target;
    char have[SAY_SIZE_BYTES], want[SAY_SIZE_BYTES];
    uint64_t content =
        boot_files_bytes(&making->boot) + SPARE_BYTES_MIN + DATABASE_BYTES_MIN;
    uint64_t minimum =
        layout_bytes_min(content + store_wal_bytes(layout_bytes_min(content)));

    making->bytes = options->size_bytes;
    if (making->bytes == 0)
        making->bytes = target->bytes == 0 ? NEW_FILE_BYTES : target->bytes;
    if (target->kind == TARGET_DEVICE && making->bytes > target->bytes)
        return say_refused("%s is too small: it has %s, --size wants %s",
                           target->path, say_size(target->bytes, have),
                           say_size(making->bytes, want));
    making->bytes -= making->bytes % LAYOUT_SECTOR_BYTES;
    if (making->bytes < minimum ||
        layout_plan(making->bytes, &making->layout) != OK)
        return say_refused("%s is too small: %s, and a stick needs at least %s",
                           target->path, say_size(making->bytes, have),
                           say_size(minimum, want));
    return OK;
}

static enum err check_target(struct making *making)
{
    char message[TARGET_MESSAGE_BYTES];
    enum err err =
        target_examine(making->options->target, &making->target, message);

    if (err == OK && making->target.kind == TARGET_DEVICE)
        err = target_check_device(&target_roots_system, &making->target,
                                  making->options->fixed, message);
    return err == OK ? choose_size(making) : say_refused("%s", message);
}

static enum err open_target(struct making *making)
{
    if (making->target.kind == TARGET_DEVICE)
        return target_file_open_device(&making->file, &making->target);
    return target_file_open_new(&making->file, &making->target, making->bytes);
}

static enum err ask(const struct making *making)
{
    const struct target *target = &making->target;
    char size[SAY_SIZE_BYTES];
    bool yes = making->options->yes;

    if (target->kind == TARGET_DEVICE)
        yes = yes || say_confirm("%s (%s, %s): everything on it will be lost.",
                                 target->path, target->description,
                                 say_size(target->bytes, size));
    else if (target->has_content)
        yes = yes || say_confirm("%s (%s) has content that will be lost.",
                                 target->path, say_size(target->bytes, size));
    else
        yes = true;
    if (yes)
        return OK;
    return say_refused("%s was not overwritten: that needs a typed yes, or "
                       "--yes",
                       target->path);
}

/* ---- The store
 * -------------------------------------------------------------------- */

static enum err put_settings(struct store *store,
                             const struct settings *settings)
{
    for (unsigned i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->list[i];
        enum err err = store_setting_put(store, setting->key, setting->value);

        if (err != OK)
            return say_refused("setting %s cannot be stored: %s (%s)",
                               setting->key, err_text(err),
                               store_message(store));
    }
    return OK;
}

static enum err put_routes(struct store *store, const struct options *options)
{
    for (unsigned i = 0; i < options->route_count; i++) {
        const struct option_route *each = &options->routes[i];
        enum err err = store_route_put(store, each->domain, &each->route);

        if (err != OK)
            return say_refused("the route of %s cannot be stored: %s",
                               each->domain, err_text(err));
    }
    return OK;
}

/* What the server makes data.db again with, when somebody has removed it. */
static enum err put_data_bytes(struct store *store, uint64_t bytes)
{
    char value[24];

    snprintf(value, sizeof(value), "%llu", (unsigned long long)bytes);
    if (store_setting_put(store, "data_bytes", value) != OK)
        return say_refused("the size of data.db cannot be stored: %s",
                           store_message(store));
    return OK;
}

/* The one that stands in the boot menu. */
static enum err put_store_id(struct store *store, const char *id)
{
    if (store_setting_put(store, "store_id", id) != OK)
        return say_refused("the store's id cannot be stored: %s",
                           store_message(store));
    return OK;
}

/* What a PC needs to know them all. */
static enum err measure_users(struct store *store, unsigned *pc_mb)
{
    size_t bytes;

    if (store_directory_bytes(store, &bytes) != OK)
        return say_refused("the users cannot be counted: %s",
                           store_message(store));
    *pc_mb = directory_pc_mb(bytes);
    return *pc_mb != 0 ? OK : say_refused("so many users fit into no PC");
}

static enum err fill_store(struct making *making,
                           const struct store_place *place)
{
    struct store *store;
    enum err err = store_open(place, true, &store);

    if (err != OK)
        return say_refused("the new store cannot be opened: %s", err_text(err));
    err = put_settings(store, &making->options->settings);
    if (err == OK)
        err = put_data_bytes(store, making->data_bytes);
    if (err == OK)
        err = put_store_id(store, making->store_id);
    if (err == OK)
        err = put_routes(store, making->options);
    if (err == OK)
        err = users_store(store, &making->users);
    if (err == OK)
        err = measure_users(store, &making->pc_mb);
    if (err == OK && store_checkpoint(store) != OK)
        err = say_refused("the new store cannot be completed: %s",
                          store_message(store));
    store_close(store);
    return err;
}

static uint64_t whole_clusters(const struct making *making, uint64_t bytes)
{
    uint64_t cluster =
        (uint64_t)making->layout.cluster_sectors * LAYOUT_SECTOR_BYTES;

    return bytes / (cluster < 4096 ? 4096 : cluster) *
           (cluster < 4096 ? 4096 : cluster);
}

/* What mail.db gets. run: the longest free run. */
static uint64_t database_bytes(const struct making *making, uint64_t run)
{
    uint64_t cluster =
        (uint64_t)making->layout.cluster_sectors * LAYOUT_SECTOR_BYTES;
    uint64_t volume = making->layout.cluster_count * cluster;
    uint64_t spare = making->bytes / 16;
    uint64_t taken, bytes;

    if (spare < SPARE_BYTES_MIN)
        spare = SPARE_BYTES_MIN;
    if (spare > SPARE_BYTES_MAX)
        spare = SPARE_BYTES_MAX;
    taken = spare + store_wal_bytes(volume) + 2 * cluster;
    bytes = run > taken ? run - taken : 0;
    if (bytes > FILE_BYTES_MAX)
        bytes = FILE_BYTES_MAX;
    return whole_clusters(making, bytes);
}

/* The database beside mail.db, before it on the stick: what lies behind
 * mail.db is for that to grow back into (store_locate.c). */
static enum err make_data(struct making *making, struct media *media)
{
    const char *wanted = settings_get(&making->options->settings, "data_bytes");
    uint64_t bytes = making->bytes / DATA_SHARE;
    struct store_place place;
    enum err err;

    if (bytes > DATA_BYTES_MAX)
        bytes = DATA_BYTES_MAX;
    if (bytes < DATA_BYTES_MIN)
        bytes = 0;
    if (wanted != NULL)
        bytes = settings_size(wanted);
    making->data_bytes = whole_clusters(making, bytes);
    if (making->data_bytes == 0)
        return OK;
    err = sql_data_locate(media, 0, making->data_bytes, &place);
    if (err == ERR_FULL)
        return say_refused("%s is too small for data_bytes=%s",
                           making->target.path, wanted ? wanted : "");
    return err == OK ? OK
                     : say_refused("data.db cannot be made: %s", err_text(err));
}

static enum err make_store(struct making *making)
{
    struct media *media = &making->image.media.media;
    struct store_place place;
    struct fat32 fat;
    uint64_t run = 0, bytes;
    enum err err = fat32_mount(&fat, media);

    say_step("Making the store");
    if (err == OK) {
        err = make_data(making, media);
        if (err != OK)
            return err;
        err = fat32_free_run(&fat, &run);
    }
    if (err != OK)
        return say_refused("the new file system is not usable: %s",
                           err_text(err));
    bytes = database_bytes(making, run);
    if (bytes < DATABASE_BYTES_MIN)
        return say_refused("%s is too small: no room for mail is left",
                           making->target.path);
    err = store_locate(media, bytes, &place);
    if (err == OK)
        err = store_create(&place);
    if (err != OK)
        return say_refused("the store cannot be made: %s", err_text(err));
    return fill_store(making, &place);
}

/* ---- Image and target
 * ---------------------------------------------------------------- */

static enum err write_mbr(struct making *making)
{
    uint8_t sector[LAYOUT_SECTOR_BYTES];
    uint32_t signature;
    enum err err;

    host_random(&signature, sizeof(signature));
    layout_fill_mbr(&making->layout, making->boot.boot_code, signature, sector);
    err = file_write_at(making->image.fd, sector, sizeof(sector), 0);
    return err == OK ? OK : say_refused("image: %s", err_text(err));
}

static void choose_store_id(struct making *making)
{
    uint64_t number;

    host_random(&number, sizeof(number));
    snprintf(making->store_id, sizeof(making->store_id), "%016llx",
             (unsigned long long)number);
}

static enum err make_image(struct making *making)
{
    enum err err = write_mbr(making);

    choose_store_id(making);
    say_step("Formatting");
    if (err == OK)
        err = boot_files_format(making->image.path, &making->layout);
    say_step("Copying boot files");
    if (err == OK)
        err =
            boot_files_write(&making->boot, making->image.path,
                             making->layout.partition_sector, making->store_id);
    return err == OK ? make_store(making) : err;
}

static enum err write_target(struct making *making)
{
    struct fat32 fat;
    enum err err = fat32_mount(&fat, &making->image.media.media);

    say_step("Writing");
    if (err != OK)
        return say_refused("the new file system is not usable: %s",
                           err_text(err));
    if (making->target.kind == TARGET_DEVICE)
        err = target_file_wipe_end(&making->file);
    if (err == OK)
        err = stick_image_write(&making->image, making->file.fd, &fat, true,
                                NULL, 0);
    return err == OK ? target_file_commit(&making->file) : err;
}

static enum err build_and_write(struct making *making)
{
    enum err err = users_hash(&making->users);

    if (err == OK)
        err = stick_image_make(&making->image, making->bytes);
    if (err != OK)
        return err;
    err = make_image(making);
    if (err == OK)
        err = write_target(making);
    stick_image_free(&making->image);
    return err;
}

static void say_done(const struct making *making)
{
    const struct settings *settings = &making->options->settings;
    char size[SAY_SIZE_BYTES];

    say_line(
        "%s is ready: %s, %zu user%s, host %s, mail for %s, address %s",
        making->target.path, say_size(making->bytes, size), making->users.count,
        making->users.count == 1 ? "" : "s", settings_get(settings, "hostname"),
        settings_get(settings, "domains"), settings_get(settings, "address"));
    if (making->pc_mb > PC_MB)
        say_line("with so many users and aliases the PC needs %u MB of memory",
                 making->pc_mb);
}

enum err make_stick(const struct options *options, const char *ao)
{
    static struct making making;
    enum err err;

    memset(&making, 0, sizeof(making));
    making.options = options;
    making.file.fd = making.image.fd = -1;
    err = users_load(options->users_file, &making.users);
    if (err == OK)
        err = boot_files_find(&making.boot, ao);
    if (err == OK)
        err = check_target(&making);
    if (err == OK)
        err = ask(&making);
    if (err == OK)
        err = open_target(&making);
    if (err == OK)
        err = build_and_write(&making);
    if (err == OK)
        say_done(&making);
    target_file_close(&making.file);
    users_free(&making.users);
    return err;
}
