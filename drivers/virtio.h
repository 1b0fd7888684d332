/* Virtio over PCI (virtio 1.2, 4.1): the modern way by capabilities, and the
 * legacy one by ports (4.1.4.8); and split virtqueues (2.7) of chains of two
 * buffers: a header and what it speaks of. */
#ifndef DRIVERS_VIRTIO_H
#define DRIVERS_VIRTIO_H

#include "core/err.h"
#include "drivers/pci.h"
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_QUEUE_MAX 1024u /* entries */

struct virtio_descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct virtio_used_element {
    uint32_t id; /* first descriptor of the chain */
    uint32_t bytes;
};

/* Entry 2i and 2i + 1 are chain i, i below `chains`. */
struct virtio_queue {
    volatile struct virtio_descriptor *descriptors;
    volatile uint16_t *available; /* flags, index, ring */
    volatile uint16_t *used;      /* flags, index, then the elements */
    uint16_t entries, chains;
    uint16_t available_index, used_index; /* free running */
    uint16_t index, notify_offset;
    bool broken; /* the device has handed back what makes no sense */
};

struct virtio_device {
    struct pci_device *pci;
    bool modern;
    uint16_t ports;                                  /* legacy */
    struct io_region common, notify, interrupt, own; /* modern */
    uint32_t notify_step;
};

/* virtio_open - finds out how the device is reached, and resets it.
 * Returns OK, ERR_UNSUPPORTED or ERR_IO. */
enum err virtio_open(struct virtio_device *device,
                     struct pci_device *pci) MUST_CHECK;

/* virtio_negotiate - of the features that the device offers, those wanted are
 * taken. wanted, *taken: bits as numbered by the specification. */
enum err virtio_negotiate(struct virtio_device *device, uint64_t wanted,
                          uint64_t *taken) MUST_CHECK;

/* virtio_queue_open - makes a queue and tells the device; at most `most`
 * entries where the device lets choose. Memory is taken when the queue has
 * none, else used again. */
enum err virtio_queue_open(struct virtio_device *device, uint16_t index,
                           uint16_t most,
                           struct virtio_queue *queue) MUST_CHECK;

/* virtio_start - the device may work from now on. */
void virtio_start(struct virtio_device *device);

/* virtio_reset - and stops here. False while the device is still at it. */
bool virtio_reset(struct virtio_device *device);

/* virtio_status_lost - the device asks to be reset, or does not answer. */
bool virtio_failed(struct virtio_device *device);

/* virtio_acknowledge - ends the interrupt. */
void virtio_acknowledge(struct virtio_device *device);

/* virtio_own8 - a byte of the device's own configuration. */
uint8_t virtio_own8(const struct virtio_device *device, unsigned offset);

/* virtio_queue_add - makes chain `chain` available; its second part is `bytes`
 * at `address`. What chains hold is set by the caller's first parts, see
 * virtio_queue_header(). Visible to the device after virtio_queue_kick(). */
void virtio_queue_add(struct virtio_queue *queue, uint16_t chain,
                      uint64_t address, uint32_t bytes);

/* virtio_queue_header - the first part of a chain, which stays.
 * writable: the device writes both parts. */
void virtio_queue_header(struct virtio_queue *queue, uint16_t chain,
                         uint64_t address, uint32_t bytes, bool writable);

/* virtio_queue_kick - shows what was added, and notifies. */
void virtio_queue_kick(struct virtio_device *device,
                       struct virtio_queue *queue);

/* virtio_queue_take - the next chain that the device is done with and how many
 * bytes it wrote. Returns false when there is none, or when what the device
 * hands back makes no sense: the queue is broken until it is opened again. */
bool virtio_queue_take(struct virtio_queue *queue, uint16_t *chain,
                       uint32_t *bytes);

/* virtio_queue_ready - whether virtio_queue_take() would find one. */
bool virtio_queue_ready(const struct virtio_queue *queue);

/* virtio_queue_silence - the device need not interrupt for this queue. */
void virtio_queue_silence(struct virtio_queue *queue);

#endif
