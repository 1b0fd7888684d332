/* What a charset is, for the files of charset.h. */
#ifndef MIME_CHARSET_INTERNAL_H
#define MIME_CHARSET_INTERNAL_H

#include "mailstore/mime/charset.h"
#include "mailstore/mime/charset_tables.h"

/* Bytes that were taken stand for no character: a shift, a byte order mark. */
#define CHARSET_NONE UINT32_MAX

struct charset {
    const char *name;
    const char *others; /* further names: letters and digits only, with spaces
                           around each */
    /* Takes the next character from n >= 1 bytes. Returns how many bytes that
     * took, 0 when more are needed (of at most 4 in all), and the character,
     * CHARSET_NONE, or UTF8_REPLACEMENT. */
    size_t (*decode)(struct charset_state *state, const uint8_t *bytes,
                     size_t n, uint32_t *character);
    const struct charset_table *table; /* of one byte each */
    uint8_t mode;                      /* what a state begins with */
    bool ascii; /* bytes under 128 are ASCII, between characters */
};

/* charset_cell - the character in a cell of a table, 0: none. */
uint32_t charset_cell(const struct charset_table *table, uint32_t cell);

/* charset_bad - what a byte sequence of two is taken for when it is none: the
 * second is a character of its own when it is ASCII. */
size_t charset_bad(const uint8_t *bytes, uint32_t *character);

/* charset_kana - half-width katakana of JIS X 0201, 0xa1 to 0xdf. */
static inline uint32_t charset_kana(uint8_t byte)
{
    return 0xff61u - 0xa1u + byte;
}

/* charset_grid - a character of a set of 94 x 94; 0: none. */
uint32_t charset_grid(const struct charset_table *table, uint8_t row,
                      uint8_t cell);

typedef size_t charset_decode(struct charset_state *state, const uint8_t *bytes,
                              size_t n, uint32_t *character);

charset_decode charset_utf8, charset_guess, charset_single, charset_latin1,
    charset_utf16, charset_utf32, charset_utf7, charset_iso2022jp,
    charset_iso2022kr, charset_hz, charset_shift_jis, charset_euc_jp,
    charset_euc_kr, charset_gb18030, charset_big5_decode;

#endif
