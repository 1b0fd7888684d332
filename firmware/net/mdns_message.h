/* Messages of multicast DNS, as far as one host with one address needs them. */
#ifndef NET_MDNS_MESSAGE_H
#define NET_MDNS_MESSAGE_H

#include "net/dns_internal.h"

#define MDNS_MESSAGE_BYTES 1024 /* more than any that is built */
#define MDNS_TTL_S         120  /* of records with a host's name: 10 */
#define MDNS_LEGACY_TTL_S  10   /* 6.7 */

/* What there is to tell. */
enum mdns_record {
    MDNS_A = 1,
    MDNS_PTR = 2,  /* from the address to the name */
    MDNS_NSEC = 4, /* that there is no other record of the name: 6.1 */
};

struct mdns_self {
    struct dns_name host, reverse;
    uint32_t address; /* host order */
};

/* What a message means to us. */
struct mdns_heard {
    bool response;
    bool truncated;   /* more known answers follow: 7.2 */
    unsigned wanted;  /* records that are asked for */
    unsigned unicast; /* those of them that may be sent to the asker alone */
    unsigned known;   /* records that the asker has already: 7.1 */
    bool taken;       /* a response with our name that is not ours */
    bool conflict;    /* the same for our kind of record: 9 */
    bool probe;       /* somebody wants our name */
    int theirs;       /* of a probe: above 0 when theirs goes first: 8.2 */
    uint16_t id;      /* for legacy queries: 6.7 */
    uint16_t questions;
    uint16_t type, class; /* of the first question, as its name */
    struct dns_name name;
};

/* mdns_message_read - returns false when the message is malformed, or means
 * nothing to anybody. */
bool mdns_message_read(const uint8_t *message, size_t bytes,
                       const struct mdns_self *self, struct mdns_heard *heard);

/* mdns_message_probe - asks whether anybody has the name (8.1). */
size_t mdns_message_probe(uint8_t *out, const struct mdns_self *self);

/* mdns_message_response - tells records; ttl_s 0: that they are gone. */
size_t mdns_message_response(uint8_t *out, const struct mdns_self *self,
                             unsigned records, uint32_t ttl_s);

/* mdns_message_legacy - the answer to a resolver that knows nothing of
 * multicast (6.7). */
size_t mdns_message_legacy(uint8_t *out, const struct mdns_self *self,
                           unsigned records, const struct mdns_heard *heard);

#endif
