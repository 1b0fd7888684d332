/* Command line -> struct options. Every combination that makes no sense is a
 * usage error, so that no option is ever silently without effect. */
#include "mkusb/options.h"
#include "mkusb/say.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
    OPTION_USERS = 256,
    OPTION_SIZE,
    OPTION_HOSTNAME,
    OPTION_DOMAIN,
    OPTION_ADDRESS,
    OPTION_GATEWAY,
    OPTION_DNS,
    OPTION_SET,
    OPTION_ROUTE,
    OPTION_LIST,
    OPTION_INSPECT,
    OPTION_USER,
    OPTION_EXPORT,
    OPTION_LOG,
    OPTION_MESSAGE,
    OPTION_FORMAT,
    OPTION_UPDATE,
    OPTION_CHECK,
    OPTION_YES,
    OPTION_FIXED,
    OPTION_AO,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option table[] = {
    {"users", required_argument, NULL, OPTION_USERS},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"hostname", required_argument, NULL, OPTION_HOSTNAME},
    {"domain", required_argument, NULL, OPTION_DOMAIN},
    {"address", required_argument, NULL, OPTION_ADDRESS},
    {"gateway", required_argument, NULL, OPTION_GATEWAY},
    {"dns", required_argument, NULL, OPTION_DNS},
    {"set", required_argument, NULL, OPTION_SET},
    {"route", required_argument, NULL, OPTION_ROUTE},
    {"list", no_argument, NULL, OPTION_LIST},
    {"inspect", no_argument, NULL, OPTION_INSPECT},
    {"user", required_argument, NULL, OPTION_USER},
    {"export", required_argument, NULL, OPTION_EXPORT},
    {"log", no_argument, NULL, OPTION_LOG},
    {"message", required_argument, NULL, OPTION_MESSAGE},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"update", no_argument, NULL, OPTION_UPDATE},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"yes", no_argument, NULL, OPTION_YES},
    {"fixed", no_argument, NULL, OPTION_FIXED},
    {"ao", required_argument, NULL, OPTION_AO},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "mkusb - makes, reads and keeps Barepost sticks\n"
    "\n"
    "  mkusb --users FILE [options] TARGET     make a stick\n"
    "  mkusb --list                            show the USB sticks\n"
    "  mkusb --inspect TARGET [--user U] [--export DIR] [--format "
    "eml|maildir]\n"
    "  mkusb --inspect TARGET --log [--message ID | --user U]\n"
    "  mkusb --update TARGET                   new program, same mail; the "
    "one\n"
    "                                          before stays in the boot menu\n"
    "  mkusb --check TARGET                    examine a stick\n"
    "\n"
    "TARGET is a whole USB stick (/dev/sdX) or a file that holds the image of\n"
    "one. A stick, or a file with content, is overwritten only after you have\n"
    "typed yes, or with --yes.\n"
    "\n"
    "Making a stick:\n"
    "  --users FILE       users.csv: a header line and a line for each user.\n"
    "                     Columns username,password,name,quota_mb,admin,\n"
    "                     aliases,forward; the first two are required. "
    "Aliases\n"
    "                     and addresses are separated by spaces, the password "
    "is\n"
    "                     plain or an argon2id hash. Several users may have "
    "the\n"
    "                     same alias; @DOMAIN is for what nobody else gets.\n"
    "                     forward: addresses that the user's mail goes on to,\n"
    "                     with a copy kept here, or \"only ADDRESS\" without\n"
    "  --size N           size of the image, or the part of a stick to use; N\n"
    "                     bytes, or with K, M, G, T. Default: the file's "
    "size,\n"
    "                     1G for a new file, the whole of a stick\n"
    "  --hostname H       the server's name; default barepost\n"
    "  --domain D         mail for @D is ours; more than one is allowed.\n"
    "                     Default: the hostname without its first part when "
    "it\n"
    "                     has three or more, the hostname when it has two, "
    "else\n"
    "                     HOSTNAME.local\n"
    "  --address A        dhcp (default) or ADDR/PREFIX, e.g. 192.168.1.10/24\n"
    "  --gateway G        router, with a fixed address\n"
    "  --dns A            name server; more than one is allowed\n"
    "  --set KEY=VALUE    a setting by its name in the store: hostname,\n"
    "                     domains, address, gateway, dns, card (its address "
    "or\n"
    "                     place), syslog (ADDR[:PORT]),\n"
    "                     log_lines, ntp (time servers, or off), mdns (on, "
    "off),\n"
    "                     auth_clear (no: no passwords without\n"
    "                     encryption), check_from (yes: users' From must be "
    "their\n"
    "                     own), message_max, tag_separator, domain:NAME "
    "(size=N\n"
    "                     and closed: for users who are logged in),\n"
    "                     data_bytes (size of data.db, the database beside "
    "the\n"
    "                     mail; 0: none), data_access (admin; shared: for all\n"
    "                     users; own: one for each), data_user_bytes;\n"
    "                     a wrong KEY tells them all\n"
    "  --fixed            take a USB disk too, not only removable sticks\n"
    "  --route D=HOST[:PORT][,LOGIN,PASSWORD]\n"
    "                     mail for @D goes to this server instead of D's own;\n"
    "                     * for all domains; more than one is allowed.\n"
    "                     Settings for mail to others: queue_days (how long "
    "it\n"
    "                     is tried; 5), queue_delay_notice (hours until the\n"
    "                     sender is told of a delay, 0: never; 4),\n"
    "                     queue_host_sessions (at most to one server; 20),\n"
    "                     bounce_postmaster (yes: notices that cannot be\n"
    "                     delivered go to the postmaster)\n"
    "\n"
    "Reading a stick (nothing on it is ever changed):\n"
    "  --user U           this user only; shows the messages\n"
    "  --export DIR       writes the messages into DIR (new or empty), byte "
    "for\n"
    "                     byte as U/MAILBOX/UID.eml, or as Maildir (line ends "
    "LF)\n"
    "  --log              the log instead: what happened to each message\n"
    "  --message ID       only lines about one message: its number, or the id\n"
    "                     of its Received line\n"
    "\n"
    "  --ao FILE          the server's program; default: ao beside mkusb. "
    "What\n"
    "                     belongs to it is looked for in the same folder:\n"
    "                     BOOTX64.EFI, and barepost.update, which is also "
    "what\n"
    "                     the server takes by TFTP (menu: Files)\n"
    "  --yes              do not ask\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 done, 1 refused or failed, 2 wrong command line.\n";

void options_print_help(void)
{
    fputs(help, stdout);
}

static enum err usage(const char *text, const char *name)
{
    say_refused("%s%s. See mkusb --help", text, name);
    return ERR_INVALID;
}

static enum err set_mode(struct options *options, enum mode mode)
{
    if (options->mode != MODE_NONE && options->mode != mode)
        return usage("only one of --users, --list, --inspect, --update, "
                     "--check can be given",
                     "");
    options->mode = mode;
    return OK;
}

/* "64M", "1g", "68719476736", "512KiB". */
static enum err parse_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    const char *at = text, *unit;
    uint64_t value = 0, factor = 1;
    bool fits = true;

    for (; *at >= '0' && *at <= '9'; at++) {
        fits = fits && value < UINT64_MAX / 16;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    unit = *at == '\0' ? NULL : strchr(units, *at & ~0x20);
    if (at > text && unit != NULL) {
        factor = 1ull << (10 * (unit - units + 1));
        at++;
        if (strcasecmp(at, "iB") == 0 || strcasecmp(at, "B") == 0)
            at += strlen(at);
    }
    if (at == text || *at != '\0' || !fits || value == 0 ||
        value > (UINT64_MAX >> 2) / factor)
        return say_refused("size \"%s\": give a number of bytes, or one with "
                           "K, M, G or T, e.g. 4G",
                           text);
    *bytes = value * factor;
    return OK;
}

static enum err parse_set(struct options *options, const char *text)
{
    const char *equals = strchr(text, '=');
    char key[SETTINGS_KEY_BYTES];

    if (equals == NULL || equals == text)
        return say_refused("--set \"%s\": give KEY=VALUE", text);
    if ((size_t)(equals - text) >= sizeof(key))
        return say_refused("--set \"%s\": the name is too long", text);
    memcpy(key, text, (size_t)(equals - text));
    key[equals - text] = '\0';
    return settings_put(&options->settings, key, equals + 1);
}

static enum err parse_route(struct options *options, const char *text)
{
    struct option_route *route = &options->routes[options->route_count];

    if (options->route_count == OPTIONS_ROUTES)
        return say_refused("more than %d routes", OPTIONS_ROUTES);
    if (store_route_parse(text, route->domain, sizeof(route->domain),
                          &route->route) != OK)
        return say_refused("--route \"%s\": give "
                           "DOMAIN=HOST[:PORT][,LOGIN,PASSWORD]; * for all "
                           "domains",
                           text);
    options->route_count++;
    return OK;
}

static enum err parse_format(struct options *options, const char *text)
{
    options->maildir = strcmp(text, "maildir") == 0;
    if (options->maildir || strcmp(text, "eml") == 0)
        return OK;
    return say_refused("--format \"%s\": eml or maildir", text);
}

static enum err take_mode(struct options *options, int option)
{
    switch (option) {
    case OPTION_LIST:
        return set_mode(options, MODE_LIST);
    case OPTION_INSPECT:
        return set_mode(options, MODE_INSPECT);
    case OPTION_UPDATE:
        return set_mode(options, MODE_UPDATE);
    case OPTION_CHECK:
        return set_mode(options, MODE_CHECK);
    default:
        /* getopt_long() has printed what is wrong. */
        return ERR_INVALID;
    }
}

static enum err take_flag(struct options *options, int option)
{
    switch (option) {
    case OPTION_YES:
        options->yes = true;
        return OK;
    case OPTION_FIXED:
        options->fixed = true;
        return OK;
    case OPTION_USER:
        options->user = optarg;
        return OK;
    case OPTION_EXPORT:
        options->export_folder = optarg;
        return OK;
    case OPTION_LOG:
        options->log = true;
        return OK;
    case OPTION_MESSAGE:
        options->message = optarg;
        return OK;
    case OPTION_FORMAT:
        return parse_format(options, optarg);
    case OPTION_AO:
        options->ao_file = optarg;
        return OK;
    default:
        return take_mode(options, option);
    }
}

static enum err take_option(struct options *options, int option)
{
    switch (option) {
    case OPTION_USERS:
        options->users_file = optarg;
        return set_mode(options, MODE_CREATE);
    case OPTION_SIZE:
        return parse_size(optarg, &options->size_bytes);
    case OPTION_HOSTNAME:
        return settings_put(&options->settings, "hostname", optarg);
    case OPTION_DOMAIN:
        return settings_append(&options->settings, "domains", optarg);
    case OPTION_ADDRESS:
        return settings_put(&options->settings, "address", optarg);
    case OPTION_GATEWAY:
        return settings_put(&options->settings, "gateway", optarg);
    case OPTION_DNS:
        return settings_append(&options->settings, "dns", optarg);
    case OPTION_SET:
        return parse_set(options, optarg);
    case OPTION_ROUTE:
        return parse_route(options, optarg);
    default:
        return take_flag(options, option);
    }
}

/* Options that belong to one mode only. */
static enum err check_combination(const struct options *options, int targets)
{
    bool create = options->mode == MODE_CREATE;
    bool inspect = options->mode == MODE_INSPECT;

    if (options->mode == MODE_NONE)
        return usage("nothing to do: --users FILE TARGET makes a stick", "");
    if (!create && (options->size_bytes != 0 || options->settings.count != 0 ||
                    options->route_count != 0))
        return usage("--size, --hostname, --domain, --address, --gateway, "
                     "--dns, --set and --route belong to --users",
                     "");
    if (!inspect &&
        (options->user != NULL || options->export_folder != NULL ||
         options->maildir || options->log || options->message != NULL))
        return usage("--user, --export, --format, --log and --message belong "
                     "to --inspect",
                     "");
    if (options->message != NULL && !options->log)
        return usage("--message belongs to --log", "");
    if (options->log && (options->export_folder != NULL ||
                         (options->message != NULL && options->user != NULL)))
        return usage("with --log goes one of --message and --user", "");
    if (options->maildir && options->export_folder == NULL)
        return usage("--format belongs to --export", "");
    if (options->ao_file != NULL && !create && options->mode != MODE_UPDATE)
        return usage("--ao belongs to --users or --update", "");
    if (options->mode == MODE_LIST)
        return targets == 0 ? OK : usage("--list takes no target", "");
    if (targets == 0)
        return usage("the target is missing", "");
    return targets == 1 ? OK : usage("more than one target", "");
}

enum err options_parse(struct options *options, int argc, char *const argv[])
{
    enum err err = OK;
    int option;

    memset(options, 0, sizeof(*options));
    while (err == OK &&
           (option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            options->mode = option == OPTION_HELP ? MODE_HELP : MODE_VERSION;
            return OK;
        }
        err = take_option(options, option);
    }
    if (err == OK)
        err = check_combination(options, argc - optind);
    if (err != OK)
        return err;
    options->target = argv[optind];
    return options->mode == MODE_CREATE ? settings_complete(&options->settings)
                                        : OK;
}
