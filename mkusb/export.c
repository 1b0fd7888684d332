/* mkusb --inspect --export: every message as a file of its own.
 *
 *   eml      DIR/user/mailbox/00000042.eml, byte for byte as stored
 *   maildir  DIR/user/{cur,new,tmp} for the Inbox, DIR/user/.mailbox/... for
 *            others (Maildir++), line ends LF as mail programs want them there
 *
 * File times are those of arrival. Names come from the store, so that they are
 * made harmless: '/' and other characters that could lead elsewhere are
 * written as %XX. The folder has to be new or empty: nothing is overwritten. */
#include "mailstore/store_mailbox.h"
#include "mkusb/read_stick.h"
#include "mkusb/say.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES (3 * 65 + 1)

struct exporting {
    struct store *store;
    const char *folder;
    bool maildir;
    char user[NAME_BYTES]; /* of the mailbox at hand */
    uint64_t done, total;
    int64_t only;  /* user id, 0: of all */
    uint64_t lost; /* messages that cannot be read */
    bool damaged;  /* of somebody not even what there is */
};

struct owner {
    int64_t id;
    char name[USER_NAME_BYTES];
};
struct owners {
    struct owner *list;
    size_t count, room;
    int64_t only;
};

/* ---- Files
 * ------------------------------------------------------------------- */

static void harmless_name(const char *name, char to[NAME_BYTES])
{
    size_t at = 0;

    for (const char *from = name; *from != '\0' && at + 4 < NAME_BYTES;
         from++) {
        unsigned char c = (unsigned char)*from;

        if (c < 0x20 || c == 0x7F || c == '/' || c == '%' || c == '\\' ||
            (c == '.' && from == name))
            at += (size_t)snprintf(to + at, 4, "%%%02X", c);
        else
            to[at++] = (char)c;
    }
    to[at] = '\0';
}

static enum err make_folder(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return OK;
    return say_refused("folder %s cannot be made: %s", path, strerror(errno));
}

__attribute__((format(printf, 1, 2))) static char *
print_path(const char *format, ...)
{
    char *path = NULL;
    va_list list;
    int made;

    va_start(list, format);
    made = vasprintf(&path, format, list);
    va_end(list);
    return made < 0 ? NULL : path;
}

/* Makes "base/part"; base is freed. NULL after an error that was said. */
static char *enter_folder(char *base, const char *part)
{
    char *path = base == NULL ? NULL : print_path("%s/%s", base, part);

    free(base);
    if (path == NULL) {
        say_refused("out of memory");
        return NULL;
    }
    if (make_folder(path) == OK)
        return path;
    free(path);
    return NULL;
}

static enum err check_empty(const char *folder)
{
    DIR *entries;
    const struct dirent *entry;
    bool empty = true;
    enum err err = make_folder(folder);

    if (err != OK)
        return err;
    entries = opendir(folder);
    if (entries == NULL)
        return say_refused("%s: %s", folder, strerror(errno));
    while ((entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(entries);
    return empty ? OK
                 : say_refused("folder %s is not empty: export into a new one",
                               folder);
}

/* ---- One message
 * ----------------------------------------------------------------- */

/* Writes without the CR of each CRLF; *held: a CR at the end of the last part,
 * not written yet. */
static bool write_lf(FILE *file, const char *bytes, size_t len, bool *held)
{
    for (size_t i = 0; i < len; i++) {
        if (*held && bytes[i] != '\n')
            putc('\r', file);
        *held = bytes[i] == '\r';
        if (!*held)
            putc(bytes[i], file);
    }
    return ferror(file) == 0;
}

/* ERR_CORRUPT: the message cannot be read. */
static enum err copy_body(const struct exporting *exporting, int64_t message_id,
                          FILE *file, const char *path)
{
    static char bytes[STORE_CHUNK_BYTES];
    uint64_t offset = 0;
    bool held = false, good = true;
    int got = 1;

    while (good && got > 0) {
        got = store_message_read(exporting->store, message_id, offset, bytes,
                                 sizeof(bytes));
        if (got < 0) {
            say_refused("message %" PRId64 " cannot be read: %s", message_id,
                        err_text(got));
            return ERR_CORRUPT;
        }
        offset += (uint64_t)got;
        if (exporting->maildir)
            good = write_lf(file, bytes, (size_t)got, &held);
        else
            good = fwrite(bytes, 1, (size_t)got, file) == (size_t)got;
    }
    if (held)
        putc('\r', file);
    if (good && fflush(file) == 0)
        return OK;
    return say_refused("%s cannot be written: %s", path, strerror(errno));
}

static enum err write_message(const struct exporting *exporting,
                              const struct store_message_info *info,
                              const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    struct timespec times[2];
    enum err err;

    if (file == NULL)
        return say_refused("%s cannot be made: %s", path, strerror(errno));
    err = copy_body(exporting, info->message_id, file, path);
    times[0].tv_sec = times[1].tv_sec = (time_t)(info->received_ms / 1000);
    times[0].tv_nsec = times[1].tv_nsec = 0;
    if (err == OK && futimens(fileno(file), times) != 0)
        err = say_refused("%s: %s", path, strerror(errno));
    if (fclose(file) != 0 && err == OK)
        err = say_refused("%s cannot be written: %s", path, strerror(errno));
    return err;
}

/* The folder that a message's file goes into, made; NULL after an error. */
static char *message_folder(const struct exporting *exporting,
                            const char *mailbox)
{
    char *path = strdup(exporting->folder);
    char name[NAME_BYTES], dotted[NAME_BYTES + 1];

    harmless_name(mailbox, name);
    path = enter_folder(path, exporting->user);
    if (path == NULL)
        return NULL;
    if (!exporting->maildir)
        return enter_folder(path, name);
    if (strcasecmp(mailbox, "inbox") != 0) {
        snprintf(dotted, sizeof(dotted), ".%s", name);
        path = enter_folder(path, dotted);
    }
    for (const char *part = "new\0tmp\0cur\0"; path != NULL && *part != '\0';
         part += strlen(part) + 1) {
        char *copy = strdup(path);
        char *made = enter_folder(copy, part);

        if (made == NULL) {
            free(path);
            return NULL;
        }
        free(made);
    }
    return path == NULL ? NULL : enter_folder(path, "cur");
}

/* As Maildir has them in a file's name, in the order of the letters. */
static const char *maildir_flags(uint8_t flags, char letters[6])
{
    char *at = letters;

    if (flags & STORE_DRAFT)
        *at++ = 'D';
    if (flags & STORE_FLAGGED)
        *at++ = 'F';
    if (flags & STORE_FORWARDED)
        *at++ = 'P';
    if (flags & STORE_ANSWERED)
        *at++ = 'R';
    if (flags & STORE_SEEN)
        *at++ = 'S';
    *at = '\0';
    return letters;
}

static enum err export_message(void *context,
                               const struct store_message_info *info)
{
    struct exporting *exporting = context;
    char *folder = message_folder(exporting, info->mailbox);
    char *path;
    char flags[6];
    enum err err;

    if (folder == NULL)
        return ERR_REFUSED;
    if (exporting->maildir)
        path =
            print_path("%s/%" PRId64 ".M%" PRIu32 "P%" PRId64 ".barepost:2,%s",
                       folder, info->received_ms / 1000, info->uid,
                       info->message_id, maildir_flags(info->flags, flags));
    else
        path = print_path("%s/%08" PRIu32 ".eml", folder, info->uid);
    free(folder);
    if (path == NULL)
        return say_refused("out of memory");
    err = write_message(exporting, info, path);
    /* A rescue goes on: what can be read is not to be lost with it. */
    if (err == ERR_CORRUPT) {
        unlink(path);
        exporting->lost++;
        err = OK;
    }
    free(path);
    say_count(++exporting->done, exporting->total);
    return err;
}

/* ---- All of them
 * ------------------------------------------------------------------- */

static enum err note_owner(void *context, int64_t user_id, const char *name)
{
    struct owners *owners = context;

    if (owners->only != 0 && user_id != owners->only)
        return OK;
    if (owners->count == owners->room) {
        size_t room = owners->room == 0 ? 64 : owners->room * 2;
        struct owner *list = reallocarray(owners->list, room, sizeof(*list));

        if (list == NULL)
            return ERR_MEMORY;
        owners->list = list;
        owners->room = room;
    }
    owners->list[owners->count].id = user_id;
    snprintf(owners->list[owners->count++].name, USER_NAME_BYTES, "%s", name);
    return OK;
}

static enum err count_messages(void *context,
                               const struct store_mailbox_info *info)
{
    struct exporting *exporting = context;

    if (exporting->only == 0 || info->user_id == exporting->only)
        exporting->total += info->messages;
    return OK;
}

static enum err export_owner(struct exporting *exporting,
                             const struct owner *owner)
{
    enum err err;

    harmless_name(owner->name, exporting->user);
    err = store_list_messages(exporting->store, owner->id, export_message,
                              exporting);
    if (err == OK || err == ERR_REFUSED)
        return err;
    say_refused("the mail of %s cannot be read to its end: %s (%s)",
                owner->name, err_text(err), store_message(exporting->store));
    exporting->damaged = true;
    return OK;
}

static enum err say_exported(const struct exporting *exporting)
{
    uint64_t written = exporting->done - exporting->lost;

    say_line("%" PRIu64 " message%s written into %s", written,
             written == 1 ? "" : "s", exporting->folder);
    if (exporting->lost > 0 || exporting->damaged)
        return say_refused("the store is damaged: not all messages could be "
                           "read");
    return OK;
}

enum err export_messages(struct store *store, const char *folder, bool maildir,
                         int64_t user_id)
{
    struct exporting exporting = {
        .store = store, .folder = folder, .maildir = maildir, .only = user_id};
    struct owners owners = {.only = user_id};
    enum err err = check_empty(folder);

    if (err != OK)
        return err;
    err = store_list_users(store, note_owner, &owners);
    if (err != OK)
        err = say_refused("the users cannot be listed: %s", err_text(err));
    /* For the progress only: a rescue does without. */
    if (store_list_mailboxes(store, count_messages, &exporting) != OK)
        exporting.total = 0;
    say_step("Exporting");
    for (size_t i = 0; err == OK && i < owners.count; i++)
        err = export_owner(&exporting, &owners.list[i]);
    free(owners.list);
    return err == OK ? say_exported(&exporting) : err;
}
