/* When the index is brought up to date: see st_index.h.
 *
 * After each commit a timer waits for QUIET_MS without another one; then the
 * job runs, until there is nothing more to do or somebody else has. What it
 * writes goes into the group commit like everything else, at most one batch of
 * mailstore's in each, so that mail that comes meanwhile waits for no more. */
#include "store/st_index.h"
#include "core/log.h"
#include "mailstore/store_find.h"
#include "st_internal.h"

#define QUIET_MS 2000
/* Deleted messages that are forgotten in one step. */
#define FORGET_COUNT 8
#define LEFT_MAX     100000

static struct {
    struct st_job job;
    struct timer timer;
    bool running;
    bool unfinished;
    enum err trouble; /* that was told last; OK: none since */
    uint64_t batches;
} state;

static enum err put_batch(void *context, struct store *store)
{
    return store_index_put(store, context);
}

static enum err forget(void *context, struct store *store)
{
    return store_index_forget(store, FORGET_COUNT, context);
}

/* One batch of a user, or (0) of all. *more: there was one. */
static enum err take_step(struct store *store, int64_t user_id, bool *more)
{
    struct store_batch *batch;
    enum err err = store_index_read(store, user_id, &batch);

    *more = batch != NULL;
    if (err || batch == NULL)
        return err;
    err = st_job_write(put_batch, batch);
    store_index_free(batch);
    state.batches += err == OK;
    return err;
}

/* ---- In idle moments ----------------------------------------------------- */

/* Whether anybody else has something to do. */
static bool others_wait(void)
{
    return !list_empty(&st_context.writes) || !list_empty(&st_context.reads) ||
           !list_empty(&st_context.jobs) || st_inbound_active();
}

/* One batch, or, when there is none, a few messages to be forgotten. */
static enum err take_any_step(struct store *store, bool *more)
{
    uint64_t waiting;
    enum err err = take_step(store, 0, more);

    if (err || *more)
        return err;
    err = store_index_behind(store, 0, 1, &waiting);
    if (err || waiting == 0)
        return err;
    return st_job_write(forget, more);
}

static void run(struct st_job *job, struct store *store)
{
    bool more = true;
    enum err err = OK;

    while (!err && more && !others_wait() && !st_job_cancelled(job))
        err = take_any_step(store, &more);
    /* What fails is tried again behind the next commit, and told once. */
    state.unfinished = more && !err;
    if (err && err != ERR_GONE && err != state.trouble)
        log_warn("st", "index: %s", err_text(err));
    state.trouble = err;
}

static void done(struct st_job *job, enum err result)
{
    (void)job;
    state.running = false;
    if (state.unfinished && result == OK)
        timer_start(&state.timer, QUIET_MS);
}

static void quiet(struct timer *timer)
{
    if (state.running || st_context.state != ST_READY || st_context.gone ||
        st_context.closing)
        return;
    if (others_wait()) {
        timer_start(timer, QUIET_MS);
        return;
    }
    state.running = true;
    state.job.run = run;
    state.job.done = done;
    st_job_start(&state.job);
}

void st_index_note_commit(void)
{
    if (!state.running)
        timer_start(&state.timer, QUIET_MS);
}

void st_index_init(void)
{
    state.running = false;
    state.trouble = OK;
    state.batches = 0;
    timer_init(&state.timer, quiet);
}

/* ---- For pages ----------------------------------------------------------- */

struct wanting {
    int64_t user_id;
};

static enum err want(void *context, struct store *store)
{
    const struct wanting *wanting = context;

    return store_index_want(store, wanting->user_id);
}

enum err st_index_user(struct store *store, int64_t user_id)
{
    struct wanting wanting = {user_id};
    bool wanted;
    enum err err = store_index_wanted(store, user_id, &wanted);

    return err || wanted ? err : st_job_write(want, &wanting);
}

enum err st_index_catch_up(struct store *store, int64_t user_id,
                           uint64_t limit_ms, uint64_t *left)
{
    uint64_t until = timer_now_ms() + limit_ms;
    bool more = true;
    enum err err = st_index_user(store, user_id);

    *left = 0;
    while (!err && more && timer_now_ms() < until)
        err = take_step(store, user_id, &more);
    if (!err && more)
        err = store_index_behind(store, user_id, LEFT_MAX, left);
    return err;
}

void st_index_figures(struct st_index_figures *figures)
{
    figures->batches = state.batches;
    figures->running = state.running;
}
