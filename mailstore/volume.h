/* What all connections of this process to one store share: the two files on
 * the medium, the locks between connections, and the wal-index. */
#ifndef MAILSTORE_VOLUME_H
#define MAILSTORE_VOLUME_H

#include "mailstore/store.h"
#include "mailstore/window.h"

#define VOLUMES            2  /* of stores */
#define VOLUMES_DATA       2  /* of databases beside them: sql.h */
#define VOLUME_SHM_REGIONS 64 /* 4096 WAL frames each */
#define VOLUME_SHM_LOCKS   8  /* SQLITE_SHM_NLOCK */
/* Gathering buffers: a commit, resp. a run of a checkpoint, in one write. */
#define VOLUME_WAL_WINDOW      (256 * 1024)
#define VOLUME_DATABASE_WINDOW (128 * 1024)
#define VOLUME_DATA_WINDOW     (32 * 1024)
#define VOLUME_NAME_BYTES      12
#define VOLUME_PAGE_BYTES      4096

struct volume {
    struct store_place place;
    unsigned connections;
    char name[VOLUME_NAME_BYTES]; /* "0/mail.db" */
    bool unflushed;   /* written to since the last flush that began */
    unsigned flushes; /* that have begun and not ended */
    enum err error;   /* the medium's last */
    struct window database, wal;
    uint64_t database_bytes; /* as SQLite sees it */
    bool wal_live;           /* as SQLite sees it: the file exists */
    bool empty;        /* neither file has the head of a database or WAL */
    bool wal_measured; /* wal.high is true */

    /* Locks on the database file (SQLite's five states). */
    unsigned shared;
    bool reserved, pending;

    void *shm[VOLUME_SHM_REGIONS];
    size_t shm_bytes; /* of one region */
    unsigned shm_shared[VOLUME_SHM_LOCKS];
    bool shm_exclusive[VOLUME_SHM_LOCKS];
};

/* volume_module_init - registers the VFS and takes the windows' memory.
 * Returns the bytes taken from `memory`, or ERR_MEMORY. */
int volume_module_init(void *memory, size_t bytes,
                       int64_t (*wall_clock_ms)(void)) MUST_CHECK;

/* The heap, which the medium may read into directly. */
void volume_set_heap(void *heap, size_t bytes);

/* volume_take - the volume of a place, opened when nobody has it open; one
 * volume_give_back() for each. */
enum err volume_take(const struct store_place *place,
                     struct volume **volume) MUST_CHECK;
void volume_give_back(struct volume *volume);

/* volume_erase - makes both files empty, durably. */
enum err volume_erase(struct volume *volume) MUST_CHECK;

/* volume_wal_frames - committed frames in the WAL; *moved: how many of them a
 * checkpoint has moved. */
uint32_t volume_wal_frames(const struct volume *volume, uint32_t *moved);

/* The most frames that the WAL file can hold. */
uint32_t volume_wal_capacity(const struct volume *volume);

#endif
