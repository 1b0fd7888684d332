/* One script that runs, for sql_script.c and sql_dot.c. */
#ifndef MAILSTORE_SQL_DOT_H
#define MAILSTORE_SQL_DOT_H

#include "mailstore/sql_format.h"

struct sql_run {
    struct sql **sql;
    struct sql_session *session;
    const struct sql_host *host;
    struct sql_result *result;
    struct sql_writer writer;
    struct sql_format format;
    bool had_rows;    /* a statement has */
    unsigned depth;   /* of .read */
    const char *text; /* the whole of it, for places of errors */
    const char *file; /* NULL: the text that was given */
};

/* sql_run_text - statements and commands, one after the other. */
enum err sql_run_text(struct sql_run *run, const char *text,
                      size_t len) MUST_CHECK;

/* sql_run_statement - one statement of ours, e.g. for .tables; plain: as bare
 * lines where a person reads them. */
enum err sql_run_statement(struct sql_run *run, const char *sql,
                           bool plain) MUST_CHECK;

/* sql_need - opens the database when it is not. */
enum err sql_need(struct sql_run *run) MUST_CHECK;

/* sql_fail - notes what is wrong, and where: `at` in run->text, NULL: nowhere.
 * Returns ERR_INVALID. */
enum err sql_fail(struct sql_run *run, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4))) MUST_CHECK;

/* sql_dot - a line that begins with a dot, without its end. */
enum err sql_dot(struct sql_run *run, const char *line, size_t len) MUST_CHECK;

#endif
