/* What users take up of the store: see store_usage.h. A delivery writes no sum
 * (store_count.c); whoever needs sums at any moment keeps them in memory and is
 * told of changes. Here: the telling, which goes back on its word when a
 * transaction is undone. */
#include "mailstore/store_usage.h"
#include "mailstore/store_internal.h"
#include <string.h>

struct store_change {
    int64_t user_id, bytes;
};

void store_watch_usage(struct store *store,
                       void (*changed)(int64_t user_id, int64_t bytes))
{
    store->usage_changed = changed;
}

enum err store_usage_change(struct store *store, int64_t user_id, int64_t bytes)
{
    uint32_t room = store->change_room;

    if (!store->usage_changed)
        return OK;
    if (store->change_count == room) {
        uint32_t more = room ? room * 2 : 64;
        void *grown =
            sqlite3_realloc64(store->changes, more * sizeof *store->changes);

        if (!grown)
            return ERR_MEMORY;
        store->changes = grown;
        store->change_room = more;
    }
    store->changes[store->change_count++] =
        (struct store_change){user_id, bytes};
    store->usage_changed(user_id, bytes);
    return OK;
}

void store_usage_end(struct store *store, bool undone)
{
    for (uint32_t i = 0; undone && i < store->change_count; i++)
        store->usage_changed(store->changes[i].user_id,
                             -store->changes[i].bytes);
    store->change_count = 0;
}

bool store_usage_open(const struct store *store, int64_t user_id)
{
    for (uint32_t i = 0; i < store->change_count; i++)
        if (store->changes[i].user_id == user_id)
            return true;
    return false;
}

enum err store_usage(struct store *store, int64_t user_id, uint64_t *bytes)
{
    sqlite3_stmt *statement = store_statement(store, SQL_USAGE);
    int code;

    *bytes = 0;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, user_id);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *bytes = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return store_error(store, code);
}

/* ---- Logins ------------------------------------------------------------- */

enum err store_login_put(struct store *store, const struct store_login *login)
{
    sqlite3_stmt *statement = store_statement(store, SQL_LOGIN_PUT);

    if (statement) {
        sqlite3_bind_int64(statement, 1, login->user_id);
        sqlite3_bind_int64(statement, 2, login->time_ms);
        sqlite3_bind_text(statement, 3, login->address, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, login->service, -1, SQLITE_STATIC);
    }
    return store_run(store, statement);
}

enum err store_list_logins(struct store *store,
                           enum err (*each)(void *context, const char *user,
                                            const struct store_login *login),
                           void *context)
{
    static const char sql[] =
        "SELECT UserID,TimeMs,Address,Service,Name FROM login"
        " JOIN user USING(UserID) ORDER BY Name";

    struct store_login login;
    char user[USER_NAME_BYTES];
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    enum err err = store_error(store, code);

    while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        login.user_id = sqlite3_column_int64(statement, 0);
        login.time_ms = sqlite3_column_int64(statement, 1);
        store_copy_column(statement, 2, login.address, sizeof login.address);
        store_copy_column(statement, 3, login.service, sizeof login.service);
        store_copy_column(statement, 4, user, sizeof user);
        err = each(context, user, &login);
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}
