/* What an acknowledgement means for sending: round trip time (RFC 6298),
 * congestion control (RFC 5681, 6582, 3465, SACK by 2018), the send window, and
 * the release of what has arrived. */
#include "core/bytes.h"
#include "net/tcp_internal.h"

#define DUPLICATES_LOST 3

uint32_t tcp_initial_window(const struct tcb *tcb)
{
    return TCP_INITIAL_SEGMENTS * (uint32_t)tcb->mss;
}

static void set_rto(struct tcb *tcb)
{
    uint32_t rto = (tcb->rtt_smoothed >> 3) + tcb->rtt_variation;

    if (!tcb->rtt_smoothed)
        rto = TCP_RTO_FIRST_MS;
    if (rto < TCP_RTO_MIN_MS)
        rto = TCP_RTO_MIN_MS;
    tcb->rto_ms = rto > TCP_RTO_MAX_MS ? TCP_RTO_MAX_MS : rto;
}

/* RFC 6298 2, with the scaled integers of Jacobson's appendix A. */
void tcp_take_rtt(struct tcb *tcb, uint32_t rtt)
{
    int32_t error;

    if (rtt < 1)
        rtt = 1;
    if (rtt > TCP_RTO_MAX_MS)
        rtt = TCP_RTO_MAX_MS;
    if (!tcb->rtt_smoothed) {
        tcb->rtt_smoothed = rtt << 3;
        tcb->rtt_variation = rtt << 1;
    } else {
        error = (int32_t)rtt - (int32_t)(tcb->rtt_smoothed >> 3);
        tcb->rtt_smoothed = (uint32_t)((int32_t)tcb->rtt_smoothed + error);
        if (!tcb->rtt_smoothed)
            tcb->rtt_smoothed = 1;
        if (error < 0)
            error = -error;
        error -= (int32_t)(tcb->rtt_variation >> 2);
        tcb->rtt_variation = (uint32_t)((int32_t)tcb->rtt_variation + error);
    }
    set_rto(tcb);
}

static void measure(struct tcb *tcb, uint32_t ack)
{
    if (!tcb->timing || seq_leq(ack, tcb->rtt_sequence))
        return;
    tcb->timing = false;
    tcp_take_rtt(tcb, now_ms32() - tcb->rtt_started_ms);
}

/* The path, or the peer, is awake again. */
static void end_backoff(struct tcb *tcb)
{
    if (tcb->backoff)
        set_rto(tcb);
    tcb->backoff = 0;
}

static void grow_window(struct tcb *tcb, uint32_t acked, uint32_t flight)
{
    uint32_t step;

    /* A window that is not used says nothing about the path (RFC 7661). */
    if (flight + tcb->mss < tcb->congestion_window)
        return;
    if (tcb->congestion_window < tcb->slow_start_threshold) {
        step = acked < 2U * tcb->mss ? acked : 2U * tcb->mss;
    } else {
        step = (uint32_t)tcb->mss * tcb->mss / tcb->congestion_window;
        if (!step)
            step = 1;
    }
    if (tcb->congestion_window < 4 * TCP_SEND_BYTES)
        tcb->congestion_window += step;
}

static void release_acked(struct tcb *tcb)
{
    while (!list_empty(&tcb->sending)) {
        struct iobuf *first =
            LIST_ELEMENT(tcb->sending.next, struct iobuf, link);

        if (seq_lt(tcb->send_unacked,
                   first->sequence + tcp_buffer_bytes(first)))
            return;
        if (tcb->unsent == first)
            tcb->unsent =
                first->link.next == &tcb->sending
                    ? NULL
                    : LIST_ELEMENT(first->link.next, struct iobuf, link);
        list_remove(&first->link);
        iobuf_release(first);
        tcb->send_count--;
        tcb->sent_on_ms = now_ms32();
    }
}

static void halve(struct tcb *tcb)
{
    uint32_t flight = tcb->send_highest - tcb->send_unacked;
    uint32_t half = flight / 2;

    if (half < 2U * tcb->mss)
        half = 2U * tcb->mss;
    tcb->slow_start_threshold = half;
}

/* RFC 6582 3.2: step 2 on the third duplicate, step 3 on each further one. */
static void duplicate(struct tcb *tcb)
{
    if (tcb->duplicate_acks < UINT8_MAX)
        tcb->duplicate_acks++;
    if (tcb->recovering) {
        /* One has left the path: one may enter it, a lost one first. */
        if (!tcp_send_hole_again(tcb))
            tcb->congestion_window += tcb->mss;
        return;
    }
    if (tcb->duplicate_acks != DUPLICATES_LOST ||
        seq_leq(tcb->send_unacked, tcb->recover))
        return;
    halve(tcb);
    tcb->recover = tcb->send_highest;
    tcb->recovering = true;
    tcp_clear_marks(tcb, TCP_BUFFER_RESENT);
    tcb->congestion_window =
        tcb->slow_start_threshold + DUPLICATES_LOST * (uint32_t)tcb->mss;
    if (tcp_send_first_again(tcb))
        tcp_arm_retransmit(tcb, tcb->rto_ms);
}

static void recover(struct tcb *tcb, uint32_t acked)
{
    uint32_t window;

    if (!seq_lt(tcb->send_unacked, tcb->recover)) {
        uint32_t flight = tcb->send_highest - tcb->send_unacked;

        window = (flight > tcb->mss ? flight : tcb->mss) + tcb->mss;
        if (window > tcb->slow_start_threshold)
            window = tcb->slow_start_threshold;
        tcb->congestion_window = window;
        tcb->recovering = false;
        return;
    }
    window = tcb->congestion_window;
    window = window > acked ? window - acked : 0;
    tcb->congestion_window = window + tcb->mss;
    if (tcp_send_first_again(tcb))
        tcp_arm_retransmit(tcb, tcb->rto_ms);
}

static void advance(struct tcb *tcb, uint32_t ack)
{
    uint32_t acked = ack - tcb->send_unacked;
    uint32_t flight = tcb->send_highest - tcb->send_unacked;

    measure(tcb, ack);
    tcb->send_unacked = ack;
    if (seq_lt(tcb->send_next, ack))
        tcb->send_next = ack;
    release_acked(tcb);
    tcb->progress_ms = now_ms32();
    if (tcb->stream.handler)
        tcb->active_ms = tcb->progress_ms;
    tcb->duplicate_acks = 0;
    tcb->probing = false;
    end_backoff(tcb);
    if (tcb->recovering) {
        recover(tcb, acked);
    } else {
        grow_window(tcb, acked, flight);
        /* Follows, lest it seem to lie ahead 2^31 bytes later. */
        if (seq_lt(tcb->recover, ack - 1))
            tcb->recover = ack - 1;
    }
    if (tcb->send_highest != tcb->send_unacked)
        tcp_arm_retransmit(tcb, tcb->rto_ms);
}

/* RFC 5681 2; the answer to a window probe is none. */
static bool is_duplicate(const struct tcb *tcb,
                         const struct tcp_segment *segment, uint32_t window)
{
    return segment->ack == tcb->send_unacked && !segment->bytes &&
           !(segment->flags & (TCP_SYN | TCP_FIN)) &&
           window == tcb->send_window && window &&
           tcb->send_highest != tcb->send_unacked;
}

/* RFC 9293 3.10.7.4, fifth: WL1 and WL2 keep old segments from it. A segment
 * that acknowledges more than any before was sent after them, whatever its
 * sequence number: a peer that sends lost data again while it closes its window
 * would not be understood otherwise. */
static void take_window(struct tcb *tcb, const struct tcp_segment *segment,
                        uint32_t window, bool newest)
{
    if (!newest && !seq_lt(tcb->window_seq, segment->sequence) &&
        (tcb->window_seq != segment->sequence ||
         seq_lt(segment->ack, tcb->window_ack)))
        return;
    if (window > tcb->send_window && tcb->probing) {
        /* What was sent against the closed window was thrown away. */
        tcb->probing = false;
        tcb->progress_ms = now_ms32();
        end_backoff(tcb);
        tcp_rewind(tcb);
    }
    tcb->send_window = window;
    tcb->window_seq = segment->sequence;
    tcb->window_ack = segment->ack;
    if (window > tcb->send_window_max)
        tcb->send_window_max = window;
}

void tcp_tell_writable(struct tcb *tcb)
{
    size_t space;

    if (!tcb->want_writable || tcb->fin_queued)
        return;
    space = tcp_send_space(tcb);
    if (!space || (space < 2U * tcb->mss && !list_empty(&tcb->sending)))
        return;
    tcb->want_writable = false;
    if (tcb->stream.handler && tcb->stream.handler->writable)
        tcb->stream.handler->writable(&tcb->stream);
}

static void mark_block(struct tcb *tcb, uint32_t start, uint32_t end)
{
    for (struct list *node = tcb->sending.next; node != &tcb->sending;
         node = node->next) {
        struct iobuf *buffer = LIST_ELEMENT(node, struct iobuf, link);
        uint32_t behind = buffer->sequence + tcp_buffer_bytes(buffer);

        if (seq_lt(end, behind))
            return;
        if (seq_leq(start, buffer->sequence))
            buffer->flags |= TCP_BUFFER_SACKED;
    }
}

/* RFC 2018 5; blocks that lie outside of what is in flight are ignored. */
static void take_sack(struct tcb *tcb, const struct tcp_segment *segment)
{
    for (unsigned i = 0; i < segment->sack_blocks; i++) {
        uint32_t start = get_be32(segment->sack_edges + 8 * i);
        uint32_t end = get_be32(segment->sack_edges + 8 * i + 4);

        if (seq_lt(tcb->send_unacked, start) && seq_lt(start, end) &&
            seq_leq(end, tcb->send_highest))
            mark_block(tcb, start, end);
    }
}

void tcp_take_ack(struct tcb *tcb, const struct tcp_segment *segment)
{
    uint32_t window = (uint32_t)segment->window << tcb->send_scale;
    bool newest = seq_lt(tcb->send_unacked, segment->ack);

    if (seq_lt(segment->ack, tcb->send_unacked))
        return;
    if (segment->sack_blocks && tcb->sack)
        take_sack(tcb, segment);
    if (newest) {
        advance(tcb, segment->ack);
    } else if (is_duplicate(tcb, segment, window)) {
        duplicate(tcb);
    }
    take_window(tcb, segment, window, newest);
    /* It may have been sent before the last rewinding. */
    if (tcb->fin_queued && tcb->send_unacked == tcb->send_end + 1)
        tcb_event(tcb, TCP_EVENT_FIN_ACKED);
}
