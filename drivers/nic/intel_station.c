/* Intel's gigabit family: what stands around the rings: station address,
 * filters, PHY. What the registers say is taken with care: any value is
 * possible. */
#include "drivers/nic/intel.h"
#include "drivers/nic/mii.h"

#define EEPROM_POLLS 100u /* of 10 us for a word */
#define PHY_POLLS    40u  /* of 5 us for a register */
#define OWN_POLLS    20u  /* of 10 us until the PHY is ours */

/* ---- Station address ----------------------------------------------------- */

/* One word of the EEPROM; false when it does not answer. */
static bool read_eeprom(const struct intel_card *card, unsigned word,
                        uint16_t *value)
{
    const bool large = intel_is(card, INTEL_EERD_LARGE);
    const uint32_t done = large ? 0x2u : 0x10u;

    intel_write(card, INTEL_EERD, INTEL_EERD_START | word << (large ? 2 : 8));
    for (unsigned i = 0; i < EEPROM_POLLS; i++) {
        const uint32_t answer = intel_read(card, INTEL_EERD);

        if (answer & done) {
            *value = (uint16_t)(answer >> 16);
            return true;
        }
        io_delay_us(10);
    }
    return false;
}

enum err intel_read_address(struct intel_card *card)
{
    uint8_t *address = card->info.address;
    const uint32_t low = intel_read(card, INTEL_RAL0);
    const uint32_t high = intel_read(card, INTEL_RAH0);

    for (unsigned i = 0; i < 4; i++)
        address[i] = (uint8_t)(low >> 8 * i);
    address[4] = (uint8_t)high;
    address[5] = (uint8_t)(high >> 8);
    if ((high & INTEL_RAH_AV) && nic_address_valid(address))
        return OK;
    if (intel_is(card, INTEL_NO_EERD))
        return ERR_IO;
    for (unsigned i = 0; i < 3; i++) {
        uint16_t word;

        if (!read_eeprom(card, i, &word))
            return ERR_IO;
        address[2 * i] = (uint8_t)word;
        address[2 * i + 1] = (uint8_t)(word >> 8);
    }
    return nic_address_valid(address) ? OK : ERR_IO;
}

/* The table is asked by the upper 12 bits of the address: 317453, 13.5.1. */
void intel_write_group(const struct intel_card *card)
{
    const uint8_t *group = card->group;
    const unsigned hash = (unsigned)group[5] << 4 | group[4] >> 4;

    for (size_t i = 0; i < INTEL_MTA_COUNT; i++)
        intel_write(card, INTEL_MTA + 4 * i,
                    (group[0] & 1) && i == hash >> 5 ? 1u << (hash & 31) : 0);
}

void intel_write_filters(const struct intel_card *card)
{
    const uint8_t *address = card->info.address;

    intel_write(card, INTEL_RAL0,
                (uint32_t)address[3] << 24 | (uint32_t)address[2] << 16 |
                    (uint32_t)address[1] << 8 | address[0]);
    intel_write(card, INTEL_RAH0,
                INTEL_RAH_AV | (uint32_t)address[5] << 8 | address[4]);
    intel_write_group(card);
}

/* ---- PHY ----------------------------------------------------------------- */

/* Until all bits of `wanted` are set, or none of `unwanted` is. */
static bool wait_bits(const struct intel_card *card, size_t offset,
                      uint32_t bits, uint32_t value)
{
    for (unsigned i = 0; i < OWN_POLLS; i++) {
        if ((intel_read(card, offset) & bits) == value)
            return true;
        io_delay_us(10);
    }
    return false;
}

static void disown_phy(const struct intel_card *card)
{
    if (intel_is(card, INTEL_EXTCNF_OWN))
        intel_write(card, INTEL_EXTCNF,
                    intel_read(card, INTEL_EXTCNF) & ~INTEL_EXTCNF_SW);
    if (intel_is(card, INTEL_SWSM_OWN))
        intel_write(card, INTEL_SWSM,
                    intel_read(card, INTEL_SWSM) &
                        ~(INTEL_SWSM_SMBI | INTEL_SWSM_SWESMBI));
}

/* The PHY is shared with management firmware: one of two ways to ask for it,
 * or none is needed. */
static bool own_phy(const struct intel_card *card)
{
    if (intel_is(card, INTEL_EXTCNF_OWN)) {
        intel_write(card, INTEL_EXTCNF,
                    intel_read(card, INTEL_EXTCNF) | INTEL_EXTCNF_SW);
        return wait_bits(card, INTEL_EXTCNF, INTEL_EXTCNF_SW, INTEL_EXTCNF_SW);
    }
    if (!intel_is(card, INTEL_SWSM_OWN))
        return true;
    /* Reading sets SMBI: it is ours when it was clear. */
    if (!wait_bits(card, INTEL_SWSM, INTEL_SWSM_SMBI, 0))
        return false;
    intel_write(card, INTEL_SWSM,
                intel_read(card, INTEL_SWSM) | INTEL_SWSM_SWESMBI);
    if (wait_bits(card, INTEL_SWSM, INTEL_SWSM_SWESMBI, INTEL_SWSM_SWESMBI) &&
        !(intel_read(card, INTEL_SW_FW_SYNC) & INTEL_FW_PHY))
        return true;
    disown_phy(card);
    return false;
}

static bool phy_access(const struct intel_card *card, uint32_t operation,
                       uint32_t *answer)
{
    const uint32_t phy = intel_is(card, INTEL_IGC)     ? 0
                         : intel_is(card, INTEL_PHY_2) ? 2
                                                       : 1;

    intel_write(card, INTEL_MDIC, operation | phy << 21);
    for (unsigned i = 0; i < PHY_POLLS; i++) {
        io_delay_us(5);
        *answer = intel_read(card, INTEL_MDIC);
        if (*answer & INTEL_MDIC_READY)
            return !(*answer & INTEL_MDIC_ERROR);
    }
    return false;
}

static bool phy_read(void *card, unsigned number, uint16_t *value)
{
    uint32_t answer = 0;
    const bool done = phy_access(card, INTEL_MDIC_READ | number << 16, &answer);

    *value = (uint16_t)answer;
    return done;
}

static void phy_write(void *card, unsigned number, uint16_t value)
{
    uint32_t answer;

    (void)phy_access(card, INTEL_MDIC_WRITE | number << 16 | value, &answer);
}

void intel_wake_phy(struct intel_card *card)
{
    static const struct mii_operations phy = {
        .read = phy_read,
        .write = phy_write,
    };

    if (!own_phy(card))
        return;
    (void)mii_wake(&phy, card);
    disown_phy(card);
}
