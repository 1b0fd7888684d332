/* Time zones: a parser of POSIX rules, the rules of common places, and whether
 * it is summer there. */
#include "core/zone.h"
#include "core/date.h"
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define MINUTE_MS  INT64_C(60000)
#define DAY_MS     INT64_C(86400000)
#define HOURS_MAX  167 /* of a time of day in a rule */
#define OFFSET_MAX (26 * 60)
#define TEXT_BYTES 64
#define NAME_LEAST 3
#define THURSDAY   4 /* 1 January 1970 */

/* When summer begins or ends. */
struct change {
    char kind; /* 'M': week and day of a month; 'J': day 1-365, never 29
                  February; 'N': day 0-365 */
    int month, week, day;
    int minute; /* of the day, by the clock that was valid so far */
};

struct zone {
    char names[2][ZONE_NAME_BYTES]; /* winter's, summer's */
    int minutes[2];                 /* ahead of UTC */
    bool has_summer;
    struct change begin, end;
};

static struct zone state = {.names = {"UTC", ""}};

/* Rules as of version 2026b of the time zone database, and where they hold. */
static const struct {
    const char *rule;
    const char *places; /* with single spaces between */
} rules[] = {
    {"GMT0", "Africa/Accra Atlantic/Reykjavik"},
    {"GMT0BST,M3.5.0/1,M10.5.0", "Europe/London"},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "Europe/Dublin"},
    {"WET0WEST,M3.5.0/1,M10.5.0", "Europe/Lisbon"},
    {"<-01>1<+00>,M3.5.0/0,M10.5.0/1", "Atlantic/Azores"},
    {"CET-1CEST,M3.5.0,M10.5.0/3",
     "Europe/Berlin Europe/Amsterdam Europe/Belgrade Europe/Bratislava "
     "Europe/Brussels Europe/Budapest Europe/Copenhagen Europe/Ljubljana "
     "Europe/Luxembourg Europe/Madrid Europe/Malta Europe/Oslo Europe/Paris "
     "Europe/Prague Europe/Rome Europe/Sarajevo Europe/Skopje "
     "Europe/Stockholm Europe/Tirane Europe/Vienna Europe/Warsaw "
     "Europe/Zagreb Europe/Zurich"},
    {"EET-2EEST,M3.5.0/3,M10.5.0/4",
     "Europe/Athens Europe/Bucharest Europe/Helsinki Europe/Kyiv Europe/Riga "
     "Europe/Sofia Europe/Tallinn Europe/Vilnius Europe/Chisinau "
     "Asia/Nicosia"},
    {"EET-2EEST,M3.5.0/0,M10.5.0/0", "Asia/Beirut"},
    {"EET-2EEST,M4.5.5/0,M10.5.4/24", "Africa/Cairo"},
    {"MSK-3", "Europe/Moscow"},
    {"<+03>-3", "Europe/Istanbul Europe/Minsk Asia/Baghdad Asia/Riyadh"},
    {"CET-1", "Africa/Tunis Africa/Algiers"},
    {"WAT-1", "Africa/Lagos"},
    {"SAST-2", "Africa/Johannesburg"},
    {"EAT-3", "Africa/Nairobi"},
    {"IST-2IDT,M3.4.4/26,M10.5.0", "Asia/Jerusalem"},
    {"<+0330>-3:30", "Asia/Tehran"},
    {"<+04>-4", "Asia/Dubai Asia/Baku Asia/Tbilisi Asia/Yerevan"},
    {"<+0430>-4:30", "Asia/Kabul"},
    {"PKT-5", "Asia/Karachi"},
    {"<+05>-5", "Asia/Tashkent Asia/Almaty"},
    {"IST-5:30", "Asia/Kolkata"},
    {"<+0530>-5:30", "Asia/Colombo"},
    {"<+0545>-5:45", "Asia/Kathmandu"},
    {"<+06>-6", "Asia/Dhaka"},
    {"<+0630>-6:30", "Asia/Yangon"},
    {"<+07>-7", "Asia/Bangkok Asia/Ho_Chi_Minh"},
    {"WIB-7", "Asia/Jakarta"},
    {"<+08>-8", "Asia/Singapore Asia/Kuala_Lumpur"},
    {"CST-8", "Asia/Shanghai Asia/Taipei"},
    {"HKT-8", "Asia/Hong_Kong"},
    {"PST-8", "Asia/Manila"},
    {"JST-9", "Asia/Tokyo"},
    {"KST-9", "Asia/Seoul"},
    {"AWST-8", "Australia/Perth"},
    {"ACST-9:30", "Australia/Darwin"},
    {"ACST-9:30ACDT,M10.1.0,M4.1.0/3", "Australia/Adelaide"},
    {"AEST-10", "Australia/Brisbane"},
    {"AEST-10AEDT,M10.1.0,M4.1.0/3",
     "Australia/Sydney Australia/Melbourne Australia/Hobart"},
    {"<+10>-10", "Pacific/Port_Moresby"},
    {"ChST-10", "Pacific/Guam"},
    {"NZST-12NZDT,M9.5.0,M4.1.0/3", "Pacific/Auckland"},
    {"<+12>-12", "Pacific/Fiji"},
    {"<+13>-13", "Pacific/Tongatapu"},
    {"HST10", "Pacific/Honolulu"},
    {"AKST9AKDT,M3.2.0,M11.1.0", "America/Anchorage"},
    {"PST8PDT,M3.2.0,M11.1.0", "America/Los_Angeles"},
    {"MST7MDT,M3.2.0,M11.1.0", "America/Denver America/Edmonton"},
    {"MST7", "America/Phoenix America/Vancouver"},
    {"CST6CDT,M3.2.0,M11.1.0", "America/Chicago America/Winnipeg"},
    {"CST6", "America/Mexico_City America/Guatemala"},
    {"EST5EDT,M3.2.0,M11.1.0", "America/New_York America/Toronto"},
    {"EST5", "America/Panama"},
    {"CST5CDT,M3.2.0/0,M11.1.0/1", "America/Havana"},
    {"AST4ADT,M3.2.0,M11.1.0", "America/Halifax"},
    {"AST4", "America/Puerto_Rico"},
    {"NST3:30NDT,M3.2.0,M11.1.0", "America/St_Johns"},
    {"<-05>5", "America/Bogota America/Lima"},
    {"<-04>4", "America/Caracas America/La_Paz"},
    {"<-04>4<-03>,M9.1.6/24,M4.1.6/24", "America/Santiago"},
    {"<-03>3", "America/Sao_Paulo America/Argentina/Buenos_Aires "
               "America/Montevideo America/Asuncion"},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

/* ---- Places ---------------------------------------------------------------
 */

/* "Europe/Berlin" is meant by that and by what stands behind its last "/";
 * a space may be typed for "_". */
static bool place_is(const char *place, size_t len, const char *text)
{
    const size_t wanted = strlen(text);

    if (wanted == 0 || wanted > len ||
        (wanted < len && place[len - wanted - 1] != '/'))
        return false;
    place += len - wanted;
    for (size_t i = 0; i < wanted; i++) {
        const char typed = text[i] == ' ' ? '_' : text[i];

        if (strncasecmp(place + i, &typed, 1) != 0)
            return false;
    }
    return memchr(place, '/', wanted) == NULL || wanted == len;
}

static const char *rule_of_place(const char *text)
{
    for (size_t i = 0; i < RULES; i++) {
        const char *place = rules[i].places;

        while (*place != '\0') {
            const size_t len = strcspn(place, " ");

            if (place_is(place, len, text))
                return rules[i].rule;
            place += len + (place[len] == ' ');
        }
    }
    return NULL;
}

const char *zone_place(unsigned index, unsigned *len)
{
    for (size_t i = 0; i < RULES; i++) {
        const char *place = rules[i].places;

        for (; *place != '\0'; place += *len + (place[*len] == ' ')) {
            *len = (unsigned)strcspn(place, " ");
            if (index-- == 0)
                return place;
        }
    }
    return NULL;
}

/* ---- Reading a rule -------------------------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number of at most three digits, up to most. */
static bool take_number(const char **text, int most, int *value)
{
    int digits = 0;

    for (*value = 0; digits < 3 && is_digit(**text); digits++, (*text)++)
        *value = *value * 10 + (**text - '0');
    return digits > 0 && *value <= most;
}

/* [+-]hh[:mm[:ss]], in minutes. */
static bool take_time(const char **text, int hours_max, int *minutes)
{
    const bool negative = **text == '-';
    int hours, part = 0, seconds;

    if (**text == '-' || **text == '+')
        (*text)++;
    if (!take_number(text, hours_max, &hours))
        return false;
    if (**text == ':') {
        (*text)++;
        if (!take_number(text, 59, &part))
            return false;
    }
    if (**text == ':') {
        (*text)++;
        if (!take_number(text, 59, &seconds))
            return false;
    }
    *minutes = hours * 60 + part;
    if (negative)
        *minutes = -*minutes;
    return true;
}

/* Letters, or anything of letters, digits and signs in angle brackets. */
static bool take_name(const char **text, char name[ZONE_NAME_BYTES])
{
    const bool quoted = **text == '<';
    const char *from = *text + quoted;
    size_t len = strspn(from, quoted ? "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "abcdefghijklmnopqrstuvwxyz0123456789+-"
                                     : "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "abcdefghijklmnopqrstuvwxyz");

    if (len < NAME_LEAST || len >= ZONE_NAME_BYTES ||
        (quoted && from[len] != '>'))
        return false;
    memcpy(name, from, len);
    name[len] = '\0';
    *text = from + len + quoted;
    return true;
}

static bool take_day(const char **text, struct change *change)
{
    change->kind = **text;
    if (change->kind == 'J') {
        (*text)++;
        return take_number(text, 365, &change->day) && change->day >= 1;
    }
    if (change->kind != 'M') {
        change->kind = 'N';
        return take_number(text, 365, &change->day);
    }
    (*text)++;
    if (!take_number(text, 12, &change->month) || change->month == 0 ||
        *(*text)++ != '.' || !take_number(text, 5, &change->week) ||
        change->week == 0 || *(*text)++ != '.')
        return false;
    return take_number(text, 6, &change->day);
}

static bool take_change(const char **text, struct change *change)
{
    if (*(*text)++ != ',' || !take_day(text, change))
        return false;
    change->minute = 120;
    if (**text != '/')
        return true;
    (*text)++;
    return take_time(text, HOURS_MAX, &change->minute);
}

/* Its signs are the other way round: west of UTC is positive. */
static bool parse_rule(const char *text, struct zone *zone)
{
    int west;

    if (!take_name(&text, zone->names[0]) || !take_time(&text, 24, &west))
        return false;
    zone->minutes[0] = -west;
    zone->minutes[1] = -west + 60;
    zone->has_summer = *text != '\0';
    if (!zone->has_summer)
        return true;
    if (!take_name(&text, zone->names[1]))
        return false;
    if (*text != ',') {
        if (!take_time(&text, 24, &west))
            return false;
        zone->minutes[1] = -west;
    }
    return take_change(&text, &zone->begin) && take_change(&text, &zone->end) &&
           *text == '\0';
}

/* "+2", "-03:30", "+0530". */
static bool parse_offset(const char *text, struct zone *zone)
{
    const char *at = text;
    const size_t digits = strspn(text + 1, "0123456789");
    int minutes;

    if (*text != '+' && *text != '-')
        return false;
    if (digits == 4 && text[5] == '\0') {
        minutes = (text[1] - '0') * 600 + (text[2] - '0') * 60 +
                  (text[3] - '0') * 10 + (text[4] - '0');
        if (text[3] > '5')
            return false;
        if (*text == '-')
            minutes = -minutes;
    } else if (digits > 2 || !take_time(&at, 14, &minutes) || *at != '\0') {
        return false;
    }
    if (minutes > 14 * 60 || minutes < -14 * 60)
        return false;
    zone->minutes[0] = minutes;
    zone->names[0][0] = *text;
    if (minutes < 0)
        minutes = -minutes;
    zone->names[0][1] = (char)('0' + minutes / 600);
    zone->names[0][2] = (char)('0' + minutes / 60 % 10);
    if (minutes % 60 != 0) {
        zone->names[0][3] = (char)('0' + minutes % 60 / 10);
        zone->names[0][4] = (char)('0' + minutes % 10);
    }
    return true;
}

static bool parse(const char *text, struct zone *zone)
{
    const char *rule;

    memset(zone, 0, sizeof(*zone));
    if (*text == '\0' || strcasecmp(text, "UTC") == 0) {
        memcpy(zone->names[0], "UTC", 4);
        return true;
    }
    if (strlen(text) >= TEXT_BYTES)
        return false;
    if (parse_offset(text, zone))
        return true;
    rule = rule_of_place(text);
    return parse_rule(rule != NULL ? rule : text, zone);
}

bool zone_valid(const char *text)
{
    struct zone zone;

    return parse(text, &zone);
}

bool zone_set(const char *text)
{
    struct zone zone;

    if (!parse(text, &zone))
        return false;
    state = zone;
    return true;
}

/* ---- Summer and winter ----------------------------------------------------
 */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The day, counted from 1970, on which the change falls in a year. */
static int64_t day_of_change(const struct change *change, int year)
{
    const int64_t new_year = date_days(year, 1, 1);
    int64_t first, day, behind;

    if (change->kind == 'N')
        return new_year + change->day;
    if (change->kind == 'J')
        return new_year + change->day - 1 +
               (is_leap(year) && change->day >= 60);
    first = date_days(year, change->month, 1);
    behind = change->month < 12 ? date_days(year, change->month + 1, 1)
                                : date_days(year + 1, 1, 1);
    day = first + (change->day - (first + THURSDAY) % 7 + 7) % 7 +
          (change->week - 1) * 7;
    return day < behind ? day : day - 7;
}

/* Whether the second of the two offsets holds. */
static bool is_summer(int64_t unix_ms)
{
    struct date date;
    int64_t begin, end;

    if (!state.has_summer)
        return false;
    date_of(unix_ms + state.minutes[0] * MINUTE_MS, &date);
    begin = day_of_change(&state.begin, date.year) * DAY_MS +
            (state.begin.minute - state.minutes[0]) * MINUTE_MS;
    end = day_of_change(&state.end, date.year) * DAY_MS +
          (state.end.minute - state.minutes[1]) * MINUTE_MS;
    if (begin < end)
        return unix_ms >= begin && unix_ms < end;
    return unix_ms >= begin || unix_ms < end;
}

int zone_offset_minutes(int64_t unix_ms)
{
    return state.minutes[is_summer(unix_ms)];
}

const char *zone_name(int64_t unix_ms)
{
    return state.names[is_summer(unix_ms)];
}

int64_t zone_local_ms(int64_t unix_ms)
{
    return unix_ms + zone_offset_minutes(unix_ms) * MINUTE_MS;
}

int64_t zone_unix_ms(int64_t local_ms)
{
    const int64_t guess = local_ms - state.minutes[0] * MINUTE_MS;

    /* What is summer at its own time is; all else is winter. */
    const int64_t summer = local_ms - state.minutes[1] * MINUTE_MS;

    return state.has_summer && is_summer(summer) && is_summer(guess) ? summer
                                                                     : guess;
}
