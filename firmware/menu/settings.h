/* Settings of the store as typed values: their checks, and the network
 * configuration that they make. */
#ifndef MENU_SETTINGS_H
#define MENU_SETTINGS_H

#include "net/net.h"
#include <stdbool.h>

bool settings_address_valid(const char *value);
bool settings_gateway_valid(const char *value);
bool settings_dns_valid(const char *value);
bool settings_hostname_valid(const char *value);
bool settings_domains_valid(const char *value);
bool settings_syslog_valid(const char *value);
bool settings_ntp_valid(const char *value);
bool settings_number_valid(const char *value); /* or nothing */
bool settings_zones_valid(const char *value);  /* names, or nothing */
bool settings_action_valid(const char *value); /* "refuse", "mark", nothing */

/* settings_network - the configuration that the store's settings ask for.
 * What is missing or wrong is replaced by DHCP, resp. left out, and logged. */
void settings_network(struct net_config *config);

/* settings_syslog - where the log goes by syslog; port 0: nowhere. */
void settings_syslog(struct net_endpoint *server);

#endif
