/* Logging in and out: pages of the engine, which run in MT and may leave their
 * answer for later; so that whoever guesses passwords holds up no page. Logins
 * that wait take half of the tasks for POST at most: forms of who is logged in
 * find one. */
#include "http/http_internal.h"
#include "store/st_number.h"
#include <stdio.h>
#include <string.h>

static unsigned waiting; /* logins */

/* A place on this server, and nothing that a browser takes for another one. */
static const char *safe_place(const char *place)
{
    if (!place || place[0] != '/' || place[1] == '/' || strchr(place, '\\') ||
        strlen(place) > 400)
        return "/";
    for (const char *at = place; *at; at++)
        if (*at <= ' ' || *at > '~')
            return "/";
    return place;
}

static const char *failure(const char *code)
{
    if (!code)
        return "";
    return strcmp(code, "wrong") == 0
               ? "<p role=\"alert\">Name or password is wrong.</p>"
               : "<p role=\"alert\">That did not work just now: try again in a "
                 "moment.</p>";
}

/* Plain, and enough where no better page is there. */
static void show_login(struct http_exchange *x, struct store *store)
{
    (void)store;
    http_begin(x, 200, HTTP_HTML);
    http_printf(
        x,
        HTTP_PAGE_HEAD
        "<title>Log in</title>"
        "<main class=\"login\"><h1>Barepost</h1>%s"
        "<form method=\"post\" action=\"/login\">"
        "<input type=\"hidden\" name=\"next\" value=\"%h\">"
        "<p><label>Name<br><input name=\"user\" autocomplete=\"username\" "
        "required autofocus></label></p>"
        "<p><label>Password<br><input name=\"password\" type=\"password\" "
        "autocomplete=\"current-password\" required></label></p>"
        "<p><button>Log in</button></p></form></main>\n",
        failure(http_param(x, "failed")), safe_place(http_param(x, "next")));
}

static void back_to_login(struct http_exchange *x, const char *why)
{
    char place[800];
    struct text text;
    size_t bare;

    text_init(&text, place, sizeof(place) - 1);
    text_string(&text, "/login?failed=");
    text_string(&text, why);
    bare = text.len;
    text_string(&text, "&next=");
    http_url_put(&text, (const char *)x->kept);
    place[text.cut ? bare : text.len] = '\0';
    http_redirect(x, place);
}

static void logged_in(struct account_login *account)
{
    struct http_exchange *x = account->context;
    char cookie[HTTP_COOKIE_BYTES];

    waiting--;
    switch ((int)account->result) {
    case OK:
        http_redirect(x, (const char *)x->kept);
        /* The login that this browser had before is over. */
        http_session_close(x);
        http_session_open(account->user_id, cookie);
        http_header(x, "Set-Cookie", cookie);
        break;
    case ERR_REFUSED:
        back_to_login(x, "wrong");
        break;
    case ERR_GONE:
        http_fail(x, ERR_GONE);
        break;
    default:
        back_to_login(x, "busy");
    }
    http_exchange_finish(x);
}

static void log_in(struct http_exchange *x, struct store *store)
{
    struct account_login *account = x->account;
    const char *name = http_param_or(x, "user", "");
    const char *password = http_param_or(x, "password", "");

    (void)store;
    (void)snprintf((char *)x->kept, sizeof(x->kept), "%s",
                   safe_place(http_param(x, "next")));
    if (!st_setting_switch("auth_clear", true)) {
        http_error(x, 403, "No passwords are taken without encryption.");
        return;
    }
    if (!*name || !*password || strlen(name) >= sizeof(account->name) ||
        strlen(password) >= sizeof(account->password)) {
        back_to_login(x, "wrong");
        return;
    }
    if (waiting >= http_exchange_posts() / 2) {
        back_to_login(x, "busy");
        return;
    }
    memcpy(account->name, name, strlen(name) + 1);
    memcpy(account->password, password, strlen(password) + 1);
    account->peer = x->session->peer;
    account->service = "web";
    account->done = logged_in;
    account->context = x;
    x->state = X_PENDING;
    waiting++;
    account_login(account);
}

void http_login_cancel(struct http_exchange *x)
{
    account_cancel(x->account);
    waiting--;
}

static void log_out(struct http_exchange *x, struct store *store)
{
    (void)store;
    http_session_close(x);
    http_redirect(x, "/login");
    http_header(x, "Set-Cookie",
                "barepost=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
}

static const struct http_route routes[] = {
    {"/login", HTTP_GET | HTTP_POST, HTTP_PUBLIC, show_login, HTTP_BODY_BYTES},
    {"/logout", HTTP_POST, HTTP_USER, log_out, HTTP_BODY_BYTES},
};

const struct http_route *http_login_route(const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

void http_login_page(struct http_exchange *x)
{
    if (http_is_post(x) && x->route == &routes[0])
        log_in(x, NULL);
    else
        x->route->page(x, NULL);
}
