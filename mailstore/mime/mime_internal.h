/* What the files of this room share. */
#ifndef MIME_MIME_INTERNAL_H
#define MIME_MIME_INTERNAL_H

#include "mailstore/mime/charset.h"
#include "mailstore/mime/mime.h"
#include "mailstore/mime/mime_header.h"

/* ---- Letters, digits ----------------------------------------------------- */

static inline char mime_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static inline bool mime_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool mime_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool mime_is_letter(char c)
{
    return mime_lower(c) >= 'a' && mime_lower(c) <= 'z';
}

static inline int mime_hex(char c)
{
    if (mime_is_digit(c))
        return c - '0';
    c = mime_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* mime_base64_value - of a digit of base64, or -1. */
int mime_base64_value(char c);

/* mime_same - caseless; word ends in NUL. */
bool mime_same(const char *text, size_t len, const char *word);

/* mime_trim - a span without space at both ends. */
struct mime_span mime_trim(struct mime_span span);

/* ---- Text in one line ---------------------------------------------------- */

struct mime_out {
    char *text;
    size_t len, room; /* of which one byte is for the NUL */
    bool cut;
};

void mime_out_begin(struct mime_out *out, char *text, size_t room);

/* mime_out_character - control characters become a space, such as turn the
 * direction of writing are dropped. */
void mime_out_character(struct mime_out *out, uint32_t character);

/* mime_out_guess - bytes that are taken for UTF-8 where they are, else for
 * windows-1252. */
void mime_out_guess(struct mime_out *out, const char *bytes, size_t len);

/* mime_out_charset - bytes of a charset, some of a text or all. */
void mime_out_charset(struct mime_out *out, struct charset_state *state,
                      const void *bytes, size_t len, bool last);

/* mime_out_end - ends it with NUL; returns its length. */
size_t mime_out_end(struct mime_out *out);

/* mime_out_text - as mime_text(). phrase: quotes, backslashes and comments of
 * RFC 5322 are taken away. */
void mime_out_text(struct mime_out *out, struct mime_span value, bool phrase);

/* ---- Values with parameters ---------------------------------------------- */

struct mime_parameter {
    struct mime_span bytes;   /* unquoted; in scratch */
    struct mime_span charset; /* of RFC 2231 */
    bool extended;            /* RFC 2231: no encoded words in it */
};

/* mime_parameter - a parameter of Content-Type or Content-Disposition. rest:
 * the value behind its head. scratch: as much memory as rest is long. Returns
 * false when there is none of the name. */
bool mime_parameter(struct mime_span rest, const char *name, char *scratch,
                    struct mime_parameter *found);

/* mime_parameter_text - what it says, decoded. */
void mime_parameter_text(const struct mime_parameter *found,
                         struct mime_out *out);

/* mime_parameter_is - whether it is this word (caseless). */
bool mime_parameter_is(struct mime_span rest, const char *name,
                       const char *word, char *scratch);

/* mime_value_head - the word before the parameters; rest: what is behind. */
struct mime_span mime_value_head(struct mime_span value,
                                 struct mime_span *rest);

/* ---- Fields of a part's header (mime_content.c) ----------------------------
 */

enum mime_field_kind {
    MIME_FIELD_OTHER,
    MIME_FIELD_TYPE,
    MIME_FIELD_ENCODING,
    MIME_FIELD_DISPOSITION,
    MIME_FIELD_ID,
};

/* mime_content_kind - which one a field is, by its name. */
enum mime_field_kind mime_content_kind(const char *name, size_t len);

/* mime_content_take - the field that mime->field holds belongs to the part. */
void mime_content_take(struct mime *mime, struct mime_part *part,
                       enum mime_field_kind kind);

/* mime_roles - what each part is for whoever shows the message. */
void mime_roles(struct mime *mime);

#endif
