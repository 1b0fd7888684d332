/* A new version of Barepost fetched by a fake TFTP client, through ST onto a
 * slow fake stick, and into use: while mail comes in, by servers that lie, with
 * sticks that fail or are pulled; and the power goes at every operation of the
 * stick: what starts is whole, the old or the new version. */
#include "fake_sticks.h"
#include "load/load.h"
#include "mailstore/slots.h"
#include "net/tftp.h"
#include "store/st_stick.h"
#include "tests/unit/sham_program.h"
#include <sys/wait.h>

#define SLOT_BYTES    (512u << 10)
#define PROGRAM_BYTES 400123u
#define BLOCK         1428

static const char *command_line = "mode=run";

const char *machine_command_line(void)
{
    return command_line;
}

/* ---- The server
 * --------------------------------------------------------------
 */

static struct {
    struct tftp *tftp;
    uint8_t file[PROGRAM_LABEL_BYTES + PROGRAM_BYTES + 1000];
    size_t bytes, sent;
    bool tells_size;
    size_t dies_at; /* 0: it does not */
    unsigned pauses;
} server;

enum err tftp_begin(struct tftp *tftp)
{
    server.tftp = tftp;
    server.sent = 0;
    tftp->total = server.tells_size ? server.bytes : 0;
    tftp->got = 0;
    tftp->paused = false;
    return OK;
}

void tftp_cancel(struct tftp *tftp)
{
    (void)tftp;
    server.tftp = NULL;
}

void tftp_pause(struct tftp *tftp)
{
    server.pauses += !tftp->paused;
    tftp->paused = true;
}

void tftp_go_on(struct tftp *tftp)
{
    tftp->paused = false;
}

static void end_transfer(enum err result)
{
    struct tftp *tftp = server.tftp;

    server.tftp = NULL;
    tftp->done(tftp, result);
}

static void server_turn(void)
{
    struct tftp *tftp = server.tftp;
    size_t len = server.bytes - server.sent;
    enum err err;

    if (!tftp || tftp->paused)
        return;
    if (server.dies_at && server.sent >= server.dies_at) {
        end_transfer(ERR_TIMEOUT);
        return;
    }
    len = len < BLOCK ? len : BLOCK;
    tftp->got += len;
    err = tftp->take(tftp, server.file + server.sent, len);
    server.sent += len;
    if (err || len < BLOCK)
        end_transfer(err);
}

static void turn_all(void)
{
    server_turn();
    turn();
}

#define WHEN(condition)                                                        \
    ({                                                                         \
        unsigned turns_ = 0;                                                   \
        while (!(condition) && turns_++ < 400000)                              \
            turn_all();                                                        \
        (condition);                                                           \
    })

/* ---- Programs
 * ----------------------------------------------------------------
 */

static struct program_label label;

static unsigned store_version = STORE_VERSION;

static void make_program(unsigned n, uint8_t *ao)
{
    sham_program(n, ao, PROGRAM_BYTES - n, store_version, &label);
}

static void offer(unsigned n)
{
    make_program(n, server.file + PROGRAM_LABEL_BYTES);
    program_label_write(&label, server.file);
    server.bytes = PROGRAM_LABEL_BYTES + label.bytes;
    server.tells_size = true;
    server.dies_at = 0;
}

/* Which program lies there whole; -1: none. */
static int look(struct ram_medium *medium, enum slot slot)
{
    static uint8_t buffer[64 * 1024];
    struct program_label found;
    struct slots slots;
    unsigned n;

    if (slots_find(&slots, &medium->media) != OK ||
        slots_check(&slots, slot, buffer, sizeof buffer, &found) != OK ||
        sscanf(found.version, "number %u", &n) != 1)
        return -1;
    return (int)n;
}

static bool holds(int now, int previous)
{
    return look(&sticks[0], SLOT_NOW) == now &&
           look(&sticks[0], SLOT_PREVIOUS) == previous;
}

static void copy_image(struct ram_medium *medium, bool in)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/image", folder);
    file = fopen(path, in ? "rb" : "wb");
    CHECK(file != NULL);
    if (!file)
        return;
    CHECK((in ? fread(medium->content, 1, VOLUME_BYTES, file)
              : fwrite(medium->content, 1, VOLUME_BYTES, file)) ==
          VOLUME_BYTES);
    fclose(file);
}

/* Program 1, and program 0 as the previous one. */
static void make_slots(struct ram_medium *medium)
{
    static uint8_t ao[PROGRAM_BYTES + 512];
    char command[200];
    struct fat32 fat, inside;
    struct fat32_file file;
    struct slots slots;

    copy_image(medium, false);
    snprintf(command, sizeof command, "mmd -i %s/image ::/ao", folder);
    CHECK(system(command) == 0);
    copy_image(medium, true);
    CHECK(fat32_mount(&fat, &medium->media) == OK);
    CHECK(fat32_enter(&fat, SLOTS_FOLDER, &inside) == OK);
    for (unsigned i = 0; i < SLOTS; i++)
        CHECK(fat32_create(&inside, slots_name(i), SLOT_BYTES, &file) == OK);
    CHECK(slots_find(&slots, &medium->media) == OK);
    for (unsigned i = 0; i < 2; i++) {
        make_program(1 - i, ao);
        CHECK(medium->media.write(&medium->media, slots.sector[i],
                                  (label.bytes + 511) / 512, ao) == OK);
        CHECK(slots_put_label(&slots, i, &label) == OK);
    }
    CHECK(holds(1, 0));
}

/* ---- Loading
 * ------------------------------------------------------------------
 */

static bool says(const char *text)
{
    bool there = strstr(load_text(), text) != NULL;

    if (!there)
        printf("said: %s\n", load_text());
    return there;
}

static bool loads(const char *text)
{
    struct net_address address = net_address_v4(0x0a000202);

    CHECK(load_begin(&address, "folder/x.update") == OK);
    CHECK(load_begin(&address, "x.update") == ERR_BUSY);
    CHECK(load_install(false) == ERR_BUSY);
    CHECK(WHEN(!load_busy()));
    CHECK(server.tftp == NULL);
    return says(text);
}

static bool installs(bool back, const char *text)
{
    CHECK(load_install(back) == OK);
    CHECK(WHEN(!load_busy()));
    return says(text);
}

static void test_update(void)
{
    struct net_address address = net_address_v4(0x0a000202);
    struct sent sent;

    CHECK(installs(false, "nothing to install"));
    offer(2);
    server.pauses = 0;
    CHECK(load_begin(&address, "x.update") == OK);
    CHECK(WHEN(server.sent > 100000));
    send_small(&sent, user_ids[0], 1);
    CHECK(WHEN(sent.answered) && sent.result == OK);
    CHECK(load_busy() && server.sent < server.bytes);
    CHECK(WHEN(!load_busy()));
    CHECK(says("Checked and ready: number 2") && server.pauses > 0);
    CHECK(holds(1, 0));
    CHECK(installs(false, "Installed: number 2") && holds(2, 1));
    CHECK(installs(false, "nothing to install") && holds(2, 1));
    /* Program 1 runs still: it is not given up for another one. */
    offer(3);
    CHECK(loads("Checked and ready: number 3"));
    CHECK(installs(false, "Installed: number 3") && holds(3, 1));
    CHECK(installs(true, "Installed: number 1") && holds(1, 3));
    offer(4);
    CHECK(loads("Checked and ready: number 4"));
    CHECK(installs(false, "Installed: number 4") && holds(4, 1));
    CHECK(loads("is the version that starts already"));
}

/* Versions that work on other kinds of stores. Leaves 4 and 1. */
static void test_stores(void)
{
    store_version = STORE_VERSION - 1;
    offer(5);
    CHECK(loads("is too old to read"));
    store_version = STORE_VERSION + 2;
    offer(5);
    CHECK(loads("needs a version in between"));
    store_version = STORE_VERSION + 1;
    offer(5);
    CHECK(loads("F4 installs it, with no way back"));
    CHECK(installs(false, "Installed: number 5") && holds(5, 1));
    CHECK(installs(true, "Installed: number 1") && holds(1, 5));
    CHECK(installs(true, "number 5 cannot read") && holds(1, 5));
    store_version = STORE_VERSION;
    offer(4);
    CHECK(loads("Checked and ready: number 4"));
    CHECK(installs(false, "Installed: number 4") && holds(4, 1));
}

static void test_liars(void)
{
    offer(5);
    server.bytes -= 1;
    CHECK(loads("x.update is cut short"));
    server.tells_size = false;
    CHECK(loads("x.update is cut short"));
    server.bytes = PROGRAM_LABEL_BYTES - 1;
    CHECK(loads("is no update"));
    offer(5);
    server.tells_size = false;
    server.bytes += 1;
    CHECK(loads("is longer than it says"));
    server.bytes += 900;
    CHECK(loads("is longer than it says"));
    offer(5);
    server.file[300000] ^= 1;
    CHECK(loads("is damaged"));
    offer(5);
    server.dies_at = 200000;
    CHECK(loads("was not fetched: "));
    CHECK(holds(4, 1));
    /* What was fetched before counts no more. */
    CHECK(installs(false, "nothing to install"));
    offer(5);
    server.tells_size = false;
    CHECK(loads("Checked and ready: number 5"));
    CHECK(installs(false, "Installed: number 5") && holds(5, 1));
}

static void test_sticks_that_fail(void)
{
    struct net_address address = net_address_v4(0x0a000202);
    struct slots slots;
    uint8_t *spare;

    offer(6);
    disks[0].read_only = true;
    CHECK(loads("write-protected"));
    disks[0].read_only = false;
    CHECK(load_begin(&address, "x.update") == OK);
    CHECK(WHEN(server.sent > 100000));
    pull(0);
    CHECK(WHEN(!load_busy()));
    CHECK(says("The stick is gone") && server.tftp == NULL);
    CHECK(loads("The stick is gone"));
    CHECK(WHEN(st_state() == ST_GONE));
    plug(0, &sticks[0]);
    CHECK(WHEN(st_state() == ST_READY));
    CHECK(holds(5, 1));
    CHECK(loads("Checked and ready: number 6"));
    /* It does not keep what was written into it. */
    CHECK(slots_find(&slots, &sticks[0].media) == OK);
    spare = sticks[0].content + slots.sector[SLOT_SPARE] * 512;
    spare[200000] ^= 1;
    CHECK(installs(false, "the program is as it was") && holds(5, 1));
    spare[200000] ^= 1;
    CHECK(installs(false, "Installed: number 6") && holds(6, 1));
}

/* ---- Power cuts
 * ---------------------------------------------------------------
 */

/* In a process of its own: fetches and installs program 8, and cuts the power
 * before the n-th operation of the stick. 0: the old one starts, 1: the new
 * one, 2: the operations were fewer, 3: neither. */
static int update_with_cut(uint64_t n)
{
    struct ram_medium *medium = &sticks[0];
    struct net_address address = net_address_v4(0x0a000202);
    jmp_buf power_off;

    medium->durable = malloc(VOLUME_BYTES);
    memcpy(medium->durable, medium->content, VOLUME_BYTES);
    medium->power_off = &power_off;
    medium->random += n;
    offer(8);
    if (setjmp(power_off) == 0) {
        medium->countdown = (long)n;
        (void)!load_begin(&address, "x.update");
        (void)!WHEN(!load_busy());
        (void)!load_install(false);
        (void)!WHEN(!load_busy());
        if (medium->countdown > 0)
            return holds(8, 1) ? 2 : 3;
    }
    ram_medium_cut(medium);
    return holds(6, 1) ? 0 : holds(8, 1) ? 1 : 3;
}

static void test_cuts(void)
{
    unsigned counts[4] = {0, 0, 0, 0};

    for (uint64_t n = 1; counts[2] == 0 && n < 5000; n += n < 780 ? 23 : 1) {
        int status = 0;
        pid_t child;

        fflush(stdout);
        child = fork();
        if (child == 0)
            _exit(update_with_cut(n));
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 3);
        counts[WIFEXITED(status) ? WEXITSTATUS(status) & 3 : 3]++;
    }
    printf("cuts: %u times the old one starts, %u times the new one\n",
           counts[0], counts[1]);
    CHECK(counts[0] > 30 && counts[1] > 0 && counts[2] == 1);
}

/* ---- Users --------------------------------------------------------------- */

static bool users_loaded(const char *columns, const char *lines,
                         const char *text)
{
    struct net_address address = net_address_v4(0x0a000202);

    server.bytes = (size_t)snprintf((char *)server.file, sizeof server.file,
                                    "%s\r\n%s", columns, lines);
    server.tells_size = true;
    server.dies_at = 0;
    CHECK(load_begin(&address, "users.csv") == OK);
    CHECK(WHEN(!load_busy()));
    return says(text);
}

static bool users_say(const char *lines, const char *text)
{
    return users_loaded("username,password,aliases", lines, text) &&
           says("nothing was changed");
}

/* All of the file is checked before anybody is added. */
static void test_users(void)
{
    size_t count = directory_user_count();
    char lines[500];

    snprintf(lines, sizeof lines, "new,\"%s\",\nNEW,\"%s\",\n", hash, hash);
    CHECK(users_say(lines, "line 3: the user NEW stands there twice"));
    snprintf(lines, sizeof lines, "new,\"%s\",Other\nother,\"%s\",\n", hash,
             hash);
    CHECK(users_say(lines, "line 2: the alias Other is a user"));
    snprintf(lines, sizeof lines, "new,\"%s\",alice@example.org\n", hash);
    CHECK(users_say(lines, "line 2: the alias alice@example.org is a user"));
    CHECK(users_say("", "there is no user in it"));
    CHECK(users_say("alice,,\n", "line 2: the password is empty"));
    CHECK(directory_user_count() == count);
    CHECK(!directory_find_user("new", 3));
}

/* What the file does not speak of stays as it is. */
static void test_change_of_users(void)
{
    const struct user *alice, *carol;
    char lines[500];

    snprintf(lines, sizeof lines, "alice,\"%s\",A Name,5,yes\n", hash);
    CHECK(users_loaded("username,password,name,quota_mb,admin", lines,
                       "0 users added, 1 changed"));
    snprintf(lines, sizeof lines, "ALICE,\"%s\"\ncarol,\"%s\"\n", hash, hash);
    CHECK(users_loaded("username,password", lines, "0 users added, 2 changed"));
    alice = directory_find_user("alice", 5);
    carol = directory_find_user("carol", 5);
    CHECK(alice && alice->admin && alice->quota_bytes == 5u << 20);
    CHECK(alice && strcmp(alice->full_name, "A Name") == 0 && alice->enabled);
    CHECK(carol && !carol->enabled && !carol->admin);
    snprintf(lines, sizeof lines, "alice,\"%s\",no\n", hash);
    CHECK(users_loaded("username,password,admin", lines, "1 changed"));
    alice = directory_find_user("alice", 5);
    CHECK(alice && !alice->admin && alice->quota_bytes == 5u << 20);
}

/* However many aliases a user gets, that is one commit. */
static void test_many_aliases(void)
{
    const struct directory_expansion *expansion;
    uint64_t commits = st_context.figures.commits;
    char lines[700];
    int len = snprintf(lines, sizeof lines, "alice,\"%s\",", hash);

    for (int i = 0; i < 40; i++)
        len += snprintf(lines + len, sizeof lines - (size_t)len, "list%d ", i);
    snprintf(lines + len, sizeof lines - (size_t)len, ",only a@else.example\n");
    CHECK(users_loaded("username,password,aliases,forward", lines,
                       "0 users added, 1 changed"));
    CHECK(st_context.figures.commits <= commits + 3);
    CHECK(directory_expand("list39", 6, "", 0, &expansion) == OK);
    CHECK(expansion->count == 1 && !expansion->targets[0].user);
    CHECK(users_loaded("username,password,aliases,forward", lines,
                       "0 users added, 1 changed"));
    /* Nobody gets the name of an alias, whose mail goes elsewhere. */
    snprintf(lines, sizeof lines, "List7,\"%s\",\n", hash);
    CHECK(users_say(lines, "line 2: the user List7 is an alias already"));
}

int main(void)
{
    size_t taken;

    if (!sticks_begin())
        return 1;
    make_store(&sticks[0]);
    make_slots(&sticks[0]);
    CHECK(st_module_init(BUFFER_BYTES) == OK);
    /* A PC with little memory. */
    taken = fake_machine.memory_taken;
    fake_machine.memory_taken += memory_left() - (1u << 20);
    CHECK(load_init() == OK);
    fake_machine.memory_taken = taken;
    CHECK(loads("The stick is gone"));
    plug(0, &sticks[0]);
    CHECK(WHEN(st_state() == ST_READY));
    test_users();
    test_change_of_users();
    test_many_aliases();
    test_update();
    test_stores();
    test_liars();
    test_sticks_that_fail();
    test_cuts();
    ram_medium_free(&sticks[0]);
    return sticks_end();
}
