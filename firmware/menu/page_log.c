/* The log of the store: page by page, searched, and the life of one message.
 *
 * Lines are fetched by the store's readers; a page shows what the last answer
 * brought. While an answer is awaited every key but Esc waits, so that there is
 * never more than one request. Without a store the lines in memory are shown.
 */
#include "core/date.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/zone.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "menu/wrap.h"
#include "store/st_log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BACKSPACE 8
#define KEY_ENTER     13
#define KEY_ESCAPE    27
#define CTRL_U        21
#define LINES_MAX     100
#define LINE_ROW      (PAGE_FIRST_ROW + 1)
#define LINE_ROWS     (PAGE_LAST_ROW - LINE_ROW + 1)
/* Date, module and message in front of a line's text. */
#define SHOWN_BYTES (STORE_LOG_TEXT_BYTES + STORE_LOG_MODULE_BYTES + 64)

/* What is to be done with an answer. */
enum purpose {
    SHOW,      /* lines[0] is the newest */
    SHOW_LIFE, /* lines[0] is the oldest */
    SEEK,      /* the last one found becomes the newest that is shown */
    IDENTIFY,  /* a line with the transaction's id tells the message */
};

static struct {
    struct st_log_read read;
    struct store_log_line lines[LINES_MAX];
    enum purpose purpose;
    bool waiting;
    bool stale;  /* what is waited for was asked before the page was entered */
    bool is_log; /* the page; else Trace */
    unsigned count; /* of lines */
    unsigned first; /* of a message's life: the line at the top */
    unsigned shown; /* lines that have found room */
    bool typing;
    char find[ST_LOG_FIND_BYTES]; /* Log: what lines must hold; Trace: an id */
    bool memory_only;             /* there is no store to read it from */
} state;

static void answered(struct st_request *request);

static void ask(enum purpose purpose, int64_t from, bool backward,
                unsigned room)
{
    if (state.waiting)
        return;
    state.waiting = true;
    state.purpose = purpose;
    state.read.from = from;
    state.read.backward = backward;
    state.read.room = room;
    state.read.lines = state.lines;
    state.read.request.done = answered;
    st_log_read(&state.read);
}

/* ---- Drawing ------------------------------------------------------------- */

static const char *line_text(const struct store_log_line *line,
                             char text[SHOWN_BYTES])
{
    char date[DATE_TEXT_BYTES], mail[32] = "";

    if (line->mail_id != 0)
        (void)snprintf(mail, sizeof(mail), " #%lld", (long long)line->mail_id);
    (void)snprintf(text, SHOWN_BYTES, "%s %s%s: %s",
                   date_format(zone_local_ms(line->time_ms), date),
                   line->module, mail, line->text);
    return text;
}

/* From the bottom up, the newest at the bottom. */
static void draw_backward(void)
{
    static char text[SHOWN_BYTES];
    unsigned row = PAGE_LAST_ROW + 1;

    for (state.shown = 0; state.shown < state.count; state.shown++) {
        unsigned rows;

        (void)line_text(&state.lines[state.shown], text);
        rows = wrap_rows(text);
        if (row < LINE_ROW + rows)
            break;
        row -= rows;
        wrap_draw(row, SCREEN_NORMAL, text);
    }
}

static void draw_forward(void)
{
    static char text[SHOWN_BYTES];
    unsigned row = LINE_ROW;

    for (state.shown = 0; state.first + state.shown < state.count;
         state.shown++) {
        unsigned rows;

        (void)line_text(&state.lines[state.first + state.shown], text);
        rows = wrap_rows(text);
        if (row + rows > PAGE_LAST_ROW + 1)
            break;
        wrap_draw(row, SCREEN_NORMAL, text);
        row += rows;
    }
}

static void draw_memory(void)
{
    unsigned row = PAGE_LAST_ROW + 1;
    const char *line;

    for (unsigned back = state.first; (line = log_line(back)) != NULL; back++) {
        unsigned rows = wrap_rows(line);

        if (row < LINE_ROW + rows)
            break;
        row -= rows;
        wrap_draw(row, SCREEN_NORMAL, line);
    }
}

static void draw_head(const char *label)
{
    screen_text(PAGE_FIRST_ROW, 2, SCREEN_BRIGHT, label);
    screen_format(PAGE_FIRST_ROW, 26,
                  state.typing ? SCREEN_SELECTED : SCREEN_FIELD, "%-40s",
                  state.find);
    if (state.typing)
        screen_cursor(PAGE_FIRST_ROW, 26 + (unsigned)strlen(state.find));
    if (state.waiting)
        screen_text(PAGE_FIRST_ROW, 68, SCREEN_DIM, "reading...");
    else if (state.count == 0 && !state.memory_only)
        screen_text(PAGE_FIRST_ROW, 68, SCREEN_DIM, "no lines");
}

static void draw_log(void)
{
    draw_head("Lines with");
    if (state.memory_only)
        draw_memory();
    else
        draw_backward();
}

static void draw_trace(void)
{
    draw_head("Message or transaction");
    draw_forward();
}

/* ---- Answers ------------------------------------------------------------- */

static void show_from(int64_t from)
{
    ask(SHOW, from, true, LINE_ROWS);
}

static void show_life(int64_t mail_id)
{
    state.read.mail_id = mail_id;
    state.read.by_id = false;
    state.read.find[0] = '\0';
    ask(SHOW_LIFE, 0, false, LINES_MAX);
}

/* None of that id: the lines that hold what was typed. */
static void show_found(void)
{
    state.read.mail_id = 0;
    state.read.by_id = false;
    ask(SHOW_LIFE, 0, false, LINES_MAX);
}

static void begin(void);

static void answered(struct st_request *request)
{
    const struct st_log_read *read = &state.read;

    state.waiting = false;
    if (state.stale) {
        begin();
        return;
    }
    menu_note("");
    if (request->result != OK) {
        char text[81];

        (void)snprintf(text, sizeof(text), "The log cannot be read: %s.",
                       err_text(request->result));
        menu_note(text);
        return;
    }
    if (state.purpose == SEEK && read->count > 0) {
        show_from(state.lines[read->count - 1].log_id);
    } else if (state.purpose == SEEK) {
        show_from(0);
    } else if (state.purpose == IDENTIFY && read->count > 0 &&
               state.lines[0].mail_id != 0) {
        show_life(state.lines[0].mail_id);
    } else if (state.purpose == IDENTIFY) {
        show_found();
    } else {
        state.count = read->count;
        state.first = 0;
    }
}

/* ---- Keys ---------------------------------------------------------------- */

static void begin_search(void)
{
    state.typing = false;
    state.count = 0;
    state.read.mail_id = 0;
    state.read.by_id = false;
    (void)snprintf(state.read.find, sizeof(state.read.find), "%s", state.find);
}

static bool type(int key)
{
    size_t len = strlen(state.find);

    if (key == KEY_BACKSPACE && len > 0)
        state.find[len - 1] = '\0';
    else if (key == CTRL_U)
        state.find[0] = '\0';
    else if (key >= ' ' && key <= '~' && len + 1 < 40)
        (void)snprintf(state.find + len, sizeof(state.find) - len, "%c", key);
    else
        return false;
    return true;
}

static void scroll_memory(int key)
{
    if (key == KEY_UP || key == KEY_PAGE_UP)
        state.first += key == KEY_UP ? 1 : LINE_ROWS / 2;
    else if (state.first > 0)
        state.first -=
            key == KEY_DOWN || state.first < LINE_ROWS / 2 ? 1 : LINE_ROWS / 2;
    if (log_line(state.first) == NULL || key == KEY_END)
        state.first = 0;
}

static void scroll_log(int key)
{
    unsigned step = state.shown > 1 ? state.shown - 1 : 1;

    if (state.count == 0)
        show_from(0);
    else if (key == KEY_UP && state.count > 1)
        show_from(state.lines[1].log_id);
    else if (key == KEY_PAGE_UP && state.count > step)
        show_from(state.lines[step].log_id);
    else if (key == KEY_DOWN || key == KEY_PAGE_DOWN)
        ask(SEEK, state.lines[0].log_id + 1, false, key == KEY_DOWN ? 1 : step);
    else if (key == KEY_HOME)
        ask(SEEK, 0, false, state.shown);
    else if (key == KEY_END)
        show_from(0);
}

static bool scrolls(int key)
{
    return key == KEY_UP || key == KEY_DOWN || key == KEY_PAGE_UP ||
           key == KEY_PAGE_DOWN || key == KEY_HOME || key == KEY_END;
}

static bool key_log(int key)
{
    if (key == KEY_ESCAPE && state.typing) {
        state.typing = false;
        return true;
    }
    if (key == KEY_ESCAPE)
        return false;
    if (state.memory_only) {
        if (scrolls(key))
            scroll_memory(key);
        return scrolls(key);
    }
    if (scrolls(key)) {
        state.typing = false;
        scroll_log(key);
        return true;
    }
    if (key == KEY_ENTER) {
        begin_search();
        show_from(0);
        return true;
    }
    state.typing = type(key) || state.typing;
    return true;
}

static void identify(void)
{
    size_t digits = strspn(state.find, "0123456789");

    begin_search();
    if (state.find[0] == '\0') {
        state.typing = true;
    } else if (state.find[digits] == '\0') {
        show_life(strtoll(state.find, NULL, 10));
    } else {
        state.read.by_id = true;
        ask(IDENTIFY, 0, true, 1);
    }
}

static void scroll_trace(int key)
{
    unsigned step = key == KEY_PAGE_UP || key == KEY_PAGE_DOWN
                        ? (state.shown > 1 ? state.shown - 1 : 1)
                        : 1;

    if (key == KEY_HOME)
        state.first = 0;
    else if (key == KEY_UP || key == KEY_PAGE_UP)
        state.first = state.first > step ? state.first - step : 0;
    else if (key == KEY_END)
        state.first = state.count > 0 ? state.count - 1 : 0;
    else if (state.first + state.shown < state.count)
        state.first += step;
}

static bool key_trace(int key)
{
    if (key == KEY_ESCAPE)
        return false;
    if (scrolls(key))
        scroll_trace(key);
    else if (key == KEY_ENTER)
        identify();
    else if (type(key))
        state.typing = true;
    return true;
}

static bool is_busy(int key)
{
    return state.waiting && key != KEY_ESCAPE;
}

/* Nothing is waited for any more. */
static void begin(void)
{
    state.stale = false;
    begin_search();
    state.typing = !state.is_log;
    if (state.is_log && !state.memory_only)
        show_from(0);
}

static void enter(bool is_log)
{
    state.memory_only = st_state() != ST_READY;
    state.is_log = is_log;
    state.first = state.count = 0;
    state.find[0] = '\0';
    state.stale = state.waiting;
    if (!state.waiting)
        begin();
}

static void enter_log(void)
{
    enter(true);
}

static void enter_trace(void)
{
    enter(false);
}

const struct page page_log = {
    .title = "Log",
    .help = "Up Down Page-Up Page-Down Home End  scroll    text, Enter  find"
            "    Esc  back",
    .live = true,
    .enter = enter_log,
    .draw = draw_log,
    .key = key_log,
    .busy = is_busy,
};

const struct page page_trace = {
    .title = "Trace of a message",
    .help = "id, Enter  show its life    Up Down Page-Up Page-Down  scroll"
            "    Esc  back",
    .live = true,
    .enter = enter_trace,
    .draw = draw_trace,
    .key = key_trace,
    .busy = is_busy,
};
