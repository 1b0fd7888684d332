/* A peer's TFTP server (RFC 1350, with the options of RFC 2347 to 2349 and
 * 7440): one file under any name. It keeps nothing of a client but its block
 * size and window, and repeats nothing by itself: the client asks again. */
#include "core/bytes.h"
#include "tests/sim/peer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT      69
#define TRANSFER  40069 /* its port for all that follows */
#define DATA_MOST 1428

enum { RRQ = 1, DATA = 3, ACK = 4, ERROR = 5, OACK = 6 };

static void send(struct sim_peer *peer, uint16_t port, uint8_t *packet,
                 size_t len)
{
    put_be16(packet, TRANSFER);
    put_be16(packet + 2, port);
    put_be16(packet + 4, (uint16_t)len);
    put_be16(packet + 6, 0);
    put_be16(packet + 6, sim_checksum(peer->ip, SIM_AO_IP, 17, packet, len));
    sim_peer_ip(peer, 17, packet, len);
}

/* The value of an option, or 0. */
static size_t option(const uint8_t *request, size_t len, const char *name)
{
    size_t bytes = strlen(name) + 1;

    for (size_t i = 2; i + bytes < len; i++)
        if (memcmp(request + i, name, bytes) == 0)
            return strtoul((const char *)request + i + bytes, NULL, 10);
    return 0;
}

static void answer_request(struct sim_peer *peer, uint16_t port,
                           const uint8_t *request, size_t len)
{
    struct sim_file *file = peer->file;
    uint8_t packet[8 + 128];
    char *at = (char *)packet + 10;

    file->block_bytes = option(request, len, "blksize");
    file->window = option(request, len, "windowsize");
    if (request[len - 1] != '\0' || file->block_bytes == 0 ||
        file->block_bytes > DATA_MOST || file->window == 0)
        sim_fail("tftp: an unexpected request");
    put_be16(packet + 8, OACK);
    at += sprintf(at, "tsize%c%zu", 0, file->bytes) + 1;
    at += sprintf(at, "blksize%c%zu", 0, file->block_bytes) + 1;
    at += sprintf(at, "windowsize%c%zu", 0, file->window) + 1;
    send(peer, port, packet, (size_t)(at - (char *)packet));
}

static void send_window(struct sim_peer *peer, uint16_t port, size_t block)
{
    const struct sim_file *file = peer->file;
    uint8_t packet[12 + DATA_MOST];

    for (size_t i = 0; i < file->window; i++, block++) {
        size_t at = block * file->block_bytes;
        size_t len = file->block_bytes;

        if (at > file->bytes)
            return;
        if (len > file->bytes - at)
            len = file->bytes - at;
        put_be16(packet + 8, DATA);
        put_be16(packet + 10, (uint16_t)(block + 1));
        memcpy(packet + 12, file->content + at, len);
        send(peer, port, packet, 12 + len);
    }
}

void sim_tftp_input(struct sim_peer *peer, const uint8_t *datagram, size_t len)
{
    uint16_t from = get_be16(datagram), to = get_be16(datagram + 2);
    const uint8_t *packet = datagram + 8;

    if (len < 12 || (to != PORT && to != TRANSFER))
        return;
    if (get_be16(packet) == RRQ)
        answer_request(peer, from, packet, len - 8);
    else if (get_be16(packet) == ACK)
        send_window(peer, from, get_be16(packet + 2));
    else if (get_be16(packet) != ERROR)
        sim_fail("tftp: what is that");
}
