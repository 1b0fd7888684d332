/* The SMTP server (RFC 5321): sessions, their states and their ends.
 *
 * A session is a task of the pool "SMTPS". It runs inside the stream's and the
 * store's callbacks: received() takes bytes by the function of the session's
 * state until all are used or the state takes none; what is left stays in the
 * stream and comes again. So commands that a client pipelines behind DATA's
 * final dot wait there until the store has answered.
 *
 *   smtp_command.c     commands          smtp_data.c    message, answer
 *   smtp_transaction.c MAIL, RCPT        smtp_text.c    dots, line ends
 *   ../envelope/       who gets it       smtp_header.c  of submitted mail
 *   smtp_path.c, smtp_parameters.c       smtp_trace.c   Return-Path, Received
 *                      argument grammar  smtp_auth.c, smtp_author.c  users
 *   smtp_reply.c       every reply       smtp_settings.c
 *   smtp_limits.c      against abuse     smtp_log.c     for the log
 *
 * Invariants: at most one reply waits for room in the stream, and while one
 * does nothing is read; 250 to a message goes out in the store's answer only;
 * a session leaves its states by release() alone.
 * Done: RFC 5321; submission (RFC 6409) with AUTH PLAIN and LOGIN (4954);
 * PIPELINING (2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), CHUNKING
 * and BINARYMIME (3030, to mailboxes here), DSN (3461), ENHANCEDSTATUSCODES
 * (2034), LIMITS (9422).
 * Not supported: TLS; EXPN and ETRN. */
#include "smtp/smtp_server.h"
#include "core/check.h"
#include "core/log.h"
#include "net/tcp.h"
#include "smtp/smtp_session.h"
#include <string.h>

#define SMTP_PORT       25
#define SUBMISSION_PORT 587
/* RFC 5321 4.5.3.2: at least 5 minutes for commands and for data. */
#define COMMAND_TIMEOUT_MS 300000
#define COMMIT_TIMEOUT_MS  600000
/* The transport's own timeout stands behind all of ours. */
#define STREAM_TIMEOUT_MS 660000
/* Of the sessions: blocks for recipients, and users who are logged in. */
#define BLOCKS_MIN    16
#define BLOCKS_SHARE  4
#define BLOCKS_PAGES  32 /* besides: for messages that pages send */
#define AUTHORS_MIN   8
#define AUTHORS_SHARE 4

static struct {
    struct task_pool pool;
    struct smtp_figures figures;
    uint64_t serial;
    bool stopping;
} state;

typedef size_t take_function(struct smtp_session *session, const uint8_t *data,
                             size_t len);

static size_t take_nothing(struct smtp_session *session, const uint8_t *data,
                           size_t len)
{
    (void)session;
    (void)data;
    (void)len;
    return 0;
}

static const struct {
    const char *name;
    take_function *take;
    uint32_t timeout_ms;
} states[SMTP_STATES] = {
    [SMTP_GREETED] = {"greeted", smtp_take_command, COMMAND_TIMEOUT_MS},
    [SMTP_HELLO] = {"hello", smtp_take_command, COMMAND_TIMEOUT_MS},
    [SMTP_MAIL] = {"mail", smtp_take_command, COMMAND_TIMEOUT_MS},
    [SMTP_RCPT] = {"rcpt", smtp_take_command, COMMAND_TIMEOUT_MS},
    [SMTP_CHUNKS] = {"chunks", smtp_take_command, COMMAND_TIMEOUT_MS},
    [SMTP_SECRET] = {"secret", smtp_take_secret, COMMAND_TIMEOUT_MS},
    [SMTP_GREETING] = {"greeting", smtp_limits_take_early, COMMAND_TIMEOUT_MS},
    [SMTP_HELD] = {"held", take_nothing, COMMAND_TIMEOUT_MS},
    [SMTP_LOGIN] = {"login", take_nothing, COMMIT_TIMEOUT_MS},
    [SMTP_ROOM] = {"room", take_nothing, SMTP_ROOM_RETRY_MS},
    [SMTP_DATA] = {"data", smtp_take_data, COMMAND_TIMEOUT_MS},
    [SMTP_CHUNK] = {"chunk", smtp_take_data, COMMAND_TIMEOUT_MS},
    [SMTP_ENDING] = {"ending", take_nothing, COMMIT_TIMEOUT_MS},
    [SMTP_COMMIT] = {"commit", take_nothing, COMMIT_TIMEOUT_MS},
    [SMTP_CLOSING] = {"closing", take_nothing, COMMAND_TIMEOUT_MS},
    [SMTP_OVER] = {"over", take_nothing, 0},
};

void smtp_enter_state(struct smtp_session *session, enum smtp_state next)
{
    if (session->state != next)
        log_debug("smtp", "session=%u state=%s", (unsigned)session->task.index,
                  states[next].name);
    session->state = (uint8_t)next;
    if (states[next].timeout_ms > 0)
        timer_start(&session->timer, states[next].timeout_ms);
    else
        timer_stop(&session->timer);
}

uint64_t smtp_next_serial(void)
{
    return ++state.serial;
}

void smtp_count_message(const struct smtp_session *session, bool accepted)
{
    if (!accepted) {
        state.figures.refused++;
        return;
    }
    state.figures.accepted++;
    state.figures.recipients +=
        (unsigned)session->envelope.user_count + session->envelope.remote_count;
    state.figures.bytes += session->text.bytes;
}

void smtp_reset(struct smtp_session *session)
{
    if (session->inbound != NULL)
        st_inbound_discard(session->inbound);
    session->inbound = NULL;
    envelope_clear(&session->envelope);
    session->sender_bytes = 0;
    session->declared_bytes = 0;
    session->refusal = SMTP_OK;
    smtp_enter_state(session,
                     session->helo_bytes > 0 ? SMTP_HELLO : SMTP_GREETED);
}

/* Whatever somebody else does for the session is not waited for any more. */
static void abandon(struct smtp_session *session)
{
    if (session->state == SMTP_COMMIT)
        st_inbound_forget(session);
    if (session->inbound != NULL)
        st_inbound_discard(session->inbound);
    session->inbound = NULL;
    smtp_auth_forget(session);
    smtp_limits_forget(session);
}

/* The one end of a session; its stream is somebody else's from here on. */
static void release(struct smtp_session *session)
{
    abandon(session);
    limits_end(&session->limits);
    envelope_clear(&session->envelope);
    smtp_enter_state(session, SMTP_OVER);
    session->dialogue.stream = NULL;
    state.figures.sessions--;
    task_push(&session->task);
}

static void close_stream(struct smtp_session *session)
{
    struct stream *stream = session->dialogue.stream;

    release(session);
    stream_close(stream);
}

void smtp_say(struct smtp_session *session, enum smtp_reply reply)
{
    char buffer[SMTP_REPLY_BYTES], zone[LIMITS_ZONE_BYTES];
    struct text text;

    if (smtp_reply_code(reply) >= 500 && session->errors < UINT8_MAX)
        session->errors++;
    text_init(&text, buffer, sizeof(buffer));
    smtp_reply_format(&text, reply,
                      reply == SMTP_LISTED ? limits_zone(session->listed, zone)
                                           : smtp_host());
    ASSERT(!text.cut);
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

void smtp_finish(struct smtp_session *session, enum smtp_reply reply)
{
    smtp_say(session, reply);
    if (!dialogue_blocked(&session->dialogue)) {
        close_stream(session);
        return;
    }
    abandon(session);
    smtp_enter_state(session, SMTP_CLOSING);
}

void smtp_check_errors(struct smtp_session *session)
{
    if (session->errors >= smtp_settings()->errors_max &&
        session->state <= SMTP_SECRET && !dialogue_blocked(&session->dialogue))
        smtp_finish(session, SMTP_TOO_MANY_ERRORS);
}

/* A message that is complete is on its way to the stick. */
static bool is_storing(const struct smtp_session *session)
{
    return session->state == SMTP_COMMIT || session->state == SMTP_ENDING;
}

void smtp_resume(struct smtp_session *session)
{
    if (!dialogue_flush(&session->dialogue))
        return;
    smtp_check_errors(session);
    if (session->state == SMTP_OVER || dialogue_blocked(&session->dialogue))
        return;
    if (session->state == SMTP_CLOSING)
        close_stream(session);
    else if (state.stopping && session->state <= SMTP_SECRET)
        smtp_finish(session, SMTP_STOPPING);
    else if (session->ended && !is_storing(session))
        close_stream(session);
    else
        stream_resume(session->dialogue.stream);
}

/* ---- What the stream calls ---------------------------------------------- */

static size_t on_received(struct stream *stream, const uint8_t *data,
                          size_t len)
{
    struct smtp_session *session = stream->context;
    size_t used = 0;

    while (used < len) {
        size_t took =
            states[session->state].take(session, data + used, len - used);

        if (session->state == SMTP_OVER)
            return len;
        if (took == 0)
            break;
        used += took;
    }
    return used;
}

/* The peer has closed its side. Answers that are owed still go out; a message
 * without its final dot is dropped. */
static void on_ended(struct stream *stream)
{
    struct smtp_session *session = stream->context;

    session->ended = true;
    if (!is_storing(session) && !dialogue_blocked(&session->dialogue))
        close_stream(session);
}

static void on_writable(struct stream *stream)
{
    smtp_resume(stream->context);
}

static void on_closed(struct stream *stream, enum err reason)
{
    struct smtp_session *session = stream->context;

    log_debug("smtp", "session=%u lost reason=\"%s\"",
              (unsigned)session->task.index, err_text(reason));
    release(session);
}

static const struct stream_handler handler = {
    .received = on_received,
    .ended = on_ended,
    .writable = on_writable,
    .closed = on_closed,
};

static void greet(struct smtp_session *session)
{
    char buffer[SMTP_REPLY_BYTES];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "220 ");
    text_string(&text, smtp_host());
    text_string(&text, " ESMTP Barepost\r\n");
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

/* ---- Timeouts ------------------------------------------------------------ */

static void on_timeout(struct timer *timer)
{
    struct smtp_session *session =
        LIST_ELEMENT(timer, struct smtp_session, timer);

    if (session->state == SMTP_ROOM) {
        smtp_begin_message(session);
        if (session->state != SMTP_ROOM)
            smtp_resume(session);
        return;
    }
    if (session->state == SMTP_GREETING) {
        smtp_enter_state(session, SMTP_GREETED);
        greet(session);
        return;
    }
    if (session->state == SMTP_HELD) {
        smtp_limits_release(session);
        return;
    }
    state.figures.timeouts++;
    if (dialogue_blocked(&session->dialogue)) {
        /* It does not even read: nothing could be told to it. */
        struct stream *stream = session->dialogue.stream;

        release(session);
        stream_abort(stream);
        return;
    }
    smtp_finish(session, SMTP_TIMED_OUT);
}

/* ---- Beginning ------------------------------------------------------------
 */

static void turn_away(struct stream *stream, enum smtp_reply reply)
{
    char buffer[SMTP_REPLY_BYTES];
    struct text text;

    state.figures.turned_away++;
    text_init(&text, buffer, sizeof(buffer));
    smtp_reply_format(&text, reply, smtp_host());
    (void)stream_write(stream, text.bytes, text.len);
    stream_close(stream);
}

static void on_accept(struct stream *stream)
{
    struct net_endpoint local, peer;
    struct limits_session limits;
    struct smtp_session *session;

    state.figures.connections++;
    stream_peer(stream, &peer);
    if (limits_begin(&limits, &peer.address) != OK) {
        turn_away(stream, SMTP_TOO_MANY_SESSIONS);
        return;
    }
    session = (struct smtp_session *)(void *)task_pop(&state.pool);
    if (session == NULL) {
        limits_end(&limits);
        turn_away(stream, SMTP_BUSY);
        return;
    }
    if (++state.figures.sessions > state.figures.sessions_peak)
        state.figures.sessions_peak = state.figures.sessions;
    /* All between the task and the arrays. */
    memset((char *)session + sizeof(struct task), 0,
           offsetof(struct smtp_session, envelope.few) - sizeof(struct task));
    session->limits = limits;
    stream_local(stream, &local);
    session->submission = local.port == SUBMISSION_PORT;
    timer_init(&session->timer, on_timeout);
    dialogue_init(&session->dialogue, stream, session->line,
                  sizeof(session->line));
    session->state = SMTP_OVER;
    stream->handler = &handler;
    stream->context = session;
    stream_set_idle_timeout(stream, STREAM_TIMEOUT_MS);
    if (smtp_limits_greet_later(session))
        return;
    smtp_enter_state(session, SMTP_GREETED);
    greet(session);
}

static unsigned share(unsigned sessions, unsigned of, unsigned least)
{
    return sessions / of > least ? sessions / of : least;
}

enum err smtp_server_init(unsigned sessions)
{
    enum err error;

    memset(&state, 0, sizeof(state));
    state.figures.capacity = sessions;
    error = task_pool_init(&state.pool, "SMTPS", sizeof(struct smtp_session),
                           sessions, NULL);
    if (error == OK)
        error = envelope_module_init(share(sessions, BLOCKS_SHARE, BLOCKS_MIN) +
                                     BLOCKS_PAGES);
    if (error == OK)
        error = smtp_author_module_init(
            share(sessions, AUTHORS_SHARE, AUTHORS_MIN));
    return error;
}

static void listen_on(uint16_t port)
{
    enum err error = tcp_listen(port, on_accept);

    if (error != OK)
        log_err("smtp", "cannot listen port=%u error=\"%s\"", port,
                err_text(error));
}

void smtp_server_start(void)
{
    state.stopping = false;
    listen_on(SMTP_PORT);
    listen_on(SUBMISSION_PORT);
}

void smtp_server_stop(void)
{
    unsigned i;

    state.stopping = true;
    tcp_unlisten(SMTP_PORT);
    tcp_unlisten(SUBMISSION_PORT);
    for (i = 0; i < state.pool.count; i++) {
        struct smtp_session *session =
            (struct smtp_session *)(void *)(state.pool.tasks +
                                            i * state.pool.size);

        if (!session->task.active || is_storing(session) ||
            dialogue_blocked(&session->dialogue))
            continue;
        smtp_finish(session, SMTP_STOPPING);
    }
}

void smtp_figures(struct smtp_figures *figures)
{
    *figures = state.figures;
}
