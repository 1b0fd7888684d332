/* MT, the main task: makes everything at start, then goes round for ever.
 *
 * One turn: devices, received frames (RT), timers, the circular list, the
 * store, what is to be sent, the menu. Nothing in it waits; when a whole turn
 * had nothing to do, the processor sleeps until a device or a timer wakes it.
 */
#include "core/check.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/task.h"
#include "core/timer.h"
#include "main.h"
#include "menu/menu.h"
#include "net/net.h"
#include "service.h"
#include "store/st.h"
#include "store/st_sql.h"
#include <string.h>

/* Frames that RT carries through before the rest of a turn has its chance. */
#define RECEIVE_BUDGET 64

/* A watchdog is fed at this pace, by the loop itself: when it does not come
 * round any more, the PC restarts. */
#define FEED_MS 1000

static struct {
    struct timer feed;
} state;

static const struct menu_actions actions = {
    .run = service_want,
    .running = service_running,
    .restart = service_restart,
    .power_off = service_power_off,
    .settings_changed = service_settings_changed,
};

/* "mode=load" stops in the menu; anything else serves at once, because an
 * appliance must come back by itself after a power cut. */
static bool load_only(void)
{
    return strstr(machine_command_line(), "mode=load") != NULL;
}

static void feed(struct timer *timer)
{
    machine_watchdog_feed();
    timer_start(timer, FEED_MS);
}

/* Into the books: the screen that showed it was seen by nobody, or is gone. */
static void tell_last_failure(void)
{
    const char *line = machine_last_failure();

    while (line != NULL && *line != '\0') {
        const size_t len = strcspn(line, "\n");

        log_err("failure", "%.*s", (int)len, line);
        line += len + (line[len] == '\n');
    }
}

static void start(void)
{
    timer_module_init();
    task_module_init();
    random_module_init();
    timer_init(&state.feed, feed);
    timer_start(&state.feed, FEED_MS);
    tell_last_failure();
    log_info("main", "start memory_kb=%zu", memory_left() / 1024);
    if (service_init() != OK)
        PANIC("this PC has too little memory: Barepost needs 32 MB");
    menu_init(&actions, load_only());
    if (!load_only())
        service_want();
    log_info("main", "ready memory_left_kb=%zu", memory_left() / 1024);
}

/* Returns true when the turn had something to do. */
static bool turn(void)
{
    bool busy = machine_poll();

    busy |= net_receive(RECEIVE_BUDGET) > 0;
    busy |= timer_run() > 0;
    busy |= task_run() > 0;
    busy |= st_run();
    busy |= net_flush();
    service_run();
    busy |= menu_run();
    busy |= st_sql_turn(busy);
    return busy || task_any_ready();
}

void ao_main(void)
{
    start();
    for (;;) {
        uint64_t next_ms;

        if (turn())
            continue;
        next_ms = timer_next_ms();
        machine_idle(next_ms == UINT64_MAX ? UINT64_MAX : next_ms * 1000000);
    }
}
