/* The report of a failure: line by line on the serial line, on the screen as
 * far as it has room, and into memory that a restart leaves alone. */
#ifndef BOOT_REPORT_H
#define BOOT_REPORT_H

#include "drivers/memory_map.h"
#include <stdbool.h>
#include <stdint.h>

/* report_init - takes the place where a report outlives a restart out of the
 * map, and reads what an AO before this one has left there. After
 * paging_init(). */
void report_init(struct memory_map *map);

/* A line is put together from these; what makes it too long is left out. */
void report_text(const char *text);
void report_number(uint64_t value);
void report_hex(uint64_t value, unsigned digits);

/* report_line - ends the line. on_screen: it is one of those that the screen
 * has rows for; wider ones are cut there. */
void report_line(bool on_screen);

/* report_rows_left - of the screen. */
unsigned report_rows_left(void);

#endif
