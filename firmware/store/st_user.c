/* What is known of each user: see st_user.h.
 *
 * A hash table by user id with linear probing, whose rows are never given back
 * while a store is open. Counting is done by a reader, whose snapshot may be
 * older than a change that the writer tells of: a sum is believed when the
 * writer had nothing open for this user when it began and told nothing until it
 * was there; after some tries the writer itself counts.
 *
 * Invariant: a row that is counted, or is being counted, hears of every change;
 * one that is not yet needs none. */
#include "store/st_user.h"
#include "core/memory.h"
#include "st_internal.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>

/* The smallest user in the directory takes about so much of its memory. */
#define DIRECTORY_BYTES_PER_USER 400
#define ROWS_MIN                 1024u
#define ROWS_MAX                 65536u
#define COUNT_TRIES              4
#define SAVE_GAP_MS              60000
#define SAVE_WAIT_MS             600000
/* Logins in one transaction at most, and those that may wait. */
#define SAVE_ROWS  64
#define DIRTY_ROWS 256

struct row {
    struct st_user user; /* user_id 0: free */
    uint32_t changes;
    bool dirty;        /* the login waits to be written */
    uint64_t saved_ms; /* when it was, timer_now_ms(); 0: not since start */
};

static struct {
    struct row *rows;
    unsigned room, count;          /* room: a power of two */
    struct row *dirty[DIRTY_ROWS]; /* the first `writing` are in the open
                                      transaction */
    unsigned dirty_count, writing;
    struct timer timer; /* of the logins that wait */
    bool due;
    /* Counting: one user at a time. */
    struct st_request request;
    bool counting;
    bool all_read;
    size_t next; /* in the directory */
    int64_t user_id;
    unsigned tries;
    uint32_t changes; /* of its row, when the counting began */
    bool open_then;   /* the writer had something open for it */
    uint64_t sum;
} state;

/* ---- Rows --------------------------------------------------------------- */

static struct row *slot_of(int64_t user_id)
{
    size_t at = (size_t)((uint64_t)user_id * 0x9e3779b97f4a7c15u >> 32);

    for (;; at++) {
        struct row *row = &state.rows[at & (state.room - 1)];

        if (row->user.user_id == 0 || row->user.user_id == user_id)
            return row;
    }
}

/* NULL: there is no room for one more. */
static struct row *row_of(int64_t user_id)
{
    struct row *row = slot_of(user_id);

    if (row->user.user_id == 0) {
        if (state.count >= state.room / 4 * 3)
            return NULL;
        state.count++;
        row->user.user_id = user_id;
        row->user.login.user_id = user_id;
    }
    return row;
}

bool st_user(int64_t user_id, struct st_user *user)
{
    const struct row *row = slot_of(user_id);

    memset(user, 0, sizeof *user);
    if (user_id == 0 || row->user.user_id == 0)
        return false;
    *user = row->user;
    return true;
}

static void usage_changed(int64_t user_id, int64_t bytes)
{
    struct row *row = slot_of(user_id);

    if (row->user.user_id == 0)
        return;
    row->changes++;
    if (row->user.counted)
        row->user.used_bytes += (uint64_t)bytes;
}

/* ---- Counting ----------------------------------------------------------- */

static void count_next(void);

static void count(struct st_request *request, struct store *store)
{
    const struct row *row = slot_of(state.user_id);

    state.changes = row->changes;
    state.open_then = store != ST_WRITER->store &&
                      store_usage_open(ST_WRITER->store, state.user_id);
    request->result = store_usage(store, state.user_id, &state.sum);
    /* The writer does not tell of changes while it counts itself. */
    if (!request->result && store == ST_WRITER->store) {
        struct row *own = slot_of(state.user_id);

        own->user.used_bytes = state.sum;
        own->user.counted = true;
    }
}

static void counted(struct st_request *request)
{
    struct row *row = slot_of(state.user_id);

    state.counting = false;
    if (request->result == ERR_GONE)
        return;
    if (!request->result && !row->user.counted && !state.open_then &&
        row->changes == state.changes) {
        row->user.used_bytes = state.sum;
        row->user.counted = true;
    }
    if (!row->user.counted && !request->result && ++state.tries <= COUNT_TRIES)
        state.next -= state.next > 0; /* the same once more */
    else
        state.tries = 0;
    count_next();
}

static enum err take_login(void *context, const char *name,
                           const struct store_login *login)
{
    struct row *row = row_of(login->user_id);

    (void)context;
    (void)name;
    if (row && row->user.login.time_ms < login->time_ms)
        row->user.login = *login;
    return OK;
}

/* What is read once, and the figures of the whole store, which take as long as
 * it is big. */
static void read_all(struct st_request *request, struct store *store)
{
    request->result = store_list_logins(store, take_login, NULL);
    if (!request->result)
        request->result = store_figures(store, &st_context.figures.store);
}

static void all_is_read(struct st_request *request)
{
    state.counting = false;
    if (request->result != ERR_GONE)
        count_next();
}

static void ask(void (*work)(struct st_request *, struct store *),
                void (*done)(struct st_request *), struct list *queue)
{
    state.request.work = work;
    state.request.done = done;
    state.counting = true;
    st_queue(queue, &state.request);
}

static void count_next(void)
{
    const struct user *user;

    if (state.counting)
        return;
    if (!state.all_read) {
        state.all_read = true;
        ask(read_all, all_is_read, &st_context.reads);
        return;
    }
    while ((user = directory_user_at(state.next)) != NULL) {
        struct row *row = row_of(user->id);

        state.next++;
        if (!row || row->user.counted)
            continue;
        state.user_id = user->id;
        ask(count, counted,
            state.tries < COUNT_TRIES ? &st_context.reads : &st_context.writes);
        return;
    }
}

void st_user_opened(struct store *store)
{
    memset(state.rows, 0, state.room * sizeof *state.rows);
    state.count = state.dirty_count = state.writing = 0;
    state.due = false;
    timer_stop(&state.timer);
    state.all_read = false;
    state.tries = 0;
    state.next = 0;
    store_watch_usage(store, usage_changed);
}

void st_user_go_on(void)
{
    state.next = 0;
    count_next();
}

/* ---- Logins ------------------------------------------------------------- */

static void waited_long(struct timer *timer)
{
    (void)timer;
    state.due = true;
}

void st_user_login(int64_t user_id, const char *address, const char *service)
{
    struct row *row = row_of(user_id);
    struct store_login *login;

    if (!row)
        return;
    login = &row->user.login;
    login->time_ms = machine_wall_clock_ms();
    (void)snprintf(login->address, sizeof login->address, "%s", address);
    (void)snprintf(login->service, sizeof login->service, "%s", service);
    if (row->dirty || state.dirty_count == DIRTY_ROWS ||
        (row->saved_ms && timer_now_ms() - row->saved_ms < SAVE_GAP_MS))
        return;
    row->dirty = true;
    state.dirty[state.dirty_count++] = row;
    if (!timer_running(&state.timer))
        timer_start(&state.timer, SAVE_WAIT_MS);
}

bool st_user_waits(void)
{
    return state.dirty_count > 0;
}

bool st_user_due(void)
{
    return state.due && state.dirty_count > 0;
}

enum err st_user_drain(struct store *store)
{
    enum err err = OK;

    for (state.writing = 0;
         !err && state.writing < state.dirty_count && state.writing < SAVE_ROWS;
         state.writing++)
        err = store_login_put(store, &state.dirty[state.writing]->user.login);
    return err;
}

void st_user_end(bool durable)
{
    unsigned gone = durable ? state.writing : 0;

    for (unsigned i = 0; i < gone; i++) {
        state.dirty[i]->dirty = false;
        state.dirty[i]->saved_ms = timer_now_ms();
    }
    state.dirty_count -= gone;
    memmove(state.dirty, state.dirty + gone,
            state.dirty_count * sizeof state.dirty[0]);
    state.writing = 0;
    state.due = false;
    timer_stop(&state.timer);
    if (state.dirty_count)
        timer_start(&state.timer, SAVE_WAIT_MS);
}

/* What waits cannot be stored: the next logins may. */
void st_user_give_up(void)
{
    for (unsigned i = 0; i < state.dirty_count; i++)
        state.dirty[i]->dirty = false;
    state.dirty_count = state.writing = 0;
}

/* ---- Changes ------------------------------------------------------------ */

void st_directory_changed(void)
{
    st_context.reload_due = true;
}

static void put_user(struct st_request *request, struct store *store)
{
    struct st_user_put *put = (struct st_user_put *)request;

    request->result = put->added
                          ? store_user_add(store, &put->user)
                          : store_user_change(store, &put->user, put->fields);
    st_directory_changed();
}

static void user_is_put(struct st_request *request)
{
    struct st_user_put *put = request->context;

    st_user_go_on();
    put->done(put);
}

void st_user_put(struct st_user_put *put)
{
    put->request.work = put_user;
    put->request.done = user_is_put;
    put->request.context = put;
    put->added = put->user.id == 0;
    st_queue(&st_context.writes, &put->request);
}

/* ---- Start -------------------------------------------------------------- */

enum err st_user_init(size_t directory_bytes)
{
    unsigned room = ROWS_MIN;

    memset(&state, 0, sizeof state);
    while (room < ROWS_MAX &&
           room / 2 < directory_bytes / DIRECTORY_BYTES_PER_USER)
        room *= 2;
    state.room = room;
    state.rows = memory_take("users' figures", room * sizeof *state.rows, 64);
    timer_init(&state.timer, waited_long);
    return state.rows ? OK : ERR_MEMORY;
}
