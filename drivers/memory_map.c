/* Free physical memory as sorted, disjoint ranges. Data flow: the boot loader's
 * map -> add and remove -> take, which only ever shrinks a range. */
#include "drivers/memory_map.h"

#define LOWEST  0x100000ull
#define HIGHEST 0x100000000ull

static void delete_range(struct memory_map *map, unsigned index)
{
    map->count--;
    for (unsigned i = index; i < map->count; i++)
        map->range[i] = map->range[i + 1];
}

/* Returns 0 when the table is full. */
static int insert_range(struct memory_map *map, unsigned index, uint64_t start,
                        uint64_t end)
{
    if (map->count == MEMORY_RANGES)
        return 0;
    for (unsigned i = map->count; i > index; i--)
        map->range[i] = map->range[i - 1];
    map->range[index].start = start;
    map->range[index].end = end;
    map->count++;
    return 1;
}

void memory_map_add(struct memory_map *map, uint64_t start, uint64_t bytes)
{
    const uint64_t mask = MEMORY_PAGE_BYTES - 1;
    uint64_t end = start + bytes;
    unsigned at = 0;

    if (end < start || end > HIGHEST)
        end = HIGHEST;
    if (start >= HIGHEST)
        return;
    if (start < LOWEST)
        start = LOWEST;
    start = (start + mask) & ~mask;
    end &= ~mask;
    if (start >= end)
        return;
    while (at < map->count && map->range[at].end < start)
        at++;
    while (at < map->count && map->range[at].start <= end) {
        if (map->range[at].start < start)
            start = map->range[at].start;
        if (map->range[at].end > end)
            end = map->range[at].end;
        delete_range(map, at);
    }
    (void)insert_range(map, at, start, end);
}

/* Cuts [start, end) out of one range that overlaps it. Returns the index of the
 * range to look at next. */
static unsigned cut_range(struct memory_map *map, unsigned index,
                          uint64_t start, uint64_t end)
{
    struct memory_range *range = &map->range[index];
    const uint64_t range_end = range->end;

    if (range->start >= start && range_end <= end) {
        delete_range(map, index);
        return index;
    }
    if (range->start >= start) {
        range->start = end;
        return index + 1;
    }
    range->end = start;
    if (range_end <= end)
        return index + 1;
    /* In two pieces; when there is no room for the upper one it is lost. */
    return index + 1 + (unsigned)insert_range(map, index + 1, end, range_end);
}

void memory_map_remove(struct memory_map *map, uint64_t start, uint64_t bytes)
{
    const uint64_t mask = MEMORY_PAGE_BYTES - 1;
    uint64_t end = start + bytes;
    unsigned index = 0;

    if (bytes == 0 || start >= HIGHEST)
        return;
    if (end < start || end > HIGHEST)
        end = HIGHEST;
    start &= ~mask;
    end = (end + mask) & ~mask;
    while (index < map->count) {
        const struct memory_range *range = &map->range[index];

        if (range->end <= start || range->start >= end)
            index++;
        else
            index = cut_range(map, index, start, end);
    }
}

static uint64_t aligned_start(const struct memory_range *range,
                              size_t alignment)
{
    return (range->start + alignment - 1) & ~((uint64_t)alignment - 1);
}

/* From the smallest range that will do, so that large ones stay for what is
 * large: UEFI leaves memory in many pieces. */
uint64_t memory_map_take(struct memory_map *map, size_t bytes, size_t alignment)
{
    unsigned best = map->count;
    uint64_t start;

    if (bytes == 0 || bytes > HIGHEST || alignment == 0 || alignment > HIGHEST)
        return 0;
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_range *range = &map->range[i];

        start = aligned_start(range, alignment);
        if (start < range->end && range->end - start >= bytes &&
            (best == map->count ||
             range->end - range->start <
                 map->range[best].end - map->range[best].start))
            best = i;
    }
    if (best == map->count)
        return 0;
    start = aligned_start(&map->range[best], alignment);
    map->range[best].start = start + bytes;
    if (map->range[best].start == map->range[best].end)
        delete_range(map, best);
    return start;
}

uint64_t memory_map_take_page(struct memory_map *map)
{
    const uint64_t mask = MEMORY_PAGE_BYTES - 1;

    for (unsigned i = map->count; i-- > 0;) {
        struct memory_range *range = &map->range[i];
        const uint64_t page = (range->end & ~mask) - MEMORY_PAGE_BYTES;

        if (range->end < MEMORY_PAGE_BYTES || page < range->start)
            continue;
        range->end = page;
        if (range->start == range->end)
            delete_range(map, i);
        return page;
    }
    return 0;
}

uint64_t memory_map_left(const struct memory_map *map)
{
    uint64_t left = 0;

    for (unsigned i = 0; i < map->count; i++)
        left += map->range[i].end - map->range[i].start;
    return left;
}
