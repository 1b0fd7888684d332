/* libFuzzer: any bytes as a web client's side of a connection.
 *
 * Played whole and cut into spans with little room for answers, it must give
 * the same answers and leave nothing behind; dates are the same by a clock that
 * stands still. */
#include "tests/unit/fake_mail.h"
#include "tests/unit/fake_jobs.h"

#define MEMORY ((size_t)512 * 1024)

struct outcome {
    char *out;
    size_t out_len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void page_echo(struct http_exchange *x, struct store *store)
{
    size_t place = 0;
    const char *value;

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    http_header(x, "X-Rest", http_path_rest(x));
    while ((value = http_param_next(x, "a", &place)) != NULL)
        http_printf(x, "%h=%p %lld", value, value,
                    (long long)http_param_number(x, "a", 0));
    http_download(x, "inline", http_param_or(x, "f", ""));
    value = http_request_header(x, "x-test");
    http_escape(x, value ? value : "-");
}

static void page_upload(struct http_exchange *x, struct store *store)
{
    struct http_part part;
    enum err err;

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    while ((err = http_part_next(x, &part)) == OK) {
        char buffer[50];
        int got;

        http_printf(x, "%h:%h:%h:", part.name, part.file_name, part.type);
        while ((got = http_part_read(x, buffer, sizeof(buffer))) > 0)
            http_write(x, buffer, (size_t)got);
        if (got < 0) {
            http_fail(x, (enum err)got);
            return;
        }
    }
    if (err != ERR_NOT_FOUND)
        http_fail(x, err);
}

static void page_ranged(struct http_exchange *x, struct store *store)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    uint64_t first, bytes;

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    if (http_length(x, 26, "\"abc\"", 784111777000, &first, &bytes))
        http_write(x, text + first, (size_t)bytes);
}

static const struct http_route routes[] = {
    {"/echo/*", HTTP_GET | HTTP_POST, HTTP_PUBLIC, page_echo, 5000},
    {"/mine", HTTP_GET | HTTP_POST, HTTP_USER, page_echo, 0},
    {"/up", HTTP_POST, HTTP_PUBLIC, page_upload, 100000},
    {"/r", HTTP_GET, HTTP_PUBLIC, page_ranged, 0},
};

/* Whether every task is back in its pool. */
static bool all_free(void)
{
    struct list *pools = task_pools();

    for (struct list *node = pools->next; node != pools; node = node->next) {
        struct task_pool *pool = LIST_ELEMENT(node, struct task_pool, link);

        if (pool->free != pool->count)
            return false;
    }
    return true;
}

static void play(const uint8_t *text, size_t len, const struct fake_play *way,
                 struct outcome *outcome)
{
    static unsigned blocks;
    struct fake_stream fake;

    fake_store_reset();
    if (blocks == 0)
        blocks = http_out_free();
    fake_connect(&fake, way);
    fake_web_send(&fake, way, text, len);
    fake_lose(&fake, ERR_RESET);
    fake_web_settle(&fake, way);
    outcome->out = fake.out;
    outcome->out_len = fake.out_len;
    if (!all_free() || http_out_free() != blocks)
        abort();
}

static void start(void)
{
    task_module_init();
    timer_module_init();
    timer_run();
    fake_jobs_init();
    fake_store_reset();
    if (http_server_init(MEMORY) != OK)
        abort();
    http_server_start();
    http_add_routes(routes, sizeof(routes) / sizeof(routes[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fake_play cut = {0, true, 2000, 1100, false};
    static bool made;
    struct outcome whole, parts;

    if (!made)
        start();
    made = true;
    play(data, size, &fake_play_plain, &whole);
    play(data, size, &cut, &parts);
    if (whole.out_len != parts.out_len ||
        memcmp(whole.out, parts.out, whole.out_len) != 0)
        abort();
    free(whole.out);
    free(parts.out);
    return 0;
}
