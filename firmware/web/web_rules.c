/* Rules for new mail: /settings/rules
 *
 * They are asked in their order when a message is delivered. The form adds one;
 * those that are there can be put earlier and removed. */
#include "store/st_job.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <string.h>

static const char *const fields[][2] = {
    [STORE_RULE_FROM] = {"from", "From"},
    [STORE_RULE_TO] = {"to", "To or Cc"},
    [STORE_RULE_SUBJECT] = {"subject", "Subject"},
    [STORE_RULE_HEADER] = {"header", "another field"},
};

/* What is ticked, beside moving and forwarding, which say where to. */
static const struct {
    const char *name;
    uint8_t action;
    const char *label;
} boxes[] = {
    {"seen", STORE_RULE_SEEN, "mark it read"},
    {"flag", STORE_RULE_FLAG, "flag it"},
    {"delete", STORE_RULE_DELETE, "keep no copy of it here"},
    {"stop", STORE_RULE_STOP, "do not ask the rules behind this one"},
};
#define BOXES  (sizeof(boxes) / sizeof(boxes[0]))
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* ---- Changing ----------------------------------------------------------- */

struct change {
    int64_t user_id, id;
    struct store_rule *rule;
    enum err (*work)(struct store *store, int64_t user_id, int64_t rule_id);
};

static enum err change_rule(void *context, struct store *store)
{
    const struct change *change = context;

    return change->rule != NULL
               ? store_rule_put(store, change->user_id, change->rule)
               : change->work(store, change->user_id, change->id);
}

/* Returns false when something is longer than it may be: a pattern that was cut
 * would hold for other mail. */
static bool read_text(struct http_exchange *x, const char *name, char *text,
                      size_t bytes)
{
    return (size_t)snprintf(text, bytes, "%s", http_param_or(x, name, "")) <
           bytes;
}

/* Returns false when something is too long. */
static bool read_rule(struct http_exchange *x, struct store_rule *rule)
{
    bool fits;
    const char *field = http_param_or(x, "field", "");
    size_t i;

    memset(rule, 0, sizeof(*rule));
    for (i = 0; i < FIELDS; i++)
        if (strcmp(field, fields[i][0]) == 0)
            rule->field = (enum store_rule_field)i;
    fits = read_text(x, "header", rule->header, sizeof(rule->header)) &&
           read_text(x, "pattern", rule->pattern, sizeof(rule->pattern)) &&
           read_text(x, "forward", rule->forward, sizeof(rule->forward));
    rule->mailbox_id = http_param_number(x, "folder", 0);
    if (rule->mailbox_id != 0)
        rule->actions |= STORE_RULE_MOVE;
    if (rule->forward[0] != '\0')
        rule->actions |= STORE_RULE_FORWARD;
    for (i = 0; i < BOXES; i++)
        if (http_param(x, boxes[i].name) != NULL)
            rule->actions |= boxes[i].action;
    return fits;
}

static enum err change(struct http_exchange *x, struct web_work *work)
{
    const char *what = http_param_or(x, "do", "");
    struct change change = {.user_id = web_user_id(x),
                            .id = http_param_number(x, "id", 0)};

    if (strcmp(what, "add") == 0) {
        if (!read_rule(x, &work->rule))
            return ERR_REFUSED;
        change.rule = &work->rule;
    } else if (strcmp(what, "drop") == 0) {
        change.work = store_rule_drop;
    } else if (strcmp(what, "raise") == 0) {
        change.work = store_rule_raise;
    } else {
        return ERR_INVALID;
    }
    return st_job_write(change_rule, &change);
}

static const char *why_not(enum err err)
{
    if (err == ERR_INVALID)
        return "Say what is to be done, and look at address and field: one of "
               "them is none.";
    if (err == ERR_REFUSED)
        return "Field, text or address is too long.";
    if (err == ERR_NOT_FOUND)
        return "That rule or folder is not there any more.";
    if (err == ERR_TOO_BIG)
        return "There are as many rules as there can be.";
    return "The store cannot save this now: try again.";
}

/* ---- The page ----------------------------------------------------------- */

struct listing {
    struct http_exchange *x;
    struct store *store;
    unsigned count;
};

static void write_actions(struct listing *listing,
                          const struct store_rule *rule)
{
    struct http_exchange *x = listing->x;
    struct store_folder folder;
    const char *comma = "";
    size_t i;

    if ((rule->actions & STORE_RULE_MOVE) != 0) {
        if (rule->mailbox_id == 0 ||
            store_folder(listing->store, web_user_id(x), rule->mailbox_id,
                         &folder) != OK)
            (void)snprintf(folder.name, sizeof(folder.name),
                           "(a folder that is deleted)");
        html(x, "move it to %s", folder.name);
        comma = ", ";
    }
    if ((rule->actions & STORE_RULE_FORWARD) != 0) {
        html(x, "%sforward it to %s", comma, rule->forward);
        comma = ", ";
    }
    for (i = 0; i < BOXES; i++)
        if ((rule->actions & boxes[i].action) != 0) {
            html(x, "%s%s", comma, boxes[i].label);
            comma = ", ";
        }
}

static void write_buttons(struct http_exchange *x, int64_t id, bool first)
{
    html(x, "<form class=\"bar\" method=\"post\" action=\"/settings/rules\">");
    web_csrf(x);
    html(x, "<input type=\"hidden\" name=\"id\" value=\"%lld\">",
         (long long)id);
    if (!first)
        html(x, "<button name=\"do\" value=\"raise\">Earlier</button>");
    html(x, "<button name=\"do\" value=\"drop\">Remove</button></form>");
}

static enum err write_rule(void *context, const struct store_rule *rule)
{
    struct listing *listing = context;
    struct http_exchange *x = listing->x;

    html(x, "<li><p>");
    if (rule->pattern[0] == '\0')
        html(x, "Of every message: ");
    else
        html(x, "When %s contains \"%s\": ",
             rule->field == STORE_RULE_HEADER ? rule->header
                                              : fields[rule->field % FIELDS][1],
             rule->pattern);
    write_actions(listing, rule);
    html(x, "</p>");
    write_buttons(x, rule->id, listing->count++ == 0);
    html(x, "</li>");
    return OK;
}

static void write_line(struct http_exchange *x, const char *name,
                       const char *label, unsigned most)
{
    html(x,
         "<p class=\"field\"><label for=\"%s\">%s</label>"
         "<input id=\"%s\" name=\"%s\" type=\"text\" maxlength=\"%u\" "
         "value=\"%s\"></p>",
         name, label, name, name, most, http_typed(x, name, ""));
}

static void write_form(struct http_exchange *x, struct store *store)
{
    size_t i;

    html(x, "<h2>A new rule</h2>"
            "<form method=\"post\" action=\"/settings/rules\">");
    web_csrf(x);
    html(x, "<p class=\"field\"><label for=\"field\">When</label> "
            "<select id=\"field\" name=\"field\">");
    for (i = 0; i < FIELDS; i++)
        html(x, "<option value=\"%s\"%s>%s</option>", fields[i][0],
             strcmp(http_typed(x, "field", ""), fields[i][0]) == 0 ? " selected"
                                                                   : "",
             fields[i][1]);
    html(x, "</select></p>");
    write_line(x, "header", "Name of the field, if it is another one", 64);
    write_line(x, "pattern", "contains", 120);
    html(x, "<p class=\"field\"><label for=\"folder\">move it to</label> "
            "<select id=\"folder\" name=\"folder\"><option value=\"0\">(leave "
            "it)</option>");
    web_folder_options(x, store, 0,
                       http_is_post(x) ? http_param_number(x, "folder", 0) : 0);
    html(x, "</select></p>");
    write_line(x, "forward", "forward it to", 320);
    for (i = 0; i < BOXES; i++)
        html(x,
             "<label class=\"check\"><input type=\"checkbox\" name=\"%s\" "
             "value=\"1\"%s> %s</label>",
             boxes[i].name,
             http_typed(x, boxes[i].name, "")[0] != '\0' ? " checked" : "",
             boxes[i].label);
    html(x, "<button class=\"main\" name=\"do\" value=\"add\">Add rule"
            "</button></form>");
}

void web_rules_page(struct http_exchange *x, struct store *store)
{
    struct listing listing = {.x = x, .store = store};
    struct web_work *work = web_work_take(store);
    enum err err = http_is_post(x) ? change(x, work) : OK;

    web_work_give(work);
    if (http_is_post(x) && err == OK) {
        http_redirect(x, "/settings/rules?said=saved");
        return;
    }
    web_begin(x, store, "Rules for new mail", 0, true);
    if (err != OK)
        web_note(x, true, why_not(err));
    html(x, "<div class=\"narrow\"><ol>");
    err = store_list_rules(store, web_user_id(x), write_rule, &listing);
    html(x, "</ol>");
    if (err != OK)
        web_note(x, true, "The rules cannot be read now.");
    else if (listing.count == 0)
        html(x, "<p class=\"hint\">There are no rules yet.</p>");
    write_form(x, store);
    html(x, "</div>");
    web_end(x);
}
