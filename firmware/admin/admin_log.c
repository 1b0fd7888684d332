/* The page "Log and trace": newest lines first, those that hold a text, or the
 * life of one message from its begin on. Lines of the last seconds are not in
 * the store yet.
 *
 *   ?find=TEXT &before=LINE   ?message=NUMBER &from=LINE */
#include "admin/admin_page.h"
#include "mailstore/store_log.h"
#include <string.h>

#define LINES_SHOWN 200
/* Lines that are looked at for a text; more with the next page. */
#define LINES_READ 20000

struct listing {
    struct http_exchange *x;
    const char *find;
    unsigned shown, read;
    int64_t last; /* id of the line that was read last */
};

static enum err write_line(void *context, const struct store_log_line *line)
{
    struct listing *listing = context;
    struct http_exchange *x = listing->x;

    listing->last = line->log_id;
    if (++listing->read > LINES_READ || listing->shown == LINES_SHOWN)
        return ERR_EXISTS;
    if (!store_log_contains(line, listing->find))
        return OK;
    listing->shown++;
    http_text(x, "<tr><td>");
    admin_time(x, line->time_ms);
    http_printf(x, "</td><td>%h</td><td>", line->module);
    if (line->mail_id != 0)
        http_printf(x, "<a href=\"/admin/log?message=%lld\">%lld</a>",
                    (long long)line->mail_id, (long long)line->mail_id);
    http_printf(x, "</td><td>%h</td></tr>", line->text);
    return OK;
}

static void write_form(struct http_exchange *x, const char *find,
                       int64_t message)
{
    http_printf(x,
                "<form class=\"bar\" action=\"/admin/log\">"
                "<label for=\"find\">Lines with</label>"
                "<input id=\"find\" name=\"find\" type=\"search\" "
                "value=\"%h\"><label for=\"message\">or of message</label>"
                "<input id=\"message\" name=\"message\" type=\"number\" "
                "min=\"0\" value=\"",
                find);
    if (message != 0)
        http_printf(x, "%lld", (long long)message);
    http_text(x, "\"><button>Show</button></form>");
}

/* On with the line that the page had no room for. */
static void write_more(struct http_exchange *x, const struct listing *listing,
                       int64_t message)
{
    if (message != 0)
        http_printf(x,
                    "<p><a class=\"button\" href=\"/admin/log?find=%p&amp;"
                    "message=%lld&amp;from=%lld\">Later lines</a></p>",
                    listing->find, (long long)message,
                    (long long)listing->last);
    else
        http_printf(x,
                    "<p><a class=\"button\" href=\"/admin/log?find=%p&amp;"
                    "before=%lld\">Older lines</a></p>",
                    listing->find, (long long)listing->last);
}

void admin_log_page(struct http_exchange *x, struct store *store)
{
    struct listing listing = {.x = x, .find = http_param_or(x, "find", "")};
    struct store_log_query query = {.from = http_param_number(x, "from", 0),
                                    .to = INT64_MAX};
    int64_t before = http_param_number(x, "before", 0);
    enum err err;

    query.mail_id = http_param_number(x, "message", 0);
    query.backward = query.mail_id == 0;
    if (before > 0)
        query.to = before;
    admin_begin(x, store, 200, "Log and trace");
    write_form(x, listing.find, query.mail_id);
    admin_table(x, query.mail_id != 0 ? "The life of one message" : "Log",
                "Time (UTC)|Part|Message|What");
    err = store_log_list(store, &query, write_line, &listing);
    admin_table_end(x);
    if (listing.shown == 0)
        http_text(x, "<p>There are no such lines.</p>");
    if (err == ERR_EXISTS)
        write_more(x, &listing, query.mail_id);
    else if (err != OK)
        admin_note(x, true, "The log cannot be read now.");
    admin_end(x);
}
