/* The running screen: with the longest names and the largest figures that there
 * can be, no line of it is cut at 80 columns. */
#include "tests/unit/check.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/timer.h"
#include "core/zone.h"
#include "menu/figure.h"
#include "menu/menu.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "net/mdns.h"
#include "net/net.h"
#include "net/sntp.h"
#include "net/tcp.h"
#include "pop3/pop3_server.h"
#include "relay/relay.h"
#include "smtp/smtp_server.h"
#include "smtp/smtp_settings.h"
#include "store/st.h"
#include <string.h>

/* Of twelve digits. */
#define MANY UINT64_C(999999999999)

static char display[MACHINE_ROWS][MACHINE_COLUMNS + 1];
static const char *trouble = "";
static bool errors;

static bool yes(void)
{
    return true;
}

static const struct menu_actions actions = {.running = yes};

const struct menu_actions *menu_actions(void)
{
    return &actions;
}

void menu_leave(void)
{
}

void machine_screen_write(unsigned row, unsigned column,
                          const struct machine_cell *cells, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        display[row][column + i] = (char)cells[i].character;
}

void machine_nic_info(struct machine_nic_info *info)
{
    memset(info, 0, sizeof(*info));
    info->name = "Intel I350 with a name that is far too long for one row";
    info->present = true;
    info->link_up = !errors;
    info->speed_mbit = 10000;
}

void machine_disk_info(unsigned disk, struct machine_disk_info *info)
{
    memset(info, 0, sizeof(*info));
    info->present = disk == 3;
    info->sectors = (uint64_t)1023 << 31;
    strcpy(info->vendor, "VENDOR99");
    strcpy(info->product, "PRODUCT WITH 16C");
    info->writes = info->flushes = MANY;
    info->errors = errors ? MANY : 0;
}

int64_t machine_wall_clock_ms(void)
{
    return INT64_C(253402300799999);
}

void net_status(struct net_status *status)
{
    memset(status, 0, sizeof(*status));
    status->state = NET_UP;
    status->address = net_address_v4(0xfffefdfc);
    status->gateway = net_address_v4(0xfffefdfb);
    status->prefix_length = 32;
    status->from_dhcp = true;
}

const char *mdns_name(void)
{
    return "a-name-of-sixty-three-characters-which-is-the-most-that-there-is."
           "local";
}

void sntp_status(struct sntp_status *status)
{
    memset(status, 0, sizeof(*status));
    status->known = true;
    status->server = net_address_v4(0xfffefdfc);
    status->offset_ms = errors ? -INT64_C(9999) * 86400000 : -99999;
}

void tcp_figures(struct tcp_figures *figures)
{
    memset(figures, 0, sizeof(*figures));
    figures->capacity = figures->connections = figures->connections_peak =
        16384;
    figures->accepted = figures->refused = MANY;
}

void smtp_figures(struct smtp_figures *figures)
{
    memset(figures, 0, sizeof(*figures));
    figures->sessions = figures->sessions_peak = figures->capacity = 16384;
    figures->connections = figures->turned_away = MANY;
    figures->accepted = MANY;
    figures->bytes = MANY * 999;
}

const struct smtp_settings *smtp_settings(void)
{
    static const struct smtp_settings settings = {.auth_clear = true};

    return &settings;
}

void pop3_figures(struct pop3_figures *figures)
{
    memset(figures, 0, sizeof(*figures));
    figures->sessions = figures->sessions_peak = figures->capacity = 16384;
    figures->connections = figures->turned_away = figures->retrieved = MANY;
    figures->bytes = MANY * 999;
}

void relay_figures(struct relay_figures *figures)
{
    memset(figures, 0, sizeof(*figures));
    figures->sessions = figures->sessions_peak = figures->capacity = 16384;
    figures->connections = figures->failed = figures->delivered = MANY;
}

void st_figures(struct st_figures *figures)
{
    memset(figures, 0, sizeof(*figures));
    figures->delivered = figures->commits = MANY;
}

enum st_state st_state(void)
{
    return ST_READY;
}

const char *st_state_text(void)
{
    return "the stick VENDOR99 PRODUCT WITH 16C (place 3) holds another store; "
           "waiting for store 0123abcd";
}

const char *st_trouble(void)
{
    return trouble;
}

static void draw(void)
{
    screen_clear();
    page_status.draw();
    (void)screen_flush();
}

static bool is_cut(void)
{
    for (unsigned row = 0; row < MACHINE_ROWS; row++) {
        if (strcmp(display[row] + MACHINE_COLUMNS - 3, "...") == 0) {
            printf("cut: %s\n", display[row]);
            return true;
        }
    }
    return false;
}

static bool shows(const char *text)
{
    for (unsigned row = 0; row < MACHINE_ROWS; row++) {
        if (strstr(display[row], text) != NULL)
            return true;
    }
    printf("not shown: %s\n", text);
    return false;
}

static void test_figures(void)
{
    static const struct {
        uint64_t value;
        const char *count, *bytes;
    } rows[] = {
        {0, "0", "0 B"},
        {1023, "1023", "1023 B"},
        {1024, "1024", "1 KB"},
        {99999, "99999", "97 KB"},
        {100000, "100k", "97 KB"},
        {9999999, "9999k", "9 MB"},
        {10000000, "10M", "9 MB"},
        {UINT64_C(10000000000), "10G", "9 GB"},
        {UINT64_MAX, "9999T", "9999 TB"},
    };
    char text[FIGURE_BYTES];

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(strcmp(figure_count(rows[i].value, text), rows[i].count) == 0);
        CHECK(strcmp(figure_bytes(rows[i].value, text), rows[i].bytes) == 0);
    }
}

int main(void)
{
    timer_module_init();
    screen_init();
    test_figures();
    CHECK(zone_set("<+12:45>-12:45") || zone_set("<+1245>-12:45"));
    for (unsigned i = 0; i < 20; i++)
        log_info("a-module", "a line that is longer than the screen is wide, "
                             "which is shown on two rows and cut nowhere");
    draw();
    CHECK(!is_cut());
    CHECK(shows("link up, 10000 Mbit/s"));
    CHECK(shows("255.254.253.252/32 by DHCP  gateway 255.254.253.251"));
    CHECK(shows("waiting for store 0123abcd"));
    CHECK(shows("commits 999G"));
    trouble = "VENDOR99 PRODUCT WITH 16C fails to write: no mail is taken";
    errors = true;
    draw();
    CHECK(!is_cut());
    CHECK(shows(trouble));
    CHECK(shows("999G writes, 999G errors"));
    return check_report();
}
