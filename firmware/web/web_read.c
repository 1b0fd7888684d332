/* Reading a message: /mail/MAILBOX/UID
 *
 *   ?plain=1    HTML is shown as plain text
 *   ?remote=1   pictures are loaded from elsewhere
 *
 * Text is written into the page (web_text.h). HTML stands in a frame of its
 * own, whose document is made by web_part.c. */
#include "mailstore/store_find.h"
#include "store/st_job.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_rows.h"
#include "web/web_work.h"
#include <string.h>

/* Addresses of one field that are shown. */
#define PEOPLE_MAX 200

struct reading {
    struct http_exchange *x;
    struct store *store;
    struct web_work *work;
    const struct store_key *key;
    bool plain, remote;
};

/* ---- Header ------------------------------------------------------------- */

static void write_people(struct reading *reading, const char *field,
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

static void write_head(struct reading *reading)
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
    if (store_blind(reading->store, web_user_id(x), work->message_id,
                    work->words, sizeof(work->words)) == OK &&
        work->words[0] != '\0')
        html(x, "<dt>Bcc</dt><dd>%s</dd>", work->words);
    if (!mime_date(web_field(work, "Date"), &date_ms, &zone))
        date_ms = work->received_ms;
    html(x, "<dt>Date</dt><dd>");
    web_time(x, date_ms, true);
    html(x, "</dd>");
    html(x, "</dl>");
}

/* ---- What can be done --------------------------------------------------- */

static void link_button(struct reading *reading, const char *how,
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

static void write_bar(struct reading *reading)
{
    struct http_exchange *x = reading->x;
    long long mailbox = (long long)reading->key->mailbox_id;
    bool flagged = (reading->work->flags & STORE_FLAGGED) != 0;

    html(x,
         "<form class=\"bar\" method=\"post\" action=\"/act\">"
         "<a class=\"button\" data-key=\"u\" href=\"/mail/%lld\">Back</a>",
         mailbox);
    web_csrf(x);
    html(x,
         "<input type=\"hidden\" name=\"m\" value=\"%lld.%u\">"
         "<input type=\"hidden\" name=\"back\" value=\"/mail/%lld\">",
         mailbox, reading->key->uid, mailbox);
    link_button(reading, "reply", "reply", "Reply", 'r');
    link_button(reading, "all", "all", "Reply all", 'a');
    link_button(reading, "forward", "forward", "Forward", 'f');
    web_button(x, "delete", "trash", "Delete");
    web_button(x, "junk", "junk", "Junk");
    web_button(x, "unread", "unread", "Unread");
    web_button(x, flagged ? "unflag" : "flag", "star",
               flagged ? "Remove flag" : "Flag");
    html(x, "<label class=\"hidden\" for=\"to\">Move to</label>"
            "<select name=\"to\" id=\"to\"><option value=\"0\">Move "
            "to...</option>");
    web_folder_options(x, reading->store, reading->key->mailbox_id, 0);
    html(x, "</select>");
    web_button(x, "move", "folder", "Move");
    html(x, "</form>");
}

/* ---- Body --------------------------------------------------------------- */

static enum err take_plain(void *context, const char *text, size_t len)
{
    web_text_write(context, text, len);
    return OK;
}

static enum err write_text(struct reading *reading,
                           const struct mime_part *part)
{
    struct web_work *work = reading->work;
    const struct mime_sink sink = {take_plain, &work->text};
    enum err err;

    html(reading->x, "<div class=\"text\">");
    web_text_begin(&work->text, reading->x, part->flowed, part->del_sp);
    err = mime_plain(&work->plain, &work->source, part, &sink);
    web_text_end(&work->text);
    html(reading->x, "</div>");
    return err;
}

static enum err count_only(void *context, const char *text, size_t len)
{
    (void)context;
    (void)text;
    (void)len;
    return OK;
}

/* How many remote loads an HTML part would do. */
static unsigned count_remote(struct web_work *work,
                             const struct mime_part *part)
{
    const struct html_options options = {.remote = false};
    const struct mime_sink sink = {count_only, NULL};
    int got;

    html_clean_begin(&work->clean, &options, &sink);
    mime_decode_begin(&work->decoder, &work->source, part, MIME_AS_TEXT);
    while ((got = mime_decode_read(&work->decoder, work->piece,
                                   sizeof(work->piece))) > 0)
        html_clean_write(&work->clean, work->piece, (size_t)got);
    (void)!html_clean_end(&work->clean);
    return work->clean.blocked;
}

static void write_frame(struct reading *reading, unsigned index)
{
    struct http_exchange *x = reading->x;
    long long mailbox = (long long)reading->key->mailbox_id;
    unsigned uid = reading->key->uid;
    unsigned blocked =
        reading->remote
            ? 0
            : count_remote(reading->work, &reading->work->parts[index]);

    if (blocked > 0)
        html(x,
             "<p class=\"note bad\">Pictures from elsewhere are not loaded "
             "(%u): loading them tells the sender that you have read this. "
             "<a href=\"/mail/%lld/%u?remote=1\">Load them</a></p>",
             blocked, mailbox, uid);
    html(x,
         "<iframe class=\"mail\" title=\"Text of the message\" "
         "sandbox=\"allow-same-origin allow-popups "
         "allow-popups-to-escape-sandbox\" "
         "src=\"/mail/%lld/%u/html/%u%s\"></iframe>"
         "<p class=\"hint\"><a href=\"/mail/%lld/%u?plain=1\">Show as plain "
         "text</a></p>",
         mailbox, uid, index, reading->remote ? "?remote=1" : "", mailbox, uid);
}

static enum err write_body(struct reading *reading)
{
    struct web_work *work = reading->work;
    bool any = false;
    unsigned i;

    for (i = 0; i < work->mime.part_count; i++) {
        const struct mime_part *part = &work->parts[i];
        enum err err = OK;

        if (!mime_shown(&work->mime, i, MIME_NONE, !reading->plain))
            continue;
        any = true;
        if (mime_is(part, "text/html") && !reading->plain)
            write_frame(reading, i);
        else
            err = write_text(reading, part);
        if (err != OK)
            return err;
    }
    if (!any)
        html(reading->x, "<p class=\"empty\">This message has no text.</p>");
    if (reading->plain)
        html(reading->x,
             "<p class=\"hint\"><a href=\"/mail/%lld/%u\">Show as it was "
             "sent</a></p>",
             (long long)reading->key->mailbox_id, reading->key->uid);
    return OK;
}

/* ---- Attachments -------------------------------------------------------- */

static void write_file(struct reading *reading, unsigned index)
{
    const struct mime_part *part = &reading->work->parts[index];
    uint64_t bytes = part->body_bytes;
    char size[WEB_SIZE_BYTES];

    if (part->encoding == MIME_BASE64)
        bytes = bytes / 78 * 57 + bytes % 78 * 3 / 4;
    html(reading->x, "<li><a href=\"/mail/%lld/%u/part/%u\">",
         (long long)reading->key->mailbox_id, reading->key->uid, index);
    web_icon(reading->x, "clip");
    html(reading->x, "%s <span>%s</span></a></li>",
         part->name[0] != '\0' ? part->name : part->type,
         web_size(bytes, size));
}

static void write_files(struct reading *reading)
{
    struct web_work *work = reading->work;
    struct http_exchange *x = reading->x;
    unsigned count = 0, pictures = 0, i;

    for (i = 0; i < work->mime.part_count; i++) {
        if (!mime_attached(&work->mime, i, MIME_NONE))
            continue;
        if (count++ == 0)
            html(x, "<h2>Attachments</h2><ul class=\"files\">");
        write_file(reading, i);
    }
    if (count > 0)
        html(x, "</ul>");
    for (i = 0; i < work->mime.part_count; i++) {
        if (!mime_attached(&work->mime, i, MIME_NONE) ||
            !web_is_picture(work->parts[i].type))
            continue;
        if (pictures++ == 0)
            html(x, "<div class=\"pictures\">");
        html(x,
             "<img loading=\"lazy\" alt=\"%s\" src=\"/mail/%lld/%u/part/%u\">",
             work->parts[i].name, (long long)reading->key->mailbox_id,
             reading->key->uid, i);
    }
    if (pictures > 0)
        html(x, "</div>");
}

/* ---- Conversation ------------------------------------------------------- */

/* Other messages that are named. */
#define CONVERSATION_MAX 30

struct conversation {
    struct reading *reading;
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
static void write_conversation(struct reading *reading)
{
    struct conversation conversation = {.reading = reading};
    int64_t user_id = web_user_id(reading->x);
    int64_t thread_id = reading->work->thread_id;

    if (store_thread(reading->store, user_id, thread_id, CONVERSATION_MAX,
                     write_other, &conversation) != OK ||
        conversation.count < 2)
        return;
    html(reading->x, "<h2>Conversation</h2><ol class=\"messages\">");
    conversation.show = true;
    (void)!store_thread(reading->store, user_id, thread_id, CONVERSATION_MAX,
                        write_other, &conversation);
    html(reading->x,
         "</ol><p><a href=\"/thread/%lld\">All of the conversation</a></p>",
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

static void write_message(struct reading *reading)
{
    struct http_exchange *x = reading->x;
    const char *subject = web_subject(reading->work);

    if (subject[0] == '\0')
        subject = "(no subject)";
    web_begin(x, reading->store, subject, reading->key->mailbox_id, false);
    write_bar(reading);
    html(x, "<h1>%s</h1>",
         web_subject(reading->work)[0] != '\0' ? reading->work->words
                                               : "(no subject)");
    write_head(reading);
    if (write_body(reading) != OK)
        web_note(x, true,
                 "The rest of this message cannot be read from the "
                 "store now: try again.");
    write_files(reading);
    write_conversation(reading);
    html(x,
         "<p class=\"hint\"><a href=\"/mail/%lld/%u/headers\">Headers</a> "
         "<a href=\"/mail/%lld/%u/source\">Source</a></p>"
         "<p id=\"target\" class=\"status\" hidden></p>",
         (long long)reading->key->mailbox_id, reading->key->uid,
         (long long)reading->key->mailbox_id, reading->key->uid);
    web_end(x);
}

void web_message(struct http_exchange *x, struct store *store,
                 const struct store_key *key)
{
    struct web_work *work = web_work_take(store);
    struct seen seen = {web_user_id(x), key};
    struct reading reading = {
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
