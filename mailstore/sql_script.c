/* Running a text: cutting it into statements, stepping each, saying what went
 * wrong and where. */
#include "mailstore/sql_dot.h"
#include "mailstore/sql_heap.h"
#include "mailstore/sql_internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sql_session_init(struct sql_session *session)
{
    memset(session, 0, sizeof *session);
    session->mode = SQL_MODE_COLUMN;
    session->headers = true;
    session->shell = true;
    (void)snprintf(session->separator, sizeof session->separator, "|");
    (void)snprintf(session->database, sizeof session->database, "data");
}

char *sql_text_alloc(size_t bytes)
{
    return sqlite3_malloc64(bytes);
}

void sql_text_free(char *text)
{
    sqlite3_free(text);
}

bool sql_in_transaction(const struct sql *sql)
{
    return sql != NULL && !sqlite3_get_autocommit(sql->db);
}

/* ---- Errors ------------------------------------------------------------- */

static void set_position(struct sql_run *run, const char *at)
{
    struct sql_result *result = run->result;

    result->line = result->column = 0;
    if (at == NULL)
        return;
    result->line = result->column = 1;
    for (const char *c = run->text; c < at; c++) {
        result->column += (*c & 0xc0) != 0x80;
        if (*c == '\n') {
            result->line++;
            result->column = 1;
        }
    }
}

enum err sql_fail(struct sql_run *run, const char *at, const char *format, ...)
{
    char *message = run->result->message;
    size_t len = 0;
    va_list args;

    set_position(run, at);
    if (run->file != NULL) {
        (void)snprintf(message, SQL_MESSAGE_BYTES, "%.60s: ", run->file);
        len = strlen(message);
    }
    va_start(args, format);
    (void)vsnprintf(message + len, SQL_MESSAGE_BYTES - len, format, args);
    va_end(args);
    return ERR_INVALID;
}

static enum err fail_interrupted(struct sql_run *run)
{
    if ((*run->sql)->stop == SQL_STOP_SNAPSHOT)
        (void)!sql_fail(run, NULL,
                        "ended: mail needs the room that this view of mail.db "
                        "holds");
    else
        (void)!sql_fail(run, NULL, "interrupted");
    return ERR_TIMEOUT;
}

/* What SQLite says, and where it helps, what it means here. */
static enum err fail_by_code(struct sql_run *run, const char *at, int code)
{
    struct sql *sql = *run->sql;
    int offset = sqlite3_error_offset(sql->db);

    if (at != NULL && offset >= 0)
        at += offset;
    if (sql->stop != SQL_GOES_ON)
        return fail_interrupted(run);
    switch (code & 0xff) {
    case SQLITE_INTERRUPT:
        return fail_interrupted(run);
    case SQLITE_AUTH:
        return sql_fail(run, at, "not allowed: %s",
                        sql->denied ? sql->denied : sqlite3_errmsg(sql->db));
    case SQLITE_NOMEM:
        (void)!sql_fail(run, NULL,
                        "out of memory: a query has %zu KiB for all it holds",
                        sql_heap_bytes() / 1024);
        return ERR_MEMORY;
    case SQLITE_FULL:
        (void)!sql_fail(run, NULL,
                        "no room: the database's file is full, or what one "
                        "transaction changes is more than its WAL file holds");
        return ERR_FULL;
    case SQLITE_BUSY:
        (void)!sql_fail(run, NULL, "somebody else is writing");
        return ERR_BUSY;
    case SQLITE_IOERR:
        (void)!sql_fail(run, NULL, "%s",
                        sql->volume->error ? err_text(sql->volume->error)
                                           : sqlite3_errmsg(sql->db));
        return sql->volume->error ? sql->volume->error : ERR_IO;
    default:
        return sql_fail(run, at, "%s", sqlite3_errmsg(sql->db));
    }
}

/* ---- Statements --------------------------------------------------------- */

static enum err step_rows(struct sql_run *run)
{
    struct sql_format *format = &run->format;
    uint64_t most = run->session->rows_max;
    int code;

    sql_format_begin(format, !run->had_rows);
    run->had_rows = true;
    while ((code = sqlite3_step(format->statement)) == SQLITE_ROW) {
        if (most != 0 && format->rows == most) {
            run->result->cut = true;
            code = SQLITE_DONE;
            break;
        }
        sql_format_row(format);
        if (run->writer.err != OK)
            break;
    }
    run->result->rows += format->rows;
    sql_format_end(format);
    if (run->writer.err == ERR_MEMORY)
        code = SQLITE_NOMEM;
    else if (run->writer.err != OK)
        code = SQLITE_INTERRUPT;
    return code == SQLITE_DONE ? OK : fail_by_code(run, NULL, code);
}

static enum err step_all(struct sql_run *run, const char *at)
{
    sqlite3_stmt *statement = run->format.statement;
    int code;

    if (sqlite3_column_count(statement) > 0)
        return step_rows(run);
    code = sqlite3_step(statement);
    return code == SQLITE_DONE ? OK : fail_by_code(run, at, code);
}

/* The statements in a piece of text. at: for errors, NULL when it is ours. */
static enum err run_piece(struct sql_run *run, const char *piece, size_t len,
                          const char *at)
{
    enum err err = OK;

    while (err == OK && len != 0) {
        struct sql *sql = *run->sql;
        sqlite3_stmt *statement = NULL;
        const char *tail = piece + len;
        int changes = sqlite3_total_changes(sql->db);
        int code;

        sql->denied = NULL;
        code = sqlite3_prepare_v2(sql->db, piece, (int)len, &statement, &tail);
        if (code != SQLITE_OK)
            return fail_by_code(run, at, code);
        if (statement != NULL) {
            run->format.statement = statement;
            err = step_all(run, at);
            run->result->statements++;
            run->result->changes += sqlite3_total_changes(sql->db) - changes;
        }
        (void)sqlite3_finalize(statement);
        if (tail == piece)
            break;
        if (at != NULL)
            at += tail - piece;
        len -= (size_t)(tail - piece);
        piece = tail;
    }
    return err;
}

enum err sql_need(struct sql_run *run)
{
    char message[SQL_MESSAGE_BYTES];
    enum err err;

    if (*run->sql != NULL)
        return OK;
    err = run->host->open(run->host->context, run->session, run->sql, message);
    if (err != OK)
        (void)!sql_fail(run, NULL, "%s", message);
    return err;
}

enum err sql_run_statement(struct sql_run *run, const char *text, bool plain)
{
    struct sql_session *session = run->session;
    enum sql_mode mode = session->mode;
    bool headers = session->headers;
    enum err err = sql_need(run);

    if (err != OK)
        return err;
    if (plain && session->shell) {
        session->mode = SQL_MODE_LIST;
        session->headers = false;
    }
    err = run_piece(run, text, strlen(text), NULL);
    session->mode = mode;
    session->headers = headers;
    return err;
}

static void put_timer(struct sql_run *run, uint64_t us)
{
    char text[48];

    if (!run->session->timer || !run->session->shell)
        return;
    (void)snprintf(text, sizeof text, "Run Time: real %llu.%06llu\n",
                   (unsigned long long)(us / 1000000),
                   (unsigned long long)(us % 1000000));
    sql_put_text(&run->writer, text);
}

static enum err run_statement_at(struct sql_run *run, const char *at,
                                 size_t len)
{
    uint64_t start = run->host->now_us();
    const char *zero = memchr(at, '\0', len);
    enum err err;

    /* SQLite would take it for the end of all. */
    if (zero != NULL)
        return sql_fail(run, zero, "there is a zero byte in the text");
    err = sql_need(run);
    if (err == OK)
        err = run_piece(run, at, len, at);
    if (err == OK)
        put_timer(run, run->host->now_us() - start);
    return err;
}

enum err sql_run_text(struct sql_run *run, const char *text, size_t len)
{
    const char *end = text + len;
    enum err err = OK;

    while (err == OK && !run->result->quit) {
        size_t bytes;

        text += sql_skip_blank(text, (size_t)(end - text));
        if (text == end)
            break;
        if (*text == '.') {
            const char *line_end = memchr(text, '\n', (size_t)(end - text));

            bytes = (size_t)((line_end ? line_end : end) - text);
            err = sql_dot(run, text, bytes);
        } else {
            bytes = sql_statement_end(text, (size_t)(end - text));
            if (bytes == 0)
                bytes = (size_t)(end - text);
            err = run_statement_at(run, text, bytes);
        }
        text += bytes;
    }
    return err;
}

enum err sql_script(struct sql **sql, struct sql_session *session,
                    const struct sql_host *host, const char *text, size_t len,
                    struct sql_result *result)
{
    struct sql_run *run = sqlite3_malloc(sizeof *run);
    uint64_t start = host->now_us();
    enum err err;

    memset(result, 0, sizeof *result);
    if (run == NULL) {
        (void)snprintf(result->message, sizeof result->message,
                       "out of memory");
        return ERR_MEMORY;
    }
    memset(run, 0, sizeof *run);
    if (*sql != NULL)
        (*sql)->stop = SQL_GOES_ON;
    run->sql = sql;
    run->session = session;
    run->host = host;
    run->result = result;
    run->writer.host = host;
    run->format.writer = &run->writer;
    run->format.session = session;
    run->text = text;
    err = sql_run_text(run, text, len);
    if (sql_put_out(&run->writer) != OK && err == OK)
        err = run->writer.err;
    result->time_us = host->now_us() - start;
    sqlite3_free(run);
    return err;
}
