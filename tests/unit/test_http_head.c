/* Heads of requests, chunks, forms, conditions and dates: what is taken, what
 * is refused and with which status, however it is cut into pieces. */
#include "http/http_internal.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <string.h>

/* ---- Heads ----------------------------------------------------------------
 */

static struct http_head head;

/* Feeds a text in pieces; gives the status, 0: good, 1: not complete. */
static unsigned feed(const char *text, size_t len, size_t piece, size_t *used)
{
    size_t at = 0;

    http_head_init(&head);
    while (at < len) {
        size_t part = len - at < piece ? len - at : piece, taken;
        uint8_t *exact = malloc(part);
        enum http_head_result result;

        memcpy(exact, text + at, part);
        result = http_head_feed(&head, exact, part, &taken);
        free(exact);
        at += taken;
        *used = at;
        if (result == HEAD_DONE)
            return 0;
        if (result == HEAD_BAD)
            return head.status;
    }
    return 1;
}

/* In whatever pieces: the same. */
static unsigned status_of(const char *text)
{
    size_t len = strlen(text), used, whole;
    unsigned status = feed(text, len, len, &whole);

    for (size_t piece = 1; piece < 9; piece++) {
        unsigned again = feed(text, len, piece, &used);

        if (again != status || (status == 0 && used != whole))
            return 999;
    }
    return status;
}

#define HOST "Host: a\r\n"
#define END  "\r\n"

static const struct {
    unsigned status;
    const char *text;
} heads[] = {
    {0, "GET / HTTP/1.1\r\n" HOST END},
    {0, "GET / HTTP/1.0\r\n" END},
    {0, "GET http://a.b:80/x?y HTTP/1.1\r\n" HOST END},
    {0, "GET http://a.b HTTP/1.1\r\n" HOST END},
    {0, "GET http://a.b?x=http://y/z HTTP/1.1\r\n" HOST END},
    {400, "GET http:// HTTP/1.1\r\n" HOST END},
    {0, "OPTIONS * HTTP/1.1\r\n" HOST END},
    {0, "DELETE /x HTTP/1.1\r\n" HOST END},
    {0, "GET / HTTP/1.9\r\n" HOST END},
    {0, "GET / HTTP/1.1\r\nhOsT:a:80\r\nX:\r\nY: a b\t\r\n" END},
    {0, "POST / HTTP/1.1\r\n" HOST "Content-Length: 007\r\n" END},
    {0, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n" END},
    {1, "GET / HTTP/1.1\r\n" HOST},
    {1, "GET / HTTP/1.1\r\n" HOST "\r"},
    {400, "GET / HTTP/1.1\n" HOST END},
    {400, "GET / HTTP/1.1\r\nHost: a\n" END},
    {400, "GET / HTTP/1.1\r\n" HOST "\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\rb\r\n" END},
    {400, "\r\nGET / HTTP/1.1\r\n" HOST END},
    {400, "GET /\r\n" END},
    {400, "GET  / HTTP/1.1\r\n" HOST END},
    {400, "GET / HTTP/1.1 \r\n" HOST END},
    {400, " GET / HTTP/1.1\r\n" HOST END},
    {400, "GET / http/1.1\r\n" HOST END},
    {400, "GET / HTTP/11\r\n" HOST END},
    {400, "GET /a b HTTP/1.1\r\n" HOST END},
    {400, "GET /# HTTP/1.1\r\n" HOST END},
    {400, "GET /%zz HTTP/1.1\r\n" HOST END},
    {400, "GET /%4 HTTP/1.1\r\n" HOST END},
    {400, "GET /%00 HTTP/1.1\r\n" HOST END},
    {400, "GET /%0d%0a HTTP/1.1\r\n" HOST END},
    {400, "GET /../x HTTP/1.1\r\n" HOST END},
    {400, "GET /a/%2e%2e HTTP/1.1\r\n" HOST END},
    {400, "GET /a/. HTTP/1.1\r\n" HOST END},
    {400, "GET /a%5cb HTTP/1.1\r\n" HOST END},
    {400, "GET a HTTP/1.1\r\n" HOST END},
    {400, "GET * HTTP/1.1\r\n" HOST END},
    {400, "GET http:///x HTTP/1.1\r\n" HOST END},
    {400, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST END},
    {400, "GET / HTTP/1.1\r\n" END},
    {400, "GET / HTTP/1.1\r\n" HOST HOST END},
    {400, "GET / HTTP/1.1\r\nHost: a/b\r\n" END},
    {400, "GET / HTTP/1.1\r\n" HOST "X : y\r\n" END},
    {400, "GET / HTTP/1.1\r\n" HOST ": y\r\n" END},
    {400, "GET / HTTP/1.1\r\n" HOST "X\r\n" END},
    {400, "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n" END},
    {400, "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n"
          "Content-Length: 1\r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n"
          "Transfer-Encoding: chunked\r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
          "Transfer-Encoding: chunked\r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n" END},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n" END},
    {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END},
    {501,
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n" END},
    {413,
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n" END},
    {417, "POST / HTTP/1.1\r\n" HOST "Expect: cake\r\n" END},
    {501, "BREW / HTTP/1.1\r\n" HOST END},
    {501, "get / HTTP/1.1\r\n" HOST END},
    {505, "GET / HTTP/2.0\r\n" HOST END},
    {505, "GET / HTTP/0.9\r\n" HOST END},
};

static void test_statuses(void)
{
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        unsigned status = status_of(heads[i].text);

        if (status != heads[i].status)
            printf("%u, not %u: %s", status, heads[i].status, heads[i].text);
        CHECK(status == heads[i].status);
    }
}

static void test_parts(void)
{
    CHECK(status_of("POST /a%20b/%c3%a4?q=%20 HTTP/1.1\r\nHost: x\r\n"
                    "Cookie: a=b\r\nX-Other:  some  text \r\n"
                    "Expect: 100-Continue\r\nContent-Length: 12\r\n"
                    "X-Empty:\r\nConnection: foo , close\r\n\r\nGET") == 0);
    CHECK(head.method == METHOD_POST && head.minor == 1);
    CHECK(strcmp(head.bytes + head.path, "/a b/\xc3\xa4") == 0);
    CHECK(strcmp(head.bytes + head.query, "q=%20") == 0);
    CHECK(strcmp(http_head_field(&head, FIELD_COOKIE), "a=b") == 0);
    CHECK(strcmp(http_head_find(&head, "x-other"), "some  text") == 0);
    CHECK(strcmp(http_head_find(&head, "x-empty"), "") == 0);
    CHECK(strcmp(http_head_find(&head, "host"), "x") == 0);
    CHECK(http_head_find(&head, "x-othe") == NULL);
    CHECK(http_head_field(&head, FIELD_RANGE) == NULL);
    CHECK(head.expects_continue && !head.keep_alive);
    CHECK(head.framing == FRAMING_LENGTH && head.length == 12);
    CHECK(status_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") == 0);
    CHECK(head.keep_alive && head.query == 0);
    CHECK(status_of("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\n"
                    "Connection: close\r\n\r\n") == 0);
    CHECK(!head.keep_alive);
}

static void test_lengths(void)
{
    static char text[3 * HTTP_HEAD_BYTES];
    size_t used;

    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    CHECK(feed(text, sizeof(text), 1000, &used) == 414);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    CHECK(feed(text, sizeof(text), 1000, &used) == 431);
    CHECK(used == HTTP_HEAD_BYTES);
    memcpy(text, "GET /", 5);
    memset(text + 5, 'a', sizeof(text) - 5);
    memcpy(text + 5000, " HTTP/1.1\r\nHost: a\r\n\r\n", 22);
    CHECK(feed(text, 5022, 5022, &used) == 414);
    CHECK(feed(text, 5022, 1, &used) == 414);
}

static void test_lists(void)
{
    CHECK(http_list_has("gzip", "gzip"));
    CHECK(http_list_has("deflate, GZIP;q=0.5", "gzip"));
    CHECK(!http_list_has("gzip;q=0", "gzip"));
    CHECK(!http_list_has("gzip; q=0.000", "gzip"));
    CHECK(http_list_has("gzip;q=0.01", "gzip"));
    CHECK(!http_list_has("xgzip, gzipx", "gzip"));
    CHECK(!http_list_has("", "gzip") && !http_list_has(NULL, "gzip"));
    CHECK(http_list_has(" , ,\tgzip\t, x", "gzip"));
}

/* ---- Chunks ---------------------------------------------------------------
 */

static struct {
    char out[256];
    size_t len, used;
} unchunked;

static int unchunk(const char *text, size_t piece, size_t room)
{
    struct http_chunked chunked;
    enum http_chunked_result result = CHUNKED_MORE;
    size_t len = strlen(text), taken, got;

    memset(&unchunked, 0, sizeof(unchunked));
    http_chunked_init(&chunked);
    while (result == CHUNKED_MORE && unchunked.used < len) {
        size_t part = len - unchunked.used;

        result = http_chunked_feed(
            &chunked, (const uint8_t *)text + unchunked.used,
            part < piece ? part : piece, &taken,
            (uint8_t *)unchunked.out + unchunked.len, room, &got);
        unchunked.used += taken;
        unchunked.len += got;
    }
    return (int)result;
}

static void test_chunks(void)
{
    static const char good[] = "5\r\nhello\r\n00a ; x=\"y\"\r\n0123456789\r\n"
                               "0\r\nTrailer: x\r\n\r\nGET";
    static const char *const bad[] = {
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "5\nhello",
        "5\r\nhelloX",
        "5\r\nhello\n",
        "0x5\r\n",
        ";\r\n",
        "0\r\n\n",
        "1\r\na\r\r\n",
        " 5\r\nhello",
        "0\r\n x\r\n\r\n",
        "ffffffffffffffff\r\n",
    };

    for (size_t piece = 1; piece < 60; piece++) {
        CHECK(unchunk(good, piece, piece % 7 + 1) == CHUNKED_DONE);
        CHECK(strcmp(unchunked.out, "hello0123456789") == 0);
        CHECK(unchunked.used == strlen(good) - 3);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t piece = 1; piece < 8; piece++)
            CHECK(unchunk(bad[i], piece, 100) == CHUNKED_BAD);
    CHECK(unchunk("3\r\nab", 10, 100) == CHUNKED_MORE);
}

/* ---- Forms ----------------------------------------------------------------
 */

/* A source that shows no more than it must. */
struct memory_source {
    struct http_source source;
    const char *text;
    size_t len, at, extra;
    uint8_t *shown;
};

static int peek(struct http_source *source, size_t want, const uint8_t **data)
{
    struct memory_source *memory = (struct memory_source *)source;
    size_t left = memory->len - memory->at;
    size_t show = want + memory->extra;

    if (show > left)
        show = left;
    free(memory->shown);
    memory->shown = malloc(show ? show : 1);
    memcpy(memory->shown, memory->text + memory->at, show);
    *data = memory->shown;
    return (int)show;
}

static void take(struct http_source *source, size_t bytes)
{
    ((struct memory_source *)source)->at += bytes;
}

/* "name|file|type|content\n" of each part; "!error" at the end. */
static const char *read_form(const char *type, const char *text, size_t extra,
                             size_t piece)
{
    static char out[2000];
    struct memory_source memory = {{peek, take}, text, strlen(text), 0,
                                   extra,        NULL};
    struct http_form form;
    struct http_part part;
    size_t len = 0;
    int err = http_form_begin(&form, &memory.source, type);

    out[0] = '\0';
    while (!err) {
        int got;

        err = http_form_next(&form, &part);
        if (err)
            break;
        len += (size_t)sprintf(out + len, "%s|%s|%s|", part.name,
                               part.file_name, part.type);
        while ((got = http_form_read(&form, out + len, piece)) > 0)
            len += (size_t)got;
        err = got;
        out[len++] = '\n';
        out[len] = '\0';
    }
    free(memory.shown);
    if (err != ERR_NOT_FOUND)
        sprintf(out + len, "!%d", err);
    return out;
}

static bool form_is(const char *type, const char *text, const char *want)
{
    for (size_t extra = 0; extra < 40; extra++) {
        const char *got = read_form(type, text, extra, extra % 9 + 1);

        if (strcmp(got, want) != 0) {
            printf("gave:\n%s\n", got);
            return false;
        }
    }
    return true;
}

#define URL   "application/x-www-form-urlencoded"
#define MULTI "multipart/form-data; boundary=\"xyz\""
#define CD    "\r\nContent-Disposition: form-data; name="

static void test_urlencoded(void)
{
    CHECK(form_is(URL, "a=1&b=c+d%26&&=x&e", "a|||1\nb|||c d&\n|||x\ne|||\n"));
    CHECK(form_is("Application/X-WWW-Form-Urlencoded; charset=utf-8", "a=b=c",
                  "a|||b=c\n"));
    CHECK(form_is(URL, "", ""));
    CHECK(form_is(URL, "a=%4", "a|||\n!-1"));
    CHECK(form_is(URL, "%=%41", "!-1"));
    CHECK(form_is(URL, "%00=a", "!-1"));
    CHECK(form_is("text/plain", "a=b", "!-14"));
    CHECK(form_is(NULL, "a=b", "!-14"));
    CHECK(form_is(URL "x", "a=b", "!-14"));
}

static void test_multipart(void)
{
    CHECK(form_is(MULTI,
                  "--xyz" CD "\"a\"\r\n\r\none\r\n--xyz" CD
                  "\"f\"; filename=\"C:\\x\\y;z.txt\"\r\nContent-Type: "
                  "text/plain\r\n\r\n\r\n--xy\r\n--\r\r\n\r\n--xyz--\r\nend",
                  "a|||one\nf|y;z.txt|text/plain|\r\n--xy\r\n--\r\r\n\n"));
    CHECK(form_is(MULTI, "--xyz--", ""));
    CHECK(form_is(MULTI, "--xyz  " CD "a\r\n\r\n\r\n--xyz--", "a|||\n"));
    CHECK(form_is(MULTI,
                  "--xyz" CD "\"q%22\"; filename=\"\"\r\n\r\n\r\n--xyz--",
                  "q\"|unnamed||\n"));
    CHECK(form_is(MULTI, "--xyz" CD "\"a\"\r\n\r\nno end", "a|||no end\n!-1"));
    CHECK(form_is(MULTI, "preamble\r\n--xyz--", "!-1"));
    CHECK(form_is(MULTI, "--xyz\r\nX: y\r\n\r\n\r\n--xyz--", "!-1"));
    CHECK(form_is(MULTI, "--xyz" CD "\"a\"\r\n\r\nx\r\n--xyzz", "a|||x\n!-1"));
    CHECK(form_is("multipart/form-data", "", "!-1"));
    CHECK(form_is("multipart/form-data; boundary=", "", "!-1"));
    CHECK(form_is("multipart/form-data; x=\"; boundary=a\"; boundary=b",
                  "--b--", ""));
}

/* ---- Conditions -----------------------------------------------------------
 */

static const char *condition(const char *fields)
{
    static char out[80];
    char text[600];
    uint64_t first, bytes;
    int result;

    sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    if (status_of(text) != 0)
        return "bad";
    result = (int)http_condition(&head, 1000, "\"tag\"", 784111777000, &first,
                                 &bytes);
    sprintf(out, "%d %u %u", result, (unsigned)first, (unsigned)bytes);
    return out;
}

#define IS(fields, result) CHECK(strcmp(condition(fields), result) == 0)

static void test_conditions(void)
{
    IS("", "0 0 1000");
    IS("Range: bytes=0-9\r\n", "1 0 10");
    IS("Range: bytes=990-\r\n", "1 990 10");
    IS("Range: bytes=990-5000\r\n", "1 990 10");
    IS("Range: bytes=-10\r\n", "1 990 10");
    IS("Range: bytes=-5000\r\n", "1 0 1000");
    IS("Range: bytes=1000-\r\n", "3 0 0");
    IS("Range: bytes=-0\r\n", "3 0 0");
    IS("Range: bytes=5-4\r\n", "0 0 1000");
    IS("Range: bytes=0-1,5-6\r\n", "0 0 1000");
    IS("Range: lines=0-1\r\n", "0 0 1000");
    IS("Range: bytes=a-b\r\n", "0 0 1000");
    IS("Range: bytes=99999999999999999999-\r\n", "0 0 1000");
    IS("If-None-Match: \"x\", W/\"tag\"\r\n", "2 0 0");
    IS("If-None-Match: *\r\n", "2 0 0");
    IS("If-None-Match: \"x\"\r\n", "0 0 1000");
    IS("If-None-Match: \"tagg\"\r\n", "0 0 1000");
    IS("If-Match: \"x\"\r\n", "4 0 0");
    IS("If-Match: W/\"tag\"\r\n", "4 0 0");
    IS("If-Match: \"tag\"\r\n", "0 0 1000");
    IS("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "2 0 0");
    IS("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n", "2 0 0");
    IS("If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n", "2 0 0");
    IS("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", "0 0 1000");
    IS("If-Modified-Since: yesterday\r\n", "0 0 1000");
    IS("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", "4 0 0");
    IS("If-None-Match: \"x\"\r\n"
       "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
       "0 0 1000");
    IS("If-Range: \"tag\"\r\nRange: bytes=0-9\r\n", "1 0 10");
    IS("If-Range: \"old\"\r\nRange: bytes=0-9\r\n", "0 0 1000");
    IS("If-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\nRange: bytes=0-9\r\n",
       "1 0 10");
}

static void test_dates(void)
{
    char text[HTTP_DATE_BYTES];

    http_date_put(784111777000, text);
    CHECK(strcmp(text, "Sun, 06 Nov 1994 08:49:37 GMT") == 0);
    for (int64_t t = 0; t < INT64_C(4102444800); t += 86400 * 13 + 12345) {
        http_date_put(t * 1000, text);
        if (http_date_read(text) != t)
            CHECK(http_date_read(text) == t);
    }
    CHECK(http_date_read("") == -1);
    CHECK(http_date_read("Sun, 06 Nov 1994 08:49:37 GM") == -1);
    CHECK(http_date_read("Sun, 06 Nov 1994 25:49:37 GMT") == -1);
    CHECK(http_date_read("Sun, xx Nov 1994 08:49:37 GMT") == -1);
    CHECK(http_date_read(",") == -1);
}

int main(void)
{
    test_statuses();
    test_parts();
    test_lengths();
    test_lists();
    test_chunks();
    test_urlencoded();
    test_multipart();
    test_conditions();
    test_dates();
    return check_report();
}
