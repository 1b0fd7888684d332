/* Simulated sticks: see stick.h.
 *
 * One request at a time is carried out, in the order of submission. A write
 * reaches the private view when it ends, and waits in the log; a flush that
 * ends brings the log onto the medium. The view is a private mapping of the
 * medium's memory file: pages that the AO has not written show the medium
 * itself, which differs from the view in written sectors only.
 *
 * The power cut. A sector (512 bytes) is atomic; beyond that nothing is
 * promised for what was not flushed: any subset of the sectors, and where a
 * sector was written twice, either version. */
#include "tests/sim/stick.h"
#include "core/list.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE   4096
#define FAULTS 3

struct write_log {
    uint64_t sector;
    uint32_t count;
    uint8_t *data;
};

struct stick {
    struct machine_disk_info info;
    struct sim_medium *medium;
    struct sim_stick_profile profile;
    uint8_t *view;
    struct list queue;                    /* submitted, not begun */
    struct machine_disk_request *current; /* on the stick's chip */
    uint64_t current_hash;
    struct sim_event end;
    uint64_t stalled_until_ns;
    struct write_log *log;
    size_t log_count, log_room;
    struct {
        enum err result;
        uint32_t ppm;
    } faults[FAULTS];
};

static struct {
    bool ready;
    struct stick sticks[MACHINE_DISKS];
    struct list finished;
    uint64_t operations;
    void (*watch)(uint64_t operations, enum machine_disk_operation operation,
                  uint64_t takes_ns);
    struct sim_random timing, fault, cut;
} state;

static void operation_ends(struct sim_event *event);

static void make_ready(void)
{
    if (state.ready)
        return;
    state.ready = true;
    list_init(&state.finished);
    for (unsigned i = 0; i < MACHINE_DISKS; i++) {
        list_init(&state.sticks[i].queue);
        sim_event_init(&state.sticks[i].end, operation_ends);
    }
    sim_random_init(&state.timing, sim_options.seed, "stick timing",
                    sim_shared->boot);
    sim_random_init(&state.fault, sim_options.seed, "stick faults",
                    sim_shared->boot);
    sim_random_init(&state.cut, sim_options.seed, "stick cut",
                    sim_shared->boot);
}

/* ---- Media ------------------------------------------------------------- */

struct sim_medium *sim_medium_make(uint64_t sectors)
{
    struct sim_medium *medium = calloc(1, sizeof(*medium));
    size_t bytes = (size_t)sectors * MACHINE_SECTOR_BYTES;

    if (medium == NULL || bytes % PAGE != 0)
        sim_fail("a medium of %zu bytes", bytes);
    medium->sectors = sectors;
    medium->fd = memfd_create("stick", 0);
    if (medium->fd < 0 || ftruncate(medium->fd, (off_t)bytes) != 0)
        sim_fail("no memory for a stick");
    medium->durable =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, medium->fd, 0);
    if (medium->durable == MAP_FAILED)
        sim_fail("no memory for a stick");
    medium->changed = sim_shared_take(bytes / PAGE);
    return medium;
}

void sim_medium_restore(struct sim_medium *medium,
                        const struct sim_medium *from)
{
    size_t pages = (size_t)medium->sectors * MACHINE_SECTOR_BYTES / PAGE;

    if (medium->sectors != from->sectors)
        sim_fail("media of different sizes");
    for (size_t i = 0; i < pages; i++) {
        if (!medium->changed[i])
            continue;
        memcpy(medium->durable + i * PAGE, from->durable + i * PAGE, PAGE);
        medium->changed[i] = 0;
    }
}

void sim_medium_write(struct sim_medium *medium, uint64_t sector,
                      uint32_t count, const void *data)
{
    uint64_t first = sector * MACHINE_SECTOR_BYTES;
    uint64_t bytes = (uint64_t)count * MACHINE_SECTOR_BYTES;

    memcpy(medium->durable + first, data, bytes);
    for (uint64_t i = first / PAGE; i <= (first + bytes - 1) / PAGE; i++)
        medium->changed[i] = 1;
}

/* ---- The log of unflushed writes --------------------------------------- */

static void log_append(struct stick *stick, uint64_t sector, uint32_t count,
                       const void *data)
{
    size_t bytes = (size_t)count * MACHINE_SECTOR_BYTES;
    struct write_log *entry;

    if (stick->log_count == stick->log_room) {
        stick->log_room = stick->log_room == 0 ? 64 : stick->log_room * 2;
        stick->log = realloc(stick->log, stick->log_room * sizeof(*stick->log));
    }
    if (stick->log == NULL)
        sim_fail("no memory for a stick's log");
    entry = &stick->log[stick->log_count++];
    entry->sector = sector;
    entry->count = count;
    entry->data = malloc(bytes);
    if (entry->data == NULL)
        sim_fail("no memory for a stick's log");
    memcpy(entry->data, data, bytes);
}

static void log_drop(struct stick *stick)
{
    for (size_t i = 0; i < stick->log_count; i++)
        free(stick->log[i].data);
    stick->log_count = 0;
}

static void log_make_durable(struct stick *stick)
{
    for (size_t i = 0; i < stick->log_count; i++) {
        struct write_log *entry = &stick->log[i];

        sim_medium_write(stick->medium, entry->sector, entry->count,
                         entry->data);
    }
    log_drop(stick);
}

/* Writes any subset of an entry's sectors: a part at the front, a part at the
 * end, or a random choice. */
static void tear(struct stick *stick, const struct write_log *entry)
{
    uint32_t border = (uint32_t)sim_random_below(&state.cut, entry->count + 1);
    unsigned kind = (unsigned)sim_random_below(&state.cut, 3);

    for (uint32_t i = 0; i < entry->count; i++) {
        bool written = kind == 0   ? i < border
                       : kind == 1 ? i >= border
                                   : sim_random_chance(&state.cut, 500000);

        if (written)
            sim_medium_write(stick->medium, entry->sector + i, 1,
                             entry->data + i * MACHINE_SECTOR_BYTES);
    }
    sim_shared->writes_torn++;
}

static void shuffle(struct write_log *log, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)sim_random_below(&state.cut, i);
        struct write_log swap = log[i - 1];

        log[i - 1] = log[j];
        log[j] = swap;
    }
}

/* What the medium holds when power has gone. */
static void lose_power(struct stick *stick)
{
    static const uint32_t keep_ppm[] = {333333, 0, 1000000, 900000, 100000};
    uint32_t keep = keep_ppm[sim_random_below(&state.cut, 5)];

    if (stick->current != NULL &&
        stick->current->operation == MACHINE_DISK_WRITE)
        log_append(stick, stick->current->sector, stick->current->sectors,
                   stick->current->buffer);
    if (sim_random_chance(&state.cut, 500000))
        shuffle(stick->log, stick->log_count);
    for (size_t i = 0; i < stick->log_count; i++) {
        struct write_log *entry = &stick->log[i];

        if (sim_random_chance(&state.cut, 200000)) {
            tear(stick, entry);
        } else if (sim_random_chance(&state.cut, keep)) {
            sim_medium_write(stick->medium, entry->sector, entry->count,
                             entry->data);
            sim_shared->writes_kept++;
        } else {
            sim_shared->writes_lost++;
        }
    }
    log_drop(stick);
}

/* ---- Requests ---------------------------------------------------------- */

static uint64_t hash(const void *data, size_t bytes)
{
    const uint8_t *from = data;
    uint64_t value = 0xcbf29ce484222325ull;
    uint64_t word;

    for (; bytes >= 8; bytes -= 8, from += 8) {
        memcpy(&word, from, 8);
        value = (value ^ word) * 0x100000001b3ull;
        value ^= value >> 29;
    }
    return value;
}

static size_t request_bytes(const struct machine_disk_request *request)
{
    return (size_t)request->sectors * MACHINE_SECTOR_BYTES;
}

static uint64_t request_time(struct stick *stick,
                             const struct machine_disk_request *request)
{
    const struct sim_stick_profile *profile = &stick->profile;
    uint64_t kib = (request_bytes(request) + 1023) / 1024;
    uint64_t ns = profile->flush_ns;

    if (request->operation == MACHINE_DISK_READ)
        ns = profile->read_ns + kib * profile->read_kib_ns;
    if (request->operation == MACHINE_DISK_WRITE)
        ns = profile->write_ns + kib * profile->write_kib_ns;
    ns += ns * sim_random_below(&state.timing, profile->jitter_percent + 1ull) /
          100;
    if (sim_random_chance(&state.timing, profile->hiccup_ppm))
        ns += sim_random_below(&state.timing, profile->hiccup_ns);
    if (stick->stalled_until_ns > sim_now())
        ns += stick->stalled_until_ns - sim_now();
    return ns;
}

static void begin_next(struct stick *stick)
{
    struct list *node;
    uint64_t ns;

    if (stick->current != NULL)
        return;
    node = list_take_first(&stick->queue);
    if (node == NULL)
        return;
    stick->current = LIST_ELEMENT(node, struct machine_disk_request, link);
    ns = request_time(stick, stick->current);
    if (stick->current->operation == MACHINE_DISK_WRITE)
        stick->current_hash =
            hash(stick->current->buffer, request_bytes(stick->current));
    sim_event_start(&stick->end, ns);
    state.operations++;
    if (state.watch != NULL)
        state.watch(state.operations, stick->current->operation, ns);
}

static void finish(struct machine_disk_request *request, enum err result)
{
    request->result = result;
    list_append(&state.finished, &request->link);
}

static enum err carry_out_write(struct stick *stick,
                                struct machine_disk_request *request)
{
    size_t bytes = request_bytes(request);

    if (stick->profile.read_only)
        return ERR_REFUSED;
    if (hash(request->buffer, bytes) != stick->current_hash)
        sim_fail("stick: the AO changed a buffer while it was being written, "
                 "sector %llu",
                 (unsigned long long)request->sector);
    memcpy(stick->view + request->sector * MACHINE_SECTOR_BYTES,
           request->buffer, bytes);
    log_append(stick, request->sector, request->sectors, request->buffer);
    stick->info.writes++;
    stick->info.bytes_written += bytes;
    sim_shared->disk_writes++;
    return OK;
}

static enum err carry_out(struct stick *stick,
                          struct machine_disk_request *request)
{
    enum machine_disk_operation operation = request->operation;
    size_t bytes = request_bytes(request);

    if (sim_random_chance(&state.fault, stick->faults[operation].ppm)) {
        stick->info.errors++;
        sim_note("stick: operation %d at sector %llu fails", (int)operation,
                 (unsigned long long)request->sector);
        /* A write that failed may have reached the chip. */
        if (operation == MACHINE_DISK_WRITE &&
            sim_random_chance(&state.fault, 500000))
            (void)carry_out_write(stick, request);
        return stick->faults[operation].result;
    }
    if (operation == MACHINE_DISK_WRITE)
        return carry_out_write(stick, request);
    if (operation == MACHINE_DISK_READ) {
        memcpy(request->buffer,
               stick->view + request->sector * MACHINE_SECTOR_BYTES, bytes);
        stick->info.reads++;
        stick->info.bytes_read += bytes;
        sim_shared->disk_reads++;
        return OK;
    }
    if (!stick->profile.lying_flush)
        log_make_durable(stick);
    stick->info.flushes++;
    sim_shared->disk_flushes++;
    return OK;
}

static void operation_ends(struct sim_event *event)
{
    struct stick *stick = SIM_ELEMENT(event, struct stick, end);
    struct machine_disk_request *request = stick->current;
    uint64_t seen[3] = {sim_now(), request->sector, request->sectors};
    enum err result;

    if (stick->stalled_until_ns > sim_now()) {
        sim_event_start(event, stick->stalled_until_ns - sim_now());
        return;
    }
    sim_digest(seen, sizeof(seen));
    result = carry_out(stick, request);
    stick->current = NULL;
    finish(request, result);
    begin_next(stick);
}

static enum err refuse(const struct stick *stick,
                       const struct machine_disk_request *request)
{
    if (stick->medium == NULL)
        return ERR_GONE;
    if (request->operation == MACHINE_DISK_FLUSH)
        return OK;
    if (request->sectors == 0 || request->sectors > MACHINE_DISK_SECTORS_MAX ||
        request->sector >= stick->medium->sectors ||
        request->sectors > stick->medium->sectors - request->sector)
        return ERR_INVALID;
    return OK;
}

void machine_disk_submit(struct machine_disk_request *request)
{
    struct stick *stick;
    enum err error;

    make_ready();
    if (request->disk >= MACHINE_DISKS || request->done == NULL)
        sim_fail("stick: a request for disk %u", request->disk);
    stick = &state.sticks[request->disk];
    error = refuse(stick, request);
    if (request->operation == MACHINE_DISK_FLUSH)
        request->sectors = 0;
    if (error != OK) {
        finish(request, error);
        return;
    }
    list_append(&stick->queue, &request->link);
    begin_next(stick);
}

bool sim_stick_finish(void)
{
    struct list now;
    struct list *node;

    make_ready();
    if (list_empty(&state.finished))
        return false;
    /* What done() submits and fails at once is for the next turn. */
    now = state.finished;
    now.next->previous = &now;
    now.previous->next = &now;
    list_init(&state.finished);
    while ((node = list_take_first(&now)) != NULL) {
        struct machine_disk_request *request =
            LIST_ELEMENT(node, struct machine_disk_request, link);

        request->done(request);
    }
    return true;
}

void machine_disk_info(unsigned disk, struct machine_disk_info *info)
{
    make_ready();
    memset(info, 0, sizeof(*info));
    if (disk < MACHINE_DISKS)
        *info = state.sticks[disk].info;
}

/* ---- Plugging and pulling ---------------------------------------------- */

const struct sim_stick_profile sim_stick_measured = {
    .read_ns = 300 * SIM_US,
    .write_ns = 300 * SIM_US,
    .flush_ns = 2 * SIM_MS,
    .read_kib_ns = 10 * SIM_US,
    .write_kib_ns = 30 * SIM_US,
};

void sim_stick_profile(struct sim_stick_profile *profile,
                       struct sim_random *random)
{
    static const struct sim_stick_profile kinds[] = {
        /* a solid-state disk on USB 3 */
        {60000, 70000, 400000, 2500, 3000, 30, 0, 0, false, false},
        /* a good stick */
        {250000, 300000, 2000000, 10000, 25000, 50, 2000, 60000000, false,
         false},
        /* a cheap one, with pauses for its own housekeeping */
        {600000, 1500000, 9000000, 40000, 120000, 100, 10000, 400000000, false,
         false},
    };

    *profile = kinds[sim_random_below(random, 3)];
}

void sim_stick_insert(unsigned place, struct sim_medium *medium,
                      const struct sim_stick_profile *profile)
{
    struct stick *stick = &state.sticks[place];
    size_t bytes = (size_t)medium->sectors * MACHINE_SECTOR_BYTES;

    make_ready();
    if (stick->medium != NULL)
        sim_fail("place %u holds a stick already", place);
    stick->view = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_NORESERVE, medium->fd, 0);
    if (stick->view == MAP_FAILED)
        sim_fail("no memory for a stick");
    stick->medium = medium;
    stick->profile = *profile;
    stick->info.present = true;
    stick->info.read_only = profile->read_only;
    stick->info.generation++;
    stick->info.sectors = medium->sectors;
    memset(stick->faults, 0, sizeof(stick->faults));
    stick->stalled_until_ns = 0;
    snprintf(stick->info.vendor, sizeof(stick->info.vendor), "SIM");
    snprintf(stick->info.product, sizeof(stick->info.product), "Stick %u",
             place);
    snprintf(stick->info.serial, sizeof(stick->info.serial), "%08d",
             medium->fd);
    sim_note("stick: into place %u", place);
}

void sim_stick_remove(unsigned place)
{
    struct stick *stick = &state.sticks[place];
    struct machine_disk_request *request = stick->current;
    struct list *node;

    if (stick->medium == NULL)
        sim_fail("place %u is empty", place);
    sim_note("stick: pulled from place %u", place);
    lose_power(stick);
    munmap(stick->view, (size_t)stick->medium->sectors * MACHINE_SECTOR_BYTES);
    sim_event_stop(&stick->end);
    stick->medium = NULL;
    stick->current = NULL;
    stick->info.present = false;
    if (request != NULL)
        finish(request, ERR_GONE);
    while ((node = list_take_first(&stick->queue)) != NULL)
        finish(LIST_ELEMENT(node, struct machine_disk_request, link), ERR_GONE);
}

void sim_stick_cut(void)
{
    for (unsigned i = 0; i < MACHINE_DISKS; i++)
        if (state.sticks[i].medium != NULL)
            lose_power(&state.sticks[i]);
}

void sim_stick_fail(unsigned place, enum machine_disk_operation operation,
                    enum err result, uint32_t ppm)
{
    state.sticks[place].faults[operation].result = result;
    state.sticks[place].faults[operation].ppm = ppm;
}

void sim_stick_stall(unsigned place, uint64_t ns)
{
    state.sticks[place].stalled_until_ns = sim_now() + ns;
}

int sim_stick_busy(unsigned place)
{
    const struct stick *stick = &state.sticks[place];

    return stick->current == NULL ? -1 : (int)stick->current->operation;
}

void sim_stick_watch(void (*started)(uint64_t operations,
                                     enum machine_disk_operation operation,
                                     uint64_t takes_ns))
{
    state.watch = started;
}
