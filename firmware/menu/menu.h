/* The text interface on screen and serial console: the AO menu and the running
 * screen. */
#ifndef MENU_MENU_H
#define MENU_MENU_H

#include <stdbool.h>

/* What the menu can ask of the one who started it. */
struct menu_actions {
    void (*run)(void); /* start serving mail */
    bool (*running)(void);
    void (*restart)(void); /* close the store, restart the PC */
    void (*power_off)(void);
    void (*settings_changed)(void); /* settings were saved in the store */
};

/* menu_init - shows the first page.
 * in_menu: start in the AO menu (Load) rather than on the running screen. */
void menu_init(const struct menu_actions *actions, bool in_menu);

/* menu_run - MT, each turn: takes keys, redraws what has changed.
 * Returns true when a key was handled. */
bool menu_run(void);

#endif
