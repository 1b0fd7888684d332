/* The life of a DHCP lease against a hand-driven server. */
#include "net/ipv4.h"
#include "tests/unit/fake_wire.h"

static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 0x77};

#define SERVER_IP GATEWAY_IP
#define LEASE_IP  0xC0A80137U

struct request {
    uint8_t type; /* 0: none was sent */
    uint32_t transaction, client, requested, server;
    bool broadcast_flag, to_broadcast, wants_ntp;
    char hostname[64];
};

static struct request request_next(void)
{
    const struct wire_frame *f;
    struct request r;
    const uint8_t *p;

    memset(&r, 0, sizeof(r));
    while ((f = frame_next()) != NULL) {
        if (get_be16(f->bytes + 12) != 0x0800 || f->bytes[23] != 17 ||
            get_be16(f->bytes + 36) != 67)
            continue;
        p = f->bytes + 42;
        r.transaction = get_be32(p + 4);
        r.broadcast_flag = p[10] & 0x80;
        r.to_broadcast = get_be32(f->bytes + 30) == 0xFFFFFFFF;
        r.client = get_be32(p + 12);
        CHECK(!memcmp(p + 28, our_mac, 6));
        for (p += 240; *p != 255; p += 2 + p[1]) {
            if (*p == 53)
                r.type = p[2];
            if (*p == 50)
                r.requested = get_be32(p + 2);
            if (*p == 54)
                r.server = get_be32(p + 2);
            if (*p == 55)
                r.wants_ntp = memchr(p + 2, 42, p[1]) != NULL;
            if (*p == 12)
                memcpy(r.hostname, p + 2, p[1]);
        }
        return r;
    }
    return r;
}

/* Put by a test into the next replies: options before the end, and the fields
 * that options may overflow into. */
static struct {
    uint8_t options[64], sname[64], file[128];
    size_t bytes;
    uint32_t server;
} more;

static void reply(const struct request *r, uint8_t type, uint32_t address,
                  uint32_t lease_s, uint32_t to)
{
    uint8_t f[600] = {0};
    uint8_t *p = f + 42;
    static const uint8_t tail[] = {1, 4, 255, 255, 255, 0, 3, 4, 192, 168, 1,
                                   1, 6, 8,   9,   9,   9, 9, 8, 8,   8,   8};

    put_be16(f + 34, 67);
    put_be16(f + 36, 68);
    put_be16(f + 38, 408);
    p[0] = 2;
    p[1] = 1;
    p[2] = 6;
    put_be32(p + 4, r->transaction);
    put_be32(p + 16, address);
    memcpy(p + 28, our_mac, 6);
    put_be32(p + 236, 0x63825363);
    p += 240;
    *p++ = 53;
    *p++ = 1;
    *p++ = type;
    *p++ = 54;
    *p++ = 4;
    put_be32(p, more.server ? more.server : SERVER_IP);
    p += 4;
    *p++ = 51;
    *p++ = 4;
    put_be32(p, lease_s);
    memcpy(p + 4, tail, sizeof(tail));
    p += 4 + sizeof(tail);
    memcpy(p, more.options, more.bytes);
    p[more.bytes] = 255;
    memcpy(f + 42 + 44, more.sname, sizeof(more.sname));
    memcpy(f + 42 + 108, more.file, sizeof(more.file));
    build_ip(f, SERVER_IP, to, 17, 408);
    if (to == 0xFFFFFFFF)
        memset(f, 0xFF, 6);
    wire_in(f, 442);
}

static void begin_dhcp(void)
{
    struct net_config config = {.dhcp = true, .hostname = "barepost"};

    memset(&more, 0, sizeof(more));
    wire_begin(256, 4);
    wire.answer_arp = true;
    net_configure(&config);
    net_flush();
    wire_forget();
}

static enum net_state net_state_now(void)
{
    struct net_status status;

    net_status(&status);
    return status.state;
}

/* From nothing to a lease. */
static void bind_lease(uint32_t lease_s)
{
    struct request r;

    begin_dhcp();
    pass_time(1600);
    r = request_next();
    CHECK(r.type == 1 && r.broadcast_flag && r.to_broadcast);
    CHECK(!strcmp(r.hostname, "barepost"));
    wire_forget();
    reply(&r, 2, LEASE_IP, lease_s, 0xFFFFFFFF);
    r = request_next();
    CHECK(r.type == 3 && r.requested == LEASE_IP && r.server == SERVER_IP &&
          r.client == 0);
    reply(&r, 5, LEASE_IP, lease_s, 0xFFFFFFFF);
    CHECK(net_state_now() == NET_CONFIGURING); /* is being probed */
    pass_time(500);
    CHECK(net_state_now() == NET_UP);
    wire_forget();
}

static void test_dhcp_bind(void)
{
    struct net_status status;
    struct request r;

    bind_lease(7200);
    net_status(&status);
    CHECK(status.from_dhcp && status.prefix_length == 24);
    CHECK(net_address_to_v4(&status.address) == LEASE_IP);
    CHECK(net_address_to_v4(&status.gateway) == GATEWAY_IP);
    CHECK(net_address_to_v4(&status.dns[1]) == 0x08080808);
    /* T1: renewed with the server alone. */
    pass_time(3590000);
    CHECK(request_next().type == 0);
    pass_time(20000);
    r = request_next();
    CHECK(r.type == 3 && r.client == LEASE_IP && !r.requested && !r.server &&
          !r.to_broadcast && !r.broadcast_flag);
    /* The network has a larger mask and another router since. */
    memcpy(more.options,
           (uint8_t[]){1, 4, 255, 255, 254, 0, 3, 4, 192, 168, 1, 2}, 12);
    more.bytes = 12;
    reply(&r, 5, LEASE_IP, 7200, LEASE_IP);
    net_status(&status);
    CHECK(status.lease_ends_ms > timer_now_ms() + 7100000);
    CHECK(net_address_to_v4(&status.gateway) == GATEWAY_IP + 1);
    CHECK(status.prefix_length == 23);
    pass_time(3000000);
    CHECK(request_next().type == 0 && net_state_now() == NET_UP);
}

static void test_dhcp_expiry(void)
{
    struct request r;
    unsigned renewals = 0, rebinds = 0;

    bind_lease(7200);
    pass_time(6200000); /* T1 passed, T2 (6300 s) not */
    while ((r = request_next()).type)
        renewals += r.type == 3 && !r.to_broadcast;
    CHECK(renewals >= 3 && renewals < 20);
    pass_time(900000);
    while ((r = request_next()).type)
        rebinds += r.type == 3 && r.to_broadcast && r.client == LEASE_IP;
    CHECK(rebinds >= 2 && net_state_now() == NET_UP);
    pass_time(200000);
    CHECK(net_state_now() == NET_CONFIGURING);
    do
        r = request_next();
    while (r.type && r.type != 1);
    CHECK(r.type == 1);
}

/* Any server may extend the lease after T2. */
static void test_dhcp_rebind(void)
{
    struct net_status status;
    struct request r;

    bind_lease(7200);
    pass_time(6250000);
    wire_forget();
    pass_time(60000);
    do
        r = request_next();
    while (r.type && !r.to_broadcast);
    CHECK(r.type == 3 && r.to_broadcast && r.client == LEASE_IP && !r.server);
    more.server = PEER_IP;
    reply(&r, 5, LEASE_IP, 7200, LEASE_IP);
    net_status(&status);
    CHECK(status.state == NET_UP &&
          status.lease_ends_ms > timer_now_ms() + 7100000);
    wire_forget();
    pass_time(3610000);
    r = request_next();
    CHECK(r.type == 3 && !r.to_broadcast); /* to the new one, T1 */
    reply(&r, 5, LEASE_IP + 1, 7200, LEASE_IP);
    CHECK(net_state_now() == NET_CONFIGURING); /* another address: anew */
}

static const struct net_status *options_bound(void)
{
    static struct net_status status;
    struct request r;

    pass_time(1600);
    r = request_next();
    CHECK(r.wants_ntp);
    reply(&r, 2, LEASE_IP, 600, 0xFFFFFFFF);
    wire_forget();
    reply(&r, 5, LEASE_IP, 600, 0xFFFFFFFF);
    pass_time(500);
    net_status(&status);
    return &status;
}

static bool is_address(const struct net_address *address, uint32_t v4)
{
    static const struct net_address none;

    return v4 ? net_address_to_v4(address) == v4
              : net_address_equal(address, &none);
}

static void test_dhcp_options(void)
{
    static const uint8_t ntp[] = {42, 12, 0, 0, 0, 0, 9, 9, 9, 8, 9, 9, 9, 8};
    static const uint8_t overload[] = {52, 1, 3};
    static const uint8_t file[] = {0, 42, 4, 1, 2, 3, 4, 255};
    static const uint8_t sname[] = {6, 9, 1, 1, 1, 1, 1, 1, 1, 2, 7, 255};
    struct net_config config = {.dhcp = true};
    const struct net_status *status;

    begin_dhcp();
    memcpy(more.options, ntp, more.bytes = sizeof(ntp));
    status = options_bound();
    CHECK(status->state == NET_UP && is_address(&status->ntp[0], 0x09090908) &&
          is_address(&status->ntp[1], 0) && is_address(&status->dns[2], 0));
    /* Options that go on in other fields. */
    begin_dhcp();
    memcpy(more.options, overload, more.bytes = sizeof(overload));
    memcpy(more.file, file, sizeof(file));
    memcpy(more.sname, sname, sizeof(sname));
    status = options_bound();
    CHECK(status->state == NET_UP && is_address(&status->ntp[0], 0x01020304) &&
          is_address(&status->dns[0], 0x01010101) &&
          is_address(&status->dns[1], 0x01010102));
    /* Not to their end: the message is refused. */
    begin_dhcp();
    memcpy(more.options, overload, more.bytes = sizeof(overload));
    memset(more.file, 77, sizeof(more.file));
    CHECK(options_bound()->state == NET_CONFIGURING);
    /* Name servers of the setting go before those of DHCP. */
    begin_dhcp();
    config.dns[0] = net_address_v4(PEER_IP);
    net_configure(&config);
    wire_forget();
    status = options_bound();
    CHECK(status->state == NET_UP && is_address(&status->dns[0], PEER_IP) &&
          is_address(&status->dns[1], 0));
}

static void test_dhcp_nak(void)
{
    struct request r;

    bind_lease(7200);
    pass_time(3610000);
    r = request_next();
    CHECK(r.type == 3);
    reply(&r, 6, 0, 0, 0xFFFFFFFF);
    CHECK(net_state_now() == NET_CONFIGURING);
    r = request_next();
    CHECK(r.type == 1 && !r.requested);
}

/* What is asked of a server that has offered an address. */
static struct request request_of_offer(void)
{
    struct request r;

    begin_dhcp();
    pass_time(1600);
    r = request_next();
    wire_forget();
    reply(&r, 2, LEASE_IP, 600, 0xFFFFFFFF);
    return request_next();
}

/* A server that takes back what it has just offered is not asked again as fast
 * as it answers. */
static void test_dhcp_refusal(void)
{
    struct request r = request_of_offer();

    CHECK(r.type == 3);
    reply(&r, 6, 0, 0, 0xFFFFFFFF);
    pass_time(9000);
    CHECK(request_next().type == 0);
    pass_time(3000);
    CHECK(request_next().type == 1);
}

static void test_dhcp_conflict(void)
{
    struct request r = request_of_offer();

    reply(&r, 5, LEASE_IP, 600, 0xFFFFFFFF);
    pass_time(50);
    arp_in(2, LEASE_IP, 0, other_mac, true);
    r = request_next();
    CHECK(r.type == 4 && r.requested == LEASE_IP && r.server == SERVER_IP);
    pass_time(9000);
    CHECK(request_next().type == 0 && net_state_now() == NET_CONFIGURING);
    pass_time(2000);
    CHECK(request_next().type == 1);
    /* In use: defended once, then given up (RFC 5227 2.4 b). */
    bind_lease(7200);
    arp_in(2, LEASE_IP, 0, other_mac, true);
    CHECK(net_state_now() == NET_UP);
    arp_in(2, LEASE_IP, 0, other_mac, true);
    CHECK(net_state_now() == NET_CONFIGURING && request_next().type == 4);
}

static void test_dhcp_silence(void)
{
    struct request r;
    unsigned count = 0;

    begin_dhcp();
    pass_time(600000);
    while ((r = request_next()).type)
        count += r.type == 1;
    CHECK(count >= 9 && count <= 20);
    /* Wrong transaction, wrong type, nonsense options. */
    r.transaction = 12345;
    reply(&r, 2, LEASE_IP, 600, 0xFFFFFFFF);
    CHECK(request_next().type == 0);
}

/* A server that does not heed the broadcast flag. */
static void test_dhcp_unicast(void)
{
    struct request r;

    begin_dhcp();
    pass_time(1600);
    r = request_next();
    wire_forget();
    reply(&r, 2, LEASE_IP, 600, LEASE_IP);
    r = request_next();
    CHECK(r.type == 3);
    reply(&r, 5, LEASE_IP, 600, LEASE_IP);
    pass_time(500);
    CHECK(net_state_now() == NET_UP);
}

static void test_link(void)
{
    struct request r;

    bind_lease(7200);
    wire.link_up = false;
    pass_time(300);
    CHECK(net_state_now() == NET_NO_LINK);
    wire.present = false;
    pass_time(300);
    CHECK(net_state_now() == NET_NO_CARD);
    wire_forget();
    wire.present = true;
    wire.link_up = true;
    pass_time(300);
    CHECK(net_state_now() == NET_CONFIGURING);
    /* It asks for what it had (INIT-REBOOT). */
    r = request_next();
    CHECK(r.type == 3 && r.requested == LEASE_IP && !r.server && !r.client);
    reply(&r, 5, LEASE_IP, 7200, 0xFFFFFFFF);
    pass_time(500);
    CHECK(net_state_now() == NET_UP);
    /* Nobody answers: from the beginning. */
    wire.link_up = false;
    pass_time(300);
    wire.link_up = true;
    wire_forget();
    pass_time(20000);
    CHECK(request_next().type == 3);
    do
        r = request_next();
    while (r.type == 3);
    CHECK(r.type == 1);
    CHECK(iobuf_free() == iobuf_total());
}

int main(void)
{
    test_dhcp_bind();
    test_dhcp_expiry();
    test_dhcp_rebind();
    test_dhcp_options();
    test_dhcp_nak();
    test_dhcp_refusal();
    test_dhcp_conflict();
    test_dhcp_silence();
    test_dhcp_unicast();
    test_link();
    wire_memory_release();
    return check_report();
}
