/* PCI: configuration space, finding functions, binding drivers to them. */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include "core/err.h"
#include "drivers/io.h"
#include <stdbool.h>
#include <stdint.h>

/* One function on the bus. */
struct pci_device {
    uint8_t bus, device, function;
    uint16_t vendor_id, device_id;
    uint32_t class_code; /* class << 16 | subclass << 8 | interface */
    uint8_t revision;
    uint8_t interrupt_line; /* IRQ as the firmware routed it; 255: none */
    const struct pci_driver *driver; /* bound to it, or NULL */
    void *driver_data;               /* the driver's own */
};

#define PCI_ANY 0xffff

/* A row of a driver's table of parts: by vendor and device, or, with both
 * PCI_ANY, by class. */
struct pci_id {
    uint16_t vendor_id, device_id;
    uint32_t class_code, class_mask;
    const char *name; /* shown to people */
    uint32_t quirks;  /* meaning is the driver's */
};

struct pci_driver {
    const char *name;
    const struct pci_id *ids;
    unsigned id_count;
    /* Takes the function: OK, or an error and the function is left alone.
     * Must not wait long; what takes time goes on in poll. */
    enum err (*probe)(struct pci_device *device, const struct pci_id *id);
    /* Moves on whatever goes on at this device; called each turn of MT.
     * Returns true when anything happened. */
    bool (*poll)(struct pci_device *device);
};

/* Puts a driver into the image's table of drivers. */
#define PCI_DRIVER(name)                                                       \
    static const struct pci_driver *const name##_row                           \
        __attribute__((used, section("tbl_pci_driver"))) = &(name)

#define PCI_VENDOR_ID            0x00
#define PCI_DEVICE_ID            0x02
#define PCI_COMMAND              0x04
#define PCI_COMMAND_IO           0x0001
#define PCI_COMMAND_MEMORY       0x0002
#define PCI_COMMAND_MASTER       0x0004
#define PCI_COMMAND_INTX_DISABLE 0x0400
#define PCI_STATUS               0x06
#define PCI_CLASS_REVISION       0x08
#define PCI_HEADER_TYPE          0x0e
#define PCI_BAR0                 0x10
#define PCI_CAPABILITIES         0x34
#define PCI_INTERRUPT_LINE       0x3c

uint8_t pci_read8(const struct pci_device *device, unsigned offset);
uint16_t pci_read16(const struct pci_device *device, unsigned offset);
uint32_t pci_read32(const struct pci_device *device, unsigned offset);
void pci_write8(const struct pci_device *device, unsigned offset,
                uint8_t value);
void pci_write16(const struct pci_device *device, unsigned offset,
                 uint16_t value);
void pci_write32(const struct pci_device *device, unsigned offset,
                 uint32_t value);

/* pci_bar - base and size of a memory or I/O BAR (64-bit ones included).
 * Returns OK, or ERR_NOT_FOUND when it is empty. */
enum err pci_bar(const struct pci_device *device, unsigned index,
                 uint64_t *base, uint64_t *bytes, bool *is_io) MUST_CHECK;

/* pci_enable - memory, I/O and bus mastering on, INTx not disabled. */
void pci_enable(const struct pci_device *device);

/* pci_find_capability - offset of a capability (PCI 3.0, 6.7), or 0. */
unsigned pci_find_capability(const struct pci_device *device, uint8_t id);

/* pci_module_init - finds all functions, switches bus mastering off on all of
 * them but bridges, and binds drivers. */
void pci_module_init(void);

/* pci_poll - polls all bound functions; true when anything happened. */
bool pci_poll(void);

/* pci_device_at - the index-th function found, NULL behind the last. */
const struct pci_device *pci_device_at(unsigned index);

/* pci_route_interrupt - the function's INTx ends machine_idle() from now on. */
void pci_route_interrupt(const struct pci_device *device);

/* pci_interrupt_count - how often the function's interrupt line (which others
 * may share) has ended machine_idle(). When it has not changed since the last
 * look, the interrupt register of the device need not be read. */
uint32_t pci_interrupt_count(const struct pci_device *device);

#endif
