/* Playing SMTP dialogues: each in several ways of cutting it into spans and of
 * room for replies, and it has to give the same answers in each. */
#ifndef TESTS_UNIT_SMTP_PLAY_H
#define TESTS_UNIT_SMTP_PLAY_H

#include "smtp/smtp_session.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"

#define SESSIONS 4

#define GREETING "220 mail.example.org ESMTP Barepost\r\n"
#define HELLO    "250 mail.example.org\r\n"
#define EXTENDED                                                               \
    "250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 33554432\r\n"          \
    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"       \
    "250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN LOGIN\r\n"           \
    "250-LIMITS RCPTMAX=100\r\n250 HELP\r\n"
#define SENDER    "250 2.1.0 Sender ok\r\n"
#define RECIPIENT "250 2.1.5 Recipient ok\r\n"
#define START     "354 Send the message, end with .\r\n"
#define STORED    "250 2.0.0 Ok: message \1\r\n"
#define BYE       "221 2.0.0 mail.example.org closing the connection\r\n"
#define SEQUENCE  "503 5.5.1 Bad sequence of commands\r\n"
#define BARE      "550 5.6.11 Message has a bare CR or LF\r\n"
#define NO_USER   "550 5.1.1 No such user here\r\n"
#define NO_RELAY  "550 5.7.1 Relaying denied\r\n"
#define NOT_YOURS "550 5.7.1 This is not your address\r\n"
#define LOGGED_IN "235 2.7.0 Logged in\r\n"
#define OKAY      "250 2.0.0 Ok\r\n"
#define GONE      "451 4.3.0 Mail store not available, try again later\r\n"
#define FULL      "452 4.3.1 Mail store is full\r\n"
#define SOON      "451 4.3.2 Mail store is busy, try again later\r\n"
#define TOO_MANY  "452 4.5.3 Too many recipients\r\n"
#define TOO_BIG   "552 5.3.4 Message too big\r\n"

#define TRACE_OF(sender, helo, with)                                           \
    "Return-Path: <" sender ">\r\nReceived: from " helo                        \
    " ([192.0.2.7])\r\n\tby mail.example.org with " with " id \1\r\n\t\1\r\n"

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

static inline unsigned idle_tasks(void)
{
    struct task_pool *pool =
        LIST_ELEMENT(task_pools()->next, struct task_pool, link);

    return pool->free;
}

/* Nothing may be left behind by a session. */
static inline void check_clean(void)
{
    struct smtp_figures figures;

    smtp_figures(&figures);
    CHECK(figures.sessions == 0);
    CHECK(idle_tasks() == SESSIONS);
    CHECK(fake_st.inbound_count == 0);
    CHECK(list_empty(&fake_st.commits));
    CHECK(list_empty(&fake_st.requests));
}

/* Plays a dialogue in every way; true when the answers were always these. The
 * connection is lost at the end if the server has not closed it. */
static inline bool play_bytes(const void *bytes, size_t len,
                              const char *answers)
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

static inline bool play(const char *text, const char *answers)
{
    return play_bytes(text, strlen(text), answers);
}

static inline const struct fake_message *last_stored(void)
{
    static const struct fake_message none;

    return fake_st.stored_count > 0 ? &fake_st.stored[fake_st.stored_count - 1]
                                    : &none;
}

/* What the last play stored. */
static inline bool stored(const char *pattern)
{
    const struct fake_message *last = last_stored();

    if (last->bytes == NULL)
        return false;
    if (fake_matches(last->bytes, last->len, pattern))
        return true;
    printf("stored: %.*s\n", (int)last->len, last->bytes);
    return false;
}

static inline void start_server(void)
{
    fake_machine.wall_clock_offset_ms = 1795491321000;
    task_module_init();
    timer_module_init();
    timer_run();
    fake_store_reset();
    CHECK(smtp_server_init(SESSIONS) == OK);
    smtp_server_start();
}

#endif
