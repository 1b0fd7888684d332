/* Queries: questions that are being asked of the name servers, as a table:
 * state x event -> action.
 *
 *   ASKING --truncated--> STREAMING, or QUEUED while no connection is free
 *     ^                      |
 *     +------ failed --------+        an answer ends it from anywhere
 *
 * Against forged answers (RFC 5452): each server that is asked for a question
 * is asked from a socket of its own, with a port and an id by chance, and the
 * letters of the name are large or small by chance; address, port, id, question
 * and the case of its letters must come back. A server that does not keep the
 * case, and a question that draws wrong answers, are asked by TCP. Where the
 * case was lost and no server can tell by TCP either, as with some routers, the
 * name is asked for in small letters, for a while at once.
 *
 * Times: 1 s for each server, then 2, 4 and 8 s, with a bit of chance, 20 s in
 * all. A late answer counts as long as the query lasts. An answer that says
 * that the server cannot tell lets the next one be asked at once.
 *
 * Bounds: QUERIES at a time, each with a socket per server. */
#include "core/memory.h"
#include "core/random.h"
#include "core/timer.h"
#include "net/dns_internal.h"
#include "net/udp.h"
#include <string.h>

#define QUERIES       64
#define DEADLINE_MS   20000
#define FIRST_WAIT_MS 1000
#define DOUBLINGS     3
#define JITTER_MS     200
#define NO_SERVER_MS  500
#define TCP_MS        6000
#define STRANGE_TIMES 16 /* wrong answers to one attempt */

enum query_state { FREE, ASKING, QUEUED, STREAMING, STATES };

enum query_event {
    EVENT_TIMER,
    EVENT_SLOT, /* a TCP connection may be free */
    EVENT_ANSWER,
    EVENT_ALIAS,
    EVENT_NEEDS_TCP,
    EVENT_NO_EDNS,
    EVENT_FAILED, /* the server cannot tell */
    EVENTS,
};

/* One server that was asked. */
struct attempt {
    struct udp_socket socket; /* first: found by it */
    struct dns_query *query;
    uint16_t id;
    uint16_t strange;
    bool open, edns;
};

struct dns_query {
    struct list waiters; /* lookups */
    struct timer timer;
    enum query_state state;
    struct dns_question question; /* the cache's */
    struct dns_asked asked;       /* the one on the wire now */
    struct attempt attempts[DNS_SERVERS];
    unsigned server; /* asked last; DNS_SERVERS: none */
    unsigned failed; /* bit set of servers that cannot tell */
    unsigned tries;
    bool case_lost; /* an answer was right but for that */
    bool plain;     /* in small letters */
    uint64_t deadline_ms;
    struct dns_tcp *tcp;
};

static struct {
    struct dns_query *queries;
    struct timer slot_timer;
    struct dns_result result; /* the message being read */
    struct dns_figures figures;
} state;

static void happen(struct dns_query *query, enum query_event event,
                   unsigned server);

struct dns_figures *dns_counters(void)
{
    return &state.figures;
}

/* ---- Beginning and end ---- */

static void close_attempts(struct dns_query *query)
{
    for (unsigned i = 0; i < DNS_SERVERS; i++) {
        if (query->attempts[i].open)
            udp_close(&query->attempts[i].socket);
        query->attempts[i].open = false;
    }
    if (query->tcp)
        dns_tcp_drop(query->tcp);
    query->tcp = NULL;
}

static void finish(struct dns_query *query, const struct dns_result *result)
{
    close_attempts(query);
    timer_stop(&query->timer);
    query->state = FREE;
    dns_tell(&query->waiters, result);
}

/* Without a server there is nothing to remember: the network may come soon. */
static void give_up(struct dns_query *query)
{
    static struct dns_result failed;

    failed.status = DNS_FAILED;
    if (dns_servers_count())
        dns_cache_put_failure(&query->question);
    finish(query, &failed);
}

/* From the first server on, with a question on which no answer to an earlier
 * one fits. */
static void begin(struct dns_query *query)
{
    close_attempts(query);
    dns_name_lower(&query->asked.question.name);
    if (!query->plain)
        dns_name_shake(&query->asked.question.name);
    query->state = ASKING;
    query->server = DNS_SERVERS;
    query->failed = 0;
    query->tries = 0;
}

/* ---- Asking by UDP ---- */

static void received(struct udp_socket *socket, const struct net_endpoint *from,
                     const uint8_t *data, size_t len);

static bool open_attempt(struct dns_query *query, unsigned server)
{
    struct attempt *attempt = &query->attempts[server];

    if (attempt->open)
        return true;
    attempt->socket.port = 0;
    attempt->socket.received = received;
    if (udp_open(&attempt->socket) != OK)
        return false;
    attempt->open = true;
    attempt->query = query;
    attempt->strange = 0;
    attempt->id = (uint16_t)random_u32();
    attempt->edns = dns_server_edns(server);
    return true;
}

/* Sets up query->asked for one server. */
static void address_to(struct dns_query *query, unsigned server, bool tcp)
{
    query->asked.id = query->attempts[server].id;
    query->asked.edns = query->attempts[server].edns;
    query->asked.tcp = tcp;
}

/* Returns false when the server cannot be reached from here. */
static bool send_question(struct dns_query *query, unsigned server)
{
    struct net_endpoint to = {.address = *dns_server_address(server),
                              .port = DNS_PORT};
    uint8_t message[DNS_QUERY_BYTES];
    enum err result;

    if (!open_attempt(query, server))
        return false;
    address_to(query, server, false);
    result = udp_send(&query->attempts[server].socket, &to, message,
                      dns_message_build(message, &query->asked));
    state.figures.sent++;
    return result == OK || result == ERR_MEMORY;
}

/* Never beyond the deadline. */
static void wait(struct dns_query *query, uint64_t ms)
{
    uint64_t now_ms = timer_now_ms();
    uint64_t left_ms =
        query->deadline_ms > now_ms ? query->deadline_ms - now_ms : 0;

    timer_start(&query->timer, ms < left_ms ? ms : left_ms);
}

static void ask_next(struct dns_query *query)
{
    unsigned count = dns_servers_count(), round;

    if (!count) {
        wait(query, NO_SERVER_MS);
        return;
    }
    do {
        query->server = dns_server_next(query->server, query->failed);
        if (query->server == DNS_SERVERS) {
            if (query->plain || !query->case_lost) {
                give_up(query);
                return;
            }
            query->plain = true;
            begin(query);
            continue;
        }
        if (send_question(query, query->server))
            break;
        query->failed |= 1U << query->server;
    } while (true);
    round = query->tries++ / count;
    if (round > DOUBLINGS)
        round = DOUBLINGS;
    wait(query, ((uint64_t)FIRST_WAIT_MS << round) + random_below(JITTER_MS));
}

/* ---- Asking by TCP ---- */

static void connect_tcp(struct dns_query *query)
{
    uint8_t message[DNS_QUERY_BYTES];
    bool busy;

    address_to(query, query->server, true);
    query->tcp = dns_tcp_ask(query, dns_server_address(query->server), message,
                             dns_message_build(message, &query->asked), &busy);
    if (query->tcp) {
        state.figures.tcp++;
        query->state = STREAMING;
        wait(query, TCP_MS);
    } else if (!busy) {
        happen(query, EVENT_FAILED, query->server);
    }
}

/* ---- Actions ---- */

static void do_nothing(struct dns_query *query, unsigned server)
{
    (void)query;
    (void)server;
}

static void do_ask_again(struct dns_query *query, unsigned server)
{
    (void)server;
    if (query->server != DNS_SERVERS) {
        state.figures.timeouts++;
        dns_server_silent(query->server);
    }
    if (timer_now_ms() >= query->deadline_ms)
        give_up(query);
    else
        ask_next(query);
}

static void do_answer(struct dns_query *query, unsigned server)
{
    if (query->plain && query->case_lost)
        dns_server_loses_case(server);
    dns_cache_put(&query->question, &state.result);
    finish(query, &state.result);
}

static void do_alias(struct dns_query *query, unsigned server)
{
    (void)server;
    query->asked.question.name = query->asked.next;
    begin(query);
    ask_next(query);
}

/* The server asked last gives way to the next; of another one it is noted. */
static void do_failed(struct dns_query *query, unsigned server)
{
    query->failed |= 1U << server;
    if (server == query->server)
        ask_next(query);
}

static void do_without_edns(struct dns_query *query, unsigned server)
{
    dns_server_no_edns(server);
    query->attempts[server].edns = false;
    query->attempts[server].id = (uint16_t)random_u32();
    if (!send_question(query, server))
        do_failed(query, server);
}

static void do_want_tcp(struct dns_query *query, unsigned server)
{
    query->server = server;
    query->state = QUEUED;
    wait(query, TCP_MS);
    connect_tcp(query);
}

static void do_connect(struct dns_query *query, unsigned server)
{
    (void)server;
    connect_tcp(query);
}

/* No connection, or no answer by it: the server counts as one that cannot. */
static void do_leave_tcp(struct dns_query *query, unsigned server)
{
    if (server != query->server) {
        query->failed |= 1U << server;
        return;
    }
    if (query->tcp)
        dns_tcp_drop(query->tcp);
    query->tcp = NULL;
    query->state = ASKING;
    query->failed |= 1U << server;
    if (timer_now_ms() >= query->deadline_ms)
        give_up(query);
    else
        ask_next(query);
}

/* clang-format off */
static void (*const table[STATES][EVENTS])(struct dns_query *query,
                                           unsigned server) = {
    [FREE] = {
        [EVENT_TIMER] = do_nothing,      [EVENT_SLOT] = do_nothing,
        [EVENT_ANSWER] = do_nothing,     [EVENT_ALIAS] = do_nothing,
        [EVENT_NEEDS_TCP] = do_nothing,  [EVENT_NO_EDNS] = do_nothing,
        [EVENT_FAILED] = do_nothing },
    [ASKING] = {
        [EVENT_TIMER] = do_ask_again,    [EVENT_SLOT] = do_nothing,
        [EVENT_ANSWER] = do_answer,      [EVENT_ALIAS] = do_alias,
        [EVENT_NEEDS_TCP] = do_want_tcp, [EVENT_NO_EDNS] = do_without_edns,
        [EVENT_FAILED] = do_failed },
    [QUEUED] = {
        [EVENT_TIMER] = do_leave_tcp,    [EVENT_SLOT] = do_connect,
        [EVENT_ANSWER] = do_answer,      [EVENT_ALIAS] = do_alias,
        [EVENT_NEEDS_TCP] = do_nothing,  [EVENT_NO_EDNS] = do_nothing,
        [EVENT_FAILED] = do_leave_tcp },
    [STREAMING] = {
        [EVENT_TIMER] = do_leave_tcp,    [EVENT_SLOT] = do_nothing,
        [EVENT_ANSWER] = do_answer,      [EVENT_ALIAS] = do_alias,
        [EVENT_NEEDS_TCP] = do_nothing,  [EVENT_NO_EDNS] = do_nothing,
        [EVENT_FAILED] = do_leave_tcp },
};
/* clang-format on */

static void happen(struct dns_query *query, enum query_event event,
                   unsigned server)
{
    table[query->state][event](query, server);
}

/* ---- Events ---- */

void dns_query_look_at_servers(void)
{
    if (!dns_servers_refresh())
        return;
    dns_cache_clear();
    for (unsigned i = 0; i < QUERIES; i++) {
        struct dns_query *query = &state.queries[i];

        if (query->state == FREE)
            continue;
        query->plain = query->case_lost = false;
        begin(query);
        timer_start(&query->timer, 0);
    }
}

static void timer_expired(struct timer *timer)
{
    struct dns_query *query = LIST_ELEMENT(timer, struct dns_query, timer);

    dns_query_look_at_servers();
    if (!timer_running(timer))
        happen(query, EVENT_TIMER, query->server);
}

static void slot_expired(struct timer *timer)
{
    (void)timer;
    for (unsigned i = 0; i < QUERIES; i++)
        happen(&state.queries[i], EVENT_SLOT, 0);
}

void dns_query_tcp_free(void)
{
    timer_start(&state.slot_timer, 0);
}

static const enum query_event events[] = {
    [DNS_READ_ANSWER] = EVENT_ANSWER,       [DNS_READ_ALIAS] = EVENT_ALIAS,
    [DNS_READ_TRUNCATED] = EVENT_NEEDS_TCP, [DNS_READ_CASE] = EVENT_NEEDS_TCP,
    [DNS_READ_NO_EDNS] = EVENT_NO_EDNS,     [DNS_READ_FAILED] = EVENT_FAILED,
    [DNS_READ_STRANGE] = EVENT_FAILED,
};

static void received(struct udp_socket *socket, const struct net_endpoint *from,
                     const uint8_t *data, size_t len)
{
    struct attempt *attempt = (struct attempt *)(void *)socket;
    struct dns_query *query = attempt->query;
    unsigned server = (unsigned)(attempt - query->attempts);
    enum dns_reading reading = DNS_READ_STRANGE;

    if (from->port == DNS_PORT &&
        net_address_equal(&from->address, dns_server_address(server))) {
        address_to(query, server, false);
        reading = dns_message_read(data, len, &query->asked, &state.result);
    }
    if (reading == DNS_READ_CASE) {
        query->case_lost = true;
        state.figures.spoofed++;
    }
    if (reading == DNS_READ_STRANGE) {
        state.figures.spoofed++;
        if (++attempt->strange == STRANGE_TIMES)
            happen(query, EVENT_NEEDS_TCP, server);
        return;
    }
    state.figures.answers++;
    dns_server_answered(server);
    happen(query, events[reading], server);
}

void dns_query_tcp_message(struct dns_query *query, const uint8_t *message,
                           size_t bytes)
{
    enum dns_reading reading = DNS_READ_FAILED;
    unsigned server = query->server;

    query->tcp = NULL;
    if (message) {
        address_to(query, server, true);
        reading =
            dns_message_read(message, bytes, &query->asked, &state.result);
        state.figures.answers++;
    }
    if (reading == DNS_READ_ANSWER || reading == DNS_READ_ALIAS)
        happen(query, events[reading], server);
    else
        happen(query, EVENT_FAILED, server);
}

/* ---- For dns.c ---- */

static struct dns_query *find_same(const struct dns_question *question)
{
    for (unsigned i = 0; i < QUERIES; i++) {
        struct dns_query *query = &state.queries[i];

        if (query->state != FREE && query->question.type == question->type &&
            dns_name_equal(&query->question.name, &question->name))
            return query;
    }
    return NULL;
}

bool dns_query_add(const struct dns_question *question,
                   struct dns_lookup *lookup)
{
    struct dns_query *query = find_same(question);
    unsigned i = 0;

    if (query) {
        list_append(&query->waiters, &lookup->link);
        return true;
    }
    while (i < QUERIES && state.queries[i].state != FREE)
        i++;
    if (i == QUERIES)
        return false;
    query = &state.queries[i];
    query->question = *question;
    query->asked.question = *question;
    query->asked.aliases = 0;
    query->asked.ttl_s = DNS_TTL_MAX_S;
    query->plain = dns_servers_lose_case();
    query->case_lost = false;
    query->deadline_ms = timer_now_ms() + DEADLINE_MS;
    list_append(&query->waiters, &lookup->link);
    begin(query);
    ask_next(query);
    return true;
}

enum err dns_query_init(void)
{
    memset(&state, 0, sizeof(state));
    state.queries = memory_take("DNS", QUERIES * sizeof(*state.queries), 16);
    if (!state.queries)
        return ERR_MEMORY;
    timer_init(&state.slot_timer, slot_expired);
    for (unsigned i = 0; i < QUERIES; i++) {
        list_init(&state.queries[i].waiters);
        timer_init(&state.queries[i].timer, timer_expired);
    }
    return OK;
}
