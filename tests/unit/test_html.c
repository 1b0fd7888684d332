/* Unit test: HTML of mail made safe, and as plain text. What comes of the
 * hostile mail in tests/browser/vectors is read here by a reader that knows
 * only what the sanitiser may write. */
#include "check.h"
#include "mailstore/mime/mime_html.h"
#include <stdlib.h>
#include <string.h>

#define ROOM 100000

static struct html_clean clean;
static struct html_text plain;
static char out[ROOM], again[ROOM];
static size_t out_len;

static enum err keep(void *context, const char *text, size_t len)
{
    (void)context;
    if (out_len + len >= ROOM)
        return ERR_FULL;
    memcpy(out + out_len, text, len);
    out_len += len;
    out[out_len] = '\0';
    return OK;
}

static bool cid(void *context, const char *id, size_t len, char *url,
                size_t room)
{
    (void)context;
    if (len != 12 || memcmp(id, "picture@mail", 12) != 0)
        return false;
    return snprintf(url, room, "/part?id=\"1\"&x") > 0;
}

static const struct mime_sink sink = {keep, NULL};

/* In pieces of that size. */
static void run(const char *html, size_t len, bool remote, size_t piece)
{
    struct html_options options = {.remote = remote, .cid = cid};

    out_len = 0;
    out[0] = '\0';
    html_clean_begin(&clean, &options, &sink);
    for (size_t i = 0; i < len; i += piece)
        html_clean_write(&clean, html + i, len - i < piece ? len - i : piece);
    CHECK(html_clean_end(&clean) == OK);
}

static void gives(const char *html, const char *wanted)
{
    run(html, strlen(html), false, 1);
    if (strcmp(out, wanted) != 0)
        printf("html:   %s\ngives:  %s\nwanted: %s\n", html, out, wanted);
    CHECK(strcmp(out, wanted) == 0);
}

static void blocks(const char *html, unsigned count)
{
    run(html, strlen(html), false, 1000);
    if (clean.blocked != count)
        printf("blocked: %u of %s\n", clean.blocked, html);
    CHECK(clean.blocked == count);
    run(html, strlen(html), true, 1000);
    CHECK(clean.blocked == 0);
}

static void test_kept(void)
{
    gives("<p>a & b &amp; c &eacute;&copy; &#8364;&#x80;&hellip;</p>",
          "<p>a &amp; b &amp; c \u00e9\u00a9 \u20ac\u20ac\u2026</p>");
    gives("<B>x<I>y</B>z</I>", "<b>x<i>y</i></b>z");
    gives("<p>a<p>b<div>c</div>", "<p>a</p><p>b</p><div>c</div>");
    gives("<ul><li>a<li>b<ul><li>c</ul></ul>",
          "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>");
    gives("<table><tr><td>a<td>b<tr><td>c</table>",
          "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>");
    gives("<br><hr/><img alt=x>", "<br><hr><img alt=\"x\">");
    gives("<body bgcolor=red>x</body>", "<div bgcolor=\"red\">x</div>");
    gives("<a href=' http://x/?a=1&amp;b=\"2'>x</a>",
          "<a href=\"http://x/?a=1&amp;b=&quot;2\" target=\"_blank\" "
          "rel=\"noopener noreferrer\">x</a>");
    gives("<a href=mailto:a@b>x</a>",
          "<a href=\"mailto:a@b\" target=\"_blank\" "
          "rel=\"noopener noreferrer\">x</a>");
    gives("<a href=x>y</a>", "<a>y</a>");
    gives("<a href=MAILTO:A@b><img src=Data:Image/PNG;base64,AAA=>",
          "<a href=\"mailto:A@b\" target=\"_blank\" "
          "rel=\"noopener noreferrer\"><img "
          "src=\"data:image/png;base64,AAA=\"></a>");
    gives("<img src=\"cid:picture%40mail\">",
          "<img src=\"/part?id=&quot;1&quot;&amp;x\">");
    gives("<img src='data:image/png;base64,AAA='>",
          "<img src=\"data:image/png;base64,AAA=\">");
    gives("<p style=\"color:red;position:fixed; margin : 0 auto !important\">",
          "<p style=\"color:red;margin:0 auto !important;\"></p>");
    gives("<p style='font-family:\"A b\",x;width:calc(1px + (2px))'>",
          "<p style=\"font-family:&quot;A b&quot;,x;width:calc(1px + "
          "(2px));\"></p>");
    gives("<p style='color:rgb(1;margin:0'>", "<p></p>");
    gives("<x>a</x><form>b</form>", "ab");
    gives("1 < 2 <3> & &nosuch; <", "1 &lt; 2 &lt;3&gt; &amp; &amp;nosuch; "
                                    "&lt;");
    gives("<!-- a -->b<!DOCTYPE html>c<?d?>e", "bce");
    gives("<p title=a title=b class=\"c\" class=d>",
          "<p title=\"a\" class=\"c\"></p>");
    gives("</p></div>x</b>", "x");
    gives("<div><table><tr><td></div>y", "<div><table><tr><td>y</td></tr>"
                                         "</table></div>");
}

static void test_sheets(void)
{
    gives("<style>p.a > b, [x=\"y\"] { color : red; position:fixed }\n"
          "q{behavior:x} /* } */ i{margin:0}</style>x",
          "<style>p.a > b, [x=\"y\"]{color:red;}i{margin:0;}</style>x");
    gives("<style><!-- @media screen and (max-width: 600px) { p{color:red} } "
          "@import 'x'; b{color:blue} --></style>",
          "<style>@media screen and (max-width: 600px){p{color:red;}}"
          "b{color:blue;}</style>");
    gives("<style>@font-face{src:url(x)} @supports(x){p{color:red}} "
          "i{color:red}</style>",
          "<style>i{color:red;}</style>");
    gives("<style>p{color:red", "");
    gives("<style>@media all{p{color:red}", "<style>@media all{p{color:red;}}"
                                            "</style>");
}

static void test_blocked(void)
{
    blocks("<img src=http://a/b><img src=//a/b><img src=x>", 2);
    blocks("<table background=https://a/b><td style='background:url(//a/b)'>",
           2);
    blocks("<link rel=stylesheet href=//a/b><a href=http://a/b>", 1);
    blocks("<style>@import url(x); p{background:url(http://a/b)}</style>", 2);
    blocks("<video poster=http://a/b></video><img srcset='http://a/b 1x'>", 2);
    blocks("<p title=http://a/b>http://a/b</p><img src=cid:x>", 0);
    run("<img src=//a/b.png><p style='background:url(http://a/(b))'>", 57, true,
        57);
    CHECK(strcmp(out, "<img src=\"https://a/b.png\"><p></p>") == 0);
    run("<p style='background:red url( http://a/\"b ) top'>", 49, true, 1);
    CHECK(strcmp(out, "<p style=\"background:red "
                      "url(&quot;http://a/%22b&quot;) top;\"></p>") == 0);
}

/* ---- What may be written ---------------------------------------------------
 */

static const char elements[] =
    " a abbr acronym address article aside b bdi bdo big blockquote br caption "
    "center cite code col colgroup dd del details dfn dir div dl dt em "
    "figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd "
    "li main mark menu nav nobr ol p pre q rp rt ruby s samp section small "
    "span strike strong style sub summary sup table tbody td tfoot th thead "
    "time tr tt u ul var wbr ";
static const char voids[] = " br col hr img wbr ";
static const char attributes[] =
    " abbr align alt axis background bgcolor border cellpadding cellspacing "
    "char charoff class clear color colspan datetime dir face frame headers "
    "height href hspace id lang noshade nowrap open rel reversed role rowspan "
    "rules scope size span src start style summary target title type valign "
    "value vspace width ";

static bool listed(const char *list, const char *word, size_t len)
{
    char spaced[40];

    if (len > 30)
        return false;
    (void)snprintf(spaced, sizeof spaced, " %.*s ", (int)len, word);
    return strstr(list, spaced) != NULL;
}

static size_t name_bytes(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Whether CSS loads nothing but what is allowed. */
static bool css_is_safe(const char *css, size_t len, bool remote)
{
    static char copy[ROOM];

    memcpy(copy, css, len);
    copy[len] = '\0';
    if (strpbrk(copy, "<\\") != NULL || strstr(copy, "@import") != NULL ||
        strstr(copy, "expression") != NULL || strstr(copy, "position") != NULL)
        return false;
    for (char *at = copy; (at = strchr(at, '@')) != NULL; at++) {
        if (!begins(at, "@media"))
            return false;
    }
    if (!remote && (strstr(copy, "//") != NULL || strstr(copy, "url(") != NULL))
        return false;
    for (char *at = copy; (at = strstr(at, "url(")) != NULL; at++) {
        const char *url = begins(at, "url(&quot;") ? at + 10 : at + 5;

        if (!begins(url, "http://") && !begins(url, "https://"))
            return false;
    }
    return true;
}

static bool attribute_is_safe(const char *name, size_t name_len,
                              const char *value, size_t len, bool remote)
{
    bool loads = listed(" src background ", name, name_len);

    if (!listed(attributes, name, name_len))
        return false;
    if (memchr(value, '<', len) != NULL || memchr(value, '>', len) != NULL)
        return false;
    if (listed(" href ", name, name_len))
        return begins(value, "http://") || begins(value, "https://") ||
               begins(value, "mailto:");
    if (loads && remote &&
        (begins(value, "http://") || begins(value, "https://")))
        return true;
    if (loads)
        return begins(value, "/part?id=") ||
               begins(value, "data:image/png;base64,");
    if (listed(" style ", name, name_len))
        return css_is_safe(value, len, remote);
    return true;
}

/* The tag at text, behind its <; NULL when it is not as it should be. */
static const char *read_tag(const char *text, bool remote)
{
    bool target = false, rel = false, href = false;
    size_t len = name_bytes(text);

    if (!listed(elements, text, len))
        return NULL;
    text += len;
    while (*text == ' ') {
        const char *name = text + 1, *value;

        len = name_bytes(name);
        if (name[len] != '=' || name[len + 1] != '"')
            return NULL;
        value = name + len + 2;
        text = strchr(value, '"');
        if (text == NULL || !attribute_is_safe(name, len, value,
                                               (size_t)(text - value), remote))
            return NULL;
        href |= begins(name, "href=");
        target |= begins(name, "target=\"_blank\"");
        rel |= begins(name, "rel=\"noopener noreferrer\"");
        text++;
    }
    return *text == '>' && href == target && href == rel ? text + 1 : NULL;
}

/* Whether all of text is as the sanitiser may write it, and balanced. */
static bool is_safe(const char *text, bool remote)
{
    char open[300][24];
    unsigned depth = 0;

    while (*text != '\0') {
        size_t len;

        if (*text != '<') {
            if (*text == '>' || *text == '"' || *text == '\'')
                return false;
            text++;
            continue;
        }
        if (text[1] == '/') {
            len = name_bytes(text + 2);
            if (depth == 0 || strlen(open[depth - 1]) != len ||
                strncmp(open[--depth], text + 2, len) != 0 ||
                text[len + 2] != '>')
                return false;
            text += len + 3;
            continue;
        }
        len = name_bytes(text + 1);
        if (len >= 24 || depth == 300)
            return false;
        if (begins(text, "<style>")) {
            const char *end = strstr(text, "</style>");

            if (end == NULL ||
                !css_is_safe(text + 7, (size_t)(end - text) - 7, remote))
                return false;
            text = end + 8;
            continue;
        }
        if (!listed(voids, text + 1, len))
            (void)snprintf(open[depth++], 24, "%.*s", (int)len, text + 1);
        text = read_tag(text + 1, remote);
        if (text == NULL)
            return false;
    }
    return depth == 0;
}

/* One vector: safe, the same in any pieces, and not changed by going through
 * once more. */
static void test_vector(const char *name, const char *html, size_t len)
{
    for (int remote = 0; remote < 2; remote++) {
        bool good = true;

        run(html, len, remote != 0, 7);
        good &= is_safe(out, remote != 0);
        memcpy(again, out, out_len + 1);
        run(html, len, remote != 0, len);
        good &= strcmp(again, out) == 0;
        run(again, strlen(again), remote != 0, 100);
        if (strstr(again, "/part?id=") == NULL)
            good &= strcmp(again, out) == 0;
        if (!good)
            printf("vector \"%s\" gives\n%s\nand then\n%s\n", name, again, out);
        CHECK(good);
    }
}

static void test_vectors(const char *path)
{
    static char text[200000];
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    unsigned count = 0;
    char *at = strstr(text, "\n== ");

    if (file)
        (void)fclose(file);
    CHECK(len > 0);
    while (at != NULL) {
        char *name = at + 4, *html = strchr(name, '\n'), *next;

        if (html == NULL)
            break;
        *html++ = '\0';
        next = strstr(html, "\n== ");
        test_vector(name, html, next ? (size_t)(next - html) : strlen(html));
        at = next;
        count++;
    }
    CHECK(count >= 60);
}

/* NUL is left out of text, and ends no name. */
static void test_nul(void)
{
    static const char html[] =
        "a\0b<scr\0ipt>c</scr\0ipt><img\0 src=x><p on\0click=d "
        "sty\0le=color:red title=\"e\0\"><script>f\0</script>";

    run(html, sizeof html - 1, false, 1);
    CHECK(strcmp(out, "abc<p title=\"e\"></p>") == 0);
}

/* ---- Limits ----------------------------------------------------------------
 */

static void test_limits(void)
{
    static char big[300000];
    size_t len = 0;

    for (int i = 0; i < 500; i++)
        len += (size_t)sprintf(big + len, "<div>");
    run(big, len, false, 1000);
    CHECK(is_safe(out, false) && out_len == HTML_DEPTH * 11);
    memset(big, 'a', sizeof big);
    memcpy(big, "<img alt=b src=\"http://", 23);
    memcpy(big + 20000, "\" title=c><p class=", 19);
    memcpy(big + 40000, ">x", 2);
    run(big, 40002, true, 100);
    CHECK(strcmp(out, "<img alt=\"b\" title=\"c\"><p>x</p>") == 0);
    memset(big, 'a', sizeof big);
    memcpy(big, "<style>", 7);
    memcpy(big + 20000, "{color:red} p{color:red;x:", 26);
    memcpy(big + 60000, "} b{color:red}</style>", 22);
    run(big, 60022, false, 100);
    CHECK(strcmp(out, "<style>b{color:red;}</style>") == 0);
}

static enum err refuse(void *context, const char *text, size_t len)
{
    unsigned *calls = context;

    (void)text;
    (void)len;
    ++*calls;
    return ERR_FULL;
}

static void test_refused(void)
{
    unsigned calls = 0;
    struct mime_sink full = {refuse, &calls};
    struct html_options options = {0};

    html_clean_begin(&clean, &options, &full);
    for (int i = 0; i < 1000; i++)
        html_clean_write(&clean, "<p>text</p>", 11);
    CHECK(html_clean_end(&clean) == ERR_FULL && calls == 1);
}

/* ---- Plain text ------------------------------------------------------------
 */

static void text_is(const char *html, const char *wanted)
{
    out_len = 0;
    out[0] = '\0';
    html_text_begin(&plain, &sink);
    for (size_t i = 0; html[i] != '\0'; i++)
        html_text_write(&plain, html + i, 1);
    CHECK(html_text_end(&plain) == OK);
    if (strcmp(out, wanted) != 0)
        printf("html:   %s\ntext:   %s\nwanted: %s\n", html, out, wanted);
    CHECK(strcmp(out, wanted) == 0);
}

static void test_text(void)
{
    text_is("", "");
    text_is("<title>no</title><style>p{}</style><p> a\n <b>b</b>c &amp; d </p>",
            "a bc & d\n");
    text_is("<p>a</p><p>b<br>c<br><br>d</p><div>e</div><div>f</div>",
            "a\n\nb\nc\n\nd\n\ne\nf\n");
    text_is("<ul><li>a</li><li>b</li></ul>c", "* a\n* b\n\nc\n");
    text_is("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>d",
            "a b\nc\n\nd\n");
    text_is("x<blockquote>a<p>b<blockquote>c</blockquote></blockquote>y",
            "x\n\n> a\n>\n> b\n>\n> > c\n\ny\n");
    text_is("<pre>a\n  b\n</pre>c", "a\n  b\n\nc\n");
    text_is("a<hr>b<img alt='pic'>&nbsp;&nbsp;c<script>no</script>",
            "a\n---\nbpic c\n");
    text_is("a<!-- b -->c<br>", "ac\n");
}

int main(void)
{
    test_kept();
    test_sheets();
    test_blocked();
    test_vectors("tests/browser/vectors/hostile.txt");
    test_nul();
    test_limits();
    test_refused();
    test_text();
    return check_report();
}
