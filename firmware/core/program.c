/* Program files: see program.h. Also part of the UEFI loader: no data here
 * holds a pointer.
 *
 * The label, all numbers with the lowest byte first:
 *     0  "Barepost program"
 *    16  1: this kind of label
 *    20  bytes of the program; 24: of it unpacked; 28: version of the store
 *    32  SHA-256 of the program
 *    64  version, NUL-padded
 *   480  SHA-256 of all that stands before */
#include "core/program.h"
#include "core/bytes.h"
#include <string.h>

#define LABEL_KIND      1
#define AT_KIND         16
#define AT_BYTES        20
#define AT_UNPACKED     24
#define AT_STORE        28
#define AT_SHA          32
#define AT_VERSION      64
#define AT_LABEL_SHA    (PROGRAM_LABEL_BYTES - SHA256_BYTES)
#define MULTIBOOT_MAGIC 0x1badb002u
#define MULTIBOOT_BYTES 48
#define MULTIBOOT_PLACE 0x10000u /* the header says where the image belongs */
#define HEADER_MAGIC    0x50425545u /* "EUBP": boot/handoff.h */
#define HEADER_BYTES    12
#define ELF_MACHINE     18
#define ELF_X86_64      62

static const uint8_t magic[AT_KIND] = {'B', 'a', 'r', 'e', 'p', 'o', 's', 't',
                                       ' ', 'p', 'r', 'o', 'g', 'r', 'a', 'm'};

static bool version_valid(const uint8_t *text)
{
    size_t i = 0;

    while (i < PROGRAM_VERSION_BYTES && text[i] >= ' ' && text[i] <= '~')
        i++;
    return i < PROGRAM_VERSION_BYTES && text[i] == '\0';
}

static void hash_label(const uint8_t *block, uint8_t out[SHA256_BYTES])
{
    struct sha256 sha;

    sha256_begin(&sha);
    sha256_add(&sha, block, AT_LABEL_SHA);
    sha256_end(&sha, out);
}

enum err program_label_read(const uint8_t block[PROGRAM_LABEL_BYTES],
                            struct program_label *label)
{
    uint8_t hash[SHA256_BYTES];

    memset(label, 0, sizeof *label);
    if (memcmp(block, magic, AT_KIND) != 0)
        return ERR_INVALID;
    if (get_le32(block + AT_KIND) != LABEL_KIND)
        return ERR_VERSION;
    hash_label(block, hash);
    if (memcmp(hash, block + AT_LABEL_SHA, SHA256_BYTES) != 0 ||
        !version_valid(block + AT_VERSION))
        return ERR_CORRUPT;
    label->bytes = get_le32(block + AT_BYTES);
    label->unpacked_bytes = get_le32(block + AT_UNPACKED);
    label->store = get_le32(block + AT_STORE);
    memcpy(label->sha256, block + AT_SHA, SHA256_BYTES);
    memcpy(label->version, block + AT_VERSION, PROGRAM_VERSION_BYTES);
    return label->bytes == 0 || label->bytes > label->unpacked_bytes ||
                   label->unpacked_bytes > PROGRAM_BYTES_MAX
               ? ERR_CORRUPT
               : OK;
}

void program_label_write(const struct program_label *label,
                         uint8_t block[PROGRAM_LABEL_BYTES])
{
    memset(block, 0, PROGRAM_LABEL_BYTES);
    memcpy(block, magic, AT_KIND);
    put_le32(block + AT_KIND, LABEL_KIND);
    put_le32(block + AT_BYTES, label->bytes);
    put_le32(block + AT_UNPACKED, label->unpacked_bytes);
    put_le32(block + AT_STORE, label->store);
    memcpy(block + AT_SHA, label->sha256, SHA256_BYTES);
    memcpy(block + AT_VERSION, label->version, PROGRAM_VERSION_BYTES);
    hash_label(block, block + AT_LABEL_SHA);
}

/* The offset of the multiboot header (Multiboot Specification 0.6.96, 3.1); 0:
 * there is none. An ELF header stands before it. */
static size_t find_multiboot(const uint8_t *head, size_t bytes)
{
    for (size_t at = 64; at + MULTIBOOT_BYTES + HEADER_BYTES <= bytes; at += 4)
        if (get_le32(head + at) == MULTIBOOT_MAGIC &&
            MULTIBOOT_MAGIC + get_le32(head + at + 4) +
                    get_le32(head + at + 8) ==
                0)
            return at;
    return 0;
}

enum err program_find_image(const uint8_t *head, size_t head_bytes,
                            size_t total, struct program_image *image)
{
    static const uint8_t elf[6] = {0x7f, 'E', 'L', 'F', 2, 1};
    const uint8_t *header, *own;
    uint32_t header_at, load, load_end;
    size_t at;

    if (head_bytes > PROGRAM_HEAD_BYTES)
        head_bytes = PROGRAM_HEAD_BYTES;
    if (head_bytes < 64 || memcmp(head, elf, sizeof elf) != 0 ||
        get_le16(head + ELF_MACHINE) != ELF_X86_64)
        return ERR_INVALID;
    at = find_multiboot(head, head_bytes);
    header = head + at;
    own = header + MULTIBOOT_BYTES;
    if (at == 0 || !(get_le32(header + 4) & MULTIBOOT_PLACE) ||
        get_le32(own) != HEADER_MAGIC)
        return ERR_INVALID;
    header_at = get_le32(header + 12);
    load = get_le32(header + 16);
    load_end = get_le32(header + 20);
    if (load > header_at || header_at - load > at || load_end <= load)
        return ERR_INVALID;
    image->offset = (uint32_t)at - (header_at - load);
    image->file_bytes = load_end - load;
    image->entry = get_le32(own + 4);
    image->image_bytes = get_le32(own + 8);
    if (image->offset > total || image->file_bytes > total - image->offset ||
        image->image_bytes < image->file_bytes ||
        image->image_bytes > 4 * PROGRAM_BYTES_MAX ||
        image->entry >= image->file_bytes)
        return ERR_INVALID;
    return OK;
}
