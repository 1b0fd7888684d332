/* The page "Queue": whom elsewhere mail waits for, and what an administrator
 * may do about it. The rows are read anew each second while the page is shown;
 * the selected one stays the one that was selected, also when others leave. */
#include "core/machine.h"
#include "core/timer.h"
#include "menu/menu.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "protocol/text.h"
#include "store/st_queue.h"
#include <stdio.h>
#include <string.h>

#define KEY_ESCAPE 27
#define LIST_ROWS  12u
#define ROW_DETAIL (PAGE_FIRST_ROW + LIST_ROWS + 2)
#define REFRESH_MS 1000
#define WHEN_BYTES 16
#define DATE_BYTES 40

/* What a key asks for. */
struct wish {
    int key;
    enum store_queue_action action;
    const char *question; /* NULL: is done at once */
};

static struct {
    struct store_queue_info rows[LIST_ROWS];
    struct st_queue_view view;
    struct st_queue_action action;
    bool reading, acting;
    bool read;           /* at least once since the page was entered */
    uint64_t read_ms;    /* when */
    uint64_t first;      /* row of the queue that is shown first */
    unsigned selected;   /* of those shown */
    int64_t selected_id; /* its row; 0: not known before the next reading */
    const struct wish *asked; /* waits for Y */
    int64_t asked_id;
} state;

/* ---- Reading
 * ----------------------------------------------------------------- */

/* Rows may have left or moved up. */
static void select_again(void)
{
    for (unsigned i = 0; i < state.view.count; i++) {
        if (state.rows[i].queue_id == state.selected_id)
            state.selected = i;
    }
    if (state.selected >= state.view.count)
        state.selected = state.view.count ? state.view.count - 1 : 0;
    state.selected_id =
        state.view.count ? state.rows[state.selected].queue_id : 0;
    if (state.view.count == 0 && state.first > 0) {
        state.first = 0;
        state.read = false;
    }
}

static void was_read(struct st_request *request)
{
    state.reading = false;
    state.read = true;
    state.read_ms = timer_now_ms();
    if (request->result != OK) {
        menu_note("The queue cannot be read now.");
        return;
    }
    select_again();
}

static void refresh(void)
{
    if (state.reading || st_state() != ST_READY ||
        (state.read && timer_now_ms() - state.read_ms < REFRESH_MS))
        return;
    state.reading = true;
    state.view.request.done = was_read;
    state.view.skip = state.first;
    state.view.rows = state.rows;
    state.view.room = LIST_ROWS;
    st_queue_view(&state.view);
}

static void enter(void)
{
    state.read = false;
    state.asked = NULL;
    refresh();
}

/* ---- Showing
 * ----------------------------------------------------------------- */

static const char *when(const struct store_queue_info *row, char *text)
{
    int64_t wait = row->next_ms - machine_wall_clock_ms();

    if (row->state == STORE_QUEUE_HELD)
        return "held";
    if (row->state == STORE_QUEUE_BOUNCE)
        return "given up";
    if (wait <= 0)
        return "now";
    if (wait < 60000)
        (void)snprintf(text, WHEN_BYTES, "%d s", (int)(wait / 1000 + 1));
    else if (wait < 3600000)
        (void)snprintf(text, WHEN_BYTES, "%d min", (int)(wait / 60000 + 1));
    else
        (void)snprintf(text, WHEN_BYTES, "%d h %02d", (int)(wait / 3600000),
                       (int)(wait / 60000 % 60));
    return text;
}

static const char *date(int64_t unix_ms, char *bytes)
{
    struct text text;

    text_init(&text, bytes, DATE_BYTES - 1);
    text_date(&text, unix_ms);
    bytes[text.len] = '\0';
    return bytes;
}

static void draw_row(unsigned index)
{
    const struct store_queue_info *row = &state.rows[index];
    char text[WHEN_BYTES];
    uint8_t attribute = index == state.selected          ? SCREEN_SELECTED
                        : row->state == STORE_QUEUE_HELD ? SCREEN_DIM
                                                         : SCREEN_NORMAL;

    screen_format(PAGE_FIRST_ROW + 1 + index, 0, attribute,
                  " %8lld %-27.27s %-27.27s %3u %-9s",
                  (long long)row->message_id,
                  row->sender[0] ? row->sender : "<>", row->recipient,
                  (unsigned)row->attempts, when(row, text));
}

static void draw_detail(const struct store_queue_info *row)
{
    char bytes[DATE_BYTES];
    size_t shown = 66;

    screen_format(ROW_DETAIL, 1, SCREEN_NORMAL, "From     <%.68s>",
                  row->sender);
    screen_format(ROW_DETAIL + 1, 1, SCREEN_NORMAL, "To       <%.68s>",
                  row->recipient);
    screen_format(
        ROW_DETAIL + 2, 1, SCREEN_NORMAL, "Size     %llu bytes, since %s",
        (unsigned long long)row->bytes, date(row->received_ms, bytes));
    screen_format(ROW_DETAIL + 3, 1, SCREEN_NORMAL, "Until    %s",
                  date(row->expires_ms, bytes));
    screen_format(ROW_DETAIL + 4, 1, SCREEN_NORMAL, "Reply    %.66s",
                  row->reply);
    if (strlen(row->reply) > shown)
        screen_format(ROW_DETAIL + 5, 10, SCREEN_NORMAL, "%.66s",
                      row->reply + shown);
}

static void draw(void)
{
    refresh();
    screen_format(PAGE_FIRST_ROW, 0, SCREEN_BRIGHT, " %8s %-27s %-27s %3s %s",
                  "Message", "From", "To", "Try", "Next");
    screen_format(0, 48, SCREEN_TITLE, "%llu waiting, %llu held",
                  (unsigned long long)state.view.all,
                  (unsigned long long)state.view.held);
    if (state.view.count == 0) {
        screen_text(PAGE_FIRST_ROW + 2, 2, SCREEN_NORMAL,
                    state.read ? "Nothing waits for other servers."
                               : "Reading ...");
        return;
    }
    for (unsigned i = 0; i < state.view.count; i++)
        draw_row(i);
    draw_detail(&state.rows[state.selected]);
}

/* ---- Keys
 * -------------------------------------------------------------------- */

static void was_done(struct st_request *request)
{
    char text[81];

    state.acting = false;
    state.read = false;
    if (request->result == OK)
        menu_note("Done.");
    else if (request->result == ERR_NOT_FOUND)
        menu_note("It has left the queue meanwhile.");
    else {
        (void)snprintf(text, sizeof(text), "Not done: %s.",
                       err_text(request->result));
        menu_note(text);
    }
}

static void act(enum store_queue_action action)
{
    if (state.acting)
        return;
    state.acting = true;
    state.action.request.done = was_done;
    state.action.queue_id = state.selected_id;
    state.action.action = action;
    st_queue_act(&state.action);
}

static const struct wish wishes[] = {
    {'h', STORE_QUEUE_HOLD, NULL},
    {'r', STORE_QUEUE_RETRY, NULL},
    {'b', STORE_QUEUE_GIVE_UP, "Give it up and tell the sender?  Y  yes"},
    {'d', STORE_QUEUE_DELETE, "Delete it without telling anybody?  Y  yes"},
};

static void start_wish(const struct wish *wish)
{
    enum store_queue_action action = wish->action;

    if (wish->question != NULL) {
        state.asked = wish;
        state.asked_id = state.selected_id;
        menu_note(wish->question);
        return;
    }
    if (action == STORE_QUEUE_HOLD &&
        state.rows[state.selected].state == STORE_QUEUE_HELD)
        action = STORE_QUEUE_RELEASE;
    act(action);
}

/* Moves to another row of the queue, scrolling where it is not shown. */
static bool move(int key)
{
    uint64_t at = state.first + state.selected;
    uint64_t last = state.view.all ? state.view.all - 1 : 0;

    if (key == KEY_UP)
        at = at > 0 ? at - 1 : 0;
    else if (key == KEY_DOWN)
        at++;
    else if (key == KEY_PAGE_UP)
        at = at > LIST_ROWS ? at - LIST_ROWS : 0;
    else if (key == KEY_PAGE_DOWN)
        at += LIST_ROWS;
    else if (key == KEY_HOME)
        at = 0;
    else if (key == KEY_END)
        at = last;
    else
        return false;
    if (at > last)
        at = last;
    if (at < state.first || at >= state.first + LIST_ROWS) {
        state.first = at - at % LIST_ROWS;
        state.read = false;
    }
    state.selected = (unsigned)(at - state.first);
    state.selected_id = state.read && state.selected < state.view.count
                            ? state.rows[state.selected].queue_id
                            : 0;
    return true;
}

static bool key(int key)
{
    const struct wish *asked = state.asked;
    int low = key >= 'A' && key <= 'Z' ? key + ('a' - 'A') : key;

    state.asked = NULL;
    if (asked != NULL) {
        menu_note("");
        if (low == 'y' && state.selected_id == state.asked_id)
            act(asked->action);
        return true;
    }
    if (state.selected_id != 0) {
        for (unsigned i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
            if (wishes[i].key == low) {
                start_wish(&wishes[i]);
                return true;
            }
        }
    }
    return move(key);
}

static bool is_busy(int key)
{
    return state.acting && key != KEY_ESCAPE;
}

const struct page page_queue = {
    .title = "Queue",
    .help = "Up Down   H  hold, release   R  retry now   B  bounce   "
            "D  delete   Esc  back",
    .live = true,
    .heading = true,
    .enter = enter,
    .draw = draw,
    .key = key,
    .busy = is_busy,
};
