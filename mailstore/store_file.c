/* Shared files: see store_file.h. Tables file and file_part of schema.c. */
#include "mailstore/store_file.h"
#include "mailstore/store_internal.h"
#include <stdio.h>
#include <string.h>

#define COLUMNS "SELECT FileID,Name,Type,Bytes,TimeMs,UserID FROM file "

bool store_file_name_valid(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < STORE_FILE_NAME_BYTES && name[0] != '.' &&
           !strchr(name, '/') && !strchr(name, '\\') &&
           user_text_valid(name, len);
}

/* These are few enough that nothing is kept prepared for them. */
static enum err prepare(struct store *store, const char *sql,
                        sqlite3_stmt **statement)
{
    return store_error(store,
                       sqlite3_prepare_v2(store->db, sql, -1, statement, NULL));
}

/* Steps to the end; numbers are the first parameters. */
static enum err run(struct store *store, const char *sql, int64_t first,
                    int64_t second)
{
    sqlite3_stmt *statement;
    enum err err = prepare(store, sql, &statement);

    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, first);
    if (sqlite3_bind_parameter_count(statement) > 1)
        sqlite3_bind_int64(statement, 2, second);
    err = store_error(store, sqlite3_step(statement));
    sqlite3_finalize(statement);
    return err;
}

/* ---- In -------------------------------------------------------------------
 */

/* One that this connection has not given yet: whoever still reads a file that
 * was deleted or replaced must not go on in another. */
static enum err next_id(struct store *store, int64_t *id)
{
    enum err err = store_number(store, "SELECT max(FileID) FROM file", id);

    ++*id;
    if (*id < store->next_file)
        *id = store->next_file;
    store->next_file = *id + 1;
    return err;
}

enum err store_file_begin(struct store *store, struct store_file *file)
{
    sqlite3_stmt *statement;
    enum err err;

    if (!store_file_name_valid(file->name) ||
        !user_text_valid(file->type, strlen(file->type)))
        return ERR_INVALID;
    if (store_room(store) == 0)
        return ERR_FULL;
    err = next_id(store, &file->id);
    if (!err)
        err = prepare(store,
                      "INSERT INTO file(FileID,Name,Type,Bytes,TimeMs,UserID,"
                      "Ready) VALUES(?4,?1,?2,0,0,?3,0)",
                      &statement);
    if (err)
        return err;
    sqlite3_bind_text(statement, 1, file->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, file->type, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, file->user_id);
    sqlite3_bind_int64(statement, 4, file->id);
    err = store_error(store, sqlite3_step(statement));
    sqlite3_finalize(statement);
    return err;
}

enum err store_file_put_part(struct store *store, int64_t id, uint32_t index,
                             const void *bytes, size_t len)
{
    sqlite3_stmt *statement;
    enum err err;

    if (index >= STORE_FILE_PARTS_MAX || len > STORE_FILE_PART_BYTES)
        return ERR_TOO_BIG;
    if (store_room(store) < len)
        return ERR_FULL;
    err = prepare(store, "INSERT OR REPLACE INTO file_part VALUES(?1,?2)",
                  &statement);
    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, id << 16 | index);
    sqlite3_bind_blob(statement, 2, bytes, (int)len, SQLITE_STATIC);
    err = store_error(store, sqlite3_step(statement));
    sqlite3_finalize(statement);
    return err;
}

enum err store_file_discard(struct store *store, int64_t id)
{
    enum err err = run(store,
                       "DELETE FROM file_part WHERE PartID BETWEEN ?1<<16"
                       " AND ?1<<16|65535",
                       id, 0);

    return err ? err : run(store, "DELETE FROM file WHERE FileID=?1", id, 0);
}

enum err store_file_finish(struct store *store, int64_t id, uint64_t bytes,
                           int64_t now_ms)
{
    int64_t old = 0;
    sqlite3_stmt *statement;
    enum err err = prepare(store,
                           "SELECT old.FileID FROM file old JOIN file new"
                           " ON old.Name=new.Name WHERE new.FileID=?1"
                           " AND old.Ready",
                           &statement);

    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, id);
    if (sqlite3_step(statement) == SQLITE_ROW)
        old = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (old)
        err = store_file_discard(store, old);
    if (!err)
        err = run(store, "UPDATE file SET Bytes=?2 WHERE FileID=?1", id,
                  (int64_t)bytes);
    if (!err)
        err = run(store, "UPDATE file SET TimeMs=?2,Ready=1 WHERE FileID=?1",
                  id, now_ms);
    return err;
}

enum err store_file_delete(struct store *store, const char *name)
{
    struct store_file file;
    enum err err = store_file_find(store, name, &file);

    return err ? err : store_file_discard(store, file.id);
}

enum err store_file_remove_parts(struct store *store)
{
    int64_t id = 0;
    enum err err;

    do {
        char sql[80];

        snprintf(sql, sizeof sql,
                 "SELECT min(FileID) FROM file WHERE NOT Ready AND FileID>%lld",
                 (long long)id);
        err = store_number(store, sql, &id);
        if (!err && id)
            err = store_file_discard(store, id);
        /* As with messages. */
        if (err_unreadable(err) && id)
            err = OK;
    } while (!err && id);
    return err;
}

/* ---- Out ------------------------------------------------------------------
 */

static void take_row(sqlite3_stmt *statement, struct store_file *file)
{
    file->id = sqlite3_column_int64(statement, 0);
    store_copy_column(statement, 1, file->name, sizeof(file->name));
    store_copy_column(statement, 2, file->type, sizeof(file->type));
    file->bytes = (uint64_t)sqlite3_column_int64(statement, 3);
    file->time_ms = sqlite3_column_int64(statement, 4);
    file->user_id = sqlite3_column_int64(statement, 5);
}

enum err store_file_find(struct store *store, const char *name,
                         struct store_file *file)
{
    sqlite3_stmt *statement;
    enum err err =
        prepare(store, COLUMNS "WHERE Ready AND Name=?1", &statement);
    int code;

    memset(file, 0, sizeof(*file));
    if (err)
        return err;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        take_row(statement, file);
    err = code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}

/* Row by row: nothing is half-way while one is shown. */
enum err store_file_list(struct store *store, const char *behind, unsigned most,
                         enum err (*each)(void *context,
                                          const struct store_file *file),
                         void *context)
{
    sqlite3_stmt *statement;
    struct store_file file;
    const char *last = behind;
    enum err err =
        prepare(store, COLUMNS "WHERE Ready AND Name>?1 ORDER BY Name LIMIT 1",
                &statement);

    if (err)
        return err;
    for (unsigned i = 0; !err && i < most; i++) {
        int code;

        sqlite3_bind_text(statement, 1, last, -1, SQLITE_TRANSIENT);
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            take_row(statement, &file);
        sqlite3_reset(statement);
        if (code != SQLITE_ROW) {
            err = store_error(store, code);
            break;
        }
        last = file.name;
        err = each(context, &file);
    }
    sqlite3_finalize(statement);
    return err;
}

int store_file_read(struct store *store, int64_t id, uint64_t offset,
                    void *buffer, size_t bytes)
{
    sqlite3_stmt *statement;
    enum err err = prepare(store, "SELECT Bytes FROM file_part WHERE PartID=?1",
                           &statement);
    size_t at = (size_t)(offset % STORE_FILE_PART_BYTES), len = 0;
    int code;

    if (err)
        return err;
    sqlite3_bind_int64(statement, 1,
                       id << 16 | (int64_t)(offset / STORE_FILE_PART_BYTES));
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        size_t whole = (size_t)sqlite3_column_bytes(statement, 0);
        const uint8_t *part = sqlite3_column_blob(statement, 0);

        len = whole > at ? whole - at : 0;
        len = len < bytes ? len : bytes;
        if (len)
            memcpy(buffer, part + at, len);
    }
    err = store_error(store, code);
    sqlite3_finalize(statement);
    return err ? (int)err : (int)len;
}
