/* Conditions and ranges (RFC 9110 sections 13 and 14), and dates (5.6.7). */
#include "core/date.h"
#include "http/http_internal.h"
#include <stdio.h>
#include <string.h>

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* ---- Dates ----------------------------------------------------------------
 */

void http_date_put(int64_t unix_ms, char *text)
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* from 1970-01-01 on */
    struct date date;
    int64_t day = unix_ms / 86400000;

    date_of(unix_ms, &date);
    (void)snprintf(text, HTTP_DATE_BYTES,
                   "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                   days + (day < 0 ? 0 : day % 7) * 3, (unsigned)date.day % 100,
                   months + ((unsigned)date.month - 1) % 12 * 3,
                   (unsigned)date.year % 10000, (unsigned)date.hour % 100,
                   (unsigned)date.minute % 100, (unsigned)date.second % 100);
}

static int digits(const char *text, unsigned count)
{
    int value = 0;

    for (unsigned i = 0; i < count; i++) {
        if (text[i] == ' ' && i == 0 && count == 2)
            continue;
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + text[i] - '0';
    }
    return value;
}

static int month_of(const char *text)
{
    for (int i = 0; i < 12; i++)
        if (memcmp(months + (size_t)i * 3, text, 3) == 0)
            return i + 1;
    return -1;
}

/* Days since 1970: years counted from March on, as in core/date.c. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t m = month <= 2 ? month + 9 : month - 3;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 -
           719468;
}

static int64_t seconds_of(int year, int month, int day, const char *clock)
{
    int hour = digits(clock, 2), minute = digits(clock + 3, 2);
    int second = digits(clock + 6, 2);

    if (year < 1601 || month < 1 || day < 1 || day > 31 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
        clock[2] != ':' || clock[5] != ':')
        return -1;
    return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 +
           second;
}

/* RFC 850's years have two digits: at most 50 years ahead. */
static int full_year(int year)
{
    return year < 0 ? -1 : year < 70 ? 2000 + year : 1900 + year;
}

int64_t http_date_read(const char *text)
{
    size_t len = strlen(text);
    const char *comma = strchr(text, ',');

    if (len == 29 && comma == text + 3)
        return seconds_of(digits(text + 12, 4), month_of(text + 8),
                          digits(text + 5, 2), text + 17);
    if (comma && text + len - comma == 24)
        return seconds_of(full_year(digits(comma + 9, 2)), month_of(comma + 5),
                          digits(comma + 2, 2), comma + 12);
    if (len == 24 && !comma)
        return seconds_of(digits(text + 20, 4), month_of(text + 4),
                          digits(text + 8, 2), text + 11);
    return -1;
}

/* ---- Entity tags ----------------------------------------------------------
 */

/* Whether a list of tags holds this one. weak: W/ makes no difference. */
static bool tag_listed(const char *list, const char *etag, bool weak)
{
    size_t len = strlen(etag);

    if (strcmp(list, "*") == 0)
        return true;
    while (*list) {
        const char *end;
        bool is_weak;

        list += strspn(list, " \t,");
        is_weak = list[0] == 'W' && list[1] == '/';
        if (is_weak)
            list += 2;
        if (*list != '"')
            return false;
        end = strchr(list + 1, '"');
        if (!end)
            return false;
        if ((size_t)(end + 1 - list) == len && memcmp(list, etag, len) == 0 &&
            (weak || !is_weak))
            return true;
        list = end + 1;
    }
    return false;
}

static bool unchanged_since(const char *date, int64_t modified_ms)
{
    int64_t since = http_date_read(date);

    return since >= 0 && modified_ms > 0 && modified_ms / 1000 <= since;
}

/* ---- Ranges ---------------------------------------------------------------
 */

static bool read_number(const char **text, uint64_t *value)
{
    size_t len = strspn(*text, "0123456789");

    if (!text_number(*text, len, value))
        return false;
    *text += len;
    return true;
}

/* RFC 9110 14.1.1. One range only: several are answered as none. */
static enum http_condition take_range(const char *range, uint64_t total,
                                      uint64_t *first, uint64_t *bytes)
{
    uint64_t from = 0, to = UINT64_MAX;

    if (strncmp(range, "bytes=", 6) != 0 || strchr(range, ','))
        return CONDITION_WHOLE;
    range += 6;
    if (*range == '-') {
        range++;
        if (!read_number(&range, &to) || *range)
            return CONDITION_WHOLE;
        from = to >= total ? 0 : total - to;
        if (to == 0)
            from = total;
        to = UINT64_MAX;
    } else {
        if (!read_number(&range, &from) || *range++ != '-')
            return CONDITION_WHOLE;
        if (*range && (!read_number(&range, &to) || *range || to < from))
            return CONDITION_WHOLE;
    }
    if (from >= total) {
        *bytes = 0;
        return CONDITION_OUTSIDE;
    }
    *first = from;
    *bytes = (to < total ? to + 1 : total) - from;
    return CONDITION_PART;
}

/* Whether what the client has a part of is still the same (13.1.5). */
static bool range_counts(const struct http_head *head, const char *etag,
                         int64_t modified_ms)
{
    const char *condition = http_head_field(head, FIELD_IF_RANGE);

    if (!condition)
        return true;
    if (*condition == '"')
        return etag && strcmp(condition, etag) == 0;
    return modified_ms > 0 && http_date_read(condition) == modified_ms / 1000;
}

enum http_condition http_condition(const struct http_head *head, uint64_t total,
                                   const char *etag, int64_t modified_ms,
                                   uint64_t *first, uint64_t *bytes)
{
    const char *match = http_head_field(head, FIELD_IF_MATCH);
    const char *none = http_head_field(head, FIELD_IF_NONE_MATCH);
    const char *since = http_head_field(head, FIELD_MODIFIED_SINCE);
    const char *until = http_head_field(head, FIELD_UNMODIFIED_SINCE);
    const char *range = http_head_field(head, FIELD_RANGE);

    *first = 0;
    *bytes = 0;
    if (match ? !etag || !tag_listed(match, etag, false)
              : until && modified_ms > 0 && http_date_read(until) >= 0 &&
                    !unchanged_since(until, modified_ms))
        return CONDITION_FAILED;
    if (none ? etag && tag_listed(none, etag, true)
             : since && unchanged_since(since, modified_ms))
        return CONDITION_SAME;
    *bytes = total;
    if (!range || head->method != METHOD_GET ||
        !range_counts(head, etag, modified_ms))
        return CONDITION_WHOLE;
    return take_range(range, total, first, bytes);
}
