/* A protocol that does what a test tells it, and the frame of a TCP case. To
 * be included by one C file of a test program. */
#ifndef TESTS_UNIT_TCP_SESSION_H
#define TESTS_UNIT_TCP_SESSION_H

#include "tests/unit/fake_wire.h"

#define PORT 25

/* ---- A protocol that does what the test tells it ---- */

struct session {
    struct stream *stream;
    uint8_t received[300000];
    size_t len;
    unsigned opened, ended, writable, closed, accepted, calls;
    enum err reason;
    size_t limit; /* consumes at most so much in all */
    bool whole_lines;
    const char *greeting;
    bool close_on_accept, abort_on_accept;
    bool close_in_received, abort_in_received, close_on_end;
    bool resume_in_received;
    const char *answer;
};

static struct session session;

static inline void on_opened(struct stream *stream)
{
    session.opened++;
    (void)stream;
}

static inline size_t whole_lines(const uint8_t *data, size_t len)
{
    while (len && data[len - 1] != '\n')
        len--;
    return len;
}

static inline size_t on_received(struct stream *stream, const uint8_t *data,
                                 size_t len)
{
    size_t room = session.limit - session.len;
    size_t take = len < room ? len : room;

    session.calls++;
    if (session.whole_lines)
        take = whole_lines(data, take);
    memcpy(session.received + session.len, data, take);
    session.len += take;
    if (session.answer && take)
        stream_write(stream, session.answer, strlen(session.answer));
    if (session.resume_in_received)
        stream_resume(stream);
    if (session.abort_in_received)
        stream_abort(stream);
    else if (session.close_in_received)
        stream_close(stream);
    return take;
}

static inline void on_ended(struct stream *stream)
{
    session.ended++;
    if (session.close_on_end)
        stream_close(stream);
}

static inline void on_writable(struct stream *stream)
{
    (void)stream;
    session.writable++;
}

static inline void on_closed(struct stream *stream, enum err reason)
{
    (void)stream;
    session.closed++;
    session.reason = reason;
    session.stream = NULL;
}

static const struct stream_handler handler = {
    .opened = on_opened,
    .received = on_received,
    .ended = on_ended,
    .writable = on_writable,
    .closed = on_closed,
};

static inline void on_accept(struct stream *stream)
{
    session.accepted++;
    session.stream = stream;
    stream->handler = &handler;
    stream->context = &session;
    if (session.greeting)
        stream_write(stream, session.greeting, strlen(session.greeting));
    if (session.abort_on_accept)
        stream_abort(stream);
    else if (session.close_on_accept)
        stream_close(stream);
}

/* ---- Frame of a case ---- */

static size_t free_before;

static inline void begin_with(unsigned buffers, unsigned connections)
{
    memset(&session, 0, sizeof(session));
    session.limit = sizeof(session.received);
    wire_begin(buffers, connections);
    wire_know_peer();
    CHECK(tcp_listen(PORT, on_accept) == OK);
    free_before = iobuf_free();
}

static inline void begin(void)
{
    begin_with(2048, 64);
}

/* Nothing may be left over: no TCB, no buffer. */
static inline void end_at(int line)
{
    struct tcp_figures figures;

    tcp_abort_all();
    pass_time(5000); /* what waits for ARP */
    wire_release_held();
    tcp_figures(&figures);
    CHECK(figures.connections == 0);
    if (iobuf_free() != free_before)
        printf("line %d: %ld buffers are missing\n", line,
               (long)free_before - (long)iobuf_free());
    CHECK(iobuf_free() == free_before);
    wire_forget();
}

#define end() end_at(__LINE__)

static inline struct peer connected(uint16_t port)
{
    struct peer p = peer_new(port, PORT, 1000);

    peer_set_options(&p, 1460, -1, false);
    peer_connect(&p);
    return p;
}

/* The same, and the peer takes nothing any more. */
static inline struct peer connected_closed(uint16_t port)
{
    struct peer p = connected(port);

    p.window = 0;
    peer_send(&p, ACK, NULL, 0);
    return p;
}

static inline struct tcp_figures figures(void)
{
    struct tcp_figures f;

    tcp_figures(&f);
    return f;
}

static inline void fill(uint8_t *bytes, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((i + seed) * 31 + ((i + seed) >> 8));
}

static inline struct peer connecting(struct seen *syn)
{
    struct net_endpoint to = {.address = net_address_v4(PEER_IP), .port = 25};
    struct peer p;

    session.stream = tcp_connect(&to, &handler, &session);
    CHECK(session.stream != NULL && !seen_next().any);
    net_flush();
    *syn = seen_next();
    p = peer_new(25, syn->source_port, 500000);
    p.ack = syn->seq + 1;
    return p;
}

#endif
