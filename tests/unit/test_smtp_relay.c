/* No open relay, however an address is spelt: nobody who is not logged in gets
 * a message to anywhere else. */
#include "tests/unit/smtp_play.h"

enum outcome { REFUSED, TO_ANNA, SYNTAX, UNKNOWN };

/* Recipients as a stranger may write them, and what becomes of them. */
static const struct {
    const char *path;
    enum outcome outcome;
} spellings[] = {
    {"<x@far.test>", REFUSED},
    {"<X@FAR.TEST>", REFUSED},
    {"<x%far.test@example.org>", UNKNOWN},
    {"<x%far.test@[192.0.2.1]>", UNKNOWN},
    {"<x%far.test%more.test@example.org>", UNKNOWN},
    {"<anna%example.org@far.test>", REFUSED},
    {"<\"x%far.test\"@example.org>", UNKNOWN},
    {"<\"x@far.test\"@example.org>", UNKNOWN},
    {"<\"x@far.test\"@[192.0.2.1]>", UNKNOWN},
    {"<\"x\\@far.test\"@example.org>", UNKNOWN},
    {"<\"anna@example.org\"@far.test>", REFUSED},
    {"<\"x@far.test\">", SYNTAX},
    {"<\"<x@far.test>\"@example.org>", UNKNOWN},
    {"<far.test!x@example.org>", UNKNOWN},
    {"<far.test!x>", SYNTAX},
    {"<example.org!far.test!x@example.org>", UNKNOWN},
    {"<\"far.test!x\"@example.org>", UNKNOWN},
    {"<@example.org:x@far.test>", REFUSED},
    {"<@example.org,@mail.example.org:x@far.test>", REFUSED},
    {"<@far.test:anna@example.org>", TO_ANNA},
    {"<@[192.0.2.1]:x@far.test>", SYNTAX},
    {"<x@far.test:anna@example.org>", SYNTAX},
    {"<x@[192.0.2.9]>", REFUSED},
    {"<x@[192.0.2.1].far.test>", SYNTAX},
    {"<anna@[192.0.2.1]>", TO_ANNA},
    {"<anna@[192.0.2.01]>", SYNTAX},
    {"<anna@[::ffff:192.0.2.1]>", SYNTAX},
    {"<anna@[IPv6:::ffff:192.0.2.1]>", REFUSED},
    {"<anna@[IPv6:2001:db8::1]>", REFUSED},
    {"<anna@192.0.2.1>", REFUSED},
    {"<anna@[example.org]>", SYNTAX},
    {"<anna@example.org.>", SYNTAX},
    {"<anna@.example.org>", SYNTAX},
    {"<anna@example..org>", SYNTAX},
    {"<x@far.test.>", SYNTAX},
    {"<anna@sub.example.org>", REFUSED},
    {"<anna@example.org.far.test>", REFUSED},
    {"<anna@xexample.org>", REFUSED},
    {"<anna@example>", REFUSED},
    {"<anna@org>", REFUSED},
    {"<anna@localhost>", REFUSED},
    {"<anna@mail.example.org>", REFUSED},
    {"<x@far.test@example.org>", SYNTAX},
    {"<anna@example.org@far.test>", SYNTAX},
    {"<anna@example.org,x@far.test>", SYNTAX},
    {"<anna@example.org;x@far.test>", SYNTAX},
    {"<anna@example.org> x@far.test", SYNTAX},
    {"<anna@example.org><x@far.test>", SYNTAX},
    {"<anna@example.org x@far.test>", SYNTAX},
    {"<anna@far.test(@example.org)>", SYNTAX},
    {"<x@far.test(comment)>", SYNTAX},
    {"<anna@example.org#far.test>", SYNTAX},
    {"<x@far.test#example.org>", SYNTAX},
    {"<x@far.test/@example.org>", SYNTAX},
    {"<x@far.test\\@example.org>", SYNTAX},
    {"x@far.test", SYNTAX},
    {"anna@example.org", SYNTAX},
    {"<x>", SYNTAX},
    {"<>", SYNTAX},
    {"<@far.test>", SYNTAX},
    {"<|cat@example.org>", UNKNOWN},
    {"</dev/null@example.org>", UNKNOWN},
    {"<:include:/x@example.org>", SYNTAX},
    {"<x=far.test@example.org>", UNKNOWN},
    {"<x+far.test@example.org>", UNKNOWN},
    {"<anna+x=far.test@example.org>", TO_ANNA},
    {"<anna+\"x@far.test\"@example.org>", SYNTAX},
    {"<\"anna+x@far.test\"@example.org>", TO_ANNA},
    {"<SRS0=abcd=ef=far.test=x@example.org>", UNKNOWN},
    {"<prvs=1234abcd=x/far.test@example.org>", UNKNOWN},
    /* With SMTPUTF8: letters that look like ours, wide ones, other dots. */
    {"<anna@ex\320\260mple.org>", REFUSED},
    {"<anna@example\343\200\202org>", SYNTAX},
    {"<anna@\357\275\205xample.org>", SYNTAX},
    {"<anna\357\274\240far.test@example.org>", UNKNOWN},
    {"<x@far.test\342\200\250@example.org>", SYNTAX},
    {"<\303\244@far.test>", REFUSED},
    {"<anna@xn--exmple-4nf.org>", REFUSED},
};
#define SPELLINGS (sizeof(spellings) / sizeof(spellings[0]))

static bool is_outcome(enum outcome outcome, const char *answer)
{
    switch (outcome) {
    case REFUSED:
        return strncmp(answer, NO_RELAY, strlen(NO_RELAY)) == 0;
    case UNKNOWN:
        return strncmp(answer, NO_USER, strlen(NO_USER)) == 0;
    case SYNTAX:
        return strncmp(answer, "501 5.1.3", 9) == 0 ||
               strncmp(answer, "501 5.5.4", 9) == 0 ||
               strncmp(answer, "555 5.5.4", 9) == 0;
    case TO_ANNA:
        return strncmp(answer, RECIPIENT, strlen(RECIPIENT)) == 0;
    }
    return false;
}

/* One spelling under one sender: the answer, and what is stored. */
static void try_spelling(size_t i, const char *sender)
{
    struct fake_stream fake;
    char text[512];
    size_t before;

    fake_store_reset();
    fake_connect(&fake, &fake_play_plain);
    snprintf(text, sizeof(text), "EHLO c.test\r\nMAIL FROM:<%s> SMTPUTF8\r\n",
             sender);
    fake_send(&fake, &fake_play_plain, text, strlen(text));
    before = fake.out_len;
    snprintf(text, sizeof(text), "RCPT TO:%s\r\n", spellings[i].path);
    fake_send(&fake, &fake_play_plain, text, strlen(text));
    if (!is_outcome(spellings[i].outcome, fake.out + before))
        printf("%s: %s", spellings[i].path, fake.out + before);
    CHECK(is_outcome(spellings[i].outcome, fake.out + before));
    fake_send(&fake, &fake_play_plain, "DATA\r\n.\r\n", 9);
    CHECK(fake_st.stored_count == (spellings[i].outcome == TO_ANNA));
    CHECK(last_stored()->remote_count == 0);
    CHECK(last_stored()->user_count == (spellings[i].outcome == TO_ANNA));
    CHECK(spellings[i].outcome != TO_ANNA || last_stored()->users[0] == 1);
    fake_lose(&fake, ERR_RESET);
    fake_free(&fake);
}

static void test_spellings(void)
{
    static const char *const senders[] = {"", "x@y.test", "anna@example.org",
                                          "postmaster@example.org",
                                          "anna@[192.0.2.1]"};

    CHECK(SPELLINGS >= 40);
    for (size_t i = 0; i < SPELLINGS; i++)
        for (size_t j = 0; j < sizeof(senders) / sizeof(senders[0]); j++)
            try_spelling(i, senders[j]);
}

/* Going on to an outside address is what an alias is for. */
static void test_aliases(void)
{
    CHECK(play(
        "EHLO c.test\r\nMAIL FROM:<x@y.test>\r\n"
        "RCPT TO:<team@example.org> NOTIFY=SUCCESS,FAILURE\r\n"
        "RCPT TO:<away@example.org> ORCPT=rfc822;q@r\r\n"
        "RCPT TO:<info@example.org>\r\nDATA\r\n.\r\n",
        GREETING EXTENDED SENDER RECIPIENT RECIPIENT RECIPIENT START STORED));
    CHECK(last_stored()->user_count == 1 && last_stored()->users[0] == 1);
    CHECK(strcmp(last_stored()->remotes,
                 "far@away.test rfc822;team@example.org 4\n"
                 "further@away.test rfc822;team@example.org 4\n"
                 "Far@away.test rfc822;q@r 0\n") == 0);
    CHECK(last_stored()->submitter == 0 && !last_stored()->smtputf8);
    CHECK(strcmp(last_stored()->sender, "x@y.test") == 0);
    /* One that means one address: its success is the recipient's. */
    CHECK(play("EHLO c.test\r\nMAIL FROM:<x@y.test>\r\n"
               "RCPT TO:<abroad@example.org> NOTIFY=SUCCESS\r\nDATA\r\n.\r\n",
               GREETING EXTENDED SENDER RECIPIENT START STORED));
    CHECK(strcmp(last_stored()->remotes,
                 "f\303\244r@away.test rfc822;abroad@example.org 2\n") == 0);
    CHECK(!last_stored()->smtputf8);
    /* All or nothing of an alias. */
    CHECK(play("EHLO c.test\r\nMAIL FROM:<x@y.test>\r\n"
               "RCPT TO:<all@example.org>\r\nRCPT TO:<most@example.org>\r\n"
               "RCPT TO:<most@example.org>\r\nRCPT TO:<both@example.org>\r\n"
               "DATA\r\n.\r\n",
               GREETING EXTENDED SENDER
               "550 5.2.4 This alias means too many"
               "\r\n" RECIPIENT RECIPIENT RECIPIENT START STORED));
    CHECK(last_stored()->user_count == 62);
}

static void few(void)
{
    fake_set("recipients_max", "61");
}

static void test_domains(void)
{
    prepare = few;
    CHECK(play("HELO c.test\r\nMAIL FROM:<x@y.test>\r\n"
               "RCPT TO:<most@example.org>\r\nRCPT TO:<both@example.org>\r\n"
               "RCPT TO:<bert@example.org>\r\nRCPT TO:<info@example.org>\r\n"
               "DATA\r\n.\r\n",
               GREETING HELLO SENDER RECIPIENT TOO_MANY RECIPIENT TOO_MANY START
                   STORED));
    CHECK(last_stored()->user_count == 61);
    prepare = NULL;
    CHECK(play(
        "HELO c.test\r\nMAIL FROM:<anna@example.org> SIZE=1000\r\n"
        "RCPT TO:<anna@closed.example>\r\n"
        "RCPT TO:<anna@small.example>\r\n"
        "RCPT TO:<PostMaster@closed.example>\r\nRSET\r\n"
        "MAIL FROM:<x@y.test> SIZE=3000\r\n"
        "RCPT TO:<anna@small.example>\r\n"
        "RCPT TO:<anna@example.org>\r\n",
        GREETING HELLO SENDER
        "550 5.7.1 This domain takes mail of its own users only\r\n" RECIPIENT
            RECIPIENT OKAY SENDER TOO_BIG RECIPIENT));
    CHECK(play("EHLO c.test\r\nAUTH PLAIN AGFubmEAc2UgY3JldA==\r\n"
               "MAIL FROM:<anna@example.org>\r\n"
               "RCPT TO:<anna@closed.example>\r\n",
               GREETING EXTENDED LOGGED_IN SENDER RECIPIENT));
}

/* A message that grows beyond what a recipient's domain takes. */
static void test_small_domain(void)
{
    static const char head[] = "HELO c.test\r\nMAIL FROM:<x@y.test>\r\n"
                               "RCPT TO:<anna@small.example>\r\nDATA\r\n\r\n";
    char text[4000];
    size_t size;

    for (size = 1998; size <= 1999; size++) {
        size_t at = (size_t)sprintf(text, "%s", head);

        memset(text + at, 'x', size);
        strcpy(text + at + size - 2, "\r\n.\r\n");
        CHECK(play(text, size == 1998
                             ? GREETING HELLO SENDER RECIPIENT START STORED
                             : GREETING HELLO SENDER RECIPIENT START TOO_BIG));
    }
}

int main(void)
{
    start_server();
    test_spellings();
    test_aliases();
    test_domains();
    test_small_domain();
    fake_store_reset();
    return check_report();
}
