/* Limits: addresses, networks, rates, tarpit, users, settings; many clients at
 * once; and private addresses, which are let through. */
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include "core/random.h"
#include "core/machine.h"
#include "core/timer.h"
#include "limits/limits.h"
#include "store/st.h"
#include <stdlib.h>
#include <string.h>

/* The same memory each time it is taken anew. */
void *machine_memory_take(size_t bytes, size_t alignment)
{
    static _Alignas(4096) uint8_t memory[1 << 20];

    CHECK(bytes <= sizeof(memory) && alignment <= 4096);
    memset(memory, 0, sizeof(memory));
    return memory;
}

static char settings[LIMITS][16];

/* They change all the time. */
uint32_t st_settings_version(void)
{
    static uint32_t version;

    return ++version;
}

const char *st_setting(const char *key)
{
    for (unsigned i = 0; i < LIMITS; i++)
        if (strcmp(key, limits_name((enum limit)i)) == 0)
            return settings[i];
    return "";
}

static void set(enum limit limit, const char *value)
{
    strcpy(settings[limit], value);
}

static void start(void)
{
    memset(settings, 0, sizeof(settings));
    CHECK(limits_init(64) == OK);
}

static void pass(uint64_t ms)
{
    fake_machine.now_ns += ms * 1000000;
    timer_run();
}

static struct net_address v4(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return net_address_v4(a << 24 | b << 16 | c << 8 | d);
}

static struct net_address parse(const char *text)
{
    struct net_address address;

    CHECK(net_address_parse(text, &address) == OK);
    return address;
}

static void test_private(void)
{
    static const struct {
        const char *text;
        bool private;
    } cases[] = {
        {"127.0.0.1", true},      {"10.255.1.2", true},   {"172.16.0.1", true},
        {"172.31.255.255", true}, {"172.32.0.1", false},  {"172.15.0.1", false},
        {"192.168.7.7", true},    {"192.169.0.1", false}, {"169.254.1.1", true},
        {"8.8.8.8", false},       {"192.0.2.1", false},   {"::1", true},
        {"::2", false},           {"fe80::1", true},      {"febf::1", true},
        {"fec0::1", false},       {"fd00::1", true},      {"fc00::1", true},
        {"2001:db8::1", false},   {"0.0.0.0", false},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct net_address address = parse(cases[i].text);

        CHECK(limits_private(&address) == cases[i].private);
    }
}

static void test_sessions(void)
{
    struct limits_session open[30], more;
    struct net_address address = v4(198, 51, 100, 7);
    struct net_address other = v4(198, 51, 100, 8);

    start();
    set(LIMIT_SESSIONS, "5");
    set(LIMIT_SESSIONS_NET, "8");
    for (unsigned i = 0; i < 5; i++)
        CHECK(limits_begin(&open[i], &address) == OK);
    CHECK(limits_begin(&more, &address) == ERR_BUSY);
    limits_end(&more); /* was not counted: changes nothing */
    CHECK(limits_begin(&more, &address) == ERR_BUSY);
    for (unsigned i = 5; i < 8; i++)
        CHECK(limits_begin(&open[i], &other) == OK);
    CHECK(limits_begin(&more, &other) == ERR_BUSY);
    other = v4(198, 51, 101, 8);
    CHECK(limits_begin(&more, &other) == OK);
    limits_end(&more);
    limits_end(&open[0]);
    limits_end(&open[0]);
    CHECK(limits_begin(&open[0], &address) == OK);
    CHECK(limits_begin(&more, &address) == ERR_BUSY);
    CHECK(limits_figures()->turned_away == 4);
    set(LIMIT_SESSIONS, "0");
    set(LIMIT_SESSIONS_NET, "0");
    CHECK(limits_begin(&more, &address) == OK);
}

static void test_ipv6(void)
{
    struct net_address one = parse("2001:db8:1:2300::1");
    struct net_address two = parse("2001:db8:1:23ff::2");
    struct net_address far = parse("2001:db8:1:2400::1");
    struct limits_session session;

    start();
    set(LIMIT_SESSIONS_NET, "1");
    CHECK(limits_begin(&session, &one) == OK);
    CHECK(limits_begin(&session, &two) == ERR_BUSY);
    CHECK(limits_begin(&session, &far) == OK);
}

static void test_rate(void)
{
    struct net_address address = v4(203, 0, 113, 1);
    struct limits_session session;
    unsigned taken = 0;

    start();
    set(LIMIT_CONNECTIONS, "60");
    for (unsigned i = 0; i < 100; i++) {
        if (limits_begin(&session, &address) == OK) {
            taken++;
            limits_end(&session);
        }
    }
    CHECK(taken == 60);
    pass(500);
    CHECK(limits_begin(&session, &address) == ERR_REFUSED);
    pass(600);
    CHECK(limits_begin(&session, &address) == OK);
    CHECK(limits_begin(&session, &address) == ERR_REFUSED);
    pass(3600 * 1000);
    for (taken = 0; limits_begin(&session, &address) == OK; taken++)
        limits_end(&session);
    CHECK(taken == 60);
}

static void test_exempt(void)
{
    struct net_address address = v4(10, 0, 2, 2);
    struct limits_session open[500];
    uint32_t delay;

    start();
    for (unsigned i = 0; i < 500; i++)
        CHECK(limits_begin(&open[i], &address) == OK);
    for (unsigned i = 0; i < 100; i++)
        CHECK(limits_invalid_recipient(&open[0], &delay) == OK && delay == 0);
    for (unsigned i = 0; i < 10000; i++)
        CHECK(limits_user_recipient(1, &open[0]) == OK);
    for (unsigned i = 0; i < 500; i++)
        limits_end(&open[i]);
    set(LIMIT_PRIVATE, "1");
    for (unsigned i = 0; i < 20; i++)
        CHECK(limits_begin(&open[i], &address) == OK);
    CHECK(limits_begin(&open[20], &address) == ERR_BUSY);
}

static void test_tarpit(void)
{
    struct net_address address = v4(203, 0, 113, 1);
    static const uint32_t delays[] = {0,    0,    0,    0,     0,     1000,
                                      2000, 4000, 8000, 16000, 30000, 30000};
    struct limits_session session;
    uint32_t delay;

    start();
    CHECK(limits_begin(&session, &address) == OK);
    for (unsigned i = 0; i < 12; i++) {
        CHECK(limits_invalid_recipient(&session, &delay) == OK);
        CHECK(delay == delays[i]);
    }
    (void)!limits_invalid_recipient(&session, &delay);
    (void)!limits_invalid_recipient(&session, &delay);
    CHECK(limits_invalid_recipient(&session, &delay) == ERR_REFUSED);
    session.trusted = true;
    CHECK(limits_invalid_recipient(&session, &delay) == OK && delay == 0);
    session.trusted = false;
    set(LIMIT_INVALID_RECIPIENTS, "0");
    set(LIMIT_TARPIT_MS, "0");
    for (unsigned i = 0; i < 300; i++)
        CHECK(limits_invalid_recipient(&session, &delay) == OK && delay == 0);
}

static void test_users(void)
{
    struct net_address address = v4(203, 0, 113, 1);
    struct limits_session session;
    unsigned taken;

    start();
    set(LIMIT_USER_MESSAGES, "10");
    CHECK(limits_begin(&session, &address) == OK);
    for (taken = 0; limits_user_recipient(7, &session) == OK; taken++)
        ;
    CHECK(taken == 500);
    for (taken = 0; limits_user_message(7, &session) == OK; taken++)
        ;
    CHECK(taken == 10);
    CHECK(limits_user_message(8, &session) == OK);
    pass(6 * 60 * 1000);
    CHECK(limits_user_message(7, &session) == OK);
    CHECK(limits_user_message(7, &session) == ERR_BUSY);
    for (taken = 0; limits_user_recipient(7, &session) == OK; taken++)
        ;
    CHECK(taken == 50);
    CHECK(limits_figures()->held_back > 2);
}

/* More clients than places: sessions are never lost from the count of those
 * that were counted, and everybody is let in. */
static void test_many(void)
{
    static struct limits_session open[5000];
    struct net_address busy = v4(203, 0, 113, 1);
    struct limits_session session;

    start();
    set(LIMIT_SESSIONS, "1");
    CHECK(limits_begin(&session, &busy) == OK);
    for (uint32_t i = 0; i < 5000; i++) {
        struct net_address address = net_address_v4(0x50000000 + i * 256);

        CHECK(limits_begin(&open[i], &address) == OK);
        if (i % 2 == 0)
            limits_end(&open[i]);
    }
    for (uint32_t i = 0; i < 5000; i++)
        limits_end(&open[i]);
    CHECK(limits_begin(&session, &busy) == ERR_BUSY);
    for (uint32_t i = 0; i < 5000; i++) {
        struct net_address address = net_address_v4(0x50000000 + i * 256);

        CHECK(limits_begin(&open[i], &address) == OK);
        limits_end(&open[i]);
    }
}

static void test_settings(void)
{
    start();
    CHECK(limits_setting(LIMIT_SESSIONS) == 20);
    set(LIMIT_SESSIONS, "7");
    CHECK(limits_setting(LIMIT_SESSIONS) == 7);
    set(LIMIT_SESSIONS, "many");
    CHECK(limits_setting(LIMIT_SESSIONS) == 20);
    set(LIMIT_SESSIONS, "-3");
    CHECK(limits_setting(LIMIT_SESSIONS) == 20);
    set(LIMIT_SESSIONS, "99999999999999");
    CHECK(limits_setting(LIMIT_SESSIONS) == 100000);
    set(LIMIT_PRIVATE, "2");
    CHECK(limits_setting(LIMIT_PRIVATE) == 1);
}

int main(void)
{
    random_module_init();
    timer_module_init();
    timer_run();
    test_private();
    test_sessions();
    test_ipv6();
    test_rate();
    test_exempt();
    test_tarpit();
    test_users();
    test_many();
    test_settings();
    return check_report();
}
