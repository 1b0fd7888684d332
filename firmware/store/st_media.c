/* The stick as mailstore sees it: each call submits one disk request for the
 * coroutine that runs and gives way until it is answered.
 *
 * Before each request the disk's generation is looked at: a stick that was
 * pulled and put back, or another one in its place, is not the one that the
 * store was opened on, and nothing may reach it. */
#include "st_internal.h"
#include "core/check.h"
#include <string.h>

static void disk_done(struct machine_disk_request *request)
{
    struct st_worker *worker = request->context;

    worker->state = WORKER_READY;
}

bool st_media_lost(void)
{
    struct machine_disk_info info;

    machine_disk_info(st_context.disk, &info);
    return !info.present || info.generation != st_context.generation;
}

static enum err submit(enum machine_disk_operation operation, uint64_t sector,
                       uint32_t count, void *buffer)
{
    struct st_worker *worker = (struct st_worker *)(void *)coroutine_current();
    struct machine_disk_request *request = &worker->disk;

    ASSERT(worker != NULL);
    if (!st_context.gone && st_media_lost())
        st_context.gone = true;
    if (st_context.gone)
        return ERR_GONE;
    memset(request, 0, sizeof *request);
    list_init(&request->link);
    request->operation = operation;
    request->disk = st_context.disk;
    request->sector = sector;
    request->sectors = count;
    request->buffer = buffer;
    request->done = disk_done;
    request->context = worker;
    worker->state = WORKER_DISK;
    machine_disk_submit(request);
    while (worker->state == WORKER_DISK)
        coroutine_suspend();
    if (request->result == ERR_GONE)
        st_context.gone = true;
    return request->result;
}

static enum err move(enum machine_disk_operation operation, uint64_t sector,
                     uint32_t count, uint8_t *buffer)
{
    if (sector >= st_context.media.sectors ||
        count > st_context.media.sectors - sector)
        return ERR_INVALID;
    while (count) {
        uint32_t part =
            count < MACHINE_DISK_SECTORS_MAX ? count : MACHINE_DISK_SECTORS_MAX;
        enum err err = submit(operation, sector, part, buffer);

        if (err)
            return err;
        sector += part;
        count -= part;
        buffer += (size_t)part * MEDIA_SECTOR_BYTES;
    }
    return OK;
}

static enum err media_read(struct media *media, uint64_t sector, uint32_t count,
                           void *buffer)
{
    (void)media;
    return move(MACHINE_DISK_READ, sector, count, buffer);
}

static enum err media_write(struct media *media, uint64_t sector,
                            uint32_t count, const void *buffer)
{
    (void)media;
    return move(MACHINE_DISK_WRITE, sector, count,
                (uint8_t *)(uintptr_t)buffer);
}

static enum err media_flush(struct media *media)
{
    (void)media;
    return submit(MACHINE_DISK_FLUSH, 0, 0, NULL);
}

void st_media_init(void)
{
    st_context.media.read = media_read;
    st_context.media.write = media_write;
    st_context.media.flush = media_flush;
}
