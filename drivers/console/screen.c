/* The screen of 80 x 25 cells on whichever display the PC has: a framebuffer
 * when the boot loader has left one, else VGA text. And the emergency screen,
 * which takes the whole display for a text that a person photographs. */
#include "core/machine.h"
#include "drivers/console/console.h"
#include "drivers/console/display.h"
#include <stddef.h>

#define EMERGENCY_ATTRIBUTE 0x4fu /* white on red */
#define BLANK_ATTRIBUTE     0x07u

static struct screen_state {
    const struct display *display; /* NULL: none */
    bool emergency;
    unsigned row, column; /* of the emergency text */
    uint16_t shown[MACHINE_ROWS * MACHINE_COLUMNS];
} state;

/* Video memory is slow: only what changes is written. */
static void set_cell(unsigned row, unsigned column, uint8_t character,
                     uint8_t attribute)
{
    const unsigned index = row * MACHINE_COLUMNS + column;
    const uint16_t value = (uint16_t)(attribute << 8 | character);

    if (state.shown[index] == value)
        return;
    state.shown[index] = value;
    state.display->set_cell(row, column, character, attribute);
}

static void fill(uint8_t attribute)
{
    for (unsigned row = 0; row < MACHINE_ROWS; row++) {
        for (unsigned column = 0; column < MACHINE_COLUMNS; column++)
            set_cell(row, column, ' ', attribute);
    }
}

void screen_start(void)
{
    static const struct display *const displays[] = {&display_framebuffer,
                                                     &display_vga};

    state.display = NULL;
    for (unsigned i = 0; i < 2 && state.display == NULL; i++) {
        if (displays[i]->init())
            state.display = displays[i];
    }
    if (state.display == NULL)
        return;
    for (unsigned i = 0; i < MACHINE_ROWS * MACHINE_COLUMNS; i++)
        state.shown[i] = 0xffff;
    fill(BLANK_ATTRIBUTE);
    machine_screen_cursor(MACHINE_ROWS, 0);
}

void machine_screen_write(unsigned row, unsigned column,
                          const struct machine_cell *cells, unsigned count)
{
    if (state.display == NULL || state.emergency || row >= MACHINE_ROWS)
        return;
    for (unsigned i = 0; i < count && column + i < MACHINE_COLUMNS; i++)
        set_cell(row, column + i, cells[i].character,
                 cells[i].attribute & 0x7f);
}

void machine_screen_cursor(unsigned row, unsigned column)
{
    if (state.display == NULL)
        return;
    if (row >= MACHINE_ROWS || column >= MACHINE_COLUMNS) {
        row = MACHINE_ROWS;
        column = 0;
    }
    state.display->set_cursor(row, column);
}

const char *display_name(void)
{
    return state.display != NULL ? state.display->name() : "none";
}

static void scroll(void)
{
    for (unsigned row = 0; row < MACHINE_ROWS; row++) {
        for (unsigned column = 0; column < MACHINE_COLUMNS; column++) {
            uint8_t character = ' ';

            if (row + 1 < MACHINE_ROWS)
                character =
                    (uint8_t)state.shown[(row + 1) * MACHINE_COLUMNS + column];
            set_cell(row, column, character, EMERGENCY_ATTRIBUTE);
        }
    }
}

static void new_line(void)
{
    state.column = 0;
    if (state.row + 1 < MACHINE_ROWS)
        state.row++;
    else
        scroll();
}

void screen_emergency_write(char character)
{
    if (state.display == NULL)
        return;
    if (!state.emergency) {
        machine_screen_cursor(MACHINE_ROWS, 0);
        state.emergency = true;
        fill(EMERGENCY_ATTRIBUTE);
    }
    if (character == '\n') {
        new_line();
        return;
    }
    if (state.column == MACHINE_COLUMNS)
        new_line();
    set_cell(state.row, state.column++, (uint8_t)character,
             EMERGENCY_ATTRIBUTE);
}
