/* The Content- fields of a part: what they say goes into the struct mime_part,
 * its strings into the text memory. What cannot be read leaves what RFC 2045
 * 5.2 has for it: text/plain. */
#include "mailstore/mime/mime_internal.h"
#include <string.h>

static const struct {
    const char *name;
    enum mime_field_kind kind;
} kinds[] = {
    {"content-type", MIME_FIELD_TYPE},
    {"content-transfer-encoding", MIME_FIELD_ENCODING},
    {"content-disposition", MIME_FIELD_DISPOSITION},
    {"content-id", MIME_FIELD_ID},
};

static const struct {
    const char *name;
    enum mime_encoding encoding;
} encodings[] = {
    {"quoted-printable", MIME_QUOTED_PRINTABLE},
    {"base64", MIME_BASE64},
    {"x-uuencode", MIME_UUENCODE},
    {"uuencode", MIME_UUENCODE},
    {"x-uue", MIME_UUENCODE},
    {"uue", MIME_UUENCODE},
};

enum mime_field_kind mime_content_kind(const char *name, size_t len)
{
    if (len < 10 || !mime_same(name, 8, "content-"))
        return MIME_FIELD_OTHER;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (mime_same(name, len, kinds[i].name))
            return kinds[i].kind;
    }
    return MIME_FIELD_OTHER;
}

/* ---- Text memory --------------------------------------------------------- */

/* A string is being written to what is left of it. */
static struct mime_out begin_string(struct mime *mime)
{
    struct mime_out out;

    mime_out_begin(&out, mime->text + mime->text_used,
                   mime->text_room - mime->text_used);
    return out;
}

/* The string, or NULL when it had no room or is empty. */
static const char *end_string(struct mime *mime, struct mime_out *out)
{
    size_t len = mime_out_end(out);

    if (out->cut)
        mime->cut = true;
    if (out->cut || len == 0)
        return NULL;
    mime->text_used += len + 1;
    return out->text;
}

static const char *keep_lower(struct mime *mime, struct mime_span word)
{
    struct mime_out out = begin_string(mime);

    for (size_t i = 0; i < word.len; i++)
        mime_out_character(&out, (uint8_t)mime_lower(word.text[i]) & 0x7f);
    return end_string(mime, &out);
}

/* ---- File names ---------------------------------------------------------- */

/* The name alone, without the folders of whoever sent it. */
static const char *file_name(const char *path)
{
    const char *name = path;

    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '/' || *at == '\\')
            name = at + 1;
    }
    while (*name == ' ')
        name++;
    return name;
}

static void take_name(struct mime *mime, struct mime_part *part,
                      struct mime_span rest, const char *parameter)
{
    struct mime_parameter found;
    struct mime_out out;
    const char *name;

    if (!mime_parameter(rest, parameter, mime->scratch, &found))
        return;
    out = begin_string(mime);
    mime_parameter_text(&found, &out);
    name = end_string(mime, &out);
    if (name != NULL)
        part->name = file_name(name);
}

/* ---- The fields ---------------------------------------------------------- */

/* Whether it is type/subtype and not longer than sense demands. */
static bool is_type(struct mime_span head)
{
    const char *slash = memchr(head.text, '/', head.len);

    if (slash == NULL || slash == head.text ||
        slash + 1 == head.text + head.len || head.len > 100)
        return false;
    for (size_t i = 0; i < head.len; i++) {
        if (head.text[i] <= ' ' || head.text[i] >= 0x7f)
            return false;
    }
    return true;
}

static void take_type(struct mime *mime, struct mime_part *part,
                      struct mime_span value)
{
    struct mime_span rest, head = mime_value_head(value, &rest);
    struct mime_parameter found;
    const char *kept;

    if (!is_type(head))
        return;
    kept = keep_lower(mime, head);
    part->type = kept != NULL ? kept : "application/octet-stream";
    if (mime_is(part, "multipart/")) {
        if (mime_parameter(rest, "boundary", mime->scratch, &found) &&
            found.bytes.len <= MIME_BOUNDARY &&
            found.bytes.len <= mime->text_room - mime->text_used) {
            size_t len = found.bytes.len;

            /* It may begin with a space, but not end with one. */
            while (len > 0 && mime_is_space(found.bytes.text[len - 1]))
                len--;
            mime->boundary = mime->text + mime->text_used;
            mime->boundary_bytes = len;
            memcpy(mime->text + mime->text_used, found.bytes.text,
                   mime->boundary_bytes);
            mime->text_used += mime->boundary_bytes;
        }
        return;
    }
    if (mime_parameter(rest, "charset", mime->scratch, &found)) {
        kept = keep_lower(mime, mime_trim(found.bytes));
        part->charset = kept != NULL ? kept : "";
    }
    part->flowed = mime_is(part, "text/plain") &&
                   mime_parameter_is(rest, "format", "flowed", mime->scratch);
    part->del_sp =
        part->flowed && mime_parameter_is(rest, "delsp", "yes", mime->scratch);
    if (part->name[0] == '\0')
        take_name(mime, part, rest, "name");
}

static void take_encoding(struct mime_part *part, struct mime_span value)
{
    struct mime_span rest, head = mime_value_head(value, &rest);

    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
        if (mime_same(head.text, head.len, encodings[i].name))
            part->encoding = (uint8_t)encodings[i].encoding;
    }
}

static void take_disposition(struct mime *mime, struct mime_part *part,
                             struct mime_span value)
{
    struct mime_span rest, head = mime_value_head(value, &rest);

    if (memchr(head.text, '=', head.len) != NULL)
        rest = value; /* the word is missing: a parameter comes first */
    part->disposition = mime_same(head.text, head.len, "inline")
                            ? MIME_INLINE
                            : MIME_ATTACHMENT;
    take_name(mime, part, rest, "filename");
}

static void take_id(struct mime *mime, struct mime_part *part,
                    struct mime_span value)
{
    struct mime_out out = begin_string(mime);
    const char *kept;

    if (value.len > 0 && value.text[0] == '<') {
        value.text++;
        value.len--;
    }
    if (value.len > 0 && value.text[value.len - 1] == '>')
        value.len--;
    mime_out_guess(&out, value.text, value.len);
    kept = end_string(mime, &out);
    part->content_id = kept != NULL ? kept : "";
}

void mime_content_take(struct mime *mime, struct mime_part *part,
                       enum mime_field_kind kind)
{
    struct mime_span value =
        mime_trim((struct mime_span){mime->field, mime->field_bytes});

    switch (kind) {
    case MIME_FIELD_TYPE:
        take_type(mime, part, value);
        break;
    case MIME_FIELD_ENCODING:
        take_encoding(part, value);
        break;
    case MIME_FIELD_DISPOSITION:
        take_disposition(mime, part, value);
        break;
    case MIME_FIELD_ID:
        take_id(mime, part, value);
        break;
    case MIME_FIELD_OTHER:
        break;
    }
}
