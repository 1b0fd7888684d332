/* The form that is being edited, and its way into the store. */
#include "menu/form.h"
#include "core/check.h"
#include "core/machine.h"
#include "menu/menu.h"
#include "menu/page.h"
#include "menu/screen.h"
#include "store/st.h"
#include <stdio.h>
#include <string.h>

#define KEY_BACKSPACE 8
#define KEY_TAB       9
#define KEY_ENTER     13
#define CTRL_U        21
#define LABEL_COLUMN  3
#define VALUE_COLUMN  24
#define VALUE_SHOWN   52
#define ROW_STEP      3

static struct {
    const struct form_field *fields;
    unsigned count;
    unsigned selected;
    size_t cursor; /* in the selected value */
    char values[FORM_FIELDS][FORM_VALUE_BYTES];
    void (*save)(char values[][FORM_VALUE_BYTES]); /* NULL: settings */
    void (*apply)(unsigned index, const char *value);
    unsigned hidden; /* FORM_FIELDS: none */
    bool saving;
    unsigned to_save; /* the next field to be written */
    struct st_setting request;
} state;

static void select_field(unsigned index)
{
    state.selected = index;
    state.cursor = strlen(state.values[index]);
}

static void load_setting(unsigned index, char *value)
{
    const char *key = state.fields[index].key;

    (void)snprintf(value, FORM_VALUE_BYTES, "%s",
                   key != NULL ? st_setting(key) : "");
}

void form_enter_own(const struct form_field *fields, unsigned count,
                    void (*load)(unsigned index, char *value),
                    void (*save)(char values[][FORM_VALUE_BYTES]))
{
    ASSERT(count > 0 && count <= FORM_FIELDS);
    if (state.saving)
        return;
    state.fields = fields;
    state.count = count;
    state.save = save;
    state.apply = NULL;
    state.hidden = FORM_FIELDS;
    for (unsigned i = 0; i < count; i++) {
        state.values[i][0] = '\0';
        load(i, state.values[i]);
    }
    select_field(0);
}

void form_enter(const struct form_field *fields, unsigned count)
{
    form_enter_own(fields, count, load_setting, NULL);
}

void form_apply(void (*apply)(unsigned index, const char *value))
{
    state.apply = apply;
}

void form_hide(unsigned index)
{
    state.hidden = index;
}

void form_saved(const char *note)
{
    state.saving = false;
    menu_note(note);
}

/* What is shown of a value. */
static const char *shown(unsigned index, char *stars)
{
    size_t len = strlen(state.values[index]);

    if (index != state.hidden)
        return state.values[index];
    memset(stars, '*', len);
    stars[len] = '\0';
    return stars;
}

void form_draw(void)
{
    for (unsigned i = 0; i < state.count; i++) {
        unsigned row = PAGE_FIRST_ROW + 1 + i * ROW_STEP;
        char stars[FORM_VALUE_BYTES];
        size_t at = i == state.selected ? state.cursor : 0;
        size_t from = at >= VALUE_SHOWN ? at - VALUE_SHOWN + 1 : 0;
        uint8_t attribute =
            i == state.selected ? SCREEN_SELECTED : SCREEN_FIELD;

        screen_text(row, LABEL_COLUMN, SCREEN_BRIGHT, state.fields[i].label);
        screen_format(row, VALUE_COLUMN, attribute, "%-*.*s", VALUE_SHOWN,
                      VALUE_SHOWN, shown(i, stars) + from);
        screen_text(row + 1, VALUE_COLUMN, SCREEN_DIM, state.fields[i].hint);
        if (i == state.selected)
            screen_cursor(row, VALUE_COLUMN + (unsigned)(state.cursor - from));
    }
}

/* ---- Saving: one request after the other -----------------------------------
 */

static void save_next(void);

static void saved(struct st_request *request)
{
    if (request->result != OK) {
        char text[81];

        state.saving = false;
        (void)snprintf(text, sizeof(text), "Not saved: %s.",
                       err_text(request->result));
        menu_note(text);
        return;
    }
    state.to_save++;
    save_next();
}

static void apply_fields(void)
{
    for (unsigned i = 0; i < state.count; i++) {
        if (state.fields[i].key != NULL || state.apply == NULL)
            continue;
        state.apply(i, state.values[i]);
        state.values[i][0] = '\0';
    }
    select_field(state.selected);
}

static void save_next(void)
{
    for (; state.to_save < state.count; state.to_save++) {
        const char *key = state.fields[state.to_save].key;
        const char *value = state.values[state.to_save];

        if (key == NULL || strcmp(value, st_setting(key)) == 0)
            continue;
        memset(&state.request, 0, sizeof(state.request));
        (void)snprintf(state.request.key, sizeof(state.request.key), "%s", key);
        (void)snprintf(state.request.value, sizeof(state.request.value), "%s",
                       value);
        state.request.request.done = saved;
        st_setting_put(&state.request);
        return;
    }
    state.saving = false;
    menu_note("Saved.");
    menu_actions()->settings_changed();
    apply_fields();
}

static void save(void)
{
    for (unsigned i = 0; i < state.count; i++) {
        char text[81];

        if (state.fields[i].valid(state.values[i]))
            continue;
        (void)snprintf(text, sizeof(text), "%s is not right: %s.",
                       state.fields[i].label, state.fields[i].hint);
        menu_note(text);
        select_field(i);
        return;
    }
    if (st_state() != ST_READY) {
        menu_note("Not saved: there is no store to save in.");
        return;
    }
    state.saving = true;
    state.to_save = 0;
    menu_note("Saving...");
    if (state.save != NULL)
        state.save(state.values);
    else
        save_next();
}

/* ---- Editing ---------------------------------------------------------------
 */

static void insert(int key)
{
    char *value = state.values[state.selected];
    size_t length = strlen(value);

    if (length + 1 >= FORM_VALUE_BYTES) {
        menu_note("This field is full.");
        return;
    }
    memmove(value + state.cursor + 1, value + state.cursor,
            length - state.cursor + 1);
    value[state.cursor++] = (char)key;
}

static void erase(size_t at)
{
    char *value = state.values[state.selected];

    if (at < strlen(value))
        memmove(value + at, value + at + 1, strlen(value + at));
}

/* Keys that move between fields or within one; false for others. */
static bool move(int key)
{
    size_t length = strlen(state.values[state.selected]);

    if (key == KEY_UP && state.selected > 0)
        select_field(state.selected - 1);
    else if ((key == KEY_DOWN || key == KEY_TAB) &&
             state.selected + 1 < state.count)
        select_field(state.selected + 1);
    else if (key == KEY_LEFT && state.cursor > 0)
        state.cursor--;
    else if (key == KEY_RIGHT && state.cursor < length)
        state.cursor++;
    else if (key == KEY_HOME)
        state.cursor = 0;
    else if (key == KEY_END)
        state.cursor = length;
    else
        return false;
    return true;
}

bool form_busy(int key)
{
    (void)key;
    return state.saving;
}

bool form_key(int key)
{
    if (move(key))
        return true;
    if (key == KEY_ENTER) {
        if (state.selected + 1 < state.count)
            select_field(state.selected + 1);
        else
            save();
    } else if (key == KEY_F2) {
        save();
    } else if (key == KEY_BACKSPACE && state.cursor > 0) {
        erase(--state.cursor);
    } else if (key == KEY_DELETE) {
        erase(state.cursor);
    } else if (key == CTRL_U) {
        state.values[state.selected][0] = '\0';
        state.cursor = 0;
    } else if (key >= ' ' && key <= '~') {
        insert(key);
    } else {
        return false;
    }
    return true;
}
