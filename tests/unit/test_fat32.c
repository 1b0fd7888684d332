/* FAT32 against mtools and fsck.fat: volumes made by mformat, changed by us,
 * judged by them. */
#include "check.h"
#include "mailstore/fat32.h"
#include "mailstore/store.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGE_BYTES     (80u << 20)
#define PARTITION_START 2048

static struct ram_medium medium;
static char folder[] = "/tmp/test_fat32.XXXXXX";
static bool partitioned;

/* Runs a command in the test's folder, $I being the volume for mtools. */
static int shell(const char *line)
{
    char command[700];

    snprintf(command, sizeof command,
             "cd %s && export MTOOLS_SKIP_CHECK=1 && I=image%s && %s", folder,
             partitioned ? "@@1M" : "", line);
    return system(command);
}

static void load(void)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/image", folder);
    file = fopen(path, "rb");
    CHECK(file && fread(medium.content, 1, IMAGE_BYTES, file) == IMAGE_BYTES);
    if (file)
        fclose(file);
}

static void save(void)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/image", folder);
    file = fopen(path, "wb");
    CHECK(file && fwrite(medium.content, 1, IMAGE_BYTES, file) == IMAGE_BYTES);
    if (file)
        fclose(file);
}

/* 1: sound. The volume is checked alone, without its partition table. */
static bool sound(void)
{
    char command[400];

    save();
    snprintf(command, sizeof command,
             "cd %s && tail -c +%u image > volume && "
             "/usr/sbin/fsck.fat -n volume > fsck.log 2>&1",
             folder, partitioned ? PARTITION_START * 512 + 1 : 1);
    if (system(command) == 0)
        return true;
    (void)!shell("cat fsck.log");
    return false;
}

static void make_volume(bool with_table, int cluster)
{
    static const uint8_t entry[16] = {0x80, 0, 0, 0, 0x0c, 0, 0, 0,
                                      0,    8, 0, 0, 0,    0, 0, 0};
    uint32_t sectors = IMAGE_BYTES / 512 - (with_table ? PARTITION_START : 0);
    char options[100];

    partitioned = with_table;
    memset(medium.content, 0, IMAGE_BYTES);
    if (with_table) {
        memcpy(medium.content + 446, entry, 16);
        memcpy(medium.content + 458, &sectors, 4);
        medium.content[510] = 0x55;
        medium.content[511] = 0xaa;
    }
    save();
    snprintf(options, sizeof options,
             "mformat -F -i $I -c %d -T %u ::", cluster, sectors);
    CHECK(shell(options) == 0);
    load();
}

static bool same_content(const char *name, const struct fat32_file *file)
{
    char command[200];

    CHECK(file->sector * 512 + file->bytes <= IMAGE_BYTES);
    snprintf(command, sizeof command, "rm -f out && mtype -i $I ::%s > out",
             name);
    if (shell(command))
        return false;
    snprintf(command, sizeof command,
             "test $(stat -c %%s out) = %llu && cmp -n %llu out image 0 %llu",
             (unsigned long long)file->bytes, (unsigned long long)file->bytes,
             (unsigned long long)file->sector * 512);
    return shell(command) == 0;
}

static void test_make(bool with_table)
{
    struct fat32_file file, again;
    struct fat32 fat;
    uint64_t run, rest;

    make_volume(with_table, 1);
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat.partition_sector == (with_table ? PARTITION_START : 0));
    CHECK(fat32_find(&fat, "mail.db", &file) == ERR_NOT_FOUND);
    CHECK(fat32_free_run(&fat, &run) == OK && run > 70u << 20);
    CHECK(fat32_create(&fat, "mail.db", 10 << 20, &file) == OK);
    CHECK(file.bytes == 10 << 20 && file.sectors == 20480);
    CHECK(fat32_create(&fat, "mail.db-wal", 4000001, &file) == OK);
    CHECK(fat32_find(&fat, "MAIL.DB-WAL", &again) == OK);
    CHECK(again.sector == file.sector && again.bytes == 4000001);
    CHECK(sound());
    CHECK(same_content("mail.db-wal", &file));
    CHECK(fat32_find(&fat, "Mail.Db", &file) == OK);
    CHECK(same_content("mail.db", &file));
    /* Made again with the same size it stays; with another one it moves. */
    CHECK(fat32_create(&fat, "mail.db", 10 << 20, &again) == OK);
    CHECK(again.sector == file.sector);
    CHECK(fat32_create(&fat, "mail.db", 11 << 20, &again) == OK);
    CHECK(again.sector != file.sector && sound());
    CHECK(same_content("mail.db", &again));
    CHECK(fat32_create(&fat, "big", 79u << 20, &file) == ERR_FULL);
    CHECK(fat32_free_run(&fat, &rest) == OK && rest < run);
    CHECK(sound());
    CHECK(shell("mdir -b -i $I :: | grep -q mail.db-wal") == 0);
}

/* Files that mtools wrote, fragmented by what it deleted before. */
static void test_others(void)
{
    struct fat32_file file;
    struct fat32 fat;

    make_volume(true, 1);
    CHECK(shell("for i in 1 2 3 4 5 6 7 8; do head -c 9000000 /dev/urandom > f;"
                "mcopy -i $I f ::f$i; done; mdel -i $I ::f1 ::f3;"
                "head -c 12000000 /dev/urandom > mail.db;"
                "mcopy -i $I mail.db ::mail.db; mdel -i $I ::f7 ::f8;"
                "head -c 100 mail.db > w; mcopy -i $I w ::mail.db-wal;"
                "mcopy -i $I w \"::A long name of a file\";"
                ": > e; mcopy -i $I e ::empty") == 0);
    load();
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat32_find(&fat, "f2", &file) == OK && file.bytes == 9000000);
    CHECK(fat32_find(&fat, "empty", &file) == OK && file.bytes == 0);
    CHECK(fat32_find(&fat, "a LONG name of a file", &file) == OK);
    CHECK(fat32_find(&fat, "mail.db", &file) == ERR_CORRUPT);
    CHECK(file.bytes == 12000000);
    CHECK(fat32_relocate(&fat, "mail.db", 12000000, &file) == OK);
    CHECK(sound() && same_content("mail.db", &file));
    CHECK(shell("cmp out mail.db") == 0);
    CHECK(fat32_relocate(&fat, "mail.db-wal", 5000000, &file) == OK);
    CHECK(sound() && file.bytes == 5000000);
    CHECK(shell("mtype -i $I ::mail.db-wal | head -c 100 | cmp - w") == 0);
}

static void test_grow(void)
{
    struct fat32_file file, wal;
    struct fat32 fat;

    make_volume(true, 1);
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat32_create(&fat, "mail.db", 5 << 20, &file) == OK);
    CHECK(fat32_grow(&fat, "mail.db", 20 << 20, &wal) == OK);
    CHECK(wal.sector == file.sector && wal.bytes == 20 << 20);
    CHECK(sound() && same_content("mail.db", &wal));
    CHECK(fat32_create(&fat, "behind", 1 << 20, &wal) == OK);
    CHECK(fat32_grow(&fat, "mail.db", 30 << 20, &file) == OK);
    CHECK(file.bytes == 20 << 20 && sound());
}

/* A file whose chain ends too early cannot be had in one piece; nothing on the
 * stick changes because of it, however often it is tried. */
static void test_broken_chain(void)
{
    struct fat32_file file;
    struct fat32 fat;
    uint64_t before, after;
    uint8_t *table;
    uint64_t cluster;

    make_volume(true, 1);
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat32_create(&fat, "mail.db", 5 << 20, &file) == OK);
    cluster = (file.sector - fat.data_sector) / fat.cluster_sectors + 2 + 1000;
    for (unsigned i = 0; i < fat.fat_count; i++) {
        table = medium.content +
                (fat.fat_sector + (uint64_t)i * fat.fat_sectors) * 512;
        memcpy(table + cluster * 4, "\xff\xff\xff\x0f", 4);
    }
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat32_free_run(&fat, &before) == OK);
    for (int i = 0; i < 3; i++)
        CHECK(fat32_relocate(&fat, "mail.db", 5 << 20, &file) == ERR_CORRUPT);
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat32_free_run(&fat, &after) == OK);
    CHECK(before == after);
}

static void test_many_names(void)
{
    struct fat32_file file;
    struct fat32 fat;
    char name[40];
    unsigned made = 0;

    make_volume(false, 1);
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "a rather long name, number%s %u",
                 i % 3 ? " odd" : "", i);
        if (i % 9 == 8)
            snprintf(name, sizeof name, "Short%u.x", i);
        made += fat32_create(&fat, name, 1000 + i, &file) == OK &&
                fat32_find(&fat, name, &file) == OK && file.bytes == 1000 + i;
    }
    /* Nine names may share their first six letters. */
    CHECK(made == 9 + 6);
    CHECK(sound());
}

/* At every single write of making and re-making a file, the power goes. What
 * is left must be a file system without damage: clusters that belong to nothing
 * are not damage, wrong chains and lengths are. */
static void test_cuts(void)
{
    static const char check[] =
        "tail -c +1048577 image > volume && "
        "/usr/sbin/fsck.fat -a volume > fsck.log 2>&1; "
        "! grep -v 'Reclaimed\\|^fsck.fat\\|files,\\|FSINFO\\|Free cluster"
        "\\|chang\\|^$\\|Orphaned\\|Auto-\\|auto\\|Filesystem was changed"
        "\\|Writing changes\\|summary\\|FATs differ\\|first FAT' fsck.log";
    struct fat32_file file;
    struct fat32 fat;
    uint8_t *start = malloc(IMAGE_BYTES);
    jmp_buf power_off;
    volatile long at = 1;
    volatile bool more = true;

    make_volume(true, 1);
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat32_create(&fat, "mail.db", 3 << 20, &file) == OK);
    memcpy(start, medium.content, IMAGE_BYTES);
    medium.durable = malloc(IMAGE_BYTES);
    medium.power_off = &power_off;
    while (more) {
        memcpy(medium.content, start, IMAGE_BYTES);
        memcpy(medium.durable, start, IMAGE_BYTES);
        medium.pending_count = 0;
        medium.countdown = at;
        if (setjmp(power_off) == 0) {
            CHECK(fat32_mount(&fat, &medium.media) == OK);
            CHECK(fat32_create(&fat, "mail.db", 200000, &file) == OK);
            CHECK(fat32_create(&fat, "mail.db-wal", 100000, &file) == OK);
            more = false;
        }
        ram_medium_cut(&medium);
        save();
        if (shell(check)) {
            printf("cut at write %ld:\n", at);
            (void)!shell("cat fsck.log");
            CHECK(!"sound after a cut");
        } else {
            CHECK(true);
        }
        CHECK(fat32_mount(&fat, &medium.media) == OK);
        CHECK(fat32_find(&fat, "mail.db", &file) == OK);
        CHECK(file.bytes == 200000 || file.bytes == 3 << 20);
        at += 1 + at / 8;
    }
    CHECK(at > 10);
    free(start);
    free(medium.durable);
    medium.durable = NULL;
}

/* Whatever stands in the structures, nothing is read or written outside. */
static void test_garbage(void)
{
    uint8_t *start = malloc(IMAGE_BYTES);
    struct store_place place;
    struct fat32_file file;
    struct fat32 fat;

    make_volume(true, 1);
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat32_create(&fat, "mail.db", 3 << 20, &file) == OK);
    memcpy(start, medium.content, IMAGE_BYTES);
    for (unsigned i = 0; i < 300; i++) {
        for (unsigned j = 0; j < 3; j++) {
            uint32_t r = ram_random(&medium);
            size_t area = r % 3 == 0   ? PARTITION_START * 512u
                          : r % 3 == 1 ? (size_t)fat.fat_sector * 512
                                       : (size_t)fat.data_sector * 512;

            medium.content[area + (r >> 8) % 100] = (uint8_t)r;
        }
        (void)!store_locate(&medium.media, i % 2 ? 1 << 20 : 0, &place);
        memcpy(medium.content, start, IMAGE_BYTES);
    }
    memset(medium.content, 0, IMAGE_BYTES);
    CHECK(fat32_mount(&fat, &medium.media) == ERR_NOT_FOUND);
    CHECK(store_locate(&medium.media, 0, &place) == ERR_NOT_FOUND);
    free(start);
}

static void test_locate(void)
{
    struct store_place place, again;

    make_volume(true, 1);
    CHECK(store_locate(&medium.media, 0, &place) == ERR_NOT_FOUND);
    CHECK(store_locate(&medium.media, 20 << 20, &place) == OK);
    CHECK(place.wal_sector < place.database_sector);
    CHECK(place.database_bytes == 20 << 20 && place.wal_bytes >= 4 << 20);
    CHECK(sound());
    CHECK(store_locate(&medium.media, 0, &again) == OK);
    CHECK(memcmp(&place, &again, sizeof place) == 0);
    CHECK(shell("mdel -i $I ::mail.db-wal") == 0);
    load();
    CHECK(store_locate(&medium.media, 0, &again) == OK);
    CHECK(memcmp(&place, &again, sizeof place) == 0);
    CHECK(sound());
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    ram_medium_init(&medium, IMAGE_BYTES / 512, false);
    test_make(true);
    test_make(false);
    test_others();
    test_grow();
    test_broken_chain();
    test_many_names();
    test_locate();
    test_garbage();
    test_cuts();
    ram_medium_free(&medium);
    (void)!shell("rm -rf \"$PWD\"");
    return check_report();
}
