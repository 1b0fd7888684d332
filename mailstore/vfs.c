/* SQLite's VFS onto the store's two files, see
 * sqlite.org/c3ref/io_methods.html.
 *
 * - mail.db: its size is the one in its header, raised by writes; the file on
 *   the medium is longer.
 * - mail.db-wal: exists when it begins with anything but zeros, and is then as
 *   long as its extent: the frames of an earlier round end recovery by their
 *   salt. Deleting it clears its first block.
 * - nothing else can be opened: temporary tables and statement journals are in
 *   memory, and there is no rollback journal in WAL mode.
 * The medium promises nothing about the neighbours of a sector that is being
 * written when the power goes: no POWERSAFE_OVERWRITE, sectors of 4 KiB, so
 * SQLite fills up a commit to the end of a block before it trusts it.
 * One process only: locks and wal-index are memory. */
#include "mailstore/vfs.h"
#include "core/random.h"
#include <sqlite3.h>
#include <string.h>

#define WAL_HEADER_BYTES 32
/* Only recovery reads a frame with its header. */
#define WAL_FRAME_BYTES (24 + VOLUME_PAGE_BYTES)

struct vfs_file {
    sqlite3_file base; /* must be first */
    struct volume *volume;
    bool wal;
    int lock;
    unsigned shm_shared, shm_exclusive; /* bit i: holds lock i */
};

static int64_t (*wall_clock)(void);

static struct vfs_file *file_of(sqlite3_file *base)
{
    return (struct vfs_file *)base;
}

static struct window *window_of(const struct vfs_file *file)
{
    return file->wal ? &file->volume->wal : &file->volume->database;
}

static uint64_t size_of(const struct vfs_file *file)
{
    const struct volume *volume = file->volume;

    if (!file->wal)
        return volume->database_bytes;
    return volume->wal_live ? volume->wal.bytes : 0;
}

/* The medium's error as SQLite's; kept for the one who asks what it was. */
static int io_result(struct vfs_file *file, enum err err, int code)
{
    if (!err)
        return SQLITE_OK;
    if (err == ERR_FULL)
        return SQLITE_FULL;
    if (err == ERR_MEMORY)
        return SQLITE_IOERR_NOMEM;
    file->volume->error = err;
    return code;
}

static int file_unlock(sqlite3_file *base, int level);

static int file_close(sqlite3_file *base)
{
    return file_unlock(base, SQLITE_LOCK_NONE);
}

static int file_read(sqlite3_file *base, void *buffer, int bytes,
                     sqlite3_int64 offset)
{
    struct vfs_file *file = file_of(base);
    struct window *window = window_of(file);
    uint64_t size = size_of(file);
    uint64_t at = (uint64_t)offset;
    size_t part = (size_t)bytes;
    enum err err;

    if (at >= size) {
        memset(buffer, 0, part);
        return SQLITE_IOERR_SHORT_READ;
    }
    if (part > size - at) {
        memset(buffer, 0, part);
        part = (size_t)(size - at);
    }
    if (file->wal && bytes == WAL_FRAME_BYTES &&
        (at < window->start || at + part > window->start + window->len))
        window_load(window, at);
    err = window_read(window, at, buffer, part, volume_in_heap(buffer));
    if (err)
        return io_result(file, err, SQLITE_IOERR_READ);
    return part < (size_t)bytes ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int file_write(sqlite3_file *base, const void *data, int bytes,
                      sqlite3_int64 offset)
{
    struct vfs_file *file = file_of(base);
    struct volume *volume = file->volume;
    uint64_t at = (uint64_t)offset;
    enum err err;

    if (file->wal) {
        volume_measure_wal(volume);
        /* A new header begins a new round: nothing in the file matters. */
        if (at == 0 && bytes == WAL_HEADER_BYTES)
            volume->wal.high = 0;
    }
    err = window_write(window_of(file), at, data, (size_t)bytes);
    if (err)
        return io_result(file, err, SQLITE_IOERR_WRITE);
    if (file->wal)
        volume->wal_live = true;
    else if (at + (size_t)bytes > volume->database_bytes)
        volume->database_bytes = at + (size_t)bytes;
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct vfs_file *file = file_of(base);

    if (!file->wal) {
        file->volume->database_bytes = (uint64_t)size;
        return SQLITE_OK;
    }
    if (size)
        return SQLITE_OK;
    return io_result(file, volume_end_wal(file->volume), SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct vfs_file *file = file_of(base);
    enum err err = window_write_out(window_of(file));

    (void)flags;
    if (!err)
        err = volume_sync(file->volume);
    return io_result(file, err, SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)size_of(file_of(base));
    return SQLITE_OK;
}

/* sqlite.org/lockingv3.html, among the connections of this process. */
static int file_lock(sqlite3_file *base, int level)
{
    struct vfs_file *file = file_of(base);
    struct volume *volume = file->volume;

    if (file->lock >= level)
        return SQLITE_OK;
    if (file->lock == SQLITE_LOCK_NONE) {
        if (volume->pending)
            return SQLITE_BUSY;
        volume->shared++;
        file->lock = SQLITE_LOCK_SHARED;
    }
    if (level >= SQLITE_LOCK_RESERVED && file->lock < SQLITE_LOCK_RESERVED) {
        if (volume->reserved)
            return SQLITE_BUSY;
        volume->reserved = true;
        file->lock = SQLITE_LOCK_RESERVED;
    }
    if (level == SQLITE_LOCK_EXCLUSIVE) {
        volume->pending = true;
        file->lock = SQLITE_LOCK_PENDING;
        if (volume->shared > 1)
            return SQLITE_BUSY;
        file->lock = SQLITE_LOCK_EXCLUSIVE;
    }
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct vfs_file *file = file_of(base);
    struct volume *volume = file->volume;

    if (file->lock <= level)
        return SQLITE_OK;
    if (file->lock >= SQLITE_LOCK_RESERVED) {
        volume->reserved = false;
        volume->pending = false;
    }
    if (level == SQLITE_LOCK_NONE)
        volume->shared--;
    file->lock = level;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *reserved)
{
    *reserved = file_of(base)->volume->reserved;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
    (void)base;
    return BLOCK_BYTES;
}

static int file_characteristics(sqlite3_file *base)
{
    (void)base;
    return 0;
}

static int shm_map(sqlite3_file *base, int region, int bytes, int extend,
                   void volatile **memory)
{
    struct volume *volume = file_of(base)->volume;

    *memory = NULL;
    if (region < 0 || region >= VOLUME_SHM_REGIONS)
        return SQLITE_FULL;
    if (!volume->shm[region] && extend) {
        volume->shm[region] = sqlite3_malloc(bytes);
        if (!volume->shm[region])
            return SQLITE_NOMEM;
        memset(volume->shm[region], 0, (size_t)bytes);
    }
    *memory = volume->shm[region];
    return SQLITE_OK;
}

static bool shm_lock_free(const struct vfs_file *file, int lock, bool shared)
{
    const struct volume *volume = file->volume;
    unsigned own_shared = file->shm_shared >> lock & 1;
    bool own_exclusive = file->shm_exclusive >> lock & 1;

    if (volume->shm_exclusive[lock] && !own_exclusive)
        return false;
    return shared || volume->shm_shared[lock] == own_shared;
}

static void shm_unlock_one(struct vfs_file *file, int lock)
{
    unsigned bit = 1u << lock;

    if (file->shm_shared & bit)
        file->volume->shm_shared[lock]--;
    if (file->shm_exclusive & bit)
        file->volume->shm_exclusive[lock] = false;
    file->shm_shared &= ~bit;
    file->shm_exclusive &= ~bit;
}

static void shm_lock_one(struct vfs_file *file, int lock, bool shared)
{
    unsigned bit = 1u << lock;

    if (!shared) {
        file->volume->shm_exclusive[lock] = true;
        file->shm_exclusive |= bit;
    } else if (!(file->shm_shared & bit)) {
        file->volume->shm_shared[lock]++;
        file->shm_shared |= bit;
    }
}

static int shm_lock(sqlite3_file *base, int first, int count, int flags)
{
    struct vfs_file *file = file_of(base);
    bool shared = flags & SQLITE_SHM_SHARED;

    if (flags & SQLITE_SHM_UNLOCK) {
        for (int i = first; i < first + count; i++)
            shm_unlock_one(file, i);
        return SQLITE_OK;
    }
    for (int i = first; i < first + count; i++) {
        if (!shm_lock_free(file, i, shared))
            return SQLITE_BUSY;
    }
    for (int i = first; i < first + count; i++)
        shm_lock_one(file, i, shared);
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int shm_unmap(sqlite3_file *base, int delete)
{
    struct vfs_file *file = file_of(base);

    for (int i = 0; i < VOLUME_SHM_LOCKS; i++)
        shm_unlock_one(file, i);
    if (delete)
        volume_drop_shm(file->volume);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static bool is_wal_name(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, "-wal") == 0;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base,
                    int flags, int *out_flags)
{
    struct vfs_file *file = file_of(base);

    (void)vfs;
    memset(file, 0, sizeof *file);
    if (!name || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
        return SQLITE_CANTOPEN;
    file->volume = volume_by_name(name);
    if (!file->volume)
        return SQLITE_CANTOPEN;
    file->wal = is_wal_name(name);
    file->base.pMethods = &methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct volume *volume = volume_by_name(name);
    enum err err = OK;

    (void)vfs;
    if (!volume || !is_wal_name(name))
        return SQLITE_OK;
    if (volume->wal_live)
        err = volume_end_wal(volume);
    if (!err && sync)
        err = volume_sync(volume);
    return err ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags,
                      int *result)
{
    const struct volume *volume = volume_by_name(name);

    (void)vfs;
    (void)flags;
    *result = volume && is_wal_name(name) && volume->wal_live;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int bytes,
                         char *path)
{
    (void)vfs;
    sqlite3_snprintf(bytes, path, "%s", name);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int bytes, char *buffer)
{
    (void)vfs;
    random_bytes(buffer, (size_t)bytes);
    return bytes;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int vfs_last_error(sqlite3_vfs *vfs, int bytes, char *text)
{
    (void)vfs;
    (void)bytes;
    (void)text;
    return 0;
}

/* Milliseconds since noon in Greenwich on November 24, 4714 B.C. */
static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *time)
{
    (void)vfs;
    *time = 210866760000000 + (wall_clock ? wall_clock() : 0);
    return SQLITE_OK;
}

static sqlite3_vfs vfs_table = {
    .iVersion = 2,
    .szOsFile = sizeof(struct vfs_file),
    .mxPathname = 64,
    .zName = "barepost",
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_path,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xGetLastError = vfs_last_error,
    .xCurrentTimeInt64 = vfs_time,
};

void vfs_set_clock(int64_t (*wall_clock_ms)(void))
{
    wall_clock = wall_clock_ms;
}

int sqlite3_os_init(void)
{
    return sqlite3_vfs_register(&vfs_table, 1);
}

int sqlite3_os_end(void)
{
    return SQLITE_OK;
}
