/* SYN cookies: who is honest connects during a flood of SYNs, who forges the
 * third segment of the handshake does not. */
#include "net/tcp_internal.h"
#include "tests/unit/tcp_session.h"

#define HALF_OPEN 1024 /* so many are kept */

/* SYNs of which nothing more is heard. Returns how many got an answer. */
static unsigned flood(unsigned count)
{
    unsigned answers = 0;

    for (unsigned i = 0; i < count; i++) {
        struct peer bad = peer_new((uint16_t)(1024 + i), PORT, i * 77);

        peer_send(&bad, SYN, NULL, 0);
        answers += seen_next().flags == (SYN | ACK);
    }
    return answers;
}

static void begin_flooded(void)
{
    begin();
    CHECK(flood(HALF_OPEN) == HALF_OPEN);
    CHECK(figures().cookies == 0);
}

/* A SYN and its answer; mss 0: a SYN without options. */
static struct peer half_open(uint16_t port, uint16_t mss)
{
    struct peer p = peer_new(port, PORT, 5000);
    struct seen s;

    if (mss)
        peer_set_options(&p, mss, 7, true);
    peer_send(&p, SYN, NULL, 0);
    s = peer_take(&p);
    CHECK(s.flags == (SYN | ACK) && s.ack == p.seq && s.mss == 1460);
    p.option_bytes = 0;
    return p;
}

static void test_connects_in_a_flood(void)
{
    static const uint16_t sizes[][2] = {
        {1460, 1460}, {9000, 1460},       {1459, 1452}, {1000, 536},
        {536, 536},   {300, TCP_MSS_MIN}, {0, 536}};
    static const uint8_t data[3000];
    struct peer p;

    begin_flooded();
    for (uint16_t i = 0; i < 7; i++) {
        p = half_open((uint16_t)(40000 + i), sizes[i][0]);
        CHECK(figures().cookies == i + 1U && figures().connections == i);
        peer_send(&p, ACK, NULL, 0);
        CHECK(session.accepted == i + 1U);
        session.len = 0;
        peer_text(&p, "EHLO x\r\n");
        CHECK(session.len == 8 && !memcmp(session.received, "EHLO x\r\n", 8));
        wire_forget();
        stream_write(session.stream, data, sizeof(data));
        net_flush();
        CHECK(seen_next().len == sizes[i][1]);
        wire_forget();
    }
    end();
}

/* The third segment may have data, and comes once more when it was lost. */
static void test_data_at_once(void)
{
    struct peer p;

    begin_flooded();
    session.answer = "250 ok\r\n";
    p = half_open(40000, 1460);
    pass_time(59000);
    wire_forget();
    peer_text(&p, "x");
    CHECK(session.accepted == 1 && session.len == 1);
    CHECK(peer_take(&p).len == 8);
    end();
}

/* Who has begun before is not pushed out. */
static void test_begun_before(void)
{
    struct peer p;

    begin();
    p = half_open(40000, 1460);
    CHECK(flood(3000) == 3000);
    CHECK(figures().cookies == 3000 - (HALF_OPEN - 1));
    peer_send(&p, ACK, NULL, 0);
    CHECK(session.accepted == 1);
    end();
}

static void refused(const struct peer *p, uint32_t seq, uint32_t ack)
{
    struct seen s;

    peer_raw(p, seq, ack, ACK, NULL, 0);
    s = seen_next();
    CHECK(s.flags == RST && s.seq == ack);
    CHECK(session.accepted == 0 && figures().connections == 0);
}

static void test_forged(void)
{
    struct peer p, other;

    begin_flooded();
    p = half_open(40000, 1460);
    for (unsigned bit = 0; bit < 32; bit++)
        refused(&p, p.seq, p.ack ^ UINT32_C(1) << bit);
    refused(&p, p.seq + 1, p.ack);
    other = p;
    other.port++;
    refused(&other, p.seq, p.ack);
    other = p;
    other.our_port = PORT + 1;
    refused(&other, p.seq, p.ack);
    peer_send(&p, ACK, NULL, 0);
    CHECK(session.accepted == 1);
    end();
}

/* Two periods later it is no good, also while others are given. */
static void test_old(void)
{
    struct peer p;

    begin_flooded();
    p = half_open(40000, 1460);
    pass_time(125000);
    wire_forget();
    refused(&p, p.seq, p.ack);
    CHECK(flood(HALF_OPEN + 1) == HALF_OPEN + 1);
    CHECK(figures().cookies == 2);
    refused(&p, p.seq, p.ack);
    end();
}

/* When it is over, everything is as before. */
static void test_afterwards(void)
{
    struct peer p;

    begin_flooded();
    pass_time(10000);
    wire_forget();
    p = peer_new(40000, PORT, 1);
    peer_set_options(&p, 1460, 7, true);
    peer_send(&p, SYN, NULL, 0);
    CHECK(seen_next().scale >= 0 && figures().cookies == 0);
    end();
}

/* The answer came late: the SYN was sent again meanwhile, and found a place.
 * What the first answer said holds. */
static void test_sent_again(void)
{
    struct peer p, again;

    begin_flooded();
    p = half_open(40000, 1460);
    pass_time(10000);
    wire_forget();
    again = half_open(40000, 1460);
    CHECK(again.seq == p.seq && again.ack != p.ack);
    refused(&p, p.seq, p.ack + 1);
    peer_send(&p, ACK, NULL, 0);
    CHECK(session.accepted == 1 && figures().connections == 1);
    peer_text(&p, "x");
    CHECK(session.len == 1);
    pass_time(10000);
    CHECK(session.closed == 0);
    end();
}

/* Every TCB in use: a cookie is not given, and one from before not taken. */
static void test_no_room(void)
{
    struct peer p, last;

    begin_with(2048, 1);
    CHECK(flood(HALF_OPEN) == HALF_OPEN);
    p = half_open(40000, 1460);
    last = half_open(40001, 1460);
    peer_send(&p, ACK, NULL, 0);
    CHECK(session.accepted == 1);
    peer_send(&last, ACK, NULL, 0);
    CHECK(session.accepted == 1 && figures().refused == 1 && !seen_next().any);
    CHECK(flood(1) == 1); /* one that is known */
    p = peer_new(40002, PORT, 1);
    peer_send(&p, SYN, NULL, 0);
    CHECK(!seen_next().any && figures().refused == 2);
    end();
}

int main(void)
{
    test_connects_in_a_flood();
    test_data_at_once();
    test_begun_before();
    test_forged();
    test_old();
    test_afterwards();
    test_sent_again();
    test_no_room();
    return check_report();
}
