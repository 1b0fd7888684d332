/* The virtio network driver against a model of a legacy device: queues, link,
 * reset, and a device that hands back nonsense. */
/* The driver whole: what the model must see is static in it. */
#include "drivers/nic/virtio_net.c" /* NOLINT(bugprone-suspicious-include) */
#include "core/memory.h"
#include "tests/unit/check.h"
#include <stdlib.h>

#define POOL           900u
#define PORTS          0xc040u
#define ENTRIES_LEGACY 256u

static const uint8_t station[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

/* One queue as the device sees it. */
struct model_queue {
    struct virtio_descriptor *descriptors;
    uint16_t *available, *used;
    uint16_t seen, done;
    unsigned notified;
};

static struct model_state {
    struct model_queue queues[2];
    uint16_t selected;
    uint16_t link;
    uint8_t status;
    bool stuck;       /* takes nothing */
    bool keeps_reset; /* is still at it */
    uint32_t interrupts;
    uint64_t now_us;
    uint8_t sent[2048];
    uint32_t sent_bytes;
    unsigned sent_count;
    const struct nic_operations *operations;
    void *card;
} model;

/* ---- The device -----------------------------------------------------------
 */

static void hand_back(struct model_queue *queue, uint32_t id, uint32_t bytes)
{
    struct virtio_used_element *element =
        (struct virtio_used_element *)(void *)(queue->used + 2) +
        queue->done % ENTRIES_LEGACY;

    element->id = id;
    element->bytes = bytes;
    queue->done++;
    queue->used[1] = queue->done;
}

/* The next chain that the driver offers; 0xffff: none. */
static uint16_t next_chain(struct model_queue *queue)
{
    if (queue->seen == queue->available[1])
        return 0xffff;
    return queue->available[2 + queue->seen++ % ENTRIES_LEGACY];
}

static void send_all(void)
{
    struct model_queue *queue = &model.queues[1];
    uint16_t chain;

    while (!model.stuck && (chain = next_chain(queue)) != 0xffff) {
        const struct virtio_descriptor *first = &queue->descriptors[chain];
        const struct virtio_descriptor *second =
            &queue->descriptors[first->next];

        CHECK(first->bytes == HEADER_LEGACY && first->flags == 1);
        CHECK(second->flags == 0 && second->bytes <= NIC_FRAME_SEND_MAX);
        memcpy(model.sent, (const void *)(uintptr_t)second->address,
               second->bytes);
        model.sent_bytes = second->bytes;
        model.sent_count++;
        hand_back(queue, chain, 0);
    }
}

/* A frame arrives, with a length that may be a lie. */
static uint16_t arrive(uint8_t fill, uint32_t bytes, uint32_t told)
{
    struct model_queue *queue = &model.queues[0];
    const uint16_t chain = next_chain(queue);
    const struct virtio_descriptor *second;

    CHECK(chain != 0xffff);
    second = &queue->descriptors[queue->descriptors[chain].next];
    CHECK(queue->descriptors[chain].flags == 3 && second->flags == 2);
    CHECK(second->bytes >= bytes);
    memset((void *)(uintptr_t)second->address, fill, bytes);
    hand_back(queue, chain, told);
    return chain;
}

static void place_queue(uint32_t page)
{
    struct model_queue *queue = &model.queues[model.selected];
    uint8_t *memory = (uint8_t *)((uintptr_t)page * 4096);

    memset(queue, 0, sizeof(*queue));
    queue->descriptors = (void *)memory;
    queue->available = (void *)(memory + 16 * ENTRIES_LEGACY);
    queue->used = (void *)(memory + (16 * ENTRIES_LEGACY + 6 +
                                     2 * ENTRIES_LEGACY + 4095) /
                                        4096 * 4096);
}

uint8_t io_in8(uint16_t port)
{
    if (port == PORTS + 0x12)
        return model.status;
    if (port >= PORTS + 0x14 && port < PORTS + 0x1a)
        return station[port - PORTS - 0x14];
    return port == PORTS + 0x1a ? (uint8_t)model.link : 0;
}

uint16_t io_in16(uint16_t port)
{
    CHECK(port == PORTS + 0x0c);
    return ENTRIES_LEGACY;
}

uint32_t io_in32(uint16_t port)
{
    CHECK(port == PORTS);
    return 0xffffffffu;
}

void io_out8(uint16_t port, uint8_t value)
{
    CHECK(port == PORTS + 0x12);
    if (value != 0 || !model.keeps_reset)
        model.status = value;
}

void io_out16(uint16_t port, uint16_t value)
{
    CHECK(value < 2);
    if (port == PORTS + 0x0e)
        model.selected = value;
    else if (port == PORTS + 0x10 && value == 1)
        send_all();
    if (port == PORTS + 0x10)
        model.queues[value].notified++;
}

void io_out32(uint16_t port, uint32_t value)
{
    if (port == PORTS + 0x08)
        place_queue(value);
    else
        CHECK(port == PORTS + 0x04 && value == (FEATURE_MAC | FEATURE_STATUS));
}

/* ---- The rest of the PC ---------------------------------------------------
 */

/* The model has no capabilities, as a legacy device has none that count: none
 * of these may be called. */
uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
    (void)device;
    (void)offset;
    abort();
}

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
    (void)device;
    (void)offset;
    abort();
}

struct io_region io_map(uint64_t physical, size_t bytes)
{
    (void)physical;
    (void)bytes;
    abort();
}

uint8_t io_read8(const struct io_region *region, size_t offset)
{
    (void)region;
    (void)offset;
    abort();
}

uint16_t io_read16(const struct io_region *region, size_t offset)
{
    return io_read8(region, offset);
}

uint32_t io_read32(const struct io_region *region, size_t offset)
{
    return io_read8(region, offset);
}

void io_write8(const struct io_region *region, size_t offset, uint8_t value)
{
    (void)region;
    (void)offset;
    (void)value;
    abort();
}

void io_write16(const struct io_region *region, size_t offset, uint16_t value)
{
    io_write8(region, offset, (uint8_t)value);
}

void io_write32(const struct io_region *region, size_t offset, uint32_t value)
{
    io_write8(region, offset, (uint8_t)value);
}

unsigned pci_find_capability(const struct pci_device *device, uint8_t id)
{
    (void)device;
    (void)id;
    return 0;
}

enum err pci_bar(const struct pci_device *device, unsigned index,
                 uint64_t *base, uint64_t *bytes, bool *is_io)
{
    (void)device;
    *base = PORTS;
    *bytes = 32;
    *is_io = true;
    return index == 0 ? OK : ERR_NOT_FOUND;
}

void pci_enable(const struct pci_device *device)
{
    (void)device;
}

void pci_route_interrupt(const struct pci_device *device)
{
    (void)device;
}

uint32_t pci_interrupt_count(const struct pci_device *device)
{
    (void)device;
    return model.interrupts;
}

uint64_t io_dma_address(const void *memory)
{
    return (uint64_t)(uintptr_t)memory;
}

void *io_dma_take(size_t bytes, size_t alignment, size_t boundary)
{
    (void)boundary;
    return memory_take("dma", bytes, alignment);
}

void io_delay_us(unsigned us)
{
    model.now_us += us;
}

void nic_register(const struct nic_operations *nic_operations, void *pointer,
                  const struct pci_device *pci)
{
    (void)pci;
    model.operations = nic_operations;
    model.card = pointer;
}

void *machine_memory_take(size_t bytes, size_t alignment)
{
    static uint8_t arena[4u << 20] __attribute__((aligned(4096)));
    static size_t taken;
    const size_t start = (taken + alignment - 1) & ~(alignment - 1);

    if (start > sizeof(arena) || bytes > sizeof(arena) - start)
        return NULL;
    taken = start + bytes;
    return arena + start;
}

size_t machine_memory_left(void)
{
    return 1u << 20;
}

uint64_t machine_monotonic_ns(void)
{
    return model.now_us * 1000;
}

/* ---- Tests ----------------------------------------------------------------
 */

static struct pci_device device = {.vendor_id = 0x1af4, .device_id = 0x1000};

static void pass_ms(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        model.now_us += 1000;
        (void)timer_run();
    }
}

static struct virtio_card *card(void)
{
    return model.card;
}

static void start_card(void)
{
    memset(&model, 0, sizeof(model));
    memset(&state, 0, sizeof(state));
    timer_module_init();
    model.link = STATUS_LINK_UP;
    CHECK(virtio_probe(&device, &parts[0]) == OK);
    CHECK(card() != NULL && model.status == 7);
}

static void stop_card(void)
{
    timer_stop(&card()->timer);
    empty_queues(card());
    CHECK(iobuf_free() == iobuf_total());
}

static struct iobuf *make_frame(size_t bytes, uint8_t fill)
{
    struct iobuf *frame = iobuf_alloc();

    memset(iobuf_put(frame, bytes), fill, bytes);
    return frame;
}

static bool send_one(size_t bytes, uint8_t fill)
{
    struct iobuf *frame = make_frame(bytes, fill);
    bool taken = model.operations->send(card(), frame);

    iobuf_release(frame);
    return taken;
}

static void test_both_ways(void)
{
    struct machine_nic_info info;
    struct iobuf *frame;

    start_card();
    model.operations->info(card(), &info);
    CHECK(info.link_up && memcmp(info.address, station, 6) == 0);
    CHECK(model.queues[0].available[1] == ENTRIES_LEGACY / 2);
    CHECK(send_one(600, 0xab));
    CHECK(model.sent_bytes == 600 && model.sent[599] == 0xab);
    (void)arrive(0x5c, 1514, HEADER_LEGACY + 1514);
    CHECK(virtio_poll(&device));
    frame = model.operations->receive(card());
    CHECK(frame != NULL && iobuf_length(frame) == 1514);
    CHECK(frame != NULL && frame->data[1513] == 0x5c);
    if (frame != NULL)
        iobuf_release(frame);
    CHECK(model.operations->receive(card()) == NULL);
    stop_card();
}

/* Many rounds of both queues, so that every index wraps. */
static void test_wraps(void)
{
    unsigned right = 0;

    start_card();
    for (unsigned i = 0; i < 70000; i++) {
        struct iobuf *frame;

        (void)arrive((uint8_t)i, 60, HEADER_LEGACY + 60);
        frame = model.operations->receive(card());
        right += frame != NULL && frame->data[59] == (uint8_t)i &&
                 send_one(60, (uint8_t)i) && model.sent[0] == (uint8_t)i;
        if (frame != NULL)
            iobuf_release(frame);
    }
    CHECK(right == 70000 && model.sent_count == 70000);
    stop_card();
}

static void test_bad_lengths(void)
{
    struct machine_nic_info info;

    start_card();
    (void)arrive(1, 60, HEADER_LEGACY + 13);
    (void)arrive(1, 60, 0);
    (void)arrive(1, 60, UINT32_MAX);
    CHECK(model.operations->receive(card()) == NULL);
    model.operations->info(card(), &info);
    CHECK(info.errors_in == 3 && info.frames_in == 0);
    stop_card();
}

static bool receives(uint8_t fill)
{
    struct iobuf *frame = model.operations->receive(card());
    const bool right = frame != NULL && frame->data[0] == fill;

    if (frame != NULL)
        iobuf_release(frame);
    return right;
}

/* What was never given in is handed back: the device is reset. */
static void test_nonsense(void)
{
    static const uint32_t ids[] = {1, 0xfffffffe, 2 * 200};

    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        start_card();
        hand_back(&model.queues[0], ids[i], 100);
        (void)arrive(2, 60, HEADER_LEGACY + 60);
        CHECK(!receives(2));
        pass_ms(2 * WATCH_MS);
        CHECK(card()->running && !card()->receive.broken);
        (void)arrive(3, 60, HEADER_LEGACY + 60);
        CHECK(receives(3));
        stop_card();
    }
    /* More than there are. */
    start_card();
    (void)arrive(2, 60, HEADER_LEGACY + 60);
    model.queues[0].used[1] = (uint16_t)(model.queues[0].done + 1000);
    CHECK(!receives(2));
    pass_ms(2 * WATCH_MS);
    (void)arrive(3, 60, HEADER_LEGACY + 60);
    CHECK(receives(3));
    stop_card();
}

/* Twice: the second may meet a buffer that was made available since, which is
 * ours as well; none is handed up twice or lost. */
static void test_twice(void)
{
    struct iobuf *frame, *other;
    uint16_t chain;

    start_card();
    chain = arrive(2, 60, HEADER_LEGACY + 60);
    hand_back(&model.queues[0], chain, HEADER_LEGACY + 60);
    frame = model.operations->receive(card());
    CHECK(frame != NULL && frame->data[0] == 2);
    other = model.operations->receive(card());
    CHECK(other != frame);
    if (frame != NULL)
        iobuf_release(frame);
    if (other != NULL)
        iobuf_release(other);
    CHECK(send_one(60, 1));
    hand_back(&model.queues[1], 0, 0); /* never sent, or twice */
    CHECK(send_one(60, 1));
    pass_ms(2 * WATCH_MS);
    CHECK(card()->running && !card()->send.broken);
    CHECK(send_one(60, 5) && model.sent[0] == 5);
    stop_card();
}

static void test_full_and_stuck(void)
{
    unsigned taken = 0;

    start_card();
    model.stuck = true;
    while (taken < 1000 && send_one(60, 1))
        taken++;
    CHECK(taken == ENTRIES_LEGACY / 2);
    model.stuck = false;
    pass_ms(STUCK_MS + 2 * WATCH_MS);
    CHECK(model.status == 7 && card()->running);
    CHECK(card()->info.errors_out == taken);
    CHECK(send_one(60, 7) && model.sent[0] == 7);
    stop_card();
}

static void test_link_and_failure(void)
{
    start_card();
    model.link = 0;
    pass_ms(WATCH_MS + 1);
    CHECK(!card()->info.link_up);
    model.link = STATUS_LINK_UP;
    model.interrupts++;
    (void)virtio_poll(&device);
    CHECK(card()->info.link_up);
    model.status |= 64; /* asks to be reset */
    model.keeps_reset = true;
    pass_ms(2 * WATCH_MS);
    CHECK(!card()->running && !send_one(60, 1));
    CHECK(model.operations->receive(card()) == NULL);
    model.keeps_reset = false;
    pass_ms(2 * WATCH_MS);
    CHECK(card()->running && card()->info.link_up && send_one(60, 1));
    stop_card();
}

int main(void)
{
    CHECK(iobuf_pool_init(POOL) == OK);
    test_both_ways();
    test_wraps();
    test_bad_lengths();
    test_nonsense();
    test_twice();
    test_full_and_stuck();
    test_link_and_failure();
    return check_report();
}
