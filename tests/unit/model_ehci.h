/* A model of an EHCI controller for unit tests: registers, and an engine that
 * walks queues in memory as the specification says (4.8 - 4.10). DMA addresses
 * are the program's pointers, which lie below 4 GiB. */
#ifndef TESTS_UNIT_MODEL_EHCI_H
#define TESTS_UNIT_MODEL_EHCI_H

#include "drivers/usb/ehci.h"

#define MODEL_LEGACY  0x68u /* USBLEGSUP in configuration space */
#define MODEL_PORTS   2u
#define MODEL_STALLED (-1)
#define MODEL_NOT_NOW (-2)
#define MODEL_BROKEN  (-3)

struct model_ehci {
    uint8_t config[256];
    uint32_t registers[0x100 / 4];
    bool gone;       /* everything reads as ones */
    bool bios_stays; /* does not give up */
    bool deaf;       /* does not answer the doorbell */
    uint32_t structure, capability;
    uint64_t now_us;
    uint32_t interrupts;
    bool full_speed[MODEL_PORTS]; /* is not enabled by a reset */
    /* What the device makes of a piece: bytes taken or given, or an error. */
    int (*answer)(uint32_t pid, uint8_t *data, uint32_t bytes);
    unsigned carried; /* the endpoint of the piece */
    unsigned pieces;
    uint32_t last_bytes[32];
    unsigned violations; /* of what the chip demands */
};

extern struct model_ehci model;

/* model_op - an operational register. */
uint32_t *model_op(uint32_t offset);
/* model_in_ring - whether the asynchronous schedule leads to the queue. */
bool model_in_ring(const struct ehci_qh *queue);
/* model_run - the chip works through both schedules once. */
void model_run(void);

#endif
