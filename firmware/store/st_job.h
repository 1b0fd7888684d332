/* Page jobs: straight-line code that may wait, such as a page of the web server
 * or an administrator's query. Each runs on a coroutine of its own, with a read
 * connection of its own; there are ST_JOBS of them, beside the readers of mail
 * sessions, so that slow pages never delay mail.
 *
 * MT calls st_job_start() and st_job_cancel(); run() is called in the worker,
 * done() in MT. Inside run() everything may be called that takes the store it
 * was given; st_job_wait() and st_job_write() let others go on meanwhile.
 *
 * A job that waits for the outside must not leave a statement of the store
 * half-way: its snapshot would hold up the WAL.
 *
 * A pulled stick: jobs that wait to begin are done with ERR_GONE; those that
 * run get ERR_GONE from the store and count as cancelled. */
#ifndef STORE_ST_JOB_H
#define STORE_ST_JOB_H

#include "core/err.h"
#include "core/list.h"
#include "mailstore/store.h"
#include <stdbool.h>
#include <stdint.h>

/* How many run at once. */
#define ST_JOBS 4

struct st_worker;

/* One job, embedded in whoever asks; stays until done(). Cleared before it is
 * filled. */
struct st_job {
    struct list link;
    /* In. done: result is OK when run() was called and has returned, ERR_GONE
     * when it was not called because the store is not there. */
    void (*run)(struct st_job *job, struct store *store);
    void (*done)(struct st_job *job, enum err result);
    void *context; /* for the one who asks */

    /* st_job.c's own. */
    struct st_worker *worker; /* while it runs */
    enum err result;
    bool cancelled;
    bool woken;
};

/* st_job_start - MT: queues it; it runs when a worker is free, never from
 * inside this call. */
void st_job_start(struct st_job *job);

/* st_job_cancel - MT: the asker does not want it any more. One that has not
 * begun is taken out of the queue and not done(): true. One that runs is woken
 * and sees it by st_job_cancelled(), its SQL ends with ERR_GONE: false, done()
 * follows. */
bool st_job_cancel(struct st_job *job);

/* st_job_wake - MT, or another job: ends its st_job_wait(). Harmless for one
 * that does not wait: then its next st_job_wait() returns at once. */
void st_job_wake(struct st_job *job);

/* ---- Inside run() only --------------------------------------------------- */

/* st_job_current - the one that runs. */
struct st_job *st_job_current(void);

/* st_job_write - has `work` done by the writer, as part of its next group
 * commit, and waits until that is durable. work may be called a second time
 * after a first one was rolled back, and must not wait.
 * Returns what it has returned, or the commit's error; ERR_GONE. */
enum err st_job_write(enum err (*work)(void *context, struct store *store),
                      void *context) MUST_CHECK;

/* st_job_pause - lets everybody else go on for a turn. SQL does so by itself.
 */
void st_job_pause(void);

/* st_job_wait - until st_job_wake(), or until the job is cancelled. */
void st_job_wait(struct st_job *job);

/* st_job_cancelled - the asker has gone, or the stick has, or the AO stops:
 * nothing that is done will be seen. */
bool st_job_cancelled(const struct st_job *job);

struct st_job_figures {
    uint64_t jobs; /* done since start */
    unsigned running, waiting;
};
void st_job_figures(struct st_job_figures *figures);

#endif
