/* Heaps of queries: see sql_heap.h.
 *
 *   | header | payload ... | header | payload ... | ... | end |
 *
 * Blocks lie behind one another, each with its size and that of the one before
 * it. Free ones stand in lists by the power of two below their size; no two
 * free ones are neighbours. A search ends after a few blocks of the list that
 * may fit: then the next list has one that does. */
#include "mailstore/sql_heap.h"
#include "core/list.h"
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

#define HEAP_BYTES_MIN (256 * 1024)
#define BINS           40
#define TRIES          8
#define USED           ((size_t)1)
/* Behind this there is no stack for another call into SQLite. */
#define STACK_RESERVE (24 * 1024)

struct block {
    size_t before; /* bytes of the block before, 0: the first */
    size_t size;   /* with the header; USED */
    struct list link;
};

#define HEADER_BYTES offsetof(struct block, link)
#define BLOCK_MIN    sizeof(struct block)

struct heap {
    uint8_t *memory;
    size_t bytes;
    size_t used, peak;
    uint64_t filled; /* bit i: bins[i] is not empty */
    struct list bins[BINS];
};

static struct {
    struct heap heaps[SQL_HEAPS];
    struct heap *current;
    uintptr_t stack; /* of current: memory is given above this */
    sqlite3_mem_methods mail;
} state;

static size_t size_of(const struct block *block)
{
    return block->size & ~USED;
}

static struct block *next_of(struct block *block)
{
    return (struct block *)(void *)((uint8_t *)block + size_of(block));
}

static struct block *before_of(struct block *block)
{
    return (struct block *)(void *)((uint8_t *)block - block->before);
}

static struct block *block_of(void *payload)
{
    return (struct block *)(void *)((uint8_t *)payload - HEADER_BYTES);
}

static unsigned bin_of(size_t size)
{
    return 63u - (unsigned)__builtin_clzl(size);
}

static void put_free(struct heap *heap, struct block *block, size_t size)
{
    unsigned bin = bin_of(size);

    block->size = size;
    next_of(block)->before = size;
    list_init(&block->link);
    list_append(&heap->bins[bin], &block->link);
    heap->filled |= (uint64_t)1 << bin;
}

static void take_free(struct heap *heap, struct block *block)
{
    unsigned bin = bin_of(block->size);

    list_remove(&block->link);
    if (list_empty(&heap->bins[bin]))
        heap->filled &= ~((uint64_t)1 << bin);
}

static struct block *search(struct heap *heap, size_t size)
{
    unsigned bin = bin_of(size), tries = TRIES;
    uint64_t above = heap->filled & ~(((uint64_t)2 << bin) - 1);

    for (struct list *node = heap->bins[bin].next;
         node != &heap->bins[bin] && tries > 0; node = node->next, tries--) {
        struct block *block = LIST_ELEMENT(node, struct block, link);

        if (block->size >= size)
            return block;
    }
    if (above == 0)
        return NULL;
    return LIST_ELEMENT(heap->bins[__builtin_ctzl(above)].next, struct block,
                        link);
}

static void *take(struct heap *heap, size_t bytes)
{
    size_t size = (bytes + HEADER_BYTES + 15) & ~(size_t)15;
    struct block *block;
    size_t rest;

    if (size < BLOCK_MIN)
        size = BLOCK_MIN;
    block = search(heap, size);
    if (block == NULL)
        return NULL;
    take_free(heap, block);
    rest = block->size - size;
    if (rest >= BLOCK_MIN) {
        block->size = size;
        next_of(block)->before = size;
        put_free(heap, next_of(block), rest);
    }
    heap->used += block->size;
    if (heap->used > heap->peak)
        heap->peak = heap->used;
    block->size |= USED;
    return (uint8_t *)block + HEADER_BYTES;
}

static void give(struct heap *heap, struct block *block)
{
    size_t size = size_of(block);
    struct block *next = next_of(block);

    heap->used -= size;
    if (!(next->size & USED)) {
        take_free(heap, next);
        size += next->size;
    }
    if (block->before != 0 && !(before_of(block)->size & USED)) {
        block = before_of(block);
        take_free(heap, block);
        size += block->size;
    }
    put_free(heap, block, size);
}

static struct heap *heap_of(const void *memory)
{
    uintptr_t at = (uintptr_t)memory;

    for (int i = 0; i < SQL_HEAPS; i++) {
        struct heap *heap = &state.heaps[i];

        if (at - (uintptr_t)heap->memory < heap->bytes)
            return heap;
    }
    return NULL;
}

/* ---- As SQLite's allocator (sqlite.org/c3ref/mem_methods.html) ---------- */

static void *heap_malloc(int bytes)
{
    if (state.current == NULL)
        return state.mail.xMalloc(bytes);
    if ((uintptr_t)__builtin_frame_address(0) < state.stack)
        return NULL;
    return take(state.current, (size_t)bytes);
}

static void heap_free(void *memory)
{
    struct heap *heap = heap_of(memory);

    if (heap != NULL)
        give(heap, block_of(memory));
    else
        state.mail.xFree(memory);
}

static int heap_size(void *memory)
{
    if (heap_of(memory) == NULL)
        return state.mail.xSize(memory);
    return (int)(size_of(block_of(memory)) - HEADER_BYTES);
}

static void *heap_realloc(void *memory, int bytes)
{
    struct heap *heap = heap_of(memory);
    size_t have;
    void *other;

    if (heap == NULL)
        return state.mail.xRealloc(memory, bytes);
    have = (size_t)heap_size(memory);
    if ((size_t)bytes <= have)
        return memory;
    other = take(heap, (size_t)bytes);
    if (other == NULL)
        return NULL;
    memcpy(other, memory, have);
    give(heap, block_of(memory));
    return other;
}

static int heap_roundup(int bytes)
{
    if (state.current == NULL)
        return state.mail.xRoundup(bytes);
    return (bytes + 15) & ~15;
}

static int heap_start(void *data)
{
    return state.mail.xInit(data);
}

static void heap_end(void *data)
{
    state.mail.xShutdown(data);
}

/* ---- For the rest of the store ------------------------------------------ */

enum err sql_heap_init(int index, void *memory, size_t bytes)
{
    struct heap *heap = &state.heaps[index];
    struct block *first, *end;

    if (memory == NULL || bytes < HEAP_BYTES_MIN)
        return ERR_MEMORY;
    memset(heap, 0, sizeof *heap);
    heap->memory = memory;
    heap->bytes = bytes & ~(size_t)15;
    for (unsigned i = 0; i < BINS; i++)
        list_init(&heap->bins[i]);
    first = memory;
    first->before = 0;
    first->size = heap->bytes - HEADER_BYTES;
    end = next_of(first);
    end->size = USED;
    put_free(heap, first, first->size);
    return OK;
}

void sql_heap_use(int index, const void *stack)
{
    state.current = index == SQL_NONE ? NULL : &state.heaps[index];
    state.stack = stack == NULL ? 0 : (uintptr_t)stack + STACK_RESERVE;
}

int sql_heap_current(void)
{
    return state.current == NULL ? SQL_NONE
                                 : (int)(state.current - state.heaps);
}

bool sql_heap_holds(const void *memory)
{
    return heap_of(memory) != NULL;
}

size_t sql_heap_bytes(void)
{
    return state.current == NULL ? 0 : state.current->bytes;
}

size_t sql_heap_peak(int index)
{
    return state.heaps[index].peak;
}

enum err sql_heap_install(void)
{
    static const sqlite3_mem_methods methods = {
        .xMalloc = heap_malloc,
        .xFree = heap_free,
        .xRealloc = heap_realloc,
        .xSize = heap_size,
        .xRoundup = heap_roundup,
        .xInit = heap_start,
        .xShutdown = heap_end,
    };

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &state.mail) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
        return ERR_INVALID;
    return OK;
}
