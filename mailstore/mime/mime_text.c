/* Text of header fields: one line of UTF-8, with encoded words (RFC 2047).
 *
 * Words of one charset that follow each other are put together before they are
 * decoded: programs cut characters of several bytes in two. */
#include "mailstore/mime/mime_internal.h"
#include <string.h>

/* Longest encoded word that is taken for one; RFC 2047 allows 75. */
#define WORD 2000
/* Longest comment or quoted string in a phrase. */
#define QUOTED 1000

/* ---- What comes out ------------------------------------------------------ */

void mime_out_begin(struct mime_out *out, char *text, size_t room)
{
    *out = (struct mime_out){.text = text, .room = room};
}

void mime_out_character(struct mime_out *out, uint32_t character)
{
    char bytes[4];
    size_t len;

    if (character < 0x20 || (character >= 0x7f && character < 0xa0) ||
        character == 0x2028 || character == 0x2029)
        character = ' ';
    /* Marks and overrides of the direction of writing, the byte order mark. */
    if ((character >= 0x202a && character <= 0x202e) ||
        (character >= 0x2066 && character <= 0x2069) || character == 0xfeff)
        return;
    len = utf8_put(character, bytes);
    if (out->cut || out->len + len >= out->room) {
        out->cut = true;
        return;
    }
    memcpy(out->text + out->len, bytes, len);
    out->len += len;
}

void mime_out_guess(struct mime_out *out, const char *bytes, size_t len)
{
    struct charset_state state;

    charset_begin(&state, charset_find("", 0, NULL));
    mime_out_charset(out, &state, bytes, len, true);
}

void mime_out_charset(struct mime_out *out, struct charset_state *state,
                      const void *bytes, size_t len, bool last)
{
    const char *at = bytes;
    char text[64];
    size_t taken, given;

    do {
        given =
            charset_convert(state, at, len, &taken, text, sizeof text, last);
        at += taken;
        len -= taken;
        for (size_t i = 0; i < given; i += utf8_length(text + i, given - i))
            mime_out_character(out, utf8_get(text + i));
    } while ((len > 0 || given > 0) && !out->cut);
}

size_t mime_out_end(struct mime_out *out)
{
    if (out->room == 0)
        return 0;
    out->text[out->len] = '\0';
    return out->len;
}

/* ---- Encoded words ------------------------------------------------------- */

struct decoder {
    struct mime_out *out;
    struct charset_state state; /* of the words before, when open */
    bool open;
};

struct word {
    struct mime_span charset, content;
    char encoding; /* 'q' or 'b' */
    size_t len;
};

/* By ASCII; the - of other alphabets is taken for +. */
static const int8_t base64_values[128] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, 62, -1, 62, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60,
    61, -1, -1, -1, -1, -1, -1, -1, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
    11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1,
    -1, -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
    43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1,
};

int mime_base64_value(char c)
{
    return c >= 0 ? base64_values[(uint8_t)c] : -1;
}

/* Whether an encoded word stands at text. */
static bool find_word(const char *text, size_t len, struct word *word)
{
    const char *end = text + (len < WORD ? len : WORD), *at;

    if (len < 7 || text[0] != '=' || text[1] != '?')
        return false;
    at = memchr(text + 2, '?', (size_t)(end - text - 2));
    if (at == NULL || end - at < 5 || at[2] != '?')
        return false;
    word->charset = (struct mime_span){text + 2, (size_t)(at - text - 2)};
    word->encoding = mime_lower(at[1]);
    if (word->encoding != 'q' && word->encoding != 'b')
        return false;
    word->content.text = at + 3;
    for (at += 3; at + 1 < end; at++) {
        if (at[0] != '?' || at[1] != '=')
            continue;
        word->content.len = (size_t)(at - word->content.text);
        word->len = (size_t)(at + 2 - text);
        /* RFC 2231: the charset may have a language behind it. */
        at = memchr(word->charset.text, '*', word->charset.len);
        if (at != NULL)
            word->charset.len = (size_t)(at - word->charset.text);
        return true;
    }
    return false;
}

static size_t decode_quoted(struct mime_span *content, uint8_t *bytes,
                            size_t room)
{
    size_t used = 0, i = 0;

    for (; i < content->len && used < room; i++) {
        const char *at = content->text + i;

        if (*at == '=' && i + 2 < content->len && mime_hex(at[1]) >= 0 &&
            mime_hex(at[2]) >= 0) {
            bytes[used++] = (uint8_t)(mime_hex(at[1]) * 16 + mime_hex(at[2]));
            i += 2;
        } else if (*at != '\r' && *at != '\n') {
            bytes[used++] = *at == '_' ? ' ' : (uint8_t)*at;
        }
    }
    content->text += i;
    content->len -= i;
    return used;
}

/* Four digits at a time as long as there are so many; bits carries the rest
 * from call to call: the digits, and above them how many bits they are. */
static size_t decode_base64(struct mime_span *content, uint8_t *bytes,
                            size_t room, uint32_t *bits)
{
    size_t used = 0, i = 0;
    unsigned count = *bits >> 24;
    uint32_t value = *bits & 0xffffff;

    for (; i < content->len && used < room; i++) {
        int digit = mime_base64_value(content->text[i]);

        if (content->text[i] == '=')
            count = 0;
        if (digit < 0)
            continue;
        value = (value << 6 | (uint32_t)digit) & 0xffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes[used++] = (uint8_t)(value >> count);
        }
    }
    content->text += i;
    content->len -= i;
    *bits = count << 24 | value;
    return used;
}

static void flush(struct decoder *decoder)
{
    if (decoder->open)
        mime_out_charset(decoder->out, &decoder->state, "", 0, true);
    decoder->open = false;
}

static void put_word(struct decoder *decoder, struct word *word)
{
    const struct charset *charset =
        charset_find(word->charset.text, word->charset.len, NULL);
    struct mime_span content = word->content;
    uint32_t bits = 0;
    uint8_t bytes[64];

    if (decoder->open && decoder->state.charset != charset)
        flush(decoder);
    if (!decoder->open)
        charset_begin(&decoder->state, charset);
    decoder->open = true;
    while (content.len > 0) {
        size_t given =
            word->encoding == 'q'
                ? decode_quoted(&content, bytes, sizeof bytes)
                : decode_base64(&content, bytes, sizeof bytes, &bits);

        mime_out_charset(decoder->out, &decoder->state, bytes, given, false);
    }
}

/* ---- Fields -------------------------------------------------------------- */

/* What is not encoded, unfolded, up to the next "=?" that may be a word. */
static size_t plain_run(const char *text, size_t len, bool phrase)
{
    size_t i = 1;

    while (i < len && text[i] != '\r' && text[i] != '\n' &&
           !(text[i] == '=' && i + 1 < len && text[i + 1] == '?') &&
           !(phrase && (text[i] == '"' || text[i] == '\\' || text[i] == '(')))
        i++;
    return i;
}

/* Bytes of a comment at text, 0 when it is not closed. */
static size_t comment(const char *text, size_t len)
{
    unsigned depth = 0;

    if (len > QUOTED)
        len = QUOTED;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '(')
            depth++;
        else if (text[i] == ')' && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* How text is read. */
enum mode { UNSTRUCTURED, PHRASE, PHRASE_QUOTED };

/* Bytes at text that stand for nothing. */
static size_t silent(const char *text, size_t len, enum mode *mode)
{
    if (*text == '\r' || *text == '\n')
        return 1;
    if (*mode == UNSTRUCTURED)
        return 0;
    if (*text == '"')
        *mode = *mode == PHRASE ? PHRASE_QUOTED : PHRASE;
    if (*text == '"' || (*text == '\\' && len > 1))
        return 1;
    return *text == '(' && *mode == PHRASE ? comment(text, len) : 0;
}

static size_t spaces(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && mime_is_space(text[i]))
        i++;
    return i;
}

void mime_out_text(struct mime_out *out, struct mime_span value, bool phrase)
{
    struct decoder decoder = {.out = out};
    const char *text = value.text, *end = value.text + value.len;
    enum mode mode = phrase ? PHRASE : UNSTRUCTURED;
    struct word word;

    while (text < end && !out->cut) {
        size_t len = (size_t)(end - text), gap, used;

        if (find_word(text, len, &word)) {
            put_word(&decoder, &word);
            text += word.len;
            /* Space between two encoded words is not part of the text. */
            gap = spaces(text, (size_t)(end - text));
            if (gap > 0 &&
                find_word(text + gap, (size_t)(end - text) - gap, &word))
                text += gap;
            continue;
        }
        flush(&decoder);
        used = silent(text, len, &mode);
        if (used > 0) {
            bool escape = *text == '\\';

            text += used;
            if (!escape)
                continue;
            len -= used;
        }
        used = plain_run(text, len, phrase);
        mime_out_guess(out, text, used);
        text += used;
    }
    flush(&decoder);
}

size_t mime_text(struct mime_span value, char *text, size_t room)
{
    struct mime_out out;

    mime_out_begin(&out, text, room);
    mime_out_text(&out, value, false);
    return mime_out_end(&out);
}
