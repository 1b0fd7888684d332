/* Queries of people, each on a coroutine with memory of its own.
 *
 *   asker: st_sql_open() .. st_sql_run() -> worker: mailstore/sql_script.h
 *          st_sql_read() <- bytes <-----------'  ... st_sql_close()
 *
 * Mail comes first: while MT has anything else to do a query gets a slice of a
 * quarter of a millisecond every few; an idle PC it has to itself. What a query
 * answers waits in a small buffer until it is read, and the query with it.
 *
 * All calls but wake() are made by the asker, in MT or in a page job. */
#ifndef STORE_ST_SQL_H
#define STORE_ST_SQL_H

#include "core/err.h"
#include "mailstore/sql_script.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The time that a query may take where nothing else is said. */
#define ST_SQL_MS 30000

struct st_query; /* a worker */

/* Embedded in whoever asks. */
struct st_sql {
    /* In. wake: there is more to read, or it is done; from inside the worker,
     * may call st_job_wake() and set flags. */
    void (*wake)(struct st_sql *sql);
    void *context;
    int64_t user_id;
    bool admin;                 /* may read mail.db and others' databases */
    char who[40];               /* for the list of queries */
    struct sql_session session; /* changed by commands of the script */
    uint32_t time_ms;           /* limit, 0: ST_SQL_MS */
    /* Out, when st_sql_done(). */
    struct sql_result result;
    enum err err;
    /* Own. */
    struct st_query *query;
};

/* st_sql_open - takes a worker. Returns OK, ERR_BUSY (as many queries as can be
 * are open), ERR_GONE (no store). */
enum err st_sql_open(struct st_sql *sql) MUST_CHECK;

/* st_sql_text_max - bytes that a text may have; more are refused. */
size_t st_sql_text_max(void);

/* st_sql_put - adds to the text that is run next; false: it is too long. */
bool st_sql_put(struct st_sql *sql, const char *text, size_t len);

/* st_sql_run - runs what was put. Only when nothing runs. */
void st_sql_run(struct st_sql *sql);

/* st_sql_read - takes bytes of the answer: how many, 0 when there are none
 * now. */
size_t st_sql_read(struct st_sql *sql, void *buffer, size_t bytes);

/* st_sql_done - it has ended, and everything is read. */
bool st_sql_done(const struct st_sql *sql);

/* st_sql_stop - ends it soon, with an error. st_sql_running - whether it runs
 * still. */
void st_sql_stop(struct st_sql *sql);
bool st_sql_running(const struct st_sql *sql);

/* st_sql_close - gives the worker back, whatever it does; also when it was
 * never opened. */
void st_sql_close(struct st_sql *sql);

/* ---- For whoever looks on ------------------------------------------------ */

struct st_sql_info {
    unsigned id;
    char who[40];
    char database[SQL_NAME_BYTES];
    bool running;
    uint64_t started_ms; /* timer_now_ms() of then */
    char text[120];      /* its beginning */
};

/* st_sql_list - the index-th query that is open; false: no more. */
bool st_sql_list(unsigned index, struct st_sql_info *info);

/* st_sql_stop_id - ends that one; false: it is not there any more. */
bool st_sql_stop_id(unsigned id);

/* st_sql_data - what is to be said of data.db: OK and its bytes, or why it is
 * not there. */
enum err st_sql_data(uint64_t *bytes);

struct st_sql_figures {
    uint64_t scripts, rows, errors; /* since start */
    unsigned open, running;
    size_t heap_bytes, heap_peak; /* of one worker; of the one that took most */
};
void st_sql_figures(struct st_sql_figures *figures);

/* st_sql_turn - MT, at the end of each turn. busy: there was something else to
 * do in it. Returns true when a query wants to go on. */
bool st_sql_turn(bool busy);

#endif
