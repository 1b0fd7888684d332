/* The pages that only show: store and stick, tasks and memory. */
#include "core/iobuf.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/task.h"
#include "limits/limits.h"
#include "menu/figure.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "menu/wrap.h"
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
    char reads[FIGURE_BYTES], read[FIGURE_BYTES], writes[FIGURE_BYTES];
    char written[FIGURE_BYTES], flushes[FIGURE_BYTES], errors[FIGURE_BYTES];

    machine_disk_info(disk, &info);
    if (!info.present)
        return row;
    screen_format(row, 2, SCREEN_BRIGHT, "Stick %u   %s %s  serial %s", disk,
                  info.vendor, info.product, info.serial);
    screen_format(row + 1, 4, SCREEN_NORMAL, "%llu MB%s",
                  (unsigned long long)(info.sectors / (MIB / 512)),
                  info.read_only ? ", write-protected" : "");
    screen_format(
        row + 2, 4, info.errors == 0 ? SCREEN_NORMAL : SCREEN_WARNING,
        "%s reads (%s)   %s writes (%s)   %s flushes   %s errors",
        figure_count(info.reads, reads), figure_bytes(info.bytes_read, read),
        figure_count(info.writes, writes),
        figure_bytes(info.bytes_written, written),
        figure_count(info.flushes, flushes), figure_count(info.errors, errors));
    return row + 3;
}

static void draw_log_figures(unsigned row)
{
    const struct limits_figures *limits = limits_figures();
    struct syslog_figures syslog;
    struct st_log_figures log;
    char a[FIGURE_BYTES], b[FIGURE_BYTES], c[FIGURE_BYTES], d[FIGURE_BYTES];

    st_log_figures(&log);
    syslog_figures(&syslog);
    screen_format(row, 2, SCREEN_NORMAL,
                  "Log              %s lines, %s lost; by syslog %s, %s lost",
                  figure_count(log.written, a), figure_count(log.lost, b),
                  figure_count(syslog.sent, c), figure_count(syslog.lost, d));
    screen_format(row + 1, 2, SCREEN_NORMAL,
                  "Limits           %s turned away, %s replies kept back, "
                  "%s listed",
                  figure_count(limits->turned_away, a),
                  figure_count(limits->tarpitted + limits->strangers, b),
                  figure_count(limits->listed, c));
}

static void draw_store(void)
{
    struct st_figures figures;
    const char *trouble = st_trouble();
    unsigned row = PAGE_FIRST_ROW + 9;

    st_figures(&figures);
    (void)wrap_text(PAGE_FIRST_ROW, 2,
                    st_state() == ST_READY && *trouble == '\0' ? SCREEN_GOOD
                                                               : SCREEN_BAD,
                    *trouble != '\0' ? trouble : st_state_text(), 2);
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

/* Longer than the page: rows above and below it are left out. */
static struct {
    unsigned first; /* row that is shown at the top */
    unsigned count;
} tasks;

/* The next row of the page; NULL when it is not to be seen. */
static bool next_row(unsigned *row)
{
    const unsigned index = tasks.count++;

    *row = PAGE_FIRST_ROW + index - tasks.first;
    return index >= tasks.first && *row <= PAGE_LAST_ROW;
}

static void draw_pool(const char *name, unsigned made, unsigned used,
                      unsigned peak, uint64_t taken, uint64_t refused)
{
    unsigned row;

    if (next_row(&row))
        screen_format(row, 2, SCREEN_NORMAL,
                      "%-15.15s %8u %8u %8u %12llu %10llu", name, made, used,
                      peak, (unsigned long long)taken,
                      (unsigned long long)refused);
}

static void draw_pools(void)
{
    struct list *head = task_pools();
    struct tcp_figures tcp;
    unsigned row;

    if (next_row(&row))
        screen_format(row, 2, SCREEN_BRIGHT, "%-15s %8s %8s %8s %12s %10s",
                      "Tasks", "made", "in use", "peak", "taken", "refused");
    for (struct list *node = head->next; node != head; node = node->next) {
        const struct task_pool *pool =
            LIST_ELEMENT(node, struct task_pool, link);

        draw_pool(pool->name, pool->count, pool->count - pool->free,
                  pool->count - pool->lowest_free, pool->pops, pool->refusals);
    }
    tcp_figures(&tcp);
    draw_pool("TCB", tcp.capacity, tcp.connections, tcp.connections_peak,
              tcp.accepted + tcp.opened, tcp.refused);
}

static void draw_buffers(void)
{
    unsigned row;

    if (next_row(&row))
        screen_format(row, 2, SCREEN_NORMAL, "%-15s %8zu %8zu %8s %12s %10llu",
                      "iobuf", iobuf_total(), iobuf_total() - iobuf_free(), "",
                      "", (unsigned long long)iobuf_refusals());
    (void)next_row(&row);
}

static void draw_tasks(void)
{
    unsigned row = 0;
    const char *owner;
    bool shown = false;
    size_t bytes;

    tasks.count = 0;
    draw_pools();
    draw_buffers();
    if (next_row(&row))
        screen_format(row, 2, SCREEN_BRIGHT, "Memory in KB, of %zu, %zu left",
                      machine_memory_total() / 1024, memory_left() / 1024);
    for (unsigned i = 0; (owner = memory_entry(i, &bytes)) != NULL; i++) {
        if (i % 3 == 0)
            shown = next_row(&row);
        if (shown)
            screen_format(row, 2 + i % 3 * 26, SCREEN_NORMAL, "%-15.15s %8zu",
                          owner, bytes / 1024);
    }
}

static bool key_tasks(int key)
{
    const unsigned last = tasks.count > PAGE_ROWS ? tasks.count - PAGE_ROWS : 0;

    if (key == KEY_UP || key == KEY_PAGE_UP)
        tasks.first = key == KEY_UP && tasks.first > 0 ? tasks.first - 1 : 0;
    else if (key == KEY_DOWN || key == KEY_PAGE_DOWN)
        tasks.first = key == KEY_DOWN ? tasks.first + 1 : last;
    else
        return false;
    if (tasks.first > last)
        tasks.first = last;
    return true;
}

static void enter_tasks(void)
{
    tasks.first = 0;
}

const struct page page_tasks = {
    .title = "Tasks and memory",
    .help = "Up Down Page-Up Page-Down  scroll    Esc  back",
    .live = true,
    .enter = enter_tasks,
    .draw = draw_tasks,
    .key = key_tasks,
};
