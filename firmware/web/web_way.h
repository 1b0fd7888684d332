/* The way to a message: from which list it was opened, so that there is a way
 * back to that very page, and on to the messages beside it.
 *
 *   /mail/7?f=unread&c=120:     a folder as it was filtered, and where
 *   /search?q=words&in=7&c=99:  what was looked for
 *
 * The same parameters stand behind the address of the message itself. */
#ifndef WEB_WEB_WAY_H
#define WEB_WEB_WAY_H

#include "mailstore/store_find.h"
#include "mailstore/store_mailbox.h"
#include <stdbool.h>

struct http_exchange;

#define WEB_WAY_BYTES 700

struct web_way {
    char query[WEB_WAY_BYTES]; /* "f=unread&c=120%3A", or "" */
    char list[WEB_WAY_BYTES];  /* path and query of the list */
};

/* web_way_read - of the request. mailbox_id: the folder that the list is of,
 * unless it was a search. Words that are too long to be passed on are not: then
 * the way is that of the folder. */
void web_way_read(struct http_exchange *x, int64_t mailbox_id,
                  struct web_way *way);

/* web_way_next - the message beside the one that is named, in the order of that
 * list. newer: the one before it. search: memory. Returns false when there is
 * none. message_id: the one's that is named. */
bool web_way_next(struct http_exchange *x, struct store *store,
                  struct store_search *search, const struct store_key *key,
                  int64_t message_id, bool newer, struct store_key *next);

#endif
