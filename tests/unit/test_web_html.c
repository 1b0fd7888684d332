/* Templates and plain text as HTML (web/html.h, web/web_text.h): that no value
 * gets into a page but escaped, wherever a piece of it ends. */
#include "check.h"
#include "http/http.h"
#include "web/html.h"
#include "web/web_text.h"
#include <stdint.h>
#include <string.h>

/* ---- An exchange that keeps what is written
 * ------------------------------------ */

static char page[1 << 20];
static size_t page_bytes;

void http_write(struct http_exchange *x, const void *data, size_t len)
{
    (void)x;
    memcpy(page + page_bytes, data, len);
    page_bytes += len;
    page[page_bytes] = '\0';
}

void http_text(struct http_exchange *x, const char *text)
{
    http_write(x, text, strlen(text));
}

void http_escape_bytes(struct http_exchange *x, const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        switch (text[i]) {
        case '<':
            http_text(x, "&lt;");
            break;
        case '>':
            http_text(x, "&gt;");
            break;
        case '&':
            http_text(x, "&amp;");
            break;
        case '"':
            http_text(x, "&quot;");
            break;
        case '\'':
            http_text(x, "&#39;");
            break;
        default:
            http_write(x, text + i, 1);
        }
}

void http_url(struct http_exchange *x, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text != '\0'; text++) {
        char escape[] = {'%', digits[(unsigned char)*text >> 4],
                         digits[*text & 15]};

        if ((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9'))
            http_write(x, text, 1);
        else
            http_write(x, escape, 3);
    }
}

static const char *written(void)
{
    page[page_bytes] = '\0';
    page_bytes = 0;
    return page;
}

/* ---- Templates
 * ------------------------------------------------------------------- */

static const char *volatile none; /* a field that is not there */

static void test_values(void)
{
    html(NULL, "<a title=\"%s\">%s</a>", "\" onclick='x'", "<b>&");
    CHECK(strcmp(written(), "<a title=\"&quot; onclick=&#39;x&#39;\">"
                            "&lt;b&gt;&amp;</a>") == 0);
    html(NULL, "<a href=\"/q?%-s\">", "a&b=\"<");
    CHECK(strcmp(written(), "<a href=\"/q?a%26b%3D%22%3C\">") == 0);
    html(NULL, "%.*s|%s", 2, "<<<", none);
    CHECK(strcmp(written(), "&lt;&lt;|") == 0);
}

static void test_numbers(void)
{
    html(NULL, "%d %u %02d %lld %llu %zu %%%c", -1, UINT32_MAX, 7,
         (long long)INT64_MIN, (unsigned long long)UINT64_MAX, (size_t)3, '<');
    CHECK(strcmp(written(), "-1 4294967295 07 -9223372036854775808 "
                            "18446744073709551615 3 %&lt;") == 0);
}

static void test_json(void)
{
    html_json(NULL, "a\"\\\n</script>\x01é");
    CHECK(strcmp(written(), "\"a\\u0022\\u005c\\u000a\\u003c/script\\u003e"
                            "\\u0001é\"") == 0);
}

/* ---- Plain text
 * -------------------------------------------------------------------- */

static struct web_text text;

/* The same text in pieces of one size gives the same page, whatever the size.
 */
static const char *render(const char *plain, bool flowed)
{
    static char whole[1 << 16];
    size_t len = strlen(plain), step, at;

    web_text_begin(&text, NULL, flowed, false);
    web_text_write(&text, plain, len);
    web_text_end(&text);
    strcpy(whole, written());
    for (step = 1; step < 8; step++) {
        web_text_begin(&text, NULL, flowed, false);
        for (at = 0; at < len; at += step)
            web_text_write(&text, plain + at,
                           step < len - at ? step : len - at);
        web_text_end(&text);
        CHECK(strcmp(written(), whole) == 0);
    }
    return whole;
}

#define OUT "<a target=\"_blank\" rel=\"noopener noreferrer nofollow\" href=\""

static void test_links(void)
{
    CHECK(strcmp(render("see (https://a.example/x_(y)), or "
                        "http://b.example/?q=1&r=2.\n",
                        false),
                 "<p>see (" OUT "https://a.example/x_(y)\">"
                 "https://a.example/x_(y)</a>), or " OUT
                 "http://b.example/?q=1&amp;r=2\">"
                 "http://b.example/?q=1&amp;r=2</a>.</p>") == 0);
    CHECK(strcmp(render("<anna@here.example>, www.x.example\n", false),
                 "<p>&lt;<a href=\"/compose?to=anna@here.example\">"
                 "anna@here.example</a>&gt;, " OUT
                 "http://www.x.example\">www.x.example</a></p>") == 0);
    CHECK(strcmp(render("javascript:alert(1) data:text/html,x a@b @ http://\n",
                        false),
                 "<p>javascript:alert(1) data:text/html,x a@b @ http://</p>") ==
          0);
}

static void test_hostile(void)
{
    const char *shown =
        render("https://a.example/\"onmouseover=alert(1)\n<script>'&\n"
               "https://a.example/'x mailto:a@b.example?subject=\"<&\n",
               false);

    CHECK(strstr(shown, "<script") == NULL);
    CHECK(strstr(shown, "\"onmouseover") == NULL);
    CHECK(strstr(shown, "&lt;script&gt;&#39;&amp;") != NULL);
}

static void test_quotes(void)
{
    const char *shown = render("Yes.\n> short\n>> deep\nNo.\n", false);

    CHECK(strcmp(shown,
                 "<p>Yes.</p><blockquote><p>short</p><blockquote>"
                 "<p>deep</p></blockquote></blockquote><p>No.</p>") == 0);
    shown =
        render("Yes.\n> 1\n> 2\n> 3\n> 4\n> 5\n> 6\n> 7\n> 8\n> 9\n", false);
    CHECK(strstr(shown, "<details><summary>Quoted text</summary><blockquote>"
                        "<p>1\n2\n") != NULL);
    CHECK(strstr(shown, "9</p></blockquote></details>") != NULL);
}

/* A word that is too long for a link goes through all the same, escaped. */
static void test_long_word(void)
{
    static char word[3 * WEB_WORD_BYTES];
    const char *shown;

    memset(word, '<', sizeof(word) - 1);
    memset(word, 'x', 2 * WEB_WORD_BYTES);
    memcpy(word, "https://", 8);
    shown = render(word, false);
    CHECK(strstr(shown, "xxx&lt;&lt;") != NULL);
    CHECK(strstr(shown, "<<") == NULL);
}

int main(void)
{
    test_values();
    test_numbers();
    test_json();
    test_links();
    test_hostile();
    test_quotes();
    test_long_word();
    return check_report();
}
