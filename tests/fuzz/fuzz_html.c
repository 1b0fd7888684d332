/* libFuzzer: any bytes as HTML mail. What comes out must be what the sanitiser
 * may write: known elements, balanced, every attribute quoted, no script, no
 * event, no load that was not allowed; and going through once more must not
 * change it.
 *
 * Input: a byte (bit 0: remote pictures; the rest: size of pieces), and HTML.
 */
#include "mailstore/mime/mime_html.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (1u << 20)

static struct html_clean clean;
static struct html_text plain;
static char out[ROOM], again[ROOM];
static size_t out_len;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static enum err keep(void *context, const char *text, size_t len)
{
    (void)context;
    if (out_len + len >= ROOM)
        return ERR_FULL;
    memcpy(out + out_len, text, len);
    out_len += len;
    return OK;
}

static const struct mime_sink sink = {keep, NULL};

static bool run(const char *html, size_t len, bool remote, size_t piece)
{
    struct html_options options = {.remote = remote};
    enum err err;

    out_len = 0;
    html_clean_begin(&clean, &options, &sink);
    for (size_t i = 0; i < len; i += piece)
        html_clean_write(&clean, html + i, len - i < piece ? len - i : piece);
    err = html_clean_end(&clean);
    out[out_len] = '\0';
    return err == OK;
}

static size_t name_bytes(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* An attribute's value at text, behind the quote. */
static void check_value(const char *name, const char *value, size_t len,
                        bool remote)
{
    require(!begins(name, "on"));
    require(memchr(value, '<', len) == NULL && memchr(value, '>', len) == NULL);
    require(memchr(value, '\'', len) == NULL);
    if (begins(name, "href="))
        require(begins(value, "http://") || begins(value, "https://") ||
                begins(value, "mailto:"));
    if (begins(name, "src=") || begins(name, "background="))
        require(begins(value, "data:image/") ||
                (remote &&
                 (begins(value, "http://") || begins(value, "https://"))));
    if (begins(name, "style=") && !remote) {
        for (size_t i = 0; i < len; i++)
            require(!begins(value + i, "url("));
    }
}

/* A start tag at text, behind its <; returns what is behind it. */
static const char *check_tag(const char *text, bool remote)
{
    require(name_bytes(text) > 0);
    require(!begins(text, "script") && !begins(text, "iframe") &&
            !begins(text, "form") && !begins(text, "svg") &&
            !begins(text, "math") && !begins(text, "meta") &&
            !begins(text, "base") && !begins(text, "link"));
    text += name_bytes(text);
    while (*text == ' ') {
        const char *name = text + 1, *value;

        value = name + name_bytes(name);
        require(value > name && value[0] == '=' && value[1] == '"');
        value += 2;
        text = strchr(value, '"');
        require(text != NULL);
        check_value(name, value, (size_t)(text - value), remote);
        text++;
    }
    require(*text == '>');
    return text + 1;
}

static const char *check_style(const char *text, bool remote)
{
    const char *end = strstr(text, "</style>");
    char quote = '\0';

    require(end != NULL);
    for (; text < end; text++) {
        require(*text != '<' && *text != '\\');
        require(remote || !begins(text, "url("));
        if (quote != '\0')
            quote = *text == quote ? '\0' : quote;
        else if (*text == '"' || *text == '\'')
            quote = *text;
        else if (*text == '@')
            require(strncasecmp(text, "@media", 6) == 0);
    }
    return end + 8;
}

static void check_out(bool remote)
{
    const char *text = out;
    unsigned depth = 0;

    require(strlen(out) == out_len);
    while (*text != '\0') {
        const char *tag = text;

        require(*text != '>' && *text != '"' && *text != '\'');
        if (*text++ != '<')
            continue;
        if (*text == '/') {
            require(depth-- > 0);
            text += 1 + name_bytes(text + 1);
            require(*text++ == '>');
        } else if (begins(text, "style>")) {
            text = check_style(text + 6, remote);
        } else {
            text = check_tag(text, remote);
            depth += !begins(tag, "<br") && !begins(tag, "<hr") &&
                     !begins(tag, "<img") && !begins(tag, "<wbr") &&
                     (!begins(tag, "<col") || begins(tag, "<colgroup"));
        }
    }
    require(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool remote = size > 0 && (data[0] & 1) != 0;
    size_t piece = size > 0 && data[0] / 2 > 0 ? data[0] / 2 : 1;
    size_t first;

    if (size == 0)
        return 0;
    if (!run((const char *)data + 1, size - 1, remote, piece))
        return 0;
    check_out(remote);
    memcpy(again, out, out_len + 1);
    first = out_len;
    require(run(again, first, remote, 4096));
    require(first == out_len && memcmp(again, out, first) == 0);
    out_len = 0;
    html_text_begin(&plain, &sink);
    for (size_t i = 1; i < size; i += piece)
        html_text_write(&plain, (const char *)data + i,
                        size - i < piece ? size - i : piece);
    (void)html_text_end(&plain);
    return 0;
}
