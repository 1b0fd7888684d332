/* Which database a query gets, and what it reads from the stick otherwise.
 *
 * "mail" is mail.db, for administrators. "data" is data.db, or with the setting
 * data_access=own the database of the user who asks; "data-ID" is that of the
 * user ID, for administrators. Files are made only when the store is opened,
 * never while mail is served (DESIGN section 6). */
#include "st_query.h"
#include "st_stick.h"
#include "core/log.h"
#include "mailstore/fat32.h"
#include "mailstore/sql_heap.h"
#include "mailstore/store_file.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>

#define USER_BYTES ((uint64_t)2 * 1024 * 1024)
/* What is left for a later and larger AO. */
#define SPARE_BYTES ((uint64_t)4 * 1024 * 1024)
#define MEGABYTE    ((uint64_t)1024 * 1024)

static struct {
    enum err shared_err;
    uint64_t shared_bytes;
} state = {.shared_err = ERR_NOT_FOUND};

static enum err locate(int64_t user_id, struct store_place *place)
{
    enum err err;

    err = sql_data_locate(st_stick_take(), user_id, 0, place);
    st_stick_give_back();
    return err;
}

/* ---- Opening ------------------------------------------------------------- */

static bool own_databases(void)
{
    return strcmp(st_setting("data_access"), "own") == 0;
}

/* "data-12": 12; -1: it is no such name. */
static int64_t user_of(const char *name)
{
    int64_t id = 0;

    if (strncmp(name, "data-", 5) != 0 || name[5] == '\0')
        return -1;
    for (name += 5; *name != '\0'; name++) {
        if (*name < '0' || *name > '9' || id > 1000000000)
            return -1;
        id = id * 10 + (*name - '0');
    }
    return id;
}

static enum err choose(const struct st_query *query, const char *name,
                       int64_t *user_id, char *message)
{
    *user_id = 0;
    if (strcmp(name, "data") == 0) {
        if (!query->admin && own_databases())
            *user_id = query->user_id;
        return OK;
    }
    *user_id = user_of(name);
    if (*user_id > 0 && query->admin)
        return OK;
    (void)snprintf(message, SQL_MESSAGE_BYTES, "there is no database \"%.40s\"",
                   name);
    return ERR_NOT_FOUND;
}

static enum err find_data(struct st_query *query, const char *name,
                          char *message)
{
    char file[SQL_NAME_BYTES];
    int64_t user_id;
    enum err err = choose(query, name, &user_id, message);

    if (err != OK)
        return err;
    err = locate(user_id, &query->place);
    sql_data_name(user_id, file);
    if (err == ERR_NOT_FOUND)
        (void)snprintf(message, SQL_MESSAGE_BYTES,
                       user_id == 0
                           ? "this stick has no %s: make it with --set "
                             "data_bytes=N"
                           : "there is no %s yet: it is made when the server "
                             "starts, if the stick has room for it",
                       file);
    else if (err != OK)
        (void)snprintf(message, SQL_MESSAGE_BYTES, "%s: %s", file,
                       err_text(err));
    return err;
}

enum err st_query_open(void *context, const struct sql_session *session,
                       struct sql **sql, char message[SQL_MESSAGE_BYTES])
{
    struct st_query *query = context;
    bool mail = strcmp(session->database, "mail") == 0;
    struct sql_options options = {.mail = mail,
                                  .write = session->write,
                                  .pause = st_query_pause,
                                  .context = query};
    enum err err = OK;

    if (mail && !query->admin) {
        (void)snprintf(message, SQL_MESSAGE_BYTES,
                       "mail.db is for administrators");
        return ERR_REFUSED;
    }
    if (mail)
        query->place = st_context.place;
    else
        err = find_data(query, session->database, message);
    if (err != OK)
        return err;
    options.place = &query->place;
    return sql_open(&options, sql, message);
}

/* ---- Files of the stick -------------------------------------------------- */

static enum err read_file(const struct fat32_file *file, char **text,
                          size_t *len)
{
    struct media *media = &st_context.media;
    size_t bytes;
    enum err err;

    /* The heap also holds the query that its text will run. */
    if (file->bytes > sql_heap_bytes() / 4)
        return ERR_TOO_BIG;
    *len = (size_t)file->bytes;
    bytes = (*len + MEDIA_SECTOR_BYTES - 1) & ~(size_t)(MEDIA_SECTOR_BYTES - 1);
    *text = sql_text_alloc(bytes != 0 ? bytes : 1);
    if (*text == NULL)
        return ERR_MEMORY;
    err = bytes == 0
              ? OK
              : media->read(media, file->sector,
                            (uint32_t)(bytes / MEDIA_SECTOR_BYTES), *text);
    if (err != OK) {
        sql_text_free(*text);
        *text = NULL;
    }
    return err;
}

static enum err find_on_stick(const char *name, struct fat32_file *file)
{
    struct fat32 fat;
    enum err err;

    err = fat32_mount(&fat, st_stick_take());
    if (err == OK)
        err = fat32_find(&fat, name, file);
    st_stick_give_back();
    return err;
}

static enum err read_parts(struct store *store, int64_t id, char *text,
                           size_t len)
{
    size_t at = 0;

    while (at < len) {
        int got = store_file_read(store, id, at, text + at, len - at);

        if (got <= 0)
            return got < 0 ? (enum err)got : ERR_CORRUPT;
        at += (size_t)got;
    }
    return OK;
}

/* Of the folder that the web server shows, where what is fetched by TFTP lies.
 */
static enum err read_shared(const char *name, char **text, size_t *len)
{
    struct store_file file;
    struct store *store;
    enum err err = store_open(&st_context.place, false, &store);

    if (err != OK)
        return err;
    err = store_file_find(store, name, &file);
    if (err == OK && file.bytes > sql_heap_bytes() / 4)
        err = ERR_TOO_BIG;
    if (err == OK) {
        *len = (size_t)file.bytes;
        *text = sql_text_alloc(*len + 1);
        err = *text == NULL ? ERR_MEMORY
                            : read_parts(store, file.id, *text, *len);
        if (err != OK) {
            sql_text_free(*text);
            *text = NULL;
        }
    }
    store_close(store);
    return err;
}

enum err st_query_read(void *context, const char *name, char **text,
                       size_t *len)
{
    const struct st_query *query = context;
    struct fat32_file file;
    enum err err;

    if (!query->admin)
        return ERR_REFUSED;
    err = find_on_stick(name, &file);
    if (err == ERR_NOT_FOUND)
        return read_shared(name, text, len);
    return err == OK ? read_file(&file, text, len) : err;
}

/* ---- When the store is opened -------------------------------------------- */

/* "32M", "500K", "1000000"; `otherwise`: nothing is said. */
static uint64_t size_setting(const char *key, uint64_t otherwise)
{
    const char *text = st_setting(key);
    uint64_t bytes = 0;

    if (*text == '\0')
        return otherwise;
    for (; *text >= '0' && *text <= '9' && bytes < UINT32_MAX; text++)
        bytes = bytes * 10 + (uint64_t)(*text - '0');
    return *text == 'K'   ? bytes * 1024
           : *text == 'M' ? bytes * MEGABYTE
                          : bytes;
}

static bool has_room(uint64_t bytes)
{
    struct fat32 fat;
    uint64_t run;

    return fat32_mount(&fat, &st_context.media) == OK &&
           fat32_free_run(&fat, &run) == OK &&
           run >= bytes + sql_data_wal_bytes(bytes) + SPARE_BYTES;
}

static enum err make_user_data(const struct user *user, uint64_t bytes)
{
    struct store_place place;
    enum err err = sql_data_locate(&st_context.media, user->id, 0, &place);

    if (err != ERR_NOT_FOUND || !user->enabled)
        return err == ERR_GONE ? err : OK;
    if (!has_room(bytes)) {
        log_warn("st", "no room on the stick for the database of user=%s",
                 user->name);
        return OK;
    }
    err = sql_data_locate(&st_context.media, user->id, bytes, &place);
    log_info("st", "database made for user=%s result=\"%s\"", user->name,
             err_text(err));
    return err == ERR_GONE ? err : OK;
}

static enum err make_users_data(void)
{
    uint64_t bytes = size_setting("data_user_bytes", USER_BYTES);
    const struct user *user;
    enum err err = OK;

    if (!own_databases() || bytes < SQL_DATA_BYTES_MIN)
        return OK;
    for (size_t i = 0; err == OK && (user = directory_user_at(i)) != NULL; i++)
        err = make_user_data(user, bytes);
    return err;
}

enum err st_sql_prepare(void)
{
    struct store_place place;
    enum err err = sql_data_locate(&st_context.media, 0,
                                   size_setting("data_bytes", 0), &place);

    state.shared_err = err;
    state.shared_bytes = err == OK ? place.database_bytes : 0;
    if (err == ERR_GONE)
        return err;
    if (err != OK && err != ERR_NOT_FOUND)
        log_warn("st", "data.db: %s", err_text(err));
    return make_users_data();
}

enum err st_sql_data(uint64_t *bytes)
{
    *bytes = state.shared_bytes;
    return state.shared_err;
}
