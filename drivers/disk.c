/* The places where disks are: what storage drivers announce, and
 * machine_disk_*() on top. A request that is refused here is answered from the
 * next machine_poll(), like all others. */
#include "drivers/disk.h"
#include "core/check.h"
#include "drivers/machine_parts.h"
#include <stddef.h>

struct place {
    const struct disk_operations *operations;
    void *device;
    struct machine_disk_info info;
};

static struct disk_state {
    struct place places[MACHINE_DISKS];
    struct list refused;
    bool ready;
} state;

static struct list *refused(void)
{
    if (!state.ready) {
        list_init(&state.refused);
        state.ready = true;
    }
    return &state.refused;
}

int disk_attach(const struct disk_operations *operations, void *device,
                const struct machine_disk_info *info)
{
    for (int i = 0; i < MACHINE_DISKS; i++) {
        struct place *place = &state.places[i];
        const uint32_t generation = place->info.generation;

        if (place->info.present)
            continue;
        place->operations = operations;
        place->device = device;
        place->info = *info;
        place->info.present = true;
        place->info.generation = generation + 1;
        place->info.reads = 0;
        place->info.writes = 0;
        place->info.flushes = 0;
        place->info.bytes_read = 0;
        place->info.bytes_written = 0;
        place->info.errors = 0;
        return i;
    }
    return ERR_FULL;
}

void disk_detach(int index)
{
    ASSERT(index >= 0 && index < MACHINE_DISKS);
    state.places[index].info.present = false;
    state.places[index].operations = NULL;
    state.places[index].device = NULL;
}

void disk_done(struct machine_disk_request *request, enum err result)
{
    struct machine_disk_info *info = &state.places[request->disk].info;
    const uint64_t bytes = (uint64_t)request->sectors * MACHINE_SECTOR_BYTES;

    request->result = result;
    if (result != OK) {
        info->errors++;
    } else if (request->operation == MACHINE_DISK_READ) {
        info->reads++;
        info->bytes_read += bytes;
    } else if (request->operation == MACHINE_DISK_WRITE) {
        info->writes++;
        info->bytes_written += bytes;
    } else {
        info->flushes++;
    }
    request->done(request);
}

static enum err judge(const struct machine_disk_request *request)
{
    const struct machine_disk_info *info;

    if (request->disk >= MACHINE_DISKS)
        return ERR_INVALID;
    info = &state.places[request->disk].info;
    if (!info->present)
        return ERR_GONE;
    if (request->operation == MACHINE_DISK_FLUSH)
        return OK;
    if (request->operation != MACHINE_DISK_READ &&
        request->operation != MACHINE_DISK_WRITE)
        return ERR_INVALID;
    if (request->sectors == 0 || request->sectors > MACHINE_DISK_SECTORS_MAX ||
        request->sector >= info->sectors ||
        request->sectors > info->sectors - request->sector)
        return ERR_INVALID;
    if (request->operation == MACHINE_DISK_WRITE && info->read_only)
        return ERR_REFUSED;
    return OK;
}

void machine_disk_submit(struct machine_disk_request *request)
{
    const struct place *place;

    request->result = judge(request);
    if (request->result != OK) {
        list_init(&request->link);
        list_append(refused(), &request->link);
        return;
    }
    place = &state.places[request->disk];
    place->operations->submit(place->device, request);
}

void machine_disk_info(unsigned disk, struct machine_disk_info *info)
{
    if (disk < MACHINE_DISKS) {
        *info = state.places[disk].info;
        return;
    }
    __builtin_memset(info, 0, sizeof(*info));
}

bool disk_poll(void)
{
    struct list *head = refused();
    struct list pending;
    struct list *node;
    bool any = false;

    /* What done() submits anew waits for the next turn. */
    list_init(&pending);
    while ((node = list_take_first(head)) != NULL)
        list_append(&pending, node);
    while ((node = list_take_first(&pending)) != NULL) {
        struct machine_disk_request *request =
            LIST_ELEMENT(node, struct machine_disk_request, link);

        any = true;
        if (request->disk < MACHINE_DISKS)
            state.places[request->disk].info.errors++;
        request->done(request);
    }
    return any;
}
