/* What must be there before mail is served, and what must be done before the
 * PC goes off. */
#include "service.h"
#include "account/account.h"
#include "core/iobuf.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/timer.h"
#include "menu/settings.h"
#include "net/net.h"
#include "net/syslog.h"
#include "net/tcp.h"
#include "pop3/pop3_server.h"
#include "smtp/smtp_server.h"
#include "store/st.h"

/* How long the store may take to close before the PC goes off without it: the
 * promise does not depend on an orderly end. */
#define CLOSE_MS 5000
/* A connection with its session and its share of buffers, roughly. */
#define BYTES_PER_CONNECTION ((size_t)32 * 1024)
#define CONNECTIONS_MIN      256u
#define CONNECTIONS_MAX      16384u

enum service_end { END_NONE, END_RESTART, END_POWER_OFF };

static struct {
    bool wanted;
    bool running;
    bool configured; /* the network has the store's settings */
    enum service_end ending;
    struct timer deadline;
} state;

static void finish(struct timer *timer)
{
    (void)timer;
    if (state.ending == END_POWER_OFF)
        machine_power_off();
    machine_restart();
}

/* Devices take their time to come up: they do so while memory is taken and
 * cleared for the rest. They need buffers, and nothing else. */
static void devices_start(void)
{
    (void)machine_poll();
    (void)timer_run();
}

enum err service_init(void)
{
    size_t memory = memory_left();
    size_t connections = memory / BYTES_PER_CONNECTION;
    enum err err;

    if (connections < CONNECTIONS_MIN)
        connections = CONNECTIONS_MIN;
    if (connections > CONNECTIONS_MAX)
        connections = CONNECTIONS_MAX;
    timer_init(&state.deadline, finish);
    err = iobuf_pool_init(memory / 6 / IOBUF_BYTES);
    devices_start();
    if (err == OK)
        err = net_module_init((unsigned)connections);
    if (err == OK)
        err = syslog_module_init();
    if (err == OK)
        err = account_module_init();
    if (err == OK)
        err = smtp_server_init((unsigned)connections * 3 / 4);
    if (err == OK)
        err = pop3_server_init((unsigned)connections / 4);
    devices_start();
    if (err == OK)
        err = st_module_init(memory / 10);
    return err;
}

void service_want(void)
{
    state.wanted = true;
}

bool service_running(void)
{
    return state.running;
}

void service_settings_changed(void)
{
    struct net_config config;
    struct net_endpoint syslog;

    settings_network(&config);
    net_configure(&config);
    settings_syslog(&syslog);
    syslog_configure(&syslog, st_setting("hostname"));
    state.configured = true;
}

static void end(enum service_end how)
{
    if (state.ending != END_NONE)
        return;
    state.ending = how;
    log_info("service", "stopping");
    if (state.running) {
        smtp_server_stop();
        pop3_server_stop();
    }
    (void)net_flush();
    st_close();
    timer_start(&state.deadline, CLOSE_MS);
}

void service_restart(void)
{
    end(END_RESTART);
}

void service_power_off(void)
{
    end(END_POWER_OFF);
}

void service_run(void)
{
    if (state.ending != END_NONE) {
        if (st_state() != ST_READY && st_state() != ST_OPENING)
            finish(&state.deadline);
        return;
    }
    if (st_state() != ST_READY)
        return;
    if (!state.configured)
        service_settings_changed();
    if (state.wanted && !state.running) {
        state.running = true;
        smtp_server_start();
        pop3_server_start();
        log_info("service", "serving smtp=25 pop3=110");
    }
}
