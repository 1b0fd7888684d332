/* What can go wrong with a stick, and what must be said and done then.
 *
 * Each run plays one scenario (its seed chooses which): mail flows, the fault
 * comes, answers and screen are looked at, the fault goes, mail must flow again
 * by itself; in the end every maildrop is read and compared with what was
 * answered. */
#include "store/st.h"
#include "tests/sim/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENDERS  3
#define READERS  2
#define LOOK_NS  (100 * SIM_MS)
#define SETTLE   (3 * SIM_SECOND) /* until an answer must have changed */
#define FAULT_NS (40 * SIM_SECOND)

struct scenario {
    const char *name;
    /* Before the AO starts: which stick is in which place. */
    void (*start)(void);
    /* After some mail has flowed; NULL: the fault is there from the start. */
    void (*fault)(void);
    /* Looked at from SETTLE after the fault until its end; returns whether all
     * that is expected was seen. */
    bool (*seen)(void);
    void (*heal)(void);
    bool silent; /* from the start there is no service to speak to */
};

enum phase { FLOWING, FAULTY, HEALED, READING, IDLE };

static struct {
    struct sim_image good, other, small, bare, old, blank;
    struct sim_image *image; /* the one that mail is in */
    const struct scenario *scenario;
    const char *wanted; /* by name; NULL: by seed */
    struct sim_world *world;
    struct sim_sender senders[SENDERS];
    struct sim_reader readers[READERS + SIM_USERS * 2];
    unsigned readers_running;
    struct sim_stick_profile profile;
    struct sim_random random;
    enum phase phase;
    struct sim_event look;
    uint64_t since_ns;
    unsigned accepted_before;
    bool seen;
    unsigned pulls;
} state;

static unsigned accepted(void)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < SENDERS; i++)
        sum += state.senders[i].accepted;
    return sum;
}

static unsigned answered(int code)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < SENDERS; i++)
        sum += state.senders[i].codes[code];
    return sum;
}

static unsigned temporary(void)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < READERS; i++)
        sum += state.readers[i].temporary;
    return sum;
}

/* The state of the store stands on the screen, in words. */
static bool screen_says(enum st_state expected)
{
    char text[31];

    snprintf(text, sizeof(text), "%s", st_state_text());
    return st_state() == expected && text[0] != '\0' && sim_console_shows(text);
}

/* ---- Scenarios --------------------------------------------------------- */

static void insert(unsigned place, struct sim_image *image)
{
    sim_stick_insert(place, image->medium, &state.profile);
}

static void start_good(void)
{
    insert(0, state.image);
}

static void pull(void)
{
    sim_stick_remove(0);
}

/* Nothing can be durable now. */
static bool gone_seen(void)
{
    if (accepted() != state.accepted_before)
        sim_fail("a message was accepted without a stick");
    return screen_says(ST_GONE) && answered(451) + answered(452) > 0 &&
           temporary() > 0;
}

static void put_back(void)
{
    insert(0, state.image);
}

static void put_back_elsewhere(void)
{
    insert(2, state.image);
}

static void exchange(void)
{
    sim_stick_remove(0);
    insert(0, &state.other);
}

static void exchange_back(void)
{
    sim_stick_remove(0);
    insert(0, state.image);
}

static void fail_writes(void)
{
    sim_stick_fail(0, MACHINE_DISK_WRITE, ERR_IO, 300000);
}

static void fail_all_writes(void)
{
    sim_stick_fail(0, MACHINE_DISK_WRITE, ERR_IO, 1000000);
}

static void fail_flushes(void)
{
    sim_stick_fail(0, MACHINE_DISK_FLUSH, ERR_IO, 500000);
}

static void fail_reads(void)
{
    sim_stick_fail(0, MACHINE_DISK_READ, ERR_IO, 500000);
}

static void fail_nothing(void)
{
    sim_stick_fail(0, MACHINE_DISK_READ, OK, 0);
    sim_stick_fail(0, MACHINE_DISK_WRITE, OK, 0);
    sim_stick_fail(0, MACHINE_DISK_FLUSH, OK, 0);
}

/* The stick is named, and what it does. */
static bool named(const char *what)
{
    const char *text = st_trouble();

    return strstr(text, what) != NULL && sim_console_shows(text);
}

static bool errors_seen(void)
{
    struct machine_disk_info info;

    machine_disk_info(0, &info);
    return info.errors > 0 && named(" fails to ");
}

/* Not a single write works: nothing may be accepted. */
static bool no_writes_seen(void)
{
    if (accepted() != state.accepted_before)
        sim_fail("a message was accepted, and nothing could be written");
    return errors_seen() && named(" fails to write: no mail is taken") &&
           answered(451) + answered(452) > 0;
}

static void stall(void)
{
    sim_stick_stall(0, FAULT_NS + 2 * SIM_SECOND);
}

static bool stall_seen(void)
{
    if (accepted() != state.accepted_before)
        sim_fail("a message was accepted by a stick that answers nothing");
    return named(" has not answered for ");
}

static void nothing(void)
{
}

static bool full_seen(void)
{
    return answered(452) > 3;
}

static void empty_maildrops(void);

static void start_empty(void)
{
}

static bool searching_seen(void)
{
    return screen_says(ST_SEARCHING);
}

static void start_bare(void)
{
    insert(0, &state.bare);
}

static void start_blank(void)
{
    insert(0, &state.blank);
}

static bool no_store_seen(void)
{
    return screen_says(ST_SEARCHING) || screen_says(ST_FAILED);
}

static void start_old(void)
{
    insert(0, &state.old);
}

static bool version_seen(void)
{
    return screen_says(ST_FAILED) && sim_console_shows("version");
}

static void start_read_only(void)
{
    struct sim_stick_profile profile = state.profile;

    profile.read_only = true;
    sim_stick_insert(0, state.image->medium, &profile);
}

/* Mail can be read, none can come in. */
static bool read_only_seen(void)
{
    if (accepted() > 0)
        sim_fail("a message was accepted by a write-protected stick");
    return named(" is write-protected: no mail is taken") &&
           answered(451) > 0 && state.readers[0].sessions_done > 0;
}

static const struct scenario scenarios[] = {
    {"pulled", start_good, pull, gone_seen, put_back, false},
    {"elsewhere", start_good, pull, gone_seen, put_back_elsewhere, false},
    {"exchanged", start_good, exchange, gone_seen, exchange_back, false},
    {"write-errors", start_good, fail_writes, errors_seen, fail_nothing, false},
    {"no-writes", start_good, fail_all_writes, no_writes_seen, fail_nothing,
     false},
    {"flush-errors", start_good, fail_flushes, errors_seen, fail_nothing,
     false},
    {"read-errors", start_good, fail_reads, errors_seen, fail_nothing, false},
    {"stalled", start_good, stall, stall_seen, nothing, false},
    {"full", start_good, nothing, full_seen, empty_maildrops, false},
    {"no-stick", start_empty, NULL, searching_seen, put_back, true},
    {"no-store", start_bare, NULL, no_store_seen, put_back_elsewhere, true},
    {"blank", start_blank, NULL, no_store_seen, put_back_elsewhere, true},
    {"version", start_old, NULL, version_seen, exchange_back, true},
    {"read-only", start_read_only, NULL, read_only_seen, exchange_back, true},
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static bool is(const char *name)
{
    return strcmp(state.scenario->name, name) == 0;
}

/* ---- Clients ----------------------------------------------------------- */

static void reader_done(struct sim_reader *reader)
{
    (void)reader;
    state.readers_running--;
}

static void start_reader(unsigned index, unsigned user, uint32_t delete_ppm,
                         unsigned wanted)
{
    struct sim_reader *reader = &state.readers[index];

    reader->peer = &state.world->peers[user % SIM_PEERS];
    reader->user = user;
    reader->wanted = wanted;
    reader->delete_ppm = delete_ppm;
    reader->pause_ns = SIM_SECOND;
    reader->patient = true;
    reader->done = reader_done;
    state.readers_running++;
    sim_reader_start(reader, index,
                     sim_random_below(&state.random, SIM_SECOND));
}

static void empty_maildrops(void)
{
    for (unsigned user = 0; user < SIM_USERS; user++)
        start_reader(READERS + SIM_USERS + user, user, 1000000, 1);
}

static void start_clients(void)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        struct sim_sender *sender = &state.senders[i];

        sender->peer = &state.world->peers[i % SIM_PEERS];
        sender->wanted = UINT32_MAX;
        sender->small = 4000;
        sender->big = 150000;
        sender->big_one_in = is("full") ? 2 : 10;
        sender->pause_ns = SIM_SECOND;
        sender->patient = true;
        sim_sender_start(sender, i,
                         sim_random_below(&state.random, SIM_SECOND));
    }
    for (unsigned i = 0; i < READERS; i++)
        start_reader(i, i, is("full") ? 0 : 300000, UINT32_MAX);
}

static bool clients_ended(void)
{
    for (unsigned i = 0; i < SENDERS; i++)
        if (!state.senders[i].finished)
            return false;
    return state.readers_running == 0;
}

static void end_clients(void)
{
    for (unsigned i = 0; i < SENDERS; i++)
        state.senders[i].wanted = state.senders[i].accepted + 1;
    for (unsigned i = 0; i < READERS; i++)
        state.readers[i].wanted = state.readers[i].sessions_done + 1;
}

/* ---- The course of a run ----------------------------------------------- */

static void enter(enum phase phase)
{
    sim_note("phase %d", (int)phase);
    state.phase = phase;
    state.since_ns = sim_now();
    state.accepted_before = accepted();
    state.seen = false;
}

static void look_while_faulty(uint64_t lasted)
{
    if (lasted < SETTLE) {
        state.accepted_before = accepted();
        return;
    }
    if (state.scenario->seen())
        state.seen = true;
    if (lasted < FAULT_NS || (is("full") && !state.seen))
        return;
    if (!state.seen)
        sim_fail("%s: not all that should be said was said; state \"%s\", "
                 "451: %u, 452: %u, SYS/TEMP: %u; screen:\n%s",
                 state.scenario->name, st_state_text(), answered(451),
                 answered(452), temporary(), sim_console_text());
    state.scenario->heal();
    enter(HEALED);
}

static void look(struct sim_event *event)
{
    uint64_t lasted = sim_now() - state.since_ns;

    sim_event_start(event, LOOK_NS);
    switch (state.phase) {
    case FLOWING:
        if (state.scenario->fault == NULL) {
            enter(FAULTY);
        } else if (accepted() >= 6) {
            state.scenario->fault();
            enter(FAULTY);
        }
        break;
    case FAULTY:
        look_while_faulty(lasted);
        break;
    case HEALED:
        /* Service has resumed when every sender has got one more through. */
        if (accepted() >= state.accepted_before + 4) {
            end_clients();
            enter(READING);
        }
        break;
    case READING:
        if (!clients_ended())
            break;
        for (unsigned user = 0; user < SIM_USERS; user++)
            start_reader(READERS + user, user, 0, 1);
        enter(IDLE);
        break;
    case IDLE:
        if (state.readers_running > 0)
            break;
        sim_event_stop(event);
        sim_ledger_check_whole();
        sim_world_finish_idle(1500 * SIM_SECOND);
        break;
    }
}

static void prepare(void *context)
{
    struct sim_world_options options = {.link = sim_good_link};

    (void)context;
    sim_random_init(&state.random, sim_options.seed, "stick faults", 1);
    sim_stick_profile(&state.profile, &state.random);
    state.world = sim_world_start(&options);
    state.scenario->start();
    start_clients();
    sim_event_init(&state.look, look);
    sim_event_start(&state.look, LOOK_NS);
}

static void make_images(void)
{
    struct sim_image_options options = {.database_bytes = 12u << 20};

    sim_image_make(&state.good, &options);
    sim_image_make(&state.other, &options);
    options.version = "99";
    sim_image_make(&state.old, &options);
    options.version = NULL;
    options.database_bytes = 2u << 20;
    sim_image_make(&state.small, &options);
    options.no_store = true;
    sim_image_make(&state.bare, &options);
    state.blank.medium = sim_medium_make(SIM_IMAGE_SECTORS);
}

static bool run(void)
{
    bool passed;

    state.scenario = NULL;
    for (size_t i = 0; i < SCENARIOS; i++)
        if (state.wanted != NULL &&
            strcmp(scenarios[i].name, state.wanted) == 0)
            state.scenario = &scenarios[i];
    if (state.scenario == NULL)
        state.scenario = &scenarios[sim_options.seed % SCENARIOS];
    sim_image_restore(&state.good);
    sim_image_restore(&state.other);
    sim_image_restore(&state.small);
    sim_image_restore(&state.bare);
    sim_image_restore(&state.old);
    state.image = is("full") ? &state.small : &state.good;
    sim_ledger_start();
    passed = sim_boot(prepare, NULL) && sim_image_check(state.image);
    sim_image_save(state.image);
    if (passed)
        return true;
    printf("scenario %s: ", state.scenario->name);
    return false;
}

static int option(const char *name, const char *value)
{
    if (strcmp(name, "--scenario") != 0 || value == NULL)
        return 0;
    state.wanted = value;
    return 2;
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "stick_faults",
        .default_runs = 42,
        .prepare = make_images,
        .run = run,
        .option = option,
        .help = "  --scenario NAME  pulled, elsewhere, exchanged, "
                "write-errors, no-writes,\n"
                "             flush-errors, read-errors, stalled, full, "
                "no-stick, no-store,\n"
                "             blank, version, read-only (by seed)\n",
    };

    return sim_main(argc, argv, &program);
}
