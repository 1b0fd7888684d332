/* The few facts that the AO takes from ACPI (ACPI 6.4, chapter 5): power timer,
 * reset register, how to switch off, the power button, century register of the
 * battery clock.
 * Every table is checked for length and sum before it is believed. */
#ifndef DRIVERS_ACPI_H
#define DRIVERS_ACPI_H

#include <stdbool.h>
#include <stdint.h>

/* acpi_offer - where the firmware has its root pointer (RSDP), for firmware
 * that tells it; before any of the others. */
void acpi_offer(uint64_t rsdp);

/* All of these read the tables when they are first called, and answer 0 or
 * false when there are none, where nothing else is said. */

/* acpi_timer_port - I/O port of the 3.58 MHz timer, 0: none. */
uint16_t acpi_timer_port(void);

/* acpi_century_register - CMOS index of the century, 0: there is none (5.2.9).
 * Without tables it is where IBM put it. */
uint8_t acpi_century_register(void);

/* acpi_reset - writes the reset register, if there is one. */
void acpi_reset(void);

/* acpi_power_off - enters sleep state S5; returns when that did not work. */
void acpi_power_off(void);

/* acpi_power_button - whether the power button was pressed since the last call.
 * The first call takes the button over from the firmware, which takes a moment;
 * presses count from then on. Only the button that the tables call a fixed one
 * is known; any other needs AML. Does not wait. */
bool acpi_power_button(void);

/* acpi_has_keyboard_controller - false only when the tables deny an 8042. */
bool acpi_has_keyboard_controller(void);

#endif
