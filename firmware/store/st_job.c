/* Page jobs: see st_job.h.
 *
 *   st_job_start() -> queue --> worker: run() --> done list -> done() in MT
 *
 * In each turn of MT one worker goes on, the next one in the next turn: however
 * many pages compute, they take no more of a turn than one slice of SQL. */
#include "store/st_job.h"
#include "core/check.h"
#include "st_internal.h"
#include <string.h>

static struct {
    unsigned next; /* worker that is asked first */
    uint64_t jobs;
} state;

static struct st_worker *current_worker(void)
{
    return (struct st_worker *)(void *)coroutine_current();
}

void st_job_start(struct st_job *job)
{
    list_init(&job->link);
    job->worker = NULL;
    job->result = OK;
    job->cancelled = false;
    job->woken = false;
    list_append(&st_context.jobs, &job->link);
}

bool st_job_cancel(struct st_job *job)
{
    if (job->worker == NULL && !list_empty(&job->link)) {
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
    if (job->worker != NULL && job->worker->state == WORKER_WAIT)
        job->worker->state = WORKER_READY;
}

bool st_job_cancelled(const struct st_job *job)
{
    return job->cancelled || st_context.gone || st_context.closing;
}

struct st_job *st_job_current(void)
{
    return current_worker()->job;
}

void st_job_pause(void)
{
    st_give_way(WORKER_READY);
}

void st_job_wait(struct st_job *job)
{
    ASSERT(current_worker() == job->worker);
    while (!job->woken && !st_job_cancelled(job))
        st_give_way(WORKER_WAIT);
    job->woken = false;
}

/* ---- Writing ------------------------------------------------------------ */

struct job_write {
    struct st_request request; /* must be first */
    enum err (*work)(void *context, struct store *store);
    void *context;
    struct st_worker *worker;
    bool done;
};

static void write_now(struct st_request *request, struct store *store)
{
    struct job_write *write = (struct job_write *)request;

    request->result = write->work(write->context, store);
}

static void written(struct st_request *request)
{
    struct job_write *write = (struct job_write *)request;

    write->done = true;
    write->worker->state = WORKER_READY;
}

enum err st_job_write(enum err (*work)(void *context, struct store *store),
                      void *context)
{
    struct job_write write = {.work = work, .context = context};

    write.worker = current_worker();
    write.request.work = write_now;
    write.request.done = written;
    st_queue(&st_context.writes, &write.request);
    /* Nothing else ends this: the writer has the request. */
    while (!write.done)
        st_give_way(WORKER_WAIT);
    return write.request.result;
}

/* ---- The workers -------------------------------------------------------- */

/* Of a job that nobody can begin any more, too. */
static struct st_job *take_job(void)
{
    return LIST_ELEMENT(list_take_first(&st_context.jobs), struct st_job, link);
}

bool st_job_wanted(const struct st_worker *worker)
{
    return worker->store && !st_context.gone && !st_context.closing &&
           !list_empty(&st_context.jobs);
}

void st_job_main(void *argument)
{
    struct st_worker *worker = argument;

    for (;;) {
        struct st_job *job;

        if (!st_job_wanted(worker)) {
            st_give_way(WORKER_IDLE);
            continue;
        }
        job = take_job();
        job->worker = worker;
        worker->job = job;
        job->run(job, worker->store);
        worker->job = NULL;
        job->worker = NULL;
        state.jobs++;
        /* MT calls done(): see st_job_run(). */
        list_append(&st_context.jobs_done, &job->link);
    }
}

/* What waits while there is no store, is done with ERR_GONE. */
static void refuse_waiting(void)
{
    if (st_context.state == ST_READY && !st_context.gone && !st_context.closing)
        return;
    while (!list_empty(&st_context.jobs)) {
        struct st_job *job = take_job();

        job->result = ERR_GONE;
        list_append(&st_context.jobs_done, &job->link);
    }
}

static bool call_done(void)
{
    struct list now;
    bool any = false;

    list_init(&now);
    while (!list_empty(&st_context.jobs_done))
        list_append(&now, list_take_first(&st_context.jobs_done));
    while (!list_empty(&now)) {
        struct st_job *job =
            LIST_ELEMENT(list_take_first(&now), struct st_job, link);

        any = true;
        job->done(job, job->result);
    }
    return any;
}

bool st_job_run(void)
{
    bool busy = false;

    refuse_waiting();
    for (unsigned i = 0; !busy && i < ST_JOBS; i++) {
        struct st_worker *worker = &ST_JOBBER[state.next];

        state.next = (state.next + 1) % ST_JOBS;
        busy = st_run_worker(worker);
    }
    return call_done() || busy;
}

void st_job_lose(void)
{
    for (unsigned i = 0; i < ST_JOBS; i++) {
        struct st_worker *worker = &ST_JOBBER[i];

        if (worker->job != NULL)
            st_job_wake(worker->job);
    }
}

void st_job_figures(struct st_job_figures *figures)
{
    memset(figures, 0, sizeof(*figures));
    figures->jobs = state.jobs;
    for (unsigned i = 0; i < ST_JOBS; i++)
        figures->running += ST_JOBBER[i].job != NULL;
    for (struct list *node = st_context.jobs.next; node != &st_context.jobs;
         node = node->next)
        figures->waiting++;
}
