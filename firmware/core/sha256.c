/* SHA-256: see sha256.h. Also part of the UEFI loader: no data here holds a
 * pointer. */
#include "core/sha256.h"
#include "core/bytes.h"
#include <string.h>

#define ROUNDS       64
#define LENGTH_BYTES 8 /* of the message, at the end of the last block */

static const uint32_t constants[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t value, unsigned by)
{
    return value >> by | value << (32 - by);
}

/* The message schedule [6.2.2, step 1]. */
static void expand(uint32_t words[ROUNDS], const uint8_t *block)
{
    for (unsigned t = 0; t < 16; t++)
        words[t] = get_be32(block + t * 4);
    for (unsigned t = 16; t < ROUNDS; t++) {
        uint32_t a = words[t - 15], b = words[t - 2];

        words[t] = words[t - 16] + words[t - 7] +
                   (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

static void take_block(struct sha256 *sha, const uint8_t *block)
{
    uint32_t words[ROUNDS], v[8];

    expand(words, block);
    memcpy(v, sha->hash, sizeof v);
    for (unsigned t = 0; t < ROUNDS; t++) {
        uint32_t e = v[4], a = v[0];
        uint32_t first = v[7] + constants[t] + words[t] +
                         (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                         ((e & v[5]) ^ (~e & v[6]));
        uint32_t second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                          ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += first;
        v[0] = first + second;
    }
    for (unsigned i = 0; i < 8; i++)
        sha->hash[i] += v[i];
}

void sha256_begin(struct sha256 *sha)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
                                      0xa54ff53a, 0x510e527f, 0x9b05688c,
                                      0x1f83d9ab, 0x5be0cd19};

    memcpy(sha->hash, start, sizeof start);
    sha->bytes = 0;
}

void sha256_add(struct sha256 *sha, const void *data, size_t len)
{
    const uint8_t *from = data;

    while (len > 0) {
        size_t at = sha->bytes % SHA256_BLOCK_BYTES;
        size_t part = SHA256_BLOCK_BYTES - at;

        if (part > len)
            part = len;
        memcpy(sha->block + at, from, part);
        sha->bytes += part;
        from += part;
        len -= part;
        if (at + part == SHA256_BLOCK_BYTES)
            take_block(sha, sha->block);
    }
}

void sha256_end(struct sha256 *sha, uint8_t out[SHA256_BYTES])
{
    static const uint8_t one = 0x80, zero = 0;
    uint8_t length[LENGTH_BYTES];

    put_be32(length, (uint32_t)(sha->bytes >> 29));
    put_be32(length + 4, (uint32_t)(sha->bytes << 3));
    sha256_add(sha, &one, 1);
    while (sha->bytes % SHA256_BLOCK_BYTES != SHA256_BLOCK_BYTES - LENGTH_BYTES)
        sha256_add(sha, &zero, 1);
    sha256_add(sha, length, sizeof length);
    for (unsigned i = 0; i < 8; i++)
        put_be32(out + i * 4, sha->hash[i]);
}
