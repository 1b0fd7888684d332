/* What the SMTP server writes into the log of a message's life. */
#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"
#include "smtp/smtp_session.h"

#define TO_DATA                                                                \
    "EHLO c.test\r\nMAIL FROM:<a@b>\r\nRCPT TO:<anna@example.org>\r\n"         \
    "RCPT TO:<bert@example.org>\r\nDATA\r\n"

static struct {
    unsigned count;
    int64_t mail_id;
    char text[4][LOG_TEXT_BYTES];
} seen;

static void take(const struct log_entry *entry)
{
    if (strcmp(entry->module, "smtp") != 0 || entry->level != LOG_INFO)
        return;
    seen.mail_id = entry->mail_id;
    strcpy(seen.text[seen.count++ % 4], entry->text);
}

static void play(const char *text)
{
    struct fake_stream fake;

    seen.count = 0;
    fake_connect(&fake, &fake_play_plain);
    fake_send(&fake, &fake_play_plain, text, strlen(text));
    fake_free(&fake);
}

/* The line in front of the transaction's number, which is different each time,
 * and behind it. */
static bool line_is(const char *line, const char *behind)
{
    const char *at = strchr(line, '-');

    return strncmp(line, "received id=", 12) == 0 && at != NULL &&
           strcmp(strchr(at, ' ') + 1, behind) == 0;
}

static void test_received(void)
{
    fake_store_reset();
    play(TO_DATA "hello\r\n.\r\nQUIT\r\n");
    CHECK(seen.count == 1 && seen.mail_id == 4711);
    CHECK(line_is(seen.text[0], "client=192.0.2.7 helo=c.test from=<a@b> "
                                "size=7 local=anna,bert"));
    play("HELO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\n.\r\n"
         "QUIT\r\n");
    CHECK(line_is(seen.text[0], "client=192.0.2.7 helo=c.test from=<> size=0 "
                                "local=anna"));
    play("HELO c.test\r\nMAIL FROM:<\"x user=bert\"@b>\r\n"
         "RCPT TO:<anna@example.org>\r\nDATA\r\n.\r\nQUIT\r\n");
    CHECK(line_is(seen.text[0],
                  "client=192.0.2.7 helo=c.test "
                  "from=<\"\\\"x user=bert\\\"@b\"> size=0 local=anna"));
}

static void test_failure(void)
{
    fake_store_reset();
    fake_st.commit_error = ERR_FULL;
    play(TO_DATA "hello\r\n.\r\nQUIT\r\n");
    CHECK(seen.count == 2);
    CHECK(strcmp(seen.text[1], "not stored error=\"no room left\"") == 0);
}

static void test_refusals(void)
{
    char text[200 * 40 + 200] = "HELO c.test\r\nMAIL FROM:<a@b>\r\n";

    fake_store_reset();
    fake_set("smtp_errors_max", "200");
    play("HELO c.test\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@far.example>\r\n"
         "RCPT TO:<no@example.org>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\n"
         "a\rb\r\n.\r\nQUIT\r\n");
    CHECK(seen.count == 3);
    CHECK(strcmp(seen.text[0], "refused client=192.0.2.7 from=<a@b> "
                               "to=<x@far.example> "
                               "reply=\"550 5.7.1 Relaying denied\"") == 0);
    CHECK(strcmp(seen.text[1], "refused client=192.0.2.7 from=<a@b> "
                               "to=<no@example.org> "
                               "reply=\"550 5.1.1 No such user here\"") == 0);
    CHECK(strcmp(seen.text[2],
                 "refused client=192.0.2.7 from=<a@b> to=<> "
                 "reply=\"550 5.6.11 Message has a bare CR or LF\"") == 0);
    /* Only so many at once, and the next one tells how many were not. */
    for (unsigned i = 0; i < 150; i++)
        strcat(text, "RCPT TO:<x@far.example>\r\n");
    play(text);
    CHECK(seen.count == 47);
    fake_machine.now_ns += 2000000000;
    timer_run();
    play("HELO c.test\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@far.example>\r\n");
    CHECK(seen.count == 1 && strstr(seen.text[0], "denied\" not_told=103"));
}

/* Names that do not fit are counted, and the line stays whole. */
static void test_many(void)
{
    static int64_t users[STORE_RECIPIENTS_MAX];
    struct store_remote remotes[60];
    struct st_envelope envelope = {.sender = "a@b",
                                   .users = users,
                                   .user_count = STORE_RECIPIENTS_MAX,
                                   .remotes = remotes,
                                   .remote_count = 60};
    static struct smtp_session session;
    struct fake_stream fake = {.stream.operations = &fake_operations};

    for (unsigned i = 0; i < STORE_RECIPIENTS_MAX; i++)
        users[i] = 1 + i % 3;
    for (unsigned i = 0; i < 60; i++)
        remotes[i].address = "someone@elsewhere.example";
    session.dialogue.stream = &fake.stream;
    smtp_log_received(&session, 9, &envelope);
    CHECK(seen.mail_id == 9);
    CHECK(strstr(seen.text[(seen.count - 1) % 4],
                 "local=anna,bert,gone,anna,") != NULL);
    CHECK(strstr(seen.text[(seen.count - 1) % 4], ",+54 remote=<someone@") !=
          NULL);
    CHECK(strstr(seen.text[(seen.count - 1) % 4], ">,+52") != NULL);
}

int main(void)
{
    static struct log_sink sink = {.take = take};

    task_module_init();
    timer_module_init();
    timer_run();
    fake_store_reset();
    log_add_sink(&sink);
    CHECK(smtp_server_init(2) == OK);
    smtp_server_start();
    test_received();
    test_failure();
    test_refusals();
    test_many();
    fake_store_reset();
    return check_report();
}
