/* Domain names (RFC 1035 3.1, 4.1.4): text, wire form, comparison.
 *
 * Inside, a name is its wire form without compression; that holds any name
 * there can be. Text is for people and for host names only: labels of letters,
 * digits, '-' and '_' (which TXT names have). An internationalized name comes
 * as A-labels (RFC 5890); to make those is the caller's matter. */
#include "core/random.h"
#include "net/dns_internal.h"
#include <string.h>

#define LABEL_MAX   63
#define POINTERS    32 /* in one name; an honest one has few */
#define KIND        0xC0
#define KIND_LABEL  0x00
#define KIND_TARGET 0xC0

static bool is_letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

static bool is_host_character(uint8_t c)
{
    return is_letter(c) || (uint8_t)(c - '0') < 10 || c == '-' || c == '_';
}

static uint8_t lower(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
}

/* One label of text. Returns its length, 0 when there is none that is good. */
static size_t take_label(const char *text, uint8_t *out)
{
    size_t len = 0;

    for (; text[len] && text[len] != '.'; len++) {
        uint8_t c = (uint8_t)text[len];

        if (len == LABEL_MAX || !is_host_character(c))
            return 0;
        out[1 + len] = lower(c);
    }
    out[0] = (uint8_t)len;
    return len;
}

bool dns_name_parse(const char *text, struct dns_name *name)
{
    uint8_t label[1 + LABEL_MAX];
    size_t at = 0;

    do {
        size_t len = take_label(text, label);

        if (!len || at + 1 + len + 1 > DNS_NAME_WIRE)
            return false;
        memcpy(name->bytes + at, label, 1 + len);
        at += 1 + len;
        text += len;
        if (*text == '.')
            text++;
    } while (*text);
    name->bytes[at] = 0;
    name->len = (uint8_t)(at + 1);
    return true;
}

/* A pointer must lead to before the labels that it ends, which makes a loop
 * impossible; how many there are is limited all the same, since a message can
 * be made of nothing else. */
bool dns_name_read(const uint8_t *message, size_t bytes, size_t *at,
                   struct dns_name *name)
{
    size_t p = *at, start = *at, len = 0;
    unsigned pointers = 0;

    for (;;) {
        uint8_t first;

        if (p >= bytes)
            return false;
        first = message[p];
        if ((first & KIND) == KIND_TARGET) {
            size_t target;

            if (p + 2 > bytes || pointers++ == POINTERS)
                return false;
            target = (size_t)(first & 0x3F) << 8 | message[p + 1];
            if (pointers == 1)
                *at = p + 2;
            if (target >= start)
                return false;
            p = start = target;
            continue;
        }
        if ((first & KIND) != KIND_LABEL || p + 1 + first > bytes ||
            len + 1 + first > DNS_NAME_WIRE)
            return false;
        memcpy(name->bytes + len, message + p, 1U + first);
        len += 1U + first;
        p += 1U + first;
        if (!first)
            break;
    }
    if (!pointers)
        *at = p;
    name->len = (uint8_t)len;
    return true;
}

void dns_name_format(const struct dns_name *name, char *text)
{
    const uint8_t *p = name->bytes;

    while (*p) {
        uint8_t len = *p++;

        for (; len; len--, p++)
            *text++ = is_host_character(*p) ? (char)*p : '?';
        if (*p)
            *text++ = '.';
    }
    *text = '\0';
}

/* A length is below 64 and no letter: it compares as it is. */
static bool equal_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    return a->len == b->len && equal_bytes(a->bytes, b->bytes, a->len);
}

bool dns_name_within(const struct dns_name *name, const struct dns_name *zone)
{
    size_t at = 0;

    while (name->len - at > zone->len)
        at += 1U + name->bytes[at];
    return name->len - at == zone->len &&
           equal_bytes(name->bytes + at, zone->bytes, zone->len);
}

void dns_name_lower(struct dns_name *name)
{
    for (size_t i = 0; i < name->len; i++)
        name->bytes[i] = lower(name->bytes[i]);
}

void dns_name_shake(struct dns_name *name)
{
    uint8_t chance[(DNS_NAME_WIRE + 7) / 8];

    random_bytes(chance, sizeof(chance));
    for (size_t i = 0; i < name->len; i++) {
        if (is_letter(name->bytes[i]) && chance[i / 8] >> i % 8 & 1)
            name->bytes[i] ^= 0x20;
    }
}

static char *put_decimal(char *out, unsigned value)
{
    if (value >= 100)
        *out++ = (char)('0' + value / 100);
    if (value >= 10)
        *out++ = (char)('0' + value / 10 % 10);
    *out++ = (char)('0' + value % 10);
    *out++ = '.';
    return out;
}

char *dns_reverse_name(const struct net_address *address, char *text)
{
    static const char digits[] = "0123456789abcdef";
    char *out = text;

    if (net_address_is_v4(address)) {
        for (unsigned i = 16; i > 12; i--)
            out = put_decimal(out, address->bytes[i - 1]);
        memcpy(out, "in-addr.arpa", sizeof("in-addr.arpa"));
        return text;
    }
    for (unsigned i = 16; i > 0; i--) {
        *out++ = digits[address->bytes[i - 1] & 15];
        *out++ = '.';
        *out++ = digits[address->bytes[i - 1] >> 4];
        *out++ = '.';
    }
    memcpy(out, "ip6.arpa", sizeof("ip6.arpa"));
    return text;
}
