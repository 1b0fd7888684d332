/* Fields of a header in memory, message ids, and what a subject is about. */
#include "mailstore/mime/mime_internal.h"
#include <string.h>

/* The line at text, with its end. */
static size_t line_bytes(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);

    return end != NULL ? (size_t)(end - text) + 1 : len;
}

/* A field with its folded lines: how many bytes. */
static size_t field_bytes(const char *text, size_t len)
{
    size_t bytes = line_bytes(text, len);

    while (bytes < len && (text[bytes] == ' ' || text[bytes] == '\t'))
        bytes += line_bytes(text + bytes, len - bytes);
    return bytes;
}

/* Where the name ends: 0 when the line begins no field. */
static size_t name_bytes(const char *text, size_t len)
{
    size_t name = 0;

    while (name < len && text[name] > ' ' && text[name] < 0x7f &&
           text[name] != ':')
        name++;
    return name;
}

bool mime_field_next(struct mime_span *rest, struct mime_span *name,
                     struct mime_span *value)
{
    while (rest->len > 0) {
        const char *text = rest->text;
        size_t bytes = field_bytes(text, rest->len), colon;

        rest->text += bytes;
        rest->len -= bytes;
        *name = (struct mime_span){text, name_bytes(text, bytes)};
        colon = name->len;
        while (colon < bytes && (text[colon] == ' ' || text[colon] == '\t'))
            colon++;
        if (name->len > 0 && colon < bytes && text[colon] == ':') {
            *value = mime_trim(
                (struct mime_span){text + colon + 1, bytes - colon - 1});
            return true;
        }
        /* The line of a mailbox file is no field and does not end a header. */
        if (bytes < 6 ||
            (memcmp(text, "From ", 5) != 0 && memcmp(text, ">From", 5) != 0))
            rest->len = 0;
    }
    return false;
}

bool mime_field(const void *header, size_t len, const char *name,
                struct mime_span *value)
{
    struct mime_span rest = {header, len}, found;

    while (mime_field_next(&rest, &found, value)) {
        if (mime_same(found.text, found.len, name))
            return true;
    }
    *value = (struct mime_span){"", 0};
    return false;
}

size_t mime_field_text(const void *header, size_t len, const char *name,
                       char *text, size_t room)
{
    struct mime_span value;

    (void)mime_field(header, len, name, &value);
    return mime_text(value, text, room);
}

/* ---- Message ids --------------------------------------------------------- */

bool mime_id_next(struct mime_span *rest, struct mime_span *id)
{
    while (rest->len > 0) {
        const char *open = memchr(rest->text, '<', rest->len), *close;
        const char *end = rest->text + rest->len;

        close = open != NULL ? memchr(open, '>', (size_t)(end - open)) : NULL;
        if (close == NULL)
            break;
        rest->text = close + 1;
        rest->len = (size_t)(end - close - 1);
        /* Of "<a <b@c>" the last is meant. */
        for (const char *at = open; at < close; at++) {
            if (*at == '<')
                open = at;
        }
        *id =
            mime_trim((struct mime_span){open + 1, (size_t)(close - open - 1)});
        if (id->len > 0)
            return true;
    }
    rest->len = 0;
    return false;
}

/* ---- Subjects ------------------------------------------------------------ */

/* What answers and forwarded messages begin with, in some languages. */
static const char *const prefixes[] = {
    "re",   "fw", "fwd", "aw",  "wg",           "sv",           "vs",
    "antw", "tr", "rif", "ref", "res",          "enc",          "odp",
    "ynt",  "vb", "vl",  "rv",  "\u7b54\u590d", "\u56de\u590d", "\u8f6c\u53d1",
};

/* "Re:", "Re[2]:", "Re (2):" at text; returns its bytes or 0. */
static size_t prefix_bytes(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t at = strlen(prefixes[i]);

        if (at >= len || !mime_same(text, at, prefixes[i]))
            continue;
        while (at < len && text[at] == ' ')
            at++;
        if (at < len && (text[at] == '[' || text[at] == '(')) {
            size_t digit = at + 1;

            while (digit < len && mime_is_digit(text[digit]))
                digit++;
            if (digit == at + 1 || digit >= len ||
                text[digit] != (text[at] == '[' ? ']' : ')'))
                continue;
            at = digit + 1;
        }
        if (at < len && text[at] == ':')
            return at + 1;
        if (at + 3 <= len && memcmp(text + at, "\uff1a", 3) == 0)
            return at + 3;
    }
    return 0;
}

/* "[list]" at text, when something stands behind it; its bytes or 0. */
static size_t tag_bytes(const char *text, size_t len)
{
    const char *close;
    size_t bytes;

    if (len == 0 || text[0] != '[')
        return 0;
    close = memchr(text, ']', len);
    if (close == NULL)
        return 0;
    bytes = (size_t)(close + 1 - text);
    return mime_trim((struct mime_span){close + 1, len - bytes}).len > 0 ? bytes
                                                                         : 0;
}

struct mime_span mime_subject_base(const char *subject)
{
    struct mime_span base =
        mime_trim((struct mime_span){subject, strlen(subject)});
    size_t gone;

    do {
        gone = prefix_bytes(base.text, base.len);
        if (gone == 0)
            gone = tag_bytes(base.text, base.len);
        base = mime_trim((struct mime_span){base.text + gone, base.len - gone});
    } while (gone > 0);
    return base;
}
