/* Address resolution (RFC 826) and address conflict detection (RFC 5227). */
#ifndef NET_ARP_H
#define NET_ARP_H

#include "core/err.h"
#include "core/iobuf.h"
#include <stdbool.h>
#include <stdint.h>

/* arp_module_init - empty cache; once. */
void arp_module_init(void);

/* arp_clear - forgets every neighbour and what waits for one; for a new link or
 * a new address. */
void arp_clear(void);

/* arp_input - one ARP packet, data behind the Ethernet header; takes over the
 * caller's reference. */
void arp_input(struct iobuf *packet);

/* arp_send - sends an IPv4 packet to a neighbour, at once or when its hardware
 * address is known. The caller keeps its reference. next_hop: host order.
 * Returns OK (also when it waits) or ERR_BUSY. */
enum err arp_send(struct iobuf *packet, uint32_t next_hop) MUST_CHECK;

/* arp_knows - whether a packet to this neighbour would go out at once. */
bool arp_knows(uint32_t next_hop);

/* arp_probe - asks whether anybody uses an address (RFC 5227 2.1.1).
 * done: called once, later, with true when somebody does. */
void arp_probe(uint32_t address, void (*done)(bool conflict));

/* arp_announce - tells the neighbours that the address is ours, twice (RFC 5227
 * 2.3), and watches for others that use it from then on: conflict is called
 * when one does so again after having been answered (RFC 5227 2.4 b).
 * address 0: stops probing and watching. */
void arp_announce(uint32_t address, void (*conflict)(void));

#endif
