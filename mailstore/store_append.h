/* Messages that a user writes: kept in his folders, and sent.
 *
 * Their bodies come as those of deliveries do (store.h): long ones in parts by
 * store_put_chunk() under an id of store_reserve_id(), the end with the call
 * that makes a message of it. Whether the user's quota has room is the caller's
 * to ask. All of these are the writer's; each is one step that happens whole or
 * not at all. */
#ifndef MAILSTORE_STORE_APPEND_H
#define MAILSTORE_STORE_APPEND_H

#include "mailstore/store_mailbox.h"

/* A message that goes into one folder and nowhere else. */
struct store_append {
    int64_t user_id;
    int64_t mailbox_id; /* one of his folders */
    uint8_t flags;      /* STORE_SEEN, STORE_DRAFT ... */
    /* The draft that this one takes the place of: it is gone when this one is
     * there. uid 0: none. One that is gone already is no error. */
    struct store_key replaces;
    int64_t message_id; /* from store_reserve_id(), or 0 for a new one */
    int64_t received_ms;
    const char *sender; /* his address */
    uint32_t chunks;    /* body rows already stored by store_put_chunk() */
    uint64_t chunk_bytes;
    const void *tail;
    size_t tail_bytes;    /* at most STORE_CHUNK_BYTES */
    struct store_key key; /* out */
};

/* store_append - Returns OK, ERR_NOT_FOUND (folder), ERR_FULL, ERR_INVALID or
 * an error; after an error the message's parts are still to be discarded. */
enum err store_append(struct store *store,
                      struct store_append *append) MUST_CHECK;

/* A message that is sent: delivered as store_deliver() does it, stored once for
 * its recipients and for the copy in Sent. */
struct store_sending {
    struct store_delivery delivery; /* submitter: the user */
    bool keep;                      /* with a copy in Sent */
    const char *blind; /* for store_blind(): addresses that stand in no field of
                          the message, "" when there are none; only with keep */
    struct store_key draft;  /* goes; uid 0: none */
    struct store_key origin; /* what it answers; uid 0: nothing */
    uint8_t origin_flags;    /* it gets: STORE_ANSWERED or STORE_FORWARDED */
    struct store_key sent;   /* out: the copy */
};

/* store_send - Returns what store_deliver() does. */
enum err store_send(struct store *store,
                    struct store_sending *sending) MUST_CHECK;

#endif
