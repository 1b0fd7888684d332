/* The relay: takes messages out of the store's queue to other mail servers
 * (SMTP client, RFC 5321). What is done and what is not: relay.c. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "core/err.h"
#include "net/address.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the relay asks of the network. */
struct relay_network {
    /* Whether there is one: without, nothing is tried. */
    bool (*is_up)(void);
    /* Whether an address is this server's, so that it sends itself nothing. */
    bool (*is_own)(const struct net_address *address);
    /* Whether it can be that of a server at all: no group, no broadcast. */
    bool (*is_host)(const struct net_address *address);
};

/* relay_init - makes the pool "SMTPC" and what the queue needs in memory, of
 * about so many bytes; once. Returns OK or ERR_MEMORY. */
enum err relay_init(size_t bytes,
                    const struct relay_network *network) MUST_CHECK;

/* relay_start - begins to read the queue; goes on by itself from then on. */
void relay_start(void);

/* relay_stop - takes up nothing new and ends what can be ended: what waits for
 * a server's answer to a whole message is left to get it. */
void relay_stop(void);

/* relay_idle - whether no message is on its way and all outcomes are stored. */
bool relay_idle(void);

struct relay_figures {
    unsigned sessions, sessions_peak, capacity;
    uint64_t connections;
    uint64_t messages;  /* transactions that were accepted */
    uint64_t delivered; /* recipients */
    uint64_t deferred, failed;
    uint64_t bytes;   /* of accepted messages */
    uint64_t notices; /* to senders */
    unsigned waiting; /* recipients in memory: due, under way, being settled */
};

void relay_figures(struct relay_figures *figures);

#endif
