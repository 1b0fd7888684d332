/* What the POP3 server tells the log: the first messages of a session one by
 * one, and what it did in all; nothing when it only looked. And its share of
 * the limits. */
#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"
#include "pop3/pop3_session.h"
#include "core/random.h"

static struct {
    unsigned messages, sessions;
    int64_t first_id, last_id;
    char first[LOG_TEXT_BYTES], last[LOG_TEXT_BYTES];
    char session[LOG_TEXT_BYTES];
} seen;

static void take(const struct log_entry *entry)
{
    if (strcmp(entry->module, "pop3") != 0)
        return;
    if (entry->mail_id == 0) {
        seen.sessions++;
        strcpy(seen.session, entry->text);
        return;
    }
    if (seen.messages++ == 0) {
        seen.first_id = entry->mail_id;
        strcpy(seen.first, entry->text);
    }
    seen.last_id = entry->mail_id;
    strcpy(seen.last, entry->text);
}

static void play(const char *text)
{
    struct fake_stream fake;

    memset(&seen, 0, sizeof(seen));
    fake_connect(&fake, &fake_play_plain);
    fake_send(&fake, &fake_play_plain, text, strlen(text));
    fake_sleep(&fake, &fake_play_plain, 10);
    if (fake.end == FAKE_OPEN)
        fake_lose(&fake, ERR_RESET);
    fake_settle(&fake, &fake_play_plain);
    fake_free(&fake);
}

static void fill(unsigned messages)
{
    fake_store_reset();
    for (unsigned i = 0; i < messages; i++) {
        fake_st.entries[i].message_id = 101 + i;
        fake_st.entries[i].uid = 1 + i;
        fake_st.bodies[i] = "Subject: x\r\n\r\nhello\r\n";
        fake_st.entries[i].bytes = (uint32_t)strlen(fake_st.bodies[i]);
    }
    fake_st.entry_count = messages;
}

#define LOG_IN "USER anna\r\nPASS se cret\r\n"

static void test_lines(void)
{
    fill(3);
    play(LOG_IN "STAT\r\nLIST\r\nUIDL\r\nTOP 1 0\r\nQUIT\r\n");
    CHECK(seen.messages == 0 && seen.sessions == 0);
    play(LOG_IN "RETR 2\r\nDELE 2\r\nQUIT\r\n");
    CHECK(seen.messages == 2 && seen.first_id == 102 && seen.last_id == 102);
    CHECK(strcmp(seen.first, "retrieved user=anna client=192.0.2.7") == 0);
    CHECK(strcmp(seen.last, "deleted user=anna client=192.0.2.7") == 0);
    CHECK(strcmp(seen.session, "session user=anna client=192.0.2.7 "
                               "retrieved=1 deleted=1") == 0);
    /* Marked, but not removed: the connection breaks. */
    fill(3);
    play(LOG_IN "DELE 2\r\n");
    CHECK(seen.messages == 0 && seen.sessions == 0);
}

static void test_many(void)
{
    char text[2000] = LOG_IN;

    fill(30);
    for (unsigned i = 1; i <= 30; i++)
        sprintf(text + strlen(text), "RETR %u\r\n", i);
    strcat(text, "QUIT\r\n");
    play(text);
    CHECK(seen.messages == 20 && seen.sessions == 1);
    CHECK(strstr(seen.session, "retrieved=30 deleted=0") != NULL);
}

/* Sessions of one address are limited as those of SMTP are. */
static void test_crowd(void)
{
    struct fake_stream first, second;

    fill(1);
    fake_set("limit_sessions", "1");
    fake_connect(&first, &fake_play_plain);
    fake_connect(&second, &fake_play_plain);
    CHECK(strncmp(first.out, "+OK", 3) == 0);
    CHECK(strcmp(second.out, "-ERR [SYS/TEMP] too many connections from your "
                             "address\r\n") == 0);
    CHECK(second.end == FAKE_CLOSED);
    fake_free(&second);
    fake_lose(&first, ERR_RESET);
    fake_free(&first);
    fake_connect(&first, &fake_play_plain);
    CHECK(strncmp(first.out, "+OK", 3) == 0);
    fake_lose(&first, ERR_RESET);
    fake_free(&first);
}

int main(void)
{
    static struct log_sink sink = {.take = take};

    task_module_init();
    timer_module_init();
    timer_run();
    fake_store_reset();
    log_add_sink(&sink);
    CHECK(pop3_server_init(4) == OK);
    pop3_server_start();
    test_lines();
    test_many();
    random_module_init();
    CHECK(limits_init(64) == OK);
    test_crowd();
    fake_store_reset();
    return check_report();
}
