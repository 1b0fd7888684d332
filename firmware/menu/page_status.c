/* The running screen: network, store, sessions, messages, the newest log
 * lines, on one page that a person can take in at a glance. */
#include "core/date.h"
#include "core/iobuf.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/timer.h"
#include "core/zone.h"
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

#define MIB       (1024 * 1024)
#define ROW_CARD  PAGE_FIRST_ROW
#define ROW_STORE (PAGE_FIRST_ROW + 2)
#define ROW_TABLE (PAGE_FIRST_ROW + 5)
#define ROW_LOG   (PAGE_FIRST_ROW + 12)

static void draw_card(unsigned row)
{
    struct machine_nic_info nic;
    char speed[24] = "";

    machine_nic_info(&nic);
    screen_text(row, 2, SCREEN_BRIGHT, "Card");
    if (!nic.present) {
        screen_text(row, 11, SCREEN_BAD, "no network card that is known");
        return;
    }
    if (nic.link_up && nic.speed_mbit != 0)
        (void)snprintf(speed, sizeof(speed), ", %u Mbit/s",
                       (unsigned)nic.speed_mbit);
    screen_format(row, 11, nic.link_up ? SCREEN_NORMAL : SCREEN_BAD,
                  "%s  %02x:%02x:%02x:%02x:%02x:%02x  link %s%s", nic.name,
                  nic.address[0], nic.address[1], nic.address[2],
                  nic.address[3], nic.address[4], nic.address[5],
                  nic.link_up ? "up" : "down: is the cable in?", speed);
}

static void draw_address(unsigned row)
{
    struct net_status net;
    char address[NET_ADDRESS_TEXT];
    char gateway[NET_ADDRESS_TEXT];

    net_status(&net);
    screen_text(row, 2, SCREEN_BRIGHT, "Address");
    switch (net.state) {
    case NET_UP:
        screen_format(row, 11, SCREEN_GOOD, "%s/%u%s  gateway %s  %s",
                      net_address_format(&net.address, address),
                      net.prefix_length, net.from_dhcp ? " by DHCP" : "",
                      net_address_format(&net.gateway, gateway), mdns_name());
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

static void draw_stick(unsigned row)
{
    for (unsigned disk = 0; disk < MACHINE_DISKS; disk++) {
        struct machine_disk_info info;

        machine_disk_info(disk, &info);
        if (!info.present)
            continue;
        screen_text(row, 2, SCREEN_BRIGHT, "Stick");
        screen_format(
            row, 11, info.errors == 0 ? SCREEN_NORMAL : SCREEN_WARNING,
            "%s %s, %llu MB: %llu writes, %llu flushes, %llu errors",
            info.vendor, info.product,
            (unsigned long long)(info.sectors / (MIB / 512)),
            (unsigned long long)info.writes, (unsigned long long)info.flushes,
            (unsigned long long)info.errors);
        return;
    }
    screen_text(row, 2, SCREEN_BRIGHT, "Stick");
    screen_text(row, 11, SCREEN_BAD, "none");
}

/* The time of day, and who says so. */
static void draw_clock(unsigned row)
{
    char by[40 + NET_ADDRESS_TEXT] = "by this PC alone";
    char address[NET_ADDRESS_TEXT];
    char date[DATE_TEXT_BYTES];
    int64_t now_ms = machine_wall_clock_ms();
    struct sntp_status clock;

    sntp_status(&clock);
    if (clock.known)
        (void)snprintf(by, sizeof(by), "by %s, was %lld ms slow",
                       net_address_format(&clock.server, address),
                       (long long)clock.offset_ms);
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
    screen_format(row + 5, 2, SCREEN_BRIGHT,
                  "Messages  in %llu (%llu KB)  fetched %llu (%llu KB)  "
                  "sent %llu  durable %llu in %llu",
                  (unsigned long long)smtp.accepted,
                  (unsigned long long)(smtp.bytes / 1024),
                  (unsigned long long)pop3.retrieved,
                  (unsigned long long)(pop3.bytes / 1024),
                  (unsigned long long)relay.delivered,
                  (unsigned long long)st.delivered,
                  (unsigned long long)st.commits);
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
    screen_text(ROW_STORE, 2, SCREEN_BRIGHT, "Store");
    screen_text(ROW_STORE, 11,
                st_state() == ST_READY ? SCREEN_GOOD : SCREEN_BAD,
                st_state_text());
    draw_stick(ROW_STORE + 1);
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
    .draw = draw,
    .key = key,
};
