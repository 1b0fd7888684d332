/* Frames on a wire that loses, repeats, delays and so reorders them, by chances
 * that one seed decides. */
#ifndef TESTS_UNIT_LOSSY_FLIGHT_H
#define TESTS_UNIT_LOSSY_FLIGHT_H

#include "tests/unit/fake_wire.h"

static inline uint32_t chance_of(uint32_t *seed, uint32_t limit)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % limit;
}

struct flying {
    struct wire_frame frame;
    uint64_t due_ms; /* 0: free */
};

struct flight_odds {
    unsigned loss;               /* percent; the same for being late */
    unsigned repeated;           /* percent */
    uint32_t travel_ms, late_ms; /* at most */
};

/* Lost, or once or twice on its way; what finds no place is lost, too. */
static inline void flight_begin(struct flying *flight, unsigned places,
                                const struct wire_frame *frame, uint32_t *seed,
                                const struct flight_odds *odds)
{
    unsigned copies = 1 + (chance_of(seed, 100) < odds->repeated);

    if (chance_of(seed, 100) < odds->loss)
        return;
    for (unsigned i = 0; i < places && copies; i++) {
        if (flight[i].due_ms)
            continue;
        flight[i].frame = *frame;
        flight[i].due_ms =
            timer_now_ms() + 1 + chance_of(seed, odds->travel_ms);
        if (chance_of(seed, 100) < odds->loss)
            flight[i].due_ms += chance_of(seed, odds->late_ms);
        copies--;
    }
}

/* Whether it has arrived; its place is free then. */
static inline bool flight_ends(struct flying *flying)
{
    if (!flying->due_ms || flying->due_ms > timer_now_ms())
        return false;
    flying->due_ms = 0;
    return true;
}

#endif
