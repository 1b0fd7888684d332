/* Lists of folders, page by page.
 *
 *   /mail     the Inbox
 *   /mail/7   folder 7; ?c=CURSOR &b=1 (backwards) &f=unread|flagged|threads */
#include "mailstore/store_find.h"
#include "store/st_index.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_rows.h"
#include "web/web_work.h"
#include <stdio.h>
#include <string.h>

/* What is asked for, as a query that a link can change a part of. */
static void page_link(struct http_exchange *x, const char *path,
                      const char *filter, const char *cursor, bool back,
                      const char *label)
{
    html(x,
         "<a class=\"button\" rel=\"%s\" href=\"%s?f=%-s&amp;b=%d&amp;c=%-s"
         "\">%s</a>",
         back ? "prev" : "next", path, filter, back, cursor, label);
}

static void page_links(struct http_exchange *x, const char *path,
                       const char *filter, const struct store_page *page)
{
    const char *cursor = http_param_or(x, "c", "");
    bool newer = page->backwards ? page->more : cursor[0] != '\0';
    bool older = page->backwards ? true : page->more;

    html(x, "<nav class=\"pages\" aria-label=\"Pages\"><span>");
    if (newer && page->count > 0)
        page_link(x, path, filter, page->first, true, "Newer");
    html(x, "</span><span>");
    if (older && page->count > 0)
        page_link(x, path, filter, page->last, false, "Older");
    html(x, "</span></nav>");
}

static void filter_links(struct http_exchange *x, const char *path,
                         const char *filter)
{
    static const char filters[][2][16] = {{"", "All"},
                                          {"unread", "Unread"},
                                          {"flagged", "Flagged"},
                                          {"threads", "Conversations"}};
    unsigned i;

    html(x, "<nav class=\"tabs\" aria-label=\"Filter\">");
    for (i = 0; i < 4; i++)
        html(x, "<a href=\"%s?f=%s\"%s>%s</a> ", path, filters[i][0],
             strcmp(filter, filters[i][0]) == 0 ? " aria-current=page" : "",
             filters[i][1]);
    html(x, "</nav></div>");
}

static void folder_buttons(struct http_exchange *x,
                           const struct store_folder *folder)
{
    html(x, "<form class=\"bar\" method=\"post\" action=\"/act\">");
    web_csrf(x);
    html(x,
         "<input type=\"hidden\" name=\"back\" value=\"/mail/%lld\">"
         "<input type=\"hidden\" name=\"folder\" value=\"%lld\">",
         (long long)folder->id, (long long)folder->id);
    if (folder->unseen > 0)
        html(x, "<button name=\"do\" value=\"allread\">Mark all read</button>");
    if ((folder->kind == STORE_FOLDER_TRASH ||
         folder->kind == STORE_FOLDER_JUNK) &&
        folder->messages > 0)
        html(x, "<button name=\"do\" value=\"empty\" data-ask=\"Delete all "
                "messages of this folder for good?\">Delete all for good"
                "</button>");
    html(x, "</form>");
}

static void write_empty(struct http_exchange *x, const char *path,
                        const char *filter)
{
    if (http_param_or(x, "c", "")[0] != '\0')
        html(x,
             "<p class=\"empty\">Nothing more here: "
             "<a href=\"%s?f=%-s\">to the first page</a></p>",
             path, filter);
    else
        html(x, "<p class=\"empty\">%s</p>",
             filter[0] != '\0' ? "Nothing of that kind here."
                               : "This folder is empty.");
}

/* The count of what is unread stands in the browser's tab. */
static void begin_list(struct http_exchange *x, struct store *store,
                       const struct store_folder *folder, const char *filter)
{
    char text[STORE_FOLDER_BYTES + 32];

    if (folder->unseen > 0)
        (void)snprintf(text, sizeof(text), "(%llu) %s",
                       (unsigned long long)folder->unseen, folder->name);
    else
        (void)snprintf(text, sizeof(text), "%s", folder->name);
    web_begin(x, store, text, folder->id, false);
    html(x,
         "<div class=\"bar title\"><h1>%s</h1>"
         "<span class=\"hint\">%llu message%s, %llu unread</span>",
         folder->name, (unsigned long long)folder->messages,
         folder->messages == 1 ? "" : "s", (unsigned long long)folder->unseen);
    (void)snprintf(text, sizeof(text), "/mail/%lld", (long long)folder->id);
    filter_links(x, text, filter);
}

static enum err write_rows(struct http_exchange *x, struct store *store,
                           const struct store_folder *folder,
                           struct store_page *page, const char *filter)
{
    struct web_work *work = web_work_take(store);
    struct web_rows rows = {.x = x, .kind = folder->kind};
    enum err err;

    web_way_read(x, folder->id, &work->way);
    rows.query = work->way.query;
    web_rows_begin(x, store, work->way.list, folder->id);
    err = strcmp(filter, "threads") == 0
              ? store_list_threads(store, web_user_id(x), page, web_row, &rows)
              : store_list_page(store, web_user_id(x), page, web_row, &rows);
    web_rows_end(x);
    web_work_give(work);
    return err;
}

void web_folder(struct http_exchange *x, struct store *store,
                int64_t mailbox_id)
{
    const char *filter = http_param_or(x, "f", "");
    struct store_page page = {
        .mailbox_id = mailbox_id,
        .limit = WEB_PAGE_ROWS,
        .cursor = http_param_or(x, "c", ""),
        .backwards = http_param_number(x, "b", 0) == 1,
        .with = strcmp(filter, "flagged") == 0 ? STORE_FLAGGED : 0,
        .without = strcmp(filter, "unread") == 0 ? STORE_SEEN : 0,
    };
    struct store_folder folder;
    char path[32];
    enum err err = store_folder(store, web_user_id(x), mailbox_id, &folder);

    if (err != OK) {
        web_fail(x, store, err);
        return;
    }
    (void)!st_index_user(store, web_user_id(x));
    (void)snprintf(path, sizeof(path), "/mail/%lld", (long long)folder.id);
    begin_list(x, store, &folder, filter);
    err = write_rows(x, store, &folder, &page, filter);
    if (err != OK)
        web_note(x, true,
                 "This page of the list cannot be shown: go back to "
                 "the first one.");
    else if (page.count == 0)
        write_empty(x, path, filter);
    page_links(x, path, filter, &page);
    folder_buttons(x, &folder);
    web_end(x);
}

void web_inbox_page(struct http_exchange *x, struct store *store)
{
    int64_t mailbox_id;
    enum err err =
        store_folder_of(store, web_user_id(x), STORE_FOLDER_INBOX, &mailbox_id);

    if (err != OK)
        web_fail(x, store, err);
    else
        web_folder(x, store, mailbox_id);
}
