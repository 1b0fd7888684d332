/* Who has sent mail before: so that strangers can be told from friends. */
#ifndef MAILSTORE_STORE_PEER_H
#define MAILSTORE_STORE_PEER_H

#include "mailstore/store.h"

/* At most so many are kept, and for so long after their last message. */
#define STORE_PEERS_MAX    5000
#define STORE_PEER_KEPT_MS (INT64_C(90) * 86400 * 1000)

/* store_peer_find - when a peer has sent last. OK or ERR_NOT_FOUND. */
enum err store_peer_find(struct store *store, const char *peer,
                         int64_t *last_ms) MUST_CHECK;

/* store_peer_note - it has sent a message now (writer). Those that have not
 * been heard of for longest go when there are too many. */
enum err store_peer_note(struct store *store, const char *peer,
                         int64_t now_ms) MUST_CHECK;

#endif
