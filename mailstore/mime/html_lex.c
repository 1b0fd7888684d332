/* The tokenizer: the states of the HTML standard (section 13.2.5) that a
 * document without scripts can reach, a byte at a time, so that the text may
 * come in any pieces. A row of the table is a state; runs of plain text are
 * taken as a whole.
 *
 * What it makes of broken HTML need not be what a browser makes of it: what
 * goes out is written anew, and a browser reads that. */
#include "mailstore/mime/html_internal.h"
#include "mailstore/mime/html_names.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

enum state {
    DATA,
    REFERENCE, /* behind &; lex->back is where it stands */
    TAG_OPEN,
    END_OPEN,
    TAG_NAME,
    BEFORE_NAME,
    ATTRIBUTE_NAME,
    AFTER_NAME,
    BEFORE_VALUE,
    VALUE_DOUBLE,
    VALUE_SINGLE,
    VALUE_BARE,
    MARKUP, /* behind <! */
    BOGUS,
    COMMENT,
    RAW,     /* content of an element that has no markup */
    RAW_END, /* what may be its end tag */
};

/* ---- Tags ---------------------------------------------------------------- */

static void put_text(struct html_lex *lex, const char *text, size_t len)
{
    if (len > 0)
        lex->events->text(lex->context, text, len);
}

static void begin_tag(struct html_lex *lex, bool end)
{
    lex->end_tag = end;
    lex->name_len = 0;
    lex->state = TAG_NAME;
}

static void add_name(char *name, uint16_t *len, char c)
{
    /* A name that is too long is none that is known: so its end is dropped. NUL
     * is a character of it, but ends none. */
    if (*len < HTML_NAME)
        name[*len] = c == '\0' ? '?' : mime_lower(c);
    if (*len < UINT16_MAX)
        ++*len;
}

/* The name is complete: a start tag begins. */
static void end_name(struct html_lex *lex)
{
    lex->tag =
        lex->name_len < HTML_NAME ? html_tag_find(lex->name, lex->name_len) : 0;
    lex->name[lex->name_len < HTML_NAME ? lex->name_len : HTML_NAME - 1] = '\0';
    lex->attribute_len = 0;
    lex->value_len = 0;
    lex->value_cut = false;
    lex->state = BEFORE_NAME;
    if (!lex->end_tag)
        lex->events->open(lex->context, lex->tag);
}

/* An attribute is complete, with its value or without. */
static void end_attribute(struct html_lex *lex)
{
    if (lex->attribute_len > 0 && lex->attribute_len < HTML_NAME &&
        !lex->end_tag) {
        lex->attribute[lex->attribute_len] = '\0';
        lex->value[lex->value_len] = '\0';
        lex->events->attribute(lex->context, lex->tag, lex->value,
                               lex->value_len, lex->value_cut);
    }
    lex->attribute_len = 0;
    lex->value_len = 0;
    lex->value_cut = false;
    lex->state = BEFORE_NAME;
}

static void end_tag(struct html_lex *lex)
{
    enum html_kind kind = html_tag_kind(lex->tag);

    end_attribute(lex);
    lex->state = DATA;
    if (lex->end_tag) {
        lex->events->close(lex->context, lex->tag);
        return;
    }
    lex->events->open_end(lex->context, lex->tag);
    if (kind == HTML_RAW || kind == HTML_STYLE) {
        lex->raw_until = lex->tag;
        lex->state = RAW;
    }
}

static void add_value(struct html_lex *lex, const char *text, size_t len)
{
    if (len > HTML_VALUE - 1 - lex->value_len) {
        lex->value_cut = true;
        len = HTML_VALUE - 1 - lex->value_len;
    }
    memcpy(lex->value + lex->value_len, text, len);
    lex->value_len += (uint32_t)len;
}

/* ---- Character references ------------------------------------------------ */

static uint32_t number_reference(const char *text, size_t len)
{
    bool hex = len > 1 && mime_lower(text[1]) == 'x';
    uint32_t value = 0;
    size_t i = hex ? 2 : 1;

    if (i == len)
        return 0;
    for (; i < len && value < 0x110000; i++) {
        int digit = hex                      ? mime_hex(text[i])
                    : mime_is_digit(text[i]) ? text[i] - '0'
                                             : -1;

        if (digit < 0)
            return 0;
        value = value * (hex ? 16 : 10) + (uint32_t)digit;
    }
    /* Numbers of windows-1252 are common (HTML 13.2.5.80). */
    if (value >= 0x80 && value < 0xa0) {
        char byte = (char)value, character[8];
        size_t taken;
        struct charset_state state;

        charset_begin(&state, charset_find("windows-1252", 12, NULL));
        (void)charset_convert(&state, &byte, 1, &taken, character,
                              sizeof character, true);
        return utf8_get(character);
    }
    return value == 0 ? UTF8_REPLACEMENT : value;
}

static uint32_t named_reference(const char *text, size_t len)
{
    unsigned low = 0, high = html_name_count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        const char *name = html_name_text + html_name_offsets[middle];
        int order = strncmp(name, text, len);

        if (order == 0 && name[len] == '\0')
            return html_name_codes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* The reference ends before c. Returns whether c was its semicolon. */
static bool end_reference(struct html_lex *lex, char c)
{
    bool in_value = lex->back != DATA;
    uint32_t code = 0;
    char text[4];

    lex->entity[lex->entity_len] = '\0';
    if (lex->entity_len > 1 && lex->entity[1] == '#')
        code = number_reference(lex->entity + 1, lex->entity_len - 1u);
    else if (lex->entity_len > 1)
        code = named_reference(lex->entity + 1, lex->entity_len - 1u);
    /* Without a semicolon only the oldest are known, and in a value none that
     * could be the name in a query. */
    if (c != ';' && lex->entity[1] != '#' &&
        (code > 0xff || (in_value && c == '=')))
        code = 0;
    lex->state = lex->back;
    if (code == 0) {
        if (in_value)
            add_value(lex, lex->entity, lex->entity_len);
        else
            put_text(lex, lex->entity, lex->entity_len);
        return false;
    }
    if (in_value)
        add_value(lex, text, utf8_put(code, text));
    else
        put_text(lex, text, utf8_put(code, text));
    return c == ';';
}

static void begin_reference(struct html_lex *lex)
{
    lex->back = lex->state;
    lex->state = REFERENCE;
    lex->entity[0] = '&';
    lex->entity_len = 1;
}

/* ---- The states: each takes a byte and returns true, or has moved to another
 * state that is to take it. --------------------------------------------------
 */

static bool on_data(struct html_lex *lex, char c)
{
    if (c == '<')
        lex->state = TAG_OPEN;
    else if (c == '&')
        begin_reference(lex);
    else if (c != '\0')
        put_text(lex, &c, 1);
    return true;
}

static bool on_reference(struct html_lex *lex, char c)
{
    bool more = mime_is_letter(c) || mime_is_digit(c) ||
                (c == '#' && lex->entity_len == 1);

    if (more && lex->entity_len < sizeof lex->entity - 1) {
        lex->entity[lex->entity_len++] = c;
        return true;
    }
    return end_reference(lex, c);
}

static bool on_tag_open(struct html_lex *lex, char c)
{
    if (mime_is_letter(c)) {
        begin_tag(lex, false);
        return false;
    }
    lex->comment = 0;
    lex->state = c == '/' ? END_OPEN : c == '!' ? MARKUP : BOGUS;
    if (c == '/' || c == '!' || c == '?')
        return true;
    put_text(lex, "<", 1);
    lex->state = DATA;
    return false;
}

static bool on_end_open(struct html_lex *lex, char c)
{
    if (mime_is_letter(c)) {
        begin_tag(lex, true);
        return false;
    }
    lex->state = c == '>' ? DATA : BOGUS;
    return true;
}

static bool ends_name(char c)
{
    return mime_is_space(c) || c == '\f' || c == '/' || c == '>';
}

static bool on_tag_name(struct html_lex *lex, char c)
{
    if (ends_name(c)) {
        end_name(lex);
        return false;
    }
    add_name(lex->name, &lex->name_len, c);
    return true;
}

static bool on_before_name(struct html_lex *lex, char c)
{
    if (c == '>') {
        end_tag(lex);
    } else if (!ends_name(c)) {
        add_name(lex->attribute, &lex->attribute_len, c);
        lex->state = ATTRIBUTE_NAME;
    }
    return true;
}

static bool on_attribute_name(struct html_lex *lex, char c)
{
    if (ends_name(c)) {
        lex->state = AFTER_NAME;
        return false;
    }
    if (c == '=')
        lex->state = BEFORE_VALUE;
    else
        add_name(lex->attribute, &lex->attribute_len, c);
    return true;
}

static bool on_after_name(struct html_lex *lex, char c)
{
    if (mime_is_space(c) || c == '\f')
        return true;
    if (c == '=') {
        lex->state = BEFORE_VALUE;
        return true;
    }
    end_attribute(lex);
    return false;
}

static bool on_before_value(struct html_lex *lex, char c)
{
    if (mime_is_space(c) || c == '\f')
        return true;
    if (c == '>') {
        end_attribute(lex);
        return false;
    }
    lex->state = c == '"'    ? VALUE_DOUBLE
                 : c == '\'' ? VALUE_SINGLE
                             : VALUE_BARE;
    return c == '"' || c == '\'';
}

static bool on_value(struct html_lex *lex, char c)
{
    bool bare = lex->state == VALUE_BARE;

    if (bare ? mime_is_space(c) || c == '\f' || c == '>'
             : c == (lex->state == VALUE_DOUBLE ? '"' : '\'')) {
        end_attribute(lex);
        return !bare;
    }
    if (c == '&')
        begin_reference(lex);
    else
        add_value(lex, &c, 1);
    return true;
}

static bool on_markup(struct html_lex *lex, char c)
{
    if (c == '-' && ++lex->comment < 2)
        return true;
    lex->state = c == '-' ? COMMENT : BOGUS;
    return c == '-';
}

static bool on_bogus(struct html_lex *lex, char c)
{
    if (c == '>')
        lex->state = DATA;
    return true;
}

/* lex->comment: dashes before, 3: "--!". It begins with 2: <!--> is one. */
static bool on_comment(struct html_lex *lex, char c)
{
    if (c == '-')
        lex->comment = lex->comment == 0 || lex->comment == 3 ? 1 : 2;
    else if (c == '>' && lex->comment >= 2)
        lex->state = DATA;
    else
        lex->comment = c == '!' && lex->comment == 2 ? 3 : 0;
    return true;
}

static void put_raw(struct html_lex *lex, const char *text, size_t len)
{
    if (len > 0 && html_tag_kind(lex->raw_until) == HTML_STYLE)
        lex->events->style(lex->context, text, len);
}

static bool on_raw(struct html_lex *lex, char c)
{
    if (c != '<') {
        put_raw(lex, &c, 1);
        return true;
    }
    lex->entity[0] = '<';
    lex->entity_len = 1;
    lex->state = RAW_END;
    return true;
}

/* lex->entity is what may be "</name". */
static bool on_raw_end(struct html_lex *lex, char c)
{
    const char *name = html_tag_name(lex->raw_until);
    size_t len = strlen(name), have = lex->entity_len;

    if (have == len + 2 && ends_name(c)) {
        begin_tag(lex, true);
        memcpy(lex->name, name, len);
        lex->name_len = (uint16_t)len;
        return false;
    }
    if (have < len + 2 && mime_lower(c) == (have == 1 ? '/' : name[have - 2])) {
        lex->entity[lex->entity_len++] = c;
        return true;
    }
    put_raw(lex, lex->entity, have);
    lex->state = RAW;
    return false;
}

static bool (*const states[])(struct html_lex *lex, char c) = {
    [DATA] = on_data,
    [REFERENCE] = on_reference,
    [TAG_OPEN] = on_tag_open,
    [END_OPEN] = on_end_open,
    [TAG_NAME] = on_tag_name,
    [BEFORE_NAME] = on_before_name,
    [ATTRIBUTE_NAME] = on_attribute_name,
    [AFTER_NAME] = on_after_name,
    [BEFORE_VALUE] = on_before_value,
    [VALUE_DOUBLE] = on_value,
    [VALUE_SINGLE] = on_value,
    [VALUE_BARE] = on_value,
    [MARKUP] = on_markup,
    [BOGUS] = on_bogus,
    [COMMENT] = on_comment,
    [RAW] = on_raw,
    [RAW_END] = on_raw_end,
};

/* Bytes at html that are nothing but text. */
static size_t plain_run(const char *html, size_t len)
{
    size_t i = 0;

    while (i < len && html[i] != '<' && html[i] != '&' && html[i] != '\0')
        i++;
    return i;
}

void html_lex_begin(struct html_lex *lex, const struct html_events *events,
                    void *context)
{
    memset(lex, 0, offsetof(struct html_lex, value));
    lex->events = events;
    lex->context = context;
}

void html_lex_write(struct html_lex *lex, const char *html, size_t len)
{
    const char *end = html + len;

    while (html < end) {
        size_t run =
            lex->state == DATA ? plain_run(html, (size_t)(end - html)) : 0;

        put_text(lex, html, run);
        html += run;
        if (html == end)
            break;
        while (!states[lex->state](lex, *html))
            ;
        html++;
    }
}

void html_lex_end(struct html_lex *lex)
{
    if (lex->state == REFERENCE)
        (void)end_reference(lex, '\0');
    if (lex->state == TAG_OPEN)
        put_text(lex, "<", 1);
    /* A tag that is not closed is none; what has been told of it is ended. */
    if (lex->state >= BEFORE_NAME && lex->state <= VALUE_BARE && !lex->end_tag)
        lex->events->open_end(lex->context, lex->tag);
    lex->state = DATA;
}
