/* Text on a framebuffer: 80 x 25 cells in the largest size that fits, in the
 * middle of the display.
 *
 * Not supported: other depths than 32 bits a pixel, acceleration. */
#include "drivers/console/framebuffer.h"
#include "core/machine.h"
#include "drivers/console/display.h"
#include "drivers/console/font.h"
#include "drivers/io.h"
#include <stdio.h>

#define PIXEL_BYTES  4u
#define PIXELS_MAX   16384u
#define CURSOR_LINES 2u /* of the font, at the bottom of a cell */

static struct framebuffer_state {
    struct framebuffer framebuffer;
    struct io_region pixels;
    const struct font *font;
    unsigned scale;       /* pixels for each of the font's */
    uint32_t left, top;   /* of the cells, in pixels */
    unsigned row, column; /* of the cursor; row MACHINE_ROWS: none */
    struct machine_cell cells[MACHINE_ROWS][MACHINE_COLUMNS];
} state;

/* The 16 colours of VGA text, as red, green, blue. */
static const uint8_t palette[16][3] = {
    {0, 0, 0},     {0, 0, 170},    {0, 170, 0},    {0, 170, 170},
    {170, 0, 0},   {170, 0, 170},  {170, 85, 0},   {170, 170, 170},
    {85, 85, 85},  {85, 85, 255},  {85, 255, 85},  {85, 255, 255},
    {255, 85, 85}, {255, 85, 255}, {255, 255, 85}, {255, 255, 255},
};

static uint32_t colour(unsigned index)
{
    const uint8_t *part = palette[index & 15];

    return (uint32_t)part[0] << state.framebuffer.red_shift |
           (uint32_t)part[1] << state.framebuffer.green_shift |
           (uint32_t)part[2] << state.framebuffer.blue_shift;
}

void framebuffer_offer(const struct framebuffer *framebuffer)
{
    state.framebuffer = *framebuffer;
}

/* The font and scale in which the cells fill most of the display. */
static bool choose_font(void)
{
    static const struct font *const fonts[] = {&font_small, &font_large};
    unsigned best = 0;

    for (unsigned i = 0; i < 2; i++) {
        const unsigned across =
            state.framebuffer.width / (MACHINE_COLUMNS * fonts[i]->width);
        const unsigned down =
            state.framebuffer.height / (MACHINE_ROWS * fonts[i]->height);
        const unsigned scale = across < down ? across : down;

        if (scale > 0 && scale * fonts[i]->height >= best) {
            best = scale * fonts[i]->height;
            state.font = fonts[i];
            state.scale = scale;
        }
    }
    return best > 0;
}

static void clear(void)
{
    for (uint32_t y = 0; y < state.framebuffer.height; y++) {
        for (uint32_t x = 0; x < state.framebuffer.width; x++)
            io_write32(&state.pixels,
                       ((size_t)y * state.framebuffer.stride + x) * PIXEL_BYTES,
                       colour(0));
    }
}

static bool framebuffer_init(void)
{
    const struct framebuffer *framebuffer = &state.framebuffer;

    if (framebuffer->physical == 0 || framebuffer->width > PIXELS_MAX ||
        framebuffer->height > PIXELS_MAX || framebuffer->stride > PIXELS_MAX ||
        framebuffer->stride < framebuffer->width ||
        framebuffer->red_shift > 24 || framebuffer->green_shift > 24 ||
        framebuffer->blue_shift > 24 || !choose_font())
        return false;
    state.pixels = io_map_combining(framebuffer->physical,
                                    (size_t)framebuffer->stride *
                                        framebuffer->height * PIXEL_BYTES);
    if (state.pixels.base == 0)
        return false;
    state.left = (framebuffer->width -
                  MACHINE_COLUMNS * state.font->width * state.scale) /
                 2;
    state.top = (framebuffer->height -
                 MACHINE_ROWS * state.font->height * state.scale) /
                2;
    state.row = MACHINE_ROWS;
    clear();
    return true;
}

static bool has_cursor(unsigned row, unsigned column)
{
    return row == state.row && column == state.column;
}

/* One line of a font's row: its bits, `scale` pixels for each. */
static void draw_line(size_t at, unsigned bits, uint32_t ink, uint32_t paper)
{
    for (unsigned bit = 1u << (state.font->width - 1); bit != 0; bit >>= 1) {
        for (unsigned i = 0; i < state.scale; i++) {
            io_write32(&state.pixels, at, bits & bit ? ink : paper);
            at += PIXEL_BYTES;
        }
    }
}

static void draw_cell(unsigned row, unsigned column)
{
    const struct machine_cell *cell = &state.cells[row][column];
    const unsigned height = state.font->height;
    const unsigned glyph =
        cell->character < FONT_FIRST || cell->character > FONT_LAST
            ? '?' - FONT_FIRST
            : cell->character - (unsigned)FONT_FIRST;
    const uint16_t *rows = &state.font->rows[glyph * height];
    const uint32_t x = state.left + column * state.font->width * state.scale;
    uint32_t y = state.top + row * height * state.scale;

    for (unsigned i = 0; i < height; i++) {
        const bool inverse =
            has_cursor(row, column) && i + CURSOR_LINES >= height;
        const unsigned bits = inverse ? 0xffffu : rows[i];

        for (unsigned line = 0; line < state.scale; line++, y++)
            draw_line(((size_t)y * state.framebuffer.stride + x) * PIXEL_BYTES,
                      bits, colour(cell->attribute & 15),
                      colour(cell->attribute >> 4 & 7));
    }
}

static void framebuffer_set_cell(unsigned row, unsigned column,
                                 uint8_t character, uint8_t attribute)
{
    state.cells[row][column].character = character;
    state.cells[row][column].attribute = attribute;
    draw_cell(row, column);
}

static void framebuffer_set_cursor(unsigned row, unsigned column)
{
    const unsigned old_row = state.row, old_column = state.column;

    if (row == old_row && column == old_column)
        return;
    state.row = row;
    state.column = column;
    if (old_row < MACHINE_ROWS)
        draw_cell(old_row, old_column);
    if (row < MACHINE_ROWS)
        draw_cell(row, column);
}

static const char *framebuffer_name(void)
{
    static char text[32];

    (void)snprintf(text, sizeof(text), "framebuffer %u x %u",
                   (unsigned)state.framebuffer.width,
                   (unsigned)state.framebuffer.height);
    return text;
}

const struct display display_framebuffer = {
    .init = framebuffer_init,
    .set_cell = framebuffer_set_cell,
    .set_cursor = framebuffer_set_cursor,
    .name = framebuffer_name,
};
