/* The two checks of the AO.
 *
 * REQUIRE is for whatever comes from outside (wire, disk, device, user): when
 * the condition does not hold, the input was wrong; the event is counted and
 * logged (rate-limited) and the function returns the error.
 * ASSERT is for our own invariants: when it does not hold, we are wrong, and
 * the AO stops with a panic screen. Never ASSERT on what a device says. */
#ifndef CORE_CHECK_H
#define CORE_CHECK_H

#include "core/err.h"
#include <stdint.h>

/* Counts a failed REQUIRE and logs it, at most 8 lines a second in all. */
void check_failed(const char *file, int line, const char *condition);

/* How many REQUIREs have failed since start. */
uint64_t check_failures(void);

/* Stops the AO: message, backtrace and last log lines on every console, then
 * restart. Does not return. */
_Noreturn void panic_at(const char *file, int line, const char *message);

#define REQUIRE(condition, error)                                              \
    do {                                                                       \
        if (__builtin_expect(!(condition), 0)) {                               \
            check_failed(__FILE__, __LINE__, #condition);                      \
            return (error);                                                    \
        }                                                                      \
    } while (0)

#define ASSERT(condition)                                                      \
    do {                                                                       \
        if (__builtin_expect(!(condition), 0))                                 \
            panic_at(__FILE__, __LINE__, #condition);                          \
    } while (0)

#define PANIC(message) panic_at(__FILE__, __LINE__, message)

#endif
