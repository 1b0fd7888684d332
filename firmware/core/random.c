/* ChaCha20 as a generator with fast key erasure, and SipHash. */
#include "core/random.h"
#include "core/bytes.h"
#include "core/machine.h"
#include <string.h>

#define CHACHA_BLOCK 64
#define CHACHA_KEY   32

static struct {
    uint8_t key[CHACHA_KEY];
} state;

static uint32_t rotate32(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate32(*d ^ *a, 16);
    *c += *d;
    *b = rotate32(*b ^ *c, 12);
    *a += *b;
    *d = rotate32(*d ^ *a, 8);
    *c += *d;
    *b = rotate32(*b ^ *c, 7);
}

/* One block of key stream with a zero nonce (RFC 8439 2.3). */
static void chacha20_block(const uint8_t key[CHACHA_KEY], uint32_t counter,
                           uint8_t out[CHACHA_BLOCK])
{
    uint32_t input[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t x[16];

    for (unsigned i = 0; i < 8; i++)
        input[4 + i] = get_le32(key + 4 * i);
    input[12] = counter;
    memcpy(x, input, sizeof(x));
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++)
            quarter_round(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
        for (unsigned i = 0; i < 4; i++)
            quarter_round(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4],
                          &x[12 + (i + 3) % 4]);
    }
    for (unsigned i = 0; i < 16; i++)
        put_le32(out + 4 * i, x[i] + input[i]);
}

void random_module_init(void)
{
    machine_entropy(state.key, sizeof(state.key));
}

void random_bytes(void *buffer, size_t bytes)
{
    uint8_t block[CHACHA_BLOCK];
    uint8_t next_key[CHACHA_KEY];
    uint8_t *out = buffer;
    uint32_t counter = 0;

    /* The first half of the first block becomes the next key, so that what
     * was handed out cannot be computed from the state any more. */
    chacha20_block(state.key, counter++, block);
    memcpy(next_key, block, sizeof(next_key));
    while (bytes > 0) {
        size_t part = bytes < CHACHA_BLOCK ? bytes : CHACHA_BLOCK;

        chacha20_block(state.key, counter++, block);
        memcpy(out, block, part);
        out += part;
        bytes -= part;
    }
    memcpy(state.key, next_key, sizeof(next_key));
    memset(block, 0, sizeof(block));
    memset(next_key, 0, sizeof(next_key));
}

uint32_t random_u32(void)
{
    uint32_t value;

    random_bytes(&value, sizeof(value));
    return value;
}

uint64_t random_u64(void)
{
    uint64_t value;

    random_bytes(&value, sizeof(value));
    return value;
}

uint32_t random_below(uint32_t limit)
{
    /* Values below the remainder of 2^32 / limit would make the small results
     * more likely: they are drawn again. */
    uint32_t unfair = (uint32_t)-limit % limit;
    uint32_t value;

    do {
        value = random_u32();
    } while (value < unfair);
    return value % limit;
}

static inline uint64_t rotate64(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

/* Inlined, so that the state stays in registers: each segment that comes is
 * hashed. */
__attribute__((always_inline)) static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate64(v[1], 13) ^ v[0];
    v[3] = rotate64(v[3], 16) ^ v[2];
    v[0] = rotate64(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate64(v[1], 17) ^ v[2];
    v[3] = rotate64(v[3], 21) ^ v[0];
    v[2] = rotate64(v[2], 32);
}

__attribute__((always_inline)) static inline void
sip_word(uint64_t v[4], uint64_t word, unsigned rounds)
{
    v[3] ^= word;
    for (unsigned i = 0; i < rounds; i++)
        sip_round(v);
    v[0] ^= word;
}

/* SipHash-c-d: c rounds for each word, d at the end, constants for whom this is
 * inlined. */
__attribute__((always_inline)) static inline uint64_t
sip_hash(const uint8_t key[16], const void *data, size_t bytes, unsigned c,
         unsigned d)
{
    const uint8_t *p = data;
    uint64_t k0 = get_le64(key);
    uint64_t k1 = get_le64(key + 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
                     k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
    uint64_t last = (uint64_t)bytes << 56;

    for (; bytes >= 8; bytes -= 8, p += 8)
        sip_word(v, get_le64(p), c);
    for (size_t i = 0; i < bytes; i++)
        last |= (uint64_t)p[i] << (8 * i);
    sip_word(v, last, c);
    v[2] ^= 0xff;
    for (unsigned i = 0; i < d; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash(const uint8_t key[16], const void *data, size_t bytes)
{
    return sip_hash(key, data, bytes, 2, 4);
}

uint64_t siphash_table(const uint8_t key[16], const void *data, size_t bytes)
{
    return sip_hash(key, data, bytes, 1, 3);
}
