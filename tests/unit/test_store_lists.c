/* Lists whose rows go to whoever may take his time, as the pages of the web
 * server do: no view of the store is held while a row is shown, for it would
 * keep the WAL from beginning anew. */
#include "mailbox_frame.h"
#include "mailstore/store_alias.h"
#include "mailstore/store_file.h"
#include "mailstore/store_log.h"
#include "mailstore/store_queue.h"

struct shown {
    struct store *store;
    unsigned count, most; /* most: then it is refused; 0: never */
    char text[200];
};

static enum err show(struct shown *shown, const char *text)
{
    CHECK(sqlite3_txn_state(shown->store->db, "main") == SQLITE_TXN_NONE);
    if (strlen(shown->text) + strlen(text) + 2 < sizeof shown->text) {
        strcat(shown->text, text);
        strcat(shown->text, " ");
    }
    return ++shown->count == shown->most ? ERR_EXISTS : OK;
}

static enum err show_file(void *context, const struct store_file *file)
{
    return show(context, file->name);
}

static void test_files(struct store *store)
{
    static const char *const names[] = {"b", "C", "a", "d"};
    struct shown shown = {.store = store};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct store_file file = {.user_id = anna};

        strcpy(file.name, names[i]);
        CHECK(store_file_begin(store, &file) == OK);
        CHECK(store_file_finish(store, file.id, 0, 1) == OK);
    }
    CHECK(store_file_list(store, "", 3, show_file, &shown) == OK);
    CHECK(strcmp(shown.text, "a b C ") == 0);
    CHECK(store_file_list(store, "C", 3, show_file, &shown) == OK);
    CHECK(strcmp(shown.text, "a b C d ") == 0);
}

static enum err show_alias(void *context, const struct store_alias *alias)
{
    char text[100];

    snprintf(text, sizeof text, "%s:%s", alias->alias,
             alias->address           ? alias->address
             : alias->user_id == anna ? "she"
                                      : "he");
    return show(context, text);
}

static void test_aliases(struct store *store)
{
    struct shown shown = {.store = store};

    CHECK(store_alias_add(store, "Info", anna) == OK);
    CHECK(store_alias_add(store, "info", bert) == OK);
    CHECK(store_alias_add(store, "@here.test", anna) == OK);
    CHECK(store_forward_add(store, "anna", "b@far.test") == OK);
    CHECK(store_forward_add(store, "anna", "a@far.test") == OK);
    CHECK(store_alias_add(store, "anna", anna) == OK);
    CHECK(store_list_aliases(store, anna, show_alias, &shown) == OK);
    CHECK(strcmp(shown.text, "@here.test:she anna:she anna:a@far.test "
                             "anna:b@far.test Info:she ") == 0);
    shown.text[0] = '\0';
    shown.most = shown.count + 2;
    CHECK(store_list_aliases(store, anna, show_alias, &shown) == ERR_EXISTS);
    CHECK(strcmp(shown.text, "@here.test:she anna:she ") == 0);
}

static enum err show_line(void *context, const struct store_log_line *line)
{
    return show(context, line->text);
}

static void test_log(struct store *store)
{
    struct store_log_query query = {.to = INT64_MAX};
    struct shown shown = {.store = store};
    char text[20];

    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof text, "l%d", i);
        CHECK(store_log_put(store, i, i % 3, "test", text, strlen(text)) == OK);
    }
    CHECK(store_log_list(store, &query, show_line, &shown) == OK);
    query.backward = true;
    query.to = 4;
    CHECK(store_log_list(store, &query, show_line, &shown) == OK);
    query.mail_id = 1;
    query.backward = false;
    query.to = INT64_MAX;
    CHECK(store_log_list(store, &query, show_line, &shown) == OK);
    query.backward = true;
    CHECK(store_log_list(store, &query, show_line, &shown) == OK);
    CHECK(strcmp(shown.text, "l0 l1 l2 l3 l4 l5 l3 l2 l1 l0 l1 l4 l4 l1 ") ==
          0);
}

static enum err show_waiting(void *context, const struct store_queue_info *info)
{
    return show(context, info->recipient);
}

static void test_queue(struct store *store)
{
    static const struct store_remote remotes[] = {
        {"a@far.test", "", 0}, {"b@far.test", "", 0}, {"c@far.test", "", 0}};
    struct store_delivery delivery = {.sender = "a@b.c",
                                      .received_ms = 1,
                                      .remotes = remotes,
                                      .remote_count = 3,
                                      .tail = "x",
                                      .tail_bytes = 1};
    struct shown shown = {.store = store};

    CHECK(store_deliver(store, &delivery) == OK);
    CHECK(store_list_queue(store, 1, show_waiting, &shown) == OK);
    CHECK(store_list_queue(store, 3, show_waiting, &shown) == OK);
    CHECK(store_list_queue(store, 0, show_waiting, &shown) == OK);
    CHECK(strcmp(shown.text, "b@far.test c@far.test a@far.test b@far.test "
                             "c@far.test ") == 0);
}

int main(void)
{
    void *heap = frame_heap();
    struct store *store = frame_open();

    test_files(store);
    test_aliases(store);
    test_log(store);
    test_queue(store);
    frame_close(store);
    free(heap);
    return check_report();
}
