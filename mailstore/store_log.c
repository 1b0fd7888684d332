/* The log's lines: appended at the end of the table, taken away at its start,
 * so that both touch few pages. LogIDs have no gaps: how many lines there are
 * is the difference of the last and the first. The writer remembers both while
 * nothing is rolled back. */
#include "mailstore/store_log.h"
#include "mailstore/store_internal.h"
#include <string.h>
#include <strings.h>

enum err store_log_range(struct store *store, int64_t *first, int64_t *last)
{
    enum err err = store_number(store, "SELECT min(LogID) FROM log", first);

    return err ? err : store_number(store, "SELECT max(LogID) FROM log", last);
}

static enum err know_range(struct store *store)
{
    enum err err;

    if (store->log_known)
        return OK;
    err = store_log_range(store, &store->log_first, &store->log_last);
    if (!err && store->log_last == 0)
        store->log_first = 1;
    store->log_known = !err;
    return err;
}

enum err store_log_put(struct store *store, int64_t time_ms, int64_t mail_id,
                       const char *module, const char *text, size_t len)
{
    sqlite3_stmt *statement;
    enum err err = know_range(store);

    if (err)
        return err;
    statement = store_statement(store, SQL_LOG_PUT);
    if (statement) {
        sqlite3_bind_int64(statement, 1, store->log_last + 1);
        sqlite3_bind_int64(statement, 2, time_ms);
        if (mail_id)
            sqlite3_bind_int64(statement, 3, mail_id);
        else
            sqlite3_bind_null(statement, 3);
        sqlite3_bind_text(statement, 4, module, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, text, (int)len, SQLITE_STATIC);
    }
    err = store_run(store, statement);
    if (statement)
        sqlite3_clear_bindings(statement);
    if (!err)
        store->log_last++;
    return err;
}

enum err store_log_prune(struct store *store, int64_t keep, int64_t most)
{
    sqlite3_stmt *statement;
    enum err err = know_range(store);
    int64_t first;

    if (err || store->log_last - store->log_first + 1 < keep + most)
        return err;
    first = store->log_first + most;
    statement = store_statement(store, SQL_LOG_PRUNE);
    if (statement)
        sqlite3_bind_int64(statement, 1, first);
    err = store_run(store, statement);
    if (!err)
        store->log_first = first;
    return err;
}

/* ---- Reading ------------------------------------------------------------- */

/* The line that the statement finds first, of those between two ids. */
static enum err read_line(struct store *store, sqlite3_stmt *statement,
                          int64_t from, int64_t to, struct store_log_line *line,
                          bool *found)
{
    int code;

    sqlite3_bind_int64(statement, 1, from);
    sqlite3_bind_int64(statement, 2, to);
    code = sqlite3_step(statement);
    *found = code == SQLITE_ROW;
    if (*found) {
        line->log_id = sqlite3_column_int64(statement, 0);
        line->time_ms = sqlite3_column_int64(statement, 1);
        line->mail_id = sqlite3_column_int64(statement, 2);
        store_copy_column(statement, 3, line->module, sizeof line->module);
        store_copy_column(statement, 4, line->text, sizeof line->text);
    }
    sqlite3_reset(statement);
    return store_error(store, code);
}

/* Line by line: nothing is half-way while one is shown. */
static enum err read_lines(struct store *store, sqlite3_stmt *statement,
                           const struct store_log_query *query,
                           enum err (*each)(void *context,
                                            const struct store_log_line *line),
                           void *context)
{
    int64_t from = query->from, to = query->to;
    struct store_log_line line;
    bool found = true;
    enum err err = OK;

    while (!err && from <= to) {
        err = read_line(store, statement, from, to, &line, &found);
        if (err || !found)
            break;
        err = each(context, &line);
        if (line.log_id == (query->backward ? from : to))
            break;
        if (query->backward)
            to = line.log_id - 1;
        else
            from = line.log_id + 1;
    }
    return err;
}

enum err store_log_list(struct store *store,
                        const struct store_log_query *query,
                        enum err (*each)(void *context,
                                         const struct store_log_line *line),
                        void *context)
{
#define COLUMNS "SELECT LogID,TimeMs,MailID,Module,Text FROM log"
#define RANGE   "LogID BETWEEN ?1 AND ?2"
    static const char *const sql[2][2] = {
        {COLUMNS " WHERE " RANGE " ORDER BY LogID LIMIT 1",
         COLUMNS " WHERE " RANGE " ORDER BY LogID DESC LIMIT 1"},
        {COLUMNS " WHERE MailID=?3 AND " RANGE " ORDER BY LogID LIMIT 1",
         COLUMNS " WHERE MailID=?3 AND " RANGE " ORDER BY LogID DESC LIMIT 1"},
    };
    sqlite3_stmt *statement;
    int code =
        sqlite3_prepare_v2(store->db, sql[query->mail_id != 0][query->backward],
                           -1, &statement, NULL);
    enum err err = store_error(store, code);

    if (err)
        return err;
    if (query->mail_id)
        sqlite3_bind_int64(statement, 3, query->mail_id);
    err = read_lines(store, statement, query, each, context);
    sqlite3_finalize(statement);
    return err;
}

/* ---- What a line is about ------------------------------------------------ */

static bool holds(const char *text, const char *part)
{
    size_t len = strlen(part);

    for (; *text != '\0'; text++)
        if (strncasecmp(text, part, len) == 0)
            return true;
    return len == 0;
}

bool store_log_contains(const struct store_log_line *line, const char *text)
{
    return holds(line->text, text) || holds(line->module, text);
}

/* The end of a word: a space, but not one in quotes (log_value()), in which
 * \ takes the next character along. */
static const char *word_end(const char *at)
{
    bool quoted = false;

    for (; *at != '\0' && (quoted || *at != ' '); at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (quoted && *at == '\\' && at[1] != '\0')
            at++;
    }
    return at;
}

bool store_log_has_id(const struct store_log_line *line, const char *id)
{
    const char *at = line->text;
    size_t len = strlen(id);

    while (*at != '\0') {
        const char *end = word_end(at);

        if ((size_t)(end - at) == len + 3 && strncmp(at, "id=", 3) == 0 &&
            strncasecmp(at + 3, id, len) == 0)
            return true;
        at = end + strspn(end, " ");
    }
    return false;
}

/* Whether a user stands in a value's list; the value ends at a space. */
static bool lists_user(const char *value, const char *user)
{
    size_t len = strlen(user);

    for (;;) {
        size_t part = strcspn(value, ", ");

        if (part == len && strncasecmp(value, user, len) == 0)
            return true;
        if (value[part] != ',')
            return false;
        value += part + 1;
    }
}

bool store_log_names_user(const struct store_log_line *line, const char *user)
{
    const char *at = line->text;

    while (*at != '\0') {
        const char *end = word_end(at);

        if ((strncmp(at, "user=", 5) == 0 && lists_user(at + 5, user)) ||
            (strncmp(at, "local=", 6) == 0 && lists_user(at + 6, user)))
            return true;
        at = end + strspn(end, " ");
    }
    return false;
}
