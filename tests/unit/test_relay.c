/* The relay against scripted servers: every path of a delivery, and servers
 * that do what they should not. */
#include "check.h"
#include "fake_relay.h"

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

static const struct user anna = {.id = 7, .name = "anna", .enabled = true};

const struct user *directory_resolve(const char *local, size_t local_len,
                                     const char *domain, size_t domain_len,
                                     enum err *why)
{
    *why = ERR_REFUSED;
    if (domain_len != 0 && strncasecmp(domain, "here.example", domain_len) != 0)
        return NULL;
    *why = ERR_NOT_FOUND;
    if (strncmp(local, "anna", local_len) == 0 ||
        strncmp(local, "postmaster", local_len) == 0)
        return &anna;
    return NULL;
}

/* ---- The frame ----------------------------------------------------------- */

static void reset(void)
{
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
    CHECK(relay_init(4 << 20, is_own) == OK);
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

int main(void)
{
    test_one();
    test_cuts();
    test_many_recipients();
    test_many_messages();
    return check_report();
}
