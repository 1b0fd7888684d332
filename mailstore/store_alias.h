/* Aliases as lists; store.h adds them, userdb/directory.h says what they mean.
 */
#ifndef MAILSTORE_STORE_ALIAS_H
#define MAILSTORE_STORE_ALIAS_H

#include "mailstore/store.h"

/* One target of an alias: a user, or an address elsewhere. */
struct store_alias {
    const char *alias;
    int64_t user_id;     /* 0: */
    const char *address; /* else NULL */
};

/* store_list_aliases - those that lead to a user, and those of his own name;
 * a callback's error ends the listing and is returned. */
enum err store_list_aliases(struct store *store, int64_t user_id,
                            enum err (*each)(void *context,
                                             const struct store_alias *alias),
                            void *context) MUST_CHECK;

/* store_alias_drop (writer) - one target; address: NULL for a user's.
 * ERR_NOT_FOUND. */
enum err store_alias_drop(struct store *store, const char *alias,
                          int64_t user_id, const char *address) MUST_CHECK;

#endif
