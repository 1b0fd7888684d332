/* Limits as the SMTP server keeps them: tarpit, late greeting, early talkers,
 * block lists, strangers, too many sessions, users who send too much; clients
 * that go meanwhile leave nothing behind. */
#include "tests/unit/smtp_play.h"
#include "core/random.h"

#define TO_MAIL "EHLO c.test\r\nMAIL FROM:<a@b.example>\r\n"
#define AT_MAIL GREETING EXTENDED SENDER
#define ANNA    "RCPT TO:<anna@example.org>\r\n"
#define NOBODY  "RCPT TO:<nobody@example.org>\r\n"
#define LISTED                                                                 \
    "550 5.7.1 two.example lists your address as one that sends unwanted "     \
    "mail\r\n"
#define CROWD                                                                  \
    "421 4.7.0 mail.example.org too many connections from your address\r\n"

static struct fake_stream fake;

static void begin(void)
{
    fake_connect(&fake, &fake_play_plain);
}

static void send_text(const char *text)
{
    fake_send(&fake, &fake_play_plain, text, strlen(text));
}

static void pass(uint64_t ms)
{
    fake_sleep(&fake, &fake_play_plain, ms);
}

static bool said(const char *answers)
{
    return fake_matches(fake.out, fake.out_len, answers);
}

static void end(void)
{
    if (fake.end == FAKE_OPEN)
        fake_lose(&fake, ERR_RESET);
    fake_free(&fake);
    check_clean();
    CHECK(fake_names.lookup == NULL && fake_names.peer == NULL);
}

static bool stored_with(const char *text)
{
    return memmem(last_stored()->bytes, last_stored()->len, text,
                  strlen(text)) != NULL;
}

static void tell_list(enum dns_status status, uint32_t answer)
{
    struct dns_lookup *lookup = fake_names.lookup;

    CHECK(lookup != NULL);
    fake_names.lookup = NULL;
    lookup->status = status;
    lookup->count = status == DNS_OK;
    lookup->answers[0].address = net_address_v4(answer);
    lookup->done(lookup);
    pass(1);
}

static void tell_peer(bool known)
{
    struct st_peer *peer = fake_names.peer;

    CHECK(peer != NULL);
    fake_names.peer = NULL;
    peer->known = known;
    peer->request.result = OK;
    peer->request.done(&peer->request);
    pass(1);
}

/* Five guesses are free; the next ones wait, and what is pipelined behind them
 * with them. */
static void test_tarpit(void)
{
    fake_store_reset();
    begin();
    send_text(TO_MAIL NOBODY NOBODY NOBODY NOBODY NOBODY NOBODY NOBODY
              "RSET\r\n");
#define FIVE NO_USER NO_USER NO_USER NO_USER NO_USER
    CHECK(said(AT_MAIL FIVE));
    pass(990);
    CHECK(said(AT_MAIL FIVE));
    pass(20);
    CHECK(said(AT_MAIL FIVE NO_USER));
    pass(1900);
    CHECK(said(AT_MAIL FIVE NO_USER));
    pass(200);
    CHECK(said(AT_MAIL FIVE NO_USER NO_USER OKAY));
    end();
    /* At last it is enough. */
    fake_store_reset();
    fake_set("tarpit_ms", "0");
    fake_set("limit_invalid_recipients", "7");
    begin();
    send_text(TO_MAIL NOBODY NOBODY NOBODY NOBODY NOBODY NOBODY NOBODY NOBODY);
    CHECK(said(AT_MAIL FIVE NO_USER
               "421 4.7.0 mail.example.org too many unknown users\r\n"));
    CHECK(fake.end == FAKE_CLOSED);
    end();
}

static void test_greeting(void)
{
    fake_store_reset();
    fake_set("greet_delay_ms", "400");
    begin();
    pass(390);
    CHECK(fake.out_len == 0);
    pass(20);
    CHECK(said(GREETING));
    send_text("HELO c.test\r\nNOOP\r\n");
    CHECK(said(GREETING HELLO OKAY));
    end();
    begin();
    pass(100);
    send_text("EHLO spam.example\r\n");
    CHECK(said("554 5.5.0 You talked before the greeting\r\n"));
    CHECK(fake.end == FAKE_CLOSED);
    end();
    begin();
    fake_lose(&fake, ERR_RESET);
    end();
}

static void test_block_lists(void)
{
    fake_store_reset();
    fake_set("dnsbl", "one.example two.example");
    begin();
    send_text(TO_MAIL ANNA ANNA
              "RCPT TO:<postmaster>\r\nDATA\r\nhelp\r\n.\r\n");
    CHECK(said(AT_MAIL));
    CHECK(strcmp(fake_names.lookup->name, "7.2.0.192.one.example") == 0);
    tell_list(DNS_FAILED, 0);
    CHECK(said(AT_MAIL));
    tell_list(DNS_OK, 0x7f000004);
    CHECK(said(AT_MAIL LISTED LISTED RECIPIENT START STORED));
    CHECK(last_stored()->user_count == 1);
    end();
    /* No list has it. */
    fake_store_reset();
    fake_set("dnsbl", "one.example");
    begin();
    send_text(TO_MAIL ANNA "RCPT TO:<bert@example.org>\r\nDATA\r\nx\r\n.\r\n");
    tell_list(DNS_NO_NAME, 0);
    CHECK(said(AT_MAIL RECIPIENT RECIPIENT START STORED));
    CHECK(last_stored()->user_count == 2);
    CHECK(!stored_with("X-Blocklist"));
    end();
    /* Marked. */
    fake_store_reset();
    fake_set("dnsbl", "one.example");
    fake_set("dnsbl_action", "mark");
    begin();
    send_text(TO_MAIL ANNA "DATA\r\nx\r\n.\r\n");
    tell_list(DNS_OK, 0x7f000004);
    CHECK(said(AT_MAIL RECIPIENT START STORED));
    CHECK(stored_with("\r\nX-Blocklist: one.example\r\nx"));
    end();
    /* Who logs in meanwhile is believed, wherever he is. */
    fake_store_reset();
    fake_set("dnsbl", "one.example");
    fake_set("limit_user_messages", "0");
    begin();
    send_text(TO_MAIL ANNA "RSET\r\nAUTH PLAIN AGFubmEAc2UgY3JldA==\r\n"
                           "MAIL FROM:<anna@example.org>\r\n" ANNA
                           "DATA\r\nx\r\n.\r\n");
    tell_list(DNS_OK, 0x7f000004);
    CHECK(said(AT_MAIL "550 5.7.1 one.example lists your address as one that "
                       "sends unwanted mail\r\n" OKAY LOGGED_IN SENDER RECIPIENT
                           START STORED));
    CHECK(!stored_with("X-Blocklist"));
    end();
    /* The resolver is silent. */
    fake_store_reset();
    fake_set("dnsbl", "one.example");
    begin();
    send_text(TO_MAIL ANNA);
    pass(9000);
    CHECK(said(AT_MAIL RECIPIENT));
    end();
    begin();
    send_text(TO_MAIL ANNA);
    end(); /* gone while it is asked */
    begin();
    send_text(TO_MAIL ANNA);
    smtp_server_stop();
    CHECK(fake.end == FAKE_CLOSED);
    end();
    smtp_server_start();
}

static void test_strangers(void)
{
    fake_store_reset();
    fake_set("slow_strangers_ms", "3000");
    begin();
    send_text(TO_MAIL ANNA "DATA\r\nx\r\n.\r\n");
    CHECK(strcmp(fake_names.peer->peer, "192.0.2.0/24 b.example") == 0);
    tell_peer(false);
    pass(2900);
    CHECK(said(AT_MAIL));
    fake_names.noted[0] = '\0';
    pass(200);
    CHECK(said(AT_MAIL RECIPIENT START STORED));
    CHECK(strcmp(fake_names.noted, "192.0.2.0/24 b.example") == 0);
    end();
    begin();
    send_text(TO_MAIL ANNA);
    tell_peer(true);
    CHECK(said(AT_MAIL RECIPIENT));
    end();
    begin();
    send_text(TO_MAIL ANNA);
    tell_peer(false);
    fake_lose(&fake, ERR_RESET);
    end();
}

static void test_crowd(void)
{
    struct fake_stream second;

    fake_store_reset();
    fake_set("limit_sessions", "1");
    begin();
    fake_connect(&second, &fake_play_plain);
    CHECK(fake_matches(second.out, second.out_len, CROWD));
    CHECK(second.end == FAKE_CLOSED);
    fake_free(&second);
    send_text("QUIT\r\n");
    CHECK(said(GREETING BYE));
    end();
    begin();
    CHECK(said(GREETING));
    end();
}

/* A user with a stolen password sends no more than so much. */
static void test_users(void)
{
#define LOG_IN  "EHLO c.test\r\nAUTH PLAIN AGFubmEAc2UgY3JldA==\r\n"
#define AT_USER GREETING EXTENDED LOGGED_IN
#define ENOUGH  "450 4.7.1 Your sending limit is reached, try again later\r\n"
    fake_store_reset();
    fake_set("limit_user_recipients", "2");
    fake_set("limit_user_messages", "3");
    begin();
    send_text(LOG_IN "MAIL FROM:<anna@example.org>\r\nRCPT TO:<a@far.example>"
                     "\r\nRCPT TO:<b@far.example>\r\nRCPT TO:<c@far.example>"
                     "\r\nRCPT TO:<bert@example.org>\r\nRSET\r\n"
                     "MAIL FROM:<anna@example.org>\r\nRSET\r\n"
                     "MAIL FROM:<anna@example.org>\r\nRSET\r\n"
                     "MAIL FROM:<anna@example.org>\r\n" NOBODY NOBODY);
    CHECK(said(AT_USER SENDER RECIPIENT RECIPIENT ENOUGH RECIPIENT OKAY SENDER
                   OKAY SENDER OKAY ENOUGH SEQUENCE SEQUENCE));
    end();
}

int main(void)
{
    start_server();
    random_module_init();
    CHECK(limits_init(64) == OK);
    CHECK(limits_judge_init(2) == OK);
    test_tarpit();
    test_greeting();
    test_block_lists();
    test_strangers();
    test_crowd();
    test_users();
    fake_store_reset();
    return check_report();
}
