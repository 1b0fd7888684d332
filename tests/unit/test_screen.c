/* firmware/menu/screen: what the display shows and what a terminal on the
 * serial line shows are the same, however slow the line is; and keys. */
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include "core/machine.h"
#include "core/random.h"
#include "core/timer.h"
#include "menu/screen.h"
#include "menu/wrap.h"
#include <stdlib.h>
#include <string.h>

/* A terminal that knows the sequences which screen.c sends, and no others. */
static struct {
    char cells[MACHINE_ROWS][MACHINE_COLUMNS];
    unsigned row, column;
    char sequence[32];
    unsigned used;
    bool in_sequence;
    unsigned unknown;
} terminal;
static struct machine_cell display[MACHINE_ROWS][MACHINE_COLUMNS];
static size_t line_speed = SIZE_MAX;
static const char *typed = "";

static void end_sequence(void)
{
    unsigned row, column;

    terminal.sequence[terminal.used] = '\0';
    terminal.in_sequence = false;
    if (terminal.sequence[terminal.used - 1] == 'H' &&
        sscanf(terminal.sequence, "[%u;%uH", &row, &column) == 2) {
        terminal.row = row - 1;
        terminal.column = column - 1;
    } else if (strcmp(terminal.sequence, "[2J") == 0) {
        memset(terminal.cells, ' ', sizeof(terminal.cells));
    } else if (terminal.sequence[terminal.used - 1] != 'm' &&
               strncmp(terminal.sequence, "[?25", 4) != 0) {
        terminal.unknown++;
    }
}

static void terminal_byte(char byte)
{
    if (terminal.in_sequence) {
        terminal.sequence[terminal.used++] = byte;
        if (strchr("HJmhl", byte) != NULL)
            end_sequence();
    } else if (byte == 27) {
        terminal.in_sequence = true;
        terminal.used = 0;
    } else if (terminal.row < MACHINE_ROWS &&
               terminal.column < MACHINE_COLUMNS) {
        terminal.cells[terminal.row][terminal.column++] = byte;
    } else {
        terminal.unknown++;
    }
}

size_t machine_serial_write(const void *bytes, size_t count)
{
    size_t taken = count < line_speed ? count : line_speed;

    for (size_t i = 0; i < taken; i++)
        terminal_byte(((const char *)bytes)[i]);
    return taken;
}

void machine_screen_write(unsigned row, unsigned column,
                          const struct machine_cell *cells, unsigned count)
{
    memcpy(&display[row][column], cells, count * sizeof(*cells));
}

int machine_serial_read(void)
{
    return *typed != '\0' ? (unsigned char)*typed++ : -1;
}

static unsigned differences(void)
{
    unsigned count = 0;

    for (unsigned row = 0; row < MACHINE_ROWS; row++)
        for (unsigned column = 0; column < MACHINE_COLUMNS; column++)
            if (row != MACHINE_ROWS - 1 || column != MACHINE_COLUMNS - 1)
                count += display[row][column].character !=
                         (uint8_t)terminal.cells[row][column];
    return count;
}

static void draw_something(void)
{
    for (unsigned i = 0; i < 30; i++)
        screen_format(random_below(MACHINE_ROWS + 2), random_below(100),
                      (uint8_t)random_below(128), "%u text %u", random_u32(),
                      i);
    if (random_below(4) == 0)
        screen_bar(random_below(MACHINE_ROWS), SCREEN_TITLE, "a bar");
    if (random_below(10) == 0)
        screen_clear();
    screen_cursor(random_below(MACHINE_ROWS + 1), random_below(80));
}

static void test_mirror(void)
{
    for (unsigned round = 0; round < 300; round++) {
        unsigned turns = 0;

        line_speed = round % 3 == 0 ? SIZE_MAX : 1 + random_below(50);
        draw_something();
        if (random_below(20) == 0)
            screen_redraw();
        /* New things are drawn while the line is still busy. */
        while (screen_flush() && turns++ < 100000)
            if (turns < 1000 && random_below(200) == 0)
                draw_something();
        CHECK(turns < 100000);
        CHECK(differences() == 0);
    }
    CHECK(terminal.unknown == 0);
    line_speed = SIZE_MAX;
}

static void test_quiet(void)
{
    /* What has not changed is not sent again. */

    (void)screen_flush();
    line_speed = 0;
    CHECK(!screen_flush());
    line_speed = SIZE_MAX;
}

static bool shows(unsigned row, unsigned column, const char *text)
{
    for (; *text != '\0'; text++, column++)
        if (display[row][column].character != (uint8_t)*text)
            return false;
    return true;
}

/* What does not fit is marked; long lines go over several rows, and no
 * character of them is lost but the spaces where they are broken. */
static void test_long_lines(void)
{
    static const char words[] =
        "14:03:20 smtp: the first words of a line that is longer than one row "
        "of the screen, and then-a-word-that-is-far-too-long-to-be-kept-whole-"
        "in-one-row-of-the-screen-at-all end";

    screen_clear();
    screen_text(3, 70, SCREEN_NORMAL, "0123456789");
    screen_text(4, 70, SCREEN_NORMAL, "01234567890");
    screen_format(5, 0, SCREEN_NORMAL, "%0200d", 1);
    CHECK(wrap_rows("") == 1 && wrap_rows("short") == 1);
    CHECK(wrap_rows(words) == 3);
    wrap_draw(7, SCREEN_NORMAL, words);
    (void)screen_flush();
    CHECK(shows(3, 70, "0123456789"));
    CHECK(shows(4, 70, "0123456..."));
    CHECK(shows(5, 70, "0000000..."));
    CHECK(shows(7, 0,
                "14:03:20 smtp: the first words of a line that is longer "
                "than one row of the   "));
    CHECK(shows(8, 0, "         screen, and then-a-word-that-is-far-too-long"));
    CHECK(shows(9, 0, "         ") && shows(10, 0, "          "));
    /* Of every length, each row as full as it may be. */
    for (unsigned len = 1; len < 400; len++) {
        char text[401];

        memset(text, 'x', len);
        text[len] = '\0';
        CHECK(wrap_rows(text) == (len <= 80 ? 1 : 1 + (len - 80 + 70) / 71));
    }
}

static int one_key(const char *bytes)
{
    int key;

    typed = bytes;
    key = screen_key();
    CHECK(*typed == '\0');
    return key;
}

static void test_keys(void)
{
    CHECK(one_key("a") == 'a');
    CHECK(one_key("\r") == 13 && one_key("\n") == 13);
    CHECK(one_key("\177") == 8);
    CHECK(one_key("\033[A") == KEY_UP && one_key("\033OB") == KEY_DOWN);
    CHECK(one_key("\033[5~") == KEY_PAGE_UP);
    CHECK(one_key("\033[21~") == KEY_F10);
    CHECK(one_key("\014") == KEY_NONE); /* Ctrl-L: redraw */
    /* Esc alone is told by the silence behind it. */
    CHECK(one_key("\033") == KEY_NONE);
    fake_machine.now_ns += 100000000;
    (void)timer_run();
    CHECK(one_key("") == 27);
    /* A sequence may come in pieces; an unknown one is swallowed. */
    CHECK(one_key("\033") == KEY_NONE && one_key("[") == KEY_NONE);
    CHECK(one_key("D") == KEY_LEFT);
    typed = "\033[Zq";
    CHECK(screen_key() == 'q');
    /* Esc with a key right behind it: none of them is lost. */
    typed = "\033z\033\033[Aq";
    CHECK(screen_key() == 27 && screen_key() == 'z');
    CHECK(screen_key() == 27 && screen_key() == KEY_UP);
    CHECK(screen_key() == 'q');
}

int main(void)
{
    random_module_init();
    timer_module_init();
    screen_init();
    test_mirror();
    test_quiet();
    test_keys();
    test_long_lines();
    return check_report();
}
