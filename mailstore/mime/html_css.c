/* CSS in mail: declarations with properties of a list and values of plain
 * words, numbers, colours and a few functions. url() is judged as a picture's.
 *
 * A value with anything else in it (a backslash, another function, a bracket)
 * is dropped whole, so nothing has to be understood that is not on the list.
 * Of style sheets, rules and @media with rules are kept; all else that begins
 * with @ is dropped. "<" is never written: within <style> nothing else ends it.
 */
#include "mailstore/mime/html_internal.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

static const char *const families[] = {"background", "border", "font",
                                       "list-style", "margin", "outline",
                                       "padding",    "text-"};

static const char *const properties[] = {
    "align-content",
    "align-items",
    "align-self",
    "baseline-shift",
    "box-shadow",
    "box-sizing",
    "caption-side",
    "clear",
    "color",
    "column-count",
    "column-gap",
    "column-width",
    "direction",
    "display",
    "empty-cells",
    "flex",
    "flex-basis",
    "flex-direction",
    "flex-flow",
    "flex-grow",
    "flex-shrink",
    "flex-wrap",
    "float",
    "gap",
    "height",
    "justify-content",
    "letter-spacing",
    "line-height",
    "max-height",
    "max-width",
    "min-height",
    "min-width",
    "opacity",
    "order",
    "orphans",
    "overflow",
    "overflow-wrap",
    "overflow-x",
    "overflow-y",
    "page-break-after",
    "page-break-before",
    "page-break-inside",
    "quotes",
    "tab-size",
    "table-layout",
    "unicode-bidi",
    "vertical-align",
    "visibility",
    "white-space",
    "widows",
    "width",
    "word-break",
    "word-spacing",
    "word-wrap",
};

static const char *const functions[] = {
    "calc", "clamp",           "hsl", "hsla", "linear-gradient", "max",
    "min",  "radial-gradient", "rgb", "rgba",
};

static bool in_list(const char *const *list, size_t count, const char *text,
                    size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (mime_same(text, len, list[i]))
            return true;
    }
    return false;
}

#define IN_LIST(list, text, len)                                               \
    in_list(list, sizeof(list) / sizeof *(list), text, len)

static bool is_name(char c)
{
    return mime_is_letter(c) || mime_is_digit(c) || c == '-' || c == '_';
}

static bool property_allowed(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!mime_is_letter(name[i]) && name[i] != '-')
            return false;
    }
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        size_t family = strlen(families[i]);

        if (len >= family && mime_same(name, family, families[i]))
            return true;
    }
    return IN_LIST(properties, name, len);
}

static bool takes_url(const char *name, size_t len)
{
    return (len >= 10 && mime_same(name, 10, "background")) ||
           (len >= 10 && mime_same(name, 10, "list-style"));
}

/* ---- Values -------------------------------------------------------------- */

/* A value is checked first and written then, from the same steps. */
struct value {
    struct html_clean *clean;
    const char *at, *end;
    bool quoted; /* in an attribute: escaped */
    bool write;
    bool url_allowed;
    int brackets; /* open */
};

static void put(const struct value *value, const char *text, size_t len)
{
    if (!value->write)
        return;
    if (value->quoted)
        html_put_escaped(value->clean, text, len);
    else
        html_put_bytes(value->clean, text, len);
}

/* Bytes of a string at text with both quotes; 0: none that may be kept. Marks
 * of CSS are refused, so that nothing depends on its being read as a string. */
static size_t string_bytes(const char *text, const char *end)
{
    const char *at = text + 1;

    while (at < end && *at != *text) {
        if ((uint8_t)*at < ' ' || strchr("\\<>{}();@\"'", *at) != NULL)
            return 0;
        at++;
    }
    return at < end ? (size_t)(at - text) + 1 : 0;
}

/* What is in url( ) at value->at. Returns false when it is not closed. */
static bool take_url(struct value *value, char *url, size_t *len)
{
    const char *close =
        memchr(value->at, ')', (size_t)(value->end - value->at));
    struct mime_span inner;

    if (close == NULL)
        return false;
    inner =
        mime_trim((struct mime_span){value->at, (size_t)(close - value->at)});
    if (inner.len >= 2 && (inner.text[0] == '"' || inner.text[0] == '\'') &&
        inner.text[inner.len - 1] == inner.text[0]) {
        inner.text++;
        inner.len -= 2;
    }
    value->at = close + 1;
    if (inner.len >= HTML_URL || memchr(inner.text, '\\', inner.len) != NULL)
        return false;
    memcpy(url, inner.text, inner.len);
    *len = inner.len;
    return true;
}

/* A URL in quotes; what could end it is written in percent. */
static void put_url(const struct value *value, const char *url, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";

    put(value, "url(\"", 5);
    for (size_t i = 0; i < len; i++) {
        char escaped[3] = {'%', hex[(uint8_t)url[i] >> 4], hex[url[i] & 15]};
        bool plain = url[i] > ' ' && strchr("\"'()<>\\", url[i]) == NULL;

        put(value, plain ? url + i : escaped, plain ? 1 : 3);
    }
    put(value, "\")", 2);
}

static bool on_url(struct value *value)
{
    char *url = value->clean->url;
    size_t len;

    if (!take_url(value, url, &len) ||
        !html_picture(value->clean, url, &len, HTML_URL) || !value->url_allowed)
        return false;
    put_url(value, url, len);
    return true;
}

/* A word, a number, or a function's name with its bracket. */
static bool on_word(struct value *value)
{
    const char *word = value->at;
    size_t len = 0;

    while (word + len < value->end && is_name(word[len]))
        len++;
    value->at += len;
    if (value->at == value->end || *value->at != '(') {
        put(value, word, len);
        return true;
    }
    value->at++;
    if (mime_same(word, len, "url"))
        return on_url(value);
    if (!IN_LIST(functions, word, len))
        return false;
    put(value, word, len + 1);
    value->brackets++;
    return true;
}

static bool on_character(struct value *value)
{
    const char *at = value->at;
    size_t len = 1;

    if (is_name(*at))
        return on_word(value);
    if (*at == '"' || *at == '\'')
        len = string_bytes(at, value->end);
    else if ((uint8_t)*at < 0x80 && strchr(" ,.#%+/!*()", *at) == NULL)
        return false;
    /* A bracket opens within a function only. */
    if (*at == '(' && value->brackets == 0)
        return false;
    value->brackets += (*at == '(') - (*at == ')');
    put(value, at, len);
    value->at += len;
    return len > 0 && value->brackets >= 0;
}

static bool run_value(struct value *value, struct mime_span text)
{
    value->at = text.text;
    value->end = text.text + text.len;
    value->brackets = 0;
    while (value->at < value->end) {
        if (!on_character(value))
            return false;
    }
    return value->brackets == 0;
}

/* ---- Declarations -------------------------------------------------------- */

/* Comments become spaces, line ends and tabs too; in place. */
static void strip_comments(char *css, size_t len)
{
    bool inside = false;

    for (size_t i = 0; i < len; i++) {
        bool open = css[i] == '/' && i + 1 < len && css[i + 1] == '*';
        bool close = css[i] == '*' && i + 1 < len && css[i + 1] == '/';

        if (inside && close)
            css[i + 1] = ' ';
        if (inside || open || (uint8_t)css[i] < ' ')
            css[i] = ' ';
        if (open && !inside) {
            css[++i] = ' ';
            inside = true;
        } else if (close) {
            inside = false;
        }
    }
}

/* Where the declaration at css ends: the next semicolon outside quotes and
 * brackets. */
static size_t declaration_bytes(const char *css, size_t len)
{
    char quote = '\0';
    bool bracket = false;
    size_t i = 0;

    for (; i < len; i++) {
        if (quote != '\0')
            quote = css[i] == quote ? '\0' : quote;
        else if (css[i] == '"' || css[i] == '\'')
            quote = css[i];
        else if (css[i] == '(')
            bracket = true;
        else if (css[i] == ')')
            bracket = false;
        else if (css[i] == ';' && !bracket)
            break;
    }
    return i;
}

/* A declaration, if it is allowed; begin is written before the first. */
static bool declaration(struct html_clean *clean, struct mime_span text,
                        bool quoted, const char *begin)
{
    const char *colon = memchr(text.text, ':', text.len);
    struct value value = {.clean = clean, .quoted = quoted};
    struct mime_span name, rest;

    if (colon == NULL)
        return false;
    name =
        mime_trim((struct mime_span){text.text, (size_t)(colon - text.text)});
    rest = mime_trim((struct mime_span){
        colon + 1, text.len - (size_t)(colon + 1 - text.text)});
    value.url_allowed = takes_url(name.text, name.len);
    /* Checked even if the property is not, for the remote loads in it. */
    if (!run_value(&value, rest) || name.len == 0 || rest.len == 0 ||
        !property_allowed(name.text, name.len))
        return false;
    html_put(clean, begin);
    html_put_bytes(clean, name.text, name.len);
    html_put(clean, ":");
    value.write = true;
    (void)run_value(&value, rest);
    html_put(clean, ";");
    return true;
}

bool html_css_declarations(struct html_clean *clean, char *css, size_t len,
                           bool quoted, const char *begin)
{
    bool any = false;

    strip_comments(css, len);
    while (len > 0) {
        size_t bytes = declaration_bytes(css, len);

        any |= declaration(clean, (struct mime_span){css, bytes}, quoted,
                           any ? "" : begin);
        if (bytes < len)
            bytes++;
        css += bytes;
        len -= bytes;
    }
    return any;
}
