/* Templates: see html.h. */
#include "web/html.h"
#include "core/check.h"
#include "http/http.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One conversion of a format. */
struct conversion {
    const char *start; /* at its '%' */
    size_t len;
    char kind;
    bool url;       /* '-' */
    bool limited;   /* ".*" */
    unsigned longs; /* 'l' or 'z' */
};

static const char *parse(const char *at, struct conversion *conversion)
{
    memset(conversion, 0, sizeof(*conversion));
    conversion->start = at++;
    for (;; at++) {
        if (*at == '-')
            conversion->url = true;
        else if (*at == '*')
            conversion->limited = true;
        else if (*at == 'l' || *at == 'z')
            conversion->longs++;
        else if (*at != '.' && (*at < '0' || *at > '9'))
            break;
    }
    ASSERT(*at != '\0');
    conversion->kind = *at++;
    conversion->len = (size_t)(at - conversion->start);
    return at;
}

static void put_number(struct http_exchange *x,
                       const struct conversion *conversion, uint64_t value)
{
    /* Width and zeros as they were given, the size always 64 bits. */
    char format[16];
    char digits[32];
    size_t flags = conversion->len - 1 - conversion->longs;

    ASSERT(flags < sizeof(format) - 4);
    memcpy(format, conversion->start, flags);
    memcpy(format + flags, "ll", 2);
    format[flags + 2] = conversion->kind;
    format[flags + 3] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    http_write(x, digits,
               (size_t)snprintf(digits, sizeof(digits), format,
                                (unsigned long long)value));
#pragma GCC diagnostic pop
}

static void put_text(struct http_exchange *x,
                     const struct conversion *conversion, size_t limit,
                     const char *text)
{
    if (text == NULL)
        return;
    if (conversion->url)
        http_url(x, text);
    else
        http_escape_bytes(x, text, strnlen(text, limit));
}

void html(struct http_exchange *x, const char *format, ...)
{
    struct conversion conversion;
    const char *percent;
    va_list values;
    size_t limit;
    char c;

    va_start(values, format);
    while ((percent = strchr(format, '%')) != NULL) {
        http_write(x, format, (size_t)(percent - format));
        format = parse(percent, &conversion);
        limit = conversion.limited ? (size_t)va_arg(values, int) : SIZE_MAX;
        switch (conversion.kind) {
        case 's':
            put_text(x, &conversion, limit, va_arg(values, const char *));
            break;
        case 'd':
            put_number(x, &conversion,
                       conversion.longs > 0
                           ? (uint64_t)va_arg(values, int64_t)
                           : (uint64_t)(int64_t)va_arg(values, int));
            break;
        case 'u':
            put_number(x, &conversion,
                       conversion.longs > 0 ? va_arg(values, uint64_t)
                                            : va_arg(values, unsigned));
            break;
        default:
            ASSERT(conversion.kind == 'c' || conversion.kind == '%');
            c = conversion.kind == '%' ? '%' : (char)va_arg(values, int);
            http_escape_bytes(x, &c, 1);
        }
    }
    http_text(x, format);
    va_end(values);
}

void html_json(struct http_exchange *x, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t run;

    http_text(x, "\"");
    while (*text != '\0') {
        char escape[] = "\\u00__";

        for (run = 0; (unsigned char)text[run] >= ' ' &&
                      strchr("\"\\<>&", text[run]) == NULL;)
            run++;
        http_write(x, text, run);
        text += run;
        if (*text == '\0')
            break;
        escape[4] = digits[(unsigned char)*text >> 4];
        escape[5] = digits[*text & 15];
        http_write(x, escape, 6);
        text++;
    }
    http_text(x, "\"");
}
