/* A store on a medium in memory, with two users, for tests of what webmail
 * needs of it. */
#ifndef TESTS_UNIT_MAILBOX_FRAME_H
#define TESTS_UNIT_MAILBOX_FRAME_H

#include "check.h"
#include "core/machine.h"
#include "mailstore/store_internal.h"
#include "mailstore/store_mailbox.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES (24u << 20)

/* The same in each run. */
void machine_entropy(void *buffer, size_t bytes)
{
    memset(buffer, 0x5c, bytes);
}

static int64_t frame_now_ms = 1700000000000;

static int64_t frame_wall_clock(void)
{
    return frame_now_ms;
}

static struct ram_medium medium;
static struct store_place place;
static int64_t anna, bert;

static void make_place(uint64_t database_bytes, uint64_t wal_bytes)
{
    uint64_t sectors = (database_bytes + wal_bytes) / MEDIA_SECTOR_BYTES + 8;

    ram_medium_init(&medium, sectors, false);
    place.media = &medium.media;
    place.wal_sector = 8;
    place.wal_bytes = wal_bytes;
    place.database_sector = 8 + wal_bytes / MEDIA_SECTOR_BYTES;
    place.database_bytes = database_bytes;
}

static int64_t add_user(struct store *store, const char *name)
{
    struct user user = {.hash = "x", .enabled = true};

    strcpy(user.name, name);
    CHECK(store_user_add(store, &user) == OK);
    return user.id;
}

/* A new store with its two users, open for writing. */
static inline struct store *frame_open(void)
{
    struct store *store = NULL;

    make_place(64 << 20, 16 << 20);
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
    anna = add_user(store, "anna");
    bert = add_user(store, "bert");
    return store;
}

static inline void frame_check(struct store *store)
{
    char finding[200] = "";

    CHECK(store_check(store, finding, sizeof finding) == OK);
    if (finding[0])
        printf("store_check: %s\n", finding);
}

static inline void frame_close(struct store *store)
{
    frame_check(store);
    store_close(store);
    ram_medium_free(&medium);
}

static inline void *frame_heap(void)
{
    void *heap = malloc(HEAP_BYTES);

    CHECK(store_module_init(heap, HEAP_BYTES, frame_wall_clock) == OK);
    return heap;
}

/* A message into Inboxes. Returns its id. */
static inline int64_t deliver_to(struct store *store, const char *text,
                                 const int64_t *users, unsigned count)
{
    struct store_delivery delivery = {.sender = "a@b.c",
                                      .received_ms = frame_now_ms++,
                                      .users = users,
                                      .user_count = count,
                                      .tail = text,
                                      .tail_bytes = strlen(text)};

    CHECK(store_deliver(store, &delivery) == OK);
    return delivery.message_id;
}

static inline int64_t deliver(struct store *store, const char *text, int64_t to)
{
    return deliver_to(store, text, &to, 1);
}

static inline int64_t folder_id(struct store *store, int64_t user,
                                enum store_folder_kind kind)
{
    int64_t id = 0;

    CHECK(store_folder_of(store, user, kind, &id) == OK);
    return id;
}

static inline struct store_folder folder_of(struct store *store, int64_t user,
                                            int64_t id)
{
    struct store_folder folder;

    CHECK(store_folder(store, user, id, &folder) == OK);
    return folder;
}

#endif
