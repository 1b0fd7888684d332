/* Pieces of a message, each with an address of its own:
 *
 *   /mail/MAILBOX/UID/html/PART     the document of the frame with HTML mail
 *   /mail/MAILBOX/UID/part/PART     a file, to be saved
 *   /mail/MAILBOX/UID/text/PART     a text, whole, as plain text
 *   /mail/MAILBOX/UID/headers       the header as a page
 *   /mail/MAILBOX/UID/source        the message as it came
 *
 * HTML of mail is cleaned (mime_html.h) and, should anything get through that,
 * is in a sandbox by its own policy: no scripts, no forms, nothing from
 * elsewhere unless pictures are asked for. Files never open as documents of
 * this server. Long ones are written piece by piece (http_continue). */
#include "http/http_asset.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a job writes before it lets others go on. */
#define PIECE_BYTES 10240

/* ---- HTML --------------------------------------------------------------- */

#define FRAME_POLICY                                                           \
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; "  \
    "default-src 'none'; style-src 'self' 'unsafe-inline'; form-action "       \
    "'none'; "                                                                 \
    "base-uri 'none'; frame-ancestors 'self'; img-src 'self' data:"

struct frame {
    struct http_exchange *x;
    struct web_work *work;
};

static enum err put_frame(void *context, const char *text, size_t len)
{
    http_write(context, text, len);
    return OK;
}

/* Pictures that came with the mail. */
static bool find_picture(void *context, const char *id, size_t len, char *url,
                         size_t room)
{
    struct web_work *work = context;
    const struct mime_part *part = mime_by_content_id(&work->mime, id, len);

    if (part == NULL || !mime_is_picture(part))
        return false;
    (void)snprintf(url, room, "/mail/%lld/%u/part/%u",
                   (long long)work->key.mailbox_id, work->key.uid,
                   (unsigned)(part - work->parts));
    return true;
}

static void write_html(struct http_exchange *x, struct web_work *work,
                       const struct mime_part *part)
{
    bool remote = http_param_number(x, "remote", 0) == 1;
    const struct html_options options = {
        .remote = remote, .cid = find_picture, .cid_context = work};
    const struct mime_sink sink = {put_frame, x};
    int got;

    http_begin(x, 200, HTTP_HTML);
    http_header(x, "Content-Security-Policy",
                remote ? FRAME_POLICY " https: http:" : FRAME_POLICY);
    html(x, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">"
            "<title>Text of the message</title>"
            "<meta name=\"viewport\" content=\"width=device-width, "
            "initial-scale=1\">"
            "<link rel=\"stylesheet\" href=\"");
    http_asset_url(x, "mail.css");
    html(x, "\"></head><body>");
    html_clean_begin(&work->clean, &options, &sink);
    mime_decode_begin(&work->decoder, &work->source, part, MIME_AS_TEXT);
    while ((got = mime_decode_read(&work->decoder, work->piece,
                                   sizeof(work->piece))) > 0 &&
           !http_gone(x))
        html_clean_write(&work->clean, work->piece, (size_t)got);
    (void)!html_clean_end(&work->clean);
    if (got != 0)
        html(x, "<p>[The rest of this text cannot be read from the store now: "
                "try again.]</p>");
    html(x, "</body></html>\n");
}

/* ---- Files -------------------------------------------------------------- */

/* What goes from one piece of a file to the next: the decoder without its
 * windows, which are empty then. */
struct file_state {
    int64_t message_id;
    uint32_t bytes;
    uint8_t decoder[offsetof(struct mime_decoder, raw)];
};
_Static_assert(sizeof(struct file_state) <= HTTP_STATE_BYTES,
               "a file can be gone on with");

static void more_of_file(struct http_exchange *x, struct store *store);

static void go_on_later(struct http_exchange *x, const struct web_work *work)
{
    struct file_state state = {.message_id = work->message_id,
                               .bytes = work->bytes};

    memcpy(state.decoder, &work->decoder, sizeof(state.decoder));
    http_continue(x, more_of_file, &state, sizeof(state));
}

static void write_file(struct http_exchange *x, struct web_work *work)
{
    struct mime_decoder *decoder = &work->decoder;
    size_t written = 0;
    int got = 1;

    /* Beyond the piece only what has been decoded already. */
    while (got > 0 && (written < PIECE_BYTES ||
                       decoder->plain_at < decoder->plain_bytes)) {
        size_t room = sizeof(work->piece);

        if (written >= PIECE_BYTES &&
            room > decoder->plain_bytes - decoder->plain_at)
            room = decoder->plain_bytes - decoder->plain_at;
        got = mime_decode_read(decoder, work->piece, room);
        if (got > 0) {
            http_write(x, work->piece, (size_t)got);
            written += (size_t)got;
        }
    }
    /* What is not whole must not seem so. */
    if (got < 0 || (got > 0 && http_gone(x)))
        http_fail(x, got < 0 ? (enum err)got : ERR_GONE);
    else if (got > 0)
        go_on_later(x, work);
}

static void more_of_file(struct http_exchange *x, struct store *store)
{
    struct web_work *work = web_work_take(store);
    const struct file_state *state = http_state(x);

    web_source(work, state->message_id, state->bytes);
    memcpy(&work->decoder, state->decoder, sizeof(state->decoder));
    work->decoder.source = &work->source;
    write_file(x, work);
    web_work_give(work);
}

/* The type that a file is offered with: nothing that a browser would run. */
static const char *safe_type(const struct mime_part *part)
{
    if (mime_is_picture(part) || mime_is(part, "application/pdf") ||
        mime_is(part, "text/plain"))
        return part->type;
    return "application/octet-stream";
}

/* In the page it may have been cut. */
static void write_text(struct http_exchange *x, struct web_work *work,
                       const struct mime_part *part)
{
    http_begin(x, 200, HTTP_TEXT);
    http_download(x, "inline", "message.txt");
    http_header(x, "Content-Security-Policy",
                "sandbox; default-src 'none'; frame-ancestors 'none'");
    mime_decode_begin(&work->decoder, &work->source, part, MIME_AS_TEXT);
    write_file(x, work);
}

static void write_part(struct http_exchange *x, struct web_work *work,
                       const struct mime_part *part)
{
    const char *name = part->name;

    if (name[0] == '\0')
        name = mime_is(part, "message/rfc822") ? "message.eml" : "attachment";
    http_begin(x, 200, safe_type(part));
    http_download(x, "attachment", name);
    http_header(x, "Content-Security-Policy",
                "sandbox; default-src 'none'; frame-ancestors 'none'");
    mime_decode_begin(&work->decoder, &work->source, part, MIME_AS_BYTES);
    write_file(x, work);
}

/* ---- Header, source ----------------------------------------------------- */

static void write_headers(struct http_exchange *x, struct store *store,
                          struct web_work *work)
{
    struct mime_span rest = {work->header, work->header_bytes};
    struct mime_span name, value;

    web_begin(x, store, "Headers", work->key.mailbox_id, true);
    html(x,
         "<p><a class=\"button\" data-key=\"u\" href=\"/mail/%lld/%u\">Back"
         "</a></p><table>",
         (long long)work->key.mailbox_id, work->key.uid);
    while (mime_field_next(&rest, &name, &value))
        html(x,
             "<tr><th scope=\"row\">%.*s</th><td class=\"source\">%.*s</td>"
             "</tr>",
             (int)name.len, name.text, (int)value.len, value.text);
    html(x, "</table>");
    if (work->header_bytes == sizeof(work->header))
        html(x,
             "<p class=\"note bad\">The header goes on: "
             "<a href=\"/mail/%lld/%u/source\">the source</a> has all of "
             "it.</p>",
             (long long)work->key.mailbox_id, work->key.uid);
    web_end(x);
}

struct source_state {
    int64_t message_id;
    uint64_t at, end;
};

static void write_source(struct http_exchange *x, struct store *store)
{
    struct source_state state;
    struct web_work *work = web_work_take(store);
    size_t written = 0;
    int got = 1;

    memcpy(&state, http_state(x), sizeof(state));
    while (state.at < state.end && written < PIECE_BYTES && got > 0) {
        size_t room = sizeof(work->piece);

        if (room > state.end - state.at)
            room = (size_t)(state.end - state.at);
        got = store_message_read(store, state.message_id, state.at, work->piece,
                                 room);
        if (got > 0) {
            http_write(x, work->piece, (size_t)got);
            state.at += (uint64_t)got;
            written += (size_t)got;
        }
    }
    web_work_give(work);
    if (state.at < state.end && got > 0)
        http_continue(x, write_source, &state, sizeof(state));
}

static void begin_source(struct http_exchange *x, const struct web_work *work)
{
    struct source_state state = {.message_id = work->message_id};
    uint64_t first, bytes;

    http_begin(x, 200, HTTP_TEXT);
    http_download(x, "inline", "message.txt");
    if (!http_length(x, work->bytes, NULL, 0, &first, &bytes))
        return;
    state.at = first;
    state.end = first + bytes;
    http_continue(x, write_source, &state, sizeof(state));
}

/* ---- Which of them ------------------------------------------------------ */

/* The part that "NUMBER" names; NULL: none that is a leaf. */
static const struct mime_part *part_of(struct web_work *work, const char *text)
{
    unsigned long index;
    char *end;

    if (*text < '0' || *text > '9')
        return NULL;
    index = strtoul(text, &end, 10);
    if (*end != '\0' || index >= work->mime.part_count)
        return NULL;
    return &work->parts[index];
}

void web_part(struct http_exchange *x, struct store *store,
              const struct store_key *key, const char *rest)
{
    struct web_work *work = web_work_take(store);
    bool whole = strcmp(rest, "headers") == 0 || strcmp(rest, "source") == 0;
    enum err err = web_open(work, web_user_id(x), key, !whole);
    const struct mime_part *part = NULL;

    if (err == OK && !whole &&
        (strncmp(rest, "html/", 5) == 0 || strncmp(rest, "text/", 5) == 0 ||
         strncmp(rest, "part/", 5) == 0))
        part = part_of(work, rest + 5);
    if (err == OK && !whole && part == NULL)
        err = ERR_NOT_FOUND;
    if (err != OK)
        web_fail(x, store, err);
    else if (rest[0] == 's')
        begin_source(x, work);
    else if (rest[0] == 'p' && part != NULL)
        write_part(x, work, part);
    else if (whole)
        write_headers(x, store, work);
    else if (part != NULL && rest[0] == 'h' && mime_is(part, "text/html"))
        write_html(x, work, part);
    else if (part != NULL && rest[0] == 't' &&
             (mime_is(part, "text/") || part->role == MIME_ROLE_TEXT))
        write_text(x, work, part);
    else
        web_fail(x, store, ERR_NOT_FOUND);
    web_work_give(work);
}
