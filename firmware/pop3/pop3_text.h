/* The text of a message on its way out: where dots are put in (RFC 1939 3), and
 * where TOP ends. Lines end with CRLF only.
 *
 * A plain value: a copy of it is a bookmark to which the caller can go back. */
#ifndef POP3_POP3_TEXT_H
#define POP3_POP3_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POP3_ALL_LINES UINT64_MAX

struct pop3_text {
    uint64_t lines;       /* of the body still to be sent */
    bool line_start;      /* the next byte begins a line */
    bool carriage_return; /* the last byte was CR */
    bool body;            /* the empty line went by */
    bool empty_line;      /* nothing of the current line but perhaps CR */
    bool dot_sent;        /* for the line that begins now */
    bool finished;        /* TOP has all its lines */
};

/* pop3_text_init - lines: of the body, or POP3_ALL_LINES. */
void pop3_text_init(struct pop3_text *text, uint64_t lines);

/* pop3_text_dot_due - whether a dot has to be sent before the next byte; the
 * caller sends it and sets dot_sent. */
static inline bool pop3_text_dot_due(const struct pop3_text *text, uint8_t next)
{
    return text->line_start && next == '.' && !text->dot_sent;
}

/* pop3_text_scan - goes through data until a dot is due, TOP has all its lines,
 * or the end. Not to be called when a dot is due.
 * Returns how many bytes can be sent as they are. */
size_t pop3_text_scan(struct pop3_text *text, const uint8_t *data, size_t len);

#endif
