/* The outgoing queue: who elsewhere still has to get which message.
 *
 * A row is one recipient. It is read when it is due, tried, and settled: taken
 * out when it was delivered or has failed, else put off. What the sender is
 * told of it is stored by the same transaction. */
#ifndef MAILSTORE_STORE_QUEUE_H
#define MAILSTORE_STORE_QUEUE_H

#include "mailstore/store.h"

#define STORE_REPLY_BYTES 256
#define STORE_HOST_BYTES  256
#define STORE_LOGIN_BYTES 128
#define STORE_ENVID_BYTES 101 /* RFC 3461 4.4 */
#define STORE_ORCPT_BYTES 501 /* RFC 3461 4.2 */

enum store_queue_state {
    STORE_QUEUE_WAITS = 0,
    STORE_QUEUE_HELD = 1,   /* by the administrator */
    STORE_QUEUE_BOUNCE = 2, /* to be given up at once, by the administrator */
};

/* The server that takes mail for a domain instead of its MX. */
struct store_route {
    char host[STORE_HOST_BYTES]; /* name or address; "": there is no route */
    uint16_t port;
    char login[STORE_LOGIN_BYTES]; /* "": without AUTH */
    char password[STORE_LOGIN_BYTES];
};

/* One recipient whose time has come. */
struct store_due {
    int64_t queue_id, message_id;
    int64_t received_ms, expires_ms; /* of the message */
    int64_t next_ms;
    int64_t submitter;
    uint64_t bytes; /* of the message */
    uint32_t attempts;
    uint8_t state;     /* enum store_queue_state, not held */
    uint8_t notify;    /* STORE_NOTIFY_* */
    uint8_t returning; /* enum store_return */
    bool delayed;      /* the sender knows that it takes long */
    bool smtputf8, eight_bit;
    char sender[USER_ADDRESS_BYTES];
    char recipient[USER_ADDRESS_BYTES];
    char orcpt[STORE_ORCPT_BYTES];
    char envid[STORE_ENVID_BYTES];
    char reply[STORE_REPLY_BYTES]; /* of the last attempt */
    struct store_route route;
};

/* Nothing is put off for longer than this. */
#define STORE_QUEUE_WAIT_MAX_MS ((int64_t)24 * 60 * 60 * 1000)

/* A look at the queue. */
struct store_due_list {
    int64_t now_ms;
    /* Whether the asker holds this row already: it is left out. */
    bool (*held)(void *context, int64_t queue_id);
    void *context;
    struct store_due *rows; /* room for `room` of them */
    unsigned room;          /* at least STORE_RECIPIENTS_MAX */
    unsigned count;         /* out; the rows of one message follow each other */
    bool more;              /* out: others are due, and there is no room */
    int64_t next_ms; /* out: when the next one is due; INT64_MAX: none is */
};

/* store_queue_due (writer) - what is due, the longest waiting first; all
 * recipients of a message that are due, or none of them. A row that was put off
 * for longer than a day was so by a clock that went wrong: it is due; likewise
 * no message is tried for longer than is set, and one that was to end before it
 * came for as long. A message that cannot be read is left out for an hour.
 * Asked of the writer, so that nothing that was settled before is still seen.
 */
enum err store_queue_due(struct store *store,
                         struct store_due_list *list) MUST_CHECK;

/* What has become of a recipient. */
struct store_settled {
    int64_t queue_id;
    bool removed;      /* delivered or failed; else it was put off: */
    bool delayed;      /* the sender knows that it takes long */
    int64_t next_ms;   /* when to try again */
    const char *reply; /* of the last attempt, for people */
};

#define STORE_NOTICE_USERS 8

/* What the sender is told (RFC 3464): a message put together from `head`, the
 * original message or its header, and `tail`. */
struct store_notice {
    int64_t users[STORE_NOTICE_USERS]; /* whose Inboxes it is for; none: */
    unsigned user_count;
    char remote[USER_ADDRESS_BYTES]; /* the address elsewhere */
    bool smtputf8;
    bool stays; /* it is not sent on by rules: what fails there comes back */
    const char *head, *tail;
    size_t head_bytes, tail_bytes;
    int64_t original; /* message id; 0: nothing of it */
    bool full;        /* all of it, up to STORE_RETURN_BYTES; else the header */
};

/* A notice returns no more of a message than this; of a longer one the header.
 */
#define STORE_RETURN_BYTES ((uint64_t)1024 * 1024)

struct store_settlement {
    int64_t message_id;
    int64_t now_ms;
    const struct store_settled *recipients;
    unsigned count;
    const struct store_notice *notice; /* NULL: none */
    int64_t notice_id;                 /* out: its message id */
};

/* store_queue_settle (writer) - all of it in one transaction; a message that
 * nobody waits for any more and no mailbox holds is removed. Rows that are not
 * there any more are ignored.
 * Returns OK, ERR_FULL, ERR_IO, ERR_GONE. */
enum err store_queue_settle(struct store *store,
                            struct store_settlement *settlement) MUST_CHECK;

/* What an administrator may do with a row. */
enum store_queue_action {
    STORE_QUEUE_HOLD,
    STORE_QUEUE_RELEASE,
    STORE_QUEUE_RETRY,   /* now; also releases */
    STORE_QUEUE_GIVE_UP, /* its sender is told */
    STORE_QUEUE_DELETE,  /* nobody is told */
};

/* store_queue_act (writer) - Returns OK, ERR_NOT_FOUND, or an error. */
enum err store_queue_act(struct store *store, int64_t queue_id,
                         enum store_queue_action action) MUST_CHECK;

/* A row for lists. */
struct store_queue_info {
    int64_t queue_id, message_id;
    int64_t received_ms, next_ms, expires_ms;
    uint64_t bytes;
    uint32_t attempts;
    uint8_t state;
    char sender[USER_ADDRESS_BYTES];
    char recipient[USER_ADDRESS_BYTES];
    char reply[STORE_REPLY_BYTES];
};

/* store_list_queue (reader or writer) - from the row `skip` on, in order of
 * arrival; a callback's error ends the listing and is returned. */
enum err store_list_queue(struct store *store, uint64_t skip,
                          enum err (*each)(void *context,
                                           const struct store_queue_info *info),
                          void *context) MUST_CHECK;

/* store_queue_count - how many rows there are, and how many of them are held.
 */
enum err store_queue_count(struct store *store, uint64_t *rows,
                           uint64_t *held) MUST_CHECK;

/* store_queue_changed (writer) - whether anything has been put into the queue
 * or made due since the last call. */
bool store_queue_changed(struct store *store);

/* store_queue_acted (writer) - whether store_queue_act() has done anything
 * since the last call: what was read before may be held by now, or gone. */
bool store_queue_acted(struct store *store);

/* store_route_put - sets the route of a domain, "" for all domains that have
 * none of their own; an empty host removes it. ERR_INVALID: not a domain. */
enum err store_route_put(struct store *store, const char *domain,
                         const struct store_route *route) MUST_CHECK;

/* store_route_find - the route of a domain, or the one of all domains; an empty
 * host: there is none. */
enum err store_route_find(struct store *store, const char *domain,
                          struct store_route *route) MUST_CHECK;

#define STORE_ROUTE_TEXT                                                       \
    (USER_DOMAIN_BYTES + STORE_HOST_BYTES + 2 * STORE_LOGIN_BYTES + 16)

/* store_route_parse - "DOMAIN=HOST[:PORT][,LOGIN,PASSWORD]"; DOMAIN "*" or
 * nothing for all. bytes: room of domain. Returns OK or ERR_INVALID.
 * store_route_format - the same backwards; text: STORE_ROUTE_TEXT bytes. */
enum err store_route_parse(const char *text, char *domain, size_t bytes,
                           struct store_route *route) MUST_CHECK;
char *store_route_format(const char *domain, const struct store_route *route,
                         char *text);

/* store_list_routes - in order of domain. */
enum err store_list_routes(struct store *store,
                           enum err (*each)(void *context, const char *domain,
                                            const struct store_route *route),
                           void *context) MUST_CHECK;

#endif
