/* Finding: words in all folders, conversations, and whom one has written to.
 *
 *   /search?q=WORDS &in=FOLDER &c=CURSOR
 *   /thread/NUMBER     all messages of a conversation, the oldest first
 *   /contacts?q=TYPED  JSON: ["Name <address>", ...] */
#include "mailstore/store_find.h"
#include "store/st_index.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_rows.h"
#include "web/web_work.h"
#include <stdio.h>
#include <string.h>

/* How long a search may wait for messages that the index has not seen. */
#define CATCH_UP_MS 3000
#define THREAD_ROWS 200
#define CONTACTS    8

/* ---- Search ------------------------------------------------------------- */

static void search_form(struct http_exchange *x, struct store *store,
                        const char *words, int64_t folder)
{
    html(x,
         "<form class=\"bar find\" action=\"/search\">"
         "<label class=\"hidden\" for=\"words\">Words</label><input "
         "id=\"words\" name=\"q\" type=\"search\" "
         "value=\"%s\"><label for=\"in\">in</label>"
         "<select id=\"in\" name=\"in\"><option value=\"0\">all folders but "
         "Trash and Junk</option>",
         words);
    web_folder_options(x, store, 0, folder);
    html(x, "</select><button class=\"main\">Search</button></form>");
}

/* The index is brought up to date first, as far as there is time. */
static void say_behind(struct http_exchange *x, uint64_t left)
{
    if (left > 0)
        html(x,
             "<p class=\"note\" role=\"status\">%llu messages have not been "
             "looked at yet: search again in a while.</p>",
             (unsigned long long)left);
}

static void page_link(struct http_exchange *x,
                      const struct store_search *search, bool back)
{
    html(x,
         "<a class=\"button\" rel=\"%s\" "
         "href=\"/search?in=%lld&amp;c=%-s&amp;b=%d&amp;q=%-s\">%s</a>",
         back ? "prev" : "next", (long long)search->mailbox_id,
         back ? search->first : search->last, back, search->words,
         back ? "Newer" : "Older");
}

static void page_links(struct http_exchange *x,
                       const struct store_search *search)
{
    bool newer = search->backwards ? search->more : search->cursor[0] != '\0';

    html(x, "<nav class=\"pages\" aria-label=\"Pages\"><span>");
    if (newer && search->count > 0)
        page_link(x, search, true);
    html(x, "</span><span>");
    if ((search->backwards || search->more) && search->count > 0)
        page_link(x, search, false);
    html(x, "</span></nav>");
}

static void write_found(struct http_exchange *x, struct store *store,
                        struct web_work *work)
{
    struct store_search *search = &work->search;
    struct web_rows rows = {.x = x, .query = work->way.query};
    enum err err;

    web_way_read(x, 0, &work->way);
    rows.folders =
        web_rows_folders(x, store, work->written, sizeof(work->written));
    web_rows_begin(x, store, work->way.list, 0);
    err = store_search(store, web_user_id(x), search, web_row, &rows);
    web_rows_end(x);
    if (err == ERR_INVALID)
        web_note(x, true, "Type one word or more to look for.");
    else if (err != OK)
        web_note(x, true, "The store cannot be searched now: try again.");
    else if (search->count == 0)
        html(x, "<p class=\"empty\">Nothing was found.</p>");
    if (err == OK)
        page_links(x, search);
}

void web_search_page(struct http_exchange *x, struct store *store)
{
    struct web_work *work = web_work_take(store);
    struct store_search *search = &work->search;
    uint64_t left = 0;

    memset(search, 0, sizeof(*search));
    search->words = http_param_or(x, "q", "");
    search->mailbox_id = http_param_number(x, "in", 0);
    search->limit = WEB_PAGE_ROWS;
    search->cursor = http_param_or(x, "c", "");
    search->backwards = http_param_number(x, "b", 0) == 1;
    if (search->words[0] != '\0')
        (void)!st_index_catch_up(store, web_user_id(x), CATCH_UP_MS, &left);
    web_begin(x, store, "Search", 0, true);
    search_form(x, store, search->words, search->mailbox_id);
    if (search->words[0] != '\0') {
        write_found(x, store, work);
        say_behind(x, left);
    }
    html(x, "<p class=\"hint\">All words have to occur. Also: \"a phrase\", "
            "-without, from:name, to:name, subject:word.</p>");
    web_end(x);
    web_work_give(work);
}

/* ---- Conversations ------------------------------------------------------ */

void web_thread_page(struct http_exchange *x, struct store *store)
{
    struct web_work *work;
    struct web_rows rows = {.x = x};
    int64_t thread_id;
    char here[64];
    enum err err;

    if (!http_path_number(x, &thread_id)) {
        web_fail(x, store, ERR_NOT_FOUND);
        return;
    }
    work = web_work_take(store);
    (void)snprintf(here, sizeof(here), "/thread/%lld", (long long)thread_id);
    web_begin(x, store, "Conversation", 0, true);
    rows.folders =
        web_rows_folders(x, store, work->written, sizeof(work->written));
    web_rows_begin(x, store, here, 0);
    err = store_thread(store, web_user_id(x), thread_id, THREAD_ROWS + 1,
                       web_row, &rows);
    web_rows_end(x);
    if (rows.count > THREAD_ROWS)
        web_note(x, true,
                 "There may be later messages than these: look for them in "
                 "their folders.");
    if (err != OK)
        web_note(x, true, "This conversation cannot be read now.");
    else if (rows.count == 0)
        html(x, "<p class=\"empty\">No message of this conversation is left."
                "</p>");
    web_end(x);
    web_work_give(work);
}

/* ---- Contacts ----------------------------------------------------------- */

struct contacts {
    struct http_exchange *x;
    unsigned count;
};

static bool holds_any(const char *text, const char *characters)
{
    return text[strcspn(text, characters)] != '\0';
}

/* A name with anything but plain words in it goes into quotes. */
static enum err write_contact(void *context,
                              const struct store_contact *contact)
{
    struct contacts *contacts = context;
    bool quote = holds_any(contact->name, ",;:@().[]");
    char text[512];

    if (contact->name[0] == '\0' || holds_any(contact->name, "\"\\<>"))
        (void)snprintf(text, sizeof(text), "%s", contact->address);
    else
        (void)snprintf(text, sizeof(text), "%s%s%s <%s>", quote ? "\"" : "",
                       contact->name, quote ? "\"" : "", contact->address);
    if (contacts->count++ > 0)
        html(contacts->x, ",");
    html_json(contacts->x, text);
    return OK;
}

void web_contacts_page(struct http_exchange *x, struct store *store)
{
    struct contacts contacts = {.x = x};

    http_begin(x, 200, HTTP_JSON);
    html(x, "[");
    (void)!store_complete(store, web_user_id(x), http_param_or(x, "q", ""),
                          CONTACTS, write_contact, &contacts);
    html(x, "]");
}
