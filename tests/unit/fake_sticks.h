/* ST on a fake machine with slow disks, for its tests: sticks with a store and
 * three users, turns of the loop, messages on their way in, maildrops. A
 * program includes this once. */
#ifndef TESTS_UNIT_FAKE_STICKS_H
#define TESTS_UNIT_FAKE_STICKS_H

#include "check.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/timer.h"
#include "fake_machine.h"
#include "ram_medium.h"
#include "store/st_internal.h"
#include "store/st_log.h"
#include "store/st_user.h"
#include "userdb/directory.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLUME_BYTES (40u << 20)
#define DATABASE     (12u << 20)
#define BUFFER_BYTES (400u << 10)
#define DISK_TURNS   3
#define SMALL_BYTES  1024

struct fake_disk {
    struct ram_medium *medium; /* NULL: nothing is plugged in */
    uint32_t generation;
    bool read_only;
    struct list queue;
    unsigned wait;
};

static struct fake_disk disks[MACHINE_DISKS];
static struct ram_medium sticks[2];
static struct ram_medium blank __attribute__((unused));
static char folder[] = "/tmp/test_st.XXXXXX";
static int64_t user_ids[3];

/* ---- The machine -------------------------------------------------------- */

void machine_disk_info(unsigned disk, struct machine_disk_info *info)
{
    memset(info, 0, sizeof *info);
    info->present = disks[disk].medium != NULL;
    info->generation = disks[disk].generation;
    info->read_only = disks[disk].read_only;
    if (info->present)
        info->sectors = disks[disk].medium->media.sectors;
    strcpy(info->vendor, "Fake");
    strcpy(info->product, "Stick");
}

void machine_disk_submit(struct machine_disk_request *request)
{
    list_append(&disks[request->disk].queue, &request->link);
}

static enum err carry_out(struct fake_disk *disk,
                          struct machine_disk_request *request)
{
    struct media *media = disk->medium ? &disk->medium->media : NULL;

    if (!media)
        return ERR_GONE;
    switch (request->operation) {
    case MACHINE_DISK_READ:
        return media->read(media, request->sector, request->sectors,
                           request->buffer);
    case MACHINE_DISK_WRITE:
        return disk->read_only
                   ? ERR_REFUSED
                   : media->write(media, request->sector, request->sectors,
                                  request->buffer);
    case MACHINE_DISK_FLUSH:
        return media->flush(media);
    default:
        return ERR_INVALID;
    }
}

bool machine_poll(void)
{
    bool any = false;

    for (unsigned i = 0; i < MACHINE_DISKS; i++) {
        struct fake_disk *disk = &disks[i];
        struct machine_disk_request *request;

        if (list_empty(&disk->queue))
            continue;
        any = true;
        if (disk->medium && ++disk->wait < DISK_TURNS)
            continue;
        disk->wait = 0;
        request = LIST_ELEMENT(list_take_first(&disk->queue),
                               struct machine_disk_request, link);
        request->result = carry_out(disk, request);
        request->done(request);
    }
    return any;
}

static void plug(unsigned disk, struct ram_medium *medium)
{
    disks[disk].medium = medium;
    disks[disk].generation++;
}

static void pull(unsigned disk)
{
    disks[disk].medium = NULL;
}

static void turn(void)
{
    fake_machine.now_ns += 100000;
    (void)machine_poll();
    (void)timer_run();
    (void)st_run();
}

/* Turns until the condition holds; false when it never does. */
#define UNTIL(condition)                                                       \
    ({                                                                         \
        unsigned turns_ = 0;                                                   \
        while (!(condition) && turns_++ < 400000)                              \
            turn();                                                            \
        (condition);                                                           \
    })

/* ---- Sticks ------------------------------------------------------------- */

static int64_t now_ms(void)
{
    return 1700000000000;
}

/* "secret" with little memory, so that the test is quick. */
static const char hash[] = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
                           "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

static void format_stick(struct ram_medium *medium)
{
    char command[600], path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/image", folder);
    snprintf(command, sizeof command,
             "rm -f %s; truncate -s %u %s; mformat -F -c 1 -T %u -i %s ::",
             path, VOLUME_BYTES, path, VOLUME_BYTES / 512, path);
    CHECK(system(command) == 0);
    ram_medium_init(medium, VOLUME_BYTES / 512, false);
    file = fopen(path, "rb");
    CHECK(file &&
          fread(medium->content, 1, VOLUME_BYTES, file) == VOLUME_BYTES);
    if (file)
        fclose(file);
}

static void make_store(struct ram_medium *medium)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    struct store_place place;
    struct store *store;

    format_stick(medium);
    CHECK(store_locate(&medium->media, DATABASE, &place) == OK);
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
    for (int i = 0; i < 3; i++) {
        struct user user = {.enabled = i != 2};

        strcpy(user.name, names[i]);
        strcpy(user.hash, hash);
        CHECK(store_user_add(store, &user) == OK);
        user_ids[i] = user.id;
    }
    CHECK(store_alias_add(store, "info", user_ids[0]) == OK);
    CHECK(store_setting_put(store, "domains", "example.org") == OK);
    store_close(store);
}

/* ---- Messages ----------------------------------------------------------- */

struct sent {
    struct st_inbound *inbound;
    uint64_t bytes, written;
    bool wants_room, answered;
    enum err result;
    int64_t id;
    uint8_t seed;
};

static uint8_t letter(const struct sent *sent, uint64_t at)
{
    return (uint8_t)('a' + (at * 7 + at / 251 + sent->seed) % 26);
}

static void on_room(void *context)
{
    struct sent *sent = context;

    sent->wants_room = true;
}

static void on_done(void *context, enum err result, int64_t id)
{
    struct sent *sent = context;

    CHECK(!sent->answered);
    sent->answered = true;
    sent->result = result;
    sent->id = id;
}

static enum err begin(struct sent *sent, uint64_t bytes, uint8_t seed)
{
    enum err why = OK;

    memset(sent, 0, sizeof *sent);
    sent->bytes = bytes;
    sent->seed = seed;
    sent->wants_room = true;
    sent->inbound = st_inbound_begin(bytes, on_room, sent, &why);
    return why;
}

/* Writes as much as is taken; true when all is. */
static bool push(struct sent *sent)
{
    uint8_t part[1500];

    while (sent->wants_room && sent->written < sent->bytes) {
        size_t len = sizeof part, took;

        if (len > sent->bytes - sent->written)
            len = (size_t)(sent->bytes - sent->written);
        for (size_t i = 0; i < len; i++)
            part[i] = letter(sent, sent->written + i);
        took = st_inbound_write(sent->inbound, part, len);
        sent->written += took;
        sent->wants_room = took == len;
    }
    return sent->written == sent->bytes;
}

static void commit(struct sent *sent, int64_t user)
{
    st_inbound_commit(
        sent->inbound,
        &(struct st_envelope){
            .sender = "x@y.z", .users = &user, .user_count = 1, .envid = ""},
        on_done, sent);
}

/* A small message from begin to commit, not yet answered. */
static inline void send_small(struct sent *sent, int64_t user, uint8_t seed)
{
    CHECK(begin(sent, SMALL_BYTES, seed) == OK);
    CHECK(push(sent));
    commit(sent, user);
}

static inline bool all_answered(const struct sent *sent, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!sent[i].answered)
            return false;
    }
    return true;
}

static bool finished[3];

static void on_request(struct st_request *request)
{
    *(bool *)request->context = true;
}

static inline bool stored_right(const struct sent *sent)
{
    static uint8_t buffer[40000];
    uint64_t at = 0;

    for (;;) {
        struct st_read read = {.message_id = sent->id,
                               .offset = at,
                               .buffer = buffer,
                               .bytes = sizeof buffer};

        finished[0] = false;
        read.request.done = on_request;
        read.request.context = &finished[0];
        st_read(&read);
        if (!UNTIL(finished[0]) || read.request.result)
            return false;
        if (read.got == 0)
            return at == sent->bytes;
        for (int i = 0; i < read.got; i++) {
            if (buffer[i] != letter(sent, at + (uint64_t)i))
                return false;
        }
        at += (uint64_t)read.got;
    }
}

static inline enum err open_drop(struct st_maildrop *drop, int64_t user)
{
    memset(drop, 0, sizeof *drop);
    finished[1] = false;
    drop->user_id = user;
    drop->request.done = on_request;
    drop->request.context = &finished[1];
    st_maildrop_open(drop);
    CHECK(!finished[1]);
    CHECK(UNTIL(finished[1]));
    return drop->request.result;
}

/* ---- Begin and end ------------------------------------------------------- */

#define HEAP_BYTES ((size_t)10 << 20)

static void *sticks_heap;

/* Before any stick is made; false: there is no folder for their images. */
static bool sticks_begin(void)
{
    if (!mkdtemp(folder))
        return false;
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    for (unsigned i = 0; i < MACHINE_DISKS; i++)
        list_init(&disks[i].queue);
    timer_module_init();
    random_module_init();
    sticks_heap = malloc(HEAP_BYTES);
    CHECK(store_module_init(sticks_heap, HEAP_BYTES, now_ms) == OK);
    return true;
}

/* What main() returns. The sticks are freed by whoever made them. */
static int sticks_end(void)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)!system(command);
    free(sticks_heap);
    return check_report();
}

#endif
