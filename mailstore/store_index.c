/* The index: what is found in a message goes into the tables summary, find and
 * contact. See store_find.h.
 *
 * Each mailbox says up to which UID it was looked at; since UIDs only grow, a
 * message that comes or is moved is always behind that. A message that lies in
 * several mailboxes is taken apart once. Deleting a message deletes its
 * summary, and a trigger notes that the index has to forget it, so that
 * deleting is not dearer than before.
 *
 * Of a message the first INDEX_BYTES are looked at, and of its text as much as
 * a batch has room for: enough to find it by, and never long. */
#include "mailstore/mime/mime.h"
#include "core/bytes.h"
#include "mailstore/mime/mime_decode.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/mime/mime_html.h"
#include "mailstore/store_find.h"
#include "mailstore/store_internal.h"
#include "mailstore/store_person.h"
#include "mailstore/summary.h"
#include <stdio.h>
#include <string.h>

#define BATCH_ITEMS 16
#define BATCH_TEXT  40000
/* Room that a message wants for its text to get into a batch at all. */
#define TEXT_MIN      4000
#define TEXT_MAX      32000
#define PEOPLE_MAX    1500
#define CONTACTS_MAX  20
#define INDEX_BYTES   (256u * 1024)
#define INDEX_PARTS   40
#define CONTACTS_KEPT 5000

/* The preference that says that a user's messages are indexed. */
#define INDEX_KEY "index"

struct item {
    int64_t mailbox_id, user_id, mail_id;
    int64_t received_ms;
    uint64_t bytes;
    uint32_t uid;
    bool sent;  /* it lies in Sent */
    bool known; /* the index has it from another mailbox */
    bool lost;  /* it cannot be read: passed over */
    /* In the batch's text, each with its NUL: */
    uint16_t sender, people, text, contacts;
    char subject[256];
    struct summary summary;
};

struct store_batch {
    unsigned count;
    size_t used;
    struct item items[BATCH_ITEMS];
    char text[BATCH_TEXT];
};

/* What is needed to take a message apart. */
struct work {
    struct store *store;
    struct store_batch *batch;
    struct mime_source source;
    int64_t mail_id;
    size_t room; /* of the text: up to here */
    struct mime mime;
    struct mime_part parts[INDEX_PARTS];
    char texts[INDEX_PARTS * 80];
    struct mime_address address;
    struct mime_plain plain;
};

/* ---- Who wants it ------------------------------------------------------- */

enum err store_index_want(struct store *store, int64_t user_id)
{
    return store_preference_put(store, user_id, INDEX_KEY, "1");
}

enum err store_index_wanted(struct store *store, int64_t user_id, bool *wanted)
{
    char value[4];
    enum err err =
        store_preference_get(store, user_id, INDEX_KEY, value, sizeof value);

    *wanted = value[0] == '1';
    return err;
}

enum err store_index_behind(struct store *store, int64_t user_id,
                            uint64_t limit, uint64_t *messages)
{
    sqlite3_stmt *statement = store_statement(store, SQL_INDEX_BEHIND);
    int code;

    *messages = 0;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, user_id);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *messages = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return store_error(store, code);
}

/* ---- Reading: which messages -------------------------------------------- */

static enum err take_items(struct store *store, int64_t user_id,
                           struct store_batch *batch)
{
    sqlite3_stmt *statement = store_statement(store, SQL_INDEX_NEXT);
    int code = SQLITE_DONE;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, user_id);
    sqlite3_bind_int64(statement, 2, BATCH_ITEMS);
    while (batch->count < BATCH_ITEMS &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct item *item = &batch->items[batch->count++];
        const char *subject = (const char *)sqlite3_column_text(statement, 8);

        memset(item, 0, sizeof *item);
        item->mailbox_id = sqlite3_column_int64(statement, 0);
        item->user_id = sqlite3_column_int64(statement, 1);
        item->sent = sqlite3_column_int(statement, 2) != 0;
        item->uid = (uint32_t)sqlite3_column_int64(statement, 3);
        item->mail_id = sqlite3_column_int64(statement, 4);
        item->received_ms = sqlite3_column_int64(statement, 5);
        item->bytes = (uint64_t)sqlite3_column_int64(statement, 6);
        item->known = sqlite3_column_int(statement, 7) != 0;
        snprintf(item->subject, sizeof item->subject, "%s",
                 subject ? subject : "");
    }
    sqlite3_reset(statement);
    return store_error(store, code);
}

/* ---- Reading: what is in them ------------------------------------------- */

static int read_source(const struct mime_source *source, uint32_t offset,
                       void *buffer, size_t bytes)
{
    struct work *work = source->context;

    if (offset >= source->bytes)
        return 0;
    if (bytes > source->bytes - offset)
        bytes = source->bytes - offset;
    return store_message_read(work->store, work->mail_id, offset, buffer,
                              bytes);
}

/* Appends to the batch as much as has room, cut between characters. */
static void put_text(struct work *work, const char *text, size_t len)
{
    struct store_batch *batch = work->batch;
    size_t room = work->room - batch->used;

    if (len > room)
        len = bytes_whole(text, room);
    memcpy(batch->text + batch->used, text, len);
    batch->used += len;
}

/* Begins the next text of the item; returns where it is. */
static uint16_t begin_text(struct work *work, size_t most)
{
    struct store_batch *batch = work->batch;

    work->room = batch->used + most;
    if (work->room > BATCH_TEXT - 1)
        work->room = BATCH_TEXT - 1;
    return (uint16_t)batch->used;
}

static void end_text(struct work *work)
{
    work->batch->text[work->batch->used++] = '\0';
}

static void put_word(struct work *work, const char *text)
{
    put_text(work, text, strlen(text));
    put_text(work, " ", 1);
}

static void put_people(struct work *work, const char *header, size_t len,
                       const char *field)
{
    struct mime_span value;

    if (!mime_field(header, len, field, &value))
        return;
    while (work->batch->used + 2 < work->room &&
           mime_address_next(&value, &work->address)) {
        put_word(work, work->address.name);
        put_word(work, work->address.address);
    }
}

/* "address name" lines of whom it was sent to. */
static void put_contacts(struct work *work, const char *header, size_t len)
{
    static const char *const fields[] = {"To", "Cc", "Bcc"};
    unsigned count = 0;

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct mime_span value;

        if (!mime_field(header, len, fields[i], &value))
            continue;
        while (count < CONTACTS_MAX &&
               mime_address_next(&value, &work->address)) {
            size_t name = strlen(work->address.name);
            size_t address = strlen(work->address.address);

            if (address == 0 || strchr(work->address.address, ' ') ||
                name + address + 2 > work->room - work->batch->used)
                continue;
            put_word(work, work->address.address);
            put_text(work, work->address.name, name);
            put_text(work, "\n", 1);
            count++;
        }
    }
}

static enum err take_plain(void *context, const char *text, size_t len)
{
    struct work *work = context;

    put_text(work, text, len);
    return work->batch->used < work->room ? OK : ERR_FULL;
}

/* The preview: the text's words in one line. */
static void make_preview(struct summary *summary, const char *text, size_t len)
{
    size_t used = 0;
    bool gap = false;

    for (size_t i = 0; i < len && used < sizeof summary->preview - 6; i++) {
        uint8_t c = (uint8_t)text[i];

        if (c <= ' ' || c == 0x7f) {
            gap = used > 0;
            continue;
        }
        if (gap)
            summary->preview[used++] = ' ';
        gap = false;
        summary->preview[used++] = (char)c;
    }
    /* A character that was cut is left out. */
    while (used && ((uint8_t)summary->preview[used - 1] & 0xc0) == 0x80)
        used--;
    if (used && (uint8_t)summary->preview[used - 1] >= 0xc0)
        used--;
    summary->preview[used] = '\0';
}

static void put_content(struct work *work, struct summary *summary)
{
    const struct mime_sink sink = {take_plain, work};
    struct mime *mime = &work->mime;
    size_t start = work->batch->used;

    summary->attachments = mime->cut;
    for (unsigned i = 0; i < mime->part_count; i++) {
        if (!mime_shown(mime, i, MIME_NONE, false))
            continue;
        if (mime_plain(&work->plain, &work->source, &work->parts[i], &sink))
            break;
        put_text(work, "\n", 1);
    }
    make_preview(summary, work->batch->text + start, work->batch->used - start);
    for (unsigned i = 0; i < mime->part_count; i++) {
        if (!mime_attached(mime, i, MIME_NONE))
            continue;
        summary->attachments = true;
        put_word(work, work->parts[i].name);
    }
}

static enum err read_item(struct work *work, struct item *item)
{
    struct summary_of of = {item->mail_id, item->received_ms, item->subject};
    const void *header;
    size_t len;
    enum err err = summary_find(work->store, &of, &item->summary);

    if (!err)
        err = store_message_head(work->store, item->mail_id, &header, &len);
    if (err)
        return err;
    item->sender = begin_text(work, PEOPLE_MAX);
    put_people(work, header, len, "From");
    end_text(work);
    item->people = begin_text(work, PEOPLE_MAX);
    put_people(work, header, len, "To");
    put_people(work, header, len, "Cc");
    end_text(work);
    item->contacts = begin_text(work, PEOPLE_MAX);
    if (item->sent)
        put_contacts(work, header, len);
    end_text(work);
    item->text = begin_text(work, TEXT_MAX);
    work->mail_id = item->mail_id;
    work->source = (struct mime_source){
        .read = read_source,
        .context = work,
        .bytes =
            (uint32_t)(item->bytes < INDEX_BYTES ? item->bytes : INDEX_BYTES)};
    err = mime_parse(&work->mime, &work->source);
    if (!err)
        put_content(work, &item->summary);
    end_text(work);
    return err;
}

/* Whether one before it in the batch is the same message. */
static bool is_doubled(const struct store_batch *batch, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (batch->items[i].mail_id == batch->items[index].mail_id)
            return true;
    }
    return false;
}

static enum err read_items(struct work *work)
{
    struct store_batch *batch = work->batch;
    enum err err = OK;

    for (unsigned i = 0; !err && i < batch->count; i++) {
        struct item *item = &batch->items[i];

        /* The rest is for the next batch. */
        if (i && batch->used + TEXT_MIN + 3 * PEOPLE_MAX > BATCH_TEXT) {
            batch->count = i;
            break;
        }
        item->known = item->known || is_doubled(batch, i);
        if (item->known && !item->sent) {
            /* Its From is wanted for the contacts. */
            struct summary_of of = {item->mail_id, item->received_ms,
                                    item->subject};

            err = summary_find(work->store, &of, &item->summary);
        } else {
            err = read_item(work, item);
        }
        /* The stick does not give it back: the others are not to wait. */
        item->lost = err_unreadable(err);
        /* It has gone just now; the writer will see. */
        if (err == ERR_NOT_FOUND || item->lost)
            err = OK;
    }
    return err;
}

enum err store_index_read(struct store *store, int64_t user_id,
                          struct store_batch **batch)
{
    struct store_batch *made = sqlite3_malloc(sizeof *made);
    struct work *work;
    enum err err;

    *batch = NULL;
    if (!made)
        return ERR_MEMORY;
    made->count = 0;
    made->used = 1;
    made->text[0] = '\0';
    err = take_items(store, user_id, made);
    if (err || made->count == 0) {
        sqlite3_free(made);
        return err;
    }
    work = sqlite3_malloc(sizeof *work);
    if (!work) {
        sqlite3_free(made);
        return ERR_MEMORY;
    }
    work->store = store;
    work->batch = made;
    work->mime.parts = work->parts;
    work->mime.part_room = INDEX_PARTS;
    work->mime.text = work->texts;
    work->mime.text_room = sizeof work->texts;
    err = read_items(work);
    sqlite3_free(work);
    if (err)
        sqlite3_free(made);
    else
        *batch = made;
    return err;
}

void store_index_free(struct store_batch *batch)
{
    sqlite3_free(batch);
}

/* ---- Writing ------------------------------------------------------------ */

static enum err put_words(struct store *store, const struct store_batch *batch,
                          const struct item *item)
{
    sqlite3_stmt *statement = store_statement(store, SQL_FIND_PUT);

    if (statement) {
        sqlite3_bind_int64(statement, 1, item->mail_id);
        sqlite3_bind_text(statement, 2, item->subject, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, batch->text + item->sender, -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, batch->text + item->people, -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, batch->text + item->text, -1,
                          SQLITE_STATIC);
    }
    return store_run(store, statement);
}

static enum err put_summary(struct store *store, struct item *item)
{
    struct summary_of of = {item->mail_id, item->received_ms, item->subject};
    const struct summary *summary = &item->summary;
    sqlite3_stmt *statement;
    enum err err = summary_resolve(store, &of, &item->summary);

    if (err)
        return err;
    statement = store_statement(store, SQL_SUMMARY_PUT);
    if (statement) {
        sqlite3_bind_int64(statement, 1, item->mail_id);
        sqlite3_bind_int64(statement, 2, summary->date_ms);
        sqlite3_bind_text(statement, 3, summary->from_name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, summary->from_address, -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, summary->to, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 6, summary->preview, -1, SQLITE_STATIC);
        sqlite3_bind_int(statement, 7, summary->attachments);
        sqlite3_bind_int64(statement, 8, summary->thread_id);
        sqlite3_bind_int64(statement, 9, summary->id_hash);
        sqlite3_bind_int64(statement, 10, summary->subject_hash);
    }
    return store_run(store, statement);
}

static enum err put_contact(struct store *store, const struct item *item,
                            const char *address, size_t len, const char *name,
                            size_t name_len)
{
    sqlite3_stmt *statement = store_statement(store, SQL_CONTACT_PUT);

    if (len == 0)
        return OK;
    if (statement) {
        sqlite3_bind_int64(statement, 1, item->user_id);
        sqlite3_bind_text(statement, 2, address, (int)len, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, name, (int)name_len, SQLITE_STATIC);
        sqlite3_bind_int(statement, 4, item->sent);
        sqlite3_bind_int64(statement, 5, item->received_ms);
    }
    return store_run(store, statement);
}

static enum err put_contacts_of(struct store *store,
                                const struct store_batch *batch,
                                const struct item *item)
{
    const char *line = batch->text + item->contacts;
    const struct summary *summary = &item->summary;
    enum err err = OK;

    if (!item->sent)
        return put_contact(store, item, summary->from_address,
                           strlen(summary->from_address), summary->from_name,
                           strlen(summary->from_name));
    while (!err && *line) {
        size_t len = strcspn(line, "\n"), address = strcspn(line, " \n");
        const char *name = line + address + (address < len);

        err = put_contact(store, item, line, address, name,
                          (size_t)(line + len - name));
        line += len + (line[len] != '\0');
    }
    return err;
}

/* Those that were written to least and longest ago go when there are too many.
 */
static enum err prune_contacts(struct store *store, int64_t user_id)
{
    sqlite3_stmt *statement = store_statement(store, SQL_CONTACT_PRUNE);

    if (statement) {
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_int64(statement, 2, CONTACTS_KEPT);
    }
    return store_run(store, statement);
}

static enum err put_item(struct store *store, const struct store_batch *batch,
                         struct item *item)
{
    struct store_old_entry entry;
    int64_t indexed = 0;
    enum err err = store_find_entry(store, item->mailbox_id, item->uid, &entry);

    if (err || item->lost)
        return err == ERR_NOT_FOUND ? OK : err;
    err = store_number_of(store, SQL_SUMMARY_FIND, item->mail_id, &indexed);
    if (!err && !indexed && !item->known) {
        err = put_summary(store, item);
        if (!err)
            err = put_words(store, batch, item);
    }
    return err ? err : put_contacts_of(store, batch, item);
}

static enum err note_place(struct store *store, const struct item *item)
{
    sqlite3_stmt *statement = store_statement(store, SQL_INDEX_NOTE);

    if (statement) {
        sqlite3_bind_int64(statement, 1, item->mailbox_id);
        sqlite3_bind_int64(statement, 2, item->uid);
    }
    return store_run(store, statement);
}

static enum err put_batch(struct store *store, void *context)
{
    struct store_batch *batch = context;
    enum err err = OK;

    for (unsigned i = 0; !err && i < batch->count; i++) {
        struct item *item = &batch->items[i];
        bool last = i + 1 == batch->count;

        err = put_item(store, batch, item);
        if (!err && (last || item[1].mailbox_id != item->mailbox_id))
            err = note_place(store, item);
        if (!err && (last || item[1].user_id != item->user_id))
            err = prune_contacts(store, item->user_id);
    }
    return err;
}

enum err store_index_put(struct store *store, struct store_batch *batch)
{
    return store_atomically(store, put_batch, batch);
}

/* ---- Forgetting --------------------------------------------------------- */

struct forgetting {
    unsigned limit;
    bool more;
};

static enum err forget_one(struct store *store, int64_t mail_id)
{
    static const enum statement steps[] = {SQL_FIND_DROP, SQL_UNFIND_DROP};
    enum err err = OK;

    for (int i = 0; !err && i < 2; i++) {
        sqlite3_stmt *statement = store_statement(store, steps[i]);

        if (statement)
            sqlite3_bind_int64(statement, 1, mail_id);
        err = store_run(store, statement);
    }
    return err;
}

static enum err forget(struct store *store, void *context)
{
    struct forgetting *forgetting = context;
    enum err err = OK;
    int64_t mail_id;

    for (unsigned i = 0; !err; i++) {
        err = store_number_of(store, SQL_UNFIND_NEXT, 0, &mail_id);
        forgetting->more = !err && mail_id != 0;
        if (err || !mail_id || i == forgetting->limit)
            return err;
        err = forget_one(store, mail_id);
    }
    return err;
}

enum err store_index_forget(struct store *store, unsigned limit, bool *more)
{
    struct forgetting forgetting = {.limit = limit};
    enum err err = store_atomically(store, forget, &forgetting);

    *more = forgetting.more && !err;
    return err;
}
