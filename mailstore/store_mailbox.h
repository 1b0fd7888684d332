/* Mailboxes as their owner sees them: folders with their counts, pages of
 * messages, and what is done to messages.
 *
 * Every call names the user for whom it is made and sees nothing of others:
 * a folder or message that is not his is one that is not there. A message in a
 * folder is named by a struct store_key, which is never given twice; when it
 * is moved, it gets another one. Conversations: store_thread.h; words:
 * store_find.h; new messages: store_append.h. */
#ifndef MAILSTORE_STORE_MAILBOX_H
#define MAILSTORE_STORE_MAILBOX_H

#include "mailstore/store.h"

/* entry.Flags, as IMAP knows them (RFC 9051 2.3.2). */
#define STORE_SEEN      0x01u
#define STORE_ANSWERED  0x02u
#define STORE_FLAGGED   0x04u
#define STORE_FORWARDED 0x08u
#define STORE_DRAFT     0x10u
#define STORE_FLAGS     0x1fu

#define STORE_FOLDER_BYTES 65
#define STORE_FOLDERS_MAX  200 /* of one user */
#define STORE_CURSOR_BYTES 320

struct store_key {
    int64_t mailbox_id;
    uint32_t uid;
};

/* ---- Folders ------------------------------------------------------------ */

enum store_folder_kind {
    STORE_FOLDER_INBOX,
    STORE_FOLDER_DRAFTS,
    STORE_FOLDER_SENT,
    STORE_FOLDER_JUNK,
    STORE_FOLDER_TRASH,
    STORE_FOLDER_OWN /* made by the user */
};

struct store_folder {
    int64_t id; /* mailbox id */
    enum store_folder_kind kind;
    char name[STORE_FOLDER_BYTES]; /* UTF-8 */
    uint64_t messages, unseen, bytes;
};

/* store_list_folders - in order of kind, then of name; a callback's error ends
 * the listing and is returned. */
enum err store_list_folders(struct store *store, int64_t user_id,
                            enum err (*each)(void *context,
                                             const struct store_folder *folder),
                            void *context) MUST_CHECK;

/* store_folder - one of them. store_folder_of - the one of a kind (not OWN).
 * Return OK or ERR_NOT_FOUND. */
enum err store_folder(struct store *store, int64_t user_id, int64_t mailbox_id,
                      struct store_folder *folder) MUST_CHECK;
enum err store_folder_of(struct store *store, int64_t user_id,
                         enum store_folder_kind kind,
                         int64_t *mailbox_id) MUST_CHECK;

/* store_folder_create, _rename, _delete (writer). Names are compared
 * caselessly as far as they are ASCII. ERR_INVALID: not UTF-8, empty, longer
 * than 64 bytes, with spaces at its ends or a control character; ERR_EXISTS;
 * ERR_TOO_BIG: too many; ERR_REFUSED: not one that the user has made;
 * ERR_BUSY (_delete): it holds messages; ERR_NOT_FOUND. */
enum err store_folder_create(struct store *store, int64_t user_id,
                             const char *name, int64_t *mailbox_id) MUST_CHECK;
enum err store_folder_rename(struct store *store, int64_t user_id,
                             int64_t mailbox_id, const char *name) MUST_CHECK;
enum err store_folder_delete(struct store *store, int64_t user_id,
                             int64_t mailbox_id) MUST_CHECK;

/* ---- Lists -------------------------------------------------------------- */

/* A message in a folder. Texts are UTF-8 without control characters, never
 * NULL, and valid until the callback returns. */
struct store_row {
    struct store_key key;
    int64_t message_id; /* for store_message_read() */
    int64_t thread_id;
    int64_t received_ms, date_ms; /* Unix time; date: as its author says */
    uint64_t bytes;
    uint8_t flags;            /* STORE_SEEN ... */
    bool attachments;         /* parts that are no text of the message itself */
    const char *sender;       /* reverse-path, "" for the null one */
    const char *from_name;    /* as shown, "" when none */
    const char *from_address; /* "" when there is none that can be read */
    const char *to;           /* names or addresses, separated by ", " */
    const char *subject;
    const char *preview; /* how the text begins; "" while it is not known */
    /* Lists of conversations only: in the folder that is listed. */
    uint32_t thread_messages, thread_unseen;
};

enum store_order {
    STORE_BY_ARRIVAL, /* in this folder: the order that costs nothing */
    STORE_BY_DATE,
    STORE_BY_FROM,
    STORE_BY_SUBJECT, /* without "Re:" and the like */
    STORE_BY_SIZE
};

/* One page of a list, and what was found out about it. */
struct store_page {
    int64_t mailbox_id;
    enum store_order order;
    bool ascending;     /* else the newest (last, largest) first */
    bool backwards;     /* the page before `cursor`, not the one behind it */
    uint8_t with;       /* only messages with all of these flags ... */
    uint8_t without;    /* ... and none of these */
    unsigned limit;     /* rows, at least 1 */
    const char *cursor; /* where another page ended or began; "" or NULL: the
                           first page, resp. (backwards) the last */
    /* Out: */
    unsigned count;
    bool more; /* in the direction in which it was read */
    char first[STORE_CURSOR_BYTES], last[STORE_CURSOR_BYTES];
};

/* store_list_page - rows in the list's order whichever way it is read. Order by
 * arrival reads only what it shows, each other one goes through the folder.
 * Returns OK, ERR_NOT_FOUND (folder), ERR_INVALID (cursor). */
enum err
store_list_page(struct store *store, int64_t user_id, struct store_page *page,
                enum err (*each)(void *context, const struct store_row *row),
                void *context) MUST_CHECK;

/* store_row - one message. OK, ERR_NOT_FOUND, or what the callback returns. */
enum err store_row(struct store *store, int64_t user_id,
                   const struct store_key *key,
                   enum err (*each)(void *context, const struct store_row *row),
                   void *context) MUST_CHECK;

/* store_blind - whom a message that the user has sent went to unseen by the
 * others (Bcc), separated by ", "; "" when nobody. */
enum err store_blind(struct store *store, int64_t user_id, int64_t message_id,
                     char *addresses, size_t bytes) MUST_CHECK;

/* ---- Doing something (writer) ------------------------------------------- */

/* All of these take any number of messages, which may lie in several folders;
 * what is not there, or not the user's, is left out. done: NULL, or how many
 * were done. One call is one step of the open transaction: many messages are
 * to be handed over in pieces of STORE_KEYS_MAX. */
#define STORE_KEYS_MAX 200

/* store_flag - sets and clears flags. */
enum err store_flag(struct store *store, int64_t user_id,
                    const struct store_key *keys, size_t count, uint8_t set,
                    uint8_t clear, size_t *done) MUST_CHECK;

/* Where messages have gone that were moved, so that they can be moved back. */
struct store_moved {
    size_t done;          /* also those that went for good */
    size_t moved;         /* of them, into the folder `to` */
    int64_t from, to;     /* from: 0 when they lay in several folders */
    uint32_t first, last; /* their UIDs there; others may lie between them */
};

/* store_move, store_copy - into another folder. ERR_NOT_FOUND: that one is not
 * there; ERR_FULL. A message that is there already stays. moved: may be NULL.
 */
enum err store_move(struct store *store, int64_t user_id,
                    const struct store_key *keys, size_t count,
                    int64_t mailbox_id, struct store_moved *moved) MUST_CHECK;
enum err store_copy(struct store *store, int64_t user_id,
                    const struct store_key *keys, size_t count,
                    int64_t mailbox_id, size_t *done) MUST_CHECK;

/* store_trash - into Trash, or for good what is in Trash (or Drafts) already.
 * store_remove - for good. */
enum err store_trash(struct store *store, int64_t user_id,
                     const struct store_key *keys, size_t count,
                     struct store_moved *moved) MUST_CHECK;
enum err store_remove(struct store *store, int64_t user_id,
                      const struct store_key *keys, size_t count,
                      size_t *done) MUST_CHECK;

/* The same for all of a folder, `limit` messages a call, beginning with the
 * oldest; *more: there are others, call again. store_folder_flag goes on from
 * *uid, which is 0 at first. */
enum err store_folder_flag(struct store *store, int64_t user_id,
                           int64_t mailbox_id, uint8_t set, uint8_t clear,
                           unsigned limit, uint32_t *uid,
                           bool *more) MUST_CHECK;
enum err store_folder_empty(struct store *store, int64_t user_id,
                            int64_t mailbox_id, bool for_good, unsigned limit,
                            bool *more) MUST_CHECK;

#endif
