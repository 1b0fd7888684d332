/* The page "Relay": which server takes mail for other domains, instead of those
 * domains' own. One line is edited at a time, as mkusb --route takes it. */
#include "core/machine.h"
#include "menu/menu.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "store/st_queue.h"
#include <stdio.h>
#include <string.h>

#define ROUTES        14u
#define ROW_LINE      (PAGE_FIRST_ROW + ROUTES + 3)
#define LINE_SHOWN    74u
#define KEY_BACKSPACE 8
#define KEY_ESCAPE    27
#define KEY_ENTER     13
#define CTRL_U        21

static struct {
    struct st_route_row rows[ROUTES];
    struct st_route_view view;
    struct st_route_change change;
    bool reading, read, saving;
    unsigned selected;
    char line[STORE_ROUTE_TEXT]; /* that is being written */
} state;

/* ---- Reading and saving
 * ------------------------------------------------------ */

static void was_read(struct st_request *request)
{
    state.reading = false;
    state.read = request->result == OK;
    if (!state.read)
        menu_note("The routes cannot be read now.");
    if (state.selected >= state.view.count)
        state.selected = state.view.count ? state.view.count - 1 : 0;
}

static void refresh(void)
{
    if (state.reading || st_state() != ST_READY)
        return;
    state.reading = true;
    state.view.request.done = was_read;
    state.view.rows = state.rows;
    state.view.room = ROUTES;
    st_route_view(&state.view);
}

static void enter(void)
{
    state.line[0] = '\0';
    state.read = false;
    refresh();
}

static void was_saved(struct st_request *request)
{
    char text[81];

    state.saving = false;
    (void)snprintf(text, sizeof(text), "Not saved: %s.",
                   err_text(request->result));
    menu_note(request->result == OK ? "Saved." : text);
    if (request->result == OK)
        state.line[0] = '\0';
    refresh();
}

static void put(void)
{
    if (state.saving || state.reading)
        return;
    state.saving = true;
    state.change.request.done = was_saved;
    st_route_put(&state.change);
}

static void save_line(void)
{
    if (store_route_parse(state.line, state.change.domain,
                          sizeof(state.change.domain),
                          &state.change.route) == OK)
        put();
    else
        menu_note("Write DOMAIN=HOST, HOST:PORT or HOST:PORT,LOGIN,PASSWORD; "
                  "* for all domains.");
}

static void remove_selected(void)
{
    if (state.selected >= state.view.count)
        return;
    (void)snprintf(state.change.domain, sizeof(state.change.domain), "%s",
                   state.rows[state.selected].domain);
    memset(&state.change.route, 0, sizeof(state.change.route));
    put();
}

static void edit_selected(void)
{
    const struct st_route_row *row = &state.rows[state.selected];

    if (state.selected < state.view.count)
        (void)store_route_format(row->domain, &row->route, state.line);
}

/* ---- Showing and keys
 * -------------------------------------------------------- */

static void draw(void)
{
    size_t len = strlen(state.line);
    size_t from = len >= LINE_SHOWN ? len - LINE_SHOWN + 1 : 0;

    screen_format(PAGE_FIRST_ROW, 2, SCREEN_BRIGHT, "%-28s %-30s %s",
                  "Mail for the domain", "goes to", "login");
    if (state.view.count == 0)
        screen_text(PAGE_FIRST_ROW + 1, 2, SCREEN_NORMAL,
                    state.read ? "Every domain's own servers get its mail."
                               : "Reading ...");
    for (unsigned i = 0; i < state.view.count; i++) {
        const struct st_route_row *row = &state.rows[i];

        screen_format(PAGE_FIRST_ROW + 1 + i, 2,
                      i == state.selected ? SCREEN_SELECTED : SCREEN_NORMAL,
                      "%-28.28s %-24.24s %5u %-16.16s",
                      row->domain[0] ? row->domain : "* (all others)",
                      row->route.host, (unsigned)row->route.port,
                      row->route.login);
    }
    screen_text(ROW_LINE - 1, 2, SCREEN_BRIGHT,
                "DOMAIN=HOST[:PORT][,LOGIN,PASSWORD]    * for all domains");
    screen_format(ROW_LINE, 2, SCREEN_FIELD, "%-*s", (int)LINE_SHOWN,
                  state.line + from);
    screen_cursor(ROW_LINE, 2 + (unsigned)(len - from));
}

static bool is_busy(int key)
{
    return (state.saving || state.reading) && key != KEY_ESCAPE;
}

static bool key(int key)
{
    size_t len = strlen(state.line);

    if (key == KEY_UP && state.selected > 0)
        state.selected--;
    else if (key == KEY_DOWN && state.selected + 1 < state.view.count)
        state.selected++;
    else if (key == KEY_F2)
        edit_selected();
    else if (key == KEY_F8 || key == KEY_DELETE)
        remove_selected();
    else if (key == KEY_ENTER && len > 0)
        save_line();
    else if (key == KEY_BACKSPACE && len > 0)
        state.line[len - 1] = '\0';
    else if (key == CTRL_U)
        state.line[0] = '\0';
    else if (key >= ' ' && key <= '~' && len + 1 < sizeof(state.line))
        memcpy(state.line + len, (char[]){(char)key, '\0'}, 2);
    else
        return false;
    return true;
}

const struct page page_routes = {
    .title = "Relay",
    .help = "Enter  save the line    Up Down  F2  edit    F8  remove    "
            "Esc  back",
    .live = true,
    .enter = enter,
    .draw = draw,
    .key = key,
    .busy = is_busy,
};
