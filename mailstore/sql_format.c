/* The forms of enum sql_mode. What is no valid UTF-8 in a text becomes U+FFFD
 * where the form promises UTF-8 (JSON, HTML); BLOBs are shown as x'..' there,
 * and as they are elsewhere. */
#include "mailstore/sql_format.h"
#include "core/bytes.h"
#include "core/markup.h"
#include <stdio.h>
#include <string.h>

#define WAITING_ROWS 64
#define WIDTH_MAX    60

/* ---- Writing ------------------------------------------------------------ */

enum err sql_put_out(struct sql_writer *writer)
{
    const struct sql_host *host = writer->host;

    if (writer->err == OK && writer->len != 0)
        writer->err = host->write(host->context, writer->bytes, writer->len);
    writer->len = 0;
    return writer->err;
}

void sql_put(struct sql_writer *writer, const char *bytes, size_t len)
{
    while (len != 0 && writer->err == OK) {
        size_t part = sizeof writer->bytes - writer->len;

        if (part > len)
            part = len;
        memcpy(writer->bytes + writer->len, bytes, part);
        writer->len += part;
        bytes += part;
        len -= part;
        if (writer->len == sizeof writer->bytes)
            (void)!sql_put_out(writer);
    }
}

void sql_put_text(struct sql_writer *writer, const char *text)
{
    sql_put(writer, text, strlen(text));
}

/* Bytes of the UTF-8 character at `at`, 0 when there is none. */
static size_t utf8_bytes(const unsigned char *at, size_t len)
{
    size_t bytes = at[0] < 0x80   ? 1
                   : at[0] < 0xc2 ? 0
                   : at[0] < 0xe0 ? 2
                   : at[0] < 0xf0 ? 3
                   : at[0] < 0xf5 ? 4
                                  : 0;

    if (bytes > len)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return bytes;
}

/* Text with what `escape` says for single bytes instead of them. */
static void put_escaped(struct sql_writer *writer, const char *text, size_t len,
                        const char *(*escape)(unsigned char c, char *room))
{
    const unsigned char *at = (const unsigned char *)text;
    char room[8];

    while (len != 0) {
        size_t bytes = utf8_bytes(at, len);
        const char *instead = bytes == 1 ? escape(*at, room) : NULL;

        if (bytes == 0)
            sql_put_text(writer, "\xef\xbf\xbd");
        else if (instead != NULL)
            sql_put_text(writer, instead);
        else
            sql_put(writer, (const char *)at, bytes);
        bytes += bytes == 0;
        at += bytes;
        len -= bytes;
    }
}

static const char *escape_json(unsigned char c, char *room)
{
    if (c == '"')
        return "\\\"";
    if (c == '\\')
        return "\\\\";
    if (c == '\n')
        return "\\n";
    if (c >= 0x20 && c != 0x7f)
        return NULL;
    (void)snprintf(room, 8, "\\u%04x", c);
    return room;
}

static const char *escape_html(unsigned char c, char *room)
{
    const char *entity = markup_entity((char)c);

    (void)room;
    if (entity || c == '\n' || c == '\t')
        return entity;
    return c < 0x20 ? "\xef\xbf\xbd" : NULL;
}

static void put_hex(struct sql_writer *writer, const unsigned char *bytes,
                    size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};

        sql_put(writer, pair, sizeof pair);
    }
}

static void put_json_text(struct sql_writer *writer, const char *text,
                          size_t len)
{
    sql_put(writer, "\"", 1);
    put_escaped(writer, text, len, escape_json);
    sql_put(writer, "\"", 1);
}

/* ---- Values ------------------------------------------------------------- */

struct value {
    int type;
    const char *text; /* NULL only with NULL, or without memory */
    size_t len;
};

static struct value value_at(const struct sql_format *format, int column)
{
    sqlite3_stmt *statement = format->statement;
    struct value value = {.type = sqlite3_column_type(statement, column)};

    if (value.type == SQLITE_BLOB)
        value.text = sqlite3_column_blob(statement, column);
    else if (value.type != SQLITE_NULL)
        value.text = (const char *)sqlite3_column_text(statement, column);
    if (value.text != NULL)
        value.len = (size_t)sqlite3_column_bytes(statement, column);
    else if (value.type == SQLITE_NULL) {
        value.text = format->session->null;
        value.len = strlen(value.text);
    } else if (value.type != SQLITE_BLOB) {
        format->writer->err = ERR_MEMORY;
    }
    return value;
}

static const char *name_of(const struct sql_format *format, int column)
{
    const char *name = sqlite3_column_name(format->statement, column);

    return name == NULL ? "" : name;
}

static void put_json_value(const struct sql_format *format, int column)
{
    struct value value = value_at(format, column);

    if (value.type == SQLITE_NULL)
        sql_put_text(format->writer, "null");
    else if (value.type == SQLITE_TEXT)
        put_json_text(format->writer, value.text, value.len);
    else if (value.type == SQLITE_INTEGER)
        sql_put(format->writer, value.text, value.len);
    else if (value.type == SQLITE_FLOAT &&
             memchr(value.text, 'n', value.len) == NULL)
        sql_put(format->writer, value.text, value.len);
    else if (value.type == SQLITE_FLOAT) /* infinite */
        sql_put_text(format->writer, value.text[0] == '-' ? "-1e999" : "1e999");
    else {
        sql_put(format->writer, "\"", 1);
        put_hex(format->writer, (const unsigned char *)value.text, value.len);
        sql_put(format->writer, "\"", 1);
    }
}

/* ---- Columns ------------------------------------------------------------ */

/* Characters, as a terminal shows them. */
static unsigned width_of(const char *text)
{
    unsigned width = 0;

    for (; *text != '\0'; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

/* The last column is not filled up. Line ends would break the table. */
static void put_cell(struct sql_format *format, int column, const char *text)
{
    unsigned width = width_of(text);
    bool last = column == format->columns - 1;

    for (; *text != '\0'; text++)
        sql_put(format->writer, *text == '\n' || *text == '\r' ? " " : text, 1);
    for (; !last && width < format->widths[column]; width++)
        sql_put(format->writer, " ", 1);
    sql_put_text(format->writer, last ? "\n" : "  ");
}

static void widen(struct sql_format *format, int column, const char *text)
{
    unsigned width = width_of(text);

    if (width > WIDTH_MAX)
        width = WIDTH_MAX;
    if (width > format->widths[column])
        format->widths[column] = width;
}

static void put_names(struct sql_format *format)
{
    for (int i = 0; i < format->columns; i++)
        put_cell(format, i, name_of(format, i));
    for (int i = 0; i < format->columns; i++) {
        for (unsigned n = 0; n < format->widths[i]; n++)
            sql_put(format->writer, "-", 1);
        sql_put_text(format->writer, i == format->columns - 1 ? "\n" : "  ");
    }
}

static void put_waiting(struct sql_format *format)
{
    const char *at = format->waiting;

    if (at == NULL)
        return;
    if (format->session->headers && format->rows > 0)
        put_names(format);
    for (size_t row = 0; row < format->waiting_rows; row++) {
        for (int i = 0; i < format->columns; i++) {
            put_cell(format, i, at);
            at += strlen(at) + 1;
        }
    }
    sqlite3_free(format->waiting);
    format->waiting = NULL;
}

/* Keeps a row until the widths are known; false: it does not fit. */
static bool keep_row(struct sql_format *format)
{
    size_t len = format->waiting_len;

    if (format->waiting == NULL || format->waiting_rows == WAITING_ROWS)
        return false;
    for (int i = 0; i < format->columns; i++) {
        struct value value = value_at(format, i);
        size_t bytes = value.text == NULL ? 0 : strnlen(value.text, value.len);

        if (bytes + 1 > SQL_FORMAT_BYTES - len)
            return false;
        if (bytes != 0)
            memcpy(format->waiting + len, value.text, bytes);
        format->waiting[len + bytes] = '\0';
        widen(format, i, format->waiting + len);
        len += bytes + 1;
    }
    format->waiting_len = len;
    format->waiting_rows++;
    return true;
}

static void begin_columns(struct sql_format *format)
{
    for (int i = 0; i < format->columns; i++) {
        format->widths[i] = 0;
        if (format->session->headers)
            widen(format, i, name_of(format, i));
    }
    format->waiting = sqlite3_malloc(SQL_FORMAT_BYTES);
    if (format->waiting == NULL)
        format->writer->err = ERR_MEMORY;
}

static void row_columns(struct sql_format *format)
{
    if (keep_row(format))
        return;
    put_waiting(format);
    for (int i = 0; i < format->columns; i++) {
        struct value value = value_at(format, i);

        put_cell(format, i,
                 value.text == NULL || value.type == SQLITE_BLOB ? ""
                                                                 : value.text);
    }
}

/* ---- The others --------------------------------------------------------- */

static void put_csv(struct sql_writer *writer, const char *text, size_t len)
{
    bool quote = len != 0 && (text[0] == ' ' || text[len - 1] == ' ');

    for (size_t i = 0; i < len && !quote; i++)
        quote = strchr("\",\r\n", text[i]) != NULL;
    if (!quote) {
        sql_put(writer, text, len);
        return;
    }
    sql_put(writer, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            sql_put(writer, "\"", 1);
        sql_put(writer, text + i, 1);
    }
    sql_put(writer, "\"", 1);
}

static const char *separator_of(const struct sql_format *format)
{
    if (format->session->mode == SQL_MODE_CSV)
        return ",";
    return format->session->mode == SQL_MODE_TABS ? "\t"
                                                  : format->session->separator;
}

static void put_separated(struct sql_format *format, int column,
                          struct value value)
{
    struct sql_writer *writer = format->writer;
    bool csv = format->session->mode == SQL_MODE_CSV;

    if (csv && value.type == SQLITE_BLOB)
        put_hex(writer, (const unsigned char *)value.text, value.len);
    else if (csv)
        put_csv(writer, value.text, value.len);
    else if (value.len != 0)
        sql_put(writer, value.text, value.len);
    if (column < format->columns - 1)
        sql_put_text(writer, separator_of(format));
    else
        sql_put_text(writer, csv ? "\r\n" : "\n");
}

static void begin_separated(struct sql_format *format)
{
    for (int i = 0; format->session->headers && i < format->columns; i++) {
        const char *name = name_of(format, i);

        put_separated(format, i,
                      (struct value){SQLITE_TEXT, name, strlen(name)});
    }
}

static void row_separated(struct sql_format *format)
{
    for (int i = 0; i < format->columns; i++)
        put_separated(format, i, value_at(format, i));
}

static void row_lines(struct sql_format *format)
{
    if (format->rows > 1)
        sql_put(format->writer, "\n", 1);
    for (int i = 0; i < format->columns; i++) {
        struct value value = value_at(format, i);
        unsigned width = width_of(name_of(format, i));

        for (; width < format->widths[0]; width++)
            sql_put(format->writer, " ", 1);
        sql_put_text(format->writer, name_of(format, i));
        sql_put_text(format->writer, " = ");
        if (value.len != 0)
            sql_put(format->writer, value.text, value.len);
        sql_put(format->writer, "\n", 1);
    }
}

static void begin_lines(struct sql_format *format)
{
    format->widths[0] = 5;
    for (int i = 0; i < format->columns; i++)
        widen(format, 0, name_of(format, i));
}

static void row_json(struct sql_format *format)
{
    struct sql_writer *writer = format->writer;
    bool named = format->session->mode == SQL_MODE_JSON;

    sql_put_text(writer, format->rows > 1 ? ",\n" : "");
    sql_put_text(writer, named ? "{" : "[");
    for (int i = 0; i < format->columns; i++) {
        const char *name = name_of(format, i);

        if (i != 0)
            sql_put(writer, ",", 1);
        if (named) {
            put_json_text(writer, name, strlen(name));
            sql_put(writer, ":", 1);
        }
        put_json_value(format, i);
    }
    sql_put_text(writer, named ? "}" : "]");
}

static void begin_arrays(struct sql_format *format)
{
    sql_put_text(format->writer, "{\"columns\":[");
    for (int i = 0; i < format->columns; i++) {
        const char *name = name_of(format, i);

        if (i != 0)
            sql_put(format->writer, ",", 1);
        put_json_text(format->writer, name, strlen(name));
    }
    sql_put_text(format->writer, "],\n\"rows\":[");
}

static void begin_html(struct sql_format *format)
{
    sql_put_text(format->writer,
                 "<div class=\"scroll\"><table class=\"rows\"><thead><tr>");
    for (int i = 0; i < format->columns; i++) {
        const char *name = name_of(format, i);

        sql_put_text(format->writer, "<th scope=\"col\">");
        put_escaped(format->writer, name, strlen(name), escape_html);
        sql_put_text(format->writer, "</th>");
    }
    sql_put_text(format->writer, "</tr></thead><tbody>\n");
}

static void put_html_value(struct sql_format *format, struct value value)
{
    struct sql_writer *writer = format->writer;
    size_t cut = format->session->cut;
    size_t len = cut != 0 && value.len > cut ? cut : value.len;
    char rest[40];

    if (value.type == SQLITE_BLOB) {
        sql_put_text(writer, "x'");
        put_hex(writer, (const unsigned char *)value.text, len);
        sql_put_text(writer, "'");
    } else {
        if (len < value.len)
            len = bytes_whole(value.text, len);
        put_escaped(writer, value.text, len, escape_html);
    }
    if (len < value.len) {
        (void)snprintf(rest, sizeof rest, " ... (%zu bytes)", value.len);
        sql_put_text(writer, rest);
    }
}

static void row_html(struct sql_format *format)
{
    sql_put_text(format->writer, "<tr>");
    for (int i = 0; i < format->columns; i++) {
        struct value value = value_at(format, i);

        sql_put_text(format->writer, value.type == SQLITE_NULL
                                         ? "<td class=\"null\">"
                                     : value.type == SQLITE_INTEGER ||
                                             value.type == SQLITE_FLOAT
                                         ? "<td class=\"number\">"
                                         : "<td>");
        put_html_value(format, value);
        sql_put_text(format->writer, "</td>");
    }
    sql_put_text(format->writer, "</tr>\n");
}

/* ---- By mode ------------------------------------------------------------ */

void sql_format_begin(struct sql_format *format, bool first)
{
    static void (*const begin[SQL_MODES])(struct sql_format *) = {
        [SQL_MODE_COLUMN] = begin_columns, [SQL_MODE_LIST] = begin_separated,
        [SQL_MODE_CSV] = begin_separated,  [SQL_MODE_TABS] = begin_separated,
        [SQL_MODE_LINE] = begin_lines,     [SQL_MODE_HTML] = begin_html,
        [SQL_MODE_ARRAYS] = begin_arrays,
    };
    enum sql_mode mode = format->session->mode;

    format->rows = 0;
    format->waiting = NULL;
    format->waiting_len = format->waiting_rows = 0;
    format->columns = sqlite3_column_count(format->statement);
    if (!first && mode == SQL_MODE_ARRAYS)
        sql_put_text(format->writer, ",\n");
    if (mode == SQL_MODE_LINE || mode == SQL_MODE_COLUMN)
        memset(format->widths, 0, sizeof format->widths);
    if (begin[mode] != NULL)
        begin[mode](format);
}

void sql_format_row(struct sql_format *format)
{
    static void (*const row[SQL_MODES])(struct sql_format *) = {
        [SQL_MODE_COLUMN] = row_columns, [SQL_MODE_LIST] = row_separated,
        [SQL_MODE_CSV] = row_separated,  [SQL_MODE_TABS] = row_separated,
        [SQL_MODE_LINE] = row_lines,     [SQL_MODE_HTML] = row_html,
        [SQL_MODE_ARRAYS] = row_json,    [SQL_MODE_JSON] = row_json,
    };
    enum sql_mode mode = format->session->mode;

    format->rows++;
    if (mode == SQL_MODE_JSON && format->rows == 1)
        sql_put(format->writer, "[", 1);
    row[mode](format);
}

void sql_format_end(struct sql_format *format)
{
    enum sql_mode mode = format->session->mode;

    if (mode == SQL_MODE_COLUMN)
        put_waiting(format);
    else if (mode == SQL_MODE_JSON && format->rows > 0)
        sql_put_text(format->writer, "]\n");
    else if (mode == SQL_MODE_ARRAYS)
        sql_put_text(format->writer, "]}");
    else if (mode == SQL_MODE_HTML)
        sql_put_text(format->writer, "</tbody></table></div>\n");
}
