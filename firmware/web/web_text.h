/* Plain text of a message as HTML: paragraphs with their quote levels, long
 * quotes folded, links and addresses made clickable.
 *
 *   UTF-8 in pieces -> mime_flowed -> paragraphs -> words -> HTML
 *
 * Nothing of the text is ever written but escaped. A word longer than
 * WEB_WORD_BYTES is no link. */
#ifndef WEB_WEB_TEXT_H
#define WEB_WEB_TEXT_H

#include "mailstore/mime/mime_flowed.h"

struct http_exchange;

#define WEB_WORD_BYTES 2048
/* A quote of more lines, or that takes more than this, is folded. */
#define WEB_FOLD_LINES 8
#define WEB_FOLD_BYTES 3072

struct web_text {
    struct http_exchange *x;
    struct mime_flowed flow;
    struct mime_flowed_sink sink;
    unsigned quotes;   /* open <blockquote>s */
    bool paragraph;    /* <p> is open */
    bool holding;      /* a quote that may have to be folded is held back */
    bool folded;       /* <details> is open */
    unsigned lines;    /* of the quote that is held back */
    size_t held_bytes; /* of held */
    size_t word_bytes; /* of word */
    char word[WEB_WORD_BYTES];
    char held[WEB_FOLD_BYTES];
};

/* web_text_begin, _write, _end - flowed, del_sp: as the part says; text: UTF-8
 * with LF. */
void web_text_begin(struct web_text *text, struct http_exchange *x, bool flowed,
                    bool del_sp);
void web_text_write(struct web_text *text, const char *bytes, size_t len);
void web_text_end(struct web_text *text);

#endif
