/* The network as a whole: one interface, its addresses, and the way from the
 * card to TCP and UDP. */
#ifndef NET_NET_H
#define NET_NET_H

#include "core/err.h"
#include "net/address.h"
#include <stdbool.h>
#include <stdint.h>

struct net_config {
    bool dhcp;
    struct net_address address; /* this and gateway: ignored with dhcp */
    uint8_t prefix_length;      /* of an IPv4 address, 0 to 32 */
    struct net_address gateway; /* all zero: none */
    struct net_address dns[3];  /* all zero: none, or those of DHCP */
    char hostname[64];          /* first label, told to the DHCP server and to
                                   the network by multicast DNS */
    bool quiet;                 /* no multicast DNS */
};

enum net_state {
    NET_NO_CARD,
    NET_NO_LINK,
    NET_CONFIGURING, /* waiting for DHCP */
    NET_UP,
};

struct net_status {
    enum net_state state;
    bool from_dhcp;
    struct net_address address;
    uint8_t prefix_length;
    struct net_address gateway;
    struct net_address dns[3];
    struct net_address ntp[3]; /* time servers that DHCP told */
    uint64_t lease_ends_ms;    /* monotonic; 0: no lease */
};

/* net_module_init - ARP table, IP, ICMP, UDP and `connections` TCBs; once.
 * Returns OK or ERR_MEMORY. */
enum err net_module_init(unsigned connections) MUST_CHECK;

/* net_configure - sets or changes the configuration and (re)starts DHCP. */
void net_configure(const struct net_config *config);

/* net_receive - RT: takes up to `budget` frames from the card and carries each
 * through to its answer. Returns how many it took. */
unsigned net_receive(unsigned budget);

/* net_flush - MT, at the end of each turn: see tcp_flush(). Returns true when
 * it did anything. */
bool net_flush(void);

void net_status(struct net_status *status);

#endif
