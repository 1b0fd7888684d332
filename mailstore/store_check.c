/* store_check: SQLite's own integrity check, and what only we know. */
#include "mailstore/store_internal.h"
#include <stdio.h>
#include <string.h>

/* Each finds nothing in a sound store; a row's first column says what. */
static const char *const checks[] = {
    "SELECT 'entry '||MailboxID||'/'||UID||' has no message' FROM entry"
    " WHERE MailID NOT IN (SELECT MailID FROM message) LIMIT 1",
    "SELECT 'message '||MailID||' is in no mailbox and not in the queue'"
    " FROM message WHERE NOT EXISTS (SELECT 1 FROM entry"
    " WHERE entry.MailID=message.MailID) AND NOT EXISTS (SELECT 1 FROM queue"
    " WHERE queue.MailID=message.MailID)"
    " AND MailID NOT IN (SELECT MailID FROM garbage) LIMIT 1",
    "SELECT 'outgoing message '||MailID||' is for nobody' FROM outgoing"
    " WHERE MailID NOT IN (SELECT MailID FROM queue) LIMIT 1",
    "SELECT 'row '||QueueID||' of the queue has no outgoing message' FROM queue"
    " WHERE MailID NOT IN (SELECT MailID FROM outgoing) LIMIT 1",
    "SELECT 'message '||MailID||' lacks a part of its body' FROM message"
    " WHERE (SELECT count(*) FROM body WHERE BodyID BETWEEN MailID<<12"
    " AND MailID<<12|4095)<>Parts LIMIT 1",
    "SELECT 'message '||MailID||' has a body of another size' FROM message"
    " WHERE (SELECT total(length(body.Bytes)) FROM body WHERE BodyID BETWEEN"
    " MailID<<12 AND MailID<<12|4095)<>message.Bytes LIMIT 1",
    "SELECT 'part '||BodyID||' belongs to no message' FROM body"
    " WHERE BodyID>>12 NOT IN (SELECT MailID FROM message UNION ALL"
    " SELECT MailID FROM part) LIMIT 1",
    "SELECT 'entry '||MailboxID||'/'||UID||' has another size than its message'"
    " FROM entry JOIN message USING(MailID)"
    " WHERE entry.Bytes<>message.Bytes LIMIT 1",
    "SELECT 'mailbox '||MailboxID||' would give a UID twice' FROM mailbox"
    " WHERE UIDNext<=(SELECT max(UID) FROM entry"
    " WHERE entry.MailboxID=mailbox.MailboxID) LIMIT 1",
    "SELECT 'mailbox '||MailboxID||' counts its messages wrongly' FROM mailbox"
    " WHERE (Messages,Unseen,Bytes)<>(SELECT count(*),"
    "ifnull(sum(Flags&1=0),0),ifnull(sum(entry.Bytes),0) FROM entry"
    " WHERE entry.MailboxID=mailbox.MailboxID AND UID<CountedUID)"
    " OR CountedUID>UIDNext OR UIDNext-CountedUID>32 LIMIT 1",
    "SELECT 'summary of '||MailID||' is of no message' FROM summary"
    " WHERE MailID NOT IN (SELECT MailID FROM message) LIMIT 1",
    "SELECT 'message '||MailID||' counts as indexed and is not' FROM summary"
    " WHERE Indexed AND MailID NOT IN (SELECT rowid FROM find) LIMIT 1",
    "SELECT 'index of '||rowid||' is of no message' FROM find WHERE rowid NOT"
    " IN (SELECT MailID FROM summary WHERE Indexed UNION ALL SELECT MailID"
    " FROM unfind) LIMIT 1",
    "SELECT 'message '||max(MailID)||' is over the limit of ids' FROM message"
    " HAVING max(MailID)>=(SELECT CAST(Value AS INTEGER) FROM setting"
    " WHERE Key='mail_id_limit')",
    "SELECT 'row '||rowid||' of '||\"table\"||' refers to nothing in '||parent"
    " FROM pragma_foreign_key_check LIMIT 1",
};

/* The first row's text; `sound` is the one that means nothing was found. */
static enum err check_one(struct store *store, const char *sql,
                          const char *sound, char *message, size_t bytes)
{
    sqlite3_stmt *statement = NULL;
    enum err err = OK;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);

        if (text && (!sound || strcmp(text, sound) != 0)) {
            snprintf(message, bytes, "%s", text);
            err = ERR_CORRUPT;
        }
    } else if (code != SQLITE_DONE) {
        err = store_error(store, code);
        snprintf(message, bytes, "%s", store->message);
    }
    sqlite3_finalize(statement);
    return err;
}

/* Of the writer only: FTS5 takes it for a change. */
static enum err check_index(struct store *store, char *message, size_t bytes)
{
    enum err err;

    if (!store->writer)
        return OK;
    err = store_exec(store, "INSERT INTO find(find) VALUES('integrity-check')");
    if (err)
        snprintf(message, bytes, "the index of words: %s", store->message);
    return err;
}

enum err store_check(struct store *store, char *message, size_t message_bytes)
{
    enum err err = check_one(store, "PRAGMA integrity_check(1)", "ok", message,
                             message_bytes);

    for (size_t i = 0; !err && i < sizeof checks / sizeof checks[0]; i++)
        err = check_one(store, checks[i], NULL, message, message_bytes);
    return err ? err : check_index(store, message, message_bytes);
}
