/* The Internet checksum (RFC 1071).
 *
 * Sums are kept in memory order: the value is stored into and compared with the
 * field of a header as it lies there, without turning bytes around. Only the
 * last piece of what is summed may have an odd length. */
#ifndef NET_CHECKSUM_H
#define NET_CHECKSUM_H

#include "net/address.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* net_checksum_add - adds bytes to a sum that began with 0. */
uint32_t net_checksum_add(uint32_t sum, const void *data, size_t bytes);

/* net_checksum_pseudo - the part of the pseudo header that stays the same for a
 * connection: both addresses and the protocol (RFC 9293 3.1, RFC 8200 8.1). */
uint32_t net_checksum_pseudo(const struct net_address *source,
                             const struct net_address *destination,
                             uint8_t protocol);

/* The sum of one 16-bit number of host order, e.g. a length. */
static inline uint32_t net_checksum_add_u16(uint32_t sum, uint16_t value)
{
    return sum + __builtin_bswap16(value);
}

/* net_checksum_finish - the value for the checksum field; 0 when what was
 * summed contains a right checksum. */
static inline uint16_t net_checksum_finish(uint32_t sum)
{
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static inline void net_checksum_store(uint8_t *field, uint16_t checksum)
{
    memcpy(field, &checksum, 2);
}

#endif
