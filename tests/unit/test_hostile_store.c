/* Stores that others have written: any value in any column. What cannot be used
 * is refused or left out, and nothing of it gets out of hand: the sanitizers
 * that this runs under say so. */
#include "mailbox_frame.h"
#include "mailstore/store_alias.h"
#include "mailstore/store_append.h"
#include "mailstore/store_draft.h"
#include "mailstore/store_file.h"
#include "mailstore/store_find.h"
#include "mailstore/store_log.h"
#include "mailstore/store_person.h"
#include "mailstore/store_queue.h"
#include "mailstore/store_usage.h"
#include "userdb/directory.h"

static uint8_t directory_memory[65536];
static uint8_t *sound; /* what a sound store's medium holds */
static unsigned shown;

/* ---- A store with a row of everything ------------------------------------ */

static void fill(struct store *store)
{
    static const struct store_remote remotes[] = {{"a@far.test", "", 0},
                                                  {"b@far.test", "", 0}};
    struct store_vacation vacation = {.on = true, .text = "away"};
    struct store_rule rule = {.field = STORE_RULE_SUBJECT,
                              .pattern = "a",
                              .actions = STORE_RULE_SEEN};
    struct store_route route = {.host = "relay.test", .port = 25};
    struct store_login login = {.user_id = anna, .time_ms = 1};
    struct store_file file = {.name = "f", .user_id = anna};
    struct store_delivery delivery = {.sender = "a@b.c",
                                      .received_ms = 1,
                                      .remotes = remotes,
                                      .remote_count = 2,
                                      .tail = "x",
                                      .tail_bytes = 1};
    struct store_batch *batch;

    CHECK(store_setting_put(store, "domains", "here.example") == OK);
    CHECK(store_alias_add(store, "info", anna) == OK);
    CHECK(store_forward_add(store, "away", "c@far.test") == OK);
    CHECK(store_vacation_put(store, anna, &vacation) == OK);
    CHECK(store_rule_put(store, bert, &rule) == OK);
    CHECK(store_route_put(store, "far.test", &route) == OK);
    CHECK(store_login_put(store, &login) == OK);
    CHECK(store_file_begin(store, &file) == OK);
    CHECK(store_file_put_part(store, file.id, 0, "abc", 3) == OK);
    CHECK(store_file_finish(store, file.id, 3, 1) == OK);
    CHECK(store_log_put(store, 1, 1, "test", "a", 1) == OK);
    CHECK(store_log_put(store, 2, 0, "test", "b", 1) == OK);
    CHECK(store_index_want(store, anna) == OK);
    CHECK(store_deliver(store, &delivery) == OK);
    for (int i = 0; i < 3; i++)
        (void)deliver(store,
                      "From: E <e@x.test>\r\nTo: anna@here.example\r\n"
                      "Subject: Re: a\r\n\r\nwords\r\n",
                      i < 2 ? anna : bert);
    CHECK(store_index_read(store, 0, &batch) == OK && batch);
    CHECK(store_index_put(store, batch) == OK);
    store_index_free(batch);
}

/* ---- All that is done with one --------------------------------------------
 */

static enum err take_row(void *context, const struct store_row *row)
{
    (void)context;
    shown += row->subject[0] != '\0';
    return OK;
}

static enum err take(void *context, const void *anything)
{
    (void)context;
    shown += anything != NULL;
    return OK;
}

#define TAKER(type)                                                            \
    static enum err take_##type(void *context, const struct type *it)          \
    {                                                                          \
        return take(context, it);                                              \
    }

TAKER(store_folder)
TAKER(store_message_info)
TAKER(store_alias)
TAKER(store_rule)
TAKER(store_contact)
TAKER(store_mailbox_info)
TAKER(store_queue_info)
TAKER(store_log_line)
TAKER(store_file)

static enum err take_login(void *context, const char *user,
                           const struct store_login *login)
{
    (void)login;
    return take(context, user);
}

static enum err take_pair(void *context, const char *key, const char *value)
{
    (void)value;
    return take(context, key);
}

static enum err take_route(void *context, const char *domain,
                           const struct store_route *route)
{
    (void)route;
    return take(context, domain);
}

static void look(struct store *store, int64_t user)
{
    struct store_page page = {.limit = 10};
    struct store_search search = {.words = "words", .limit = 10};
    struct store_maildrop drop;
    uint64_t bytes;
    char buffer[100];

    (void)!store_folder_of(store, user, STORE_FOLDER_INBOX, &page.mailbox_id);
    for (int order = 0; order <= STORE_BY_SIZE; order++) {
        page.order = (enum store_order)order;
        (void)!store_list_page(store, user, &page, take_row, NULL);
    }
    (void)!store_list_threads(store, user, &page, take_row, NULL);
    (void)!store_search(store, user, &search, take_row, NULL);
    (void)!store_list_folders(store, user, take_store_folder, NULL);
    (void)!store_list_messages(store, user, take_store_message_info, NULL);
    (void)!store_list_aliases(store, user, take_store_alias, NULL);
    (void)!store_list_rules(store, user, take_store_rule, NULL);
    (void)!store_complete(store, user, "e", 5, take_store_contact, NULL);
    (void)!store_usage(store, user, &bytes);
    if (store_maildrop_load(store, user, &drop) != OK)
        return;
    for (uint32_t i = 0; i < drop.count; i++)
        for (uint64_t at = 0; at < 200000; at += 66666)
            (void)!store_message_read(store,
                                      store_entry_at(&drop, i)->message_id, at,
                                      buffer, sizeof buffer);
    store_maildrop_free(&drop);
}

static void look_around(struct store *store)
{
    struct store_log_query query = {.to = INT64_MAX};
    struct store_figures figures;
    struct store_file file;
    uint64_t rows, held;
    char buffer[100];

    (void)!store_list_mailboxes(store, take_store_mailbox_info, NULL);
    (void)!store_list_queue(store, 0, take_store_queue_info, NULL);
    (void)!store_queue_count(store, &rows, &held);
    (void)!store_list_routes(store, take_route, NULL);
    (void)!store_list_logins(store, take_login, NULL);
    (void)!store_list_settings(store, take_pair, NULL);
    for (int i = 0; i < 2; i++) {
        query.backward = i;
        (void)!store_log_list(store, &query, take_store_log_line, NULL);
    }
    (void)!store_figures(store, &figures);
    (void)!store_file_list(store, "", 10, take_store_file, NULL);
    if (store_file_find(store, "f", &file) == OK)
        (void)!store_file_read(store, file.id, 0, buffer, sizeof buffer);
    (void)store_room(store);
}

static void work(struct store *store)
{
    static struct store_due rows[STORE_RECIPIENTS_MAX];
    struct store_due_list due = {
        .now_ms = 1700000000000, .rows = rows, .room = STORE_RECIPIENTS_MAX};
    int64_t both[] = {anna, bert};
    struct store_delivery delivery = {.sender = "e@x.test",
                                      .received_ms = 1700000000000,
                                      .users = both,
                                      .user_count = 2,
                                      .tail = "To: anna@here.example\r\n"
                                              "Subject: a\r\n\r\nx",
                                      .tail_bytes = 38};
    struct store_batch *batch = NULL;
    int64_t folder;
    bool more;

    (void)!store_deliver(store, &delivery);
    for (int i = 0; i < 3; i++) {
        if (store_index_read(store, 0, &batch) == OK && batch)
            (void)!store_index_put(store, batch);
        store_index_free(batch);
    }
    (void)!store_queue_due(store, &due);
    for (unsigned i = 0; i < due.count; i++)
        (void)!store_queue_act(store, rows[i].queue_id, STORE_QUEUE_DELETE);
    (void)!store_log_put(store, 3, 0, "test", "c", 1);
    (void)!store_log_prune(store, 1, 1);
    if (store_folder_of(store, anna, STORE_FOLDER_INBOX, &folder) == OK) {
        (void)!store_folder_empty(store, anna, folder, false, 1, &more);
        (void)!store_folder_empty(store, anna, folder, true, 50, &more);
    }
    (void)!store_index_forget(store, 10, &more);
    (void)!store_collect(store, 10);
    (void)!store_folder_create(store, anna, "new", &folder);
}

static void use(void)
{
    char finding[128];
    struct store *store;

    for (int writer = 0; writer < 2; writer++) {
        if (store_open(&place, writer, &store) != OK)
            continue;
        directory_init(directory_memory, sizeof directory_memory);
        (void)!store_load_directory(store);
        look(store, anna);
        look(store, bert);
        look_around(store);
        if (writer)
            work(store);
        (void)!store_check(store, finding, sizeof finding);
        store_close(store);
    }
}

/* ---- Any value in any column ----------------------------------------------
 */

static const char *const values[] = {
    "-9223372036854775808", "-1", "9223372036854775807", "NULL", "'x'",
    "zeroblob(100000)"};

static void try_value(const char *table, const char *column, const char *value)
{
    uint64_t bytes = medium.media.sectors * MEDIA_SECTOR_BYTES;
    struct store *store;
    char sql[900];

    memcpy(medium.content, sound, bytes);
    CHECK(store_open(&place, true, &store) == OK);
    snprintf(sql, sizeof sql,
             "PRAGMA foreign_keys=OFF;PRAGMA ignore_check_constraints=ON;"
             "UPDATE OR REPLACE \"%s\" SET \"%s\"=%s",
             table, column, value);
    (void)!store_exec(store, sql);
    store_close(store);
    use();
}

static void list_columns(struct store *store, const char *table, char *columns,
                         size_t room)
{
    sqlite3_stmt *statement;
    char *sql =
        sqlite3_mprintf("SELECT name FROM pragma_table_info(%Q)", table);

    columns[0] = '\0';
    CHECK(sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) ==
          SQLITE_OK);
    sqlite3_free(sql);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        size_t used = strlen(columns);

        snprintf(columns + used, room - used, "%s%c",
                 (const char *)sqlite3_column_text(statement, 0), ' ');
    }
    sqlite3_finalize(statement);
}

static const char *const tables[] = {
    "setting", "user",  "mailbox",  "message",    "entry",   "body",
    "part",    "alias", "login",    "outgoing",   "queue",   "route",
    "peer",    "log",   "summary",  "unfind",     "garbage", "blind",
    "contact", "rule",  "vacation", "preference", "file",    "file_part"};

static void try_table(const char *table)
{
    char columns[500], *at = columns;
    struct store *store;

    memcpy(medium.content, sound, medium.media.sectors * MEDIA_SECTOR_BYTES);
    CHECK(store_open(&place, true, &store) == OK);
    list_columns(store, table, columns, sizeof columns);
    store_close(store);
    while (*at) {
        char *end = strchr(at, ' ');

        *end = '\0';
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            try_value(table, at, values[i]);
        at = end + 1;
    }
}

int main(void)
{
    void *heap = frame_heap();
    struct store *store;
    uint64_t bytes;

    make_place(1 << 20, 512 << 10);
    bytes = medium.media.sectors * MEDIA_SECTOR_BYTES;
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
    anna = add_user(store, "anna");
    bert = add_user(store, "bert");
    fill(store);
    store_close(store);
    sound = malloc(bytes);
    memcpy(sound, medium.content, bytes);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        try_table(tables[i]);
    free(sound);
    ram_medium_free(&medium);
    free(heap);
    return check_report();
}
