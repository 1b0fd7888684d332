/* Limits against abuse, for every mail protocol: one table of settings, and the
 * counting that goes with it.
 *
 * Nothing here waits or says anything to a client: functions answer what the
 * protocol should do, or how long it should keep a reply back (by a timer of
 * its own). Clients with private addresses (limits_private) are counted, but
 * not limited, unless the setting limit_private is 1. */
#ifndef LIMITS_LIMITS_H
#define LIMITS_LIMITS_H

#include "core/err.h"
#include "net/address.h"
#include <stdbool.h>
#include <stdint.h>

/* Every limit is a setting of this name in the store; 0 turns one off. */
enum limit {
    LIMIT_SESSIONS,           /* limit_sessions: at once, of one address */
    LIMIT_SESSIONS_NET,       /* limit_sessions_net: of a /24, or an IPv6 /56 */
    LIMIT_CONNECTIONS,        /* limit_connections: a minute, of one address */
    LIMIT_INVALID_RECIPIENTS, /* limit_invalid_recipients: of one session */
    LIMIT_USER_MESSAGES,      /* limit_user_messages: an hour, of one user */
    LIMIT_USER_RECIPIENTS,    /* limit_user_recipients: an hour, of one user */
    LIMIT_TARPIT_MS,          /* tarpit_ms: the first delay of a reply */
    LIMIT_GREET_DELAY_MS,     /* greet_delay_ms: before the greeting */
    LIMIT_SLOW_STRANGERS_MS,  /* slow_strangers_ms: the reply to RCPT */
    LIMIT_PRIVATE,            /* limit_private: 1: private addresses too */
    LIMITS
};

/* limits_setting - what holds now: the setting, or its default. */
int64_t limits_setting(enum limit limit);

/* limits_name - its name in the store, for help and log. */
const char *limits_name(enum limit limit);

/* limits_private - whether an address is loopback, link-local or for private
 * networks (RFC 1122 3.2.1.3, RFC 1918, RFC 3927, RFC 4193, RFC 4291 2.5). */
bool limits_private(const struct net_address *address);

/* limits_init - the table of addresses and users, sized for so many sessions;
 * once. Returns OK or ERR_MEMORY. */
enum err limits_init(unsigned sessions) MUST_CHECK;

/* ---- Sessions ------------------------------------------------------------ */

/* A session as it is seen here; embedded in the protocol's own. */
struct limits_session {
    struct net_address address;
    bool counted_address, counted_net;
    bool exempt;     /* private address */
    bool trusted;    /* the protocol sets it: somebody has logged in */
    uint8_t invalid; /* recipients that do not exist */
};

/* limits_begin - a client has connected. Returns OK, and limits_end() has to
 * follow; or ERR_BUSY (too many at once) or ERR_REFUSED (too many a minute):
 * to be turned away for now. The one who turned away need not call
 * limits_end(). */
enum err limits_begin(struct limits_session *session,
                      const struct net_address *address) MUST_CHECK;
void limits_end(struct limits_session *session);

/* limits_applies - whether this session is to be limited at all: not when it
 * has a private address or has logged in. */
bool limits_applies(const struct limits_session *session);

/* limits_invalid_recipient - a recipient was refused because there is none of
 * that name. delay_ms: how long the reply is to be kept back.
 * Returns OK, or ERR_REFUSED: this is one guess too many, close. */
enum err limits_invalid_recipient(struct limits_session *session,
                                  uint32_t *delay_ms) MUST_CHECK;

/* ---- Users who send ------------------------------------------------------ */

/* limits_user_may - whether a user may send one more message, resp. name one
 * more recipient, now; counts it if so. Returns OK or ERR_BUSY: later. */
enum err limits_user_message(int64_t user_id,
                             const struct limits_session *session) MUST_CHECK;
enum err limits_user_recipient(int64_t user_id,
                               const struct limits_session *session) MUST_CHECK;

struct limits_figures {
    uint64_t turned_away; /* connections */
    uint64_t tarpitted;   /* replies kept back */
    uint64_t held_back;   /* messages and recipients of users */
    uint64_t strangers;   /* slowed */
    uint64_t listed;      /* clients on a block list */
};
struct limits_figures *limits_figures(void);

#endif
