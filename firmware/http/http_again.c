/* Forms whose login has ended, or is another one by now: nothing is done, but
 * what was typed is given back, in a form that can be sent again.
 *
 *   not logged in        the form; it is sent again after a login elsewhere in
 *                        the browser, and comes here once more
 *   the token is wrong   the form with the right one: whoever looks at it and
 *                        sends it means it
 *
 * No page of another site gets anything by it: the engine has turned away what
 * says that it comes from one, nobody else reads the answer, nothing frames
 * it, and it does nothing without being looked at and sent. Files and passwords
 * are not given back; a form that had some is only to be copied from. Of a
 * stranger's form no more is looked at than what is kept of a body. */
#include "core/bytes.h"
#include "http/http_internal.h"
#include <string.h>

/* Longer values are shown in several lines. */
#define LINE_BYTES 80
#define PIECE      256

struct again {
    struct http_exchange *x;
    struct http_scratch *scratch;
    unsigned shown; /* fields so far, as parts of their ids */
    size_t done;    /* of scratch->fields */
    bool files, secrets, cut;
};

static bool is_secret(const char *name)
{
    static const char names[][12] = {"password", "old", "new", "again"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Whether somebody has typed it, and may want to copy it: numbers, keys and
 * what buttons say have no such characters. */
static bool is_typed(const char *value)
{
    for (; *value != '\0'; value++)
        if ((unsigned char)*value <= ' ' || (unsigned char)*value >= 0x7f ||
            *value == '@')
            return true;
    return false;
}

static void begin_area(struct again *again, const char *name)
{
    again->shown++;
    http_printf(again->x,
                "<p class=\"field\"><label for=\"again-%u\">%h</label>"
                "<textarea id=\"again-%u\" name=\"%h\" rows=\"12\" readonly>\n",
                again->shown, name, again->shown, name);
}

static void write_field(struct again *again, const char *name,
                        const char *value)
{
    if (strcmp(name, "csrf") == 0)
        return;
    if (is_secret(name)) {
        again->secrets |= *value != '\0';
    } else if (!is_typed(value)) {
        http_printf(again->x,
                    "<input type=\"hidden\" name=\"%h\" value=\"%h\">", name,
                    value);
    } else if (strchr(value, '\n') != NULL || strlen(value) > LINE_BYTES) {
        begin_area(again, name);
        http_escape(again->x, value);
        http_text(again->x, "</textarea></p>");
    } else {
        again->shown++;
        http_printf(again->x,
                    "<p class=\"field\"><label for=\"again-%u\">%h</label>"
                    "<input id=\"again-%u\" type=\"text\" name=\"%h\" "
                    "value=\"%h\" readonly></p>",
                    again->shown, name, again->shown, name, value);
    }
}

/* Those of the form that have come since; those of the query stand in front of
 * them, and stay in the address. */
static void write_fields(struct again *again)
{
    const char *fields = again->scratch->fields;

    while (again->done < again->scratch->fields_end) {
        const char *name = fields + again->done;
        const char *value = name + strlen(name) + 1;

        write_field(again, name, value);
        again->done = (size_t)(value + strlen(value) + 1 - fields);
    }
}

/* A file, or a field that did not fit. A file that was not chosen comes as an
 * empty one without a name. */
static void write_part(struct again *again, const struct http_part *part)
{
    struct http_exchange *x = again->x;
    bool file = part->file_name[0] != '\0';
    bool shown = !file && !is_secret(part->name);
    uint64_t bytes = 0;
    char piece[PIECE];
    int got;

    if (shown)
        begin_area(again, part->name);
    while ((got = http_part_read(x, piece, sizeof(piece))) > 0) {
        bytes += (unsigned)got;
        if (shown)
            http_escape_bytes(x, piece, (size_t)got);
        if (file)
            break;
    }
    bytes_wipe(piece, sizeof(piece));
    if (shown)
        http_text(x, "</textarea></p>");
    again->cut |= got < 0;
    again->secrets |= !file && !shown;
    again->files |=
        file && (bytes > 0 || strcmp(part->file_name, "unnamed") != 0);
}

static void begin_page(struct http_exchange *x)
{
    const char *title =
        x->logged_in ? "This was not done yet" : "You are logged out";

    http_begin(x, 403, HTTP_HTML);
    http_printf(
        x,
        HTTP_PAGE_HEAD "<title>%h</title><main><h1>%h</h1>"
                       "<p class=\"note bad\" role=\"alert\">%h</p>"
                       "<form method=\"post\" enctype=\"multipart/form-data\" "
                       "action=\"%p",
        title, title,
        x->logged_in ? "The page that this comes from was made for an "
                       "earlier login. Nothing is lost: look at it, and "
                       "send it again."
                     : "So nothing was done with what you have sent. "
                       "What you typed is kept here, as long as you do "
                       "not close this page.",
        http_path(x));
    if (x->head.query)
        http_printf(x, "?%h", http_head_text(&x->head, x->head.query));
    http_text(x, "\">");
    if (x->logged_in)
        http_printf(x, "<input type=\"hidden\" name=\"csrf\" value=\"%h\">",
                    x->csrf);
}

static void end_page(const struct again *again)
{
    struct http_exchange *x = again->x;
    bool whole = !again->files && !again->secrets && !again->cut;

    if (again->cut)
        http_text(x, "<p class=\"hint\">The end of it was too long to be kept: "
                     "your browser may show it when you go back.</p>");
    if (again->files)
        http_text(x, "<p class=\"hint\">Files have to be chosen again.</p>");
    if (again->secrets)
        http_text(x, "<p class=\"hint\">Passwords have to be typed again.</p>");
    if (!x->logged_in)
        http_printf(x,
                    "<p><a href=\"/login\" target=\"_blank\">Log in in another "
                    "tab</a>, then %h.</p>",
                    whole ? "go on here" : "copy from here what you need");
    http_text(x, whole ? "<p><button class=\"main\">Send again</button></p>"
                         "</form></main>\n"
                       : "</form><p><a href=\"/\">To the first page</a></p>"
                         "</main>\n");
}

void http_again_page(struct http_exchange *x, enum err err)
{
    struct again again = {
        .x = x, .scratch = x->scratch, .done = x->scratch->query_end};
    struct http_part part;

    begin_page(x);
    write_fields(&again);
    /* What is ready to be given out comes without an error. */
    while (err == OK && (err = http_part_next(x, &part)) == OK) {
        write_fields(&again);
        write_part(&again, &part);
    }
    write_fields(&again);
    /* Files stand behind all that is typed. */
    again.cut |= err != ERR_NOT_FOUND || (x->again && !x->body_done);
    again.cut &= !again.files;
    end_page(&again);
}
