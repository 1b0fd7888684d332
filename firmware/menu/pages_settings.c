/* The pages that change settings: network and names. */
#include "menu/form.h"
#include "menu/page.h"
#include "menu/settings.h"

static const struct form_field network_fields[] = {
    {"address", "Address", "dhcp, or an address with prefix: 192.168.1.5/24",
     settings_address_valid},
    {"gateway", "Gateway", "an address, or nothing", settings_gateway_valid},
    {"dns", "Name servers", "up to three addresses, separated by spaces",
     settings_dns_valid},
    {"syslog", "Syslog server", "an address or address:port, or nothing",
     settings_syslog_valid},
};

static const struct form_field name_fields[] = {
    {"hostname", "Host name", "the full name of this server: mail.example.org",
     settings_hostname_valid},
    {"domains", "Mail domains",
     "the domains that are ours, with spaces between", settings_domains_valid},
};

static void enter_network(void)
{
    form_enter(network_fields,
               sizeof(network_fields) / sizeof(network_fields[0]));
}

static void enter_names(void)
{
    form_enter(name_fields, sizeof(name_fields) / sizeof(name_fields[0]));
}

#define FORM_HELP "Up Down  field    Enter  next, save    F2  save    Esc  back"

const struct page page_network = {
    .title = "Network",
    .help = FORM_HELP,
    .enter = enter_network,
    .draw = form_draw,
    .key = form_key,
};

const struct page page_names = {
    .title = "Names",
    .help = FORM_HELP,
    .enter = enter_names,
    .draw = form_draw,
    .key = form_key,
};
