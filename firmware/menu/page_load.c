/* The page that loads a file over the network. */
#include "core/machine.h"
#include "load/load.h"
#include "menu/form.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "net/address.h"
#include "mailstore/store_file.h"
#include <stdio.h>
#include <string.h>

static bool address_valid(const char *value)
{
    struct net_address address;

    return net_address_parse(value, &address) == OK &&
           net_address_is_v4(&address);
}

static bool file_valid(const char *value)
{
    const char *slash = strrchr(value, '/');

    return strlen(value) <= 200 &&
           store_file_name_valid(slash ? slash + 1 : value);
}

static const struct form_field fields[] = {
    {NULL, "TFTP server", "its address", address_valid},
    {NULL, "File", "*.csv: users; *.update: program; else a shared file",
     file_valid},
};

static struct {
    char values[2][FORM_VALUE_BYTES];
    int asked; /* the key that was pressed once */
} state;

static void load_value(unsigned index, char *value)
{
    (void)snprintf(value, FORM_VALUE_BYTES, "%s", state.values[index]);
}

static void save(char values[][FORM_VALUE_BYTES])
{
    struct net_address server;
    enum err err;

    memcpy(state.values, values, sizeof(state.values));
    err = net_address_parse(values[0], &server);
    if (!err)
        err = load_begin(&server, values[1]);
    form_saved(err == OK              ? ""
               : err == ERR_NOT_FOUND ? "There is no way to that server yet."
                                      : err_text(err));
}

static void enter(void)
{
    state.asked = KEY_NONE;
    form_enter_own(fields, sizeof(fields) / sizeof(fields[0]), load_value,
                   save);
}

static void draw(void)
{
    form_draw();
    screen_text(PAGE_LAST_ROW - 2, 3,
                load_busy() ? SCREEN_WARNING : SCREEN_NORMAL, load_text());
}

/* What starts from the next start on is changed by the same key, twice. */
static bool press(int key)
{
    bool again = key == state.asked;

    state.asked = KEY_NONE;
    if (key != KEY_F4 && key != KEY_F5)
        return form_key(key);
    if (again) {
        menu_note(load_install(key == KEY_F5) ? err_text(ERR_BUSY) : "");
        return true;
    }
    state.asked = key;
    menu_note(key == KEY_F4
                  ? "F4 again: the program loaded starts from now on."
                  : "F5 again: the previous version starts from now on.");
    return true;
}

const struct page page_load = {
    .title = "Load a file from the network",
    .help = "F2  load    F4  install program    F5  previous version    "
            "Esc  back",
    .live = true,
    .enter = enter,
    .draw = draw,
    .key = press,
    .busy = form_busy,
};
