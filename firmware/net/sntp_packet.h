/* SNTP's packets (RFC 5905 7.3). */
#ifndef NET_SNTP_PACKET_H
#define NET_SNTP_PACKET_H

#include <stddef.h>
#include <stdint.h>

#define SNTP_PACKET_BYTES 48

enum sntp_verdict {
    SNTP_GOOD,
    SNTP_STRANGE, /* no answer to this request */
    SNTP_BAD,     /* the server does not know the time, or not well enough */
    SNTP_RATE,    /* kiss-o'-death: ask less often */
    SNTP_DENY,    /* ask never again */
};

struct sntp_reply {
    int64_t unix_ms;      /* when it was sent, by the server's clock */
    uint32_t hold_ms;     /* how long the server had the request */
    uint32_t distance_ms; /* how wrong it may be at most */
    uint8_t stratum;
};

/* sntp_packet_build - a request. nonce: sent where a client may put its own
 * time, which is nobody's business; the answer brings it back. */
void sntp_packet_build(uint8_t out[SNTP_PACKET_BYTES], uint64_t nonce);

/* sntp_packet_read - an answer to the request with this nonce. Only of a good
 * one the reply is filled in. */
enum sntp_verdict sntp_packet_read(const uint8_t *packet, size_t bytes,
                                   uint64_t nonce, struct sntp_reply *reply);

#endif
