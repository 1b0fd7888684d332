/* What arrives: RFC 9293 3.10.7, in its order of checks. */
#include "net/tcp_internal.h"

static inline struct tcb *tcb_of_node(struct tcp_node *node)
{
    return (struct tcb *)(void *)((char *)node - offsetof(struct tcb, node));
}

static void challenge(struct tcb *tcb)
{
    if (tcp_challenge_allowed(&tcb->challenged_ms))
        tcp_send_ack(tcb);
}

/* ---- Passive open ---- */

static bool has_room(void)
{
    bool room = tcb_free_count() > 0;

    tcp_counters()->refused += !room;
    return room;
}

/* There is no half-open connection left to keep it in. */
static void answer_by_cookie(const struct tcp_segment *syn)
{
    struct tcp_half_open half = {.node.key = syn->key,
                                 .iss = tcp_cookie_give(syn),
                                 .irs = syn->sequence};

    tcp_send_syn_ack(&half);
}

static void input_syn(const struct tcp_segment *segment, uint32_t iss)
{
    struct tcp_half_open *half;

    /* No promise is made that cannot be kept when the ACK comes. */
    if (!has_room())
        return;
    half = tcp_half_open_take(&segment->key);
    if (!half) {
        answer_by_cookie(segment);
        return;
    }
    half->iss = iss;
    half->irs = segment->sequence;
    half->mss = segment->mss ? segment->mss : TCP_MSS_DEFAULT;
    half->scaling = segment->scaling;
    half->send_scale = segment->scale;
    half->sack = segment->sack;
    half->sent_ms = now_ms32();
    tcp_half_open_start(half);
    tcp_send_syn_ack(half);
}

static void set_peer(struct tcb *tcb, uint16_t mss, bool scaling,
                     uint8_t send_scale, bool sack)
{
    tcp_set_mss(tcb, mss ? mss : TCP_MSS_DEFAULT);
    tcb->scaling = scaling;
    tcb->send_scale = scaling ? send_scale : 0;
    tcb->sack = sack;
    tcb->congestion_window = tcp_initial_window(tcb);
}

/* Our SYN was acknowledged: data may flow. */
static void established(struct tcb *tcb, const struct tcp_segment *segment,
                        uint8_t window_shift)
{
    tcb->send_unacked = tcb->iss + 1;
    tcb->send_next = tcb->send_unacked;
    tcb->send_highest = tcb->send_unacked;
    tcb->send_window = (uint32_t)segment->window << window_shift;
    tcb->send_window_max = tcb->send_window;
    tcb->window_seq = segment->sequence;
    tcb->window_ack = segment->ack;
    tcb->backoff = 0;
    tcb->progress_ms = now_ms32();
    tcb->active_ms = tcb->progress_ms;
    tcb->heard_ms = tcb->progress_ms;
}

static void input_full(struct tcb *tcb, struct tcp_segment *segment);

/* The third segment of the handshake: now it is worth a TCB. half: is in no
 * table any more. */
static void promote(const struct tcp_half_open *half,
                    struct tcp_segment *segment)
{
    void (*accept)(struct stream *) = tcp_listener(half->node.key.local_port);
    struct tcb *tcb;

    if (!accept) {
        tcp_send_reset_for(segment);
        return;
    }
    tcb = tcb_take(&half->node.key);
    if (!tcb)
        return;
    tcb_enter(tcb);
    tcb_start(tcb, half->iss);
    tcb->node.state = TCP_SYN_RECEIVED;
    set_peer(tcb, half->mss, half->scaling, half->send_scale, half->sack);
    tcb_synchronize(tcb, half->irs);
    established(tcb, segment, tcb->send_scale);
    if (!half->retries)
        tcp_take_rtt(tcb, now_ms32() - half->sent_ms);
    else
        tcb->rto_ms = 3 * TCP_RTO_FIRST_MS; /* RFC 6298 5.7 */
    tcb_event(tcb, TCP_EVENT_SYN_ACKED);
    tcp_counters()->accepted++;
    tcb->open_told = true;
    accept(&tcb->stream);
    if (!tcb_dead(tcb))
        input_full(tcb, segment);
    tcb_leave(tcb);
}

/* What the third segment of a handshake tells that a cookie has begun. Returns
 * false when none has. */
static bool cookie_half_open(const struct tcp_segment *segment,
                             struct tcp_half_open *half)
{
    uint16_t mss = tcp_cookie_mss(segment);

    *half = (struct tcp_half_open){.node.key = segment->key,
                                   .retries = 1, /* its time is not known */
                                   .mss = mss,
                                   .iss = segment->ack - 1,
                                   .irs = segment->sequence - 1};
    return mss != 0;
}

/* Nothing is known of a connection. */
static void input_listen(struct tcp_segment *segment)
{
    bool first = segment->flags & TCP_SYN && !(segment->flags & TCP_ACK);
    bool third = segment->flags & TCP_ACK && !(segment->flags & TCP_SYN);
    struct tcp_half_open half;

    if (segment->flags & TCP_RST)
        return;
    if (first && tcp_listener(segment->key.local_port))
        input_syn(segment, tcp_initial_sequence(&segment->key));
    else if (!third || !cookie_half_open(segment, &half))
        tcp_send_reset_for(segment);
    else if (has_room())
        promote(&half, segment);
}

static void input_half_open(struct tcp_half_open *half,
                            struct tcp_segment *segment)
{
    struct tcp_half_open copy;
    uint32_t window = 0xFFFF;

    if (segment->sequence == half->irs && segment->flags & TCP_SYN &&
        !(segment->flags & (TCP_ACK | TCP_RST))) {
        tcp_send_syn_ack(half); /* ours was lost */
        return;
    }
    if (segment->flags & TCP_SYN ||
        segment->sequence - (half->irs + 1) >= window) {
        if (!(segment->flags & TCP_RST) &&
            tcp_challenge_allowed(&half->challenged_ms))
            tcp_send_bare(&half->node.key, half->iss + 1, half->irs + 1,
                          TCP_ACK, (uint16_t)window);
        return;
    }
    if (segment->flags & TCP_RST) {
        if (segment->sequence == half->irs + 1)
            tcp_half_open_free(half);
        return;
    }
    if (!(segment->flags & TCP_ACK))
        return;
    /* Its first SYN may have been answered by a cookie, which came late. */
    copy = *half;
    if (segment->ack != half->iss + 1 && !cookie_half_open(segment, &copy)) {
        tcp_send_reset_for(segment);
        return;
    }
    if (!has_room())
        return;
    tcp_half_open_free(half);
    promote(&copy, segment);
}

/* ---- TIME-WAIT ---- */

static void input_time_wait(struct tcp_time_wait *wait,
                            const struct tcp_segment *segment)
{
    struct tcp_key key = wait->node.key;

    if (segment->flags & TCP_RST) {
        if (segment->sequence == wait->receive_next)
            tcp_time_wait_free(wait);
        return;
    }
    /* A new connection with higher numbers (RFC 1122 4.2.2.13). */
    if (segment->flags & TCP_SYN && !(segment->flags & TCP_ACK) &&
        seq_lt(wait->receive_next, segment->sequence) &&
        tcp_listener(key.local_port)) {
        uint32_t iss = tcp_initial_sequence(&key);

        if (seq_lt(iss, wait->send_next + 0x10000))
            iss = wait->send_next + 0x10000;
        tcp_time_wait_free(wait);
        input_syn(segment, iss);
        return;
    }
    if (segment->flags & TCP_FIN)
        tcp_time_wait_restart(wait);
    if ((segment->flags & (TCP_SYN | TCP_FIN) || segment->bytes) &&
        tcp_challenge_allowed(&wait->challenged_ms))
        tcp_send_bare(&key, wait->send_next, wait->receive_next, TCP_ACK, 0);
}

/* ---- Active open ---- */

static void tell_opened(struct tcb *tcb)
{
    const struct stream_handler *handler = tcb->stream.handler;

    if (tcb->open_told)
        return;
    tcb->open_told = true;
    tcp_counters()->opened++;
    if (handler && handler->opened)
        handler->opened(&tcb->stream);
}

static void input_syn_sent(struct tcb *tcb, struct tcp_segment *segment)
{
    bool acked = segment->flags & TCP_ACK;

    if (acked &&
        (segment->ack != tcb->iss + 1 || tcb->send_highest == tcb->iss)) {
        tcp_send_reset_for(segment);
        return;
    }
    if (segment->flags & TCP_RST) {
        if (acked) {
            tcp_counters()->resets_in++;
            tcb_finish(tcb, ERR_RESET);
        }
        return;
    }
    if (!(segment->flags & TCP_SYN))
        return;
    set_peer(tcb, segment->mss, segment->scaling, segment->scale,
             segment->sack);
    tcb_synchronize(tcb, segment->sequence);
    if (!acked) { /* both at once */
        tcb_event(tcb, TCP_EVENT_SYN);
        tcb->heard_ms = now_ms32();
        tcp_send_control(tcb, tcb->iss, TCP_SYN | TCP_ACK);
        return;
    }
    if (tcb->timing)
        tcp_take_rtt(tcb, now_ms32() - tcb->rtt_started_ms);
    tcb->timing = false;
    established(tcb, segment, 0);
    tcb_event(tcb, TCP_EVENT_SYN_ACKED);
    tcb->ack_now = true;
    tell_opened(tcb);
}

/* ---- Synchronized states ---- */

/* Cuts the payload to the receive window. Returns false when nothing of the
 * segment is acceptable (RFC 9293 3.4, table 6). */
static bool fit_window(struct tcb *tcb, struct tcp_segment *segment)
{
    uint32_t window = tcb->receive_edge - tcb->receive_next;
    uint32_t end = segment->sequence + segment->bytes, excess;

    if (segment->flags & TCP_SYN)
        return true; /* is challenged below wherever it lies */
    if (!segment->bytes)
        return segment->sequence - tcb->receive_next <= window;
    if (seq_leq(end, tcb->receive_next) &&
        !(segment->flags & TCP_FIN && end == tcb->receive_next))
        return false;
    if (!seq_leq(segment->sequence, tcb->receive_edge) ||
        (!window && segment->sequence != tcb->receive_next))
        return false;
    if (seq_lt(segment->sequence, tcb->receive_next)) {
        uint32_t old = tcb->receive_next - segment->sequence;

        iobuf_pull(segment->buffer, old);
        segment->sequence += old;
        segment->bytes -= old;
        tcb->ack_now = true;
    }
    if (seq_lt(tcb->receive_edge, end)) {
        excess = end - tcb->receive_edge;
        segment->buffer->tail -= excess;
        segment->bytes -= excess;
        segment->flags &= (uint8_t)~TCP_FIN;
        tcb->ack_now = true;
    }
    return true;
}

/* RFC 5961 3.2: only the exact number resets. */
static void input_reset(struct tcb *tcb, const struct tcp_segment *segment)
{
    if (segment->sequence != tcb->receive_next) {
        challenge(tcb);
        return;
    }
    tcp_counters()->resets_in++;
    tcb_finish(tcb, ERR_RESET);
}

static void input_fin(struct tcb *tcb)
{
    if (!tcb->fin_known || tcb->fin_received ||
        tcb->fin_sequence != tcb->receive_next)
        return;
    tcb->receive_next++;
    tcb->receive_edge = tcb->receive_next;
    tcb->fin_received = true;
    /* The answer to QUIT may still be on its way up: an ACK can wait for it,
     * unless the peer waits for nothing else. */
    if (tcb->fin_queued) {
        tcb->ack_now = true;
    } else if (!tcb->ack_pending) {
        tcb->ack_pending = true;
        tcb->ack_due_ms = now_ms32() + TCP_DELAYED_ACK_MS;
    }
    tcb_event(tcb, TCP_EVENT_FIN);
    if (!tcb_dead(tcb))
        tcp_deliver(tcb);
}

static void input_content(struct tcb *tcb, struct tcp_segment *segment)
{
    if (tcb->fin_received)
        return;
    if (segment->flags & TCP_FIN && !tcb->fin_known) {
        tcb->fin_known = true;
        tcb->fin_sequence = segment->sequence + segment->bytes;
        if (tcb->fin_sequence != tcb->receive_next + segment->bytes)
            tcb->ack_now = true;
    }
    if (segment->bytes && tcb->fin_known) {
        uint32_t end = segment->sequence + segment->bytes;

        if (seq_lt(tcb->fin_sequence, end)) {
            tcp_counters()->bad++; /* bytes behind its own FIN */
            return;
        }
    }
    if (segment->bytes) {
        if (tcb->stream.handler)
            tcb->active_ms = now_ms32();
        tcp_take_payload(tcb, segment);
    }
    if (!tcb_dead(tcb))
        input_fin(tcb);
}

/* RFC 5961 5.2: an old ACK is ignored, one from nowhere is challenged. */
static bool ack_acceptable(struct tcb *tcb, uint32_t ack)
{
    uint32_t oldest = tcb->send_unacked - tcb->send_window_max;

    if (!seq_lt(ack, oldest) && seq_leq(ack, tcb->send_highest))
        return true;
    tcp_counters()->bad++;
    challenge(tcb);
    return false;
}

static bool input_syn_received(struct tcb *tcb, struct tcp_segment *segment)
{
    if (segment->ack != tcb->iss + 1) {
        tcp_send_reset_for(segment);
        return false;
    }
    established(tcb, segment, tcb->send_scale);
    tcb_event(tcb, TCP_EVENT_SYN_ACKED);
    tell_opened(tcb);
    return !tcb_dead(tcb);
}

static void input_full(struct tcb *tcb, struct tcp_segment *segment)
{
    if (tcb->node.state == TCP_SYN_SENT) {
        input_syn_sent(tcb, segment);
        goto output;
    }
    if (!fit_window(tcb, segment)) {
        tcp_counters()->bad++;
        if (segment->flags & TCP_RST)
            return;
        if (segment->bytes)
            tcb->ack_now = true;
        else
            challenge(tcb);
        goto output;
    }
    if (segment->flags & TCP_RST) {
        input_reset(tcb, segment);
        return;
    }
    if (segment->flags & TCP_SYN) {
        challenge(tcb); /* RFC 5961 4.2 */
        return;
    }
    if (!(segment->flags & TCP_ACK) || !ack_acceptable(tcb, segment->ack))
        return;
    tcb->heard_ms = now_ms32();
    if (tcb->node.state == TCP_SYN_RECEIVED &&
        !input_syn_received(tcb, segment))
        return;
    tcp_take_ack(tcb, segment);
    if (!tcb_dead(tcb) && (segment->bytes || segment->flags & TCP_FIN))
        input_content(tcb, segment);
    if (!tcb_dead(tcb))
        tcp_tell_writable(tcb);
output:
    list_remove(&tcb->flush);
    if (tcb->resumed)
        tcb_touch(tcb);
    tcp_output(tcb);
}

void tcp_input(struct iobuf *buffer, const struct net_address *source,
               const struct net_address *destination)
{
    struct tcp_segment segment;
    struct tcp_node *node;

    tcp_counters()->segments_in++;
    if (!tcp_parse(buffer, source, destination, &segment)) {
        tcp_counters()->bad++;
        iobuf_release(buffer);
        return;
    }
    node = tcp_find(&segment.key);
    if (!node) {
        input_listen(&segment);
    } else if (node->kind == TCP_KIND_FULL) {
        struct tcb *tcb = tcb_of_node(node);

        tcb_enter(tcb);
        input_full(tcb, &segment);
        tcb_leave(tcb);
    } else if (node->kind == TCP_KIND_HALF_OPEN) {
        input_half_open((struct tcp_half_open *)(void *)node, &segment);
    } else {
        input_time_wait((struct tcp_time_wait *)(void *)node, &segment);
    }
    if (segment.buffer)
        iobuf_release(segment.buffer);
}
