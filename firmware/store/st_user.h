/* What is known of each user in memory beside the directory: how many bytes his
 * messages have, and his last login.
 *
 * The bytes are counted in the background, user by user, after the store was
 * opened, and then kept equal to the store by every delivery and removal. Last
 * logins go onto the stick with the transactions that are made anyway, at most
 * once a minute a user; only what waits for ten minutes gets one of its own, so
 * that clients that poll cost no flush. */
#ifndef STORE_ST_USER_H
#define STORE_ST_USER_H

#include "mailstore/store_usage.h"
#include "store/st.h"
#include <stdbool.h>
#include <stdint.h>

struct st_user {
    int64_t user_id;
    bool counted; /* used_bytes is known */
    uint64_t used_bytes;
    struct store_login login; /* time_ms 0: never */
};

/* st_user - what is known; false when that is nothing. */
bool st_user(int64_t user_id, struct st_user *user);

/* st_user_login - somebody has logged in just now. address: as text. service:
 * at most 7 characters. */
void st_user_login(int64_t user_id, const char *address, const char *service);

/* st_directory_changed - in the writer: users or aliases have changed, so the
 * directory is read anew with this commit, before the request is answered;
 * ERR_MEMORY is its answer when there is no room for them all. */
void st_directory_changed(void);

struct st_user_put {
    struct st_request request; /* ERR_EXISTS: the name is another's;
                                  ERR_NOT_FOUND, ERR_INVALID, ERR_FULL */
    struct user user;          /* id 0: a new one, which gets its id */
    uint8_t fields; /* STORE_USER_...: what is changed of one that is there */
    void (*done)(struct st_user_put *put); /* instead of the request's */
    void *context;
    bool added; /* st_user.c's own */
};

/* st_user_put - adds a user, resp. changes everything but the name of one. The
 * directory has it when done() is called. */
void st_user_put(struct st_user_put *put);

#endif
