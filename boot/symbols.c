/* Names for addresses, out of the table that the second link puts into the
 * image (boot/symbols.awk): the low halves of addresses, sorted, and as many
 * names one behind the other. */
#include "boot/boot.h"
#include <string.h>

extern const uint32_t symbol_table[];
extern const uint64_t symbol_count;
extern const char symbol_names[];

static const char *name_of(uint64_t index)
{
    const char *name = symbol_names;

    while (index-- > 0)
        name += strlen(name) + 1;
    return name;
}

const char *symbol_find(uint64_t address, uint32_t *offset)
{
    const uint32_t low = (uint32_t)address;
    uint64_t first = 0, last = symbol_count;

    if (address < (uint64_t)(uintptr_t)image_start ||
        address >= (uint64_t)(uintptr_t)image_text_end || symbol_count == 0)
        return NULL;
    while (last - first > 1) {
        const uint64_t middle = first + (last - first) / 2;

        if (symbol_table[middle] <= low)
            first = middle;
        else
            last = middle;
    }
    if (symbol_table[first] > low)
        return NULL;
    *offset = low - symbol_table[first];
    return name_of(first);
}
