/* Realtek RTL8139 (RTL8139D datasheet; RTL8139 programming guide).
 *
 * Received frames lie one behind the other in a ring of bytes, each with a
 * header of status and length, and are copied out of it into iobufs. Frames to
 * send must begin at a multiple of four: they are copied into one of four
 * buffers of the card's own.
 * Not supported: the C+ mode of the 8139C+, wake on LAN. */
#include "core/bytes.h"
#include "core/check.h"
#include "core/log.h"
#include "core/timer.h"
#include "drivers/nic/nic.h"
#include "drivers/pci.h"
#include <string.h>

#define RTL_IDR0            0x00u /* station address */
#define RTL_MAR0            0x08u /* multicast filter */
#define RTL_TSD0            0x10u
#define RTL_TSAD0           0x20u
#define RTL_RBSTART         0x30u
#define RTL_CR              0x37u
#define RTL_CAPR            0x38u
#define RTL_CBR             0x3au
#define RTL_IMR             0x3cu
#define RTL_ISR             0x3eu
#define RTL_TCR             0x40u
#define RTL_RCR             0x44u
#define RTL_MPC             0x4cu
#define RTL_9346CR          0x50u
#define RTL_CONFIG1         0x52u
#define RTL_MSR             0x58u
#define RTL_REGISTERS_BYTES 0x100u

#define CR_BUFE 0x01u
#define CR_TE   0x04u
#define CR_RE   0x08u
#define CR_RST  0x10u

#define INT_ROK    0x0001u
#define INT_RER    0x0002u
#define INT_TOK    0x0004u
#define INT_TER    0x0008u
#define INT_RXOVW  0x0010u
#define INT_LINK   0x0020u
#define INT_FOVW   0x0040u
#define INTERRUPTS (INT_ROK | INT_RER | INT_RXOVW | INT_LINK | INT_FOVW)

#define TSD_OWN  0x2000u
#define TSD_TOK  0x8000u
#define TSD_TABT 0x40000000u

/* Broadcast, multicast, own; frames go on behind the ring's end; ring of 32
 * KiB; no thresholds. */
#define RCR_VALUE    0x0000f78eu
#define TCR_VALUE    0x03000700u /* standard gap, bursts without limit */
#define MSR_LINKB    0x04u       /* no link */
#define MSR_SPEED_10 0x08u
#define UNLOCK       0xc0u
#define LOCK         0x00u

#define HEADER_ROK      0x0001u
#define HEADER_BAD      0x003eu
#define HEADER_BYTES    4u
#define FCS_BYTES       4u
#define LENGTH_GOING_ON 0xfff0u /* the frame is still arriving */

#define CARDS      2u
#define RING_BYTES 32768u
#define RING_SPARE 2048u /* for a frame that begins near the end */
#define SEND_SLOTS 4u
#define SEND_BYTES 2048u
#define FRAME_SHORTEST                                                         \
    60u /* on the wire, without FCS; the card does not pad                     \
         */
#define RESET_MS     2u
#define RESET_MS_MAX 100u
#define LINK_MS      500u
#define STUCK_MS     2000u

struct rtl_card {
    struct timer timer; /* end of reset, then link and watchdog */
    struct pci_device *device;
    uint16_t ports;
    uint8_t *ring, *send_buffers;
    uint32_t read_offset;          /* in the ring */
    unsigned send_head, send_tail; /* free running */
    bool running;
    bool overdue; /* the reset has not ended in its time */
    bool lost;    /* nor was it heard: registers unreadable */
    uint32_t interrupts_seen;
    uint64_t send_progress_ms, reset_ms;
    struct machine_nic_info info;
};

static struct rtl_state {
    struct rtl_card cards[CARDS];
    unsigned count;
} state;

static uint16_t port(const struct rtl_card *card, unsigned offset)
{
    return (uint16_t)(card->ports + offset);
}

/* ---- Reset, link, watchdog ----------------------------------------------- */

static void start_reset(struct rtl_card *card)
{
    card->running = false;
    card->info.link_up = false;
    card->info.speed_mbit = 0;
    card->info.errors_out += card->send_tail - card->send_head;
    card->send_head = card->send_tail = 0;
    card->reset_ms = timer_now_ms();
    io_out16(port(card, RTL_IMR), 0);
    io_out8(port(card, RTL_CR), CR_RST);
    card->lost = io_in8(port(card, RTL_CR)) == 0xff;
    timer_start(&card->timer, RESET_MS);
}

static void check_link(struct rtl_card *card)
{
    const uint8_t status = io_in8(port(card, RTL_MSR));
    const bool up = status != 0xff && !(status & MSR_LINKB);

    card->info.speed_mbit = !up ? 0 : status & MSR_SPEED_10 ? 10 : 100;
    if (up == card->info.link_up)
        return;
    card->info.link_up = up;
    card->send_progress_ms = timer_now_ms();
    log_info("rtl8139", "link %s mbit=%u", up ? "up" : "down",
             card->info.speed_mbit);
}

static void start_receiver(struct rtl_card *card)
{
    card->read_offset = 0;
    io_out32(port(card, RTL_RBSTART), (uint32_t)io_dma_address(card->ring));
    io_out8(port(card, RTL_CR), CR_TE | CR_RE);
    io_out16(port(card, RTL_CAPR), (uint16_t)(0u - 16u));
    io_out32(port(card, RTL_RCR), RCR_VALUE);
}

static void end_reset(struct rtl_card *card)
{
    const uint8_t command = io_in8(port(card, RTL_CR));

    if (command & CR_RST) {
        const bool late = timer_now_ms() - card->reset_ms > RESET_MS_MAX;

        if (late && !card->overdue)
            log_warn("rtl8139", "does not end its reset");
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
    io_out8(port(card, RTL_9346CR), UNLOCK);
    for (unsigned i = 0; i < 8; i += 4)
        io_out32(port(card, RTL_IDR0 + i),
                 i == 0 ? get_le32(card->info.address)
                        : get_le16(card->info.address + 4));
    io_out8(port(card, RTL_9346CR), LOCK);
    io_out32(port(card, RTL_MAR0), UINT32_MAX);
    io_out32(port(card, RTL_MAR0 + 4), UINT32_MAX);
    start_receiver(card);
    io_out32(port(card, RTL_TCR), TCR_VALUE);
    for (unsigned i = 0; i < SEND_SLOTS; i++)
        io_out32(port(card, RTL_TSAD0 + 4 * i),
                 (uint32_t)io_dma_address(card->send_buffers + i * SEND_BYTES));
    io_out16(port(card, RTL_ISR), 0xffff);
    io_out16(port(card, RTL_IMR), INTERRUPTS);
    card->running = true;
    card->send_progress_ms = timer_now_ms();
    check_link(card);
    timer_start(&card->timer, LINK_MS);
}

static void release_sent(struct rtl_card *card)
{
    while (card->send_head != card->send_tail) {
        const uint32_t status =
            io_in32(port(card, RTL_TSD0 + 4 * (card->send_head % SEND_SLOTS)));

        if (!(status & TSD_OWN))
            break;
        if (!(status & TSD_TOK))
            card->info.errors_out++;
        card->send_head++;
        card->send_progress_ms = timer_now_ms();
    }
}

static void watch(struct rtl_card *card)
{
    if (io_in32(port(card, RTL_TCR)) == UINT32_MAX) {
        log_warn("rtl8139", "registers unreadable: reset");
        start_reset(card);
        return;
    }
    check_link(card);
    card->info.errors_in += io_in32(port(card, RTL_MPC)) & 0xffffff;
    io_out32(port(card, RTL_MPC), 0);
    release_sent(card);
    if (card->info.link_up && card->send_head != card->send_tail &&
        timer_now_ms() - card->send_progress_ms >= STUCK_MS) {
        log_warn("rtl8139", "sending stuck: reset");
        start_reset(card);
        return;
    }
    timer_start(&card->timer, LINK_MS);
}

static void timer_expired(struct timer *timer)
{
    struct rtl_card *card = (struct rtl_card *)timer;

    if (card->running)
        watch(card);
    else
        end_reset(card);
}

/* ---- Operations -----------------------------------------------------------
 */

static bool rtl_send(void *pointer, struct iobuf *frame)
{
    struct rtl_card *card = pointer;
    const unsigned slot = card->send_tail % SEND_SLOTS;
    uint8_t *buffer = card->send_buffers + slot * SEND_BYTES;
    size_t length = iobuf_length(frame);

    ASSERT(length >= NIC_FRAME_MIN && length <= NIC_FRAME_SEND_MAX);
    if (!card->running)
        return false;
    release_sent(card);
    if (card->send_tail - card->send_head == SEND_SLOTS)
        return false;
    if (card->send_head == card->send_tail)
        card->send_progress_ms = timer_now_ms();
    memcpy(buffer, frame->data, length);
    card->info.frames_out++;
    card->info.bytes_out += length;
    if (length < FRAME_SHORTEST) {
        memset(buffer + length, 0, FRAME_SHORTEST - length);
        length = FRAME_SHORTEST;
    }
    io_barrier();
    io_out32(port(card, RTL_TSD0 + 4 * slot), (uint32_t)length);
    card->send_tail++;
    return true;
}

/* What lies in the ring makes no sense, or has run over: from the start. */
static void restart_receiver(struct rtl_card *card)
{
    card->info.errors_in++;
    io_out8(port(card, RTL_CR), CR_TE);
    start_receiver(card);
}

static void step_over(struct rtl_card *card, uint32_t bytes)
{
    card->read_offset = (card->read_offset + HEADER_BYTES + bytes + 3) & ~3u;
    card->read_offset %= RING_BYTES;
    io_out16(port(card, RTL_CAPR), (uint16_t)(card->read_offset - 16u));
}

static struct iobuf *copy_frame(struct rtl_card *card, const uint8_t *bytes,
                                uint32_t length)
{
    struct iobuf *frame = iobuf_alloc_receive();

    if (frame == NULL) {
        card->info.errors_in++;
        return NULL;
    }
    memcpy(iobuf_put(frame, length), bytes, length);
    card->info.frames_in++;
    card->info.bytes_in += length;
    return frame;
}

static struct iobuf *rtl_receive(void *pointer)
{
    struct rtl_card *card = pointer;

    while (card->running && !(io_in8(port(card, RTL_CR)) & CR_BUFE)) {
        const uint8_t *header = card->ring + card->read_offset;
        const uint16_t status = get_le16(header);
        const uint32_t length = get_le16(header + 2);
        struct iobuf *frame;

        if (length == LENGTH_GOING_ON)
            return NULL;
        if (!(status & HEADER_ROK) || (status & HEADER_BAD) ||
            length < NIC_FRAME_MIN + FCS_BYTES ||
            length > NIC_FRAME_MAX + FCS_BYTES) {
            restart_receiver(card);
            return NULL;
        }
        io_barrier();
        frame = copy_frame(card, header + HEADER_BYTES, length - FCS_BYTES);
        step_over(card, length);
        if (frame != NULL)
            return frame;
    }
    return NULL;
}

static void rtl_info(void *pointer, struct machine_nic_info *info)
{
    const struct rtl_card *card = pointer;

    *info = card->info;
}

/* The filter lets all groups through. */
static void rtl_join(void *pointer, const uint8_t group[6])
{
    (void)pointer;
    (void)group;
}

static const struct nic_operations operations = {
    .send = rtl_send,
    .receive = rtl_receive,
    .info = rtl_info,
    .join = rtl_join,
};

/* ---- PCI ------------------------------------------------------------------
 */

static bool rtl_poll(struct pci_device *device)
{
    struct rtl_card *card = device->driver_data;
    const uint32_t interrupts = pci_interrupt_count(device);

    if (!card->running)
        return false;
    if (interrupts != card->interrupts_seen) {
        const uint16_t cause = io_in16(port(card, RTL_ISR));

        card->interrupts_seen = interrupts;
        io_out16(port(card, RTL_ISR), cause);
        if (cause & INT_LINK)
            check_link(card);
        if (cause & (INT_RXOVW | INT_FOVW))
            restart_receiver(card);
    }
    return !(io_in8(port(card, RTL_CR)) & CR_BUFE);
}

static enum err rtl_probe(struct pci_device *device, const struct pci_id *id)
{
    struct rtl_card *card = &state.cards[state.count];
    uint64_t base, bytes;
    bool is_io;
    enum err error;

    if (state.count == CARDS)
        return ERR_FULL;
    error = pci_bar(device, 0, &base, &bytes, &is_io);
    if (error != OK)
        return error;
    if (!is_io || bytes < RTL_REGISTERS_BYTES || base > 0xffff - bytes)
        return ERR_UNSUPPORTED;
    memset(card, 0, sizeof(*card));
    card->device = device;
    card->ports = (uint16_t)base;
    card->info.name = id->name;
    pci_enable(device);
    io_out8(port(card, RTL_CONFIG1), 0); /* awake */
    for (unsigned i = 0; i < 6; i++)
        card->info.address[i] = io_in8(port(card, RTL_IDR0 + i));
    if (!nic_address_valid(card->info.address))
        return ERR_IO;
    card->ring = io_dma_take(RING_BYTES + RING_SPARE, 4096, 0);
    card->send_buffers = io_dma_take(SEND_SLOTS * SEND_BYTES, 4096, 0);
    if (card->ring == NULL || card->send_buffers == NULL)
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
    {0x10ec, 0x8139, 0, 0, "Realtek RTL8139", 0},
    {0x10ec, 0x8138, 0, 0, "Realtek RTL8139B", 0},
    {0x1186, 0x1300, 0, 0, "D-Link DFE-538TX", 0},
};

static const struct pci_driver rtl_driver = {
    .name = "rtl8139",
    .ids = parts,
    .id_count = sizeof(parts) / sizeof(parts[0]),
    .probe = rtl_probe,
    .poll = rtl_poll,
};

PCI_DRIVER(rtl_driver);
