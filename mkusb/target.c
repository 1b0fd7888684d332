/* Decides whether mkusb may write to its target.
 *
 * A device is judged by what the kernel says in /sys and /proc, in the order of
 * what a user most wants to hear: it is the system's own disk, it is in use, it
 * is no USB stick, it cannot take the data. All of it is read from the roots
 * that the caller names. Opening the device exclusively (stick_target.c)
 * settles what may have changed since. */
#include "mkusb/target.h"
#include "core/check.h"
#include "mkusb/sysfs.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

const struct target_roots target_roots_system = {
    .sys = "/sys",
    .mountinfo = "/proc/self/mountinfo",
    .swaps = "/proc/swaps",
};

/* The disk and its partitions, as the kernel names them. */
#define NODES_MAX 260
struct node {
    char name[64];
    char number[24]; /* "8:1" */
};
struct disk {
    char *folder; /* its real folder under /sys */
    struct node *node;
    unsigned nodes;
};

/* Puts the sentence where the caller wants it and gives the error. */
__attribute__((format(printf, 2, 3))) static enum err
refused(char *message, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(message, TARGET_MESSAGE_BYTES, format, list);
    va_end(list);
    return ERR_REFUSED;
}

/* ---- Files -------------------------------------------------------------- */

static enum err examine_missing(const char *path, struct target *target,
                                char *message)
{
    char *copy = strdup(path);
    char *slash = copy == NULL ? NULL : strrchr(copy, '/');
    const char *folder = ".";
    struct stat info;
    enum err err = OK;

    if (copy == NULL)
        return refused(message, "out of memory");
    if (slash != NULL) {
        *slash = '\0';
        folder = slash == copy ? "/" : copy;
    }
    target->kind = TARGET_NEW_FILE;
    if (strncmp(path, "/dev/", 5) == 0)
        err = refused(message,
                      "there is no %s: is the stick plugged in? "
                      "mkusb --list shows what is there",
                      path);
    else if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode))
        err = refused(message, "%s cannot be made: there is no folder %s", path,
                      folder);
    else if (access(folder, W_OK | X_OK) != 0)
        err = refused(message, "%s cannot be made: folder %s: %s", path, folder,
                      strerror(errno));
    free(copy);
    return err;
}

static const char *kind_name(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISCHR(mode))
        return "a character device";
    if (S_ISFIFO(mode))
        return "a pipe";
    return S_ISSOCK(mode) ? "a socket" : "of an unknown kind";
}

enum err target_examine(const char *path, struct target *target,
                        char message[TARGET_MESSAGE_BYTES])
{
    struct stat info;

    memset(target, 0, sizeof(*target));
    target->path = path;
    if (path[0] == '\0')
        return refused(message, "the target's name is empty");
    if (stat(path, &info) != 0) {
        if (errno == ENOENT && path[strlen(path) - 1] != '/')
            return examine_missing(path, target, message);
        return refused(message, "%s: %s", path, strerror(errno));
    }
    if (S_ISREG(info.st_mode)) {
        target->kind = TARGET_FILE;
        target->bytes = (uint64_t)info.st_size;
        target->has_content = info.st_size > 0 && info.st_blocks > 0;
        return OK;
    }
    if (!S_ISBLK(info.st_mode))
        return refused(message,
                       "%s is %s: the target must be a USB stick or a "
                       "regular file",
                       path, kind_name(info.st_mode));
    target->kind = TARGET_DEVICE;
    target->major = major(info.st_rdev);
    target->minor = minor(info.st_rdev);
    return OK;
}

/* ---- The disk and its partitions ---------------------------------------- */

static void add_node(struct disk *disk, const char *folder, const char *name)
{
    struct node *node = &disk->node[disk->nodes];

    if (disk->nodes >= NODES_MAX ||
        !sysfs_read(folder, "dev", node->number, sizeof(node->number)))
        return;
    snprintf(node->name, sizeof(node->name), "%s", name);
    disk->nodes++;
}

static void add_partitions(struct disk *disk)
{
    DIR *folder = opendir(disk->folder);
    const struct dirent *entry;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL) {
        char *path = sysfs_join(disk->folder, entry->d_name);

        if (path != NULL && sysfs_exists(path, "partition"))
            add_node(disk, path, entry->d_name);
        free(path);
    }
    closedir(folder);
}

static void free_disk(struct disk *disk)
{
    free(disk->folder);
    free(disk->node);
}

static enum err find_disk(const struct target_roots *roots,
                          const struct target *target, struct disk *disk,
                          char *message)
{
    char *link = NULL;

    memset(disk, 0, sizeof(*disk));
    disk->node = calloc(NODES_MAX, sizeof(*disk->node));
    if (disk->node == NULL || asprintf(&link, "%s/dev/block/%u:%u", roots->sys,
                                       target->major, target->minor) < 0)
        return refused(message, "out of memory");
    disk->folder = realpath(link, NULL);
    free(link);
    if (disk->folder == NULL)
        return refused(message,
                       "%s: the kernel knows no such block device (%u:%u)",
                       target->path, target->major, target->minor);
    add_node(disk, disk->folder, strrchr(disk->folder, '/') + 1);
    add_partitions(disk);
    return OK;
}

static enum err check_whole(const struct target *target,
                            const struct disk *disk, char *message)
{
    char *parent, *slash;
    enum err err;

    ASSERT(disk->folder != NULL);
    if (!sysfs_exists(disk->folder, "partition"))
        return OK;
    parent = strdup(disk->folder);
    if (parent == NULL)
        return refused(message, "out of memory");
    slash = strrchr(parent, '/');
    ASSERT(slash != NULL);
    *slash = '\0';
    slash = strrchr(parent, '/');
    err = refused(message, "%s is a partition: name the whole stick, /dev/%s",
                  target->path, slash == NULL ? parent : slash + 1);
    free(parent);
    return err;
}

/* ---- Who uses it ----------------------------------------------------------
 */

static bool is_node(const struct disk *disk, const char *number,
                    const char *source)
{
    for (unsigned i = 0; i < disk->nodes; i++) {
        if (strcmp(disk->node[i].number, number) == 0)
            return true;
        if (strncmp(source, "/dev/", 5) == 0 &&
            strcmp(disk->node[i].name, source + 5) == 0)
            return true;
    }
    return false;
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
            from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
            from[3] <= '7') {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
                         (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

static bool is_system_folder(const char *folder)
{
    static const char *const system[] = {"/",         "/usr", "/boot",
                                         "/boot/efi", "/var", "/home"};

    for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++)
        if (strcmp(folder, system[i]) == 0)
            return true;
    return false;
}

/* One line of mountinfo (proc(5)): id, parent, major:minor, root, mount point,
 * options, optional fields, "-", type, source, ... */
static enum err check_mount_line(const struct target *target,
                                 const struct disk *disk, char *line,
                                 char *message)
{
    char *field[5], *rest = line, *word, *source;

    for (unsigned i = 0; i < 5; i++) {
        field[i] = strsep(&rest, " ");
        if (field[i] == NULL)
            return OK;
    }
    while ((word = strsep(&rest, " ")) != NULL && strcmp(word, "-") != 0)
        ;
    if (strsep(&rest, " ") == NULL || (source = strsep(&rest, " ")) == NULL)
        return OK;
    if (!is_node(disk, field[2], source))
        return OK;
    unescape(field[4]);
    if (is_system_folder(field[4]))
        return refused(message,
                       "%s is a disk of the running system (mounted at %s)",
                       target->path, field[4]);
    return refused(message,
                   "%s is in use: it is mounted at %s. Unmount it first "
                   "(umount '%s')",
                   target->path, field[4], field[4]);
}

static enum err check_mounts(const struct target_roots *roots,
                             const struct target *target,
                             const struct disk *disk, char *message)
{
    FILE *file = fopen(roots->mountinfo, "re");
    char *line = NULL;
    size_t room = 0;
    enum err err = OK;

    if (file == NULL)
        return refused(message, "%s cannot be checked: %s: %s", target->path,
                       roots->mountinfo, strerror(errno));
    while (err == OK && getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        err = check_mount_line(target, disk, line, message);
    }
    free(line);
    fclose(file);
    return err;
}

static enum err check_swaps(const struct target_roots *roots,
                            const struct target *target,
                            const struct disk *disk, char *message)
{
    FILE *file = fopen(roots->swaps, "re");
    char *line = NULL;
    size_t room = 0;
    enum err err = OK;

    if (file == NULL) /* a kernel without swap has no such file */
        return OK;
    while (err == OK && getline(&line, &room, file) > 0) {
        line[strcspn(line, " \t\n")] = '\0';
        if (is_node(disk, "", line))
            err = refused(message,
                          "%s is in use: the system swaps to %s. Give it free "
                          "first (swapoff %s)",
                          target->path, line, line);
    }
    free(line);
    fclose(file);
    return err;
}

static enum err check_holder(const struct target *target, const char *node,
                             const char *folder, char *message)
{
    DIR *holders = opendir(folder);
    const struct dirent *entry;
    enum err err = OK;

    if (holders == NULL)
        return OK;
    while (err == OK && (entry = readdir(holders)) != NULL)
        if (entry->d_name[0] != '.')
            err = refused(message,
                          "%s is in use: %s belongs to %s (RAID, LVM or "
                          "encryption). Take that down first",
                          target->path, node, entry->d_name);
    closedir(holders);
    return err;
}

static enum err check_holders(const struct target *target,
                              const struct disk *disk, char *message)
{
    enum err err = OK;

    for (unsigned i = 0; i < disk->nodes && err == OK; i++) {
        char *folder = NULL;
        int made = i == 0 ? asprintf(&folder, "%s/holders", disk->folder)
                          : asprintf(&folder, "%s/%s/holders", disk->folder,
                                     disk->node[i].name);

        if (made < 0)
            return refused(message, "out of memory");
        err = check_holder(target, disk->node[i].name, folder, message);
        free(folder);
    }
    return err;
}

/* ---- What it is ------------------------------------------------------------
 */

static enum err check_is_stick(struct target *target, const struct disk *disk,
                               bool allow_fixed, char *message)
{
    char *usb = sysfs_usb_folder(disk->folder);

    if (usb == NULL)
        return refused(message,
                       "%s is not a USB stick: it does not hang on USB. "
                       "mkusb --list shows the sticks",
                       target->path);
    sysfs_describe_usb(usb, target->description, sizeof(target->description));
    free(usb);
    if (!allow_fixed && sysfs_number(disk->folder, "removable", 0) == 0)
        return refused(message,
                       "%s (%s) is a USB disk, not a removable stick. If you "
                       "do mean it, add --fixed",
                       target->path, target->description);
    return OK;
}

static enum err check_takes_data(struct target *target, const struct disk *disk,
                                 char *message)
{
    char *queue = sysfs_join(disk->folder, "queue");
    uint64_t block =
        queue == NULL ? 0 : sysfs_number(queue, "logical_block_size", 512);

    free(queue);
    target->bytes = sysfs_number(disk->folder, "size", 0) * 512;
    if (target->bytes == 0)
        return refused(message, "%s (%s) has no medium in it", target->path,
                       target->description);
    if (sysfs_number(disk->folder, "ro", 0) != 0)
        return refused(message,
                       "%s (%s) is write-protected: look for a switch on it",
                       target->path, target->description);
    if (block != 512)
        return refused(message,
                       "%s (%s) has sectors of %" PRIu64
                       " bytes; only sectors of 512 bytes can be booted from",
                       target->path, target->description, block);
    return OK;
}

enum err target_check_device(const struct target_roots *roots,
                             struct target *target, bool allow_fixed,
                             char message[TARGET_MESSAGE_BYTES])
{
    struct disk disk;
    enum err err = find_disk(roots, target, &disk, message);

    if (err == OK)
        err = check_mounts(roots, target, &disk, message);
    if (err == OK)
        err = check_swaps(roots, target, &disk, message);
    if (err == OK)
        err = check_whole(target, &disk, message);
    if (err == OK)
        err = check_holders(target, &disk, message);
    if (err == OK)
        err = check_is_stick(target, &disk, allow_fixed, message);
    if (err == OK)
        err = check_takes_data(target, &disk, message);
    free_disk(&disk);
    return err;
}
