/* The SMTP server against a fake stream and a fake store: commands, states,
 * the end of data, what fails. */
#include "tests/unit/smtp_play.h"

#define HELP                                                                   \
    "214 2.0.0 HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY AUTH "        \
    "HELP\r\n"

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

#define TO_RCPT                                                                \
    "EHLO c.test\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<anna@example.org>\r\n"
#define AT_RCPT GREETING EXTENDED SENDER RECIPIENT
#define TO_DATA TO_RCPT "DATA\r\n"
#define AT_DATA AT_RCPT START
#define TRACE   TRACE_OF("x@y.test", "c.test", "ESMTP")

static void test_sequence(void)
{
    CHECK(play("MAIL FROM:<>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\n"
               "QUIT\r\n",
               GREETING "503 5.5.1 Send HELO or EHLO first\r\n"
                        "503 5.5.1 Send HELO or EHLO first\r\n"
                        "503 5.5.1 Send HELO or EHLO first\r\n" BYE));
    CHECK(
        play("EHLO c.test\r\nRCPT TO:<anna@example.org>\r\nDATA\r\n"
             "MAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\nRSET\r\nDATA\r\n"
             "QUIT\r\n",
             GREETING EXTENDED SEQUENCE SEQUENCE SENDER SEQUENCE
             "554 5.5.1 No valid recipients\r\n250 2.0.0 Ok\r\n" SEQUENCE BYE));
    /* EHLO in a transaction ends it (RFC 5321 4.1.4). */
    CHECK(play(TO_RCPT "EHLO c.test\r\nDATA\r\nQUIT\r\n",
               AT_RCPT EXTENDED SEQUENCE BYE));
    CHECK(play(TO_RCPT "MAIL FROM:<>\r\nHELO d\r\nDATA\r\nQUIT\r\n",
               AT_RCPT SEQUENCE HELLO SEQUENCE BYE));
}

/* Every command in every state that reads commands. */
static void test_every_pair(void)
{
    static const char *const states[] = {
        "", "EHLO c.test\r\n", "EHLO c.test\r\nMAIL FROM:<>\r\n", TO_RCPT};
    static const struct {
        const char *command;
        unsigned codes[4];
    } rows[] = {
        {"MAIL FROM:<>", {503, 250, 503, 503}},
        {"RCPT TO:<anna@example.org>", {503, 503, 250, 250}},
        {"DATA", {503, 503, 554, 354}},
        {"QUIT", {221, 221, 221, 221}},
        {"EHLO c", {250, 250, 250, 250}},
        {"HELO c", {250, 250, 250, 250}},
        {"RSET", {250, 250, 250, 250}},
        {"NOOP", {250, 250, 250, 250}},
        {"VRFY anna", {252, 252, 252, 252}},
        {"HELP", {214, 214, 214, 214}},
        {"EXPN anna", {502, 502, 502, 502}},
        {"ETRN x", {502, 502, 502, 502}},
        {"STARTTLS", {502, 502, 502, 502}},
        {"FOO", {500, 500, 500, 500}},
        {"", {500, 500, 500, 500}},
    };
    size_t row, i;

    for (row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        for (i = 0; i < 4; i++) {
            struct fake_stream fake;
            size_t before;

            fake_store_reset();
            fake_connect(&fake, &fake_play_plain);
            fake_send(&fake, &fake_play_plain, states[i], strlen(states[i]));
            before = fake.out_len;
            fake_send(&fake, &fake_play_plain, rows[row].command,
                      strlen(rows[row].command));
            fake_send(&fake, &fake_play_plain, "\r\n", 2);
            CHECK((unsigned)atoi(fake.out + before) == rows[row].codes[i]);
            fake_lose(&fake, ERR_RESET);
            fake_free(&fake);
            check_clean();
        }
    }
}

static void test_small_commands(void)
{
    CHECK(play("NOOP\r\nnoop  any thing \r\nVRFY anna\r\nVRFY\r\nHELP\r\n"
               "help me\r\nQUIT now\r\nquit  \r\n",
               GREETING "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n"
                        "252 2.5.0 Not verified; mail is tried\r\n"
                        "501 5.5.4 Argument missing or wrong\r\n" HELP HELP
                        "501 5.5.4 No argument allowed\r\n" BYE));
    CHECK(play("EXPN list\r\nETRN x\r\nSTARTTLS\r\nTURN\r\n"
               "FOO\r\n\r\nMAILX\r\nMAI\r\n",
               GREETING "502 5.5.1 Command not implemented\r\n"
                        "502 5.5.1 Command not implemented\r\n"
                        "502 5.5.1 Command not implemented\r\n"
                        "502 5.5.1 Command not implemented\r\n"
                        "500 5.5.2 Command not recognized\r\n"
                        "500 5.5.2 Command not recognized\r\n"
                        "500 5.5.2 Command not recognized\r\n"
                        "500 5.5.2 Command not recognized\r\n"));
    CHECK(play("EHLO\r\nHELO\r\nHELO bad name\r\nEHLO a..b\r\nEHLO <x>\r\n"
               "EHLO [192.0.2.9]\r\nHELO [IPv6:2001:db8::1]\r\n"
               "EHLO [1.2.3]\r\n",
               GREETING "501 5.5.4 Argument missing or wrong\r\n"
                        "501 5.5.4 Argument missing or wrong\r\n"
                        "501 5.5.2 Syntax error\r\n501 5.5.2 Syntax error\r\n"
                        "501 5.5.2 Syntax error\r\n" EXTENDED HELLO
                        "501 5.5.2 Syntax error\r\n"));
}

static void test_bad_lines(void)
{
    static const char nul[] = "NOOP\0x\r\nNO\0OP\r\nNOOP\r\n";

    CHECK(play_bytes(nul, sizeof(nul) - 1,
                     GREETING "500 5.5.2 Control character in command\r\n"
                              "500 5.5.2 Control character in command\r\n"
                              "250 2.0.0 Ok\r\n"));
    /* A bare LF or CR ends no line. */
    CHECK(play("NOOP\nNOOP\r\nNOOP\rNOOP\r\nNOOP\r\r\nNOOP\n\r\n\tNOOP\r\n"
               "NOOP\r\n",
               GREETING "500 5.5.2 Control character in command\r\n"
                        "500 5.5.2 Control character in command\r\n"
                        "500 5.5.2 Control character in command\r\n"
                        "500 5.5.2 Control character in command\r\n"
                        "500 5.5.2 Control character in command\r\n"
                        "250 2.0.0 Ok\r\n"));
}

/* Lines of exactly the limit are read, longer ones are skipped whole. */
static void test_long_lines(void)
{
    static const size_t lengths[] = {2046, 2047, 2048, 2049, 3000, 70000};
    size_t i;

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i];
        char *text = malloc(len + 16);

        memcpy(text, "NOOP ", 5);
        memset(text + 5, 'x', len - 7);
        memcpy(text + len - 2, "\r\nQUIT\r\n", 9);
        CHECK(play_bytes(text, len + 6,
                         len <= 2048 ? GREETING "250 2.0.0 Ok\r\n" BYE
                                     : GREETING
                             "500 5.5.2 Line too long\r\n" BYE));
        free(text);
    }
}

static void test_mail(void)
{
    CHECK(play("EHLO c.test\r\nMAIL\r\nMAIL x\r\nMAIL TO:<a@b>\r\n"
               "MAIL FROM:\r\nMAIL FROM:a@b\r\nMAIL FROM:<a@b\r\n"
               "MAIL FROM:<a>\r\nMAIL FROM:<a@b>SIZE=1\r\n"
               "MAIL FROM:<postmaster>\r\n",
               GREETING EXTENDED "501 5.5.4 Argument missing or wrong\r\n"
                                 "501 5.5.2 Syntax error\r\n"
                                 "501 5.5.2 Syntax error\r\n"
                                 "501 5.1.7 Bad sender address syntax\r\n"
                                 "501 5.1.7 Bad sender address syntax\r\n"
                                 "501 5.1.7 Bad sender address syntax\r\n"
                                 "501 5.1.7 Bad sender address syntax\r\n"
                                 "501 5.1.7 Bad sender address syntax\r\n"
                                 "501 5.1.7 Bad sender address syntax\r\n"));
    CHECK(play("EHLO c.test\r\n"
               "MAIL FROM:<> FOO\r\nMAIL FROM:<> FOO=1 SIZE=1\r\n"
               "MAIL FROM:<> SIZE=x\r\nMAIL FROM:<> SIZE=\r\n"
               "MAIL FROM:<> SIZE=1 SIZE=1\r\nMAIL FROM:<> BODY=9BITMIME\r\n"
               "MAIL FROM:<> =1\r\n"
               "MAIL FROM:<> SIZE=33554433\r\n"
               "MAIL FROM:<> SIZE=99999999999999999999\r\n",
               GREETING EXTENDED "555 5.5.4 Parameter not recognized\r\n"
                                 "555 5.5.4 Parameter not recognized\r\n"
                                 "501 5.5.4 Bad parameter value\r\n"
                                 "501 5.5.4 Bad parameter value\r\n"
                                 "501 5.5.4 Bad parameter value\r\n"
                                 "501 5.5.4 Bad parameter value\r\n"
                                 "501 5.5.4 Bad parameter value\r\n"
                                 "552 5.3.4 Message too big\r\n"
                                 "552 5.3.4 Message too big\r\n"));
    CHECK(play("EHLO c.test\r\nmail from: <> size=33554432 body=8bitmime\r\n"
               "RSET\r\nMAIL FROM:<@a.b,@c:x@y.test>  BODY=7BIT \r\n",
               GREETING EXTENDED SENDER "250 2.0.0 Ok\r\n" SENDER));
}

static void test_recipients(void)
{
    CHECK(play("EHLO c.test\r\nMAIL FROM:<>\r\nRCPT\r\nRCPT FROM:<a@b>\r\n"
               "RCPT TO:<>\r\nRCPT TO:<anna>\r\nRCPT TO:<a b@example.org>\r\n"
               "RCPT TO:<anna@example.org> SIZE=1\r\n"
               "RCPT TO:<nobody@example.org>\r\nRCPT TO:<anna@far.test>\r\n"
               "RCPT TO:<gone@example.org>\r\nRCPT TO:<a@[192.0.2.2]>\r\n"
               "DATA\r\nQUIT\r\n",
               GREETING EXTENDED SENDER
               "501 5.5.4 Argument missing or wrong\r\n"
               "501 5.5.2 Syntax error\r\n"
               "501 5.1.3 Bad recipient address syntax\r\n"
               "501 5.1.3 Bad recipient address syntax\r\n"
               "501 5.1.3 Bad recipient address syntax\r\n"
               "555 5.5.4 Parameter not recognized\r\n"
               "550 5.1.1 No such user here\r\n550 5.7.1 Relaying denied\r\n"
               "550 5.2.1 Mailbox disabled\r\n550 5.7.1 Relaying denied\r\n"
               "554 5.5.1 No valid recipients\r\n" BYE));
    CHECK(play(
        "HELO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<PostMaster>\r\n"
        "RCPT TO:<@x,@y:Anna@EXAMPLE.ORG>\r\n"
        "RCPT TO:<\"a\\n\\\"na @\"@example.org>\r\n"
        "RCPT TO:<bert@[192.0.2.1]>\r\nRCPT TO:<\"bert\"@example.org>\r\n"
        "DATA\r\n.\r\n",
        GREETING HELLO SENDER RECIPIENT RECIPIENT
        "550 5.1.1 No such user here\r\n" RECIPIENT RECIPIENT START STORED));
    CHECK(fake_st.stored[0].user_count == 2);
    CHECK(fake_st.stored[0].users[0] == 1 && fake_st.stored[0].users[1] == 2);
    CHECK(stored(TRACE_OF("", "c.test", "SMTP")));
}

/* The 101st recipient is refused for now; doubles take no place. */
static void test_many_recipients(void)
{
    char *text = malloc(16384);
    char *answers = malloc(16384);
    size_t at = (size_t)sprintf(text, "EHLO c.test\r\nMAIL FROM:<>\r\n");
    size_t to = (size_t)sprintf(answers, GREETING EXTENDED SENDER);
    unsigned i;

    for (i = 0; i < 103; i++) {
        at += (size_t)sprintf(text + at, "RCPT TO:<u%u@example.org>\r\n",
                              i == 100 ? 3 : i);
        to += (size_t)sprintf(answers + to, "%s",
                              i <= 100 ? RECIPIENT
                                       : "452 4.5.3 Too many recipients\r\n");
    }
    sprintf(text + at, "DATA\r\nx\r\n.\r\n");
    sprintf(answers + to, START STORED);
    CHECK(play(text, answers));
    CHECK(fake_st.stored[0].user_count == 100);
    CHECK(fake_st.stored[0].users[99] == 199);
    free(text);
    free(answers);
}

static void test_text(void)
{
    static const char nul[] = TO_DATA "a\0b\r\n\0\r\n\377\200\r\n.\r\n";

    CHECK(play(TO_DATA "..\r\n...x\r\n. \r\n.\tq\r\n\r\n.\r\nQUIT\r\n",
               AT_DATA STORED BYE));
    CHECK(stored(TRACE ".\r\n..x\r\n \r\n\tq\r\n\r\n"));
    CHECK(play_bytes(nul, sizeof(nul) - 1, AT_DATA STORED));
    {
        static const char end[] = "a\0b\r\n\0\r\n\377\200\r\n";
        const struct fake_message *last = &fake_st.stored[0];

        CHECK(last->len > sizeof(end) &&
              memcmp(last->bytes + last->len - (sizeof(end) - 1), end,
                     sizeof(end) - 1) == 0);
    }
    /* Two messages in one connection, all pipelined. */
    CHECK(play(TO_DATA "one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<bert@example.org>"
                       "\r\nDATA\r\ntwo\r\n.\r\nNOOP\r\nQUIT\r\nNOOP\r\n",
               AT_DATA STORED SENDER RECIPIENT START STORED
               "250 2.0.0 Ok\r\n" BYE));
    CHECK(fake_st.stored_count == 2);
    CHECK(stored(TRACE_OF("", "c.test", "ESMTP") "two\r\n"));
}

/* Whatever looks like an end of message but is none: what follows it must not
 * be taken as commands (SMTP smuggling), and the message is refused. */
static void test_smuggling(void)
{
    static const char *const ends[] = {
        "\n.\n",     "\n.\r\n",   "\r.\r",        "\r\n.\n",   "\r\n.\r",
        "\r.\r\n",   "\n\n.\r\n", "\r\n.\r\r\n",  "\r\r\n.\n", "\n.\r",
        "\r\n.\n\n", "\r\n\r.\n", "\r\n.\r \r\n", "\n\r.\r\n",
    };
    size_t i;

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char text[512];
        struct smtp_figures before, after;

        snprintf(text, sizeof(text),
                 TO_DATA "body%sMAIL FROM:<evil@y.test>\r\n"
                         "RCPT TO:<bert@example.org>\r\nDATA\r\nevil\r\n.\r\n"
                         "QUIT\r\n",
                 ends[i]);
        smtp_figures(&before);
        CHECK(play(text, AT_DATA BARE BYE));
        smtp_figures(&after);
        CHECK(after.accepted == before.accepted);
        CHECK(after.refused == before.refused + PLAYS);
        CHECK(fake_st.stored_count == 0);
    }
    {
        static const char nul[] = TO_DATA "a\r\n\0.\r\n.\0\r\nMAIL\r\n.\r\n";

        CHECK(play_bytes(nul, sizeof(nul) - 1, AT_DATA STORED));
    }
}

static void test_loop(void)
{
    char text[4096];
    unsigned count;

    for (count = 49; count <= 52; count++) {
        size_t at = (size_t)sprintf(text, TO_DATA);
        unsigned i;

        for (i = 0; i < count; i++)
            at += (size_t)sprintf(text + at, "%s: x\r\n",
                                  i % 2 == 0 ? "Received" : "RECEIVED");
        /* None of these counts. */
        sprintf(text + at,
                "X-Received: x\r\nReceivedx:\r\n received: y\r\nReceived\r\n"
                "\r\nReceived: x\r\nReceived: x\r\nReceived: x\r\n.\r\n");
        CHECK(play(text, count <= 50 ? AT_DATA STORED
                                     : AT_DATA
                             "554 5.4.6 Too many Received lines: mail loop"
                             "\r\n"));
    }
}

/* A message of the advertised size is taken, one byte more is read to its end
 * and refused; a line as long as the message costs nothing. */
static void test_size(void)
{
    size_t size = SMTP_MESSAGE_BYTES_MAX;
    size_t head = strlen(TO_DATA);
    char *text = malloc(head + size + 16);
    unsigned over;

    memcpy(text, TO_DATA, head);
    for (over = 0; over < 2; over++) {
        struct fake_play play_big = {1460, false, 65536, 65536, false};
        struct fake_stream fake;

        memset(text + head, 'x', size);
        memcpy(text + head, "\r\n", 2); /* no header */
        memcpy(text + head + size - 2 + over, "\r\n.\r\nQUIT\r\n", 12);
        fake_store_reset();
        fake_st.budget = 65536;
        fake_connect(&fake, &play_big);
        fake_send(&fake, &play_big, text, head + size + over + 9);
        CHECK(fake_matches(fake.out, fake.out_len,
                           over == 0 ? AT_DATA STORED BYE
                                     : AT_DATA
                               "552 5.3.4 Message too big\r\n" BYE));
        CHECK(fake_st.stored_count == 1 - over);
        fake_free(&fake);
        check_clean();
    }
    free(text);
}

/* ---- The store fails ------------------------------------------------------
 */

static enum err failure;

static void fail_begin(void)
{
    fake_st.begin_error = failure;
}

static void fail_commit(void)
{
    fake_st.commit_error = failure;
}

static void not_ready(void)
{
    fake_st.state = ST_GONE;
}

static void few_buffers(void)
{
    fake_st.begin_refusals = 30;
}

static void test_store_failures(void)
{
    static const struct {
        enum err error;
        const char *begin, *commit;
    } cases[] = {
        {ERR_FULL, AT_RCPT FULL BYE, AT_DATA FULL BYE},
        {ERR_GONE, AT_RCPT GONE BYE, AT_DATA GONE BYE},
        {ERR_IO, AT_RCPT GONE BYE, AT_DATA GONE BYE},
        {ERR_MEMORY, NULL, AT_DATA SOON BYE},
        {ERR_TOO_BIG, NULL, AT_DATA "552 5.3.4 Message too big\r\n" BYE},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        failure = cases[i].error;
        prepare = fail_begin;
        if (cases[i].begin != NULL)
            CHECK(play(TO_DATA "QUIT\r\n", cases[i].begin));
        prepare = fail_commit;
        CHECK(play(TO_DATA "x\r\n.\r\nQUIT\r\n", cases[i].commit));
    }
    prepare = not_ready;
    CHECK(play("EHLO c.test\r\nMAIL FROM:<>\r\nQUIT\r\n",
               GREETING EXTENDED GONE BYE));
    prepare = NULL;
}

/* Buffers are short: DATA waits for one, and is given up after a while. */
static void test_room(void)
{
    static const char rest[] = "x\r\n.\r\nQUIT\r\n";
    unsigned many;

    for (many = 0; many < 2; many++) {
        struct fake_stream fake;

        fake_store_reset();
        few_buffers();
        if (many)
            fake_st.begin_refusals = 1000000;
        fake_connect(&fake, &fake_play_plain);
        fake_send(&fake, &fake_play_plain, TO_DATA, strlen(TO_DATA));
        CHECK(fake_matches(fake.out, fake.out_len, AT_RCPT));
        fake_sleep(&fake, &fake_play_plain, 100);
        CHECK(fake_matches(fake.out, fake.out_len, AT_RCPT));
        fake_st.begin_refusals = many ? 1000000 : 5;
        {
            unsigned i;

            for (i = 0; i < (many ? 2000 : 10); i++)
                fake_sleep(&fake, &fake_play_plain, SMTP_ROOM_RETRY_MS);
        }
        CHECK(fake_matches(fake.out, fake.out_len,
                           many ? AT_RCPT SOON : AT_DATA));
        if (!many) {
            fake_send(&fake, &fake_play_plain, rest, strlen(rest));
            CHECK(fake_matches(fake.out, fake.out_len, AT_DATA STORED BYE));
        }
        fake_lose(&fake, ERR_RESET);
        fake_free(&fake);
        check_clean();
    }
}

/* ---- The client goes ------------------------------------------------------
 */

/* At every byte of a dialogue, by reset and by FIN; nothing is left behind, and
 * only what was complete is delivered. */
static void test_gone(void)
{
    static const char text[] = TO_DATA "a\r\n..b\r\n.\r\nNOOP\r\nQUIT\r\n";
    size_t complete = (size_t)(strstr(text, "\r\n.\r\n") - text) + 5;
    size_t len;
    unsigned how;

    for (len = 0; len < sizeof(text); len++) {
        for (how = 0; how < 4; how++) {
            struct fake_play way = fake_play_plain;
            struct fake_stream fake;

            fake_store_reset();
            fake_st.never = how == 0 || how == 2;
            way.fin = how == 1 || how == 2;
            fake_connect(&fake, &way);
            fake_send(&fake, &way, text, len);
            if (how == 0 || how == 3)
                fake_lose(&fake, how == 0 ? ERR_RESET : ERR_TIMEOUT);
            fake_st.never = false;
            fake_settle(&fake, &way);
            CHECK(fake.end != FAKE_OPEN);
            CHECK(fake_st.stored_count == (len >= complete ? 1 : 0));
            if (way.fin && len >= complete && len < complete + 6)
                CHECK(fake_matches(fake.out, fake.out_len, AT_DATA STORED));
            fake_free(&fake);
            check_clean();
        }
    }
}

#define TIMED_OUT "421 4.4.2 mail.example.org nothing heard for too long\r\n"

static void test_timeouts(void)
{
    static const struct {
        const char *text, *answers;
    } cases[] = {
        {"", GREETING TIMED_OUT},
        {"EHL", GREETING TIMED_OUT},
        {"HELO c.test\r\n", GREETING HELLO TIMED_OUT},
        {TO_RCPT, AT_RCPT TIMED_OUT},
        {TO_RCPT "RSET", AT_RCPT TIMED_OUT},
        {TO_DATA, AT_DATA TIMED_OUT},
        {TO_DATA "abc\r\n.\r", AT_DATA TIMED_OUT},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_stream fake;

        fake_store_reset();
        fake_connect(&fake, &fake_play_plain);
        fake_send(&fake, &fake_play_plain, cases[i].text,
                  strlen(cases[i].text));
        fake_sleep(&fake, &fake_play_plain, 299000);
        CHECK(fake.end == FAKE_OPEN);
        fake_sleep(&fake, &fake_play_plain, 2000);
        CHECK(fake.end == FAKE_CLOSED);
        CHECK(fake_matches(fake.out, fake.out_len, cases[i].answers));
        fake_free(&fake);
        check_clean();
    }
}

/* The store never answers: told as temporary, and the message may still come;
 * a client that does not read is cut off. */
static void test_stuck(void)
{
    static const struct fake_play unread = {SIZE_MAX, false, 20, 0, false};
    struct fake_stream fake;

    fake_store_reset();
    fake_st.never = true;
    fake_connect(&fake, &fake_play_plain);
    fake_send(&fake, &fake_play_plain, TO_DATA "x\r\n.\r\n",
              strlen(TO_DATA) + 6);
    fake_sleep(&fake, &fake_play_plain, 599000);
    CHECK(fake.end == FAKE_OPEN);
    fake_sleep(&fake, &fake_play_plain, 2000);
    CHECK(fake.end == FAKE_CLOSED);
    CHECK(fake_matches(fake.out, fake.out_len, AT_DATA TIMED_OUT));
    fake_free(&fake);
    fake_st.never = false;
    fake_settle(&fake, &fake_play_plain);
    CHECK(fake_st.stored_count == 1);
    check_clean();

    /* The same with no room for the last answer. */
    fake_store_reset();
    fake_st.never = true;
    fake_connect(&fake, &fake_play_plain);
    fake_send(&fake, &fake_play_plain, TO_DATA "x\r\n.\r\n",
              strlen(TO_DATA) + 6);
    fake.space = 4;
    fake_machine.now_ns += 601000000000;
    timer_run();
    CHECK(fake.end == FAKE_OPEN);
    fake_st.never = false;
    fake_settle(&fake, &fake_play_plain);
    CHECK(fake.end == FAKE_CLOSED);
    CHECK(fake_matches(fake.out, fake.out_len, AT_DATA TIMED_OUT));
    CHECK(fake_st.stored_count == 1);
    fake_free(&fake);
    check_clean();

    fake_store_reset();
    fake_connect(&fake, &unread);
    fake.wants_room = false;
    fake.in = (const uint8_t *)"EHLO c.test\r\nQUIT\r\n";
    fake.in_len = 19;
    fake_arrive(&fake, &unread);
    CHECK(fake.in_taken == 13);
    fake_machine.now_ns += 301000000000;
    timer_run();
    CHECK(fake.end == FAKE_ABORTED);
    fake_free(&fake);
    check_clean();
}

/* ---- Limits ----------------------------------------------------------------
 */

static void test_limits(void)
{
    char text[2048] = "";
    char answers[4096] = GREETING;
    unsigned i;

    for (i = 0; i < 20; i++) {
        strcat(text, "FOO\r\n");
        strcat(answers, "500 5.5.2 Command not recognized\r\n");
    }
    strcat(answers, "421 4.7.0 mail.example.org too many errors\r\n");
    CHECK(play(text, answers));
    strcpy(text, "");
    strcpy(answers, GREETING);
    for (i = 0; i < 110; i++) {
        strcat(text, "NOOP\r\n");
        if (i < 100)
            strcat(answers, "250 2.0.0 Ok\r\n");
    }
    strcat(answers, "421 4.7.0 mail.example.org too many commands without a "
                    "message\r\n");
    CHECK(play(text, answers));
}

static void test_turned_away(void)
{
    struct fake_stream fake[SESSIONS + 1];
    unsigned i;

    fake_store_reset();
    for (i = 0; i <= SESSIONS; i++)
        fake_connect(&fake[i], &fake_play_plain);
    CHECK(fake[SESSIONS].end == FAKE_CLOSED);
    CHECK(strcmp(fake[SESSIONS].out,
                 "421 4.3.2 mail.example.org too many sessions, try again "
                 "later\r\n") == 0);
    for (i = 0; i <= SESSIONS; i++) {
        fake_lose(&fake[i], ERR_RESET);
        fake_free(&fake[i]);
    }
    check_clean();
}

static void test_stop(void)
{
    static const char *const texts[SESSIONS] = {
        "EHLO x\r\n", TO_DATA "abc", TO_DATA "abc\r\n.\r\n", TO_RCPT};
    struct fake_stream fake[SESSIONS];
    unsigned i;

    fake_store_reset();
    fake_st.never = true;
    for (i = 0; i < SESSIONS; i++) {
        fake_connect(&fake[i], &fake_play_plain);
        fake_send(&fake[i], &fake_play_plain, texts[i], strlen(texts[i]));
    }
    smtp_server_stop();
    CHECK(fake_accept == NULL);
    CHECK(fake[0].end == FAKE_CLOSED && fake[1].end == FAKE_CLOSED &&
          fake[3].end == FAKE_CLOSED);
    CHECK(fake[2].end == FAKE_OPEN);
    fake_st.never = false;
    fake_settle(&fake[2], &fake_play_plain);
    CHECK(fake[2].end == FAKE_CLOSED);
    CHECK(fake_matches(fake[2].out, fake[2].out_len,
                       AT_DATA STORED "421 4.3.2 mail.example.org shutting "
                                      "down, try again later\r\n"));
    for (i = 0; i < SESSIONS; i++)
        fake_free(&fake[i]);
    check_clean();
    smtp_server_start();
}

/* One answer is one write. */
static void test_writes(void)
{
    struct fake_stream fake;

    fake_store_reset();
    fake_connect(&fake, &fake_play_plain);
    fake_send(&fake, &fake_play_plain, TO_DATA "x\r\n.\r\nQUIT\r\n",
              strlen(TO_DATA) + 12);
    /* 220, EHLO, MAIL, RCPT, 354, 250, 221 */
    CHECK(fake.writes == 7);
    fake_free(&fake);
    check_clean();
}

static void test_host(void)
{
    struct fake_stream fake;

    fake_store_reset();
    fake_st.hostname = "";
    fake_connect(&fake, &fake_play_plain);
    CHECK(strcmp(fake.out, "220 localhost ESMTP Barepost\r\n") == 0);
    fake_lose(&fake, ERR_RESET);
    fake_free(&fake);
}

/* The longest names that the grammar lets through fit everywhere. */
static void test_long_names(void)
{
    static char host[256];
    char text[2048], label[64];
    struct fake_stream fake;

    memset(label, 'h', 63);
    label[63] = '\0';
    snprintf(host, sizeof(host), "%s.%s.%s.%s", label, label, label, label);
    CHECK(strlen(host) == 255);
    fake_store_reset();
    fake_st.hostname = host;
    snprintf(text, sizeof(text),
             "EHLO %s\r\nMAIL FROM:<a@%.252s>\r\n"
             "RCPT TO:<anna@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
             host, host);
    fake_connect(&fake, &fake_play_plain);
    fake_send(&fake, &fake_play_plain, text, strlen(text));
    CHECK(fake.end == FAKE_CLOSED);
    CHECK(fake_st.stored_count == 1);
    CHECK(fake_st.stored[0].len > 760);
    CHECK(strlen(fake_st.stored[0].sender) == 254);
    fake_free(&fake);
    check_clean();
}

int main(void)
{
    start_server();
    test_plain();
    test_sequence();
    test_every_pair();
    test_small_commands();
    test_bad_lines();
    test_long_lines();
    test_mail();
    test_recipients();
    test_many_recipients();
    test_text();
    test_smuggling();
    test_loop();
    test_size();
    test_store_failures();
    test_room();
    test_gone();
    test_timeouts();
    test_stuck();
    test_limits();
    test_turned_away();
    test_stop();
    test_writes();
    test_host();
    test_long_names();
    fake_store_reset();
    return check_report();
}
