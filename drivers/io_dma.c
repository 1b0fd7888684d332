/* DMA memory for rings and tables. */
#include "core/machine.h"
#include "core/memory.h"
#include "drivers/io.h"

#define OWNED_ALIGNMENT_MAX 4096u

void *io_dma_take(size_t bytes, size_t alignment, size_t boundary)
{
    size_t needed = 1;

    if (bytes == 0 || bytes > 1u << 30)
        return NULL;
    if (alignment == 0)
        alignment = 1;
    /* Aligned to the next power of two, it crosses no multiple of any larger
     * power. */
    while (boundary != 0 && needed < bytes)
        needed *= 2;
    if (boundary != 0 && needed > boundary)
        return NULL;
    if (needed > alignment)
        alignment = needed;
    if (alignment <= OWNED_ALIGNMENT_MAX)
        return memory_take("dma", bytes, alignment);
    return machine_memory_take(bytes, alignment);
}
