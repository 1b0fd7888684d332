/* The web server as a whole, for who starts and stops it. */
#ifndef HTTP_HTTP_SERVER_H
#define HTTP_HTTP_SERVER_H

#include "core/err.h"
#include <stdint.h>

/* http_server_init - makes connections and tasks (HT, PT), with `memory` bytes
 * in all. Returns OK or ERR_MEMORY. */
enum err http_server_init(size_t memory) MUST_CHECK;

/* http_server_start - listens on port 80, unless the setting "http" is "no".
 * http_server_stop - takes no more requests, ends what runs. */
void http_server_start(void);
void http_server_stop(void);

struct http_figures {
    unsigned connections, connections_peak, capacity;
    uint64_t accepted, turned_away;
    uint64_t requests;  /* answered, of any status */
    uint64_t assets;    /* of them, static files of the AO */
    uint64_t status[6]; /* by hundreds: [2] is 2xx */
    uint64_t bytes_out; /* content and headers */
    uint64_t bytes_in;  /* content of requests */
    uint64_t timeouts;  /* clients that were too slow */
    uint64_t forged;    /* POST without the right CSRF token */
    unsigned logged_in; /* login sessions now */
};
void http_figures(struct http_figures *figures);

#endif
