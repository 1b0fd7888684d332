/* The grid of cells, its way to the display and to the serial console. */
#include "menu/screen.h"
#include "core/machine.h"
#include "core/timer.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CTRL_L 12
/* Dots at the end of a row that could not show everything. */
#define CUT_MARK 3
/* Longest run of cells that is sent to the serial line in one piece. */
#define RUN_CELLS 40
/* A lone Esc is told from an escape sequence by the silence behind it. */
#define ESCAPE_MS 50

typedef struct machine_cell grid[MACHINE_ROWS][MACHINE_COLUMNS];

static struct {
    grid wanted;
    grid display; /* what is on the screen */
    grid serial;  /* what the terminal shows */
    unsigned cursor_row, cursor_column;
    unsigned terminal_cursor_row, terminal_cursor_column;
    uint8_t terminal_attribute;
    char pending[512]; /* bytes the serial line has not taken yet */
    size_t pending_from, pending_to;
    bool terminal_reset;
    char escape[8]; /* an escape sequence that has begun */
    unsigned escape_used;
    uint64_t escape_ms;
    int held; /* a byte that comes after an Esc that stands alone; 0: none */
} state;

/* Cells that no page ever wants, so that all differ. */
static void forget(grid cells)
{
    memset(cells, 0xff, sizeof(grid));
}

void screen_init(void)
{
    memset(&state, 0, sizeof(state));
    state.cursor_row = MACHINE_ROWS;
    forget(state.display);
    screen_clear();
    screen_redraw();
}

void screen_clear(void)
{
    for (unsigned row = 0; row < MACHINE_ROWS; row++)
        screen_bar(row, SCREEN_NORMAL, "");
}

void screen_text(unsigned row, unsigned column, uint8_t attribute,
                 const char *text)
{
    bool cut = column + strlen(text) > MACHINE_COLUMNS;

    if (row >= MACHINE_ROWS)
        return;
    for (; *text != '\0' && column < MACHINE_COLUMNS; text++, column++) {
        uint8_t character = (uint8_t)*text;

        if (character < ' ' || character > '~')
            character = '?';
        if (cut && column >= MACHINE_COLUMNS - CUT_MARK)
            character = '.';
        state.wanted[row][column].character = character;
        state.wanted[row][column].attribute = attribute;
    }
}

void screen_format(unsigned row, unsigned column, uint8_t attribute,
                   const char *format, ...)
{
    char text[MACHINE_COLUMNS + 2]; /* so that it is seen to be too long */
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    screen_text(row, column, attribute, text);
}

void screen_bar(unsigned row, uint8_t attribute, const char *text)
{
    for (unsigned column = 0; column < MACHINE_COLUMNS; column++) {
        state.wanted[row][column].character = ' ';
        state.wanted[row][column].attribute = attribute;
    }
    screen_text(row, 0, attribute, text);
}

void screen_cursor(unsigned row, unsigned column)
{
    state.cursor_row = row;
    state.cursor_column = column;
}

void screen_redraw(void)
{
    state.terminal_reset = true;
}

/* ---- To the display and to the terminal ---------------------------------- */

static bool same(const struct machine_cell *a, const struct machine_cell *b)
{
    return a->character == b->character && a->attribute == b->attribute;
}

static void flush_display(void)
{
    for (unsigned row = 0; row < MACHINE_ROWS; row++) {
        if (memcmp(state.display[row], state.wanted[row],
                   sizeof(state.wanted[row])) == 0)
            continue;
        machine_screen_write(row, 0, state.wanted[row], MACHINE_COLUMNS);
        memcpy(state.display[row], state.wanted[row],
               sizeof(state.wanted[row]));
    }
    machine_screen_cursor(state.cursor_row, state.cursor_column);
}

/* Gives the serial line what waits for it; true when all is gone. */
static bool drain(void)
{
    state.pending_from +=
        machine_serial_write(state.pending + state.pending_from,
                             state.pending_to - state.pending_from);
    if (state.pending_from < state.pending_to)
        return false;
    state.pending_from = state.pending_to = 0;
    return true;
}

static void send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Appends to what is pending, which drain() has emptied before: one run with
 * its escape sequences is far shorter than the buffer. */
static void send(const char *format, ...)
{
    size_t room = sizeof(state.pending) - state.pending_to;
    va_list arguments;
    int used;

    va_start(arguments, format);
    used = vsnprintf(state.pending + state.pending_to, room, format, arguments);
    va_end(arguments);
    if (used > 0)
        state.pending_to += (size_t)used < room ? (size_t)used : room - 1;
}

/* SGR (ECMA-48 8.3.117) for a VGA attribute. */
static void send_attribute(uint8_t attribute)
{
    static const char ansi[] = "04261537"; /* VGA's colour order is BGR */
    char foreground = ansi[attribute & 7];
    char background = ansi[attribute >> 4 & 7];

    if (state.terminal_attribute == attribute)
        return;
    state.terminal_attribute = attribute;
    send("\033[0;%s3%c;4%cm", attribute & 8 ? "1;" : "", foreground,
         background);
}

/* Sends one run of changed cells of a row; returns false when none differs. */
static bool send_run(unsigned row)
{
    struct machine_cell *shown = state.serial[row];
    const struct machine_cell *wanted = state.wanted[row];
    /* Writing the last cell of the last row would scroll some terminals. */
    unsigned end = MACHINE_COLUMNS - (row == MACHINE_ROWS - 1 ? 1 : 0);
    unsigned column = 0;
    unsigned sent = 0;

    while (column < end && same(&shown[column], &wanted[column]))
        column++;
    if (column == end)
        return false;
    send("\033[%u;%uH", row + 1, column + 1);
    send_attribute(wanted[column].attribute);
    while (column < end && sent < RUN_CELLS &&
           wanted[column].attribute == state.terminal_attribute &&
           !same(&shown[column], &wanted[column])) {
        send("%c", wanted[column].character);
        shown[column] = wanted[column];
        column++;
        sent++;
    }
    state.terminal_cursor_row = MACHINE_ROWS + 1; /* somewhere else now */
    return true;
}

static void send_cursor(void)
{
    if (state.terminal_cursor_row == state.cursor_row &&
        state.terminal_cursor_column == state.cursor_column)
        return;
    state.terminal_cursor_row = state.cursor_row;
    state.terminal_cursor_column = state.cursor_column;
    if (state.cursor_row < MACHINE_ROWS)
        send("\033[%u;%uH\033[?25h", state.cursor_row + 1,
             state.cursor_column + 1);
    else
        send("\033[?25l");
}

static void reset_terminal(void)
{
    state.terminal_reset = false;
    state.terminal_attribute = 0xff;
    state.terminal_cursor_row = MACHINE_ROWS + 1;
    forget(state.serial);
    send("\033[0m\033[2J");
}

/* Returns false when the serial line could not take everything. */
static bool flush_serial(void)
{
    if (!drain())
        return false;
    if (state.terminal_reset)
        reset_terminal();
    for (unsigned row = 0; row < MACHINE_ROWS; row++)
        while (send_run(row))
            if (!drain())
                return false;
    send_cursor();
    return drain();
}

bool screen_flush(void)
{
    flush_display();
    return !flush_serial();
}

/* ---- Keys ------------------------------------------------------------------
 */

/* Escape sequences of VT100 and xterm terminals, without their Esc. */
static const struct {
    const char *text;
    int key;
} sequences[] = {
    {"[A", KEY_UP},      {"[B", KEY_DOWN},       {"[C", KEY_RIGHT},
    {"[D", KEY_LEFT},    {"OA", KEY_UP},         {"OB", KEY_DOWN},
    {"OC", KEY_RIGHT},   {"OD", KEY_LEFT},       {"[H", KEY_HOME},
    {"[F", KEY_END},     {"[1~", KEY_HOME},      {"[4~", KEY_END},
    {"[2~", KEY_INSERT}, {"[3~", KEY_DELETE},    {"[5~", KEY_PAGE_UP},
    {"OH", KEY_HOME},    {"[6~", KEY_PAGE_DOWN}, {"OF", KEY_END},
    {"OP", KEY_F1},      {"OQ", KEY_F2},         {"OR", KEY_F3},
    {"OS", KEY_F4},      {"[15~", KEY_F5},       {"[17~", KEY_F6},
    {"[18~", KEY_F7},    {"[19~", KEY_F8},       {"[20~", KEY_F9},
    {"[21~", KEY_F10},
};

/* What the sequence so far is: a key, KEY_NONE when it may become one, or -1
 * when it cannot. */
static int match_sequence(void)
{
    int result = -1;

    for (unsigned i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        if (strncmp(sequences[i].text, state.escape, state.escape_used) != 0)
            continue;
        if (sequences[i].text[state.escape_used] == '\0')
            return sequences[i].key;
        result = KEY_NONE;
    }
    return result;
}

/* One byte from the terminal; returns a key or KEY_NONE. */
static int decode(int byte)
{
    static const int escape = 27;

    if (state.escape_ms != 0) {
        int key;

        state.escape[state.escape_used++] = (char)byte;
        key = match_sequence();
        if (key != KEY_NONE)
            state.escape_ms = 0;
        /* No sequence begins like this: two keys, typed fast. */
        if (key < 0 && state.escape_used == 1) {
            state.held = byte;
            return escape;
        }
        return key > 0 ? key : KEY_NONE;
    }
    if (byte == escape) {
        state.escape_ms = timer_now_ms() + 1;
        state.escape_used = 0;
        return KEY_NONE;
    }
    if (byte == 127)
        return 8;
    return byte == '\n' ? 13 : byte;
}

static int next_byte(void)
{
    int byte = state.held;

    state.held = 0;
    return byte != 0 ? byte : machine_serial_read();
}

static int serial_key(void)
{
    int byte;

    while ((byte = next_byte()) >= 0) {
        int key = decode(byte);

        if (key != KEY_NONE)
            return key;
    }
    if (state.escape_ms != 0 && state.escape_used == 0 &&
        timer_now_ms() > state.escape_ms + ESCAPE_MS) {
        state.escape_ms = 0;
        return 27;
    }
    return KEY_NONE;
}

int screen_key(void)
{
    int key = machine_key_read();

    if (key == KEY_NONE)
        key = serial_key();
    if (key != CTRL_L)
        return key;
    screen_redraw();
    return KEY_NONE;
}
