/* Opening the connections that people's queries run on, and their limits.
 *
 * Each call into SQLite is short or gives way: VDBE instructions are counted by
 * the progress handler, reading gives way in the medium, and functions that
 * could run long are replaced (sql_functions.c). What is left is bounded by the
 * heap: sorting what fits in it. */
#include "mailstore/sql.h"
#include "mailstore/sql_heap.h"
#include "mailstore/sql_internal.h"
#include <stdio.h>
#include <string.h>

/* Instructions of SQLite's machine between two looks at the clock. */
#define BREATH_STEPS 400
/* Of the heap, for pages; for the longest value. */
#define CACHE_PART    3
#define VALUE_PART    4
#define VALUE_MAX     (4 * 1024 * 1024)
#define CACHE_PAGES   256 /* without a heap */
#define STATEMENT_MAX (256 * 1024)
/* A snapshot of mail.db is given up when the WAL is so full, in eighths: it
 * begins anew only when nobody reads in it. */
#define WAL_EIGHTHS 5
/* The WAL of a database is moved when it is so full. */
#define WAL_MOVE_PART 4

static bool snapshot_in_the_way(const struct sql *sql)
{
    uint32_t moved;

    return sql->options.mail &&
           volume_wal_frames(sql->volume, &moved) / WAL_EIGHTHS >
               volume_wal_capacity(sql->volume) / 8;
}

bool sql_holds_up_mail(struct sql *sql)
{
    if (sql->stop == SQL_GOES_ON && snapshot_in_the_way(sql))
        sql->stop = SQL_STOP_SNAPSHOT;
    return sql->stop == SQL_STOP_SNAPSHOT;
}

bool sql_breathe(struct sql *sql, bool waiting)
{
    (void)sql_holds_up_mail(sql);
    if (sql->stop == SQL_GOES_ON &&
        (sql->options.pause == NULL
             ? waiting
             : sql->options.pause(sql->options.context, waiting)) &&
        sql->stop == SQL_GOES_ON)
        sql->stop = SQL_STOP_ASKED;
    return sql->stop != SQL_GOES_ON;
}

static int on_progress(void *context)
{
    return sql_breathe(context, false);
}

/* Somebody else writes: until he has done, or the time is over. */
static int on_busy(void *context, int tries)
{
    (void)tries;
    return !sql_breathe(context, true);
}

static void set_limits(struct sql *sql)
{
    size_t heap = sql_heap_bytes();
    size_t value = heap ? heap / VALUE_PART : VALUE_MAX;
    const struct {
        int which, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, (int)(value < VALUE_MAX ? value : VALUE_MAX)},
        {SQLITE_LIMIT_SQL_LENGTH, STATEMENT_MAX},
        {SQLITE_LIMIT_COLUMN, 200},
        {SQLITE_LIMIT_EXPR_DEPTH, 100},
        {SQLITE_LIMIT_COMPOUND_SELECT, 100},
        {SQLITE_LIMIT_VDBE_OP, 50000},
        {SQLITE_LIMIT_FUNCTION_ARG, 32},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 100},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 16},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        (void)sqlite3_limit(sql->db, limits[i].which, limits[i].value);
}

static void set_switches(struct sql *sql)
{
    static const struct {
        int which, value;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
    };

    /* All memory from the heap, where the end of the stack is watched. */
    (void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        (void)sqlite3_db_config(sql->db, switches[i].which, switches[i].value,
                                NULL);
    if (!sql->options.write)
        (void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                NULL);
}

/* A database that a workstation has left without WAL. */
static int ensure_wal(struct sql *sql)
{
    sqlite3_stmt *statement = NULL;
    bool wal = false;
    int code = sqlite3_prepare_v2(sql->db, "PRAGMA journal_mode", -1,
                                  &statement, NULL);

    if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        wal = sqlite3_stricmp((const char *)sqlite3_column_text(statement, 0),
                              "wal") == 0;
    if (code == SQLITE_OK)
        code = sqlite3_finalize(statement);
    if (code != SQLITE_OK || wal)
        return code;
    return sqlite3_exec(sql->db,
                        "PRAGMA journal_mode=MEMORY;PRAGMA journal_mode=WAL",
                        NULL, NULL, NULL);
}

static int set_up(struct sql *sql)
{
    uint64_t pages = sql->volume->database.bytes / VOLUME_PAGE_BYTES;
    size_t heap = sql_heap_bytes();
    size_t cache = heap ? heap / CACHE_PART / VOLUME_PAGE_BYTES : CACHE_PAGES;
    char text[200];
    int code;

    sqlite3_extended_result_codes(sql->db, 1);
    set_switches(sql);
    set_limits(sql);
    sqlite3_progress_handler(sql->db, BREATH_STEPS, on_progress, sql);
    sqlite3_busy_handler(sql->db, on_busy, sql);
    if (sql_add_functions(sql) != OK)
        return SQLITE_NOMEM;
    (void)snprintf(text, sizeof text,
                   "PRAGMA cache_size=%zu;PRAGMA max_page_count=%llu;"
                   "PRAGMA wal_autocheckpoint=%u;PRAGMA synchronous=FULL;"
                   "PRAGMA foreign_keys=ON",
                   cache, (unsigned long long)pages,
                   sql->options.write
                       ? volume_wal_capacity(sql->volume) / WAL_MOVE_PART
                       : 0);
    code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
    if (code == SQLITE_OK && sql->options.write)
        code = ensure_wal(sql);
    if (code == SQLITE_OK)
        code = sqlite3_set_authorizer(sql->db, sql_authorize, sql);
    return code;
}

static enum err open_error(const struct sql *sql, int code,
                           char message[SQL_MESSAGE_BYTES])
{
    (void)snprintf(message, SQL_MESSAGE_BYTES, "%s",
                   sql->volume->error ? err_text(sql->volume->error)
                   : sql->db          ? sqlite3_errmsg(sql->db)
                                      : sqlite3_errstr(code));
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
        return ERR_BUSY;
    default:
        return sql->volume->error ? sql->volume->error : ERR_IO;
    }
}

enum err sql_open(const struct sql_options *options, struct sql **out,
                  char message[SQL_MESSAGE_BYTES])
{
    int flags = options->write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                               : SQLITE_OPEN_READONLY;
    struct sql *sql = sqlite3_malloc(sizeof *sql);
    enum err err = ERR_MEMORY;
    int code;

    *out = NULL;
    (void)snprintf(message, SQL_MESSAGE_BYTES, "out of memory");
    if (sql == NULL)
        return err;
    memset(sql, 0, sizeof *sql);
    sql->options = *options;
    if (options->mail)
        sql->options.write = false;
    err = volume_take(options->place, &sql->volume);
    if (err) {
        (void)snprintf(message, SQL_MESSAGE_BYTES, "%s",
                       err == ERR_MEMORY ? "too many databases are open"
                                         : err_text(err));
        sqlite3_free(sql);
        return err == ERR_MEMORY ? ERR_BUSY : err;
    }
    if (options->mail)
        flags = SQLITE_OPEN_READONLY;
    code = sqlite3_open_v2(sql->volume->name, &sql->db, flags, "barepost");
    if (code == SQLITE_OK)
        code = set_up(sql);
    if (code != SQLITE_OK) {
        err = open_error(sql, code, message);
        sql_close(sql);
        return err;
    }
    message[0] = '\0';
    *out = sql;
    return OK;
}

void sql_close(struct sql *sql)
{
    if (sql == NULL)
        return;
    /* What is left of a transaction is undone without being disturbed. */
    sqlite3_progress_handler(sql->db, 0, NULL, NULL);
    (void)sqlite3_close_v2(sql->db);
    volume_give_back(sql->volume);
    sqlite3_free(sql);
}

void sql_interrupt(struct sql *sql)
{
    sql->stop = SQL_STOP_ASKED;
    sqlite3_interrupt(sql->db);
}

enum err sql_data_create(const struct store_place *place)
{
    struct sql_options options = {.place = place, .write = true};
    char message[SQL_MESSAGE_BYTES];
    struct volume *volume;
    struct sql *sql;
    enum err err = volume_take(place, &volume);

    if (err)
        return err;
    err = volume->connections > 1 ? ERR_BUSY : volume_erase(volume);
    volume_give_back(volume);
    if (!err)
        err = sql_open(&options, &sql, message);
    if (!err)
        sql_close(sql);
    return err;
}
