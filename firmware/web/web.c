/* Which page is where: see web.h. */
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <string.h>

/* A message with files, and its form around it. */
#define UPLOAD_MAX ((uint64_t)STORE_MESSAGE_MAX)

/* /mail/7, /mail/7/12, /mail/7/12/part/3 */
static void mail_page(struct http_exchange *x, struct store *store)
{
    const char *path = http_path_rest(x);
    struct store_key key;
    const char *rest;
    int64_t mailbox_id;

    if (web_key(path, '/', &key, &rest)) {
        if (*rest == '\0')
            web_message(x, store, &key);
        else if (*rest == '/')
            web_part(x, store, &key, rest + 1);
        else
            web_fail(x, store, ERR_NOT_FOUND);
        return;
    }
    if (http_path_number(x, &mailbox_id))
        web_folder(x, store, mailbox_id);
    else
        web_fail(x, store, ERR_NOT_FOUND);
}

static void home_page(struct http_exchange *x, struct store *store)
{
    (void)store;
    http_redirect(x, "/mail");
}

/* Its POST is the engine's, which comes back here with ?failed=. */
static void login_page(struct http_exchange *x, struct store *store)
{
    const char *failed = http_param(x, "failed");

    (void)store;
    web_begin_alone(x, failed != NULL ? 403 : 200, "Log in to Barepost");
    if (failed != NULL)
        web_note(x, true,
                 strcmp(failed, "wrong") == 0
                     ? "The user name or the password is not right."
                     : "That did not work just now: try again in a moment.");
    html(x,
         "<form method=\"post\" action=\"/login\">"
         "<input type=\"hidden\" name=\"next\" value=\"%s\">"
         "<p class=\"field\"><label for=\"user\">User name</label>"
         "<input id=\"user\" name=\"user\" type=\"text\" "
         "autocomplete=\"username\" autocapitalize=\"none\" required "
         "autofocus></p>"
         "<p class=\"field\"><label for=\"password\">Password</label>"
         "<input id=\"password\" name=\"password\" type=\"password\" "
         "autocomplete=\"current-password\" required></p>"
         "<button class=\"main\">Log in</button></form>",
         http_param_or(x, "next", "/mail"));
    web_end(x);
}

static void menu_page(struct http_exchange *x, struct store *store)
{
    web_begin(x, store, "Menu", 0, true);
    html(x, "<nav class=\"side menu\" aria-label=\"All pages\">");
    web_menu(x, store, 0);
    html(x, "</nav>");
    web_end(x);
}

static void help_page(struct http_exchange *x, struct store *store)
{
    web_begin(x, store, "Help", 0, true);
    html(x,
         "<div class=\"narrow\"><p>Every page works without scripts. With "
         "them, single keys do what the buttons do: press <kbd>?</kbd> on any "
         "page to see them, and to switch them off.</p>"
         "<h2>Reading</h2><p>Pictures that a message would load from elsewhere "
         "stay away until you ask for them. Long quotes are folded: choose "
         "<em>Quoted text</em>. A link shows where it leads: look at it before "
         "you follow it.</p>"
         "<h2>Writing</h2><p>Separate addresses by commas. Of somebody here "
         "the name alone is enough. What you type is saved among the drafts "
         "every few seconds.</p>"
         "<h2>Searching</h2><p>Words are looked for in sender, recipients, "
         "subject and text.</p>"
         "<h2>Mail programs</h2><p>They reach the same mail with your name "
         "and password: POP3 at port 110, sending at port 587.</p></div>");
    web_end(x);
}

static const struct http_route routes[] = {
    {"/", HTTP_GET, HTTP_USER, home_page, 0},
    {"/login", HTTP_GET, HTTP_PUBLIC, login_page, 0},
    {"/mail", HTTP_GET, HTTP_USER, web_inbox_page, 0},
    {"/mail/*", HTTP_GET, HTTP_USER, mail_page, 0},
    {"/search", HTTP_GET, HTTP_USER, web_search_page, 0},
    {"/thread/*", HTTP_GET, HTTP_USER, web_thread_page, 0},
    {"/act", HTTP_POST, HTTP_USER, web_act_page, 0},
    {"/compose", HTTP_GET, HTTP_USER, web_compose_page, 0},
    {"/compose", HTTP_POST, HTTP_USER, web_send_page, UPLOAD_MAX},
    {"/draft", HTTP_POST, HTTP_USER, web_autosave_page, 0},
    {"/contacts", HTTP_GET, HTTP_USER, web_contacts_page, 0},
    {"/settings", HTTP_GET | HTTP_POST, HTTP_USER, web_settings_page, 0},
    {"/settings/rules", HTTP_GET | HTTP_POST, HTTP_USER, web_rules_page, 0},
    {"/folders", HTTP_GET | HTTP_POST, HTTP_USER, web_folders_page, 0},
    {"/menu", HTTP_GET, HTTP_USER, menu_page, 0},
    {"/help", HTTP_GET, HTTP_USER, help_page, 0},
};

enum err web_init(void)
{
    http_add_routes(routes, sizeof(routes) / sizeof(routes[0]));
    return web_work_init();
}
