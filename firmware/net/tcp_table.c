/* Where connections are kept: three fixed pools (whole connections, half-open
 * ones, those in TIME-WAIT) and one hash table over all of them. The hash is
 * keyed (SipHash), so that a peer cannot choose ports that fall together. */
#include "core/check.h"
#include "core/memory.h"
#include "core/random.h"
#include "net/tcp_internal.h"
#include <string.h>

#define HALF_OPEN_MAX 1024

#define ELEMENT(node, type) LIST_ELEMENT(node, type, link)

static struct {
    uint8_t key[16];
    struct tcp_node **buckets;
    uint32_t mask;
    struct tcb *tcbs;
    unsigned capacity, tcbs_free, half_open_count;
    struct list free, orphans;
    struct list half_open_free, half_open; /* oldest first */
    struct list time_wait_free, time_wait; /* oldest first */
    struct timer time_wait_timer;
} state;

static struct tcp_node **bucket(const struct tcp_key *key)
{
    uint8_t bytes[20];

    /* Our own address adds nothing: there is one. */
    memcpy(bytes, key->remote.bytes, 16);
    memcpy(bytes + 16, &key->remote_port, 4);
    return &state.buckets[siphash_table(state.key, bytes, sizeof(bytes)) &
                          state.mask];
}

struct tcp_node *tcp_find(const struct tcp_key *key)
{
    struct tcp_node *node = *bucket(key);

    while (node && memcmp(&node->key, key, sizeof(*key)))
        node = node->next;
    return node;
}

static void hash(struct tcp_node *node, const struct tcp_key *key)
{
    struct tcp_node **link = bucket(key);

    node->key = *key;
    node->next = *link;
    node->hashed = true;
    *link = node;
}

static void unhash(struct tcp_node *node)
{
    struct tcp_node **link = bucket(&node->key);

    if (!node->hashed)
        return;
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    node->hashed = false;
}

/* ---- Whole connections ---- */

struct tcb *tcb_take(const struct tcp_key *key)
{
    struct list *node;
    struct tcb *tcb;

    if (list_empty(&state.free) && !list_empty(&state.orphans)) {
        tcb = ELEMENT(state.orphans.next, struct tcb);
        tcb_enter(tcb);
        tcb_kill(tcb, ERR_TIMEOUT);
        tcb_leave(tcb);
    }
    node = list_take_first(&state.free);
    if (!node)
        return NULL;
    state.tcbs_free--;
    tcb = ELEMENT(node, struct tcb);
    memset(tcb, 0, sizeof(*tcb));
    list_init(&tcb->link);
    list_init(&tcb->flush);
    list_init(&tcb->sending);
    list_init(&tcb->received);
    list_init(&tcb->early);
    tcp_timers_init(tcb);
    tcb->node.kind = TCP_KIND_FULL;
    hash(&tcb->node, key);
    return tcb;
}

void tcb_unhash(struct tcb *tcb)
{
    unhash(&tcb->node);
}

void tcb_free(struct tcb *tcb)
{
    ASSERT(!tcb->node.hashed);
    list_remove(&tcb->link);
    list_append(&state.free, &tcb->link);
    state.tcbs_free++;
}

unsigned tcb_free_count(void)
{
    return state.tcbs_free + !list_empty(&state.orphans);
}

struct tcb *tcb_at(unsigned index)
{
    return index < state.capacity ? &state.tcbs[index] : NULL;
}

void tcb_orphan(struct tcb *tcb)
{
    list_remove(&tcb->link);
    list_append(&state.orphans, &tcb->link);
}

/* ---- Half-open ones ---- */

struct tcp_half_open *tcp_half_open_take(const struct tcp_key *key)
{
    struct tcp_half_open *half;

    if (list_empty(&state.half_open_free))
        return NULL;
    half =
        ELEMENT(list_take_first(&state.half_open_free), struct tcp_half_open);
    memset(half, 0, sizeof(*half));
    list_init(&half->link);
    list_append(&state.half_open, &half->link);
    state.half_open_count++;
    half->node.kind = TCP_KIND_HALF_OPEN;
    half->node.state = TCP_SYN_RECEIVED;
    hash(&half->node, key);
    return half;
}

void tcp_half_open_free(struct tcp_half_open *half)
{
    timer_stop(&half->timer);
    unhash(&half->node);
    list_remove(&half->link);
    list_append(&state.half_open_free, &half->link);
    state.half_open_count--;
}

bool tcp_half_open_crowded(void)
{
    return state.half_open_count > HALF_OPEN_MAX / 2;
}

/* ---- TIME-WAIT ---- */

void tcp_time_wait_free(struct tcp_time_wait *wait)
{
    unhash(&wait->node);
    list_remove(&wait->link);
    list_append(&state.time_wait_free, &wait->link);
}

static void time_wait_expired(struct timer *timer)
{
    uint64_t now = timer_now_ms();

    while (!list_empty(&state.time_wait)) {
        struct tcp_time_wait *wait =
            ELEMENT(state.time_wait.next, struct tcp_time_wait);

        if (wait->expires_ms > now) {
            timer_start(timer, wait->expires_ms - now);
            return;
        }
        tcp_time_wait_free(wait);
    }
}

void tcp_time_wait_restart(struct tcp_time_wait *wait)
{
    wait->expires_ms = timer_now_ms() + TCP_2MSL_MS;
    list_remove(&wait->link);
    list_append(&state.time_wait, &wait->link);
    if (!timer_running(&state.time_wait_timer))
        timer_start(&state.time_wait_timer, TCP_2MSL_MS);
}

void tcp_time_wait_add(const struct tcp_key *key, uint32_t send_next,
                       uint32_t receive_next)
{
    struct tcp_time_wait *wait;

    if (list_empty(&state.time_wait_free))
        tcp_time_wait_free(ELEMENT(state.time_wait.next, struct tcp_time_wait));
    wait =
        ELEMENT(list_take_first(&state.time_wait_free), struct tcp_time_wait);
    memset(wait, 0, sizeof(*wait));
    list_init(&wait->link);
    wait->node.kind = TCP_KIND_TIME_WAIT;
    wait->node.state = TCP_TIME_WAIT;
    wait->send_next = send_next;
    wait->receive_next = receive_next;
    hash(&wait->node, key);
    tcp_time_wait_restart(wait);
}

void tcp_table_clear(void)
{
    while (!list_empty(&state.half_open))
        tcp_half_open_free(ELEMENT(state.half_open.next, struct tcp_half_open));
    while (!list_empty(&state.time_wait))
        tcp_time_wait_free(ELEMENT(state.time_wait.next, struct tcp_time_wait));
}

static enum err take_memory(unsigned connections)
{
    struct tcp_half_open *half_open =
        memory_take("tcp half-open", HALF_OPEN_MAX * sizeof(*half_open), 64);
    struct tcp_time_wait *time_wait =
        memory_take("tcp time-wait", 2 * connections * sizeof(*time_wait), 64);
    size_t buckets = 1024;

    while (buckets < 4 * (size_t)connections)
        buckets *= 2;
    state.mask = (uint32_t)buckets - 1;
    state.buckets =
        memory_take("tcp hash", buckets * sizeof(*state.buckets), 64);
    state.tcbs = memory_take("tcp", connections * sizeof(*state.tcbs), 64);
    if (!half_open || !time_wait || !state.buckets || !state.tcbs)
        return ERR_MEMORY;
    for (unsigned i = 0; i < HALF_OPEN_MAX; i++) {
        timer_init(&half_open[i].timer, NULL);
        list_append(&state.half_open_free, &half_open[i].link);
    }
    for (unsigned i = 0; i < 2 * connections; i++)
        list_append(&state.time_wait_free, &time_wait[i].link);
    for (unsigned i = 0; i < connections; i++)
        list_append(&state.free, &state.tcbs[i].link);
    return OK;
}

enum err tcp_table_init(unsigned connections)
{
    memset(&state, 0, sizeof(state));
    random_bytes(state.key, sizeof(state.key));
    list_init(&state.free);
    list_init(&state.orphans);
    list_init(&state.half_open_free);
    list_init(&state.half_open);
    list_init(&state.time_wait_free);
    list_init(&state.time_wait);
    timer_init(&state.time_wait_timer, time_wait_expired);
    state.capacity = connections;
    state.tcbs_free = connections;
    return take_memory(connections);
}
