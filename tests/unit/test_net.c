/* The network room below TCP: addresses, checksum, ARP, IPv4, ICMP, UDP, and
 * fragments. */
#include "net/checksum.h"
#include "net/ipv4.h"
#include "net/udp.h"
#include "tests/unit/fake_wire.h"

static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 0x77};

/* ---- Addresses and checksum ---- */

static void check_text(const char *text, const char *expected)
{
    struct net_address address;
    char out[NET_ADDRESS_TEXT];
    enum err result = net_address_parse(text, &address);

    CHECK((result == OK) == (expected != NULL));
    if (result == OK && expected) {
        CHECK(!strcmp(net_address_format(&address, out), expected));
        if (strcmp(out, expected))
            printf("  %s gave %s\n", text, out);
    }
}

static void test_addresses(void)
{
    static const char *const bad[] = {
        "",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.04",
        "1.2.3.4 ",
        ":",
        ":::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "1::2::3",
        "g::",
        "1:2:3:4:5:6:7:",
        "::1.2.3",
        "1.2.3.4::",
        "fe80::1%eth0",
        "-1.2.3.4",
        "1..2.3",
        ":1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:1.2.3.4",
    };
    struct net_address a = net_address_v4(0xC0000201);

    CHECK(net_address_is_v4(&a) && net_address_to_v4(&a) == 0xC0000201);
    check_text("192.0.2.1", "192.0.2.1");
    check_text("0.0.0.0", "0.0.0.0");
    check_text("255.255.255.255", "255.255.255.255");
    check_text("::", "::");
    check_text("::1", "::1");
    check_text("1::", "1::");
    check_text("2001:DB8::8:800:200c:417A", "2001:db8::8:800:200c:417a");
    check_text("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
    check_text("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
    check_text("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8");
    check_text("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
    check_text("::ffff:192.0.2.1", "192.0.2.1");
    check_text("64:ff9b::192.0.2.33", "64:ff9b::c000:221");
    check_text("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304");
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        check_text(bad[i], NULL);
        if (net_address_parse(bad[i], &a) == OK)
            printf("  taken: %s\n", bad[i]);
    }
}

static void test_checksum(void)
{
    uint8_t bytes[1600];
    uint16_t sum;

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i % 3 ? 0xFF : i * 7);
    for (size_t offset = 0; offset < 9; offset++) {
        for (size_t len = 0; len < 1500; len += len < 80 ? 1 : 97) {
            sum = net_checksum_finish(net_checksum_add(0, bytes + offset, len));
            CHECK(__builtin_bswap16(sum) ==
                  plain_checksum(bytes + offset, len, 0));
        }
    }
}

/* ---- ARP ---- */

static void send_datagram(struct udp_socket *socket, uint32_t to)
{
    struct net_endpoint end = {net_address_v4(to), 9999};

    CHECK(udp_send(socket, &end, "hello", 5) == OK);
}

static void on_datagram(struct udp_socket *socket,
                        const struct net_endpoint *from, const uint8_t *data,
                        size_t len);

static struct udp_socket udp = {.port = 5353, .received = on_datagram};

static void test_arp_start(void)
{
    struct net_status status;

    wire_begin(256, 4); /* lets a second pass */
    net_status(&status);
    CHECK(status.state == NET_UP && !status.from_dhcp);
    CHECK(is_arp(frame_next(), 1, 0, OUR_IP)); /* probes */
    CHECK(is_arp(frame_next(), 1, 0, OUR_IP));
    CHECK(is_arp(frame_next(), 1, OUR_IP, OUR_IP)); /* announcements */
    CHECK(!frame_next());
    pass_time(5000);
    CHECK(count_arp(1, OUR_IP, OUR_IP) == 1);
}

static void test_arp_answers(void)
{
    const struct wire_frame *f;
    uint8_t wrong[60] = {0};

    wire_begin(256, 4);
    wire_forget();
    arp_in(1, PEER_IP, OUR_IP, peer_mac, true);
    f = frame_next();
    CHECK(is_arp(f, 2, OUR_IP, PEER_IP));
    CHECK(f && !memcmp(f->bytes, peer_mac, 6) &&
          !memcmp(f->bytes + 22, our_mac, 6) &&
          !memcmp(f->bytes + 32, peer_mac, 6));
    /* A probe is answered, too. For others we are silent. */
    arp_in(1, 0, OUR_IP, peer_mac, true);
    CHECK(is_arp(frame_next(), 2, OUR_IP, 0));
    arp_in(1, PEER_IP, GATEWAY_IP, peer_mac, true);
    CHECK(!frame_next());
    /* Too short, wrong kinds. */
    build_ethernet(wrong, our_mac, 0x0806);
    wire_in(wrong, 30);
    wire_in(wrong, 60);
    wire_in(wrong, 13);
    CHECK(!frame_next());
}

static void test_arp_resolution(void)
{
    const struct wire_frame *f;
    size_t before;

    wire_begin(256, 4);
    CHECK(udp_open(&udp) == OK);
    wire_forget();
    before = iobuf_free();
    /* Six datagrams, one question, four wait. */
    for (unsigned i = 0; i < 6; i++)
        send_datagram(&udp, PEER_IP);
    CHECK(iobuf_free() == before - 4);
    CHECK(is_arp(frame_next(), 1, OUR_IP, PEER_IP));
    CHECK(!frame_next());
    /* An answer that nobody asked for makes no entry. */
    arp_in(2, PEER_IP + 1, OUR_IP, other_mac, false);
    arp_in(2, PEER_IP, OUR_IP, peer_mac, false);
    for (unsigned i = 0; i < 4; i++) {
        f = frame_next();
        CHECK(f && f->len == 14 + 20 + 8 + 5 && !memcmp(f->bytes, peer_mac, 6));
    }
    CHECK(!frame_next() && iobuf_free() == before);
    send_datagram(&udp, PEER_IP + 1);
    CHECK(is_arp(frame_next(), 1, OUR_IP, PEER_IP + 1));
    /* Poison: a forged answer to somebody else does not move the entry. */
    arp_in(2, PEER_IP, GATEWAY_IP, other_mac, true);
    send_datagram(&udp, PEER_IP);
    f = frame_next();
    CHECK(f && !memcmp(f->bytes, peer_mac, 6));
    /* Far away: by the gateway. */
    send_datagram(&udp, 0x08080808);
    CHECK(is_arp(frame_next(), 1, OUR_IP, GATEWAY_IP));
    /* Nobody there: asked four times, then forgotten with what waited. */
    wire_forget();
    pass_time(10000);
    CHECK(count_arp(1, OUR_IP, GATEWAY_IP) == 3);
    CHECK(iobuf_free() == before);
    /* An old entry is asked for by unicast while it still serves, then dies. */
    pass_time(55000);
    wire_forget();
    send_datagram(&udp, PEER_IP);
    f = frame_next();
    CHECK(is_arp(f, 1, OUR_IP, PEER_IP) && f && !memcmp(f->bytes, peer_mac, 6));
    CHECK(frame_next() != NULL);
    pass_time(40000);
    wire_forget();
    send_datagram(&udp, PEER_IP);
    f = frame_next();
    CHECK(is_arp(f, 1, OUR_IP, PEER_IP) && f && f->bytes[0] == 255);
    CHECK(!frame_next());
    pass_time(20000);
    CHECK(iobuf_free() == before);
}

/* More neighbours than entries: the cache stays bounded and works. */
static void test_arp_many(void)
{
    size_t before;

    wire_begin(2048, 4);
    CHECK(udp_open(&udp) == OK);
    before = iobuf_free();
    for (uint32_t i = 10; i < 250; i++)
        send_datagram(&udp, (OUR_IP & 0xFFFFFF00) + i);
    CHECK(iobuf_free() >= before - 64);
    wire_forget();
    arp_in(2, (OUR_IP & 0xFFFFFF00) + 249, OUR_IP, other_mac, false);
    CHECK(frame_next() != NULL);
    pass_time(20000);
    CHECK(iobuf_free() == before);
}

static void test_arp_conflict(void)
{
    wire_begin(256, 4);
    pass_time(5000);
    wire_forget();
    /* Defended once, then not again for ten seconds. */
    arp_in(2, OUR_IP, PEER_IP, other_mac, true);
    CHECK(is_arp(frame_next(), 1, OUR_IP, OUR_IP));
    arp_in(2, OUR_IP, PEER_IP, other_mac, true);
    CHECK(!frame_next());
    pass_time(11000);
    arp_in(1, OUR_IP, PEER_IP, other_mac, true);
    CHECK(is_arp(frame_next(), 1, OUR_IP, OUR_IP));
}

/* ---- IPv4, ICMP, UDP ---- */

static unsigned datagrams;
static size_t datagram_len;
static uint8_t datagram[9000];
static struct net_endpoint datagram_from;

static void on_datagram(struct udp_socket *socket,
                        const struct net_endpoint *from, const uint8_t *data,
                        size_t len)
{
    (void)socket;
    datagrams++;
    datagram_len = len;
    datagram_from = *from;
    memcpy(datagram, data, len);
}

static size_t build_udp(uint8_t *f, uint32_t to, uint16_t port, size_t len)
{
    uint8_t *p = f + 34;

    put_be16(p, 7000);
    put_be16(p + 2, port);
    put_be16(p + 4, (uint16_t)(8 + len));
    put_be16(p + 6, 0);
    for (size_t i = 0; i < len; i++)
        p[8 + i] = (uint8_t)(i * 13);
    put_be16(p + 6, plain_checksum(p, 8 + len,
                                   plain_pseudo(PEER_IP, to, 17, 8 + len)));
    return build_ip(f, PEER_IP, to, 17, 8 + len);
}

static void fix_ip(uint8_t *f)
{
    size_t header = (size_t)(f[14] & 15) * 4;

    put_be16(f + 24, 0);
    put_be16(f + 24, plain_checksum(f + 14, header, 0));
}

static void begin_udp(void)
{
    wire_begin(256, 4);
    wire_know_peer();
    CHECK(udp_open(&udp) == OK);
    datagrams = 0;
}

static void test_udp(void)
{
    struct udp_socket second = {.port = 5353}, any = {.received = on_datagram};
    struct net_endpoint to = {net_address_v4(PEER_IP), 7};
    const struct wire_frame *out;
    static uint8_t big[1473];
    uint8_t f[1514];
    size_t len;

    begin_udp();
    len = build_udp(f, OUR_IP, 5353, 100);
    wire_in(f, len);
    CHECK(datagrams == 1 && datagram_len == 100 &&
          datagram[99] == 99 * 13 % 256);
    CHECK(datagram_from.port == 7000 &&
          net_address_to_v4(&datagram_from.address) == PEER_IP);
    f[50] ^= 1;
    wire_in(f, len);
    CHECK(datagrams == 1);
    put_be16(f + 40, 0); /* no checksum */
    wire_in(f, len);
    CHECK(datagrams == 2);
    put_be16(f + 38, 200); /* longer than it is */
    wire_in(f, len);
    put_be16(f + 38, 7);
    wire_in(f, len);
    CHECK(datagrams == 2);
    /* To a broadcast address. */
    len = build_udp(f, OUR_IP | 0xFF, 5353, 3);
    wire_in(f, len);
    CHECK(datagrams == 3);
    /* Sending. */
    CHECK(udp_open(&second) == ERR_EXISTS);
    CHECK(udp_open(&any) == OK && any.port > 32767);
    wire_forget();
    CHECK(udp_send(&any, &to, "abc", 3) == OK);
    out = frame_next();
    CHECK(out && out->len == 45 && get_be16(out->bytes + 34) == any.port);
    CHECK(out && plain_checksum(out->bytes + 34, 11,
                                plain_pseudo(OUR_IP, PEER_IP, 17, 11)) == 0);
    CHECK(udp_send(&any, &to, big, 1472) == OK);
    out = frame_next();
    CHECK(out && out->len == 1514);
    CHECK(udp_send(&any, &to, big, 1473) == ERR_TOO_BIG);
    udp_close(&any);
    udp_close(&udp);
    CHECK(udp_open(&second) == OK);
    udp_close(&second);
}

static void test_unreachable(void)
{
    const struct wire_frame *out;
    uint8_t f[200];
    size_t len;
    unsigned count = 0;

    begin_udp();
    len = build_udp(f, OUR_IP, 1, 30);
    wire_in(f, len);
    out = frame_next();
    CHECK(out && out->bytes[23] == 1 && out->bytes[34] == 3 &&
          out->bytes[35] == 3 && !memcmp(out->bytes + 42, f + 14, 28));
    CHECK(out && plain_checksum(out->bytes + 34, out->len - 34, 0) == 0);
    for (unsigned i = 0; i < 100; i++)
        wire_in(f, len);
    while (frame_next())
        count++;
    CHECK(count < 10);
    pass_time(1000);
    /* An unknown protocol. */
    f[23] = 99;
    fix_ip(f);
    wire_in(f, len);
    out = frame_next();
    CHECK(out && out->bytes[34] == 3 && out->bytes[35] == 2);
    /* Never to a broadcast. */
    pass_time(1000);
    wire_forget();
    len = build_udp(f, OUR_IP | 0xFF, 1, 30);
    wire_in(f, len);
    len = build_udp(f, 0xFFFFFFFF, 1, 30);
    memset(f, 0xFF, 6);
    wire_in(f, len);
    CHECK(!frame_next());
}

static size_t build_echo(uint8_t *f, uint32_t to, size_t len)
{
    uint8_t *p = f + 34;

    memset(p, 0, 8);
    p[0] = 8;
    put_be32(p + 4, 0x12345678);
    for (size_t i = 8; i < len; i++)
        p[i] = (uint8_t)i;
    put_be16(p + 2, plain_checksum(p, len, 0));
    return build_ip(f, PEER_IP, to, 1, len);
}

static void test_echo(void)
{
    const struct wire_frame *out;
    uint8_t f[1514];
    size_t len;

    begin_udp();
    len = build_echo(f, OUR_IP, 64);
    wire_in(f, len);
    out = frame_next();
    CHECK(out && out->len == len && out->bytes[34] == 0 &&
          !memcmp(out->bytes + 38, f + 38, 60));
    CHECK(out && plain_checksum(out->bytes + 34, 64, 0) == 0 &&
          plain_checksum(out->bytes + 14, 20, 0) == 0);
    len = build_echo(f, OUR_IP, 1480);
    wire_in(f, len);
    out = frame_next();
    CHECK(out && out->len == 1514);
    f[100] ^= 1;
    wire_in(f, len);
    CHECK(!frame_next());
    len = build_echo(f, OUR_IP | 0xFF, 64);
    wire_in(f, len);
    len = build_echo(f, OUR_IP & 0xFFFFFF00, 64);
    wire_in(f, len);
    CHECK(!frame_next());
}

/* Everything that is wrong with a header, one thing at a time. */
static void test_bad_headers(void)
{
    uint8_t f[200], good[200];
    size_t len;

    begin_udp();
    len = build_echo(good, OUR_IP, 64);
    for (unsigned i = 0; i < 12; i++) {
        memcpy(f, good, len);
        switch (i) {
        case 0:
            f[14] = 0x65;
            fix_ip(f);
            break; /* version */
        case 1:
            f[14] = 0x44;
            fix_ip(f);
            break; /* short header */
        case 2:
            f[14] = 0x4F;
            break; /* long header */
        case 3:
            f[25] ^= 1;
            break; /* checksum */
        case 4:
            put_be16(f + 16, 500);
            fix_ip(f);
            break; /* too long */
        case 5:
            put_be16(f + 16, 19);
            fix_ip(f);
            break; /* too short */
        case 6:
            put_be32(f + 26, OUR_IP);
            fix_ip(f);
            break;
        case 7:
            put_be32(f + 26, 0x7F000001);
            fix_ip(f);
            break;
        case 8:
            put_be32(f + 26, 0xE0000001);
            fix_ip(f);
            break;
        case 9:
            put_be32(f + 26, 0xFFFFFFFF);
            fix_ip(f);
            break;
        case 10:
            put_be32(f + 30, OUR_IP + 1);
            fix_ip(f);
            break;
        default:
            memset(f, 0xFF, 6);
            break; /* broadcast of a unicast */
        }
        wire_in(f, len);
        CHECK(!frame_next());
    }
    for (size_t cut = 0; cut < len; cut++)
        wire_in(good, cut);
    CHECK(!frame_next());
    wire_in(good, len);
    CHECK(frame_next() != NULL);
    /* Options: harmless ones are skipped, source routes are not. */
    for (unsigned i = 0; i < 5; i++) {
        static const uint8_t options[5][4] = {{1, 1, 1, 0},
                                              {131, 4, 4, 0},
                                              {137, 3, 4, 0},
                                              {7, 1, 0, 0},
                                              {7, 40, 0, 0}};

        memcpy(f, good, 34);
        memcpy(f + 34, options[i], 4);
        memcpy(f + 38, good + 34, 64);
        f[14] = 0x46;
        put_be16(f + 16, 20 + 4 + 64);
        fix_ip(f);
        wire_in(f, len + 4);
        CHECK((frame_next() != NULL) == (i == 0));
    }
    CHECK(iobuf_free() == iobuf_total());
}

static void send_fragment(const uint8_t *whole, size_t start, size_t len,
                          bool more, uint16_t id)
{
    uint8_t f[1514];

    memcpy(f + 34, whole + 34 + start, len);
    build_ip(f, PEER_IP, OUR_IP, whole[23], len);
    put_be16(f + 18, id);
    put_be16(f + 20, (uint16_t)((more ? 0x2000 : 0) | start / 8));
    fix_ip(f);
    wire_in(f, 34 + len);
}

static void test_fragments(void)
{
    static uint8_t whole[9000];
    uint8_t changed[9000];

    begin_udp();
    build_udp(whole, OUR_IP, 5353, 3992); /* 4000 bytes */
    send_fragment(whole, 0, 1480, true, 1);
    send_fragment(whole, 1480, 1480, true, 1);
    CHECK(datagrams == 0);
    send_fragment(whole, 2960, 1040, false, 1);
    CHECK(datagrams == 1 && datagram_len == 3992 &&
          !memcmp(datagram, whole + 42, 3992));
    /* Backwards, with repetitions. */
    send_fragment(whole, 2960, 1040, false, 2);
    send_fragment(whole, 2960, 1040, false, 2);
    send_fragment(whole, 1480, 1480, true, 2);
    send_fragment(whole, 1480, 1480, true, 2);
    CHECK(datagrams == 1);
    send_fragment(whole, 0, 1480, true, 2);
    CHECK(datagrams == 2 && !memcmp(datagram, whole + 42, 3992));
    /* Overlap with other bytes: the whole is dropped. */
    memcpy(changed, whole, sizeof(changed));
    changed[1000] ^= 1;
    send_fragment(whole, 0, 1480, true, 3);
    send_fragment(changed, 800, 800, true, 3);
    send_fragment(whole, 1480, 1480, true, 3);
    send_fragment(whole, 2960, 1040, false, 3);
    CHECK(datagrams == 2);
    /* Not a multiple of eight; beyond the end; too large; two ends. */
    send_fragment(whole, 0, 1479, true, 4);
    send_fragment(whole, 0, 1480, true, 5);
    send_fragment(whole, 800, 100, false, 5);
    send_fragment(whole, 8184, 100, true, 6);
    send_fragment(whole, 2960, 1040, false, 7);
    send_fragment(whole, 1480, 1000, false, 7);
    CHECK(datagrams == 2);
    /* Too late. */
    send_fragment(whole, 0, 1480, true, 8);
    send_fragment(whole, 1480, 1480, true, 8);
    pass_time(31000);
    send_fragment(whole, 2960, 1040, false, 8);
    CHECK(datagrams == 2);
    /* A flood of first parts does not stop later ones. */
    for (uint16_t id = 100; id < 200; id++)
        send_fragment(whole, 0, 1480, true, id);
    send_fragment(whole, 0, 1480, true, 9);
    send_fragment(whole, 1480, 1480, true, 9);
    send_fragment(whole, 2960, 1040, false, 9);
    CHECK(datagrams == 3);
    CHECK(iobuf_free() == iobuf_total());
}

int main(void)
{
    test_addresses();
    test_checksum();
    test_arp_start();
    test_arp_answers();
    test_arp_resolution();
    test_arp_many();
    test_arp_conflict();
    test_udp();
    test_unreachable();
    test_echo();
    test_bad_headers();
    test_fragments();
    return check_report();
}
