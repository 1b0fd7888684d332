/* libFuzzer: what comes as a new program, unpacked and looked at, as the AO and
 * the UEFI loader do it.
 *
 * Input: a byte that says what it is to be. A gzip file gets the right first
 * bytes, a label its own hash, a program its multiboot checksum: chance would
 * hardly find those. */
#include "core/bytes.h"
#include "core/inflate.h"
#include "core/program.h"
#include <stdlib.h>
#include <string.h>

#define UNPACKED_MOST 40000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void unpack(uint8_t *bytes, size_t size, size_t room)
{
    uint8_t *out = malloc(room ? room : 1);
    struct program_image image;
    size_t got;
    enum err err;

    if (size >= 3)
        memcpy(bytes, "\x1f\x8b\x08", 3);
    err = inflate_gzip(bytes, size, out, room, &got);
    require(got <= room);
    require(err != ERR_TOO_BIG || got == room);
    (void)!program_find_image(out, got, UNPACKED_MOST, &image);
    free(out);
}

static void read_label(const uint8_t *bytes, size_t size)
{
    uint8_t block[PROGRAM_LABEL_BYTES] = "Barepost program\1";
    uint8_t again[PROGRAM_LABEL_BYTES];
    struct program_label label;
    struct sha256 sha;

    memcpy(block + 20, bytes, size < 460 ? size : 460);
    sha256_begin(&sha);
    sha256_add(&sha, block, 480);
    sha256_end(&sha, block + 480);
    if (program_label_read(block, &label) != OK)
        return;
    require(label.bytes <= PROGRAM_BYTES_MAX);
    require(memchr(label.version, 0, sizeof label.version) != NULL);
    program_label_write(&label, again);
    require(program_label_read(again, &label) == OK);
}

static void find_image(uint8_t *bytes, size_t size)
{
    struct program_image image;
    size_t total = size + 1000;

    if (size >= 200) {
        memcpy(bytes, "\177ELF\2\1", 6);
        put_le16(bytes + 18, 62);
        put_le32(bytes + 100, 0x1badb002);
        put_le32(bytes + 108, -(0x1badb002 + get_le32(bytes + 104)));
    }
    if (program_find_image(bytes, size, total, &image) != OK)
        return;
    require((uint64_t)image.offset + image.file_bytes <= total);
    require(image.entry < image.file_bytes);
    require(image.image_bytes >= image.file_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    if (size < 2)
        return 0;
    copy = malloc(size - 1);
    memcpy(copy, data + 1, size - 1);
    if (data[0] % 4 == 0)
        read_label(copy, size - 1);
    else if (data[0] % 4 == 1)
        find_image(copy, size - 1);
    else
        unpack(copy, size - 1, data[0] * (size_t)UNPACKED_MOST / 255);
    free(copy);
    return 0;
}
