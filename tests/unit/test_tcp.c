/* TCP against a hand-driven peer: states, opening, closing, resets, and what
 * is received. Every check looks at segments on the wire or at what the
 * protocol's handler was told. */
#include "net/tcp_state.h"
#include "tests/unit/tcp_session.h"

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

/* RFC 9293 figure 5, by hand: everything not named stays. */
static void test_state_table(void)
{
    static const struct {
        enum tcp_state from;
        enum tcp_event event;
        enum tcp_state to;
    } moves[] = {
        {TCP_CLOSED, TCP_EVENT_PASSIVE_OPEN, TCP_LISTEN},
        {TCP_CLOSED, TCP_EVENT_ACTIVE_OPEN, TCP_SYN_SENT},
        {TCP_LISTEN, TCP_EVENT_ACTIVE_OPEN, TCP_SYN_SENT},
        {TCP_LISTEN, TCP_EVENT_SYN, TCP_SYN_RECEIVED},
        {TCP_LISTEN, TCP_EVENT_CLOSE, TCP_CLOSED},
        {TCP_LISTEN, TCP_EVENT_ABORT, TCP_CLOSED},
        {TCP_SYN_SENT, TCP_EVENT_SYN, TCP_SYN_RECEIVED},
        {TCP_SYN_SENT, TCP_EVENT_SYN_ACKED, TCP_ESTABLISHED},
        {TCP_SYN_SENT, TCP_EVENT_CLOSE, TCP_CLOSED},
        {TCP_SYN_RECEIVED, TCP_EVENT_SYN_ACKED, TCP_ESTABLISHED},
        {TCP_SYN_RECEIVED, TCP_EVENT_CLOSE, TCP_FIN_WAIT_1},
        {TCP_SYN_RECEIVED, TCP_EVENT_FIN, TCP_CLOSE_WAIT},
        {TCP_ESTABLISHED, TCP_EVENT_CLOSE, TCP_FIN_WAIT_1},
        {TCP_ESTABLISHED, TCP_EVENT_FIN, TCP_CLOSE_WAIT},
        {TCP_FIN_WAIT_1, TCP_EVENT_FIN, TCP_CLOSING},
        {TCP_FIN_WAIT_1, TCP_EVENT_FIN_ACKED, TCP_FIN_WAIT_2},
        {TCP_FIN_WAIT_2, TCP_EVENT_FIN, TCP_TIME_WAIT},
        {TCP_CLOSE_WAIT, TCP_EVENT_CLOSE, TCP_LAST_ACK},
        {TCP_CLOSING, TCP_EVENT_FIN_ACKED, TCP_TIME_WAIT},
        {TCP_LAST_ACK, TCP_EVENT_FIN_ACKED, TCP_CLOSED},
    };

    for (unsigned from = 0; from < TCP_STATES; from++) {
        for (unsigned event = 0; event < TCP_EVENTS; event++) {
            enum tcp_state expected = (enum tcp_state)from;

            if (event >= TCP_EVENT_RESET && from >= TCP_SYN_SENT)
                expected = TCP_CLOSED;
            for (unsigned i = 0; i < sizeof(moves) / sizeof(*moves); i++) {
                if (moves[i].from == from && moves[i].event == event)
                    expected = moves[i].to;
            }
            CHECK(tcp_next_state((enum tcp_state)from, (enum tcp_event)event) ==
                  expected);
        }
        CHECK(tcp_state_name((enum tcp_state)from) != NULL);
    }
    CHECK(!strcmp(tcp_state_name(TCP_FIN_WAIT_1), "FIN-WAIT-1"));
    CHECK(!strcmp(tcp_event_name(TCP_EVENT_FIN_ACKED), "fin acked"));
}

static void test_handshake_options(void)
{
    struct peer p = peer_new(40002, PORT, 0xFFFFFFFE);
    struct seen s;

    begin();
    session.greeting = "hi";
    peer_set_options(&p, 1000, 7, true);
    s = peer_connect(&p);
    CHECK(s.mss == 1460 && s.scale == 2 && s.sack_permitted);
    CHECK(session.accepted == 1);
    CHECK(peer_take(&p).len == 2);
    /* Without the peer's options none come back but MSS. */
    p = peer_new(40003, PORT, 5);
    s = peer_connect(&p);
    CHECK(s.mss == 1460 && s.scale == -1 && !s.sack_permitted);
    end();
}

static void test_bad_handshakes(void)
{
    struct peer p = peer_new(40004, PORT, 100), q;
    struct seen s, t;

    begin();
    /* A closed port. */
    q = peer_new(40004, 26, 100);
    peer_send(&q, SYN, NULL, 0);
    s = seen_next();
    CHECK(s.flags == (RST | ACK) && s.ack == 101 && s.seq == 0);
    /* An ACK to a listener. */
    peer_raw(&p, 5, 77, ACK, NULL, 0);
    s = seen_next();
    CHECK(s.flags == RST && s.seq == 77);
    /* RST to a listener: silence. SYN+FIN, data on SYN: only SYN counts. */
    peer_raw(&p, 5, 77, RST, NULL, 0);
    CHECK(!seen_next().any);
    peer_raw(&p, 100, 0, SYN, "data", 4);
    s = seen_next();
    CHECK(s.flags == (SYN | ACK) && s.ack == 101);
    /* The same SYN again: the same answer. */
    peer_raw(&p, 100, 0, SYN, "data", 4);
    t = seen_next();
    CHECK(t.flags == (SYN | ACK) && t.ack == 101 && t.seq == s.seq);
    /* A wrong ACK is reset, the half-open connection stays. */
    peer_raw(&p, 101, s.seq + 5, ACK, NULL, 0);
    t = seen_next();
    CHECK(t.flags == RST && t.seq == s.seq + 5);
    /* RST beside the window edge does not kill it, the exact one does. */
    peer_raw(&p, 105, 0, RST, NULL, 0);
    peer_raw(&p, 101, s.seq + 1, ACK | PSH, "data", 4);
    CHECK(session.accepted == 1 && session.len == 4);
    q = peer_new(40005, PORT, 100);
    peer_send(&q, SYN, NULL, 0);
    peer_take(&q);
    peer_raw(&q, 101, 0, RST, NULL, 0);
    wire_forget();
    peer_raw(&q, 101, q.ack, ACK, NULL, 0);
    CHECK(seen_next().flags == RST);
    CHECK(session.accepted == 1);
    end();
}

static void test_syn_ack_lost(void)
{
    struct peer p = peer_new(40006, PORT, 100);
    struct seen s;

    begin();
    session.greeting = "220\r\n";
    peer_send(&p, SYN, NULL, 0);
    s = peer_take(&p);
    pass_time(900);
    CHECK(!seen_next().any);
    pass_time(200);
    CHECK(seen_next().seq == s.seq);
    pass_time(2000);
    CHECK(seen_next().flags == (SYN | ACK));
    peer_send(&p, ACK, NULL, 0);
    CHECK(peer_take(&p).len == 5);
    end();
    /* Nobody answers: it is forgotten. */
    begin();
    p = peer_new(40007, PORT, 100);
    peer_send(&p, SYN, NULL, 0);
    pass_time(70000);
    CHECK(seen_count() == 6);
    peer_send(&p, ACK, NULL, 0);
    CHECK(seen_next().flags == RST);
    end();
}

/* 421 and FIN at once; the third segment's sender sees one segment. */
static void test_close_on_accept(void)
{
    struct peer p;
    struct seen s;

    begin();
    session.greeting = "421 busy\r\n";
    session.close_on_accept = true;
    p = connected(40008);
    s = peer_take(&p);
    CHECK(s.len == 10 && s.flags == (ACK | PSH | FIN));
    CHECK(!seen_next().any);
    peer_send(&p, ACK | FIN, NULL, 0);
    s = peer_take(&p);
    CHECK(s.flags == ACK && s.ack == p.seq);
    CHECK(session.closed == 0 && figures().connections == 0);
    end();
    begin();
    session.abort_on_accept = true;
    p = connected(40009);
    CHECK(seen_next().flags == (RST | ACK));
    CHECK(figures().connections == 0 && session.closed == 0);
    end();
}

/* We close first; TIME-WAIT answers a repeated FIN and can be reused. */
static void test_active_close(void)
{
    struct peer p;
    struct seen s;
    uint32_t fin;

    begin();
    p = connected(40010);
    stream_write(session.stream, "bye", 3);
    stream_close(session.stream);
    CHECK(!seen_next().any);
    net_flush();
    s = peer_take(&p);
    CHECK(s.len == 3 && s.flags & FIN);
    peer_send(&p, ACK, NULL, 0);
    /* FIN-WAIT-2: what the peer still sends is taken and discarded. */
    peer_text(&p, "more");
    pass_time(200);
    s = peer_take(&p);
    CHECK(s.flags == ACK && s.ack == p.seq && session.len == 0);
    fin = p.seq;
    peer_send(&p, ACK | FIN, NULL, 0);
    s = peer_take(&p);
    CHECK(s.flags == ACK && s.ack == p.seq);
    CHECK(figures().connections == 0);
    pass_time(1000);
    peer_raw(&p, fin, p.ack, ACK | FIN, NULL, 0);
    s = seen_next();
    CHECK(s.flags == ACK && s.ack == p.seq && s.seq == p.ack);
    /* A SYN with lower numbers is answered by an ACK, a higher one opens. */
    pass_time(1000);
    peer_raw(&p, fin - 5000, 0, SYN, NULL, 0);
    s = seen_next();
    CHECK(s.flags == ACK && s.seq == p.ack);
    p.seq += 1000;
    peer_send(&p, SYN, NULL, 0);
    s = seen_next();
    CHECK(s.flags == (SYN | ACK) && (int32_t)(s.seq - p.ack) > 0);
    end();
}

static void test_time_wait_ends(void)
{
    struct peer p;

    begin();
    p = connected(40011);
    stream_close(session.stream);
    net_flush();
    peer_take(&p);
    peer_send(&p, ACK | FIN, NULL, 0);
    wire_forget();
    pass_time(59000);
    peer_raw(&p, p.seq - 1, p.ack, ACK | FIN, NULL, 0);
    CHECK(seen_next().flags == ACK);
    pass_time(61000);
    peer_raw(&p, p.seq - 1, p.ack, ACK | FIN, NULL, 0);
    CHECK(seen_next().flags == RST);
    end();
}

static void test_simultaneous_close(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected(40012);
    stream_close(session.stream);
    net_flush();
    s = seen_next();
    CHECK(s.flags & FIN);
    peer_send(&p, ACK | FIN, NULL, 0); /* has not seen ours */
    s = seen_next();
    CHECK(s.flags == ACK && s.ack == p.seq);
    CHECK(figures().connections == 1); /* CLOSING */
    p.ack++;
    peer_send(&p, ACK, NULL, 0);
    CHECK(figures().connections == 0); /* TIME-WAIT */
    peer_raw(&p, p.seq - 1, p.ack, ACK | FIN, NULL, 0);
    CHECK(seen_next().flags == ACK);
    end();
}

/* The peer is done, we still send: half-close. */
static void test_half_close(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected(40013);
    peer_send(&p, ACK | FIN, "last", 4);
    CHECK(session.len == 4 && session.ended == 1);
    pass_time(200);
    s = peer_take(&p);
    CHECK(s.flags == ACK && s.ack == p.seq);
    stream_write(session.stream, "more", 4);
    net_flush();
    s = peer_take(&p);
    CHECK(s.len == 4);
    peer_send(&p, ACK, NULL, 0);
    stream_write(session.stream, "end", 3);
    stream_close(session.stream);
    net_flush();
    s = peer_take(&p);
    CHECK(s.len == 3 && s.flags & FIN);
    CHECK(figures().connections == 1);
    peer_send(&p, ACK, NULL, 0);
    CHECK(figures().connections == 0 && session.closed == 0);
    end();
}

static void test_fin_lost(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected(40014);
    stream_write(session.stream, "x", 1);
    stream_close(session.stream);
    net_flush();
    wire_forget();
    pass_time(1100);
    s = peer_take(&p);
    CHECK(s.len == 1 && s.flags & FIN);
    /* The data is acknowledged, the FIN is not. */
    p.ack--;
    peer_send(&p, ACK, NULL, 0);
    wire_forget();
    pass_time(3000);
    s = peer_take(&p);
    CHECK(s.len == 0 && s.flags & FIN);
    wire_forget();
    peer_send(&p, ACK | FIN, NULL, 0);
    CHECK(seen_next().flags == ACK);
    CHECK(figures().connections == 0);
    end();
    /* FIN-WAIT-2 does not last for ever. */
    begin();
    p = connected(40015);
    stream_close(session.stream);
    net_flush();
    peer_take(&p);
    peer_send(&p, ACK, NULL, 0);
    pass_time(59000);
    CHECK(figures().connections == 1);
    pass_time(2000);
    CHECK(figures().connections == 0);
    end();
}

static void test_reset(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected(40016);
    /* Outside of the window: ignored. Inside: challenged. Exact: works. */
    peer_raw(&p, p.seq - 1, 0, RST, NULL, 0);
    CHECK(!seen_next().any && session.closed == 0);
    peer_raw(&p, p.seq + 100, 0, RST, NULL, 0);
    s = seen_next();
    CHECK(s.flags == ACK && s.ack == p.seq && session.closed == 0);
    /* Challenges are limited. */
    peer_raw(&p, p.seq + 100, 0, RST, NULL, 0);
    CHECK(!seen_next().any);
    pass_time(200);
    peer_raw(&p, p.seq, p.ack, SYN | ACK, NULL, 0);
    CHECK(seen_next().flags == ACK && session.closed == 0);
    peer_raw(&p, p.seq, 0, RST, NULL, 0);
    CHECK(session.closed == 1 && session.reason == ERR_RESET);
    CHECK(!seen_next().any && figures().connections == 0);
    end();
}

static void test_bad_acks(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected(40017);
    wire_forget();
    /* Acknowledges what was never sent. */
    peer_raw(&p, p.seq, p.ack + 1000, ACK | PSH, "evil", 4);
    s = seen_next();
    CHECK(s.flags == ACK && s.ack == p.seq && session.len == 0);
    pass_time(200);
    peer_raw(&p, p.seq, p.ack - 200000, ACK | PSH, "evil", 4);
    CHECK(session.len == 0);
    wire_forget();
    /* No ACK flag at all. */
    peer_raw(&p, p.seq, 0, PSH, "evil", 4);
    CHECK(session.len == 0 && !seen_next().any);
    /* An old ACK is fine with data that is in order. */
    stream_write(session.stream, "abc", 3);
    net_flush();
    peer_take(&p);
    peer_send(&p, ACK, NULL, 0);
    p.ack -= 2;
    peer_text(&p, "good");
    CHECK(session.len == 4);
    end();
}

static void test_bad_checksum(void)
{
    uint8_t frame[60] = {0};
    struct peer p;

    begin();
    p = connected(40018);
    wire_forget();
    put_be16(frame + 34, p.port);
    put_be16(frame + 36, PORT);
    put_be32(frame + 38, p.seq);
    put_be32(frame + 42, p.ack);
    frame[46] = 0x50;
    frame[47] = ACK | RST;
    put_be16(frame + 50, 0x1234);
    wire_in(frame, build_ip(frame, PEER_IP, OUR_IP, 6, 20));
    CHECK(figures().bad == 1 && session.closed == 0 && !seen_next().any);
    /* Header lengths that are not there. */
    frame[46] = 0xF0;
    wire_in(frame, build_ip(frame, PEER_IP, OUR_IP, 6, 20));
    frame[46] = 0x40;
    wire_in(frame, build_ip(frame, PEER_IP, OUR_IP, 6, 20));
    wire_in(frame, build_ip(frame, PEER_IP, OUR_IP, 6, 7));
    CHECK(figures().bad == 4 && session.closed == 0 && !seen_next().any);
    end();
}

static void test_out_of_order(void)
{
    struct peer p = peer_new(40019, PORT, 0xFFFFFF00); /* wraps inside */
    uint8_t data[1000], expected[1000];
    struct seen s;

    begin();
    peer_set_options(&p, 1460, -1, true);
    peer_connect(&p);
    wire_forget();
    fill(data, sizeof(data), 0);
    memcpy(expected, data, sizeof(data));
    peer_raw(&p, p.seq + 200, p.ack, ACK, data + 200, 100);
    s = seen_next();
    CHECK(s.ack == p.seq && s.sack_blocks == 1);
    CHECK(s.sack[0][0] == p.seq + 200 && s.sack[0][1] == p.seq + 300);
    peer_raw(&p, p.seq + 600, p.ack, ACK, data + 600, 100);
    s = seen_next();
    CHECK(s.sack_blocks == 2 && s.sack[0][0] == p.seq + 600);
    CHECK(s.sack[1][0] == p.seq + 200);
    /* Repeated, overlapping in front, behind, and over all. */
    peer_raw(&p, p.seq + 200, p.ack, ACK, data + 200, 100);
    peer_raw(&p, p.seq + 150, p.ack, ACK, data + 150, 100);
    peer_raw(&p, p.seq + 250, p.ack, ACK, data + 250, 100);
    peer_raw(&p, p.seq + 500, p.ack, ACK, data + 500, 400);
    peer_raw(&p, p.seq + 350, p.ack, ACK, data + 350, 170);
    CHECK(session.len == 0);
    wire_forget();
    peer_raw(&p, p.seq, p.ack, ACK, data, 160);
    s = seen_next();
    CHECK(s.ack == p.seq + 900 && s.sack_blocks == 0);
    CHECK(session.len == 900);
    /* Half old, half new. */
    peer_raw(&p, p.seq + 800, p.ack, ACK, data + 800, 200);
    CHECK(session.len == 1000);
    CHECK(!memcmp(session.received, expected, 1000));
    /* All old: acknowledged at once. */
    wire_forget();
    peer_raw(&p, p.seq + 100, p.ack, ACK, data + 100, 200);
    CHECK(seen_next().ack == p.seq + 1000 && session.len == 1000);
    end();
}

static void test_early_fin(void)
{
    struct peer p;

    begin();
    session.close_on_end = true;
    p = connected(40020);
    wire_forget();
    peer_raw(&p, p.seq + 4, p.ack, ACK | FIN, "5678", 4);
    CHECK(session.len == 0 && session.ended == 0);
    CHECK(seen_next().ack == p.seq);
    /* Bytes behind its own FIN are not taken. */
    peer_raw(&p, p.seq + 8, p.ack, ACK, "zzzz", 4);
    peer_raw(&p, p.seq, p.ack, ACK, "1234", 4);
    CHECK(session.len == 8 && !memcmp(session.received, "12345678", 8));
    CHECK(session.ended == 1);
    end();
}

/* Beyond the window nothing is taken, whatever the numbers say. */
static void test_window_edge(void)
{
    struct peer p;
    struct seen s;
    uint8_t data[1400];
    uint32_t edge;

    begin();
    session.limit = 0;
    p = connected(40021);
    fill(data, sizeof(data), 3);
    peer_text(&p, "x");
    pass_time(200);
    s = peer_take(&p);
    edge = s.ack + s.window;
    peer_raw(&p, edge, p.ack, ACK, data, 1400);
    CHECK(seen_next().ack == p.seq);
    peer_raw(&p, edge + 5000, p.ack, ACK, data, 1400);
    CHECK(seen_next().ack == p.seq);
    /* Fill it to the brim and over. */
    while ((int32_t)(edge - p.seq) > 0)
        peer_send(&p, ACK, data, 1400);
    pass_time(300);
    wire_forget();
    peer_raw(&p, edge, p.ack, ACK, "y", 1);
    s = seen_next();
    CHECK(s.ack == edge && s.window == 0);
    /* The handler wants it after all. */
    session.limit = sizeof(session.received);
    stream_resume(session.stream);
    CHECK(session.len == 0);
    net_flush();
    CHECK(session.len == edge - 1001);
    s = seen_next();
    CHECK(s.ack == edge && s.window > 30000);
    end();
}

int main(void)
{
    test_session();
    test_state_table();
    test_handshake_options();
    test_bad_handshakes();
    test_syn_ack_lost();
    test_close_on_accept();
    test_active_close();
    test_time_wait_ends();
    test_simultaneous_close();
    test_half_close();
    test_fin_lost();
    test_reset();
    test_bad_acks();
    test_bad_checksum();
    test_out_of_order();
    test_early_fin();
    test_window_edge();
    return check_report();
}
