/* Plain text as HTML: see web_text.h.
 *
 * Where a quote begins it is held back: it goes out as it is when it ends soon,
 * and within <details> when it turns out to be long. */
#include "web/web_text.h"
#include "core/markup.h"
#include "http/http.h"
#include <string.h>
#include <strings.h>

/* ---- Output ----------------------------------------------------------------
 */

static void release(struct web_text *text)
{
    text->holding = false;
    http_write(text->x, text->held, text->held_bytes);
    text->held_bytes = 0;
}

static void fold(struct web_text *text)
{
    http_text(text->x, "<details><summary>Quoted text</summary>");
    text->folded = true;
    release(text);
}

static void put(struct web_text *text, const char *bytes, size_t len)
{
    if (text->holding && len > sizeof(text->held) - text->held_bytes)
        fold(text);
    if (!text->holding) {
        http_write(text->x, bytes, len);
        return;
    }
    memcpy(text->held + text->held_bytes, bytes, len);
    text->held_bytes += len;
}

static void put_string(struct web_text *text, const char *string)
{
    put(text, string, strlen(string));
}

static void put_escaped(struct web_text *text, const char *bytes, size_t len)
{
    size_t run = 0;

    while (run < len) {
        const char *entity = markup_entity(bytes[run]);

        if (entity == NULL) {
            run++;
            continue;
        }
        put(text, bytes, run);
        put_string(text, entity);
        bytes += run + 1;
        len -= run + 1;
        run = 0;
    }
    put(text, bytes, len);
}

/* ---- Links ------------------------------------------------------------------
 */

static bool begins(const char *bytes, size_t len, const char *prefix)
{
    size_t size = strlen(prefix);

    return len > size && strncasecmp(bytes, prefix, size) == 0;
}

/* Where a link begins in a word, which may have a bracket in front of it; len:
 * nowhere. */
static size_t link_start(const char *word, size_t len)
{
    size_t at;

    for (at = 0; at < len; at++)
        if (begins(word + at, len - at, "https://") ||
            begins(word + at, len - at, "http://") ||
            begins(word + at, len - at, "mailto:") ||
            (at == 0 && begins(word, len, "www.")))
            return at;
    return len;
}

static size_t count_of(const char *bytes, size_t len, char c)
{
    size_t count = 0, i;

    for (i = 0; i < len; i++)
        count += bytes[i] == c;
    return count;
}

/* The end of a link, without the punctuation of the sentence around it; a
 * bracket that the link itself has opened is its own. */
static size_t link_end(const char *word, size_t from, size_t len)
{
    while (len > from) {
        char c = word[len - 1];

        if (c == ')' && count_of(word + from, len - from, '(') >=
                            count_of(word + from, len - from, ')'))
            break;
        if (strchr(".,;:!?)]}'*_", c) == NULL)
            break;
        len--;
    }
    return len;
}

static bool address_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || strchr(".-_+", c) != NULL;
}

/* A mail address in a word: true, and where it lies. */
static bool find_address(const char *word, size_t len, size_t *from, size_t *to)
{
    const char *at = memchr(word, '@', len);
    size_t middle, dots = 0;

    if (at == NULL)
        return false;
    middle = (size_t)(at - word);
    for (*from = middle; *from > 0 && address_character(word[*from - 1]);)
        --*from;
    for (*to = middle + 1; *to < len && address_character(word[*to]);)
        dots += word[(*to)++] == '.';
    while (*to > middle + 1 && strchr(".-_+", word[*to - 1]) != NULL)
        dots -= word[--*to] == '.';
    return *from < middle && dots > 0;
}

/* An address as a value in a query: only these characters need it. */
static void put_query(struct web_text *text, const char *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (bytes[i] == '+')
            put_string(text, "%2B");
        else if (bytes[i] == '?')
            put_string(text, "&amp;");
        else
            put_escaped(text, bytes + i, 1);
}

static void put_link(struct web_text *text, const char *link, size_t len)
{
    if (begins(link, len, "mailto:")) {
        put_string(text, "<a href=\"/compose?to=");
        put_query(text, link + 7, len - 7);
        put_string(text, "\">");
    } else {
        put_string(text, "<a target=\"_blank\" rel=\"noopener noreferrer "
                         "nofollow\" href=\"");
        if (begins(link, len, "www."))
            put_string(text, "http://");
        put_escaped(text, link, len);
        put_string(text, "\">");
    }
    put_escaped(text, link, len);
    put_string(text, "</a>");
}

static void end_word(struct web_text *text)
{
    const char *word = text->word;
    size_t len = text->word_bytes;
    size_t from = link_start(word, len);
    size_t to;

    text->word_bytes = 0;
    if (from < len && (to = link_end(word, from, len)) > from + 8) {
        put_escaped(text, word, from);
        put_link(text, word + from, to - from);
    } else if (find_address(word, len, &from, &to)) {
        put_escaped(text, word, from);
        put_string(text, "<a href=\"/compose?to=");
        put_query(text, word + from, to - from);
        put_string(text, "\">");
        put_escaped(text, word + from, to - from);
        put_string(text, "</a>");
    } else {
        to = 0;
    }
    put_escaped(text, word + to, len - to);
}

/* What no link goes on behind. */
static bool ends_word(char c)
{
    return (unsigned char)c <= ' ' || c == '<' || c == '>' || c == '"';
}

static void take_text(void *context, const char *bytes, size_t len)
{
    struct web_text *text = context;
    size_t i;

    for (i = 0; i < len; i++) {
        if (!ends_word(bytes[i])) {
            /* Too long for a link. */
            if (text->word_bytes == sizeof(text->word)) {
                put_escaped(text, text->word, text->word_bytes);
                text->word_bytes = 0;
            }
            text->word[text->word_bytes++] = bytes[i];
            continue;
        }
        if (text->word_bytes > 0)
            end_word(text);
        put_escaped(text, bytes + i, 1);
    }
}

/* ---- Paragraphs --------------------------------------------------------- */

static void end_paragraph(struct web_text *text)
{
    if (text->paragraph)
        put_string(text, "</p>");
    text->paragraph = false;
}

static void set_quotes(struct web_text *text, unsigned quotes)
{
    end_paragraph(text);
    if (text->quotes == 0 && quotes > 0) {
        text->holding = true;
        text->lines = 0;
    }
    for (; text->quotes < quotes; text->quotes++)
        put_string(text, "<blockquote>");
    for (; text->quotes > quotes; text->quotes--)
        put_string(text, "</blockquote>");
    if (quotes > 0)
        return;
    if (text->holding)
        release(text);
    if (text->folded)
        put_string(text, "</details>");
    text->folded = false;
}

/* More levels than anybody reads stay one. */
#define QUOTES_MAX 12

static void open_paragraph(void *context, unsigned quotes)
{
    struct web_text *text = context;

    if (quotes > QUOTES_MAX)
        quotes = QUOTES_MAX;
    if (quotes != text->quotes)
        set_quotes(text, quotes);
    put_string(text, text->paragraph ? "\n" : "<p>");
    text->paragraph = true;
    if (text->holding && ++text->lines > WEB_FOLD_LINES)
        fold(text);
}

static void close_paragraph(void *context)
{
    struct web_text *text = context;

    if (text->word_bytes > 0)
        end_word(text);
}

void web_text_begin(struct web_text *text, struct http_exchange *x, bool flowed,
                    bool del_sp)
{
    memset(text, 0, offsetof(struct web_text, word));
    text->x = x;
    text->sink.open = open_paragraph;
    text->sink.text = take_text;
    text->sink.close = close_paragraph;
    text->sink.context = text;
    mime_flowed_begin(&text->flow, flowed, del_sp, &text->sink);
}

void web_text_write(struct web_text *text, const char *bytes, size_t len)
{
    mime_flowed_write(&text->flow, bytes, len);
}

void web_text_end(struct web_text *text)
{
    mime_flowed_end(&text->flow);
    set_quotes(text, 0);
}
