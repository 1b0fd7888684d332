/* See volume.h. A volume lives as long as a connection to it is open; what is
 * known of the medium is read anew for the first one. */
#include "mailstore/volume.h"
#include "mailstore/ahead.h"
#include "mailstore/sql_heap.h"
#include "mailstore/vfs.h"
#include "core/bytes.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define WAL_HEADER_BYTES 32
#define WAL_FRAME_BYTES  (24 + VOLUME_PAGE_BYTES)
/* Of the memory, for reading ahead. */
#define AHEAD_PART  8
#define VOLUMES_ALL (VOLUMES + VOLUMES_DATA)

static struct {
    struct volume volumes[VOLUMES_ALL]; /* those of stores first */
    uint8_t *heap;
    size_t heap_bytes;
} state;

int volume_module_init(void *memory, size_t bytes,
                       int64_t (*wall_clock_ms)(void))
{
    uint8_t *at = memory;
    size_t windows = VOLUMES * (VOLUME_WAL_WINDOW + VOLUME_DATABASE_WINDOW) +
                     VOLUMES_DATA * (size_t)(2 * VOLUME_DATA_WINDOW);
    size_t ahead = bytes / AHEAD_PART;

    if (bytes < windows + ahead)
        return ERR_MEMORY;
    for (unsigned i = 0; i < VOLUMES_ALL; i++) {
        struct volume *volume = &state.volumes[i];
        bool data = i >= VOLUMES;

        memset(volume, 0, sizeof *volume);
        volume->wal.buffer = at;
        volume->wal.capacity = data ? VOLUME_DATA_WINDOW : VOLUME_WAL_WINDOW;
        volume->database.buffer = at + volume->wal.capacity;
        volume->database.capacity =
            data ? VOLUME_DATA_WINDOW : VOLUME_DATABASE_WINDOW;
        snprintf(volume->name, sizeof volume->name, "%u/%s.db", i,
                 data ? "data" : "mail");
        at += volume->wal.capacity + volume->database.capacity;
    }
    vfs_set_clock(wall_clock_ms);
    return (int)(windows + ahead_module_init(at, ahead));
}

void volume_set_heap(void *heap, size_t bytes)
{
    state.heap = heap;
    state.heap_bytes = bytes;
}

bool volume_in_heap(const void *memory)
{
    uintptr_t at = (uintptr_t)memory;

    return (at >= (uintptr_t)state.heap &&
            at < (uintptr_t)state.heap + state.heap_bytes) ||
           sql_heap_holds(memory);
}

struct volume *volume_by_name(const char *name)
{
    for (unsigned i = 0; i < VOLUMES_ALL; i++) {
        struct volume *volume = &state.volumes[i];
        size_t len = strlen(volume->name);

        if (volume->connections && strncmp(name, volume->name, len) == 0)
            return volume;
    }
    return NULL;
}

static void attach_window(struct window *window, struct volume *volume,
                          uint64_t sector, uint64_t bytes)
{
    window->media = volume->place.media;
    window->sector = sector;
    window->bytes = bytes & ~(uint64_t)(BLOCK_BYTES - 1);
    window->high = window->bytes;
    window->unflushed = &volume->unflushed;
    window_forget(window);
    ahead_forget(window, 0, SIZE_MAX);
}

static bool is_wal_head(const uint8_t *block)
{
    /* sqlite.org/walformat.html section 2.1: either byte order of checksums. */
    return (get_be32(block) & ~1u) == 0x377f0682;
}

/* What SQLite will see: sizes by content, not by directory entry. */
static enum err look(struct volume *volume)
{
    uint8_t *block = sqlite3_malloc(BLOCK_BYTES);
    uint32_t page_bytes;
    enum err err;

    if (!block)
        return ERR_MEMORY;
    err = window_read(&volume->database, 0, block, BLOCK_BYTES, true);
    if (!err && memcmp(block, "SQLite format 3", 16) == 0) {
        page_bytes = get_be16(block + 16);
        if (page_bytes == 1)
            page_bytes = 65536;
        volume->database_bytes = (uint64_t)page_bytes * get_be32(block + 28);
        if (volume->database_bytes > volume->database.bytes)
            volume->database_bytes = volume->database.bytes;
    }
    if (!err)
        err = window_read(&volume->wal, 0, block, BLOCK_BYTES, true);
    if (!err) {
        volume->wal_live = get_be32(block) != 0;
        volume->empty = volume->database_bytes == 0 && !is_wal_head(block);
    }
    /* A damaged head must not look like an empty database: SQLite would delete
     * its WAL, and with it what can still be rescued. */
    if (!err && !volume->empty && volume->database_bytes == 0)
        volume->database_bytes = volume->database.bytes;
    sqlite3_free(block);
    return err;
}

static enum err volume_start(struct volume *volume,
                             const struct store_place *place)
{
    enum err err;

    volume->place = *place;
    attach_window(&volume->database, volume, place->database_sector,
                  place->database_bytes);
    attach_window(&volume->wal, volume, place->wal_sector, place->wal_bytes);
    volume->unflushed = true;
    volume->flushes = 0;
    volume->error = OK;
    volume->database_bytes = 0;
    volume->wal_live = false;
    volume->wal_measured = false;
    volume->shared = 0;
    volume->reserved = false;
    volume->pending = false;
    memset(volume->shm_shared, 0, sizeof volume->shm_shared);
    memset(volume->shm_exclusive, 0, sizeof volume->shm_exclusive);
    volume->connections = 1;
    err = look(volume);
    if (err)
        volume->connections = 0;
    return err;
}

enum err volume_take(const struct store_place *place, struct volume **volume)
{
    struct volume *unused = NULL;

    for (unsigned i = 0; i < VOLUMES_ALL; i++) {
        struct volume *each = &state.volumes[i];

        if (!each->connections) {
            if (place->data == (i >= VOLUMES))
                unused = each;
        } else if (each->place.media == place->media &&
                   each->place.database_sector == place->database_sector) {
            each->connections++;
            *volume = each;
            return OK;
        }
    }
    *volume = unused;
    return unused ? volume_start(unused, place) : ERR_MEMORY;
}

void volume_drop_shm(struct volume *volume)
{
    for (unsigned i = 0; i < VOLUME_SHM_REGIONS; i++) {
        sqlite3_free(volume->shm[i]);
        volume->shm[i] = NULL;
    }
}

void volume_give_back(struct volume *volume)
{
    if (--volume->connections == 0)
        volume_drop_shm(volume);
}

enum err volume_sync(struct volume *volume)
{
    struct media *media = volume->place.media;
    enum err err;

    /* One that is on its way may have begun before this write, and may fail. */
    if (!volume->unflushed && volume->flushes == 0)
        return OK;
    volume->unflushed = false;
    volume->flushes++;
    err = media->flush(media);
    volume->flushes--;
    if (err)
        volume->unflushed = true;
    return err;
}

/* Never written: not const, so that it takes no room in the program. */
static uint8_t zeros[BLOCK_BYTES];

enum err volume_end_wal(struct volume *volume)
{
    enum err err;

    window_forget(&volume->wal);
    err = window_write(&volume->wal, 0, zeros, sizeof zeros);
    if (!err)
        err = window_write_out(&volume->wal);
    window_forget(&volume->wal);
    volume->wal.high = 0;
    volume->wal_measured = true;
    volume->wal_live = false;
    return err;
}

enum err volume_erase(struct volume *volume)
{
    enum err err = volume_end_wal(volume);

    if (!err)
        err = window_write(&volume->database, 0, zeros, sizeof zeros);
    if (!err)
        err = window_write_out(&volume->database);
    window_forget(&volume->database);
    volume->database_bytes = 0;
    volume->empty = false;
    return err ? err : volume_sync(volume);
}

/* The wal-index as in sqlite.org/walformat.html section 2: mxFrame at 16,
 * nBackfill at 96, in the byte order of the machine. */
uint32_t volume_wal_frames(const struct volume *volume, uint32_t *moved)
{
    const uint8_t *index = volume->shm[0];
    uint32_t frames = 0;

    *moved = 0;
    if (!index || !index[12] || !volume->wal_live)
        return 0;
    memcpy(&frames, index + 16, sizeof frames);
    memcpy(moved, index + 96, sizeof *moved);
    return frames;
}

void volume_measure_wal(struct volume *volume)
{
    uint32_t moved;

    if (volume->wal_measured)
        return;
    volume->wal.high =
        WAL_HEADER_BYTES +
        (uint64_t)volume_wal_frames(volume, &moved) * WAL_FRAME_BYTES;
    if (volume->wal.high > volume->wal.bytes)
        volume->wal.high = volume->wal.bytes;
    volume->wal_measured = true;
}

uint32_t volume_wal_capacity(const struct volume *volume)
{
    return (uint32_t)((volume->wal.bytes - WAL_HEADER_BYTES) / WAL_FRAME_BYTES);
}
