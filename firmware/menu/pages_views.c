/* The pages that only show: store and stick, tasks and memory. */
#include "core/iobuf.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/task.h"
#include "limits/limits.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "net/syslog.h"
#include "net/tcp.h"
#include "store/st_log.h"
#include <stddef.h>

#define MIB (1024 * 1024)

/* ---- Store and stick -------------------------------------------------------
 */

static unsigned draw_disk(unsigned row, unsigned disk)
{
    struct machine_disk_info info;

    machine_disk_info(disk, &info);
    if (!info.present)
        return row;
    screen_format(row, 2, SCREEN_BRIGHT, "Stick %u   %s %s  serial %s", disk,
                  info.vendor, info.product, info.serial);
    screen_format(row + 1, 4, SCREEN_NORMAL, "%llu MB%s",
                  (unsigned long long)(info.sectors / (MIB / 512)),
                  info.read_only ? ", write-protected" : "");
    screen_format(row + 2, 4, SCREEN_NORMAL,
                  "%llu reads (%llu KB)   %llu writes (%llu KB)   "
                  "%llu flushes   %llu errors",
                  (unsigned long long)info.reads,
                  (unsigned long long)(info.bytes_read / 1024),
                  (unsigned long long)info.writes,
                  (unsigned long long)(info.bytes_written / 1024),
                  (unsigned long long)info.flushes,
                  (unsigned long long)info.errors);
    return row + 4;
}

static void draw_log_figures(unsigned row)
{
    const struct limits_figures *limits = limits_figures();
    struct syslog_figures syslog;
    struct st_log_figures log;

    st_log_figures(&log);
    syslog_figures(&syslog);
    screen_format(row, 2, SCREEN_NORMAL,
                  "Log              %llu lines, %llu lost; by syslog %llu, "
                  "%llu lost",
                  (unsigned long long)log.written, (unsigned long long)log.lost,
                  (unsigned long long)syslog.sent,
                  (unsigned long long)syslog.lost);
    screen_format(row + 1, 2, SCREEN_NORMAL,
                  "Limits           %llu turned away, %llu replies kept back, "
                  "%llu listed",
                  (unsigned long long)limits->turned_away,
                  (unsigned long long)(limits->tarpitted + limits->strangers),
                  (unsigned long long)limits->listed);
}

static void draw_store(void)
{
    struct st_figures figures;
    unsigned row = PAGE_FIRST_ROW + 9;

    st_figures(&figures);
    screen_text(PAGE_FIRST_ROW, 2,
                st_state() == ST_READY ? SCREEN_GOOD : SCREEN_BAD,
                st_state_text());
    screen_format(PAGE_FIRST_ROW + 2, 2, SCREEN_NORMAL,
                  "Messages stored  %llu   mailboxes %llu   users %llu",
                  (unsigned long long)figures.store.messages,
                  (unsigned long long)figures.store.mailboxes,
                  (unsigned long long)figures.store.users);
    screen_format(PAGE_FIRST_ROW + 3, 2, SCREEN_NORMAL,
                  "mail.db          %llu MB, %llu MB in use",
                  (unsigned long long)(figures.store.database_bytes / MIB),
                  (unsigned long long)(figures.store.used_bytes / MIB));
    screen_format(PAGE_FIRST_ROW + 4, 2, SCREEN_NORMAL,
                  "Since start      %llu messages made durable in %llu commits",
                  (unsigned long long)figures.delivered,
                  (unsigned long long)figures.commits);
    screen_format(PAGE_FIRST_ROW + 5, 2, SCREEN_NORMAL,
                  "Waiting now      %llu requests, %zu of %zu buffers free",
                  (unsigned long long)figures.queued, figures.buffers_free,
                  figures.buffers);
    draw_log_figures(PAGE_FIRST_ROW + 6);
    for (unsigned disk = 0; disk < MACHINE_DISKS; disk++)
        row = draw_disk(row, disk);
}

const struct page page_store = {
    .title = "Store and stick",
    .help = "Esc  back",
    .live = true,
    .draw = draw_store,
};

/* ---- Tasks and memory ------------------------------------------------------
 */

static unsigned draw_pools(unsigned row)
{
    struct list *head = task_pools();

    screen_format(row++, 2, SCREEN_BRIGHT, "%-10s %8s %8s %8s %12s %10s",
                  "Tasks", "made", "in use", "peak", "taken", "refused");
    for (struct list *node = head->next; node != head; node = node->next) {
        const struct task_pool *pool =
            LIST_ELEMENT(node, struct task_pool, link);

        screen_format(
            row++, 2, SCREEN_NORMAL, "%-10s %8u %8u %8u %12llu %10llu",
            pool->name, pool->count, pool->count - pool->free,
            pool->count - pool->lowest_free, (unsigned long long)pool->pops,
            (unsigned long long)pool->refusals);
    }
    return row;
}

static void draw_tasks(void)
{
    struct tcp_figures tcp;
    unsigned row = draw_pools(PAGE_FIRST_ROW);
    const char *owner;
    size_t bytes;

    tcp_figures(&tcp);
    screen_format(row++, 2, SCREEN_NORMAL, "%-10s %8u %8u %8u %12llu %10llu",
                  "TCB", tcp.capacity, tcp.connections, tcp.connections_peak,
                  (unsigned long long)(tcp.accepted + tcp.opened),
                  (unsigned long long)tcp.refused);
    screen_format(row++, 2, SCREEN_NORMAL, "%-10s %8zu %8zu %8s %12s %10llu",
                  "iobuf", iobuf_total(), iobuf_total() - iobuf_free(), "", "",
                  (unsigned long long)iobuf_refusals());
    row++;
    screen_format(row++, 2, SCREEN_BRIGHT, "Memory (KB), %zu left",
                  memory_left() / 1024);
    for (unsigned i = 0; (owner = memory_entry(i, &bytes)) != NULL; i++) {
        if (row + i / 3 > PAGE_LAST_ROW)
            break;
        screen_format(row + i / 3, 2 + i % 3 * 26, SCREEN_NORMAL,
                      "%-15.15s %8zu", owner, bytes / 1024);
    }
}

const struct page page_tasks = {
    .title = "Tasks and memory",
    .help = "Esc  back",
    .live = true,
    .draw = draw_tasks,
};
