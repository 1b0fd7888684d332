/* Reassembly of IPv4 fragments into a few fixed buffers.
 *
 * Which eight-byte units of a datagram have come is kept as one bit each, which
 * decides the same as RFC 815's list of holes. A fragment that overlaps what is
 * there with other bytes makes the whole datagram suspect, and it is dropped
 * (in the spirit of RFC 5722); an exact repetition is ignored. Two limits bound
 * what an attacker can hold: IPV4_REASSEMBLED_BYTES and REASSEMBLIES, the
 * oldest of which gives way. TCP does not depend on any of this. */
#include "net/ipv4_fragment.h"
#include "core/bytes.h"
#include "core/memory.h"
#include "core/timer.h"
#include <stdbool.h>
#include <string.h>

#define REASSEMBLIES     8
#define REASSEMBLY_MS    30000
#define HEADER_BYTES_MAX 60
#define UNITS            (IPV4_REASSEMBLED_BYTES / 8)
#define MORE_FRAGMENTS   0x2000
#define OFFSET_MASK      0x1FFF

struct reassembly {
    bool used;
    bool broken; /* overlapped: the rest of it is swallowed until it ages */
    uint8_t protocol;
    uint16_t id;
    uint32_t source, destination;
    uint64_t started_ms;
    uint16_t header_bytes; /* of the first fragment; 0: not come yet */
    uint16_t units;        /* come */
    uint32_t total;        /* 0: last fragment not come yet */
    uint32_t highest;      /* end of what has come */
    uint64_t come[UNITS / 64];
    uint8_t bytes[HEADER_BYTES_MAX + 4 + IPV4_REASSEMBLED_BYTES];
};

#define PAYLOAD(r) ((r)->bytes + HEADER_BYTES_MAX + 4)

static struct {
    struct reassembly *reassemblies;
} state;

static struct reassembly *reassembly_take(const uint8_t *header)
{
    struct reassembly *best = &state.reassemblies[0];
    uint64_t now = timer_now_ms();

    for (unsigned i = 0; i < REASSEMBLIES; i++) {
        struct reassembly *r = &state.reassemblies[i];

        if (r->used && now - r->started_ms >= REASSEMBLY_MS)
            r->used = false;
        if (r->used && r->id == get_be16(header + 4) &&
            r->protocol == header[9] && r->source == get_be32(header + 12) &&
            r->destination == get_be32(header + 16))
            return r;
        if (best->used && (!r->used || r->started_ms < best->started_ms))
            best = r;
    }
    memset(best, 0, offsetof(struct reassembly, bytes));
    best->used = true;
    best->id = get_be16(header + 4);
    best->protocol = header[9];
    best->source = get_be32(header + 12);
    best->destination = get_be32(header + 16);
    best->started_ms = now;
    return best;
}

static bool unit_come(const struct reassembly *r, size_t unit)
{
    return r->come[unit / 64] >> (unit % 64) & 1;
}

/* Returns false when the datagram must be given up. */
static bool add_payload(struct reassembly *r, size_t offset,
                        const uint8_t *payload, size_t bytes)
{
    size_t first = offset / 8, end = (offset + bytes + 7) / 8;
    size_t come = 0;

    for (size_t unit = first; unit < end; unit++)
        come += unit_come(r, unit);
    if (come)
        return come == end - first &&
               !memcmp(PAYLOAD(r) + offset, payload, bytes);
    memcpy(PAYLOAD(r) + offset, payload, bytes);
    for (size_t unit = first; unit < end; unit++)
        r->come[unit / 64] |= 1ULL << (unit % 64);
    r->units = (uint16_t)(r->units + (end - first));
    if (offset + bytes > r->highest)
        r->highest = (uint32_t)(offset + bytes);
    return true;
}

static bool fragment_fits(const struct reassembly *r, size_t offset,
                          size_t bytes, bool more)
{
    if (!bytes || offset + bytes > IPV4_REASSEMBLED_BYTES)
        return false;
    if (more)
        return bytes % 8 == 0 && (!r->total || offset + bytes <= r->total);
    return offset + bytes >= r->highest &&
           (!r->total || r->total == offset + bytes);
}

const uint8_t *ipv4_fragment_add(const uint8_t *header, size_t header_bytes,
                                 size_t payload_bytes, size_t *first_bytes,
                                 size_t *total)
{
    struct reassembly *r = reassembly_take(header);
    uint16_t word = get_be16(header + 6);
    size_t offset = (size_t)(word & OFFSET_MASK) * 8;
    bool more = word & MORE_FRAGMENTS;

    if (r->broken)
        return NULL;
    if (!fragment_fits(r, offset, payload_bytes, more) ||
        !add_payload(r, offset, header + header_bytes, payload_bytes)) {
        r->broken = true;
        return NULL;
    }
    if (!more)
        r->total = (uint32_t)(offset + payload_bytes);
    if (!offset) {
        memcpy(PAYLOAD(r) - header_bytes, header, header_bytes);
        r->header_bytes = (uint16_t)header_bytes;
    }
    if (!r->total || r->units != (r->total + 7) / 8)
        return NULL;
    r->used = false;
    *first_bytes = r->header_bytes;
    *total = r->total;
    return PAYLOAD(r);
}

enum err ipv4_fragment_module_init(void)
{
    state.reassemblies =
        memory_take("fragments", REASSEMBLIES * sizeof(struct reassembly), 64);
    return state.reassemblies ? OK : ERR_MEMORY;
}
