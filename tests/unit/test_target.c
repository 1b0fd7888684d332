/* Which block devices mkusb writes to: decided on made-up /sys trees. */
#include "check.h"
#include "mkusb/target.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STICK_FOLDER                                                           \
    "devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/"      \
    "6:0:0:0/block/sda"
#define INNER_FOLDER "devices/pci0000:00/0000:00:17.0/ata1/host0/block/sdb"

static struct {
    char root[64];
    char mountinfo[96], swaps[96];
    struct target_roots roots;
    struct target target;
    char message[TARGET_MESSAGE_BYTES];
} state;

/* Makes all folders of a path below the root, and the file. */
static void put(const char *path, const char *text)
{
    char full[512];
    int fd;

    snprintf(full, sizeof(full), "%s/%s", state.root, path);
    for (char *at = full + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
}

static void put_in(const char *folder, const char *name, const char *text)
{
    char path[400];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    put(path, text);
}

static void put_link(const char *number, const char *folder)
{
    char link[160], to[400];

    snprintf(link, sizeof(link), "%s/dev/block/%s", state.root, number);
    snprintf(to, sizeof(to), "../../%s", folder);
    unlink(link);
    if (symlink(to, link) != 0)
        abort();
}

/* A disk with two partitions. */
static void put_disk(const char *folder, unsigned minor)
{
    const char *name = strrchr(folder, '/') + 1;
    char text[64], part[300];

    snprintf(text, sizeof(text), "8:%u\n", minor);
    put_in(folder, "dev", text);
    put_in(folder, "size", "15625000\n");
    put_in(folder, "ro", "0\n");
    put_in(folder, "removable", "1\n");
    put_in(folder, "queue/logical_block_size", "512\n");
    snprintf(text, sizeof(text), "8:%u", minor);
    put_link(text, folder);
    for (unsigned i = 1; i <= 2; i++) {
        snprintf(part, sizeof(part), "%s/%s%u", folder, name, i);
        snprintf(text, sizeof(text), "%u\n", i);
        put_in(part, "partition", text);
        snprintf(text, sizeof(text), "8:%u\n", minor + i);
        put_in(part, "dev", text);
        text[strlen(text) - 1] = '\0';
        put_link(text, part);
    }
}

static void put_usual_machine(void)
{
    put("dev/block/.keep", "");
    put_disk(STICK_FOLDER, 0);
    put_disk(INNER_FOLDER, 16);
    put_in("devices/pci0000:00/0000:00:14.0/usb1/1-2", "idVendor", "0781\n");
    put_in("devices/pci0000:00/0000:00:14.0/usb1/1-2", "devnum", "7\n");
    put_in("devices/pci0000:00/0000:00:14.0/usb1/1-2", "manufacturer",
           " SanDisk\n");
    put_in("devices/pci0000:00/0000:00:14.0/usb1/1-2", "product",
           "Ultra\033[1m");
    put_in("devices/pci0000:00/0000:00:14.0/usb1/1-2", "serial", "4C53\n");
    put("mountinfo",
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "27 1 8:17 / / rw,relatime shared:1 - ext4 /dev/sdb1 rw,discard\n");
    put("swaps", "Filename\tType\tSize\tUsed\tPriority\n");
}

static enum err examine(unsigned minor, bool allow_fixed)
{
    memset(&state.target, 0, sizeof(state.target));
    memset(state.message, 0, sizeof(state.message));
    state.target.path = "/dev/sdx";
    state.target.kind = TARGET_DEVICE;
    state.target.major = 8;
    state.target.minor = minor;
    return target_check_device(&state.roots, &state.target, allow_fixed,
                               state.message);
}

static bool says(const char *text)
{
    if (strstr(state.message, text) != NULL)
        return true;
    printf("message: %s\n", state.message);
    return false;
}

static void test_stick_is_taken(void)
{
    CHECK(examine(0, false) == OK);
    CHECK(state.target.bytes == 15625000ull * 512);
    CHECK(strcmp(state.target.description, "SanDisk Ultra?[1m (serial 4C53)") ==
          0);
}

static void test_other_disks_are_refused(void)
{
    CHECK(examine(1, false) == ERR_REFUSED && says("is a partition") &&
          says("/dev/sda"));
    CHECK(examine(16, false) == ERR_REFUSED && says("running system"));
    put("mountinfo", "");
    CHECK(examine(16, true) == ERR_REFUSED && says("not a USB stick"));
    CHECK(examine(99, false) == ERR_REFUSED && says("no such block device"));
    put_usual_machine();
}

static void test_used_sticks_are_refused(void)
{
    put("mountinfo",
        "40 27 8:2 / /media/my\\040stick rw - vfat /dev/sda2 rw\n");
    CHECK(examine(0, false) == ERR_REFUSED && says("/media/my stick"));
    /* btrfs: an anonymous number, the device only as source */
    put("mountinfo", "40 27 0:55 / /mnt rw,a shared:4 - btrfs /dev/sda1 rw\n");
    CHECK(examine(0, false) == ERR_REFUSED && says("/mnt"));
    /* another disk, whose name merely begins alike */
    put("mountinfo", "40 27 8:33 / /mnt rw - ext4 /dev/sda12 rw\n");
    CHECK(examine(0, false) == OK);
    put("mountinfo", "garbage\n\n40 27\n40 27 8:2 / /mnt rw - vfat\n");
    CHECK(examine(0, false) == OK);
    put_usual_machine();
    put("swaps", "Filename Type\n/dev/sda2    partition 100 0 -2\n");
    CHECK(examine(0, false) == ERR_REFUSED && says("swapoff /dev/sda2"));
    put_usual_machine();
    put_in(STICK_FOLDER, "sda1/holders/dm-0", "");
    CHECK(examine(0, false) == ERR_REFUSED && says("dm-0"));
}

static void remove_holder(void)
{
    char path[400];

    snprintf(path, sizeof(path), "%s/%s/sda1/holders/dm-0", state.root,
             STICK_FOLDER);
    unlink(path);
}

static void test_unfit_sticks_are_refused(void)
{
    put_in(STICK_FOLDER, "removable", "0\n");
    CHECK(examine(0, false) == ERR_REFUSED && says("--fixed"));
    CHECK(examine(0, true) == OK);
    put_usual_machine();
    put_in(STICK_FOLDER, "size", "0\n");
    CHECK(examine(0, false) == ERR_REFUSED && says("no medium"));
    put_usual_machine();
    put_in(STICK_FOLDER, "ro", "1\n");
    CHECK(examine(0, false) == ERR_REFUSED && says("write-protected"));
    put_usual_machine();
    put_in(STICK_FOLDER, "queue/logical_block_size", "4096\n");
    CHECK(examine(0, false) == ERR_REFUSED && says("4096"));
    put_usual_machine();
    state.roots.mountinfo = "/nonexistent/mountinfo";
    CHECK(examine(0, false) == ERR_REFUSED && says("cannot be checked"));
    state.roots.mountinfo = state.mountinfo;
}

static enum err examine_path(const char *path)
{
    memset(state.message, 0, sizeof(state.message));
    return target_examine(path, &state.target, state.message);
}

static void test_kinds(void)
{
    char path[128];

    CHECK(examine_path("/dev/null") == ERR_REFUSED && says("character device"));
    CHECK(examine_path("/") == ERR_REFUSED && says("a folder"));
    CHECK(examine_path("") == ERR_REFUSED && says("empty"));
    CHECK(examine_path("/dev/no-such-stick") == ERR_REFUSED &&
          says("plugged in"));
    CHECK(examine_path("/no-such-folder/image") == ERR_REFUSED &&
          says("no folder"));
    snprintf(path, sizeof(path), "%s/new.img", state.root);
    CHECK(examine_path(path) == OK && state.target.kind == TARGET_NEW_FILE);
    CHECK(examine_path(state.swaps) == OK && state.target.kind == TARGET_FILE &&
          state.target.has_content);
    put("hole", "");
    snprintf(path, sizeof(path), "%s/hole", state.root);
    CHECK(truncate(path, 1048576) == 0);
    CHECK(examine_path(path) == OK && state.target.bytes == 1048576 &&
          !state.target.has_content);
}

int main(void)
{
    char command[128];

    snprintf(state.root, sizeof(state.root), "/tmp/test_target.XXXXXX");
    if (mkdtemp(state.root) == NULL)
        abort();
    snprintf(state.mountinfo, sizeof(state.mountinfo), "%s/mountinfo",
             state.root);
    snprintf(state.swaps, sizeof(state.swaps), "%s/swaps", state.root);
    state.roots.sys = state.root;
    state.roots.mountinfo = state.mountinfo;
    state.roots.swaps = state.swaps;
    put_usual_machine();
    test_stick_is_taken();
    test_other_disks_are_refused();
    test_used_sticks_are_refused();
    remove_holder();
    test_unfit_sticks_are_refused();
    test_kinds();
    snprintf(command, sizeof(command), "rm -rf %s", state.root);
    if (system(command) != 0)
        return 1;
    return check_report();
}
