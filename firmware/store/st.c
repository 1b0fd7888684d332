/* ST: queues, workers, and what MT does of it each turn.
 *
 * Not supported: more than one store at a time. */
#include "st_internal.h"
#include "core/check.h"
#include "core/machine.h"
#include "core/memory.h"
#include "userdb/directory.h"
#include <string.h>

#define STACK_PAGE 4096
#ifdef __SANITIZE_ADDRESS__
#define STACK_BYTES ((size_t)512 * 1024)
#else
#define STACK_BYTES ((size_t)64 * 1024)
#endif
#define SEARCH_MS 200
/* While there is no disk at all, one may appear at any moment. */
#define APPEAR_MS 20
/* Shares of the memory that is there at start. */
#define HEAP_SHARE 2
#define HEAP_MIN   ((size_t)5 * 1024 * 1024)
#define HEAP_MAX   ((size_t)128 * 1024 * 1024)

struct st_context st_context;

/* ---- Requests ----------------------------------------------------------- */

void st_answer(struct st_request *request, enum err result)
{
    request->result = result;
    list_init(&request->link);
    list_append(&st_context.done, &request->link);
}

void st_defer(struct st_request *request, enum err result)
{
    request->work = NULL;
    st_answer(request, result);
}

void st_queue(struct list *queue, struct st_request *request)
{
    list_init(&request->link);
    if (st_context.state != ST_READY || st_context.gone || st_context.closing)
        st_answer(request, ERR_GONE);
    else
        list_append(queue, &request->link);
}

void st_fail_queue(struct list *queue, enum err result)
{
    while (!list_empty(queue)) {
        struct st_request *request =
            LIST_ELEMENT(list_take_first(queue), struct st_request, link);

        /* An open maildrop that was never loaded is not locked any more. */
        st_request_cancelled(request);
        st_answer(request, result);
    }
}

static bool queue_holds(const struct list *queue,
                        const struct st_request *request)
{
    for (const struct list *node = queue->next; node != queue;
         node = node->next) {
        if (node == &request->link)
            return true;
    }
    return false;
}

bool st_cancel(struct st_request *request)
{
    if (!queue_holds(&st_context.reads, request) &&
        !queue_holds(&st_context.writes, request) &&
        !queue_holds(&st_context.passwords, request))
        return false;
    list_remove(&request->link);
    st_request_cancelled(request);
    return true;
}

static bool call_done(void)
{
    struct list now;
    bool any = false;

    /* Only what is there: a callback's own requests wait for the next turn. */
    list_init(&now);
    while (!list_empty(&st_context.done))
        list_append(&now, list_take_first(&st_context.done));
    while (!list_empty(&now)) {
        struct st_request *request =
            LIST_ELEMENT(list_take_first(&now), struct st_request, link);

        any = true;
        st_request_finish(request);
        request->done(request);
    }
    return any;
}

/* ---- Workers ------------------------------------------------------------ */

void st_give_way(enum st_worker_state state)
{
    struct st_worker *worker = (struct st_worker *)(void *)coroutine_current();

    worker->state = state;
    coroutine_suspend();
}

bool st_readers_busy(void)
{
    for (unsigned i = 0; i < ST_READERS; i++) {
        if (ST_READER[i].state != WORKER_IDLE)
            return true;
    }
    for (unsigned i = 0; i < ST_JOBS; i++) {
        if (ST_JOBBER[i].state != WORKER_IDLE)
            return true;
    }
    return st_sql_connected();
}

bool st_run_worker(struct st_worker *worker)
{
    if (worker->state == WORKER_DISK || worker->state == WORKER_WAIT ||
        (worker->state == WORKER_IDLE && !worker->wanted(worker)))
        return false;
    worker->state = WORKER_READY;
    coroutine_resume(&worker->coroutine);
    return true;
}

void st_lose(void)
{
    if (!st_context.gone || st_context.state != ST_READY)
        return;
    st_say(ST_GONE, "the stick with store %.8s was pulled out: put it back",
           st_context.store_id);
    st_fail_queue(&st_context.writes, ERR_GONE);
    st_fail_queue(&st_context.reads, ERR_GONE);
    st_fail_queue(&st_context.passwords, ERR_GONE);
    st_inbound_lose();
    st_job_lose();
    st_sql_lose();
}

bool st_run(void)
{
    bool busy = false;

    st_media_watch();
    st_lose();
    for (unsigned i = 0; i < ST_WORKERS; i++)
        busy |= st_run_worker(&st_context.workers[i]);
    busy |= st_job_run();
    st_lose();
    busy |= call_done();
    busy |= st_queue_run();
    busy |= st_inbound_run();
    return busy;
}

enum st_state st_state(void)
{
    return st_context.state;
}

const char *st_state_text(void)
{
    return st_context.text;
}

void st_close(void)
{
    st_context.closing = true;
    st_job_lose();
    st_sql_lose();
}

/* ---- Figures ------------------------------------------------------------ */

static uint64_t queue_length(const struct list *queue)
{
    uint64_t length = 0;

    for (const struct list *node = queue->next; node != queue;
         node = node->next)
        length++;
    return length;
}

static bool page_used(const uint64_t *page)
{
    for (size_t i = 0; i < STACK_PAGE / sizeof *page; i++)
        if (page[i])
            return true;
    return false;
}

static void look_at_stack(const struct st_worker *worker)
{
    size_t pages = STACK_BYTES / STACK_PAGE;
    const uint64_t *stack = worker->coroutine.stack;

    while (st_context.stack_pages < pages &&
           page_used(stack + (pages - st_context.stack_pages - 1) *
                                 (STACK_PAGE / sizeof *stack)))
        st_context.stack_pages++;
}

/* How deep the deepest stack has been, in pages: they were zeros at first. A
 * look goes on where the last one stopped, so that it costs little. */
static size_t stack_used(void)
{
    for (unsigned i = 0; i < ST_WORKERS; i++)
        look_at_stack(&st_context.workers[i]);
    for (unsigned i = 0; i < ST_JOBS; i++)
        look_at_stack(&st_context.job_workers[i]);
    return st_context.stack_pages * STACK_PAGE;
}

void st_figures(struct st_figures *figures)
{
    *figures = st_context.figures;
    figures->queued = queue_length(&st_context.writes) +
                      queue_length(&st_context.reads) +
                      queue_length(&st_context.passwords);
    figures->stack_bytes = STACK_BYTES;
    figures->stack_used = stack_used();
    st_inbound_figures(figures);
}

/* ---- Start -------------------------------------------------------------- */

static bool any_disk(void)
{
    for (unsigned disk = 0; disk < MACHINE_DISKS; disk++) {
        struct machine_disk_info info;

        machine_disk_info(disk, &info);
        if (info.present)
            return true;
    }
    return false;
}

static void search_again(struct timer *timer)
{
    if (st_context.state == ST_READY && !st_context.gone && st_media_lost())
        st_context.gone = true;
    st_context.search_due = true;
    timer_start(timer, any_disk() ? SEARCH_MS : APPEAR_MS);
}

static void idle_for_long(struct timer *timer)
{
    (void)timer;
    st_context.checkpoint_due = true;
}

static size_t share(size_t part, size_t least, size_t most)
{
    size_t bytes = memory_left() / part;

    bytes = bytes < least ? least : bytes > most ? most : bytes;
    return bytes & ~(size_t)4095;
}

static enum err take_memory(size_t buffer_bytes)
{
    size_t directory = directory_share(memory_left());
    size_t heap_bytes = share(HEAP_SHARE, HEAP_MIN, HEAP_MAX);
    enum err err = st_inbound_init(buffer_bytes);
    void *heap;

    if (!err)
        err = st_request_init();
    if (!err)
        err = st_log_init();
    if (err)
        return err;
    err = st_user_init(directory);
    if (err)
        return err;
    st_context.directory_bytes = directory;
    for (int i = 0; i < 2; i++)
        st_context.directory_memory[i] = memory_take("users", directory, 64);
    st_context.settings =
        memory_take("settings", ST_SETTINGS * sizeof *st_context.settings, 64);
    heap = memory_take("database", heap_bytes, 4096);
    /* There may be enough, but not in one piece. */
    while (!heap && heap_bytes / 2 >= HEAP_MIN) {
        heap_bytes = heap_bytes / 2 & ~(size_t)4095;
        heap = memory_take("database", heap_bytes, 4096);
    }
    if (!heap || !st_context.settings || !st_context.directory_memory[0] ||
        !st_context.directory_memory[1])
        return ERR_MEMORY;
    directory_init(st_context.directory_memory[0], directory);
    return store_module_init(heap, heap_bytes, machine_wall_clock_ms);
}

static enum err start_worker(struct st_worker *worker, void (*entry)(void *),
                             bool (*wanted)(const struct st_worker *))
{
    worker->state = WORKER_IDLE;
    worker->wanted = wanted;
    return coroutine_init(&worker->coroutine, STACK_BYTES, entry, worker);
}

enum err st_module_init(size_t buffer_bytes)
{
    enum err err;

    memset(&st_context, 0, sizeof st_context);
    list_init(&st_context.writes);
    list_init(&st_context.reads);
    list_init(&st_context.passwords);
    list_init(&st_context.jobs);
    list_init(&st_context.jobs_done);
    list_init(&st_context.done);
    timer_init(&st_context.search_timer, search_again);
    timer_init(&st_context.idle_timer, idle_for_long);
    st_want_store(machine_command_line());
    st_media_init();
    st_index_init();
    err = take_memory(buffer_bytes);
    if (!err)
        err = start_worker(ST_WRITER, st_writer_main, st_writer_wanted);
    for (unsigned i = 0; !err && i < ST_READERS; i++)
        err = start_worker(&ST_READER[i], st_reader_main, st_reader_wanted);
    for (unsigned i = 0; !err && i < ST_JOBS; i++)
        err = start_worker(&ST_JOBBER[i], st_job_main, st_job_wanted);
    if (!err)
        err = start_worker(ST_PASSWORD, st_password_main, st_password_wanted);
    if (!err)
        err = st_sql_init();
    if (err)
        return err;
    st_say(ST_SEARCHING, "looking for a stick with a store");
    st_context.search_due = true;
    timer_start(&st_context.search_timer, APPEAR_MS);
    return OK;
}
