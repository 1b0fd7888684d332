/* Users: the list with what each takes up and his last login, and the form by
 * which one is added or changed. */
#include "account/account_change.h"
#include "core/bytes.h"
#include "core/date.h"
#include "core/machine.h"
#include "core/zone.h"
#include "menu/form.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "protocol/text.h"
#include "store/st_user.h"
#include "userdb/directory.h"
#include "userdb/user.h"
#include <stdio.h>
#include <string.h>

#define MIB       (1024ull * 1024)
#define USER_ROWS (PAGE_ROWS - 3)
#define KEY_ENTER 13

static struct {
    size_t first, selected;
    struct account_change change;
    bool is_new;
} state;

/* ---- The form ------------------------------------------------------------ */

enum field { FIELD_USER, FIELD_NAME, FIELD_PASSWORD, FIELD_QUOTA, FIELD_FLAGS };

static bool user_valid(const char *value)
{
    return user_name_valid(value);
}

static bool name_valid(const char *value)
{
    return strlen(value) < USER_FULL_NAME_BYTES;
}

static bool password_valid(const char *value)
{
    return strlen(value) < ACCOUNT_PASSWORD_BYTES;
}

static bool quota_valid(const char *value)
{
    uint64_t number;

    return value[0] == '\0' ||
           (text_number(value, strlen(value), &number) && number <= UINT32_MAX);
}

/* Words of FIELD_FLAGS, in any order. */
static bool read_flags(const char *value, struct user *user)
{
    user->admin = false;
    user->enabled = true;
    while (*value != '\0') {
        size_t len = strcspn(value, " ");

        if (text_equal(value, len, "ADMIN"))
            user->admin = true;
        else if (text_equal(value, len, "DISABLED"))
            user->enabled = false;
        else if (len > 0)
            return false;
        value += len + (value[len] == ' ');
    }
    return true;
}

static bool flags_valid(const char *value)
{
    struct user ignored;

    return read_flags(value, &ignored);
}

static const struct form_field fields[] = {
    [FIELD_USER] = {NULL, "User", "the name to log in with, and of the address",
                    user_valid},
    [FIELD_NAME] = {NULL, "Full name", "", name_valid},
    [FIELD_PASSWORD] = {NULL, "Password",
                        "for a user who has one, nothing: it stays",
                        password_valid},
    [FIELD_QUOTA] = {NULL, "Quota in MB",
                     "nothing: as much as there is room for", quota_valid},
    [FIELD_FLAGS] = {NULL, "Rights", "admin, disabled, both, or nothing",
                     flags_valid},
};

#define FIELDS (unsigned)(sizeof(fields) / sizeof(fields[0]))

static void load_field(unsigned index, char *value)
{
    const struct user *user = &state.change.user;

    switch ((enum field)(index + !state.is_new)) {
    case FIELD_NAME:
        (void)snprintf(value, FORM_VALUE_BYTES, "%s", user->full_name);
        break;
    case FIELD_QUOTA:
        if (user->quota_bytes != 0)
            (void)snprintf(value, FORM_VALUE_BYTES, "%llu",
                           (unsigned long long)(user->quota_bytes / MIB));
        break;
    case FIELD_FLAGS:
        (void)snprintf(value, FORM_VALUE_BYTES, "%s%s",
                       user->admin ? "admin " : "",
                       user->enabled ? "" : "disabled");
        break;
    case FIELD_USER:
    case FIELD_PASSWORD:
        break;
    }
}

static void on_changed(struct account_change *change)
{
    char text[81];

    if (change->result == OK)
        (void)snprintf(text, sizeof(text), "Saved.");
    else if (change->result == ERR_EXISTS)
        (void)snprintf(text, sizeof(text), "Not saved: there is a user %.40s.",
                       change->user.name);
    else if (change->result == ERR_INVALID)
        (void)snprintf(text, sizeof(text),
                       "Not saved: a new user needs a password.");
    else
        (void)snprintf(text, sizeof(text), "Not saved: %s.",
                       err_text(change->result));
    form_saved(text);
    if (change->result != OK)
        return;
    menu_leave();
    menu_note(text);
}

static void save(char values[][FORM_VALUE_BYTES])
{
    struct account_change *change = &state.change;
    struct user *user = &change->user;
    unsigned skipped = !state.is_new;
    const char *quota = values[FIELD_QUOTA - skipped];
    uint64_t megabytes = 0;

    if (state.is_new)
        (void)snprintf(user->name, sizeof(user->name), "%.64s",
                       values[FIELD_USER]);
    (void)snprintf(user->full_name, sizeof(user->full_name), "%.128s",
                   values[FIELD_NAME - skipped]);
    (void)snprintf(change->password, sizeof(change->password), "%.255s",
                   values[FIELD_PASSWORD - skipped]);
    bytes_wipe(values[FIELD_PASSWORD - skipped], FORM_VALUE_BYTES);
    (void)text_number(quota, strlen(quota), &megabytes);
    user->quota_bytes = megabytes * MIB;
    (void)read_flags(values[FIELD_FLAGS - skipped], user);
    change->fields = STORE_USER_FORM;
    change->done = on_changed;
    account_change(change);
}

static void enter_form(void)
{
    /* A user keeps his name: his form begins with the second field. */
    unsigned skipped = !state.is_new;

    form_enter_own(fields + skipped, FIELDS - skipped, load_field, save);
    form_hide(FIELD_PASSWORD - skipped);
}

static void draw_form(void)
{
    char date[DATE_TEXT_BYTES];
    struct st_user known;

    form_draw();
    if (state.is_new)
        return;
    (void)st_user(state.change.user.id, &known);
    screen_format(PAGE_FIRST_ROW, 3, SCREEN_BRIGHT, "%.30s",
                  state.change.user.name);
    if (known.login.time_ms != 0)
        screen_format(PAGE_LAST_ROW - 1, 3, SCREEN_NORMAL,
                      "Last login %s %s by %s from %s",
                      date_format(zone_local_ms(known.login.time_ms), date),
                      zone_name(known.login.time_ms), known.login.service,
                      known.login.address);
}

static const struct page page_user = {
    .title = "User",
    .help = "Up Down  field    Enter  next, save    F2  save    Esc  back",
    .enter = enter_form,
    .draw = draw_form,
    .key = form_key,
    .busy = form_busy,
};

/* ---- The list -------------------------------------------------------------
 */

static void enter_list(void)
{
    if (state.selected >= directory_user_count())
        state.selected = 0;
}

static void draw_user(unsigned row, const struct user *user, bool selected)
{
    uint8_t attribute = selected        ? SCREEN_SELECTED
                        : user->enabled ? SCREEN_NORMAL
                                        : SCREEN_DIM;
    char quota[24] = "-", used[24] = "?", login[40] = "never";
    char date[DATE_TEXT_BYTES];
    struct st_user known;

    (void)st_user(user->id, &known);
    if (user->quota_bytes != 0)
        (void)snprintf(quota, sizeof(quota), "%llu",
                       (unsigned long long)(user->quota_bytes / MIB));
    if (known.counted)
        (void)snprintf(used, sizeof(used), "%llu.%llu",
                       (unsigned long long)(known.used_bytes / MIB),
                       (unsigned long long)(known.used_bytes % MIB * 10 / MIB));
    /* Without the year and the seconds. */
    if (known.login.time_ms != 0)
        (void)snprintf(login, sizeof(login), "%.11s %s",
                       date_format(zone_local_ms(known.login.time_ms), date) +
                           5,
                       known.login.service);
    screen_format(row, 1, attribute, " %-16.16s %-17.17s %-8s %8s %6s  %-17s",
                  user->name, user->full_name,
                  !user->enabled ? "disabled"
                  : user->admin  ? "admin"
                                 : "",
                  used, quota, login);
}

static void draw_list(void)
{
    if (state.selected < state.first)
        state.first = state.selected;
    if (state.selected >= state.first + USER_ROWS)
        state.first = state.selected - USER_ROWS + 1;
    screen_format(PAGE_FIRST_ROW, 2, SCREEN_BRIGHT,
                  "%-16s %-17s %-8s %8s %6s  %s", "User", "Name", "", "Used MB",
                  "Quota", "Login");
    for (unsigned i = 0; i < USER_ROWS; i++) {
        const struct user *user = directory_user_at(state.first + i);

        if (user == NULL)
            break;
        draw_user(PAGE_FIRST_ROW + 1 + i, user,
                  state.first + i == state.selected);
    }
    screen_format(PAGE_LAST_ROW, 2, SCREEN_DIM, "%zu users",
                  directory_user_count());
}

static bool move(int key)
{
    size_t count = directory_user_count();
    size_t last = count > 0 ? count - 1 : 0;

    if (key == KEY_UP)
        state.selected -= state.selected > 0;
    else if (key == KEY_DOWN)
        state.selected++;
    else if (key == KEY_PAGE_UP)
        state.selected -=
            state.selected < USER_ROWS ? state.selected : USER_ROWS;
    else if (key == KEY_PAGE_DOWN)
        state.selected += USER_ROWS;
    else if (key == KEY_HOME)
        state.selected = 0;
    else if (key == KEY_END)
        state.selected = last;
    else
        return false;
    if (state.selected > last)
        state.selected = last;
    return true;
}

static bool key_list(int key)
{
    const struct user *user = directory_user_at(state.selected);

    if (move(key))
        return true;
    if (key == 'a' || key == 'A') {
        memset(&state.change, 0, sizeof(state.change));
        state.change.user.enabled = true;
        state.is_new = true;
    } else if (key == KEY_ENTER && user != NULL) {
        memset(&state.change, 0, sizeof(state.change));
        state.change.user = *user;
        state.is_new = false;
    } else {
        return false;
    }
    menu_open(&page_user);
    return true;
}

const struct page page_users = {
    .title = "Users",
    .help = "Up Down  select    Enter  change    A  add a user    Esc  back",
    .live = true,
    .enter = enter_list,
    .draw = draw_list,
    .key = key_list,
};
