/* The POP3 server (RFC 1939): see pop3_server.c for what is done and what is
 * not. */
#ifndef POP3_POP3_SERVER_H
#define POP3_POP3_SERVER_H

#include "core/err.h"
#include <stdint.h>

/* pop3_server_init - makes `sessions` tasks "POP3S" and the buffers that they
 * share for sending messages; once. Returns OK or ERR_MEMORY. */
enum err pop3_server_init(unsigned sessions) MUST_CHECK;

/* pop3_server_start - listens on port 110. pop3_server_stop - listens no more
 * and ends every session without deleting what was only marked; one whose QUIT
 * is being carried out is answered first. */
void pop3_server_start(void);
void pop3_server_stop(void);

struct pop3_figures {
    unsigned sessions, sessions_peak, capacity;
    uint64_t connections; /* accepted, also those turned away */
    uint64_t turned_away; /* all tasks were in use */
    uint64_t logins, refused_logins;
    uint64_t retrieved; /* messages sent whole by RETR */
    uint64_t deleted;   /* messages */
    uint64_t bytes;     /* of messages, as stored, sent by RETR and TOP */
    uint64_t timeouts;
};

void pop3_figures(struct pop3_figures *figures);

#endif
