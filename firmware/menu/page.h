/* A page of the text interface: rows 2 to 22 are its own, the frame around it
 * is drawn by menu.c. */
#ifndef MENU_PAGE_H
#define MENU_PAGE_H

#include <stdbool.h>

#define PAGE_FIRST_ROW 2
#define PAGE_LAST_ROW  22
#define PAGE_ROWS      (PAGE_LAST_ROW - PAGE_FIRST_ROW + 1)

struct page {
    const char *title;
    const char *help;    /* the keys, for the bottom row */
    bool live;           /* redrawn four times a second */
    bool heading;        /* it writes into the title's row, from column 48 on */
    void (*enter)(void); /* before it is shown; may be NULL */
    void (*draw)(void);
    /* Returns false when the key means nothing here: Esc then goes back. */
    bool (*key)(int key); /* may be NULL */
    /* Whether this key has to wait, for an answer of the store: it and those
     * behind it come when it does not. May be NULL. */
    bool (*busy)(int key);
};

extern const struct page page_status, page_network, page_names, page_users,
    page_store, page_tasks, page_log, page_queue, page_routes, page_trace,
    page_limits, page_clock, page_hardware, page_dump, page_about, page_sql,
    page_load;

/* For pages: what menu.c was given. */
const struct menu_actions *menu_actions(void);

/* menu_open - shows another page, from which menu_leave() comes back. */
void menu_open(const struct page *page);

/* menu_leave - back to the page before. */
void menu_leave(void);

/* menu_redraw - what the page shows has changed. */
void menu_redraw(void);

/* menu_note - a sentence in the row above the help; "" clears it. */
void menu_note(const char *text);

#endif
