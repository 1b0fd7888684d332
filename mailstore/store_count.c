/* Entries of mailboxes and their sums.
 *
 * UIDs are set aside by the block; with each block the sums in the mailbox's
 * row take in what came since the last one, up to CountedUID. So most
 * deliveries leave the table mailbox alone, and whoever wants to know the sums
 * adds the entries from CountedUID on, fewer than a block. What changes below
 * CountedUID changes the sums by triggers, whoever changes it. */
#include "mailstore/store_internal.h"
#include "mailstore/store_mailbox.h"
#include <string.h>

/* How many UIDs of a mailbox at once: what is left is lost when the PC goes
 * off. Of 2^32, RFC 9051 2.3.1.1. */
#define UID_STEP 32

/* The next UID of a mailbox whose UIDNext is as given. What is remembered holds
 * as long as UIDNext is the end of that block: not after a rollback, nor when
 * anybody else has raised it. */
static enum err take_uid(struct store *store, int64_t mailbox_id,
                         int64_t uid_next, int64_t *uid)
{
    struct store_uids *uids =
        &store->uids[(uint64_t)mailbox_id % STORE_UID_SLOTS];
    sqlite3_stmt *take;
    enum err err;

    if (uids->mailbox_id != mailbox_id || uids->limit != uid_next ||
        uids->next == uids->limit) {
        if (uid_next + UID_STEP > UINT32_MAX)
            return ERR_FULL;
        take = store_statement(store, SQL_UID_TAKE);
        if (take) {
            sqlite3_bind_int64(take, 1, mailbox_id);
            sqlite3_bind_int64(take, 2, uid_next);
            sqlite3_bind_int64(take, 3, uid_next + UID_STEP);
        }
        err = store_run(store, take);
        if (err)
            return err;
        uids->mailbox_id = mailbox_id;
        uids->next = uid_next;
        uids->limit = uid_next + UID_STEP;
    }
    *uid = uids->next++;
    return OK;
}

enum err store_put_entry(struct store *store, struct store_new_entry *entry)
{
    sqlite3_stmt *put;
    int64_t uid;
    enum err err = take_uid(store, entry->mailbox_id, entry->uid_next, &uid);

    if (err)
        return err;
    entry->uid = (uint32_t)uid;
    put = store_statement(store, SQL_ENTRY_PUT);
    if (put) {
        sqlite3_bind_int64(put, 1, entry->mailbox_id);
        sqlite3_bind_int64(put, 2, uid);
        sqlite3_bind_int64(put, 3, entry->mail_id);
        sqlite3_bind_int64(put, 4, (sqlite3_int64)entry->bytes);
        sqlite3_bind_int(put, 5, entry->flags);
    }
    err = store_run(store, put);
    return err ? err
               : store_usage_change(store, entry->user_id,
                                    (int64_t)entry->bytes);
}

enum err store_mailbox_user(struct store *store, int64_t mailbox_id,
                            int64_t *user_id)
{
    return store_number_of(store, SQL_MAILBOX_USER, mailbox_id, user_id);
}

/* ---- Entries that are there --------------------------------------------- */

static enum err bind_entry(struct store *store, enum statement which,
                           int64_t mailbox_id, uint32_t uid,
                           sqlite3_stmt **statement)
{
    *statement = store_statement(store, which);
    if (!*statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(*statement, 1, mailbox_id);
    sqlite3_bind_int64(*statement, 2, uid);
    return OK;
}

enum err store_find_entry(struct store *store, int64_t mailbox_id, uint32_t uid,
                          struct store_old_entry *entry)
{
    sqlite3_stmt *statement;
    int code;
    enum err err =
        bind_entry(store, SQL_ENTRY_MAIL, mailbox_id, uid, &statement);

    memset(entry, 0, sizeof *entry);
    if (err)
        return err;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        entry->mail_id = sqlite3_column_int64(statement, 0);
        entry->bytes = (uint64_t)sqlite3_column_int64(statement, 1);
        entry->flags = (uint8_t)sqlite3_column_int64(statement, 2);
    }
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
}

enum err store_drop_entry(struct store *store, int64_t mailbox_id, uint32_t uid,
                          bool release, struct store_old_entry *old)
{
    sqlite3_stmt *statement;
    enum err err = store_find_entry(store, mailbox_id, uid, old);

    if (err)
        return err;
    err = bind_entry(store, SQL_ENTRY_DROP, mailbox_id, uid, &statement);
    if (!err)
        err = store_run(store, statement);
    if (err)
        return err;
    return release ? store_release_message(store, old->mail_id) : OK;
}

enum err store_flag_entry(struct store *store, int64_t mailbox_id, uint32_t uid,
                          uint8_t flags)
{
    sqlite3_stmt *statement;
    enum err err =
        bind_entry(store, SQL_ENTRY_FLAGS, mailbox_id, uid, &statement);

    if (err)
        return err;
    sqlite3_bind_int(statement, 3, flags);
    return store_run(store, statement);
}
