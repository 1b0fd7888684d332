/* A connection, for the files of this folder. */
#ifndef MAILSTORE_STORE_INTERNAL_H
#define MAILSTORE_STORE_INTERNAL_H

#include "mailstore/store.h"
#include "mailstore/volume.h"
#include <sqlite3.h>

/* Statements that are prepared once per connection, when first used. */
enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_PAGE_COUNT,
    SQL_FREE_COUNT,
    SQL_SETTING_GET,
    SQL_SETTING_PUT,
    SQL_LOG_PUT,
    SQL_LOG_PRUNE,
    SQL_PEER_FIND,
    SQL_PEER_NOTE,
    SQL_PEER_SWEEP,
    SQL_USER_ADD,
    SQL_ALIAS_ADD,
    SQL_MAILBOX_ADD,
    SQL_BODY_PUT,
    SQL_BODY_DISCARD,
    SQL_PART_PUT,
    SQL_PART_DROP,
    SQL_MESSAGE_PUT,
    SQL_UID_LIMIT,
    SQL_UID_TAKE,
    SQL_ENTRY_PUT,
    SQL_INBOX_FIND,
    SQL_ENTRY_LIST,
    SQL_BODY_FIND,
    SQL_BODY_GET,
    SQL_BODY_SIZES,
    SQL_ENTRY_MAIL,
    SQL_ENTRY_DROP,
    SQL_RUN_BYTES,
    SQL_RUN_GARBAGE,
    SQL_RUN_DROP,
    SQL_MESSAGE_HELD,
    SQL_GARBAGE_PUT,
    SQL_GARBAGE_NEXT,
    SQL_GARBAGE_DROP,
    SQL_MESSAGE_DROP,
    SQL_OUTGOING_PUT,
    SQL_QUEUE_PUT,
    SQL_QUEUE_DUE,
    SQL_QUEUE_MAIL,
    SQL_QUEUE_ROWS,
    SQL_QUEUE_MEND,
    SQL_QUEUE_NEXT,
    SQL_QUEUE_DROP,
    SQL_QUEUE_DEFER,
    SQL_QUEUE_STATE,
    SQL_QUEUE_LIST,
    SQL_QUEUE_TELL,
    SQL_OUTGOING_MEND,
    SQL_OUTGOING_LENGTHEN,
    SQL_OUTGOING_DROP,
    SQL_ROUTE_FIND,
    SQL_ROUTE_PUT,
    SQL_ROUTE_DROP,
    SQL_ROUTE_LIST,
    SQL_USAGE,
    SQL_LOGIN_PUT,
    SQL_USER_CHANGE,
    SQL_MAILBOX_USER,
    SQL_MAILBOX_NEXT,
    SQL_ENTRY_FLAGS,
    SQL_FOLDER_KIND,
    SQL_FOLDER_ENTRIES,
    SQL_BLIND_GET,
    SQL_ROW,
    SQL_THREAD_OF_SUBJECT,
    SQL_THREAD_OF_ID,
    SQL_BLIND_PUT,
    SQL_OUTGOING_FIND,
    SQL_PREFERENCE_GET,
    SQL_PREFERENCE_PUT,
    SQL_PREFERENCE_DROP,
    SQL_COMPOSITION_PRUNE,
    SQL_TYPED_DROP,
    SQL_TYPED_SUBJECT,
    SQL_TYPED_SUMMARY,
    SQL_VACATION_FORGET,
    SQL_VACATION_COUNT,
    SQL_VACATION_NOTE,
    SQL_RULED,
    SQL_RULE_LIST,
    SQL_RULE_COUNT,
    SQL_RULE_PUT,
    SQL_RULE_CHANGE,
    SQL_RULE_DROP,
    SQL_RULE_RAISE,
    SQL_USER_HOLDS,
    SQL_QUEUE_HOLDS,
    SQL_INDEX_BEHIND,
    SQL_INDEX_NEXT,
    SQL_INDEX_NOTE,
    SQL_SUMMARY_FIND,
    SQL_SUMMARY_PUT,
    SQL_FIND_PUT,
    SQL_FIND_DROP,
    SQL_UNFIND_NEXT,
    SQL_UNFIND_DROP,
    SQL_FIND,
    SQL_FIND_BACK,
    SQL_CONTACT_PUT,
    SQL_CONTACT_PRUNE,
    SQL_CONTACT_FIND,
    SQL_THREADS,
    SQL_THREADS_BACK,
    SQL_THREAD_COUNT,
    SQL_THREAD_ALL,
    STATEMENTS
};

/* UIDs of a mailbox that are set aside: mailbox.UIDNext was raised to `limit`
 * for them, and those below `next` are given. */
struct store_uids {
    int64_t mailbox_id, next, limit;
};

/* Mailboxes whose UIDs are remembered, by their lowest bits. */
#define STORE_UID_SLOTS 256

/* Messages of the queue that cannot be read, as many as are remembered. */
#define STORE_QUEUE_LOST 32

struct store {
    sqlite3 *db;
    struct volume *volume;
    bool writer;
    bool old_version; /* to be upgraded by the writer */
    bool in_transaction;
    bool queue_changed;    /* something may be due: store_queue_changed() */
    bool queue_acted;      /* store_queue_acted() */
    int64_t next_queue_id; /* writer: 0: not known yet */
    int64_t queue_seen_ms; /* writer: when the queue was looked at last */
    int64_t queue_lost[STORE_QUEUE_LOST]; /* writer */
    unsigned queue_lost_next;
    int64_t queue_lost_ms;  /* when they were forgotten last */
    bool garbage;           /* writer: there may be some */
    int64_t garbage_passed; /* writer: up to here no more can be removed */
    sqlite3_stmt *statements[STATEMENTS];
    int64_t next_id;   /* writer: the next message id to give */
    int64_t id_limit;  /* writer: the setting mail_id_limit, 0: unknown */
    int64_t next_file; /* writer: FileIDs below it were given */
    struct store_uids uids[STORE_UID_SLOTS]; /* writer */
    int64_t log_first, log_last;             /* writer: while log_known */
    bool log_known;
    uint32_t pages_max, pages_reserve;
    uint8_t *part; /* the part of a body that was read last */
    size_t part_bytes;
    int64_t part_id; /* its BodyID, 0: none */
    /* Writer: users with rules, in order, while ruled_known. */
    int64_t *ruled;
    unsigned ruled_count, ruled_room;
    bool ruled_known;
    bool (*pause)(void);
    /* Writer: what the open transaction has changed, see store_usage.c. */
    void (*usage_changed)(int64_t user_id, int64_t bytes);
    struct store_change *changes;
    uint32_t change_count, change_room;
    char message[128];
};

/* store_error - an SQLite result as ours; keeps its text for store_message().
 * SQLITE_OK, _ROW and _DONE are OK. */
enum err store_error(struct store *store, int code) MUST_CHECK;

/* store_statement - the prepared statement, reset, or NULL: then store_error()
 * of sqlite3_errcode(). */
sqlite3_stmt *store_statement(struct store *store, enum statement which);

/* store_run - steps a statement that has no rows, to its end, and resets it. */
enum err store_run(struct store *store, sqlite3_stmt *statement) MUST_CHECK;

/* store_run_for - the same of a statement with one parameter. */
enum err store_run_for(struct store *store, enum statement which,
                       int64_t parameter) MUST_CHECK;

/* store_number - the first column of the first row of SQL without parameters.
 */
enum err store_number(struct store *store, const char *sql,
                      int64_t *number) MUST_CHECK;

/* store_number_of - the same of a prepared statement with one parameter; 0 when
 * it has no row. */
enum err store_number_of(struct store *store, enum statement which,
                         int64_t parameter, int64_t *number) MUST_CHECK;

/* store_copy_column - a column of the present row as text, cut to `bytes` with
 * its NUL; "" for NULL. */
void store_copy_column(sqlite3_stmt *statement, int column, char *to,
                       size_t bytes);

/* store_exec - SQL without result. */
enum err store_exec(struct store *store, const char *sql) MUST_CHECK;

/* store_step - what `work` does, in a transaction of its own unless one is
 * open. */
enum err store_atomically(struct store *store,
                          enum err (*work)(struct store *store, void *context),
                          void *context) MUST_CHECK;

/* store_message_head - the first part of a message's body, in memory of this
 * connection until it reads another one. ERR_NOT_FOUND: no such message. */
enum err store_message_head(struct store *store, int64_t message_id,
                            const void **bytes, size_t *len) MUST_CHECK;

/* store_release_message - whether a message is in no mailbox and not in the
 * queue any more: then it is garbage, see store_collect(). */
enum err store_release_message(struct store *store, int64_t id) MUST_CHECK;

/* store_add_mailbox - an empty one. ERR_EXISTS. */
enum err store_add_mailbox(struct store *store, int64_t user_id,
                           const char *name) MUST_CHECK;

/* store_check_folder - whether a mailbox is this user's; ERR_NOT_FOUND: not.
 * uid_next: NULL, or mailbox.UIDNext. */
enum err store_check_folder(struct store *store, int64_t user_id,
                            int64_t mailbox_id, int64_t *uid_next) MUST_CHECK;

/* A message that is to be in a mailbox, see store_count.c. */
struct store_new_entry {
    int64_t mailbox_id, user_id; /* and who it belongs to */
    int64_t uid_next;            /* as it stands in the mailbox's row */
    int64_t mail_id;
    uint64_t bytes;
    uint8_t flags;
    uint32_t uid; /* out */
};
enum err store_put_entry(struct store *store,
                         struct store_new_entry *entry) MUST_CHECK;

/* store_put_inbox - a message that is stored into the user's Inbox.
 * store_find_inbox - its id and UIDNext. ERR_NOT_FOUND. */
enum err store_put_inbox(struct store *store, int64_t user_id, int64_t mail_id,
                         uint64_t bytes) MUST_CHECK;
enum err store_find_inbox(struct store *store, int64_t user_id,
                          int64_t *mailbox_id, int64_t *uid_next) MUST_CHECK;

/* store_put_message - row and body of a message that is nowhere yet; gives it
 * an id if it has none. store_put_targets - then it goes to all recipients of
 * the delivery; without any it is removed again, unless it is held elsewhere.
 * store_put_remote - one more recipient elsewhere. */
enum err store_put_message(struct store *store,
                           struct store_delivery *delivery) MUST_CHECK;
enum err store_put_targets(struct store *store,
                           struct store_delivery *delivery) MUST_CHECK;
/* store_delivery_valid - numbers and sizes are within what can be. */
bool store_delivery_valid(const struct store_delivery *delivery);
enum err store_put_remote(struct store *store,
                          const struct store_delivery *delivery,
                          const struct store_remote *remote) MUST_CHECK;

/* store_mailbox_user - whose a mailbox is; 0: there is no such mailbox. */
enum err store_mailbox_user(struct store *store, int64_t mailbox_id,
                            int64_t *user_id) MUST_CHECK;

/* An entry as it is. */
struct store_old_entry {
    int64_t mail_id;
    uint64_t bytes;
    uint8_t flags;
};
enum err store_find_entry(struct store *store, int64_t mailbox_id, uint32_t uid,
                          struct store_old_entry *entry) MUST_CHECK;

/* store_drop_entry - takes a message out of the mailbox; release: and out of
 * the store, when it is nowhere else. old: what it was. What the user takes up
 * is the caller's to tell. OK, ERR_NOT_FOUND or an error. */
enum err store_drop_entry(struct store *store, int64_t mailbox_id, uint32_t uid,
                          bool release, struct store_old_entry *old) MUST_CHECK;

/* store_flag_entry - an entry gets other flags. */
enum err store_flag_entry(struct store *store, int64_t mailbox_id, uint32_t uid,
                          uint8_t flags) MUST_CHECK;

/* store_typed_drop - a draft is gone: and so is what was typed into it. */
enum err store_typed_drop(struct store *store, int64_t user_id,
                          int64_t mail_id) MUST_CHECK;

/* store_queue_ms - for how long a message is tried, as set. */
enum err store_queue_ms(struct store *store, int64_t *ms) MUST_CHECK;

struct store_notice;
/* store_put_notice - a notice as a new message, within a transaction. */
enum err store_put_notice(struct store *store,
                          const struct store_notice *notice, int64_t now_ms,
                          int64_t *message_id) MUST_CHECK;

/* store_usage_change - tells that a user takes up so many bytes more.
 * store_usage_end - the transaction is over. */
enum err store_usage_change(struct store *store, int64_t user_id,
                            int64_t bytes) MUST_CHECK;
void store_usage_end(struct store *store, bool undone);

/* store_remove_parts - what is left of messages that never became complete. */
enum err store_remove_parts(struct store *store) MUST_CHECK;
/* store_file_remove_parts - the same of shared files. */
enum err store_file_remove_parts(struct store *store) MUST_CHECK;

/* store_restore_size - makes mail.db as long again as it was made, after a
 * workstation's sqlite3 cut it off. */
enum err store_restore_size(struct store *store) MUST_CHECK;

/* store_setting_number - a setting as a number, `otherwise` where there is
 * none. */
enum err store_setting_number(struct store *store, const char *key,
                              int64_t otherwise, int64_t *number) MUST_CHECK;

#endif
