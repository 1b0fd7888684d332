/* Tasks: run-to-completion steps on the one shared stack.
 *
 * Tasks of one kind are made at start and kept on the stack of their pool.
 * task_pop() takes one when a session begins; task_ready() puts it into the
 * circular list when there is work; MT calls its step, once per entry; and
 * task_push() returns it to its pool at the end. Nothing is created or freed
 * while the AO runs. */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include "core/err.h"
#include "core/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task_pool;

/* Embedded as the first member of a protocol's own session structure. */
struct task {
    struct list link; /* in the circular list when ready */
    struct task_pool *pool;
    void (*step)(struct task *task);
    uint32_t index; /* in its pool; names the task on screen */
    bool active;    /* popped, not yet pushed back */
};

struct task_pool {
    struct list link;    /* all pools, for the task view */
    const char *name;    /* "SMTPS", "POP3S", ... */
    uint8_t *tasks;      /* count elements of size bytes each */
    struct task **stack; /* the idle ones; free of them */
    size_t size;
    unsigned count;
    unsigned free;
    unsigned lowest_free; /* high-water mark of use */
    uint64_t pops;
    uint64_t refusals; /* pops of an empty pool */
};

/* task_pool_init - makes `count` zeroed tasks of `size` bytes.
 * step: called by MT for a task that was made ready; may be NULL for tasks that
 * only run inside callbacks. Returns OK or ERR_MEMORY. */
enum err task_pool_init(struct task_pool *pool, const char *name, size_t size,
                        unsigned count,
                        void (*step)(struct task *task)) MUST_CHECK;

/* task_pop - an idle task, or NULL (counted) when all are in use. Its memory
 * behind struct task is as the last user left it. */
struct task *task_pop(struct task_pool *pool);

/* task_push - gives it back; takes it out of the circular list first. */
void task_push(struct task *task);

/* task_ready - appends the task to the circular list, if it is not in it. */
void task_ready(struct task *task);

/* task_run - MT: steps every task that is in the list now, once each.
 * Returns how many it stepped. */
unsigned task_run(void);

/* task_any_ready - whether the circular list holds work. */
bool task_any_ready(void);

/* task_pools - head of the list of all pools, in the order they were made. */
struct list *task_pools(void);

/* task_module_init - empties the circular list; once, before any pool. */
void task_module_init(void);

#endif
