/* What must be there before mail is served, and what must be done before the
 * PC goes off. */
#include "service.h"
#include "account/account.h"
#include "admin/admin.h"
#include "core/iobuf.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/timer.h"
#include "core/zone.h"
#include "files/files.h"
#include "http/http_server.h"
#include "limits/judge.h"
#include "load/load.h"
#include "menu/settings.h"
#include "net/dns.h"
#include "net/ipv4.h"
#include "net/mdns.h"
#include "net/net.h"
#include "net/sntp.h"
#include "net/syslog.h"
#include "net/tcp.h"
#include "pop3/pop3_server.h"
#include "relay/relay.h"
#include "smtp/smtp_server.h"
#include "store/st.h"
#include "web/web.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long the store may take to close before the PC goes off without it: the
 * promise does not depend on an orderly end. */
#define CLOSE_MS 5000
/* How long before that servers have for their answers to what was sent. */
#define LAST_WORDS_MS 2000
/* How often the power button is looked at. */
#define BUTTON_MS 250
/* What is taken whatever the memory: caches, tables, the database's least. */
#define FIXED_BYTES ((size_t)8 * 1024 * 1024)
/* Of the memory, for the relay. */
#define RELAY_SHARE 32
/* For the web server, up to a limit. */
#define HTTP_SHARE 32
#define HTTP_MAX   ((size_t)16 * 1024 * 1024)
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
    bool closing; /* the store is told to */
    bool keeping_floor;
    struct st_setting floor; /* being written */
    struct timer deadline;
    struct timer button;
} state;

static void close_store(void)
{
    state.closing = true;
    (void)net_flush();
    st_close();
    timer_start(&state.deadline, CLOSE_MS);
}

static void finish(struct timer *timer)
{
    (void)timer;
    if (!state.closing) {
        close_store();
        return;
    }
    if (state.ending == END_POWER_OFF)
        machine_power_off();
    machine_restart();
}

static void look_at_button(struct timer *timer)
{
    if (machine_power_button()) {
        log_info("service", "power button pressed");
        service_power_off();
    }
    timer_start(timer, BUTTON_MS);
}

/* Devices take their time to come up: they do so while memory is taken and
 * cleared for the rest. They need buffers, and nothing else. */
static void devices_start(void)
{
    (void)machine_poll();
    (void)timer_run();
}

/* Mail for such an address would come back to this server. */
static bool is_own_address(const struct net_address *address)
{
    struct net_status status;
    unsigned first;

    net_status(&status);
    if (net_address_equal(address, &status.address))
        return true;
    first = net_address_is_v4(address) ? net_address_to_v4(address) >> 24 : 1;
    return first == 0 || first == 127;
}

static bool is_host_address(const struct net_address *address)
{
    return net_address_is_v4(address) &&
           ipv4_is_unicast(net_address_to_v4(address));
}

static bool is_network_up(void)
{
    struct net_status status;

    net_status(&status);
    return status.state == NET_UP;
}

static const struct relay_network relay_network = {
    .is_up = is_network_up,
    .is_own = is_own_address,
    .is_host = is_host_address,
};

enum err service_init(void)
{
    enum err err = st_password_init();
    size_t left = memory_left();
    size_t memory = left > FIXED_BYTES ? left - FIXED_BYTES : 0;
    size_t connections = memory / BYTES_PER_CONNECTION;

    if (connections < CONNECTIONS_MIN)
        connections = CONNECTIONS_MIN;
    if (connections > CONNECTIONS_MAX)
        connections = CONNECTIONS_MAX;
    timer_init(&state.deadline, finish);
    timer_init(&state.button, look_at_button);
    timer_start(&state.button, BUTTON_MS);
    if (err == OK)
        err = iobuf_pool_init(memory / 6 / IOBUF_BYTES);
    devices_start();
    if (err == OK)
        err = net_module_init((unsigned)connections);
    if (err == OK)
        err = dns_module_init();
    sntp_module_init();
    if (err == OK)
        err = syslog_module_init();
    if (err == OK)
        err = account_module_init();
    if (err == OK)
        err = limits_init((unsigned)connections);
    if (err == OK)
        err = limits_judge_init((unsigned)connections / 64 + 8);
    if (err == OK)
        err = smtp_server_init((unsigned)connections * 3 / 4);
    if (err == OK)
        err = pop3_server_init((unsigned)connections / 4);
    if (err == OK)
        err = relay_init(memory / RELAY_SHARE, &relay_network);
    if (err == OK)
        err = http_server_init(
            memory / HTTP_SHARE < HTTP_MAX ? memory / HTTP_SHARE : HTTP_MAX);
    if (err == OK)
        err = web_init();
    if (err == OK)
        admin_init();
    if (err == OK)
        err = files_init();
    if (err == OK)
        err = load_init();
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

/* At most one at a time; a later one may as well come an hour later. */
static void floor_kept(struct st_request *request)
{
    (void)request;
    state.keeping_floor = false;
}

static void keep_floor(int64_t unix_s)
{
    if (state.keeping_floor)
        return;
    state.keeping_floor = true;
    memset(&state.floor, 0, sizeof(state.floor));
    (void)snprintf(state.floor.key, sizeof(state.floor.key), "time_floor");
    (void)snprintf(state.floor.value, sizeof(state.floor.value), "%lld",
                   (long long)unix_s);
    state.floor.request.done = floor_kept;
    st_setting_put(&state.floor);
}

/* What the store says of the network and of time. */
void service_settings_changed(void)
{
    struct net_config config;
    struct net_endpoint syslog;

    machine_nic_choose(st_setting("card"));
    settings_network(&config);
    net_configure(&config);
    if (!zone_set(st_setting("timezone")))
        log_warn("service", "bad timezone=\"%s\"", st_setting("timezone"));
    sntp_floor(strtoll(st_setting("time_floor"), NULL, 10), keep_floor);
    sntp_configure(st_setting("ntp"));
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
        relay_stop();
        http_server_stop();
    }
    mdns_stop();
    timer_start(&state.deadline, LAST_WORDS_MS);
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
        if (!state.closing && (!state.running || relay_idle()))
            close_store();
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
        relay_start();
        http_server_start();
        load_at_start();
        log_info("service", "serving smtp=25 submission=587 pop3=110 http=80");
    }
}
