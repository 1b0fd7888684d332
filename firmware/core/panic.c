/* What happens when a check does not hold. */
#include "core/check.h"
#include "core/log.h"
#include "core/machine.h"
#include <stdbool.h>
#include <stdio.h>

/* REQUIREs that may be logged in one second. */
#define FAILURES_PER_SECOND 8

static struct {
    uint64_t failures;
    uint64_t second;
    unsigned logged_in_second;
    bool panicking;
} state;

void check_failed(const char *file, int line, const char *condition)
{
    uint64_t second = machine_monotonic_ns() / 1000000000;

    state.failures++;
    if (second != state.second) {
        state.second = second;
        state.logged_in_second = 0;
    }
    if (state.logged_in_second++ < FAILURES_PER_SECOND)
        log_warn("check", "failed at=%s:%d condition=\"%s\" total=%llu", file,
                 line, condition, (unsigned long long)state.failures);
}

uint64_t check_failures(void)
{
    return state.failures;
}

_Noreturn void panic_at(const char *file, int line, const char *message)
{
    char text[256];

    /* A panic inside a panic: nothing of the image can be trusted. */
    if (state.panicking)
        machine_restart();
    state.panicking = true;
    (void)snprintf(text, sizeof(text), "%s at %s:%d", message, file, line);
    machine_fail(text);
}
