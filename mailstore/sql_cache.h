/* Page caches of queries, apart from mail's: their pages lie in the query's
 * heap (sql_heap.h), so that a scan of a large table pushes out nothing that
 * mail's writer needs, and a large temporary table takes no room from it. */
#ifndef MAILSTORE_SQL_CACHE_H
#define MAILSTORE_SQL_CACHE_H

#include "core/err.h"

/* sql_cache_install - puts itself before SQLite's page cache; before
 * sqlite3_initialize(). */
enum err sql_cache_install(void) MUST_CHECK;

#endif
