/* Page jobs on a fake machine with slow disks: they read, write through the
 * group commit, wait, are cancelled, lose their stick, and hold up no mail. */
#include "fake_sticks.h"
#include "store/st_job.h"

struct trial {
    struct st_job job; /* must be first */
    unsigned steps;    /* rounds of whatever it does */
    unsigned reached;
    enum err result, ended;
    bool begun, done, saw_cancelled;
};

static void on_job(struct st_job *job, enum err result)
{
    struct trial *trial = (struct trial *)job;

    trial->ended = result;
    trial->done = true;
}

static void start(struct trial *trial,
                  void (*run)(struct st_job *, struct store *), unsigned steps)
{
    memset(trial, 0, sizeof(*trial));
    trial->steps = steps;
    trial->job.run = run;
    trial->job.done = on_job;
    st_job_start(&trial->job);
}

static void read_settings(struct st_job *job, struct store *store)
{
    struct trial *trial = (struct trial *)job;
    char value[64];

    trial->begun = true;
    for (; trial->reached < trial->steps && !trial->result; trial->reached++) {
        trial->result =
            store_setting_get(store, "domains", value, sizeof(value));
        if (!trial->result && strcmp(value, "example.org") != 0)
            trial->result = ERR_CORRUPT;
        st_job_pause();
    }
    trial->saw_cancelled = st_job_cancelled(job);
}

static enum err put(void *context, struct store *store)
{
    struct trial *trial = context;
    char key[32];

    snprintf(key, sizeof(key), "job-%u", trial->reached);
    return trial->reached == 3 ? ERR_REFUSED
                               : store_setting_put(store, key, "there");
}

static void write_settings(struct st_job *job, struct store *store)
{
    struct trial *trial = (struct trial *)job;
    char key[32], value[32];

    for (; trial->reached < trial->steps && !trial->result; trial->reached++) {
        trial->result = st_job_write(put, trial);
        snprintf(key, sizeof(key), "job-%u", trial->reached);
        if (!trial->result &&
            store_setting_get(store, key, value, sizeof(value)) != OK)
            trial->result = ERR_CORRUPT;
    }
}

static void wait_often(struct st_job *job, struct store *store)
{
    struct trial *trial = (struct trial *)job;

    (void)store;
    trial->begun = true;
    for (; trial->reached < trial->steps && !st_job_cancelled(job);
         trial->reached++)
        st_job_wait(job);
    trial->saw_cancelled = st_job_cancelled(job);
}

static void test_no_store(void)
{
    struct trial trial;

    start(&trial, read_settings, 1);
    CHECK(!trial.done);
    turn();
    CHECK(trial.done && trial.ended == ERR_GONE && !trial.begun);
    plug(0, &blank);
    plug(1, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
}

static void test_many(void)
{
    static struct trial trials[20];
    struct st_job_figures figures;
    unsigned right = 0;

    for (unsigned i = 0; i < 20; i++)
        start(&trials[i], read_settings, 5);
    st_job_figures(&figures);
    CHECK(figures.waiting == 20 && figures.running == 0);
    turn();
    turn();
    st_job_figures(&figures);
    CHECK(figures.running > 0 && figures.running <= ST_JOBS);
    CHECK(UNTIL(trials[19].done));
    for (unsigned i = 0; i < 20; i++)
        right += trials[i].done && !trials[i].result && !trials[i].ended;
    CHECK(right == 20);
}

static void test_writes(void)
{
    static struct trial trials[4];
    static struct sent sent[10];
    struct st_figures before, after;

    st_figures(&before);
    for (unsigned i = 0; i < 4; i++)
        start(&trials[i], write_settings, i == 3 ? 4 : 3);
    for (unsigned i = 0; i < 10; i++)
        send_small(&sent[i], user_ids[0], (uint8_t)i);
    CHECK(UNTIL(trials[0].done && trials[1].done && trials[2].done &&
                trials[3].done && all_answered(sent, 10)));
    st_figures(&after);
    for (unsigned i = 0; i < 3; i++)
        CHECK(trials[i].result == OK && trials[i].reached == 3);
    CHECK(trials[3].result == ERR_REFUSED);
    /* Together with the mail, and with one another. */
    CHECK(after.commits - before.commits < 10);
    CHECK(after.delivered - before.delivered == 10);
}

static void test_waits(void)
{
    struct trial trial;

    start(&trial, wait_often, 3);
    CHECK(UNTIL(trial.begun));
    for (unsigned i = 0; i < 10; i++)
        turn();
    CHECK(trial.reached == 0);
    st_job_wake(&trial.job);
    st_job_wake(&trial.job);
    CHECK(UNTIL(trial.reached == 1));
    st_job_wake(&trial.job);
    CHECK(UNTIL(trial.reached == 2));
    CHECK(!trial.done);
    st_job_wake(&trial.job);
    CHECK(UNTIL(trial.done));
    CHECK(trial.ended == OK && !trial.saw_cancelled);
}

static void test_cancelled(void)
{
    struct trial trials[6];

    for (unsigned i = 0; i < 6; i++)
        start(&trials[i], wait_often, 3);
    CHECK(UNTIL(trials[3].begun));
    CHECK(!trials[4].begun);
    CHECK(st_job_cancel(&trials[5].job));
    CHECK(!st_job_cancel(&trials[0].job));
    CHECK(UNTIL(trials[0].done));
    CHECK(trials[0].saw_cancelled && trials[0].ended == OK);
    CHECK(UNTIL(trials[4].begun));
    for (unsigned i = 1; i < 5; i++)
        CHECK(!st_job_cancel(&trials[i].job));
    CHECK(UNTIL(trials[4].done && trials[1].done && trials[2].done &&
                trials[3].done));
    CHECK(!trials[5].begun && !trials[5].done);
}

/* Jobs that compute without end, and mail goes on. */
static void test_mail_goes_on(void)
{
    static struct trial trials[ST_JOBS];
    struct st_maildrop drop;
    struct sent sent;

    for (unsigned i = 0; i < ST_JOBS; i++)
        start(&trials[i], read_settings, UINT32_MAX);
    CHECK(UNTIL(trials[ST_JOBS - 1].begun));
    send_small(&sent, user_ids[0], 1);
    CHECK(UNTIL(sent.answered) && sent.result == OK && stored_right(&sent));
    CHECK(open_drop(&drop, user_ids[0]) == OK && drop.drop.count == 11);
    st_maildrop_close(&drop);
    CHECK(!trials[0].done);
}

/* The jobs of the test before still run when the stick is pulled. */
static void test_gone(void)
{
    struct trial waits, queued;
    static struct trial writes;

    start(&queued, read_settings, 1);
    pull(1);
    CHECK(UNTIL(st_state() == ST_GONE));
    CHECK(UNTIL(queued.done) && queued.ended == ERR_GONE && !queued.begun);
    plug(1, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    start(&waits, wait_often, 3);
    start(&writes, write_settings, 1000);
    CHECK(UNTIL(waits.begun && writes.reached > 0));
    pull(1);
    CHECK(UNTIL(waits.done && writes.done));
    CHECK(waits.saw_cancelled);
    CHECK(writes.result == ERR_GONE || writes.result == ERR_REFUSED);
    plug(1, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    start(&waits, read_settings, 2);
    CHECK(UNTIL(waits.done) && waits.result == OK);
}

static void test_close(void)
{
    struct trial waits;

    start(&waits, wait_often, 3);
    CHECK(UNTIL(waits.begun));
    st_close();
    CHECK(UNTIL(waits.done) && waits.saw_cancelled);
    CHECK(UNTIL(st_state() == ST_GONE));
    start(&waits, read_settings, 1);
    CHECK(UNTIL(waits.done) && waits.ended == ERR_GONE);
}

int main(void)
{
    if (!sticks_begin())
        return 1;
    make_store(&sticks[0]);
    format_stick(&blank);
    CHECK(st_module_init(BUFFER_BYTES) == OK);
    test_no_store();
    test_many();
    test_writes();
    test_waits();
    test_cancelled();
    test_mail_goes_on();
    test_gone();
    test_close();
    ram_medium_free(&sticks[0]);
    ram_medium_free(&blank);
    return sticks_end();
}
