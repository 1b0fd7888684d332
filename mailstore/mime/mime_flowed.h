/* Plain text as paragraphs with quote levels (RFC 3676), for showing.
 *
 * Of format=flowed, lines that end in a space are joined with the next one of
 * the same quote level, stuffed spaces are taken away. Of any other text each
 * line is a paragraph; there "> > " counts as two levels too. */
#ifndef MIME_MIME_FLOWED_H
#define MIME_MIME_FLOWED_H

#include "mailstore/mime/mime.h"

/* What comes out; calls are open, any number of text, close, and so on. */
struct mime_flowed_sink {
    void (*open)(void *context, unsigned quotes);
    void (*text)(void *context, const char *text, size_t len);
    void (*close)(void *context);
    void *context;
};

struct mime_flowed {
    const struct mime_flowed_sink *sink;
    bool flowed, del_sp;
    bool open;      /* a paragraph is */
    bool soft;      /* the line before ended in a space */
    uint8_t state;  /* within the line */
    uint8_t dashes; /* how much of "-- " the line is */
    uint16_t quotes, open_quotes;
    uint32_t spaces; /* at the end of what came, not yet given */
};

/* mime_flowed_begin - flowed, del_sp: as the part says. */
void mime_flowed_begin(struct mime_flowed *flow, bool flowed, bool del_sp,
                       const struct mime_flowed_sink *sink);

/* mime_flowed_write - more of the text: UTF-8 with LF, as mime_decode_read()
 * gives it. mime_flowed_end closes what is open. */
void mime_flowed_write(struct mime_flowed *flow, const char *text, size_t len);
void mime_flowed_end(struct mime_flowed *flow);

#endif
