/* Simulated sticks.
 *
 * A medium is the flash chip: what is durable, kept in a memory file shared by
 * all processes of the run. A stick in a place shows the medium to the AO: a
 * private view of it with all writes in it, and the log of the writes that no
 * flush has made durable yet. When power goes (or the stick is pulled), each
 * write of the log is kept, lost or torn. */
#ifndef SIM_STICK_H
#define SIM_STICK_H

#include "core/machine.h"
#include "tests/sim/sim.h"

struct sim_medium {
    int fd;
    uint64_t sectors;
    uint8_t *durable; /* shared mapping */
    uint8_t *changed; /* shared: one byte per 4 KiB page changed since the last
                         sim_medium_restore() */
};

/* Made in the parent; the image is all zero. */
struct sim_medium *sim_medium_make(uint64_t sectors);

/* sim_medium_restore - makes it equal to another one of the same size again.
 * Only pages that were changed since the last time are copied. */
void sim_medium_restore(struct sim_medium *medium,
                        const struct sim_medium *from);

/* sim_medium_write - durable at once; for host code and tests. */
void sim_medium_write(struct sim_medium *medium, uint64_t sector,
                      uint32_t count, const void *data);

/* How a stick behaves. */
struct sim_stick_profile {
    uint64_t read_ns, write_ns, flush_ns; /* per operation */
    uint64_t read_kib_ns, write_kib_ns;   /* per KiB */
    uint32_t jitter_percent;              /* of each time, added at random */
    uint32_t hiccup_ppm;                  /* operations that take longer */
    uint64_t hiccup_ns;
    bool lying_flush; /* answers a flush and does nothing */
    bool read_only;
};

/* sim_stick_profile - one of several kinds of sticks, by chance. */
void sim_stick_profile(struct sim_stick_profile *profile,
                       struct sim_random *random);

/* Always the same one, for what is measured. */
extern const struct sim_stick_profile sim_stick_measured;

/* sim_stick_insert - plugs it in; only into an empty place. */
void sim_stick_insert(unsigned place, struct sim_medium *medium,
                      const struct sim_stick_profile *profile);

/* sim_stick_remove - pulls it: requests are answered ERR_GONE, and what was not
 * flushed is kept, lost or torn. */
void sim_stick_remove(unsigned place);

/* sim_stick_cut - the same for all sticks, nothing is answered. */
void sim_stick_cut(void);

/* sim_stick_fail - from now on, operations of that kind end with `result` in
 * `ppm` of a million cases. 0 ends it. */
void sim_stick_fail(unsigned place, enum machine_disk_operation operation,
                    enum err result, uint32_t ppm);

/* sim_stick_stall - answers nothing at all for so long. */
void sim_stick_stall(unsigned place, uint64_t ns);

/* sim_stick_busy - the operation that a stick is at work on, or -1. */
int sim_stick_busy(unsigned place);

/* sim_stick_watch - called at the start of each operation on any stick, with
 * the number of operations so far. */
void sim_stick_watch(void (*started)(uint64_t operations,
                                     enum machine_disk_operation operation,
                                     uint64_t takes_ns));

/* sim_stick_finish - machine_poll(): calls done() of what is finished. */
bool sim_stick_finish(void);

#endif
