/* TCP where two things meet that seldom do: ends within a pass, late
 * acknowledgements, windows that are full to the last byte, buffers that are
 * used up. */
#include "net/tcp_internal.h"
#include "tests/unit/tcp_session.h"

/* A handler that asks to be offered again, and aborts after all: the connection
 * is gone at once, and its TCB serves the next one. */
static void test_resume_then_abort(void)
{
    struct peer p;

    begin_with(2048, 1);
    session.resume_in_received = session.abort_in_received = true;
    p = connected(41000);
    peer_text(&p, "x");
    CHECK(figures().connections == 0 && !net_flush());
    session.resume_in_received = session.abort_in_received = false;
    for (uint16_t i = 1; i < 3; i++) {
        p = peer_new((uint16_t)(41000 + i), PORT, 1000);
        wire_forget();
        peer_send(&p, SYN, NULL, 0);
        CHECK(peer_take(&p).any == (i == 1)); /* there is one TCB */
        peer_send(&p, ACK, NULL, 0);
    }
    CHECK(session.accepted == 2 && figures().connections == 1);
    end();
}

/* The timer has fired although all had arrived: the acknowledgement of the FIN
 * counts, however little was sent again by then. */
static void test_fin_acknowledged_late(void)
{
    static const uint8_t data[4000];
    struct peer p;

    begin();
    p = connected(41010);
    stream_write(session.stream, data, sizeof(data));
    stream_close(session.stream);
    net_flush();
    while (peer_take(&p).any)
        ;
    pass_time(300);
    CHECK(seen_count() == 1); /* the first segment, once more */
    peer_send(&p, ACK, NULL, 0);
    CHECK(!seen_next().any);
    peer_send(&p, FIN | ACK, NULL, 0);
    CHECK(figures().connections == 0);
    end();
}

static void send_and_acknowledge(struct peer *p, size_t segments)
{
    static const uint8_t data[1460];

    for (size_t i = 0; i < segments; i++) {
        CHECK(stream_write(session.stream, data, sizeof(data)) == 1460);
        net_flush();
        peer_take(p);
        peer_send(p, ACK, NULL, 0);
    }
}

/* Fast recovery works after 2 GiB without a loss, too. They are not sent here:
 * the number of the last loss is put back. */
static void test_recovery_after_much(void)
{
    static const uint8_t data[8 * 1460];
    struct peer p;
    struct tcb *tcb;
    uint32_t first;

    begin();
    p = connected(41020);
    tcb = (struct tcb *)(void *)session.stream;
    send_and_acknowledge(&p, 1);
    tcb->recover = tcb->send_unacked - 0x7FFFF000U;
    send_and_acknowledge(&p, 10);
    wire_forget();
    first = p.ack;
    stream_write(session.stream, data, sizeof(data));
    net_flush();
    CHECK(seen_count() == 8);
    for (unsigned i = 0; i < 3; i++) /* all but the first have come */
        peer_send(&p, ACK, NULL, 0);
    CHECK(seen_next().seq == first);
    end();
}

/* What was promised is taken, although the window field counts by fours. */
static void test_odd_window(void)
{
    static const uint8_t data[1401];
    struct peer p = peer_new(41030, PORT, 1000);
    struct seen s;
    uint32_t edge;

    begin();
    session.limit = 0;
    peer_set_options(&p, 1460, 0, false);
    peer_connect(&p);
    peer_send(&p, ACK, data, 1401);
    pass_time(200);
    s = peer_take(&p);
    CHECK(s.any && s.ack == p.seq);
    edge = s.ack + ((uint32_t)s.window << 2);
    while (p.seq != edge) {
        uint32_t left = edge - p.seq;

        peer_send(&p, ACK, data, left < 1401 ? left : 1401);
        pass_time(200);
    }
    do
        s = peer_take(&p);
    while (wire.out_head != wire.out_tail);
    CHECK(s.ack == edge && s.window == 0);
    end();
}

/* An acknowledgement is understood by a peer whose window is closed: with a
 * number beyond it (RFC 9293 3.10.7.4, first) it would be thrown away. */
static void test_acknowledge_behind_probe(void)
{
    struct peer p;
    struct seen s;
    uint32_t start;

    begin();
    p = connected_closed(41040);
    start = p.ack;
    stream_write(session.stream, "0123456789", 10);
    pass_time(1500);
    CHECK(seen_next().len == 1); /* the probe, which is not taken */
    wire_forget();
    peer_text(&p, "hello");
    pass_time(160);
    while ((s = seen_next()).any && s.len)
        ;
    CHECK(s.any && s.ack == p.seq && s.seq == start);
    end();
}

/* A window that was closed long before anything was written is probed like any
 * other; that nothing was acknowledged meanwhile means nothing. */
static void test_closed_for_long(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected_closed(41070);
    pass_time(300000);
    wire_know_peer();
    stream_write(session.stream, "0123456789", 10);
    pass_time(1500);
    s = seen_next();
    CHECK(s.len == 1 && session.closed == 0);
    p.window = 1000;
    p.ack = s.seq;
    peer_send(&p, ACK, NULL, 0);
    CHECK(seen_next().len >= 1);
    end();
}

/* A card that is busy for a moment is no closed window, neither before ... */
static void test_busy_is_not_closed(void)
{
    struct peer p;
    struct tcb *tcb;

    begin();
    p = connected(41080);
    tcb = (struct tcb *)(void *)session.stream;
    send_and_acknowledge(&p, 1);
    pass_time(300000);
    wire_know_peer();
    wire.refuse = true;
    stream_write(session.stream, "0123456789", 10);
    pass_time(5000);
    CHECK(session.closed == 0);
    wire.refuse = false;
    pass_time(300);
    CHECK(peer_take(&p).len == 10 && !tcb->probing);
    end();
}

/* ... nor when it is so just as a probe is due: that one was not sent. */
static void test_busy_at_probe(void)
{
    struct peer p;

    begin();
    p = connected(41090);
    send_and_acknowledge(&p, 1);
    p.window = 0;
    peer_send(&p, ACK, NULL, 0);
    stream_write(session.stream, "0123456789", 10);
    pass_time(3500); /* at 0.2, 0.6, 1.4, 3 s */
    CHECK(seen_count() == 4);
    wire.refuse = true;
    pass_time(2800); /* 6.2 s */
    wire.refuse = false;
    pass_time(500);
    CHECK(seen_count() == 1);
    end();
}

/* What came too early gives way to what is awaited, when no more may be kept: a
 * handler that needs the rest of a line would wait for ever. */
static void test_early_gives_way(void)
{
    enum { PIECE = 1400, PIECES = 40 };
    static char text[PIECE * PIECES];
    struct peer p;
    uint32_t start, acked;

    begin_with(256, 4);
    session.whole_lines = true;
    p = connected(41050);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 1500 == 1499 ? '\n' : 'a';
    start = acked = p.seq;
    for (uint32_t i = 1; i < PIECES; i++)
        peer_raw(&p, start + i * PIECE, p.ack, ACK, text + i * PIECE, PIECE);
    for (unsigned i = 0; i < 2 * PIECES && acked - start < sizeof(text); i++) {
        struct seen s;

        wire_forget();
        peer_raw(&p, acked, p.ack, ACK, text + (acked - start),
                 sizeof(text) - (acked - start) < PIECE
                     ? sizeof(text) - (acked - start)
                     : PIECE);
        pass_time(200);
        while ((s = seen_next()).any)
            acked = s.ack;
    }
    CHECK(acked - start == sizeof(text));
    CHECK(session.len == sizeof(text) / 1500 * 1500);
    CHECK(!memcmp(session.received, text, session.len));
    p.seq = acked;
    end();
}

/* A client that was restarted asks with another number: it is answered, so that
 * it can reset what it knows nothing of (RFC 9293 3.10.7.4, fourth). */
static void test_second_syn(void)
{
    struct peer p = peer_new(41060, PORT, 1000);
    struct seen s;

    begin();
    peer_send(&p, SYN, NULL, 0);
    CHECK(peer_take(&p).flags == (SYN | ACK));
    peer_raw(&p, 3000, 0, SYN, NULL, 0);
    s = seen_next();
    CHECK(s.flags == ACK && s.ack == 1001);
    peer_raw(&p, s.ack, 0, RST, NULL, 0);
    peer_raw(&p, 3000, 0, SYN, NULL, 0);
    s = seen_next();
    CHECK(s.flags == (SYN | ACK) && s.ack == 3001);
    end();
}

int main(void)
{
    test_resume_then_abort();
    test_fin_acknowledged_late();
    test_recovery_after_much();
    test_odd_window();
    test_acknowledge_behind_probe();
    test_closed_for_long();
    test_busy_is_not_closed();
    test_busy_at_probe();
    test_early_gives_way();
    test_second_syn();
    return check_report();
}
