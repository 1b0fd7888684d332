/* The outgoing queue: what is due, and what has become of it. See
 * store_queue.h; what the sender is told is put together in store_notice.c.
 *
 * Invariants: every row of queue has its row of outgoing, and that its message;
 * both go with the last recipient, the message too unless a mailbox holds it.
 */
#include "mailstore/store_queue.h"
#include "mailstore/store_internal.h"
#include <string.h>

/* For so long a message that cannot be read is passed over. */
#define LOST_MS ((int64_t)3600 * 1000)

bool store_queue_changed(struct store *store)
{
    bool changed = store->queue_changed;

    store->queue_changed = false;
    return changed;
}

bool store_queue_acted(struct store *store)
{
    bool acted = store->queue_acted;

    store->queue_acted = false;
    return acted;
}

/* ---- What is due -------------------------------------------------------- */

static void load_due(sqlite3_stmt *statement, struct store_due *due)
{
    due->queue_id = sqlite3_column_int64(statement, 0);
    due->message_id = sqlite3_column_int64(statement, 1);
    store_copy_column(statement, 2, due->recipient, sizeof due->recipient);
    store_copy_column(statement, 3, due->orcpt, sizeof due->orcpt);
    due->notify = (uint8_t)sqlite3_column_int(statement, 4);
    due->state = (uint8_t)sqlite3_column_int(statement, 5);
    due->attempts = (uint32_t)sqlite3_column_int64(statement, 6);
    due->next_ms = sqlite3_column_int64(statement, 7);
    due->delayed = sqlite3_column_int(statement, 8) != 0;
    store_copy_column(statement, 9, due->reply, sizeof due->reply);
    due->submitter = sqlite3_column_int64(statement, 10);
    store_copy_column(statement, 11, due->envid, sizeof due->envid);
    due->returning = (uint8_t)sqlite3_column_int(statement, 12);
    due->smtputf8 = sqlite3_column_int(statement, 13) != 0;
    due->eight_bit = sqlite3_column_int(statement, 14) != 0;
    due->expires_ms = sqlite3_column_int64(statement, 15);
    store_copy_column(statement, 16, due->sender, sizeof due->sender);
    due->received_ms = sqlite3_column_int64(statement, 17);
    due->bytes = (uint64_t)sqlite3_column_int64(statement, 18);
}

static enum err find_route(struct store *store, struct store_due *due)
{
    const char *at = strrchr(due->recipient, '@');

    return store_route_find(store, at ? at + 1 : "", &due->route);
}

/* All recipients of a message that are due. */
static enum err list_message(struct store *store, int64_t mail_id,
                             struct store_due_list *list)
{
    sqlite3_stmt *statement = store_statement(store, SQL_QUEUE_ROWS);
    unsigned first = list->count;
    enum err err = OK;
    int code = SQLITE_ROW;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, mail_id);
    sqlite3_bind_int64(statement, 2, list->now_ms);
    while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (list->held &&
            list->held(list->context, sqlite3_column_int64(statement, 0)))
            continue;
        if (list->count == list->room) {
            /* All or none, except of the first one. */
            list->more = true;
            if (first > 0)
                list->count = first;
            code = SQLITE_DONE;
            break;
        }
        load_due(statement, &list->rows[list->count]);
        err = find_route(store, &list->rows[list->count]);
        list->count++;
    }
    sqlite3_reset(statement);
    return err ? err : store_error(store, code);
}

static bool is_listed(const struct store_due_list *list, int64_t mail_id)
{
    for (unsigned i = list->count; i > 0; i--) {
        if (list->rows[i - 1].message_id == mail_id)
            return true;
    }
    return false;
}

/* Messages that the stick has damaged: the others go on without them. */
static bool is_lost(const struct store *store, int64_t mail_id)
{
    for (unsigned i = 0; i < STORE_QUEUE_LOST; i++) {
        if (store->queue_lost[i] == mail_id)
            return true;
    }
    return false;
}

/* A stick may have failed for a moment only. */
static void forget_lost(struct store *store, int64_t now_ms)
{
    int64_t since_ms = now_ms - store->queue_lost_ms;

    if (since_ms >= 0 && since_ms < LOST_MS)
        return;
    memset(store->queue_lost, 0, sizeof store->queue_lost);
    store->queue_lost_ms = now_ms;
}

/* list_message(), but for one that is lost; of that the next look knows, where
 * SQLite has undone this one. */
static enum err list_readable(struct store *store, int64_t mail_id,
                              struct store_due_list *list)
{
    unsigned count = list->count;
    enum err err;

    if (is_lost(store, mail_id))
        return OK;
    err = list_message(store, mail_id, list);
    if (!err_unreadable(err))
        return err;
    store->queue_lost[store->queue_lost_next++ % STORE_QUEUE_LOST] = mail_id;
    list->count = count;
    return sqlite3_get_autocommit(store->db) ? err : OK;
}

static enum err list_state(struct store *store, enum store_queue_state which,
                           struct store_due_list *list)
{
    sqlite3_stmt *statement = store_statement(store, SQL_QUEUE_DUE);
    enum err err = OK;
    int code = SQLITE_DONE;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int(statement, 1, (int)which);
    sqlite3_bind_int64(statement, 2, list->now_ms);
    while (!err && !list->more &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(statement, 0);
        int64_t mail_id;

        /* This much is in the index. */
        if (list->held && list->held(list->context, id))
            continue;
        err = store_number_of(store, SQL_QUEUE_MAIL, id, &mail_id);
        if (!err && !is_listed(list, mail_id))
            err = list_readable(store, mail_id, list);
    }
    sqlite3_reset(statement);
    return err ? err : store_error(store, code);
}

/* What is later than it can be, by more than a day, becomes `latest_ms`. */
static enum err mend(struct store *store, enum statement which,
                     int64_t latest_ms)
{
    sqlite3_stmt *statement = store_statement(store, which);

    if (statement) {
        sqlite3_bind_int64(statement, 1, latest_ms);
        sqlite3_bind_int64(statement, 2, latest_ms + STORE_QUEUE_WAIT_MAX_MS);
    }
    return store_run(store, statement);
}

/* What ends before it came was mended by a clock that was behind. */
static enum err lengthen(struct store *store, int64_t queue_ms, int64_t now_ms)
{
    sqlite3_stmt *statement = store_statement(store, SQL_OUTGOING_LENGTHEN);

    if (statement) {
        sqlite3_bind_int64(statement, 1, queue_ms);
        sqlite3_bind_int64(statement, 2, now_ms);
    }
    return store_run(store, statement);
}

/* Rows that a wrong clock has put off for too long; and messages that it lets
 * live for too long or not long enough, when the clock was set, and at first.
 */
static enum err mend_times(struct store *store, int64_t now_ms)
{
    int64_t since_ms = now_ms - store->queue_seen_ms;
    int64_t queue_ms = 0;
    enum err err = mend(store, SQL_QUEUE_MEND, now_ms);

    if (!err && (since_ms < 0 || since_ms > STORE_QUEUE_WAIT_MAX_MS)) {
        err = store_queue_ms(store, &queue_ms);
        if (!err)
            err = mend(store, SQL_OUTGOING_MEND, now_ms + queue_ms);
        if (!err) {
            /* Once, also where a message cannot be read. */
            store->queue_seen_ms = now_ms;
            err = lengthen(store, queue_ms, now_ms);
        }
    }
    if (!err)
        store->queue_seen_ms = now_ms;
    return err;
}

static enum err list_due(struct store *store, void *context)
{
    struct store_due_list *list = context;
    enum err err;

    list->count = 0;
    list->more = false;
    list->next_ms = INT64_MAX;
    forget_lost(store, list->now_ms);
    err = mend_times(store, list->now_ms);
    if (!err)
        err = list_state(store, STORE_QUEUE_BOUNCE, list);
    if (!err)
        err = list_state(store, STORE_QUEUE_WAITS, list);
    if (!err)
        err = store_number_of(store, SQL_QUEUE_NEXT, list->now_ms,
                              &list->next_ms);
    if (!err && list->next_ms == 0)
        list->next_ms = INT64_MAX;
    return err;
}

enum err store_queue_due(struct store *store, struct store_due_list *list)
{
    return store_atomically(store, list_due, list);
}

/* ---- Settling ----------------------------------------------------------- */

/* A row that is another message's by now is left alone. */
static enum err settle_row(struct store *store, const struct store_settled *row,
                           int64_t mail_id)
{
    sqlite3_stmt *statement =
        store_statement(store, row->removed ? SQL_QUEUE_DROP : SQL_QUEUE_DEFER);

    if (statement) {
        sqlite3_bind_int64(statement, 1, row->queue_id);
        sqlite3_bind_int64(statement, 2, mail_id);
        if (!row->removed) {
            sqlite3_bind_int64(statement, 3, row->next_ms);
            sqlite3_bind_int(statement, 4, row->delayed);
            sqlite3_bind_text(statement, 5, row->reply ? row->reply : "", -1,
                              SQLITE_STATIC);
        }
    }
    return store_run(store, statement);
}

/* Ends the outgoing message with its last recipient. */
static enum err end_outgoing(struct store *store, int64_t mail_id)
{
    sqlite3_stmt *statement = store_statement(store, SQL_OUTGOING_DROP);
    enum err err;

    if (statement)
        sqlite3_bind_int64(statement, 1, mail_id);
    err = store_run(store, statement);
    if (err || sqlite3_changes(store->db) == 0)
        return err;
    return store_release_message(store, mail_id);
}

static enum err settle(struct store *store, void *context)
{
    struct store_settlement *settlement = context;
    enum err err = OK;

    /* First of all: it returns what may be removed below. */
    settlement->notice_id = 0;
    if (settlement->notice)
        err = store_put_notice(store, settlement->notice, settlement->now_ms,
                               &settlement->notice_id);
    for (unsigned i = 0; !err && i < settlement->count; i++)
        err = settle_row(store, &settlement->recipients[i],
                         settlement->message_id);
    return err ? err : end_outgoing(store, settlement->message_id);
}

enum err store_queue_settle(struct store *store,
                            struct store_settlement *settlement)
{
    return store_atomically(store, settle, settlement);
}

/* ---- The administrator -------------------------------------------------- */

static enum err set_state(struct store *store, int64_t queue_id,
                          enum store_queue_state next, bool now)
{
    sqlite3_stmt *statement = store_statement(store, SQL_QUEUE_STATE);
    enum err err;

    if (statement) {
        sqlite3_bind_int64(statement, 1, queue_id);
        sqlite3_bind_int(statement, 2, (int)next);
        sqlite3_bind_int(statement, 3, now);
    }
    err = store_run(store, statement);
    if (!err && sqlite3_changes(store->db) == 0)
        err = ERR_NOT_FOUND;
    if (!err && next != STORE_QUEUE_HELD)
        store->queue_changed = true;
    return err;
}

static enum err delete_row(struct store *store, void *context)
{
    struct store_settled row = {.queue_id = *(int64_t *)context,
                                .removed = true};
    int64_t mail_id;
    enum err err =
        store_number_of(store, SQL_QUEUE_MAIL, row.queue_id, &mail_id);

    if (!err && mail_id == 0)
        err = ERR_NOT_FOUND;
    if (!err)
        err = settle_row(store, &row, mail_id);
    return err ? err : end_outgoing(store, mail_id);
}

enum err store_queue_act(struct store *store, int64_t queue_id,
                         enum store_queue_action action)
{
    store->queue_acted = true;
    switch (action) {
    case STORE_QUEUE_HOLD:
        return set_state(store, queue_id, STORE_QUEUE_HELD, false);
    case STORE_QUEUE_RELEASE:
        return set_state(store, queue_id, STORE_QUEUE_WAITS, false);
    case STORE_QUEUE_RETRY:
        return set_state(store, queue_id, STORE_QUEUE_WAITS, true);
    case STORE_QUEUE_GIVE_UP:
        return set_state(store, queue_id, STORE_QUEUE_BOUNCE, true);
    case STORE_QUEUE_DELETE:
        return store_atomically(store, delete_row, &queue_id);
    }
    return ERR_INVALID;
}

/* ---- Lists -------------------------------------------------------------- */

static void load_info(sqlite3_stmt *statement, struct store_queue_info *info)
{
    info->queue_id = sqlite3_column_int64(statement, 0);
    info->message_id = sqlite3_column_int64(statement, 1);
    info->state = (uint8_t)sqlite3_column_int(statement, 2);
    info->attempts = (uint32_t)sqlite3_column_int64(statement, 3);
    info->next_ms = sqlite3_column_int64(statement, 4);
    store_copy_column(statement, 5, info->recipient, sizeof info->recipient);
    store_copy_column(statement, 6, info->reply, sizeof info->reply);
    info->expires_ms = sqlite3_column_int64(statement, 7);
}

/* What the message tells; one that the stick has damaged, nothing: its row is
 * there, to be deleted. */
static enum err load_message(struct store *store, struct store_queue_info *info)
{
    sqlite3_stmt *statement = store_statement(store, SQL_QUEUE_TELL);
    enum err err;
    int code;

    info->sender[0] = '\0';
    info->received_ms = 0;
    info->bytes = 0;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, info->message_id);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        store_copy_column(statement, 0, info->sender, sizeof info->sender);
        info->received_ms = sqlite3_column_int64(statement, 1);
        info->bytes = (uint64_t)sqlite3_column_int64(statement, 2);
    }
    err = store_error(store, code);
    sqlite3_reset(statement);
    return err_unreadable(err) ? OK : err;
}

/* The row behind the one that is there, and behind `skip` others. Row by row:
 * nothing is half-way while one is shown. */
static enum err next_info(struct store *store, uint64_t skip,
                          struct store_queue_info *info, bool *found)
{
    sqlite3_stmt *statement = store_statement(store, SQL_QUEUE_LIST);
    enum err err;
    int code;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, info->queue_id);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)skip);
    code = sqlite3_step(statement);
    *found = code == SQLITE_ROW;
    if (*found)
        load_info(statement, info);
    err = store_error(store, code);
    sqlite3_reset(statement);
    return err || !*found ? err : load_message(store, info);
}

enum err store_list_queue(struct store *store, uint64_t skip,
                          enum err (*each)(void *context,
                                           const struct store_queue_info *info),
                          void *context)
{
    struct store_queue_info *info = sqlite3_malloc(sizeof *info);
    bool found = true;
    enum err err = OK;

    if (!info)
        return ERR_MEMORY;
    info->queue_id = INT64_MIN;
    while (!err && found) {
        err = next_info(store, skip, info, &found);
        skip = 0;
        if (!err && found)
            err = each(context, info);
    }
    sqlite3_free(info);
    return err;
}

enum err store_queue_count(struct store *store, uint64_t *rows, uint64_t *held)
{
    int64_t all = 0, kept = 0;
    enum err err = store_number(store, "SELECT count(*) FROM queue", &all);

    if (!err)
        err = store_number(store, "SELECT count(*) FROM queue WHERE State=1",
                           &kept);
    *rows = (uint64_t)all;
    *held = (uint64_t)kept;
    return err;
}
