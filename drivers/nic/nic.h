/* What a network card driver offers, and how it announces its card. */
#ifndef DRIVERS_NIC_NIC_H
#define DRIVERS_NIC_NIC_H

#include "core/iobuf.h"
#include "core/machine.h"
#include "drivers/pci.h"
#include <stdbool.h>

/* Bytes of a frame without its FCS. */
#define NIC_FRAME_MIN      14u
#define NIC_FRAME_SEND_MAX 1514u
#define NIC_FRAME_MAX      1518u /* with a VLAN tag */

struct nic_operations {
    /* As machine_nic_send() and machine_nic_receive() of core/machine.h. */
    bool (*send)(void *card, struct iobuf *frame);
    struct iobuf *(*receive)(void *card);
    void (*info)(void *card, struct machine_nic_info *info);
    /* As machine_nic_join(); all zero: no group. NULL: the card lets every
     * group through. */
    void (*join)(void *card, const uint8_t group[6]);
};

/* nic_address_valid - whether it can be a card's own: neither all zero nor that
 * of a group, which all ones is as well. */
static inline bool nic_address_valid(const uint8_t address[6])
{
    uint8_t any = 0;

    for (unsigned i = 0; i < 6; i++)
        any |= address[i];
    return any != 0 && !(address[0] & 1);
}

/* nic_received - counts a frame that came into a buffer. bytes: 0 for what is
 * no good, whole frame. Returns it with so many bytes, or NULL: it was given
 * back.
 */
static inline struct iobuf *nic_received(struct machine_nic_info *info,
                                         struct iobuf *buffer, uint32_t bytes)
{
    if (bytes == 0) {
        info->errors_in++;
        iobuf_release(buffer);
        return NULL;
    }
    (void)iobuf_put(buffer, bytes);
    info->frames_in++;
    info->bytes_in += bytes;
    return buffer;
}

/* nic_register - a card was found and works; see machine_nic_choose(). */
void nic_register(const struct nic_operations *operations, void *card,
                  const struct pci_device *device);

#endif
