/* Interrupts: they end machine_idle() and do nothing else.
 *
 * The processor takes interrupts only inside interrupt_idle(). A handler counts
 * the line and masks it; interrupt_idle() unmasks. Whoever wants to know
 * whether its device has spoken compares counts, so that no device register
 * needs to be read each turn. */
#ifndef DRIVERS_INTERRUPT_H
#define DRIVERS_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

#define INTERRUPT_LINES 16

/* interrupt_init - both 8259 away from the exceptions' vectors, all lines off.
 */
void interrupt_init(void);

/* interrupt_timer_init - finds what can end a sleep in time; after the clock
 * runs. */
void interrupt_timer_init(void);

/* interrupt_enable - the line ends machine_idle() from now on. level: it stays
 * asserted until its device is served, as PCI's do. Lines that do not exist
 * are ignored. */
void interrupt_enable(unsigned line, bool level);

/* interrupt_count - how often the line has ended a sleep. */
uint32_t interrupt_count(unsigned line);

/* interrupt_arrived - from the vector: counts, masks, acknowledges. */
void interrupt_arrived(unsigned vector);

/* interrupt_idle - sleeps until an enabled line speaks, or until a time of the
 * monotonic clock (UINT64_MAX: none), at the longest for one second. */
void interrupt_idle(uint64_t deadline_ns);

#endif
