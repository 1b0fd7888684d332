/* Long maildrops, messages that are read in pieces by several readers, reading
 * ahead, and what users take up. */
#include "check.h"
#include "core/machine.h"
#include "mailstore/store.h"
#include "mailstore/store_usage.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES (12u << 20)
#define WAL_BYTES  (4u << 20)
#define LONG       1300 /* messages: three blocks */
#define BIG_BYTES  100000

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
static struct store *writer, *readers[2];
static int64_t users[2];

/* ---- What the writer tells of usage -----------------------------------------
 */

static int64_t told[2];

static void on_change(int64_t user_id, int64_t bytes)
{
    told[user_id == users[1]] += bytes;
}

static void make_store(void)
{
    place.media = &medium.media;
    place.wal_sector = 1000;
    place.wal_bytes = WAL_BYTES;
    place.database_sector = 1000 + WAL_BYTES / MEDIA_SECTOR_BYTES;
    place.database_bytes = 24u << 20;
    ram_medium_init(&medium,
                    place.database_sector +
                        place.database_bytes / MEDIA_SECTOR_BYTES,
                    false);
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &writer) == OK);
    for (unsigned i = 0; i < 2; i++) {
        struct user user = {.enabled = true};

        snprintf(user.name, sizeof user.name, "user%u", i);
        strcpy(user.hash, "x");
        CHECK(store_user_add(writer, &user) == OK);
        users[i] = user.id;
        CHECK(store_open(&place, false, &readers[i]) == OK);
    }
    store_watch_usage(writer, on_change);
}

static char letter(unsigned number, size_t at)
{
    return (char)('a' + (number * 7 + at + at / 300) % 26);
}

/* Delivers message `number` of so many bytes to the users. */
static enum err deliver(unsigned number, size_t bytes, unsigned count)
{
    char *text = malloc(bytes + 1);
    struct store_delivery delivery = {.sender = "a@b.c",
                                      .received_ms = 1,
                                      .users = users,
                                      .user_count = count,
                                      .envid = ""};
    size_t at = 0;
    enum err err = OK;

    for (size_t i = 0; i < bytes; i++)
        text[i] = letter(number, i);
    delivery.message_id = store_reserve_id(writer);
    for (; !err && bytes - at > STORE_CHUNK_BYTES; at += STORE_CHUNK_BYTES)
        err = store_put_chunk(writer, delivery.message_id, delivery.chunks++,
                              text + at, STORE_CHUNK_BYTES);
    delivery.chunk_bytes = at;
    delivery.tail = text + at;
    delivery.tail_bytes = bytes - at;
    if (!err)
        err = store_deliver(writer, &delivery);
    free(text);
    return err;
}

static void fill(void)
{
    CHECK(store_begin(writer) == OK);
    for (unsigned i = 0; i < LONG; i++)
        CHECK(deliver(i, 100 + i, i % 2 + 1) == OK);
    CHECK(store_commit(writer) == OK);
}

/* ---- Long lists
 * -------------------------------------------------------------- */

static void check_list(const struct store_maildrop *drop)
{
    uint64_t bytes = 0;

    CHECK(drop->count == LONG);
    for (uint32_t i = 0; i < drop->count; i++) {
        const struct store_entry *entry = store_entry_at(drop, i);

        CHECK(entry->bytes == 100 + i && entry->uid == i + 1);
        bytes += entry->bytes;
    }
    CHECK(bytes == drop->bytes);
}

/* In SQLite's heap, then in a pool that is too small at first. */
static void test_list(void)
{
    static _Alignas(64) uint8_t pool[5 * STORE_BLOCK_BYTES];
    struct store_maildrop drop, second;

    CHECK(store_maildrop_load(readers[0], users[0], &drop) == OK);
    check_list(&drop);
    store_maildrop_free(&drop);
    for (size_t blocks = 0; blocks < 4; blocks++) {
        store_maildrop_memory(pool, blocks * STORE_BLOCK_BYTES);
        CHECK(store_maildrop_load(readers[0], users[0], &drop) == ERR_MEMORY);
        CHECK(drop.count == 0 && drop.blocks == NULL);
    }
    store_maildrop_memory(pool, sizeof pool);
    for (unsigned i = 0; i < 20; i++) {
        CHECK(store_maildrop_load(readers[0], users[0], &drop) == OK);
        check_list(&drop);
        CHECK(store_maildrop_load(readers[1], users[1], &second) == ERR_MEMORY);
        store_maildrop_free(&drop);
        CHECK(store_maildrop_load(readers[1], users[1], &second) == OK);
        CHECK(second.count == LONG / 2);
        store_maildrop_free(&second);
    }
}

/* ---- Reading
 * ------------------------------------------------------------------ */

static bool read_whole(struct store *store, int64_t id, unsigned number,
                       size_t bytes, size_t piece)
{
    char buffer[20000];
    uint64_t at = 0;

    for (;;) {
        int got = store_message_read(store, id, at, buffer, piece);

        if (got <= 0)
            return got == 0 && at == bytes;
        for (int i = 0; i < got; i++)
            if (buffer[i] != letter(number, at + (size_t)i))
                return false;
        at += (uint64_t)got;
    }
}

/* All of a maildrop in order takes few reads of the medium, whether it lies in
 * the WAL or in the database. */
static void test_ahead(void)
{
    for (unsigned moved = 0; moved < 2; moved++) {
        struct store_maildrop drop;
        uint64_t reads;
        unsigned right = 0;

        if (moved)
            CHECK(store_checkpoint(writer) == OK);
        CHECK(store_maildrop_load(readers[0], users[0], &drop) == OK);
        reads = medium.reads;
        for (uint32_t i = 0; i < drop.count; i++)
            right +=
                read_whole(readers[0], store_entry_at(&drop, i)->message_id, i,
                           100 + i, sizeof(char[20000]));
        CHECK(right == LONG);
        CHECK(medium.reads - reads < LONG / 4);
        store_maildrop_free(&drop);
    }
}

/* What was read ahead does not outlive a change. */
static void test_changes(void)
{
    struct store_maildrop drop;
    unsigned right = 0;

    for (unsigned round = 0; round < 30; round++) {
        CHECK(deliver(round, 9000, 1) == OK);
        CHECK(store_maildrop_load(readers[1], users[0], &drop) == OK);
        CHECK(drop.count == LONG + round + 1);
        for (unsigned i = 0; i <= round; i++)
            right += read_whole(readers[round % 2],
                                store_entry_at(&drop, LONG + i)->message_id, i,
                                9000, 4000);
        store_maildrop_free(&drop);
        if (round % 7 == 3)
            CHECK(store_checkpoint(writer) == OK);
    }
    CHECK(right == 30 * 31 / 2);
}

/* Several readers go through big messages in turns, piece by piece. */
static void test_pieces(void)
{
    int64_t ids[2];
    char buffer[16384];
    uint64_t reads, wrong = 0;
    struct store_maildrop drop;

    CHECK(deliver(3, BIG_BYTES, 1) == OK && deliver(4, BIG_BYTES, 1) == OK);
    CHECK(store_maildrop_load(readers[0], users[0], &drop) == OK);
    for (unsigned i = 0; i < 2; i++)
        ids[i] = store_entry_at(&drop, drop.count - 2 + i)->message_id;
    store_maildrop_free(&drop);
    CHECK(store_checkpoint(writer) == OK);
    reads = medium.bytes_read;
    for (uint64_t at = 0; at < BIG_BYTES; at += sizeof buffer) {
        for (unsigned i = 0; i < 4; i++) {
            int got = store_message_read(readers[i % 2], ids[i / 2], at, buffer,
                                         sizeof buffer);

            CHECK(got > 0);
            for (int k = 0; k < got; k++)
                wrong += buffer[k] != letter(3 + i / 2, at + (size_t)k);
        }
    }
    CHECK(wrong == 0);
    /* Each part comes from the medium about once. */
    CHECK(medium.bytes_read - reads < 3 * 2 * BIG_BYTES);
}

/* ---- Usage and logins
 * ----------------------------------------------------------- */

static void check_usage(void)
{
    uint64_t bytes;

    for (unsigned i = 0; i < 2; i++) {
        CHECK(store_usage(writer, users[i], &bytes) == OK);
        CHECK((int64_t)bytes == told[i]);
    }
}

static void test_usage(void)
{
    struct store_maildrop drop;
    uint32_t uids[3];
    int64_t before;

    check_usage();
    CHECK(store_begin(writer) == OK);
    before = told[0];
    CHECK(deliver(1, 500, 2) == OK);
    CHECK(told[0] == before + 500 && store_usage_open(writer, users[1]));
    store_rollback(writer);
    CHECK(told[0] == before && !store_usage_open(writer, users[1]));
    check_usage();
    CHECK(store_maildrop_load(writer, users[1], &drop) == OK);
    for (unsigned i = 0; i < 3; i++)
        uids[i] = store_entry_at(&drop, i)->uid;
    before = told[1];
    CHECK(store_delete(writer, drop.mailbox_id, uids, 3) == OK);
    CHECK(told[1] < before);
    CHECK(store_delete(writer, drop.mailbox_id, uids, 3) == OK);
    store_maildrop_free(&drop);
    check_usage();
    CHECK(store_usage(readers[0], 4711, &(uint64_t){0}) == OK);
}

static unsigned logins;

static enum err on_login(void *context, const char *user,
                         const struct store_login *login)
{
    const struct store_login *wanted = context;

    CHECK(strcmp(user, "user1") == 0 && login->time_ms == wanted->time_ms);
    CHECK(strcmp(login->address, wanted->address) == 0);
    CHECK(strcmp(login->service, wanted->service) == 0);
    logins++;
    return OK;
}

static void test_logins(void)
{
    struct store_login login = {.user_id = users[1],
                                .time_ms = 1700000000123,
                                .address = "2001:db8::7",
                                .service = "pop3"};

    CHECK(store_login_put(writer, &login) == OK);
    login.time_ms++;
    strcpy(login.service, "smtp");
    CHECK(store_login_put(writer, &login) == OK);
    CHECK(store_list_logins(readers[0], on_login, &login) == OK);
    CHECK(logins == 1);
    login.user_id = 4711; /* gone meanwhile */
    CHECK(store_login_put(writer, &login) == OK);
    CHECK(store_list_logins(readers[0], on_login, &login) == OK);
    CHECK(logins == 2);
}

/* ---- Slices
 * ------------------------------------------------------------------- */

static unsigned pauses;

static bool on_pause(void)
{
    pauses++;
    return true;
}

static void test_pauses(void)
{
    static _Alignas(64) uint8_t pool[8 * STORE_BLOCK_BYTES];
    struct store_maildrop drop;

    store_maildrop_memory(pool, sizeof pool);
    store_set_pause(readers[0], on_pause);
    CHECK(store_maildrop_load(readers[0], users[0], &drop) == OK);
    store_maildrop_free(&drop);
    CHECK(pauses >= 2 && pauses < 100);
}

int main(void)
{
    static _Alignas(64) uint8_t blocks[16 * STORE_BLOCK_BYTES];
    void *heap = malloc(HEAP_BYTES);
    char finding[200];

    CHECK(store_module_init(heap, HEAP_BYTES, now_ms) == OK);
    make_store();
    fill();
    test_list();
    test_ahead();
    store_maildrop_memory(blocks, sizeof blocks);
    test_changes();
    test_pieces();
    test_usage();
    test_logins();
    test_pauses();
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    for (unsigned i = 0; i < 2; i++)
        store_close(readers[i]);
    store_close(writer);
    ram_medium_free(&medium);
    free(heap);
    return check_report();
}
