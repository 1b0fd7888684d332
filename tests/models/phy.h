/* A copper PHY (IEEE 802.3, clause 22): powers up, negotiates with the wire's
 * other end, tells what came of it. */
#ifndef TESTS_MODELS_PHY_H
#define TESTS_MODELS_PHY_H

#include <stdbool.h>
#include <stdint.h>

struct phy {
    uint16_t registers[32];
    unsigned fastest;   /* Mbit/s */
    unsigned wire_mbit; /* the other end's speed; 0: no cable */
    uint64_t up_us;     /* when the link is up; 0: it is not coming */
    bool lost;          /* the link was down since BMSR was read last */
};

/* phy_power_on - asleep: as a system that went to sleep has left it. */
void phy_power_on(struct phy *phy, unsigned fastest, bool asleep);
void phy_set_link(struct phy *phy, unsigned mbit);

/* phy_mbit - the speed of the link; 0: no link. */
unsigned phy_mbit(const struct phy *phy);

uint16_t phy_read(struct phy *phy, unsigned number);
void phy_write(struct phy *phy, unsigned number, uint16_t value);

#endif
