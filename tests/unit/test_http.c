/* The web server against a fake stream and fake page jobs: requests played in
 * several ways of cutting them into spans and of room for answers, which have
 * to give the same answers in each; slow clients, lost ones, too many. */
#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"
#include "tests/unit/fake_jobs.h"
#include "http/http_asset.h"

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

static void page_echo(struct http_exchange *x, struct store *store)
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

static void page_long(struct http_exchange *x, struct store *store)
{
    int64_t bytes = http_param_number(x, "bytes", 0);

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    for (int64_t i = 0; i < bytes; i++)
        http_write(x, "0123456789" + i % 10, 1);
    pages.saw_gone |= http_gone(x);
}

static void page_more(struct http_exchange *x, struct store *store)
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

static void page_pieces(struct http_exchange *x, struct store *store)
{
    uint64_t left = (uint64_t)http_param_number(x, "bytes", 0);

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    http_continue(x, page_more, &left, sizeof(left));
}

static void page_ranged(struct http_exchange *x, struct store *store)
{
    uint64_t first, bytes;

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    if (!http_length(x, 26, "\"abc\"", 784111777000, &first, &bytes))
        return;
    http_write(x, "abcdefghijklmnopqrstuvwxyz" + first, (size_t)bytes);
}

static void page_upload(struct http_exchange *x, struct store *store)
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

static void page_slow(struct http_exchange *x, struct store *store)
{
    (void)store;
    for (unsigned i = 0; i < pages.slow_turns && !http_gone(x); i++)
        st_job_pause();
    pages.saw_gone = http_gone(x);
    http_begin(x, 200, HTTP_TEXT);
    http_text(x, "done");
}

static void page_empty(struct http_exchange *x, struct store *store)
{
    (void)x;
    (void)store;
}

static void page_wrong_length(struct http_exchange *x, struct store *store)
{
    uint64_t first, bytes;

    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    if (http_length(x, 100, NULL, 0, &first, &bytes))
        http_text(x, "short");
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
    {"/empty", HTTP_GET, HTTP_PUBLIC, page_empty, 0},
    {"/wrong", HTTP_GET, HTTP_PUBLIC, page_wrong_length, 0},
};

/* ---- Playing --------------------------------------------------------------
 */

static bool all_free(void)
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

static void check_clean(void)
{
    struct http_figures figures;

    http_figures(&figures);
    CHECK(figures.connections == 0);
    CHECK(all_free());
    CHECK(http_out_free() == blocks_at_start);
}

static void begin_play(struct fake_stream *fake, const struct fake_play *way)
{
    fake_store_reset();
    fake_jobs.gone = false;
    fake_connect(fake, way);
}

static void end_play(struct fake_stream *fake, const struct fake_play *way)
{
    fake_lose(fake, ERR_RESET);
    fake_web_settle(fake, way);
    fake_free(fake);
    check_clean();
}

/* Takes out what is the same in every answer, dates and policies, so that tests
 * need not repeat them. */
static void cut_fields(char *text)
{
    static const char *const names[] = {
        "Date: ",        "X-Content-Type-Options: ", "Cross-Origin-",
        "Content-Sec",   "Referrer-Policy: ",        "Vary: ",
        "Retry-After: ",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *at;

        while ((at = strstr(text, names[i])) != NULL) {
            char *end = strstr(at, "\r\n");

            memmove(at, end + 2, strlen(end + 2) + 1);
        }
    }
}

/* Plays in every way; true when the answers were always these. */
static bool play_bytes(const char *text, size_t len, const char *answers)
{
    bool same = true;

    for (size_t i = 0; i < PLAYS && same; i++) {
        struct fake_stream fake;

        begin_play(&fake, &plays[i]);
        fake_web_send(&fake, &plays[i], text, len);
        cut_fields(fake.out);
        if (!fake_matches(fake.out, strlen(fake.out), answers)) {
            printf("play %zu of \"%.60s\" gave:\n%s\n", i, text, fake.out);
            same = false;
        }
        end_play(&fake, &plays[i]);
    }
    return same;
}

static bool play(const char *text, const char *answers)
{
    return play_bytes(text, strlen(text), answers);
}

#define H "Host: a\r\n"
#define TEXT_HEAD                                                              \
    "Content-Type: text/plain; charset=utf-8\r\n"                              \
    "Cache-Control: no-store\r\n"

/* With what every answer has but for Content-Length. */
#define OK_TEXT                                                                \
    "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n"                           \
    "Content-Type: text/plain; charset=utf-8\r\n"

static void test_pages(void)
{
    CHECK(play("GET /echo/x%3cy?a=1&a=%3E%20&n=42 HTTP/1.1\r\n" H "\r\n",
               OK_TEXT "Content-Length: 25\r\n\r\nx&lt;y|-|a=1;a=&gt; ;n=42"));
    CHECK(play("GET /echo/?a=b HTTP/1.1\r\n" H "\r\n"
               "HEAD /echo/?a=b HTTP/1.1\r\n" H "\r\n"
               "GET /echo/q HTTP/1.1\r\n" H "Connection: close\r\n\r\n"
               "GET /echo/never HTTP/1.1\r\n" H "\r\n",
               OK_TEXT
               "Content-Length: 11\r\n\r\n|-|a=b;n=-7" OK_TEXT
               "Content-Length: 11\r\n\r\n" OK_TEXT
               "Content-Length: 8\r\nConnection: close\r\n\r\nq|-|n=-7"));
}

/* A chunked answer put together again; NULL: malformed. */
static char *without_chunks(char *text, size_t *len)
{
    char *body = strstr(text, "\r\n\r\n");
    char *out = text;

    if (!body)
        return NULL;
    body += 4;
    for (;;) {
        char *end;
        size_t size = strtoul(body, &end, 16);

        if (end == body || end[0] != '\r' || end[1] != '\n')
            return NULL;
        body = end + 2;
        memmove(out, body, size);
        out += size;
        body += size;
        if (body[0] != '\r' || body[1] != '\n')
            return NULL;
        body += 2;
        if (size == 0)
            break;
    }
    *len = (size_t)(out - text);
    return *body ? NULL : text;
}

static void test_long_answers(void)
{
    static const unsigned sizes[] = {1, 4000, 4076, 32000, 40000, 300000};

    for (size_t way = 0; way < PLAYS; way++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct fake_stream fake;
            char text[100];
            size_t len = 0, wrong = 0;
            char *content;

            if (plays[way].drain < 100 && sizes[i] > 40000)
                continue;
            begin_play(&fake, &plays[way]);
            sprintf(text, "GET /%s?bytes=%u HTTP/1.1\r\nHost: a\r\n\r\n",
                    i % 2 ? "long" : "pieces", sizes[i]);
            fake_web_send(&fake, &plays[way], text, strlen(text));
            if (strstr(fake.out, "Content-Length: ")) {
                content = strstr(fake.out, "\r\n\r\n") + 4;
                len = strlen(content);
            } else {
                content = without_chunks(fake.out, &len);
            }
            CHECK(content != NULL && len == sizes[i]);
            for (size_t at = 0; content && at < len; at++)
                wrong += content[at] != (i % 2 ? "0123456789"[at % 10] : 'x');
            CHECK(wrong == 0);
            end_play(&fake, &plays[way]);
        }
    }
    CHECK(play("GET /long?bytes=3 HTTP/1.0\r\n\r\n",
               OK_TEXT "Content-Length: 3\r\nConnection: close\r\n\r\n012"));
    CHECK(play("GET /long?bytes=3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
               OK_TEXT "Content-Length: 3\r\nConnection: keep-alive\r\n\r\n"
                       "012"));
}

static void test_lost_in_the_midst(void)
{
    struct fake_stream fake;
    const char *text = "GET /long?bytes=2000000 HTTP/1.1\r\nHost: a\r\n\r\n";

    for (unsigned turns = 1; turns < 40; turns++) {
        begin_play(&fake, &plays[0]);
        fake.in = (const uint8_t *)text;
        fake.in_len = strlen(text);
        for (unsigned i = 0; i < turns; i++)
            (void)fake_web_turn(&fake, &plays[7]);
        end_play(&fake, &plays[0]);
    }
    pages.slow_turns = 10;
    begin_play(&fake, &plays[0]);
    text = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    fake.in = (const uint8_t *)text;
    fake.in_len = strlen(text);
    (void)fake_web_turn(&fake, &plays[0]);
    (void)fake_web_turn(&fake, &plays[0]);
    end_play(&fake, &plays[0]);
    CHECK(pages.saw_gone);
    /* Before its job began. */
    fake_jobs.delay = 3;
    begin_play(&fake, &plays[0]);
    fake.in = (const uint8_t *)text;
    fake.in_len = strlen(text);
    (void)fake_web_turn(&fake, &plays[0]);
    end_play(&fake, &plays[0]);
    fake_jobs.delay = 0;
}

static void test_ranges(void)
{
    CHECK(play("GET /ranged HTTP/1.1\r\n" H "Range: bytes=2-4\r\n\r\n",
               "HTTP/1.1 206 Partial Content\r\nCache-Control: no-store\r\n"
               "Content-Type: text/plain; charset=utf-8\r\nETag: \"abc\"\r\n"
               "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
               "Accept-Ranges: bytes\r\nContent-Range: bytes 2-4/26\r\n"
               "Content-Length: 3\r\n\r\ncde"));
    CHECK(play("GET /ranged HTTP/1.1\r\n" H "Range: bytes=26-\r\n\r\n",
               "HTTP/1.1 416 Range Not Satisfiable\r\n"
               "Cache-Control: no-store\r\n"
               "Content-Type: text/plain; charset=utf-8\r\nETag: \"abc\"\r\n"
               "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
               "Accept-Ranges: bytes\r\nContent-Range: bytes */26\r\n"
               "Content-Length: 0\r\n\r\n"));
    CHECK(play("GET /ranged HTTP/1.1\r\n" H "If-None-Match: \"abc\"\r\n\r\n"
               "HEAD /ranged HTTP/1.1\r\n" H "\r\n",
               "HTTP/1.1 304 Not Modified\r\nCache-Control: no-store\r\n"
               "Content-Type: text/plain; charset=utf-8\r\nETag: \"abc\"\r\n"
               "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
               "Accept-Ranges: bytes\r\n\r\n" OK_TEXT "ETag: \"abc\"\r\n"
               "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
               "Accept-Ranges: bytes\r\nContent-Length: 26\r\n\r\n"));
}

/* The status of each answer, in order; "!": the connection was closed. */
static const char *statuses(const char *text, size_t len,
                            const struct fake_play *way)
{
    static char out[100];
    struct fake_stream fake;
    const char *at;

    out[0] = '\0';
    begin_play(&fake, way);
    fake_web_send(&fake, way, text, len);
    at = fake.out;
    while ((at = strstr(at, "HTTP/1.1 ")) != NULL) {
        at += 9;
        strncat(out, at, 3);
        strcat(out, " ");
    }
    if (fake.end == FAKE_CLOSED)
        strcat(out, "!");
    if (fake.end == FAKE_ABORTED)
        strcat(out, "x");
    end_play(&fake, way);
    return out;
}

static bool gives(const char *text, const char *want)
{
    for (size_t i = 0; i < PLAYS; i++) {
        const char *got;

        /* "100 Continue" is left out where there is no room. */
        if (plays[i].fin || (want[0] == '1' && plays[i].space_max < 100))
            continue;
        got = statuses(text, strlen(text), &plays[i]);
        if (strcmp(got, want) != 0) {
            printf("play %zu of \"%.70s\" gave %s\n", i, text, got);
            return false;
        }
    }
    return true;
}

#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"
#define FORM      "Content-Type: application/x-www-form-urlencoded\r\n"

static void test_statuses(void)
{
    CHECK(gives(GET("/nothing"), "404 "));
    CHECK(gives(GET("/nothing") GET("/echo/"), "404 200 "));
    CHECK(gives("PUT /echo/ HTTP/1.1\r\n" H "\r\n" GET("/echo/"), "405 200 "));
    CHECK(gives("POST /long HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nGET",
                "405 !"));
    CHECK(gives("OPTIONS * HTTP/1.1\r\n" H "\r\n"
                "OPTIONS /echo/ HTTP/1.1\r\n" H "\r\n"
                "OPTIONS /assets/works.html HTTP/1.1\r\n" H "\r\n",
                "204 204 204 "));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H "\r\n", "411 "));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H "Content-Length: 99999999\r\n\r\n",
                "413 !"));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H
                "Content-Length: 2\r\n\r\n{}" GET("/echo/"),
                "415 200 "));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H FORM
                "Content-Length: 3\r\n\r\na=b" GET("/echo/"),
                "200 200 "));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H FORM "Expect: 100-continue\r\n"
                "Content-Length: 3\r\n\r\na=b",
                "100 200 "));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H FORM "Expect: 100-continue\r\n"
                "Content-Length: 0\r\n\r\n",
                "200 "));
    CHECK(gives(
        "POST /echo/ HTTP/1.1\r\n" H FORM
        "Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n" GET("/echo/"),
        "200 200 "));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H FORM
                "Transfer-Encoding: chunked\r\n\r\n3\r\na=bX" GET("/echo/"),
                "400 !"));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H "Origin: http://b\r\n" FORM
                "Content-Length: 3\r\n\r\na=b",
                "403 !"));
    CHECK(gives("POST /echo/ HTTP/1.1\r\n" H
                "Sec-Fetch-Site: same-site\r\n" FORM
                "Content-Length: 3\r\n\r\na=b",
                "403 !"));
    CHECK(gives("GET /echo/ HTTP/1.1\r\n" H
                "Content-Length: 30\r\n\r\n" GET("/echo/"),
                "200 !"));
    CHECK(gives("GET /echo/\r\n\r\n" GET("/echo/"), "400 !"));
    CHECK(gives(GET("/empty"), "500 "));
    CHECK(gives(GET("/wrong"), "500 "));
    CHECK(gives(GET("/mine"), "303 "));
    CHECK(gives(GET("/assets/works.html") GET("/assets/works.html")
                    GET("/echo/") GET("/assets/works.html"),
                "200 200 200 200 "));
    CHECK(gives("POST /assets/works.html HTTP/1.1\r\n" H
                "Content-Length: 0\r\n\r\n",
                "405 "));
}

/* ---- Uploads --------------------------------------------------------------
 */

static bool upload(const char *text, size_t len, const char *content)
{
    for (size_t i = 0; i < PLAYS; i++) {
        struct fake_stream fake;
        bool right;

        if (len > 50000 && plays[i].piece == 1)
            continue;
        begin_play(&fake, &plays[i]);
        fake_web_send(&fake, &plays[i], text, len);
        right = strstr(fake.out, content) != NULL;
        if (!right)
            printf("play %zu gave: %s\n", i, fake.out);
        end_play(&fake, &plays[i]);
        if (!right)
            return false;
    }
    return true;
}

#define PART(name)                                                             \
    "\r\n--xx\r\nContent-Disposition: form-data; name=" name "\r\n\r\n"

static void test_uploads(void)
{
    static char text[300000], body[200000];
    static const char *const ends[] = {"!", PART("z") "last\r\n--xx--\r\n"};
    size_t len, file;
    int head;

    for (file = 1; file < 150000; file = file * 7 + 3) {
        len = (size_t)sprintf(
            body, "--xx\r\nContent-Disposition: form-data; name=a\r\n\r\none"
                  "\r\n--xx\r\nContent-Disposition: form-data; name=f; "
                  "filename=\"x.bin\"\r\n\r\n");
        for (size_t i = 0; i < file; i++)
            body[len++] = "\r\n-x"[(i * i + i / 7) % 4];
        memcpy(body + len, ends[1], strlen(ends[1]) + 1);
        len += strlen(ends[1]);
        head = sprintf(text,
                       "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: "
                       "multipart/form-data; boundary=xx\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       len);
        memcpy(text + head, body, len);
        sprintf(body, "f:x.bin:%zu;a=one z=last", file);
        CHECK(upload(text, (size_t)head + len, body));
    }
    /* A field that does not fit is given out like a file. */
    len = (size_t)sprintf(body, "a=1&big=");
    memset(body + len, 'b', 60000);
    len += 60000;
    len += (size_t)sprintf(body + len, "&z=2");
    head = sprintf(text,
                   "POST /upload HTTP/1.1\r\nHost: a\r\n" FORM
                   "Content-Length: %zu\r\n\r\n",
                   len);
    memcpy(text + head, body, len);
    CHECK(upload(text, (size_t)head + len, "big::60000;a=1 z=2"));
    /* It ends in the midst of a file. */
    len = (size_t)sprintf(body, "--xx\r\nContent-Disposition: form-data; "
                                "name=f; filename=x\r\n\r\n12345678901234");
    head = sprintf(text,
                   "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: "
                   "multipart/form-data; boundary=xx\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   len, body);
    CHECK(upload(text, (size_t)head, "400 Bad Request"));
}

/* More than it may be, with chunks, of which nobody knows how many come. */
static void test_too_big(void)
{
    static char text[400000];
    int len = sprintf(text, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: "
                            "multipart/form-data; boundary=xx\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n40000\r\n"
                            "--xx\r\nContent-Disposition: form-data; name=f; "
                            "filename=x\r\n\r\n");
    struct fake_stream fake;

    memset(text + len, 'x', 300000);
    begin_play(&fake, &plays[0]);
    fake_web_send(&fake, &plays[0], text, (size_t)len + 300000);
    CHECK(strstr(fake.out, "413 Content Too Large") != NULL);
    CHECK(fake.end == FAKE_CLOSED);
    end_play(&fake, &plays[0]);
}

/* ---- Logins ---------------------------------------------------------------
 */

static char cookie[64], token[40];

static void ask(struct fake_stream *fake, const char *text)
{
    begin_play(fake, &plays[0]);
    fake_web_send(fake, &plays[0], text, strlen(text));
}

static bool answers(const char *text, const char *part)
{
    struct fake_stream fake;
    bool found;

    ask(&fake, text);
    found = strstr(fake.out, part) != NULL;
    if (!found)
        printf("%s\ngave:\n%s\n", text, fake.out);
    end_play(&fake, &plays[0]);
    return found;
}

#define LOG_IN(form, length)                                                   \
    "POST /login HTTP/1.1\r\nHost: a\r\n" FORM "Content-Length: " length       \
    "\r\n\r\n" form

static void page_token(struct http_exchange *x, struct store *store)
{
    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    snprintf(token, sizeof(token), "%s", http_csrf(x));
}

static const struct http_route more_routes[] = {
    {"/token", HTTP_GET, HTTP_USER, page_token, 0},
};

static const char *with_cookie(const char *line, const char *rest)
{
    static char text[1000];

    snprintf(text, sizeof(text),
             "%s HTTP/1.1\r\nHost: a\r\nCookie: x=y; %s\r\n"
             "%s",
             line, cookie, rest);
    return text;
}

static void log_in(void)
{
    struct fake_stream fake;
    const char *at;

    ask(&fake, LOG_IN("user=anna&password=se+cret&next=/mine%3fa=1", "43"));
    CHECK(strstr(fake.out, "HTTP/1.1 303 See Other\r\n") != NULL);
    CHECK(strstr(fake.out, "Location: /mine?a=1\r\n") != NULL);
    CHECK(strstr(fake.out, "; Path=/; HttpOnly; SameSite=Strict\r\n") != NULL);
    at = strstr(fake.out, "barepost=");
    if (at)
        snprintf(cookie, sizeof(cookie), "%.41s", at);
    end_play(&fake, &plays[0]);
}

static void test_login(void)
{
    char rest[300];

    CHECK(answers(LOG_IN("user=anna&password=x", "20"),
                  "Location: /login?failed=wrong&next=/\r\n"));
    CHECK(answers(LOG_IN("user=anna&password=x&next=//evil.example/", "41"),
                  "Location: /login?failed=wrong&next=/\r\n"));
    CHECK(answers(LOG_IN("user=anna", "9"), "failed=wrong"));
    CHECK(answers(GET("/login?failed=wrong&next=/a%22%3E"),
                  "value=\"/a&quot;&gt;\""));
    CHECK(answers(GET("/mine?a=b"), "Location: /login?next=/mine%3Fa%3Db\r\n"));
    log_in();
    CHECK(answers(with_cookie("GET /mine", "\r\n"), "|anna|"));
    CHECK(answers(with_cookie("GET /admin", "\r\n"), "|anna|"));
    CHECK(answers(with_cookie("GET /token", "\r\n"), "200 OK"));
    CHECK(strlen(token) == 32);
    snprintf(rest, sizeof(rest), FORM "Content-Length: 41\r\n\r\ncsrf=%s&a=x",
             token);
    CHECK(answers(with_cookie("POST /mine", rest), "a=x;"));
    rest[strlen(rest) - 5] ^= 1;
    CHECK(answers(with_cookie("POST /mine", rest), "403 Forbidden"));
    snprintf(rest, sizeof(rest),
             FORM "X-CSRF-Token: %s\r\n"
                  "Content-Length: 3\r\n\r\na=y",
             token);
    CHECK(answers(with_cookie("POST /mine", rest), "a=y;"));
    CHECK(
        answers(with_cookie("POST /mine", FORM "Content-Length: 3\r\n\r\na=y"),
                "403 Forbidden"));
    cookie[20] ^= 1;
    CHECK(answers(with_cookie("GET /mine", "\r\n"), "303 See Other"));
    CHECK(
        answers(with_cookie("POST /mine", FORM "Content-Length: 3\r\n\r\na=y"),
                "403 Forbidden"));
    cookie[20] ^= 1;
    snprintf(rest, sizeof(rest), FORM "Content-Length: 37\r\n\r\ncsrf=%s",
             token);
    CHECK(answers(with_cookie("POST /logout", rest), "Max-Age=0"));
    CHECK(answers(with_cookie("GET /mine", "\r\n"), "303 See Other"));
}

/* Time is looked at by timers. */
static void pass(uint64_t ms)
{
    for (; ms > 0; ms -= 1000) {
        fake_machine.now_ns += 1000000000u;
        (void)timer_run();
    }
}

static void test_login_times(void)
{
    log_in();
    for (unsigned i = 0; i < 3; i++) {
        pass(59 * 60000);
        CHECK(answers(with_cookie("GET /mine", "\r\n"), "|anna|"));
    }
    pass(61 * 60000);
    CHECK(answers(with_cookie("GET /mine", "\r\n"), "303 See Other"));
    log_in();
    for (unsigned i = 0; i < 47; i++) {
        pass(30 * 60000);
        CHECK(answers(with_cookie("GET /mine", "\r\n"), "|anna|"));
    }
    pass(31 * 60000);
    CHECK(answers(with_cookie("GET /mine", "\r\n"), "303 See Other"));
}

/* More logins than there is room for: none of the latest is refused. */
static void test_many_logins(void)
{
    unsigned right = 0;

    for (unsigned i = 0; i < 3000; i++) {
        struct fake_stream fake;

        if (i % 100 == 0)
            log_in();
        ask(&fake, LOG_IN("user=anna&password=se+cret", "26"));
        right += strstr(fake.out, "Set-Cookie: ") != NULL;
        fake_lose(&fake, ERR_RESET);
        fake_free(&fake);
    }
    CHECK(right == 3000);
    log_in();
    CHECK(answers(with_cookie("GET /mine", "\r\n"), "|anna|"));
}

/* ---- Time and load --------------------------------------------------------
 */

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
    task_module_init();
    timer_module_init();
    timer_run();
    fake_jobs_init();
    fake_store_reset();
    CHECK(http_server_init(MEMORY) == OK);
    blocks_at_start = http_out_free();
    http_server_start();
    http_add_routes(routes, sizeof(routes) / sizeof(routes[0]));
    http_add_routes(more_routes, 1);
    test_pages();
    test_long_answers();
    test_lost_in_the_midst();
    test_ranges();
    test_statuses();
    test_uploads();
    test_too_big();
    test_login();
    test_login_times();
    test_many_logins();
    test_slow_clients();
    test_many_uploads();
    test_stick_gone();
    test_stop();
    return check_report();
}
