/* firmware/core: timers against a plain list, pools, coroutines, generators. */
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include "core/bytes.h"
#include "core/coroutine.h"
#include "core/iobuf.h"
#include "core/date.h"
#include "core/log.h"
#include "core/random.h"
#include "core/task.h"
#include "core/timer.h"
#include <string.h>

/* ---- Timers ---- */

#define TIMERS 500

static struct {
    struct timer timer;
    uint64_t started_ns, delay_ms;
    bool running;
} timed[TIMERS];
static unsigned fired, early, late, out_of_order;
static uint64_t last_fired_ms;

static void note_fired(struct timer *timer)
{
    for (unsigned i = 0; i < TIMERS; i++) {
        uint64_t waited_ns;

        if (&timed[i].timer != timer)
            continue;
        waited_ns = timer_now_ms() * 1000000 - timed[i].started_ns;
        early += waited_ns < timed[i].delay_ms * 1000000 || !timed[i].running;
        late += waited_ns > timed[i].delay_ms * 1000000 + 2000000;
        out_of_order += timer->expires_ms < last_fired_ms;
        last_fired_ms = timer->expires_ms;
        timed[i].running = false;
        fired++;
    }
}

static void start_one(unsigned i, unsigned long long limit_ms)
{
    timed[i].delay_ms = random_u64() % (1 + random_u64() % limit_ms);
    timed[i].started_ns = fake_machine.now_ns;
    timed[i].running = true;
    timer_start(&timed[i].timer, timed[i].delay_ms);
}

static void start_some(unsigned long long limit_ms)
{
    for (unsigned i = 0; i < TIMERS; i++)
        start_one(i, limit_ms);
    for (unsigned i = 0; i < TIMERS; i += 7) {
        timer_stop(&timed[i].timer);
        timed[i].running = false;
    }
}

static void test_timers(void)
{
    static const unsigned long long limits[] = {50, 5000, 300000, 90000000,
                                                90000000000};

    fake_machine.now_ns = 123456789;
    timer_module_init();
    for (unsigned i = 0; i < TIMERS; i++)
        timer_init(&timed[i].timer, note_fired);
    for (unsigned round = 0; round < 40; round++) {
        unsigned steps = 0;

        (void)timer_run();
        start_some(limits[round % 5]);
        fired = 0;
        while (timer_next_ms() != UINT64_MAX && steps++ < 100000) {
            uint64_t next_ns = timer_next_ms() * 1000000;

            if (next_ns > fake_machine.now_ns)
                fake_machine.now_ns = next_ns;
            (void)timer_run();
            /* Running ones are put off, or brought forward, for a while. */
            for (unsigned i = steps % 5; steps < 100 && i < TIMERS; i += 11)
                if (timed[i].running)
                    start_one(i, limits[round % 5]);
        }
        CHECK(fired == TIMERS - (TIMERS + 6) / 7);
        fake_machine.now_ns += random_u64() % 1000000000;
    }
    CHECK(early == 0);
    CHECK(late == 0);
    CHECK(out_of_order == 0);
}

static void test_timer_jump(void)
{
    /* A long sleep over many slots fires everything due, in order. */
    (void)timer_run();
    fired = 0;
    start_some(100000);
    fake_machine.now_ns += 200000ull * 1000000;
    last_fired_ms = 0;
    out_of_order = 0;
    (void)timer_run();
    CHECK(fired == TIMERS - (TIMERS + 6) / 7);
    CHECK(out_of_order == 0);
    CHECK(timer_next_ms() == UINT64_MAX);
}

/* ---- Tasks ---- */

struct counted_task {
    struct task task;
    unsigned steps;
};

static void count_step(struct task *task)
{
    struct counted_task *self = (struct counted_task *)task;

    if (++self->steps % 3 != 0)
        task_ready(task);
}

static void test_tasks(void)
{
    static struct task_pool pool;
    struct task *tasks[5];

    task_module_init();
    CHECK(task_pool_init(&pool, "TEST", sizeof(struct counted_task), 4,
                         count_step) == OK);
    for (unsigned i = 0; i < 4; i++) {
        tasks[i] = task_pop(&pool);
        CHECK(tasks[i] != NULL && tasks[i]->index == i);
    }
    CHECK(task_pop(&pool) == NULL && pool.refusals == 1);
    CHECK(!task_any_ready() && task_run() == 0);
    task_ready(tasks[0]);
    task_ready(tasks[0]);
    task_ready(tasks[1]);
    CHECK(task_run() == 2); /* what became ready waits for the next lap */
    task_push(tasks[1]);
    CHECK(task_run() == 1);
    CHECK(task_run() == 1 && !task_any_ready());
    CHECK(((struct counted_task *)tasks[0])->steps == 3);
    CHECK(task_pop(&pool) == tasks[1]);
    CHECK(pool.lowest_free == 0);
}

/* ---- Buffers ---- */

static void test_iobufs(void)
{
    struct iobuf *buffers[64];
    unsigned got = 0;

    CHECK(iobuf_pool_init(64) == OK);
    while (got < 64 && (buffers[got] = iobuf_alloc()) != NULL)
        got++;
    CHECK(got == 56 && iobuf_refusals() == 1);
    buffers[got] = iobuf_alloc_receive();
    CHECK(buffers[got] != NULL && iobuf_headroom(buffers[got]) == 0);
    CHECK(((uintptr_t)buffers[got]->block & (IOBUF_BYTES - 1)) == 0);
    memset(iobuf_put(buffers[0], 100), 1, 100);
    memset(iobuf_push(buffers[0], IOBUF_HEADROOM), 2, IOBUF_HEADROOM);
    CHECK(iobuf_length(buffers[0]) == 100 + IOBUF_HEADROOM);
    CHECK(*(uint8_t *)iobuf_pull(buffers[0], IOBUF_HEADROOM) == 1);
    (void)iobuf_take(buffers[0]);
    iobuf_release(buffers[0]);
    CHECK(buffers[0]->references == 1);
    for (unsigned i = 0; i <= got; i++)
        iobuf_release(buffers[i]);
    CHECK(iobuf_free() == 64 && iobuf_total() == 64);
}

/* ---- Coroutines ---- */

static unsigned trace[16], traced;

static void count_up(void *argument)
{
    unsigned *from = argument;
    volatile char on_stack[4096];

    memset((void *)(uintptr_t)on_stack, 1, sizeof(on_stack));
    for (unsigned i = 0; i < 3; i++) {
        trace[traced++] = *from + i;
        coroutine_suspend();
    }
}

static void test_coroutines(void)
{
    static struct coroutine a, b;
    unsigned from_a = 10, from_b = 20;
    static const unsigned expected[] = {10, 20, 11, 21, 12, 22};

    CHECK(coroutine_init(&a, 65536, count_up, &from_a) == OK);
    CHECK(coroutine_init(&b, 65536, count_up, &from_b) == OK);
    for (unsigned i = 0; i < 4; i++) {
        coroutine_resume(&a);
        coroutine_resume(&b);
    }
    CHECK(a.finished && b.finished && coroutine_current() == NULL);
    CHECK(traced == 6 && memcmp(trace, expected, sizeof(expected)) == 0);
}

/* ---- Random ---- */

static void test_random(void)
{
    /* Test vector of the SipHash paper, appendix A: key 00..0f, data 00..0e. */
    uint8_t key[16], data[15];
    unsigned histogram[10] = {0};
    uint64_t a, b;

    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    memcpy(data, key, sizeof(data));
    CHECK(siphash(key, data, sizeof(data)) == 0xa129ca6149be45e5);
    /* As CPython hashes bytes(range(15)), PYTHONHASHSEED=0. */
    memset(key, 0, sizeof(key));
    CHECK(siphash_table(key, data, sizeof(data)) == 0xf30eb725bb91c9ea);
    random_module_init();
    a = random_u64();
    b = random_u64();
    CHECK(a != b);
    for (unsigned i = 0; i < 10000; i++)
        histogram[random_below(10)]++;
    for (unsigned i = 0; i < 10; i++)
        CHECK(histogram[i] > 850 && histogram[i] < 1150);
}

static void test_log(void)
{
    uint64_t before = log_count();

    log_debug("test", "not kept");
    log_info("test", "line=%d text=%s", 7, "a\r\nb");
    CHECK(log_count() == before + 1);
    CHECK(strstr(log_line(0), "test: line=7 text=a??b") != NULL);
    CHECK(log_line(LOG_LINES) == NULL);
    for (unsigned i = 0; i < 2 * LOG_LINES; i++)
        log_warn("test", "%0300d", (int)i);
    CHECK(strlen(log_line(LOG_LINES - 1)) == LOG_LINE_BYTES - 1);
    CHECK(strcmp(log_line(0) + LOG_LINE_BYTES - 5, "0...") == 0);
}

static struct {
    unsigned count;
    struct log_entry last;
    char text[LOG_TEXT_BYTES];
} sunk;

static void sink_take(const struct log_entry *entry)
{
    sunk.count++;
    sunk.last = *entry;
    strcpy(sunk.text, entry->text);
    log_info("sink", "a sink that logs is not called again");
}

static void test_log_sinks(void)
{
    static struct log_sink sink = {.take = sink_take};
    uint64_t before = log_count();
    char value[20], long_text[LOG_TEXT_BYTES + 9];

    log_mail(5, "test", "nobody listens");
    log_add_sink(&sink);
    CHECK(sunk.count == LOG_LINES && sunk.last.level == LOG_WARN);
    CHECK(strncmp(sunk.text, "0000", 4) == 0);
    sunk.count = 0;
    log_add_sink(&sink);
    fake_machine.wall_clock_offset_ms = 1790000000123;
    fake_machine.now_ns = 0;
    log_mail(5, "test", "from=%s", "<\xc3\xa4@b>\x1b\xc0\xaf\xc2\x9b!");
    CHECK(sunk.count == 1 && sunk.last.mail_id == 5);
    CHECK(sunk.last.time_ms == 1790000000123 && sunk.last.level == LOG_INFO);
    CHECK(strcmp(sunk.text, "from=<\xc3\xa4@b>??"
                            "??"
                            "?!") == 0);
    CHECK(log_count() == before);
    log_warn("test", "both");
    CHECK(sunk.count == 2 && sunk.last.mail_id == 0);
    CHECK(log_count() == before + 1);
    CHECK(strcmp(log_line(0), "14:13:20 test: warning both") == 0);
    log_mail(1, "test", "%0700d", 1);
    CHECK(sunk.last.len == LOG_TEXT_BYTES - 1);
    CHECK(strcmp(sunk.text + LOG_TEXT_BYTES - 5, "0...") == 0);
    log_mail_text(3, "test", "made\nalready, and more", 12);
    CHECK(sunk.last.mail_id == 3 && strcmp(sunk.text, "made?already") == 0);
    memset(long_text, 'x', sizeof(long_text));
    log_mail_text(3, "test", long_text, sizeof(long_text));
    CHECK(sunk.last.len == LOG_TEXT_BYTES - 1);
    CHECK(strcmp(sunk.text + LOG_TEXT_BYTES - 5, "x...") == 0);
    CHECK(strcmp(log_value(value, sizeof(value), "a@b", 3), "a@b") == 0);
    CHECK(strlen(log_value(value, sizeof(value), long_text, 100)) ==
          sizeof(value) - 1);
    CHECK(strcmp(log_value(value, sizeof(value), "a \"b\\", 5),
                 "\"a \\\"b\\\\\"") == 0);
    CHECK(strcmp(log_value(value, sizeof(value), "", 0), "\"\"") == 0);
    CHECK(strlen(log_value(value, sizeof(value), "                         ",
                           25)) < sizeof(value));
}

static void test_dates(void)
{
    static const struct {
        int64_t ms;
        const char *text;
    } dates[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-5, "1970-01-01T00:00:00.000Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {978220800000, "2000-12-31T00:00:00.000Z"},
        {978307200000, "2001-01-01T00:00:00.000Z"},
        {1709164800000, "2024-02-29T00:00:00.000Z"},
        {1790000000123, "2026-09-21T14:13:20.123Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    char text[DATE_TEXT_BYTES];

    for (unsigned i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        struct date date;

        date_of(dates[i].ms, &date);
        CHECK(date_to_unix(&date) == dates[i].ms || dates[i].ms < 0 ||
              dates[i].ms > INT64_C(253402300799999));
    }
    for (unsigned i = 0; i < sizeof(dates) / sizeof(dates[0]); i++)
        CHECK(strcmp(date_format_rfc3339(dates[i].ms, text), dates[i].text) ==
              0);
    CHECK(strcmp(date_format(1790000000123, text), "2026-09-21 14:13:20") == 0);
}

static void test_bytes(void)
{
    uint8_t b[8];

    put_be64(b, 0x0102030405060708);
    CHECK(get_be64(b) == 0x0102030405060708 && get_be16(b) == 0x0102);
    CHECK(get_le32(b) == 0x04030201 && get_le64(b) == 0x0807060504030201);
    put_le32(b, 0x01020304);
    CHECK(get_be32(b) == 0x04030201);
}

int main(void)
{
    random_module_init();
    test_timers();
    test_timer_jump();
    test_tasks();
    test_iobufs();
    test_coroutines();
    test_random();
    test_log();
    test_log_sinks();
    test_dates();
    test_bytes();
    return check_report();
}
