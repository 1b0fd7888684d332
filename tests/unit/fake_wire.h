/* A network card and a wire for tests of the network room, and a hand-driven
 * peer that builds and takes apart segments by itself (with a checksum of its
 * own). To be included by one C file of a test program.
 *
 * Frames that the AO sends are copied into wire.out, oldest first; the test
 * takes them with seen_next(). */
#ifndef TESTS_UNIT_FAKE_WIRE_H
#define TESTS_UNIT_FAKE_WIRE_H

#include "core/bytes.h"
#include "core/iobuf.h"
#include "core/machine.h"
#include "core/random.h"
#include "core/timer.h"
#include "net/net.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include <stdlib.h>
#include <string.h>

/* All of them are cleared at each beginning: a fuzzer wants few. */
#ifndef WIRE_FRAMES
#define WIRE_FRAMES 4096
#endif
#define OUR_IP     0xC0A80105U /* 192.168.1.5/24 */
#define PEER_IP    0xC0A80109U
#define GATEWAY_IP 0xC0A80101U

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 5};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 9};

struct wire_frame {
    uint8_t bytes[1514];
    size_t len;
};

static struct {
    struct wire_frame out[WIRE_FRAMES];
    unsigned out_head, out_tail; /* taken, put */
    struct iobuf *held[256];     /* references the card has not given up */
    unsigned held_count;
    bool hold, refuse, present, link_up;
    bool answer_arp;     /* neighbours answer for themselves */
    uint32_t arp_wanted; /* who was asked for */
} wire;

/* Memory of the case that runs: each piece on its own, so that ASan sees what
 * goes beyond one; all given back before the next case. */
static struct {
    void *pieces[64];
    unsigned count;
} wire_memory;

static inline void wire_memory_release(void)
{
    while (wire_memory.count)
        free(wire_memory.pieces[--wire_memory.count]);
}

void *machine_memory_take(size_t bytes, size_t alignment)
{
    void *memory;

    if (wire_memory.count == 64)
        return NULL;
    memory = aligned_alloc(alignment,
                           (bytes + alignment - 1) / alignment * alignment);
    if (!memory)
        return NULL;
    wire_memory.pieces[wire_memory.count++] = memory;
    return memset(memory, 0, bytes);
}

bool machine_nic_send(struct iobuf *frame)
{
    struct wire_frame *out;

    if (wire.refuse)
        return false;
    if (wire.out_tail - wire.out_head >= WIRE_FRAMES)
        wire.out_head++; /* the oldest is lost to the test */
    out = &wire.out[wire.out_tail++ % WIRE_FRAMES];
    out->len = iobuf_length(frame);
    if (out->len < 14 || out->len > sizeof(out->bytes))
        abort();
    memcpy(out->bytes, frame->data, out->len);
    if (get_be16(out->bytes + 12) == 0x0806 && out->bytes[21] == 1)
        wire.arp_wanted = get_be32(out->bytes + 38);
    if (wire.hold && wire.held_count < 256)
        wire.held[wire.held_count++] = iobuf_take(frame);
    return true;
}

struct iobuf *machine_nic_receive(void)
{
    return NULL; /* frames are given to net by wire_in() */
}

void machine_nic_info(struct machine_nic_info *info)
{
    memset(info, 0, sizeof(*info));
    info->name = "fake";
    info->present = wire.present;
    info->link_up = wire.link_up;
    memcpy(info->address, our_mac, 6);
}

static inline void wire_release_held(void)
{
    while (wire.held_count)
        iobuf_release(wire.held[--wire.held_count]);
}

void ethernet_input(struct iobuf *frame);

/* One frame from the wire, with what the AO makes of it. */
static inline void wire_in(const uint8_t *bytes, size_t len)
{
    struct iobuf *frame = iobuf_alloc_receive();

    if (!frame)
        return;
    memcpy(iobuf_put(frame, len), bytes, len);
    ethernet_input(frame);
}

/* ---- The peer's own arithmetic ---- */

static inline uint16_t plain_checksum(const uint8_t *p, size_t len,
                                      uint32_t sum)
{
    for (size_t i = 0; i < len; i++)
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static inline uint32_t plain_pseudo(uint32_t a, uint32_t b, uint8_t protocol,
                                    size_t len)
{
    return (a >> 16) + (a & 0xFFFF) + (b >> 16) + (b & 0xFFFF) + protocol +
           (uint32_t)len;
}

static inline size_t build_ethernet(uint8_t *f, const uint8_t *to,
                                    uint16_t type)
{
    memcpy(f, to, 6);
    memcpy(f + 6, peer_mac, 6);
    put_be16(f + 12, type);
    return 14;
}

/* An ARP packet from a host with peer_mac. */
static inline void arp_in(uint16_t operation, uint32_t sender, uint32_t target,
                          const uint8_t *sender_mac, bool broadcast)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    uint8_t f[60] = {0};

    build_ethernet(f, broadcast ? all : our_mac, 0x0806);
    memcpy(f + 6, sender_mac, 6);
    put_be16(f + 14, 1);
    put_be16(f + 16, 0x0800);
    f[18] = 6;
    f[19] = 4;
    put_be16(f + 20, operation);
    memcpy(f + 22, sender_mac, 6);
    put_be32(f + 28, sender);
    put_be32(f + 38, target);
    wire_in(f, sizeof(f));
}

static inline void wire_answer_arp(void)
{
    uint32_t wanted = wire.arp_wanted;

    wire.arp_wanted = 0;
    if (wire.answer_arp && (wanted == PEER_IP || wanted == GATEWAY_IP))
        arp_in(2, wanted, OUR_IP, peer_mac, false);
}

/* Lets time pass; timers fire in order, MT's turn ends after each. */
static inline void pass_time(uint64_t ms)
{
    uint64_t end = fake_machine.now_ns + ms * 1000000;

    net_flush();
    while (fake_machine.now_ns < end) {
        uint64_t next = timer_next_ms();
        uint64_t at = next > end / 1000000 ? end : next * 1000000;

        if (at <= fake_machine.now_ns)
            at = fake_machine.now_ns + 1000000;
        fake_machine.now_ns = at > end ? end : at;
        timer_run();
        net_flush();
        wire_answer_arp();
    }
}

/* ---- What the AO has sent ---- */

/* The oldest frame that was not taken yet; NULL: none. */
static inline const struct wire_frame *frame_next(void)
{
    if (wire.out_head == wire.out_tail)
        return NULL;
    return &wire.out[wire.out_head++ % WIRE_FRAMES];
}

/* operation: 1 a request, 2 a reply. */
static inline bool is_arp(const struct wire_frame *f, uint16_t operation,
                          uint32_t sender, uint32_t target)
{
    return f && get_be16(f->bytes + 12) == 0x0806 &&
           get_be16(f->bytes + 20) == operation &&
           get_be32(f->bytes + 28) == sender &&
           get_be32(f->bytes + 38) == target;
}

static inline unsigned count_arp(uint16_t operation, uint32_t sender,
                                 uint32_t target)
{
    const struct wire_frame *f;
    unsigned count = 0;

    while ((f = frame_next()) != NULL)
        count += is_arp(f, operation, sender, target);
    return count;
}

/* An IP packet around `len` bytes that already stand at f + 34. */
static inline size_t build_ip(uint8_t *f, uint32_t from, uint32_t to,
                              uint8_t protocol, size_t len)
{
    build_ethernet(f, our_mac, 0x0800);
    memset(f + 14, 0, 20);
    f[14] = 0x45;
    put_be16(f + 16, (uint16_t)(20 + len));
    f[22] = 64;
    f[23] = protocol;
    put_be32(f + 26, from);
    put_be32(f + 30, to);
    put_be16(f + 24, plain_checksum(f + 14, 20, 0));
    return 34 + len;
}

/* ---- A TCP peer ---- */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct peer {
    uint32_t ip;
    uint16_t port, our_port;
    uint32_t seq, ack; /* what it sends next, what it awaits */
    uint16_t window;
    uint8_t options[40];
    size_t option_bytes;
};

/* A segment that the AO has sent. */
struct seen {
    bool any;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window, source_port, port, mss;
    int scale; /* -1: no option */
    bool sack_permitted;
    unsigned sack_blocks;
    uint32_t sack[4][2];
    size_t len;
    uint8_t data[1460];
};

static inline void parse_seen_options(struct seen *s, const uint8_t *p,
                                      size_t len)
{
    while (len && *p) {
        size_t n = *p == 1 ? 1 : p[1];

        if (!n || n > len)
            abort();
        if (*p == 2)
            s->mss = get_be16(p + 2);
        if (*p == 3)
            s->scale = p[2];
        if (*p == 4)
            s->sack_permitted = true;
        if (*p == 5) {
            s->sack_blocks = (p[1] - 2U) / 8;
            for (unsigned i = 0; i < s->sack_blocks; i++) {
                s->sack[i][0] = get_be32(p + 2 + 8 * i);
                s->sack[i][1] = get_be32(p + 6 + 8 * i);
            }
        }
        p += n;
        len -= n;
    }
}

/* Takes a frame apart that is TCP over IPv4; checks both checksums. */
static inline bool parse_seen(const struct wire_frame *frame, struct seen *s)
{
    const uint8_t *ip = frame->bytes + 14, *tcp = ip + 20;
    size_t len, header;

    if (frame->len < 54 || get_be16(frame->bytes + 12) != 0x0800 || ip[9] != 6)
        return false;
    len = get_be16(ip + 2) - 20U;
    CHECK(frame->len == 34 + len);
    CHECK(plain_checksum(ip, 20, 0) == 0);
    CHECK(plain_checksum(
              tcp, len,
              plain_pseudo(get_be32(ip + 12), get_be32(ip + 16), 6, len)) == 0);
    header = (size_t)(tcp[12] >> 4) * 4;
    memset(s, 0, sizeof(*s));
    s->any = true;
    s->source_port = get_be16(tcp);
    s->port = get_be16(tcp + 2);
    s->seq = get_be32(tcp + 4);
    s->ack = get_be32(tcp + 8);
    s->flags = tcp[13];
    s->window = get_be16(tcp + 14);
    s->scale = -1;
    parse_seen_options(s, tcp + 20, header - 20);
    s->len = len - header;
    memcpy(s->data, tcp + header, s->len);
    return true;
}

/* The next TCP segment sent; any is false when there is none. */
static inline struct seen seen_next(void)
{
    struct seen s;

    wire_answer_arp();
    while (wire.out_head != wire.out_tail) {
        if (parse_seen(&wire.out[wire.out_head++ % WIRE_FRAMES], &s))
            return s;
    }
    memset(&s, 0, sizeof(s));
    return s;
}

static inline void wire_forget(void)
{
    wire.out_head = wire.out_tail;
}

static inline unsigned seen_count(void)
{
    unsigned count = 0;

    while (seen_next().any)
        count++;
    return count;
}

/* A frame with one segment of the peer. Returns its length. */
static inline size_t build_segment(uint8_t *frame, const struct peer *p,
                                   uint32_t seq, uint32_t ack, uint8_t flags,
                                   const void *data, size_t len)
{
    uint8_t *tcp = frame + 34;
    size_t header = 20 + p->option_bytes, total = header + len;

    memset(tcp, 0, 20);
    put_be16(tcp, p->port);
    put_be16(tcp + 2, p->our_port);
    put_be32(tcp + 4, seq);
    put_be32(tcp + 8, ack);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = flags;
    put_be16(tcp + 14, p->window);
    memcpy(tcp + 20, p->options, p->option_bytes);
    if (len)
        memcpy(tcp + header, data, len);
    put_be16(tcp + 16,
             plain_checksum(tcp, total, plain_pseudo(p->ip, OUR_IP, 6, total)));
    return build_ip(frame, p->ip, OUR_IP, 6, total);
}

static inline void peer_raw(const struct peer *p, uint32_t seq, uint32_t ack,
                            uint8_t flags, const void *data, size_t len)
{
    uint8_t frame[1514];
    size_t bytes = build_segment(frame, p, seq, ack, flags, data, len);

    wire_in(frame, bytes);
}

/* In sequence; SYN and FIN count. */
static inline void peer_send(struct peer *p, uint8_t flags, const void *data,
                             size_t len)
{
    uint32_t seq = p->seq;

    p->seq += (uint32_t)len + !!(flags & SYN) + !!(flags & FIN);
    peer_raw(p, seq, p->ack, flags, data, len);
}

static inline void peer_text(struct peer *p, const char *text)
{
    peer_send(p, ACK | PSH, text, strlen(text));
}

/* The next segment sent to this peer, which it takes as received. */
static inline struct seen peer_take(struct peer *p)
{
    struct seen s = seen_next();

    if (s.any && s.flags & SYN)
        p->ack = s.seq + 1;
    else if (s.any && s.seq == p->ack)
        p->ack = s.seq + (uint32_t)s.len + (s.flags & FIN ? 1 : 0);
    return s;
}

static inline struct peer peer_new(uint16_t port, uint16_t our_port,
                                   uint32_t iss)
{
    struct peer p = {.ip = PEER_IP,
                     .port = port,
                     .our_port = our_port,
                     .seq = iss,
                     .window = 0xFFFF};
    return p;
}

static inline void peer_set_options(struct peer *p, uint16_t mss, int scale,
                                    bool sack)
{
    uint8_t *o = p->options;

    *o++ = 2;
    *o++ = 4;
    put_be16(o, mss);
    o += 2;
    if (scale >= 0) {
        *o++ = 1;
        *o++ = 3;
        *o++ = 3;
        *o++ = (uint8_t)scale;
    }
    if (sack) {
        *o++ = 1;
        *o++ = 1;
        *o++ = 4;
        *o++ = 2;
    }
    p->option_bytes = (size_t)(o - p->options);
}

/* Three-way handshake by the peer; options as set, then none. */
static inline struct seen peer_connect(struct peer *p)
{
    struct seen s;

    peer_send(p, SYN, NULL, 0);
    s = peer_take(p);
    CHECK(s.any && s.flags == (SYN | ACK) && s.ack == p->seq);
    p->option_bytes = 0;
    peer_send(p, ACK, NULL, 0);
    return s;
}

/* The machine and the network from nothing, with a static address, the peer
 * known to ARP. */
static inline void wire_begin(unsigned buffers, unsigned connections)
{
    struct net_config config = {.prefix_length = 24};

    fake_machine.now_ns = 5000000000ULL;
    fake_machine.memory_taken = 0;
    memset(&wire, 0, sizeof(wire));
    wire_memory_release();
    wire.present = true;
    wire.link_up = true;
    timer_module_init();
    random_module_init();
    if (iobuf_pool_init(buffers) != OK || net_module_init(connections) != OK)
        abort();
    config.address = net_address_v4(OUR_IP);
    config.gateway = net_address_v4(GATEWAY_IP);
    net_configure(&config);
    pass_time(1000);
}

/* Makes the peer known to ARP: it asks for us, we ask it. */
static inline void wire_know_peer(void)
{
    struct peer p = peer_new(9, 9, 1);

    peer_raw(&p, 1, 0, SYN, NULL, 0); /* answered by RST: needs ARP */
    arp_in(2, PEER_IP, OUR_IP, peer_mac, false);
    wire.answer_arp = true;
    wire_forget();
}

#endif
