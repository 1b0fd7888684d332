/* Lists of addresses: RFC 5322 3.4 and 4.4, RFC 6532, and what comes instead.
 *
 * One pass finds where an address ends (a comma or semicolon outside quotes,
 * comments and < >) and where its phrase, its < > and its last comment stand;
 * each of these is then read by itself. */
#include "mailstore/mime/mime_internal.h"
#include <string.h>

/* A quoted string or comment that is longer than this is none: so text with
 * marks that are never closed is not gone through again and again. */
#define QUOTED 500

/* Where the pieces of an address stand in the list. */
struct pieces {
    struct mime_span phrase;  /* before <, or all of it */
    struct mime_span address; /* within < > */
    struct mime_span comment; /* within the last ( ) */
    bool angle;
    bool group;       /* it was the name of a group */
    const char *next; /* behind it */
};

/* Bytes of the quoted string or comment at text; 1 when it is not closed. */
static size_t closed(const char *text, size_t len)
{
    char open = text[0], close = open == '(' ? ')' : '"';
    unsigned depth = 1;

    if (len > QUOTED)
        len = QUOTED;
    for (size_t i = 1; i < len; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == close && --depth == 0)
            return i + 1;
        else if (text[i] == open)
            depth++;
    }
    return 1;
}

/* The address in < > at text; returns its bytes, without the > when there is
 * none. */
static size_t take_angle(const char *text, size_t len, struct pieces *found)
{
    size_t i = 1;

    while (i < len && text[i] != '>') {
        size_t step = 1;

        if (text[i] == '"')
            step = closed(text + i, len - i);
        else if (text[i] == ',' && found->address.text == NULL &&
                 memchr(text + 1, '@', i - 1) != NULL && text[1] != '@')
            break; /* the > was forgotten */
        i += step;
    }
    if (i > len)
        i = len;
    found->address = (struct mime_span){text + 1, i - 1};
    found->angle = true;
    return i < len && text[i] == '>' ? i + 1 : i;
}

static void find_pieces(const char *text, const char *end, struct pieces *found)
{
    const char *start = text;
    bool at_sign = false, unclosed = false;

    *found = (struct pieces){0};
    while (text < end && *text != ',' && *text != ';') {
        size_t len = (size_t)(end - text), step = 1;

        /* Behind one that is not closed, the others of the address are plain
         * too. */
        if ((*text == '"' || *text == '(') && !unclosed) {
            step = closed(text, len);
            unclosed = step == 1;
        }
        if (*text == '(' && step > 1)
            found->comment = (struct mime_span){text + 1, step - 2};
        if (*text == '@')
            at_sign = true;
        if (*text == '<' && !found->angle) {
            found->phrase = (struct mime_span){start, (size_t)(text - start)};
            step = take_angle(text, len, found);
        }
        if (*text == ':' && !at_sign && !found->angle) {
            found->group = true;
            break;
        }
        text += step;
    }
    if (!found->angle)
        found->phrase = (struct mime_span){start, (size_t)(text - start)};
    found->next = text < end ? text + 1 : end;
}

/* Bytes up to the next quote, comment or space. */
static size_t word_bytes(const char *text, size_t len)
{
    size_t i = 1;

    while (i < len && text[i] != '"' && text[i] != '(' &&
           !mime_is_space(text[i]) && !mime_is_space(text[0]))
        i++;
    return i;
}

/* local@domain: what is not part of it taken away, a route in front too. */
static void put_address(struct mime_span span, struct mime_out *out)
{
    const char *text = span.text, *end = span.text + span.len;

    span = mime_trim(span);
    if (span.len > 0 && span.text[0] == '@') {
        const char *colon = memchr(span.text, ':', span.len);

        text = colon != NULL ? colon + 1 : span.text;
    }
    while (text < end) {
        size_t step = 1;

        if (*text == '"' || *text == '(')
            step = closed(text, (size_t)(end - text));
        else
            step = word_bytes(text, (size_t)(end - text));
        if (*text != '(' && !mime_is_space(*text))
            mime_out_guess(out, text, step);
        text += step;
    }
}

static bool is_address(struct mime_span span)
{
    return memchr(span.text, '@', span.len) != NULL;
}

/* Quotes of the other kind around a name: 'Name' (name@host). */
static void strip_quotes(char *name)
{
    size_t len = strlen(name);

    while (len > 0 && name[len - 1] == ' ')
        name[--len] = '\0';
    if (len > 1 && name[0] == '\'' && name[len - 1] == '\'') {
        memmove(name, name + 1, len - 2);
        name[len - 2] = '\0';
    }
}

static void put_name(struct mime_span span, struct mime_address *address)
{
    struct mime_out out;

    mime_out_begin(&out, address->name, sizeof address->name);
    mime_out_text(&out, mime_trim(span), true);
    (void)mime_out_end(&out);
    strip_quotes(address->name);
}

static void read_pieces(const struct pieces *found,
                        struct mime_address *address)
{
    struct mime_span spec = found->angle ? found->address : found->phrase;
    struct mime_out out;

    address->name[0] = address->address[0] = '\0';
    if (found->angle || is_address(spec)) {
        mime_out_begin(&out, address->address, sizeof address->address);
        put_address(spec, &out);
        (void)mime_out_end(&out);
        if (out.cut) /* half an address is another one */
            address->address[0] = '\0';
    }
    if (found->angle || address->address[0] == '\0')
        put_name(found->phrase, address);
    if (address->name[0] == '\0' && found->comment.len > 0)
        put_name(found->comment, address);
}

bool mime_address_next(struct mime_span *rest, struct mime_address *address)
{
    const char *end = rest->text + rest->len;

    while (rest->text < end) {
        struct pieces found;
        struct mime_span behind;

        find_pieces(rest->text, end, &found);
        rest->text = found.next;
        rest->len = (size_t)(end - found.next);
        if (found.group) {
            /* Its name counts when nobody is in it. */
            behind = mime_trim(*rest);
            if (behind.len > 0 && behind.text[0] != ';')
                continue;
        }
        read_pieces(&found, address);
        if (address->name[0] != '\0' || address->address[0] != '\0')
            return true;
    }
    return false;
}
