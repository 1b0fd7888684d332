/* Builds DNS messages for tests, right ones and wrong ones, by arithmetic of
 * its own. To be included by one C file of a test program. */
#ifndef TESTS_UNIT_DNS_BUILD_H
#define TESTS_UNIT_DNS_BUILD_H

#include "core/bytes.h"
#include "net/dns_internal.h"
#include <string.h>

enum {
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_OPT = 41,
    FLAG_TC = 0x0200,
    FLAG_AA = 0x0400,
    SECTION_ANSWER = 6, /* where its count stands in the header */
    SECTION_AUTHORITY = 8,
    SECTION_ADDITIONAL = 10,
};

struct build {
    uint8_t bytes[40000];
    size_t len;
};

/* "a.b" as labels; "" is the root. No compression. */
static inline size_t build_name(uint8_t *out, const char *text)
{
    uint8_t *p = out;

    while (*text) {
        size_t len = strcspn(text, ".");

        *p++ = (uint8_t)len;
        memcpy(p, text, len);
        p += len;
        text += len + (text[len] == '.');
    }
    *p++ = 0;
    return (size_t)(p - out);
}

static inline void build_begin(struct build *b, uint16_t id, unsigned flags)
{
    memset(b->bytes, 0, 12);
    put_be16(b->bytes, id);
    put_be16(b->bytes + 2, (uint16_t)(0x8180 | flags));
    b->len = 12;
}

/* The name's bytes as they came, so that case stays. */
static inline void build_question(struct build *b, const struct dns_name *name,
                                  unsigned type)
{
    put_be16(b->bytes + 4, 1);
    memcpy(b->bytes + b->len, name->bytes, name->len);
    b->len += name->len;
    put_be16(b->bytes + b->len, (uint16_t)type);
    put_be16(b->bytes + b->len + 2, 1);
    b->len += 4;
}

static inline void build_record(struct build *b, unsigned section,
                                const char *owner, unsigned type, uint32_t ttl,
                                const void *data, size_t len)
{
    uint8_t *p = b->bytes + b->len;

    put_be16(b->bytes + section, (uint16_t)(get_be16(b->bytes + section) + 1));
    p += build_name(p, owner);
    put_be16(p, (uint16_t)type);
    put_be16(p + 2, 1);
    put_be32(p + 4, ttl);
    put_be16(p + 8, (uint16_t)len);
    if (len)
        memcpy(p + 10, data, len);
    b->len = (size_t)(p + 10 - b->bytes) + len;
}

static inline void build_a(struct build *b, const char *owner, uint32_t ttl,
                           uint32_t address)
{
    uint8_t data[4];

    put_be32(data, address);
    build_record(b, SECTION_ANSWER, owner, DNS_A, ttl, data, 4);
}

static inline void build_target(struct build *b, unsigned section,
                                const char *owner, unsigned type, uint32_t ttl,
                                const char *target)
{
    uint8_t data[256];

    build_record(b, section, owner, type, ttl, data, build_name(data, target));
}

static inline void build_mx(struct build *b, const char *owner, uint32_t ttl,
                            uint16_t preference, const char *exchange)
{
    uint8_t data[300];

    put_be16(data, preference);
    build_record(b, SECTION_ANSWER, owner, DNS_MX, ttl, data,
                 2 + build_name(data + 2, exchange));
}

static inline void build_soa(struct build *b, const char *zone, uint32_t ttl,
                             uint32_t minimum)
{
    uint8_t data[300] = {0};
    size_t len = build_name(data, "ns.example");

    len += build_name(data + len, "root.example");
    put_be32(data + len + 16, minimum);
    build_record(b, SECTION_AUTHORITY, zone, TYPE_SOA, ttl, data, len + 20);
}

#endif
