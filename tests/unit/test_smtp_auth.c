/* AUTH, and what users may do who are logged in: whom they send to, as whom
 * they send, what is added to their mail. */
#include "smtp/smtp_author.h"
#include "tests/unit/smtp_play.h"

/* NUL anna NUL se cret */
#define PLAIN  "AGFubmEAc2UgY3JldA=="
#define ANNA64 "YW5uYQ=="
#define PASS64 "c2UgY3JldA=="
#define WRONG  "535 5.7.8 Wrong name or password\r\n"
#define ASKED  "334 \r\n"
#define NAME   "334 VXNlcm5hbWU6\r\n"
#define SECRET "334 UGFzc3dvcmQ6\r\n"

#define LOG_IN  "EHLO c.test\r\nAUTH PLAIN " PLAIN "\r\n"
#define AT_USER GREETING EXTENDED LOGGED_IN

#define AUTHORS 8 /* that there are for a few sessions */

static void on_587(void)
{
    fake_local_port = 587;
}

static void test_ways(void)
{
    static const struct {
        const char *text, *answers;
    } cases[] = {
        {"AUTH PLAIN " PLAIN "\r\n", LOGGED_IN},
        {"auth plain " PLAIN "\r\n", LOGGED_IN},
        {"AUTH PLAIN\r\n" PLAIN "\r\n", ASKED LOGGED_IN},
        /* anna NUL anna NUL se cret: for himself */
        {"AUTH PLAIN YW5uYQBhbm5hAHNlIGNyZXQ=\r\n", LOGGED_IN},
        {"AUTH LOGIN\r\n" ANNA64 "\r\n" PASS64 "\r\n", NAME SECRET LOGGED_IN},
        {"AUTH LOGIN " ANNA64 "\r\n" PASS64 "\r\n", SECRET LOGGED_IN},
        {"AUTH LOGIN " ANNA64 "\r\n" ANNA64 "\r\n", SECRET WRONG},
        /* bert NUL anna NUL se cret: for another */
        {"AUTH PLAIN YmVydABhbm5hAHNlIGNyZXQ=\r\n", WRONG},
        {"AUTH PLAIN " ANNA64 "\r\n", WRONG},
        {"AUTH PLAIN =\r\n", WRONG},
        {"AUTH PLAIN\r\n\r\n", ASKED WRONG},
        {"AUTH LOGIN =\r\n", WRONG},
        {"AUTH LOGIN\r\n\r\n", NAME WRONG},
        {"AUTH PLAIN AGFubmEAc2UAY3JldA==\r\n", WRONG}, /* NUL in it */
        {"AUTH PLAIN\r\n*\r\n", ASKED "501 5.7.0 Cancelled\r\n"},
        {"AUTH LOGIN\r\n*\r\n", NAME "501 5.7.0 Cancelled\r\n"},
        {"AUTH LOGIN " ANNA64 "\r\n*\r\n", SECRET "501 5.7.0 Cancelled\r\n"},
        {"AUTH PLAIN !\r\n", "501 5.5.2 Not in base64\r\n"},
        {"AUTH PLAIN\r\nQUIT\r\n", ASKED WRONG},
        {"AUTH PLAIN\r\nQUIT \r\n", ASKED "501 5.5.2 Not in base64\r\n"},
        {"AUTH PLAIN " PLAIN " x\r\n", "501 5.5.2 Not in base64\r\n"},
        {"AUTH CRAM-MD5\r\n",
         "504 5.5.4 Mechanism not known, use PLAIN or LOGIN\r\n"},
        {"AUTH\r\n", "501 5.5.4 Argument missing or wrong\r\n"},
        {"MAIL FROM:<>\r\nAUTH PLAIN " PLAIN "\r\n", SENDER SEQUENCE},
        {"AUTH PLAIN " PLAIN "\r\nAUTH PLAIN " PLAIN "\r\n",
         LOGGED_IN SEQUENCE},
        {"HELO c.test\r\nAUTH PLAIN " PLAIN "\r\n", HELLO SEQUENCE},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512], answers[1024];

        snprintf(text, sizeof(text), "EHLO c.test\r\n%sNOOP\r\nQUIT\r\n",
                 cases[i].text);
        snprintf(answers, sizeof(answers), GREETING EXTENDED "%s" OKAY BYE,
                 cases[i].answers);
        CHECK(play(text, answers));
    }
    CHECK(play("AUTH PLAIN " PLAIN "\r\n",
               GREETING "503 5.5.1 Send HELO or EHLO first\r\n"));
}

static void test_long_secrets(void)
{
    static const size_t lengths[] = {1200, 1204, 2046, 2048, 5000};
    char text[6000];
    size_t i;

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t at = (size_t)sprintf(text, "EHLO c.test\r\nAUTH PLAIN\r\n");

        memset(text + at, 'A', lengths[i]);
        strcpy(text + at + lengths[i], "\r\nNOOP\r\n");
        CHECK(play(text, lengths[i] == 1200 ? GREETING EXTENDED ASKED WRONG OKAY
                                            : GREETING EXTENDED ASKED
                             "500 5.5.6 Line too long\r\n" OKAY));
    }
}

static void busy(void)
{
    fake_st.login_error = ERR_BUSY;
}

static void no_clear(void)
{
    fake_set("auth_clear", "no");
}

static void test_not_now(void)
{
    static const char refused[] =
        "250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 33554432\r\n"
        "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"
        "250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-LIMITS RCPTMAX=100\r\n"
        "250 HELP\r\n";
    char answers[1024];

    prepare = busy;
    CHECK(play(LOG_IN "QUIT\r\n",
               GREETING EXTENDED "454 4.7.0 Cannot check this now, try again "
                                 "later\r\n" BYE));
    prepare = no_clear;
    snprintf(answers, sizeof(answers),
             GREETING "%s538 5.7.11 No passwords over an unencrypted "
                      "connection\r\n" BYE,
             refused);
    CHECK(play(LOG_IN "QUIT\r\n", answers));
    prepare = NULL;
}

/* Guessing ends the session. */
static void test_guessing(void)
{
    CHECK(play("EHLO c.test\r\nAUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\n"
               "AUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\nNOOP\r\n",
               GREETING EXTENDED WRONG WRONG WRONG WRONG
               "421 4.7.0 mail.example.org too many errors\r\n"));
}

/* The client goes while name and password are looked at. */
static void test_gone(void)
{
    unsigned how;

    for (how = 0; how < 3; how++) {
        struct fake_play way = fake_play_plain;
        struct fake_stream fake;

        fake_store_reset();
        fake_st.never = true;
        way.fin = how == 1;
        fake_connect(&fake, &way);
        fake_send(&fake, &way, LOG_IN, strlen(LOG_IN));
        if (how == 2)
            smtp_server_stop();
        fake_lose(&fake, ERR_RESET);
        fake_st.never = false;
        fake_settle(&fake, &way);
        CHECK(fake_matches(fake.out, fake.out_len,
                           how == 2 ? GREETING EXTENDED
                               "421 4.3.2 mail.example.org shutting down, try "
                               "again later\r\n"
                                    : GREETING EXTENDED));
        fake_free(&fake);
        check_clean();
        if (how == 2)
            smtp_server_start();
    }
}

/* As many users at once as there is room for, then again. */
static void test_many_users(void)
{
    struct fake_stream fake[SESSIONS];
    unsigned round, i;

    for (round = 0; round < 5; round++) {
        fake_store_reset();
        for (i = 0; i < SESSIONS; i++) {
            fake_connect(&fake[i], &fake_play_plain);
            fake_send(&fake[i], &fake_play_plain, LOG_IN, strlen(LOG_IN));
            CHECK(fake_matches(fake[i].out, fake[i].out_len, AT_USER));
        }
        for (i = 0; i < SESSIONS; i++) {
            fake_lose(&fake[i], ERR_RESET);
            fake_free(&fake[i]);
        }
        check_clean();
    }
}

/* Who begins to log in and never goes on keeps nobody from it: he is sent away
 * first. */
static void test_undecided(void)
{
    static const char begin[] = "EHLO c.test\r\nAUTH LOGIN\r\n";
    struct smtp_author *others[AUTHORS - 3];
    struct fake_stream fake[4];
    unsigned i;

    fake_store_reset();
    for (i = 0; i < AUTHORS - 3; i++) {
        others[i] = smtp_author_take();
        CHECK(others[i] != NULL);
    }
    for (i = 0; i < 3; i++) {
        fake_connect(&fake[i], &fake_play_plain);
        fake_send(&fake[i], &fake_play_plain, begin, sizeof(begin) - 1);
        CHECK(
            fake_matches(fake[i].out, fake[i].out_len, GREETING EXTENDED NAME));
    }
    fake_connect(&fake[3], &fake_play_plain);
    fake_send(&fake[3], &fake_play_plain, LOG_IN, strlen(LOG_IN));
    CHECK(fake_matches(fake[3].out, fake[3].out_len, AT_USER));
    fake_send(&fake[0], &fake_play_plain, "NOOP\r\n", 6);
    CHECK(fake_matches(
        fake[0].out, fake[0].out_len,
        GREETING EXTENDED NAME
        "454 4.7.0 Cannot check this now, try again later\r\n" OKAY));
    fake_send(&fake[2], &fake_play_plain, ANNA64 "\r\n", 10);
    fake_send(&fake[2], &fake_play_plain, PASS64 "\r\n", 14);
    CHECK(fake_matches(fake[2].out, fake[2].out_len,
                       GREETING EXTENDED NAME SECRET LOGGED_IN));
    /* The second one is the only one left that has not gone on. */
    fake_send(&fake[0], &fake_play_plain, "AUTH LOGIN\r\n", 12);
    fake_send(&fake[0], &fake_play_plain, "*\r\nAUTH LOGIN\r\n", 15);
    CHECK(strstr(fake[1].out, "454 4.7.0") != NULL);
    for (i = 0; i < 4; i++) {
        fake_lose(&fake[i], ERR_RESET);
        fake_free(&fake[i]);
    }
    for (i = 0; i < AUTHORS - 3; i++)
        smtp_author_give(others[i]);
    check_clean();
}

/* ---- Whom and as whom ------------------------------------------------------
 */

static void test_submission_port(void)
{
    prepare = on_587;
    CHECK(play("EHLO c.test\r\nMAIL FROM:<anna@example.org>\r\n"
               "RCPT TO:<anna@example.org>\r\nNOOP\r\n",
               GREETING EXTENDED "530 5.7.0 Log in first\r\n" SEQUENCE OKAY));
    CHECK(play(LOG_IN "MAIL FROM:<anna@example.org>\r\n"
                      "RCPT TO:<bert@example.org>\r\nDATA\r\n\r\n.\r\n",
               AT_USER SENDER RECIPIENT START STORED));
    prepare = NULL;
}

static void test_recipients(void)
{
    CHECK(play(
        LOG_IN "MAIL FROM:<anna@example.org> RET=HDRS ENVID=a+2Bb\r\n"
               "RCPT TO:<bert@example.org>\r\n"
               "RCPT TO:<x@far.test> NOTIFY=SUCCESS,delay "
               "ORCPT=rfc822;y+40far.test\r\n"
               "RCPT TO:<\"a b\"@[192.0.2.9]> NOTIFY=NEVER\r\n"
               "RCPT TO:<X@far.test>\r\nRCPT TO:<x@FAR.test>\r\n"
               "RCPT TO:<nobody@example.org>\r\n"
               "RCPT TO:<gone@example.org>\r\n"
               "DATA\r\nDate: x\r\nMessage-Id: y\r\n\r\n\344\r\n.\r\n",
        AT_USER SENDER RECIPIENT RECIPIENT RECIPIENT RECIPIENT RECIPIENT NO_USER
        "550 5.2.1 Mailbox disabled\r\n" START STORED));
    CHECK(last_stored()->user_count == 1 && last_stored()->users[0] == 2);
    CHECK(last_stored()->remote_count == 3);
    CHECK(strcmp(last_stored()->remotes,
                 "x@far.test rfc822;y+40far.test 10\n"
                 "\"a b\"@[192.0.2.9]  1\nX@far.test  0\n") == 0);
    CHECK(strcmp(last_stored()->envid, "a+2Bb") == 0);
    CHECK(last_stored()->returning == STORE_RETURN_HEADERS);
    CHECK(last_stored()->submitter == 1);
    CHECK(last_stored()->eight_bit && !last_stored()->smtputf8);
    CHECK(
        stored(TRACE_OF("anna@example.org", "c.test",
                        "ESMTPA") "Date: x\r\nMessage-Id: y\r\n\r\n\344\r\n"));
    /* A new EHLO does not log out (RFC 4954 section 4), RSET neither. */
    CHECK(play(LOG_IN "EHLO d.test\r\nMAIL FROM:<>\r\nRCPT TO:<x@far.test>\r\n"
                      "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<x@far.test>\r\n",
               AT_USER EXTENDED SENDER RECIPIENT OKAY SENDER RECIPIENT));
}

static void test_senders(void)
{
    static const struct {
        const char *sender;
        bool may;
    } cases[] = {
        {"", true},
        {"anna@example.org", true},
        {"ANNA@Example.ORG", true},
        {"anna+tag@example.org", true},
        {"\"anna\"@example.org", true},
        {"info@example.org", true},
        {"both@example.org", true},
        {"team@example.org", true},
        {"postmaster@example.org", true},
        {"anna@small.example", true},
        {"bert@example.org", false},
        {"away@example.org", false},
        {"nobody@example.org", false},
        {"anna@far.test", false},
        {"anna@[192.0.2.1]", false},
        {"\"anna@example.org\"@far.test", false},
        {"anna%example.org@far.test", false},
        {"@example.org:anna@far.test", false},
        {"\"bert@far.test,anna\"@example.org", false},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];

        snprintf(text, sizeof(text), LOG_IN "MAIL FROM:<%s>\r\n",
                 cases[i].sender);
        if (!play(text, cases[i].may ? AT_USER SENDER : AT_USER NOT_YOURS)) {
            printf("sender %s\n", cases[i].sender);
            CHECK(!"what a user sends as");
        }
    }
}

/* More recipients elsewhere than all sessions together have room for: the rest
 * is told to come later, here and in another session, and all of it is given
 * back. */
static void test_used_up(void)
{
    struct fake_stream fake[2];
    char text[STORE_RECIPIENTS_MAX * 560];
    unsigned round, i;

    for (round = 0; round < 3; round++) {
        size_t at = (size_t)sprintf(text, LOG_IN "MAIL FROM:<>\r\n");

        for (i = 0; i < 60; i++)
            at += (size_t)sprintf(text + at,
                                  "RCPT TO:<x%u@far.test> "
                                  "ORCPT=rfc822;%0490u\r\n",
                                  i, i);
        fake_store_reset();
        fake_connect(&fake[0], &fake_play_plain);
        fake_send(&fake[0], &fake_play_plain, text, at);
        CHECK(strstr(fake[0].out, TOO_MANY TOO_MANY) != NULL);
        fake_connect(&fake[1], &fake_play_plain);
        fake_send(&fake[1], &fake_play_plain,
                  "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<most@example.org>\r\n"
                  "RCPT TO:<bert@example.org>\r\n",
                  strlen("EHLO c\r\nMAIL FROM:<>\r\n"
                         "RCPT TO:<most@example.org>\r\n"
                         "RCPT TO:<bert@example.org>\r\n"));
        CHECK(fake_matches(fake[1].out, fake[1].out_len,
                           GREETING EXTENDED SENDER TOO_MANY RECIPIENT));
        fake_send(&fake[0], &fake_play_plain, "DATA\r\n.\r\n", 9);
        CHECK(last_stored()->remote_count >= 16 &&
              last_stored()->remote_count < 60);
        for (i = 0; i < 2; i++) {
            fake_lose(&fake[i], ERR_RESET);
            fake_free(&fake[i]);
        }
        check_clean();
    }
}

int main(void)
{
    start_server();
    test_ways();
    test_long_secrets();
    test_not_now();
    test_guessing();
    test_gone();
    test_many_users();
    test_undecided();
    test_submission_port();
    test_recipients();
    test_senders();
    test_used_up();
    fake_store_reset();
    return check_report();
}
