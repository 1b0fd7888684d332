/* The fonts of the framebuffer, made by font.py from a package of Debian. */
#ifndef DRIVERS_CONSOLE_FONT_H
#define DRIVERS_CONSOLE_FONT_H

#include <stdint.h>

#define FONT_FIRST ' '
#define FONT_LAST  '~'

/* Rows from top to bottom; the highest of the lowest `width` bits is left. */
struct font {
    uint8_t width, height;
    const uint16_t *rows; /* height of them for each character */
};

extern const struct font font_small, font_large;

#endif
