/* A line that is typed, with the keys of a shell and the lines before it. */
#ifndef MENU_EDIT_H
#define MENU_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#define EDIT_BYTES   512
#define EDIT_HISTORY 24

struct edit {
    char line[EDIT_BYTES];
    size_t len, at;                         /* bytes; where the cursor is */
    char history[EDIT_HISTORY][EDIT_BYTES]; /* a ring */
    unsigned first, count;
    unsigned back;         /* how many lines back is shown, 0: none */
    char kept[EDIT_BYTES]; /* what was typed before going back */
};

/* edit_key - arrows, Home, End, Delete, Backspace, Up and Down for the lines
 * before, Ctrl-A E B F K U W P N, characters. Returns false for other keys. */
bool edit_key(struct edit *edit, int key);

/* edit_clear - begins a new line. edit_remember - keeps the line for later. */
void edit_clear(struct edit *edit);
void edit_remember(struct edit *edit, const char *line);

#endif
