/* The POP3 server against a fake stream and a fake store. Every dialogue is
 * played in several ways of cutting it into spans and of room for replies, and
 * has to give the same answers in each. */
#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"
#include "pop3/pop3_session.h"

#define SESSIONS 4
#define BUFFERS  4

#define GREETING "+OK Barepost POP3 server ready\r\n"
#define LOGIN    "USER anna\r\nPASS se cret\r\n"
#define LOGGED   GREETING "+OK send PASS\r\n+OK maildrop has 3 messages\r\n"
#define BYE      "+OK goodbye\r\n"

#define FIRST  "Subject: 1\r\n\r\nOne\r\n.\r\n..dots\r\n.x\r\nend\r\n"
#define SECOND "Subject: 2\r\nno end of line"
#define THIRD  ".first\r\n\r\n\r\n.\r\n"

static struct task_pool *pool(void)
{
    return LIST_ELEMENT(task_pools()->next, struct task_pool, link);
}

/* Nothing may be left behind by a session. */
static void check_clean(void)
{
    struct pop3_figures figures;

    pop3_figures(&figures);
    CHECK(figures.sessions == 0);
    CHECK(pool()->free == SESSIONS);
    CHECK(fake_st.locks == 0);
    CHECK(list_empty(&fake_st.requests));
}

static const struct fake_play plays[] = {
    {SIZE_MAX, false, 65536, 65536, false},
    {1, false, 65536, 65536, false},
    {2, false, 65536, 65536, false},
    {0, false, 65536, 65536, false},
    {0, true, 65536, 65536, false},
    {0, true, 65536, 65536, true},
    {SIZE_MAX, true, 65536, 65536, true},
    {SIZE_MAX, false, 100, 7, false},
    {SIZE_MAX, false, 1, 1, false},
    {1, false, 40, 1, true},
    {0, true, 60, 13, true},
};
#define PLAYS (sizeof(plays) / sizeof(plays[0]))

static void add_message(const char *body, size_t len)
{
    uint32_t i = fake_st.entry_count++;

    fake_st.entries[i].message_id = 500 + i;
    fake_st.entries[i].uid = 10 + i;
    fake_st.entries[i].bytes = (uint32_t)len;
    fake_st.bodies[i] = body;
}

static void three_messages(void)
{
    add_message(FIRST, strlen(FIRST));
    add_message(SECOND, strlen(SECOND));
    add_message(THIRD, strlen(THIRD));
}

/* Set by a test: how the store behaves; called before each play. */
static void (*prepare)(void);

/* Plays a dialogue in every way; true when the answers were always these. */
static bool play(const char *text, const char *answers)
{
    bool same = true;
    size_t i;

    for (i = 0; i < PLAYS && same; i++) {
        struct fake_stream fake;

        fake_store_reset();
        fake_st.delay = (unsigned)i % 3;
        fake_st.read_at_most = i % 2 == 0 ? 0 : 1 + 7 * i;
        three_messages();
        if (prepare != NULL)
            prepare();
        fake_connect(&fake, &plays[i]);
        fake_send(&fake, &plays[i], text, strlen(text));
        if (!fake_matches(fake.out, fake.out_len, answers)) {
            printf("play %zu of \"%.60s\" gave:\n%s\n", i, text, fake.out);
            same = false;
        }
        fake_lose(&fake, ERR_RESET);
        fake_settle(&fake, &plays[i]);
        fake_free(&fake);
        check_clean();
    }
    return same;
}

static void test_retrieve(void)
{
    CHECK(play(LOGIN "STAT\r\nRETR 1\r\nRETR 2\r\nRETR 3\r\nQUIT\r\n",
               LOGGED "+OK 3 80\r\n"
                      "+OK 39 octets\r\nSubject: 1\r\n\r\nOne\r\n..\r\n"
                      "...dots\r\n..x\r\nend\r\n.\r\n"
                      "+OK 26 octets\r\n" SECOND "\r\n.\r\n"
                      "+OK 15 octets\r\n..first\r\n\r\n\r\n..\r\n.\r\n" BYE));
    CHECK(fake_st.removed_count == 0);
}

int main(void)
{
    task_module_init();
    timer_module_init();
    timer_run();
    fake_store_reset();
    CHECK(pop3_server_init(SESSIONS) == OK);
    pop3_server_start();
    test_retrieve();
    return check_report();
}
