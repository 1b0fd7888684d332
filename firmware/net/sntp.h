/* SNTP client (RFC 4330, RFC 5905 14): keeps the wall clock right. */
#ifndef NET_SNTP_H
#define NET_SNTP_H

#include "net/address.h"
#include <stdbool.h>
#include <stdint.h>

/* sntp_module_init - asks nobody yet; once, after dns_module_init(). */
void sntp_module_init(void);

/* sntp_floor - the wall clock is never earlier than this from now on: it is
 * raised at once if it is, and no server is believed that says less.
 * unix_s: a time that is known to be over; a lower one than before is ignored.
 * keep: called with a later one about once an hour while the time is known from
 * a server, so that it can be given here at the next start. */
void sntp_floor(int64_t unix_s, void (*keep)(int64_t unix_s));

/* sntp_configure - whom to ask, from now on.
 * servers: names or addresses separated by blanks; "" for those of DHCP and the
 * public pool; "off" for nobody. */
void sntp_configure(const char *servers);

struct sntp_status {
    bool on;
    bool known; /* a server's time was taken; what follows is of it */
    struct net_address server;
    uint8_t stratum;
    int64_t offset_ms; /* by how much the clock was slow */
    uint64_t taken_ms; /* when, monotonic */
};

void sntp_status(struct sntp_status *status);

#endif
