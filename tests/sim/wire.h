/* The virtual wire between the AO's network card and its peers.
 *
 * Each direction has a rate, a latency, and misfortunes; which frame meets
 * which one is drawn from the seed. Frames are taken at the moment the card
 * has sent them out, as a real card does by DMA: a buffer that the AO changes
 * before is noticed. */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "core/list.h"
#include "tests/sim/sim.h"

#define SIM_FRAME_BYTES 1514
#define SIM_FRAME_LEAST 60

struct sim_link {
    uint64_t latency_ns, jitter_ns; /* jitter alone already reorders */
    uint64_t bits_per_second;
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm; /* held back for up to reorder_ns */
    uint64_t reorder_ns;
    uint32_t corrupt_ppm; /* one bit of an IPv4 packet is turned over */
};

/* Someone on the wire. Frames to its address and to all are handed to it. */
struct sim_port {
    struct list link;
    uint8_t mac[6];
    void (*receive)(struct sim_port *port, const uint8_t *frame, size_t len);
};

/* sim_wire_start - links in both directions; the AO's card has `mac`. */
void sim_wire_start(const uint8_t mac[6], const struct sim_link *to_ao,
                    const struct sim_link *from_ao);
void sim_wire_attach(struct sim_port *port);

/* sim_wire_send - a frame from a peer, to the AO's card; copied. */
void sim_wire_send(const void *frame, size_t len);

/* The cable. While it is out, nothing passes, and link_up is false. */
void sim_wire_plug(bool plugged);

/* Closes the pcap file. */
void sim_wire_close(void);

#endif
