/* The relay against scripted servers: every path of a delivery, and servers
 * that do what they should not. */
#include "relay_frame.h"

/* ---- Deliveries ---------------------------------------------------------- */

static void test_one(void)
{
    struct relay_figures figures;
    struct store_due *row;

    reset();
    row = queue(1, "bert@far.example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row));
    CHECK(far->sink.message_count == 1);
    CHECK(strcmp(far->sink.messages[0].sender, "anna@here.example") == 0);
    CHECK(strcmp(far->sink.messages[0].recipients, "bert@far.example ") == 0);
    CHECK(far->sink.messages[0].len == sizeof(body_sent) - 1);
    CHECK(memcmp(far->sink.messages[0].body, body_sent,
                 sizeof(body_sent) - 1) == 0);
    CHECK(logged("EHLO mail.here.example\n"
                 "MAIL FROM:<anna@here.example> SIZE=68\n"
                 "RCPT TO:<bert@far.example>\nDATA\nQUIT\n"));
    CHECK(strstr(row->reply, "mx.far.example said: 250 2.0.0 taken"));
    relay_figures(&figures);
    CHECK(figures.delivered == 1 && figures.messages == 1);
    CHECK(figures.sessions == 0 && figures.waiting == 0);
    CHECK(fake_notice_count == 0);
    check_rest();
}

/* However it is cut, and however little room there is. */
static void test_cuts(void)
{
    static char big[50000];
    size_t len = 0;

    /* Dots, bare CR and LF, long lines, no CRLF at the end. */
    while (len < sizeof(big) - 100) {
        static const char *const pieces[] = {"\r\n.", "..", "word ",     "\r\n",
                                             "\n",    "\r", "\r\n.\r\n", "x"};
        const char *piece = pieces[fake_below(8)];

        memcpy(big + len, piece, strlen(piece));
        len += strlen(piece);
    }
    for (unsigned round = 0; round < 8; round++) {
        bool chunking = round & 1;
        struct store_due *row;
        char *at;

        reset();
        fake_piece = round & 2 ? 1 : SIZE_MAX;
        fake_space_max = round & 4 ? 37 : 65536;
        if (chunking)
            far->sink.offers = "CHUNKING\nPIPELINING";
        put_message(2, big, len);
        row = queue(2, "bert@far.example");
        run();
        fake_sleep(1000);
        CHECK(!is_queued(row) && far->sink.message_count == 1);
        at = far->sink.messages[0].body;
        if (chunking) {
            CHECK(far->sink.messages[0].len == len);
            CHECK(memcmp(at, big, len) == 0);
        } else {
            CHECK(memcmp(at + far->sink.messages[0].len - 2, "\r\n", 2) == 0);
        }
        check_rest();
    }
}

static void test_many_recipients(void)
{
    char name[40];

    reset();
    for (unsigned i = 0; i < 120; i++) {
        snprintf(name, sizeof(name), "u%u@far.example", i);
        (void)queue(1, name);
    }
    run();
    fake_sleep(1000);
    CHECK(far->sink.message_count == 2 && far->sink.connections == 1);
    for (unsigned i = 0; i < 120; i++)
        CHECK(!is_queued(&fake_rows[i]));
    check_rest();
}

/* Many messages: several connections, each for many. */
static void test_many_messages(void)
{
    reset();
    for (unsigned i = 0; i < 300; i++)
        (void)queue(1 + i, "bert@far.example");
    run();
    fake_sleep(5000);
    CHECK(far->sink.message_count == 300);
    CHECK(far->sink.connections >= 5 && far->sink.connections <= 25);
    CHECK(fake_open_most <= 20);
    for (unsigned i = 0; i < 300; i++)
        CHECK(!is_queued(&fake_rows[i]));
    check_rest();
}

/* As long as no outcome becomes durable, a host gets no more messages than it
 * may get sessions: those are what a power cut would make it get again. */
static void test_undurable(void)
{
    reset();
    fake_settings[0][0] = "queue_host_sessions";
    fake_settings[0][1] = "7";
    for (unsigned i = 0; i < 100; i++)
        (void)queue(1 + i, "bert@far.example");
    fake_settle_error = ERR_GONE;
    run();
    fake_sleep(MINUTE);
    CHECK(far->sink.message_count == 7);
    fake_settle_error = OK;
    fake_sleep(MINUTE);
    CHECK(far->sink.message_count == 100);
    for (unsigned i = 0; i < 100; i++)
        CHECK(!is_queued(&fake_rows[i]));
    check_rest();
}

/* ---- Routing
 * ----------------------------------------------------------------- */

static void test_mx_order(void)
{
    struct store_due *row;

    reset();
    far->refuses = true;
    fake_name("two.example", DNS_MX, 10, "mx.far.example");
    fake_name("two.example", DNS_MX, 20, "dumb.example");
    fake_name("two.example", DNS_MX, 30, "second.example");
    fake_name("dumb.example", DNS_AAAA, 0, "2001:db8::1");
    fake_name("second.example", DNS_A, 0, "192.0.2.10");
    fake_name("second.example", DNS_A, 0, "192.0.2.11");
    fake_peer("192.0.2.10")->refuses = true;
    (void)fake_peer("192.0.2.11");
    row = queue(1, "bert@two.example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row));
    CHECK(fake_peer("192.0.2.11")->sink.message_count == 1);
    check_rest();
}

static void test_implicit_mx(void)
{
    struct store_due *row;

    reset();
    fake_name("plain.example", DNS_A, 0, "192.0.2.9");
    row = queue(1, "bert@Plain.Example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

/* Each domain and what is said of mail for it. */
static void test_dead_ends(void)
{
    static const struct {
        const char *recipient, *reply;
        bool permanent;
    } cases[] = {
        {"b@nomail.example", "556 5.1.10", true},
        {"b@nothing.example", "550 5.1.2", true},
        {"b@loop.example", "550 5.4.6", true},
        {"b@loopaddress.example", "550 5.4.6", true},
        {"b@[192.0.2.1]", "550 5.4.6", true},
        {"b@broken.example", "451 4.4.3", false},
        {"b@noaddress.example", "550 5.4.4", true},
        {"b@six.example", "450 4.4.4", false},
        {"b@[IPv6:2001:db8::1]", "450 4.4.4", false},
        {"b@badmx.example", "450 4.4.4", false},
        {"b@group.example", "450 4.4.4", false},
        {"b@[255.255.255.255]", "550 5.4.4", true},
        {"b@[rubbish]", "553 5.1.3", true},
        {"no-at-sign", "553 5.1.3", true},
        {"a b@far.example\r\nRSET", "553 5.1.3", true},
    };

    reset();
    fake_name("nomail.example", DNS_MX, 0, "");
    fake_name("loop.example", DNS_MX, 10, "MAIL.here.example");
    fake_name("loop.example", DNS_MX, 20, "mx.far.example");
    fake_name("loopaddress.example", DNS_MX, 10, "ours.example");
    fake_name("ours.example", DNS_A, 0, "192.0.2.1");
    fake_no_name("broken.example", DNS_MX, DNS_FAILED);
    fake_name("noaddress.example", DNS_TXT, 0, "192.0.2.1");
    fake_name("six.example", DNS_AAAA, 0, "2001:db8::1");
    fake_name("badmx.example", DNS_MX, 0, "nothing.example");
    fake_name("group.example", DNS_A, 0, "224.0.0.1");
    fake_name("group.example", DNS_A, 0, "255.255.255.255");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_due *row = queue(1 + i, cases[i].recipient);

        run();
        fake_sleep(1000);
        CHECK(is_queued(row) == !cases[i].permanent);
        if (strncmp(row->reply, cases[i].reply, strlen(cases[i].reply)) != 0)
            printf("%s: %s\n", cases[i].recipient, row->reply);
        CHECK(strncmp(row->reply, cases[i].reply, strlen(cases[i].reply)) == 0);
        row->queue_id = 0;
    }
    CHECK(far->sink.connections == 0);
    CHECK(strstr(fake_notices, "Status: 5.1.10\r\n") != NULL);
    check_rest();
}

/* A backup that names us second: the better one is tried, and not us. */
static void test_loop_behind(void)
{
    struct store_due *row;

    reset();
    fake_name("ours.example", DNS_MX, 10, "mx.far.example");
    fake_name("ours.example", DNS_MX, 20, "mail.here.example");
    fake_name("ours.example", DNS_MX, 30, "other.example");
    far->refuses = true;
    row = queue(1, "b@ours.example");
    run();
    fake_sleep(1000);
    CHECK(is_queued(row) && strstr(row->reply, "4.4.1") != NULL);
    /* It greets by our own name: the way back to us was hidden by NAT. */
    reset();
    sink_rule(&far->sink, "CONNECT", "220 mail.here.example ESMTP\r\n", 0);
    row = queue(1, "b@far.example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && strstr(row->reply, "550 5.4.6") != NULL);
    check_rest();
}

static void test_literal_and_route(void)
{
    struct store_due *row;

    reset();
    row = queue(1, "bert@[192.0.2.9]");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    /* By a smarthost, two domains are one transaction. */
    reset();
    strcpy(fake_route.host, "192.0.2.9");
    fake_route.port = 587;
    (void)queue(1, "a@x.example");
    (void)queue(1, "b@y.example");
    run();
    fake_sleep(1000);
    CHECK(fake_lookups == 0 && far->sink.message_count == 1);
    CHECK(strcmp(far->sink.messages[0].recipients,
                 "a@x.example b@y.example ") == 0);
    /* By name; when it has no address, nobody's mail is bounced. */
    reset();
    strcpy(fake_route.host, "mx.far.example");
    row = queue(1, "a@x.example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row));
    strcpy(fake_route.host, "nothing.example");
    row = queue(2, "a@x.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(is_queued(row) && fake_notice_count == 0);
    check_rest();
}

static void test_auth(void)
{
    struct store_due *row;

    reset();
    strcpy(fake_route.host, "mx.far.example");
    strcpy(fake_route.login, "anna");
    strcpy(fake_route.password, "se cret");
    far->sink.offers = "PIPELINING\nAUTH LOGIN PLAIN";
    sink_rule(&far->sink, "AUTH PLAIN AGFubmEAc2UgY3JldA==", "235 2.7.0 ok\r\n",
              0);
    row = queue(1, "a@x.example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    far->sink.offers = "AUTH LOGIN";
    sink_rule(&far->sink, "AUTH LOGIN", "334 VXNlcm5hbWU6\r\n", 0);
    sink_rule(&far->sink, "YW5uYQ==", "334 UGFzc3dvcmQ6\r\n", 0);
    sink_rule(&far->sink, "c2UgY3JldA==", "235 2.7.0 ok\r\n", 1);
    sink_rule(&far->sink, "c2UgY3JldA==", "535 5.7.8 no\r\n", 0);
    row = queue(2, "a@x.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(!is_queued(row) && far->sink.message_count == 2);
    row = queue(3, "a@x.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(is_queued(row) && strstr(row->reply, "535 5.7.8 no") != NULL);
    far->sink.offers = "AUTH GSSAPI";
    row->next_ms = 0;
    fake_changed();
    fake_sleep(1000);
    CHECK(is_queued(row) && strstr(row->reply, "454 4.7.0") != NULL);
    check_rest();
}

/* ---- What servers say
 * -------------------------------------------------------- */

/* Each rule, and what becomes of one message for two recipients. */
static void test_answers(void)
{
    static const struct {
        const char *command, *reply;
        const char *text[2]; /* in the replies of bert and carl */
        char queued[3];      /* bert, carl: y or n */
        unsigned messages;
    } cases[] = {
        {"MAIL", "451 4.7.1 later\r\n", {"451 4.7.1", "451 4.7.1"}, "yy", 0},
        {"MAIL", "550 5.7.1 no\r\n", {"550 5.7.1", "550 5.7.1"}, "nn", 0},
        {"RCPT TO:<bert", "550 5.1.1 who\r\n", {"550 5.1.1", "250"}, "nn", 1},
        {"RCPT TO:<bert", "450 4.2.0 grey\r\n", {"450 4.2.0", "250"}, "yn", 1},
        {"RCPT TO", "450 4.2.0 grey\r\n", {"450 4.2.0", "450"}, "yy", 0},
        {"RCPT TO", "550 no\r\n", {"550 no", "550 no"}, "nn", 0},
        {"RCPT TO:<carl", "452 4.5.3 many\r\n", {"250", "452 4.5.3"}, "ny", 1},
        {"DATA", "451 4.3.0 busy\r\n", {"451 4.3.0", "451 4.3.0"}, "yy", 0},
        {"DATA", "554 5.5.1 no\r\n", {"554 5.5.1", "554"}, "nn", 0},
        {"DATA", "250 what\r\n", {"answer to DATA", "DATA"}, "yy", 0},
        {"BODY", "451 4.6.0 later\r\n", {"451 4.6.0", "451"}, "yy", 0},
        {"BODY", "554 5.6.0 spam\r\n", {"554 5.6.0", "554"}, "nn", 0},
        {"BODY",
         "552-5.2.3 too\r\n552 5.2.3 big\r\n",
         {"too 5.2.3 big", ""},
         "nn",
         0},
        {"EHLO", "421 4.3.2 full\r\n!close", {"421", "421"}, "yy", 0},
        {"EHLO", "550 go away\r\n", {"250", "250"}, "nn", 1},
        {"CONNECT", "554 5.3.2 no\r\n!close", {"554", "554"}, "yy", 0},
        {"CONNECT", "521 5.3.2 never\r\n!close", {"521", "521"}, "nn", 0},
        {"CONNECT", "421 full\r\n!close", {"421", "421"}, "yy", 0},
        {"CONNECT", "!close", {"banner", "banner"}, "yy", 0},
        {"CONNECT", "!reset", {"banner", "banner"}, "yy", 0},
        {"CONNECT", "HTTP/1.1 400 Bad\r\n", {"not a reply", "not"}, "yy", 0},
        {"CONNECT", "220-one\r\n250 two\r\n", {"not a reply", "not"}, "yy", 0},
        {"EHLO", "!close", {"ehlo", "ehlo"}, "yy", 0},
        {"RCPT TO:<carl", "!close", {"envelope", "envelope"}, "yy", 0},
        {"RCPT TO:<carl", "421 4.2.1 bye\r\n!close", {"421", "421"}, "yy", 0},
        {"DATA", "354 go\r\n!reset", {"4.4.2", "4.4.2"}, "yy", 0},
        {"BODY", "!close", {"answer", "answer"}, "yy", 0},
        {"BODY", "421 4.3.0 bye\r\n!close", {"421", "421"}, "yy", 0},
        {"MAIL",
         "250 ok\r\n250 and\r\n250 more\r\n250 and\r\n250 more\r\n",
         {"4.5.0", "4.5.0"},
         "yy",
         0},
        {"EHLO", "250\r\n", {"250", "250"}, "nn", 1},
    };

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct store_due *rows[2];

            reset();
            far->sink.offers = round ? "PIPELINING\nSIZE" : "SIZE";
            sink_rule(&far->sink, cases[i].command, cases[i].reply, 0);
            rows[0] = queue(1, "bert@far.example");
            rows[1] = queue(1, "carl@far.example");
            run();
            fake_sleep(1000);
            for (unsigned j = 0; j < 2; j++) {
                bool right =
                    is_queued(rows[j]) == (cases[i].queued[j] == 'y') &&
                    strstr(rows[j]->reply, cases[i].text[j]) != NULL;

                if (!right)
                    printf("%s -> %s: %u %s\n%s", cases[i].command,
                           cases[i].reply, j, rows[j]->reply, far->sink.log);
                CHECK(right);
            }
            CHECK(far->sink.message_count == cases[i].messages);
            far->sink.fault = NULL; /* of servers that answer nonsense */
            check_rest();
        }
    }
}

/* Too many recipients for one transaction: the rest goes in a further one. */
static void test_too_many(void)
{
    reset();
    sink_rule(&far->sink, "RCPT TO:<c", "452 4.5.3 too many\r\n", 1);
    (void)queue(1, "a@far.example");
    (void)queue(1, "b@far.example");
    (void)queue(1, "c@far.example");
    run();
    fake_sleep(1000);
    CHECK(far->sink.message_count == 2 && far->sink.connections == 1);
    CHECK(!is_queued(&fake_rows[2]));
    reset();
    far->sink.offers = "PIPELINING\nLIMITS MAILMAX=5 RCPTMAX=2";
    for (unsigned i = 0; i < 5; i++)
        (void)queue(1, "a@far.example");
    run();
    fake_sleep(1000);
    CHECK(far->sink.message_count == 3 && far->sink.connections == 1);
    check_rest();
    /* And so many messages on a connection. */
    reset();
    far->sink.offers = "LIMITS MAILMAX=2";
    for (unsigned i = 0; i < 40; i++)
        (void)queue(1 + i, "a@far.example");
    run();
    fake_sleep(1000);
    CHECK(far->sink.message_count == 40 && far->sink.connections >= 20);
    CHECK(far->sink.connections <= 30);
    check_rest();
}

/* A connection that is closed after each message is no reason to wait. */
static void test_one_a_connection(void)
{
    reset();
    sink_rule(&far->sink, "BODY", "250 2.0.0 ok\r\n!close", 0);
    for (unsigned i = 0; i < 20; i++)
        (void)queue(1 + i, "a@far.example");
    run();
    fake_sleep(1000);
    CHECK(far->sink.message_count == 20);
    check_rest();
}

static void test_offers(void)
{
    struct store_due *row;

    reset();
    far->sink.offers = "SIZE 50";
    row = queue(1, "a@far.example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && strstr(row->reply, "552 5.3.4") != NULL);
    CHECK(!logged("MAIL"));
    reset();
    row = queue(1, "a@far.example");
    row->smtputf8 = true;
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && strstr(row->reply, "550 5.6.7") != NULL);
    reset();
    far->sink.offers = "SMTPUTF8\n8BITMIME\nDSN\nSIZE";
    row = queue(1, "b\xc3\xa4@far.example");
    row->smtputf8 = row->eight_bit = true;
    row->notify = STORE_NOTIFY_SUCCESS | STORE_NOTIFY_DELAY;
    row->returning = STORE_RETURN_HEADERS;
    strcpy(row->envid, "e+2B1");
    strcpy(row->orcpt, "utf-8;b+C3+A4@far.example");
    run();
    fake_sleep(1000);
    CHECK(logged("MAIL FROM:<anna@here.example> SIZE=68 BODY=8BITMIME "
                 "SMTPUTF8 RET=HDRS ENVID=e+2B1\n"
                 "RCPT TO:<b\xc3\xa4@far.example> NOTIFY=SUCCESS,DELAY "
                 "ORCPT=utf-8;b+C3+A4@far.example\n"));
    CHECK(!is_queued(row) && fake_notice_count == 0);
    /* Such an address needs it, whatever was declared, and its domain is asked
     * for in the form that the DNS knows. */
    reset();
    fake_name("xn--bcher-kva.example", DNS_MX, 10, "mx.far.example");
    far->sink.offers = "SMTPUTF8";
    row = queue(1, "b@b\xc3\xbc"
                   "cher.example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && logged("> SMTPUTF8\n"));
    /* What would be one more command is left out. */
    reset();
    far->sink.offers = "DSN";
    row = queue(1, "a@far.example");
    strcpy(row->envid, "e\r\nRSET");
    strcpy(row->orcpt, "rfc822;a SIZE=1");
    run();
    fake_sleep(1000);
    CHECK(logged("MAIL FROM:<anna@here.example>\nRCPT TO:<a@far.example>\n"));
    check_rest();
}

/* Of a message in ASCII, only those whose address is not get nothing from a
 * server that does not know such addresses. */
static void test_one_in_utf8(void)
{
    struct store_due *plain, *other;

    reset();
    plain = queue(1, "a@far.example");
    other = queue(1, "\303\274@far.example");
    (void)queue(1, "b@far.example");
    run();
    fake_sleep(1000);
    CHECK(!is_queued(plain) && !is_queued(other));
    CHECK(far->sink.message_count == 1);
    CHECK(strcmp(far->sink.messages[0].recipients,
                 "a@far.example b@far.example ") == 0);
    CHECK(!logged("SMTPUTF8"));
    CHECK(strncmp(other->reply, "550 5.6.7", 9) == 0);
    CHECK(fake_notice_count == 1);
    CHECK(strstr(fake_notices, "utf-8; \303\274@far.example") != NULL);
    CHECK(strstr(fake_notices, "message/global-delivery-status") != NULL);
    check_rest();
}

static void test_silence(void)
{
    static const char *const at[] = {"CONNECT", "EHLO", "MAIL",
                                     "RCPT",    "DATA", "BODY"};

    for (unsigned i = 0; i < 6; i++) {
        struct store_due *row;

        reset();
        far->sink.offers = "SIZE";
        sink_rule(&far->sink, at[i], "!silent", 0);
        row = queue(1, "a@far.example");
        run();
        fake_sleep(4 * MINUTE);
        CHECK(is_queued(row) && row->attempts == 0);
        fake_sleep(7 * MINUTE);
        CHECK(row->attempts >= 1 && strstr(row->reply, "timed out") != NULL);
        fake_sleep(20 * MINUTE);
    }
    reset();
    far->silent = true;
    fake_sleep(1);
    (void)queue(1, "a@far.example");
    run();
    fake_sleep(61000);
    CHECK(fake_rows[0].attempts == 1 && strstr(fake_rows[0].reply, "connect"));
    /* A server that never takes the end of a line as one. */
    reset();
    sink_rule(&far->sink, "CONNECT", "220 a\n220 b\n", 0);
    (void)queue(1, "a@far.example");
    run();
    fake_sleep(6 * MINUTE);
    CHECK(fake_rows[0].attempts == 1);
}

/* Two hosts with much mail, which could have all sessions for themselves, and a
 * third one: it has its turn before they are done. */
static void test_turns(void)
{
    struct fake_peer *busy;

    frame_memory = 1;
    reset();
    fake_name("one.example", DNS_A, 0, "192.0.2.20");
    fake_name("two.example", DNS_A, 0, "192.0.2.20");
    busy = fake_peer("192.0.2.20");
    busy->sink.offers = "PIPELINING\nLIMITS MAILMAX=1";
    for (unsigned i = 0; i < 100; i++)
        (void)queue(100 + i, i & 1 ? "x@one.example" : "x@two.example");
    relay_start();
    for (unsigned i = 0; i < 10000 && busy->sink.message_count == 0; i++)
        (void)fake_turn();
    (void)queue(300, "x@far.example");
    fake_changed();
    for (unsigned i = 0; i < 10000 && far->sink.message_count == 0; i++)
        (void)fake_turn();
    CHECK(far->sink.message_count == 1 && busy->sink.message_count < 50);
    fake_sleep(1000);
    CHECK(busy->sink.message_count == 100);
    check_rest();
    frame_memory = 4 << 20;
}

/* Whoever makes us send notices to servers of his that never say a word does
 * not keep us from sending what users write: not to others, nor to there. */
static void test_tarpits(void)
{
#define TARPITTED 300
    struct store_due *row, *behind;
    unsigned tried = 0;

    frame_memory = 1;
    reset();
    fake_name("dumb.example", DNS_A, 0, "192.0.2.20");
    sink_rule(&fake_peer("192.0.2.20")->sink, "CONNECT", "!silent", 0);
    for (unsigned i = 0; i < TARPITTED; i++) {
        static char names[20][20];
        char address[40];

        if (i < 20) {
            snprintf(names[i], sizeof(names[i]), "t%u.example", i);
            fake_name(names[i], DNS_MX, 0, "dumb.example");
        }
        snprintf(address, sizeof(address), "a@%s", names[i % 20]);
        queue(100 + i, address)->sender[0] = '\0';
    }
    run();
    fake_sleep(1000);
    queue(30, "a@far.example")->sender[0] = '\0';
    behind = queue(31, "b@far.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(!is_queued(behind));
    row = queue(32, "a@far.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(!is_queued(row));
    /* In the end everything had its turn. */
    fake_sleep(HOUR);
    CHECK(!is_queued(&fake_rows[TARPITTED]) && far->sink.message_count == 3);
    for (unsigned i = 0; i < TARPITTED; i++)
        tried += fake_rows[i].attempts >= 1;
    CHECK(tried == TARPITTED);
    frame_memory = 4 << 20;
}

/* A server that takes its time for each of many recipients. */
static void test_slow_recipients(void)
{
    reset();
    far->sink.offers = "8BITMIME";
    for (unsigned i = 0; i < 30; i++) {
        char name[40];

        snprintf(name, sizeof(name), "a%u@far.example", i);
        (void)queue(1, name);
    }
    fake_held = true;
    run();
    for (unsigned i = 0; i < 40; i++) {
        fake_sleep(20000);
        fake_held = false;
        (void)fake_turn();
        fake_held = true;
    }
    CHECK(far->sink.connections == 1 && far->sink.message_count == 1);
    fake_held = false;
    fake_sleep(1000);
    CHECK(!is_queued(&fake_rows[0]) && !is_queued(&fake_rows[29]));
    check_rest();
}

/* Answers that come before what they are for, to a client whose words wait for
 * room; and one while the message is on its way. */
static void test_too_early(void)
{
    static const char *const early[] = {
        "220 a\r\n502 b\r\n250 c\r\n",
        "220 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n",
        "220 a\r\n250-b\r\n250 CHUNKING\r\n250 c\r\n250 d\r\n250 e\r\n",
    };

    for (unsigned i = 0; i < 3; i++) {
        reset();
        fake_space_max = 7;
        sink_rule(&far->sink, "CONNECT", early[i], 0);
        sink_rule(&far->sink, "", "!silent", 0);
        (void)queue(1, "a@far.example");
        run();
        fake_sleep(1000);
        CHECK(fake_rows[0].attempts == 1);
        CHECK(strstr(fake_rows[0].reply, "451 4.5.0") != NULL);
        check_rest();
    }
    for (unsigned i = 0; i < 2; i++) {
        static char big[40000];

        reset();
        memset(big, 'x', sizeof(big));
        put_message(2, big, sizeof(big));
        fake_space_max = 1000;
        sink_rule(&far->sink, "DATA",
                  i ? "354 go\r\n552 5.2.3 big\r\n" : "354 go\r\n451 no\r\n",
                  0);
        (void)queue(2, "a@far.example");
        run();
        fake_sleep(1000);
        CHECK(is_queued(&fake_rows[0]) == (i == 0));
        check_rest();
    }
}

static void test_endless(void)
{
    static char line[100000], lines[4000];

    memset(line, 'x', sizeof(line) - 3);
    memcpy(line, "220 ", 4);
    memcpy(line + sizeof(line) - 3, "\r\n", 3);
    for (unsigned i = 0; i < 300; i++)
        strcat(lines, "220-more\r\n");
    for (unsigned i = 0; i < 2; i++) {
        reset();
        sink_rule(&far->sink, "CONNECT", i ? lines : line, 0);
        (void)queue(1, "a@far.example");
        run();
        fake_sleep(1000);
        CHECK(fake_rows[0].attempts == 1);
        CHECK(strstr(fake_rows[0].reply, "451 4.5.0") != NULL);
        check_rest();
    }
}

int main(void)
{
    test_one();
    test_cuts();
    test_many_recipients();
    test_many_messages();
    test_undurable();
    test_mx_order();
    test_implicit_mx();
    test_dead_ends();
    test_loop_behind();
    test_literal_and_route();
    test_auth();
    test_answers();
    test_too_many();
    test_one_a_connection();
    test_offers();
    test_one_in_utf8();
    test_silence();
    test_slow_recipients();
    test_turns();
    test_tarpits();
    test_too_early();
    test_endless();
    return check_report();
}
