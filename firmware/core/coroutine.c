/* Coroutines: stacks and the switch between them.
 *
 * MT resumes, a coroutine suspends; there is never more than one level. Under
 * AddressSanitizer each switch is announced, so that stack checks go on. */
#include "core/coroutine.h"
#include "core/check.h"
#include "core/machine.h"
#include <stdint.h>
#include <string.h>

void coroutine_switch(void **save_stack_pointer, void *load_stack_pointer);
void coroutine_start(void);
_Noreturn void coroutine_main(void);

#ifdef __SANITIZE_ADDRESS__
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom,
                                    size_t bytes);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom,
                                     size_t *bytes);
#else
static void __sanitizer_start_switch_fiber(void **fake_stack,
                                           const void *bottom, size_t bytes)
{
    (void)fake_stack;
    (void)bottom;
    (void)bytes;
}

static void __sanitizer_finish_switch_fiber(void *fake_stack,
                                            const void **bottom, size_t *bytes)
{
    (void)fake_stack;
    (void)bottom;
    (void)bytes;
}
#endif

static struct {
    struct coroutine *current;
    void *main_stack_pointer;
    const void *main_stack; /* known to the sanitizer only */
    size_t main_stack_bytes;
} state;

enum err coroutine_init(struct coroutine *coroutine, size_t stack_bytes,
                        void (*entry)(void *argument), void *argument)
{
    /* As coroutine_switch leaves a stack: control words, six registers, the
     * address to return to. Behind it 8 bytes, so that the stack is aligned as
     * after a call. */
    uint64_t *frame;
    uint8_t *top;

    memset(coroutine, 0, sizeof(*coroutine));
    coroutine->stack = machine_stack_take(stack_bytes);
    if (coroutine->stack == NULL)
        return ERR_MEMORY;
    coroutine->stack_bytes = stack_bytes;
    coroutine->entry = entry;
    coroutine->argument = argument;
    top = (uint8_t *)coroutine->stack + stack_bytes;
    frame = (uint64_t *)(void *)(top - 16) - 8;
    memset(frame, 0, 10 * sizeof(*frame));
    frame[0] = (uint64_t)0x037f << 32 | 0x1f80; /* defaults of the ABI */
    frame[7] = (uint64_t)(uintptr_t)coroutine_start;
    coroutine->stack_pointer = frame;
    return OK;
}

void coroutine_main(void)
{
    struct coroutine *self = state.current;

    __sanitizer_finish_switch_fiber(NULL, &state.main_stack,
                                    &state.main_stack_bytes);
    self->entry(self->argument);
    self->finished = true;
    coroutine_suspend();
    PANIC("a finished coroutine was resumed");
}

void coroutine_resume(struct coroutine *coroutine)
{
    void *fake_stack = NULL;

    ASSERT(state.current == NULL && !coroutine->finished);
    state.current = coroutine;
    __sanitizer_start_switch_fiber(&fake_stack, coroutine->stack,
                                   coroutine->stack_bytes);
    coroutine_switch(&state.main_stack_pointer, coroutine->stack_pointer);
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
    state.current = NULL;
}

void coroutine_suspend(void)
{
    struct coroutine *self = state.current;

    ASSERT(self != NULL);
    __sanitizer_start_switch_fiber(self->finished ? NULL
                                                  : &self->sanitizer_stack,
                                   state.main_stack, state.main_stack_bytes);
    coroutine_switch(&self->stack_pointer, state.main_stack_pointer);
    __sanitizer_finish_switch_fiber(self->sanitizer_stack, &state.main_stack,
                                    &state.main_stack_bytes);
}

struct coroutine *coroutine_current(void)
{
    return state.current;
}
