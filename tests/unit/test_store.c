/* The store on a medium in memory, and its file in the hands of sqlite3. */
#include "check.h"
#include "core/machine.h"
#include "core/random.h"
#include "mailstore/store.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAP_BYTES (12u << 20)

static int64_t now_ms(void)
{
    return 1700000000000;
}

static struct ram_medium medium;
static struct store_place place;
static int64_t users[100];

static void make_place(uint64_t database_bytes, uint64_t wal_bytes)
{
    uint64_t sectors = (database_bytes + wal_bytes) / MEDIA_SECTOR_BYTES + 3000;

    ram_medium_init(&medium, sectors, false);
    place.media = &medium.media;
    place.wal_sector = 1001;
    place.wal_bytes = wal_bytes;
    place.database_sector = 1001 + wal_bytes / MEDIA_SECTOR_BYTES + 17;
    place.database_bytes = database_bytes;
    medium.allowed[0][0] = place.wal_sector;
    medium.allowed[0][1] = place.wal_sector + wal_bytes / MEDIA_SECTOR_BYTES;
    medium.allowed[1][0] = place.database_sector;
    medium.allowed[1][1] =
        place.database_sector + database_bytes / MEDIA_SECTOR_BYTES;
}

static struct store *open_writer(void)
{
    struct store *store = NULL;

    CHECK(store_open(&place, true, &store) == OK);
    return store;
}

static void add_users(struct store *store, unsigned count)
{
    CHECK(store_begin(store) == OK);
    for (unsigned i = 0; i < count; i++) {
        struct user user = {.enabled = true};

        snprintf(user.name, sizeof user.name, "user%u", i);
        strcpy(user.hash, "x");
        CHECK(store_user_add(store, &user) == OK);
        users[i] = user.id;
    }
    CHECK(store_commit(store) == OK);
}

static enum err deliver(struct store *store, const char *text,
                        const int64_t *to, unsigned count)
{
    struct store_delivery delivery = {.sender = "a@b.c",
                                      .received_ms = 1,
                                      .users = to,
                                      .user_count = count,
                                      .tail = text,
                                      .tail_bytes = strlen(text)};

    return store_deliver(store, &delivery);
}

static void test_round(void)
{
    struct store *writer, *reader;
    struct store_maildrop drop;
    char buffer[200], finding[200];
    static const char mail[] = "Subject: =?utf-8?q?H=C3=A9?=\r\n =?UTF-8?B?"
                               "bGxv?= you\r\n\r\nBody\r\n";

    make_place(8 << 20, 4 << 20);
    CHECK(store_open(&place, true, &writer) == ERR_NOT_FOUND);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 3);
    CHECK(deliver(writer, mail, users, 2) == OK);
    CHECK(store_open(&place, false, &reader) == OK);
    CHECK(store_maildrop_load(reader, users[1], &drop) == OK);
    CHECK(drop.count == 1 && drop.bytes == sizeof mail - 1);
    CHECK(drop.entries[0].uid == 1);
    CHECK(store_message_read(reader, drop.entries[0].message_id, 3, buffer,
                             sizeof buffer) == (int)sizeof mail - 4);
    CHECK(memcmp(buffer, mail + 3, sizeof mail - 4) == 0);
    store_maildrop_free(&drop);
    CHECK(store_maildrop_load(reader, 99, &drop) == ERR_NOT_FOUND);
    CHECK(store_check(reader, finding, sizeof finding) == OK);
    store_close(reader);
    store_close(writer);
    CHECK(medium.outside == 0 && medium.unaligned == 0);
    ram_medium_free(&medium);
}

static double microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void measure(unsigned batch, unsigned spread)
{
    unsigned total = 2000;
    struct store *writer;
    char text[1400];
    double start;

    make_place(64 << 20, 32 << 20);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 100);
    CHECK(store_checkpoint(writer) == OK);
    memset(text, 'x', sizeof text);
    memcpy(text, "Subject: test\r\n\r\n", 17);
    text[1290] = '\0';
    medium.writes = medium.flushes = medium.bytes_written = medium.reads = 0;
    start = microseconds();
    for (unsigned i = 0; i < total; i += batch) {
        CHECK(store_begin(writer) == OK);
        for (unsigned j = 0; j < batch; j++) {
            int64_t to = users[(i + j) * 7919u % spread];

            if (deliver(writer, text, &to, 1))
                CHECK(!"delivered");
        }
        CHECK(store_commit(writer) == OK);
        if (store_wal_pages(writer) > 2000)
            CHECK(store_checkpoint(writer) == OK);
    }
    CHECK(store_checkpoint(writer) == OK);
    start = microseconds() - start;
    printf("batch %3u to %3u users: %.0f bytes, %.3f flushes, %.3f writes, "
           "%.3f reads, %.1f us a message\n",
           batch, spread, (double)medium.bytes_written / total,
           (double)medium.flushes / total, (double)medium.writes / total,
           (double)medium.reads / total, start / total);
    if (batch == 100)
        CHECK(medium.bytes_written / total <= 8192);
    store_close(writer);
    ram_medium_free(&medium);
}

int main(void)
{
    void *heap = malloc(HEAP_BYTES);

    random_module_init();
    CHECK(store_module_init(heap, HEAP_BYTES, now_ms) == OK);
    test_round();
    measure(1, 1);
    measure(10, 1);
    measure(100, 1);
    measure(1, 100);
    measure(10, 100);
    measure(100, 100);
    return check_report();
}
