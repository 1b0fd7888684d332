/* Where mail for a host goes: its MX in the order of preference (RFC 5321 5.1),
 * their addresses, one after the other until one takes the connection.
 *
 * Equals of one preference come shuffled from the resolver. A domain without MX
 * is its own. A host of a route, and an address literal, have no MX. Servers
 * that are this one, and those less preferred than it, are left out: to give
 * them the message would send it round in circles. */
#include "core/log.h"
#include "relay/relay_session.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void lookup_done(struct dns_lookup *lookup);

static void ask(struct relay_session *session, const char *name,
                enum dns_type type, enum relay_state state)
{
    relay_enter_state(session, state);
    session->looking = true;
    session->lookup.done = lookup_done;
    session->lookup.context = session;
    dns_lookup(&session->lookup, name, type);
}

/* No server is left. */
static void give_up(struct relay_session *session)
{
    char reply[STORE_REPLY_BYTES];

    if (session->reply[0] != '\0')
        (void)snprintf(reply, sizeof(reply), "%s", session->reply);
    else if (session->only_ipv6)
        (void)snprintf(reply, sizeof(reply),
                       "450 4.4.4 the servers of %.150s have IPv6 addresses "
                       "only, this one sends by IPv4",
                       session->host->name);
    else
        (void)snprintf(reply, sizeof(reply),
                       "450 4.4.4 no server of %.180s has an address",
                       session->host->name);
    relay_give_up(session, session->reply[0] && session->permanent, reply);
}

static void give_up_for(struct relay_session *session, bool permanent,
                        const char *reply)
{
    char text[STORE_REPLY_BYTES];

    (void)snprintf(text, sizeof(text), "%s: %.180s", reply,
                   session->host->name);
    relay_give_up(session, permanent, text);
}

/* ---- Servers and their addresses ----------------------------------------- */

static void try_server(struct relay_session *session)
{
    session->address_count = 0;
    session->address_at = 0;
    if (session->mx_at >= session->mx_count)
        give_up(session);
    else
        ask(session, session->mx[session->mx_at].name, DNS_A, RELAY_ADDRESS);
}

static void next_server(struct relay_session *session)
{
    session->mx_at++;
    try_server(session);
}

void relay_route_next(struct relay_session *session)
{
    if (++session->address_at < session->address_count)
        relay_open(session);
    else
        next_server(session);
}

/* Leaves out servers of this preference and those less preferred. */
static void cut_servers(struct relay_session *session, uint16_t preference)
{
    unsigned kept = 0;

    while (kept < session->mx_count &&
           session->mx[kept].preference < preference)
        kept++;
    session->mx_count = kept;
}

static void give_up_loop(struct relay_session *session)
{
    give_up_for(session, true,
                "550 5.4.6 mail for this domain comes back to this server");
}

void relay_route_loop(struct relay_session *session)
{
    cut_servers(session, session->mx[session->mx_at].preference);
    /* Those more preferred have been tried before. */
    if (session->mx_count == 0)
        give_up_loop(session);
    else
        next_server(session);
}

/* Why the present server is left out. */
static void without_address(struct relay_session *session, const char *why)
{
    session->permanent = false;
    (void)snprintf(session->reply, sizeof(session->reply), "%s %.180s", why,
                   session->mx[session->mx_at].name);
    next_server(session);
}

static void got_addresses(struct relay_session *session)
{
    const struct dns_lookup *lookup = &session->lookup;

    for (unsigned i = 0;
         i < lookup->count && session->address_count < RELAY_ADDRESSES_MAX;
         i++) {
        const struct net_address *address = &lookup->answers[i].address;

        if (relay_context.network->is_own(address) && !session->host->routed) {
            relay_route_loop(session);
            return;
        }
        /* To another one no connection is ever begun. */
        if (relay_context.network->is_host(address))
            session->addresses[session->address_count++] = *address;
    }
    if (session->address_count > 0)
        relay_open(session);
    else
        without_address(session, "450 4.4.4 no server can have the address of");
}

static void on_address(struct relay_session *session)
{
    const char *name = session->mx[session->mx_at].name;

    switch (session->lookup.status) {
    case DNS_OK:
        got_addresses(session);
        break;
    case DNS_FAILED:
        without_address(session,
                        "451 4.4.3 no name server knows now the address of");
        break;
    case DNS_NO_NAME:
    case DNS_NO_DATA:
    case DNS_BAD_NAME:
    default:
        ask(session, name, DNS_AAAA, RELAY_IPV6);
    }
}

/* A server without an address that we can use. */
static void on_ipv6(struct relay_session *session)
{
    if (session->lookup.status == DNS_OK)
        session->only_ipv6 = true;
    else if (session->implicit && session->lookup.status != DNS_FAILED) {
        give_up_for(session, true,
                    "550 5.4.4 the domain has no server for mail");
        return;
    }
    next_server(session);
}

/* ---- MX ------------------------------------------------------------------ */

static bool is_own_name(const char *name)
{
    const char *own = relay_own_name();

    return own != NULL && strchr(own, '.') != NULL &&
           strcasecmp(own, name) == 0;
}

static void add_server(struct relay_session *session, uint16_t preference,
                       const char *name)
{
    struct relay_mx *mx = &session->mx[session->mx_count];

    if (session->mx_count == RELAY_MX_MAX || name[0] == '\0')
        return;
    mx->preference = preference;
    memcpy(mx->name, name, strnlen(name, sizeof(mx->name) - 1) + 1);
    mx->name[sizeof(mx->name) - 1] = '\0';
    session->mx_count++;
}

static void got_servers(struct relay_session *session)
{
    const struct dns_lookup *lookup = &session->lookup;

    if (lookup->count == 1 && lookup->answers[0].name[0] == '\0') {
        give_up_for(session, true, "556 5.1.10 the domain takes no mail");
        return;
    }
    for (unsigned i = 0; i < lookup->count; i++) {
        const struct dns_answer *each = &lookup->answers[i];

        if (is_own_name(each->name)) {
            cut_servers(session, each->preference);
            break;
        }
        add_server(session, each->preference, each->name);
    }
    if (session->mx_count == 0)
        give_up_loop(session);
    else
        try_server(session);
}

static void on_mx(struct relay_session *session)
{
    switch (session->lookup.status) {
    case DNS_OK:
        got_servers(session);
        break;
    case DNS_NO_DATA:
        session->implicit = true;
        add_server(session, 0, session->host->name);
        try_server(session);
        break;
    case DNS_NO_NAME:
        give_up_for(session, true, "550 5.1.2 there is no such domain");
        break;
    case DNS_BAD_NAME:
        give_up_for(session, true, "553 5.1.2 not a domain name");
        break;
    case DNS_FAILED:
    default:
        give_up_for(session, false,
                    "451 4.4.3 no name server knows the domain now");
    }
}

static void lookup_done(struct dns_lookup *lookup)
{
    struct relay_session *session = lookup->context;

    session->looking = false;
    if (session->state == RELAY_MX)
        on_mx(session);
    else if (session->state == RELAY_ADDRESS)
        on_address(session);
    else if (session->state == RELAY_IPV6)
        on_ipv6(session);
}

/* ---- Begin --------------------------------------------------------------- */

/* "[192.0.2.1]", "[IPv6:...]", or an address of a route as it stands. */
static bool read_literal(const struct relay_host *host,
                         struct net_address *address)
{
    char text[NET_ADDRESS_TEXT + 8];
    size_t len = strlen(host->name);
    const char *from = host->name;

    if (host->name[0] == '[' && host->name[len - 1] == ']') {
        from++;
        len -= 2;
    } else if (!host->routed) {
        return false;
    }
    if (len >= sizeof(text))
        return false;
    memcpy(text, from, len);
    text[len] = '\0';
    from = strncasecmp(text, "ipv6:", 5) == 0 ? text + 5 : text;
    return net_address_parse(from, address) == OK;
}

static void begin_literal(struct relay_session *session,
                          const struct net_address *address)
{
    if (!net_address_is_v4(address)) {
        give_up_for(session, false, "450 4.4.4 this server sends by IPv4 only");
    } else if (relay_context.network->is_own(address) &&
               !session->host->routed) {
        give_up_for(session, true,
                    "550 5.4.6 mail for this address comes back to this "
                    "server");
    } else if (!relay_context.network->is_host(address)) {
        give_up_for(session, true, "550 5.4.4 no server can have this address");
    } else {
        session->addresses[0] = *address;
        session->address_count = 1;
        relay_open(session);
    }
}

void relay_route_begin(struct relay_session *session)
{
    struct relay_host *host = session->host;
    struct net_address address;

    if (read_literal(host, &address)) {
        begin_literal(session, &address);
    } else if (host->name[0] == '[') {
        give_up_for(session, true, "553 5.1.3 not an address");
    } else if (host->routed) {
        add_server(session, 0, host->name);
        try_server(session);
    } else {
        ask(session, host->name, DNS_MX, RELAY_MX);
    }
}
