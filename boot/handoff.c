/* What the UEFI loader tells: memory map, command line, display, ACPI. Read
 * through DIRECT while the provisional tables show the first 4 GiB there. */
#include "boot/handoff.h"
#include "boot/boot.h"
#include "drivers/acpi.h"
#include "drivers/console/framebuffer.h"

/* Types of memory that is free once boot services have ended. */
#define BOOT_SERVICES_CODE 3u
#define BOOT_SERVICES_DATA 4u
#define CONVENTIONAL       7u
#define ROWS_MAX           4096u

static bool usable(uint32_t type)
{
    return type == BOOT_SERVICES_CODE || type == BOOT_SERVICES_DATA ||
           type == CONVENTIONAL;
}

static void walk_map(const struct handoff *handoff, struct memory_map *map,
                     bool add)
{
    for (uint64_t i = 0;
         i < ROWS_MAX && (i + 1) * handoff->map_row_bytes <= handoff->map_bytes;
         i++) {
        const struct handoff_memory *row =
            direct_pointer(handoff->map + i * handoff->map_row_bytes);

        if (row->pages > UINT64_MAX / MEMORY_PAGE_BYTES)
            continue;
        if (add && usable(row->type))
            memory_map_add(map, row->physical, row->pages * MEMORY_PAGE_BYTES);
        if (!add && !usable(row->type))
            memory_map_remove(map, row->physical,
                              row->pages * MEMORY_PAGE_BYTES);
    }
}

static void offer_display(const struct handoff *handoff)
{
    const struct framebuffer framebuffer = {
        .physical = handoff->framebuffer,
        .width = handoff->width,
        .height = handoff->height,
        .stride = handoff->stride,
        .red_shift = handoff->red_shift,
        .green_shift = handoff->green_shift,
        .blue_shift = handoff->blue_shift,
    };

    framebuffer_offer(&framebuffer);
}

bool handoff_read(uint32_t address, struct memory_map *map, char *command_line,
                  size_t command_line_bytes)
{
    const struct handoff *handoff = direct_pointer(address);
    size_t i = 0;

    if (handoff->map_row_bytes < sizeof(struct handoff_memory))
        return false;
    walk_map(handoff, map, true);
    walk_map(handoff, map, false);
    memory_map_remove(map, image_physical, (uint64_t)(image_end - image_start));
    while (i + 1 < command_line_bytes && i < sizeof(handoff->command_line) &&
           handoff->command_line[i] != '\0') {
        command_line[i] = handoff->command_line[i];
        i++;
    }
    command_line[i] = '\0';
    offer_display(handoff);
    acpi_offer(handoff->rsdp);
    return map->count > 0;
}
