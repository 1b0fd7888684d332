/* The name servers that the network's settings or DHCP name, up to three, and
 * what was found out about them: one that is silent again and again is asked
 * last for a while that doubles (RFC 1035 7.2), one that does not know EDNS is
 * asked without it (RFC 6891 6.2.2), and one that loses the case of names and
 * does not answer by TCP lets all be asked in small letters. They are asked in
 * the order in which they are given, because the first may know names that the
 * others do not. */
#include "core/log.h"
#include "core/timer.h"
#include "net/dns_internal.h"
#include "net/net.h"
#include <string.h>

#define SILENT_TIMES    3 /* before it is avoided */
#define AVOID_MS        5000
#define AVOID_DOUBLINGS 6
#define NO_EDNS_MS      600000
#define NO_CASE_MS      600000

struct server {
    struct net_address address;
    unsigned silent; /* times, one after the other */
    uint64_t avoid_until_ms;
    uint64_t no_edns_until_ms;
    uint64_t no_case_until_ms;
};

static struct {
    struct server servers[DNS_SERVERS];
    unsigned count;
} state;

static bool is_none(const struct net_address *address)
{
    static const struct net_address none;

    return net_address_equal(address, &none);
}

bool dns_servers_refresh(void)
{
    struct net_address now[DNS_SERVERS];
    struct net_status status;
    unsigned count = 0;
    bool same;

    net_status(&status);
    for (unsigned i = 0; i < DNS_SERVERS; i++) {
        if (!is_none(&status.dns[i]))
            now[count++] = status.dns[i];
    }
    same = count == state.count;
    for (unsigned i = 0; i < count && same; i++)
        same = net_address_equal(&now[i], &state.servers[i].address);
    if (same)
        return false;
    memset(&state, 0, sizeof(state));
    for (unsigned i = 0; i < count; i++)
        state.servers[i].address = now[i];
    state.count = count;
    return true;
}

unsigned dns_servers_count(void)
{
    return state.count;
}

const struct net_address *dns_server_address(unsigned server)
{
    return &state.servers[server].address;
}

unsigned dns_server_next(unsigned previous, unsigned without)
{
    unsigned best = DNS_SERVERS;
    uint64_t best_until_ms = UINT64_MAX, now_ms = timer_now_ms();

    for (unsigned i = 1; i <= state.count; i++) {
        unsigned server =
            (previous == DNS_SERVERS ? i - 1 : previous + i) % state.count;
        uint64_t until_ms = state.servers[server].avoid_until_ms;

        if (without >> server & 1)
            continue;
        if (until_ms <= now_ms)
            return server;
        if (until_ms < best_until_ms) {
            best = server;
            best_until_ms = until_ms;
        }
    }
    return best;
}

void dns_server_answered(unsigned server)
{
    state.servers[server].silent = 0;
    state.servers[server].avoid_until_ms = 0;
}

/* Many questions go unanswered at the same time: they count once. */
void dns_server_silent(unsigned server)
{
    struct server *s = &state.servers[server];
    uint64_t now_ms = timer_now_ms();
    char text[NET_ADDRESS_TEXT];
    unsigned doublings;

    if (now_ms < s->avoid_until_ms || ++s->silent < SILENT_TIMES)
        return;
    if (s->silent == SILENT_TIMES)
        log_warn("dns", "server %s does not answer",
                 net_address_format(&s->address, text));
    doublings = s->silent - SILENT_TIMES;
    if (doublings > AVOID_DOUBLINGS)
        doublings = AVOID_DOUBLINGS;
    s->avoid_until_ms = now_ms + ((uint64_t)AVOID_MS << doublings);
}

bool dns_server_edns(unsigned server)
{
    return timer_now_ms() >= state.servers[server].no_edns_until_ms;
}

void dns_server_no_edns(unsigned server)
{
    state.servers[server].no_edns_until_ms = timer_now_ms() + NO_EDNS_MS;
}

void dns_server_loses_case(unsigned server)
{
    state.servers[server].no_case_until_ms = timer_now_ms() + NO_CASE_MS;
}

bool dns_servers_lose_case(void)
{
    for (unsigned i = 0; i < state.count; i++) {
        if (timer_now_ms() < state.servers[i].no_case_until_ms)
            return true;
    }
    return false;
}

void dns_servers_init(void)
{
    memset(&state, 0, sizeof(state));
}
