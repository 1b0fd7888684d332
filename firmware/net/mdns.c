/* Multicast DNS responder (RFC 6762) for one name, "<label>.local", its A
 * record and the PTR record of its address.
 *
 *   OFF --name and address--> PROBING --nobody has it--> ANNOUNCING --> RUNNING
 *                               ^ |                                       |
 *                               | +--taken: next name--+                  |
 *                               +----------------------+----conflict------+
 *
 * Our records are unique, so answers go out at once; one that was multicast
 * within the last second is not multicast again (6). An asker that has the
 * record already is not answered (7.1); one that sends what it has in several
 * packets is waited for (7.2). Who asks from another port than 5353 gets an
 * ordinary answer for himself (6.7), at most UNICASTS of those a second.
 *
 * Not supported: services (RFC 6763), IPv6, questions of our own. Groups of the
 * local network need no membership report that a switch would have to see
 * (RFC 4541 2.1.2). */
#include "net/mdns.h"
#include "core/log.h"
#include "core/random.h"
#include "core/timer.h"
#include "net/ipv4.h"
#include "net/mdns_message.h"
#include "net/udp.h"
#include <stdio.h>
#include <string.h>

#define PORT           5353
#define LABEL_MAX      63
#define PROBES         3
#define PROBE_MS       250
#define LOST_MS        1000 /* to another one probing: 8.2 */
#define CONFLICTS      15   /* then slowly: 8.1 */
#define CONFLICT_MS    5000
#define ANNOUNCEMENTS  2
#define ANNOUNCE_MS    1000
#define AGAIN_MS       1000 /* between two multicasts of a record: 6 */
#define DEFEND_MS      250  /* the same when the name is in danger */
#define FRESH_MS       (MDNS_TTL_S * 1000 / 4) /* 5.4 */
#define MORE_KNOWN_MS  400                     /* 7.2 */
#define MORE_RANDOM_MS 101
#define UNICASTS       20 /* a second */
#define RECORD_KINDS   3

enum mdns_state { OFF, PROBING, ANNOUNCING, RUNNING };

static struct {
    enum mdns_state state;
    char label[LABEL_MAX + 1]; /* as configured */
    unsigned number;           /* of the name: 0, 2, 3 ... */
    char name[LABEL_MAX + sizeof(".local")];
    struct mdns_self self;
    struct udp_socket socket;
    bool open;
    struct timer timer;
    unsigned sent; /* probes, announcements */
    unsigned conflicts;
    uint64_t multicast_ms[RECORD_KINDS]; /* last; 0: never */
    uint64_t unicast_began_ms;           /* this second's unicasts */
    unsigned unicasts;
    struct { /* waits for more known answers */
        struct timer timer;
        struct net_address asker;
        unsigned records;
    } pending;
    struct mdns_heard heard;
    uint8_t message[MDNS_MESSAGE_BYTES];
} state;

/* ---- Sending ---- */

static void send_to(const struct net_endpoint *to, size_t bytes)
{
    if (udp_send(&state.socket, to, state.message, bytes) != OK)
        log_debug("mdns", "not sent");
}

static void multicast(size_t bytes)
{
    struct net_endpoint to = {.address = net_address_v4(MDNS_GROUP),
                              .port = PORT};

    send_to(&to, bytes);
}

static void tell(unsigned records, uint32_t ttl_s)
{
    for (unsigned i = 0; i < RECORD_KINDS; i++) {
        if (records >> i & 1)
            state.multicast_ms[i] = timer_now_ms();
    }
    multicast(
        mdns_message_response(state.message, &state.self, records, ttl_s));
}

/* Of the records those that were multicast within the last `ms`. */
static unsigned told_within(unsigned records, uint64_t ms)
{
    unsigned told = 0;

    for (unsigned i = 0; i < RECORD_KINDS; i++) {
        if (state.multicast_ms[i] &&
            timer_now_ms() - state.multicast_ms[i] < ms)
            told |= 1U << i;
    }
    return records & told;
}

static bool unicast_allowed(void)
{
    if (timer_now_ms() - state.unicast_began_ms >= 1000) {
        state.unicast_began_ms = timer_now_ms();
        state.unicasts = 0;
    }
    return state.unicasts++ < UNICASTS;
}

/* ---- The name ---- */

static void make_name(void)
{
    char suffix[12] = "";
    struct net_address address = net_address_v4(state.self.address);
    char reverse[DNS_NAME_BYTES];

    if (state.number)
        (void)snprintf(suffix, sizeof(suffix), "-%u", state.number);
    (void)snprintf(state.name, sizeof(state.name), "%.*s%s.local",
                   (int)(LABEL_MAX - strlen(suffix)), state.label, suffix);
    if (!dns_name_parse(state.name, &state.self.host) ||
        !dns_name_parse(dns_reverse_name(&address, reverse),
                        &state.self.reverse))
        state.state = OFF;
}

static void probe_after(uint64_t ms)
{
    state.state = PROBING;
    state.sent = 0;
    state.pending.records = 0;
    timer_stop(&state.pending.timer);
    memset(state.multicast_ms, 0, sizeof(state.multicast_ms));
    make_name();
    if (state.state == PROBING)
        timer_start(&state.timer, ms);
}

static void next_name(void)
{
    log_warn("mdns", "%s is taken", state.name);
    state.number = state.number ? state.number + 1 : 2;
    state.conflicts++;
    probe_after(state.conflicts < CONFLICTS ? random_below(PROBE_MS)
                                            : CONFLICT_MS);
}

static void timer_expired(struct timer *timer)
{
    if (state.state == PROBING && state.sent < PROBES) {
        state.sent++;
        multicast(mdns_message_probe(state.message, &state.self));
        timer_start(timer, PROBE_MS);
        return;
    }
    if (state.state == PROBING) {
        state.state = ANNOUNCING;
        state.sent = 0;
        log_info("mdns", "name=%s", state.name);
    }
    if (state.state != ANNOUNCING)
        return;
    tell(MDNS_A | MDNS_PTR, MDNS_TTL_S);
    if (++state.sent < ANNOUNCEMENTS)
        timer_start(timer, ANNOUNCE_MS);
    else
        state.state = RUNNING;
}

/* ---- Answering ---- */

/* Of what is wanted nothing is left when it was told just now. */
static void answer_all(unsigned records, uint64_t again_ms)
{
    records &= ~told_within(records, again_ms);
    if (records)
        tell(records, MDNS_TTL_S);
}

static void pending_expired(struct timer *timer)
{
    (void)timer;
    answer_all(state.pending.records, AGAIN_MS);
    state.pending.records = 0;
}

/* From an ordinary resolver, which knows no multicast: 6.7. */
static void answer_legacy(const struct net_endpoint *from)
{
    if (state.heard.questions == 1 && state.heard.wanted && unicast_allowed())
        send_to(from, mdns_message_legacy(state.message, &state.self,
                                          state.heard.wanted, &state.heard));
}

static void answer(const struct net_endpoint *from)
{
    const struct mdns_heard *heard = &state.heard;
    unsigned records = heard->wanted & ~heard->known;
    /* One that all have heard of lately may go to the asker alone. */
    unsigned alone = told_within(records & heard->unicast, FRESH_MS);

    if (alone && !heard->probe && unicast_allowed()) {
        send_to(from, mdns_message_response(state.message, &state.self, alone,
                                            MDNS_TTL_S));
        records &= ~alone;
    }
    if (!records)
        return;
    if (heard->truncated && !state.pending.records) {
        state.pending.records = records;
        state.pending.asker = from->address;
        timer_start(&state.pending.timer,
                    MORE_KNOWN_MS + random_below(MORE_RANDOM_MS));
        return;
    }
    answer_all(records, heard->probe ? DEFEND_MS : AGAIN_MS);
}

static void hear_query(const struct net_endpoint *from)
{
    if (state.state == PROBING) {
        if (state.heard.probe && state.heard.theirs > 0)
            probe_after(LOST_MS);
        return;
    }
    if (!state.heard.questions && state.pending.records &&
        net_address_equal(&from->address, &state.pending.asker))
        state.pending.records &= ~state.heard.known;
    if (state.heard.wanted)
        answer(from);
}

static void hear_response(void)
{
    if (state.state == PROBING && state.heard.taken)
        next_name();
    else if (state.state != PROBING && state.heard.conflict)
        probe_after(0);
}

static void received(struct udp_socket *socket, const struct net_endpoint *from,
                     const uint8_t *data, size_t len)
{
    (void)socket;
    /* Only from this network (11), and not what we have said ourselves. */
    if (state.state == OFF || !ipv4_is_neighbour(&from->address) ||
        !mdns_message_read(data, len, &state.self, &state.heard))
        return;
    if (from->port != PORT) {
        if (!state.heard.response && state.state != PROBING)
            answer_legacy(from);
    } else if (state.heard.response) {
        hear_response();
    } else {
        hear_query(from);
    }
}

/* ---- From above ---- */

static void silence(void)
{
    state.state = OFF;
    timer_stop(&state.timer);
    timer_stop(&state.pending.timer);
    state.pending.records = 0;
}

static void start(void)
{
    silence();
    if (!state.self.address || !state.label[0])
        return;
    if (!state.open) {
        state.socket.port = PORT;
        state.socket.received = received;
        if (udp_open(&state.socket) != OK)
            return;
        state.open = true;
        ipv4_join(MDNS_GROUP);
    }
    state.conflicts = 0;
    probe_after(random_below(PROBE_MS));
}

void mdns_stop(void)
{
    if (state.state == ANNOUNCING || state.state == RUNNING)
        tell(MDNS_A | MDNS_PTR, 0);
    silence();
}

void mdns_configure(const char *label)
{
    size_t len = strnlen(label, LABEL_MAX);

    if (len == strlen(state.label) && !memcmp(label, state.label, len))
        return;
    mdns_stop();
    memcpy(state.label, label, len);
    state.label[len] = '\0';
    state.number = 0;
    start();
}

void mdns_address(uint32_t address)
{
    state.self.address = address;
    start();
}

const char *mdns_name(void)
{
    return state.state == ANNOUNCING || state.state == RUNNING ? state.name
                                                               : "";
}

void mdns_module_init(void)
{
    memset(&state, 0, sizeof(state));
    timer_init(&state.timer, timer_expired);
    timer_init(&state.pending.timer, pending_expired);
}
