/* Charsets that shift between sets, all of seven bits: UTF-7 (RFC 2152),
 * ISO-2022-JP (RFC 1468, with the katakana of its kin), ISO-2022-KR (RFC 1557),
 * HZ (RFC 1843). The state's mode is the set in use. A line end shifts back:
 * each of them demands it, and so a lost shift costs one line. */
#include "mailstore/mime/charset_internal.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

#define ESC 0x1b

/* ---- ISO-2022-JP --------------------------------------------------------- */

enum { JP_ASCII, JP_ROMAN, JP_KANJI, JP_KANA, JP_0212 };

/* Escape sequences behind ESC, longest first. */
static const struct {
    const char *text;
    uint8_t mode;
} jp_escapes[] = {
    {"$(D", JP_0212}, {"$(B", JP_KANJI}, {"$(@", JP_KANJI}, {"$@", JP_KANJI},
    {"$B", JP_KANJI}, {"(B", JP_ASCII},  {"(J", JP_ROMAN},  {"(H", JP_ROMAN},
    {"(I", JP_KANA},  {"&@", JP_KANJI},  {".A", JP_ASCII},
};

/* An escape sequence: bytes it takes, 0 when it is not complete. One that is
 * not known stands for nothing. */
static size_t jp_escape(struct charset_state *state, const uint8_t *bytes,
                        size_t n)
{
    for (size_t i = 0; i < sizeof jp_escapes / sizeof *jp_escapes; i++) {
        const char *text = jp_escapes[i].text;
        size_t len = strlen(text);
        size_t have = n - 1 < len ? n - 1 : len;

        if (memcmp(bytes + 1, text, have) != 0)
            continue;
        if (have < len)
            return 0;
        state->mode = jp_escapes[i].mode;
        return len + 1;
    }
    return 1;
}

static size_t jp_pair(struct charset_state *state, const uint8_t *bytes,
                      size_t n, uint32_t *character)
{
    if (n < 2)
        return 0;
    if (bytes[1] < 0x21 || bytes[1] > 0x7e) {
        *character = UTF8_REPLACEMENT;
        return 1;
    }
    *character = state->mode == JP_0212
                     ? 0
                     : charset_grid(&charset_jis, (uint8_t)(bytes[0] - 0x21),
                                    (uint8_t)(bytes[1] - 0x21));
    if (*character == 0)
        *character = UTF8_REPLACEMENT;
    return 2;
}

size_t charset_iso2022jp(struct charset_state *state, const uint8_t *bytes,
                         size_t n, uint32_t *character)
{
    uint8_t byte = bytes[0];

    if (byte == ESC) {
        *character = CHARSET_NONE;
        return jp_escape(state, bytes, n);
    }
    if (byte == '\n')
        state->mode = JP_ASCII;
    *character = byte;
    if (byte >= 0xa1 && byte <= 0xdf)
        *character = charset_kana(byte);
    else if (byte >= 0x80)
        *character = UTF8_REPLACEMENT;
    else if (byte > 0x20 && byte < 0x7f && state->mode == JP_KANA)
        *character = byte < 0x60 ? charset_kana(byte | 0x80) : byte;
    else if (byte > 0x20 && byte < 0x7f && state->mode >= JP_KANJI)
        return jp_pair(state, bytes, n, character);
    else if (state->mode == JP_ROMAN && byte == '\\')
        *character = 0xa5;
    return 1;
}

/* ---- ISO-2022-KR, HZ ----------------------------------------------------- */

static size_t pair(const struct charset_table *table, const uint8_t *bytes,
                   size_t n, uint32_t *character)
{
    if (n < 2)
        return 0;
    *character = charset_grid(table, (uint8_t)((bytes[0] & 0x7f) - 0x21),
                              (uint8_t)((bytes[1] & 0x7f) - 0x21));
    if (*character != 0)
        return 2;
    *character = UTF8_REPLACEMENT;
    return bytes[1] > 0x20 ? 2 : 1;
}

size_t charset_iso2022kr(struct charset_state *state, const uint8_t *bytes,
                         size_t n, uint32_t *character)
{
    uint8_t byte = bytes[0];

    *character = CHARSET_NONE;
    if (byte == ESC) { /* ESC $ ) C, once at the beginning */
        if (n < 4 && memcmp(bytes + 1, "$)C", n - 1) == 0)
            return 0;
        return n >= 4 && memcmp(bytes + 1, "$)C", 3) == 0 ? 4 : 1;
    }
    if (byte == 0x0e || byte == 0x0f || byte == '\n')
        state->mode = byte == 0x0e;
    if (byte == 0x0e || byte == 0x0f)
        return 1;
    if (byte > 0x20 && byte != 0x7f && (state->mode != 0 || byte >= 0xa1))
        return pair(&charset_ksc, bytes, n, character);
    *character = byte < 0x80 ? byte : UTF8_REPLACEMENT;
    return 1;
}

size_t charset_hz(struct charset_state *state, const uint8_t *bytes, size_t n,
                  uint32_t *character)
{
    uint8_t byte = bytes[0];

    if (byte == '~' && (state->mode == 0 || (n > 1 && bytes[1] == '}'))) {
        if (n < 2)
            return 0;
        *character = bytes[1] == '~' ? '~' : CHARSET_NONE;
        if (bytes[1] == '{' || bytes[1] == '}')
            state->mode = bytes[1] == '{';
        else if (bytes[1] != '~' && bytes[1] != '\n') {
            *character = '~';
            return 1;
        }
        return 2;
    }
    if (byte == '\n')
        state->mode = 0;
    if (byte > 0x20 && byte != 0x7f && (state->mode != 0 || byte >= 0xa1))
        return pair(&charset_gb, bytes, n, character);
    *character = byte < 0x80 ? byte : UTF8_REPLACEMENT;
    return 1;
}

/* ---- UTF-7 --------------------------------------------------------------- */

/* Mode: 0 direct; else in base64, with the number of bits that wait. */
#define U7_BASE64 0x80
#define U7_FRESH  0x40 /* nothing since the + */

/* A unit of UTF-16 is complete: perhaps a character. */
static uint32_t u7_unit(struct charset_state *state, uint32_t unit)
{
    uint32_t high = state->high;

    state->high = 0;
    if (unit >= 0xd800 && unit < 0xdc00) {
        state->high = unit;
        return high ? UTF8_REPLACEMENT : CHARSET_NONE;
    }
    if (unit >= 0xdc00 && unit < 0xe000)
        return high ? 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00)
                    : UTF8_REPLACEMENT;
    return unit;
}

size_t charset_utf7(struct charset_state *state, const uint8_t *bytes, size_t n,
                    uint32_t *character)
{
    uint8_t byte = bytes[0];
    /* A - is no digit here: it ends them. */
    int value = byte == '-' ? -1 : mime_base64_value((char)byte);
    unsigned count = state->mode & 0x3f;

    (void)n;
    *character = CHARSET_NONE;
    if (state->mode == 0) {
        if (byte == '+')
            state->mode = U7_BASE64 | U7_FRESH;
        else
            *character = byte < 0x80 ? byte : UTF8_REPLACEMENT;
        return 1;
    }
    if (value < 0) { /* the end of base64 */
        if (byte == '-')
            *character = state->mode & U7_FRESH ? '+' : CHARSET_NONE;
        else
            *character = byte < 0x80 ? byte : UTF8_REPLACEMENT;
        state->mode = 0;
        state->high = 0;
        return 1;
    }
    state->bits = state->bits << 6 | (uint32_t)value;
    count += 6;
    if (count >= 16) {
        count -= 16;
        *character = u7_unit(state, state->bits >> count & 0xffff);
    }
    state->mode = (uint8_t)(U7_BASE64 | count);
    return 1;
}
