/* What a multiboot1 loader tells (Multiboot Specification 0.6.96, 3.3).
 *
 * Read through DIRECT while the provisional tables show the first 4 GiB there.
 * Everything is copied or turned into ranges at once; the loader's memory is
 * kept out of the free memory all the same, modules included. */
#include "boot/boot.h"
#include "core/bytes.h"

#define FLAG_MEMORY  0x001u
#define FLAG_COMMAND 0x004u
#define FLAG_MODULES 0x008u
#define FLAG_MAP     0x040u

#define INFORMATION_BYTES 116u
#define USABLE            1u
#define ENTRIES_MAX       512u
#define MODULES_MAX       64u

struct information {
    uint32_t flags, memory_lower_kb, memory_upper_kb, boot_device;
    uint32_t command_line, module_count, modules;
    uint32_t symbols[4];
    uint32_t map_bytes, map;
};

struct module {
    uint32_t start, end, text, reserved;
};

/* Calls memory_map_add or _remove for the map's entries. Entries carry their
 * own size, which does not count the size field itself. */
static void walk_map(const struct information *information,
                     struct memory_map *map, bool usable)
{
    const uint64_t end = (uint64_t)information->map + information->map_bytes;
    uint64_t at = information->map;

    for (unsigned i = 0; i < ENTRIES_MAX && at + 24 <= end; i++) {
        const uint8_t *entry = direct_pointer(at);
        const uint64_t start = get_le64(entry + 4);
        const uint64_t bytes = get_le64(entry + 12);
        const bool entry_usable = get_le32(entry + 20) == USABLE;

        if (usable && entry_usable)
            memory_map_add(map, start, bytes);
        if (!usable && !entry_usable)
            memory_map_remove(map, start, bytes);
        at += (uint64_t)get_le32(entry) + 4;
    }
}

static void keep_text(uint32_t text, struct memory_map *map)
{
    const char *from = direct_pointer(text);
    size_t length = 0;

    while (length < 4096 && from[length] != '\0')
        length++;
    memory_map_remove(map, text, length + 1);
}

static void copy_text(char *to, size_t bytes, uint32_t text)
{
    const char *from = direct_pointer(text);
    size_t i = 0;

    while (i + 1 < bytes && from[i] != '\0') {
        to[i] = from[i];
        i++;
    }
    to[i] = '\0';
}

static void keep_modules(const struct information *information,
                         struct memory_map *map)
{
    const struct module *module = direct_pointer(information->modules);
    const uint32_t count = information->module_count;

    memory_map_remove(map, information->modules,
                      (uint64_t)count * sizeof(*module));
    for (uint32_t i = 0; i < count && i < MODULES_MAX; i++) {
        if (module[i].end > module[i].start)
            memory_map_remove(map, module[i].start,
                              module[i].end - module[i].start);
        if (module[i].text != 0)
            keep_text(module[i].text, map);
    }
}

bool multiboot_read(uint32_t address, struct memory_map *map,
                    char *command_line, size_t command_line_bytes)
{
    const struct information *information = direct_pointer(address);

    if (information->flags & FLAG_MAP)
        walk_map(information, map, true);
    else if (information->flags & FLAG_MEMORY)
        memory_map_add(map, 0x100000,
                       (uint64_t)information->memory_upper_kb * 1024);
    else
        return false;

    if (information->flags & FLAG_MAP) {
        walk_map(information, map, false);
        memory_map_remove(map, information->map, information->map_bytes);
    }
    memory_map_remove(map, image_physical, (uint64_t)(image_end - image_start));
    memory_map_remove(map, address, INFORMATION_BYTES);
    if ((information->flags & FLAG_COMMAND) && information->command_line) {
        copy_text(command_line, command_line_bytes, information->command_line);
        keep_text(information->command_line, map);
    }
    if (information->flags & FLAG_MODULES)
        keep_modules(information, map);
    return map->count > 0;
}
