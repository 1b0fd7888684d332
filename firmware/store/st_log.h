/* The log in the store.
 *
 * Nothing is called to write it: log_mail() and its kin (core/log.h) do, and
 * this room is one of their sinks. Lines gather in memory and go onto the stick
 * with the next transaction that is made anyway, under load a quarter of a
 * second later; only when nothing else is written for ST_LOG_WAIT_MS they get
 * one of their own. What has not been written when the power goes is lost.
 * Setting "log_lines": how many are kept, 20000 if not set, 0 for none. */
#ifndef STORE_ST_LOG_H
#define STORE_ST_LOG_H

#include "mailstore/store_log.h"
#include "store/st.h"

#define ST_LOG_WAIT_MS    10000
#define ST_LOG_FIND_BYTES 64

/* A look into the log, newest lines and those that are still in memory
 * included. */
struct st_log_read {
    struct st_request request;
    /* In. Zeros: the oldest lines of all. */
    int64_t from; /* id to begin at, included; 0: at the end that comes first */
    bool backward;   /* towards older lines */
    int64_t mail_id; /* lines of one message only; 0: all */
    bool by_id;      /* find is the whole of an id=, not any part of a line */
    char find[ST_LOG_FIND_BYTES]; /* lines with this text only; "": all */
    struct store_log_line *lines; /* room for `room` lines */
    unsigned room;
    /* Out. */
    unsigned count;
    /* For st_log.c. */
    void (*answer)(struct st_request *request);
};

/* st_log_read - fills lines[], count of them, in the order in which they are
 * met. request.done and request.context are the caller's. */
void st_log_read(struct st_log_read *read);

struct st_log_figures {
    uint64_t written; /* lines, since start */
    uint64_t lost;    /* for want of memory, or of room in the store */
    size_t waiting;   /* bytes in memory */
};
void st_log_figures(struct st_log_figures *figures);

#endif
