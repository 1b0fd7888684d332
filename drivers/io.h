/* The seam under the drivers: ports, memory-mapped registers, DMA addresses,
 * barriers. In the AO these are single instructions; on a workstation (tests)
 * they are functions that a register model of the chip provides. */
#ifndef DRIVERS_IO_H
#define DRIVERS_IO_H

#include <stddef.h>
#include <stdint.h>

/* An MMIO region as io_map() returned it. */
struct io_region {
    uintptr_t base;
    size_t bytes;
};

#if __STDC_HOSTED__

uint8_t io_in8(uint16_t port);
uint16_t io_in16(uint16_t port);
uint32_t io_in32(uint16_t port);
void io_out8(uint16_t port, uint8_t value);
void io_out16(uint16_t port, uint16_t value);
void io_out32(uint16_t port, uint32_t value);
uint8_t io_read8(const struct io_region *region, size_t offset);
uint16_t io_read16(const struct io_region *region, size_t offset);
uint32_t io_read32(const struct io_region *region, size_t offset);
void io_write8(const struct io_region *region, size_t offset, uint8_t value);
void io_write16(const struct io_region *region, size_t offset, uint16_t value);
void io_write32(const struct io_region *region, size_t offset, uint32_t value);

static inline void io_barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

#else

static inline uint8_t io_in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t io_in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t io_in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void io_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void io_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void io_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline uint8_t io_read8(const struct io_region *region, size_t offset)
{
    return *(volatile const uint8_t *)(region->base + offset);
}

static inline uint16_t io_read16(const struct io_region *region, size_t offset)
{
    return *(volatile const uint16_t *)(region->base + offset);
}

static inline uint32_t io_read32(const struct io_region *region, size_t offset)
{
    return *(volatile const uint32_t *)(region->base + offset);
}

static inline void io_write8(const struct io_region *region, size_t offset,
                             uint8_t value)
{
    *(volatile uint8_t *)(region->base + offset) = value;
}

static inline void io_write16(const struct io_region *region, size_t offset,
                              uint16_t value)
{
    *(volatile uint16_t *)(region->base + offset) = value;
}

static inline void io_write32(const struct io_region *region, size_t offset,
                              uint32_t value)
{
    *(volatile uint32_t *)(region->base + offset) = value;
}

/* Orders the writes to memory that a device reads before the write to a
 * register that makes it look. x86 stores are ordered among themselves, also
 * to uncached memory: only the compiler must be held back. */
static inline void io_barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

#endif

/* io_map - makes a physical range of registers reachable, uncached.
 * Returns the region; base is 0 when it cannot be mapped. */
struct io_region io_map(uint64_t physical, size_t bytes);

/* io_map_combining - the same for the memory of a display: writes may be put
 * together and may come late, reads are slow. */
struct io_region io_map_combining(uint64_t physical, size_t bytes);

/* io_dma_address - the physical address of memory from memory_take() or of the
 * AO's own data, as a device sees it: below 4 GiB, contiguous. */
uint64_t io_dma_address(const void *memory);

/* io_dma_take - zeroed DMA memory for rings and tables that does not cross a
 * multiple of `boundary` (a power of two at least as large as bytes, or 0 for
 * no such limit). Returns NULL when there is none left. */
void *io_dma_take(size_t bytes, size_t alignment, size_t boundary);

/* io_delay_us - busy wait, for the few microseconds that a register access
 * sequence asks for, before service begins. Never where mail could wait: use
 * io_now_us() and a timed state there. */
void io_delay_us(unsigned us);

/* io_now_us - microseconds since start. */
uint64_t io_now_us(void);

#endif
