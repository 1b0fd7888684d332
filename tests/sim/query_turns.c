/* How long queries hold the loop up.
 *
 * While senders bring messages, statements that have much to do run one after
 * the other, on data.db and on mail.db. Measured is the processor's time of
 * each turn of MT on this computer: no mail waits longer than the longest of
 * them. It is the AO's code at native speed, with the simulation's own in it;
 * the first line is that of turns without a query. */
#include "store/st_sql.h"
#include "store/st.h"
#include "tests/sim/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SENDERS       4
#define DATABASE_SIZE (16u << 20)
#define TURNS         1000000u
#define TICK          (200 * SIM_US)
#define LONG_US       200
#define TURNS_EACH    60000u /* without a query */

#define NUMBERS(n)                                                             \
    "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n LIMIT " #n  \
    ") "

static const struct {
    const char *name, *database, *text;
} work[] = {
    {"no query", NULL, NULL},
    {"fill 40,000 rows", "data",
     "CREATE TABLE t(a,b);" NUMBERS(
         40000) "INSERT INTO t SELECT i,hex(randomblob(20)) FROM n;"},
    {"cross join", "data",
     "SELECT count(*) FROM t x, t y WHERE x.a+y.a=-1 AND x.a<300;"},
    {"sort without an index", "data",
     "SELECT b FROM t WHERE a<=7000 ORDER BY b LIMIT 1 OFFSET 6990;"},
    {"sort of numbers", "data",
     "SELECT a FROM t WHERE a<=7000 ORDER BY -a LIMIT 1 OFFSET 6990;"},
    {"group", "data",
     "SELECT count(*) FROM (SELECT b FROM t WHERE a<=5000 GROUP BY b);"},
    {"index", "data", "CREATE INDEX i ON t(b) WHERE a<=5000;"},
    {"count", "data", "SELECT count(*) FROM t;"},
    {"integrity", "data", "PRAGMA integrity_check;"},
    {"LIKE with many %", "data",
     "SELECT printf('%.*c',200000,'a') LIKE '%a%a%a%a%a%a%a%a%b';"},
    {"instr()", "data",
     "SELECT instr(printf('%.*c',100000,'a'),printf('%.*c',50000,'a')||'b');"},
    {"replace()", "data",
     "SELECT length(replace(hex(zeroblob(40000)),'00','abc'));"},
    {"large values", "data",
     NUMBERS(300) "SELECT max(length(hex(zeroblob(40000)))) FROM n;"},
    {"delete all", "data", "DELETE FROM t;"},
    {"scan of mail.db", "mail",
     "SELECT count(*),sum(length(Bytes)) FROM body;"},
    {"cross join in mail.db", "mail",
     "SELECT count(*) FROM entry x, entry y, entry z"
     " WHERE x.UID+y.UID+z.UID=-1 AND x.UID<2 AND y.UID<200;"},
};

#define WORKS (sizeof(work) / sizeof(work[0]))

static struct {
    struct sim_image image;
    struct sim_sender senders[SENDERS];
    struct sim_event tick;
    struct st_sql sql;
    unsigned at;
    bool running;
    double last_us;
    float *turns; /* of this statement, in us */
    unsigned count;
    long interruptions;
    uint64_t begun_accepted;
} state;

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* How often somebody else had the processor. */
static long interruptions(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw + usage.ru_nvcsw;
}

/* Long turns in which this process did not run all the time do not count. */
static void turn(void)
{
    double now = now_us(), took = now - state.last_us;

    if (took > LONG_US) {
        long count = interruptions();

        if (count != state.interruptions)
            took = 0;
        state.interruptions = count;
    }
    if (state.count < TURNS)
        state.turns[state.count++] = (float)took;
    state.last_us = now_us();
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

static void report(void)
{
    unsigned count = state.count;

    qsort(state.turns, count, sizeof(*state.turns), by_size);
    printf("%-24s %8u %9.0f %9.0f %9.0f %9llu  %s\n", work[state.at].name,
           count, (double)state.turns[count / 2],
           (double)state.turns[count - 1 - count / 1000],
           (double)state.turns[count - 1],
           (unsigned long long)(sim_shared->accepted - state.begun_accepted),
           state.running ? state.sql.result.message : "");
    fflush(stdout);
}

static void begin(void)
{
    state.begun_accepted = sim_shared->accepted;
    state.count = 0;
    state.running = work[state.at].text != NULL;
    if (!state.running)
        return;
    memset(&state.sql, 0, sizeof(state.sql));
    sql_session_init(&state.sql.session);
    state.sql.session.mode = SQL_MODE_LIST;
    state.sql.session.write = strcmp(work[state.at].database, "data") == 0;
    (void)snprintf(state.sql.session.database,
                   sizeof(state.sql.session.database), "%s",
                   work[state.at].database);
    state.sql.admin = true;
    state.sql.time_ms = 600000;
    if (st_sql_open(&state.sql) != OK ||
        !st_sql_put(&state.sql, work[state.at].text,
                    strlen(work[state.at].text)))
        sim_fail("no query can be opened");
    st_sql_run(&state.sql);
}

static bool is_over(void)
{
    char bytes[512];

    if (!state.running)
        return state.count >= TURNS_EACH;
    while (st_sql_read(&state.sql, bytes, sizeof(bytes)) > 0)
        continue;
    return st_sql_done(&state.sql);
}

static void tick(struct sim_event *event)
{
    sim_event_start(event, TICK);
    if (st_state() != ST_READY)
        return;
    if (state.turns == NULL) {
        state.turns = calloc(TURNS, sizeof(*state.turns));
        printf("%-24s %8s %9s %9s %9s %9s\n", "", "turns", "median us",
               "99.9 % us", "longest", "messages");
        state.last_us = now_us();
        sim_machine_watch(turn);
        begin();
    }
    if (!is_over())
        return;
    report();
    if (state.running)
        st_sql_close(&state.sql);
    if (++state.at == WORKS)
        sim_finish();
    begin();
    state.last_us = now_us();
}

static void prepare(void *context)
{
    struct sim_world_options options = {.link = sim_good_link};
    struct sim_stick_profile profile;
    struct sim_random random;
    struct sim_world *world;

    (void)context;
    sim_random_init(&random, sim_options.seed, "stick", 0);
    sim_stick_profile(&profile, &random);
    options.profile = &profile;
    options.image = &state.image;
    world = sim_world_start(&options);
    for (unsigned i = 0; i < SENDERS; i++) {
        struct sim_sender *sender = &state.senders[i];

        sender->peer = &world->peers[i % SIM_PEERS];
        sender->wanted = 1000000;
        sender->small = 1000;
        sender->big = 1000;
        sender->big_one_in = 10;
        sender->pause_ns = 100 * SIM_US;
        sender->patient = true;
        sim_sender_start(sender, i, SIM_MS);
    }
    sim_event_init(&state.tick, tick);
    sim_event_start(&state.tick, SIM_MS);
}

static void fill(struct store *store)
{
    if (store_setting_put(store, "data_bytes", "32M") != OK)
        sim_fail("setting");
}

static void make_image(void)
{
    struct sim_image_options options = {.database_bytes = DATABASE_SIZE,
                                        .fill = fill};

    sim_image_make(&state.image, &options);
}

static bool run(void)
{
    sim_image_restore(&state.image);
    sim_ledger_start();
    return sim_boot(prepare, NULL);
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "query_turns",
        .default_runs = 1,
        .prepare = make_image,
        .run = run,
        .help = "  for figures: build/sim-fast/query_turns\n",
    };

    return sim_main(argc, argv, &program);
}
