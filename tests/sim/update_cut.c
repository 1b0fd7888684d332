/* Updates over the network, under power cuts.
 *
 * Each run boots the AO several times on one stick. Senders bring messages; a
 * TFTP server has a new version, which the AO fetches and installs; the power
 * goes in the middle of a random operation of the stick, or at a random
 * instant. After each cut the version that starts is whole, and is the one
 * before the cut or the new one; so is the previous version. The last boot is
 * left in peace: the update succeeds, and every message that was answered 250
 * is there. */
#include "core/bytes.h"
#include "load/load.h"
#include "mailstore/slots.h"
#include "store/st.h"
#include "tests/sim/world.h"
#include "tests/unit/sham_program.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SENDERS       3
#define CUTS_MOST     8
#define UPTIME_MOST   (6 * SIM_SECOND)
#define LOOK_NS       (5 * SIM_MS)
#define DATABASE_SIZE (12u << 20)
#define SLOT_BYTES    (1u << 20)
#define PROGRAM_BYTES 700000u
#define SERVER_IP     0x0a000003u

/* What is on the stick, and what the cuts have hit, over all runs. */
struct shared {
    uint64_t fetching, installing, serving, starting;
    uint64_t before, after; /* how often which version started then */
    int now, previous;      /* number of the version that starts */
    int offered;
};

enum phase { WAITS, FETCHES, INSTALLS, DONE };

/* Of the stick, in each phase, about. */
static const uint64_t operations_most[] = {
    [WAITS] = 1, [FETCHES] = 80, [INSTALLS] = 35};

static struct {
    struct shared *shared;
    struct sim_image image;
    bool last;
    enum phase phase;
    struct sim_sender senders[SENDERS];
    struct sim_reader readers[SIM_USERS];
    unsigned reading;
    struct sim_event cut, look;
    enum phase cut_phase;
    uint64_t cut_operation; /* since that began; 0: by time */
    uint64_t operations;
    struct sim_file file;
    struct sim_random random;
} state;

/* ---- Programs -------------------------------------------------------------
 */

static void make_program(unsigned n, uint8_t *ao, struct program_label *label)
{
    sham_program(n, ao, PROGRAM_BYTES + n * 1777, STORE_VERSION, label);
}

static void offer(unsigned n)
{
    static uint8_t content[PROGRAM_LABEL_BYTES + PROGRAM_BYTES + 100 * 1777];
    struct program_label label;

    make_program(n, content + PROGRAM_LABEL_BYTES, &label);
    program_label_write(&label, content);
    state.file.content = content;
    state.file.bytes = PROGRAM_LABEL_BYTES + label.bytes;
}

/* ---- The stick, from outside ----------------------------------------------
 */

static void must(enum err err, const char *what)
{
    if (err != OK)
        sim_fail("%s: %s", what, err_text(err));
}

/* The original and the copy that runs work on. */
static enum err both_read(struct media *media, uint64_t sector, uint32_t count,
                          void *buffer)
{
    (void)media;
    memcpy(buffer, state.image.medium->durable + sector * MACHINE_SECTOR_BYTES,
           (size_t)count * MACHINE_SECTOR_BYTES);
    return OK;
}

static enum err both_write(struct media *media, uint64_t sector, uint32_t count,
                           const void *buffer)
{
    (void)media;
    sim_medium_write(state.image.original, sector, count, buffer);
    sim_medium_write(state.image.medium, sector, count, buffer);
    return OK;
}

static enum err both_flush(struct media *media)
{
    (void)media;
    return OK;
}

static struct media both = {both_read, both_write, both_flush, 0};

/* A file of one cluster becomes the folder "ao". */
static void make_folder(struct fat32 *fat)
{
    uint8_t sector[MACHINE_SECTOR_BYTES] = {0};
    uint64_t root = fat->data_sector +
                    (uint64_t)(fat->root_cluster - 2) * fat->cluster_sectors;
    struct fat32_file file;
    uint32_t cluster;

    must(fat32_create(fat, SLOTS_FOLDER, fat->cluster_sectors * 512, &file),
         "fat32_create");
    cluster =
        (uint32_t)((file.sector - fat->data_sector) / fat->cluster_sectors) + 2;
    memcpy(sector, ".          \x10", 12);
    memcpy(sector + 32, "..         \x10", 12);
    put_le16(sector + 20, (uint16_t)(cluster >> 16));
    put_le16(sector + 26, (uint16_t)cluster);
    must(both_write(&both, file.sector, 1, sector), "write");
    must(both_read(&both, root, 1, sector), "read");
    for (unsigned at = 0; at < sizeof(sector); at += 32)
        if (memcmp(sector + at, "AO         ", 11) == 0) {
            sector[at + 11] = 0x10;
            put_le32(sector + at + 28, 0);
        }
    must(both_write(&both, root, 1, sector), "write");
}

static void make_slots(void *context)
{
    static uint8_t ao[PROGRAM_BYTES + 2 * 1777 + 512];
    struct program_label label;
    struct fat32_file file;
    struct fat32 fat, folder;
    struct slots slots;

    (void)context;
    must(fat32_mount(&fat, &both), "fat32_mount");
    make_folder(&fat);
    must(fat32_enter(&fat, SLOTS_FOLDER, &folder), "fat32_enter");
    for (unsigned i = 0; i < SLOTS; i++)
        must(fat32_create(&folder, slots_name(i), SLOT_BYTES, &file), "create");
    must(slots_find(&slots, &both), "slots_find");
    for (unsigned i = 0; i < 2; i++) {
        make_program(1 - i, ao, &label);
        must(both_write(&both, slots.sector[i], (label.bytes + 511) / 512, ao),
             "write");
        must(slots_put_label(&slots, i, &label), "slots_put_label");
    }
}

static int number_in(const struct slots *slots, enum slot slot)
{
    static uint8_t buffer[64 * 1024];
    struct program_label label;
    unsigned n = 0;

    must(slots_check(slots, slot, buffer, sizeof(buffer), &label),
         slots_name(slot));
    if (sscanf(label.version, "number %u", &n) != 1)
        sim_fail("a version that was never made");
    return (int)n;
}

/* After a boot: which versions are there. */
static void look_at_slots(void *context)
{
    struct shared *shared = state.shared;
    struct slots slots;
    int now, previous;

    (void)context;
    must(slots_find(&slots, &both), "slots_find");
    now = number_in(&slots, SLOT_NOW);
    previous = number_in(&slots, SLOT_PREVIOUS);
    if (now == shared->now && previous == shared->previous) {
        shared->before++;
        return;
    }
    if (now != shared->offered || previous != shared->now)
        sim_fail("%d and %d are there; before were %d and %d, %d was new", now,
                 previous, shared->now, shared->previous, shared->offered);
    shared->after++;
    shared->previous = previous;
    shared->now = now;
}

/* ---- A boot ---------------------------------------------------------------
 */

static void cut(struct sim_event *event)
{
    struct shared *shared = state.shared;

    (void)event;
    if (state.phase == FETCHES)
        shared->fetching++;
    else if (state.phase == INSTALLS)
        shared->installing++;
    else if (st_state() == ST_READY)
        shared->serving++;
    else
        shared->starting++;
    sim_power_cut();
}

static void operation_starts(uint64_t operations,
                             enum machine_disk_operation operation,
                             uint64_t takes_ns)
{
    (void)operations;
    (void)operation;
    if (state.phase >= state.cut_phase && state.phase != DONE &&
        ++state.operations == state.cut_operation)
        sim_event_start(&state.cut,
                        sim_random_below(&state.random, takes_ns + 1));
}

static void plan_cut(void)
{
    sim_event_init(&state.cut, cut);
    sim_event_start(&state.cut, sim_random_below(&state.random, UPTIME_MOST));
    state.operations = state.cut_operation = 0;
    if (!sim_random_chance(&state.random, 800000))
        return;
    state.cut_phase =
        sim_random_chance(&state.random, 500000) ? FETCHES : INSTALLS;
    state.cut_operation =
        sim_random_range(&state.random, 1, operations_most[state.cut_phase]);
    sim_event_start(&state.cut, UPTIME_MOST);
    sim_stick_watch(operation_starts);
}

static void reader_done(struct sim_reader *reader)
{
    (void)reader;
    if (--state.reading > 0)
        return;
    sim_ledger_check_whole();
    sim_finish();
}

/* Everything is done: is the mail there? */
static void start_readers(void)
{
    static struct sim_peer *peer;

    peer = state.senders[0].peer;
    state.reading = SIM_USERS;
    for (unsigned i = 0; i < SIM_USERS; i++) {
        struct sim_reader *reader = &state.readers[i];

        memset(reader, 0, sizeof(*reader));
        reader->peer = peer;
        reader->user = i;
        reader->wanted = 1;
        reader->pause_ns = SIM_SECOND;
        reader->patient = true;
        reader->done = reader_done;
        sim_reader_start(reader, i, 0);
    }
}

/* The administrator at the console, who looks often. */
static void look(struct sim_event *event)
{
    struct net_address server = net_address_v4(SERVER_IP);

    if (state.phase == WAITS && st_state() == ST_READY &&
        load_begin(&server, "x.update") == OK) {
        state.phase = FETCHES;
    } else if (state.phase == FETCHES && !load_busy()) {
        if (strstr(load_text(), "Checked and ready") == NULL)
            sim_fail("not fetched: %s", load_text());
        must(load_install(false), "load_install");
        state.phase = INSTALLS;
    } else if (state.phase == INSTALLS && !load_busy()) {
        if (strstr(load_text(), "Installed: ") == NULL)
            sim_fail("not installed: %s", load_text());
        state.phase = DONE;
        if (state.last)
            start_readers();
    }
    sim_event_start(event, LOOK_NS);
}

static void start_senders(struct sim_world *world)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        struct sim_sender *sender = &state.senders[i];

        sender->peer = &world->peers[i];
        sender->wanted = state.last ? 2 : 40;
        sender->small = 3000;
        sender->big = 100000;
        sender->big_one_in = 10;
        sender->pause_ns = SIM_SECOND / 8;
        sender->patient = true;
        sim_sender_start(sender, i, 0);
    }
}

static void prepare(void *context)
{
    struct sim_world_options options = {.link = sim_good_link};
    struct sim_stick_profile profile;
    struct sim_world *world;

    (void)context;
    sim_random_init(&state.random, sim_options.seed, "update cut",
                    sim_shared->boot);
    sim_stick_profile(&profile, &state.random);
    options.profile = &profile;
    options.image = &state.image;
    world = sim_world_start(&options);
    offer((unsigned)state.shared->offered);
    world->server.file = &state.file;
    state.phase = WAITS;
    start_senders(world);
    sim_event_init(&state.look, look);
    sim_event_start(&state.look, LOOK_NS);
    if (!state.last)
        plan_cut();
}

/* ---- A run ----------------------------------------------------------------
 */

static bool boot_once(void)
{
    state.shared->offered++;
    return sim_boot(prepare, NULL) && sim_child(look_at_slots, NULL) &&
           sim_image_check(&state.image);
}

static bool run(void)
{
    struct shared *shared = state.shared;
    struct sim_random random;
    uint64_t cuts;
    bool passed = true;

    sim_random_init(&random, sim_options.seed, "cuts", 0);
    cuts = sim_random_range(&random, 2, CUTS_MOST);
    shared->now = shared->offered = 1;
    shared->previous = 0;
    sim_image_restore(&state.image);
    sim_ledger_start();
    state.last = false;
    for (uint64_t i = 0; passed && i < cuts; i++)
        passed = boot_once();
    state.last = true;
    passed = passed && boot_once();
    sim_image_save(&state.image);
    return passed && shared->now == shared->offered;
}

static void make_image(void)
{
    struct sim_image_options options = {.database_bytes = DATABASE_SIZE};

    state.shared = sim_shared_take(sizeof(*state.shared));
    sim_image_make(&state.image, &options);
    both.sectors = state.image.medium->sectors;
    if (!sim_child(make_slots, NULL)) {
        fprintf(stderr, "cannot make slots: %s\n", sim_shared->why);
        exit(2);
    }
}

static void report(void)
{
    const struct shared *shared = state.shared;

    printf("cuts: %llu while fetching, %llu while installing, %llu in service,"
           " %llu while starting; then the old version started %llu times, the"
           " new one %llu times\n",
           (unsigned long long)shared->fetching,
           (unsigned long long)shared->installing,
           (unsigned long long)shared->serving,
           (unsigned long long)shared->starting,
           (unsigned long long)shared->before,
           (unsigned long long)shared->after);
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "update_cut",
        .default_runs = 20,
        .prepare = make_image,
        .run = run,
        .report = report,
        .help = "",
    };

    return sim_main(argc, argv, &program);
}
