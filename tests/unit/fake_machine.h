/* The state of the machine that unit tests run on: see fake_machine.c. */
#ifndef TESTS_UNIT_FAKE_MACHINE_H
#define TESTS_UNIT_FAKE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

struct fake_machine {
    uint64_t now_ns;              /* the test moves it */
    int64_t wall_clock_offset_ms; /* Unix time at now_ns 0 */
    size_t memory_taken;
    uint32_t entropy;
};

extern struct fake_machine fake_machine;

#endif
