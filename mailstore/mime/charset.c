/* Charsets to UTF-8: the stream, and the charsets that need no state.
 *
 * Each charset is a function that takes one character from the bytes there are.
 * The stream calls it on the caller's bytes where they lie; only a character
 * that the caller's pieces cut in two is put together in the state. */
#include "mailstore/mime/charset_internal.h"
#include "core/bytes.h"
#include <string.h>

#define BLOCK 32

/* ---- UTF-8 --------------------------------------------------------------- */

size_t utf8_length(const void *text, size_t len)
{
    const uint8_t *at = text;
    size_t need = len == 0       ? 0
                  : at[0] < 0x80 ? 1
                  : at[0] < 0xc2 ? 0
                  : at[0] < 0xe0 ? 2
                  : at[0] < 0xf0 ? 3
                  : at[0] < 0xf5 ? 4
                                 : 0;

    if (need == 0 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return need;
}

size_t utf8_put(uint32_t character, char *text)
{
    if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
        character = UTF8_REPLACEMENT;
    if (character < 0x80) {
        text[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        text[0] = (char)(0xc0 | character >> 6);
        text[1] = (char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        text[0] = (char)(0xe0 | character >> 12);
        text[1] = (char)(0x80 | (character >> 6 & 0x3f));
        text[2] = (char)(0x80 | (character & 0x3f));
        return 3;
    }
    text[0] = (char)(0xf0 | character >> 18);
    text[1] = (char)(0x80 | (character >> 12 & 0x3f));
    text[2] = (char)(0x80 | (character >> 6 & 0x3f));
    text[3] = (char)(0x80 | (character & 0x3f));
    return 4;
}

uint32_t utf8_get(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    if (at[0] < 0x80)
        return at[0];
    if (at[0] < 0xe0)
        return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    if (at[0] < 0xf0)
        return (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    return (at[0] & 7u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 |
           (at[3] & 0x3fu);
}

void utf8_copy(char *to, size_t bytes, const char *from)
{
    size_t len = strlen(from);

    if (len >= bytes)
        len = bytes_whole(from, bytes - 1);
    memcpy(to, from, len);
    to[len] = '\0';
}

/* Whether bytes that are no character yet may become one. */
static bool utf8_begins(const uint8_t *bytes, size_t n)
{
    uint8_t whole[4] = {0x80, 0x80, 0x80, 0x80};

    if (n >= sizeof whole)
        return false;
    memcpy(whole, bytes, n);
    /* The only second bytes that 0x80 is too little for. */
    if (n == 1 && (bytes[0] == 0xe0 || bytes[0] == 0xf0))
        return true;
    return utf8_length(whole, sizeof whole) > n;
}

size_t charset_utf8(struct charset_state *state, const uint8_t *bytes, size_t n,
                    uint32_t *character)
{
    size_t length = utf8_length(bytes, n);

    (void)state;
    if (length > 0) {
        *character = utf8_get((const char *)bytes);
        return length;
    }
    if (utf8_begins(bytes, n))
        return 0;
    /* What could have begun a character is bad as a whole. */
    *character = UTF8_REPLACEMENT;
    for (length = n < 3 ? n - 1 : 3; length > 1; length--) {
        if (utf8_begins(bytes, length))
            return length;
    }
    return 1;
}

size_t charset_guess(struct charset_state *state, const uint8_t *bytes,
                     size_t n, uint32_t *character)
{
    size_t length = utf8_length(bytes, n);

    (void)state;
    if (length > 0) {
        *character = utf8_get((const char *)bytes);
        return length;
    }
    if (utf8_begins(bytes, n))
        return 0;
    *character = charset_cell(&charset_cp1252, bytes[0] & 0x7f);
    if (*character == 0)
        *character = UTF8_REPLACEMENT;
    return 1;
}

/* ---- Tables -------------------------------------------------------------- */

uint32_t charset_cell(const struct charset_table *table, uint32_t cell)
{
    const uint8_t *at;
    uint32_t left = cell % BLOCK, code = 0;

    if (cell / BLOCK >= table->count)
        return 0;
    at = table->cells + table->blocks[cell / BLOCK];
    for (;; left--) {
        uint8_t byte = *at++;

        if (byte == 0x7f || (byte == 0x7e && left == 0))
            return 0;
        if (byte == 0x7d) {
            if (left < *at)
                return 0;
            left -= *at++ - 1u;
            continue;
        }
        if (byte == 0x7e)
            continue;
        if (byte < 0x7d) {
            code += byte + 1u;
        } else if (byte > 0xd2) {
            code -= byte - 0xd2u;
        } else if (byte == 0xd2) {
            code = get_be16(at);
            at += 2;
        } else {
            code = 0x4e00u + ((byte - 0x80u) << 8) + *at++;
        }
        if (left == 0)
            return code;
    }
}

uint32_t charset_grid(const struct charset_table *table, uint8_t row,
                      uint8_t cell)
{
    if (row >= 94 || cell >= 94)
        return 0;
    return charset_cell(table, row * 94u + cell);
}

size_t charset_single(struct charset_state *state, const uint8_t *bytes,
                      size_t n, uint32_t *character)
{
    (void)n;
    *character = bytes[0];
    if (bytes[0] >= 0x80) {
        *character = charset_cell(state->charset->table, bytes[0] & 0x7f);
        if (*character == 0)
            *character = UTF8_REPLACEMENT;
    }
    return 1;
}

size_t charset_bad(const uint8_t *bytes, uint32_t *character)
{
    *character = UTF8_REPLACEMENT;
    return bytes[1] < 0x80 ? 1 : 2;
}

/* ---- UTF-16, UTF-32 ------------------------------------------------------ */

/* Modes: the order is not known yet, is that of x86, is that of the network. */
enum { ORDER_OPEN, ORDER_LITTLE, ORDER_BIG };

static uint32_t unit16(const struct charset_state *state, const uint8_t *bytes)
{
    return state->mode == ORDER_BIG ? get_be16(bytes) : get_le16(bytes);
}

size_t charset_utf16(struct charset_state *state, const uint8_t *bytes,
                     size_t n, uint32_t *character)
{
    uint32_t unit, low;

    if (n < 2)
        return 0;
    if (state->mode == ORDER_OPEN)
        state->mode = get_be16(bytes) == 0xfeff || bytes[0] == 0 ? ORDER_BIG
                                                                 : ORDER_LITTLE;
    unit = unit16(state, bytes);
    *character = unit;
    if (unit < 0xd800 || unit > 0xdfff)
        return 2;
    *character = UTF8_REPLACEMENT;
    if (unit >= 0xdc00)
        return 2;
    if (n < 4)
        return 0;
    low = unit16(state, bytes + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return 2;
    *character = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    return 4;
}

size_t charset_utf32(struct charset_state *state, const uint8_t *bytes,
                     size_t n, uint32_t *character)
{
    if (n < 4)
        return 0;
    if (state->mode == ORDER_OPEN)
        state->mode = bytes[0] == 0 ? ORDER_BIG : ORDER_LITTLE;
    *character = state->mode == ORDER_BIG ? get_be32(bytes) : get_le32(bytes);
    if (*character == CHARSET_NONE)
        *character = UTF8_REPLACEMENT;
    return 4;
}

/* ---- The stream ---------------------------------------------------------- */

void charset_begin(struct charset_state *state, const struct charset *charset)
{
    memset(state, 0, sizeof *state);
    state->charset = charset;
    state->mode = charset->mode;
}

/* Bytes of ASCII at the front, copied. */
static size_t copy_ascii(const uint8_t *bytes, size_t len, char *text)
{
    size_t i = 0;

    for (; i < len && bytes[i] < 0x80; i++)
        text[i] = (char)bytes[i];
    return i;
}

/* The character goes out unless it is none, or the mark at the beginning. */
static size_t give(struct charset_state *state, uint32_t character, char *text)
{
    bool first = !state->started;

    if (character == CHARSET_NONE)
        return 0;
    state->started = true;
    return first && character == 0xfeff ? 0 : utf8_put(character, text);
}

/* The text has ended within a character: what its bytes are taken for. */
static size_t take_last(struct charset_state *state, uint32_t *character)
{
    uint8_t ended[sizeof state->pending + 1] = {0};
    size_t done = 0;

    *character = UTF8_REPLACEMENT;
    memcpy(ended, state->pending, state->count);
    /* NUL continues nothing, where bytes are ASCII. */
    if (state->charset->ascii)
        done =
            state->charset->decode(state, ended, state->count + 1u, character);
    if (done == 0 || done > state->count) {
        *character = UTF8_REPLACEMENT;
        done = state->count;
    }
    return done;
}

/* A character some bytes of which came in an earlier piece. Returns the bytes
 * of this piece that it took. */
static size_t take_pending(struct charset_state *state, const uint8_t *bytes,
                           size_t len, bool last, uint32_t *character)
{
    size_t used = 0, done;

    for (;;) {
        done = state->charset->decode(state, state->pending, state->count,
                                      character);
        if (done > 0)
            break;
        *character = CHARSET_NONE;
        if (state->count == sizeof state->pending || (used == len && last)) {
            done = take_last(state, character);
            break;
        }
        if (used == len)
            return used;
        state->pending[state->count++] = bytes[used++];
    }
    state->count = (uint8_t)(state->count - done);
    memmove(state->pending, state->pending + done, state->count);
    return used;
}

size_t charset_convert(struct charset_state *state, const void *bytes,
                       size_t len, size_t *taken, char *text, size_t room,
                       bool last)
{
    const uint8_t *at = bytes, *end = at + len;
    size_t out = 0;

    while (out + 4 <= room && (at < end || (state->count > 0 && last))) {
        uint32_t character = CHARSET_NONE;
        size_t done;

        if (state->count > 0) {
            at += take_pending(state, at, (size_t)(end - at), last, &character);
            out += give(state, character, text + out);
            continue;
        }
        if (state->charset->ascii && *at < 0x80) {
            size_t most = (size_t)(end - at);

            done = copy_ascii(at, most < room - out ? most : room - out,
                              text + out);
            state->started = true;
            at += done;
            out += done;
            continue;
        }
        done =
            state->charset->decode(state, at, (size_t)(end - at), &character);
        if (done == 0) {
            state->pending[state->count++] = *at++;
            continue;
        }
        at += done;
        out += give(state, character, text + out);
    }
    *taken = (size_t)(at - (const uint8_t *)bytes);
    return out;
}
