/* The virtual clock: a heap of events in the order of their times.
 *
 * Time moves in two ways only: sim_clock_spend(), a little for what the
 * processor does, and sim_clock_sleep(), when the AO has nothing to do. Events
 * fire in sim_clock_run(), never while the AO computes. */
#include "tests/sim/sim.h"
#include <stdlib.h>

static struct {
    uint64_t now_ns;
    uint64_t orders;
    struct sim_event **heap; /* [1 .. count] */
    size_t count, room;
} state;

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void put(size_t place, struct sim_event *event)
{
    state.heap[place] = event;
    event->place = place;
}

static void rise(size_t place, struct sim_event *event)
{
    while (place > 1 && earlier(event, state.heap[place / 2])) {
        put(place, state.heap[place / 2]);
        place /= 2;
    }
    put(place, event);
}

static void sink(size_t place, struct sim_event *event)
{
    size_t child;

    while ((child = place * 2) <= state.count) {
        if (child < state.count &&
            earlier(state.heap[child + 1], state.heap[child]))
            child++;
        if (!earlier(state.heap[child], event))
            break;
        put(place, state.heap[child]);
        place = child;
    }
    put(place, event);
}

void sim_event_init(struct sim_event *event,
                    void (*fire)(struct sim_event *event))
{
    event->at_ns = 0;
    event->order = 0;
    event->place = 0;
    event->fire = fire;
}

void sim_event_start(struct sim_event *event, uint64_t delay_ns)
{
    sim_event_stop(event);
    if (state.count + 1 >= state.room) {
        state.room = state.room == 0 ? 1024 : state.room * 2;
        state.heap = realloc(state.heap, state.room * sizeof(*state.heap));
        if (state.heap == NULL)
            sim_fail("the simulation has no memory for its events");
    }
    event->at_ns = state.now_ns + delay_ns;
    event->order = ++state.orders;
    rise(++state.count, event);
}

void sim_event_stop(struct sim_event *event)
{
    size_t place = event->place;
    struct sim_event *last;

    if (place == 0)
        return;
    event->place = 0;
    last = state.heap[state.count--];
    if (last == event)
        return;
    if (place > 1 && earlier(last, state.heap[place / 2]))
        rise(place, last);
    else
        sink(place, last);
}

uint64_t sim_now(void)
{
    return state.now_ns;
}

void sim_clock_spend(uint64_t ns)
{
    state.now_ns += ns;
}

bool sim_clock_run(void)
{
    bool any = false;

    while (state.count > 0 && state.heap[1]->at_ns <= state.now_ns) {
        struct sim_event *event = state.heap[1];

        sim_event_stop(event);
        event->fire(event);
        any = true;
    }
    return any;
}

void sim_clock_sleep(uint64_t deadline_ns)
{
    uint64_t until = deadline_ns;

    if (state.count > 0 && state.heap[1]->at_ns < until)
        until = state.heap[1]->at_ns;
    if (until == UINT64_MAX)
        sim_fail("everything waits, and nothing will ever happen");
    if (until > state.now_ns)
        state.now_ns = until;
}
