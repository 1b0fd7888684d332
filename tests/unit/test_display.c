/* The screen on a framebuffer: where cells lie, their colours, the cursor, the
 * emergency screen, and displays that are none. */
#include "core/machine.h"
#include "drivers/console/console.h"
#include "drivers/console/font.h"
#include "drivers/console/framebuffer.h"
#include "drivers/io.h"
#include "tests/unit/check.h"
#include <string.h>

#define WIDTH  1366u
#define HEIGHT 768u
#define STRIDE 1376u
/* 8 x 16 pixels a cell: twice that does not fit. */
#define CELL_WIDTH  8u
#define CELL_HEIGHT 16u
#define LEFT        ((WIDTH - 80 * CELL_WIDTH) / 2)
#define TOP         ((HEIGHT - 25 * CELL_HEIGHT) / 2)

static uint32_t pixels[STRIDE * HEIGHT];
static size_t mapped;
static unsigned text_mode_writes;

/* A font whose every glyph is its code in its first row, a column of ink in the
 * others. */
static uint16_t small_rows[(FONT_LAST - FONT_FIRST + 1) * CELL_HEIGHT];
static uint16_t large_rows[(FONT_LAST - FONT_FIRST + 1) * 2 * CELL_HEIGHT];
const struct font font_small = {CELL_WIDTH, CELL_HEIGHT, small_rows};
const struct font font_large = {2 * CELL_WIDTH, 2 * CELL_HEIGHT, large_rows};

struct io_region io_map_combining(uint64_t physical, size_t bytes)
{
    CHECK(physical == 0xc0000000u);
    mapped = bytes;
    return (struct io_region){(uintptr_t)pixels, bytes};
}

struct io_region io_map(uint64_t physical, size_t bytes)
{
    CHECK(physical == 0xb8000u);
    return (struct io_region){1, bytes};
}

void io_write32(const struct io_region *region, size_t offset, uint32_t value)
{
    CHECK(region->base == (uintptr_t)pixels);
    CHECK(offset % 4 == 0 && offset + 4 <= sizeof(pixels));
    CHECK(offset / 4 % STRIDE < WIDTH);
    pixels[offset / 4] = value;
}

void io_write16(const struct io_region *region, size_t offset, uint16_t value)
{
    (void)value;
    CHECK(region->base == 1 && offset + 2 <= 80 * 25 * 2);
    text_mode_writes++;
}

void io_out8(uint16_t port, uint8_t value)
{
    (void)port;
    (void)value;
}

static uint32_t pixel(unsigned row, unsigned column, unsigned y, unsigned x)
{
    return pixels[(TOP + row * CELL_HEIGHT + y) * STRIDE + LEFT +
                  column * CELL_WIDTH + x];
}

static const struct framebuffer good = {
    .physical = 0xc0000000u,
    .width = WIDTH,
    .height = HEIGHT,
    .stride = STRIDE,
    .red_shift = 16,
    .green_shift = 8,
    .blue_shift = 0,
};

static void test_cells(void)
{
    const struct machine_cell cells[] = {{'A', 0x0c}, {0xb0, 0x17}};

    memset(pixels, 0x5a, sizeof(pixels));
    framebuffer_offer(&good);
    screen_start();
    CHECK(mapped == sizeof(pixels) && text_mode_writes == 0);
    CHECK(pixels[0] == 0 && pixels[(HEIGHT - 1) * STRIDE + WIDTH - 1] == 0);
    machine_screen_write(24, 78, cells, 2);
    /* 'A' is 0x41: two bits of ink in the first row, light red on black. */
    CHECK(pixel(24, 78, 0, 0) == 0 && pixel(24, 78, 0, 1) == 0xff5555);
    CHECK(pixel(24, 78, 0, 7) == 0xff5555 && pixel(24, 78, 0, 6) == 0);
    CHECK(pixel(24, 78, 1, 0) == 0xff5555 && pixel(24, 78, 1, 1) == 0);
    /* What the font lacks is a question mark, 0x3f; grey on blue. */
    CHECK(pixel(24, 79, 0, 1) == 0x0000aa && pixel(24, 79, 0, 2) == 0xaaaaaa);
    CHECK(pixel(23, 79, CELL_HEIGHT - 1, 0) == 0);
    machine_screen_write(25, 0, cells, 2);
    machine_screen_write(24, 80, cells, 2);
}

static void test_cursor(void)
{
    const struct machine_cell cell = {' ', 0x07};

    machine_screen_write(3, 4, &cell, 1);
    machine_screen_cursor(3, 4);
    CHECK(pixel(3, 4, CELL_HEIGHT - 1, 5) == 0xaaaaaa);
    CHECK(pixel(3, 4, CELL_HEIGHT - 3, 5) == 0);
    machine_screen_cursor(3, 5);
    CHECK(pixel(3, 4, CELL_HEIGHT - 1, 5) == 0);
    CHECK(pixel(3, 5, CELL_HEIGHT - 1, 5) == 0xaaaaaa);
    machine_screen_cursor(MACHINE_ROWS, 0);
    CHECK(pixel(3, 5, CELL_HEIGHT - 1, 5) == 0);
}

/* Each is left alone, and the text mode is taken. */
static void test_no_framebuffers(void)
{
    struct framebuffer bad[6];

    for (unsigned i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].physical = 0;
    bad[1].width = 639;
    bad[2].height = 399;
    bad[3].stride = WIDTH - 1;
    bad[4].green_shift = 32;
    bad[5].stride = UINT32_MAX;
    for (unsigned i = 0; i < 6; i++) {
        framebuffer_offer(&bad[i]);
        text_mode_writes = 0;
        screen_start();
        CHECK(text_mode_writes == 80 * 25);
    }
}

static void test_emergency(void)
{
    framebuffer_offer(&good);
    screen_start();
    for (unsigned i = 0; i < 30; i++)
        screen_emergency_write('\n');
    screen_emergency_write('A');
    CHECK(pixel(24, 0, 0, 1) == 0xffffff && pixel(24, 0, 0, 0) == 0xaa0000);
    CHECK(pixel(0, 79, 0, 0) == 0xaa0000);
}

int main(void)
{
    for (unsigned i = 0; i <= FONT_LAST - FONT_FIRST; i++) {
        for (unsigned row = 0; row < CELL_HEIGHT; row++)
            small_rows[i * CELL_HEIGHT + row] =
                (uint16_t)(row == 0 ? i + FONT_FIRST : 0x80u * (i > 0));
    }
    test_cells();
    test_cursor();
    test_no_framebuffers();
    test_emergency();
    return check_report();
}
