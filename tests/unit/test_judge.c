/* Judgements of strangers: slow ones, block lists, and that no failure of store
 * or resolver, nor an asker that goes away, does any harm. */
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include "core/random.h"
#include "core/timer.h"
#include "limits/judge.h"
#include "net/dns.h"
#include "store/st_peer.h"
#include <stdio.h>
#include <string.h>

/* ---- The world ----------------------------------------------------------- */

static struct {
    const char *dnsbl, *action, *slow;
    struct st_peer *peer;
    bool no_cancel;
    char noted[ST_PEER_BYTES];
    unsigned notes;
    struct dns_lookup *lookup;
    unsigned questions, cancelled;
} world;

/* They change all the time. */
uint32_t st_settings_version(void)
{
    static uint32_t version;

    return ++version;
}

const char *st_setting(const char *key)
{
    if (strcmp(key, "dnsbl") == 0)
        return world.dnsbl;
    if (strcmp(key, "dnsbl_action") == 0)
        return world.action;
    return strcmp(key, "slow_strangers_ms") == 0 ? world.slow : "";
}

void st_peer_find(struct st_peer *peer)
{
    CHECK(world.peer == NULL);
    world.peer = peer;
}

void st_peer_note(const char *peer)
{
    strcpy(world.noted, peer);
    world.notes++;
}

bool st_cancel(struct st_request *request)
{
    CHECK(world.peer != NULL && request == &world.peer->request);
    if (world.no_cancel)
        return false;
    world.peer = NULL;
    return true;
}

void dns_lookup(struct dns_lookup *lookup, const char *name, enum dns_type type)
{
    CHECK(world.lookup == NULL && type == DNS_A);
    strcpy(lookup->name, name);
    world.lookup = lookup;
    world.questions++;
}

void dns_cancel(struct dns_lookup *lookup)
{
    CHECK(lookup == world.lookup);
    world.lookup = NULL;
    world.cancelled++;
}

char *dns_reverse_name(const struct net_address *address, char *text)
{
    if (net_address_is_v4(address))
        sprintf(text, "%u.%u.%u.%u.in-addr.arpa", address->bytes[15],
                address->bytes[14], address->bytes[13], address->bytes[12]);
    else
        strcpy(text, "1.0.0.0.ip6.arpa");
    return text;
}

static void tell_peer(bool known, enum err result)
{
    struct st_peer *peer = world.peer;

    world.peer = NULL;
    peer->known = known;
    peer->request.result = result;
    peer->request.done(&peer->request);
}

static void tell_list(enum dns_status status, uint32_t answer)
{
    struct dns_lookup *lookup = world.lookup;

    world.lookup = NULL;
    lookup->status = status;
    lookup->count = status == DNS_OK;
    lookup->answers[0].address = net_address_v4(answer);
    lookup->done(lookup);
}

static void pass(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        fake_machine.now_ns += 1000000;
        timer_run();
    }
}

/* ---- The asker ----------------------------------------------------------- */

static struct limits_verdict verdict;
static unsigned answers;
static struct limits_session stranger;

static void done(void *context, const struct limits_verdict *found)
{
    CHECK(context == &verdict);
    verdict = *found;
    answers++;
}

static struct limits_judgement *ask(const char *dnsbl, const char *action,
                                    const char *slow)
{
    struct limits_judgement *judgement;

    memset(&world, 0, sizeof(world));
    memset(&verdict, 0, sizeof(verdict));
    answers = 0;
    world.dnsbl = dnsbl;
    world.action = action;
    world.slow = slow;
    judgement = limits_judge(&stranger, "a@EXAMPLE.org", done, &verdict);
    CHECK(answers == 0);
    return judgement;
}

static void test_nothing(void)
{
    CHECK(ask("", "", "") == NULL);
    CHECK(ask("  ", "", "0") == NULL);
    stranger.trusted = true;
    CHECK(ask("bl.example", "", "500") == NULL);
    stranger.trusted = false;
    stranger.exempt = true;
    CHECK(ask("bl.example", "", "500") == NULL);
    stranger.exempt = false;
    CHECK(world.questions == 0 && world.peer == NULL);
}

static void test_strangers(void)
{
    CHECK(ask("", "", "700") != NULL);
    CHECK(strcmp(world.peer->peer, "198.51.100.0/24 example.org") == 0);
    tell_peer(false, OK);
    CHECK(answers == 0);
    pass(1);
    CHECK(answers == 1 && verdict.delay_ms == 700 && !verdict.listed);
    CHECK(ask("", "", "700") != NULL);
    tell_peer(true, OK);
    pass(1);
    CHECK(answers == 1 && verdict.delay_ms == 0);
    CHECK(ask("", "", "700") != NULL);
    tell_peer(false, ERR_IO);
    pass(1);
    CHECK(answers == 1 && verdict.delay_ms == 0);
    limits_friend(&stranger, "<>");
    CHECK(strcmp(world.noted, "198.51.100.0/24 ") == 0);
    world.slow = "0";
    limits_friend(&stranger, "a@b");
    CHECK(world.notes == 1);
}

static void test_lists(void)
{
    static const struct {
        enum dns_status status;
        uint32_t answer;
        bool listed;
    } cases[] = {
        {DNS_OK, 0x7f000002, true},  {DNS_OK, 0x7f00000a, true},
        {DNS_OK, 0x7fffff01, false}, {DNS_OK, 0x7ffffffe, false},
        {DNS_OK, 0x7f000001, false}, {DNS_OK, 0x0a000001, false},
        {DNS_NO_NAME, 0, false},     {DNS_NO_DATA, 0, false},
        {DNS_FAILED, 0, false},      {DNS_BAD_NAME, 0, false},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(ask(" one.example  two.example ", "", "") != NULL);
        CHECK(strcmp(world.lookup->name, "7.100.51.198.one.example") == 0);
        tell_list(DNS_NO_NAME, 0);
        CHECK(strcmp(world.lookup->name, "7.100.51.198.two.example") == 0);
        tell_list(cases[i].status, cases[i].answer);
        CHECK(world.lookup == NULL);
        pass(1);
        CHECK(answers == 1 && verdict.listed == cases[i].listed);
        CHECK(!verdict.listed || strcmp(verdict.name, "two.example") == 0);
        CHECK(verdict.refuse == verdict.listed);
    }
    CHECK(ask("one.example two.example", "mark", "") != NULL);
    tell_list(DNS_OK, 0x7f000002);
    CHECK(world.questions == 1);
    pass(1);
    CHECK(answers == 1 && verdict.listed && !verdict.refuse);
    CHECK(ask("one.example", "", "300") != NULL);
    tell_peer(false, OK);
    tell_list(DNS_NO_NAME, 0);
    pass(1);
    CHECK(answers == 1 && verdict.delay_ms == 300);
}

/* The clock decides when nobody answers. */
static void test_silence(void)
{
    CHECK(ask("one.example", "", "") != NULL);
    pass(7900);
    CHECK(answers == 0);
    pass(200);
    CHECK(answers == 1 && world.cancelled == 1 && !verdict.listed);
    CHECK(ask("one.example", "", "300") != NULL);
    world.no_cancel = true;
    pass(8100);
    CHECK(answers == 1 && world.peer != NULL);
    tell_peer(false, OK); /* too late: only gives its place back */
    pass(100);
    CHECK(answers == 1 && world.questions == 0);
}

static void test_forgotten(void)
{
    struct limits_judgement *judgement = ask("one.example", "", "300");

    limits_judge_forget(judgement);
    CHECK(world.peer == NULL);
    judgement = ask("one.example", "", "300");
    world.no_cancel = true;
    limits_judge_forget(judgement);
    tell_peer(false, OK);
    judgement = ask("one.example", "", "");
    limits_judge_forget(judgement);
    CHECK(world.cancelled == 1);
    pass(20000);
    CHECK(answers == 0);
}

/* All places are given back: there are two. */
static void test_places(void)
{
    struct limits_judgement *first = ask("one.example", "", "");
    struct limits_judgement *second;

    world.lookup = NULL;
    second = limits_judge(&stranger, "", done, &verdict);
    CHECK(first != NULL && second != NULL);
    CHECK(limits_judge(&stranger, "", done, &verdict) == NULL);
    limits_judge_forget(second);
    world.lookup = NULL;
    second = limits_judge(&stranger, "", done, &verdict);
    CHECK(second != NULL);
}

int main(void)
{
    random_module_init();
    timer_module_init();
    timer_run();
    CHECK(limits_judge_init(2) == OK);
    stranger.address = net_address_v4(0xc6336407);
    test_nothing();
    test_strangers();
    test_lists();
    test_silence();
    test_forgotten();
    test_places();
    return check_report();
}
