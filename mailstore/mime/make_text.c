/* Making messages: encoded words, transfer encodings, flowed text. */
#include "mailstore/mime/charset.h"
#include "mailstore/mime/make_internal.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

/* RFC 2047 2: an encoded word and a line with one. */
#define WORD      75
#define WORD_LINE 76
/* RFC 2045 6.7, 6.8 */
#define ENCODED_LINE 76
/* RFC 3676 4.2: flowed lines. */
#define FLOWED 72
/* Lines of text that are not encoded. */
#define LINE_LIMIT 998

static const char hex[] = "0123456789ABCDEF";
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- Encoded words ------------------------------------------------------- */

/* What may stand in a word as it is, also in a phrase (RFC 2047 5). */
static bool is_word_character(char c)
{
    return mime_is_letter(c) || mime_is_digit(c) || c == '-' || c == '!' ||
           c == '*' || c == '+' || c == '/';
}

/* The next character of text; what is not UTF-8 is U+FFFD, what is no text a
 * space. Returns how many bytes it took. */
static size_t next_character(const char *text, size_t len, char *character,
                             size_t *bytes)
{
    size_t step = utf8_length(text, len);

    if (step == 0) {
        *bytes = utf8_put(UTF8_REPLACEMENT, character);
        return 1;
    }
    memcpy(character, text, step);
    *bytes = step;
    if (step == 1 && ((uint8_t)text[0] < ' ' || text[0] == 0x7f))
        character[0] = ' ';
    return step;
}

static size_t put_word_character(char *word, const char *character,
                                 size_t bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)character[i];

        if (is_word_character(character[i]) || byte == ' ') {
            word[used++] = byte == ' ' ? '_' : character[i];
        } else {
            word[used++] = '=';
            word[used++] = hex[byte >> 4];
            word[used++] = hex[byte & 15];
        }
    }
    return used;
}

void make_words(struct mime_make *make, const char *text, size_t len)
{
    char word[WORD + 1] = "=?utf-8?q?", encoded[12];
    const size_t start = strlen(word);
    size_t used = start;

    while (len > 0) {
        char character[4];
        size_t bytes, step, more, room;

        step = next_character(text, len, character, &bytes);
        more = put_word_character(encoded, character, bytes);
        room = make->column < WORD_LINE ? WORD_LINE - make->column : 0;
        if (room > WORD)
            room = WORD;
        if (used + more + 2 > room && used > start) {
            make_put(make, word, used);
            make_string(make, "?=\r\n ");
            used = start;
            continue;
        }
        if (used + more + 2 > room) {
            make_string(make, "\r\n ");
            continue;
        }
        memcpy(word + used, encoded, more);
        used += more;
        text += step;
        len -= step;
    }
    if (used > start) {
        make_put(make, word, used);
        make_string(make, "?=");
    }
}

/* ---- Transfer encodings -------------------------------------------------- */

static void put_base64(struct mime_make *make)
{
    uint32_t bits = (uint32_t)make->held[0] << 16 |
                    (uint32_t)make->held[1] << 8 | make->held[2];
    char four[4];

    for (unsigned i = 0; i < 4; i++)
        four[i] =
            i <= make->held_bytes ? digits[bits >> (18 - 6 * i) & 63] : '=';
    make_put(make, four, sizeof four);
    if (make->column >= ENCODED_LINE)
        make_string(make, "\r\n");
    make->held_bytes = 0;
    memset(make->held, 0, sizeof make->held);
}

static void base64_byte(struct mime_make *make, uint8_t byte)
{
    make->held[make->held_bytes++] = byte;
    if (make->held_bytes == 3)
        put_base64(make);
}

/* A character of quoted-printable, on a new line when it does not fit. */
static void put_quoted(struct mime_make *make, uint8_t byte, bool plain)
{
    char escaped[3] = {'=', hex[byte >> 4], hex[byte & 15]};
    size_t len = plain ? 1 : 3;

    if (make->column + len > ENCODED_LINE - 1)
        make_string(make, "=\r\n");
    make_put(make, plain ? (const char *)&byte : escaped, len);
}

/* CR is taken for the first half of a line end. A space is held back: at the
 * end of a line it must not stand as it is. */
static void quoted_byte(struct mime_make *make, uint8_t byte)
{
    if (make->held_bytes > 0)
        put_quoted(make, ' ', byte != '\r');
    make->held_bytes = 0;
    if (byte == '\n')
        make_string(make, "\r\n");
    else if (byte == ' ')
        make->held_bytes = 1;
    else if (byte != '\r')
        put_quoted(make, byte, byte > ' ' && byte < 0x7f && byte != '=');
}

void make_encode(struct mime_make *make, const char *bytes, size_t len)
{
    if (make->encoding == MIME_7BIT) {
        make_put(make, bytes, len);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (make->encoding == MIME_BASE64)
            base64_byte(make, (uint8_t)bytes[i]);
        else
            quoted_byte(make, (uint8_t)bytes[i]);
    }
}

void make_encode_end(struct mime_make *make)
{
    if (make->encoding == MIME_BASE64 && make->held_bytes > 0)
        put_base64(make);
    else if (make->held_bytes > 0)
        put_quoted(make, ' ', false);
    make->held_bytes = 0;
}

/* ---- Flowed text --------------------------------------------------------- */

/* The encoding that suits a text: most of it ASCII, or most of it not. */
static enum mime_encoding suits(const char *text, size_t len)
{
    size_t high = 0, word = 0, longest = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        high += c <= 0 || c == 0x7f ||
                (c < ' ' && c != '\n' && c != '\r' && c != '\t');
        word = c == ' ' || c == '\n' ? 0 : word + 1;
        if (word > longest)
            longest = word;
    }
    if (high == 0 && longest < LINE_LIMIT - FLOWED - 100)
        return MIME_7BIT;
    return high > len / 3 ? MIME_BASE64 : MIME_QUOTED_PRINTABLE;
}

static void put_line_end(struct mime_make *make)
{
    make_encode(make, "\r\n", 2);
}

/* Text with what is not UTF-8 replaced; tabs stay. */
static void put_clean(struct mime_make *make, const char *text, size_t len)
{
    while (len > 0) {
        char character[4];
        size_t bytes, step = next_character(text, len, character, &bytes);

        if (*text == '\t')
            character[0] = '\t';
        make_encode(make, character, bytes);
        text += step;
        len -= step;
    }
}

/* Quote marks in front of a line, with spaces among them; *len: their bytes. */
static unsigned quote_marks(const char *line, size_t len, size_t *bytes)
{
    unsigned marks = 0;
    size_t i = 0;

    while (i < len && line[i] == '>') {
        marks++;
        i++;
        if (i + 1 < len && line[i] == ' ' && line[i + 1] == '>')
            i++;
    }
    if (marks > 0 && i < len && line[i] == ' ')
        i++;
    *bytes = i;
    return marks;
}

/* The marks of a line, and the space that keeps its text from being read as
 * more (RFC 3676 4.4). */
static void put_front(struct mime_make *make, unsigned marks, const char *text,
                      size_t len)
{
    /* A line of marks alone must keep its length. */
    for (unsigned i = 0; i < marks && i < 60; i++)
        make_encode(make, ">", 1);
    if (len > 0 && (marks > 0 || text[0] == ' ' || text[0] == '>' ||
                    (len >= 5 && memcmp(text, "From ", 5) == 0)))
        make_encode(make, " ", 1);
}

/* Bytes of the next line of a paragraph: up to the last space that leaves it at
 * FLOWED, or to the first behind it, or all. The spaces belong to the line. */
static size_t flowed_bytes(const char *text, size_t len)
{
    size_t at = 0, good = 0;

    while (at < len) {
        size_t end = at;

        while (end < len && text[end] != ' ')
            end++;
        if (good > 0 && end > FLOWED)
            return good;
        while (end < len && text[end] == ' ')
            end++;
        /* "-- " alone would be a signature. */
        if (!(end == 3 && memcmp(text, "-- ", 3) == 0))
            good = end;
        at = end;
    }
    return len;
}

static void put_paragraph(struct mime_make *make, const char *line, size_t len)
{
    size_t front;
    unsigned marks = quote_marks(line, len, &front);

    line += front;
    len -= front;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' ') &&
           !(len == 3 && memcmp(line, "-- ", 3) == 0))
        len--;
    do {
        size_t bytes = flowed_bytes(line, len);

        put_front(make, marks, line, len);
        put_clean(make, line, bytes);
        put_line_end(make);
        line += bytes;
        len -= bytes;
    } while (len > 0);
}

void mime_make_flowed(struct mime_make *make, const char *text, size_t len)
{
    static const char *const names[] = {"7bit", "quoted-printable", "base64"};
    const char *end = text + len;

    make->encoding = (uint8_t)suits(text, len);
    make_entity(make);
    make_string(make, "Content-Type: text/plain; charset=");
    make_string(make, make->encoding == MIME_7BIT ? "us-ascii" : "utf-8");
    make_string(make, "; format=flowed\r\nContent-Transfer-Encoding: ");
    make_string(make, names[make->encoding]);
    make_string(make, "\r\n\r\n");
    while (text < end) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        size_t line =
            next != NULL ? (size_t)(next - text) : (size_t)(end - text);

        put_paragraph(make, text, line);
        text += line + (next != NULL);
    }
    make_encode_end(make);
}
