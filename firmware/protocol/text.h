/* Building short texts in a buffer of fixed size: replies, trace headers. What
 * does not fit is left out and remembered. No NUL is kept at the end. */
#ifndef PROTOCOL_TEXT_H
#define PROTOCOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *bytes;
    size_t room; /* size of the buffer */
    size_t len;
    bool cut; /* something did not fit */
};

void text_init(struct text *text, void *buffer, size_t room);

/* Each appends one thing whole, or, where it does not fit, nothing. */
void text_bytes(struct text *text, const void *bytes, size_t len);
void text_decimal(struct text *text, uint64_t value);

/* Inline, as most strings are known when this is compiled: so is their length.
 */
static inline void text_string(struct text *text, const char *string)
{
    text_bytes(text, string, strlen(string));
}

/* text_decimal_padded, text_hex - with leading zeros up to `digits`, at most
 * 20, resp. exactly the lowest `digits` digits, at most 16. */
void text_decimal_padded(struct text *text, uint64_t value, unsigned digits);
void text_hex(struct text *text, uint64_t value, unsigned digits);

/* text_date - a date as in RFC 5322 3.3, in local time (core/zone.h); of a time
 * before 1970: that year's begin. */
void text_date(struct text *text, int64_t unix_ms);

/* text_xtext - what an xtext (RFC 3461 section 4, NUL-terminated) stands for,
 * as far as it is ASCII; control characters become '?', so that it is one line.
 */
void text_xtext(struct text *text, const char *xtext);

/* ---- Reading of what a client wrote ------------------------------------ */

/* text_is_ascii - whether no character is beyond (NUL-terminated). */
bool text_is_ascii(const char *text);

/* text_equal - caseless for ASCII letters; word is upper case. */
bool text_equal(const char *text, size_t len, const char *word);

/* text_number - reads a decimal number of 1 to 19 digits and nothing else.
 * Returns false when it is not one. */
bool text_number(const char *text, size_t len, uint64_t *value);

#endif
