/* What is added to the mail of users (RFC 6409 section 8), and whose From it
 * may have. */
#include "tests/unit/smtp_play.h"

#define LOG_IN                                                                 \
    "EHLO c.test\r\nAUTH PLAIN AGFubmEAc2UgY3JldA==\r\n"                       \
    "MAIL FROM:<anna@example.org>\r\nRCPT TO:<bert@example.org>\r\n"
#define AT_RCPT GREETING EXTENDED LOGGED_IN SENDER RECIPIENT
#define TRACE   TRACE_OF("anna@example.org", "c.test", "ESMTPA")
#define DATE    "Date: \1\r\n"
#define ID      "Message-ID: <\1\r\n"

/* What is sent between 354 and the final dot, and what is stored of it. */
static const struct {
    const char *sent, *stored;
} messages[] = {
    {"From: a\r\n\r\nbody\r\n", "From: a\r\n" DATE ID "\r\nbody\r\n"},
    {"DATE: d\r\nmessage-id: m\r\n\r\nDate: no\r\n",
     "DATE: d\r\nmessage-id: m\r\n\r\nDate: no\r\n"},
    {"Date: d\r\n\r\n", "Date: d\r\n" ID "\r\n"},
    {"Message-ID: m\r\n\r\n", "Message-ID: m\r\n" DATE "\r\n"},
    {"Date : d\r\nMessage-ID\t: m\r\n\r\n",
     "Date : d\r\nMessage-ID\t: m\r\n\r\n"},
    {"X-Date: d\r\nSubject: Date: x\r\n Date: y\r\n\r\nb\r\n",
     "X-Date: d\r\nSubject: Date: x\r\n Date: y\r\n" DATE ID "\r\nb\r\n"},
    /* No body, no header, neither. */
    {"Subject: s\r\n", "Subject: s\r\n" DATE ID},
    {"\r\nbody\r\n", DATE ID "\r\nbody\r\n"},
    {"", DATE ID},
    {"just text\r\nDate: no\r\n", DATE ID "\r\njust text\r\nDate: no\r\n"},
    {"just-text\r\n", DATE ID "\r\njust-text\r\n"},
    {" folded: x\r\n", DATE ID "\r\n folded: x\r\n"},
    {"A: b\r\nno field\r\n\r\nx\r\n",
     "A: b\r\n" DATE ID "\r\nno field\r\n\r\nx\r\n"},
    {": nameless\r\n", DATE ID "\r\n: nameless\r\n"},
    /* Dots. */
    {"..A: b\r\n", ".A: b\r\n" DATE ID},
    {".. b\r\n", DATE ID "\r\n. b\r\n"},
    {"A: b\r\n\r\n..\r\n", "A: b\r\n" DATE ID "\r\n.\r\n"},
    /* Bcc stays: who sends it decides what he shows. */
    {"Bcc: x@y\r\nDate: d\r\nMessage-ID: m\r\n\r\n",
     "Bcc: x@y\r\nDate: d\r\nMessage-ID: m\r\n\r\n"},
    {"Subject: \344\r\nDate: d\r\nMessage-ID: m\r\n\r\n\344\r\n",
     "Subject: \344\r\nDate: d\r\nMessage-ID: m\r\n\r\n\344\r\n"},
};
#define MESSAGES (sizeof(messages) / sizeof(messages[0]))

static void test_fields(void)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        char text[1024], pattern[1024];

        snprintf(text, sizeof(text), LOG_IN "DATA\r\n%s.\r\nQUIT\r\n",
                 messages[i].sent);
        snprintf(pattern, sizeof(pattern), TRACE "%s", messages[i].stored);
        CHECK(play(text, AT_RCPT START STORED BYE));
        CHECK(stored(pattern));
    }
    /* The same in two chunks; without the final line end too. */
    for (size_t i = 0; i < MESSAGES; i++) {
        size_t len = strlen(messages[i].sent);
        char text[1024], pattern[1024];

        if (messages[i].sent[0] == '.' || strstr(messages[i].sent, "\n.."))
            continue;
        snprintf(text, sizeof(text),
                 LOG_IN "BDAT %zu\r\n%.*sBDAT %zu LAST\r\n%sQUIT\r\n", len / 2,
                 (int)(len / 2), messages[i].sent, len - len / 2,
                 messages[i].sent + len / 2);
        snprintf(pattern, sizeof(pattern), TRACE "%s", messages[i].stored);
        CHECK(play(text, AT_RCPT "250 2.0.0 \1\r\n" STORED BYE));
        CHECK(stored(pattern));
    }
    CHECK(play(LOG_IN "BDAT 4 LAST\r\nA: bQUIT\r\n", AT_RCPT STORED BYE));
    CHECK(stored(TRACE "A: b\r\n" DATE ID));
    CHECK(play(LOG_IN "BDAT 5 LAST\r\nDate:QUIT\r\n", AT_RCPT STORED BYE));
    CHECK(stored(TRACE "Date:\r\n" ID));
    CHECK(play(LOG_IN "BDAT 3 LAST\r\na bQUIT\r\n", AT_RCPT STORED BYE));
    CHECK(stored(TRACE DATE ID "\r\na b\r\n"));
    CHECK(play(LOG_IN "BDAT 5 LAST\r\nA: b\rQUIT\r\n", AT_RCPT BARE BYE));
}

/* Lines longer than the session's buffer go through it in parts. */
static void test_long_fields(void)
{
    static const size_t lengths[] = {1020, 1021, 1022, 1023, 1024,
                                     1025, 1026, 2048, 2050, 9000};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i];
        char *text = malloc(len + 1000);
        char *pattern = malloc(len + 1000);
        size_t at = (size_t)sprintf(text, LOG_IN "DATA\r\nX: ");
        size_t to = (size_t)sprintf(pattern, TRACE "X: ");

        memset(text + at, 'x', len);
        memset(pattern + to, 'x', len);
        strcpy(text + at + len, "\r\nDate: d\r\n\r\n.\r\n");
        strcpy(pattern + to + len, "\r\nDate: d\r\n" ID "\r\n");
        CHECK(play(text, AT_RCPT START STORED));
        CHECK(stored(pattern));
        /* The same without a colon: it is the body. */
        text[at - 3] = 'x';
        text[at - 2] = ' ';
        pattern[to - 3] = '\0';
        CHECK(play(text, AT_RCPT START STORED));
        CHECK(strstr(last_stored()->bytes, "\r\n\r\nx  xxxx") != NULL);
        free(text);
        free(pattern);
    }
}

static void check_from(void)
{
    fake_set("check_from", "yes");
}

static void test_from(void)
{
    static const struct {
        const char *from;
        bool may;
    } cases[] = {
        {"From: anna@example.org", true},
        {"From: Anna <anna@example.org>", true},
        {"from:<ANNA@EXAMPLE.ORG>", true},
        {"From: \"Anna, @ home\" <anna+x@example.org>", true},
        {"From: Anna (at <home>) <info@example.org> (that's me)", true},
        {"From: =?utf-8?q?=C3=84nna?= <anna@example.org>", true},
        {"From: Anna\r\n <anna@example.org>\r\n\t", true},
        {"From: anna@example.org, info@example.org", true},
        {"From: \"anna\"@example.org", true},
        {"From: anna@example.org (a \\) comment)", true},
        {"From: bert@example.org", false},
        {"From: Anna <bert@example.org>", false},
        {"From: anna@example.org <bert@example.org>", false},
        {"From: \"anna@example.org\" <bert@example.org>", false},
        {"From: anna@example.org, bert@example.org", false},
        {"From: anna@example.org\r\nFrom: bert@example.org", false},
        {"From: bert@example.org\r\nFrom: anna@example.org", false},
        {"From: <anna@example.org> bert@example.org", false},
        {"From: <bert@example.org> anna@example.org", false},
        {"From: <anna@example.org", false},
        {"From: anna", false},
        {"From: ", false},
        {"From: <>", false},
        {"From: ,,", false},
        {"From: friends: anna@example.org;", false},
        {"From: <@example.org:bert@far.test>", false},
        {"From: anna@far.test", false},
        {"From: anna@example.org@far.test", false},
        {"From: \"", false},
        {"From: (", false},
        {"From: a b@example.org", false},
        {"Subject: no From", false},
        {"Sender: anna@example.org", false},
    };

    prepare = check_from;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        bool right;

        snprintf(text, sizeof(text), LOG_IN "DATA\r\n%s\r\n\r\nx\r\n.\r\n",
                 cases[i].from);
        right = play(text, cases[i].may ? AT_RCPT START STORED
                                        : AT_RCPT START NOT_YOURS);
        if (!right)
            printf("%s\n", cases[i].from);
        CHECK(right);
    }
    /* Mail of others is not looked at. */
    CHECK(play("HELO c.test\r\nMAIL FROM:<x@y.test>\r\n"
               "RCPT TO:<bert@example.org>\r\nDATA\r\nFrom: z@y.test\r\n\r\n"
               ".\r\n",
               GREETING HELLO SENDER RECIPIENT START STORED));
    CHECK(stored(
        TRACE_OF("x@y.test", "c.test", "SMTP") "From: z@y.test\r\n\r\n"));
    prepare = NULL;
}

/* Too long to be looked at: nobody's. */
static void test_long_from(void)
{
    char text[6000];
    size_t at = (size_t)sprintf(text, LOG_IN "DATA\r\nFrom: ");

    prepare = check_from;
    for (unsigned i = 0; i < 60; i++)
        at += (size_t)sprintf(text + at, "anna@example.org,\r\n ");
    strcpy(text + at, "anna@example.org\r\n\r\n.\r\n");
    CHECK(play(text, AT_RCPT START NOT_YOURS));
    prepare = NULL;
}

/* One message after another: what was seen of the first counts no more. */
static void test_two(void)
{
    CHECK(play(LOG_IN "DATA\r\nDate: d\r\nMessage-ID: m\r\n\r\n.\r\n"
                      "MAIL FROM:<>\r\nRCPT TO:<bert@example.org>\r\n"
                      "DATA\r\nA: b\r\n\r\n.\r\n",
               AT_RCPT START STORED SENDER RECIPIENT START STORED));
    CHECK(stored(TRACE_OF("", "c.test", "ESMTPA") "A: b\r\n" DATE ID "\r\n"));
}

int main(void)
{
    start_server();
    test_fields();
    test_long_fields();
    test_from();
    test_long_from();
    test_two();
    fake_store_reset();
    return check_report();
}
