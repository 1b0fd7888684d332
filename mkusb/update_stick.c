/* mkusb --update: boot loader, menu and AO anew, the store as it is.
 *
 * All of the stick but the files of the store is copied into an image in
 * memory, renewed there, and what differs is written back.
 * stick_image_write() is told where the store lies and leaves that out. */
#include "mailstore/fat32.h"
#include "mailstore/store.h"
#include "mkusb/boot_files.h"
#include "mkusb/make_stick.h"
#include "mkusb/say.h"
#include "mkusb/stick_image.h"
#include "mkusb/target.h"
#include "mkusb/target_file.h"
#include <string.h>

struct updating {
    struct boot_files boot;
    struct target target;
    struct target_file file;
    struct media_file media;
    struct fat32 fat;
    struct stick_range keep[4]; /* in rising order */
    unsigned keeps;
    struct stick_image image;
    char store_id[24]; /* "": it cannot be read */
};

static enum err open_stick(struct updating *updating,
                           const struct options *options)
{
    char message[TARGET_MESSAGE_BYTES];
    struct target *target = &updating->target;
    enum err err = target_examine(options->target, target, message);

    if (err == OK && target->kind == TARGET_NEW_FILE)
        return say_refused("there is no %s", target->path);
    if (err == OK && target->kind == TARGET_DEVICE)
        err = target_check_device(&target_roots_system, target, options->fixed,
                                  message);
    if (err != OK)
        return say_refused("%s", message);
    if (target->kind == TARGET_DEVICE)
        return target_file_open_device(&updating->file, target);
    return target_file_open_update(&updating->file, target);
}

static enum err keep_file(struct updating *updating, const char *name,
                          bool required)
{
    struct fat32_file file;
    struct stick_range *range = &updating->keep[updating->keeps];
    enum err err = fat32_find(&updating->fat, name, &file);

    if (err == ERR_NOT_FOUND && !required)
        return OK;
    if (err == ERR_NOT_FOUND)
        return say_refused("%s is not a Barepost stick: there is no %s on it",
                           updating->target.path, name);
    if (err == ERR_CORRUPT)
        return say_refused("%s on %s is not in one piece: boot the stick "
                           "once, the server puts it together",
                           name, updating->target.path);
    if (err != OK)
        return say_refused("%s cannot be read: %s", updating->target.path,
                           err_text(err));
    range->start = file.sector * MEDIA_SECTOR_BYTES;
    range->end = range->start + file.sectors * MEDIA_SECTOR_BYTES;
    updating->keeps++;
    return OK;
}

static void sort_kept(struct updating *updating)
{
    struct stick_range *keep = updating->keep;

    for (unsigned i = 1; i < updating->keeps; i++) {
        for (unsigned j = i; j > 0 && keep[j].start < keep[j - 1].start; j--) {
            struct stick_range later = keep[j - 1];

            keep[j - 1] = keep[j];
            keep[j] = later;
        }
    }
}

/* For the boot menu. A store that cannot be opened is no reason not to renew
 * what starts the server, which may know more of it: ERR_VERSION tells of one
 * that mkusb does not know. */
static enum err read_store_id(struct updating *updating)
{
    struct media_overlay overlay;
    struct store_place place;
    struct store *store;
    enum err err = media_overlay_init(&overlay, &updating->media.media);

    if (err != OK)
        return err;
    err = store_locate(&overlay.media, 0, &place);
    if (err == OK)
        err = store_open(&place, true, &store);
    if (err == OK) {
        if (store_setting_get(store, "store_id", updating->store_id,
                              sizeof(updating->store_id)) != OK)
            updating->store_id[0] = '\0';
        store_close(store);
    }
    media_overlay_free(&overlay);
    return err;
}

static enum err find_store(struct updating *updating)
{
    struct fat32_file data;
    enum err err;

    media_file_init(&updating->media, updating->file.fd, updating->file.bytes,
                    false);
    err = fat32_mount(&updating->fat, &updating->media.media);
    if (err != OK)
        return say_refused("%s is not a Barepost stick: no FAT32 file system "
                           "(%s)",
                           updating->target.path, err_text(err));
    err = keep_file(updating, STORE_FILE, true);
    if (err == OK)
        err = keep_file(updating, STORE_WAL_FILE, false);
    /* Where a workstation has left it in pieces it is copied as any file. */
    if (err == OK && fat32_find(&updating->fat, "data.db", &data) == OK)
        err = keep_file(updating, "data.db", false);
    if (err == OK && fat32_find(&updating->fat, "data.db-wal", &data) == OK &&
        data.bytes != 0)
        err = keep_file(updating, "data.db-wal", false);
    sort_kept(updating);
    if (err == OK && read_store_id(updating) == ERR_VERSION &&
        updating->boot.program.label.store == STORE_VERSION)
        return say_refused("%s holds a store of another version of Barepost, "
                           "which this one cannot read",
                           updating->target.path);
    return err;
}

static enum err renew(struct updating *updating)
{
    struct stick_image *image = &updating->image;
    enum err err;

    say_step("Reading");
    err = stick_image_load(image, &updating->fat, updating->keep,
                           updating->keeps);
    say_step("Copying boot files");
    if (err == OK)
        err = file_write_at(image->fd, updating->boot.boot_code,
                            sizeof(updating->boot.boot_code), 0) == OK
                  ? OK
                  : say_refused("image: cannot be written");
    if (err == OK)
        err = boot_files_write(&updating->boot, image->path,
                               updating->fat.partition_sector,
                               updating->store_id);
    say_step("Writing");
    if (err == OK)
        err = stick_image_write(image, updating->file.fd, &updating->fat, false,
                                updating->keep, updating->keeps);
    return err == OK ? target_file_commit(&updating->file) : err;
}

enum err update_stick(const struct options *options, const char *ao)
{
    static struct updating updating;
    enum err err;

    memset(&updating, 0, sizeof(updating));
    updating.file.fd = updating.image.fd = -1;
    err = boot_files_find(&updating.boot, ao);
    if (err == OK)
        err = open_stick(&updating, options);
    if (err == OK)
        err = find_store(&updating);
    if (err == OK)
        err = stick_image_make(&updating.image, updating.file.bytes);
    if (err == OK)
        err = renew(&updating);
    if (err == OK)
        say_line("%s is up to date; its mail was not touched",
                 updating.target.path);
    stick_image_free(&updating.image);
    target_file_close(&updating.file);
    return err;
}
