/* Traffic through the card that serves: frames of all sizes both ways, checked
 * byte for byte and in order, while MT's loop turns. */
#ifndef TESTS_MODELS_TRAFFIC_H
#define TESTS_MODELS_TRAFFIC_H

#include "tests/models/chip.h"
#include <stdbool.h>
#include <stdint.h>

/* Which frames, and how fast. */
struct traffic_plan {
    unsigned to_card, from_card; /* frames */
    unsigned burst;              /* at most as many at once */
    uint32_t pause_us;           /* at most, between bursts */
};

/* What came of it. */
struct traffic_result {
    unsigned arrived;    /* frames that the chip took from the wire */
    unsigned received;   /* of these, handed up as they were */
    unsigned taken;      /* frames that the driver took */
    unsigned sent;       /* of these, seen on the wire as they were */
    unsigned wrong;      /* frames handed up or sent that nobody gave in */
    unsigned refused;    /* frames that the driver did not take */
    uint64_t slowest_us; /* from the wire to the receiver */
    uint64_t longest_turn_us;
};

/* The group that some frames are sent to. */
extern const uint8_t traffic_group[6];

/* traffic_start - the wire's other end is at `chip`, which is in `slot`. */
void traffic_start(const struct chip *chip, unsigned slot);

/* traffic_run - carries out a plan; ends when all is through, or nothing has
 * moved for `patience_ms`. */
struct traffic_result traffic_run(const struct traffic_plan *plan,
                                  unsigned patience_ms);

/* traffic_idle - the loop turns for so long without new frames. */
void traffic_idle(unsigned ms);

/* traffic_keep - at most so many received frames are kept, to see whether they
 * stay as they are. 0 gives all back. Returns how many had changed. */
unsigned traffic_keep(unsigned most);

#endif
