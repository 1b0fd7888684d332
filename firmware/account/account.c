/* Logins: recognised, or checked one after the other.
 *
 *   account_login --> remembered? ------------------> answered
 *                     waiting --> checking --> right > answered, and all who
 *                                                      wait with the same
 *                                          --> wrong > held back > answered
 *
 * One login at a time is with the password worker; the others wait here, so
 * that it is decided at the last moment who is next: of those whose brakes
 * allow it, one from the network with the fewest wrong attempts, of these the
 * one that waits longest. Who floods the queue from one network competes with
 * himself. A cancelled login leaves the queue; one that is being checked is
 * checked to its end and counts.
 *
 * Invariant: state.checking, if not NULL, is the login that state.work is
 * for. */
#include "account/account.h"
#include "account/account_brake.h"
#include "account/account_recall.h"
#include "core/bytes.h"
#include "core/check.h"
#include "core/log.h"
#include "store/st_user.h"
#include "userdb/directory.h"
#include <string.h>

#define WAITING_MAX 512
/* That many from a network that is being slowed down. */
#define WAITING_SUSPECT 8
#define SUSPECT_SCORE   4
#define WAITING_MS      60000
#define REFUSAL_MS      1000

/* Somebody to compare with when there is no such user, so that the answer takes
 * as long; made from random bytes, no password fits. */
static const char nobody[] =
    "$argon2id$v=19$m=7168,t=5,p=1$Vf2GmBb1yhJ0Wc8nqXk3Hw"
    "$2yqkYl3XbH4rU0dKQf9cN7o1ZtEw5sPaVmJxR8iTgCA";

enum login_state {
    LOGIN_NONE, /* not begun, or done */
    LOGIN_WAITING,
    LOGIN_CHECKING,
    LOGIN_HELD,    /* wrong: the answer is held back */
    LOGIN_ANSWERED /* done() comes in this turn */
};

static struct {
    struct list waiting; /* account_login.link */
    struct timer wake;   /* when the next one may be checked */
    struct st_password work;
    bool busy;                      /* work is under way */
    struct account_login *checking; /* NULL: it was cancelled */
    int64_t user_id;                /* of the one being checked, 0: nobody */
    struct net_address peer;
    uint64_t origin_key, user_key, address_key;
    bool known;
    struct account_figures figures;
} state;

static void start_next(void);

/* ---- Answers ------------------------------------------------------------- */

static void on_answer(struct st_request *request)
{
    struct account_login *login = request->context;

    login->state = LOGIN_NONE;
    login->result = request->result;
    login->done(login);
}

static void answer(struct account_login *login, enum err result)
{
    char peer[NET_ADDRESS_TEXT];

    timer_stop(&login->timer);
    bytes_wipe(login->password, sizeof(login->password));
    if (result != OK)
        login->user_id = 0;
    if (result == OK) {
        state.figures.logins++;
        st_user_login(login->user_id, net_address_format(&login->peer, peer),
                      login->service);
    } else if (result == ERR_REFUSED) {
        state.figures.refused++;
    } else {
        state.figures.turned_away++;
    }
    login->state = LOGIN_ANSWERED;
    login->answer.done = on_answer;
    login->answer.context = login;
    st_defer(&login->answer, result);
}

static void stop_waiting(struct account_login *login)
{
    list_remove(&login->link);
    state.figures.waiting--;
}

/* A waiting login has waited for too long, or a held one long enough. */
static void on_timer(struct timer *timer)
{
    struct account_login *login =
        LIST_ELEMENT(timer, struct account_login, timer);

    if (login->state == LOGIN_HELD) {
        answer(login, ERR_REFUSED);
        return;
    }
    stop_waiting(login);
    answer(login, ERR_BUSY);
}

/* ---- Checking ------------------------------------------------------------ */

/* Others who wait with what has just turned out to be right need no check of
 * their own: a hundred sessions of one user, after a power cut, cost one. */
static void accept_waiting(const struct user *user)
{
    struct list *node = state.waiting.next;

    while (node != &state.waiting) {
        struct account_login *login =
            LIST_ELEMENT(node, struct account_login, link);
        struct recall_tag pair;

        node = node->next;
        if (directory_find_user(login->name, strlen(login->name)) != user)
            continue;
        pair = recall_pair(user, login->password, &login->peer);
        if (!recall_has(&pair))
            continue;
        stop_waiting(login);
        brake_lower(BRAKE_ADDRESS, login->address_key);
        state.figures.remembered++;
        login->user_id = user->id;
        answer(login, OK);
    }
}

static void accept(const struct user *user)
{
    struct account_login *login = state.checking;
    struct recall_tag home = recall_home(user->id, brake_network(&state.peer));
    struct recall_tag pair =
        recall_pair(user, state.work.password, &state.peer);

    brake_lower(BRAKE_ADDRESS, state.address_key);
    recall_keep(&pair);
    recall_keep(&home);
    accept_waiting(user);
    if (login == NULL)
        return;
    login->user_id = user->id;
    answer(login, OK);
}

static void refuse(void)
{
    const struct user *user = directory_user_by_id(state.user_id);
    struct account_login *login = state.checking;
    char peer[NET_ADDRESS_TEXT];

    brake_raise(state.known ? BRAKE_HOST : BRAKE_NETWORK, state.origin_key);
    brake_raise(state.known ? BRAKE_HOME : BRAKE_ACCOUNT, state.user_key);
    log_info("account", "login refused user=%s client=%s score=%u",
             user != NULL ? user->name : "-",
             net_address_format(&state.peer, peer),
             brake_score(BRAKE_NETWORK, state.origin_key));
    if (login == NULL)
        return;
    bytes_wipe(login->password, sizeof(login->password));
    login->state = LOGIN_HELD;
    timer_start(&login->timer, REFUSAL_MS);
}

/* Not looked at: nobody's fault. */
static void give_back(enum err result)
{
    const struct user *user = directory_user_by_id(state.user_id);

    brake_lower(BRAKE_ADDRESS, state.address_key);
    if (result == ERR_MEMORY && user != NULL)
        log_warn("account",
                 "this PC has too little memory for the password hash of "
                 "user=%s: give it a new password",
                 user->name);
    if (state.checking != NULL)
        answer(state.checking, result);
}

static void on_checked(struct st_request *request)
{
    const struct user *user = directory_user_by_id(state.user_id);
    enum err result = request->result;

    /* Disabled, or given another password meanwhile, is as good as wrong. */
    if (result == OK && (user == NULL || !user->enabled ||
                         strcmp(user->hash, state.work.hash) != 0))
        result = ERR_REFUSED;
    /* A hash that a workstation has spoilt fits no password. */
    if (result == ERR_INVALID)
        result = ERR_REFUSED;
    if (result == OK)
        accept(user);
    else if (result == ERR_REFUSED)
        refuse();
    else
        give_back(result);
    bytes_wipe(state.work.password, sizeof(state.work.password));
    state.checking = NULL;
    state.busy = false;
    start_next();
}

static void check(struct account_login *login)
{
    struct st_password *work = &state.work;
    const struct user *user =
        directory_find_user(login->name, strlen(login->name));

    stop_waiting(login);
    timer_stop(&login->timer);
    login->state = LOGIN_CHECKING;
    state.checking = login;
    state.busy = true;
    state.user_id = user != NULL ? user->id : 0;
    state.peer = login->peer;
    state.origin_key = login->origin_key;
    state.known = login->known;
    state.user_key = login->user_key;
    state.address_key = login->address_key;
    memset(work, 0, sizeof(*work));
    memcpy(work->password, login->password, sizeof(work->password));
    memcpy(work->hash, user != NULL ? user->hash : nobody,
           strlen(user != NULL ? user->hash : nobody));
    work->request.done = on_checked;
    st_password_verify(work);
}

/* ---- Who is next --------------------------------------------------------- */

static unsigned origin_score(const struct account_login *login)
{
    return brake_score(login->known ? BRAKE_HOST : BRAKE_NETWORK,
                       login->origin_key);
}

static uint64_t ready_at(const struct account_login *login)
{
    uint64_t origin = brake_until(login->origin_key);
    uint64_t account = brake_until(login->user_key);

    return origin > account ? origin : account;
}

/* NULL: none may begin yet; *wait_ms: how long not. */
static struct account_login *choose(uint64_t *wait_ms)
{
    struct account_login *best = NULL;
    unsigned best_score = 0;
    uint64_t now = timer_now_ms();
    struct list *node;

    *wait_ms = UINT64_MAX;
    for (node = state.waiting.next; node != &state.waiting; node = node->next) {
        struct account_login *login =
            LIST_ELEMENT(node, struct account_login, link);
        uint64_t at = ready_at(login);
        unsigned score;

        if (at > now) {
            if (at - now < *wait_ms)
                *wait_ms = at - now;
            continue;
        }
        score = origin_score(login);
        if (best == NULL || score < best_score) {
            best = login;
            best_score = score;
        }
    }
    return best;
}

static void start_next(void)
{
    struct account_login *login;
    uint64_t wait_ms;

    if (state.busy)
        return;
    timer_stop(&state.wake);
    login = choose(&wait_ms);
    if (login != NULL)
        check(login);
    else if (wait_ms != UINT64_MAX)
        timer_start(&state.wake, wait_ms);
}

static void on_wake(struct timer *timer)
{
    (void)timer;
    start_next();
}

/* ---- Waiting ------------------------------------------------------------- */

static unsigned waiting_from(uint64_t origin_key)
{
    unsigned count = 0;
    struct list *node;

    for (node = state.waiting.next; node != &state.waiting; node = node->next)
        count += LIST_ELEMENT(node, struct account_login, link)->origin_key ==
                 origin_key;
    return count;
}

/* The queue is full: the one from the worst network gives way to a better one.
 * Returns false when there is no worse one. */
static bool make_room(unsigned score)
{
    struct account_login *worst = NULL;
    struct list *node;

    for (node = state.waiting.next; node != &state.waiting; node = node->next) {
        struct account_login *login =
            LIST_ELEMENT(node, struct account_login, link);
        unsigned its = origin_score(login);

        if (its > score) {
            worst = login;
            score = its;
        }
    }
    if (worst == NULL)
        return false;
    stop_waiting(worst);
    answer(worst, ERR_BUSY);
    return true;
}

static bool may_wait(const struct account_login *login)
{
    unsigned score = origin_score(login);

    if (score >= SUSPECT_SCORE &&
        waiting_from(login->origin_key) >= WAITING_SUSPECT)
        return false;
    return state.figures.waiting < WAITING_MAX || make_room(score);
}

/* Whether the pair is remembered. One that is not counts as wrong for its
 * address until it turns out to be right. */
static bool recognise(struct account_login *login, const struct user *user)
{
    struct recall_tag pair = recall_pair(user, login->password, &login->peer);

    if (recall_has(&pair) && user->enabled && brake_open(login->address_key))
        return true;
    brake_raise(BRAKE_ADDRESS, login->address_key);
    return false;
}

static void find_brakes(struct account_login *login, const struct user *user)
{
    const char *name = user != NULL ? user->name : login->name;
    uint64_t network = brake_network(&login->peer);

    login->known = false;
    if (user != NULL) {
        struct recall_tag home = recall_home(user->id, network);

        login->known = recall_has(&home);
    }
    login->origin_key = login->known ? brake_host(&login->peer) : network;
    login->user_key = login->known ? brake_home(user->id, network)
                                   : brake_name(name, strlen(name));
}

void account_login(struct account_login *login)
{
    size_t len = strnlen(login->name, sizeof(login->name) - 1);
    const struct user *user = directory_find_user(login->name, len);

    login->name[len] = '\0';
    login->password[sizeof(login->password) - 1] = '\0';
    login->user_id = 0;
    list_init(&login->link);
    list_init(&login->answer.link);
    timer_init(&login->timer, on_timer);
    login->address_key = brake_address(&login->peer);
    if (st_state() != ST_READY) {
        answer(login, ERR_GONE);
        return;
    }
    if (recognise(login, user)) {
        state.figures.remembered++;
        login->user_id = user->id;
        answer(login, OK);
        return;
    }
    find_brakes(login, user);
    if (!may_wait(login)) {
        answer(login, ERR_BUSY);
        return;
    }
    login->state = LOGIN_WAITING;
    state.figures.waiting++;
    list_append(&state.waiting, &login->link);
    timer_start(&login->timer, WAITING_MS);
    start_next();
}

void account_cancel(struct account_login *login)
{
    switch ((enum login_state)login->state) {
    case LOGIN_NONE:
        break;
    case LOGIN_WAITING:
        stop_waiting(login);
        timer_stop(&login->timer);
        break;
    case LOGIN_CHECKING:
        ASSERT(state.checking == login);
        state.checking = NULL;
        break;
    case LOGIN_HELD:
        timer_stop(&login->timer);
        break;
    case LOGIN_ANSWERED:
        list_remove(&login->answer.link);
        break;
    }
    login->state = LOGIN_NONE;
    bytes_wipe(login->password, sizeof(login->password));
}

uint64_t account_quota_left(int64_t user_id)
{
    const struct user *user = directory_user_by_id(user_id);
    struct st_user figures;

    if (user == NULL || user->quota_bytes == 0 || !st_user(user_id, &figures) ||
        !figures.counted)
        return UINT64_MAX;
    return figures.used_bytes < user->quota_bytes
               ? user->quota_bytes - figures.used_bytes
               : 0;
}

enum err account_quota_room(int64_t user_id, uint64_t bytes)
{
    const struct user *user = directory_user_by_id(user_id);

    if (user == NULL || user->quota_bytes == 0)
        return OK;
    if (bytes > user->quota_bytes)
        return ERR_TOO_BIG;
    return account_quota_left(user_id) >= (bytes > 0 ? bytes : 1) ? OK
                                                                  : ERR_FULL;
}

void account_figures(struct account_figures *figures)
{
    *figures = state.figures;
}

enum err account_module_init(void)
{
    enum err err;

    memset(&state, 0, sizeof(state));
    list_init(&state.waiting);
    timer_init(&state.wake, on_wake);
    err = brake_module_init();
    return err ? err : recall_module_init();
}
