/* Page jobs for tests of the web server: real coroutines, no store behind them;
 * the writer's work is done a turn later. And the turns of a web session: see
 * fake_mail.h, which comes before this. */
#ifndef TESTS_UNIT_FAKE_JOBS_H
#define TESTS_UNIT_FAKE_JOBS_H

#include "core/coroutine.h"
#include "http/http_internal.h"

#define FAKE_STACK ((size_t)256 * 1024)

struct fake_worker {
    struct coroutine coroutine; /* must be first */
    struct st_job *job;
    bool waits;
};

static struct {
    struct fake_worker workers[ST_JOBS];
    struct list queue;
    bool made;
    bool gone; /* the stick */
    unsigned runs, writes;
    unsigned delay; /* turns in which no job goes on */
} fake_jobs;

static inline struct fake_worker *fake_worker(void)
{
    return (struct fake_worker *)(void *)coroutine_current();
}

static void fake_worker_main(void *argument)
{
    struct fake_worker *worker = argument;

    for (;;) {
        if (worker->job)
            worker->job->run(worker->job, NULL);
        if (worker->job) {
            struct st_job *job = worker->job;

            worker->job = NULL;
            job->worker = NULL;
            fake_jobs.runs++;
            job->cancelled = true; /* for fake_jobs_turn(): it is done */
            list_append(&fake_jobs.queue, &job->link);
        }
        coroutine_suspend();
    }
}

static inline void fake_jobs_init(void)
{
    list_init(&fake_jobs.queue);
    fake_jobs.gone = false;
    if (fake_jobs.made)
        return;
    fake_jobs.made = true;
    for (unsigned i = 0; i < ST_JOBS; i++)
        if (coroutine_init(&fake_jobs.workers[i].coroutine, FAKE_STACK,
                           fake_worker_main, &fake_jobs.workers[i]) != OK)
            abort();
}

void st_job_start(struct st_job *job)
{
    list_init(&job->link);
    job->worker = NULL;
    job->cancelled = job->woken = false;
    job->result = OK;
    list_append(&fake_jobs.queue, &job->link);
}

bool st_job_cancel(struct st_job *job)
{
    if (!job->worker && !job->cancelled) {
        list_remove(&job->link);
        return true;
    }
    job->cancelled = true;
    st_job_wake(job);
    return false;
}

void st_job_wake(struct st_job *job)
{
    job->woken = true;
    if (job->worker)
        ((struct fake_worker *)(void *)job->worker)->waits = false;
}

bool st_job_cancelled(const struct st_job *job)
{
    return job->cancelled || fake_jobs.gone;
}

void st_job_pause(void)
{
    coroutine_suspend();
}

void st_job_wait(struct st_job *job)
{
    while (!job->woken && !st_job_cancelled(job)) {
        fake_worker()->waits = true;
        coroutine_suspend();
    }
    fake_worker()->waits = false;
    job->woken = false;
}

enum err st_job_write(enum err (*work)(void *context, struct store *store),
                      void *context)
{
    fake_jobs.writes++;
    coroutine_suspend();
    return fake_jobs.gone ? ERR_GONE : work(context, NULL);
}

static inline void fake_job_begin(struct fake_worker *worker,
                                  struct st_job *job)
{
    worker->job = job;
    worker->waits = false;
    job->worker = (struct st_worker *)(void *)worker;
}

/* Returns true when anything happened. */
static inline bool fake_jobs_turn(void)
{
    bool moved = false;
    struct list now;

    list_init(&now);
    while (!list_empty(&fake_jobs.queue))
        list_append(&now, list_take_first(&fake_jobs.queue));
    while (!list_empty(&now)) {
        struct st_job *job =
            LIST_ELEMENT(list_take_first(&now), struct st_job, link);
        struct fake_worker *worker = NULL;

        moved = true;
        if (job->cancelled || fake_jobs.gone) {
            job->done(job, job->cancelled ? OK : ERR_GONE);
            continue;
        }
        for (unsigned i = 0; i < ST_JOBS && !worker; i++)
            if (!fake_jobs.workers[i].job)
                worker = &fake_jobs.workers[i];
        if (worker)
            fake_job_begin(worker, job);
        else
            list_append(&fake_jobs.queue, &job->link);
    }
    if (fake_jobs.delay > 0) {
        fake_jobs.delay--;
        return true;
    }
    for (unsigned i = 0; i < ST_JOBS; i++) {
        struct fake_worker *worker = &fake_jobs.workers[i];

        if (!worker->job || worker->waits)
            continue;
        moved = true;
        coroutine_resume(&worker->coroutine);
    }
    return moved;
}

static inline bool fake_web_turn(struct fake_stream *fake,
                                 const struct fake_play *play)
{
    bool moved = fake_stream_turn(fake, play);

    moved |= fake_store_turn();
    return fake_jobs_turn() || moved;
}

/* Until nothing happens any more. */
static inline void fake_web_settle(struct fake_stream *fake,
                                   const struct fake_play *play)
{
    for (unsigned turns = 0; fake_web_turn(fake, play); turns++) {
        if (turns == 1000000) {
            printf("never settles\n");
            abort();
        }
    }
}

static inline void fake_web_send(struct fake_stream *fake,
                                 const struct fake_play *play,
                                 const void *bytes, size_t len)
{
    fake->in = bytes;
    fake->in_len = len;
    fake->in_taken = fake->in_arrived = 0;
    fake_web_settle(fake, play);
}

#endif
