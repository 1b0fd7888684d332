/* Multicast DNS responder (RFC 6762): "<hostname>.local" on the own network. */
#ifndef NET_MDNS_H
#define NET_MDNS_H

#include <stdint.h>

/* 224.0.0.251 */
#define MDNS_GROUP 0xE00000FBU

/* mdns_module_init - silent until there are name and address; once. */
void mdns_module_init(void);

/* mdns_configure - the name to answer for, one label of letters, digits and
 * '-'; "" for none. When somebody else has it, "-2" is appended, and so on. */
void mdns_configure(const char *label);

/* mdns_address - the own address (host order, 0: none) has changed, or the link
 * has come back. */
void mdns_address(uint32_t address);

/* mdns_stop - tells the others that the name is gone. */
void mdns_stop(void);

/* mdns_name - what is answered for, e.g. "mail.local"; "" while nothing is. */
const char *mdns_name(void);

#endif
