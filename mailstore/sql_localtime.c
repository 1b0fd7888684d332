/* 'localtime' of SQLite's date functions (sqlite.org/lang_datefunc.html).
 *
 * SQLite is compiled to call this where it would call localtime_r() of a C
 * library: the bare machine's knows no zone, the setting does. */
#include "core/date.h"
#include "core/zone.h"
#include "mailstore/sql_internal.h"

struct tm *sql_localtime_r(const time_t *seconds, struct tm *local)
{
    struct date date;

    date_of(zone_local_ms((int64_t)*seconds * 1000), &date);
    *local = (struct tm){
        .tm_year = date.year - 1900,
        .tm_mon = date.month - 1,
        .tm_mday = date.day,
        .tm_hour = date.hour,
        .tm_min = date.minute,
        .tm_sec = date.second,
    };
    return local;
}
