/* Every dialogue ends well on a bad wire.
 *
 * Each run loses, reorders and doubles frames by chance while senders bring
 * messages and readers fetch them; all must be done in the end, with the right
 * content, and nothing of the AO's pools may be missing afterwards. */
#include "tests/sim/world.h"

#define SENDERS 3
#define READERS 3
/* SMTP sessions that a peer left without a word end after 5 minutes, POP3's
 * after 10 (RFC 5321 4.5.3.2.7, RFC 1939 3); TIME-WAIT comes on top. */
#define IDLE_NS (900 * SIM_SECOND)

static struct {
    struct sim_image images[2]; /* static address, DHCP */
    struct sim_link link;
    struct sim_image *image;
    struct sim_sender senders[SENDERS];
    struct sim_reader readers[READERS + SIM_USERS];
    unsigned running;
    bool last; /* the last readers are at work */
    struct sim_world *world;
} state = {
    .link = {.latency_ns = 2 * SIM_MS,
             .jitter_ns = 1 * SIM_MS,
             .bits_per_second = 100000000,
             .loss_ppm = 50000,
             .reorder_ppm = 50000,
             .reorder_ns = 10 * SIM_MS,
             .duplicate_ppm = 20000,
             .corrupt_ppm = 5000},
};

static void one_done(void);

static void reader_done(struct sim_reader *reader)
{
    (void)reader;
    one_done();
}

static void sender_done(struct sim_sender *sender)
{
    (void)sender;
    one_done();
}

/* When all are done, every maildrop is read once more. */
static void one_done(void)
{
    if (--state.running > 0)
        return;
    if (state.last) {
        sim_ledger_check_whole();
        sim_world_finish_idle(IDLE_NS);
        return;
    }
    state.last = true;
    state.running = SIM_USERS;
    for (unsigned user = 0; user < SIM_USERS; user++) {
        struct sim_reader *reader = &state.readers[READERS + user];

        reader->peer = &state.world->peers[user % SIM_PEERS];
        reader->user = user;
        reader->wanted = 1;
        reader->patient = true;
        reader->done = reader_done;
        sim_reader_start(reader, READERS + user, 0);
    }
}

static void prepare(void *context)
{
    struct sim_world_options options = {.link = state.link};
    struct sim_stick_profile profile;
    struct sim_random random;

    (void)context;
    sim_random_init(&random, sim_options.seed, "lossy wire", 0);
    sim_stick_profile(&profile, &random);
    options.profile = &profile;
    options.image = state.image;
    state.world = sim_world_start(&options);
    state.running = SENDERS + READERS;
    for (unsigned i = 0; i < SENDERS; i++) {
        struct sim_sender *sender = &state.senders[i];

        sender->peer = &state.world->peers[i % SIM_PEERS];
        sender->wanted = (unsigned)sim_random_range(&random, 1, 6);
        sender->small = 5000;
        sender->big = 150000;
        sender->big_one_in = 8;
        sender->pause_ns = 3 * SIM_SECOND;
        sender->rude_ppm = 100000;
        sender->patient = true;
        sender->done = sender_done;
        sim_sender_start(sender, i, sim_random_below(&random, 4 * SIM_SECOND));
    }
    for (unsigned i = 0; i < READERS; i++) {
        struct sim_reader *reader = &state.readers[i];

        reader->peer = &state.world->peers[(i + 1) % SIM_PEERS];
        reader->user = (unsigned)sim_random_below(&random, SIM_USERS);
        reader->wanted = (unsigned)sim_random_range(&random, 1, 3);
        reader->delete_ppm = 300000;
        reader->pause_ns = 5 * SIM_SECOND;
        reader->rude_ppm = 100000;
        reader->pause_ppm = 50000;
        reader->patient = true;
        reader->done = reader_done;
        sim_reader_start(reader, i, sim_random_below(&random, 8 * SIM_SECOND));
    }
}

static void prepare_images(void)
{
    struct sim_image_options options = {.database_bytes = 16u << 20};

    sim_image_make(&state.images[0], &options);
    options.dhcp = true;
    sim_image_make(&state.images[1], &options);
}

static bool run(void)
{
    bool passed;

    state.image = &state.images[sim_options.seed % 2];
    sim_image_restore(state.image);
    sim_ledger_start();
    passed = sim_boot(prepare, NULL) && sim_image_check(state.image);
    sim_image_save(state.image);
    return passed;
}

static int option(const char *name, const char *value)
{
    return sim_link_option(&state.link, name, value);
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "lossy_wire",
        .default_runs = 1000,
        .prepare = prepare_images,
        .run = run,
        .option = option,
        .help = "  --loss P, --reorder P, --duplicate P, --corrupt P\n"
                "             percent of the frames (5, 5, 2, 0.5)\n",
    };

    return sim_main(argc, argv, &program);
}
