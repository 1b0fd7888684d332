/* Inside of the relay: what its files give each other. Not for other rooms.
 *
 *   store --due--> recipients in memory, gathered in jobs (one message to one
 *   host) --> hosts (jobs that wait for one next hop) --> sessions, each with
 *   one job at a time --> outcomes --settle--> store
 *
 * A recipient in memory is known by its QueueID: a row that is held is not read
 * again, until its outcome is durable. */
#ifndef RELAY_RELAY_INTERNAL_H
#define RELAY_RELAY_INTERNAL_H

#include "core/list.h"
#include "core/task.h"
#include "relay/relay.h"
#include "store/st_queue.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_RECIPIENTS_MAX 100 /* in one transaction */

/* ---- Recipients and jobs ------------------------------------------------- */

enum relay_outcome {
    RELAY_PENDING,
    RELAY_ACCEPTED, /* RCPT was: the message itself decides */
    RELAY_DELIVERED,
    RELAY_RELAYED, /* delivered, and nobody will tell the sender so */
    RELAY_DEFERRED,
    RELAY_FAILED,
};

struct relay_recipient {
    struct list link; /* in its job, or free */
    struct list hash; /* by queue_id */
    int64_t queue_id;
    uint32_t attempts;
    uint8_t notify;
    uint8_t outcome; /* enum relay_outcome */
    bool delayed;
    bool automatic; /* its message has no sender */
    bool expired;   /* failed for that */
    bool told;      /* the notice that is being stored is about it */
    char address[USER_ADDRESS_BYTES];
    char orcpt[STORE_ORCPT_BYTES];
    char reply[STORE_REPLY_BYTES]; /* "host said: 550 5.1.1 ..." or ours */
};

struct relay_host;

/* One message to one host. */
struct relay_job {
    struct list link;       /* waiting at its host, settling, or free */
    struct list recipients; /* relay_recipient.link */
    unsigned count;
    struct relay_host *host;
    bool under_way; /* counted so at its host */
    int64_t message_id;
    int64_t received_ms, expires_ms;
    uint64_t bytes;
    bool smtputf8, eight_bit;
    uint8_t returning; /* enum store_return */
    char sender[USER_ADDRESS_BYTES];
    char envid[STORE_ENVID_BYTES];
};

/* ---- Hosts --------------------------------------------------------------- */

/* A next hop: a recipient domain, or the server of a route. */
struct relay_host {
    struct list link;    /* all that are in use, least recently used first */
    struct list ready;   /* in the ring of those with waiting jobs */
    struct list jobs;    /* waiting */
    struct list waiting; /* sessions that may take no job yet */
    unsigned active;     /* sessions */
    unsigned under_way;  /* jobs taken whose outcome is not durable */
    unsigned limit;      /* of them, learnt from how it goes */
    bool routed;         /* name is a server, not a domain with MX */
    uint16_t port;
    char name[USER_DOMAIN_BYTES]; /* or "[literal]" */
    char login[STORE_LOGIN_BYTES];
    char password[STORE_LOGIN_BYTES];
    uint64_t dead_until_ms;        /* of timer_now_ms(): nothing is tried */
    char reply[STORE_REPLY_BYTES]; /* why */
};

/* ---- relay.c ------------------------------------------------------------- */

extern struct relay_context {
    struct relay_figures figures;
    struct task_pool pool;
    const struct relay_network *network;
    bool started, stopping;
} relay_context;

/* relay_own_name - the name of this server for EHLO, or NULL: not a domain. */
const char *relay_own_name(void);

/* ---- relay_queue.c ------------------------------------------------------- */

enum err relay_queue_init(unsigned recipients) MUST_CHECK;

/* relay_queue_wake - looks at the queue as soon as it can. */
void relay_queue_wake(void);

/* relay_queue_reload - what waits in memory is dropped, and read again. */
void relay_queue_reload(void);

/* relay_queue_forget - recipients of the job without an outcome are dropped, to
 * be read from the store again; the others are settled. */
void relay_queue_forget(struct relay_job *job);

/* relay_queue_free_... - after the outcomes are durable. */
void relay_queue_free_recipient(struct relay_recipient *recipient);
void relay_queue_free_job(struct relay_job *job);

/* relay_queue_kept - how many recipients are in memory. */
unsigned relay_queue_kept(void);

/* ---- relay_host.c -------------------------------------------------------- */

enum err relay_host_init(unsigned hosts) MUST_CHECK;

/* relay_host_find - the host that mail for a due recipient goes to, made anew
 * where there is none. NULL: no further host fits in. */
struct relay_host *relay_host_find(const struct store_due *due);

/* relay_host_add - a job waits for its host. first: before all others. */
void relay_host_add(struct relay_job *job, bool first);

/* relay_host_next_job - takes the next waiting job of a host; NULL: none. */
struct relay_job *relay_host_next_job(struct relay_host *host);

/* relay_host_any_job - takes a waiting job from any host, but not under way;
 * NULL: none waits. */
struct relay_job *relay_host_any_job(void);

/* relay_host_must_wait - whether jobs wait, and none may be taken before the
 * outcome of another one is durable: a power cut makes a host get twice only
 * what is under way, and that is as many messages as it may get sessions. */
bool relay_host_must_wait(const struct relay_host *host);

/* relay_host_settled - the job's outcome is durable, or it was dropped. */
void relay_host_settled(struct relay_job *job);

/* relay_host_failed - nobody can be reached there: every waiting job gets the
 * same outcome. The host is left alone for a while, unless it is permanent. */
void relay_host_failed(struct relay_host *host, bool permanent,
                       const char *reply);

/* relay_host_works - a session was taken; more of them may be tried. */
void relay_host_works(struct relay_host *host);

/* relay_host_left - a session of the host has ended. */
void relay_host_left(struct relay_host *host);

/* relay_host_pause - no session is begun for a second: there is no connection
 * free, or no network. */
void relay_host_pause(void);

/* relay_host_schedule - starts sessions where jobs wait. */
void relay_host_schedule(void);

/* ---- relay_session.c ----------------------------------------------------- */

enum err relay_session_init(unsigned sessions) MUST_CHECK;

/* relay_session_stop - ends those that do not wait for a last answer. */
void relay_session_stop(void);

/* relay_session_begin - a session for a host and a job of it. Returns false
 * when no task is free: nothing was taken. */
bool relay_session_begin(struct relay_host *host);

/* relay_session_resume - one of the sessions that wait for a job of this host
 * goes on. Returns false when there is none. */
bool relay_session_resume(struct relay_host *host);

/* ---- relay_envelope.c ---------------------------------------------------- */

/* relay_decide - the outcome of every recipient of the job that has none. */
void relay_decide(struct relay_job *job, enum relay_outcome outcome,
                  const char *reply);

/* ---- relay_settle.c ------------------------------------------------------ */

enum err relay_settle_init(unsigned settlements, unsigned notices) MUST_CHECK;

/* relay_settle - all recipients of the job have an outcome: makes it durable,
 * tells the sender, and frees the job. Goes on until it is done. */
void relay_settle(struct relay_job *job);

/* relay_settle_idle - whether nothing is left to be stored. */
bool relay_settle_idle(void);

/* relay_retry_ms - how long to wait after so many attempts, without jitter. */
int64_t relay_retry_ms(uint32_t attempts);

/* ---- relay_notice.c ------------------------------------------------------ */

#define RELAY_NOTICE_BYTES ((size_t)65536)

/* relay_notice_wanted - whether the sender wants to hear of this outcome. */
bool relay_notice_wanted(const struct relay_job *job,
                         const struct relay_recipient *recipient,
                         bool delay_due);

/* relay_notice_write - the notice about recipients of a job, as many of them as
 * fit. buffer: RELAY_NOTICE_BYTES. Returns how many it is about. */
unsigned relay_notice_write(struct store_notice *notice, char *buffer,
                            const struct relay_job *job,
                            struct relay_recipient *const *recipients,
                            unsigned count);

#endif
