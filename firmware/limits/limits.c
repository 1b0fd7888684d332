/* Settings, addresses, users.
 *
 * Addresses, their networks and users are counted in one table: buckets of
 * eight entries, found by a keyed hash so that nobody can choose what falls
 * together. An entry holds the sessions that are open now and two token
 * buckets: what was used of an allowance flows back evenly with time. When a
 * bucket is full, the entry that was idle longest gives way; when all eight
 * have sessions, the newcomer is not counted: limits give way, never mail. */
#include "limits/limits.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/timer.h"
#include "store/st.h"
#include "store/st_number.h"
#include <string.h>

#define WAYS        8
#define BUCKETS_MIN 128u
#define MINUTE_MS   60000
#define HOUR_MS     3600000
#define TELL_MS     10000
/* Recipients that do not exist, before the first delay; and the longest. */
#define INVALID_FREE  5
#define TARPIT_MAX_MS 30000u

/* 0 turns a limit off. */
static const struct {
    const char *name;
    int64_t otherwise, most;
} settings[LIMITS] = {
    [LIMIT_SESSIONS] = {"limit_sessions", 20, 100000},
    [LIMIT_SESSIONS_NET] = {"limit_sessions_net", 50, 100000},
    [LIMIT_CONNECTIONS] = {"limit_connections", 120, 100000},
    [LIMIT_INVALID_RECIPIENTS] = {"limit_invalid_recipients", 15, 100},
    [LIMIT_USER_MESSAGES] = {"limit_user_messages", 300, 1000000},
    [LIMIT_USER_RECIPIENTS] = {"limit_user_recipients", 500, 1000000},
    [LIMIT_TARPIT_MS] = {"tarpit_ms", 1000, 30000},
    [LIMIT_GREET_DELAY_MS] = {"greet_delay_ms", 0, 60000},
    [LIMIT_SLOW_STRANGERS_MS] = {"slow_strangers_ms", 0, 60000},
    [LIMIT_PRIVATE] = {"limit_private", 0, 1},
};

/* An allowance: `used` of it is not there at the moment, in thousandths. */
struct allowance {
    uint64_t used;
    uint64_t at_ms; /* when that was so */
};

enum key_kind { KEY_FREE, KEY_ADDRESS, KEY_NET, KEY_USER };

struct key {
    uint8_t bytes[16];
    uint8_t kind;
};

struct entry {
    struct key key;
    uint16_t sessions;
    uint64_t seen_ms;
    struct allowance first, second; /* connections; messages, recipients */
};

static struct {
    struct entry *entries; /* WAYS * buckets */
    unsigned buckets;      /* a power of two; 0: nothing is counted */
    uint64_t told_ms;      /* when the log was told of a client turned away */
    uint8_t hash_key[16];
    struct limits_figures figures;
} state;

/* ---- Settings ------------------------------------------------------------ */

/* Read again when one of the store's has changed, so that no session has to. */
int64_t limits_setting(enum limit limit)
{
    static struct {
        uint32_t version;
        bool read;
        int64_t values[LIMITS];
    } now;
    uint32_t version = st_settings_version();

    if (now.read && version == now.version)
        return now.values[limit];
    for (unsigned i = 0; i < LIMITS; i++)
        now.values[i] = st_setting_number(
            settings[i].name, settings[i].otherwise, 0, settings[i].most);
    now.read = true;
    now.version = version;
    return now.values[limit];
}

const char *limits_name(enum limit limit)
{
    return settings[limit].name;
}

/* Prefixes of addresses that belong to nobody in the Internet. */
static const struct {
    uint8_t bits;
    uint8_t bytes[16];
} private_nets[] = {
    {104, {[10] = 0xff, [11] = 0xff, 127}},
    {104, {[10] = 0xff, [11] = 0xff, 10}},
    {108, {[10] = 0xff, [11] = 0xff, 172, 16}},
    {112, {[10] = 0xff, [11] = 0xff, 192, 168}},
    {112, {[10] = 0xff, [11] = 0xff, 169, 254}},
    {128, {[15] = 1}},
    {10, {0xfe, 0x80}},
    {7, {0xfc}},
};

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix,
                       unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(bytes, prefix, whole) == 0 &&
           (rest == 0 || (bytes[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

bool limits_private(const struct net_address *address)
{
    for (unsigned i = 0; i < sizeof(private_nets) / sizeof(private_nets[0]);
         i++)
        if (has_prefix(address->bytes, private_nets[i].bytes,
                       private_nets[i].bits))
            return true;
    return false;
}

/* ---- The table ----------------------------------------------------------- */

static bool replaceable(const struct entry *entry, const struct entry *than)
{
    if (entry->sessions > 0)
        return false;
    return than == NULL || entry->key.kind == KEY_FREE ||
           (than->key.kind != KEY_FREE && entry->seen_ms < than->seen_ms);
}

/* The entry of a key, made if there is none; NULL when there is no place. */
static struct entry *find(const struct key *key)
{
    uint64_t hash = siphash_table(state.hash_key, key, sizeof(*key));
    struct entry *place = NULL;
    struct entry *bucket;

    if (state.buckets == 0)
        return NULL;
    bucket = state.entries + (hash & (state.buckets - 1)) * WAYS;
    for (unsigned i = 0; i < WAYS; i++) {
        if (memcmp(&bucket[i].key, key, sizeof(*key)) == 0)
            return &bucket[i];
        if (replaceable(&bucket[i], place))
            place = &bucket[i];
    }
    if (place != NULL) {
        memset(place, 0, sizeof(*place));
        place->key = *key;
        place->seen_ms = timer_now_ms();
    }
    return place;
}

static struct entry *find_address(const struct net_address *address)
{
    struct key key = {.kind = KEY_ADDRESS};

    memcpy(key.bytes, address->bytes, sizeof(key.bytes));
    return find(&key);
}

/* The /24 of an IPv4 address; of an IPv6 one the /56, which one customer is
 * given (RFC 6177). */
static struct entry *find_net(const struct net_address *address)
{
    struct key key = {.kind = KEY_NET};

    memcpy(key.bytes, address->bytes, net_address_is_v4(address) ? 15 : 7);
    return find(&key);
}

static struct entry *find_user(int64_t user_id)
{
    struct key key = {.kind = KEY_USER};

    memcpy(key.bytes, &user_id, sizeof(user_id));
    return find(&key);
}

/* Takes one of `most` that come back within period_ms; false when there is none
 * left. */
static bool take_one(struct allowance *allowance, int64_t most,
                     uint64_t period_ms)
{
    uint64_t now = timer_now_ms();
    uint64_t all = (uint64_t)most * 1000;
    uint64_t passed = now - allowance->at_ms;
    uint64_t back = passed < period_ms ? all * passed / period_ms : all;

    /* Only the time that has given something back is used up. */
    allowance->at_ms =
        passed < period_ms ? allowance->at_ms + back * period_ms / all : now;
    allowance->used -= back < allowance->used ? back : allowance->used;
    if (allowance->used + 1000 > all)
        return false;
    allowance->used += 1000;
    return true;
}

/* ---- Sessions ------------------------------------------------------------ */

bool limits_applies(const struct limits_session *session)
{
    return !session->trusted &&
           (!session->exempt || limits_setting(LIMIT_PRIVATE) != 0);
}

static bool over(const struct entry *entry, enum limit limit)
{
    int64_t most = limits_setting(limit);

    return entry != NULL && most != 0 && entry->sessions >= most;
}

static enum err judge(const struct limits_session *session,
                      struct entry *address, struct entry *net)
{
    int64_t rate = limits_setting(LIMIT_CONNECTIONS);

    if (!limits_applies(session))
        return OK;
    if (over(address, LIMIT_SESSIONS) || over(net, LIMIT_SESSIONS_NET))
        return ERR_BUSY;
    if (address != NULL && rate != 0 &&
        !take_one(&address->first, rate, MINUTE_MS))
        return ERR_REFUSED;
    return OK;
}

/* The log hears of it now and then: whoever comes too often comes very often.
 */
static void turned_away(const struct net_address *address, enum err why)
{
    uint64_t now = timer_now_ms();
    char text[NET_ADDRESS_TEXT];

    state.figures.turned_away++;
    if (state.figures.turned_away > 1 && now - state.told_ms < TELL_MS)
        return;
    state.told_ms = now;
    log_fact("limits", "turned away client=%s limit=%s in_all=%llu",
             net_address_format(address, text),
             why == ERR_BUSY ? "sessions" : "connections",
             (unsigned long long)state.figures.turned_away);
}

static bool count(struct entry *entry)
{
    if (entry == NULL || entry->sessions == UINT16_MAX)
        return false;
    entry->seen_ms = timer_now_ms();
    entry->sessions++;
    return true;
}

enum err limits_begin(struct limits_session *session,
                      const struct net_address *address)
{
    struct entry *one = find_address(address);
    struct entry *net;
    enum err err;

    memset(session, 0, sizeof(*session));
    session->address = *address;
    session->exempt = limits_private(address);
    if (one != NULL)
        one->sessions++; /* so that its network does not take its place */
    net = find_net(address);
    if (one != NULL)
        one->sessions--;
    err = judge(session, one, net);
    if (err != OK) {
        turned_away(address, err);
        return err;
    }
    session->counted_address = count(one);
    session->counted_net = count(net);
    return OK;
}

static void uncount(struct entry *entry)
{
    if (entry != NULL && entry->sessions > 0)
        entry->sessions--;
}

void limits_end(struct limits_session *session)
{
    if (session->counted_address)
        uncount(find_address(&session->address));
    if (session->counted_net)
        uncount(find_net(&session->address));
    session->counted_address = session->counted_net = false;
}

enum err limits_invalid_recipient(struct limits_session *session,
                                  uint32_t *delay_ms)
{
    int64_t most = limits_setting(LIMIT_INVALID_RECIPIENTS);
    uint64_t delay = (uint64_t)limits_setting(LIMIT_TARPIT_MS);

    *delay_ms = 0;
    if (session->invalid < UINT8_MAX)
        session->invalid++;
    if (!limits_applies(session))
        return OK;
    if (most != 0 && session->invalid >= most)
        return ERR_REFUSED;
    if (session->invalid <= INVALID_FREE || delay == 0)
        return OK;
    for (unsigned i = INVALID_FREE + 1;
         i < session->invalid && delay < TARPIT_MAX_MS; i++)
        delay *= 2;
    *delay_ms = delay < TARPIT_MAX_MS ? (uint32_t)delay : TARPIT_MAX_MS;
    state.figures.tarpitted++;
    return OK;
}

/* ---- Users --------------------------------------------------------------- */

static enum err user_takes(int64_t user_id,
                           const struct limits_session *session,
                           enum limit limit)
{
    int64_t most = limits_setting(limit);
    struct entry *entry;

    if (most == 0 || (session->exempt && limits_setting(LIMIT_PRIVATE) == 0))
        return OK;
    entry = find_user(user_id);
    if (entry == NULL)
        return OK;
    entry->seen_ms = timer_now_ms();
    if (take_one(limit == LIMIT_USER_MESSAGES ? &entry->first : &entry->second,
                 most, HOUR_MS))
        return OK;
    state.figures.held_back++;
    return ERR_BUSY;
}

enum err limits_user_message(int64_t user_id,
                             const struct limits_session *session)
{
    return user_takes(user_id, session, LIMIT_USER_MESSAGES);
}

enum err limits_user_recipient(int64_t user_id,
                               const struct limits_session *session)
{
    return user_takes(user_id, session, LIMIT_USER_RECIPIENTS);
}

struct limits_figures *limits_figures(void)
{
    return &state.figures;
}

enum err limits_init(unsigned sessions)
{
    memset(&state, 0, sizeof(state));
    state.buckets = BUCKETS_MIN;
    /* Two entries a session, and as many again for who was here before. */
    while (state.buckets * WAYS < 4 * sessions)
        state.buckets *= 2;
    state.entries = memory_take(
        "limits", (size_t)state.buckets * WAYS * sizeof(struct entry), 64);
    random_bytes(state.hash_key, sizeof(state.hash_key));
    return state.entries != NULL ? OK : ERR_MEMORY;
}
