/* Charsets to UTF-8, as a stream.
 *
 * Known: UTF-8, UTF-7, UTF-16 and UTF-32 (either order, by mark or name),
 * US-ASCII, ISO-8859-1 to -16, windows-1250 to -1258 and -874, KOI8-R and -U,
 * IBM437, 850, 852, 866, macintosh, ISO-2022-JP, Shift_JIS (with what Windows
 * has more), EUC-JP, EUC-KR (with Windows' Hangul), ISO-2022-KR, GB2312, GBK,
 * GB18030, HZ, Big5 (with ETEN's), by all the names that mail has for them.
 * Not known: JIS X 0212, HKSCS, EUC-TW. Text in these, and in any charset whose
 * name is not known, is read as UTF-8 where it is that, else as windows-1252:
 * its ASCII stays readable. */
#ifndef MIME_CHARSET_H
#define MIME_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct charset;

struct charset_state {
    const struct charset *charset;
    uint32_t bits;      /* of a character that is not complete */
    uint32_t high;      /* UTF-16, UTF-7: first half of a pair */
    uint8_t pending[4]; /* bytes of it */
    uint8_t count;      /* of them */
    uint8_t mode;       /* shifts, byte order */
    bool started;       /* the mark at the beginning has been looked for */
};

/* charset_find - by name (caseless). Never NULL: see above. known: whether the
 * name was one; may be NULL. */
const struct charset *charset_find(const char *name, size_t len, bool *known);

/* charset_name - the preferred name, e.g. "utf-8". */
const char *charset_name(const struct charset *charset);

void charset_begin(struct charset_state *state, const struct charset *charset);

/* charset_convert - bytes to UTF-8: well-formed, with U+FFFD for what is not.
 * taken: how many bytes were used. last: no more will come; call until it takes
 * everything and gives nothing. room: at least 8. Returns bytes of text. */
size_t charset_convert(struct charset_state *state, const void *bytes,
                       size_t len, size_t *taken, char *text, size_t room,
                       bool last);

/* ---- UTF-8 itself ------------------------------------------------------- */

#define UTF8_REPLACEMENT 0xfffdu

/* utf8_length - bytes of the well-formed character at text, or 0. */
size_t utf8_length(const void *text, size_t len);

/* utf8_put - writes a character, U+FFFD for what is none. text: 4 bytes.
 * Returns how many bytes it takes. */
size_t utf8_put(uint32_t character, char *text);

/* utf8_get - the character at text, which is well-formed. */
uint32_t utf8_get(const char *text);

/* utf8_copy - a text and its NUL into so many bytes, cut between characters. */
void utf8_copy(char *to, size_t bytes, const char *from);

#endif
