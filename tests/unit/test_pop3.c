/* The POP3 server against a fake stream and a fake store. Every dialogue is
 * played in several ways of cutting it into spans and of room for replies, and
 * has to give the same answers in each. */
#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"
#include "pop3/pop3_session.h"

/* More than there are buffers for sending. */
#define SESSIONS 6

#define GREETING "+OK Barepost POP3 server ready\r\n"
#define LOGIN    "USER anna\r\nPASS se cret\r\n"
#define LOGGED   GREETING "+OK send PASS\r\n+OK maildrop has \1\r\n"
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

#define UNKNOWN  "-ERR unknown command\r\n"
#define NOT_NOW  "-ERR not in this state\r\n"
#define ARGUMENT "-ERR argument missing or wrong\r\n"
#define NO_ARG   "-ERR no argument allowed\r\n"
#define NO_MSG   "-ERR no such message\r\n"
#define MARKED   "-ERR message is marked as deleted\r\n"
#define TEMP     "-ERR [SYS/TEMP] mail store not available\r\n"
#define CAPABILITIES                                                           \
    "+OK\r\nTOP\r\nUIDL\r\nUSER\r\nSASL PLAIN LOGIN\r\nRESP-CODES\r\n"         \
    "AUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nUTF8 USER\r\n"            \
    "IMPLEMENTATION Barepost\r\n.\r\n"

static void test_states(void)
{
    CHECK(
        play("CAPA\r\nSTAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 1 1\r\nDELE 1\r\n"
             "RSET\r\nNOOP\r\nPASS x\r\nFOO\r\n\r\nAPOP x y\r\nQUIT\r\n",
             GREETING CAPABILITIES NOT_NOW NOT_NOW NOT_NOW NOT_NOW NOT_NOW
                 NOT_NOW NOT_NOW NOT_NOW NOT_NOW UNKNOWN UNKNOWN UNKNOWN BYE));
    CHECK(play(
        "USER\r\nPASS\r\nUSER x\r\nPASS\r\nPASS \r\nCAPA\r\nSTAT\r\n"
        "USER anna\r\nPASS se cret\r\nUSER anna\r\nPASS se cret\r\n"
        "CAPA\r\nCAPA x\r\nnoop\r\nNOOP 1\r\nQUIT 1\r\nquit\r\nNOOP\r\n",
        GREETING ARGUMENT NOT_NOW
        "+OK send PASS\r\n" ARGUMENT ARGUMENT CAPABILITIES NOT_NOW
        "+OK send PASS\r\n"
        "+OK maildrop has 3 messages\r\n" NOT_NOW NOT_NOW CAPABILITIES NO_ARG
        "+OK\r\n" NO_ARG NO_ARG BYE));
}

/* Every command in every state that reads commands: '+' or '-'. */
static void test_every_pair(void)
{
    static const char *const states[] = {"", "USER anna\r\n", LOGIN};
    static const struct {
        const char *command;
        char answers[4];
    } rows[] = {
        {"USER anna", "++-"},  {"PASS se cret", "-+-"},
        {"STAT", "--+"},       {"LIST", "--+"},
        {"UIDL", "--+"},       {"RETR 1", "--+"},
        {"TOP 1 1", "--+"},    {"DELE 1", "--+"},
        {"RSET", "--+"},       {"NOOP", "--+"},
        {"CAPA", "+++"},       {"QUIT", "+++"},
        {"STLS", "---"},       {"", "---"},
        {"AUTH", "++-"},       {"AUTH PLAIN", "++-"},
        {"AUTH LOGIN", "++-"}, {"AUTH X", "---"},
        {"UTF8", "++-"},       {"UTF8 x", "---"},
    };
    size_t row, i;

    for (row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        for (i = 0; i < 3; i++) {
            struct fake_stream fake;
            size_t before;

            fake_store_reset();
            three_messages();
            fake_connect(&fake, &fake_play_plain);
            fake_send(&fake, &fake_play_plain, states[i], strlen(states[i]));
            before = fake.out_len;
            fake_send(&fake, &fake_play_plain, rows[row].command,
                      strlen(rows[row].command));
            fake_send(&fake, &fake_play_plain, "\r\n", 2);
            CHECK(fake.out[before] == rows[row].answers[i]);
            fake_lose(&fake, ERR_RESET);
            fake_free(&fake);
            check_clean();
        }
    }
}

static void test_numbers(void)
{
    CHECK(play(
        LOGIN "RETR\r\nRETR 0\r\nRETR 4\r\nRETR -1\r\nRETR 1x\r\n"
              "RETR 1 2\r\nRETR 99999999999999999999\r\n"
              "DELE 4294967297\r\nTOP 1\r\nTOP 1 x\r\nTOP x 1\r\n"
              "TOP 1 2 3\r\nLIST 0\r\nLIST x\r\nUIDL 4\r\n",
        LOGGED ARGUMENT NO_MSG NO_MSG ARGUMENT ARGUMENT ARGUMENT ARGUMENT NO_MSG
            ARGUMENT ARGUMENT ARGUMENT ARGUMENT NO_MSG ARGUMENT NO_MSG));
}

static void test_lists(void)
{
    CHECK(play(LOGIN "LIST\r\nUIDL\r\nLIST 2\r\nUIDL 3\r\nDELE 2\r\nDELE 2\r\n"
                     "RETR 2\r\nTOP 2 1\r\nLIST 2\r\nUIDL 2\r\nSTAT\r\nLIST\r\n"
                     "UIDL\r\nRSET\r\nSTAT\r\nLIST 2\r\n",
               LOGGED "+OK\r\n1 39\r\n2 26\r\n3 15\r\n.\r\n"
                      "+OK\r\n1 00005eed0000000a\r\n2 00005eed0000000b\r\n"
                      "3 00005eed0000000c\r\n.\r\n"
                      "+OK 2 26\r\n+OK 3 00005eed0000000c\r\n"
                      "+OK marked\r\n" MARKED MARKED MARKED MARKED MARKED
                      "+OK 2 54\r\n+OK\r\n1 39\r\n3 15\r\n.\r\n"
                      "+OK\r\n1 00005eed0000000a\r\n3 00005eed0000000c\r\n.\r\n"
                      "+OK\r\n+OK 3 80\r\n+OK 2 26\r\n"));
    CHECK(fake_st.removed_count == 0);
}

static void test_top(void)
{
    CHECK(play(LOGIN "TOP 1 0\r\nTOP 1 1\r\nTOP 1 2\r\nTOP 1 99\r\nTOP 2 0\r\n"
                     "TOP 3 0\r\nTOP 3 1\r\nTOP 3 9999999999999999999\r\n",
               LOGGED "+OK 39 octets\r\nSubject: 1\r\n\r\n.\r\n"
                      "+OK 39 octets\r\nSubject: 1\r\n\r\nOne\r\n.\r\n"
                      "+OK 39 octets\r\nSubject: 1\r\n\r\nOne\r\n..\r\n.\r\n"
                      "+OK 39 octets\r\nSubject: 1\r\n\r\nOne\r\n..\r\n"
                      "...dots\r\n..x\r\nend\r\n.\r\n"
                      "+OK 26 octets\r\n" SECOND "\r\n.\r\n"
                      "+OK 15 octets\r\n..first\r\n\r\n.\r\n"
                      "+OK 15 octets\r\n..first\r\n\r\n\r\n.\r\n"
                      "+OK 15 octets\r\n..first\r\n\r\n\r\n..\r\n.\r\n"));
}

static void test_delete(void)
{
    CHECK(play(LOGIN "DELE 3\r\nDELE 1\r\nQUIT\r\nSTAT\r\n",
               LOGGED "+OK marked\r\n+OK marked\r\n" BYE));
    CHECK(fake_st.removed_count == 2);
    CHECK(fake_st.removed[0] == 10 && fake_st.removed[1] == 12);
    CHECK(play(LOGIN "DELE 3\r\nDELE 1\r\nRSET\r\nDELE 2\r\nQUIT\r\n",
               LOGGED "+OK marked\r\n+OK marked\r\n+OK\r\n+OK marked\r\n" BYE));
    CHECK(fake_st.removed_count == 1 && fake_st.removed[0] == 11);
    /* Without QUIT nothing goes. */
    CHECK(play(LOGIN "DELE 3\r\n", LOGGED "+OK marked\r\n"));
    CHECK(fake_st.removed_count == 0);
}

/* ---- Many and big -------------------------------------------------------- */

static char *big;
static size_t big_len;

static void big_message(void)
{
    add_message(big, big_len);
}

static void many_messages(void)
{
    while (fake_st.entry_count < FAKE_MESSAGES)
        add_message("", 0);
}

/* Bytes of every value in lines of every kind, over many pieces; compared with
 * what a plain reading of RFC 1939 section 3 makes of them. */
static void test_big(void)
{
    char *answers = malloc(400000);
    size_t len = strlen(LOGGED "+OK 100003 octets\r\n");
    size_t i;
    bool start = true;

    big_len = 100003;
    big = malloc(big_len);
    for (i = 0; i < big_len; i++) {
        uint32_t kind = fake_below(8);

        big[i] = kind == 0   ? '.'
                 : kind == 1 ? '\n'
                 : kind < 4  ? '\r'
                             : (char)(2 + fake_below(254));
    }
    sprintf(answers, "%s", LOGGED "+OK 100003 octets\r\n");
    for (i = 0; i < big_len; i++) {
        if (start && big[i] == '.')
            answers[len++] = '.';
        answers[len++] = big[i];
        start = big[i] == '\n' && i > 0 && big[i - 1] == '\r';
    }
    sprintf(answers + len, "%s.\r\n" BYE, start ? "" : "\r\n");
    prepare = big_message;
    CHECK(play(LOGIN "RETR 4\r\nQUIT\r\n", answers));
    free(answers);
    free(big);
    prepare = NULL;
}

static void test_many(void)
{
    char *answers = malloc(16384);
    size_t at = (size_t)sprintf(
        answers,
        GREETING "+OK send PASS\r\n+OK maildrop has %u messages\r\n"
                 "+OK 0 octets\r\n.\r\n+OK\r\n",
        FAKE_MESSAGES);
    unsigned i;

    for (i = 0; i < FAKE_MESSAGES; i++)
        at += (size_t)sprintf(answers + at, "%u %u\r\n", i + 1,
                              i == 0   ? 39
                              : i == 1 ? 26
                              : i == 2 ? 15
                                       : 0);
    sprintf(answers + at, ".\r\n" BYE);
    prepare = many_messages;
    CHECK(play(LOGIN "RETR 60\r\nLIST\r\nQUIT\r\n", answers));
    prepare = NULL;
    free(answers);
}

/* ---- Login -----------------------------------------------------------------
 */

static enum err failure;

static void login_fails(void)
{
    fake_st.login_error = failure;
}

static void open_fails(void)
{
    fake_st.open_error = failure;
}

static void read_fails(void)
{
    fake_st.read_error = failure;
}

static void delete_fails(void)
{
    fake_st.delete_error = failure;
}

static void test_wrong_password(void)
{
    CHECK(play("USER anna\r\nPASS x\r\nUSER nobody\r\nPASS se cret\r\n"
               "USER anna\r\nPASS  se cret\r\nNOOP\r\n",
               GREETING "+OK send PASS\r\n"
                        "-ERR [AUTH] wrong name or password\r\n"
                        "+OK send PASS\r\n"
                        "-ERR [AUTH] wrong name or password\r\n"
                        "+OK send PASS\r\n"
                        "-ERR [AUTH] too many wrong passwords\r\n"));
}

#define AUTH_WRONG  "-ERR [AUTH] wrong name or password\r\n"
#define AUTH_BASE64 "-ERR not a response in base64\r\n"
#define AUTH_ENDED  "-ERR authentication cancelled\r\n"
#define THREE       "+OK maildrop has 3 messages\r\n"

/* RFC 5034: anna NUL se cret, with and without her name before it. */
static void test_auth(void)
{
    CHECK(play("AUTH PLAIN AGFubmEAc2UgY3JldA==\r\nSTAT\r\n",
               GREETING THREE "+OK 3 80\r\n"));
    CHECK(play("auth plain YW5uYQBhbm5hAHNlIGNyZXQ=\r\nSTAT\r\n",
               GREETING THREE "+OK 3 80\r\n"));
    CHECK(play("AUTH PLAIN\r\nAGFubmEAc2UgY3JldA==\r\nSTAT\r\n",
               GREETING "+ \r\n" THREE "+OK 3 80\r\n"));
    CHECK(play("AUTH LOGIN\r\nYW5uYQ==\r\nc2UgY3JldA==\r\nSTAT\r\n", GREETING
               "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n" THREE "+OK 3 80\r\n"));
    CHECK(play("AUTH LOGIN YW5uYQ==\r\nc2UgY3JldA==\r\nQUIT\r\n",
               GREETING "+ UGFzc3dvcmQ6\r\n" THREE BYE));
    CHECK(play("AUTH\r\nAUTH CRAM-MD5\r\nAUTH PLAIN\r\n*\r\nAUTH LOGIN "
               "YW5uYQ==\r\n*\r\nNOOP\r\nUSER anna\r\nPASS se cret\r\n",
               GREETING
               "+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n-ERR no such mechanism\r\n"
               "+ \r\n" AUTH_ENDED "+ UGFzc3dvcmQ6\r\n" AUTH_ENDED NOT_NOW
               "+OK send PASS\r\n" THREE));
}

/* Two names that differ, no NUL, an empty name or password, a NUL within one,
 * no base64, what is too long, and a wrong password at last. */
static void test_auth_wrong(void)
{
    char text[3000];
    size_t len;

    CHECK(play("AUTH PLAIN YmVydABhbm5hAHNlIGNyZXQ=\r\n"
               "AUTH PLAIN YW5uYQ==\r\nAUTH PLAIN AGFubmEA\r\n"
               "AUTH PLAIN AABzZSBjcmV0\r\nAUTH PLAIN =\r\n"
               "AUTH LOGIN\r\nYQBi\r\nAUTH PLAIN AGFub\r\n"
               "AUTH PLAIN A@==\r\nAUTH PLAIN\r\n\r\n",
               GREETING AUTH_WRONG AUTH_WRONG AUTH_WRONG AUTH_WRONG AUTH_WRONG
               "+ VXNlcm5hbWU6\r\n" AUTH_WRONG AUTH_BASE64 AUTH_BASE64
               "+ \r\n" AUTH_WRONG));
    len = (size_t)sprintf(text, "AUTH PLAIN\r\n");
    memset(text + len, 'A', 1204);
    strcpy(text + len + 1204, "\r\nAUTH PLAIN\r\n");
    len += 1204 + 14;
    memset(text + len, 'A', 1300);
    strcpy(text + len + 1300, "\r\nNOOP\r\nAUTH PLAIN AGFubmEAeA==\r\n"
                              "AUTH PLAIN AGFubmEAc2UgY3JldA==\r\n");
    CHECK(play(text, GREETING
               "+ \r\n" AUTH_BASE64
               "+ \r\n-ERR line too long\r\n" NOT_NOW AUTH_WRONG THREE));
    memset(text, 'x', 300);
    strcpy(text + 300, "\r\n");
    memcpy(text, "USER ", 5);
    CHECK(play(text, GREETING "-ERR line too long\r\n"));
}

/* A session that is cut off anywhere in an exchange. */
static void test_auth_cut(void)
{
    static const char text[] = "AUTH LOGIN\r\nYW5uYQ==\r\nc2UgY3JldA==\r\n";
    size_t len;

    for (len = 1; len < sizeof(text); len++) {
        struct fake_stream fake;

        fake_store_reset();
        three_messages();
        fake_st.delay = 5;
        fake_connect(&fake, &fake_play_plain);
        fake_send(&fake, &fake_play_plain, text, len);
        fake_lose(&fake, ERR_RESET);
        fake_settle(&fake, &fake_play_plain);
        fake_free(&fake);
        check_clean();
    }
}

static void no_clear(void)
{
    fake_set("auth_clear", "no");
}

static void test_auth_not_clear(void)
{
    prepare = no_clear;
    CHECK(play("CAPA\r\nUSER anna\r\nAUTH PLAIN x\r\nAUTH\r\n", GREETING
               "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
               "PIPELINING\r\nEXPIRE NEVER\r\nUTF8 USER\r\nIMPLEMENTATION "
               "Barepost\r\n.\r\n"
               "-ERR no passwords without encryption here\r\n"
               "-ERR no passwords without encryption here\r\n"
               "-ERR no passwords without encryption here\r\n"));
    prepare = NULL;
}

static void test_lock(void)
{
    struct fake_stream first, second;

    fake_store_reset();
    three_messages();
    fake_connect(&first, &fake_play_plain);
    fake_connect(&second, &fake_play_plain);
    fake_send(&first, &fake_play_plain, LOGIN, strlen(LOGIN));
    fake_send(&second, &fake_play_plain, LOGIN, strlen(LOGIN));
    CHECK(fake_matches(first.out, first.out_len, LOGGED));
    CHECK(fake_matches(second.out, second.out_len,
                       GREETING "+OK send PASS\r\n-ERR [IN-USE] maildrop is "
                                "open in another session\r\n"));
    fake_send(&first, &fake_play_plain, "QUIT\r\n", 6);
    fake_send(&second, &fake_play_plain, LOGIN, strlen(LOGIN));
    CHECK(strstr(second.out, "+OK maildrop has 3") != NULL);
    fake_lose(&second, ERR_GONE);
    fake_free(&first);
    fake_free(&second);
    check_clean();
}

static void test_store_failures(void)
{
    failure = ERR_GONE;
    prepare = login_fails;
    CHECK(play(LOGIN "QUIT\r\n", GREETING "+OK send PASS\r\n" TEMP BYE));
    prepare = open_fails;
    CHECK(play(LOGIN "QUIT\r\n", GREETING "+OK send PASS\r\n" TEMP BYE));
    prepare = read_fails;
    CHECK(play(LOGIN "RETR 1\r\nQUIT\r\n", LOGGED TEMP BYE));
    failure = ERR_NOT_FOUND;
    CHECK(play(LOGIN "RETR 1\r\nQUIT\r\n",
               LOGGED "-ERR no such message\r\n" BYE));
    failure = ERR_CORRUPT;
    CHECK(play(LOGIN "TOP 1 1\r\nQUIT\r\n",
               LOGGED "-ERR [SYS/PERM] message cannot be read\r\n" BYE));
    failure = ERR_IO;
    prepare = delete_fails;
    CHECK(play(LOGIN "DELE 1\r\nQUIT\r\n",
               LOGGED "+OK marked\r\n-ERR [SYS/TEMP] marked messages not "
                      "removed\r\n"));
    prepare = NULL;
}

/* The store fails after the first piece: the end must not look like one. */
static void test_broken_message(void)
{
    struct fake_stream fake;

    fake_store_reset();
    three_messages();
    fake_st.read_at_most = 10;
    fake_st.read_failure_at = 3;
    fake_connect(&fake, &fake_play_plain);
    fake_send(&fake, &fake_play_plain, LOGIN "RETR 1\r\nQUIT\r\n",
              strlen(LOGIN) + 14);
    CHECK(fake.end == FAKE_ABORTED);
    CHECK(strstr(fake.out, "\r\n.\r\n") == NULL);
    fake_free(&fake);
    check_clean();
}

/* ---- The client goes ------------------------------------------------------
 */

static void test_gone(void)
{
    static const char text[] =
        LOGIN "UIDL\r\nRETR 1\r\nDELE 1\r\nTOP 2 1\r\nDELE 3\r\nQUIT\r\n";
    size_t len;
    unsigned how;

    for (len = 0; len < sizeof(text); len++) {
        for (how = 0; how < 8; how++) {
            struct fake_play way = fake_play_plain;
            struct fake_stream fake;
            size_t all = sizeof(text) - 1;

            fake_store_reset();
            three_messages();
            fake_st.delay = how % 3;
            fake_st.no_cancel = how >= 4;
            fake_connect(&fake, &way);
            if (how == 3 || how == 7)
                way.fin = true;
            fake_send(&fake, &way, text, len);
            if (how % 4 == 1) {
                /* In the midst of the next request. */
                fake_st.never = true;
                fake_send(&fake, &way, text + len, all - len);
            }
            fake_lose(&fake, ERR_RESET);
            fake_st.never = false;
            fake_settle(&fake, &way);
            if (how % 4 != 1)
                CHECK(fake_st.removed_count == (len == all ? 2 : 0));
            if (way.fin && len == all)
                CHECK(fake.end == FAKE_CLOSED);
            fake_free(&fake);
            check_clean();
        }
    }
}

/* The client goes between password and lock; the lock must not stay. */
static void test_gone_before_lock(void)
{
    unsigned how;

    for (how = 0; how < 2; how++) {
        struct fake_stream fake;

        fake_store_reset();
        three_messages();
        fake_st.delay = 0;
        fake_st.no_cancel = how == 1;
        fake_st.never = true;
        fake_connect(&fake, &fake_play_plain);
        fake_send(&fake, &fake_play_plain, LOGIN, strlen(LOGIN));
        fake_st.never = false;
        CHECK(fake_store_turn()); /* the password */
        fake_lose(&fake, ERR_RESET);
        fake_settle(&fake, &fake_play_plain);
        CHECK(!fake_st.locked);
        fake_free(&fake);
        check_clean();
    }
}

/* More sessions send messages than there are buffers; one of those that wait
 * goes away, and so does one that has a buffer in use by the store. */
static void test_buffers(void)
{
    struct fake_stream fake[SESSIONS];
    unsigned round, i;

    for (round = 0; round < 2; round++) {
        fake_store_reset();
        three_messages();
        fake_st.no_cancel = round == 1;
        for (i = 0; i < SESSIONS; i++) {
            fake_connect(&fake[i], &fake_play_plain);
            fake_send(&fake[i], &fake_play_plain, LOGIN, strlen(LOGIN));
            /* The fake lock lets everybody in. */
            fake_st.locked = false;
        }
        fake_st.never = true;
        for (i = 0; i < SESSIONS; i++)
            fake_send(&fake[i], &fake_play_plain, "RETR 1\r\n", 8);
        fake_lose(&fake[0], ERR_RESET);
        fake_lose(&fake[SESSIONS - 1], ERR_RESET);
        fake_st.never = false;
        for (i = 0; i < 20; i++)
            fake_settle(&fake[1 + i % (SESSIONS - 2)], &fake_play_plain);
        for (i = 1; i < SESSIONS - 1; i++)
            CHECK(strstr(fake[i].out, "end\r\n.\r\n") != NULL);
        for (i = 0; i < SESSIONS; i++) {
            fake_lose(&fake[i], ERR_RESET);
            fake_free(&fake[i]);
        }
        check_clean();
    }
}

/* ---- Limits
 * ------------------------------------------------------------------ */

#define TIMED_OUT "-ERR nothing heard for too long\r\n"

static void test_timeouts(void)
{
    static const struct {
        const char *text, *answers;
    } cases[] = {
        {"", GREETING TIMED_OUT},
        {"USER anna\r\nPA", GREETING "+OK send PASS\r\n" TIMED_OUT},
        {LOGIN "DELE 1\r\n", LOGGED "+OK marked\r\n" TIMED_OUT},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_stream fake;

        fake_store_reset();
        three_messages();
        fake_connect(&fake, &fake_play_plain);
        fake_send(&fake, &fake_play_plain, cases[i].text,
                  strlen(cases[i].text));
        fake_sleep(&fake, &fake_play_plain, 599000);
        CHECK(fake.end == FAKE_OPEN);
        fake_sleep(&fake, &fake_play_plain, 2000);
        CHECK(fake.end == FAKE_CLOSED);
        CHECK(fake_matches(fake.out, fake.out_len, cases[i].answers));
        CHECK(fake_st.removed_count == 0);
        fake_free(&fake);
        check_clean();
    }
}

/* The store never answers, in each state that waits for it; with room for the
 * last reply and without. */
static void test_stuck(void)
{
    static const char *const texts[][2] = {
        {"USER anna\r\n", "PASS se cret\r\n"},
        {LOGIN, "RETR 1\r\n"},
        {LOGIN "DELE 1\r\n", "QUIT\r\n"},
    };
    unsigned i;

    for (i = 0; i < 12; i++) {
        const char *const *text = texts[i / 4];
        struct fake_play way = fake_play_plain;
        struct fake_stream fake;

        fake_store_reset();
        three_messages();
        fake_st.no_cancel = i % 2 == 1;
        fake_connect(&fake, &way);
        fake_send(&fake, &way, text[0], strlen(text[0]));
        fake_st.never = true;
        fake_send(&fake, &way, text[1], strlen(text[1]));
        if (i % 4 >= 2) {
            fake.space = 0;
            way.drain = 0;
        }
        fake_machine.now_ns += 601000000000;
        timer_run();
        CHECK(fake.end != FAKE_OPEN);
        fake_st.never = false;
        fake_settle(&fake, &way);
        CHECK(fake_st.removed_count == (i / 4 == 2 ? 1 : 0));
        fake_free(&fake);
        check_clean();
    }
}

static void test_limits(void)
{
    char text[1024];
    char answers[2048];
    unsigned i;

    strcpy(text, "");
    strcpy(answers, GREETING);
    for (i = 0; i < 20; i++) {
        strcat(text, "FOO\r\n");
        strcat(answers, UNKNOWN);
    }
    strcat(answers, "-ERR too many errors\r\n");
    CHECK(play(text, answers));
    for (i = 255; i < 258; i++) {
        memset(text, 'x', i);
        memcpy(text, "USER ", 5);
        strcpy(text + i - 2, "\r\nQUIT\r\n");
        CHECK(play(text, i <= 256 ? GREETING "+OK send PASS\r\n" BYE
                                  : GREETING "-ERR line too long\r\n" BYE));
    }
    CHECK(play("NOOP\nQUIT\r\nNO\tOP\r\nQUIT\r\r\nQUIT\r\n",
               GREETING "-ERR control character in command\r\n"
                        "-ERR control character in command\r\n"
                        "-ERR control character in command\r\n" BYE));
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
                 "-ERR [SYS/TEMP] too many sessions, try again later\r\n") ==
          0);
    for (i = 0; i <= SESSIONS; i++) {
        fake_lose(&fake[i], ERR_RESET);
        fake_free(&fake[i]);
    }
    check_clean();
}

static void test_stop(void)
{
    static const char *const texts[SESSIONS] = {
        "USER a\r\n", "RETR 1\r\n", "DELE 1\r\nQUIT\r\n",
        "STAT\r\n",   "NOOP\r\n",   "DELE 1\r\n"};
    struct fake_stream fake[SESSIONS];
    unsigned i;

    fake_store_reset();
    three_messages();
    for (i = 0; i < SESSIONS; i++) {
        fake_connect(&fake[i], &fake_play_plain);
        if (i > 0)
            fake_send(&fake[i], &fake_play_plain, LOGIN, strlen(LOGIN));
        /* The fake lock lets everybody in. */
        fake_st.locked = false;
    }
    fake_st.never = true;
    for (i = 0; i < SESSIONS; i++)
        fake_send(&fake[i], &fake_play_plain, texts[i], strlen(texts[i]));
    pop3_server_stop();
    CHECK(fake[0].end == FAKE_CLOSED && fake[1].end == FAKE_ABORTED &&
          fake[3].end == FAKE_CLOSED);
    CHECK(fake[2].end == FAKE_OPEN);
    fake_st.never = false;
    fake_settle(&fake[2], &fake_play_plain);
    CHECK(fake[2].end == FAKE_CLOSED && strstr(fake[2].out, BYE) != NULL);
    CHECK(fake_st.removed_count == 1);
    for (i = 0; i < SESSIONS; i++)
        fake_free(&fake[i]);
    check_clean();
    pop3_server_start();
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
    test_states();
    test_every_pair();
    test_numbers();
    test_lists();
    test_top();
    test_delete();
    test_big();
    test_many();
    test_wrong_password();
    test_auth();
    test_auth_wrong();
    test_auth_cut();
    test_auth_not_clear();
    test_lock();
    test_store_failures();
    test_broken_message();
    test_gone();
    test_gone_before_lock();
    test_buffers();
    test_timeouts();
    test_stuck();
    test_limits();
    test_turned_away();
    test_stop();
    fake_store_reset();
    return check_report();
}
