/* When buffers are short: a connection that lets data pile up and moves nothing
 * gives way to those that do.
 *
 * What one may hold is bounded by what is free (tcp_buffer_share()); some dozen
 * together can still hold all that may be held, for as long as their protocols'
 * idle times last. Whoever then finds no buffer lets this look, a second later:
 * of those of whose written data nothing has arrived for STUCK_MS, or whose gap
 * was not filled for as long, the one that holds most is reset, then the next,
 * until there is enough, a bit more than the marks. A peer that is slow, but
 * takes something, stays. */
#include "core/log.h"
#include "net/tcp_internal.h"

#define LOOK_MS  1000
#define STUCK_MS 15000
#define AT_ONCE  32 /* each costs a walk over all connections */

static struct {
    struct timer timer;
} state;

static bool is_stuck(const struct tcb *tcb)
{
    uint32_t now = now_ms32();

    if (tcb_dead(tcb))
        return false;
    return (!list_empty(&tcb->sending) && now - tcb->sent_on_ms >= STUCK_MS) ||
           (!list_empty(&tcb->early) && now - tcb->gap_ms >= STUCK_MS);
}

/* NULL: none is stuck. */
static struct tcb *largest_stuck(void)
{
    struct tcb *tcb, *largest = NULL;
    unsigned most = 0;

    for (unsigned i = 0; (tcb = tcb_at(i)) != NULL; i++) {
        unsigned held = tcb->send_count + tcb->receive_count;

        if (held > most && is_stuck(tcb)) {
            most = held;
            largest = tcb;
        }
    }
    return largest;
}

static void look(struct timer *timer)
{
    unsigned count = 0;
    struct tcb *tcb;

    (void)timer;
    while (count < AT_ONCE && iobuf_free() < iobuf_total() / 16 * 5 &&
           (tcb = largest_stuck()) != NULL) {
        tcb_enter(tcb);
        tcp_counters()->timeouts++;
        tcb_kill(tcb, ERR_TIMEOUT);
        tcb_leave(tcb);
        count++;
    }
    if (count)
        log_warn("tcp", "short of buffers: reset stuck connections count=%u",
                 count);
}

void tcp_pressure_felt(void)
{
    if (!timer_running(&state.timer))
        timer_start(&state.timer, LOOK_MS);
}

void tcp_pressure_init(void)
{
    timer_init(&state.timer, look);
}
