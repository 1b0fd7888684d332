/* TCP against a hand-driven peer: what is sent and when, streams, active open.
 */
#include "tests/unit/tcp_session.h"

static void test_zero_window(void)
{
    struct peer p;
    struct seen s;
    uint32_t start;

    begin();
    p = connected_closed(40022);
    start = p.ack;
    stream_write(session.stream, "0123456789", 10);
    net_flush();
    CHECK(!seen_next().any);
    /* The probes: one byte, at growing distances, for as long as they are
     * answered. */
    for (unsigned i = 0; i < 12; i++) {
        uint64_t before = timer_now_ms();

        while (!(s = seen_next()).any && timer_now_ms() - before < 61000)
            pass_time(100);
        CHECK(s.seq == start && s.len == 1);
        if (i > 8)
            CHECK(timer_now_ms() - before > 50000);
        peer_raw(&p, p.seq, start, ACK, NULL, 0);
    }
    CHECK(session.closed == 0);
    p.window = 4;
    peer_raw(&p, p.seq, start, ACK, NULL, 0);
    /* 4 of 10 bytes: too little to be worth it, unless half of the largest
     * window; the persist timer sends what fits. */
    while (!(s = seen_next()).any && timer_now_ms() < 10000000)
        pass_time(1000);
    CHECK(s.seq == start && s.len >= 1 && s.len <= 4);
    p.window = 1000;
    p.ack = start;
    peer_send(&p, ACK, NULL, 0);
    for (unsigned i = 0; i < 200 && p.ack != start + 10; i++) {
        s = peer_take(&p);
        if (!s.any)
            pass_time(200);
        else
            peer_send(&p, ACK, NULL, 0);
    }
    CHECK(p.ack == start + 10);
    end();
    /* Nobody answers the probes: given up. */
    begin();
    p = connected_closed(40023);
    stream_write(session.stream, "0123456789", 10);
    pass_time(90000);
    CHECK(session.closed == 0);
    pass_time(150000);
    CHECK(session.closed == 1 && session.reason == ERR_TIMEOUT);
    end();
}

static void test_retransmission(void)
{
    struct peer p;
    struct seen s;
    uint64_t last, gap = 0;
    unsigned count = 0;

    begin();
    p = connected(40024);
    pass_time(50);
    stream_write(session.stream, "first", 5);
    net_flush();
    CHECK(peer_take(&p).len == 5);
    pass_time(30);
    peer_send(&p, ACK, NULL, 0); /* one sample: RTO is 200 ms or little more */
    stream_write(session.stream, "second", 6);
    net_flush();
    s = seen_next();
    last = timer_now_ms();
    while (session.closed == 0 && count < 30) {
        pass_time(10);
        s = seen_next();
        if (!s.any || s.flags & RST)
            continue;
        CHECK(s.len == 6 && s.seq == p.ack);
        if (gap && timer_now_ms() - last < 60000)
            CHECK(timer_now_ms() - last >= gap * 2 - 20);
        gap = timer_now_ms() - last;
        last = timer_now_ms();
        if (!count)
            CHECK(gap >= 200 && gap <= 300);
        count++;
    }
    CHECK(count >= 8 && session.reason == ERR_TIMEOUT);
    CHECK(timer_now_ms() - last < 125000);
    CHECK(figures().timeouts == 1 && figures().retransmitted == count);
    end();
}

/* A lost segment among many: the third duplicate brings it back. */
static void test_fast_retransmit(void)
{
    static uint8_t data[20000];
    struct peer p;
    struct seen s;
    uint32_t start, expected;

    begin();
    p = connected(40025);
    fill(data, sizeof(data), 0);
    start = p.ack;
    CHECK(stream_write(session.stream, data, sizeof(data)) == sizeof(data));
    net_flush();
    /* Initial window: 10 segments, all full. */
    for (unsigned i = 0; i < 10; i++) {
        s = seen_next();
        CHECK(s.len == 1460 && s.seq == start + i * 1460);
    }
    CHECK(!seen_next().any);
    /* The second is lost. */
    peer_raw(&p, p.seq, start + 1460, ACK, NULL, 0);
    CHECK(seen_count() == 2);
    peer_raw(&p, p.seq, start + 1460, ACK, NULL, 0);
    peer_raw(&p, p.seq, start + 1460, ACK, NULL, 0);
    CHECK(seen_count() == 2); /* limited transmit */
    peer_raw(&p, p.seq, start + 1460, ACK, NULL, 0);
    s = seen_next();
    CHECK(s.seq == start + 1460 && s.len == 1460);
    CHECK(!memcmp(s.data, data + 1460, 1460));
    wire_forget();
    /* A partial ACK shows the next hole (NewReno). */
    expected = start + 5 * 1460;
    peer_raw(&p, p.seq, expected, ACK, NULL, 0);
    s = seen_next();
    CHECK(s.seq == expected && s.len == 1460);
    CHECK(figures().retransmitted == 2);
    wire_forget();
    peer_raw(&p, p.seq, start + 14 * 1460 - 440, ACK, NULL, 0);
    pass_time(5000);
    CHECK(!seen_next().any);
    end();
}

static void duplicate_with_sack(struct peer *p, uint32_t ack, uint32_t start,
                                uint32_t end_)
{
    p->options[0] = 1;
    p->options[1] = 1;
    p->options[2] = 5;
    p->options[3] = 10;
    put_be32(p->options + 4, start);
    put_be32(p->options + 8, end_);
    p->option_bytes = 12;
    peer_raw(p, p->seq, ack, ACK, NULL, 0);
    p->option_bytes = 0;
}

/* Three lost of ten: with SACK all come again within one round trip, and
 * nothing that has arrived. */
static void test_selective_retransmit(void)
{
    static uint8_t data[14600];
    static const unsigned arrived[] = {2, 3, 5, 7, 8, 9};
    struct peer p = peer_new(40046, PORT, 1);
    uint32_t start, resent[3];
    unsigned count = 0;
    struct seen s;

    begin();
    peer_set_options(&p, 1460, -1, true);
    peer_connect(&p);
    start = p.ack;
    stream_write(session.stream, data, sizeof(data));
    net_flush();
    CHECK(seen_count() == 10);
    /* Nonsense is ignored: outside of what is in flight, turned round. */
    duplicate_with_sack(&p, start + 1460, start - 5000, start - 3000);
    duplicate_with_sack(&p, start + 1460, start + 9000, start + 90000);
    duplicate_with_sack(&p, start + 1460, start + 9000, start + 8000);
    CHECK(seen_count() == 0);
    for (unsigned i = 0; i < 6; i++) {
        uint32_t at = start + arrived[i] * 1460;

        duplicate_with_sack(&p, start + 1460, at, at + 1460);
        while ((s = seen_next()).any && count < 3)
            resent[count++] = (s.seq - start) / 1460;
    }
    CHECK(count == 3 && resent[0] == 1 && resent[1] == 4 && resent[2] == 6);
    CHECK(figures().retransmitted == 3);
    peer_raw(&p, p.seq, start + 4 * 1460, ACK, NULL, 0);
    CHECK(!seen_next().any); /* the second hole is on its way already */
    peer_raw(&p, p.seq, start + 14600, ACK, NULL, 0);
    pass_time(3000);
    CHECK(!seen_next().any);
    /* What was SACKed and thrown away comes again after a timeout. */
    stream_write(session.stream, data, 2920);
    net_flush();
    CHECK(seen_count() == 2);
    start += 14600;
    duplicate_with_sack(&p, start, start + 1460, start + 2920);
    pass_time(350);
    wire_forget();
    peer_raw(&p, p.seq, start + 1460, ACK, NULL, 0);
    CHECK(seen_next().seq == start + 1460);
    end();
}

/* After a timeout everything is sent again from the first hole on, but what the
 * peer turns out to have. */
static void test_go_back(void)
{
    static uint8_t data[8000];
    struct peer p;
    struct seen s;
    uint32_t start;

    begin();
    p = connected(40026);
    start = p.ack;
    fill(data, sizeof(data), 9);
    stream_write(session.stream, data, sizeof(data));
    net_flush();
    wire_forget();
    pass_time(250);
    s = seen_next();
    CHECK(s.seq == start && s.len == 1460 && !seen_next().any);
    peer_raw(&p, p.seq, start + 2 * 1460, ACK, NULL, 0);
    s = seen_next();
    CHECK(s.seq == start + 2 * 1460);
    s = seen_next();
    CHECK(s.seq == start + 3 * 1460);
    CHECK(seen_next().seq == start + 4 * 1460);
    CHECK(!seen_next().any);
    peer_raw(&p, p.seq, start + 8000, ACK, NULL, 0);
    CHECK(!seen_next().any);
    end();
}

/* The card still has the frame: a copy is sent, the frame is not touched. */
static void test_card_holds(void)
{
    struct peer p;
    struct seen s;
    uint8_t before[100];
    size_t len;

    begin();
    p = connected(40027);
    stream_write(session.stream, "held", 4);
    wire.hold = true;
    net_flush();
    s = seen_next();
    CHECK(s.len == 4 && wire.held_count == 1);
    len = iobuf_length(wire.held[0]);
    memcpy(before, wire.held[0]->data, len);
    peer_text(&p, "x"); /* moves the acknowledgement */
    pass_time(1100);
    while ((s = seen_next()).any && s.len != 4)
        ;
    CHECK(s.len == 4 && !memcmp(s.data, "held", 4) && s.ack == p.seq);
    CHECK(iobuf_length(wire.held[0]) == len &&
          !memcmp(wire.held[0]->data, before, len));
    peer_raw(&p, p.seq, s.seq + 4, ACK, NULL, 0);
    end();
}

static void test_window_scaling(void)
{
    static uint8_t data[64000];
    struct peer p = peer_new(40028, PORT, 7);
    struct seen s;
    unsigned sent = 0;

    begin();
    peer_set_options(&p, 1460, 6, false);
    p.window = 65535; /* not scaled on SYN */
    peer_send(&p, SYN, NULL, 0);
    peer_take(&p);
    p.option_bytes = 0;
    p.window = 100; /* 6400 bytes */
    peer_send(&p, ACK, NULL, 0);
    s = seen_next();
    fill(data, sizeof(data), 1);
    CHECK(stream_write(session.stream, data, sizeof(data)) == sizeof(data));
    net_flush();
    while ((s = seen_next()).any)
        sent += (unsigned)s.len;
    CHECK(sent == 4 * 1460); /* the rest is not worth a segment */
    /* Ours: 131072 bytes are said in units of 4. */
    peer_text(&p, "x");
    pass_time(200);
    while ((s = seen_next()).any && !(s.flags & ACK && s.ack == p.seq))
        ;
    CHECK((uint32_t)s.window << 2 > 100000);
    end();
}

/* ---- Intertwining and the economy of segments ---- */

/* One small message without pipelining, as the issue counts it. */
static void test_segment_economy(void)
{
    static const char *const dialogue[][2] = {
        {"EHLO client.example\r\n", "250-mail\r\n250 SIZE\r\n"},
        {"MAIL FROM:<a@b.example>\r\n", "250 2.1.0 ok\r\n"},
        {"RCPT TO:<c@d.example>\r\n", "250 2.1.5 ok\r\n"},
        {"DATA\r\n", "354 go on\r\n"},
    };
    struct peer p = peer_new(40029, PORT, 1);
    unsigned segments = 1;
    struct seen s;
    char message[1031];

    begin();
    session.greeting = "220 mail.example ESMTP\r\n";
    peer_set_options(&p, 1460, 7, true);
    peer_connect(&p);
    s = peer_take(&p);
    segments++;
    CHECK(s.len == 24);
    for (unsigned i = 0; i < 4; i++) {
        session.answer = dialogue[i][1];
        pass_time(3);
        peer_text(&p, dialogue[i][0]);
        s = peer_take(&p);
        CHECK(s.len == strlen(dialogue[i][1]) && s.ack == p.seq);
        segments += s.any;
        CHECK(!seen_next().any);
    }
    /* The message: answered only when the stick has it, 100 ms later. */
    session.answer = NULL;
    memset(message, 'm', sizeof(message));
    memcpy(message + 1024, "\r\n.\r\n", 6);
    peer_send(&p, ACK | PSH, message, 1029);
    CHECK(!seen_next().any);
    pass_time(100);
    CHECK(!seen_next().any);
    stream_write(session.stream, "250 2.0.0 kept\r\n", 16);
    net_flush();
    s = peer_take(&p);
    CHECK(s.len == 16 && s.ack == p.seq);
    segments += s.any;
    session.answer = "221 bye\r\n";
    session.close_in_received = true;
    peer_text(&p, "QUIT\r\n");
    s = peer_take(&p);
    CHECK(s.len == 9 && s.flags == (ACK | PSH | FIN));
    segments += s.any;
    peer_send(&p, ACK | FIN, NULL, 0);
    s = peer_take(&p);
    CHECK(s.flags == ACK && s.ack == p.seq);
    segments += s.any;
    pass_time(5000);
    CHECK(!seen_next().any);
    CHECK(segments == 9);
    end();
}

static void test_delayed_ack(void)
{
    uint8_t data[1460];
    struct peer p;
    struct seen s;

    begin();
    p = connected(40030);
    fill(data, sizeof(data), 2);
    peer_text(&p, "small");
    CHECK(!seen_next().any);
    pass_time(149);
    CHECK(!seen_next().any);
    pass_time(2);
    s = peer_take(&p);
    CHECK(s.flags == ACK && s.ack == p.seq);
    peer_send(&p, ACK, data, 1460);
    CHECK(!seen_next().any);
    peer_send(&p, ACK, data, 1460);
    s = peer_take(&p);
    CHECK(s.flags == ACK && s.ack == p.seq);
    for (unsigned i = 0; i < 20; i++)
        peer_send(&p, ACK, data, 1460);
    CHECK(seen_count() == 10);
    pass_time(1000);
    CHECK(!seen_next().any);
    end();
}

/* Many small writes in one pass: full segments. */
static void test_coalescing(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected(40031);
    for (unsigned i = 0; i < 400; i++)
        stream_write(session.stream, "0123456789", 10);
    net_flush();
    s = seen_next();
    CHECK(s.len == 1460 && !(s.flags & PSH));
    CHECK(seen_next().len == 1460);
    s = seen_next();
    CHECK(s.len == 1080 && s.flags & PSH && !seen_next().any);
    CHECK(stream_space(session.stream) >= 4096);
    end();
    (void)p;
}

/* ---- Streams ---- */

static void test_resume(void)
{
    struct peer p;
    unsigned calls;

    begin();
    session.limit = 3;
    p = connected(40032);
    peer_text(&p, "abcdef");
    CHECK(session.len == 3 && session.calls == 1);
    net_flush();
    CHECK(session.calls == 1);
    /* Offered again together with what came after it. */
    session.limit = 8;
    peer_text(&p, "ghij");
    CHECK(session.len == 8 && !memcmp(session.received, "abcdefgh", 8));
    session.limit = 100;
    calls = session.calls;
    stream_resume(session.stream);
    CHECK(session.calls == calls);
    net_flush();
    CHECK(session.len == 10 && !memcmp(session.received + 8, "ij", 2));
    /* The end waits for the bytes before it. */
    session.limit = 10;
    peer_send(&p, ACK | FIN, "kl", 2);
    CHECK(session.ended == 0);
    session.limit = 100;
    stream_resume(session.stream);
    net_flush();
    CHECK(session.len == 12 && session.ended == 1);
    end();
}

/* A handler that takes whole lines sees a line that came in pieces as one. */
static void test_lines(void)
{
    static char text[8000];
    struct peer p;
    size_t sent = 0;

    begin();
    session.whole_lines = true;
    p = connected(40033);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 997 == 996 ? '\n' : (char)('a' + i % 23);
    while (sent < sizeof(text)) {
        size_t len = 1 + (sent * 7) % 1400;

        if (len > sizeof(text) - sent)
            len = sizeof(text) - sent;
        peer_send(&p, ACK, text + sent, len);
        sent += len;
    }
    CHECK(session.len == 8000 / 997 * 997);
    CHECK(!memcmp(session.received, text, session.len));
    end();
}

static void test_writable(void)
{
    static uint8_t data[100000];
    struct peer p;
    struct seen s;
    size_t taken;

    begin();
    p = connected(40034);
    taken = stream_write(session.stream, data, sizeof(data));
    CHECK(taken == 65536 && stream_space(session.stream) == 0);
    net_flush();
    for (unsigned i = 0; i < 10; i++)
        s = peer_take(&p);
    CHECK(session.writable == 0);
    peer_send(&p, ACK, NULL, 0);
    CHECK(session.writable == 1 && stream_space(session.stream) >= 10000);
    peer_send(&p, ACK, NULL, 0);
    CHECK(session.writable == 1);
    end();
    (void)s;
}

static void test_reentrancy(void)
{
    struct peer p;
    struct seen s;

    begin();
    session.close_in_received = true;
    session.answer = "bye";
    session.limit = 2;
    p = connected(40035);
    peer_text(&p, "abcd"); /* leaves bytes and closes */
    s = peer_take(&p);
    CHECK(s.len == 3 && s.flags & FIN && session.calls == 1);
    peer_text(&p, "more");
    CHECK(session.calls == 1 && session.closed == 0);
    end();
    begin();
    session.limit = 0;
    p = connected(40036);
    peer_text(&p, "abcd");
    session.limit = 100;
    session.abort_in_received = true;
    stream_resume(session.stream); /* aborts while its queue is walked */
    net_flush();
    while ((s = seen_next()).any && !(s.flags & RST))
        ;
    CHECK(s.flags & RST && session.closed == 0);
    CHECK(figures().connections == 0);
    end();
    begin();
    session.limit = 0;
    p = connected(40037);
    peer_text(&p, "abcd");
    session.limit = 100;
    session.close_in_received = true;
    stream_resume(session.stream);
    net_flush();
    CHECK(peer_take(&p).flags & FIN);
    end();
    /* Closed with unread bytes: they are discarded. */
    begin();
    session.limit = 0;
    p = connected(40038);
    peer_text(&p, "abcd");
    stream_close(session.stream);
    net_flush();
    CHECK(peer_take(&p).flags & FIN);
    peer_send(&p, ACK | FIN, NULL, 0);
    CHECK(figures().connections == 0);
    end();
}

static void test_idle_timeout(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected(40039);
    stream_set_idle_timeout(session.stream, 5000);
    pass_time(4000);
    peer_text(&p, "x");
    pass_time(4900);
    CHECK(session.closed == 0);
    wire_forget();
    pass_time(200);
    CHECK(session.closed == 1 && session.reason == ERR_TIMEOUT);
    s = seen_next();
    CHECK(s.flags & RST && s.seq == p.ack);
    end();
}

/* ---- Active open ---- */

static void test_active_open(void)
{
    struct seen s;
    struct peer p;

    begin();
    p = connecting(&s);
    CHECK(s.flags == SYN && s.mss == 1460 && s.scale == 2 && s.ack == 0);
    CHECK(s.source_port >= 32768);
    /* A SYN-ACK with a wrong number is reset, without harm. */
    peer_raw(&p, 1, s.seq, SYN | ACK, NULL, 0);
    CHECK(seen_next().flags == RST && session.closed == 0);
    peer_set_options(&p, 1200, -1, false);
    peer_send(&p, SYN | ACK, NULL, 0);
    p.option_bytes = 0;
    s = peer_take(&p);
    CHECK(s.flags == ACK && s.ack == p.seq && session.opened == 1);
    stream_write(session.stream, "EHLO\r\n", 6);
    net_flush();
    CHECK(peer_take(&p).len == 6);
    peer_send(&p, ACK | FIN, NULL, 0);
    CHECK(session.ended == 1);
    end();
    /* Refused. */
    begin();
    p = connecting(&s);
    peer_raw(&p, 0, s.seq, RST | ACK, NULL, 0);
    CHECK(session.closed == 0);
    wire_forget();
    peer_raw(&p, 0, s.seq + 1, RST | ACK, NULL, 0);
    CHECK(session.closed == 1 && session.reason == ERR_RESET);
    CHECK(!seen_next().any);
    end();
    /* No answer. */
    begin();
    p = connecting(&s);
    pass_time(170000);
    CHECK(session.closed == 0 && seen_count() >= 6);
    pass_time(90000);
    CHECK(session.closed == 1 && session.reason == ERR_TIMEOUT);
    end();
}

static void test_simultaneous_open(void)
{
    struct seen s;
    struct peer p;

    begin();
    p = connecting(&s);
    p.ack = 0;
    peer_send(&p, SYN, NULL, 0);
    s = peer_take(&p);
    CHECK(s.flags == (SYN | ACK) && s.ack == p.seq);
    CHECK(session.opened == 0);
    peer_send(&p, ACK, NULL, 0);
    CHECK(session.opened == 1);
    peer_text(&p, "hello");
    CHECK(session.len == 5);
    stream_close(session.stream);
    net_flush();
    CHECK(peer_take(&p).flags & FIN);
    end();
    begin();
    p = connecting(&s);
    p.ack = 0;
    peer_send(&p, SYN, NULL, 0);
    s = peer_take(&p);
    stream_close(session.stream); /* in SYN-RECEIVED */
    peer_send(&p, ACK, NULL, 0);
    net_flush();
    CHECK(peer_take(&p).flags & FIN);
    peer_send(&p, ACK | FIN, NULL, 0);
    CHECK(figures().connections == 0);
    end();
}

int main(void)
{
    test_zero_window();
    test_retransmission();
    test_fast_retransmit();
    test_selective_retransmit();
    test_go_back();
    test_card_holds();
    test_window_scaling();
    test_segment_economy();
    test_delayed_ack();
    test_coalescing();
    test_resume();
    test_lines();
    test_writable();
    test_reentrancy();
    test_idle_timeout();
    test_active_open();
    test_simultaneous_open();
    return check_report();
}
