/* Dates in mail: RFC 5322 3.3 and 4.3, with the forms of RFC 850, asctime()
 * and ISO 8601 that are seen. Words are taken by what they look like, wherever
 * they stand; the weekday is not looked at. */
#include "core/date.h"
#include "mailstore/mime/mime_internal.h"
#include <string.h>

struct parsed {
    int year, month, day; /* 0: not yet */
    int hour, minute, second;
    int zone; /* minutes */
    bool time, zoned, year_first, pm, am;
};

/* RFC 5322 4.3, and those that are seen beside them. Letters of the military
 * zones mean nothing (same section), but for Z, which is 0 as well. */
static const struct {
    const char *name;
    int minutes;
} zones[] = {
    {"ut", 0},      {"gmt", 0},    {"utc", 0},    {"edt", -4 * 60},
    {"est", -300},  {"cdt", -300}, {"cst", -360}, {"mdt", -360},
    {"mst", -420},  {"pdt", -420}, {"pst", -480}, {"bst", 60},
    {"wet", 0},     {"west", 60},  {"met", 60},   {"cet", 60},
    {"mez", 60},    {"mest", 120}, {"cest", 120}, {"mesz", 120},
    {"eet", 120},   {"eest", 180}, {"msk", 180},  {"ist", 330},
    {"jst", 540},   {"kst", 540},  {"aest", 600}, {"aedt", 660},
    {"nzst", 720},  {"nzdt", 780}, {"hst", -600}, {"akst", -540},
    {"akdt", -480}, {"ast", -240}, {"adt", -180}, {"nst", -210},
    {"ndt", -150},
};

static int month_of(const char *text, size_t len)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (int i = 0; len >= 3 && i < 12; i++) {
        if (mime_lower(text[0]) == names[i * 3] &&
            mime_lower(text[1]) == names[i * 3 + 1] &&
            mime_lower(text[2]) == names[i * 3 + 2])
            return i + 1;
    }
    return 0;
}

/* Up to `most` digits; *at is moved behind them. Returns -1 when there are none
 * or more. */
static int digits(const char **at, const char *end, int most)
{
    int value = 0, count = 0;

    while (*at < end && mime_is_digit(**at)) {
        if (++count > most)
            return -1;
        value = value * 10 + *(*at)++ - '0';
    }
    return count > 0 ? value : -1;
}

/* +hhmm or -hhmm behind its sign, also hh:mm and hh. */
static bool take_offset(struct parsed *date, const char **at, const char *end,
                        bool minus)
{
    const char *start = *at;
    int value = digits(at, end, 4);
    bool short_form = *at - start <= 2;

    if (value < 0)
        return false;
    if (short_form && *at < end && **at == ':') {
        ++*at;
        value = value * 100 + digits(at, end, 2);
    } else if (short_form) {
        value *= 100;
    }
    value = value / 100 * 60 + value % 100;
    /* An offset that nowhere has means nothing, the date still does. */
    if (value <= 24 * 60)
        date->zone = minus ? -value : value;
    date->zoned = true;
    return true;
}

static void take_word(struct parsed *date, const char *text, size_t len)
{
    int month = month_of(text, len);

    /* "mar" is a month; "monday" is not read as one. */
    if (month > 0 && date->month == 0) {
        date->month = month;
        return;
    }
    date->pm |= date->time && mime_same(text, len, "pm");
    date->am |= date->time && mime_same(text, len, "am");
    if (!date->time || date->zoned)
        return;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        if (mime_same(text, len, zones[i].name)) {
            date->zone = zones[i].minutes;
            date->zoned = zones[i].minutes != 0;
        }
    }
}

/* A colon, perhaps with spaces around it (RFC 5322 4.3). */
static bool take_colon(const char **at, const char *end)
{
    const char *text = *at;

    while (text < end && mime_is_space(*text))
        text++;
    if (text == end || *text != ':')
        return false;
    do
        text++;
    while (text < end && mime_is_space(*text));
    *at = text;
    return true;
}

/* ":mm" and ":ss" behind the hour. */
static bool take_time(struct parsed *date, int hour, const char **at,
                      const char *end)
{
    date->hour = hour;
    date->minute = digits(at, end, 2);
    date->time = true;
    if (take_colon(at, end))
        date->second = digits(at, end, 2);
    if (*at + 1 < end && **at == '.' && mime_is_digit((*at)[1])) {
        ++*at;
        while (*at < end && mime_is_digit(**at))
            ++*at;
    }
    return date->minute >= 0 && date->second >= 0;
}

static int full_year(int year, int count)
{
    if (count == 2)
        return year < 50 ? 2000 + year : 1900 + year;
    return count == 3 ? 1900 + year : year;
}

static bool take_number(struct parsed *date, const char **at, const char *end)
{
    const char *start = *at;
    int value = digits(at, end, 4);
    int count = (int)(*at - start);

    if (value < 0)
        return false;
    if (!date->time && count <= 2 && take_colon(at, end))
        return take_time(date, value, at, end);
    if (count == 4 && date->year == 0) {
        date->year = value;
        date->year_first = date->day == 0;
    } else if (date->year_first && date->month == 0) {
        date->month = value;
    } else if (date->day == 0) {
        date->day = value;
    } else if (date->year == 0) {
        date->year = full_year(value, count);
    }
    return true;
}

static bool take_item(struct parsed *date, const char **at, const char *end)
{
    const char *start = *at;

    if (mime_is_letter(*start)) {
        while (*at < end && mime_is_letter(**at))
            ++*at;
        take_word(date, start, (size_t)(*at - start));
        return true;
    }
    if (mime_is_digit(*start))
        return take_number(date, at, end);
    ++*at;
    if ((*start == '+' || *start == '-') && date->time && !date->zoned &&
        *at < end && mime_is_digit(**at))
        return take_offset(date, at, end, *start == '-');
    if (*start == '(') { /* a comment; RFC 5322 zones stand before it */
        while (*at < end && **at != ')')
            ++*at;
    }
    return true;
}

static bool is_sound(const struct parsed *date)
{
    return date->year >= 1900 && date->month >= 1 && date->month <= 12 &&
           date->day >= 1 && date->day <= 31 && date->hour <= 24 &&
           date->minute < 60 && date->second <= 60;
}

bool mime_date(struct mime_span value, int64_t *unix_ms, int *zone)
{
    struct parsed date = {0};
    struct date utc = {0};
    const char *at = value.text;
    const char *end = value.text + (value.len < 200 ? value.len : 200);

    while (at < end) {
        if (!take_item(&date, &at, end))
            return false;
    }
    if (date.pm && date.hour < 12)
        date.hour += 12;
    if (date.am && date.hour == 12)
        date.hour = 0;
    if (!is_sound(&date))
        return false;
    utc.year = date.year;
    utc.month = date.month;
    utc.day = date.day;
    utc.hour = date.hour;
    utc.minute = date.minute;
    utc.second = date.second;
    *unix_ms = date_to_unix(&utc) - date.zone * INT64_C(60000);
    *zone = date.zone;
    return true;
}
