/* A linear framebuffer of 32 bits a pixel, as UEFI's Graphics Output Protocol
 * leaves it (UEFI 2.10, 12.9). */
#ifndef DRIVERS_CONSOLE_FRAMEBUFFER_H
#define DRIVERS_CONSOLE_FRAMEBUFFER_H

#include <stdint.h>

struct framebuffer {
    uint64_t physical; /* 0: there is none */
    uint32_t width, height;
    uint32_t stride;                            /* pixels from row to row */
    uint8_t red_shift, green_shift, blue_shift; /* of 8 bits each */
};

/* framebuffer_offer - before console_init(): the display to use. What cannot be
 * one (too small, nonsense) is left alone. */
void framebuffer_offer(const struct framebuffer *framebuffer);

#endif
