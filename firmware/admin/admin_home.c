/* The page "Overview": sessions and tasks live, store, stick, memory: what the
 * running screen and the menu's pages show at the console. */
#include "admin/admin_page.h"
#include "core/iobuf.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/task.h"
#include "core/timer.h"
#include "http/http_server.h"
#include "net/net.h"
#include "net/tcp.h"
#include "pop3/pop3_server.h"
#include "relay/relay.h"
#include "smtp/smtp_server.h"
#include "store/st.h"
#include "store/st_log.h"
#include "store/st_sql.h"
#include <stdio.h>

static void service(struct http_exchange *x, const char *name, unsigned now,
                    unsigned peak, unsigned made, uint64_t served,
                    uint64_t turned_away)
{
    http_printf(x,
                "<tr><th scope=\"row\">%h</th><td class=\"number\">%u</td>"
                "<td class=\"number\">%u</td><td class=\"number\">%u</td>"
                "<td class=\"number\">%llu</td><td class=\"number\">%llu</td>"
                "</tr>",
                name, now, peak, made, (unsigned long long)served,
                (unsigned long long)turned_away);
}

static void write_services(struct http_exchange *x)
{
    struct smtp_figures smtp;
    struct pop3_figures pop3;
    struct relay_figures relay;
    struct http_figures http;
    struct tcp_figures tcp;

    smtp_figures(&smtp);
    pop3_figures(&pop3);
    relay_figures(&relay);
    http_figures(&http);
    tcp_figures(&tcp);
    admin_table(x, "Sessions",
                "Service|#Now|#Most|#Made for|#Served|#Turned away");
    service(x, "SMTP server", smtp.sessions, smtp.sessions_peak, smtp.capacity,
            smtp.connections, smtp.turned_away);
    service(x, "POP3 server", pop3.sessions, pop3.sessions_peak, pop3.capacity,
            pop3.connections, pop3.turned_away);
    service(x, "SMTP client", relay.sessions, relay.sessions_peak,
            relay.capacity, relay.connections, relay.failed);
    service(x, "Web server", http.connections, http.connections_peak,
            http.capacity, http.accepted, http.turned_away);
    service(x, "TCP connections", tcp.connections, tcp.connections_peak,
            tcp.capacity, tcp.accepted + tcp.opened, tcp.refused);
    admin_table_end(x);
}

static void write_tasks(struct http_exchange *x)
{
    struct list *head = task_pools();

    admin_table(x, "Tasks", "Pool|#Now|#Most|#Made|#Taken|#Refused");
    for (struct list *node = head->next; node != head; node = node->next) {
        const struct task_pool *pool =
            LIST_ELEMENT(node, struct task_pool, link);

        service(x, pool->name, pool->count - pool->free,
                pool->count - pool->lowest_free, pool->count, pool->pops,
                pool->refusals);
    }
    service(x, "iobuf", (unsigned)(iobuf_total() - iobuf_free()), 0,
            (unsigned)iobuf_total(), 0, iobuf_refusals());
    admin_table_end(x);
}

static void row_bytes(struct http_exchange *x, const char *what, uint64_t bytes)
{
    http_printf(x, "<tr><th scope=\"row\">%h</th><td class=\"number\">", what);
    admin_bytes(x, bytes);
    http_text(x, "</td></tr>");
}

static void write_store(struct http_exchange *x)
{
    struct st_log_figures log;
    struct st_figures st;
    uint64_t data;

    st_figures(&st);
    st_log_figures(&log);
    admin_table(x, "Store", "What|#Figure");
    admin_row(x, "State", st_state_text());
    admin_row_number(x, "Messages", st.store.messages);
    admin_row_number(x, "Users", st.store.users);
    row_bytes(x, "mail.db", st.store.database_bytes);
    row_bytes(x, "in use", st.store.used_bytes);
    if (st_sql_data(&data) == OK)
        row_bytes(x, "data.db", data);
    else
        admin_row(x, "data.db", "none on this stick");
    admin_row_number(x, "Messages made durable since start", st.delivered);
    admin_row_number(x, "in so many commits", st.commits);
    admin_row_number(x, "Requests that wait", st.queued);
    admin_row_number(x, "Lines of the log written", log.written);
    admin_row_number(x, "Lines of the log lost", log.lost);
    admin_table_end(x);
}

static void write_stick(struct http_exchange *x, unsigned disk)
{
    struct machine_disk_info info;
    char name[120];

    machine_disk_info(disk, &info);
    if (!info.present)
        return;
    (void)snprintf(name, sizeof(name), "Stick: %s %s, serial %s%s", info.vendor,
                   info.product, info.serial,
                   info.read_only ? ", write-protected" : "");
    admin_table(x, name, "What|#Figure");
    row_bytes(x, "Size", info.sectors * MACHINE_SECTOR_BYTES);
    admin_row_number(x, "Reads", info.reads);
    row_bytes(x, "read", info.bytes_read);
    admin_row_number(x, "Writes", info.writes);
    row_bytes(x, "written", info.bytes_written);
    admin_row_number(x, "Flushes", info.flushes);
    admin_row_number(x, "Errors", info.errors);
    admin_table_end(x);
}

static void write_memory(struct http_exchange *x)
{
    const char *owner;
    size_t bytes;

    admin_table(x, "Memory", "Owner|#Bytes");
    for (unsigned i = 0; (owner = memory_entry(i, &bytes)) != NULL; i++)
        row_bytes(x, owner, bytes);
    row_bytes(x, "left", memory_left());
    admin_table_end(x);
}

static void write_net(struct http_exchange *x)
{
    char text[NET_ADDRESS_TEXT + 8];
    struct machine_nic_info nic;
    struct net_status net;

    machine_nic_info(&nic);
    net_status(&net);
    admin_table(x, "Network", "What|#Figure");
    admin_row(x, "Card", nic.present ? nic.name : "none");
    admin_row(x, "Link", nic.link_up ? "up" : "down");
    if (net.state == NET_UP)
        admin_row(x, "Address", net_address_format(&net.address, text));
    row_bytes(x, "received", nic.bytes_in);
    row_bytes(x, "sent", nic.bytes_out);
    admin_row_number(x, "Frames lost or broken",
                     nic.errors_in + nic.errors_out);
    admin_table_end(x);
}

void admin_home_page(struct http_exchange *x, struct store *store)
{
    uint64_t up = timer_now_ms() / 1000;

    admin_begin(x, store, 200, "Overview");
    http_printf(x, "<p>Up for %llu days %llu h %02llu min; it is now ",
                (unsigned long long)(up / 86400),
                (unsigned long long)(up / 3600 % 24),
                (unsigned long long)(up / 60 % 60));
    admin_time(x, machine_wall_clock_ms());
    http_text(x, " UTC. <a class=\"button\" href=\"/admin\">Refresh</a> "
                 "<a class=\"button\" href=\"/metrics\">Counters as text</a>"
                 "</p>");
    write_services(x);
    write_tasks(x);
    write_store(x);
    for (unsigned disk = 0; disk < MACHINE_DISKS; disk++)
        write_stick(x, disk);
    write_net(x);
    write_memory(x);
    admin_end(x);
}
