/* Intel's gigabit family: what its driver's files share. Registers are named as
 * in the manuals. */
#ifndef DRIVERS_NIC_INTEL_H
#define DRIVERS_NIC_INTEL_H

#include "core/err.h"
#include "core/timer.h"
#include "drivers/nic/nic.h"
#include "drivers/nic/nic_ring.h"
#include "drivers/pci.h"
#include <stdbool.h>
#include <stdint.h>

#define INTEL_CTRL         0x0000u
#define INTEL_CTRL_LRST    0x00000008u
#define INTEL_CTRL_ASDE    0x00000020u
#define INTEL_CTRL_SLU     0x00000040u
#define INTEL_CTRL_ILOS    0x00000080u
#define INTEL_CTRL_FRCSPD  0x00000800u
#define INTEL_CTRL_FRCDPLX 0x00001000u
#define INTEL_CTRL_RST     0x04000000u
#define INTEL_CTRL_VME     0x40000000u
#define INTEL_CTRL_PHY_RST 0x80000000u
#define INTEL_STATUS       0x0008u
#define INTEL_STATUS_LU    0x00000002u
#define INTEL_STATUS_2500  0x00400000u
#define INTEL_EERD         0x0014u
#define INTEL_EERD_START   0x00000001u
#define INTEL_MDIC         0x0020u
#define INTEL_MDIC_WRITE   0x04000000u
#define INTEL_MDIC_READ    0x08000000u
#define INTEL_MDIC_READY   0x10000000u
#define INTEL_MDIC_ERROR   0x40000000u
#define INTEL_ICR          0x00c0u
#define INTEL_ITR          0x00c4u
#define INTEL_IMS          0x00d0u
#define INTEL_IMC          0x00d8u
#define INTEL_IRQ_LSC      0x00000004u
#define INTEL_IRQ_RXDMT0   0x00000010u
#define INTEL_IRQ_RXO      0x00000040u
#define INTEL_IRQ_RXT0     0x00000080u
#define INTEL_RCTL         0x0100u
#define INTEL_RCTL_EN      0x00000002u
#define INTEL_RCTL_BAM     0x00008000u
#define INTEL_RCTL_SECRC   0x04000000u /* buffer size bits 0: 2048 */
#define INTEL_TCTL         0x0400u
#define INTEL_TCTL_EN      0x00000002u
#define INTEL_TCTL_PSP     0x00000008u
#define INTEL_TCTL_CT      0x000000f0u /* 15 collisions */
#define INTEL_TCTL_COLD    0x00040000u /* 64 byte times */
#define INTEL_TIPG         0x0410u
#define INTEL_TIPG_COPPER  0x00602008u /* 8, 8, 6: 13.4.34 */
#define INTEL_EXTCNF       0x0f00u
#define INTEL_EXTCNF_SW    0x00000020u /* the PHY is the driver's */
#define INTEL_RXPBS        0x2404u
#define INTEL_RXPBS_VALUE  0x000000a2u
#define INTEL_RDTR         0x2820u
#define INTEL_RADV         0x282cu
#define INTEL_TXPBS        0x3404u
#define INTEL_TXPBS_VALUE  0x04000014u
#define INTEL_CRCERRS      0x4000u
#define INTEL_RXERRC       0x400cu
#define INTEL_MPC          0x4010u
#define INTEL_MTA          0x5200u
#define INTEL_MTA_COUNT    128u
#define INTEL_RAL0         0x5400u
#define INTEL_RAH0         0x5404u
#define INTEL_RAH_AV       0x80000000u
#define INTEL_SWSM         0x5b50u
#define INTEL_SWSM_SMBI    0x00000001u
#define INTEL_SWSM_SWESMBI 0x00000002u
#define INTEL_SW_FW_SYNC   0x5b5cu
#define INTEL_FW_PHY       0x00660000u /* the firmware has one of the PHYs */
#define INTEL_FEXTNVM11    0x5bbcu
#define INTEL_FEXTNVM11_13 0x00002000u

/* The registers of a queue, from its first on. */
#define INTEL_RECEIVE_QUEUE 0x2800u
#define INTEL_SEND_QUEUE    0x3800u
#define INTEL_BAL           0x00u
#define INTEL_BAH           0x04u
#define INTEL_LEN           0x08u
#define INTEL_SRRCTL        0x0cu
#define INTEL_SRRCTL_VALUE  0x02000002u /* advanced, buffers of 2 KiB */
#define INTEL_HEAD          0x10u
#define INTEL_TAIL          0x18u
#define INTEL_DCTL          0x28u
#define INTEL_DCTL_ENABLE   0x02000000u
#define INTEL_DCTL_22       0x00400000u /* has to be set on the 8257x */

/* Elsewhere in the I225 and I226. */
#define INTEL_IGC_RECEIVE_QUEUE 0xc000u
#define INTEL_IGC_SEND_QUEUE    0xe000u
#define INTEL_IGC_ICR           0x1500u
#define INTEL_IGC_IMS           0x1508u
#define INTEL_IGC_IMC           0x150cu

#define INTEL_REGISTERS_BYTES 0x10000u

/* Quirks of a part. */
#define INTEL_EERD_LARGE   0x001u /* done in bit 1, address from bit 2 on */
#define INTEL_NO_EERD      0x002u /* no EEPROM to be read this way */
#define INTEL_QUEUE_ENABLE 0x004u /* queues have an enable bit */
#define INTEL_ADVANCED     0x008u /* advanced descriptors */
#define INTEL_IGC          0x010u /* registers elsewhere, 2.5 Gbit/s, PHY 0 */
#define INTEL_EXTCNF_OWN   0x020u /* the PHY is asked for by EXTCNF */
#define INTEL_SWSM_OWN     0x040u /* and here by SWSM */
#define INTEL_PHY_2        0x080u /* PHY 2, else 1 */
#define INTEL_NO_ASDE      0x100u /* no speed to be detected: backplane */
#define INTEL_PBS          0x200u /* buffer sizes outlive a reset */
#define INTEL_I219         0x400u /* FEXTNVM11 before the rings */

/* A descriptor, legacy or advanced, read or written back. */
struct intel_row {
    uint64_t address;
    uint32_t low, high;
};

struct intel_card {
    struct timer timer; /* end of reset, then link and watchdog */
    struct pci_device *device;
    const struct pci_id *part;
    struct io_region registers;
    volatile struct intel_row *receive_rows, *send_rows;
    struct nic_ring receive, send;
    unsigned receive_told; /* the tail that the card knows */
    uint8_t group[6];      /* multicast; all zero: none */
    bool running;          /* not in reset */
    bool discarding;       /* inside a frame that is too long */
    bool overdue;          /* the reset has not ended in its time */
    bool lost;             /* nor was it heard: registers unreadable */
    unsigned watched;      /* receive.head when it was looked at last */
    uint32_t interrupts_seen;
    uint64_t send_progress_ms;
    uint64_t resets;
    struct machine_nic_info info;
};

static inline uint32_t intel_read(const struct intel_card *card, size_t offset)
{
    return io_read32(&card->registers, offset);
}

static inline void intel_write(const struct intel_card *card, size_t offset,
                               uint32_t value)
{
    io_write32(&card->registers, offset, value);
}

static inline bool intel_is(const struct intel_card *card, uint32_t quirk)
{
    return (card->part->quirks & quirk) != 0;
}

/* intel_parts - the cards of the family, with their quirks. */
extern const struct pci_id intel_parts[];

/* Of struct pci_driver. */
enum err intel_probe(struct pci_device *device,
                     const struct pci_id *id) MUST_CHECK;
bool intel_poll(struct pci_device *device);

/* intel_read_address - the station address into card->info: what the card
 * loaded at power-on, else from its EEPROM. Returns OK or ERR_IO. */
enum err intel_read_address(struct intel_card *card) MUST_CHECK;

/* intel_write_filters, intel_write_group - station address and multicast group
 * let through. */
void intel_write_filters(const struct intel_card *card);
void intel_write_group(const struct intel_card *card);

/* intel_wake_phy - after a reset: the PHY is awake and negotiates. */
void intel_wake_phy(struct intel_card *card);

#endif
