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

/* interrupt_enable - the line ends machine_idle() from now on. */
void interrupt_enable(unsigned line);

/* interrupt_enable_pci - the same for a PCI function's line, which stays
 * asserted until its device is served. When the firmware has routed it nowhere
 * (0, or above 15), sleeps become short instead. */
void interrupt_enable_pci(unsigned line);

/* interrupt_distrust - devices speak and no line is heard: sleeps become short
 * from now on, and devices are found out by looking. */
void interrupt_distrust(void);

/* interrupt_count - how often the line has ended a sleep. */
uint32_t interrupt_count(unsigned line);

/* interrupt_arrived - from the vector: counts, masks, acknowledges. */
void interrupt_arrived(unsigned vector);

/* interrupt_idle - sleeps until an enabled line speaks, or until a time of the
 * monotonic clock (UINT64_MAX: none), at the longest for one second.
 * Returns whether a line spoke. */
bool interrupt_idle(uint64_t deadline_ns);

#endif
