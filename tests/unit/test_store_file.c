/* Shared files: parts, names, replacing, listing, and what was never finished.
 */
#include "check.h"
#include "core/random.h"
#include "mailstore/store_file.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>

#define PLACE_BYTES (8u << 20)
#define START_MS    INT64_C(1700000000000)

static struct ram_medium medium;
static struct store_place place;
static struct store *store;

static int64_t now_ms(void)
{
    return START_MS;
}

static void make_store(void)
{
    static uint8_t heap[16u << 20];

    place.media = &medium.media;
    place.database_sector = 8;
    place.database_bytes = PLACE_BYTES;
    place.wal_sector = 8 + PLACE_BYTES / MEDIA_SECTOR_BYTES;
    place.wal_bytes = PLACE_BYTES;
    CHECK(store_module_init(heap, sizeof heap, now_ms) == OK);
    ram_medium_init(&medium, 16 + 2 * PLACE_BYTES / MEDIA_SECTOR_BYTES, false);
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
}

static uint8_t byte_at(size_t at, unsigned seed)
{
    return (uint8_t)(at * 31 + at / 65521 + seed);
}

/* Puts a file in; gives its id, or the error. finish: else it stays open. */
static int64_t put(const char *name, size_t bytes, unsigned seed, bool finish)
{
    static uint8_t part[STORE_FILE_PART_BYTES];
    struct store_file file = {.user_id = 7, .type = "text/plain"};
    enum err err;

    snprintf(file.name, sizeof(file.name), "%s", name);
    err = store_file_begin(store, &file);
    for (size_t at = 0; !err && at < bytes; at += sizeof(part)) {
        size_t len = bytes - at < sizeof(part) ? bytes - at : sizeof(part);

        for (size_t i = 0; i < len; i++)
            part[i] = byte_at(at + i, seed);
        err = store_file_put_part(store, file.id, (uint32_t)(at / sizeof(part)),
                                  part, len);
    }
    if (!err && finish)
        err = store_file_finish(store, file.id, bytes, START_MS + seed);
    return err ? (int64_t)err : file.id;
}

static bool holds(const char *name, size_t bytes, unsigned seed)
{
    struct store_file file;
    size_t at = 0;

    if (store_file_find(store, name, &file) != OK || file.bytes != bytes ||
        file.time_ms != START_MS + seed || file.user_id != 7 ||
        strcmp(file.type, "text/plain") != 0)
        return false;
    for (;;) {
        uint8_t piece[5000];
        int got = store_file_read(store, file.id, at, piece, sizeof(piece));

        if (got <= 0)
            return got == 0 && at == bytes;
        for (int i = 0; i < got; i++)
            if (piece[i] != byte_at(at + (size_t)i, seed))
                return false;
        at += (size_t)got;
    }
}

static void test_names(void)
{
    static const char *const bad[] = {"",     ".",    "..",    ".x",   "a/b",
                                      "a\\b", "a\nb", "a\x7f", "\xff", "a\xc3"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!store_file_name_valid(bad[i]));
        CHECK(put(bad[i], 1, 0, true) == ERR_INVALID);
    }
    CHECK(store_file_name_valid("a b..c"));
    CHECK(store_file_name_valid("\xc3\xa4.txt"));
}

static void test_files(void)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    struct store_file file;

    CHECK(store_file_find(store, "f", &file) == ERR_NOT_FOUND);
    for (unsigned i = 0; i < 6; i++) {
        CHECK(put(i % 2 ? "F" : "f", sizes[i], i, true) > 0);
        CHECK(holds("f", sizes[i], i));
    }
    CHECK(store_file_find(store, "f", &file) == OK &&
          strcmp(file.name, "F") == 0);
    CHECK(store_file_delete(store, "f") == OK);
    CHECK(store_file_delete(store, "f") == ERR_NOT_FOUND);
    CHECK(store_file_read(store, file.id, 0, &file, 1) == 0);
}

static enum err collect(void *context, const struct store_file *file)
{
    strcat(context, file->name);
    strcat(context, " ");
    return OK;
}

static enum err refuse(void *context, const struct store_file *file)
{
    (void)context;
    (void)file;
    return ERR_BUSY;
}

static bool lists(const char *behind, unsigned most, const char *want)
{
    char got[100] = "";

    return store_file_list(store, behind, most, collect, got) == OK &&
           strcmp(got, want) == 0;
}

static void test_list(void)
{
    CHECK(lists("", 10, ""));
    CHECK(put("b", 1, 0, true) > 0 && put("C", 1, 0, true) > 0 &&
          put("a", 1, 0, true) > 0 && put("open", 1, 0, false) > 0);
    CHECK(lists("", 10, "a b C "));
    CHECK(lists("", 2, "a b "));
    CHECK(lists("B", 10, "C "));
    CHECK(store_file_list(store, "", 10, refuse, NULL) == ERR_BUSY);
}

/* Whoever still reads a file that is deleted never gets another one's bytes. */
static void test_deleted(void)
{
    int64_t id = put("goes", 100000, 1, true);
    char byte;

    CHECK(store_file_read(store, id, 70000, &byte, 1) == 1);
    CHECK(store_file_delete(store, "goes") == OK);
    CHECK(put("comes", 100000, 2, true) > 0);
    CHECK(store_file_read(store, id, 70000, &byte, 1) == 0);
    CHECK(holds("comes", 100000, 2));
    CHECK(store_file_delete(store, "comes") == OK);
}

/* What was not finished is gone after the next opening, parts and all. */
static void test_unfinished(void)
{
    int64_t id = put("never", 200000, 1, false);
    uint8_t byte;

    CHECK(id > 0 && store_file_read(store, id, 0, &byte, 1) == 1);
    store_close(store);
    CHECK(store_open(&place, true, &store) == OK);
    CHECK(store_file_read(store, id, 0, &byte, 1) == 0);
    CHECK(lists("", 10, "a b C "));
    CHECK(put("open", 1, 3, true) > 0 && holds("open", 1, 3));
}

static void test_full(void)
{
    int64_t result;

    CHECK(put("kept", 100000, 4, true) > 0);
    result = put("large", 2 * PLACE_BYTES, 5, true);
    CHECK(result == ERR_FULL);
    store_close(store);
    CHECK(store_open(&place, true, &store) == OK);
    CHECK(holds("kept", 100000, 4));
    CHECK(put("again", 100000, 6, true) > 0 && holds("again", 100000, 6));
}

int main(void)
{
    random_module_init();
    make_store();
    test_names();
    test_files();
    test_list();
    test_deleted();
    test_unfinished();
    test_full();
    store_close(store);
    ram_medium_free(&medium);
    return check_report();
}
