/* The stick as mailstore sees it: each call submits one disk request for the
 * coroutine that runs and gives way until it is answered.
 *
 * Before each request the disk's generation is looked at: a stick that was
 * pulled and put back, or another one in its place, is not the one that the
 * store was opened on, and nothing may reach it. */
#include "st_internal.h"
#include "st_stick.h"
#include "core/check.h"
#include "core/log.h"
#include "core/timer.h"
#include <stdio.h>
#include <string.h>

/* A stick that has not answered for so long is said to stall. */
#define STALL_MS 3000
/* Trouble that comes and goes stays on the screen for so long. */
#define CALM_MS 10000

enum trouble { TROUBLE_NONE, TROUBLE_WRITE, TROUBLE_READ, TROUBLE_PROTECTED };

static struct {
    enum trouble trouble;
    uint64_t last_ms; /* when it showed last */
    bool stalled;     /* as it was said last */
    bool taken;       /* st_stick_take() */
    char text[80];
} state;

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

/* ---- Trouble ------------------------------------------------------------ */

static enum trouble trouble_of(enum machine_disk_operation operation,
                               enum err result)
{
    if (result == ERR_REFUSED)
        return TROUBLE_PROTECTED;
    return operation == MACHINE_DISK_READ ? TROUBLE_READ : TROUBLE_WRITE;
}

/* One that was answered: what it tells of the stick. */
static void judge(enum machine_disk_operation operation, enum err result)
{
    const bool reads = operation == MACHINE_DISK_READ;
    enum trouble now;

    if (result == OK) {
        if (reads == (state.trouble == TROUBLE_READ) &&
            state.trouble != TROUBLE_NONE &&
            timer_now_ms() > state.last_ms + CALM_MS) {
            state.trouble = TROUBLE_NONE;
            log_info("st", "the stick %s works again", st_context.stick);
        }
        return;
    }
    if (result != ERR_IO && result != ERR_REFUSED)
        return;
    now = trouble_of(operation, result);
    state.last_ms = timer_now_ms();
    /* Of several troubles the first that was seen stays. */
    if (state.trouble != TROUBLE_NONE)
        return;
    state.trouble = now;
    log_err("st", "%s", st_trouble());
}

static uint64_t waiting_ms(const struct st_worker *workers, unsigned count)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < count; i++) {
        const uint64_t ms = timer_now_ms() - workers[i].disk_since_ms;

        if (workers[i].state == WORKER_DISK && ms > most)
            most = ms;
    }
    return most;
}

static uint64_t longest_wait_ms(void)
{
    const uint64_t ms = waiting_ms(st_context.workers, ST_WORKERS);
    const uint64_t jobs_ms = waiting_ms(st_context.job_workers, ST_JOBS);

    return ms > jobs_ms ? ms : jobs_ms;
}

const char *st_trouble(void)
{
    static const char *const words[] = {
        [TROUBLE_NONE] = "",
        [TROUBLE_WRITE] = "fails to write: no mail is taken",
        [TROUBLE_READ] = "fails to read",
        [TROUBLE_PROTECTED] = "is write-protected: no mail is taken",
    };
    const uint64_t ms = longest_wait_ms();

    if (ms > STALL_MS && !st_context.gone)
        (void)snprintf(state.text, sizeof state.text,
                       "%s has not answered for %u s", st_context.stick,
                       (unsigned)(ms / 1000));
    else if (state.trouble != TROUBLE_NONE && !st_context.gone)
        (void)snprintf(state.text, sizeof state.text, "%s %s", st_context.stick,
                       words[state.trouble]);
    else
        state.text[0] = '\0';
    return state.text;
}

void st_media_watch(void)
{
    const bool stalled = !st_context.gone && longest_wait_ms() > STALL_MS;

    if (stalled && !state.stalled)
        log_err("st", "%s", st_trouble());
    state.stalled = stalled;
}

void st_media_opened(void)
{
    state.trouble = TROUBLE_NONE;
}

/* ---- Requests ----------------------------------------------------------- */

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
    worker->disk_since_ms = timer_now_ms();
    machine_disk_submit(request);
    while (worker->state == WORKER_DISK)
        coroutine_suspend();
    if (request->result == ERR_GONE)
        st_context.gone = true;
    judge(operation, request->result);
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

struct media *st_stick_take(void)
{
    while (state.taken)
        st_give_way(WORKER_READY);
    state.taken = true;
    return &st_context.media;
}

void st_stick_give_back(void)
{
    state.taken = false;
}

void st_media_init(void)
{
    st_context.media.read = media_read;
    st_context.media.write = media_write;
    st_context.media.flush = media_flush;
}
