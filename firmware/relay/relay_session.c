/* A session of the relay: its states, its stream, its end.
 *
 * It runs inside the callbacks of resolver, stream and store. Replies are put
 * together line by line; what a complete one means is in the table of states.
 * A state that waits too long, a connection that breaks, a server that says 421
 * or does not speak SMTP all come to relay_lost(): the job goes on with the
 * next address while there is one.
 *
 * Invariants: a session has a job from its begin until the last one is done; a
 * stream is closed by close_stream() alone; the task goes back to its pool when
 * the store has no request of it any more. */
#include "core/check.h"
#include "core/log.h"
#include "net/tcp.h"
#include "protocol/text.h"
#include "relay/relay_session.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* RFC 5321 4.5.3.2. The resolver has a timeout of its own, which is shorter. */
#define MINUTE_MS          60000
#define LOOKUP_TIMEOUT_MS  (3 * MINUTE_MS)
#define CONNECT_TIMEOUT_MS (1 * MINUTE_MS)
#define COMMAND_TIMEOUT_MS (5 * MINUTE_MS)
#define BLOCK_TIMEOUT_MS   (3 * MINUTE_MS)
#define ANSWER_TIMEOUT_MS  (10 * MINUTE_MS)
#define QUIT_TIMEOUT_MS    5000
/* The transport's own timeout stands behind all of ours. */
#define STREAM_TIMEOUT_MS (11 * MINUTE_MS)
#define SERVICE_CLOSING   421

static void on_reply_unasked(struct relay_session *session)
{
    relay_lost_said(session, false);
}

static void close_session(struct relay_session *session);

static const struct {
    const char *name;
    void (*reply)(struct relay_session *session);
    uint32_t timeout_ms;
} states[RELAY_STATES] = {
    [RELAY_MX] = {"mx", on_reply_unasked, LOOKUP_TIMEOUT_MS},
    [RELAY_ADDRESS] = {"address", on_reply_unasked, LOOKUP_TIMEOUT_MS},
    [RELAY_IPV6] = {"ipv6", on_reply_unasked, LOOKUP_TIMEOUT_MS},
    [RELAY_CONNECT] = {"connect", on_reply_unasked, CONNECT_TIMEOUT_MS},
    [RELAY_BANNER] = {"banner", relay_on_banner, COMMAND_TIMEOUT_MS},
    [RELAY_EHLO] = {"ehlo", relay_on_ehlo, COMMAND_TIMEOUT_MS},
    [RELAY_HELO] = {"helo", relay_on_helo, COMMAND_TIMEOUT_MS},
    [RELAY_AUTH] = {"auth", relay_on_auth, COMMAND_TIMEOUT_MS},
    [RELAY_LOGIN] = {"login", relay_on_login, COMMAND_TIMEOUT_MS},
    [RELAY_USER] = {"user", relay_on_user, COMMAND_TIMEOUT_MS},
    [RELAY_PASSWORD] = {"password", relay_on_password, COMMAND_TIMEOUT_MS},
    [RELAY_ENVELOPE] = {"envelope", relay_on_envelope, COMMAND_TIMEOUT_MS},
    [RELAY_BODY] = {"body", relay_on_early, BLOCK_TIMEOUT_MS},
    [RELAY_ANSWER] = {"answer", relay_on_answer, ANSWER_TIMEOUT_MS},
    [RELAY_RSET] = {"rset", relay_on_rset, COMMAND_TIMEOUT_MS},
    [RELAY_NEXT] = {"next", on_reply_unasked, COMMAND_TIMEOUT_MS},
    [RELAY_QUIT] = {"quit", close_session, QUIT_TIMEOUT_MS},
    [RELAY_OVER] = {"over", on_reply_unasked, 0},
};

void relay_enter_state(struct relay_session *session, enum relay_state next)
{
    if (session->state != next)
        log_debug("relay", "session=%u state=%s", (unsigned)session->task.index,
                  states[next].name);
    session->state = (uint8_t)next;
    if (states[next].timeout_ms > 0)
        timer_start(&session->timer, states[next].timeout_ms);
    else
        timer_stop(&session->timer);
}

/* ---- Ends ---------------------------------------------------------------- */

/* The connection's end, when there is one. in_order: everything was said. */
static void close_stream(struct relay_session *session, bool in_order)
{
    struct stream *stream = session->stream;

    session->stream = NULL;
    session->greeted = false;
    session->stale = false;
    session->jobs = 0;
    session->out_len = session->out_sent = 0;
    session->commands = 0;
    if (stream == NULL)
        return;
    if (in_order)
        stream_close(stream);
    else
        stream_abort(stream);
}

/* The one end of a session. Its job is somebody else's by now. */
static void release(struct relay_session *session)
{
    ASSERT(session->job == NULL && session->stream == NULL);
    if (session->looking)
        dns_cancel(&session->lookup);
    session->looking = false;
    if (session->reading && st_cancel(&session->read.request))
        session->reading = false;
    list_remove(&session->waiting);
    relay_enter_state(session, RELAY_OVER);
    relay_context.figures.sessions--;
    if (!session->reading)
        task_push(&session->task);
    relay_host_left(session->host);
}

static void close_session(struct relay_session *session)
{
    close_stream(session, true);
    release(session);
}

void relay_drop(struct relay_session *session)
{
    close_stream(session, false);
    if (session->job != NULL)
        relay_queue_forget(session->job);
    session->job = NULL;
    release(session);
}

static void quit(struct relay_session *session)
{
    if (session->stream == NULL) {
        release(session);
        return;
    }
    relay_enter_state(session, RELAY_QUIT);
    memcpy(session->out, "QUIT\r\n", 6);
    relay_say(session, 6);
}

static bool may_go_on(const struct relay_session *session)
{
    unsigned limit = session->offer.messages_max;

    if (limit == 0 || limit > RELAY_JOBS_MAX)
        limit = RELAY_JOBS_MAX;
    return !relay_context.stopping && session->jobs < limit &&
           session->stream != NULL;
}

/* In RELAY_NEXT: the next job, a wait for one, or the end. */
static void take_job(struct relay_session *session)
{
    bool going_on = may_go_on(session);

    if (going_on && relay_host_must_wait(session->host)) {
        list_append(&session->host->waiting, &session->waiting);
        return;
    }
    if (going_on)
        session->job = relay_host_next_job(session->host);
    if (session->job != NULL)
        relay_transaction(session);
    else
        quit(session);
}

static void end_job(struct relay_session *session)
{
    ASSERT(session->job == NULL);
    session->stale = true;
    session->jobs++;
    session->connections = 0;
    relay_enter_state(session, RELAY_NEXT);
}

void relay_next(struct relay_session *session)
{
    end_job(session);
    take_job(session);
}

void relay_next_later(struct relay_session *session)
{
    end_job(session);
    task_ready(&session->task);
}

bool relay_session_resume(struct relay_host *host)
{
    struct list *node = list_take_first(&host->waiting);

    if (node == NULL)
        return false;
    task_ready(&LIST_ELEMENT(node, struct relay_session, waiting)->task);
    return true;
}

/* The job waits again, before all others of its host. */
static void put_back(struct relay_session *session)
{
    struct relay_job *job = session->job;

    session->job = NULL;
    relay_host_add(job, true);
}

void relay_postpone(struct relay_session *session)
{
    relay_host_pause();
    close_stream(session, false);
    relay_undecide(session->job);
    put_back(session);
    release(session);
}

void relay_give_up(struct relay_session *session, bool permanent,
                   const char *reply)
{
    struct relay_host *host = session->host;
    struct relay_job *job = session->job;
    char text[STORE_REPLY_BYTES];

    (void)snprintf(text, sizeof(text), "%s", reply);
    close_stream(session, false);
    /* A route that is set up wrongly must not cost anybody's mail. */
    permanent = permanent && !host->routed;
    if (host->active > 1 && !permanent && !session->reached) {
        /* Others get through, or will tell: there were too many. */
        host->limit = host->active - 1;
        put_back(session);
        release(session);
        return;
    }
    session->job = NULL;
    relay_decide(job, permanent ? RELAY_FAILED : RELAY_DEFERRED, text);
    relay_settle(job);
    if (!session->reached)
        relay_host_failed(host, permanent, text);
    release(session);
}

/* reply: why this server is of no use. */
static void lost(struct relay_session *session, bool permanent,
                 const char *reply)
{
    bool answered = session->state == RELAY_ANSWER;
    bool stale = session->stale;
    struct relay_job *job = session->job;

    if (job == NULL) {
        close_stream(session, true);
        release(session);
        return;
    }
    /* Of several servers' reasons, one that may pass counts more. */
    if (session->reply[0] == '\0' || session->permanent || !permanent) {
        session->permanent = permanent;
        (void)snprintf(session->reply, sizeof(session->reply), "%s", reply);
    }
    log_debug("relay", "session=%u lost: %s", (unsigned)session->task.index,
              session->reply);
    close_stream(session, false);
    relay_undecide(job);
    if (stale && !answered) {
        /* It had served others before: such an end says nothing. */
        put_back(session);
        release(session);
    } else if (answered || session->connections >= RELAY_CONNECTIONS_MAX) {
        session->reached = true;
        relay_give_up(session, false, session->reply);
    } else {
        relay_route_next(session);
    }
}

void relay_lost(struct relay_session *session, bool permanent,
                const char *format, ...)
{
    char why[160];
    char reply[STORE_REPLY_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    (void)snprintf(reply, sizeof(reply), "%s (%.80s)", why,
                   relay_peer_name(session));
    lost(session, permanent, reply);
}

void relay_lost_said(struct relay_session *session, bool permanent)
{
    char reply[STORE_REPLY_BYTES];

    relay_said(session, reply);
    lost(session, permanent, reply);
}

void relay_lost_loop(struct relay_session *session)
{
    close_stream(session, false);
    relay_route_loop(session);
}

/* ---- What is said -------------------------------------------------------- */

const char *relay_peer_name(const struct relay_session *session)
{
    return session->mx_at < session->mx_count ? session->mx[session->mx_at].name
                                              : session->host->name;
}

void relay_said(const struct relay_session *session, char *text)
{
    (void)snprintf(text, STORE_REPLY_BYTES, "%.80s said: %.160s",
                   relay_peer_name(session), session->answer.text);
}

/* Returns false while some of it waits. */
static bool flush_out(struct relay_session *session)
{
    size_t waiting = (size_t)session->out_len - session->out_sent;
    size_t took;

    if (waiting == 0)
        return true;
    took = stream_write(session->stream, session->out + session->out_sent,
                        waiting);
    session->out_sent = (uint16_t)(session->out_sent + took);
    return took == waiting;
}

void relay_say(struct relay_session *session, size_t len)
{
    ASSERT(session->out_sent == session->out_len &&
           len <= sizeof(session->out));
    session->out_len = (uint16_t)len;
    session->out_sent = 0;
    (void)flush_out(session);
}

/* ---- The stream ---------------------------------------------------------- */

static void on_opened(struct stream *stream)
{
    struct relay_session *session = stream->context;

    relay_context.figures.connections++;
    stream_set_idle_timeout(stream, STREAM_TIMEOUT_MS);
    relay_enter_state(session, RELAY_BANNER);
}

/* Whether a reply comes before all of the command is out that it would be for:
 * a command waits for room, and no earlier one is without an answer. */
static bool is_premature(const struct relay_session *session)
{
    if (session->out_sent == session->out_len || session->state == RELAY_BODY)
        return false;
    return session->state != RELAY_ENVELOPE ||
           session->answered + 1 >= session->sent;
}

/* One line of a reply. Nothing may be done with the session when its stream has
 * changed by it. */
static void take_line(struct relay_session *session,
                      const struct dialogue_line *line)
{
    struct relay_reply *answer = &session->answer;
    enum relay_reply_result result =
        relay_reply_line(answer, line->text, line->len);

    if (result == RELAY_REPLY_BAD) {
        relay_lost(session, false, "451 4.5.0 not a reply of SMTP");
        return;
    }
    if (session->state == RELAY_EHLO && answer->lines > 1)
        relay_offer_line(&session->offer, line->text, line->len);
    if (result == RELAY_REPLY_MORE)
        return;
    if (is_premature(session))
        relay_lost(session, false, "451 4.5.0 an answer before the command");
    else if (answer->code == SERVICE_CLOSING && session->state != RELAY_QUIT)
        relay_lost(session, false, "%s", answer->text);
    else
        states[session->state].reply(session);
}

static size_t on_received(struct stream *stream, const uint8_t *data,
                          size_t len)
{
    struct relay_session *session = stream->context;
    size_t used = 0;

    while (used < len) {
        struct dialogue_line line;
        size_t taken;
        enum dialogue_result result = dialogue_read(
            &session->dialogue, data + used, len - used, &taken, &line);

        used += taken;
        if (result == DIALOGUE_TOO_LONG)
            relay_lost(session, false, "451 4.5.0 a reply without end");
        else if (result == DIALOGUE_LINE)
            take_line(session, &line);
        if (session->stream != stream)
            return len;
    }
    return used;
}

static void on_ended(struct stream *stream)
{
    struct relay_session *session = stream->context;

    relay_lost(session, false,
               "451 4.4.2 the connection was closed in state %s",
               states[session->state].name);
}

static void on_writable(struct stream *stream)
{
    struct relay_session *session = stream->context;

    if (!flush_out(session))
        return;
    if (session->state == RELAY_ENVELOPE)
        relay_envelope_send(session);
    else if (session->state == RELAY_BODY)
        relay_body_send(session);
}

static void on_closed(struct stream *stream, enum err reason)
{
    struct relay_session *session = stream->context;

    session->stream = NULL;
    if (session->state == RELAY_CONNECT)
        relay_lost(session, false, "451 4.4.1 no connection: %s",
                   err_text(reason));
    else
        relay_lost(session, false,
                   "451 4.4.2 the connection broke in state %s: %s",
                   states[session->state].name, err_text(reason));
}

static const struct stream_handler handler = {
    .opened = on_opened,
    .received = on_received,
    .ended = on_ended,
    .writable = on_writable,
    .closed = on_closed,
};

void relay_open(struct relay_session *session)
{
    struct net_endpoint peer = {
        .address = session->addresses[session->address_at],
        .port = session->host->port,
    };

    session->connections++;
    session->reached = false;
    relay_reply_init(&session->answer);
    relay_enter_state(session, RELAY_CONNECT);
    session->stream = tcp_connect(&peer, &handler, session);
    if (session->stream == NULL) {
        relay_postpone(session);
        return;
    }
    dialogue_init(&session->dialogue, session->stream, session->line,
                  sizeof(session->line));
}

/* ---- Begin, timeouts ----------------------------------------------------- */

static void on_timeout(struct timer *timer)
{
    struct relay_session *session =
        LIST_ELEMENT(timer, struct relay_session, timer);

    if (session->state == RELAY_QUIT) {
        close_session(session);
        return;
    }
    if (session->looking)
        dns_cancel(&session->lookup);
    session->looking = false;
    if (session->state == RELAY_CONNECT)
        relay_lost(session, false, "451 4.4.1 no connection: no answer");
    else
        relay_lost(session, false, "451 4.4.2 timed out in state %s",
                   states[session->state].name);
}

bool relay_session_begin(struct relay_host *host)
{
    struct relay_session *session =
        (struct relay_session *)(void *)task_pop(&relay_context.pool);
    struct relay_figures *figures = &relay_context.figures;

    if (session == NULL)
        return false;
    memset((char *)session + sizeof(struct task), 0,
           offsetof(struct relay_session, lookup) - sizeof(struct task));
    timer_init(&session->timer, on_timeout);
    list_init(&session->read.request.link);
    list_init(&session->waiting);
    session->host = host;
    session->job = relay_host_next_job(host);
    ASSERT(session->job != NULL);
    host->active++;
    if (++figures->sessions > figures->sessions_peak)
        figures->sessions_peak = figures->sessions;
    session->state = RELAY_OVER;
    relay_enter_state(session, RELAY_MX);
    task_ready(&session->task);
    return true;
}

static void step(struct task *task)
{
    struct relay_session *session = (struct relay_session *)(void *)task;

    /* It may have been ended between its begin and now. */
    if (session->state == RELAY_MX)
        relay_route_begin(session);
    else if (session->state == RELAY_NEXT)
        take_job(session);
}

void relay_session_stop(void)
{
    for (unsigned i = 0; i < relay_context.pool.count; i++) {
        struct relay_session *session =
            (struct relay_session *)(void *)(relay_context.pool.tasks +
                                             i * relay_context.pool.size);

        if (session->task.active && session->state != RELAY_OVER &&
            session->state != RELAY_ANSWER)
            relay_drop(session);
    }
}

enum err relay_session_init(unsigned sessions)
{
    return task_pool_init(&relay_context.pool, "SMTPC",
                          sizeof(struct relay_session), sessions, step);
}
