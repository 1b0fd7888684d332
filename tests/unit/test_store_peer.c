/* Peers: found, noted, and swept when they are old or too many. */
#include "check.h"
#include "core/random.h"
#include "mailstore/store_peer.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>

#define PLACE_BYTES (4u << 20)
#define START_MS    INT64_C(1700000000000)

static struct ram_medium medium;
static struct store *store;

static int64_t now_ms(void)
{
    return START_MS;
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

static bool known(unsigned number)
{
    char peer[40];
    int64_t last;

    snprintf(peer, sizeof peer, "10.0.%u.0/24 example.org", number);
    return store_peer_find(store, peer, &last) == OK;
}

static void note(unsigned number, int64_t when)
{
    char peer[40];

    snprintf(peer, sizeof peer, "10.0.%u.0/24 example.org", number);
    CHECK(store_peer_note(store, peer, when) == OK);
}

static void test_notes(void)
{
    int64_t last = 1;

    CHECK(store_peer_find(store, "192.0.2.0/24 a.example", &last) ==
          ERR_NOT_FOUND);
    CHECK(last == 0);
    CHECK(store_peer_note(store, "192.0.2.0/24 a.example", START_MS) == OK);
    CHECK(store_peer_note(store, "192.0.2.0/24 a.example", START_MS + 5) == OK);
    CHECK(store_peer_find(store, "192.0.2.0/24 a.example", &last) == OK);
    CHECK(last == START_MS + 5);
    CHECK(store_peer_find(store, "192.0.2.0/24 b.example", &last) ==
          ERR_NOT_FOUND);
}

/* Every newcomer may have the table swept, so bounds hold within a few. */
static void test_sweep(void)
{
    unsigned left = 0;

    CHECK(store_begin(store) == OK);
    for (unsigned i = 0; i < STORE_PEERS_MAX + 2000; i++)
        note(i, START_MS + i);
    CHECK(store_commit(store) == OK);
    for (unsigned i = 0; i < STORE_PEERS_MAX + 2000; i++)
        left += known(i);
    CHECK(left <= STORE_PEERS_MAX + 1000 && left >= STORE_PEERS_MAX - 100);
    CHECK(known(STORE_PEERS_MAX + 1999) && !known(0));
    CHECK(store_begin(store) == OK);
    for (unsigned i = 0; i < 2000; i++)
        note(100000 + i, START_MS + STORE_PEER_KEPT_MS + 100000);
    CHECK(store_commit(store) == OK);
    CHECK(!known(STORE_PEERS_MAX + 1999) && known(100000));
}

int main(void)
{
    random_module_init();
    make_store();
    test_notes();
    test_sweep();
    store_close(store);
    ram_medium_free(&medium);
    return check_report();
}
