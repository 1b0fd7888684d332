/* From the store's queue into memory: due rows become recipients, gathered in
 * jobs of one message to one host.
 *
 * One look at the queue is under way at a time. It takes what fits; when there
 * was more, the next look comes as soon as a good part of the memory is free
 * again, else when the next row is due, and at once when something was put into
 * the queue.
 *
 * Messages without sender take half of the memory at most: strangers can cause
 * them, and choose how long they stay. What goes beyond is put off. */
#include "core/check.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/timer.h"
#include "protocol/text.h"
#include "relay/relay_internal.h"
#include <stdio.h>
#include <string.h>

#define BUCKETS         1024u
#define ROWS            128 /* of one look */
#define REFILL_SHARE    4   /* of the memory: free before the next look */
#define AUTOMATIC_SHARE 2   /* of the memory */
#define LOOK_MS_MAX     60000
#define LOOK_MS_RETRY   5000

static struct {
    struct list buckets[BUCKETS];
    struct list free_recipients, free_jobs;
    unsigned recipients, recipients_free, jobs_free;
    unsigned automatic; /* recipients of messages without sender */
    struct st_due due;
    struct store_due *rows;
    struct timer timer;
    bool looking;
    bool wanted;  /* look again when this look is done */
    bool starved; /* rows were left for want of memory */
} state;

/* ---- Recipients ---------------------------------------------------------- */

static struct list *bucket_of(int64_t queue_id)
{
    return &state.buckets[(uint64_t)queue_id % BUCKETS];
}

static bool is_held(void *context, int64_t queue_id)
{
    struct list *bucket = bucket_of(queue_id);

    (void)context;
    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        if (LIST_ELEMENT(node, struct relay_recipient, hash)->queue_id ==
            queue_id)
            return true;
    }
    return false;
}

static void add_recipient(struct relay_job *job, const struct store_due *due)
{
    struct relay_recipient *recipient = LIST_ELEMENT(
        list_take_first(&state.free_recipients), struct relay_recipient, link);

    state.recipients_free--;
    recipient->queue_id = due->queue_id;
    recipient->attempts = due->attempts;
    recipient->notify = due->notify;
    recipient->outcome = RELAY_PENDING;
    recipient->delayed = due->delayed;
    recipient->expired = false;
    recipient->automatic = job->sender[0] == '\0';
    state.automatic += recipient->automatic;
    (void)snprintf(recipient->address, sizeof(recipient->address), "%s",
                   due->recipient);
    (void)snprintf(recipient->orcpt, sizeof(recipient->orcpt), "%s",
                   due->orcpt);
    (void)snprintf(recipient->reply, sizeof(recipient->reply), "%s",
                   due->reply);
    list_append(&job->recipients, &recipient->link);
    list_append(bucket_of(due->queue_id), &recipient->hash);
    job->count++;
}

/* When there is room for another look that pays. */
static void refill(void)
{
    if (!state.starved ||
        state.recipients_free < state.recipients / REFILL_SHARE)
        return;
    state.starved = false;
    relay_queue_wake();
}

void relay_queue_free_recipient(struct relay_recipient *recipient)
{
    list_remove(&recipient->link);
    list_remove(&recipient->hash);
    list_append(&state.free_recipients, &recipient->link);
    state.recipients_free++;
    state.automatic -= recipient->automatic;
}

void relay_queue_free_job(struct relay_job *job)
{
    ASSERT(list_empty(&job->recipients));
    relay_host_settled(job);
    list_remove(&job->link);
    list_append(&state.free_jobs, &job->link);
    state.jobs_free++;
    refill();
}

void relay_queue_forget(struct relay_job *job)
{
    struct list *node = job->recipients.next;

    while (node != &job->recipients) {
        struct relay_recipient *recipient =
            LIST_ELEMENT(node, struct relay_recipient, link);

        node = node->next;
        if (recipient->outcome > RELAY_ACCEPTED)
            continue;
        relay_queue_free_recipient(recipient);
        job->count--;
    }
    if (job->count > 0)
        relay_settle(job);
    else
        relay_queue_free_job(job);
    timer_start(&state.timer, LOOK_MS_RETRY);
}

void relay_queue_reload(void)
{
    struct relay_job *job;

    while ((job = relay_host_any_job()) != NULL)
        relay_queue_forget(job);
    relay_queue_wake();
}

unsigned relay_queue_kept(void)
{
    return state.recipients - state.recipients_free;
}

/* ---- Jobs ---------------------------------------------------------------- */

static struct relay_job *make_job(const struct store_due *due)
{
    struct list *node = list_take_first(&state.free_jobs);
    struct relay_job *job;

    if (node == NULL)
        return NULL;
    state.jobs_free--;
    job = LIST_ELEMENT(node, struct relay_job, link);
    list_init(&job->recipients);
    job->count = 0;
    job->host = NULL;
    job->under_way = false;
    job->message_id = due->message_id;
    job->received_ms = due->received_ms;
    job->expires_ms = due->expires_ms;
    job->bytes = due->bytes;
    job->smtputf8 = due->smtputf8 || !text_is_ascii(due->sender);
    job->eight_bit = due->eight_bit;
    job->returning = due->returning;
    (void)snprintf(job->sender, sizeof(job->sender), "%s", due->sender);
    (void)snprintf(job->envid, sizeof(job->envid), "%s", due->envid);
    return job;
}

/* The job of a message that was added to a list last, or a new one. */
static struct relay_job *job_in(struct list *jobs, const struct store_due *due)
{
    if (!list_empty(jobs)) {
        struct relay_job *last =
            LIST_ELEMENT(jobs->previous, struct relay_job, link);

        if (last->message_id == due->message_id)
            return last;
    }
    return make_job(due);
}

/* Whether an address can stand in a command: nothing in the store is trusted
 * to be what the SMTP server would have let in. */
static bool address_sound(const char *address, bool may_be_null)
{
    const char *at = strrchr(address, '@');

    for (const char *c = address; *c; c++) {
        if ((uint8_t)*c < 0x20 || *c == 0x7f || *c == '<' || *c == '>')
            return false;
    }
    if (address[0] == '\0')
        return may_be_null;
    return at != NULL && at != address && at[1] != '\0' &&
           strchr(at, ' ') == NULL;
}

/* Takes one row that cannot be, or need not be, tried. decided: jobs of such
 * ones. */
static bool take_decided(struct list *decided, const struct store_due *due,
                         enum relay_outcome outcome, const char *reply)
{
    struct relay_job *job = job_in(decided, due);
    struct relay_recipient *recipient;

    if (job == NULL)
        return false;
    add_recipient(job, due);
    if (list_empty(&job->link))
        list_append(decided, &job->link);
    recipient =
        LIST_ELEMENT(job->recipients.previous, struct relay_recipient, link);
    recipient->outcome = (uint8_t)outcome;
    (void)snprintf(recipient->reply, sizeof(recipient->reply), "%s", reply);
    return true;
}

/* Returns false when there is no room for it. */
static bool take_row(const struct store_due *due, struct list *decided)
{
    struct relay_host *host;
    struct relay_job *job;

    if (state.recipients_free == 0)
        return false;
    if (due->state == STORE_QUEUE_BOUNCE)
        return take_decided(decided, due, RELAY_FAILED,
                            "550 5.7.0 given up by the administrator");
    if (!address_sound(due->recipient, false) ||
        !address_sound(due->sender, true))
        return take_decided(decided, due, RELAY_FAILED,
                            "553 5.1.3 not an address");
    if (due->sender[0] == '\0' &&
        state.automatic >= state.recipients / AUTOMATIC_SHARE)
        return take_decided(decided, due, RELAY_DEFERRED,
                            "450 4.3.2 too many such notices wait already");
    host = relay_host_find(due);
    if (host == NULL)
        return false;
    if (due->next_ms == 0)
        host->dead_until_ms = 0;
    if (host->dead_until_ms > timer_now_ms())
        return take_decided(decided, due, RELAY_DEFERRED, host->reply);
    job = job_in(&host->jobs, due);
    if (job == NULL)
        return false;
    add_recipient(job, due);
    if (job->host == NULL) {
        job->host = host;
        relay_host_add(job, false);
    }
    return true;
}

/* ---- Looking ------------------------------------------------------------- */

static void look(void);

static void take_rows(const struct store_due_list *list)
{
    struct list decided;

    list_init(&decided);
    state.starved = list->more;
    for (unsigned i = 0; i < list->count; i++) {
        if (!take_row(&list->rows[i], &decided))
            state.starved = true;
    }
    while (!list_empty(&decided)) {
        struct relay_job *job =
            LIST_ELEMENT(list_take_first(&decided), struct relay_job, link);

        relay_settle(job);
    }
}

static void looked(struct st_request *request)
{
    const struct store_due_list *list = &state.due.list;
    int64_t wait = LOOK_MS_MAX;

    state.looking = false;
    if (request->result != OK) {
        if (request->result != ERR_GONE)
            log_warn("relay", "queue not read error=\"%s\"",
                     err_text(request->result));
        timer_start(&state.timer, LOOK_MS_RETRY);
        return;
    }
    if (relay_context.stopping)
        return;
    take_rows(list);
    relay_host_schedule();
    if (state.wanted) {
        look();
        return;
    }
    if (list->next_ms - list->now_ms < wait)
        wait = list->next_ms - list->now_ms;
    timer_start(&state.timer, wait > 0 ? (uint64_t)wait : 1);
    refill();
}

static void look(void)
{
    struct store_due_list *list = &state.due.list;

    if (state.looking || relay_context.stopping || !relay_context.started) {
        state.wanted = true;
        return;
    }
    state.looking = true;
    state.wanted = false;
    list->now_ms = machine_wall_clock_ms();
    list->held = is_held;
    list->rows = state.rows;
    list->room = ROWS;
    state.due.request.done = looked;
    st_queue_due(&state.due);
}

static void time_to_look(struct timer *timer)
{
    (void)timer;
    look();
}

void relay_queue_wake(void)
{
    look();
}

enum err relay_queue_init(unsigned recipients)
{
    struct relay_recipient *recipient =
        memory_take("relay", recipients * sizeof(*recipient), 64);
    struct relay_job *job = memory_take("relay", recipients * sizeof(*job), 64);

    memset(&state, 0, sizeof(state));
    state.rows = memory_take("relay", ROWS * sizeof(*state.rows), 64);
    if (recipient == NULL || job == NULL || state.rows == NULL)
        return ERR_MEMORY;
    timer_init(&state.timer, time_to_look);
    list_init(&state.free_recipients);
    list_init(&state.free_jobs);
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&state.buckets[i]);
    for (unsigned i = 0; i < recipients; i++) {
        list_init(&recipient[i].link);
        list_init(&recipient[i].hash);
        list_append(&state.free_recipients, &recipient[i].link);
        list_init(&job[i].link);
        list_append(&state.free_jobs, &job[i].link);
    }
    state.recipients = state.recipients_free = recipients;
    state.jobs_free = recipients;
    return OK;
}
