/* The users of users.csv on their way into the store. */
#ifndef MKUSB_USERS_H
#define MKUSB_USERS_H

#include "core/err.h"
#include "mailstore/store.h"
#include "userdb/user.h"
#include <stddef.h>

struct user_list {
    struct csv_user *entry;
    size_t count, room;
};

/* users_load - reads and checks the whole file; no name or alias twice, at
 * least one user. users_free wipes the passwords.
 * Returns OK, or ERR_REFUSED after having said file, line and reason. */
enum err users_load(const char *path, struct user_list *list) MUST_CHECK;
void users_free(struct user_list *list);

/* users_hash - turns every plain password into its argon2id hash. */
enum err users_hash(struct user_list *list) MUST_CHECK;

/* users_store - adds users and aliases in one transaction. */
enum err users_store(struct store *store,
                     const struct user_list *list) MUST_CHECK;

#endif
