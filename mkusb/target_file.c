/* Opens targets. A new image file comes to life under a temporary name and is
 * renamed when it is complete: an older image of that name stays whole until
 * then. A signal that ends mkusb takes the unfinished one away. */
#include "mkusb/target_file.h"
#include "mkusb/media_file.h"
#include "mkusb/say.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define GPT_COPY_BYTES (33 * 512)

/* The image that is being made, NULL: none. */
static const char *volatile unfinished;

/* Then the signal does what it does without us. */
static void remove_unfinished(int number)
{
    const char *path = unfinished;

    if (path != NULL)
        (void)unlink(path);
    (void)raise(number);
}

static void watch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now, ours;

    memset(&ours, 0, sizeof(ours));
    ours.sa_handler = remove_unfinished;
    ours.sa_flags = (int)(SA_RESETHAND | SA_NODEFER);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            (void)sigaction(numbers[i], &ours, NULL);
}

static void begin(struct target_file *file, const struct target *target)
{
    memset(file, 0, sizeof(*file));
    file->target = target;
    file->fd = -1;
}

static enum err say_open_failed(const char *path)
{
    switch (errno) {
    case EACCES:
    case EPERM:
        return say_refused("%s: permission denied. Run mkusb as root, or as a "
                           "user who may open it",
                           path);
    case EBUSY:
        return say_refused("%s is in use by another program", path);
    case EROFS:
        return say_refused("%s is write-protected", path);
    default:
        return say_refused("%s: %s", path, strerror(errno));
    }
}

static enum err read_size(struct target_file *file)
{
    struct stat info;

    if (fstat(file->fd, &info) != 0)
        return say_open_failed(file->target->path);
    if (S_ISBLK(info.st_mode)) {
        if (ioctl(file->fd, BLKGETSIZE64, &file->bytes) != 0)
            return say_open_failed(file->target->path);
        return OK;
    }
    file->bytes = (uint64_t)info.st_size;
    return OK;
}

enum err target_file_open_device(struct target_file *file,
                                 const struct target *target)
{
    struct stat info;
    enum err err;

    begin(file, target);
    file->fd = open(target->path, O_RDWR | O_EXCL | O_CLOEXEC);
    if (file->fd < 0)
        return say_open_failed(target->path);
    if (fstat(file->fd, &info) != 0 || !S_ISBLK(info.st_mode) ||
        major(info.st_rdev) != target->major ||
        minor(info.st_rdev) != target->minor)
        return say_refused("%s has just been exchanged for another device",
                           target->path);
    err = read_size(file);
    if (err == OK && file->bytes != target->bytes)
        err = say_refused("%s has just changed its size", target->path);
    return err;
}

enum err target_file_open_new(struct target_file *file,
                              const struct target *target, uint64_t bytes)
{
    struct stat info;
    bool there = stat(target->path, &info) == 0;

    begin(file, target);
    file->path = there ? realpath(target->path, NULL) : strdup(target->path);
    if (file->path == NULL ||
        asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0) {
        file->temporary = NULL;
        return say_refused("out of memory");
    }
    if (there && access(target->path, W_OK) != 0)
        return say_open_failed(target->path);
    file->fd = mkostemp(file->temporary, O_CLOEXEC);
    if (file->fd < 0) {
        enum err err = say_open_failed(file->temporary);

        free(file->temporary);
        file->temporary = NULL;
        return err;
    }
    unfinished = file->temporary;
    watch_signals();
    file->bytes = bytes;
    if (there && fchmod(file->fd, info.st_mode & 0777) != 0)
        return say_open_failed(file->temporary);
    if (ftruncate(file->fd, (off_t)bytes) != 0)
        return say_refused("%s cannot be made with %llu bytes: %s",
                           target->path, (unsigned long long)bytes,
                           strerror(errno));
    return OK;
}

enum err target_file_open_update(struct target_file *file,
                                 const struct target *target)
{
    begin(file, target);
    file->fd = open(target->path, O_RDWR | O_CLOEXEC);
    return file->fd < 0 ? say_open_failed(target->path) : read_size(file);
}

enum err target_file_open_read(struct target_file *file,
                               const struct target *target)
{
    begin(file, target);
    file->fd = open(target->path, O_RDONLY | O_CLOEXEC);
    return file->fd < 0 ? say_open_failed(target->path) : read_size(file);
}

enum err target_file_wipe_end(struct target_file *file)
{
    static const uint8_t zero[GPT_COPY_BYTES];
    enum err err =
        file_write_at(file->fd, zero, sizeof(zero), file->bytes - sizeof(zero));

    return err == OK ? OK
                     : say_refused("%s cannot be written at its end: %s",
                                   file->target->path, err_text(err));
}

/* The new name is durable when its folder is. */
static enum err sync_folder(const char *path)
{
    char *folder = strdup(path);
    char *slash = folder == NULL ? NULL : strrchr(folder, '/');
    int fd;

    if (slash != NULL)
        slash[slash == folder] = '\0';
    fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return say_refused("the folder of %s: %s", path, strerror(errno));
    if (fsync(fd) != 0 && errno != EINVAL) {
        close(fd);
        return say_refused("the folder of %s: %s", path, strerror(errno));
    }
    close(fd);
    return OK;
}

enum err target_file_commit(struct target_file *file)
{
    if (fsync(file->fd) != 0)
        return say_refused("%s cannot be written: %s", file->target->path,
                           strerror(errno));
    if (file->target->kind == TARGET_DEVICE) {
        /* Where it fails the kernel reads the table when the stick is plugged
         * in again. */
        (void)ioctl(file->fd, BLKRRPART);
        return OK;
    }
    if (file->temporary == NULL)
        return OK;
    if (rename(file->temporary, file->path) != 0)
        return say_refused("%s cannot be made: %s", file->path,
                           strerror(errno));
    unfinished = NULL;
    free(file->temporary);
    file->temporary = NULL;
    return sync_folder(file->path);
}

void target_file_close(struct target_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->temporary != NULL)
        unlink(file->temporary);
    unfinished = NULL;
    free(file->temporary);
    free(file->path);
    file->fd = -1;
    file->temporary = file->path = NULL;
}
