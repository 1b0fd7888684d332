/* The battery clock (MC146818 and everything after it): read twice between its
 * updates until both readings agree; BCD or binary, 12 or 24 hours. Taken to
 * run in UTC. Without a century register it is the 21st; what the firmware
 * keeps in that place is left alone then. */
#include "core/machine.h"
#include "drivers/acpi.h"
#include "drivers/clock.h"
#include "drivers/io.h"

#define RTC_INDEX 0x70u
#define RTC_DATA  0x71u

#define RTC_SECOND   0x00u
#define RTC_MINUTE   0x02u
#define RTC_HOUR     0x04u
#define RTC_DAY      0x07u
#define RTC_MONTH    0x08u
#define RTC_YEAR     0x09u
#define RTC_STATUS_A 0x0au
#define RTC_STATUS_B 0x0bu

#define UPDATING  0x80u
#define SET       0x80u
#define BINARY    0x04u
#define HOURS_24  0x02u
#define AFTERNOON 0x80u

#define TRIES_MAX 5u
/* An update takes 2 ms at most; a port read about 1 us. */
#define UPDATE_POLLS_MAX 10000u

struct rtc_time {
    unsigned second, minute, hour, day, month, year;
};

static uint8_t read_register(uint8_t index)
{
    io_out8(RTC_INDEX, index);
    return io_in8(RTC_DATA);
}

static void write_register(uint8_t index, uint8_t value)
{
    io_out8(RTC_INDEX, index);
    io_out8(RTC_DATA, value);
}

static void wait_for_update(void)
{
    for (unsigned i = 0; i < UPDATE_POLLS_MAX; i++) {
        if (!(read_register(RTC_STATUS_A) & UPDATING))
            return;
    }
}

static void read_raw(uint8_t raw[7])
{
    static const uint8_t index[6] = {RTC_SECOND, RTC_MINUTE, RTC_HOUR,
                                     RTC_DAY,    RTC_MONTH,  RTC_YEAR};
    const uint8_t century = acpi_century_register();

    wait_for_update();
    for (unsigned i = 0; i < 6; i++)
        raw[i] = read_register(index[i]);
    raw[6] = century != 0 ? read_register(century) : 0;
}

static unsigned from_bcd(unsigned value, bool binary)
{
    return binary ? value : (value >> 4) * 10 + (value & 15);
}

static unsigned to_register(unsigned value, bool binary)
{
    return binary ? value : value / 10 << 4 | value % 10;
}

static unsigned decode_hour(unsigned raw, bool binary, bool hours_24)
{
    unsigned hour;

    if (hours_24)
        return from_bcd(raw, binary);
    hour = from_bcd(raw & ~AFTERNOON, binary) % 12;
    return raw & AFTERNOON ? hour + 12 : hour;
}

static bool time_is_valid(const struct rtc_time *time)
{
    return time->second < 60 && time->minute < 60 && time->hour < 24 &&
           time->day >= 1 && time->day <= 31 && time->month >= 1 &&
           time->month <= 12 && time->year >= 1970 && time->year < 2200;
}

/* Days from 1970-01-01, by eras of 400 years that begin on the 1st of March. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    const unsigned shifted = month > 2 ? year : year - 1;
    const unsigned era = shifted / 400;
    const unsigned of_era = shifted % 400;
    const unsigned march = month > 2 ? month - 3 : month + 9;
    const unsigned of_year = (153 * march + 2) / 5 + day - 1;

    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
           of_year - 719468;
}

static bool raw_is_equal(const uint8_t a[7], const uint8_t b[7])
{
    for (unsigned i = 0; i < 7; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

int64_t rtc_read_ms(void)
{
    uint8_t raw[7], again[7];
    unsigned tries = 0, century;
    uint8_t mode;
    struct rtc_time time;

    read_raw(raw);
    read_raw(again);
    while (!raw_is_equal(raw, again)) {
        if (++tries == TRIES_MAX)
            return INT64_MIN;
        __builtin_memcpy(raw, again, sizeof(raw));
        read_raw(again);
    }
    mode = read_register(RTC_STATUS_B);
    time.second = from_bcd(raw[0], mode & BINARY);
    time.minute = from_bcd(raw[1], mode & BINARY);
    time.hour = decode_hour(raw[2], mode & BINARY, mode & HOURS_24);
    time.day = from_bcd(raw[3], mode & BINARY);
    time.month = from_bcd(raw[4], mode & BINARY);
    time.year = from_bcd(raw[5], mode & BINARY);
    century = from_bcd(raw[6], mode & BINARY);
    time.year += (century >= 19 && century <= 21) ? century * 100 : 2000;
    if (!time_is_valid(&time))
        return INT64_MIN;
    return ((days_of(time.year, time.month, time.day) * 24 + time.hour) * 60 +
            time.minute) *
               60000 +
           time.second * 1000;
}

/* The inverse of days_of(). */
static void date_of(int64_t days, struct rtc_time *time)
{
    const int64_t shifted = days + 719468;
    const unsigned era = (unsigned)(shifted / 146097);
    const unsigned of_era = (unsigned)(shifted % 146097);
    const unsigned year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    const unsigned march = (5 * of_year + 2) / 153;

    time->day = of_year - (153 * march + 2) / 5 + 1;
    time->month = march < 10 ? march + 3 : march - 9;
    time->year = era * 400 + year + (time->month <= 2 ? 1 : 0);
}

static unsigned encode_hour(unsigned hour, bool binary, bool hours_24)
{
    unsigned twelve;

    if (hours_24)
        return to_register(hour, binary);
    twelve = hour % 12 == 0 ? 12 : hour % 12;
    return to_register(twelve, binary) | (hour >= 12 ? AFTERNOON : 0);
}

void rtc_write_ms(int64_t unix_ms)
{
    const int64_t seconds = unix_ms / 1000;
    const uint8_t century = acpi_century_register();
    struct rtc_time time;
    uint8_t mode;
    bool binary;

    /* 1970 .. 2199: what rtc_read_ms() takes. */
    if (unix_ms < 0 || seconds >= days_of(2200, 1, 1) * 86400)
        return;
    date_of(seconds / 86400, &time);
    time.hour = (unsigned)(seconds % 86400 / 3600);
    time.minute = (unsigned)(seconds % 3600 / 60);
    time.second = (unsigned)(seconds % 60);

    wait_for_update();
    mode = read_register(RTC_STATUS_B);
    binary = mode & BINARY;
    write_register(RTC_STATUS_B, mode | SET);
    write_register(RTC_SECOND, (uint8_t)to_register(time.second, binary));
    write_register(RTC_MINUTE, (uint8_t)to_register(time.minute, binary));
    write_register(RTC_HOUR,
                   (uint8_t)encode_hour(time.hour, binary, mode & HOURS_24));
    write_register(RTC_DAY, (uint8_t)to_register(time.day, binary));
    write_register(RTC_MONTH, (uint8_t)to_register(time.month, binary));
    write_register(RTC_YEAR, (uint8_t)to_register(time.year % 100, binary));
    if (century != 0)
        write_register(century, (uint8_t)to_register(time.year / 100, binary));
    write_register(RTC_STATUS_B, mode & (uint8_t)~SET);
}
