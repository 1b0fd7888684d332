/* The running screen: network, store, sessions, messages, the newest log
 * lines, on one page that a person can take in at a glance. */
#include "core/date.h"
#include "core/iobuf.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/timer.h"
#include "core/zone.h"
#include "menu/figure.h"
#include "menu/menu.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "menu/wrap.h"
#include "net/mdns.h"
#include "net/net.h"
#include "net/sntp.h"
#include "net/tcp.h"
#include "pop3/pop3_server.h"
#include "relay/relay.h"
#include "smtp/smtp_server.h"
#include "smtp/smtp_settings.h"
#include "store/st.h"
#include <stdio.h>
#include <string.h>

#define ROW_CARD  PAGE_FIRST_ROW
#define ROW_STORE (PAGE_FIRST_ROW + 2)
#define ROW_TABLE (PAGE_FIRST_ROW + 5)
#define ROW_LOG   (PAGE_FIRST_ROW + 12)

/* The widest line that it can make has 80 columns. */
static void draw_card(unsigned row)
{
    struct machine_nic_info nic;
    char link[32] = "link down: is the cable in?";

    machine_nic_info(&nic);
    screen_text(row, 2, SCREEN_BRIGHT, "Card");
    if (!nic.present) {
        screen_text(row, 11, SCREEN_BAD, "no network card that is known");
        return;
    }
    if (nic.link_up && nic.speed_mbit != 0)
        (void)snprintf(link, sizeof(link), "link up, %u Mbit/s",
                       (unsigned)nic.speed_mbit);
    else if (nic.link_up)
        (void)snprintf(link, sizeof(link), "link up");
    screen_format(row, 11, nic.link_up ? SCREEN_NORMAL : SCREEN_BAD,
                  "%.21s  %02x:%02x:%02x:%02x:%02x:%02x  %.27s", nic.name,
                  nic.address[0], nic.address[1], nic.address[2],
                  nic.address[3], nic.address[4], nic.address[5], link);
}

static void draw_address(unsigned row)
{
    struct net_status net;
    char address[NET_ADDRESS_TEXT];
    char gateway[NET_ADDRESS_TEXT];
    char text[2 * NET_ADDRESS_TEXT + 32];
    int len;

    net_status(&net);
    screen_text(row, 2, SCREEN_BRIGHT, "Address");
    switch (net.state) {
    case NET_UP:
        len = snprintf(text, sizeof(text), "%s/%u%s  gateway %s",
                       net_address_format(&net.address, address),
                       net.prefix_length, net.from_dhcp ? " by DHCP" : "",
                       net_address_format(&net.gateway, gateway));
        screen_text(row, 11, SCREEN_GOOD, text);
        /* Long names stand in the title anyway. */
        if (len > 0 &&
            11 + (size_t)len + 2 + strlen(mdns_name()) <= MACHINE_COLUMNS)
            screen_text(row, 11 + (unsigned)len + 2, SCREEN_GOOD, mdns_name());
        break;
    case NET_CONFIGURING:
        screen_text(row, 11, SCREEN_WARNING, "asking for one by DHCP");
        break;
    case NET_NO_LINK:
        screen_text(row, 11, SCREEN_WARNING, "waits for the link");
        break;
    case NET_NO_CARD:
        screen_text(row, 11, SCREEN_WARNING, "none");
        break;
    }
}

static void draw_figures(unsigned row, const struct machine_disk_info *info)
{
    char size[FIGURE_BYTES], writes[FIGURE_BYTES], other[FIGURE_BYTES];
    const bool good = info->errors == 0;

    screen_format(row, 11, good ? SCREEN_NORMAL : SCREEN_WARNING,
                  "%s %s, %s: %s writes, %s %s", info->vendor, info->product,
                  figure_bytes(info->sectors * 512, size),
                  figure_count(info->writes, writes),
                  figure_count(good ? info->flushes : info->errors, other),
                  good ? "flushes" : "errors");
}

/* The store and its stick, on two rows; what is wrong with them may need both.
 */
static void draw_store(unsigned row)
{
    const char *trouble = st_trouble();
    const bool good = *trouble == '\0' && st_state() == ST_READY;
    struct machine_disk_info info;
    unsigned disk = 0;

    screen_text(row, 2, SCREEN_BRIGHT, "Store");
    if (wrap_text(row, 11, good ? SCREEN_GOOD : SCREEN_BAD,
                  *trouble != '\0' ? trouble : st_state_text(), 2) > 1)
        return;
    screen_text(row + 1, 2, SCREEN_BRIGHT, "Stick");
    do {
        machine_disk_info(disk, &info);
    } while (!info.present && ++disk < MACHINE_DISKS);
    if (info.present)
        draw_figures(row + 1, &info);
    else
        screen_text(row + 1, 11, SCREEN_BAD, "none");
}

/* "-1234 ms", or in larger units. */
static const char *offset_text(int64_t offset_ms, char *text, size_t bytes)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"days", 86400000}};
    unsigned unit = 0;

    while (unit < 3 && (offset_ms / units[unit].ms > 9999 ||
                        offset_ms / units[unit].ms < -9999))
        unit++;
    (void)snprintf(text, bytes, "%lld %s",
                   (long long)(offset_ms / units[unit].ms), units[unit].name);
    return text;
}

/* The time of day, and who says so. */
static void draw_clock(unsigned row)
{
    char by[40 + NET_ADDRESS_TEXT] = "by this PC alone";
    char address[NET_ADDRESS_TEXT];
    char date[DATE_TEXT_BYTES], offset[24];
    int64_t now_ms = machine_wall_clock_ms();
    struct sntp_status clock;

    sntp_status(&clock);
    if (clock.known)
        (void)snprintf(by, sizeof(by), "by %.15s, was %s slow",
                       net_address_format(&clock.server, address),
                       offset_text(clock.offset_ms, offset, sizeof(offset)));
    screen_text(row, 2, SCREEN_BRIGHT, "Clock");
    screen_format(row, 11, clock.known ? SCREEN_GOOD : SCREEN_NORMAL,
                  "%s %s  %s", date_format(zone_local_ms(now_ms), date),
                  zone_name(now_ms), by);
}

static void draw_service(unsigned row, const char *name, unsigned sessions,
                         unsigned peak, unsigned capacity, uint64_t served,
                         uint64_t turned_away)
{
    screen_format(row, 2, SCREEN_NORMAL, "%-9s %8u %8u %8u %12llu %12llu", name,
                  sessions, peak, capacity, (unsigned long long)served,
                  (unsigned long long)turned_away);
}

static void draw_table(unsigned row)
{
    struct smtp_figures smtp;
    struct pop3_figures pop3;
    struct relay_figures relay;
    struct tcp_figures tcp;
    struct st_figures st;
    char in[FIGURE_BYTES], in_bytes[FIGURE_BYTES], out[FIGURE_BYTES];
    char out_bytes[FIGURE_BYTES], sent[FIGURE_BYTES], commits[FIGURE_BYTES];

    relay_figures(&relay);
    smtp_figures(&smtp);
    pop3_figures(&pop3);
    tcp_figures(&tcp);
    st_figures(&st);
    screen_format(row, 2, SCREEN_BRIGHT, "%-9s %8s %8s %8s %12s %12s", "Tasks",
                  "in use", "peak", "made", "served", "turned away");
    draw_service(row + 1, "SMTPS", smtp.sessions, smtp.sessions_peak,
                 smtp.capacity, smtp.connections, smtp.turned_away);
    draw_service(row + 2, "POP3S", pop3.sessions, pop3.sessions_peak,
                 pop3.capacity, pop3.connections, pop3.turned_away);
    draw_service(row + 3, "SMTPC", relay.sessions, relay.sessions_peak,
                 relay.capacity, relay.connections, relay.failed);
    draw_service(row + 4, "TCB", tcp.connections, tcp.connections_peak,
                 tcp.capacity, tcp.accepted + tcp.opened, tcp.refused);
    screen_format(
        row + 5, 2, SCREEN_BRIGHT,
        "Messages  in %s (%s)  fetched %s (%s)  sent %s  commits %s",
        figure_count(smtp.accepted, in), figure_bytes(smtp.bytes, in_bytes),
        figure_count(pop3.retrieved, out), figure_bytes(pop3.bytes, out_bytes),
        figure_count(relay.delivered, sent), figure_count(st.commits, commits));
}

static void draw_warnings(unsigned row)
{
    if (smtp_settings()->auth_clear)
        screen_text(row, 2, SCREEN_WARNING,
                    "Passwords travel in clear (setting auth_clear): only in "
                    "a network you trust");
}

static void draw_log(unsigned row)
{
    unsigned bottom = PAGE_LAST_ROW + 1;
    const char *line;

    for (unsigned back = 0; (line = log_line(back)) != NULL; back++) {
        unsigned rows = wrap_rows(line);

        if (bottom < row + rows)
            break;
        bottom -= rows;
        wrap_draw(bottom, SCREEN_NORMAL, line);
    }
}

static void draw(void)
{
    uint64_t seconds = timer_now_ms() / 1000;
    bool running = menu_actions()->running();

    screen_format(0, 48, SCREEN_TITLE, "%s  up %llu:%02llu:%02llu",
                  running ? "serving mail" : "waiting",
                  (unsigned long long)(seconds / 3600),
                  (unsigned long long)(seconds / 60 % 60),
                  (unsigned long long)(seconds % 60));
    draw_card(ROW_CARD);
    draw_address(ROW_CARD + 1);
    draw_store(ROW_STORE);
    draw_clock(ROW_STORE + 2);
    draw_table(ROW_TABLE);
    draw_warnings(ROW_LOG - 1);
    draw_log(ROW_LOG);
}

static bool key(int key)
{
    if (key != 'm' && key != 'M' && key != 13)
        return false;
    menu_leave();
    return true;
}

const struct page page_status = {
    .title = "Running",
    .help = "M  menu",
    .live = true,
    .heading = true,
    .draw = draw,
    .key = key,
};
