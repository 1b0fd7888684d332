/* Outcomes become durable: what was delivered or has failed leaves the queue,
 * the rest is put off, and the sender is told in the same transaction.
 *
 * A job waits here for a settlement, of which there are some, and for a buffer
 * if there is something to tell. A settlement that the store cannot make now
 * (the stick was pulled out) is tried again until it can: what is known of a
 * recipient is never given up.
 *
 * The schedule: soon at first, for servers that turn strangers away once
 * (greylisting), then ever more rarely. */
#include "core/check.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/random.h"
#include "protocol/text.h"
#include "core/timer.h"
#include "relay/relay_internal.h"
#include <string.h>

#define MINUTE_MS ((int64_t)60000)
#define HOUR_MS   (60 * MINUTE_MS)
/* Attempts before a message can be too old: it may have waited for a PC that
 * was off, or for a clock that was wrong. */
#define ATTEMPTS_MIN 6
/* And for a notice that the stick does not take. */
#define ATTEMPTS_MAX 100
#define RETRY_MS     1000
#define RETRY_MS_MAX 30000
#define DELAY_HOURS  4
#define JITTER_SHARE 8 /* of the time, more or less */
#define NOTICES_MAX  16

struct settlement {
    struct list link; /* free, or nowhere */
    struct st_settle request;
    struct timer retry;
    uint64_t wait_ms;
    struct relay_job *job;
    char *buffer; /* of the notice */
    struct store_notice notice;
    unsigned count;
    struct store_settled rows[RELAY_RECIPIENTS_MAX];
    struct relay_recipient *recipients[RELAY_RECIPIENTS_MAX];
};

static struct {
    struct list free;
    struct list jobs; /* waiting */
    char *buffers[NOTICES_MAX];
    unsigned buffers_free;
    struct relay_recipient *told[RELAY_RECIPIENTS_MAX]; /* while one is made */
    unsigned busy;
} state;

int64_t relay_retry_ms(uint32_t attempts)
{
    static const uint16_t minutes[] = {2, 5, 10, 20, 40, 60, 120, 240};
    uint32_t last = sizeof(minutes) / sizeof(minutes[0]) - 1;

    if (attempts > 0)
        attempts--;
    return minutes[attempts < last ? attempts : last] * MINUTE_MS;
}

static int64_t jittered(int64_t ms)
{
    int64_t part = ms / JITTER_SHARE;

    return ms - part + random_below((uint32_t)(2 * part + 1));
}

/* ---- What becomes of them ------------------------------------------------ */

static int64_t delay_notice_ms(void)
{
    const char *text = st_setting("queue_delay_notice");
    uint64_t hours;

    if (!text_number(text, strlen(text), &hours) || hours > UINT16_MAX)
        hours = DELAY_HOURS;
    return hours > 0 ? (int64_t)hours * HOUR_MS : INT64_MAX;
}

static void expire(const struct relay_job *job,
                   struct relay_recipient *recipient, int64_t now_ms)
{
    /* Before it came: a clock that was behind has set that. */
    bool mistaken =
        job->expires_ms < job->received_ms && job->received_ms <= now_ms;

    if (recipient->outcome != RELAY_DEFERRED || now_ms < job->expires_ms ||
        mistaken || recipient->attempts + 1 < ATTEMPTS_MIN)
        return;
    recipient->outcome = RELAY_FAILED;
    recipient->expired = true;
}

static void count_outcome(const struct relay_recipient *recipient)
{
    struct relay_figures *figures = &relay_context.figures;

    if (recipient->outcome == RELAY_DEFERRED)
        figures->deferred++;
    else if (recipient->outcome == RELAY_FAILED)
        figures->failed++;
    else
        figures->delivered++;
}

static void log_outcome(const struct relay_job *job,
                        const struct relay_recipient *recipient)
{
    static const char *const names[] = {
        [RELAY_PENDING] = "pending",     [RELAY_ACCEPTED] = "accepted",
        [RELAY_DELIVERED] = "delivered", [RELAY_RELAYED] = "delivered",
        [RELAY_DEFERRED] = "deferred",   [RELAY_FAILED] = "failed",
    };
    static char address[USER_ADDRESS_BYTES + 8], reply[STORE_REPLY_BYTES + 8];

    log_mail(job->message_id, "relay", "%s to=<%s> host=%s attempt=%u reply=%s",
             recipient->expired ? "expired" : names[recipient->outcome],
             log_value(address, sizeof(address), recipient->address,
                       strlen(recipient->address)),
             job->host != NULL ? job->host->name : "-",
             (unsigned)recipient->attempts + 1,
             log_value(reply, sizeof(reply), recipient->reply,
                       strlen(recipient->reply)));
}

/* Both messages know of each other. */
static void log_notice(const struct relay_job *job, int64_t notice_id)
{
    log_mail(job->message_id, "relay", "sender told notice=#%lld",
             (long long)notice_id);
    log_mail(notice_id, "relay", "notice about=#%lld to=<%s>",
             (long long)job->message_id, job->sender);
}

/* Takes as many recipients of the job as go into one settlement. */
static void take_recipients(struct settlement *settlement)
{
    struct relay_job *job = settlement->job;
    int64_t now_ms = settlement->request.settlement.now_ms;
    struct list *node = job->recipients.next;

    settlement->count = 0;
    for (; node != &job->recipients && settlement->count < RELAY_RECIPIENTS_MAX;
         node = node->next) {
        struct relay_recipient *recipient =
            LIST_ELEMENT(node, struct relay_recipient, link);

        ASSERT(recipient->outcome > RELAY_ACCEPTED);
        expire(job, recipient, now_ms);
        recipient->told = false;
        settlement->recipients[settlement->count++] = recipient;
    }
}

/* Those that the notice has no room for wait for the next one. */
static void write_notice(struct settlement *settlement)
{
    struct relay_recipient **all = settlement->recipients;
    struct relay_recipient **told = state.told;
    bool delay_due =
        settlement->request.settlement.now_ms - settlement->job->received_ms >=
        delay_notice_ms();
    unsigned wanted = 0, kept = 0, written, seen = 0;

    for (unsigned i = 0; i < settlement->count; i++) {
        if (relay_notice_wanted(settlement->job, all[i], delay_due))
            told[wanted++] = all[i];
    }
    settlement->request.settlement.notice = NULL;
    if (wanted == 0)
        return;
    written = relay_notice_write(&settlement->notice, settlement->buffer,
                                 settlement->job, told, wanted);
    if (written == 0)
        return;
    settlement->request.settlement.notice = &settlement->notice;
    for (unsigned i = 0; i < settlement->count; i++) {
        bool is_told = seen < wanted && all[i] == told[seen];

        if (is_told && seen++ >= written)
            continue;
        all[i]->told = is_told;
        if (is_told && all[i]->outcome == RELAY_DEFERRED)
            all[i]->delayed = true;
        all[kept++] = all[i];
    }
    settlement->count = kept;
}

static void write_rows(struct settlement *settlement)
{
    struct store_settlement *store = &settlement->request.settlement;
    struct relay_recipient *first = settlement->recipients[0];
    int64_t wait = jittered(relay_retry_ms(first->attempts + 1));

    /* The same time for all, so that they stay together. */
    for (unsigned i = 0; i < settlement->count; i++) {
        struct relay_recipient *recipient = settlement->recipients[i];

        settlement->rows[i] = (struct store_settled){
            .queue_id = recipient->queue_id,
            .removed = recipient->outcome != RELAY_DEFERRED,
            .delayed = recipient->delayed,
            .next_ms = store->now_ms + wait,
            .reply = recipient->reply,
        };
    }
    store->message_id = settlement->job->message_id;
    store->recipients = settlement->rows;
    store->count = settlement->count;
}

/* ---- Settling ------------------------------------------------------------ */

static void settled(struct st_request *request);

static void start(struct settlement *settlement)
{
    settlement->request.settlement.now_ms = machine_wall_clock_ms();
    settlement->wait_ms = RETRY_MS;
    take_recipients(settlement);
    write_notice(settlement);
    write_rows(settlement);
    settlement->request.request.done = settled;
    settlement->request.request.context = settlement;
    st_queue_settle(&settlement->request);
}

/* The buffer of its notice, which it has none or no more. */
static void give_back(struct settlement *settlement)
{
    if (settlement->buffer != NULL)
        state.buffers[state.buffers_free++] = settlement->buffer;
    settlement->buffer = NULL;
}

static void pump(void)
{
    while (!list_empty(&state.jobs) && !list_empty(&state.free) &&
           state.buffers_free > 0) {
        struct settlement *settlement =
            LIST_ELEMENT(list_take_first(&state.free), struct settlement, link);

        settlement->job =
            LIST_ELEMENT(list_take_first(&state.jobs), struct relay_job, link);
        settlement->buffer = state.buffers[--state.buffers_free];
        state.busy++;
        start(settlement);
        if (settlement->request.settlement.notice == NULL)
            give_back(settlement);
    }
}

/* The store has it: the recipients are nobody's any more. */
static void finish(struct settlement *settlement)
{
    struct relay_job *job = settlement->job;

    for (unsigned i = 0; i < settlement->count; i++) {
        count_outcome(settlement->recipients[i]);
        log_outcome(job, settlement->recipients[i]);
        relay_queue_free_recipient(settlement->recipients[i]);
    }
    job->count -= settlement->count;
    if (settlement->request.settlement.notice != NULL) {
        relay_context.figures.notices++;
        log_notice(job, settlement->request.settlement.notice_id);
    }
    give_back(settlement);
    list_append(&state.free, &settlement->link);
    state.busy--;
    if (job->count > 0)
        list_append(&state.jobs, &job->link);
    else
        relay_queue_free_job(job);
    pump();
}

/* Who cannot be told of a failure now is tried again later, but for whoever was
 * so often; and what needs no notice goes on meanwhile. */
static void postpone_notice(struct settlement *settlement, uint32_t attempts)
{
    for (unsigned i = 0; i < settlement->count; i++) {
        struct relay_recipient *recipient = settlement->recipients[i];

        if (!recipient->told)
            continue;
        if (recipient->attempts >= attempts) {
            log_warn("relay", "id=%lld sender never told",
                     (long long)settlement->job->message_id);
            continue;
        }
        /* A delay he may have been told of before. */
        if (recipient->outcome == RELAY_DEFERRED)
            recipient->delayed = false;
        recipient->expired = false;
        if (recipient->outcome == RELAY_FAILED)
            recipient->outcome = RELAY_DEFERRED;
    }
    settlement->request.settlement.notice = NULL;
    write_rows(settlement);
    give_back(settlement);
    pump();
}

/* A settlement with a notice could not be stored. Returns whether that is
 * changed by now, for the next try. */
static bool mend_notice(struct settlement *settlement, enum err result)
{
    if (settlement->request.settlement.notice == NULL)
        return false;
    if (result == ERR_FULL) {
        postpone_notice(settlement, UINT32_MAX);
    } else if (err_unreadable(result) && settlement->notice.original != 0) {
        /* It may be the message that it returns. */
        settlement->notice.original = 0;
    } else if (err_unreadable(result) && settlement->wait_ms == RETRY_MS_MAX) {
        /* The stick fails where it is to go: nobody waits for its buffer. */
        postpone_notice(settlement, ATTEMPTS_MAX);
    } else if (result == ERR_NOT_FOUND || result == ERR_INVALID) {
        log_warn("relay", "id=%lld sender not told: %s",
                 (long long)settlement->job->message_id, err_text(result));
        settlement->request.settlement.notice = NULL;
    } else {
        return false;
    }
    return true;
}

static void settled(struct st_request *request)
{
    struct settlement *settlement = request->context;
    enum err result = request->result;

    if (result == OK) {
        finish(settlement);
        return;
    }
    if (!mend_notice(settlement, result) && result != ERR_GONE) {
        log_warn("relay", "id=%lld outcome not stored, tried again: %s",
                 (long long)settlement->job->message_id, err_text(result));
    }
    timer_start(&settlement->retry, settlement->wait_ms);
    settlement->wait_ms *= 2;
    if (settlement->wait_ms > RETRY_MS_MAX || result == ERR_GONE)
        settlement->wait_ms = result == ERR_GONE ? RETRY_MS : RETRY_MS_MAX;
}

static void try_again(struct timer *timer)
{
    struct settlement *settlement =
        LIST_ELEMENT(timer, struct settlement, retry);

    st_queue_settle(&settlement->request);
}

void relay_settle(struct relay_job *job)
{
    list_append(&state.jobs, &job->link);
    pump();
}

bool relay_settle_idle(void)
{
    return state.busy == 0 && list_empty(&state.jobs);
}

enum err relay_settle_init(unsigned settlements, unsigned notices)
{
    struct settlement *settlement =
        memory_take("relay", settlements * sizeof(*settlement), 64);

    memset(&state, 0, sizeof(state));
    list_init(&state.free);
    list_init(&state.jobs);
    if (settlement == NULL)
        return ERR_MEMORY;
    for (unsigned i = 0; i < settlements; i++) {
        list_init(&settlement[i].link);
        list_init(&settlement[i].request.request.link);
        timer_init(&settlement[i].retry, try_again);
        list_append(&state.free, &settlement[i].link);
    }
    for (unsigned i = 0; i < notices; i++) {
        char *bytes = memory_take("relay", RELAY_NOTICE_BYTES, 64);

        if (bytes == NULL || i == NOTICES_MAX)
            return ERR_MEMORY;
        state.buffers[state.buffers_free++] = bytes;
    }
    return OK;
}
