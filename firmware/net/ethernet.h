/* Ethernet II frames (RFC 894) of the one interface. */
#ifndef NET_ETHERNET_H
#define NET_ETHERNET_H

#include "core/err.h"
#include "core/iobuf.h"
#include <stdbool.h>
#include <stdint.h>

#define ETHERNET_ADDRESS 6
#define ETHERNET_HEADER  14
#define ETHERNET_MTU     1500

enum ethernet_type {
    ETHERNET_IPV4 = 0x0800,
    ETHERNET_ARP = 0x0806,
};

/* ethernet_set_address - our own hardware address, from the card. */
void ethernet_set_address(const uint8_t address[ETHERNET_ADDRESS]);
const uint8_t *ethernet_address(void);

/* ethernet_input - one frame as it came from the card; takes over the caller's
 * reference. */
void ethernet_input(struct iobuf *frame);

/* ethernet_output - pushes the header and hands the frame to the card. The
 * caller keeps its reference; data is left at the header, because the card may
 * still hold the frame. Returns OK or ERR_BUSY (queue full, no card). */
enum err ethernet_output(struct iobuf *frame,
                         const uint8_t to[ETHERNET_ADDRESS],
                         enum ethernet_type type) MUST_CHECK;

/* ethernet_join - frames to this group address are taken, too; one group. */
void ethernet_join(const uint8_t group[ETHERNET_ADDRESS]);

extern const uint8_t ethernet_broadcast[ETHERNET_ADDRESS];

#endif
