/* The program's slots on a stick, on volumes of mformat, judged by mtools and
 * fsck.fat: finding them, checking them, exchanging them; and the power going
 * at every write of an update: what starts is whole, the old or the new one. */
#include "check.h"
#include "mailstore/slots.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGE_BYTES (40u << 20)
#define SLOT_BYTES  (64u << 10)

static struct ram_medium medium;
static char folder[] = "/tmp/test_slots.XXXXXX";

static int shell(const char *line)
{
    char command[700];

    snprintf(command, sizeof command,
             "cd %s && export MTOOLS_SKIP_CHECK=1 && I=image && %s", folder,
             line);
    return system(command);
}

static void move_image(const char *mode)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/image", folder);
    file = fopen(path, mode);
    CHECK(file != NULL);
    if (!file)
        return;
    if (mode[0] == 'r')
        CHECK(fread(medium.content, 1, IMAGE_BYTES, file) == IMAGE_BYTES);
    else
        CHECK(fwrite(medium.content, 1, IMAGE_BYTES, file) == IMAGE_BYTES);
    fclose(file);
}

static bool sound(void)
{
    move_image("wb");
    return shell("/usr/sbin/fsck.fat -n image > fsck.log 2>&1") == 0 ||
           shell("cat fsck.log && false") == 0;
}

/* ---- Programs
 * ----------------------------------------------------------------
 */

/* The n-th: all bytes are of it, and no two have the same length. */
static void make_program(unsigned n, uint8_t *bytes,
                         struct program_label *label)
{
    struct sha256 sha;

    memset(label, 0, sizeof *label);
    label->bytes = label->unpacked_bytes = 50000 + n * 777;
    for (uint32_t i = 0; i < label->bytes; i++)
        bytes[i] = (uint8_t)(n * 31 + i * 7 + i / 512);
    snprintf(label->version, sizeof label->version, "number %u", n);
    sha256_begin(&sha);
    sha256_add(&sha, bytes, label->bytes);
    sha256_end(&sha, label->sha256);
}

/* As the AO does it. */
static enum err fill(const struct slots *slots, enum slot slot, unsigned n)
{
    static uint8_t bytes[SLOT_BYTES];
    struct program_label label;
    struct media *media = slots->media;
    enum err err = OK;

    make_program(n, bytes, &label);
    for (uint32_t at = 0; !err && at < label.bytes; at += 8192)
        err =
            media->write(media, slots->sector[slot] + at / 512, 16, bytes + at);
    if (!err)
        err = slots_put_label(slots, slot, &label);
    return err ? err : media->flush(media);
}

/* Which program lies there whole; -1: none. */
static int look(const struct slots *slots, enum slot slot)
{
    uint8_t buffer[4096];
    struct program_label label;
    unsigned n;

    if (slots_check(slots, slot, buffer, sizeof buffer, &label) != OK ||
        sscanf(label.version, "number %u", &n) != 1)
        return -1;
    return (int)n;
}

static bool holds(int now, int previous)
{
    struct slots slots;

    if (slots_find(&slots, &medium.media) != OK)
        return false;
    return look(&slots, SLOT_NOW) == now &&
           look(&slots, SLOT_PREVIOUS) == previous;
}

/* ---- The volume
 * -------------------------------------------------------------- */

static void format(unsigned cluster)
{
    char command[200];

    memset(medium.content, 0, IMAGE_BYTES);
    move_image("wb");
    snprintf(command, sizeof command,
             "mformat -F -i $I -c %u -T %u :: && mmd -i $I ::/ao ::/boot",
             cluster, IMAGE_BYTES / 512);
    CHECK(shell(command) == 0);
    move_image("rb");
}

static void make_slots(void)
{
    struct fat32 fat, ao;
    struct fat32_file file;
    struct slots slots;

    CHECK(fat32_mount(&fat, &medium.media) == OK);
    CHECK(fat32_enter(&fat, "AO", &ao) == OK);
    for (unsigned i = 0; i < SLOTS; i++)
        CHECK(fat32_create(&ao, slots_name(i), SLOT_BYTES, &file) == OK);
    CHECK(slots_find(&slots, &medium.media) == OK);
    CHECK(slots_room(&slots) == SLOT_BYTES - PROGRAM_LABEL_BYTES);
    CHECK(fill(&slots, SLOT_NOW, 1) == OK);
    CHECK(fill(&slots, SLOT_PREVIOUS, 0) == OK);
}

static enum err update(unsigned n, enum slots_change change)
{
    struct slots slots;
    enum err err = slots_find(&slots, &medium.media);

    if (!err)
        err = fill(&slots, SLOT_SPARE, n);
    return err ? err : slots_use(&medium.media, change);
}

/* ---- Tests
 * ------------------------------------------------------------------- */

static void test_use(void)
{
    format(1);
    make_slots();
    CHECK(sound() && holds(1, 0));
    CHECK(update(2, SLOTS_INSTALL) == OK);
    CHECK(sound() && holds(2, 1));
    CHECK(shell("mtype -i $I ::/ao/ao | head -c 51554 > two;"
                "mcopy -n -o -i $I ::/ao/ao.old one") == 0);
    CHECK(shell("test $(stat -c %s one) = 65536 &&"
                "test $(sha256sum < two | cut -c-8) !="
                "     $(head -c 51554 one | sha256sum | cut -c-8)") == 0);
    CHECK(update(3, SLOTS_REPLACE) == OK);
    CHECK(sound() && holds(3, 1));
    CHECK(slots_use(&medium.media, SLOTS_BACK) == OK);
    CHECK(sound() && holds(1, 3));
    CHECK(update(4, SLOTS_INSTALL) == OK);
    CHECK(sound() && holds(4, 1));
    CHECK(shell("mdir -b -i $I ::/ao | grep -c ao > n; grep -qx 3 n") == 0);
}

/* What stands in a slot is not what its label says, or there is no label. */
static void test_damage(void)
{
    static uint8_t bytes[SLOT_BYTES];
    struct program_label label;
    struct slots slots;

    format(1);
    make_slots();
    CHECK(slots_find(&slots, &medium.media) == OK);
    CHECK(slots_get_label(&slots, SLOT_SPARE, &label) == ERR_INVALID);
    medium.content[slots.sector[SLOT_NOW] * 512 + 20000] ^= 1;
    CHECK(holds(-1, 0));
    make_program(1, bytes, &label);
    label.bytes = label.unpacked_bytes = SLOT_BYTES - 511;
    CHECK(slots_put_label(&slots, SLOT_NOW, &label) == OK);
    CHECK(slots_get_label(&slots, SLOT_NOW, &label) == ERR_CORRUPT);
    medium.fail = ERR_IO;
    CHECK(slots_find(&slots, &medium.media) == ERR_IO);
    CHECK(slots_use(&medium.media, SLOTS_BACK) == ERR_IO);
    medium.fail = OK;
}

/* Sticks that were made, or changed, by others. */
static void test_other_sticks(void)
{
    static const char *const changes[] = {
        "mdel -i $I ::/ao/ao.new",
        "mdel -i $I ::/ao/ao",
        "mren -i $I ::/ao/ao.old ::/ao/old",
        "mdeltree -i $I ::/ao",
        "mdeltree -i $I ::/ao && echo x | mcopy -i $I - ::/ao",
        /* Not as long as the others; not whole sectors. */
        "head -c 65024 /dev/zero | mcopy -o -i $I - ::/ao/ao.old",
        "for i in ao ao.old ao.new; do head -c 65000 /dev/zero |"
        "mcopy -o -i $I - ::/ao/$i; done",
        "for i in ao ao.old ao.new; do : | mcopy -o -i $I - ::/ao/$i; done",
        /* Names in two sectors. */
        "mdel -i $I ::/ao/ao.new; for i in 1 2 3 4 5 6 7 8 9 a b c d e; do"
        " : | mcopy -i $I - ::/ao/$i; done;"
        "head -c 65536 /dev/zero | mcopy -i $I - ::/ao/ao.new",
    };
    struct slots slots;

    for (unsigned i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        format(1);
        make_slots();
        move_image("wb");
        CHECK(shell(changes[i]) == 0);
        move_image("rb");
        CHECK(slots_find(&slots, &medium.media) == ERR_UNSUPPORTED);
        medium.writes = 0;
        (void)!slots_use(&medium.media, SLOTS_INSTALL);
        CHECK((i >= 5 && i <= 7) || medium.writes == 0);
    }
    memset(medium.content, 0, IMAGE_BYTES);
    CHECK(slots_find(&slots, &medium.media) == ERR_UNSUPPORTED);
}

static void set_entry(const struct fat32 *fat, uint32_t cluster, uint32_t value)
{
    for (uint32_t copy = 0; copy < fat->fat_count; copy++) {
        uint64_t at = (fat->fat_sector + copy * fat->fat_sectors) * 512;

        memcpy(medium.content + at + cluster * 4, &value, 4);
    }
}

/* Another cluster in the middle of its chain. */
static void test_pieces(void)
{
    struct slots slots;
    struct fat32 fat;
    uint32_t first;

    format(1);
    make_slots();
    CHECK(slots_find(&slots, &medium.media) == OK);
    CHECK(fat32_mount(&fat, &medium.media) == OK);
    first = (uint32_t)(slots.sector[SLOT_PREVIOUS] - fat.data_sector) + 2;
    set_entry(&fat, first + 5, 30000);
    set_entry(&fat, 30000, first + 7);
    set_entry(&fat, first + 6, 0);
    CHECK(sound());
    CHECK(slots_find(&slots, &medium.media) == ERR_UNSUPPORTED);
}

/* The power goes at each sector that is written and at each flush; of what was
 * not flushed any part has got there. */
static void test_cuts(enum slots_change change)
{
    uint8_t *start = malloc(IMAGE_BYTES);
    jmp_buf power_off;
    volatile long at = 1;
    volatile bool more = true;
    volatile unsigned before = 0, after = 0;

    format(1);
    make_slots();
    memcpy(start, medium.content, IMAGE_BYTES);
    medium.durable = malloc(IMAGE_BYTES);
    medium.power_off = &power_off;
    while (more) {
        int previous = change == SLOTS_REPLACE ? 0 : 1;

        memcpy(medium.content, start, IMAGE_BYTES);
        memcpy(medium.durable, start, IMAGE_BYTES);
        medium.pending_count = 0;
        medium.countdown = at;
        if (setjmp(power_off) == 0) {
            CHECK(update(2, change) == OK);
            more = false;
        }
        ram_medium_cut(&medium);
        if (holds(1, 0))
            before++;
        else if (holds(2, previous))
            after++;
        else
            CHECK(!"whole after a cut");
        CHECK(!more ? holds(2, previous) : true);
        if (at % 40 == 0 || !more)
            CHECK(sound());
        at++;
    }
    CHECK(before > 100 && after >= 1);
    printf("%ld cuts: %u times the old one starts, %u times the new one\n",
           at - 2, before, after);
    free(start);
    free(medium.durable);
    medium.durable = NULL;
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    ram_medium_init(&medium, IMAGE_BYTES / 512, false);
    test_use();
    test_damage();
    test_other_sticks();
    test_pieces();
    test_cuts(SLOTS_INSTALL);
    test_cuts(SLOTS_REPLACE);
    ram_medium_free(&medium);
    (void)!shell("rm -rf \"$PWD\"");
    return check_report();
}
