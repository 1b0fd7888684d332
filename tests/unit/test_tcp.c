/* TCP against a hand-driven peer: every check looks at segments on the wire or
 * at what the protocol's handler was told. */
#include "net/tcp_state.h"
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
    const char *answer;
};

static struct session session;

static void on_opened(struct stream *stream)
{
    session.opened++;
    (void)stream;
}

static size_t whole_lines(const uint8_t *data, size_t len)
{
    while (len && data[len - 1] != '\n')
        len--;
    return len;
}

static size_t on_received(struct stream *stream, const uint8_t *data,
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
    if (session.abort_in_received)
        stream_abort(stream);
    else if (session.close_in_received)
        stream_close(stream);
    return take;
}

static void on_ended(struct stream *stream)
{
    session.ended++;
    if (session.close_on_end)
        stream_close(stream);
}

static void on_writable(struct stream *stream)
{
    (void)stream;
    session.writable++;
}

static void on_closed(struct stream *stream, enum err reason)
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

static void on_accept(struct stream *stream)
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

static void begin_with(unsigned buffers, unsigned connections)
{
    memset(&session, 0, sizeof(session));
    session.limit = sizeof(session.received);
    wire_begin(buffers, connections);
    wire_know_peer();
    CHECK(tcp_listen(PORT, on_accept) == OK);
    free_before = iobuf_free();
}

static void begin(void)
{
    begin_with(2048, 64);
}

/* Nothing may be left over: no TCB, no buffer. */
static void end(void)
{
    struct tcp_figures figures;

    tcp_abort_all();
    wire_release_held();
    tcp_figures(&figures);
    CHECK(figures.connections == 0);
    CHECK(iobuf_free() == free_before);
    wire_forget();
}

static struct peer connected(uint16_t port)
{
    struct peer p = peer_new(port, PORT, 1000);

    peer_set_options(&p, 1460, -1, false);
    peer_connect(&p);
    return p;
}

static struct tcp_figures figures(void)
{
    struct tcp_figures f;

    tcp_figures(&f);
    return f;
}

/* ---- Cases ---- */

static void test_session(void)
{
    struct peer p;
    struct seen s;

    begin();
    session.greeting = "220 hello\r\n";
    session.answer = "250 ok\r\n";
    session.close_on_end = true;
    p = connected(40001);
    s = peer_take(&p);
    CHECK(s.len == 11 && !memcmp(s.data, "220 hello\r\n", 11));
    CHECK(s.flags == (ACK | PSH));
    peer_text(&p, "EHLO x\r\n");
    s = peer_take(&p);
    CHECK(s.len == 8 && s.ack == p.seq && !memcmp(s.data, "250 ok\r\n", 8));
    CHECK(session.len == 8 && !memcmp(session.received, "EHLO x\r\n", 8));
    peer_send(&p, ACK | FIN, NULL, 0);
    s = peer_take(&p);
    CHECK(s.flags & FIN && s.ack == p.seq && s.len == 0);
    CHECK(session.ended == 1 && session.closed == 0);
    CHECK(figures().connections == 1);
    peer_send(&p, ACK, NULL, 0);
    CHECK(figures().connections == 0);
    CHECK(!seen_next().any);
    end();
}

int main(void)
{
    test_session();
    return check_report();
}
