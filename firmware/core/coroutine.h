/* Coroutines: for the few tasks that call code which cannot return half-way
 * (SQLite, argon2). Each has its own stack with a guard page under it.
 *
 * resume() runs it until it calls suspend() or its entry returns; both are
 * plain switches of the stack, no scheduler behind them. */
#ifndef CORE_COROUTINE_H
#define CORE_COROUTINE_H

#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>

struct coroutine {
    void *stack_pointer; /* while it does not run */
    void *stack;         /* lowest address */
    size_t stack_bytes;
    void (*entry)(void *argument);
    void *argument;
    bool finished;
    void *sanitizer_stack; /* AddressSanitizer's own book-keeping */
};

/* coroutine_init - takes a stack from the machine; entry starts at the first
 * resume. Returns OK or ERR_MEMORY. */
enum err coroutine_init(struct coroutine *coroutine, size_t stack_bytes,
                        void (*entry)(void *argument),
                        void *argument) MUST_CHECK;

/* coroutine_resume - from MT only: runs it until it suspends or ends. */
void coroutine_resume(struct coroutine *coroutine);

/* coroutine_suspend - from inside: back to the one who resumed. */
void coroutine_suspend(void);

/* coroutine_current - the one that runs, or NULL in MT. */
struct coroutine *coroutine_current(void);

#endif
