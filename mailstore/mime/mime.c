/* The parser: lines of the message through a window, and a stack of the parts
 * that are not yet at their end.
 *
 *   header  field lines of the current part; an empty line, a boundary, or what
 *           is no field ends it
 *   body    lines that matter only when they are a boundary of an open part
 *
 * Work is at most MIME_DEPTH comparisons for a line that begins with "--", and
 * a look at each byte else. A boundary of an outer part ends the inner ones.
 * What is not done: parts inside an encoded message/rfc822 (it is a file then),
 * uuencoded files in the midst of text, message/partial. */
#include "mailstore/mime/mime_internal.h"
#include <string.h>

_Static_assert(MIME_BOUNDARY + 8 < MIME_WINDOW, "a boundary is seen whole");

/* ---- The message in memory ----------------------------------------------- */

static int read_memory(const struct mime_source *source, uint32_t offset,
                       void *buffer, size_t bytes)
{
    const char *message = source->memory;

    if (offset >= source->bytes)
        return 0;
    if (bytes > source->bytes - offset)
        bytes = source->bytes - offset;
    memcpy(buffer, message + offset, bytes);
    return (int)bytes;
}

void mime_source_memory(struct mime_source *source, const void *message,
                        uint32_t bytes)
{
    *source = (struct mime_source){read_memory, NULL, message, bytes};
}

/* ---- Lines --------------------------------------------------------------- */

/* Fills the window from offset `keep` on; what it holds of that stays. */
static enum err fill(struct mime *mime, uint32_t keep)
{
    uint32_t gone = keep - mime->window_at;
    int got;

    mime->window_bytes -= gone;
    memmove(mime->window, mime->window + gone, mime->window_bytes);
    mime->window_at = keep;
    while (mime->window_bytes < MIME_WINDOW &&
           mime->window_at + mime->window_bytes < mime->source.bytes) {
        got = mime->source.read(&mime->source,
                                mime->window_at + mime->window_bytes,
                                mime->window + mime->window_bytes,
                                MIME_WINDOW - mime->window_bytes);
        if (got < 0)
            return (enum err)got;
        if (got == 0) { /* shorter than was said */
            mime->source.bytes = mime->window_at + mime->window_bytes;
            break;
        }
        mime->window_bytes += (uint32_t)got;
    }
    return OK;
}

static const char *line_text(const struct mime *mime)
{
    return mime->window + (mime->line - mime->window_at);
}

/* The next line, or the next piece of one that is longer than the window.
 * Returns 1, 0 at the end of the message, or the source's error. */
static int next_line(struct mime *mime)
{
    uint32_t at = mime->line + mime->line_bytes;
    uint32_t have = mime->window_at + mime->window_bytes - at;
    const char *text, *end;

    mime->previous_end = mime->line_end;
    mime->line_continues = mime->line_goes_on;
    end = memchr(mime->window + (at - mime->window_at), '\n', have);
    if (end == NULL) {
        enum err err = fill(mime, at);

        if (err != OK)
            return err;
        have = mime->window_bytes;
        end = memchr(mime->window, '\n', have);
    }
    mime->line = at;
    text = line_text(mime);
    mime->line_bytes = end != NULL ? (uint32_t)(end - text) + 1 : have;
    mime->line_goes_on = end == NULL && at + have < mime->source.bytes;
    mime->line_end = end == NULL ? 0 : end > text && end[-1] == '\r' ? 2 : 1;
    return mime->line_bytes > 0;
}

/* ---- Parts --------------------------------------------------------------- */

static void end_body(struct mime *mime, uint16_t index, uint32_t end)
{
    struct mime_part *part = &mime->parts[index];

    part->body_bytes = end > part->body ? end - part->body : 0;
}

/* A new part begins at the offset; *parent is the one that holds it. */
static void begin_part(struct mime *mime, uint16_t parent, uint32_t offset,
                       bool digest)
{
    struct mime_part *part;

    mime->current = MIME_NONE;
    mime->in_header = false;
    if (mime->part_count == mime->part_room) {
        mime->cut = true;
        return;
    }
    mime->current = (uint16_t)mime->part_count++;
    mime->in_header = true;
    mime->field_kind = MIME_FIELD_OTHER;
    mime->fields_seen = 0;
    mime->boundary_bytes = 0;
    part = &mime->parts[mime->current];
    memset(part, 0, sizeof *part);
    part->type = digest ? "message/rfc822" : "text/plain";
    part->charset = part->name = part->content_id = "";
    part->header = part->body = offset;
    part->parent = parent;
    part->within = MIME_NONE;
    if (parent == MIME_NONE)
        return;
    part->depth = (uint8_t)(mime->parts[parent].depth + 1);
    part->within = mime_is(&mime->parts[parent], "message/")
                       ? parent
                       : mime->parts[parent].within;
    mime->parts[parent].children++;
}

/* Appends to the field, as far as it is kept. */
static void add_to_field(struct mime *mime, const char *text, size_t len)
{
    /* RFC 2045 demands less; what is beyond is of no use for its meaning. */
    if (len > MIME_FIELD - mime->field_bytes)
        len = MIME_FIELD - mime->field_bytes;
    memcpy(mime->field + mime->field_bytes, text, len);
    mime->field_bytes += len;
}

static void end_field(struct mime *mime)
{
    enum mime_field_kind kind = mime->field_kind;

    mime->field_kind = MIME_FIELD_OTHER;
    if (kind == MIME_FIELD_OTHER)
        return;
    mime->fields_seen |= (uint8_t)(1u << kind);
    mime_content_take(mime, &mime->parts[mime->current], kind);
}

/* The boundary of a level, kept in the text memory. */
static void take_boundary(struct mime *mime, struct mime_level *level,
                          const char *text, size_t len)
{
    char *kept = mime->text + mime->text_used;

    while (len > 0 && mime_is_space(text[len - 1]))
        len--;
    if (len > MIME_BOUNDARY || len > mime->text_room - mime->text_used) {
        mime->cut = true;
        len = 0;
    }
    memcpy(kept, text, len);
    mime->text_used += len;
    level->boundary = kept;
    level->boundary_bytes = (uint16_t)len;
}

static void open_multipart(struct mime *mime, const struct mime_part *part)
{
    struct mime_level *level = &mime->levels[mime->level_count++];

    *level = (struct mime_level){
        .part = mime->current,
        .boundary = mime->boundary,
        .boundary_bytes = (uint16_t)mime->boundary_bytes,
        .guess = mime->boundary_bytes == 0,
        .digest = mime_is(part, "multipart/digest"),
    };
    mime->current = MIME_NONE;
}

/* A message within the message: a part of its own. */
static void open_message(struct mime *mime, uint32_t body)
{
    if (mime->part_count == mime->part_room) {
        mime->cut = true;
        return;
    }
    mime->levels[mime->level_count++] =
        (struct mime_level){.part = mime->current};
    begin_part(mime, mime->current, body, false);
}

/* The current part's header has ended; its body begins at the offset. */
static void end_header(struct mime *mime, uint32_t body)
{
    struct mime_part *part = &mime->parts[mime->current];
    bool multipart, message;

    end_field(mime);
    mime->in_header = false;
    part->header_bytes = body - part->header;
    part->body = body;
    multipart = mime_is(part, "multipart/");
    message =
        (mime_is(part, "message/rfc822") || mime_is(part, "message/global")) &&
        part->encoding == MIME_7BIT;
    if (!multipart && !message)
        return;
    if (mime->level_count == MIME_DEPTH)
        mime->cut = true;
    else if (multipart)
        open_multipart(mime, part);
    else
        open_message(mime, body);
}

/* ---- Boundaries ---------------------------------------------------------- */

/* Whether the line is a delimiter of this level; last: it closes the part. */
static bool is_delimiter(const struct mime_level *level, const char *text,
                         size_t len, bool *last)
{
    size_t boundary = level->boundary_bytes;

    if (level->boundary == NULL || boundary == 0 || len < boundary + 2 ||
        memcmp(text + 2, level->boundary, boundary) != 0)
        return false;
    text += boundary + 2;
    len -= boundary + 2;
    *last = len >= 2 && text[0] == '-' && text[1] == '-';
    for (size_t i = *last ? 2 : 0; i < len; i++) {
        if (!mime_is_space(text[i]))
            return false;
    }
    return true;
}

/* A multipart that did not say its boundary: the first line that looks like
 * one is taken. */
static void guess_boundary(struct mime *mime, const char *text, size_t len)
{
    struct mime_level *level;

    if (mime->level_count == 0 || len < 3)
        return;
    level = &mime->levels[mime->level_count - 1];
    if (!level->guess || mime->current != MIME_NONE)
        return;
    take_boundary(mime, level, text + 2, len - 2);
    level->guess = false;
}

/* Everything above so many levels ends at the offset. */
static void end_levels(struct mime *mime, unsigned count, uint32_t end)
{
    if (mime->current != MIME_NONE && mime->in_header)
        end_header(mime, mime->line);
    if (mime->current != MIME_NONE)
        end_body(mime, mime->current, end);
    mime->current = MIME_NONE;
    mime->in_header = false;
    while (mime->level_count > count)
        end_body(mime, mime->levels[--mime->level_count].part, end);
}

/* Whether the line was a delimiter. */
static bool take_boundary_line(struct mime *mime)
{
    const char *text = line_text(mime);
    size_t len = mime->line_bytes - mime->line_end;
    bool last = false;

    if (mime->line_continues || len < 2 || text[0] != '-' || text[1] != '-' ||
        mime->line_goes_on)
        return false;
    guess_boundary(mime, text, len);
    for (unsigned i = mime->level_count; i-- > 0;) {
        struct mime_level *level = &mime->levels[i];

        if (!is_delimiter(level, text, len, &last))
            continue;
        end_levels(mime, i + 1, mime->line - mime->previous_end);
        if (last) {
            end_body(mime, level->part, mime->line + mime->line_bytes);
            mime->level_count = i;
        } else {
            begin_part(mime, level->part, mime->line + mime->line_bytes,
                       level->digest);
        }
        return true;
    }
    return false;
}

/* ---- Header lines -------------------------------------------------------- */

/* The length of a field's name when the line begins one, with the colon. */
static size_t field_name(const char *text, size_t len, size_t *colon)
{
    size_t name = 0;

    while (name < len && text[name] > ' ' && text[name] < 0x7f &&
           text[name] != ':')
        name++;
    *colon = name;
    while (*colon < len && (text[*colon] == ' ' || text[*colon] == '\t'))
        ++*colon;
    return name > 0 && *colon < len && text[*colon] == ':' ? name : 0;
}

/* A line of a header. Returns false when it ends the header and is the first
 * one of the body. */
static bool take_header_line(struct mime *mime)
{
    const char *text = line_text(mime);
    size_t len = mime->line_bytes - mime->line_end, name, colon;
    const struct mime_part *part = &mime->parts[mime->current];

    if (mime->line_continues ||
        ((text[0] == ' ' || text[0] == '\t') && mime->line != part->header)) {
        if (mime->field_kind != MIME_FIELD_OTHER)
            add_to_field(mime, text, len);
        return true;
    }
    end_field(mime);
    name = field_name(text, len, &colon);
    if (name == 0) {
        /* The line of a mailbox file, in front of a message or quoted. */
        return mime->line == part->header && len > 5 &&
               (memcmp(text, "From ", 5) == 0 || memcmp(text, ">From", 5) == 0);
    }
    mime->field_kind = (uint8_t)mime_content_kind(text, name);
    if (mime->fields_seen & 1u << mime->field_kind)
        mime->field_kind = MIME_FIELD_OTHER; /* the first one counts */
    mime->field_bytes = 0;
    if (mime->field_kind != MIME_FIELD_OTHER)
        add_to_field(mime, text + colon + 1, len - colon - 1);
    return true;
}

/* Looks at the current line. Returns true when it is to be looked at again, as
 * the first one of what it has begun. */
static bool take_line(struct mime *mime)
{
    if (take_boundary_line(mime) || !mime->in_header)
        return false;
    if (mime->line_bytes == mime->line_end && !mime->line_continues) {
        end_header(mime, mime->line + mime->line_bytes);
        return false;
    }
    if (take_header_line(mime))
        return false;
    end_header(mime, mime->line);
    return true;
}

enum err mime_parse(struct mime *mime, const struct mime_source *source)
{
    int got;

    mime->source = *source;
    mime->part_count = 0;
    mime->cut = false;
    mime->text_used = 0;
    mime->level_count = 0;
    mime->window_at = mime->window_bytes = 0;
    mime->line = mime->line_bytes = mime->line_end = 0;
    mime->line_goes_on = false;
    begin_part(mime, MIME_NONE, 0, false);
    while ((got = next_line(mime)) > 0) {
        while (take_line(mime))
            ;
    }
    end_levels(mime, 0, mime->line);
    mime_roles(mime);
    return got < 0 ? (enum err)got : OK;
}
