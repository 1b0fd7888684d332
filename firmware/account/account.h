/* Accounts: the one way to log in, for SMTP AUTH, POP3 and webmail.
 *
 * A name and a password are checked against the directory by argon2id, which
 * costs tens of milliseconds and is done for one login at a time; a pair that
 * was right before from the same address is recognised without it. Whoever
 * guesses is slowed down, by the network he comes from and by the account that
 * he tries: see account_brake.h. */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "core/err.h"
#include "core/list.h"
#include "core/timer.h"
#include "net/address.h"
#include "store/st.h"
#include "userdb/user.h"
#include <stdbool.h>
#include <stdint.h>

#define ACCOUNT_PASSWORD_BYTES ST_PASSWORD_BYTES

/* account_module_init - takes the memory for what is remembered; after
 * random_module_init(). Returns OK or ERR_MEMORY. */
enum err account_module_init(void) MUST_CHECK;

/* One login. Lies in the asking session and stays until done() or
 * account_cancel(). Cleared before it is filled. */
struct account_login {
    /* In. */
    char name[USER_ADDRESS_BYTES]; /* login name, also with our domain */
    char password[ACCOUNT_PASSWORD_BYTES]; /* wiped when it was looked at */
    struct net_address peer;
    const char *service; /* "pop3", "smtp", "web": for log and last login */
    void (*done)(struct account_login *login);
    void *context;

    /* Out: OK; ERR_REFUSED: wrong name or password, or a disabled user, which
     * of them is not told; ERR_BUSY, ERR_MEMORY: too many logins wait, a
     * temporary failure; ERR_GONE: the store is not there, likewise. */
    enum err result;
    int64_t user_id;

    /* account's own. */
    struct st_request answer;
    struct list link; /* of those that wait */
    struct timer timer;
    uint64_t origin_key, user_key, address_key; /* see account_brake.h */
    bool known; /* the user has logged in from this network before */
    uint8_t state;
};

/* account_login - begins; done() comes from MT later, never from inside this
 * call. That a login was wrong is told a second late, and the more of them come
 * from a network the later. */
void account_login(struct account_login *login);

/* account_cancel - the asker goes away: done() is not called any more and the
 * structure may be reused at once. Also for one that was never begun (all
 * zeros) or is done. */
void account_cancel(struct account_login *login);

/* account_quota_room - whether a message of so many bytes (0: not known yet)
 * has room in the user's quota: OK; ERR_FULL: not now (452 4.2.2); ERR_TOO_BIG:
 * it never will (552 5.2.2). Of a user whose mail was not counted yet, in the
 * first moments after the start, OK. */
enum err account_quota_room(int64_t user_id, uint64_t bytes) MUST_CHECK;

/* account_quota_left - bytes that the user's quota has left now; UINT64_MAX:
 * nothing is known to limit them. */
uint64_t account_quota_left(int64_t user_id);

struct account_figures {
    uint64_t logins;      /* that were right */
    uint64_t remembered;  /* of them, without argon2id */
    uint64_t refused;     /* that were wrong */
    uint64_t turned_away; /* for want of time: temporary failures */
    unsigned waiting;
};
void account_figures(struct account_figures *figures);

#endif
