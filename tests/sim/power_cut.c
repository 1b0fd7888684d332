/* The promise, under power cuts.
 *
 * Each run boots the AO several times on one stick. Senders bring messages,
 * readers fetch and delete; then the power goes: at a random instant of the
 * boot, or in the middle of a random operation of the stick. After each cut the
 * store is checked on its own; the last boot is left in peace, and reads every
 * maildrop: nothing that was answered 250 is missing or changed, nothing is
 * there twice, no deletion that was answered is undone. One user has a rule,
 * another one is away: the rule has been applied to each message of his, and
 * the answer is there as soon as a message that it answers is, once. */
#include "mailstore/store_find.h"
#include "mailstore/store_internal.h"
#include "mailstore/store_person.h"
#include "store/st.h"
#include "tests/sim/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENDERS       4
#define READERS       2
#define CUTS_MOST     6
#define UPTIME_MOST   (8 * SIM_SECOND)
#define OPERATIONS    400
#define DATABASE_SIZE (12u << 20)

/* What the cuts have hit, over all runs. */
struct hits {
    uint64_t starting, serving; /* the store not open yet, open */
    uint64_t idle, operations[3];
};

static struct {
    struct hits *hits; /* shared */
    struct sim_image image;
    uint64_t cuts; /* 0: by chance, 2 to CUTS_MOST */
    bool lying;
    bool last;
    struct sim_sender senders[SENDERS];
    struct sim_reader readers[SIM_USERS];
    unsigned running;
    struct sim_event cut;
    uint64_t cut_operation; /* in the middle of this one; 0: by time */
    struct sim_random random;
} state;

static void cut(struct sim_event *event)
{
    int busy = sim_stick_busy(0);

    (void)event;
    if (st_state() == ST_READY)
        state.hits->serving++;
    else
        state.hits->starting++;
    if (busy < 0)
        state.hits->idle++;
    else
        state.hits->operations[busy]++;
    sim_power_cut();
}

static void operation_starts(uint64_t operations,
                             enum machine_disk_operation operation,
                             uint64_t takes_ns)
{
    (void)operation;
    if (operations == state.cut_operation)
        sim_event_start(&state.cut,
                        sim_random_below(&state.random, takes_ns + 1));
}

static void plan_cut(void)
{
    sim_event_init(&state.cut, cut);
    /* In any case, so that a boot ends. */
    sim_event_start(&state.cut, sim_random_below(&state.random, UPTIME_MOST));
    if (sim_random_chance(&state.random, 700000)) {
        uint64_t most =
            sim_random_chance(&state.random, 300000) ? 40 : OPERATIONS;

        state.cut_operation = sim_random_range(&state.random, 1, most);
        sim_event_start(&state.cut, UPTIME_MOST);
        sim_stick_watch(operation_starts);
    }
}

static void reader_done(struct sim_reader *reader)
{
    (void)reader;
    if (--state.running > 0)
        return;
    sim_ledger_check_whole();
    sim_finish();
}

static void start_readers(struct sim_world *world)
{
    unsigned count = state.last ? SIM_USERS : READERS;

    state.running = count;
    for (unsigned i = 0; i < count; i++) {
        struct sim_reader *reader = &state.readers[i];

        reader->peer = &world->peers[i % SIM_PEERS];
        reader->user =
            state.last ? i
                       : (unsigned)sim_random_below(&state.random, SIM_USERS);
        reader->wanted = state.last ? 1 : 1000;
        reader->delete_ppm = state.last ? 0 : 500000;
        reader->rude_ppm = state.last ? 0 : 100000;
        reader->pause_ns = SIM_SECOND;
        reader->patient = true;
        reader->done = reader_done;
        sim_reader_start(reader, i,
                         sim_random_below(&state.random, SIM_SECOND));
    }
}

static void start_senders(struct sim_world *world)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        struct sim_sender *sender = &state.senders[i];

        sender->peer = &world->peers[i % SIM_PEERS];
        sender->wanted = 40;
        sender->small = 3000;
        sender->big = 200000;
        sender->big_one_in = 10;
        sender->pause_ns = SIM_SECOND / 4;
        sender->rude_ppm = 100000;
        sender->patient = true;
        sim_sender_start(sender, i,
                         sim_random_below(&state.random, SIM_SECOND));
    }
}

static void prepare(void *context)
{
    struct sim_world_options options = {.link = sim_good_link};
    struct sim_stick_profile profile;
    struct sim_world *world;

    (void)context;
    sim_random_init(&state.random, sim_options.seed, "power cut",
                    sim_shared->boot);
    sim_stick_profile(&profile, &state.random);
    profile.lying_flush = state.lying;
    options.profile = &profile;
    options.image = &state.image;
    world = sim_world_start(&options);
    start_readers(world);
    if (state.last)
        return;
    start_senders(world);
    plan_cut();
}

#define AWAY_USER  3 /* user numbers */
#define RULED_USER 2

static void must(enum err err, const char *what)
{
    if (err != OK)
        sim_fail("%s: %s", what, err_text(err));
}

static void fill(struct store *store)
{
    struct store_rule rule = {.field = STORE_RULE_SUBJECT,
                              .pattern = "message",
                              .actions = STORE_RULE_FLAG};
    struct store_vacation vacation = {.on = true, .text = "I am away."};

    must(store_rule_put(store, RULED_USER + 1, &rule), "store_rule_put");
    must(store_vacation_put(store, AWAY_USER + 1, &vacation),
         "store_vacation_put");
    /* Messages are addressed to someone: see sim_message_text(). */
    must(store_alias_add(store, "someone", AWAY_USER + 1), "store_alias_add");
    must(store_index_want(store, 1), "store_index_want");
    must(store_index_want(store, RULED_USER + 1), "store_index_want");
}

static int64_t count(struct store *store, const char *sql)
{
    int64_t number = -1;

    must(store_number(store, sql, &number), sql);
    return number;
}

/* What rules and vacation have done, after all cuts. */
static void look(struct store *store)
{
    int64_t due = count(store, "SELECT count(*) FROM entry JOIN mailbox"
                               " USING(MailboxID) WHERE UserID=4");
    int64_t answers =
        count(store, "SELECT count(*) FROM message WHERE Sender=''");

    if (count(store, "SELECT count(*) FROM entry JOIN mailbox USING(MailboxID)"
                     " WHERE UserID=3 AND Flags&4=0") != 0)
        sim_fail("a message has come past the rule of its user");
    if (answers > 1 || (due > 0 && answers != 1) ||
        answers != count(store, "SELECT count(*) FROM vacation"))
        sim_fail("%lld messages for a user who is away have %lld answers",
                 (long long)due, (long long)answers);
}

static void make_image(void)
{
    struct sim_image_options options = {.database_bytes = DATABASE_SIZE,
                                        .fill = fill};

    state.hits = sim_shared_take(sizeof(*state.hits));
    sim_image_make(&state.image, &options);
}

static void report(void)
{
    const struct hits *hits = state.hits;

    printf("cuts: %llu while starting, %llu in service; stick idle %llu, "
           "reading %llu, writing %llu, flushing %llu\n",
           (unsigned long long)hits->starting,
           (unsigned long long)hits->serving, (unsigned long long)hits->idle,
           (unsigned long long)hits->operations[MACHINE_DISK_READ],
           (unsigned long long)hits->operations[MACHINE_DISK_WRITE],
           (unsigned long long)hits->operations[MACHINE_DISK_FLUSH]);
}

/* The boots of a run, and a check of the store after each. */
static bool boot_often(uint64_t cuts)
{
    state.last = false;
    for (uint64_t i = 0; i < cuts; i++)
        if (!sim_boot(prepare, NULL) || !sim_image_check(&state.image))
            return false;
    state.last = true;
    return sim_boot(prepare, NULL) && sim_image_check(&state.image) &&
           sim_image_look(&state.image, look);
}

static bool run(void)
{
    struct sim_random random;
    uint64_t cuts = state.cuts;
    bool passed;

    sim_random_init(&random, sim_options.seed, "cuts", 0);
    if (cuts == 0)
        cuts = sim_random_range(&random, 2, CUTS_MOST);
    sim_image_restore(&state.image);
    sim_ledger_start();
    passed = boot_often(cuts);
    sim_image_save(&state.image);
    return passed;
}

static int option(const char *name, const char *value)
{
    if (strcmp(name, "--lying-flush") == 0) {
        state.lying = true;
        return 1;
    }
    if (strcmp(name, "--cuts") == 0 && value != NULL) {
        state.cuts = strtoull(value, NULL, 0);
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "power_cut",
        .default_runs = 300,
        .prepare = make_image,
        .run = run,
        .option = option,
        .report = report,
        .help = "  --cuts N       power cuts in each run (2 to 6 by chance)\n"
                "  --lying-flush  the stick answers flushes and does nothing: "
                "runs must fail\n",
    };

    return sim_main(argc, argv, &program);
}
