/* The chunked coding of a request's body (RFC 9112 7.1), taken apart byte by
 * byte as it arrives. Extensions and trailer fields are passed over. */
#ifndef HTTP_HTTP_CHUNKED_H
#define HTTP_HTTP_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_chunked {
    uint64_t left;  /* of the chunk's data */
    uint16_t extra; /* bytes of extensions and trailer so far */
    uint8_t state;
};

enum http_chunked_result { CHUNKED_MORE, CHUNKED_DONE, CHUNKED_BAD };

void http_chunked_init(struct http_chunked *chunked);

/* http_chunked_feed - decodes into out, of `room` bytes. *taken: how much of
 * data was used; *got: how much was put out. CHUNKED_MORE with *taken < len:
 * there is no room. */
enum http_chunked_result http_chunked_feed(struct http_chunked *chunked,
                                           const uint8_t *data, size_t len,
                                           size_t *taken, uint8_t *out,
                                           size_t room, size_t *got);

#endif
