/* The writer: group commit, garbage, checkpoints, and the store's comings and
 * goings.
 *
 * All requests that wait are worked off in one transaction and made durable by
 * one flush; while the stick is busy with it the next ones gather. When one of
 * them fails, or the commit does, the transaction is undone and each request is
 * tried alone, so that only the one that cannot be done fails. */
#include "st_internal.h"
#include "core/log.h"
#include "mailstore/store_queue.h"

/* Frames in the WAL from which on it is moved even under load. */
#define CHECKPOINT_PAGES 4000
/* Without requests for so long, garbage is collected, and the WAL is moved
 * however short it is. */
#define IDLE_MS 2000

/* Messages collected in one transaction. */
#define COLLECT_MESSAGES 64

static bool store_open_now(void)
{
    return ST_WRITER->store != NULL;
}

bool st_writer_wanted(const struct st_worker *worker)
{
    (void)worker;
    if (st_context.gone && store_open_now())
        return !st_readers_busy();
    if (!store_open_now())
        return !st_context.closed &&
               (st_context.search_due || st_context.closing);
    return !list_empty(&st_context.writes) || st_context.checkpoint_due ||
           st_log_due() || st_user_due() ||
           (st_context.closing && !st_readers_busy());
}

/* ---- Group commit ------------------------------------------------------- */

static unsigned take_batch(struct list *batch)
{
    unsigned count = 0;

    list_init(batch);
    while (count < ST_BATCH_REQUESTS && !list_empty(&st_context.writes)) {
        list_append(batch, list_take_first(&st_context.writes));
        count++;
    }
    return count;
}

/* What the requests do; *staged: to users, too, which are in memory then: no
 * more get into the store than can be had from it again. */
static enum err do_work(struct list *batch, struct store *store, bool *staged)
{
    enum err err = OK;

    st_context.reload_due = false;
    for (struct list *node = batch->next; !err && node != batch;
         node = node->next) {
        struct st_request *request =
            LIST_ELEMENT(node, struct st_request, link);

        request->work(request, store);
        err = request->result;
    }
    if (!err && st_context.reload_due) {
        err = st_stage_directory();
        *staged = err == OK;
    }
    return err;
}

/* All in one transaction, the log's lines and last logins with it. Leaves
 * nothing behind when it fails; *log_failed: because of those. Users are
 * exchanged before the answers: who hears of a change finds it made. */
static enum err commit_once(struct list *batch, bool *log_failed)
{
    struct store *store = ST_WRITER->store;
    bool staged = false;
    enum err err = store_begin(store);

    *log_failed = false;
    if (!err)
        err = do_work(batch, store, &staged);
    if (!err) {
        err = st_log_drain(store);
        if (!err)
            err = st_user_drain(store);
        *log_failed = err != OK;
    }
    if (!err)
        err = store_commit(store);
    if (staged)
        st_publish_directory(err == OK);
    if (err) {
        store_rollback(store);
        st_log_postpone();
        st_user_end(false);
        return err;
    }
    st_context.figures.commits++;
    st_log_committed();
    st_user_end(true);
    return OK;
}

/* No mail is refused because of the log: then it is done without it. */
static enum err commit_together(struct list *batch)
{
    bool log_failed;
    enum err err = commit_once(batch, &log_failed);

    if (log_failed && !st_context.gone) {
        st_log_give_up();
        st_user_give_up();
        err = commit_once(batch, &log_failed);
    }
    return err;
}

static void answer_all(struct list *batch, enum err result)
{
    while (!list_empty(batch)) {
        struct st_request *request =
            LIST_ELEMENT(list_take_first(batch), struct st_request, link);

        st_answer(request, result);
    }
}

static void commit_alone(struct list *batch)
{
    while (!list_empty(batch)) {
        struct list one;
        enum err err;

        list_init(&one);
        list_append(&one, list_take_first(batch));
        err = st_context.gone ? ERR_GONE : commit_together(&one);
        answer_all(&one, err);
    }
}

/* ---- Garbage ------------------------------------------------------------- */

/* Until none is left, mail waits, or, when it is urgent, there is room. */
static void collect_garbage(bool urgent)
{
    struct store *store = ST_WRITER->store;

    while (store_garbage(store) && !st_context.gone &&
           (urgent ? store_room_low(store) : list_empty(&st_context.writes))) {
        enum err err = store_collect(store, COLLECT_MESSAGES);

        if (err) {
            if (err != ERR_GONE)
                log_warn("st", "deleted mail still takes room: %s",
                         err_text(err));
            return;
        }
        st_context.room = store_room(store);
        st_index_note_commit();
    }
}

/* ---- Batches ------------------------------------------------------------- */

static void run_batch(void)
{
    struct list batch;
    unsigned count = take_batch(&batch);
    enum err err = commit_together(&batch);

    if (!err || count == 1 || err == ERR_GONE)
        answer_all(&batch, err);
    else
        commit_alone(&batch);
    if (st_context.gone)
        return;
    if (count > 0)
        st_index_note_commit();
    if (store_queue_changed(ST_WRITER->store))
        st_queue_note_change();
    if (store_queue_acted(ST_WRITER->store))
        st_queue_note_act();
    st_context.room = store_room(ST_WRITER->store);
    collect_garbage(true);
    /* A log that cannot be written now does not try again each time. */
    if (count > 0 || !err)
        timer_start(&st_context.idle_timer, IDLE_MS);
}

static void checkpoint(void)
{
    struct store *store = ST_WRITER->store;
    enum err err;

    st_context.checkpoint_due = false;
    if (store_wal_pages(store) == 0)
        return;
    err = store_checkpoint(store);
    if (err && err != ERR_BUSY && err != ERR_GONE)
        log_warn("st", "checkpoint: %s", err_text(err));
}

/* ---- The round ---------------------------------------------------------- */

static void serve(void)
{
    /* Before the WAL is moved the log goes into it: the stick is written
     * anyway. */
    if (!list_empty(&st_context.writes) || st_log_due() || st_user_due() ||
        (st_context.checkpoint_due && (st_log_waits() || st_user_waits())))
        run_batch();
    if (!st_context.gone && st_context.checkpoint_due)
        collect_garbage(false);
    if (!st_context.gone &&
        (st_context.checkpoint_due ||
         store_wal_pages(ST_WRITER->store) > CHECKPOINT_PAGES))
        checkpoint();
}

static void close_store(void)
{
    if (store_open_now() && !st_context.gone) {
        if (st_log_waits() || st_user_waits())
            run_batch();
        if (!st_context.gone)
            checkpoint();
    }
    st_shut_store();
    st_context.closed = true;
    st_say(ST_GONE, "the store is closed");
}

void st_writer_main(void *argument)
{
    (void)argument;
    for (;;) {
        if (!st_writer_wanted(ST_WRITER)) {
            st_give_way(WORKER_IDLE);
        } else if (st_context.gone && store_open_now()) {
            st_leave_store();
        } else if (!store_open_now() && st_context.closing) {
            close_store();
        } else if (!store_open_now()) {
            st_context.search_due = false;
            st_search();
        } else if (st_context.closing && list_empty(&st_context.writes) &&
                   !st_readers_busy()) {
            close_store();
        } else {
            serve();
        }
    }
}
