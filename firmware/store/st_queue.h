/* Requests about the outgoing queue: what the relay and the menu ask of ST. All
 * of them go to the writer, in the order they were made, into its group
 * commits: so a look at the queue never shows what was settled before it. */
#ifndef STORE_ST_QUEUE_H
#define STORE_ST_QUEUE_H

#include "mailstore/store_queue.h"
#include "store/st.h"

struct st_due {
    struct st_request request;
    struct store_due_list list;
};

/* st_queue_due - reads what is due; see store_queue_due(). */
void st_queue_due(struct st_due *due);

struct st_settle {
    struct st_request request;
    struct store_settlement settlement;
};

/* st_queue_settle - durable when done. While it waits, what it points at must
 * stay. */
void st_queue_settle(struct st_settle *settle);

struct st_queue_action {
    struct st_request request; /* ERR_NOT_FOUND: the row has gone */
    int64_t queue_id;
    enum store_queue_action action;
};

/* st_queue_act - an administrator's wish for one row, durable when done. */
void st_queue_act(struct st_queue_action *action);

/* One screenful of the queue. */
struct st_queue_view {
    struct st_request request;
    uint64_t skip; /* rows before the first one */
    struct store_queue_info *rows;
    unsigned room;
    unsigned count;     /* out */
    uint64_t all, held; /* out: rows in the queue */
};

/* st_queue_view - reads it. */
void st_queue_view(struct st_queue_view *view);

/* st_queue_on_change - what MT calls: changed, when something may have become
 * due, after a commit that has put it into the queue, and when a store was
 * opened; acted, after an administrator's wish: rows that were read before may
 * be held by now, or gone. */
void st_queue_on_change(void (*changed)(void), void (*acted)(void));

struct st_route_change {
    struct st_request request;
    char domain[USER_DOMAIN_BYTES];
    struct store_route route; /* an empty host removes it */
};

/* st_route_put - durable when done; ERR_INVALID: not a domain. */
void st_route_put(struct st_route_change *change);

struct st_route_view {
    struct st_request request;
    struct st_route_row {
        char domain[USER_DOMAIN_BYTES];
        struct store_route route;
    } * rows;
    unsigned room;
    unsigned count; /* out */
};

/* st_route_view - the first `room` routes. */
void st_route_view(struct st_route_view *view);

#endif
