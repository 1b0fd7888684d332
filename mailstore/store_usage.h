/* What users take up of the store, and when they logged in last. */
#ifndef MAILSTORE_STORE_USAGE_H
#define MAILSTORE_STORE_USAGE_H

#include "mailstore/store.h"

/* store_watch_usage - from now on `changed` is called whenever the writer puts
 * a message into a user's mailboxes or takes one out, before that is durable;
 * with the opposite sign when the transaction is undone. */
void store_watch_usage(struct store *store,
                       void (*changed)(int64_t user_id, int64_t bytes));

/* store_usage_open - whether the writer's open transaction has changed what
 * this user takes up. */
bool store_usage_open(const struct store *store, int64_t user_id);

/* store_usage - bytes of all messages in the user's mailboxes. */
enum err store_usage(struct store *store, int64_t user_id,
                     uint64_t *bytes) MUST_CHECK;

struct store_login {
    int64_t user_id;
    int64_t time_ms;  /* Unix time */
    char address[46]; /* of the client */
    char service[8];  /* "pop3", "smtp", "web" */
};

/* store_login_put - the user's last login (writer); one that is not there any
 * more is no error. store_list_logins - all of them, in order of the users'
 * names; a callback's error ends the listing and is returned. */
enum err store_login_put(struct store *store,
                         const struct store_login *login) MUST_CHECK;
enum err store_list_logins(struct store *store,
                           enum err (*each)(void *context, const char *user,
                                            const struct store_login *login),
                           void *context) MUST_CHECK;

#endif
