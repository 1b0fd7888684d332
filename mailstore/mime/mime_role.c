/* What the parts of a message are for whoever shows it. */
#include "mailstore/mime/mime_internal.h"
#include <string.h>

bool mime_is(const struct mime_part *part, const char *type)
{
    size_t len = strlen(type);

    return strncmp(part->type, type, len) == 0 &&
           (type[len - 1] == '/' || part->type[len] == '\0');
}

/* Whether it is the first of those that its parent holds. */
static bool is_first(const struct mime *mime, unsigned index)
{
    const struct mime_part *part = &mime->parts[index];

    return part->parent == MIME_NONE || part->parent + 1u == index;
}

static bool in_type(const struct mime *mime, const struct mime_part *part,
                    const char *type)
{
    return part->parent != MIME_NONE &&
           mime_is(&mime->parts[part->parent], type);
}

bool mime_is_picture(const struct mime_part *part)
{
    static const char types[][12] = {"image/png", "image/jpeg", "image/gif",
                                     "image/webp"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(part->type, types[i]) == 0)
            return true;
    return false;
}

/* Whether HTML stands before it in the same multipart/related, and can show it:
 * other files with a content id would be seen by nobody. */
static bool is_related(const struct mime *mime, unsigned index)
{
    const struct mime_part *part = &mime->parts[index];

    if (part->content_id[0] == '\0' || !mime_is_picture(part) ||
        !in_type(mime, part, "multipart/related"))
        return false;
    for (unsigned i = part->parent + 1u; i < index; i++)
        if (mime->parts[i].role == MIME_ROLE_HTML &&
            mime->parts[i].within == part->within)
            return true;
    return false;
}

static enum mime_role role_of(const struct mime *mime, unsigned index)
{
    const struct mime_part *part = &mime->parts[index];
    bool html = mime_is(part, "text/html");

    if (mime_is(part, "multipart/"))
        return part->children > 0 ? MIME_ROLE_HOLDER : MIME_ROLE_TEXT;
    if (is_related(mime, index))
        return MIME_ROLE_RELATED;
    if (part->disposition == MIME_ATTACHMENT)
        return MIME_ROLE_ATTACHED;
    /* Text with a file name is a file, unless it stands where text is. */
    if ((html || mime_is(part, "text/plain")) &&
        (part->name[0] == '\0' || is_first(mime, index) ||
         in_type(mime, part, "multipart/alternative")))
        return html ? MIME_ROLE_HTML : MIME_ROLE_TEXT;
    return MIME_ROLE_ATTACHED;
}

void mime_roles(struct mime *mime)
{
    for (unsigned i = 0; i < mime->part_count; i++)
        mime->parts[i].role = (uint8_t)role_of(mime, i);
}

/* Which part of a multipart/alternative is the version to be shown; the last
 * of a kind is the best (RFC 2046 5.1.4). */
static unsigned chosen(const struct mime *mime, unsigned alternative, bool html)
{
    const struct mime_part *holder = &mime->parts[alternative];
    unsigned child = MIME_NONE, wanted = MIME_NONE, other = MIME_NONE;

    for (unsigned i = alternative + 1; i < mime->part_count; i++) {
        const struct mime_part *part = &mime->parts[i];

        if (part->depth <= holder->depth)
            break;
        if (part->parent == alternative)
            child = i;
        if (part->within != holder->within)
            continue;
        if (part->role == (html ? MIME_ROLE_HTML : MIME_ROLE_TEXT))
            wanted = child;
        else if (part->role == MIME_ROLE_HTML || part->role == MIME_ROLE_TEXT)
            other = child;
    }
    return wanted != MIME_NONE ? wanted : other;
}

bool mime_shown(const struct mime *mime, unsigned index, uint16_t within,
                bool html)
{
    const struct mime_part *part = &mime->parts[index];
    unsigned child = index;

    if (part->within != within ||
        (part->role != MIME_ROLE_TEXT && part->role != MIME_ROLE_HTML))
        return false;
    for (unsigned i = part->parent; i != within; i = mime->parts[i].parent) {
        if (mime_is(&mime->parts[i], "multipart/alternative") &&
            chosen(mime, i, html) != child)
            return false;
        child = i;
    }
    return true;
}

bool mime_attached(const struct mime *mime, unsigned index, uint16_t within)
{
    const struct mime_part *part = &mime->parts[index];

    return part->within == within && part->role == MIME_ROLE_ATTACHED;
}

const struct mime_part *mime_by_content_id(const struct mime *mime,
                                           const char *id, size_t len)
{
    if (len == 0)
        return NULL;
    for (unsigned i = 0; i < mime->part_count; i++) {
        const char *own = mime->parts[i].content_id;

        if (strlen(own) == len && memcmp(own, id, len) == 0)
            return &mime->parts[i];
    }
    return NULL;
}
