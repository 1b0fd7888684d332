/* Lines of the log on their way to a syslog server.
 *
 *   <22>1 2026-11-26T13:05:01.123Z mail.example.org barepost - smtp
 *   [meta sequenceId="7"][mail@32473 id="42"] received from=<a@b> ...
 *
 * One datagram each, facility mail, the module as MSGID, the message's id as
 * structured data. A timer sends what waits, at most RATE lines a tick, so that
 * the log never takes the wire from mail; what comes faster is lost, which the
 * collector sees by the gap in sequenceId.
 *
 * There is no enterprise number of our own: 32473 is the one set aside for such
 * uses (RFC 5612). Not supported: TLS, TCP, IPv6. */
#include "net/syslog.h"
#include "core/date.h"
#include "core/log_queue.h"
#include "core/timer.h"
#include "net/ipv4.h"
#include "net/udp.h"
#include <stdio.h>
#include <string.h>

#define QUEUE_BYTES    ((size_t)64 * 1024)
#define RATE           16 /* lines a tick */
#define TICK_MS        10
#define RETRY_MS       1000        /* while there is no network */
#define FACILITY       2           /* mail, RFC 5424 6.2.1 */
#define HOSTNAME_BYTES 256         /* RFC 5424 6: 255 characters */
#define SEQUENCE_LAST  2147483647u /* RFC 5424 7.3.1 */
/* Header and structured data around the text; RFC 5426 3.2 wants every server
 * to take 480 bytes and hopes for 2048. */
#define DATAGRAM_BYTES (LOG_TEXT_BYTES + HOSTNAME_BYTES + 256)

static struct {
    struct log_queue queue;
    struct timer timer;
    struct udp_socket socket;
    struct net_endpoint server; /* port 0: none */
    bool off;                   /* the settings were read: there is none */
    char hostname[HOSTNAME_BYTES];
    uint32_t sequence;
    struct syslog_figures figures;
    char datagram[DATAGRAM_BYTES];
} state;

static unsigned severity(enum log_level level)
{
    switch (level) {
    case LOG_ERR:
        return 3;
    case LOG_WARN:
        return 4;
    case LOG_INFO:
        return 6;
    case LOG_DEBUG:
        return 7;
    }
    return 6;
}

/* HOSTNAME: the name, else the address, else "-" (RFC 5424 6.2.4). */
static const char *host(char address[NET_ADDRESS_TEXT])
{
    struct net_address own;

    if (state.hostname[0] != '\0')
        return state.hostname;
    if (ip_source(&state.server.address, &own) != OK)
        return "-";
    return net_address_format(&own, address);
}

static bool ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

/* Returns the length of the datagram. */
static size_t format(const struct log_record *record)
{
    char date[DATE_TEXT_BYTES], address[NET_ADDRESS_TEXT], mail[48] = "";
    int len;

    if (record->mail_id != 0)
        (void)snprintf(mail, sizeof(mail), "[mail@32473 id=\"%lld\"]",
                       (long long)record->mail_id);
    state.sequence = state.sequence % SEQUENCE_LAST + 1;
    /* A text that is more than ASCII is marked as UTF-8 (RFC 5424 6.4). */
    len =
        snprintf(state.datagram, sizeof(state.datagram),
                 "<%u>1 %s %s barepost - %s [meta sequenceId=\"%u\"]%s %s%.*s",
                 FACILITY * 8 + severity((enum log_level)record->level),
                 date_format_rfc3339(record->time_ms, date), host(address),
                 record->module, (unsigned)state.sequence, mail,
                 ascii(record->text, record->len) ? "" : "\xEF\xBB\xBF",
                 (int)record->len, record->text);
    if (len < 0)
        return 0;
    return (size_t)len < sizeof(state.datagram) ? (size_t)len
                                                : sizeof(state.datagram) - 1;
}

/* Sends the oldest line; false when it has to wait. */
static bool send_one(uint64_t *wait_ms)
{
    uint64_t position = state.queue.tail;
    const struct log_record *record = log_queue_next(&state.queue, &position);
    enum err err;

    if (record == NULL)
        return false;
    err =
        udp_send(&state.socket, &state.server, state.datagram, format(record));
    if (err == ERR_NOT_FOUND || err == ERR_MEMORY || err == ERR_BUSY) {
        /* Not sent: its number is the next one's. */
        state.sequence--;
        *wait_ms = err == ERR_NOT_FOUND ? RETRY_MS : TICK_MS;
        return false;
    }
    if (err == OK)
        state.figures.sent++;
    else
        state.queue.lost++;
    log_queue_drop(&state.queue, position);
    return true;
}

static void send_some(struct timer *timer)
{
    uint64_t wait_ms = TICK_MS;
    unsigned sent = 0;

    if (state.server.port == 0)
        return;
    /* Before the way is known one line goes ahead, to ask for it; more would
     * push each other out of those that wait. */
    if (!ip_ready(&state.server.address)) {
        wait_ms = RETRY_MS;
        sent = RATE - 1;
    }
    while (sent < RATE && send_one(&wait_ms))
        sent++;
    if (!log_queue_empty(&state.queue))
        timer_start(timer, wait_ms);
}

/* Also while no server is known: what happened before the settings were read
 * goes out then. */
static void take(const struct log_entry *entry)
{
    if (state.off)
        return;
    if (!log_queue_put(&state.queue, entry))
        state.sequence = state.sequence % SEQUENCE_LAST + 1;
    if (state.server.port != 0 && !timer_running(&state.timer))
        timer_start(&state.timer, 1);
}

static struct log_sink sink = {.take = take};

void syslog_configure(const struct net_endpoint *server, const char *hostname)
{
    state.server = *server;
    (void)snprintf(state.hostname, sizeof(state.hostname), "%s", hostname);
    state.off = server->port == 0;
    if (state.off)
        log_queue_drop(&state.queue, state.queue.head);
    else
        timer_start(&state.timer, 1);
}

void syslog_figures(struct syslog_figures *figures)
{
    *figures = state.figures;
    figures->lost = state.queue.lost;
}

enum err syslog_module_init(void)
{
    enum err err;

    memset(&state, 0, sizeof(state));
    err = log_queue_init(&state.queue, QUEUE_BYTES);
    if (err != OK)
        return err;
    timer_init(&state.timer, send_some);
    err = udp_open(&state.socket);
    if (err != OK)
        return err;
    log_add_sink(&sink);
    return OK;
}
