/* The frame of the administrator's pages: see admin_page.h. Its classes are
 * those of the webmail's style sheet. */
#include "admin/admin_page.h"
#include "core/date.h"
#include "http/http_asset.h"
#include "store/st.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *path, *label;
    bool admin;
} links[] = {
    {"/mail", "Mail", false},
    {"/sql", "DB query", false},
    {"/admin", "Overview", true},
    {"/admin/users", "Users", true},
    {"/admin/domains", "Domains", true},
    {"/admin/queue", "Queue", true},
    {"/admin/log", "Log and trace", true},
    {"/admin/settings", "Settings", true},
    {"/admin/first", "DNS records", true},
};

static const struct {
    const char *code, *sentence;
    bool bad;
} sayings[] = {
    {"saved", "Done.", false},
    {"exists", "That name is taken already.", true},
    {"gone", "It is not there any more.", true},
    {"wrong", "That is not right: look at what was typed.", true},
    {"full", "There is no room left on the stick.", true},
    {"failed", "The store could not do it now: try again.", true},
};

/* ---- The frame ------------------------------------------------------------
 */

static void write_head(struct http_exchange *x, const char *title)
{
    http_printf(x,
                "<!DOCTYPE html>\n<html lang=\"en\"><head>"
                "<meta charset=\"utf-8\"><title>%h - Barepost</title>"
                "<meta name=\"viewport\" content=\"width=device-width, "
                "initial-scale=1\"><link rel=\"stylesheet\" href=\"",
                title);
    http_asset_url(x, "style.css");
    http_text(x, "\"><link rel=\"stylesheet\" href=\"");
    http_asset_url(x, "admin.css");
    http_text(x, "\"></head><body><a class=\"skip\" href=\"#main\">"
                 "Skip to content</a>");
}

static void write_top(struct http_exchange *x)
{
    http_printf(x,
                "<header class=\"top\"><a class=\"brand\" href=\"/\">Barepost"
                "</a><span class=\"who fill\">%h</span>",
                http_user(x)->name);
    admin_form(x, "/logout");
    http_text(x, "<button class=\"plain\">Log out</button></form></header>");
}

static void write_menu(struct http_exchange *x)
{
    http_text(x, "<nav class=\"side tools\" aria-label=\"Menu\"><ul>");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (links[i].admin && !http_user(x)->admin)
            continue;
        http_printf(x, "<li><a href=\"%h\"%s>%h</a></li>", links[i].path,
                    strcmp(links[i].path, http_path(x)) == 0
                        ? " aria-current=\"page\""
                        : "",
                    links[i].label);
    }
    http_text(x, "</ul></nav>");
}

static void write_saying(struct http_exchange *x)
{
    const char *said = http_is_post(x) ? NULL : http_param(x, "said");

    for (size_t i = 0; said && i < sizeof(sayings) / sizeof(sayings[0]); i++)
        if (strcmp(said, sayings[i].code) == 0)
            admin_note(x, sayings[i].bad, sayings[i].sentence);
}

void admin_begin(struct http_exchange *x, unsigned status, const char *title)
{
    http_begin(x, status, HTTP_HTML);
    write_head(x, title);
    write_top(x);
    http_text(x, "<div class=\"frame\">");
    write_menu(x);
    http_printf(x, "<main id=\"main\" tabindex=\"-1\"><h1>%h</h1>", title);
    write_saying(x);
}

void admin_end(struct http_exchange *x)
{
    http_text(x, "</main></div></body></html>\n");
}

/* ---- Pieces ---------------------------------------------------------------
 */

void admin_note(struct http_exchange *x, bool bad, const char *sentence)
{
    http_printf(x, "<p class=\"note%s\" role=\"%s\">%h</p>", bad ? " bad" : "",
                bad ? "alert" : "status", sentence);
}

void admin_form(struct http_exchange *x, const char *action)
{
    http_printf(x,
                "<form method=\"post\" action=\"%h\">"
                "<input type=\"hidden\" name=\"csrf\" value=\"%h\">",
                action, http_csrf(x));
}

void admin_form_end(struct http_exchange *x)
{
    http_text(x, "</form>");
}

void admin_table(struct http_exchange *x, const char *caption,
                 const char *headings)
{
    http_printf(x,
                "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                "aria-label=\"%h\"><table class=\"rows\"><caption>%h</caption>"
                "<thead><tr>",
                caption, caption);
    while (*headings != '\0') {
        size_t len = strcspn(headings, "|");
        bool number = *headings == '#';

        http_text(x, number ? "<th scope=\"col\" class=\"number\">"
                            : "<th scope=\"col\">");
        http_escape_bytes(x, headings + number, len - number);
        http_text(x, "</th>");
        headings += len + (headings[len] == '|');
    }
    http_text(x, "</tr></thead><tbody>");
}

void admin_table_end(struct http_exchange *x)
{
    http_text(x, "</tbody></table></div>");
}

void admin_row(struct http_exchange *x, const char *what, const char *value)
{
    http_printf(x, "<tr><th scope=\"row\">%h</th><td>%h</td></tr>", what,
                value);
}

void admin_row_number(struct http_exchange *x, const char *what, uint64_t value)
{
    http_printf(x,
                "<tr><th scope=\"row\">%h</th><td class=\"number\">%llu</td>"
                "</tr>",
                what, (unsigned long long)value);
}

void admin_time(struct http_exchange *x, int64_t unix_ms)
{
    char text[DATE_TEXT_BYTES];

    http_printf(x, "<time>%h</time>", date_format(unix_ms, text));
}

void admin_bytes(struct http_exchange *x, uint64_t bytes)
{
    static const char units[][3] = {"KB", "MB", "GB", "TB"};
    uint64_t tenths = bytes * 10 / 1024;
    unsigned unit = 0;

    if (bytes < 1024) {
        http_printf(x, "%u bytes", (unsigned)bytes);
        return;
    }
    for (; tenths >= 10240 && unit < 3; unit++)
        tenths /= 1024;
    http_printf(x, "%llu.%u %s", (unsigned long long)(tenths / 10),
                (unsigned)(tenths % 10), units[unit]);
}

void admin_said(struct http_exchange *x, const char *path, enum err err)
{
    char target[200];
    const char *code = "failed";

    if (err == OK)
        code = "saved";
    else if (err == ERR_EXISTS)
        code = "exists";
    else if (err == ERR_NOT_FOUND)
        code = "gone";
    else if (err == ERR_INVALID)
        code = "wrong";
    else if (err == ERR_FULL)
        code = "full";
    (void)snprintf(target, sizeof(target), "%s%csaid=%s", path,
                   strchr(path, '?') != NULL ? '&' : '?', code);
    http_redirect(x, target);
}

/* ---- Waiting for MT -------------------------------------------------------
 */

void admin_wait_begin(struct admin_wait *wait)
{
    wait->job = st_job_current();
    wait->done = false;
}

void admin_done(struct admin_wait *wait)
{
    wait->done = true;
    st_job_wake(wait->job);
}

void admin_wait_end(struct admin_wait *wait)
{
    while (!wait->done) {
        if (st_job_cancelled(wait->job))
            st_job_pause();
        else
            st_job_wait(wait->job);
    }
}

/* One at a time: it is large, and pages have small stacks. */
static struct {
    bool taken;
    struct st_setting setting;
    struct admin_wait wait;
} putting;

static void setting_is_put(struct st_request *request)
{
    (void)request;
    admin_done(&putting.wait);
}

enum err admin_put_setting(const char *key, const char *value)
{
    enum err err;

    while (putting.taken)
        st_job_pause();
    if (strlen(key) >= sizeof(putting.setting.key) ||
        strlen(value) >= sizeof(putting.setting.value))
        return ERR_INVALID;
    putting.taken = true;
    memset(&putting.setting, 0, sizeof(putting.setting));
    (void)snprintf(putting.setting.key, sizeof(putting.setting.key), "%s", key);
    (void)snprintf(putting.setting.value, sizeof(putting.setting.value), "%s",
                   value);
    putting.setting.request.done = setting_is_put;
    admin_wait_begin(&putting.wait);
    st_setting_put(&putting.setting);
    admin_wait_end(&putting.wait);
    err = putting.setting.request.result;
    putting.taken = false;
    return err;
}
