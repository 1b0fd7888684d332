/* Between volume.c and vfs.c. */
#ifndef MAILSTORE_VFS_H
#define MAILSTORE_VFS_H

#include "mailstore/volume.h"

void vfs_set_clock(int64_t (*wall_clock_ms)(void));

/* volume_by_name - by the name SQLite was given, with or without a suffix. */
struct volume *volume_by_name(const char *name);
bool volume_in_heap(const void *memory);
/* volume_sync - the medium's flush, when anything was written since. */
enum err volume_sync(struct volume *volume) MUST_CHECK;
/* volume_end_wal - the WAL holds nothing any more; not flushed. */
enum err volume_end_wal(struct volume *volume) MUST_CHECK;
/* volume_measure_wal - finds out, before the first write to the WAL, up to
 * where it holds what is still wanted. */
void volume_measure_wal(struct volume *volume);
void volume_drop_shm(struct volume *volume);

#endif
