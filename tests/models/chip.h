/* What a register model of a network chip offers to the PC it is plugged into,
 * and what the PC offers to it. A model does what the chip's manual says of its
 * registers and descriptors, and knows nothing of the driver. */
#ifndef TESTS_MODELS_CHIP_H
#define TESTS_MODELS_CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHIP_BARS        6u
#define CHIP_FRAME_BYTES 2048u

struct chip {
    const char *name;
    uint16_t vendor_id, device_id;
    unsigned fastest; /* Mbit/s; 0: it does not tell */
    struct {
        uint32_t bytes; /* 0: there is none; else a power of two */
        bool is_io;
    } bars[CHIP_BARS];
    /* As after power-on; address: what its EEPROM holds. */
    void (*power_on)(const uint8_t address[6]);
    /* `bytes` is 1, 2 or 4. */
    uint32_t (*read)(unsigned bar, uint32_t offset, unsigned bytes);
    void (*write)(unsigned bar, uint32_t offset, unsigned bytes,
                  uint32_t value);
    /* What goes on by itself: frames to send are fetched, resets end. */
    void (*work)(void);
    /* A frame without FCS comes in by the wire. False: the chip had no room for
     * it, or did not want it. */
    bool (*arrive)(const uint8_t *frame, size_t bytes);
    bool (*interrupt)(void);         /* whether it holds its line */
    void (*set_link)(unsigned mbit); /* 0: no link */
};

/* ---- The PC, as a chip sees it ------------------------------------------- */

/* DMA; false, and nothing moved, where there is no memory. */
bool chip_fetch(uint64_t address, void *bytes, size_t count);
bool chip_store(uint64_t address, const void *bytes, size_t count);

/* A frame goes out by the wire, padded to 60 bytes. */
void chip_send(const uint8_t *frame, size_t bytes);

uint64_t chip_now_us(void);

/* chip_random - a number below `limit`, from the seed. */
uint32_t chip_random(uint32_t limit);

/* What a faulty chip makes of a length, of a status word of which it may turn
 * the bits in `mask`, of a whole descriptor before it is stored. Healthy ones
 * leave them as they are. */
uint32_t chip_length(uint32_t length, uint32_t largest);
uint32_t chip_status(uint32_t status, uint32_t mask);
void chip_descriptor(void *descriptor, size_t bytes);

/* chip_was_spoilt - whether reads have ever been wrong: then what the driver
 * wrote may be, too. */
bool chip_was_spoilt(void);
bool chip_resets_endlessly(void);
bool chip_holds_frames(void);

/* chip_rule - a rule of the manual that the driver must keep; prints the ones
 * that are broken. Returns `kept`. */
bool chip_rule(bool kept, const char *rule);

/* ---- Models -------------------------------------------------------------- */

extern const struct chip chip_intel_82540em, chip_intel_82574l;
extern const struct chip chip_intel_i217, chip_intel_i219, chip_intel_i210;
extern const struct chip chip_intel_i350, chip_intel_i225, chip_intel_i226;
extern const struct chip chip_rtl8139;
extern const struct chip chip_rtl8168b, chip_rtl8168h;
extern const struct chip chip_3c905c, chip_vmxnet3, chip_virtio;

#endif
