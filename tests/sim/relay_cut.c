/* Mail out, under power cuts.
 *
 * The store begins with messages in the outgoing queue, for recipients in two
 * domains. Each run boots the AO several times on one stick; its servers turn
 * away, put off, and hang up as they like; the power goes at random instants.
 * The last boot is left in peace until nobody waits any more. Then everybody
 * has got everything, byte for byte, and nobody twice: except when a cut fell
 * between a server's 250 and the commit that would have told of it. */
#include "mailstore/store_queue.h"
#include "relay/relay.h"
#include "store/st.h"
#include "store/st_queue.h"
#include "tests/sim/world.h"
#include "tests/unit/smtp_sink.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES      60
#define RECIPIENTS    5
#define CUTS_MOST     5
#define UPTIME_MOST   (20 * SIM_SECOND)
#define DATABASE_SIZE (24u << 20)
#define NAME_SERVER   0x0a000003u
/* From a server's 250 to our commit, on a slow stick. */
#define COMMIT_NS  (3 * SIM_SECOND)
#define LOOK_NS    SIM_SECOND
#define BOOTS_MOST (CUTS_MOST + 2)

/* When a recipient got a message. */
struct delivery {
    unsigned times;
    unsigned boot[8];
    uint64_t at_ns[8];
};

struct shared {
    struct delivery deliveries[MESSAGES][RECIPIENTS];
    uint64_t cut_ns[BOOTS_MOST + 1];  /* of each boot; 0: none */
    uint64_t doubled, reset, refused; /* over all runs */
};

static const struct {
    const char *address;
    unsigned server;
} recipients[RECIPIENTS] = {
    {"a@good.example", 0}, {"b@good.example", 0}, {"c@good.example", 0},
    {"d@rude.example", 1}, {"e@rude.example", 1},
};

static const struct sim_dns_record records[] = {
    {"good.example", SIM_DNS_MX, 10, "mx.good.example", 0},
    {"mx.good.example", SIM_DNS_A, 0, NULL, 0x0a000010},
    {"rude.example", SIM_DNS_MX, 10, "mx1.rude.example", 0},
    {"rude.example", SIM_DNS_MX, 20, "mx2.rude.example", 0},
    {"mx1.rude.example", SIM_DNS_A, 0, NULL, 0x0a000011}, /* refuses */
    {"mx2.rude.example", SIM_DNS_A, 0, NULL, 0xc0a80709},
    {NULL, 0, 0, NULL, 0},
};

struct connection {
    struct sink_talk talk;
    struct sim_tcp *tcp;
    bool over;
};

static struct {
    struct shared *shared;
    struct sim_image image;
    uint64_t cuts; /* 0: by chance */
    bool last;
    struct sink sinks[2];
    struct sim_event cut, look;
    struct st_queue_view view;
    struct store_queue_info row;
    bool viewing;
    struct sim_random random;
} state;

/* ---- The servers
 * -------------------------------------------------------------- */

static void note_delivery(unsigned number, const char *address)
{
    for (unsigned i = 0; i < RECIPIENTS; i++) {
        struct delivery *delivery = &state.shared->deliveries[number][i];

        if (strcmp(recipients[i].address, address) != 0)
            continue;
        if (delivery->times == 8)
            sim_fail("message %u came to %s again and again", number, address);
        delivery->boot[delivery->times] = sim_shared->boot;
        delivery->at_ns[delivery->times++] = sim_now();
        return;
    }
    sim_fail("message %u for %s, who is nobody", number, address);
}

/* What was put into the queue as message `number`: before the first run, by its
 * seed. */
static char *text_of(unsigned number, size_t *len)
{
    uint64_t seed = sim_options.seed;
    char *text;

    sim_options.seed = 1;
    text = sim_message_text(number, len);
    sim_options.seed = seed;
    return text;
}

/* A message that was answered 250: the very bytes, and whose it is. */
static void take_message(struct sink_message *message)
{
    const char *mark = strstr(message->body, "\r\nX-Sim: ");
    unsigned number = mark ? (unsigned)strtoul(mark + 9, NULL, 10) : MESSAGES;
    char *expected, *at = message->recipients;
    size_t len;

    if (number >= MESSAGES)
        sim_fail("a message that nobody has sent: %.200s", message->body);
    expected = text_of(number, &len);
    if (len != message->len || memcmp(expected, message->body, len) != 0)
        sim_fail("message %u has left as other bytes", number);
    free(expected);
    while (*at != '\0') {
        char *end = strchr(at, ' ');

        *end = '\0';
        note_delivery(number, at);
        at = end + 1;
    }
    sim_shared->accepted++;
    sim_note("sink: message %u", number);
    free(message->recipients);
    free(message->body);
}

static void say(void *context, const void *bytes, size_t len)
{
    struct connection *connection = context;

    if (!connection->over)
        sim_tcp_write(connection->tcp, bytes, len);
}

static void hang_up(void *context, bool reset)
{
    struct connection *connection = context;

    connection->over = true;
    if (reset)
        sim_tcp_abort(connection->tcp);
    else
        sim_tcp_close(connection->tcp);
}

static void received(struct sim_tcp *tcp, const uint8_t *data, size_t len)
{
    struct connection *connection = tcp->context;
    struct sink *sink = connection->talk.sink;

    if (connection->over)
        return;
    if (!state.last && sink == &state.sinks[1] &&
        sim_random_chance(&state.random, 20000)) {
        state.shared->reset++;
        hang_up(connection, true);
        return;
    }
    sink_input(&connection->talk, data, len);
    if (sink->fault != NULL)
        sim_fail("sink: %s", sink->fault);
    while (sink->message_count > 0)
        take_message(&sink->messages[--sink->message_count]);
}

static void ended(struct sim_tcp *tcp)
{
    sim_tcp_close(tcp);
}

static void closed(struct sim_tcp *tcp, enum sim_tcp_end end)
{
    struct connection *connection = tcp->context;

    (void)end;
    sink_close(&connection->talk);
    connection->over = true;
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

static void accept_good(struct sim_tcp *tcp)
{
    serve(tcp, &state.sinks[0]);
}

static void accept_rude(struct sim_tcp *tcp)
{
    serve(tcp, &state.sinks[1]);
}

static void start_servers(struct sim_world *world)
{
    static const char *const points[] = {"CONNECT", "MAIL", "RCPT", "DATA",
                                         "BODY"};
    static const char *const answers[] = {"450 4.2.0 later\r\n",
                                          "421 4.3.2 bye\r\n!close"};

    for (unsigned i = 0; i < 2; i++) {
        struct sink *sink = &state.sinks[i];

        sink_clear(sink);
        if (sim_random_chance(&state.random, 400000))
            sink->offers = "CHUNKING\nPIPELINING\nDSN";
        else if (sim_random_chance(&state.random, 300000))
            sink->offers = "SIZE";
        for (unsigned j = 0; i == 1 && !state.last && j < 5; j++)
            sink_rule(sink, points[sim_random_below(&state.random, 5)],
                      answers[sim_random_below(&state.random, 2)],
                      1 + (unsigned)sim_random_below(&state.random, 2));
    }
    world->server.records = records;
    sim_tcp_listen(&world->peers[0], 25, accept_good);
    sim_tcp_listen(&world->peers[2], 25, accept_rude);
}

/* ---- Boots
 * ---------------------------------------------------------------------- */

static void cut(struct sim_event *event)
{
    (void)event;
    state.shared->cut_ns[sim_shared->boot] = sim_now();
    sim_power_cut();
}

static bool all_delivered(void)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        for (unsigned j = 0; j < RECIPIENTS; j++) {
            if (state.shared->deliveries[i][j].times == 0)
                return false;
        }
    }
    return true;
}

/* A server may have taken what it was not heard to take: that waits in the
 * queue for its next time. */
static void viewed(struct st_request *request)
{
    if (request->result == OK && state.view.all == 0 && relay_idle())
        sim_finish();
    state.viewing = false;
}

static void look(struct sim_event *event)
{
    struct relay_figures figures;

    relay_figures(&figures);
    if (!state.viewing && all_delivered() && relay_idle() &&
        figures.waiting == 0) {
        state.viewing = true;
        state.view.rows = &state.row;
        state.view.room = 1;
        state.view.request.done = viewed;
        st_queue_view(&state.view);
    }
    sim_event_start(event, LOOK_NS);
}

static void prepare(void *context)
{
    struct sim_world_options options = {.link = sim_good_link};
    struct sim_stick_profile profile;

    (void)context;
    sim_random_init(&state.random, sim_options.seed, "relay cut",
                    sim_shared->boot);
    sim_stick_profile(&profile, &state.random);
    options.profile = &profile;
    options.image = &state.image;
    start_servers(sim_world_start(&options));
    sim_event_init(&state.cut, cut);
    sim_event_init(&state.look, look);
    if (state.last)
        sim_event_start(&state.look, LOOK_NS);
    else
        sim_event_start(&state.cut,
                        sim_random_below(&state.random, UPTIME_MOST));
}

/* Messages of user0 for all recipients, with the trace lines that the server
 * would have put before them. */
static void fill(struct store *store)
{
    static const char trace[] = "Return-Path: <user0@" SIM_DOMAIN ">\r\n";
    struct store_remote remotes[RECIPIENTS];

    if (store_setting_put(store, "dns", "10.0.0.3") != OK)
        sim_fail("setting");
    for (unsigned i = 0; i < RECIPIENTS; i++)
        remotes[i] = (struct store_remote){recipients[i].address, "",
                                           STORE_NOTIFY_DEFAULT};
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct store_delivery delivery = {.sender = "user0@" SIM_DOMAIN,
                                          .received_ms = 1767225600000,
                                          .remotes = remotes,
                                          .remote_count = RECIPIENTS};
        size_t len;
        char *body, *whole;

        (void)sim_ledger_new(i % 10 == 0 ? 40000 : 3000);
        body = text_of(i, &len);
        whole = malloc(sizeof(trace) + len);
        if (whole == NULL)
            sim_fail("no memory");
        memcpy(whole, trace, sizeof(trace) - 1);
        memcpy(whole + sizeof(trace) - 1, body, len);
        delivery.tail = whole;
        delivery.tail_bytes = sizeof(trace) - 1 + len;
        if (store_deliver(store, &delivery) != OK)
            sim_fail("store_deliver: %s", store_message(store));
        free(body);
        free(whole);
    }
}

static void make_image(void)
{
    struct sim_image_options options = {.database_bytes = DATABASE_SIZE,
                                        .fill = fill};

    state.shared = sim_shared_take(sizeof(*state.shared));
    sim_options.limit_ns = 48 * 3600 * SIM_SECOND;
    sim_ledger_start();
    sim_image_make(&state.image, &options);
}

/* ---- Results
 * ---------------------------------------------------------------------- */

static void check_empty(struct store *store)
{
    uint64_t rows, held;

    if (store_queue_count(store, &rows, &held) != OK || rows != 0)
        sim_fail("%llu rows are left in the queue", (unsigned long long)rows);
}

static void check_delivery(unsigned number, unsigned recipient)
{
    struct delivery *delivery = &state.shared->deliveries[number][recipient];

    if (delivery->times == 0)
        sim_fail("message %u never came to %s", number,
                 recipients[recipient].address);
    for (unsigned i = 0; i + 1 < delivery->times; i++) {
        uint64_t cut_ns = state.shared->cut_ns[delivery->boot[i]];

        state.shared->doubled++;
        if (delivery->boot[i] == delivery->boot[i + 1] || cut_ns == 0 ||
            cut_ns - delivery->at_ns[i] > COMMIT_NS)
            sim_fail(
                "message %u came to %s again in boot %u, after it had "
                "come %.3f s before the cut of boot %u",
                number, recipients[recipient].address, delivery->boot[i + 1],
                (double)(cut_ns - delivery->at_ns[i]) / 1e9, delivery->boot[i]);
    }
}

static void check_all(void *context)
{
    (void)context;
    for (unsigned i = 0; i < MESSAGES; i++) {
        for (unsigned j = 0; j < RECIPIENTS; j++)
            check_delivery(i, j);
    }
}

static bool boot_often(uint64_t cuts)
{
    state.last = false;
    for (uint64_t i = 0; i < cuts; i++) {
        if (!sim_boot(prepare, NULL) || !sim_image_check(&state.image))
            return false;
    }
    state.last = true;
    return sim_boot(prepare, NULL) && sim_image_check(&state.image) &&
           sim_image_look(&state.image, check_empty) &&
           sim_child(check_all, NULL);
}

static bool run(void)
{
    struct sim_random random;
    uint64_t cuts = state.cuts;
    bool passed;

    sim_random_init(&random, sim_options.seed, "cuts", 0);
    if (cuts == 0)
        cuts = sim_random_range(&random, 1, CUTS_MOST);
    memset(state.shared->deliveries, 0, sizeof(state.shared->deliveries));
    memset(state.shared->cut_ns, 0, sizeof(state.shared->cut_ns));
    sim_image_restore(&state.image);
    passed = boot_often(cuts);
    sim_image_save(&state.image);
    return passed;
}

static void report(void)
{
    printf("mail out: %llu deliveries twice, in the moment of a cut; %llu "
           "connections reset by servers\n",
           (unsigned long long)state.shared->doubled,
           (unsigned long long)state.shared->reset);
}

static int option(const char *name, const char *value)
{
    if (strcmp(name, "--cuts") == 0 && value != NULL &&
        strtoull(value, NULL, 0) <= CUTS_MOST) {
        state.cuts = strtoull(value, NULL, 0);
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "relay_cut",
        .default_runs = 100,
        .prepare = make_image,
        .run = run,
        .option = option,
        .report = report,
        .help = "  --cuts N   power cuts in each run (1 to 5 by chance)\n",
    };

    return sim_main(argc, argv, &program);
}
