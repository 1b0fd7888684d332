/* Inside of the web server: what its files give each other. Not for other
 * rooms.
 *
 *   http_server.c   connections: what the stream calls, timeouts, ends
 *   http_exchange.c one request from its head to the end of its answer
 *   http_head.c     its head               http_chunked.c  chunks of its body
 *   http_body.c     its body as it comes   http_form.c     forms
 *   http_route.c    which page             http_job.c      pages as jobs
 *   http_answer.c   heads of answers       http_out.c      content going out
 *   http_print.c    text of pages          http_error.c    statuses, errors
 *   http_condition.c  conditions, ranges   http_asset.c    files of the AO
 *   http_session.c  who is logged in       http_login.c    its pages
 *   http_again.c    forms that come late
 *
 * Invariants: a session has at most one exchange; what comes behind its request
 * stays in the stream until it is answered. An exchange whose client has gone
 * has session NULL and lives on only while a job or a login works for it. */
#ifndef HTTP_HTTP_INTERNAL_H
#define HTTP_HTTP_INTERNAL_H

#include "account/account.h"
#include "core/bytes.h"
#include "core/task.h"
#include "core/timer.h"
#include "http/http.h"
#include "http/http_chunked.h"
#include "http/http_form.h"
#include "http/http_head.h"
#include "http/http_print.h"
#include "http/http_server.h"
#include "limits/limits.h"
#include "net/stream.h"
#include "protocol/text.h"
#include "store/st_job.h"

/* Of a body, what is kept at a time: a form of this size is there whole. */
#define HTTP_BODY_BYTES 16384
/* Head of an answer, and a short content behind it. */
#define HTTP_ANSWER_BYTES 2560
/* What pages say in heads: the longest Location; or a Content-Disposition with
 * the longest file name, three bytes for each of it, and beside it all that
 * http_length() and the page of a file say. A field that did not fit would be
 * missing. */
#define HTTP_EXTRA_BYTES    1152
#define HTTP_DOWNLOAD_BYTES (HTTP_EXTRA_BYTES - 320)
#define HTTP_BLOCK_BYTES    4096
/* Around a chunk's data: size in four digits and CRLF, CRLF. */
#define HTTP_CHUNK_HEAD 6
#define HTTP_CHUNK_TAIL 2
#define HTTP_BLOCK_DATA                                                        \
    (HTTP_BLOCK_BYTES - sizeof(void *) - 2 * sizeof(uint16_t) -                \
     HTTP_CHUNK_HEAD - HTTP_CHUNK_TAIL - 4)

/* A connection: a task of the pool "HTTP". */
struct http_session {
    struct task task;
    struct stream *stream; /* NULL: over */
    struct timer timer;
    struct net_address peer;
    struct limits_session limits;
    struct http_exchange *x; /* NULL: waits for a request */
    uint64_t since_ms;       /* of waiting, or of the request's first byte */
    uint64_t mark_ms, mark;  /* progress when it was looked at last */
    uint8_t empty;           /* bytes of empty lines before a request */
    bool ended;              /* the peer will send nothing more */
    bool receiving;          /* inside received() */
};

struct http_block {
    struct http_block *next;
    uint16_t begin, end;
    uint8_t bytes[HTTP_BLOCK_BYTES - sizeof(void *) - 2 * sizeof(uint16_t)];
};

enum http_state {
    X_HEAD,    /* the head is being collected */
    X_BODY,    /* a body is being collected; nobody works on it */
    X_PAGE,    /* a page job runs, or waits for a worker */
    X_PENDING, /* a page without job waits for its answer: a login */
    X_SENDING, /* all is written; the rest goes out */
    X_STATES
};

enum http_length {
    LENGTH_OPEN,    /* of the content: not known, nothing has gone out */
    LENGTH_KNOWN,   /* Content-Length was sent, or is to be */
    LENGTH_CHUNKED, /* chunks go out */
    LENGTH_CLOSE    /* HTTP/1.0: up to the end of the connection */
};

/* What a page needs while it runs; one for each job, one for MT. */
struct http_scratch {
    struct list link; /* of the free ones */
    struct http_source source;
    struct http_exchange *x;
    struct http_form form;
    struct http_part part;   /* the one being read, if it is to be given out */
    bool part_waits;         /* it was found, but not given out yet */
    size_t spill, spill_end; /* of it, what is in fields already */
    size_t query_end, fields_end;
    char fields[HTTP_FIELDS_BYTES]; /* name NUL value NUL ... */
};

/* One request: a task of the pool "HT" or "PT". */
struct http_exchange {
    struct task task;
    struct http_session *session;
    uint8_t state;
    bool close_after; /* the connection ends with this answer */
    bool head_only;   /* HEAD */
    bool again;       /* a form of somebody not logged in: it is given back */
    const struct http_route *route;
    uint16_t rest; /* of the path, in head.bytes */
    bool logged_in;
    struct http_user user;
    char csrf[33];

    /* The body. */
    uint8_t *body; /* HTTP_BODY_BYTES; NULL under HT */
    uint32_t body_begin, body_end;
    uint64_t body_left; /* with Content-Length */
    uint64_t body_seen; /* decoded bytes that came */
    struct http_chunked chunked;
    bool body_done;
    bool uploads;     /* holds one of the places for long uploads */
    struct list wait; /* for such a place */
    struct list slow; /* of those that a stranger has not sent whole yet */
    enum err body_error;
    struct account_login *account; /* NULL under HT */

    /* The job. */
    struct st_job job;
    struct http_scratch *scratch; /* while the page runs */
    void (*page)(struct http_exchange *x, struct store *store);
    bool job_runs; /* queued or running */
    bool started;  /* the page was called */
    bool continues;
    bool waits_room;

    /* The answer. */
    uint16_t status; /* 0: not begun */
    uint8_t length;  /* enum http_length */
    bool composed;   /* its head is in answer */
    bool has_csp, has_cache, has_referrer;
    bool failed; /* the content could not be written whole */
    char type[96];
    uint16_t extra_len, answer_len, answer_sent;
    uint64_t announced;   /* LENGTH_KNOWN */
    uint64_t written;     /* content so far */
    const uint8_t *fixed; /* content that lies in the AO */
    size_t fixed_left;
    struct http_block *first, *last; /* content that waits */
    unsigned blocks;
    uint64_t sent; /* bytes to the stream */

    /* Memory that nobody clears. */
    struct http_head head;
    char extra[HTTP_EXTRA_BYTES];
    char answer[HTTP_ANSWER_BYTES];
    uint8_t kept[HTTP_STATE_BYTES]; /* http_state() */
};

/* A task of "PT". */
struct http_post {
    struct http_exchange x;
    struct account_login account;
    uint8_t body[HTTP_BODY_BYTES];
};

/* ---- http_server.c ------------------------------------------------------ */

struct http_figures *http_count(void);
bool http_stopping(void);

/* http_session_done - its exchange is over; close: the connection too. */
void http_session_done(struct http_session *session, bool close);
/* http_session_abort - RST: an answer could not be sent to its end. */
void http_session_abort(struct http_session *session);

/* ---- http_exchange.c ---------------------------------------------------- */

enum err http_exchange_init(unsigned gets, unsigned posts) MUST_CHECK;

/* http_exchange_posts - how many tasks there are for POST. */
unsigned http_exchange_posts(void);

/* http_exchange_new - for a request that begins with this byte; NULL: all are
 * in use. */
struct http_exchange *http_exchange_new(struct http_session *session,
                                        uint8_t first);

/* http_exchange_take - what has come for it. Returns how many bytes were used;
 * 0: it waits for something else. The exchange may be over. */
size_t http_exchange_take(struct http_exchange *x, const uint8_t *data,
                          size_t len);

/* http_exchange_make_blocks - there is no memory for content: a stranger who
 * does not take his answer gives way. */
void http_exchange_make_blocks(void);

/* http_exchange_lost - the client has gone. */
void http_exchange_lost(struct http_exchange *x);

/* http_exchange_run - the body is there, or enough of it. */
void http_exchange_run(struct http_exchange *x);

/* http_exchange_finish - the page has written all it had. */
void http_exchange_finish(struct http_exchange *x);

/* http_exchange_refuse - answers with an error, from anywhere before the page
 * was called; closes the connection when more of the request may come. */
void http_exchange_refuse(struct http_exchange *x, unsigned status,
                          const char *sentence);

/* http_exchange_sent - all is with the stream. */
void http_exchange_sent(struct http_exchange *x);

/* ---- http_body.c -------------------------------------------------------- */

void http_body_begin(struct http_exchange *x);
size_t http_body_take(struct http_exchange *x, const uint8_t *data, size_t len);
/* http_body_source - makes the scratch's source show this body. */
void http_body_source(struct http_scratch *scratch);

/* ---- http_route.c ------------------------------------------------------- */

/* http_route_find - the route of a path that knows the method (HTTP_GET or
 * HTTP_POST), else any of that path, else NULL. *rest: where what the '*'
 * stands for begins in the path. */
const struct http_route *http_route_find(const char *path, unsigned method,
                                         size_t *rest);

/* ---- http_job.c --------------------------------------------------------- */

enum err http_job_init(void) MUST_CHECK;
/* http_job_start - the page as a job. http_job_direct - in MT, at once; its
 * body is there whole. http_job_again - likewise http_again_page(), with as
 * much of the body as is kept. http_job_room - content has gone out. */
void http_job_start(struct http_exchange *x);
void http_job_direct(struct http_exchange *x);
void http_job_again(struct http_exchange *x);
void http_job_room(struct http_exchange *x);
/* http_job_leave - the client has gone; true: nobody works for it. */
bool http_job_leave(struct http_exchange *x);
/* http_job_end_upload - the body is complete, or not wanted any more. */
void http_job_end_upload(struct http_exchange *x);

/* ---- http_answer.c ------------------------------------------------------ */

/* http_answer_compose - the head as it goes out; length as x->length says. */
void http_answer_compose(struct http_exchange *x);

/* http_answer_end - the last fields of a head: whether the connection stays, as
 * far as the version does not say it, and the empty line. */
void http_answer_end(const struct http_exchange *x, struct text *text);
/* http_answer_date - "Date: ..." with CRLF, made once a second. */
const char *http_answer_date(size_t *len);

/* ---- http_out.c --------------------------------------------------------- */

enum err http_out_init(unsigned blocks) MUST_CHECK;
/* http_out_flush - gives the stream what it takes. True: nothing is left. */
bool http_out_flush(struct http_exchange *x);
/* http_out_push - what is complete of it begins to go out. http_out_end - the
 * content is complete. */
void http_out_push(struct http_exchange *x);
void http_out_end(struct http_exchange *x);
/* http_out_drop - what waits is thrown away. */
void http_out_drop(struct http_exchange *x);
/* http_out_waits - whether there is something for the client to take. */
bool http_out_waits(const struct http_exchange *x);
unsigned http_out_free(void);
/* http_out_plenty - whether most of the blocks are free. */
bool http_out_plenty(void);

/* ---- http_error.c ------------------------------------------------------- */

const char *http_status_text(unsigned status);
/* http_error_page - the whole answer of an error into x->answer. */
void http_error_page(struct http_exchange *x, unsigned status,
                     const char *sentence);
/* http_error_log - counts an answer; writes errors into the log. */
void http_error_log(struct http_exchange *x);

/* ---- http_asset.c ------------------------------------------------------- */

/* http_asset_serve - answers if the path is one of them: true. For a method
 * that it does not know only the route is filled. */
bool http_asset_serve(struct http_exchange *x);

/* ---- http_condition.c --------------------------------------------------- */

enum http_condition {
    CONDITION_WHOLE,   /* 200 */
    CONDITION_PART,    /* 206 */
    CONDITION_SAME,    /* 304 */
    CONDITION_OUTSIDE, /* 416 */
    CONDITION_FAILED   /* 412 */
};

/* http_condition - RFC 9110 13.2.2, 14.2. etag in quotes or NULL; modified_ms
 * or 0; first, bytes: the part that is wanted. */
enum http_condition http_condition(const struct http_head *head, uint64_t total,
                                   const char *etag, int64_t modified_ms,
                                   uint64_t *first, uint64_t *bytes);

/* http_date_put - an IMF-fixdate (RFC 9110 5.6.7): 29 characters and NUL.
 * http_date_read - Unix seconds, -1: not one of the three forms. */
#define HTTP_DATE_BYTES 30
void http_date_put(int64_t unix_ms, char *text);
int64_t http_date_read(const char *text);

/* ---- http_session.c ----------------------------------------------------- */

struct http_login {
    uint64_t id[2]; /* of the cookie; zeros: free */
    int64_t user_id;
    uint64_t password_tag; /* of the hash that was right */
    uint64_t begun_ms, used_ms;
    char csrf_text[33];
};

enum err http_session_init(unsigned logins) MUST_CHECK;
/* http_session_find - whether the request's cookie is that of a login; then
 * fills user and csrf. */
bool http_session_find(struct http_exchange *x);
/* http_session_open - a new login; cookie: HTTP_COOKIE_BYTES, the value of
 * Set-Cookie. */
#define HTTP_COOKIE_BYTES 128
void http_session_open(int64_t user_id, char *cookie);
/* http_session_close - the login of the request's cookie is over. */
void http_session_close(struct http_exchange *x);
unsigned http_session_count(void);
/* http_csrf_right - whether the token is the login's. */
bool http_csrf_right(const struct http_exchange *x, const char *token);

/* How the engine's own pages begin; their title follows. */
#define HTTP_PAGE_HEAD                                                         \
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"                \
    "<meta name=\"viewport\" content=\"width=device-width\">"                  \
    "<link rel=\"stylesheet\" href=\"/assets/style.css\">"

/* ---- http_again.c ------------------------------------------------------- */

/* http_again_page - gives a form back that nothing is done with, x->scratch:
 * what has been read of it; err: what reading it gave, OK or ERR_NOT_FOUND, or
 * what kept it from being read on. */
void http_again_page(struct http_exchange *x, enum err err);

/* ---- http_login.c ------------------------------------------------------- */

/* http_login_route - the engine's own page of that path, or NULL. */
const struct http_route *http_login_route(const char *path);
/* http_login_page - runs it; its answer may come later: then state is
 * X_PENDING. http_login_cancel - the client has gone. */
void http_login_page(struct http_exchange *x);
void http_login_cancel(struct http_exchange *x);

#endif
