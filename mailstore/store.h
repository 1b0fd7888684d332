/* The store: one SQLite database, mail.db, on the stick.
 *
 * This is the whole interface; nobody else speaks SQL (until the SQL console).
 * Calls block in struct media (see there). One struct store is one connection:
 * the writer, or a reader whose snapshot neither waits for the writer's flush
 * nor holds it up. Schema and file layout: schema.sql's comment in schema.c. */
#ifndef MAILSTORE_STORE_H
#define MAILSTORE_STORE_H

#include "core/err.h"
#include "mailstore/media.h"
#include "userdb/user.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_VERSION  3
#define STORE_FILE     "mail.db"
#define STORE_WAL_FILE "mail.db-wal"
/* A message body lies in rows of at most this many bytes. */
#define STORE_CHUNK_BYTES 65536
/* 32 MiB of message, and the trace lines that SMTP puts before it. */
#define STORE_MESSAGE_MAX    (32u * 1024 * 1024 + 4096)
#define STORE_RECIPIENTS_MAX 100

struct store; /* opaque: one connection */

/* Where the two files lie on the medium. */
struct store_place {
    struct media *media;
    uint64_t database_sector, database_bytes;
    uint64_t wal_sector, wal_bytes;
    bool data; /* of a database beside mail.db: sql.h */
};

/* store_module_init - gives SQLite its heap, once per process.
 * heap: at least 8 MiB. wall_clock_ms: the time for new rows. */
enum err store_module_init(void *heap, size_t bytes,
                           int64_t (*wall_clock_ms)(void)) MUST_CHECK;

/* store_locate - finds both files on the medium by FAT32; re-creates the WAL
 * file where a workstation has removed it. create_bytes: 0, or make both files
 * new with that size for mail.db.
 * Returns OK, ERR_NOT_FOUND (no FAT32 or no mail.db), or an error. */
enum err store_locate(struct media *media, uint64_t create_bytes,
                      struct store_place *place) MUST_CHECK;

/* store_wal_bytes - the size that store_locate() gives to a new WAL file in a
 * file system with so many bytes for files. */
uint64_t store_wal_bytes(uint64_t volume_bytes);

/* store_create - writes a new empty store with schema, store id and settings'
 * defaults at the place. */
enum err store_create(const struct store_place *place) MUST_CHECK;

/* store_open - a connection. The first one of a place recovers the WAL.
 * writer: one at a time; may change things; brings a store of the version
 * before up to this one. Returns OK; ERR_NOT_FOUND (there
 * is no Barepost store), ERR_VERSION, ERR_CORRUPT, ERR_IO, ERR_GONE,
 * ERR_MEMORY. */
enum err store_open(const struct store_place *place, bool writer,
                    struct store **store) MUST_CHECK;
void store_close(struct store *store);

/* store_identify - the setting "store_id" of what lies there, without changing
 * anything, also of a store that the writer would have to bring up first.
 * Errors as of store_open(). */
enum err store_identify(const struct store_place *place, char *id,
                        size_t bytes) MUST_CHECK;

/* store_set_pause - `pause` is called now and then while SQL runs for long on
 * this connection; when it returns false that SQL ends with ERR_GONE. */
void store_set_pause(struct store *store, bool (*pause)(void));

/* store_limit_cache - this connection's share of the page cache: one part in
 * `part`. */
void store_limit_cache(struct store *store, unsigned part);

/* store_open_message - why the last store_open() failed, e.g. "store of version
 * 2, this is for version 1". */
const char *store_open_message(void);

/* store_message - text of the last error on this connection, for the log. */
const char *store_message(struct store *store);

/* ---- Settings and users ------------------------------------------------ */

/* Keys in use: "store_id" (16 hex digits), "hostname", "domains" (separated by
 * spaces), "address" ("dhcp" or "a.b.c.d/n"), "gateway", "dns" (spaces),
 * "tag_separator" (characters, or "none"), "domain:NAME" ("closed", "size=N";
 * see directory_limit_domain()). */
enum err store_setting_get(struct store *store, const char *key, char *value,
                           size_t value_bytes) MUST_CHECK;
enum err store_setting_put(struct store *store, const char *key,
                           const char *value) MUST_CHECK;

/* store_list_settings - all of them, in order of key; a callback's error ends
 * the listing and is returned. */
enum err store_list_settings(struct store *store,
                             enum err (*each)(void *context, const char *key,
                                              const char *value),
                             void *context) MUST_CHECK;

/* store_user_add - a user with empty mailboxes; fills user->id. ERR_EXISTS. */
enum err store_user_add(struct store *store, struct user *user) MUST_CHECK;
/* What of a user is changed; what is not named stays as it is in the store. */
#define STORE_USER_FULL_NAME 0x01
#define STORE_USER_PASSWORD  0x02
#define STORE_USER_QUOTA     0x04
#define STORE_USER_ADMIN     0x08
#define STORE_USER_ENABLED   0x10
/* What an administrator's form shows. */
#define STORE_USER_FORM                                                        \
    (STORE_USER_FULL_NAME | STORE_USER_QUOTA | STORE_USER_ADMIN |              \
     STORE_USER_ENABLED)

/* store_user_change - changes these of the user with user->id.
 * ERR_NOT_FOUND. */
enum err store_user_change(struct store *store, const struct user *user,
                           unsigned fields) MUST_CHECK;
/* store_alias_add, store_forward_add - mail for the alias goes to that user,
 * resp. on to that address, besides what it goes to already: see directory.h.
 * ERR_EXISTS (this very pair), ERR_NOT_FOUND (user), ERR_INVALID. */
enum err store_alias_add(struct store *store, const char *alias,
                         int64_t user_id) MUST_CHECK;
enum err store_forward_add(struct store *store, const char *alias,
                           const char *address) MUST_CHECK;

/* store_load_directory - fills userdb's directory with all users, aliases and
 * domains. Call directory_init() first. */
enum err store_load_directory(struct store *store) MUST_CHECK;

/* store_directory_bytes - memory that is enough for that. */
enum err store_directory_bytes(struct store *store, size_t *bytes) MUST_CHECK;

/* ---- Transactions (writer) --------------------------------------------- */

/* store_begin, store_commit - several changes, one flush. After an error of
 * any call between them, store_rollback() undoes them all. store_commit()
 * returns when the transaction is durable. Changes outside such a pair are
 * transactions of their own. */
enum err store_begin(struct store *store) MUST_CHECK;
enum err store_commit(struct store *store) MUST_CHECK;
void store_rollback(struct store *store);

/* store_checkpoint - moves the WAL into mail.db as far as readers allow; for
 * the writer's idle moments. store_wal_pages: how much there is to move. */
enum err store_checkpoint(struct store *store) MUST_CHECK;
uint32_t store_wal_pages(struct store *store);

/* ---- Messages in (writer) ---------------------------------------------- */

/* What a sender wants to be told of a recipient (RFC 3461 4.1). */
#define STORE_NOTIFY_NEVER   0x01
#define STORE_NOTIFY_SUCCESS 0x02
#define STORE_NOTIFY_FAILURE 0x04
#define STORE_NOTIFY_DELAY   0x08
#define STORE_NOTIFY_DEFAULT 0x00 /* nothing was said: failure and delay */

/* One recipient elsewhere: the message goes into the outgoing queue for it. */
struct store_remote {
    const char *address; /* as in RCPT TO, without brackets */
    const char *orcpt;   /* as given: "rfc822;" and xtext; "" when none */
    uint8_t notify;      /* STORE_NOTIFY_* */
};

/* How much of the message a failure notice returns (RFC 3461 4.3). */
enum store_return {
    STORE_RETURN_DEFAULT,
    STORE_RETURN_FULL,
    STORE_RETURN_HEADERS
};

/* One message to be delivered to local mailboxes and to other servers. */
struct store_delivery {
    int64_t message_id;   /* from store_reserve_id(), or 0 for a new one */
    const char *sender;   /* reverse-path, "" for the null one */
    int64_t received_ms;  /* Unix time */
    const int64_t *users; /* user ids of the recipients, no doubles */
    unsigned user_count;
    const struct store_remote *remotes;
    unsigned remote_count;
    const char *envid; /* RFC 3461 4.4, as given; "" when none */
    enum store_return returning;
    bool smtputf8;        /* RFC 6531: needs a server that takes it */
    bool eight_bit;       /* BODY=8BITMIME was declared */
    bool reserve;         /* may use the room kept for notices */
    bool stays;           /* is not sent on by rules */
    int64_t submitter;    /* user who sent it; 0 for mail from outside */
    uint32_t chunks;      /* body rows already stored by
                             store_put_chunk() */
    uint64_t chunk_bytes; /* bytes in them */
    const void *tail;     /* the rest of the body (or all of it) */
    size_t tail_bytes;    /* at most STORE_CHUNK_BYTES */
};

/* store_reserve_id - a message id that nobody else gets; in memory only, never
 * given twice, also not after a power cut (the ids of chunks and messages in
 * the database are above none that was reserved before them). */
int64_t store_reserve_id(struct store *store);

/* store_put_chunk - stores part `index` (from 0) of the body of a message that
 * is not complete yet. Until store_deliver() names it, the part is not part of
 * any mailbox; store_discard_chunks() and the next store_open() remove it. */
enum err store_put_chunk(struct store *store, int64_t message_id,
                         uint32_t index, const void *bytes,
                         size_t len) MUST_CHECK;
enum err store_discard_chunks(struct store *store,
                              int64_t message_id) MUST_CHECK;

/* store_deliver - the message, complete, into every local recipient's Inbox and
 * into the queue for every one elsewhere: stored once. It is tried for as many
 * days as the setting "queue_days" says. Headers needed for the views are taken
 * from the first chunk or tail.
 * Returns OK, ERR_FULL, ERR_IO, ERR_GONE. */
enum err store_deliver(struct store *store,
                       struct store_delivery *delivery) MUST_CHECK;

/* store_room - bytes of body that still fit, with the reserve for deletions
 * already taken off; 0 when the store is full. */
uint64_t store_room(struct store *store);

/* store_room_low - whether so little is left that garbage is not to wait. */
bool store_room_low(struct store *store);

/* ---- Messages out (reader or writer) ----------------------------------- */

struct store_entry {
    int64_t message_id;
    uint32_t uid;   /* stable for ever, grows within a mailbox */
    uint32_t bytes; /* exact size of the stored message */
};

#define STORE_BLOCK_ENTRIES 512
#define STORE_BLOCK_BYTES   (STORE_BLOCK_ENTRIES * sizeof(struct store_entry))
/* One block of pointers to blocks. */
#define STORE_MAILDROP_MAX                                                     \
    (STORE_BLOCK_BYTES / sizeof(void *) * STORE_BLOCK_ENTRIES)

/* A user's Inbox at one instant. */
struct store_maildrop {
    int64_t mailbox_id;
    uint32_t uid_validity;
    uint32_t count;
    uint64_t bytes;
    void *blocks; /* see store_entry_at() */
    bool deep;
};

/* store_maildrop_memory - gives maildrops memory of their own; without they
 * take SQLite's heap, as on a workstation. */
void store_maildrop_memory(void *memory, size_t bytes);

/* store_maildrop_load - reads the list, of STORE_MAILDROP_MAX messages at most:
 * what came later is seen when others are gone.
 * Returns OK, ERR_MEMORY, ERR_NOT_FOUND (user), ERR_IO, ERR_GONE. */
enum err store_maildrop_load(struct store *store, int64_t user_id,
                             struct store_maildrop *maildrop) MUST_CHECK;
void store_maildrop_free(struct store_maildrop *maildrop);

/* store_entry_at - the index-th entry in order of uid, index < count. Entries
 * stand in one block; in a deep maildrop that is a block of pointers to others.
 */
static inline struct store_entry *
store_entry_at(const struct store_maildrop *maildrop, uint32_t index)
{
    struct store_entry *const *more = maildrop->blocks;

    if (!maildrop->deep)
        return (struct store_entry *)maildrop->blocks + index;
    return more[index / STORE_BLOCK_ENTRIES] + index % STORE_BLOCK_ENTRIES;
}

/* store_message_read - bytes of a stored message from an offset on.
 * Returns how many were read (0 at its end), or a negative enum err;
 * ERR_NOT_FOUND when there is no such message. */
int store_message_read(struct store *store, int64_t message_id, uint64_t offset,
                       void *buffer, size_t bytes) MUST_CHECK;

/* store_delete - takes messages out of a mailbox (writer); what no mailbox
 * holds any more is left to store_collect(). uids that are not there are
 * ignored. */
enum err store_delete(struct store *store, int64_t mailbox_id,
                      const uint32_t *uids, size_t count) MUST_CHECK;

/* store_collect - gives back the room of messages that nobody holds any more,
 * of so many at most (writer); which of them are gone is seen by nobody but
 * store_room(). store_garbage: whether there may be more. */
enum err store_collect(struct store *store, unsigned most) MUST_CHECK;
bool store_garbage(const struct store *store);

/* What mkusb --inspect shows. */
struct store_mailbox_info {
    int64_t user_id;
    char user[USER_NAME_BYTES];
    char mailbox[65];
    uint64_t messages, unseen, bytes;
};
struct store_message_info {
    int64_t message_id;
    char mailbox[65];
    uint32_t uid;
    uint8_t flags; /* STORE_SEEN ... of store_mailbox.h */
    uint64_t bytes;
    int64_t received_ms;
    char sender[USER_ADDRESS_BYTES];
    char subject[256]; /* decoded as far as it is UTF-8, one line */
};

/* Call back for each one, in order of name, resp. mailbox and uid; a
 * callback's error ends the listing and is returned. */
enum err store_list_mailboxes(
    struct store *store,
    enum err (*each)(void *context, const struct store_mailbox_info *info),
    void *context) MUST_CHECK;
enum err store_list_users(struct store *store,
                          enum err (*each)(void *context, int64_t user_id,
                                           const char *name),
                          void *context) MUST_CHECK;
enum err store_list_messages(
    struct store *store, int64_t user_id,
    enum err (*each)(void *context, const struct store_message_info *info),
    void *context) MUST_CHECK;

struct store_figures {
    uint64_t messages, users, mailboxes;
    uint64_t database_bytes; /* size of the file */
    uint64_t used_bytes;     /* pages in use */
};
enum err store_figures(struct store *store,
                       struct store_figures *figures) MUST_CHECK;

/* store_check - PRAGMA integrity_check and our own invariants (no entry
 * without message, no message without its whole body). message: the first
 * finding. OK or ERR_CORRUPT. */
enum err store_check(struct store *store, char *message,
                     size_t message_bytes) MUST_CHECK;

#endif
