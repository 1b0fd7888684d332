/* The page "Queue": mail that waits for other servers; hold, retry, give up,
 * delete, as at the console. */
#include "admin/admin_page.h"
#include "core/machine.h"
#include "store/st_queue.h"
#include <string.h>

#define PAGE_ROWS 50

static const struct {
    const char *name, *label;
    enum store_queue_action action;
    const char *ask; /* of what cannot be undone; "": it can */
} actions[] = {
    {"retry", "Try now", STORE_QUEUE_RETRY, ""},
    {"hold", "Hold", STORE_QUEUE_HOLD, ""},
    {"release", "Release", STORE_QUEUE_RELEASE, ""},
    {"bounce", "Give up, tell the sender", STORE_QUEUE_GIVE_UP,
     "Send what is selected back to its senders?"},
    {"delete", "Delete silently", STORE_QUEUE_DELETE,
     "Delete what is selected, without a word to anybody?"},
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

struct listing {
    struct http_exchange *x;
    unsigned left;
};

static void write_when(struct http_exchange *x,
                       const struct store_queue_info *info)
{
    if (info->state == STORE_QUEUE_HELD)
        http_text(x, "held");
    else if (info->state == STORE_QUEUE_BOUNCE)
        http_text(x, "given up");
    else if (info->next_ms <= machine_wall_clock_ms())
        http_text(x, "now");
    else
        admin_time(x, info->next_ms);
}

static enum err write_row(void *context, const struct store_queue_info *info)
{
    struct listing *listing = context;
    struct http_exchange *x = listing->x;

    if (listing->left-- == 0)
        return ERR_EXISTS;
    http_printf(x,
                "<tr><td><label class=\"check\"><input type=\"checkbox\" "
                "name=\"row\" value=\"%lld\"> %lld</label></td><td>%h</td>"
                "<td>%h</td><td class=\"number\">%u</td><td>",
                (long long)info->queue_id, (long long)info->message_id,
                info->sender[0] ? info->sender : "<>", info->recipient,
                info->attempts);
    write_when(x, info);
    http_printf(x, "</td><td>%h</td><td>", info->reply);
    admin_bytes(x, info->bytes);
    http_printf(x,
                "</td><td><a href=\"/admin/log?message=%lld\">trace</a></td>"
                "</tr>",
                (long long)info->message_id);
    return OK;
}

static void show(struct http_exchange *x, struct store *store)
{
    int64_t skip = http_param_number(x, "from", 0);
    struct listing listing = {x, PAGE_ROWS};
    uint64_t rows = 0, held = 0;
    enum err err;

    admin_begin(x, store, 200, "Queue");
    err = store_queue_count(store, &rows, &held);
    if (err != OK)
        admin_note(x, true, "The queue cannot be read now.");
    http_printf(x, "<p>%llu recipients wait, %llu of them held.</p>",
                (unsigned long long)rows, (unsigned long long)held);
    if (rows != 0) {
        admin_form(x, "/admin/queue");
        admin_table(x, "Waiting",
                    "Message|From|To|#Tries|Next|Last answer|Size|Trace");
        err = store_list_queue(store, skip < 0 ? 0 : (uint64_t)skip, write_row,
                               &listing);
        admin_table_end(x);
        http_text(x, "<div class=\"bar\">");
        for (size_t i = 0; i < ACTIONS; i++)
            http_printf(x, "<button name=\"do\" value=\"%h\"%s%h%s>%h</button>",
                        actions[i].name, *actions[i].ask ? " data-ask=\"" : "",
                        actions[i].ask, *actions[i].ask ? "\"" : "",
                        actions[i].label);
        http_text(x, "</div>");
        admin_form_end(x);
        if (err == ERR_EXISTS)
            http_printf(x,
                        "<p><a class=\"button\" href=\"/admin/queue?"
                        "from=%lld\">Next page</a></p>",
                        (long long)skip + PAGE_ROWS);
    }
    admin_end(x);
}

struct wish {
    int64_t id;
    enum store_queue_action action;
};

static enum err act(void *context, struct store *store)
{
    const struct wish *wish = context;

    return store_queue_act(store, wish->id, wish->action);
}

/* Rows that have left the queue meanwhile are passed over; none at all is a
 * mistake that is told. */
static enum err act_on_all(struct http_exchange *x,
                           enum store_queue_action action)
{
    struct wish wish = {.action = action};
    enum err err = http_param(x, "row") == NULL ? ERR_INVALID : OK;
    const char *row;
    size_t place = 0;

    while (err == OK && (row = http_param_next(x, "row", &place)) != NULL) {
        wish.id = 0;
        for (; *row >= '0' && *row <= '9' && wish.id < INT64_MAX / 20; row++)
            wish.id = wish.id * 10 + (*row - '0');
        err = st_job_write(act, &wish);
        if (err == ERR_NOT_FOUND)
            err = OK;
    }
    return err;
}

void admin_queue_page(struct http_exchange *x, struct store *store)
{
    const char *what = http_param_or(x, "do", "");

    if (!http_is_post(x)) {
        show(x, store);
        return;
    }
    for (size_t i = 0; i < ACTIONS; i++) {
        if (strcmp(actions[i].name, what) == 0) {
            admin_said(x, "/admin/queue", act_on_all(x, actions[i].action));
            return;
        }
    }
    admin_said(x, "/admin/queue", ERR_INVALID);
}
