/* Task pools and the circular list. */
#include "core/task.h"
#include "core/check.h"
#include "core/memory.h"

static struct {
    struct list circular;
    struct list pools;
} state;

void task_module_init(void)
{
    list_init(&state.circular);
    list_init(&state.pools);
}

enum err task_pool_init(struct task_pool *pool, const char *name, size_t size,
                        unsigned count, void (*step)(struct task *task))
{
    ASSERT(size >= sizeof(struct task));
    size = (size + 63) & ~(size_t)63;
    pool->tasks = memory_take(name, size * count, 64);
    pool->stack = memory_take(name, sizeof(struct task *) * count, 64);
    if (pool->tasks == NULL || pool->stack == NULL)
        return ERR_MEMORY;
    pool->name = name;
    pool->size = size;
    pool->count = count;
    pool->free = 0;
    pool->lowest_free = count;
    pool->pops = 0;
    pool->refusals = 0;
    /* The first of them ends on top of the stack. */
    for (unsigned i = count; i-- > 0;) {
        void *memory = pool->tasks + size * i;
        struct task *task = memory;

        list_init(&task->link);
        task->pool = pool;
        task->step = step;
        task->index = i;
        task->active = false;
        pool->stack[pool->free++] = task;
    }
    list_append(&state.pools, &pool->link);
    return OK;
}

struct task *task_pop(struct task_pool *pool)
{
    struct task *task;

    if (pool->free == 0) {
        pool->refusals++;
        return NULL;
    }
    task = pool->stack[--pool->free];
    if (pool->free < pool->lowest_free)
        pool->lowest_free = pool->free;
    pool->pops++;
    task->active = true;
    return task;
}

void task_push(struct task *task)
{
    struct task_pool *pool = task->pool;

    ASSERT(task->active && pool->free < pool->count);
    task->active = false;
    list_remove(&task->link);
    pool->stack[pool->free++] = task;
}

void task_ready(struct task *task)
{
    ASSERT(task->active && task->step != NULL);
    if (list_empty(&task->link))
        list_append(&state.circular, &task->link);
}

unsigned task_run(void)
{
    struct list now;
    struct list *node;
    unsigned stepped = 0;

    /* What becomes ready meanwhile waits for the next lap, so that one lap
     * always ends. */
    if (list_empty(&state.circular))
        return 0;
    now = state.circular;
    now.next->previous = &now;
    now.previous->next = &now;
    list_init(&state.circular);
    while ((node = list_take_first(&now)) != NULL) {
        struct task *task = LIST_ELEMENT(node, struct task, link);

        stepped++;
        task->step(task);
    }
    return stepped;
}

bool task_any_ready(void)
{
    return !list_empty(&state.circular);
}

struct list *task_pools(void)
{
    return &state.pools;
}
