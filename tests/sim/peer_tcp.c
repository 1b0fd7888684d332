/* A peer's TCP, for tests.
 *
 * Sending: slow start from one segment, go-back-N after a timeout, one repeat
 * after three equal acknowledgements, probes of a closed window, segments of
 * random sizes. Receiving: what comes too early is kept, acknowledgements are
 * delayed at random, the window closes while the user takes nothing. Not done:
 * options but MSS, urgent data. */
#include "core/bytes.h"
#include "tests/sim/peer.h"
#include <stdlib.h>
#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

#define RTO_FIRST (300 * SIM_MS)
#define RTO_MOST  (8 * SIM_SECOND)
#define TRIES     40
/* A client waits no longer for an answer (RFC 5321 4.5.3.2.6): when every copy
 * of its last ACK of the handshake was lost, the AO does not know of it. */
#define SILENCE_NS (600 * SIM_SECOND)

struct sim_tcp_early {
    struct sim_tcp_early *next;
    uint32_t sequence;
    size_t len;
    bool fin;
    uint8_t data[];
};

struct segment {
    uint32_t sequence, acknowledgement, window;
    uint8_t flags;
    const uint8_t *data;
    size_t len;
    uint16_t mss; /* option; 0: none */
};

static int32_t after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

/* ---- Sending ----------------------------------------------------------- */

static uint32_t window_now(struct sim_tcp *tcp)
{
    uint32_t held = (uint32_t)tcp->held_len;
    uint32_t window = tcp->room > held ? tcp->room - held : 0;

    /* A window that was announced is not taken back. */
    if (after(tcp->rcv_nxt + window, tcp->rcv_edge) < 0)
        window = tcp->rcv_edge - tcp->rcv_nxt;
    return window;
}

static void emit(struct sim_tcp *tcp, uint8_t flags, uint32_t sequence,
                 const uint8_t *data, size_t len)
{
    uint8_t segment[SIM_FRAME_BYTES];
    size_t header = 20;
    uint32_t window = window_now(tcp);

    put_be16(segment, tcp->local);
    put_be16(segment + 2, tcp->remote);
    put_be32(segment + 4, sequence);
    put_be32(segment + 8, (flags & ACK) != 0 ? tcp->rcv_nxt : 0);
    if ((flags & SYN) != 0) {
        /* No-operation, MSS, no-operation ..., end of list. */
        static const uint8_t options[8] = {1, 2, 4, 0, 0, 1, 1, 0};

        memcpy(segment + header, options, sizeof(options));
        put_be16(segment + header + 3, tcp->own_mss);
        header += sizeof(options);
    }
    segment[12] = (uint8_t)(header / 4 << 4);
    segment[13] = flags;
    put_be16(segment + 14, (uint16_t)window);
    put_be16(segment + 16, 0);
    put_be16(segment + 18, 0);
    if (len > 0)
        memcpy(segment + header, data, len);
    put_be16(segment + 16,
             sim_checksum(tcp->peer->ip, SIM_AO_IP, 6, segment, header + len));
    if ((flags & ACK) != 0) {
        tcp->rcv_edge = tcp->rcv_nxt + window;
        tcp->ack_now = false;
        tcp->unacked = 0;
        sim_event_stop(&tcp->delay);
    }
    sim_peer_ip(tcp->peer, 6, segment, header + len);
}

/* An acknowledgement alone stands behind all that was ever sent, or the AO
 * would take its window for an old one (RFC 9293 3.10.7.4, SND.WL1); while a
 * closed window is probed, it must stand at its edge to be acceptable. */
static void emit_ack(struct sim_tcp *tcp)
{
    bool probing = tcp->window == 0 && tcp->out_len > 0;

    emit(tcp, ACK, probing ? tcp->nxt : tcp->max, NULL, 0);
}

static size_t segment_size(struct sim_tcp *tcp, size_t available)
{
    size_t most = tcp->mss < 1460 ? tcp->mss : 1460;

    if (available > most)
        available = most;
    if (available > 1 && sim_random_chance(&tcp->peer->random, 100000))
        available = (size_t)sim_random_range(&tcp->peer->random, 1, available);
    return available;
}

static bool fin_sent(const struct sim_tcp *tcp)
{
    return tcp->fin_wanted && tcp->nxt == tcp->una + tcp->out_len + 1;
}

/* Sends the next segment if data, FIN and windows allow one. */
static bool send_one(struct sim_tcp *tcp)
{
    size_t offset = tcp->nxt - tcp->una;
    size_t window =
        tcp->window < tcp->congestion ? tcp->window : tcp->congestion;
    size_t len = 0;
    uint8_t flags = ACK;

    if (tcp->fin_acked || fin_sent(tcp))
        return false;
    if (offset < tcp->out_len && offset < window) {
        len = tcp->out_len - offset;
        if (len > window - offset)
            len = window - offset;
        len = segment_size(tcp, len);
        flags |= PSH;
    }
    if (tcp->fin_wanted && offset + len == tcp->out_len)
        flags |= FIN;
    if (len == 0 && (flags & FIN) == 0)
        return false;
    emit(tcp, flags, tcp->nxt, len > 0 ? tcp->out + offset : NULL, len);
    tcp->nxt += (uint32_t)len + ((flags & FIN) != 0);
    if (after(tcp->nxt, tcp->max) > 0)
        tcp->max = tcp->nxt;
    return true;
}

static void push(struct sim_tcp *tcp)
{
    if (tcp->state != SIM_TCP_OPEN)
        return;
    while (send_one(tcp))
        ;
    if (tcp->ack_now)
        emit_ack(tcp);
    if (tcp->timer.place == 0 && (tcp->nxt != tcp->una || tcp->out_len > 0 ||
                                  (tcp->fin_wanted && !tcp->fin_acked)))
        sim_event_start(&tcp->timer, tcp->rto_ns);
}

static void finish(struct sim_tcp *tcp, enum sim_tcp_end end)
{
    if (tcp->state == SIM_TCP_DONE)
        return;
    tcp->state = SIM_TCP_DONE;
    sim_event_stop(&tcp->timer);
    sim_event_stop(&tcp->delay);
    sim_event_stop(&tcp->silence);
    if (tcp->handler != NULL && tcp->handler->closed != NULL)
        tcp->handler->closed(tcp, end);
}

static void timed_out(struct sim_event *event)
{
    struct sim_tcp *tcp = SIM_ELEMENT(event, struct sim_tcp, timer);

    if (!tcp->peer->knows_ao) {
        sim_peer_ip(tcp->peer, 6, NULL, 0);
        sim_event_start(&tcp->timer, tcp->rto_ns);
        return;
    }
    if (++tcp->tries > TRIES) {
        finish(tcp, SIM_TCP_TIMEOUT);
        return;
    }
    tcp->rto_ns = tcp->rto_ns * 2 < RTO_MOST ? tcp->rto_ns * 2 : RTO_MOST;
    if (tcp->state < SIM_TCP_OPEN) {
        emit(tcp, tcp->state == SIM_TCP_SYN_SENT ? SYN : SYN | ACK,
             tcp->una - 1, NULL, 0);
        sim_event_start(&tcp->timer, tcp->rto_ns);
        return;
    }
    tcp->nxt = tcp->una;
    tcp->congestion = tcp->mss;
    if (tcp->window == 0 && tcp->out_len > 0) {
        /* A probe: one byte beyond the window. */
        emit(tcp, ACK, tcp->una, tcp->out, 1);
        if (after(tcp->una + 1, tcp->max) > 0)
            tcp->max = tcp->una + 1;
    }
    push(tcp);
}

static void silent_too_long(struct sim_event *event)
{
    finish(SIM_ELEMENT(event, struct sim_tcp, silence), SIM_TCP_TIMEOUT);
}

static void delay_over(struct sim_event *event)
{
    struct sim_tcp *tcp = SIM_ELEMENT(event, struct sim_tcp, delay);

    tcp->ack_now = true;
    push(tcp);
}

/* ---- Receiving --------------------------------------------------------- */

static void hand_up(struct sim_tcp *tcp, const uint8_t *data, size_t len)
{
    if (len == 0)
        return;
    if (!tcp->paused) {
        tcp->handler->received(tcp, data, len);
        return;
    }
    tcp->held = realloc(tcp->held, tcp->held_len + len);
    if (tcp->held == NULL)
        sim_fail("the simulation has no memory for a peer");
    memcpy(tcp->held + tcp->held_len, data, len);
    tcp->held_len += len;
}

static void take_in_order(struct sim_tcp *tcp, const uint8_t *data, size_t len,
                          bool fin)
{
    tcp->rcv_nxt += (uint32_t)len;
    hand_up(tcp, data, len);
    if (tcp->state != SIM_TCP_OPEN || !fin || tcp->fin_received)
        return;
    tcp->fin_received = true;
    tcp->rcv_nxt++;
    tcp->ack_now = true;
    if (tcp->handler->ended != NULL)
        tcp->handler->ended(tcp);
}

static void keep_early(struct sim_tcp *tcp, uint32_t sequence,
                       const uint8_t *data, size_t len, bool fin)
{
    struct sim_tcp_early *early = malloc(sizeof(*early) + len);

    if (early == NULL)
        sim_fail("the simulation has no memory for a peer");
    early->sequence = sequence;
    early->len = len;
    early->fin = fin;
    memcpy(early->data, data, len);
    early->next = tcp->early;
    tcp->early = early;
}

/* Takes what is next out of the early ones; false when there is none. */
static bool take_early(struct sim_tcp *tcp)
{
    struct sim_tcp_early **at = &tcp->early;
    struct sim_tcp_early *early;
    uint32_t skip;

    while (*at != NULL && after((*at)->sequence, tcp->rcv_nxt) > 0)
        at = &(*at)->next;
    early = *at;
    if (early == NULL)
        return false;
    *at = early->next;
    skip = tcp->rcv_nxt - early->sequence;
    if (skip <= early->len && !tcp->fin_received)
        take_in_order(tcp, early->data + skip, early->len - skip, early->fin);
    free(early);
    return true;
}

static void take_data(struct sim_tcp *tcp, const struct segment *segment)
{
    bool fin = (segment->flags & FIN) != 0;
    uint32_t skip = tcp->rcv_nxt - segment->sequence;

    if (segment->len == 0 && !fin)
        return;
    if (segment->len > tcp->own_mss)
        sim_fail("peer: %zu bytes in a segment, MSS is %u", segment->len,
                 tcp->own_mss);
    /* One byte beyond the window may be a probe. */
    if (after(segment->sequence + (uint32_t)segment->len, tcp->rcv_edge) >
        (segment->len == 1 ? 1 : 0))
        sim_fail("peer: port %u: %zu bytes from %d on, seen from the end of "
                 "the window",
                 tcp->local, segment->len,
                 after(segment->sequence, tcp->rcv_edge));
    if (after(segment->sequence, tcp->rcv_nxt) > 0) {
        keep_early(tcp, segment->sequence, segment->data, segment->len, fin);
        tcp->ack_now = true;
        return;
    }
    if (skip > segment->len || (skip == segment->len && !fin) ||
        tcp->fin_received || window_now(tcp) < segment->len - skip) {
        tcp->ack_now = true; /* seen before, or no room for it */
        return;
    }
    tcp->unacked++;
    take_in_order(tcp, segment->data + skip, segment->len - skip, fin);
    while (tcp->state == SIM_TCP_OPEN && take_early(tcp))
        tcp->ack_now = true;
    if (tcp->unacked >= 2 || tcp->delay_ack_ns == 0)
        tcp->ack_now = true;
    else if (tcp->delay.place == 0 && !tcp->ack_now)
        sim_event_start(&tcp->delay, tcp->delay_ack_ns);
}

static void take_repeated_ack(struct sim_tcp *tcp,
                              const struct segment *segment)
{
    if (segment->len > 0 || tcp->una == tcp->max ||
        segment->window != tcp->window || ++tcp->repeats != 3)
        return;
    tcp->congestion = tcp->mss;
    if (tcp->out_len > 0) {
        size_t len = segment_size(tcp, tcp->out_len);

        emit(tcp, ACK, tcp->una, tcp->out, len < 1 ? 1 : len);
    }
}

static void take_ack(struct sim_tcp *tcp, const struct segment *segment)
{
    uint32_t acked = segment->acknowledgement - tcp->una;

    if (after(segment->acknowledgement, tcp->max) > 0)
        sim_fail("peer: the AO acknowledges %d bytes that were never sent",
                 after(segment->acknowledgement, tcp->max));
    if (after(segment->acknowledgement, tcp->una) < 0)
        return; /* old: came late */
    if (acked == 0)
        take_repeated_ack(tcp, segment);
    tcp->window = segment->window;
    if (acked == 0)
        return;
    if (acked > tcp->out_len) {
        tcp->fin_acked = true;
        acked = (uint32_t)tcp->out_len;
    }
    if (acked > 0)
        memmove(tcp->out, tcp->out + acked, tcp->out_len - acked);
    tcp->out_len -= acked;
    tcp->una = segment->acknowledgement;
    if (after(tcp->nxt, tcp->una) < 0)
        tcp->nxt = tcp->una;
    tcp->repeats = 0;
    tcp->tries = 0;
    tcp->rto_ns = RTO_FIRST;
    if (tcp->congestion < 65536)
        tcp->congestion += tcp->mss;
    sim_event_stop(&tcp->timer);
}

static void take_answer(struct sim_tcp *tcp, const struct segment *segment)
{
    if ((segment->flags & ACK) != 0 && segment->acknowledgement != tcp->una)
        return; /* of no connection of ours; the AO hears of it by our RST */
    if ((segment->flags & RST) != 0) {
        if ((segment->flags & ACK) != 0)
            finish(tcp, SIM_TCP_REFUSED);
        return;
    }
    if ((segment->flags & (SYN | ACK)) != (SYN | ACK))
        return;
    tcp->state = SIM_TCP_OPEN;
    tcp->rcv_nxt = segment->sequence + 1;
    tcp->rcv_edge = tcp->rcv_nxt;
    tcp->window = segment->window;
    tcp->mss = segment->mss != 0 ? segment->mss : 536;
    tcp->congestion = tcp->mss;
    tcp->tries = 0;
    tcp->rto_ns = RTO_FIRST;
    tcp->ack_now = true;
    sim_event_stop(&tcp->timer);
    if (tcp->handler->opened != NULL)
        tcp->handler->opened(tcp);
}

static void take_open(struct sim_tcp *tcp, const struct segment *segment)
{
    if ((segment->flags & RST) != 0) {
        if (segment->sequence == tcp->rcv_nxt)
            finish(tcp, SIM_TCP_RESET);
        return;
    }
    if ((segment->flags & SYN) != 0) {
        tcp->ack_now = true; /* our ACK of it was lost */
        return;
    }
    if ((segment->flags & ACK) == 0)
        sim_fail("peer: a segment without ACK, flags %02x", segment->flags);
    take_ack(tcp, segment);
    take_data(tcp, segment);
}

/* The last part of the handshake that the AO has begun. */
static void take_opening(struct sim_tcp *tcp, const struct segment *segment)
{
    if ((segment->flags & RST) != 0) {
        finish(tcp, SIM_TCP_RESET);
        return;
    }
    if ((segment->flags & SYN) != 0) {
        emit(tcp, SYN | ACK, tcp->una - 1, NULL, 0);
        return;
    }
    if (segment->acknowledgement != tcp->una)
        return;
    tcp->state = SIM_TCP_OPEN;
    tcp->tries = 0;
    tcp->rto_ns = RTO_FIRST;
    sim_event_stop(&tcp->timer);
    tcp->peer->accept(tcp);
    take_open(tcp, segment);
}

/* ---- Segments ---------------------------------------------------------- */

static bool parse(const uint8_t *bytes, size_t len, struct segment *segment)
{
    size_t header;

    if (len < 20)
        return false;
    header = bytes[12] / 16u * 4u;
    if (header < 20 || header > len)
        return false;
    segment->sequence = get_be32(bytes + 4);
    segment->acknowledgement = get_be32(bytes + 8);
    segment->flags = bytes[13] & 0x3f;
    segment->window = get_be16(bytes + 14);
    segment->data = bytes + header;
    segment->len = len - header;
    segment->mss = 0;
    for (size_t i = 20; i < header && bytes[i] != 0;) {
        size_t option = bytes[i] == 1 ? 1 : i + 1 < header ? bytes[i + 1] : 0;

        if (option == 0 || option > header - i)
            sim_fail("peer: malformed TCP options");
        if (bytes[i] == 2 && option == 4)
            segment->mss = get_be16(bytes + i + 2);
        i += option;
    }
    return true;
}

/* RFC 9293 3.10.7.1: what belongs to no connection is answered by RST. */
static void refuse(struct sim_peer *peer, const uint8_t *bytes,
                   const struct segment *segment)
{
    struct sim_tcp gone = {
        .peer = peer, .local = get_be16(bytes + 2), .remote = get_be16(bytes)};

    if ((segment->flags & RST) != 0)
        return;
    if ((segment->flags & ACK) != 0) {
        emit(&gone, RST, segment->acknowledgement, NULL, 0);
        return;
    }
    gone.rcv_nxt = segment->sequence + (uint32_t)segment->len +
                   ((segment->flags & (SYN | FIN)) != 0);
    sim_event_init(&gone.delay, delay_over);
    emit(&gone, RST | ACK, 0, NULL, 0);
}

static struct sim_tcp *find(struct sim_peer *peer, uint16_t local,
                            uint16_t remote)
{
    for (struct list *node = peer->connections.next; node != &peer->connections;
         node = node->next) {
        struct sim_tcp *tcp = LIST_ELEMENT(node, struct sim_tcp, link);

        if (tcp->local == local && tcp->remote == remote)
            return tcp;
    }
    return NULL;
}

static struct sim_tcp *make(struct sim_peer *peer, uint16_t local,
                            uint16_t remote)
{
    static const uint16_t sizes[] = {1460, 1460, 1400, 536, 1220};
    struct sim_tcp *tcp = calloc(1, sizeof(*tcp));
    struct sim_random *random = &peer->random;

    if (tcp == NULL)
        sim_fail("the simulation has no memory for a peer");
    tcp->peer = peer;
    tcp->local = local;
    tcp->remote = remote;
    /* Sequence numbers that wrap around soon are the interesting ones. */
    tcp->una = (uint32_t)sim_random_u64(random);
    if (sim_random_chance(random, 300000))
        tcp->una = UINT32_MAX - (uint32_t)sim_random_below(random, 3000);
    tcp->una++;
    tcp->nxt = tcp->una;
    tcp->max = tcp->una;
    tcp->own_mss = sizes[sim_random_below(random, 5)];
    tcp->mss = 536;
    tcp->room = (uint32_t)sim_random_range(random, 2000, 65535);
    if (sim_random_chance(random, 500000))
        tcp->delay_ack_ns = sim_random_range(random, 1, 40) * SIM_MS;
    tcp->rto_ns = RTO_FIRST;
    sim_event_init(&tcp->timer, timed_out);
    sim_event_init(&tcp->delay, delay_over);
    sim_event_init(&tcp->silence, silent_too_long);
    list_append(&peer->connections, &tcp->link);
    return tcp;
}

/* The AO opens a connection to a port that is listened on. */
static void answer_syn(struct sim_peer *peer, const uint8_t *bytes,
                       const struct segment *segment)
{
    struct sim_tcp *tcp = make(peer, get_be16(bytes + 2), get_be16(bytes));

    tcp->state = SIM_TCP_SYN_RECEIVED;
    tcp->rcv_nxt = segment->sequence + 1;
    tcp->rcv_edge = tcp->rcv_nxt;
    tcp->window = segment->window;
    tcp->mss = segment->mss != 0 ? segment->mss : 536;
    tcp->congestion = tcp->mss;
    emit(tcp, SYN | ACK, tcp->una - 1, NULL, 0);
    sim_event_start(&tcp->timer, tcp->rto_ns);
}

void sim_tcp_input(struct sim_peer *peer, uint32_t source, uint8_t *bytes,
                   size_t len)
{
    struct segment segment;
    struct sim_tcp *tcp;

    if (source != SIM_AO_IP)
        return;
    if (sim_checksum(source, peer->ip, 6, bytes, len) != 0 ||
        !parse(bytes, len, &segment)) {
        if (!peer->lenient)
            sim_fail("peer: a segment with a wrong checksum or header");
        return;
    }
    tcp = find(peer, get_be16(bytes + 2), get_be16(bytes));
    if (peer->listens != 0 && get_be16(bytes + 2) == peer->listens &&
        (segment.flags & (SYN | ACK | RST)) == SYN &&
        (tcp == NULL || tcp->state == SIM_TCP_DONE)) {
        if (tcp != NULL)
            list_remove(&tcp->link);
        answer_syn(peer, bytes, &segment);
        return;
    }
    if (tcp == NULL || (tcp->state == SIM_TCP_DONE &&
                        !(tcp->fin_acked && tcp->fin_received))) {
        refuse(peer, bytes, &segment);
        return;
    }
    if (tcp->state == SIM_TCP_DONE) { /* TIME-WAIT */
        if (segment.len > 0 || (segment.flags & FIN) != 0)
            emit(tcp, ACK, tcp->max, NULL, 0);
        return;
    }
    if (tcp->state == SIM_TCP_SYN_SENT && (segment.flags & ACK) != 0 &&
        segment.acknowledgement != tcp->una) {
        refuse(peer, bytes, &segment);
        return;
    }
    sim_event_start(&tcp->silence, SILENCE_NS);
    tcp->busy = true;
    if (tcp->state == SIM_TCP_SYN_SENT)
        take_answer(tcp, &segment);
    else if (tcp->state == SIM_TCP_SYN_RECEIVED)
        take_opening(tcp, &segment);
    else
        take_open(tcp, &segment);
    tcp->busy = false;
    push(tcp);
    if (tcp->state == SIM_TCP_OPEN && tcp->fin_acked && tcp->fin_received)
        finish(tcp, SIM_TCP_CLOSED);
}

void sim_tcp_kick(struct sim_peer *peer)
{
    for (struct list *node = peer->connections.next; node != &peer->connections;
         node = node->next) {
        struct sim_tcp *tcp = LIST_ELEMENT(node, struct sim_tcp, link);

        if (tcp->state == SIM_TCP_SYN_SENT)
            emit(tcp, SYN, tcp->una - 1, NULL, 0);
    }
}

/* ---- The user's calls -------------------------------------------------- */

void sim_tcp_listen(struct sim_peer *peer, uint16_t port,
                    void (*accept)(struct sim_tcp *tcp))
{
    peer->listens = port;
    peer->accept = accept;
}

struct sim_tcp *sim_tcp_open(struct sim_peer *peer, uint16_t port,
                             const struct sim_tcp_handler *handler,
                             void *context)
{
    struct sim_tcp *tcp = make(peer, peer->next_port++, port);

    if (peer->next_port < 1024)
        peer->next_port = 1024;
    tcp->handler = handler;
    tcp->context = context;
    emit(tcp, SYN, tcp->una - 1, NULL, 0);
    sim_event_start(&tcp->timer, tcp->rto_ns);
    return tcp;
}

void sim_tcp_write(struct sim_tcp *tcp, const void *data, size_t len)
{
    if (tcp->fin_wanted || tcp->state == SIM_TCP_DONE)
        return;
    if (tcp->out_len + len > tcp->out_room) {
        tcp->out_room = (tcp->out_len + len) * 2;
        tcp->out = realloc(tcp->out, tcp->out_room);
        if (tcp->out == NULL)
            sim_fail("the simulation has no memory for a peer");
    }
    memcpy(tcp->out + tcp->out_len, data, len);
    tcp->out_len += len;
    if (!tcp->busy)
        push(tcp);
}

size_t sim_tcp_unsent(const struct sim_tcp *tcp)
{
    return tcp->out_len;
}

void sim_tcp_close(struct sim_tcp *tcp)
{
    tcp->fin_wanted = true;
    if (!tcp->busy)
        push(tcp);
}

void sim_tcp_abort(struct sim_tcp *tcp)
{
    if (tcp->state == SIM_TCP_OPEN)
        emit(tcp, RST | ACK, tcp->nxt, NULL, 0);
    tcp->state = SIM_TCP_DONE;
    tcp->fin_acked = false;
    sim_event_stop(&tcp->timer);
    sim_event_stop(&tcp->delay);
    sim_event_stop(&tcp->silence);
}

void sim_tcp_pause(struct sim_tcp *tcp, bool pause)
{
    uint8_t *held = tcp->held;
    size_t len = tcp->held_len;
    bool was_small = window_now(tcp) < tcp->own_mss;

    tcp->paused = pause;
    if (pause || len == 0)
        return;
    tcp->held = NULL;
    tcp->held_len = 0;
    tcp->busy = true;
    tcp->handler->received(tcp, held, len);
    tcp->busy = false;
    free(held);
    if (was_small)
        tcp->ack_now = true;
    push(tcp);
}
