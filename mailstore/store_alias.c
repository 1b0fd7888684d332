/* Aliases as lists: what an administrator sees and takes away. */
#include "mailstore/store_alias.h"
#include "mailstore/store_internal.h"

enum err store_list_aliases(struct store *store, int64_t user_id,
                            enum err (*each)(void *context,
                                             const struct store_alias *alias),
                            void *context)
{
    static const char sql[] =
        "SELECT Alias,UserID,Address FROM alias WHERE UserID=?1 OR Alias="
        "(SELECT Name FROM user WHERE UserID=?1) ORDER BY Alias,Address";
    sqlite3_stmt *statement = NULL;
    enum err err = OK;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        sqlite3_bind_int64(statement, 1, user_id);
    while (!err && code == SQLITE_OK &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_alias alias = {
            .alias = (const char *)sqlite3_column_text(statement, 0),
            .user_id = sqlite3_column_int64(statement, 1),
            .address = (const char *)sqlite3_column_text(statement, 2),
        };

        err = alias.alias ? each(context, &alias) : ERR_MEMORY;
        code = SQLITE_OK;
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}

enum err store_alias_drop(struct store *store, const char *alias,
                          int64_t user_id, const char *address)
{
    static const char sql[] =
        "DELETE FROM alias WHERE Alias=?1 AND ifnull(UserID,0)=?2"
        " AND ifnull(Address,'')=?3";
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    enum err err;

    if (code == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, alias, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, user_id);
        sqlite3_bind_text(statement, 3, address ? address : "", -1,
                          SQLITE_STATIC);
        code = sqlite3_step(statement);
    }
    err = store_error(store, code);
    if (!err && sqlite3_changes(store->db) == 0)
        err = ERR_NOT_FOUND;
    sqlite3_finalize(statement);
    return err;
}
