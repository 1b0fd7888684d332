/* Clock and time zone: what time it is and who says so, the zone, the time
 * servers, and setting the clock by hand. */
#include "core/date.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/zone.h"
#include "menu/form.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "menu/settings.h"
#include "net/sntp.h"
#include <stdio.h>
#include <string.h>

#define ROW_NOW    (PAGE_LAST_ROW - 5)
#define FIRST_YEAR 2020
#define LAST_YEAR  2199

/* ---- A time that is typed -------------------------------------------------
 */

/* Takes `digits` digits and what has to stand behind them. */
static bool take(const char **text, unsigned digits, const char *behind,
                 int *value)
{
    for (*value = 0; digits > 0; digits--, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        *value = *value * 10 + (**text - '0');
    }
    if (strncmp(*text, behind, strlen(behind)) != 0)
        return false;
    *text += strlen(behind);
    return true;
}

/* "2026-11-26 14:05" or "2026-11-26 14:05:30", local time. */
static bool read_time(const char *text, int64_t *unix_ms)
{
    struct date date, back;
    int64_t local_ms;

    memset(&date, 0, sizeof(date));
    if (!take(&text, 4, "-", &date.year) || !take(&text, 2, "-", &date.month) ||
        !take(&text, 2, " ", &date.day) || !take(&text, 2, ":", &date.hour) ||
        !take(&text, 2, "", &date.minute))
        return false;
    if (*text == ':') {
        text++;
        if (!take(&text, 2, "", &date.second))
            return false;
    }
    if (*text != '\0' || date.year < FIRST_YEAR || date.year > LAST_YEAR ||
        date.month < 1 || date.month > 12 || date.day < 1 || date.hour > 23 ||
        date.minute > 59 || date.second > 59)
        return false;
    local_ms = date_to_unix(&date);
    /* The 31st of a month that has none. */
    date_of(local_ms, &back);
    if (back.day != date.day)
        return false;
    *unix_ms = zone_unix_ms(local_ms);
    return true;
}

static bool time_valid(const char *value)
{
    int64_t unix_ms;

    return *value == '\0' || read_time(value, &unix_ms);
}

static void set_time(unsigned index, const char *value)
{
    char date[DATE_TEXT_BYTES];
    int64_t unix_ms;

    (void)index;
    if (*value == '\0' || !read_time(value, &unix_ms))
        return;
    machine_wall_clock_set(unix_ms);
    log_info("clock", "set by hand to %s UTC", date_format(unix_ms, date));
}

/* ---- The page -------------------------------------------------------------
 */

static const struct form_field fields[] = {
    {"timezone", "Time zone",
     "a place (Berlin), an offset (+2), or a POSIX rule", zone_valid},
    {"ntp", "Time servers",
     "up to four; off; or nothing: DHCP's and pool.ntp.org",
     settings_ntp_valid},
    {NULL, "Set the clock", "local time: 2026-11-26 14:05, or nothing",
     time_valid},
};

static void enter(void)
{
    form_enter(fields, sizeof(fields) / sizeof(fields[0]));
    form_apply(set_time);
}

static void draw(void)
{
    const int64_t now_ms = machine_wall_clock_ms();
    char date[DATE_TEXT_BYTES], address[NET_ADDRESS_TEXT];
    struct sntp_status clock;

    form_draw();
    sntp_status(&clock);
    screen_format(ROW_NOW, 3, SCREEN_BRIGHT, "%s %s",
                  date_format(zone_local_ms(now_ms), date), zone_name(now_ms));
    screen_format(ROW_NOW + 1, 3, SCREEN_NORMAL, "%s UTC",
                  date_format(now_ms, date));
    if (clock.known)
        screen_format(ROW_NOW + 2, 3, SCREEN_GOOD,
                      "set by %s (stratum %u), was %lld ms slow",
                      net_address_format(&clock.server, address), clock.stratum,
                      (long long)clock.offset_ms);
    else
        screen_text(ROW_NOW + 2, 3, SCREEN_NORMAL,
                    clock.on ? "no time server has answered yet: by this PC "
                               "alone"
                             : "no time server is asked: by this PC alone");
}

const struct page page_clock = {
    .title = "Clock",
    .help = "Up Down  field    Enter  next, save    F2  save    Esc  back",
    .live = true,
    .enter = enter,
    .draw = draw,
    .key = form_key,
    .busy = form_busy,
};
