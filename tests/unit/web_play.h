/* Pages for tests of the web server, and how its sessions begin and end. */
#ifndef TESTS_UNIT_WEB_PLAY_H
#define TESTS_UNIT_WEB_PLAY_H

#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"
#include "tests/unit/fake_jobs.h"

#define MEMORY ((size_t)1024 * 1024)

static const struct fake_play plays[] = {
    {SIZE_MAX, false, 65536, 65536, false},
    {1, false, 65536, 65536, false},
    {2, false, 65536, 65536, false},
    {0, false, 65536, 65536, false},
    {0, true, 65536, 65536, false},
    {0, true, 65536, 65536, true},
    {SIZE_MAX, true, 65536, 65536, true},
    {SIZE_MAX, false, 100, 7, false},
    {SIZE_MAX, false, 1, 1, false},
    {1, false, 40, 1, true},
    {0, true, 60, 13, true},
};
#define PLAYS (sizeof(plays) / sizeof(plays[0]))

/* ---- Pages ----------------------------------------------------------------
 */

static struct {
    unsigned slow_turns;
    enum err part_error;
    uint64_t uploaded;
    bool saw_gone;
} pages;

static inline void page_echo(struct http_exchange *x, struct store *store)
{
    size_t place = 0;
    const char *value;

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    http_printf(x, "%h|%s|", http_path_rest(x),
                http_user(x) ? http_user(x)->name : "-");
    while ((value = http_param_next(x, "a", &place)) != NULL)
        http_printf(x, "a=%h;", value);
    http_printf(x, "n=%lld", (long long)http_param_number(x, "n", -7));
}

static inline void page_long(struct http_exchange *x, struct store *store)
{
    int64_t bytes = http_param_number(x, "bytes", 0);

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    for (int64_t i = 0; i < bytes; i++)
        http_write(x, &"0123456789"[i % 10], 1);
    pages.saw_gone |= http_gone(x);
}

static inline void page_more(struct http_exchange *x, struct store *store)
{
    uint64_t *left = http_state(x);
    uint64_t part = *left < 5000 ? *left : 5000;

    (void)store;
    for (uint64_t i = 0; i < part; i++)
        http_write(x, "x", 1);
    *left -= part;
    if (*left > 0)
        http_continue(x, page_more, left, sizeof(*left));
}

static inline void page_pieces(struct http_exchange *x, struct store *store)
{
    uint64_t left = (uint64_t)http_param_number(x, "bytes", 0);

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    http_continue(x, page_more, &left, sizeof(left));
}

static inline void page_ranged(struct http_exchange *x, struct store *store)
{
    uint64_t first, bytes;

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    if (!http_length(x, 26, "\"abc\"", 784111777000, &first, &bytes))
        return;
    http_write(x, &"abcdefghijklmnopqrstuvwxyz"[first], (size_t)bytes);
}

static inline void page_upload(struct http_exchange *x, struct store *store)
{
    struct http_part part;
    enum err err;

    (void)store;
    pages.uploaded = 0;
    http_begin(x, 200, HTTP_TEXT);
    while ((err = http_part_next(x, &part)) == OK) {
        char buffer[700];
        uint64_t sum = 0;
        int got;

        while ((got = http_part_read(x, buffer, sizeof(buffer))) > 0) {
            sum += (uint64_t)got;
            pages.uploaded += (uint64_t)got;
        }
        if (got < 0) {
            err = (enum err)got;
            break;
        }
        http_printf(x, "%h:%h:%llu;", part.name, part.file_name,
                    (unsigned long long)sum);
    }
    pages.part_error = err;
    if (err != ERR_NOT_FOUND) {
        http_fail(x, err);
        return;
    }
    http_printf(x, "a=%h z=%h", http_param_or(x, "a", "-"),
                http_param_or(x, "z", "-"));
}

static inline void page_slow(struct http_exchange *x, struct store *store)
{
    (void)store;
    for (unsigned i = 0; i < pages.slow_turns && !http_gone(x); i++)
        st_job_pause();
    pages.saw_gone = http_gone(x);
    http_begin(x, 200, HTTP_TEXT);
    http_text(x, "done");
}

/* Says something, and then has long to do. */
static inline void page_begun(struct http_exchange *x, struct store *store)
{
    int64_t bytes = http_param_number(x, "bytes", 0);

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    for (int64_t i = 0; i < bytes; i++)
        http_write(x, "x", 1);
    for (unsigned i = 0; i < pages.slow_turns && !http_gone(x); i++)
        st_job_pause();
    http_text(x, "done");
}

static inline void page_empty(struct http_exchange *x, struct store *store)
{
    (void)x;
    (void)store;
}

static inline void page_wrong_length(struct http_exchange *x,
                                     struct store *store)
{
    uint64_t first, bytes;

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    if (http_length(x, 100, NULL, 0, &first, &bytes))
        http_text(x, "short");
}

/* Fails when it has said so much. */
static inline void page_broken(struct http_exchange *x, struct store *store)
{
    page_long(x, store);
    http_fail(x, ERR_GONE);
}

static const struct http_route routes[] = {
    {"/echo/*", HTTP_GET | HTTP_POST, HTTP_PUBLIC, page_echo, 0},
    {"/mine", HTTP_GET | HTTP_POST, HTTP_USER, page_echo, 0},
    {"/admin", HTTP_GET, HTTP_ADMIN, page_echo, 0},
    {"/long", HTTP_GET, HTTP_PUBLIC, page_long, 0},
    {"/pieces", HTTP_GET, HTTP_PUBLIC, page_pieces, 0},
    {"/ranged", HTTP_GET, HTTP_PUBLIC, page_ranged, 0},
    {"/upload", HTTP_POST, HTTP_PUBLIC, page_upload, 200000},
    {"/slow", HTTP_GET, HTTP_PUBLIC, page_slow, 0},
    {"/begun", HTTP_GET, HTTP_PUBLIC, page_begun, 0},
    {"/empty", HTTP_GET, HTTP_PUBLIC, page_empty, 0},
    {"/wrong", HTTP_GET, HTTP_PUBLIC, page_wrong_length, 0},
    {"/broken", HTTP_GET, HTTP_PUBLIC, page_broken, 0},
};

/* ---- Playing --------------------------------------------------------------
 */

static inline bool all_free(void)
{
    struct list *pools = task_pools();
    bool free = true;

    for (struct list *node = pools->next; node != pools; node = node->next) {
        struct task_pool *pool = LIST_ELEMENT(node, struct task_pool, link);

        free &= pool->free == pool->count;
    }
    return free;
}

static unsigned blocks_at_start;

static inline void check_clean(void)
{
    struct http_figures figures;

    http_figures(&figures);
    CHECK(figures.connections == 0);
    CHECK(all_free());
    CHECK(http_out_free() == blocks_at_start);
}

static inline void begin_play(struct fake_stream *fake,
                              const struct fake_play *way)
{
    fake_store_reset();
    fake_jobs.gone = false;
    fake_connect(fake, way);
}

static inline void end_play(struct fake_stream *fake,
                            const struct fake_play *way)
{
    fake_lose(fake, ERR_RESET);
    fake_web_settle(fake, way);
    fake_free(fake);
    check_clean();
}

/* Time is looked at by timers. */
static inline void pass(uint64_t ms)
{
    for (; ms > 0; ms -= 1000) {
        fake_machine.now_ns += 1000000000u;
        (void)timer_run();
    }
}

#define H         "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"
#define FORM      "Content-Type: application/x-www-form-urlencoded\r\n"

static inline void ask(struct fake_stream *fake, const char *text)
{
    begin_play(fake, &plays[0]);
    fake_web_send(fake, &plays[0], text, strlen(text));
}

/* Makes everything; gives what http_server_init() gave. */
static inline enum err begin_web(void)
{
    enum err err;

    task_module_init();
    timer_module_init();
    timer_run();
    fake_jobs_init();
    fake_store_reset();
    err = http_server_init(MEMORY);
    blocks_at_start = http_out_free();
    http_server_start();
    http_add_routes(routes, sizeof(routes) / sizeof(routes[0]));
    return err;
}

#endif
