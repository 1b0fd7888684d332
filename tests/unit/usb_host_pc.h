/* The PC around a USB host controller's driver, for its tests: PCI without a
 * life of its own, DMA memory, and the model's time. Included by a test once,
 * behind its model (model.now_us) and where its registers are:
 * HOST_BASE, HOST_BYTES, HOST_IS_IO; HOST_INTERRUPTS is how many came. */
#ifndef TESTS_UNIT_USB_HOST_PC_H
#define TESTS_UNIT_USB_HOST_PC_H

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
    (void)device;
    (void)offset;
    return 0;
}

void pci_write16(const struct pci_device *device, unsigned offset,
                 uint16_t value)
{
    (void)device;
    (void)offset;
    (void)value;
}

enum err pci_bar(const struct pci_device *device, unsigned index,
                 uint64_t *base, uint64_t *bytes, bool *is_io)
{
    (void)device;
    (void)index;
    *base = HOST_BASE;
    *bytes = HOST_BYTES;
    *is_io = HOST_IS_IO;
    return OK;
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
    return HOST_INTERRUPTS;
}

struct io_region io_map(uint64_t physical, size_t bytes)
{
    const struct io_region region = {physical, bytes};

    return region;
}

/* DMA addresses are this program's pointers, which lie below 4 GiB. */
uint64_t io_dma_address(const void *memory)
{
    CHECK((uintptr_t)memory < UINT32_MAX);
    return (uint64_t)(uintptr_t)memory;
}

void *io_dma_take(size_t bytes, size_t alignment, size_t boundary)
{
    static uint8_t arena[8u << 20] __attribute__((aligned(4096)));
    static size_t taken;
    size_t start = (taken + 4095) & ~(size_t)4095;

    (void)alignment;
    (void)boundary;
    taken = start + bytes;
    return taken <= sizeof arena ? arena + start : NULL;
}

uint64_t io_now_us(void)
{
    return model.now_us;
}

uint64_t machine_monotonic_ns(void)
{
    return model.now_us * 1000;
}

#endif
