/* Conversations: see store_find.h. A message stands for its conversation in a
 * folder when no other of it came into the folder behind it; what the index has
 * not seen yet stands for itself. */
#include "mailstore/store_find.h"
#include "mailstore/store_list.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 500

struct heads {
    unsigned count;
    bool more;
    struct head {
        struct store_key key;
        uint32_t messages, unseen;
    } heads[LIMIT_MAX];
};

static bool read_cursor(const char *cursor, int64_t *uid)
{
    char *end;

    if (!cursor || !cursor[0])
        return true;
    *uid = strtoll(cursor, &end, 10);
    return end != cursor && *end == ':';
}

static enum err find_heads(struct store *store, const struct store_page *page,
                           struct heads *heads)
{
    sqlite3_stmt *statement = store_statement(
        store, page->backwards ? SQL_THREADS_BACK : SQL_THREADS);
    int64_t uid = page->backwards ? -1 : INT64_MAX;
    int code = SQLITE_DONE;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    if (!read_cursor(page->cursor, &uid))
        return ERR_INVALID;
    sqlite3_bind_int64(statement, 1, page->mailbox_id);
    sqlite3_bind_int64(statement, 2, uid);
    sqlite3_bind_int(statement, 3, page->with);
    sqlite3_bind_int(statement, 4, page->without);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct head *head = &heads->heads[heads->count];

        if (heads->count == page->limit) {
            heads->more = true;
            break;
        }
        head->key.mailbox_id = page->mailbox_id;
        head->key.uid = (uint32_t)sqlite3_column_int64(statement, 0);
        head->messages = head->unseen = 0;
        heads->count++;
    }
    sqlite3_reset(statement);
    return store_error(store, code);
}

/* How many of its conversation are in the folder. */
static enum err count_thread(struct store *store, struct store_row *row)
{
    sqlite3_stmt *statement = store_statement(store, SQL_THREAD_COUNT);
    int code;

    row->thread_messages = 1;
    row->thread_unseen = (row->flags & STORE_SEEN) == 0;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, row->thread_id);
    sqlite3_bind_int64(statement, 2, row->key.mailbox_id);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW && sqlite3_column_int64(statement, 0) > 0) {
        row->thread_messages = (uint32_t)sqlite3_column_int64(statement, 0);
        row->thread_unseen = (uint32_t)sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return store_error(store, code);
}

/* In the order of the list, whichever way they were found. */
static enum err show_heads(struct store *store, int64_t user_id,
                           struct store_page *page, const struct heads *heads,
                           enum err (*each)(void *context,
                                            const struct store_row *row),
                           void *context)
{
    struct store_row_memory *memory = store_row_memory();
    enum err err = memory ? OK : ERR_MEMORY;

    for (unsigned i = 0; !err && i < heads->count; i++) {
        unsigned at = page->backwards ? heads->count - 1 - i : i;
        const struct head *head = &heads->heads[at];

        if (i == 0)
            snprintf(page->first, sizeof page->first, "%u:", head->key.uid);
        snprintf(page->last, sizeof page->last, "%u:", head->key.uid);
        err = store_fill_row(store, user_id, &head->key, memory);
        if (!err)
            err = count_thread(store, &memory->row);
        if (!err)
            err = each(context, &memory->row);
        else if (err == ERR_NOT_FOUND)
            err = OK;
    }
    store_row_memory_free(memory);
    return err;
}

enum err store_list_threads(
    struct store *store, int64_t user_id, struct store_page *page,
    enum err (*each)(void *context, const struct store_row *row), void *context)
{
    struct heads *heads;
    enum err err = store_check_folder(store, user_id, page->mailbox_id, NULL);

    page->count = 0;
    page->more = false;
    if (err)
        return err;
    if (page->limit == 0 || page->limit > LIMIT_MAX)
        return ERR_INVALID;
    heads = sqlite3_malloc(sizeof *heads);
    if (!heads)
        return ERR_MEMORY;
    heads->count = 0;
    heads->more = false;
    err = find_heads(store, page, heads);
    page->count = heads->count;
    page->more = heads->more;
    page->first[0] = page->last[0] = '\0';
    if (!err)
        err = show_heads(store, user_id, page, heads, each, context);
    sqlite3_free(heads);
    return err;
}

enum err store_thread(
    struct store *store, int64_t user_id, int64_t thread_id, unsigned limit,
    enum err (*each)(void *context, const struct store_row *row), void *context)
{
    struct store_row_memory *memory;
    struct store_key *keys;
    sqlite3_stmt *statement = store_statement(store, SQL_THREAD_ALL);
    unsigned count = 0;
    int code = SQLITE_DONE;
    enum err err;

    if (limit == 0 || limit > LIMIT_MAX)
        return ERR_INVALID;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    keys = sqlite3_malloc64(limit * sizeof *keys);
    memory = store_row_memory();
    if (keys && memory) {
        sqlite3_bind_int64(statement, 1, thread_id);
        sqlite3_bind_int64(statement, 2, user_id);
        while (count < limit && (code = sqlite3_step(statement)) == SQLITE_ROW)
            keys[count++] = (struct store_key){
                sqlite3_column_int64(statement, 0),
                (uint32_t)sqlite3_column_int64(statement, 1)};
        sqlite3_reset(statement);
    }
    err = keys && memory ? store_error(store, code) : ERR_MEMORY;
    for (unsigned i = 0; !err && i < count; i++) {
        err = store_fill_row(store, user_id, &keys[i], memory);
        if (!err)
            err = each(context, &memory->row);
        else if (err == ERR_NOT_FOUND)
            err = OK;
    }
    store_row_memory_free(memory);
    sqlite3_free(keys);
    return err;
}
