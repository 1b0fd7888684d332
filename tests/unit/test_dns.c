/* The resolver against hand-driven name servers on a fake wire: retransmission,
 * several servers, forged answers, aliases, cache, limits. */
#include "tests/unit/fake_dns.h"

static void test_plain(void)
{
    struct dns_lookup *l;
    struct sent s, t;

    begin(PEER_IP, 0, 0);
    l = look(0, "Mail.Example.", DNS_A);
    s = sent_next();
    CHECK(s.any && s.server == PEER_IP && s.type == DNS_A && s.edns &&
          s.port > 32767);
    answer_a(&s, "mail.example", 7);
    CHECK(!l->context); /* later, not from inside */
    CHECK(is_done(l, DNS_OK) && first_address(l) == 7 &&
          l->answers[0].ttl_s == 300 && !l->cname);
    answer_a(&s, "mail.example", 8); /* nobody asked any more */
    /* From the cache, also not from inside. */
    pass_time(100000);
    wire_forget();
    l = look(0, "mail.EXAMPLE", DNS_A);
    CHECK(!l->context && is_done(l, DNS_OK) && first_address(l) == 7 &&
          l->answers[0].ttl_s == 200 && !sent_next().any);
    pass_time(200000);
    l = look(0, "mail.example", DNS_A);
    t = sent_next();
    CHECK(t.any && (t.id != s.id || t.port != s.port));
    answer_code(&t, 3);
    CHECK(is_done(l, DNS_NO_NAME) && l->count == 0);
}

static void test_no_dns_needed(void)
{
    static const char *const bad[] = {"", "a b", "a..b", "b\303\274.example"};
    char text[300];
    struct dns_lookup *l;

    begin(PEER_IP, 0, 0);
    l = look(0, "192.0.2.1", DNS_A);
    CHECK(!l->context && is_done(l, DNS_OK) && l->count == 1 &&
          first_address(l) == 0xC0000201);
    l = look(0, "2001:db8::1", DNS_AAAA);
    CHECK(is_done(l, DNS_OK) && l->count == 1);
    l = look(0, "192.0.2.1", DNS_AAAA);
    CHECK(is_done(l, DNS_NO_DATA) && l->count == 0);
    l = look(0, "192.0.2.1", DNS_MX);
    CHECK(is_done(l, DNS_NO_DATA));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        l = look(0, bad[i], DNS_A);
        CHECK(!l->context && is_done(l, DNS_BAD_NAME));
    }
    memset(text, 'a', sizeof(text));
    text[299] = '\0';
    l = look(0, text, DNS_A);
    CHECK(is_done(l, DNS_BAD_NAME));
    l = look(0, "host.localhost", DNS_A);
    CHECK(is_done(l, DNS_NO_NAME));
    l = look(0, "x.invalid", DNS_MX);
    CHECK(is_done(l, DNS_NO_NAME));
    CHECK(!sent_next().any);
    l = look(0, "xinvalid", DNS_MX);
    CHECK(sent_next().any);
    dns_cancel(l);
}

static void test_shared(void)
{
    struct dns_figures figures;
    struct sent s;

    begin(PEER_IP, 0, 0);
    look(0, "a.example", DNS_A);
    look(1, "A.example.", DNS_A);
    look(2, "a.example", DNS_MX);
    look(3, "a.example", DNS_A);
    s = sent_next();
    CHECK(sent_next().any && !sent_next().any);
    dns_cancel(&lookups[1]);
    dns_cancel(&lookups[1]);
    answer_a(&s, "a.example", 7);
    dns_cancel(&lookups[3]); /* between the answer and done() */
    CHECK(is_done(&lookups[0], DNS_OK) && done_count == 1);
    dns_cancel(&lookups[0]);
    dns_figures(&figures);
    CHECK(figures.waiting == 1 && figures.questions == 4 && figures.sent == 2);
    dns_cancel(&lookups[2]);
    pass_time(30000);
    dns_figures(&figures);
    CHECK(done_count == 1 && figures.waiting == 0);
    memset(&lookups[5], 0, sizeof(lookups[5]));
    dns_cancel(&lookups[5]); /* never asked */
}

static void test_retransmission(void)
{
    static const unsigned times[] = {0, 1, 3, 7, 15, 999};
    struct dns_lookup *l;
    struct sent s, first;
    uint64_t began = fake_machine.now_ns;
    unsigned count = 0;

    begin(PEER_IP, 0, 0);
    began = fake_machine.now_ns;
    l = look(0, "a.example", DNS_A);
    first = sent_next();
    while (!l->context && count < 10) {
        uint64_t passed_ms = (fake_machine.now_ns - began) / 1000000;

        s = count ? sent_next() : first;
        if (s.any) {
            CHECK(passed_ms >= times[count] * 1000 &&
                  passed_ms < times[count] * 1000 + 1100);
            CHECK(s.id == first.id && s.port == first.port &&
                  !memcmp(&s.name, &first.name, sizeof(s.name)));
            count++;
        }
        pass_time(20);
    }
    CHECK(count == 5 && l->status == DNS_FAILED);
    CHECK(fake_machine.now_ns - began < 20100000000ULL);
    /* It is remembered that nobody could tell. */
    wire_forget();
    l = look(0, "a.example", DNS_A);
    CHECK(is_done(l, DNS_FAILED) && !sent_next().any);
    pass_time(5000);
    l = look(0, "a.example", DNS_A);
    s = sent_next();
    CHECK(s.any);
    pass_time(8000);
    answer_a(&s, "a.example", 7); /* late, but in time */
    CHECK(is_done(l, DNS_OK));
}

static void test_servers(void)
{
    struct dns_lookup *l;
    struct sent s, t, u;

    begin(PEER_IP, SECOND_IP, FAR_IP);
    l = look(0, "a.example", DNS_A);
    s = sent_next();
    pass_time(1300);
    t = sent_next();
    pass_time(1300);
    u = sent_next();
    CHECK(s.server == PEER_IP && t.server == SECOND_IP && u.server == FAR_IP);
    CHECK((s.id != t.id || s.port != t.port) && s.port != t.port);
    /* The answer of one from the port of another, with another's id. */
    build_answer(&s, 0);
    build_a(&b, "a.example", 300, 6);
    answer_from(&t, SECOND_IP, 53);
    CHECK(!is_done(l, DNS_OK));
    answer_a(&s, "a.example", 7);
    CHECK(is_done(l, DNS_OK) && first_address(l) == 7);
    /* One that cannot tell gives way at once. */
    l = look(0, "b.example", DNS_A);
    s = sent_next();
    CHECK(s.server == PEER_IP);
    answer_code(&s, 2);
    t = sent_next();
    CHECK(t.server == SECOND_IP);
    answer_code(&t, 5);
    u = sent_next();
    CHECK(u.server == FAR_IP && !l->context);
    build_answer(&u, 0); /* lame */
    build_target(&b, SECTION_AUTHORITY, "", TYPE_NS, 60, "ns.example");
    answer(&u);
    CHECK(is_done(l, DNS_FAILED) && !sent_next().any);
}

static void test_silent_server(void)
{
    struct dns_lookup *l;
    struct sent s;
    char name[20];

    begin(PEER_IP, SECOND_IP, 0);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        l = look(0, name, DNS_A);
        CHECK(sent_next().server == PEER_IP);
        pass_time(1300);
        s = sent_next();
        CHECK(s.server == SECOND_IP);
        answer_code(&s, 3);
        CHECK(is_done(l, DNS_NO_NAME));
    }
    l = look(0, "x.example", DNS_A);
    s = sent_next();
    CHECK(s.server == SECOND_IP);
    answer_code(&s, 3);
    CHECK(is_done(l, DNS_NO_NAME));
    pass_time(6000);
    l = look(0, "y.example", DNS_A);
    s = sent_next();
    CHECK(s.server == PEER_IP);
    answer_code(&s, 3);
    CHECK(is_done(l, DNS_NO_NAME));
}

static void test_no_server(void)
{
    struct dns_lookup *l;
    unsigned names = 0;
    struct sent s;

    begin(0, 0, 0);
    l = look(0, "a.example", DNS_A);
    pass_time(3000);
    CHECK(!sent_next().any && !l->context);
    configure(0, SECOND_IP, 0);
    pass_time(1000);
    s = sent_next();
    CHECK(s.any && s.server == SECOND_IP);
    answer_a(&s, "a.example", 7);
    CHECK(is_done(l, DNS_OK));
    /* Other servers: nothing of the old ones counts. */
    l = look(0, "b.example", DNS_A);
    s = sent_next();
    wire_forget();
    configure(PEER_IP, 0, 0);
    look(1, "a.example", DNS_A);
    answer_a(&s, "b.example", 6);
    pass_time(1000);
    while ((s = sent_next()).any) {
        CHECK(s.server == PEER_IP);
        names |= 1U << (s.name.bytes[1] & 3);
    }
    CHECK(names == 6 && !l->context);
    configure(0, 0, 0);
    pass_time(30000);
    CHECK(l->status == DNS_FAILED && l->context);
    l = look(0, "b.example", DNS_A); /* not remembered as a failure */
    CHECK(!is_done(l, DNS_FAILED));
    configure(PEER_IP, 0, 0);
    pass_time(1000);
    s = sent_next();
    answer_a(&s, "b.example", 7);
    CHECK(is_done(l, DNS_OK));
}

static void test_edns(void)
{
    struct dns_lookup *l;
    struct sent s, t;

    begin(PEER_IP, 0, 0);
    l = look(0, "a.example", DNS_A);
    s = sent_next();
    CHECK(s.edns);
    build_begin(&b, s.id, 1); /* FORMERR, header only */
    answer(&s);
    t = sent_next();
    CHECK(t.any && !t.edns && t.server == PEER_IP);
    answer_a(&t, "a.example", 7);
    CHECK(is_done(l, DNS_OK));
    l = look(0, "b.example", DNS_A);
    s = sent_next();
    CHECK(!s.edns); /* remembered */
    answer_code(&s, 1);
    CHECK(is_done(l, DNS_FAILED));
    pass_time(601000);
    look(0, "c.example", DNS_A);
    s = sent_next();
    CHECK(s.edns);
    dns_cancel(&lookups[0]);
}

static void test_spoofed(void)
{
    struct dns_figures figures;
    struct dns_lookup *l;
    struct sent s, wrong;

    begin(PEER_IP, 0, 0);
    l = look(0, "bank.example", DNS_A);
    s = sent_next();
    build_answer(&s, 0);
    build_a(&b, "bank.example", 300, 0x66666666);
    answer_from(&s, SECOND_IP, 53);
    answer_from(&s, PEER_IP, 54);
    wrong = s;
    wrong.port++;
    answer(&wrong);
    wrong = s;
    wrong.id++;
    answer_a(&wrong, "bank.example", 0x66666666);
    wrong = s;
    wrong.type = DNS_MX;
    answer_a(&wrong, "bank.example", 0x66666666);
    /* What is slipped in beside the answer is not believed. */
    build_answer(&s, 0);
    build_a(&b, "bank.example", 300, 7);
    build_a(&b, "other.example", 300, 0x66666666);
    build_record(&b, SECTION_ADDITIONAL, "third.example", DNS_A, 300, "ffff",
                 4);
    answer(&s);
    CHECK(is_done(l, DNS_OK) && l->count == 1 && first_address(l) == 7);
    dns_figures(&figures);
    CHECK(figures.spoofed == 4 && figures.entries == 1);
    wire_forget();
    l = look(0, "other.example", DNS_A);
    CHECK(sent_next().any);
    dns_cancel(l);
}

/* ---- Aliases, order, limits ---- */

static void test_aliases(void)
{
    struct dns_lookup *l;
    struct sent s;
    unsigned asked = 0;
    char name[20];

    begin(PEER_IP, 0, 0);
    l = look(0, "www.example", DNS_A);
    s = sent_next();
    build_answer(&s, 0);
    build_target(&b, SECTION_ANSWER, "www.example", TYPE_CNAME, 50,
                 "host.other");
    answer(&s);
    s = sent_next();
    CHECK(s.any && s.name.len == 12);
    answer_a(&s, "host.other", 7);
    CHECK(is_done(l, DNS_OK) && l->cname && first_address(l) == 7 &&
          l->answers[0].ttl_s == 50);
    /* For ever: ends. */
    l = look(0, "n0.example", DNS_A);
    while ((s = sent_next()).any) {
        char from[20];

        snprintf(from, sizeof(from), "n%u.example", asked);
        snprintf(name, sizeof(name), "n%u.example", ++asked);
        build_answer(&s, 0);
        build_target(&b, SECTION_ANSWER, from, TYPE_CNAME, 50, name);
        answer(&s);
    }
    CHECK(asked == DNS_ALIASES + 1 && is_done(l, DNS_FAILED));
}

static void test_order(void)
{
    struct dns_lookup *l;
    unsigned firsts[3] = {0};
    struct sent s;

    begin(PEER_IP, 0, 0);
    for (unsigned i = 0; i < 60; i++) {
        l = look(0, "example", DNS_MX);
        s = sent_next();
        if (s.any) {
            build_answer(&s, 0);
            build_mx(&b, "example", 3000, 30, "last.example");
            build_mx(&b, "example", 3000, 10, "m0.example");
            build_mx(&b, "example", 3000, 10, "m1.example");
            build_mx(&b, "example", 3000, 20, "later.example");
            build_mx(&b, "example", 3000, 10, "m2.example");
            answer(&s);
        }
        CHECK(is_done(l, DNS_OK) && l->count == 5);
        CHECK(l->answers[0].name[0] == 'm' &&
              !strcmp(l->answers[3].name, "later.example") &&
              !strcmp(l->answers[4].name, "last.example"));
        firsts[(l->answers[0].name[1] - '0') % 3]++;
    }
    CHECK(firsts[0] > 5 && firsts[1] > 5 && firsts[2] > 5);
}

static void test_limits(void)
{
    struct dns_figures figures;
    char name[20];
    unsigned sent = 0;
    struct sent s;

    begin(PEER_IP, 0, 0);
    for (unsigned i = 0; i < 1030; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        look(i, name, DNS_A);
    }
    pass_time(2);
    for (unsigned i = 0; i < 1030; i++)
        CHECK((lookups[i].context != NULL) == (i >= 1024));
    CHECK(lookups[1029].status == DNS_FAILED);
    dns_figures(&figures);
    CHECK(figures.waiting == 1024 && figures.sent == 64);
    dns_cancel(&lookups[70]); /* waits for a query */
    dns_cancel(&lookups[5]);  /* has one */
    for (;;) {
        s = sent_next();
        if (!s.any) {
            pass_time(2);
            s = sent_next();
        }
        if (!s.any)
            break;
        sent++;
        answer_code(&s, 3);
    }
    CHECK(sent == 1023 && done_count == 1028);
    dns_figures(&figures);
    CHECK(figures.waiting == 0);
    CHECK(iobuf_free() == iobuf_total());
}

int main(void)
{
    test_plain();
    test_no_dns_needed();
    test_shared();
    test_retransmission();
    test_servers();
    test_silent_server();
    test_no_server();
    test_edns();
    test_spoofed();
    test_aliases();
    test_order();
    test_limits();
    wire_memory_release();
    return check_report();
}
