/* Messages while they are written: see store_draft.h. */
#include "mailstore/store_draft.h"
#include "core/bytes.h"
#include "mailstore/mime/charset.h"
#include "mailstore/store_internal.h"
#include "mailstore/store_person.h"
#include "mailstore/summary.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Compositions of a user that are remembered. */
#define COMPOSITIONS 200
#define SUBJECT_MAX  256

/* ---- Compositions ------------------------------------------------------- */

void store_composition_id(int64_t now_ms, uint64_t random, char *id)
{
    snprintf(id, STORE_COMPOSITION_BYTES, "%011llx%013llx",
             (unsigned long long)now_ms & 0xfffffffffffU,
             (unsigned long long)random >> 12);
}

bool store_composition_valid(const char *id)
{
    return strspn(id, "0123456789abcdef") == STORE_COMPOSITION_BYTES - 1 &&
           id[STORE_COMPOSITION_BYTES - 1] == '\0';
}

static void make_key(const char *id, char *key, size_t bytes)
{
    snprintf(key, bytes, "draft-%s", id);
}

enum err store_composition_get(struct store *store, int64_t user_id,
                               const char *id, struct store_composition *it)
{
    char key[40], value[64], *end;
    enum err err;

    memset(it, 0, sizeof *it);
    if (!store_composition_valid(id))
        return OK;
    make_key(id, key, sizeof key);
    err = store_preference_get(store, user_id, key, value, sizeof value);
    it->sent = !err && strcmp(value, "sent") == 0;
    if (err || it->sent || !value[0])
        return err;
    it->draft.mailbox_id = strtoll(value, &end, 10);
    it->draft.uid = *end ? (uint32_t)strtoul(end + 1, &end, 10) : 0;
    it->files = strcmp(end, " files") == 0;
    return OK;
}

enum err store_composition_put(struct store *store, int64_t user_id,
                               const char *id,
                               const struct store_composition *it)
{
    sqlite3_stmt *statement;
    char key[40], value[64] = "";
    enum err err;

    if (!store_composition_valid(id))
        return ERR_INVALID;
    make_key(id, key, sizeof key);
    if (it->sent)
        snprintf(value, sizeof value, "sent");
    else if (it->draft.uid)
        snprintf(value, sizeof value, "%lld.%u%s",
                 (long long)it->draft.mailbox_id, it->draft.uid,
                 it->files ? " files" : "");
    err = store_preference_put(store, user_id, key, value);
    if (err)
        return err;
    statement = store_statement(store, SQL_COMPOSITION_PRUNE);
    if (statement) {
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_int(statement, 2, COMPOSITIONS);
    }
    return store_run(store, statement);
}

/* ---- What has been typed since ------------------------------------------ */

static void typed_key(int64_t message_id, unsigned field, char *key,
                      size_t bytes)
{
    snprintf(key, bytes, "typed-%lld-%u", (long long)message_id, field);
}

enum err store_typed_drop(struct store *store, int64_t user_id, int64_t mail_id)
{
    sqlite3_stmt *statement = store_statement(store, SQL_TYPED_DROP);

    if (statement) {
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_int64(statement, 2, mail_id);
    }
    return store_run(store, statement);
}

static enum err put_field(struct store *store, int64_t user_id,
                          int64_t message_id, unsigned field, const char *text)
{
    sqlite3_stmt *statement = store_statement(store, SQL_PREFERENCE_PUT);
    char key[40];

    typed_key(message_id, field, key, sizeof key);
    if (statement) {
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, text, -1, SQLITE_STATIC);
    }
    return store_run(store, statement);
}

/* The first line, as lists have texts: no control characters. */
static void line_of(const char *text, char *line, size_t bytes)
{
    size_t len = strcspn(text, "\r\n");

    line[0] = '\0';
    if (len >= bytes)
        len = bytes - 1;
    len = bytes_whole(text, len);
    if (user_text_valid(text, len)) {
        memcpy(line, text, len);
        line[len] = '\0';
    }
}

static enum err show_in_lists(struct store *store, int64_t message_id,
                              const char *const *fields)
{
    sqlite3_stmt *statement = store_statement(store, SQL_TYPED_SUBJECT);
    char subject[SUBJECT_MAX], to[SUMMARY_TO], preview[SUMMARY_PREVIEW];
    enum err err;

    line_of(fields[STORE_TYPED_SUBJECT], subject, sizeof subject);
    line_of(fields[STORE_TYPED_TO], to, sizeof to);
    line_of(fields[STORE_TYPED_TEXT], preview, sizeof preview);
    if (statement) {
        sqlite3_bind_int64(statement, 1, message_id);
        sqlite3_bind_text(statement, 2, subject, -1, SQLITE_STATIC);
    }
    err = store_run(store, statement);
    if (err)
        return err;
    statement = store_statement(store, SQL_TYPED_SUMMARY);
    if (statement) {
        sqlite3_bind_int64(statement, 1, message_id);
        sqlite3_bind_text(statement, 2, to, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, preview, -1, SQLITE_STATIC);
    }
    return store_run(store, statement);
}

struct typing {
    int64_t user_id;
    const struct store_key *draft;
    const char *const *fields;
};

static enum err type(struct store *store, void *context)
{
    const struct typing *typing = context;
    struct store_old_entry entry = {0};
    enum err err = store_check_folder(store, typing->user_id,
                                      typing->draft->mailbox_id, NULL);

    if (!err)
        err = store_find_entry(store, typing->draft->mailbox_id,
                               typing->draft->uid, &entry);
    if (!err && (entry.flags & STORE_DRAFT) == 0)
        err = ERR_NOT_FOUND;
    if (!err)
        err = store_typed_drop(store, typing->user_id, entry.mail_id);
    for (unsigned i = 0; !err && i < STORE_TYPED_FIELDS; i++)
        if (typing->fields[i][0])
            err = put_field(store, typing->user_id, entry.mail_id, i,
                            typing->fields[i]);
    return err ? err : show_in_lists(store, entry.mail_id, typing->fields);
}

enum err store_typed_put(struct store *store, int64_t user_id,
                         const struct store_key *draft,
                         const char *const fields[STORE_TYPED_FIELDS])
{
    struct typing typing = {user_id, draft, fields};

    return store_atomically(store, type, &typing);
}

enum err store_typed_get(struct store *store, int64_t user_id,
                         int64_t message_id, enum store_typed field, char *text,
                         size_t bytes)
{
    char key[40];

    typed_key(message_id, (unsigned)field, key, sizeof key);
    return store_preference_get(store, user_id, key, text, bytes);
}
