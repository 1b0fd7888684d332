/* Reading a message: /mail/MAILBOX/UID
 *
 *   ?plain=1    HTML is shown as plain text
 *   ?remote=1   pictures are loaded from elsewhere
 *   others      the list that it was opened from: web_way.h
 *
 * Text is written into the page (web_text.h). HTML stands in a frame of its
 * own, whose document is made by web_part.c. */
#include "mailstore/store_find.h"
#include "store/st_job.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_read.h"
#include "web/web_work.h"
#include <string.h>

/* Addresses of one field that are shown. */
#define PEOPLE_MAX 200

/* ---- Header ------------------------------------------------------------- */

static void write_people(struct web_reading *reading, const char *field,
                         const char *label)
{
    struct web_work *work = reading->work;
    struct http_exchange *x = reading->x;
    struct mime_span rest = web_field(work, field);
    unsigned count = 0;

    while (count < PEOPLE_MAX && mime_address_next(&rest, &work->address)) {
        if (count++ == 0)
            html(x, "<dt>%s</dt><dd>", label);
        else
            html(x, ", ");
        if (work->address.address[0] == '\0')
            html(x, "%s", work->address.name);
        else if (work->address.name[0] != '\0')
            html(x, "%s <span class=\"address\">&lt;%s&gt;</span>",
                 work->address.name, work->address.address);
        else
            html(x, "%s", work->address.address);
    }
    if (count == PEOPLE_MAX)
        html(x, " ...");
    if (count > 0)
        html(x, "</dd>");
}

void web_read_head(struct web_reading *reading, bool blind)
{
    struct web_work *work = reading->work;
    struct http_exchange *x = reading->x;
    int64_t date_ms;
    int zone;

    html(x, "<dl class=\"head\">");
    write_people(reading, "From", "From");
    write_people(reading, "Reply-To", "Reply to");
    write_people(reading, "To", "To");
    write_people(reading, "Cc", "Cc");
    if (blind &&
        store_blind(reading->store, web_user_id(x), work->message_id,
                    work->words, sizeof(work->words)) == OK &&
        work->words[0] != '\0')
        html(x, "<dt>Bcc</dt><dd>%s</dd>", work->words);
    if (!mime_date(web_field(work, "Date"), &date_ms, &zone))
        date_ms = work->received_ms;
    html(x, "<dt>Date</dt><dd>");
    web_time(x, date_ms, true);
    html(x, "</dd></dl>");
}

/* ---- What can be done --------------------------------------------------- */

static void link_button(struct web_reading *reading, const char *how,
                        const char *icon, const char *label, char key)
{
    html(reading->x,
         "<a class=\"button%s\" data-key=\"%c\" title=\"%s\" "
         "href=\"/compose?%s=%lld.%u\">",
         key == 'r' ? " main" : "", key, label, how,
         (long long)reading->key->mailbox_id, reading->key->uid);
    web_icon(reading->x, icon);
    html(reading->x, "<span class=\"words\">%s</span></a>", label);
}

/* The message beside this one, as the list has them. */
static void write_next(struct web_reading *reading, bool newer)
{
    struct web_work *work = reading->work;
    struct http_exchange *x = reading->x;
    const char *label = newer ? "Newer message" : "Older message";
    struct store_key next;

    if (!web_way_next(x, reading->store, &work->search, reading->key,
                      work->message_id, newer, &next))
        return;
    html(x,
         "<a class=\"button\" rel=\"%s\" title=\"%s\" "
         "href=\"/mail/%lld/%u%s%s\">",
         newer ? "prev" : "next", label, (long long)next.mailbox_id, next.uid,
         work->way.query[0] != '\0' ? "?" : "", work->way.query);
    web_icon(x, newer ? "newer" : "older");
    html(x, "<span class=\"hidden\">%s</span></a>", label);
}

static void write_answers(struct web_reading *reading)
{
    if ((reading->work->flags & STORE_DRAFT) != 0) {
        link_button(reading, "draft", "drafts", "Edit", 'r');
        return;
    }
    link_button(reading, "reply", "reply", "Reply", 'r');
    link_button(reading, "all", "all", "Reply all", 'a');
    link_button(reading, "forward", "forward", "Forward", 'f');
}

static void write_bar(struct web_reading *reading)
{
    struct http_exchange *x = reading->x;
    const char *list = reading->work->way.list;
    bool flagged = (reading->work->flags & STORE_FLAGGED) != 0;

    html(x,
         "<form class=\"bar\" method=\"post\" action=\"/act\">"
         "<a class=\"button\" data-key=\"u\" href=\"%s\">Back</a>",
         list);
    web_csrf(x);
    html(x,
         "<input type=\"hidden\" name=\"m\" value=\"%lld.%u\">"
         "<input type=\"hidden\" name=\"back\" value=\"%s\">",
         (long long)reading->key->mailbox_id, reading->key->uid, list);
    html(x, "<span class=\"beside\">");
    write_next(reading, true);
    write_next(reading, false);
    html(x, "</span>");
    write_answers(reading);
    web_button(x, "delete", "trash", "Delete");
    web_junk_button(x, reading->store, reading->key->mailbox_id);
    web_button(x, "unread", "unread", "Unread");
    web_button(x, flagged ? "unflag" : "flag", "star",
               flagged ? "Remove flag" : "Flag");
    web_mover(x, reading->store, reading->key->mailbox_id);
    html(x, "</form>");
}

/* ---- Conversation ------------------------------------------------------- */

/* Other messages that are named. */
#define CONVERSATION_MAX 30

struct conversation {
    struct web_reading *reading;
    unsigned count;
    bool show;
};

static enum err write_other(void *context, const struct store_row *row)
{
    struct conversation *conversation = context;
    struct http_exchange *x = conversation->reading->x;
    bool here = row->message_id == conversation->reading->work->message_id;

    conversation->count++;
    if (!conversation->show)
        return OK;
    html(x,
         "<li><a href=\"/mail/%lld/%u\"%s><span class=\"from\">%s</span>"
         "<span class=\"what\">%s <span class=\"more\">%s</span></span>"
         "<span class=\"when\">",
         (long long)row->key.mailbox_id, row->key.uid,
         here ? " aria-current=page" : "",
         row->from_name[0] != '\0' ? row->from_name : row->from_address,
         row->subject, row->preview);
    web_time(x, row->received_ms, false);
    html(x, "</span></a></li>");
    return OK;
}

/* Nothing where this message is all of it. */
static void write_conversation(struct web_reading *reading)
{
    struct conversation conversation = {.reading = reading};
    int64_t user_id = web_user_id(reading->x);
    int64_t thread_id = reading->work->thread_id;

    if (store_thread(reading->store, user_id, thread_id, CONVERSATION_MAX,
                     write_other, &conversation) != OK ||
        conversation.count < 2)
        return;
    html(reading->x, "<section class=\"conversation\"><h2>Conversation</h2>"
                     "<ol class=\"messages\">");
    conversation.show = true;
    (void)!store_thread(reading->store, user_id, thread_id, CONVERSATION_MAX,
                        write_other, &conversation);
    html(reading->x,
         "</ol><p><a href=\"/thread/%lld\">All of the conversation</a></p>"
         "</section>",
         (long long)thread_id);
}

/* ---- The page ----------------------------------------------------------- */

struct seen {
    int64_t user_id;
    const struct store_key *key;
};

static enum err mark_seen(void *context, struct store *store)
{
    const struct seen *seen = context;

    return store_flag(store, seen->user_id, seen->key, 1, STORE_SEEN, 0, NULL);
}

static void write_message(struct web_reading *reading)
{
    struct http_exchange *x = reading->x;
    const char *subject = web_subject(reading->work);
    char size[WEB_SIZE_BYTES];

    if (subject[0] == '\0')
        subject = "(no subject)";
    web_way_read(x, reading->key->mailbox_id, &reading->work->way);
    web_begin(x, reading->store, subject, reading->key->mailbox_id, false);
    write_bar(reading);
    html(x, "<h1>%s</h1>",
         web_subject(reading->work)[0] != '\0' ? reading->work->words
                                               : "(no subject)");
    web_read_head(reading, true);
    web_read_body(reading);
    write_conversation(reading);
    html(x,
         "<p class=\"hint more-of-it\">"
         "<a href=\"/mail/%lld/%u/headers\">Headers</a> "
         "<a href=\"/mail/%lld/%u/source\">Source</a> <span>%s</span></p>"
         "<p id=\"target\" class=\"status\" hidden></p>",
         (long long)reading->key->mailbox_id, reading->key->uid,
         (long long)reading->key->mailbox_id, reading->key->uid,
         web_size(reading->work->bytes, size));
    web_end(x);
}

void web_message(struct http_exchange *x, struct store *store,
                 const struct store_key *key)
{
    struct web_work *work = web_work_take(store);
    struct seen seen = {web_user_id(x), key};
    struct web_reading reading = {
        .x = x,
        .store = store,
        .work = work,
        .key = key,
        .plain = http_param_number(x, "plain", 0) == 1,
        .remote = http_param_number(x, "remote", 0) == 1,
    };
    enum err err = web_open(work, seen.user_id, key, true);

    /* A store that is full or gone must not keep anybody from reading. */
    if (err == OK && (work->flags & STORE_SEEN) == 0)
        (void)!st_job_write(mark_seen, &seen);
    if (err == OK)
        write_message(&reading);
    else
        web_fail(x, store, err);
    web_work_give(work);
}
