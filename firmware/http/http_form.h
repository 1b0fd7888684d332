/* The content of forms: application/x-www-form-urlencoded and
 * multipart/form-data (RFC 7578), read piece by piece from a source. */
#ifndef HTTP_HTTP_FORM_H
#define HTTP_HTTP_FORM_H

#include "core/err.h"
#include "http/http.h"
#include <stddef.h>
#include <stdint.h>

/* A source shows at least so many bytes at once, where there are so many. */
#define HTTP_SOURCE_BYTES 8192

/* Where a body comes from; may wait. */
struct http_source {
    /* Shows what comes next: at least `want` bytes, or all up to the end.
     * Returns how many it shows, or a negative enum err. */
    int (*peek)(struct http_source *source, size_t want, const uint8_t **data);
    /* Goes on by so many of those bytes. */
    void (*take)(struct http_source *source, size_t bytes);
};

enum http_form_kind { FORM_NONE, FORM_URLENCODED, FORM_MULTIPART };

struct http_form {
    struct http_source *source;
    uint8_t kind;
    uint8_t state;
    uint8_t delimiter_bytes;
    uint16_t parts;
    char delimiter[76]; /* CRLF "--" boundary */
};

/* http_form_begin - type: the request's Content-Type, or NULL.
 * Returns OK; ERR_UNSUPPORTED (neither of the two); ERR_INVALID (boundary). */
enum err http_form_begin(struct http_form *form, struct http_source *source,
                         const char *type) MUST_CHECK;

/* http_form_next - the next field or file; passes over what is left of the one
 * before. Returns OK, ERR_NOT_FOUND (no more), ERR_INVALID, ERR_TOO_BIG (name
 * too long, too many of them), or the source's error. */
enum err http_form_next(struct http_form *form,
                        struct http_part *part) MUST_CHECK;

/* http_form_read - more of its content, decoded: how many bytes, 0 at its end,
 * or a negative enum err. */
int http_form_read(struct http_form *form, void *buffer,
                   size_t bytes) MUST_CHECK;

#endif
