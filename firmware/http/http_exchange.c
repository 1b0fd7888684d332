/* One request, from its first byte to the end of its answer.
 *
 *   X_HEAD --> static file --------------------------> X_SENDING
 *          \-> X_BODY (POST) --> X_PAGE or X_PENDING --^
 *          \-> X_PAGE (GET)  --------------------------^
 *
 * What a state does with bytes that come is a table. An answer that is given
 * while more of the request may come ends the connection; what comes is thrown
 * away then, so that no client takes it for the next request's. */
#include "core/check.h"
#include "core/log.h"
#include "http/http_internal.h"
#include <stdio.h>
#include <string.h>

static struct {
    struct task_pool gets, posts;
    struct list slow; /* http_exchange.slow, in order of their begin */
} state;

enum err http_exchange_init(unsigned gets, unsigned posts)
{
    enum err err;

    memset(&state, 0, sizeof(state));
    list_init(&state.slow);
    err = task_pool_init(&state.gets, "HT", sizeof(struct http_exchange), gets,
                         NULL);
    if (!err)
        err = task_pool_init(&state.posts, "PT", sizeof(struct http_post),
                             posts, NULL);
    return err;
}

unsigned http_exchange_posts(void)
{
    return (unsigned)state.posts.count;
}

/* So long an answer may take before it gives way to another request. */
#define SENDING_MS 3000

/* Whether nothing but the client keeps an answer from its end, or from the
 * next piece of a long one. */
static bool waits_for_reader(const struct http_exchange *x)
{
    return x->state == X_SENDING ||
           (x->state == X_PAGE && x->continues && !x->job_runs);
}

/* Of the answers that strangers do not take, the one that waits longest; NULL:
 * none for long enough. */
static struct http_exchange *slow_reader(const struct task_pool *pool)
{
    struct http_exchange *found = NULL;

    for (unsigned i = 0; i < pool->count; i++) {
        struct http_exchange *x =
            (struct http_exchange *)(void *)(pool->tasks + i * pool->size);

        if (!x->task.active || !waits_for_reader(x) || x->logged_in ||
            timer_now_ms() - x->session->since_ms < SENDING_MS)
            continue;
        if (!found || x->session->since_ms < found->session->since_ms)
            found = x;
    }
    return found;
}

void http_exchange_make_blocks(void)
{
    struct http_exchange *reader = slow_reader(&state.gets);

    if (reader == NULL)
        reader = slow_reader(&state.posts);
    if (reader)
        http_session_abort(reader->session);
}

/* Of all that a stranger has begun to send, what takes longest gives way; then
 * what one does not take. */
static void make_room(const struct task_pool *pool)
{
    struct http_exchange *reader;

    for (struct list *node = state.slow.next; node != &state.slow;
         node = node->next) {
        struct http_exchange *x =
            LIST_ELEMENT(node, struct http_exchange, slow);

        if (x->task.pool == pool) {
            http_exchange_refuse(x, 408,
                                 "The request took too long to arrive.");
            return;
        }
    }
    reader = slow_reader(pool);
    if (reader)
        http_session_abort(reader->session);
}

static struct http_exchange *take_task(struct task_pool *pool)
{
    if (pool->free == 0)
        make_room(pool);
    return (struct http_exchange *)(void *)task_pop(pool);
}

struct http_exchange *http_exchange_new(struct http_session *session,
                                        uint8_t first)
{
    bool post = first == 'P';
    struct http_exchange *x = take_task(post ? &state.posts : &state.gets);

    if (x == NULL)
        return NULL;
    memset((char *)x + sizeof(struct task), 0,
           offsetof(struct http_exchange, head) - sizeof(struct task));
    http_head_init(&x->head);
    list_init(&x->wait);
    list_init(&x->slow);
    list_append(&state.slow, &x->slow);
    x->session = session;
    if (post) {
        struct http_post *whole = (struct http_post *)(void *)x;

        x->body = whole->body;
        x->account = &whole->account;
        memset(x->account, 0, sizeof(*x->account));
    }
    return x;
}

static void release(struct http_exchange *x)
{
    list_remove(&x->slow);
    http_job_end_upload(x);
    http_out_drop(x);
    if (x->body) {
        bytes_wipe(x->account, sizeof(*x->account));
        bytes_wipe(x->body, x->body_seen < HTTP_BODY_BYTES
                                ? (size_t)x->body_seen
                                : HTTP_BODY_BYTES);
    }
    task_push(&x->task);
}

void http_exchange_lost(struct http_exchange *x)
{
    x->session = NULL;
    if (x->state == X_PENDING)
        http_login_cancel(x);
    if (http_job_leave(x))
        release(x);
}

/* ---- Answers --------------------------------------------------------------
 */

void http_exchange_sent(struct http_exchange *x)
{
    struct http_session *session = x->session;
    bool close = x->close_after;

    http_error_log(x);
    x->session = NULL;
    release(x);
    http_session_done(session, close);
}

/* All is written; gives it to the stream, as far as it takes it. */
static void send(struct http_exchange *x)
{
    x->state = X_SENDING;
    http_job_end_upload(x);
    if (http_out_flush(x))
        http_exchange_sent(x);
}

void http_exchange_refuse(struct http_exchange *x, unsigned status,
                          const char *sentence)
{
    if (!x->body_done)
        x->close_after = true;
    list_remove(&x->wait);
    list_remove(&x->slow);
    http_out_drop(x);
    http_error_page(x, status, sentence);
    send(x);
}

void http_exchange_finish(struct http_exchange *x)
{
    struct http_session *session = x->session;

    if (session == NULL) {
        release(x);
        return;
    }
    if (!x->status && !x->composed) {
        http_exchange_refuse(x, 500, "The page had nothing to say.");
        return;
    }
    if (!x->body_done)
        x->close_after = true;
    http_out_end(x);
    if (x->failed && x->composed) {
        /* The client must not take it for the whole. */
        http_error_log(x);
        http_session_abort(session);
        return;
    }
    if (x->failed) {
        bool short_of_room = x->written == x->announced;

        http_exchange_refuse(x, short_of_room ? 503 : 500,
                             short_of_room ? "The server is busy: try again."
                                           : "The page is not whole.");
        return;
    }
    if (!x->composed)
        http_answer_compose(x);
    send(x);
}

/* ---- The head is there ----------------------------------------------------
 */

static void answer_options(struct http_exchange *x, unsigned methods)
{
    x->close_after |= !x->body_done;
    x->status = 204;
    x->length = LENGTH_KNOWN;
    http_header(x, "Allow",
                methods == (HTTP_GET | HTTP_POST) ? "GET, HEAD, POST, OPTIONS"
                : methods == HTTP_POST            ? "POST, OPTIONS"
                                                  : "GET, HEAD, OPTIONS");
    http_answer_compose(x);
    send(x);
}

static void refuse_method(struct http_exchange *x)
{
    unsigned methods = x->route->methods;

    x->status = 405;
    http_header(x, "Allow",
                methods == (HTTP_GET | HTTP_POST) ? "GET, HEAD, POST, OPTIONS"
                : methods == HTTP_POST            ? "POST, OPTIONS"
                                                  : "GET, HEAD, OPTIONS");
    http_exchange_refuse(x, 405, "This page does not take such requests.");
}

/* Whether a POST comes from a page of ours: what browsers say of it, whatever
 * the page does. */
static bool from_elsewhere(const struct http_head *head)
{
    const char *site = http_head_field(head, FIELD_FETCH_SITE);
    const char *origin = http_head_field(head, FIELD_ORIGIN);
    const char *host = http_head_field(head, FIELD_HOST);
    const char *at;

    if (site)
        return strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
    if (!origin)
        return false;
    at = strstr(origin, "://");
    return !at || !host || strcmp(at + 3, host) != 0;
}

/* To the login, and back to this page after it; of a form, to the login. */
static void ask_for_login(struct http_exchange *x)
{
    char place[600] = "/login?next=";
    struct text text;
    const char *query = http_head_text(&x->head, x->head.query);

    text_init(&text, place, sizeof(place) - 1);
    text.len = strlen(place);
    http_url_put(&text, x->head.method == METHOD_POST ? "/" : http_path(x));
    if (query && x->head.method != METHOD_POST) {
        http_url_put(&text, "?");
        http_url_put(&text, query);
    }
    place[text.cut ? strlen("/login") : text.len] = '\0';
    http_redirect(x, place);
    http_exchange_finish(x);
}

/* Returns true when it was refused. */
static bool refuse_access(struct http_exchange *x)
{
    (void)http_session_find(x);
    if (x->route->access == HTTP_PUBLIC)
        return false;
    /* Of what was sent nothing is done, but it is not lost either. */
    x->again = !x->logged_in && x->head.method == METHOD_POST &&
               http_login_route(http_path(x)) != x->route;
    if (!x->logged_in && !x->again)
        ask_for_login(x);
    if (!x->logged_in)
        return !x->again;
    if (x->route->access == HTTP_ADMIN && !x->user.admin) {
        http_exchange_refuse(x, 403, "This is for administrators.");
        return true;
    }
    return false;
}

/* Returns true when it was refused. */
static bool refuse_body(struct http_exchange *x)
{
    uint64_t most = x->route->body_max ? x->route->body_max : HTTP_FORM_MAX;

    if (from_elsewhere(&x->head)) {
        http_count()->forged++;
        http_exchange_refuse(x, 403, "This form belongs to another server.");
        return true;
    }
    if (x->head.framing == FRAMING_NONE) {
        http_exchange_refuse(x, 411, "The request says no length.");
        return true;
    }
    if (x->head.framing == FRAMING_LENGTH && x->head.length > most) {
        http_exchange_refuse(x, 413, "That is more than this page takes.");
        return true;
    }
    return false;
}

static void begin_post(struct http_exchange *x)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    ASSERT(x->body != NULL);
    if (refuse_body(x))
        return;
    if (x->logged_in)
        list_remove(&x->slow);
    x->state = X_BODY;
    /* A client that hears nothing sends all the same, a moment later. */
    if (x->head.expects_continue && !x->body_done &&
        stream_space(x->session->stream) >= sizeof(go_on))
        (void)stream_write(x->session->stream, go_on, sizeof(go_on) - 1);
    if (x->body_done)
        http_exchange_run(x);
}

/* A page of the engine runs in MT, others as jobs. */
void http_exchange_run(struct http_exchange *x)
{
    list_remove(&x->slow);
    if (x->again)
        http_job_again(x);
    else if (http_login_route(http_path(x)) == x->route)
        http_job_direct(x);
    else
        http_job_start(x);
}

static void begin(struct http_exchange *x)
{
    size_t rest = 0;
    const char *path = http_path(x);
    enum http_method method = (enum http_method)x->head.method;

    if (method != METHOD_POST)
        list_remove(&x->slow);
    x->head_only = method == METHOD_HEAD;
    x->close_after = !x->head.keep_alive || http_stopping();
    http_body_begin(x);
    if (method != METHOD_POST && !x->body_done)
        x->close_after = true; /* nobody will read it */
    if (method == METHOD_OPTIONS && path[0] == '*') {
        answer_options(x, HTTP_GET | HTTP_POST);
        return;
    }
    if (http_asset_serve(x)) {
        send(x);
        return;
    }
    if (!x->route)
        x->route = http_route_find(
            path, method == METHOD_POST ? HTTP_POST : HTTP_GET, &rest);
    if (!x->route) {
        http_exchange_refuse(x, 404, "There is no such page.");
        return;
    }
    x->rest = (uint16_t)(x->head.path + rest);
    if (method == METHOD_OPTIONS) {
        answer_options(x, x->route->methods);
        return;
    }
    if (!(x->route->methods & (method == METHOD_POST    ? HTTP_POST
                               : method == METHOD_OTHER ? 0
                                                        : HTTP_GET))) {
        refuse_method(x);
        return;
    }
    if (refuse_access(x))
        return;
    if (method == METHOD_POST) {
        begin_post(x);
        return;
    }
    x->state = X_PAGE;
    http_exchange_run(x);
}

/* ---- What has come --------------------------------------------------------
 */

static const char *bad_head(unsigned status)
{
    switch (status) {
    case 414:
        return "The address is too long.";
    case 431:
        return "The request's head is too long.";
    case 417:
        return "Only 100-continue can be expected.";
    case 413:
        return "That is more than this server takes.";
    case 501:
        return "This server does not know that.";
    case 505:
        return "This server speaks HTTP/1.1.";
    default:
        return "The request is malformed.";
    }
}

static size_t take_head(struct http_exchange *x, const uint8_t *data,
                        size_t len)
{
    size_t taken;

    switch (http_head_feed(&x->head, data, len, &taken)) {
    case HEAD_MORE:
        break;
    case HEAD_DONE:
        begin(x);
        break;
    case HEAD_BAD:
    default:
        x->close_after = true;
        http_exchange_refuse(x, x->head.status, bad_head(x->head.status));
        break;
    }
    return taken;
}

static size_t take_body(struct http_exchange *x, const uint8_t *data,
                        size_t len)
{
    return x->body_done ? 0 : http_body_take(x, data, len);
}

static size_t take_nothing(struct http_exchange *x, const uint8_t *data,
                           size_t len)
{
    (void)x;
    (void)data;
    (void)len;
    return 0;
}

/* What no page reads any more. */
static size_t take_rest(struct http_exchange *x, const uint8_t *data,
                        size_t len)
{
    (void)data;
    return x->close_after ? len : 0;
}

size_t http_exchange_take(struct http_exchange *x, const uint8_t *data,
                          size_t len)
{
    static size_t (*const take[X_STATES])(struct http_exchange *,
                                          const uint8_t *, size_t) = {
        [X_HEAD] = take_head,    [X_BODY] = take_body,
        [X_PAGE] = take_body,    [X_PENDING] = take_nothing,
        [X_SENDING] = take_rest,
    };

    return take[x->state](x, data, len);
}
