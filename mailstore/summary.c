/* Summaries of messages, and which conversation a message belongs to.
 *
 * A conversation is named by a hash of the Message-ID that it began with. That
 * is the first of References; a program that leaves References out gives the
 * message before in In-Reply-To, whose conversation is then looked up. A reply
 * with neither joins the last conversation that began with the same subject,
 * lies in a mailbox of the same user and came within SUBJECT_MS. So most
 * messages need no look at others, and their order of arrival does not matter.
 */
#include "mailstore/summary.h"
#include "mailstore/mime/charset.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/store_internal.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A reply that names no message belongs to one that is not older than that. */
#define SUBJECT_MS ((int64_t)30 * 24 * 60 * 60 * 1000)

/* FNV-1a, never 0. */
static int64_t hash_of(const char *text, size_t len, bool caseless)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];

        if (caseless && c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + 32);
        hash = (hash ^ c) * 0x100000001b3u;
    }
    hash &= INT64_MAX;
    return hash ? (int64_t)hash : 1;
}

/* ---- Names -------------------------------------------------------------- */

static void find_from(const char *header, size_t len, struct summary *summary,
                      struct mime_address *address)
{
    struct mime_span value;

    if (!mime_field(header, len, "From", &value) ||
        !mime_address_next(&value, address))
        return;
    utf8_copy(summary->from_name, sizeof summary->from_name, address->name);
    utf8_copy(summary->from_address, sizeof summary->from_address,
              address->address);
}

static void find_to(const char *header, size_t len, struct summary *summary,
                    struct mime_address *address)
{
    struct mime_span value;
    size_t used = 0;

    if (!mime_field(header, len, "To", &value))
        return;
    while (used + 2 < sizeof summary->to &&
           mime_address_next(&value, address)) {
        const char *shown = address->name[0] ? address->name : address->address;

        if (used) {
            memcpy(summary->to + used, ", ", 3);
            used += 2;
        }
        utf8_copy(summary->to + used, sizeof summary->to - used, shown);
        used += strlen(summary->to + used);
    }
}

/* ---- Conversations ------------------------------------------------------ */

/* The conversation of the last message of that subject that this one's owner
 * has. */
static enum err find_by_subject(struct store *store,
                                const struct summary_of *of,
                                struct summary *summary)
{
    sqlite3_stmt *statement = store_statement(store, SQL_THREAD_OF_SUBJECT);
    int code;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, summary->subject_hash);
    sqlite3_bind_int64(statement, 2, of->message_id);
    sqlite3_bind_int64(statement, 3, of->received_ms - SUBJECT_MS);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        summary->thread_id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return store_error(store, code);
}

static void name_thread(const char *header, size_t len,
                        const struct summary_of *of, struct summary *summary)
{
    struct mime_span value, id, base = mime_subject_base(of->subject);

    if (mime_field(header, len, "Message-ID", &value) &&
        mime_id_next(&value, &id))
        summary->id_hash = hash_of(id.text, id.len, false);
    if (base.len)
        summary->subject_hash = hash_of(base.text, base.len, true);
    summary->thread_id = summary->id_hash;
    if (mime_field(header, len, "References", &value) &&
        mime_id_next(&value, &id)) {
        summary->thread_id = hash_of(id.text, id.len, false);
    } else if (mime_field(header, len, "In-Reply-To", &value) &&
               mime_id_next(&value, &id)) {
        summary->thread_id = hash_of(id.text, id.len, false);
        summary->look_up = SUMMARY_BY_ID;
    } else if (base.len && base.text != of->subject) {
        summary->look_up = SUMMARY_BY_SUBJECT;
    }
    /* Alone, but named. */
    if (summary->thread_id == 0)
        summary->thread_id = of->message_id | INT64_MIN;
}

enum err summary_resolve(struct store *store, const struct summary_of *of,
                         struct summary *summary)
{
    int64_t found = 0;
    enum err err;

    if (summary->look_up == SUMMARY_BY_SUBJECT)
        return find_by_subject(store, of, summary);
    if (summary->look_up == SUMMARY_IS_KNOWN)
        return OK;
    err = store_number_of(store, SQL_THREAD_OF_ID, summary->thread_id, &found);
    if (!err && found)
        summary->thread_id = found;
    return err;
}

/* ---- All of it ---------------------------------------------------------- */

static void find_date(const char *header, size_t len,
                      const struct summary_of *of, struct summary *summary)
{
    struct mime_span value;
    int zone;

    summary->date_ms = of->received_ms;
    if (mime_field(header, len, "Date", &value) &&
        !mime_date(value, &summary->date_ms, &zone))
        summary->date_ms = of->received_ms;
}

static bool holds_several(const char *header, size_t len)
{
    static const char mixed[] = "multipart/mixed";
    struct mime_span value;

    return mime_field(header, len, "Content-Type", &value) &&
           value.len >= sizeof mixed - 1 &&
           strncasecmp(value.text, mixed, sizeof mixed - 1) == 0;
}

enum err summary_find(struct store *store, const struct summary_of *of,
                      struct summary *summary)
{
    struct mime_address *address;
    const void *header;
    size_t len;
    enum err err = store_message_head(store, of->message_id, &header, &len);

    memset(summary, 0, sizeof *summary);
    if (err && err != ERR_NOT_FOUND)
        return err;
    address = sqlite3_malloc(sizeof *address);
    if (!address)
        return ERR_MEMORY;
    find_from(header, len, summary, address);
    find_to(header, len, summary, address);
    sqlite3_free(address);
    find_date(header, len, of, summary);
    summary->attachments = holds_several(header, len);
    name_thread(header, len, of, summary);
    return OK;
}
