/* UDP (RFC 768). */
#ifndef NET_UDP_H
#define NET_UDP_H

#include "core/err.h"
#include "core/iobuf.h"
#include "net/address.h"

/* A receiver of datagrams on one port. */
struct udp_socket {
    uint16_t port;
    /* data, len: the payload, valid during the call only. */
    void (*received)(struct udp_socket *socket, const struct net_endpoint *from,
                     const uint8_t *data, size_t len);
    struct udp_socket *next;
};

/* udp_open - starts receiving on socket->port; with port 0 a random free port
 * above 32767 is chosen and stored. Returns OK or ERR_EXISTS. */
enum err udp_open(struct udp_socket *socket) MUST_CHECK;
void udp_close(struct udp_socket *socket);

/* udp_send - one datagram of at most 1,472 bytes.
 * Returns OK, ERR_TOO_BIG, ERR_MEMORY, or ERR_NOT_FOUND (no address of our own
 * or no route). The datagram waits for ARP where needed. */
enum err udp_send(struct udp_socket *socket, const struct net_endpoint *to,
                  const void *data, size_t len) MUST_CHECK;

#endif
