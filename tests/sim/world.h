/* What stands round the simulated PC in most tests: a wire, three peers of
 * which one is behind the gateway, a DHCP server, a stick. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "tests/sim/dialogue.h"
#include "tests/sim/image.h"

#define SIM_PEERS 3

struct sim_world_options {
    struct sim_link link; /* of both directions */
    const struct sim_stick_profile *profile;
    struct sim_image *image; /* in place 0; NULL: no stick */
};

struct sim_world {
    struct sim_peer peers[SIM_PEERS];
    struct sim_peer server; /* DHCP */
};

extern const struct sim_link sim_good_link;

/* sim_world_start - in the child, from prepare(). */
struct sim_world *sim_world_start(const struct sim_world_options *options);

/* sim_world_finish_idle - lets the AO go on until every buffer, task and
 * connection is back, and ends the boot; after idle_ns they must be. */
void sim_world_finish_idle(uint64_t idle_ns);

/* sim_link_option - a program's option that changes a link: --loss, --reorder,
 * --duplicate, --corrupt, all in percent. As sim_program.option. */
int sim_link_option(struct sim_link *link, const char *name, const char *value);

#endif
