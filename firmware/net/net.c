/* The network as a whole: watches the card and its link, keeps the
 * configuration, and makes the address of static settings or of DHCP known to
 * IP and ARP. The link is looked at four times a second, and more often while
 * it is down; a link that comes back may be another network, so the neighbours
 * are forgotten and DHCP asks again for what it had. */
#include "net/net.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/timer.h"
#include "net/arp.h"
#include "net/dhcp.h"
#include "net/ethernet.h"
#include "net/icmp.h"
#include "net/ipv4.h"
#include "net/mdns.h"
#include "net/tcp.h"
#include "net/udp_input.h"
#include <string.h>

#define LINK_POLL_MS 250
/* Without a link: somebody waits for it. */
#define LINK_WAIT_MS 20

static struct {
    struct net_config config;
    bool configured;
    bool present, link_up;
    uint8_t card[ETHERNET_ADDRESS]; /* address of the card that serves */
    struct net_status status;
    struct timer link_timer;
} state;

static void address_none(void)
{
    mdns_address(0);
    arp_announce(0, NULL);
    ipv4_set_address(0, 0, 0);
    memset(&state.status.address, 0, sizeof(state.status.address));
    memset(&state.status.gateway, 0, sizeof(state.status.gateway));
    memset(state.status.dns, 0, sizeof(state.status.dns));
    memset(state.status.ntp, 0, sizeof(state.status.ntp));
    state.status.prefix_length = 0;
    state.status.lease_ends_ms = 0;
    state.status.from_dhcp = false;
}

static uint32_t v4_or_none(const struct net_address *address)
{
    return net_address_is_v4(address) ? net_address_to_v4(address) : 0;
}

static void set_address(uint32_t address, uint8_t prefix, uint32_t gateway)
{
    state.status.address = net_address_v4(address);
    state.status.prefix_length = prefix;
    memset(&state.status.gateway, 0, sizeof(state.status.gateway));
    if (gateway)
        state.status.gateway = net_address_v4(gateway);
    ipv4_set_address(address, prefix, gateway);
}

static void address_up(uint32_t address, uint8_t prefix, uint32_t gateway)
{
    char text[NET_ADDRESS_TEXT];

    state.status.state = NET_UP;
    set_address(address, prefix, gateway);
    log_info("net", "address=%s/%u",
             net_address_format(&state.status.address, text), prefix);
    mdns_address(address);
}

static void take_servers(struct net_address servers[3], const uint32_t lease[3])
{
    memset(servers, 0, 3 * sizeof(*servers));
    for (unsigned i = 0; i < 3; i++) {
        if (lease[i])
            servers[i] = net_address_v4(lease[i]);
    }
}

/* Whether any is configured. */
static bool has_servers(const struct net_address servers[3])
{
    static const struct net_address none[3];

    return memcmp(servers, none, sizeof(none)) != 0;
}

static void lease_changed(const struct dhcp_lease *lease)
{
    if (!lease) {
        log_warn("net", "lease lost");
        address_none();
        state.status.state = NET_CONFIGURING;
        return;
    }
    if (state.status.state != NET_UP || ipv4_address() != lease->address) {
        address_up(lease->address, lease->prefix, lease->gateway);
        arp_announce(lease->address, dhcp_conflict);
    } else {
        set_address(lease->address, lease->prefix, lease->gateway);
    }
    state.status.from_dhcp = true;
    state.status.lease_ends_ms = lease->ends_ms;
    if (has_servers(state.config.dns))
        memcpy(state.status.dns, state.config.dns, sizeof(state.status.dns));
    else
        take_servers(state.status.dns, lease->dns);
    take_servers(state.status.ntp, lease->ntp);
}

static void static_probed(bool conflict)
{
    if (conflict)
        log_err("net", "the configured address is in use by another host");
    arp_announce(v4_or_none(&state.config.address), NULL);
}

/* A static address that is taken already is used all the same: there is no
 * other, and the log says so (RFC 5227 leaves the choice to the host). So mail
 * need not wait for the probes' end; only the announcement does, which would
 * turn the other one's peers to us before we know of him. */
static void static_up(uint32_t address)
{
    memcpy(state.status.dns, state.config.dns, sizeof(state.status.dns));
    address_up(address, state.config.prefix_length,
               v4_or_none(&state.config.gateway));
    arp_probe(address, static_probed);
}

static void start_address(void)
{
    uint32_t address = v4_or_none(&state.config.address);

    state.status.state = NET_CONFIGURING;
    if (state.config.dhcp) {
        dhcp_start(state.config.hostname, lease_changed);
        return;
    }
    if (address)
        static_up(address);
}

static void link_changed(void)
{
    arp_clear();
    dhcp_stop();
    address_none();
    if (!state.present)
        state.status.state = NET_NO_CARD;
    else if (!state.link_up)
        state.status.state = NET_NO_LINK;
    else if (state.configured)
        start_address();
    else
        state.status.state = NET_CONFIGURING;
}

static void look_at_link(void)
{
    struct machine_nic_info info;

    memset(&info, 0, sizeof(info));
    machine_nic_info(&info);
    if (info.present == state.present && info.link_up == state.link_up &&
        memcmp(info.address, state.card, sizeof(state.card)) == 0)
        return;
    memcpy(state.card, info.address, sizeof(state.card));
    state.present = info.present;
    state.link_up = info.link_up;
    ethernet_set_address(info.address);
    log_info("net", "card=%s link=%s", info.present ? info.name : "none",
             info.link_up ? "up" : "down");
    link_changed();
}

static void link_expired(struct timer *timer)
{
    look_at_link();
    timer_start(timer, state.link_up ? LINK_POLL_MS : LINK_WAIT_MS);
}

void net_configure(const struct net_config *config)
{
    state.config = *config;
    state.config.hostname[sizeof(state.config.hostname) - 1] = '\0';
    dhcp_forget();
    mdns_configure(config->quiet ? "" : state.config.hostname);
    /* A link that has come up meanwhile begins with what is given here, once:
     * not by being seen, too. */
    state.configured = false;
    look_at_link();
    state.configured = true;
    link_changed();
}

unsigned net_receive(unsigned budget)
{
    unsigned taken = 0;
    struct iobuf *frame;

    while (taken < budget && (frame = machine_nic_receive()) != NULL) {
        ethernet_input(frame);
        taken++;
    }
    return taken;
}

bool net_flush(void)
{
    return tcp_flush();
}

void net_status(struct net_status *status)
{
    *status = state.status;
}

enum err net_module_init(unsigned connections)
{
    memset(&state, 0, sizeof(state));
    arp_module_init();
    icmp_module_init();
    udp_module_init();
    dhcp_module_init();
    mdns_module_init();
    if (ipv4_module_init() != OK)
        return ERR_MEMORY;
    if (tcp_module_init(connections) != OK)
        return ERR_MEMORY;
    timer_init(&state.link_timer, link_expired);
    look_at_link();
    timer_start(&state.link_timer, LINK_POLL_MS);
    return OK;
}
