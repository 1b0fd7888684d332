/* What was answered, by question, for as long as it is valid (RFC 1034 5.3.3,
 * RFC 2308, RFC 9520).
 *
 * Entries are of different lengths and lie one behind the other in one piece of
 * memory that is written round and round; what is written next takes the place
 * of the oldest. So memory is bounded, nothing is ever searched for room, and
 * an entry costs what its answers need.
 *
 *   0        head                tail             end      CACHE_BYTES
 *   |  young  |  being overwritten |  old entries   |  unused |
 *
 * An entry is found by a keyed hash, so that nobody can choose names that all
 * lie in one chain. */
#include "core/memory.h"
#include "core/random.h"
#include "core/timer.h"
#include "net/dns_internal.h"
#include <string.h>

#define CACHE_BYTES ((uint32_t)128 * 1024)
#define BUCKETS     1024u
#define NONE        UINT32_MAX
#define ALIGNMENT   8u
/* The longest answer as it is kept: preference, length, name. */
#define ANSWER_MAX (2 + 1 + DNS_NAME_BYTES)

/* Followed by the question's name and the answers. */
struct entry {
    uint64_t expires_ms;
    uint32_t bytes; /* with what follows, aligned */
    uint32_t next;  /* in its chain */
    uint32_t bucket;
    uint16_t type;
    uint8_t status;
    uint8_t count;
    uint8_t failures; /* one after the other, of DNS_FAILED */
    uint8_t name_len;
    bool cname;
    bool live; /* in its chain */
};

static struct {
    uint8_t *memory;
    uint32_t head, tail, end;
    uint32_t buckets[BUCKETS];
    uint8_t key[16];
    unsigned live;
    uint8_t scratch[DNS_ANSWERS * ANSWER_MAX];
    struct dns_result failure; /* too large for the stack */
} state;

static struct entry *entry_at(uint32_t at)
{
    return (struct entry *)(void *)(state.memory + at);
}

static uint8_t *entry_name(struct entry *entry)
{
    return (uint8_t *)(entry + 1);
}

static uint32_t bucket_of(const struct dns_question *question)
{
    uint64_t hash =
        siphash(state.key, question->name.bytes, question->name.len);

    return (uint32_t)(hash + (unsigned)question->type * 7U) % BUCKETS;
}

static void unlink_entry(struct entry *entry)
{
    uint32_t *link = &state.buckets[entry->bucket];

    if (!entry->live)
        return;
    while (entry_at(*link) != entry)
        link = &entry_at(*link)->next;
    *link = entry->next;
    entry->live = false;
    state.live--;
}

static struct entry *find(const struct dns_question *question)
{
    uint32_t at = state.buckets[bucket_of(question)];

    for (; at != NONE; at = entry_at(at)->next) {
        struct entry *entry = entry_at(at);

        if (entry->type == question->type &&
            entry->name_len == question->name.len &&
            !memcmp(entry_name(entry), question->name.bytes,
                    question->name.len))
            return entry;
    }
    return NULL;
}

static void drop_oldest(void)
{
    struct entry *entry = entry_at(state.tail);

    unlink_entry(entry);
    state.tail += entry->bytes;
}

/* Room for an entry; never more than a small part of all there is. */
static struct entry *make_room(uint32_t bytes)
{
    struct entry *entry;

    if (CACHE_BYTES - state.head < bytes) {
        while (state.tail < state.end)
            drop_oldest();
        state.tail = 0;
        state.end = state.head;
        state.head = 0;
    }
    while (state.tail < state.end && state.tail - state.head < bytes)
        drop_oldest();
    entry = entry_at(state.head);
    state.head += bytes;
    memset(entry, 0, sizeof(*entry));
    entry->bytes = bytes;
    return entry;
}

/* ---- Answers as they are kept ---- */

static size_t pack(const struct dns_result *result, enum dns_type type,
                   uint8_t *out)
{
    uint8_t *p = out;

    for (unsigned i = 0; i < result->count; i++) {
        const struct dns_answer *answer = &result->answers[i];
        size_t len = strlen(answer->name);

        if (type == DNS_A || type == DNS_AAAA) {
            memcpy(p, answer->address.bytes, sizeof(answer->address.bytes));
            p += sizeof(answer->address.bytes);
            continue;
        }
        memcpy(p, &answer->preference, sizeof(answer->preference));
        p += sizeof(answer->preference);
        memcpy(p, answer->name, len + 1);
        p += len + 1;
    }
    return (size_t)(p - out);
}

static void unpack(const uint8_t *p, enum dns_type type,
                   struct dns_result *result)
{
    for (unsigned i = 0; i < result->count; i++) {
        struct dns_answer *answer = &result->answers[i];
        size_t len;

        memset(answer, 0, sizeof(*answer));
        if (type == DNS_A || type == DNS_AAAA) {
            memcpy(answer->address.bytes, p, sizeof(answer->address.bytes));
            p += sizeof(answer->address.bytes);
            continue;
        }
        memcpy(&answer->preference, p, sizeof(answer->preference));
        p += sizeof(answer->preference);
        len = strlen((const char *)p);
        memcpy(answer->name, p, len + 1);
        p += len + 1;
    }
}

bool dns_cache_find(const struct dns_question *question,
                    struct dns_result *result)
{
    struct entry *entry = find(question);
    uint64_t now_ms = timer_now_ms();

    if (!entry || now_ms >= entry->expires_ms)
        return false;
    result->status = (enum dns_status)entry->status;
    result->cname = entry->cname;
    result->count = entry->count;
    result->ttl_s = (uint32_t)((entry->expires_ms - now_ms + 999) / 1000);
    unpack(entry_name(entry) + entry->name_len, question->type, result);
    return true;
}

static struct entry *put(const struct dns_question *question,
                         const struct dns_result *result)
{
    struct entry *old = find(question), *entry;
    size_t answers = pack(result, question->type, state.scratch);
    size_t bytes = sizeof(*entry) + question->name.len + answers;

    if (old)
        unlink_entry(old);
    entry = make_room((uint32_t)((bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1)));
    entry->expires_ms = timer_now_ms() + result->ttl_s * 1000ULL;
    entry->type = (uint16_t)question->type;
    entry->status = (uint8_t)result->status;
    entry->cname = result->cname;
    entry->count = (uint8_t)result->count;
    entry->name_len = question->name.len;
    memcpy(entry_name(entry), question->name.bytes, question->name.len);
    memcpy(entry_name(entry) + question->name.len, state.scratch, answers);
    entry->bucket = bucket_of(question);
    entry->next = state.buckets[entry->bucket];
    state.buckets[entry->bucket] = (uint32_t)((uint8_t *)entry - state.memory);
    entry->live = true;
    state.live++;
    return entry;
}

void dns_cache_put(const struct dns_question *question,
                   const struct dns_result *result)
{
    if (result->ttl_s)
        (void)put(question, result);
}

void dns_cache_put_failure(const struct dns_question *question)
{
    struct entry *entry = find(question);
    uint8_t failures = entry ? entry->failures : 0;
    uint32_t ttl_s = DNS_FAILURE_S;

    for (uint8_t i = 0; i < failures && ttl_s < DNS_FAILURE_MAX_S; i++)
        ttl_s *= 2;
    state.failure.status = DNS_FAILED;
    state.failure.ttl_s = ttl_s < DNS_FAILURE_MAX_S ? ttl_s : DNS_FAILURE_MAX_S;
    entry = put(question, &state.failure);
    entry->failures = failures < UINT8_MAX ? failures + 1 : failures;
}

void dns_cache_clear(void)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        state.buckets[i] = NONE;
    state.head = state.tail = state.end = 0;
    state.live = 0;
}

unsigned dns_cache_entries(void)
{
    return state.live;
}

enum err dns_cache_init(void)
{
    state.memory = memory_take("DNS cache", CACHE_BYTES, ALIGNMENT);
    if (!state.memory)
        return ERR_MEMORY;
    random_bytes(state.key, sizeof(state.key));
    dns_cache_clear();
    return OK;
}
