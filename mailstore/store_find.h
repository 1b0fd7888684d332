/* Words: finding messages by what stands in them, conversations, and whom a
 * user has written to.
 *
 * All of this knows what the index has seen. It is made for users who want it
 * (store_index_want), a few messages at a time, by two steps: a reader takes a
 * batch of messages apart, which may take its time, and the writer puts what
 * was found into the store, which does not. firmware/store/st_index.h does so
 * in idle moments; whoever searches brings the rest up to date first. */
#ifndef MAILSTORE_STORE_FIND_H
#define MAILSTORE_STORE_FIND_H

#include "mailstore/store_mailbox.h"

/* ---- The index ---------------------------------------------------------- */

/* store_index_want (writer) - from now on this user's messages are indexed.
 * store_index_wanted - whether they are. */
enum err store_index_want(struct store *store, int64_t user_id) MUST_CHECK;
enum err store_index_wanted(struct store *store, int64_t user_id,
                            bool *wanted) MUST_CHECK;

/* store_index_behind - how many messages of one user, or (0) of all who want
 * it, the index has still to look at, and what it has still to forget: counted
 * up to `limit`. */
enum err store_index_behind(struct store *store, int64_t user_id,
                            uint64_t limit, uint64_t *messages) MUST_CHECK;

struct store_batch; /* what was found in some messages; opaque */

/* store_index_read (reader) - the next messages of this user, or (0) of all who
 * want it: as many as fit into a batch, which the caller frees. NULL: there are
 * none. May take long; the connection's pause is called.
 * store_index_put (writer) - puts a batch into the store. Messages that have
 * gone meanwhile are left out.
 * store_index_forget (writer) - takes up to `limit` deleted messages out of the
 * index; *more: there are others. */
enum err store_index_read(struct store *store, int64_t user_id,
                          struct store_batch **batch) MUST_CHECK;
enum err store_index_put(struct store *store,
                         struct store_batch *batch) MUST_CHECK;
void store_index_free(struct store_batch *batch);
enum err store_index_forget(struct store *store, unsigned limit,
                            bool *more) MUST_CHECK;

/* ---- Search ------------------------------------------------------------- */

struct store_search {
    /* As people type it: words (also their beginnings: the last one, or word*),
     * "a phrase", -without; from:, to:, subject: before a word or phrase. */
    const char *words;
    int64_t mailbox_id; /* only in this folder; 0: in all but Trash and Junk */
    unsigned limit;
    const char *cursor; /* as in struct store_page */
    bool backwards;     /* the page before it */
    /* Out: */
    unsigned count;
    bool more; /* in the direction in which it was read */
    char first[STORE_CURSOR_BYTES], last[STORE_CURSOR_BYTES];
};

/* store_search - what is found, the newest first. A message that lies in
 * several folders is found in each. Returns OK, ERR_INVALID (no words, cursor),
 * ERR_NOT_FOUND (folder). */
enum err
store_search(struct store *store, int64_t user_id, struct store_search *search,
             enum err (*each)(void *context, const struct store_row *row),
             void *context) MUST_CHECK;

/* ---- Conversations ------------------------------------------------------ */

/* store_list_threads - as store_list_page() by arrival, the newest first: of
 * each conversation in the folder its newest message, with the numbers of
 * messages. Filters hold for that message. */
enum err store_list_threads(struct store *store, int64_t user_id,
                            struct store_page *page,
                            enum err (*each)(void *context,
                                             const struct store_row *row),
                            void *context) MUST_CHECK;

/* store_thread - all messages of a conversation in the user's folders but Trash
 * and Junk, the oldest first, at most `limit`. A message that lies in several
 * folders comes once. */
enum err store_thread(struct store *store, int64_t user_id, int64_t thread_id,
                      unsigned limit,
                      enum err (*each)(void *context,
                                       const struct store_row *row),
                      void *context) MUST_CHECK;

/* ---- Contacts ----------------------------------------------------------- */

struct store_contact {
    char name[128];
    char address[USER_ADDRESS_BYTES];
};

/* store_complete - people whose address, or a word of whose name, begins with
 * what was typed; those whom the user has written to most first. */
enum err store_complete(struct store *store, int64_t user_id, const char *typed,
                        unsigned limit,
                        enum err (*each)(void *context,
                                         const struct store_contact *contact),
                        void *context) MUST_CHECK;

#endif
