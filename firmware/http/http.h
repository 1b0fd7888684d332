/* The web server as pages see it (HTTP/1.1, RFC 9110 and 9112).
 *
 * A page is a plain function that is called for one request and writes one
 * answer. It runs as a page job (store/st_job.h): on a coroutine of its own,
 * with a read connection of its own, so that SQL, input and output may wait.
 * What it changes goes through st_job_write().
 *
 *     static void show(struct http_exchange *x, struct store *store)
 *     {
 *         http_begin(x, 200, HTTP_HTML);
 *         http_text(x, "<h1>Hello, ");
 *         http_escape(x, http_user(x)->name);
 *         http_text(x, "</h1>");
 *     }
 *     static const struct http_route routes[] = {
 *         {"/hello", HTTP_GET, HTTP_USER, show, 0},
 *     };
 *     http_add_routes(routes, 1);
 *
 * The engine has done before a page runs: syntax, limits, the login session and
 * its kind of access, for POST the CSRF token, and that the method is one of
 * the route's. It answers HEAD with GET's page, OPTIONS by itself. After the
 * page has returned it completes the answer; a page that has not begun one gets
 * 500. When the client has gone, output is thrown away and input ends: a page
 * need not look, though long ones may, by http_gone(). */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "core/err.h"
#include "mailstore/store.h"
#include "net/address.h"
#include "userdb/user.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_exchange; /* one request and its answer */

/* ---- Routes -------------------------------------------------------------- */

enum http_access {
    HTTP_PUBLIC,
    HTTP_USER, /* who is not logged in goes to /login, and comes back after */
    HTTP_ADMIN /* others get 403 */
};

#define HTTP_GET  0x1u /* with HEAD */
#define HTTP_POST 0x2u

struct http_route {
    const char *path; /* "/mail", or a prefix: "/mail/" with '*' at its end */
    unsigned methods; /* HTTP_GET | HTTP_POST */
    enum http_access access;
    void (*page)(struct http_exchange *x, struct store *store);
    /* Largest body of a POST; 0: HTTP_FORM_MAX. More is answered with 413. */
    uint64_t body_max;
};

#define HTTP_FORM_MAX ((uint64_t)1024 * 1024)

/* http_add_routes - once per table, at start; the table stays. An exact path
 * goes before a prefix, a longer prefix before a shorter one, and a table added
 * later before an earlier one. */
void http_add_routes(const struct http_route *routes, size_t count);

/* ---- The request --------------------------------------------------------- */

bool http_is_post(const struct http_exchange *x);

/* http_path - decoded ("/mail/7"), without query. http_path_rest - what the
 * route's '*' stands for ("7"); "" for an exact one. */
const char *http_path(const struct http_exchange *x);
const char *http_path_rest(const struct http_exchange *x);
/* http_path_number - that as a decimal number; false: it is none. */
bool http_path_number(const struct http_exchange *x, int64_t *number);

/* http_param - a field of the form (POST), else of the query, decoded, UTF-8
 * as it came, without NUL; the first of that name; NULL when there is none.
 * Valid while the page runs.
 * http_param_or - the same with another result for none.
 * http_typed - the same where the page shows a form again, since what was sent
 * by it could not be done; in every other page `otherwise`.
 * http_param_number - as a decimal number; `otherwise` when it is none.
 * http_param_next - all of one name: *place begins with 0; NULL at the end. */
const char *http_param(const struct http_exchange *x, const char *name);
const char *http_param_or(const struct http_exchange *x, const char *name,
                          const char *otherwise);
const char *http_typed(const struct http_exchange *x, const char *name,
                       const char *otherwise);
int64_t http_param_number(const struct http_exchange *x, const char *name,
                          int64_t otherwise);
const char *http_param_next(const struct http_exchange *x, const char *name,
                            size_t *place);

/* http_request_header - a field of the request by its name in small letters;
 * NULL when there is none. A list in several fields: the first of them. */
const char *http_request_header(const struct http_exchange *x,
                                const char *name);

void http_peer(const struct http_exchange *x, struct net_address *address);

struct http_user {
    int64_t id;
    char name[USER_NAME_BYTES];
    bool admin;
};

/* http_user - who is logged in; NULL: nobody (only under HTTP_PUBLIC).
 * http_csrf - the token that every form with POST must send back as field
 * "csrf", which comes before any file, or scripts as header X-CSRF-Token. */
const struct http_user *http_user(const struct http_exchange *x);
const char *http_csrf(const struct http_exchange *x);

/* http_login_renew - the user has changed his own password: his other logins
 * end, as with any change of it, but not this one. After the change. */
void http_login_renew(struct http_exchange *x);

/* http_job - the job that the page runs in, for st_job_wait(), st_job_wake().
 */
struct st_job;
struct st_job *http_job(struct http_exchange *x);

/* http_gone - whether the client has gone, or the stick, or the AO stops. */
bool http_gone(const struct http_exchange *x);

/* ---- Uploads ------------------------------------------------------------- */

/* Fields of a form that fit into HTTP_FIELDS_BYTES are there by http_param()
 * when the page begins, as far as they come before the first file or larger
 * field; those behind are, once http_part_next() has passed them. Files, and
 * fields that do not fit, are read piece by piece and never kept. */
#define HTTP_FIELDS_BYTES 16384

struct http_part {
    char name[65];
    char file_name[256]; /* without path; "" for a field */
    char type[96];       /* as given, "" when it was not */
};

/* http_part_next - goes to the next file, or field that did not fit, of a form;
 * what is left of the one before is passed over.
 * Returns OK, ERR_NOT_FOUND (no more), ERR_INVALID (malformed), ERR_TOO_BIG,
 * ERR_GONE (client). After an error answer with http_fail(). */
enum err http_part_next(struct http_exchange *x,
                        struct http_part *part) MUST_CHECK;

/* http_part_read - more bytes of it: how many, 0 at its end, or a negative
 * enum err. */
int http_part_read(struct http_exchange *x, void *buffer,
                   size_t bytes) MUST_CHECK;

/* ---- The answer ---------------------------------------------------------- */

#define HTTP_HTML "text/html; charset=utf-8"
#define HTTP_JSON "application/json"
#define HTTP_TEXT "text/plain; charset=utf-8"

/* http_begin - status and type of the content. Content-Length or chunks,
 * security headers and Cache-Control: no-store are the engine's.
 * http_header - one more field; replaces the engine's field of that name
 * (Content-Security-Policy, Cache-Control, Referrer-Policy). Before the first
 * byte of content. Characters that do not belong into a field become '_'. */
void http_begin(struct http_exchange *x, unsigned status, const char *type);
void http_header(struct http_exchange *x, const char *name, const char *value);

/* http_download - Content-Disposition (RFC 6266) with that file name in UTF-8:
 * "attachment", or "inline". After http_begin(). */
void http_download(struct http_exchange *x, const char *disposition,
                   const char *file_name);

/* http_write - content; waits for room. http_text - a string as it is.
 * http_escape - a string as text in HTML, also inside a quoted attribute.
 * http_escape_bytes - the same by length.
 * http_url - a string as part of a URL, percent-encoded.
 * http_printf - %d %u %lld %llu %zu %c %s as they are, numbers also with zeros
 * in front ("%02u"); %h: a string by http_escape(); %p: a string by http_url();
 * %%; nothing else of printf. */
void http_write(struct http_exchange *x, const void *data, size_t len);
void http_text(struct http_exchange *x, const char *text);
void http_escape(struct http_exchange *x, const char *text);
void http_escape_bytes(struct http_exchange *x, const char *text, size_t len);
void http_url(struct http_exchange *x, const char *text);
void http_printf(struct http_exchange *x, const char *format, ...);

/* http_redirect - 303 to a path of this server, which may have a query.
 * http_error - a page of the engine with that status and one sentence, in the
 * place of what was written; the connection breaks where some of that has gone
 * out, so that nobody takes it for the whole.
 * http_fail - the same for an enum err: 404, 403, 413, 400, 503, 507, 500. */
void http_redirect(struct http_exchange *x, const char *path);
void http_error(struct http_exchange *x, unsigned status, const char *sentence);
void http_fail(struct http_exchange *x, enum err err);

/* ---- Long answers -------------------------------------------------------- */

/* A page of up to about 256 KiB never waits for its client. A longer one, such
 * as a file, should not hold its worker for as long as the slowest client
 * needs: it writes a piece of at most some 10 KiB, and returns after
 * http_continue(); `more` is called as the page was, in a job of its own, when
 * there is room again. state is copied (HTTP_STATE_BYTES at most);
 * http_state() is that copy, which `more` may change and pass on.
 * Fields of a form are gone then, those of the query are not. */
#define HTTP_STATE_BYTES 1024

void http_continue(struct http_exchange *x,
                   void (*more)(struct http_exchange *x, struct store *store),
                   const void *state, size_t bytes);
void *http_state(struct http_exchange *x);

/* http_length - announces how long the content will be: with it, ranges
 * (RFC 9110 14) are answered and the client sees how far it is. Before the
 * first byte; after http_begin(x, 200, ...). etag: in quotes, or NULL.
 * modified_ms: Unix time, or 0. Evaluates If-None-Match, If-Modified-Since,
 * If-Range, Range.
 * Returns true when content is wanted: `first` and `bytes` say which part the
 * page is to write. false: everything is answered (304, 416, HEAD). */
bool http_length(struct http_exchange *x, uint64_t total, const char *etag,
                 int64_t modified_ms, uint64_t *first, uint64_t *bytes);

#endif
