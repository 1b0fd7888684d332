/* Drafts, sending, and rules at delivery: store_append.h, store_person.h. */
#include "mailbox_frame.h"
#include "mailstore/store_append.h"
#include "mailstore/store_draft.h"
#include "mailstore/store_person.h"
#include "mailstore/store_queue.h"
#include "mailstore/store_usage.h"
#include "userdb/directory.h"

static uint8_t directory_memory[65536];

static struct store *open_with_directory(void)
{
    struct store *store = frame_open();

    CHECK(store_setting_put(store, "domains", "here.example") == OK);
    directory_init(directory_memory, sizeof directory_memory);
    CHECK(store_load_directory(store) == OK);
    return store;
}

static int64_t number(struct store *store, const char *sql)
{
    int64_t value = -1;

    CHECK(store_number(store, sql, &value) == OK);
    return value;
}

/* ---- Appending ---------------------------------------------------------- */

static struct store_append draft_of(struct store *store, const char *text)
{
    struct store_append append = {
        .user_id = anna,
        .mailbox_id = folder_id(store, anna, STORE_FOLDER_DRAFTS),
        .flags = STORE_SEEN | STORE_DRAFT,
        .received_ms = 5,
        .sender = "anna@here.example",
        .tail = text,
        .tail_bytes = strlen(text)};

    return append;
}

/* What is typed into a draft lies beside it, and goes with it. */
static void test_typed(void)
{
    const char *const fields[STORE_TYPED_FIELDS] = {
        "k 1", "", "bert, paul", "", "", "Subject\x01", "Line one\nline two\n"};
    struct store *store = frame_open();
    struct store_append append = draft_of(store, "Subject: a\r\n\r\n");
    int64_t drafts = append.mailbox_id;
    struct store_key elsewhere;
    char text[64];

    CHECK(store_append(store, &append) == OK);
    CHECK(store_typed_get(store, anna, append.message_id, STORE_TYPED_KEEP,
                          text, sizeof text) == OK);
    CHECK(text[0] == '\0');
    for (int i = 0; i < 3; i++)
        CHECK(store_typed_put(store, anna, &append.key, fields) == OK);
    CHECK(store_typed_put(store, bert, &append.key, fields) == ERR_NOT_FOUND);
    CHECK(store_typed_get(store, anna, append.message_id, STORE_TYPED_TEXT,
                          text, sizeof text) == OK);
    CHECK(strcmp(text, "Line one\nline two\n") == 0);
    CHECK(number(store, "SELECT count(*) FROM preference") == 4);
    CHECK(number(store, "SELECT count(*) FROM message WHERE Subject=''") == 1);
    CHECK(folder_of(store, anna, drafts).messages == 1);
    /* Not into what is no draft. */
    append = draft_of(store, "Subject: b\r\n\r\n");
    append.flags = STORE_SEEN;
    CHECK(store_append(store, &append) == OK);
    CHECK(store_typed_put(store, anna, &append.key, fields) == ERR_NOT_FOUND);
    elsewhere = (struct store_key){drafts, 1};
    CHECK(store_move(store, anna, &elsewhere, 1,
                     folder_id(store, anna, STORE_FOLDER_TRASH), NULL) == OK);
    CHECK(number(store, "SELECT count(*) FROM preference") == 4);
    elsewhere.mailbox_id = folder_id(store, anna, STORE_FOLDER_TRASH);
    CHECK(store_trash(store, anna, &elsewhere, 1, NULL) == OK);
    CHECK(number(store, "SELECT count(*) FROM preference") == 0);
    frame_close(store);
}

static void test_compositions(void)
{
    struct store *store = frame_open();
    struct store_composition it = {.draft = {7, 12}, .files = true}, got;
    char id[STORE_COMPOSITION_BYTES], first[STORE_COMPOSITION_BYTES];

    store_composition_id(INT64_C(1795000000000), 5, first);
    CHECK(store_composition_valid(first) && !store_composition_valid("12"));
    CHECK(store_composition_get(store, anna, first, &got) == OK);
    CHECK(got.draft.uid == 0 && !got.sent && !got.files);
    CHECK(store_composition_put(store, anna, first, &it) == OK);
    CHECK(store_composition_get(store, bert, first, &got) == OK);
    CHECK(got.draft.uid == 0);
    CHECK(store_composition_get(store, anna, first, &got) == OK);
    CHECK(got.draft.mailbox_id == 7 && got.draft.uid == 12 && got.files);
    CHECK(store_composition_put(store, anna, "../x", &it) == ERR_INVALID);
    it = (struct store_composition){.sent = true};
    for (int64_t i = 1; i <= 300; i++) {
        store_composition_id(INT64_C(1795000000000) + i, UINT64_MAX, id);
        CHECK(store_composition_put(store, anna, id, &it) == OK);
        CHECK(strcmp(id, first) > 0);
    }
    CHECK(store_composition_get(store, anna, id, &got) == OK && got.sent);
    CHECK(number(store, "SELECT count(*) FROM preference") == 200);
    CHECK(store_composition_get(store, anna, first, &got) == OK);
    CHECK(got.draft.uid == 0);
    frame_close(store);
}

/* A draft takes the place of the one before, which leaves nothing behind. */
static void test_drafts(void)
{
    struct store *store = frame_open();
    int64_t drafts = folder_id(store, anna, STORE_FOLDER_DRAFTS);
    struct store_append append = draft_of(store, "Subject: a\r\n\r\n");
    struct store_key last;
    uint64_t used;

    CHECK(store_append(store, &append) == OK && append.key.uid != 0);
    for (int i = 0; i < 70; i++) {
        last = append.key;
        append = draft_of(store, "Subject: b\r\n\r\nmore\r\n");
        append.replaces = last;
        CHECK(store_append(store, &append) == OK);
        CHECK(append.key.uid > last.uid);
    }
    CHECK(folder_of(store, anna, drafts).messages == 1);
    CHECK(folder_of(store, anna, drafts).unseen == 0);
    CHECK(store_collect(store, 1000) == OK);
    CHECK(number(store, "SELECT count(*) FROM message") == 1);
    CHECK(store_usage(store, anna, &used) == OK && used == 20);
    /* Replacing what is gone already, and what is another's. */
    append = draft_of(store, "x");
    append.replaces = last;
    CHECK(store_append(store, &append) == OK);
    append = draft_of(store, "x");
    append.user_id = bert;
    CHECK(store_append(store, &append) == ERR_NOT_FOUND);
    append.mailbox_id = folder_id(store, bert, STORE_FOLDER_DRAFTS);
    append.replaces = (struct store_key){drafts, last.uid + 1};
    CHECK(store_append(store, &append) == OK);
    CHECK(folder_of(store, anna, drafts).messages == 2);
    frame_close(store);
}

static void test_long_draft(void)
{
    struct store *store = frame_open();
    struct store_append append = draft_of(store, "tail");
    static char chunk[STORE_CHUNK_BYTES];
    char byte;

    memset(chunk, 'c', sizeof chunk);
    append.message_id = store_reserve_id(store);
    append.chunks = 2;
    append.chunk_bytes = 2 * sizeof chunk;
    for (uint32_t i = 0; i < 2; i++)
        CHECK(store_put_chunk(store, append.message_id, i, chunk,
                              sizeof chunk) == OK);
    CHECK(store_append(store, &append) == OK);
    CHECK(store_message_read(store, append.message_id, 2 * sizeof chunk, &byte,
                             1) == 1 &&
          byte == 't');
    append.chunks = 4096;
    CHECK(store_append(store, &append) == ERR_INVALID);
    frame_close(store);
}

/* ---- Sending ------------------------------------------------------------ */

/* Once in the store for two here, one elsewhere and the copy. */
static void test_send(void)
{
    struct store *store = open_with_directory();
    struct store_append draft = draft_of(store, "Subject: d\r\n\r\n");
    int64_t to[] = {anna, bert};
    struct store_remote remote = {.address = "far@else.example", .orcpt = ""};
    int64_t origin =
        deliver(store, "Subject: q\r\nMessage-ID: <q@x>\r\n\r\n", anna);
    struct store_sending sending = {
        .delivery = {.sender = "anna@here.example",
                     .received_ms = 9,
                     .users = to,
                     .user_count = 2,
                     .remotes = &remote,
                     .remote_count = 1,
                     .submitter = anna,
                     .tail = "Subject: s\r\n\r\n",
                     .tail_bytes = 14},
        .keep = true,
        .blind = "secret@else.example",
        .origin = {folder_id(store, anna, STORE_FOLDER_INBOX), 1},
        .origin_flags = STORE_ANSWERED};
    struct store_old_entry entry;
    char blind[100];
    int64_t id;

    CHECK(origin > 0 && store_append(store, &draft) == OK);
    sending.draft = draft.key;
    CHECK(store_send(store, &sending) == OK);
    id = sending.delivery.message_id;
    CHECK(store_collect(store, 1000) == OK);
    CHECK(number(store, "SELECT count(*) FROM message") == 2);
    CHECK(number(store, "SELECT count(*) FROM entry") == 4);
    CHECK(number(store, "SELECT count(*) FROM queue") == 1);
    CHECK(sending.sent.mailbox_id == folder_id(store, anna, STORE_FOLDER_SENT));
    CHECK(store_find_entry(store, sending.sent.mailbox_id, sending.sent.uid,
                           &entry) == OK);
    CHECK(entry.flags == STORE_SEEN && entry.mail_id == id);
    CHECK(store_find_entry(store, sending.origin.mailbox_id, 1, &entry) == OK);
    CHECK(entry.flags == STORE_ANSWERED);
    CHECK(store_find_entry(store, draft.key.mailbox_id, draft.key.uid,
                           &entry) == ERR_NOT_FOUND);
    CHECK(store_blind(store, anna, id, blind, sizeof blind) == OK);
    CHECK(strcmp(blind, "secret@else.example") == 0);
    CHECK(store_blind(store, bert, id, blind, sizeof blind) == OK);
    CHECK(blind[0] == '\0');
    sending.delivery.submitter = 0;
    CHECK(store_send(store, &sending) == ERR_INVALID);
    frame_close(store);
}

/* ---- Rules -------------------------------------------------------------- */

static int64_t put_rule(struct store *store, int64_t user,
                        enum store_rule_field field, const char *pattern,
                        uint8_t actions, int64_t folder, const char *forward)
{
    struct store_rule rule = {
        .field = field, .actions = actions, .mailbox_id = folder};

    strcpy(rule.header, field == STORE_RULE_HEADER ? "X-Spam" : "");
    strcpy(rule.pattern, pattern);
    strcpy(rule.forward, forward);
    CHECK(store_rule_put(store, user, &rule) == OK);
    return sqlite3_last_insert_rowid(store->db);
}

static enum err take_patterns(void *context, const struct store_rule *rule)
{
    strcat(context, rule->pattern);
    strcat(context, ";");
    return OK;
}

static void test_rule_list(void)
{
    struct store *store = open_with_directory();
    int64_t folder, first, second;
    struct store_rule rule = {.field = STORE_RULE_SUBJECT,
                              .actions = STORE_RULE_SEEN};
    char text[300] = "";

    CHECK(store_folder_create(store, anna, "box", &folder) == OK);
    first = put_rule(store, anna, STORE_RULE_FROM, "a", STORE_RULE_MOVE, folder,
                     "");
    second = put_rule(store, anna, STORE_RULE_TO, "b", STORE_RULE_SEEN, 0, "");
    (void)put_rule(store, anna, STORE_RULE_TO, "c", STORE_RULE_SEEN, 0, "");
    CHECK(store_rule_raise(store, anna, second) == OK);
    CHECK(store_rule_raise(store, anna, second) == ERR_NOT_FOUND);
    CHECK(store_rule_raise(store, bert, first) == ERR_NOT_FOUND);
    CHECK(store_list_rules(store, anna, take_patterns, text) == OK);
    CHECK(strcmp(text, "b;a;c;") == 0);
    CHECK(store_rule_drop(store, bert, first) == ERR_NOT_FOUND);
    rule.id = first;
    CHECK(store_rule_put(store, bert, &rule) == ERR_NOT_FOUND);
    CHECK(store_rule_put(store, anna, &rule) == OK);
    CHECK(store_rule_drop(store, anna, second) == OK);
    /* The same once more, when what was done together was undone. */
    rule.id = 0;
    CHECK(store_begin(store) == OK);
    CHECK(store_rule_put(store, anna, &rule) == OK);
    store_rollback(store);
    CHECK(store_rule_put(store, anna, &rule) == OK);
    CHECK(number(store, "SELECT count(*) FROM rule") == 3);
    rule.actions = STORE_RULE_MOVE;
    rule.mailbox_id = folder;
    CHECK(store_rule_put(store, bert, &rule) == ERR_NOT_FOUND);
    rule.actions = 0;
    CHECK(store_rule_put(store, anna, &rule) == ERR_INVALID);
    rule.actions = STORE_RULE_FORWARD;
    strcpy(rule.forward, "not an address");
    CHECK(store_rule_put(store, anna, &rule) == ERR_INVALID);
    rule.actions = STORE_RULE_SEEN;
    rule.field = STORE_RULE_HEADER;
    strcpy(rule.header, "X-A: b");
    CHECK(store_rule_put(store, anna, &rule) == ERR_INVALID);
    rule.field = STORE_RULE_SUBJECT;
    while (store_rule_put(store, anna, &rule) == OK)
        continue;
    CHECK(number(store, "SELECT count(*) FROM rule") == STORE_RULES_MAX);
    frame_close(store);
}

#define HEAD "From: Eve <eve@x.test>\r\nTo: anna@here.example\r\n"

static void test_rules(void)
{
    struct store *store = open_with_directory();
    int64_t folder, inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t his = folder_id(store, bert, STORE_FOLDER_INBOX);
    int64_t both[] = {anna, bert};
    struct store_folder box;

    CHECK(store_folder_create(store, anna, "box", &folder) == OK);
    (void)put_rule(store, anna, STORE_RULE_SUBJECT, "BILL",
                   STORE_RULE_MOVE | STORE_RULE_SEEN, folder, "");
    (void)put_rule(store, anna, STORE_RULE_HEADER, "yes", STORE_RULE_DELETE, 0,
                   "");
    (void)put_rule(store, anna, STORE_RULE_FROM, "boss",
                   STORE_RULE_FLAG | STORE_RULE_FORWARD | STORE_RULE_STOP, 0,
                   "home@else.example");
    (void)put_rule(store, anna, STORE_RULE_TO, "team@", STORE_RULE_FORWARD, 0,
                   "bert@here.example");
    (void)deliver_to(store, HEAD "Subject: your =?utf-8?q?b=69ll?=\r\n\r\n",
                     both, 2);
    box = folder_of(store, anna, folder);
    CHECK(box.messages == 1 && box.unseen == 0);
    CHECK(folder_of(store, bert, his).messages == 1);
    (void)deliver(store, HEAD "X-Spam: Yes\r\nSubject: x\r\n\r\n", anna);
    CHECK(folder_of(store, anna, inbox).messages == 0);
    CHECK(store_collect(store, 1000) == OK);
    CHECK(number(store, "SELECT count(*) FROM message") == 1);
    (void)deliver_to(store, HEAD "X-Spam: Yes\r\nSubject: x\r\n\r\n", both, 2);
    CHECK(folder_of(store, bert, his).messages == 2);
    (void)deliver(store, "From: The Boss <b@x>\r\nSubject: x\r\n\r\n", anna);
    CHECK(folder_of(store, anna, inbox).messages == 1);
    CHECK(number(store, "SELECT Flags FROM entry WHERE MailboxID=1") ==
          (int64_t)STORE_FLAGGED);
    CHECK(number(store, "SELECT count(*) FROM queue WHERE Recipient="
                        "'home@else.example'") == 1);
    CHECK(store_queue_changed(store));
    (void)deliver(store, "To: Team@x\r\nSubject: x\r\n\r\n", anna);
    CHECK(folder_of(store, bert, his).messages == 3);
    /* Twice to the same one is once. */
    (void)deliver_to(store, "Cc: team@x\r\nSubject: x\r\n\r\n", both, 2);
    CHECK(folder_of(store, bert, his).messages == 4);
    frame_check(store);
    /* The folder has gone: the Inbox it is. */
    CHECK(store_remove(store, anna, &(struct store_key){folder, 1}, 1, NULL) ==
          OK);
    CHECK(store_folder_delete(store, anna, folder) == OK);
    (void)deliver(store, HEAD "Subject: bill\r\n\r\n", anna);
    CHECK(folder_of(store, anna, inbox).messages == 4);
    frame_close(store);
}

/* What is to go on and not to stay here stays, where nobody can get it. */
static void test_rule_to_nobody(void)
{
    struct store *store = open_with_directory();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t his = folder_id(store, bert, STORE_FOLDER_INBOX);
    int64_t both[] = {anna, bert};

    (void)put_rule(store, anna, STORE_RULE_SUBJECT, "gone",
                   STORE_RULE_FORWARD | STORE_RULE_DELETE, 0,
                   "gone@here.example");
    (void)put_rule(store, anna, STORE_RULE_SUBJECT, "bert",
                   STORE_RULE_FORWARD | STORE_RULE_DELETE, 0,
                   "bert@here.example");
    (void)deliver(store, "Subject: gone\r\n\r\n", anna);
    CHECK(folder_of(store, anna, inbox).messages == 1);
    (void)deliver(store, "Subject: bert\r\n\r\n", anna);
    (void)deliver_to(store, "Subject: bert\r\n\r\n", both, 2);
    CHECK(folder_of(store, anna, inbox).messages == 1);
    CHECK(folder_of(store, bert, his).messages == 2);
    (void)deliver(store, "Subject: bert is gone\r\n\r\n", anna);
    CHECK(folder_of(store, anna, inbox).messages == 1);
    CHECK(folder_of(store, bert, his).messages == 3);
    /* Each sends it on to the other. */
    (void)put_rule(store, bert, STORE_RULE_SUBJECT, "bert",
                   STORE_RULE_FORWARD | STORE_RULE_DELETE, 0,
                   "anna@here.example");
    (void)deliver_to(store, "Subject: bert\r\n\r\n", both, 2);
    CHECK(folder_of(store, anna, inbox).messages +
              folder_of(store, bert, his).messages ==
          5);
    (void)deliver(store, "Subject: bert\r\n\r\n", bert);
    CHECK(folder_of(store, anna, inbox).messages == 2);
    CHECK(store_remove(store, anna, &(struct store_key){inbox, 2}, 1, NULL) ==
          OK);
    /* He himself is nobody else. */
    (void)put_rule(store, anna, STORE_RULE_SUBJECT, "self",
                   STORE_RULE_FORWARD | STORE_RULE_DELETE, 0,
                   "anna@here.example");
    (void)deliver(store, "Subject: self\r\n\r\n", anna);
    CHECK(folder_of(store, anna, inbox).messages == 2);
    frame_check(store);
    frame_close(store);
}

/* A notice that what she sends on does not get there: with it that would begin
 * again. */
static void test_notice_stays(void)
{
    static const char text[] = "Subject: not delivered\r\n\r\n";
    struct store *store = open_with_directory();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    struct store_delivery notice = {.sender = "",
                                    .received_ms = frame_now_ms,
                                    .users = &anna,
                                    .user_count = 1,
                                    .stays = true,
                                    .tail = text,
                                    .tail_bytes = sizeof text - 1};

    (void)put_rule(store, anna, STORE_RULE_FROM, "",
                   STORE_RULE_FORWARD | STORE_RULE_DELETE, 0,
                   "anna@else.example");
    CHECK(store_deliver(store, &notice) == OK);
    CHECK(folder_of(store, anna, inbox).messages == 1);
    CHECK(number(store, "SELECT count(*) FROM queue") == 0);
    notice.message_id = 0;
    notice.stays = false;
    CHECK(store_deliver(store, &notice) == OK);
    CHECK(folder_of(store, anna, inbox).messages == 1);
    CHECK(number(store, "SELECT count(*) FROM queue") == 1);
    frame_close(store);
}

/* Rules are asked of the store as it is, also after what was undone. */
static void test_rules_undone(void)
{
    struct store *store = open_with_directory();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);

    (void)deliver(store, "Subject: x\r\n\r\n", anna);
    CHECK(store_begin(store) == OK);
    (void)put_rule(store, anna, STORE_RULE_FROM, "", STORE_RULE_DELETE, 0, "");
    (void)deliver(store, "Subject: x\r\n\r\n", anna);
    CHECK(folder_of(store, anna, inbox).messages == 1);
    store_rollback(store);
    (void)deliver(store, "Subject: x\r\n\r\n", anna);
    CHECK(folder_of(store, anna, inbox).messages == 2);
    frame_close(store);
}

/* ---- Preferences -------------------------------------------------------- */

static void test_preferences(void)
{
    struct store *store = open_with_directory();
    static char value[STORE_PREFERENCE_BYTES + 10];
    struct store_vacation vacation = {.on = true, .from_ms = 5};

    CHECK(store_preference_get(store, anna, STORE_SIGNATURE, value, 10) == OK);
    CHECK(value[0] == '\0');
    CHECK(store_preference_put(store, anna, STORE_SIGNATURE,
                               "Anna\n\xc3\xa4\xc3\xb6\n") == OK);
    CHECK(store_preference_get(store, anna, STORE_SIGNATURE, value, 7) == OK);
    CHECK(strcmp(value, "Anna\n") == 0); /* no half character */
    CHECK(store_preference_get(store, bert, STORE_SIGNATURE, value, 10) == OK);
    CHECK(value[0] == '\0');
    CHECK(store_preference_put(store, anna, STORE_SIGNATURE, "\xff") ==
          ERR_INVALID);
    CHECK(store_preference_put(store, anna, "A b", "x") == ERR_INVALID);
    CHECK(store_preference_put(store, 4711, "x", "x") == ERR_NOT_FOUND);
    memset(value, 'x', sizeof value - 1);
    CHECK(store_preference_put(store, anna, "x", value) == ERR_TOO_BIG);
    CHECK(store_preference_put(store, anna, STORE_SIGNATURE, "") == OK);
    CHECK(number(store, "SELECT count(*) FROM preference") == 0);
    CHECK(store_vacation_put(store, anna, &vacation) == ERR_INVALID);
    strcpy(vacation.text, "I am\naway");
    vacation.until_ms = 4;
    CHECK(store_vacation_put(store, anna, &vacation) == ERR_INVALID);
    vacation.until_ms = 99;
    strcpy(vacation.subject, "Away");
    CHECK(store_vacation_put(store, anna, &vacation) == OK);
    memset(&vacation, 0, sizeof vacation);
    CHECK(store_vacation_get(store, anna, &vacation) == OK);
    CHECK(vacation.on && vacation.from_ms == 5 && vacation.until_ms == 99);
    CHECK(strcmp(vacation.text, "I am\naway") == 0);
    CHECK(strcmp(vacation.subject, "Away") == 0);
    CHECK(store_vacation_get(store, bert, &vacation) == OK && !vacation.on);
    frame_close(store);
}

int main(void)
{
    void *heap = frame_heap();

    test_drafts();
    test_typed();
    test_compositions();
    test_long_draft();
    test_send();
    test_rule_list();
    test_rules();
    test_rule_to_nobody();
    test_notice_stays();
    test_rules_undone();
    test_preferences();
    free(heap);
    return check_report();
}
