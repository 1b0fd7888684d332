/* Internet addresses: 128 bits wide everywhere inside; an IPv4 address is held
 * in its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_address {
    uint8_t bytes[16]; /* network order */
};

/* One end of a TCP connection or a UDP datagram. */
struct net_endpoint {
    struct net_address address;
    uint16_t port; /* host order */
};

/* Longest text form with its NUL: "[...]" is not added. */
#define NET_ADDRESS_TEXT 46

struct net_address net_address_v4(uint32_t host_order);
bool net_address_is_v4(const struct net_address *address);
/* The IPv4 address in host order; only for a v4 one. */
uint32_t net_address_to_v4(const struct net_address *address);
bool net_address_equal(const struct net_address *a,
                       const struct net_address *b);

/* net_address_parse - "192.0.2.1" or an IPv6 text form (RFC 4291 2.2).
 * Returns OK or ERR_INVALID. */
enum err net_address_parse(const char *text,
                           struct net_address *address) MUST_CHECK;

/* net_address_format - the text form (RFC 5952); text has NET_ADDRESS_TEXT
 * bytes. Returns text. */
char *net_address_format(const struct net_address *address, char *text);

#endif
