/* Dates: days since 1970 taken apart into 400-year spans of the Gregorian
 * calendar, within which years are counted from March on, so that the day of
 * the leap year is the last one. */
#include "core/date.h"
#include <stdio.h>

#define DAY_MS    INT64_C(86400000)
#define SPAN_DAYS 146097 /* 400 years */
/* From 1 March of the year 0 to 1 January 1970. */
#define EPOCH_DAYS 719468
/* The last millisecond of 9999. */
#define LAST_MS INT64_C(253402300799999)

static void take_days(int64_t days, struct date *date)
{
    int day, year, from_march;
    int span = (int)((days + EPOCH_DAYS) / SPAN_DAYS);
    int in_span = (int)((days + EPOCH_DAYS) % SPAN_DAYS);

    /* Leap days are taken out: the last of 4, of 100, of 400 years. */
    year = (in_span - in_span / 1460 + in_span / 36524 -
            in_span / (SPAN_DAYS - 1)) /
           365;
    day = in_span - (365 * year + year / 4 - year / 100);
    /* Months from March on are 31, 30, 31, 30, 31 days long, and again. */
    from_march = (5 * day + 2) / 153;
    date->day = day - (153 * from_march + 2) / 5 + 1;
    date->month = from_march < 10 ? from_march + 3 : from_march - 9;
    date->year = span * 400 + year + (date->month <= 2);
}

int64_t date_days(int year, int month, int day)
{
    const int from_march = month > 2 ? month - 3 : month + 9;
    const int64_t years = month > 2 ? year : year - 1;

    return years * 365 + years / 4 - years / 100 + years / 400 +
           (153 * from_march + 2) / 5 + day - 1 - EPOCH_DAYS;
}

void date_of(int64_t unix_ms, struct date *date)
{
    int ms;

    if (unix_ms < 0)
        unix_ms = 0;
    if (unix_ms > LAST_MS)
        unix_ms = LAST_MS;
    take_days(unix_ms / DAY_MS, date);
    ms = (int)(unix_ms % DAY_MS);
    date->millisecond = ms % 1000;
    date->second = ms / 1000 % 60;
    date->minute = ms / 60000 % 60;
    date->hour = ms / 3600000;
}

int64_t date_to_unix(const struct date *date)
{
    const int64_t days = date_days(date->year, date->month, date->day);

    return days * DAY_MS + date->hour * INT64_C(3600000) +
           date->minute * INT64_C(60000) + date->second * INT64_C(1000) +
           date->millisecond;
}

char *date_format(int64_t unix_ms, char *text)
{
    struct date date;

    date_of(unix_ms, &date);
    (void)snprintf(text, DATE_TEXT_BYTES, "%04d-%02d-%02d %02d:%02d:%02d",
                   date.year, date.month, date.day, date.hour, date.minute,
                   date.second);
    return text;
}

char *date_format_rfc3339(int64_t unix_ms, char *text)
{
    struct date date;

    date_of(unix_ms, &date);
    (void)snprintf(text, DATE_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                   date.year, date.month, date.day, date.hour, date.minute,
                   date.second, date.millisecond);
    return text;
}
