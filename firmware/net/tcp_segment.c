/* TCP segments on the wire: taking apart what comes, building what goes.
 *
 * A segment with payload is built in the buffer that holds the payload: the
 * header is pushed before it, and data stays at the Ethernet header, because
 * the card may still hold the frame. Options: MSS, window scale and
 * SACK-permitted on SYN, SACK blocks on acknowledgements. */
#include "core/bytes.h"
#include "net/checksum.h"
#include "net/ipv4.h"
#include "net/tcp_internal.h"
#include <string.h>

enum tcp_option {
    OPTION_END = 0,
    OPTION_NOTHING = 1,
    OPTION_MSS = 2,
    OPTION_SCALE = 3,
    OPTION_SACK_PERMITTED = 4,
    OPTION_SACK = 5,
};

#define SCALE_MAX       14 /* RFC 7323 2.3 */
#define SACK_BLOCKS_MAX 4
#define SYN_OPTIONS     12

static void parse_option(struct tcp_segment *segment, const uint8_t *option)
{
    uint8_t length = option[1];

    if (option[0] == OPTION_MSS && length == 4)
        segment->mss = get_be16(option + 2);
    if (option[0] == OPTION_SCALE && length == 3) {
        segment->scaling = true;
        segment->scale = option[2] > SCALE_MAX ? SCALE_MAX : option[2];
    }
    if (option[0] == OPTION_SACK_PERMITTED && length == 2)
        segment->sack = true;
    if (option[0] == OPTION_SACK && length > 2 && length % 8 == 2) {
        segment->sack_blocks = (uint8_t)(length / 8);
        segment->sack_edges = option + 2;
    }
}

static void parse_options(struct tcp_segment *segment, const uint8_t *option,
                          size_t bytes)
{
    while (bytes && *option != OPTION_END) {
        if (*option == OPTION_NOTHING) {
            option++;
            bytes--;
            continue;
        }
        if (bytes < 2 || option[1] < 2 || option[1] > bytes)
            return;
        parse_option(segment, option);
        bytes -= option[1];
        option += option[1];
    }
}

bool tcp_parse(struct iobuf *buffer, const struct net_address *source,
               const struct net_address *destination,
               struct tcp_segment *segment)
{
    const uint8_t *p = buffer->data;
    size_t bytes = iobuf_length(buffer), header_bytes;
    uint32_t sum;

    if (bytes < TCP_HEADER)
        return false;
    header_bytes = (size_t)(p[12] >> 4) * 4;
    if (header_bytes < TCP_HEADER || header_bytes > bytes)
        return false;
    sum = net_checksum_pseudo(source, destination, IP_TCP);
    sum = net_checksum_add_u16(sum, (uint16_t)bytes);
    if (net_checksum_finish(net_checksum_add(sum, p, bytes)))
        return false;
    segment->key.remote = *source;
    segment->key.local = *destination;
    segment->key.remote_port = get_be16(p);
    segment->key.local_port = get_be16(p + 2);
    segment->sequence = get_be32(p + 4);
    segment->ack = get_be32(p + 8);
    segment->flags = p[13] & 0x3F;
    segment->window = get_be16(p + 14);
    segment->scaling = false;
    segment->sack = false;
    segment->scale = 0;
    segment->mss = 0;
    segment->sack_blocks = 0;
    if (header_bytes > TCP_HEADER)
        parse_options(segment, p + TCP_HEADER, header_bytes - TCP_HEADER);
    iobuf_pull(buffer, header_bytes);
    segment->bytes = (uint32_t)(bytes - header_bytes);
    segment->buffer = buffer;
    return segment->key.remote_port && segment->key.local_port;
}

struct header {
    const struct tcp_key *key;
    uint32_t sequence, ack;
    uint16_t window;
    uint8_t flags;
    uint32_t pseudo_sum;
};

/* The payload, options before it, is in the buffer; option_bytes of it. */
static bool push_and_send(struct iobuf *buffer, const struct header *header,
                          size_t option_bytes)
{
    uint8_t *p = iobuf_push(buffer, TCP_HEADER);
    size_t bytes = iobuf_length(buffer);
    uint32_t sum;

    put_be16(p, header->key->local_port);
    put_be16(p + 2, header->key->remote_port);
    put_be32(p + 4, header->sequence);
    put_be32(p + 8, header->ack);
    p[12] = (uint8_t)((TCP_HEADER + option_bytes) / 4 << 4);
    p[13] = header->flags;
    put_be16(p + 14, header->window);
    put_be32(p + 16, 0);
    sum = net_checksum_add_u16(header->pseudo_sum, (uint16_t)bytes);
    net_checksum_store(p + 16,
                       net_checksum_finish(net_checksum_add(sum, p, bytes)));
    /* Without a route, too, a segment is as good as lost: timers see to it. */
    if (ip_output(buffer, &header->key->local, &header->key->remote, IP_TCP,
                  true) == ERR_BUSY)
        return false;
    tcp_counters()->segments_out++;
    if (header->flags & TCP_RST)
        tcp_counters()->resets_out++;
    return true;
}

static size_t put_syn_options(uint8_t *p, bool scaling, bool sack)
{
    p[0] = OPTION_MSS;
    p[1] = 4;
    put_be16(p + 2, TCP_MSS_OWN);
    memset(p + 4, OPTION_NOTHING, SYN_OPTIONS - 4);
    if (scaling) {
        p[5] = OPTION_SCALE;
        p[6] = 3;
        p[7] = TCP_WINDOW_SCALE;
    }
    if (sack) {
        p[10] = OPTION_SACK_PERMITTED;
        p[11] = 2;
    }
    return SYN_OPTIONS;
}

struct block {
    uint32_t start, end;
};

/* The blocks of contiguous bytes in `early`, the newest one first (RFC 2018 4).
 */
static unsigned collect_blocks(const struct tcb *tcb, struct block *blocks)
{
    struct block block = {0, 0};
    unsigned count = 0;

    for (struct list *node = tcb->early.next; node != &tcb->early;
         node = node->next) {
        const struct iobuf *b = LIST_ELEMENT(node, struct iobuf, link);
        uint32_t end = b->sequence + (uint32_t)iobuf_length(b);

        if (block.start != block.end && block.end == b->sequence) {
            block.end = end;
        } else {
            block.start = b->sequence;
            block.end = end;
        }
        if (node->next != &tcb->early &&
            LIST_ELEMENT(node->next, struct iobuf, link)->sequence == end)
            continue;
        if (count < SACK_BLOCKS_MAX)
            blocks[count++] = block;
        if (seq_leq(block.start, tcb->early_latest) &&
            seq_lt(tcb->early_latest, block.end)) {
            blocks[count - 1] = blocks[0];
            blocks[0] = block;
        }
    }
    return count;
}

static size_t put_sack(const struct tcb *tcb, uint8_t *p)
{
    struct block blocks[SACK_BLOCKS_MAX];
    unsigned count;

    if (!tcb->sack || list_empty(&tcb->early))
        return 0;
    count = collect_blocks(tcb, blocks);
    p[0] = OPTION_NOTHING;
    p[1] = OPTION_NOTHING;
    p[2] = OPTION_SACK;
    p[3] = (uint8_t)(2 + 8 * count);
    for (unsigned i = 0; i < count; i++) {
        put_be32(p + 4 + 8 * i, blocks[i].start);
        put_be32(p + 8 + 8 * i, blocks[i].end);
    }
    return 4 + 8 * (size_t)count;
}

/* The window field, and what it promises is remembered. The edge stays where it
 * was promised before, although the field may tell up to three bytes less. */
static uint16_t window_field(struct tcb *tcb, bool syn)
{
    uint32_t window = tcp_window_edge(tcb) - tcb->receive_next;
    uint8_t scale = tcb->scaling && !syn ? TCP_WINDOW_SCALE : 0;
    uint32_t edge;

    window >>= scale;
    if (window > 0xFFFF)
        window = 0xFFFF;
    edge = tcb->receive_next + (window << scale);
    if (seq_lt(tcb->receive_edge, edge))
        tcb->receive_edge = edge;
    return (uint16_t)window;
}

bool tcp_transmit(struct tcb *tcb, struct iobuf *buffer, uint32_t sequence,
                  uint8_t flags)
{
    bool syn = flags & TCP_SYN;
    struct header header = {
        .key = &tcb->node.key,
        .sequence = sequence,
        .ack = flags & TCP_ACK ? tcb->receive_next : 0,
        .flags = flags,
        .pseudo_sum = tcb->pseudo_sum,
    };
    size_t option_bytes = 0;

    if (syn) {
        bool answer = flags & TCP_ACK;

        option_bytes =
            put_syn_options(iobuf_push(buffer, SYN_OPTIONS),
                            !answer || tcb->scaling, !answer || tcb->sack);
    } else if (buffer->tail == buffer->data && !list_empty(&tcb->early)) {
        option_bytes = put_sack(tcb, buffer->tail);
        iobuf_put(buffer, option_bytes);
    }
    header.window = window_field(tcb, syn);
    if (!push_and_send(buffer, &header, option_bytes))
        return false;
    tcb->ack_now = false;
    tcb->ack_pending = false;
    tcb->ack_sent = tcb->receive_next;
    tcb->sent_ms = now_ms32();
    return true;
}

bool tcp_send_ack(struct tcb *tcb)
{
    uint32_t sequence = tcb->send_highest;
    uint32_t edge = tcb->send_unacked + tcb->send_window;

    if (tcb->node.state >= TCP_ESTABLISHED && seq_lt(edge, sequence))
        sequence = edge;
    return tcp_send_control(tcb, sequence, TCP_ACK);
}

bool tcp_send_control(struct tcb *tcb, uint32_t sequence, uint8_t flags)
{
    struct iobuf *buffer = iobuf_alloc();
    bool sent;

    if (!buffer)
        return false;
    sent = tcp_transmit(tcb, buffer, sequence, flags);
    iobuf_release(buffer);
    return sent;
}

static void send_bare(const struct header *header, size_t option_bytes,
                      const uint8_t *options)
{
    struct iobuf *buffer = iobuf_alloc();

    if (!buffer)
        return;
    if (option_bytes)
        memcpy(iobuf_put(buffer, option_bytes), options, option_bytes);
    push_and_send(buffer, header, option_bytes);
    iobuf_release(buffer);
}

void tcp_send_syn_ack(struct tcp_half_open *half)
{
    const struct tcp_key *key = &half->node.key;
    size_t window = tcp_buffer_share() * TCP_MSS_OWN;
    struct header header = {
        .key = key,
        .sequence = half->iss,
        .ack = half->irs + 1,
        .window = (uint16_t)(window > 0xFFFF ? 0xFFFF : window),
        .flags = TCP_SYN | TCP_ACK,
        .pseudo_sum = net_checksum_pseudo(&key->local, &key->remote, IP_TCP),
    };
    uint8_t options[SYN_OPTIONS];

    send_bare(&header, put_syn_options(options, half->scaling, half->sack),
              options);
}

void tcp_send_bare(const struct tcp_key *key, uint32_t sequence, uint32_t ack,
                   uint8_t flags, uint16_t window)
{
    struct header header = {
        .key = key,
        .sequence = sequence,
        .ack = ack,
        .window = window,
        .flags = flags,
        .pseudo_sum = net_checksum_pseudo(&key->local, &key->remote, IP_TCP),
    };

    send_bare(&header, 0, NULL);
}

void tcp_send_reset_for(const struct tcp_segment *segment)
{
    uint32_t bytes = segment->bytes;

    if (segment->flags & TCP_RST)
        return;
    if (segment->flags & TCP_ACK) {
        tcp_send_bare(&segment->key, segment->ack, 0, TCP_RST, 0);
        return;
    }
    if (segment->flags & TCP_SYN)
        bytes++;
    if (segment->flags & TCP_FIN)
        bytes++;
    tcp_send_bare(&segment->key, 0, segment->sequence + bytes,
                  TCP_RST | TCP_ACK, 0);
}

bool tcp_challenge_allowed(uint32_t *challenged_ms)
{
    uint32_t now = now_ms32();

    if (*challenged_ms && now - *challenged_ms < TCP_CHALLENGE_MS)
        return false;
    *challenged_ms = now ? now : 1;
    return true;
}
