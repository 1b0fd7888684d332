/* IPv4: header checks and dispatch on the way in, header and next hop on the
 * way out.
 *
 * Taken are packets to our address and, for UDP, to a broadcast address or to
 * the multicast group that was joined.
 * Options are skipped; packets with a source route are dropped (RFC 7126 4.3,
 * 4.4). Nothing is ever forwarded. Fragments go by ipv4_fragment.c. Sent
 * packets carry no options and are never fragmented here: the transports know
 * the MTU.
 *
 * Not supported: groups beyond the local network (IGMP), more than one address,
 * a table of routes. */
#include "net/ipv4.h"
#include "core/bytes.h"
#include "core/random.h"
#include "net/arp.h"
#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/icmp.h"
#include "net/ipv4_fragment.h"
#include "net/tcp.h"
#include "net/udp_input.h"
#include <string.h>

#define IPV4_TTL            64
#define IPV4_GROUP_TTL      255 /* RFC 6762 11 */
#define IPV4_KEEP_WHOLE     0x4000
#define IPV4_FRAGMENT_MASK  0x3FFF /* more fragments, and the offset */
#define IPV4_OPTION_END     0
#define IPV4_OPTION_NOTHING 1
#define IPV4_LOOSE_ROUTE    131
#define IPV4_STRICT_ROUTE   137

static struct {
    uint32_t address, mask, gateway;
    uint32_t group; /* joined; 0: none */
} state;

void ipv4_set_address(uint32_t address, uint8_t prefix, uint32_t gateway)
{
    state.address = address;
    state.mask = prefix ? ~0U << (32 - prefix) : 0;
    state.gateway = gateway;
}

uint32_t ipv4_address(void)
{
    return state.address;
}

bool ipv4_is_broadcast(uint32_t address)
{
    if (address == IPV4_BROADCAST)
        return true;
    /* Links of two and single hosts have none (RFC 3021). */
    if (!state.address || state.mask >= 0xFFFFFFFE)
        return false;
    return (address & state.mask) == (state.address & state.mask) &&
           ((address & ~state.mask) == ~state.mask ||
            (address & ~state.mask) == 0);
}

/* RFC 1112 6.4 */
static void group_hardware(uint32_t group, uint8_t hardware[ETHERNET_ADDRESS])
{
    put_be16(hardware, 0x0100);
    put_be32(hardware + 2, 0x5E000000 | (group & 0x7FFFFF));
}

void ipv4_join(uint32_t group)
{
    uint8_t hardware[ETHERNET_ADDRESS];

    state.group = group;
    group_hardware(group, hardware);
    ethernet_join(hardware);
}

static bool is_group(uint32_t address)
{
    return state.group && address == state.group;
}

bool ipv4_is_neighbour(const struct net_address *address)
{
    return state.address && net_address_is_v4(address) &&
           !((net_address_to_v4(address) ^ state.address) & state.mask);
}

bool ipv4_is_unicast(uint32_t address)
{
    uint32_t first = address >> 24;

    return first != 0 && first != 127 && first < 224 &&
           !ipv4_is_broadcast(address);
}

/* Whether the options are well formed and hold no source route. */
static bool options_allowed(const uint8_t *option, size_t bytes)
{
    while (bytes) {
        if (*option == IPV4_OPTION_END)
            return true;
        if (*option == IPV4_LOOSE_ROUTE || *option == IPV4_STRICT_ROUTE)
            return false;
        if (*option == IPV4_OPTION_NOTHING) {
            option++;
            bytes--;
            continue;
        }
        if (bytes < 2 || option[1] < 2 || option[1] > bytes)
            return false;
        bytes -= option[1];
        option += option[1];
    }
    return true;
}

/* Checks the header and cuts off what the link has padded. */
static bool header_valid(struct iobuf *packet)
{
    const uint8_t *header = packet->data;
    size_t have = iobuf_length(packet), header_bytes, total;

    if (have < IPV4_HEADER || header[0] >> 4 != 4)
        return false;
    header_bytes = (size_t)(header[0] & 15) * 4;
    total = get_be16(header + 2);
    if (header_bytes < IPV4_HEADER || total < header_bytes || total > have)
        return false;
    if (net_checksum_finish(net_checksum_add(0, header, header_bytes)))
        return false;
    packet->tail = packet->data + total;
    return header_bytes == IPV4_HEADER ||
           options_allowed(header + IPV4_HEADER, header_bytes - IPV4_HEADER);
}

static bool addresses_valid(const struct ipv4_packet *packet)
{
    if (packet->broadcast && !ipv4_is_broadcast(packet->destination) &&
        !is_group(packet->destination) && state.address)
        return false; /* RFC 1122 3.3.6: link broadcast of a unicast */
    if (packet->source == state.address || !ipv4_is_unicast(packet->source))
        return false;
    return packet->broadcast ||
           (state.address && packet->destination == state.address);
}

static void dispatch(struct iobuf *payload, const struct ipv4_packet *packet,
                     uint8_t protocol)
{
    struct net_address source = net_address_v4(packet->source);
    struct net_address destination = net_address_v4(packet->destination);

    switch (protocol) {
    case IP_TCP:
        if (packet->broadcast)
            break; /* RFC 9293 3.9.2.3 */
        tcp_input(payload, &source, &destination);
        return;
    case IP_UDP:
        udp_input(payload->data, iobuf_length(payload), packet);
        break;
    case IP_ICMP:
        icmp_input(payload, packet);
        return;
    default:
        icmp_send_unreachable(packet, ICMP_PROTOCOL_UNREACHABLE);
        break;
    }
    iobuf_release(payload);
}

/* A datagram that has come in pieces and is complete. */
static void dispatch_whole(const uint8_t *whole, size_t header_bytes,
                           size_t bytes, struct ipv4_packet *packet)
{
    uint8_t protocol = whole[9 - (ptrdiff_t)header_bytes];
    struct iobuf *copy;

    packet->header = whole - header_bytes;
    packet->header_bytes = (uint16_t)header_bytes;
    if (protocol == IP_UDP) {
        udp_input(whole, bytes, packet);
        return;
    }
    copy = iobuf_alloc();
    if (!copy)
        return;
    if (bytes <= iobuf_tailroom(copy)) {
        memcpy(iobuf_put(copy, bytes), whole, bytes);
        dispatch(copy, packet, protocol);
    } else {
        iobuf_release(copy);
    }
}

void ipv4_input(struct iobuf *frame, bool broadcast)
{
    const uint8_t *header = frame->data;
    struct ipv4_packet packet;
    size_t first_bytes, total;
    const uint8_t *whole;

    if (!header_valid(frame))
        goto drop;
    packet.source = get_be32(header + 12);
    packet.destination = get_be32(header + 16);
    /* Without an address everything is for whoever listens: some DHCP servers
     * write to the address that they are about to give. */
    packet.broadcast = broadcast || !state.address ||
                       is_group(packet.destination) ||
                       ipv4_is_broadcast(packet.destination);
    packet.header = header;
    packet.header_bytes = (uint16_t)((header[0] & 15) * 4);
    if (!addresses_valid(&packet))
        goto drop;
    if (!(get_be16(header + 6) & IPV4_FRAGMENT_MASK)) {
        iobuf_pull(frame, packet.header_bytes);
        dispatch(frame, &packet, header[9]);
        return;
    }
    whole = ipv4_fragment_add(header, packet.header_bytes,
                              iobuf_length(frame) - packet.header_bytes,
                              &first_bytes, &total);
    if (whole)
        dispatch_whole(whole, first_bytes, total, &packet);
drop:
    iobuf_release(frame);
}

static void push_header(struct iobuf *packet, uint32_t source,
                        uint32_t destination, enum ip_protocol protocol,
                        bool keep_whole)
{
    uint8_t *p = iobuf_push(packet, IPV4_HEADER);

    put_be16(p, 0x4500);
    put_be16(p + 2, (uint16_t)iobuf_length(packet));
    /* An identification is of use for fragments only (RFC 6864 4.1). */
    put_be16(p + 4, keep_whole ? 0 : (uint16_t)random_u32());
    put_be16(p + 6, keep_whole ? IPV4_KEEP_WHOLE : 0);
    p[8] = is_group(destination) ? IPV4_GROUP_TTL : IPV4_TTL;
    p[9] = (uint8_t)protocol;
    put_be16(p + 10, 0);
    put_be32(p + 12, source);
    put_be32(p + 16, destination);
    net_checksum_store(
        p + 10, net_checksum_finish(net_checksum_add(0, p, IPV4_HEADER)));
}

/* 0: none. */
static uint32_t next_hop_to(uint32_t destination)
{
    return (destination ^ state.address) & state.mask ? state.gateway
                                                      : destination;
}

bool ip_ready(const struct net_address *destination)
{
    return state.address != 0 && net_address_is_v4(destination) &&
           arp_knows(next_hop_to(net_address_to_v4(destination)));
}

enum err ipv4_output(struct iobuf *packet, uint32_t source,
                     uint32_t destination, enum ip_protocol protocol,
                     bool keep_whole)
{
    uint32_t next_hop;

    if (is_group(destination) && source == state.address) {
        uint8_t hardware[ETHERNET_ADDRESS];

        group_hardware(destination, hardware);
        push_header(packet, source, destination, protocol, keep_whole);
        return ethernet_output(packet, hardware, ETHERNET_IPV4);
    }
    if (ipv4_is_broadcast(destination)) {
        push_header(packet, source, destination, protocol, keep_whole);
        return ethernet_output(packet, ethernet_broadcast, ETHERNET_IPV4);
    }
    if (!state.address || source != state.address ||
        !ipv4_is_unicast(destination) || destination == state.address)
        return ERR_NOT_FOUND;
    next_hop = next_hop_to(destination);
    if (!next_hop)
        return ERR_NOT_FOUND;
    push_header(packet, source, destination, protocol, keep_whole);
    return arp_send(packet, next_hop);
}

enum err ip_output(struct iobuf *packet, const struct net_address *source,
                   const struct net_address *destination,
                   enum ip_protocol protocol, bool keep_whole)
{
    if (!net_address_is_v4(source) || !net_address_is_v4(destination))
        return ERR_UNSUPPORTED;
    return ipv4_output(packet, net_address_to_v4(source),
                       net_address_to_v4(destination), protocol, keep_whole);
}

enum err ip_source(const struct net_address *destination,
                   struct net_address *source)
{
    if (!state.address || !net_address_is_v4(destination) ||
        (!ipv4_is_unicast(net_address_to_v4(destination)) &&
         !is_group(net_address_to_v4(destination))))
        return ERR_NOT_FOUND;
    *source = net_address_v4(state.address);
    return OK;
}

enum err ipv4_module_init(void)
{
    memset(&state, 0, sizeof(state));
    return ipv4_fragment_module_init();
}
