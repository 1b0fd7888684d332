/* IPv4 (RFC 791, RFC 1122) on the one interface. Addresses in host order. */
#ifndef NET_IPV4_H
#define NET_IPV4_H

#include "core/err.h"
#include "core/iobuf.h"
#include "net/address.h"
#include <stdbool.h>
#include <stdint.h>

#define IPV4_HEADER    20
#define IPV4_BROADCAST 0xFFFFFFFFU

enum ip_protocol {
    IP_ICMP = 1,
    IP_TCP = 6,
    IP_UDP = 17,
};

/* A received packet whose header has been checked. */
struct ipv4_packet {
    uint32_t source, destination;
    bool broadcast;        /* to more than us: must not be answered by ICMP */
    const uint8_t *header; /* with options; header_bytes and at least 8 more
                              bytes, or all there is, can be read */
    uint16_t header_bytes;
};

enum err ipv4_module_init(void) MUST_CHECK;

/* ipv4_set_address - address 0: none. prefix: 0 to 32. gateway 0: none. */
void ipv4_set_address(uint32_t address, uint8_t prefix, uint32_t gateway);
uint32_t ipv4_address(void);

/* ipv4_is_broadcast - limited or directed to our subnet. */
bool ipv4_is_broadcast(uint32_t address);

/* ipv4_is_unicast - whether the address can belong to one host. */
bool ipv4_is_unicast(uint32_t address);

/* ipv4_join - UDP datagrams to this multicast group are taken from now on, and
 * may be sent to it; one group, of the local network (224.0.0.0/24). */
void ipv4_join(uint32_t group);

/* ipv4_is_neighbour - whether an address is of the own subnet. */
bool ipv4_is_neighbour(const struct net_address *address);

/* ipv4_input - one packet behind its Ethernet header; takes over the caller's
 * reference. broadcast: the frame was one. */
void ipv4_input(struct iobuf *packet, bool broadcast);

/* ipv4_output - pushes the header and sends. The caller keeps its reference.
 * source 0 is allowed to the limited broadcast only (DHCP).
 * keep_whole: must not be fragmented on its way (RFC 1191).
 * Returns OK, ERR_NOT_FOUND (no address or no route), ERR_BUSY. */
enum err ipv4_output(struct iobuf *packet, uint32_t source,
                     uint32_t destination, enum ip_protocol protocol,
                     bool keep_whole) MUST_CHECK;

/* ip_output - the same for the transports, by net_address.
 * Returns also ERR_UNSUPPORTED for IPv6. */
enum err ip_output(struct iobuf *packet, const struct net_address *source,
                   const struct net_address *destination,
                   enum ip_protocol protocol, bool keep_whole) MUST_CHECK;

/* ip_ready - whether a packet would go out at once: the next hop is known.
 * Those that would not wait for it, the newest few of them. */
bool ip_ready(const struct net_address *destination);

/* ip_source - the own address to talk to `destination` from.
 * Returns OK or ERR_NOT_FOUND. */
enum err ip_source(const struct net_address *destination,
                   struct net_address *source) MUST_CHECK;

#endif
