/* ICMP (RFC 792): echo, and errors both ways. */
#ifndef NET_ICMP_H
#define NET_ICMP_H

#include "core/iobuf.h"
#include "net/ipv4.h"

enum icmp_unreachable {
    ICMP_NET_UNREACHABLE = 0,
    ICMP_HOST_UNREACHABLE = 1,
    ICMP_PROTOCOL_UNREACHABLE = 2,
    ICMP_PORT_UNREACHABLE = 3,
    ICMP_FRAGMENTATION_NEEDED = 4,
};

void icmp_module_init(void);

/* icmp_input - data behind the IP header; takes over the reference. */
void icmp_input(struct iobuf *message, const struct ipv4_packet *packet);

/* icmp_send_unreachable - answers a packet with destination unreachable, unless
 * RFC 1122 3.2.2 forbids it or too many were sent lately. */
void icmp_send_unreachable(const struct ipv4_packet *packet,
                           enum icmp_unreachable code);

#endif
