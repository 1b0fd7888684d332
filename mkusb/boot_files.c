/* Formats and fills the boot part of a stick by mtools and syslinux.
 *
 * Both work on an image in memory (stick_image.h), never on the target. The
 * installer of syslinux ends with success when it could not move its files, so
 * that its work is looked at afterwards. It patches the boot sector, not the
 * copy in sector 6: that is done here. */
#include "mkusb/boot_files.h"
#include "mailstore/slots.h"
#include "mkusb/host_services.h"
#include "mkusb/media_file.h"
#include "mkusb/run_tool.h"
#include "mkusb/say.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MULTIBOOT_MAGIC    0x1BADB002u
#define MULTIBOOT_SEARCH   8192 /* Multiboot 0.6.96, 3.1 */
#define SYSLINUX_FOLDER    "/boot/syslinux"
#define UEFI_NAME          "BOOTX64.EFI" /* UEFI 2.10, 3.5.1.1 */
#define BACKUP_BOOT_SECTOR 6
#define BOOT_STORE_BYTES   32             /* of " store=ID" */
#define OTHER_BYTES        (1024u * 1024) /* syslinux 400 KiB, texts */

static const char *const module_folders[] = {
    "/usr/lib/syslinux/modules/bios", /* Debian, Ubuntu */
    "/usr/lib/syslinux/bios",         /* Arch */
    "/usr/share/syslinux",            /* Fedora, openSUSE, Alpine */
};
static const char *const boot_code_files[] = {
    "/usr/lib/syslinux/mbr/mbr.bin",
    "/usr/lib/SYSLINUX/mbr.bin",
    "/usr/lib/syslinux/bios/mbr.bin",
    "/usr/share/syslinux/mbr.bin",
};
static const char *const module_names[] = {"menu.c32", "libutil.c32",
                                           "libcom32.c32", "mboot.c32"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Screen and serial line show the same menu and take the same keys; SERIAL has
 * to be the first line. An appliance comes back by itself after a power cut:
 * Run is taken after 5 s (TIMEOUT counts tenths). Each %s%s becomes
 * " store=ID". */
static const char menu_config[] =
    "SERIAL 0 115200\n"
    "CONSOLE 1\n"
    "DEFAULT menu.c32\n"
    "PROMPT 0\n"
    "TIMEOUT 50\n"
    "ALLOWOPTIONS 0\n"
    "MENU TITLE Barepost\n"
    "LABEL run\n"
    "  MENU LABEL ^Run\n"
    "  MENU DEFAULT\n"
    "  KERNEL mboot.c32\n"
    "  APPEND /ao/ao mode=run%s%s\n"
    "  TEXT HELP\n"
    "  This PC serves mail from this stick; its own disks are not touched.\n"
    "  ENDTEXT\n"
    "LABEL load\n"
    "  MENU LABEL ^Load\n"
    "  KERNEL mboot.c32\n"
    "  APPEND /ao/ao mode=load%s%s\n"
    "  TEXT HELP\n"
    "  Stops in a menu: network, names, users, store, log; then Run.\n"
    "  ENDTEXT\n";
static const char menu_previous[] =
    "LABEL previous\n"
    "  MENU LABEL ^Previous version\n"
    "  KERNEL mboot.c32\n"
    "  APPEND /ao/ao.old mode=run program=previous%s%s\n"
    "  TEXT HELP\n"
    "  Runs the version that was here before the last update.\n"
    "  ENDTEXT\n";

static const char readme[] =
    "This stick is a mail server (Barepost).\r\n"
    "\r\n"
    "Boot a PC from it and that PC is the server. Nothing on the PC's own\r\n"
    "disks is touched. Pull the stick or cut the power whenever you like:\r\n"
    "mail that was accepted is on the stick.\r\n"
    "\r\n"
    "  mail.db        all mail, users and settings: a SQLite 3 database.\r\n"
    "                 Read it with: sqlite3 mail.db \"SELECT * FROM mail\"\r\n"
    "  mail.db-wal    its newest part; it belongs to mail.db, copy both.\r\n"
    "  ao, boot, EFI  the server's program, the version before it, and room\r\n"
    "                 for the next one; the boot menu.\r\n"
    "\r\n"
    "Please do not delete, move or defragment these files. On a "
    "workstation,\r\n"
    "mkusb --inspect shows the mailboxes and exports the mail,\r\n"
    "mkusb --check examines the stick, mkusb --update renews the program.\r\n";

/* ---- What is needed
 * ------------------------------------------------------------ */

static enum err find_modules(struct boot_files *files)
{
    for (size_t i = 0; i < COUNT(module_folders); i++) {
        size_t found = 0;

        for (size_t k = 0; k < COUNT(module_names); k++) {
            char path[128];

            snprintf(path, sizeof(path), "%s/%s", module_folders[i],
                     module_names[k]);
            found += access(path, R_OK) == 0;
        }
        if (found == COUNT(module_names)) {
            files->modules = module_folders[i];
            return OK;
        }
    }
    return say_refused("syslinux's modules (mboot.c32, menu.c32) are needed "
                       "and were not found: install the Debian package "
                       "syslinux-common");
}

static enum err read_boot_code(struct boot_files *files)
{
    for (size_t i = 0; i < COUNT(boot_code_files); i++) {
        int fd = open(boot_code_files[i], O_RDONLY | O_CLOEXEC);
        ssize_t got;

        if (fd < 0)
            continue;
        got = read(fd, files->boot_code, sizeof(files->boot_code));
        close(fd);
        if (got > 0)
            return OK;
    }
    return say_refused("syslinux's boot code (mbr.bin) is needed and was not "
                       "found: install the Debian package syslinux-common");
}

static bool has_multiboot_header(const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at + 12 <= len; at += 4) {
        uint32_t word[3];

        memcpy(word, bytes + at, sizeof(word));
        if (word[0] == MULTIBOOT_MAGIC && word[0] + word[1] + word[2] == 0)
            return true;
    }
    return false;
}

static enum err check_ao(struct boot_files *files)
{
    static uint8_t head[MULTIBOOT_SEARCH];
    int fd = open(files->ao, O_RDONLY | O_CLOEXEC);
    struct stat info;
    ssize_t got;

    if (fd < 0)
        return say_refused("the AO %s cannot be read: %s. Build it with make, "
                           "or name it with --ao",
                           files->ao, strerror(errno));
    got = fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
              ? pread(fd, head, sizeof(head), 0)
              : -1;
    close(fd);
    if (got < 0 || !has_multiboot_header(head, (size_t)got))
        return say_refused("%s is not an AO: it has no Multiboot header",
                           files->ao);
    if (info.st_size > PROGRAM_BYTES_MAX)
        return say_refused("%s is larger than an AO can be (%u MiB)", files->ao,
                           PROGRAM_BYTES_MAX >> 20);
    return program_file_load(&files->program, files->ao);
}

/* What loads the AO under UEFI, built together with it. */
static enum err check_uefi(struct boot_files *files)
{
    const char *slash = strrchr(files->ao, '/');
    int folder = slash == NULL ? 0 : (int)(slash - files->ao) + 1;
    char magic[2] = "";
    struct stat info;
    int fd;

    if (snprintf(files->uefi, sizeof(files->uefi), "%.*s" UEFI_NAME, folder,
                 files->ao) >= (int)sizeof(files->uefi))
        return say_refused("the path of the AO is too long");
    fd = open(files->uefi, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return say_refused(UEFI_NAME " is needed beside the AO: %s cannot be "
                                     "read: %s. Build it with make",
                           files->uefi, strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        info.st_size > PROGRAM_BYTES_MAX || pread(fd, magic, 2, 0) != 2)
        info.st_size = 0;
    close(fd);
    if (info.st_size == 0 || memcmp(magic, "MZ", 2) != 0)
        return say_refused("%s is not a UEFI application", files->uefi);
    files->uefi_bytes = (uint64_t)info.st_size;
    return OK;
}

enum err boot_files_find(struct boot_files *files, const char *ao)
{
    static const char *const programs[] = {"mformat", "mmd",     "mcopy",
                                           "mdir",    "mdel",    "mattrib",
                                           "mmove",   "syslinux"};
    enum err err = OK;

    memset(files, 0, sizeof(*files));
    files->ao = ao;
    for (size_t i = 0; i < COUNT(programs) && err == OK; i++)
        err = run_tool_present(programs[i]);
    if (err == OK)
        err = find_modules(files);
    if (err == OK)
        err = read_boot_code(files);
    if (err == OK)
        err = check_ao(files);
    return err == OK ? check_uefi(files) : err;
}

uint64_t boot_files_bytes(const struct boot_files *files)
{
    return SLOTS * program_file_slot_bytes(&files->program, false) +
           files->uefi_bytes + OTHER_BYTES;
}

/* ---- Writing
 * --------------------------------------------------------------------- */

enum err boot_files_format(const char *image, const struct layout *layout)
{
    char drive[64], sectors[24], hidden[24], cluster[12], reserved[12], fat[12];
    char serial[12];
    const char *const argv[] = {
        "mformat", "-i",     drive, "-F",    "-v", BOOT_FILES_LABEL,
        "-N",      serial,   "-T",  sectors, "-h", "255",
        "-s",      "63",     "-H",  hidden,  "-c", cluster,
        "-R",      reserved, "-L",  fat,     "::", NULL};
    uint32_t number;

    host_random(&number, sizeof(number));
    snprintf(serial, sizeof(serial), "%08" PRIx32, number);
    snprintf(drive, sizeof(drive), "%s@@%" PRIu64, image,
             layout->partition_sector * LAYOUT_SECTOR_BYTES);
    snprintf(sectors, sizeof(sectors), "%" PRIu64, layout->partition_sectors);
    snprintf(hidden, sizeof(hidden), "%" PRIu64, layout->partition_sector);
    snprintf(cluster, sizeof(cluster), "%" PRIu32, layout->cluster_sectors);
    snprintf(reserved, sizeof(reserved), "%" PRIu32, layout->reserved_sectors);
    snprintf(fat, sizeof(fat), "%" PRIu32, layout->fat_sectors);
    return run_tool(argv, NULL, NULL, 0);
}

static enum err make_folder(const char *drive, const char *folder)
{
    const char *const look[] = {"mdir", "-i", drive, "-b", folder, NULL};
    const char *const make[] = {"mmd", "-i", drive, folder, NULL};

    return run_tool_quiet(look) == OK ? OK : run_tool(make, NULL, NULL, 0);
}

static enum err copy_file(const char *drive, const char *from, const char *to)
{
    const char *const argv[] = {"mcopy", "-i", drive, "-o", "-D",
                                "o",     from, to,    NULL};

    return run_tool(argv, NULL, NULL, 0);
}

static enum err write_text(const char *drive, const char *text, const char *to)
{
    const char *const argv[] = {"mcopy", "-i", drive, "-o", "-D",
                                "o",     "-",  to,    NULL};

    return run_tool(argv, text, NULL, 0);
}

static enum err copy_memory(const char *drive, const uint8_t *content,
                            size_t bytes, const char *to)
{
    int copy = memfd_create("copy", MFD_CLOEXEC);
    char path[48];
    enum err err = copy < 0 ? ERR_MEMORY : OK;

    if (err == OK)
        err = file_write_at(copy, content, bytes, 0);
    snprintf(path, sizeof(path), "/proc/%ld/fd/%d", (long)getpid(), copy);
    err = err == OK ? copy_file(drive, path, to)
                    : say_refused("%s cannot be copied: %s", to, err_text(err));
    if (copy >= 0)
        close(copy);
    return err;
}

static enum err write_menu(const char *drive, const char *store_id,
                           bool previous)
{
    static const char to[] = "::" SYSLINUX_FOLDER "/syslinux.cfg";
    const char *key = store_id[0] == '\0' ? "" : " store=";
    char text[sizeof(menu_config) + sizeof(menu_previous) +
              3 * BOOT_STORE_BYTES];
    int len =
        snprintf(text, sizeof(text), menu_config, key, store_id, key, store_id);

    if (previous)
        snprintf(text + len, sizeof(text) - (size_t)len, menu_previous, key,
                 store_id);
    return write_text(drive, text, to);
}

static enum err copy_modules(const struct boot_files *files, const char *drive)
{
    enum err err = OK;

    for (size_t i = 0; i < COUNT(module_names) && err == OK; i++) {
        char from[128], to[64];

        snprintf(from, sizeof(from), "%s/%s", files->modules, module_names[i]);
        snprintf(to, sizeof(to), "::" SYSLINUX_FOLDER "/%s", module_names[i]);
        err = copy_file(drive, from, to);
    }
    return err;
}

static const char loader_file[] = "::" SYSLINUX_FOLDER "/ldlinux.sys";

static enum err install_loader(const char *image, const char *drive,
                               uint64_t partition_sector)
{
    char offset[24];
    const char *const install[] = {"syslinux", "--install",   "--offset",
                                   offset,     "--directory", SYSLINUX_FOLDER,
                                   image,      NULL};
    const char *const look[] = {"mdir", "-i",        drive, "-a",
                                "-b",   loader_file, NULL};
    enum err err;

    snprintf(offset, sizeof(offset), "%" PRIu64,
             partition_sector * LAYOUT_SECTOR_BYTES);
    err = run_tool(install, NULL, NULL, 0);
    if (err == OK && run_tool_quiet(look) != OK)
        err = say_refused("syslinux did not install its loader (there is no "
                          "%s afterwards)",
                          loader_file);
    return err;
}

static void delete_programs(const char *drive)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        char path[32];
        const char *const argv[] = {"mdel", "-i", drive, path, NULL};

        snprintf(path, sizeof(path), "::/" SLOTS_FOLDER "/%s", slots_name(i));
        (void)!run_tool_quiet(argv);
    }
}

/* Without room for several: the one, as an ordinary file. */
static enum err copy_alone(const struct boot_files *files, const char *drive)
{
    size_t bytes = 0;
    uint8_t *content = program_file_alone(&files->program, &bytes);
    enum err err;

    if (content == NULL)
        return say_refused("out of memory");
    err = copy_memory(drive, content, bytes, "::/ao/ao");
    free(content);
    return err;
}

static enum err put_program(const struct boot_files *files, const char *image,
                            bool tight)
{
    struct media_file media;
    struct stat info;
    int fd = open(image, O_RDWR | O_CLOEXEC);
    enum err err;

    if (fd < 0 || fstat(fd, &info) != 0)
        return say_refused("image: %s", strerror(errno));
    media_file_init(&media, fd, (uint64_t)info.st_size, true);
    err = program_file_put(&files->program, &media.media, tight);
    close(fd);
    return err;
}

/* With as much room as there is. *previous: there is one beside it. */
static enum err write_program(const struct boot_files *files, const char *image,
                              const char *drive, bool *previous)
{
    enum err err = put_program(files, image, false);

    for (unsigned tight = 0; err == ERR_FULL && tight < 2; tight++) {
        delete_programs(drive);
        err = put_program(files, image, tight);
    }
    *previous = err == OK;
    if (err != ERR_FULL)
        return err;
    delete_programs(drive);
    return copy_alone(files, drive);
}

static enum err copy_boot_sector(const char *image, uint64_t partition_sector)
{
    uint8_t sector[LAYOUT_SECTOR_BYTES];
    uint64_t at = partition_sector * LAYOUT_SECTOR_BYTES;
    int fd = open(image, O_RDWR | O_CLOEXEC);
    enum err err = ERR_IO;

    if (fd >= 0) {
        err = file_read_at(fd, sector, sizeof(sector), at);
        if (err == OK)
            err = file_write_at(fd, sector, sizeof(sector),
                                at + BACKUP_BOOT_SECTOR * LAYOUT_SECTOR_BYTES);
        close(fd);
    }
    return err == OK ? OK : say_refused("the boot sector cannot be copied");
}

/* Into the command lines that the loader passes on (boot/uefi/menu.c). */
static void mark(uint8_t *bytes, size_t count, const char *store_id)
{
    static const char place[] = " store=----------------";
    const size_t len = sizeof(place) - 1;
    uint8_t *at = bytes;

    while ((at = memmem(at, count - (size_t)(at - bytes), place, len)) !=
           NULL) {
        memcpy(at + len - 16, store_id, 16);
        at += len;
    }
}

/* A copy of it in memory that says which store is this stick's. */
static enum err copy_uefi(const struct boot_files *files, const char *drive,
                          const char *store_id)
{
    size_t bytes = (size_t)files->uefi_bytes;
    uint8_t *content = malloc(bytes);
    int from = open(files->uefi, O_RDONLY | O_CLOEXEC);
    enum err err = content == NULL ? ERR_MEMORY : ERR_IO;

    if (content != NULL && from >= 0)
        err = file_read_at(from, content, bytes, 0);
    if (err != OK)
        err = say_refused("%s cannot be read: %s", files->uefi, err_text(err));
    else if (strlen(store_id) == 16)
        mark(content, bytes, store_id);
    if (err == OK)
        err = copy_memory(drive, content, bytes, "::/EFI/BOOT/" UEFI_NAME);
    free(content);
    if (from >= 0)
        close(from);
    return err;
}

enum err boot_files_write(const struct boot_files *files, const char *image,
                          uint64_t partition_sector, const char *store_id)
{
    static const char loader_folder[] = "::" SYSLINUX_FOLDER;
    static const char *const folders[] = {"::/boot", loader_folder, "::/ao",
                                          "::/EFI", "::/EFI/BOOT"};
    bool previous = false;
    char drive[64];
    enum err err = OK;

    snprintf(drive, sizeof(drive), "%s@@%" PRIu64, image,
             partition_sector * LAYOUT_SECTOR_BYTES);
    for (size_t i = 0; i < COUNT(folders) && err == OK; i++)
        err = make_folder(drive, folders[i]);
    if (err == OK)
        err = install_loader(image, drive, partition_sector);
    if (err == OK)
        err = copy_modules(files, drive);
    if (err == OK)
        err = copy_uefi(files, drive, store_id);
    if (err == OK)
        err = write_program(files, image, drive, &previous);
    if (err == OK)
        err = write_menu(drive, store_id, previous);
    if (err == OK)
        err = write_text(drive, readme, "::/README.TXT");
    return err == OK ? copy_boot_sector(image, partition_sector) : err;
}
