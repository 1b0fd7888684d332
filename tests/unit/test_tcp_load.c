/* TCP under attack and under load: floods, many connections, tiny segments,
 * small paths, wraparound, a busy card. */
#include "tests/unit/tcp_session.h"

#define TCP_SEND 65536 /* a connection takes so much to write */

static void test_syn_flood(void)
{
    struct peer p;
    struct seen s;

    begin_with(2048, 64);
    for (unsigned i = 0; i < 5000; i++) {
        struct peer bad = peer_new((uint16_t)(1024 + i), PORT, i * 77);

        peer_send(&bad, SYN, NULL, 0);
        wire_forget();
    }
    CHECK(figures().connections == 0);
    CHECK(iobuf_free() >= free_before - 4);
    p = connected(45000);
    peer_text(&p, "still here");
    CHECK(session.len == 10);
    pass_time(100000);
    wire_forget();
    end();
    /* Every TCB in use: SYNs stay unanswered, nothing breaks. */
    begin_with(2048, 4);
    for (uint16_t i = 0; i < 4; i++)
        p = connected((uint16_t)(41000 + i));
    CHECK(figures().connections == 4);
    wire_forget();
    p = peer_new(41010, PORT, 1);
    peer_send(&p, SYN, NULL, 0);
    s = seen_next();
    CHECK(!s.any && figures().refused == 1);
    /* One in FIN-WAIT-2 gives way. */
    stream_close(session.stream);
    net_flush();
    s = seen_next();
    p = peer_new(41003, PORT, 1001);
    p.ack = s.seq + 1;
    peer_send(&p, ACK, NULL, 0);
    p = peer_new(41010, PORT, 1);
    wire_forget();
    peer_connect(&p);
    CHECK(figures().connections == 4 && session.accepted == 5);
    end();
}

/* Four thousand at once, in the memory of a small machine. */
static void test_many(void)
{
    static struct peer peers[4000];
    unsigned answered = 0;
    struct seen s;

    begin_with(4096, 4000);
    session.answer = "250 ok\r\n";
    for (uint16_t i = 0; i < 4000; i++)
        peers[i] = connected((uint16_t)(10000 + i));
    CHECK(session.accepted == 4000 && figures().connections == 4000);
    wire_forget();
    for (unsigned i = 0; i < 4000; i++) {
        peer_text(&peers[i], "x");
        s = peer_take(&peers[i]);
        answered += s.len == 8 && s.port == peers[i].port;
        peer_send(&peers[i], ACK, NULL, 0);
    }
    CHECK(answered == 4000);
    for (unsigned i = 0; i < 4000; i++)
        peer_send(&peers[i], RST, NULL, 0);
    CHECK(figures().connections == 0 && session.closed == 4000);
    end();
}

/* Single bytes, in and out of order, must not pin the pool. */
static void test_tiny_segments(void)
{
    struct peer p;

    begin();
    session.limit = 0;
    p = connected(40040);
    for (unsigned i = 0; i < 3000; i++)
        peer_send(&p, ACK, "z", 1);
    CHECK(free_before - iobuf_free() <= 4);
    for (uint32_t i = 0; i < 6000; i += 2)
        peer_raw(&p, p.seq + 10 + i, p.ack, ACK, "z", 1);
    CHECK(free_before - iobuf_free() <= 132);
    wire_forget();
    end();
    /* A few peers that read nothing and send all they may. */
    begin_with(256, 64);
    session.limit = 0;
    for (uint16_t i = 0; i < 30; i++) {
        uint8_t data[1400] = {0};

        p = connected((uint16_t)(42000 + i));
        for (unsigned j = 0; j < 50; j++)
            peer_send(&p, ACK, data, sizeof(data));
        wire_forget();
    }
    CHECK(iobuf_free() >= 256 / 4 - 1);
    session.greeting = "220\r\n";
    p = connected(43000);
    CHECK(peer_take(&p).len == 5);
    end();
}

/* They take nothing of what is written for them, and one takes a segment now
 * and then. Returns that one. */
static struct peer pile_up(unsigned count)
{
    static const uint8_t data[TCP_SEND];
    struct peer slow = connected(43000);

    stream_write(session.stream, data, sizeof(data));
    net_flush();
    while (peer_take(&slow).any)
        continue;
    for (uint16_t i = 0; i < count; i++) {
        connected_closed((uint16_t)(42000 + i));
        stream_write(session.stream, data, sizeof(data));
        net_flush();
    }
    wire_forget();
    return slow;
}

/* Who lets data pile up and takes nothing gives way when others need buffers;
 * no more of them than it takes, the largest first. */
static void test_piled_up(void)
{
    struct peer slow, p;
    struct seen s;

    begin_with(256, 64);
    slow = pile_up(50);
    p = connected(44000);
    CHECK(stream_space(session.stream) == 0);
    slow.ack -= 1460 * 4;
    for (unsigned i = 0; i < 4; i++) {
        slow.ack += 1460;
        peer_send(&slow, ACK, NULL, 0);
        pass_time(4500);
    }
    CHECK(session.closed == 0);
    while (stream_write(session.stream, "x", 1))
        net_flush();
    pass_time(1500);
    CHECK(session.closed >= 1 && session.closed < 10);
    CHECK(session.reason == ERR_TIMEOUT);
    CHECK(iobuf_free() >= 256 / 4 && iobuf_free() < 256 / 2);
    wire_forget();
    peer_text(&slow, "x");
    pass_time(200);
    CHECK(session.len == 1);
    while ((s = seen_next()).any)
        CHECK(s.port != slow.port || !(s.flags & RST));
    pass_time(30000);
    CHECK(session.closed < 10);
    wire_forget();
    peer_text(&p, "x");
    CHECK(!(seen_next().flags & RST));
    end();
}

/* The same with segments that come behind a gap. */
static void test_gaps(void)
{
    static const uint8_t data[1400];
    struct peer p;

    begin_with(256, 64);
    session.limit = 0;
    for (uint16_t i = 0; i < 40; i++) {
        p = connected((uint16_t)(42000 + i));
        for (uint32_t j = 1; j < 40; j++)
            peer_raw(&p, p.seq + j * 1400, p.ack, ACK, data, sizeof(data));
        wire_forget();
    }
    CHECK(iobuf_free() <= 256 / 4 + 1);
    pass_time(17000);
    p = connected(43000);
    peer_send(&p, ACK, "a", 1); /* kept for a handler that waits for more */
    pass_time(1500);
    CHECK(session.closed >= 1 && session.closed < 10);
    peer_send(&p, ACK, "b", 1);
    wire_forget();
    end();
}

static void icmp_in(const struct wire_frame *about, uint8_t type, uint8_t code,
                    uint16_t mtu)
{
    uint8_t f[100];
    uint8_t *icmp = f + 34;

    memset(icmp, 0, 36);
    icmp[0] = type;
    icmp[1] = code;
    put_be16(icmp + 6, mtu);
    memcpy(icmp + 8, about->bytes + 14, 28);
    put_be16(icmp + 2, plain_checksum(icmp, 36, 0));
    wire_in(f, build_ip(f, GATEWAY_IP, OUR_IP, 1, 36));
}

static void test_path_mtu(void)
{
    static uint8_t data[5000];
    struct wire_frame first;
    struct peer p;
    struct seen s;
    size_t sent = 0;

    begin();
    p = connected(40041);
    fill(data, sizeof(data), 5);
    wire_forget();
    stream_write(session.stream, data, sizeof(data));
    net_flush();
    first = wire.out[wire.out_head % WIRE_FRAMES];
    wire_forget();
    /* Forged: a number that is not in flight. */
    put_be32(first.bytes + 38, p.ack - 100000);
    icmp_in(&first, 3, 4, 600);
    CHECK(!seen_next().any);
    put_be32(first.bytes + 38, p.ack);
    icmp_in(&first, 3, 4, 40); /* absurdly small */
    CHECK(!seen_next().any);
    icmp_in(&first, 3, 4, 1000);
    while ((s = peer_take(&p)).any) {
        CHECK(s.len <= 960 && !memcmp(s.data, data + sent, s.len));
        sent += s.len;
    }
    CHECK(sent == sizeof(data));
    peer_send(&p, ACK, NULL, 0);
    /* Errors do not break what is established (RFC 5461). */
    stream_write(session.stream, "x", 1);
    net_flush();
    first = wire.out[(wire.out_tail - 1) % WIRE_FRAMES];
    icmp_in(&first, 3, 3, 0);
    CHECK(session.closed == 0);
    end();
    begin();
    p = connecting(&s);
    first = wire.out[(wire.out_tail - 1) % WIRE_FRAMES];
    icmp_in(&first, 3, 1, 0); /* host unreachable: may pass */
    CHECK(session.closed == 0);
    icmp_in(&first, 3, 3, 0);
    CHECK(session.closed == 1 && session.reason == ERR_GONE);
    end();
}

/* Initial sequence numbers: grow with the clock, differ between peers. */
static void test_initial_sequence(void)
{
    struct peer p = peer_new(40042, PORT, 1), q = peer_new(40043, PORT, 1);
    uint32_t a, b, c;

    begin();
    peer_send(&p, SYN, NULL, 0);
    a = seen_next().seq;
    peer_send(&q, SYN, NULL, 0);
    b = seen_next().seq;
    peer_raw(&p, p.seq, 0, RST, NULL, 0);
    pass_time(1000);
    p.seq = 1;
    peer_send(&p, SYN, NULL, 0);
    c = seen_next().seq;
    CHECK(a != b && c - a > 200000 && c - a < 300000);
    end();
}

/* Our sequence numbers wrap while data is in flight. */
static void test_our_wraparound(void)
{
    static uint8_t data[60000];
    struct peer p = peer_new(40044, PORT, 1);
    uint32_t before;
    size_t got = 0;
    struct seen s;

    begin();
    /* Find a moment whose ISN lies close below 2^32. */
    peer_send(&p, SYN, NULL, 0);
    s = seen_next();
    peer_raw(&p, p.seq, 0, RST, NULL, 0);
    fake_machine.now_ns += (uint64_t)(0U - s.seq - 20000) * 4096;
    timer_run();
    wire_know_peer();
    p = peer_new(40044, PORT, 1);
    peer_set_options(&p, 1460, -1, false);
    peer_connect(&p);
    before = p.ack;
    CHECK(before > 0xFFFF0000U);
    fill(data, sizeof(data), 8);
    CHECK(stream_write(session.stream, data, sizeof(data)) == sizeof(data));
    net_flush();
    for (unsigned i = 0; i < 200 && got < sizeof(data); i++) {
        s = seen_next();
        if (!s.any) {
            peer_send(&p, ACK, NULL, 0);
            if (wire.out_head == wire.out_tail)
                pass_time(250);
            continue;
        }
        if (i == 15 || s.seq != p.ack) /* one is lost, later ones ignored */
            continue;
        CHECK(!memcmp(s.data, data + got, s.len));
        got += s.len;
        p.ack += (uint32_t)s.len;
    }
    CHECK(got == sizeof(data) && p.ack < before);
    end();
}

/* The card's queue is full for a moment: nothing waits for a timeout. */
static void test_card_busy(void)
{
    struct peer p;
    struct seen s;

    begin();
    p = connected(40045);
    wire.refuse = true;
    stream_write(session.stream, "abc", 3);
    CHECK(net_flush());
    CHECK(net_flush());
    wire.refuse = false;
    CHECK(net_flush() && !net_flush());
    s = peer_take(&p);
    CHECK(s.len == 3 && figures().retransmitted == 0);
    peer_send(&p, ACK, NULL, 0);
    wire.refuse = true;
    peer_send(&p, ACK | PSH, "x", 1);
    pass_time(155);
    wire.refuse = false;
    pass_time(20);
    s = seen_next();
    CHECK(s.flags == ACK && s.ack == p.seq);
    wire.refuse = true;
    stream_close(session.stream);
    net_flush();
    wire.refuse = false;
    pass_time(300);
    s = peer_take(&p);
    CHECK(s.flags == (FIN | ACK));
    end();
}

int main(void)
{
    test_syn_flood();
    test_many();
    test_tiny_segments();
    test_piled_up();
    test_gaps();
    test_path_mtu();
    test_initial_sequence();
    test_our_wraparound();
    test_card_busy();
    return check_report();
}
