/* Changes of users that are there already. */
#include "mailstore/store_internal.h"

enum err store_user_change(struct store *store, const struct user *user,
                           unsigned fields)
{
    sqlite3_stmt *statement = store_statement(store, SQL_USER_CHANGE);
    enum err err;

    if (statement) {
        sqlite3_bind_int64(statement, 1, user->id);
        sqlite3_bind_text(statement, 2, user->full_name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, user->hash, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, (sqlite3_int64)user->quota_bytes);
        sqlite3_bind_int(statement, 5, user->admin);
        sqlite3_bind_int(statement, 6, user->enabled);
        sqlite3_bind_int(statement, 7, (int)fields);
    }
    err = store_run(store, statement);
    if (!err && sqlite3_changes(store->db) == 0)
        err = ERR_NOT_FOUND;
    return err;
}
