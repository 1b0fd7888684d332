/* The store's files on a stick with sectors that cannot be read. */
#include "mailbox_frame.h"
#include "mailstore/ahead.h"

static struct {
    enum err (*read)(struct media *media, uint64_t sector, uint32_t count,
                     void *buffer);
    uint64_t bad; /* sector */
    unsigned asked;
} faulty;

static enum err faulty_read(struct media *media, uint64_t sector,
                            uint32_t count, void *buffer)
{
    if (faulty.bad >= sector && faulty.bad < sector + count) {
        faulty.asked++;
        return ERR_IO;
    }
    return faulty.read(media, sector, count, buffer);
}

/* After a power cut, with a bad sector in the WAL behind all that counts. */
static void test_recovery(void)
{
    struct store *store = frame_open();
    uint32_t moved, frames;
    uint8_t *content;
    char byte;
    int64_t id;

    CHECK(store_checkpoint(store) == OK);
    id = deliver(store, "Subject: x\r\n\r\nkept\r\n", anna);
    frames = volume_wal_frames(store->volume, &moved);
    CHECK(frames > moved);
    content = malloc(medium.media.sectors * MEDIA_SECTOR_BYTES);
    memcpy(content, medium.content, medium.media.sectors * MEDIA_SECTOR_BYTES);
    store_close(store);
    memcpy(medium.content, content, medium.media.sectors * MEDIA_SECTOR_BYTES);
    free(content);
    faulty.read = medium.media.read;
    faulty.bad = place.wal_sector + (frames + 3) * 9;
    medium.media.read = faulty_read;
    CHECK(store_open(&place, true, &store) == OK);
    CHECK(faulty.asked > 0);
    CHECK(store && store_message_read(store, id, 0, &byte, 1) == 1);
    medium.media.read = faulty.read;
    if (store)
        frame_close(store);
    else
        ram_medium_free(&medium);
}

/* What was undone while the stick did not answer is not taken for done: the
 * next message's number is covered, too. */
static void test_undone(void)
{
    struct store *store = frame_open();

    store_close(store);
    CHECK(store_open(&place, true, &store) == OK);
    CHECK(store_begin(store) == OK);
    (void)deliver(store, "Subject: x\r\n\r\n", anna);
    ahead_forget(&store->volume->database, 0, SIZE_MAX);
    medium.fail = ERR_IO;
    store_rollback(store);
    medium.fail = OK;
    (void)deliver(store, "Subject: y\r\n\r\n", anna);
    frame_close(store);
}

int main(void)
{
    void *heap = frame_heap();

    test_recovery();
    test_undone();
    free(heap);
    return check_report();
}
