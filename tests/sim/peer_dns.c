/* A peer's name server (RFC 1035): one question, answered from a list. The
 * question goes back as it came, so that the case of its letters is kept. */
#include "core/bytes.h"
#include "tests/sim/peer.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEADER      12
#define ANSWER      0x8480 /* a response, with authority, recursion there */
#define NO_NAME     3
#define TTL_S       300
#define PACKET_MOST 512

/* The name of the question as text. Returns the length of its wire form. */
static size_t read_name(const uint8_t *wire, size_t len, char name[256])
{
    size_t at = 0, out = 0;

    while (at < len && wire[at] != 0) {
        size_t label = wire[at];

        if (label > 63 || at + 1 + label >= len || out + label + 2 > 256)
            sim_fail("dns: a question that is malformed");
        if (out > 0)
            name[out++] = '.';
        memcpy(name + out, wire + at + 1, label);
        out += label;
        at += label + 1;
    }
    name[out] = '\0';
    return at + 1;
}

static size_t write_name(uint8_t *wire, const char *name)
{
    size_t at = 0;

    while (*name != '\0') {
        size_t label = strcspn(name, ".");

        wire[at] = (uint8_t)label;
        memcpy(wire + at + 1, name, label);
        at += label + 1;
        name += label + (name[label] == '.');
    }
    wire[at] = 0;
    return at + 1;
}

static size_t write_record(uint8_t *to, const struct sim_dns_record *record)
{
    size_t len = 4;

    put_be16(to, 0xc000 | HEADER); /* the question's name */
    put_be16(to + 2, record->type);
    put_be16(to + 4, 1);
    put_be32(to + 6, TTL_S);
    if (record->type == SIM_DNS_A) {
        put_be32(to + 12, record->address);
    } else {
        put_be16(to + 12, record->preference);
        len = 2 + write_name(to + 14, record->target);
    }
    put_be16(to + 10, (uint16_t)len);
    return 12 + len;
}

void sim_dns_input(struct sim_peer *peer, uint16_t port,
                   const uint8_t *question, size_t len)
{
    uint8_t packet[8 + PACKET_MOST] = {0};
    uint8_t *answer = packet + 8;
    size_t at, count = 0;
    bool known = false;
    char name[256];
    uint16_t type;

    if (len < HEADER + 5 || get_be16(question + 4) != 1)
        sim_fail("dns: not a question");
    at = HEADER + read_name(question + HEADER, len - HEADER, name) + 4;
    if (at > len)
        sim_fail("dns: a question that is cut off");
    type = get_be16(question + at - 4);
    memcpy(answer, question, at);
    for (const struct sim_dns_record *record = peer->records;
         record->name != NULL; record++) {
        if (strcasecmp(record->name, name) != 0)
            continue;
        known = true;
        if (record->type != type)
            continue;
        at += write_record(answer + at, record);
        count++;
    }
    sim_note("dns: %s type %u: %zu records", name, type, count);
    put_be16(answer + 2, (uint16_t)(ANSWER | (known ? 0 : NO_NAME)));
    put_be16(answer + 6, (uint16_t)count);
    put_be32(answer + 8, 0);
    put_be16(packet, 53);
    put_be16(packet + 2, port);
    put_be16(packet + 4, (uint16_t)(8 + at));
    put_be16(packet + 6, sim_checksum(peer->ip, SIM_AO_IP, 17, packet, 8 + at));
    sim_peer_ip(peer, 17, packet, 8 + at);
}
