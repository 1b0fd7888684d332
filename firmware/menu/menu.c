/* The frame of the text interface: which page is shown, the AO menu itself,
 * keys and redrawing. */
#include "menu/menu.h"
#include "core/check.h"
#include "core/machine.h"
#include "core/timer.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "menu/wrap.h"
#include "store/st.h"
#include <stdio.h>
#include <string.h>

#define REDRAW_MS  250
#define PAGE_DEPTH 4
/* Keys that are typed ahead. */
#define HELD_KEYS  64
#define KEY_ENTER  13
#define KEY_ESCAPE 27

static const struct page page_main;

static struct {
    const struct menu_actions *actions;
    const struct page *pages[PAGE_DEPTH]; /* the last one is shown */
    unsigned depth;
    unsigned selected; /* row of the AO menu */
    bool confirm;      /* the selected row waits for a second Enter */
    bool dirty;
    bool unsent; /* the serial line has not taken everything */
    char note[81];
    int held[HELD_KEYS]; /* keys that wait until the page is not busy */
    unsigned held_count;
    struct timer redraw;
} state;

const struct menu_actions *menu_actions(void)
{
    return state.actions;
}

static const struct page *current(void)
{
    return state.pages[state.depth - 1];
}

static void show(const struct page *page)
{
    menu_note("");
    state.dirty = true;
    if (page->enter != NULL)
        page->enter();
}

void menu_open(const struct page *page)
{
    ASSERT(state.depth < PAGE_DEPTH);
    state.pages[state.depth++] = page;
    show(page);
}

void menu_leave(void)
{
    if (state.depth < 2)
        return;
    state.depth--;
    show(current());
}

void menu_redraw(void)
{
    state.dirty = true;
}

void menu_note(const char *text)
{
    (void)snprintf(state.note, sizeof(state.note), "%s", text);
    state.dirty = true;
}

/* ---- The AO menu -----------------------------------------------------------
 */

static void run(void)
{
    state.actions->run();
    menu_open(&page_status);
}

static void restart(void)
{
    state.actions->restart();
}

static void power_off(void)
{
    state.actions->power_off();
}

/* Rows of the AO menu: a page to open, or something to do, and the key that
 * does it at once. */
static const struct {
    char key;
    const char *text;
    const struct page *page;
    void (*action)(void);
    bool confirm;
} rows[] = {
    {'1', "Run: serve mail, show the running screen", NULL, run, false},
    {'2', "Network: address, gateway, name servers", &page_network, NULL,
     false},
    {'3', "Names: host name and mail domains", &page_names, NULL, false},
    {'4', "Users", &page_users, NULL, false},
    {'5', "Store and stick", &page_store, NULL, false},
    {'6', "Tasks and memory", &page_tasks, NULL, false},
    {'7', "Log", &page_log, NULL, false},
    {'t', "Trace: the life of one message", &page_trace, NULL, false},
    {'q', "Queue: mail that waits for other servers", &page_queue, NULL, false},
    {'r', "Relay: servers that take mail for other domains", &page_routes, NULL,
     false},
    {'l', "Limits against abuse", &page_limits, NULL, false},
    {'f', "Files from the network: users, scripts, updates", &page_load, NULL,
     false},
    {'s', "SQL prompt", &page_sql, NULL, false},
    {'c', "Clock and time zone", &page_clock, NULL, false},
    {'h', "Hardware", &page_hardware, NULL, false},
    {'d', "Dump of memory", &page_dump, NULL, false},
    {'a', "About Barepost", &page_about, NULL, false},
    {'8', "Restart the PC", NULL, restart, true},
    {'9', "Power off", NULL, power_off, true},
};

#define ROWS (unsigned)(sizeof(rows) / sizeof(rows[0]))

/* The last two rows of the page are for the state of things. */
_Static_assert(ROWS <= PAGE_ROWS - 2, "the AO menu has too many rows");

static void draw_main(void)
{
    const char *trouble = st_trouble();
    const bool good = st_state() == ST_READY && *trouble == '\0';
    const char *text = *trouble != '\0' ? trouble : st_state_text();
    const bool running = state.actions->running();

    for (unsigned i = 0; i < ROWS; i++) {
        uint8_t attribute =
            i == state.selected ? SCREEN_SELECTED : SCREEN_NORMAL;

        screen_format(PAGE_FIRST_ROW + i, 4, attribute, " %c  %-50s",
                      rows[i].key, rows[i].text);
    }
    /* What needs both rows is worse than that mail is not served. */
    if (strlen(text) > MACHINE_COLUMNS - 4) {
        (void)wrap_text(PAGE_LAST_ROW - 1, 4, SCREEN_WARNING, text, 2);
        return;
    }
    screen_text(PAGE_LAST_ROW - 1, 4, running ? SCREEN_GOOD : SCREEN_WARNING,
                running ? "Mail is being served."
                        : "Mail is not being served yet: choose Run.");
    screen_text(PAGE_LAST_ROW, 4, good ? SCREEN_NORMAL : SCREEN_WARNING, text);
}

static void choose(void)
{
    if (rows[state.selected].confirm && !state.confirm) {
        state.confirm = true;
        menu_note("Mail stops. Enter again to do it, any other key to stay.");
        return;
    }
    if (rows[state.selected].page != NULL)
        menu_open(rows[state.selected].page);
    else
        rows[state.selected].action();
}

/* Selects the row of a key; false when it has none. */
static bool select_row(int key)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (rows[i].key != key)
            continue;
        state.selected = i;
        return true;
    }
    return false;
}

static bool key_main(int key)
{
    bool chosen = select_row(key);

    if (key != KEY_ENTER && state.confirm) {
        state.confirm = false;
        menu_note("");
    }
    if (key == KEY_UP)
        state.selected = (state.selected + ROWS - 1) % ROWS;
    else if (key == KEY_DOWN)
        state.selected = (state.selected + 1) % ROWS;
    else if (key == KEY_HOME)
        state.selected = 0;
    else if (key == KEY_END)
        state.selected = ROWS - 1;
    if (key == KEY_ENTER || chosen)
        choose();
    else if (key == KEY_ESCAPE)
        menu_open(&page_status);
    state.dirty = true;
    return true;
}

static const struct page page_main = {
    .title = "Menu",
    .help = "Up Down  select    Enter  open    its key  open at once    "
            "Esc  running screen",
    .live = true,
    .draw = draw_main,
    .key = key_main,
};

/* ---- Frame, keys, redrawing ------------------------------------------------
 */

static void draw(void)
{
    char title[81];
    const char *hostname = st_setting("hostname");
    const int columns = current()->heading ? 48 : MACHINE_COLUMNS;
    /* A space, the name of us all, and two before each of the others. */
    const int room = columns - 15 - (int)strlen(current()->title);
    const bool fits = (int)strlen(hostname) <= room;

    (void)snprintf(title, sizeof(title), " Barepost  %.*s%s%s%s",
                   fits ? room : room - 3, hostname, fits ? "" : "...",
                   *hostname != '\0' ? "  " : "", current()->title);
    screen_clear();
    screen_cursor(MACHINE_ROWS, 0);
    screen_bar(0, SCREEN_TITLE, title);
    current()->draw();
    screen_text(MACHINE_ROWS - 2, 1, SCREEN_WARNING, state.note);
    screen_bar(MACHINE_ROWS - 1, SCREEN_TITLE, "");
    screen_text(MACHINE_ROWS - 1, 1, SCREEN_TITLE, current()->help);
}

static void redraw_due(struct timer *timer)
{
    if (current()->live)
        state.dirty = true;
    timer_start(timer, REDRAW_MS);
}

static void take_key(int key)
{
    const struct page *page = current();

    state.dirty = true;
    if (page->key != NULL && page->key(key))
        return;
    if (key == KEY_ESCAPE)
        menu_leave();
}

void menu_init(const struct menu_actions *actions, bool in_menu)
{
    memset(&state, 0, sizeof(state));
    state.actions = actions;
    screen_init();
    menu_open(&page_main);
    if (!in_menu)
        menu_open(&page_status);
    timer_init(&state.redraw, redraw_due);
    timer_start(&state.redraw, REDRAW_MS);
}

static bool has_to_wait(int key)
{
    return current()->busy != NULL && current()->busy(key);
}

static int first_held(void)
{
    const int key = state.held[0];

    state.held_count--;
    memmove(state.held, state.held + 1,
            state.held_count * sizeof(state.held[0]));
    return key;
}

/* The next key that the page can take now. One that need not wait although
 * others do is the way out: they were not meant for what comes then. */
static int next_key(void)
{
    int key;

    if (state.held_count > 0 && !has_to_wait(state.held[0]))
        return first_held();
    if (state.held_count == HELD_KEYS)
        return KEY_NONE;
    key = screen_key();
    if (key == KEY_NONE)
        return key;
    if (!has_to_wait(key)) {
        state.held_count = 0;
        return key;
    }
    state.held[state.held_count++] = key;
    return KEY_NONE;
}

bool menu_run(void)
{
    int key = next_key();

    if (key != KEY_NONE)
        take_key(key);
    if (state.dirty) {
        state.dirty = false;
        draw();
        state.unsent = true;
    }
    if (state.unsent)
        state.unsent = screen_flush();
    return key != KEY_NONE;
}
