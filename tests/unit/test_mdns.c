/* The multicast DNS responder against hand-driven neighbours. */
#include "net/ipv4.h"
#include "net/mdns.h"
#include "net/mdns_message.h"
#include "tests/unit/dns_build.h"
#include "tests/unit/fake_wire.h"

#define TYPE_ANY  255
#define TYPE_NSEC 47
#define UNICAST   0x8000
#define FLUSH     0x8000

/* A message that the responder has sent. */
struct told {
    bool any, multicast, response, probe;
    uint32_t to;
    uint16_t port, id;
    unsigned answers, additional;
    unsigned a, ptr, nsec; /* records of each kind */
    uint32_t ttl_s, address;
    uint16_t class;
    char name[DNS_NAME_BYTES]; /* owner of the first record or question */
};

static struct build b;

static void take_records(const uint8_t *p, size_t len, size_t at,
                         unsigned count, struct told *t)
{
    struct dns_name name;

    for (; count; count--) {
        uint16_t type;

        CHECK(dns_name_read(p, len, &at, &name) && len - at >= 10);
        type = get_be16(p + at);
        t->class = get_be16(p + at + 2);
        t->ttl_s = get_be32(p + at + 4);
        t->a += type == DNS_A;
        t->ptr += type == DNS_PTR;
        t->nsec += type == TYPE_NSEC;
        if (type == DNS_A)
            t->address = get_be32(p + at + 10);
        if (type != DNS_PTR)
            dns_name_format(&name, t->name);
        at += 10 + (size_t)get_be16(p + at + 8);
    }
    CHECK(at == len);
}

static void take_message(const uint8_t *p, size_t len, struct told *t)
{
    unsigned questions = get_be16(p + 4);
    struct dns_name name;
    size_t at = 12;

    t->id = get_be16(p);
    t->response = p[2] & 0x80;
    t->answers = get_be16(p + 6);
    t->additional = get_be16(p + 10);
    t->probe = !t->response && questions == 1;
    for (; questions; questions--) {
        CHECK(dns_name_read(p, len, &at, &name));
        at += 4;
    }
    take_records(p, len, at, t->answers + get_be16(p + 8) + t->additional, t);
}

static struct told told_next(void)
{
    static const uint8_t group[6] = {1, 0, 0x5E, 0, 0, 0xFB};
    struct told t;

    memset(&t, 0, sizeof(t));
    wire_answer_arp();
    while (wire.out_head != wire.out_tail) {
        const struct wire_frame *f = &wire.out[wire.out_head++ % WIRE_FRAMES];
        const uint8_t *udp = f->bytes + 34;

        if (get_be16(f->bytes + 12) != 0x0800 || f->bytes[23] != 17 ||
            get_be16(udp) != 5353)
            continue;
        t.any = true;
        t.to = get_be32(f->bytes + 30);
        t.port = get_be16(udp + 2);
        t.multicast = t.to == MDNS_GROUP;
        CHECK(!t.multicast ||
              (!memcmp(f->bytes, group, 6) && f->bytes[22] == 255));
        take_message(udp + 8, get_be16(udp + 4) - 8U, &t);
        return t;
    }
    return t;
}

/* b as a datagram to the group, or to us alone. */
static void hear_from(uint32_t from, uint16_t port, uint32_t to)
{
    static const uint8_t group[6] = {1, 0, 0x5E, 0, 0, 0xFB};
    static uint8_t f[1514];

    put_be16(f + 34, port);
    put_be16(f + 36, 5353);
    put_be16(f + 38, (uint16_t)(8 + b.len));
    put_be16(f + 40, 0);
    memcpy(f + 42, b.bytes, b.len);
    build_ip(f, from, to, 17, 8 + b.len);
    if (to == MDNS_GROUP)
        memcpy(f, group, 6);
    wire_in(f, 42 + b.len);
}

static void hear(void)
{
    hear_from(PEER_IP, 5353, MDNS_GROUP);
}

static void query(const char *name, unsigned type, unsigned class)
{
    struct dns_name wire_name;

    build_begin(&b, 0, 0);
    put_be16(b.bytes + 2, 0);
    CHECK(dns_name_parse(name, &wire_name));
    build_question(&b, &wire_name, type);
    put_be16(b.bytes + b.len - 2, (uint16_t) class);
}

static void response_a(const char *name, uint32_t address, uint32_t ttl)
{
    build_begin(&b, 0, 0);
    put_be16(b.bytes + 2, 0x8400);
    build_a(&b, name, ttl, address);
}

static void configure(const char *hostname)
{
    struct net_config config = {.prefix_length = 24};

    config.address = net_address_v4(OUR_IP);
    config.gateway = net_address_v4(GATEWAY_IP);
    snprintf(config.hostname, sizeof(config.hostname), "%s", hostname);
    net_configure(&config);
    wire.answer_arp = true;
}

/* Up to where it answers. */
static void begin_mdns(void)
{
    wire_begin(256, 4);
    configure("mail");
    pass_time(5000);
    CHECK(!strcmp(mdns_name(), "mail.local"));
    wire_forget();
}

static void test_start(void)
{
    struct told t;
    uint64_t began;

    wire_begin(256, 4);
    CHECK(!told_next().any); /* no name, no word */
    configure("mail");
    began = fake_machine.now_ns;
    CHECK(!strcmp(mdns_name(), ""));
    pass_time(1100);
    for (unsigned i = 0; i < 3; i++) {
        t = told_next();
        CHECK(t.probe && t.multicast && t.a == 1 && t.address == OUR_IP &&
              !strcmp(t.name, "mail.local") && t.port == 5353 && t.class == 1);
    }
    t = told_next();
    CHECK(t.response && t.multicast && t.a == 1 && t.ptr == 1 && t.nsec == 1 &&
          t.ttl_s == 120 && t.class == (FLUSH | 1) && t.answers == 2);
    CHECK(!told_next().any && fake_machine.now_ns > began + 750000000);
    CHECK(!strcmp(mdns_name(), "mail.local"));
    pass_time(10000);
    CHECK(told_next().response && !told_next().any);
    mdns_stop();
    t = told_next();
    CHECK(t.response && t.a == 1 && t.ptr == 1 && t.ttl_s == 0 && t.multicast);
    query("mail.local", DNS_A, 1);
    hear();
    CHECK(!told_next().any && !strcmp(mdns_name(), ""));
}

static void test_answers(void)
{
    struct told t;

    begin_mdns();
    query("MAIL.local", DNS_A, 1);
    hear();
    t = told_next();
    CHECK(t.response && t.multicast && t.a == 1 && t.nsec == 1 &&
          t.answers == 1 && t.address == OUR_IP);
    hear(); /* within the second */
    CHECK(!told_next().any);
    pass_time(1000);
    hear();
    CHECK(told_next().any);
    query("mail.local", DNS_AAAA, 1);
    hear();
    t = told_next();
    CHECK(t.answers == 1 && t.nsec == 1 && !t.a);
    query("5.1.168.192.in-addr.arpa", DNS_PTR, 255);
    hear();
    t = told_next();
    CHECK(t.answers == 1 && t.ptr == 1 && t.ttl_s == 120);
    pass_time(2000);
    query("mail.local", DNS_A, 3); /* another class */
    hear();
    query("mail.example", DNS_A, 1);
    hear();
    query("other.local", DNS_A, 1);
    hear();
    query("5.1.168.192.in-addr.arpa", DNS_A, 1);
    hear();
    /* From another network; an error code; an operation. */
    query("mail.local", DNS_A, 1);
    hear_from(0x0A000001, 5353, MDNS_GROUP);
    b.bytes[3] = 3;
    hear();
    b.bytes[3] = 0;
    b.bytes[2] = 0x28;
    hear();
    CHECK(!told_next().any);
}

static void test_known(void)
{
    struct told t;

    begin_mdns();
    query("mail.local", DNS_A, 1);
    build_a(&b, "mail.local", 60, OUR_IP);
    hear();
    CHECK(!told_next().any);
    query("mail.local", DNS_A, 1);
    build_a(&b, "mail.local", 59, OUR_IP); /* too old */
    hear();
    CHECK(told_next().any);
    pass_time(1000);
    query("mail.local", DNS_A, 1);
    build_a(&b, "mail.local", 120, PEER_IP); /* wrong */
    hear();
    CHECK(told_next().any);
    query("5.1.168.192.in-addr.arpa", DNS_PTR, 1);
    build_target(&b, SECTION_ANSWER, "5.1.168.192.in-addr.arpa", DNS_PTR, 100,
                 "mail.local");
    hear();
    CHECK(!told_next().any);
    /* More follows: waited for, and heeded. */
    pass_time(2000);
    query("mail.local", DNS_A, 1);
    b.bytes[2] |= 2;
    hear();
    pass_time(300);
    CHECK(!told_next().any);
    build_begin(&b, 0, 0);
    put_be16(b.bytes + 2, 0);
    build_a(&b, "mail.local", 100, OUR_IP);
    hear();
    pass_time(1000);
    CHECK(!told_next().any);
    query("mail.local", DNS_A, 1);
    b.bytes[2] |= 2;
    hear();
    pass_time(600);
    t = told_next();
    CHECK(t.a == 1 && t.multicast);
}

static void test_unicast(void)
{
    struct told t;
    unsigned count = 0;

    begin_mdns();
    query("mail.local", DNS_A, UNICAST | 1);
    hear();
    t = told_next();
    CHECK(t.any && !t.multicast && t.to == PEER_IP && t.port == 5353 &&
          t.class == (FLUSH | 1));
    /* Long after the last multicast all are to hear it. */
    pass_time(31000);
    hear();
    CHECK(told_next().multicast);
    /* An ordinary resolver. */
    query("mail.local", DNS_A, 1);
    put_be16(b.bytes, 0xABCD);
    hear_from(PEER_IP, 40000, MDNS_GROUP);
    t = told_next();
    CHECK(t.response && t.to == PEER_IP && t.port == 40000 && t.id == 0xABCD &&
          t.a == 1 && t.ttl_s == 10 && t.class == 1 && !t.nsec);
    hear_from(PEER_IP, 40000, OUR_IP);
    CHECK(told_next().any);
    query("mail.local", DNS_AAAA, 1);
    hear_from(PEER_IP, 40000, MDNS_GROUP);
    t = told_next();
    CHECK(t.response && t.answers == 0 && t.port == 40000);
    /* A flood of them. */
    query("mail.local", DNS_A, 1);
    for (unsigned i = 0; i < 100; i++)
        hear_from(PEER_IP, 40000, MDNS_GROUP);
    while (told_next().any)
        count++;
    CHECK(count >= 15 && count <= 20);
    /* A response from such a port means nothing. */
    response_a("mail.local", PEER_IP, 120);
    hear_from(PEER_IP, 40000, MDNS_GROUP);
    CHECK(!strcmp(mdns_name(), "mail.local"));
}

static void test_taken(void)
{
    struct told t;

    wire_begin(256, 4);
    configure("mail");
    pass_time(300);
    CHECK(told_next().probe);
    response_a("mail.local", PEER_IP, 120);
    hear();
    pass_time(5000);
    t = told_next();
    CHECK(t.probe && !strcmp(t.name, "mail-2.local"));
    CHECK(!strcmp(mdns_name(), "mail-2.local"));
    /* Later: somebody else says that he is it. It is asked for again. */
    wire_forget();
    response_a("mail-2.local", PEER_IP, 0); /* is gone: nothing */
    hear();
    response_a("mail-2.local", OUR_IP, 120); /* ours, repeated by somebody */
    hear();
    CHECK(!told_next().any);
    response_a("mail-2.local", PEER_IP, 120);
    hear();
    pass_time(1);
    t = told_next();
    CHECK(t.probe && !strcmp(t.name, "mail-2.local"));
    hear();
    pass_time(5000);
    CHECK(!strcmp(mdns_name(), "mail-3.local"));
    /* Another setting begins anew, with a goodbye. */
    wire_forget();
    configure("post");
    t = told_next();
    CHECK(t.response && t.ttl_s == 0 && !strcmp(t.name, "mail-3.local"));
    pass_time(5000);
    CHECK(!strcmp(mdns_name(), "post.local"));
}

/* Somebody who takes every name is not chased quickly. */
static void test_taken_for_ever(void)
{
    unsigned probes = 0;
    struct told t;

    wire_begin(256, 4);
    configure("mail");
    for (unsigned i = 0; i < 6000; i++) {
        pass_time(10);
        while ((t = told_next()).any) {
            probes += t.probe;
            response_a(t.name, PEER_IP, 120);
            hear();
        }
    }
    CHECK(probes >= 20 && probes < 30 && !strcmp(mdns_name(), ""));
}

static void propose(uint32_t address, bool more)
{
    uint8_t data[16] = {0};

    query("mail.local", TYPE_ANY, UNICAST | 1);
    if (more)
        build_record(&b, SECTION_AUTHORITY, "mail.local", DNS_AAAA, 120, data,
                     16);
    put_be32(data, address);
    build_record(&b, SECTION_AUTHORITY, "mail.local", DNS_A, 120, data, 4);
    hear();
}

/* Two want the name at the same time: the later in order gets it. */
static void test_tie(void)
{
    struct told t;

    for (unsigned i = 0; i < 4; i++) {
        static const struct {
            uint32_t address;
            bool more, lost;
        } cases[] = {{OUR_IP - 1, false, false},
                     {PEER_IP, false, true},
                     {OUR_IP, false, false},
                     {OUR_IP, true, true}};

        wire_begin(256, 4);
        configure("mail");
        pass_time(300);
        CHECK(told_next().probe);
        propose(cases[i].address, cases[i].more);
        CHECK(!told_next().response);
        pass_time(700);
        pass_time(200);
        CHECK((strcmp(mdns_name(), "mail.local") == 0) == !cases[i].lost);
        pass_time(3000);
        CHECK(!strcmp(mdns_name(), "mail.local"));
    }
    /* Ours already: it is defended. */
    begin_mdns();
    propose(PEER_IP, false);
    t = told_next();
    CHECK(t.response && t.multicast && t.a == 1 && t.address == OUR_IP);
    CHECK(!strcmp(mdns_name(), "mail.local"));
}

static void test_address(void)
{
    struct told t;

    begin_mdns();
    wire.link_up = false;
    pass_time(500);
    CHECK(!strcmp(mdns_name(), ""));
    query("mail.local", DNS_A, 1);
    hear();
    wire_forget();
    wire.link_up = true;
    pass_time(1000);
    t = told_next();
    CHECK(t.probe);
    pass_time(3000);
    CHECK(!strcmp(mdns_name(), "mail.local"));
    /* Garbage, and every message cut anywhere. */
    query("mail.local", DNS_A, 1);
    build_a(&b, "mail.local", 59, PEER_IP);
    for (size_t len = b.len; len-- > 0;) {
        b.len = len;
        hear();
    }
    response_a("mail.local", PEER_IP, 120);
    for (size_t len = b.len; len-- > 0;) {
        b.len = len;
        hear();
    }
    CHECK(!strcmp(mdns_name(), "mail.local"));
    CHECK(iobuf_free() == iobuf_total());
}

int main(void)
{
    test_start();
    test_answers();
    test_known();
    test_unicast();
    test_taken();
    test_taken_for_ever();
    test_tie();
    test_address();
    wire_memory_release();
    return check_report();
}
