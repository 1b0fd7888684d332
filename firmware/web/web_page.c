/* The frame of every page: see web_page.h. */
#include "web/web_page.h"
#include "core/date.h"
#include "http/http_asset.h"
#include "store/st_user.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Small pieces -----------------------------------------------------------
 */

void web_icon(struct http_exchange *x, const char *name)
{
    html(x, "<svg class=\"icon\" aria-hidden=\"true\"><use href=\"");
    http_asset_url(x, "icons.svg");
    html(x, "#%s\"/></svg>", name);
}

void web_csrf(struct http_exchange *x)
{
    html(x, "<input type=\"hidden\" name=\"csrf\" value=\"%s\">", http_csrf(x));
}

void web_button(struct http_exchange *x, const char *value, const char *icon,
                const char *label)
{
    html(x, "<button name=\"do\" value=\"%s\" title=\"%s\">", value, label);
    web_icon(x, icon);
    html(x, "<span class=\"words\">%s</span></button>", label);
}

void web_note(struct http_exchange *x, bool bad, const char *sentence)
{
    html(x, "<p class=\"note%s\" role=\"%s\">%s</p>", bad ? " bad" : "",
         bad ? "alert" : "status", sentence);
}

void web_time(struct http_exchange *x, int64_t unix_ms, bool full)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[DATE_TEXT_BYTES];
    struct date date;

    date_of(unix_ms, &date);
    html(x, "<time datetime=\"%s\"%s>%d %s %d",
         date_format_rfc3339(unix_ms, text), full ? " data-full" : "", date.day,
         months[date.month - 1], date.year);
    if (full)
        html(x, " %02d:%02d UTC", date.hour, date.minute);
    html(x, "</time>");
}

char *web_size(uint64_t bytes, char *text)
{
    static const char units[][3] = {"KB", "MB", "GB", "TB"};
    uint64_t tenths = bytes * 10 / 1024;
    unsigned unit = 0;

    if (bytes < 1024) {
        (void)snprintf(text, WEB_SIZE_BYTES, "%u byte%s", (unsigned)bytes,
                       bytes == 1 ? "" : "s");
        return text;
    }
    while (tenths >= 10240 && unit < 3) {
        tenths /= 1024;
        unit++;
    }
    (void)snprintf(
        text, WEB_SIZE_BYTES, tenths < 100 ? "%llu.%llu %s" : "%llu%.0llu %s",
        (unsigned long long)(tenths / 10),
        (unsigned long long)(tenths < 100 ? tenths % 10 : 0), units[unit]);
    return text;
}

bool web_key(const char *text, char separator, struct store_key *key,
             const char **rest)
{
    unsigned long long uid;
    char *end;

    if (text == NULL || *text < '0' || *text > '9')
        return false;
    key->mailbox_id = strtoll(text, &end, 10);
    if (*end != separator || end[1] < '0' || end[1] > '9')
        return false;
    uid = strtoull(end + 1, &end, 10);
    if (uid == 0 || uid > UINT32_MAX)
        return false;
    key->uid = (uint32_t)uid;
    *rest = end;
    return true;
}

int64_t web_user_id(const struct http_exchange *x)
{
    return http_user(x)->id;
}

char *web_own_address(const struct http_exchange *x, char *text)
{
    (void)snprintf(text, USER_ADDRESS_BYTES, "%s@%s", http_user(x)->name,
                   directory_first_domain());
    return text;
}

/* ---- Notices ------------------------------------------------------------ */

/* What a page that is redirected to says (?said=). */
static const struct {
    char code[12];
    bool bad;
    const char *sentence;
} sayings[] = {
    {"sent", false, "The message is sent."},
    {"already", false, "That message has been sent already."},
    {"saved", false, "Saved."},
    {"draft", false, "The draft is saved."},
    {"discarded", false, "The draft is deleted."},
    {"moved", false, "Moved."},
    {"deleted", false, "Moved to Trash."},
    {"undone", false, "Moved back."},
    {"removed", false, "Deleted for good."},
    {"marked", false, "Done."},
    {"none", true, "Choose messages first, then what is to be done with them."},
    {"whereto", true, "Choose the folder that the messages are to go to."},
    {"nowhere", true, "That folder is not there any more."},
    {"full", true, "There is no room left: delete mail, and empty Trash."},
};

/* A way back for what was moved just now (web_act.c), to this very list. */
static void write_undo(struct http_exchange *x)
{
    static const char *const names[] = {"f", "q", "in", "c", "b"};
    struct store_key first;
    const char *rest, *value;
    char before = '?';
    size_t i;

    if (!web_key(http_param(x, "undo"), '.', &first, &rest))
        return;
    html(x, " <form method=\"post\" action=\"/act\">");
    web_csrf(x);
    html(x,
         "<input type=\"hidden\" name=\"folder\" value=\"%lld\">"
         "<input type=\"hidden\" name=\"first\" value=\"%u\">"
         "<input type=\"hidden\" name=\"last\" value=\"%s\">"
         "<input type=\"hidden\" name=\"to\" value=\"%s\">"
         "<input type=\"hidden\" name=\"back\" value=\"%s",
         (long long)first.mailbox_id, first.uid, http_param(x, "last"),
         http_param(x, "from"), http_path(x));
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        value = http_param(x, names[i]);
        if (value == NULL || value[0] == '\0')
            continue;
        html(x, "%c%s=%-s", before, names[i], value);
        before = '&';
    }
    html(x, "\"><button name=\"do\" value=\"undo\">Undo</button></form>");
}

static void write_saying(struct http_exchange *x)
{
    const char *said = http_param(x, "said");
    size_t i;

    if (said == NULL || http_is_post(x))
        return;
    for (i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
        if (strcmp(said, sayings[i].code) != 0)
            continue;
        html(x, "<div class=\"note%s\" role=\"%s\"><span>%s</span>",
             sayings[i].bad ? " bad" : "", sayings[i].bad ? "alert" : "status",
             sayings[i].sentence);
        write_undo(x);
        html(x, "</div>");
    }
}

/* ---- Menu --------------------------------------------------------------- */

const char *web_folder_icon(enum store_folder_kind kind)
{
    static const char *const icons[] = {
        [STORE_FOLDER_INBOX] = "inbox", [STORE_FOLDER_DRAFTS] = "drafts",
        [STORE_FOLDER_SENT] = "sent",   [STORE_FOLDER_JUNK] = "junk",
        [STORE_FOLDER_TRASH] = "trash", [STORE_FOLDER_OWN] = "folder"};

    return icons[kind];
}

struct menu {
    struct http_exchange *x;
    int64_t current, except;
};

static enum err menu_folder(void *context, const struct store_folder *folder)
{
    struct menu *menu = context;
    struct http_exchange *x = menu->x;
    uint64_t count = folder->kind == STORE_FOLDER_DRAFTS  ? folder->messages
                     : folder->kind == STORE_FOLDER_TRASH ? 0
                                                          : folder->unseen;
    const char *key = folder->kind == STORE_FOLDER_INBOX    ? "gi"
                      : folder->kind == STORE_FOLDER_DRAFTS ? "gd"
                      : folder->kind == STORE_FOLDER_SENT   ? "gs"
                                                            : "";

    html(x, "<li><a href=\"/mail/%lld\" data-key=\"%s\"%s>",
         (long long)folder->id, key,
         folder->id == menu->current ? " aria-current=page" : "");
    web_icon(x, web_folder_icon(folder->kind));
    html(x, "<span class=\"name\">%s</span>", folder->name);
    if (count > 0)
        html(x,
             "<span class=\"count\">%llu<span class=\"hidden\"> %s</span>"
             "</span>",
             (unsigned long long)count,
             folder->kind == STORE_FOLDER_DRAFTS ? "messages" : "unread");
    html(x, "</a></li>");
    return OK;
}

/* Also for the pages below it. */
static void menu_item(struct http_exchange *x, const char *path,
                      const char *icon, const char *label, const char *key)
{
    const char *here = http_path(x);
    size_t len = strlen(path);
    bool current = strncmp(here, path, len) == 0 &&
                   (here[len] == '\0' || here[len] == '/');

    html(x, "<li><a href=\"%s\" data-key=\"%s\"%s>", path, key,
         current ? " aria-current=page" : "");
    web_icon(x, icon);
    html(x, "%s</a></li>", label);
}

static void menu_quota(struct http_exchange *x)
{
    const struct user *user = directory_user_by_id(web_user_id(x));
    char used[WEB_SIZE_BYTES], quota[WEB_SIZE_BYTES];
    struct st_user known;

    if (!st_user(web_user_id(x), &known) || !known.counted)
        return;
    (void)web_size(known.used_bytes, used);
    if (user == NULL || user->quota_bytes == 0) {
        html(x, "<p class=\"quota\">%s of mail</p>", used);
        return;
    }
    html(x,
         "<p class=\"quota\"><meter min=\"0\" max=\"%llu\" high=\"%llu\" "
         "value=\"%llu\" aria-label=\"Room used\"></meter>%s of %s used</p>",
         (unsigned long long)user->quota_bytes,
         (unsigned long long)(user->quota_bytes / 10 * 9),
         (unsigned long long)known.used_bytes, used,
         web_size(user->quota_bytes, quota));
}

void web_menu(struct http_exchange *x, struct store *store, int64_t current)
{
    struct menu menu = {.x = x, .current = current};

    html(x, "<a class=\"button main\" href=\"/compose\" data-key=\"c\">");
    web_icon(x, "compose");
    html(x, "Compose</a><ul>");
    if (store_list_folders(store, web_user_id(x), menu_folder, &menu) != OK)
        html(x, "<li>Folders cannot be read now.</li>");
    html(x, "</ul><ul>");
    menu_item(x, "/files", "files", "Files", "");
    menu_item(x, "/sql", "database", "DB query", "");
    menu_item(x, "/settings", "settings", "Settings", "");
    if (http_user(x)->admin)
        menu_item(x, "/admin", "admin", "Administration", "");
    menu_item(x, "/help", "help", "Help", "");
    html(x, "</ul>");
    menu_quota(x);
}

static enum err option_folder(void *context, const struct store_folder *folder)
{
    struct menu *menu = context;

    if (folder->id != menu->except)
        html(menu->x, "<option value=\"%lld\"%s>%s</option>",
             (long long)folder->id,
             folder->id == menu->current ? " selected" : "", folder->name);
    return OK;
}

void web_folder_options(struct http_exchange *x, struct store *store,
                        int64_t except, int64_t chosen)
{
    struct menu menu = {.x = x, .current = chosen, .except = except};

    (void)!store_list_folders(store, web_user_id(x), option_folder, &menu);
}

void web_mover(struct http_exchange *x, struct store *store, int64_t mailbox_id)
{
    html(x, "<span class=\"together\"><label class=\"hidden\" for=\"to\">"
            "Move to</label><select name=\"to\" id=\"to\">"
            "<option value=\"0\">Move to...</option>");
    web_folder_options(x, store, mailbox_id, 0);
    html(x, "</select>");
    web_button(x, "move", "folder", "Move");
    html(x, "</span>");
}

void web_junk_button(struct http_exchange *x, struct store *store,
                     int64_t mailbox_id)
{
    int64_t junk;

    if (mailbox_id != 0 &&
        store_folder_of(store, web_user_id(x), STORE_FOLDER_JUNK, &junk) ==
            OK &&
        junk == mailbox_id)
        web_button(x, "notjunk", "inbox", "Not junk");
    else
        web_button(x, "junk", "junk", "Junk");
}

/* ---- Frame -------------------------------------------------------------- */

/* Files by addresses that change with them: browsers keep what they have. */
static void write_head(struct http_exchange *x, unsigned status,
                       const char *title, const char *sheet)
{
    http_begin(x, status, HTTP_HTML);
    html(x,
         "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<title>%s - Barepost</title>"
         "<meta name=\"viewport\" content=\"width=device-width, "
         "initial-scale=1\"><link rel=\"stylesheet\" href=\"",
         title);
    http_asset_url(x, "style.css");
    if (sheet != NULL) {
        html(x, "\"><link rel=\"stylesheet\" href=\"");
        http_asset_url(x, sheet);
    }
    html(x, "\"><link rel=\"icon\" href=\"");
    http_asset_url(x, "icon.svg");
    html(x, "\"><script src=\"");
    http_asset_url(x, "webmail.js");
    html(x, "\" defer></script></head><body>"
            "<a class=\"skip\" href=\"#main\">Skip to content</a>");
}

static void write_top(struct http_exchange *x)
{
    char address[USER_ADDRESS_BYTES];

    html(x, "<header class=\"top\"><a class=\"brand\" href=\"/menu\" "
            "data-key=\"gm\" title=\"Menu\">");
    web_icon(x, "menu");
    html(x,
         "Barepost</a><form class=\"search\" role=\"search\" "
         "action=\"/search\"><label class=\"hidden\" for=\"q\">Search mail"
         "</label><input id=\"q\" name=\"q\" type=\"search\" "
         "placeholder=\"Search mail\" value=\"%s\"><button title=\"Search\">",
         strcmp(http_path(x), "/search") == 0 ? http_param_or(x, "q", "") : "");
    web_icon(x, "search");
    html(x, "<span class=\"hidden\">Search</span></button></form>"
            "<a class=\"button small\" href=\"/compose\" title=\"Compose\">");
    web_icon(x, "compose");
    html(x,
         "<span class=\"hidden\">Compose</span></a>"
         "<span class=\"who\">%s</span>"
         "<form method=\"post\" action=\"/logout\">",
         web_own_address(x, address));
    web_csrf(x);
    html(x, "<button class=\"plain\">");
    web_icon(x, "out");
    html(x, "<span class=\"words\">Log out</span></button></form></header>");
}

static void begin(struct http_exchange *x, struct store *store, unsigned status,
                  const char *title, const char *sheet, int64_t current)
{
    write_head(x, status, title, sheet);
    write_top(x);
    html(x, "<div class=\"frame\"><nav class=\"side\" aria-label=\"Menu\">");
    if (store != NULL)
        web_menu(x, store, current);
    html(x, "</nav><main id=\"main\" tabindex=\"-1\">");
}

void web_begin(struct http_exchange *x, struct store *store, const char *title,
               int64_t current, bool heading)
{
    begin(x, store, 200, title, NULL, current);
    write_saying(x);
    if (heading)
        html(x, "<h1>%s</h1>", title);
}

void web_begin_sheet(struct http_exchange *x, struct store *store,
                     unsigned status, const char *title, const char *sheet)
{
    begin(x, store, status, title, sheet, 0);
}

void web_begin_alone(struct http_exchange *x, unsigned status,
                     const char *title)
{
    write_head(x, status, title, NULL);
    html(x,
         "<div class=\"frame alone\"><main id=\"main\" tabindex=\"-1\">"
         "<h1>%s</h1>",
         title);
}

/* The dialog of the keys is shown by the script. */
void web_end(struct http_exchange *x)
{
    html(x, "</main></div>");
    if (http_user(x) != NULL)
        html(x,
             "<dialog id=\"keys\" aria-labelledby=\"keys-head\">"
             "<h2 id=\"keys-head\">Keys</h2><table>"
             "<tr><td><kbd>j</kbd> <kbd>k</kbd><td>next, previous message"
             "<tr><td><kbd>o</kbd> <kbd>x</kbd><td>open, select"
             "<tr><td><kbd>u</kbd><td>back to the list"
             "<tr><td><kbd>n</kbd> <kbd>p</kbd><td>next, previous page"
             "<tr><td><kbd>c</kbd><td>compose"
             "<tr><td><kbd>r</kbd> <kbd>a</kbd> <kbd>f</kbd>"
             "<td>reply, reply to all, forward"
             "<tr><td><kbd>#</kbd> <kbd>!</kbd><td>delete, junk"
             "<tr><td><kbd>s</kbd> <kbd>m</kbd> <kbd>U</kbd>"
             "<td>flag, mark read, unread"
             "<tr><td><kbd>/</kbd> <kbd>z</kbd><td>search, undo"
             "<tr><td><kbd>g</kbd> then <kbd>i</kbd> <kbd>d</kbd> "
             "<kbd>s</kbd> <kbd>m</kbd><td>Inbox, Drafts, Sent, menu"
             "<tr><td><kbd>Ctrl</kbd>+<kbd>Enter</kbd><td>send"
             "</table><label class=\"check\"><input type=\"checkbox\" "
             "id=\"keys-on\"> Single keys do this</label>"
             "<form method=\"dialog\"><button>Close</button></form></dialog>");
    html(x, "</body></html>\n");
}

/* ---- Errors ------------------------------------------------------------- */

void web_error(struct http_exchange *x, struct store *store, unsigned status,
               const char *sentence, const char *back)
{
    begin(x, store, status, "This did not work", NULL, 0);
    html(x, "<h1>This did not work</h1>");
    web_note(x, true, sentence);
    html(x, "<p><a class=\"button\" href=\"%s\">Back</a></p>", back);
    web_end(x);
}

void web_fail(struct http_exchange *x, struct store *store, enum err err)
{
    unsigned status = 500;
    const char *sentence = "The store answered with an error: try again, and "
                           "tell your administrator if it stays so.";

    if (err == ERR_NOT_FOUND) {
        status = 404;
        sentence = "There is no such message or folder (any more): it may "
                   "have been moved or deleted.";
    } else if (err == ERR_FULL) {
        status = 507;
        sentence = "There is no room left: delete mail, and empty Trash.";
    } else if (err == ERR_GONE || err == ERR_BUSY || err == ERR_MEMORY) {
        status = 503;
        sentence = "The mail store is not there or too busy at the moment: "
                   "try again soon.";
    } else if (err == ERR_TOO_BIG) {
        status = 413;
        sentence = "That is too big.";
    } else if (err == ERR_INVALID) {
        status = 400;
        sentence = "That could not be understood: go back and try again.";
    }
    web_error(x, store, status, sentence, "/mail");
}
