/* DHCP client (RFC 2131, RFC 2132). */
#ifndef NET_DHCP_H
#define NET_DHCP_H

#include "core/err.h"
#include <stdbool.h>
#include <stdint.h>

struct dhcp_lease {
    uint32_t address, server, gateway; /* host order; 0: none */
    uint32_t dns[3], ntp[3];
    uint8_t prefix;
    uint64_t renew_ms, rebind_ms, ends_ms; /* monotonic */
};

/* dhcp_module_init - opens nothing yet; once. */
void dhcp_module_init(void);

/* dhcp_start - looks for a lease; asks for the last one first when there was
 * one (RFC 2131 3.2).
 * changed: called with each new or renewed lease, and with NULL when the
 * address must not be used any more. */
void dhcp_start(const char *hostname,
                void (*changed)(const struct dhcp_lease *lease));

/* dhcp_stop - falls silent; the lease is remembered. */
void dhcp_stop(void);

/* dhcp_forget - another network, another configuration: no lease to ask for. */
void dhcp_forget(void);

/* dhcp_conflict - somebody else uses the leased address: decline it. */
void dhcp_conflict(void);

#endif
