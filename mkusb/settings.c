/* Settings from the command line, each checked before anything is written.
 *
 * A key that the server does not know is refused: a misspelt setting that is
 * silently without effect would be found out only on the booted machine.
 */
#include "mkusb/settings.h"
#include "core/card_name.h"
#include "core/zone.h"
#include "mailstore/sql.h"
#include "mkusb/say.h"
#include "userdb/user.h"
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HOSTNAME "barepost"
#define DOMAIN_PREFIX    "domain:"

/* ---- Syntax of values ---------------------------------------------------- */

static bool parse_address(const char *text, size_t len, uint32_t *address)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr in;

    if (len == 0 || len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, &in) != 1)
        return false;
    *address = ntohl(in.s_addr);
    return true;
}

/* An address that one host can have. */
static bool is_host_address(uint32_t address)
{
    unsigned first = address >> 24;

    return first != 0 && first != 127 && first < 224;
}

static bool parse_network(const char *text, uint32_t *address, uint32_t *mask)
{
    const char *slash = strchr(text, '/');
    unsigned bits = 0;
    size_t digits;

    if (slash == NULL || !parse_address(text, (size_t)(slash - text), address))
        return false;
    digits = strspn(slash + 1, "0123456789");
    if (digits == 0 || digits > 2 || slash[1 + digits] != '\0')
        return false;
    for (size_t i = 1; i <= digits; i++)
        bits = bits * 10 + (unsigned)(slash[i] - '0');
    if (bits < 1 || bits > 31)
        return false;
    *mask = UINT32_MAX << (32 - bits);
    return true;
}

static enum err check_address(const char *value)
{
    uint32_t address, mask;

    if (strcmp(value, "dhcp") == 0)
        return OK;
    if (!parse_network(value, &address, &mask))
        return say_refused("address \"%s\": give \"dhcp\", or address and "
                           "prefix like 192.168.1.10/24",
                           value);
    if (!is_host_address(address))
        return say_refused("address \"%s\" cannot belong to a machine", value);
    if (mask != UINT32_MAX << 1 &&
        ((address & ~mask) == 0 || (address & ~mask) == ~mask))
        return say_refused("address \"%s\" is the network's own or its "
                           "broadcast address, not a machine's",
                           value);
    return OK;
}

static enum err check_plain_address(const char *key, const char *value)
{
    uint32_t address;

    if (parse_address(value, strlen(value), &address) &&
        is_host_address(address))
        return OK;
    return say_refused("%s \"%s\": give an IPv4 address like 192.168.1.1", key,
                       value);
}

static enum err check_name(const char *key, const char *value)
{
    if (user_domain_valid(value, strlen(value)))
        return OK;
    return say_refused("%s \"%s\": only letters, digits, hyphens (not at an "
                       "end) and dots between the parts are allowed",
                       key, value);
}

/* Each of the words; there is at least one. */
static enum err check_words(const char *key, const char *value,
                            enum err (*check)(const char *, const char *))
{
    char word[SETTINGS_VALUE_BYTES];
    enum err err = value[0] == '\0' ? check(key, value) : OK;

    while (err == OK && *value != '\0') {
        size_t len = strcspn(value, " ");

        memcpy(word, value, len);
        word[len] = '\0';
        err = check(key, word);
        value += len + (value[len] == ' ');
    }
    return err;
}

static enum err check_address_of(const char *key, const char *value)
{
    (void)key;
    return check_address(value);
}

static enum err check_domains(const char *key, const char *value)
{
    (void)key;
    return check_words("domain", value, check_name);
}

static enum err check_plain_addresses(const char *key, const char *value)
{
    return check_words(key, value, check_plain_address);
}

static enum err check_zones(const char *key, const char *value)
{
    return check_words(key, value, check_name);
}

static enum err check_number(const char *key, const char *value)
{
    size_t len = strlen(value);

    if (len > 0 && len <= 9 && strspn(value, "0123456789") == len)
        return OK;
    return say_refused("%s \"%s\": give a number, 0 for none", key, value);
}

static enum err check_action(const char *key, const char *value)
{
    if (strcmp(value, "refuse") == 0 || strcmp(value, "mark") == 0)
        return OK;
    return say_refused("%s \"%s\": refuse or mark", key, value);
}

static enum err check_yes_no(const char *key, const char *value)
{
    if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0)
        return OK;
    return say_refused("%s \"%s\": yes or no", key, value);
}

static enum err check_on_off(const char *key, const char *value)
{
    if (strcmp(value, "on") == 0 || strcmp(value, "off") == 0)
        return OK;
    return say_refused("%s \"%s\": on or off", key, value);
}

/* "20000", "500K", "25M", at most 1 GiB. */
static bool is_size(const char *value)
{
    size_t digits = strspn(value, "0123456789");

    return digits > 0 && digits <= 9 &&
           (value[digits] == '\0' ||
            (strchr("KM", value[digits]) != NULL && value[digits + 1] == '\0'));
}

uint64_t settings_size(const char *value)
{
    char *end;
    uint64_t bytes = strtoull(value, &end, 10);

    return *end == 'K' ? bytes << 10 : *end == 'M' ? bytes << 20 : bytes;
}

static enum err check_size(const char *key, const char *value)
{
    if (is_size(value))
        return OK;
    return say_refused("%s \"%s\": give bytes, like 500K or 25M", key, value);
}

static enum err check_data_size(const char *key, const char *value)
{
    if (is_size(value) && (settings_size(value) == 0 ||
                           settings_size(value) >= SQL_DATA_BYTES_MIN))
        return OK;
    return say_refused("%s \"%s\": give bytes, like 16M, or 0 for no database",
                       key, value);
}

static enum err check_data_access(const char *key, const char *value)
{
    if (strcmp(value, "admin") == 0 || strcmp(value, "shared") == 0 ||
        strcmp(value, "own") == 0)
        return OK;
    return say_refused("%s \"%s\": admin, shared (one database for all users) "
                       "or own (one for each)",
                       key, value);
}

static enum err check_metrics(const char *key, const char *value)
{
    if (strcmp(value, "private") == 0 || strcmp(value, "all") == 0 ||
        strcmp(value, "admin") == 0)
        return OK;
    return say_refused("%s \"%s\": private, all or admin", key, value);
}

static enum err check_tags(const char *key, const char *value)
{
    if (strcmp(value, "none") == 0 ||
        (value[0] != '\0' && strlen(value) < 8 &&
         strspn(value, "!#$%&'*+-/=?^_`{|}~") == strlen(value)))
        return OK;
    return say_refused("%s \"%s\": give a character like +, or none", key,
                       value);
}

/* "domain:example.org": what holds for a domain. */
static enum err check_domain(const char *key, const char *value)
{
    const char *at = value;

    if (!user_domain_valid(key + strlen(DOMAIN_PREFIX),
                           strlen(key + strlen(DOMAIN_PREFIX))))
        return say_refused("\"%s\" is no domain", key);
    while (*at != '\0') {
        size_t len = strcspn(at, " ");
        char word[SETTINGS_VALUE_BYTES];

        memcpy(word, at, len);
        word[len] = '\0';
        if (strcmp(word, "closed") != 0 &&
            (strncmp(word, "size=", 5) != 0 || !is_size(word + 5)))
            return say_refused("%s \"%s\": closed, or size= and bytes", key,
                               word);
        at += len + (at[len] == ' ');
    }
    return OK;
}

/* "192.168.1.9" or "192.168.1.9:1514". */
static enum err check_syslog(const char *key, const char *value)
{
    size_t len = strcspn(value, ":");
    char word[SETTINGS_VALUE_BYTES];
    long port = 1;

    memcpy(word, value, len);
    word[len] = '\0';
    if (value[len] == ':') {
        const char *digits = value + len + 1;
        size_t count = strspn(digits, "0123456789");

        port = count > 0 && count <= 5 && digits[count] == '\0'
                   ? strtol(digits, NULL, 10)
                   : 0;
    }
    if (port < 1 || port > UINT16_MAX)
        return say_refused("%s \"%s\": the port is wrong", key, value);
    return check_plain_address(key, word);
}

/* Names or addresses of time servers, or "off". */
static enum err check_time_servers(const char *key, const char *value)
{
    (void)key;
    return check_words("time server", value, check_name);
}

static enum err check_zone(const char *key, const char *value)
{
    if (zone_valid(value))
        return OK;
    return say_refused("%s \"%s\": give a place like Europe/Berlin, an offset "
                       "like +2, or a POSIX rule like "
                       "CET-1CEST,M3.5.0,M10.5.0/3",
                       key, value);
}

static enum err check_files(const char *key, const char *value)
{
    bool read = strcmp(key, "files_read") == 0;

    if (strcmp(value, "users") == 0 || strcmp(value, "off") == 0 ||
        strcmp(value, read ? "everyone" : "admins") == 0)
        return OK;
    return say_refused("%s \"%s\": %s, users or off", key, value,
                       read ? "everyone" : "admins");
}

/* "192.0.2.1/users.csv" */
static enum err check_load(const char *key, const char *value)
{
    char address[20];
    size_t len = strcspn(value, "/");

    if (len < sizeof(address) && value[len] == '/' && value[len + 1]) {
        memcpy(address, value, len);
        address[len] = '\0';
        if (check_plain_address(key, address) == OK)
            return OK;
    }
    return say_refused("%s \"%s\": give ADDRESS/FILE of a TFTP server", key,
                       value);
}

static enum err check_loads(const char *key, const char *value)
{
    return check_words(key, value, check_load);
}

/* By the address of the network card, or its place in the PC. */
static enum err check_card(const char *key, const char *value)
{
    if (card_name_valid(value))
        return OK;
    return say_refused("%s \"%s\": an address like 52:54:00:12:34:56, or a "
                       "place like 03:00.0",
                       key, value);
}

/* The settings that are a user's to choose. */
static const struct {
    const char *key;
    enum err (*check)(const char *key, const char *value);
} known[] = {
    /* What mkusb has options for. */
    {"hostname", check_name},
    {"domains", check_domains},
    {"address", check_address_of},
    {"gateway", check_plain_address},
    {"dns", check_plain_addresses},
    {"card", check_card},
    {"ntp", check_time_servers},
    {"timezone", check_zone},
    {"mdns", check_on_off},
    /* The web server: firmware/http/http_session.c, firmware/files/files.h,
     * firmware/load/load.h. */
    {"http", check_yes_no},
    {"web_idle_minutes", check_number},
    {"web_login_hours", check_number},
    {"files_read", check_files},
    {"files_write", check_files},
    {"files_max_mb", check_number},
    {"load_at_start", check_loads},
    /* The log. */
    {"syslog", check_syslog},
    {"log_lines", check_number},
    /* The relay. */
    {"queue_days", check_number},
    {"queue_delay_notice", check_number},
    {"queue_host_sessions", check_number},
    {"bounce_postmaster", check_yes_no},
    /* Databases beside mail.db: mailstore/sql.h. */
    {"data_bytes", check_data_size},
    {"data_access", check_data_access},
    {"data_user_bytes", check_data_size},
    {"metrics", check_metrics},
    /* Mail: firmware/smtp/smtp_settings.h, userdb/directory.h. */
    {"auth_clear", check_yes_no},
    {"check_from", check_yes_no},
    {"message_max", check_size},
    {"header_max", check_size},
    {"line_max", check_number},
    {"recipients_max", check_number},
    {"smtp_errors_max", check_number},
    {"smtp_commands_max", check_number},
    {"tag_separator", check_tags},
    /* Limits: firmware/limits/limits.c. */
    {"limit_sessions", check_number},
    {"limit_sessions_net", check_number},
    {"limit_connections", check_number},
    {"limit_invalid_recipients", check_number},
    {"limit_user_messages", check_number},
    {"limit_user_recipients", check_number},
    {"limit_private", check_number},
    {"tarpit_ms", check_number},
    {"greet_delay_ms", check_number},
    {"slow_strangers_ms", check_number},
    {"dnsbl", check_zones},
    {"dnsbl_action", check_action},
};

static enum err refuse_unknown(const char *key)
{
    char names[1024] = "";

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t used = strlen(names);

        snprintf(names + used, sizeof(names) - used, "%s%s",
                 used > 0 ? ", " : "", known[i].key);
    }
    return say_refused("there is no setting \"%s\"; there are %s and "
                       "domain:NAME",
                       key, names);
}

static enum err check_value(const char *key, const char *value)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].key, key) == 0)
            return known[i].check(key, value);
    if (strncmp(key, DOMAIN_PREFIX, strlen(DOMAIN_PREFIX)) == 0)
        return check_domain(key, value);
    return refuse_unknown(key);
}

/* ---- The list ------------------------------------------------------------ */

static struct setting *find(const struct settings *settings, const char *key)
{
    for (unsigned i = 0; i < settings->count; i++)
        if (strcmp(settings->list[i].key, key) == 0) {
            uintptr_t at = (uintptr_t)&settings->list[i];

            return (struct setting *)at;
        }
    return NULL;
}

const char *settings_get(const struct settings *settings, const char *key)
{
    const struct setting *setting = find(settings, key);

    return setting == NULL ? NULL : setting->value;
}

/* Control characters would break the lines of menu and log. */
static bool is_printable(const char *value)
{
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7F)
            return false;
    return true;
}

enum err settings_put(struct settings *settings, const char *key,
                      const char *value)
{
    struct setting *setting = find(settings, key);
    enum err err;

    if (strlen(key) >= SETTINGS_KEY_BYTES)
        return say_refused("the setting \"%.80s\" is too long", key);
    if (strlen(value) >= SETTINGS_VALUE_BYTES || !is_printable(value))
        return say_refused("the value of %s is too long or holds control "
                           "characters",
                           key);
    err = check_value(key, value);
    if (err != OK)
        return err;
    if (setting == NULL && settings->count == SETTINGS_MAX)
        return say_refused("more than %d settings", SETTINGS_MAX);
    if (setting == NULL)
        setting = &settings->list[settings->count++];
    snprintf(setting->key, sizeof(setting->key), "%s", key);
    snprintf(setting->value, sizeof(setting->value), "%s", value);
    return OK;
}

enum err settings_append(struct settings *settings, const char *key,
                         const char *word)
{
    const char *before = settings_get(settings, key);
    char value[SETTINGS_VALUE_BYTES];
    int len;

    if (strchr(word, ' ') != NULL)
        return say_refused("\"%s\": give one at a time, without spaces", word);
    if (before == NULL)
        return settings_put(settings, key, word);
    len = snprintf(value, sizeof(value), "%s %s", before, word);
    if (len < 0 || (size_t)len >= sizeof(value))
        return say_refused("too many values for %s", key);
    return settings_put(settings, key, value);
}

/* ---- What was not given -------------------------------------------------- */

/* "mail.example.org" serves example.org; "example.org" itself; a bare name its
 * .local domain (RFC 6762). */
static enum err default_domain(struct settings *settings)
{
    const char *hostname = settings_get(settings, "hostname");
    const char *dot = strchr(hostname, '.');
    char domain[SETTINGS_VALUE_BYTES + 8];

    if (dot == NULL)
        snprintf(domain, sizeof(domain), "%s.local", hostname);
    else
        snprintf(domain, sizeof(domain), "%s",
                 strchr(dot + 1, '.') == NULL ? hostname : dot + 1);
    return settings_put(settings, "domains", domain);
}

static enum err check_gateway(const struct settings *settings)
{
    const char *network = settings_get(settings, "address");
    const char *text = settings_get(settings, "gateway");
    uint32_t address, mask, gateway;

    if (text == NULL || !parse_address(text, strlen(text), &gateway))
        return OK;
    if (!parse_network(network, &address, &mask))
        return say_refused("a gateway belongs to a fixed address: give "
                           "--address ADDR/PREFIX as well");
    if ((gateway & mask) != (address & mask) || gateway == address)
        return say_refused("gateway %s is not another machine in the network "
                           "of %s",
                           text, network);
    return OK;
}

enum err settings_complete(struct settings *settings)
{
    enum err err = OK;

    if (settings_get(settings, "hostname") == NULL)
        err = settings_put(settings, "hostname", DEFAULT_HOSTNAME);
    if (err == OK && settings_get(settings, "domains") == NULL)
        err = default_domain(settings);
    if (err == OK && settings_get(settings, "address") == NULL)
        err = settings_put(settings, "address", "dhcp");
    return err == OK ? check_gateway(settings) : err;
}
