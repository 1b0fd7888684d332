/* Parsing of settings. The same texts come from mkusb, from the menu, and from
 * whoever edits the database with sqlite3: they are checked each time. */
#include "menu/settings.h"
#include "core/log.h"
#include "net/syslog.h"
#include "store/st.h"
#include <stdio.h>
#include <string.h>

#define WORD_BYTES 256

/* Copies the next word of *text; false when there is none, or it is longer than
 * any valid one. */
static bool next_word(const char **text, char word[WORD_BYTES])
{
    size_t length;

    while (**text == ' ')
        (*text)++;
    length = strcspn(*text, " ");
    if (length == 0 || length >= WORD_BYTES)
        return false;
    memcpy(word, *text, length);
    word[length] = '\0';
    *text += length;
    return true;
}

static bool at_end(const char *text)
{
    return text[strspn(text, " ")] == '\0';
}

/* "a.b.c.d/n". */
static bool parse_address(const char *value, struct net_address *address,
                          uint8_t *prefix_length)
{
    char word[WORD_BYTES];
    const char *slash = strchr(value, '/');
    unsigned prefix = 0;
    size_t digits;

    if (slash == NULL || slash - value >= WORD_BYTES)
        return false;
    memcpy(word, value, (size_t)(slash - value));
    word[slash - value] = '\0';
    digits = strspn(slash + 1, "0123456789");
    if (digits == 0 || digits > 2 || slash[1 + digits] != '\0')
        return false;
    for (size_t i = 1; i <= digits; i++)
        prefix = prefix * 10 + (unsigned)(slash[i] - '0');
    if (prefix == 0 || prefix > 32 || net_address_parse(word, address) != OK ||
        !net_address_is_v4(address))
        return false;
    *prefix_length = (uint8_t)prefix;
    return true;
}

bool settings_address_valid(const char *value)
{
    struct net_address address;
    uint8_t prefix_length;

    return strcmp(value, "dhcp") == 0 ||
           parse_address(value, &address, &prefix_length);
}

bool settings_gateway_valid(const char *value)
{
    struct net_address address;

    return *value == '\0' || net_address_parse(value, &address) == OK;
}

bool settings_dns_valid(const char *value)
{
    struct net_address address;
    char word[WORD_BYTES];
    unsigned count = 0;

    while (next_word(&value, word))
        if (net_address_parse(word, &address) != OK || ++count > 3)
            return false;
    return at_end(value);
}

/* A host name by RFC 1123 2.1: labels of letters, digits and inner hyphens. */
static bool name_valid(const char *name)
{
    size_t label = 0;

    for (const char *p = name;; p++) {
        bool alphanumeric = (*p >= 'a' && *p <= 'z') ||
                            (*p >= 'A' && *p <= 'Z') ||
                            (*p >= '0' && *p <= '9');

        if (*p == '.' || *p == '\0') {
            if (label == 0 || label > 63 || p[-1] == '-')
                return false;
            if (*p == '\0')
                return p - name <= 253;
            label = 0;
        } else if (alphanumeric || (*p == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
}

bool settings_hostname_valid(const char *value)
{
    return name_valid(value);
}

bool settings_domains_valid(const char *value)
{
    char word[WORD_BYTES];
    unsigned count = 0;

    while (next_word(&value, word)) {
        if (!name_valid(word))
            return false;
        count++;
    }
    return count > 0 && at_end(value);
}

bool settings_number_valid(const char *value)
{
    size_t digits = strspn(value, "0123456789");

    return digits <= 9 && value[digits] == '\0';
}

bool settings_zones_valid(const char *value)
{
    return at_end(value) || settings_domains_valid(value);
}

bool settings_action_valid(const char *value)
{
    return *value == '\0' || strcmp(value, "refuse") == 0 ||
           strcmp(value, "mark") == 0;
}

/* "a.b.c.d" or "a.b.c.d:port". */
static bool parse_syslog(const char *value, struct net_endpoint *server)
{
    size_t length = strcspn(value, ":");
    const char *digits = value + length + 1;
    char word[WORD_BYTES];
    unsigned port = SYSLOG_PORT;

    if (length >= sizeof(word))
        return false;
    memcpy(word, value, length);
    word[length] = '\0';
    if (value[length] == ':') {
        size_t count = strspn(digits, "0123456789");

        if (count == 0 || count > 5 || digits[count] != '\0')
            return false;
        port = 0;
        for (size_t i = 0; i < count; i++)
            port = port * 10 + (unsigned)(digits[i] - '0');
    }
    if (net_address_parse(word, &server->address) != OK || port == 0 ||
        port > UINT16_MAX || !net_address_is_v4(&server->address))
        return false;
    server->port = (uint16_t)port;
    return true;
}

bool settings_syslog_valid(const char *value)
{
    struct net_endpoint server;

    return *value == '\0' || parse_syslog(value, &server);
}

/* Names or addresses, or "off", which is a name as well. */
bool settings_ntp_valid(const char *value)
{
    struct net_address address;
    char word[WORD_BYTES];
    unsigned count = 0;

    while (next_word(&value, word))
        if ((!name_valid(word) && net_address_parse(word, &address) != OK) ||
            ++count > 4)
            return false;
    return at_end(value);
}

void settings_syslog(struct net_endpoint *server)
{
    const char *value = st_setting("syslog");

    if (*value != '\0' && parse_syslog(value, server))
        return;
    memset(server, 0, sizeof(*server));
    if (*value != '\0')
        log_warn("settings", "bad syslog=\"%s\"", value);
}

static void take_dns(struct net_config *config)
{
    const char *value = st_setting("dns");
    char word[WORD_BYTES];

    for (unsigned i = 0; i < 3 && next_word(&value, word); i++)
        if (net_address_parse(word, &config->dns[i]) != OK)
            log_warn("settings", "bad dns=\"%s\"", word);
}

void settings_network(struct net_config *config)
{
    const char *address = st_setting("address");
    const char *gateway = st_setting("gateway");

    memset(config, 0, sizeof(*config));
    config->dhcp =
        !parse_address(address, &config->address, &config->prefix_length);
    if (config->dhcp && *address != '\0' && strcmp(address, "dhcp") != 0)
        log_warn("settings", "bad address=\"%s\" used=dhcp", address);
    if (*gateway != '\0' && net_address_parse(gateway, &config->gateway) != OK)
        log_warn("settings", "bad gateway=\"%s\"", gateway);
    take_dns(config);
    config->quiet = strcmp(st_setting("mdns"), "off") == 0;
    (void)snprintf(config->hostname, sizeof(config->hostname), "%.*s",
                   (int)strcspn(st_setting("hostname"), "."),
                   st_setting("hostname"));
}
