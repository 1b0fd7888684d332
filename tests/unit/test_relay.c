/* The relay against scripted servers: every path of a delivery, and servers
 * that do what they should not. */
#include "check.h"
#include "fake_relay.h"
#include "userdb/directory.h"

#define MINUTE 60000u
#define HOUR   (60u * MINUTE)

static const char body[] = "Return-Path: <anna@here.example>\r\n"
                           "Subject: one\r\n\r\n"
                           ".dot\r\n..two\r\nend\r\n";
/* As it leaves. */
static const char body_sent[] = "Subject: one\r\n\r\n"
                                ".dot\r\n..two\r\nend\r\n";

static struct fake_peer *far;

static bool is_own(const struct net_address *address)
{
    struct net_address own = net_address_v4(0xc0000201);

    return net_address_equal(address, &own);
}

static bool network_up = true;

static bool is_up(void)
{
    return network_up;
}

static const struct relay_network network = {.is_up = is_up, .is_own = is_own};

static const struct user anna = {.id = 7, .name = "anna", .enabled = true};

enum err directory_expand(const char *local, size_t local_len,
                          const char *domain, size_t domain_len,
                          const struct directory_expansion **expansion)
{
    static struct directory_expansion found = {.count = 1};

    *expansion = &found;
    if (domain_len != 0 && strncasecmp(domain, "here.example", domain_len) != 0)
        return ERR_REFUSED;
    found.targets[0].user = &anna;
    return strncmp(local, "anna", local_len) == 0 ||
                   strncmp(local, "postmaster", local_len) == 0
               ? OK
               : ERR_NOT_FOUND;
}

/* ---- The frame ----------------------------------------------------------- */

static void reset(void)
{
    while (fake_streams.next != NULL && !list_empty(&fake_streams))
        fake_free(LIST_ELEMENT(fake_streams.next, struct fake_stream, link));
    fake_memory_used = 0;
    fake_machine.wall_clock_offset_ms = 1700000000000;
    for (unsigned i = 0; i < fake_peer_count; i++)
        sink_clear(&fake_peers[i].sink);
    memset(fake_peers, 0, sizeof(fake_peers));
    memset(fake_rows, 0, sizeof(fake_rows));
    memset(fake_settings, 0, sizeof(fake_settings));
    memset(&fake_route, 0, sizeof(fake_route));
    fake_peer_count = fake_row_count = fake_name_count = 0;
    fake_settlements = fake_lookups = fake_open_most = 0;
    fake_notice_count = 0;
    fake_notices[0] = '\0';
    fake_settle_error = fake_read_error = OK;
    fake_no_cancel = false;
    fake_space_max = 65536;
    fake_piece = SIZE_MAX;
    list_init(&fake_questions);
    list_init(&fake_requests);
    list_init(&fake_streams);
    timer_module_init();
    task_module_init();
    CHECK(relay_init(4 << 20, &network) == OK);
    fake_name("far.example", DNS_MX, 10, "mx.far.example");
    fake_name("mx.far.example", DNS_A, 0, "192.0.2.9");
    far = fake_peer("192.0.2.9");
}

/* Everything has come to rest, and nothing is left over. */
static void check_rest(void)
{
    CHECK(relay_idle());
    CHECK(fake_open_streams == 0);
    for (unsigned i = 0; i < fake_peer_count; i++) {
        if (fake_peers[i].sink.fault)
            printf("fault: %s\n%s", fake_peers[i].sink.fault,
                   fake_peers[i].sink.log);
        CHECK(fake_peers[i].sink.fault == NULL);
    }
}

static void put_message(int64_t id, const char *bytes, size_t len)
{
    fake_messages[id] = (struct fake_message){bytes, len};
}

static struct store_due *queue(int64_t id, const char *recipient)
{
    struct store_due *row = &fake_rows[fake_row_count++];

    if (fake_messages[id].body == NULL)
        put_message(id, body, sizeof(body) - 1);
    memset(row, 0, sizeof(*row));
    row->queue_id = (int64_t)fake_row_count;
    row->message_id = id;
    row->received_ms = row->next_ms = machine_wall_clock_ms();
    row->expires_ms = row->received_ms + (int64_t)120 * HOUR;
    row->bytes = fake_messages[id].len;
    row->route = fake_route;
    strcpy(row->sender, "anna@here.example");
    strcpy(row->recipient, recipient);
    return row;
}

static void run(void)
{
    relay_start();
    fake_rest();
}

static bool is_queued(const struct store_due *row)
{
    return row->queue_id != 0;
}

static bool logged(const char *text)
{
    return strstr(far->sink.log, text) != NULL;
}

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

/* ---- Time
 * -------------------------------------------------------------------- */

/* For ever "later": a notice of the delay, and at the end that it failed. */
static void test_five_days(void)
{
    struct store_due *row;

    reset();
    sink_rule(&far->sink, "RCPT", "450 4.2.0 greylisted\r\n", 0);
    row = queue(1, "bert@far.example");
    strcpy(row->orcpt, "rfc822;Bert+2Bx@far.example");
    strcpy(row->envid, "id+2B1");
    run();
    fake_sleep(1000);
    CHECK(row->attempts == 1);
    CHECK(row->next_ms - machine_wall_clock_ms() < 140000);
    fake_sleep(3 * HOUR);
    CHECK(row->attempts >= 5 && fake_notice_count == 0);
    fake_sleep(5 * HOUR);
    CHECK(fake_notice_count == 1 && row->delayed);
    CHECK(strstr(fake_notices, "Subject: Your message is delayed\r\n"));
    CHECK(strstr(fake_notices, "Action: delayed\r\n"));
    CHECK(strstr(fake_notices, "Status: 4.2.0\r\n"));
    CHECK(strstr(fake_notices, "Will-Retry-Until: "));
    CHECK(strstr(fake_notices, "(header)"));
    fake_sleep((uint64_t)100 * HOUR);
    CHECK(is_queued(row) && fake_notice_count == 1);
    fake_sleep((uint64_t)20 * HOUR);
    CHECK(!is_queued(row) && fake_notice_count == 2);
    CHECK(row->attempts > 20 && row->attempts < 60);
    CHECK(strstr(fake_notices, "Action: failed\r\nStatus: 4.4.7\r\n"
                               "Remote-MTA: dns; mx.far.example\r\n"
                               "Diagnostic-Code: smtp; 450 4.2.0 greylisted"));
    CHECK(strstr(fake_notices, "Original-Recipient: "
                               "rfc822;Bert+x@far.example\r\n"
                               "Final-Recipient: rfc822; bert@far.example"));
    CHECK(strstr(fake_notices, "Original-Envelope-Id: id+1\r\n"));
    CHECK(strstr(fake_notices, "(whole)"));
    CHECK(fake_notice_user == 7);
    check_rest();
}

static void test_greylisting(void)
{
    struct store_due *row;

    reset();
    sink_rule(&far->sink, "RCPT", "451 4.7.1 greylisted\r\n", 1);
    row = queue(1, "bert@far.example");
    run();
    fake_sleep(3 * MINUTE);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

/* ---- Notices
 * ----------------------------------------------------------------- */

static void test_notice_wishes(void)
{
    static const struct {
        const char *rule;
        uint8_t notify;
        unsigned notices;
    } cases[] = {
        {"550 5.1.1 no\r\n", STORE_NOTIFY_DEFAULT, 1},
        {"550 5.1.1 no\r\n", STORE_NOTIFY_NEVER, 0},
        {"550 5.1.1 no\r\n", STORE_NOTIFY_SUCCESS, 0},
        {"550 5.1.1 no\r\n", STORE_NOTIFY_FAILURE, 1},
        {"250 ok\r\n", STORE_NOTIFY_DEFAULT, 0},
        {"250 ok\r\n", STORE_NOTIFY_SUCCESS, 1},
        {"250 ok\r\n", STORE_NOTIFY_FAILURE, 0},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reset();
        sink_rule(&far->sink, "RCPT", cases[i].rule, 0);
        queue(1, "bert@far.example")->notify = cases[i].notify;
        run();
        fake_sleep(1000);
        CHECK(fake_notice_count == cases[i].notices);
        check_rest();
    }
    CHECK(strstr(fake_notices, "Action: relayed\r\nStatus: 2.0.0") == NULL);
}

static void test_notice_addressees(void)
{
    reset();
    sink_rule(&far->sink, "RCPT", "550 5.1.1 no\r\n", 0);
    strcpy(queue(1, "a@far.example")->sender, "");
    strcpy(queue(2, "a@far.example")->sender, "x@away.example");
    run();
    fake_sleep(1000);
    CHECK(fake_notice_count == 1 && fake_notice_user == 0);
    CHECK(strcmp(fake_notice_remote, "x@away.example") == 0);
    CHECK(strstr(fake_notices, "Auto-Submitted: auto-replied\r\n"));
    CHECK(strstr(fake_notices, "Return-Path: <>\r\nDate: "));
    CHECK(strstr(fake_notices, "Message-ID: <"));
    strcpy(queue(3, "a@far.example")->sender, "gone@here.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(fake_notice_count == 1 && !is_queued(&fake_rows[2]));
    /* The postmaster may want to see them. */
    fake_settings[0][0] = "bounce_postmaster";
    fake_settings[0][1] = "yes";
    strcpy(queue(4, "a@far.example")->sender, "");
    fake_changed();
    fake_sleep(1000);
    CHECK(fake_notice_count == 2 && fake_notice_user == 7);
    check_rest();
}

static void test_notice_of_many(void)
{
    reset();
    sink_rule(&far->sink, "RCPT", "550 5.1.1 nobody of this name\r\n", 0);
    for (unsigned i = 0; i < 100; i++) {
        char name[300];

        snprintf(name, sizeof(name), "%0*u@far.example", i < 50 ? 250 : 3, i);
        (void)queue(1, name);
    }
    run();
    fake_sleep(1000);
    for (unsigned i = 0; i < 100; i++)
        CHECK(!is_queued(&fake_rows[i]));
    CHECK(fake_notice_count >= 1 && fake_notice_count <= 3);
    check_rest();
}

/* ---- The store
 * --------------------------------------------------------------- */

/* The stick is pulled out between the server's 250 and our commit, and put
 * back: nobody gets it twice. */
static void test_stick_away(void)
{
    struct store_due *row;

    reset();
    fake_settle_error = ERR_GONE;
    row = queue(1, "a@far.example");
    run();
    fake_sleep(10 * MINUTE);
    CHECK(is_queued(row) && far->sink.message_count == 1);
    CHECK(!relay_idle());
    fake_settle_error = OK;
    fake_sleep(2000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
    /* The message cannot be read: nothing of it is sent. */
    reset();
    fake_read_error = ERR_GONE;
    row = queue(1, "a@far.example");
    run();
    fake_sleep(1000);
    CHECK(is_queued(row) && row->attempts == 0);
    fake_read_error = OK;
    fake_sleep(6000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

/* Servers that cut off while reads of the store are at work. */
static void test_late_reads(void)
{
    for (unsigned i = 0; i < 200; i++) {
        static const char *const at[] = {"CONNECT", "EHLO", "MAIL",
                                         "RCPT",    "DATA", "BODY"};

        reset();
        fake_no_cancel = i & 1;
        fake_name("far.example", DNS_MX, 20, "other.example");
        fake_name("other.example", DNS_A, 0, "192.0.2.10");
        sink_rule(&far->sink, at[fake_below(6)], "!reset", 1 + fake_below(3));
        sink_rule(&fake_peer("192.0.2.10")->sink, at[fake_below(6)], "!close",
                  1 + fake_below(3));
        for (unsigned j = 0; j < 10; j++)
            (void)queue(1 + j, "a@far.example");
        run();
        fake_sleep(HOUR);
        for (unsigned j = 0; j < 10; j++)
            CHECK(!is_queued(&fake_rows[j]));
        CHECK(far->sink.message_count +
                  fake_peer("192.0.2.10")->sink.message_count >=
              10);
        check_rest();
    }
}

static void test_administrator(void)
{
    struct store_due *row;

    reset();
    row = queue(1, "a@far.example");
    row->state = STORE_QUEUE_BOUNCE;
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && fake_notice_count == 1);
    CHECK(far->sink.connections == 0);
    /* A host that did not answer is left alone, unless it is wanted now. */
    far->refuses = true;
    row = queue(2, "a@far.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(row->attempts == 1);
    far->refuses = false;
    row->next_ms = machine_wall_clock_ms();
    fake_changed();
    fake_sleep(1000);
    CHECK(row->attempts == 2 && far->sink.connections == 0);
    row->next_ms = 0;
    fake_changed();
    fake_sleep(1000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

/* Without a network, or a connection that is free, nothing counts as tried. */
static void test_nothing_free(void)
{
    struct store_due *row;

    reset();
    network_up = false;
    row = queue(1, "a@far.example");
    run();
    fake_sleep(10 * MINUTE);
    CHECK(row->attempts == 0 && fake_lookups == 0);
    network_up = true;
    fake_full = true;
    fake_sleep(10 * MINUTE);
    CHECK(row->attempts == 0 && is_queued(row));
    fake_full = false;
    fake_sleep(2000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

static void test_stop(void)
{
    reset();
    sink_rule(&far->sink, "DATA", "!silent", 0);
    (void)queue(1, "a@far.example");
    run();
    CHECK(!relay_idle());
    relay_stop();
    fake_rest();
    CHECK(is_queued(&fake_rows[0]) && fake_rows[0].attempts == 0);
    check_rest();
}

int main(void)
{
    test_one();
    test_cuts();
    test_many_recipients();
    test_many_messages();
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
    test_silence();
    test_endless();
    test_five_days();
    test_greylisting();
    test_notice_wishes();
    test_notice_addressees();
    test_notice_of_many();
    test_stick_away();
    test_late_reads();
    test_administrator();
    test_nothing_free();
    test_stop();
    return check_report();
}
