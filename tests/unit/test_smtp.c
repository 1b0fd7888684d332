/* The SMTP server against a fake stream and a fake store. Every dialogue is
 * played in several ways of cutting it into spans and of room for replies, and
 * has to give the same answers in each. */
#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"
#include "smtp/smtp_session.h"
#include "core/iobuf.h"

#define SESSIONS 4

#define GREETING "220 mail.example.org ESMTP Barepost\r\n"
#define HELLO    "250 mail.example.org\r\n"
#define EXTENDED                                                               \
    "250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 33554432\r\n"          \
    "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-LIMITS RCPTMAX=100\r\n"    \
    "250 HELP\r\n"
#define SENDER    "250 2.1.0 Sender ok\r\n"
#define RECIPIENT "250 2.1.5 Recipient ok\r\n"
#define START     "354 Send the message, end with .\r\n"
#define STORED    "250 2.0.0 Ok: message \1\r\n"
#define BYE       "221 2.0.0 mail.example.org closing the connection\r\n"
#define SEQUENCE  "503 5.5.1 Bad sequence of commands\r\n"
#define BARE      "550 5.6.11 Message has a bare CR or LF\r\n"

#define TRACE_OF(sender, helo, with)                                           \
    "Return-Path: <" sender ">\r\nReceived: from " helo                        \
    " ([192.0.2.7])\r\n\tby mail.example.org with " with " id \1\r\n\t\1\r\n"

static unsigned idle_tasks(void)
{
    struct task_pool *pool =
        LIST_ELEMENT(task_pools()->next, struct task_pool, link);

    return pool->free;
}

/* Nothing may be left behind by a session. */
static void check_clean(void)
{
    struct smtp_figures figures;

    smtp_figures(&figures);
    CHECK(figures.sessions == 0);
    CHECK(idle_tasks() == SESSIONS);
    CHECK(fake_st.inbound_count == 0);
    CHECK(list_empty(&fake_st.commits));
}

static const struct fake_play plays[] = {
    {SIZE_MAX, false, 65536, 65536, false},
    {1, false, 65536, 65536, false},
    {2, false, 65536, 65536, false},
    {0, false, 65536, 65536, false},
    {0, true, 65536, 65536, false},
    {0, true, 65536, 65536, true},
    {SIZE_MAX, true, 65536, 65536, false},
    {SIZE_MAX, true, 65536, 65536, true},
    {SIZE_MAX, false, 100, 7, false},
    {SIZE_MAX, false, 1, 1, false},
    {1, false, 40, 1, false},
    {0, true, 60, 13, true},
};
#define PLAYS (sizeof(plays) / sizeof(plays[0]))

/* Set by a test: how the store behaves; called before each play. */
static void (*prepare)(void);

/* Plays a dialogue in every way; true when the answers were always these. The
 * connection is lost at the end if the server has not closed it. */
static bool play_bytes(const void *bytes, size_t len, const char *answers)
{
    bool same = true;
    size_t i;

    for (i = 0; i < PLAYS; i++) {
        struct fake_stream fake;

        fake_store_reset();
        fake_st.delay = (unsigned)i % 3;
        fake_st.budget = i % 2 == 0 ? 0 : 1 + 7 * i;
        if (prepare != NULL)
            prepare();
        fake_connect(&fake, &plays[i]);
        fake_send(&fake, &plays[i], bytes, len);
        if (!fake_matches(fake.out, fake.out_len, answers)) {
            printf("play %zu of \"%.60s\" gave:\n%s\n", i, (const char *)bytes,
                   fake.out);
            same = false;
        }
        fake_lose(&fake, ERR_RESET);
        fake_free(&fake);
        check_clean();
        if (!same)
            break;
    }
    return same;
}

static bool play(const char *text, const char *answers)
{
    return play_bytes(text, strlen(text), answers);
}

/* What the last play stored. */
static bool stored(const char *pattern)
{
    const struct fake_message *last;

    if (fake_st.stored_count == 0)
        return false;
    last = &fake_st.stored[fake_st.stored_count - 1];
    if (fake_matches(last->bytes, last->len, pattern))
        return true;
    printf("stored: %.*s\n", (int)last->len, last->bytes);
    return false;
}

static void test_plain(void)
{
    CHECK(
        play("HELO client.test\r\nMAIL FROM:<x@y.test>\r\n"
             "RCPT TO:<anna@example.org>\r\nDATA\r\nSubject: a\r\n\r\nHello\r\n"
             ".\r\nQUIT\r\n",
             GREETING HELLO SENDER RECIPIENT START STORED BYE));
    CHECK(fake_st.stored_count == 1);
    CHECK(stored(TRACE_OF("x@y.test", "client.test",
                          "SMTP") "Subject: a\r\n\r\nHello\r\n"));
    CHECK(strcmp(fake_st.stored[0].sender, "x@y.test") == 0);
    CHECK(fake_st.stored[0].user_count == 1 && fake_st.stored[0].users[0] == 1);
}

int main(void)
{
    fake_machine.wall_clock_offset_ms = 1795491321000;
    task_module_init();
    timer_module_init();
    timer_run();
    fake_store_reset();
    CHECK(smtp_server_init(SESSIONS) == OK);
    smtp_server_start();
    test_plain();
    return check_report();
}
