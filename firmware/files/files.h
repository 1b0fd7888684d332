/* Shared files over the web: list, upload, download with ranges, delete.
 *
 * Who may is said by two settings of the store: "files_read" is "users"
 * (default), "everyone" or "off"; "files_write" is "admins" (default), "users"
 * or "off". Whoever may write may replace and delete. "files_max_mb" is the
 * largest file, 64 if it is not said. */
#ifndef FILES_FILES_H
#define FILES_FILES_H

#include "core/err.h"

/* files_init - adds the pages. After http_server_init(). Returns OK or
 * ERR_MEMORY. */
enum err files_init(void) MUST_CHECK;

#endif
