/* 3Com 3C905B and 3C905C, 3C980 (3C90xC NICs Technical Reference).
 *
 * Receiving: buffers of the pool hang in a ring of UPDs; the card fills them in
 * order and stops (stalls) at one that is still marked complete; a filled one
 * is handed up as it is, its slot filled again, and the card told to go on.
 * Sending: frames hang in a chain of DPDs that point into the callers' buffers
 * until the card has marked them as downloaded; the chain is held (stalled) for
 * the moment in which another is hung on. Both are watched in memory; the
 * status register is read only after an interrupt.
 *
 * A card that sends nothing for two seconds with link up is reset; so is one
 * that skips a slot, reports a bus error, or whose registers read as all ones.
 *
 * Tried on a register model only. Not supported: the older 3C90x without the
 * second DMA engine, fibre and coax, checksum offload, wake on LAN. */
#include "core/check.h"
#include "core/log.h"
#include "core/timer.h"
#include "drivers/nic/mii.h"
#include "drivers/nic/nic.h"
#include "drivers/nic/nic_ring.h"
#include "drivers/pci.h"
#include <string.h>

/* In every window. */
#define EL3_COMMAND   0x0eu /* written */
#define EL3_STATUS    0x0eu /* read */
#define EL3_TX_STATUS 0x1bu
#define EL3_DN_LIST   0x24u
#define EL3_UP_LIST   0x38u
#define EL3_PORTS     0x80u
/* Window 0. */
#define EL3_EEPROM_COMMAND 0x0au
#define EL3_EEPROM_DATA    0x0cu
/* Window 2. */
#define EL3_STATION      0x00u
#define EL3_STATION_MASK 0x06u
/* Window 3. */
#define EL3_INTERNAL_CONFIG 0x00u
#define EL3_MAX_PACKET      0x04u
#define EL3_MAC_CONTROL     0x06u
/* Window 4. */
#define EL3_PHY_MANAGEMENT 0x08u
#define EL3_MEDIA_STATUS   0x0au

#define COMMAND(number, parameter) ((uint16_t)((number) << 11 | (parameter)))

#define GLOBAL_RESET     0u
#define SELECT_WINDOW    1u
#define RX_ENABLE        4u
#define RX_RESET         5u
#define STALL            6u /* and the other way: parameter below */
#define TX_ENABLE        9u
#define TX_RESET         11u
#define ACKNOWLEDGE      13u
#define INTERRUPT_ENABLE 14u
#define INDICATE         15u
#define RX_FILTER        16u
#define STATISTICS_OFF   22u

#define UP_STALL   0u
#define UP_UNSTALL 1u
#define DN_STALL   2u
#define DN_UNSTALL 3u

/* Not reset: the network side, whose PHY would negotiate anew for seconds. */
#define RESET_NOT_NETWORK 0x0004u
#define FILTER_VALUE      0x0007u /* own, multicast, broadcast */

#define STATUS_LATCH       0x0001u
#define STATUS_HOST_ERROR  0x0002u
#define STATUS_TX_COMPLETE 0x0004u
#define STATUS_REQUESTED   0x0040u
#define STATUS_DN_COMPLETE 0x0200u
#define STATUS_UP_COMPLETE 0x0400u
#define STATUS_BUSY        0x1000u
#define INTERRUPTS         (STATUS_HOST_ERROR | STATUS_TX_COMPLETE | STATUS_UP_COMPLETE)
/* Those that a command takes back. */
#define ACKNOWLEDGED                                                           \
    (STATUS_LATCH | STATUS_REQUESTED | STATUS_DN_COMPLETE | STATUS_UP_COMPLETE)

#define TX_COMPLETE 0x80u
#define TX_JABBER   0x20u
#define TX_UNDERRUN 0x10u
#define TX_BAD      0x3cu /* jabber, underrun, collisions, overflow */

#define CONFIG_XCVR      0x00f00000u
#define CONFIG_NEGOTIATE 0x00800000u
#define MAC_FULL_DUPLEX  0x0020u
#define MEDIA_LINK       0x0800u
#define EEPROM_READ      0x80u
#define EEPROM_BUSY      0x8000u
#define EEPROM_ADDRESS   0x0au /* OEM node address, 3 words */

#define MDIO_CLOCK 0x1u
#define MDIO_DATA  0x2u
#define MDIO_WRITE 0x4u /* we drive the data line */
#define PHY_NUMBER 24u

#define DPD_LAST     0x80000000u /* of its fragments */
#define DPD_DONE     0x00010000u
#define DPD_NO_ROUND 0x10000000u /* the length is as it is */
#define UPD_LAST     0x80000000u
#define UPD_DONE     0x00008000u
#define UPD_ERROR    0x00004000u
#define UPD_BYTES    0x00001fffu

#define CARDS        2u
#define POLLS        200u /* of 10 us for a command, as a bound */
#define EEPROM_POLLS 100u
#define RESET_MS     2u
#define RESET_MS_MAX 100u
#define LINK_MS      500u
#define STUCK_MS     2000u
#define CAUSES_MAX   8u

struct el3_dpd {
    uint32_t next, header, address, length;
};

struct el3_upd {
    uint32_t next, status, address, length;
};

struct el3_card {
    struct timer timer; /* end of reset, then link and watchdog */
    struct pci_device *device;
    uint16_t ports;
    volatile struct el3_dpd *dpds;
    volatile struct el3_upd *upds;
    struct nic_ring receive, send;
    unsigned window;
    bool running, full_duplex;
    bool overdue;     /* the reset has not ended in its time */
    bool lost;        /* nor was it heard: registers unreadable */
    bool failed;      /* to be reset at the next turn */
    unsigned watched; /* head of `receive` when it was looked at last */
    uint32_t interrupts_seen;
    uint64_t send_progress_ms, reset_ms;
    struct machine_nic_info info;
};

static struct el3_state {
    struct el3_card cards[CARDS];
    unsigned count;
} state;

static void start_reset(struct el3_card *card);

/* ---- Ports, commands, windows -------------------------------------------- */

static uint16_t port(const struct el3_card *card, unsigned offset)
{
    return (uint16_t)(card->ports + offset);
}

static void command(const struct el3_card *card, unsigned number,
                    unsigned parameter)
{
    io_out16(port(card, EL3_COMMAND), COMMAND(number, parameter));
}

static bool command_runs(const struct el3_card *card)
{
    return io_in16(port(card, EL3_STATUS)) & STATUS_BUSY;
}

/* For commands that take microseconds. False: it does not end. */
static bool command_wait(struct el3_card *card, unsigned number,
                         unsigned parameter)
{
    command(card, number, parameter);
    for (unsigned i = 0; i < POLLS; i++) {
        if (!command_runs(card))
            return true;
        io_delay_us(10);
    }
    card->failed = true;
    return false;
}

static void select_window(struct el3_card *card, unsigned window)
{
    if (card->window == window)
        return;
    command(card, SELECT_WINDOW, window);
    card->window = window;
}

/* ---- Station address ----------------------------------------------------- */

static bool read_eeprom(struct el3_card *card, unsigned word, uint16_t *value)
{
    select_window(card, 0);
    io_out16(port(card, EL3_EEPROM_COMMAND), (uint16_t)(EEPROM_READ | word));
    for (unsigned i = 0; i < EEPROM_POLLS; i++) {
        io_delay_us(10);
        if (io_in16(port(card, EL3_EEPROM_COMMAND)) & EEPROM_BUSY)
            continue;
        *value = io_in16(port(card, EL3_EEPROM_DATA));
        return true;
    }
    return false;
}

static enum err read_address(struct el3_card *card)
{
    for (unsigned i = 0; i < 3; i++) {
        uint16_t word;

        if (!read_eeprom(card, EEPROM_ADDRESS + i, &word))
            return ERR_IO;
        card->info.address[2 * i] = (uint8_t)(word >> 8);
        card->info.address[2 * i + 1] = (uint8_t)word;
    }
    return nic_address_valid(card->info.address) ? OK : ERR_IO;
}

static void write_address(struct el3_card *card)
{
    select_window(card, 2);
    for (unsigned i = 0; i < 6; i += 2) {
        io_out16(
            port(card, EL3_STATION + i),
            (uint16_t)(card->info.address[i + 1] << 8 | card->info.address[i]));
        io_out16(port(card, EL3_STATION_MASK + i), 0);
    }
}

/* ---- PHY: by three lines (IEEE 802.3, 22.2.4.5) -------------------------- */

/* Bits go out with the line stable around the clock's rise. */
static void mdio_send(const struct el3_card *card, uint32_t bits,
                      unsigned count)
{
    while (count-- > 0) {
        const uint16_t data = MDIO_WRITE | (bits >> count & 1 ? MDIO_DATA : 0);

        io_out16(port(card, EL3_PHY_MANAGEMENT), data);
        io_out16(port(card, EL3_PHY_MANAGEMENT), data | MDIO_CLOCK);
    }
}

/* What the PHY drives is read before the clock rises. */
static uint32_t mdio_receive(const struct el3_card *card, unsigned count)
{
    uint32_t bits = 0;

    while (count-- > 0) {
        io_out16(port(card, EL3_PHY_MANAGEMENT), 0);
        bits = bits << 1 |
               ((io_in16(port(card, EL3_PHY_MANAGEMENT)) & MDIO_DATA) != 0);
        io_out16(port(card, EL3_PHY_MANAGEMENT), MDIO_CLOCK);
    }
    return bits;
}

static bool phy_read(void *pointer, unsigned number, uint16_t *value)
{
    struct el3_card *card = pointer;
    uint32_t answer;

    select_window(card, 4);
    mdio_send(card, UINT32_MAX, 32);
    /* Start 01, read 10, both addresses. */
    mdio_send(card, 0x6u << 10 | PHY_NUMBER << 5 | number, 14);
    answer = mdio_receive(card, 18);
    mdio_send(card, UINT32_MAX, 1);
    *value = (uint16_t)answer;
    return !(answer & 0x10000); /* the turnaround's second bit is driven low */
}

static void phy_write(void *pointer, unsigned number, uint16_t value)
{
    struct el3_card *card = pointer;

    select_window(card, 4);
    mdio_send(card, UINT32_MAX, 32);
    /* Start 01, write 01, both addresses, turnaround 10, value. */
    mdio_send(card,
              0x5u << 28 | PHY_NUMBER << 23 | number << 18 | 0x20000u | value,
              32);
    mdio_send(card, UINT32_MAX, 1);
}

static const struct mii_operations phy = {
    .read = phy_read,
    .write = phy_write,
};

/* ---- Rings --------------------------------------------------------------- */

static uint32_t dpd_address(const struct el3_card *card, unsigned slot)
{
    return (uint32_t)io_dma_address(
        (const void *)(uintptr_t)&card->dpds[slot % NIC_RING]);
}

static uint32_t upd_address(const struct el3_card *card, unsigned slot)
{
    return (uint32_t)io_dma_address(
        (const void *)(uintptr_t)&card->upds[slot % NIC_RING]);
}

/* A slot without a buffer is marked complete: the card stops there. */
static void refill(struct el3_card *card)
{
    bool any = false;

    while (!nic_ring_full(&card->receive)) {
        struct iobuf *buffer = iobuf_alloc_receive();
        volatile struct el3_upd *upd;
        unsigned slot;

        if (buffer == NULL)
            break;
        slot = nic_ring_add(&card->receive, buffer);
        upd = &card->upds[slot];
        upd->next = upd_address(card, slot + 1);
        upd->address = (uint32_t)io_dma_address(buffer->data);
        upd->length = UPD_LAST | IOBUF_BYTES;
        io_barrier();
        upd->status = 0;
        any = true;
    }
    if (!any || !card->running)
        return;
    io_barrier();
    command(card, STALL, UP_UNSTALL);
}

static void release_sent(struct el3_card *card)
{
    while (card->send.head != card->send.tail &&
           (card->dpds[card->send.head].header & DPD_DONE)) {
        iobuf_release(nic_ring_take(&card->send));
        card->send_progress_ms = timer_now_ms();
    }
}

static void empty_rings(struct el3_card *card)
{
    (void)nic_ring_empty(&card->receive);
    card->info.errors_out += nic_ring_empty(&card->send);
    for (unsigned i = 0; i < NIC_RING; i++) {
        card->upds[i].next = upd_address(card, i + 1);
        card->upds[i].status = UPD_DONE;
        card->dpds[i].next = 0;
        card->dpds[i].header = DPD_DONE;
    }
}

/* ---- Link ---------------------------------------------------------------- */

static void set_duplex(struct el3_card *card, bool full)
{
    uint16_t control;

    if (full == card->full_duplex)
        return;
    card->full_duplex = full;
    select_window(card, 3);
    control = io_in16(port(card, EL3_MAC_CONTROL));
    control = (uint16_t)(full ? control | MAC_FULL_DUPLEX
                              : control & ~MAC_FULL_DUPLEX);
    io_out16(port(card, EL3_MAC_CONTROL), control);
}

/* The PHY is asked only when the card's own link bit has changed, or until it
 * knows: that takes half a millisecond. */
static void check_link(struct el3_card *card)
{
    struct mii_link link = {false, false, 0};
    uint16_t media;
    bool up;

    select_window(card, 4);
    media = io_in16(port(card, EL3_MEDIA_STATUS));
    up = media != 0xffff && (media & MEDIA_LINK);
    if (up == card->info.link_up && (!up || card->info.speed_mbit != 0))
        return;
    if (up && mii_link(&phy, card, &link) && link.mbit != 0)
        set_duplex(card, link.full_duplex);
    if (up == card->info.link_up && link.mbit == 0)
        return;
    card->info.link_up = up;
    card->info.speed_mbit = link.mbit;
    /* What waited while the link was down is not stuck. */
    card->send_progress_ms = timer_now_ms();
    log_info("3c905", "link %s mbit=%u duplex=%s", up ? "up" : "down",
             link.mbit, link.full_duplex ? "full" : "half");
}

/* ---- Reset, watchdog ----------------------------------------------------- */

static void choose_medium(struct el3_card *card)
{
    uint32_t config;

    select_window(card, 3);
    config = io_in32(port(card, EL3_INTERNAL_CONFIG));
    io_out32(port(card, EL3_INTERNAL_CONFIG),
             (config & ~CONFIG_XCVR) | CONFIG_NEGOTIATE);
    io_out16(port(card, EL3_MAX_PACKET), NIC_FRAME_MAX);
    io_out16(port(card, EL3_MAC_CONTROL), 0);
    card->full_duplex = false;
}

static void start(struct el3_card *card)
{
    card->window = UINT32_MAX; /* not known */
    card->failed = false;
    write_address(card);
    choose_medium(card);
    (void)command_wait(card, TX_RESET, 0);
    (void)command_wait(card, RX_RESET, RESET_NOT_NETWORK);
    command(card, STATISTICS_OFF, 0);
    command(card, RX_FILTER, FILTER_VALUE);
    refill(card);
    (void)command_wait(card, STALL, UP_STALL);
    io_out32(port(card, EL3_UP_LIST), upd_address(card, 0));
    command(card, STALL, UP_UNSTALL);
    io_out32(port(card, EL3_DN_LIST), 0);
    command(card, RX_ENABLE, 0);
    command(card, TX_ENABLE, 0);
    command(card, INDICATE, INTERRUPTS);
    command(card, ACKNOWLEDGE, ACKNOWLEDGED);
    command(card, INTERRUPT_ENABLE, INTERRUPTS);
    (void)mii_wake(&phy, card);
    card->running = true;
    card->watched = NIC_RING;
    card->send_progress_ms = timer_now_ms();
    check_link(card);
    timer_start(&card->timer, LINK_MS);
}

static void look_at_reset(struct el3_card *card)
{
    const uint16_t status = io_in16(port(card, EL3_STATUS));

    if (status & STATUS_BUSY) {
        const bool late = timer_now_ms() - card->reset_ms > RESET_MS_MAX;

        if (late && !card->overdue)
            log_warn("3c905", "does not end its reset");
        card->overdue |= late;
        card->lost |= status == 0xffff;
        timer_start(&card->timer, late ? LINK_MS : RESET_MS);
        return;
    }
    if (card->lost) {
        start_reset(card);
        return;
    }
    card->overdue = false;
    empty_rings(card);
    start(card);
}

/* The card goes on behind a slot that it never marked: what it wrote there made
 * no sense. */
static bool receiving_stuck(struct el3_card *card)
{
    const struct nic_ring *ring = &card->receive;
    const unsigned used = nic_ring_used(ring);
    bool passed = false;

    if (used > 0 && !(card->upds[ring->head].status & UPD_DONE))
        for (unsigned i = 1; i < used && !passed; i++)
            passed = card->upds[(ring->head + i) % NIC_RING].status & UPD_DONE;
    if (passed && card->watched == ring->head)
        return true;
    card->watched = passed ? ring->head : NIC_RING;
    return false;
}

static void watch(struct el3_card *card)
{
    const char *trouble = NULL;

    check_link(card);
    release_sent(card);
    if (io_in16(port(card, EL3_STATUS)) == 0xffff)
        trouble = "registers unreadable";
    else if (card->failed)
        trouble = "error";
    else if (card->info.link_up && card->send.head != card->send.tail &&
             timer_now_ms() - card->send_progress_ms >= STUCK_MS)
        trouble = "sending stuck";
    else if (receiving_stuck(card))
        trouble = "receiving stuck";
    if (trouble == NULL) {
        timer_start(&card->timer, LINK_MS);
        return;
    }
    log_warn("3c905", "%s: reset", trouble);
    start_reset(card);
}

static void timer_expired(struct timer *timer)
{
    struct el3_card *card = (struct el3_card *)timer;

    if (card->running)
        watch(card);
    else
        look_at_reset(card);
}

/* The buffers are the card's until it has shown that it has been reset. */
static void start_reset(struct el3_card *card)
{
    card->running = false;
    card->info.link_up = false;
    card->info.speed_mbit = 0;
    card->reset_ms = timer_now_ms();
    command(card, GLOBAL_RESET, RESET_NOT_NETWORK);
    card->lost = io_in16(port(card, EL3_STATUS)) == 0xffff;
    timer_start(&card->timer, RESET_MS);
}

/* A frame that could not be sent has stopped the transmitter (chapter 5: errors
 * and recovery). Its status is taken off the stack; that of good frames is not
 * asked for. */
static void recover_sending(struct el3_card *card)
{
    for (unsigned i = 0; i < CAUSES_MAX; i++) {
        const uint8_t status = io_in8(port(card, EL3_TX_STATUS));

        if (status == 0xff || !(status & TX_COMPLETE))
            return;
        io_out8(port(card, EL3_TX_STATUS), 0);
        if (!(status & TX_BAD))
            continue;
        card->info.errors_out++;
        if (status & (TX_JABBER | TX_UNDERRUN)) {
            card->failed = true; /* the DMA engine has to begin anew, too */
            return;
        }
        command(card, TX_ENABLE, 0);
    }
}

/* ---- Operations ---------------------------------------------------------- */

/* Hangs the frame behind the last one. The card must not follow the chain while
 * its end is changed: 7, downloading. */
static bool chain(struct el3_card *card, unsigned slot)
{
    const uint32_t address = dpd_address(card, slot);

    if (!command_wait(card, STALL, DN_STALL))
        return false;
    card->dpds[(slot + NIC_RING - 1) % NIC_RING].next = address;
    io_barrier();
    if (io_in32(port(card, EL3_DN_LIST)) == 0)
        io_out32(port(card, EL3_DN_LIST), address);
    command(card, STALL, DN_UNSTALL);
    return true;
}

static bool el3_send(void *pointer, struct iobuf *frame)
{
    struct el3_card *card = pointer;
    const size_t length = iobuf_length(frame);
    volatile struct el3_dpd *dpd;
    unsigned slot;

    ASSERT(length >= NIC_FRAME_MIN && length <= NIC_FRAME_SEND_MAX);
    if (!card->running || card->failed)
        return false;
    release_sent(card);
    if (nic_ring_full(&card->send))
        return false;
    if (card->send.head == card->send.tail)
        card->send_progress_ms = timer_now_ms();
    slot = nic_ring_add(&card->send, iobuf_take(frame));
    dpd = &card->dpds[slot];
    dpd->next = 0;
    dpd->header = DPD_NO_ROUND;
    dpd->address = (uint32_t)io_dma_address(frame->data);
    dpd->length = DPD_LAST | (uint32_t)length;
    card->info.frames_out++;
    card->info.bytes_out += length;
    io_barrier();
    /* It is the ring's now; a card that does not stall is reset. */
    (void)chain(card, slot);
    return true;
}

static struct iobuf *el3_receive(void *pointer)
{
    struct el3_card *card = pointer;
    struct nic_ring *ring = &card->receive;
    struct iobuf *frame = NULL;

    if (!card->running)
        return NULL;
    while (frame == NULL && ring->head != ring->tail) {
        const uint32_t status = card->upds[ring->head].status;
        uint32_t length = status & UPD_BYTES;

        if (!(status & UPD_DONE))
            break;
        io_barrier();
        if ((status & UPD_ERROR) || length < NIC_FRAME_MIN ||
            length > NIC_FRAME_MAX)
            length = 0;
        frame = nic_received(&card->info, nic_ring_take(ring), length);
    }
    return frame;
}

static void el3_info(void *pointer, struct machine_nic_info *info)
{
    const struct el3_card *card = pointer;

    *info = card->info;
}

/* The filter lets all groups through. */
static const struct nic_operations operations = {
    .send = el3_send,
    .receive = el3_receive,
    .info = el3_info,
};

/* ---- PCI ----------------------------------------------------------------- */

static void take_causes(struct el3_card *card)
{
    const uint16_t status = io_in16(port(card, EL3_STATUS));

    if (status == 0xffff)
        return; /* the watchdog will see it */
    command(card, ACKNOWLEDGE, status & ACKNOWLEDGED);
    if (status & STATUS_HOST_ERROR)
        card->failed = true;
    if (status & STATUS_TX_COMPLETE)
        recover_sending(card);
}

static bool el3_poll(struct pci_device *device)
{
    struct el3_card *card = device->driver_data;
    const uint32_t interrupts = pci_interrupt_count(device);
    const struct nic_ring *ring = &card->receive;

    if (!card->running)
        return false;
    if (interrupts != card->interrupts_seen) {
        card->interrupts_seen = interrupts;
        take_causes(card);
    }
    release_sent(card);
    refill(card);
    return ring->head != ring->tail &&
           (card->upds[ring->head].status & UPD_DONE);
}

static enum err take_ports(struct el3_card *card)
{
    uint64_t base, bytes;
    bool is_io;
    enum err error = pci_bar(card->device, 0, &base, &bytes, &is_io);

    if (error != OK)
        return error;
    if (!is_io || bytes < EL3_PORTS || base > 0xffff - bytes)
        return ERR_UNSUPPORTED;
    card->ports = (uint16_t)base;
    return OK;
}

static enum err el3_probe(struct pci_device *device, const struct pci_id *id)
{
    struct el3_card *card = &state.cards[state.count];
    enum err error;

    if (state.count == CARDS)
        return ERR_FULL;
    memset(card, 0, sizeof(*card));
    card->device = device;
    card->info.name = id->name;
    card->window = UINT32_MAX;
    error = take_ports(card);
    if (error != OK)
        return error;
    pci_enable(device);
    error = read_address(card);
    if (error != OK)
        return error;
    card->dpds = io_dma_take(NIC_RING * sizeof(struct el3_dpd), 4096, 0);
    card->upds = io_dma_take(NIC_RING * sizeof(struct el3_upd), 4096, 0);
    if (card->dpds == NULL || card->upds == NULL)
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
    {0x10b7, 0x9200, 0, 0, "3Com 3C905C", 0},
    {0x10b7, 0x9055, 0, 0, "3Com 3C905B", 0},
    {0x10b7, 0x9805, 0, 0, "3Com 3C980C", 0},
    {0x10b7, 0x9202, 0, 0, "3Com 3C920B", 0},
    {0x10b7, 0x9210, 0, 0, "3Com 3C920B", 0},
};

static const struct pci_driver el3_driver = {
    .name = "3c905",
    .ids = parts,
    .id_count = sizeof(parts) / sizeof(parts[0]),
    .probe = el3_probe,
    .poll = el3_poll,
};

PCI_DRIVER(el3_driver);
