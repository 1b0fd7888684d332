/* /metrics: counters as text, in the format of Prometheus
 * (prometheus.io/docs/instrumenting/exposition_formats).
 *
 * Who may: an administrator who is logged in, and with the setting "metrics"
 * "private" (or none) whoever asks from a private address by a name of this
 * machine (admin_host_own), "all" everybody, "admin" nobody else. Nothing in it
 * names a user or an address. */
#include "admin/admin_page.h"
#include "core/iobuf.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/task.h"
#include "core/timer.h"
#include "http/http_server.h"
#include "limits/limits.h"
#include "account/account.h"
#include "net/dns.h"
#include "net/tcp.h"
#include "pop3/pop3_server.h"
#include "relay/relay.h"
#include "smtp/smtp_server.h"
#include "store/st.h"
#include "store/st_log.h"
#include "store/st_queue.h"
#include "store/st_sql.h"
#include <string.h>

/* 0: it may be seen; else the status that says why not. */
static unsigned refusal(const struct http_exchange *x)
{
    const char *who = st_setting("metrics");
    struct net_address peer;

    if ((http_user(x) != NULL && http_user(x)->admin) ||
        strcmp(who, "all") == 0)
        return 0;
    http_peer(x, &peer);
    if (strcmp(who, "admin") == 0 || !limits_private(&peer))
        return 403;
    return admin_host_own(x) ? 0 : 421;
}

static void metric(struct http_exchange *x, const char *name, const char *type,
                   const char *help)
{
    http_printf(x, "# HELP barepost_%s %s\n# TYPE barepost_%s %s\n", name, help,
                name, type);
}

static void value(struct http_exchange *x, const char *name, uint64_t number)
{
    http_printf(x, "barepost_%s %llu\n", name, (unsigned long long)number);
}

static void labelled(struct http_exchange *x, const char *name,
                     const char *label, const char *of, uint64_t number)
{
    http_printf(x, "barepost_%s{%s=\"%s\"} %llu\n", name, label, of,
                (unsigned long long)number);
}

static void counter(struct http_exchange *x, const char *name, const char *help,
                    uint64_t number)
{
    metric(x, name, "counter", help);
    value(x, name, number);
}

static void gauge(struct http_exchange *x, const char *name, const char *help,
                  uint64_t number)
{
    metric(x, name, "gauge", help);
    value(x, name, number);
}

static void write_mail(struct http_exchange *x)
{
    struct smtp_figures smtp;
    struct pop3_figures pop3;
    struct relay_figures relay;

    smtp_figures(&smtp);
    pop3_figures(&pop3);
    relay_figures(&relay);
    counter(x, "smtp_messages_total", "Messages answered 250", smtp.accepted);
    counter(x, "smtp_refused_total", "Messages refused after their data",
            smtp.refused);
    counter(x, "smtp_recipients_total", "Recipients of accepted messages",
            smtp.recipients);
    counter(x, "smtp_bytes_total", "Bytes of accepted messages", smtp.bytes);
    counter(x, "smtp_timeouts_total", "Clients that were too slow",
            smtp.timeouts);
    counter(x, "pop3_logins_total", "Logins by POP3", pop3.logins);
    counter(x, "pop3_logins_refused_total", "Logins by POP3 that were wrong",
            pop3.refused_logins);
    counter(x, "pop3_retrieved_total", "Messages sent whole", pop3.retrieved);
    counter(x, "pop3_deleted_total", "Messages deleted", pop3.deleted);
    counter(x, "pop3_bytes_total", "Bytes of messages sent", pop3.bytes);
    counter(x, "relay_delivered_total", "Recipients elsewhere delivered to",
            relay.delivered);
    counter(x, "relay_deferred_total", "Attempts put off", relay.deferred);
    counter(x, "relay_failed_total", "Recipients given up", relay.failed);
    counter(x, "relay_notices_total", "Notices to senders", relay.notices);
    gauge(x, "relay_waiting", "Recipients due or under way", relay.waiting);
}

static void write_web(struct http_exchange *x)
{
    static const char classes[][4] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
    struct http_figures http;

    http_figures(&http);
    metric(x, "http_answers_total", "counter", "Answers by kind of status");
    for (unsigned i = 1; i < 6; i++)
        labelled(x, "http_answers_total", "status", classes[i], http.status[i]);
    counter(x, "http_bytes_out_total", "Bytes of answers", http.bytes_out);
    counter(x, "http_bytes_in_total", "Bytes of requests' content",
            http.bytes_in);
    counter(x, "http_timeouts_total", "Clients that were too slow",
            http.timeouts);
    gauge(x, "http_logins", "Web sessions that are logged in", http.logged_in);
}

static void write_sessions(struct http_exchange *x)
{
    struct smtp_figures smtp;
    struct pop3_figures pop3;
    struct relay_figures relay;
    struct http_figures http;

    smtp_figures(&smtp);
    pop3_figures(&pop3);
    relay_figures(&relay);
    http_figures(&http);
    metric(x, "sessions", "gauge", "Sessions now");
    labelled(x, "sessions", "service", "smtp", smtp.sessions);
    labelled(x, "sessions", "service", "pop3", pop3.sessions);
    labelled(x, "sessions", "service", "relay", relay.sessions);
    labelled(x, "sessions", "service", "http", http.connections);
    metric(x, "connections_total", "counter", "Connections since start");
    labelled(x, "connections_total", "service", "smtp", smtp.connections);
    labelled(x, "connections_total", "service", "pop3", pop3.connections);
    labelled(x, "connections_total", "service", "relay", relay.connections);
    labelled(x, "connections_total", "service", "http", http.accepted);
    metric(x, "turned_away_total", "counter", "Connections turned away");
    labelled(x, "turned_away_total", "service", "smtp", smtp.turned_away);
    labelled(x, "turned_away_total", "service", "pop3", pop3.turned_away);
    labelled(x, "turned_away_total", "service", "http", http.turned_away);
}

static void write_net(struct http_exchange *x)
{
    const struct limits_figures *limits = limits_figures();
    struct account_figures account;
    struct machine_nic_info nic;
    struct tcp_figures tcp;
    struct dns_figures dns;

    tcp_figures(&tcp);
    dns_figures(&dns);
    account_figures(&account);
    machine_nic_info(&nic);
    gauge(x, "tcp_connections", "TCP connections now", tcp.connections);
    counter(x, "tcp_segments_in_total", "Segments received", tcp.segments_in);
    counter(x, "tcp_segments_out_total", "Segments sent", tcp.segments_out);
    counter(x, "tcp_retransmitted_total", "Segments sent again",
            tcp.retransmitted);
    counter(x, "tcp_bad_total", "Segments that were wrong", tcp.bad);
    counter(x, "tcp_syn_cookies_total",
            "Connections begun while a flood had taken all half-open ones",
            tcp.cookies);
    counter(x, "nic_bytes_in_total", "Bytes received", nic.bytes_in);
    counter(x, "nic_bytes_out_total", "Bytes sent", nic.bytes_out);
    counter(x, "nic_errors_total", "Frames lost or broken",
            nic.errors_in + nic.errors_out);
    gauge(x, "nic_link", "1: the link is up", nic.link_up);
    counter(x, "dns_questions_total", "Names asked for", dns.questions);
    counter(x, "dns_cached_total", "Of them, from the cache", dns.cached);
    counter(x, "dns_timeouts_total", "Name servers that were silent",
            dns.timeouts);
    counter(x, "logins_total", "Logins that were right", account.logins);
    counter(x, "logins_refused_total", "Logins that were wrong",
            account.refused);
    counter(x, "limits_turned_away_total", "Connections over a limit",
            limits->turned_away);
}

static void write_disk(struct http_exchange *x)
{
    struct machine_disk_info disk = {0};

    for (unsigned i = 0; i < MACHINE_DISKS && !disk.present; i++)
        machine_disk_info(i, &disk);
    gauge(x, "stick_present", "1: the stick is there", disk.present);
    counter(x, "stick_reads_total", "Reads of the stick", disk.reads);
    counter(x, "stick_writes_total", "Writes to the stick", disk.writes);
    counter(x, "stick_flushes_total", "Flushes of the stick", disk.flushes);
    counter(x, "stick_bytes_read_total", "Bytes read", disk.bytes_read);
    counter(x, "stick_bytes_written_total", "Bytes written",
            disk.bytes_written);
    counter(x, "stick_errors_total", "Errors of the stick", disk.errors);
}

static void write_store(struct http_exchange *x, struct store *store)
{
    struct st_log_figures log;
    struct st_figures st;
    uint64_t rows = 0, held = 0;

    st_figures(&st);
    st_log_figures(&log);
    gauge(x, "store_ready", "1: the store is open", st_state() == ST_READY);
    gauge(x, "store_messages", "Messages stored", st.store.messages);
    gauge(x, "store_bytes", "Size of mail.db", st.store.database_bytes);
    gauge(x, "store_used_bytes", "Of it, in use", st.store.used_bytes);
    counter(x, "store_delivered_total", "Messages made durable", st.delivered);
    counter(x, "store_commits_total", "Transactions that did it", st.commits);
    gauge(x, "store_waiting", "Requests that wait", st.queued);
    counter(x, "log_lines_total", "Lines of the log written", log.written);
    counter(x, "log_lost_total", "Lines of the log lost", log.lost);
    if (store_queue_count(store, &rows, &held) != OK)
        return;
    gauge(x, "queue_recipients", "Recipients in the outgoing queue", rows);
    gauge(x, "queue_held", "Of them, held", held);
}

static void write_rest(struct http_exchange *x)
{
    struct st_sql_figures sql;

    st_sql_figures(&sql);
    gauge(x, "queries_running", "SQL queries of people that run", sql.running);
    counter(x, "queries_total", "SQL queries of people", sql.scripts);
    counter(x, "query_rows_total", "Rows they have brought", sql.rows);
    counter(x, "query_errors_total", "Of them, ended by an error", sql.errors);
    gauge(x, "memory_left_bytes", "Memory that nobody has taken",
          memory_left());
    gauge(x, "buffers_free", "Network buffers free", iobuf_free());
    gauge(x, "uptime_seconds", "Since start", timer_now_ms() / 1000);
}

void admin_metrics_page(struct http_exchange *x, struct store *store)
{
    unsigned status = refusal(x);

    if (status != 0) {
        http_error(x, status,
                   status == 421 ? "Ask for the counters by this machine's "
                                   "address or host name."
                                 : "The counters are not for everybody.");
        return;
    }
    http_begin(x, 200, "text/plain; version=0.0.4; charset=utf-8");
    write_mail(x);
    write_web(x);
    write_sessions(x);
    write_net(x);
    write_disk(x);
    write_store(x, store);
    write_rest(x);
}
