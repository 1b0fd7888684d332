/* Screen, keyboard and serial line of the simulated PC: kept, so that a test
 * can look what a user would have seen. */
#include "core/machine.h"
#include "tests/sim/sim.h"
#include <stdio.h>
#include <string.h>

#define SERIAL_BYTES (1u << 20)
#define KEYS         64

static struct {
    struct machine_cell cells[MACHINE_ROWS][MACHINE_COLUMNS];
    unsigned cursor_row, cursor_column;
    char text[MACHINE_ROWS * (MACHINE_COLUMNS + 1) + 1];
    char serial[SERIAL_BYTES + 1];
    size_t serial_bytes;
    size_t line_start; /* of the serial line that is not complete */
    size_t emergency;  /* where the first emergency text begins */
    int keys[KEYS];
    unsigned key_in, key_out;
} state;

void machine_screen_write(unsigned row, unsigned column,
                          const struct machine_cell *cells, unsigned count)
{
    if (row >= MACHINE_ROWS || column >= MACHINE_COLUMNS ||
        count > MACHINE_COLUMNS - column)
        sim_fail("screen: %u cells at row %u, column %u", count, row, column);
    memcpy(&state.cells[row][column], cells, count * sizeof(*cells));
}

void machine_screen_cursor(unsigned row, unsigned column)
{
    state.cursor_row = row;
    state.cursor_column = column;
}

static void serial_put(char byte)
{
    if (byte == '\n') {
        sim_note("serial: %.*s", (int)(state.serial_bytes - state.line_start),
                 state.serial + state.line_start);
    }
    if (state.serial_bytes == SERIAL_BYTES) {
        memmove(state.serial, state.serial + SERIAL_BYTES / 2,
                SERIAL_BYTES / 2);
        state.serial_bytes = SERIAL_BYTES / 2;
        state.line_start = state.serial_bytes;
    }
    state.serial[state.serial_bytes++] = byte;
    state.serial[state.serial_bytes] = '\0';
    if (byte == '\n')
        state.line_start = state.serial_bytes;
}

size_t machine_serial_write(const void *bytes, size_t count)
{
    const char *from = bytes;

    for (size_t i = 0; i < count; i++)
        serial_put(from[i]);
    return count;
}

int machine_serial_read(void)
{
    return -1;
}

int machine_key_read(void)
{
    if (state.key_in == state.key_out)
        return KEY_NONE;
    return state.keys[state.key_out++ % KEYS];
}

void sim_console_key(int key)
{
    if (state.key_in - state.key_out == KEYS)
        sim_fail("console: too many keys at once");
    state.keys[state.key_in++ % KEYS] = key;
}

void machine_emergency_write(const char *text)
{
    if (state.emergency == 0)
        state.emergency = state.serial_bytes;
    machine_serial_write(text, strlen(text));
}

const char *sim_console_text(void)
{
    char *to = state.text;

    for (unsigned row = 0; row < MACHINE_ROWS; row++) {
        for (unsigned column = 0; column < MACHINE_COLUMNS; column++) {
            uint8_t c = state.cells[row][column].character;

            *to++ = c >= 32 && c < 127 ? (char)c : c == 0 ? ' ' : '#';
        }
        *to++ = '\n';
    }
    *to = '\0';
    return state.text;
}

bool sim_console_shows(const char *text)
{
    return strstr(sim_console_text(), text) != NULL;
}

bool sim_serial_has(const char *text)
{
    return strstr(state.serial, text) != NULL;
}

const char *sim_serial_text(void)
{
    return state.serial;
}

size_t sim_serial_mark(void)
{
    return state.emergency;
}
