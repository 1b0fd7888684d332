/* A worker for queries, for st_sql.c and st_query.c. */
#ifndef STORE_ST_QUERY_H
#define STORE_ST_QUERY_H

#include "st_internal.h"
#include "store/st_sql.h"

enum query_state {
    QUERY_FREE,
    QUERY_OPEN,
    QUERY_RUNNING,
    QUERY_DONE,
    QUERY_CLOSING,
};

enum query_stop { STOP_NOT, STOP_ASKED, STOP_TIME };

struct st_query {
    struct st_worker worker; /* must be first */
    enum query_state state;
    enum query_stop stop;
    struct st_sql *asker; /* NULL: has left */
    struct sql *sql;      /* the connection, while there is one */
    unsigned id;
    int64_t user_id;
    bool admin;
    char who[40];
    char head[120]; /* of the text */
    struct sql_session session;
    struct sql_result result;
    enum err err;
    uint32_t time_ms;
    uint64_t started_ms, slice_ns;
    unsigned breaths;         /* in this slice */
    struct timer timer;       /* the time that it may take */
    struct store_place place; /* of sql */
    char *text;
    size_t text_len;
    char *out; /* a ring */
    unsigned out_first, out_len;
};

void st_query_stop(struct st_query *query, enum query_stop why);

/* As struct sql_options and struct sql_host want them. */
bool st_query_pause(void *context, bool waiting);
enum err st_query_open(void *context, const struct sql_session *session,
                       struct sql **sql,
                       char message[SQL_MESSAGE_BYTES]) MUST_CHECK;
enum err st_query_read(void *context, const char *name, char **text,
                       size_t *len) MUST_CHECK;

#endif
