/* The whole frame of a unit test: CHECK() counts, check_report() prints the
 * closing line and gives the exit status. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <stdio.h>

static unsigned check_passed_count, check_failed_count;

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (condition) {                                                       \
            check_passed_count++;                                              \
        } else {                                                               \
            check_failed_count++;                                              \
            printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);     \
        }                                                                      \
    } while (0)

static inline int check_report(void)
{
    printf("%u passed, %u failed\n", check_passed_count, check_failed_count);
    return check_failed_count != 0;
}

#endif
