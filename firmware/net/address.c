/* Internet addresses: IPv4 in mapped form, text forms of both kinds.
 * Scope ids ("%eth0") and ports in the text are not taken. */
#include "net/address.h"
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0,    0,
                                          0, 0, 0, 0, 0xFF, 0xFF};

struct net_address net_address_v4(uint32_t host_order)
{
    struct net_address address;

    memcpy(address.bytes, mapped_prefix, sizeof(mapped_prefix));
    for (unsigned i = 0; i < 4; i++)
        address.bytes[12 + i] = (uint8_t)(host_order >> (24 - 8 * i));
    return address;
}

bool net_address_is_v4(const struct net_address *address)
{
    return !memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix));
}

uint32_t net_address_to_v4(const struct net_address *address)
{
    const uint8_t *b = address->bytes + 12;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           b[3];
}

bool net_address_equal(const struct net_address *a, const struct net_address *b)
{
    return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* Four decimal numbers up to the end of the text; no leading zeros, which some
 * would read as octal (RFC 6943 3.1.1). */
static bool parse_v4(const char *text, uint8_t *bytes)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned value = 0, digits = 0;

        for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
            value = value * 10 + (unsigned)(*text - '0');
        if (!digits || value > 255 || (digits > 1 && text[-(int)digits] == '0'))
            return false;
        bytes[i] = (uint8_t)value;
        if (*text++ != (i < 3 ? '.' : '\0'))
            return false;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

struct v6_parser {
    const char *text;
    uint8_t bytes[16];
    unsigned count; /* bytes so far */
    int gap;        /* where "::" stands, or -1 */
};

/* One group, or the dotted rest. Returns false when the text is wrong. */
static bool parse_group(struct v6_parser *p, bool *end)
{
    const char *start = p->text;
    unsigned value = 0, digits = 0;

    for (; hex_digit(*p->text) >= 0 && digits < 5; p->text++, digits++)
        value = value << 4 | (unsigned)hex_digit(*p->text);
    if (*p->text == '.' && p->count <= 12) {
        p->count += 4;
        *end = true;
        return parse_v4(start, p->bytes + p->count - 4);
    }
    if (!digits || digits > 4 || p->count > 14)
        return false;
    p->bytes[p->count++] = (uint8_t)(value >> 8);
    p->bytes[p->count++] = (uint8_t)value;
    *end = !*p->text;
    return *end || *p->text == ':';
}

static bool parse_v6(struct v6_parser *p)
{
    bool end = false;

    if (p->text[0] == ':' && p->text[1] == ':') {
        p->gap = 0;
        p->text += 2;
        if (!*p->text)
            return true;
    }
    if (!parse_group(p, &end))
        return false;
    while (!end) {
        p->text++; /* the colon */
        if (*p->text == ':') {
            if (p->gap >= 0)
                return false;
            p->gap = (int)p->count;
            p->text++;
            if (!*p->text)
                return true;
        }
        if (!parse_group(p, &end))
            return false;
    }
    return true;
}

enum err net_address_parse(const char *text, struct net_address *address)
{
    struct v6_parser parser = {.text = text, .gap = -1};
    uint8_t v4[4];
    unsigned tail;

    if (parse_v4(text, v4)) {
        memcpy(address->bytes, mapped_prefix, sizeof(mapped_prefix));
        memcpy(address->bytes + 12, v4, sizeof(v4));
        return OK;
    }
    if (!parse_v6(&parser))
        return ERR_INVALID;
    if (parser.gap < 0 ? parser.count != 16 : parser.count > 14)
        return ERR_INVALID;
    memset(address->bytes, 0, sizeof(address->bytes));
    if (parser.gap < 0)
        parser.gap = 16;
    tail = parser.count > (unsigned)parser.gap
               ? parser.count - (unsigned)parser.gap
               : 0;
    memcpy(address->bytes, parser.bytes, parser.count - tail);
    memcpy(address->bytes + 16 - tail, parser.bytes + parser.count - tail,
           tail);
    return OK;
}

static char *put_number(char *out, unsigned value, unsigned base)
{
    char digits[8];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        *out++ = digits[--count];
    return out;
}

static unsigned group(const struct net_address *address, unsigned index)
{
    return (unsigned)address->bytes[2 * index] << 8 |
           address->bytes[2 * index + 1];
}

/* The first of the longest runs of zero groups (RFC 5952 4.2). */
static void find_gap(const struct net_address *address, unsigned *start,
                     unsigned *length)
{
    unsigned run = 0;

    *start = 8;
    *length = 1; /* a single zero group is not shortened */
    for (unsigned i = 0; i < 8; i++) {
        run = group(address, i) ? 0 : run + 1;
        if (run > *length) {
            *length = run;
            *start = i + 1 - run;
        }
    }
}

char *net_address_format(const struct net_address *address, char *text)
{
    unsigned gap, length;
    char *out = text;

    if (net_address_is_v4(address)) {
        for (unsigned i = 12; i < 16; i++) {
            out = put_number(out, address->bytes[i], 10);
            *out++ = i < 15 ? '.' : '\0';
        }
        return text;
    }
    find_gap(address, &gap, &length);
    for (unsigned i = 0; i < 8; i++) {
        if (i == gap) {
            *out++ = ':';
            i += length - 1;
            if (i == 7)
                *out++ = ':';
            continue;
        }
        if (i)
            *out++ = ':';
        out = put_number(out, group(address, i), 16);
    }
    *out = '\0';
    return text;
}
