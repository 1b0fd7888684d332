/* Logins against a fake store: what is remembered, who has to wait, who is not
 * locked out, and that nothing of it can be got round by hanging up. */
#include "account/account.h"
#include "account/account_brake.h"
#include "account/account_change.h"
#include "account/account_recall.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/timer.h"
#include "store/st_user.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include "userdb/directory.h"
#include <stdlib.h>
#include <string.h>

/* ---- A store whose hashes are the passwords themselves ---------------------
 */

static struct {
    enum st_state state;
    struct list queue, done;
    unsigned verified; /* argon2id computations so far */
    uint64_t check_ms; /* that each of them takes */
    enum err failure;
} fake;

enum st_state st_state(void)
{
    return fake.state;
}

void st_defer(struct st_request *request, enum err result)
{
    request->result = result;
    list_append(&fake.done, &request->link);
}

static struct st_user known;
static unsigned logins_noted;

bool st_user(int64_t user_id, struct st_user *user)
{
    *user = known;
    return known.user_id == user_id;
}

void st_user_login(int64_t user_id, const char *address, const char *service)
{
    CHECK(user_id != 0 && strchr(address, '.') != NULL);
    CHECK(strcmp(service, "test") == 0);
    logins_noted++;
}

void st_password_verify(struct st_password *password)
{
    list_init(&password->request.link);
    list_append(&fake.queue, &password->request.link);
}

void st_password_make(struct st_password *password)
{
    memcpy(password->hash, "hashed", 7);
    st_defer(&password->request, OK);
}

static struct st_user_put stored;

void st_user_put(struct st_user_put *put)
{
    stored = *put;
    put->request.result = OK;
    put->done(put);
}

/* A turn of the loop; with a password to be checked it takes its time. */
static void turn(void)
{
    struct list *node = list_take_first(&fake.queue);
    struct list now;

    if (node != NULL) {
        struct st_password *password =
            (struct st_password *)LIST_ELEMENT(node, struct st_request, link);

        fake.verified++;
        fake_machine.now_ns += fake.check_ms * 1000000;
        st_defer(&password->request,
                 fake.failure ? fake.failure
                 : strcmp(password->hash, password->password) == 0
                     ? OK
                     : ERR_REFUSED);
    }
    (void)timer_run();
    list_init(&now);
    while ((node = list_take_first(&fake.done)) != NULL)
        list_append(&now, node);
    while ((node = list_take_first(&now)) != NULL) {
        struct st_request *request =
            LIST_ELEMENT(node, struct st_request, link);

        request->done(request);
    }
}

static void pass_ms(uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms < 50 ? ms : 50;

        fake_machine.now_ns += step * 1000000;
        ms -= step;
        turn();
        turn();
    }
}

static uint8_t memory[64 * 1024];

static struct {
    uint64_t bytes[64 * 1024];
    size_t used;
} pool;

void *memory_take(const char *owner, size_t bytes, size_t alignment)
{
    void *taken = (uint8_t *)pool.bytes + pool.used;

    (void)owner;
    (void)alignment;
    pool.used += bytes;
    return pool.used <= sizeof(pool.bytes) ? taken : NULL;
}

static void add_users(void)
{
    static const char *const names[] = {"anna", "bert", "carl"};
    unsigned i;

    directory_init(memory, sizeof(memory));
    (void)!directory_add_domain("example.org");
    for (i = 0; i < 3; i++) {
        struct user user = {.id = 1 + i, .enabled = i != 2};

        strcpy(user.name, names[i]);
        strcpy(user.hash, "right");
        CHECK(directory_add_user(&user) == OK);
    }
}

static void reset(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.state = ST_READY;
    fake.check_ms = 20;
    list_init(&fake.queue);
    list_init(&fake.done);
    timer_module_init();
    (void)timer_run();
    add_users();
    pool.used = 0;
    CHECK(account_module_init() == OK);
}

/* ---- Logins ----------------------------------------------------------------
 */

struct attempt {
    struct account_login login;
    unsigned answers;
    uint64_t begun_ms, took_ms;
};

static void on_done(struct account_login *login)
{
    struct attempt *attempt = login->context;

    attempt->answers++;
    attempt->took_ms = timer_now_ms() - attempt->begun_ms;
    CHECK(login->password[0] == '\0');
}

static void begin(struct attempt *attempt, const char *name,
                  const char *password, uint32_t peer)
{
    memset(attempt, 0, sizeof(*attempt));
    strcpy(attempt->login.name, name);
    strcpy(attempt->login.password, password);
    attempt->login.peer = net_address_v4(peer);
    attempt->login.service = "test";
    attempt->login.done = on_done;
    attempt->login.context = attempt;
    (void)timer_run();
    attempt->begun_ms = timer_now_ms();
    account_login(&attempt->login);
    CHECK(attempt->answers == 0); /* never from inside */
}

/* Until it is answered: ms later at most. */
static void finish(struct attempt *attempt, uint64_t ms)
{
    turn();
    while (attempt->answers == 0 && ms > 0) {
        uint64_t step = ms < 10 ? ms : 10;

        pass_ms(step);
        ms -= step;
    }
}

static enum err log_in(const char *name, const char *password, uint32_t peer,
                       uint64_t *took_ms)
{
    struct attempt attempt;

    begin(&attempt, name, password, peer);
    finish(&attempt, 120000);
    CHECK(attempt.answers == 1);
    CHECK((attempt.login.result == OK) == (attempt.login.user_id != 0));
    *took_ms = attempt.took_ms;
    return attempt.login.result;
}

#define HOME 0xc0000207 /* 192.0.2.7 */
#define EVIL 0xcb007105 /* 203.0.113.5 */

/* Many sessions of one user at once, as after a power cut: one check for all of
 * them, none for who waits with another password or from elsewhere. */
static void test_one_check_for_many(void)
{
    static struct attempt attempts[20], wrong, elsewhere, bert;
    unsigned i;

    reset();
    for (i = 0; i < 20; i++)
        begin(&attempts[i], "anna", "right", HOME);
    begin(&wrong, "anna", "wrong", HOME);
    begin(&elsewhere, "anna", "right", EVIL);
    begin(&bert, "bert", "right", HOME);
    turn();
    turn();
    for (i = 0; i < 20; i++) {
        CHECK(attempts[i].answers == 1);
        CHECK(attempts[i].login.result == OK);
        CHECK(attempts[i].login.user_id == 1);
    }
    CHECK(wrong.answers == 0 && elsewhere.answers == 0 && bert.answers == 0);
    finish(&wrong, 60000);
    finish(&elsewhere, 60000);
    finish(&bert, 60000);
    CHECK(wrong.login.result == ERR_REFUSED);
    CHECK(elsewhere.login.result == OK && bert.login.result == OK);
    CHECK(fake.verified == 4);
}

static void test_remembered(void)
{
    uint64_t took;
    unsigned i;

    reset();
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    CHECK(fake.verified == 1);
    for (i = 0; i < 100; i++) {
        CHECK(log_in("Anna@example.org", "right", HOME, &took) == OK);
        CHECK(took == 0);
        pass_ms(1000);
    }
    CHECK(fake.verified == 1);
    /* Another address, another user, another password: no. */
    CHECK(log_in("anna", "right", HOME + 1, &took) == OK);
    CHECK(fake.verified == 2);
    CHECK(log_in("bert", "right", HOME, &took) == OK);
    CHECK(fake.verified == 3);
    CHECK(log_in("anna", "wrong", HOME, &took) == ERR_REFUSED);
    CHECK(fake.verified == 4 && took >= 1000);
    CHECK(log_in("anna", "right", HOME, &took) == OK && took == 0);
    /* A day without a login. */
    pass_ms(24 * 3600 * 1000 + 100);
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    CHECK(fake.verified == 5);
}

/* As after a change: a directory that holds it takes the place of this one. */
static void change_user(const struct user *changed)
{
    static uint8_t memories[2][sizeof(memory)];
    static unsigned used;
    const struct user *user;

    used = 1 - used;
    directory_stage(memories[used], sizeof(memories[used]));
    (void)!directory_add_domain("example.org");
    for (size_t i = 0; (user = directory_user_at(i)) != NULL; i++)
        CHECK(directory_add_user(user->id == changed->id ? changed : user) ==
              OK);
    directory_publish(true);
}

static void test_changes(void)
{
    struct user user = *directory_user_by_id(1);
    uint64_t took;

    reset();
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    strcpy(user.hash, "new");
    change_user(&user);
    CHECK(log_in("anna", "right", HOME, &took) == ERR_REFUSED);
    CHECK(log_in("anna", "new", HOME, &took) == OK);
    CHECK(fake.verified == 3);
    user.enabled = false;
    change_user(&user);
    CHECK(log_in("anna", "new", HOME, &took) == ERR_REFUSED && took >= 1000);
    user.enabled = true;
    change_user(&user);
    CHECK(log_in("anna", "new", HOME, &took) == OK && took == 0);
    CHECK(log_in("carl", "right", HOME, &took) == ERR_REFUSED);
    CHECK(log_in("nobody", "right", HOME, &took) == ERR_REFUSED);
    CHECK(log_in("", "", HOME, &took) == ERR_REFUSED);
}

/* The user is changed while the password is being checked. */
static void test_change_meanwhile(void)
{
    struct user user;
    struct attempt attempt;

    reset();
    user = *directory_user_by_id(1);
    begin(&attempt, "anna", "right", HOME);
    user.enabled = false;
    change_user(&user);
    finish(&attempt, 5000);
    CHECK(attempt.login.result == ERR_REFUSED);
    user.enabled = true;
    change_user(&user);
    begin(&attempt, "anna", "right", HOME);
    directory_init(memory, sizeof(memory));
    finish(&attempt, 5000);
    CHECK(attempt.login.result == ERR_REFUSED);
}

/* Wrong ones and unknown names take as long as each other. */
static void test_same_time(void)
{
    uint64_t wrong, unknown, disabled;
    unsigned i;

    reset();
    for (i = 0; i < 3; i++) {
        CHECK(log_in("anna", "x", EVIL + 256 * i, &wrong) == ERR_REFUSED);
        CHECK(log_in("zoe", "x", EVIL + 256 * i + 65536, &unknown) ==
              ERR_REFUSED);
        CHECK(log_in("carl", "right", EVIL + 256 * i + 131072, &disabled) ==
              ERR_REFUSED);
        CHECK(wrong == unknown && wrong == disabled);
    }
    CHECK(fake.verified == 9);
}

static void test_network_brake(void)
{
    uint64_t took, last = 0;
    unsigned i, before;

    reset();
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    for (i = 0; i < 12; i++) {
        CHECK(log_in("anna", "guess", EVIL + i, &took) == ERR_REFUSED);
        if (i < 4)
            CHECK(took < 1200);
        CHECK(took + 1000 >= last);
        last = took;
    }
    CHECK(last > 20000 && last < 33000);
    /* The owner, at home and elsewhere, does not notice. */
    CHECK(log_in("anna", "right", HOME, &took) == OK && took == 0);
    CHECK(log_in("anna", "right", HOME + 1, &took) == OK && took < 200);
    CHECK(log_in("bert", "right", 0x0a000001, &took) == OK && took < 200);
    /* Even from the guesser's network he gets in, later. */
    before = fake.verified;
    CHECK(log_in("bert", "right", EVIL + 77, &took) == OK && took < 33000);
    CHECK(fake.verified == before + 1);
    /* It all passes. */
    pass_ms(3 * 3600 * 1000);
    CHECK(log_in("anna", "guess", EVIL, &took) == ERR_REFUSED && took < 1200);
}

/* Hanging up before the answer does not make guessing any faster. */
static void test_hanging_up(void)
{
    uint64_t took;
    unsigned i;

    reset();
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    fake.verified = 0;
    for (i = 0; i < 1000; i++) {
        struct attempt attempt;

        begin(&attempt, "anna", "guess", EVIL + i % 200);
        pass_ms(100);
        account_cancel(&attempt.login);
        CHECK(attempt.answers == 0);
    }
    /* 100 seconds: the free ones and a few. */
    CHECK(fake.verified < 15);
    /* Also not with the owner's own address, where right ones are recognised:
     * after a while they are not, and have to wait like the others. */
    for (i = 0; i < 100; i++) {
        struct attempt attempt;

        begin(&attempt, "anna", "guess", HOME);
        turn();
        account_cancel(&attempt.login);
    }
    CHECK(log_in("anna", "right", HOME, &took) == OK && took > 0);
    pass_ms(1800 * 1000);
    CHECK(log_in("anna", "right", HOME, &took) == OK && took == 0);
}

/* Another computer in the owner's network guesses his password: it is slowed
 * down, and his own new one next to it gets in. */
static void test_next_to_the_owner(void)
{
    static struct attempt attempts[60];
    struct attempt fresh;
    unsigned i, busy = 0;
    uint64_t took;

    reset();
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    for (i = 0; i < 8; i++)
        CHECK(log_in("anna", "guess", HOME + 9, &took) == ERR_REFUSED);
    CHECK(took > 3500);
    for (i = 0; i < 60; i++)
        begin(&attempts[i], "anna", "guess", HOME + 9);
    begin(&fresh, "anna", "right", HOME + 10);
    finish(&fresh, 5000);
    CHECK(fresh.answers == 1 && fresh.login.result == OK);
    pass_ms(120000);
    for (i = 0; i < 60; i++)
        busy += attempts[i].login.result == ERR_BUSY;
    CHECK(busy >= 50);
    /* With an address for each guess the account brakes, but not for long. */
    for (i = 0; i < 150; i++)
        CHECK(log_in("anna", "guess", HOME + 20 + i, &took) == ERR_REFUSED);
    CHECK(took > 3000 && took < 7000);
    CHECK(log_in("anna", "right", HOME + 12, &took) == OK && took < 7000);
    CHECK(log_in("anna", "right", HOME, &took) == OK && took == 0);
}

/* Many networks against one account: strangers wait, who is known does not. */
static void test_account_brake(void)
{
    uint64_t took;
    unsigned i;

    reset();
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    for (i = 0; i < 60; i++)
        CHECK(log_in("anna", "guess", 0x0b000000 + i * 256, &took) ==
              ERR_REFUSED);
    CHECK(took > 4000 && took < 7000);
    CHECK(log_in("anna", "right", HOME + 3, &took) == OK && took < 200);
    CHECK(log_in("bert", "right", HOME + 3, &took) == OK && took < 200);
    CHECK(log_in("anna", "right", 0x0c000001, &took) == OK && took < 7000);
    for (i = 0; i < 60; i++)
        CHECK(log_in("nosuch", "guess", 0x0d000000 + i * 256, &took) ==
              ERR_REFUSED);
    CHECK(took > 4000 && took < 7000);
}

#define FLOOD 600

/* A flood from many networks: the queue is bounded, remembered clients do not
 * notice, and one from a network without wrong ones comes before the flood. */
static void test_flood(void)
{
    static struct attempt attempts[FLOOD];
    struct account_figures figures;
    struct attempt fresh;
    unsigned i, busy = 0, refused = 0, verified;
    uint64_t took;

    reset();
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    for (i = 0; i < FLOOD; i++) {
        brake_raise(BRAKE_NETWORK, brake_network(&(struct net_address){
                                       .bytes = {[10] = 0xff,
                                                 [11] = 0xff,
                                                 [12] = 0x0b,
                                                 [13] = (uint8_t)(i >> 8),
                                                 [14] = (uint8_t)i}}));
        begin(&attempts[i], "bert", "guess", 0x0b000000 + i * 256);
    }
    account_figures(&figures);
    CHECK(figures.waiting <= 512);
    CHECK(log_in("anna", "right", HOME, &took) == OK && took < 100);
    verified = fake.verified;
    begin(&fresh, "bert", "right", 0x0a010203);
    finish(&fresh, 10000);
    CHECK(fresh.login.result == OK);
    /* A few whose score has given way in the table may come before. */
    CHECK(fake.verified <= verified + 12);
    pass_ms(120000);
    for (i = 0; i < FLOOD; i++) {
        CHECK(attempts[i].answers == 1);
        busy += attempts[i].login.result == ERR_BUSY;
        refused += attempts[i].login.result == ERR_REFUSED;
    }
    CHECK(busy + refused == FLOOD && busy >= FLOOD - 512 && refused > 5);
    account_figures(&figures);
    CHECK(figures.waiting == 0);
}

/* From one network only a few may wait once it is suspect. */
static void test_suspect(void)
{
    static struct attempt attempts[40];
    unsigned i, busy = 0;
    uint64_t took;

    reset();
    for (i = 0; i < 5; i++)
        CHECK(log_in("anna", "guess", EVIL + i, &took) == ERR_REFUSED);
    for (i = 0; i < 40; i++)
        begin(&attempts[i], "bert", "guess", EVIL + i);
    turn();
    for (i = 0; i < 40; i++)
        busy +=
            attempts[i].answers == 1 && attempts[i].login.result == ERR_BUSY;
    CHECK(busy >= 31);
    for (i = 0; i < 40; i++)
        account_cancel(&attempts[i].login);
}

static void test_store_gone(void)
{
    uint64_t took;
    unsigned i;

    reset();
    fake.state = ST_GONE;
    CHECK(log_in("anna", "right", HOME, &took) == ERR_GONE && took < 50);
    fake.state = ST_READY;
    fake.failure = ERR_GONE;
    for (i = 0; i < 50; i++)
        CHECK(log_in("anna", "right", HOME, &took) == ERR_GONE);
    fake.failure = OK;
    CHECK(log_in("anna", "right", HOME, &took) == OK && took < 200);
    CHECK(log_in("anna", "right", HOME, &took) == OK && took == 0);
}

/* Cancelled in every state; the structure is free at once. */
static void test_cancel(void)
{
    struct attempt first, second;
    struct account_login none = {0};

    reset();
    account_cancel(&none);
    begin(&first, "anna", "right", HOME);  /* checking */
    begin(&second, "bert", "right", HOME); /* waiting */
    account_cancel(&second.login);
    account_cancel(&first.login);
    account_cancel(&first.login);
    memset(&first, 0xff, sizeof(first));
    memset(&second, 0xff, sizeof(second));
    pass_ms(3000);
    CHECK(fake.verified == 1);
    begin(&first, "anna", "right", HOME); /* remembered: answer is due */
    account_cancel(&first.login);
    turn();
    CHECK(first.answers == 0);
    begin(&first, "anna", "wrong", HOME);
    pass_ms(500); /* held back */
    account_cancel(&first.login);
    pass_ms(3000);
    CHECK(first.answers == 0);
}

static void test_quota(void)
{
    struct user user;

    reset();
    user = *directory_user_by_id(1);
    CHECK(account_quota_room(1, 1u << 30) == OK);
    user.quota_bytes = 1000;
    change_user(&user);
    /* Not counted yet: only what can never fit is refused. */
    memset(&known, 0, sizeof(known));
    CHECK(account_quota_room(1, 1000) == OK);
    CHECK(account_quota_room(1, 1001) == ERR_TOO_BIG);
    known.user_id = 1;
    known.used_bytes = 999;
    CHECK(account_quota_room(1, 2) == OK);
    known.counted = true;
    CHECK(account_quota_room(1, 0) == OK);
    CHECK(account_quota_room(1, 1) == OK);
    CHECK(account_quota_room(1, 2) == ERR_FULL);
    known.used_bytes = 1000;
    CHECK(account_quota_room(1, 0) == ERR_FULL);
    known.used_bytes = 5000;
    CHECK(account_quota_room(1, 0) == ERR_FULL);
    CHECK(account_quota_room(2, 7) == OK);
    CHECK(account_quota_room(99, 7) == OK);
}

static void test_login_noted(void)
{
    uint64_t took;

    reset();
    logins_noted = 0;
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    CHECK(log_in("anna", "right", HOME, &took) == OK);
    CHECK(log_in("anna", "wrong", HOME, &took) == ERR_REFUSED);
    CHECK(logins_noted == 2);
}

/* IPv6: the /64 is one network. */
static void test_ipv6(void)
{
    struct net_address a, b, c;

    CHECK(net_address_parse("2001:db8:1:2::1", &a) == OK);
    CHECK(net_address_parse("2001:db8:1:2:ffff::9", &b) == OK);
    CHECK(net_address_parse("2001:db8:1:3::1", &c) == OK);
    CHECK(brake_network(&a) == brake_network(&b));
    CHECK(brake_network(&a) != brake_network(&c));
    CHECK(brake_address(&a) != brake_address(&b));
    a = net_address_v4(HOME);
    b = net_address_v4(HOME ^ 0xf0);
    c = net_address_v4(HOME ^ 0x100);
    CHECK(brake_network(&a) == brake_network(&b));
    CHECK(brake_network(&a) != brake_network(&c));
    CHECK(brake_name("Anna", 4) == brake_name("aNNA", 4));
    CHECK(brake_name("anna", 4) != brake_name("anne", 4));
}

static void on_change(struct account_change *change)
{
    ++*(unsigned *)change->context;
}

static void begin_new_password(struct account_change *change, unsigned *done)
{
    *change = (struct account_change){.user = *directory_user_by_id(1),
                                      .password = "new",
                                      .done = on_change,
                                      .context = done};
    account_change(change);
}

/* A user's own new password takes nothing back that an administrator changes
 * meanwhile, who takes no password back. */
static void test_own_password(void)
{
    static struct account_change change;
    unsigned done = 0;

    reset();
    begin_new_password(&change, &done);
    turn();
    CHECK(done == 1 && change.result == OK);
    CHECK(stored.fields == STORE_USER_PASSWORD);
    CHECK(strcmp(stored.user.hash, "hashed") == 0);
    CHECK(change.password[0] == '\0');
    change = (struct account_change){.user = *directory_user_by_id(1),
                                     .fields = STORE_USER_FORM,
                                     .done = on_change,
                                     .context = &done};
    account_change(&change);
    CHECK(done == 2 && stored.fields == STORE_USER_FORM);
}

int main(void)
{
    random_module_init();
    reset();
    test_remembered();
    test_one_check_for_many();
    test_changes();
    test_change_meanwhile();
    test_same_time();
    test_network_brake();
    test_hanging_up();
    test_account_brake();
    test_next_to_the_owner();
    test_flood();
    test_suspect();
    test_store_gone();
    test_cancel();
    test_ipv6();
    test_quota();
    test_login_noted();
    test_own_password();
    return check_report();
}
