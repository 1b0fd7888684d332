/* The web server against a fake stream and fake page jobs: requests played in
 * several ways of cutting them into spans and of room for answers, which have
 * to give the same answers in each; slow clients, lost ones, too many. */
#include "tests/unit/web_play.h"

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

/* A page that fails when some of it has gone out: nobody takes that, or what
 * would be said of it, for the whole. */
static void test_broken(void)
{
    static const char text[] = GET("/broken?bytes=40000");

    CHECK(gives(GET("/broken?bytes=100") GET("/echo/"), "503 200 "));
    for (size_t i = 0; i < PLAYS; i++)
        if (!plays[i].fin)
            CHECK(strchr(statuses(text, strlen(text), &plays[i]), 'x') != NULL);
}

/* The store goes between two pieces of an answer. */
static void test_pieces_without_store(void)
{
    static const char text[] = GET("/pieces?bytes=200000");
    struct fake_stream fake;

    begin_play(&fake, &plays[7]);
    fake.in = (const void *)text;
    fake.in_len = strlen(text);
    while (!strstr(fake.out, "xxxx"))
        (void)fake_web_turn(&fake, &plays[7]);
    fake_jobs.gone = true;
    fake_web_settle(&fake, &plays[7]);
    CHECK(fake.end == FAKE_ABORTED);
    CHECK(strstr(fake.out, "html") == NULL);
    end_play(&fake, &plays[7]);
}

/* Empty lines before a request do not change what it is (RFC 9112 2.2). */
static void test_empty_lines(void)
{
    CHECK(gives("\r\n" GET("/echo/") "\r\n\r\n" GET("/echo/"), "200 200 "));
    CHECK(gives("\r\nPOST /echo/ HTTP/1.1\r\n" H FORM
                "Content-Length: 3\r\n\r\na=b\r\n" GET("/echo/"),
                "200 200 "));
    CHECK(gives("\r\nPOST /login?user=anna&password=x HTTP/1.1\r\n" H FORM
                "Content-Length: 0\r\n\r\n",
                "303 "));
    CHECK(gives("\r\n\r\n\r\n" GET("/echo/"), "400 !"));
    CHECK(gives("\rPOST /echo/ HTTP/1.1\r\n" H FORM
                "Content-Length: 3\r\n\r\na=b",
                "400 !"));
    CHECK(gives("\n" GET("/echo/"), "400 !"));
}

/* HEAD says how long the content of GET is, also of an error. */
static void test_head_of_errors(void)
{
    static const char *const paths[] = {"/broken", "/nothing", "/empty"};
    char length[2][40];

    for (size_t i = 0; i < 3; i++) {
        for (unsigned head = 0; head < 2; head++) {
            struct fake_stream fake;
            char text[80];
            const char *at;

            snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\n" H "\r\n",
                     head ? "HEAD" : "GET", paths[i]);
            ask(&fake, text);
            at = strstr(fake.out, "Content-Length: ");
            snprintf(length[head], sizeof(length[head]), "%.*s",
                     at ? (int)strcspn(at, "\r") : 0, at ? at : "");
            CHECK(!head || strlen(strstr(fake.out, "\r\n\r\n")) == 4);
            end_play(&fake, &plays[0]);
        }
        CHECK(strcmp(length[0], length[1]) == 0);
    }
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

/* A file name longer than is kept, as systems that count characters allow. */
static void test_long_file_name(void)
{
    static char text[3000], body[2000], want[400];
    size_t len = (size_t)sprintf(
        body, "--xx\r\nContent-Disposition: form-data; name=\"file\"; "
              "filename=\"C:\\old\\");
    int head;

    for (unsigned i = 0; i < 250; i++)
        len += (size_t)sprintf(body + len, "\u65e5");
    len += (size_t)sprintf(body + len, ".docx\"\r\n\r\n0123\r\n--xx--\r\n");
    head = sprintf(text,
                   "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: "
                   "multipart/form-data; boundary=xx\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   len);
    memcpy(text + head, body, len);
    len += (size_t)head;
    head = sprintf(want, "file:");
    for (unsigned i = 0; i < 83; i++)
        head += sprintf(want + head, "\u65e5");
    sprintf(want + head, ".docx:4;");
    CHECK(upload(text, len, want));
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

int main(void)
{
    CHECK(begin_web() == OK);
    http_add_routes(more_routes, 1);
    test_pages();
    test_long_answers();
    test_lost_in_the_midst();
    test_ranges();
    test_statuses();
    test_broken();
    test_pieces_without_store();
    test_empty_lines();
    test_head_of_errors();
    test_uploads();
    test_long_file_name();
    test_too_big();
    test_login();
    test_login_times();
    test_many_logins();
    return check_report();
}
