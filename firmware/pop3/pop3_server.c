/* The POP3 server (RFC 1939): sessions, their states and their ends.
 *
 * A session is a task of the pool "POP3S". It runs inside the stream's and the
 * store's callbacks. Commands are read only in the states that wait for
 * one; in all others what the client sends stays in the stream and comes again
 * (so PIPELINING costs nothing).
 *
 *   pop3_command.c  commands         pop3_drop.c   login, lock, marks, removal
 *   pop3_auth.c     AUTH
 *   pop3_send.c     long replies     pop3_text.c   dots, end of TOP
 *   pop3_reply.c    fixed replies
 *
 * Invariants: at most one reply waits for room in the stream, and while one
 * does nothing is read; a session ends by leave() alone, which keeps it (as
 * POP3_DYING) while the store holds one of its requests.
 * Done: RFC 1939 with TOP, UIDL, USER; CAPA and RESP-CODES (2449), SYS/TEMP,
 * SYS/PERM and AUTH (3206); AUTH with PLAIN and LOGIN (5034); UTF8 (6856).
 * Messages go out as they are stored, also without UTF8: a client that cannot
 * read UTF-8 in a header is better served by it than by no message.
 * Not supported: STLS (2595); LANG (6856); APOP, which needs the password
 * itself on the server, while the store has argon2id hashes only, and gives for
 * that no more than a hash by MD5. */
#include "pop3/pop3_server.h"
#include "core/check.h"
#include "core/log.h"
#include "net/tcp.h"
#include "pop3/pop3_session.h"
#include <string.h>

#define POP3_PORT 110
/* RFC 1939 section 3: the autologout timer is at least 10 minutes. */
#define AUTOLOGOUT_MS     600000
#define STREAM_TIMEOUT_MS 660000
#define BUFFERS_MIN       4

static struct {
    struct task_pool pool;
    struct pop3_figures figures;
    bool stopping;
} state;

typedef size_t take_function(struct pop3_session *session, const uint8_t *data,
                             size_t len);

static size_t take_nothing(struct pop3_session *session, const uint8_t *data,
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
} states[POP3_STATES] = {
    [POP3_GREETED] = {"greeted", pop3_take_command, AUTOLOGOUT_MS},
    [POP3_NAMED] = {"named", pop3_take_command, AUTOLOGOUT_MS},
    [POP3_SECRET] = {"secret", pop3_take_secret, AUTOLOGOUT_MS},
    [POP3_TRANSACTION] = {"transaction", pop3_take_command, AUTOLOGOUT_MS},
    [POP3_LOGIN] = {"login", take_nothing, AUTOLOGOUT_MS},
    [POP3_LOCK] = {"lock", take_nothing, AUTOLOGOUT_MS},
    [POP3_SENDING] = {"sending", take_nothing, AUTOLOGOUT_MS},
    [POP3_UPDATE] = {"update", take_nothing, AUTOLOGOUT_MS},
    [POP3_CLOSING] = {"closing", take_nothing, AUTOLOGOUT_MS},
    [POP3_DYING] = {"dying", take_nothing, 0},
    [POP3_OVER] = {"over", take_nothing, 0},
};

struct pop3_figures *pop3_count(void)
{
    return &state.figures;
}

void pop3_enter_state(struct pop3_session *session, enum pop3_state next)
{
    if (session->state != next)
        log_debug("pop3", "session=%u state=%s", (unsigned)session->task.index,
                  states[next].name);
    session->state = (uint8_t)next;
    if (states[next].timeout_ms > 0)
        timer_start(&session->timer, states[next].timeout_ms);
    else
        timer_stop(&session->timer);
}

void pop3_release(struct pop3_session *session)
{
    if (session->has_drop)
        pop3_log_session(session);
    if (session->has_drop && session->maildrop.locked)
        st_maildrop_close(&session->maildrop);
    if (!session->has_drop)
        memset(&session->login, 0, sizeof(session->login));
    limits_end(&session->limits);
    pop3_enter_state(session, POP3_OVER);
    state.figures.sessions--;
    task_push(&session->task);
}

/* The one end of a session: the stream is somebody else's from here on. */
static void leave(struct pop3_session *session)
{
    if (session->has_drop)
        pop3_send_stop(session);
    session->dialogue.stream = NULL;
    if (pop3_give_up(session))
        pop3_release(session);
    else
        pop3_enter_state(session, POP3_DYING);
}

static void close_stream(struct pop3_session *session)
{
    struct stream *stream = session->dialogue.stream;

    leave(session);
    stream_close(stream);
}

void pop3_abort(struct pop3_session *session)
{
    struct stream *stream = session->dialogue.stream;

    leave(session);
    stream_abort(stream);
}

void pop3_say(struct pop3_session *session, enum pop3_reply reply)
{
    const char *text = pop3_reply_text(reply);

    if (text[0] == '-' && session->errors < UINT8_MAX)
        session->errors++;
    dialogue_write(&session->dialogue, text, strlen(text));
}

void pop3_finish(struct pop3_session *session, enum pop3_reply reply)
{
    bool at_store = session->state == POP3_LOGIN ||
                    session->state == POP3_LOCK ||
                    session->state == POP3_UPDATE;

    pop3_say(session, reply);
    if (!dialogue_blocked(&session->dialogue))
        close_stream(session);
    else if (at_store)
        pop3_abort(session); /* what it has asked for is not done yet */
    else
        pop3_enter_state(session, POP3_CLOSING);
}

void pop3_check_errors(struct pop3_session *session)
{
    if (session->errors >= POP3_ERRORS_MAX &&
        session->state <= POP3_TRANSACTION &&
        !dialogue_blocked(&session->dialogue))
        pop3_finish(session, POP3_TOO_MANY_ERRORS);
}

static bool reads_commands(const struct pop3_session *session)
{
    return session->state <= POP3_TRANSACTION;
}

void pop3_continue(struct pop3_session *session)
{
    if (!dialogue_flush(&session->dialogue))
        return;
    if (session->state == POP3_SENDING)
        pop3_send_more(session);
    pop3_check_errors(session);
    if (session->state == POP3_OVER || dialogue_blocked(&session->dialogue))
        return;
    if (session->state == POP3_CLOSING)
        close_stream(session);
    else if (!reads_commands(session))
        return;
    else if (state.stopping)
        pop3_finish(session, POP3_STOPPING);
    else if (session->ended)
        close_stream(session);
    else
        stream_resume(session->dialogue.stream);
}

/* ---- What the stream calls ---------------------------------------------- */

static size_t on_received(struct stream *stream, const uint8_t *data,
                          size_t len)
{
    struct pop3_session *session = stream->context;
    size_t used = 0;

    while (used < len) {
        size_t took =
            states[session->state].take(session, data + used, len - used);

        if (session->state >= POP3_DYING)
            return len;
        if (took == 0)
            break;
        used += took;
    }
    return used;
}

/* The peer has closed its side: what it has asked for is still answered. */
static void on_ended(struct stream *stream)
{
    struct pop3_session *session = stream->context;

    session->ended = true;
    if (reads_commands(session) && !dialogue_blocked(&session->dialogue))
        close_stream(session);
}

static void on_writable(struct stream *stream)
{
    pop3_continue(stream->context);
}

static void on_closed(struct stream *stream, enum err reason)
{
    struct pop3_session *session = stream->context;

    log_debug("pop3", "session=%u lost reason=\"%s\"",
              (unsigned)session->task.index, err_text(reason));
    leave(session);
}

static const struct stream_handler handler = {
    .received = on_received,
    .ended = on_ended,
    .writable = on_writable,
    .closed = on_closed,
};

static void on_timeout(struct timer *timer)
{
    struct pop3_session *session =
        LIST_ELEMENT(timer, struct pop3_session, timer);

    state.figures.timeouts++;
    /* In the midst of a reply there is no place for another one. */
    if (dialogue_blocked(&session->dialogue) || session->state == POP3_SENDING)
        pop3_abort(session);
    else
        pop3_finish(session, POP3_TIMED_OUT);
}

/* ---- Beginning and stopping ---------------------------------------------- */

static void greet(struct pop3_session *session)
{
    static const char greeting[] = "+OK Barepost POP3 server ready\r\n";

    dialogue_write(&session->dialogue, greeting, sizeof(greeting) - 1);
}

static void turn_away(struct stream *stream, enum pop3_reply reply)
{
    const char *text = pop3_reply_text(reply);

    state.figures.turned_away++;
    (void)stream_write(stream, text, strlen(text));
    stream_close(stream);
}

static void on_accept(struct stream *stream)
{
    struct limits_session limits;
    struct pop3_session *session;
    struct net_endpoint peer;

    state.figures.connections++;
    stream_peer(stream, &peer);
    if (limits_begin(&limits, &peer.address) != OK) {
        turn_away(stream, POP3_TOO_MANY_SESSIONS);
        return;
    }
    session = (struct pop3_session *)(void *)task_pop(&state.pool);
    if (session == NULL) {
        limits_end(&limits);
        turn_away(stream, POP3_BUSY);
        return;
    }
    if (++state.figures.sessions > state.figures.sessions_peak)
        state.figures.sessions_peak = state.figures.sessions;
    memset((char *)session + sizeof(struct task), 0,
           sizeof(*session) - sizeof(struct task));
    session->limits = limits;
    session->peer = peer.address;
    timer_init(&session->timer, on_timeout);
    dialogue_init(&session->dialogue, stream, session->line,
                  sizeof(session->line));
    session->state = POP3_OVER;
    session->listing = POP3_LIST_NONE;
    stream->handler = &handler;
    stream->context = session;
    stream_set_idle_timeout(stream, STREAM_TIMEOUT_MS);
    pop3_enter_state(session, POP3_GREETED);
    greet(session);
}

enum err pop3_server_init(unsigned sessions)
{
    unsigned buffers = sessions / 16;
    enum err error;

    memset(&state, 0, sizeof(state));
    state.figures.capacity = sessions;
    error = task_pool_init(&state.pool, "POP3S", sizeof(struct pop3_session),
                           sessions, NULL);
    if (error != OK)
        return error;
    return pop3_send_init(buffers > BUFFERS_MIN ? buffers : BUFFERS_MIN);
}

void pop3_server_start(void)
{
    enum err error = tcp_listen(POP3_PORT, on_accept);

    state.stopping = false;
    if (error != OK)
        log_err("pop3", "cannot listen port=%u error=\"%s\"", POP3_PORT,
                err_text(error));
}

void pop3_server_stop(void)
{
    unsigned i;

    state.stopping = true;
    tcp_unlisten(POP3_PORT);
    for (i = 0; i < state.pool.count; i++) {
        struct pop3_session *session =
            (struct pop3_session *)(void *)(state.pool.tasks +
                                            i * state.pool.size);

        if (!session->task.active || session->state == POP3_UPDATE ||
            session->state == POP3_DYING || session->state == POP3_CLOSING)
            continue;
        if (dialogue_blocked(&session->dialogue) ||
            session->state == POP3_SENDING)
            pop3_abort(session);
        else
            pop3_finish(session, POP3_STOPPING);
    }
}

void pop3_figures(struct pop3_figures *figures)
{
    *figures = state.figures;
}
