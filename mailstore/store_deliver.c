/* Messages in, and out of the mailboxes again: what the writer does.
 *
 * A delivery is one row of message, its body, per local recipient a counter and
 * a row of entry, and, for recipients elsewhere, one row of outgoing and one of
 * queue each. Deliveries stop before the reserve of pages is touched, so that
 * deletions, which may need a page or two before they free many, still work. */
#include "mailstore/mime/mime_header.h"
#include "mailstore/store_internal.h"
#include "mailstore/store_judge.h"
#include "mailstore/schema.h"
#include "core/bytes.h"
#include <stdio.h>
#include <string.h>

/* How far ahead of use message ids are set aside in the store. */
#define ID_STEP 65536
/* Pages that a delivery may take beside its body's, and rows of queue that fit
 * into a further one with their index entries. */
#define LOW_PAGES      (64 * 1024 * 1024 / VOLUME_PAGE_BYTES)
#define LOW_SHARE      8
#define PAGES_EXTRA    8
#define REMOTES_A_PAGE 4
#define QUEUE_DAYS     5
#define DAY_MS         ((int64_t)24 * 60 * 60 * 1000)

int64_t store_reserve_id(struct store *store)
{
    return store->next_id++;
}

/* Every id that gets into the store lies below the limit that is committed with
 * it or before it, so that no later opening gives it again. */
static enum err cover_id(struct store *store, int64_t id)
{
    /* It is never lowered by a message that took long to come. */
    int64_t given = id < store->next_id ? store->next_id : id;
    char text[24];
    enum err err;

    if (id < store->id_limit)
        return OK;
    snprintf(text, sizeof text, "%lld", (long long)given + ID_STEP);
    err = store_setting_put(store, "mail_id_limit", text);
    if (!err)
        store->id_limit = given + ID_STEP;
    return err;
}

static enum err read_pragma(struct store *store, enum statement which,
                            uint64_t *number)
{
    sqlite3_stmt *statement = store_statement(store, which);
    int code = statement ? sqlite3_step(statement) : sqlite3_errcode(store->db);

    if (code == SQLITE_ROW)
        *number = (uint64_t)sqlite3_column_int64(statement, 0);
    if (statement)
        sqlite3_reset(statement);
    return store_error(store, code);
}

static enum err pages_left(struct store *store, uint64_t *pages)
{
    uint64_t used = 0, unused = 0;
    enum err err = read_pragma(store, SQL_PAGE_COUNT, &used);

    *pages = 0;
    if (!err)
        err = read_pragma(store, SQL_FREE_COUNT, &unused);
    if (err)
        return err;
    used = used - unused + store->pages_reserve;
    if (used < store->pages_max)
        *pages = store->pages_max - used;
    return OK;
}

uint64_t store_room(struct store *store)
{
    uint64_t pages;

    if (pages_left(store, &pages) || pages <= PAGES_EXTRA)
        return 0;
    return (pages - PAGES_EXTRA) * (VOLUME_PAGE_BYTES - 64);
}

bool store_room_low(struct store *store)
{
    uint64_t part = store->pages_max / LOW_SHARE;
    uint64_t pages;

    return pages_left(store, &pages) != OK ||
           pages < (part < LOW_PAGES ? part : LOW_PAGES);
}

static enum err check_room(struct store *store, uint64_t bytes)
{
    uint64_t pages;
    enum err err = pages_left(store, &pages);

    if (err)
        return err;
    return bytes / (VOLUME_PAGE_BYTES - 64) + PAGES_EXTRA < pages ? OK
                                                                  : ERR_FULL;
}

static enum err put_body(struct store *store, int64_t id, uint32_t index,
                         const void *bytes, size_t len)
{
    sqlite3_stmt *statement = store_statement(store, SQL_BODY_PUT);
    enum err err;

    if (statement) {
        sqlite3_bind_int64(statement, 1, id << SCHEMA_CHUNK_BITS | index);
        sqlite3_bind_blob64(statement, 2, len ? bytes : "", len, SQLITE_STATIC);
    }
    err = store_run(store, statement);
    if (statement)
        sqlite3_clear_bindings(statement);
    return err;
}

/* ---- Parts of a message on its way in ----------------------------------- */

struct chunk {
    int64_t id;
    uint32_t index;
    const void *bytes;
    size_t len;
};

static enum err put_chunk(struct store *store, void *context)
{
    const struct chunk *chunk = context;
    enum err err = check_room(store, chunk->len);

    if (!err)
        err = cover_id(store, chunk->id);
    if (!err && chunk->index == 0)
        err = store_run_for(store, SQL_PART_PUT, chunk->id);
    if (!err)
        err =
            put_body(store, chunk->id, chunk->index, chunk->bytes, chunk->len);
    return err;
}

enum err store_put_chunk(struct store *store, int64_t message_id,
                         uint32_t index, const void *bytes, size_t len)
{
    struct chunk chunk = {message_id, index, bytes, len};

    if (index >> SCHEMA_CHUNK_BITS || len > STORE_CHUNK_BYTES ||
        message_id <= 0)
        return ERR_TOO_BIG;
    return store_atomically(store, put_chunk, &chunk);
}

static enum err discard_chunks(struct store *store, void *context)
{
    const int64_t *id = context;
    enum err err = store_run_for(store, SQL_BODY_DISCARD, *id);

    return err ? err : store_run_for(store, SQL_PART_DROP, *id);
}

enum err store_discard_chunks(struct store *store, int64_t message_id)
{
    return store_atomically(store, discard_chunks, &message_id);
}

enum err store_remove_parts(struct store *store)
{
    int64_t id = 0;

    for (;;) {
        char sql[80];
        enum err err;

        snprintf(sql, sizeof sql,
                 "SELECT min(MailID) FROM part WHERE MailID>%lld",
                 (long long)id);
        err = store_number(store, sql, &id);
        if (err || id == 0)
            return err;
        err = store_discard_chunks(store, id);
        /* What the stick has damaged stays: no reason not to start. */
        if (err && !err_unreadable(err))
            return err;
    }
}

/* ---- Delivery ----------------------------------------------------------- */

/* The subject is in the first bytes: of the first part if there is one. */
static void find_subject(struct store *store,
                         const struct store_delivery *delivery, char *subject,
                         size_t bytes)
{
    sqlite3_blob *blob = NULL;
    void *head;
    int len;

    subject[0] = '\0';
    if (delivery->chunks == 0) {
        (void)mime_field_text(delivery->tail, delivery->tail_bytes, "Subject",
                              subject, bytes);
        return;
    }
    if (sqlite3_blob_open(store->db, "main", "body", "Bytes",
                          delivery->message_id << SCHEMA_CHUNK_BITS, 0,
                          &blob) == SQLITE_OK) {
        len = sqlite3_blob_bytes(blob);
        head = sqlite3_malloc(len);
        if (head && sqlite3_blob_read(blob, head, len, 0) == SQLITE_OK)
            (void)mime_field_text(head, (size_t)len, "Subject", subject, bytes);
        sqlite3_free(head);
    }
    sqlite3_blob_close(blob);
}

/* The ends of the parts, for schema.c's message.Layout; the caller frees it.
 * The tail's row is in place already. */
static enum err find_layout(struct store *store, int64_t id, uint32_t parts,
                            uint64_t bytes, uint8_t **layout)
{
    sqlite3_stmt *statement = store_statement(store, SQL_BODY_SIZES);
    uint64_t end = 0;
    uint32_t seen = 0;
    enum err err;
    int code = SQLITE_ROW;

    *layout = sqlite3_malloc64(parts * sizeof(uint32_t));
    if (!*layout || !statement)
        return ERR_MEMORY;
    sqlite3_bind_int64(statement, 1, id);
    while (seen <= parts && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        end += (uint64_t)sqlite3_column_int64(statement, 0);
        if (seen < parts)
            put_le32(*layout + seen * sizeof(uint32_t), (uint32_t)end);
        seen++;
    }
    sqlite3_reset(statement);
    err = store_error(store, code);
    /* What the caller says of the parts must be what is there. */
    if (!err && (seen != parts || end != bytes))
        err = ERR_INVALID;
    return err;
}

static enum err put_message(struct store *store,
                            const struct store_delivery *delivery,
                            uint64_t bytes, uint32_t parts)
{
    sqlite3_stmt *statement;
    uint8_t *layout = NULL;
    char subject[256];
    enum err err = OK;

    if (delivery->chunk_bytes != (uint64_t)delivery->chunks * STORE_CHUNK_BYTES)
        err = find_layout(store, delivery->message_id, parts, bytes, &layout);
    if (err) {
        sqlite3_free(layout);
        return err;
    }
    find_subject(store, delivery, subject, sizeof subject);
    statement = store_statement(store, SQL_MESSAGE_PUT);
    if (statement) {
        sqlite3_bind_int64(statement, 1, delivery->message_id);
        sqlite3_bind_text(statement, 2, delivery->sender, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, subject, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, delivery->received_ms);
        sqlite3_bind_int64(statement, 5, (sqlite3_int64)bytes);
        sqlite3_bind_int64(statement, 6, parts);
        sqlite3_bind_blob64(statement, 7, layout, parts * sizeof(uint32_t),
                            SQLITE_STATIC);
    }
    err = store_run(store, statement);
    sqlite3_free(layout);
    return err;
}

enum err store_find_inbox(struct store *store, int64_t user_id,
                          int64_t *mailbox_id, int64_t *uid_next)
{
    sqlite3_stmt *find = store_statement(store, SQL_UID_LIMIT);
    int code;

    if (!find)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(find, 1, user_id);
    code = sqlite3_step(find);
    if (code == SQLITE_ROW) {
        *mailbox_id = sqlite3_column_int64(find, 0);
        *uid_next = sqlite3_column_int64(find, 1);
    }
    sqlite3_reset(find);
    return code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
}

enum err store_put_inbox(struct store *store, int64_t user_id, int64_t mail_id,
                         uint64_t bytes)
{
    struct store_new_entry entry = {
        .user_id = user_id, .mail_id = mail_id, .bytes = bytes};
    enum err err =
        store_find_inbox(store, user_id, &entry.mailbox_id, &entry.uid_next);

    return err ? err : store_put_entry(store, &entry);
}

enum err store_queue_ms(struct store *store, int64_t *ms)
{
    int64_t days;
    enum err err = store_setting_number(store, "queue_days", QUEUE_DAYS, &days);

    /* What a person has written there may be no number. */
    if (err && err != ERR_CORRUPT && err != ERR_TOO_BIG)
        return err;
    if (days < 1 || days > 365)
        days = QUEUE_DAYS;
    *ms = days * DAY_MS;
    return OK;
}

static enum err put_outgoing(struct store *store,
                             const struct store_delivery *delivery)
{
    sqlite3_stmt *statement;
    int64_t queue_ms;
    enum err err = store_queue_ms(store, &queue_ms);

    if (err)
        return err;
    statement = store_statement(store, SQL_OUTGOING_PUT);
    if (statement) {
        sqlite3_bind_int64(statement, 1, delivery->message_id);
        sqlite3_bind_int64(statement, 2, delivery->submitter);
        sqlite3_bind_text(statement, 3, delivery->envid ? delivery->envid : "",
                          -1, SQLITE_STATIC);
        sqlite3_bind_int(statement, 4, (int)delivery->returning);
        sqlite3_bind_int(statement, 5, delivery->smtputf8);
        sqlite3_bind_int(statement, 6, delivery->eight_bit);
        sqlite3_bind_int64(statement, 7, delivery->received_ms + queue_ms);
    }
    return store_run(store, statement);
}

/* A number that no row has had since the store was opened: who has seen one
 * that is gone must not take another for it. */
static enum err take_queue_id(struct store *store, int64_t *id)
{
    int64_t last;
    enum err err;

    if (store->next_queue_id == 0) {
        err = store_number(store, "SELECT max(QueueID) FROM queue", &last);
        if (err)
            return err;
        store->next_queue_id = last + 1;
    }
    *id = store->next_queue_id++;
    return OK;
}

static enum err put_queued(struct store *store,
                           const struct store_delivery *delivery,
                           const struct store_remote *remote)
{
    sqlite3_stmt *statement;
    int64_t id;
    enum err err = take_queue_id(store, &id);

    if (err)
        return err;
    statement = store_statement(store, SQL_QUEUE_PUT);
    if (statement) {
        sqlite3_bind_int64(statement, 1, delivery->message_id);
        sqlite3_bind_text(statement, 2, remote->address, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, remote->orcpt ? remote->orcpt : "", -1,
                          SQLITE_STATIC);
        sqlite3_bind_int(statement, 4, remote->notify);
        sqlite3_bind_int64(statement, 5, delivery->received_ms);
        sqlite3_bind_int64(statement, 6, id);
    }
    store->queue_changed = true;
    return store_run(store, statement);
}

static enum err put_remotes(struct store *store,
                            const struct store_delivery *delivery)
{
    enum err err = put_outgoing(store, delivery);

    for (unsigned i = 0; !err && i < delivery->remote_count; i++)
        err = put_queued(store, delivery, &delivery->remotes[i]);
    return err;
}

enum err store_put_remote(struct store *store,
                          const struct store_delivery *delivery,
                          const struct store_remote *remote)
{
    int64_t outgoing;
    enum err err = store_number_of(store, SQL_OUTGOING_FIND,
                                   delivery->message_id, &outgoing);

    if (!err && !outgoing)
        err = put_outgoing(store, delivery);
    return err ? err : put_queued(store, delivery, remote);
}

enum err store_put_message(struct store *store, struct store_delivery *delivery)
{
    uint64_t bytes = delivery->chunk_bytes + delivery->tail_bytes;
    uint32_t parts = delivery->chunks;
    int64_t id;
    enum err err =
        delivery->reserve
            ? OK
            : check_room(store, delivery->tail_bytes +
                                    (uint64_t)delivery->remote_count *
                                        VOLUME_PAGE_BYTES / REMOTES_A_PAGE);

    if (err)
        return err;
    if (delivery->message_id == 0)
        delivery->message_id = store_reserve_id(store);
    id = delivery->message_id;
    err = cover_id(store, id);
    if (!err && (delivery->tail_bytes || parts == 0))
        err =
            put_body(store, id, parts++, delivery->tail, delivery->tail_bytes);
    if (!err)
        err = put_message(store, delivery, bytes, parts);
    if (!err && delivery->chunks)
        err = store_run_for(store, SQL_PART_DROP, id);
    return err;
}

/* By rules. relying: a user for whom it was kept by nobody's, who had others in
 * mind; 0: there is none. */
static enum err end_ruled(struct store *store,
                          const struct store_delivery *delivery,
                          int64_t relying)
{
    int64_t id = delivery->message_id;
    int64_t held = 0;
    enum err err = OK;

    if (relying) {
        err = store_number_of(store, SQL_MESSAGE_HELD, id, &held);
        if (!err && !held)
            err = store_put_inbox(store, relying, id,
                                  delivery->chunk_bytes + delivery->tail_bytes);
    }
    return err ? err : store_release_message(store, id);
}

enum err store_put_targets(struct store *store, struct store_delivery *delivery)
{
    uint64_t bytes = delivery->chunk_bytes + delivery->tail_bytes;
    int64_t id = delivery->message_id, relying = 0;
    bool ruled, relies = false, any_ruled = false;
    enum err err = OK;

    /* First the queue: rules may add to it. */
    if (delivery->remote_count)
        err = put_remotes(store, delivery);
    for (unsigned i = 0; !err && i < delivery->user_count; i++) {
        err = store_is_ruled(store, delivery->users[i], &ruled);
        any_ruled |= ruled;
        if (!err)
            err = ruled ? store_deliver_ruled(store, delivery,
                                              delivery->users[i], &relies)
                        : store_put_inbox(store, delivery->users[i], id, bytes);
        if (ruled && relies)
            relying = delivery->users[i];
    }
    return err || !any_ruled ? err : end_ruled(store, delivery, relying);
}

static enum err deliver(struct store *store, void *context)
{
    struct store_delivery *delivery = context;
    enum err err = store_put_message(store, delivery);

    return err ? err : store_put_targets(store, delivery);
}

bool store_delivery_valid(const struct store_delivery *delivery)
{
    return delivery->user_count + delivery->remote_count > 0 &&
           delivery->user_count <= STORE_RECIPIENTS_MAX &&
           delivery->remote_count <= STORE_RECIPIENTS_MAX &&
           delivery->tail_bytes <= STORE_CHUNK_BYTES &&
           delivery->chunks < 1u << SCHEMA_CHUNK_BITS;
}

enum err store_deliver(struct store *store, struct store_delivery *delivery)
{
    if (!store_delivery_valid(delivery))
        return ERR_INVALID;
    return store_atomically(store, deliver, delivery);
}

/* ---- Deletion ----------------------------------------------------------- */

struct deletion {
    int64_t mailbox_id;
    const uint32_t *uids;
    size_t count;
};

/* Of one statement, on UIDs that follow each other. */
static enum err run_on(struct store *store, enum statement which,
                       int64_t mailbox_id, uint32_t from, uint32_t to,
                       int64_t *number)
{
    sqlite3_stmt *statement = store_statement(store, which);
    int code;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, mailbox_id);
    sqlite3_bind_int64(statement, 2, from);
    sqlite3_bind_int64(statement, 3, to);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW && number)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return store_error(store, code);
}

/* Most maildrops are emptied: what lies side by side goes at once. */
static enum err delete_run(struct store *store, int64_t mailbox_id,
                           uint32_t from, uint32_t to, int64_t *bytes)
{
    int64_t run_bytes = 0;
    enum err err =
        run_on(store, SQL_RUN_BYTES, mailbox_id, from, to, &run_bytes);

    if (!err)
        err = run_on(store, SQL_RUN_GARBAGE, mailbox_id, from, to, NULL);
    if (!err)
        err = run_on(store, SQL_RUN_DROP, mailbox_id, from, to, NULL);
    if (!err) {
        store->garbage = true;
        *bytes += run_bytes;
    }
    return err;
}

static enum err delete_all(struct store *store, void *context)
{
    const struct deletion *deletion = context;
    const uint32_t *uids = deletion->uids;
    int64_t bytes = 0, user_id = 0;
    size_t from = 0;
    enum err err = OK;

    while (!err && from < deletion->count) {
        size_t to = from;

        while (to + 1 < deletion->count && uids[to + 1] == uids[to] + 1)
            to++;
        err = delete_run(store, deletion->mailbox_id, uids[from], uids[to],
                         &bytes);
        from = to + 1;
    }
    if (!err && bytes)
        err = store_mailbox_user(store, deletion->mailbox_id, &user_id);
    return err || !user_id ? err : store_usage_change(store, user_id, -bytes);
}

enum err store_delete(struct store *store, int64_t mailbox_id,
                      const uint32_t *uids, size_t count)
{
    struct deletion deletion = {mailbox_id, uids, count};

    return store_atomically(store, delete_all, &deletion);
}
