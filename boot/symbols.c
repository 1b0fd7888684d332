/* Names for addresses, out of the table that the second link puts into the
 * image (boot/symbols.awk): sorted by the low halves of addresses. */
#include "boot/boot.h"

struct symbol {
    uint32_t address; /* low half */
    uint32_t name;    /* offset in symbol_names */
};

extern const struct symbol symbol_table[];
extern const uint64_t symbol_count;
extern const char symbol_names[];

const char *symbol_find(uint64_t address, uint32_t *offset)
{
    const uint32_t low = (uint32_t)address;
    uint64_t first = 0, last = symbol_count;

    if (address < (uint64_t)(uintptr_t)image_start ||
        address >= (uint64_t)(uintptr_t)image_text_end || symbol_count == 0)
        return NULL;
    while (last - first > 1) {
        const uint64_t middle = first + (last - first) / 2;

        if (symbol_table[middle].address <= low)
            first = middle;
        else
            last = middle;
    }
    if (symbol_table[first].address > low)
        return NULL;
    *offset = low - symbol_table[first].address;
    return symbol_names + symbol_table[first].name;
}
