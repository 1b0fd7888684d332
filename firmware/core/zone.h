/* The time zone of people: what is shown on screen and stands in Date and
 * Received lines. Everything inside counts in UTC.
 *
 * A zone is set by an offset east of UTC ("+2", "-03:30"), by the name of a
 * place ("Europe/Berlin", or just "Berlin"), or by a POSIX rule ("CET-1CEST,
 * M3.5.0,M10.5.0/3"; IEEE 1003.1, 8.3, with the hours beyond a day that the
 * time zone database has in such rules). "" and "UTC" are UTC.
 *
 * Not supported: rules of the past, when a place has changed its rule; seconds
 * in an offset, which nobody has any more. */
#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

/* Longest abbreviation with NUL ("CEST", "+0530"). */
#define ZONE_NAME_BYTES 8

/* zone_valid - whether zone_set() would take the text. */
bool zone_valid(const char *text);

/* zone_set - from now on; a text that is not valid changes nothing.
 * Returns whether it was. UTC before the first call. */
bool zone_set(const char *text);

/* zone_offset_minutes - how far local time is ahead of UTC at a Unix time. */
int zone_offset_minutes(int64_t unix_ms);

/* zone_name - what it is called then: "UTC", "CEST", "+02". */
const char *zone_name(int64_t unix_ms);

/* zone_local_ms - local time as if it were UTC: for date_of(). */
int64_t zone_local_ms(int64_t unix_ms);

/* zone_unix_ms - back again. Of a local time that occurs twice one is taken, of
 * one that is left out the one an hour on. */
int64_t zone_unix_ms(int64_t local_ms);

/* zone_place - the index-th name of a place that zone_set() knows, with its
 * length; NULL behind the last. They are not terminated. */
const char *zone_place(unsigned index, unsigned *len);

#endif
