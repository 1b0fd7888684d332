/* HTML as plain text: what a reader would see, in lines.
 *
 * Space is held back until something follows it, line ends likewise, so that
 * nothing stands at the end of a line and no two empty lines follow each other.
 */
#include "mailstore/mime/html_internal.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

/* ---- Writing ------------------------------------------------------------- */

static void flush(struct html_text *text)
{
    if (text->out_bytes > 0 && text->error == OK)
        text->error =
            text->sink.put(text->sink.context, text->out, text->out_bytes);
    text->out_bytes = 0;
}

static void put(struct html_text *text, const char *bytes, size_t len)
{
    /* Characters stay whole, lines may be cut anywhere. */
    if (text->out_bytes + len > HTML_OUT)
        flush(text);
    memcpy(text->out + text->out_bytes, bytes, len);
    text->out_bytes = (uint16_t)(text->out_bytes + len);
}

/* Deeper quotes are not told apart. */
#define QUOTES 20

/* Marks of quotes, with a space between them and perhaps behind them. */
static void put_quotes(struct html_text *text, unsigned quotes, bool space)
{
    for (unsigned i = 0; i < quotes && i < QUOTES; i++)
        put(text, "> ", i + 1 < quotes || space ? 2 : 1);
}

/* The line ends and the space that were held back. */
static void put_held(struct html_text *text)
{
    /* Between lines of different depth an empty one is of the lesser. */
    unsigned between =
        text->quotes < text->line_quotes ? text->quotes : text->line_quotes;

    for (; text->breaks > 0 && text->any; text->breaks--) {
        put(text, "\n", 1);
        if (text->breaks > 1)
            put_quotes(text, between, false);
        text->begun = false;
        text->space = false;
    }
    text->breaks = 0;
    if (!text->begun)
        put_quotes(text, text->quotes, true);
    else if (text->space)
        put(text, " ", 1);
    text->space = false;
    text->begun = text->any = true;
    text->line_quotes = text->quotes;
}

/* At least so many line ends before what follows. */
static void need_breaks(struct html_text *text, uint8_t breaks)
{
    if (text->breaks < breaks)
        text->breaks = breaks;
    if (breaks > 0)
        text->space = false;
}

static void put_word(struct html_text *text, const char *word, size_t len)
{
    put_held(text);
    while (len > 0) {
        size_t some = len < 64 ? len : 64;

        /* Not within a character. */
        while (some > 1 && some < len && (word[some] & 0xc0) == 0x80)
            some--;
        put(text, word, some);
        word += some;
        len -= some;
    }
}

/* ---- Events -------------------------------------------------------------- */

static void put_line_end(struct html_text *text)
{
    if (text->breaks < 2)
        text->breaks++;
    text->space = false;
}

/* U+00A0 at word. */
static bool is_hard_space(const char *word, size_t len)
{
    return len >= 2 && memcmp(word, "\u00a0", 2) == 0;
}

static void on_text(void *context, const char *bytes, size_t len)
{
    struct html_text *text = context;
    const char *end = bytes + len;

    while (bytes < end) {
        size_t word = 0;

        if (mime_is_space(*bytes) || *bytes == '\f') {
            if (text->pre > 0 && *bytes == '\n')
                put_line_end(text);
            else if (text->pre > 0 && *bytes != '\r')
                put_word(text, " ", 1);
            else
                text->space = true;
            bytes++;
            continue;
        }
        if (is_hard_space(bytes, (size_t)(end - bytes))) {
            text->space = true;
            bytes += 2;
            continue;
        }
        while (bytes + word < end && !mime_is_space(bytes[word]) &&
               !is_hard_space(bytes + word, (size_t)(end - bytes) - word))
            word++;
        put_word(text, bytes, word);
        bytes += word;
    }
}

/* Line ends around an element. */
static uint8_t breaks_of(enum html_kind kind)
{
    switch (kind) {
    case HTML_P:
    case HTML_PRE:
    case HTML_QUOTE:
    case HTML_LIST:
    case HTML_TABLE:
        return 2;
    case HTML_DIV:
    case HTML_BODY:
    case HTML_LI:
    case HTML_DT:
    case HTML_TR:
    case HTML_HR:
        return 1;
    case HTML_UNKNOWN:
    case HTML_SPAN:
    case HTML_TD:
    case HTML_TABLE_PART:
    case HTML_A:
    case HTML_IMG:
    case HTML_BR:
    case HTML_VOID:
    case HTML_STYLE:
    case HTML_RAW:
        break;
    }
    return 0;
}

static void on_open(void *context, uint8_t tag)
{
    struct html_text *text = context;
    enum html_kind kind = html_tag_kind(tag);

    need_breaks(text, breaks_of(kind));
    if (kind == HTML_TD)
        text->space = true;
    if (kind == HTML_BR)
        put_line_end(text);
    if (kind == HTML_LI)
        put_word(text, "* ", 2);
    if (kind == HTML_HR) {
        put_word(text, "---", 3);
        need_breaks(text, 1);
    }
    if (kind == HTML_QUOTE && text->quotes < UINT16_MAX)
        text->quotes++;
    if (kind == HTML_PRE && text->pre < UINT16_MAX)
        text->pre++;
}

static void on_close(void *context, uint8_t tag)
{
    struct html_text *text = context;
    enum html_kind kind = html_tag_kind(tag);

    need_breaks(text, breaks_of(kind));
    if (kind == HTML_QUOTE && text->quotes > 0)
        text->quotes--;
    if (kind == HTML_PRE && text->pre > 0)
        text->pre--;
}

/* Of a picture, the words that stand for it. */
static void on_attribute(void *context, uint8_t tag, char *value, size_t len,
                         bool cut)
{
    struct html_text *text = context;

    (void)cut;
    if (html_tag_kind(tag) == HTML_IMG &&
        strcmp(text->lex.attribute, "alt") == 0)
        on_text(text, value, len);
}

static void on_open_end(void *context, uint8_t tag)
{
    (void)context;
    (void)tag;
}

static void on_style(void *context, const char *css, size_t len)
{
    (void)context;
    (void)css;
    (void)len;
}

static const struct html_events events = {
    on_text, on_open, on_attribute, on_open_end, on_close, on_style,
};

/* ---- The streams --------------------------------------------------------- */

void html_text_begin(struct html_text *text, const struct mime_sink *sink)
{
    html_lex_begin(&text->lex, &events, text);
    text->sink = *sink;
    text->error = OK;
    text->quotes = text->line_quotes = text->pre = 0;
    text->breaks = 0;
    text->space = text->begun = text->any = false;
    text->out_bytes = 0;
}

void html_text_write(struct html_text *text, const char *html, size_t len)
{
    if (text->error == OK)
        html_lex_write(&text->lex, html, len);
}

enum err html_text_end(struct html_text *text)
{
    html_lex_end(&text->lex);
    if (text->any)
        put(text, "\n", 1);
    flush(text);
    return text->error;
}

enum err mime_plain(struct mime_plain *work, const struct mime_source *source,
                    const struct mime_part *part, const struct mime_sink *sink)
{
    bool html = mime_is(part, "text/html");
    enum err err = OK;
    int got;

    mime_decode_begin(&work->decoder, source, part, MIME_AS_TEXT);
    html_text_begin(&work->html, sink);
    while ((got = mime_decode_read(&work->decoder, work->piece,
                                   sizeof work->piece)) > 0) {
        if (html)
            html_text_write(&work->html, work->piece, (size_t)got);
        else
            err = sink->put(sink->context, work->piece, (size_t)got);
        if (err == OK)
            err = work->html.error;
        if (err != OK)
            return err;
    }
    if (got < 0)
        return (enum err)got;
    return html ? html_text_end(&work->html) : OK;
}
