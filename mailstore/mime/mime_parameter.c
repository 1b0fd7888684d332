/* Parameters of Content-Type and Content-Disposition: RFC 2045 5.1, RFC 2231,
 * and what programs write instead: names with spaces and without quotes,
 * encoded words within quotes, quotes that are not closed, backslashes of
 * paths. */
#include "mailstore/mime/mime_internal.h"
#include <string.h>

/* Pieces of a value by RFC 2231. */
#define PIECES 64

struct walk {
    const char *at, *end;
    struct mime_span name;  /* as it stands, with its * */
    struct mime_span value; /* without its quotes */
    bool quoted;
};

struct mime_span mime_trim(struct mime_span span)
{
    while (span.len > 0 && mime_is_space(span.text[0])) {
        span.text++;
        span.len--;
    }
    while (span.len > 0 && mime_is_space(span.text[span.len - 1]))
        span.len--;
    return span;
}

bool mime_same(const char *text, size_t len, const char *word)
{
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '\0' || mime_lower(text[i]) != mime_lower(word[i]))
            return false;
    }
    return word[len] == '\0';
}

struct mime_span mime_value_head(struct mime_span value, struct mime_span *rest)
{
    size_t i = 0;

    value = mime_trim(value);
    while (i < value.len && value.text[i] != ';' && value.text[i] != '(' &&
           !mime_is_space(value.text[i]))
        i++;
    *rest = (struct mime_span){value.text + i, value.len - i};
    return (struct mime_span){value.text, i};
}

/* What is between parameters, comments among it. */
static void skip_between(struct walk *walk)
{
    while (walk->at < walk->end) {
        if (*walk->at == '(') {
            const char *close =
                memchr(walk->at, ')', (size_t)(walk->end - walk->at));

            walk->at = close != NULL ? close + 1 : walk->end;
        } else if (*walk->at == ';' || mime_is_space(*walk->at)) {
            walk->at++;
        } else {
            return;
        }
    }
}

/* The value in quotes at walk->at. */
static void quoted_value(struct walk *walk)
{
    const char *start = ++walk->at;

    while (walk->at < walk->end && *walk->at != '"') {
        if (*walk->at == '\\' && walk->at + 1 < walk->end &&
            (walk->at[1] == '"' || walk->at[1] == '\\'))
            walk->at++;
        walk->at++;
    }
    walk->value = (struct mime_span){start, (size_t)(walk->at - start)};
    walk->quoted = true;
    while (walk->at < walk->end && *walk->at != ';')
        walk->at++;
}

/* The next parameter; false at the end. */
static bool next_parameter(struct walk *walk)
{
    const char *start;

    skip_between(walk);
    if (walk->at == walk->end)
        return false;
    start = walk->at;
    while (walk->at < walk->end && *walk->at != '=' && *walk->at != ';')
        walk->at++;
    walk->name =
        mime_trim((struct mime_span){start, (size_t)(walk->at - start)});
    walk->value = (struct mime_span){walk->at, 0};
    walk->quoted = false;
    if (walk->at == walk->end || *walk->at == ';')
        return true;
    walk->at++;
    while (walk->at < walk->end && mime_is_space(*walk->at))
        walk->at++;
    if (walk->at < walk->end && *walk->at == '"') {
        quoted_value(walk);
        return true;
    }
    start = walk->at;
    while (walk->at < walk->end && *walk->at != ';')
        walk->at++;
    walk->value =
        mime_trim((struct mime_span){start, (size_t)(walk->at - start)});
    return true;
}

/* What name ends in behind the wanted one: -1 it is another, 0 nothing, 1 "*",
 * 2 + 2n "*n", 3 + 2n "*n*". */
static int name_form(struct mime_span name, const char *wanted)
{
    size_t len = strlen(wanted), i = len + 1;
    int number = 0;

    if (name.len < len || !mime_same(name.text, len, wanted))
        return -1;
    if (name.len == len)
        return 0;
    if (name.text[len] != '*')
        return -1;
    if (name.len == len + 1)
        return 1;
    for (; i < name.len && mime_is_digit(name.text[i]) && number < PIECES; i++)
        number = number * 10 + name.text[i] - '0';
    if (i == len + 1 || number >= PIECES)
        return -1;
    if (i == name.len)
        return 2 + 2 * number;
    return name.text[i] == '*' && i + 1 == name.len ? 3 + 2 * number : -1;
}

/* The first parameter of that name and form (or the one above). */
static int find(struct mime_span rest, const char *name, int form,
                struct walk *walk)
{
    *walk = (struct walk){.at = rest.text, .end = rest.text + rest.len};
    while (next_parameter(walk)) {
        int found = name_form(walk->name, name);

        if (found == form || (form > 0 && found == (form | 1)))
            return found;
    }
    return -1;
}

/* Appends the value as it stands, without the backslashes in quotes. */
static char *put_plain(const struct walk *walk, char *to)
{
    for (size_t i = 0; i < walk->value.len; i++) {
        if (walk->quoted && walk->value.text[i] == '\\' &&
            i + 1 < walk->value.len &&
            (walk->value.text[i + 1] == '"' || walk->value.text[i + 1] == '\\'))
            i++;
        *to++ = walk->value.text[i];
    }
    return to;
}

static char *put_percent(struct mime_span value, char *to)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.text[i] == '%' && i + 2 < value.len &&
            mime_hex(value.text[i + 1]) >= 0 &&
            mime_hex(value.text[i + 2]) >= 0) {
            *to++ = (char)(mime_hex(value.text[i + 1]) * 16 +
                           mime_hex(value.text[i + 2]));
            i += 2;
        } else {
            *to++ = value.text[i];
        }
    }
    return to;
}

/* Takes charset'language' off the front of an extended value. */
static void take_charset(struct mime_span *value, struct mime_span *charset)
{
    const char *first = memchr(value->text, '\'', value->len);
    const char *second, *end = value->text + value->len;

    if (first == NULL)
        return;
    second = memchr(first + 1, '\'', (size_t)(end - first - 1));
    if (second == NULL)
        return;
    *charset = (struct mime_span){value->text, (size_t)(first - value->text)};
    *value = (struct mime_span){second + 1, (size_t)(end - second - 1)};
}

bool mime_parameter(struct mime_span rest, const char *name, char *scratch,
                    struct mime_parameter *found)
{
    struct walk walk;
    char *to = scratch;
    int form = find(rest, name, 1, &walk);

    *found = (struct mime_parameter){.bytes = {scratch, 0}};
    if (form == 1) {
        found->extended = true;
        take_charset(&walk.value, &found->charset);
        to = put_percent(walk.value, to);
    } else if (find(rest, name, 2, &walk) >= 0) {
        found->extended = true;
        for (int i = 0; i < PIECES; i++) {
            form = find(rest, name, 2 + 2 * i, &walk);
            if (form < 0)
                break;
            if (form & 1) {
                if (i == 0)
                    take_charset(&walk.value, &found->charset);
                to = put_percent(walk.value, to);
            } else {
                to = put_plain(&walk, to);
            }
        }
    } else if (find(rest, name, 0, &walk) == 0) {
        to = put_plain(&walk, to);
    } else {
        return false;
    }
    found->bytes.len = (size_t)(to - scratch);
    return true;
}

void mime_parameter_text(const struct mime_parameter *found,
                         struct mime_out *out)
{
    struct charset_state state;

    /* Many write encoded words where RFC 2231 belongs, some in its pieces. */
    if (found->charset.len == 0) {
        mime_out_text(out, found->bytes, false);
        return;
    }
    charset_begin(&state,
                  charset_find(found->charset.text, found->charset.len, NULL));
    mime_out_charset(out, &state, found->bytes.text, found->bytes.len, true);
}

bool mime_parameter_is(struct mime_span rest, const char *name,
                       const char *word, char *scratch)
{
    struct mime_parameter found;

    if (!mime_parameter(rest, name, scratch, &found))
        return false;
    found.bytes = mime_trim(found.bytes);
    return mime_same(found.bytes.text, found.bytes.len, word);
}
