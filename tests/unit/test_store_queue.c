/* The outgoing queue in the store, on a medium in memory. */
#include "check.h"
#include "core/machine.h"
#include "mailstore/store.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES (12u << 20)

/* The same in each run. */
void machine_entropy(void *buffer, size_t bytes)
{
    memset(buffer, 0x5c, bytes);
}

static int64_t now_ms(void)
{
    return 1700000000000;
}

static struct ram_medium medium;
static struct store_place place;
static struct store *store;
static int64_t anna;

static void open_store(void)
{
    struct user user = {.name = "anna", .hash = "x", .enabled = true};
    uint64_t database_bytes = 8 << 20, wal_bytes = 4 << 20;

    ram_medium_init(&medium,
                    (database_bytes + wal_bytes) / MEDIA_SECTOR_BYTES + 3000,
                    false);
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
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
    CHECK(store_user_add(store, &user) == OK);
    anna = user.id;
}

static void close_store(void)
{
    char finding[200] = "";

    if (store_check(store, finding, sizeof finding) != OK)
        puts(finding);
    CHECK(finding[0] == '\0');
    store_close(store);
    CHECK(medium.outside == 0 && medium.unaligned == 0);
    ram_medium_free(&medium);
}

static const char text[] = "Subject: out\r\n\r\nBody\r\n";

/* One message for anna (if `local`) and `count` recipients elsewhere. */
static int64_t deliver(bool local, const struct store_remote *remotes,
                       unsigned count)
{
    struct store_delivery delivery = {.sender = "anna@here.example",
                                      .received_ms = now_ms(),
                                      .users = &anna,
                                      .user_count = local,
                                      .remotes = remotes,
                                      .remote_count = count,
                                      .envid = "env+2B1",
                                      .submitter = anna,
                                      .tail = text,
                                      .tail_bytes = sizeof text - 1};

    CHECK(store_deliver(store, &delivery) == OK);
    return delivery.message_id;
}

static void test_deliver(void)
{
    static const struct store_remote remotes[] = {
        {"bert@far.example", "rfc822;bert@far.example", STORE_NOTIFY_SUCCESS},
        {"carl@far.example", "", STORE_NOTIFY_DEFAULT},
        {"dora@off.example", NULL, STORE_NOTIFY_NEVER},
    };
    struct store_delivery nobody = {.sender = "", .tail = text};
    struct store_maildrop drop;
    char buffer[100];
    int64_t id;

    open_store();
    CHECK(store_deliver(store, &nobody) == ERR_INVALID);
    id = deliver(true, remotes, 3);
    /* Out of the mailbox, it lives for those elsewhere. */
    CHECK(store_maildrop_load(store, anna, &drop) == OK);
    CHECK(drop.count == 1 && store_entry_at(&drop, 0)->message_id == id);
    CHECK(store_delete(store, drop.mailbox_id, &store_entry_at(&drop, 0)->uid,
                       1) == OK);
    store_maildrop_free(&drop);
    CHECK(store_message_read(store, id, 0, buffer, sizeof buffer) ==
          (int)sizeof text - 1);
    id = deliver(false, remotes + 1, 1);
    CHECK(store_message_read(store, id, 0, buffer, sizeof buffer) ==
          (int)sizeof text - 1);
    close_store();
}

int main(void)
{
    void *heap = malloc(HEAP_BYTES);

    CHECK(store_module_init(heap, HEAP_BYTES, now_ms) == OK);
    test_deliver();
    free(heap);
    return check_report();
}
