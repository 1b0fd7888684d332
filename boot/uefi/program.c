/* Finds, reads, checks and unpacks the AO (core/program.h). Memory for it is of
 * a kind that is free once UEFI is left. */
#include "boot/uefi/program.h"
#include "core/inflate.h"
#include <string.h>

#define PAGE        4096u
#define ADDRESS_MAX 0xffffffffull
#define FILE_MAX    (PROGRAM_BYTES_MAX + 2 * PROGRAM_LABEL_BYTES)

static void *take(struct efi_boot_services *services, uint64_t bytes)
{
    uint64_t at = ADDRESS_MAX;

    if (services->allocate_pages(EFI_ALLOCATE_MAX_ADDRESS,
                                 EFI_BOOT_SERVICES_DATA,
                                 (bytes + PAGE - 1) / PAGE, &at) != 0)
        return NULL;
    return (void *)(uintptr_t)at;
}

/* The root directory of the stick; NULL: it cannot be read. */
static struct efi_file *open_root(struct efi_boot_services *services,
                                  void *loader)
{
    const struct efi_guid image = EFI_GUID_LOADED_IMAGE;
    const struct efi_guid files = EFI_GUID_FILE_SYSTEM;
    struct efi_loaded_image *loaded = NULL;
    struct efi_file_system *system = NULL;
    struct efi_file *root = NULL;

    if (services->handle_protocol(loader, &image, (void **)&loaded) != 0 ||
        services->handle_protocol(loaded->device, &files, (void **)&system) !=
            0 ||
        system->open_volume(system, &root) != 0)
        return NULL;
    return root;
}

/* A whole file; NULL: it is not there, or cannot be read. */
static uint8_t *read_file(struct efi_boot_services *services,
                          struct efi_file *root, const char16_t *name,
                          uint64_t *bytes)
{
    struct efi_file *file = NULL;
    uint8_t *content = NULL;
    uint64_t at = 0;

    if (root->open(root, &file, name, EFI_FILE_READ, 0) != 0)
        return NULL;
    if (file->set_position(file, EFI_FILE_END) == 0 &&
        file->get_position(file, bytes) == 0 &&
        file->set_position(file, 0) == 0 && *bytes >= PROGRAM_LABEL_BYTES &&
        *bytes <= FILE_MAX)
        content = take(services, *bytes);
    while (content != NULL && at < *bytes) {
        uint64_t part = *bytes - at;

        if (file->read(file, &part, content + at) != 0 || part == 0)
            content = NULL;
        at += part;
    }
    (void)file->close(file);
    return content;
}

static bool is_whole(const uint8_t *content, const struct program_label *label)
{
    uint8_t hash[SHA256_BYTES];
    struct sha256 sha;

    sha256_begin(&sha);
    sha256_add(&sha, content, label->bytes);
    sha256_end(&sha, hash);
    return memcmp(hash, label->sha256, sizeof(hash)) == 0;
}

static const char16_t *unpack(struct efi_boot_services *services,
                              const uint8_t *content,
                              const struct program_label *label,
                              struct program *program)
{
    size_t got = label->bytes;
    uint8_t *unpacked;

    program->bytes = content;
    if (inflate_is_packed(content, label->bytes)) {
        unpacked = take(services, label->unpacked_bytes);
        if (unpacked == NULL)
            return u"there is too little memory below 4 GiB.";
        if (inflate_gzip(content, label->bytes, unpacked, label->unpacked_bytes,
                         &got) != OK)
            return u"the program cannot be unpacked.";
        program->bytes = unpacked;
    }
    if (program_find_image(program->bytes, got, got, &program->image) != OK)
        return u"the program is not for this loader: run mkusb --update.";
    return NULL;
}

const char16_t *program_load(struct efi_system_table *system, void *loader,
                             bool previous, struct program *program)
{
    struct efi_boot_services *services = system->boot_services;
    struct efi_file *root = open_root(services, loader);
    struct program_label label;
    uint8_t *content = NULL;
    uint64_t bytes = 0;

    if (root != NULL)
        content = read_file(services, root,
                            previous ? u"\\ao\\ao.old" : u"\\ao\\ao", &bytes);
    if (content == NULL)
        return u"the program cannot be read from the stick.";
    if (program_label_read(content + bytes - PROGRAM_LABEL_BYTES, &label) !=
            OK ||
        label.bytes > bytes - PROGRAM_LABEL_BYTES || !is_whole(content, &label))
        return u"the program on the stick is damaged.";
    return unpack(services, content, &label, program);
}
