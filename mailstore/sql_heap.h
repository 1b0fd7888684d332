/* Memory of its own for each query that an administrator or user runs.
 *
 * SQLite has one allocator for the whole process, and mail lives from it. So
 * allocations made for a query are served from that query's heap, which cannot
 * grow: a query that wants more fails by itself, and no page, no fragment of
 * mail's memory is touched by it. Who runs a query says so by sql_heap_use(),
 * each time it goes on; what is freed is known by its address. */
#ifndef MAILSTORE_SQL_HEAP_H
#define MAILSTORE_SQL_HEAP_H

#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>

#define SQL_HEAPS 2
#define SQL_NONE  (-1)

/* sql_heap_init - gives heap `index` its memory, which is all of it for ever.
 * Returns OK, or ERR_MEMORY when it is too little. */
enum err sql_heap_init(int index, void *memory, size_t bytes) MUST_CHECK;

/* sql_heap_use - from now on allocations come from this heap; SQL_NONE: from
 * mail's. stack: the lowest address of the stack that runs; near it SQLite gets
 * no memory any more and returns, so that no nesting of views or triggers can
 * run over its end. */
void sql_heap_use(int index, const void *stack);

/* sql_heap_current - the one in use, or SQL_NONE. */
int sql_heap_current(void);

/* sql_heap_holds - whether this address lies in one of the heaps. */
bool sql_heap_holds(const void *memory);

/* sql_heap_bytes - of the heap in use; 0: none. sql_heap_peak - the most that
 * was ever taken of heap `index`. */
size_t sql_heap_bytes(void);
size_t sql_heap_peak(int index);

/* sql_heap_install - puts itself between SQLite and the allocator that is
 * configured; before sqlite3_initialize(). */
enum err sql_heap_install(void) MUST_CHECK;

#endif
