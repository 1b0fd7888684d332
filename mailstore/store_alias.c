/* Aliases as lists: what an administrator sees and takes away. */
#include "mailstore/store_alias.h"
#include "mailstore/store_internal.h"

/* One row, kept while it is shown: nothing is half-way then. */
struct row {
    int64_t id, user_id;
    bool found, to_user;
    char alias[USER_ADDRESS_BYTES], address[USER_ADDRESS_BYTES];
};

/* The row behind this one. */
static enum err next_row(struct store *store, sqlite3_stmt *statement,
                         struct row *row)
{
    int code;

    sqlite3_bind_text(statement, 2, row->alias, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 3, row->address, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(statement, 4, row->id);
    code = sqlite3_step(statement);
    row->found = code == SQLITE_ROW;
    if (row->found) {
        row->id = sqlite3_column_int64(statement, 0);
        store_copy_column(statement, 1, row->alias, sizeof row->alias);
        row->user_id = sqlite3_column_int64(statement, 2);
        store_copy_column(statement, 3, row->address, sizeof row->address);
        row->to_user = sqlite3_column_type(statement, 3) == SQLITE_NULL;
    }
    sqlite3_reset(statement);
    return store_error(store, code);
}

enum err store_list_aliases(struct store *store, int64_t user_id,
                            enum err (*each)(void *context,
                                             const struct store_alias *alias),
                            void *context)
{
    static const char sql[] =
        "SELECT AliasID,Alias,UserID,Address FROM alias WHERE (UserID=?1 OR"
        " Alias=(SELECT Name FROM user WHERE UserID=?1)) AND"
        " (Alias,ifnull(Address,''),AliasID)>(?2,?3,?4)"
        " ORDER BY Alias,ifnull(Address,''),AliasID LIMIT 1";
    struct row row = {.id = INT64_MIN, .found = true};
    sqlite3_stmt *statement = NULL;
    enum err err = store_error(
        store, sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL));

    if (!err)
        sqlite3_bind_int64(statement, 1, user_id);
    while (!err) {
        struct store_alias alias = {.alias = row.alias};
        int64_t last = row.id;

        err = next_row(store, statement, &row);
        /* The same again: a workstation made it longer than any can be. */
        if (err || !row.found || row.id == last)
            break;
        alias.user_id = row.user_id;
        alias.address = row.to_user ? NULL : row.address;
        err = each(context, &alias);
    }
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
