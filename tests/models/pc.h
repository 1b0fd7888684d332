/* A PC for card drivers on the workstation: behind drivers/io.h stand PCI
 * configuration space, ports, memory-mapped registers, DMA memory, interrupt
 * lines and a clock, and in its slots register models of chips (chip.h).
 *
 * The drivers run as they are in the AO, found through drivers/pci.c and the
 * linker's table. What a driver must not do in front of any chip is checked
 * here: registers outside a BAR, DMA to memory that is not DMA memory or before
 * bus mastering is on, waiting longer than a turn of MT may take.
 *
 * Faults are switched on by the test; which of many accesses or descriptors
 * they hit is decided by the seed. */
#ifndef TESTS_MODELS_PC_H
#define TESTS_MODELS_PC_H

#include "tests/models/chip.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong with all chips at the moment; all zero: nothing. */
struct pc_faults {
    bool gone;          /* reads give all ones, nothing else happens */
    bool deaf;          /* interrupts do not arrive */
    bool endless_reset; /* a reset that is begun does not end */
    bool hold;          /* what is to be sent is not fetched */
    /* Of 1000 descriptors that are written back: */
    unsigned bad_length; /* tell any length */
    unsigned bad_status; /* have some bits of their status turned */
    unsigned garbage;    /* are overwritten whole by random bytes */
    /* One bit of one register reads as this, always. */
    struct {
        bool active, value;
        unsigned slot, bar;
        uint32_t offset; /* of the byte */
        uint8_t bit;
    } stuck;
};

extern struct pc_faults pc_faults;

/* pc_power_on - a PC with nothing in its slots, and a pool of `buffers`. */
void pc_power_on(uint64_t seed, size_t buffers);

/* pc_plug - puts a card into the next slot; before pci_module_init(). */
void pc_plug(const struct chip *chip);

/* pc_address - the station address of the card in a slot. */
const uint8_t *pc_address(unsigned slot);

/* pc_stick_a_bit - one of the bits that drivers have read so far is stuck. */
void pc_stick_a_bit(void);

/* pc_work - lets the chips do what they do by themselves. */
void pc_work(void);

/* pc_sleep - as machine_idle(): until an interrupt line is held, at most until
 * the monotonic clock reaches `until_us`. */
void pc_sleep(uint64_t until_us);

uint64_t pc_now_us(void);

/* pc_turn_begins, pc_turn_ends - around one turn of MT: how long it kept the
 * mail waiting. Returns microseconds. */
void pc_turn_begins(void);
uint64_t pc_turn_ends(void);

/* pc_failures - rules broken since power-on; each was printed. */
unsigned pc_failures(void);

#endif
