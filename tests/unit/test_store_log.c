/* The log in the store: order, bounds, searching by message and by user, and
 * what a rollback leaves. */
#include "check.h"
#include "mailstore/store_log.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>

#define PLACE_BYTES (4u << 20)

static struct ram_medium medium;
static struct store *store;

static int64_t now_ms(void)
{
    return 1700000000000;
}

static void make_store(void)
{
    static uint8_t heap[16u << 20];
    struct store_place place = {
        .media = &medium.media,
        .database_sector = 8,
        .database_bytes = PLACE_BYTES,
        .wal_sector = 8 + PLACE_BYTES / MEDIA_SECTOR_BYTES,
        .wal_bytes = PLACE_BYTES,
    };

    CHECK(store_module_init(heap, sizeof heap, now_ms) == OK);
    ram_medium_init(&medium, 16 + 2 * PLACE_BYTES / MEDIA_SECTOR_BYTES, false);
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
}

static void put(int64_t mail_id, const char *text)
{
    CHECK(store_log_put(store, now_ms(), mail_id, "test", text, strlen(text)) ==
          OK);
}

struct found {
    unsigned count;
    int64_t ids[1000];
    struct store_log_line last;
};

static enum err find(void *context, const struct store_log_line *line)
{
    struct found *found = context;

    found->ids[found->count++] = line->log_id;
    found->last = *line;
    return found->count == 1000 ? ERR_FULL : OK;
}

static struct found list(struct store_log_query query)
{
    struct found found = {0};

    CHECK(store_log_list(store, &query, find, &found) == OK);
    return found;
}

static void test_order(void)
{
    struct found found;
    int64_t first = -1, last = -1;

    CHECK(store_log_range(store, &first, &last) == OK);
    CHECK(first == 0 && last == 0);
    CHECK(store_begin(store) == OK);
    put(7, "received from=<a@b> local=anna,bert");
    put(0, "login refused user=anna");
    put(7, "relay to=<x@y> reply=\"250 ok\"");
    CHECK(store_commit(store) == OK);
    found = list((struct store_log_query){.to = INT64_MAX});
    CHECK(found.count == 3 && found.ids[0] == 1 && found.ids[2] == 3);
    CHECK(found.last.mail_id == 7 && found.last.time_ms == now_ms());
    CHECK(strcmp(found.last.module, "test") == 0);
    CHECK(strcmp(found.last.text, "relay to=<x@y> reply=\"250 ok\"") == 0);
    found = list((struct store_log_query){
        .to = INT64_MAX, .mail_id = 7, .backward = true});
    CHECK(found.count == 2 && found.ids[0] == 3 && found.ids[1] == 1);
    found = list((struct store_log_query){.from = 2, .to = 2});
    CHECK(found.count == 1 && found.last.mail_id == 0);
}

static void test_rollback(void)
{
    int64_t first, last;

    CHECK(store_begin(store) == OK);
    put(8, "never");
    store_rollback(store);
    CHECK(store_begin(store) == OK);
    put(9, "behind it");
    CHECK(store_commit(store) == OK);
    CHECK(store_log_range(store, &first, &last) == OK);
    CHECK(first == 1 && last == 4);
    CHECK(list((struct store_log_query){.to = INT64_MAX, .mail_id = 8}).count ==
          0);
}

static void test_bounds(void)
{
    int64_t first, last;

    for (int i = 0; i < 60; i++) {
        CHECK(store_begin(store) == OK);
        for (int j = 0; j < 20; j++)
            put(i + 100, "one of many");
        CHECK(store_log_prune(store, 200, 50) == OK);
        CHECK(store_commit(store) == OK);
    }
    CHECK(store_log_range(store, &first, &last) == OK);
    CHECK(last == 4 + 1200);
    CHECK(last - first + 1 >= 200 && last - first + 1 < 270);
    CHECK(list((struct store_log_query){.to = INT64_MAX}).ids[0] == first);
    CHECK(list((struct store_log_query){.to = INT64_MAX, .mail_id = 7}).count ==
          0);
    CHECK(
        list((struct store_log_query){.to = INT64_MAX, .mail_id = 159}).count ==
        20);
}

static void test_words(void)
{
    struct store_log_line line = {.module = "smtp"};

    strcpy(line.text, "received local=anna,Bert,carl id=12-3 user=dora");
    CHECK(store_log_contains(&line, "ID=12-3"));
    CHECK(store_log_contains(&line, "smt"));
    CHECK(store_log_contains(&line, ""));
    CHECK(!store_log_contains(&line, "id=12-4"));
    CHECK(store_log_has_id(&line, "12-3") && !store_log_has_id(&line, "12-"));
    CHECK(!store_log_has_id(&line, "12") && !store_log_has_id(&line, "2-3"));
    CHECK(store_log_names_user(&line, "anna"));
    CHECK(store_log_names_user(&line, "bert"));
    CHECK(store_log_names_user(&line, "carl"));
    CHECK(store_log_names_user(&line, "DORA"));
    CHECK(!store_log_names_user(&line, "ann"));
    CHECK(!store_log_names_user(&line, "received"));
    CHECK(!store_log_names_user(&line, "bert,carl"));
    strcpy(line.text, "xuser=anna from=<user=anna@b>");
    CHECK(!store_log_names_user(&line, "anna"));
    /* What others have written says nothing of users and ids: a sender like
     * "x user=anna id=12-3 y"@b. */
    strcpy(line.text, "received id=4-5 from=<\"\\\"x user=anna id=12-3 "
                      "y\\\"@b\"> local=bert");
    CHECK(!store_log_names_user(&line, "anna"));
    CHECK(store_log_names_user(&line, "bert"));
    CHECK(!store_log_has_id(&line, "12-3") && store_log_has_id(&line, "4-5"));
    strcpy(line.text, "reply=\"cut user=anna id=12-3 ");
    CHECK(!store_log_names_user(&line, "anna"));
    CHECK(!store_log_has_id(&line, "12-3"));
}

int main(void)
{
    make_store();
    test_order();
    test_rollback();
    test_bounds();
    test_words();
    store_close(store);
    ram_medium_free(&medium);
    return check_report();
}
