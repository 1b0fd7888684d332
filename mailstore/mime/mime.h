/* MIME: what a message consists of (RFC 2045-2049, 5322, 6532).
 *
 * A message is read through a callback, by offset, and never stands in memory
 * as a whole. Parsing is one pass over its lines and gives a flat array of
 * parts in the order of the message: the message itself first, then the parts
 * of a multipart and what is attached as message/rfc822, each behind the one
 * that holds it. Any bytes are a message: what is broken is read as well as can
 * be, and what is over a limit stays whole in the part that holds it.
 *
 * All memory is the caller's; strings of parts stand in the text memory of the
 * struct mime that they came with. Nothing is recursive.
 *
 * The other headers of this room:
 *   mime_header.h  fields decoded to UTF-8, addresses, dates, message ids
 *   mime_decode.h  the content of a part, decoded; plain text of any text part
 *   mime_flowed.h  format=flowed: paragraphs and quote levels
 *   mime_html.h    HTML made safe; HTML as plain text
 *   mime_make.h    making messages
 *   charset.h      charsets to UTF-8 */
#ifndef MIME_MIME_H
#define MIME_MIME_H

#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parts within parts; what lies deeper is not taken apart. */
#define MIME_DEPTH 24
/* Bytes of the message that are looked at in one piece. */
#define MIME_WINDOW 4096
/* Longest value of a Content- field that is looked at, unfolded. */
#define MIME_FIELD 2048
/* Longest boundary; RFC 2046 allows 70. */
#define MIME_BOUNDARY 256
/* No part. */
#define MIME_NONE UINT16_MAX

/* Where the bytes of a message come from. */
struct mime_source {
    /* Copies up to `bytes` bytes from `offset` on; fewer only at the message's
     * end. Returns how many, or an enum err. It may suspend a coroutine. */
    int (*read)(const struct mime_source *source, uint32_t offset, void *buffer,
                size_t bytes);
    void *context;
    const void *memory; /* of mime_source_memory() */
    uint32_t bytes;     /* of the message */
};

/* Where text goes to. What is not OK stops the one who writes and is what it
 * returns: a reader that has seen enough returns any enum err. */
struct mime_sink {
    enum err (*put)(void *context, const char *text, size_t len);
    void *context;
};

enum mime_encoding {
    MIME_7BIT, /* also 8bit, binary, and what is not known: as it stands */
    MIME_QUOTED_PRINTABLE,
    MIME_BASE64,
    MIME_UUENCODE,
};

enum mime_disposition {
    MIME_NOT_SAID,
    MIME_INLINE,
    MIME_ATTACHMENT, /* also any that is not known (RFC 2183 2.8) */
};

/* What a part is for whoever shows the message. */
enum mime_role {
    MIME_ROLE_HOLDER,   /* multipart: its parts follow */
    MIME_ROLE_TEXT,     /* text to be shown */
    MIME_ROLE_HTML,     /* HTML to be shown */
    MIME_ROLE_RELATED,  /* a picture in HTML, by its content id */
    MIME_ROLE_ATTACHED, /* offered as a file; also message/rfc822 */
};

struct mime_part {
    const char *type;              /* "text/plain", lower case; never NULL */
    const char *charset;           /* lower case; "" when not said */
    const char *name;              /* file name, UTF-8, no folders; "" */
    const char *content_id;        /* without < >; "" */
    uint32_t header, header_bytes; /* with the empty line behind it */
    uint32_t body, body_bytes;     /* as it was transferred */
    uint16_t parent;               /* index, MIME_NONE: the message itself */
    uint16_t within;               /* the message/rfc822 around it, or NONE */
    uint16_t children;             /* a multipart without any is plain text */
    uint8_t depth;                 /* 0: the message itself */
    uint8_t encoding;              /* enum mime_encoding */
    uint8_t disposition;           /* enum mime_disposition */
    uint8_t role;                  /* enum mime_role */
    bool flowed, del_sp;           /* text/plain: RFC 3676 */
};

/* The parser's own: a part that holds others and is not yet at its end. */
struct mime_level {
    const char *boundary; /* in the text memory; NULL: message/rfc822 */
    uint16_t part;
    uint16_t boundary_bytes;
    bool guess;  /* the boundary was not said: the first line with -- is it */
    bool digest; /* its parts are messages unless they say otherwise */
};

struct mime {
    /* To be set by the caller. */
    struct mime_part *parts;
    unsigned part_room; /* at least 1, at most MIME_NONE */
    char *text;         /* for the strings of the parts */
    size_t text_room;   /* 64 bytes and more a part are good */

    /* What comes out. */
    unsigned part_count; /* at least 1 */
    bool cut;            /* there was more than there was room for */

    /* The parser's own. */
    struct mime_source source;
    size_t text_used;
    uint32_t window_at; /* offset of window[0] in the message */
    uint32_t window_bytes;
    uint32_t line, line_bytes; /* the current line: offset, with its end */
    uint32_t line_end;         /* of it, how many bytes end it: 0 to 2 */
    uint32_t previous_end;     /* the same of the line before it */
    bool line_goes_on;         /* the next piece is of the same line */
    bool line_continues;       /* this piece is not the line's beginning */
    bool in_header;
    uint16_t current; /* part whose header or body is read; NONE: between */
    uint8_t field_kind;
    uint8_t fields_seen;  /* bits of kinds */
    const char *boundary; /* of a multipart whose header is read */
    size_t boundary_bytes;
    unsigned level_count;
    size_t field_bytes;
    struct mime_level levels[MIME_DEPTH];
    char field[MIME_FIELD];
    char scratch[MIME_FIELD];
    char window[MIME_WINDOW];
};

/* mime_source_memory - a message that stands in memory. */
void mime_source_memory(struct mime_source *source, const void *message,
                        uint32_t bytes);

/* mime_parse - takes a message apart. mime: parts and text memory are set.
 * Returns OK whatever the message is, or the error that source->read gave; then
 * the parts that were found so far are there. */
enum err mime_parse(struct mime *mime,
                    const struct mime_source *source) MUST_CHECK;

/* mime_is - whether a part is of this type ("text/html"), or with "text/" of
 * this kind. */
bool mime_is(const struct mime_part *part, const char *type);

/* mime_shown - whether part number `index` is to be shown as the text of the
 * message: of a multipart/alternative only the version that is wanted, HTML or
 * plain, or the one that there is. Parts within a message/rfc822 are shown with
 * within being that part, those of the message itself with MIME_NONE. */
bool mime_shown(const struct mime *mime, unsigned index, uint16_t within,
                bool html);

/* mime_attached - whether part number `index` is to be offered as a file in
 * the message that is `within` (see mime_shown). */
bool mime_attached(const struct mime *mime, unsigned index, uint16_t within);

/* mime_is_picture - whether browsers show files of its type, and they can hold
 * nothing but a picture. */
bool mime_is_picture(const struct mime_part *part);

/* mime_by_content_id - the part with this content id (len bytes, as in a cid:
 * URL after percent decoding), or NULL. */
const struct mime_part *mime_by_content_id(const struct mime *mime,
                                           const char *id, size_t len);

#endif
