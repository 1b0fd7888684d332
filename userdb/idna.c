/* Internationalised domain names: UTF-8 labels into the "xn--" form that the
 * DNS knows (RFC 5890, by Punycode, RFC 3492).
 *
 * Capital letters of the Latin, Greek and Cyrillic scripts become small ones;
 * characters that no label has are refused. Not done: normalisation (NFC), and
 * the rules of RFC 5892 for each script; a name that would be changed or
 * refused by them is one that no registry has given. */
#include "userdb/user.h"
#include <string.h>

#define LABEL_MAX 63
#define PREFIX    "xn--"

/* Parameters of RFC 3492 section 5. */
#define BASE         36u
#define T_MIN        1u
#define T_MAX        26u
#define SKEW         38u
#define DAMP         700u
#define INITIAL_BIAS 72u
#define INITIAL_N    128u

/* One character of a text that user_text_valid() has passed. */
static uint32_t decode(const char **at)
{
    const uint8_t *byte = (const uint8_t *)*at;
    uint32_t value;
    unsigned more = *byte < 0x80 ? 0 : *byte < 0xe0 ? 1 : *byte < 0xf0 ? 2 : 3;

    value = more ? *byte & (0x3fu >> more) : *byte;
    for (unsigned i = 1; i <= more; i++)
        value = value << 6 | (byte[i] & 0x3fu);
    *at += more + 1;
    return value;
}

static uint32_t small_letter(uint32_t c)
{
    static const struct {
        uint16_t first, last;
        uint8_t step, add; /* each step-th of them is a capital */
    } ranges[] = {
        {0xc0, 0xd6, 1, 32},   {0xd8, 0xde, 1, 32},   {0x100, 0x12e, 2, 1},
        {0x132, 0x136, 2, 1},  {0x139, 0x147, 2, 1},  {0x14a, 0x176, 2, 1},
        {0x179, 0x17d, 2, 1},  {0x391, 0x3a1, 1, 32}, {0x3a3, 0x3ab, 1, 32},
        {0x400, 0x40f, 1, 80}, {0x410, 0x42f, 1, 32},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return (c - ranges[i].first) % ranges[i].step ? c
                                                          : c + ranges[i].add;
    }
    return c;
}

static uint32_t next_letter(const char **at)
{
    uint8_t c = (uint8_t) * *at;

    if (c >= 0x80)
        return small_letter(decode(at));
    (*at)++;
    return c >= 'A' && c <= 'Z' ? c + 32u : c;
}

/* Spaces, punctuation, what is invisible, and other forms of ASCII. */
static bool may_stand(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    return c > 0xb6 && c != 0xd7 && c != 0xf7 && (c < 0x2000 || c > 0x2bff) &&
           (c < 0x3000 || c > 0x3004) && (c < 0xe000 || c > 0xf8ff) &&
           (c < 0xfe00 || c > 0xffff) && c < 0xe0000;
}

static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;

    delta = first ? delta / DAMP : delta / 2;
    delta += delta / points;
    for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
        delta /= BASE - T_MIN;
    return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

struct label {
    char bytes[LABEL_MAX + 1];
    size_t len;
    bool cut;
};

static void put(struct label *label, char c)
{
    if (label->len < LABEL_MAX)
        label->bytes[label->len++] = c;
    else
        label->cut = true;
}

static void put_number(struct label *label, uint32_t q, uint32_t bias)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    for (uint32_t k = BASE;; k += BASE) {
        uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;

        if (q < t)
            break;
        put(label, digits[t + (q - t) % (BASE - t)]);
        q = (q - t) / (BASE - t);
    }
    put(label, digits[q]);
}

/* RFC 3492 section 6.3. There are at most LABEL_MAX points, so that nothing
 * overflows 32 bits. */
static void put_points(struct label *label, const uint32_t *points,
                       uint32_t count)
{
    uint32_t n = INITIAL_N, delta = 0, bias = INITIAL_BIAS, done = 0, basic;

    for (uint32_t i = 0; i < count; i++) {
        if (points[i] < INITIAL_N) {
            put(label, (char)points[i]);
            done++;
        }
    }
    basic = done;
    if (basic > 0)
        put(label, '-');
    while (done < count) {
        uint32_t next = UINT32_MAX;

        for (uint32_t i = 0; i < count; i++) {
            if (points[i] >= n && points[i] < next)
                next = points[i];
        }
        delta += (next - n) * (done + 1);
        n = next;
        for (uint32_t i = 0; i < count; i++) {
            if (points[i] < n)
                delta++;
            if (points[i] != n)
                continue;
            put_number(label, delta, bias);
            bias = adapt(delta, done + 1, done == basic);
            delta = 0;
            done++;
        }
        delta++;
        n++;
    }
}

static enum err convert_label(const char *text, size_t len, struct label *label)
{
    uint32_t points[LABEL_MAX];
    const char *at = text;
    uint32_t count = 0;
    bool plain = true;

    memset(label, 0, sizeof *label);
    while (at < text + len) {
        uint32_t c = next_letter(&at);

        if (!may_stand(c))
            return ERR_INVALID;
        if (count == LABEL_MAX)
            return ERR_TOO_BIG;
        points[count++] = c;
        plain &= c < INITIAL_N;
    }
    if (count == 0 || points[0] == '-' || points[count - 1] == '-')
        return ERR_INVALID;
    if (!plain) {
        for (const char *c = PREFIX; *c; c++)
            put(label, *c);
        put_points(label, points, count);
    } else {
        for (uint32_t i = 0; i < count; i++)
            put(label, (char)points[i]);
    }
    return label->cut ? ERR_TOO_BIG : OK;
}

enum err user_domain_to_ascii(const char *domain, size_t len, char *ascii)
{
    const char *end = domain + len;
    struct label label;
    size_t used = 0;

    if (len == 0 || len > 4 * USER_DOMAIN_BYTES ||
        !user_text_valid(domain, len))
        return ERR_INVALID;
    for (;;) {
        const char *dot = memchr(domain, '.', (size_t)(end - domain));
        const char *stop = dot ? dot : end;
        enum err err = convert_label(domain, (size_t)(stop - domain), &label);

        if (err)
            return err;
        if (used + label.len + 1 >= USER_DOMAIN_BYTES)
            return ERR_TOO_BIG;
        memcpy(ascii + used, label.bytes, label.len);
        used += label.len;
        if (!dot)
            break;
        ascii[used++] = '.';
        domain = dot + 1;
    }
    ascii[used] = '\0';
    return OK;
}
