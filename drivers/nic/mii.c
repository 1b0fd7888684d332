/* PHY registers: waking up, and what the two sides agreed upon. Values come
 * from a device: all of them are possible. */
#include "drivers/nic/mii.h"

#define BMCR            0u
#define BMCR_LOOPBACK   0x4000u
#define BMCR_NEGOTIATE  0x1000u
#define BMCR_POWER_DOWN 0x0800u
#define BMCR_ISOLATE    0x0400u
#define BMCR_RESTART    0x0200u
#define BMSR            1u
#define BMSR_EXTENDED   0x0100u /* register 15 tells more */
#define BMSR_NEGOTIATED 0x0020u
#define BMSR_LINK       0x0004u
#define ANAR            4u
#define ANAR_SELECTOR   0x0001u /* IEEE 802.3 */
#define ANAR_ALL        0x01e0u /* 10 and 100 Mbit/s, half and full duplex */
#define ANLPAR          5u
#define GBCR            9u
#define GBCR_FULL       0x0200u /* 1000BASE-T, full duplex */
#define ESR             15u
#define ESR_GIGABIT     0x2000u

/* Returns whether something was missing there. */
static bool offer(const struct mii_operations *phy, void *card, unsigned number,
                  uint16_t bits)
{
    uint16_t value;

    if (!phy->read(card, number, &value) || (value & bits) == bits)
        return false;
    phy->write(card, number, value | bits);
    return true;
}

bool mii_wake(const struct mii_operations *phy, void *card)
{
    uint16_t control, status, extended = 0;
    bool again;

    if (!phy->read(card, BMCR, &control) || !phy->read(card, BMSR, &status) ||
        control == 0xffff || status == 0xffff || status == 0)
        return false;
    again = !(control & BMCR_NEGOTIATE) ||
            (control & (BMCR_LOOPBACK | BMCR_POWER_DOWN | BMCR_ISOLATE));
    again |= offer(phy, card, ANAR, ANAR_ALL | ANAR_SELECTOR);
    if ((status & BMSR_EXTENDED) && phy->read(card, ESR, &extended) &&
        (extended & ESR_GIGABIT))
        again |= offer(phy, card, GBCR, GBCR_FULL);
    if (again)
        phy->write(card, BMCR, BMCR_NEGOTIATE | BMCR_RESTART);
    return true;
}

bool mii_link(const struct mii_operations *phy, void *card,
              struct mii_link *link)
{
    uint16_t status, own, other;

    /* A link that was lost meanwhile shows once: 22.2.4.2.13. */
    if (!phy->read(card, BMSR, &status) || !phy->read(card, BMSR, &status) ||
        !phy->read(card, ANAR, &own) || !phy->read(card, ANLPAR, &other) ||
        status == 0xffff || status == 0)
        return false;
    link->up = status & BMSR_LINK;
    link->mbit = 0;
    link->full_duplex = false;
    if (!link->up || !(status & BMSR_NEGOTIATED))
        return true;
    other &= own;
    /* The best of what both offer: 28B.3. A partner that does not negotiate
     * shows its speed, and is half duplex. */
    link->mbit = other & 0x0380 ? 100 : 10;
    link->full_duplex = (other & 0x0100) || (!(other & 0x0380) && other & 0x40);
    return true;
}
