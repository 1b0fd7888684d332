/* SNTP client: rounds over the time servers until one has told the time.
 *
 * A round goes through the names of the setting, else through the servers that
 * DHCP told and then the public pool; through the addresses of each name; and
 * ends with the first good answer. A request leaves from a random port with a
 * random nonce, which the answer must bring back, so that nobody who does not
 * see the request can answer it.
 *
 * The clock is set by a step, when it is off by more than STEP_MS; below that
 * it is left alone. When it seems to be off by more than FAR_MS (an empty
 * battery, or a server that lies), a second server must say the same within
 * AGREE_MS, if there is a second one. It never goes below the floor.
 *
 *   WAITING --time for a round--> RESOLVING --address--> ASKING --answer-->
 *      ^                              ^-------no good answer----|     |
 *      +-----------------------------------------------------------<--+
 *
 * A server that refuses us is not asked again until the setting changes; one
 * that wants to be asked less, not for hours. Not supported:
 * steering the clock's speed, authentication (RFC 8915), broadcasts. */
#include "net/sntp.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/random.h"
#include "core/timer.h"
#include "net/dns.h"
#include "net/net.h"
#include "net/sntp_packet.h"
#include "net/udp.h"
#include <string.h>

#define PORT          123
#define NAMES         4
#define ADDRESSES     4 /* of one name */
#define SHUNNED       8
#define STEP_MS       250
#define FAR_MS        1000000 /* RFC 5905: panic threshold */
#define AGREE_MS      2000
#define DISTANCE_MS   1500
#define ANSWER_MS     3000
#define NETWORK_MS    1000 /* while there is none */
#define RETRY_MS      16000
#define RETRY_MAX_MS  1024000
#define POLL_MS       2048000
#define RATE_MS       (6ULL * 3600 * 1000)
#define KEEP_S        3600
#define BUILT_S       1767225600LL /* 2026: no time before it can be now */
#define LATEST_S      4102444800LL /* 2100 */
#define NEVER_MS      UINT64_MAX
#define DEFAULT_NAMES "pool.ntp.org", "2.pool.ntp.org"

enum sntp_state { OFF, WAITING, RESOLVING, ASKING };

static struct {
    enum sntp_state state;
    char names[NAMES][DNS_NAME_BYTES]; /* of the setting */
    unsigned name_count;
    unsigned source; /* of this round: see source_name() */
    struct dns_lookup lookup;
    struct net_address addresses[ADDRESSES];
    unsigned address_count, address_next;
    struct net_address asked;
    struct udp_socket socket;
    bool open;
    uint64_t nonce, asked_ns;
    struct timer timer;
    uint32_t retry_ms;
    struct {
        unsigned count;            /* far off ones of this round */
        struct net_address server; /* of the last */
        int64_t ahead_ms;          /* of the monotonic clock */
        struct sntp_reply reply;
    } far;
    struct {
        struct net_address address;
        uint64_t until_ms;
    } shunned[SHUNNED];
    unsigned shunned_next;
    int64_t floor_s, kept_s;
    void (*keep)(int64_t unix_s);
    struct sntp_status status;
} state;

static void next_source(void);

static int64_t monotonic_ms(void)
{
    return (int64_t)(machine_monotonic_ns() / 1000000);
}

/* ---- Rounds ---- */

static void close_socket(void)
{
    if (state.open)
        udp_close(&state.socket);
    state.open = false;
}

static void rest(uint64_t ms)
{
    close_socket();
    dns_cancel(&state.lookup);
    state.state = WAITING;
    /* By chance, so that a town that had a power cut does not ask at once. */
    timer_start(&state.timer, ms - ms / 8 + random_below((uint32_t)(ms / 4)));
}

static void rest_after_failure(void)
{
    rest(state.retry_ms);
    state.retry_ms =
        state.retry_ms * 2 < RETRY_MAX_MS ? state.retry_ms * 2 : RETRY_MAX_MS;
}

static bool is_none(const struct net_address *address)
{
    static const struct net_address none;

    return net_address_equal(address, &none);
}

/* The index-th source: a name, or the text of an address. NULL behind the
 * last, "" for a place that is empty. */
static const char *source_name(unsigned index)
{
    static const char *const pool[] = {DEFAULT_NAMES};
    static char text[NET_ADDRESS_TEXT];
    struct net_status net;

    if (state.name_count)
        return index < state.name_count ? state.names[index] : NULL;
    net_status(&net);
    if (index < sizeof(net.ntp) / sizeof(*net.ntp))
        return is_none(&net.ntp[index])
                   ? ""
                   : net_address_format(&net.ntp[index], text);
    index -= (unsigned)(sizeof(net.ntp) / sizeof(*net.ntp));
    return index < sizeof(pool) / sizeof(*pool) ? pool[index] : NULL;
}

static bool is_shunned(const struct net_address *address)
{
    for (unsigned i = 0; i < SHUNNED; i++) {
        if (state.shunned[i].until_ms > timer_now_ms() &&
            net_address_equal(&state.shunned[i].address, address))
            return true;
    }
    return false;
}

static void shun(uint64_t until_ms)
{
    char text[NET_ADDRESS_TEXT];

    log_warn("sntp", "server %s refuses us",
             net_address_format(&state.asked, text));
    state.shunned[state.shunned_next % SHUNNED].address = state.asked;
    state.shunned[state.shunned_next % SHUNNED].until_ms = until_ms;
    state.shunned_next++;
}

/* ---- What an answer leads to ---- */

static void keep_floor(int64_t now_s)
{
    if (now_s > state.floor_s)
        state.floor_s = now_s;
    if (!state.keep || now_s - state.kept_s < KEEP_S)
        return;
    state.kept_s = now_s;
    state.keep(now_s);
}

/* ahead_ms: Unix time minus the monotonic clock, by the server. */
static void take_time(const struct net_address *server,
                      const struct sntp_reply *reply, int64_t ahead_ms)
{
    int64_t unix_ms = monotonic_ms() + ahead_ms;
    int64_t offset_ms = unix_ms - machine_wall_clock_ms();
    char text[NET_ADDRESS_TEXT];

    if (unix_ms / 1000 < state.floor_s || unix_ms / 1000 > LATEST_S) {
        log_warn("sntp", "server %s: time cannot be right unix_s=%lld",
                 net_address_format(server, text), (long long)(unix_ms / 1000));
        rest_after_failure();
        return;
    }
    if (offset_ms > STEP_MS || offset_ms < -STEP_MS) {
        machine_wall_clock_set(unix_ms);
        log_info("sntp", "clock set offset_ms=%lld server=%s stratum=%u",
                 (long long)offset_ms, net_address_format(server, text),
                 reply->stratum);
    } else if (!state.status.known) {
        log_info("sntp", "clock is right offset_ms=%lld server=%s stratum=%u",
                 (long long)offset_ms, net_address_format(server, text),
                 reply->stratum);
    }
    state.status.known = true;
    state.status.server = *server;
    state.status.stratum = reply->stratum;
    state.status.offset_ms = offset_ms;
    state.status.taken_ms = timer_now_ms();
    keep_floor(unix_ms / 1000);
    state.retry_ms = RETRY_MS;
    rest(POLL_MS);
}

/* A time that is far from ours is not believed by one server's word. */
static void take_far(const struct sntp_reply *reply, int64_t ahead_ms)
{
    int64_t apart_ms = ahead_ms - state.far.ahead_ms;

    if (state.far.count && apart_ms < AGREE_MS && apart_ms > -AGREE_MS &&
        !net_address_equal(&state.far.server, &state.asked)) {
        take_time(&state.asked, reply, ahead_ms);
        return;
    }
    state.far.count++;
    state.far.server = state.asked;
    state.far.ahead_ms = ahead_ms;
    state.far.reply = *reply;
    next_source();
}

static void take_reply(const struct sntp_reply *reply)
{
    int64_t now_ms = monotonic_ms();
    int64_t took_ms = now_ms - (int64_t)(state.asked_ns / 1000000);
    int64_t way_ms = (took_ms - reply->hold_ms) / 2;
    int64_t ahead_ms = reply->unix_ms + way_ms - now_ms;
    int64_t offset_ms = now_ms + ahead_ms - machine_wall_clock_ms();

    /* A millisecond or two is lost by rounding. */
    if (way_ms < -1 || way_ms + reply->distance_ms > DISTANCE_MS)
        next_source();
    else if (offset_ms > FAR_MS || offset_ms < -FAR_MS)
        take_far(reply, ahead_ms);
    else
        take_time(&state.asked, reply, ahead_ms);
}

static void received(struct udp_socket *socket, const struct net_endpoint *from,
                     const uint8_t *data, size_t len)
{
    struct sntp_reply reply;
    enum sntp_verdict verdict;

    (void)socket;
    if (from->port != PORT || !net_address_equal(&from->address, &state.asked))
        return;
    verdict = sntp_packet_read(data, len, state.nonce, &reply);
    if (verdict == SNTP_STRANGE)
        return;
    close_socket(); /* one answer only */
    switch (verdict) {
    case SNTP_GOOD:
        take_reply(&reply);
        return;
    case SNTP_RATE:
        shun(timer_now_ms() + RATE_MS);
        break;
    case SNTP_DENY:
        shun(NEVER_MS);
        break;
    case SNTP_BAD:
    case SNTP_STRANGE:
        break;
    }
    next_source();
}

/* ---- Asking ---- */

/* Returns false when the address cannot be asked. */
static bool ask(const struct net_address *address)
{
    struct net_endpoint to = {.address = *address, .port = PORT};
    uint8_t packet[SNTP_PACKET_BYTES];

    close_socket();
    state.socket.port = 0;
    state.socket.received = received;
    if (is_shunned(address) || udp_open(&state.socket) != OK)
        return false;
    state.open = true;
    state.asked = *address;
    state.nonce = random_u64();
    state.asked_ns = machine_monotonic_ns();
    sntp_packet_build(packet, state.nonce);
    if (udp_send(&state.socket, &to, packet, sizeof(packet)) != OK)
        return false;
    state.state = ASKING;
    timer_start(&state.timer, ANSWER_MS);
    return true;
}

static void end_round(void)
{
    /* There was but one, and nobody to contradict it. */
    if (state.far.count == 1)
        take_time(&state.far.server, &state.far.reply, state.far.ahead_ms);
    else
        rest_after_failure();
    if (state.far.count > 1)
        log_warn("sntp", "time servers contradict each other");
}

static void next_source(void)
{
    const char *name;

    close_socket();
    while (state.address_next < state.address_count) {
        if (ask(&state.addresses[state.address_next++]))
            return;
    }
    do {
        name = source_name(state.source++);
        if (!name) {
            end_round();
            return;
        }
    } while (!*name);
    state.state = RESOLVING;
    timer_stop(&state.timer);
    dns_lookup(&state.lookup, name, DNS_A);
}

static void resolved(struct dns_lookup *lookup)
{
    state.address_next = 0;
    state.address_count = lookup->count < ADDRESSES ? lookup->count : ADDRESSES;
    for (unsigned i = 0; i < state.address_count; i++)
        state.addresses[i] = lookup->answers[i].address;
    next_source();
}

static void timer_expired(struct timer *timer)
{
    struct net_status net;

    (void)timer;
    if (state.state == ASKING) {
        next_source();
        return;
    }
    net_status(&net);
    if (net.state != NET_UP) {
        timer_start(&state.timer, NETWORK_MS);
        return;
    }
    state.source = 0;
    state.address_count = state.address_next = 0;
    state.far.count = 0;
    next_source();
}

/* ---- Configuration ---- */

static void take_names(const char *servers)
{
    state.name_count = 0;
    while (state.name_count < NAMES) {
        size_t len;

        servers += strspn(servers, " ");
        len = strcspn(servers, " ");
        if (!len)
            return;
        if (len < DNS_NAME_BYTES) {
            memcpy(state.names[state.name_count], servers, len);
            state.names[state.name_count++][len] = '\0';
        }
        servers += len;
    }
}

void sntp_configure(const char *servers)
{
    close_socket();
    dns_cancel(&state.lookup);
    timer_stop(&state.timer);
    memset(state.shunned, 0, sizeof(state.shunned));
    state.lookup.done = resolved;
    state.retry_ms = RETRY_MS;
    state.status.on = strcmp(servers, "off") != 0;
    state.state = state.status.on ? WAITING : OFF;
    if (!state.status.on)
        return;
    take_names(servers);
    timer_start(&state.timer, 0);
}

void sntp_floor(int64_t unix_s, void (*keep)(int64_t unix_s))
{
    state.keep = keep;
    if (unix_s > state.floor_s && unix_s <= LATEST_S)
        state.floor_s = state.kept_s = unix_s;
    if (machine_wall_clock_ms() / 1000 >= state.floor_s)
        return;
    log_warn("sntp", "the PC's clock is slow: set to the last known time");
    machine_wall_clock_set(state.floor_s * 1000);
}

void sntp_status(struct sntp_status *status)
{
    *status = state.status;
}

void sntp_module_init(void)
{
    memset(&state, 0, sizeof(state));
    state.floor_s = BUILT_S;
    timer_init(&state.timer, timer_expired);
}
