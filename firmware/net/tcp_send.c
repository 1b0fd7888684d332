/* The sending half: what was written waits in buffers of at most one segment
 * each, leaves by reference and stays until it is acknowledged.
 *
 * In `sending`, buffer->sequence is the number of the first payload byte, which
 * lies at block + IOBUF_HEADROOM, and buffer->flags the number of payload
 * bytes with marks; data and tail belong to the frame that was made of it last.
 * A buffer that was partly acknowledged is sent again as a whole: the peer cuts
 * off what it has. A buffer longer than what may be sent now is split in two.
 *
 * Nagle's algorithm is off: everything written within one pass goes out in full
 * segments, and a rest smaller than a segment does not wait. */
#include "core/check.h"
#include "net/tcp_internal.h"
#include <string.h>

#define SHARE_OF_FREE     8
#define SHARE_MIN_BUFFERS 3

static inline struct iobuf *first_of(struct list *queue)
{
    return LIST_ELEMENT(queue->next, struct iobuf, link);
}

static inline uint8_t *payload_of(const struct iobuf *buffer)
{
    return buffer->block + IOBUF_HEADROOM;
}

static inline uint32_t end_of(const struct iobuf *buffer)
{
    return buffer->sequence + tcp_buffer_bytes(buffer);
}

/* Every connection may hold a fixed part of what is free: the fewer buffers are
 * left, the less each may take (Choudhury and Hahne's dynamic threshold). */
size_t tcp_buffer_share(void)
{
    size_t share = iobuf_free() / SHARE_OF_FREE;

    return share < SHARE_MIN_BUFFERS ? SHARE_MIN_BUFFERS : share;
}

bool tcp_receive_short(void)
{
    return iobuf_free() <= iobuf_total() / 4;
}

size_t tcp_send_left(void)
{
    size_t kept = iobuf_total() / 16 * 3;

    return iobuf_free() > kept ? iobuf_free() - kept : 0;
}

uint32_t tcp_window_edge(const struct tcb *tcb)
{
    size_t room = tcp_buffer_share();
    uint32_t window, now = tcb->receive_edge - tcb->receive_next;
    uint32_t step = tcb->receive_mss;

    room = room > tcb->receive_count ? room - tcb->receive_count : 0;
    room *= TCP_MSS_OWN;
    if (room > TCP_RECEIVE_BYTES)
        room = TCP_RECEIVE_BYTES;
    if (!tcb->scaling && room > 0xFFFF)
        room = 0xFFFF;
    window = (uint32_t)room;
    window = window > tcb->receive_bytes ? window - tcb->receive_bytes : 0;
    /* Never back, and not forward by less than a segment (RFC 9293
     * 3.8.6.2.2). */
    if (window < now + step)
        return tcb->receive_edge;
    return tcb->receive_next + window;
}

static struct iobuf *last_unsent(const struct tcb *tcb)
{
    struct iobuf *last;

    if (list_empty(&tcb->sending))
        return NULL;
    last = LIST_ELEMENT(tcb->sending.previous, struct iobuf, link);
    if (seq_lt(last->sequence, tcb->send_highest) || last->references > 1)
        return NULL;
    return last;
}

size_t tcp_send_space(const struct tcb *tcb)
{
    size_t queued = tcb->send_end - tcb->send_unacked;
    size_t least = TCP_WRITE_ROOM / tcb->mss + 1, buffers, room, free;
    struct iobuf *last = last_unsent(tcb);

    if (tcb_dead(tcb) || tcb->fin_queued || queued >= TCP_SEND_BYTES)
        return 0;
    buffers = tcp_buffer_share();
    if (buffers > TCP_SEND_BUFFERS)
        buffers = TCP_SEND_BUFFERS;
    if (buffers < least)
        buffers = least;
    buffers = buffers > tcb->send_count ? buffers - tcb->send_count : 0;
    free = tcp_send_left();
    if (!free)
        tcp_pressure_felt();
    if (buffers > free)
        buffers = free;
    room = buffers * tcb->mss;
    if (last && tcp_buffer_bytes(last) < tcb->mss)
        room += (size_t)(tcb->mss - tcp_buffer_bytes(last));
    return room < TCP_SEND_BYTES - queued ? room : TCP_SEND_BYTES - queued;
}

/* A new buffer at the end of the queue, or behind `before`. */
static struct iobuf *new_buffer(struct tcb *tcb, struct list *behind,
                                uint32_t sequence)
{
    struct iobuf *buffer = iobuf_alloc();

    if (!buffer)
        return NULL;
    buffer->sequence = sequence;
    if (list_empty(&tcb->sending))
        tcb->sent_on_ms = now_ms32();
    list_insert(behind->next, &buffer->link);
    tcb->send_count++;
    return buffer;
}

size_t tcp_send_append(struct tcb *tcb, const uint8_t *data, size_t len)
{
    size_t space = tcp_send_space(tcb), taken = 0;

    if (len > space) {
        len = space;
        tcb->want_writable = true;
    }
    while (taken < len) {
        struct iobuf *last = last_unsent(tcb);
        size_t bytes = len - taken;

        if (!last || tcp_buffer_bytes(last) >= tcb->mss) {
            last = new_buffer(tcb, tcb->sending.previous, tcb->send_end);
            if (!last)
                break;
            if (!tcb->unsent)
                tcb->unsent = last;
        }
        if (bytes > (size_t)(tcb->mss - tcp_buffer_bytes(last)))
            bytes = (size_t)(tcb->mss - tcp_buffer_bytes(last));
        memcpy(payload_of(last) + tcp_buffer_bytes(last), data + taken, bytes);
        last->flags = (uint16_t)(tcp_buffer_bytes(last) + bytes);
        tcb->send_end += (uint32_t)bytes;
        taken += bytes;
    }
    if (taken < len)
        tcb->want_writable = true;
    return taken;
}

/* Leaves `bytes` in the buffer and puts the rest into one behind it. */
static bool split(struct tcb *tcb, struct iobuf *buffer, uint32_t bytes)
{
    struct iobuf *rest =
        new_buffer(tcb, &buffer->link, buffer->sequence + bytes);

    if (!rest)
        return false;
    rest->flags = (uint16_t)(tcp_buffer_bytes(buffer) - bytes);
    memcpy(payload_of(rest), payload_of(buffer) + bytes,
           tcp_buffer_bytes(rest));
    buffer->flags = (uint16_t)bytes;
    return true;
}

static struct iobuf *next_of(const struct tcb *tcb, const struct iobuf *buffer)
{
    return buffer->link.next == &tcb->sending
               ? NULL
               : LIST_ELEMENT(buffer->link.next, struct iobuf, link);
}

/* One frame of a queued buffer; of a copy while the card still has it. */
static bool transmit_buffer(struct tcb *tcb, struct iobuf *buffer)
{
    bool last = end_of(buffer) == tcb->send_end;
    bool fin = last && tcb->fin_queued;
    uint8_t flags =
        (uint8_t)(TCP_ACK | (last ? TCP_PSH : 0) | (fin ? TCP_FIN : 0));
    struct iobuf *frame = buffer;
    bool sent;

    if (buffer->references > 1) {
        frame = iobuf_alloc();
        if (!frame)
            return false;
        memcpy(payload_of(frame), payload_of(buffer), tcp_buffer_bytes(buffer));
    }
    frame->data = payload_of(frame);
    frame->tail = frame->data + tcp_buffer_bytes(buffer);
    sent = tcp_transmit(tcb, frame, buffer->sequence, flags);
    if (frame != buffer)
        iobuf_release(frame);
    if (!sent) {
        tcb_touch(tcb); /* the card takes more in a moment */
        return false;
    }
    if (fin)
        tcb->fin_sent = true;
    return true;
}

/* Karn: only what is sent for the first time is timed. */
static void start_timing(struct tcb *tcb, uint32_t sequence)
{
    if (tcb->timing)
        return;
    tcb->timing = true;
    tcb->rtt_sequence = sequence;
    tcb->rtt_started_ms = now_ms32();
}

static void sent_up_to(struct tcb *tcb, uint32_t end)
{
    if (tcb->send_highest == tcb->send_unacked)
        tcb->progress_ms = now_ms32();
    if (seq_lt(tcb->send_next, end))
        tcb->send_next = end;
    if (seq_lt(tcb->send_highest, end)) {
        start_timing(tcb, tcb->send_highest);
        tcb->send_highest = end;
    } else {
        tcp_counters()->retransmitted++;
    }
    tcp_arm_retransmit(tcb, tcb->rto_ms);
}

static bool send_buffer(struct tcb *tcb, struct iobuf *buffer)
{
    uint32_t end = end_of(buffer);

    if (!transmit_buffer(tcb, buffer))
        return false;
    tcb->unsent = next_of(tcb, buffer);
    sent_up_to(tcb, end + (tcb->fin_sent && end == tcb->send_end));
    return true;
}

/* How much of the next buffer may go (RFC 9293 3.8.6.2.1); 0: it must wait. */
static uint32_t may_send(const struct tcb *tcb, const struct iobuf *buffer)
{
    uint32_t congestion = tcb->congestion_window, edge, room;

    /* Limited transmit (RFC 3042). */
    if (!tcb->recovering && tcb->duplicate_acks < 3)
        congestion += (uint32_t)tcb->duplicate_acks * tcb->mss;
    edge = tcb->send_unacked + tcb->send_window;
    if (congestion < tcb->send_window) {
        edge = tcb->send_unacked + congestion;
        return seq_leq(end_of(buffer), edge) ? tcp_buffer_bytes(buffer) : 0;
    }
    if (seq_leq(end_of(buffer), edge))
        return tcp_buffer_bytes(buffer);
    if (seq_leq(edge, buffer->sequence))
        return 0;
    room = edge - buffer->sequence;
    return room >= tcb->send_window_max / 2 ? room : 0;
}

/* RFC 5681 4.1: after a silence the window says nothing about the path. */
static void restart_after_idle(struct tcb *tcb)
{
    uint32_t initial = tcp_initial_window(tcb);

    if (tcb->send_next != tcb->send_unacked || !tcb->unsent ||
        now_ms32() - tcb->sent_ms <= tcb->rto_ms)
        return;
    if (tcb->congestion_window > initial)
        tcb->congestion_window = initial;
}

/* After a rewinding: what the peer has told to have need not go again. */
static void skip_buffer(struct tcb *tcb, const struct iobuf *buffer)
{
    if (seq_lt(tcb->send_next, end_of(buffer)))
        tcb->send_next = end_of(buffer);
    tcb->unsent = next_of(tcb, buffer);
}

static void send_data(struct tcb *tcb)
{
    restart_after_idle(tcb);
    while (tcb->unsent) {
        struct iobuf *buffer = tcb->unsent;
        uint32_t bytes;

        if (tcp_buffer_bytes(buffer) > tcb->mss &&
            !split(tcb, buffer, tcb->mss))
            break;
        if (buffer->flags & TCP_BUFFER_SACKED) {
            skip_buffer(tcb, buffer);
            continue;
        }
        bytes = may_send(tcb, buffer);
        if (!bytes)
            break;
        if (bytes < tcp_buffer_bytes(buffer) && !split(tcb, buffer, bytes))
            break;
        if (!send_buffer(tcb, buffer))
            break;
        tcb->probing = false;
    }
}

static bool sends_data(enum tcp_state state)
{
    return state >= TCP_ESTABLISHED && state != TCP_FIN_WAIT_2 &&
           state != TCP_TIME_WAIT;
}

/* Something is written, nothing is on its way that an ACK could come for: a
 * closed window, or a card that is busy. How long that lasts counts from now.
 */
static void watch_stopped(struct tcb *tcb)
{
    if (tcb->send_highest != tcb->send_unacked ||
        tcb->send_next != tcb->send_unacked)
        return;
    if (tcb->unsent) {
        if (!tcb->probing) {
            tcb->probing = true;
            tcb->backoff = 0;
            tcb->progress_ms = now_ms32();
            tcp_arm_retransmit(tcb, tcb->rto_ms);
        }
    } else if (tcb->want_writable) {
        tcp_arm_retransmit(tcb, TCP_WRITABLE_POLL_MS);
    }
}

/* The handler has consumed: the window may be opened by a step worth telling.
 */
static bool window_update_due(const struct tcb *tcb)
{
    uint32_t step = 2U * tcb->receive_mss;
    uint32_t gain = tcp_window_edge(tcb) - tcb->receive_edge;
    uint32_t open = tcb->receive_edge - tcb->receive_next;

    return gain && open < step && gain >= tcb->receive_mss &&
           !tcb->fin_received;
}

static void send_fin(struct tcb *tcb)
{
    tcb->fin_sent = tcp_send_control(tcb, tcb->send_end, TCP_FIN | TCP_ACK);
    if (tcb->fin_sent)
        sent_up_to(tcb, tcb->send_end + 1);
    else
        tcp_arm_retransmit(tcb, tcb->rto_ms);
}

static void send_ack(struct tcb *tcb)
{
    if (tcp_send_ack(tcb))
        return;
    tcb->ack_pending = true;
    tcb->ack_due_ms = now_ms32() + TCP_BUSY_RETRY_MS;
    tcp_arm_ack(tcb);
}

void tcp_output(struct tcb *tcb)
{
    enum tcp_state state = (enum tcp_state)tcb->node.state;

    if (state == TCP_CLOSED)
        return;
    if (sends_data(state)) {
        send_data(tcb);
        if (tcb->fin_queued && !tcb->fin_sent && !tcb->unsent &&
            tcb->send_unacked != tcb->send_end + 1)
            send_fin(tcb);
        watch_stopped(tcb);
    }
    if (state < TCP_ESTABLISHED)
        return;
    if (tcb->ack_now || window_update_due(tcb))
        send_ack(tcb);
    else if (tcb->ack_pending)
        tcp_arm_ack(tcb);
}

static bool send_again(struct tcb *tcb, struct iobuf *buffer)
{
    if (tcp_buffer_bytes(buffer) > tcb->mss && !split(tcb, buffer, tcb->mss))
        return false;
    if (!transmit_buffer(tcb, buffer))
        return false;
    tcb->timing = false;
    buffer->flags |= TCP_BUFFER_RESENT;
    tcp_counters()->retransmitted++;
    return true;
}

bool tcp_send_hole_again(struct tcb *tcb)
{
    struct iobuf *hole = NULL;

    for (struct list *node = tcb->sending.next; node != &tcb->sending;
         node = node->next) {
        struct iobuf *buffer = LIST_ELEMENT(node, struct iobuf, link);

        if (!seq_lt(buffer->sequence, tcb->send_highest))
            return false;
        if (!(buffer->flags & (TCP_BUFFER_SACKED | TCP_BUFFER_RESENT)) && !hole)
            hole = buffer;
        if (buffer->flags & TCP_BUFFER_SACKED && hole)
            return send_again(tcb, hole);
    }
    return false;
}

bool tcp_send_first_again(struct tcb *tcb)
{
    struct iobuf *first;

    if (list_empty(&tcb->sending)) {
        tcb->timing = false;
        return !tcb->fin_sent ||
               tcp_send_control(tcb, tcb->send_end, TCP_FIN | TCP_ACK);
    }
    first = first_of(&tcb->sending);
    if (first->flags & TCP_BUFFER_RESENT)
        return tcp_send_hole_again(tcb);
    return send_again(tcb, first);
}

void tcp_clear_marks(struct tcb *tcb, uint16_t marks)
{
    for (struct list *node = tcb->sending.next; node != &tcb->sending;
         node = node->next)
        LIST_ELEMENT(node, struct iobuf, link)->flags &= (uint16_t)~marks;
}

/* RFC 9293 3.8.6.1. What may be sent is sent however little it is; else one
 * byte, which becomes a segment of its own. */
bool tcp_send_probe(struct tcb *tcb)
{
    struct iobuf *first;
    uint32_t room, bytes = 1;

    if (list_empty(&tcb->sending))
        return true;
    first = first_of(&tcb->sending);
    room = tcb->send_unacked + tcb->send_window - first->sequence;
    if (tcb->send_window && (int32_t)room > 1)
        bytes = room < tcb->mss ? room : tcb->mss;
    if (tcp_buffer_bytes(first) > bytes && !split(tcb, first, bytes))
        return false;
    return send_buffer(tcb, first);
}

void tcp_rewind(struct tcb *tcb)
{
    tcp_clear_marks(tcb, TCP_BUFFER_SACKED | TCP_BUFFER_RESENT);
    tcb->send_next = tcb->send_unacked;
    tcb->fin_sent = false;
    tcb->timing = false;
    tcb->unsent = list_empty(&tcb->sending) ? NULL : first_of(&tcb->sending);
}

void tcp_set_mss(struct tcb *tcb, uint16_t mss)
{
    tcb->mss = mss < TCP_MSS_MIN ? TCP_MSS_MIN : mss;
    if (tcb->mss > TCP_MSS_OWN)
        tcb->mss = TCP_MSS_OWN;
}

void tcp_drop_sending(struct tcb *tcb)
{
    struct list *node;

    while ((node = list_take_first(&tcb->sending)) != NULL)
        iobuf_release(LIST_ELEMENT(node, struct iobuf, link));
    tcb->send_count = 0;
    tcb->unsent = NULL;
}
