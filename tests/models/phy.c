/* See phy.h. */
#include "tests/models/phy.h"
#include "tests/models/chip.h"
#include <string.h>

#define NEGOTIATION_US 800000u
#define POWER_DOWN     0x0800u
#define ISOLATE        0x0400u
#define NEGOTIATE      0x1000u
#define RESTART        0x0200u

static bool awake(const struct phy *phy)
{
    return (phy->registers[0] & NEGOTIATE) &&
           !(phy->registers[0] & (POWER_DOWN | ISOLATE));
}

static void negotiate(struct phy *phy)
{
    phy->lost = true;
    phy->up_us =
        phy->wire_mbit != 0 && awake(phy) ? chip_now_us() + NEGOTIATION_US : 0;
}

void phy_power_on(struct phy *phy, unsigned fastest, bool asleep)
{
    const bool gigabit = fastest >= 1000;

    memset(phy, 0, sizeof(*phy));
    phy->fastest = fastest;
    phy->registers[0] = asleep ? NEGOTIATE | POWER_DOWN : NEGOTIATE;
    phy->registers[1] = gigabit ? 0x7949 : 0x7849;
    phy->registers[2] = 0x001c;
    phy->registers[3] = 0xc800;
    phy->registers[4] = asleep ? 0x0061 : 0x01e1;
    phy->registers[9] = gigabit && !asleep ? 0x0200 : 0;
    phy->registers[15] = gigabit ? 0x2000 : 0;
}

void phy_set_link(struct phy *phy, unsigned mbit)
{
    phy->wire_mbit = mbit;
    negotiate(phy);
    /* The firmware has negotiated already. */
    if (phy->up_us != 0 && chip_now_us() < 1000)
        phy->up_us = chip_now_us() + 1;
}

unsigned phy_mbit(const struct phy *phy)
{
    unsigned most;

    if (phy->up_us == 0 || chip_now_us() < phy->up_us)
        return 0;
    most = phy->registers[9] & 0x0200   ? phy->fastest
           : phy->registers[4] & 0x0180 ? 100
                                        : 10;
    return phy->wire_mbit < most ? phy->wire_mbit : most;
}

uint16_t phy_read(struct phy *phy, unsigned number)
{
    const unsigned mbit = phy_mbit(phy);

    if (number == 1) {
        const uint16_t link = mbit != 0 && !phy->lost ? 0x24 : 0;

        phy->lost = mbit == 0;
        return phy->registers[1] | link;
    }
    if (number == 5)
        return mbit == 0 ? 0 : phy->wire_mbit == 10 ? 0x4061 : 0x45e1;
    return phy->registers[number & 31];
}

void phy_write(struct phy *phy, unsigned number, uint16_t value)
{
    const bool was_awake = awake(phy);

    phy->registers[number & 31] =
        value & (number == 0 ? (uint16_t)~RESTART : (uint16_t)0xffff);
    if (number == 0 && ((value & RESTART) || awake(phy) != was_awake))
        negotiate(phy);
}
