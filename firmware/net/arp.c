/* ARP for IPv4 on Ethernet.
 *
 * A fixed table of neighbours. An entry is made only when we want to send to an
 * address; what the wire says without being asked changes nothing but the entry
 * of a neighbour that asks us (RFC 826's merge, and RFC 1122 2.3.2 timeouts),
 * so that a flood of forged packets can neither fill the table nor plant
 * addresses. Packets wait in their entry, at most ARP_WAITING of them.
 *
 * Own addresses are probed before they are announced (RFC 5227), with shorter
 * waits than the RFC's: a server must be back in service within a second of its
 * start. Its three to seven seconds are made for hosts that choose an address
 * by themselves; a DHCP server has looked before it gave one (RFC 2131 2.2),
 * and what a probe misses the conflict detection of 2.4 sees, which never ends.
 *
 * Not supported: proxy ARP, reverse ARP, other kinds of hardware. */
#include "net/arp.h"
#include "core/bytes.h"
#include "core/log.h"
#include "core/timer.h"
#include "net/ethernet.h"
#include "net/ipv4.h"
#include <string.h>

#define ARP_BYTES       28
#define ARP_ENTRIES     64
#define ARP_WAITING     4
#define ARP_TRIES       4
#define ARP_TICK_MS     1000
#define ARP_FRESH_MS    60000 /* then a unicast question (RFC 1122 2.3.2.1) */
#define ARP_REFRESH_MS  5000  /* between such questions */
#define ARP_DEAD_MS     90000
#define ARP_PROBES      2
#define ARP_PROBE_MS    50
#define ARP_ANNOUNCE_MS 2000
#define ARP_DEFEND_MS   10000

enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };

enum arp_entry_state { ARP_FREE, ARP_ASKING, ARP_KNOWN };

struct arp_entry {
    uint32_t address;
    uint8_t state; /* enum arp_entry_state */
    uint8_t tries;
    uint8_t hardware[ETHERNET_ADDRESS];
    uint64_t confirmed_ms, used_ms, asked_ms;
    struct iobuf *waiting[ARP_WAITING];
};

static struct {
    struct arp_entry entries[ARP_ENTRIES];
    struct arp_entry *last; /* found last: most packets go one way */
    struct timer tick;
    struct timer own; /* probes and announcements */
    uint32_t own_address;
    uint8_t own_left; /* probes or announcements still to be sent */
    bool probing;
    void (*probed)(bool conflict);
    void (*conflict)(void);
    uint64_t defended_ms;
} state;

static void send_packet(enum arp_operation operation,
                        const uint8_t to[ETHERNET_ADDRESS], uint32_t sender,
                        uint32_t target)
{
    struct iobuf *packet = iobuf_alloc();
    uint8_t *p;

    if (!packet)
        return;
    p = iobuf_put(packet, ARP_BYTES);
    put_be16(p, 1);
    put_be16(p + 2, ETHERNET_IPV4);
    p[4] = ETHERNET_ADDRESS;
    p[5] = 4;
    put_be16(p + 6, (uint16_t)operation);
    memcpy(p + 8, ethernet_address(), ETHERNET_ADDRESS);
    put_be32(p + 14, sender);
    if (operation == ARP_REPLY)
        memcpy(p + 18, to, ETHERNET_ADDRESS);
    else
        memset(p + 18, 0, ETHERNET_ADDRESS);
    put_be32(p + 24, target);
    /* A lost ARP packet is asked for again. */
    if (ethernet_output(packet, to, ETHERNET_ARP) != OK)
        log_debug("arp", "packet not sent");
    iobuf_release(packet);
}

static void drop_waiting(struct arp_entry *entry)
{
    for (unsigned i = 0; i < ARP_WAITING; i++) {
        if (entry->waiting[i])
            iobuf_release(entry->waiting[i]);
        entry->waiting[i] = NULL;
    }
}

static void entry_free(struct arp_entry *entry)
{
    drop_waiting(entry);
    entry->state = ARP_FREE;
    if (state.last == entry)
        state.last = NULL;
}

static struct arp_entry *find(uint32_t address)
{
    if (state.last && state.last->address == address)
        return state.last;
    for (unsigned i = 0; i < ARP_ENTRIES; i++) {
        struct arp_entry *entry = &state.entries[i];

        if (entry->state != ARP_FREE && entry->address == address) {
            state.last = entry;
            return entry;
        }
    }
    return NULL;
}

/* A free entry, or the one that was of no use for longest. */
static struct arp_entry *entry_take(uint32_t address)
{
    struct arp_entry *best = &state.entries[0];

    for (unsigned i = 0; i < ARP_ENTRIES; i++) {
        struct arp_entry *entry = &state.entries[i];

        if (entry->state == ARP_FREE) {
            best = entry;
            break;
        }
        if (entry->used_ms < best->used_ms)
            best = entry;
    }
    entry_free(best);
    best->state = ARP_ASKING;
    best->address = address;
    best->tries = 0;
    return best;
}

static void entry_ask(struct arp_entry *entry)
{
    bool known = entry->state == ARP_KNOWN;

    entry->tries++;
    entry->asked_ms = timer_now_ms();
    send_packet(ARP_REQUEST, known ? entry->hardware : ethernet_broadcast,
                ipv4_address(), entry->address);
    if (!timer_running(&state.tick))
        timer_start(&state.tick, ARP_TICK_MS);
}

static void entry_wait(struct arp_entry *entry, struct iobuf *packet)
{
    if (entry->waiting[ARP_WAITING - 1]) {
        /* The newest is worth most (RFC 1122 2.3.2.2). */
        iobuf_release(entry->waiting[0]);
        memmove(&entry->waiting[0], &entry->waiting[1],
                sizeof(entry->waiting) - sizeof(entry->waiting[0]));
        entry->waiting[ARP_WAITING - 1] = NULL;
    }
    for (unsigned i = 0; i < ARP_WAITING; i++) {
        if (entry->waiting[i])
            continue;
        entry->waiting[i] = iobuf_take(packet);
        return;
    }
}

static void entry_known(struct arp_entry *entry, const uint8_t *hardware)
{
    memcpy(entry->hardware, hardware, ETHERNET_ADDRESS);
    entry->state = ARP_KNOWN;
    entry->tries = 0;
    entry->confirmed_ms = timer_now_ms();
    for (unsigned i = 0; i < ARP_WAITING; i++) {
        struct iobuf *packet = entry->waiting[i];

        entry->waiting[i] = NULL;
        if (!packet)
            continue;
        if (ethernet_output(packet, hardware, ETHERNET_IPV4) != OK)
            log_debug("arp", "waiting packet not sent");
        iobuf_release(packet);
    }
}

/* Asks again, and forgets what does not answer. */
static void tick(struct timer *timer)
{
    uint64_t now = timer_now_ms();
    bool busy = false;

    for (unsigned i = 0; i < ARP_ENTRIES; i++) {
        struct arp_entry *entry = &state.entries[i];

        if (entry->state == ARP_FREE)
            continue;
        busy = true;
        if (entry->state == ARP_KNOWN) {
            if (now - entry->confirmed_ms >= ARP_DEAD_MS)
                entry_free(entry);
        } else if (entry->tries >= ARP_TRIES) {
            entry_free(entry);
        } else {
            entry_ask(entry);
        }
    }
    if (busy)
        timer_start(timer, ARP_TICK_MS);
}

bool arp_knows(uint32_t next_hop)
{
    const struct arp_entry *entry = find(next_hop);

    return entry != NULL && entry->state == ARP_KNOWN;
}

enum err arp_send(struct iobuf *packet, uint32_t next_hop)
{
    struct arp_entry *entry = find(next_hop);
    uint64_t now = timer_now_ms();

    if (!entry)
        entry = entry_take(next_hop);
    entry->used_ms = now;
    if (entry->state == ARP_KNOWN) {
        if (now - entry->confirmed_ms >= ARP_FRESH_MS &&
            now - entry->asked_ms >= ARP_REFRESH_MS)
            entry_ask(entry);
        return ethernet_output(packet, entry->hardware, ETHERNET_IPV4);
    }
    entry_wait(entry, packet);
    if (!entry->tries)
        entry_ask(entry);
    return OK;
}

static void probe_finish(bool conflict)
{
    void (*done)(bool) = state.probed;

    timer_stop(&state.own);
    state.probing = false;
    state.probed = NULL;
    if (done)
        done(conflict);
}

static void own_expired(struct timer *timer)
{
    if (!state.own_left) {
        if (state.probing)
            probe_finish(false);
        return;
    }
    state.own_left--;
    send_packet(ARP_REQUEST, ethernet_broadcast,
                state.probing ? 0 : state.own_address, state.own_address);
    if (state.probing)
        timer_start(timer, ARP_PROBE_MS);
    else if (state.own_left)
        timer_start(timer, ARP_ANNOUNCE_MS);
}

void arp_probe(uint32_t address, void (*done)(bool conflict))
{
    state.own_address = address;
    state.probing = true;
    state.probed = done;
    state.conflict = NULL;
    state.own_left = ARP_PROBES;
    timer_start(&state.own, 0);
}

void arp_announce(uint32_t address, void (*conflict)(void))
{
    timer_stop(&state.own);
    state.own_address = address;
    state.probing = false;
    state.probed = NULL;
    state.conflict = conflict;
    state.defended_ms = 0;
    state.own_left = 2;
    if (address)
        own_expired(&state.own);
}

/* Somebody else speaks of our address as his (RFC 5227 2.4). */
static void contested(const uint8_t *hardware)
{
    uint64_t now = timer_now_ms();
    void (*conflict)(void) = state.conflict;

    log_warn("arp", "address conflict with %02x:%02x:%02x:%02x:%02x:%02x",
             hardware[0], hardware[1], hardware[2], hardware[3], hardware[4],
             hardware[5]);
    if (!state.defended_ms || now - state.defended_ms >= ARP_DEFEND_MS) {
        state.defended_ms = now;
        send_packet(ARP_REQUEST, ethernet_broadcast, state.own_address,
                    state.own_address);
    } else if (conflict) {
        conflict();
    }
}

/* Returns true when the packet concerns our own address and is dealt with. */
static bool check_own(const uint8_t *hardware, uint32_t sender, uint32_t target,
                      bool request)
{
    if (!state.own_address)
        return false;
    if (state.probing) {
        /* An owner, or another one probing for it at the same time. */
        if (sender == state.own_address ||
            (!sender && request && target == state.own_address))
            probe_finish(true);
        return sender == state.own_address;
    }
    if (sender != state.own_address)
        return false;
    contested(hardware);
    return true;
}

static bool well_formed(const struct iobuf *packet)
{
    const uint8_t *p = packet->data;

    return iobuf_length(packet) >= ARP_BYTES && get_be16(p) == 1 &&
           get_be16(p + 2) == ETHERNET_IPV4 && p[4] == ETHERNET_ADDRESS &&
           p[5] == 4 && !(p[8] & 1);
}

static void handle(const uint8_t *p)
{
    const uint8_t *hardware = p + 8;
    uint32_t sender = get_be32(p + 14), target = get_be32(p + 24);
    uint16_t operation = get_be16(p + 6);
    bool to_us = target == ipv4_address() && ipv4_address();
    struct arp_entry *entry;

    /* Our own broadcasts can come back from a bridge. */
    if (!memcmp(hardware, ethernet_address(), ETHERNET_ADDRESS))
        return;
    if (check_own(hardware, sender, target, operation == ARP_REQUEST))
        return;
    entry = ipv4_is_unicast(sender) ? find(sender) : NULL;
    /* An entry that is in order is changed only by one who talks to us. */
    if (entry && (to_us || entry->state == ARP_ASKING ||
                  !memcmp(entry->hardware, hardware, ETHERNET_ADDRESS)))
        entry_known(entry, hardware);
    if (operation == ARP_REQUEST && to_us)
        send_packet(ARP_REPLY, hardware, target, sender);
}

void arp_input(struct iobuf *packet)
{
    if (well_formed(packet))
        handle(packet->data);
    iobuf_release(packet);
}

void arp_clear(void)
{
    for (unsigned i = 0; i < ARP_ENTRIES; i++)
        entry_free(&state.entries[i]);
    timer_stop(&state.tick);
}

void arp_module_init(void)
{
    memset(&state, 0, sizeof(state));
    timer_init(&state.tick, tick);
    timer_init(&state.own, own_expired);
}
