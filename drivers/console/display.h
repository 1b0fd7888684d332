/* A display: what shows cells. screen.c decides what is shown; a display shows
 * it. Coordinates are below MACHINE_ROWS and MACHINE_COLUMNS. */
#ifndef DRIVERS_CONSOLE_DISPLAY_H
#define DRIVERS_CONSOLE_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct display {
    /* Returns false when the PC has no such display. */
    bool (*init)(void);
    /* attribute: a VGA text attribute. */
    void (*set_cell)(unsigned row, unsigned column, uint8_t character,
                     uint8_t attribute);
    /* row MACHINE_ROWS hides the cursor. */
    void (*set_cursor)(unsigned row, unsigned column);
    /* For people: "VGA text". */
    const char *(*name)(void);
};

extern const struct display display_framebuffer, display_vga;

/* display_name - of the one that is in use. */
const char *display_name(void);

#endif
