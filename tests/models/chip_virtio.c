/* A virtio network card by the legacy interface (virtio 1.2, 4.1.4.8, 5.1): two
 * queues of 256 entries, station address, link. One at a time. */
#include "tests/models/chip.h"
#include <string.h>

#define OFFER     0x00u
#define PAGE      0x08u
#define SIZE      0x0cu
#define SELECT    0x0eu
#define NOTIFY    0x10u
#define STATUS    0x12u
#define INTERRUPT 0x13u
#define OWN       0x14u

#define DRIVER_OK     4u
#define ENTRIES       256u
#define FEATURES      0x10020u /* station address, link */
#define HEADER        10u
#define FLAG_NEXT     1u
#define FLAG_WRITE    2u
#define CAUSE_QUEUE   1u
#define CAUSE_CHANGED 2u

struct descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct used {
    uint32_t id, bytes;
};

struct queue {
    uint64_t base;
    uint16_t seen, done; /* free running */
};

static struct {
    uint8_t own[8]; /* address, link */
    uint8_t status, cause;
    uint16_t selected;
    struct queue queues[2]; /* to receive, to send */
    bool notified;
} nic;

static void power_on(const uint8_t address[6])
{
    memset(&nic, 0, sizeof(nic));
    memcpy(nic.own, address, 6);
}

static void set_link(unsigned mbit)
{
    nic.own[6] = mbit != 0;
    nic.cause |= CAUSE_CHANGED;
}

static uint64_t available(const struct queue *queue)
{
    return queue->base + sizeof(struct descriptor) * ENTRIES;
}

static uint64_t used(const struct queue *queue)
{
    return queue->base + 8192; /* the next page behind the available ring */
}

/* The two descriptors of the next chain; false when there is none. */
static bool next_chain(struct queue *queue, uint16_t *id,
                       struct descriptor chain[2])
{
    uint16_t index;

    if (queue->base == 0 || !(nic.status & DRIVER_OK) ||
        !chip_fetch(available(queue) + 2, &index, 2) || index == queue->seen ||
        !chip_fetch(available(queue) + 4 + 2u * (queue->seen % ENTRIES), id,
                    2) ||
        !chip_fetch(queue->base + *id * sizeof(*chain), &chain[0],
                    sizeof(*chain)))
        return false;
    (void)chip_rule(chain[0].flags & FLAG_NEXT && chain[0].bytes == HEADER,
                    "virtio 5.1.6.6: the header has a descriptor of its own");
    return chain[0].next < ENTRIES &&
           chip_fetch(queue->base + chain[0].next * sizeof(*chain), &chain[1],
                      sizeof(*chain));
}

static void hand_back(struct queue *queue, uint16_t id, uint32_t bytes)
{
    struct used element = {chip_status(id, UINT32_MAX), bytes};
    uint16_t index, flags = 0;

    queue->seen++;
    chip_descriptor(&element, sizeof(element));
    (void)chip_store(used(queue) + 4 + 8u * (queue->done % ENTRIES), &element,
                     sizeof(element));
    index = (uint16_t)chip_status(++queue->done, 0x4000);
    (void)chip_store(used(queue) + 2, &index, 2);
    (void)chip_fetch(available(queue), &flags, 2);
    if (!(flags & 1))
        nic.cause |= CAUSE_QUEUE;
}

static bool send_one(void)
{
    struct queue *queue = &nic.queues[1];
    uint8_t frame[CHIP_FRAME_BYTES];
    struct descriptor chain[2];
    uint16_t id;

    if (!next_chain(queue, &id, chain) || chain[1].bytes > sizeof(frame) ||
        !chip_fetch(chain[1].address, frame, chain[1].bytes))
        return false;
    (void)chip_rule(!(chain[0].flags & FLAG_WRITE) && chain[1].flags == 0,
                    "virtio 2.7.5: what is sent is not written");
    chip_send(frame, chain[1].bytes);
    hand_back(queue, id, 0);
    return true;
}

static void work(void)
{
    unsigned most = chip_random(12);

    if (!nic.notified || chip_holds_frames() || !nic.own[6])
        return;
    while (most-- > 0)
        if (!send_one()) {
            nic.notified = false;
            return;
        }
}

static bool arrive(const uint8_t *frame, size_t bytes)
{
    struct queue *queue = &nic.queues[0];
    static const uint8_t header[HEADER];
    struct descriptor chain[2];
    uint16_t id;

    if (!nic.own[6] || (!(frame[0] & 1) && memcmp(frame, nic.own, 6) != 0) ||
        !next_chain(queue, &id, chain) ||
        !(chain[0].flags & chain[1].flags & FLAG_WRITE) ||
        chain[1].bytes < bytes ||
        !chip_store(chain[0].address, header, HEADER) ||
        !chip_store(chain[1].address, frame, bytes))
        return false;
    hand_back(queue, id, chip_length((uint32_t)bytes + HEADER, UINT32_MAX));
    return true;
}

static uint32_t read(unsigned bar, uint32_t offset, unsigned bytes)
{
    uint32_t value = 0;

    (void)bar;
    switch (offset) {
    case OFFER:
        return FEATURES;
    case SIZE:
        return nic.selected < 2 ? ENTRIES : 0;
    case STATUS:
        return nic.status;
    case INTERRUPT:
        value = nic.cause;
        nic.cause = 0;
        return value;
    default:
        if (offset >= OWN && offset + bytes <= OWN + sizeof(nic.own))
            memcpy(&value, &nic.own[offset - OWN], bytes);
        return value;
    }
}

static void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value)
{
    (void)bar;
    (void)bytes;
    switch (offset) {
    case SELECT:
        nic.selected = (uint16_t)value;
        break;
    case PAGE:
        if (nic.selected < 2) {
            memset(&nic.queues[nic.selected], 0, sizeof(nic.queues[0]));
            nic.queues[nic.selected].base = (uint64_t)value * 4096;
        }
        break;
    case NOTIFY:
        (void)chip_rule(
            (nic.status & DRIVER_OK) || chip_was_spoilt(),
            "virtio 3.1.1: DRIVER_OK before the first notification");
        nic.notified |= value == 1;
        break;
    case STATUS:
        if (value == 0 && chip_resets_endlessly())
            break;
        nic.status = (uint8_t)value;
        if (value == 0) {
            memset(nic.queues, 0, sizeof(nic.queues));
            nic.cause = 0;
            nic.notified = false;
        }
        break;
    default:
        break;
    }
}

static bool interrupt(void)
{
    return nic.cause != 0;
}

const struct chip chip_virtio = {
    .name = "virtio network",
    .vendor_id = 0x1af4,
    .device_id = 0x1000,
    .bars = {{64, true}},
    .power_on = power_on,
    .read = read,
    .write = write,
    .work = work,
    .arrive = arrive,
    .interrupt = interrupt,
    .set_link = set_link,
};
