/* TCP (RFC 9293): the life of connections, listeners, and streams.
 *
 * Way of a segment: ipv4_input -> tcp_input (tcp_input.c) -> tcp_take_ack
 * (tcp_ack.c), tcp_take_payload (tcp_receive.c) -> the protocol's handler,
 * which writes its answer -> tcp_output (tcp_send.c) once at the end, so that
 * acknowledgement and answer are one segment. What is written outside of such a
 * pass is sent by tcp_flush().
 *
 * Done: RFC 9293 with 5961 (blind attacks), 6528 (initial sequence numbers),
 * 6298 (RTO; with a minimum of 200 ms), 5681, 6582, 6928, 3042 (congestion
 * control), 7323 window scaling, 2018 SACK, 1191 with 5927
 * (path MTU by checked ICMP), 6056 (ports).
 *
 * Invariants: a TCB is in the hash table exactly while its state is not CLOSED;
 * it goes back to the pool when its last pass has ended; callbacks are made
 * only inside a pass, so that a handler may close, abort or write whatever it
 * likes. Every change of state is one of tcp_next_state().
 *
 * Not supported: urgent data (taken as ordinary bytes), timestamps,
 * keep-alive (streams have idle timeouts), data on SYN (it is sent
 * again by the peer), TCP Fast Open, ECN. */
#include "net/tcp.h"
#include "core/bytes.h"
#include "core/check.h"
#include "core/machine.h"
#include "core/random.h"
#include "net/checksum.h"
#include "net/ipv4.h"
#include "net/tcp_icmp.h"
#include "net/tcp_internal.h"
#include <string.h>

#define LISTENERS        32
#define FIRST_LOCAL_PORT 32768
#define LOCAL_PORTS      28232 /* up to 60999 */
#define PORT_TRIES       32
#define ISN_TICK_NS      4096 /* RFC 6528: about 4 microseconds */
#define HEADERS_V4       40

struct listener {
    uint16_t port;
    void (*accept)(struct stream *stream); /* NULL: free */
};

static struct {
    struct listener listeners[LISTENERS];
    struct list flush;
    uint8_t isn_key[16];
    struct tcp_figures figures;
} state;

static inline struct tcb *tcb_of(struct stream *stream)
{
    return (struct tcb *)(void *)stream;
}

struct tcp_figures *tcp_counters(void)
{
    return &state.figures;
}

/* ---- Listeners ---- */

void (*tcp_listener(uint16_t port))(struct stream *stream)
{
    for (unsigned i = 0; i < LISTENERS; i++) {
        if (state.listeners[i].accept && state.listeners[i].port == port)
            return state.listeners[i].accept;
    }
    return NULL;
}

enum err tcp_listen(uint16_t port, void (*accept)(struct stream *stream))
{
    if (tcp_listener(port))
        return ERR_EXISTS;
    for (unsigned i = 0; i < LISTENERS; i++) {
        if (state.listeners[i].accept)
            continue;
        state.listeners[i].port = port;
        state.listeners[i].accept = accept;
        return OK;
    }
    return ERR_MEMORY;
}

void tcp_unlisten(uint16_t port)
{
    for (unsigned i = 0; i < LISTENERS; i++) {
        if (state.listeners[i].accept && state.listeners[i].port == port)
            state.listeners[i].accept = NULL;
    }
}

/* ---- Life of a TCB ---- */

uint32_t tcp_initial_sequence(const struct tcp_key *key)
{
    uint64_t clock = machine_monotonic_ns() / ISN_TICK_NS;

    return (uint32_t)(clock + siphash(state.isn_key, key, sizeof(*key)));
}

void tcb_start(struct tcb *tcb, uint32_t iss)
{
    struct tcp_key *key = &tcb->node.key;
    uint32_t now = now_ms32();

    tcb->stream.operations = &tcp_stream_operations;
    tcb->pseudo_sum = net_checksum_pseudo(&key->local, &key->remote, IP_TCP);
    tcb->iss = iss;
    tcb->send_unacked = iss;
    tcb->send_next = iss;
    tcb->send_highest = iss;
    tcb->send_end = iss + 1;
    tcb->recover = iss;
    tcb->mss = TCP_MSS_DEFAULT;
    tcb->receive_mss = TCP_MSS_DEFAULT;
    tcb->rto_ms = TCP_RTO_FIRST_MS;
    tcb->slow_start_threshold = UINT32_MAX / 2;
    tcb->progress_ms = now;
    tcb->heard_ms = now;
    tcb->active_ms = now;
    tcb->sent_ms = now;
    state.figures.connections++;
    if (state.figures.connections > state.figures.connections_peak)
        state.figures.connections_peak = state.figures.connections;
}

void tcb_synchronize(struct tcb *tcb, uint32_t irs)
{
    tcb->irs = irs;
    tcb->receive_next = irs + 1;
    tcb->receive_edge = tcb->receive_next;
    tcb->receive_edge = tcp_window_edge(tcb);
    tcb->ack_sent = tcb->receive_next;
}

void tcb_leave(struct tcb *tcb)
{
    ASSERT(tcb->passes);
    if (!--tcb->passes && tcb_dead(tcb))
        tcb_free(tcb);
}

void tcb_touch(struct tcb *tcb)
{
    if (!tcb_dead(tcb) && list_empty(&tcb->flush))
        list_append(&state.flush, &tcb->flush);
}

void tcb_event(struct tcb *tcb, enum tcp_event event)
{
    enum tcp_state old = (enum tcp_state)tcb->node.state;
    enum tcp_state new = tcp_next_state(old, event);

    if (new == old)
        return;
    if (new == TCP_TIME_WAIT) {
        tcb_rest(tcb);
        return;
    }
    if (new == TCP_CLOSED) {
        tcb_finish(tcb, OK);
        return;
    }
    tcb->node.state = (uint8_t) new;
    if (new == TCP_FIN_WAIT_2) {
        tcb->active_ms = now_ms32();
        tcb_orphan(tcb);
        tcp_arm_idle(tcb);
    }
}

void tcb_finish(struct tcb *tcb, enum err reason)
{
    const struct stream_handler *handler = tcb->stream.handler;

    if (tcb_dead(tcb))
        return;
    ASSERT(tcb->passes);
    tcb_unhash(tcb);
    tcb->node.state = TCP_CLOSED;
    tcb->stream.handler = NULL;
    tcp_timers_stop(tcb);
    list_remove(&tcb->flush);
    list_remove(&tcb->link);
    tcp_drop_sending(tcb);
    tcp_drop_received(tcb);
    state.figures.connections--;
    if (handler && handler->closed)
        handler->closed(&tcb->stream, reason);
}

void tcb_kill(struct tcb *tcb, enum err reason)
{
    /* In SYN-SENT there is nobody yet who could be reset. */
    if (!tcb_dead(tcb) && tcb->node.state != TCP_SYN_SENT)
        tcp_send_control(tcb, tcb->send_highest, TCP_RST | TCP_ACK);
    tcb_finish(tcb, reason);
}

void tcb_rest(struct tcb *tcb)
{
    struct tcp_key key = tcb->node.key;
    uint32_t send_next = tcb->send_end + 1, receive_next = tcb->receive_next;

    if (tcb->ack_now || tcb->ack_pending)
        tcp_send_control(tcb, send_next, TCP_ACK);
    tcb_finish(tcb, OK);
    tcp_time_wait_add(&key, send_next, receive_next);
}

/* ---- Streams ---- */

static size_t stream_do_write(struct stream *stream, const void *data,
                              size_t len)
{
    struct tcb *tcb = tcb_of(stream);
    size_t taken;

    if (tcb_dead(tcb) || tcb->fin_queued)
        return 0;
    taken = tcp_send_append(tcb, data, len);
    tcb_touch(tcb);
    return taken;
}

static size_t stream_do_space(const struct stream *stream)
{
    return tcp_send_space((const struct tcb *)(const void *)stream);
}

static void stream_do_close(struct stream *stream)
{
    struct tcb *tcb = tcb_of(stream);

    if (tcb_dead(tcb) || tcb->fin_queued)
        return;
    tcb_enter(tcb);
    tcb->fin_queued = true;
    tcb->want_writable = false;
    tcb->active_ms = now_ms32();
    if (!list_empty(&tcb->received))
        tcb->resumed = true; /* to be discarded by the pass that comes */
    tcb_event(tcb, TCP_EVENT_CLOSE);
    if (!tcb_dead(tcb)) {
        tcp_arm_idle(tcb);
        tcb_touch(tcb);
    }
    tcb_leave(tcb);
}

static void stream_do_abort(struct stream *stream)
{
    struct tcb *tcb = tcb_of(stream);

    if (tcb_dead(tcb))
        return;
    tcb_enter(tcb);
    tcb_kill(tcb, ERR_RESET);
    tcb_leave(tcb);
}

static void stream_do_resume(struct stream *stream)
{
    struct tcb *tcb = tcb_of(stream);

    if (tcb_dead(tcb))
        return;
    tcb->resumed = true;
    tcb_touch(tcb);
}

static void stream_do_set_idle_timeout(struct stream *stream, uint32_t ms)
{
    struct tcb *tcb = tcb_of(stream);

    if (tcb_dead(tcb))
        return;
    tcb->idle_ms = ms;
    tcb->active_ms = now_ms32();
    tcp_arm_idle(tcb);
}

static void stream_do_peer(const struct stream *stream,
                           struct net_endpoint *peer)
{
    const struct tcb *tcb = (const struct tcb *)(const void *)stream;

    peer->address = tcb->node.key.remote;
    peer->port = tcb->node.key.remote_port;
}

static void stream_do_local(const struct stream *stream,
                            struct net_endpoint *local)
{
    const struct tcb *tcb = (const struct tcb *)(const void *)stream;

    local->address = tcb->node.key.local;
    local->port = tcb->node.key.local_port;
}

const struct stream_operations tcp_stream_operations = {
    .write = stream_do_write,
    .space = stream_do_space,
    .close = stream_do_close,
    .abort = stream_do_abort,
    .resume = stream_do_resume,
    .set_idle_timeout = stream_do_set_idle_timeout,
    .peer = stream_do_peer,
    .local = stream_do_local,
};

/* ---- Active open ---- */

static bool choose_port(struct tcp_key *key)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        key->local_port =
            (uint16_t)(FIRST_LOCAL_PORT + random_below(LOCAL_PORTS));
        if (!tcp_find(key) && !tcp_listener(key->local_port))
            return true;
    }
    return false;
}

struct stream *tcp_connect(const struct net_endpoint *remote,
                           const struct stream_handler *handler, void *context)
{
    struct tcp_key key = {.remote = remote->address,
                          .remote_port = remote->port};
    struct tcb *tcb;

    if (!remote->port || ip_source(&key.remote, &key.local) != OK ||
        !choose_port(&key))
        return NULL;
    tcb = tcb_take(&key);
    if (!tcb) {
        state.figures.refused++;
        return NULL;
    }
    tcb_start(tcb, tcp_initial_sequence(&key));
    tcb->stream.handler = handler;
    tcb->stream.context = context;
    tcb->node.state =
        (uint8_t)tcp_next_state(TCP_CLOSED, TCP_EVENT_ACTIVE_OPEN);
    tcb_touch(tcb);
    return &tcb->stream;
}

static void send_syn(struct tcb *tcb)
{
    if (tcb->send_highest != tcb->iss)
        return;
    tcb->send_next = tcb->iss + 1;
    tcb->send_highest = tcb->send_next;
    tcb->timing = true;
    tcb->rtt_sequence = tcb->iss;
    tcb->rtt_started_ms = now_ms32();
    tcb->progress_ms = now_ms32();
    tcp_send_control(tcb, tcb->iss, TCP_SYN);
    tcp_arm_retransmit(tcb, tcb->rto_ms);
}

/* ---- Turn of MT ---- */

static void flush_one(struct tcb *tcb)
{
    tcb_enter(tcb);
    if (tcb->node.state == TCP_SYN_SENT)
        send_syn(tcb);
    if (tcb->resumed) {
        tcb->resumed = false;
        tcp_deliver(tcb);
    }
    tcp_output(tcb);
    tcb_leave(tcb);
}

bool tcp_flush(void)
{
    struct list marker;

    if (list_empty(&state.flush))
        return false;
    /* What handlers touch meanwhile comes behind the marker: next turn. */
    list_init(&marker);
    list_append(&state.flush, &marker);
    while (state.flush.next != &marker) {
        struct list *node = list_take_first(&state.flush);

        flush_one(LIST_ELEMENT(node, struct tcb, flush));
    }
    list_remove(&marker);
    return true;
}

void tcp_abort_all(void)
{
    struct tcb *tcb;

    for (unsigned i = 0; (tcb = tcb_at(i)) != NULL; i++) {
        if (tcb_dead(tcb))
            continue;
        tcb_enter(tcb);
        tcb_kill(tcb, ERR_RESET);
        tcb_leave(tcb);
    }
    tcp_table_clear();
}

/* ---- ICMP ---- */

static void shrink_path(struct tcb *tcb, uint16_t mtu)
{
    uint16_t mss = (uint16_t)(mtu - HEADERS_V4);

    if (mtu < HEADERS_V4 + TCP_MSS_MIN || mss >= tcb->mss)
        return;
    tcp_set_mss(tcb, mss);
    tcp_rewind(tcb);
    tcp_output(tcb);
}

void tcp_icmp(const struct tcp_icmp_error *error)
{
    struct tcp_key key = {error->remote.address, error->local.address,
                          error->remote.port, error->local.port};
    struct tcp_node *node = tcp_find(&key);
    struct tcb *tcb;

    if (!node || node->kind != TCP_KIND_FULL)
        return;
    tcb = (struct tcb *)(void *)((char *)node - offsetof(struct tcb, node));
    if (seq_lt(error->sequence, tcb->send_unacked) ||
        !seq_lt(error->sequence, tcb->send_highest))
        return;
    tcb_enter(tcb);
    /* Only a connection that is not there yet is given up (RFC 5461 4.1). */
    if (error->mtu && tcb->node.state >= TCP_ESTABLISHED)
        shrink_path(tcb, error->mtu);
    else if (error->hard && tcb->node.state == TCP_SYN_SENT)
        tcb_finish(tcb, ERR_GONE);
    tcb_leave(tcb);
}

void tcp_figures(struct tcp_figures *figures)
{
    *figures = state.figures;
}

enum err tcp_module_init(unsigned connections)
{
    memset(&state, 0, sizeof(state));
    list_init(&state.flush);
    random_bytes(state.isn_key, sizeof(state.isn_key));
    tcp_cookie_init();
    tcp_pressure_init();
    state.figures.capacity = connections;
    return tcp_table_init(connections);
}
