/* Hardware: what the PC is made of and who drives it. */
#include "core/machine.h"
#include "menu/page.h"
#include "menu/screen.h"
#include <stdio.h>

#define LIST_ROW  (PAGE_FIRST_ROW + 1)
#define LIST_ROWS (PAGE_LAST_ROW - LIST_ROW)

static struct {
    unsigned first;
} state;

static unsigned count_parts(void)
{
    struct machine_part part;
    unsigned count = 0;

    while (machine_part(count, &part))
        count++;
    return count;
}

static void enter(void)
{
    state.first = 0;
}

static void draw(void)
{
    const unsigned count = count_parts();
    struct machine_part part;
    unsigned row = LIST_ROW;

    /* Something was unplugged meanwhile. */
    if (count > 0 && state.first >= count)
        state.first = count - 1;
    screen_format(PAGE_FIRST_ROW, 2, SCREEN_BRIGHT, "%-9s %-12s %-9s %-31s %s",
                  "Kind", "Place", "Id", "What", "Driver");
    for (unsigned i = state.first; i < count && row < LIST_ROW + LIST_ROWS;
         i++, row++) {
        if (!machine_part(i, &part))
            break;
        screen_format(row, 2, SCREEN_NORMAL,
                      "%-9.9s %-12.12s %-9.9s %-31.31s %.13s", part.kind,
                      part.place, part.id, part.what,
                      part.driver != NULL ? part.driver : "-");
    }
    screen_format(PAGE_LAST_ROW, 2, SCREEN_DIM, "%u to %u of %u",
                  count > 0 ? state.first + 1 : 0, state.first + row - LIST_ROW,
                  count);
}

static bool key(int key)
{
    const unsigned count = count_parts();
    const unsigned last = count > LIST_ROWS ? count - LIST_ROWS : 0;
    const unsigned step = key == KEY_UP || key == KEY_DOWN ? 1 : LIST_ROWS - 1;

    if (key == KEY_UP || key == KEY_PAGE_UP)
        state.first -= state.first < step ? state.first : step;
    else if (key == KEY_DOWN || key == KEY_PAGE_DOWN)
        state.first += step;
    else if (key == KEY_HOME)
        state.first = 0;
    else if (key == KEY_END)
        state.first = last;
    else
        return false;
    if (state.first > last)
        state.first = last;
    return true;
}

const struct page page_hardware = {
    .title = "Hardware",
    .help = "Up Down Page-Up Page-Down Home End  scroll    Esc  back",
    .live = true,
    .enter = enter,
    .draw = draw,
    .key = key,
};
