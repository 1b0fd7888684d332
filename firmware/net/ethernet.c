/* Ethernet II: the header on the way out, the choice of ARP or IPv4 on the way
 * in. IEEE 802.3 length frames, VLAN tags and more than one multicast group are
 * not taken. */
#include "net/ethernet.h"
#include "core/bytes.h"
#include "core/machine.h"
#include "net/arp.h"
#include "net/ipv4.h"
#include <string.h>

const uint8_t ethernet_broadcast[ETHERNET_ADDRESS] = {255, 255, 255,
                                                      255, 255, 255};

static struct {
    uint8_t address[ETHERNET_ADDRESS];
    uint8_t group[ETHERNET_ADDRESS];
} state;

void ethernet_set_address(const uint8_t address[ETHERNET_ADDRESS])
{
    memcpy(state.address, address, ETHERNET_ADDRESS);
}

const uint8_t *ethernet_address(void)
{
    return state.address;
}

void ethernet_join(const uint8_t group[ETHERNET_ADDRESS])
{
    memcpy(state.group, group, ETHERNET_ADDRESS);
    machine_nic_join(group);
}

/* To more than us. */
static bool is_group(const uint8_t *to)
{
    return to[0] & 1 && (!memcmp(to, ethernet_broadcast, ETHERNET_ADDRESS) ||
                         !memcmp(to, state.group, ETHERNET_ADDRESS));
}

void ethernet_input(struct iobuf *frame)
{
    const uint8_t *header = frame->data;
    bool broadcast;

    if (iobuf_length(frame) < ETHERNET_HEADER)
        goto drop;
    broadcast = is_group(header);
    if (!broadcast && memcmp(header, state.address, ETHERNET_ADDRESS))
        goto drop;
    /* A group address cannot be a sender (IEEE 802.3 3.2.3). */
    if (header[ETHERNET_ADDRESS] & 1)
        goto drop;
    iobuf_pull(frame, ETHERNET_HEADER);
    switch (get_be16(header + 12)) {
    case ETHERNET_IPV4:
        ipv4_input(frame, broadcast);
        return;
    case ETHERNET_ARP:
        arp_input(frame);
        return;
    default:
        break;
    }
drop:
    iobuf_release(frame);
}

enum err ethernet_output(struct iobuf *frame,
                         const uint8_t to[ETHERNET_ADDRESS],
                         enum ethernet_type type)
{
    uint8_t *header = iobuf_push(frame, ETHERNET_HEADER);

    memcpy(header, to, ETHERNET_ADDRESS);
    memcpy(header + 6, state.address, ETHERNET_ADDRESS);
    put_be16(header + 12, (uint16_t)type);
    return machine_nic_send(frame) ? OK : ERR_BUSY;
}
