/* The parts of the resolver among themselves: names and messages, cache,
 * servers, queries, TCP. What each does is said at the head of its file. */
#ifndef NET_DNS_INTERNAL_H
#define NET_DNS_INTERNAL_H

#include "net/dns.h"
#include <stddef.h>

#define DNS_PORT          53
#define DNS_SERVERS       3
#define DNS_NAME_WIRE     255
#define DNS_HEADER_BYTES  12
#define DNS_QUERY_BYTES   (DNS_HEADER_BYTES + DNS_NAME_WIRE + 4 + 11)
#define DNS_UDP_BYTES     1232  /* what we say that we take: never fragmented */
#define DNS_TCP_BYTES     16384 /* the longest answer by TCP */
#define DNS_ALIASES       8     /* CNAMEs one after the other */
#define DNS_TTL_MIN_S     5
#define DNS_TTL_MAX_S     86400
#define DNS_NEGATIVE_S    3600 /* at most (RFC 2308 5) */
#define DNS_FAILURE_S     5    /* first time (RFC 9520 3.2) */
#define DNS_FAILURE_MAX_S 300

/* ---- dns_name.c ---- */

/* A name as on the wire, uncompressed, with the root's empty label. */
struct dns_name {
    uint8_t bytes[DNS_NAME_WIRE];
    uint8_t len;
};

struct dns_question {
    struct dns_name name;
    enum dns_type type;
};

/* dns_name_parse - letters, digits, '-' and '_' in labels; a last dot may
 * stand. The letters become small ones. Returns false for anything else. */
bool dns_name_parse(const char *text, struct dns_name *name);

/* dns_name_read - a name in a message, perhaps compressed, case kept.
 * at: where it begins; set to what follows it. Returns false when it is
 * malformed: a pointer that does not lead back, too many of them, too long. */
bool dns_name_read(const uint8_t *message, size_t bytes, size_t *at,
                   struct dns_name *name);

/* dns_name_format - as text without the last dot; "" for the root. What is no
 * character of a host name becomes '?', which no lookup takes. */
void dns_name_format(const struct dns_name *name, char *text);

/* dns_name_equal - without regard to case (RFC 4343). */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

/* dns_name_within - whether name is `zone` or lies below it. */
bool dns_name_within(const struct dns_name *name, const struct dns_name *zone);
void dns_name_lower(struct dns_name *name);

/* dns_name_shake - each letter large or small by chance ("0x20"). */
void dns_name_shake(struct dns_name *name);

/* ---- dns_message.c ---- */

struct dns_result {
    enum dns_status status;
    bool cname;
    uint32_t ttl_s; /* 0: not to be kept */
    unsigned count;
    struct dns_answer answers[DNS_ANSWERS];
};

enum dns_reading {
    DNS_READ_ANSWER,    /* the result is complete */
    DNS_READ_ALIAS,     /* it ends with an alias, whose target must be asked */
    DNS_READ_TRUNCATED, /* the answer does not fit: ask by TCP */
    DNS_READ_CASE,      /* right but for the case of the name: ask by TCP */
    DNS_READ_NO_EDNS,   /* the server does not understand: ask without EDNS */
    DNS_READ_FAILED,    /* this server cannot tell */
    DNS_READ_STRANGE,   /* no answer to this question: forged, or late */
};

/* What was asked, and how far the chain of aliases has been followed. */
struct dns_asked {
    struct dns_question question; /* as sent, case and all */
    uint16_t id;
    bool edns, tcp;
    unsigned aliases;     /* followed so far, counted on */
    uint32_t ttl_s;       /* the shortest so far */
    struct dns_name next; /* DNS_READ_ALIAS: the target */
};

/* dns_message_build - a query of at most DNS_QUERY_BYTES. Returns its length.
 */
size_t dns_message_build(uint8_t *out, const struct dns_asked *asked);

/* dns_message_read - what a message says to a question. Of the result nothing
 * but ANSWER and ALIAS leaves anything useful. */
enum dns_reading dns_message_read(const uint8_t *message, size_t bytes,
                                  struct dns_asked *asked,
                                  struct dns_result *result);

/* ---- dns_cache.c ---- */

enum err dns_cache_init(void) MUST_CHECK;
/* Questions have small letters here. find: ttl_s is what is left. */
bool dns_cache_find(const struct dns_question *question,
                    struct dns_result *result);
void dns_cache_put(const struct dns_question *question,
                   const struct dns_result *result);
/* No server could tell: kept for a while that doubles each time. */
void dns_cache_put_failure(const struct dns_question *question);
void dns_cache_clear(void);
unsigned dns_cache_entries(void);

/* ---- dns_server.c ---- */

void dns_servers_init(void);
/* Takes what the network has now. Returns true when there are others now. */
bool dns_servers_refresh(void);
unsigned dns_servers_count(void);
const struct net_address *dns_server_address(unsigned server);
/* The one to ask: after `previous` (or from the first on, when it is
 * DNS_SERVERS), of those that are not in the bit set `without`; one that is
 * silent lately only when all are. Returns DNS_SERVERS when none is left. */
unsigned dns_server_next(unsigned previous, unsigned without);
void dns_server_answered(unsigned server);
void dns_server_silent(unsigned server);
bool dns_server_edns(unsigned server);
void dns_server_no_edns(unsigned server);
void dns_server_loses_case(unsigned server);
/* Whether one of them does. */
bool dns_servers_lose_case(void);

/* ---- dns_query.c ---- */

struct dns_query;

enum err dns_query_init(void) MUST_CHECK;

/* A lookup waits for the answer to a question in small letters; it joins the
 * query that asks for the same. Returns false when all queries are in use. */
bool dns_query_add(const struct dns_question *question,
                   struct dns_lookup *lookup);

/* Takes the servers that the network has now. If they are others than before,
 * all begins anew there: what others said need not be true here. */
void dns_query_look_at_servers(void);

/* The ones of the resolver, to count on. */
struct dns_figures *dns_counters(void);

/* From TCP: a message has come (NULL: none will), and that a connection is
 * free. */
void dns_query_tcp_message(struct dns_query *query, const uint8_t *message,
                           size_t bytes);
void dns_query_tcp_free(void);

/* ---- dns_tcp.c ---- */

struct dns_tcp;

enum err dns_tcp_init(void) MUST_CHECK;
/* Asks over a new connection. Returns NULL when all are in use, as *busy tells,
 * or none can be made. */
struct dns_tcp *dns_tcp_ask(struct dns_query *query,
                            const struct net_address *server,
                            const uint8_t *message, size_t bytes, bool *busy);
void dns_tcp_drop(struct dns_tcp *tcp);

/* ---- dns.c ---- */

/* The lookups that waited for a query have their answer; it is free now. */
void dns_tell(struct list *waiters, const struct dns_result *result);

#endif
