/* The network card of virtual machines (virtio 1.2, 5.1), modern and legacy.
 *
 * Every frame is a chain of a header, which is not used and lies in a table of
 * its own, and the bytes in an iobuf; so a chain belongs to one iobuf from when
 * it is made available until the device hands it back.
 * Not supported: offloads, several queues, the control queue. */
#include "core/check.h"
#include "core/log.h"
#include "core/timer.h"
#include "drivers/nic/nic.h"
#include "drivers/pci.h"
#include "drivers/virtio.h"
#include <string.h>

#define CARDS         2u
#define QUEUE_RECEIVE 0u
#define QUEUE_SEND    1u
#define ENTRIES       512u /* where the device lets choose: 256 frames */
#define CHAINS_MAX    (VIRTIO_QUEUE_MAX / 2)
#define REFILL_BATCH  16u
#define HEADER_LEGACY 10u
#define HEADER_MODERN 12u
#define WATCH_MS      500u
#define STUCK_MS      2000u

#define FEATURE_MAC    (1ull << 5)
#define FEATURE_STATUS (1ull << 16)
#define OWN_MAC        0u
#define OWN_STATUS     6u
#define STATUS_LINK_UP 1u

struct virtio_card {
    struct timer timer; /* link and watchdog */
    struct virtio_device device;
    struct virtio_queue receive, send;
    struct iobuf *receive_buffers[CHAINS_MAX], *send_buffers[CHAINS_MAX];
    uint16_t free_receive[CHAINS_MAX], free_send[CHAINS_MAX];
    unsigned free_receive_count, free_send_count, unkicked;
    uint8_t *headers; /* DMA memory: one for sending, one for receiving */
    bool running, tells_link;
    uint32_t interrupts_seen;
    uint64_t send_progress_ms;
    uint64_t features;
    struct machine_nic_info info;
};

static struct virtio_net_state {
    struct virtio_card cards[CARDS];
    unsigned count;
} state;

static uint32_t header_bytes(const struct virtio_card *card)
{
    return card->device.modern ? HEADER_MODERN : HEADER_LEGACY;
}

/* ---- Queues ---------------------------------------------------------------
 */

static void refill(struct virtio_card *card)
{
    while (card->free_receive_count > 0) {
        struct iobuf *buffer = iobuf_alloc_receive();
        uint16_t chain;

        if (buffer == NULL)
            break;
        chain = card->free_receive[--card->free_receive_count];
        card->receive_buffers[chain] = buffer;
        virtio_queue_add(&card->receive, chain, io_dma_address(buffer->data),
                         (uint32_t)iobuf_tailroom(buffer));
        card->unkicked++;
    }
    /* A batch at a time, unless the device has little left. */
    if (card->unkicked < REFILL_BATCH &&
        card->free_receive_count < card->receive.chains / 2u)
        return;
    if (card->unkicked > 0)
        virtio_queue_kick(&card->device, &card->receive);
    card->unkicked = 0;
}

static void release_sent(struct virtio_card *card)
{
    uint16_t chain;
    uint32_t bytes;

    while (virtio_queue_take(&card->send, &chain, &bytes)) {
        if (card->send_buffers[chain] == NULL) {
            card->send.broken = true; /* handed back twice */
            return;
        }
        iobuf_release(card->send_buffers[chain]);
        card->send_buffers[chain] = NULL;
        card->free_send[card->free_send_count++] = chain;
        card->send_progress_ms = timer_now_ms();
    }
}

/* All chains are ours, all buffers back in the pool. */
static void empty_queues(struct virtio_card *card)
{
    for (unsigned i = 0; i < CHAINS_MAX; i++) {
        if (card->receive_buffers[i] != NULL)
            iobuf_release(card->receive_buffers[i]);
        if (card->send_buffers[i] != NULL) {
            iobuf_release(card->send_buffers[i]);
            card->info.errors_out++;
        }
        card->receive_buffers[i] = card->send_buffers[i] = NULL;
    }
    card->free_receive_count = card->free_send_count = 0;
    card->unkicked = 0;
}

static void fill_free(struct virtio_card *card)
{
    const uint64_t headers = io_dma_address(card->headers);

    for (uint16_t i = 0; i < card->receive.chains; i++) {
        virtio_queue_header(&card->receive, i, headers + HEADER_MODERN + 4,
                            header_bytes(card), true);
        card->free_receive[card->free_receive_count++] = i;
    }
    for (uint16_t i = 0; i < card->send.chains; i++) {
        virtio_queue_header(&card->send, i, headers, header_bytes(card), false);
        card->free_send[card->free_send_count++] = i;
    }
    virtio_queue_silence(&card->send);
}

/* ---- Start, link, watchdog ------------------------------------------------
 */

static void check_link(struct virtio_card *card)
{
    const bool up = !card->tells_link ||
                    (virtio_own8(&card->device, OWN_STATUS) & STATUS_LINK_UP);

    if (up == card->info.link_up)
        return;
    card->info.link_up = up;
    card->send_progress_ms = timer_now_ms();
    log_info("virtio", "link %s", up ? "up" : "down");
}

static enum err start(struct virtio_card *card)
{
    enum err error = virtio_negotiate(
        &card->device, FEATURE_MAC | FEATURE_STATUS, &card->features);

    if (error == OK)
        error = virtio_queue_open(&card->device, QUEUE_RECEIVE, ENTRIES,
                                  &card->receive);
    if (error == OK)
        error =
            virtio_queue_open(&card->device, QUEUE_SEND, ENTRIES, &card->send);
    if (error != OK)
        return error;
    card->tells_link = card->features & FEATURE_STATUS;
    fill_free(card);
    virtio_start(&card->device);
    card->running = true;
    card->send_progress_ms = timer_now_ms();
    refill(card);
    check_link(card);
    return OK;
}

/* The device works on nothing of ours once it has reset itself. */
static void restart(struct virtio_card *card)
{
    card->running = false;
    card->info.link_up = false;
    if (!virtio_reset(&card->device))
        return; /* the next look tries again */
    empty_queues(card);
    if (start(card) != OK)
        log_err("virtio", "does not start again");
}

static void timer_expired(struct timer *timer)
{
    struct virtio_card *card = (struct virtio_card *)timer;

    timer_start(&card->timer, WATCH_MS);
    if (card->running && (virtio_failed(&card->device) ||
                          card->receive.broken || card->send.broken)) {
        log_warn("virtio", "device failed: reset");
        card->running = false;
    }
    if (!card->running) {
        restart(card);
        return;
    }
    release_sent(card);
    check_link(card);
    if (card->info.link_up && card->free_send_count < card->send.chains &&
        timer_now_ms() - card->send_progress_ms >= STUCK_MS) {
        log_warn("virtio", "sending stuck: reset");
        restart(card);
    }
}

/* ---- Operations -----------------------------------------------------------
 */

static bool virtio_send(void *pointer, struct iobuf *frame)
{
    struct virtio_card *card = pointer;
    const size_t length = iobuf_length(frame);
    uint16_t chain;

    ASSERT(length >= NIC_FRAME_MIN && length <= NIC_FRAME_SEND_MAX);
    if (!card->running)
        return false;
    release_sent(card);
    if (card->free_send_count == 0)
        return false;
    if (card->free_send_count == card->send.chains)
        card->send_progress_ms = timer_now_ms();
    chain = card->free_send[--card->free_send_count];
    card->send_buffers[chain] = iobuf_take(frame);
    virtio_queue_add(&card->send, chain, io_dma_address(frame->data),
                     (uint32_t)length);
    virtio_queue_kick(&card->device, &card->send);
    card->info.frames_out++;
    card->info.bytes_out += length;
    return true;
}

static struct iobuf *virtio_receive(void *pointer)
{
    struct virtio_card *card = pointer;
    struct iobuf *frame = NULL;
    uint16_t chain;
    uint32_t bytes;

    if (!card->running)
        return NULL;
    while (frame == NULL && virtio_queue_take(&card->receive, &chain, &bytes)) {
        const uint32_t header = header_bytes(card);

        frame = card->receive_buffers[chain];
        if (frame == NULL) {
            card->receive.broken = true; /* handed back twice */
            break;
        }
        card->receive_buffers[chain] = NULL;
        card->free_receive[card->free_receive_count++] = chain;
        if (bytes < header + NIC_FRAME_MIN || bytes > header + NIC_FRAME_MAX)
            bytes = header;
        frame = nic_received(&card->info, frame, bytes - header);
    }
    refill(card);
    return frame;
}

static void virtio_info(void *pointer, struct machine_nic_info *info)
{
    const struct virtio_card *card = pointer;

    *info = card->info;
}

/* Without the control queue, the device lets all groups through (5.1.6.5.1). */
static void virtio_join(void *pointer, const uint8_t group[6])
{
    (void)pointer;
    (void)group;
}

static const struct nic_operations operations = {
    .send = virtio_send,
    .receive = virtio_receive,
    .info = virtio_info,
    .join = virtio_join,
};

/* ---- PCI ------------------------------------------------------------------
 */

static bool virtio_poll(struct pci_device *device)
{
    struct virtio_card *card = device->driver_data;
    const uint32_t interrupts = pci_interrupt_count(device);

    if (!card->running)
        return false;
    if (interrupts != card->interrupts_seen) {
        card->interrupts_seen = interrupts;
        virtio_acknowledge(&card->device);
        check_link(card);
    }
    release_sent(card);
    refill(card);
    return virtio_queue_ready(&card->receive);
}

static enum err virtio_probe(struct pci_device *device, const struct pci_id *id)
{
    struct virtio_card *card = &state.cards[state.count];
    enum err error;

    if (state.count == CARDS)
        return ERR_FULL;
    memset(card, 0, sizeof(*card));
    card->info.name = id->name;
    error = virtio_open(&card->device, device);
    if (error != OK)
        return error;
    card->headers = io_dma_take(64, 64, 64);
    if (card->headers == NULL)
        return ERR_MEMORY;
    error = start(card);
    if (error != OK)
        return error;
    for (unsigned i = 0; i < 6; i++)
        card->info.address[i] = virtio_own8(&card->device, OWN_MAC + i);
    if (!(card->features & FEATURE_MAC) ||
        !nic_address_valid(card->info.address)) {
        (void)virtio_reset(&card->device);
        card->running = false;
        empty_queues(card);
        return ERR_UNSUPPORTED;
    }
    state.count++;
    device->driver_data = card;
    timer_init(&card->timer, timer_expired);
    timer_start(&card->timer, WATCH_MS);
    pci_route_interrupt(device);
    nic_register(&operations, card, device);
    return OK;
}

static const struct pci_id parts[] = {
    {0x1af4, 0x1000, 0, 0, "virtio network", 0},
    {0x1af4, 0x1041, 0, 0, "virtio network", 0},
};

static const struct pci_driver virtio_driver = {
    .name = "virtio",
    .ids = parts,
    .id_count = sizeof(parts) / sizeof(parts[0]),
    .probe = virtio_probe,
    .poll = virtio_poll,
};

PCI_DRIVER(virtio_driver);
