/* What the administrator does to accounts: add a user, change one. */
#ifndef ACCOUNT_ACCOUNT_CHANGE_H
#define ACCOUNT_ACCOUNT_CHANGE_H

#include "account/account.h"
#include "store/st_user.h"

struct account_change {
    /* In. */
    struct user user; /* id 0: a new one. hash: for a new password it is made */
    char password[ACCOUNT_PASSWORD_BYTES]; /* "": as it is; wiped */
    /* Of a user who is there, STORE_USER_...: what is changed beside the
     * password. All else may have been changed by others meanwhile. */
    uint8_t fields;
    void (*done)(struct account_change *change);
    void *context;
    /* Out: OK; ERR_EXISTS: the name is another user's; ERR_INVALID: the name is
     * none, or a new user has no password; ERR_NOT_FOUND; ERR_GONE; ERR_FULL.
     */
    enum err result;

    /* account's own. */
    struct st_password work;
    struct st_user_put put;
};

/* account_change - hashes the password if there is a new one, puts the user
 * into the store, and has the directory know it. done() comes from MT later. A
 * login that was remembered with an old password is not any more. */
void account_change(struct account_change *change);

#endif
