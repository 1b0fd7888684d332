/* The buffers that hang in a ring of descriptors, received or to be sent.
 *
 * Invariants: slots [head, tail) hold buffers, the one before head never does;
 * so head == tail is an empty ring. What the descriptors look like, and who
 * owns which of them, is the driver's. */
#ifndef DRIVERS_NIC_NIC_RING_H
#define DRIVERS_NIC_NIC_RING_H

#include "core/iobuf.h"
#include <stdbool.h>

#define NIC_RING 256u /* slots */

struct nic_ring {
    struct iobuf *buffers[NIC_RING];
    unsigned head, tail;
};

static inline unsigned nic_ring_used(const struct nic_ring *ring)
{
    return (ring->tail + NIC_RING - ring->head) % NIC_RING;
}

static inline bool nic_ring_full(const struct nic_ring *ring)
{
    return (ring->tail + 1) % NIC_RING == ring->head;
}

/* nic_ring_add - into a ring that is not full; the ring owns the reference.
 * Returns the slot. */
static inline unsigned nic_ring_add(struct nic_ring *ring, struct iobuf *buffer)
{
    const unsigned slot = ring->tail;

    ring->buffers[slot] = buffer;
    ring->tail = (slot + 1) % NIC_RING;
    return slot;
}

/* nic_ring_take - the buffer at head of a ring that is not empty; the caller
 * owns the reference. */
static inline struct iobuf *nic_ring_take(struct nic_ring *ring)
{
    struct iobuf *buffer = ring->buffers[ring->head];

    ring->buffers[ring->head] = NULL;
    ring->head = (ring->head + 1) % NIC_RING;
    return buffer;
}

/* nic_ring_empty - gives all buffers back and begins at slot 0 again. Returns
 * how many there were. */
static inline unsigned nic_ring_empty(struct nic_ring *ring)
{
    const unsigned count = nic_ring_used(ring);

    while (ring->head != ring->tail)
        iobuf_release(nic_ring_take(ring));
    ring->head = ring->tail = 0;
    return count;
}

#endif
