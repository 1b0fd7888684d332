/* A session of the relay, and what the files that carry it on give each other.
 * Not for other rooms. */
#ifndef RELAY_RELAY_SESSION_H
#define RELAY_RELAY_SESSION_H

#include "core/timer.h"
#include "net/dns.h"
#include "net/stream.h"
#include "protocol/dialogue.h"
#include "relay/relay_internal.h"
#include "relay/relay_reply.h"

#define RELAY_LINE_BYTES      1024 /* of a reply; RFC 5321 wants 512 */
#define RELAY_COMMAND_BYTES   1200 /* of ours, with its parameters */
#define RELAY_BLOCK_BYTES     8192 /* of a message, read at a time */
#define RELAY_MX_MAX          8    /* servers of a domain that are tried */
#define RELAY_ADDRESSES_MAX   8    /* addresses of one of them */
#define RELAY_CONNECTIONS_MAX 10   /* for one job, one after the other */
#define RELAY_JOBS_MAX        200  /* on one connection */

/* ---- Sessions ------------------------------------------------------------ */

enum relay_state {
    RELAY_MX,       /* asks for the domain's servers */
    RELAY_ADDRESS,  /* asks for the address of one of them */
    RELAY_IPV6,     /* it has none; whether it has one we cannot use */
    RELAY_CONNECT,  /* waits for the handshake */
    RELAY_BANNER,   /* waits for 220 */
    RELAY_EHLO,     /* EHLO was sent */
    RELAY_HELO,     /* HELO was sent, EHLO is not known there */
    RELAY_AUTH,     /* AUTH PLAIN was sent */
    RELAY_LOGIN,    /* AUTH LOGIN was sent */
    RELAY_USER,     /* and the name */
    RELAY_PASSWORD, /* and the password */
    RELAY_ENVELOPE, /* MAIL, RCPT, DATA are sent and answered */
    RELAY_BODY,     /* the message is being sent */
    RELAY_ANSWER,   /* waits for the answer to the message */
    RELAY_RSET,     /* RSET was sent */
    RELAY_NEXT,     /* between two jobs */
    RELAY_QUIT,     /* QUIT was sent */
    RELAY_OVER,     /* waits for a read of the store, or back in its pool */
    RELAY_STATES
};

struct relay_mx {
    uint16_t preference;
    char name[DNS_NAME_BYTES];
};

struct relay_session {
    struct task task;
    struct timer timer;
    struct relay_host *host;
    struct list waiting;   /* at its host, for a job that it may take */
    struct relay_job *job; /* NULL: none */
    struct stream *stream; /* NULL: none */
    uint8_t state;         /* enum relay_state */
    bool looking;          /* lookup is on its way */
    bool reading;          /* read is on its way */
    bool greeted;          /* EHLO or HELO was accepted on this connection */
    bool stale;            /* the connection has served a job before */
    bool only_ipv6;        /* a server has IPv6 addresses only */
    bool implicit;         /* the domain has no MX and is its own server */
    bool reached; /* a server has listened to a transaction of the job */
    unsigned connections; /* tried for this job */
    unsigned jobs;        /* done on this connection */

    /* Where to. */
    struct relay_mx mx[RELAY_MX_MAX];
    unsigned mx_count, mx_at;
    struct net_address addresses[RELAY_ADDRESSES_MAX];
    unsigned address_count, address_at;
    char reply[STORE_REPLY_BYTES]; /* of the last server that failed */
    bool permanent;                /* and what it said is for ever */

    /* The dialogue. */
    struct relay_reply answer;
    struct relay_offer offer;
    uint16_t out_len, out_sent; /* of `out`: a command that waits for room */
    /* The transaction: MAIL is command 0, RCPT for members[i] i + 1. */
    struct relay_recipient *members[RELAY_RECIPIENTS_MAX];
    unsigned member_count, commands, sent, answered, accepted;
    bool mail_accepted;
    bool data_refused; /* 354 came, and nobody is to get the message */
    bool chunking;     /* by BDAT */

    /* The message. */
    struct st_read read;
    uint64_t offset; /* of what is read next */
    size_t block_len, block_at;
    bool whole;      /* all of it was read */
    size_t trimmed;  /* bytes of it that are not sent: Return-Path */
    bool begun;      /* BDAT was sent */
    bool read_again; /* what is being read is for a connection before */
    bool line_start; /* the next byte begins a line */
    bool after_cr;   /* the last byte was a CR */
    bool dotted;     /* the dot before the next byte is sent */

    struct dns_lookup lookup;
    struct dialogue dialogue; /* of replies */
    char line[RELAY_LINE_BYTES];
    char out[RELAY_COMMAND_BYTES];
    uint8_t block[RELAY_BLOCK_BYTES];
};

/* ---- relay_session.c ----------------------------------------------------- */

void relay_enter_state(struct relay_session *session, enum relay_state next);

/* relay_open - connects to session->addresses[address_at]. */
void relay_open(struct relay_session *session);

/* relay_say - sends a command, `len` bytes of session->out, as room allows. */
void relay_say(struct relay_session *session, size_t len);

/* relay_lost - the connection is of no use any more (closed, timed out, 421,
 * not SMTP): the job goes on at the next address, or waits again. */
void relay_lost(struct relay_session *session, bool permanent,
                const char *format, ...) __attribute__((format(printf, 3, 4)));

/* relay_lost_said - for what the server has just said. */
void relay_lost_said(struct relay_session *session, bool permanent);

/* relay_postpone - the session cannot go on for a reason that is ours: its job
 * waits again, as if nothing had been tried. */
void relay_postpone(struct relay_session *session);

/* relay_lost_loop - the connection leads to this server itself. */
void relay_lost_loop(struct relay_session *session);

/* relay_give_up - no server can be reached, or none would take mail from us:
 * the outcome for this job and all that wait. */
void relay_give_up(struct relay_session *session, bool permanent,
                   const char *reply);

/* relay_next - the job is done: the next one of this host, when it may be
 * taken, or QUIT. relay_next_later: in the next turn. */
void relay_next(struct relay_session *session);
void relay_next_later(struct relay_session *session);

/* relay_drop - ends the session at once; a job without outcome goes back into
 * the queue. */
void relay_drop(struct relay_session *session);

/* relay_said - "HOST said: REPLY" into a text of STORE_REPLY_BYTES. */
void relay_said(const struct relay_session *session, char *text);

/* relay_peer_name - of the server that the session is with. */
const char *relay_peer_name(const struct relay_session *session);

/* ---- relay_route.c ------------------------------------------------------- */

/* relay_route_begin - finds the servers of the session's host and connects to
 * the first. */
void relay_route_begin(struct relay_session *session);

/* relay_route_next - after a server could not be used: the next address, the
 * next server, or none, which gives up. */
void relay_route_next(struct relay_session *session);

/* relay_route_loop - the server turned out to be this one: it and those less
 * preferred are left out (RFC 5321 5.1). */
void relay_route_loop(struct relay_session *session);

/* ---- relay_dialogue.c ---------------------------------------------------- */

/* relay_on_... - what a complete reply means in a state. */
void relay_on_banner(struct relay_session *session);
void relay_on_ehlo(struct relay_session *session);
void relay_on_helo(struct relay_session *session);
/* relay_authenticate - AUTH, by what the server offers. */
void relay_authenticate(struct relay_session *session);
void relay_on_auth(struct relay_session *session);
void relay_on_login(struct relay_session *session);
void relay_on_user(struct relay_session *session);
void relay_on_password(struct relay_session *session);

/* ---- relay_envelope.c ---------------------------------------------------- */

/* relay_transaction - begins one for what is pending of the job. */
void relay_transaction(struct relay_session *session);
/* relay_envelope_send - as many of its commands as may be under way. */
void relay_envelope_send(struct relay_session *session);
void relay_on_envelope(struct relay_session *session);
void relay_on_answer(struct relay_session *session);
void relay_on_rset(struct relay_session *session);

/* relay_on_early - a reply while the message is still being sent. */
void relay_on_early(struct relay_session *session);

/* relay_undecide - what RCPT has accepted is pending again: the message did not
 * get through. */
void relay_undecide(struct relay_job *job);

/* ---- relay_body.c -------------------------------------------------------- */

/* relay_body_prepare - begins to read the message. */
void relay_body_prepare(struct relay_session *session);
/* relay_body_begin, relay_body_send - sends it, resp. goes on. */
void relay_body_begin(struct relay_session *session);
void relay_body_send(struct relay_session *session);

#endif
