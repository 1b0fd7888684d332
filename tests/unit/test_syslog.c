/* Syslog: the datagrams, and what happens when there is no network, no room,
 * no server, or more than can be sent. */
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/timer.h"
#include "net/ipv4.h"
#include "net/syslog.h"
#include "net/udp.h"
#include <string.h>

/* The same memory each time it is taken anew. */
void *machine_memory_take(size_t bytes, size_t alignment)
{
    static _Alignas(4096) uint8_t memory[1 << 20];

    CHECK(bytes <= sizeof(memory) && alignment <= 4096);
    memset(memory, 0, sizeof(memory));
    return memory;
}

static struct {
    unsigned sent;
    enum err error;
    bool unknown; /* the way is asked for */
    struct net_endpoint to;
    char last[2048];
    char first[2048];
} wire;

enum err udp_open(struct udp_socket *socket)
{
    socket->port = 50000;
    return OK;
}

enum err udp_send(struct udp_socket *socket, const struct net_endpoint *to,
                  const void *data, size_t len)
{
    CHECK(socket->port == 50000 && len <= 1472);
    if (wire.error != OK)
        return wire.error;
    wire.to = *to;
    memcpy(wire.last, data, len);
    wire.last[len] = '\0';
    if (wire.sent++ == 0)
        strcpy(wire.first, wire.last);
    return OK;
}

bool ip_ready(const struct net_address *destination)
{
    (void)destination;
    return !wire.unknown;
}

enum err ip_source(const struct net_address *destination,
                   struct net_address *source)
{
    (void)destination;
    *source = net_address_v4(0x0a000205);
    return OK;
}

static void pass(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        fake_machine.now_ns += 1000000;
        timer_run();
    }
}

static void start(uint16_t port, const char *hostname)
{
    struct net_endpoint server = {net_address_v4(0xc0000209), port};

    memset(&wire, 0, sizeof(wire));
    syslog_configure(&server, hostname);
}

static void test_format(void)
{
    start(514, "mail.example.org");
    log_mail(42, "smtp", "received from=<a@b> size=%d", 7);
    CHECK(wire.sent == 0);
    pass(20);
    CHECK(wire.sent == 1 && wire.to.port == 514);
    CHECK(strcmp(wire.last,
                 "<22>1 2026-09-21T14:13:20.000Z mail.example.org barepost - "
                 "smtp [meta sequenceId=\"1\"][mail@32473 id=\"42\"] received "
                 "from=<a@b> size=7") == 0);
    log_err("st", "store is damaged");
    pass(20);
    CHECK(strstr(wire.last, "<19>1 ") == wire.last);
    CHECK(strstr(wire.last, " - st [meta sequenceId=\"2\"] store is damaged"));
    log_warn("st", "k\xc3\xa4se");
    pass(20);
    CHECK(strstr(wire.last, "<20>1 ") == wire.last);
    CHECK(strstr(wire.last, "\"3\"] \xEF\xBB\xBFk\xc3\xa4se"));
    start(1514, "");
    log_info("main", "start");
    pass(20);
    CHECK(wire.to.port == 1514 && strstr(wire.last, "Z 10.0.2.5 barepost - "));
}

static void test_no_network(void)
{
    start(514, "h");
    wire.error = ERR_NOT_FOUND;
    log_info("main", "first");
    log_info("main", "second");
    pass(5000);
    CHECK(wire.sent == 0);
    wire.error = OK;
    pass(1100);
    CHECK(wire.sent == 2 && strstr(wire.first, "] first") != NULL);
    CHECK(strstr(wire.first, "sequenceId=\"5\"") != NULL);
    CHECK(strstr(wire.last, "sequenceId=\"6\"") != NULL);
}

/* Until the way is known one line a second goes ahead. */
static void test_way(void)
{
    start(514, "h");
    wire.unknown = true;
    for (unsigned i = 0; i < 10; i++)
        log_info("main", "line %u", i);
    pass(900);
    CHECK(wire.sent == 1);
    pass(200);
    CHECK(wire.sent == 2);
    wire.unknown = false;
    pass(1000);
    CHECK(wire.sent == 10 && strstr(wire.last, "] line 9") != NULL);
}

/* A bounded rate; what is too much is lost, and the numbers show it. */
static void test_flood(void)
{
    struct syslog_figures figures;
    char *number;

    start(514, "h");
    for (unsigned i = 0; i < 3000; i++)
        log_fact("flood", "%0100u", i);
    syslog_figures(&figures);
    CHECK(figures.lost > 1000);
    pass(2);
    CHECK(wire.sent == 16);
    pass(9);
    CHECK(wire.sent <= 32);
    pass(3000);
    CHECK(wire.sent + figures.lost == 3000);
    log_fact("flood", "behind");
    pass(20);
    number = strstr(wire.last, "sequenceId=\"");
    CHECK(number != NULL && strncmp(number + 12, "3017\"", 5) == 0);
}

static void test_off(void)
{
    struct syslog_figures before, after;

    start(0, "h");
    syslog_figures(&before);
    for (unsigned i = 0; i < 3000; i++)
        log_fact("flood", "%0100u", i);
    pass(1000);
    syslog_figures(&after);
    CHECK(wire.sent == 0 && after.lost == before.lost);
}

int main(void)
{
    fake_machine.wall_clock_offset_ms = 1790000000000;
    timer_module_init();
    timer_run();
    CHECK(syslog_module_init() == OK);
    log_fact("main", "before the settings are read");
    start(514, "early");
    pass(1);
    CHECK(wire.sent <= 1);
    pass(20);
    CHECK(wire.sent == 1);
    /* From the start again, with numbers from 1 and the clock on the second. */
    CHECK(syslog_module_init() == OK);
    fake_machine.wall_clock_offset_ms -=
        (int64_t)(fake_machine.now_ns / 1000000);
    test_format();
    test_no_network();
    test_way();
    test_flood();
    test_off();
    return check_report();
}
