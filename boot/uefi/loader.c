/* EFI/BOOT/BOOTX64.EFI: brings the AO, which lies on the same stick, into
 * memory, tells it what UEFI knows of the PC, and leaves UEFI behind.
 *
 *   firmware -> efi_main -> menu -> file ao or ao.old -> image to its place
 *            -> ExitBootServices -> start64 of boot/entry.asm, with struct
 *               handoff
 *
 * When the file is damaged the other version is tried.
 *
 * Position-independent and without relocations: no data holds a pointer. After
 * ExitBootServices nothing of UEFI is used, its runtime services neither.
 * Not supported: Secure Boot signing; firmware that keeps the memory of loaded
 * code from being executed; 5-level page tables. */
#include "boot/handoff.h"
#include "boot/uefi/efi.h"
#include "boot/uefi/menu.h"
#include "boot/uefi/program.h"
#include <string.h>

#define PAGE          4096u
#define ADDRESS_MAX   0xffffffffull
#define MAP_SLACK     16384u /* the map grows while memory is taken for it */
#define EXIT_ATTEMPTS 8
#define ROOM_BYTES    (16ull * 1024 * 1024) /* for the image */

efi_status EFIAPI efi_main(void *image, struct efi_system_table *system);

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE;
}

static void say(struct efi_system_table *system, const char16_t *text)
{
    (void)system->output->output_string(system->output, u"\r\nBarepost: ");
    (void)system->output->output_string(system->output, text);
    (void)system->output->output_string(system->output, u"\r\n");
}

static efi_status fail(struct efi_system_table *system, const char16_t *text,
                       efi_status status)
{
    say(system, text);
    return status;
}

static bool same_guid(const struct efi_guid *a, const struct efi_guid *b)
{
    bool same = a->a == b->a && a->b == b->b && a->c == b->c;

    for (unsigned i = 0; i < sizeof(a->d); i++)
        same = same && a->d[i] == b->d[i];
    return same;
}

/* The root pointer of ACPI 2, else of ACPI 1, else 0. */
static uint64_t find_rsdp(const struct efi_system_table *system)
{
    const struct efi_guid second = EFI_GUID_ACPI_2, first = EFI_GUID_ACPI_1;
    uint64_t old = 0;

    for (uint64_t i = 0; i < system->table_count; i++) {
        const struct efi_configuration_table *entry = &system->tables[i];

        if (same_guid(&entry->guid, &second))
            return (uint64_t)(uintptr_t)entry->table;
        if (same_guid(&entry->guid, &first))
            old = (uint64_t)(uintptr_t)entry->table;
    }
    return old;
}

/* How far a component's 8 bits lie up in a pixel; 32: they are no 8 bits. */
static uint8_t shift_of(uint32_t mask)
{
    for (unsigned shift = 0; shift <= 24; shift++) {
        if (mask == 0xffu << shift)
            return (uint8_t)shift;
    }
    return 32;
}

static void find_display(struct efi_boot_services *services,
                         struct handoff *handoff)
{
    const struct efi_guid guid = EFI_GUID_GRAPHICS;
    const struct efi_graphics_information *information;
    struct efi_graphics *graphics = NULL;

    if (services->locate_protocol(&guid, NULL, (void **)&graphics) != 0 ||
        graphics == NULL || graphics->mode == NULL)
        return;
    information = graphics->mode->information;
    if (information->format >= EFI_PIXEL_BLT_ONLY)
        return;
    handoff->framebuffer = graphics->mode->framebuffer;
    handoff->width = information->width;
    handoff->height = information->height;
    handoff->stride = information->stride;
    handoff->green_shift = 8;
    handoff->red_shift = information->format == EFI_PIXEL_BGR ? 16 : 0;
    handoff->blue_shift = information->format == EFI_PIXEL_BGR ? 0 : 16;
    if (information->format == EFI_PIXEL_MASKS) {
        handoff->red_shift = shift_of(information->red_mask);
        handoff->green_shift = shift_of(information->green_mask);
        handoff->blue_shift = shift_of(information->blue_mask);
    }
}

/* What the AO keeps for as long as it runs, taken before all other memory: so
 * it lies at the upper end, and what the AO gets for itself is in one piece.
 *
 *   given back | image | struct handoff | memory map */
struct room {
    uint64_t start, map_bytes; /* start 0: there is none */
};

static struct handoff *handoff_in(const struct room *room)
{
    return (void *)(uintptr_t)(room->start + ROOM_BYTES - room->map_bytes -
                               PAGE);
}

static void take_room(struct efi_boot_services *services, struct room *room)
{
    uint64_t bytes = 0, key, row_bytes = 0, at = ADDRESS_MAX;
    uint32_t version;

    room->start = 0;
    if (services->get_memory_map(&bytes, NULL, &key, &row_bytes, &version) !=
            EFI_BUFFER_TOO_SMALL ||
        bytes > ROOM_BYTES / 4)
        return;
    room->map_bytes = pages_of(bytes + MAP_SLACK) * PAGE;
    if (services->allocate_pages(EFI_ALLOCATE_MAX_ADDRESS, EFI_LOADER_CODE,
                                 pages_of(ROOM_BYTES), &at) != 0)
        return;
    room->start = at;
    memset(handoff_in(room), 0, PAGE);
}

/* Copies the image as high as it goes; 0: it does not fit. */
static uint64_t place_image(struct efi_boot_services *services,
                            const struct room *room,
                            const struct program *program)
{
    const struct program_image *image = &program->image;
    const uint64_t end = (uint64_t)(uintptr_t)handoff_in(room);
    uint64_t at;

    if (image->image_bytes > ROOM_BYTES / 2)
        return 0;
    at = end - image->image_bytes - HANDOFF_OFFSET;
    at = (at & ~(uint64_t)(HANDOFF_ALIGNMENT - 1)) + HANDOFF_OFFSET;
    memcpy((void *)(uintptr_t)at, program->bytes + image->offset,
           image->file_bytes);
    memset((void *)(uintptr_t)(at + image->file_bytes), 0,
           image->image_bytes - image->file_bytes);
    (void)services->free_pages(room->start, (at - room->start) / PAGE);
    return at;
}

/* The map must be the newest one: whatever the firmware does on its own between
 * the two calls makes the second fail, and both are tried again. */
static efi_status leave_uefi(struct efi_boot_services *services, void *image,
                             struct handoff *handoff, uint64_t map_bytes)
{
    efi_status status = EFI_BUFFER_TOO_SMALL;

    handoff->map = (uint64_t)(uintptr_t)handoff + PAGE;
    for (int i = 0; i < EXIT_ATTEMPTS; i++) {
        uint64_t key;
        uint32_t version;

        handoff->map_bytes = map_bytes;
        status = services->get_memory_map(&handoff->map_bytes,
                                          (void *)(uintptr_t)handoff->map, &key,
                                          &handoff->map_row_bytes, &version);
        if (status != 0)
            return status;
        status = services->exit_boot_services(image, key);
        if (status == 0)
            break;
    }
    return status;
}

/* The one that was chosen, or else the other one. */
static bool load(struct efi_system_table *system, void *loader, bool previous,
                 struct program *program)
{
    const char16_t *why = program_load(system, loader, previous, program);

    if (why == NULL)
        return true;
    say(system, why);
    say(system, previous ? u"Trying the newest version."
                         : u"Trying the previous version.");
    why = program_load(system, loader, !previous, program);
    if (why != NULL)
        say(system, why);
    return why == NULL;
}

efi_status EFIAPI efi_main(void *image, struct efi_system_table *system)
{
    struct efi_boot_services *services = system->boot_services;
    struct handoff *handoff;
    struct program program;
    struct choice choice;
    struct room room;
    uint64_t place;
    efi_status status;

    (void)services->set_watchdog_timer(0, 0, 0, NULL);
    menu_choose(system, &choice);
    take_room(services, &room);
    if (room.start == 0)
        return fail(system, u"there is too little memory below 4 GiB.",
                    EFI_BUFFER_TOO_SMALL);
    if (!load(system, image, choice.previous, &program))
        return EFI_LOAD_ERROR;
    place = place_image(services, &room, &program);
    if (place == 0)
        return fail(system, u"the program is too large.", EFI_LOAD_ERROR);
    handoff = handoff_in(&room);
    for (unsigned i = 0; choice.command_line[i] != '\0'; i++)
        handoff->command_line[i] = choice.command_line[i];
    handoff->rsdp = find_rsdp(system);
    find_display(services, handoff);
    status = leave_uefi(services, image, handoff, room.map_bytes);
    if (status != 0)
        return fail(system, u"the firmware does not let go of the PC.", status);
    __asm__ volatile("cli\n\tjmp *%0" ::"r"(place + program.image.entry),
                     "D"(handoff)
                     : "memory");
    __builtin_unreachable();
}
