/* The program: read on the workstation, put into the slots of a stick. */
#include "mkusb/program_file.h"
#include "mailstore/slots.h"
#include "mailstore/store.h"
#include "mkusb/say.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPDATE_NAME "barepost.update"
#define SECTOR      MEDIA_SECTOR_BYTES
#define MIB         1048576u
#define CHECK_BYTES (256u * 1024)

static size_t whole_sectors(size_t bytes)
{
    return (bytes + SECTOR - 1) / SECTOR * SECTOR;
}

/* A whole file, padded with zeros; NULL: it cannot be read, see errno. */
static uint8_t *read_whole(const char *path, struct stat *info)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes = NULL;

    if (fd < 0)
        return NULL;
    errno = EINVAL;
    if (fstat(fd, info) == 0 && S_ISREG(info->st_mode) && info->st_size > 0 &&
        info->st_size <= PROGRAM_BYTES_MAX + PROGRAM_LABEL_BYTES)
        bytes = calloc(1, whole_sectors((size_t)info->st_size));
    if (bytes != NULL &&
        file_read_at(fd, bytes, (size_t)info->st_size, 0) != OK) {
        free(bytes);
        bytes = NULL;
    }
    close(fd);
    return bytes;
}

static void hash(const uint8_t *bytes, size_t len, uint8_t out[SHA256_BYTES])
{
    struct sha256 sha;

    sha256_begin(&sha);
    sha256_add(&sha, bytes, len);
    sha256_end(&sha, out);
}

/* Takes the program out of an update file that was made of this AO. */
static bool take_update(struct program_file *program, uint8_t *update,
                        const struct stat *info, const struct stat *ao)
{
    uint8_t found[SHA256_BYTES];
    size_t len = (size_t)info->st_size - PROGRAM_LABEL_BYTES;

    if (info->st_size <= PROGRAM_LABEL_BYTES || info->st_mtime < ao->st_mtime ||
        program_label_read(update, &program->label) != OK ||
        program->label.bytes != len ||
        program->label.unpacked_bytes != ao->st_size)
        return false;
    hash(update + PROGRAM_LABEL_BYTES, len, found);
    if (memcmp(found, program->label.sha256, sizeof(found)) != 0)
        return false;
    /* The label was whole sectors, and so is what is left with its padding. */
    memmove(update, update + PROGRAM_LABEL_BYTES, whole_sectors(len));
    program->bytes = update;
    return true;
}

static bool load_packed(struct program_file *program, const char *ao,
                        const struct stat *ao_info)
{
    const char *slash = strrchr(ao, '/');
    int folder = slash == NULL ? 0 : (int)(slash - ao) + 1;
    struct stat info;
    uint8_t *update;
    char path[4096];

    if (snprintf(path, sizeof(path), "%.*s" UPDATE_NAME, folder, ao) >=
        (int)sizeof(path))
        return false;
    update = read_whole(path, &info);
    if (update == NULL)
        return false;
    if (take_update(program, update, &info, ao_info))
        return true;
    free(update);
    return false;
}

enum err program_file_load(struct program_file *program, const char *ao)
{
    struct program_label *label = &program->label;
    struct stat info;
    uint8_t *bytes = read_whole(ao, &info);

    if (bytes == NULL)
        return say_refused("the AO %s cannot be read: %s", ao, strerror(errno));
    if (load_packed(program, ao, &info)) {
        free(bytes);
        return OK;
    }
    memset(label, 0, sizeof(*label));
    label->bytes = label->unpacked_bytes = (uint32_t)info.st_size;
    label->store = STORE_VERSION;
    hash(bytes, label->bytes, label->sha256);
    program->bytes = bytes;
    return OK;
}

uint64_t program_file_slot_bytes(const struct program_file *program, bool tight)
{
    uint64_t bytes = program->label.bytes;
    uint64_t unit = tight ? MIB / 16 : MIB;

    bytes += (tight ? bytes / 4 : bytes) + PROGRAM_LABEL_BYTES;
    return (bytes + unit - 1) / unit * unit;
}

/* ---- Slots --------------------------------------------------------------- */

static enum err say_failed(enum err err)
{
    return say_refused("the program cannot be written: %s", err_text(err));
}

static enum err fill_slot(const struct program_file *program,
                          const struct slots *slots, enum slot slot)
{
    struct media *media = slots->media;
    size_t bytes = whole_sectors(program->label.bytes);
    enum err err = media->write(media, slots->sector[slot],
                                (uint32_t)(bytes / SECTOR), program->bytes);

    return err ? err : slots_put_label(slots, slot, &program->label);
}

static enum err make_slots(const struct program_file *program,
                           struct media *media, bool tight)
{
    uint64_t bytes = program_file_slot_bytes(program, tight);
    struct fat32 fat, folder;
    struct fat32_file file;
    struct slots slots;
    enum err err = fat32_mount(&fat, media);

    if (!err)
        err = fat32_enter(&fat, SLOTS_FOLDER, &folder);
    for (unsigned i = 0; !err && i < SLOTS; i++)
        err = fat32_create(&folder, slots_name(i), bytes, &file);
    if (!err)
        err = slots_find(&slots, media);
    if (!err)
        err = fill_slot(program, &slots, SLOT_NOW);
    if (!err)
        err = fill_slot(program, &slots, SLOT_PREVIOUS);
    return err == ERR_UNSUPPORTED ? ERR_FULL : err;
}

/* What is damaged does not become the previous version. */
static enum err use_slots(const struct program_file *program,
                          const struct slots *slots)
{
    static uint8_t buffer[CHECK_BYTES];
    struct program_label now;
    enum err found = slots_check(slots, SLOT_NOW, buffer, sizeof(buffer), &now);
    enum err err;

    if (found == OK &&
        memcmp(now.sha256, program->label.sha256, sizeof(now.sha256)) == 0) {
        found = slots_check(slots, SLOT_PREVIOUS, buffer, sizeof(buffer), &now);
        return found == OK ? OK : fill_slot(program, slots, SLOT_PREVIOUS);
    }
    err = fill_slot(program, slots, SLOT_SPARE);
    return err ? err
               : slots_use(slots->media,
                           found == OK ? SLOTS_INSTALL : SLOTS_REPLACE);
}

enum err program_file_put(const struct program_file *program,
                          struct media *media, bool tight)
{
    struct slots slots;
    enum err err = slots_find(&slots, media);

    if (!err && slots_room(&slots) >= program->label.bytes)
        err = use_slots(program, &slots);
    else if (!err || err == ERR_UNSUPPORTED)
        err = make_slots(program, media, tight);
    return err == OK || err == ERR_FULL ? err : say_failed(err);
}

uint8_t *program_file_alone(const struct program_file *program, size_t *bytes)
{
    size_t len = whole_sectors(program->label.bytes);
    uint8_t *file = malloc(len + PROGRAM_LABEL_BYTES);

    if (file == NULL)
        return NULL;
    memcpy(file, program->bytes, len);
    program_label_write(&program->label, file + len);
    *bytes = len + PROGRAM_LABEL_BYTES;
    return file;
}
