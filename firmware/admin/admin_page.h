/* What the administrator's pages have in common: the frame, tables, notices,
 * and waiting for what MT does. */
#ifndef ADMIN_ADMIN_PAGE_H
#define ADMIN_ADMIN_PAGE_H

#include "http/http.h"
#include "store/st_job.h"
#include <stdbool.h>
#include <stdint.h>

/* Pages, by file. */
void admin_sql_page(struct http_exchange *x, struct store *store);
void admin_sql_stop_page(struct http_exchange *x, struct store *store);
void admin_home_page(struct http_exchange *x, struct store *store);
void admin_users_page(struct http_exchange *x, struct store *store);
void admin_user_page(struct http_exchange *x, struct store *store);
void admin_domains_page(struct http_exchange *x, struct store *store);
void admin_queue_page(struct http_exchange *x, struct store *store);
void admin_log_page(struct http_exchange *x, struct store *store);
void admin_settings_page(struct http_exchange *x, struct store *store);
void admin_first_page(struct http_exchange *x, struct store *store);
void admin_metrics_page(struct http_exchange *x, struct store *store);

/* admin_begin - answers with that status and writes all before the page's own
 * content, the title as its heading included; what ?said= stands for, too.
 * admin_end - and all behind it. */
void admin_begin(struct http_exchange *x, struct store *store, unsigned status,
                 const char *title);
void admin_end(struct http_exchange *x);

/* admin_note - a line about how something went. */
void admin_note(struct http_exchange *x, bool bad, const char *sentence);

/* admin_form - the begin of a form with POST; admin_form_end - its end. */
void admin_form(struct http_exchange *x, const char *action);
void admin_form_end(struct http_exchange *x);

/* admin_table - begins a table with a caption and headings, "Name|Bytes|...":
 * those with '#' in front are numbers. admin_table_end - ends it. */
void admin_table(struct http_exchange *x, const char *caption,
                 const char *headings);
void admin_table_end(struct http_exchange *x);

/* admin_row - a row of a table of two: what, and printf of http_printf(). */
void admin_row(struct http_exchange *x, const char *what, const char *value);
void admin_row_number(struct http_exchange *x, const char *what,
                      uint64_t value);

/* admin_time - date and time of day, UTC. admin_bytes - "12.3 MB". */
void admin_time(struct http_exchange *x, int64_t unix_ms);
void admin_bytes(struct http_exchange *x, uint64_t bytes);

/* admin_said - goes on to a page, which says how it went: an enum err's text,
 * or "saved". admin_say - says it in the page that is written. */
void admin_said(struct http_exchange *x, const char *path, enum err err);
void admin_say(struct http_exchange *x, enum err err);

/* admin_host_own - whether the request names this machine by an address, its
 * host name, its name in multicast DNS, or as localhost. What is given for the
 * peer's address alone must ask: else pages of other sites, whose names lead
 * here, read it in browsers of this network. */
bool admin_host_own(const struct http_exchange *x);

/* ---- Waiting for MT -------------------------------------------------------
 */

/* Something that MT does for a page: its done() calls admin_done(). */
struct admin_wait {
    struct st_job *job;
    bool done;
};

void admin_wait_begin(struct admin_wait *wait);
void admin_done(struct admin_wait *wait);
/* admin_wait_end - until it is done, also when the client has gone. */
void admin_wait_end(struct admin_wait *wait);

/* admin_put_setting - durable when it returns; the server knows it then. */
enum err admin_put_setting(const char *key, const char *value) MUST_CHECK;

#endif
