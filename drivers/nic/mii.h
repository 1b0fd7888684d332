/* The registers that every copper PHY has (IEEE 802.3, clause 22.2.4). */
#ifndef DRIVERS_NIC_MII_H
#define DRIVERS_NIC_MII_H

#include <stdbool.h>
#include <stdint.h>

/* How a card reaches its PHY. */
struct mii_operations {
    /* False when the PHY does not answer. */
    bool (*read)(void *card, unsigned number, uint16_t *value);
    void (*write)(void *card, unsigned number, uint16_t value);
};

struct mii_link {
    bool up, full_duplex;
    uint32_t mbit; /* 0: not known */
};

/* mii_wake - a PHY that another system has left switched off, isolated, at a
 * fixed speed or offering less than it can negotiates again; one that is as it
 * should be keeps its link. Returns false when there is no PHY. */
bool mii_wake(const struct mii_operations *phy, void *card);

/* mii_link - what was negotiated (10 and 100 Mbit/s), by the registers of the
 * two sides. Returns false when there is no PHY. */
bool mii_link(const struct mii_operations *phy, void *card,
              struct mii_link *link);

#endif
