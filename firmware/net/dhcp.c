/* DHCP client (RFC 2131) as a table: state x event -> action, next state.
 *
 * Messages go by UDP port 68 to 67. Until there is an address they leave from
 * 0.0.0.0 to the broadcast address, with the broadcast flag set, since nobody
 * could reach us otherwise; a renewal goes straight to the server. A new
 * address is probed by ARP before it is used, and declined when it is taken.
 * The hardware address is the client identifier (RFC 2131 4.2).
 *
 * Not supported: INFORM, release, more than one lease, split options (RFC
 * 3396); search domains (15, 119) are of no use to a mail server. */
#include "net/dhcp.h"
#include "core/bytes.h"
#include "core/log.h"
#include "core/random.h"
#include "core/timer.h"
#include "net/arp.h"
#include "net/ethernet.h"
#include "net/udp_input.h"
#include <string.h>

#define SERVER_PORT     67
#define CLIENT_PORT     68
#define FIXED_BYTES     236 /* before the magic cookie */
#define OPTIONS_AT      240
#define SNAME_AT        44
#define SNAME_BYTES     64
#define FILE_AT         108
#define FILE_BYTES      128
#define MESSAGE_BYTES   548
#define COOKIE          0x63825363U
#define FIRST_WAIT_MS   1000
#define LONGEST_WAIT_MS 64000
#define JITTER_MS       1000
#define REBOOT_TRIES    3
#define REQUEST_TRIES   4
#define DECLINE_WAIT_MS 10000 /* RFC 2131 3.1, 5; also after a refusal */
#define RENEW_WAIT_MS   60000 /* shortest, RFC 2131 4.4.5 */
#define LEASE_MIN_S     60
#define LEASE_MAX_S     (365U * 24 * 3600)
#define LEASE_DEFAULT_S 3600

enum option {
    OPTION_PAD = 0,
    OPTION_MASK = 1,
    OPTION_ROUTER = 3,
    OPTION_DNS = 6,
    OPTION_HOSTNAME = 12,
    OPTION_NTP = 42,
    OPTION_ADDRESS = 50,
    OPTION_LEASE = 51,
    OPTION_TYPE = 53,
    OPTION_SERVER = 54,
    OPTION_PARAMETERS = 55,
    OPTION_SIZE = 57,
    OPTION_RENEWAL = 58,
    OPTION_REBINDING = 59,
    OPTION_CLIENT = 61,
    OPTION_OVERLOAD = 52,
    OPTION_END = 255,
};

enum message {
    DISCOVER = 1,
    OFFER = 2,
    REQUEST = 3,
    DECLINE = 4,
    ACK = 5,
    NAK = 6,
};

enum dhcp_state {
    OFF,
    SELECTING,
    REBOOTING, /* asking for the lease of before */
    REQUESTING,
    PROBING,
    BOUND,
    RENEWING,
    REBINDING,
    DECLINED, /* or refused: waiting before a new start */
    STATES,
};

enum dhcp_event {
    EVENT_START,
    EVENT_STOP,
    EVENT_OFFER,
    EVENT_ACK,
    EVENT_NAK,
    EVENT_TIMER,
    EVENT_FREE,  /* nobody else uses the address */
    EVENT_TAKEN, /* somebody does */
    EVENTS,
};

/* What a received message says. */
struct reply {
    uint8_t type;
    uint32_t address, server, mask, gateway;
    uint32_t dns[3], ntp[3];
    uint8_t overload; /* options go on in file (1), sname (2) */
    uint32_t lease_s, renewal_s, rebinding_s;
};

static struct {
    enum dhcp_state state;
    struct udp_socket socket;
    bool open;
    struct timer timer;
    char hostname[64];
    void (*changed)(const struct dhcp_lease *lease);
    uint32_t transaction;
    uint32_t tries;
    uint64_t began_ms; /* of this exchange, for `secs` */
    bool known;        /* lease holds what we had or are about to have */
    bool held;         /* the lease was told upwards */
    struct dhcp_lease lease;
    struct reply reply; /* the one being acted on */
} state;

/* ---- Messages out ---- */

static uint8_t *put_option(uint8_t *p, enum option option, const void *value,
                           size_t bytes)
{
    *p++ = (uint8_t)option;
    *p++ = (uint8_t)bytes;
    memcpy(p, value, bytes);
    return p + bytes;
}

static uint8_t *put_option32(uint8_t *p, enum option option, uint32_t value)
{
    uint8_t bytes[4];

    put_be32(bytes, value);
    return put_option(p, option, bytes, sizeof(bytes));
}

static uint8_t *put_common(uint8_t *p, enum message type)
{
    static const uint8_t wanted[] = {
        OPTION_MASK,  OPTION_ROUTER,  OPTION_DNS,      OPTION_NTP,
        OPTION_LEASE, OPTION_RENEWAL, OPTION_REBINDING};
    uint8_t type_byte = (uint8_t)type;
    uint8_t client[1 + ETHERNET_ADDRESS] = {1};
    uint8_t size[2];

    memcpy(client + 1, ethernet_address(), ETHERNET_ADDRESS);
    p = put_option(p, OPTION_TYPE, &type_byte, 1);
    p = put_option(p, OPTION_CLIENT, client, sizeof(client));
    if (type == DECLINE)
        return p;
    put_be16(size, MESSAGE_BYTES + 28);
    p = put_option(p, OPTION_SIZE, size, sizeof(size));
    if (state.hostname[0])
        p = put_option(p, OPTION_HOSTNAME, state.hostname,
                       strlen(state.hostname));
    return put_option(p, OPTION_PARAMETERS, wanted, sizeof(wanted));
}

/* Which fields name the address depends on the state (RFC 2131 table 5). */
static void send_message(enum message type)
{
    bool bound = state.state == RENEWING || state.state == REBINDING;
    bool selected = type == DECLINE || state.state == REQUESTING;
    bool to_server = state.state == RENEWING;
    uint8_t message[MESSAGE_BYTES] = {0};
    uint8_t *p = message + OPTIONS_AT;
    struct net_endpoint to = {.port = SERVER_PORT};
    enum err result;

    message[0] = 1;
    message[1] = 1;
    message[2] = ETHERNET_ADDRESS;
    put_be32(message + 4, state.transaction);
    put_be16(message + 8, (uint16_t)((timer_now_ms() - state.began_ms) / 1000));
    put_be16(message + 10, bound ? 0 : 0x8000);
    if (bound)
        put_be32(message + 12, state.lease.address);
    memcpy(message + 28, ethernet_address(), ETHERNET_ADDRESS);
    put_be32(message + FIXED_BYTES, COOKIE);
    p = put_common(p, type);
    if (!bound && state.known)
        p = put_option32(p, OPTION_ADDRESS, state.lease.address);
    if (selected)
        p = put_option32(p, OPTION_SERVER, state.lease.server);
    *p++ = OPTION_END;
    to.address =
        net_address_v4(to_server ? state.lease.server : IPV4_BROADCAST);
    /* BOOTP relays expect 300 bytes at least (RFC 1542 2.1). */
    result =
        udp_send_from(&state.socket, bound ? state.lease.address : 0, &to,
                      message, p - message < 300 ? 300 : (size_t)(p - message));
    if (result != OK)
        log_debug("dhcp", "not sent: %s", err_text(result));
}

/* ---- Messages in ---- */

static uint32_t option_u32(const uint8_t *value, size_t bytes)
{
    return bytes >= 4 ? get_be32(value) : 0;
}

static bool address_usable(uint32_t address)
{
    uint32_t first = address >> 24;

    return first != 0 && first != 127 && first < 224;
}

/* The first three servers, of which some name the same one twice. */
static void option_list(uint32_t servers[3], const uint8_t *value, size_t bytes)
{
    unsigned count = 0;

    for (; bytes >= 4 && count < 3; bytes -= 4, value += 4) {
        uint32_t server = get_be32(value);

        if (!address_usable(server) || (count > 0 && server == servers[0]) ||
            (count > 1 && server == servers[1]))
            continue;
        servers[count++] = server;
    }
}

static void take_option(struct reply *reply, uint8_t option,
                        const uint8_t *value, size_t bytes)
{
    switch (option) {
    case OPTION_TYPE:
        reply->type = bytes == 1 ? *value : 0;
        break;
    case OPTION_MASK:
        reply->mask = option_u32(value, bytes);
        break;
    case OPTION_ROUTER:
        reply->gateway = option_u32(value, bytes);
        break;
    case OPTION_DNS:
        option_list(reply->dns, value, bytes);
        break;
    case OPTION_NTP:
        option_list(reply->ntp, value, bytes);
        break;
    case OPTION_OVERLOAD:
        reply->overload = bytes == 1 ? *value : 0;
        break;
    case OPTION_LEASE:
        reply->lease_s = option_u32(value, bytes);
        break;
    case OPTION_SERVER:
        reply->server = option_u32(value, bytes);
        break;
    case OPTION_RENEWAL:
        reply->renewal_s = option_u32(value, bytes);
        break;
    case OPTION_REBINDING:
        reply->rebinding_s = option_u32(value, bytes);
        break;
    default:
        break;
    }
}

/* One field of options. Returns false when it is malformed. */
static bool parse_options(const uint8_t *p, size_t bytes, struct reply *reply)
{
    size_t at = 0;

    while (at < bytes && p[at] != OPTION_END) {
        if (p[at] == OPTION_PAD) {
            at++;
            continue;
        }
        if (at + 2 > bytes || at + 2 + p[at + 1] > bytes)
            return false;
        take_option(reply, p[at], p + at + 2, p[at + 1]);
        at += 2 + (size_t)p[at + 1];
    }
    return true;
}

/* Returns false when the message is not for us or malformed. */
static bool parse(const uint8_t *p, size_t bytes, struct reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    if (bytes < OPTIONS_AT || p[0] != 2 || p[1] != 1 ||
        p[2] != ETHERNET_ADDRESS || get_be32(p + 4) != state.transaction ||
        memcmp(p + 28, ethernet_address(), ETHERNET_ADDRESS) ||
        get_be32(p + FIXED_BYTES) != COOKIE)
        return false;
    reply->address = get_be32(p + 16);
    return parse_options(p + OPTIONS_AT, bytes - OPTIONS_AT, reply) &&
           (!(reply->overload & 1) ||
            parse_options(p + FILE_AT, FILE_BYTES, reply)) &&
           (!(reply->overload & 2) ||
            parse_options(p + SNAME_AT, SNAME_BYTES, reply));
}

/* A mask must be a run of ones; without one the class decides (RFC 950). */
static uint8_t prefix_of(uint32_t mask, uint32_t address)
{
    if (mask && !(~mask & (~mask + 1)))
        return (uint8_t)__builtin_popcount(mask);
    return address >> 31 == 0 ? 8 : address >> 30 == 2 ? 16 : 24;
}

static void take_lease(const struct reply *reply)
{
    struct dhcp_lease *lease = &state.lease;
    uint64_t now = state.began_ms; /* counts from the request */
    uint32_t seconds = reply->lease_s ? reply->lease_s : LEASE_DEFAULT_S;
    uint32_t renew = reply->renewal_s, rebind = reply->rebinding_s;

    if (seconds < LEASE_MIN_S)
        seconds = LEASE_MIN_S;
    if (seconds > LEASE_MAX_S)
        seconds = LEASE_MAX_S;
    if (!rebind || rebind >= seconds)
        rebind = seconds / 8 * 7;
    if (!renew || renew >= rebind)
        renew = seconds / 2;
    lease->address = reply->address;
    lease->prefix = prefix_of(reply->mask, reply->address);
    lease->gateway = reply->gateway;
    if (reply->server)
        lease->server = reply->server;
    memcpy(lease->dns, reply->dns, sizeof(lease->dns));
    memcpy(lease->ntp, reply->ntp, sizeof(lease->ntp));
    lease->renew_ms = now + renew * 1000ULL;
    lease->rebind_ms = now + rebind * 1000ULL;
    lease->ends_ms = now + seconds * 1000ULL;
    state.known = true;
}

/* ---- Actions: each returns the next state ---- */

static void wait_for_answer(void)
{
    uint32_t wait = FIRST_WAIT_MS;

    /* 1, 2, 4 ... 64 s, give or take half a second. The RFC's first wait of
     * 4 s is that of slower networks. */
    for (uint32_t i = 0; i < state.tries && wait < LONGEST_WAIT_MS; i++)
        wait *= 2;
    state.tries++;
    timer_start(&state.timer,
                wait - JITTER_MS / 2 + random_below(JITTER_MS + 1));
}

static void new_exchange(void)
{
    state.transaction = random_u32();
    state.began_ms = timer_now_ms();
    state.tries = 0;
}

static void lose_lease(void)
{
    if (state.held)
        state.changed(NULL);
    state.held = false;
}

static enum dhcp_state do_nothing(void)
{
    return state.state;
}

static enum dhcp_state do_stop(void)
{
    timer_stop(&state.timer);
    state.held = false;
    return OFF;
}

static enum dhcp_state discover(void)
{
    state.state = SELECTING;
    send_message(DISCOVER);
    wait_for_answer();
    return SELECTING;
}

static enum dhcp_state do_restart(void)
{
    lose_lease();
    state.known = false;
    new_exchange();
    return discover();
}

static enum dhcp_state do_start(void)
{
    new_exchange();
    if (!state.known || timer_now_ms() >= state.lease.ends_ms)
        return do_restart();
    state.state = REBOOTING;
    send_message(REQUEST);
    wait_for_answer();
    return REBOOTING;
}

static enum dhcp_state do_discover_again(void)
{
    return discover();
}

static enum dhcp_state do_request(void)
{
    if (!state.reply.server || !address_usable(state.reply.address))
        return state.state;
    state.lease.address = state.reply.address;
    state.lease.server = state.reply.server;
    state.known = true;
    state.began_ms = timer_now_ms();
    state.tries = 0;
    state.state = REQUESTING;
    send_message(REQUEST);
    wait_for_answer();
    return REQUESTING;
}

static enum dhcp_state do_request_again(void)
{
    uint32_t limit = state.state == REBOOTING ? REBOOT_TRIES : REQUEST_TRIES;

    if (state.tries >= limit)
        return do_restart();
    send_message(REQUEST);
    wait_for_answer();
    return state.state;
}

static void probed(bool conflict);

static enum dhcp_state do_probe(void)
{
    if (!address_usable(state.reply.address) ||
        (state.state == REQUESTING && state.reply.server &&
         state.reply.server != state.lease.server))
        return state.state;
    take_lease(&state.reply);
    timer_stop(&state.timer);
    arp_probe(state.lease.address, probed);
    return PROBING;
}

static void wait_until(uint64_t at_ms)
{
    uint64_t now = timer_now_ms();

    timer_start(&state.timer, at_ms > now ? at_ms - now : 0);
}

static enum dhcp_state do_bind(void)
{
    state.held = true;
    wait_until(state.lease.renew_ms);
    log_info("dhcp", "bound lease_s=%u",
             (unsigned)((state.lease.ends_ms - timer_now_ms()) / 1000));
    state.changed(&state.lease);
    return BOUND;
}

/* The renewed lease may be for another address: then all begins anew. */
static enum dhcp_state do_extend(void)
{
    if (state.reply.address != state.lease.address)
        return do_restart();
    take_lease(&state.reply);
    return do_bind();
}

static enum dhcp_state wait_for_restart(void)
{
    lose_lease();
    state.known = false;
    timer_start(&state.timer, DECLINE_WAIT_MS);
    return DECLINED;
}

static enum dhcp_state do_decline(void)
{
    log_warn("dhcp", "address in use by another host: declined");
    state.state = DECLINED;
    send_message(DECLINE);
    return wait_for_restart();
}

/* The server has taken back its offer: at once, it would do so again, and
 * again. */
static enum dhcp_state do_refused(void)
{
    log_warn("dhcp", "refused after an offer");
    return wait_for_restart();
}

/* RFC 2131 4.4.5: half of what is left, a minute at least. */
static void wait_half(uint64_t until_ms)
{
    uint64_t now = timer_now_ms();
    uint64_t left = until_ms > now ? until_ms - now : 0;
    uint64_t wait = left / 2 > RENEW_WAIT_MS ? left / 2 : RENEW_WAIT_MS;

    timer_start(&state.timer, wait < left ? wait : left);
}

static enum dhcp_state do_renew(void)
{
    if (state.state == BOUND)
        new_exchange();
    state.began_ms = timer_now_ms();
    if (timer_now_ms() >= state.lease.ends_ms)
        return do_restart();
    if (timer_now_ms() >= state.lease.rebind_ms) {
        state.state = REBINDING;
        send_message(REQUEST);
        wait_half(state.lease.ends_ms);
        return REBINDING;
    }
    state.state = RENEWING;
    send_message(REQUEST);
    wait_half(state.lease.rebind_ms);
    return RENEWING;
}

/* ---- The table ---- */

/* clang-format off */
static enum dhcp_state (*const table[STATES][EVENTS])(void) = {
    [OFF] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_nothing,
        [EVENT_OFFER] = do_nothing,       [EVENT_ACK] = do_nothing,
        [EVENT_NAK] = do_nothing,         [EVENT_TIMER] = do_nothing,
        [EVENT_FREE] = do_nothing,        [EVENT_TAKEN] = do_nothing },
    [SELECTING] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_stop,
        [EVENT_OFFER] = do_request,       [EVENT_ACK] = do_nothing,
        [EVENT_NAK] = do_nothing,         [EVENT_TIMER] = do_discover_again,
        [EVENT_FREE] = do_nothing,        [EVENT_TAKEN] = do_nothing },
    [REBOOTING] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_stop,
        [EVENT_OFFER] = do_nothing,       [EVENT_ACK] = do_probe,
        [EVENT_NAK] = do_restart,         [EVENT_TIMER] = do_request_again,
        [EVENT_FREE] = do_nothing,        [EVENT_TAKEN] = do_nothing },
    [REQUESTING] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_stop,
        [EVENT_OFFER] = do_nothing,       [EVENT_ACK] = do_probe,
        [EVENT_NAK] = do_refused,         [EVENT_TIMER] = do_request_again,
        [EVENT_FREE] = do_nothing,        [EVENT_TAKEN] = do_nothing },
    [PROBING] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_stop,
        [EVENT_OFFER] = do_nothing,       [EVENT_ACK] = do_nothing,
        [EVENT_NAK] = do_nothing,         [EVENT_TIMER] = do_nothing,
        [EVENT_FREE] = do_bind,           [EVENT_TAKEN] = do_decline },
    [BOUND] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_stop,
        [EVENT_OFFER] = do_nothing,       [EVENT_ACK] = do_nothing,
        [EVENT_NAK] = do_nothing,         [EVENT_TIMER] = do_renew,
        [EVENT_FREE] = do_nothing,        [EVENT_TAKEN] = do_decline },
    [RENEWING] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_stop,
        [EVENT_OFFER] = do_nothing,       [EVENT_ACK] = do_extend,
        [EVENT_NAK] = do_restart,         [EVENT_TIMER] = do_renew,
        [EVENT_FREE] = do_nothing,        [EVENT_TAKEN] = do_decline },
    [REBINDING] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_stop,
        [EVENT_OFFER] = do_nothing,       [EVENT_ACK] = do_extend,
        [EVENT_NAK] = do_restart,         [EVENT_TIMER] = do_renew,
        [EVENT_FREE] = do_nothing,        [EVENT_TAKEN] = do_decline },
    [DECLINED] = {
        [EVENT_START] = do_start,         [EVENT_STOP] = do_stop,
        [EVENT_OFFER] = do_nothing,       [EVENT_ACK] = do_nothing,
        [EVENT_NAK] = do_nothing,         [EVENT_TIMER] = do_restart,
        [EVENT_FREE] = do_nothing,        [EVENT_TAKEN] = do_nothing },
};
/* clang-format on */

static void happen(enum dhcp_event event)
{
    state.state = table[state.state][event]();
}

static void probed(bool conflict)
{
    happen(conflict ? EVENT_TAKEN : EVENT_FREE);
}

static void timer_expired(struct timer *timer)
{
    (void)timer;
    happen(EVENT_TIMER);
}

static void received(struct udp_socket *socket, const struct net_endpoint *from,
                     const uint8_t *data, size_t len)
{
    (void)socket;
    if (from->port != SERVER_PORT || !parse(data, len, &state.reply))
        return;
    if (state.reply.type == OFFER)
        happen(EVENT_OFFER);
    else if (state.reply.type == ACK)
        happen(EVENT_ACK);
    else if (state.reply.type == NAK)
        happen(EVENT_NAK);
}

void dhcp_start(const char *hostname,
                void (*changed)(const struct dhcp_lease *lease))
{
    size_t length = strlen(hostname);

    if (length >= sizeof(state.hostname))
        length = sizeof(state.hostname) - 1;
    memcpy(state.hostname, hostname, length);
    state.hostname[length] = '\0';
    state.changed = changed;
    if (!state.open) {
        state.socket.port = CLIENT_PORT;
        state.socket.received = received;
        if (udp_open(&state.socket) != OK) {
            log_err("dhcp", "port 68 is in use");
            return;
        }
        state.open = true;
    }
    happen(EVENT_START);
}

void dhcp_stop(void)
{
    happen(EVENT_STOP);
}

void dhcp_forget(void)
{
    state.known = false;
}

void dhcp_conflict(void)
{
    happen(EVENT_TAKEN);
}

void dhcp_module_init(void)
{
    memset(&state, 0, sizeof(state));
    timer_init(&state.timer, timer_expired);
}
