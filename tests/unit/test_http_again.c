/* The web server: forms that come when their login has ended, and requests by
 * names that are not this machine's. */
#include "tests/unit/web_play.h"
#include "admin/admin_page.h"
#include "net/mdns.h"

const char *mdns_name(void)
{
    return "post.local";
}

static char cookie[64], token[40];

static void page_token(struct http_exchange *x, struct store *store)
{
    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    snprintf(token, sizeof(token), "%s", http_csrf(x));
}

static void page_form(struct http_exchange *x, struct store *store)
{
    (void)store;
    http_begin(x, 200, HTTP_TEXT);
    http_printf(x, "to=%s text=%s", http_param_or(x, "to", "-"),
                http_param_or(x, "text", "-"));
}

static void page_host(struct http_exchange *x, struct store *store)
{
    (void)store;
    http_begin(x, admin_host_own(x) ? 200 : 421, HTTP_TEXT);
}

static const struct http_route own_routes[] = {
    {"/token", HTTP_GET, HTTP_USER, page_token, 0},
    {"/form", HTTP_POST, HTTP_USER, page_form, 300000},
    {"/host", HTTP_GET, HTTP_PUBLIC, page_host, 0},
};

/* What came to the last request; NULL-terminated. */
static char got[400000];
static enum fake_end ended;

/* Plays a request, with the cookie; what it was answered is in got. */
static void say(const char *head, const char *body, size_t len)
{
    static char text[300000];
    struct fake_stream fake;
    int at = snprintf(text, sizeof(text),
                      "%s HTTP/1.1\r\nHost: a\r\nCookie: %s\r\n"
                      "Content-Length: %zu\r\n\r\n",
                      head, cookie, len);

    memcpy(text + at, body, len);
    begin_play(&fake, &plays[0]);
    fake_web_send(&fake, &plays[0], text, (size_t)at + len);
    snprintf(got, sizeof(got), "%s", fake.out);
    ended = fake.end;
    end_play(&fake, &plays[0]);
}

static bool has(const char *part)
{
    return strstr(got, part) != NULL;
}

static void log_in(void)
{
    static const char form[] = "user=anna&password=se+cret";
    const char *at;

    say("POST /login HTTP/1.1\r\n" FORM "X: y", form, strlen(form));
    at = strstr(got, "barepost=");
    CHECK(at != NULL);
    if (at)
        snprintf(cookie, sizeof(cookie), "%.41s", at);
    say("GET /token", "", 0);
}

#define MULTIPART                                                              \
    "POST /form?from=7&a=%3C HTTP/1.1\r\nContent-Type: "                       \
    "multipart/form-data; boundary=xx\r\nX: y"
#define FIELD(name, value)                                                     \
    "--xx\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value  \
    "\r\n"
#define NO_FILE                                                                \
    "--xx\r\nContent-Disposition: form-data; name=\"file\"; "                  \
    "filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n"
#define A_FILE                                                                 \
    "--xx\r\nContent-Disposition: form-data; name=\"file\"; "                  \
    "filename=\"a.bin\"\r\n\r\n01234\r\n"
#define COMPOSED                                                               \
    FIELD("csrf", "0123")                                                      \
    FIELD("draft", "3.14")                                                     \
    FIELD("do", "send")                                                        \
    FIELD("to", "Bert <bert@b.example>")                                       \
    FIELD("text", "Dear \"Bert\",\r\n\r\nit is <late>.\r\n")

static void test_logged_out(void)
{
    static const char whole[] = COMPOSED NO_FILE "--xx--\r\n";

    cookie[0] = '\0';
    say(MULTIPART, whole, strlen(whole));
    CHECK(has("HTTP/1.1 403 Forbidden") && ended == FAKE_OPEN);
    CHECK(has("action=\"/form?from=7&amp;a=%3C\""));
    CHECK(has(">\nDear &quot;Bert&quot;,\r\n\r\nit is &lt;late&gt;.\r\n</"));
    CHECK(has("name=\"to\" value=\"Bert &lt;bert@b.example&gt;\""));
    CHECK(has("type=\"hidden\" name=\"draft\" value=\"3.14\""));
    CHECK(has("name=\"do\" value=\"send\"") && has("Send again</button>"));
    CHECK(has("href=\"/login\" target=\"_blank\""));
    CHECK(!has("csrf") && !has("chosen again") && !has("too long"));
}

/* After the login: the same form once more, with the token that is right. */
static void test_token_is_old(void)
{
    static const char form[] = COMPOSED NO_FILE "--xx--\r\n";
    char again[100], right[sizeof(form) + 100];

    log_in();
    CHECK(strlen(token) == 32);
    say(MULTIPART, form, strlen(form));
    CHECK(has("HTTP/1.1 403 Forbidden") && has("it is &lt;late&gt;."));
    snprintf(again, sizeof(again), "name=\"csrf\" value=\"%s\"", token);
    CHECK(has(again) && has("Send again</button>") && !has("/login"));
    snprintf(right, sizeof(right),
             "--xx\r\nContent-Disposition: form-data; name=csrf\r\n\r\n%s\r\n"
             "%s",
             token, form);
    say(MULTIPART, right, strlen(right));
    CHECK(has("to=Bert <bert@b.example> text=Dear"));
}

/* What cannot be given back is not sent without it. */
static void test_not_whole(void)
{
    static const char files[] = COMPOSED A_FILE "--xx--\r\n";
    static const char secret[] = "old=aaa&new=bbbb&do=password";
    static char text[100000];
    size_t len;

    cookie[0] = '\0';
    say(MULTIPART, files, strlen(files));
    CHECK(has("it is &lt;late&gt;.") && has("chosen again"));
    CHECK(!has("Send again") && !has("too long") && !has("01234"));
    say("POST /form HTTP/1.1\r\n" FORM "X: y", secret, strlen(secret));
    CHECK(has("typed again") && !has("Send again") && !has("aaa"));
    len = (size_t)sprintf(text, "to=x%%40y&text=");
    memset(text + len, 'w', 80000);
    text[len + 10] = '+';
    say("POST /form HTTP/1.1\r\n" FORM "X: y", text, len + 80000);
    CHECK(has("value=\"x@y\"") && has("wwwwww wwww") && has("too long"));
    CHECK(!has("Send again") && ended == FAKE_CLOSED);
    len = (size_t)sprintf(
        text, FIELD("to", "x@y") "--xx\r\nContent-Disposition: form-data; "
                                 "name=text\r\n\r\nsome ");
    memset(text + len, 'w', 80000);
    say(MULTIPART, text, len + 80000);
    CHECK(has("value=\"x@y\"") && has("some wwww") && has("too long"));
    /* Logged in, all of it is there. */
    log_in();
    len += 70000;
    len += (size_t)sprintf(text + len, "!\r\n--xx--\r\n");
    say(MULTIPART, text, len);
    CHECK(has("403 Forbidden") && has("some wwww") && has("www!</textarea>"));
    CHECK(has("Send again") && !has("too long"));
}

static void test_refused(void)
{
    static const char form[] = "text=a+b";

    cookie[0] = '\0';
    say("POST /form HTTP/1.1\r\nOrigin: http://b\r\n" FORM "X: y", form, 8);
    CHECK(has("403 Forbidden") && !has("a b"));
    say("POST /form HTTP/1.1\r\nContent-Type: application/json\r\nX: y", form,
        8);
    CHECK(has("403 Forbidden") && !has("a b"));
    say("POST /logout HTTP/1.1\r\n" FORM "X: y", form, 8);
    CHECK(has("303 See Other") && has("Location: /login?next=/\r\n"));
}

/* ---- Names ----------------------------------------------------------------
 */

static bool is_own(const char *host)
{
    char text[400];
    struct fake_stream fake;
    bool own;

    snprintf(text, sizeof(text), "GET /host HTTP/1.1\r\nHost: %s\r\n\r\n",
             host);
    begin_play(&fake, &plays[0]);
    fake_set("hostname", "mail.example.org");
    fake_web_send(&fake, &plays[0], text, strlen(text));
    own = strstr(fake.out, "200 OK") != NULL;
    CHECK(own || strstr(fake.out, "421 Misdirected Request") != NULL);
    end_play(&fake, &plays[0]);
    return own;
}

static void test_host(void)
{
    CHECK(is_own("192.168.1.7") && is_own("192.168.1.7:8080"));
    CHECK(is_own("[::1]") && is_own("[fe80::1]:80"));
    CHECK(is_own("localhost") && is_own("LOCALHOST:2080"));
    CHECK(is_own("mail.example.org") && is_own("Mail.Example.Org.:80"));
    CHECK(is_own("mail") && is_own("post.local"));
    CHECK(!is_own("evil.example") && !is_own("mail.example.org.evil.example"));
    CHECK(!is_own("mail.evil") && !is_own("example.org") && !is_own("mai"));
    CHECK(!is_own("192.168.1.7.evil.example") && !is_own("192.168.1"));
    CHECK(!is_own("localhost.evil.example") && !is_own("") && !is_own("post"));
}

int main(void)
{
    CHECK(begin_web() == OK);
    http_add_routes(own_routes, 3);
    test_logged_out();
    test_token_is_old();
    test_not_whole();
    test_refused();
    test_host();
    return check_report();
}
