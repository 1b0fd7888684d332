/* SYN cookies (RFC 4987 3.6): when a flood of SYNs has taken every half-open
 * connection, a further SYN is answered without keeping anything. All that has
 * to be known lies in the number of the answer, which the third segment of the
 * handshake brings back:
 *
 *     bit 31        whether the period of time is odd
 *     bits 28..30   which of eight segment sizes the peer takes
 *     bits 0..27    SipHash of both, of the addresses, the ports and the peer's
 *                   number, with a key that nobody else knows
 *
 * What is not kept is lost: window scaling and SACK; and when the third segment
 * gets lost, so is the connection. So cookies are given only while there is no
 * other way, and none is believed at other times. */
#include "core/log.h"
#include "core/random.h"
#include "net/tcp_internal.h"
#include <string.h>

#define PERIOD_MS 60000 /* one is good until the end of the next period */
#define MSS_BITS  3
#define HASH_BITS 28

static const uint16_t sizes[1 << MSS_BITS] = {
    TCP_MSS_MIN, TCP_MSS_DEFAULT, 1220, 1360, 1400, 1440, 1452, 1460};

static struct {
    uint8_t key[16];
    bool given; /* ever; the last one in that period: */
    uint32_t given_period;
} state;

void tcp_cookie_init(void)
{
    memset(&state, 0, sizeof(state));
    random_bytes(state.key, sizeof(state.key));
}

static uint32_t period_now(void)
{
    return (uint32_t)(timer_now_ms() / PERIOD_MS);
}

static bool given_lately(uint32_t period)
{
    return state.given && period - state.given_period <= 1;
}

static uint32_t cookie_of(const struct tcp_key *key, uint32_t irs,
                          uint32_t period, uint32_t size)
{
    struct {
        struct tcp_key key;
        uint32_t irs, period, size;
    } all = {*key, irs, period, size};
    _Static_assert(sizeof(all) == sizeof(*key) + 12, "no padding is hashed");
    uint32_t hash = (uint32_t)siphash(state.key, &all, sizeof(all));

    return period << 31 | size << HASH_BITS | hash >> (32 - HASH_BITS);
}

uint32_t tcp_cookie_give(const struct tcp_segment *syn)
{
    uint32_t period = period_now();
    uint32_t size = (1 << MSS_BITS) - 1;
    uint16_t mss = syn->mss ? syn->mss : TCP_MSS_DEFAULT;

    while (size > 0 && sizes[size] > mss)
        size--;
    if (!given_lately(period))
        log_warn("tcp", "flood of SYNs: answered by cookies");
    state.given = true;
    state.given_period = period;
    tcp_counters()->cookies++;
    return cookie_of(&syn->key, syn->sequence, period, size);
}

uint16_t tcp_cookie_mss(const struct tcp_segment *ack)
{
    uint32_t cookie = ack->ack - 1;
    uint32_t period = period_now();
    uint32_t size = cookie >> HASH_BITS & ((1 << MSS_BITS) - 1);

    if (!given_lately(period))
        return 0;
    if (period << 31 != (cookie & UINT32_C(1) << 31))
        period--;
    return cookie == cookie_of(&ack->key, ack->sequence - 1, period, size)
               ? sizes[size]
               : 0;
}
