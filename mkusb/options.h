/* The command line. */
#ifndef MKUSB_OPTIONS_H
#define MKUSB_OPTIONS_H

#include "core/err.h"
#include "mailstore/store_queue.h"
#include "mkusb/settings.h"
#include <stdbool.h>
#include <stdint.h>

enum mode {
    MODE_NONE,
    MODE_CREATE,
    MODE_LIST,
    MODE_INSPECT,
    MODE_UPDATE,
    MODE_CHECK,
    MODE_HELP,
    MODE_VERSION,
};

#define OPTIONS_ROUTES 32

/* --route: the server that takes mail for a domain. */
struct option_route {
    char domain[USER_DOMAIN_BYTES]; /* "": all */
    struct store_route route;
};

struct options {
    enum mode mode;
    const char *target;
    const char *users_file;
    const char *ao_file; /* NULL: beside mkusb */
    const char *user;
    const char *export_folder;
    const char *message; /* --message */
    bool log;            /* --log */
    bool maildir;        /* --format maildir */
    bool yes, fixed;
    uint64_t size_bytes; /* 0: not given */
    struct settings settings;
    struct option_route routes[OPTIONS_ROUTES];
    unsigned route_count;
};

/* options_parse - OK; ERR_INVALID for what is no command line of mkusb (exit
 * status 2), ERR_REFUSED for a value that is wrong (1); both explained. */
enum err options_parse(struct options *options, int argc,
                       char *const argv[]) MUST_CHECK;

/* options_print_help - to stdout. */
void options_print_help(void);

#endif
