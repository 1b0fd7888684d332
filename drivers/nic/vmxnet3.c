/* VMware's paravirtual network card, vmxnet3.
 *
 * Driver and device share a block of memory that says where the rings are. Each
 * ring of descriptors has a ring of completions beside it; a bit in each row,
 * which turns with every pass, tells what is new. Frames are received into and
 * sent from the buffers of the pool.
 *
 * What the device says of rows is checked: a completion may tell of any row. A
 * device that makes no sense, reports an error, or sends nothing for two
 * seconds with link up is reset; so is one that stops in between.
 *
 * Not supported: offloads, several queues, the second ring of large frames,
 * VLAN tags, message signalled interrupts. */
#include "core/check.h"
#include "core/log.h"
#include "core/timer.h"
#include "drivers/nic/nic.h"
#include "drivers/nic/nic_ring.h"
#include "drivers/pci.h"
#include <string.h>

/* BAR 0. */
#define VMX_IMR    0x000u
#define VMX_TXPROD 0x600u
#define VMX_RXPROD 0x800u
/* BAR 1. */
#define VMX_VRRS 0x00u
#define VMX_UVRS 0x08u
#define VMX_DSAL 0x10u
#define VMX_DSAH 0x18u
#define VMX_CMD  0x20u
#define VMX_MACL 0x28u
#define VMX_MACH 0x30u
#define VMX_ICR  0x38u
#define VMX_ECR  0x40u

#define VMX_BAR_BYTES 4096u

#define CMD_ACTIVATE       0xcafe0000u
#define CMD_RESET          0xcafe0002u
#define CMD_UPDATE_RX_MODE 0xcafe0003u
#define CMD_GET_LINK       0xf00d0002u
#define CMD_GET_MAC_LOW    0xf00d0003u
#define CMD_GET_MAC_HIGH   0xf00d0004u

#define EVENT_ERROR 0x03u /* of the queue to receive, to send */
#define EVENT_LINK  0x04u

#define SHARED_MAGIC 0xbabefee1u
#define REVISION     1u
#define GUEST        0x00000002u /* 64 bits; of no known system */
#define MODE         0x0000000du /* own, broadcast, all groups */

#define SEND_GEN         0x00004000u
#define SEND_LAST        0x00003000u /* end of packet, report it */
#define RECEIVE_GEN      0x80000000u
#define DONE_GEN         0x80000000u
#define DONE_ROW         0x00000fffu
#define DONE_LAST        0x00004000u
#define DONE_FIRST       0x00008000u
#define DONE_QUEUE_SHIFT 16u
#define DONE_QUEUE       0x000003ffu
#define DONE_BYTES       0x00003fffu
#define DONE_ERROR       0x00004000u

#define CARDS        2u
#define REFILL_BATCH 16u
#define LINK_MS      500u
#define STUCK_MS     2000u

/* The block that is shared, as the device knows it. */
struct vmx_shared {
    uint32_t magic, pad;
    uint32_t version, guest, revisions, upt_versions;
    uint64_t features, driver_data, queues;
    uint32_t driver_data_bytes, queues_bytes, mtu;
    uint16_t fragments;
    uint8_t send_queues, receive_queues;
    uint32_t reserved1[4];
    uint8_t auto_mask, interrupts, event_interrupt, moderation[25];
    uint32_t interrupt_control, reserved2[2];
    uint32_t mode;
    uint16_t group_bytes, pad2;
    uint64_t groups;
    uint32_t vlans[128];
    uint64_t others[6];
    uint32_t events, reserved3[5];
};

_Static_assert(sizeof(struct vmx_shared) == 720, "as the device has it");

struct vmx_send_queue {
    uint32_t deferred, threshold;
    uint64_t reserved1;
    uint64_t rows, data, done, driver_data, reserved2;
    uint32_t row_count, data_count, done_count, driver_data_bytes;
    uint8_t interrupt, pad[7];
    uint8_t stopped, pad2[3];
    uint32_t error;
    uint64_t figures[21];
};

struct vmx_receive_queue {
    uint8_t tell_tail, pad[7];
    uint64_t reserved1;
    uint64_t rows[2], done, driver_data, reserved2;
    uint32_t row_count[2], done_count, driver_data_bytes;
    uint8_t interrupt, pad2[7];
    uint8_t stopped, pad3[3];
    uint32_t error;
    uint64_t figures[21];
};

_Static_assert(sizeof(struct vmx_send_queue) == 256, "as the device has it");
_Static_assert(sizeof(struct vmx_receive_queue) == 256, "as the device has it");

struct vmx_row {
    uint64_t address;
    uint32_t low, high;
};

struct vmx_done {
    uint32_t row, word1, bytes, kind;
};

/* All that the device reaches by DMA, but the buffers. */
struct vmx_memory {
    struct vmx_row send_rows[NIC_RING], receive_rows[NIC_RING];
    struct vmx_done send_done[NIC_RING], receive_done[NIC_RING];
    struct vmx_send_queue send;
    struct vmx_receive_queue receive;
    struct vmx_shared shared;
};

/* One ring with its completions. */
struct vmx_ring {
    struct nic_ring buffers;
    uint32_t gen;       /* of the rows now given: 0 or 1 */
    unsigned next_done; /* completion that comes next */
    uint32_t done_gen;
};

struct vmx_card {
    struct timer timer; /* link and watchdog */
    struct pci_device *device;
    struct io_region ports, control; /* BAR 0, BAR 1 */
    volatile struct vmx_memory *memory;
    struct vmx_ring send, receive;
    unsigned told; /* tail of the ring to receive that the device knows */
    bool running, failed;
    bool refuses;     /* to start */
    unsigned watched; /* receive.next_done when it was looked at last */
    uint32_t interrupts_seen;
    uint64_t send_progress_ms;
    struct machine_nic_info info;
};

static struct vmx_state {
    struct vmx_card cards[CARDS];
    unsigned count;
} state;

static uint32_t ask(const struct vmx_card *card, uint32_t command)
{
    io_write32(&card->control, VMX_CMD, command);
    return io_read32(&card->control, VMX_CMD);
}

static uint64_t dma(volatile void *memory)
{
    return io_dma_address((const void *)(uintptr_t)memory);
}

/* ---- Rings --------------------------------------------------------------- */

/* Takes a place for a buffer; *gen is the bit its row has to show. */
static unsigned add(struct vmx_ring *ring, struct iobuf *buffer, uint32_t *gen)
{
    const unsigned slot = nic_ring_add(&ring->buffers, buffer);

    *gen = ring->gen;
    if (slot == NIC_RING - 1)
        ring->gen ^= 1;
    return slot;
}

static void next_done(struct vmx_ring *ring)
{
    ring->next_done = (ring->next_done + 1) % NIC_RING;
    if (ring->next_done == 0)
        ring->done_gen ^= 1;
}

static bool is_new(const struct vmx_ring *ring, uint32_t kind)
{
    return (kind & DONE_GEN) == (ring->done_gen ? DONE_GEN : 0);
}

/* Whether the row is one that the device has. */
static bool holds(const struct nic_ring *ring, unsigned slot)
{
    return slot < NIC_RING &&
           (slot + NIC_RING - ring->head) % NIC_RING < nic_ring_used(ring);
}

static void refill(struct vmx_card *card)
{
    struct nic_ring *ring = &card->receive.buffers;
    unsigned waiting;

    while (!nic_ring_full(ring)) {
        struct iobuf *buffer = iobuf_alloc_receive();
        volatile struct vmx_row *row;
        uint32_t gen;

        if (buffer == NULL)
            break;
        row = &card->memory->receive_rows[add(&card->receive, buffer, &gen)];
        row->address = io_dma_address(buffer->data);
        row->high = 0;
        io_barrier();
        row->low = IOBUF_BYTES | (gen ? RECEIVE_GEN : 0);
    }
    waiting = (ring->tail + NIC_RING - card->told) % NIC_RING;
    if (waiting < REFILL_BATCH)
        return;
    card->told = ring->tail;
    io_write32(&card->ports, VMX_RXPROD, card->told);
}

static void release_sent(struct vmx_card *card)
{
    struct vmx_ring *ring = &card->send;

    for (unsigned i = 0; i < NIC_RING; i++) {
        volatile struct vmx_done *done =
            &card->memory->send_done[ring->next_done];
        unsigned slot;

        if (!is_new(ring, done->kind))
            return;
        io_barrier();
        slot = done->row & DONE_ROW;
        next_done(ring);
        if (!holds(&ring->buffers, slot)) {
            card->failed = true;
            return;
        }
        do {
            iobuf_release(nic_ring_take(&ring->buffers));
        } while (ring->buffers.head != (slot + 1) % NIC_RING);
        card->send_progress_ms = timer_now_ms();
    }
}

static void begin_again(struct vmx_ring *ring)
{
    ring->gen = ring->done_gen = 1;
    ring->next_done = 0;
}

static void empty_rings(struct vmx_card *card)
{
    volatile struct vmx_memory *memory = card->memory;

    (void)nic_ring_empty(&card->receive.buffers);
    card->info.errors_out += nic_ring_empty(&card->send.buffers);
    for (unsigned i = 0; i < NIC_RING; i++) {
        memory->send_rows[i].low = memory->receive_rows[i].low = 0;
        memory->send_done[i].kind = memory->receive_done[i].kind = 0;
    }
    begin_again(&card->send);
    begin_again(&card->receive);
    card->told = 0;
}

/* ---- Start, link, watchdog ----------------------------------------------- */

static void describe_queues(struct vmx_card *card)
{
    volatile struct vmx_memory *memory = card->memory;
    volatile struct vmx_send_queue *send = &memory->send;
    volatile struct vmx_receive_queue *receive = &memory->receive;

    send->rows = dma(memory->send_rows);
    send->done = dma(memory->send_done);
    send->row_count = send->done_count = NIC_RING;
    receive->rows[0] = dma(memory->receive_rows);
    receive->done = dma(memory->receive_done);
    receive->row_count[0] = receive->done_count = NIC_RING;
}

static void describe(struct vmx_card *card)
{
    volatile struct vmx_shared *shared = &card->memory->shared;

    shared->magic = SHARED_MAGIC;
    shared->version = 0x00010000;
    shared->guest = GUEST;
    shared->revisions = shared->upt_versions = REVISION;
    shared->queues = dma(&card->memory->send);
    shared->queues_bytes =
        sizeof(struct vmx_send_queue) + sizeof(struct vmx_receive_queue);
    shared->mtu = 1500;
    shared->fragments = 1;
    shared->send_queues = shared->receive_queues = 1;
    /* The interrupt masks itself; it is let in again when it was heard. */
    shared->auto_mask = 1;
    shared->interrupts = 1;
    shared->mode = MODE;
    shared->events = 0;
    describe_queues(card);
}

static void check_link(struct vmx_card *card)
{
    const uint32_t link = ask(card, CMD_GET_LINK);
    const bool up = link != UINT32_MAX && (link & 1);
    const uint32_t mbit = up ? link >> 16 : 0;

    if (up == card->info.link_up && mbit == card->info.speed_mbit)
        return;
    card->info.link_up = up;
    card->info.speed_mbit = mbit;
    /* What waited while the link was down is not stuck. */
    card->send_progress_ms = timer_now_ms();
    log_info("vmxnet3", "link %s mbit=%u", up ? "up" : "down", mbit);
}

static void write_station(const struct vmx_card *card)
{
    const uint8_t *a = card->info.address;

    io_write32(&card->control, VMX_MACL,
               (uint32_t)a[3] << 24 | (uint32_t)a[2] << 16 |
                   (uint32_t)a[1] << 8 | a[0]);
    io_write32(&card->control, VMX_MACH, (uint32_t)a[5] << 8 | a[4]);
}

/* From reset to service; the buffers are the device's until it has answered.
 * False: the next look tries again. */
static bool start(struct vmx_card *card)
{
    const uint64_t shared = dma(&card->memory->shared);

    card->running = card->failed = false;
    card->info.link_up = false;
    card->info.speed_mbit = 0;
    if (ask(card, CMD_RESET) == UINT32_MAX ||
        io_read32(&card->control, VMX_VRRS) == UINT32_MAX)
        return false;
    empty_rings(card);
    describe(card);
    io_write32(&card->control, VMX_VRRS, REVISION);
    io_write32(&card->control, VMX_UVRS, REVISION);
    io_write32(&card->control, VMX_DSAL, (uint32_t)shared);
    io_write32(&card->control, VMX_DSAH, (uint32_t)(shared >> 32));
    if (ask(card, CMD_ACTIVATE) != 0) {
        if (!card->refuses)
            log_warn("vmxnet3", "does not start");
        card->refuses = true;
        return false;
    }
    card->refuses = false;
    card->running = true;
    card->watched = NIC_RING;
    card->send_progress_ms = timer_now_ms();
    write_station(card);
    (void)ask(card, CMD_UPDATE_RX_MODE);
    refill(card);
    io_write32(&card->ports, VMX_IMR, 0);
    check_link(card);
    return true;
}

/* The device goes on behind a completion that is not new: what it wrote there
 * made no sense. */
static bool receiving_stuck(struct vmx_card *card)
{
    const struct vmx_ring *ring = &card->receive;
    volatile struct vmx_done *rows = card->memory->receive_done;
    bool passed = false;

    if (!is_new(ring, rows[ring->next_done].kind))
        for (unsigned i = ring->next_done + 1; i < NIC_RING && !passed; i++)
            passed = is_new(ring, rows[i].kind);
    if (passed && card->watched == ring->next_done)
        return true;
    card->watched = passed ? ring->next_done : NIC_RING;
    return false;
}

static void watch(struct vmx_card *card)
{
    const char *trouble = NULL;

    release_sent(card);
    check_link(card);
    if (io_read32(&card->control, VMX_VRRS) == UINT32_MAX)
        trouble = "registers unreadable";
    else if (card->failed)
        trouble = "error";
    else if (card->info.link_up &&
             card->send.buffers.head != card->send.buffers.tail &&
             timer_now_ms() - card->send_progress_ms >= STUCK_MS)
        trouble = "sending stuck";
    else if (receiving_stuck(card))
        trouble = "receiving stuck";
    if (trouble == NULL)
        return;
    log_warn("vmxnet3", "%s: reset", trouble);
    (void)start(card);
}

static void timer_expired(struct timer *timer)
{
    struct vmx_card *card = (struct vmx_card *)timer;

    timer_start(&card->timer, LINK_MS);
    if (card->running)
        watch(card);
    else
        (void)start(card);
}

/* ---- Operations ---------------------------------------------------------- */

static bool vmx_send(void *pointer, struct iobuf *frame)
{
    struct vmx_card *card = pointer;
    struct nic_ring *ring = &card->send.buffers;
    const size_t length = iobuf_length(frame);
    volatile struct vmx_row *row;
    uint32_t gen;

    ASSERT(length >= NIC_FRAME_MIN && length <= NIC_FRAME_SEND_MAX);
    if (!card->running)
        return false;
    release_sent(card);
    if (card->failed || nic_ring_full(ring))
        return false;
    if (ring->head == ring->tail)
        card->send_progress_ms = timer_now_ms();
    row = &card->memory->send_rows[add(&card->send, iobuf_take(frame), &gen)];
    row->address = io_dma_address(frame->data);
    row->high = SEND_LAST;
    io_barrier();
    row->low = (uint32_t)length | (gen ? SEND_GEN : 0);
    card->info.frames_out++;
    card->info.bytes_out += length;
    io_barrier();
    io_write32(&card->ports, VMX_TXPROD, ring->tail);
    return true;
}

/* The next completion's frame; *bytes is 0 when it is a broken one. NULL: there
 * is none, or it makes no sense. */
static struct iobuf *take_done(struct vmx_card *card, uint32_t *bytes)
{
    struct nic_ring *ring = &card->receive.buffers;
    volatile struct vmx_done *done =
        &card->memory->receive_done[card->receive.next_done];
    const uint32_t kind = done->kind;
    uint32_t row, length;

    if (card->failed || !is_new(&card->receive, kind))
        return NULL;
    io_barrier();
    row = done->row;
    length = done->bytes;
    next_done(&card->receive);
    /* Of what kind it is, is not looked at: QEMU does not say. */
    if ((row >> DONE_QUEUE_SHIFT & DONE_QUEUE) != 0 ||
        !holds(ring, row & DONE_ROW)) {
        card->failed = true;
        return NULL;
    }
    /* The device may have passed over some. */
    while (ring->head != (row & DONE_ROW)) {
        card->info.errors_in++;
        iobuf_release(nic_ring_take(ring));
    }
    *bytes = length & DONE_BYTES;
    if ((row & (DONE_FIRST | DONE_LAST)) != (DONE_FIRST | DONE_LAST) ||
        (length & DONE_ERROR) || *bytes < NIC_FRAME_MIN ||
        *bytes > NIC_FRAME_MAX)
        *bytes = 0;
    return nic_ring_take(ring);
}

static struct iobuf *vmx_receive(void *pointer)
{
    struct vmx_card *card = pointer;
    struct iobuf *buffer, *frame = NULL;
    uint32_t bytes;

    if (!card->running)
        return NULL;
    while (frame == NULL && (buffer = take_done(card, &bytes)) != NULL)
        frame = nic_received(&card->info, buffer, bytes);
    refill(card);
    return frame;
}

static void vmx_info(void *pointer, struct machine_nic_info *info)
{
    const struct vmx_card *card = pointer;

    *info = card->info;
}

/* All groups are let through. */
static const struct nic_operations operations = {
    .send = vmx_send,
    .receive = vmx_receive,
    .info = vmx_info,
};

/* ---- PCI ----------------------------------------------------------------- */

static void take_events(struct vmx_card *card)
{
    const uint32_t events = card->memory->shared.events;

    (void)io_read32(&card->control, VMX_ICR);
    if (events != 0) {
        io_write32(&card->control, VMX_ECR, events);
        card->failed |= (events & EVENT_ERROR) != 0;
        if (events & EVENT_LINK)
            check_link(card);
    }
    io_write32(&card->ports, VMX_IMR, 0);
}

static bool vmx_poll(struct pci_device *device)
{
    struct vmx_card *card = device->driver_data;
    const uint32_t interrupts = pci_interrupt_count(device);

    if (!card->running)
        return false;
    if (interrupts != card->interrupts_seen) {
        card->interrupts_seen = interrupts;
        take_events(card);
    }
    release_sent(card);
    refill(card);
    return !card->failed &&
           is_new(&card->receive,
                  card->memory->receive_done[card->receive.next_done].kind);
}

static enum err map(const struct pci_device *device, unsigned bar,
                    struct io_region *region)
{
    uint64_t base, bytes;
    bool is_io;
    const enum err error = pci_bar(device, bar, &base, &bytes, &is_io);

    if (error != OK)
        return error;
    if (is_io || bytes < VMX_BAR_BYTES)
        return ERR_UNSUPPORTED;
    *region = io_map(base, VMX_BAR_BYTES);
    return region->base == 0 ? ERR_UNSUPPORTED : OK;
}

static enum err read_address(struct vmx_card *card)
{
    const uint32_t low = ask(card, CMD_GET_MAC_LOW);
    const uint32_t high = ask(card, CMD_GET_MAC_HIGH);

    for (unsigned i = 0; i < 4; i++)
        card->info.address[i] = (uint8_t)(low >> 8 * i);
    card->info.address[4] = (uint8_t)high;
    card->info.address[5] = (uint8_t)(high >> 8);
    return nic_address_valid(card->info.address) ? OK : ERR_IO;
}

static enum err vmx_probe(struct pci_device *device, const struct pci_id *id)
{
    struct vmx_card *card = &state.cards[state.count];
    enum err error;

    if (state.count == CARDS)
        return ERR_FULL;
    memset(card, 0, sizeof(*card));
    card->device = device;
    card->info.name = id->name;
    error = map(device, 0, &card->ports);
    if (error == OK)
        error = map(device, 1, &card->control);
    if (error != OK)
        return error;
    if (!(io_read32(&card->control, VMX_VRRS) & REVISION) ||
        !(io_read32(&card->control, VMX_UVRS) & REVISION))
        return ERR_UNSUPPORTED;
    pci_enable(device);
    error = read_address(card);
    if (error != OK)
        return error;
    card->memory = io_dma_take(sizeof(*card->memory), 4096, 0);
    if (card->memory == NULL)
        return ERR_MEMORY;
    state.count++;
    device->driver_data = card;
    timer_init(&card->timer, timer_expired);
    (void)start(card);
    timer_start(&card->timer, LINK_MS);
    pci_route_interrupt(device);
    nic_register(&operations, card, device);
    return OK;
}

static const struct pci_id parts[] = {
    {0x15ad, 0x07b0, 0, 0, "VMware vmxnet3", 0},
};

static const struct pci_driver vmx_driver = {
    .name = "vmxnet3",
    .ids = parts,
    .id_count = sizeof(parts) / sizeof(parts[0]),
    .probe = vmx_probe,
    .poll = vmx_poll,
};

PCI_DRIVER(vmx_driver);
