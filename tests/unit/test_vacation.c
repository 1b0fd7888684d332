/* Answers while somebody is away: who gets one, and what it looks like. */
#include "mailbox_frame.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/store_person.h"
#include "userdb/directory.h"

static uint8_t directory_memory[65536];
static char reply[8192];

static int64_t number(struct store *store, const char *sql)
{
    int64_t value = -1;

    CHECK(store_number(store, sql, &value) == OK);
    return value;
}

static struct store *open_away(void)
{
    struct store *store = frame_open();
    struct store_vacation vacation = {.on = true,
                                      .text = "I am away until \xc3\xbc"
                                              "bermorgen.\nAnna"};

    CHECK(store_exec(store, "UPDATE user SET FullName='Anna \xc3\x84'"
                            " WHERE Name='anna'") == OK);
    CHECK(store_setting_put(store, "domains", "here.example") == OK);
    CHECK(store_alias_add(store, "info", anna) == OK);
    directory_init(directory_memory, sizeof directory_memory);
    CHECK(store_load_directory(store) == OK);
    CHECK(store_vacation_put(store, anna, &vacation) == OK);
    return store;
}

/* Delivers to anna. Returns whether there is one answer more than before. */
static bool answered(struct store *store, const char *sender, const char *text)
{
    static const char sql[] = "SELECT count(*) FROM message WHERE Sender=''"
                              " AND Subject LIKE 'Auto: %'";
    int64_t before = number(store, sql);
    struct store_delivery delivery = {.sender = sender,
                                      .received_ms = frame_now_ms++,
                                      .users = &anna,
                                      .user_count = 1,
                                      .tail = text,
                                      .tail_bytes = strlen(text)};

    CHECK(store_deliver(store, &delivery) == OK);
    return number(store, sql) == before + 1;
}

#define TO_ANNA "To: anna@here.example\r\nSubject: hello\r\n"

static void test_who(void)
{
    static const struct {
        const char *sender, *header;
        bool answer;
    } cases[] = {
        {"a@x.test", TO_ANNA, true},
        {"b@x.test", "Cc: x@y, Anna <ANNA@here.example>\r\n", true},
        {"c@x.test", "To: info@here.example\r\n", true},
        {"d@x.test", "To: anna+tag@here.example\r\n", true},
        {"e@x.test", "To: undisclosed-recipients:;\r\n", false},
        {"f@x.test", "To: bert@here.example\r\n", false},
        {"", TO_ANNA, false},
        {"MAILER-DAEMON@x.test", TO_ANNA, false},
        {"owner-list@x.test", TO_ANNA, false},
        {"list-request@x.test", TO_ANNA, false},
        {"list-bounces@x.test", TO_ANNA, false},
        {"no-reply@x.test", TO_ANNA, false},
        {"g@x.test", TO_ANNA "List-Id: <l.x>\r\n", false},
        {"h@x.test", TO_ANNA "List-Unsubscribe: <x>\r\n", false},
        {"i@x.test", TO_ANNA "Precedence: bulk\r\n", false},
        {"j@x.test", TO_ANNA "Precedence: LIST\r\n", false},
        {"k@x.test", TO_ANNA "Auto-Submitted: auto-generated\r\n", false},
        {"l@x.test", TO_ANNA "Auto-Submitted: no\r\n", true},
        {"anna@here.example", TO_ANNA, false},
        {"info@here.example", TO_ANNA, false},
        {"bert@here.example", TO_ANNA, true},
        {"nobody@here.example", TO_ANNA, false},
        {"a@x.test", TO_ANNA, false}, /* once more */
        {"A@X.test", TO_ANNA, false},
    };
    struct store *store = open_away();
    char text[400];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool answer;

        snprintf(text, sizeof text, "Message-ID: <%zu@x>\r\n%s\r\nbody\r\n", i,
                 cases[i].header);
        answer = answered(store, cases[i].sender, text);
        CHECK(answer == cases[i].answer);
        if (answer != cases[i].answer)
            printf("case %zu, from %s\n", i, cases[i].sender);
    }
    CHECK(folder_of(store, anna, folder_id(store, anna, STORE_FOLDER_INBOX))
              .messages == sizeof cases / sizeof cases[0]);
    /* The one from bert was answered here. */
    CHECK(folder_of(store, bert, folder_id(store, bert, STORE_FOLDER_INBOX))
              .messages == 1);
    CHECK(number(store, "SELECT count(*) FROM queue WHERE Notify=1") == 5);
    frame_close(store);
}

static void test_when(void)
{
    struct store *store = open_away();
    struct store_vacation vacation;
    int64_t day = 24 * 60 * 60 * 1000, start = frame_now_ms;

    CHECK(answered(store, "a@x.test", TO_ANNA "\r\n"));
    frame_now_ms = start + 6 * day;
    CHECK(!answered(store, "a@x.test", TO_ANNA "\r\n"));
    frame_now_ms = start + 8 * day;
    CHECK(answered(store, "a@x.test", TO_ANNA "\r\n"));
    CHECK(store_vacation_get(store, anna, &vacation) == OK);
    vacation.from_ms = frame_now_ms + day;
    vacation.until_ms = frame_now_ms + 2 * day;
    CHECK(store_vacation_put(store, anna, &vacation) == OK);
    CHECK(!answered(store, "b@x.test", TO_ANNA "\r\n"));
    frame_now_ms += day + 1;
    CHECK(answered(store, "b@x.test", TO_ANNA "\r\n"));
    frame_now_ms += day;
    CHECK(!answered(store, "c@x.test", TO_ANNA "\r\n"));
    vacation.until_ms = 0;
    vacation.on = false;
    CHECK(store_vacation_put(store, anna, &vacation) == OK);
    CHECK(!answered(store, "d@x.test", TO_ANNA "\r\n"));
    vacation.on = true;
    CHECK(store_vacation_put(store, anna, &vacation) == OK);
    /* Who had an answer of the last time gets the new one. */
    CHECK(answered(store, "b@x.test", TO_ANNA "\r\n"));
    frame_close(store);
}

static bool has_field(const char *name, const char *value)
{
    struct mime_span span;
    char text[300];

    if (!mime_field(reply, strlen(reply), name, &span))
        return false;
    (void)mime_text(span, text, sizeof text);
    if (strcmp(text, value) != 0)
        printf("%s: %s\n", name, text);
    return strcmp(text, value) == 0;
}

static void test_answer(void)
{
    struct store *store = open_away();
    int64_t id;
    int got;

    CHECK(answered(store, "eve@x.test",
                   "From: Eve <other@x.test>\r\nTo: info@here.example\r\n"
                   "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
                   "Message-ID: <m2@x>\r\nReferences: <m1@x> <m0@x>\r\n\r\n"));
    id = number(store, "SELECT MailID FROM message WHERE Sender=''");
    got = store_message_read(store, id, 0, reply, sizeof reply - 1);
    CHECK(got > 0);
    reply[got > 0 ? got : 0] = '\0';
    CHECK(has_field("From", "Anna \xc3\x84 <info@here.example>"));
    CHECK(has_field("To", "eve@x.test"));
    CHECK(has_field("Subject", "Auto: Gr\xc3\xbc\xc3\x9f"
                               "e"));
    CHECK(has_field("In-Reply-To", "<m2@x>"));
    CHECK(has_field("References", "<m1@x> <m2@x>"));
    CHECK(has_field("Auto-Submitted", "auto-replied (vacation)"));
    CHECK(strstr(reply, "I am away") != NULL);
    CHECK(number(store, "SELECT count(*) FROM queue WHERE"
                        " Recipient='eve@x.test'") == 1);
    frame_close(store);
}

/* A mailbox full of answers, and a store without room for one. */
static void test_limits(void)
{
    struct store *store = open_away();
    struct store_rule rule = {.field = STORE_RULE_SUBJECT,
                              .pattern = "drop",
                              .actions = STORE_RULE_DELETE};
    char sender[40];
    int64_t answers;

    CHECK(store_begin(store) == OK);
    for (int i = 0; i < 1010; i++) {
        snprintf(sender, sizeof sender, "s%d@x.test", i);
        (void)answered(store, sender, TO_ANNA "\r\n");
    }
    CHECK(store_commit(store) == OK);
    answers = number(store, "SELECT count(*) FROM vacation");
    CHECK(answers == 1000);
    CHECK(number(store, "SELECT count(*) FROM message WHERE Sender=''") ==
          answers);
    CHECK(store_exec(store, "DELETE FROM vacation") == OK);
    /* What a rule deletes is not answered. */
    CHECK(store_rule_put(store, anna, &rule) == OK);
    CHECK(!answered(store, "z@x.test",
                    "To: anna@here.example\r\nSubject: drop\r\n\r\n"));
    CHECK(answered(store, "z@x.test", TO_ANNA "\r\n"));
    frame_close(store);
}

int main(void)
{
    void *heap = frame_heap();

    test_who();
    test_when();
    test_answer();
    test_limits();
    free(heap);
    return check_report();
}
