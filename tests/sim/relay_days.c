/* Mail out over five days, by the virtual clock: a server that says "later" for
 * ever, one that is down, one that turns strangers away at first, and a message
 * with a null sender. One boot each run, no cuts; then the store shows who was
 * told of what. */
#include "mailstore/store_queue.h"
#include "relay/relay.h"
#include "tests/sim/world.h"
#include "tests/unit/smtp_sink.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS       (3600 * SIM_SECOND)
#define END_NS        (126 * HOUR_NS)
#define GREY_NS       (240 * SIM_SECOND)
#define DATABASE_SIZE (12u << 20)
#define MESSAGES      4
#define TEXT_BYTES    65536

static const struct {
    const char *sender, *recipient;
} messages[MESSAGES] = {
    {"user0@" SIM_DOMAIN, "a@never.example"},
    {"user1@" SIM_DOMAIN, "b@down.example"},
    {"user2@" SIM_DOMAIN, "c@grey.example"},
    {"", "d@never.example"},
};

static const struct sim_dns_record records[] = {
    {"never.example", SIM_DNS_MX, 10, "mx.never.example", 0},
    {"mx.never.example", SIM_DNS_A, 0, NULL, 0x0a000010},
    {"down.example", SIM_DNS_A, 0, NULL, 0x0a000077},
    {"grey.example", SIM_DNS_A, 0, NULL, 0xc0a80709},
    {NULL, 0, 0, NULL, 0},
};

struct connection {
    struct sink_talk talk;
    struct sim_tcp *tcp;
};

static struct {
    struct sim_image image;
    struct sink never, grey;
    uint64_t *attempts; /* of never.example; shared */
    struct sim_event end;
} state;

/* ---- The servers -------------------------------------------------------- */

static void say(void *context, const void *bytes, size_t len)
{
    sim_tcp_write(((struct connection *)context)->tcp, bytes, len);
}

static void hang_up(void *context, bool reset)
{
    (void)reset;
    sim_tcp_close(((struct connection *)context)->tcp);
}

static void received(struct sim_tcp *tcp, const uint8_t *data, size_t len)
{
    struct connection *connection = tcp->context;

    sink_input(&connection->talk, data, len);
}

static void ended(struct sim_tcp *tcp)
{
    sim_tcp_close(tcp);
}

static void closed(struct sim_tcp *tcp, enum sim_tcp_end end)
{
    (void)end;
    sink_close(&((struct connection *)tcp->context)->talk);
    free(tcp->context);
}

static const struct sim_tcp_handler handler = {
    .received = received,
    .ended = ended,
    .closed = closed,
};

static void serve(struct sim_tcp *tcp, struct sink *sink)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        sim_fail("the simulation has no memory for a server");
    tcp->handler = &handler;
    tcp->context = connection;
    connection->tcp = tcp;
    connection->talk.context = connection;
    connection->talk.send = say;
    connection->talk.end = hang_up;
    sink_open(&connection->talk, sink);
}

static void accept_never(struct sim_tcp *tcp)
{
    ++*state.attempts;
    serve(tcp, &state.never);
}

static void accept_grey(struct sim_tcp *tcp)
{
    state.grey.rule_count = sim_now() < GREY_NS;
    serve(tcp, &state.grey);
}

/* ---- The boot ----------------------------------------------------------- */

static void end(struct sim_event *event)
{
    (void)event;
    if (state.grey.message_count != 1)
        sim_fail("grey.example has got %u messages", state.grey.message_count);
    sim_finish();
}

static void prepare(void *context)
{
    struct sim_world_options options = {.link = sim_good_link};
    struct sim_stick_profile profile;
    struct sim_random random;
    struct sim_world *world;

    (void)context;
    sim_random_init(&random, sim_options.seed, "days", 0);
    sim_stick_profile(&profile, &random);
    options.profile = &profile;
    options.image = &state.image;
    world = sim_world_start(&options);
    sink_clear(&state.never);
    sink_clear(&state.grey);
    sink_rule(&state.never, "RCPT", "450 4.2.1 try later\r\n", 0);
    sink_rule(&state.grey, "RCPT", "451 4.7.1 greylisted\r\n", 0);
    world->server.records = records;
    sim_tcp_listen(&world->peers[0], 25, accept_never);
    sim_tcp_listen(&world->peers[2], 25, accept_grey);
    sim_event_init(&state.end, end);
    sim_event_start(&state.end, END_NS);
}

static void fill(struct store *store)
{
    static const char text[] = "Subject: out\r\n\r\nBody\r\n";

    if (store_setting_put(store, "dns", "10.0.0.3") != OK)
        sim_fail("setting");
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct store_remote remote = {messages[i].recipient, "",
                                      STORE_NOTIFY_DEFAULT};
        struct store_delivery delivery = {.sender = messages[i].sender,
                                          .received_ms = 1767225600000,
                                          .remotes = &remote,
                                          .remote_count = 1,
                                          .tail = text,
                                          .tail_bytes = sizeof(text) - 1};

        if (store_deliver(store, &delivery) != OK)
            sim_fail("store_deliver: %s", store_message(store));
    }
}

static void make_image(void)
{
    struct sim_image_options options = {.database_bytes = DATABASE_SIZE,
                                        .fill = fill};

    state.attempts = sim_shared_take(sizeof(*state.attempts));
    sim_options.limit_ns = END_NS + HOUR_NS;
    sim_image_make(&state.image, &options);
}

/* ---- Results ------------------------------------------------------------ */

static unsigned count_text(const char *text, const char *what)
{
    unsigned count = 0;

    while ((text = strstr(text, what)) != NULL) {
        count++;
        text++;
    }
    return count;
}

/* A user who was told of a delay, and at the end of the failure. */
static void check_told(struct store *store, int64_t user, unsigned times)
{
    static char text[TEXT_BYTES];
    struct store_maildrop drop;
    size_t len = 0;

    if (store_maildrop_load(store, user, &drop) != OK)
        sim_fail("maildrop of user %d", (int)user);
    if (drop.count != 2 * times)
        sim_fail("user %d has got %u notices", (int)user, drop.count);
    for (unsigned i = 0; i < drop.count; i++) {
        int got =
            store_message_read(store, store_entry_at(&drop, i)->message_id, 0,
                               text + len, TEXT_BYTES - 1 - len);

        if (got < 0)
            sim_fail("a notice cannot be read");
        len += (size_t)got;
    }
    text[len] = '\0';
    if (count_text(text, "\r\nAction: delayed\r\n") != times ||
        count_text(text, "\r\nAction: failed\r\nStatus: 4.4.7\r\n") != times)
        sim_fail("user %d was told: %s", (int)user, text);
    store_maildrop_free(&drop);
}

static void check(struct store *store)
{
    uint64_t rows, held;

    if (store_queue_count(store, &rows, &held) != OK || rows != 0)
        sim_fail("%llu rows are left in the queue", (unsigned long long)rows);
    check_told(store, 1, 1);
    check_told(store, 2, 1);
    check_told(store, 3, 0);
}

static bool run(void)
{
    *state.attempts = 0;
    sim_image_restore(&state.image);
    if (!sim_boot(prepare, NULL) || !sim_image_check(&state.image) ||
        !sim_image_look(&state.image, check))
        return false;
    sim_image_save(&state.image);
    /* Two messages; after the first hours one attempt in four. */
    return *state.attempts >= 2 * 30 && *state.attempts <= 2 * 45;
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "relay_days",
        .default_runs = 1,
        .prepare = make_image,
        .run = run,
        .help = "",
    };

    return sim_main(argc, argv, &program);
}
