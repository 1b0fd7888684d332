/* What EHLO offers beyond RFC 5321: CHUNKING and BINARYMIME, SMTPUTF8, the
 * parameters of DSN, and the limits that settings draw. */
#include "tests/unit/smtp_play.h"

#define TO_RCPT                                                                \
    "EHLO c.test\r\nMAIL FROM:<x@y.test>\r\nRCPT TO:<anna@example.org>\r\n"
#define AT_RCPT GREETING EXTENDED SENDER RECIPIENT
#define TRACE   TRACE_OF("x@y.test", "c.test", "ESMTP")
#define BINARY                                                                 \
    "EHLO c.test\r\nMAIL FROM:<x@y.test> BODY=BINARYMIME\r\n"                  \
    "RCPT TO:<anna@example.org>\r\n"
#define TAKEN(n)   "250 2.0.0 " n " bytes taken\r\n"
#define NOBODY     "554 5.5.1 No valid recipients\r\n"
#define ARGUMENT   "501 5.5.4 Argument missing or wrong\r\n"
#define PARAMETER  "501 5.5.4 Bad parameter value\r\n"
#define NOT_KNOWN  "555 5.5.4 Parameter not recognized\r\n"
#define NEEDS_UTF8 "553 5.6.7 Such an address needs SMTPUTF8\r\n"

/* ---- CHUNKING --------------------------------------------------------------
 */

static void test_chunks(void)
{
    CHECK(play(TO_RCPT "BDAT 9 LAST\r\na: b\r\n\r\n.NOOP\r\nQUIT\r\n",
               AT_RCPT STORED OKAY BYE));
    CHECK(stored(TRACE "a: b\r\n\r\n.\r\n"));
    /* Cut anywhere, all pipelined; a dot means nothing. */
    CHECK(play(TO_RCPT "BDAT 5\r\na: b\rBDAT 4\r\n\n\r\n.BDAT 0\r\nBDAT 7 last"
                       "\r\n\r\n.\r\n..NOOP\r\n",
               AT_RCPT TAKEN("5") TAKEN("4") TAKEN("0") STORED OKAY));
    CHECK(stored(TRACE "a: b\r\n\r\n.\r\n.\r\n..\r\n"));
    CHECK(play(TO_RCPT "BDAT 0 LAST\r\nQUIT\r\n", AT_RCPT STORED BYE));
    CHECK(stored(TRACE));
    CHECK(play(TO_RCPT "BDAT 3\r\nabcBDAT 0 LAST\r\nMAIL FROM:<>\r\n",
               AT_RCPT TAKEN("3") STORED SENDER));
    CHECK(stored(TRACE "abc\r\n"));
    CHECK(play(TO_RCPT "BDAT 3\r\nabcRSET\r\nDATA\r\nMAIL FROM:<>\r\n"
                       "RCPT TO:<bert@example.org>\r\nBDAT 1 LAST\r\nx",
               AT_RCPT TAKEN("3") OKAY SEQUENCE SENDER RECIPIENT STORED));
    CHECK(last_stored()->users[0] == 2);
    CHECK(play(TO_RCPT "BDAT 3\r\nabcEHLO d.test\r\nQUIT\r\n",
               AT_RCPT TAKEN("3") EXTENDED BYE));
    CHECK(fake_st.stored_count == 0);
    CHECK(play(TO_RCPT "BDAT 3\r\nabcQUIT\r\n", AT_RCPT TAKEN("3") BYE));
}

/* Whatever is wrong with it, a chunk is no commands. */
static void test_bad_chunks(void)
{
    CHECK(play("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
               GREETING "503 5.5.1 Send HELO or EHLO first\r\n" OKAY));
    CHECK(play("EHLO c.test\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n"
               "MAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\n"
               "RCPT TO:<anna@example.org>\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n",
               GREETING EXTENDED SEQUENCE SEQUENCE SENDER NOBODY RECIPIENT
                   STORED BYE));
    CHECK(stored(TRACE_OF("", "c.test", "ESMTP") "QUIT\r\n"));
    CHECK(play(TO_RCPT "BDAT\r\nBDAT x\r\nBDAT -1\r\nBDAT 1 FIRST\r\n"
                       "BDAT 1 LAST now\r\nBDAT 1LAST\r\nBDAT +1\r\nQUIT\r\n",
               AT_RCPT ARGUMENT ARGUMENT ARGUMENT ARGUMENT ARGUMENT ARGUMENT
                   ARGUMENT BYE));
    /* DATA and BDAT do not mix; nor do MAIL and RCPT with chunks. */
    CHECK(play(TO_RCPT "BDAT 1\r\naDATA\r\nMAIL FROM:<>\r\n"
                       "RCPT TO:<bert@example.org>\r\nBDAT 1 LAST\r\nb",
               AT_RCPT TAKEN("1") SEQUENCE SEQUENCE SEQUENCE STORED));
    CHECK(stored(TRACE "ab\r\n"));
    /* Too big: told once it has gone by, or at once when nobody would wait. */
    CHECK(play(TO_RCPT "BDAT 99999999999999\r\nx", AT_RCPT TOO_BIG));
    CHECK(play(TO_RCPT "BDAT 99999999999999999999999\r\nNOOP\r\n",
               AT_RCPT ARGUMENT OKAY));
    /* A bare line end: this chunk and the rest of them are refused. */
    CHECK(play(TO_RCPT "BDAT 6\r\na\nQUIT"
                       "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
               AT_RCPT BARE BARE BARE OKAY));
    CHECK(play(TO_RCPT "BDAT 2 LAST\r\na\rNOOP\r\n", AT_RCPT BARE OKAY));
    CHECK(play(TO_RCPT "BDAT 2\r\na\rBDAT 1 LAST\r\nbNOOP\r\n",
               AT_RCPT TAKEN("2") BARE OKAY));
    CHECK(fake_st.stored_count == 0);
}

static void test_binary(void)
{
    static const char text[] =
        BINARY "BDAT 12 LAST\r\na: b\r\n\r\n\n\0\r.NOOP\r\n";

    CHECK(play_bytes(text, sizeof(text) - 1, AT_RCPT STORED OKAY));
    CHECK(last_stored()->len > 12 &&
          memcmp(last_stored()->bytes + last_stored()->len - 12,
                 "a: b\r\n\r\n\n\0\r.", 12) == 0);
    CHECK(last_stored()->eight_bit);
    CHECK(play(BINARY "DATA\r\nBDAT 1 LAST\r\na",
               AT_RCPT "503 5.5.1 BINARYMIME needs BDAT, not DATA\r\n" STORED));
    /* Elsewhere it may not be understood. */
    CHECK(play(
        "EHLO c.test\r\nMAIL FROM:<x@y.test> BODY=BINARYMIME\r\n"
        "RCPT TO:<team@example.org>\r\nRCPT TO:<away@example.org>\r\n"
        "BDAT 1 LAST\r\na",
        GREETING EXTENDED SENDER
        "554 5.6.3 BINARYMIME is taken for mailboxes here only\r\n"
        "554 5.6.3 BINARYMIME is taken for mailboxes here only\r\n" NOBODY));
}

static enum err failure;

static void fail_begin(void)
{
    fake_st.begin_error = failure;
}

static void fail_commit(void)
{
    fake_st.commit_error = failure;
}

static void no_room_yet(void)
{
    fake_st.begin_refusals = 3;
}

static void test_chunks_and_store(void)
{
    static const struct {
        enum err error;
        const char *answer;
    } cases[] = {{ERR_FULL, FULL}, {ERR_GONE, GONE}, {ERR_IO, GONE}};
    char answers[1024];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        failure = cases[i].error;
        prepare = fail_begin;
        snprintf(answers, sizeof(answers), AT_RCPT "%s%s" SEQUENCE BYE,
                 cases[i].answer, cases[i].answer);
        CHECK(play(TO_RCPT "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nDATA\r\n"
                           "QUIT\r\n",
                   answers));
        prepare = fail_commit;
        snprintf(answers, sizeof(answers), AT_RCPT TAKEN("6") "%s" BYE,
                 cases[i].answer);
        CHECK(
            play(TO_RCPT "BDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\nQUIT\r\n", answers));
    }
    prepare = NULL;
    for (i = 0; i < 2; i++) {
        struct fake_stream fake;
        const char *text = i == 0 ? TO_RCPT "BDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\n"
                                  : TO_RCPT "BDAT 0 LAST\r\n";

        fake_store_reset();
        no_room_yet();
        fake_connect(&fake, &fake_play_plain);
        fake_send(&fake, &fake_play_plain, text, strlen(text));
        CHECK(fake_matches(fake.out, fake.out_len, AT_RCPT));
        for (unsigned j = 0; j < 5; j++)
            fake_sleep(&fake, &fake_play_plain, SMTP_ROOM_RETRY_MS);
        CHECK(
            fake_matches(fake.out, fake.out_len,
                         i == 0 ? AT_RCPT TAKEN("6") STORED : AT_RCPT STORED));
        fake_lose(&fake, ERR_RESET);
        fake_free(&fake);
        check_clean();
    }
}

/* ---- SMTPUTF8 --------------------------------------------------------------
 */

static void test_utf8(void)
{
    CHECK(play("EHLO c.test\r\nMAIL FROM:<\303\244@y.test>\r\n"
               "MAIL FROM:<x@\303\244.test>\r\nMAIL FROM:<x@y.test>\r\n"
               "RCPT TO:<\303\274nal@example.org>\r\n"
               "RCPT TO:<anna@b\303\274.example>\r\nRSET\r\n"
               "MAIL FROM:<\303\244@y.test> SMTPUTF8=1\r\n"
               "MAIL FROM:<\303@y.test> SMTPUTF8\r\n"
               "MAIL FROM:<\303\244@y.test> SMTPUTF8 SMTPUTF8\r\n"
               "RCPT TO:<x@y.test>\r\n"
               "MAIL FROM:<\303\244@y.test> smtputf8 BODY=8BITMIME\r\n"
               "RCPT TO:<\303\274nal@example.org>\r\n"
               "RCPT TO:<\303\266nal@example.org>\r\n"
               "RCPT TO:<anna@b\303\274.example>\r\n"
               "RCPT TO:<anna@example.org> SMTPUTF8\r\nDATA\r\n.\r\n",
               GREETING EXTENDED NEEDS_UTF8 NEEDS_UTF8 SENDER NEEDS_UTF8
                   NEEDS_UTF8 OKAY PARAMETER
               "501 5.1.7 Bad sender address syntax\r\n" PARAMETER SEQUENCE
                   SENDER RECIPIENT NO_USER NO_RELAY NOT_KNOWN START STORED));
    CHECK(stored(TRACE_OF("\303\244@y.test", "c.test", "UTF8SMTP")));
    CHECK(last_stored()->smtputf8 && last_stored()->users[0] == 2);
    CHECK(last_stored()->eight_bit);
}

/* ---- DSN -------------------------------------------------------------------
 */

static void test_mail_parameters(void)
{
    static const struct {
        const char *words, *answer;
    } cases[] = {
        {"RET=FULL", SENDER},
        {"ret=hdrs ENVID=x", SENDER},
        {"RET=ALL", PARAMETER},
        {"RET", PARAMETER},
        {"RET=", PARAMETER},
        {"RET=FULL RET=HDRS", PARAMETER},
        {"ENVID=a+3Db+2B", SENDER},
        {"ENVID=", PARAMETER},
        {"ENVID=a=b", PARAMETER},
        {"ENVID=a+b", PARAMETER},
        {"ENVID=a+3", PARAMETER},
        {"ENVID=a+3d", PARAMETER},
        {"ENVID=a+0Ab", PARAMETER},
        {"ENVID=a+0D+0AX-Evil:+20x", PARAMETER},
        {"ENVID=a+7F", PARAMETER},
        {"ENVID=\303\244", PARAMETER},
        {"AUTH=<>", SENDER},
        {"AUTH=anna+40example.org", SENDER},
        {"AUTH=a=b", PARAMETER},
        {"AUTH", PARAMETER},
        {"NOTIFY=NEVER", NOT_KNOWN},
        {"ORCPT=rfc822;x", NOT_KNOWN},
        {"SIZE=1 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x AUTH=<>", SENDER},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512], answers[512];

        snprintf(text, sizeof(text), "HELO c.test\r\nMAIL FROM:<a@b> %s\r\n",
                 cases[i].words);
        snprintf(answers, sizeof(answers), GREETING HELLO "%s",
                 cases[i].answer);
        CHECK(play(text, answers));
    }
}

static void test_rcpt_parameters(void)
{
    static const struct {
        const char *words, *answer;
    } cases[] = {
        {"NOTIFY=NEVER", RECIPIENT},
        {"NOTIFY=success,FAILURE,delay ORCPT=rfc822;a+40b", RECIPIENT},
        {"NOTIFY=DELAY", RECIPIENT},
        {"NOTIFY=NEVER,FAILURE", PARAMETER},
        {"NOTIFY=FAILURE,NEVER", PARAMETER},
        {"NOTIFY=FAILURE,FAILURE", PARAMETER},
        {"NOTIFY=FAILURE,", PARAMETER},
        {"NOTIFY=,FAILURE", PARAMETER},
        {"NOTIFY=ALWAYS", PARAMETER},
        {"NOTIFY=", PARAMETER},
        {"NOTIFY", PARAMETER},
        {"ORCPT=rfc822;x ORCPT=rfc822;y", PARAMETER},
        {"ORCPT=x@y", PARAMETER},
        {"ORCPT=;x", PARAMETER},
        {"ORCPT=rfc822;", PARAMETER},
        {"ORCPT=rfc 822;x", PARAMETER},
        {"ORCPT=rfc822;a+0D+0Ab", PARAMETER},
        {"ORCPT=x.400;x", PARAMETER},
        {"ORCPT=x-400;x", RECIPIENT},
        {"ORCPT=rfc822;\303\244@b", PARAMETER},
        {"ORCPT=rfc822;+C3+A4@b", RECIPIENT}, /* as Postfix writes it */
        {"ORCPT=utf-8;\303\244@b", RECIPIENT},
        {"ORCPT=UTF-8;\\x{E4}@b", RECIPIENT},
        {"ORCPT=utf-8;\303@b", PARAMETER},
        {"RET=FULL", NOT_KNOWN},
        {"SIZE=1", NOT_KNOWN},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512], answers[512];

        snprintf(text, sizeof(text),
                 "HELO c.test\r\nMAIL FROM:<>\r\n"
                 "RCPT TO:<anna@example.org> %s\r\n",
                 cases[i].words);
        snprintf(answers, sizeof(answers), GREETING HELLO SENDER "%s",
                 cases[i].answer);
        CHECK(play(text, answers));
    }
}

/* The longest values, and one byte more. */
static void test_long_parameters(void)
{
    unsigned more;

    for (more = 0; more < 2; more++) {
        char text[2000], answers[1000];

        snprintf(text, sizeof(text),
                 "HELO c.test\r\nMAIL FROM:<> ENVID=%0*u\r\n"
                 "MAIL FROM:<>\r\nRCPT TO:<anna@example.org> "
                 "ORCPT=rfc822;%0*u\r\n",
                 (int)(100 + more), 1u, (int)(493 + more), 1u);
        snprintf(answers, sizeof(answers), GREETING HELLO "%s%s%s",
                 more ? PARAMETER : SENDER, more ? SENDER : SEQUENCE,
                 more ? PARAMETER : RECIPIENT);
        CHECK(play(text, answers));
    }
}

static void all_at_once(void)
{
    fake_st.budget = 0;
}

/* Who is told that the message has arrived, and what. */
static void test_success(void)
{
    prepare = all_at_once;
    CHECK(play("EHLO c.test\r\nMAIL FROM:<bert@example.org> ENVID=a+2Bb\r\n"
               "RCPT TO:<anna@example.org> NOTIFY=SUCCESS,FAILURE "
               "ORCPT=rfc822;an+2Bna@old.test\r\n"
               "RCPT TO:<team@example.org> NOTIFY=SUCCESS\r\n"
               "RCPT TO:<away@example.org> NOTIFY=SUCCESS\r\n"
               "RCPT TO:<info@example.org> NOTIFY=FAILURE\r\n"
               "DATA\r\n.\r\n",
               GREETING EXTENDED SENDER RECIPIENT RECIPIENT RECIPIENT RECIPIENT
                   START STORED));
    CHECK(fake_st.stored_count == 2);
    CHECK(stored(
        "Return-Path: <>\r\nDate: \1\r\n"
        "From: \"Mail Delivery System\" <MAILER-DAEMON@mail.example.org>\r\n"
        "To: <bert@example.org>\r\nMessage-ID: <\1\r\n"
        "Subject: Your message has been delivered\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        "\tboundary=\"=_\1\r\n\r\n"
        "This is a delivery status notification.\r\n\r\n--=_\1\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
        "This is the mail server mail.example.org.\r\n\r\n"
        "Your message has been delivered to:\r\n    <anna@example.org>\r\n"
        "    <team@example.org>\r\n\r\n--=_\1\r\n"
        "Content-Type: message/delivery-status\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
        "Original-Envelope-Id: a+b\r\n"
        "Reporting-MTA: dns; mail.example.org\r\nArrival-Date: \1\r\n\r\n"
        "Original-Recipient: rfc822;an+na@old.test\r\n"
        "Final-Recipient: rfc822; anna@example.org\r\n"
        "Action: delivered\r\nStatus: 2.0.0\r\n\r\n"
        "Final-Recipient: rfc822; team@example.org\r\n"
        "Action: expanded\r\nStatus: 2.0.0\r\n\r\n--=_\1\r\n"));
    CHECK(last_stored()->user_count == 1 && last_stored()->users[0] == 2);
    CHECK(last_stored()->sender[0] == '\0' && !last_stored()->smtputf8);
    CHECK(play("EHLO c.test\r\nMAIL FROM:<\303\244@y.test> SMTPUTF8\r\n"
               "RCPT TO:<\303\274nal@example.org> NOTIFY=SUCCESS\r\n"
               "DATA\r\n.\r\n",
               GREETING EXTENDED SENDER RECIPIENT START STORED));
    CHECK(fake_st.stored_count == 2 && last_stored()->smtputf8);
    CHECK(strcmp(last_stored()->remotes, "\303\244@y.test  1\n") == 0);
    CHECK(strstr(last_stored()->bytes, "message/global-delivery-status") &&
          strstr(last_stored()->bytes, "utf-8; \303\274nal@example.org\r\n"));
    CHECK(play("EHLO c.test\r\nMAIL FROM:<\"bert\"@example.org>\r\n"
               "RCPT TO:<anna@example.org> NOTIFY=SUCCESS\r\nDATA\r\n.\r\n",
               GREETING EXTENDED SENDER RECIPIENT START STORED));
    CHECK(fake_st.stored_count == 2);
    CHECK(last_stored()->user_count == 1 && last_stored()->users[0] == 2);
    /* Nobody is told of these: the null sender, one who is nobody here. */
    CHECK(play("EHLO c.test\r\nMAIL FROM:<>\r\n"
               "RCPT TO:<anna@example.org> NOTIFY=SUCCESS\r\nDATA\r\n.\r\n"
               "MAIL FROM:<nobody@example.org>\r\n"
               "RCPT TO:<anna@example.org> NOTIFY=SUCCESS\r\nDATA\r\n.\r\n",
               GREETING EXTENDED SENDER RECIPIENT START STORED SENDER RECIPIENT
                   START STORED));
    CHECK(fake_st.stored_count == 2);
    prepare = NULL;
}

/* A hundred recipients with long wishes. Returns the bytes written. */
static size_t put_hundred(char *text, const char *name, int orcpt_digits)
{
    size_t at = (size_t)sprintf(text, "EHLO c.test\r\nMAIL FROM:<a@b>\r\n");

    for (unsigned i = 0; i < 100; i++)
        at += (size_t)sprintf(text + at,
                              "RCPT TO:<%s%u@example.org> NOTIFY=SUCCESS "
                              "ORCPT=rfc822;%0*u\r\n",
                              name, i, orcpt_digits, i);
    return at;
}

/* As many as there can be: what does not fit is left out, nothing is cut. */
static void test_many_successes(void)
{
    static char text[100 * 600];
    struct fake_stream fake;
    size_t at = put_hundred(text, "u", 120);

    at += (size_t)sprintf(text + at, "DATA\r\n.\r\n");
    fake_store_reset();
    fake_connect(&fake, &fake_play_plain);
    fake_send(&fake, &fake_play_plain, text, at);
    CHECK(fake_st.stored_count == 2);
    CHECK(last_stored()->len > 8000 && last_stored()->len < 32768);
    CHECK(memcmp(last_stored()->bytes + last_stored()->len - 4, "--\r\n", 4) ==
          0);
    fake_lose(&fake, ERR_RESET);
    fake_free(&fake);
    check_clean();
}

/* A stranger who writes as much as he can about each of many recipients leaves
 * room for those who have logged in. */
static void test_greedy_stranger(void)
{
    static char text[100 * 600];
    struct fake_stream stranger, user;
    size_t at = put_hundred(text, "anna+", 490);

    fake_store_reset();
    fake_connect(&stranger, &fake_play_plain);
    fake_send(&stranger, &fake_play_plain, text, at);
    CHECK(strstr(stranger.out, "452 4.5.3 Too many recipients\r\n") != NULL);
    fake_connect(&user, &fake_play_plain);
    at = (size_t)sprintf(text, "EHLO c.test\r\nAUTH PLAIN AGFubmEAc2UgY3JldA=="
                               "\r\nMAIL FROM:<anna@example.org>\r\n");
    for (unsigned i = 0; i < 20; i++)
        at += (size_t)sprintf(text + at, "RCPT TO:<%060u@far.test>\r\n", i);
    at += (size_t)sprintf(text + at, "DATA\r\n.\r\n");
    fake_send(&user, &fake_play_plain, text, at);
    CHECK(strstr(user.out, "452") == NULL);
    CHECK(fake_st.stored_count == 1 && last_stored()->remote_count == 20);
    fake_lose(&user, ERR_RESET);
    fake_free(&user);
    /* What he has been told does not take longer: he may go on. */
    fake_send(&stranger, &fake_play_plain, "DATA\r\n.\r\n", 9);
    CHECK(fake_st.stored_count == 3);
    fake_lose(&stranger, ERR_RESET);
    fake_free(&stranger);
    check_clean();
}

/* ---- Settings --------------------------------------------------------------
 */

static void set_limits(void)
{
    fake_set("message_max", "2K");
    fake_set("header_max", "1024");
    fake_set("line_max", "100");
    fake_set("smtp_errors_max", "3");
}

#define AT_SMALL                                                               \
    GREETING                                                                   \
    "250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 2048\r\n"              \
    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"       \
    "250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN LOGIN\r\n"           \
    "250-LIMITS RCPTMAX=100\r\n250 HELP\r\n" SENDER RECIPIENT

static void test_limits(void)
{
    char text[4000];
    size_t at;

    prepare = set_limits;
    CHECK(play("HELO c\r\nMAIL FROM:<> SIZE=2049\r\nMAIL FROM:<> SIZE=2048\r\n"
               "FOO\r\nFOO\r\n",
               GREETING HELLO TOO_BIG SENDER
               "500 5.5.2 Command not recognized\r\n"
               "500 5.5.2 Command not recognized\r\n"
               "421 4.7.0 mail.example.org too many errors\r\n"));
    /* An error is one, whatever it is the answer to. */
    CHECK(play("HELO c\r\nFOO\r\nBDAT 5\r\nxxxxxBDAT 5\r\nxxxxxNOOP\r\n",
               GREETING HELLO
               "500 5.5.2 Command not recognized\r\n" SEQUENCE SEQUENCE
               "421 4.7.0 mail.example.org too many errors\r\n"));
    for (unsigned len = 100; len <= 101; len++) {
        at = (size_t)sprintf(text, TO_RCPT "BDAT %u LAST\r\n\r\n", len + 2);
        memset(text + at, 'x', len);
        text[at + len] = '\0';
        CHECK(play(text, len == 100 ? AT_SMALL STORED
                                    : AT_SMALL
                             "554 5.6.0 Message has a line that is "
                             "too long\r\n"));
    }
    for (unsigned lines = 22; lines <= 24; lines++) {
        at = (size_t)sprintf(text, TO_RCPT "DATA\r\n");
        for (unsigned i = 0; i < lines; i++)
            at += (size_t)sprintf(text + at, "X-Filler-%02u: %030u\r\n", i, i);
        strcpy(text + at, "\r\nbody\r\n.\r\n");
        CHECK(play(text, lines * 45 + 2 <= 1024 ? AT_SMALL START STORED
                                                : AT_SMALL START
                             "552 5.3.4 Header too big\r\n"));
    }
    prepare = NULL;
}

int main(void)
{
    start_server();
    test_chunks();
    test_bad_chunks();
    test_binary();
    test_chunks_and_store();
    test_utf8();
    test_mail_parameters();
    test_rcpt_parameters();
    test_long_parameters();
    test_success();
    test_many_successes();
    test_greedy_stranger();
    test_limits();
    fake_store_reset();
    return check_report();
}
