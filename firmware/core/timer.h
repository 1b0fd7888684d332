/* Timers on a wheel: starting and stopping one costs the same for any number
 * of them. Resolution 1 ms on the monotonic clock; a timer never fires early.
 * Callbacks run in MT, in the order of their times. */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include "core/list.h"
#include <stdbool.h>
#include <stdint.h>

struct timer {
    struct list link;
    uint64_t expires_ms;
    void (*expired)(struct timer *timer);
};

/* timer_init - prepares a timer that is not running. */
void timer_init(struct timer *timer, void (*expired)(struct timer *timer));

/* timer_start - fires once, delay_ms from now; restarts a running timer. */
void timer_start(struct timer *timer, uint64_t delay_ms);

/* timer_stop - also allowed when it does not run. */
void timer_stop(struct timer *timer);

static inline bool timer_running(const struct timer *timer)
{
    return !list_empty(&timer->link);
}

/* timer_now_ms - the time of this turn of the loop, in ms since start. The
 * same value throughout one turn: cheap, and consistent between callers. */
uint64_t timer_now_ms(void);

/* timer_run - called by MT each turn: takes the time from the machine and
 * fires what has expired. Returns how many fired. */
unsigned timer_run(void);

/* timer_next_ms - a time at or before which the next timer fires; UINT64_MAX
 * when none runs. */
uint64_t timer_next_ms(void);

/* timer_module_init - empties the wheel; once, before any other call. */
void timer_module_init(void);

#endif
