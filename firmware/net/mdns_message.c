/* Messages of multicast DNS (RFC 6762 18): reads what others ask and say about
 * one host name and its address, and builds what is said of them. Names in what
 * is built are not compressed: it all fits into one packet anyway. */
#include "net/mdns_message.h"
#include "core/bytes.h"
#include <string.h>

#define FLAG_RESPONSE  0x8000
#define FLAG_OPCODE    0x7800
#define FLAG_AUTHORITY 0x0400
#define FLAG_TRUNCATED 0x0200
#define CODE_MASK      0x000F
#define CLASS_MASK     0x7FFF
#define CLASS_INTERNET 1
#define CLASS_ANY      255
#define CLASS_UNICAST  0x8000 /* in a question: 5.4 */
#define CLASS_FLUSH    0x8000 /* in a record: 10.2 */
#define TYPE_NSEC      47
#define TYPE_ANY       255
#define KNOWN_TTL_S    (MDNS_TTL_S / 2)

struct record {
    struct dns_name owner;
    uint16_t type, class;
    uint32_t ttl_s;
    size_t data_at, data_len;
};

/* Somebody's proposed records: the first in the order of 8.2.1. */
struct proposal {
    unsigned count;
    uint16_t type, class;
    const uint8_t *data;
    size_t len;
};

struct reader {
    const uint8_t *bytes;
    size_t len, at;
    const struct mdns_self *self;
    struct mdns_heard *heard;
    struct proposal proposal;
    struct record record;
};

/* Too large for the stack; nothing of it is kept between two messages. */
static struct reader reader;

/* ---- In ---- */

static void want(struct mdns_heard *heard, unsigned record, bool unicast)
{
    heard->wanted |= record;
    if (unicast)
        heard->unicast |= record;
}

static bool read_question(struct reader *r, bool first)
{
    struct dns_name *name = &r->record.owner;
    struct mdns_heard *heard = r->heard;
    uint16_t type, class;
    bool unicast;

    if (!dns_name_read(r->bytes, r->len, &r->at, name) || r->len - r->at < 4)
        return false;
    type = get_be16(r->bytes + r->at);
    class = get_be16(r->bytes + r->at + 2);
    r->at += 4;
    if (first) {
        heard->name = *name;
        heard->type = type;
        heard->class = class;
    }
    unicast = class & CLASS_UNICAST;
    if ((class & CLASS_MASK) != CLASS_INTERNET &&
        (class & CLASS_MASK) != CLASS_ANY)
        return true;
    if (dns_name_equal(name, &r->self->host)) {
        heard->probe |= type == TYPE_ANY;
        want(heard, type == DNS_A || type == TYPE_ANY ? MDNS_A : MDNS_NSEC,
             unicast);
    } else if (dns_name_equal(name, &r->self->reverse) &&
               (type == DNS_PTR || type == TYPE_ANY)) {
        want(heard, MDNS_PTR, unicast);
    }
    return true;
}

static bool read_record(struct reader *r)
{
    struct record *record = &r->record;
    const uint8_t *p;

    if (!dns_name_read(r->bytes, r->len, &r->at, &record->owner) ||
        r->len - r->at < 10)
        return false;
    p = r->bytes + r->at;
    record->type = get_be16(p);
    record->class = get_be16(p + 2) & CLASS_MASK;
    record->ttl_s = get_be32(p + 4);
    record->data_len = get_be16(p + 8);
    record->data_at = r->at + 10;
    if (r->len - record->data_at < record->data_len)
        return false;
    r->at = record->data_at + record->data_len;
    return true;
}

static bool is_our_address(const struct reader *r)
{
    return r->record.type == DNS_A && r->record.data_len == 4 &&
           get_be32(r->bytes + r->record.data_at) == r->self->address;
}

static bool is_our_pointer(const struct reader *r)
{
    size_t at = r->record.data_at;
    struct dns_name name;

    return r->record.type == DNS_PTR &&
           dns_name_equal(&r->record.owner, &r->self->reverse) &&
           dns_name_read(r->bytes, r->len, &at, &name) &&
           dns_name_equal(&name, &r->self->host);
}

static void look_at_known(struct reader *r)
{
    if (r->record.ttl_s < KNOWN_TTL_S)
        return;
    if (dns_name_equal(&r->record.owner, &r->self->host) && is_our_address(r))
        r->heard->known |= MDNS_A;
    if (is_our_pointer(r))
        r->heard->known |= MDNS_PTR;
}

static void look_at_response(struct reader *r)
{
    if (!r->record.ttl_s || r->record.class != CLASS_INTERNET ||
        !dns_name_equal(&r->record.owner, &r->self->host) || is_our_address(r))
        return;
    /* What we say ourselves beside our address is no news. */
    if (r->record.type == TYPE_NSEC)
        return;
    r->heard->taken = true;
    r->heard->conflict |= r->record.type == DNS_A;
}

/* Class, then type, then data byte by byte; a shorter one goes first. */
static int compare(uint16_t class, uint16_t type, const uint8_t *data,
                   size_t len, const struct proposal *other)
{
    int order;

    if (class != other->class)
        return class < other->class ? -1 : 1;
    if (type != other->type)
        return type < other->type ? -1 : 1;
    order = memcmp(data, other->data, len < other->len ? len : other->len);
    if (order)
        return order;
    return len < other->len ? -1 : len > other->len;
}

static void look_at_proposal(struct reader *r)
{
    const struct record *record = &r->record;
    const uint8_t *data = r->bytes + record->data_at;
    struct proposal *proposal = &r->proposal;

    if (!dns_name_equal(&record->owner, &r->self->host))
        return;
    if (proposal->count++ && compare(record->class, record->type, data,
                                     record->data_len, proposal) > 0)
        return;
    proposal->class = record->class;
    proposal->type = record->type;
    proposal->data = data;
    proposal->len = record->data_len;
}

static void judge_proposal(struct reader *r)
{
    uint8_t ours[4];
    int order;

    if (!r->proposal.count)
        return;
    put_be32(ours, r->self->address);
    order = compare(CLASS_INTERNET, DNS_A, ours, sizeof(ours), &r->proposal);
    if (!order && r->proposal.count > 1)
        order = -1; /* the same, and more of it */
    r->heard->theirs = -order;
}

static bool read_records(struct reader *r, unsigned count,
                         void (*look)(struct reader *r))
{
    for (; count; count--) {
        if (!read_record(r))
            return false;
        look(r);
    }
    return true;
}

static void look_away(struct reader *r)
{
    (void)r;
}

bool mdns_message_read(const uint8_t *message, size_t bytes,
                       const struct mdns_self *self, struct mdns_heard *heard)
{
    struct reader *r = &reader;
    bool response;
    uint16_t flags;

    memset(heard, 0, sizeof(*heard));
    memset(r, 0, sizeof(*r));
    if (bytes < DNS_HEADER_BYTES)
        return false;
    flags = get_be16(message + 2);
    if (flags & (FLAG_OPCODE | CODE_MASK)) /* 18.3, 18.11 */
        return false;
    r->bytes = message;
    r->len = bytes;
    r->at = DNS_HEADER_BYTES;
    r->self = self;
    r->heard = heard;
    response = flags & FLAG_RESPONSE;
    heard->response = response;
    heard->truncated = flags & FLAG_TRUNCATED;
    heard->id = get_be16(message);
    heard->questions = get_be16(message + 4);
    for (unsigned i = 0; i < heard->questions; i++) {
        if (!read_question(r, i == 0))
            return false;
    }
    if (!read_records(r, get_be16(message + 6),
                      response ? look_at_response : look_at_known) ||
        !read_records(r, get_be16(message + 8),
                      response ? look_away : look_at_proposal) ||
        !read_records(r, get_be16(message + 10),
                      response ? look_at_response : look_away))
        return false;
    judge_proposal(r);
    return true;
}

/* ---- Out ---- */

static uint8_t *put_name(uint8_t *p, const struct dns_name *name)
{
    memcpy(p, name->bytes, name->len);
    return p + name->len;
}

static uint8_t *put_head(uint8_t *p, const struct dns_name *owner,
                         uint16_t type, uint16_t class, uint32_t ttl_s,
                         size_t len)
{
    p = put_name(p, owner);
    put_be16(p, type);
    put_be16(p + 2, class);
    put_be32(p + 4, ttl_s);
    put_be16(p + 8, (uint16_t)len);
    return p + 10;
}

static uint8_t *put_address(uint8_t *p, const struct mdns_self *self,
                            uint16_t class, uint32_t ttl_s)
{
    p = put_head(p, &self->host, DNS_A, class, ttl_s, 4);
    put_be32(p, self->address);
    return p + 4;
}

static uint8_t *put_pointer(uint8_t *p, const struct mdns_self *self,
                            uint16_t class, uint32_t ttl_s)
{
    p = put_head(p, &self->reverse, DNS_PTR, class, ttl_s, self->host.len);
    return put_name(p, &self->host);
}

/* The host's name has an A record and no others. */
static uint8_t *put_nothing_else(uint8_t *p, const struct mdns_self *self,
                                 uint16_t class, uint32_t ttl_s)
{
    static const uint8_t types[] = {0, 1, 0x40}; /* block 0, a byte, bit 1 */

    p = put_head(p, &self->host, TYPE_NSEC, class, ttl_s,
                 self->host.len + sizeof(types));
    p = put_name(p, &self->host);
    memcpy(p, types, sizeof(types));
    return p + sizeof(types);
}

size_t mdns_message_probe(uint8_t *out, const struct mdns_self *self)
{
    uint8_t *p;

    memset(out, 0, DNS_HEADER_BYTES);
    put_be16(out + 4, 1);
    put_be16(out + 8, 1);
    p = put_name(out + DNS_HEADER_BYTES, &self->host);
    put_be16(p, TYPE_ANY);
    put_be16(p + 2, CLASS_UNICAST | CLASS_INTERNET);
    p = put_address(p + 4, self, CLASS_INTERNET, MDNS_TTL_S);
    return (size_t)(p - out);
}

static uint8_t *put_records(uint8_t *out, uint8_t *p,
                            const struct mdns_self *self, unsigned records,
                            uint16_t class, uint32_t ttl_s)
{
    put_be16(out + 2, FLAG_RESPONSE | FLAG_AUTHORITY);
    put_be16(out + 6, (uint16_t)__builtin_popcount(records));
    if (records & MDNS_A)
        p = put_address(p, self, class, ttl_s);
    if (records & MDNS_PTR)
        p = put_pointer(p, self, class, ttl_s);
    if (records & MDNS_NSEC)
        p = put_nothing_else(p, self, class, ttl_s);
    return p;
}

size_t mdns_message_response(uint8_t *out, const struct mdns_self *self,
                             unsigned records, uint32_t ttl_s)
{
    uint8_t *p;

    memset(out, 0, DNS_HEADER_BYTES);
    p = put_records(out, out + DNS_HEADER_BYTES, self, records,
                    CLASS_FLUSH | CLASS_INTERNET, ttl_s);
    /* Who asks for one kind of address will ask for the other: 6.1. */
    if (records & MDNS_A && !(records & MDNS_NSEC) && ttl_s) {
        put_be16(out + 10, 1);
        p = put_nothing_else(p, self, CLASS_FLUSH | CLASS_INTERNET, ttl_s);
    }
    return (size_t)(p - out);
}

size_t mdns_message_legacy(uint8_t *out, const struct mdns_self *self,
                           unsigned records, const struct mdns_heard *heard)
{
    uint8_t *p;

    memset(out, 0, DNS_HEADER_BYTES);
    put_be16(out, heard->id);
    put_be16(out + 4, 1);
    p = put_name(out + DNS_HEADER_BYTES, &heard->name);
    put_be16(p, heard->type);
    put_be16(p + 2, heard->class);
    /* To such a resolver a name without the record is an empty answer. */
    p = put_records(out, p + 4, self, records & ~(unsigned)MDNS_NSEC,
                    CLASS_INTERNET, MDNS_LEGACY_TTL_S);
    return (size_t)(p - out);
}
