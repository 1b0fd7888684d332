/* users.csv -> list of users -> hashes -> store.
 *
 * The directory of userdb is filled on the way, only to find names that occur
 * twice with the very rules that the AO resolves addresses by. Users of a later
 * line may be meant: so aliases come when all users are there. */
#include "mkusb/users.h"
#include "mkusb/host_services.h"
#include "mkusb/say.h"
#include "userdb/directory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CSV_BYTES_MAX      (64u * 1024 * 1024)
#define DIRECTORY_BYTES    (1024u * 1024)
#define DIRECTORY_PER_CHAR 64 /* "a,b\n" is the shortest line of a user */

struct loading {
    struct user_list *list;
    char reason[700];
};

/* ---- The file
 * ------------------------------------------------------------------ */

static enum err read_file(const char *path, char **text, size_t *len)
{
    FILE *file = fopen(path, "re");
    struct stat info;

    *text = NULL;
    *len = 0;
    if (file == NULL)
        return say_refused("%s: %s", path, strerror(errno));
    if (fstat(fileno(file), &info) != 0 || S_ISDIR(info.st_mode)) {
        fclose(file);
        return say_refused("%s is not a file with users", path);
    }
    *text = malloc(CSV_BYTES_MAX);
    *len = *text == NULL ? 0 : fread(*text, 1, CSV_BYTES_MAX, file);
    if (*text == NULL || ferror(file) || *len == CSV_BYTES_MAX) {
        fclose(file);
        free(*text);
        *text = NULL;
        return say_refused("%s cannot be read, or has more than %u MiB", path,
                           CSV_BYTES_MAX >> 20);
    }
    fclose(file);
    return OK;
}

/* ---- Aliases ----------------------------------------------------------- */

/* One of the words in a list that is separated by single spaces; *at moves
 * behind it. False: there is none left. */
static bool next_word(const char **at, char word[USER_ADDRESS_BYTES])
{
    size_t len = strcspn(*at, " ");

    if (len == 0 || len >= USER_ADDRESS_BYTES)
        return false;
    memcpy(word, *at, len);
    word[len] = '\0';
    *at += len + ((*at)[len] == ' ');
    return true;
}

/* Calls back for each row of the table alias that a user brings: address is
 * NULL where the alias means the user himself. */
static enum err each_alias(const struct csv_user *entry,
                           enum err (*each)(void *context, const char *alias,
                                            const char *address),
                           void *context)
{
    char word[USER_ADDRESS_BYTES];
    const char *at = entry->aliases;
    enum err err = OK;

    while (err == OK && next_word(&at, word))
        err = each(context, word, NULL);
    at = entry->forward;
    while (err == OK && next_word(&at, word))
        err = each(context, entry->user.name, word);
    if (err == OK && entry->forward[0] != '\0' && !entry->forward_only)
        err = each(context, entry->user.name, NULL);
    return err;
}

struct checking {
    const char *path;
    const struct csv_user *entry;
    int64_t id;
};

static enum err check_alias(void *context, const char *alias,
                            const char *address)
{
    const struct checking *checking = context;
    const struct user *other = directory_find_user(alias, strlen(alias));
    enum err err;

    if (other != NULL && other->id != checking->id)
        return say_refused("%s: line %u: the alias \"%s\" is there already, "
                           "as a user",
                           checking->path, checking->entry->line, alias);
    err = address != NULL ? directory_add_forward(alias, address)
                          : directory_add_alias(alias, checking->id);
    if (err == OK)
        return OK;
    return say_refused("%s: line %u: the alias \"%s\": %s", checking->path,
                       checking->entry->line, alias,
                       err == ERR_EXISTS ? "it stands there twice"
                                         : err_text(err));
}

static enum err check_aliases(const char *path, const struct user_list *list)
{
    enum err err = OK;

    for (size_t i = 0; err == OK && i < list->count; i++) {
        struct checking checking = {path, &list->entry[i], (int64_t)i + 1};

        err = each_alias(checking.entry, check_alias, &checking);
    }
    return err;
}

/* ---- Users ------------------------------------------------------------- */

static enum err add_user(void *context, const struct csv_user *entry)
{
    struct loading *loading = context;
    struct user_list *list = loading->list;
    struct user user = entry->user;
    enum err err;

    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct csv_user *larger =
            reallocarray(list->entry, room, sizeof(*larger));

        if (larger == NULL)
            return ERR_MEMORY;
        list->entry = larger;
        list->room = room;
    }
    user.id = (int64_t)list->count + 1;
    err = directory_add_user(&user);
    if (err != OK) {
        snprintf(loading->reason, sizeof(loading->reason),
                 "the username \"%s\"%s%s", user.name,
                 err == ERR_EXISTS ? " is there already, as a user" : ": ",
                 err == ERR_EXISTS ? "" : err_text(err));
        return err;
    }
    list->entry[list->count++] = *entry;
    return OK;
}

/* "line 7: ..." of the parser, with our own reason where we have one. */
static enum err say_line_error(const char *path, const char *message,
                               const struct loading *loading)
{
    const char *colon = strchr(message, ':');

    if (loading->reason[0] == '\0' || colon == NULL)
        return say_refused("%s: %s", path, message);
    return say_refused("%s: %.*s: %s", path, (int)(colon - message), message,
                       loading->reason);
}

enum err users_load(const char *path, struct user_list *list)
{
    struct loading loading = {.list = list};
    char message[256], *text;
    void *directory;
    size_t len = 0, directory_bytes;
    enum err err;

    memset(list, 0, sizeof(*list));
    err = read_file(path, &text, &len);
    if (err != OK)
        return err;
    directory_bytes = DIRECTORY_BYTES + len * DIRECTORY_PER_CHAR * 4;
    directory = malloc(directory_bytes);
    if (directory == NULL) {
        free(text);
        return say_refused("out of memory");
    }
    directory_init(directory, directory_bytes);
    err = csv_parse_users(text, len, add_user, &loading, message,
                          sizeof(message));
    if (err != OK)
        err = say_line_error(path, message, &loading);
    else if (list->count == 0)
        err = say_refused("%s: there is no user in it", path);
    else
        err = check_aliases(path, list);
    directory_init(NULL, 0);
    free(directory);
    if (text != NULL)
        explicit_bzero(text, len);
    free(text);
    return err;
}

void users_free(struct user_list *list)
{
    if (list->entry != NULL)
        explicit_bzero(list->entry, list->room * sizeof(*list->entry));
    free(list->entry);
    memset(list, 0, sizeof(*list));
}

/* ---- Into the store
 * -------------------------------------------------------------- */

enum err users_hash(struct user_list *list)
{
    say_step("Hashing passwords");
    for (size_t i = 0; i < list->count; i++) {
        struct csv_user *entry = &list->entry[i];
        uint8_t salt[16];
        enum err err;

        say_count(i, list->count);
        if (entry->user.hash[0] != '\0')
            continue;
        host_random(salt, sizeof(salt));
        err = password_hash(entry->password, strlen(entry->password), salt,
                            entry->user.hash);
        if (err != OK)
            return say_refused("the password of %s cannot be hashed: %s",
                               entry->user.name, err_text(err));
        explicit_bzero(entry->password, sizeof(entry->password));
    }
    say_count(list->count, list->count);
    return OK;
}

struct storing {
    struct store *store;
    int64_t id;
};

static enum err store_alias(void *context, const char *alias,
                            const char *address)
{
    const struct storing *storing = context;

    return address != NULL
               ? store_forward_add(storing->store, alias, address)
               : store_alias_add(storing->store, alias, storing->id);
}

enum err users_store(struct store *store, const struct user_list *list)
{
    const char *name = "";
    enum err err = store_begin(store);

    for (size_t i = 0; err == OK && i < list->count; i++) {
        struct user user = list->entry[i].user;

        name = list->entry[i].user.name;
        err = store_user_add(store, &user);
        if (err == OK) {
            struct storing storing = {store, user.id};

            err = each_alias(&list->entry[i], store_alias, &storing);
        }
    }
    if (err == OK)
        err = store_commit(store);
    if (err == OK)
        return OK;
    say_refused("user %s cannot be stored: %s (%s)", name, err_text(err),
                store_message(store));
    store_rollback(store);
    return ERR_REFUSED;
}
