/* The head of a request (RFC 9112 sections 2, 3, 5, 6): collected, checked and
 * taken apart within one buffer. Knows nothing of connections.
 *
 * Strict where two servers could read a message in two ways: line ends are CRLF
 * only, no folded lines, no space before a colon, no second Host,
 * Content-Length or Transfer-Encoding, not both of the latter two. */
#ifndef HTTP_HTTP_HEAD_H
#define HTTP_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole head, and its request line. */
#define HTTP_HEAD_BYTES   8192
#define HTTP_TARGET_BYTES 4096

enum http_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_OPTIONS,
    METHOD_OTHER, /* known by name, allowed nowhere here */
    METHOD_UNKNOWN
};

/* Fields that the engine itself looks at, in the order of the table. */
enum http_field {
    FIELD_HOST,
    FIELD_RANGE,
    FIELD_COOKIE,
    FIELD_EXPECT,
    FIELD_ORIGIN,
    FIELD_IF_MATCH,
    FIELD_IF_RANGE,
    FIELD_CONNECTION,
    FIELD_CONTENT_TYPE,
    FIELD_CSRF_TOKEN,
    FIELD_IF_NONE_MATCH,
    FIELD_CONTENT_LENGTH,
    FIELD_FETCH_SITE,
    FIELD_ACCEPT_ENCODING,
    FIELD_MODIFIED_SINCE,
    FIELD_TRANSFER_ENCODING,
    FIELD_UNMODIFIED_SINCE,
    HTTP_FIELDS
};

enum http_framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED };

struct http_head {
    /* Out, once it is complete. Places are offsets into bytes, of texts with
     * NUL; 0: there is none. */
    uint8_t method;  /* enum http_method */
    uint8_t framing; /* of the body, enum http_framing */
    uint8_t minor;   /* HTTP/1.minor, 0 or 1 */
    bool keep_alive;
    bool expects_continue;
    uint16_t status; /* what is wrong with it; 0: nothing */
    uint64_t length; /* of the body, FRAMING_LENGTH */
    uint16_t path;   /* decoded; "*" for OPTIONS */
    uint16_t query;  /* as it came */
    uint16_t lines;  /* where the fields begin */
    uint16_t field[HTTP_FIELDS];

    /* http_head.c's own. */
    uint16_t used, line; /* bytes kept, begin of the last line */
    bool seen_connection_close, seen_connection_keep;
    char bytes[HTTP_HEAD_BYTES];
};

enum http_head_result {
    HEAD_MORE, /* not complete yet */
    HEAD_DONE,
    HEAD_BAD /* see status; the connection has to be closed */
};

/* http_head_init - for the next request. */
void http_head_init(struct http_head *head);

/* http_head_feed - adds what has arrived. *taken: bytes that belong to this
 * head. */
enum http_head_result http_head_feed(struct http_head *head,
                                     const uint8_t *data, size_t len,
                                     size_t *taken);

/* http_head_text - a place as text; NULL for place 0. */
static inline const char *http_head_text(const struct http_head *head,
                                         uint16_t place)
{
    return place ? head->bytes + place : NULL;
}

static inline const char *http_head_field(const struct http_head *head,
                                          enum http_field field)
{
    return http_head_text(head, head->field[field]);
}

/* http_head_find - any field by its name in small letters, or NULL. */
const char *http_head_find(const struct http_head *head, const char *name);

/* http_list_has - whether a list (RFC 9110 5.6.1) holds a token, caseless;
 * parameters behind ';' do not count, but q=0 does: as if it were not there. */
bool http_list_has(const char *list, const char *token);

/* http_percent_decode - in place, NUL-terminated. plus: '+' is a space.
 * Returns the new length, or -1: malformed, or a NUL in it. */
int http_percent_decode(char *text, size_t len, bool plus);

#endif
