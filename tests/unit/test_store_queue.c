/* The outgoing queue in the store, on a medium in memory. */
#include "check.h"
#include "core/machine.h"
#include "mailstore/store_queue.h"
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
        {"carl@far.example", NULL, STORE_NOTIFY_DEFAULT},
    };
    struct store_delivery nobody = {.sender = "", .tail = text};
    struct store_maildrop drop;
    char buffer[100];
    int64_t id;

    open_store();
    CHECK(store_deliver(store, &nobody) == ERR_INVALID);
    id = deliver(true, remotes, 2);
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

/* ---- What is due --------------------------------------------------------- */

#define ROOM STORE_RECIPIENTS_MAX

static struct store_due due[ROOM];
static int64_t held_id;

static bool is_held(void *context, int64_t queue_id)
{
    (void)context;
    return queue_id == held_id;
}

static struct store_due_list look(int64_t at_ms, unsigned room)
{
    struct store_due_list list = {
        .now_ms = at_ms, .held = is_held, .rows = due, .room = room};

    CHECK(store_queue_due(store, &list) == OK);
    return list;
}

static const struct store_remote three[] = {
    {"bert@far.example", "rfc822;bert@far.example", STORE_NOTIFY_SUCCESS},
    {"carl@far.example", "", STORE_NOTIFY_DEFAULT},
    {"dora@off.example", "", STORE_NOTIFY_NEVER},
};

static void test_due(void)
{
    static const struct store_route far = {"smart.example", 587, "me", "pw"};
    static const struct store_route none;
    struct store_due_list list;
    int64_t first, second;

    open_store();
    CHECK(store_queue_changed(store) == false);
    list = look(now_ms(), ROOM);
    CHECK(list.count == 0 && !list.more && list.next_ms == INT64_MAX);
    first = deliver(true, three, 3);
    CHECK(store_queue_changed(store) && !store_queue_changed(store));
    second = deliver(false, three, 2);
    CHECK(store_route_put(store, "far.example", &far) == OK);
    CHECK(store_route_put(store, "not a domain", &far) == ERR_INVALID);
    list = look(now_ms() - 1, ROOM);
    CHECK(list.count == 0 && list.next_ms == now_ms());
    list = look(now_ms(), ROOM);
    CHECK(list.count == 5 && !list.more);
    CHECK(due[0].message_id == first && due[4].message_id == second);
    CHECK(strcmp(due[0].recipient, "bert@far.example") == 0);
    CHECK(strcmp(due[0].orcpt, "rfc822;bert@far.example") == 0);
    CHECK(strcmp(due[0].envid, "env+2B1") == 0);
    CHECK(due[0].notify == STORE_NOTIFY_SUCCESS && due[0].submitter == anna);
    CHECK(due[0].bytes == sizeof text - 1 && due[0].attempts == 0);
    CHECK(due[0].expires_ms == now_ms() + (int64_t)5 * 24 * 3600 * 1000);
    CHECK(strcmp(due[0].route.host, "smart.example") == 0);
    CHECK(due[0].route.port == 587 && due[0].route.login[0] == 'm');
    CHECK(due[2].route.host[0] == '\0');
    /* A message comes whole or not at all. */
    list = look(now_ms(), 4);
    CHECK(list.count == 3 && list.more);
    list = look(now_ms(), 2);
    CHECK(list.count == 2 && list.more);
    held_id = due[1].queue_id;
    list = look(now_ms(), ROOM);
    CHECK(list.count == 4 && due[1].queue_id != held_id);
    held_id = 0;
    /* A clock that was a year ahead. */
    list = look(now_ms() - (int64_t)365 * 24 * 3600 * 1000, ROOM);
    CHECK(list.count == 5);
    CHECK(due[0].expires_ms == now_ms() - (int64_t)360 * 24 * 3600 * 1000);
    CHECK(store_route_put(store, "far.example", &none) == OK);
    CHECK(store_route_put(store, "", &far) == OK);
    /* No: one that is right now was set a year back for a while. */
    list = look(now_ms(), ROOM);
    CHECK(due[0].expires_ms == now_ms() + (int64_t)5 * 24 * 3600 * 1000);
    CHECK(strcmp(due[2].route.host, "smart.example") == 0);
    close_store();
}

static enum err count_row(void *context, const struct store_queue_info *info)
{
    unsigned *count = context;

    CHECK(info->message_id > 0 && info->bytes > 0);
    ++*count;
    return OK;
}

static unsigned rows_in_queue(void)
{
    unsigned count = 0;

    CHECK(store_list_queue(store, 0, count_row, &count) == OK);
    return count;
}

static bool exists(int64_t message_id)
{
    char byte;

    CHECK(store_collect(store, 100) == OK);
    return store_message_read(store, message_id, 0, &byte, 1) == 1;
}

static void test_settle(void)
{
    struct store_settled rows[3];
    struct store_settlement settlement = {
        .now_ms = now_ms(), .recipients = rows, .count = 3};
    struct store_due_list list;
    char finding[100];

    open_store();
    settlement.message_id = deliver(false, three, 3);
    list = look(now_ms(), ROOM);
    CHECK(list.count == 3);
    for (unsigned i = 0; i < 3; i++)
        rows[i] = (struct store_settled){.queue_id = due[i].queue_id,
                                         .removed = i > 0,
                                         .delayed = true,
                                         .next_ms = now_ms() + 1000,
                                         .reply = "far said: 450 later"};
    CHECK(store_queue_settle(store, &settlement) == OK);
    CHECK(rows_in_queue() == 1 && exists(settlement.message_id));
    list = look(now_ms(), ROOM);
    CHECK(list.count == 0 && list.next_ms == now_ms() + 1000);
    list = look(now_ms() + 1000, ROOM);
    CHECK(list.count == 1 && due[0].attempts == 1 && due[0].delayed);
    CHECK(strcmp(due[0].reply, "far said: 450 later") == 0);
    CHECK(store_check(store, finding, sizeof finding) == OK);
    rows[0].removed = true;
    settlement.count = 1;
    CHECK(store_queue_settle(store, &settlement) == OK);
    CHECK(rows_in_queue() == 0 && !exists(settlement.message_id));
    /* Again: there is nothing to do. */
    CHECK(store_queue_settle(store, &settlement) == OK);
    close_store();
}

static void check_notice(int64_t id, const char *head, size_t original)
{
    static char buffer[3 << 20];
    size_t at = 0, head_bytes = strlen(head);
    int got;

    do {
        got = store_message_read(store, id, at, buffer + at, 1 << 20);
        at += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    CHECK(got == 0 && at == head_bytes + original + 4);
    CHECK(memcmp(buffer, head, head_bytes) == 0);
    CHECK(memcmp(buffer + at - 4, "tail", 4) == 0);
}

/* A message of this size, larger than a part. */
static int64_t deliver_long(size_t bytes)
{
    struct store_delivery delivery = {.sender = "anna@here.example",
                                      .received_ms = now_ms(),
                                      .remotes = three,
                                      .remote_count = 1};
    char *part = malloc(STORE_CHUNK_BYTES);

    memset(part, 'x', STORE_CHUNK_BYTES);
    memcpy(part, "A: b\r\n\r\n", 8);
    delivery.message_id = store_reserve_id(store);
    while (bytes > STORE_CHUNK_BYTES) {
        CHECK(store_put_chunk(store, delivery.message_id, delivery.chunks++,
                              part, STORE_CHUNK_BYTES) == OK);
        delivery.chunk_bytes += STORE_CHUNK_BYTES;
        bytes -= STORE_CHUNK_BYTES;
    }
    delivery.tail = part;
    delivery.tail_bytes = bytes;
    CHECK(store_deliver(store, &delivery) == OK);
    free(part);
    return delivery.message_id;
}

static void notify(int64_t id, bool full, int64_t user, size_t original)
{
    static char head[70000];
    struct store_notice notice = {.users = {user},
                                  .user_count = user != 0,
                                  .remote = "far@away.example",
                                  .head = head,
                                  .head_bytes = full ? 65536 : 20,
                                  .tail = "tail",
                                  .tail_bytes = 4,
                                  .original = id,
                                  .full = full};
    struct store_settled row = {.removed = true};
    struct store_settlement settlement = {.message_id = id,
                                          .now_ms = now_ms(),
                                          .recipients = &row,
                                          .count = 1,
                                          .notice = &notice};

    memset(head, 'h', notice.head_bytes);
    head[notice.head_bytes] = '\0';
    for (unsigned i = 0, n = look(now_ms(), ROOM).count; i < n; i++) {
        if (due[i].message_id == id)
            row.queue_id = due[i].queue_id;
    }
    CHECK(store_queue_settle(store, &settlement) == OK);
    CHECK(!exists(id) && settlement.notice_id > id);
    check_notice(settlement.notice_id, head, original);
}

static void test_notice(void)
{
    struct store_maildrop drop;

    open_store();
    notify(deliver(false, three, 1), true, anna, sizeof text - 1);
    notify(deliver(false, three, 1), false, anna, 16);
    notify(deliver_long(200000), true, anna, 200000);
    notify(deliver_long(200000), false, 0, 8);
    /* Too long to be returned whole. */
    notify(deliver_long((1 << 20) + 1), true, 0, 8);
    CHECK(store_maildrop_load(store, anna, &drop) == OK);
    CHECK(drop.count == 3);
    store_maildrop_free(&drop);
    CHECK(rows_in_queue() == 2);
    CHECK(look(now_ms(), ROOM).count == 2);
    CHECK(due[0].sender[0] == '\0' && due[0].notify == STORE_NOTIFY_NEVER);
    CHECK(strcmp(due[0].recipient, "far@away.example") == 0);
    close_store();
}

static void test_administrator(void)
{
    uint64_t all, held;
    int64_t id, message_id;

    open_store();
    message_id = deliver(false, three, 2);
    CHECK(look(now_ms(), ROOM).count == 2);
    id = due[0].queue_id;
    (void)store_queue_changed(store);
    CHECK(!store_queue_acted(store));
    CHECK(store_queue_act(store, id, STORE_QUEUE_HOLD) == OK);
    CHECK(!store_queue_changed(store));
    CHECK(store_queue_acted(store) && !store_queue_acted(store));
    CHECK(look(now_ms(), ROOM).count == 1 && due[0].queue_id != id);
    CHECK(store_queue_count(store, &all, &held) == OK && all == 2 && held == 1);
    CHECK(store_queue_act(store, id, STORE_QUEUE_RELEASE) == OK);
    CHECK(store_queue_changed(store));
    CHECK(look(now_ms(), ROOM).count == 2);
    CHECK(store_queue_act(store, id, STORE_QUEUE_RETRY) == OK);
    CHECK(look(0, ROOM).count == 2 && due[0].next_ms == 0);
    CHECK(store_queue_act(store, id, STORE_QUEUE_GIVE_UP) == OK);
    CHECK(look(now_ms(), ROOM).count == 2);
    CHECK(due[0].queue_id == id && due[0].state == STORE_QUEUE_BOUNCE);
    CHECK(store_queue_act(store, id, STORE_QUEUE_DELETE) == OK);
    CHECK(store_queue_act(store, id, STORE_QUEUE_DELETE) == ERR_NOT_FOUND);
    CHECK(store_queue_act(store, id, STORE_QUEUE_HOLD) == ERR_NOT_FOUND);
    CHECK(exists(message_id));
    CHECK(store_queue_act(store, due[1].queue_id, STORE_QUEUE_DELETE) == OK);
    CHECK(!exists(message_id));
    close_store();
}

/* A row that was deleted while it was being tried, and the next one that is put
 * in: nobody takes the one for the other. */
static void test_number_of_another(void)
{
    struct store_settled row = {.removed = true, .reply = "250 ok"};
    struct store_settlement settlement = {
        .now_ms = now_ms(), .recipients = &row, .count = 1};
    int64_t first;

    open_store();
    settlement.message_id = deliver(false, three, 1);
    CHECK(look(now_ms(), ROOM).count == 1);
    first = due[0].queue_id;
    CHECK(store_queue_act(store, first, STORE_QUEUE_DELETE) == OK);
    (void)deliver(false, three, 1);
    CHECK(look(now_ms(), ROOM).count == 1);
    CHECK(due[0].queue_id != first);
    row.queue_id = first;
    CHECK(store_queue_settle(store, &settlement) == OK);
    CHECK(look(now_ms(), ROOM).count == 1);
    /* Also where it has got the same number: the store was opened anew. */
    row.queue_id = due[0].queue_id;
    CHECK(store_queue_settle(store, &settlement) == OK);
    row.removed = false;
    row.next_ms = now_ms() + 1000;
    CHECK(store_queue_settle(store, &settlement) == OK);
    CHECK(look(now_ms(), ROOM).count == 1 && due[0].attempts == 0);
    close_store();
}

static void test_settings(void)
{
    char finding[200] = "";

    open_store();
    (void)deliver(false, three, 1);
    CHECK(store_check(store, finding, sizeof finding) == OK);
    CHECK(store_setting_put(store, "queue_days", "soon") == OK);
    (void)deliver(false, three, 1);
    CHECK(look(now_ms(), ROOM).count == 2);
    CHECK(due[1].expires_ms == due[0].expires_ms);
    close_store();
}

int main(void)
{
    void *heap = malloc(HEAP_BYTES);

    CHECK(store_module_init(heap, HEAP_BYTES, now_ms) == OK);
    test_deliver();
    test_due();
    test_settle();
    test_notice();
    test_administrator();
    test_number_of_another();
    test_settings();
    free(heap);
    return check_report();
}
