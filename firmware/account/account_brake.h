/* Brakes on guessing.
 *
 * Each wrong password raises a score of the network it came from (the /24 of an
 * IPv4 address, the /64 of an IPv6 one), one of the account it was for, whether
 * that exists or not, and one of the exact address. Scores sink with time. From
 * a few on, the next attempt has to wait, longer with each:
 *
 *   network   from the 4th on   0.5 s, doubled up to 30 s
 *   account   from the 11th on  0.25 s, doubled up to 5 s
 *
 * For a network from which the account's owner has logged in before, his home,
 * neither holds, so that nobody can lock him out, be it a stranger or another
 * computer next to his own. In their places there are
 *
 *   host      from the 4th on   0.5 s, doubled up to 30 s
 *   home      from the 51st on  0.25 s, doubled up to 5 s: the account there
 *
 * And a pair of name
 * and password that is remembered for an address needs no attempt at all, while
 * that address has no more than ADDRESS_FREE wrong ones on its score: who
 * shares it with a guesser is slowed down like him, and not refused either.
 *
 * Scores are kept by a keyed hash in a table of fixed size; where it is full
 * the lowest gives way. */
#ifndef ACCOUNT_ACCOUNT_BRAKE_H
#define ACCOUNT_ACCOUNT_BRAKE_H

#include "core/err.h"
#include "net/address.h"
#include <stddef.h>
#include <stdint.h>

enum brake_kind {
    BRAKE_NETWORK,
    BRAKE_ACCOUNT,
    BRAKE_HOST,
    BRAKE_HOME,
    BRAKE_ADDRESS,
    BRAKE_KINDS
};

enum err brake_module_init(void) MUST_CHECK;

/* The keys. brake_name: of an account by its name, caseless. brake_home: of a
 * user in a network. */
uint64_t brake_network(const struct net_address *address);
uint64_t brake_name(const char *name, size_t len);
uint64_t brake_host(const struct net_address *address);
uint64_t brake_home(int64_t user_id, uint64_t network_key);
uint64_t brake_address(const struct net_address *address);

/* brake_score - wrong attempts on record now. */
unsigned brake_score(enum brake_kind kind, uint64_t key);

/* brake_until - when the next attempt may begin, timer_now_ms(). */
uint64_t brake_until(uint64_t key);

/* brake_raise - an attempt was wrong. brake_lower - one that was counted was
 * none. */
void brake_raise(enum brake_kind kind, uint64_t key);
void brake_lower(enum brake_kind kind, uint64_t key);

/* brake_open - whether remembered pairs of this address count. */
bool brake_open(uint64_t address_key);

#endif
