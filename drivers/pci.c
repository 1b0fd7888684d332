/* PCI by configuration mechanism 1 (PCI 3.0, 3.2.2.3.2): every PC has it, and
 * the first 256 bytes of each function are all that is needed.
 *
 * Buses are found through bridges, starting with bus 0. Bus mastering is
 * switched off on all functions before any driver starts: what the firmware
 * left running must not write into the AO's memory.
 *
 * Not supported: several root buses, configuration space beyond 256 bytes,
 * resources that the firmware has not assigned. */
#include "drivers/pci.h"
#include "core/log.h"
#include "drivers/interrupt.h"
#include <stddef.h>

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu

#define DEVICES_MAX 96u
#define BUSES       256u

#define HEADER_BRIDGE    0x01u
#define HEADER_MULTI     0x80u
#define SECONDARY_BUS    0x19u
#define STATUS_HAS_LIST  0x10u
#define CAPABILITIES_MAX 48u
#define BAR_IO           0x1u
#define BAR_TYPE         0x6u
#define BAR_64           0x4u

#define CLASS_BRIDGE 0x06u

extern const struct pci_driver *const __start_tbl_pci_driver[]
    __attribute__((weak));
extern const struct pci_driver *const __stop_tbl_pci_driver[]
    __attribute__((weak));

static struct pci_state {
    struct pci_device devices[DEVICES_MAX];
    unsigned count;
    bool bus_wanted[BUSES]; /* seen behind a bridge, not scanned yet */
    bool bus_known[BUSES];
} state;

static uint16_t select_register(const struct pci_device *device,
                                unsigned offset)
{
    io_out32(CONFIG_ADDRESS, 0x80000000u | (uint32_t)device->bus << 16 |
                                 (uint32_t)(device->device & 31) << 11 |
                                 (uint32_t)(device->function & 7) << 8 |
                                 (offset & 0xfc));
    return (uint16_t)(CONFIG_DATA + (offset & 3));
}

uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
    return io_in8(select_register(device, offset));
}

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
    return io_in16(select_register(device, offset & ~1u));
}

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
    return io_in32(select_register(device, offset & ~3u));
}

void pci_write8(const struct pci_device *device, unsigned offset, uint8_t value)
{
    io_out8(select_register(device, offset), value);
}

void pci_write16(const struct pci_device *device, unsigned offset,
                 uint16_t value)
{
    io_out16(select_register(device, offset & ~1u), value);
}

void pci_write32(const struct pci_device *device, unsigned offset,
                 uint32_t value)
{
    io_out32(select_register(device, offset & ~3u), value);
}

/* What a BAR answers when all ones are written to it; put back afterwards. */
static uint32_t bar_mask(const struct pci_device *device, unsigned offset)
{
    const uint32_t value = pci_read32(device, offset);
    uint32_t mask;

    pci_write32(device, offset, UINT32_MAX);
    mask = pci_read32(device, offset);
    pci_write32(device, offset, value);
    return mask;
}

enum err pci_bar(const struct pci_device *device, unsigned index,
                 uint64_t *base, uint64_t *bytes, bool *is_io)
{
    const unsigned offset = PCI_BAR0 + index * 4;
    const uint16_t command = pci_read16(device, PCI_COMMAND);
    uint32_t low, mask_low, high = 0, mask_high = UINT32_MAX;
    uint64_t mask;

    if (index > 5)
        return ERR_NOT_FOUND;
    low = pci_read32(device, offset);
    *is_io = (low & BAR_IO) != 0;
    /* Not decoding while the addresses are not real. */
    pci_write16(device, PCI_COMMAND,
                command & (uint16_t) ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
    mask_low = bar_mask(device, offset);
    if (!*is_io && (low & BAR_TYPE) == BAR_64 && index < 5) {
        high = pci_read32(device, offset + 4);
        mask_high = bar_mask(device, offset + 4);
    }
    pci_write16(device, PCI_COMMAND, command);

    if (*is_io) {
        *base = low & 0xfffcu;
        *bytes = (uint64_t)(~(mask_low & 0xfffcu) & 0xffff) + 1;
    } else {
        *base = (uint64_t)high << 32 | (low & 0xfffffff0u);
        mask = (uint64_t)mask_high << 32 | (mask_low & 0xfffffff0u);
        *bytes = ~mask + 1;
    }
    return *base == 0 || *bytes == 0 || mask_low == 0 ? ERR_NOT_FOUND : OK;
}

void pci_enable(const struct pci_device *device)
{
    const uint16_t command = pci_read16(device, PCI_COMMAND);

    pci_write16(device, PCI_COMMAND,
                (uint16_t)((command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
                            PCI_COMMAND_MASTER) &
                           ~PCI_COMMAND_INTX_DISABLE));
}

unsigned pci_find_capability(const struct pci_device *device, uint8_t id)
{
    unsigned offset;

    if (!(pci_read16(device, PCI_STATUS) & STATUS_HAS_LIST))
        return 0;
    offset = pci_read8(device, PCI_CAPABILITIES) & 0xfcu;
    /* A list may be a ring in a broken device. */
    for (unsigned i = 0; i < CAPABILITIES_MAX && offset >= 0x40; i++) {
        if (pci_read8(device, offset) == id)
            return offset;
        offset = pci_read8(device, offset + 1) & 0xfcu;
    }
    return 0;
}

void pci_route_interrupt(const struct pci_device *device)
{
    interrupt_enable_pci(device->interrupt_line);
}

uint32_t pci_interrupt_count(const struct pci_device *device)
{
    return interrupt_count(device->interrupt_line);
}

/* ---- Finding --------------------------------------------------------------
 */

static void add_function(const struct pci_device *found)
{
    struct pci_device *device;
    uint32_t class_revision;
    uint16_t command;

    if (state.count == DEVICES_MAX) {
        log_warn("pci", "too many functions limit=%u", DEVICES_MAX);
        return;
    }
    device = &state.devices[state.count++];
    *device = *found;
    class_revision = pci_read32(device, PCI_CLASS_REVISION);
    device->class_code = class_revision >> 8;
    device->revision = (uint8_t)class_revision;
    device->interrupt_line = pci_read8(device, PCI_INTERRUPT_LINE);
    if (device->class_code >> 16 == CLASS_BRIDGE) {
        const uint8_t type = pci_read8(device, PCI_HEADER_TYPE) & 0x7f;

        if (type == HEADER_BRIDGE) {
            const uint8_t bus = pci_read8(device, SECONDARY_BUS);

            state.bus_wanted[bus] = !state.bus_known[bus];
        }
        return;
    }
    command = pci_read16(device, PCI_COMMAND);
    pci_write16(device, PCI_COMMAND, command & (uint16_t)~PCI_COMMAND_MASTER);
}

static void scan_device(uint8_t bus, uint8_t number)
{
    struct pci_device device = {.bus = bus, .device = number};
    bool multi = false;

    for (uint8_t function = 0; function < 8; function++) {
        uint32_t id;

        device.function = function;
        id = pci_read32(&device, PCI_VENDOR_ID);
        device.vendor_id = (uint16_t)id;
        device.device_id = (uint16_t)(id >> 16);
        if (device.vendor_id == 0xffff || device.vendor_id == 0) {
            if (function == 0)
                return;
            continue;
        }
        if (function == 0)
            multi = pci_read8(&device, PCI_HEADER_TYPE) & HEADER_MULTI;
        add_function(&device);
        if (!multi)
            return;
    }
}

static void scan_buses(void)
{
    bool more = true;

    state.bus_wanted[0] = true;
    while (more) {
        more = false;
        for (unsigned bus = 0; bus < BUSES; bus++) {
            if (!state.bus_wanted[bus])
                continue;
            state.bus_wanted[bus] = false;
            state.bus_known[bus] = true;
            for (uint8_t number = 0; number < 32; number++)
                scan_device((uint8_t)bus, number);
            more = true;
        }
    }
}

static const struct pci_id *find_row(const struct pci_driver *driver,
                                     const struct pci_device *device)
{
    for (unsigned i = 0; i < driver->id_count; i++) {
        const struct pci_id *id = &driver->ids[i];

        if (id->vendor_id == PCI_ANY && id->device_id == PCI_ANY) {
            if ((device->class_code & id->class_mask) == id->class_code)
                return id;
        } else if (id->vendor_id == device->vendor_id &&
                   id->device_id == device->device_id) {
            return id;
        }
    }
    return NULL;
}

static void bind(struct pci_device *device)
{
    const struct pci_driver *const *driver = __start_tbl_pci_driver;

    for (; driver < __stop_tbl_pci_driver; driver++) {
        const struct pci_id *id = find_row(*driver, device);
        enum err error;

        if (id == NULL)
            continue;
        error = (*driver)->probe(device, id);
        if (error == OK) {
            device->driver = *driver;
            return;
        }
        log_warn("pci", "%s not usable bus=%u device=%u function=%u: %s",
                 id->name, device->bus, device->device, device->function,
                 err_text(error));
    }
}

void pci_module_init(void)
{
    scan_buses();
    for (unsigned i = 0; i < state.count; i++)
        bind(&state.devices[i]);
    log_info("pci", "found functions=%u", state.count);
}

bool pci_poll(void)
{
    bool any = false;

    for (unsigned i = 0; i < state.count; i++) {
        struct pci_device *device = &state.devices[i];

        if (device->driver != NULL && device->driver->poll != NULL)
            any |= device->driver->poll(device);
    }
    return any;
}

const struct pci_device *pci_device_at(unsigned index)
{
    return index < state.count ? &state.devices[index] : NULL;
}
