/* The text of a message on its way in, between 354 and the final dot: finds the
 * end, takes stuffed dots out, notices bare CR and LF, counts Received headers
 * and the length of lines. Of a message in chunks (RFC 3030) the end is known
 * otherwise, and no dot means anything.
 *
 * Only CRLF.CRLF ends a message (RFC 5321 4.1.1.4), and nothing but CRLF ends a
 * line: what some servers take for an end and others do not lets a sender
 * smuggle a second message past one of them. A message with a bare CR or LF is
 * read to its true end and then refused.
 *
 * A plain value: a copy of it is a bookmark to which the caller can go back. */
#ifndef SMTP_SMTP_TEXT_H
#define SMTP_SMTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum smtp_text_state {
    SMTP_TEXT_START,  /* at the start of a line */
    SMTP_TEXT_LINE,   /* inside a line */
    SMTP_TEXT_CR,     /* behind a CR */
    SMTP_TEXT_DOT,    /* behind a dot at the start of a line */
    SMTP_TEXT_DOT_CR, /* behind such a dot and a CR */
    SMTP_TEXT_END,    /* behind CRLF.CRLF */
};

struct smtp_text {
    uint64_t bytes;   /* of the message so far, dots taken out */
    uint64_t header;  /* of them, up to the empty line and with it */
    uint32_t line;    /* bytes of the present line */
    uint32_t longest; /* of the lines so far, this one too, without CRLF */
    uint8_t state;
    bool chunked;
    bool bare;         /* a bare CR or LF was seen */
    bool body;         /* the empty line was seen */
    uint8_t column;    /* bytes of a header line seen, as far as it matters */
    uint8_t matched;   /* of them, how many begin "Received:" */
    uint16_t received; /* header lines that do */
};

void smtp_text_init(struct smtp_text *text, bool chunked);

/* smtp_text_scan - goes through data until the end of the message, or the next
 * place where bytes have to be left out, or the end of data.
 * data[*from .. *to) belongs to the message, in one piece.
 * Returns how many bytes were looked at, at least 1 if len > 0. */
size_t smtp_text_scan(struct smtp_text *text, const uint8_t *data, size_t len,
                      size_t *from, size_t *to);

#endif
