/* DNS messages (RFC 1035 4): builds queries, and reads what comes back as an
 * answer to one question and to nothing else.
 *
 * Only records that answer the question are taken: those of the asked type at
 * the name, or at the end of the chain of CNAMEs that begins at it. Whatever
 * else a message carries (additional addresses, name servers, records of other
 * names) is walked over, so nobody can slip anything into the cache. A message
 * that is malformed anywhere up to its end is refused as a whole.
 *
 * Bounded work: a message is walked once per alias (DNS_ALIASES at most) and
 * each name in it has a limited number of pointers. */
#include "core/bytes.h"
#include "net/dns_internal.h"
#include <string.h>

#define FLAG_RESPONSE  0x8000
#define FLAG_OPCODE    0x7800
#define FLAG_AUTHORITY 0x0400
#define FLAG_TRUNCATED 0x0200
#define FLAG_RECURSE   0x0100
#define CODE_MASK      0x000F
#define CLASS_INTERNET 1
#define TTL_SIGN       0x80000000U
#define MX_WORST       0xFFFF

enum code {
    CODE_OK = 0,
    CODE_FORMAT = 1,
    CODE_NO_NAME = 3,
    CODE_NOT_IMPLEMENTED = 4,
    CODE_BAD_VERSION = 16,
};

enum record_type {
    RECORD_NS = 2,
    RECORD_CNAME = 5,
    RECORD_SOA = 6,
    RECORD_OPT = 41,
};

/* A message that is being read. */
struct reader {
    const uint8_t *bytes;
    size_t len;
    size_t answers_at, authority_at;
    unsigned answers, authority;
    uint16_t flags;
    unsigned code;        /* with the upper bits of EDNS */
    unsigned aliases;     /* so far, also in messages before */
    uint32_t ttl_s;       /* the shortest so far */
    struct dns_name name; /* the question's, then along the aliases */
};

/* Too large for the stack; nothing of it is kept between two messages. */
static struct reader reader;

struct record {
    struct dns_name owner;
    uint16_t type, class;
    uint32_t ttl_s;
    size_t data_at, data_len;
};

/* ---- Out ---- */

size_t dns_message_build(uint8_t *out, const struct dns_asked *asked)
{
    const struct dns_name *name = &asked->question.name;
    uint8_t *p = out + DNS_HEADER_BYTES;

    memset(out, 0, DNS_HEADER_BYTES);
    put_be16(out, asked->id);
    put_be16(out + 2, FLAG_RECURSE);
    put_be16(out + 4, 1);
    memcpy(p, name->bytes, name->len);
    p += name->len;
    put_be16(p, (uint16_t)asked->question.type);
    put_be16(p + 2, CLASS_INTERNET);
    p += 4;
    if (asked->edns) {
        put_be16(out + 10, 1);
        memset(p, 0, 11); /* root, version 0, no flags, no options */
        put_be16(p + 1, RECORD_OPT);
        put_be16(p + 3, DNS_UDP_BYTES);
        p += 11;
    }
    return (size_t)(p - out);
}

/* ---- In: structure ---- */

static bool read_record(const struct reader *r, size_t *at,
                        struct record *record)
{
    const uint8_t *p;

    if (!dns_name_read(r->bytes, r->len, at, &record->owner) ||
        r->len - *at < 10)
        return false;
    p = r->bytes + *at;
    record->type = get_be16(p);
    record->class = get_be16(p + 2);
    record->ttl_s = get_be32(p + 4);
    if (record->ttl_s & TTL_SIGN) /* RFC 2181 8 */
        record->ttl_s = 0;
    record->data_len = get_be16(p + 8);
    record->data_at = *at + 10;
    if (r->len - record->data_at < record->data_len)
        return false;
    *at = record->data_at + record->data_len;
    return true;
}

/* The rest of the code is in EDNS's record, of which there may be one. */
static bool walk_additional(struct reader *r, size_t at, unsigned count)
{
    bool seen = false;
    struct record record;

    for (; count; count--) {
        if (!read_record(r, &at, &record))
            return false;
        if (record.type != RECORD_OPT)
            continue;
        if (seen || record.owner.len != 1)
            return false;
        seen = true;
        r->code |= r->bytes[record.data_at - 6] * 16U;
    }
    return at == r->len;
}

/* Walks the whole message: where its sections lie, and that all of it is as it
 * should be. */
static bool walk(struct reader *r, size_t at)
{
    struct record record;

    r->answers_at = at;
    r->answers = get_be16(r->bytes + 6);
    r->authority = get_be16(r->bytes + 8);
    for (unsigned i = 0; i < r->answers; i++) {
        if (!read_record(r, &at, &record))
            return false;
    }
    r->authority_at = at;
    for (unsigned i = 0; i < r->authority; i++) {
        if (!read_record(r, &at, &record))
            return false;
    }
    return walk_additional(r, at, get_be16(r->bytes + 10));
}

/* Header and question (RFC 5452 4.2, 9.1). Sets *at to what follows. */
static enum dns_reading read_question(struct reader *r,
                                      const struct dns_asked *asked, size_t *at)
{
    const struct dns_name *name = &asked->question.name;

    if (r->len < DNS_HEADER_BYTES || get_be16(r->bytes) != asked->id)
        return DNS_READ_STRANGE;
    r->flags = get_be16(r->bytes + 2);
    r->code = r->flags & CODE_MASK;
    if (!(r->flags & FLAG_RESPONSE) || r->flags & FLAG_OPCODE)
        return DNS_READ_STRANGE;
    *at = DNS_HEADER_BYTES;
    /* Who does not read a question, or does not want to, may send none back
     * with the code that says so. */
    if (get_be16(r->bytes + 4) == 0 && r->code != CODE_OK &&
        r->code != CODE_NO_NAME)
        return DNS_READ_ANSWER;
    if (get_be16(r->bytes + 4) != 1 ||
        !dns_name_read(r->bytes, r->len, at, &r->name) || r->len - *at < 4 ||
        get_be16(r->bytes + *at) != asked->question.type ||
        get_be16(r->bytes + *at + 2) != CLASS_INTERNET ||
        !dns_name_equal(&r->name, name))
        return DNS_READ_STRANGE;
    *at += 4;
    if (!asked->tcp && memcmp(r->name.bytes, name->bytes, name->len))
        return DNS_READ_CASE;
    return DNS_READ_ANSWER;
}

/* ---- In: answers ---- */

static void shorten(uint32_t *ttl_s, uint32_t record_ttl_s)
{
    if (record_ttl_s < *ttl_s)
        *ttl_s = record_ttl_s;
}

/* Goes from r->name along the CNAMEs of the answers, as far as they lead.
 * Returns false when there are too many. */
static bool follow_aliases(struct reader *r)
{
    struct record record;
    size_t at = r->answers_at;
    unsigned left = r->answers;

    while (left) {
        size_t data_at;

        left--;
        if (!read_record(r, &at, &record))
            return false;
        if (record.type != RECORD_CNAME || record.class != CLASS_INTERNET ||
            !dns_name_equal(&record.owner, &r->name))
            continue;
        data_at = record.data_at;
        if (r->aliases++ == DNS_ALIASES ||
            !dns_name_read(r->bytes, r->len, &data_at, &r->name) ||
            data_at != record.data_at + record.data_len)
            return false;
        shorten(&r->ttl_s, record.ttl_s);
        at = r->answers_at; /* the next may stand before this one */
        left = r->answers;
    }
    return true;
}

/* Strings one after the other, as many as fit. */
static bool read_text(const uint8_t *p, size_t len, char *text)
{
    size_t used = 0;

    while (len) {
        size_t n = *p++;

        if (n > --len)
            return false;
        for (size_t i = 0; i < n && used < DNS_NAME_BYTES - 1; i++)
            text[used++] = p[i] ? (char)p[i] : '?';
        p += n;
        len -= n;
    }
    text[used] = '\0';
    return true;
}

/* Returns false when the record is malformed. */
static bool read_data(const struct reader *r, enum dns_type type,
                      const struct record *record, struct dns_answer *answer)
{
    const uint8_t *p = r->bytes + record->data_at;
    size_t at = record->data_at;
    struct dns_name name;

    switch (type) {
    case DNS_A:
        if (record->data_len != 4)
            return false;
        answer->address = net_address_v4(get_be32(p));
        return true;
    case DNS_AAAA:
        memcpy(answer->address.bytes, p, record->data_len == 16 ? 16 : 0);
        return record->data_len == 16;
    case DNS_TXT:
        return record->data_len && read_text(p, record->data_len, answer->name);
    case DNS_MX:
        if (record->data_len < 3)
            return false;
        answer->preference = get_be16(p);
        at += 2;
        break;
    case DNS_PTR:
        break;
    default:
        return false;
    }
    if (!dns_name_read(r->bytes, r->len, &at, &name) ||
        at != record->data_at + record->data_len)
        return false;
    /* Compressed, it may end in the letters of the question, by chance. */
    dns_name_lower(&name);
    dns_name_format(&name, answer->name);
    return true;
}

/* Where a further answer goes when there is no place left: instead of the worst
 * one that is worse than it. NULL: nowhere. */
static struct dns_answer *worst(struct dns_result *result, uint16_t preference)
{
    struct dns_answer *found = NULL;

    for (unsigned i = 0; i < result->count; i++) {
        struct dns_answer *answer = &result->answers[i];

        if (answer->preference > (found ? found->preference : preference))
            found = answer;
    }
    return found;
}

/* A place for one more, filled with zeros. */
static struct dns_answer *place(const struct reader *r,
                                const struct record *record, enum dns_type type,
                                struct dns_result *result)
{
    struct dns_answer *answer;
    uint16_t preference = MX_WORST;

    if (result->count < DNS_ANSWERS) {
        answer = &result->answers[result->count++];
    } else {
        if (type == DNS_MX && record->data_len >= 2)
            preference = get_be16(r->bytes + record->data_at);
        answer = worst(result, preference);
        if (!answer)
            return NULL;
    }
    memset(answer, 0, sizeof(*answer));
    return answer;
}

/* The records of the asked type at the end of the chain. Returns false when one
 * is malformed. */
static bool take_answers(struct reader *r, enum dns_type type,
                         struct dns_result *result)
{
    size_t at = r->answers_at;
    struct record record;

    for (unsigned i = 0; i < r->answers; i++) {
        struct dns_answer *answer;

        if (!read_record(r, &at, &record))
            return false;
        if (record.type != (unsigned)type || record.class != CLASS_INTERNET ||
            !dns_name_equal(&record.owner, &r->name))
            continue;
        shorten(&r->ttl_s, record.ttl_s);
        answer = place(r, &record, type, result);
        if (answer && !read_data(r, type, &record, answer))
            return false;
    }
    return true;
}

/* ---- In: no answers ---- */

struct authority {
    bool soa, ns;
    uint32_t ttl_s; /* of a negative answer (RFC 2308 5) */
};

/* The numbers behind the two names of an SOA. Returns false when malformed. */
static bool read_soa(const struct reader *r, const struct record *record,
                     uint32_t *minimum)
{
    size_t at = record->data_at;
    struct dns_name name;

    if (!dns_name_read(r->bytes, r->len, &at, &name) ||
        !dns_name_read(r->bytes, r->len, &at, &name) ||
        at + 20 != record->data_at + record->data_len)
        return false;
    *minimum = get_be32(r->bytes + at + 16);
    return true;
}

static bool read_authority(const struct reader *r, struct authority *authority)
{
    size_t at = r->authority_at;
    struct record record;
    uint32_t minimum;

    memset(authority, 0, sizeof(*authority));
    for (unsigned i = 0; i < r->authority; i++) {
        if (!read_record(r, &at, &record))
            return false;
        if (!dns_name_within(&r->name, &record.owner))
            continue;
        authority->ns |= record.type == RECORD_NS;
        if (record.type != RECORD_SOA || authority->soa)
            continue;
        if (!read_soa(r, &record, &minimum))
            return false;
        authority->soa = true;
        authority->ttl_s = minimum < record.ttl_s ? minimum : record.ttl_s;
    }
    return true;
}

/* RFC 2308 2: a name that does not exist, one without such records, an alias
 * that leads elsewhere, or a server that knows nothing and points to others. */
static enum dns_reading read_negative(struct reader *r, struct dns_asked *asked,
                                      struct dns_result *result)
{
    struct authority authority;

    if (!read_authority(r, &authority))
        return DNS_READ_FAILED;
    if (r->code == CODE_OK && !authority.soa) {
        if (!dns_name_equal(&r->name, &asked->question.name)) {
            asked->next = r->name;
            return DNS_READ_ALIAS;
        }
        if (authority.ns)
            return DNS_READ_FAILED;
    }
    shorten(&r->ttl_s, authority.soa ? authority.ttl_s : 0);
    shorten(&r->ttl_s, DNS_NEGATIVE_S);
    result->status = r->code == CODE_NO_NAME ? DNS_NO_NAME : DNS_NO_DATA;
    return DNS_READ_ANSWER;
}

static enum dns_reading read_sections(struct reader *r, struct dns_asked *asked,
                                      struct dns_result *result)
{
    enum dns_reading reading = DNS_READ_ANSWER;

    r->aliases = asked->aliases;
    r->ttl_s = asked->ttl_s;
    if (!follow_aliases(r) || !take_answers(r, asked->question.type, result))
        return DNS_READ_FAILED;
    if (result->count) {
        result->status = DNS_OK;
        if (r->ttl_s < DNS_TTL_MIN_S)
            r->ttl_s = DNS_TTL_MIN_S;
    } else {
        reading = read_negative(r, asked, result);
    }
    if (reading == DNS_READ_FAILED)
        return reading;
    asked->aliases = r->aliases;
    asked->ttl_s = r->ttl_s;
    result->cname = r->aliases > 0;
    result->ttl_s = r->ttl_s;
    return reading;
}

enum dns_reading dns_message_read(const uint8_t *message, size_t bytes,
                                  struct dns_asked *asked,
                                  struct dns_result *result)
{
    struct reader *r = &reader;
    enum dns_reading reading;
    size_t at;

    memset(r, 0, sizeof(*r));
    r->bytes = message;
    r->len = bytes;
    result->count = 0;
    reading = read_question(r, asked, &at);
    if (reading != DNS_READ_ANSWER)
        return reading;
    if (asked->edns &&
        (r->code == CODE_FORMAT || r->code == CODE_NOT_IMPLEMENTED))
        return DNS_READ_NO_EDNS;
    if (r->code != CODE_OK && r->code != CODE_NO_NAME)
        return DNS_READ_FAILED;
    if (r->flags & FLAG_TRUNCATED)
        return asked->tcp ? DNS_READ_FAILED : DNS_READ_TRUNCATED;
    if (!walk(r, at))
        return DNS_READ_FAILED;
    if (asked->edns && r->code == CODE_BAD_VERSION)
        return DNS_READ_NO_EDNS;
    if (r->code != CODE_OK && r->code != CODE_NO_NAME)
        return DNS_READ_FAILED;
    return read_sections(r, asked, result);
}
