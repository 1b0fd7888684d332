/* URLs in mail: where a link may lead, what a picture may be loaded from.
 *
 * A URL is judged as a browser would read it, without what a browser leaves out
 * (HTML, URL standard 4.4: control characters and space at the ends, tabs and
 * line ends anywhere), and what was judged is what is written. A URL without a
 * scheme would lead to ourselves and is refused. */
#include "mailstore/mime/html_internal.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

static size_t tidy(char *url, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)url[i];

        if (c < 0x20 || c == 0x7f || (c == ' ' && used == 0))
            continue;
        url[used++] = url[i];
    }
    while (used > 0 && url[used - 1] == ' ')
        used--;
    url[used] = '\0';
    return used;
}

/* Whether it begins so (caseless) and goes on. */
static bool begins(const char *url, size_t len, const char *with)
{
    size_t need = strlen(with);

    return len > need && mime_same(url, need, with);
}

/* What is known by its first bytes is written in lower case. */
static void lower(char *url, size_t len)
{
    for (size_t i = 0; i < len; i++)
        url[i] = mime_lower(url[i]);
}

/* http: or https: with a host. */
static bool is_web(char *url, size_t len)
{
    size_t scheme = begins(url, len, "http://")    ? 7
                    : begins(url, len, "https://") ? 8
                                                   : 0;

    lower(url, scheme);
    return scheme > 0 && url[scheme] != '/' && url[scheme] != '\\';
}

bool html_link(char *url, size_t *len)
{
    *len = tidy(url, *len);
    if (is_web(url, *len))
        return true;
    if (!begins(url, *len, "mailto:"))
        return false;
    lower(url, strlen("mailto:"));
    return true;
}

/* A picture of bits within the URL. */
static bool is_data_picture(char *url, size_t len)
{
    static const char *const types[] = {
        "data:image/png;base64,",  "data:image/gif;base64,",
        "data:image/jpeg;base64,", "data:image/jpg;base64,",
        "data:image/webp;base64,", "data:image/bmp;base64,"};
    size_t start = 0;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (begins(url, len, types[i]))
            start = strlen(types[i]);
    }
    if (start == 0)
        return false;
    lower(url, start);
    while (start < len && (mime_base64_value(url[start]) >= 0 ||
                           url[start] == '=' || url[start] == ' '))
        start++;
    return start == len;
}

/* Percent signs undone, in place (RFC 2392). */
static size_t unescape(char *text, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && mime_hex(text[i + 1]) >= 0 &&
            mime_hex(text[i + 2]) >= 0) {
            text[used++] =
                (char)(mime_hex(text[i + 1]) * 16 + mime_hex(text[i + 2]));
            i += 2;
        } else {
            text[used++] = text[i];
        }
    }
    return used;
}

static bool find_cid(struct html_clean *clean, char *url, size_t *len,
                     size_t room)
{
    const struct html_options *options = &clean->options;
    char found[HTML_CID_URL];
    size_t id = unescape(url + 4, *len - 4);

    if (options->cid == NULL ||
        !options->cid(options->cid_context, url + 4, id, found, sizeof found))
        return false;
    *len = strnlen(found, sizeof found);
    if (*len >= room)
        return false;
    memcpy(url, found, *len);
    url[*len] = '\0';
    return true;
}

bool html_remote(const char *value, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if ((value[i] == '/' || value[i] == '\\') &&
            (value[i + 1] == '/' || value[i + 1] == '\\'))
            return true;
    }
    return begins(value, len, "http:") || begins(value, len, "https:") ||
           begins(value, len, "ftp:");
}

/* "//host": as https. */
static bool add_scheme(char *url, size_t *len, size_t room)
{
    static const char scheme[] = {'h', 't', 't', 'p', 's', ':'};

    if (*len < 3 || url[0] != '/' || url[1] != '/' ||
        *len + sizeof scheme + 1 > room)
        return false;
    memmove(url + sizeof scheme, url, *len + 1);
    memcpy(url, scheme, sizeof scheme);
    *len += sizeof scheme;
    return true;
}

bool html_picture(struct html_clean *clean, char *url, size_t *len, size_t room)
{
    *len = tidy(url, *len);
    if (begins(url, *len, "cid:"))
        return find_cid(clean, url, len, room);
    if (is_data_picture(url, *len))
        return true;
    if (!html_remote(url, *len) || begins(url, *len, "data:"))
        return false;
    if (clean->options.remote)
        return is_web(url, *len) ||
               (add_scheme(url, len, room) && is_web(url, *len));
    html_block(clean);
    return false;
}
