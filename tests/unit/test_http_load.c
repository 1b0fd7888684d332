/* The web server with slow clients, many of them, and without its store. */
#include "tests/unit/web_play.h"

static void test_slow_clients(void)
{
    struct fake_stream fake;

    /* Nothing is said: closed without a word. */
    begin_play(&fake, &plays[0]);
    pass(55000);
    CHECK(fake.end == FAKE_OPEN);
    pass(10000);
    CHECK(fake.end == FAKE_CLOSED && fake.out_len == 0);
    end_play(&fake, &plays[0]);
    /* A head that never ends, a byte now and then. */
    begin_play(&fake, &plays[0]);
    fake_web_send(&fake, &plays[0], "GET / HTTP/1.1\r\n", 16);
    for (unsigned i = 0; i < 14 && fake.end == FAKE_OPEN; i++) {
        pass(1000);
        fake_web_send(&fake, &plays[0], "X", 1);
    }
    CHECK(fake.end == FAKE_CLOSED);
    CHECK(strstr(fake.out, "408 Request Timeout") != NULL);
    end_play(&fake, &plays[0]);
    /* A body likewise. */
    ask(&fake, "POST /echo/ HTTP/1.1\r\nHost: a\r\n" FORM
               "Content-Length: 50000\r\n\r\n");
    for (unsigned i = 0; i < 30 && fake.end == FAKE_OPEN; i++) {
        pass(1000);
        fake_web_send(&fake, &plays[0], "X", 1);
    }
    CHECK(fake.end == FAKE_CLOSED);
    CHECK(strstr(fake.out, "408 Request Timeout") != NULL);
    end_play(&fake, &plays[0]);
    /* A client that takes an answer a byte at a time. */
    begin_play(&fake, &plays[0]);
    fake.space = 100;
    fake.space_max = 0;
    fake_web_send(&fake, &plays[0],
                  "GET /long?bytes=50000 HTTP/1.1\r\nHost: a\r\n\r\n", 43);
    for (unsigned i = 0; i < 40 && fake.end == FAKE_OPEN; i++) {
        pass(1000);
        fake.space = 1;
        fake_web_settle(&fake, &plays[0]);
    }
    CHECK(fake.end == FAKE_ABORTED);
    end_play(&fake, &plays[0]);
}

/* A page that has begun and has long to do: nobody is too slow but itself. */
static void test_slow_page(void)
{
    static const char *const paths[] = {"0", "100", "5000", "40000"};
    struct fake_stream fake;
    char text[80];

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        int len = sprintf(
            text, "GET /begun?bytes=%s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);

        pages.slow_turns = 60;
        begin_play(&fake, &plays[0]);
        fake.in = (const uint8_t *)text;
        fake.in_len = (size_t)len;
        for (unsigned seconds = 0; seconds < 50; seconds++) {
            (void)fake_web_turn(&fake, &plays[0]);
            pass(1000);
        }
        CHECK(fake.end == FAKE_OPEN && strstr(fake.out, "done") == NULL);
        fake_web_settle(&fake, &plays[0]);
        CHECK(strstr(fake.out, "done") != NULL);
        end_play(&fake, &plays[0]);
    }
}

/* Slow uploads wait for one another, not pages for them. */
static void test_many_uploads(void)
{
    static struct fake_stream fakes[6];
    static char text[6][40000];
    struct fake_stream page;
    unsigned i;
    int len = 0;

    for (i = 0; i < 6; i++) {
        len = sprintf(text[i], "POST /upload HTTP/1.1\r\nHost: a\r\n" FORM
                               "Content-Length: 30002\r\n\r\na=");
        memset(text[i] + len, 'x', 30000);
        begin_play(&fakes[i], &plays[0]);
        fake_web_send(&fakes[i], &plays[0], text[i], (size_t)len + 20000);
        CHECK(fakes[i].out_len == 0);
    }
    begin_play(&page, &plays[0]);
    fake_web_send(&page, &plays[0], GET("/echo/"), strlen(GET("/echo/")));
    CHECK(strstr(page.out, "200 OK") != NULL);
    fake_lose(&page, ERR_RESET);
    fake_free(&page);
    for (i = 6; i-- > 0;) {
        fakes[i].in_len += 10000;
        fake_web_settle(&fakes[i], &plays[0]);
    }
    for (unsigned turns = 0; turns < 10; turns++)
        for (i = 0; i < 6; i++)
            fake_web_settle(&fakes[i], &plays[0]);
    for (i = 0; i < 6; i++)
        CHECK(strstr(fakes[i].out, "a::30000;") != NULL);
    for (i = 0; i < 6; i++) {
        fake_lose(&fakes[i], ERR_RESET);
        fake_web_settle(&fakes[i], &plays[0]);
        fake_free(&fakes[i]);
    }
    check_clean();
}

/* Strangers who send no whole request give way to those who do. */
static void test_many_beginners(void)
{
    static struct fake_stream fakes[60];
    unsigned i, served = 0, ended = 0;

    for (i = 0; i < 60; i++) {
        begin_play(&fakes[i], &plays[0]);
        fake_web_send(&fakes[i], &plays[0], i % 2 ? "GET /" : "POST /", 5);
    }
    for (i = 0; i < 60; i++) {
        if (fakes[i].end != FAKE_OPEN) {
            ended += strstr(fakes[i].out, "408 ") != NULL;
            continue;
        }
        fake_web_send(&fakes[i], &plays[0],
                      i % 2 ? "echo/ HTTP/1.0\r\n\r\n" : "/ HTTP/1.0\r\n\r\n",
                      i % 2 ? 18 : 14);
        served += strstr(fakes[i].out, i % 2 ? "200 OK" : "404 ") != NULL;
    }
    CHECK(served > 10 && ended > 10 && served + ended == 60);
    CHECK(strstr(fakes[59].out, "200 OK") != NULL);
    for (i = 0; i < 60; i++) {
        fake_lose(&fakes[i], ERR_RESET);
        fake_free(&fakes[i]);
    }
    check_clean();
}

/* Without the store, which answers no login meanwhile. */
static void send_only(struct fake_stream *fake, const struct fake_play *way,
                      const char *text)
{
    fake_connect(fake, way);
    fake->in = (const void *)text;
    fake->in_len = strlen(text);
    for (unsigned turns = 0; turns < 10; turns++) {
        (void)fake_stream_turn(fake, way);
        (void)fake_jobs_turn();
    }
}

/* Logins that wait, say of who guesses passwords, leave room for forms. */
static void test_many_logins(void)
{
    static const char login[] =
        "POST /login HTTP/1.1\r\n" H FORM "Content-Length: 20\r\n\r\n"
        "user=anna&password=x";
    static const char form[] =
        "POST /echo/ HTTP/1.1\r\n" H FORM "Content-Length: 3\r\n\r\na=b";
    static struct fake_stream fakes[40];
    struct fake_stream page;
    unsigned i, wait = 0, wrong = 0;

    fake_store_reset();
    for (i = 0; i < 40; i++) {
        send_only(&fakes[i], &plays[0], login);
        wait += fakes[i].out_len == 0;
    }
    CHECK(wait > 0 && wait < 40);
    CHECK(strstr(fakes[39].out, "Location: /login?failed=busy") != NULL);
    send_only(&page, &plays[0], form);
    CHECK(strstr(page.out, "200 OK") != NULL);
    fake_lose(&page, ERR_RESET);
    fake_free(&page);
    /* One goes away, and another one may. */
    fake_lose(&fakes[0], ERR_RESET);
    fake_free(&fakes[0]);
    send_only(&fakes[0], &plays[0], login);
    CHECK(fakes[0].out_len == 0);
    for (i = 0; i < 40; i++) {
        fake_web_settle(&fakes[i], &plays[0]);
        wrong += strstr(fakes[i].out, "failed=wrong") != NULL;
        fake_lose(&fakes[i], ERR_RESET);
        fake_free(&fakes[i]);
    }
    CHECK(wrong == wait);
    check_clean();
}

/* Strangers who do not take their answers give way to others, but not at
 * once; nor do they hold all memory for answers until then. */
static void many_slow_readers(const char *text, size_t whole)
{
    static const struct fake_play slow = {SIZE_MAX, false, 100, 0, false};
    static struct fake_stream fakes[60];
    unsigned i, open = 0, left = 0, aborted = 0;

    for (i = 0; i < 60; i++) {
        send_only(&fakes[i], &slow, text);
        open += fakes[i].end == FAKE_OPEN;
    }
    CHECK(open > 10 && open < 60);
    CHECK(http_out_free() > blocks_at_start / 4);
    pass(4000);
    fake_lose(&fakes[59], ERR_RESET);
    fake_free(&fakes[59]);
    send_only(&fakes[59], &plays[0], GET("/echo/"));
    CHECK(strstr(fakes[59].out, "200 OK") != NULL);
    /* Who begins to take it gets all of it. */
    CHECK(fakes[1].end == FAKE_OPEN && fakes[1].out_len < whole);
    fake_web_settle(&fakes[1], &plays[0]);
    CHECK(fakes[1].end == FAKE_OPEN && fakes[1].out_len >= whole);
    for (i = 0; i < 60; i++) {
        left += fakes[i].end == FAKE_OPEN;
        aborted += fakes[i].end == FAKE_ABORTED;
        fake_lose(&fakes[i], ERR_RESET);
        fake_free(&fakes[i]);
    }
    CHECK(left == open && aborted == 1);
    check_clean();
}

static void test_many_slow_readers(void)
{
    many_slow_readers(GET("/assets/works.html"), 612);
    many_slow_readers(GET("/pieces?bytes=200000"), 200000);
}

/* Answers of strangers hold all memory for answers while there are tasks. */
static void test_many_long_answers(void)
{
    static const struct fake_play slow = {SIZE_MAX, false, 100, 0, false};
    static struct fake_stream fakes[40];
    struct fake_stream page;
    unsigned i, count = 0;

    while (http_out_free() >= 8 && count < 40)
        send_only(&fakes[count++], &slow, GET("/long?bytes=30000"));
    CHECK(count > 5 && fakes[count - 1].end == FAKE_OPEN);
    send_only(&page, &plays[0], GET("/long?bytes=30000"));
    CHECK(strstr(page.out, "200 OK") == NULL);
    pass(4000);
    for (i = 0; i < 10; i++)
        (void)fake_web_turn(&page, &plays[0]);
    CHECK(strstr(page.out, "200 OK") != NULL && page.out_len > 30000);
    CHECK(page.end == FAKE_OPEN);
    fake_lose(&page, ERR_RESET);
    fake_free(&page);
    for (i = 0; i < count; i++) {
        fake_lose(&fakes[i], ERR_RESET);
        fake_free(&fakes[i]);
    }
    check_clean();
}

static void test_stick_gone(void)
{
    struct fake_stream fake;
    const char *text = GET("/slow");

    pages.slow_turns = 5;
    begin_play(&fake, &plays[0]);
    fake_jobs.gone = true;
    fake_web_send(&fake, &plays[0], text, strlen(text));
    CHECK(strstr(fake.out, "503 Service Unavailable") != NULL);
    CHECK(strstr(fake.out, "Retry-After: 5\r\n") != NULL);
    end_play(&fake, &plays[0]);
}

static void test_stop(void)
{
    struct fake_stream idle, busy;

    begin_play(&idle, &plays[0]);
    begin_play(&busy, &plays[0]);
    fake_web_send(&busy, &plays[0], "GET / HT", 8);
    http_server_stop();
    CHECK(idle.end == FAKE_CLOSED && idle.out_len == 0);
    CHECK(busy.end == FAKE_CLOSED && strstr(busy.out, "503 ") != NULL);
    fake_free(&idle);
    fake_free(&busy);
    check_clean();
    http_server_start();
}

int main(void)
{
    CHECK(begin_web() == OK);
    test_slow_clients();
    test_slow_page();
    test_many_uploads();
    test_many_beginners();
    test_many_logins();
    test_many_slow_readers();
    test_many_long_answers();
    test_stick_gone();
    test_stop();
    return check_report();
}
