/* libFuzzer: any bytes as a message for two users, one of whom has rules and is
 * away, as the words that they search for, and as what is typed into a draft.
 *
 * The message is delivered, listed, indexed, looked for and deleted again, in a
 * store that stays; no call may fail but for a good reason, and the other user
 * never finds what is not his. */
#include "tests/unit/mailbox_frame.h"
#include "mailstore/store_append.h"
#include "mailstore/store_draft.h"
#include "mailstore/store_find.h"
#include "mailstore/store_person.h"
#include "userdb/directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t directory_memory[65536];
static struct store *store;
static unsigned rows;

static void must(enum err err)
{
    if (err != OK)
        abort();
}

static void prepare(void)
{
    struct store_vacation vacation = {.on = true, .text = "away"};
    struct store_rule rule = {.field = STORE_RULE_SUBJECT,
                              .pattern = "a",
                              .actions = STORE_RULE_SEEN};

    (void)frame_heap();
    store = frame_open();
    must(store_setting_put(store, "domains", "here.example"));
    directory_init(directory_memory, sizeof directory_memory);
    must(store_load_directory(store));
    must(store_vacation_put(store, anna, &vacation));
    must(store_rule_put(store, anna, &rule));
    must(store_index_want(store, anna));
    must(store_index_want(store, bert));
}

static enum err take(void *context, const struct store_row *row)
{
    (void)context;
    if (!user_text_valid(row->subject, strlen(row->subject)) ||
        !user_text_valid(row->to, strlen(row->to)) ||
        !user_text_valid(row->preview, strlen(row->preview)))
        abort();
    rows++;
    return OK;
}

static void list(int64_t user)
{
    struct store_page page = {
        .mailbox_id = folder_id(store, user, STORE_FOLDER_INBOX), .limit = 10};

    for (int order = 0; order <= STORE_BY_SIZE; order++) {
        page.order = (enum store_order)order;
        must(store_list_page(store, user, &page, take, NULL));
    }
    must(store_list_threads(store, user, &page, take, NULL));
}

static void search(int64_t user, const char *words)
{
    struct store_search search = {.words = words, .limit = 10};
    enum err err = store_search(store, user, &search, take, NULL);

    if (err != OK && err != ERR_INVALID)
        abort();
}

/* What lists show of a draft stays text; all of it goes with the draft. */
static void type(const char *text)
{
    const char *const fields[STORE_TYPED_FIELDS] = {"k",  text, text, text,
                                                    text, text, text};
    struct store_append draft = {
        .user_id = anna,
        .mailbox_id = folder_id(store, anna, STORE_FOLDER_DRAFTS),
        .flags = STORE_SEEN | STORE_DRAFT,
        .sender = "anna@here.example",
        .tail = text,
        .tail_bytes = strlen(text)};
    static char back[4200];

    must(store_append(store, &draft));
    must(store_typed_put(store, anna, &draft.key, fields));
    must(store_row(store, anna, &draft.key, take, NULL));
    must(store_typed_get(store, anna, draft.message_id, STORE_TYPED_TEXT, back,
                         sizeof back));
    must(store_remove(store, anna, &draft.key, 1, NULL));
}

static enum err count_contact(void *context,
                              const struct store_contact *contact)
{
    (void)context;
    (void)contact;
    return OK;
}

static void empty(int64_t user)
{
    bool more = true;

    while (more)
        must(store_folder_empty(store, user,
                                folder_id(store, user, STORE_FOLDER_INBOX),
                                true, 100, &more));
    must(store_index_forget(store, 100, &more));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4100];
    int64_t both[2];
    struct store_batch *batch;

    if (store == NULL)
        prepare();
    if (size == 0 || size > 4096)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    both[0] = anna;
    both[1] = bert;
    must(store_begin(store));
    (void)deliver_to(store, text, both, 1 + (data[0] & 1));
    list(anna);
    must(store_index_read(store, 0, &batch));
    if (batch != NULL)
        must(store_index_put(store, batch));
    store_index_free(batch);
    list(anna);
    type(text);
    search(anna, text);
    rows = 0;
    search(bert, text);
    if ((data[0] & 1) == 0 && rows != 0)
        abort();
    text[size < 60 ? size : 60] = '\0';
    must(store_complete(store, anna, text, 10, count_contact, NULL));
    empty(anna);
    empty(bert);
    if (data[0] & 2)
        store_rollback(store);
    else
        must(store_commit(store));
    return 0;
}
