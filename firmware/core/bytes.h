/* Reading and writing integers of fixed byte order at any alignment. Each is
 * one access, checked once: every header that comes or goes is made of them. */
#ifndef CORE_BYTES_H
#define CORE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* For a loop over every byte that is sent, whose only accesses lie within a
 * length: without it the traps for undefined behaviour check the pointer again
 * for each word, which is half of all its instructions. Only functions that are
 * marked so too are taken inline. */
#define WITHIN_LENGTH __attribute__((no_sanitize("undefined")))

/* Eight bytes of anything, at any address. */
typedef uint64_t unaligned_word __attribute__((may_alias, aligned(1)));

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "x86-64");

static inline uint16_t get_le16(const void *p)
{
    uint16_t v;

    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

static inline void put_le16(void *p, uint16_t v)
{
    __builtin_memcpy(p, &v, sizeof v);
}

static inline uint32_t get_le32(const void *p)
{
    uint32_t v;

    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

static inline void put_le32(void *p, uint32_t v)
{
    __builtin_memcpy(p, &v, sizeof v);
}

static inline uint64_t get_le64(const void *p)
{
    uint64_t v;

    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

static inline void put_le64(void *p, uint64_t v)
{
    __builtin_memcpy(p, &v, sizeof v);
}

static inline uint16_t get_be16(const void *p)
{
    uint16_t v;

    __builtin_memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}

static inline void put_be16(void *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    __builtin_memcpy(p, &v, sizeof v);
}

static inline uint32_t get_be32(const void *p)
{
    uint32_t v;

    __builtin_memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

static inline void put_be32(void *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    __builtin_memcpy(p, &v, sizeof v);
}

static inline uint64_t get_be64(const void *p)
{
    uint64_t v;

    __builtin_memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

static inline void put_be64(void *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    __builtin_memcpy(p, &v, sizeof v);
}

/* bytes_whole - how much of the first len bytes of UTF-8 is left when no
 * character is to be cut. text[len] is looked at: there is more, or its NUL. */
static inline size_t bytes_whole(const char *text, size_t len)
{
    while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

/* bytes_wipe - zeros that no compiler leaves out: for passwords. */
static inline void bytes_wipe(void *memory, size_t bytes)
{
    volatile uint8_t *at = memory;

    while (bytes--)
        *at++ = 0;
}

#endif
