/* Pages of messages: see store_mailbox.h.
 *
 * A page is found by key, not by counting: a cursor "UID:KEY" names the row at
 * the edge of another page by its UID and by what the list is sorted by, so
 * that the page behind it is found wherever it lies and whatever has come or
 * gone meanwhile. First the UIDs of a page are found, then its rows are read
 * one by one: what sorting drags along stays small, and no statement is
 * half-way when the callback is called. What a summary tells is taken from its
 * table where the index has put it, else from the message. */
#include "mailstore/store_list.h"
#include "mailstore/mime/mime_header.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 500

/* ---- Rows --------------------------------------------------------------- */

struct store_row_memory *store_row_memory(void)
{
    return sqlite3_malloc(sizeof(struct store_row_memory));
}

void store_row_memory_free(struct store_row_memory *memory)
{
    sqlite3_free(memory);
}

static const char *text_at(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text ? text : "";
}

/* Returns whether there was a summary. */
static bool take_row(sqlite3_stmt *statement, struct store_row_memory *memory)
{
    struct summary *summary = &memory->summary;
    struct store_row *row = &memory->row;

    row->message_id = sqlite3_column_int64(statement, 0);
    row->flags = (uint8_t)sqlite3_column_int64(statement, 1);
    row->bytes = (uint64_t)sqlite3_column_int64(statement, 2);
    row->received_ms = sqlite3_column_int64(statement, 3);
    store_copy_column(statement, 4, memory->sender, sizeof memory->sender);
    store_copy_column(statement, 5, memory->subject, sizeof memory->subject);
    if (sqlite3_column_type(statement, 6) == SQLITE_NULL)
        return false;
    summary->date_ms = sqlite3_column_int64(statement, 6);
    store_copy_column(statement, 7, summary->from_name,
                      sizeof summary->from_name);
    store_copy_column(statement, 8, summary->from_address,
                      sizeof summary->from_address);
    store_copy_column(statement, 9, summary->to, sizeof summary->to);
    store_copy_column(statement, 10, summary->preview, sizeof summary->preview);
    summary->attachments = sqlite3_column_int(statement, 11) != 0;
    summary->thread_id = sqlite3_column_int64(statement, 12);
    return true;
}

/* Of a message of which nothing can be read but that it is there. */
static void take_nothing(struct store_row_memory *memory)
{
    memory->sender[0] = memory->subject[0] = '\0';
    memset(&memory->summary, 0, sizeof memory->summary);
}

static void point_to_texts(struct store_row_memory *memory)
{
    struct store_row *row = &memory->row;

    row->date_ms = memory->summary.date_ms;
    row->thread_id = memory->summary.thread_id;
    row->attachments = memory->summary.attachments;
    row->sender = memory->sender;
    row->from_name = memory->summary.from_name;
    row->from_address = memory->summary.from_address;
    row->to = memory->summary.to;
    row->subject = memory->subject;
    row->preview = memory->summary.preview;
}

enum err store_fill_row(struct store *store, int64_t user_id,
                        const struct store_key *key,
                        struct store_row_memory *memory)
{
    sqlite3_stmt *statement = store_statement(store, SQL_ROW);
    struct summary_of of;
    bool known = false;
    enum err err;
    int code;

    memset(&memory->row, 0, sizeof memory->row);
    memory->row.key = *key;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, key->mailbox_id);
    sqlite3_bind_int64(statement, 2, key->uid);
    sqlite3_bind_int64(statement, 3, user_id);
    code = sqlite3_step(statement);
    err = code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
    if (!err) {
        known = take_row(statement, memory);
    } else if (err_unreadable(err)) {
        take_nothing(memory);
        known = true;
        err = OK;
    }
    sqlite3_reset(statement);
    if (!err && !known) {
        of = (struct summary_of){.message_id = memory->row.message_id,
                                 .received_ms = memory->row.received_ms,
                                 .subject = memory->subject};
        err = summary_find(store, &of, &memory->summary);
        if (!err)
            err = summary_resolve(store, &of, &memory->summary);
        /* One that cannot be read does not hide the others of its list. */
        if (err_unreadable(err)) {
            memory->summary.date_ms = memory->row.received_ms;
            err = OK;
        }
    }
    /* Without a row the summary is nothing that was ever written. */
    if (!err)
        point_to_texts(memory);
    return err;
}

enum err store_row(struct store *store, int64_t user_id,
                   const struct store_key *key,
                   enum err (*each)(void *context, const struct store_row *row),
                   void *context)
{
    struct store_row_memory *memory = store_row_memory();
    enum err err =
        memory ? store_fill_row(store, user_id, key, memory) : ERR_MEMORY;

    if (!err)
        err = each(context, &memory->row);
    store_row_memory_free(memory);
    return err;
}

enum err store_blind(struct store *store, int64_t user_id, int64_t message_id,
                     char *addresses, size_t bytes)
{
    sqlite3_stmt *statement = store_statement(store, SQL_BLIND_GET);
    int code;

    addresses[0] = '\0';
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, message_id);
    sqlite3_bind_int64(statement, 2, user_id);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        store_copy_column(statement, 0, addresses, bytes);
    sqlite3_reset(statement);
    return store_error(store, code);
}

/* ---- Pages -------------------------------------------------------------- */

/* What a list is sorted by. Before the index has seen a message, its row tells
 * of it as well as it can. */
static const char *const keys[] = {
    [STORE_BY_ARRIVAL] = "e.UID",
    [STORE_BY_DATE] = "ifnull(s.DateMs,m.ReceivedMs)",
    [STORE_BY_FROM] = ("ifnull(nullif(s.FromName,''),ifnull(s.FromAddress,"
                       "m.Sender)) COLLATE NOCASE"),
    [STORE_BY_SUBJECT] = "subject_base(m.Subject) COLLATE NOCASE",
    [STORE_BY_SIZE] = "e.Bytes",
};

static void subject_base(sqlite3_context *context, int count,
                         sqlite3_value **values)
{
    const char *subject = (const char *)sqlite3_value_text(values[0]);
    struct mime_span base = mime_subject_base(subject ? subject : "");

    (void)count;
    sqlite3_result_text(context, base.text, (int)base.len, SQLITE_TRANSIENT);
}

static bool is_text(enum store_order order)
{
    return order == STORE_BY_FROM || order == STORE_BY_SUBJECT;
}

/* UIDs and keys of the rows behind the cursor, the nearest first. */
static enum err prepare_page(struct store *store, const struct store_page *page,
                             bool from_cursor, sqlite3_stmt **statement)
{
    bool up = page->ascending != page->backwards;
    bool plain = page->order == STORE_BY_ARRIVAL;
    const char *way = up ? ">" : "<", *fall = up ? "" : " DESC";
    const char *key = keys[page->order];
    char *behind, *sql;
    int code = SQLITE_NOMEM;

    if (page->order == STORE_BY_SUBJECT &&
        sqlite3_create_function(store->db, "subject_base", 1,
                                SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                subject_base, NULL, NULL) != SQLITE_OK)
        return ERR_MEMORY;
    behind = plain ? sqlite3_mprintf(" AND e.UID%s?5", way)
                   : sqlite3_mprintf(" AND (%s%s?6 OR (%s=?6 AND e.UID%s?5))",
                                     key, way, key, way);
    sql = sqlite3_mprintf(
        "SELECT e.UID,%s FROM entry e%s WHERE e.MailboxID=?1 AND e.Flags&?2=?2"
        " AND e.Flags&?3=0%s ORDER BY %s%s%se.UID%s LIMIT ?4",
        key,
        plain ? ""
              : " CROSS JOIN message m ON m.MailID=e.MailID"
                " LEFT JOIN summary s ON s.MailID=e.MailID",
        from_cursor && behind ? behind : "", plain ? "" : "2",
        plain ? "" : fall, plain ? "" : ",", fall);
    if (behind && sql)
        code = sqlite3_prepare_v2(store->db, sql, -1, statement, NULL);
    sqlite3_free(behind);
    sqlite3_free(sql);
    return store_error(store, code);
}

/* False: it is no cursor of ours. */
static bool bind_cursor(sqlite3_stmt *statement, const struct store_page *page)
{
    const char *at = page->cursor;
    uint64_t uid = 0;

    while (*at >= '0' && *at <= '9' && uid <= UINT32_MAX)
        uid = uid * 10 + (uint64_t)(*at++ - '0');
    if (at == page->cursor || *at != ':' || uid > UINT32_MAX)
        return false;
    at++;
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)uid);
    if (is_text(page->order))
        sqlite3_bind_text(statement, 6, at, -1, SQLITE_TRANSIENT);
    else if (page->order != STORE_BY_ARRIVAL)
        sqlite3_bind_int64(statement, 6, strtoll(at, NULL, 10));
    return true;
}

static void put_cursor(sqlite3_stmt *statement, const struct store_page *page,
                       char *cursor)
{
    snprintf(cursor, STORE_CURSOR_BYTES, "%s:%s", text_at(statement, 0),
             page->order == STORE_BY_ARRIVAL ? "" : text_at(statement, 1));
}

/* The UIDs of the page in the order in which they are shown. */
static enum err find_page(struct store *store, struct store_page *page,
                          uint32_t *uids)
{
    bool from_cursor = page->cursor && page->cursor[0];
    sqlite3_stmt *statement = NULL;
    enum err err = prepare_page(store, page, from_cursor, &statement);
    int code = SQLITE_DONE;

    if (!err && from_cursor && !bind_cursor(statement, page))
        err = ERR_INVALID;
    if (!err) {
        sqlite3_bind_int64(statement, 1, page->mailbox_id);
        sqlite3_bind_int(statement, 2, page->with);
        sqlite3_bind_int(statement, 3, page->without);
        sqlite3_bind_int64(statement, 4, (sqlite3_int64)page->limit + 1);
    }
    /* The cursor may have been one of these. */
    page->first[0] = page->last[0] = '\0';
    while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (page->count == page->limit) {
            page->more = true;
            break;
        }
        if (page->count == 0)
            put_cursor(statement, page, page->first);
        put_cursor(statement, page, page->last);
        uids[page->count++] = (uint32_t)sqlite3_column_int64(statement, 0);
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}

static void turn_round(struct store_page *page, uint32_t *uids)
{
    char cursor[STORE_CURSOR_BYTES];

    memcpy(cursor, page->first, sizeof cursor);
    memcpy(page->first, page->last, sizeof cursor);
    memcpy(page->last, cursor, sizeof cursor);
    for (unsigned i = 0; i < page->count / 2; i++) {
        uint32_t uid = uids[i];

        uids[i] = uids[page->count - 1 - i];
        uids[page->count - 1 - i] = uid;
    }
}

static enum err show_page(struct store *store, int64_t user_id,
                          const struct store_page *page, const uint32_t *uids,
                          enum err (*each)(void *context,
                                           const struct store_row *row),
                          void *context)
{
    struct store_row_memory *memory = store_row_memory();
    enum err err = memory ? OK : ERR_MEMORY;

    for (unsigned i = 0; !err && i < page->count; i++) {
        struct store_key key = {page->mailbox_id, uids[i]};

        err = store_fill_row(store, user_id, &key, memory);
        if (!err)
            err = each(context, &memory->row);
        else if (err == ERR_NOT_FOUND)
            err = OK; /* gone just now */
    }
    store_row_memory_free(memory);
    return err;
}

enum err
store_list_page(struct store *store, int64_t user_id, struct store_page *page,
                enum err (*each)(void *context, const struct store_row *row),
                void *context)
{
    uint32_t *uids;
    enum err err = store_check_folder(store, user_id, page->mailbox_id, NULL);

    page->count = 0;
    page->more = false;
    if (err)
        return err;
    if (page->limit == 0 || page->limit > LIMIT_MAX ||
        page->order > STORE_BY_SIZE)
        return ERR_INVALID;
    uids = sqlite3_malloc64(page->limit * sizeof *uids);
    if (!uids)
        return ERR_MEMORY;
    err = find_page(store, page, uids);
    if (!err && page->backwards)
        turn_round(page, uids);
    if (!err)
        err = show_page(store, user_id, page, uids, each, context);
    sqlite3_free(uids);
    return err;
}
