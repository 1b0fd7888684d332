/* UDP's side towards IP and towards DHCP. */
#ifndef NET_UDP_INPUT_H
#define NET_UDP_INPUT_H

#include "net/ipv4.h"
#include "net/udp.h"

/* udp_module_init - no sockets; once. */
void udp_module_init(void);

/* udp_input - one datagram with its header. */
void udp_input(const uint8_t *datagram, size_t bytes,
               const struct ipv4_packet *packet);

/* udp_send_from - as udp_send(), but from a given IPv4 address (0: none yet).
 */
enum err udp_send_from(struct udp_socket *socket, uint32_t source,
                       const struct net_endpoint *to, const void *data,
                       size_t len) MUST_CHECK;

#endif
