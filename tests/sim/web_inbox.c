/* The inbox of a big store in a browser: its first page, and one from far
 * behind, of a user with 100,000 messages.
 *
 * One browser logs in and asks for the same page again and again. What is
 * measured, from the request to the last byte of the answer, is the time that
 * the AO's code takes on this computer at native speed, with the simulation's
 * own in it: of each answer by the clock, which other programs disturb, and of
 * all of them by the processor. */
#include "tests/sim/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGES       100000
#define FIRST_ID       (SIM_USERS + 1)
#define MESSAGE_BYTES  1024
#define DATABASE_BYTES (1024u * 1024 * 1024)
#define SECTORS        (1200u * 2048)
#define BATCH          500
#define WARM           20
#define REQUESTS       500
#define ROWS           50

enum kind { KIND_INBOX, KIND_BEHIND, KIND_MESSAGE, KINDS };

struct figures {
    double ms[KINDS][REQUESTS]; /* by the clock */
    double processor_ms[KINDS]; /* a request, on average */
    unsigned bytes[KINDS];
};

static struct {
    struct sim_image image;
    struct figures *figures; /* shared */
    struct sim_world *world;
    struct sim_event start;
    struct sim_tcp *tcp;
    char cookie[64], path[512];
    char *answer;
    size_t answer_len, answer_room;
    double begun, begun_processor;
    int step; /* -1: the login; else how many requests were answered */
    enum kind kind;
} state;

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- The store ------------------------------------------------------------
 */

static void deliver(struct store *store, unsigned number)
{
    char text[MESSAGE_BYTES];
    int64_t user = FIRST_ID;
    struct store_delivery delivery = {
        .sender = "a@b.example",
        .received_ms = 1767225600000ll + number,
        .users = &user,
        .user_count = 1,
        .envid = "",
        .tail = text,
        .tail_bytes = sizeof(text),
    };
    int len = snprintf(text, sizeof(text),
                       "Subject: Message number %u about something\r\n"
                       "From: Somebody %u <s%u@b.example>\r\n"
                       "To: u0@" SIM_DOMAIN "\r\nMessage-ID: <%u@b.example>\r\n"
                       "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n",
                       number, number % 97, number % 97, number);

    memset(text + len, 'x', sizeof(text) - (size_t)len);
    if (store_deliver(store, &delivery) != OK)
        sim_fail("store_deliver: %s", store_message(store));
}

static void fill(struct store *store)
{
    struct user user = {.name = "u0", .enabled = true};
    unsigned number, i;

    (void)snprintf(user.hash, sizeof(user.hash), "%s", sim_image_hash);
    if (store_user_add(store, &user) != OK || user.id != FIRST_ID)
        sim_fail("store_user_add");
    for (number = 0; number < MESSAGES; number += BATCH) {
        if (store_begin(store) != OK)
            sim_fail("store_begin");
        for (i = 0; i < BATCH; i++)
            deliver(store, number + i);
        if (store_commit(store) != OK || store_checkpoint(store) != OK)
            sim_fail("store_commit");
    }
}

/* ---- The browser ------------------------------------------------------------
 */

static void ask(const char *path)
{
    char text[1024];

    (void)snprintf(text, sizeof(text),
                   "GET %s HTTP/1.1\r\nHost: " SIM_DOMAIN "\r\nCookie: %s\r\n"
                   "\r\n",
                   path, state.cookie);
    state.answer_len = 0;
    state.begun = seconds(CLOCK_MONOTONIC);
    sim_tcp_write(state.tcp, text, strlen(text));
}

static void log_in(void)
{
    static const char form[] = "user=u0&password=correct+horse";
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "POST /login HTTP/1.1\r\nHost: " SIM_DOMAIN "\r\n"
                   "Content-Type: application/x-www-form-urlencoded\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   sizeof(form) - 1, form);
    state.step = -1;
    sim_tcp_write(state.tcp, text, strlen(text));
}

/* Whether all of the answer is there. */
static bool complete(void)
{
    const char *end = strstr(state.answer, "\r\n\r\n");
    const char *length = strstr(state.answer, "Content-Length: ");

    if (end == NULL)
        return false;
    if (length == NULL || length > end)
        return state.answer_len >= 5 &&
               memcmp(state.answer + state.answer_len - 5, "0\r\n\r\n", 5) == 0;
    return state.answer_len >=
           (size_t)(end + 4 - state.answer) + (size_t)atol(length + 16);
}

static unsigned count_rows(void)
{
    unsigned rows = 0;
    const char *at;

    for (at = state.answer; (at = strstr(at, "name=\"m\"")) != NULL; at++)
        rows++;
    return rows;
}

/* A link of the page that was answered, without "&amp;". */
static void take_link(const char *before)
{
    const char *at = strstr(state.answer, before);
    size_t len = 0;

    if (at == NULL)
        sim_fail("no link %s", before);
    at = strstr(at, "/mail/");
    for (; at != NULL && *at != '"' && len + 1 < sizeof(state.path); at++) {
        if (strncmp(at, "amp;", 4) == 0)
            at += 4;
        state.path[len++] = *at;
    }
    state.path[len] = '\0';
}

static void next_kind(void)
{
    state.figures->processor_ms[state.kind] =
        (seconds(CLOCK_PROCESS_CPUTIME_ID) - state.begun_processor) * 1e3 /
        REQUESTS;
    if (state.kind == KIND_INBOX)
        take_link("rel=\"next\"");
    else if (state.kind == KIND_BEHIND)
        take_link("</label><a href=");
    state.step = 0;
    state.kind++;
    if (state.kind == KINDS)
        sim_world_finish_idle(900 * SIM_SECOND);
    else
        ask(state.path);
}

static void on_login(void)
{
    const char *cookie = strstr(state.answer, "barepost=");

    if (cookie == NULL)
        sim_fail("no login: %.300s", state.answer);
    (void)snprintf(state.cookie, sizeof(state.cookie), "%.41s", cookie);
    (void)snprintf(state.path, sizeof(state.path), "/mail");
    state.step = 0;
    ask(state.path);
}

static void on_answer(void)
{
    double ms = (seconds(CLOCK_MONOTONIC) - state.begun) * 1e3;

    if (state.step < 0) {
        on_login();
        return;
    }
    if (strncmp(state.answer, "HTTP/1.1 200", 12) != 0 ||
        (state.kind != KIND_MESSAGE && count_rows() != ROWS))
        sim_fail("%s: %u rows: %.300s", state.path, count_rows(), state.answer);
    if (state.step == WARM)
        state.begun_processor = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (state.step >= WARM)
        state.figures->ms[state.kind][state.step - WARM] = ms;
    state.figures->bytes[state.kind] = (unsigned)state.answer_len;
    if (++state.step == WARM + REQUESTS)
        next_kind();
    else
        ask(state.path);
}

static void on_bytes(struct sim_tcp *tcp, const uint8_t *data, size_t len)
{
    (void)tcp;
    if (state.answer_len + len + 1 > state.answer_room) {
        state.answer_room = (state.answer_len + len + 1) * 2;
        state.answer = realloc(state.answer, state.answer_room);
        if (state.answer == NULL)
            sim_fail("no memory");
    }
    memcpy(state.answer + state.answer_len, data, len);
    state.answer_len += len;
    state.answer[state.answer_len] = '\0';
    if (complete()) {
        on_answer();
    }
}

static void on_end(struct sim_tcp *tcp)
{
    sim_tcp_close(tcp);
}

static const struct sim_tcp_handler browser = {
    .received = on_bytes,
    .ended = on_end,
};

static void on_start(struct sim_event *event)
{
    if (!sim_serial_has("serving")) {
        sim_event_start(event, 10 * SIM_MS);
        return;
    }
    state.tcp = sim_tcp_open(&state.world->peers[0], 80, &browser, NULL);
    log_in();
}

/* ---- Run
 * --------------------------------------------------------------------- */

static void prepare(void *context)
{
    struct sim_world_options options = {.link = sim_good_link,
                                        .profile = &sim_stick_measured,
                                        .image = &state.image};

    (void)context;
    state.world = sim_world_start(&options);
    sim_event_init(&state.start, on_start);
    sim_event_start(&state.start, 10 * SIM_MS);
}

static void prepare_image(void)
{
    const struct sim_image_options options = {
        .database_bytes = DATABASE_BYTES,
        .sectors = SECTORS,
        .fill = fill,
    };

    state.figures = sim_shared_take(sizeof(*state.figures));
    sim_image_make(&state.image, &options);
}

static bool run(void)
{
    sim_image_restore(&state.image);
    sim_ledger_start();
    return sim_boot(prepare, NULL);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void report(void)
{
    static const char *const names[KINDS] = {
        "Inbox, 50 of 100,000", "the page behind it", "one message"};
    enum kind kind;

    printf("time on this computer, %d requests each\n", REQUESTS);
    for (kind = 0; kind < KINDS; kind++) {
        double *ms = state.figures->ms[kind];

        qsort(ms, REQUESTS, sizeof(*ms), ascending);
        printf("  %-22s %6.1f KB  p50 %6.2f ms  p99 %6.2f ms  processor "
               "%5.2f ms\n",
               names[kind], state.figures->bytes[kind] / 1e3, ms[REQUESTS / 2],
               ms[REQUESTS * 99 / 100], state.figures->processor_ms[kind]);
    }
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "web_inbox",
        .default_runs = 1,
        .prepare = prepare_image,
        .run = run,
        .report = report,
        .help = "",
    };

    return sim_main(argc, argv, &program);
}
