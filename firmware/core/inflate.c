/* Inflate: see inflate.h. Also part of the UEFI loader: no data here holds a
 * pointer.
 *
 * Codes are canonical (RFC 1951 section 3.2.2): all of one length are
 * consecutive numbers, so that a code is found by counting, bit by bit, how
 * many there are of each length. A set of lengths that no code can have is
 * refused; one that leaves codes unused is not, as it also occurs. */
#include "core/inflate.h"
#include <string.h>

#define LENGTH_MAX     15 /* bits of a code */
#define LITERALS       288
#define DISTANCES      32
#define LENGTH_CODES   19
#define END_OF_BLOCK   256
#define FIRST_LENGTH   257
#define LENGTH_SYMBOLS 29
#define DISTANCES_USED 30
#define GZIP_HEAD      10

enum { GZIP_CRC = 2, GZIP_EXTRA = 4, GZIP_NAME = 8, GZIP_COMMENT = 16 };
enum { BLOCK_STORED, BLOCK_FIXED, BLOCK_DYNAMIC };

struct codes {
    uint16_t count[LENGTH_MAX + 1]; /* how many there are of each length */
    uint16_t symbol[LITERALS];      /* in the order of their codes */
};

struct inflating {
    const uint8_t *in, *end;
    uint32_t bits; /* taken from `in`, not used yet; lowest first */
    unsigned bit_count;
    bool short_of; /* there was no more */
    uint8_t *out;
    size_t room, got;
    struct codes literals, distances;
};

static unsigned take_bits(struct inflating *s, unsigned count)
{
    uint32_t value;

    while (s->bit_count < count) {
        if (s->in == s->end) {
            s->short_of = true;
            return 0;
        }
        s->bits |= (uint32_t)*s->in++ << s->bit_count;
        s->bit_count += 8;
    }
    value = s->bits & ((1u << count) - 1);
    s->bits >>= count;
    s->bit_count -= count;
    return value;
}

/* ---- Codes --------------------------------------------------------------- */

static enum err make_codes(struct codes *codes, const uint8_t *lengths,
                           unsigned count)
{
    uint16_t place[LENGTH_MAX + 1];
    int left = 1; /* codes of this length that are still to be had */

    memset(codes->count, 0, sizeof codes->count);
    for (unsigned i = 0; i < count; i++)
        codes->count[lengths[i]]++;
    codes->count[0] = 0;
    place[0] = place[1] = 0;
    for (unsigned length = 1; length <= LENGTH_MAX; length++) {
        left = left * 2 - codes->count[length];
        if (left < 0)
            return ERR_INVALID;
        if (length < LENGTH_MAX)
            place[length + 1] =
                (uint16_t)(place[length] + codes->count[length]);
    }
    for (unsigned i = 0; i < count; i++) {
        if (lengths[i] != 0)
            codes->symbol[place[lengths[i]]++] = (uint16_t)i;
    }
    return OK;
}

/* The next symbol, or -1: there is no such code, or no more. */
static int take_symbol(struct inflating *s, const struct codes *codes)
{
    int code = 0, first = 0, index = 0;

    for (unsigned length = 1; length <= LENGTH_MAX; length++) {
        int count = codes->count[length];

        code |= (int)take_bits(s, 1);
        if (s->short_of)
            return -1;
        if (code - first < count)
            return codes->symbol[index + code - first];
        index += count;
        first = (first + count) * 2;
        code *= 2;
    }
    return -1;
}

/* ---- Blocks -------------------------------------------------------------- */

static enum err copy_back(struct inflating *s, size_t length, size_t distance)
{
    if (distance > s->got)
        return ERR_INVALID;
    for (; length > 0; length--) {
        if (s->got == s->room)
            return ERR_TOO_BIG;
        s->out[s->got] = s->out[s->got - distance];
        s->got++;
    }
    return OK;
}

/* A match, of which the symbol for its length was read (section 3.2.5). */
static enum err take_match(struct inflating *s, int symbol)
{
    static const uint16_t length_base[LENGTH_SYMBOLS] = {
        3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
        31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_bits[LENGTH_SYMBOLS] = {
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
        2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[DISTANCES_USED] = {
        1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
        33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
        1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    unsigned index = (unsigned)symbol - FIRST_LENGTH;
    size_t length, distance;

    if (index >= LENGTH_SYMBOLS)
        return ERR_INVALID;
    length = length_base[index] + take_bits(s, length_bits[index]);
    symbol = take_symbol(s, &s->distances);
    if (symbol < 0 || symbol >= DISTANCES_USED)
        return ERR_INVALID;
    distance = distance_base[symbol] +
               take_bits(s, symbol < 4 ? 0 : (unsigned)symbol / 2 - 1);
    return s->short_of ? ERR_INVALID : copy_back(s, length, distance);
}

static enum err take_coded(struct inflating *s)
{
    for (;;) {
        int symbol = take_symbol(s, &s->literals);
        enum err err = OK;

        if (symbol < 0)
            return ERR_INVALID;
        if (symbol == END_OF_BLOCK)
            return OK;
        if (symbol > END_OF_BLOCK)
            err = take_match(s, symbol);
        else if (s->got == s->room)
            err = ERR_TOO_BIG;
        else
            s->out[s->got++] = (uint8_t)symbol;
        if (err)
            return err;
    }
}

static enum err take_stored(struct inflating *s)
{
    unsigned length, inverse;

    /* The rest of a byte is not used; whole bytes are not taken ahead. */
    s->bits = 0;
    s->bit_count = 0;
    length = take_bits(s, 16);
    inverse = take_bits(s, 16);
    if (s->short_of || length != (inverse ^ 0xffff))
        return ERR_INVALID;
    for (; length > 0; length--) {
        if (s->in == s->end)
            return ERR_INVALID;
        if (s->got == s->room)
            return ERR_TOO_BIG;
        s->out[s->got++] = *s->in++;
    }
    return OK;
}

static enum err make_fixed(struct inflating *s)
{
    uint8_t lengths[LITERALS];
    enum err err;

    memset(lengths, 8, sizeof lengths);
    memset(lengths + 144, 9, 256 - 144);
    memset(lengths + 256, 7, 280 - 256);
    err = make_codes(&s->literals, lengths, LITERALS);
    memset(lengths, 5, DISTANCES);
    return err ? err : make_codes(&s->distances, lengths, DISTANCES);
}

/* Lengths of codes, themselves coded and run-length packed (section 3.2.7). */
static enum err take_lengths(struct inflating *s, uint8_t *lengths,
                             unsigned count)
{
    unsigned at = 0;

    while (at < count) {
        int symbol = take_symbol(s, &s->literals);
        unsigned times = 1;
        uint8_t value = 0;

        if (symbol < 0)
            return ERR_INVALID;
        if (symbol < 16) {
            value = (uint8_t)symbol;
        } else if (symbol == 16) {
            if (at == 0)
                return ERR_INVALID;
            value = lengths[at - 1];
            times = 3 + take_bits(s, 2);
        } else {
            times = symbol == 17 ? 3 + take_bits(s, 3) : 11 + take_bits(s, 7);
        }
        if (s->short_of || times > count - at)
            return ERR_INVALID;
        memset(lengths + at, value, times);
        at += times;
    }
    return OK;
}

static enum err make_dynamic(struct inflating *s)
{
    static const uint8_t order[LENGTH_CODES] = {
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[LITERALS + DISTANCES];
    unsigned literals = 257 + take_bits(s, 5);
    unsigned distances = 1 + take_bits(s, 5);
    unsigned codes = 4 + take_bits(s, 4);
    enum err err;

    if (literals > LITERALS)
        return ERR_INVALID;
    memset(lengths, 0, LENGTH_CODES);
    for (unsigned i = 0; i < codes; i++)
        lengths[order[i]] = (uint8_t)take_bits(s, 3);
    err = make_codes(&s->literals, lengths, LENGTH_CODES);
    if (!err)
        err = take_lengths(s, lengths, literals + distances);
    if (!err)
        err = make_codes(&s->literals, lengths, literals);
    return err ? err : make_codes(&s->distances, lengths + literals, distances);
}

static enum err take_block(struct inflating *s, bool *last)
{
    unsigned kind;
    enum err err;

    *last = take_bits(s, 1);
    kind = take_bits(s, 2);
    if (s->short_of || kind > BLOCK_DYNAMIC)
        return ERR_INVALID;
    if (kind == BLOCK_STORED)
        return take_stored(s);
    err = kind == BLOCK_FIXED ? make_fixed(s) : make_dynamic(s);
    return err ? err : take_coded(s);
}

/* ---- The head of the file (RFC 1952 section 2.3) --------------------------
 */

bool inflate_is_packed(const uint8_t *in, size_t in_bytes)
{
    return in_bytes >= GZIP_HEAD && in[0] == 0x1f && in[1] == 0x8b &&
           in[2] == 8;
}

static void skip_text(struct inflating *s)
{
    while (s->in < s->end && *s->in != 0)
        s->in++;
    if (s->in < s->end)
        s->in++;
}

static void skip_bytes(struct inflating *s, size_t count)
{
    size_t left = (size_t)(s->end - s->in);

    s->in += count < left ? count : left;
}

static void skip_head(struct inflating *s)
{
    unsigned flags = s->in[3];

    s->in += GZIP_HEAD;
    if (flags & GZIP_EXTRA)
        skip_bytes(s, take_bits(s, 16));
    if (flags & GZIP_NAME)
        skip_text(s);
    if (flags & GZIP_COMMENT)
        skip_text(s);
    if (flags & GZIP_CRC)
        skip_bytes(s, 2);
}

enum err inflate_gzip(const uint8_t *in, size_t in_bytes, uint8_t *out,
                      size_t room, size_t *got)
{
    static struct inflating s;
    bool last = false;
    enum err err = OK;

    *got = 0;
    if (!inflate_is_packed(in, in_bytes))
        return ERR_INVALID;
    memset(&s, 0, sizeof s);
    s.in = in;
    s.end = in + in_bytes;
    s.out = out;
    s.room = room;
    skip_head(&s);
    while (!err && !last)
        err = take_block(&s, &last);
    *got = s.got;
    return err;
}
