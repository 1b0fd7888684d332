/* Chance: RDSEED, RDRAND, and always jitter, all hashed into one key whose
 * SipHash stream is handed out.
 *
 * Jitter is the low part of the time stamp counter around port reads, whose
 * length depends on the bus clock's phase. It is taken in a quantity (1024
 * readings for a key) that leaves 128 bits even at a quarter of a bit each.
 * RDRAND's answers are not trusted alone, nor are they needed. */
#include "core/machine.h"
#include "core/random.h"
#include "drivers/io.h"
#include <string.h>

#define READINGS 1024u
#define TRIES    32u

#define JITTER_PORT 0x61u

struct features {
    bool rdrand, rdseed;
};

static uint64_t read_counter(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]),
                       "=c"(registers[2]), "=d"(registers[3])
                     : "a"(leaf), "c"(0));
}

static struct features find_features(void)
{
    struct features features = {false, false};
    uint32_t registers[4];
    uint32_t highest;

    cpuid(0, registers);
    highest = registers[0];
    cpuid(1, registers);
    features.rdrand = (registers[2] & 1u << 30) != 0;
    if (highest >= 7) {
        cpuid(7, registers);
        features.rdseed = (registers[1] & 1u << 18) != 0;
    }
    return features;
}

/* A number from the processor; false when it gives none. All ones and zero are
 * what broken ones answer. */
static bool processor_number(struct features features, uint64_t *number)
{
    uint8_t valid = 0;

    for (unsigned i = 0; i < TRIES && !valid; i++) {
        if (features.rdseed && i < TRIES / 2)
            __asm__ volatile("rdseed %0; setc %1"
                             : "=r"(*number), "=qm"(valid)::"cc");
        else if (features.rdrand)
            __asm__ volatile("rdrand %0; setc %1"
                             : "=r"(*number), "=qm"(valid)::"cc");
    }
    return valid && *number != 0 && *number != UINT64_MAX;
}

/* Hashes a new reading of everything into the key. */
static void stir(uint8_t key[16], struct features features)
{
    uint64_t input[8 + 2] = {0};
    uint64_t output[2];

    for (unsigned i = 0; i < 8; i++) {
        (void)io_in8(JITTER_PORT);
        input[i] = read_counter();
    }
    if (processor_number(features, &input[8]))
        (void)processor_number(features, &input[9]);
    output[0] = siphash(key, input, sizeof(input));
    input[0] ^= UINT64_MAX;
    output[1] = siphash(key, input, sizeof(input));
    memcpy(key, output, sizeof(output));
}

void machine_entropy(void *buffer, size_t bytes)
{
    const struct features features = find_features();
    uint8_t key[16] = {0};
    uint8_t *to = buffer;
    uint64_t counter = 0;

    for (unsigned i = 0; i < READINGS / 8; i++)
        stir(key, features);
    while (bytes > 0) {
        const size_t step = bytes < 8 ? bytes : 8;
        uint64_t word;

        stir(key, features);
        counter++;
        word = siphash(key, &counter, sizeof(counter));
        memcpy(to, &word, step);
        to += step;
        bytes -= step;
    }
    memset(key, 0, sizeof(key));
}
