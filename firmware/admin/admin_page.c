/* What the administrator's pages have in common: see admin_page.h. Their frame
 * is that of the webmail. */
#include "admin/admin_page.h"
#include "core/date.h"
#include "store/st.h"
#include "web/web_page.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *path, *label;
} tabs[] = {
    {"/admin", "Overview"},          {"/admin/users", "Users"},
    {"/admin/domains", "Domains"},   {"/admin/queue", "Queue"},
    {"/admin/log", "Log"},           {"/admin/settings", "Settings"},
    {"/admin/first", "DNS records"},
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

/* From one of the administrator's pages to the others. */
static void write_tabs(struct http_exchange *x)
{
    http_text(x, "<nav class=\"tabs\" aria-label=\"Administration\">");
    for (size_t i = 0; i < sizeof(tabs) / sizeof(tabs[0]); i++)
        http_printf(x, "<a href=\"%h\"%s>%h</a>", tabs[i].path,
                    strcmp(tabs[i].path, http_path(x)) == 0
                        ? " aria-current=\"page\""
                        : "",
                    tabs[i].label);
    http_text(x, "</nav>");
}

static void say(struct http_exchange *x, const char *code)
{
    for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++)
        if (strcmp(code, sayings[i].code) == 0)
            admin_note(x, sayings[i].bad, sayings[i].sentence);
}

static void write_saying(struct http_exchange *x)
{
    const char *said = http_is_post(x) ? NULL : http_param(x, "said");

    if (said != NULL)
        say(x, said);
}

void admin_begin(struct http_exchange *x, struct store *store, unsigned status,
                 const char *title)
{
    web_begin_sheet(x, store, status, title, "admin.css");
    if (strncmp(http_path(x), "/admin", 6) == 0)
        write_tabs(x);
    http_printf(x, "<h1>%h</h1>", title);
    write_saying(x);
}

void admin_end(struct http_exchange *x)
{
    web_end(x);
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

static const char *code_of(enum err err)
{
    switch ((int)err) {
    case OK:
        return "saved";
    case ERR_EXISTS:
        return "exists";
    case ERR_NOT_FOUND:
        return "gone";
    case ERR_INVALID:
        return "wrong";
    case ERR_FULL:
        return "full";
    default:
        return "failed";
    }
}

void admin_said(struct http_exchange *x, const char *path, enum err err)
{
    char target[200];

    (void)snprintf(target, sizeof(target), "%s%csaid=%s", path,
                   strchr(path, '?') != NULL ? '&' : '?', code_of(err));
    http_redirect(x, target);
}

void admin_say(struct http_exchange *x, enum err err)
{
    say(x, code_of(err));
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
