/* The workstation's side of core/check.h, core/log.h and of the few calls of
 * core/machine.h that the store and userdb reach.
 *
 * A failed REQUIRE is not printed: its error travels up to where a sentence is
 * made of it. A failed ASSERT is our own mistake and ends the process before
 * it writes anything more. */
#include "mkusb/host_services.h"
#include "core/check.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/random.h"
#include "mailstore/store.h"
#include "mkusb/say.h"
#include "userdb/user.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define STORE_HEAP_BYTES (64u * 1024 * 1024)

static struct {
    uint64_t failures;
} state;

void check_failed(const char *file, int line, const char *condition)
{
    (void)file;
    (void)line;
    (void)condition;
    state.failures++;
}

uint64_t check_failures(void)
{
    return state.failures;
}

_Noreturn void panic_at(const char *file, int line, const char *message)
{
    fprintf(stderr, "mkusb: internal error at %s:%d: %s\n", file, line,
            message);
    abort();
}

void log_write(enum log_level level, const char *module, const char *format,
               ...)
{
    va_list list;

    if (level > LOG_WARN)
        return;
    say_step_end();
    fprintf(stderr, "mkusb: %s: ", module);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

int64_t machine_wall_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void host_random(void *buffer, size_t bytes)
{
    uint8_t *to = buffer;

    while (bytes > 0) {
        ssize_t got = getrandom(to, bytes, 0);

        if (got > 0) {
            to += got;
            bytes -= (size_t)got;
        }
    }
}

void machine_entropy(void *buffer, size_t bytes)
{
    host_random(buffer, bytes);
}

enum err host_services_init(void)
{
    size_t arena_bytes = (size_t)PASSWORD_MEMORY_MAX_KIB * 1024;
    void *heap = aligned_alloc(4096, STORE_HEAP_BYTES);
    void *arena = aligned_alloc(4096, arena_bytes);

    if (heap == NULL || arena == NULL ||
        store_module_init(heap, STORE_HEAP_BYTES, machine_wall_clock_ms) != OK)
        return say_refused("out of memory");
    random_module_init();
    password_module_init(arena, arena_bytes, NULL);
    return OK;
}
