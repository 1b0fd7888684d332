/* The clock's beginning; what it tells is in core/machine.h and drivers/io.h.
 */
#ifndef DRIVERS_CLOCK_H
#define DRIVERS_CLOCK_H

#include <stdint.h>

/* clock_init - finds out how fast the time stamp counter runs (at most 20 ms)
 * and reads the battery clock. */
void clock_init(void);

/* clock_poll - measures the rate again, once, after the first second. */
void clock_poll(void);

/* clock_source - what the rate was taken from, for people. */
const char *clock_source(void);
uint64_t clock_hz(void);

/* rtc_read_ms - the battery clock, as milliseconds since 1970-01-01; INT64_MIN
 * when it holds no valid time. */
int64_t rtc_read_ms(void);

/* rtc_write_ms - sets it, in the format it runs in. */
void rtc_write_ms(int64_t unix_ms);

#endif
