/* Virtio over PCI: reaching the device, and its queues.
 *
 * A device is modern when its capabilities name all that is needed and can be
 * mapped, else legacy. Not supported: packed rings, MSI-X, indirect
 * descriptors, event indexes. */
#include "drivers/virtio.h"
#include "core/log.h"
#include <string.h>

/* Capabilities (4.1.4). */
#define CAPABILITY_VENDOR 0x09u
#define TYPE_COMMON       1u
#define TYPE_NOTIFY       2u
#define TYPE_INTERRUPT    3u
#define TYPE_DEVICE       4u
#define CAPABILITIES_MAX  48u

/* Common configuration (4.1.4.3). */
#define COMMON_OFFER_SELECT 0x00u
#define COMMON_OFFER        0x04u
#define COMMON_TAKE_SELECT  0x08u
#define COMMON_TAKE         0x0cu
#define COMMON_STATUS       0x14u
#define COMMON_QUEUE        0x16u
#define COMMON_SIZE         0x18u
#define COMMON_ENABLE       0x1cu
#define COMMON_NOTIFY       0x1eu
#define COMMON_DESCRIPTORS  0x20u
#define COMMON_AVAILABLE    0x28u
#define COMMON_USED         0x30u
#define COMMON_BYTES        0x38u

/* Legacy ports (4.1.4.8). */
#define LEGACY_OFFER     0x00u
#define LEGACY_TAKE      0x04u
#define LEGACY_ADDRESS   0x08u
#define LEGACY_SIZE      0x0cu
#define LEGACY_QUEUE     0x0eu
#define LEGACY_NOTIFY    0x10u
#define LEGACY_STATUS    0x12u
#define LEGACY_INTERRUPT 0x13u
#define LEGACY_OWN       0x14u
#define LEGACY_PAGE      4096u

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_NEEDS_RESET 64u

#define FEATURE_VERSION_1 (1ull << 32)

#define FLAG_NEXT         1u
#define FLAG_WRITE        2u
#define FLAG_NO_INTERRUPT 1u
#define RESET_POLLS       100u /* of 10 us */

/* ---- Reaching the device --------------------------------------------------
 */

/* The part of a BAR that a capability names; base 0 when it cannot be had. */
static struct io_region map_capability(const struct pci_device *pci,
                                       unsigned at, uint32_t least)
{
    const struct io_region none = {0, 0};
    const unsigned bar = pci_read8(pci, at + 4);
    const uint32_t offset = pci_read32(pci, at + 8);
    const uint32_t bytes = pci_read32(pci, at + 12);
    uint64_t base, bar_bytes;
    bool is_io;

    if (bar > 5 || bytes < least ||
        pci_bar(pci, bar, &base, &bar_bytes, &is_io) != OK || is_io ||
        (uint64_t)offset + bytes > bar_bytes)
        return none;
    return io_map(base + offset, bytes);
}

static void read_capability(struct virtio_device *device, unsigned at)
{
    switch (pci_read8(device->pci, at + 3)) {
    case TYPE_COMMON:
        if (device->common.base == 0)
            device->common = map_capability(device->pci, at, COMMON_BYTES);
        break;
    case TYPE_NOTIFY:
        if (device->notify.base == 0) {
            device->notify = map_capability(device->pci, at, 2);
            device->notify_step = pci_read32(device->pci, at + 16);
        }
        break;
    case TYPE_INTERRUPT:
        if (device->interrupt.base == 0)
            device->interrupt = map_capability(device->pci, at, 1);
        break;
    case TYPE_DEVICE:
        if (device->own.base == 0)
            device->own = map_capability(device->pci, at, 1);
        break;
    default:
        break;
    }
}

static bool find_modern(struct virtio_device *device)
{
    unsigned at = pci_find_capability(device->pci, CAPABILITY_VENDOR);

    for (unsigned i = 0; at != 0 && i < CAPABILITIES_MAX; i++) {
        if (pci_read8(device->pci, at) == CAPABILITY_VENDOR)
            read_capability(device, at);
        at = pci_read8(device->pci, at + 1) & 0xfcu;
    }
    return device->common.base != 0 && device->notify.base != 0 &&
           device->interrupt.base != 0 && device->own.base != 0;
}

static bool find_legacy(struct virtio_device *device)
{
    uint64_t base, bytes;
    bool is_io;

    if (pci_bar(device->pci, 0, &base, &bytes, &is_io) != OK || !is_io ||
        bytes < LEGACY_OWN || base > 0xffff - bytes)
        return false;
    device->ports = (uint16_t)base;
    return true;
}

static uint8_t get_status(const struct virtio_device *device)
{
    return device->modern ? io_read8(&device->common, COMMON_STATUS)
                          : io_in8((uint16_t)(device->ports + LEGACY_STATUS));
}

static void put_status(const struct virtio_device *device, uint8_t status)
{
    if (device->modern)
        io_write8(&device->common, COMMON_STATUS, status);
    else
        io_out8((uint16_t)(device->ports + LEGACY_STATUS), status);
}

bool virtio_reset(struct virtio_device *device)
{
    put_status(device, 0);
    return get_status(device) == 0;
}

enum err virtio_open(struct virtio_device *device, struct pci_device *pci)
{
    memset(device, 0, sizeof(*device));
    device->pci = pci;
    device->modern = find_modern(device);
    if (!device->modern && !find_legacy(device))
        return ERR_UNSUPPORTED;
    pci_enable(pci);
    for (unsigned i = 0; i < RESET_POLLS; i++) {
        if (virtio_reset(device))
            return OK;
        io_delay_us(10);
    }
    return ERR_IO;
}

static uint64_t offered(const struct virtio_device *device)
{
    uint64_t features;

    if (!device->modern)
        return io_in32((uint16_t)(device->ports + LEGACY_OFFER));
    io_write32(&device->common, COMMON_OFFER_SELECT, 1);
    features = (uint64_t)io_read32(&device->common, COMMON_OFFER) << 32;
    io_write32(&device->common, COMMON_OFFER_SELECT, 0);
    return features | io_read32(&device->common, COMMON_OFFER);
}

enum err virtio_negotiate(struct virtio_device *device, uint64_t wanted,
                          uint64_t *taken)
{
    put_status(device, STATUS_ACKNOWLEDGE);
    put_status(device, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    if (device->modern)
        wanted |= FEATURE_VERSION_1;
    *taken = offered(device) & wanted;
    if (!device->modern) {
        io_out32((uint16_t)(device->ports + LEGACY_TAKE), (uint32_t)*taken);
        return OK;
    }
    if (!(*taken & FEATURE_VERSION_1))
        return ERR_UNSUPPORTED;
    for (uint32_t i = 0; i < 2; i++) {
        io_write32(&device->common, COMMON_TAKE_SELECT, i);
        io_write32(&device->common, COMMON_TAKE, (uint32_t)(*taken >> 32 * i));
    }
    put_status(device, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    return get_status(device) & STATUS_FEATURES_OK ? OK : ERR_UNSUPPORTED;
}

void virtio_start(struct virtio_device *device)
{
    put_status(device, (uint8_t)(get_status(device) | STATUS_DRIVER_OK));
}

bool virtio_failed(struct virtio_device *device)
{
    const uint8_t status = get_status(device);

    return status == 0xff || !(status & STATUS_DRIVER_OK) ||
           (status & STATUS_NEEDS_RESET);
}

void virtio_acknowledge(struct virtio_device *device)
{
    if (device->modern)
        (void)io_read8(&device->interrupt, 0);
    else
        (void)io_in8((uint16_t)(device->ports + LEGACY_INTERRUPT));
}

uint8_t virtio_own8(const struct virtio_device *device, unsigned offset)
{
    if (!device->modern)
        return io_in8((uint16_t)(device->ports + LEGACY_OWN + offset));
    return offset < device->own.bytes ? io_read8(&device->own, offset) : 0;
}

/* ---- Queues ---------------------------------------------------------------
 */

/* Where a queue of so many entries has its used ring: on a page of its own,
 * which the legacy way asks for. */
static size_t used_offset(uint16_t entries)
{
    const size_t end =
        sizeof(struct virtio_descriptor) * entries + 6 + 2 * (size_t)entries;

    return (end + LEGACY_PAGE - 1) & ~(size_t)(LEGACY_PAGE - 1);
}

static size_t queue_bytes(uint16_t entries)
{
    return used_offset(entries) + 6 +
           sizeof(struct virtio_used_element) * entries;
}

static enum err lay_out(struct virtio_queue *queue, uint16_t entries)
{
    uint8_t *memory = (uint8_t *)(uintptr_t)queue->descriptors;

    if (memory == NULL)
        memory = io_dma_take(queue_bytes(entries), LEGACY_PAGE, 0);
    else if (entries != queue->entries)
        return ERR_IO; /* the device has changed its mind after a reset */
    if (memory == NULL)
        return ERR_MEMORY;
    memset(memory, 0, queue_bytes(entries));
    queue->entries = entries;
    queue->chains = entries / 2;
    queue->available_index = queue->used_index = 0;
    queue->broken = false;
    queue->descriptors = (void *)memory;
    queue->available =
        (void *)(memory + sizeof(struct virtio_descriptor) * entries);
    queue->used = (void *)(memory + used_offset(entries));
    return OK;
}

static uint64_t address_of(const volatile void *memory)
{
    return io_dma_address((const void *)(uintptr_t)memory);
}

static void write_common64(const struct virtio_device *device, size_t offset,
                           uint64_t value)
{
    io_write32(&device->common, offset, (uint32_t)value);
    io_write32(&device->common, offset + 4, (uint32_t)(value >> 32));
}

static bool size_is_valid(uint16_t entries)
{
    return entries >= 4 && entries <= VIRTIO_QUEUE_MAX &&
           (entries & (entries - 1)) == 0;
}

static enum err open_modern(struct virtio_device *device, uint16_t most,
                            struct virtio_queue *queue)
{
    uint16_t entries;
    enum err error;

    io_write16(&device->common, COMMON_QUEUE, queue->index);
    entries = io_read16(&device->common, COMMON_SIZE);
    if (entries > most)
        entries = most;
    if (!size_is_valid(entries))
        return ERR_UNSUPPORTED;
    io_write16(&device->common, COMMON_SIZE, entries);
    queue->notify_offset = io_read16(&device->common, COMMON_NOTIFY);
    if ((uint64_t)queue->notify_offset * device->notify_step + 2 >
        device->notify.bytes)
        return ERR_UNSUPPORTED;
    error = lay_out(queue, entries);
    if (error != OK)
        return error;
    write_common64(device, COMMON_DESCRIPTORS, address_of(queue->descriptors));
    write_common64(device, COMMON_AVAILABLE, address_of(queue->available));
    write_common64(device, COMMON_USED, address_of(queue->used));
    io_write16(&device->common, COMMON_ENABLE, 1);
    return OK;
}

static enum err open_legacy(struct virtio_device *device,
                            struct virtio_queue *queue)
{
    uint16_t entries;
    enum err error;

    io_out16((uint16_t)(device->ports + LEGACY_QUEUE), queue->index);
    entries = io_in16((uint16_t)(device->ports + LEGACY_SIZE));
    if (!size_is_valid(entries))
        return ERR_UNSUPPORTED;
    error = lay_out(queue, entries);
    if (error != OK)
        return error;
    io_out32((uint16_t)(device->ports + LEGACY_ADDRESS),
             (uint32_t)(address_of(queue->descriptors) / LEGACY_PAGE));
    return OK;
}

enum err virtio_queue_open(struct virtio_device *device, uint16_t index,
                           uint16_t most, struct virtio_queue *queue)
{
    queue->index = index;
    return device->modern ? open_modern(device, most, queue)
                          : open_legacy(device, queue);
}

void virtio_queue_header(struct virtio_queue *queue, uint16_t chain,
                         uint64_t address, uint32_t bytes, bool writable)
{
    const uint16_t write = writable ? FLAG_WRITE : 0;
    volatile struct virtio_descriptor *first = &queue->descriptors[2 * chain];

    first[0].address = address;
    first[0].bytes = bytes;
    first[0].flags = (uint16_t)(FLAG_NEXT | write);
    first[0].next = (uint16_t)(2 * chain + 1);
    first[1].flags = write;
    first[1].next = 0;
}

void virtio_queue_add(struct virtio_queue *queue, uint16_t chain,
                      uint64_t address, uint32_t bytes)
{
    volatile struct virtio_descriptor *second =
        &queue->descriptors[2 * chain + 1];

    second->address = address;
    second->bytes = bytes;
    queue->available[2 + (queue->available_index & (queue->entries - 1))] =
        (uint16_t)(2 * chain);
    queue->available_index++;
}

void virtio_queue_kick(struct virtio_device *device, struct virtio_queue *queue)
{
    io_barrier();
    queue->available[1] = queue->available_index;
    /* The device may have gone to sleep since: its flag is read only after the
     * index is out (2.7.13.4.1). */
    __asm__ volatile("mfence" ::: "memory");
    if (queue->used[0] & 1u)
        return;
    if (device->modern)
        io_write16(&device->notify,
                   (size_t)queue->notify_offset * device->notify_step,
                   queue->index);
    else
        io_out16((uint16_t)(device->ports + LEGACY_NOTIFY), queue->index);
}

bool virtio_queue_ready(const struct virtio_queue *queue)
{
    return !queue->broken && queue->used[1] != queue->used_index;
}

bool virtio_queue_take(struct virtio_queue *queue, uint16_t *chain,
                       uint32_t *bytes)
{
    const volatile struct virtio_used_element *element;
    uint32_t id;

    if (!virtio_queue_ready(queue))
        return false;
    io_barrier();
    element = (const volatile struct virtio_used_element
                   *)(const volatile void *)(queue->used + 2) +
              (queue->used_index & (queue->entries - 1));
    id = element->id;
    *bytes = element->bytes;
    /* More than there are, or what was never given. */
    if ((uint16_t)(queue->used[1] - queue->used_index) > queue->chains ||
        id % 2 != 0 || id / 2 >= queue->chains) {
        queue->broken = true;
        return false;
    }
    *chain = (uint16_t)(id / 2);
    queue->used_index++;
    return true;
}

void virtio_queue_silence(struct virtio_queue *queue)
{
    queue->available[0] = FLAG_NO_INTERRUPT;
}
