/* What is remembered of right logins, so that a client that polls every minute
 * costs no argon2id, and so that an owner is told from strangers.
 *
 * Nothing of a password is kept, but a hash of it that is keyed with chance of
 * this start and bound to the user, the stored argon2id hash and the client's
 * address: it is worth nothing after the next start, after a password was
 * changed, or for another client. Entries that nobody used for a day are
 * forgotten. */
#ifndef ACCOUNT_ACCOUNT_RECALL_H
#define ACCOUNT_ACCOUNT_RECALL_H

#include "core/err.h"
#include "net/address.h"
#include "userdb/user.h"
#include <stdbool.h>
#include <stdint.h>

struct recall_tag {
    uint64_t words[2];
};

enum err recall_module_init(void) MUST_CHECK;

/* recall_pair - the tag of a user and a password at an address; takes as long
 * for user NULL (there is no such user), which nothing fits. */
struct recall_tag recall_pair(const struct user *user, const char *password,
                              const struct net_address *peer);

/* recall_home - the tag of a user in a network. */
struct recall_tag recall_home(int64_t user_id, uint64_t network_key);

/* recall_has - whether it is remembered, which keeps it for another day.
 * recall_keep - remembers it; the one that was not used for longest may go. */
bool recall_has(const struct recall_tag *tag);
void recall_keep(const struct recall_tag *tag);

#endif
