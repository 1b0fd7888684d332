/* The relay, an SMTP client (RFC 5321): its beginning, end and figures.
 *
 *   relay_queue.c     due rows of the store become recipients, jobs
 *   relay_host.c      jobs wait at their next hop; how many sessions it gets
 *   relay_session.c   a session, its states, its stream
 *   relay_route.c     MX, addresses, which one is next
 *   relay_dialogue.c  greeting, EHLO, AUTH
 *   relay_envelope.c  MAIL, RCPT, DATA, and what the answers mean
 *   relay_body.c      the message on its way out
 *   relay_settle.c    outcomes become durable, when to try again
 *   relay_notice.c    what senders are told (RFC 3464)
 *   relay_reply.c     replies and what a server offers
 *
 * A session is a task of the pool "SMTPC"; it serves one host, job after job on
 * one connection while there are any.
 *
 * Invariants: a recipient is in memory at most once, and until its outcome is
 * durable, so that it is not tried again meanwhile: also while the stick is
 * away. So a message reaches a recipient twice only if its server's 250 was
 * lost (RFC 1047), or the power was cut between that and our commit.
 *
 * Done: RFC 5321 with PIPELINING, SIZE, 8BITMIME, SMTPUTF8 (RFC 6531), DSN
 * (RFC 3461), CHUNKING (RFC 3030), LIMITS (RFC 9422), AUTH PLAIN and LOGIN,
 * null MX (RFC 7505). A message with 8-bit text goes as it is to a server
 * without 8BITMIME: every server in use carries it, and converting would break
 * signatures (RFC 6376).
 * Not supported: TLS, IPv6. */
#include "relay/relay.h"
#include "relay/relay_session.h"
#include <string.h>

/* Of the memory given: for sessions, and of the rest for each recipient with
 * its share of a job. */
#define SESSION_SHARE  2
#define SESSIONS_MIN   8u
#define SESSIONS_MAX   64u
#define RECIPIENTS_MIN 256u
#define RECIPIENTS_MAX 4096u
#define HOSTS_SHARE    4
#define SETTLEMENTS    32
#define NOTICES        4

struct relay_context relay_context;

static unsigned clamp(size_t count, unsigned least, unsigned most)
{
    return count < least ? least : count > most ? most : (unsigned)count;
}

enum err relay_init(size_t bytes, const struct relay_network *network)
{
    unsigned sessions =
        clamp(bytes / SESSION_SHARE / sizeof(struct relay_session),
              SESSIONS_MIN, SESSIONS_MAX);
    unsigned recipients =
        clamp(bytes / SESSION_SHARE /
                  (sizeof(struct relay_recipient) + sizeof(struct relay_job)),
              RECIPIENTS_MIN, RECIPIENTS_MAX);
    enum err err;

    memset(&relay_context, 0, sizeof(relay_context));
    relay_context.network = network;
    relay_context.figures.capacity = sessions;
    err = relay_session_init(sessions);
    if (err == OK)
        err = relay_host_init(recipients / HOSTS_SHARE);
    if (err == OK)
        err = relay_settle_init(SETTLEMENTS, NOTICES);
    return err == OK ? relay_queue_init(recipients) : err;
}

void relay_start(void)
{
    relay_context.started = true;
    relay_context.stopping = false;
    st_queue_on_change(relay_queue_wake, relay_queue_reload);
    relay_queue_wake();
}

void relay_stop(void)
{
    relay_context.stopping = true;
    relay_session_stop();
}

bool relay_idle(void)
{
    return relay_context.figures.sessions == 0 && relay_settle_idle();
}

const char *relay_own_name(void)
{
    const char *name = st_setting("hostname");

    return user_domain_valid(name, strlen(name)) ? name : NULL;
}

void relay_figures(struct relay_figures *figures)
{
    *figures = relay_context.figures;
    figures->waiting = relay_queue_kept();
}
