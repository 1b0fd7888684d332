/* The Subject of a message for lists: found in the header, unfolded, encoded
 * words (RFC 2047) decoded where they are UTF-8 or ASCII. Others are left as
 * they stand. What comes out is valid UTF-8 in one line. */
#include "mailstore/store_internal.h"
#include <string.h>

#define RAW_BYTES 512

struct out {
    char *text;
    size_t len, room;
};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool caseless(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

/* The field's value as it stands, unfolded; returns its length. */
static size_t find_raw(const char *text, size_t len, char *raw)
{
    static const char name[] = "subject:";
    const char *end = text + len;
    size_t used = 0;

    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        const char *next = line_end ? line_end + 1 : end;

        if (*text == '\r' || *text == '\n')
            return 0; /* the end of the header */
        if ((size_t)(end - text) >= sizeof name - 1 &&
            caseless(text, name, sizeof name - 1)) {
            text += sizeof name - 1;
            break;
        }
        text = next;
    }
    for (; text < end && used < RAW_BYTES; text++) {
        if (*text == '\r')
            continue;
        if (*text == '\n') {
            if (text + 1 == end || (text[1] != ' ' && text[1] != '\t'))
                break;
            continue;
        }
        raw[used++] = *text == '\t' ? ' ' : *text;
    }
    return used;
}

static void put(struct out *out, uint8_t c)
{
    if (out->len < out->room)
        out->text[out->len++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static void put_quoted(struct out *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '_') {
            put(out, ' ');
        } else if (text[i] == '=' && i + 2 < len &&
                   hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            put(out, (uint8_t)(hex_digit(text[i + 1]) * 16 +
                               hex_digit(text[i + 2])));
            i += 2;
        } else {
            put(out, (uint8_t)text[i]);
        }
    }
}

static void put_base64(struct out *out, const char *text, size_t len)
{
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text[i]);

        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            put(out, (uint8_t)(bits >> count));
        }
    }
}

/* "=?charset?q?text?=" at text; returns its length, or 0 when there is none
 * that can be decoded. */
static size_t put_encoded_word(struct out *out, const char *text, size_t len)
{
    const char *end = text + len;
    const char *encoding, *content, *close;
    size_t charset;

    if (len < 8 || text[0] != '=' || text[1] != '?')
        return 0;
    encoding = memchr(text + 2, '?', len - 2);
    if (!encoding || end - encoding < 5 || encoding[2] != '?')
        return 0;
    charset = (size_t)(encoding - text - 2);
    if (!(charset == 5 && caseless(text + 2, "utf-8", 5)) &&
        !(charset == 8 && caseless(text + 2, "us-ascii", 8)))
        return 0;
    content = encoding + 3;
    close = memchr(content, '?', (size_t)(end - content));
    if (!close || close + 1 == end || close[1] != '=')
        return 0;
    if (lower(encoding[1]) == 'q')
        put_quoted(out, content, (size_t)(close - content));
    else if (lower(encoding[1]) == 'b')
        put_base64(out, content, (size_t)(close - content));
    else
        return 0;
    return (size_t)(close + 2 - text);
}

static size_t spaces(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && text[i] == ' ')
        i++;
    return i;
}

static void decode(struct out *out, const char *raw, size_t len)
{
    bool after_word = false;
    size_t i = spaces(raw, len);

    while (i < len) {
        size_t gap = spaces(raw + i, len - i);
        size_t before = out->len;
        size_t used;

        /* Space between two encoded words is not part of the text. */
        if (gap && !after_word)
            put(out, ' ');
        used = put_encoded_word(out, raw + i + gap, len - i - gap);
        if (used) {
            i += gap + used;
            after_word = true;
            continue;
        }
        if (gap && after_word && out->len == before)
            put(out, ' ');
        after_word = false;
        i += gap;
        if (i < len)
            put(out, (uint8_t)raw[i++]);
    }
}

/* Length of the well-formed UTF-8 sequence at text, or 0. */
static size_t sequence(const uint8_t *text, size_t len)
{
    size_t need = text[0] < 0x80   ? 1
                  : text[0] < 0xc2 ? 0
                  : text[0] < 0xe0 ? 2
                  : text[0] < 0xf0 ? 3
                  : text[0] < 0xf5 ? 4
                                   : 0;

    if (need == 0 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((text[0] == 0xe0 && text[1] < 0xa0) ||
        (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) ||
        (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return need;
}

void subject_find(const void *message, size_t len, char *subject, size_t bytes)
{
    char raw[RAW_BYTES] = "";
    struct out out = {subject, 0, bytes - 1};
    size_t raw_len = find_raw(message, len, raw);
    size_t kept = 0;

    decode(&out, raw, raw_len);
    for (size_t i = 0; i < out.len;) {
        size_t step = sequence((const uint8_t *)subject + i, out.len - i);

        if (step == 0) {
            /* A character that was cut at the end is dropped. */
            if (out.len - i >= 4 || out.len < out.room)
                subject[kept++] = '?';
            i++;
            continue;
        }
        memmove(subject + kept, subject + i, step);
        kept += step;
        i += step;
    }
    subject[kept] = '\0';
}
