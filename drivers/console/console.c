/* The console's parts together, and the queue of keys between keyboards and
 * machine_key_read(). */
#include "drivers/console/console.h"
#include "core/machine.h"

#define KEYS 64u

static struct console_state {
    uint16_t keys[KEYS];
    unsigned head, tail; /* free running: taken, put */
} state;

void console_init(void)
{
    serial_init();
    screen_start();
    ps2_init();
}

bool console_poll(void)
{
    const bool serial = serial_poll();

    return ps2_poll() || serial;
}

void keys_put(int key)
{
    if (key <= KEY_NONE || key > KEY_F12 || state.tail - state.head == KEYS)
        return;
    state.keys[state.tail++ % KEYS] = (uint16_t)key;
}

int machine_key_read(void)
{
    if (state.head == state.tail)
        return KEY_NONE;
    return state.keys[state.head++ % KEYS];
}

void machine_emergency_write(const char *text)
{
    for (; *text != '\0'; text++) {
        screen_emergency_write(*text);
        serial_emergency_write(*text);
    }
}
