/* A hierarchical timing wheel (Varghese and Lauck, 1987).
 *
 * Level n has 64 slots of 64^n ms. A timer lies on the lowest level on which
 * its expiry shares all higher bits with the present: on level 0 the slot says
 * the exact millisecond, on the others it says when to look again (cascade).
 * A bitmap per level finds the next used slot without walking the empty ones,
 * so the wheel can jump over any idle time.
 *
 * A running timer that is started again for a later time stays where it lies,
 * which is looked at before: most are put off with every segment. */
#include "core/timer.h"
#include "core/check.h"
#include "core/machine.h"

#define SLOT_BITS 6
#define SLOTS     64
#define LEVELS    7 /* 2^42 ms: 139 years */

static struct {
    uint64_t now_ms;
    uint64_t used[LEVELS]; /* bit s: slot s has timers */
    struct list slots[LEVELS][SLOTS];
} state;

static uint64_t machine_now_ms(void)
{
    return machine_monotonic_ns() / 1000000;
}

void timer_module_init(void)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        state.used[level] = 0;
        for (unsigned slot = 0; slot < SLOTS; slot++)
            list_init(&state.slots[level][slot]);
    }
    state.now_ms = machine_now_ms();
}

static unsigned slot_of(uint64_t time_ms, unsigned level)
{
    return (unsigned)(time_ms >> (SLOT_BITS * level)) & (SLOTS - 1);
}

static void place(struct timer *timer)
{
    uint64_t differing = timer->expires_ms ^ state.now_ms;
    unsigned level = 0;
    unsigned slot;

    while (level < LEVELS - 1 && differing >> (SLOT_BITS * (level + 1)) != 0)
        level++;
    slot = slot_of(timer->expires_ms, level);
    list_append(&state.slots[level][slot], &timer->link);
    state.used[level] |= 1ull << slot;
}

void timer_init(struct timer *timer, void (*expired)(struct timer *timer))
{
    list_init(&timer->link);
    timer->expires_ms = 0;
    timer->expired = expired;
}

void timer_start(struct timer *timer, uint64_t delay_ms)
{
    /* One more, because the present millisecond has already begun. */
    uint64_t expires_ms = state.now_ms + delay_ms + 1;
    bool put_off = timer_running(timer) && expires_ms >= timer->expires_ms;

    ASSERT(delay_ms < 1ull << (SLOT_BITS * LEVELS - 1));
    timer->expires_ms = expires_ms;
    if (put_off)
        return;
    list_remove(&timer->link);
    place(timer);
}

void timer_stop(struct timer *timer)
{
    /* The slot's bit may stay set without a timer: the slot is then found
     * empty once and the bit cleared. */
    list_remove(&timer->link);
}

uint64_t timer_now_ms(void)
{
    return state.now_ms;
}

/* Bits of the slots behind the present one on this level. */
static uint64_t later_slots(unsigned level)
{
    unsigned slot = slot_of(state.now_ms, level);

    return state.used[level] & ~((2ull << slot) - 1);
}

uint64_t timer_next_ms(void)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        uint64_t later = later_slots(level);
        unsigned shift = SLOT_BITS * level;

        if (later != 0) {
            uint64_t slot = (uint64_t)__builtin_ctzll(later);
            uint64_t higher = state.now_ms >> (shift + SLOT_BITS);

            return (higher << SLOT_BITS | slot) << shift;
        }
    }
    return UINT64_MAX;
}

/* Re-places the timers of the higher-level slots that begin now. */
static void cascade(void)
{
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        unsigned slot = slot_of(state.now_ms, level);
        struct list *head = &state.slots[level][slot];
        struct list moved;
        struct list *node;

        if ((state.used[level] & 1ull << slot) == 0)
            continue;
        state.used[level] &= ~(1ull << slot);
        list_init(&moved);
        while ((node = list_take_first(head)) != NULL)
            list_append(&moved, node);
        while ((node = list_take_first(&moved)) != NULL)
            place(LIST_ELEMENT(node, struct timer, link));
    }
}

/* Fires what expires in the present millisecond, and places what was put off.
 */
static unsigned fire(void)
{
    unsigned slot = slot_of(state.now_ms, 0);
    struct list *node;
    unsigned fired = 0;

    if ((state.used[0] & 1ull << slot) == 0)
        return 0;
    while ((node = list_take_first(&state.slots[0][slot])) != NULL) {
        struct timer *timer = LIST_ELEMENT(node, struct timer, link);

        if (timer->expires_ms > state.now_ms) {
            place(timer);
            continue;
        }
        fired++;
        timer->expired(timer);
    }
    state.used[0] &= ~(1ull << slot);
    return fired;
}

unsigned timer_run(void)
{
    uint64_t until_ms = machine_now_ms();
    unsigned fired = 0;

    while (state.now_ms < until_ms) {
        uint64_t next_ms = timer_next_ms();

        state.now_ms = next_ms < until_ms ? next_ms : until_ms;
        cascade();
        fired += fire();
    }
    return fired;
}
