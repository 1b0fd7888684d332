/* Quotas at the SMTP server: bert has one, anna has none, the alias "both" is
 * for the two of them. */
#include "tests/unit/smtp_play.h"

#define QUOTA_FULL  "452 4.2.2 Mailbox is full\r\n"
#define QUOTA_SMALL "552 5.2.2 Mailbox has no room for so big a message\r\n"
#define HELLO_MAIL  "HELO c\r\nMAIL FROM:<x@y.test>\r\n"
#define AT_MAIL     GREETING HELLO SENDER
#define TO_BERT     "RCPT TO:<bert@example.org>\r\n"
#define TO_ANNA     "RCPT TO:<anna@example.org>\r\n"
#define SMALL       "DATA\r\nSubject: a\r\n\r\nsmall\r\n.\r\n"
#define LINE        "0123456789012345678901234567890123456789\r\n"
#define BIG         "DATA\r\n\r\n" LINE LINE LINE LINE LINE LINE ".\r\n"

static void full(void)
{
    fake_st.quota = 1000;
    fake_st.used = 1000;
}

static void nearly_full(void)
{
    fake_st.quota = 1000;
    fake_st.used = 900;
}

static void over_full(void)
{
    fake_st.quota = 1000;
    fake_st.used = 5000;
}

static void test_full(void)
{
    prepare = full;
    CHECK(play(HELLO_MAIL TO_BERT "DATA\r\nQUIT\r\n",
               AT_MAIL QUOTA_FULL "554 5.5.1 No valid recipients\r\n" BYE));
    CHECK(play(HELLO_MAIL TO_BERT TO_ANNA SMALL "QUIT\r\n",
               AT_MAIL QUOTA_FULL RECIPIENT START STORED BYE));
    CHECK(fake_st.stored[0].user_count == 1 && fake_st.stored[0].users[0] == 1);
    prepare = over_full;
    CHECK(play(HELLO_MAIL TO_BERT "QUIT\r\n", AT_MAIL QUOTA_FULL BYE));
}

static void test_declared(void)
{
    prepare = nearly_full;
    CHECK(play("EHLO c\r\nMAIL FROM:<> SIZE=100\r\n" TO_BERT "RSET\r\n"
               "MAIL FROM:<> SIZE=101\r\n" TO_BERT "RSET\r\n"
               "MAIL FROM:<> SIZE=1001\r\n" TO_BERT TO_ANNA "QUIT\r\n",
               GREETING EXTENDED SENDER RECIPIENT OKAY SENDER QUOTA_FULL OKAY
                   SENDER QUOTA_SMALL RECIPIENT BYE));
}

/* What was not declared is found out at the end of the data. */
static void test_end_of_data(void)
{
    prepare = nearly_full;
    CHECK(play(HELLO_MAIL TO_BERT SMALL "MAIL FROM:<>\r\n" TO_BERT BIG
                                        "MAIL FROM:<>\r\n" TO_ANNA BIG
                                        "QUIT\r\n",
               AT_MAIL RECIPIENT START STORED SENDER RECIPIENT START QUOTA_SMALL
                   SENDER RECIPIENT START STORED BYE));
    CHECK(fake_st.stored_count == 2);
    /* Several recipients: nobody loses it for the sake of one. */
    CHECK(play(HELLO_MAIL TO_BERT TO_ANNA BIG "QUIT\r\n",
               AT_MAIL RECIPIENT RECIPIENT START STORED BYE));
    CHECK(fake_st.stored[0].user_count == 2);
}

static void test_alias(void)
{
    prepare = full;
    CHECK(play(HELLO_MAIL "RCPT TO:<both@example.org>\r\n" SMALL "QUIT\r\n",
               AT_MAIL RECIPIENT START STORED BYE));
    CHECK(fake_st.stored[0].user_count == 2);
}

int main(void)
{
    start_server();
    test_full();
    test_declared();
    test_end_of_data();
    test_alias();
    return check_report();
}
