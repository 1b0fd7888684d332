/* The text screen of a VGA, 80 x 25 cells at B8000h, and its cursor. The mode
 * is the one that the firmware left, which is text mode after a BIOS start.
 *
 * Not supported: framebuffers; a PC without text mode is served by the serial
 * line alone. */
#include "core/machine.h"
#include "drivers/console/console.h"
#include "drivers/io.h"

#define CELLS       0xb8000u
#define CELLS_BYTES 0x1000u

#define CRTC_INDEX    0x3d4u
#define CRTC_DATA     0x3d5u
#define CURSOR_START  0x0au
#define CURSOR_END    0x0bu
#define CURSOR_HIGH   0x0eu
#define CURSOR_LOW    0x0fu
#define CURSOR_HIDDEN 0x20u

#define EMERGENCY_ATTRIBUTE 0x4fu /* white on red */
#define BLANK_ATTRIBUTE     0x07u

static struct vga_state {
    struct io_region cells;
    bool emergency;
    unsigned row, column; /* of the emergency text */
    uint16_t shown[MACHINE_ROWS * MACHINE_COLUMNS];
} state;

static void write_crtc(uint8_t index, uint8_t value)
{
    io_out8(CRTC_INDEX, index);
    io_out8(CRTC_DATA, value);
}

/* Video memory is slow: only what changes is written. */
static void set_cell(unsigned row, unsigned column, uint8_t character,
                     uint8_t attribute)
{
    const unsigned index = row * MACHINE_COLUMNS + column;
    const uint16_t value = (uint16_t)(attribute << 8 | character);

    if (state.shown[index] == value)
        return;
    state.shown[index] = value;
    io_write16(&state.cells, (size_t)index * 2, value);
}

static void fill(uint8_t attribute)
{
    for (unsigned row = 0; row < MACHINE_ROWS; row++) {
        for (unsigned column = 0; column < MACHINE_COLUMNS; column++)
            set_cell(row, column, ' ', attribute);
    }
}

void vga_init(void)
{
    state.cells = io_map(CELLS, CELLS_BYTES);
    if (state.cells.base == 0)
        return;
    for (unsigned i = 0; i < MACHINE_ROWS * MACHINE_COLUMNS; i++)
        state.shown[i] = 0xffff;
    fill(BLANK_ATTRIBUTE);
    machine_screen_cursor(MACHINE_ROWS, 0);
}

void machine_screen_write(unsigned row, unsigned column,
                          const struct machine_cell *cells, unsigned count)
{
    if (state.cells.base == 0 || state.emergency || row >= MACHINE_ROWS)
        return;
    for (unsigned i = 0; i < count && column + i < MACHINE_COLUMNS; i++)
        set_cell(row, column + i, cells[i].character,
                 cells[i].attribute & 0x7f);
}

void machine_screen_cursor(unsigned row, unsigned column)
{
    const unsigned place = row * MACHINE_COLUMNS + column;

    if (state.cells.base == 0)
        return;
    if (row >= MACHINE_ROWS || column >= MACHINE_COLUMNS) {
        write_crtc(CURSOR_START, CURSOR_HIDDEN);
        return;
    }
    write_crtc(CURSOR_START, 14);
    write_crtc(CURSOR_END, 15);
    write_crtc(CURSOR_HIGH, (uint8_t)(place >> 8));
    write_crtc(CURSOR_LOW, (uint8_t)place);
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

void vga_emergency_write(char character)
{
    if (state.cells.base == 0)
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
