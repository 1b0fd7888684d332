/* The Internet checksum, eight bytes at a time.
 *
 * The one's complement sum does not depend on the width of the adds (RFC 1071
 * 2): 64-bit words are added with end-around carry and folded at the end.
 * Little-endian only, like the AO itself. */
#include "net/checksum.h"
#include "core/bytes.h"

WITHIN_LENGTH static inline uint64_t add_carry(uint64_t sum, uint64_t word)
{
    uint64_t result;

    return __builtin_add_overflow(sum, word, &result) ? result + 1 : result;
}

/* Fewer than eight bytes. */
static uint64_t load_rest(const uint8_t *p, size_t bytes)
{
    uint64_t sum = 0;
    uint32_t four;
    uint16_t two;

    if (bytes & 4) {
        memcpy(&four, p, 4);
        sum = four;
        p += 4;
    }
    if (bytes & 2) {
        memcpy(&two, p, 2);
        sum += two;
        p += 2;
    }
    return bytes & 1 ? sum + *p : sum;
}

/* Of whole words. */
WITHIN_LENGTH static uint64_t add_words(uint64_t sum, const uint8_t *p,
                                        size_t bytes)
{
    const unaligned_word *words = (const unaligned_word *)p;
    uint64_t a = sum, b = 0;

    for (; bytes >= 32; bytes -= 32, words += 4) {
        a = add_carry(a, words[0]);
        b = add_carry(b, words[1]);
        a = add_carry(a, words[2]);
        b = add_carry(b, words[3]);
    }
    for (; bytes >= 8; bytes -= 8, words++)
        a = add_carry(a, *words);
    return add_carry(a, b);
}

uint32_t net_checksum_add(uint32_t sum, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    size_t words = bytes & ~(size_t)7;
    uint64_t a = add_words(sum, p, words);

    if (bytes > words)
        a = add_carry(a, load_rest(p + words, bytes - words));
    a = (a & 0xFFFFFFFF) + (a >> 32);
    a = (a & 0xFFFFFFFF) + (a >> 32);
    a = (a & 0xFFFF) + (a >> 16);
    return (uint32_t)((a & 0xFFFF) + (a >> 16));
}

uint32_t net_checksum_pseudo(const struct net_address *source,
                             const struct net_address *destination,
                             uint8_t protocol)
{
    size_t skip =
        net_address_is_v4(source) && net_address_is_v4(destination) ? 12 : 0;
    uint32_t sum = net_checksum_add(0, source->bytes + skip, 16 - skip);

    sum = net_checksum_add(sum, destination->bytes + skip, 16 - skip);
    return net_checksum_add_u16(sum, protocol);
}
