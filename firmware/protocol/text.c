/* Short texts: see text.h. */
#include "protocol/text.h"
#include "core/date.h"
#include "core/zone.h"
#include <string.h>

#define THURSDAY   4 /* 1 January 1970 */
#define DATE_BYTES 48

void text_init(struct text *text, void *buffer, size_t room)
{
    text->bytes = buffer;
    text->room = room;
    text->len = 0;
    text->cut = false;
}

void text_bytes(struct text *text, const void *bytes, size_t len)
{
    if (len > text->room - text->len) {
        text->cut = true;
        return;
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
}

void text_decimal_padded(struct text *text, uint64_t value, unsigned digits)
{
    char buffer[20];
    size_t at = sizeof(buffer);

    do {
        buffer[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (sizeof(buffer) - at < digits && at > 0)
        buffer[--at] = '0';
    text_bytes(text, buffer + at, sizeof(buffer) - at);
}

void text_decimal(struct text *text, uint64_t value)
{
    text_decimal_padded(text, value, 1);
}

void text_hex(struct text *text, uint64_t value, unsigned digits)
{
    static const char digit[] = "0123456789abcdef";
    char out[16];
    unsigned i;

    if (digits > sizeof(out))
        digits = sizeof(out);
    for (i = digits; i > 0; i--) {
        out[i - 1] = digit[value & 15];
        value >>= 4;
    }
    text_bytes(text, out, digits);
}

static void format_date(struct text *text, int64_t local_ms, int offset)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const int ahead = offset < 0 ? -offset : offset;
    struct date date;

    date_of(local_ms, &date);
    text_bytes(
        text,
        days +
            3 * ((date_days(date.year, date.month, date.day) + THURSDAY) % 7),
        3);
    text_string(text, ", ");
    text_decimal(text, (uint64_t)date.day);
    text_string(text, " ");
    text_bytes(text, months + 3 * (date.month - 1), 3);
    text_string(text, " ");
    text_decimal_padded(text, (uint64_t)date.year, 4);
    text_string(text, " ");
    text_decimal_padded(text, (uint64_t)date.hour, 2);
    text_string(text, ":");
    text_decimal_padded(text, (uint64_t)date.minute, 2);
    text_string(text, ":");
    text_decimal_padded(text, (uint64_t)date.second, 2);
    text_string(text, offset < 0 ? " -" : " +");
    text_decimal_padded(text, (uint64_t)(ahead / 60 * 100 + ahead % 60), 4);
}

/* Many messages come in one second: its date is put together once. */
void text_date(struct text *text, int64_t unix_ms)
{
    static struct {
        char bytes[DATE_BYTES];
        size_t len; /* 0: none yet */
        int64_t second;
        int offset;
    } last;
    const int offset = zone_offset_minutes(unix_ms);
    const int64_t second = unix_ms / 1000;

    if (last.len == 0 || last.second != second || last.offset != offset) {
        struct text date;

        text_init(&date, last.bytes, sizeof(last.bytes));
        format_date(&date, unix_ms + offset * INT64_C(60000), offset);
        last.len = date.len;
        last.second = second;
        last.offset = offset;
    }
    text_bytes(text, last.bytes, last.len);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void text_xtext(struct text *text, const char *xtext)
{
    for (; *xtext != '\0'; xtext++) {
        char c = *xtext;

        if (c == '+' && hex_value(xtext[1]) >= 0 && hex_value(xtext[1]) < 8 &&
            hex_value(xtext[2]) >= 0) {
            c = (char)(hex_value(xtext[1]) * 16 + hex_value(xtext[2]));
            xtext += 2;
        }
        if ((uint8_t)c < 0x20 || c == 0x7f)
            c = '?';
        text_bytes(text, &c, 1);
    }
}

bool text_is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((*text & 0x80) != 0)
            return false;
    return true;
}

bool text_equal(const char *text, size_t len, const char *word)
{
    size_t i;

    for (i = 0; i < len; i++) {
        char c = text[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (word[i] == '\0' || c != word[i])
            return false;
    }
    return word[len] == '\0';
}

bool text_number(const char *text, size_t len, uint64_t *value)
{
    uint64_t number = 0;
    size_t i;

    if (len == 0 || len > 19)
        return false;
    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    *value = number;
    return true;
}
