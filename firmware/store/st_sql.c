/* Queries: see st_sql.h.
 *
 *   FREE --open--> OPEN --run--> RUNNING --> DONE --run--> RUNNING ...
 *                    '-----------close----------'--> CLOSING --> FREE
 *
 * The connection is opened by the first statement that needs it and stays until
 * the asker closes, so that a transaction or temporary table at the console
 * lasts from one line to the next. A pulled stick closes it: the next statement
 * finds a new one. */
#include "store/st_sql.h"
#include "core/memory.h"
#include "mailstore/sql_heap.h"
#include "st_internal.h"
#include "st_query.h"
#include <stdio.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#define STACK_BYTES ((size_t)768 * 1024)
#else
#define STACK_BYTES ((size_t)160 * 1024)
#endif
#define OUT_BYTES 8192u
/* A slice; and the pause after one while MT has other things to do. */
#define SLICE_NS 250000u
#define PAUSE_NS 4000000u
/* Looks at the clock after which a slice ends in any case: a clock may stand.
 */
#define SLICE_BREATHS 16
/* Of the memory at start, for the heap of each query. */
#define HEAP_SHARE 12
#define HEAP_MIN   ((size_t)512 * 1024)
#define HEAP_MAX   ((size_t)16 * 1024 * 1024)
#define TEXT_PART  8 /* of it, for the text */
/* With less memory than this there is one query at a time. */
#define SMALL_BYTES ((size_t)8 * 1024 * 1024)

static struct {
    struct st_query queries[SQL_HEAPS];
    unsigned next;
    unsigned ids;
    uint64_t last_ns; /* end of the last slice */
    struct st_sql_figures figures;
    size_t text_bytes;
} state;

/* ---- In the worker ------------------------------------------------------- */

static bool must_end(const struct st_query *query)
{
    return query->stop || query->state == QUERY_CLOSING || st_context.gone ||
           st_context.closing;
}

bool st_query_pause(void *context, bool waiting)
{
    struct st_query *query = context;

    if (must_end(query))
        return true;
    if (waiting || ++query->breaths == SLICE_BREATHS ||
        machine_monotonic_ns() - query->slice_ns > SLICE_NS)
        st_give_way(WORKER_READY);
    return must_end(query);
}

static uint64_t now_us(void)
{
    return machine_monotonic_ns() / 1000;
}

static void wake_asker(struct st_query *query)
{
    if (query->asker != NULL && query->asker->wake != NULL)
        query->asker->wake(query->asker);
}

/* Its view of mail.db must not wait for a reader for longer than mail can. */
static bool holds_up_mail(const struct st_query *query)
{
    return query->state == QUERY_RUNNING && query->sql != NULL &&
           sql_holds_up_mail(query->sql);
}

static enum err write_out(void *context, const char *bytes, size_t len)
{
    struct st_query *query = context;

    while (len != 0) {
        unsigned at = (query->out_first + query->out_len) % OUT_BYTES;
        size_t part = OUT_BYTES - query->out_len;

        if (must_end(query) || holds_up_mail(query))
            return ERR_GONE;
        if (part > OUT_BYTES - at)
            part = OUT_BYTES - at;
        if (part > len)
            part = len;
        memcpy(query->out + at, bytes, part);
        query->out_len += (unsigned)part;
        bytes += part;
        len -= part;
        wake_asker(query);
        if (len != 0 && query->out_len == OUT_BYTES)
            st_give_way(WORKER_WAIT);
    }
    return OK;
}

static const struct sql_host host = {
    .write = write_out,
    .now_us = now_us,
    .open = st_query_open,
    .read = st_query_read,
};

static void explain_end(struct st_query *query)
{
    char *message = query->result.message;

    if (message[0] == '\0' || query->stop == STOP_NOT)
        return;
    if (query->stop == STOP_TIME)
        (void)snprintf(message, SQL_MESSAGE_BYTES,
                       "ended after %u seconds, the time that a query may take",
                       (unsigned)(query->time_ms / 1000));
}

static void run_script(struct st_query *query)
{
    struct sql_host of_query = host;

    of_query.context = query;
    query->err = sql_script(&query->sql, &query->session, &of_query,
                            query->text, query->text_len, &query->result);
    explain_end(query);
    timer_stop(&query->timer);
    state.figures.scripts++;
    state.figures.rows += query->result.rows;
    state.figures.errors += query->err != OK;
    query->text_len = 0;
    if (query->state == QUERY_RUNNING)
        query->state = QUERY_DONE;
    wake_asker(query);
}

static void drop_connection(struct st_query *query)
{
    sql_close(query->sql);
    query->sql = NULL;
}

static bool query_wanted(const struct st_worker *worker)
{
    const struct st_query *query =
        (const struct st_query *)(const void *)worker;

    return query->state == QUERY_RUNNING || query->state == QUERY_CLOSING ||
           (query->sql != NULL && (st_context.gone || st_context.closing));
}

static void query_main(void *argument)
{
    struct st_query *query = argument;

    for (;;) {
        if (query->state == QUERY_RUNNING) {
            run_script(query);
        } else if (query->state == QUERY_CLOSING) {
            drop_connection(query);
            query->state = QUERY_FREE;
        } else if (query_wanted(&query->worker)) {
            drop_connection(query);
        } else {
            st_give_way(WORKER_IDLE);
        }
    }
}

/* ---- For the asker ------------------------------------------------------- */

static void wake_worker(struct st_query *query)
{
    if (query->worker.state == WORKER_WAIT)
        query->worker.state = WORKER_READY;
}

static void time_over(struct timer *timer)
{
    struct st_query *query = LIST_ELEMENT(timer, struct st_query, timer);

    st_query_stop(query, STOP_TIME);
}

void st_query_stop(struct st_query *query, enum query_stop why)
{
    if (query->stop == STOP_NOT)
        query->stop = why;
    if (query->sql != NULL && query->state == QUERY_RUNNING)
        sql_interrupt(query->sql);
    wake_worker(query);
}

enum err st_sql_open(struct st_sql *sql)
{
    sql->query = NULL;
    if (st_context.state != ST_READY || st_context.gone || st_context.closing)
        return ERR_GONE;
    for (int i = 0; i < SQL_HEAPS; i++) {
        struct st_query *query = &state.queries[i];

        if (query->state != QUERY_FREE || query->text == NULL)
            continue;
        query->state = QUERY_OPEN;
        query->asker = sql;
        query->id = ++state.ids;
        query->user_id = sql->user_id;
        query->admin = sql->admin;
        query->text_len = query->out_len = query->out_first = 0;
        query->started_ms = timer_now_ms();
        query->stop = STOP_NOT;
        (void)snprintf(query->who, sizeof query->who, "%s", sql->who);
        query->head[0] = '\0';
        sql->query = query;
        return OK;
    }
    return ERR_BUSY;
}

size_t st_sql_text_max(void)
{
    return state.text_bytes;
}

bool st_sql_put(struct st_sql *sql, const char *text, size_t len)
{
    struct st_query *query = sql->query;

    if (len > state.text_bytes - query->text_len)
        return false;
    memcpy(query->text + query->text_len, text, len);
    query->text_len += len;
    return true;
}

void st_sql_run(struct st_sql *sql)
{
    struct st_query *query = sql->query;
    size_t head = query->text_len;

    if (head > sizeof query->head - 1)
        head = sizeof query->head - 1;
    memcpy(query->head, query->text, head);
    query->head[head] = '\0';
    query->session = sql->session;
    query->time_ms = sql->time_ms != 0 ? sql->time_ms : ST_SQL_MS;
    query->started_ms = timer_now_ms();
    query->stop = STOP_NOT;
    query->state = QUERY_RUNNING;
    timer_start(&query->timer, query->time_ms);
}

size_t st_sql_read(struct st_sql *sql, void *buffer, size_t bytes)
{
    struct st_query *query = sql->query;
    size_t got = 0;

    while (got < bytes && query->out_len != 0) {
        size_t part = OUT_BYTES - query->out_first;

        if (part > query->out_len)
            part = query->out_len;
        if (part > bytes - got)
            part = bytes - got;
        memcpy((char *)buffer + got, query->out + query->out_first, part);
        query->out_first = (query->out_first + (unsigned)part) % OUT_BYTES;
        query->out_len -= (unsigned)part;
        got += part;
    }
    if (got != 0)
        wake_worker(query);
    if (query->state == QUERY_DONE) {
        sql->result = query->result;
        sql->err = query->err;
        sql->session = query->session;
    }
    return got;
}

bool st_sql_done(const struct st_sql *sql)
{
    return sql->query->state == QUERY_DONE && sql->query->out_len == 0;
}

bool st_sql_running(const struct st_sql *sql)
{
    return sql->query != NULL && sql->query->state == QUERY_RUNNING;
}

void st_sql_stop(struct st_sql *sql)
{
    if (st_sql_running(sql))
        st_query_stop(sql->query, STOP_ASKED);
}

void st_sql_close(struct st_sql *sql)
{
    struct st_query *query = sql->query;

    sql->query = NULL;
    if (query == NULL)
        return;
    timer_stop(&query->timer);
    st_query_stop(query, STOP_ASKED);
    query->asker = NULL;
    query->state = QUERY_CLOSING;
}

/* ---- Lists and figures --------------------------------------------------- */

static bool is_open(const struct st_query *query)
{
    return query->state != QUERY_FREE && query->state != QUERY_CLOSING;
}

bool st_sql_list(unsigned index, struct st_sql_info *info)
{
    for (int i = 0; i < SQL_HEAPS; i++) {
        const struct st_query *query = &state.queries[i];

        if (!is_open(query) || index-- != 0)
            continue;
        info->id = query->id;
        info->running = query->state == QUERY_RUNNING;
        info->started_ms = query->started_ms;
        memcpy(info->who, query->who, sizeof info->who);
        memcpy(info->database, query->session.database, sizeof info->database);
        memcpy(info->text, query->head, sizeof info->text);
        return true;
    }
    return false;
}

bool st_sql_stop_id(unsigned id)
{
    for (int i = 0; i < SQL_HEAPS; i++) {
        struct st_query *query = &state.queries[i];

        if (query->id != id || query->state != QUERY_RUNNING)
            continue;
        st_query_stop(query, STOP_ASKED);
        return true;
    }
    return false;
}

void st_sql_figures(struct st_sql_figures *figures)
{
    *figures = state.figures;
    for (int i = 0; i < SQL_HEAPS; i++) {
        const struct st_query *query = &state.queries[i];
        size_t peak = sql_heap_peak(i);

        figures->open += is_open(query);
        figures->running += query->state == QUERY_RUNNING;
        if (peak > figures->heap_peak)
            figures->heap_peak = peak;
    }
}

/* ---- MT ------------------------------------------------------------------ */

bool st_sql_connected(void)
{
    for (int i = 0; i < SQL_HEAPS; i++)
        if (state.queries[i].sql != NULL)
            return true;
    return false;
}

void st_sql_lose(void)
{
    for (int i = 0; i < SQL_HEAPS; i++)
        wake_worker(&state.queries[i]);
}

static bool wants(const struct st_worker *worker)
{
    return worker->state == WORKER_READY ||
           (worker->state == WORKER_IDLE && worker->wanted(worker));
}

bool st_sql_turn(bool busy)
{
    uint64_t now = 0;
    bool any = false;

    for (int i = 0; i < SQL_HEAPS; i++) {
        int index = (int)(state.next + (unsigned)i) % SQL_HEAPS;
        struct st_query *query = &state.queries[index];

        if (holds_up_mail(query))
            wake_worker(query);
        if (query->text == NULL || !wants(&query->worker))
            continue;
        if (!any)
            now = machine_monotonic_ns();
        any = true;
        if (busy && now - state.last_ns < PAUSE_NS)
            break;
        query->slice_ns = now;
        query->breaths = 0;
        sql_heap_use(index, query->worker.coroutine.stack);
        (void)st_run_worker(&query->worker);
        sql_heap_use(SQL_NONE, NULL);
        state.last_ns = machine_monotonic_ns();
        state.next = (unsigned)(index + 1) % SQL_HEAPS;
        break;
    }
    return any;
}

static enum err init_query(int index, size_t heap_bytes)
{
    struct st_query *query = &state.queries[index];
    void *heap = memory_take("queries", heap_bytes, 4096);
    enum err err = sql_heap_init(index, heap, heap_bytes);

    if (err != OK)
        return err;
    query->out = memory_take("queries", OUT_BYTES, 64);
    query->text = memory_take("queries", state.text_bytes, 64);
    if (query->out == NULL || query->text == NULL)
        return ERR_MEMORY;
    timer_init(&query->timer, time_over);
    query->worker.state = WORKER_IDLE;
    query->worker.wanted = query_wanted;
    return coroutine_init(&query->worker.coroutine, STACK_BYTES, query_main,
                          query);
}

enum err st_sql_init(void)
{
    size_t heap_bytes = memory_left() / HEAP_SHARE;
    int count = memory_left() < SMALL_BYTES ? 1 : SQL_HEAPS;
    enum err err = OK;

    if (heap_bytes < HEAP_MIN)
        heap_bytes = HEAP_MIN;
    if (heap_bytes > HEAP_MAX)
        heap_bytes = HEAP_MAX;
    heap_bytes &= ~(size_t)4095;
    memset(&state, 0, sizeof state);
    state.text_bytes = heap_bytes / TEXT_PART;
    state.figures.heap_bytes = heap_bytes;
    for (int i = 0; err == OK && i < count; i++)
        err = init_query(i, heap_bytes);
    return err;
}
