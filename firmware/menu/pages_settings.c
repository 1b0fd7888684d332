/* The pages that change settings: network, names, limits. */
#include "core/card_name.h"
#include "core/machine.h"
#include "menu/form.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "menu/settings.h"
#include <stdio.h>

/* Behind the form's fields. */
#define CARDS_ROW 19

static const struct form_field network_fields[] = {
    {"address", "Address", "dhcp, or an address with prefix: 192.168.1.5/24",
     settings_address_valid},
    {"gateway", "Gateway", "an address, or nothing", settings_gateway_valid},
    {"dns", "Name servers", "up to three addresses, separated by spaces",
     settings_dns_valid},
    {"syslog", "Syslog server", "an address or address:port, or nothing",
     settings_syslog_valid},
    {"card", "Network card",
     "nothing: the one with link; else a place or an address", card_name_valid},
};

static const struct form_field name_fields[] = {
    {"hostname", "Host name", "the full name of this server: mail.example.org",
     settings_hostname_valid},
    {"domains", "Mail domains",
     "the domains that are ours, with spaces between", settings_domains_valid},
};

/* Those of firmware/limits that one may want to change; the others are set in
 * the store. */
static const struct form_field limit_fields[] = {
    {"limit_sessions", "Sessions",
     "at once from one address; 20 if empty, 0: no limit",
     settings_number_valid},
    {"limit_connections", "Connections",
     "a minute from one address; 120 if empty, 0: no limit",
     settings_number_valid},
    {"limit_user_messages", "Messages of a user",
     "an hour; 300 if empty, 0: no limit", settings_number_valid},
    {"limit_user_recipients", "Recipients of a user",
     "elsewhere, an hour; 500 if empty, 0: no limit", settings_number_valid},
    {"slow_strangers_ms", "Slow strangers",
     "ms that who never sent before has to wait", settings_number_valid},
    {"dnsbl", "Block lists", "DNS zones, with spaces between, or nothing",
     settings_zones_valid},
    {"dnsbl_action", "Who is on a list", "refuse (also if empty), or mark",
     settings_action_valid},
};

static void enter_network(void)
{
    form_enter(network_fields,
               sizeof(network_fields) / sizeof(network_fields[0]));
}

/* The cards of this PC, below the form. */
static void draw_network(void)
{
    struct machine_nic_info card;

    form_draw();
    for (unsigned i = 0; CARDS_ROW + i <= PAGE_LAST_ROW; i++) {
        char link[24] = "no link";

        if (!machine_nic_at(i, &card))
            return;
        if (card.link_up)
            (void)snprintf(link, sizeof(link), "link, %u Mbit/s",
                           (unsigned)card.speed_mbit);
        if (card.link_up && card.speed_mbit == 0)
            (void)snprintf(link, sizeof(link), "link");
        screen_format(CARDS_ROW + i, 3,
                      card.link_up ? SCREEN_NORMAL : SCREEN_DIM,
                      "%c %-7s %02x:%02x:%02x:%02x:%02x:%02x  %-17s %.30s",
                      card.serving ? '*' : ' ', card.place, card.address[0],
                      card.address[1], card.address[2], card.address[3],
                      card.address[4], card.address[5], link, card.name);
    }
}

static void enter_names(void)
{
    form_enter(name_fields, sizeof(name_fields) / sizeof(name_fields[0]));
}

static void enter_limits(void)
{
    form_enter(limit_fields, sizeof(limit_fields) / sizeof(limit_fields[0]));
}

#define FORM_HELP "Up Down  field    Enter  next, save    F2  save    Esc  back"

const struct page page_network = {
    .title = "Network",
    .help = FORM_HELP,
    .live = true,
    .enter = enter_network,
    .draw = draw_network,
    .key = form_key,
    .busy = form_busy,
};

const struct page page_names = {
    .title = "Names",
    .help = FORM_HELP,
    .enter = enter_names,
    .draw = form_draw,
    .key = form_key,
    .busy = form_busy,
};

const struct page page_limits = {
    .title = "Limits against abuse",
    .help = FORM_HELP,
    .enter = enter_limits,
    .draw = form_draw,
    .key = form_key,
    .busy = form_busy,
};
