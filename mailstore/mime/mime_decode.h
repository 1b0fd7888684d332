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
/* Spaces that quoted-printable may have to take back. */
#define MIME_DECODE_HELD 64

struct mime_decoder {
    const struct mime_source *source;
    uint32_t at, end;          /* what is left to be read of the message */
    struct charset_state text; /* of MIME_AS_TEXT */
    uint32_t bits;             /* of base64 and uuencode; a hex digit */
    uint8_t bit_count;
    uint8_t encoding;
    uint8_t state;
    bool as_text;
    bool sniff;                   /* HTML whose charset is to be looked for */
    bool cr, text_cr;             /* the last byte was one */
    bool ended;                   /* all of the body has been decoded */
    uint16_t line_left;           /* uuencode: bytes of the line */
    uint16_t held;                /* spaces; letters of "begin " */
    size_t plain_at, plain_bytes; /* what is left of plain */
    char spaces[MIME_DECODE_HELD];
    uint8_t raw[MIME_DECODE_WINDOW];
    uint8_t plain[MIME_DECODE_WINDOW + MIME_DECODE_HELD + 4];
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
 * err of the source. As text: room is at least 8, characters come whole. */
int mime_decode_read(struct mime_decoder *decoder, void *buffer, size_t room);

#endif
