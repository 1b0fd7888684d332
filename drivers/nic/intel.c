/* Intel's gigabit family (PCI/PCI-X Family of Gigabit Ethernet Controllers
 * Software Developer's Manual 317453; data sheets of the 82574, I210, I217,
 * I219, I350).
 *
 * Receiving: buffers of the pool hang in the ring; a filled one is handed up as
 * it is and its slot filled again, at once or, while the pool is empty, when
 * there is one. Sending: the descriptor points into the caller's buffer, which
 * the card holds until its DD bit is seen. Both rings are watched in memory;
 * the interrupt register is read only after an interrupt. Descriptors are the
 * legacy ones, or advanced where a part is made for those.
 *
 * A card that sends nothing for two seconds with link up is reset; so is one
 * that skips a slot, and one whose registers read as all ones.
 *
 * Not supported: jumbo frames, checksum offload, VLAN tags, more than one
 * multicast group, message signalled interrupts, the way out of a PCH's
 * ultra low power state (its firmware does that at power-on). */
#include "drivers/nic/intel.h"
#include "core/check.h"
#include "core/log.h"
#include <string.h>

/* Of `high` when a row to send is done, and of the word that tells of a
 * received one: `high`, or `low` in an advanced descriptor. */
#define ROW_DONE 0x01u
#define ROW_LAST 0x02u
/* Received, legacy: CRC, symbol, sequence, carrier, data errors. */
#define ROW_BAD 0x00009700u
/* Received, advanced: RXE. */
#define ROW_BAD_ADVANCED 0x80000000u
/* To send: end of packet, FCS, report; and data, advanced. */
#define ROW_SEND          0x0b000000u
#define ROW_SEND_ADVANCED 0x2b300000u
#define ROW_PAYLOAD_SHIFT 14u

#define CARDS        4u
#define REFILL_BATCH 16u /* slots for one write of the tail register */
#define RESET_MS     20u /* policy: covers the EEPROM's autoload */
#define LINK_MS      500u
#define STUCK_MS     2000u
#define ENABLE_POLLS 50u /* of 10 us for a queue */

static struct intel_state {
    struct intel_card cards[CARDS];
    unsigned count;
} state;

static void start_reset(struct intel_card *card);

static uint32_t receive_queue(const struct intel_card *card)
{
    return intel_is(card, INTEL_IGC) ? INTEL_IGC_RECEIVE_QUEUE
                                     : INTEL_RECEIVE_QUEUE;
}

static uint32_t send_queue(const struct intel_card *card)
{
    return intel_is(card, INTEL_IGC) ? INTEL_IGC_SEND_QUEUE : INTEL_SEND_QUEUE;
}

/* ---- Rings --------------------------------------------------------------- */

static void refill(struct intel_card *card)
{
    struct nic_ring *ring = &card->receive;
    unsigned waiting;

    while (!nic_ring_full(ring)) {
        struct iobuf *buffer = iobuf_alloc_receive();
        volatile struct intel_row *row;

        if (buffer == NULL)
            break;
        row = &card->receive_rows[nic_ring_add(ring, buffer)];
        row->address = io_dma_address(buffer->data);
        row->low = row->high = 0;
    }
    waiting = (ring->tail + NIC_RING - card->receive_told) % NIC_RING;
    if (waiting == 0)
        return;
    /* A batch at a time, unless the card has little left. */
    if (waiting < REFILL_BATCH &&
        (card->receive_told + NIC_RING - ring->head) % NIC_RING > NIC_RING / 4)
        return;
    card->receive_told = ring->tail;
    io_barrier();
    intel_write(card, receive_queue(card) + INTEL_TAIL, card->receive_told);
}

static void release_sent(struct intel_card *card)
{
    struct nic_ring *ring = &card->send;

    while (ring->head != ring->tail &&
           (card->send_rows[ring->head].high & ROW_DONE)) {
        iobuf_release(nic_ring_take(ring));
        card->send_progress_ms = timer_now_ms();
    }
}

static void empty_rings(struct intel_card *card)
{
    (void)nic_ring_empty(&card->receive);
    card->info.errors_out += nic_ring_empty(&card->send);
    for (unsigned i = 0; i < NIC_RING; i++) {
        card->receive_rows[i].low = card->receive_rows[i].high = 0;
        card->send_rows[i].low = card->send_rows[i].high = 0;
    }
    card->receive_told = 0;
    card->discarding = false;
}

static bool received(const struct intel_card *card, unsigned slot)
{
    const volatile struct intel_row *row = &card->receive_rows[slot];

    return (intel_is(card, INTEL_ADVANCED) ? row->low : row->high) & ROW_DONE;
}

static void start_queue(struct intel_card *card, uint32_t queue,
                        volatile struct intel_row *rows, uint32_t control)
{
    const uint64_t address = io_dma_address((const void *)(uintptr_t)rows);

    intel_write(card, queue + INTEL_BAL, (uint32_t)address);
    intel_write(card, queue + INTEL_BAH, (uint32_t)(address >> 32));
    intel_write(card, queue + INTEL_LEN, NIC_RING * sizeof(struct intel_row));
    intel_write(card, queue + INTEL_HEAD, 0);
    intel_write(card, queue + INTEL_TAIL, 0);
    if (!intel_is(card, INTEL_QUEUE_ENABLE))
        return;
    intel_write(card, queue + INTEL_DCTL,
                intel_read(card, queue + INTEL_DCTL) | control);
    for (unsigned i = 0; i < ENABLE_POLLS; i++) {
        if (intel_read(card, queue + INTEL_DCTL) & INTEL_DCTL_ENABLE)
            return;
        io_delay_us(10);
    }
}

static void start_rings(struct intel_card *card)
{
    if (intel_is(card, INTEL_I219)) /* or a later reset stops its rings */
        intel_write(card, INTEL_FEXTNVM11,
                    intel_read(card, INTEL_FEXTNVM11) | INTEL_FEXTNVM11_13);
    if (intel_is(card, INTEL_ADVANCED)) {
        intel_write(card, receive_queue(card) + INTEL_SRRCTL,
                    INTEL_SRRCTL_VALUE);
    } else {
        /* An interrupt only ends a sleep, and none is taken while there is
         * work: nothing is gained by holding it back. */
        intel_write(card, INTEL_RDTR, 0);
        intel_write(card, INTEL_RADV, 0);
        intel_write(card, INTEL_ITR, 0);
        intel_write(card, INTEL_TIPG, INTEL_TIPG_COPPER);
    }
    start_queue(card, send_queue(card), card->send_rows,
                INTEL_DCTL_ENABLE |
                    (intel_is(card, INTEL_ADVANCED) ? 0 : INTEL_DCTL_22));
    intel_write(card, INTEL_TCTL,
                INTEL_TCTL_EN | INTEL_TCTL_PSP | INTEL_TCTL_CT |
                    INTEL_TCTL_COLD);
    intel_write(card, INTEL_RCTL,
                INTEL_RCTL_EN | INTEL_RCTL_BAM | INTEL_RCTL_SECRC);
    start_queue(card, receive_queue(card), card->receive_rows,
                INTEL_DCTL_ENABLE);
    refill(card);
}

/* ---- Reset, link, watchdog ----------------------------------------------- */

static uint32_t link_mbit(const struct intel_card *card, uint32_t status)
{
    static const uint32_t speeds[4] = {10, 100, 1000, 1000};

    if (intel_is(card, INTEL_IGC) && (status & INTEL_STATUS_2500))
        return 2500;
    return speeds[status >> 6 & 3];
}

static void check_link(struct intel_card *card)
{
    const uint32_t status = intel_read(card, INTEL_STATUS);
    const bool up = status != UINT32_MAX && (status & INTEL_STATUS_LU);
    const uint32_t mbit = up ? link_mbit(card, status) : 0;

    if (up == card->info.link_up && mbit == card->info.speed_mbit)
        return;
    card->info.link_up = up;
    card->info.speed_mbit = mbit;
    /* What waited while the link was down is not stuck. */
    card->send_progress_ms = timer_now_ms();
    log_info("intel", "link %s mbit=%u", up ? "up" : "down", mbit);
}

/* The card's counters clear themselves when read. */
static void count_errors(struct intel_card *card)
{
    card->info.errors_in += intel_read(card, INTEL_CRCERRS);
    card->info.errors_in += intel_read(card, INTEL_RXERRC);
    card->info.errors_in += intel_read(card, INTEL_MPC);
}

static uint32_t icr(const struct intel_card *card)
{
    return intel_is(card, INTEL_IGC) ? INTEL_IGC_ICR : INTEL_ICR;
}

static void mask_interrupts(const struct intel_card *card)
{
    intel_write(card, intel_is(card, INTEL_IGC) ? INTEL_IGC_IMC : INTEL_IMC,
                UINT32_MAX);
}

/* False while the card is still at it, or does not answer. */
static bool reset_is_over(struct intel_card *card)
{
    const uint32_t control = intel_read(card, INTEL_CTRL);

    if (control != UINT32_MAX && !(control & INTEL_CTRL_RST))
        return true;
    if (!card->overdue)
        log_warn("intel", "does not end its reset");
    card->overdue = true;
    card->lost |= control == UINT32_MAX;
    return false;
}

static void end_reset(struct intel_card *card)
{
    uint32_t control = intel_read(card, INTEL_CTRL);

    card->overdue = false;
    empty_rings(card);
    mask_interrupts(card);
    (void)intel_read(card, icr(card));
    control &= ~(INTEL_CTRL_LRST | INTEL_CTRL_ILOS | INTEL_CTRL_FRCSPD |
                 INTEL_CTRL_FRCDPLX | INTEL_CTRL_VME | INTEL_CTRL_RST |
                 INTEL_CTRL_PHY_RST);
    intel_write(card, INTEL_CTRL,
                control | INTEL_CTRL_SLU |
                    (intel_is(card, INTEL_NO_ASDE) ? 0 : INTEL_CTRL_ASDE));
    intel_wake_phy(card);
    intel_write_filters(card);
    start_rings(card);
    intel_write(card, intel_is(card, INTEL_IGC) ? INTEL_IGC_IMS : INTEL_IMS,
                INTEL_IRQ_LSC | INTEL_IRQ_RXDMT0 | INTEL_IRQ_RXO |
                    INTEL_IRQ_RXT0);
    card->running = true;
    card->send_progress_ms = timer_now_ms();
    card->watched = NIC_RING;
    check_link(card);
}

/* The card goes on behind a slot that it never gave back: what it wrote there
 * made no sense. */
static bool receiving_stuck(struct intel_card *card)
{
    const unsigned slot = card->receive.head;
    const bool passed =
        slot != card->receive_told && !received(card, slot) &&
        intel_read(card, receive_queue(card) + INTEL_HEAD) != slot;
    const bool stuck = passed && card->watched == slot;

    card->watched = passed ? slot : NIC_RING;
    return stuck;
}

static void watch(struct intel_card *card)
{
    if (intel_read(card, INTEL_STATUS) == UINT32_MAX) {
        log_warn("intel", "registers unreadable: reset");
        start_reset(card);
        return;
    }
    check_link(card);
    count_errors(card);
    if (card->info.link_up && card->send.head != card->send.tail &&
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

    if (card->running)
        watch(card);
    else if (!reset_is_over(card))
        timer_start(&card->timer, LINK_MS);
    else if (card->lost)
        start_reset(card);
    else
        end_reset(card);
    if (card->running)
        timer_start(&card->timer, LINK_MS);
}

/* Ends, when the card has loaded its EEPROM, with end_reset(): the buffers are
 * the card's until it has shown that it has been reset. */
static void start_reset(struct intel_card *card)
{
    card->running = false;
    card->info.link_up = false;
    card->info.speed_mbit = 0;
    card->resets++;
    mask_interrupts(card);
    intel_write(card, INTEL_RCTL, 0);
    intel_write(card, INTEL_TCTL, 0);
    (void)intel_read(card, INTEL_STATUS);
    if (intel_is(card, INTEL_PBS)) {
        intel_write(card, INTEL_RXPBS, INTEL_RXPBS_VALUE);
        intel_write(card, INTEL_TXPBS, INTEL_TXPBS_VALUE);
    }
    intel_write(card, INTEL_CTRL,
                intel_read(card, INTEL_CTRL) | INTEL_CTRL_RST);
    card->lost = intel_read(card, INTEL_STATUS) == UINT32_MAX;
    timer_start(&card->timer, RESET_MS);
}

/* ---- Operations ---------------------------------------------------------- */

static bool intel_send(void *pointer, struct iobuf *frame)
{
    struct intel_card *card = pointer;
    const uint32_t length = (uint32_t)iobuf_length(frame);
    volatile struct intel_row *row;

    ASSERT(length >= NIC_FRAME_MIN && length <= NIC_FRAME_SEND_MAX);
    if (!card->running)
        return false;
    release_sent(card);
    if (nic_ring_full(&card->send))
        return false;
    if (card->send.head == card->send.tail)
        card->send_progress_ms = timer_now_ms();
    row = &card->send_rows[nic_ring_add(&card->send, iobuf_take(frame))];
    row->address = io_dma_address(frame->data);
    if (intel_is(card, INTEL_ADVANCED)) {
        row->low = ROW_SEND_ADVANCED | length;
        row->high = length << ROW_PAYLOAD_SHIFT;
    } else {
        row->low = ROW_SEND | length;
        row->high = 0;
    }
    card->info.frames_out++;
    card->info.bytes_out += length;
    io_barrier();
    intel_write(card, send_queue(card) + INTEL_TAIL, card->send.tail);
    return true;
}

/* The bytes of the one good, whole frame that a finished row tells of; else 0.
 */
static uint32_t frame_bytes(struct intel_card *card,
                            const volatile struct intel_row *row)
{
    const bool advanced = intel_is(card, INTEL_ADVANCED);
    const uint32_t status = advanced ? row->low : row->high;
    const uint32_t length = (advanced ? row->high : row->low) & 0xffff;
    const bool last = status & ROW_LAST;
    const bool whole = last && !card->discarding;

    card->discarding = !last;
    if (!whole || (status & (advanced ? ROW_BAD_ADVANCED : ROW_BAD)) ||
        length < NIC_FRAME_MIN || length > NIC_FRAME_MAX)
        return 0;
    return length;
}

static struct iobuf *intel_receive(void *pointer)
{
    struct intel_card *card = pointer;
    struct nic_ring *ring = &card->receive;
    struct iobuf *frame = NULL;

    if (!card->running)
        return NULL;
    while (frame == NULL && ring->head != card->receive_told &&
           received(card, ring->head)) {
        uint32_t length;

        io_barrier();
        length = frame_bytes(card, &card->receive_rows[ring->head]);
        frame = nic_received(&card->info, nic_ring_take(ring), length);
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
        intel_write_group(card);
}

static const struct nic_operations operations = {
    .send = intel_send,
    .receive = intel_receive,
    .info = intel_info,
    .join = intel_join,
};

/* ---- PCI ----------------------------------------------------------------- */

bool intel_poll(struct pci_device *device)
{
    struct intel_card *card = device->driver_data;
    const uint32_t interrupts = pci_interrupt_count(device);

    if (!card->running)
        return false;
    if (interrupts != card->interrupts_seen) {
        const uint32_t cause = intel_read(card, icr(card));

        card->interrupts_seen = interrupts;
        if (cause & INTEL_IRQ_LSC)
            check_link(card);
    }
    release_sent(card);
    refill(card);
    return card->receive.head != card->receive_told &&
           received(card, card->receive.head);
}

enum err intel_probe(struct pci_device *device, const struct pci_id *id)
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
    error = intel_read_address(card);
    if (error != OK)
        return error;
    card->receive_rows =
        io_dma_take(NIC_RING * sizeof(struct intel_row), 4096, 0);
    card->send_rows = io_dma_take(NIC_RING * sizeof(struct intel_row), 4096, 0);
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
