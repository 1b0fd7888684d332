/* A peer's Ethernet, ARP (RFC 826), IPv4 (RFC 791) and its way to UDP and TCP.
 * Not done: fragments (the AO never makes any), options. */
#include "tests/sim/peer.h"
#include "core/bytes.h"
#include <string.h>

#define ETHERNET  14
#define ARP_BYTES 28
#define ASK_AGAIN (400 * SIM_MS)

const uint8_t sim_ao_mac[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0xa0};

static const uint8_t everyone[6] = {255, 255, 255, 255, 255, 255};

/* ---- ARP --------------------------------------------------------------- */

static void arp_send(struct sim_peer *peer, uint16_t operation,
                     const uint8_t to_mac[6], uint32_t to_ip)
{
    uint8_t frame[ETHERNET + ARP_BYTES];
    uint8_t *arp = frame + ETHERNET;

    memcpy(frame, to_mac, 6);
    memcpy(frame + 6, peer->port.mac, 6);
    put_be16(frame + 12, 0x0806);
    put_be16(arp, 1);
    put_be16(arp + 2, 0x0800);
    arp[4] = 6;
    arp[5] = 4;
    put_be16(arp + 6, operation);
    memcpy(arp + 8, peer->port.mac, 6);
    put_be32(arp + 14, peer->arp_ip);
    memset(arp + 18, 0, 6);
    if (operation == 2)
        memcpy(arp + 18, to_mac, 6);
    put_be32(arp + 24, to_ip);
    sim_wire_send(frame, sizeof(frame));
}

static void ask(struct sim_event *event)
{
    struct sim_peer *peer = SIM_ELEMENT(event, struct sim_peer, ask);

    if (peer->knows_ao)
        return;
    arp_send(peer, 1, everyone, SIM_AO_IP);
    sim_event_start(&peer->ask, ASK_AGAIN);
}

static void arp_input(struct sim_peer *peer, const uint8_t *arp, size_t len)
{
    uint16_t operation;

    if (len < ARP_BYTES)
        sim_fail("peer: ARP of %zu bytes", len);
    operation = get_be16(arp + 6);
    if (memcmp(arp + 8, sim_ao_mac, 6) != 0)
        sim_fail("peer: ARP from the AO with another sender's MAC");
    if (operation == 1 && get_be32(arp + 24) == peer->arp_ip)
        arp_send(peer, 2, arp + 8, get_be32(arp + 14));
    if (operation == 2 && get_be32(arp + 14) == SIM_AO_IP && !peer->knows_ao) {
        peer->knows_ao = true;
        sim_event_stop(&peer->ask);
        sim_tcp_kick(peer);
    }
}

/* ---- IPv4 -------------------------------------------------------------- */

static uint32_t sum(uint32_t so_far, const uint8_t *data, size_t len)
{
    for (; len > 1; len -= 2, data += 2)
        so_far += get_be16(data);
    if (len == 1)
        so_far += (uint32_t)data[0] << 8;
    return so_far;
}

static uint16_t fold(uint32_t value)
{
    while (value > 0xffff)
        value = (value & 0xffff) + (value >> 16);
    return (uint16_t)~value;
}

uint16_t sim_checksum(uint32_t source, uint32_t destination, uint8_t protocol,
                      const void *payload, size_t len)
{
    uint32_t value = (source >> 16) + (source & 0xffff) + (destination >> 16) +
                     (destination & 0xffff) + protocol + (uint32_t)len;

    return fold(sum(value, payload, len));
}

void sim_peer_frame(struct sim_peer *peer, const uint8_t mac[6],
                    uint32_t source, uint32_t destination, uint8_t protocol,
                    const void *payload, size_t len)
{
    uint8_t frame[SIM_FRAME_BYTES];
    uint8_t *ip = frame + ETHERNET;

    if (len > sizeof(frame) - ETHERNET - 20)
        sim_fail("peer: a packet of %zu bytes", len);
    memcpy(frame, mac, 6);
    memcpy(frame + 6, peer->port.mac, 6);
    put_be16(frame + 12, 0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put_be16(ip + 2, (uint16_t)(20 + len));
    put_be16(ip + 4, peer->packet_id++);
    ip[8] = 64;
    ip[9] = protocol;
    put_be32(ip + 12, source);
    put_be32(ip + 16, destination);
    put_be16(ip + 10, fold(sum(0, ip, 20)));
    memcpy(ip + 20, payload, len);
    sim_wire_send(frame, ETHERNET + 20 + len);
}

void sim_peer_ip(struct sim_peer *peer, uint8_t protocol, const void *payload,
                 size_t len)
{
    if (!peer->knows_ao) {
        if (peer->ask.place == 0)
            ask(&peer->ask);
        return;
    }
    sim_peer_frame(peer, sim_ao_mac, peer->ip, SIM_AO_IP, protocol, payload,
                   len);
}

static void ip_input(struct sim_peer *peer, const uint8_t *packet, size_t len)
{
    uint8_t copy[SIM_FRAME_BYTES];
    size_t total, header;
    uint32_t source, destination;

    if (len < 20 || packet[0] >> 4 != 4)
        return;
    header = (packet[0] & 15u) * 4;
    total = get_be16(packet + 2);
    /* A turned bit is what the wire has done, not the AO. */
    if (header < 20 || total < header || total > len ||
        fold(sum(0, packet, header)) != 0)
        return;
    source = get_be32(packet + 12);
    destination = get_be32(packet + 16);
    memcpy(copy, packet + header, total - header);
    if (packet[9] == 6 && destination == peer->ip)
        sim_tcp_input(peer, source, copy, total - header);
    if (packet[9] == 17 && peer->dhcp_server && total - header >= 8 &&
        get_be16(copy + 2) == 67 &&
        sim_checksum(source, destination, 17, copy, total - header) == 0)
        sim_dhcp_input(peer, copy + 8, total - header - 8);
    if (packet[9] == 17 && peer->records != NULL && total - header >= 8 &&
        destination == peer->ip && get_be16(copy + 2) == 53)
        sim_dns_input(peer, get_be16(copy), copy + 8, total - header - 8);
    if (packet[9] == 17 && peer->file != NULL && destination == peer->ip)
        sim_tftp_input(peer, copy, total - header);
}

static void receive(struct sim_port *port, const uint8_t *frame, size_t len)
{
    struct sim_peer *peer = SIM_ELEMENT(port, struct sim_peer, port);

    if (get_be16(frame + 12) == 0x0806)
        arp_input(peer, frame + ETHERNET, len - ETHERNET);
    if (get_be16(frame + 12) == 0x0800)
        ip_input(peer, frame + ETHERNET, len - ETHERNET);
}

void sim_peer_start(struct sim_peer *peer, unsigned index, uint32_t ip,
                    bool behind_gateway)
{
    memset(peer, 0, sizeof(*peer));
    peer->ip = ip;
    peer->arp_ip = behind_gateway ? SIM_GATEWAY_IP : ip;
    sim_random_init(&peer->random, sim_options.seed, "peer",
                    sim_shared->boot * 1000ull + index);
    peer->next_port = (uint16_t)sim_random_range(&peer->random, 20000, 60000);
    list_init(&peer->connections);
    sim_event_init(&peer->ask, ask);
    memcpy(peer->port.mac, (const uint8_t[]){2, 0, 0, 0, 1, (uint8_t)index}, 6);
    peer->port.receive = receive;
    sim_wire_attach(&peer->port);
}
