/* Log lines to a syslog server: RFC 5424 over UDP (RFC 5426). */
#ifndef NET_SYSLOG_H
#define NET_SYSLOG_H

#include "core/err.h"
#include "net/address.h"
#include <stdint.h>

#define SYSLOG_PORT 514 /* RFC 5426 3.3 */

/* syslog_module_init - memory for waiting lines; once. OK or ERR_MEMORY. */
enum err syslog_module_init(void) MUST_CHECK;

/* syslog_configure - where lines go from now on; port 0: nowhere. What waits
 * goes there too. hostname: the full name of this server, "" if there is none
 * (then its address is told instead). */
void syslog_configure(const struct net_endpoint *server, const char *hostname);

struct syslog_figures {
    uint64_t sent;
    uint64_t lost; /* more than could be sent, or the server was not there */
};
void syslog_figures(struct syslog_figures *figures);

#endif
