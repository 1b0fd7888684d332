/* Where storage drivers announce disks; machine_disk_*() leads to them. */
#ifndef DRIVERS_DISK_H
#define DRIVERS_DISK_H

#include "core/machine.h"

struct disk_operations {
    /* Takes a request of this disk; calls disk_done() exactly once for it,
     * later, from poll. */
    void (*submit)(void *device, struct machine_disk_request *request);
};

/* disk_attach - a disk is there and ready. info: sectors, names, read_only are
 * taken from it. Returns its place 0 .. MACHINE_DISKS - 1, or ERR_FULL. */
int disk_attach(const struct disk_operations *operations, void *device,
                const struct machine_disk_info *info);

/* disk_detach - it was removed or has failed for good. The driver has answered
 * all its requests with ERR_GONE before. */
void disk_detach(int place);

/* disk_done - sets the result, keeps the figures and calls request->done(). */
void disk_done(struct machine_disk_request *request, enum err result);

#endif
