/* The page "DB query": a statement typed, or a .sql file attached, run beside
 * mail (store/st_sql.h); rows as a table, as CSV or as JSON.
 *
 *   form -> text -> st_sql -> bytes as they come -> the answer
 *
 * Who leaves the page ends the query. With the setting data_access=shared every
 * user may query data.db, with =own a database of his own; else only
 * administrators, who also read mail.db. */
#include "admin/admin_page.h"
#include "core/timer.h"
#include "store/st.h"
#include "store/st_sql.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES        ST_JOBS
#define ROWS_SHOWN   1000
#define ROWS_LOADED  1000000
#define CUT_BYTES    2000
#define SECONDS      30
#define SECONDS_MOST 600
#define PIECE_BYTES  400
#define PATIENCE_MS  2000

enum form { FORM_TABLE, FORM_CSV, FORM_JSON };

struct sql_page {
    bool taken;
    bool too_long;
    enum form form;
    struct st_sql sql;
    bool begun; /* the answer */
    struct store *store;
};

static struct sql_page pages[PAGES];

static void wake(struct st_sql *sql)
{
    st_job_wake(sql->context);
}

/* There are as many as jobs. */
static struct sql_page *take_page(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        if (pages[i].taken)
            continue;
        memset(&pages[i], 0, sizeof(pages[i]));
        pages[i].taken = true;
        return &pages[i];
    }
    return NULL;
}

static bool may_query(const struct http_exchange *x)
{
    const char *access = st_setting("data_access");

    return http_user(x)->admin || strcmp(access, "shared") == 0 ||
           strcmp(access, "own") == 0;
}

/* ---- The form -------------------------------------------------------------
 */

static void write_option(struct http_exchange *x, const char *value,
                         const char *label, const char *chosen)
{
    http_printf(x, "<option value=\"%h\"%s>%h</option>", value,
                strcmp(value, chosen) == 0 ? " selected" : "", label);
}

static void write_databases(struct http_exchange *x)
{
    const char *chosen = http_param_or(x, "database", "data");
    bool own = strcmp(st_setting("data_access"), "own") == 0;

    http_text(x, "<label for=\"database\">Database</label>"
                 "<select id=\"database\" name=\"database\">");
    if (!http_user(x)->admin && own)
        write_option(x, "data", "your own", chosen);
    else
        write_option(x, "data", "data.db, shared", chosen);
    if (http_user(x)->admin)
        write_option(x, "mail", "mail.db, to read only", chosen);
    if (strncmp(chosen, "data-", 5) == 0)
        write_option(x, chosen, chosen, chosen);
    http_text(x, "</select>");
}

static void write_form(struct http_exchange *x)
{
    const char *form = http_param_or(x, "form", "table");

    http_printf(x,
                "<form class=\"query\" method=\"post\" action=\"/sql\" "
                "enctype=\"multipart/form-data\">"
                "<input type=\"hidden\" name=\"csrf\" value=\"%h\">"
                "<p class=\"field\"><label for=\"text\">Statement</label>"
                "<textarea id=\"text\" name=\"text\" rows=\"7\" "
                "spellcheck=\"false\" autocapitalize=\"off\">\n",
                http_csrf(x));
    http_escape(x, http_param_or(x, "text", ""));
    http_text(x, "</textarea></p><div class=\"bar\">");
    write_databases(x);
    http_text(x, "<label for=\"form\">Answer</label>"
                 "<select id=\"form\" name=\"form\">");
    write_option(x, "table", "table", form);
    write_option(x, "csv", "CSV file", form);
    write_option(x, "json", "JSON file", form);
    http_printf(x,
                "</select><span><label for=\"rows\">Rows, at most</label> "
                "<input id=\"rows\" name=\"rows\" type=\"number\" min=\"1\" "
                "max=\"%d\" placeholder=\"%d\" value=\"%h\"></span>"
                "<span><label for=\"seconds\">Seconds"
                "</label> <input id=\"seconds\" name=\"seconds\" "
                "type=\"number\" min=\"1\" max=\"%d\" placeholder=\"%d\" "
                "value=\"%h\"></span></div>",
                ROWS_LOADED, ROWS_SHOWN, http_param_or(x, "rows", ""),
                SECONDS_MOST, SECONDS, http_param_or(x, "seconds", ""));
    http_printf(x,
                "<label class=\"check\"><input type=\"checkbox\" "
                "name=\"write\" value=\"1\"%s> May change data</label>"
                "<p class=\"field\"><label for=\"file\">Attachment: a .sql "
                "file</label> <input id=\"file\" name=\"file\" type=\"file\" "
                "accept=\".sql,.txt,text/plain\"></p>"
                "<button class=\"main\">Run</button></form>",
                http_param(x, "write") != NULL ? " checked" : "");
}

static bool may_see(const struct http_exchange *x,
                    const struct st_sql_info *info)
{
    return http_user(x)->admin || strcmp(info->who, http_user(x)->name) == 0;
}

static void write_running(struct http_exchange *x)
{
    struct st_sql_info info;
    bool any = false;

    for (unsigned i = 0; st_sql_list(i, &info); i++) {
        if (!info.running || !may_see(x, &info))
            continue;
        if (!any)
            admin_table(x, "Queries that run",
                        "Who|Database|#Seconds|Statement|Stop");
        any = true;
        http_printf(
            x,
            "<tr><td>%h</td><td>%h</td><td class=\"number\">%llu</td>"
            "<td><code>%h</code></td><td>",
            info.who, info.database,
            (unsigned long long)((timer_now_ms() - info.started_ms) / 1000),
            info.text);
        admin_form(x, "/sql/stop");
        http_printf(x,
                    "<button name=\"id\" value=\"%u\">Interrupt</button>"
                    "</form></td></tr>",
                    info.id);
    }
    if (any)
        admin_table_end(x);
}

static void show_form(struct http_exchange *x, struct store *store,
                      unsigned status, const char *wrong)
{
    uint64_t bytes;

    admin_begin(x, store, status, "DB query");
    if (wrong != NULL)
        admin_note(x, true, wrong);
    if (st_sql_data(&bytes) == ERR_NOT_FOUND && http_user(x)->admin)
        admin_note(x, true,
                   "This stick has no data.db: make one with mkusb --set "
                   "data_bytes=N. mail.db can be queried nevertheless.");
    write_form(x);
    write_running(x);
    admin_end(x);
}

/* ---- The answer -----------------------------------------------------------
 */

static const char *database_of(const struct http_exchange *x)
{
    const char *name = http_param_or(x, "database", "data");

    return strlen(name) < SQL_NAME_BYTES ? name : "data";
}

static void set_up(struct http_exchange *x, struct sql_page *page)
{
    const char *form = http_param_or(x, "form", "table");
    struct sql_session *session = &page->sql.session;
    int64_t rows, seconds;

    page->form = strcmp(form, "csv") == 0    ? FORM_CSV
                 : strcmp(form, "json") == 0 ? FORM_JSON
                                             : FORM_TABLE;
    rows = http_param_number(
        x, "rows", page->form == FORM_TABLE ? ROWS_SHOWN : ROWS_LOADED);
    seconds = http_param_number(x, "seconds", SECONDS);
    sql_session_init(session);
    session->shell = false;
    session->mode = page->form == FORM_TABLE ? SQL_MODE_HTML
                    : page->form == FORM_CSV ? SQL_MODE_CSV
                                             : SQL_MODE_ARRAYS;
    session->cut = CUT_BYTES;
    session->write = http_param(x, "write") != NULL;
    session->rows_max =
        rows < 1 || rows > ROWS_LOADED ? ROWS_LOADED : (uint64_t)rows;
    if (page->form == FORM_TABLE)
        (void)snprintf(session->null, sizeof(session->null), "NULL");
    (void)snprintf(session->database, sizeof(session->database), "%s",
                   database_of(x));
    page->sql.wake = wake;
    page->sql.context = st_job_current();
    page->sql.user_id = http_user(x)->id;
    page->sql.admin = http_user(x)->admin;
    page->sql.time_ms =
        (uint32_t)(seconds < 1 || seconds > SECONDS_MOST ? SECONDS : seconds) *
        1000;
    (void)snprintf(page->sql.who, sizeof(page->sql.who), "%.39s",
                   http_user(x)->name);
}

/* The statement as it was typed, then the attached file; and a field that was
 * too long for one comes like a file. */
static enum err take_text(struct http_exchange *x, struct sql_page *page)
{
    const char *text = http_param_or(x, "text", "");
    struct http_part part;
    enum err err;

    page->too_long = !st_sql_put(&page->sql, text, strlen(text));
    while ((err = http_part_next(x, &part)) == OK) {
        char bytes[PIECE_BYTES];
        bool wanted =
            strcmp(part.name, "file") == 0 || strcmp(part.name, "text") == 0;
        int got;

        if (wanted && !st_sql_put(&page->sql, "\n", 1))
            page->too_long = true;
        while ((got = http_part_read(x, bytes, sizeof(bytes))) > 0)
            if (wanted && !st_sql_put(&page->sql, bytes, (size_t)got))
                page->too_long = true;
        if (got < 0)
            return (enum err)got;
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

static void begin_answer(struct http_exchange *x, struct sql_page *page,
                         bool failed)
{
    if (page->begun)
        return;
    page->begun = true;
    if (page->form == FORM_TABLE) {
        admin_begin(x, page->store, 200, "Query results");
    } else if (page->form == FORM_CSV) {
        http_begin(x, failed ? 400 : 200,
                   failed ? HTTP_TEXT : "text/csv; charset=utf-8");
        if (!failed)
            http_download(x, "attachment", "query.csv");
    } else {
        http_begin(x, failed ? 400 : 200, HTTP_JSON);
        if (!failed)
            http_download(x, "attachment", "query.json");
        http_text(x, "{\"results\":[");
    }
}

/* Bytes of the answer as they come; until all is there or nobody is. */
static void pump(struct http_exchange *x, struct sql_page *page)
{
    char bytes[PIECE_BYTES];

    while (!http_gone(x)) {
        size_t got = st_sql_read(&page->sql, bytes, sizeof(bytes));

        if (got != 0) {
            begin_answer(x, page, false);
            http_write(x, bytes, got);
        } else if (st_sql_done(&page->sql)) {
            return;
        } else {
            st_job_wait(page->sql.context);
        }
    }
}

static void write_milliseconds(struct http_exchange *x, uint64_t us)
{
    http_printf(x, "%llu.%03u", (unsigned long long)(us / 1000),
                (unsigned)(us % 1000));
}

static void end_table(struct http_exchange *x, const struct sql_result *result)
{
    char place[SQL_MESSAGE_BYTES + 60];

    if (result->message[0] != '\0' && result->line != 0) {
        (void)snprintf(place, sizeof(place), "Line %u, column %u: %s",
                       result->line, result->column, result->message);
        admin_note(x, true, place);
    } else if (result->message[0] != '\0') {
        admin_note(x, true, result->message);
    }
    if (result->cut)
        admin_note(x, true, "There are more rows than were asked for.");
    http_printf(x,
                "<p class=\"hint\" id=\"outcome\">%llu statement%s, %llu "
                "row%s, %lld changed, ",
                (unsigned long long)result->statements,
                result->statements == 1 ? "" : "s",
                (unsigned long long)result->rows, result->rows == 1 ? "" : "s",
                (long long)result->changes);
    write_milliseconds(x, result->time_us);
    http_text(x, " ms</p><h2>Next query</h2>");
    write_form(x);
    admin_end(x);
}

/* Only characters that JSON takes as they are, and quotes. */
static void write_json_text(struct http_exchange *x, const char *text)
{
    http_text(x, "\"");
    for (; *text != '\0'; text++) {
        char c = (unsigned char)*text < ' ' ? ' ' : *text;

        if (c == '"' || c == '\\')
            http_write(x, "\\", 1);
        http_write(x, &c, 1);
    }
    http_text(x, "\"");
}

static void end_json(struct http_exchange *x, const struct sql_result *result)
{
    http_printf(x,
                "],\n\"rows\":%llu,\"changes\":%lld,\"cut\":%s,"
                "\"milliseconds\":",
                (unsigned long long)result->rows, (long long)result->changes,
                result->cut ? "true" : "false");
    write_milliseconds(x, result->time_us);
    http_text(x, ",\"error\":");
    if (result->message[0] == '\0') {
        http_text(x, "null}\n");
        return;
    }
    write_json_text(x, result->message);
    http_printf(x, ",\"line\":%u,\"column\":%u}\n", result->line,
                result->column);
}

/* A file that is not whole says so in its last line. */
static void end_csv(struct http_exchange *x, const struct sql_result *result)
{
    if (result->message[0] != '\0')
        http_printf(x, "error: %s\r\n", result->message);
}

static void answer(struct http_exchange *x, struct sql_page *page)
{
    static void (*const end[])(struct http_exchange *,
                               const struct sql_result *) = {
        [FORM_TABLE] = end_table, [FORM_CSV] = end_csv, [FORM_JSON] = end_json};

    st_sql_run(&page->sql);
    pump(x, page);
    if (http_gone(x)) {
        http_fail(x, ERR_GONE);
        return;
    }
    begin_answer(x, page, page->sql.err != OK);
    end[page->form](x, &page->sql.result);
}

/* A short while others' short queries are waited for. */
static enum err open_query(struct http_exchange *x, struct sql_page *page)
{
    uint64_t until_ms = timer_now_ms() + PATIENCE_MS;
    enum err err = st_sql_open(&page->sql);

    while (err == ERR_BUSY && timer_now_ms() < until_ms && !http_gone(x)) {
        st_job_pause();
        err = st_sql_open(&page->sql);
    }
    return err;
}

static void run(struct http_exchange *x, struct sql_page *page)
{
    enum err err;

    set_up(x, page);
    err = open_query(x, page);
    if (err != OK) {
        show_form(x, page->store, 503,
                  err == ERR_BUSY
                      ? "As many queries run as can at a time: try again soon, "
                        "or interrupt one."
                      : "The store is not there at the moment.");
        return;
    }
    err = take_text(x, page);
    if (err != OK)
        http_fail(x, err);
    else if (page->too_long)
        show_form(x, page->store, 413,
                  "That is more text than a query may have.");
    else
        answer(x, page);
}

void admin_sql_page(struct http_exchange *x, struct store *store)
{
    struct sql_page *page;

    if (!may_query(x)) {
        http_error(x, 403,
                   "Queries are for administrators here (setting "
                   "data_access).");
        return;
    }
    if (!http_is_post(x)) {
        show_form(x, store, 200, NULL);
        return;
    }
    page = take_page();
    if (page == NULL) {
        http_fail(x, ERR_BUSY);
        return;
    }
    page->store = store;
    run(x, page);
    st_sql_close(&page->sql);
    page->taken = false;
}

void admin_sql_stop_page(struct http_exchange *x, struct store *store)
{
    int64_t id = http_param_number(x, "id", 0);
    struct st_sql_info info;

    (void)store;
    for (unsigned i = 0; st_sql_list(i, &info); i++)
        if (info.id == id && may_see(x, &info))
            (void)st_sql_stop_id(info.id);
    http_redirect(x, "/sql");
}
