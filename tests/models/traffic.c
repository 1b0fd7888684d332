/* See traffic.h. Frames carry a number and a pattern made from it; what was
 * given in waits in a queue of its own, in order, and is looked for there when
 * it comes out at the other end: those before it were lost. */
#include "tests/models/traffic.h"
#include "core/iobuf.h"
#include "core/machine.h"
#include "core/timer.h"
#include "drivers/machine_parts.h"
#include "drivers/pci.h"
#include "tests/models/pc.h"
#include <string.h>

const uint8_t traffic_group[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb};

#define QUEUE     1024u
#define KEPT_MAX  64u
#define BUDGET    64u /* as MT */
#define FRAME_MIN 14u
#define WIRE_MIN  60u
#define SEND_MAX  1514u
#define WIRE_MAX  1518u /* with a VLAN tag */

struct note {
    uint32_t number;
    uint16_t bytes;
    uint64_t at_us;
};

struct queue {
    struct note notes[QUEUE];
    unsigned first, last; /* free running */
};

static struct {
    const struct chip *chip;
    unsigned slot;
    struct queue in, out;
    uint32_t numbers;
    struct iobuf *kept[KEPT_MAX];
    uint64_t kept_hash[KEPT_MAX];
    unsigned kept_most;
    unsigned changed;
    uint64_t progress_us;
    struct traffic_result result;
} state;

/* ---- Frames -------------------------------------------------------------- */

#define PATTERNS 4093u /* a prime: which one repeats late */

static const uint8_t *pattern(uint32_t number)
{
    static uint8_t bytes[PATTERNS + WIRE_MAX];
    uint32_t value = 1;

    if (bytes[0] == 0)
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)(value >> 16 | 1);
            value = value * 1103515245u + 12345;
        }
    return bytes + number * 37u % PATTERNS;
}

/* Every frame's bytes follow from number, length and direction. */
static void fill(uint8_t *frame, uint32_t number, unsigned bytes, bool to_card)
{
    static const uint8_t peer[6] = {2, 0, 0, 0, 0, 1};

    memcpy(frame, pattern(number), bytes);
    memcpy(frame, to_card ? pc_address(state.slot) : peer, 6);
    if (to_card && number % 16 == 3)
        memset(frame, 255, 6);
    if (to_card && number % 16 == 7)
        memcpy(frame, traffic_group, 6);
    memcpy(frame + 6, to_card ? peer : pc_address(state.slot), 6);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    if (bytes >= FRAME_MIN + sizeof(number))
        memcpy(frame + FRAME_MIN, &number, sizeof(number));
}

/* Whether a frame is the one noted; sent ones are padded. */
static bool is(const struct note *note, const uint8_t *frame, size_t bytes,
               bool to_card)
{
    uint8_t wanted[WIRE_MAX + 2];
    size_t padded = note->bytes < WIRE_MIN ? WIRE_MIN : note->bytes;

    if (bytes != (to_card ? note->bytes : padded))
        return false;
    if (bytes >= FRAME_MIN + sizeof(note->number) && note->bytes == bytes &&
        memcmp(frame + FRAME_MIN, &note->number, sizeof(note->number)) != 0)
        return false; /* soon seen in most cases */
    fill(wanted, note->number, note->bytes, to_card);
    return memcmp(wanted, frame, note->bytes) == 0;
}

static void note(struct queue *queue, uint32_t number, unsigned bytes)
{
    struct note *entry = &queue->notes[queue->last++ % QUEUE];

    entry->number = number;
    entry->bytes = (uint16_t)bytes;
    entry->at_us = pc_now_us();
    if (queue->last - queue->first > QUEUE)
        queue->first = queue->last - QUEUE;
}

/* Takes a frame out of the queue, with those before it; NULL: it is none. */
static const struct note *take(struct queue *queue, const uint8_t *frame,
                               size_t bytes, bool to_card)
{
    for (unsigned i = queue->first; i != queue->last; i++) {
        if (!is(&queue->notes[i % QUEUE], frame, bytes, to_card))
            continue;
        queue->first = i + 1;
        return &queue->notes[i % QUEUE];
    }
    return NULL;
}

/* ---- What comes out ------------------------------------------------------ */

void chip_send(const uint8_t *frame, size_t bytes)
{
    uint8_t padded[CHIP_FRAME_BYTES * 2] = {0};

    memcpy(padded, frame, bytes);
    if (bytes < WIRE_MIN)
        bytes = WIRE_MIN;
    state.progress_us = pc_now_us();
    if (take(&state.out, padded, bytes, false) != NULL)
        state.result.sent++;
    else
        state.result.wrong++;
}

static uint64_t hash(const struct iobuf *frame)
{
    uint64_t value = 0xcbf29ce484222325ull;

    for (const uint8_t *p = frame->data; p < frame->tail; p++)
        value = (value ^ *p) * 0x100000001b3ull;
    return value;
}

/* Gives back what lies in one place of the kept frames. */
static void let_go(unsigned place)
{
    struct iobuf *frame = state.kept[place];

    if (frame == NULL)
        return;
    state.changed += hash(frame) != state.kept_hash[place];
    memset(frame->block, 0xdb, IOBUF_BYTES);
    iobuf_release(frame);
    state.kept[place] = NULL;
}

static void keep_or_release(struct iobuf *frame)
{
    const unsigned place =
        state.kept_most == 0 ? 0 : chip_random(state.kept_most);

    if (state.kept_most == 0) {
        memset(frame->block, 0xdb, IOBUF_BYTES);
        iobuf_release(frame);
        return;
    }
    let_go(place);
    state.kept[place] = frame;
    state.kept_hash[place] = hash(frame);
}

unsigned traffic_keep(unsigned most)
{
    const unsigned changed = state.changed;

    state.kept_most = most < KEPT_MAX ? most : KEPT_MAX;
    state.changed = 0;
    if (most != 0)
        return changed;
    for (unsigned i = 0; i < KEPT_MAX; i++)
        let_go(i);
    return changed + state.changed;
}

static void receive(struct iobuf *frame)
{
    const struct note *found =
        take(&state.in, frame->data, iobuf_length(frame), true);

    state.progress_us = pc_now_us();
    if (found == NULL) {
        state.result.wrong++;
    } else {
        const uint64_t waited_us = pc_now_us() - found->at_us;

        state.result.received++;
        if (waited_us > state.result.slowest_us)
            state.result.slowest_us = waited_us;
    }
    keep_or_release(frame);
}

/* ---- What is given in ---------------------------------------------------- */

static unsigned any_size(unsigned least, unsigned most)
{
    switch (chip_random(4)) {
    case 0:
        return least + chip_random(4);
    case 1:
        return most - chip_random(4);
    default:
        return least + chip_random(most - least + 1);
    }
}

static void put_on_wire(void)
{
    const unsigned bytes = any_size(WIRE_MIN, WIRE_MAX);
    const uint32_t number = state.numbers++;
    uint8_t frame[WIRE_MAX];

    fill(frame, number, bytes, true);
    if (pc_faults.gone || !state.chip->arrive(frame, bytes))
        return;
    note(&state.in, number, bytes);
    state.result.arrived++;
}

static bool give_to_driver(void)
{
    const unsigned bytes = any_size(FRAME_MIN, SEND_MAX);
    const uint32_t number = state.numbers;
    struct iobuf *frame = iobuf_alloc();
    bool taken;

    if (frame == NULL)
        return false;
    fill(iobuf_put(frame, bytes), number, bytes, false);
    /* It may be on the wire before the call is over. */
    note(&state.out, number, bytes);
    taken = machine_nic_send(frame);
    if (taken) {
        state.numbers++;
        state.result.taken++;
    } else {
        state.out.last--;
        state.result.refused++;
    }
    iobuf_release(frame);
    return taken;
}

/* ---- The loop ------------------------------------------------------------ */

/* One turn of MT; returns whether it had anything to do. */
static bool turn(void)
{
    struct iobuf *frame;
    uint64_t took_us;
    bool busy;

    pc_turn_begins();
    busy = pci_poll();
    busy |= nic_poll();
    for (unsigned i = 0; i < BUDGET && (frame = machine_nic_receive()) != NULL;
         i++) {
        receive(frame);
        busy = true;
    }
    busy |= timer_run() > 0;
    took_us = pc_turn_ends();
    if (took_us > state.result.longest_turn_us)
        state.result.longest_turn_us = took_us;
    return busy;
}

static void turn_and_sleep(uint64_t until_us)
{
    const uint64_t next_ms = timer_next_ms();

    pc_work();
    if (turn())
        return;
    if (next_ms != UINT64_MAX && next_ms * 1000 < until_us)
        until_us = next_ms * 1000;
    /* The chip works while the processor sleeps. */
    if (until_us > pc_now_us() + 50 && state.out.first != state.out.last &&
        !pc_faults.gone)
        until_us = pc_now_us() + 50;
    pc_sleep(until_us);
}

void traffic_idle(unsigned ms)
{
    const uint64_t end_us = pc_now_us() + (uint64_t)ms * 1000;

    while (pc_now_us() < end_us)
        turn_and_sleep(end_us);
}

void traffic_start(const struct chip *chip, unsigned slot)
{
    state.chip = chip;
    state.slot = slot;
    state.in.first = state.in.last = 0;
    state.out.first = state.out.last = 0;
    state.numbers++;
}

static bool all_through(unsigned given_in, unsigned given_out,
                        const struct traffic_plan *plan)
{
    return given_in == plan->to_card && given_out == plan->from_card &&
           state.in.first == state.in.last && state.out.first == state.out.last;
}

struct traffic_result traffic_run(const struct traffic_plan *plan,
                                  unsigned patience_ms)
{
    unsigned given_in = 0, given_out = 0;
    uint64_t next_us = pc_now_us();

    memset(&state.result, 0, sizeof(state.result));
    state.in.first = state.in.last;
    state.out.first = state.out.last;
    state.progress_us = pc_now_us();
    while (!all_through(given_in, given_out, plan) &&
           pc_now_us() - state.progress_us < (uint64_t)patience_ms * 1000) {
        if (pc_now_us() >= next_us) {
            unsigned burst = 1 + chip_random(plan->burst);

            for (; burst > 0 && given_in < plan->to_card; burst--, given_in++)
                put_on_wire();
            burst = 1 + chip_random(plan->burst);
            for (; burst > 0 && given_out < plan->from_card; burst--)
                given_out += give_to_driver();
            next_us = pc_now_us() + chip_random(plan->pause_us + 1);
        }
        turn_and_sleep(next_us > pc_now_us() ? next_us : UINT64_MAX);
    }
    return state.result;
}
