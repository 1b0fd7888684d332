/* Answers: who they go to, their subject, and the text that they quote.
 *
 *   reply      to Reply-To, else From; of a message of one's own: to its To
 *   reply all  and to everybody else in To and Cc, but not to oneself
 *   forward    to nobody yet, with the attachments */
#include "core/date.h"
#include "core/bytes.h"
#include "userdb/directory.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of the text that is quoted; behind it stands that there was more. */
#define QUOTE_BYTES (WEB_TEXT_BYTES / 3 * 2)
/* Of the subject of what is answered. */
#define SUBJECT_BYTES 900

void web_append(struct web_work *work, const char *text, size_t len)
{
    size_t room = sizeof(work->written) - 1 - work->written_bytes;

    if (len > room)
        len = room;
    memcpy(work->written + work->written_bytes, text, len);
    work->written_bytes += len;
    work->written[work->written_bytes] = '\0';
}

static void append_string(struct web_work *work, const char *text)
{
    web_append(work, text, strlen(text));
}

/* ---- People ------------------------------------------------------------- */

static bool is_own(const struct http_exchange *x, const char *address)
{
    const char *at = user_address_at(address, strlen(address));

    return at != NULL && directory_may_send_as(web_user_id(x), address,
                                               (size_t)(at - address), at + 1,
                                               strlen(at + 1));
}

/* A name that is no plain words goes into quotes. Returns false when there is
 * no room. */
static bool add_person(char *list, size_t room,
                       const struct mime_address *person)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_'";
    size_t used = strlen(list);
    char *end = list + used;
    const char *comma = used > 0 ? ", " : "";
    const char *c;
    bool quote = false;
    int len;

    for (c = person->name; *c != '\0'; c++)
        quote |= (*c & 0x80) == 0 && strchr(plain, *c) == NULL;
    room -= used;
    if (person->name[0] == '\0')
        len = snprintf(end, room, "%s%s", comma, person->address);
    else if (!quote)
        len = snprintf(end, room, "%s%s <%s>", comma, person->name,
                       person->address);
    else if (person->name[strcspn(person->name, "\"\\")] != '\0')
        len = snprintf(end, room, "%s%s", comma, person->address);
    else
        len = snprintf(end, room, "%s\"%s\" <%s>", comma, person->name,
                       person->address);
    if (len >= 0 && (size_t)len < room)
        return true;
    *end = '\0';
    return false;
}

/* Whether it is one of the addresses of a list, and not a piece of one. */
static bool holds(const char *list, const char *address)
{
    size_t len = strlen(address);
    const char *at;

    for (at = list; *at != '\0'; at++)
        if ((at == list || at[-1] == ' ' || at[-1] == '<') &&
            strncasecmp(at, address, len) == 0 &&
            (at[len] == '\0' || at[len] == ',' || at[len] == '>'))
            return true;
    return false;
}

/* Adds the addresses of a field that are not one's own and in none of the
 * lists, up to the first that has no room; the first one of one's own becomes
 * the sender. */
static void add_field(struct http_exchange *x, struct web_work *work,
                      struct web_form *form, const char *field, char *list,
                      bool wanted)
{
    struct mime_span rest = web_field(work, field);
    struct mime_address *person = &work->address;

    while (mime_address_next(&rest, person)) {
        if (person->address[0] == '\0')
            continue;
        if (is_own(x, person->address)) {
            if (form->from[0] == '\0')
                (void)snprintf(form->from, sizeof(form->from), "%s",
                               person->address);
            continue;
        }
        if (wanted && !form->cut && !holds(form->to, person->address) &&
            !holds(form->cc, person->address))
            form->cut = !add_person(list, WEB_PEOPLE_BYTES, person);
    }
}

static void fill_people(struct http_exchange *x, struct web_work *work,
                        struct web_form *form)
{
    bool all = form->answer == WEB_REPLY_ALL;

    if (form->answer != WEB_FORWARD) {
        add_field(x, work, form, "Reply-To", form->to, true);
        if (form->to[0] == '\0')
            add_field(x, work, form, "From", form->to, true);
        /* A message of one's own: on to the same people. */
        if (form->to[0] == '\0')
            add_field(x, work, form, "To", form->to, true);
    }
    /* Also for the sender: the address that it came to. */
    add_field(x, work, form, "To", form->cc, all);
    add_field(x, work, form, "Cc", form->cc, all);
}

/* ---- Text --------------------------------------------------------------- */

struct quote {
    struct web_work *work;
    bool marks; /* "> " before each line */
    bool line;  /* within one */
    bool over;  /* the signature has begun, which nobody answers */
    size_t end; /* written_bytes at most */
};

static enum err quote_text(void *context, const char *text, size_t len)
{
    struct quote *quote = context;

    while (len > 0) {
        const char *newline = memchr(text, '\n', len);
        size_t part = newline != NULL ? (size_t)(newline - text) + 1 : len;

        quote->over |= quote->marks && !quote->line && part == 4 &&
                       memcmp(text, "-- \n", 4) == 0;
        if (quote->over)
            return OK;
        if (quote->work->written_bytes + part > quote->end)
            return ERR_FULL;
        if (!quote->line && quote->marks)
            append_string(quote->work, text[0] == '>' ? ">" : "> ");
        web_append(quote->work, text, part);
        quote->line = newline == NULL;
        text += part;
        len -= part;
    }
    return OK;
}

static void quote_parts(struct web_work *work, bool marks)
{
    struct quote quote = {
        .work = work, .marks = marks, .end = work->written_bytes + QUOTE_BYTES};
    const struct mime_sink sink = {quote_text, &quote};
    unsigned i;

    for (i = 0; i < work->mime.part_count; i++) {
        if (!mime_shown(&work->mime, i, MIME_NONE, false))
            continue;
        if (mime_plain(&work->plain, &work->source, &work->parts[i], &sink) !=
            OK) {
            append_string(work, "\n[...]\n");
            return;
        }
        if (quote.line)
            (void)quote_text(&quote, "\n", 1);
    }
}

/* "On 2026-11-26 12:00, ", in the zone of its author. */
static void append_date(struct web_work *work)
{
    char text[DATE_TEXT_BYTES];
    int64_t date_ms;
    int zone;

    if (!mime_date(web_field(work, "Date"), &date_ms, &zone))
        return;
    append_string(work, "On ");
    web_append(work, date_format(date_ms + zone * INT64_C(60000), text), 16);
    append_string(work, ", ");
}

static void append_field(struct web_work *work, const char *field)
{
    (void)mime_text(web_field(work, field), work->words, sizeof(work->words));
    if (work->words[0] == '\0')
        return;
    append_string(work, field);
    append_string(work, ": ");
    append_string(work, work->words);
    append_string(work, "\n");
}

static void append_attribution(struct web_work *work)
{
    struct mime_span from = web_field(work, "From");

    append_string(work, "\n\n");
    append_date(work);
    if (!mime_address_next(&from, &work->address))
        work->address.name[0] = work->address.address[0] = '\0';
    append_string(work, work->address.name[0] != '\0' ? work->address.name
                                                      : work->address.address);
    append_string(work, " wrote:\n");
}

/* ---- All of it ---------------------------------------------------------- */

static void fill_subject(struct web_work *work, struct web_form *form)
{
    struct mime_span base = mime_subject_base(web_subject(work));

    if (base.len > SUBJECT_BYTES)
        base.len = bytes_whole(base.text, SUBJECT_BYTES);
    (void)snprintf(form->subject, sizeof(form->subject), "%s%.*s",
                   form->answer == WEB_FORWARD ? "Fwd: " : "Re: ",
                   (int)base.len, base.text);
}

void web_answer_fill(struct http_exchange *x, struct web_work *work,
                     struct web_form *form)
{
    unsigned i;

    fill_people(x, work, form);
    fill_subject(work, form);
    if (form->answer != WEB_FORWARD) {
        append_attribution(work);
        quote_parts(work, true);
        return;
    }
    append_string(work, "\n\n-------- Forwarded message --------\n");
    append_field(work, "From");
    append_field(work, "Date");
    append_field(work, "Subject");
    append_field(work, "To");
    append_field(work, "Cc");
    append_string(work, "\n");
    quote_parts(work, false);
    form->source = form->origin;
    for (i = 0; i < work->mime.part_count; i++)
        form->keep[i] = mime_attached(&work->mime, i, MIME_NONE);
}
