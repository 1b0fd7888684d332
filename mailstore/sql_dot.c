/* The commands that begin with a dot, as the sqlite3 shell has them.
 *
 * Where no person sits at a prompt (a script that came by the web), those that
 * change how answers look are passed over, and those that reach another file or
 * database are refused. */
#include "mailstore/sql_dot.h"
#include "mailstore/sql_internal.h"
#include <stdio.h>
#include <string.h>

#define WORDS      3
#define WORD_BYTES 256
#define READ_DEPTH 4

struct words {
    unsigned count;
    char word[WORDS][WORD_BYTES];
};

static const char *const mode_names[SQL_MODES] = {
    [SQL_MODE_COLUMN] = "column", [SQL_MODE_LIST] = "list",
    [SQL_MODE_CSV] = "csv",       [SQL_MODE_JSON] = "json",
    [SQL_MODE_LINE] = "line",     [SQL_MODE_TABS] = "tabs",
    [SQL_MODE_HTML] = "html",     [SQL_MODE_ARRAYS] = "arrays",
};

/* Splits at blanks; '...' and "..." keep them. */
static void split(const char *line, size_t len, struct words *words)
{
    size_t at = 0;

    words->count = 0;
    while (at < len && words->count < WORDS) {
        char *word = words->word[words->count], quote = 0;
        size_t bytes = 0;

        while (at < len && (line[at] == ' ' || line[at] == '\t' ||
                            line[at] == '\r' || line[at] == ';'))
            at++;
        if (at == len)
            break;
        if (line[at] == '\'' || line[at] == '"')
            quote = line[at++];
        while (at < len && (quote ? line[at] != quote
                                  : strchr(" \t\r;", line[at]) == NULL)) {
            if (bytes < WORD_BYTES - 1)
                word[bytes++] = line[at];
            at++;
        }
        at += quote != 0;
        word[bytes] = '\0';
        words->count++;
    }
    for (unsigned i = words->count; i < WORDS; i++)
        words->word[i][0] = '\0';
}

static enum err on_or_off(struct sql_run *run, const struct words *words,
                          bool *value)
{
    const char *word = words->word[1];

    if (sqlite3_stricmp(word, "on") == 0 || sqlite3_stricmp(word, "yes") == 0 ||
        strcmp(word, "1") == 0)
        *value = true;
    else if (sqlite3_stricmp(word, "off") == 0 ||
             sqlite3_stricmp(word, "no") == 0 || strcmp(word, "0") == 0)
        *value = false;
    else
        return sql_fail(run, NULL, "%s on, or %s off", words->word[0],
                        words->word[0]);
    return OK;
}

/* A statement of ours with a name in it, which it is LIKE; "": any. */
static enum err ask(struct sql_run *run, const char *format, const char *name)
{
    char *text = sqlite3_mprintf(format, *name ? name : "%");
    enum err err = text == NULL ? ERR_MEMORY : OK;

    if (err == OK)
        err = sql_run_statement(run, text, true);
    else
        (void)!sql_fail(run, NULL, "out of memory");
    sqlite3_free(text);
    return err;
}

/* ---- Commands that ask the database -------------------------------------- */

static enum err dot_tables(struct sql_run *run, const struct words *words)
{
    return ask(run,
               "SELECT name FROM sqlite_schema WHERE type IN('table','view')"
               " AND name NOT LIKE 'sqlite\\_%%' ESCAPE '\\' AND name LIKE %Q"
               " ORDER BY 1",
               words->word[1]);
}

static enum err dot_schema(struct sql_run *run, const struct words *words)
{
    return ask(run,
               "SELECT sql||';' AS sql FROM sqlite_schema WHERE sql NOT NULL"
               " AND tbl_name LIKE %Q ORDER BY tbl_name,type DESC,name",
               words->word[1]);
}

static enum err dot_indexes(struct sql_run *run, const struct words *words)
{
    return ask(run,
               "SELECT name FROM sqlite_schema WHERE type='index'"
               " AND tbl_name LIKE %Q ORDER BY 1",
               words->word[1]);
}

static enum err dot_databases(struct sql_run *run, const struct words *words)
{
    struct sql_session *session = run->session;

    (void)words;
    return ask(run,
               session->write ? "SELECT %Q||': may be written'"
                              : "SELECT %Q||': read-only'",
               session->database);
}

/* Where the rows of a table are made INSERT statements: its columns, quoted. */
static enum err dump_rows(struct sql_run *run, const char *table)
{
    char *columns = NULL, *text;
    sqlite3_stmt *statement = NULL;
    enum err err;

    if (sqlite3_prepare_v2((*run->sql)->db,
                           "SELECT group_concat('quote('||char(34)||"
                           "replace(name,char(34),char(34)||char(34))||"
                           "char(34)||')','||'',''||')"
                           " FROM pragma_table_info(?1)",
                           -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
        if (sqlite3_step(statement) == SQLITE_ROW)
            columns = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
    }
    (void)sqlite3_finalize(statement);
    text = columns == NULL
               ? NULL
               : sqlite3_mprintf("SELECT 'INSERT INTO \"%w\" VALUES('||%s||"
                                 "');' FROM \"%w\"",
                                 table, columns, table);
    err = text == NULL ? sql_fail(run, NULL, "%s cannot be dumped", table)
                       : sql_run_statement(run, text, true);
    sqlite3_free(columns);
    sqlite3_free(text);
    return err;
}

static enum err dump_tables(struct sql_run *run)
{
    sqlite3_stmt *statement = NULL;
    enum err err = OK;

    if (sqlite3_prepare_v2((*run->sql)->db,
                           "SELECT name,sql||';' FROM sqlite_schema WHERE"
                           " type='table' AND name NOT LIKE 'sqlite\\_%'"
                           " ESCAPE '\\' ORDER BY rowid",
                           -1, &statement, NULL) != SQLITE_OK)
        return sql_fail(run, NULL, "%s", sqlite3_errmsg((*run->sql)->db));
    while (err == OK && sqlite3_step(statement) == SQLITE_ROW) {
        sql_put_text(&run->writer,
                     (const char *)sqlite3_column_text(statement, 1));
        sql_put_text(&run->writer, "\n");
        err = dump_rows(run, (const char *)sqlite3_column_text(statement, 0));
    }
    (void)sqlite3_finalize(statement);
    return err;
}

static enum err dot_dump(struct sql_run *run, const struct words *words)
{
    enum err err = sql_need(run);

    (void)words;
    if (err != OK)
        return err;
    sql_put_text(&run->writer, "PRAGMA foreign_keys=OFF;\nBEGIN;\n");
    err = dump_tables(run);
    if (err == OK)
        err = sql_run_statement(run,
                                "SELECT sql||';' FROM sqlite_schema WHERE sql"
                                " NOT NULL AND type<>'table'",
                                true);
    sql_put_text(&run->writer, "COMMIT;\n");
    return err;
}

/* ---- Commands about the answers ------------------------------------------ */

static enum err dot_mode(struct sql_run *run, const struct words *words)
{
    for (unsigned i = 0; i < SQL_MODE_ARRAYS; i++) {
        if (sqlite3_stricmp(words->word[1], mode_names[i]) != 0)
            continue;
        run->session->mode = (enum sql_mode)i;
        return OK;
    }
    return sql_fail(run, NULL,
                    ".mode column, list, csv, json, line, tabs or html");
}

static enum err dot_headers(struct sql_run *run, const struct words *words)
{
    return on_or_off(run, words, &run->session->headers);
}

static enum err dot_timer(struct sql_run *run, const struct words *words)
{
    return on_or_off(run, words, &run->session->timer);
}

static enum err dot_separator(struct sql_run *run, const struct words *words)
{
    (void)snprintf(run->session->separator, sizeof run->session->separator,
                   "%.7s", words->word[1]);
    return OK;
}

static enum err dot_null(struct sql_run *run, const struct words *words)
{
    (void)snprintf(run->session->null, sizeof run->session->null, "%.15s",
                   words->word[1]);
    return OK;
}

static enum err dot_print(struct sql_run *run, const struct words *words)
{
    sql_put_text(&run->writer, words->word[1]);
    sql_put_text(&run->writer, "\n");
    return OK;
}

static enum err dot_show(struct sql_run *run, const struct words *words)
{
    const struct sql_session *session = run->session;
    char text[200];

    (void)words;
    (void)snprintf(
        text, sizeof text,
        "database  %s, %s\nmode      %s\nheaders   %s\n"
        "separator %s\nnullvalue %s\ntimer     %s\n",
        session->database, session->write ? "may be written" : "read-only",
        mode_names[session->mode], session->headers ? "on" : "off",
        session->separator, session->null, session->timer ? "on" : "off");
    sql_put_text(&run->writer, text);
    return OK;
}

/* ---- Commands about the database ----------------------------------------- */

static enum err reopen(struct sql_run *run)
{
    if (sql_in_transaction(*run->sql))
        return sql_fail(run, NULL, "a transaction is open: COMMIT or ROLLBACK");
    sql_close(*run->sql);
    *run->sql = NULL;
    return sql_need(run);
}

static enum err dot_use(struct sql_run *run, const struct words *words)
{
    struct sql_session *session = run->session;
    char before[SQL_NAME_BYTES];
    enum err err;

    if (words->word[1][0] == '\0')
        return sql_fail(run, NULL, ".use data, .use data-ID, or .use mail");
    memcpy(before, session->database, sizeof before);
    (void)snprintf(session->database, sizeof session->database, "%.30s",
                   words->word[1]);
    err = reopen(run);
    if (err != OK)
        memcpy(session->database, before, sizeof before);
    return err;
}

static enum err dot_write(struct sql_run *run, const struct words *words)
{
    bool write = false;
    enum err err = on_or_off(run, words, &write);

    if (err == OK && write && strcmp(run->session->database, "mail") == 0)
        return sql_fail(run, NULL, "mail.db can be read here, not written");
    if (err != OK || run->session->write == write)
        return err;
    run->session->write = write;
    err = reopen(run);
    if (err != OK)
        run->session->write = !write;
    return err;
}

static enum err dot_read(struct sql_run *run, const struct words *words)
{
    const char *text = run->text, *file = run->file;
    char *content = NULL;
    size_t len = 0;
    enum err err;

    if (run->depth == READ_DEPTH)
        return sql_fail(run, NULL, ".read within .read, too deep");
    err = run->host->read(run->host->context, words->word[1], &content, &len);
    if (err == ERR_TOO_BIG)
        (void)!sql_fail(run, NULL, "%s is too large", words->word[1]);
    else if (err != OK)
        (void)!sql_fail(run, NULL, "%s cannot be read: %s", words->word[1],
                        err_text(err));
    if (err != OK)
        return err;
    run->depth++;
    run->text = content;
    run->file = words->word[1];
    err = sql_run_text(run, content, len);
    run->text = text;
    run->file = file;
    run->depth--;
    sql_text_free(content);
    return err;
}

static enum err dot_quit(struct sql_run *run, const struct words *words)
{
    (void)words;
    run->result->quit = true;
    return OK;
}

static enum err dot_dbr(struct sql_run *run, const struct words *words)
{
    run->result->serve = true;
    return dot_quit(run, words);
}

static enum err dot_help(struct sql_run *run, const struct words *words);

enum place {
    ANYWHERE,
    LOOKS, /* of a prompt; elsewhere it is passed over */
    PROMPT /* refused elsewhere */
};

static const struct {
    const char *name;
    enum err (*run)(struct sql_run *run, const struct words *words);
    enum place place;
    const char *help;
} commands[] = {
    {".databases", dot_databases, ANYWHERE, "the database in use"},
    {".dbr", dot_dbr, ANYWHERE, "leave the prompt and serve"},
    {".dump", dot_dump, PROMPT, "the database as SQL"},
    {".exit", dot_quit, ANYWHERE, NULL},
    {".headers", dot_headers, LOOKS, "on|off: names of columns"},
    {".help", dot_help, LOOKS, "this"},
    {".indexes", dot_indexes, ANYWHERE, "[TABLE]"},
    {".indices", dot_indexes, ANYWHERE, NULL},
    {".mode", dot_mode, LOOKS, "column|list|csv|json|line|tabs|html"},
    {".nullvalue", dot_null, LOOKS, "TEXT: how NULL is shown"},
    {".print", dot_print, LOOKS, "TEXT"},
    {".quit", dot_quit, ANYWHERE, "leave the prompt; end a script"},
    {".read", dot_read, PROMPT,
     "FILE: run a script of the stick or the shared files"},
    {".schema", dot_schema, ANYWHERE, "[TABLE]: the CREATE statements"},
    {".separator", dot_separator, LOOKS, "TEXT: of .mode list"},
    {".show", dot_show, LOOKS, "these settings"},
    {".tables", dot_tables, ANYWHERE, "[PATTERN]"},
    {".timer", dot_timer, LOOKS, "on|off"},
    {".use", dot_use, PROMPT, "data|data-ID|mail: another database"},
    {".write", dot_write, PROMPT, "on|off: data may be changed"},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static enum err dot_help(struct sql_run *run, const struct words *words)
{
    (void)words;
    for (size_t i = 0; i < COMMANDS; i++) {
        char text[80];

        if (commands[i].help == NULL)
            continue;
        (void)snprintf(text, sizeof text, "%-11s %s\n", commands[i].name,
                       commands[i].help);
        sql_put_text(&run->writer, text);
    }
    return OK;
}

/* As long as it begins only one of them it may be shortened. */
static enum err run_command(struct sql_run *run, const struct words *words)
{
    const char *name = words->word[0];
    int len = (int)strlen(name);

    for (size_t i = 0; len > 1 && i < COMMANDS; i++) {
        if (sqlite3_strnicmp(commands[i].name, name, len) != 0)
            continue;
        if (commands[i].place == ANYWHERE || run->session->shell)
            return commands[i].run(run, words);
        if (commands[i].place == LOOKS)
            return OK;
        return sql_fail(run, NULL, "%s is for the prompt at the console",
                        commands[i].name);
    }
    return sql_fail(run, NULL, "unknown command \"%.40s\": see .help", name);
}

enum err sql_dot(struct sql_run *run, const char *line, size_t len)
{
    struct words *words = sqlite3_malloc(sizeof *words);
    enum err err;

    if (words == NULL)
        return sql_fail(run, NULL, "out of memory");
    split(line, len, words);
    err = run_command(run, words);
    sqlite3_free(words);
    return err;
}
