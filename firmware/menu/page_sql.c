/* The page "SQL": the prompt of the sqlite3 shell on screen and serial console.
 *
 *   line typed -> text until a statement is whole -> st_sql -> lines shown
 *
 * Answers stop at each screenful until a key is pressed; the query waits
 * meanwhile. Who sits here is taken for an administrator: so is who holds the
 * stick. The connection stays while the page is open, so that a transaction may
 * last over several lines. */
#include "core/machine.h"
#include "menu/edit.h"
#include "menu/menu.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "store/st.h"
#include "store/st_sql.h"
#include <stdio.h>
#include <string.h>

#define LINES      256u /* kept for looking back */
#define COLUMNS    80u
#define VIEW_ROWS  (PAGE_ROWS - 1)
#define ROW_PROMPT PAGE_LAST_ROW
#define TEXT_BYTES 8192u
#define PROMPT_LEN 8u
#define KEY_ENTER  13
#define KEY_ESCAPE 27
#define CTRL_C     3
#define AHEAD      256u /* keys that are typed while something runs */
#define CTRL_D     4
/* A script at the console may take its time: there is Ctrl-C. */
#define TIME_MS (24u * 3600 * 1000)

static struct {
    struct st_sql sql;
    struct edit edit;
    char text[TEXT_BYTES]; /* of a statement that is not whole yet */
    size_t text_len;
    char lines[LINES][COLUMNS + 1]; /* a ring */
    unsigned count;                 /* lines ever */
    unsigned column;
    unsigned back;  /* lines scrolled back */
    unsigned paged; /* lines since a key was pressed */
    bool running;
    bool more;     /* waits for a key before it shows more */
    bool skipping; /* stopped: what was answered before is not shown */
    int ahead[AHEAD];
    unsigned ahead_count;
    bool used; /* has been shown before: history and settings stay */
} state;

/* ---- Lines -----------------------------------------------------------------
 */

static char *line_at(unsigned number)
{
    return state.lines[number % LINES];
}

static void new_line(void)
{
    state.count++;
    state.paged++;
    line_at(state.count)[0] = '\0';
    state.column = 0;
}

/* Tabs and what is longer than a row are broken; a character of UTF-8 that is
 * not ASCII is one '?' on this screen. */
static void show_byte(char c)
{
    char *line;

    if (c == '\n') {
        new_line();
        return;
    }
    if (c == '\r' || (c & 0xc0) == 0x80)
        return;
    if (state.column == COLUMNS)
        new_line();
    line = line_at(state.count);
    line[state.column++] = c == '\t' ? ' ' : c;
    line[state.column] = '\0';
}

static void show(const char *text)
{
    for (; *text != '\0'; text++)
        show_byte(*text);
}

/* ---- What runs -------------------------------------------------------------
 */

static void wake(struct st_sql *sql)
{
    (void)sql;
    menu_redraw();
}

static const char *prompt(void)
{
    return state.text_len != 0 ? "   ...> " : "sqlite> ";
}

static void leave(bool serve)
{
    st_sql_close(&state.sql);
    state.running = state.more = false;
    state.text_len = 0;
    state.ahead_count = 0;
    menu_leave();
    if (serve)
        menu_actions()->run();
}

static void show_result(void)
{
    const struct sql_result *result = &state.sql.result;
    char text[SQL_MESSAGE_BYTES + 64];

    if (state.column != 0)
        show_byte('\n');
    if (result->message[0] == '\0')
        return;
    if (result->line != 0)
        (void)snprintf(text, sizeof(text), "Error: line %u, column %u: %s\n",
                       result->line, result->column, result->message);
    else
        (void)snprintf(text, sizeof(text), "Error: %s\n", result->message);
    show(text);
}

static void end_run(void)
{
    state.running = state.skipping = false;
    show_result();
    if (state.sql.result.quit)
        leave(state.sql.result.serve);
}

static void keep_key(int key)
{
    if (state.ahead_count < AHEAD)
        state.ahead[state.ahead_count++] = key;
}

static bool take_key(int key);

/* What was typed meanwhile. A key may lead out of here, and drop the rest. */
static void take_ahead(void)
{
    while (!state.running && state.ahead_count > 0) {
        const int key = state.ahead[0];

        state.ahead_count--;
        memmove(state.ahead, state.ahead + 1,
                state.ahead_count * sizeof(state.ahead[0]));
        (void)take_key(key);
    }
}

/* Takes what has been answered, up to a screenful. */
static void pump(void)
{
    while (state.running && !state.more) {
        char byte;

        if (st_sql_read(&state.sql, &byte, 1) != 0) {
            if (!state.skipping)
                show_byte(byte);
            state.more = state.paged + 1 >= VIEW_ROWS;
        } else if (st_sql_done(&state.sql)) {
            end_run();
        } else {
            return;
        }
    }
}

static void stop(void)
{
    st_sql_stop(&state.sql);
    state.skipping = true;
    state.ahead_count = 0;
}

static bool open_worker(void)
{
    enum err err;

    if (state.sql.query != NULL)
        return true;
    state.sql.wake = wake;
    state.sql.admin = true;
    state.sql.time_ms = TIME_MS;
    (void)snprintf(state.sql.who, sizeof(state.sql.who), "console");
    err = st_sql_open(&state.sql);
    if (err == ERR_BUSY)
        show("As many queries as can be are open: try again in a while.\n");
    else if (err != OK)
        show("The store is not there.\n");
    return err == OK;
}

static void run_text(void)
{
    size_t len = state.text_len;

    state.text_len = 0;
    if (!open_worker())
        return;
    if (!st_sql_put(&state.sql, state.text, len)) {
        show("This is too long.\n");
        return;
    }
    st_sql_run(&state.sql);
    state.running = true;
}

static void take_line(void)
{
    const char *line = state.edit.line;
    size_t len = state.edit.len;

    show(prompt());
    show(line);
    show_byte('\n');
    edit_remember(&state.edit, line);
    if (len + 1 > sizeof(state.text) - state.text_len) {
        show("This statement is too long: put it into a file, and .read it.\n");
        state.text_len = 0;
    } else {
        memcpy(state.text + state.text_len, line, len);
        state.text[state.text_len + len] = '\n';
        state.text_len += len + 1;
        if (sql_text_complete(state.text, state.text_len))
            run_text();
    }
    edit_clear(&state.edit);
    state.paged = 0;
    state.back = 0;
}

/* ---- The page --------------------------------------------------------------
 */

static void enter(void)
{
    if (!state.used) {
        state.used = true;
        sql_session_init(&state.sql.session);
        show("SQL prompt. Statements end with ; and .help tells the commands.\n"
             "The database is data.db, read-only: .write on, or .use mail.\n");
    }
    state.paged = 0;
}

static void draw_prompt(void)
{
    size_t room = COLUMNS - PROMPT_LEN - 1;
    size_t from = state.edit.at > room ? state.edit.at - room : 0;

    if (state.more) {
        screen_text(ROW_PROMPT, 0, SCREEN_WARNING,
                    "-- more --  Space: next page   Enter: next line   "
                    "Q, Ctrl-C: stop");
        return;
    }
    if (state.running) {
        screen_text(ROW_PROMPT, 0, SCREEN_WARNING,
                    "running ...  Ctrl-C or Esc: stop");
        return;
    }
    screen_text(ROW_PROMPT, 0, SCREEN_BRIGHT, prompt());
    screen_format(ROW_PROMPT, PROMPT_LEN, SCREEN_BRIGHT, "%.*s", (int)room + 1,
                  state.edit.line + from);
    screen_cursor(ROW_PROMPT, PROMPT_LEN + (unsigned)(state.edit.at - from));
}

static unsigned oldest(void)
{
    return state.count >= LINES ? state.count - LINES + 1 : 0;
}

static void draw(void)
{
    unsigned end, first;

    pump();
    take_ahead();
    /* The line behind the last line end is empty most of the time. */
    end = state.count + (state.column != 0) - state.back;
    first = end > VIEW_ROWS ? end - VIEW_ROWS : 0;
    for (unsigned i = first; i < end; i++)
        if (i >= oldest())
            screen_text(PAGE_FIRST_ROW + i - first, 0, SCREEN_NORMAL,
                        line_at(i));
    draw_prompt();
}

static void scroll(bool up)
{
    unsigned most = state.count - oldest();

    if (!up)
        state.back = state.back > VIEW_ROWS ? state.back - VIEW_ROWS : 0;
    else if (most > VIEW_ROWS)
        state.back = state.back + VIEW_ROWS < most - VIEW_ROWS
                         ? state.back + VIEW_ROWS
                         : most - VIEW_ROWS;
}

static void key_more(int key)
{
    if (key == 'q' || key == 'Q' || key == CTRL_C || key == KEY_ESCAPE) {
        stop();
        state.paged = 0;
    } else if (key == KEY_ENTER) {
        state.paged--;
    } else {
        state.paged = 0;
    }
    state.more = false;
}

static bool take_key(int key)
{
    if (key == KEY_PAGE_UP || (key == KEY_PAGE_DOWN && !state.more)) {
        scroll(key == KEY_PAGE_UP);
    } else if (state.more) {
        key_more(key);
    } else if (state.running) {
        if (key == CTRL_C || key == KEY_ESCAPE)
            stop();
        else
            keep_key(key);
    } else if (key == KEY_ENTER) {
        take_line();
    } else if (key == CTRL_C) {
        state.text_len = 0;
        edit_clear(&state.edit);
    } else if (key == KEY_ESCAPE || (key == CTRL_D && state.edit.len == 0)) {
        leave(false);
    } else {
        state.back = 0;
        (void)edit_key(&state.edit, key);
    }
    return true;
}

const struct page page_sql = {
    .title = "SQL",
    .help = "Enter  run   Up Down  earlier   PgUp PgDn  back   "
            "Ctrl-C  stop   Esc  leave",
    .enter = enter,
    .draw = draw,
    .key = take_key,
};
