/* DNS resolver: lookups. A stub resolver in the sense of RFC 1034 5.3.1: it
 * asks recursive name servers, follows what they leave open of a chain of
 * CNAMEs, and remembers.
 *
 *   dns.c          lookups: checks the name, cache, waiting, telling
 *   dns_query.c    one question to several servers until one answers
 *   dns_tcp.c      the same by TCP        dns_server.c   who is asked
 *   dns_message.c  queries and answers    dns_name.c     names
 *   dns_cache.c    what was answered
 *
 * A lookup is answered from the cache, or joins the query for the same question
 * if there is one, or begins a query, or waits until one is free. However it is
 * answered, its done() comes later, from the timer of this file.
 *
 * Not supported: DNSSEC validation, DNS cookies, iteration from the root,
 * search lists (a name is always a whole one), names of other networks (.local
 * of RFC 6762 is asked like any other), answers above 16 records or 16 KiB. */
#include "net/dns.h"
#include "core/random.h"
#include "core/timer.h"
#include "net/dns_internal.h"
#include <string.h>

#define WAITING_MAX 1024 /* lookups without an answer, all together */

static struct {
    struct list waiting; /* for a query */
    struct list told;    /* done() is due */
    struct timer timer;
    struct dns_result result; /* from the cache */
    struct dns_answer swapped;
    unsigned open; /* lookups whose done() was not called */
} state;

/* Names that exist nowhere in the DNS (RFC 6761, RFC 7686). */
static bool is_special(const struct dns_name *name)
{
    static const struct dns_name nowhere[] = {
        {"\11localhost", 11},
        {"\7invalid", 9},
        {"\5onion", 7},
    };

    for (unsigned i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
        if (dns_name_within(name, &nowhere[i]))
            return true;
    }
    return false;
}

/* ---- Answering ---- */

static void swap(struct dns_answer *a, struct dns_answer *b)
{
    state.swapped = *a;
    *a = *b;
    *b = state.swapped;
}

/* By chance first, then by preference: equals stay shuffled (RFC 5321 5.1).
 * Addresses are shuffled likewise, so that load is spread. */
static void arrange(struct dns_lookup *lookup)
{
    if (lookup->type == DNS_TXT)
        return;
    for (unsigned i = lookup->count; i > 1; i--) {
        unsigned other = random_below(i);

        if (other != i - 1)
            swap(&lookup->answers[i - 1], &lookup->answers[other]);
    }
    for (unsigned i = 1; i < lookup->count; i++) {
        for (unsigned j = i; j > 0 && lookup->answers[j].preference <
                                          lookup->answers[j - 1].preference;
             j--)
            swap(&lookup->answers[j], &lookup->answers[j - 1]);
    }
}

static void tell(struct dns_lookup *lookup, enum dns_status status)
{
    lookup->status = status;
    list_append(&state.told, &lookup->link);
    timer_start(&state.timer, 0);
}

static void tell_result(struct dns_lookup *lookup,
                        const struct dns_result *result)
{
    lookup->cname = result->cname;
    lookup->count = result->count;
    memcpy(lookup->answers, result->answers,
           result->count * sizeof(*lookup->answers));
    for (unsigned i = 0; i < lookup->count; i++)
        lookup->answers[i].ttl_s = result->ttl_s;
    arrange(lookup);
    tell(lookup, result->status);
}

void dns_tell(struct list *waiters, const struct dns_result *result)
{
    struct list *node;

    while ((node = list_take_first(waiters)) != NULL)
        tell_result(LIST_ELEMENT(node, struct dns_lookup, link), result);
    timer_start(&state.timer, 0); /* for those who wait for a query */
}

/* An address needs no DNS; it has nothing but itself. */
static void tell_literal(struct dns_lookup *lookup,
                         const struct net_address *address)
{
    enum dns_type kind = net_address_is_v4(address) ? DNS_A : DNS_AAAA;

    if (lookup->type != kind) {
        tell(lookup, DNS_NO_DATA);
        return;
    }
    memset(&lookup->answers[0], 0, sizeof(lookup->answers[0]));
    lookup->answers[0].address = *address;
    lookup->answers[0].ttl_s = DNS_TTL_MAX_S;
    lookup->count = 1;
    tell(lookup, DNS_OK);
}

/* ---- Asking ---- */

/* Returns false when no query is free. */
static bool ask(struct dns_lookup *lookup, const struct dns_question *question)
{
    dns_query_look_at_servers();
    if (dns_cache_find(question, &state.result)) {
        dns_counters()->cached++;
        tell_result(lookup, &state.result);
        return true;
    }
    return dns_query_add(question, lookup);
}

static bool question_of(const struct dns_lookup *lookup,
                        struct dns_question *question)
{
    question->type = lookup->type;
    return dns_name_parse(lookup->name, &question->name);
}

void dns_lookup(struct dns_lookup *lookup, const char *name, enum dns_type type)
{
    struct dns_question question;
    struct net_address address;
    size_t len = strnlen(name, DNS_NAME_BYTES);

    dns_counters()->questions++;
    state.open++;
    list_init(&lookup->link);
    lookup->type = type;
    lookup->cname = false;
    lookup->count = 0;
    if (len == DNS_NAME_BYTES)
        len = 0;
    memmove(lookup->name, name, len);
    lookup->name[len] = '\0';
    if (net_address_parse(lookup->name, &address) == OK)
        tell_literal(lookup, &address);
    else if (!question_of(lookup, &question))
        tell(lookup, DNS_BAD_NAME);
    else if (is_special(&question.name))
        tell(lookup, DNS_NO_NAME);
    else if (state.open > WAITING_MAX)
        tell(lookup, DNS_FAILED);
    else if (!list_empty(&state.waiting) || !ask(lookup, &question))
        list_append(&state.waiting, &lookup->link);
}

void dns_cancel(struct dns_lookup *lookup)
{
    if (!lookup->link.next || list_empty(&lookup->link))
        return;
    list_remove(&lookup->link);
    state.open--;
}

/* Calls done() of those that are told by now, each of which may ask again or
 * cancel another; then lets those in that wait for a query. */
static void timer_expired(struct timer *timer)
{
    struct dns_question question;
    struct list *node, now;

    (void)timer;
    list_init(&now);
    list_insert(state.told.next, &now);
    list_remove(&state.told);
    while ((node = list_take_first(&now)) != NULL) {
        struct dns_lookup *lookup = LIST_ELEMENT(node, struct dns_lookup, link);

        state.open--;
        lookup->done(lookup);
    }
    while ((node = list_take_first(&state.waiting)) != NULL) {
        struct dns_lookup *lookup = LIST_ELEMENT(node, struct dns_lookup, link);

        if (question_of(lookup, &question) && ask(lookup, &question))
            continue;
        list_insert(state.waiting.next, node);
        break;
    }
}

void dns_figures(struct dns_figures *figures)
{
    *figures = *dns_counters();
    figures->entries = dns_cache_entries();
    figures->waiting = state.open;
}

enum err dns_module_init(void)
{
    memset(&state, 0, sizeof(state));
    list_init(&state.waiting);
    list_init(&state.told);
    timer_init(&state.timer, timer_expired);
    dns_servers_init();
    if (dns_query_init() != OK || dns_tcp_init() != OK ||
        dns_cache_init() != OK)
        return ERR_MEMORY;
    return OK;
}
