/* The content of a part: transfer encoding undone, text as UTF-8.
 *
 *   source -> base64, quoted-printable, uuencode -> charset -> UTF-8
 *
 * Pulled by the reader in pieces of any size. Nothing fails but the source:
 * what is not of the encoding is skipped or left as it stands, what a charset
 * does not have becomes U+FFFD. */
#ifndef MIME_MIME_DECODE_H
#define MIME_MIME_DECODE_H

#include "mailstore/mime/charset.h"
#include "mailstore/mime/mime.h"

#define MIME_DECODE_WINDOW 1024

struct mime_decoder {
    struct mime_source source;
    uint32_t at, end;          /* what is left to be read of the message */
    struct charset_state text; /* of MIME_AS_TEXT */
    uint32_t bits;             /* base64, uuencode */
    uint8_t bit_count;
    uint8_t encoding;
    uint8_t state;
    bool as_text, cr, ended;
    uint16_t line_left;           /* uuencode: bytes of the line */
    uint16_t held;                /* quoted-printable: what may be dropped */
    size_t raw_at, raw_bytes;     /* of raw */
    size_t plain_at, plain_bytes; /* of plain */
    char spaces[64];
    uint8_t raw[MIME_DECODE_WINDOW];
    uint8_t plain[MIME_DECODE_WINDOW];
};

enum mime_decode_as {
    MIME_AS_BYTES, /* attachments: exactly what was sent */
    MIME_AS_TEXT,  /* UTF-8, lines end in LF, no NUL */
};

/* mime_decode_begin - source and part must stay until the end. HTML without a
 * charset in its header is looked through for one of its own. */
void mime_decode_begin(struct mime_decoder *decoder,
                       const struct mime_source *source,
                       const struct mime_part *part, enum mime_decode_as as);

/* mime_decode_read - the next bytes. Returns how many, 0 at the end, or an enum
 * err of the source. As text: room is at least 4, characters come whole. */
int mime_decode_read(struct mime_decoder *decoder, void *buffer, size_t room);

/* mime_decode_span - the same of bytes that stand in memory, in one call, for
 * short things. Returns how many bytes it gave; what has no room is left out.
 */
size_t mime_decode_span(enum mime_encoding encoding, const void *bytes,
                        size_t len, void *buffer, size_t room);

#endif
