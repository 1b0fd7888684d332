/* A line that is typed: see edit.h. Characters are those of ASCII: what the
 * keyboard gives. */
#include "menu/edit.h"
#include "core/machine.h"
#include <stdio.h>
#include <string.h>

#define KEY_BACKSPACE 8
#define KEY_RUBOUT    127
#define CTRL(letter)  ((letter)-64)

void edit_clear(struct edit *edit)
{
    edit->len = edit->at = 0;
    edit->line[0] = '\0';
    edit->back = 0;
}

static const char *remembered(const struct edit *edit, unsigned back)
{
    return edit->history[(edit->first + edit->count - back) % EDIT_HISTORY];
}

void edit_remember(struct edit *edit, const char *line)
{
    char *place;

    if (*line == '\0' ||
        (edit->count != 0 && strcmp(remembered(edit, 1), line) == 0))
        return;
    place = edit->history[(edit->first + edit->count) % EDIT_HISTORY];
    (void)snprintf(place, EDIT_BYTES, "%s", line);
    if (edit->count < EDIT_HISTORY)
        edit->count++;
    else
        edit->first = (edit->first + 1) % EDIT_HISTORY;
}

/* line: EDIT_BYTES long. */
static void set_line(struct edit *edit, const char *line)
{
    memmove(edit->line, line, EDIT_BYTES);
    edit->len = edit->at = strlen(edit->line);
}

static void go_back(struct edit *edit)
{
    if (edit->back == edit->count)
        return;
    if (edit->back == 0)
        memcpy(edit->kept, edit->line, sizeof edit->kept);
    edit->back++;
    set_line(edit, remembered(edit, edit->back));
}

static void go_forward(struct edit *edit)
{
    if (edit->back == 0)
        return;
    edit->back--;
    set_line(edit, edit->back ? remembered(edit, edit->back) : edit->kept);
}

/* Takes out the bytes from `from` to `to`, where the cursor is then. */
static void cut(struct edit *edit, size_t from, size_t to)
{
    memmove(edit->line + from, edit->line + to, edit->len - to + 1);
    edit->len -= to - from;
    edit->at = from;
}

static void cut_word(struct edit *edit)
{
    size_t from = edit->at;

    while (from > 0 && edit->line[from - 1] == ' ')
        from--;
    while (from > 0 && edit->line[from - 1] != ' ')
        from--;
    cut(edit, from, edit->at);
}

static void insert(struct edit *edit, char c)
{
    if (edit->len + 1 >= sizeof edit->line)
        return;
    memmove(edit->line + edit->at + 1, edit->line + edit->at,
            edit->len - edit->at + 1);
    edit->line[edit->at++] = c;
    edit->len++;
}

static bool move(struct edit *edit, int key)
{
    if (key == KEY_LEFT || key == CTRL('B'))
        edit->at -= edit->at > 0;
    else if (key == KEY_RIGHT || key == CTRL('F'))
        edit->at += edit->at < edit->len;
    else if (key == KEY_HOME || key == CTRL('A'))
        edit->at = 0;
    else if (key == KEY_END || key == CTRL('E'))
        edit->at = edit->len;
    else if (key == KEY_UP || key == CTRL('P'))
        go_back(edit);
    else if (key == KEY_DOWN || key == CTRL('N'))
        go_forward(edit);
    else
        return false;
    return true;
}

bool edit_key(struct edit *edit, int key)
{
    if (move(edit, key))
        return true;
    if ((key == KEY_BACKSPACE || key == KEY_RUBOUT) && edit->at > 0)
        cut(edit, edit->at - 1, edit->at);
    else if (key == KEY_DELETE && edit->at < edit->len)
        cut(edit, edit->at, edit->at + 1);
    else if (key == CTRL('K'))
        cut(edit, edit->at, edit->len);
    else if (key == CTRL('U'))
        cut(edit, 0, edit->at);
    else if (key == CTRL('W'))
        cut_word(edit);
    else if (key >= ' ' && key < KEY_RUBOUT)
        insert(edit, (char)key);
    else
        return key == KEY_BACKSPACE || key == KEY_RUBOUT || key == KEY_DELETE;
    return true;
}
