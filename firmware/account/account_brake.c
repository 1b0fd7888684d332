/* Brakes on guessing: see account_brake.h. */
#include "account/account_brake.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/timer.h"
#include <string.h>

/* Sets of WAYS; a key may stand in any place of its set. */
#define SETS 1024
#define WAYS 4

struct brake {
    uint64_t key;      /* 0: free */
    uint64_t since_ms; /* the score was reckoned up to here */
    uint64_t until_ms;
    uint32_t score;
};

static const struct {
    unsigned free; /* this many cost nothing */
    uint32_t step_ms, longest_ms;
    uint32_t sink_ms; /* the score loses one in this time */
} kinds[BRAKE_KINDS] = {
    [BRAKE_NETWORK] = {3, 500, 30000, 120000},
    [BRAKE_ACCOUNT] = {10, 250, 5000, 60000},
    [BRAKE_HOST] = {3, 500, 30000, 120000},
    [BRAKE_HOME] = {50, 250, 5000, 20000},
    [BRAKE_ADDRESS] = {30, 0, 0, 20000},
};

#define SCORE_MAX 1000

static struct {
    uint8_t key[16];
    struct brake *brakes;
} state;

enum err brake_module_init(void)
{
    random_bytes(state.key, sizeof(state.key));
    state.brakes =
        memory_take("brakes", SETS * WAYS * sizeof(*state.brakes), 64);
    if (state.brakes == NULL)
        return ERR_MEMORY;
    memset(state.brakes, 0, SETS * WAYS * sizeof(*state.brakes));
    return OK;
}

/* ---- Keys ---------------------------------------------------------------- */

static uint64_t make_key(enum brake_kind kind, const void *bytes, size_t len)
{
    uint8_t text[1 + 64];
    uint64_t key;

    text[0] = (uint8_t)kind;
    if (len > sizeof(text) - 1)
        len = sizeof(text) - 1;
    memcpy(text + 1, bytes, len);
    key = siphash(state.key, text, len + 1);
    return key != 0 ? key : 1;
}

uint64_t brake_network(const struct net_address *address)
{
    bool v4 = net_address_is_v4(address);

    return make_key(BRAKE_NETWORK, address->bytes, v4 ? 15 : 8);
}

uint64_t brake_host(const struct net_address *address)
{
    return make_key(BRAKE_HOST, address->bytes, sizeof(address->bytes));
}

uint64_t brake_home(int64_t user_id, uint64_t network_key)
{
    uint64_t text[2] = {(uint64_t)user_id, network_key};

    return make_key(BRAKE_HOME, text, sizeof(text));
}

uint64_t brake_address(const struct net_address *address)
{
    return make_key(BRAKE_ADDRESS, address->bytes, sizeof(address->bytes));
}

uint64_t brake_name(const char *name, size_t len)
{
    char lower[64];
    size_t i;

    if (len > sizeof(lower))
        len = sizeof(lower);
    for (i = 0; i < len; i++)
        lower[i] =
            (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    return make_key(BRAKE_ACCOUNT, lower, len);
}

/* ---- Scores -------------------------------------------------------------- */

static struct brake *set_of(uint64_t key)
{
    return state.brakes + key % SETS * WAYS;
}

static struct brake *find(uint64_t key)
{
    struct brake *set = set_of(key);
    unsigned i;

    for (i = 0; i < WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

/* Takes off the score what time has taken off it. */
static void sink(struct brake *brake, uint32_t sink_ms)
{
    uint64_t lost = (timer_now_ms() - brake->since_ms) / sink_ms;

    if (lost >= brake->score) {
        brake->score = 0;
        brake->since_ms = timer_now_ms();
        return;
    }
    brake->score -= (uint32_t)lost;
    brake->since_ms += lost * sink_ms;
}

/* A place for a key that has none: a free one, else that of the lowest score,
 * of several the oldest. */
static struct brake *make_place(uint64_t key)
{
    struct brake *set = set_of(key);
    struct brake *lowest = &set[0];
    unsigned i;

    for (i = 0; i < WAYS && lowest->key != 0; i++)
        if (set[i].key == 0 || set[i].score < lowest->score ||
            (set[i].score == lowest->score &&
             set[i].since_ms < lowest->since_ms))
            lowest = &set[i];
    memset(lowest, 0, sizeof(*lowest));
    lowest->key = key;
    lowest->since_ms = timer_now_ms();
    return lowest;
}

unsigned brake_score(enum brake_kind kind, uint64_t key)
{
    struct brake *brake = find(key);

    if (brake == NULL)
        return 0;
    sink(brake, kinds[kind].sink_ms);
    return brake->score;
}

uint64_t brake_until(uint64_t key)
{
    const struct brake *brake = find(key);

    return brake != NULL ? brake->until_ms : 0;
}

static uint64_t delay_ms(enum brake_kind kind, unsigned score)
{
    uint64_t delay = kinds[kind].step_ms;
    unsigned over;

    if (score <= kinds[kind].free)
        return 0;
    for (over = score - kinds[kind].free;
         over > 1 && delay < kinds[kind].longest_ms; over--)
        delay *= 2;
    return delay < kinds[kind].longest_ms ? delay : kinds[kind].longest_ms;
}

void brake_raise(enum brake_kind kind, uint64_t key)
{
    struct brake *brake = find(key);
    uint64_t until;

    if (brake == NULL)
        brake = make_place(key);
    sink(brake, kinds[kind].sink_ms);
    if (brake->score < SCORE_MAX)
        brake->score++;
    until = timer_now_ms() + delay_ms(kind, brake->score);
    if (until > brake->until_ms)
        brake->until_ms = until;
}

void brake_lower(enum brake_kind kind, uint64_t key)
{
    struct brake *brake = find(key);

    if (brake == NULL)
        return;
    sink(brake, kinds[kind].sink_ms);
    if (brake->score > 0)
        brake->score--;
}

bool brake_open(uint64_t address_key)
{
    return brake_score(BRAKE_ADDRESS, address_key) <= kinds[BRAKE_ADDRESS].free;
}
