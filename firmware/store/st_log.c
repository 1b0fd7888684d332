/* Log lines on their way into the store, and back for whoever looks.
 *
 *   log_mail() -> sink -> queue in memory -> the writer's next transaction
 *
 * Lines leave the queue when their transaction is durable; one that fails
 * begins again with the same. When the queue is full, or the store has no room,
 * lines are lost and counted: mail never waits for its log. */
#include "core/log_queue.h"
#include "core/memory.h"
#include "st_internal.h"
#include "store/st_log.h"
#include "store/st_number.h"
#include <stdio.h>
#include <string.h>

#define RING_SHARE 512 /* of the memory that is there at start */
#define RING_MIN   ((size_t)64 * 1024)
#define RING_MAX   ((size_t)1024 * 1024)
/* Lines that go into one transaction at most, and lines that are taken away in
 * one: few enough not to hold up what else is in it. */
#define DRAIN_LINES 512
#define PRUNE_LINES 128
#define LINES       20000
#define LINES_MAX   1000000
/* The log leaves that much room in the store for mail. */
#define ROOM_MIN ((uint64_t)256 * 1024)
/* Lines of so much time, or so many bytes, go together. */
#define GATHER_MS    250
#define GATHER_BYTES 8192
/* After a transaction that failed, until the log tries one of its own. */
#define FAILED_WAIT_MS 60000
/* Lines that are looked at in one go, when lines with a text are looked for. */
#define SCAN_LINES 256

static struct {
    struct log_queue queue;
    uint64_t cursor; /* behind what is in the open transaction */
    uint64_t lost_told;
    uint64_t drained_ms; /* when lines went into a transaction last */
    uint64_t written;
    struct timer timer;
    bool due;
} state;

static void take(const struct log_entry *entry)
{
    if (log_queue_put(&state.queue, entry) && !timer_running(&state.timer))
        timer_start(&state.timer, ST_LOG_WAIT_MS);
}

static void waited_long(struct timer *timer)
{
    (void)timer;
    state.due = true;
}

static struct log_sink sink = {.take = take};

/* ---- Into the store: the writer ------------------------------------------ */

bool st_log_waits(void)
{
    return !log_queue_empty(&state.queue);
}

bool st_log_due(void)
{
    return state.due && st_log_waits();
}

static enum err tell_lost(struct store *store)
{
    char text[48];
    int len;

    if (state.lost_told == state.queue.lost)
        return OK;
    len = snprintf(text, sizeof text, "lines lost=%llu",
                   (unsigned long long)(state.queue.lost - state.lost_told));
    state.lost_told = state.queue.lost;
    return store_log_put(store, machine_wall_clock_ms(), 0, "log", text,
                         (size_t)len);
}

static enum err put_lines(struct store *store)
{
    enum err err = OK;

    for (unsigned lines = 0; !err && lines < DRAIN_LINES; lines++) {
        const struct log_record *record =
            log_queue_next(&state.queue, &state.cursor);

        if (!record)
            break;
        err = store_log_put(store, record->time_ms, record->mail_id,
                            record->module, record->text, record->len);
    }
    return err;
}

static void drop_all(void)
{
    state.cursor = state.queue.head;
    log_queue_drop(&state.queue, state.cursor);
}

/* Under load not every transaction takes the few lines that came since the last
 * one, which would rewrite the same pages each time. */
static bool may_wait(void)
{
    return !state.due && !st_context.checkpoint_due && !st_context.closing &&
           timer_now_ms() - state.drained_ms < GATHER_MS &&
           state.queue.head - state.queue.tail < GATHER_BYTES;
}

enum err st_log_drain(struct store *store)
{
    int64_t keep = st_setting_number("log_lines", LINES, 0, LINES_MAX);
    enum err err = OK;

    state.cursor = state.queue.tail;
    if (keep && (!st_log_waits() || may_wait()))
        return OK;
    state.drained_ms = timer_now_ms();
    if (keep == 0)
        drop_all();
    else if (st_context.room < ROOM_MIN)
        st_log_give_up();
    else
        err = tell_lost(store);
    if (!err)
        err = put_lines(store);
    if (!err)
        err = store_log_prune(store, keep, PRUNE_LINES);
    return err;
}

static void wait_again(uint64_t ms)
{
    state.due = false;
    timer_stop(&state.timer);
    if (st_log_waits())
        timer_start(&state.timer, ms);
}

void st_log_committed(void)
{
    state.written += log_queue_lines(&state.queue, state.cursor);
    log_queue_drop(&state.queue, state.cursor);
    wait_again(ST_LOG_WAIT_MS);
}

void st_log_postpone(void)
{
    wait_again(FAILED_WAIT_MS);
}

void st_log_give_up(void)
{
    state.queue.lost += log_queue_lines(&state.queue, state.queue.head);
    drop_all();
    wait_again(ST_LOG_WAIT_MS);
}

/* ---- Looking ------------------------------------------------------------- */

struct scan {
    struct st_log_read *read;
    int64_t last; /* id that was looked at last */
};

static enum err look_at(void *context, const struct store_log_line *line)
{
    struct scan *scan = context;
    struct st_log_read *read = scan->read;

    scan->last = line->log_id;
    if (read->by_id ? store_log_has_id(line, read->find)
                    : store_log_contains(line, read->find))
        read->lines[read->count++] = *line;
    return read->count == read->room ? ERR_FULL : OK;
}

/* One span of ids, starting with the next one in the direction that is wanted;
 * false behind the end. */
static bool next_span(const struct st_log_read *read, int64_t *at,
                      int64_t first, int64_t last,
                      struct store_log_query *query)
{
    if (*at < first || *at > last)
        return false;
    if (read->backward) {
        query->to = *at;
        query->from = *at - SCAN_LINES + 1;
        *at = query->from - 1;
    } else {
        query->from = *at;
        query->to = *at + SCAN_LINES - 1;
        *at = query->to + 1;
    }
    /* Lines of one message are found by the index, wherever they are. */
    if (read->mail_id) {
        query->from = read->backward ? first : query->from;
        query->to = read->backward ? query->to : last;
        *at = 0;
    }
    return true;
}

/* The reader's coroutine: span by span, so that nobody waits for a search. */
static void read_log(struct st_request *request, struct store *store)
{
    struct st_log_read *read = (struct st_log_read *)request;
    struct store_log_query query = {.mail_id = read->mail_id,
                                    .backward = read->backward};
    struct scan scan = {.read = read};
    int64_t first, last, at = read->from;
    enum err err = store_log_range(store, &first, &last);

    read->count = 0;
    if (at == 0)
        at = read->backward ? last : first;
    if (read->backward && at > last)
        at = last;
    if (!read->backward && at < first)
        at = first;
    while (!err && last && next_span(read, &at, first, last, &query)) {
        err = store_log_list(store, &query, look_at, &scan);
        if (!err)
            st_give_way(WORKER_READY);
    }
    request->result = err == ERR_FULL ? OK : err;
}

static void nothing(struct st_request *request, struct store *store)
{
    (void)store;
    request->result = OK;
}

static void written(struct st_request *request)
{
    struct st_log_read *read = (struct st_log_read *)request;

    request->work = read_log;
    request->done = read->answer;
    st_queue(&st_context.reads, request);
}

void st_log_read(struct st_log_read *read)
{
    read->count = 0;
    read->answer = read->request.done;
    read->request.work = nothing;
    read->request.done = written;
    if (st_log_waits()) {
        state.due = true;
        st_queue(&st_context.writes, &read->request);
    } else {
        written(&read->request);
    }
}
void st_log_figures(struct st_log_figures *figures)
{
    figures->written = state.written;
    figures->lost = state.queue.lost;
    figures->waiting = (size_t)(state.queue.head - state.queue.tail);
}

enum err st_log_init(void)
{
    size_t bytes = memory_left() / RING_SHARE & ~(size_t)4095;
    enum err err;

    bytes = bytes < RING_MIN ? RING_MIN : bytes > RING_MAX ? RING_MAX : bytes;
    memset(&state, 0, sizeof state);
    err = log_queue_init(&state.queue, bytes);
    if (err)
        return err;
    timer_init(&state.timer, waited_long);
    log_add_sink(&sink);
    return OK;
}
