/* Rows as text, in the forms of enum sql_mode. */
#ifndef MAILSTORE_SQL_FORMAT_H
#define MAILSTORE_SQL_FORMAT_H

#include "mailstore/sql_script.h"
#include <sqlite3.h>

/* Column widths are those of so many first rows, kept until then. */
#define SQL_FORMAT_BYTES 8192

/* What is written, gathered into longer pieces. */
struct sql_writer {
    const struct sql_host *host;
    enum err err; /* once it failed */
    size_t len;
    char bytes[1024];
};

void sql_put(struct sql_writer *writer, const char *bytes, size_t len);
void sql_put_text(struct sql_writer *writer, const char *text);
enum err sql_put_out(struct sql_writer *writer) MUST_CHECK;

/* One statement's rows. */
struct sql_format {
    struct sql_writer *writer;
    const struct sql_session *session;
    sqlite3_stmt *statement;
    int columns;
    uint64_t rows;
    /* SQL_MODE_COLUMN: rows that wait, each value with a zero behind it. */
    unsigned widths[200];
    char *waiting;
    size_t waiting_len, waiting_rows;
};

/* sql_format_begin, sql_format_row, sql_format_end - before the first row, for
 * each (which sqlite3_step() has just fetched), behind the last. first: no
 * statement before it has had rows. */
void sql_format_begin(struct sql_format *format, bool first);
void sql_format_row(struct sql_format *format);
void sql_format_end(struct sql_format *format);

#endif
