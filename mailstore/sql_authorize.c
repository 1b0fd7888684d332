/* What a query by hand may do: SQLite's authorizer, asked while each statement
 * is prepared (sqlite.org/c3ref/set_authorizer.html).
 *
 * - No other file: no ATTACH (nor VACUUM, which attaches one).
 * - PRAGMAs that tell something; those that change how the database works are
 *   not among them.
 * - Without the switch for writing, and in mail.db always, only the tables in
 *   memory (temp) change.
 * - In mail.db secrets read as NULL, wherever they are used: passwords, and
 *   whatever a table of sessions or a column holds whose name says so. */
#include "mailstore/sql_internal.h"
#include <string.h>

enum pragma_use {
    PRAGMA_TELLS, /* with or without an argument it only tells */
    PRAGMA_ASKED, /* tells without one, would change with one */
    PRAGMA_OWN,   /* as PRAGMA_TELLS, but takes long: not on mail.db */
    PRAGMA_SETS,  /* may be set where data may be written */
};

static const struct {
    const char *name;
    enum pragma_use use;
} pragmas[] = {
    {"application_id", PRAGMA_SETS},    {"auto_vacuum", PRAGMA_ASKED},
    {"cache_size", PRAGMA_ASKED},       {"collation_list", PRAGMA_TELLS},
    {"compile_options", PRAGMA_TELLS},  {"data_version", PRAGMA_ASKED},
    {"database_list", PRAGMA_TELLS},    {"defer_foreign_keys", PRAGMA_SETS},
    {"encoding", PRAGMA_ASKED},         {"foreign_key_check", PRAGMA_OWN},
    {"foreign_key_list", PRAGMA_TELLS}, {"foreign_keys", PRAGMA_SETS},
    {"freelist_count", PRAGMA_ASKED},   {"function_list", PRAGMA_TELLS},
    {"index_info", PRAGMA_TELLS},       {"index_list", PRAGMA_TELLS},
    {"index_xinfo", PRAGMA_TELLS},      {"integrity_check", PRAGMA_OWN},
    {"journal_mode", PRAGMA_ASKED},     {"max_page_count", PRAGMA_ASKED},
    {"module_list", PRAGMA_TELLS},      {"page_count", PRAGMA_ASKED},
    {"page_size", PRAGMA_ASKED},        {"pragma_list", PRAGMA_TELLS},
    {"quick_check", PRAGMA_OWN},        {"recursive_triggers", PRAGMA_SETS},
    {"schema_version", PRAGMA_ASKED},   {"synchronous", PRAGMA_ASKED},
    {"table_info", PRAGMA_TELLS},       {"table_list", PRAGMA_TELLS},
    {"table_xinfo", PRAGMA_TELLS},      {"user_version", PRAGMA_SETS},
};

static int deny(struct sql *sql, const char *why)
{
    sql->denied = why;
    return SQLITE_DENY;
}

static int judge_pragma(struct sql *sql, const char *name, const char *value)
{
    const char *refused = "this PRAGMA is not allowed here";

    for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++) {
        if (sqlite3_stricmp(pragmas[i].name, name) != 0)
            continue;
        switch (pragmas[i].use) {
        case PRAGMA_TELLS:
            return SQLITE_OK;
        case PRAGMA_OWN:
            return sql->options.mail ? deny(sql, refused) : SQLITE_OK;
        case PRAGMA_SETS:
            if (value == NULL || sql->options.write)
                return SQLITE_OK;
            return deny(sql, "read-only: this PRAGMA would change something");
        case PRAGMA_ASKED:
            break;
        }
        return value == NULL ? SQLITE_OK : deny(sql, refused);
    }
    return deny(sql, refused);
}

static int judge_write(struct sql *sql, const char *database)
{
    if (sql->options.write ||
        (database != NULL && sqlite3_stricmp(database, "temp") == 0))
        return SQLITE_OK;
    return deny(sql, sql->options.mail
                         ? "mail.db can be read here, not written"
                         : "read-only: writing has to be switched on");
}

/* A virtual table that is only read says this of the schema while it tells its
 * columns, and it is never done. Who means it is stopped by SQLite itself, as
 * the schema is not writable. */
static int judge_update(struct sql *sql, const char *table,
                        const char *database)
{
    if (table != NULL && sqlite3_stricmp(table, "sqlite_master") == 0)
        return SQLITE_OK;
    return judge_write(sql, database);
}

/* Those of JSON go down a path or through both objects without an end that the
 * query's stack and time could stand. */
static int judge_function(struct sql *sql, const char *name)
{
    static const char *const refused[] = {
        "load_extension", "fts3_tokenizer", "json_insert",
        "json_patch",     "json_set",
    };

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (name != NULL && sqlite3_stricmp(name, refused[i]) == 0)
            return deny(sql, "this function is not allowed");
    return SQLITE_OK;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool contains(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (; *text != '\0'; text++) {
        size_t i = 0;

        while (i < len && lower(text[i]) == word[i])
            i++;
        if (i == len)
            return true;
    }
    return false;
}

static bool is_secret(const char *table, const char *column)
{
    static const char *const columns[] = {"password", "secret", "token",
                                          "private",  "hash",   "salt"};
    static const char *const tables[] = {"session", "secret", "cookie"};

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (contains(column, columns[i]))
            return true;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (contains(table, tables[i]))
            return true;
    return false;
}

static int judge_read(const struct sql *sql, const char *table,
                      const char *column)
{
    if (sql->options.mail && table != NULL && column != NULL &&
        is_secret(table, column))
        return SQLITE_IGNORE;
    return SQLITE_OK;
}

static int judge_module(struct sql *sql, const char *module,
                        const char *database)
{
    if (module == NULL || sqlite3_stricmp(module, "fts5") != 0)
        return deny(sql, "only fts5 can make a virtual table here");
    return judge_write(sql, database);
}

int sql_authorize(void *context, int action, const char *one, const char *two,
                  const char *database, const char *trigger)
{
    struct sql *sql = context;

    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW:
        return SQLITE_OK;
    case SQLITE_READ:
        return judge_read(sql, one, two);
    case SQLITE_FUNCTION:
        return judge_function(sql, two);
    case SQLITE_PRAGMA:
        return judge_pragma(sql, one, two);
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return sql->options.mail ? deny(sql, "transactions are not for mail.db")
                                 : SQLITE_OK;
    case SQLITE_UPDATE:
        return judge_update(sql, one, database);
    case SQLITE_ALTER_TABLE: /* its database is the first argument */
        return judge_write(sql, one);
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
        return judge_module(sql, two, database);
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VIEW:
    case SQLITE_INSERT:
    case SQLITE_DELETE:
    case SQLITE_ANALYZE:
    case SQLITE_REINDEX:
        return judge_write(sql, database);
    case SQLITE_ATTACH:
        return deny(sql, "no other file can be reached, nor VACUUM used");
    default:
        return deny(sql, "this is not allowed here");
    }
}
