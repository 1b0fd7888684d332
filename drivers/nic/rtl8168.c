/* Realtek RTL8168 and RTL8111, RTL8101E, RTL8169: one way of descriptors
 * (RTL8111B data sheet; Realtek's register descriptions of later ones).
 *
 * Receiving: buffers of the pool hang in a ring of descriptors, which are the
 * card's while their OWN bit is set; a filled one is handed up as it is and its
 * slot filled again. Sending: the descriptor points into the caller's buffer
 * until the card has cleared OWN. Both rings are watched in memory; the
 * interrupt register is read only after an interrupt.
 *
 * A card that sends nothing for two seconds with link up is reset; so is one
 * that skips a slot, and one whose registers read as all ones. Which chip it
 * is, TCR tells (xid); where chips differ is a table of features.
 *
 * Tried on a register model only. Not supported: RTL8125, jumbo frames,
 * checksum offload, VLAN tags, wake on LAN, message signalled interrupts. The
 * EEPROM is not touched, which hangs some boards: the address is the one that
 * the chip has loaded. */
#include "core/check.h"
#include "core/log.h"
#include "core/timer.h"
#include "drivers/nic/mii.h"
#include "drivers/nic/nic.h"
#include "drivers/nic/nic_ring.h"
#include "drivers/pci.h"
#include <string.h>

#define RTL_IDR0            0x00u
#define RTL_MAR0            0x08u
#define RTL_TNPDS           0x20u
#define RTL_CR              0x37u
#define RTL_TPPOLL          0x38u
#define RTL_IMR             0x3cu
#define RTL_ISR             0x3eu
#define RTL_TCR             0x40u
#define RTL_RCR             0x44u
#define RTL_9346CR          0x50u
#define RTL_PHYAR           0x60u
#define RTL_PHYSTATUS       0x6cu
#define RTL_PMCH            0x6fu
#define RTL_OCPDR           0xb0u
#define RTL_GPHY_OCP        0xb8u
#define RTL_MCU             0xd3u
#define RTL_RMS             0xdau
#define RTL_CPCR            0xe0u
#define RTL_INTMIT          0xe2u
#define RTL_RDSAR           0xe4u
#define RTL_MTPS            0xecu
#define RTL_MISC            0xf0u
#define RTL_REGISTERS_BYTES 0x100u

#define CR_RST     0x10u
#define CR_RE      0x08u
#define CR_TE      0x04u
#define TPPOLL_NPQ 0x40u

#define INT_ROK    0x0001u
#define INT_RER    0x0002u
#define INT_RDU    0x0010u
#define INT_LINK   0x0020u
#define INT_FOVW   0x0040u
#define INTERRUPTS (INT_ROK | INT_RER | INT_RDU | INT_LINK | INT_FOVW)

#define TCR_VALUE     0x03000700u /* standard gap, bursts without limit */
#define TCR_AUTO_FIFO 0x00000080u
#define RCR_ACCEPT    0x0000000eu /* broadcast, multicast, own */
#define RCR_VALUE     0x0000e700u /* no threshold, bursts without limit */
#define RCR_VALUE_G   0x00008f00u /* and no early indication */
#define RMS_BYTES     1536u
#define MTPS_LARGEST  0x3fu
#define MTPS_EARLY    0x27u
/* Kept: normal mode. Cleared: VLAN stripping, 64-bit addresses, checksums. */
#define CPCR_KEEP    0x2000u
#define CPCR_MULRW   0x0008u
#define UNLOCK       0xc0u
#define LOCK         0x00u
#define PMCH_POWER   0xc0u
#define MISC_GATED   0x00080000u
#define MCU_OOB      0x80u
#define OCP_LINK_CFG 0xe8deu
#define OCP_PHY      0xa400u
#define OCP_FLAG     0x80000000u

#define PHYSTATUS_LINK 0x02u
#define PHYSTATUS_10   0x04u
#define PHYSTATUS_100  0x08u
#define PHYSTATUS_1000 0x10u

#define ROW_OWN   0x80000000u
#define ROW_END   0x40000000u
#define ROW_FIRST 0x20000000u
#define ROW_LAST  0x10000000u
#define ROW_ERROR 0x00200000u
#define ROW_BYTES 0x00003fffu
#define FCS_BYTES 4u

#define CARDS     4u
#define RESET_MS  2u
#define SETTLE_MS 2u
/* Longer than any reset; then it is looked at as rarely as the link. */
#define RESET_MS_MAX 100u
#define LINK_MS      500u
#define STUCK_MS     2000u
#define ANNOUNCE_MS  2u
#define PHY_POLLS    25u /* of 20 us */

/* Where chips differ. */
#define HAS_PMCH      1u  /* switches the PHY's clock */
#define HAS_GATE      2u  /* receiving is barred after power-on */
#define HAS_OCP       4u  /* the PHY is reached by another register */
#define HAS_OOB       8u  /* management firmware may have the rings */
#define HAS_AUTO_FIFO 16u /* and sends early */
#define IS_PCI        32u /* RTL8169 */

struct rtl_row {
    uint32_t status, vlan;
    uint64_t address;
};

enum stage { RESETTING, SETTLING, RUNNING };

struct rtl_card {
    struct timer timer; /* end of reset, then link and watchdog */
    struct pci_device *device;
    struct io_region registers;
    uint32_t features;
    volatile struct rtl_row *receive_rows, *send_rows;
    struct nic_ring receive, send;
    enum stage stage;
    bool overdue;     /* the reset has not ended in its time */
    bool lost;        /* nor was it heard: registers unreadable */
    bool discarding;  /* inside a frame that is too long */
    unsigned watched; /* head of `receive` when it was looked at last */
    uint32_t interrupts_seen;
    uint64_t send_progress_ms, announced_ms, reset_ms;
    struct machine_nic_info info;
};

static struct rtl_state {
    struct rtl_card cards[CARDS];
    unsigned count;
} state;

static void start_reset(struct rtl_card *card);

/* ---- PHY ----------------------------------------------------------------- */

/* The register's flag shows when an access is over. */
static bool phy_wait(const struct rtl_card *card, unsigned offset, bool flag,
                     uint32_t *value)
{
    for (unsigned i = 0; i < PHY_POLLS; i++) {
        *value = io_read32(&card->registers, offset);
        if (((*value & OCP_FLAG) != 0) == flag)
            return *value != UINT32_MAX;
        io_delay_us(20);
    }
    return false;
}

static bool phy_read(void *pointer, unsigned number, uint16_t *value)
{
    const struct rtl_card *card = pointer;
    uint32_t answer;
    bool done;

    if (card->features & HAS_OCP) {
        io_write32(&card->registers, RTL_GPHY_OCP,
                   (OCP_PHY + 2 * number) << 15);
        done = phy_wait(card, RTL_GPHY_OCP, true, &answer);
    } else {
        io_write32(&card->registers, RTL_PHYAR, number << 16);
        done = phy_wait(card, RTL_PHYAR, true, &answer);
        io_delay_us(20);
    }
    *value = (uint16_t)answer;
    return done;
}

static void phy_write(void *pointer, unsigned number, uint16_t value)
{
    const struct rtl_card *card = pointer;
    uint32_t answer;

    if (card->features & HAS_OCP) {
        io_write32(&card->registers, RTL_GPHY_OCP,
                   OCP_FLAG | (OCP_PHY + 2 * number) << 15 | value);
        (void)phy_wait(card, RTL_GPHY_OCP, false, &answer);
        return;
    }
    io_write32(&card->registers, RTL_PHYAR, OCP_FLAG | number << 16 | value);
    (void)phy_wait(card, RTL_PHYAR, false, &answer);
    io_delay_us(20);
}

static const struct mii_operations phy = {
    .read = phy_read,
    .write = phy_write,
};

/* ---- Rings --------------------------------------------------------------- */

static uint32_t row_end(unsigned slot)
{
    return slot == NIC_RING - 1 ? ROW_END : 0;
}

static void refill(struct rtl_card *card)
{
    while (!nic_ring_full(&card->receive)) {
        struct iobuf *buffer = iobuf_alloc_receive();
        volatile struct rtl_row *row;
        unsigned slot;

        if (buffer == NULL)
            return;
        slot = nic_ring_add(&card->receive, buffer);
        row = &card->receive_rows[slot];
        row->address = io_dma_address(buffer->data);
        row->vlan = 0;
        io_barrier();
        row->status = ROW_OWN | row_end(slot) | IOBUF_BYTES;
    }
}

static void announce(struct rtl_card *card)
{
    card->announced_ms = timer_now_ms();
    io_write8(&card->registers, RTL_TPPOLL, TPPOLL_NPQ);
}

static void release_sent(struct rtl_card *card)
{
    while (card->send.head != card->send.tail &&
           !(card->send_rows[card->send.head].status & ROW_OWN)) {
        iobuf_release(nic_ring_take(&card->send));
        card->send_progress_ms = timer_now_ms();
    }
    /* What is announced close behind another frame is missed at times. */
    if (card->send.head != card->send.tail &&
        timer_now_ms() - card->announced_ms >= ANNOUNCE_MS)
        announce(card);
}

static void empty_rings(struct rtl_card *card)
{
    (void)nic_ring_empty(&card->receive);
    card->info.errors_out += nic_ring_empty(&card->send);
    for (unsigned i = 0; i < NIC_RING; i++) {
        card->receive_rows[i].status = row_end(i);
        card->send_rows[i].status = row_end(i);
    }
    card->discarding = false;
}

/* The upper half of an address first: writing the lower one takes both. */
static void write_address(const struct rtl_card *card, unsigned offset,
                          volatile struct rtl_row *rows)
{
    const uint64_t address = io_dma_address((const void *)(uintptr_t)rows);

    io_write32(&card->registers, offset + 4, (uint32_t)(address >> 32));
    io_write32(&card->registers, offset, (uint32_t)address);
}

/* ---- Reset, link, watchdog ----------------------------------------------- */

static void check_link(struct rtl_card *card)
{
    const uint8_t status = io_read8(&card->registers, RTL_PHYSTATUS);
    const bool up = status != 0xff && (status & PHYSTATUS_LINK);
    const uint32_t mbit = !up                       ? 0
                          : status & PHYSTATUS_1000 ? 1000
                          : status & PHYSTATUS_100  ? 100
                          : status & PHYSTATUS_10   ? 10
                                                    : 0;

    if (up == card->info.link_up && mbit == card->info.speed_mbit)
        return;
    card->info.link_up = up;
    card->info.speed_mbit = mbit;
    /* What waited while the link was down is not stuck. */
    card->send_progress_ms = timer_now_ms();
    log_info("rtl8168", "link %s mbit=%u", up ? "up" : "down", mbit);
}

static uint16_t ocp_read(const struct rtl_card *card, uint32_t number)
{
    io_write32(&card->registers, RTL_OCPDR, number << 15);
    return (uint16_t)io_read32(&card->registers, RTL_OCPDR);
}

static void ocp_write(const struct rtl_card *card, uint32_t number,
                      uint16_t value)
{
    io_write32(&card->registers, RTL_OCPDR, OCP_FLAG | number << 15 | value);
}

/* Takes the rings from the management firmware; half_way: the first part, some
 * time before the second one. */
static void leave_oob(const struct rtl_card *card, bool half_way)
{
    const uint16_t value = ocp_read(card, OCP_LINK_CFG);

    if (half_way) {
        io_write8(&card->registers, RTL_MCU,
                  io_read8(&card->registers, RTL_MCU) & (uint8_t)~MCU_OOB);
        ocp_write(card, OCP_LINK_CFG, value & (uint16_t)~0x4000u);
    } else {
        ocp_write(card, OCP_LINK_CFG, value | 0x8000u);
    }
}

static void write_settings(const struct rtl_card *card)
{
    const struct io_region *io = &card->registers;
    const uint32_t features = card->features;

    io_write8(io, RTL_9346CR, UNLOCK);
    if (features & HAS_PMCH)
        io_write8(io, RTL_PMCH, io_read8(io, RTL_PMCH) | PMCH_POWER);
    io_write16(io, RTL_CPCR,
               (uint16_t)((io_read16(io, RTL_CPCR) & CPCR_KEEP) |
                          (features & IS_PCI ? CPCR_MULRW : 0)));
    io_write16(io, RTL_RMS, RMS_BYTES);
    io_write8(io, RTL_MTPS,
              features & HAS_AUTO_FIFO ? MTPS_EARLY : MTPS_LARGEST);
    io_write16(io, RTL_INTMIT, 0);
    write_address(card, RTL_TNPDS, card->send_rows);
    write_address(card, RTL_RDSAR, card->receive_rows);
    if (features & HAS_GATE)
        io_write32(io, RTL_MISC, io_read32(io, RTL_MISC) & ~MISC_GATED);
    io_write8(io, RTL_9346CR, LOCK);
}

static void start(struct rtl_card *card)
{
    const struct io_region *io = &card->registers;
    const uint32_t features = card->features;

    if (features & HAS_OOB)
        leave_oob(card, false);
    write_settings(card);
    refill(card);
    /* The older ones want to run before they are told how. */
    io_write8(io, RTL_CR, CR_TE | CR_RE);
    io_write32(io, RTL_TCR,
               TCR_VALUE | (features & HAS_AUTO_FIFO ? TCR_AUTO_FIFO : 0));
    io_write32(io, RTL_MAR0, UINT32_MAX);
    io_write32(io, RTL_MAR0 + 4, UINT32_MAX);
    io_write32(io, RTL_RCR,
               RCR_ACCEPT | (features & HAS_GATE ? RCR_VALUE_G : RCR_VALUE));
    io_write16(io, RTL_ISR, 0xffff);
    io_write16(io, RTL_IMR, INTERRUPTS);
    (void)mii_wake(&phy, card);
    card->stage = RUNNING;
    card->watched = NIC_RING;
    card->send_progress_ms = timer_now_ms();
    check_link(card);
    timer_start(&card->timer, LINK_MS);
}

static void look_at_reset(struct rtl_card *card)
{
    const uint8_t command = io_read8(&card->registers, RTL_CR);

    if (command & CR_RST) {
        const bool late = timer_now_ms() - card->reset_ms > RESET_MS_MAX;

        if (late && !card->overdue)
            log_warn("rtl8168", "does not end its reset");
        card->overdue |= late;
        card->lost |= command == 0xff;
        timer_start(&card->timer, late ? LINK_MS : RESET_MS);
        return;
    }
    if (card->lost) {
        start_reset(card);
        return;
    }
    card->overdue = false;
    empty_rings(card);
    card->stage = SETTLING;
    if (card->features & HAS_OOB)
        leave_oob(card, true);
    timer_start(&card->timer, SETTLE_MS);
}

/* The card goes on behind a slot that it never gave back: what it wrote there
 * made no sense. */
static bool receiving_stuck(struct rtl_card *card)
{
    const struct nic_ring *ring = &card->receive;
    const unsigned used = nic_ring_used(ring);
    bool passed = false;

    if (used > 0 && (card->receive_rows[ring->head].status & ROW_OWN))
        for (unsigned i = 1; i < used && !passed; i++)
            passed = !(card->receive_rows[(ring->head + i) % NIC_RING].status &
                       ROW_OWN);
    if (passed && card->watched == ring->head)
        return true;
    card->watched = passed ? ring->head : NIC_RING;
    return false;
}

static void watch(struct rtl_card *card)
{
    const char *trouble = NULL;

    check_link(card);
    release_sent(card);
    if (io_read32(&card->registers, RTL_TCR) == UINT32_MAX)
        trouble = "registers unreadable";
    else if (card->info.link_up && card->send.head != card->send.tail &&
             timer_now_ms() - card->send_progress_ms >= STUCK_MS)
        trouble = "sending stuck";
    else if (receiving_stuck(card))
        trouble = "receiving stuck";
    if (trouble == NULL) {
        timer_start(&card->timer, LINK_MS);
        return;
    }
    log_warn("rtl8168", "%s: reset", trouble);
    start_reset(card);
}

static void timer_expired(struct timer *timer)
{
    struct rtl_card *card = (struct rtl_card *)timer;

    switch (card->stage) {
    case RESETTING:
        look_at_reset(card);
        break;
    case SETTLING:
        start(card);
        break;
    case RUNNING:
        watch(card);
        break;
    }
}

/* The buffers are the card's until it has shown that it has been reset. */
static void start_reset(struct rtl_card *card)
{
    card->stage = RESETTING;
    card->info.link_up = false;
    card->info.speed_mbit = 0;
    card->reset_ms = timer_now_ms();
    io_write16(&card->registers, RTL_IMR, 0);
    io_write32(&card->registers, RTL_RCR, 0);
    io_write8(&card->registers, RTL_CR, CR_RST);
    card->lost = io_read8(&card->registers, RTL_CR) == 0xff;
    timer_start(&card->timer, RESET_MS);
}

/* ---- Operations ---------------------------------------------------------- */

static bool rtl_send(void *pointer, struct iobuf *frame)
{
    struct rtl_card *card = pointer;
    const size_t length = iobuf_length(frame);
    volatile struct rtl_row *row;
    unsigned slot;

    ASSERT(length >= NIC_FRAME_MIN && length <= NIC_FRAME_SEND_MAX);
    if (card->stage != RUNNING)
        return false;
    release_sent(card);
    if (nic_ring_full(&card->send))
        return false;
    if (card->send.head == card->send.tail)
        card->send_progress_ms = timer_now_ms();
    slot = nic_ring_add(&card->send, iobuf_take(frame));
    row = &card->send_rows[slot];
    row->address = io_dma_address(frame->data);
    row->vlan = 0;
    io_barrier();
    row->status =
        ROW_OWN | row_end(slot) | ROW_FIRST | ROW_LAST | (uint32_t)length;
    card->info.frames_out++;
    card->info.bytes_out += length;
    io_barrier();
    announce(card);
    return true;
}

/* The bytes of the one good, whole frame that a finished row tells of; else 0.
 */
static uint32_t frame_bytes(struct rtl_card *card, uint32_t status)
{
    const uint32_t length = status & ROW_BYTES;
    const bool last = status & ROW_LAST;
    const bool whole = last && (status & ROW_FIRST) && !card->discarding;

    card->discarding = !last;
    if (!whole || (status & ROW_ERROR) || length < NIC_FRAME_MIN + FCS_BYTES ||
        length > NIC_FRAME_MAX + FCS_BYTES)
        return 0;
    return length - FCS_BYTES;
}

static struct iobuf *rtl_receive(void *pointer)
{
    struct rtl_card *card = pointer;
    struct nic_ring *ring = &card->receive;
    struct iobuf *frame = NULL;

    if (card->stage != RUNNING)
        return NULL;
    while (frame == NULL && ring->head != ring->tail) {
        const uint32_t status = card->receive_rows[ring->head].status;

        if (status & ROW_OWN)
            break;
        io_barrier();
        frame = nic_received(&card->info, nic_ring_take(ring),
                             frame_bytes(card, status));
    }
    refill(card);
    return frame;
}

static void rtl_info(void *pointer, struct machine_nic_info *info)
{
    const struct rtl_card *card = pointer;

    *info = card->info;
}

/* The filter lets all groups through. */
static const struct nic_operations operations = {
    .send = rtl_send,
    .receive = rtl_receive,
    .info = rtl_info,
};

/* ---- PCI ----------------------------------------------------------------- */

static bool rtl_poll(struct pci_device *device)
{
    struct rtl_card *card = device->driver_data;
    const uint32_t interrupts = pci_interrupt_count(device);
    const struct nic_ring *ring = &card->receive;

    if (card->stage != RUNNING)
        return false;
    if (interrupts != card->interrupts_seen) {
        const uint16_t cause = io_read16(&card->registers, RTL_ISR);

        card->interrupts_seen = interrupts;
        io_write16(&card->registers, RTL_ISR, cause);
        if (cause & INT_LINK)
            check_link(card);
        if (cause & (INT_RDU | INT_FOVW))
            card->info.errors_in++;
    }
    release_sent(card);
    refill(card);
    return ring->head != ring->tail &&
           !(card->receive_rows[ring->head].status & ROW_OWN);
}

static uint32_t features_of(uint32_t tcr, uint32_t quirks)
{
    const uint32_t xid = tcr >> 20 & 0x7cf;

    if (xid >= 0x4c0) /* RTL8168G and later */
        return quirks | HAS_PMCH | HAS_GATE | HAS_OCP | HAS_OOB | HAS_AUTO_FIFO;
    if (xid >= 0x480 || (xid & 0x7cf) == 0x2c8) /* RTL8168F, E-VL */
        return quirks | HAS_PMCH | HAS_AUTO_FIFO;
    if ((xid & 0x7c0) == 0x280 || (xid & 0x7c0) == 0x2c0) /* RTL8168D, E */
        return quirks | HAS_PMCH;
    return quirks;
}

/* The registers are in the first BAR that is memory. */
static enum err map_registers(const struct pci_device *device,
                              struct io_region *registers)
{
    uint64_t base, bytes;
    bool is_io;

    for (unsigned bar = 0; bar < 6; bar++) {
        if (pci_bar(device, bar, &base, &bytes, &is_io) != OK || is_io)
            continue;
        if (bytes < RTL_REGISTERS_BYTES)
            return ERR_UNSUPPORTED;
        *registers = io_map(base, RTL_REGISTERS_BYTES);
        return registers->base == 0 ? ERR_UNSUPPORTED : OK;
    }
    return ERR_NOT_FOUND;
}

static enum err rtl_probe(struct pci_device *device, const struct pci_id *id)
{
    struct rtl_card *card = &state.cards[state.count];
    enum err error;

    if (state.count == CARDS)
        return ERR_FULL;
    memset(card, 0, sizeof(*card));
    card->device = device;
    card->info.name = id->name;
    error = map_registers(device, &card->registers);
    if (error != OK)
        return error;
    pci_enable(device);
    for (unsigned i = 0; i < 6; i++)
        card->info.address[i] = io_read8(&card->registers, RTL_IDR0 + i);
    if (!nic_address_valid(card->info.address))
        return ERR_IO;
    card->features =
        features_of(io_read32(&card->registers, RTL_TCR), id->quirks);
    card->receive_rows =
        io_dma_take(NIC_RING * sizeof(struct rtl_row), 4096, 0);
    card->send_rows = io_dma_take(NIC_RING * sizeof(struct rtl_row), 4096, 0);
    if (card->receive_rows == NULL || card->send_rows == NULL)
        return ERR_MEMORY;
    state.count++;
    device->driver_data = card;
    timer_init(&card->timer, timer_expired);
    start_reset(card);
    pci_route_interrupt(device);
    nic_register(&operations, card, device);
    return OK;
}

static const struct pci_id parts[] = {
    {0x10ec, 0x8168, 0, 0, "Realtek RTL8168/8111", 0},
    {0x10ec, 0x8161, 0, 0, "Realtek RTL8111", 0},
    {0x10ec, 0x8136, 0, 0, "Realtek RTL8101E", 0},
    {0x10ec, 0x8169, 0, 0, "Realtek RTL8169", IS_PCI},
    {0x10ec, 0x8167, 0, 0, "Realtek RTL8110SC", IS_PCI},
};

static const struct pci_driver rtl_driver = {
    .name = "rtl8168",
    .ids = parts,
    .id_count = sizeof(parts) / sizeof(parts[0]),
    .probe = rtl_probe,
    .poll = rtl_poll,
};

PCI_DRIVER(rtl_driver);
