/* Messages while they are written.
 *
 * A composition is what somebody writes in one go, over however many saves: it
 * has an id of its own, by which it is known which draft it is now, so that
 * saves which come late, twice or out of order still make one draft, and one
 * that has been sent is not sent again.
 *
 * Files of a draft need not be copied whenever a word of it changes: what has
 * been typed since it was stored is kept beside it, and goes when it goes.
 *
 * Both stand in the table preference: as draft-ID, and typed-MAILID-FIELD. */
#ifndef MAILSTORE_STORE_DRAFT_H
#define MAILSTORE_STORE_DRAFT_H

#include "mailstore/store_mailbox.h"

/* Hexadecimal digits, and NUL. Ids that begin later are greater. */
#define STORE_COMPOSITION_BYTES 25

/* store_composition_id - a new one. id: STORE_COMPOSITION_BYTES.
 * store_composition_valid - whether a text may be one. */
void store_composition_id(int64_t now_ms, uint64_t random, char *id);
bool store_composition_valid(const char *id);

struct store_composition {
    struct store_key draft; /* uid 0: none */
    bool files;             /* the draft holds some */
    bool sent;
};

/* store_composition_get - what is known of it; nothing: all zeros. OK, or an
 * error of the store.
 * store_composition_put (writer) - keeps it; the oldest ones of the user are
 * forgotten. ERR_INVALID: that is no id. */
enum err store_composition_get(struct store *store, int64_t user_id,
                               const char *id,
                               struct store_composition *it) MUST_CHECK;
enum err store_composition_put(struct store *store, int64_t user_id,
                               const char *id,
                               const struct store_composition *it) MUST_CHECK;

/* What can be typed into a draft; KEEP: any text of the caller's that is not
 * empty. */
enum store_typed {
    STORE_TYPED_KEEP,
    STORE_TYPED_FROM,
    STORE_TYPED_TO,
    STORE_TYPED_CC,
    STORE_TYPED_BCC,
    STORE_TYPED_SUBJECT,
    STORE_TYPED_TEXT,
    STORE_TYPED_FIELDS
};

/* store_typed_put (writer) - in the place of what was typed before. Lists show
 * it too. ERR_NOT_FOUND: no draft of this user. */
enum err
store_typed_put(struct store *store, int64_t user_id,
                const struct store_key *draft,
                const char *const fields[STORE_TYPED_FIELDS]) MUST_CHECK;

/* store_typed_get - one field, cut to so many bytes; "" when there is none.
 * KEEP is "" when nothing was typed at all. */
enum err store_typed_get(struct store *store, int64_t user_id,
                         int64_t message_id, enum store_typed field, char *text,
                         size_t bytes) MUST_CHECK;

#endif
