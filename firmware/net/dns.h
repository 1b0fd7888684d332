/* DNS resolver (RFC 1034, 1035, 2308, 5452, 6891): asks the configured name
 * servers, caches by TTL, and never blocks anyone. What is done and what is
 * not: dns.c. */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "core/err.h"
#include "core/list.h"
#include "net/address.h"
#include <stdbool.h>
#include <stdint.h>

#define DNS_NAME_BYTES 256 /* as text, without the last dot, with NUL */
#define DNS_ANSWERS    16  /* more are dropped, the best by preference kept */

enum dns_type {
    DNS_A = 1,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
};

enum dns_status {
    DNS_OK,       /* there is at least one answer */
    DNS_NO_NAME,  /* the name does not exist (NXDOMAIN) */
    DNS_NO_DATA,  /* it exists, but has no record of this type */
    DNS_FAILED,   /* no server answered usefully in time: try again later */
    DNS_BAD_NAME, /* the question is no domain name */
};

struct dns_answer {
    uint32_t ttl_s;
    uint16_t preference;        /* MX; answers are sorted by it, equals are
                                   shuffled (RFC 5321 5.1) */
    struct net_address address; /* A, AAAA */
    char name[DNS_NAME_BYTES];  /* MX exchange ("" for null MX, RFC 7505) and
                                   PTR target in small letters; TXT: the first
                                   255 bytes of its strings put together */
};

/* One question; the memory belongs to the asker until done() was called. */
struct dns_lookup {
    struct list link;
    void (*done)(struct dns_lookup *lookup);
    void *context;
    enum dns_type type;
    char name[DNS_NAME_BYTES];
    bool cname; /* an alias was followed on the way */
    enum dns_status status;
    unsigned count;
    struct dns_answer answers[DNS_ANSWERS];
};

/* dns_module_init - cache and sockets; once. Returns OK or ERR_MEMORY. */
enum err dns_module_init(void) MUST_CHECK;

/* dns_lookup - asks for records of lookup->type at a name; done() is set by the
 * caller before, and is called later, never from inside this call, also when
 * the answer is in the cache. */
void dns_lookup(struct dns_lookup *lookup, const char *name,
                enum dns_type type);

/* dns_cancel - done() is not called any more. Allowed in any state. */
void dns_cancel(struct dns_lookup *lookup);

/* dns_reverse_name - the name to ask for PTR: "4.3.2.1.in-addr.arpa" or the
 * ip6.arpa form. text: DNS_NAME_BYTES. Returns text. */
char *dns_reverse_name(const struct net_address *address, char *text);

struct dns_figures {
    uint64_t questions, cached, sent, answers, timeouts, spoofed, tcp;
    unsigned entries, waiting;
};
void dns_figures(struct dns_figures *figures);

#endif
