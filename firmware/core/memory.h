/* Memory taken once, at start, for pools and arenas; nothing is given back.
 * Zeroed, physically contiguous, reachable by DMA below 4 GiB. */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <stddef.h>

/* memory_take - `bytes` of zeroed memory for `owner` (named on the memory view
 * of the menu). alignment: a power of two, at most 4096.
 * Returns NULL when there is not so much left. */
void *memory_take(const char *owner, size_t bytes, size_t alignment);

/* memory_left - bytes that can still be taken. */
size_t memory_left(void);

/* memory_entry - the index-th owner, in the order of their first takings, for
 * the memory view. Returns its name, or NULL behind the last; *bytes is what it
 * has taken in all. */
const char *memory_entry(unsigned index, size_t *bytes);

#endif
