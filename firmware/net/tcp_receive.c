/* The receiving half: payload is handed up from the buffer it came in; only
 * what the handler leaves, or what came too early, is queued.
 *
 * `received` holds what is in order and not consumed, `early` what lies beyond
 * a gap: sorted, not overlapping. Small segments are copied into the room of
 * the buffer before them, so that a peer that sends single bytes cannot pin a
 * buffer with each. A connection may hold its share of the free buffers, no
 * more: beyond that, segments are dropped unacknowledged and come again. */
#include "core/check.h"
#include "net/tcp_internal.h"
#include <string.h>

static inline struct iobuf *element(struct list *node)
{
    return LIST_ELEMENT(node, struct iobuf, link);
}

static inline uint32_t end_of(const struct iobuf *buffer)
{
    return buffer->sequence + (uint32_t)iobuf_length(buffer);
}

static bool may_keep(const struct tcb *tcb)
{
    if (tcp_receive_short()) {
        tcp_pressure_felt();
        return false;
    }
    return tcb->receive_count < TCP_RECEIVE_BUFFERS &&
           tcb->receive_count < tcp_buffer_share();
}

static void release(struct tcb *tcb, struct iobuf *buffer)
{
    list_remove(&buffer->link);
    iobuf_release(buffer);
    tcb->receive_count--;
}

/* The same of what was awaited: the last one that came too early gives way to
 * it, and comes again. Else a handler that waits for the rest of a line would
 * wait for ever. */
static bool may_keep_awaited(struct tcb *tcb)
{
    if (!may_keep(tcb) && !list_empty(&tcb->early)) {
        release(tcb, element(tcb->early.previous));
        return true;
    }
    return may_keep(tcb);
}

/* Copies the payload behind what `to` holds, where it continues it. */
static bool join(struct iobuf *to, const struct iobuf *from)
{
    size_t bytes = iobuf_length(from);

    if (end_of(to) != from->sequence || bytes > iobuf_tailroom(to))
        return false;
    memcpy(iobuf_put(to, bytes), from->data, bytes);
    return true;
}

/* Queues a buffer that continues `received`. Returns false when it must be
 * dropped; else its reference is taken. */
static bool keep(struct tcb *tcb, struct iobuf *buffer)
{
    uint32_t bytes = (uint32_t)iobuf_length(buffer);

    if (!list_empty(&tcb->received) &&
        join(element(tcb->received.previous), buffer)) {
        iobuf_release(buffer);
    } else {
        if (!may_keep_awaited(tcb))
            return false;
        list_append(&tcb->received, &buffer->link);
        tcb->receive_count++;
    }
    tcb->receive_bytes += bytes;
    return true;
}

/* Puts an early buffer between its neighbours; the first copy of a byte wins.
 */
static void keep_early(struct tcb *tcb, struct iobuf *buffer)
{
    struct list *node = tcb->early.previous;

    while (node != &tcb->early &&
           seq_lt(buffer->sequence, element(node)->sequence))
        node = node->previous;
    if (node != &tcb->early) {
        uint32_t end = end_of(element(node));

        if (seq_leq(end_of(buffer), end)) {
            iobuf_release(buffer);
            return;
        }
        if (seq_lt(buffer->sequence, end)) {
            iobuf_pull(buffer, end - buffer->sequence);
            buffer->sequence = end;
        }
    }
    while (node->next != &tcb->early) {
        struct iobuf *after = element(node->next);

        if (seq_leq(end_of(buffer), after->sequence))
            break;
        if (seq_lt(end_of(buffer), end_of(after))) {
            buffer->tail -= end_of(buffer) - after->sequence;
            break;
        }
        release(tcb, after);
    }
    if (node != &tcb->early && join(element(node), buffer)) {
        iobuf_release(buffer);
        return;
    }
    if (!may_keep(tcb)) {
        iobuf_release(buffer);
        return;
    }
    if (list_empty(&tcb->early))
        tcb->gap_ms = now_ms32();
    list_insert(node->next, &buffer->link);
    tcb->receive_count++;
}

/* Hands bytes up. Returns how many were consumed. */
static size_t offer(struct tcb *tcb, const uint8_t *data, size_t len)
{
    const struct stream_handler *handler = tcb->stream.handler;
    size_t consumed;

    if (!handler)
        return len; /* closed by us: what still comes is discarded */
    consumed = handler->received(&tcb->stream, data, len);
    if (tcb_dead(tcb) || !tcb->stream.handler)
        return len;
    ASSERT(consumed <= len);
    return consumed;
}

/* So that a handler which waits for the rest of a line sees it in one piece,
 * up to a whole buffer. */
static void make_contiguous(struct tcb *tcb)
{
    struct iobuf *first = element(tcb->received.next), *second;
    size_t have = iobuf_length(first), bytes;

    while (first->link.next != &tcb->received && have < IOBUF_BYTES) {
        second = element(first->link.next);
        memmove(first->block, first->data, have);
        first->data = first->block;
        first->tail = first->block + have;
        bytes = iobuf_length(second);
        if (bytes > iobuf_tailroom(first))
            bytes = iobuf_tailroom(first);
        memcpy(iobuf_put(first, bytes), second->data, bytes);
        iobuf_pull(second, bytes);
        second->sequence += (uint32_t)bytes;
        if (second->data == second->tail)
            release(tcb, second);
        have += bytes;
    }
}

static void tell_end(struct tcb *tcb)
{
    const struct stream_handler *handler = tcb->stream.handler;

    if (!tcb->fin_received || tcb->end_told || !list_empty(&tcb->received) ||
        !handler)
        return;
    tcb->end_told = true;
    if (handler->ended) {
        handler->ended(&tcb->stream);
        return;
    }
    /* A protocol without an end of its own: both sides are done. */
    tcb->stream.handler = NULL;
    if (handler->closed)
        handler->closed(&tcb->stream, OK);
    tcp_stream_operations.close(&tcb->stream);
}

void tcp_deliver(struct tcb *tcb)
{
    bool refused = tcb->stalled;

    tcb->stalled = false;
    while (!tcb_dead(tcb) && !list_empty(&tcb->received)) {
        struct iobuf *first = element(tcb->received.next);
        size_t len, consumed;

        if (refused)
            make_contiguous(tcb);
        len = iobuf_length(first);
        consumed = offer(tcb, first->data, len);
        if (tcb_dead(tcb))
            return;
        tcb->receive_bytes -= (uint32_t)consumed;
        if (consumed == len) {
            release(tcb, first);
            refused = false;
            continue;
        }
        iobuf_pull(first, consumed);
        first->sequence += (uint32_t)consumed;
        if (first->link.next == &tcb->received || (refused && !consumed)) {
            tcb->stalled = true;
            return;
        }
        refused = true;
    }
    if (!tcb_dead(tcb))
        tell_end(tcb);
}

/* Payload that is exactly what was awaited. */
static void take_in_order(struct tcb *tcb, struct tcp_segment *segment)
{
    struct iobuf *buffer = segment->buffer;
    uint32_t bytes = segment->bytes;
    size_t consumed = 0;

    if (list_empty(&tcb->received)) {
        tcb->receive_next += bytes;
        consumed = offer(tcb, buffer->data, bytes);
        if (tcb_dead(tcb) || consumed == bytes)
            return;
        if (!may_keep_awaited(tcb)) {
            /* Only what was consumed is acknowledged. */
            tcb->receive_next -= bytes - (uint32_t)consumed;
            return;
        }
        iobuf_pull(buffer, consumed);
        buffer->sequence += (uint32_t)consumed;
        list_append(&tcb->received, &buffer->link);
        tcb->receive_count++;
        tcb->receive_bytes += bytes - (uint32_t)consumed;
        tcb->stalled = true;
        segment->buffer = NULL;
        return;
    }
    if (!keep(tcb, buffer))
        return;
    segment->buffer = NULL;
    tcb->receive_next += bytes;
    tcp_deliver(tcb);
}

/* What was early and has become due. */
static void take_early(struct tcb *tcb)
{
    while (!list_empty(&tcb->early)) {
        struct iobuf *first = element(tcb->early.next);
        uint32_t end = end_of(first);

        if (seq_lt(tcb->receive_next, first->sequence))
            return;
        list_remove(&first->link);
        tcb->receive_count--;
        if (seq_leq(end, tcb->receive_next)) {
            iobuf_release(first);
            continue;
        }
        iobuf_pull(first, tcb->receive_next - first->sequence);
        first->sequence = tcb->receive_next;
        if (!keep(tcb, first)) {
            iobuf_release(first);
            return;
        }
        tcb->receive_next = end;
        tcp_deliver(tcb);
        if (tcb_dead(tcb))
            return;
    }
}

/* RFC 5681 4.2: every second full segment at once, all else may wait a little
 * for an answer to ride on. */
static void owe_ack(struct tcb *tcb, uint32_t bytes)
{
    if (bytes > tcb->receive_mss)
        tcb->receive_mss =
            (uint16_t)(bytes > TCP_MSS_OWN ? TCP_MSS_OWN : bytes);
    if (tcb->receive_next - tcb->ack_sent >= 2U * tcb->receive_mss &&
        tcb->receive_mss >= TCP_MSS_DEFAULT)
        tcb->ack_now = true;
    else if (!tcb->ack_pending) {
        tcb->ack_pending = true;
        tcb->ack_due_ms = now_ms32() + TCP_DELAYED_ACK_MS;
    }
}

void tcp_take_payload(struct tcb *tcb, struct tcp_segment *segment)
{
    struct iobuf *buffer = segment->buffer;
    bool gap = !list_empty(&tcb->early);

    buffer->sequence = segment->sequence;
    if (segment->sequence == tcb->receive_next) {
        take_in_order(tcb, segment);
        if (tcb_dead(tcb))
            return;
        owe_ack(tcb, segment->bytes);
        take_early(tcb);
        /* A filled gap is told at once (RFC 5681 4.2). */
        if (gap)
            tcb->ack_now = true;
        if (gap && tcb->receive_next != segment->sequence)
            tcb->gap_ms = now_ms32();
        return;
    }
    tcb->early_latest = segment->sequence;
    segment->buffer = NULL;
    keep_early(tcb, buffer);
    tcb->ack_now = true;
}

void tcp_drop_received(struct tcb *tcb)
{
    while (!list_empty(&tcb->received))
        release(tcb, element(tcb->received.next));
    while (!list_empty(&tcb->early))
        release(tcb, element(tcb->early.next));
    tcb->receive_bytes = 0;
}
