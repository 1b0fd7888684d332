/* What ICMP tells TCP. */
#ifndef NET_TCP_ICMP_H
#define NET_TCP_ICMP_H

#include "net/address.h"
#include <stdbool.h>
#include <stdint.h>

struct tcp_icmp_error {
    struct net_endpoint local, remote; /* of the quoted segment */
    uint32_t sequence;                 /* of the quoted segment */
    uint16_t mtu; /* not 0: fragmentation needed, the next hop's MTU */
    bool hard;    /* nobody there at all (RFC 1122 4.2.3.9) */
};

/* tcp_icmp - an error about one of our segments, checked by its sequence number
 * (RFC 5927 4). */
void tcp_icmp(const struct tcp_icmp_error *error);

#endif
