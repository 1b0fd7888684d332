/* The text memory of a VGA, 80 x 25 cells at B8000h, and its cursor. The mode
 * is the one that the firmware left, which is text mode after a BIOS start. */
#include "core/machine.h"
#include "drivers/console/display.h"
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

static struct vga_state {
    struct io_region cells;
} state;

static void write_crtc(uint8_t index, uint8_t value)
{
    io_out8(CRTC_INDEX, index);
    io_out8(CRTC_DATA, value);
}

static bool vga_init(void)
{
    state.cells = io_map(CELLS, CELLS_BYTES);
    return state.cells.base != 0;
}

static void vga_set_cell(unsigned row, unsigned column, uint8_t character,
                         uint8_t attribute)
{
    const size_t index = (size_t)row * MACHINE_COLUMNS + column;

    io_write16(&state.cells, index * 2, (uint16_t)(attribute << 8 | character));
}

static void vga_set_cursor(unsigned row, unsigned column)
{
    const unsigned place = row * MACHINE_COLUMNS + column;

    if (row == MACHINE_ROWS) {
        write_crtc(CURSOR_START, CURSOR_HIDDEN);
        return;
    }
    write_crtc(CURSOR_START, 14);
    write_crtc(CURSOR_END, 15);
    write_crtc(CURSOR_HIGH, (uint8_t)(place >> 8));
    write_crtc(CURSOR_LOW, (uint8_t)place);
}

static const char *vga_name(void)
{
    return "VGA text";
}

const struct display display_vga = {
    .init = vga_init,
    .set_cell = vga_set_cell,
    .set_cursor = vga_set_cursor,
    .name = vga_name,
};
