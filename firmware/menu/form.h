/* A form: some values, edited line by line and saved together. They are
 * settings of the store, unless the page says otherwise. */
#ifndef MENU_FORM_H
#define MENU_FORM_H

#include <stdbool.h>

#define FORM_VALUE_BYTES 256
#define FORM_FIELDS      8

/* One setting. */
struct form_field {
    const char *key; /* of the setting; NULL in a form of one's own */
    const char *label;
    const char *hint; /* what may be put in */
    bool (*valid)(const char *value);
};

/* form_enter - starts editing: takes the present values. */
void form_enter(const struct form_field *fields, unsigned count);

/* form_apply - for fields of such a form that are no settings (key NULL), and
 * empty at first: called with each when the settings are saved. After
 * form_enter(). */
void form_apply(void (*apply)(unsigned index, const char *value));

/* form_enter_own - a form of the page's own: load() fills one value, save() is
 * called when all are valid, and ends with form_saved(), now or later. */
void form_enter_own(const struct form_field *fields, unsigned count,
                    void (*load)(unsigned index, char *value),
                    void (*save)(char values[][FORM_VALUE_BYTES]));

/* form_hide - this field is shown as asterisks; after form_enter_own(). */
void form_hide(unsigned index);
void form_saved(const char *note);

void form_draw(void);

/* form_key - edits; Enter on the last field saves all that changed. Returns
 * false for keys that a form does not know (Esc). */
bool form_key(int key);

/* form_busy - for page.busy: while it is being saved every key waits. */
bool form_busy(int key);

#endif
