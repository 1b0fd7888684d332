/* What all pages of the webmail have in common: the frame with menu, folders
 * and quota, notices, icons, and small formats. */
#ifndef WEB_WEB_PAGE_H
#define WEB_WEB_PAGE_H

#include "http/http.h"
#include "mailstore/store_mailbox.h"
#include "web/html.h"
#include <stdbool.h>
#include <stdint.h>

/* web_begin - answers 200 and writes everything before the page's own content:
 * head, menu, and what ?said= says. title: also the heading unless the page
 * writes its own (heading). current: the folder that is shown, 0: none. */
void web_begin(struct http_exchange *x, struct store *store, const char *title,
               int64_t current, bool heading);
void web_end(struct http_exchange *x);

/* web_begin_sheet - with that status, one more style sheet of the AO, and no
 * heading: for pages of administrators. */
void web_begin_sheet(struct http_exchange *x, struct store *store,
                     unsigned status, const char *title, const char *sheet);

/* web_begin_alone - the same without menu, for somebody who is not logged in.
 */
void web_begin_alone(struct http_exchange *x, unsigned status,
                     const char *title);

/* web_menu - the menu's content: compose, folders, other pages, quota. */
void web_menu(struct http_exchange *x, struct store *store, int64_t current);

/* web_error - a whole page of the frame with that status and a sentence that
 * says what to do; back: where the link under it leads. */
void web_error(struct http_exchange *x, struct store *store, unsigned status,
               const char *sentence, const char *back);
/* web_fail - the same for an error of the store. */
void web_fail(struct http_exchange *x, struct store *store, enum err err);

/* web_icon - one of assets/icons.svg. */
void web_icon(struct http_exchange *x, const char *name);
/* web_csrf - the hidden field that every form with POST needs. */
void web_csrf(struct http_exchange *x);
/* web_button - a button of a form that sends do=`value`. */
void web_button(struct http_exchange *x, const char *value, const char *icon,
                const char *label);
/* web_note - a line that tells how something went. */
void web_note(struct http_exchange *x, bool bad, const char *sentence);

/* web_time - a time, in UTC here and in the reader's zone by the script. full:
 * date and time, else whichever a list needs. */
void web_time(struct http_exchange *x, int64_t unix_ms, bool full);

/* web_size - "1.2 MB". text: WEB_SIZE_BYTES. Returns text. */
#define WEB_SIZE_BYTES 24
char *web_size(uint64_t bytes, char *text);

/* web_folder_icon - of a kind of folder. */
const char *web_folder_icon(enum store_folder_kind kind);
/* web_folder_options - <option>s for a <select> of folders, without `except`;
 * chosen: the one that is selected, 0: none. */
void web_folder_options(struct http_exchange *x, struct store *store,
                        int64_t except, int64_t chosen);

/* web_mover - where messages of a folder (0: of several) can be moved to.
 * web_junk_button - that they are junk, or are not. */
void web_mover(struct http_exchange *x, struct store *store,
               int64_t mailbox_id);
void web_junk_button(struct http_exchange *x, struct store *store,
                     int64_t mailbox_id);

/* web_key - reads "MAILBOX.UID", or with another separator; rest: what stands
 * behind it. Returns false when it is none. */
bool web_key(const char *text, char separator, struct store_key *key,
             const char **rest);

/* web_user_id - who is logged in. web_own_address - the user's name at the
 * server's first domain. text: USER_ADDRESS_BYTES. Returns text. */
int64_t web_user_id(const struct http_exchange *x);
char *web_own_address(const struct http_exchange *x, char *text);

#endif
