/* Unix time as a date in UTC, for logs and screens. */
#ifndef CORE_DATE_H
#define CORE_DATE_H

#include <stdint.h>

struct date {
    int year;
    int month, day; /* from 1 */
    int hour, minute, second, millisecond;
};

/* date_of - the date of a Unix time in ms; times before 1970 or after 9999 are
 * moved to that end. */
void date_of(int64_t unix_ms, struct date *date);

/* date_days - days from 1970-01-01 to a date; month and day from 1. */
int64_t date_days(int year, int month, int day);

/* date_to_unix - the Unix time in ms of a date in UTC, whose year is 0 to 9999
 * and month 1 to 12; a day or time that is too large runs over into the next.
 */
int64_t date_to_unix(const struct date *date);

/* Longest text of the functions below, with NUL. */
#define DATE_TEXT_BYTES 25

/* date_format - "2026-11-26 13:05:01". date_format_rfc3339 - with milliseconds:
 * "2026-11-26T13:05:01.123Z". text: DATE_TEXT_BYTES. Both return text. */
char *date_format(int64_t unix_ms, char *text);
char *date_format_rfc3339(int64_t unix_ms, char *text);

#endif
