/* Base64: see base64.h. Strict: what two texts could stand for is refused, so
 * that bits behind the last byte are zero and nothing follows the padding. */
#include "protocol/base64.h"
#include <stdint.h>

/* The six bits of a character, -1: it is none. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t len, void *bytes, size_t room)
{
    uint8_t *to = bytes;
    uint32_t bits = 0;
    size_t padding = 0, used = 0, i;

    if (len % 4 != 0)
        return -1;
    while (padding < 2 && len > 0 && text[len - 1] == '=') {
        padding++;
        len--;
    }
    if ((len + padding) / 4 * 3 - padding > room)
        return -1;
    for (i = 0; i < len; i++) {
        int value = value_of(text[i]);

        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            to[used++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    if ((padding == 1 && (bits & 3) != 0) || (padding == 2 && (bits & 15) != 0))
        return -1;
    return (int)used;
}

void base64_put(struct text *text, const void *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)from[i] << 16;
        char out[4] = {'=', '=', '=', '='};

        if (left > 1)
            group |= (uint32_t)from[i + 1] << 8;
        if (left > 2)
            group |= from[i + 2];
        for (unsigned digit = 0; digit < 4 && digit <= left; digit++)
            out[digit] = digits[group >> (18 - 6 * digit) & 63];
        text_bytes(text, out, sizeof(out));
    }
}
