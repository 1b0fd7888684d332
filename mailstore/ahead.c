/* Reading ahead: see ahead.h. */
#include "mailstore/ahead.h"
#include <string.h>

#define AHEAD_BYTES (32 * 1024)
#define SLOTS_MAX   64
/* Ends of reads that are remembered, and how far before or behind one of them a
 * read may begin to be of the same stream: the frames of the WAL are no whole
 * sectors, so that reads of two of them overlap. */
#define ENDS   64
#define BEFORE (BLOCK_BYTES - 1)
#define BEHIND MEDIA_SECTOR_BYTES

struct slot {
    const struct window *window; /* NULL: empty */
    uint64_t start;
    size_t len;
    uint64_t used; /* state.clock when it was read from last */
    bool filling;
    uint8_t *buffer;
};

struct end {
    const struct window *window;
    uint64_t offset;
};

/* In starts[], for a slot that holds nothing: behind every file's end. */
#define NOWHERE ((uint64_t)1 << 62)

static struct {
    struct slot slots[SLOTS_MAX];
    uint64_t starts[SLOTS_MAX]; /* of them, for a quick look */
    unsigned slot_count;
    unsigned full; /* slots that hold or will hold something */
    struct end ends[ENDS];
    unsigned next_end;
    uint64_t clock;
} state;

size_t ahead_module_init(void *memory, size_t bytes)
{
    memset(&state, 0, sizeof state);
    while (state.slot_count < SLOTS_MAX &&
           (state.slot_count + 1) * (size_t)AHEAD_BYTES <= bytes) {
        state.slots[state.slot_count].buffer =
            (uint8_t *)memory + state.slot_count * (size_t)AHEAD_BYTES;
        state.starts[state.slot_count] = NOWHERE;
        state.slot_count++;
    }
    return state.slot_count * (size_t)AHEAD_BYTES;
}

static bool covers(const struct slot *slot, const struct window *window,
                   uint64_t offset, size_t bytes)
{
    return slot->window == window && offset >= slot->start &&
           offset + bytes <= slot->start + slot->len;
}

/* Every page of a message is looked for here. */
static struct slot *find(const struct window *window, uint64_t offset,
                         size_t bytes)
{
    const uint64_t *start = state.starts;
    const uint64_t *end = start + state.slot_count;

    for (; start < end; start++) {
        struct slot *slot;

        if (offset - *start >= AHEAD_BYTES)
            continue;
        slot = &state.slots[start - state.starts];
        if (covers(slot, window, offset, bytes))
            return slot;
    }
    return NULL;
}

static void drop(struct slot *slot)
{
    if (slot->window)
        state.full--;
    slot->window = NULL;
    state.starts[slot - state.slots] = NOWHERE;
}

void ahead_forget(const struct window *window, uint64_t offset, size_t bytes)
{
    for (unsigned i = 0; state.full && i < state.slot_count; i++) {
        struct slot *slot = &state.slots[i];

        if (slot->window == window && offset < slot->start + slot->len &&
            offset + bytes > slot->start)
            drop(slot);
    }
}

/* ---- Streams ------------------------------------------------------------ */

/* Whether a read goes on where one ended; that end is then forgotten. */
static bool goes_on(const struct window *window, uint64_t offset)
{
    for (unsigned i = 0; i < ENDS; i++) {
        struct end *end = &state.ends[i];

        if (end->window == window && offset + BEFORE >= end->offset &&
            offset <= end->offset + BEHIND) {
            end->window = NULL;
            return true;
        }
    }
    return false;
}

static void remember_end(const struct window *window, uint64_t offset)
{
    state.ends[state.next_end] = (struct end){window, offset};
    state.next_end = (state.next_end + 1) % ENDS;
}

/* The slot that was not used for longest; NULL when all are being filled. */
static struct slot *take_slot(void)
{
    struct slot *oldest = NULL;

    for (unsigned i = 0; i < state.slot_count; i++) {
        struct slot *slot = &state.slots[i];

        if (slot->filling)
            continue;
        if (!slot->window)
            return slot;
        if (!oldest || slot->used < oldest->used)
            oldest = slot;
    }
    return oldest;
}

static enum err read_medium(struct window *window, uint64_t offset,
                            uint8_t *buffer, size_t bytes)
{
    struct media *media = window->media;

    return media->read(media, window->sector + offset / MEDIA_SECTOR_BYTES,
                       (uint32_t)(bytes / MEDIA_SECTOR_BYTES), buffer);
}

/* Fetches a slot's worth from offset on and takes the asked bytes from it.
 * Returns false when that did not work: nothing was read then. */
static bool fetch(struct window *window, uint64_t offset, uint8_t *buffer,
                  size_t bytes)
{
    struct slot *slot = take_slot();
    size_t len = AHEAD_BYTES;
    enum err err;

    if (len > window->bytes - offset)
        len = (size_t)(window->bytes - offset);
    if (!slot || len < bytes)
        return false;
    drop(slot);
    slot->window = window;
    slot->start = offset;
    slot->len = len;
    slot->filling = true;
    slot->used = ++state.clock;
    state.full++;
    err = read_medium(window, offset, slot->buffer, len);
    slot->filling = false;
    if (err) {
        drop(slot);
        return false;
    }
    if (slot->window)
        state.starts[slot - state.slots] = offset;
    memcpy(buffer, slot->buffer, bytes);
    remember_end(window, offset + len);
    return true;
}

enum err ahead_read(struct window *window, uint64_t offset, uint8_t *buffer,
                    size_t bytes)
{
    struct slot *slot = find(window, offset, bytes);
    enum err err;

    if (slot) {
        slot->used = ++state.clock;
        memcpy(buffer, slot->buffer + (offset - slot->start), bytes);
        return OK;
    }
    if (goes_on(window, offset) && fetch(window, offset, buffer, bytes))
        return OK;
    err = read_medium(window, offset, buffer, bytes);
    if (!err)
        remember_end(window, offset + bytes);
    return err;
}
