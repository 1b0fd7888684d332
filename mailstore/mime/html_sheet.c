/* Style sheets: the content of <style>, rule by rule, as a stream.
 *
 * clean->css holds what came of the current rule: its selector, then, from
 * css_block on, its declarations. */
#include "mailstore/mime/html_internal.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

/* In front of the first rule. */
#define STYLE       "<style>"
#define STYLE_BYTES (sizeof STYLE - 1)

/* Before a block; in the declarations of a rule; in a block that is dropped. */
enum { CSS_PRELUDE, CSS_BLOCK, CSS_SKIP };
/* Comments: outside, behind a slash, inside, inside behind a star. */
enum { COMMENT_NONE, COMMENT_SLASH, COMMENT_IN, COMMENT_STAR };

void html_css_begin(struct html_clean *clean)
{
    clean->css_state = CSS_PRELUDE;
    clean->css_bytes = 0;
    clean->css_block = 0;
    clean->css_depth = 0;
    clean->css_quote = '\0';
    clean->css_comment = COMMENT_NONE;
    clean->css_cut = false;
    clean->css_media = false;
    clean->css_any = false;
}

/* The marks that hid style sheets from old browsers are nothing. */
static struct mime_span prelude(const struct html_clean *clean)
{
    struct mime_span text =
        mime_trim((struct mime_span){clean->css, clean->css_bytes});

    for (;;) {
        size_t gone = text.len >= 4 && memcmp(text.text, "<!--", 4) == 0  ? 4
                      : text.len >= 3 && memcmp(text.text, "-->", 3) == 0 ? 3
                                                                          : 0;

        if (gone == 0)
            return text;
        text = mime_trim((struct mime_span){text.text + gone, text.len - gone});
    }
}

/* Whether a selector is of the simple kinds; strings are those of attributes.
 * Brackets are not, and so no url( that would end elsewhere than it seems. */
static bool is_selector(struct mime_span text)
{
    char quote = '\0';

    for (size_t i = 0; i < text.len; i++) {
        char c = text.text[i];
        bool word = mime_is_letter(c) || mime_is_digit(c) ||
                    (uint8_t)c >= 0x80 || (c != '\0' && strchr("-_ .:", c));

        if (c == '"' || c == '\'') {
            if (quote != '\0' && quote != c)
                return false;
            quote = quote == '\0' ? c : '\0';
        } else if (!word && (c == '\0' || quote != '\0' ||
                             strchr("#,>+~*[]=^$|\t\r\n", c) == NULL)) {
            return false;
        }
    }
    return text.len > 0 && quote == '\0';
}

/* Whether this is "@media" and a condition of words and numbers in brackets. */
static bool is_media(struct mime_span text)
{
    char before = '\0';
    int open = 0;

    if (text.len < 7 || !mime_same(text.text, 6, "@media") ||
        (text.text[6] != '(' && !mime_is_space(text.text[6])))
        return false;
    for (size_t i = 6; i < text.len; i++) {
        char c = text.text[i];

        if (!mime_is_letter(c) && !mime_is_digit(c) && !mime_is_space(c) &&
            (c == '\0' || strchr("(),:.-/>=", c) == NULL))
            return false;
        if (c == '(' && i > 6 && before != '(' && !mime_is_space(before))
            return false;
        open += (c == '(') - (c == ')');
        if (open < 0)
            return false;
        before = c;
    }
    return open == 0;
}

static void skip_block(struct html_clean *clean)
{
    clean->css_bytes = 0;
    clean->css_cut = false;
    clean->css_state = CSS_SKIP;
    clean->css_depth = 1;
}

static bool is_rule(struct mime_span text, const char *at_rule)
{
    size_t len = strlen(at_rule);

    return text.len >= len && mime_same(text.text, len, at_rule);
}

/* A block behind "@...": one of @media is gone into. */
static void open_at_rule(struct html_clean *clean, struct mime_span text)
{
    if (is_rule(text, "@font-face"))
        html_block(clean);
    if (!is_media(text) || clean->css_media) {
        skip_block(clean);
        return;
    }
    if (!clean->css_any)
        html_put(clean, STYLE);
    clean->css_any = true;
    html_put_bytes(clean, text.text, text.len);
    html_put(clean, "{");
    clean->css_media = true;
    clean->css_bytes = 0;
}

/* A block begins: css becomes "<style>selector{", NUL, and its declarations. */
static void open_block(struct html_clean *clean)
{
    struct mime_span text = prelude(clean);

    if (clean->css_cut || text.len + STYLE_BYTES + 2 > HTML_VALUE) {
        skip_block(clean);
    } else if (text.len > 0 && text.text[0] == '@') {
        open_at_rule(clean, text);
    } else if (!is_selector(text)) {
        skip_block(clean);
    } else {
        memmove(clean->css + STYLE_BYTES, text.text, text.len);
        memcpy(clean->css, STYLE, STYLE_BYTES);
        memcpy(clean->css + STYLE_BYTES + text.len, "{", 2);
        clean->css_block = (uint32_t)(STYLE_BYTES + text.len + 2);
        clean->css_bytes = clean->css_block;
        clean->css_state = CSS_BLOCK;
    }
}

static void close_block(struct html_clean *clean)
{
    uint32_t block = clean->css_block;

    if (html_css_declarations(
            clean, clean->css + block, clean->css_bytes - block, false,
            clean->css + (clean->css_any ? STYLE_BYTES : 0))) {
        html_put(clean, "}");
        clean->css_any = true;
    }
    clean->css_state = CSS_PRELUDE;
    clean->css_bytes = 0;
}

/* A statement without a block, or a stray bracket. */
static void end_prelude(struct html_clean *clean, char c)
{
    struct mime_span text = prelude(clean);

    if (is_rule(text, "@import"))
        html_block(clean);
    if (c == '}' && clean->css_media) {
        html_put(clean, "}");
        clean->css_media = false;
    }
    clean->css_bytes = 0;
    clean->css_cut = false;
}

static void append(struct html_clean *clean, char c)
{
    if (clean->css_bytes < HTML_VALUE)
        clean->css[clean->css_bytes++] = c;
    else if (clean->css_state == CSS_BLOCK)
        skip_block(clean);
    else
        clean->css_cut = true;
}

/* A mark of structure outside strings and comments. */
static void take_mark(struct html_clean *clean, char c)
{
    switch (clean->css_state) {
    case CSS_PRELUDE:
        if (c == '{')
            open_block(clean);
        else
            end_prelude(clean, c);
        break;
    case CSS_BLOCK:
        if (c == '}') {
            close_block(clean);
        } else if (c == '{') { /* blocks within rules are not known */
            skip_block(clean);
            clean->css_depth = 2;
        } else {
            append(clean, c);
        }
        break;
    default:
        if (c == '{' && clean->css_depth < UINT16_MAX)
            clean->css_depth++;
        else if (c == '}' && --clean->css_depth == 0)
            clean->css_state = CSS_PRELUDE;
        break;
    }
}

static void take_byte(struct html_clean *clean, char c)
{
    bool mark = c == '{' || c == '}' || c == ';';

    if (clean->css_quote != '\0') {
        if (c == clean->css_quote || c == '\n')
            clean->css_quote = '\0';
        mark = false;
    } else if (c == '"' || c == '\'') {
        clean->css_quote = c;
    }
    if (mark)
        take_mark(clean, c);
    else if (clean->css_state != CSS_SKIP)
        append(clean, c);
}

void html_css_write(struct html_clean *clean, const char *css, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = css[i];

        switch (clean->css_comment) {
        case COMMENT_IN:
            if (c == '*')
                clean->css_comment = COMMENT_STAR;
            continue;
        case COMMENT_STAR:
            if (c == '/')
                take_byte(clean, ' ');
            clean->css_comment = c == '/'   ? COMMENT_NONE
                                 : c == '*' ? COMMENT_STAR
                                            : COMMENT_IN;
            continue;
        case COMMENT_SLASH:
            clean->css_comment = c == '*' ? COMMENT_IN : COMMENT_NONE;
            if (c == '*')
                continue;
            take_byte(clean, '/');
            break;
        default:
            break;
        }
        if (c == '/' && clean->css_quote == '\0')
            clean->css_comment = COMMENT_SLASH;
        else
            take_byte(clean, c);
    }
}

void html_css_end(struct html_clean *clean)
{
    if (clean->css_media)
        html_put(clean, "}");
    if (clean->css_any)
        html_put(clean, "</style>");
    html_css_begin(clean);
}
