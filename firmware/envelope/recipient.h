/* What an address means to somebody who sends there: who of ours gets the mail,
 * which addresses elsewhere it goes on to, or why not. The one place that
 * decides it, for RCPT TO (smtp/) and for what is typed in a page (web/).
 *
 *   address -> directory: users, addresses -> quota, limits -> envelope
 *
 * An address of ours is taken from everybody, one elsewhere from users who have
 * logged in. An address that means several is taken whole or not at all. */
#ifndef ENVELOPE_RECIPIENT_H
#define ENVELOPE_RECIPIENT_H

#include "envelope/envelope.h"
#include "limits/limits.h"

enum recipient {
    RECIPIENT_OK,
    RECIPIENT_TOO_MANY,      /* for one message */
    RECIPIENT_NO_MEMORY,     /* just now */
    RECIPIENT_LIMITED,       /* the user has written to too many this hour */
    RECIPIENT_NOT_ELSEWHERE, /* terms.only_here */
    RECIPIENT_FULL,          /* the mailbox, for now */
    RECIPIENT_TOO_BIG_EVER,  /* the message, for the mailbox's quota */
    RECIPIENT_TOO_BIG,       /* the message, for the domain */
    RECIPIENT_CLOSED,        /* the domain is, for strangers */
    RECIPIENT_FOREIGN,       /* an address elsewhere, from a stranger */
    RECIPIENT_DISABLED,
    RECIPIENT_EXPANSION, /* an alias that means too many, or itself */
    RECIPIENT_UNKNOWN
};

/* Who sends, and what. */
struct recipient_terms {
    int64_t user; /* who has logged in; 0: a stranger */
    const struct limits_session *limits;
    unsigned most;           /* recipients */
    bool only_here;          /* the message cannot go on */
    bool told;               /* there is somebody to be told of success */
    uint64_t declared_bytes; /* 0: not known yet */
    /* In and out: bytes that the message may have; quota_max: that the mailbox
     * of the recipient has left, when it is one. */
    uint64_t quota_max, bytes_max;
};

struct recipient_address {
    const char *local;
    size_t local_len;
    const char *domain;
    size_t domain_len;
};

/* recipient_add - whoever the address means goes into the envelope. wish: what
 * the sender wants to be told; its address is the whole address, as it goes on
 * when it is elsewhere. */
enum recipient recipient_add(struct envelope *envelope,
                             struct recipient_terms *terms,
                             const struct recipient_address *address,
                             const struct envelope_wish *wish);

#endif
