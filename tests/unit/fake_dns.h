/* Name servers on the fake wire that a test answers for, and lookups. To be
 * included by one C file of a test program. */
#ifndef TESTS_UNIT_FAKE_DNS_H
#define TESTS_UNIT_FAKE_DNS_H

#include "net/udp_input.h"
#include "tests/unit/dns_build.h"
#include "tests/unit/fake_wire.h"

#define SECOND_IP GATEWAY_IP
#define FAR_IP    0x08080808U

/* All of them are cleared at each beginning: a fuzzer wants few. */
#ifndef FAKE_DNS_BUFFERS
#define FAKE_DNS_BUFFERS 512
#endif

/* A question that the resolver has sent by UDP. */
struct sent {
    bool any, edns;
    uint32_t server;
    uint16_t port, id;
    unsigned type;
    struct dns_name name;
};

static struct build b;
static struct dns_lookup lookups[1100];
static unsigned done_count;

static inline void on_done(struct dns_lookup *lookup)
{
    lookup->context = lookup;
    done_count++;
}

static inline void take_question(const uint8_t *p, size_t len, struct sent *s)
{
    size_t at = 12;

    s->id = get_be16(p);
    s->edns = get_be16(p + 10) == 1;
    CHECK(dns_name_read(p, len, &at, &s->name));
    s->type = get_be16(p + at);
    CHECK(len == at + 4 + (s->edns ? 11 : 0));
}

static inline struct sent sent_next(void)
{
    struct sent s;

    memset(&s, 0, sizeof(s));
    wire_answer_arp();
    while (wire.out_head != wire.out_tail) {
        const struct wire_frame *f = &wire.out[wire.out_head++ % WIRE_FRAMES];
        const uint8_t *udp = f->bytes + 34;

        if (get_be16(f->bytes + 12) != 0x0800 || f->bytes[23] != 17 ||
            get_be16(udp + 2) != 53)
            continue;
        s.any = true;
        s.server = get_be32(f->bytes + 30);
        s.port = get_be16(udp);
        take_question(udp + 8, get_be16(udp + 4) - 8U, &s);
        return s;
    }
    return s;
}

static inline void answer_from(const struct sent *s, uint32_t ip, uint16_t port)
{
    static uint8_t f[1514];
    uint8_t *udp = f + 34;

    put_be16(udp, port);
    put_be16(udp + 2, s->port);
    put_be16(udp + 4, (uint16_t)(8 + b.len));
    put_be16(udp + 6, 0);
    memcpy(udp + 8, b.bytes, b.len);
    wire_in(f, build_ip(f, ip, OUR_IP, 17, 8 + b.len));
}

static inline void answer(const struct sent *s)
{
    answer_from(s, s->server, 53);
}

static inline void build_answer(const struct sent *s, unsigned flags)
{
    build_begin(&b, s->id, flags);
    build_question(&b, &s->name, s->type);
}

static inline void answer_code(const struct sent *s, unsigned code)
{
    build_answer(s, code);
    answer(s);
}

static inline void answer_a(const struct sent *s, const char *name,
                            uint32_t address)
{
    build_answer(s, 0);
    build_a(&b, name, 300, address);
    answer(s);
}

/* Makes a neighbour known to ARP, so that what is sent is seen at once. */
static inline void know_neighbour(uint32_t address)
{
    struct udp_socket socket = {.port = 0};
    struct net_endpoint to = {net_address_v4(address), 9};

    CHECK(udp_open(&socket) == OK);
    CHECK(udp_send(&socket, &to, "", 0) == OK);
    wire_answer_arp();
    udp_close(&socket);
}

static inline void configure(uint32_t first, uint32_t second, uint32_t third)
{
    uint32_t servers[3] = {first, second, third};
    struct net_config config = {.prefix_length = 24};

    config.address = net_address_v4(OUR_IP);
    config.gateway = net_address_v4(GATEWAY_IP);
    for (unsigned i = 0; i < 3; i++) {
        if (servers[i])
            config.dns[i] = net_address_v4(servers[i]);
    }
    net_configure(&config);
    wire.answer_arp = true;
    know_neighbour(PEER_IP);
    know_neighbour(GATEWAY_IP);
    pass_time(100);
}

static inline void begin(uint32_t first, uint32_t second, uint32_t third)
{
    wire_begin(FAKE_DNS_BUFFERS, FAKE_DNS_BUFFERS / 8);
    if (dns_module_init() != OK)
        abort();
    configure(first, second, third);
    pass_time(1000);
    wire_forget();
    done_count = 0;
    memset(lookups, 0, sizeof(lookups));
}

static inline struct dns_lookup *look(unsigned i, const char *name,
                                      enum dns_type type)
{
    lookups[i].done = on_done;
    lookups[i].context = NULL;
    dns_lookup(&lookups[i], name, type);
    return &lookups[i];
}

static inline bool is_done(const struct dns_lookup *lookup,
                           enum dns_status status)
{
    pass_time(2);
    return lookup->context && lookup->status == status;
}

static inline uint32_t first_address(const struct dns_lookup *lookup)
{
    return lookup->count ? net_address_to_v4(&lookup->answers[0].address) : 0;
}

#endif
