/* Program files: hash, unpacking, labels, what an AO looks like; and that
 * nothing hostile leads out of its bytes. */
#include "core/bytes.h"
#include "core/inflate.h"
#include "core/program.h"
#include "tests/unit/check.h"
#include "tests/unit/sham_program.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST (1u << 20)

static char folder[] = "/tmp/test_program.XXXXXX";
static uint8_t packed[MOST + 4096], content[MOST], unpacked[MOST];

/* ---- SHA-256 --------------------------------------------------------------
 */

static bool hashes_to(const void *bytes, size_t len, size_t piece,
                      const char *hex)
{
    uint8_t hash[SHA256_BYTES];
    char text[2 * SHA256_BYTES + 1];
    struct sha256 sha;

    sha256_begin(&sha);
    for (size_t at = 0; at < len; at += piece)
        sha256_add(&sha, (const char *)bytes + at,
                   len - at < piece ? len - at : piece);
    sha256_end(&sha, hash);
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return strcmp(text, hex) == 0;
}

/* FIPS 180-4's own examples. */
static void test_sha256(void)
{
    static const char two[] =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    CHECK(hashes_to("", 0, 1,
                    "e3b0c44298fc1c149afbf4c8996fb924"
                    "27ae41e4649b934ca495991b7852b855"));
    CHECK(hashes_to("abc", 3, 3,
                    "ba7816bf8f01cfea414140de5dae2223"
                    "b00361a396177a9cb410ff61f20015ad"));
    for (size_t piece = 1; piece < 60; piece += 7)
        CHECK(hashes_to(two, sizeof two - 1, piece,
                        "248d6a61d20638b8e5c026930c3e6039"
                        "a33ce45964ff2167f6ecedd419db06c1"));
    memset(content, 'a', 1000000);
    CHECK(hashes_to(content, 1000000, 1000,
                    "cdc76e5c9914fb9281a1c7e284d73e67"
                    "f1809a48a497200e046d39ccc7112cd0"));
}

/* ---- Unpacking -------------------------------------------------------------
 */

static uint32_t number;

static uint32_t chance(void)
{
    number = number * 1103515245 + 12345;
    return number >> 8;
}

/* What gzip -LEVEL makes of it. */
static size_t pack(size_t len, int level)
{
    char path[100], command[300];
    FILE *file;
    size_t got;

    snprintf(path, sizeof path, "%s/x", folder);
    file = fopen(path, "wb");
    CHECK(file && fwrite(content, 1, len, file) == len);
    if (file)
        fclose(file);
    snprintf(command, sizeof command, "gzip -%d -c %s > %s.gz", level, path,
             path);
    CHECK(system(command) == 0);
    strcat(path, ".gz");
    file = fopen(path, "rb");
    CHECK(file != NULL);
    got = file ? fread(packed, 1, sizeof packed, file) : 0;
    if (file)
        fclose(file);
    return got;
}

/* Text of few words, noise, runs, and nothing. */
static void fill(size_t len, unsigned kind)
{
    for (size_t i = 0; i < len; i++) {
        if (kind == 0)
            content[i] = (uint8_t) "the mail server"[chance() % 15];
        else if (kind == 1)
            content[i] = (uint8_t)chance();
        else
            content[i] = (uint8_t)(kind == 2 ? i / 5000 : i % 300 * (i % 7));
    }
}

/* Into memory of just that size, so that a byte too far is noticed. */
static enum err unpack(size_t len, size_t room, size_t *got)
{
    uint8_t *in = malloc(len), *out = malloc(room ? room : 1);
    enum err err;

    memcpy(in, packed, len);
    err = inflate_gzip(in, len, out, room, got);
    CHECK(*got <= room);
    memcpy(unpacked, out, *got);
    free(in);
    free(out);
    return err;
}

static void test_inflate(void)
{
    static const size_t sizes[] = {0, 1, 300, 70000, 1000000};
    size_t got;

    for (unsigned kind = 0; kind < 4; kind++) {
        for (unsigned i = 0; i < 5; i++) {
            size_t bytes, len = sizes[i];

            fill(len, kind);
            bytes = pack(len, i % 2 ? 9 : 1);
            /* Something behind it is not looked at. */
            memset(packed + bytes, 0xa5, 100);
            CHECK(unpack(bytes + 100, len, &got) == OK && got == len);
            CHECK(memcmp(unpacked, content, len) == 0);
            if (len < 300)
                continue;
            CHECK(unpack(bytes, len - 1, &got) == ERR_TOO_BIG);
            CHECK(got == len - 1 && memcmp(unpacked, content, got) == 0);
            CHECK(unpack(bytes / 2, len, &got) == ERR_INVALID);
            CHECK(memcmp(unpacked, content, got) == 0);
        }
    }
    CHECK(unpack(9, 100, &got) == ERR_INVALID && got == 0);
}

static void test_inflate_garbage(void)
{
    static uint8_t good[MOST];
    size_t bytes, got;

    fill(20000, 3);
    memcpy(content + 5000, "mail server mail server mail", 28);
    bytes = pack(20000, 9);
    memcpy(good, packed, bytes);
    for (unsigned i = 0; i < 20000; i++) {
        memcpy(packed, good, bytes);
        for (unsigned j = 0; j <= i % 3; j++)
            packed[3 + chance() % (i % 2 ? 60 : bytes - 3)] = (uint8_t)chance();
        (void)!unpack(i % 5 ? bytes : chance() % bytes + 1, 30000, &got);
    }
}

/* ---- Labels -----------------------------------------------------------------
 */

static void test_label(void)
{
    struct program_label label = {.bytes = 1000, .unpacked_bytes = 3000}, found;
    uint8_t block[PROGRAM_LABEL_BYTES], wrong[PROGRAM_LABEL_BYTES];

    strcpy(label.version, "0.1, abc of 2026-11-26");
    memset(label.sha256, 7, sizeof label.sha256);
    program_label_write(&label, block);
    CHECK(program_label_read(block, &found) == OK);
    CHECK(found.bytes == 1000 && found.unpacked_bytes == 3000);
    CHECK(strcmp(found.version, label.version) == 0);
    CHECK(memcmp(found.sha256, label.sha256, sizeof found.sha256) == 0);
    for (unsigned i = 0; i < PROGRAM_LABEL_BYTES; i++) {
        memcpy(wrong, block, sizeof wrong);
        wrong[i] ^= 0x10;
        CHECK(program_label_read(wrong, &found) == (i < 16   ? ERR_INVALID
                                                    : i < 20 ? ERR_VERSION
                                                             : ERR_CORRUPT));
    }
    label.bytes = 3001;
    program_label_write(&label, block);
    CHECK(program_label_read(block, &found) == ERR_CORRUPT);
    label.bytes = 0;
    program_label_write(&label, block);
    CHECK(program_label_read(block, &found) == ERR_CORRUPT);
    label.bytes = 1000;
    strcpy(label.version, "tab\t");
    program_label_write(&label, block);
    CHECK(program_label_read(block, &found) == ERR_CORRUPT);
    memset(label.version, 'x', sizeof label.version);
    program_label_write(&label, block);
    CHECK(program_label_read(block, &found) == ERR_CORRUPT);
}

/* ---- An AO
 * ------------------------------------------------------------------- */

static void make_ao(uint8_t *ao)
{
    memset(ao, 0, 32768);
    sham_marks(ao, 0x105000, 0x109000, 0x9000);
}

static void test_image(void)
{
    static const struct {
        unsigned at;
        uint32_t value;
    } wrong[] = {
        {0, 0x464c4570},
        {16, 3 << 16 | 2}, /* another processor */
        {SHAM_HEADER_AT, 1},
        {SHAM_HEADER_AT + 4, 3},
        {SHAM_HEADER_AT + 12, 0xfffff},  /* header before the image */
        {SHAM_HEADER_AT + 16, 0x1000},   /* image before the file */
        {SHAM_HEADER_AT + 20, 0x100000}, /* empty */
        {SHAM_HEADER_AT + 20, 0x1f0000}, /* behind the file's end */
        {SHAM_HEADER_AT + 48, 0x50425546},
        {SHAM_HEADER_AT + 52, 0x5000}, /* entry behind the image */
        {SHAM_HEADER_AT + 56, 0x4000}, /* smaller than what the file holds */
        {SHAM_HEADER_AT + 56, 0xffffffff},
    };
    struct program_image image;
    uint8_t *ao = malloc(32768);

    make_ao(ao);
    CHECK(program_find_image(ao, 8192, 32768, &image) == OK);
    CHECK(image.offset == SHAM_HEADER_AT && image.file_bytes == 0x5000);
    CHECK(image.entry == 0x300 && image.image_bytes == 0x9000);
    CHECK(program_find_image(ao, SHAM_HEADER_AT + 60, 32768, &image) == OK);
    CHECK(program_find_image(ao, SHAM_HEADER_AT + 59, 32768, &image) ==
          ERR_INVALID);
    CHECK(program_find_image(ao, 20, 32768, &image) == ERR_INVALID);
    CHECK(program_find_image(ao, 8192, 0x5fff, &image) == ERR_INVALID);
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        make_ao(ao);
        put_le32(ao + wrong[i].at, wrong[i].value);
        if (wrong[i].at == SHAM_HEADER_AT + 4)
            put_le32(ao + SHAM_HEADER_AT + 8, -(0x1badb002u + 3));
        CHECK(program_find_image(ao, 8192, 32768, &image) == ERR_INVALID);
    }
    free(ao);
}

int main(void)
{
    char command[100];

    if (!mkdtemp(folder))
        return 1;
    test_sha256();
    test_inflate();
    test_inflate_garbage();
    test_label();
    test_image();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)!system(command);
    return check_report();
}
