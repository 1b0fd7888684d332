/* The parts of the console: serial line, text screen, keyboards. What the AO
 * uses of them is in core/machine.h. */
#ifndef DRIVERS_CONSOLE_CONSOLE_H
#define DRIVERS_CONSOLE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

/* console_init - serial line, screen and keyboard controller, in this order.
 */
void console_init(void);

/* console_poll - moves bytes and keys; true when anything was moved. */
bool console_poll(void);

void serial_init(void);
bool serial_poll(void);
/* serial_emergency_write - one character, waiting if need be. */
void serial_emergency_write(char character);

/* screen_start - finds the display and clears it. */
void screen_start(void);
/* screen_emergency_write - one character, on a screen of its own. */
void screen_emergency_write(char character);

void ps2_init(void);
bool ps2_poll(void);

/* keys_put - a keyboard's key (ASCII or enum machine_key) for
 * machine_key_read(); dropped when nobody reads. For every keyboard driver. */
void keys_put(int key);

#endif
