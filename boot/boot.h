/* What the parts of boot/ know of each other. */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "drivers/memory_map.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where things are in the AO's address space.
 * IMAGE: the AO itself, wherever it lies in physical memory.
 * DIRECT: free memory at DIRECT + physical address.
 * DEVICES: registers at DEVICES + physical address, uncached. */
#define IMAGE_BASE   0xffffffff80000000ull
#define IMAGE_START  0xffffffff80100000ull
#define DIRECT_BASE  0xffff800000000000ull
#define DEVICES_BASE 0xffffc00000000000ull
/* Physical addresses that DEVICES can show: 46 bits. */
#define DEVICES_BYTES 0x400000000000ull

/* From the linker script and from entry.asm. */
extern const uint8_t image_start[], image_text_end[], image_rodata_end[];
extern const uint8_t image_data_end[], image_end[];
extern uint64_t image_physical;
extern const uint64_t guard_pages[];
extern const uint64_t vector_stack_tops[];
extern const uint64_t vector_stubs[256];
extern uint64_t gdt[5];

/* What vector_common pushes: from the last to the first. */
struct vector_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* boot_start - the first C line. magic, information: as the multiboot loader
 * left them in EAX and EBX; or HANDOFF_MAGIC and the address of the UEFI
 * loader's struct handoff. */
_Noreturn void boot_start(uint32_t magic, uint32_t information);

/* boot_vector - every interrupt and exception. */
void boot_vector(struct vector_frame *frame);

/* boot_fault - shows what happened, then restarts. */
_Noreturn void boot_fault(const struct vector_frame *frame);

/* boot_stack_guarded - whether an address lies in the guard page of a stack
 * that machine_stack_take() gave. */
bool boot_stack_guarded(uint64_t address);

/* vectors_init - interrupt descriptors, task state, stacks of the vectors. */
void vectors_init(void);

/* multiboot_read - memory map and command line of a multiboot1 loader.
 * Returns false when it gave no usable map. */
bool multiboot_read(uint32_t information, struct memory_map *map,
                    char *command_line, size_t command_line_bytes);

/* handoff_read - the same of the UEFI loader; offers its display and its ACPI
 * tables to the drivers. */
bool handoff_read(uint32_t address, struct memory_map *map, char *command_line,
                  size_t command_line_bytes);

/* paging_init - final tables: code, constants and data each with its rights,
 * free memory at DIRECT, nothing else. Returns false without memory. */
bool paging_init(struct memory_map *map);

/* paging_map_device - shows registers at DEVICES, or, combining, the memory of
 * a display; false when it cannot. */
bool paging_map_device(uint64_t physical, uint64_t bytes, bool combining);

/* paging_unmap_page - takes one page of DIRECT out; false without memory. */
bool paging_unmap_page(uint64_t address);

/* paging_is_mapped - whether 8 bytes at this address can be read. */
bool paging_is_mapped(uint64_t address);

/* symbol_find - the function an address lies in and how far; NULL when the
 * address is not in the image's code. */
const char *symbol_find(uint64_t address, uint32_t *offset);

static inline void *direct_pointer(uint64_t physical)
{
    return (void *)(uintptr_t)(DIRECT_BASE + physical);
}

#endif
