/* SNTP: its packets, and its rounds against hand-driven time servers. */
#include "net/sntp.h"
#include "net/sntp_packet.h"
#include "tests/unit/fake_dns.h"

#define NOW_S 1800000000LL /* 2027 */
#define ERA   2208988800LL

static const char *const kisses[] = {"RATE", "DENY", "RSTR", "STEP", "\0\0\0"};

struct asked {
    bool any;
    uint32_t server;
    uint16_t port;
    uint64_t nonce;
};

/* The time that the servers tell, at fake_machine.now_ns 0. */
static int64_t true_ms;
static int64_t kept_s;
static unsigned kept;

static void keep(int64_t unix_s)
{
    kept_s = unix_s;
    kept++;
}

static int64_t now_true_ms(void)
{
    return true_ms + (int64_t)(fake_machine.now_ns / 1000000);
}

static int64_t wrong_by_ms(void)
{
    return machine_wall_clock_ms() - now_true_ms();
}

static uint64_t timestamp(int64_t unix_ms)
{
    return (uint64_t)(unix_ms / 1000 + ERA) << 32 |
           (uint64_t)(unix_ms % 1000) * 4294967296ULL / 1000;
}

static struct asked asked_next(void)
{
    struct asked a = {.any = false};

    wire_answer_arp();
    while (wire.out_head != wire.out_tail) {
        const struct wire_frame *f = &wire.out[wire.out_head++ % WIRE_FRAMES];

        if (get_be16(f->bytes + 12) != 0x0800 || f->bytes[23] != 17 ||
            get_be16(f->bytes + 36) != 123)
            continue;
        CHECK(f->len == 42 + 48 && f->bytes[42] == 0x23);
        a.any = true;
        a.server = get_be32(f->bytes + 30);
        a.port = get_be16(f->bytes + 34);
        a.nonce = get_be64(f->bytes + 42 + 40);
        return a;
    }
    return a;
}

/* Waits for a question; answers within a few milliseconds. */
static struct asked asked_within(uint64_t ms)
{
    struct asked a = asked_next();

    for (; !a.any && ms >= 10; ms -= 10) {
        pass_time(10);
        a = asked_next();
    }
    return a;
}

/* A good answer, ahead of the true time by so much. */
static void build_reply(uint8_t *p, const struct asked *a, int64_t ahead_ms)
{
    memset(p, 0, 48);
    p[0] = 0x24;
    p[1] = 2;
    put_be32(p + 4, 1000);
    put_be32(p + 8, 1000);
    put_be64(p + 24, a->nonce);
    put_be64(p + 32, timestamp(now_true_ms() + ahead_ms));
    put_be64(p + 40, timestamp(now_true_ms() + ahead_ms));
}

static void datagram_in(const struct asked *a, uint32_t from, uint16_t port,
                        const uint8_t *p, size_t len)
{
    uint8_t f[200];

    put_be16(f + 34, port);
    put_be16(f + 36, a->port);
    put_be16(f + 38, (uint16_t)(8 + len));
    put_be16(f + 40, 0);
    memcpy(f + 42, p, len);
    wire_in(f, build_ip(f, from, OUR_IP, 17, 8 + len));
}

static void answer_time(const struct asked *a, int64_t ahead_ms)
{
    uint8_t p[48];

    build_reply(p, a, ahead_ms);
    datagram_in(a, a->server, 123, p, 48);
}

/* ---- Packets ---- */

static void test_packets(void)
{
    struct asked a = {.nonce = 0x123456789ABCDEF0};
    struct sntp_reply reply;
    uint8_t p[48];

    true_ms = NOW_S * 1000;
    fake_machine.now_ns = 0;
    build_reply(p, &a, 250);
    CHECK(sntp_packet_read(p, 48, a.nonce, &reply) == SNTP_GOOD &&
          reply.stratum == 2 && reply.unix_ms >= NOW_S * 1000 + 249 &&
          reply.unix_ms <= NOW_S * 1000 + 250 && reply.distance_ms == 22);
    for (size_t len = 0; len < 48; len++)
        CHECK(sntp_packet_read(p, len, a.nonce, &reply) == SNTP_STRANGE);
    CHECK(sntp_packet_read(p, 48, a.nonce + 1, &reply) == SNTP_STRANGE);
    for (unsigned first = 0; first < 256; first++) {
        unsigned version = first >> 3 & 7;
        bool answer = (first & 7) == 4 && (version == 3 || version == 4);

        p[0] = (uint8_t)first;
        CHECK(sntp_packet_read(p, 48, a.nonce, &reply) ==
              (!answer           ? SNTP_STRANGE
               : first >> 6 == 3 ? SNTP_BAD
                                 : SNTP_GOOD));
    }
    build_reply(p, &a, 0);
    p[1] = 16;
    CHECK(sntp_packet_read(p, 48, a.nonce, &reply) == SNTP_BAD);
    build_reply(p, &a, 0);
    put_be64(p + 40, 0);
    CHECK(sntp_packet_read(p, 48, a.nonce, &reply) == SNTP_BAD);
    build_reply(p, &a, 0);
    put_be64(p + 32, get_be64(p + 40) + (1ULL << 32)); /* sent before it came */
    CHECK(sntp_packet_read(p, 48, a.nonce, &reply) == SNTP_BAD);
    build_reply(p, &a, 0);
    put_be32(p + 8, 2 << 16);
    CHECK(sntp_packet_read(p, 48, a.nonce, &reply) == SNTP_BAD);
    put_be32(p + 8, 0);
    put_be32(p + 4, 0xFFFFFFFF);
    CHECK(sntp_packet_read(p, 48, a.nonce, &reply) == SNTP_BAD);
    /* The era after 2036. */
    build_reply(p, &a, 0);
    put_be64(p + 32, 1ULL << 32);
    put_be64(p + 40, 1ULL << 32);
    CHECK(sntp_packet_read(p, 48, a.nonce, &reply) == SNTP_GOOD &&
          reply.unix_ms == (4294967296LL + 1 - ERA) * 1000);
    for (unsigned i = 0; i < sizeof(kisses) / sizeof(*kisses); i++) {
        build_reply(p, &a, 0);
        p[1] = 0;
        memcpy(p + 12, kisses[i], 4);
        CHECK(sntp_packet_read(p, 48, a.nonce, &reply) == (i == 0  ? SNTP_RATE
                                                           : i < 3 ? SNTP_DENY
                                                                   : SNTP_BAD));
    }
}

/* ---- Rounds ---- */

static void begin_sntp(const char *servers, int64_t wrong_ms)
{
    begin(PEER_IP, 0, 0);
    true_ms = NOW_S * 1000 - (int64_t)(fake_machine.now_ns / 1000000);
    machine_wall_clock_set(NOW_S * 1000 + wrong_ms);
    kept = 0;
    sntp_module_init();
    sntp_floor(NOW_S - 100000, keep);
    sntp_configure(servers);
    pass_time(2);
}

static bool close_to(int64_t value, int64_t wanted)
{
    return value > wanted - 30 && value < wanted + 30;
}

static void test_step(void)
{
    struct sntp_status status;
    struct asked a, b2;
    uint8_t p[48];

    begin_sntp("192.168.1.9", 60000);
    a = asked_next();
    CHECK(a.any && a.server == PEER_IP && a.port > 32767 && !asked_next().any);
    /* Forged ones. */
    build_reply(p, &a, 3600000);
    datagram_in(&a, GATEWAY_IP, 123, p, 48);
    datagram_in(&a, PEER_IP, 124, p, 48);
    p[24] ^= 1;
    datagram_in(&a, PEER_IP, 123, p, 48);
    datagram_in(&a, PEER_IP, 123, p, 0);
    CHECK(close_to(wrong_by_ms(), 60000));
    answer_time(&a, 0);
    CHECK(close_to(wrong_by_ms(), 0));
    sntp_status(&status);
    CHECK(status.on && status.known && status.stratum == 2 &&
          close_to(status.offset_ms, -60000));
    CHECK(kept == 1 && kept_s >= NOW_S);
    /* The same again changes nothing: the port is closed. */
    answer_time(&a, 90000);
    CHECK(close_to(wrong_by_ms(), 0));
    pass_time(1700000);
    CHECK(!asked_next().any);
    b2 = asked_within(700000);
    CHECK(b2.any && b2.nonce != a.nonce && b2.port != a.port);
    /* A little off: left alone. */
    answer_time(&b2, -200);
    CHECK(close_to(wrong_by_ms(), 0) && kept == 1);
    b2 = asked_within(2400000);
    CHECK(b2.any);
    answer_time(&b2, -1000);
    CHECK(close_to(wrong_by_ms(), -1000) && kept == 2);
}

static void test_slow_answer(void)
{
    struct asked a;

    begin_sntp("192.168.1.9", -5000);
    a = asked_next();
    pass_time(400); /* both ways: half of it is the answer's */
    answer_time(&a, 0);
    CHECK(close_to(wrong_by_ms(), 200));
    /* Longer than can be true. */
    begin_sntp("192.168.1.9", -5000);
    a = asked_next();
    pass_time(2990);
    answer_time(&a, 0);
    CHECK(close_to(wrong_by_ms(), -5000) || close_to(wrong_by_ms(), 1495));
    a = asked_within(30000);
    CHECK(a.any);
    answer_time(&a, 0);
    CHECK(close_to(wrong_by_ms(), 0));
}

static void test_far(void)
{
    struct asked a;

    /* Two must agree. */
    begin_sntp("192.168.1.9 192.168.1.1 8.8.8.8", -90000000);
    sntp_floor(NOW_S - 10, keep); /* raises at once */
    CHECK(close_to(wrong_by_ms(), -10000));
    machine_wall_clock_set(now_true_ms() - 2000000);
    a = asked_next();
    answer_time(&a, 500000000);
    CHECK(close_to(wrong_by_ms(), -2000000));
    pass_time(2);
    a = asked_next();
    CHECK(a.server == GATEWAY_IP);
    answer_time(&a, 0);
    CHECK(close_to(wrong_by_ms(), -2000000));
    pass_time(2);
    a = asked_next();
    CHECK(a.server == FAR_IP);
    answer_time(&a, 300);
    CHECK(close_to(wrong_by_ms(), 300));
    /* Two that do not: nobody is believed. */
    begin_sntp("192.168.1.9 192.168.1.1", -2000000);
    a = asked_next();
    answer_time(&a, 500000000);
    pass_time(2);
    a = asked_next();
    answer_time(&a, 0);
    pass_time(10);
    CHECK(close_to(wrong_by_ms(), -2000000) && !kept);
    /* Only one: it is. */
    begin_sntp("192.168.1.9 192.168.1.1", -2000000);
    a = asked_next();
    answer_time(&a, 0);
    pass_time(4000);
    CHECK(close_to(wrong_by_ms(), 0));
    /* Before the floor: nobody is. */
    begin_sntp("192.168.1.9", 0);
    a = asked_next();
    answer_time(&a, -200000000);
    pass_time(10);
    CHECK(close_to(wrong_by_ms(), 0) && !kept);
}

static void test_refused(void)
{
    uint8_t p[48];
    struct asked a;
    unsigned count = 0;

    begin_sntp("192.168.1.9 192.168.1.1", 5000);
    a = asked_next();
    build_reply(p, &a, 0);
    p[1] = 0;
    memcpy(p + 12, "DENY", 4);
    datagram_in(&a, PEER_IP, 123, p, 48);
    pass_time(2);
    a = asked_next();
    CHECK(a.server == GATEWAY_IP);
    build_reply(p, &a, 0);
    p[1] = 0;
    memcpy(p + 12, "RATE", 4);
    datagram_in(&a, GATEWAY_IP, 123, p, 48);
    pass_time(5 * 3600000);
    CHECK(!asked_next().any);
    pass_time(2 * 3600000);
    while ((a = asked_next()).any) {
        count++;
        CHECK(a.server == GATEWAY_IP);
    }
    CHECK(count > 1);
    /* The setting is given again. */
    sntp_configure("192.168.1.9");
    pass_time(2);
    CHECK(asked_next().any);
    sntp_configure("off");
    pass_time(4000000);
    CHECK(!asked_next().any);
}

static void test_names(void)
{
    struct asked a;
    struct sent s;
    unsigned round = 0;

    /* The pool, when nothing is set. */
    begin_sntp("", 5000);
    s = sent_next();
    CHECK(s.any && s.type == DNS_A && s.name.len == 14);
    answer_a(&s, "pool.ntp.org", GATEWAY_IP);
    pass_time(2);
    a = asked_next();
    CHECK(a.server == GATEWAY_IP);
    pass_time(3000); /* silent */
    s = sent_next();
    CHECK(s.any && s.name.len == 16);
    answer_code(&s, 3);
    pass_time(2);
    CHECK(!asked_next().any);
    /* Rounds become rarer. */
    sntp_configure("192.168.1.1");
    for (unsigned i = 0; i < 4 * 3600; i++) {
        pass_time(1000);
        while ((a = asked_next()).any)
            round++;
    }
    CHECK(round >= 10 && round < 30);
    if (round < 10 || round >= 30)
        printf("  %u rounds\n", round);
    CHECK(close_to(wrong_by_ms(), 5000));
    CHECK(iobuf_free() == iobuf_total());
}

int main(void)
{
    test_packets();
    test_step();
    test_slow_answer();
    test_far();
    test_refused();
    test_names();
    wire_memory_release();
    return check_report();
}
