/* Random bytes for sequence numbers, ports, ids, salts: ChaCha20 (RFC 8439)
 * keyed from the machine's entropy, re-keyed after every call (fast key
 * erasure). And SipHash-2-4 for hash tables and RFC 6528. */
#ifndef CORE_RANDOM_H
#define CORE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* random_module_init - takes 32 bytes from machine_entropy(). */
void random_module_init(void);

void random_bytes(void *buffer, size_t bytes);
uint32_t random_u32(void);
uint64_t random_u64(void);

/* random_below - uniform in 0 .. limit - 1, limit > 0. */
uint32_t random_below(uint32_t limit);

/* siphash - 64-bit keyed hash (Aumasson, Bernstein: SipHash-2-4). */
uint64_t siphash(const uint8_t key[16], const void *data, size_t bytes);

/* siphash_table - SipHash-1-3, half as dear: for tables whose hashes nobody
 * sees, where it only has to keep peers from choosing what falls together. */
uint64_t siphash_table(const uint8_t key[16], const void *data, size_t bytes);

#endif
