/* Which memory is free: sorted, disjoint ranges of physical addresses.
 *
 * Filled in two passes: everything that is usable is added, then everything
 * that is not is removed, so that where a firmware's map contradicts itself
 * the word against use wins. Only 1 MiB .. 4 GiB is ever kept: below lies the
 * firmware's own, above is out of reach of 32-bit DMA. */
#ifndef DRIVERS_MEMORY_MAP_H
#define DRIVERS_MEMORY_MAP_H

#include <stddef.h>
#include <stdint.h>

#define MEMORY_PAGE_BYTES 4096u
#define MEMORY_RANGES     64

struct memory_range {
    uint64_t start, end; /* end is behind the last byte */
};

struct memory_map {
    struct memory_range range[MEMORY_RANGES];
    unsigned count;
};

/* memory_map_add - the range is usable: rounded inwards to pages, merged with
 * what it touches. When there is no room for one more range it stays out. */
void memory_map_add(struct memory_map *map, uint64_t start, uint64_t bytes);

/* memory_map_remove - the range is not usable: rounded outwards to pages. */
void memory_map_remove(struct memory_map *map, uint64_t start, uint64_t bytes);

/* memory_map_take - takes bytes from the lowest range that holds them.
 * alignment: a power of two. Returns the physical address, 0 when no range
 * holds them. */
uint64_t memory_map_take(struct memory_map *map, size_t bytes,
                         size_t alignment);

/* memory_map_take_page - takes one page from the upper end. */
uint64_t memory_map_take_page(struct memory_map *map);

/* memory_map_left - bytes in all ranges. */
uint64_t memory_map_left(const struct memory_map *map);

#endif
