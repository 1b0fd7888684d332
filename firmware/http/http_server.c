/* The web server: connections, their timeouts and their ends.
 *
 * A connection is a task of the pool "HTTP"; a request on it is one of "HT"
 * (GET, HEAD, OPTIONS) or "PT" (POST), as the papers call them: see
 * http_exchange.c. Everything runs inside the stream's callbacks, or in page
 * jobs. A static file is answered in the same pass in which its request came.
 *
 * Done: HTTP/1.1 and 1.0 with persistent connections, pipelining, chunks both
 * ways, ranges (one; more are answered with the whole), conditions, 100
 * Continue, HEAD, OPTIONS.
 * Not supported: Upgrade, TRACE, CONNECT, PUT, DELETE, content codings but for
 * what was compressed when the AO was built, more than one range. */
#include "core/check.h"
#include "core/log.h"
#include "http/http_asset.h"
#include "http/http_internal.h"
#include "net/tcp.h"
#include "store/st_number.h"
#include <string.h>

#define HTTP_PORT 80
/* Before a request these are forgiven (RFC 9112 2.2). */
#define EMPTY_LINES "\r\n\r\n"
/* How often a connection's progress is looked at. */
#define LOOK_MS 5000
/* Between two requests; fewer when connections run short. */
#define IDLE_MS       60000
#define IDLE_SHORT_MS 5000
/* For a whole head, from its first byte. */
#define HEAD_MS 10000
/* In so long a client has to send resp. take so much, while it is waited for.
 */
#define PROGRESS_MS    15000
#define PROGRESS_BYTES 2048
/* The peer is dead when it acknowledges nothing for that long. */
#define STREAM_TIMEOUT_MS 90000

static struct {
    struct task_pool pool;
    struct http_figures figures;
    bool stopping;
} state;

struct http_figures *http_count(void)
{
    return &state.figures;
}

bool http_stopping(void)
{
    return state.stopping;
}

/* ---- Ends -----------------------------------------------------------------
 */

/* The one end of a session: the stream is somebody else's from here on. */
static void leave(struct http_session *session)
{
    struct http_exchange *x = session->x;

    session->stream = NULL;
    session->x = NULL;
    timer_stop(&session->timer);
    limits_end(&session->limits);
    state.figures.connections--;
    task_push(&session->task);
    if (x != NULL)
        http_exchange_lost(x);
}

static void close_stream(struct http_session *session)
{
    struct stream *stream = session->stream;

    leave(session);
    stream_close(stream);
}

void http_session_abort(struct http_session *session)
{
    struct stream *stream = session->stream;

    leave(session);
    stream_abort(stream);
}

void http_session_done(struct http_session *session, bool close)
{
    session->x = NULL;
    session->since_ms = timer_now_ms();
    if (close || session->ended || state.stopping)
        close_stream(session);
    else if (!session->receiving)
        stream_resume(session->stream);
}

/* ---- Time -----------------------------------------------------------------
 */

static bool short_of_sessions(void)
{
    return state.pool.free < state.pool.count / 4;
}

/* Whether a client that is waited for has moved since it was looked at last;
 * false: too little. */
static bool moves(struct http_session *session, uint64_t now)
{
    const struct http_exchange *x = session->x;
    uint64_t place = x->body_seen + x->sent;
    /* It is for us to go on, not for the client. */
    bool waits = http_out_waits(x) ||
                 (x->state == X_BODY && list_empty(&x->wait)) ||
                 (x->state == X_PAGE && !x->body_done && x->body &&
                  x->body_begin == x->body_end);

    if (!waits || place - session->mark >= PROGRESS_BYTES) {
        session->mark = place;
        session->mark_ms = now;
        return true;
    }
    return now - session->mark_ms < PROGRESS_MS;
}

static void on_look(struct timer *timer)
{
    struct http_session *session =
        LIST_ELEMENT(timer, struct http_session, timer);
    struct http_exchange *x = session->x;
    uint64_t now = timer_now_ms();
    uint64_t waited = now - session->since_ms;

    timer_start(timer, LOOK_MS);
    if (x == NULL) {
        if (waited >= (short_of_sessions() ? IDLE_SHORT_MS : IDLE_MS))
            close_stream(session);
        return;
    }
    if (x->state == X_HEAD ? waited < HEAD_MS : moves(session, now))
        return;
    state.figures.timeouts++;
    if (x->state == X_HEAD || x->state == X_BODY)
        http_exchange_refuse(x, 408, "The request took too long to arrive.");
    else
        http_session_abort(session);
}

/* ---- What the stream calls ------------------------------------------------
 */

/* No task is free for one more request. */
static void turn_away(struct http_session *session)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n";

    state.figures.turned_away++;
    (void)stream_write(session->stream, answer, sizeof(answer) - 1);
    close_stream(session);
}

/* A request's first letter says what task it needs: empty lines do not get as
 * far as that. */
static size_t skip_empty_lines(struct http_session *session,
                               const uint8_t *data, size_t len)
{
    static const uint8_t lines[] = EMPTY_LINES;
    size_t used = 0;

    while (used < len && session->empty < sizeof(lines) - 1 &&
           data[used] == lines[session->empty]) {
        session->empty++;
        used++;
    }
    return used;
}

static void begin_request(struct http_session *session, uint8_t first)
{
    static const uint8_t cr = '\r';
    bool half = session->empty % 2 != 0;

    session->empty = 0;
    session->since_ms = timer_now_ms();
    session->mark_ms = session->since_ms;
    session->mark = 0;
    session->x = http_exchange_new(session, half ? cr : first);
    if (session->x != NULL && half) /* it is no empty line: malformed */
        (void)http_exchange_take(session->x, &cr, 1);
}

static size_t on_received(struct stream *stream, const uint8_t *data,
                          size_t len)
{
    struct http_session *session = stream->context;
    size_t used = 0;

    session->receiving = true;
    while (used < len) {
        size_t took;

        if (session->x == NULL) {
            used += skip_empty_lines(session, data + used, len - used);
            if (used == len)
                break;
            begin_request(session, data[used]);
        }
        if (session->x == NULL) {
            turn_away(session);
            used = len;
            break;
        }
        took = http_exchange_take(session->x, data + used, len - used);
        used += took;
        if (session->stream == NULL) {
            used = len;
            break;
        }
        if (took == 0 && session->x != NULL)
            break;
    }
    session->receiving = false;
    return used;
}

/* The peer has closed its side: what it has asked for is still answered, if it
 * was asked for whole. */
static void on_ended(struct stream *stream)
{
    struct http_session *session = stream->context;
    struct http_exchange *x = session->x;

    session->ended = true;
    if (x == NULL || x->state == X_HEAD || !x->body_done)
        close_stream(session);
}

static void on_writable(struct stream *stream)
{
    struct http_session *session = stream->context;
    struct http_exchange *x = session->x;

    if (x == NULL)
        return;
    if (x->state == X_SENDING) {
        if (http_out_flush(x))
            http_exchange_sent(x);
        return;
    }
    if (x->composed)
        (void)http_out_flush(x);
    http_job_room(x);
}

static void on_closed(struct stream *stream, enum err reason)
{
    struct http_session *session = stream->context;

    log_debug("http", "session=%u lost reason=\"%s\"",
              (unsigned)session->task.index, err_text(reason));
    leave(session);
}

static const struct stream_handler handler = {
    .received = on_received,
    .ended = on_ended,
    .writable = on_writable,
    .closed = on_closed,
};

/* ---- Beginning and stopping -----------------------------------------------
 */

static void on_accept(struct stream *stream)
{
    struct limits_session limits;
    struct http_session *session;
    struct net_endpoint peer;

    state.figures.accepted++;
    stream_peer(stream, &peer);
    if (limits_begin(&limits, &peer.address) != OK) {
        state.figures.turned_away++;
        stream_abort(stream);
        return;
    }
    session = (struct http_session *)(void *)task_pop(&state.pool);
    if (session == NULL) {
        limits_end(&limits);
        state.figures.turned_away++;
        stream_abort(stream);
        return;
    }
    if (++state.figures.connections > state.figures.connections_peak)
        state.figures.connections_peak = state.figures.connections;
    memset((char *)session + sizeof(struct task), 0,
           sizeof(*session) - sizeof(struct task));
    session->stream = stream;
    session->limits = limits;
    session->peer = peer.address;
    session->since_ms = timer_now_ms();
    timer_init(&session->timer, on_look);
    timer_start(&session->timer, LOOK_MS);
    stream->handler = &handler;
    stream->context = session;
    stream_set_idle_timeout(stream, STREAM_TIMEOUT_MS);
}

enum err http_server_init(size_t memory)
{
    /* Of a mebibyte: a quarter to requests under way, a quarter to content that
     * waits for slow clients; connections themselves are small. */
    unsigned posts = (unsigned)(memory / 4 / sizeof(struct http_post));
    unsigned gets = (unsigned)(memory / 4 / sizeof(struct http_exchange));
    unsigned blocks = (unsigned)(memory * 3 / 8 / HTTP_BLOCK_BYTES);
    unsigned sessions = (unsigned)(memory / 16 / sizeof(struct http_session));
    enum err err;

    memset(&state, 0, sizeof(state));
    state.figures.capacity = sessions;
    err = task_pool_init(&state.pool, "HTTP", sizeof(struct http_session),
                         sessions, NULL);
    if (!err)
        err = http_exchange_init(gets, posts);
    if (!err)
        err = http_out_init(blocks);
    if (!err)
        err = http_job_init();
    if (!err)
        err = http_session_init((unsigned)(memory / 16));
    if (!err)
        err = http_asset_init();
    return err;
}

void http_server_start(void)
{
    enum err err;

    state.stopping = false;
    if (!st_setting_switch("http", true))
        return;
    err = tcp_listen(HTTP_PORT, on_accept);
    if (err)
        log_err("http", "cannot listen port=%u error=\"%s\"", HTTP_PORT,
                err_text(err));
}

void http_server_stop(void)
{
    state.stopping = true;
    tcp_unlisten(HTTP_PORT);
    for (unsigned i = 0; i < state.pool.count; i++) {
        struct http_session *session =
            (struct http_session *)(void *)(state.pool.tasks +
                                            i * state.pool.size);

        if (!session->task.active)
            continue;
        if (session->x == NULL)
            close_stream(session);
        else if (session->x->state == X_HEAD || session->x->state == X_BODY)
            http_exchange_refuse(session->x, 503, "This server is stopping.");
    }
}

void http_figures(struct http_figures *figures)
{
    *figures = state.figures;
    figures->logged_in = http_session_count();
}
