/* core/zone: rules of all places against this computer's time zone database,
 * where it has one; odd rules and texts by hand. Governments change rules a few
 * times a year: a database of another version than the rules are of (VERSION)
 * may know a few places otherwise, which are printed. */
#include "tests/unit/check.h"
#include "core/date.h"
#include "core/zone.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOUR_MS INT64_C(3600000)
/* 2027-01-01, and how far the years are walked. */
#define FROM_MS INT64_C(1798761600000)
#define HOURS   (8 * 366 * 24)

#define DATABASE     "/usr/share/zoneinfo/"
#define VERSION      "2026b"
#define CHANGED_MOST 6

static int64_t at(int year, int month, int day, int hour, int minute)
{
    return date_days(year, month, day) * 24 * HOUR_MS + hour * HOUR_MS +
           minute * INT64_C(60000);
}

/* What localtime_r() says, in minutes ahead of UTC. */
static int known_offset(int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;

    return localtime_r(&seconds, &tm) == NULL ? 9999 : (int)(tm.tm_gmtoff / 60);
}

static bool compare(const char *rule)
{
    setenv("TZ", rule, 1);
    tzset();
    for (unsigned hour = 0; hour < HOURS; hour++) {
        int64_t unix_ms = FROM_MS + hour * HOUR_MS;

        if (zone_offset_minutes(unix_ms) != known_offset(unix_ms)) {
            printf("%s differs at %lld: %d, known %d\n", rule,
                   (long long)unix_ms, zone_offset_minutes(unix_ms),
                   known_offset(unix_ms));
            return false;
        }
    }
    return true;
}

/* Whether the database is of the version that the rules are of. */
static bool is_same_version(void)
{
    char line[64] = "";
    FILE *file = fopen(DATABASE "tzdata.zi", "r");

    if (file != NULL) {
        (void)fgets(line, sizeof(line), file);
        (void)fclose(file);
    }
    return strcmp(line, "# version " VERSION "\n") == 0;
}

static void test_places(void)
{
    const char *place;
    unsigned len, compared = 0, changed = 0;

    for (unsigned i = 0; (place = zone_place(i, &len)) != NULL; i++) {
        char name[64], path[128];

        (void)snprintf(name, sizeof(name), "%.*s", (int)len, place);
        (void)snprintf(path, sizeof(path), DATABASE "%s", name);
        CHECK(zone_set(name));
        if (access(path, R_OK) == 0) {
            changed += !compare(name);
            compared++;
        }
        CHECK(zone_set(strrchr(name, '/') + 1));
    }
    CHECK(changed <= (is_same_version() ? 0 : CHANGED_MOST));
    printf("%u of %u places as in the time zone database\n", compared - changed,
           compared);
}

/* Rules that glibc reads as well. */
static void test_rules(void)
{
    static const char *const rules[] = {
        "CET-1CEST,M3.5.0,M10.5.0/3",   "EST5EDT,M3.2.0,M11.1.0",
        "IST-1GMT0,M10.5.0,M3.5.0/1",   "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "AEST-10AEDT,M10.1.0,M4.1.0/3", "IST-2IDT,M3.4.4/26,M10.5.0",
        "XYZ-1ABC-3,J60/2,J300/2",      "XYZ-1ABC,59,299",
        "NST3:30NDT,M3.2.0,M11.1.0",    "UTC0",
    };

    for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        CHECK(zone_set(rules[i]));
        CHECK(compare(rules[i]));
    }
}

static void test_offsets(void)
{
    static const struct {
        const char *text;
        int minutes;
        const char *name;
    } rows[] = {
        {"", 0, "UTC"},           {"utc", 0, "UTC"},
        {"+2", 120, "+02"},       {"-03:30", -210, "-0330"},
        {"+0545", 345, "+0545"},  {"+14", 840, "+14"},
        {"-0930", -570, "-0930"}, {"CET-1", 60, "CET"},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(zone_set(rows[i].text));
        CHECK(zone_offset_minutes(FROM_MS) == rows[i].minutes);
        CHECK(strcmp(zone_name(FROM_MS), rows[i].name) == 0);
    }
}

static void test_refused(void)
{
    static const char *const texts[] = {
        "x",
        "+",
        "+15",
        "+1:60",
        "+0260",
        "+123",
        "-1400x",
        "Berlin!",
        "Atlantis",
        "/Berlin",
        "Europe/",
        "urope/Berlin",
        "CET",
        "CE-1",
        "CET-1CEST",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0/3x",
        "CET-1CEST,J0,J300",
        "CET-1CEST,J366,J3",
        "CET-1CEST,366,3",
        "<CET-1",
        "<>5",
        "<ABCDEFGHI>5",
        "CET-25",
        "CET-1CEST,M3.5.0/168,1",
        "Europe/Berlin Europe/Paris",
        "CET-1CEST,M3.5.0,M10.5.0/3                                      ",
    };

    CHECK(zone_set("Buenos Aires"));
    CHECK(zone_set("europe/berlin"));
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(!zone_valid(texts[i]));
        CHECK(!zone_set(texts[i]));
    }
    /* Still what it was. */
    CHECK(strcmp(zone_name(FROM_MS), "CET") == 0);
}

static void test_local_time(void)
{
    CHECK(zone_set("Berlin"));
    CHECK(zone_local_ms(at(2026, 7, 1, 10, 0)) == at(2026, 7, 1, 12, 0));
    CHECK(zone_unix_ms(at(2026, 7, 1, 12, 0)) == at(2026, 7, 1, 10, 0));
    CHECK(zone_unix_ms(at(2026, 1, 1, 12, 0)) == at(2026, 1, 1, 11, 0));
    /* 29 March 2026: from 02:00 to 03:00; 25 October: back again. */
    CHECK(zone_unix_ms(at(2026, 3, 29, 1, 59)) == at(2026, 3, 29, 0, 59));
    CHECK(zone_unix_ms(at(2026, 3, 29, 2, 30)) == at(2026, 3, 29, 1, 30));
    CHECK(zone_unix_ms(at(2026, 3, 29, 3, 0)) == at(2026, 3, 29, 1, 0));
    CHECK(zone_unix_ms(at(2026, 10, 25, 1, 59)) == at(2026, 10, 24, 23, 59));
    CHECK(zone_unix_ms(at(2026, 10, 25, 3, 0)) == at(2026, 10, 25, 2, 0));
    for (unsigned hour = 0; hour < HOURS; hour++) {
        int64_t local_ms = FROM_MS + hour * HOUR_MS + 1;
        int64_t there = zone_local_ms(zone_unix_ms(local_ms));

        CHECK(there == local_ms || there == local_ms + HOUR_MS);
    }
}

int main(void)
{
    test_places();
    test_rules();
    test_offsets();
    test_refused();
    test_local_time();
    return check_report();
}
