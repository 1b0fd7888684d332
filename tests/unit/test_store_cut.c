/* The promise: what store_commit() has returned for survives any power cut.
 *
 * Each trial delivers, deletes, flags, writes drafts and brings the index up to
 * date with a writer and two readers on a medium until, at a random
 * sector, the power goes; what was written since the last flush got there, got
 * lost or got torn at random, sector by sector. Then the store is opened again
 * and must hold exactly what was committed, the last transaction either wholly
 * or not at all, and be sound.
 *
 *   test_store_cut [TRIALS [SEED]]   SEED alone is run when it is given
 *
 * At the end the same with a medium whose flushes do nothing, which must be
 * found out: else this test could not fail. */
#include "check.h"
#include "core/machine.h"
#include "core/random.h"
#include "mailstore/store_append.h"
#include "mailstore/store_find.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES     (10u << 20)
#define USERS          3
#define MESSAGES_MAX   4000
#define DATABASE_BYTES (16u << 20)
#define WAL_BYTES      (4u << 20)

struct record {
    int64_t id;
    uint32_t bytes;
    uint8_t committed; /* bit u: user u holds it */
    uint8_t pending;   /* the same when the open transaction is through */
};

static struct ram_medium medium;
static struct store_place place;
static void *heap;
static int64_t users[USERS];
static struct record records[MESSAGES_MAX];
static unsigned record_count;
static bool uncertain; /* a commit was under way */
static uint64_t cut_random;
static jmp_buf power_off;
static unsigned commits_seen;

/* The same in each run. */
void machine_entropy(void *buffer, size_t bytes)
{
    memset(buffer, 0x5c, bytes);
}

static int64_t now_ms(void)
{
    return 1700000000000;
}

static uint32_t chance(uint32_t limit)
{
    cut_random ^= cut_random << 13;
    cut_random ^= cut_random >> 7;
    cut_random ^= cut_random << 17;
    return (uint32_t)(cut_random >> 20) % limit;
}

static void fill(uint8_t *buffer, int64_t id, uint32_t from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        buffer[i] =
            (uint8_t)(((uint64_t)id * 2654435761u + (from + i) * 40503u) >> 7);
}

static const char *why(struct store *store)
{
    return store ? store_message(store) : "not open";
}

/* ---- Work until the power goes ------------------------------------------ */

static bool deliver(struct store *store)
{
    static uint8_t body[STORE_CHUNK_BYTES];
    struct record *record = &records[record_count];
    struct store_delivery delivery = {.sender = "a@b.c", .received_ms = 1};
    uint32_t bytes = chance(10) ? chance(6000) : chance(200000);
    uint32_t at = 0;
    int64_t to[USERS];
    uint8_t mask = 0;

    delivery.message_id = store_reserve_id(store);
    while (bytes - at > STORE_CHUNK_BYTES) {
        uint32_t part = chance(3) ? STORE_CHUNK_BYTES : 1 + chance(60000);

        fill(body, delivery.message_id, at, part);
        if (store_put_chunk(store, delivery.message_id, delivery.chunks++, body,
                            part))
            return false;
        delivery.chunk_bytes += part;
        at += part;
    }
    fill(body, delivery.message_id, at, bytes - at);
    delivery.tail = body;
    delivery.tail_bytes = bytes - at;
    for (unsigned u = 0; u < USERS; u++) {
        if (chance(2) || u == 0) {
            to[delivery.user_count++] = users[u];
            mask |= (uint8_t)(1 << u);
        }
    }
    delivery.users = to;
    if (store_deliver(store, &delivery))
        return false;
    record->id = delivery.message_id;
    record->bytes = bytes;
    record->committed = 0;
    record->pending = mask;
    record_count++;
    return true;
}

/* Deletes about a third of a mailbox. */
static bool delete_some(struct store *store)
{
    struct store_maildrop drop;
    unsigned user = chance(USERS);
    uint32_t uids[64];
    size_t count = 0;
    enum err err = store_maildrop_load(store, users[user], &drop);

    if (err)
        return false;
    for (uint32_t i = 0; i < drop.count && count < 64; i++) {
        if (chance(3))
            continue;
        uids[count++] = store_entry_at(&drop, i)->uid;
        for (unsigned r = 0; r < record_count; r++) {
            if (records[r].id == store_entry_at(&drop, i)->message_id)
                records[r].pending &= (uint8_t) ~(1u << user);
        }
    }
    err = store_delete(store, drop.mailbox_id, uids, count);
    store_maildrop_free(&drop);
    return err == OK;
}

/* What webmail does beside: none of it changes who holds what in an Inbox. */
static bool flag_some(struct store *store)
{
    unsigned user = chance(USERS);
    struct store_key keys[20];
    int64_t inbox;

    if (store_folder_of(store, users[user], STORE_FOLDER_INBOX, &inbox))
        return false;
    for (unsigned i = 0; i < 20; i++)
        keys[i] = (struct store_key){inbox, 1 + chance(200)};
    return store_flag(store, users[user], keys, 20, (uint8_t)chance(16),
                      (uint8_t)chance(16), NULL) == OK;
}

static bool save_draft(struct store *store)
{
    static struct store_key last;
    unsigned user = chance(USERS);
    struct store_append append = {.user_id = users[user],
                                  .flags = STORE_DRAFT,
                                  .replaces = last,
                                  .sender = "",
                                  .tail = "Subject: draft\r\n\r\nwords\r\n",
                                  .tail_bytes = 25};
    bool more;

    if (store_folder_of(store, users[user], STORE_FOLDER_DRAFTS,
                        &append.mailbox_id))
        return false;
    if (chance(10) == 0)
        return store_folder_empty(store, users[user], append.mailbox_id, true,
                                  50, &more) == OK;
    if (store_append(store, &append))
        return false;
    last = append.key;
    return true;
}

static bool index_some(struct store *store)
{
    struct store_batch *batch;
    bool more, good;

    if (chance(3) == 0)
        return store_index_forget(store, 1 + chance(10), &more) == OK;
    if (store_index_read(store, 0, &batch))
        return false;
    good = !batch || store_index_put(store, batch) == OK;
    store_index_free(batch);
    return good;
}

static bool use_webmail(struct store *store)
{
    switch (chance(4)) {
    case 0:
        return flag_some(store);
    case 1:
        return save_draft(store);
    default:
        return index_some(store);
    }
}

static void settle(bool through)
{
    unsigned kept = 0;

    for (unsigned r = 0; r < record_count; r++) {
        if (through)
            records[r].committed = records[r].pending;
        records[r].pending = records[r].committed;
        if (records[r].committed)
            records[kept++] = records[r];
    }
    record_count = kept;
}

static bool transaction(struct store *store)
{
    unsigned count = 1 + chance(6);
    enum err err = store_begin(store);
    bool good = err == OK;

    while (good && count-- && record_count < MESSAGES_MAX)
        good = chance(6) == 0 ? use_webmail(store)
               : chance(8)    ? deliver(store)
                              : delete_some(store);
    if (good && chance(12)) {
        uncertain = true;
        err = store_commit(store);
        good = err == OK;
        uncertain = false;
        commits_seen += good;
    } else if (good) {
        store_rollback(store);
        settle(false);
        return true;
    }
    if (!good)
        store_rollback(store);
    settle(good);
    /* A full store is an answer; delivering stops, deleting goes on. */
    return good || err == OK || err == ERR_FULL;
}

/* A reader looks at what is there at any time. */
static bool look(struct store *reader)
{
    struct store_maildrop drop;
    uint8_t byte;
    bool good;

    if (store_maildrop_load(reader, users[chance(USERS)], &drop))
        return false;
    good = drop.count == 0 ||
           store_message_read(reader, store_entry_at(&drop, 0)->message_id, 0,
                              &byte, 1) >= 0;
    store_maildrop_free(&drop);
    return good;
}

static void work(void)
{
    struct store *writer = NULL, *readers[2] = {NULL, NULL};

    if (store_open(&place, true, &writer) ||
        store_open(&place, false, &readers[0]) ||
        store_open(&place, false, &readers[1])) {
        CHECK(!"opened");
        return;
    }
    for (;;) {
        if (!transaction(writer) || !look(readers[chance(2)])) {
            printf("work: %s\n", why(writer));
            CHECK(!"worked");
            return;
        }
        if (chance(30) == 0 && store_checkpoint(writer))
            CHECK(!"checkpoint");
        if ((chance(30) == 0 || store_room_low(writer)) &&
            store_garbage(writer) && store_collect(writer, 1 + chance(20)))
            CHECK(!"collected");
        if (chance(200) == 0) {
            store_close(readers[1]);
            if (store_open(&place, false, &readers[1]))
                CHECK(!"opened again");
        }
        if (chance(400) == 0) {
            store_close(readers[0]);
            store_close(readers[1]);
            store_close(writer);
            return work();
        }
    }
}

/* ---- What is left ------------------------------------------------------- */

static bool same_body(struct store *store, const struct record *record)
{
    static uint8_t got[300000], wanted[300000];
    uint32_t at = 0;

    while (at < record->bytes) {
        int count = store_message_read(store, record->id, at, got + at,
                                       1 + chance(100000));

        if (count <= 0)
            return false;
        at += (uint32_t)count;
    }
    fill(wanted, record->id, 0, record->bytes);
    return at == record->bytes && memcmp(got, wanted, at) == 0;
}

/* Which users hold the message now. */
static unsigned holders(struct store_maildrop *drops, int64_t id)
{
    unsigned mask = 0;

    for (unsigned u = 0; u < USERS; u++) {
        for (uint32_t i = 0; i < drops[u].count; i++) {
            if (store_entry_at(&drops[u], i)->message_id == id)
                mask |= 1u << u;
        }
    }
    return mask;
}

/* Number of messages that are not as they must be. */
static unsigned compare(struct store *store)
{
    struct store_maildrop drops[USERS];
    unsigned wrong = 0, as_before = 0, as_after = 0, expected = 0, found = 0;

    for (unsigned u = 0; u < USERS; u++) {
        if (store_maildrop_load(store, users[u], &drops[u]))
            return 1000;
        found += drops[u].count;
    }
    for (unsigned r = 0; r < record_count; r++) {
        struct record *record = &records[r];
        unsigned mask = holders(drops, record->id);

        as_before += mask == record->committed;
        as_after += mask == record->pending;
        if (mask && !same_body(store, record))
            wrong++;
        for (unsigned u = 0; u < USERS; u++)
            expected += mask >> u & 1;
    }
    for (unsigned u = 0; u < USERS; u++)
        store_maildrop_free(&drops[u]);
    if (found != expected)
        wrong++; /* a message that nobody delivered */
    if (as_before == record_count)
        settle(false);
    else if (uncertain && as_after == record_count)
        settle(true);
    else
        wrong += record_count - as_before;
    uncertain = false;
    return wrong;
}

static unsigned verify(uint64_t seed)
{
    char finding[200] = "";
    struct store *store;
    unsigned wrong;
    enum err err = store_open(&place, true, &store);

    if (err) {
        printf("seed %llu: open: %s %s\n", (unsigned long long)seed,
               err_text(err), store_open_message());
        return 1;
    }
    wrong = compare(store);
    if (wrong)
        printf("seed %llu: %u messages are not as they must be\n",
               (unsigned long long)seed, wrong);
    if (store_check(store, finding, sizeof finding)) {
        printf("seed %llu: %s\n", (unsigned long long)seed, finding);
        wrong++;
    }
    /* Some trials go on from a WAL, some from a moved one. */
    if (chance(2))
        store_close(store);
    return wrong;
}

static void restart(void)
{
    if (store_module_init(heap, HEAP_BYTES, now_ms)) {
        printf("no SQLite\n");
        exit(1);
    }
}

static void make_store(void)
{
    struct store *store;

    record_count = 0;
    uncertain = false;
    memset(medium.content, 0xa5, medium.media.sectors * MEDIA_SECTOR_BYTES);
    restart();
    if (store_create(&place) || store_open(&place, true, &store))
        exit(1);
    for (unsigned u = 0; u < USERS; u++) {
        struct user user = {.enabled = true};

        snprintf(user.name, sizeof user.name, "user%u", u);
        if (store_user_add(store, &user))
            exit(1);
        users[u] = user.id;
    }
    /* One whom the index does not know. */
    if (store_index_want(store, users[0]) || store_index_want(store, users[1]))
        exit(1);
    store_close(store);
    medium.pending_count = 0;
    memcpy(medium.durable, medium.content,
           medium.media.sectors * MEDIA_SECTOR_BYTES);
}

/* A series of cuts on one store. Everything follows from its seed. */
static unsigned series(uint64_t seed, unsigned cuts, unsigned lying)
{
    volatile unsigned i;

    cut_random = seed * 0x9e3779b97f4a7c15u + 1;
    medium.random = seed * 0xd1342543de82ef95u + 1;
    medium.lying = 0;
    medium.countdown = 0;
    medium.power_off = &power_off;
    make_store();
    for (i = 0; i < cuts; i++) {
        unsigned wrong;

        restart();
        medium.lying = lying;
        if (setjmp(power_off) == 0) {
            medium.countdown =
                1 + (long)(chance(4) ? chance(20000) : chance(300));
            work();
            return 1; /* work() ends by the cut only */
        }
        ram_medium_cut(&medium);
        medium.lying = 0;
        restart();
        wrong = verify(seed);
        if (wrong)
            return wrong;
        (void)!medium.media.flush(&medium.media);
    }
    return 0;
}

int main(int argc, char **argv)
{
    unsigned trials = argc > 1 ? (unsigned)atoi(argv[1]) : 400;
    uint64_t only = argc > 2 ? (uint64_t)atoll(argv[2]) : 0;
    unsigned cuts = 20, lost = 0;

    heap = malloc(HEAP_BYTES);
    random_module_init();
    ram_medium_init(
        &medium, (DATABASE_BYTES + WAL_BYTES) / MEDIA_SECTOR_BYTES + 100, true);
    place.media = &medium.media;
    place.wal_sector = 33;
    place.wal_bytes = WAL_BYTES;
    place.database_sector = 50 + WAL_BYTES / MEDIA_SECTOR_BYTES;
    place.database_bytes = DATABASE_BYTES;
    for (uint64_t seed = only ? only : 1;
         only ? seed == only : seed <= trials / cuts; seed++)
        CHECK(series(seed, cuts, 0) == 0);
    printf("%u cuts, %u commits\n", only ? cuts : trials / cuts * cuts,
           commits_seen);
    if (!only) {
        printf("control: a medium that lies about its flushes\n");
        for (uint64_t seed = 1; seed <= 5; seed++)
            lost += series(seed, 5, 10) != 0;
        CHECK(lost == 5);
    }
    ram_medium_free(&medium);
    free(heap);
    return check_report();
}
