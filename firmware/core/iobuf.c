/* The pool of network buffers: a free list over two arrays, one of the small
 * descriptors, one of the DMA blocks. */
#include "core/iobuf.h"
#include "core/check.h"
#include "core/memory.h"

static struct {
    struct list free;
    size_t total;
    size_t available;
    size_t reserve; /* kept for receiving */
    uint64_t refusals;
} state;

enum err iobuf_pool_init(size_t count)
{
    struct iobuf *buffers;
    uint8_t *blocks;

    buffers = memory_take("iobuf", count * sizeof(*buffers), 64);
    blocks = memory_take("iobuf blocks", count * IOBUF_BYTES, 4096);
    if (buffers == NULL || blocks == NULL)
        return ERR_MEMORY;
    list_init(&state.free);
    for (size_t i = 0; i < count; i++) {
        buffers[i].block = blocks + i * IOBUF_BYTES;
        list_init(&buffers[i].link);
        list_append(&state.free, &buffers[i].link);
    }
    state.total = count;
    state.available = count;
    state.reserve = count / 8;
    state.refusals = 0;
    return OK;
}

static struct iobuf *take_from_pool(size_t keep, size_t headroom)
{
    struct iobuf *buffer;

    if (state.available <= keep) {
        state.refusals++;
        return NULL;
    }
    buffer = LIST_ELEMENT(list_take_first(&state.free), struct iobuf, link);
    state.available--;
    buffer->data = buffer->block + headroom;
    buffer->tail = buffer->data;
    buffer->references = 1;
    buffer->flags = 0;
    return buffer;
}

struct iobuf *iobuf_alloc(void)
{
    return take_from_pool(state.reserve, IOBUF_HEADROOM);
}

struct iobuf *iobuf_alloc_receive(void)
{
    return take_from_pool(0, 0);
}

struct iobuf *iobuf_take(struct iobuf *buffer)
{
    ASSERT(buffer->references > 0 && buffer->references < UINT16_MAX);
    buffer->references++;
    return buffer;
}

void iobuf_release(struct iobuf *buffer)
{
    ASSERT(buffer->references > 0);
    if (--buffer->references > 0)
        return;
    /* The block used last is the one most likely still in the cache. */
    list_insert(state.free.next, &buffer->link);
    state.available++;
}

void *iobuf_push(struct iobuf *buffer, size_t bytes)
{
    ASSERT(bytes <= iobuf_headroom(buffer));
    buffer->data -= bytes;
    return buffer->data;
}

void *iobuf_put(struct iobuf *buffer, size_t bytes)
{
    uint8_t *room = buffer->tail;

    ASSERT(bytes <= iobuf_tailroom(buffer));
    buffer->tail += bytes;
    return room;
}

void *iobuf_pull(struct iobuf *buffer, size_t bytes)
{
    ASSERT(bytes <= iobuf_length(buffer));
    buffer->data += bytes;
    return buffer->data;
}

size_t iobuf_total(void)
{
    return state.total;
}

size_t iobuf_free(void)
{
    return state.available;
}

uint64_t iobuf_refusals(void)
{
    return state.refusals;
}
