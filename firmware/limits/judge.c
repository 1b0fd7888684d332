/* Judgements: see judge.h.
 *
 *   JUDGE_PEER   the store tells whether the client has sent before
 *   JUDGE_LIST   one block list after the other is asked
 *   JUDGE_OVER   done() comes from the timer
 *
 * A judgement that takes too long ends with what is known by then: no failure
 * of a resolver or a list ever keeps mail away. A list that answers
 * 127.255.255.x means its asker, not the client. */
#include "limits/judge.h"
#include "core/check.h"
#include "core/list.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/timer.h"
#include "net/dns.h"
#include "store/st_peer.h"
#include <stdio.h>
#include <string.h>

#define JUDGE_MS  8000
#define ZONES_MAX 8

enum judge_state { JUDGE_FREE, JUDGE_PEER, JUDGE_LIST, JUDGE_OVER };

struct limits_judgement {
    struct list link; /* while it is free */
    enum judge_state state;
    bool in_store; /* the store has its request */
    struct net_address address;
    struct st_peer peer;
    struct dns_lookup lookup;
    struct timer timer;
    struct limits_verdict verdict;
    void (*done)(void *context, const struct limits_verdict *verdict);
    void *context;
};

static struct {
    struct list free;
    unsigned places; /* 0: nobody has called limits_judge_init() */
} state;

/* ---- Peers --------------------------------------------------------------- */

/* "192.0.2.0/24 example.org": the network, and the sender's domain in lower
 * case. Senders without domain are told apart by their network alone. */
static void format_peer(const struct net_address *address, const char *sender,
                        char peer[ST_PEER_BYTES])
{
    struct net_address net = *address;
    const char *at = strrchr(sender, '@');
    char text[NET_ADDRESS_TEXT];
    bool v4 = net_address_is_v4(address);

    memset(net.bytes + (v4 ? 15 : 7), 0, v4 ? 1 : 9);
    (void)snprintf(peer, ST_PEER_BYTES, "%s/%d %s",
                   net_address_format(&net, text), v4 ? 24 : 56,
                   at != NULL ? at + 1 : "");
    for (char *p = peer; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + ('a' - 'A'));
}

void limits_friend(const struct limits_session *session, const char *sender)
{
    char peer[ST_PEER_BYTES];

    if (!limits_applies(session) ||
        limits_setting(LIMIT_SLOW_STRANGERS_MS) == 0)
        return;
    format_peer(&session->address, sender, peer);
    st_peer_note(peer);
}

/* ---- Block lists --------------------------------------------------------- */

/* "4.3.2.1." of "4.3.2.1.in-addr.arpa", and likewise for IPv6 (RFC 5782 2.1 and
 * 2.4), in front of the zone. */
static bool format_question(const struct net_address *address, const char *zone,
                            char question[DNS_NAME_BYTES])
{
    char reverse[DNS_NAME_BYTES];
    char *arpa;
    int len;

    (void)dns_reverse_name(address, reverse);
    arpa = strstr(reverse, "in-addr.arpa");
    if (arpa == NULL)
        arpa = strstr(reverse, "ip6.arpa");
    if (arpa == NULL)
        return false;
    len = snprintf(question, DNS_NAME_BYTES, "%.*s%s", (int)(arpa - reverse),
                   reverse, zone);
    return len > 0 && len < DNS_NAME_BYTES;
}

static void finish_soon(struct limits_judgement *judgement)
{
    judgement->state = JUDGE_OVER;
    timer_start(&judgement->timer, 0);
}

char *limits_zone(uint8_t zone, char *name)
{
    const char *at = st_setting("dnsbl");
    size_t len = 0;

    for (unsigned i = 0; i < zone; i++) {
        at += len;
        at += strspn(at, " ");
        len = strcspn(at, " ");
    }
    (void)snprintf(name, LIMITS_ZONE_BYTES, "%.*s", (int)len, at);
    return name;
}

/* Asks the next list; false when there are no more. */
static bool ask_list(struct limits_judgement *judgement)
{
    struct limits_verdict *verdict = &judgement->verdict;
    char question[DNS_NAME_BYTES];

    while (verdict->zone < ZONES_MAX) {
        if (limits_zone(++verdict->zone, verdict->name)[0] == '\0')
            return false;
        if (!format_question(&judgement->address, verdict->name, question))
            continue;
        judgement->state = JUDGE_LIST;
        dns_lookup(&judgement->lookup, question, DNS_A);
        return true;
    }
    return false;
}

/* RFC 5782 2.1: listed is who has an address in 127.0.0.0/8; there, lists use
 * 127.255.255.0/24 to say that the question was not welcome. */
static bool says_listed(const struct dns_lookup *lookup)
{
    if (lookup->status != DNS_OK)
        return false;
    for (unsigned i = 0; i < lookup->count; i++) {
        uint32_t answer;

        if (!net_address_is_v4(&lookup->answers[i].address))
            continue;
        answer = net_address_to_v4(&lookup->answers[i].address);
        if (answer >> 24 == 127 && answer >> 8 != 0x7fffff &&
            answer != 0x7f000001)
            return true;
    }
    return false;
}

static void list_answered(struct dns_lookup *lookup)
{
    struct limits_judgement *judgement = lookup->context;

    if (says_listed(lookup)) {
        judgement->verdict.listed = true;
        judgement->verdict.refuse = strcmp(st_setting("dnsbl_action"), "mark");
        limits_figures()->listed++;
        finish_soon(judgement);
    } else if (!ask_list(judgement)) {
        finish_soon(judgement);
    }
}

/* ---- The course of a judgement ------------------------------------------- */

static void peer_found(struct st_request *request)
{
    struct limits_judgement *judgement = request->context;

    judgement->in_store = false;
    if (judgement->state == JUDGE_FREE) {
        /* Forgotten meanwhile. */
        list_append(&state.free, &judgement->link);
        return;
    }
    if (judgement->state == JUDGE_OVER)
        return;
    if (request->result == OK && !judgement->peer.known) {
        judgement->verdict.delay_ms =
            (uint32_t)limits_setting(LIMIT_SLOW_STRANGERS_MS);
        limits_figures()->strangers++;
    }
    if (!ask_list(judgement))
        finish_soon(judgement);
}

static void give_back(struct limits_judgement *judgement)
{
    timer_stop(&judgement->timer);
    if (judgement->state == JUDGE_LIST)
        dns_cancel(&judgement->lookup);
    judgement->state = JUDGE_FREE;
    if (judgement->in_store && st_cancel(&judgement->peer.request))
        judgement->in_store = false;
    if (!judgement->in_store)
        list_append(&state.free, &judgement->link);
}

/* Over, or it has taken too long. */
static void decide(struct timer *timer)
{
    struct limits_judgement *judgement =
        LIST_ELEMENT(timer, struct limits_judgement, timer);
    const struct limits_verdict verdict = judgement->verdict;
    void (*done)(void *, const struct limits_verdict *) = judgement->done;
    void *context = judgement->context;

    give_back(judgement);
    done(context, &verdict);
}

void limits_judge_forget(struct limits_judgement *judgement)
{
    ASSERT(judgement->state != JUDGE_FREE);
    give_back(judgement);
}

static bool begin(struct limits_judgement *judgement, const char *sender)
{
    if (limits_setting(LIMIT_SLOW_STRANGERS_MS) == 0)
        return ask_list(judgement);
    format_peer(&judgement->address, sender, judgement->peer.peer);
    judgement->state = JUDGE_PEER;
    judgement->in_store = true;
    judgement->peer.request.done = peer_found;
    judgement->peer.request.context = judgement;
    st_peer_find(&judgement->peer);
    return true;
}

struct limits_judgement *
limits_judge(const struct limits_session *session, const char *sender,
             void (*done)(void *context, const struct limits_verdict *verdict),
             void *context)
{
    struct limits_judgement *judgement;

    if (!limits_applies(session) || state.places == 0 ||
        list_empty(&state.free))
        return NULL;
    judgement = LIST_ELEMENT(list_take_first(&state.free),
                             struct limits_judgement, link);
    judgement->address = session->address;
    judgement->done = done;
    judgement->context = context;
    judgement->in_store = false;
    memset(&judgement->verdict, 0, sizeof(judgement->verdict));
    judgement->lookup.done = list_answered;
    judgement->lookup.context = judgement;
    if (!begin(judgement, sender)) {
        judgement->state = JUDGE_FREE;
        list_append(&state.free, &judgement->link);
        return NULL;
    }
    timer_start(&judgement->timer, JUDGE_MS);
    return judgement;
}

enum err limits_judge_init(unsigned places)
{
    struct limits_judgement *all =
        memory_take("limits", places * sizeof(*all), 64);

    list_init(&state.free);
    if (all == NULL)
        return ERR_MEMORY;
    state.places = places;
    for (unsigned i = 0; i < places; i++) {
        list_init(&all[i].link);
        timer_init(&all[i].timer, decide);
        list_append(&state.free, &all[i].link);
    }
    return OK;
}
