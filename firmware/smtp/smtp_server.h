/* The SMTP server (RFC 5321): see smtp_server.c for what is done and what is
 * not. */
#ifndef SMTP_SMTP_SERVER_H
#define SMTP_SMTP_SERVER_H

#include "core/err.h"
#include <stdint.h>

/* smtp_server_init - makes `sessions` tasks "SMTPS"; once.
 * Returns OK or ERR_MEMORY. */
enum err smtp_server_init(unsigned sessions) MUST_CHECK;

/* smtp_server_start - listens on the ports 25 and 587. smtp_server_stop -
 * listens no more, and ends every session with 421; one that waits for its
 * message to become durable is answered first. */
void smtp_server_start(void);
void smtp_server_stop(void);

struct smtp_figures {
    unsigned sessions, sessions_peak, capacity;
    uint64_t connections; /* accepted, also those turned away */
    uint64_t turned_away; /* 421 because all tasks were in use */
    uint64_t accepted;    /* messages answered 250 */
    uint64_t refused;     /* messages refused after their data */
    uint64_t recipients;  /* of the accepted messages */
    uint64_t bytes;       /* of the accepted messages, as received */
    uint64_t timeouts;
};

void smtp_figures(struct smtp_figures *figures);

#endif
