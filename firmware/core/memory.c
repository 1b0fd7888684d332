/* Memory taken at start: a ledger over what the machine hands out. */
#include "core/memory.h"
#include "core/check.h"
#include "core/log.h"
#include "core/machine.h"
#include <string.h>

#define MEMORY_ENTRIES 64

static struct {
    struct {
        const char *owner;
        size_t bytes;
    } entries[MEMORY_ENTRIES];
    unsigned count;
} state;

/* Adds to what the owner has taken already, or begins a new entry. */
static void note(const char *owner, size_t bytes)
{
    for (unsigned i = 0; i < state.count; i++) {
        if (strcmp(state.entries[i].owner, owner) == 0) {
            state.entries[i].bytes += bytes;
            return;
        }
    }
    if (state.count < MEMORY_ENTRIES) {
        state.entries[state.count].owner = owner;
        state.entries[state.count].bytes = bytes;
        state.count++;
    }
}

void *memory_take(const char *owner, size_t bytes, size_t alignment)
{
    void *memory;

    ASSERT(alignment != 0 && (alignment & (alignment - 1)) == 0);
    memory = machine_memory_take(bytes, alignment);
    if (memory == NULL) {
        log_err("memory", "none left owner=%s bytes=%zu left=%zu", owner, bytes,
                memory_left());
        return NULL;
    }
    note(owner, bytes);
    return memory;
}

size_t memory_left(void)
{
    return machine_memory_left();
}

const char *memory_entry(unsigned index, size_t *bytes)
{
    if (index >= state.count)
        return NULL;
    *bytes = state.entries[index].bytes;
    return state.entries[index].owner;
}
