/* The surroundings of the simulated PC: see world.h. */
#include "tests/sim/world.h"
#include "core/iobuf.h"
#include "core/task.h"
#include "net/tcp.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct sim_link sim_good_link = {
    .latency_ns = 150 * SIM_US,
    .jitter_ns = 20 * SIM_US,
    .bits_per_second = 1000000000,
};

#define LOOK_NS (10 * SIM_SECOND)

static struct {
    struct sim_world world;
    struct sim_event look;
    uint64_t idle_until_ns;
} state;

struct sim_world *sim_world_start(const struct sim_world_options *options)
{
    static const uint32_t addresses[SIM_PEERS] = {0x0a000010, 0x0a000011,
                                                  0xc0a80709};
    struct sim_world *world = &state.world;

    sim_wire_start(sim_ao_mac, &options->link, &options->link);
    for (unsigned i = 0; i < SIM_PEERS; i++)
        sim_peer_start(&world->peers[i], i, addresses[i], i == SIM_PEERS - 1);
    for (unsigned i = 0; i < SIM_PEERS; i++)
        world->peers[i].lenient = options->link.corrupt_ppm > 0;
    sim_peer_start(&world->server, SIM_PEERS, 0x0a000003, false);
    world->server.dhcp_server = true;
    if (options->image != NULL)
        sim_stick_insert(0, options->image->medium, options->profile);
    return world;
}

/* What is not back in its pool; NULL: nothing. */
static const char *missing(void)
{
    static char text[128];
    struct tcp_figures figures;

    tcp_figures(&figures);
    if (figures.connections != 0) {
        snprintf(text, sizeof(text), "%u connections", figures.connections);
        return text;
    }
    for (struct list *node = task_pools()->next; node != task_pools();
         node = node->next) {
        const struct task_pool *pool =
            LIST_ELEMENT(node, struct task_pool, link);

        if (pool->free != pool->count) {
            snprintf(text, sizeof(text), "%u tasks of %s",
                     pool->count - pool->free, pool->name);
            return text;
        }
    }
    if (iobuf_free() == iobuf_total())
        return NULL;
    snprintf(text, sizeof(text), "%zu of %zu buffers",
             iobuf_total() - iobuf_free(), iobuf_total());
    return text;
}

static void look_for_missing(struct sim_event *event)
{
    const char *what = missing();

    if (what == NULL)
        sim_finish();
    if (sim_now() >= state.idle_until_ns)
        sim_fail("%s are not back", what);
    sim_event_start(event, LOOK_NS);
}

void sim_world_finish_idle(uint64_t idle_ns)
{
    state.idle_until_ns = sim_now() + idle_ns;
    sim_event_init(&state.look, look_for_missing);
    sim_event_start(&state.look, LOOK_NS);
}

int sim_link_option(struct sim_link *link, const char *name, const char *value)
{
    uint32_t ppm = value == NULL ? 0 : (uint32_t)(atof(value) * 10000);

    if (value == NULL)
        return 0;
    if (strcmp(name, "--loss") == 0)
        link->loss_ppm = ppm;
    else if (strcmp(name, "--reorder") == 0)
        link->reorder_ppm = ppm;
    else if (strcmp(name, "--duplicate") == 0)
        link->duplicate_ppm = ppm;
    else if (strcmp(name, "--corrupt") == 0)
        link->corrupt_ppm = ppm;
    else
        return 0;
    return 2;
}
