/* Intel's gigabit family with legacy descriptors (PCI/PCI-X Family of Gigabit
 * Ethernet Controllers Software Developer's Manual 317453; 82574 data sheet).
 *
 * Receiving: buffers of the pool hang in the ring; a filled one is handed up as
 * it is and its slot filled again, at once or, while the pool is empty, when
 * there is one. Sending: the descriptor points into the caller's buffer, which
 * the card holds until its DD bit is seen. Both rings are watched in memory;
 * the interrupt register is read only after an interrupt.
 *
 * Invariants: slots [receive_head, receive_tail) hold buffers, the one before
 * receive_head never does; slots [send_head, send_tail) hold references.
 * A card that sends nothing for two seconds with link up is reset; so is one
 * whose registers read as all ones.
 *
 * Not supported: jumbo frames, checksum offload, VLAN tags, more than one
 * multicast group, message signalled interrupts. */
#include "core/check.h"
#include "core/log.h"
#include "core/timer.h"
#include "drivers/nic/nic.h"
#include "drivers/pci.h"
#include <string.h>

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
#define INTEL_EERD         0x0014u
#define INTEL_EERD_START   0x00000001u
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
#define INTEL_RDBAL        0x2800u
#define INTEL_RDBAH        0x2804u
#define INTEL_RDLEN        0x2808u
#define INTEL_RDH          0x2810u
#define INTEL_RDT          0x2818u
#define INTEL_RDTR         0x2820u
#define INTEL_RXDCTL       0x2828u
#define INTEL_RADV         0x282cu
#define INTEL_TDBAL        0x3800u
#define INTEL_TDBAH        0x3804u
#define INTEL_TDLEN        0x3808u
#define INTEL_TDH          0x3810u
#define INTEL_TDT          0x3818u
#define INTEL_TXDCTL       0x3828u
#define INTEL_DCTL_ENABLE  0x02000000u
#define INTEL_CRCERRS      0x4000u
#define INTEL_RXERRC       0x400cu
#define INTEL_MPC          0x4010u
#define INTEL_MTA          0x5200u
#define INTEL_MTA_COUNT    128u
#define INTEL_RAL0         0x5400u
#define INTEL_RAH0         0x5404u
#define INTEL_RAH_AV       0x80000000u

#define INTEL_REGISTERS_BYTES 0x6000u

#define INTEL_STATUS_DD   0x01u
#define INTEL_STATUS_EOP  0x02u
#define INTEL_ERRORS_BAD  0x97u /* CRC, symbol, sequence, carrier, data */
#define INTEL_COMMAND_EOP 0x01u
#define INTEL_COMMAND_FCS 0x02u
#define INTEL_COMMAND_RS  0x08u

#define CARDS        4u
#define RING         256u /* descriptors: 4 KiB, a multiple of 128 bytes */
#define REFILL_BATCH 16u  /* slots for one write of the tail register */
#define RESET_MS     20u  /* policy: covers the EEPROM's autoload */
#define LINK_MS      500u
#define STUCK_MS     2000u
#define EEPROM_POLLS 100u /* of 10 us for a word */

/* Quirks of a part. */
#define QUIRK_EERD_LARGE   1u /* done in bit 1, address from bit 2 on */
#define QUIRK_QUEUE_ENABLE 2u /* queues have an enable bit */

struct intel_receive {
    uint64_t address;
    uint16_t length, checksum;
    uint8_t status, errors;
    uint16_t special;
};

struct intel_send {
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset, command, status, checksum_start;
    uint16_t special;
};

struct intel_card {
    struct timer timer; /* end of reset, then link and watchdog */
    struct pci_device *device;
    const struct pci_id *part;
    struct io_region registers;
    volatile struct intel_receive *receive_ring;
    volatile struct intel_send *send_ring;
    struct iobuf *receive_buffers[RING];
    struct iobuf *send_buffers[RING];
    unsigned receive_head, receive_tail, receive_told;
    unsigned send_head, send_tail;
    uint8_t group[6]; /* multicast; all zero: none */
    bool running;     /* not in reset */
    bool discarding;  /* inside a frame that is too long */
    bool overdue;     /* the reset has not ended in its time */
    unsigned watched; /* receive_head when it was looked at last */
    uint32_t interrupts_seen;
    uint64_t send_progress_ms;
    uint64_t resets;
    struct machine_nic_info info;
};

static struct intel_state {
    struct intel_card cards[CARDS];
    unsigned count;
} state;

static void start_reset(struct intel_card *card);

static uint32_t read_register(const struct intel_card *card, size_t offset)
{
    return io_read32(&card->registers, offset);
}

static void write_register(const struct intel_card *card, size_t offset,
                           uint32_t value)
{
    io_write32(&card->registers, offset, value);
}

/* ---- Station address ----------------------------------------------------- */

/* One word of the EEPROM; false when it does not answer. */
static bool read_eeprom(const struct intel_card *card, unsigned word,
                        uint16_t *value)
{
    const bool large = card->part->quirks & QUIRK_EERD_LARGE;
    const uint32_t done = large ? 0x2u : 0x10u;

    write_register(card, INTEL_EERD,
                   INTEL_EERD_START | word << (large ? 2 : 8));
    for (unsigned i = 0; i < EEPROM_POLLS; i++) {
        const uint32_t answer = read_register(card, INTEL_EERD);

        if (answer & done) {
            *value = (uint16_t)(answer >> 16);
            return true;
        }
        io_delay_us(10);
    }
    return false;
}

/* What the card loaded at power-on, else from its EEPROM. */
static enum err read_address(struct intel_card *card)
{
    uint8_t *address = card->info.address;
    const uint32_t low = read_register(card, INTEL_RAL0);
    const uint32_t high = read_register(card, INTEL_RAH0);

    for (unsigned i = 0; i < 4; i++)
        address[i] = (uint8_t)(low >> 8 * i);
    address[4] = (uint8_t)high;
    address[5] = (uint8_t)(high >> 8);
    if ((high & INTEL_RAH_AV) && nic_address_valid(address))
        return OK;
    for (unsigned i = 0; i < 3; i++) {
        uint16_t word;

        if (!read_eeprom(card, i, &word))
            return ERR_IO;
        address[2 * i] = (uint8_t)word;
        address[2 * i + 1] = (uint8_t)(word >> 8);
    }
    return nic_address_valid(address) ? OK : ERR_IO;
}

/* The table is asked by the upper 12 bits of the address: 13.5.1. */
static void write_group(const struct intel_card *card)
{
    const uint8_t *group = card->group;
    const unsigned hash = (unsigned)group[5] << 4 | group[4] >> 4;

    for (size_t i = 0; i < INTEL_MTA_COUNT; i++)
        write_register(card, INTEL_MTA + 4 * i,
                       (group[0] & 1) && i == hash >> 5 ? 1u << (hash & 31)
                                                        : 0);
}

static void write_filters(const struct intel_card *card)
{
    const uint8_t *address = card->info.address;

    write_register(card, INTEL_RAL0,
                   (uint32_t)address[3] << 24 | (uint32_t)address[2] << 16 |
                       (uint32_t)address[1] << 8 | address[0]);
    write_register(card, INTEL_RAH0,
                   INTEL_RAH_AV | (uint32_t)address[5] << 8 | address[4]);
    write_group(card);
}

/* ---- Rings --------------------------------------------------------------- */

static void refill(struct intel_card *card)
{
    unsigned waiting;

    while ((card->receive_tail + 1) % RING != card->receive_head) {
        struct iobuf *buffer = iobuf_alloc_receive();
        const unsigned slot = card->receive_tail;

        if (buffer == NULL)
            break;
        card->receive_buffers[slot] = buffer;
        card->receive_ring[slot].address = io_dma_address(buffer->data);
        card->receive_ring[slot].status = 0;
        card->receive_tail = (slot + 1) % RING;
    }
    waiting = (card->receive_tail + RING - card->receive_told) % RING;
    if (waiting == 0)
        return;
    /* A batch at a time, unless the card has little left. */
    if (waiting < REFILL_BATCH &&
        (card->receive_told + RING - card->receive_head) % RING > RING / 4)
        return;
    card->receive_told = card->receive_tail;
    io_barrier();
    write_register(card, INTEL_RDT, card->receive_told);
}

static void release_sent(struct intel_card *card)
{
    while (card->send_head != card->send_tail &&
           (card->send_ring[card->send_head].status & INTEL_STATUS_DD)) {
        iobuf_release(card->send_buffers[card->send_head]);
        card->send_buffers[card->send_head] = NULL;
        card->send_head = (card->send_head + 1) % RING;
        card->send_progress_ms = timer_now_ms();
    }
}

static void empty_rings(struct intel_card *card)
{
    while (card->receive_head != card->receive_tail) {
        iobuf_release(card->receive_buffers[card->receive_head]);
        card->receive_buffers[card->receive_head] = NULL;
        card->receive_head = (card->receive_head + 1) % RING;
    }
    while (card->send_head != card->send_tail) {
        iobuf_release(card->send_buffers[card->send_head]);
        card->send_buffers[card->send_head] = NULL;
        card->send_head = (card->send_head + 1) % RING;
        card->info.errors_out++;
    }
    for (unsigned i = 0; i < RING; i++) {
        card->receive_ring[i].status = 0;
        card->send_ring[i].status = 0;
    }
    card->receive_head = card->receive_tail = card->receive_told = 0;
    card->send_head = card->send_tail = 0;
    card->discarding = false;
}

static void start_rings(struct intel_card *card)
{
    const uint64_t receive =
        io_dma_address((const void *)(uintptr_t)card->receive_ring);
    const uint64_t send =
        io_dma_address((const void *)(uintptr_t)card->send_ring);

    write_register(card, INTEL_RDBAL, (uint32_t)receive);
    write_register(card, INTEL_RDBAH, (uint32_t)(receive >> 32));
    write_register(card, INTEL_RDLEN, RING * sizeof(struct intel_receive));
    write_register(card, INTEL_RDH, 0);
    write_register(card, INTEL_RDT, 0);
    write_register(card, INTEL_TDBAL, (uint32_t)send);
    write_register(card, INTEL_TDBAH, (uint32_t)(send >> 32));
    write_register(card, INTEL_TDLEN, RING * sizeof(struct intel_send));
    write_register(card, INTEL_TDH, 0);
    write_register(card, INTEL_TDT, 0);
    /* An interrupt only ends a sleep, and none is taken while there is work:
     * nothing is gained by holding it back. */
    write_register(card, INTEL_RDTR, 0);
    write_register(card, INTEL_RADV, 0);
    write_register(card, INTEL_ITR, 0);
    if (card->part->quirks & QUIRK_QUEUE_ENABLE) {
        write_register(card, INTEL_RXDCTL,
                       read_register(card, INTEL_RXDCTL) | INTEL_DCTL_ENABLE);
        write_register(card, INTEL_TXDCTL,
                       read_register(card, INTEL_TXDCTL) | INTEL_DCTL_ENABLE);
    }
    write_register(card, INTEL_TIPG, INTEL_TIPG_COPPER);
    write_register(card, INTEL_TCTL,
                   INTEL_TCTL_EN | INTEL_TCTL_PSP | INTEL_TCTL_CT |
                       INTEL_TCTL_COLD);
    write_register(card, INTEL_RCTL,
                   INTEL_RCTL_EN | INTEL_RCTL_BAM | INTEL_RCTL_SECRC);
    refill(card);
}

/* ---- Reset, link, watchdog ----------------------------------------------- */

static void check_link(struct intel_card *card)
{
    static const uint32_t speeds[4] = {10, 100, 1000, 1000};
    const uint32_t status = read_register(card, INTEL_STATUS);
    const bool up = status != UINT32_MAX && (status & INTEL_STATUS_LU);

    card->info.speed_mbit = up ? speeds[status >> 6 & 3] : 0;
    if (up == card->info.link_up)
        return;
    card->info.link_up = up;
    /* What waited while the link was down is not stuck. */
    card->send_progress_ms = timer_now_ms();
    log_info("intel", "link %s mbit=%u", up ? "up" : "down",
             card->info.speed_mbit);
}

/* The card's counters clear themselves when read. */
static void count_errors(struct intel_card *card)
{
    card->info.errors_in += read_register(card, INTEL_CRCERRS);
    card->info.errors_in += read_register(card, INTEL_RXERRC);
    card->info.errors_in += read_register(card, INTEL_MPC);
}

/* False while the card is still at it, or does not answer. */
static bool end_reset(struct intel_card *card)
{
    uint32_t control = read_register(card, INTEL_CTRL);

    if (control == UINT32_MAX || (control & INTEL_CTRL_RST)) {
        if (!card->overdue)
            log_warn("intel", "does not end its reset");
        card->overdue = true;
        return false;
    }
    card->overdue = false;
    write_register(card, INTEL_IMC, UINT32_MAX);
    (void)read_register(card, INTEL_ICR);
    control &= ~(INTEL_CTRL_LRST | INTEL_CTRL_ILOS | INTEL_CTRL_FRCSPD |
                 INTEL_CTRL_FRCDPLX | INTEL_CTRL_VME | INTEL_CTRL_RST |
                 INTEL_CTRL_PHY_RST);
    write_register(card, INTEL_CTRL,
                   control | INTEL_CTRL_SLU | INTEL_CTRL_ASDE);
    write_filters(card);
    start_rings(card);
    write_register(card, INTEL_IMS,
                   INTEL_IRQ_LSC | INTEL_IRQ_RXDMT0 | INTEL_IRQ_RXO |
                       INTEL_IRQ_RXT0);
    card->running = true;
    card->send_progress_ms = timer_now_ms();
    card->watched = RING;
    check_link(card);
    return true;
}

/* The card goes on behind a slot that it never gave back: what it wrote there
 * made no sense. */
static bool receiving_stuck(struct intel_card *card)
{
    const unsigned slot = card->receive_head;
    const bool passed = slot != card->receive_told &&
                        !(card->receive_ring[slot].status & INTEL_STATUS_DD) &&
                        read_register(card, INTEL_RDH) != slot;
    const bool stuck = passed && card->watched == slot;

    card->watched = passed ? slot : RING;
    return stuck;
}

static void watch(struct intel_card *card)
{
    if (read_register(card, INTEL_STATUS) == UINT32_MAX) {
        log_warn("intel", "registers unreadable: reset");
        start_reset(card);
        return;
    }
    check_link(card);
    count_errors(card);
    if (card->info.link_up && card->send_head != card->send_tail &&
        timer_now_ms() - card->send_progress_ms >= STUCK_MS) {
        log_warn("intel", "sending stuck: reset");
        start_reset(card);
    } else if (receiving_stuck(card)) {
        log_warn("intel", "receiving stuck: reset");
        start_reset(card);
    }
}

static void timer_expired(struct timer *timer)
{
    struct intel_card *card = (struct intel_card *)timer;

    if (!card->running) {
        (void)end_reset(card);
    } else {
        watch(card);
        if (!card->running)
            return; /* the end of a reset is waited for */
    }
    timer_start(&card->timer, LINK_MS);
}

/* Ends, when the card has loaded its EEPROM, with end_reset(). */
static void start_reset(struct intel_card *card)
{
    card->running = false;
    card->info.link_up = false;
    card->resets++;
    write_register(card, INTEL_IMC, UINT32_MAX);
    write_register(card, INTEL_RCTL, 0);
    write_register(card, INTEL_TCTL, 0);
    /* What is on its way through the bus must have landed before the buffers
     * go back (317453, 14.1: stop, then reset). */
    (void)read_register(card, INTEL_STATUS);
    write_register(card, INTEL_CTRL,
                   read_register(card, INTEL_CTRL) | INTEL_CTRL_RST);
    io_delay_us(10);
    empty_rings(card);
    timer_start(&card->timer, RESET_MS);
}

/* ---- Operations ---------------------------------------------------------- */

static bool intel_send(void *pointer, struct iobuf *frame)
{
    struct intel_card *card = pointer;
    const size_t length = iobuf_length(frame);
    const unsigned slot = card->send_tail;
    volatile struct intel_send *row = &card->send_ring[slot];

    ASSERT(length >= NIC_FRAME_MIN && length <= NIC_FRAME_SEND_MAX);
    if (!card->running)
        return false;
    release_sent(card);
    if ((slot + 1) % RING == card->send_head)
        return false;
    if (card->send_head == slot)
        card->send_progress_ms = timer_now_ms();
    row->address = io_dma_address(frame->data);
    row->length = (uint16_t)length;
    row->checksum_offset = 0;
    row->checksum_start = 0;
    row->special = 0;
    row->status = 0;
    row->command = INTEL_COMMAND_EOP | INTEL_COMMAND_FCS | INTEL_COMMAND_RS;
    card->send_buffers[slot] = iobuf_take(frame);
    card->send_tail = (slot + 1) % RING;
    card->info.frames_out++;
    card->info.bytes_out += length;
    io_barrier();
    write_register(card, INTEL_TDT, card->send_tail);
    return true;
}

/* Whether a finished descriptor holds one good, whole frame. */
static bool row_is_good(struct intel_card *card, uint8_t status, uint8_t errors,
                        uint16_t length)
{
    const bool last = status & INTEL_STATUS_EOP;
    const bool whole = last && !card->discarding;

    card->discarding = !last;
    return whole && !(errors & INTEL_ERRORS_BAD) && length >= NIC_FRAME_MIN &&
           length <= NIC_FRAME_MAX;
}

static struct iobuf *intel_receive(void *pointer)
{
    struct intel_card *card = pointer;
    struct iobuf *frame = NULL;

    if (!card->running)
        return NULL;
    for (unsigned i = 0; i < RING && frame == NULL; i++) {
        const unsigned slot = card->receive_head;
        volatile struct intel_receive *row = &card->receive_ring[slot];
        uint16_t length;

        if (slot == card->receive_told || !(row->status & INTEL_STATUS_DD))
            break;
        io_barrier();
        length = row->length;
        frame = card->receive_buffers[slot];
        card->receive_buffers[slot] = NULL;
        card->receive_head = (slot + 1) % RING;
        if (!row_is_good(card, row->status, row->errors, length)) {
            card->info.errors_in++;
            iobuf_release(frame);
            frame = NULL;
            continue;
        }
        (void)iobuf_put(frame, length);
        card->info.frames_in++;
        card->info.bytes_in += length;
    }
    refill(card);
    return frame;
}

static void intel_info(void *pointer, struct machine_nic_info *info)
{
    const struct intel_card *card = pointer;

    *info = card->info;
}

static void intel_join(void *pointer, const uint8_t group[6])
{
    struct intel_card *card = pointer;

    memcpy(card->group, group, sizeof(card->group));
    if (card->running)
        write_group(card);
}

static const struct nic_operations operations = {
    .send = intel_send,
    .receive = intel_receive,
    .info = intel_info,
    .join = intel_join,
};

/* ---- PCI ----------------------------------------------------------------- */

static bool intel_poll(struct pci_device *device)
{
    struct intel_card *card = device->driver_data;
    const uint32_t interrupts = pci_interrupt_count(device);

    if (!card->running)
        return false;
    if (interrupts != card->interrupts_seen) {
        uint32_t cause = read_register(card, INTEL_ICR);

        card->interrupts_seen = interrupts;
        if (cause & INTEL_IRQ_LSC)
            check_link(card);
    }
    release_sent(card);
    refill(card);
    return card->receive_head != card->receive_told &&
           (card->receive_ring[card->receive_head].status & INTEL_STATUS_DD);
}

static enum err intel_probe(struct pci_device *device, const struct pci_id *id)
{
    struct intel_card *card = &state.cards[state.count];
    uint64_t base, bytes;
    bool is_io;
    enum err error;

    if (state.count == CARDS)
        return ERR_FULL;
    error = pci_bar(device, 0, &base, &bytes, &is_io);
    if (error != OK)
        return error;
    if (is_io || bytes < INTEL_REGISTERS_BYTES)
        return ERR_UNSUPPORTED;
    memset(card, 0, sizeof(*card));
    card->device = device;
    card->part = id;
    card->info.name = id->name;
    card->registers = io_map(base, INTEL_REGISTERS_BYTES);
    if (card->registers.base == 0)
        return ERR_UNSUPPORTED;
    pci_enable(device);
    error = read_address(card);
    if (error != OK)
        return error;
    card->receive_ring =
        io_dma_take(RING * sizeof(struct intel_receive), 4096, 0);
    card->send_ring = io_dma_take(RING * sizeof(struct intel_send), 4096, 0);
    if (card->receive_ring == NULL || card->send_ring == NULL)
        return ERR_MEMORY;
    state.count++;
    device->driver_data = card;
    timer_init(&card->timer, timer_expired);
    start_reset(card);
    pci_route_interrupt(device);
    nic_register(&operations, card);
    return OK;
}

static const struct pci_id parts[] = {
    {0x8086, 0x100e, 0, 0, "Intel 82540EM", 0},
    {0x8086, 0x100f, 0, 0, "Intel 82545EM", 0},
    {0x8086, 0x1008, 0, 0, "Intel 82544EI", 0},
    {0x8086, 0x100c, 0, 0, "Intel 82544GC", 0},
    {0x8086, 0x10d3, 0, 0, "Intel 82574L",
     QUIRK_EERD_LARGE | QUIRK_QUEUE_ENABLE},
};

static const struct pci_driver intel_driver = {
    .name = "intel",
    .ids = parts,
    .id_count = sizeof(parts) / sizeof(parts[0]),
    .probe = intel_probe,
    .poll = intel_poll,
};

PCI_DRIVER(intel_driver);
