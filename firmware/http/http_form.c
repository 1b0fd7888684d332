/* Forms: see http_form.h.
 *
 * Multipart: the delimiter CRLF "--" boundary is looked for in what the source
 * shows; the last bytes shown, which may be the begin of one, are held back
 * until more is there. The very first delimiter has no CRLF before it. */
#include "http/http_form.h"
#include "core/bytes.h"
#include <stdbool.h>
#include <string.h>

#define BOUNDARY_MAX  70 /* RFC 2046 5.1.1 */
#define PARTS_MAX     1000
#define HEADERS_BYTES 4096 /* of one part */
/* The longest line of them: a file name of 255 characters has room. */
#define HEADER_LINE 860
/* Of a file name that is cut, the longest end that is kept. */
#define KIND_BYTES 20

enum form_state {
    FORM_FRESH,  /* nothing was read */
    FORM_PART,   /* within the content of a part */
    FORM_BEHIND, /* at the end of a part */
    FORM_OVER
};

/* ---- Beginning ------------------------------------------------------------
 */

static bool begins_with(const char *text, const char *word)
{
    for (; *word; text++, word++)
        if ((*text >= 'A' && *text <= 'Z' ? *text | 0x20 : *text) != *word)
            return false;
    return true;
}

/* The value of a parameter "; name=" in a header, quoted or not, into value.
 * Returns its length, -1: there is none; -2: it does not fit or is malformed.
 * In a quoted one a backslash stands for itself, as browsers have it, unless a
 * quote follows. */
static int parameter(const char *text, const char *name, char *value,
                     size_t bytes)
{
    size_t out = 0, name_len = strlen(name);
    bool quoted;

    while ((text = strchr(text, ';')) != NULL) {
        text += 1 + strspn(text + 1, " \t");
        if (!begins_with(text, name) || text[name_len] != '=') {
            /* A ';' inside quotes is none. */
            size_t part = strcspn(text, ";\"");

            if (text[part] == '"') {
                text = strchr(text + part + 1, '"');
                if (!text)
                    return -1;
            }
            continue;
        }
        text += name_len + 1;
        quoted = *text == '"';
        text += quoted;
        while (*text && (quoted ? *text != '"' : !strchr("; \t", *text))) {
            if (quoted && text[0] == '\\' && text[1] == '"')
                text++;
            if (out + 1 >= bytes)
                return -2;
            value[out++] = *text++;
        }
        value[out] = '\0';
        return quoted && *text != '"' ? -2 : (int)out;
    }
    return -1;
}

enum err http_form_begin(struct http_form *form, struct http_source *source,
                         const char *type)
{
    static const char urlencoded[] = "application/x-www-form-urlencoded";
    char boundary[BOUNDARY_MAX + 2];
    int len;

    memset(form, 0, sizeof(*form));
    form->source = source;
    if (!type)
        return ERR_UNSUPPORTED;
    if (begins_with(type, urlencoded) &&
        strchr("; ", type[sizeof(urlencoded) - 1]) != NULL) {
        form->kind = FORM_URLENCODED;
        return OK;
    }
    if (!begins_with(type, "multipart/form-data"))
        return ERR_UNSUPPORTED;
    len = parameter(type, "boundary", boundary, sizeof(boundary));
    if (len < 1 || len > BOUNDARY_MAX || boundary[len - 1] == ' ')
        return ERR_INVALID;
    form->kind = FORM_MULTIPART;
    form->delimiter_bytes = (uint8_t)(4 + len);
    memcpy(form->delimiter, "\r\n--", 4);
    memcpy(form->delimiter + 4, boundary, (size_t)len);
    return OK;
}

/* ---- urlencoded -----------------------------------------------------------
 */

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes up to one of two bytes, which is not taken. Returns how many bytes
 * were put out; less than `bytes` means that the end is reached. */
static int decode_until(struct http_form *form, uint8_t stop, char *out,
                        size_t bytes)
{
    size_t put = 0;

    while (put < bytes) {
        const uint8_t *data;
        int have = form->source->peek(form->source, 3, &data);
        size_t at = 0;

        if (have <= 0)
            return have < 0 ? have : (int)put;
        while (at < (size_t)have && put < bytes) {
            uint8_t c = data[at];
            int high, low;

            if (c == '&' || c == stop) {
                form->source->take(form->source, at);
                return (int)put;
            }
            if (c == '%') {
                if ((size_t)have - at < 3 && at > 0)
                    break; /* the rest of it is shown next */
                high = have - (int)at < 3 ? -1 : hex(data[at + 1]);
                low = have - (int)at < 3 ? -1 : hex(data[at + 2]);
                if (high < 0 || low < 0) {
                    /* What is good before it comes first. */
                    form->source->take(form->source, at);
                    return put > 0 ? (int)put : ERR_INVALID;
                }
                c = (uint8_t)(high << 4 | low);
                at += 2;
            } else if (c == '+') {
                c = ' ';
            }
            at++;
            out[put++] = (char)c;
        }
        form->source->take(form->source, at);
    }
    return (int)put;
}

/* Takes the next byte if it is that one. */
static int take_byte(struct http_form *form, uint8_t c)
{
    const uint8_t *data;
    int have = form->source->peek(form->source, 1, &data);

    if (have <= 0)
        return have;
    if (data[0] != c)
        return 0;
    form->source->take(form->source, 1);
    return 1;
}

static enum err next_field(struct http_form *form, struct http_part *part)
{
    const uint8_t *data;
    int have;

    for (;;) {
        have = take_byte(form, '&');
        if (have < 0)
            return (enum err)have;
        if (have == 0)
            break;
    }
    have = form->source->peek(form->source, 1, &data);
    if (have <= 0)
        return have < 0 ? (enum err)have : ERR_NOT_FOUND;
    have = decode_until(form, '=', part->name, sizeof(part->name));
    if (have < 0)
        return (enum err)have;
    if (have == (int)sizeof(part->name))
        return ERR_TOO_BIG;
    part->name[have] = '\0';
    if (memchr(part->name, '\0', (size_t)have))
        return ERR_INVALID;
    have = take_byte(form, '=');
    return have < 0 ? (enum err)have : OK;
}

/* ---- multipart ------------------------------------------------------------
 */

/* Where the delimiter begins in data, or how much of data surely is not part
 * of one. */
static size_t find_delimiter(const struct http_form *form, const uint8_t *data,
                             size_t len, bool *found)
{
    size_t size = form->delimiter_bytes;
    const uint8_t *at = data, *end = data + len;

    *found = false;
    while ((at = memchr(at, '\r', (size_t)(end - at))) != NULL) {
        size_t left = (size_t)(end - at);

        if (memcmp(at, form->delimiter, left < size ? left : size) == 0) {
            *found = left >= size;
            return (size_t)(at - data);
        }
        at++;
    }
    return len;
}

static int read_part(struct http_form *form, void *buffer, size_t bytes)
{
    const uint8_t *data;
    int have = form->source->peek(form->source,
                                  form->delimiter_bytes + (size_t)1, &data);
    bool found;
    size_t part;

    if (have < 0)
        return have;
    part = find_delimiter(form, data, (size_t)have, &found);
    if (part == 0) {
        /* A delimiter, or the body ends within a part. */
        if (!found)
            return ERR_INVALID;
        form->source->take(form->source, form->delimiter_bytes);
        form->state = FORM_BEHIND;
        return 0;
    }
    if (part > bytes)
        part = bytes;
    memcpy(buffer, data, part);
    form->source->take(form->source, part);
    return (int)part;
}

/* Copies a header's text, without control characters. */
static void copy_text(char *out, size_t bytes, const char *text, size_t len)
{
    size_t put = 0;

    for (size_t i = 0; i < len && put + 1 < bytes; i++)
        out[put++] = (uint8_t)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
    out[put] = '\0';
}

/* Old browsers sent the whole path. */
static void cut_path(char *file_name)
{
    char *base = file_name;

    for (char *at = file_name; *at; at++)
        if (*at == '/' || *at == '\\')
            base = at + 1;
    memmove(file_name, base, strlen(base) + 1);
}

/* %22, %0D and %0A are how browsers write quotes and line ends in a name. */
static void undo_escapes(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (memcmp(text, "%22", 3) == 0) {
            *out++ = '"';
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

/* What of a file name is kept: of a longer one its end, which says the kind,
 * and as many characters of its begin as have room. name is changed. */
static void take_file_name(struct http_part *part, char *name)
{
    size_t room = sizeof(part->file_name) - 1, len, kept, end;
    const char *dot;

    copy_text(name, strlen(name) + 1, name, strlen(name));
    undo_escapes(name);
    cut_path(name);
    len = kept = strlen(name);
    dot = strrchr(name, '.');
    end = dot != NULL && len - (size_t)(dot - name) <= KIND_BYTES
              ? len - (size_t)(dot - name)
              : 0;
    if (len > room)
        kept = bytes_whole(name, room - end);
    else
        end = 0;
    memcpy(part->file_name, name, kept);
    memcpy(part->file_name + kept, name + len - end, end);
    part->file_name[kept + end] = '\0';
}

/* value: of the header; a file name is put together in its place. */
static enum err take_disposition(struct http_part *part, char *value,
                                 bool *file)
{
    int len = parameter(value, "name", part->name, sizeof(part->name));

    if (!begins_with(value, "form-data") || len < 0)
        return len == -2 ? ERR_TOO_BIG : ERR_INVALID;
    undo_escapes(part->name);
    /* It stands further behind than it is put. */
    len = parameter(value, "filename", value, strlen(value) + 1);
    if (len == -2)
        return ERR_INVALID;
    *file = len >= 0;
    if (len > 0)
        take_file_name(part, value);
    return OK;
}

static enum err take_header(struct http_part *part, char *line, bool *named,
                            bool *file)
{
    char *value = strchr(line, ':');

    if (!value)
        return ERR_INVALID;
    *value++ = '\0';
    value += strspn(value, " \t");
    if (begins_with(line, "content-disposition")) {
        *named = true;
        return take_disposition(part, value, file);
    }
    if (begins_with(line, "content-type"))
        copy_text(part->type, sizeof(part->type), value, strlen(value));
    return OK;
}

/* The lines up to the empty one. */
static enum err take_headers(struct http_form *form, struct http_part *part)
{
    char line[HEADER_LINE];
    size_t total = 0;
    bool named = false, file = false;

    for (;;) {
        const uint8_t *data;
        int have = form->source->peek(form->source, sizeof(line), &data);
        const uint8_t *end;
        size_t len;
        enum err err;

        if (have < 0)
            return (enum err)have;
        /* However much of it is shown: no line is longer. */
        if (have > (int)sizeof(line))
            have = (int)sizeof(line);
        end = memchr(data, '\n', (size_t)have);
        len = end ? (size_t)(end - data) : 0;
        if (!end || len == 0 || data[len - 1] != '\r')
            return end || have < (int)sizeof(line) ? ERR_INVALID : ERR_TOO_BIG;
        total += len + 1;
        if (total > HEADERS_BYTES)
            return ERR_TOO_BIG;
        memcpy(line, data, len - 1);
        line[len - 1] = '\0';
        form->source->take(form->source, len + 1);
        if (len == 1)
            break;
        if (strlen(line) != len - 1)
            return ERR_INVALID;
        err = take_header(part, line, &named, &file);
        if (err)
            return err;
    }
    if (!named)
        return ERR_INVALID;
    /* A file that was not chosen has no name; it is a file all the same. */
    if (file && part->file_name[0] == '\0')
        memcpy(part->file_name, "unnamed", 8);
    return OK;
}

/* Behind a delimiter: "--" ends it all, else CRLF; spaces are forgiven. */
static enum err behind_delimiter(struct http_form *form)
{
    const uint8_t *data;
    int have, at = 0;

    have = form->source->peek(form->source, 64, &data);
    if (have < 0)
        return (enum err)have;
    if (have >= 2 && memcmp(data, "--", 2) == 0) {
        form->state = FORM_OVER;
        return ERR_NOT_FOUND;
    }
    while (at < have && at < 32 && (data[at] == ' ' || data[at] == '\t'))
        at++;
    if (have - at < 2 || data[at] != '\r' || data[at + 1] != '\n')
        return ERR_INVALID;
    form->source->take(form->source, (size_t)at + 2);
    return OK;
}

/* The first delimiter stands at the begin, or behind a preamble. */
static enum err first_delimiter(struct http_form *form)
{
    const uint8_t *data;
    size_t size = form->delimiter_bytes - (size_t)2;
    int have = form->source->peek(form->source, size, &data);

    if (have < 0)
        return (enum err)have;
    if ((size_t)have < size || memcmp(data, form->delimiter + 2, size) != 0)
        return ERR_INVALID;
    form->source->take(form->source, size);
    form->state = FORM_BEHIND;
    return OK;
}

static enum err next_part(struct http_form *form, struct http_part *part)
{
    enum err err = OK;

    if (form->state == FORM_FRESH)
        err = first_delimiter(form);
    if (!err)
        err = behind_delimiter(form);
    if (!err)
        err = take_headers(form, part);
    return err;
}

/* ---- Both -----------------------------------------------------------------
 */

static enum err pass_over(struct http_form *form)
{
    char rest[512];
    int got;

    do {
        got = http_form_read(form, rest, sizeof(rest));
    } while (got > 0);
    return (enum err)got;
}

enum err http_form_next(struct http_form *form, struct http_part *part)
{
    enum err err = OK;

    memset(part, 0, sizeof(*part));
    if (form->kind == FORM_NONE || form->state == FORM_OVER)
        return ERR_NOT_FOUND;
    if (form->state == FORM_PART)
        err = pass_over(form);
    if (!err && form->parts++ >= PARTS_MAX)
        err = ERR_TOO_BIG;
    if (!err)
        err = form->kind == FORM_MULTIPART ? next_part(form, part)
                                           : next_field(form, part);
    form->state = err ? FORM_OVER : FORM_PART;
    return err;
}

int http_form_read(struct http_form *form, void *buffer, size_t bytes)
{
    int got;

    if (form->state != FORM_PART || bytes == 0)
        return 0;
    if (form->kind == FORM_MULTIPART) {
        got = read_part(form, buffer, bytes);
    } else {
        got = decode_until(form, '&', buffer, bytes);
        if (got == 0)
            form->state = FORM_BEHIND;
    }
    if (got < 0)
        form->state = FORM_OVER;
    return got;
}
