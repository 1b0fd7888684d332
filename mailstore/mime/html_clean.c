/* The sanitiser: events of the tokenizer in, safe HTML out.
 *
 * A stack holds the open elements, so that what comes out is closed in order
 * and no end tag reaches beyond what the mail has opened itself. */
#include "mailstore/mime/html_internal.h"
#include "mailstore/mime/mime_internal.h"
#include "core/markup.h"
#include <string.h>

/* ---- Writing ------------------------------------------------------------- */

static void flush(struct html_clean *clean)
{
    if (clean->out_bytes > 0 && clean->error == OK)
        clean->error =
            clean->sink.put(clean->sink.context, clean->out, clean->out_bytes);
    clean->out_bytes = 0;
}

void html_put_bytes(struct html_clean *clean, const char *text, size_t len)
{
    while (len > 0) {
        size_t room = HTML_OUT - clean->out_bytes;
        size_t some = len < room ? len : room;

        memcpy(clean->out + clean->out_bytes, text, some);
        clean->out_bytes = (uint16_t)(clean->out_bytes + some);
        text += some;
        len -= some;
        if (clean->out_bytes == HTML_OUT)
            flush(clean);
    }
}

void html_put(struct html_clean *clean, const char *text)
{
    html_put_bytes(clean, text, strlen(text));
}

/* What is written instead of a byte, or NULL. */
static const char *escape(char c)
{
    const char *entity = markup_entity(c);

    if (entity != NULL || c == '\t' || c == '\n')
        return entity;
    return (uint8_t)c < ' ' || c == 0x7f ? "" : NULL;
}

void html_put_escaped(struct html_clean *clean, const char *text, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        const char *instead = escape(text[i]);

        if (instead == NULL)
            continue;
        html_put_bytes(clean, text + from, i - from);
        html_put(clean, instead);
        from = i + 1;
    }
    html_put_bytes(clean, text + from, len - from);
}

/* ---- Elements ------------------------------------------------------------ */

static const char *written_name(uint8_t tag)
{
    return html_tag_kind(tag) == HTML_BODY ? "div" : html_tag_name(tag);
}

static void pop(struct html_clean *clean)
{
    html_put(clean, "</");
    html_put(clean, written_name(clean->stack[--clean->depth]));
    html_put(clean, ">");
}

#define KIND(kind) (1u << (kind))

/* Kinds whose end tag may be left out, by the kind that begins behind them. */
static const uint32_t implied[] = {
    [HTML_LI] = KIND(HTML_LI),
    [HTML_DT] = KIND(HTML_DT),
    [HTML_TD] = KIND(HTML_TD),
    [HTML_TR] = KIND(HTML_TD) | KIND(HTML_TR),
    [HTML_TABLE_PART] = KIND(HTML_TD) | KIND(HTML_TR) | KIND(HTML_TABLE_PART),
    [HTML_RAW] = 0,
};

/* What an end tag does not reach beyond. */
static uint32_t barrier(enum html_kind kind)
{
    if (kind == HTML_TABLE)
        return 0;
    if (kind == HTML_TD || kind == HTML_TR || kind == HTML_TABLE_PART)
        return KIND(HTML_TABLE);
    return KIND(HTML_TD) | KIND(HTML_TABLE) |
           (kind == HTML_LI ? KIND(HTML_LIST) : 0);
}

/* Whether a <p> ends where this begins. */
static bool ends_paragraph(enum html_kind kind)
{
    return kind != HTML_SPAN && kind != HTML_A && kind != HTML_IMG &&
           kind != HTML_BR && kind != HTML_VOID;
}

static void close_implied(struct html_clean *clean, enum html_kind kind)
{
    while (clean->depth > 0) {
        uint8_t top = clean->stack[clean->depth - 1];
        bool paragraph = strcmp(html_tag_name(top), "p") == 0;

        if (!(paragraph && ends_paragraph(kind)) &&
            !(implied[kind] & KIND(html_tag_kind(top))))
            return;
        pop(clean);
    }
}

static void on_open(void *context, uint8_t tag)
{
    struct html_clean *clean = context;
    enum html_kind kind = html_tag_kind(tag);

    clean->tag_open = false;
    if (kind == HTML_STYLE)
        html_css_begin(clean);
    if (kind == HTML_STYLE || kind == HTML_RAW || kind == HTML_UNKNOWN)
        return;
    close_implied(clean, kind);
    if (!html_tag_void(tag) && clean->depth == HTML_DEPTH)
        return;
    html_put(clean, "<");
    html_put(clean, written_name(tag));
    clean->tag_open = true;
    clean->link = false;
    clean->seen = 0;
}

static void on_open_end(void *context, uint8_t tag)
{
    struct html_clean *clean = context;

    if (!clean->tag_open)
        return;
    if (clean->link)
        html_put(clean, " target=\"_blank\" rel=\"noopener noreferrer\"");
    html_put(clean, ">");
    if (!html_tag_void(tag))
        clean->stack[clean->depth++] = tag;
    clean->tag_open = false;
}

static void on_close(void *context, uint8_t tag)
{
    struct html_clean *clean = context;
    enum html_kind kind = html_tag_kind(tag);
    uint32_t stop = barrier(kind);
    unsigned at = clean->depth;

    if (kind == HTML_STYLE)
        html_css_end(clean);
    if (kind == HTML_UNKNOWN || kind == HTML_STYLE || kind == HTML_RAW)
        return;
    while (at > 0 && clean->stack[at - 1] != tag) {
        if (stop & KIND(html_tag_kind(clean->stack[at - 1])))
            return;
        at--;
    }
    while (at > 0 && clean->depth >= at)
        pop(clean);
}

/* ---- Attributes ---------------------------------------------------------- */

/* Those whose value is only shown. */
static const char *const plain_names[] = {
    "abbr",        "align",       "alt",      "axis",    "bgcolor", "border",
    "cellpadding", "cellspacing", "char",     "charoff", "class",   "clear",
    "color",       "colspan",     "datetime", "dir",     "face",    "frame",
    "headers",     "height",      "hspace",   "id",      "lang",    "noshade",
    "nowrap",      "open",        "reversed", "role",    "rowspan", "rules",
    "scope",       "size",        "span",     "start",   "summary", "title",
    "type",        "valign",      "value",    "vspace",  "width",
};

#define PLAIN_NAMES (sizeof plain_names / sizeof *plain_names)
_Static_assert(PLAIN_NAMES + 4 <= 64, "bits of clean->seen");
/* Numbers of the others. */
enum { SEEN_HREF = PLAIN_NAMES, SEEN_SRC, SEEN_BACKGROUND, SEEN_STYLE };

/* Those that load something, whatever they stand on (of what HTTPLeaks lists);
 * href does, but on links. */
static const char *const loading_names[] = {
    "archive", "background", "classid", "code",        "codebase", "data",
    "dynsrc",  "href",       "icon",    "imagesrcset", "lowsrc",   "manifest",
    "ping",    "poster",     "profile", "src",         "srcset",   "xlink:href",
};

/* Whether the name is among them; *number: which one. */
static bool find_name(const char *const *names, size_t count, const char *name,
                      unsigned *number)
{
    for (*number = 0; *number < count; ++*number) {
        if (strcmp(names[*number], name) == 0)
            return true;
    }
    return false;
}

static void put_attribute(struct html_clean *clean, const char *name,
                          const char *value, size_t len)
{
    html_put(clean, " ");
    html_put(clean, name);
    html_put(clean, "=\"");
    html_put_escaped(clean, value, len);
    html_put(clean, "\"");
}

/* Whether an attribute comes a first time; *number: its bit of clean->seen. */
static bool is_new(struct html_clean *clean, unsigned number)
{
    uint64_t bit = UINT64_C(1) << number;
    bool seen = (clean->seen & bit) != 0;

    clean->seen |= bit;
    return !seen;
}

static void link_target(struct html_clean *clean, char *value, size_t len)
{
    if (!html_link(value, &len) || !is_new(clean, SEEN_HREF))
        return;
    put_attribute(clean, "href", value, len);
    clean->link = true;
}

static void picture(struct html_clean *clean, const char *name, unsigned number,
                    char *value, size_t len)
{
    if (is_new(clean, number) && html_picture(clean, value, &len, HTML_VALUE))
        put_attribute(clean, name, value, len);
}

/* What would have been loaded by an attribute that is dropped. */
static void count_load(struct html_clean *clean, const char *name,
                       const char *value, size_t len)
{
    const char *element = clean->lex.name;
    unsigned number;
    bool leads = strcmp(element, "a") == 0 || strcmp(element, "area") == 0 ||
                 strcmp(element, "base") == 0;

    if (leads && strcmp(name, "href") == 0)
        return;
    if (find_name(loading_names, sizeof loading_names / sizeof *loading_names,
                  name, &number)
            ? html_remote(value, len)
            : strstr(value, "url(") != NULL && html_remote(value, len))
        html_block(clean);
}

static bool takes_background(enum html_kind kind)
{
    return kind == HTML_TABLE || kind == HTML_TABLE_PART || kind == HTML_TR ||
           kind == HTML_TD;
}

/* The attributes of which more than the text counts. Returns false when it is
 * none of them. */
static bool special(struct html_clean *clean, uint8_t tag, const char *name,
                    char *value, size_t len)
{
    enum html_kind kind = html_tag_kind(tag);

    if (strcmp(name, "style") == 0) {
        if (is_new(clean, SEEN_STYLE) &&
            html_css_declarations(clean, value, len, true, " style=\""))
            html_put(clean, "\"");
    } else if (kind == HTML_A && strcmp(name, "href") == 0) {
        link_target(clean, value, len);
    } else if (kind == HTML_IMG && strcmp(name, "src") == 0) {
        picture(clean, "src", SEEN_SRC, value, len);
    } else if (takes_background(kind) && strcmp(name, "background") == 0) {
        picture(clean, "background", SEEN_BACKGROUND, value, len);
    } else {
        return false;
    }
    return true;
}

static void on_attribute(void *context, uint8_t tag, char *value, size_t len,
                         bool cut)
{
    struct html_clean *clean = context;
    const char *name = clean->lex.attribute;
    unsigned number;

    if (!cut && clean->tag_open && special(clean, tag, name, value, len))
        return;
    if (!cut && find_name(plain_names, PLAIN_NAMES, name, &number)) {
        if (clean->tag_open && is_new(clean, number))
            put_attribute(clean, name, value, len);
        return;
    }
    count_load(clean, name, value, len);
}

static void on_text(void *context, const char *text, size_t len)
{
    html_put_escaped(context, text, len);
}

static void on_style(void *context, const char *text, size_t len)
{
    html_css_write(context, text, len);
}

static const struct html_events events = {
    on_text, on_open, on_attribute, on_open_end, on_close, on_style,
};

/* ---- The stream ---------------------------------------------------------- */

void html_clean_begin(struct html_clean *clean,
                      const struct html_options *options,
                      const struct mime_sink *sink)
{
    html_lex_begin(&clean->lex, &events, clean);
    clean->options = *options;
    clean->sink = *sink;
    clean->error = OK;
    clean->blocked = 0;
    clean->tag_open = false;
    clean->depth = 0;
    clean->out_bytes = 0;
    html_css_begin(clean);
}

void html_clean_write(struct html_clean *clean, const char *html, size_t len)
{
    if (clean->error == OK)
        html_lex_write(&clean->lex, html, len);
}

enum err html_clean_end(struct html_clean *clean)
{
    html_lex_end(&clean->lex);
    html_css_end(clean);
    while (clean->depth > 0)
        pop(clean);
    flush(clean);
    return clean->error;
}
