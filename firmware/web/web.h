/* The webmail: pages for users, on the web server's page jobs (http/http.h).
 *
 * Pages are plain functions: they read with the connection that they are given
 * and change things by st_job_write(). All they do is done for the user who is
 * logged in; a folder, message, part or draft of another one is, by any
 * number, one that is not there. Every page works without scripts; the script
 * of assets/ makes it pleasant. The look is assets/webmail.css; neither pages
 * nor mail ever run a script or style that is not a file of the AO
 * (Content-Security-Policy). */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "core/err.h"
#include "mailstore/store_mailbox.h"

struct http_exchange;

#define WEB_PAGE_ROWS 50

/* web_init - takes the memory of pages and adds their routes. After
 * http_server_init(). Returns OK or ERR_MEMORY. */
enum err web_init(void) MUST_CHECK;

/* ---- Pages, by the file that has them ----------------------------------- */

/* web_list.c */
void web_inbox_page(struct http_exchange *x, struct store *store);
void web_folder(struct http_exchange *x, struct store *store,
                int64_t mailbox_id);
/* web_find.c; the last one: addresses for completion, as JSON. */
void web_search_page(struct http_exchange *x, struct store *store);
void web_thread_page(struct http_exchange *x, struct store *store);
void web_contacts_page(struct http_exchange *x, struct store *store);
/* web_act.c */
void web_act_page(struct http_exchange *x, struct store *store);
/* web_read.c */
void web_message(struct http_exchange *x, struct store *store,
                 const struct store_key *key);
/* web_part.c: rest is what stands behind the message in the path. */
void web_part(struct http_exchange *x, struct store *store,
              const struct store_key *key, const char *rest);
/* web_compose.c */
void web_compose_page(struct http_exchange *x, struct store *store);
/* web_send.c, web_draft.c */
void web_send_page(struct http_exchange *x, struct store *store);
void web_autosave_page(struct http_exchange *x, struct store *store);
/* web_settings.c, web_rules.c, web_folders.c */
void web_settings_page(struct http_exchange *x, struct store *store);
void web_rules_page(struct http_exchange *x, struct store *store);
void web_folders_page(struct http_exchange *x, struct store *store);

#endif
