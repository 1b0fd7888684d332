/* The timers of a connection. Each is lazy: moving a deadline back costs one
 * store, and a timer that fires before its deadline starts itself again. So a
 * connection in full flow hardly ever touches the wheel. */
#include "net/tcp_internal.h"

#define TCB_OF(node, member)                                                   \
    ((struct tcb *)(void *)((char *)(node)-offsetof(struct tcb, member)))

#define MSS_CUT_BACKOFF 3 /* lost in a row before a black hole is suspected */

/* Milliseconds until a 32-bit deadline; 0: reached. */
static uint32_t left_until(uint32_t deadline_ms)
{
    int32_t left = (int32_t)(deadline_ms - now_ms32());

    return left > 0 ? (uint32_t)left : 0;
}

static void start_lazily(struct timer *timer, uint32_t deadline_ms)
{
    uint64_t at = timer_now_ms() + left_until(deadline_ms);

    if (!timer_running(timer) || timer->expires_ms > at)
        timer_start(timer, left_until(deadline_ms));
}

void tcp_arm_retransmit(struct tcb *tcb, uint32_t delay_ms)
{
    tcb->retransmit_at_ms = now_ms32() + delay_ms;
    start_lazily(&tcb->timer, tcb->retransmit_at_ms);
}

void tcp_arm_ack(struct tcb *tcb)
{
    start_lazily(&tcb->ack_timer, tcb->ack_due_ms);
}

static void back_off(struct tcb *tcb)
{
    if (tcb->backoff < UINT8_MAX)
        tcb->backoff++;
    tcb->rto_ms =
        tcb->rto_ms * 2 > TCP_RTO_MAX_MS ? TCP_RTO_MAX_MS : tcb->rto_ms * 2;
}

/* R2 is reached: no progress, resp. with a closed window not even an answer. */
static bool given_up(const struct tcb *tcb)
{
    uint32_t limit =
        tcb->node.state == TCP_SYN_SENT || tcb->node.state == TCP_SYN_RECEIVED
            ? TCP_SYN_GIVE_UP_MS
            : TCP_GIVE_UP_MS;
    uint32_t since = tcb->progress_ms;

    if (!tcb->send_window && (int32_t)(tcb->heard_ms - since) > 0)
        since = tcb->heard_ms;
    return now_ms32() - since >= limit;
}

static void repeat_syn(struct tcb *tcb)
{
    back_off(tcb);
    tcb->timing = false;
    tcp_counters()->retransmitted++;
    tcp_send_control(tcb, tcb->iss,
                     tcb->node.state == TCP_SYN_SENT ? TCP_SYN
                                                     : TCP_SYN | TCP_ACK);
    tcp_arm_retransmit(tcb, tcb->rto_ms);
}

/* RFC 6298 5.4 to 5.7 and RFC 5681 3.1; then everything from SND.UNA on. */
static void lost(struct tcb *tcb)
{
    uint32_t flight = tcb->send_highest - tcb->send_unacked;

    if (!tcb->backoff) {
        tcb->slow_start_threshold = flight / 2;
        if (tcb->slow_start_threshold < 2U * tcb->mss)
            tcb->slow_start_threshold = 2U * tcb->mss;
    }
    back_off(tcb);
    tcb->recover = tcb->send_highest;
    tcb->recovering = false;
    tcb->duplicate_acks = 0;
    tcb->congestion_window = tcb->mss;
    /* Routers that drop large packets in silence (RFC 2923 2.1). */
    if (tcb->backoff == MSS_CUT_BACKOFF && tcb->mss > TCP_MSS_DEFAULT)
        tcp_set_mss(tcb, TCP_MSS_DEFAULT);
    tcp_rewind(tcb);
    tcp_output(tcb);
    if (tcb->send_next == tcb->send_unacked)
        (void)tcp_send_probe(tcb); /* the window has become too small */
    tcp_arm_retransmit(tcb, tcb->rto_ms);
}

static void probe(struct tcb *tcb)
{
    tcb->timing = false;
    tcb->probing = true;
    if (!tcp_send_probe(tcb)) {
        tcp_arm_retransmit(tcb, TCP_RETRY_MS);
        return;
    }
    back_off(tcb);
    tcp_arm_retransmit(tcb, tcb->rto_ms);
}

static void retransmit_due(struct tcb *tcb)
{
    bool flying = tcb->send_highest != tcb->send_unacked;

    if (!flying && !tcb->unsent) {
        tcp_tell_writable(tcb);
        if (!tcb_dead(tcb))
            tcp_output(tcb);
        return;
    }
    if (given_up(tcb)) {
        tcp_counters()->timeouts++;
        tcb_kill(tcb, ERR_TIMEOUT);
        return;
    }
    if (tcb->node.state == TCP_SYN_SENT || tcb->node.state == TCP_SYN_RECEIVED)
        repeat_syn(tcb);
    else if (!list_empty(&tcb->sending) && (tcb->probing || !tcb->send_window))
        probe(tcb);
    else
        lost(tcb);
}

static void timer_expired(struct timer *timer)
{
    struct tcb *tcb = TCB_OF(timer, timer);
    uint32_t left = left_until(tcb->retransmit_at_ms);

    if (left) {
        timer_start(timer, left);
        return;
    }
    tcb_enter(tcb);
    retransmit_due(tcb);
    tcb_leave(tcb);
}

static void ack_expired(struct timer *timer)
{
    struct tcb *tcb = TCB_OF(timer, ack_timer);
    uint32_t left = left_until(tcb->ack_due_ms);

    if (!tcb->ack_pending)
        return;
    if (left) {
        timer_start(timer, left);
        return;
    }
    tcb->ack_now = true;
    tcp_output(tcb);
}

/* How long the connection may stay as it is; 0: for ever. */
static uint32_t idle_limit(const struct tcb *tcb, uint32_t *since)
{
    *since = tcb->active_ms;
    if (tcb->stream.handler)
        return tcb->idle_ms;
    return tcb->node.state == TCP_FIN_WAIT_2 ? TCP_FIN_WAIT_2_MS
                                             : TCP_ORPHAN_MS;
}

void tcp_arm_idle(struct tcb *tcb)
{
    uint32_t since, limit = idle_limit(tcb, &since);

    if (limit)
        start_lazily(&tcb->idle_timer, since + limit);
}

static void idle_expired(struct timer *timer)
{
    struct tcb *tcb = TCB_OF(timer, idle_timer);
    uint32_t since, limit = idle_limit(tcb, &since);

    if (!limit)
        return;
    if (left_until(since + limit)) {
        timer_start(timer, left_until(since + limit));
        return;
    }
    tcb_enter(tcb);
    tcp_counters()->timeouts++;
    tcb_kill(tcb, ERR_TIMEOUT);
    tcb_leave(tcb);
}

static void half_open_expired(struct timer *timer)
{
    struct tcp_half_open *half =
        (struct tcp_half_open *)(void *)((char *)timer -
                                         offsetof(struct tcp_half_open, timer));

    unsigned retries = tcp_half_open_crowded() ? 1 : TCP_SYN_RETRIES;

    if (half->retries >= retries) {
        tcp_half_open_free(half);
        return;
    }
    half->retries++;
    tcp_counters()->retransmitted++;
    tcp_send_syn_ack(half);
    timer_start(timer, (uint64_t)TCP_RTO_FIRST_MS << half->retries);
}

void tcp_half_open_start(struct tcp_half_open *half)
{
    timer_init(&half->timer, half_open_expired);
    timer_start(&half->timer, TCP_RTO_FIRST_MS);
}

void tcp_timers_init(struct tcb *tcb)
{
    timer_init(&tcb->timer, timer_expired);
    timer_init(&tcb->ack_timer, ack_expired);
    timer_init(&tcb->idle_timer, idle_expired);
}

void tcp_timers_stop(struct tcb *tcb)
{
    timer_stop(&tcb->timer);
    timer_stop(&tcb->ack_timer);
    timer_stop(&tcb->idle_timer);
}
