/* The time of a PC with a model of USB in it, and memory for DMA: what lies
 * under the drivers in their tests and fuzzers. Included by a program once,
 * behind its state (state.now_us, state.model.bus), where
 *
 *   poll_all()  lets the model and what is tested take their turn; returns
 *               whether anything happened
 *   STEPS_MAX  turns until whoever is still busy is so for ever
 *   BUSY_FOR_EVER()  says so */
#ifndef TESTS_UNIT_USB_TIME_H
#define TESTS_UNIT_USB_TIME_H

#include "core/timer.h"
#include "drivers/usb/usb_core.h"
#include <stdlib.h>
#include <string.h>

uint64_t io_now_us(void)
{
    return state.now_us;
}

uint64_t machine_monotonic_ns(void)
{
    return state.now_us * 1000;
}

void *io_dma_take(size_t bytes, size_t alignment, size_t boundary)
{
    void *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

    (void)alignment;
    (void)boundary;
    if (memory == NULL)
        abort();
    memset(memory, 0, bytes);
    return memory;
}

/* One turn; false: nothing happens any more, ever. */
static bool turn(void)
{
    uint64_t next_ms;
    bool busy = poll_all();

    busy |= timer_run() > 0;
    if (busy)
        return true;
    next_ms = timer_next_ms();
    if (next_ms == UINT64_MAX)
        return false;
    state.now_us =
        next_ms * 1000 > state.now_us ? next_ms * 1000 : state.now_us + 1000;
    return true;
}

static void run_us(uint64_t us)
{
    uint64_t end_us = state.now_us + us;
    unsigned steps = 0;

    while (state.now_us < end_us && turn()) {
        if (++steps == STEPS_MAX) {
            BUSY_FOR_EVER();
            return;
        }
    }
}

#endif
