/* A dialogue of lines over a stream, as SMTP and POP3 hold it: command lines
 * in, replies out. Used by both; knows neither.
 *
 * Lines are handed over where they lie in the received span; only a line that
 * the span cuts in two is put together in the dialogue's own small buffer. The
 * same buffer takes the end of a reply for which the stream has no room: while
 * a reply waits no line is read, and a line that has been answered is done
 * with, so the two never meet. */
#ifndef PROTOCOL_DIALOGUE_H
#define PROTOCOL_DIALOGUE_H

#include "net/stream.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dialogue_result {
    DIALOGUE_MORE,     /* all was taken, and no line is complete */
    DIALOGUE_LINE,     /* here is one */
    DIALOGUE_TOO_LONG, /* one went by that was over the limit */
};

struct dialogue_line {
    const char *text; /* without its CRLF; not NUL-terminated */
    size_t len;
};

enum dialogue_content { DIALOGUE_EMPTY, DIALOGUE_PART, DIALOGUE_REPLY };

struct dialogue {
    struct stream *stream;
    char *buffer;
    uint16_t capacity; /* also the longest line, with CRLF */
    uint16_t used;
    uint16_t sent; /* of a waiting reply */
    uint8_t content;
    bool skipping;        /* inside a line that is too long */
    bool carriage_return; /* the last byte taken of a part was CR */
};

/* dialogue_init - buffer: memory of the session, at least as long as the
 * longest reply that can meet a stream without room. */
void dialogue_init(struct dialogue *dialogue, struct stream *stream,
                   char *buffer, size_t capacity);

/* dialogue_read - takes up to one line from data. Only CRLF ends a line; a bare
 * CR or LF is one of its bytes. The line is valid until the next call of any
 * dialogue function. Not to be called while a reply waits.
 * taken: how many bytes of data were used. */
enum dialogue_result dialogue_read(struct dialogue *dialogue,
                                   const uint8_t *data, size_t len,
                                   size_t *taken, struct dialogue_line *line);

/* dialogue_line_clean - whether a line holds no control character (NUL, TAB,
 * bare CR and bare LF among them). Bytes above 127 are allowed. */
bool dialogue_line_clean(const struct dialogue_line *line);

/* dialogue_word - cuts the first word off a line: *rest is what stands behind
 * it without spaces around it. */
struct dialogue_line dialogue_word(const struct dialogue_line *line,
                                   struct dialogue_line *rest);

/* dialogue_write - sends a reply; what the stream does not take waits in the
 * buffer. Not to be called while one waits. */
void dialogue_write(struct dialogue *dialogue, const void *bytes, size_t len);

/* dialogue_blocked - whether a reply waits for room in the stream. */
static inline bool dialogue_blocked(const struct dialogue *dialogue)
{
    return dialogue->content == DIALOGUE_REPLY;
}

/* dialogue_flush - to be called when the stream is writable again.
 * Returns true when nothing waits any more. */
bool dialogue_flush(struct dialogue *dialogue);

#endif
