/* A big store is as quick as an empty one.
 *
 * Two sticks with a store of 4 GB and 300 users each: one empty, one with
 * 200,000 messages, of which one user has 100,000. On both, senders bring
 * messages to all users; then three users log in by POP3. What is compared is
 * the time that passes on the simulated PC, which is that of wire and stick,
 * and the processor's time of this computer, which is that of the AO's code at
 * native speed, with the simulation's own in it. */
#include "tests/sim/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define USERS          300
#define MESSAGES       200000
#define BIG_MESSAGES   100000
#define BIG_USER       (USERS - 1)
#define FIRST_ID       (SIM_USERS + 1)
#define MESSAGE_BYTES  1024
#define DATABASE_BYTES 4293918720u /* 4 GiB - 1 MiB: what FAT32 can hold */
#define SECTORS        (2 * 4200u * 1024)
#define BATCH          500
#define SENDERS        20
#define EACH           250
#define READERS        3

struct figures {
    double smtp_seconds, smtp_processor; /* for SENDERS * EACH messages */
    double login_ms[READERS], login_processor_ms[READERS];
    unsigned count[READERS];
    double all_ms[3], all_processor_ms[3]; /* LIST, UIDL, DELE and QUIT */
    double ready_seconds;
    double reads, writes, kib_written, flushes; /* a message */
};

struct client {
    struct sim_tcp *tcp;
    struct sim_lines lines;
    unsigned number, step, left;
    unsigned listing; /* of a reader: what it does with all messages */
    unsigned pass;    /* of a reader: logs in twice */
};

static struct {
    struct sim_image images[2];
    struct figures *figures; /* of both, shared */
    bool full;
    bool warm; /* the senders have been at work once */
    struct sim_world *world;
    struct client senders[SENDERS];
    struct client reader;
    unsigned running;
    uint64_t begun_ns;
    double begun_processor;
    struct machine_disk_info begun_stick;
    struct sim_random random;
    struct sim_event start;
} state;

static struct figures *now_measured(void)
{
    return &state.figures[state.full];
}

static double processor(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What the stick has done so far. */
static struct machine_disk_info stick(void)
{
    struct machine_disk_info info;

    machine_disk_info(0, &info);
    return info;
}

static void begin_measuring(void)
{
    state.begun_stick = stick();
    state.begun_ns = sim_now();
    state.begun_processor = processor();
}

/* ---- The stores ------------------------------------------------------------
 */

static void add_users(struct store *store)
{
    if (store_begin(store) != OK)
        sim_fail("store_begin");
    for (unsigned i = 0; i < USERS; i++) {
        struct user user = {.enabled = true};

        snprintf(user.name, sizeof(user.name), "u%u", i);
        snprintf(user.hash, sizeof(user.hash), "%s", sim_image_hash);
        if (store_user_add(store, &user) != OK || user.id != FIRST_ID + i)
            sim_fail("store_user_add");
    }
    if (store_commit(store) != OK)
        sim_fail("store_commit");
}

static void deliver(struct store *store, unsigned number)
{
    char text[MESSAGE_BYTES];
    int64_t user =
        FIRST_ID + (number % 2 == 0 ? BIG_USER : number / 2 % (USERS - 1));
    struct store_delivery delivery = {
        .sender = "a@b.example",
        .received_ms = 1767225600000ll + number,
        .users = &user,
        .user_count = 1,
        .envid = "",
        .tail = text,
        .tail_bytes = sizeof(text),
    };

    memset(text, 'x', sizeof(text));
    (void)snprintf(text, sizeof(text),
                   "Subject: number %u\r\nFrom: a@b.example\r\n\r\n", number);
    if (store_deliver(store, &delivery) != OK)
        sim_fail("store_deliver: %s", store_message(store));
}

static void fill(struct store *store)
{
    unsigned number, i;

    add_users(store);
    for (number = 0; number < MESSAGES; number += BATCH) {
        if (store_begin(store) != OK)
            sim_fail("store_begin");
        for (i = 0; i < BATCH; i++)
            deliver(store, number + i);
        if (store_commit(store) != OK || store_checkpoint(store) != OK)
            sim_fail("store_commit");
    }
}

/* ---- Clients ---------------------------------------------------------------
 */

static void say(struct client *client, const char *text)
{
    sim_tcp_write(client->tcp, text, strlen(text));
}

static void on_bytes(struct client *client, const uint8_t *data, size_t len,
                     void (*each)(void *context, const char *line, size_t len))
{
    sim_lines_take(&client->lines, data, len, each, client);
}

static void on_closed(struct sim_tcp *tcp, enum sim_tcp_end end)
{
    (void)tcp;
    if (end != SIM_TCP_CLOSED)
        sim_fail("a connection has broken");
}

static void on_end(struct sim_tcp *tcp)
{
    sim_tcp_close(tcp);
}

/* ---- Readers: login to STAT, twice ------------------------------------------
 */

static void next_reader(void);

/* What the last reader does with all of its messages, one after the other. */
enum listing { LIST_NONE, LIST_SIZES, LIST_UIDS, LIST_DELETE };

static void start_listing(struct client *client, enum listing listing)
{
    char text[32];

    client->listing = listing;
    begin_measuring();
    if (listing != LIST_DELETE) {
        say(client, listing == LIST_SIZES ? "LIST\r\n" : "UIDL\r\n");
        return;
    }
    client->left = now_measured()->count[client->number] + 1;
    for (unsigned i = 1; i < client->left; i++) {
        snprintf(text, sizeof(text), "DELE %u\r\n", i);
        say(client, text);
    }
    say(client, "QUIT\r\n");
}

static void on_listing_line(struct client *client, const char *line)
{
    struct figures *figures = now_measured();
    unsigned at = client->listing - LIST_SIZES;

    if (line[0] == '-')
        sim_fail("pop3: %s", line);
    if (client->listing == LIST_DELETE ? --client->left > 0
                                       : strcmp(line, ".") != 0)
        return;
    figures->all_ms[at] = (double)(sim_now() - state.begun_ns) / 1e6;
    figures->all_processor_ms[at] = (processor() - state.begun_processor) * 1e3;
    if (client->listing == LIST_DELETE)
        next_reader();
    else
        start_listing(client, client->listing + 1);
}

static void on_reader_line(void *context, const char *line, size_t len)
{
    static const unsigned users[READERS] = {7, BIG_USER, BIG_USER};
    struct client *client = context;
    struct figures *figures = now_measured();
    char text[64];

    (void)len;
    if (client->listing != LIST_NONE) {
        on_listing_line(client, line);
        return;
    }
    if (line[0] != '+')
        sim_fail("pop3: %s", line);
    switch (client->step++) {
    case 0:
        snprintf(text, sizeof(text), "USER u%u\r\n", users[client->number]);
        say(client, text);
        break;
    case 1:
        begin_measuring();
        say(client, "PASS " SIM_PASSWORD "\r\n");
        break;
    case 2:
        say(client, "STAT\r\n");
        break;
    case 3:
        figures->login_ms[client->number] =
            (double)(sim_now() - state.begun_ns) / 1e6;
        figures->login_processor_ms[client->number] =
            (processor() - state.begun_processor) * 1e3;
        figures->count[client->number] = (unsigned)atoi(line + 4);
        if (client->number == READERS - 1)
            start_listing(client, LIST_SIZES);
        else
            say(client, "QUIT\r\n");
        break;
    default:
        next_reader();
        break;
    }
}

static void on_reader_bytes(struct sim_tcp *tcp, const uint8_t *data,
                            size_t len)
{
    on_bytes(tcp->context, data, len, on_reader_line);
}

static const struct sim_tcp_handler reader_handler = {
    .received = on_reader_bytes,
    .ended = on_end,
    .closed = on_closed,
};

static void next_reader(void)
{
    static unsigned next;
    struct client *client = &state.reader;

    if (next == READERS) {
        sim_world_finish_idle(900 * SIM_SECOND);
        return;
    }
    memset(client, 0, sizeof(*client));
    client->number = next++;
    client->tcp =
        sim_tcp_open(&state.world->peers[0], 110, &reader_handler, client);
}

/* ---- Senders ----------------------------------------------------------------
 */

static void next_message(struct client *client)
{
    char text[64];

    if (client->left == 0) {
        say(client, "QUIT\r\n");
        client->step = 6;
        return;
    }
    client->left--;
    client->step = 2;
    snprintf(text, sizeof(text), "MAIL FROM:<s%u@b.example>\r\n",
             client->number);
    say(client, text);
}

static void send_body(struct client *client)
{
    char text[MESSAGE_BYTES + 8];

    memset(text, 'y', sizeof(text));
    memcpy(text, "Subject: x\r\n\r\n", 14);
    memcpy(text + MESSAGE_BYTES, "\r\n.\r\n", sizeof("\r\n.\r\n"));
    say(client, text);
}

static void start_senders(void);

static void sender_is_done(void)
{
    const struct machine_disk_info *then = &state.begun_stick, now = stick();
    struct figures *figures = now_measured();
    const double sent = SENDERS * EACH;

    if (--state.running > 0)
        return;
    sim_shared->accepted += SENDERS * EACH;
    if (!state.warm) {
        state.warm = true;
        start_senders();
        return;
    }
    figures->smtp_seconds = (double)(sim_now() - state.begun_ns) / 1e9;
    figures->smtp_processor = processor() - state.begun_processor;
    figures->reads = (double)(now.reads - then->reads) / sent;
    figures->writes = (double)(now.writes - then->writes) / sent;
    figures->flushes = (double)(now.flushes - then->flushes) / sent;
    figures->kib_written =
        (double)(now.bytes_written - then->bytes_written) / 1024 / sent;
    next_reader();
}

static void on_sender_line(void *context, const char *line, size_t len)
{
    struct client *client = context;
    char text[64];

    if (len < 4 || line[0] > '3')
        sim_fail("smtp: %s", line);
    if (line[3] == '-')
        return;
    switch (client->step++) {
    case 0:
        say(client, "EHLO b.example\r\n");
        break;
    case 1:
    case 5:
        next_message(client);
        break;
    case 2:
        snprintf(text, sizeof(text), "RCPT TO:<u%u@" SIM_DOMAIN ">\r\n",
                 (unsigned)sim_random_below(&state.random, USERS));
        say(client, text);
        break;
    case 3:
        say(client, "DATA\r\n");
        break;
    case 4:
        send_body(client);
        break;
    default:
        sender_is_done();
        break;
    }
}

static void on_sender_bytes(struct sim_tcp *tcp, const uint8_t *data,
                            size_t len)
{
    on_bytes(tcp->context, data, len, on_sender_line);
}

static const struct sim_tcp_handler sender_handler = {
    .received = on_sender_bytes,
    .ended = on_end,
    .closed = on_closed,
};

/* Twice; the first time what is touched for the first time is. */
static void start_senders(void)
{
    state.running = SENDERS;
    begin_measuring();
    for (unsigned i = 0; i < SENDERS; i++) {
        struct client *client = &state.senders[i];

        memset(client, 0, sizeof(*client));
        client->number = i;
        client->left = EACH;
        client->tcp = sim_tcp_open(&state.world->peers[i % SIM_PEERS], 25,
                                   &sender_handler, client);
    }
}

static void on_start(struct sim_event *event)
{
    if (!sim_serial_has("serving")) {
        sim_event_start(event, 10 * SIM_MS);
        return;
    }
    if (now_measured()->ready_seconds == 0) {
        /* What is done once after the start, in the background, is not what is
         * measured. */
        now_measured()->ready_seconds = (double)sim_now() / 1e9;
        sim_event_start(event, 5 * SIM_SECOND);
        return;
    }
    start_senders();
}

/* ---- Runs -------------------------------------------------------------------
 */

static void prepare(void *context)
{
    struct sim_world_options options = {
        .link = sim_good_link,
        .profile = &sim_stick_measured,
        .image = &state.images[state.full],
    };

    (void)context;
    sim_random_init(&state.random, sim_options.seed, "big store", 0);
    state.world = sim_world_start(&options);
    sim_event_init(&state.start, on_start);
    sim_event_start(&state.start, 10 * SIM_MS);
}

static void prepare_images(void)
{
    struct sim_image_options options = {
        .database_bytes = DATABASE_BYTES,
        .sectors = SECTORS,
        .fill = add_users,
    };

    state.figures = sim_shared_take(2 * sizeof(*state.figures));
    sim_image_make(&state.images[0], &options);
    options.fill = fill;
    sim_image_make(&state.images[1], &options);
}

static bool run(void)
{
    for (int full = 0; full < 2; full++) {
        state.full = full;
        sim_image_restore(&state.images[full]);
        sim_ledger_start();
        if (!sim_boot(prepare, NULL))
            return false;
    }
    return true;
}

static const char *const listings[] = {"LIST of all of them", "UIDL",
                                       "DELE of all and QUIT"};

static void print_row(const char *what, double empty, double full,
                      const char *unit)
{
    printf("  %-44s %9.2f %9.2f %s\n", what, empty, full, unit);
}

static void report(void)
{
    static const char *const names[READERS] = {
        "POP3 login to STAT", "the user with 100,000", "the same once more"};
    const struct figures *empty = &state.figures[0], *full = &state.figures[1];
    const double sent = SENDERS * EACH;

    printf("%u users; messages in the store: %9u %9u\n", USERS, 0, MESSAGES);
    print_row("serving after", empty->ready_seconds, full->ready_seconds,
              "s on the simulated PC");
    print_row("SMTP, 20 senders, 1 KiB", sent / empty->smtp_seconds,
              sent / full->smtp_seconds, "messages/s on the simulated PC");
    print_row("the same by the processor", sent / empty->smtp_processor,
              sent / full->smtp_processor, "messages/s of this processor");
    print_row("  reads a message", empty->reads, full->reads, "");
    print_row("  writes a message", empty->writes, full->writes, "");
    print_row("  KiB written a message", empty->kib_written, full->kib_written,
              "");
    print_row("  flushes a message", empty->flushes, full->flushes, "");
    for (unsigned i = 0; i < READERS; i++) {
        printf("  %s (%u, %u messages)\n", names[i], empty->count[i],
               full->count[i]);
        print_row("  on the simulated PC", empty->login_ms[i],
                  full->login_ms[i], "ms");
        print_row("  of this processor", empty->login_processor_ms[i],
                  full->login_processor_ms[i], "ms");
    }
    for (unsigned i = 0; i < 3; i++) {
        print_row(listings[i], empty->all_ms[i], full->all_ms[i],
                  "ms on the simulated PC");
        print_row("  of this processor", empty->all_processor_ms[i],
                  full->all_processor_ms[i], "ms");
    }
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "big_store",
        .default_runs = 1,
        .prepare = prepare_images,
        .run = run,
        .report = report,
        .help = "",
    };

    return sim_main(argc, argv, &program);
}
