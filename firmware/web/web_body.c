/* What a message says, and what comes with it: see web_read.h.
 *
 *   texts, HTML in frames
 *   attachments, as files
 *   each attached message: its header, and the same of it
 *
 * Attached messages follow one another in the order of the message, each within
 * the one that holds it, so many levels deep; those further down are files. */
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_read.h"
#include "web/web_work.h"

/* Attached messages that are shown, and how deep one may lie in others. */
#define ATTACHED_MAX   20
#define ATTACHED_DEPTH 3

/* The address of a piece of the message, up to its number. */
static void write_address(struct web_reading *reading, const char *piece)
{
    html(reading->x, "/mail/%lld/%u/%s", (long long)reading->key->mailbox_id,
         reading->key->uid, piece);
}

/* The same message, shown in another way. */
static void write_other_way(struct web_reading *reading, const char *how,
                            const char *label)
{
    const char *query = reading->work->way.query;
    bool both = how[0] != '\0' && query[0] != '\0';
    bool any = how[0] != '\0' || query[0] != '\0';

    html(reading->x, "<a href=\"/mail/%lld/%u%s%s%s%s\">%s</a>",
         (long long)reading->key->mailbox_id, reading->key->uid, any ? "?" : "",
         how, both ? "&" : "", query, label);
}

/* ---- Texts -------------------------------------------------------------- */

/* ERR_FULL: the page has shown enough. */
static enum err take_plain(void *context, const char *text, size_t len)
{
    struct web_reading *reading = context;

    if (reading->shown >= WEB_SHOWN_BYTES)
        return ERR_FULL;
    reading->shown += len;
    web_text_write(&reading->work->text, text, len);
    return OK;
}

static void write_text(struct web_reading *reading, unsigned index)
{
    struct web_work *work = reading->work;
    const struct mime_part *part = &work->parts[index];
    const struct mime_sink sink = {take_plain, reading};
    bool is_html = mime_is(part, "text/html");
    enum err err;

    html(reading->x, "<div class=\"text\">");
    web_text_begin(&work->text, reading->x, part->flowed, part->del_sp);
    err = mime_plain(&work->plain, &work->source, part, &sink);
    web_text_end(&work->text);
    html(reading->x, "</div>");
    if (err == ERR_FULL) {
        html(reading->x, "<p class=\"note bad\">This text goes on: it is too "
                         "long for this page. <a href=\"");
        write_address(reading, is_html ? "html/" : "text/");
        html(reading->x, "%u\">Show the whole text</a></p>", index);
    } else if (err != OK) {
        web_note(reading->x, true,
                 "The rest of this text cannot be read from the store now: "
                 "try again.");
    }
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

static void write_frame(struct web_reading *reading, unsigned index)
{
    struct http_exchange *x = reading->x;
    unsigned blocked =
        reading->remote
            ? 0
            : count_remote(reading->work, &reading->work->parts[index]);

    if (blocked > 0) {
        html(x,
             "<p class=\"note bad\">Pictures from elsewhere are not loaded "
             "(%u): loading them tells the sender that you have read this. ",
             blocked);
        write_other_way(reading, "remote=1", "Load them");
        html(x, "</p>");
    }
    html(x, "<iframe class=\"mail\" title=\"Text of the message");
    if (reading->frames++ > 0)
        html(x, ", %u", reading->frames);
    html(x, "\" sandbox=\"allow-same-origin allow-popups "
            "allow-popups-to-escape-sandbox\" src=\"");
    write_address(reading, "html/");
    html(x, "%u%s\"></iframe><p class=\"hint\">", index,
         reading->remote ? "?remote=1" : "");
    write_other_way(reading, "plain=1", "Show as plain text");
    html(x, "</p>");
}

static void write_texts(struct web_reading *reading, uint16_t within)
{
    struct web_work *work = reading->work;
    bool any = false;
    unsigned i;

    for (i = 0; i < work->mime.part_count; i++) {
        if (!mime_shown(&work->mime, i, within, !reading->plain))
            continue;
        any = true;
        if (mime_is(&work->parts[i], "text/html") && !reading->plain)
            write_frame(reading, i);
        else
            write_text(reading, i);
    }
    if (!any)
        html(reading->x, "<p class=\"empty\">This message has no text.</p>");
}

/* ---- Attachments -------------------------------------------------------- */

static bool is_message(const struct mime_part *part)
{
    return mime_is(part, "message/rfc822") || mime_is(part, "message/global");
}

static void write_file(struct web_reading *reading, unsigned index)
{
    const struct mime_part *part = &reading->work->parts[index];
    const char *name = part->name;
    uint64_t bytes = part->body_bytes;
    char size[WEB_SIZE_BYTES];

    if (name[0] == '\0')
        name = is_message(part) ? "message.eml" : part->type;
    if (part->encoding == MIME_BASE64)
        bytes = bytes / 78 * 57 + bytes % 78 * 3 / 4;
    html(reading->x, "<li><a href=\"");
    write_address(reading, "part/");
    html(reading->x, "%u\">", index);
    web_icon(reading->x, "clip");
    html(reading->x, "%s <span>%s</span></a></li>", name,
         web_size(bytes, size));
}

static void write_pictures(struct web_reading *reading, uint16_t within)
{
    struct web_work *work = reading->work;
    unsigned count = 0, i;

    for (i = 0; i < work->mime.part_count; i++) {
        if (!mime_attached(&work->mime, i, within) ||
            !mime_is_picture(&work->parts[i]))
            continue;
        if (count++ == 0)
            html(reading->x, "<div class=\"pictures\">");
        html(reading->x, "<img loading=\"lazy\" alt=\"%s\" src=\"",
             work->parts[i].name);
        write_address(reading, "part/");
        html(reading->x, "%u\">", i);
    }
    if (count > 0)
        html(reading->x, "</div>");
}

static void write_files(struct web_reading *reading, uint16_t within)
{
    struct web_work *work = reading->work;
    unsigned count = 0, i;

    for (i = 0; i < work->mime.part_count; i++) {
        if (!mime_attached(&work->mime, i, within))
            continue;
        if (count++ == 0)
            html(reading->x, "<h2>Attachments</h2><ul class=\"files\">");
        write_file(reading, i);
    }
    if (count > 0)
        html(reading->x, "</ul>");
    write_pictures(reading, within);
}

/* ---- Attached messages -------------------------------------------------- */

/* In how many others it lies. */
static unsigned depth_of(const struct web_work *work, unsigned index)
{
    unsigned depth = 0;
    uint16_t within = work->parts[index].within;

    for (; within != MIME_NONE; within = work->parts[within].within)
        depth++;
    return depth;
}

/* Whether it is one, and was taken apart. */
static bool can_show(const struct web_work *work, unsigned index)
{
    return is_message(&work->parts[index]) &&
           index + 1 < work->mime.part_count &&
           work->parts[index + 1].parent == index;
}

/* Its header takes the place of that of the message. */
static void write_attached(struct web_reading *reading, unsigned index)
{
    struct web_work *work = reading->work;
    struct http_exchange *x = reading->x;
    const char *subject;

    web_open_header(work, &work->parts[index + 1]);
    subject = web_subject(work);
    html(x,
         "<section class=\"attached\" aria-labelledby=\"attached-%u\">"
         "<h2 id=\"attached-%u\">%s</h2>",
         index, index, subject[0] != '\0' ? subject : "(no subject)");
    html(x, "<p class=\"hint\">Attached message</p>");
    web_read_head(reading, false);
    write_texts(reading, (uint16_t)index);
    write_files(reading, (uint16_t)index);
}

static void write_all_attached(struct web_reading *reading)
{
    struct web_work *work = reading->work;
    unsigned open = 0, count = 0, i;

    for (i = 0; i < work->mime.part_count && count < ATTACHED_MAX; i++) {
        unsigned depth = depth_of(work, i);

        if (!can_show(work, i) || depth >= ATTACHED_DEPTH)
            continue;
        for (; open > depth; open--)
            html(reading->x, "</section>");
        write_attached(reading, i);
        open++;
        count++;
    }
    for (; open > 0; open--)
        html(reading->x, "</section>");
}

void web_read_body(struct web_reading *reading)
{
    write_texts(reading, MIME_NONE);
    if (reading->plain) {
        html(reading->x, "<p class=\"hint\">");
        write_other_way(reading, "", "Show as it was sent");
        html(reading->x, "</p>");
    }
    write_files(reading, MIME_NONE);
    write_all_attached(reading);
    if (!reading->work->mime.cut)
        return;
    html(reading->x, "<p class=\"note bad\">This message has more parts than "
                     "are shown here: <a href=\"");
    write_address(reading, "source");
    html(reading->x, "\">its source</a> has all of them.</p>");
}
