/* What pages write: text, escaped for the place where it stands. */
#include "core/check.h"
#include "core/markup.h"
#include "http/http_print.h"
#include "http/http.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* RFC 3986 2.3; the slash, which divides paths, too. */
static bool url_safe(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || strchr("-._~/", c) != NULL;
}

static const char *url_escape(char c, char *buffer)
{
    static const char digits[] = "0123456789ABCDEF";

    buffer[0] = '%';
    buffer[1] = digits[(uint8_t)c >> 4];
    buffer[2] = digits[(uint8_t)c & 15];
    buffer[3] = '\0';
    return buffer;
}

void http_escape_put(struct text *text, const char *string)
{
    for (; *string; string++) {
        const char *other = markup_entity(*string);

        if (other)
            text_string(text, other);
        else
            text_bytes(text, string, 1);
    }
}

void http_url_put(struct text *text, const char *string)
{
    char buffer[4];

    for (; *string; string++) {
        if (url_safe(*string))
            text_bytes(text, string, 1);
        else
            text_string(text, url_escape(*string, buffer));
    }
}

void http_text(struct http_exchange *x, const char *text)
{
    http_write(x, text, strlen(text));
}

void http_escape_bytes(struct http_exchange *x, const char *text, size_t len)
{
    size_t begin = 0;

    for (size_t i = 0; i < len; i++) {
        const char *other = markup_entity(text[i]);

        if (!other)
            continue;
        http_write(x, text + begin, i - begin);
        http_text(x, other);
        begin = i + 1;
    }
    http_write(x, text + begin, len - begin);
}

void http_escape(struct http_exchange *x, const char *text)
{
    http_escape_bytes(x, text, strlen(text));
}

void http_url(struct http_exchange *x, const char *text)
{
    char buffer[4];

    for (; *text; text++) {
        if (url_safe(*text))
            http_write(x, text, 1);
        else
            http_write(x, url_escape(*text, buffer), 3);
    }
}

static void print_number(struct http_exchange *x, bool negative, uint64_t value,
                         unsigned digits)
{
    char buffer[24];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    if (negative)
        text_string(&text, "-");
    text_decimal_padded(&text, value, digits ? digits : 1);
    http_write(x, buffer, text.len);
}

static void print_signed(struct http_exchange *x, int64_t value,
                         unsigned digits)
{
    print_number(x, value < 0,
                 value < 0 ? 0 - (uint64_t)value : (uint64_t)value, digits);
}

/* One conversion behind its '%'; returns where the format goes on. */
static const char *print_one(struct http_exchange *x, const char *format,
                             va_list *args)
{
    unsigned digits = 0, longs = 0;
    char c;

    while (*format >= '0' && *format <= '9')
        digits = digits * 10 + (unsigned)(*format++ - '0');
    for (; *format == 'l' || *format == 'z'; format++)
        longs++;
    switch (*format) {
    case 'd':
        print_signed(x, longs ? va_arg(*args, long long) : va_arg(*args, int),
                     digits);
        break;
    case 'u':
        print_number(x, false,
                     longs ? va_arg(*args, unsigned long long)
                           : va_arg(*args, unsigned),
                     digits);
        break;
    case 'c':
        c = (char)va_arg(*args, int);
        http_write(x, &c, 1);
        break;
    case 's':
        http_text(x, va_arg(*args, const char *));
        break;
    case 'h':
        http_escape(x, va_arg(*args, const char *));
        break;
    case 'p':
        http_url(x, va_arg(*args, const char *));
        break;
    case '%':
        http_write(x, "%", 1);
        break;
    default:
        PANIC("http_printf: unknown conversion");
    }
    return format + 1;
}

void http_printf(struct http_exchange *x, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    while (*format) {
        size_t len = strcspn(format, "%");

        http_write(x, format, len);
        format += len;
        if (*format == '%')
            format = print_one(x, format + 1, &args);
    }
    va_end(args);
}
