/* Messages that a user writes: see store_append.h. A sent message is one row of
 * message with its body, whoever gets it and whether a copy stays. */
#include "mailstore/store_append.h"
#include "mailstore/schema.h"
#include "mailstore/store_internal.h"
#include <string.h>

static bool parts_valid(uint32_t chunks, size_t tail_bytes)
{
    return tail_bytes <= STORE_CHUNK_BYTES && chunks < 1u << SCHEMA_CHUNK_BITS;
}

/* The message, which is stored, into one of the user's folders. */
static enum err put_into(struct store *store, int64_t user_id,
                         int64_t mailbox_id, int64_t message_id, uint64_t bytes,
                         uint8_t flags, struct store_key *key)
{
    struct store_new_entry entry = {.mailbox_id = mailbox_id,
                                    .user_id = user_id,
                                    .mail_id = message_id,
                                    .bytes = bytes,
                                    .flags = flags & STORE_FLAGS};
    enum err err =
        store_check_folder(store, user_id, mailbox_id, &entry.uid_next);

    if (!err)
        err = store_put_entry(store, &entry);
    if (!err)
        *key = (struct store_key){mailbox_id, entry.uid};
    return err;
}

static enum err drop_draft(struct store *store, int64_t user_id,
                           const struct store_key *key)
{
    return key->uid ? store_remove(store, user_id, key, 1, NULL) : OK;
}

/* ---- Into a folder ------------------------------------------------------ */

static enum err append(struct store *store, void *context)
{
    struct store_append *append = context;
    struct store_delivery delivery = {.message_id = append->message_id,
                                      .sender = append->sender,
                                      .received_ms = append->received_ms,
                                      .chunks = append->chunks,
                                      .chunk_bytes = append->chunk_bytes,
                                      .tail = append->tail,
                                      .tail_bytes = append->tail_bytes};
    enum err err =
        store_check_folder(store, append->user_id, append->mailbox_id, NULL);

    if (!err)
        err = store_put_message(store, &delivery);
    append->message_id = delivery.message_id;
    if (!err)
        err = put_into(store, append->user_id, append->mailbox_id,
                       append->message_id,
                       append->chunk_bytes + append->tail_bytes, append->flags,
                       &append->key);
    if (!err)
        err = drop_draft(store, append->user_id, &append->replaces);
    return err;
}

enum err store_append(struct store *store, struct store_append *append_it)
{
    if (!parts_valid(append_it->chunks, append_it->tail_bytes))
        return ERR_INVALID;
    return store_atomically(store, append, append_it);
}

/* ---- Sending ------------------------------------------------------------ */

static enum err put_blind(struct store *store, int64_t user_id,
                          int64_t message_id, const char *addresses)
{
    sqlite3_stmt *statement = store_statement(store, SQL_BLIND_PUT);

    if (statement) {
        sqlite3_bind_int64(statement, 1, message_id);
        sqlite3_bind_int64(statement, 2, user_id);
        sqlite3_bind_text(statement, 3, addresses, -1, SQLITE_STATIC);
    }
    return store_run(store, statement);
}

static enum err keep_copy(struct store *store, struct store_sending *sending)
{
    const struct store_delivery *delivery = &sending->delivery;
    int64_t user_id = delivery->submitter, mailbox_id;
    enum err err =
        store_folder_of(store, user_id, STORE_FOLDER_SENT, &mailbox_id);

    if (!err)
        err = put_into(store, user_id, mailbox_id, delivery->message_id,
                       delivery->chunk_bytes + delivery->tail_bytes, STORE_SEEN,
                       &sending->sent);
    if (!err && sending->blind && sending->blind[0])
        err = put_blind(store, user_id, delivery->message_id, sending->blind);
    return err;
}

static enum err send(struct store *store, void *context)
{
    struct store_sending *sending = context;
    int64_t user_id = sending->delivery.submitter;
    enum err err = store_put_message(store, &sending->delivery);

    memset(&sending->sent, 0, sizeof sending->sent);
    if (!err && sending->keep)
        err = keep_copy(store, sending);
    if (!err)
        err = store_put_targets(store, &sending->delivery);
    if (!err)
        err = drop_draft(store, user_id, &sending->draft);
    if (!err && sending->origin.uid)
        err = store_flag(store, user_id, &sending->origin, 1,
                         sending->origin_flags, 0, NULL);
    return err;
}

enum err store_send(struct store *store, struct store_sending *sending)
{
    if (sending->delivery.submitter == 0 ||
        !store_delivery_valid(&sending->delivery))
        return ERR_INVALID;
    return store_atomically(store, send, sending);
}
