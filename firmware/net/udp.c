/* UDP: a list of sockets, always with checksum. A datagram without checksum is
 * taken, as RFC 1122 4.1.3.4 demands. One to a closed port is answered by ICMP.
 * Datagrams longer than one packet can be received, not sent. */
#include "core/bytes.h"
#include "core/random.h"
#include "net/checksum.h"
#include "net/icmp.h"
#include "net/udp_input.h"
#include <string.h>

#define UDP_HEADER     8
#define UDP_BYTES_MAX  1472
#define UDP_FIRST_PORT 32768 /* RFC 6056: as many as can be */
#define UDP_PORTS      32768
#define UDP_PORT_TRIES 64

static struct {
    struct udp_socket *sockets;
} state;

static struct udp_socket *find(uint16_t port)
{
    struct udp_socket *socket = state.sockets;

    while (socket && socket->port != port)
        socket = socket->next;
    return socket;
}

static uint16_t free_port(void)
{
    for (unsigned i = 0; i < UDP_PORT_TRIES; i++) {
        uint16_t port = (uint16_t)(UDP_FIRST_PORT + random_below(UDP_PORTS));

        if (!find(port))
            return port;
    }
    return 0;
}

enum err udp_open(struct udp_socket *socket)
{
    uint16_t port = socket->port ? socket->port : free_port();

    if (!port || find(port))
        return ERR_EXISTS;
    socket->port = port;
    socket->next = state.sockets;
    state.sockets = socket;
    return OK;
}

void udp_close(struct udp_socket *socket)
{
    struct udp_socket **link = &state.sockets;

    while (*link && *link != socket)
        link = &(*link)->next;
    if (*link)
        *link = socket->next;
}

void udp_input(const uint8_t *datagram, size_t bytes,
               const struct ipv4_packet *packet)
{
    struct net_address destination = net_address_v4(packet->destination);
    struct net_endpoint from = {.address = net_address_v4(packet->source)};
    struct udp_socket *socket;
    size_t length;

    if (bytes < UDP_HEADER)
        return;
    length = get_be16(datagram + 4);
    if (length < UDP_HEADER || length > bytes)
        return;
    if (get_be16(datagram + 6)) {
        uint32_t sum = net_checksum_pseudo(&from.address, &destination, IP_UDP);

        sum = net_checksum_add_u16(sum, (uint16_t)length);
        if (net_checksum_finish(net_checksum_add(sum, datagram, length)))
            return;
    }
    from.port = get_be16(datagram);
    socket = find(get_be16(datagram + 2));
    if (socket)
        socket->received(socket, &from, datagram + UDP_HEADER,
                         length - UDP_HEADER);
    else
        icmp_send_unreachable(packet, ICMP_PORT_UNREACHABLE);
}

enum err udp_send_from(struct udp_socket *socket, uint32_t source,
                       const struct net_endpoint *to, const void *data,
                       size_t len)
{
    struct net_address from = net_address_v4(source);
    struct iobuf *datagram;
    uint16_t checksum;
    uint32_t sum;
    enum err result;
    uint8_t *p;

    if (len > UDP_BYTES_MAX)
        return ERR_TOO_BIG;
    datagram = iobuf_alloc();
    if (!datagram)
        return ERR_MEMORY;
    p = iobuf_put(datagram, UDP_HEADER + len);
    put_be16(p, socket->port);
    put_be16(p + 2, to->port);
    put_be16(p + 4, (uint16_t)(UDP_HEADER + len));
    put_be16(p + 6, 0);
    if (len)
        memcpy(p + UDP_HEADER, data, len);
    sum = net_checksum_pseudo(&from, &to->address, IP_UDP);
    sum = net_checksum_add_u16(sum, (uint16_t)(UDP_HEADER + len));
    checksum = net_checksum_finish(net_checksum_add(sum, p, UDP_HEADER + len));
    net_checksum_store(p + 6, checksum ? checksum : 0xFFFF);
    result = ip_output(datagram, &from, &to->address, IP_UDP, false);
    iobuf_release(datagram);
    /* A full card is as good as a lost datagram. */
    return result == ERR_BUSY ? OK : result;
}

enum err udp_send(struct udp_socket *socket, const struct net_endpoint *to,
                  const void *data, size_t len)
{
    struct net_address source;
    enum err result = ip_source(&to->address, &source);

    if (result != OK)
        return ERR_NOT_FOUND;
    return udp_send_from(socket, net_address_to_v4(&source), to, data, len);
}

void udp_module_init(void)
{
    state.sockets = NULL;
}
