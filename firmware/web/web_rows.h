/* Rows of a list of messages: folders, search, conversations. */
#ifndef WEB_WEB_ROWS_H
#define WEB_WEB_ROWS_H

#include "mailstore/store_mailbox.h"
#include <stddef.h>

struct http_exchange;

/* How a list's rows look. context of web_row(). */
struct web_rows {
    struct http_exchange *x;
    enum store_folder_kind kind; /* Sent and Drafts name who it is to */
    const char *query;           /* of web_way_read(): "" or NULL: none */
    const char *folders; /* each row names its own: web_rows_folders() */
    unsigned count;      /* out: rows that were written */
};

/* web_row - one row, as callback of the store's lists. */
enum err web_row(void *context, const struct store_row *row);

/* web_rows_folders - all folders but the Inbox, for a list of messages of
 * several: puts their names into text. Those for which it has no room are not
 * named. Returns text. */
const char *web_rows_folders(struct http_exchange *x, struct store *store,
                             char *text, size_t bytes);

/* web_rows_begin - the form around a list, with the buttons for what is
 * selected. here: path and query of this page, where to go after. mailbox: the
 * folder, 0: messages of several. web_rows_end closes it. */
void web_rows_begin(struct http_exchange *x, struct store *store,
                    const char *here, int64_t mailbox);
void web_rows_end(struct http_exchange *x);

#endif
