/* Streams of pseudo-random numbers from one seed. */
#include "tests/sim/sim.h"

static uint64_t mix(uint64_t *state)
{
    /* splitmix64 (Steele, Lea, Flood): spreads any seed over 64 bits. */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

void sim_random_init(struct sim_random *random, uint64_t seed,
                     const char *stream, uint64_t index)
{
    uint64_t state = seed;

    for (const char *c = stream; *c != '\0'; c++) {
        state ^= (uint8_t)*c;
        state = mix(&state);
    }
    state ^= index;
    state = mix(&state);
    for (int i = 0; i < 4; i++)
        random->s[i] = mix(&state);
}

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

uint64_t sim_random_u64(struct sim_random *random)
{
    uint64_t *s = random->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t sim_random_below(struct sim_random *random, uint64_t limit)
{
    return sim_random_u64(random) % limit;
}

uint64_t sim_random_range(struct sim_random *random, uint64_t low,
                          uint64_t high)
{
    return low + sim_random_below(random, high - low + 1);
}

bool sim_random_chance(struct sim_random *random, uint32_t ppm)
{
    return sim_random_below(random, 1000000) < ppm;
}

void sim_random_fill(struct sim_random *random, void *buffer, size_t bytes)
{
    uint8_t *to = buffer;
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++) {
        if (i % 8 == 0)
            value = sim_random_u64(random);
        to[i] = (uint8_t)(value >> i % 8 * 8);
    }
}
