/* A peer's DHCP server (RFC 2131): one lease, SIM_AO_IP, for 600 s. */
#include "core/bytes.h"
#include "tests/sim/peer.h"
#include <string.h>

#define COOKIE   0x63825363u
#define DISCOVER 1
#define OFFER    2
#define REQUEST  3
#define ACKED    5
#define REFUSED  6
#define FIXED    240 /* BOOTP part and cookie */

static const uint8_t *option(const uint8_t *message, size_t len, uint8_t code)
{
    for (size_t i = FIXED; i + 1 < len && message[i] != 255;) {
        if (message[i] == 0) {
            i++;
            continue;
        }
        if (message[i + 1] + 2u > len - i)
            sim_fail("dhcp: option %u is cut off", message[i]);
        if (message[i] == code)
            return message + i + 1;
        i += message[i + 1] + 2u;
    }
    return NULL;
}

static uint8_t *add_address(uint8_t *to, uint8_t code, uint32_t value)
{
    to[0] = code;
    to[1] = 4;
    put_be32(to + 2, value);
    return to + 6;
}

static void answer(struct sim_peer *peer, const uint8_t *request, uint8_t type)
{
    uint8_t packet[8 + FIXED + 64];
    uint8_t *message = packet + 8;
    uint8_t *to = message + FIXED;
    size_t len;

    memset(packet, 0, sizeof(packet));
    memcpy(message, request, 44);
    message[0] = 2;
    put_be32(message + 16, type == REFUSED ? 0 : SIM_AO_IP);
    put_be32(message + 20, peer->ip);
    put_be32(message + 236, COOKIE);
    *to++ = 53;
    *to++ = 1;
    *to++ = type;
    to = add_address(to, 54, peer->ip);
    to = add_address(to, 1, 0xffffff00);
    to = add_address(to, 3, SIM_GATEWAY_IP);
    to = add_address(to, 6, peer->ip);
    to = add_address(to, 51, 600);
    *to++ = 255;
    len = (size_t)(to - packet);
    put_be16(packet, 67);
    put_be16(packet + 2, 68);
    put_be16(packet + 4, (uint16_t)len);
    put_be16(packet + 6, sim_checksum(peer->ip, 0xffffffff, 17, packet, len));
    sim_peer_frame(peer, sim_ao_mac, peer->ip, 0xffffffff, 17, packet, len);
}

void sim_dhcp_input(struct sim_peer *peer, const uint8_t *message, size_t len)
{
    const uint8_t *type, *wanted;

    if (len < FIXED || message[0] != 1 || get_be32(message + 236) != COOKIE)
        sim_fail("dhcp: not a request");
    if (memcmp(message + 28, sim_ao_mac, 6) != 0)
        sim_fail("dhcp: chaddr is not the AO's MAC");
    type = option(message, len, 53);
    if (type == NULL || type[0] != 1)
        sim_fail("dhcp: no message type");
    if (type[1] == DISCOVER)
        answer(peer, message, OFFER);
    if (type[1] != REQUEST)
        return;
    wanted = option(message, len, 50);
    if (get_be32(message + 12) == SIM_AO_IP ||
        (wanted != NULL && wanted[0] == 4 && get_be32(wanted + 1) == SIM_AO_IP))
        answer(peer, message, ACKED);
    else
        answer(peer, message, REFUSED);
}
