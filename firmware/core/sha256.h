/* SHA-256 (FIPS 180-4), over bytes that come in pieces. */
#ifndef CORE_SHA256_H
#define CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES       32
#define SHA256_BLOCK_BYTES 64

struct sha256 {
    uint32_t hash[8];
    uint64_t bytes; /* taken so far */
    uint8_t block[SHA256_BLOCK_BYTES];
};

/* sha256_begin, then sha256_add any number of times, then sha256_end. */
void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t len);
void sha256_end(struct sha256 *sha, uint8_t out[SHA256_BYTES]);

#endif
