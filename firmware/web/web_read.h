/* A message that is shown: what the files that write its page have in common.
 *
 *   web_read.c  the page: what can be done, header, conversation
 *   web_body.c  texts, frames, attachments, attached messages */
#ifndef WEB_WEB_READ_H
#define WEB_WEB_READ_H

#include "mailstore/store_mailbox.h"
#include <stdbool.h>
#include <stddef.h>

struct http_exchange;
struct web_work;

/* Of text in one page; what is behind it has a page of its own. */
#define WEB_SHOWN_BYTES ((size_t)256 * 1024)

struct web_reading {
    struct http_exchange *x;
    struct store *store;
    struct web_work *work; /* has the message open */
    const struct store_key *key;
    bool plain, remote;
    size_t shown;    /* bytes of text so far */
    unsigned frames; /* so far */
};

/* web_read_head - the header in work->header, as far as people look at it.
 * blind: with those that a message of the user's went to unseen. */
void web_read_head(struct web_reading *reading, bool blind);

/* web_read_body - all that is below it. Afterwards work->header is that of an
 * attached message, if there is any. */
void web_read_body(struct web_reading *reading);

#endif
